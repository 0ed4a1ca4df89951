"""Confidence intervals, and the bootstrap by subject for statistics that have no interval of their own.

A subject's repetitions resemble each other: ten squats of eight people are not eighty people. Every interval of this
package takes the subject as the unit; below `TOO_FEW_SUBJECTS` there is none.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import special

from gonio.comparison.statistics.subjects import numbered
from gonio.core.arrays import FloatArray
from gonio.core.errors import InputError

TOO_FEW_SUBJECTS = 6
TOO_FEW_NOTE = "too few subjects for an interval"
NO_SPREAD_NOTE = "the values do not vary"
MEDIAN_DRAWS = 1000


@dataclass(frozen=True)
class Interval:
    """A confidence interval low..high at `level` (0.95), and the name of its method."""

    low: float
    high: float
    level: float
    how: str


def check_level(level: float) -> None:
    """Raises `InputError` unless 0 < level < 1."""
    if not 0 < level < 1:
        raise InputError(f"level is {level}; give a confidence between 0 and 1, such as 0.95")


def cluster_bootstrap(
    statistic: Callable[..., float],
    *arrays: FloatArray,
    subjects: object,
    level: float = 0.95,
    seed: int = 0,
    n: int = 2000,
) -> Interval | None:
    """The BCa interval of `statistic(*arrays)`, whole subjects drawn with replacement (Efron 1987; Davison & Hinkley).

    arrays      each (values, ...), with one row per value
    subjects    (values,) the subject of each row
    seed, n     of the draws: the same seed gives the same interval

    None with fewer than `TOO_FEW_SUBJECTS`, or where the statistic does not vary or is not a number in a tenth of the
    draws. With few subjects a bootstrap interval is too short: of 8 it holds an RMSE in 80 to 87 % of the studies
    instead of 95 %. An exact or analytic interval is better if it exists.
    Raises `InputError` if the lengths differ.
    """
    check_level(level)
    owner, n_subjects = numbered(subjects, len(arrays[0]) if arrays else 0)
    for array in arrays:
        if len(array) != len(owner):
            raise InputError(
                f"the bootstrap needs arrays of equal length; these have {len(array)} and {len(owner)} rows"
            )
    if n_subjects < TOO_FEW_SUBJECTS:
        return None
    rows = [np.flatnonzero(owner == subject) for subject in range(n_subjects)]
    value = float(statistic(*arrays))
    generator = np.random.default_rng(seed)
    drawn = []
    for choice in generator.integers(0, n_subjects, (n, n_subjects)):
        index = np.concatenate([rows[subject] for subject in choice])
        drawn.append(float(statistic(*(array[index] for array in arrays))))
    without = np.array(
        [float(statistic(*(array[owner != subject] for array in arrays))) for subject in range(n_subjects)]
    )
    replicates = np.array(drawn)
    replicates = replicates[np.isfinite(replicates)]
    if (
        not math.isfinite(value)
        or len(replicates) < 0.9 * n
        or np.ptp(replicates) == 0
        or not np.isfinite(without).all()
    ):
        return None
    low, high = np.quantile(replicates, _bca_probabilities(value, replicates, without, level))
    return Interval(float(low), float(high), level, f"bootstrap of {n} draws by subject, BCa")


def median_interval(values: FloatArray, subjects: Sequence[str], *, level: float = 0.95) -> Interval | None:
    """The percentile bootstrap interval of a median, whole subjects drawn with replacement.

    None with fewer than `TOO_FEW_SUBJECTS`. With few subjects it tends to be too short. A draw counts every value as
    often as its subject was drawn.
    """
    labels, owner = np.unique(np.asarray(subjects), return_inverse=True)
    if len(labels) < TOO_FEW_SUBJECTS:
        return None
    order = np.argsort(values)
    of_subject = np.zeros((len(labels), len(values)), dtype=np.float32)
    of_subject[owner[order], np.arange(len(values))] = 1
    drawn = _subject_draws(len(labels))
    reached = drawn @ of_subject.cumsum(axis=1)  # (draw, k): how many values of a draw are among the k + 1 smallest
    ranks = ((reached[:, -1] + 1) // 2, reached[:, -1] // 2 + 1)
    middles = [values[order][(reached < rank[:, None]).sum(axis=1)] for rank in ranks]
    low, high = np.quantile(np.mean(middles, axis=0), [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high), level, "percentile bootstrap by subject")


@lru_cache
def _subject_draws(subjects: int) -> FloatArray:
    """(draw, subject) how often each is drawn."""
    drawn = np.random.default_rng(0).multinomial(subjects, np.full(subjects, 1 / subjects), size=MEDIAN_DRAWS)
    return drawn.astype(np.float32)


def _bca_probabilities(value: float, replicates: FloatArray, without: FloatArray, level: float) -> FloatArray:
    """Efron (1987): the percentiles, moved for the median bias and for a spread that changes with the value."""
    below = (np.mean(replicates < value) + np.mean(replicates <= value)) / 2
    bias = special.ndtri(np.clip(below, 0.5 / len(replicates), 1 - 0.5 / len(replicates)))
    deviation = without.mean() - without
    spread = float((deviation**2).sum())
    acceleration = float((deviation**3).sum()) / (6 * spread**1.5) if spread > 0 else 0.0
    z = bias + special.ndtri([(1 - level) / 2, (1 + level) / 2])
    probabilities: FloatArray = special.ndtr(bias + z / (1 - acceleration * z))
    return probabilities
