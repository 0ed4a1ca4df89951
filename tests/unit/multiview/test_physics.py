"""Triangulation against what optics allows, on real motion: depth error, covariance, the Cramér-Rao bound.

The motion is UI-PRMD's (39 Vicon markers, 100 Hz, mm; a dropped marker is 0, 0, 0) where the shared recordings are
there, and seeded pendulum motion of the same size where they are not: the physics must hold for any motion.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest

from gonio.core.arrays import FloatArray
from gonio.core.camera import Camera, Rig
from gonio.core.sequence import PoseSequence
from gonio.core.skeleton import BODY_25B, Skeleton
from gonio.multiview.disparity import from_disparity
from gonio.multiview.triangulation import Triangulation, triangulate

MARKERS = Skeleton("vicon-39", tuple(f"marker_{i}" for i in range(39)), (-1,) * 39)
CHI2_3_95 = 7.8147  # the 95 % point of chi squared with three degrees of freedom


@pytest.fixture(scope="module")
def motion_m() -> FloatArray:
    """(time, 39, 3) m, z up, each recording centred on its mean; NaN = dropped marker."""
    root = Path(__file__).resolve().parents[3]
    folder = Path(os.environ.get("GONIO_DATA", root.parent / "shared" / "data"))
    files = [
        folder / "ui-prmd/Segmented Movements/Vicon/Positions" / f"m{m:02}_s{s:02}_e03_positions.txt.gz"
        for m in (1, 6, 7)
        for s in (1, 2, 3, 4, 5, 6, 7, 8)
    ]
    clips = [_vicon_m(file) for file in files if file.is_file()] or [_pendulums_m(seed) for seed in range(15)]
    return np.concatenate([clip - np.nanmean(clip, axis=(0, 1)) for clip in clips])


def _vicon_m(file: Path) -> FloatArray:
    with gzip.open(file, "rt") as lines:
        points = np.loadtxt(lines, delimiter=",").reshape(-1, 39, 3) / 1000
    points[(points == 0).all(axis=-1)] = np.nan
    return points[::2]


def _pendulums_m(seed: int) -> FloatArray:
    rng = np.random.default_rng([2026, seed])
    rest = rng.uniform([-0.4, -0.4, -0.85], [0.4, 0.4, 0.85], (39, 3))
    swing = rng.normal(0, 0.1, (39, 3)) * np.sin(np.linspace(0, 6, 200)[:, None, None] + rng.uniform(0, 6, (39, 1)))
    return np.asarray(rest + swing)


def _view(camera: Camera, pixels: FloatArray) -> PoseSequence:
    times_s = np.arange(len(pixels)) / 50
    return PoseSequence(pixels, times_s, MARKERS, "px", "image", camera.name, camera.size_px)


def _noisy_views(
    rig: Rig, truth_m: FloatArray, sigma_px: dict[str, float], rng: np.random.Generator
) -> dict[str, PoseSequence]:
    """Images of the points that lie inside the images of all cameras."""
    exact = {camera.name: camera.world_to_image(truth_m) for camera in rig}
    inside = np.all(
        [((exact[c.name] >= 0) & (exact[c.name] <= np.subtract(c.size_px, 1))).all(axis=-1) for c in rig], axis=0
    )
    return {
        camera.name: _view(
            camera,
            np.where(
                inside[..., None],
                exact[camera.name] + rng.normal(0, sigma_px[camera.name], (*truth_m.shape[:2], 2)),
                np.nan,
            ),
        )
        for camera in rig
    }


def _coverage(result: Triangulation, truth_m: FloatArray) -> float:
    """Share of the points whose 95 % ellipsoid holds the truth."""
    error = (result.sequence.positions - truth_m)[result.sequence.valid]
    assert result.sequence.covariance is not None
    covariance = result.sequence.covariance[result.sequence.valid]
    return float(
        np.mean(np.einsum("ni,ni->n", error, np.linalg.solve(covariance, error[..., None])[..., 0]) <= CHI2_3_95)
    )


# The origin's rig: f = 525 px, baseline 0.28 m, 640x480, noise of 1 px per coordinate, people 2 to 4.5 m away.

FOCAL_PX, BASELINE_M = 525.0, 0.28


@dataclass(frozen=True)
class Measured:
    truth_m: FloatArray
    disparity: Triangulation
    general: Triangulation


@pytest.fixture(scope="module")
def parallel(motion_m: FloatArray) -> Measured:
    rng = np.random.default_rng(1)
    facing = motion_m[..., [1, 2, 0]] * [1, -1, -1] + [BASELINE_M / 2, 0, 0]
    truth = facing + [0, 0, 1] * rng.uniform(2.2, 4.3, len(facing))[:, None, None]
    truth[(truth[..., 2] < 2) | (truth[..., 2] > 4.5)] = np.nan
    rig = Rig.parallel(BASELINE_M, FOCAL_PX, (640, 480))
    views = _noisy_views(rig, truth, {"left": 1.0, "right": 1.0}, rng)
    return Measured(truth, from_disparity(views["left"], views["right"], rig), triangulate(rig, views))


def test_depth_error_follows_from_optics(parallel: Measured) -> None:
    Z = parallel.truth_m[..., 2]
    expected = Z**2 / (FOCAL_PX * BASELINE_M) * np.sqrt(2)
    assert parallel.disparity.sequence.valid.sum() >= 100_000
    for name, result in (("disparity", parallel.disparity), ("triangulation", parallel.general)):
        ratio = np.sqrt(np.nanmean(((result.sequence.positions[..., 2] - Z) / expected) ** 2))
        assert ratio == pytest.approx(1, abs=0.02), name


def test_ellipsoids_of_two_views_hold_95_percent_of_the_truth(parallel: Measured) -> None:
    for name, result in (("disparity", parallel.disparity), ("triangulation", parallel.general)):
        coverage = _coverage(result, parallel.truth_m)
        assert 0.94 <= coverage <= 0.96, name


def test_general_triangulation_is_no_worse_than_disparity(parallel: Measured) -> None:
    special, general = parallel.disparity.sequence, parallel.general.sequence
    both = special.valid & general.valid
    assert both.sum() > 0.99 * special.valid.sum()
    rms = [np.sqrt(np.mean((sequence.positions - parallel.truth_m)[both] ** 2)) for sequence in (special, general)]
    assert rms[1] <= rms[0] * (1 + 1e-6)
    np.testing.assert_allclose(general.positions[both], special.positions[both], atol=1e-6)


def test_the_rows_tell_the_noise(parallel: Measured) -> None:
    words = next(step for step in parallel.disparity.sequence.history if step.startswith("noise estimated"))
    assert float(words.split()[5]) == pytest.approx(1.0, abs=0.03)


# Four cameras 2 to 7 m away whose noise is known and differs fourfold; two distort.

SIGMA_PX = {"near": 2.0, "side": 0.5, "far": 1.0, "high": 1.5}


def _camera_at(name: str, center_m: list[float], focal_px: float, distortion: tuple[float, ...] = ()) -> Camera:
    """A camera aimed at the origin of a world with z up."""
    forward = -np.array(center_m) / np.linalg.norm(center_m)
    right = np.cross(forward, [0, 0, 1])
    right /= np.linalg.norm(right)
    rotation = np.stack([right, np.cross(forward, right), forward])
    matrix = np.array([[focal_px, 0, 639.5], [0, focal_px, 479.5], [0, 0, 1]])
    return Camera(name, (1280, 960), matrix, distortion, rotation=rotation, translation=-rotation @ center_m)


ROOM = Rig(
    "room",
    (
        _camera_at("near", [1.8, -1.0, 0.2], 700, (-0.25, 0.08, 0.001, -0.001, 0.0)),
        _camera_at("side", [0.5, 4.0, 0.5], 900),
        _camera_at("far", [-6.5, 2.0, 0.3], 1500),
        _camera_at("high", [-2.0, -3.5, 2.0], 800, (0.05, -0.02)),
    ),
    up="+z",
)


def _bound_m(truth_m: FloatArray) -> float:
    """RMS error of the Cramér-Rao bound over points (..., 3), from Jacobians by differences."""
    information = np.zeros((*truth_m.shape, 3))
    for camera in ROOM:
        steps = 1e-5 * np.eye(3)
        differences = [camera.world_to_image(truth_m + s) - camera.world_to_image(truth_m - s) for s in steps]
        J = np.stack(differences, axis=-1) / 2e-5
        information += J.swapaxes(-1, -2) @ J / SIGMA_PX[camera.name] ** 2
    return float(np.sqrt(np.mean(np.trace(np.linalg.inv(information), axis1=-2, axis2=-1))))


def _over_bound(result: Triangulation, truth_m: FloatArray) -> float:
    valid = result.sequence.valid
    error = (result.sequence.positions - truth_m)[valid]
    return float(np.sqrt(np.mean((error**2).sum(axis=-1)))) / _bound_m(truth_m[valid])


def test_four_unequal_views_reach_the_cramer_rao_bound(motion_m: FloatArray) -> None:
    views = _noisy_views(ROOM, motion_m, SIGMA_PX, np.random.default_rng(3))
    refined = triangulate(ROOM, views, sigma_px=SIGMA_PX, robust_sigmas=None)
    plain = triangulate(ROOM, views, robust_sigmas=None, refine="none")
    assert refined.sequence.valid.sum() >= 100_000
    assert _over_bound(refined, motion_m) == pytest.approx(1, abs=0.02)
    assert _over_bound(plain, motion_m) > 1.2
    assert 0.94 <= _coverage(refined, motion_m) <= 0.96


def test_price_of_the_robust_rule_where_nothing_is_wrong(motion_m: FloatArray) -> None:
    """Three sigma drop some good views: about one in a hundred, and a little accuracy."""
    truth_m = motion_m[::4]
    result = triangulate(
        ROOM, _noisy_views(ROOM, truth_m, SIGMA_PX, np.random.default_rng(4)), sigma_px=SIGMA_PX, robust_sigmas=3.0
    )
    noise = next(step for step in result.sequence.history if step.startswith("views dropped"))
    for name, sigma in SIGMA_PX.items():
        found = float(noise.split(f"{name} ")[1].split()[0].rstrip(","))
        assert found == pytest.approx(sigma, rel=0.04), name
        assert result.excluded[name].dropped < 0.011 * result.sequence.valid.sum()
    assert 1 < _over_bound(result, truth_m) < 1.06
    assert 0.93 < _coverage(result, truth_m) < 0.95


# Real detections: Pose2Sim's balancing trial.


def test_agrees_with_pose2sim(shared_data: Path) -> None:
    """Its raw .trc: likelihood >= 0.3, views dropped until the mean reprojection error is at most 15 px, linear."""
    trial = shared_data / "pose2sim"
    rig = _rig_of(trial / "calibration/Calib_qualisys.toml")
    views = {
        camera.name: _openpose_view(
            trial / "balancing/pose-associated" / f"{camera.name.replace('_', '')}_json", camera
        )
        for camera in rig
    }
    result = triangulate(rig, views, min_confidence=0.3, max_reprojection_px=15, robust_sigmas=None, refine="none")
    names, trc_m = _trc(trial / "balancing/pose-3d/S00_P00_T01_BalancingTrial_0-100.trc")
    ours_m = result.sequence.select(names).positions
    apart_mm = 1000 * np.linalg.norm(ours_m - trc_m[..., [2, 0, 1]], axis=-1)
    assert apart_mm.size == 2100
    assert np.mean(apart_mm <= 0.5) >= 0.99  # a point that only one of the two found counts as apart


def _rig_of(file: Path) -> Rig:
    tables = tomllib.loads(file.read_text())
    cameras = []
    for name, table in tables.items():
        if name == "metadata":
            continue
        width, height = table["size"]
        rotation = cv2.Rodrigues(np.array(table["rotation"]))[0]
        matrix, distortion = np.array(table["matrix"]), tuple(table["distortions"])
        cameras.append(
            Camera(
                name, (int(width), int(height)), matrix, distortion, "opencv", rotation, np.array(table["translation"])
            )
        )
    return Rig("balancing", tuple(cameras))


def _openpose_view(folder: Path, camera: Camera) -> PoseSequence:
    files = sorted(folder.glob("*.json"))
    joints = np.zeros((len(files), 25, 3))
    for frame, file in enumerate(files):
        for person in json.loads(file.read_text())["people"]:
            if "pose_keypoints_2d" in person:
                joints[frame] = np.reshape(person["pose_keypoints_2d"], (25, 3))
    pixels = np.where(joints[..., 2:] > 0, joints[..., :2], np.nan)
    times_s = np.arange(len(files)) / 60
    return PoseSequence(
        pixels, times_s, BODY_25B, "px", "image", camera.name, camera.size_px, confidence=joints[..., 2]
    )


def _trc(file: Path) -> tuple[list[str], FloatArray]:
    """Marker names in gonio's vocabulary and (time, marker, 3) m, y up."""
    lines = file.read_text().splitlines()
    markers = [name for name in lines[3].split("\t")[2:] if name.strip()]
    rows = [line.split("\t")[2 : 2 + 3 * len(markers)] for line in lines[5:] if line.strip()]
    values = np.array([[float(cell or "nan") for cell in row] for row in rows])
    names = [re.sub(r"(?<!^)(?=[A-Z])", "_", marker).lower() for marker in markers]  # RBigToe -> r_big_toe
    names = [re.sub("^l_", "left_", re.sub("^r_", "right_", name)) for name in names]
    return ["head_top" if name == "head" else name for name in names], values.reshape(len(rows), -1, 3)
