"""How fast gonio triangulates, beside a loop over numpy's SVD and beside aniposelib. Prints a markdown table.

    python benchmarks/triangulation_speed.py --python PEER [--cores 1] [--repeats 7]

PEER is the Python of an environment of its own with aniposelib (`python -m venv peer; peer/bin/pip install aniposelib`;
release 0.7.2 compiles with numba, 0.8.0 with jax). Every way gets the same arrays: noisy images of 4 cameras x 10,000
frames x 25 joints, once without and once with lens distortion. The ways are measured in turn, `--repeats` times over,
in one run on the same cores, and the medians compared; what is compiled is compiled before.
  loop        for each point the rows of A and numpy.linalg.svd (on `--loop-points` points)
  aniposelib  CameraGroup.triangulate, from pixels to points
  gonio       `dlt`, from pixels to points; `triangulate` as named, from 2D to 3D sequences, with its checks, counts and
              covariance
All remove the distortion of the lenses first, the loop with gonio's own function for all points at once.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy is loaded

import numpy as np

from gonio.core.arrays import FloatArray
from gonio.core.camera import Camera, Rig
from gonio.core.sequence import PoseSequence
from gonio.core.skeleton import BODY_25
from gonio.multiview.triangulation import dlt, triangulate

DISTORTION = (-0.2, 0.05, 0.001, -0.002, 0.01)
NOISE_PX = 2.0

PEER = """
import sys, time
import numpy as np
import aniposelib
from aniposelib.cameras import Camera, CameraGroup
given = np.load(sys.argv[1])
cameras = []
for i in range(len(given["matrix"])):
    placed = dict(rvec=given["rvec"][i], tvec=given["tvec"][i])
    cameras.append(Camera(matrix=given["matrix"][i], dist=given["distortion"][i], **placed))
group = CameraGroup(cameras)
np.save(sys.argv[2], group.triangulate(given["pixels"], progress=False))
from importlib.metadata import version
print(version("aniposelib"), flush=True)
for line in sys.stdin:
    start = time.perf_counter()
    group.triangulate(given["pixels"], progress=False)
    print(time.perf_counter() - start, flush=True)
"""


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--python", type=Path, required=True, help="the Python of an environment with aniposelib")
    options.add_argument("--cores", type=int, default=1, help="cores that everything runs on")
    options.add_argument("--frames", type=int, default=10_000)
    options.add_argument("--repeats", type=int, default=7)
    options.add_argument("--loop-points", type=int, default=20_000)
    chosen = options.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[-chosen.cores :]))
    print(f"4 views x {chosen.frames} frames x 25 joints, {chosen.cores} core(s), medians of {chosen.repeats}\n")
    print("| lenses | way | points/s | over the loop | over aniposelib |")
    print("|---|---|---|---|---|")
    agreements = [compare("ideal", (), chosen), compare("distorted", DISTORTION, chosen)]
    print(
        "\nLargest distance between the points of two ways, mm (beside aniposelib with its weights, 1 / focal length):"
    )
    for line in agreements:
        print(line)


def compare(lenses: str, distortion: tuple[float, ...], chosen: argparse.Namespace) -> str:
    """Prints the table's lines of one rig. Returns how far the ways agree."""
    rig = ring(distortion)
    rng = np.random.default_rng(1)
    truth = walking(chosen.frames, rng)
    pixels = np.stack([camera.world_to_image(truth) for camera in rig])
    pixels += rng.normal(0, NOISE_PX, pixels.shape)
    views = {
        camera.name: PoseSequence(
            seen, np.arange(chosen.frames) / 50, BODY_25, "px", "image", image_size_px=camera.size_px
        )
        for camera, seen in zip(rig, pixels, strict=True)
    }
    few = pixels.reshape(4, -1, 2)[:, : chosen.loop_points]
    with tempfile.TemporaryDirectory() as folder, peer(chosen.python, rig, pixels, Path(folder)) as process:
        assert process.stdin is not None and process.stdout is not None
        version = process.stdout.readline().strip()
        theirs = np.load(Path(folder) / "points.npy")

        def ask() -> float:
            process.stdin.write("again\n")
            process.stdin.flush()
            return float(process.stdout.readline())

        n = chosen.frames * len(BODY_25)
        ways: dict[str, tuple[Callable[[], float], int]] = {
            "loop over numpy.linalg.svd": (timed(lambda: loop(rig, few)), few.shape[1]),
            f"aniposelib {version}": (ask, n),
            "gonio, dlt": (timed(lambda: dlt(rig.cameras, pixels)), n),
            "gonio, triangulate: linear": (
                timed(lambda: triangulate(rig, views, robust_sigmas=None, refine="none")),
                n,
            ),
            "gonio, triangulate: refined": (timed(lambda: triangulate(rig, views, robust_sigmas=None)), n),
            "gonio, triangulate: refined, robust": (timed(lambda: triangulate(rig, views)), n),
        }
        times: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(chosen.repeats):
            for way, (run, _) in ways.items():
                times[way].append(run())
    rates = {way: ways[way][1] / float(np.median(taken)) for way, taken in times.items()}
    slow, peers, *_ = rates.values()
    for way, rate in rates.items():
        print(f"| {lenses} | {way} | {rate:,.0f} | {rate / slow:.1f} | {rate / peers:.2f} |")
    by_svd = 1000 * np.linalg.norm(dlt(rig.cameras, few) - loop(rig, few), axis=-1)
    like_peer = np.ones(pixels.shape[:-1]) / np.array([camera.focal_px for camera in rig])[:, None, None]
    by_peer = 1000 * np.linalg.norm(dlt(rig.cameras, pixels, like_peer).reshape(-1, 3) - theirs, axis=-1)
    return f"{lenses}: dlt and the loop {by_svd.max():.1e}; dlt and aniposelib {by_peer.max():.1e}"


