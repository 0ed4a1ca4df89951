"""Reliability: intraclass correlations, and the error of measurement of one method within a session.

How to read them. An ICC says how well people can be distinguished: the share of the variance of the values that comes
from differences between people and not from errors of measurement. It is high if people differ much, however large the
errors in degrees, and it says nothing about the follow-up of one patient. For that, the SEM is the error of one value
and the MDC95 the smallest change between two values that is more than error. Both come from repetitions of one method.
For the difference between two methods use the limits of agreement, not an SEM.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

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
from gonio.comparison.statistics.subjects import CONSTANT, is_constant, numbered, one_way, pairs
from gonio.core.arrays import FloatArray
from gonio.core.errors import InputError

Kind = Literal["2,1", "3,1"]
WITHIN_SESSION = "within-session"


@dataclass(frozen=True, kw_only=True)
class Reliability:
    """An intraclass correlation, at most 1; NaN if nothing varies, or one of two methods.

    kind        "2,1" absolute agreement: a bias between raters counts; "3,1" consistency: it does not
    interval    None if there is none; `note` says why
    n_targets   number of targets, or of pairs of values
    n_raters    raters, or methods
    n_subjects  subjects of the targets
    n_dropped   targets left out because a rating is missing
    """

    value: float
    interval: Interval | None
    kind: Kind
    n_targets: int
    n_raters: int
    n_subjects: int
    n_dropped: int
    note: str


@dataclass(frozen=True, kw_only=True)
class MeasurementError:
    """The error of one value of one method, in the unit of the values.

    sem, mdc95                  standard error of measurement; least change of 95 % certainty, 1.96 sqrt(2) SEM
    interval, mdc95_interval    None if there is none; `note` says why
    n, n_subjects               values of subjects with two or more, and these subjects
    n_dropped                   values that are missing (NaN) or the only one of their subject
    label                       what it holds for: "within-session"
    """

    sem: float
    mdc95: float
    interval: Interval | None
    mdc95_interval: Interval | None
    n: int
    n_subjects: int
    n_dropped: int
    label: str
    note: str


@interpret.register
def _(figure: Reliability, *, population: str, unit: str = "") -> str:
    if math.isnan(figure.value):
        return f"In {population}, the ICC({figure.kind}) does not exist: {figure.note}."
    what = "give the same values" if figure.kind == "2,1" else "give the same values, a constant bias apart,"
    return (
        f"In {population}, measurements {what} with ICC({figure.kind}) {figure.value:z.2f}"
        f"{interval_phrase(figure.interval, 2)}: {_strength(figure)} reliability in distinguishing these people; "
        f"it is lower in people who differ less{note_phrase(figure.note)}."
    )


def _strength(figure: Reliability) -> str:
    """Koo & Li 2016, J Chiropr Med 15:155-163: by the interval where there is one, from its low to its high end."""
    ends = (figure.interval.low, figure.interval.high) if figure.interval else (figure.value,)
    words = [
        "poor" if end < 0.5 else "moderate" if end < 0.75 else "good" if end < 0.9 else "excellent" for end in ends
    ]
    return " to ".join(dict.fromkeys(words))


@interpret.register
def _(figure: MeasurementError, *, population: str, unit: str = "") -> str:
    if math.isnan(figure.sem):
        return f"In {population}, the {figure.label} error of measurement does not exist: {figure.note}."
    unit = unit_phrase(unit)
    interval = interval_or_note(figure.interval, figure.note)
    return (
        f"In {population}, one value of this method is uncertain by {figure.sem:.1f}{unit} (SEM, {figure.label}; "
        f"{interval}): a change of less than {figure.mdc95:.1f}{unit} (MDC95) can be error."
    )


def icc(ratings: FloatArray, *, kind: Kind = "2,1", level: float = 0.95) -> Reliability:
    """ICC(2,1) or ICC(3,1) of ratings (targets, raters); targets with a missing rating are dropped and counted.

    Shrout & Fleiss 1979, Psychol Bull 86:420-428; in McGraw & Wong 1996, Psychol Methods 1:30-46, ICC(A,1) and
    ICC(C,1). Intervals by F: exact for "3,1", with Satterthwaite's degrees of freedom for "2,1". Each target counts as
    a subject of its own: for repetitions of the same people see `icc_agreement`.

    Raises `InputError` for anything but a table of two targets and two raters or more.
    """
    check_level(level)
    _check_kind(kind)
    table = np.asarray(ratings, dtype=np.float64)
    if table.ndim != 2 or table.shape[1] < 2:
        raise InputError(f"ratings are a table of targets by two or more raters; this is {table.shape}")
    whole = np.isfinite(table).all(axis=1)
    n_dropped = int((~whole).sum())
    table = table[whole]
    n, k = table.shape
    if n < 2:
        raise InputError(f"{n} targets have all ratings, 2 are needed; give more targets")
    centred = table - table.mean()
    of_targets, of_raters = centred.mean(axis=1), centred.mean(axis=0)
    rest = centred - of_targets[:, None] - of_raters
    ms_targets = k * float(of_targets @ of_targets) / (n - 1)
    ms_raters = n * float(of_raters @ of_raters) / (k - 1)
    ms_error = float((rest**2).sum()) / ((n - 1) * (k - 1))
    excess = k * (ms_raters - ms_error) / n if kind == "2,1" else 0.0
    value, interval, note = float("nan"), None, ""
    if is_constant(table):
        note = NO_SPREAD_NOTE
    else:
        value = (ms_targets - ms_error) / (ms_targets + (k - 1) * ms_error + excess)
        if n < TOO_FEW_SUBJECTS:
            note = TOO_FEW_NOTE
        elif float(np.abs(rest).max()) <= CONSTANT * float(np.abs(table).max()):
            note = "the raters differ by a constant only"
        elif kind == "3,1":
            interval = _consistency_interval(ms_targets / ms_error, n, k, level)
        else:
            interval = _absolute_interval(ms_targets, ms_raters, ms_error, value, n, k, level)
    return Reliability(
        value=value, interval=interval, kind=kind, n_targets=n, n_raters=k, n_subjects=n, n_dropped=n_dropped, note=note
    )


def icc_agreement(
    estimate: FloatArray,
    reference: FloatArray,
    subjects: object = None,
    *,
    kind: Kind = "2,1",
    level: float | None = 0.95,
) -> Reliability:
    """The ICC of two methods, (n,) estimates and (n,) references, with one or several pairs of each subject.

    subjects    (n,) labels, or None: each pair is of a subject of its own; the value is then that of `icc`
    level       of the interval; None: without one

    The methods are those compared, not a sample of methods (McGraw & Wong 1996, case 3A): with C the covariance of
    (estimate, reference) over pairs of subjects met at random, between subjects plus within, and b their bias,

        ICC(2,1) = 2 C12 / (C11 + C22 + b^2)      ICC(3,1) = 2 C12 / (C11 + C22)

    where b^2 is lessened by the variance of the bias and every subject counts alike. The interval is that of
    `agreement_interval`, by subject. The value is not that of a table of all pairs as if each were another person: such
    a table takes too little of the variance between few subjects.

    Raises `InputError` for unequal shapes or fewer than 2 pairs.
    """
    if level is not None:
        check_level(level)
    _check_kind(kind)
    data = pairs(estimate, reference, subjects)
    centre = float(data.reference.mean())
    both = np.stack([(data.estimate + data.reference) / 2 - centre, data.difference], axis=1)
    analysis = one_way(both, data.subject)
    value, interval, note = float("nan"), None, ""
    if is_constant(data.estimate) or is_constant(data.reference):
        note = NO_SPREAD_NOTE
    else:
        (mean, _), (_, difference) = analysis.total_by_means
        bias_squared = analysis.mean_of_means[1] ** 2 - analysis.of_means[1, 1] / data.n_subjects
        if kind == "3,1":
            bias_squared = 0.0
        value = float((mean - difference / 4) / (mean + difference / 4 + bias_squared / 2))
        if data.n_subjects < TOO_FEW_SUBJECTS:
            note = TOO_FEW_NOTE
        elif level is not None:
            interval = agreement_interval(analysis, absolute=kind == "2,1", level=level)
    return Reliability(
        value=value,
        interval=interval,
        kind=kind,
        n_targets=data.n,
        n_raters=2,
        n_subjects=data.n_subjects,
        n_dropped=data.n_dropped,
        note=note,
    )


def within_session_error(values: FloatArray, subjects: object, *, level: float = 0.95) -> MeasurementError:
    """SEM and MDC95 of one method from its repetitions: (n,) values and their subjects, (n,).

    SEM is the root of the mean square within subjects (Bland & Altman 1996, BMJ 313:744; Weir 2005, J Strength Cond
    Res 19:231-240), MDC95 = 1.96 sqrt(2) SEM. It contains the differences between repetitions: the method's noise
    and the person's own variation, but not those of a second visit or a second assessor. Intervals by chi-square.

    Raises `InputError` for unequal shapes or where no subject has two values.
    """
    check_level(level)
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1:
        raise InputError(f"repetitions are a list of values; these are {array.shape}")
    owner, n_owners = numbered(subjects, len(array))
    finite = np.isfinite(array)
    counts = np.bincount(owner[finite], minlength=n_owners)
    repeated = finite & (counts[owner] > 1)
    kept = array[repeated]
    if len(kept) == 0:
        raise InputError("no subject has two values; the error of a method needs repetitions")
    owner, n_subjects = numbered(owner[repeated], len(kept))
    analysis = one_way(kept[:, None], owner)
    sem, df = math.sqrt(float(analysis.within[0, 0])), analysis.df_within
    factor = 1.96 * math.sqrt(2)
    interval = mdc95_interval = None
    note = ""
    if is_constant(kept):
        sem, note = float("nan"), NO_SPREAD_NOTE
    elif n_subjects < TOO_FEW_SUBJECTS:
        note = TOO_FEW_NOTE
    else:
        low, high = (sem * math.sqrt(df / special.chdtri(df, p)) for p in ((1 - level) / 2, (1 + level) / 2))
        interval = Interval(low, high, level, "exact (chi-square)")
        mdc95_interval = Interval(factor * low, factor * high, level, "exact (chi-square)")
    return MeasurementError(
        sem=sem,
        mdc95=factor * sem,
        interval=interval,
        mdc95_interval=mdc95_interval,
        n=len(kept),
        n_subjects=n_subjects,
        n_dropped=len(array) - len(kept),
        label=WITHIN_SESSION,
        note=note,
    )


def _check_kind(kind: str) -> None:
    if kind not in ("2,1", "3,1"):
        raise InputError(f"kind is {kind!r}; the kinds of ICC are '2,1' (absolute agreement) and '3,1' (consistency)")


def _consistency_interval(f: float, n: int, k: int, level: float) -> Interval:
    """McGraw & Wong 1996, table 7, ICC(C,1)."""
    df, df_error = n - 1, (n - 1) * (k - 1)
    low = f / special.fdtri(df, df_error, (1 + level) / 2)
    high = f * special.fdtri(df_error, df, (1 + level) / 2)
    return Interval(float((low - 1) / (low + k - 1)), float((high - 1) / (high + k - 1)), level, "exact (F)")


def _absolute_interval(
    ms_targets: float, ms_raters: float, ms_error: float, value: float, n: int, k: int, level: float
) -> Interval:
    """McGraw & Wong 1996, table 7, ICC(A,1); Shrout & Fleiss 1979 write the same with F of the raters."""
    # a and b times (1 - value), which leaves every formula as it is and holds where value is 1
    a, b = k * value / n, (1 - value) + k * value * (n - 1) / n
    of_raters, of_error = a * ms_raters, b * ms_error
    df = (of_raters + of_error) ** 2 / (of_raters**2 / (k - 1) + of_error**2 / ((n - 1) * (k - 1)))
    f_low = special.fdtri(n - 1, df, (1 + level) / 2)
    f_high = special.fdtri(df, n - 1, (1 + level) / 2)
    rest = k * ms_raters + (k * n - k - n) * ms_error
    low = n * (ms_targets - f_low * ms_error) / (f_low * rest + n * ms_targets)
    high = n * (f_high * ms_targets - ms_error) / (rest + n * f_high * ms_targets)
    return Interval(float(low), float(high), level, "F with Satterthwaite's degrees of freedom")
