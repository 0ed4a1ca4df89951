"""Values and their subjects: pairs without gaps, and the variance between and within subjects."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gonio.core.arrays import FloatArray, IntArray
from gonio.core.errors import InputError

CONSTANT = 1e-9  # values that vary by less than this share of their size are constant: rounding, not movement


@dataclass(frozen=True)
class Pairs:
    """Pairs that both sides have.

    estimate, reference    (n,)
    subject                (n,) 0..n_subjects-1, in the order in which the labels first come
    n_dropped              pairs left out because a side is missing (NaN)
    """

    estimate: FloatArray
    reference: FloatArray
    subject: IntArray
    n_subjects: int
    n_dropped: int

    @property
    def n(self) -> int:
        return len(self.estimate)

    @property
    def difference(self) -> FloatArray:
        """(n,) estimate - reference: positive where the estimate reads too high."""
        return self.estimate - self.reference


@dataclass(frozen=True)
class OneWay:
    """The one-way analysis of variance of values (n, p) by subject; for p > 1 the matrices of sums of products.

    counts            (subjects,) values of each
    mean              (p,) of all values
    between, within   (p, p) mean squares; `within` is 0 where no subject has two values
    df_between        subjects - 1
    df_within         values - subjects
    divisor           what multiplies the variance between subjects in the expected `between`; the number of values of
                      each subject where all have as many (Bland & Altman 2007, J Biopharm Stat 17:571-582)
    mean_variance     (p, p) of `mean`, from how far the subjects' sums scatter
    mean_of_means     (p,) of the subjects' means, every subject counting alike
    of_means          (p, p) variance of the subjects' means
    harmonic          harmonic mean of `counts`
    """

    counts: IntArray
    mean: FloatArray
    between: FloatArray
    within: FloatArray
    df_between: int
    df_within: int
    divisor: float
    mean_variance: FloatArray
    mean_of_means: FloatArray
    of_means: FloatArray
    harmonic: float

    @property
    def total(self) -> FloatArray:
        """(p, p) unbiased variance of one value of a subject met at random: between subjects plus within.

        The variance between subjects is not cut off at 0: the sum stays unbiased and is never negative.
        With one subject it is the variance within that subject.
        """
        if self.df_between == 0:
            return self.within
        return self.between / self.divisor + (1 - 1 / self.divisor) * self.within

    @property
    def total_by_means(self) -> FloatArray:
        """The same with every subject counting alike (Zou 2013); equal to `total` where all have as many values.

        Its part between subjects is nearer to a chi-square where they have not.
        """
        if self.df_between == 0:
            return self.within
        return self.of_means + (1 - 1 / self.harmonic) * self.within


def numbered(subjects: object, n: int) -> tuple[IntArray, int]:
    """(n,) numbers for labels, and how many there are; None means that each value is of a subject of its own."""
    if subjects is None:
        return np.arange(n), n
    labels = np.asarray(subjects)
    if labels.shape != (n,):
        raise InputError(f"one subject per value is needed; these are {labels.shape} labels for {n} values")
    number: dict[object, int] = {}
    return np.array([number.setdefault(label, len(number)) for label in labels.tolist()], dtype=np.int64), len(number)


def pairs(estimate: FloatArray, reference: FloatArray, subjects: object = None, *, least: int = 2) -> Pairs:
    """The pairs that both sides have.

    estimate, reference    (n,), NaN where missing
    subjects               (n,) labels, or None: each pair is of a subject of its own

    Raises `InputError` if the shapes differ or fewer than `least` pairs are left.
    """
    a, b = np.asarray(estimate, dtype=np.float64), np.asarray(reference, dtype=np.float64)
    if a.ndim != 1 or a.shape != b.shape:
        raise InputError(f"two lists of as many values are needed; these are {a.shape} and {b.shape}")
    labels = None if subjects is None else np.asarray(subjects)
    if labels is not None and labels.shape != a.shape:
        raise InputError(f"one subject per value is needed; these are {labels.shape} labels for {len(a)} values")
    both = np.isfinite(a) & np.isfinite(b)
    n = int(both.sum())
    if n < least:
        raise InputError(f"{n} pairs have both values, {least} are needed; give more repetitions or subjects")
    subject, n_subjects = numbered(None if labels is None else labels[both], n)
    return Pairs(a[both], b[both], subject, n_subjects, len(a) - n)


def one_way(values: FloatArray, subject: IntArray) -> OneWay:
    """The analysis of variance of values (n, p) by subject (n,) 0..k-1."""
    n = len(values)
    counts = np.bincount(subject)
    k = len(counts)
    sums = np.zeros((k, values.shape[1]))
    np.add.at(sums, subject, values)
    means = sums / counts[:, None]
    mean = values.mean(axis=0)
    apart = means - mean
    rest = values - means[subject]
    df_between, df_within = k - 1, n - k
    nothing = np.zeros((values.shape[1],) * 2)
    weighted = counts[:, None] * apart
    return OneWay(
        counts=counts,
        mean=mean,
        between=weighted.T @ apart / df_between if df_between else nothing,
        within=rest.T @ rest / df_within if df_within else nothing,
        df_between=df_between,
        df_within=df_within,
        divisor=float(n - (counts**2).sum() / n) / df_between if df_between else 1.0,
        mean_variance=weighted.T @ weighted / n**2 * k / df_between if df_between else nothing,
        mean_of_means=means.mean(axis=0),
        of_means=np.atleast_2d(np.cov(means.T)) if df_between else nothing,
        harmonic=k / float((1 / counts).sum()),
    )


def is_constant(values: FloatArray, size: float | None = None) -> bool:
    """Whether values (n,) vary by rounding only, measured by their own largest magnitude or by `size`."""
    return float(np.ptp(values)) <= CONSTANT * (float(np.abs(values).max()) if size is None else size)
