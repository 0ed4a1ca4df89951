"""The part of the cycle in which two methods differ: statistical parametric mapping by `spm1d` (extra `spm`).

How to read it. Where the t curve is outside the band between -threshold and +threshold, the methods differ by more than
smooth curves would by chance anywhere in the cycle. It says where, not how much: a difference of half a degree
can be significant and one of ten degrees in five people not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from gonio.comparison.statistics.interpretation import interpret
from gonio.comparison.statistics.intervals import NO_SPREAD_NOTE, TOO_FEW_NOTE, TOO_FEW_SUBJECTS
from gonio.comparison.statistics.subjects import CONSTANT, numbered
from gonio.core.arrays import FloatArray, frozen
from gonio.core.errors import InputError, MissingExtraError


@dataclass(frozen=True)
class Cluster:
    """A stretch in which the t curve is beyond the threshold: its ends in percent of the cycle, and its p value."""

    start_percent: float
    end_percent: float
    p: float


@dataclass(frozen=True, kw_only=True)
class CurveTest:
    """A paired t test along the cycle.

    t            (time,) of estimate - reference; NaN throughout where there is no test
    threshold    |t| beyond which the curves differ at `alpha` over the whole cycle; NaN with no test, `note` says why
    clusters     the parts of the cycle beyond the threshold
    n, n_subjects, n_dropped    repetitions used, their subjects, repetitions left out for a missing sample
    """

    t: FloatArray
    threshold: float
    clusters: tuple[Cluster, ...]
    alpha: float
    n: int
    n_subjects: int
    n_dropped: int
    note: str


@interpret.register
def _(figure: CurveTest, *, population: str, unit: str = "") -> str:
    if figure.note:
        return f"In {population}, the curves were not tested along the cycle: {figure.note}."
    where = ", ".join(f"{c.start_percent:.0f}-{c.end_percent:.0f} %" for c in figure.clusters)
    found = f"differ in {where} of the cycle" if where else "do not differ demonstrably anywhere in the cycle"
    return (
        f"In {population}, the mean curves of the two methods {found} (SPM, alpha {figure.alpha:g}); the test does "
        "not say by how much."
    )


def spm_paired(
    estimate: FloatArray, reference: FloatArray, subjects: object = None, *, alpha: float = 0.05
) -> CurveTest:
    """Pataky 2010, J Biomech 43:1976-1982: SPM{t} of time-normalised repetitions, two-tailed.

    estimate, reference    (repetition, time), the same repetitions by both methods
    subjects               (repetition,) labels: a subject's repetitions are averaged first, because they are not
                           independent. None: each repetition is of a subject of its own

    Repetitions that lack a sample (NaN) are dropped and counted; the test needs `TOO_FEW_SUBJECTS`. Raises `InputError`
    for unequal shapes or fewer than two samples, `MissingExtraError` where spm1d is not installed.
    """
    a, b = np.asarray(estimate, dtype=np.float64), np.asarray(reference, dtype=np.float64)
    if a.ndim != 2 or a.shape != b.shape or a.shape[1] < 2:
        raise InputError(f"SPM takes two sets of curves (repetition, time); these are {a.shape} and {b.shape}")
    if not 0 < alpha < 1:
        raise InputError(f"alpha is {alpha}; give an error rate between 0 and 1, such as 0.05")
    try:
        import spm1d  # noqa: PLC0415
    except ImportError:
        raise MissingExtraError("spm_paired needs spm1d: pip install 'gonio[spm]'") from None
    owner, _ = numbered(subjects, len(a))
    difference = a - b
    whole = np.isfinite(difference).all(axis=1)
    owner, n_subjects = numbered(owner[whole], int(whole.sum()))
    kept = difference[whole]
    t, threshold, note = np.full(a.shape[1], np.nan), math.nan, ""
    clusters: tuple[Cluster, ...] = ()
    if n_subjects < TOO_FEW_SUBJECTS:
        note = TOO_FEW_NOTE.replace("an interval", "a test")
    else:
        curves = np.stack([kept[owner == subject].mean(axis=0) for subject in range(n_subjects)])
        size = float(np.abs([a[whole], b[whole]]).max())
        if (np.ptp(curves, axis=0) <= CONSTANT * size).any():
            note = NO_SPREAD_NOTE
        else:
            found = spm1d.stats.ttest(curves).inference(alpha=alpha, two_tailed=True)
            t, threshold = np.asarray(found.z, dtype=np.float64), float(found.zstar)
            percent = 100 / (a.shape[1] - 1)
            clusters = tuple(
                Cluster(float(c.endpoints[0]) * percent, float(c.endpoints[1]) * percent, float(c.P))
                for c in found.clusters
            )
    return CurveTest(
        t=frozen(t),
        threshold=threshold,
        clusters=clusters,
        alpha=alpha,
        n=len(kept),
        n_subjects=n_subjects,
        n_dropped=len(a) - len(kept),
        note=note,
    )
