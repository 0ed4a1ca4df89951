"""Vectors, angles and rotations for whole clips at once.

Vectors run along the last axis, (..., 3). A rotation R turns a vector v into R v. NaN, a missing joint, stays NaN.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gonio.core.arrays import FloatArray


def in_axes(axes: FloatArray, vectors: FloatArray) -> FloatArray:
    """(time, 3) components of vectors along axes (time, 3, 3), whose rows are unit vectors."""
    return np.asarray(np.einsum("tij,tj->ti", axes, vectors))


def out_of_axes(axes: FloatArray, vectors: FloatArray) -> FloatArray:
    """(time, 3) vectors from their components along axes (time, 3, 3): the inverse of `in_axes`."""
    return np.asarray(np.einsum("tij,ti->tj", axes, vectors))


def norm(vectors: FloatArray) -> FloatArray:
    """(..., n) to (...): lengths."""
    return np.asarray(np.linalg.norm(vectors, axis=-1))


def unit(vectors: FloatArray) -> FloatArray:
    """(..., 3) of length 1; NaN where the length is 0."""
    with np.errstate(over="ignore", invalid="ignore"):
        length = norm(vectors)[..., None]
        return np.asarray(vectors / np.where(length > 0, length, np.nan))


def across(vectors: FloatArray, axis: FloatArray) -> FloatArray:
    """(..., 3) the component of the vectors at right angles to the unit vector `axis`."""
    return np.asarray(vectors - (vectors * axis).sum(axis=-1, keepdims=True) * axis)


def square_to(axis: FloatArray, direction: FloatArray) -> FloatArray:
    """(..., 3) the unit vector nearest to `direction` that is at right angles to the unit vector `axis`."""
    return unit(across(direction, axis))


def angle_between(first: FloatArray, second: FloatArray) -> FloatArray:
    """(...) radians, 0..pi, between vectors (..., 3) of any length; NaN where one has no length.

    atan2(|a x b|, a . b), which is exact near 0 and pi too, where the arc cosine of the normalised product loses half
    of its digits (Kahan, How futile are mindless assessments of roundoff, 2006).
    """
    nonzero = first.any(axis=-1) & second.any(axis=-1)
    return np.where(nonzero, np.arctan2(norm(np.cross(first, second)), (first * second).sum(axis=-1)), np.nan)


def cross_matrix(v: FloatArray) -> NDArray[np.float64]:
    """(..., 3) to (..., 3, 3): the matrix K of a vector v, so that K w = v x w."""
    matrix = np.zeros((*v.shape, 3))
    matrix[..., 0, 1], matrix[..., 0, 2], matrix[..., 1, 2] = -v[..., 2], v[..., 1], -v[..., 0]
    return matrix - matrix.swapaxes(-1, -2)


def rotation_matrix(vector: FloatArray) -> FloatArray:
    """(..., 3) rotation vectors to (..., 3, 3): the direction is the axis, the length is the angle in radians.

    R = I + sin(a) K + (1 - cos(a)) K² with K the cross product matrix of the unit axis (Rodrigues 1840).
    """
    # one vector alone is computed with scalars, whose last digit may differ: rigs have always been read so
    angle = np.linalg.norm(vector) if vector.ndim == 1 else norm(vector)[..., None, None]
    K = cross_matrix(vector)
    # sin(a)/a and (1 - cos(a))/a² = (sin(a/2)/(a/2))²/2, both without a division by 0
    return np.asarray(np.eye(3) + np.sinc(angle / np.pi) * K + np.sinc(angle / (2 * np.pi)) ** 2 / 2 * (K @ K))


def shortest_rotation(a: FloatArray, b: FloatArray) -> FloatArray:
    """(time, 3, 3) the shortest rotations of the unit vectors a to b; wrong for opposite vectors."""
    K = cross_matrix(np.cross(a, b))
    cosine = (a * b).sum(axis=-1)[..., None, None]
    return np.asarray(np.eye(3) + K + K @ K / np.maximum(1 + cosine, 1e-6))
