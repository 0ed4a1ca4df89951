"""Networks with random weights and statistics as after some training; a person who moves, and cameras in front."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from gonio.core.sequence import PoseSequence
from gonio.lifting.architecture import Architecture
from gonio.lifting.checkpoints import Weights
from gonio.training import bodies
from gonio.training.bodies import BODY_22, mean_place, training_body
from gonio.training.virtual_cameras import look_at, training_pair


@pytest.fixture(scope="session")
def weights_like():
    """(architecture, seed) to weights whose activations stay near 1."""

    def make(architecture: Architecture, seed: int = 0, trajectory: bool = False) -> Weights:
        rng = np.random.default_rng(seed)
        arrays = {}
        for name, shape in architecture.shapes.items():
            if name.endswith("running_var"):
                arrays[name] = rng.uniform(0.3, 2.0, shape)
            elif len(shape) == 3:
                arrays[name] = rng.normal(0, 1 / np.sqrt(shape[1] * shape[2]), shape)
            elif name.endswith("weight"):
                arrays[name] = rng.uniform(0.5, 1.5, shape)
            else:
                arrays[name] = rng.normal(0, 0.3, shape)
        root = None
        if trajectory:
            from dataclasses import replace

            root = make(replace(architecture, out_joints=1), seed + 1)
        return Weights(architecture, arrays, root, {"epoch": 80})

    return make


def bend(angle_rad, axis):
    return cv2.Rodrigues(np.asarray(axis, dtype=float) * angle_rad)[0]


@pytest.fixture(scope="session")
def person():
    """(frames, rate, seed, face) to somebody who stands at (1, 2), faces +x, swings arms and legs, and bends elbows and
    knees. Metres, z up."""

    def make(n_frames=200, rate_hz=50.0, seed=0, face=True):
        phase = 2 * np.pi * np.arange(n_frames) / rate_hz + seed
        joints = {name: np.zeros((n_frames, 3)) for name in BODY_22.joints}
        joints["mid_hip"] = np.stack([1 + 0.02 * np.sin(phase), 2 + 0 * phase, 0.95 + 0.03 * np.cos(2 * phase)], axis=1)
        for name, offset in {"spine": 0.25, "thorax": 0.50, "neck_nose": 0.64, "head_top": 0.78}.items():
            joints[name] = joints["mid_hip"] + (0, 0, offset)
        for name, offset in bodies._FACE_M.items():
            joints[name] = joints["head_top"] + offset if face else np.full((n_frames, 3), np.nan)
        for side, sign in (("left", 1.0), ("right", -1.0)):
            joints[f"{side}_hip"] = joints["mid_hip"] + (0, sign * 0.11, -0.03)
            joints[f"{side}_shoulder"] = joints["thorax"] + (0, sign * 0.18, -0.02)
            for top, mid, end, lengths, way in (
                ("hip", "knee", "ankle", (0.42, 0.40), 1.0),
                ("shoulder", "elbow", "wrist", (0.29, 0.25), -1.0),
            ):
                swing = -way * sign * 0.4 * np.sin(phase)  # about +y: hanging limbs go back for a positive angle
                flexion = 0.6 + 0.4 * np.sin(phase + sign)
                for i in range(n_frames):
                    upper = bend(swing[i], (0, 1, 0)) @ (0, 0, -lengths[0])
                    lower = bend(swing[i] + way * flexion[i], (0, 1, 0)) @ (0, 0, -lengths[1])
                    joints[f"{side}_{mid}"][i] = joints[f"{side}_{top}"][i] + upper
                    joints[f"{side}_{end}"][i] = joints[f"{side}_{mid}"][i] + lower
        return PoseSequence(
            positions=np.stack([joints[name] for name in BODY_22.joints], axis=1),
            times_s=3.0 + np.arange(n_frames) / rate_hz,
            skeleton=BODY_22,
            unit="m",
            frame="world",
            frame_name=f"person-{seed}",
            up="+z",
        )

    return make


@pytest.fixture(scope="session")
def front():
    """(body, azimuth, other values of `look_at`) to a camera 4 m from the middle of the body's way, level with it."""

    def make(body, azimuth_deg=0.0, **changes):
        values = {"elevation_deg": 0.0, "distance_m": 4.0, "focal_px": 1000.0, "size_px": (1280, 720)} | changes
        return look_at(mean_place(body), azimuth_deg=azimuth_deg, **values)

    return make


@pytest.fixture(scope="session")
def body(person):
    return training_body(person())


@pytest.fixture(scope="session")
def long_pair(person, front):
    """A minute and a half from the front, so that the statistics of noise settle."""
    body = training_body(person(4500))
    return training_pair(body, front(body)), body
