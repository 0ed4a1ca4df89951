"""The lag between two clocks: known shifts, gaps, several curves at once."""

from __future__ import annotations

import numpy as np
import pytest

from gonio.comparison.time_lag import Lag, best_lag, shifted, shifted_curve, shifted_positions, shifts
from gonio.core.errors import InputError

TIMES = np.arange(0, 1, 0.05)
TRUE = np.sin(np.linspace(0, 5, 120)) * 40 + np.sin(np.linspace(0, 17, 120)) * 9


def at(found: Lag, lag: int) -> float:
    return float(found.errors[lag + len(found.errors) // 2])


@pytest.mark.parametrize("lag", [-15, -4, 0, 1, 9, 15])
def test_a_known_lag_is_found_whatever_the_bias(lag: int) -> None:
    later = shifted(TRUE, -lag) + 7.0  # what the reference shows at i, the estimate shows at i + lag
    found = best_lag(later, TRUE, max_lag=15)
    assert found.frames == lag
    assert at(found, lag) == pytest.approx(0, abs=1e-12)
    np.testing.assert_allclose(shifted(later, lag)[20:100], TRUE[20:100] + 7.0)


def test_the_error_of_every_lag_is_the_bias_free_rmse_over_the_overlap() -> None:
    rng = np.random.default_rng(0)
    noisy = shifted(TRUE, -2) + rng.normal(0, 1, len(TRUE)) + 3
    noisy[40:44] = np.nan
    found = best_lag(noisy, TRUE, max_lag=5)
    for lag in range(-5, 6):
        difference = shifted(noisy, lag) - TRUE
        assert at(found, lag) == pytest.approx(np.nanstd(difference))
    assert found.frames == 2
    assert len(found.errors) == 11


def test_one_lag_for_several_curves_each_less_its_own_bias() -> None:
    curves = np.stack([TRUE, TRUE[::-1], np.full(120, np.nan)], axis=1)
    estimate = shifted(curves, 3) + np.array([5.0, -8.0, 0.0])
    found = best_lag(estimate, curves, max_lag=6)
    assert found.frames == -3
    assert at(found, -3) == pytest.approx(0, abs=1e-12)


def test_of_lags_that_fit_alike_the_shortest_is_taken() -> None:
    flat = np.full(50, 3.0)
    assert best_lag(flat, flat + 1, max_lag=10).frames == 0


def test_a_lag_at_which_little_overlaps_is_not_considered() -> None:
    estimate, reference = np.full(30, np.nan), np.linspace(0, 1, 30)
    estimate[:10] = reference[20:] ** 2
    found = best_lag(estimate, reference, max_lag=20)
    assert np.isnan(at(found, 9))  # one sample would overlap, and fit perfectly
    assert np.isfinite(at(found, 0))


def test_shifts_are_the_shifted_curves() -> None:
    every = shifts(TRUE, 4)
    for lag in range(-4, 5):
        np.testing.assert_array_equal(every[lag + 4], shifted(TRUE, lag))
    assert np.isnan(shifted(TRUE, 500)).all()


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(InputError, match=r"\(120,\) and \(119,\)"):
        best_lag(TRUE, TRUE[1:], max_lag=3)
    with pytest.raises(InputError, match="frame"):
        best_lag(np.full(120, np.nan), TRUE, max_lag=3)
    with pytest.raises(InputError, match="0"):
        best_lag(TRUE, TRUE, max_lag=-1)


def test_a_curve_read_later() -> None:
    moved = shifted_curve(10 * TIMES, TIMES, 0.1)
    np.testing.assert_allclose(moved[:-2], 10 * TIMES[2:])
    assert np.isnan(moved[-2:]).all()


def test_positions_off_the_mask_are_missing() -> None:
    positions = np.repeat(TIMES[:, None, None], 2, axis=1) * np.array([1.0, 2.0, 3.0])
    mask = np.ones((len(TIMES), 2), dtype=bool)
    mask[:, 1] = False
    moved = shifted_positions(positions, mask, TIMES, -0.1)
    np.testing.assert_allclose(moved[2:, 0], positions[:-2, 0], atol=1e-12)
    assert np.isnan(moved[:2]).all()
    assert np.isnan(moved[:, 1]).all()
