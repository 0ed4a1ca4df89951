"""Cleaning a sequence: a confidence gate, gap filling, a low-pass filter. Every step is optional.

Each step returns a new sequence, and its history states what was done and how often. A position that the gate removes
has the status missing, one that fills a gap the status interpolated. A filtered position keeps its status. In a
comparison every method and the reference get the same steps, and by default none.

The usual order is gate, fill, filter, because a filter cannot pass a gap.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gonio.core.arrays import BoolArray, IntArray
from gonio.core.errors import InputError
from gonio.core.sequence import PoseSequence, Status

JITTER = 0.1  # the share of an interval by which sampling may be uneven and still count as even
ROUNDING_S = 1e-9  # rounding of times: a gap longer by this much is not longer


def clean(sequence: PoseSequence, *, min_confidence: float, max_gap_s: float, lowpass_hz: float | None) -> PoseSequence:
    """The sequence after gate, fill and filter, in this order.

    min_confidence  positions below it become missing; 0 for no gate
    max_gap_s       gaps up to this long are filled, seconds; 0 for none
    lowpass_hz      cut-off of the low-pass filter; None for no filter

    Raises `InputError` as the three steps do.
    """
    if min_confidence > 0:
        sequence = gate_confidence(sequence, min_confidence)
    if max_gap_s > 0:
        sequence = fill_gaps(sequence, max_gap_s)
    return sequence if lowpass_hz is None else lowpass(sequence, lowpass_hz)


def gate_confidence(sequence: PoseSequence, min_confidence: float) -> PoseSequence:
    """Positions whose confidence is below `min_confidence` (0..1) become missing.

    The history counts them for each joint. Raises `InputError` if the threshold lies outside 0..1.
    """
    if not 0 <= min_confidence <= 1:
        raise InputError(f"the confidence gate must lie in 0..1, not {min_confidence}")
    removed = sequence.valid & (sequence.confidence < min_confidence)
    counts = f"{_count(removed.sum(), 'position')} of {int(sequence.valid.sum())} set to missing"
    counts += _per_joint(sequence, removed)
    covariance = sequence.covariance
    return sequence.derive(
        f"confidence gate {min_confidence:g}: {counts}",
        positions=np.where(removed[..., None], np.nan, sequence.positions),
        covariance=None if covariance is None else np.where(removed[..., None, None], np.nan, covariance),
    )


def fill_gaps(sequence: PoseSequence, max_gap_s: float) -> PoseSequence:
    """Fill the interior gaps of each joint that last at most `max_gap_s` seconds.

    A gap lasts from the sample before it to the sample after it, in real time. It is filled by a piecewise cubic
    Hermite polynomial through the joint's samples (PCHIP; Fritsch and Carlson 1980, SIAM J. Numer. Anal. 17:238-246).
    The speed is continuous, and no coordinate leaves the interval between the two samples beside the gap. A filled
    position has the status interpolated, the lower confidence of these two samples, and a covariance of NaN (its error
    is unknown).

    Longer gaps stay missing, and so do positions before the first and after the last sample: nothing is extrapolated.
    The history counts both. Raises `InputError` if `max_gap_s` is not positive.
    """
    from scipy.interpolate import PchipInterpolator  # noqa: PLC0415

    if not max_gap_s > 0:
        raise InputError(f"the longest gap to fill must be a positive number of seconds, not {max_gap_s}")
    times, valid = sequence.times_s, sequence.valid
    before, after = _neighbours(valid)
    last = len(sequence) - 1
    interior = ~valid & (before >= 0) & (after <= last)
    before, after = np.maximum(before, 0), np.minimum(after, last)
    filled = interior & (times[after] - times[before] <= max_gap_s + ROUNDING_S)
    longer = interior & ~filled

    positions, confidence = sequence.positions.copy(), sequence.confidence.copy()
    for joint in np.flatnonzero(filled.any(axis=0)):
        known, gap = valid[:, joint], filled[:, joint]
        curve = PchipInterpolator(times[known], positions[known, joint], axis=0)
        positions[gap, joint] = curve(times[gap])
        sides = before[gap, joint], after[gap, joint]
        confidence[gap, joint] = np.minimum(confidence[sides[0], joint], confidence[sides[1], joint])
    step = (
        f"gaps up to {max_gap_s:g} s filled (PCHIP): {_gaps(filled, valid)} interpolated"
        f"{_per_joint(sequence, filled)}; left: {_gaps(longer, valid)} that last longer, "
        f"{_count((~valid & ~interior).sum(), 'position')} at the ends"
    )
    covariance = sequence.covariance
    return sequence.derive(
        step,
        positions=positions,
        confidence=confidence,
        status=np.where(filled, Status.INTERPOLATED, sequence.status),
        covariance=None if covariance is None else np.where(filled[..., None, None], np.nan, covariance),
    )


def lowpass(sequence: PoseSequence, cutoff_hz: float, order: int = 4) -> PoseSequence:
    """Zero-phase Butterworth low-pass of every coordinate, run by run.

    The filter runs forwards and then backwards, so it causes no delay. `order` is that of the whole filter:
    two passes of half of it. `cutoff_hz` too belongs to the whole: two passes at f would be 6 dB down at f, so each
    has its cutoff raised by C = (sqrt(2) - 1)^(1/order), on the frequency axis of the bilinear transform,
    tan(pi f' / rate) = tan(pi f / rate) / C, and the whole is 3 dB down at `cutoff_hz` exactly (Winter 2009,
    Biomechanics and Motor Control of Human Movement, 4th ed., digital filtering, where C = 0.802 for order 4;
    Robertson and Dowling 2003, J. Electromyogr. Kinesiol. 13:569-573).

    A run is an uninterrupted stretch of one joint; the filter never bridges a gap. A run that is not longer than one
    period of the cutoff (the odd extension at each end, in which the filter settles) stays unfiltered and is counted.
    The covariance is dropped, since filtering correlates the errors of neighbouring frames.

    Raises `InputError` if the times are uneven (an interval differs by 10 % or more from the mean), if the
    cutoff is not between 0 and half the rate, or if the order is not a positive even number.
    """
    from scipy.signal import butter, sosfiltfilt  # noqa: PLC0415

    if order < 2 or order % 2:
        raise InputError(f"the order of a zero-phase filter is even (two equal passes): 2, 4, 6 ..., not {order}")
    rate_hz = _even_rate_hz(sequence)
    if not 0 < cutoff_hz < rate_hz / 2:
        raise InputError(
            f"a cutoff of {cutoff_hz:g} Hz does not fit {rate_hz:.4g} frames per second; "
            f"choose one between 0 and {rate_hz / 2:.4g} Hz"
        )
    correction = (np.sqrt(2) - 1) ** (1 / order)
    pass_hz = rate_hz / np.pi * np.arctan(np.tan(np.pi * cutoff_hz / rate_hz) / correction)
    sections = butter(order // 2, pass_hz, fs=rate_hz, output="sos")
    padding = max(int(np.ceil(rate_hz / cutoff_hz)), 3 * (order // 2 + 1))

    positions = sequence.positions.copy()
    filtered = short = short_positions = 0
    joints_of: dict[tuple[int, int], list[int]] = {}  # joints that are valid over the same frames are filtered together
    for joint in range(len(sequence.skeleton)):
        for start, stop in _runs(sequence.valid[:, joint]).tolist():
            joints_of.setdefault((start, stop), []).append(joint)
    for (start, stop), joints in joints_of.items():
        if stop - start > padding:
            run = positions[start:stop, joints]
            positions[start:stop, joints] = sosfiltfilt(sections, run, axis=0, padlen=padding)
            filtered += len(joints)
        else:
            short, short_positions = short + len(joints), short_positions + len(joints) * (stop - start)
    step = (
        f"low-pass {cutoff_hz:g} Hz (zero-phase Butterworth, order {order}, at {rate_hz:.4g} Hz): "
        f"{_count(filtered, 'run')} filtered; {_count(short, 'run')} ({_count(short_positions, 'position')}) "
        f"of {padding} frames or fewer not filtered"
    )
    if sequence.covariance is not None:
        step += "; covariance dropped"
    return sequence.derive(step, positions=positions, covariance=None)


def _even_rate_hz(sequence: PoseSequence) -> float:
    """Frames per second of a recording. Raises `InputError` if its times are uneven."""
    if len(sequence) < 2:
        raise InputError(f"a recording of {_count(len(sequence), 'frame')} has no rate and cannot be filtered")
    intervals = np.diff(sequence.times_s)
    mean = float(intervals.mean())
    if np.abs(intervals - mean).max() >= JITTER * mean:
        raise InputError(
            f"a filter needs even times; these intervals run from {intervals.min():.4g} to {intervals.max():.4g} s "
            f"(mean {mean:.4g} s): resample to even times first"
        )
    return 1 / mean


def _neighbours(valid: BoolArray) -> tuple[IntArray, IntArray]:
    """(time, joint) index of the last sample at or before each frame (-1: none), and of the first at or after (n)."""
    frames = np.arange(len(valid))[:, None]
    before = np.maximum.accumulate(np.where(valid, frames, -1), axis=0)
    after = np.minimum.accumulate(np.where(valid, frames, len(valid))[::-1], axis=0)[::-1]
    return before, after


def _runs(valid: BoolArray) -> IntArray:
    """(run, 2) first frame of each uninterrupted stretch of one joint, and the frame after its last."""
    edges = np.diff(np.concatenate([[0], valid.astype(np.int8), [0]]))
    return np.stack([np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)], axis=1)


def _gaps(chosen: BoolArray, valid: BoolArray) -> str:
    """Number of the interior gaps in `chosen` (time, joint), and number of their positions."""
    starts = int((chosen[1:] & valid[:-1]).sum())
    return f"{_count(starts, 'gap')} ({_count(chosen.sum(), 'position')})"


def _per_joint(sequence: PoseSequence, chosen: BoolArray) -> str:
    """The joints with positions in `chosen` (time, joint), each with their number, in brackets."""
    numbers = chosen.sum(axis=0)
    named = [f"{joint} {n}" for joint, n in zip(sequence.skeleton.joints, numbers, strict=True) if n]
    return f" ({', '.join(named)})" if named else ""


def _count(number: int | np.integer[Any], noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
