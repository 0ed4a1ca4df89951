"""How close triangulation comes to what optics allows. Prints a markdown table; takes some seconds.

    python benchmarks/triangulation_accuracy.py

Two experiments on simulated images of real motion (UI-PRMD, 39 Vicon markers, from `../shared/data` or GONIO_DATA;
seeded pendulums of the same size where it is absent), with Gaussian noise in every coordinate:
  parallel  the origin's rig: f = 525 px, baseline 0.28 m, 640x480, 1 px of noise, people 2 to 4.5 m away. The depth
            error of each point is divided by Z^2/(fB) sqrt(2) sigma.
  four      four cameras 2.1 to 6.8 m away with known noise of 2, 0.5, 1 and 1.5 px. The RMS error is divided by that
            of the Cramér-Rao bound; 1 is the best that any unbiased estimate can do.
Coverage: the share of points whose 95 % covariance ellipsoid holds the truth.
"""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import numpy as np

from gonio.core.arrays import FloatArray
from gonio.core.camera import Camera, Rig
from gonio.core.sequence import PoseSequence
from gonio.core.skeleton import Skeleton
from gonio.multiview.disparity import from_disparity
from gonio.multiview.triangulation import Triangulation, triangulate

MARKERS = Skeleton("vicon-39", tuple(f"marker_{i}" for i in range(39)), (-1,) * 39)
SIGMA_PX = {"near": 2.0, "side": 0.5, "far": 1.0, "high": 1.5}


def main() -> None:
    motion_m, source = load_motion()
    print(f"{source}, {np.isfinite(motion_m[..., 0]).sum()} points\n")
    print("| rig | method | error over the optimum | coverage of 95 % ellipsoids | points |")
    print("|---|---|---|---|---|")
    parallel(motion_m)
    four(motion_m)


