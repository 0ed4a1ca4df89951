"""What the pipeline adds to lifting: the rig's axes, and words on what was assumed."""

import numpy as np
import pytest

from gonio.core.camera import Camera, Rig
from gonio.core.sequence import PoseSequence
from gonio.core.skeleton import BODY_12
from gonio.trials.config import LiftingConfig
from gonio.trials.monocular import assumed_in, assumptions, in_rig

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


def test_what_was_assumed_is_said():
    size, focal = "size assumed: a stature of 1.70 m", "camera cam: focal length assumed, 900 px"
    assert assumptions(LiftingConfig(), {}) == ()

    def said(settings: LiftingConfig, *history: str) -> tuple[str, ...]:
        return assumptions(settings, {"lifting-cam": joints("root").derive(history=history)})

    one, other = said(LiftingConfig(), focal, size)
    assert "take a stature of 1.70 m" in one
    assert "focal length of 0.9" in other
    (published,) = said(LiftingConfig())
    assert "trained on" in published
    for known in (LiftingConfig(segment="thigh=0.4"), LiftingConfig(scale="stereo")):
        assert said(known, size, "scaled by 1.1") == ()
    assert said(LiftingConfig(height_m=1.8), "size from the stature of 1.80 m") == ()


def test_an_assumption_that_was_replaced_is_not_said_again():
    history = ("focal length assumed", "size assumed: 1.70 m", "lifted")
    assert assumed_in(history) == history[:2]
    assert assumed_in((*history, "scaled by 1.1: the thigh measures 0.45 m")) == history[:1]
