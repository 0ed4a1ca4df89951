"""The offset between two recordings' clocks, from their joint angles: the lag at which the curves agree best.

Joint angles need no common frame. Their constant differences (two sensors' definitions of a joint) are subtracted at
every lag. Over the span that both then cover, for all angles together, the agreement is

    score = 1 - sum var(e - r) / sum (var(e) + var(r)),

1 for equal curves up to a constant each, 0 for unrelated ones. It is low if one of them moves and the other does
not, so that a lag at which only pauses overlap is not chosen, and it needs no filter. Lags are tried in steps of
`STEP_S`; a parabola through the best three gives the fraction of a step.

The result carries a reason for doubt if the curves do not move, if they agree at no lag, if another lag is about as
good (repetitions of a movement look alike), or if the best lag is the last one tried.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gonio.core.angle_series import AngleSeries
from gonio.core.arrays import FloatArray

STEP_S = 0.02
LONGEST_GAP_S = 0.25  # a longer gap in a curve is not bridged
LEAST_OVERLAP = 0.5  # of the shorter recording
LEAST_OVERLAP_S = 0.5
MOVES_DEG = 10.0  # an angle whose range is smaller in either recording does not count
AGREE = 0.5  # a score below it is no agreement
UNIQUE = 0.05  # by how much the best lag must exceed every other peak
CLEAR_GAIN = 0.8  # share of the difference that may be left at the best lag


@dataclass(frozen=True)
class ClockOffset:
    """How far the estimate's clock is ahead of the reference's: reference time = estimate's time - offset_s.

    score         agreement at that offset, at most 1
    rms_deg       root mean square of the differences over all angles, without their means
    rms_as_is_deg the same at offset 0; None if the recordings do not overlap there
    angles        the angles that moved and were used
    unsure        why the offset is not reliable; empty if it is
    """

    offset_s: float
    score: float
    rms_deg: float
    rms_as_is_deg: float | None
    angles: tuple[str, ...]
    unsure: str = ""

    @property
    def clearly_better(self) -> bool:
        """The curves agree clearly better with the offset than as they are."""
        as_is = self.rms_as_is_deg
        return not self.unsure and (as_is is None or self.rms_deg < CLEAR_GAIN * as_is)


def clock_offset(estimate: AngleSeries, reference: AngleSeries, *, max_s: float | None = None) -> ClockOffset:
    """The offset of the estimate's clock, accurate to a few milliseconds if the curves are smooth.

    max_s  the largest offset tried, in either direction, in seconds; default: all at which half of the shorter
           recording overlaps
    """
    names = tuple(n for n in estimate.names if n in reference.names and _moves(estimate, n) and _moves(reference, n))
    if not names:
        reason = f"no joint angle that both have moves by {MOVES_DEG:g} degrees or more in both"
        return ClockOffset(0.0, 0.0, 0.0, None, (), reason)
    low, high = _lags(estimate.times_s, reference.times_s, max_s)
    lags, scores = _scores(estimate, reference, names)
    inside = (lags >= low - 1e-9) & (lags <= high + 1e-9)
    lags, scores = lags[inside], scores[inside]
    if not len(lags):
        within = "" if max_s is None else f" at an offset of at most {max_s:g} s"
        return ClockOffset(0.0, 0.0, 0.0, None, names, f"the recordings do not overlap enough{within}")
    if not np.isfinite(scores).any():
        return ClockOffset(0.0, 0.0, 0.0, None, names, "the recordings never have an angle at the same time")
    best = int(np.nanargmax(scores))
    offset = float(lags[best]) + _summit(scores, best) * STEP_S
    score, rms = _agreement(estimate, reference, names, offset)
    _, as_is = _agreement(estimate, reference, names, 0.0) if low <= 0 <= high else (np.nan, np.nan)
    return ClockOffset(
        offset_s=offset,
        score=float(score),
        rms_deg=float(rms),
        rms_as_is_deg=float(as_is) if np.isfinite(as_is) else None,
        angles=names,
        unsure=_reason_for_doubt(scores, best, lags),
    )


def _moves(series: AngleSeries, name: str) -> bool:
    curve = series.degrees[name]
    curve = curve[np.isfinite(curve)]
    return len(curve) > 3 and float(np.subtract(*np.percentile(curve, [98, 2]))) >= MOVES_DEG


def _lags(estimate_s: FloatArray, reference_s: FloatArray, max_s: float | None) -> tuple[float, float]:
    """Smallest and largest offset at which enough of the two recordings overlaps."""
    shorter = min(float(np.ptp(estimate_s)), float(np.ptp(reference_s)))
    overlap = max(LEAST_OVERLAP * shorter, min(LEAST_OVERLAP_S, shorter))
    low = float(estimate_s[0] - reference_s[-1]) + overlap
    high = float(estimate_s[-1] - reference_s[0]) - overlap
    return (low, high) if max_s is None else (max(low, -max_s), min(high, max_s))


def _scores(estimate: AngleSeries, reference: AngleSeries, names: tuple[str, ...]) -> tuple[FloatArray, FloatArray]:
    """Every lag at which the two overlap, in steps of `STEP_S`, and its score; NaN if they share no angle.

    Both are put on even grids; the sums that variances and covariances need at every lag are correlations.
    """
    grids = [np.arange(s.times_s[0], s.times_s[-1] + STEP_S / 2, STEP_S) for s in (estimate, reference)]
    n_lags = len(grids[0]) + len(grids[1]) - 1
    covariance, size = np.zeros(n_lags), np.zeros(n_lags)
    for name in names:
        (e, present_e), (r, present_r) = (
            _on_grid(series, name, grid) for series, grid in zip((estimate, reference), grids, strict=True)
        )
        count = _correlated(present_e, present_r)
        enough = count > 2.5
        n = np.where(enough, count, 1.0)
        sum_e, sum_r = _correlated(e, present_r), _correlated(present_e, r)
        covariance += np.where(enough, _correlated(e, r) - sum_e * sum_r / n, 0.0)
        spread = _correlated(e**2, present_r) - sum_e**2 / n + _correlated(present_e, r**2) - sum_r**2 / n
        size += np.where(enough, spread, 0.0)
    lags = estimate.times_s[0] - reference.times_s[0] + STEP_S * np.arange(1 - len(grids[1]), len(grids[0]))
    least = 1e-6 * size.max(initial=0.0)  # less is rounding
    return lags, np.where(size > least, 2 * covariance / np.where(size > least, size, 1.0), np.nan)


def _on_grid(series: AngleSeries, name: str, grid_s: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(grid,) degrees about their mean, 0 if missing; and 1 if present, else 0."""
    curve = at_times(series.degrees[name], series.times_s, grid_s)
    finite = np.isfinite(curve)
    return np.where(finite, curve - curve[finite].mean() if finite.any() else 0.0, 0.0), finite.astype(float)


