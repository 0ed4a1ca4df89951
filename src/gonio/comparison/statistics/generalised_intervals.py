"""Generalised intervals for how two methods agree when each subject is measured several times.

No exact interval exists for a root or a ratio of sums of variances. The generalised (fiducial) one draws the unknown
variances given those seen, and takes the quantiles over the draws (Weerahandi 1993, J Am Stat Assoc 88:899-905; for
intraclass correlations Ionan et al. 2014, BMC Med Res Methodol 14:121). It suits few subjects with many
repetitions each, and methods with unequal variances. benchmarks/interval_coverage.py measures its coverage.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from gonio.comparison.statistics.intervals import TOO_FEW_SUBJECTS, Interval, check_level
from gonio.comparison.statistics.subjects import OneWay, one_way, pairs
from gonio.core.arrays import FloatArray, frozen

N_DRAWS = 10_000
SEED = 0
HOW = f"generalised, by subject ({N_DRAWS} draws)"


def agreement_interval(analysis: OneWay, *, absolute: bool, level: float) -> Interval:
    """The interval of 2 C12 / (C11 + C22 + b^2), and without b^2 unless `absolute`; the same at every call.

    analysis    of columns (mean of the two methods, their difference), six subjects or more. With their variances
                V over single values, C12 = V(mean) - V(difference) / 4, (C11 + C22) / 2 = V(mean) + V(difference) / 4
    """
    between, normal, within = _pivots(analysis.df_between, analysis.df_within)
    mean, difference = _variances(analysis.of_means, analysis.df_between, between)
    apart = _squared(analysis.mean_of_means[1], difference / len(analysis.counts), normal) / 2 if absolute else 0.0
    if analysis.df_within:
        mean_within, difference_within = _variances(analysis.within, analysis.df_within, within)
        part = 1 - 1 / analysis.harmonic
        mean, difference = mean + part * mean_within, difference + part * difference_within
    draws = (mean - difference / 4) / (mean + difference / 4 + apart)
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high), level, HOW)


def rmse_interval(
    estimate: FloatArray, reference: FloatArray, subjects: object = None, *, level: float = 0.95
) -> Interval | None:
    """The interval of the root mean square of estimate - reference, (n,) values each, by subject.

    Of one pair of a subject met at random: the root of the squared bias plus the variance between subjects plus that
    within. None with fewer than `TOO_FEW_SUBJECTS`. Raises `InputError` for unequal shapes or fewer than 2 pairs.
    """
    check_level(level)
    data = pairs(estimate, reference, subjects)
    if data.n_subjects < TOO_FEW_SUBJECTS:
        return None
    analysis = one_way(data.difference[:, None], data.subject)
    between, normal, within = _pivots(analysis.df_between, analysis.df_within)
    variance = analysis.df_between * analysis.of_means[0, 0] / between[0] ** 2
    bias_squared = _squared(analysis.mean_of_means[0], variance / data.n_subjects, normal)
    if analysis.df_within:
        part = (1 - 1 / analysis.harmonic) * analysis.df_within
        variance = variance + part * analysis.within[0, 0] / within[0] ** 2
    low, high = np.quantile(np.sqrt(bias_squared + variance), [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high), level, HOW)


@lru_cache(maxsize=32)
def _pivots(df_between: int, df_within: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Bartlett's triangle (3, draws) of a unit Wishart matrix between, normal numbers (draws,), the triangle within."""
    generator = np.random.default_rng(SEED)

    def triangle(df: int) -> FloatArray:
        diagonal = [np.sqrt(generator.chisquare(d, N_DRAWS)) for d in (df, max(df - 1, 1))]
        return frozen([*diagonal, generator.standard_normal(N_DRAWS)])

    return triangle(df_between), frozen(generator.standard_normal(N_DRAWS)), triangle(max(df_within, 1))


def _squared(bias: float, variance: FloatArray, normal: FloatArray) -> FloatArray:
    """(draws,) squared bias, without its excess.

    The square of a drawn bias is too large by twice the variance of the bias on average, once for the error of the
    estimate and once for that of the draw; with it the interval would lie on the side of a bias where there is none.
    """
    squared: FloatArray = np.maximum((bias + normal * np.sqrt(variance)) ** 2 - 2 * variance, 0.0)
    return squared


def _variances(squares: FloatArray, df: int, triangle: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(draws,) variances of both columns given those seen, with `df` degrees of freedom.

    Each is its sum of squares over a chi-square, as for one variance. The two chi-squares go together as the columns
    do, so that a method that reads larger movements larger is allowed for; the squared correlation is the adjusted one
    (Ezekiel 1930), because that of few subjects is too large by chance.
    """
    (mean_square, product), (_, difference_square) = squares
    scale = mean_square * difference_square
    r2 = min(product**2 / scale, 1.0) if scale > 0 else 0.0
    r2 = max(1 - (1 - r2) * df / (df - 1), 0.0) if df > 1 else 0.0
    first, second, cross = triangle
    along = np.sqrt(r2) * first + np.sqrt(1 - r2) * cross
    return df * mean_square / (along**2 + (1 - r2) * second**2), df * difference_square / first**2
