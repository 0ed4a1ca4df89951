"""How well two curves of the same quantity agree: the root mean square error, the bias, the correlation.

How to read them. The RMSE holds everything, in the unit of the curve. A constant correction would
remove the bias; the rest is sqrt(RMSE^2 - bias^2). Pearson's r says whether the curves have the same
shape and nothing about their level or size: a method that measures half of every movement still has r = 1.

All functions take two curves (time,) and use the samples that are finite in both. The result is NaN if there is none.
"""

from __future__ import annotations

import numpy as np

from gonio.core.arrays import FloatArray
from gonio.core.errors import InputError

CONSTANT = 1e-9  # a curve that varies by less than this share of its size is constant: rounding, not movement


def rmse(estimate: FloatArray, reference: FloatArray) -> float:
    """Root mean square of estimate - reference."""
    a, b = _common(estimate, reference)
    return float(np.sqrt(np.mean((a - b) ** 2))) if len(a) else float("nan")


def bias(estimate: FloatArray, reference: FloatArray) -> float:
    """Mean of estimate - reference: positive if the estimate reads too high."""
    a, b = _common(estimate, reference)
    return float(np.mean(a - b)) if len(a) else float("nan")


def pearson_r(estimate: FloatArray, reference: FloatArray) -> float:
    """Pearson's correlation, -1..1. NaN if either curve is constant: it then has no shape to compare."""
    a, b = _common(estimate, reference)
    if _is_constant(a) or _is_constant(b):
        return float("nan")
    a, b = a - a.mean(), b - b.mean()
    r = (a / np.linalg.norm(a)) @ (b / np.linalg.norm(b))
    return float(np.clip(r, -1.0, 1.0))


def _common(estimate: FloatArray, reference: FloatArray) -> tuple[FloatArray, FloatArray]:
    if estimate.ndim != 1 or estimate.shape != reference.shape:
        raise InputError(f"two curves over the same times are needed; these are {estimate.shape} and {reference.shape}")
    both = np.isfinite(estimate) & np.isfinite(reference)
    return estimate[both], reference[both]


def _is_constant(curve: FloatArray) -> bool:
    return len(curve) < 2 or float(np.ptp(curve)) <= CONSTANT * float(np.abs(curve).max())


LEAST_DEG = 10.0  # an angle that the reference moves less in a repetition has no peak in it


def peak_differences(
    estimate: FloatArray, reference: FloatArray, times_s: FloatArray, spans_s: FloatArray
) -> FloatArray:
    """(n,) degrees: the estimate's peak minus the reference's in each repetition.

    estimate, reference  (time,) degrees, NaN where missing; samples that both have are used
    times_s              (time,)
    spans_s              (repetition, 2) start and end

    A repetition with fewer than three such samples, or in which the reference moves by less than `LEAST_DEG`, has no
    peak.
    """
    differences = []
    finite = np.isfinite(estimate) & np.isfinite(reference)
    for start, end in spans_s:
        inside = finite & (times_s >= start) & (times_s <= end)
        if inside.sum() < 3:
            continue
        e, r = estimate[inside], reference[inside]
        rest = (r[0] + r[-1]) / 2
        above, below = r.max() - rest, rest - r.min()
        if max(above, below) < LEAST_DEG:
            continue
        differences.append(e.max() - r.max() if above >= below else e.min() - r.min())
    return np.array(differences)
