"""The lag of one recording's clock behind another's: the whole number of frames at which their curves fit best.

Two systems that record one movement are started by hand, each at its own moment. The lag is found from the curves
themselves, where they agree best. An agreement measured afterwards is therefore that of synchronised systems; it does
not prove that they are synchronised. `errors` shows how well they fit at every other lag.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gonio.comparison.clock_offset import at_times
from gonio.core.arrays import BoolArray, FloatArray
from gonio.core.errors import InputError

LEAST_OVERLAP = 0.5  # of the samples that overlap most: a lag at which less overlaps is not considered


@dataclass(frozen=True, eq=False)
class Lag:
    """Time lag of the estimate in frames: estimate[i + frames] corresponds to reference[i].

    frames  positive: the estimate is late
    errors  (2 max_lag + 1,) bias-free RMSE at the lags -max_lag..max_lag; NaN if too little overlaps
    """

    frames: int
    errors: FloatArray


def best_lag(estimate: FloatArray, reference: FloatArray, *, max_lag: int) -> Lag:
    """The lag of -max_lag..max_lag frames that minimises the bias-free RMSE over the frames that overlap.

    estimate, reference  (time,), or (time, curve): one lag for all curves, by the root of their mean squared
                         bias-free error, each less its own bias; at the same evenly spaced times, NaN = missing

    Of lags that fit equally well the shortest is taken. Raises `InputError` if the shapes differ or nothing overlaps
    at any lag, and for a negative `max_lag`.
    """
    if estimate.shape != reference.shape or estimate.ndim not in (1, 2):
        raise InputError(f"a lag needs curves at the same times; these are {estimate.shape} and {reference.shape}")
    if max_lag < 0:
        raise InputError(f"the longest lag is {max_lag} frames; it must be 0 or more")
    difference = shifts(estimate, max_lag) - reference
    if difference.ndim == 2:
        difference = difference[..., None]
    finite = np.isfinite(difference)
    count = finite.sum(axis=1)  # (lag, curve)
    total = np.where(finite, difference, 0.0).sum(axis=1)
    centred = np.where(finite, difference - (total / np.maximum(count, 1))[:, None], 0.0)
    squares, n = (centred**2).sum(axis=(1, 2)), count.sum(axis=1)
    if not n.any():
        raise InputError("no frame has the curve in both recordings, at any lag")
    errors = np.sqrt(squares / np.where((n > 0) & (n >= LEAST_OVERLAP * n.max()), n, np.nan))
    lags = np.arange(-max_lag, max_lag + 1)
    nearest_first = np.argsort(np.abs(lags), kind="stable")
    best = nearest_first[np.nanargmin(errors[nearest_first])]
    return Lag(int(lags[best]), errors)


def shifts(values: FloatArray, max_lag: int) -> FloatArray:
    """(2 max_lag + 1, time, ...) the values i + lag at frame i, for every lag; NaN beyond the recording."""
    around = ((max_lag, max_lag), *((0, 0),) * (values.ndim - 1))
    padded = np.pad(values.astype(float), around, constant_values=np.nan)
    return np.stack([padded[start : start + len(values)] for start in range(2 * max_lag + 1)])


def shifted(values: FloatArray, frames: int) -> FloatArray:
    """(time, ...) the values i + frames at frame i; NaN beyond the recording."""
    moved = np.full(values.shape, np.nan)
    if abs(frames) < len(values):
        moved[max(-frames, 0) : len(values) - max(frames, 0)] = values[max(frames, 0) : len(values) + min(frames, 0)]
    return moved


CLOCK_SHIFT_S = 0.1  # the shift of the clock that shows how much the errors depend on it


def shifted_positions(positions: FloatArray, mask: BoolArray, times_s: FloatArray, shift_s: float) -> FloatArray:
    """(time, joint, 3) where the estimate is `shift_s` later; NaN outside the recording, in gaps and off the mask."""
    moved = np.full_like(positions, np.nan)
    for joint in range(positions.shape[1]):
        for axis in range(3):
            curve = np.where(mask[:, joint], positions[:, joint, axis], np.nan)
            moved[:, joint, axis] = shifted_curve(curve, times_s, shift_s)
    return moved


def shifted_curve(curve: FloatArray, times_s: FloatArray, shift_s: float) -> FloatArray:
    """(time,) the curve `shift_s` later; NaN outside the recording and in gaps."""
    return at_times(curve, times_s, times_s + shift_s) if len(curve) else curve
