"""Curves whose error, bias and correlation are known, and parity with numpy's own correlation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gonio.comparison.agreement import bias, peak_differences, pearson_r, rmse
from gonio.core.errors import InputError

TIMES = np.arange(0, 4, 0.02)
SPANS = np.array([[0.0, 2.0], [2.0, 4.0]])
FLEXION = 60 * np.sin(np.pi * TIMES / 2) ** 2
WAVE = np.sin(np.linspace(0, 6, 100)) * 40 + 60


def test_a_constant_offset_is_all_bias() -> None:
    assert rmse(WAVE + 3, WAVE) == pytest.approx(3)
    assert bias(WAVE + 3, WAVE) == pytest.approx(3)
    assert bias(WAVE - 3, WAVE) == pytest.approx(-3)
    assert pearson_r(WAVE + 3, WAVE) == pytest.approx(1)


def test_half_of_every_movement_correlates_perfectly() -> None:
    assert pearson_r(WAVE / 2, WAVE) == pytest.approx(1)
    assert pearson_r(-WAVE, WAVE) == pytest.approx(-1)
    assert rmse(WAVE / 2, WAVE) == pytest.approx(np.sqrt(np.mean((WAVE / 2) ** 2)))


@given(st.integers(0, 1000), st.floats(-50, 50))
@settings(max_examples=20, deadline=None)
def test_rmse_holds_bias_and_the_rest(seed: int, offset: float) -> None:
    noise = np.random.default_rng(seed).normal(size=100)
    estimate = WAVE + offset + noise
    rest = rmse(estimate - bias(estimate, WAVE), WAVE)
    assert rmse(estimate, WAVE) ** 2 == pytest.approx(bias(estimate, WAVE) ** 2 + rest**2)
    assert pearson_r(estimate, WAVE) == pytest.approx(np.corrcoef(estimate, WAVE)[0, 1])


def test_only_samples_that_both_have() -> None:
    estimate, reference = WAVE + 2, WAVE.copy()
    estimate[10:20] = np.nan
    reference[15:30] = np.nan
    estimate[40] = np.nan
    reference[41] = 1e6
    reference[41] = np.nan
    assert rmse(estimate, reference) == pytest.approx(2)
    assert bias(estimate, reference) == pytest.approx(2)
    assert pearson_r(estimate, reference) == pytest.approx(1)


@pytest.mark.parametrize("flat", [np.zeros(100), np.full(100, 12.3), 12.3 + 1e-12 * WAVE])
def test_a_constant_curve_has_no_correlation(flat: np.ndarray) -> None:
    assert np.isnan(pearson_r(flat, WAVE))
    assert np.isnan(pearson_r(WAVE, flat))
    assert np.isfinite(rmse(flat, WAVE))


def test_nothing_in_common_is_nan() -> None:
    nothing = np.full(100, np.nan)
    for statistic in (rmse, bias, pearson_r):
        assert np.isnan(statistic(nothing, WAVE))
        assert np.isnan(statistic(np.zeros(0), np.zeros(0)))


def test_one_sample_has_an_error_and_no_correlation() -> None:
    assert rmse(np.array([5.0]), np.array([2.0])) == 3
    assert np.isnan(pearson_r(np.array([5.0]), np.array([2.0])))


def test_curves_of_unequal_length_are_refused() -> None:
    with pytest.raises(InputError, match=r"\(100,\) and \(99,\)"):
        rmse(WAVE, WAVE[1:])


def test_peaks_forgive_a_delay_and_see_a_smaller_movement() -> None:
    late = 0.9 * 60 * np.sin(np.pi * (TIMES - 0.1) / 2) ** 2 + 2
    np.testing.assert_allclose(peak_differences(late, FLEXION, TIMES, SPANS), [-4, -4], atol=0.1)


def test_a_movement_downwards() -> None:
    np.testing.assert_allclose(peak_differences(170 - 1.1 * FLEXION, 170 - FLEXION, TIMES, SPANS), [-6, -6], atol=0.1)


def test_no_peak_without_movement_or_samples() -> None:
    still = np.full(len(TIMES), 30.0)
    assert len(peak_differences(FLEXION, still, TIMES, SPANS)) == 0
    gone = np.where(TIMES < 2, np.nan, FLEXION)
    assert len(peak_differences(gone, FLEXION, TIMES, SPANS)) == 1
