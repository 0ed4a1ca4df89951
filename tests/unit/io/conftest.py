"""A made-up person before a Kinect, in any of its layouts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from gonio.core.sequence import PoseSequence
from gonio.core.skeleton import Skeleton

# (left, up, forwards) from the hip centre in metres, the left side for both
_MIDDLE = {
    "hip_center": (0, 0, 0),
    "spine_mid": (0, 0.25, 0),
    "spine_chest": (0, 0.38, 0),
    "shoulder_center": (0, 0.48, 0),
    "neck_base": (0, 0.52, 0),
    "head": (0, 0.68, 0.02),
    "nose": (0, 0.68, 0.14),
}
_LEFT = {
    "clavicle": (0.03, 0.5, 0),
    "shoulder": (0.17, 0.45, 0),
    "elbow": (0.22, 0.2, -0.03),
    "wrist": (0.24, 0.02, 0.12),
    "hand": (0.24, -0.03, 0.18),
    "hand_tip": (0.24, -0.06, 0.24),
    "thumb": (0.2, -0.03, 0.16),
    "hip": (0.08, -0.04, 0),
    "knee": (0.1, -0.32, 0.26),
    "ankle": (0.1, -0.68, 0.1),
    "foot": (0.12, -0.72, 0.2),
    "eye": (0.03, 0.71, 0.11),
    "ear": (0.07, 0.69, 0.03),
}
_BODY = (
    _MIDDLE
    | {f"left_{part}": place for part, place in _LEFT.items()}
    | {f"right_{part}": (-left, up, front) for part, (left, up, front) in _LEFT.items()}
)


@pytest.fixture
def kinect_person() -> Callable[..., PoseSequence]:
    """(layout, frames) -> somebody who squats a little and sways, 2.5 m before the sensor, in a Kinect's axes."""

    def person(skeleton: Skeleton, n_frames: int = 6) -> PoseSequence:
        body = np.array([_BODY[joint] for joint in skeleton.joints])
        time = np.arange(n_frames)[:, None, None]
        swayed = body + 0.01 * np.sin(time + np.arange(len(skeleton))[None, :, None] + np.arange(3))
        x, y, z = -swayed[..., 0], swayed[..., 1], 2.5 - swayed[..., 2]
        positions = np.round(np.stack([x, y, z], axis=-1), 6)
        return PoseSequence(positions, np.round(np.arange(n_frames) / 30, 4), skeleton, "m", "world", up="+y")

    return person
