"""How well two curves of the same quantity agree: the root mean square error, the bias, the correlation.

How to read them. The RMSE holds everything, in the unit of the curve. The bias is what a constant correction would
take away; with it removed, what is left is sqrt(RMSE^2 - bias^2). Pearson's r says whether the curves have the same
shape and nothing about their level or size: a method that measures half of every movement still has r = 1.

All take two curves (time,) and use the samples where both are there (not NaN). The answer is NaN where none is.
"""

from __future__ import annotations

import numpy as np

from gonio.core.arrays import FloatArray
from gonio.errors import InputError

CONSTANT = 1e-9  # a curve that varies by less than this share of its size is constant: rounding, not movement


def rmse(estimate: FloatArray, reference: FloatArray) -> float:
    """Root mean square of estimate - reference."""
    a, b = _common(estimate, reference)
    return float(np.sqrt(np.mean((a - b) ** 2))) if len(a) else float("nan")


def bias(estimate: FloatArray, reference: FloatArray) -> float:
    """Mean of estimate - reference: positive where the estimate reads too high."""
    a, b = _common(estimate, reference)
    return float(np.mean(a - b)) if len(a) else float("nan")


def pearson_r(estimate: FloatArray, reference: FloatArray) -> float:
    """Pearson's correlation, -1..1. NaN where either curve is constant: it then has no shape to compare."""
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
