"""Spellings of joint names, and the skeleton behind a list of names."""

from __future__ import annotations

import pytest

from gonio.core.skeleton import BODY_25, BODY_25B, H36M_17, LAYOUTS, Skeleton
from gonio.errors import InputError
from gonio.sources.joint_names import SPELLINGS, skeleton_of, translated


def test_spellings() -> None:
    names = ["RHip", "Neck", "Head", "CHip", "Nose", "LBigToe", "C7", "left_knee", "head"]
    joints = "right_hip neck head_top mid_hip nose left_big_toe C7 left_knee head"
    assert translated(names) == tuple(joints.split())


def test_openpose_s_own_spelling_of_body_25_and_body_25b() -> None:
    body_25 = (
        "Nose Neck RShoulder RElbow RWrist LShoulder LElbow LWrist MidHip RHip RKnee RAnkle LHip LKnee LAnkle REye "
        "LEye REar LEar LBigToe LSmallToe LHeel RBigToe RSmallToe RHeel"
    )
    assert translated(body_25.split()) == BODY_25.joints
    body_25b = (
        "Nose LEye REye LEar REar LShoulder RShoulder LElbow RElbow LWrist RWrist LHip RHip LKnee RKnee LAnkle RAnkle "
        "Neck HeadTop LBigToe LSmallToe LHeel RBigToe RSmallToe RHeel"
    )
    assert translated(body_25b.split()) == BODY_25B.joints


def test_every_spelling_is_a_joint_of_some_layout() -> None:
    known = {joint for skeleton in LAYOUTS.values() for joint in skeleton.joints}
    assert set(SPELLINGS.values()) <= known


def test_two_spellings_of_one_joint() -> None:
    assert translated(["Hip", "CHip"]) == ("mid_hip", "CHip")
    assert translated(["Head", "head_top"]) == ("Head", "head_top")


def test_the_skeleton_behind_names() -> None:
    assert skeleton_of(H36M_17.joints, "x") is H36M_17
    assert skeleton_of(["C7", "left_knee", "left_hip"], "x") == Skeleton(
        "x", ("C7", "left_knee", "left_hip"), (-1, 2, -1)
    )
    assert skeleton_of(["C7"], "x") == Skeleton("x", ("C7",), (-1,))
    with pytest.raises(InputError, match="names a joint twice"):
        skeleton_of(["C7", "C7"], "x")
