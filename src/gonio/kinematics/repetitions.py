"""Repetitions of an exercise: their times, found in the joint angle that moves most.

A repetition begins and ends in rest. `find_repetitions` takes one angle through these steps:

1. The curve is resampled to an even grid of 50 Hz, linearly in time and across missing values. It is smoothed by a
   median over 0.1 s, which removes single outliers, and a Gaussian of 0.1 s.
2. Turning points: a peak is a point from which the curve falls by `SWING` of the typical swing before it rises above
   it, and the reverse for a trough. Only the difference between neighbours counts. So a slow drift of the level has no
   effect, and a pause may have any length.
3. Rest is the end of the swing at which the recording begins and ends. So bending a straight knee and straightening a
   bent one are both one repetition. If the recording begins and ends in the middle of the swing, the movement goes both
   ways from rest (internal and external rotation), and two turning points make one repetition.
4. A turning point that does not come near the rest level of its neighbours is a part of the repetition (a dip in a deep
   squat), not its end.
5. On each side of the peak, the foot of the flank is the point at which the speed has fallen to `SLOW` of its maximum.
   The repetition begins (ends) at the point that is `EDGE` of the height above the foot. Each side has its own level of
   rest.
6. An unsigned angle folds at its zero: a knee that rests 10 degrees overextended goes down to 0 and up again before it
   bends. A quick short movement in the other direction right after the foot belongs to the repetition.

The typical swing is a median, so repetitions may differ by a factor of two in size.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from gonio.core.angle_series import AngleSeries
from gonio.core.arrays import BoolArray, FloatArray, frozen
from gonio.core.errors import InputError

RATE_HZ = 50.0
SMOOTHING_S = 0.1  # the window of the median, and the standard deviation of the Gaussian
SWING = 0.4  # of the typical swing: smaller movements are not counted
SMALLEST_RAD = float(np.deg2rad(10))  # a typical swing below this is sway and noise, not an exercise
RETURN = 0.5  # of the typical swing: a turning point farther from rest is not rest
SLOW = 0.1  # of a flank's highest speed: its foot
EDGE = 0.05  # of a repetition's height: the level at which it begins and ends
SHORTEST_S = 0.4  # a quicker movement is a jump of the measurement
LONGEST_GAP_S = 1.0  # a repetition with a longer gap is not measured
JUMP_RAD_S = float(np.deg2rad(600))  # no exercise turns a joint faster
SHORTEST_RECORDING_S = 1.0
TURN_S = 0.2  # from the foot of a flank to the turn, where an unsigned angle passes its zero and folds
FOLD_S = 0.6  # the longest movement beyond a fold
FOLD_SPEED = 0.15  # of the flank's highest speed: such a movement reaches it, a drift in a pause does not
END_S = 0.2  # at either end of a recording, the level of rest

Rest = Literal["low", "high", "middle"]
Frames = tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class Repetitions:
    """The repetitions of one recording, in the order of time.

    angle        the angle in which they were found; "" if none was found
    starts_s     (n,) when the movement leaves rest
    ends_s       (n,) when it is back at rest
    peaks_s      (n,) when it is farthest from rest
    description  for people: how the angle was chosen, and counts of what was found and left out
    """

    angle: str
    starts_s: FloatArray
    ends_s: FloatArray
    peaks_s: FloatArray
    description: str

    def __post_init__(self) -> None:
        for name in ("starts_s", "ends_s", "peaks_s"):
            object.__setattr__(self, name, frozen(getattr(self, name)))
        starts, ends, peaks = self.starts_s, self.ends_s, self.peaks_s
        if starts.ndim != 1 or not starts.shape == ends.shape == peaks.shape:
            raise InputError(f"repetitions need as many starts as ends and peaks: {starts.shape}, {ends.shape}")
        if not ((starts < peaks) & (peaks < ends)).all() or (starts[1:] < ends[:-1]).any():
            raise InputError("a repetition starts before its peak, ends after it, and before the next one starts")

    def __len__(self) -> int:
        return len(self.starts_s)


def find_repetitions(angles: AngleSeries, *, angle: str | None = None) -> Repetitions:
    """The repetitions of a recording, by the method of this module.

    angle  the angle to use (default: the one that moves most)

    The angle that moves most has the highest score: its typical swing, times the square root of its number of
    repetitions (a change of posture is not an exercise), times the share of its path that consists of swings, times
    the share that is not jumps (jitter is not movement).

    If there is no repetition the result is empty and its description states why. The description also counts what was
    left out: small movements, movements that the ends of the recording cut, movements that are too quick, and those
    with a gap longer than `LONGEST_GAP_S`.
    Raises `InputError` if the angle is unknown, and for a recording of less than a second.
    """
    span_s = float(np.ptp(angles.times_s)) if len(angles) else 0.0
    if span_s < SHORTEST_RECORDING_S:
        raise InputError(
            f"a recording of {span_s:.2g} s ({len(angles)} frames) is too short to hold a repetition; "
            f"at least {SHORTEST_RECORDING_S:g} s are needed"
        )
    if angle is not None:
        return _described(_search(angle, angles.radians[angle], angles.times_s), "as requested")
    found = [_search(name, angles.radians[name], angles.times_s) for name in angles.names]
    best = max(found, key=lambda search: search.score, default=None)
    if best is None or best.score == 0:
        why = f"no angle swings by {np.rad2deg(SMALLEST_RAD):.0f} degrees again and again"
        empty = np.empty(0)
        return Repetitions("", empty, empty, empty, f"no repetition: {why} ({len(found)} angles tried)")
    return _described(best, f"the one of {len(found)} that moves most")


def time_normalised(series: AngleSeries, start_s: float, end_s: float, points: int = 101) -> FloatArray:
    """(points, angle) radians: each angle at even steps from `start_s` (0 %) to `end_s` (100 %).

    Linear in time between neighbouring samples. NaN if a neighbour is missing or outside the recording: nothing is
    extrapolated, no gap is bridged. Raises `InputError` if the end is not after the start, or for fewer than 2 points.
    """
    if not end_s > start_s:
        raise InputError(f"a repetition must end after its start; this one lasts from {start_s:g} to {end_s:g} s")
    if points < 2:
        raise InputError(f"a repetition needs at least 2 points, not {points}")
    targets_s = np.linspace(start_s, end_s, points)
    if not len(series):
        return np.full((points, len(series.names)), np.nan)
    inside = (targets_s >= series.times_s[0]) & (targets_s <= series.times_s[-1])
    after = np.clip(np.searchsorted(series.times_s, targets_s), 0, len(series) - 1)
    before = np.where(series.times_s[after] == targets_s, after, np.maximum(after - 1, 0))
    length = series.times_s[after] - series.times_s[before]
    share = np.divide(targets_s - series.times_s[before], length, out=np.zeros(points), where=length > 0)[:, None]
    between = (1 - share) * series.angles_rad[before] + share * series.angles_rad[after]
    return np.asarray(np.where(inside[:, None], between, np.nan))


def smoothed(values: FloatArray, times_s: FloatArray) -> FloatArray:
    """(time,) one angle, smoothed as in `find_repetitions`, at its own times; NaN if it is missing."""
    finite = np.isfinite(values)
    if finite.sum() < 2:
        return np.where(finite, values, np.nan)
    grid_s, raw = _on_grid(values[finite], times_s[finite])
    return np.where(finite, np.interp(times_s, grid_s, _smooth(raw)), np.nan)


def _on_grid(values: FloatArray, times_s: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Times at `RATE_HZ` up to the last value or just after it, and the values at these times."""
    grid_s = times_s[0] + np.arange(int(np.ceil((times_s[-1] - times_s[0]) * RATE_HZ - 1e-6)) + 1) / RATE_HZ
    return grid_s, np.interp(grid_s, times_s, values)


