"""One clock for several recordings: the span they share, and resampling to common times. Never extrapolates."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gonio.core.arrays import FloatArray, IntArray
from gonio.core.errors import InputError
from gonio.core.sequence import PoseSequence, Status

SAME_SAMPLE_S = 0.0005  # a sample nearer than this to the target time is that sample


def common_span(times: Sequence[FloatArray]) -> tuple[float, float]:
    """(start, end) in seconds that all recordings cover. Raises `InputError` if they do not overlap."""
    if any(len(t) == 0 for t in times):
        raise InputError("a recording holds no frame; there is no common time span")
    start, end = max(float(t[0]) for t in times), min(float(t[-1]) for t in times)
    if end < start:
        spans = "; ".join(f"{t[0]:.3f}-{t[-1]:.3f} s" for t in times)
        raise InputError(f"the recordings do not overlap in time ({spans}); check their offsets")
    return start, end


def common_times(times: Sequence[FloatArray]) -> FloatArray:
    """(time,) seconds: the times of the slowest recording inside the span that all cover.

    Raises `InputError` if the recordings do not overlap.
    """
    start, end = common_span(times)
    inside = [t[(t >= start - SAME_SAMPLE_S) & (t <= end + SAME_SAMPLE_S)] for t in times]
    return min((t for t in inside if len(t)), key=len)  # the recording that starts last has its first frame there


def resample(sequence: PoseSequence, times_s: FloatArray, max_gap_s: float | None = None) -> PoseSequence:
    """The sequence at other times, linear between its neighbours.

    max_gap_s  longest interval between two samples to interpolate across (default: 1.5 times the median interval)

    A time that falls on a sample (within 0.5 ms) takes it unchanged. A time between two valid samples is interpolated
    and has the status interpolated. Every other time, and every time outside the recording, is missing. Covariances are
    those of a weighted mean of two samples with independent errors.
    """
    return _resampled(sequence, times_s, max_gap_s, "resampled to {} common times")


def _resampled(sequence: PoseSequence, times_s: FloatArray, max_gap_s: float | None, title: str) -> PoseSequence:
    """As `resample`; `title` opens the step of the history, with a place for the number of times."""
    if len(sequence) == 0:
        raise InputError("a recording without frames cannot be resampled")
    own = sequence.times_s
    if max_gap_s is None:
        max_gap_s = 1.5 / sequence.rate_hz if len(own) > 1 else 0.0
    targets_s = np.asarray(times_s, dtype=float)
    after = (
        np.clip(np.searchsorted(own, targets_s), 1, max(len(own) - 1, 1))
        if len(own) > 1
        else np.zeros(len(targets_s), int)
    )
    before = np.maximum(after - 1, 0)
    nearest = np.where(np.abs(targets_s - own[before]) <= np.abs(targets_s - own[after]), before, after)
    exact = np.abs(targets_s - own[nearest]) <= SAME_SAMPLE_S
    gap = own[after] - own[before]
    between = ~exact & (targets_s > own[before]) & (targets_s < own[after]) & (gap <= max_gap_s + 1e-9)
    weight = np.where(between, (targets_s - own[before]) / np.where(gap > 0, gap, 1.0), 0.0)[:, None]
    present = between[:, None] & sequence.valid[before] & sequence.valid[after]

    def blend(values: FloatArray, power: int = 1) -> FloatArray:
        extra = (1,) * (values.ndim - 2)
        w = weight.reshape(*weight.shape, *extra)
        mixed = values[before] * (1 - w) ** power + values[after] * w**power
        missing = np.full_like(mixed, np.nan)
        choice = np.where(present.reshape(*present.shape, *extra), mixed, missing)
        return np.where(exact.reshape(-1, 1, *extra), values[nearest], choice)

    status = np.where(
        exact[:, None],
        sequence.status[nearest],
        np.where(present, Status.INTERPOLATED, Status.MISSING),
    )
    confidence = np.where(
        exact[:, None],
        sequence.confidence[nearest],
        np.where(present, np.minimum(sequence.confidence[before], sequence.confidence[after]), 0.0),
    )
    step = (
        f"{title.format(len(targets_s))}: {int(exact.sum())} taken as they are, "
        f"{int(between.sum())} interpolated, {int((~exact & ~between).sum())} without data"
    )
    return sequence.derive(
        step,
        positions=blend(sequence.positions),
        times_s=targets_s,
        confidence=confidence,
        status=status,
        covariance=None if sequence.covariance is None else blend(sequence.covariance, power=2),
    )


def at_rate(sequence: PoseSequence, rate_hz: float) -> PoseSequence:
    """The sequence at an even rate from its first frame on, by `resample`, without smoothing before.

    A slower sequence is filled between neighbouring frames, never across a gap. Raises `InputError` if the rate is
    not a positive number.
    """
    if not (np.isfinite(rate_hz) and rate_hz > 0):
        raise InputError(f"a rate of {rate_hz:g} frames per second is not possible")
    if len(sequence) == 0:
        raise InputError("a recording without frames cannot be resampled")
    start_s, end_s = float(sequence.times_s[0]), float(sequence.times_s[-1])
    count = int((end_s - start_s + SAME_SAMPLE_S) * rate_hz) + 1
    title = f"from {sequence.rate_hz:.6g} to {rate_hz:g} frames per second: resampled to {{}} frames"
    return _resampled(sequence, start_s + np.arange(count) / rate_hz, None, title)


def nearest_frames(own_s: FloatArray, times_s: FloatArray, tolerance_s: float | None = None) -> IntArray:
    """(time,) the frame of a recording that is nearest to each time; -1 if none is within `tolerance_s`.

    own_s        (frame,) the recording's times, increasing
    tolerance_s  default: half of the median interval and 1 microsecond, 20 ms for a single frame
    """
    if len(own_s) == 0:
        return np.full(len(times_s), -1)
    if tolerance_s is None:
        tolerance_s = (float(np.median(np.diff(own_s))) / 2 if len(own_s) > 1 else 0.02) + 1e-6
    after = np.searchsorted(own_s, times_s).clip(0, len(own_s) - 1)
    before = (after - 1).clip(0)
    nearest = np.where(times_s - own_s[before] <= np.abs(own_s[after] - times_s), before, after)
    return np.where(np.abs(own_s[nearest] - times_s) <= tolerance_s, nearest, -1)


def nearest_frame(own_s: FloatArray, time_s: float) -> int | None:
    """The frame nearest to one time, as `nearest_frames` finds it; None if there is none."""
    frame = int(nearest_frames(own_s, np.array([time_s]))[0])
    return None if frame < 0 else frame
