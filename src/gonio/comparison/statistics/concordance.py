"""Concordance of two methods: Lin's coefficient, and Deming's line where both methods err.

How to read them. Lin's concordance is 1 only if both methods give the same values; a bias, another scale and scatter
all lower it. Like every correlation it is high if the people differ much. Deming's line separates the disagreement: an
intercept other than 0 is a constant error, a slope other than 1 an error that grows with the movement.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import special

from gonio.comparison.statistics.generalised_intervals import agreement_interval
from gonio.comparison.statistics.interpretation import (
    interpret,
    interval_or_note,
    interval_phrase,
    note_phrase,
    unit_phrase,
)
from gonio.comparison.statistics.intervals import NO_SPREAD_NOTE, TOO_FEW_NOTE, TOO_FEW_SUBJECTS, Interval, check_level
from gonio.comparison.statistics.subjects import CONSTANT, Pairs, is_constant, one_way, pairs
from gonio.core.arrays import FloatArray
from gonio.core.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Concordance:
    """Lin's concordance, -1..1; NaN if a side does not vary. With no interval, `note` says why."""

    value: float
    interval: Interval | None
    n: int
    n_subjects: int
    n_dropped: int
    note: str


@dataclass(frozen=True, kw_only=True)
class Deming:
    """The line estimate = intercept + slope * reference; NaN if it does not exist. Intervals as elsewhere."""

    slope: float
    intercept: float
    slope_interval: Interval | None
    intercept_interval: Interval | None
    ratio: float
    n: int
    n_subjects: int
    n_dropped: int
    note: str


@interpret.register
def _(figure: Concordance, *, population: str, unit: str = "") -> str:
    if math.isnan(figure.value):
        return f"In {population}, the concordance does not exist: {figure.note}."
    return (
        f"In {population}, the concordance of the method with the reference is {figure.value:z.2f}"
        f"{interval_phrase(figure.interval, 2)}; 1 is identity. It is lower in people who differ less"
        f"{note_phrase(figure.note)}."
    )


@interpret.register
def _(figure: Deming, *, population: str, unit: str = "") -> str:
    if math.isnan(figure.slope):
        return f"In {population}, Deming's line does not exist: {figure.note}."
    unit = unit_phrase(unit)
    return (
        f"In {population}, a change of 10{unit} by the reference is {10 * figure.slope:z.1f}{unit} by the method "
        f"(slope {figure.slope:z.2f}; {interval_or_note(figure.slope_interval, figure.note, 2)})."
    )


def lin_ccc(
    estimate: FloatArray, reference: FloatArray, subjects: object = None, *, level: float = 0.95
) -> Concordance:
    """Lin's concordance of (n,) estimates and (n,) references; NaN pairs are dropped and counted.

    The value is Lin's (1989, Biometrics 45:255-268), variances over n, over all pairs. With one pair of each subject
    the interval is his, by Fisher's z (variance as corrected in 2000, Biometrics 56:324-325); with several it is
    `agreement_interval`'s, by subject.

    Raises `InputError` for unequal shapes or fewer than 3 pairs.
    """
    check_level(level)
    data = pairs(estimate, reference, subjects, least=3)
    a, b = data.estimate - data.reference.mean(), data.reference - data.reference.mean()
    value, interval, note = float("nan"), None, ""
    if is_constant(data.estimate) or is_constant(data.reference):
        note = NO_SPREAD_NOTE
    else:
        covariance = float(np.mean((a - a.mean()) * b))
        value = 2 * covariance / float(a.var() + b.var() + a.mean() ** 2)
        if data.n_subjects < TOO_FEW_SUBJECTS:
            note = TOO_FEW_NOTE
        elif data.n_subjects < data.n:
            both = np.stack([(a + b) / 2, a - b], axis=1)
            interval = agreement_interval(one_way(both, data.subject), absolute=True, level=level)
        elif covariance == 0 or 1 - abs(value) < CONSTANT:
            note = "no interval where the methods are the same, opposite or unrelated"
        else:
            interval = _fisher(value, a, b, level)
    return Concordance(
        value=value, interval=interval, n=data.n, n_subjects=data.n_subjects, n_dropped=data.n_dropped, note=note
    )


