"""Limits of agreement against the papers' worked examples, poseaudit, pingouin, and studies whose truth is known."""

from __future__ import annotations

import numpy as np
import poseaudit.agreement
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from gonio.comparison.statistics.intervals import NO_SPREAD_NOTE, TOO_FEW_NOTE, Interval
from gonio.comparison.statistics.limits_of_agreement import (
    ACCEPTABLE_DEG,
    ACCEPTABLE_ORIGIN,
    AGREEMENT_Z,
    limits_of_agreement,
)
from gonio.core.errors import InputError

from .published import CARDIAC_SUBJECT, IC, MINI_WRIGHT, RV, WRIGHT


def ends(interval: Interval | None) -> tuple[float, float]:
    assert interval is not None
    return interval.low, interval.high


def test_bland_altman_1986_peak_flow() -> None:
    limits = limits_of_agreement(WRIGHT, MINI_WRIGHT)
    assert limits.bias == pytest.approx(-2.1, abs=0.05)
    assert limits.sd == pytest.approx(38.8, abs=0.05)
    # the paper takes 2 standard deviations: -79.7 and 75.5
    assert limits.bias - 2 * limits.sd == pytest.approx(-79.7, abs=0.06)
    assert limits.bias + 2 * limits.sd == pytest.approx(75.5, abs=0.1)
    assert ends(limits.bias_interval) == pytest.approx((-22.0, 17.8), abs=0.06)
    assert (limits.n, limits.n_subjects, limits.n_dropped, limits.note) == (17, 17, 0, "")


def test_bland_altman_2007_the_true_value_varies() -> None:
    limits = limits_of_agreement(RV, IC, CARDIAC_SUBJECT)
    assert limits.bias == pytest.approx(0.6021667, abs=1e-6)
    assert limits.sd == pytest.approx(0.99062408, abs=1e-6)
    assert limits.low == pytest.approx(-1.3394565, abs=1e-6)
    assert limits.high == pytest.approx(2.5437899, abs=1e-6)
    assert (limits.n, limits.n_subjects) == (60, 12)