@dataclass(frozen=True, eq=False)
class _Search:
    """The repetitions of one angle: (repetition, 3) start, peak and end in seconds, and the numbers left out."""

    angle: str
    times_s: FloatArray
    swing_rad: float = 0.0
    rest: Rest = "low"
    score: float = 0.0
    left_out: tuple[tuple[int, str], ...] = ()
    missing: int = 0


def _described(search: _Search, chosen: str) -> Repetitions:
    text = f"{len(search.times_s)} repetitions" if len(search.times_s) != 1 else "1 repetition"
    text += f" in {search.angle} ({chosen})"
    if search.swing_rad < SMALLEST_RAD:
        text += (
            f": it swings by {np.rad2deg(search.swing_rad):.1f} degrees; "
            f"an exercise needs {np.rad2deg(SMALLEST_RAD):.0f}"
        )
    else:
        turn = {"low": "up from rest", "high": "down from rest", "middle": "both ways from rest"}[search.rest]
        text += f", typically {np.rad2deg(search.swing_rad):.0f} degrees, {turn}"
    if search.missing:
        text += f"; {search.missing} missing value{'' if search.missing == 1 else 's'} bridged"
    left_out = [f"{number} {why}" for number, why in search.left_out if number]
    if left_out:
        text += f"; left out: {', '.join(left_out)}"
    starts, peaks, ends = search.times_s.T if len(search.times_s) else np.empty((3, 0))
    return Repetitions(search.angle, starts, ends, peaks, text)


