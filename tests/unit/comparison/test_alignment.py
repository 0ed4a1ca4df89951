"""Alignment against scipy's implementations, against a plain loop, and against transforms that are known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import procrustes
from scipy.spatial.transform import Rotation

from gonio.comparison.alignment import aligned, procrustes_rigid, procrustes_similarity, scale_per_frame, spans_a_plane
from gonio.core.errors import InputError


def bodies(seed: int, frames: int = 6, joints: int = 12) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(frames, joints, 3))


def everywhere(positions: np.ndarray) -> np.ndarray:
    return np.ones(positions.shape[:2], dtype=bool)


def loop_umeyama(x: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """Umeyama's equations one frame at a time, as the paper writes them."""
    n = len(x)
    mx, my = x.mean(0), y.mean(0)
    sigma = sum(np.outer(b - my, a - mx) for a, b in zip(x, y, strict=True)) / n
    u, d, vt = np.linalg.svd(sigma)
    s = np.diag([1, 1, np.sign(np.linalg.det(u) * np.linalg.det(vt))])
    rotation = u @ s @ vt
    scale = np.trace(np.diag(d) @ s) / (((x - mx) ** 2).sum() / n)
    return scale, rotation, my - scale * rotation @ mx


@given(
    seed=st.integers(0, 1000),
    scale=st.floats(0.2, 5),
    vector=st.tuples(*[st.floats(-3, 3)] * 3),
    shift=st.tuples(*[st.floats(-10, 10)] * 3),
)
@settings(max_examples=25, deadline=None)
def test_a_known_similarity_is_recovered(
    seed: int, scale: float, vector: tuple[float, ...], shift: tuple[float, ...]
) -> None:
    estimate = bodies(seed)
    rotation = Rotation.from_rotvec(vector).as_matrix()
    reference = scale * estimate @ rotation.T + np.array(shift)
    found = procrustes_similarity(estimate, reference, everywhere(estimate))
    np.testing.assert_allclose(found[0], scale, rtol=1e-9)
    np.testing.assert_allclose(found[1], np.broadcast_to(rotation, (6, 3, 3)), atol=1e-8)
    np.testing.assert_allclose(found[2], np.broadcast_to(shift, (6, 3)), atol=1e-8)


def test_similarity_agrees_with_a_plain_loop_over_the_used_joints() -> None:
    estimate, reference = bodies(1), bodies(2)
    mask = np.random.default_rng(3).random(estimate.shape[:2]) > 0.3
    scale, rotation, translation = procrustes_similarity(estimate, reference, mask)
    for t in range(len(estimate)):
        s, R, x = loop_umeyama(estimate[t, mask[t]], reference[t, mask[t]])
        assert scale[t] == pytest.approx(s, rel=1e-10)
        np.testing.assert_allclose(rotation[t], R, atol=1e-10)
        np.testing.assert_allclose(translation[t], x, atol=1e-10)


def test_residual_agrees_with_scipy_procrustes_where_no_reflection_is_wanted() -> None:
    reference = bodies(4)
    estimate = reference + 0.2 * bodies(5)  # so near that scipy's own, which may reflect, does not
    scale, rotation, translation = procrustes_similarity(estimate, reference, everywhere(reference))
    fitted = aligned(estimate, rotation, translation, scale)
    for t in range(len(reference)):
        _, _, disparity = procrustes(reference[t], estimate[t])
        size = ((reference[t] - reference[t].mean(0)) ** 2).sum()
        assert ((fitted[t] - reference[t]) ** 2).sum() / size == pytest.approx(disparity, rel=1e-9)


def test_rotation_agrees_with_scipy_align_vectors() -> None:
    estimate, reference = bodies(6), bodies(7)
    mask = np.random.default_rng(8).random(estimate.shape[:2]) > 0.2
    rotation, translation = procrustes_rigid(estimate, reference, mask)
    for t in range(len(estimate)):
        x, y = estimate[t, mask[t]], reference[t, mask[t]]
        expected, _ = Rotation.align_vectors(y - y.mean(0), x - x.mean(0))
        np.testing.assert_allclose(rotation[t], expected.as_matrix(), atol=1e-7)
        np.testing.assert_allclose(translation[t], y.mean(0) - expected.apply(x.mean(0)), atol=1e-7)


