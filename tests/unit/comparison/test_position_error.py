"""Known offsets, scales and turns give known errors; what an error forgives does not change it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from gonio.comparison.position_error import mpjpe_mm, mpjve_mm_per_s, n_mpjpe_mm, pa_mpjpe_mm, root_mpjpe_mm
from gonio.core.errors import InputError
from gonio.core.sequence import EVALUATION_JOINTS

HIPS = (EVALUATION_JOINTS.index("left_hip"), EVALUATION_JOINTS.index("right_hip"))
WRIST = EVALUATION_JOINTS.index("left_wrist")


def body(seed: int = 0, frames: int = 7) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(frames, 12, 3))


def everywhere(positions: np.ndarray) -> np.ndarray:
    return np.ones(positions.shape[:2], dtype=bool)


def times(frames: int = 7, rate_hz: float = 50.0) -> np.ndarray:
    return np.arange(frames) / rate_hz


def test_an_offset_counts_absolutely_and_not_after_centring() -> None:
    truth = body()
    moved = truth + np.array([0.03, 0.0, -0.04])
    mask = everywhere(truth)
    np.testing.assert_allclose(mpjpe_mm(moved, truth, mask), 50)
    for error in (
        root_mpjpe_mm(moved, truth, mask, HIPS),
        n_mpjpe_mm(moved, truth, mask, HIPS),
        pa_mpjpe_mm(moved, truth, mask),
        mpjve_mm_per_s(moved, truth, mask, times(), HIPS),
    ):
        np.testing.assert_allclose(error, 0, atol=1e-8)


def test_one_displaced_joint() -> None:
    truth = body()
    moved = truth.copy()
    moved[:, WRIST] += [0.0, 0.02, 0.0]
    mask = everywhere(truth)
    expected = np.zeros((7, 12))
    expected[:, WRIST] = 20
    np.testing.assert_allclose(mpjpe_mm(moved, truth, mask), expected, atol=1e-9)
    np.testing.assert_allclose(root_mpjpe_mm(moved, truth, mask, HIPS), expected, atol=1e-9)


def test_a_displaced_hip_moves_the_centre_by_half() -> None:
    truth = body()
    moved = truth.copy()
    moved[:, HIPS[0]] += [0.02, 0.0, 0.0]
    error = root_mpjpe_mm(moved, truth, everywhere(truth), HIPS)
    np.testing.assert_allclose(error, 10)  # the hip itself is 20 - 10 off, every other joint 10


def test_a_body_of_the_wrong_size() -> None:
    truth = body()
    truth -= truth[:, list(HIPS)].mean(axis=1, keepdims=True)
    mask = everywhere(truth)
    grown = 1.1 * truth
    np.testing.assert_allclose(
        root_mpjpe_mm(grown, truth, mask, HIPS), 100 * np.linalg.norm(truth, axis=2), rtol=1e-9, atol=1e-9
    )
    np.testing.assert_allclose(n_mpjpe_mm(grown, truth, mask, HIPS), 0, atol=1e-9)


def test_a_turned_body_is_wrong_until_procrustes() -> None:
    truth = body()
    truth -= truth[:, list(HIPS)].mean(axis=1, keepdims=True)
    turned = truth @ Rotation.from_euler("y", 90, degrees=True).as_matrix().T
    mask = everywhere(truth)
    horizontal = np.hypot(truth[..., 0], truth[..., 2])
    np.testing.assert_allclose(root_mpjpe_mm(turned, truth, mask, HIPS), 1000 * np.sqrt(2) * horizontal)
    np.testing.assert_allclose(pa_mpjpe_mm(turned, truth, mask), 0, atol=1e-8)


def test_swapped_sides_are_not_forgiven_by_procrustes() -> None:
    truth = body()
    truth[:, 1::2] = truth[:, ::2] * [-1, 1, 1]  # a symmetric person
    swapped = truth[:, np.arange(12) ^ 1]
    assert (pa_mpjpe_mm(swapped, truth, everywhere(truth)).mean(axis=1) > 100).all()


@given(
    seed=st.integers(0, 500),
    scale=st.floats(0.1, 10),
    vector=st.tuples(*[st.floats(-3, 3)] * 3),
    shift=st.tuples(*[st.floats(-5, 5)] * 3),
)
@settings(max_examples=25, deadline=None)
def test_what_each_error_forgives(seed: int, scale: float, vector: tuple[float, ...], shift: tuple[float, ...]) -> None:
    truth, estimate = body(seed), body(seed) + 0.1 * body(seed + 1)
    mask = np.random.default_rng(seed).random(truth.shape[:2]) > 0.2
    mask[:, list(HIPS)] = True
    similar = scale * estimate @ Rotation.from_rotvec(vector).as_matrix().T + np.array(shift)
    np.testing.assert_allclose(pa_mpjpe_mm(similar, truth, mask), pa_mpjpe_mm(estimate, truth, mask), atol=1e-6)
    np.testing.assert_allclose(
        n_mpjpe_mm(scale * estimate + np.array(shift), truth, mask, HIPS),
        n_mpjpe_mm(estimate, truth, mask, HIPS),
        atol=1e-6,
    )
    np.testing.assert_allclose(
        root_mpjpe_mm(estimate + np.array(shift), truth, mask, HIPS),
        root_mpjpe_mm(estimate, truth, mask, HIPS),
        atol=1e-6,
    )


def test_errors_only_shrink_as_more_is_forgiven() -> None:
    """In the least-squares sense in which they are fitted, over the same frames."""
    truth, estimate = body(3), body(3) + 0.2 * body(4)
    mask = everywhere(truth)

    def rms(errors: np.ndarray) -> np.ndarray:
        return np.sqrt((errors**2).mean(axis=1))

    root, scaled = root_mpjpe_mm(estimate, truth, mask, HIPS), n_mpjpe_mm(estimate, truth, mask, HIPS)
    assert (rms(scaled) <= rms(root) + 1e-9).all()
    assert (rms(pa_mpjpe_mm(estimate, truth, mask)) <= rms(scaled) + 1e-9).all()


def test_velocity_error_uses_the_actual_intervals() -> None:
    truth = np.repeat(body(frames=1), 4, axis=0)
    estimate = truth.copy()
    estimate[:, WRIST, 0] += [0.0, 0.01, 0.01, 0.04]
    uneven = np.array([0.0, 0.02, 0.04, 0.07])
    error = mpjve_mm_per_s(estimate, truth, everywhere(truth), uneven, HIPS)
    assert error.shape == (3, 12)
    np.testing.assert_allclose(error[:, WRIST], [500, 0, 1000], atol=1e-9)
    np.testing.assert_allclose(np.delete(error, WRIST, axis=1), 0, atol=1e-9)


def test_velocity_error_does_not_bridge_gaps() -> None:
    truth, estimate = body(5, frames=6), body(6, frames=6)
    mask = everywhere(truth)
    mask[2, WRIST] = False
    gap = np.array([0.0, 0.02, 0.04, 0.06, 0.10, 0.12])
    counted = np.isfinite(mpjve_mm_per_s(estimate, truth, mask, gap, HIPS))
    assert counted[:, 0].tolist() == [True, True, True, False, True]
    assert counted[:, WRIST].tolist() == [True, False, False, False, True]


def test_velocity_error_per_second_does_not_depend_on_the_rate() -> None:
    def error(rate_hz: float) -> float:
        t = np.arange(0, 1, 1 / rate_hz)
        truth = np.repeat(body(frames=1), len(t), axis=0)
        estimate = truth.copy()
        estimate[:, WRIST, 1] += 0.3 * t
        return float(np.nanmean(mpjve_mm_per_s(estimate, truth, everywhere(truth), t, HIPS)[:, WRIST]))

    assert error(30) == pytest.approx(300)
    assert error(100) == pytest.approx(300)


def test_one_frame_and_no_frame_have_no_velocity() -> None:
    for frames in (0, 1):
        truth = body(frames=frames)
        assert mpjve_mm_per_s(truth, truth, everywhere(truth), times(frames), HIPS).shape == (0, 12)


CENTRED: list[Callable[..., np.ndarray]] = [root_mpjpe_mm, n_mpjpe_mm]


def test_only_cells_in_the_mask_and_there_in_both_are_counted() -> None:
    truth, estimate = body(7), body(8)
    mask = np.random.default_rng(9).random(truth.shape[:2]) > 0.3
    mask[:, list(HIPS)] = True
    estimate[1, WRIST] = np.nan
    truth[2, WRIST] = np.nan
    expected = mask.copy()
    expected[[1, 2], WRIST] = False
    np.testing.assert_array_equal(np.isfinite(mpjpe_mm(estimate, truth, mask)), expected)
    np.testing.assert_array_equal(np.isfinite(pa_mpjpe_mm(estimate, truth, mask)), expected)
    for error in CENTRED:
        np.testing.assert_array_equal(np.isfinite(error(estimate, truth, mask, HIPS)), expected)


def test_a_frame_without_a_hip_has_no_centre() -> None:
    truth, estimate = body(10), body(11)
    mask = everywhere(truth)
    mask[3, HIPS[1]] = False
    for error in CENTRED:
        assert np.isnan(error(estimate, truth, mask, HIPS)[3]).all()
    assert np.isfinite(mpjpe_mm(estimate, truth, mask)[3]).sum() == 11
    assert np.isnan(mpjve_mm_per_s(estimate, truth, mask, times(), HIPS)[2:4]).all()


def test_wrong_shapes_are_refused() -> None:
    truth = body()
    with pytest.raises(InputError, match="estimate"):
        mpjpe_mm(truth[..., :2], truth[..., :2], everywhere(truth))
    with pytest.raises(InputError, match=r"times_s.*\(6,\)"):
        mpjve_mm_per_s(truth, truth, everywhere(truth), times(6), HIPS)
