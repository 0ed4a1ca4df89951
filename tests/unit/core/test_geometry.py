"""Vectors, angles and rotations, against formulas by hand and scipy."""

import numpy as np
from scipy.spatial.transform import Rotation

from gonio.core.geometry import (
    across,
    angle_between,
    in_axes,
    out_of_axes,
    rotation_matrix,
    shortest_rotation,
    square_to,
    unit,
)

RNG = np.random.default_rng(0)
A, B = RNG.normal(size=(2, 200, 3))


def test_unit_vectors():
    np.testing.assert_allclose(unit(np.array([[3.0, 0, 4], [0, -2, 0]])), [[0.6, 0, 0.8], [0, -1, 0]])
    assert np.isnan(unit(np.array([[0.0, 0, 0], [np.nan, 1, 1]]))).all()


def test_the_component_at_right_angles():
    axis = unit(A)
    np.testing.assert_allclose((across(B, axis) * axis).sum(axis=1), 0, atol=1e-14)
    np.testing.assert_allclose(across(B, axis) + (B * axis).sum(axis=1, keepdims=True) * axis, B)
    np.testing.assert_allclose(square_to(axis, B), unit(across(B, axis)))
    assert np.isnan(square_to(np.array([0.0, 1, 0]), np.array([0.0, 2, 0]))).all()


def test_angles_between_vectors_of_any_length():
    expected = np.arccos((unit(A) * unit(B)).sum(axis=1))
    np.testing.assert_allclose(angle_between(A, B), expected, rtol=1e-9)
    np.testing.assert_allclose(angle_between(A, 7 * A), 0, atol=1e-7)
    np.testing.assert_allclose(angle_between(A, -A), np.pi)
    assert np.isnan(angle_between(A[0], np.zeros(3)))


def test_rotation_vectors():
    expected = Rotation.from_rotvec(A).as_matrix()
    np.testing.assert_allclose(rotation_matrix(A), expected, atol=1e-14)
    np.testing.assert_allclose(rotation_matrix(A[0]), expected[0], atol=1e-14)
    np.testing.assert_array_equal(rotation_matrix(np.zeros((2, 3))), [np.eye(3), np.eye(3)])


def test_the_shortest_rotation_turns_one_vector_into_the_other():
    a, b = unit(A), unit(B)
    turn = shortest_rotation(a, b)
    np.testing.assert_allclose(np.einsum("tij,tj->ti", turn, a), b, atol=1e-12)
    np.testing.assert_allclose((np.trace(turn, axis1=1, axis2=2) - 1) / 2, (a * b).sum(axis=1), atol=1e-12)


def test_axes_and_back():
    axes = rotation_matrix(A)
    np.testing.assert_allclose(out_of_axes(axes, in_axes(axes, B)), B, atol=1e-14)
    np.testing.assert_array_equal(in_axes(np.eye(3)[None], np.array([[1.0, 2, 3]])), [[1, 2, 3]])
