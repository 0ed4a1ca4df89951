"""Joints of one camera in the axes of the rig."""

import numpy as np
import pytest

from gonio.core.camera import Camera, Rig
from gonio.core.sequence import PoseSequence
from gonio.core.skeleton import BODY_12
from gonio.trials.monocular import in_rig

TURN = np.array([[0.0, -1, 0], [0, 0, -1], [1, 0, 0]])  # the camera looks along the world's +x; z is up


@pytest.fixture
def rig() -> Rig:
    matrix = np.array([[900.0, 0, 320], [0, 900, 240], [0, 0, 1]])
    camera = Camera("cam", (640, 480), matrix, rotation=TURN, translation=TURN @ [5.0, 0, -1.5])
    return Rig("lab", (camera,), up="+z")


def joints(frame: str) -> PoseSequence:
    positions = np.random.default_rng(0).normal(size=(3, 12, 3)) + (0, 0, 5)
    return PoseSequence(positions, np.arange(3.0), BODY_12, "m", frame, "cam", up="-y")  # type: ignore[arg-type]


def test_placed_joints_stand_in_the_world_and_others_are_turned(rig):
    placed = in_rig(joints("camera"), rig)
    assert (placed.frame, placed.frame_name, placed.up) == ("world", "lab", "+z")
    np.testing.assert_allclose(rig["cam"].world_to_camera(placed.positions), joints("camera").positions)
    turned = in_rig(joints("root"), rig)
    assert (turned.frame, turned.frame_name, turned.up) == ("root", "lab", "+z")
    np.testing.assert_allclose(turned.positions @ TURN.T, joints("root").positions)
