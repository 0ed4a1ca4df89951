"""A generalised interval for how two methods agree when each subject is measured several times.

No exact interval exists for a ratio of sums of variances. The generalised (fiducial) one draws the unknown covariances
given the mean squares seen, and takes the quantiles of the ratio over the draws (Weerahandi 1993, J Am Stat Assoc
88:899-905; for intraclass correlations Burdick, Borror & Montgomery 2005, ISBN 978-0-898715-88-0, and Ionan et al. 2014,
BMC Med Res Methodol 14:121). It uses the subjects as they are, few and each with many repetitions, and lets the methods
have unequal variances. How often it covers the truth: benchmarks/interval_coverage.py.
"""

from __future__ import annotations

import numpy as np

from gonio.comparison.intervals import Interval
from gonio.comparison.subjects import OneWay
from gonio.core.arrays import FloatArray

N_DRAWS = 10_000
SEED = 0


def agreement_interval(analysis: OneWay, *, absolute: bool, level: float) -> Interval:
    """The interval of 2 C12 / (C11 + C22 + b^2), and without b^2 unless `absolute`.

    analysis    of (mean of the two methods, their difference), which are about independent; C12 and the others in
                terms of them: C12 = V(mean) - V(difference) / 4, (C11 + C22) / 2 = V(mean) + V(difference) / 4
    """
    generator = np.random.default_rng(SEED)
    mean, difference = _covariance(analysis.between * analysis.df_between, analysis.df_between, generator)
    seen = float(analysis.between[1, 1])
    share = float(analysis.mean_variance[1, 1]) / seen if seen > 0 else 0.0
    bias = analysis.mean[1] + generator.standard_normal(N_DRAWS) * np.sqrt(difference * share)
    if analysis.df_within:
        within = _covariance(analysis.within * analysis.df_within, analysis.df_within, generator)
        part = 1 / analysis.divisor
        mean, difference = part * mean + (1 - part) * within[0], part * difference + (1 - part) * within[1]
    apart = difference / 4 + (bias**2 / 2 if absolute else 0.0)
    draws = (mean - difference / 4) / (mean + apart)
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high), level, f"generalised, by subject ({N_DRAWS} draws)")


def _covariance(products: FloatArray, df: int, generator: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """(draws,) variances of both columns given their sums of products: chol(products) inverse(Bartlett's triangle).

    The difference is drawn first, so that its own distribution is exact.
    """
    (c, b), (_, a) = products
    a, b, c = float(a), float(b), float(c)
    first = np.sqrt(a)
    shared = b / first if first > 0 else 0.0
    own = np.sqrt(max(c - shared**2, 0.0))
    t11, t22 = np.sqrt(generator.chisquare(df, N_DRAWS)), np.sqrt(generator.chisquare(df - 1, N_DRAWS))
    t21 = generator.standard_normal(N_DRAWS)
    difference = (first / t11) ** 2
    mean = ((shared - own * t21 / t22) / t11) ** 2 + (own / t22) ** 2
    return mean, difference
