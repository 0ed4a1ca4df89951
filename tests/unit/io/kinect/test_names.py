"""Headers as exporters write them."""

from __future__ import annotations

import pytest

from gonio.core.skeleton import AZURE_KINECT_32, KINECT_V1_20, KINECT_V2_25
from gonio.io.kinect import names


@pytest.mark.parametrize(
    ("word", "joint", "field"),
    [
        ("SpineBase_X", "hip_center", "x"),
        ("spine base y", "hip_center", "y"),
        ("Spine.Z", "spine_mid", "z"),
        ("SpineShoulderZ", "shoulder_center", "z"),
        ("JointType_HandTipLeft.Position.X", "left_hand_tip", "x"),
        ("K4ABT_JOINT_CLAVICLE_RIGHT_Y", "right_clavicle", "y"),
        ("left_shoulder_x", "left_shoulder", "x"),
        ("HandLeft TrackingState", "left_hand", "state"),
        ("ear_left_confidence", "left_ear", "state"),
        ("Head position x", "head", "x"),
    ],
)
def test_columns(word: str, joint: str, field: str) -> None:
    assert names.column_of(word, names.KINECT) == (joint, field)


@pytest.mark.parametrize("word", ["HeadX_velocity", "frame", "SpineBase_qw", "SpineBase", "x", "", "HandState"])
def test_other_columns(word: str) -> None:
    assert names.column_of(word, names.KINECT) is None


def test_units() -> None:
    assert names.unit_of("Head X (mm)") == ("Head X ", "mm")
    assert names.unit_of("Time [s]") == ("Time ", "s")
    assert names.unit_of("Head_X") == ("Head_X", "")
    assert names.unit_of("LThigh") == ("LThigh", "")


def test_every_joint_of_every_layout_is_known_by_gonios_name() -> None:
    for skeleton in (KINECT_V1_20, KINECT_V2_25, AZURE_KINECT_32):
        assert tuple(names.joint_of(joint, names.KINECT) for joint in skeleton.joints) == skeleton.joints
        assert names.layout_of_names(skeleton.joints[::-1]) == skeleton


def test_joints_of_no_single_layout() -> None:
    mixed = ("hip_center", "shoulder_center", "left_clavicle", "left_hip", "left_knee")
    assert names.layout_of_names(mixed).joints == mixed


def test_ipis_bones_are_told_from_joints() -> None:
    assert names.table_for(["Time", "LThigh X", "LShin X"]) is names.IPI
    assert names.table_for(["Time", "FootLeft_X"]) is names.KINECT
    assert names.column_of("LFoot.X", names.IPI) == ("left_ankle", "x")
    assert names.column_of("RForearm Coordinate Z", names.IPI) == ("right_elbow", "z")