def _search(angle: str, values: FloatArray, times_s: FloatArray) -> _Search:
    finite = np.isfinite(values)
    missing = int((~finite).sum())
    nothing = _Search(angle, np.empty((0, 3)), missing=missing)
    if finite.sum() < 3 or np.ptp(times_s[finite]) < SHORTEST_RECORDING_S:
        return nothing
    grid_s, raw = _on_grid(values[finite], times_s[finite])
    curve = _smooth(raw)
    swing = _typical_swing(curve)
    if swing < SMALLEST_RAD:
        return _Search(angle, np.empty((0, 3)), swing_rad=swing, missing=missing)
    turns = _turning_points(curve, SWING * swing)
    rest = _rest(curve, turns)
    small = max(0, len(_turning_points(curve, SWING / 2 * swing)) - len(turns)) // 2
    if rest == "middle":
        frames, cut = _both_ways(curve, turns)
    else:
        frames, cut = _one_way(curve if rest == "low" else -curve, turns, swing)
    quick = np.array([end - start < SHORTEST_S * RATE_HZ for start, _, end in frames], bool)
    found = grid_s[np.array(frames, int).reshape(-1, 3)[~quick]]
    gaps = _long_gaps(times_s, finite)
    holed = np.array([any(low < end and high > start for low, high in gaps) for start, _, end in found], bool)
    found = found[~holed]
    return _Search(
        angle,
        found,
        swing_rad=swing,
        rest=rest,
        score=_score(raw, curve, turns, swing) * len(found) ** 0.5,
        left_out=(
            (small, "smaller movement" if small == 1 else "smaller movements"),
            (cut, "cut by the recording's ends"),
            (int(quick.sum()), f"quicker than {SHORTEST_S:g} s"),
            (int(holed.sum()), f"with a gap longer than {LONGEST_GAP_S:g} s"),
        ),
        missing=missing,
    )


def _smooth(values: FloatArray) -> FloatArray:
    """(time,) the values at `RATE_HZ`, smoothed by a median and a Gaussian."""
    from scipy.ndimage import gaussian_filter1d, median_filter  # noqa: PLC0415

    window = int(SMOOTHING_S * RATE_HZ) // 2 * 2 + 1
    without_outliers = median_filter(values, size=window, mode="nearest")
    return np.asarray(gaussian_filter1d(without_outliers, SMOOTHING_S * RATE_HZ, mode="nearest"))


