"""A squat that seven methods measure: made, not recorded."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from gonio.core.angle_series import AngleSeries
from gonio.core.sequence import PoseSequence, Source
from gonio.core.skeleton import H36M_17

METHODS = (
    "multiview",
    "stereo-cam01-cam02",
    "stereo-cam03-cam04",
    "blazepose-world-cam01",
    "blazepose-world-cam02",
    "blazepose-world-cam03",
    "blazepose-world-cam04",
)
NOISE_M = (0.0, 0.012, 0.015, 0.045, 0.05, 0.06, 0.055)
_SIDED = ("knee_flexion", "hip_flexion", "elbow_flexion", "shoulder_elevation")
ANGLES = (*(f"{side}_{angle}" for angle in _SIDED for side in ("left", "right")), "trunk_inclination")


def squat_m(times_s: np.ndarray) -> np.ndarray:
    """(time, 17, 3) m: two squats of a person of 1.75 m who faces +y; z is up, the person's right is +x."""
    depth = 0.5 - 0.5 * np.cos(2 * np.pi * times_s / times_s[-1] * 2)
    knee, lean = np.deg2rad(5 + 95 * depth), np.deg2rad(5 + 35 * depth)
    arm = np.deg2rad(10 + 75 * depth)
    thigh, shank, trunk = 0.43, 0.43, 0.50
    tilt = 0.45 * knee
    zero = np.zeros_like(depth)
    p = np.zeros((len(times_s), 17, 3))
    for x, hip, shoulder in ((0.11, 1, 14), (-0.11, 4, 11)):
        ankle = np.stack([zero + 1.3 * x, zero, zero + 0.08], 1)
        bend = np.stack([zero + 0.5 * x * np.sin(tilt), np.sin(tilt) * shank, np.cos(tilt) * shank], 1)
        upper = np.stack([zero - 0.8 * x * np.sin(tilt), -np.sin(knee - tilt) * thigh, np.cos(knee - tilt) * thigh], 1)
        p[:, hip + 2], p[:, hip + 1], p[:, hip] = ankle, ankle + bend, ankle + bend + upper
        p[:, shoulder, 0] = 1.6 * x
    p[:, 0] = (p[:, 1] + p[:, 4]) / 2
    axis = np.stack([zero, np.sin(lean), np.cos(lean)], 1)
    for joint, share in ((7, 0.5), (8, 1.0), (9, 1.3), (10, 1.52)):
        p[:, joint] = p[:, 0] + axis * trunk * share
    for shoulder in (14, 11):
        p[:, shoulder] = p[:, 8] + p[:, shoulder] * [1, 0, 0]
        reach = np.stack([zero, np.sin(arm + lean / 4), -np.cos(arm + lean / 4)], 1)
        p[:, shoulder + 1] = p[:, shoulder] + 0.30 * reach
        p[:, shoulder + 2] = p[:, shoulder + 1] + 0.26 * (reach + np.array([0, 0.25, 0.1]))
    return p


@pytest.fixture(scope="session")
def squats() -> Mapping[str, PoseSequence]:
    """By every method, 100 frames at 60 Hz: smooth errors that grow from method to method, some joints missing."""
    rng = np.random.default_rng(7)
    times_s = np.arange(100) / 60
    truth = squat_m(times_s)
    kernel = np.hanning(25) / np.hanning(25).sum()
    made = {}
    for name, noise in zip(METHODS, NOISE_M, strict=True):
        wander = np.apply_along_axis(np.convolve, 0, rng.normal(size=truth.shape), kernel, mode="same") * noise * 3
        positions = truth + wander + rng.normal(size=truth.shape) * noise * 0.15 + rng.normal(size=(17, 3)) * noise / 2
        if name == "stereo-cam03-cam04":
            positions[40:48, [6, 13]] = np.nan
        positions -= positions[:, :1] if name.startswith("blazepose") else 0
        made[name] = PoseSequence(
            positions=positions,
            times_s=times_s,
            skeleton=H36M_17,
            unit="m",
            frame="root" if name.startswith("blazepose") else "world",
            frame_name="squat",
            up="+z",
            source=Source(method=name, model="made"),
            history=("made for a test",),
        )
    return made


def _angle(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    cosine = (a * b).sum(-1) / np.linalg.norm(a, axis=-1) / np.linalg.norm(b, axis=-1)
    return np.arccos(np.clip(cosine, -1, 1))


@pytest.fixture(scope="session")
def squat_angles(squats: Mapping[str, PoseSequence]) -> Mapping[str, AngleSeries]:
    made = {}
    for name, s in squats.items():
        trunk = s["thorax"] - s["mid_hip"]
        bones = (("knee", "hip", "knee", "ankle"), ("elbow", "shoulder", "elbow", "wrist"))
        flexion = {
            f"{side}_{angle}_flexion": _angle(s[f"{side}_{b}"] - s[f"{side}_{a}"], s[f"{side}_{c}"] - s[f"{side}_{b}"])
            for angle, a, b, c in bones
            for side in ("left", "right")
        }
        for side in ("left", "right"):
            flexion[f"{side}_hip_flexion"] = _angle(trunk, s[f"{side}_hip"] - s[f"{side}_knee"])
            flexion[f"{side}_shoulder_elevation"] = _angle(-trunk, s[f"{side}_elbow"] - s[f"{side}_shoulder"])
        columns = [flexion[angle] for angle in ANGLES[:-1]]
        columns.append(_angle(trunk, np.array([0, 0, 1.0])))
        made[name] = AngleSeries(
            angles_rad=np.stack(columns, 1),
            times_s=s.times_s,
            names=ANGLES,
            definitions=("made for a test",) * len(ANGLES),
            intervals_rad=((0.0, np.pi),) * len(ANGLES),
        )
    return made
