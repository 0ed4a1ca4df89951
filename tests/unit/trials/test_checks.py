"""Bones keep their length, and views agree on what they show."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from gonio.core.arrays import FloatArray
from gonio.core.camera import Camera, Rig
from gonio.core.errors import InputError
from gonio.core.sequence import PoseSequence
from gonio.core.skeleton import BODY_12
from gonio.multiview.triangulation import Triangulation, ViewCounts
from gonio.trials.checks import check_triangulation, odd_bones

STANDING_M = {
    "left_shoulder": (0.0, 0.19, 1.45), "left_elbow": (0.0, 0.19, 1.15), "left_wrist": (0.0, 0.19, 0.90),
    "left_hip": (0.0, 0.10, 0.95), "left_knee": (0.0, 0.10, 0.51), "left_ankle": (0.0, 0.10, 0.08),
}  # fmt: skip


def body(change: Callable[[FloatArray], None] = lambda positions: None, n_frames: int = 40) -> PoseSequence:
    points = dict(STANDING_M) | {f"right{name[4:]}": (x, -y, z) for name, (x, y, z) in STANDING_M.items()}
    positions = np.repeat(np.array([points[joint] for joint in BODY_12.joints])[None], n_frames, axis=0)
    change(positions)
    return PoseSequence(positions, np.arange(n_frames) / 30, BODY_12, "m", "world", up="+z")


def moved(joint: str, z_m: FloatArray | float) -> Callable[[FloatArray], None]:
    def change(positions: FloatArray) -> None:
        positions[:, BODY_12.index(joint), 2] += z_m

    return change


def test_a_body_that_keeps_its_bones() -> None:
    assert odd_bones(body()) == []


def test_a_bone_of_changing_length() -> None:
    (found,) = odd_bones(body(moved("left_elbow", 0.12 * np.tile([-1.0, 1.0], 20))))
    assert "left upper arm 30 cm" in found
    assert "%" in found


def test_a_bone_that_differs_between_the_sides() -> None:
    (found,) = odd_bones(body(moved("right_ankle", -0.15)))
    assert found.startswith("shank")
    assert "43 cm" in found
    assert "58 cm" in found


def test_joints_that_are_never_found_are_no_odd_bones() -> None:
    assert odd_bones(body(moved("left_knee", np.nan))) == []
    assert odd_bones(body().select(["left_hip", "left_knee", "right_hip"])) == []


RIG = Rig(
    "lab",
    tuple(Camera(name, (600, 800), np.array([[900.0, 0, 300], [0, 900.0, 400], [0, 0, 1]])) for name in "ab"),
    up="+z",
)


def triangulation(
    sequence: PoseSequence, *, lost_share: float = 0.0, error_px: float = 1.0, dropped: int = 0
) -> Triangulation:
    shape = (2, len(sequence), len(sequence.skeleton))
    used = np.ones(shape, dtype=bool)
    used[:, : round(lost_share * len(sequence))] = False
    errors = np.full(shape, error_px)
    counts = {"a": ViewCounts(400, 0, 0, dropped, 0), "b": ViewCounts(400, 0, 0, 0, 0)}
    return Triangulation(sequence, ("a", "b"), np.where(used, errors, np.nan), used, counts, errors)


def test_views_that_agree() -> None:
    assert check_triangulation("multiview", triangulation(body(), lost_share=0.2, dropped=50), RIG) == []


@pytest.mark.parametrize(
    ("result", "fact"),
    [
        (triangulation(body(), lost_share=0.3), "30 %"),
        (triangulation(body(), error_px=11.0), "11 px"),  # 1 % of the diagonal is 10 px
        (triangulation(body(), dropped=100), "20 %"),
        (triangulation(body(moved("right_ankle", -0.15))), "shank"),
    ],
)
def test_what_does_not_hold_together_is_warned_of(result: Triangulation, fact: str) -> None:
    (warning,) = check_triangulation("multiview", result, RIG)
    assert warning.startswith("multiview:")
    assert fact in warning


def test_most_points_lost_is_an_error() -> None:
    with pytest.raises(InputError, match="60 %"):
        check_triangulation("multiview", triangulation(body(), lost_share=0.6), RIG)
