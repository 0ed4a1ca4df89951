"""Lin's concordance and Deming's line against published output, poseaudit, numpy and scipy."""

from __future__ import annotations

import numpy as np
import poseaudit.agreement
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from gonio.comparison.statistics.concordance import deming, lin_ccc
from gonio.comparison.statistics.intervals import NO_SPREAD_NOTE, TOO_FEW_NOTE, Interval
from gonio.comparison.statistics.reliability import icc_agreement
from gonio.core.errors import InputError

from .published import CARDIAC_SUBJECT, IC, MINI_WRIGHT, RV, WRIGHT

# the example of NCSS's manual, chapter 303, with four times the variance in the reference's error
DEMING_X = np.array([7, 8.3, 10.5, 9, 5.1, 8.2, 10.2, 10.3, 7.1, 5.9])
DEMING_Y = np.array([7.9, 8.2, 9.6, 9, 6.5, 7.3, 10.2, 10.6, 6.3, 5.2])


def ends(interval: Interval | None) -> tuple[float, float]:
    assert interval is not None
    return interval.low, interval.high


def test_lin_written_out() -> None:
    """Lin 1989 with the variance of 2000, each term by itself, with n in the variances."""
    a, b = WRIGHT, MINI_WRIGHT
    found = lin_ccc(a, b)
    r = np.corrcoef(a, b)[0, 1]
    c = 2 * np.cov(a, b, bias=True)[0, 1] / (a.var() + b.var() + (a.mean() - b.mean()) ** 2)
    u = (a.mean() - b.mean()) / np.sqrt(a.std() * b.std())
    variance = (
        (1 - r**2) * c**2 / ((1 - c**2) * r**2)
        + 2 * c**3 * (1 - c) * u**2 / (r * (1 - c**2) ** 2)
        - c**4 * u**4 / (2 * r**2 * (1 - c**2) ** 2)
    ) / 15
    assert found.value == pytest.approx(c)
    half = stats.norm.ppf(0.975) * np.sqrt(variance)
    assert ends(found.interval) == pytest.approx((np.tanh(np.arctanh(c) - half), np.tanh(np.arctanh(c) + half)))
    assert found.value == pytest.approx(0.943, abs=5e-4)


def test_lin_on_published_pairs() -> None:
    """18 of the cardiac pairs, as R's SimplyAgree prints them: 0.4791, 95 % interval 0.1276 to 0.7237."""
    a = np.array([7.83, 7.42, 7.89, 7.12, 6.16, 7.26, 6.71, 4.75, 5.24, 4.86, 4.78, 6.05, 5.42, 4.21, 3.61, 3.72])
    b = np.array([6.57, 5.62, 6.90, 6.57, 4.06, 4.29, 4.26, 4.71, 5.50, 5.08, 5.02, 6.01, 5.67, 4.14, 4.20, 4.61])
    found = lin_ccc(np.append(a, [3.87, 3.92]), np.append(b, [4.68, 5.04]))
    assert found.value == pytest.approx(0.4791, abs=5e-5)
    assert ends(found.interval) == pytest.approx((0.1276, 0.7237), abs=5e-5)


@pytest.mark.parametrize("seed", range(4))
def test_agrees_with_poseaudit(seed: int) -> None:
    generator = np.random.default_rng(seed)
    truth = 10 * generator.normal(size=25)
    read = 0.8 * truth + 2 + generator.normal(size=25)
    assert lin_ccc(read, truth).value == pytest.approx(poseaudit.agreement.ccc(truth, read), abs=1e-6)
    for ratio in (0.5, 1.0, 4.0):
        slope = poseaudit.agreement.deming(truth, read, ratio)
        assert deming(read, truth, ratio=ratio).slope == pytest.approx(slope, abs=1e-6)


def test_repeated_pairs_have_an_interval_by_subject() -> None:
    found = lin_ccc(RV, IC, CARDIAC_SUBJECT)
    assert found.value == pytest.approx(lin_ccc(RV, IC).value)
    assert ends(found.interval) == pytest.approx(ends(icc_agreement(RV, IC, CARDIAC_SUBJECT).interval))
    assert np.diff(ends(found.interval)) > np.diff(ends(lin_ccc(RV, IC).interval))