def _typical_swing(curve: FloatArray) -> float:
    """Radians: the median difference between neighbouring turning points; 0 if the curve has none."""
    swing = float(np.ptp(np.percentile(curve, [2, 98])))
    for _ in range(3):  # drift or one large movement makes the first guess too large; it then converges
        turns = _turning_points(curve, SWING * swing)
        if len(turns) < 2:
            break
        swing = float(np.median(np.abs(np.diff(curve[turns]))))
    return swing


def _turning_points(curve: FloatArray, threshold: float) -> list[int]:
    """Frames of the turning points, each at least `threshold` from the one before; peaks and troughs alternate.

    The first is the start of the first movement, the last the end of the last movement. Empty if the curve never moves
    by `threshold`.
    """
    turns: list[int] = []
    levels = curve.tolist()
    low = high = rising = 0  # rising: 1, falling: -1, not known yet: 0
    for i, level in enumerate(levels):
        high = i if level > levels[high] else high
        low = i if level < levels[low] else low
        if rising >= 0 and levels[high] - level >= threshold:
            turns.append(high)
            rising, low = -1, i
        elif rising <= 0 and level - levels[low] >= threshold:
            turns.append(low)
            rising, high = 1, i
    return [*turns, high if rising > 0 else low] if rising else []


def _rest(curve: FloatArray, turns: list[int]) -> Rest:
    """The end of the swing at which the movement rests, from both ends of the recording."""
    edge = int(END_S * RATE_HZ)
    shares = []
    for level, near in ((np.median(curve[:edge]), turns[:4]), (np.median(curve[-edge:]), turns[-4:])):
        low, high = float(np.min(curve[near])), float(np.max(curve[near]))
        shares.append((float(level) - low) / max(high - low, 1e-9))
    if all(0.3 < share < 0.7 for share in shares):
        return "middle"
    return "low" if sum(shares) / 2 < 0.5 else "high"


def _one_way(curve: FloatArray, turns: list[int], swing: float) -> tuple[list[Frames], int]:
    """Repetitions that go up from rest and back: (start, peak, end) frames, and the number cut by the ends."""
    first_is_peak = curve[turns[0]] > curve[turns[1]]
    last_is_peak = curve[turns[-1]] > curve[turns[-2]]
    troughs = turns[int(first_is_peak) :: 2]
    levels = curve[troughs]
    local = np.array([np.median(levels[max(0, i - 2) : i + 3]) for i in range(len(levels))])
    at_rest = levels - local <= RETURN * swing
    frames, cut = [], int(first_is_peak) + int(last_is_peak)
    rests = [trough for trough, rests_there in zip(troughs, at_rest, strict=True) if rests_there]
    cut += int(not first_is_peak and not at_rest[0]) + int(not last_is_peak and not at_rest[-1])
    for before, after in pairwise(rests):
        peaks = [turn for turn in turns if before < turn < after and turn not in troughs]
        start = _edge(curve, peaks[0], before, max((turn for turn in turns if turn < before), default=0))
        end = _edge(curve, peaks[-1], after, min((turn for turn in turns if turn > after), default=len(curve) - 1))
        frames.append((start, max(peaks, key=lambda peak: curve[peak]), end))
    return _separated(frames), cut


def _both_ways(curve: FloatArray, turns: list[int]) -> tuple[list[Frames], int]:
    """Repetitions to one side of rest, through rest to the other side, and back; returned as by `_one_way`."""
    edge = int(END_S * RATE_HZ)
    level = np.interp(np.arange(len(curve)), [0, len(curve) - 1], [np.median(curve[:edge]), np.median(curve[-edge:])])
    height = curve - level
    typical = float(np.median(np.abs(height[turns])))
    sides: list[int] = []  # the farthest frame on each side of rest, alternating
    for turn in turns:
        if abs(height[turn]) < SWING * typical:
            continue
        if sides and height[sides[-1]] * height[turn] > 0:
            sides[-1] = max(sides[-1], turn, key=lambda frame: abs(height[frame]))
        else:
            sides.append(turn)
    bounds = [0, *sides, len(curve) - 1]  # bounds[i] comes before sides[i]
    frames = []
    for i in range(0, len(sides) - 1, 2):
        first, second = sides[i], sides[i + 1]
        start, end = _crossing(height, first, bounds[i]), _crossing(height, second, bounds[i + 3])
        if start < first and end > second:
            frames.append((start, first if abs(height[first]) >= abs(height[second]) else second, end))
    return _separated(frames), (len(sides) + 1) // 2 - len(frames)


