"""Bland and Altman's limits of agreement, with one or several measurements of each subject.

How to read them. Of a hundred new measurements of people like these, about 95 differ from the reference by something
between the two limits. A constant correction removes the bias, but not the width of the limits. Statistics do not
say whether the limits are narrow enough: `ACCEPTABLE_DEG` has the limits that reviews of gait used.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from gonio.comparison.statistics.interpretation import interpret, interval_phrase, note_phrase, unit_phrase
from gonio.comparison.statistics.intervals import NO_SPREAD_NOTE, TOO_FEW_NOTE, TOO_FEW_SUBJECTS, Interval, check_level
from gonio.comparison.statistics.subjects import OneWay, is_constant, one_way, pairs
from gonio.core.arrays import FloatArray

AGREEMENT_Z = 1.96  # standard deviations that hold 95 % of normal differences, as the papers take it

ACCEPTABLE_DEG = {
    2.0: "error of 2 degrees or less: likely to be considered acceptable",
    5.0: "error above 5 degrees: it can mislead a clinical interpretation; between 2 and 5 it needs consideration",
}
"""The limits 2 and 5 degrees come from a review of gait (`ACCEPTABLE_ORIGIN`) and do not hold for all movements."""
ACCEPTABLE_ORIGIN = "McGinley et al. 2009, Gait & Posture 29:360-369 (review of the reliability of 3D gait kinematics)"


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Bias and 95 % limits of agreement of estimate - reference, in the unit of the values.

    bias, sd                        mean and standard deviation of the differences
    low, high                       bias - 1.96 sd and bias + 1.96 sd
    bias_interval, low_interval,
    high_interval                   None if there is none; `note` says why
    n, n_subjects, n_dropped        pairs used, their subjects, pairs left out because a side is missing
    """

    bias: float
    sd: float
    low: float
    high: float
    bias_interval: Interval | None
    low_interval: Interval | None
    high_interval: Interval | None
    n: int
    n_subjects: int
    n_dropped: int
    note: str


@interpret.register
def _(figure: Limits, *, population: str, unit: str = "") -> str:
    unit = unit_phrase(unit)
    side = "higher" if figure.bias >= 0 else "lower"
    return (
        f"In {population}, the method reads {abs(figure.bias):.1f}{unit} {side} than the reference on average"
        f"{interval_phrase(figure.bias_interval)}, and 95 % of single readings differ by {figure.low:+z.1f} to "
        f"{figure.high:+z.1f}{unit}{note_phrase(figure.note)}."
    )


def limits_of_agreement(
    estimate: FloatArray, reference: FloatArray, subjects: object = None, *, level: float = 0.95
) -> Limits:
    """Bias and limits of agreement of (n,) estimates with (n,) references; NaN pairs are dropped and counted.

    subjects    (n,) labels: with several pairs of one subject the variance of a difference is that between subjects
                plus that within (Bland & Altman 2007, J Biopharm Stat 17:571-582, the true value varies; subjects may
                have unequally many). None: each pair is of a subject of its own (Bland & Altman 1986, Lancet 1:307).
    level       of the intervals; the limits themselves always hold 95 %

    The bias is the mean of all differences, as in Bland & Altman 2007; its interval is Student's with subjects - 1
    degrees of freedom, its standard error from how far the subjects' sums scatter. The interval of a limit is exact
    with one pair of each subject (noncentral t; Carkeet 2015, Optom Vis Sci 92:e71-e80) and else MOVER (Zou 2013, Stat
    Methods Med Res 22:630-642).

    With one subject the limits hold for that person alone. If the differences are constant, the limits are the bias.
    Raises `InputError` for unequal shapes or fewer than 2 pairs.
    """
    check_level(level)
    data = pairs(estimate, reference, subjects)
    d = data.difference
    analysis = one_way(d[:, None], data.subject)
    bias, sd = float(d.mean()), float(np.sqrt(analysis.total[0, 0]))
    bias_interval = low_interval = high_interval = None
    if is_constant(d, float(np.abs([data.estimate, data.reference]).max())):
        note, sd = NO_SPREAD_NOTE, 0.0
    elif data.n_subjects < TOO_FEW_SUBJECTS:
        note = TOO_FEW_NOTE
    else:
        note = ""
        bias_interval = _bias_interval(bias, analysis, level)
        limits = _exact if analysis.df_within == 0 else _mover
        low_interval, high_interval = limits(bias, sd, analysis, level)
    half = AGREEMENT_Z * sd
    return Limits(
        bias=bias,
        sd=sd,
        low=bias - half,
        high=bias + half,
        bias_interval=bias_interval,
        low_interval=low_interval,
        high_interval=high_interval,
        n=data.n,
        n_subjects=data.n_subjects,
        n_dropped=data.n_dropped,
        note=note,
    )


def _bias_interval(bias: float, analysis: OneWay, level: float) -> Interval:
    half = special.stdtrit(analysis.df_between, (1 + level) / 2) * np.sqrt(analysis.mean_variance[0, 0])
    return Interval(float(bias - half), float(bias + half), level, "Student's t on subjects")


def _exact(bias: float, sd: float, analysis: OneWay, level: float) -> tuple[Interval, Interval]:
    """(limit - mean) sqrt(n) / sd follows the noncentral t with n - 1 degrees of freedom about 1.96 sqrt(n)."""
    root = np.sqrt(len(analysis.counts))
    near, far = (
        float(special.nctdtrit(analysis.df_between, AGREEMENT_Z * root, p) / root) * sd
        for p in ((1 - level) / 2, (1 + level) / 2)
    )
    how = "exact (noncentral t)"
    return Interval(bias - far, bias - near, level, how), Interval(bias + near, bias + far, level, how)


def _mover(bias: float, sd: float, analysis: OneWay, level: float) -> tuple[Interval, Interval]:
    """Two recoveries of variance: of the sum of two mean squares, then of the bias plus 1.96 standard deviations."""
    parts = np.array([analysis.between[0, 0] / analysis.divisor, (1 - 1 / analysis.divisor) * analysis.within[0, 0]])
    df = np.array([analysis.df_between, analysis.df_within])
    tail = (1 - level) / 2
    below = np.sqrt(np.sum((parts * (1 - df / special.chdtri(df, tail))) ** 2))
    above = np.sqrt(np.sum((parts * (df / special.chdtri(df, 1 - tail) - 1)) ** 2))
    sd_low, sd_high = np.sqrt(max(sd**2 - below, 0.0)), np.sqrt(sd**2 + above)
    mean = special.ndtri(1 - tail) ** 2 * analysis.mean_variance[0, 0]
    inward = float(np.sqrt(mean + (AGREEMENT_Z * (sd - sd_low)) ** 2))
    outward = float(np.sqrt(mean + (AGREEMENT_Z * (sd_high - sd)) ** 2))
    low, high = bias - AGREEMENT_Z * sd, bias + AGREEMENT_Z * sd
    how = "MOVER by subject"
    return Interval(low - outward, low + inward, level, how), Interval(high - inward, high + outward, level, how)
