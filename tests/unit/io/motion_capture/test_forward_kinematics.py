"""Forward kinematics against scipy's rotations."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from gonio.io.motion_capture.forward_kinematics import euler_rotations, joint_positions


@pytest.mark.parametrize("axes", ["zxy", "zyx", "xyz", "yxz", "x", "zx", "xyx"])
def test_euler_rotations_are_intrinsic(axes: str) -> None:
    angles = np.random.default_rng(0).uniform(-4, 4, (5, 2, len(axes)))
    expected = np.broadcast_to(np.eye(3), (5, 2, 3, 3))
    for i, axis in enumerate(axes):
        turn = Rotation.from_euler(axis, angles[..., i].reshape(-1, 1)).as_matrix().reshape(5, 2, 3, 3)
        expected = expected @ turn
    np.testing.assert_allclose(euler_rotations(angles, axes), expected, atol=1e-14)


def test_no_axis_is_no_rotation() -> None:
    np.testing.assert_array_equal(euler_rotations(np.zeros((2, 0)), ""), np.broadcast_to(np.eye(3), (2, 3, 3)))


def test_a_chain_of_three() -> None:
    rng = np.random.default_rng(1)
    turns = Rotation.random(6, random_state=rng)
    rotations = turns.as_matrix().reshape(2, 3, 3, 3)
    offsets = rng.normal(size=(2, 3, 3))
    points = joint_positions((-1, 0, 1), offsets, rotations)
    for t in range(2):
        first = offsets[t, 0]
        second = first + rotations[t, 0] @ offsets[t, 1]
        third = second + rotations[t, 0] @ rotations[t, 1] @ offsets[t, 2]
        np.testing.assert_allclose(points[t], [first, second, third])


def test_offsets_may_be_the_same_in_every_frame() -> None:
    rotations = np.broadcast_to(np.eye(3), (4, 2, 3, 3))
    points = joint_positions((-1, 0), np.ones((1, 2, 3)), rotations)
    np.testing.assert_array_equal(points[:, 1], np.full((4, 3), 2.0))
