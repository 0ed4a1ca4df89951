"""Forward kinematics: from the angles of a chain of bones to the positions of its joints.

Files of animated rigs (BVH, ASF/AMC, the Kinect's angles) contain no positions, only each joint's rotation relative
to its
parent. A joint lies at its parent's position plus its own offset, turned by every rotation from the root down to the
parent: x_j = x_p + G_p o_j and G_j = G_p L_j, with L_j the joint's own rotation. Column vectors, right-handed.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from gonio.core.arrays import FloatArray


def euler_rotations(angles_rad: ArrayLike, axes: str) -> FloatArray:
    """(..., n) angles about the n `axes` ("zxy": R = Rz Rx Ry, about the moved axes) -> (..., 3, 3) rotations."""
    angles = np.asarray(angles_rad, dtype=float)
    rotation = np.broadcast_to(np.eye(3), (*angles.shape[:-1], 3, 3))
    for column, axis in enumerate(axes):
        rotation = rotation @ _about(axis, angles[..., column])
    return rotation


def joint_positions(parents: Sequence[int], offsets: ArrayLike, rotations: FloatArray) -> FloatArray:
    """(time, joint, 3) positions.

    parents    of each joint, every parent before its children; -1: a root, whose offset is its position in the world
    offsets    (time or 1, joint, 3) from the parent, in the parent's axes
    rotations  (time, joint, 3, 3) of each joint relative to its parent
    """
    offset = np.asarray(offsets, dtype=float)
    positions = np.empty((*rotations.shape[:2], 3))
    into_world: list[FloatArray] = []
    for joint, parent in enumerate(parents):
        if parent < 0:
            positions[:, joint] = offset[:, joint]
            into_world.append(rotations[:, joint])
        else:
            positions[:, joint] = positions[:, parent] + (into_world[parent] @ offset[:, joint, :, None])[..., 0]
            into_world.append(into_world[parent] @ rotations[:, joint])
    return positions


def _about(axis: str, angle_rad: FloatArray) -> FloatArray:
    """(...,) angles -> (..., 3, 3) right-handed rotations about "x", "y" or "z"."""
    first, second = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
    rotation = np.zeros((*angle_rad.shape, 3, 3))
    rotation[..., range(3), range(3)] = 1.0
    cosine, sine = np.cos(angle_rad), np.sin(angle_rad)
    rotation[..., first, first] = rotation[..., second, second] = cosine
    rotation[..., first, second], rotation[..., second, first] = -sine, sine
    return rotation