def loop(rig: Rig, pixels: FloatArray) -> FloatArray:
    """The direct linear transform point by point."""
    P = np.stack([camera.matrix @ np.column_stack([camera.rotation, camera.translation]) for camera in rig])
    ideal = np.stack([camera.undistort_image_points(seen) for camera, seen in zip(rig, pixels, strict=True)])
    points = np.empty((pixels.shape[1], 3))
    for i in range(len(points)):
        A = (P[:, :2] - ideal[:, i, :, None] * P[:, 2:]).reshape(-1, 4)
        Q = np.linalg.svd(A)[2][-1]
        points[i] = Q[:3] / Q[3]
    return points


def timed(work: Callable[[], object]) -> Callable[[], float]:
    def run() -> float:
        start = time.perf_counter()
        work()
        return time.perf_counter() - start

    work()  # once before, so that nothing is new
    return run


def peer(python: Path, rig: Rig, pixels: FloatArray, folder: Path) -> subprocess.Popen[str]:
    """aniposelib in an environment of its own, which triangulates again for each line it is sent."""
    from scipy.spatial.transform import Rotation  # noqa: PLC0415

    np.savez(
        folder / "given.npz",
        pixels=pixels.reshape(len(rig), -1, 2),
        matrix=[camera.matrix for camera in rig],
        distortion=[camera.distortion for camera in rig],
        rvec=[Rotation.from_matrix(camera.rotation).as_rotvec() for camera in rig],
        tvec=[camera.translation for camera in rig],
    )
    command = [str(python), "-c", PEER, str(folder / "given.npz"), str(folder / "points.npy")]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )


def ring(distortion: tuple[float, ...]) -> Rig:
    """Four cameras in a circle round a room with z up."""
    cameras = []
    for i, angle in enumerate(2 * np.pi * np.arange(4) / 4 + 0.3):
        center_m = np.array([4 * np.cos(angle), 4 * np.sin(angle), 1 + 0.1 * i])
        forward = -center_m / np.linalg.norm(center_m)
        right = np.cross(forward, [0, 0, 1])
        right /= np.linalg.norm(right)
        rotation = np.stack([right, np.cross(forward, right), forward])
        matrix = np.array([[900 + 20 * i, 0, 639.5], [0, 900 + 20 * i, 359.5], [0, 0, 1]])
        cameras.append(
            Camera(f"cam{i}", (1280, 720), matrix, distortion, rotation=rotation, translation=-rotation @ center_m)
        )
    return Rig("ring", tuple(cameras), up="+z")


def walking(frames: int, rng: np.random.Generator) -> FloatArray:
    """(time, 25, 3) m joints that swing about their places."""
    rest = rng.uniform([-0.5, -0.5, -0.85], [0.5, 0.5, 0.85], (25, 3))
    phase = np.arange(frames)[:, None, None] / 50 + rng.uniform(0, 6, (25, 1))
    return rest + rng.normal(0, 0.1, (25, 3)) * np.sin(phase)


if __name__ == "__main__":
    main()