def test_single_measurements_agree_with_poseaudit() -> None:
    limits = limits_of_agreement(WRIGHT, MINI_WRIGHT)
    low, high = poseaudit.agreement.limits(WRIGHT - MINI_WRIGHT)
    scale = poseaudit.agreement.Z95 / AGREEMENT_Z  # it takes 1.959964
    assert limits.bias - scale * AGREEMENT_Z * limits.sd == pytest.approx(low, abs=1e-6)
    assert limits.bias + scale * AGREEMENT_Z * limits.sd == pytest.approx(high, abs=1e-6)
    of_low, of_high = poseaudit.agreement.limits_exact_ci(WRIGHT - MINI_WRIGHT, z=AGREEMENT_Z)
    assert ends(limits.low_interval) == pytest.approx(of_low, abs=1e-6)
    assert ends(limits.high_interval) == pytest.approx(of_high, abs=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_repeated_measurements_agree_with_poseaudit(seed: int) -> None:
    generator = np.random.default_rng(seed)
    subject = np.repeat(np.arange(9), generator.integers(2, 8, 9))
    difference = 2 * generator.normal(size=9)[subject] + generator.normal(size=len(subject))
    limits = limits_of_agreement(difference + 40, np.full(len(subject), 40.0), subject)
    low, high = poseaudit.agreement.repeated_limits(difference, subject)
    assert limits.bias == pytest.approx((low + high) / 2, abs=1e-6)
    assert limits.sd == pytest.approx((high - low) / 2 / poseaudit.agreement.Z95, abs=1e-6)


def test_bias_and_spread_agree_with_pingouin_s_plot() -> None:
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    import pingouin

    axes = pingouin.plot_blandaltman(WRIGHT, MINI_WRIGHT, confidence=None)
    lines = sorted(float(line.get_ydata()[0]) for line in axes.get_lines() if len(set(line.get_ydata())) == 1)
    plt.close("all")
    limits = limits_of_agreement(WRIGHT, MINI_WRIGHT)
    assert {round(limits.low, 6), round(limits.bias, 6), round(limits.high, 6)} <= {round(y, 6) for y in lines}


def test_the_exact_interval_is_the_tolerance_factor() -> None:
    # NIST/SEMATECH e-Handbook 7.2.6.3, Natrella 1963: one-sided, 95 % of values with 95 % confidence: 2.911 for n = 10
    difference = np.random.default_rng(3).normal(size=10)
    limits = limits_of_agreement(difference, np.zeros(10), level=0.9)
    _, high = ends(limits.high_interval)
    factor = (high - limits.bias) / limits.sd
    expected = stats.nct.ppf(0.95, 9, 1.96 * np.sqrt(10)) / np.sqrt(10)
    assert factor == pytest.approx(expected)
    assert stats.nct.ppf(0.95, 9, stats.norm.ppf(0.95) * np.sqrt(10)) / np.sqrt(10) == pytest.approx(2.911, abs=5e-4)


def test_mover_written_out() -> None:
    """Zou 2013 for 8 subjects with 5 pairs each."""
    generator = np.random.default_rng(4)
    d = generator.normal(size=8)[:, None] * 2 + generator.normal(size=(8, 5)) + 1
    limits = limits_of_agreement(d.ravel(), np.zeros(40), np.repeat(np.arange(8), 5))
    of_means, within = d.mean(axis=1).var(ddof=1), d.var(axis=1, ddof=1).mean()
    total = of_means + 0.8 * within
    upper = total + np.hypot(
        of_means * (7 / stats.chi2.ppf(0.025, 7) - 1), 0.8 * within * (32 / stats.chi2.ppf(0.025, 32) - 1)
    )
    lower = total - np.hypot(
        of_means * (1 - 7 / stats.chi2.ppf(0.975, 7)), 0.8 * within * (1 - 32 / stats.chi2.ppf(0.975, 32))
    )
    z = stats.norm.ppf(0.975)
    half = 1.96 * np.sqrt(total)
    out = np.hypot(z * np.sqrt(of_means / 8), 1.96 * (np.sqrt(upper) - np.sqrt(total)))
    inward = np.hypot(z * np.sqrt(of_means / 8), 1.96 * (np.sqrt(total) - np.sqrt(lower)))
    assert ends(limits.high_interval) == pytest.approx((d.mean() + half - inward, d.mean() + half + out))
    assert ends(limits.low_interval) == pytest.approx((d.mean() - half - out, d.mean() - half + inward))
    t = stats.t.ppf(0.975, 7) * np.sqrt(of_means / 8)
    assert ends(limits.bias_interval) == pytest.approx((d.mean() - t, d.mean() + t))


def test_repeats_do_not_make_subjects() -> None:
    """The same eight people measured ten times over: the interval is theirs and not that of eighty."""
    d = np.array([1.0, -2, 3, 0, 2, -1, 4, 1])
    once = limits_of_agreement(d, np.zeros(8))
    subject = np.repeat(np.arange(8), 10)
    again = limits_of_agreement(np.repeat(d, 10), np.zeros(80), subject)
    assert ends(again.bias_interval) == pytest.approx(ends(once.bias_interval))
    assert again.sd == pytest.approx(once.sd)
    assert limits_of_agreement(np.repeat(d, 10), np.zeros(80)).sd < once.sd


@given(st.integers(0, 1000), st.floats(0.1, 50), st.floats(-100, 100))
@settings(max_examples=20, deadline=None)
def test_unit_and_offset(seed: int, scale: float, shift: float) -> None:
    generator = np.random.default_rng(seed)
    subject = np.repeat(np.arange(7), 3)
    a, b = generator.normal(size=(2, 21))
    plain = limits_of_agreement(a, b, subject)
    moved = limits_of_agreement(scale * a + shift, scale * b, subject)
    for name in ("bias_interval", "low_interval", "high_interval"):
        expected = np.array(ends(getattr(plain, name))) * scale + shift
        assert ends(getattr(moved, name)) == pytest.approx(expected, abs=1e-6 * (abs(shift) + scale))
    assert (moved.low, moved.high) == pytest.approx((plain.low * scale + shift, plain.high * scale + shift), abs=1e-6)
    swapped = limits_of_agreement(b, a, subject)
    assert (swapped.low, swapped.high) == pytest.approx((-plain.high, -plain.low))


def test_below_six_subjects_there_is_no_interval() -> None:
    subject = np.repeat(np.arange(5), 10)
    a = np.random.default_rng(0).normal(size=50)
    limits = limits_of_agreement(a, np.zeros(50), subject)
    assert limits.bias_interval is limits.low_interval is limits.high_interval is None
    assert limits.note == TOO_FEW_NOTE
    assert np.isfinite(limits.low)


def test_one_subject_has_the_limits_of_the_person() -> None:
    a = np.array([1.0, 2, 4, 1])
    limits = limits_of_agreement(a, np.zeros(4), ["p"] * 4)
    assert limits.sd == pytest.approx(a.std(ddof=1))
    assert limits.note == TOO_FEW_NOTE


def test_a_constant_difference_has_a_bias_and_no_interval() -> None:
    limits = limits_of_agreement(RV + 0.1, RV, CARDIAC_SUBJECT)
    assert (limits.low, limits.bias, limits.high) == pytest.approx((0.1, 0.1, 0.1))
    assert limits.bias_interval is None
    assert limits.note == NO_SPREAD_NOTE


def test_missing_pairs_are_counted() -> None:
    a = np.append(WRIGHT, [np.nan, 3.0])
    b = np.append(MINI_WRIGHT, [5.0, np.nan])
    limits = limits_of_agreement(a, b)
    assert (limits.n, limits.n_dropped) == (17, 2)
    assert limits.sd == pytest.approx(limits_of_agreement(WRIGHT, MINI_WRIGHT).sd)


def test_what_cannot_be_used_is_refused() -> None:
    with pytest.raises(InputError, match="2"):
        limits_of_agreement(np.zeros(1), np.zeros(1))
    with pytest.raises(InputError, match="level"):
        limits_of_agreement(RV, IC, level=95)


def test_the_lines_have_an_origin() -> None:
    assert set(ACCEPTABLE_DEG) == {2.0, 5.0}
    assert "McGinley" in ACCEPTABLE_ORIGIN


@pytest.mark.parametrize(("between", "within"), [(0.3, 1.0), (1.0, 1.0), (1.0, 0.3)])
def test_the_intervals_cover(between: float, within: float) -> None:
    """1000 studies of 8 subjects with 10 pairs; a true coverage of 95 % stays within 92.5..97.5 % but for 1 in 4000."""
    generator = np.random.default_rng(1)
    subject = np.repeat(np.arange(8), 10)
    truth = np.array([0.0, -1.0, 1.0]) * 1.96 * np.hypot(between, within)
    held = np.zeros(3)
    for _ in range(1000):
        d = between * generator.normal(size=8)[subject] + within * generator.normal(size=80)
        found = limits_of_agreement(d, np.zeros(80), subject)
        intervals = np.array([ends(i) for i in (found.bias_interval, found.low_interval, found.high_interval)])
        held += (intervals[:, 0] <= truth) & (truth <= intervals[:, 1])
    assert ((held > 925) & (held < 975)).all()