def load_motion() -> tuple[FloatArray, str]:
    """(time, 39, 3) m, z up, each recording centred on its mean."""
    data = Path(os.environ.get("GONIO_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
    files = sorted((data / "ui-prmd/Segmented Movements/Vicon/Positions").glob("m0[167]_s*_e03_positions.txt.gz"))
    clips = [read_vicon(file) for file in files] or [pendulums(seed) for seed in range(15)]
    source = f"UI-PRMD, {len(files)} recordings" if files else "seeded pendulums"
    return np.concatenate([clip - np.nanmean(clip, axis=(0, 1)) for clip in clips]), source


def read_vicon(file: Path) -> FloatArray:
    with gzip.open(file, "rt") as lines:
        points = np.loadtxt(lines, delimiter=",").reshape(-1, 39, 3) / 1000
    points[(points == 0).all(axis=-1)] = np.nan  # a dropped marker
    return points[::2]


def pendulums(seed: int) -> FloatArray:
    rng = np.random.default_rng([2026, seed])
    rest = rng.uniform([-0.4, -0.4, -0.85], [0.4, 0.4, 0.85], (39, 3))
    phase = np.linspace(0, 6, 200)[:, None, None] + rng.uniform(0, 6, (39, 1))
    return rest + rng.normal(0, 0.1, (39, 3)) * np.sin(phase)


def simulate(rig: Rig, truth_m: FloatArray, sigma_px: dict[str, float], seed: int) -> dict[str, PoseSequence]:
    """Noisy images of the points that lie in the pictures of all cameras."""
    rng = np.random.default_rng(seed)
    exact = {camera.name: camera.world_to_image(truth_m) for camera in rig}
    inside = np.all([((exact[c.name] >= 0) & (exact[c.name] < c.size_px)).all(axis=-1) for c in rig], axis=0)
    times_s = np.arange(len(truth_m)) / 50
    views = {}
    for camera in rig:
        noisy = exact[camera.name] + rng.normal(0, sigma_px[camera.name], exact[camera.name].shape)
        pixels = np.where(inside[..., None], noisy, np.nan)
        views[camera.name] = PoseSequence(pixels, times_s, MARKERS, "px", "image", camera.name, camera.size_px)
    return views


def parallel(motion_m: FloatArray) -> None:
    rng = np.random.default_rng(1)
    truth_m = motion_m[..., [1, 2, 0]] * [1, -1, -1] + np.array([0.14, 0, 0])
    truth_m = truth_m + np.array([0, 0, 1]) * rng.uniform(2.2, 4.3, len(truth_m))[:, None, None]
    truth_m[(truth_m[..., 2] < 2) | (truth_m[..., 2] > 4.5)] = np.nan
    rig = Rig.parallel(0.28, 525, (640, 480))
    views = simulate(rig, truth_m, {"left": 1.0, "right": 1.0}, seed=2)
    depth_m = truth_m[..., 2]
    for name, result in (
        ("disparity", from_disparity(views["left"], views["right"], rig)),
        ("triangulation, refined", triangulate(rig, views)),
        ("linear triangulation", triangulate(rig, views, refine="none")),
    ):
        error = (result.sequence.positions[..., 2] - depth_m) / (depth_m**2 / (525 * 0.28) * np.sqrt(2))
        row("parallel", name, float(np.sqrt(np.nanmean(error**2))), result, truth_m)


def four(motion_m: FloatArray) -> None:
    rig = Rig(
        "room",
        (
            camera_at("near", [1.8, -1.0, 0.2], 700, (-0.25, 0.08, 0.001, -0.001, 0.0)),
            camera_at("side", [0.5, 4.0, 0.5], 900),
            camera_at("far", [-6.5, 2.0, 0.3], 1500),
            camera_at("high", [-2.0, -3.5, 2.0], 800, (0.05, -0.02)),
        ),
        up="+z",
    )
    views = simulate(rig, motion_m, SIGMA_PX, seed=3)
    for name, result in (
        ("refined, noise known", triangulate(rig, views, sigma_px=SIGMA_PX, robust_sigmas=None)),
        ("refined, noise known, robust rule on", triangulate(rig, views, sigma_px=SIGMA_PX)),
        ("linear, noise known", triangulate(rig, views, sigma_px=SIGMA_PX, robust_sigmas=None, refine="none")),
        ("refined, noise taken as equal", triangulate(rig, views, robust_sigmas=None)),
        ("plain linear (DLT)", triangulate(rig, views, robust_sigmas=None, refine="none")),
    ):
        valid = result.sequence.valid
        squared = ((result.sequence.positions - motion_m)[valid] ** 2).sum(axis=-1)
        information = np.zeros((int(valid.sum()), 3, 3))
        for camera in rig:
            J = camera.world_to_image_jacobian(motion_m[valid])[1]
            information += J.swapaxes(-1, -2) @ J / SIGMA_PX[camera.name] ** 2
        bound = np.trace(np.linalg.inv(information), axis1=-2, axis2=-1)
        row("four", name, float(np.sqrt(squared.mean() / bound.mean())), result, motion_m)


def camera_at(name: str, center_m: list[float], focal_px: float, distortion: tuple[float, ...] = ()) -> Camera:
    """A camera in a room with z up that looks at the origin."""
    forward = -np.array(center_m) / np.linalg.norm(center_m)
    right = np.cross(forward, [0, 0, 1])
    right /= np.linalg.norm(right)
    rotation = np.stack([right, np.cross(forward, right), forward])
    matrix = np.array([[focal_px, 0, 639.5], [0, focal_px, 479.5], [0, 0, 1]])
    return Camera(name, (1280, 960), matrix, distortion, rotation=rotation, translation=-rotation @ center_m)


def row(rig: str, method: str, over_optimum: float, result: Triangulation, truth_m: FloatArray) -> None:
    valid, covariance = result.sequence.valid, result.sequence.covariance
    assert covariance is not None
    error = (result.sequence.positions - truth_m)[valid]
    squared = np.einsum("ni,ni->n", error, np.linalg.solve(covariance[valid], error[..., None])[..., 0])
    coverage = np.mean(squared <= 7.8147)  # chi squared, three degrees of freedom
    print(f"| {rig} | {method} | {over_optimum:.4f} | {coverage:.1%} | {valid.sum()} |")


if __name__ == "__main__":
    main()