def test_similarity_and_rigid_share_the_rotation() -> None:
    estimate, reference = bodies(9), bodies(10)
    mask = everywhere(estimate)
    np.testing.assert_allclose(
        procrustes_similarity(estimate, reference, mask)[1], procrustes_rigid(estimate, reference, mask)[0]
    )


def test_a_mirror_image_is_not_laid_over_the_body() -> None:
    body = bodies(11)
    mask = everywhere(body)
    scale, rotation, translation = procrustes_similarity(body * [-1, 1, 1], body, mask)
    np.testing.assert_allclose(np.linalg.det(rotation), 1)
    left = np.linalg.norm(aligned(body * [-1, 1, 1], rotation, translation, scale) - body, axis=2).mean(axis=1)
    assert (left > 0.1).all()


def test_flat_bodies_are_aligned() -> None:
    flat = bodies(12) * [1, 1, 0]
    turn = Rotation.from_rotvec([0.4, -1.1, 0.3]).as_matrix()
    scale, rotation, _ = procrustes_similarity(flat, 2 * flat @ turn.T, everywhere(flat))
    np.testing.assert_allclose(scale, 2)
    np.testing.assert_allclose(rotation, np.broadcast_to(turn, rotation.shape), atol=1e-9)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda p, m: m.__setitem__((0, slice(2, None)), False),  # two joints used
        lambda p, m: m.__setitem__(0, False),  # none used
        lambda p, m: p.__setitem__(0, np.linspace(0, 1, 12)[:, None] * [1.0, 2.0, 3.0] + 5),  # on a line
        lambda p, m: p.__setitem__(0, [3.1, 0.7, 2.3]),  # one point
        lambda p, m: p.__setitem__(0, np.nan),  # missing
    ],
)
@pytest.mark.parametrize("which", ["estimate", "reference"])
def test_a_frame_that_spans_no_plane_has_no_alignment_and_spoils_no_other(spoil: object, which: str) -> None:
    estimate, reference = bodies(13), bodies(14)
    mask = everywhere(estimate)
    spoiled = estimate if which == "estimate" else reference
    spoil(spoiled, mask)  # type: ignore[operator]
    assert spans_a_plane(spoiled, mask).tolist() == [False] + [True] * 5
    for part in (*procrustes_similarity(estimate, reference, mask), *procrustes_rigid(estimate, reference, mask)):
        assert np.isnan(part[0]).all()
        assert np.isfinite(part[1:]).all()


def test_a_missing_joint_counts_as_not_used() -> None:
    estimate, reference = bodies(15), bodies(16)
    mask = everywhere(estimate)
    holed = estimate.copy()
    holed[2, 5] = np.nan
    without = mask.copy()
    without[2, 5] = False
    for a, b in zip(
        procrustes_similarity(holed, reference, mask), procrustes_similarity(estimate, reference, without), strict=True
    ):
        np.testing.assert_array_equal(a, b)


def test_scale_per_frame_minimises_the_distance() -> None:
    estimate, reference = bodies(17), bodies(18)
    mask = np.random.default_rng(19).random(estimate.shape[:2]) > 0.3
    scale = scale_per_frame(estimate, reference, mask)
    for t in range(len(estimate)):
        x, y = estimate[t, mask[t]].ravel(), reference[t, mask[t]].ravel()
        assert scale[t] == pytest.approx(np.linalg.lstsq(x[:, None], y, rcond=None)[0][0])
    np.testing.assert_allclose(scale_per_frame(estimate, 3 * estimate, mask), 3)


def test_scale_of_nothing_is_nan() -> None:
    body = bodies(20, frames=2)
    mask = everywhere(body)
    mask[0] = False
    scale = scale_per_frame(body, body, mask)
    assert np.isnan(scale[0])
    assert scale[1] == pytest.approx(1)
    assert np.isnan(scale_per_frame(body * 0, body, everywhere(body))).all()


def test_no_frames() -> None:
    empty = np.zeros((0, 12, 3))
    scale, rotation, translation = procrustes_similarity(empty, empty, everywhere(empty))
    assert (scale.shape, rotation.shape, translation.shape) == ((0,), (0, 3, 3), (0, 3))


def test_shapes_that_disagree_are_named() -> None:
    body = bodies(21)
    with pytest.raises(InputError, match=r"\(6, 12, 3\).*\(5, 12, 3\)"):
        procrustes_similarity(body, body[:5], everywhere(body))
    with pytest.raises(InputError, match=r"\(6, 11\)"):
        scale_per_frame(body, body, everywhere(body)[:, 1:])