def _fisher(value: float, a: FloatArray, b: FloatArray, level: float) -> Interval:
    r = float(np.corrcoef(a, b)[0, 1])
    shift = float((a.mean() - b.mean()) ** 2 / (a.std() * b.std()))  # u squared
    variance = (
        (1 - r**2) * value**2 / ((1 - value**2) * r**2)
        + 2 * value**3 * (1 - value) * shift / (r * (1 - value**2) ** 2)
        - value**4 * shift**2 / (2 * r**2 * (1 - value**2) ** 2)
    ) / (len(a) - 2)
    half = special.ndtri((1 + level) / 2) * np.sqrt(max(variance, 0.0))
    low, high = np.tanh(np.arctanh(value) + np.array([-half, half]))
    return Interval(float(low), float(high), level, "Fisher's z")


def deming(
    estimate: FloatArray,
    reference: FloatArray,
    *,
    ratio: float = 1.0,
    subjects: object = None,
    level: float = 0.95,
) -> Deming:
    """The line through (n,) estimates over (n,) references where both err (Deming 1943; Linnet 1993, Clin Chem 39:424).

    ratio       variance of the estimate's error over that of the reference's; 1: orthogonal
    subjects    (n,) labels, or None: each pair is of a subject of its own

    Intervals by the jackknife (Linnet 1990, Stat Med 9:1463-1473), leaving out one subject at a time, with Student's t
    of subjects - 2. Raises `InputError` for unequal shapes, fewer than 3 pairs or a ratio that is not positive.
    """
    check_level(level)
    if not 0 < ratio < float("inf"):
        raise InputError(f"ratio is {ratio}; give the variance of the estimate's error over that of the reference's")
    data = pairs(estimate, reference, subjects, least=3)
    slope = intercept = float("nan")
    slope_interval = intercept_interval = None
    note = ""
    if is_constant(data.reference):
        note = "the reference does not vary"
    else:
        sums = _sums(data)
        whole = sums.sum(axis=0)
        # the sums are about both means, (x, y), where an intercept is 0 + y - slope x
        slope, _ = (float(v) for v in _line(whole, ratio))
        x, y = float(data.reference.mean()), float(data.estimate.mean())
        intercept = y - slope * x
        if np.isnan(slope):
            note = "the estimate does not vary with the reference"
        elif data.n_subjects < TOO_FEW_SUBJECTS:
            note = TOO_FEW_NOTE
        else:
            slopes, intercepts = _line(whole - sums, ratio)
            slope_interval = _jackknife(slope, slopes, level)
            intercept_interval = _jackknife(intercept, intercepts + y - slopes * x, level)
            if slope_interval is None:
                note = "the line depends on one subject: without it there is none"
    return Deming(
        slope=slope,
        intercept=intercept,
        slope_interval=slope_interval,
        intercept_interval=intercept_interval,
        ratio=ratio,
        n=data.n,
        n_subjects=data.n_subjects,
        n_dropped=data.n_dropped,
        note=note,
    )


def _sums(data: Pairs) -> FloatArray:
    """(subjects, 6): n, x, y, xx, yy, xy of each subject, about the means so that no digits are lost."""
    x, y = data.reference - data.reference.mean(), data.estimate - data.estimate.mean()
    sums = np.zeros((data.n_subjects, 6))
    np.add.at(sums, data.subject, np.stack([np.ones_like(x), x, y, x * x, y * y, x * y], axis=1))
    return sums


def _line(sums: FloatArray, ratio: float) -> tuple[FloatArray, FloatArray]:
    """Slopes and intercepts (...,) of sums (..., 6); NaN if x and y do not vary together."""
    n, x, y, xx, yy, xy = np.moveaxis(sums, -1, 0)
    sxx, syy, sxy = xx - x * x / n, yy - y * y / n, xy - x * y / n
    excess = syy - ratio * sxx
    together = np.abs(sxy) > CONSTANT * np.sqrt(np.abs(sxx * syy))
    root = np.sqrt(excess**2 + 4 * ratio * sxy**2)
    slope = np.where(together, (excess + root) / np.where(together, 2 * sxy, 1.0), np.nan)
    return slope, y / n - slope * x / n


def _jackknife(value: float, without: FloatArray, level: float) -> Interval | None:
    if not np.isfinite(without).all():
        return None
    k = len(without)
    error = np.sqrt((k - 1) / k * np.sum((without - without.mean()) ** 2))
    half = float(special.stdtrit(k - 2, (1 + level) / 2) * error)
    return Interval(value - half, value + half, level, "jackknife by subject, Student's t")
