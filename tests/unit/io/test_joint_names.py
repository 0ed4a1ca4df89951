"""Spellings of joint names, and the skeleton behind a list of names."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gonio.core.errors import InputError
from gonio.core.skeleton import BODY_25, BODY_25B, H36M_17, LAYOUTS, Skeleton
from gonio.io.joint_names import SPELLINGS, skeleton_of, spelled, translated


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


def test_pose2sim_s_spelling_of_body_25() -> None:
    names = spelled(BODY_25.joints)
    assert names[:4] == ("Nose", "Neck", "RShoulder", "RElbow")
    assert names[8:12] == ("CHip", "RHip", "RKnee", "RAnkle")
    assert spelled(("head", "left_hand", "C7", "left_mouth", "head_top")) == (
        "head", "left_hand", "C7", "left_mouth", "Head",
    )  # fmt: skip


@pytest.mark.parametrize("skeleton", LAYOUTS.values(), ids=lambda s: s.name)
def test_every_layout_comes_back(skeleton: Skeleton) -> None:
    assert translated(spelled(skeleton.joints)) == skeleton.joints


_NAMES = st.lists(st.sampled_from(sorted({*SPELLINGS, *SPELLINGS.values(), "C7", "head"})), unique=True)


@given(names=_NAMES)
@settings(max_examples=200, deadline=None)
def test_whatever_was_read_is_read_again(names: list[str]) -> None:
    joints = translated(names)
    assert translated(spelled(joints)) == joints
    assert len(set(spelled(joints))) == len(names)


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
    with pytest.raises(InputError, match="twice"):
        skeleton_of(["C7", "C7"], "x")