def _correlated(estimate: FloatArray, reference: FloatArray) -> FloatArray:
    """At every lag the sum of the products."""
    from scipy.signal import fftconvolve  # noqa: PLC0415 - slow to load

    return np.asarray(fftconvolve(estimate, reference[::-1]))


def _agreement(
    estimate: AngleSeries, reference: AngleSeries, names: tuple[str, ...], lag_s: float
) -> tuple[float, float]:
    """(score, root mean square difference in degrees without its mean) at one lag; NaN if nothing overlaps."""
    apart, size, weight = 0.0, 0.0, 0
    for name in names:
        r = reference.degrees[name]
        e = at_times(estimate.degrees[name], estimate.times_s, reference.times_s + lag_s)
        both = np.isfinite(e) & np.isfinite(r)
        if both.sum() < 3:
            continue
        apart += float(np.var(e[both] - r[both])) * both.sum()
        size += float(np.var(e[both]) + np.var(r[both])) * both.sum()
        weight += int(both.sum())
    if not weight or size == 0:
        return float("nan"), float("nan")
    return 1 - apart / size, float(np.sqrt(apart / weight))


def at_times(curve: FloatArray, own_s: FloatArray, target_s: FloatArray) -> FloatArray:
    """(target,) the curve at other times: linear across gaps of at most `LONGEST_GAP_S`, NaN outside."""
    finite = np.isfinite(curve)
    times, values = own_s[finite], curve[finite]
    if len(times) < 2:
        return np.full(len(target_s), np.nan)
    after = np.clip(np.searchsorted(times, target_s), 1, len(times) - 1)
    apart = times[after] - times[after - 1]
    rate = float(np.median(np.diff(own_s)))
    inside = (target_s >= times[0] - 1e-9) & (target_s <= times[-1] + 1e-9)
    close = apart <= max(LONGEST_GAP_S, 1.5 * rate)
    return np.where(inside & close, np.interp(target_s, times, values), np.nan)


def _summit(scores: FloatArray, best: int) -> float:
    """The maximum of the parabola through the best score and its neighbours, in steps, -0.5..0.5."""
    if not 0 < best < len(scores) - 1:
        return 0.0
    before, here, after = scores[best - 1 : best + 2]
    bend = before - 2 * here + after
    if not np.isfinite(bend) or bend >= 0:
        return 0.0
    return float(np.clip(0.5 * (before - after) / bend, -0.5, 0.5))


def _reason_for_doubt(scores: FloatArray, best: int, lags: FloatArray) -> str:
    if scores[best] < AGREE:
        return f"the curves agree at no offset (best score {scores[best]:.2f}; 1 is equal, 0 unrelated)"
    if best in (0, len(scores) - 1):
        return f"the curves agree best at {lags[best]:+.2f} s, the last offset with enough overlap"
    inner = np.where(np.isfinite(scores), scores, -np.inf)
    peaks = [i for i in range(1, len(inner) - 1) if inner[i] >= inner[i - 1] and inner[i] > inner[i + 1] and i != best]
    ends = [i for i in (0, len(inner) - 1) if inner[i] > inner[best] - UNIQUE]
    for rival in sorted([*peaks, *ends], key=lambda i: -inner[i]):
        between = inner[min(rival, best) : max(rival, best) + 1]
        separate = between.min() < min(inner[rival], inner[best]) - UNIQUE / 2  # not a ripple on the same summit
        if inner[rival] > inner[best] - UNIQUE and separate:
            return (
                f"an offset of {lags[rival]:+.2f} s fits about as well as {lags[best]:+.2f} s, because repetitions "
                "of a movement look alike"
            )
    return ""
