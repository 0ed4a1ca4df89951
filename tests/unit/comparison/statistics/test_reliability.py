"""ICC against the papers' worked examples and pingouin; the error of one method; studies whose truth is known."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd
import pingouin
import poseaudit.agreement
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from gonio.comparison.statistics.intervals import NO_SPREAD_NOTE, TOO_FEW_NOTE, Interval
from gonio.comparison.statistics.reliability import icc, icc_agreement, within_session_error
from gonio.core.errors import InputError

from .published import CARDIAC_SUBJECT, IC, JUDGES, MINI_WRIGHT, RV, WRIGHT

Kind = Literal["2,1", "3,1"]
KINDS: tuple[Kind, Kind] = ("2,1", "3,1")


def ends(interval: Interval | None) -> tuple[float, float]:
    assert interval is not None
    return interval.low, interval.high


def test_shrout_and_fleiss_1979() -> None:
    absolute, consistent = icc(JUDGES), icc(JUDGES, kind="3,1")
    assert absolute.value == pytest.approx(0.29, abs=0.005)
    assert consistent.value == pytest.approx(0.71, abs=0.005)
    # the mean squares that the paper prints: 11.24 of targets, 32.49 of judges, 1.02 of error
    assert absolute.value == pytest.approx((11.24 - 1.02) / (11.24 + 3 * 1.02 + 4 * (32.49 - 1.02) / 6), abs=1e-3)
    # intervals by the formulas of McGraw & Wong 1996, as R's psych prints them for these data
    assert ends(absolute.interval) == pytest.approx((0.019, 0.761), abs=5e-4)
    assert ends(consistent.interval) == pytest.approx((0.342, 0.946), abs=5e-4)
    assert (absolute.n_targets, absolute.n_raters, absolute.note) == (6, 4, "")


def of_pingouin(table: np.ndarray, kind: str) -> tuple[float, float, float]:
    n, k = table.shape
    rows = pd.DataFrame(
        {"target": np.repeat(np.arange(n), k), "rater": np.tile(np.arange(k), n), "rating": table.ravel()}
    )
    found = pingouin.intraclass_corr(rows, "target", "rater", "rating")
    row = found[found["Type"] == ("ICC(A,1)" if kind == "2,1" else "ICC(C,1)")].iloc[0]
    low, high = row["CI95"]
    return float(row["ICC"]), float(low), float(high)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.filterwarnings("ignore:The inplace keyword in DataFrame.dropna")  # of pandas 3.1, in pingouin 0.7
def test_agrees_with_pingouin(kind: Kind, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(pingouin.options, "round.column.CI95", None)  # it rounds intervals to two digits otherwise
    generator = np.random.default_rng(seed)
    n, k = int(generator.integers(6, 30)), int(generator.integers(2, 5))
    table = 3 * generator.normal(size=(n, 1)) + generator.normal(size=(1, k)) + generator.normal(size=(n, k))
    found = icc(table, kind=kind)
    value, low, high = of_pingouin(table, kind)
    assert found.value == pytest.approx(value, abs=1e-6)
    assert ends(found.interval) == pytest.approx((low, high), abs=1e-6)
    assert poseaudit.agreement.icc_a1_table(table) == pytest.approx(icc(table).value, abs=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_two_methods_measured_once_are_two_raters(kind: Kind) -> None:
    table = np.column_stack([WRIGHT, MINI_WRIGHT])
    assert icc_agreement(WRIGHT, MINI_WRIGHT, kind=kind).value == pytest.approx(icc(table, kind=kind).value, abs=1e-12)


def test_consistency_of_two_methods_has_about_the_exact_interval() -> None:
    """Where methods are measured once and scatter alike, the generalised interval is the exact one of F."""
    generator = np.random.default_rng(5)
    true = 5 * generator.normal(size=30)
    a, b = true + generator.normal(size=30), true + generator.normal(size=30)
    exact = icc(np.column_stack([a, b]), kind="3,1")
    assert ends(icc_agreement(a, b, kind="3,1").interval) == pytest.approx(ends(exact.interval), abs=0.01)


def test_repeated_measurements_by_components() -> None:
    """The covariance of a value of a subject met at random, written out for subjects of equal size."""
    generator = np.random.default_rng(6)
    true = 4 * generator.normal(size=8)[:, None] + generator.normal(size=(8, 10))
    a, b = true + 1 + generator.normal(size=(8, 10)), true + generator.normal(size=(8, 10))
    means = np.cov(a.mean(axis=1), b.mean(axis=1))
    within = np.mean([np.cov(x, y) for x, y in zip(a, b, strict=True)], axis=0)
    (vx, c), (_, vy) = means + 0.9 * within
    d = (a - b).mean(axis=1)
    bias = d.mean() ** 2 - d.var(ddof=1) / 8
    subject = np.repeat(np.arange(8), 10)
    assert icc_agreement(a.ravel(), b.ravel(), subject).value == pytest.approx(2 * c / (vx + vy + bias))
    assert icc_agreement(a.ravel(), b.ravel(), subject, kind="3,1").value == pytest.approx(2 * c / (vx + vy))


def test_repeats_do_not_make_subjects() -> None:
    once = icc_agreement(WRIGHT, MINI_WRIGHT)
    subject = np.tile(np.arange(17), 10)
    again = icc_agreement(np.tile(WRIGHT, 10), np.tile(MINI_WRIGHT, 10), subject)
    assert again.value == pytest.approx(once.value)
    assert ends(again.interval) == pytest.approx(ends(once.interval), abs=1e-6)
    ignored = icc_agreement(np.tile(WRIGHT, 10), np.tile(MINI_WRIGHT, 10))
    assert np.diff(ends(ignored.interval)) < 0.5 * np.diff(ends(again.interval))


def test_cardiac_output() -> None:
    found = icc_agreement(RV, IC, CARDIAC_SUBJECT)
    assert (found.n_targets, found.n_raters, found.n_subjects) == (60, 2, 12)
    low, high = ends(found.interval)
    assert low < found.value < high
    assert found.interval is not None
    assert found.interval.how.startswith("generalised")
    assert found == icc_agreement(RV, IC, CARDIAC_SUBJECT)


@given(st.integers(0, 1000), st.floats(0.1, 50), st.floats(-100, 100))
@settings(max_examples=15, deadline=None)
def test_unit_offset_and_order(seed: int, scale: float, shift: float) -> None:
    generator = np.random.default_rng(seed)
    subject = np.repeat(np.arange(7), 3)
    true = 3 * generator.normal(size=7)[subject]
    a, b = true + generator.normal(size=21), true + generator.normal(size=21)
    for kind in KINDS:
        plain = icc_agreement(a, b, subject, kind=kind)
        moved = icc_agreement(scale * b + shift, scale * a + shift, subject, kind=kind)
        assert moved.value == pytest.approx(plain.value, abs=1e-6)
        assert ends(moved.interval) == pytest.approx(ends(plain.interval), abs=0.02)  # the draws of the bias turn sign
        assert icc(scale * np.c_[a, b] + shift, kind=kind).value == pytest.approx(icc(np.c_[b, a], kind=kind).value)
    assert icc_agreement(a + 5, b, subject, kind="3,1").value == pytest.approx(
        icc_agreement(a, b, subject, kind="3,1").value
    )


@pytest.mark.parametrize("kind", KINDS)
def test_perfect_agreement_is_one(kind: Kind) -> None:
    assert icc(np.column_stack([WRIGHT, WRIGHT]), kind=kind).value == pytest.approx(1)
    found = icc_agreement(RV, RV, CARDIAC_SUBJECT, kind=kind)
    assert found.value == pytest.approx(1)
    assert ends(found.interval) == pytest.approx((1, 1))


def test_a_constant_bias_counts_against_absolute_agreement_only() -> None:
    assert icc_agreement(RV + 2, RV, CARDIAC_SUBJECT, kind="3,1").value == pytest.approx(1)
    assert icc_agreement(RV + 2, RV, CARDIAC_SUBJECT).value < 0.6
    assert icc(np.column_stack([WRIGHT + 50, WRIGHT]), kind="3,1").note.endswith("constant only")


def test_no_icc_without_variation() -> None:
    flat, other = np.full(8, 3.0), np.arange(8.0)
    for found in (icc(np.full((8, 2), 3.0)), icc_agreement(flat, flat), icc_agreement(flat, other)):
        assert np.isnan(found.value)
        assert found.interval is None
        assert found.note == NO_SPREAD_NOTE


def test_below_six_subjects_there_is_no_interval() -> None:
    for found in (icc(JUDGES[:5]), icc_agreement(RV, IC, np.repeat(np.arange(5), 12)), icc_agreement(RV, IC, [1] * 60)):
        assert np.isfinite(found.value)
        assert found.interval is None
        assert found.note == TOO_FEW_NOTE


def test_missing_ratings_are_counted() -> None:
    table = np.vstack([JUDGES, [1, 2, np.nan, 3]])
    found = icc(table)
    assert found.n_dropped == 1
    assert found.value == icc(JUDGES).value
    assert icc_agreement(np.append(RV, np.nan), np.append(IC, 1), np.append(CARDIAC_SUBJECT, 3)).n_dropped == 1


def test_what_cannot_be_used_is_refused() -> None:
    with pytest.raises(InputError, match=r"\(6,\)"):
        icc(JUDGES[:, 0])
    with pytest.raises(InputError, match=r"^1 "):
        icc(JUDGES[:1])
    with pytest.raises(InputError, match="1,1"):
        icc(JUDGES, kind="1,1")  # type: ignore[arg-type]


def test_the_error_of_one_method() -> None:
    values = np.array([[10.0, 12], [20, 21], [30, 30], [15, 12], [22, 24], [8, 9]])
    found = within_session_error(values.ravel(), np.repeat(np.arange(6), 2))
    # for two values of each, the mean square within is the mean of half the squared differences (Dahlberg)
    square = np.mean((values[:, 0] - values[:, 1]) ** 2) / 2
    assert found.sem == pytest.approx(np.sqrt(square))
    assert found.mdc95 == pytest.approx(1.96 * np.sqrt(2 * square))
    low, high = ends(found.interval)
    assert low == pytest.approx(np.sqrt(6 * square / stats.chi2.ppf(0.975, 6)))
    assert high == pytest.approx(np.sqrt(6 * square / stats.chi2.ppf(0.025, 6)))
    assert ends(found.mdc95_interval) == pytest.approx((1.96 * np.sqrt(2) * low, 1.96 * np.sqrt(2) * high))
    assert (found.n, found.n_subjects, found.n_dropped, found.label) == (12, 6, 0, "within-session")


def test_the_error_takes_subjects_with_repetitions() -> None:
    found = within_session_error(np.array([1.0, 2, 7, np.nan, 5, 5.5]), ["a", "a", "b", "b", "c", "c"])
    assert found.sem == pytest.approx(np.sqrt((0.5 + 0.125) / 2))
    assert (found.n, found.n_subjects, found.n_dropped) == (4, 2, 2)
    assert (found.interval, found.note) == (None, TOO_FEW_NOTE)
    with pytest.raises(InputError, match="subject"):
        within_session_error(np.arange(4.0), np.arange(4))
    constant = within_session_error(np.full(4, 2.0), [1, 1, 2, 2])
    assert np.isnan(constant.mdc95)
    assert constant.note == NO_SPREAD_NOTE


@pytest.mark.parametrize(("between", "own", "noise", "bias"), [(10, 3, 2, 3), (5, 5, 3, 0)])
def test_the_intervals_cover(between: float, own: float, noise: float, bias: float) -> None:
    """600 studies of 8 subjects with 10 pairs each; a true coverage of 95 % stays within 91.5..98.5 %."""
    generator = np.random.default_rng(2)
    subject = np.repeat(np.arange(8), 10)
    true_variance, error = between**2 + 9, own**2 + 2 * noise**2
    truth = {
        "2,1": 2 * true_variance / (2 * true_variance + error + bias**2),
        "3,1": 2 * true_variance / (2 * true_variance + error),
    }
    held = dict.fromkeys(KINDS, 0)
    for _ in range(600):
        true = between * generator.normal(size=8)[subject] + 3 * generator.normal(size=80)
        reference = true + noise * generator.normal(size=80)
        estimate = true + bias + own * generator.normal(size=8)[subject] + noise * generator.normal(size=80)
        for kind in KINDS:
            low, high = ends(icc_agreement(estimate, reference, subject, kind=kind).interval)
            held[kind] += low <= truth[kind] <= high
    assert all(549 < count < 591 for count in held.values()), held


def test_a_subject_without_any_value_is_left_out() -> None:
    error = within_session_error(np.array([1.0, 2.0, 1.5, 2.5, np.nan]), ["a", "a", "b", "b", "c"])
    assert (error.n, error.n_subjects, error.n_dropped) == (4, 2, 1)
