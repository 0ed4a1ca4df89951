"""Constant offsets of joints in the body's axes, after one rigid alignment."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from gonio.comparison.joint_offsets import body_axes, definition_offsets_mm, laid_over

HIPS, SHOULDERS, HEAD = (0, 1), (2, 3), 4
BODY = np.array([[0, 0.1, 1.0], [0, -0.1, 1.0], [0, 0.2, 1.5], [0, -0.2, 1.5], [0.05, 0, 1.7]])


def turning(frames: int = 40) -> np.ndarray:
    """(time, joint, 3): the body turns about the vertical and walks."""
    turns = Rotation.from_euler("z", np.linspace(0, 6, frames)[:, None]).as_matrix()
    return np.asarray(BODY @ turns.transpose(0, 2, 1) + np.linspace(0, 2, frames)[:, None, None] * [1, 0, 0])


def test_the_axes_of_the_standing_body() -> None:
    np.testing.assert_allclose(body_axes(BODY[None], HIPS, SHOULDERS)[0], np.eye(3), atol=1e-12)


def test_one_alignment_for_the_whole_recording() -> None:
    truth = turning()
    R = Rotation.from_euler("xyz", [0.4, 1.0, -2.0]).as_matrix()
    estimate = truth @ R.T + [3.0, -1.0, 0.5]
    mask = np.ones(truth.shape[:2], dtype=bool)
    np.testing.assert_allclose(laid_over(estimate, truth, mask), truth, atol=1e-9)
    larger = laid_over(1.1 * estimate, truth, mask)
    assert np.linalg.norm(larger - truth, axis=2).mean() > 0.05


def test_an_offset_that_turns_with_the_body_is_constant() -> None:
    truth = turning()
    axes = body_axes(truth, HIPS, SHOULDERS)
    estimate = truth.copy()
    estimate[:, HEAD] += np.einsum("tij,i->tj", axes, np.array([0.05, 0.0, -0.02]))
    estimate += np.random.default_rng(0).normal(scale=0.001, size=estimate.shape)
    mask = np.ones(truth.shape[:2], dtype=bool)
    offsets, rests = definition_offsets_mm(estimate, truth, mask, HIPS, SHOULDERS)
    assert offsets[HEAD] == pytest.approx(1000 * np.hypot(0.05, 0.02), rel=0.3)  # the alignment takes a part
    assert offsets[HEAD] > 3 * offsets[0]
    assert (rests < 6).all()  # the alignment is tilted a little, so that the offset does not turn with the body alone


def test_a_joint_that_is_never_there_has_none() -> None:
    truth = turning()
    mask = np.ones(truth.shape[:2], dtype=bool)
    mask[:, HEAD] = False
    offsets, rests = definition_offsets_mm(truth + 0.01, truth, mask, HIPS, SHOULDERS)
    assert np.isnan([offsets[HEAD], rests[HEAD]]).all()
    np.testing.assert_allclose([*offsets[:4], *rests[:4]], 0, atol=1e-6)