def _separated(frames: list[Frames]) -> list[Frames]:
    """The repetitions; two that overlap (both continue beyond a fold) meet in the middle of the overlap."""
    separated = list(frames)
    for i in range(len(separated) - 1):
        (start, peak, end), (following, next_peak, next_end) = separated[i : i + 2]
        if following < end:
            middle = (following + end) // 2
            separated[i : i + 2] = [(start, peak, middle), (middle, next_peak, next_end)]
    return separated


def _crossing(height: FloatArray, peak: int, until: int) -> int:
    """The first frame from a peak towards `until` whose height over rest is `EDGE` of the peak's."""
    step = 1 if until > peak else -1
    side = np.sign(height[peak]) * height[np.arange(peak, until + step, step)]
    near = np.flatnonzero(side <= EDGE * side[0])
    return peak + step * int(near[0] if len(near) else np.argmin(side))


def _edge(curve: FloatArray, peak: int, trough: int, limit: int) -> int:
    """The frame between a peak and the next, `limit`, at which the repetition begins or ends; rest is at `trough`."""
    step = 1 if trough > peak else -1
    path = curve[np.arange(peak, limit + step, step)]
    rest = abs(trough - peak)
    falling = -np.diff(path)
    fastest = int(np.argmax(falling[:rest]))
    near = path[1 : rest + 1] - path[rest] <= RETURN * (path[0] - path[rest])
    slow = near & (falling[:rest] < SLOW * falling[fastest]) & (np.arange(rest) > fastest)
    foot = 1 + int(np.argmax(slow)) if slow.any() else rest
    edge = int(np.argmax(path <= path[foot] + EDGE * (path[0] - path[foot])))
    return peak + step * (_beyond_fold(path, foot, float(falling[fastest])) or edge)


def _beyond_fold(path: FloatArray, foot: int, fastest: float) -> int:
    """The end of a movement that continues beyond the foot in the other direction; 0 if there is none.

    An unsigned angle that passes its zero rises again: a straight knee reads 0, and 10 degrees at rest.
    """
    soon = int(TURN_S * RATE_HZ)
    turn = foot + int(np.argmin(path[foot : foot + soon]))
    rising = np.diff(path[turn : turn + int(FOLD_S * RATE_HZ)])
    if not (rising > FOLD_SPEED * fastest).any():
        return 0
    quickest = int(np.argmax(rising))
    over = rising[quickest:] < SLOW * fastest
    if not over.any():
        return 0
    top = turn + quickest + int(np.argmax(over))
    height, rise = path[0] - path[turn], path[top] - path[turn]
    if not EDGE * height < rise < RETURN * height:
        return 0
    return turn + int(np.argmax(path[turn:] >= path[top] - EDGE * height))


def _long_gaps(times_s: FloatArray, finite: BoolArray) -> list[tuple[float, float]]:
    """Times of the last value before each long gap and of the first value after it."""
    valid_s = times_s[finite]
    long = np.flatnonzero(np.diff(valid_s) > LONGEST_GAP_S)
    return [(float(valid_s[i]), float(valid_s[i + 1])) for i in long]


def _score(raw: FloatArray, curve: FloatArray, turns: list[int], swing: float) -> float:
    """The swing in radians, times the share of the curve's path in swings and that of the raw path without jumps."""
    steps = np.abs(np.diff(raw))
    jumps = float(steps[steps > JUMP_RAD_S / RATE_HZ].sum() / steps.sum())
    length = float(np.abs(np.diff(curve)).sum())
    return swing * float(np.abs(np.diff(curve[turns])).sum()) / length * (1 - jumps)