@given(st.integers(0, 1000), st.floats(0.1, 50), st.floats(-100, 100))
@settings(max_examples=20, deadline=None)
def test_unit_offset_and_order(seed: int, scale: float, shift: float) -> None:
    generator = np.random.default_rng(seed)
    truth = 3 * generator.normal(size=12)
    read = truth + generator.normal(size=12)
    plain, moved = lin_ccc(read, truth), lin_ccc(scale * truth + shift, scale * read + shift)
    assert moved.value == pytest.approx(plain.value, abs=1e-6)
    assert ends(moved.interval) == pytest.approx(ends(plain.interval), abs=1e-6)
    line, back = deming(read, truth), deming(truth, read)
    assert back.slope == pytest.approx(1 / line.slope)
    bent = deming(scale * read + shift, scale * truth)
    assert bent.slope == pytest.approx(line.slope)
    assert ends(bent.slope_interval) == pytest.approx(ends(line.slope_interval))
    assert bent.intercept == pytest.approx(scale * line.intercept + shift, abs=1e-6)
    expected = np.array(ends(line.intercept_interval)) * scale + shift
    assert ends(bent.intercept_interval) == pytest.approx(expected, abs=1e-6)


def test_concordance_at_its_ends() -> None:
    same = lin_ccc(WRIGHT, WRIGHT)
    assert same.value == pytest.approx(1)
    assert same.interval is None
    assert "same" in same.note
    assert lin_ccc(-WRIGHT, WRIGHT - 2 * WRIGHT.mean()).value == pytest.approx(-1)
    assert np.isnan(lin_ccc(np.ones(9), np.ones(9)).value)
    assert lin_ccc(np.ones(9), np.ones(9)).note == NO_SPREAD_NOTE
    assert np.isnan(lin_ccc(np.ones(9), np.arange(9.0)).value)
    unrelated = lin_ccc(np.array([1.0, -1, 1, -1, 0, 0, 0]), np.array([1.0, 1, -1, -1, 0, 0, 0]))
    assert (unrelated.value, unrelated.interval) == (0, None)
    assert lin_ccc(RV, IC, np.repeat([1, 2, 3], 20)).note == TOO_FEW_NOTE


def test_deming_of_the_manual() -> None:
    """Published: slope 1.0012 (0.5696 to 1.4328), intercept -0.0897 (-4.0607 to 3.8812), jackknife, 8 degrees."""
    line = deming(DEMING_Y, DEMING_X, ratio=1 / 4)
    assert line.slope == pytest.approx(1.0012, abs=5e-5)
    assert ends(line.slope_interval) == pytest.approx((0.5696, 1.4328), abs=5e-5)
    assert line.intercept == pytest.approx(-0.0897, abs=5e-5)
    assert ends(line.intercept_interval) == pytest.approx((-4.0607, 3.8812), abs=5e-5)


def test_deming_of_equal_errors_is_the_first_principal_axis() -> None:
    line = deming(MINI_WRIGHT, WRIGHT)
    _, axes = np.linalg.eigh(np.cov(WRIGHT, MINI_WRIGHT))
    assert line.slope == pytest.approx(axes[1, 1] / axes[0, 1])
    assert line.intercept == pytest.approx(MINI_WRIGHT.mean() - line.slope * WRIGHT.mean())


def test_deming_with_an_exact_reference_nears_least_squares() -> None:
    line = deming(MINI_WRIGHT, WRIGHT, ratio=1e9)
    assert line.slope == pytest.approx(stats.linregress(WRIGHT, MINI_WRIGHT).slope, rel=1e-6)


def test_the_jackknife_leaves_out_whole_subjects() -> None:
    line = deming(RV, IC, subjects=CARDIAC_SUBJECT)
    others = [np.flatnonzero(CARDIAC_SUBJECT - subject) for subject in range(1, 13)]
    without = [deming(RV[rows], IC[rows]) for rows in others]
    for name in ("slope", "intercept"):
        values = np.array([getattr(w, name) for w in without])
        error = np.sqrt(11 / 12 * ((values - values.mean()) ** 2).sum())
        half = stats.t.ppf(0.975, 10) * error
        value = getattr(line, name)
        assert ends(getattr(line, f"{name}_interval")) == pytest.approx((value - half, value + half))
    assert line.n_subjects == 12


def test_no_line_without_variation() -> None:
    flat = deming(np.arange(9.0), np.ones(9))
    assert np.isnan(flat.slope)
    assert np.isnan(flat.intercept)
    assert "reference" in flat.note
    apart = deming(np.array([1.0, 1, 1, 1, 1, 1]), np.arange(6.0))
    assert np.isnan(apart.slope)
    assert "estimate" in apart.note
    assert deming(RV, IC, subjects=np.repeat([1, 2, 3], 20)).note == TOO_FEW_NOTE
    hangs = deming(np.array([0.0, 0, 0, 0, 0, 0, 5]), np.array([0.0, 1, -1, 1, -1, 0, 5]))
    assert hangs.slope_interval is hangs.intercept_interval is None
    assert "subject" in hangs.note


def test_what_cannot_be_used_is_refused() -> None:
    with pytest.raises(InputError, match="ratio"):
        deming(RV, IC, ratio=0)
    with pytest.raises(InputError, match="3"):
        lin_ccc(np.zeros(2), np.zeros(2))
