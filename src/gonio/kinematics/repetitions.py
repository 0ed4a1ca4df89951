"""Where the repetitions of an exercise lie, found in the joint angle that moves most.

A repetition begins and ends in rest. `find_repetitions` takes one angle through these steps:

1. The curve is put on an even grid of 50 Hz, linearly in real time and across what is missing, and smoothed (a median
   over 0.1 s against single flips, a Gaussian of 0.1 s).
2. The turning points are those of the zigzag: a peak is one from which the curve falls by `SWING` of the typical swing
   before it rises above it, and the reverse for a trough. Only the swing between neighbours counts, so a slow drift of
   the level changes nothing, and a pause of any length is just a flat piece.
3. Which end is rest: where the recording begins and ends. So a knee that is bent from the straight and one that is
   straightened from the bent are both one repetition. Where it begins and ends in the middle of its swing, the
   movement goes both ways from rest (internal and external rotation), and two turning points make one repetition.
4. A turn that does not come back near the neighbours' level of rest is a part of the repetition (the dip in a deep
   squat), not its end.
5. From the peak outwards, the foot of a flank is where its speed has fallen to `SLOW` of its highest; the repetition
   begins (ends) where the curve is `EDGE` of its height above that foot. Each side has its own level of rest.
6. An unsigned angle folds where it passes its zero: a knee that rests 10 degrees overstretched goes down to 0 and up
   again before it bends. A quick short movement the other way, right beyond the foot, belongs to the repetition.

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
SWING = 0.4  # of the typical swing: what smaller movements do not reach
SMALLEST_RAD = float(np.deg2rad(10))  # a typical swing below this is sway and noise, not an exercise
RETURN = 0.5  # of the typical swing: a turn that stays further from rest is no rest
SLOW = 0.1  # of a flank's highest speed: its foot
EDGE = 0.05  # of a repetition's height: where it begins and ends
SHORTEST_S = 0.4  # a quicker movement is a jump of the measurement
LONGEST_GAP_S = 1.0  # a repetition that misses more than this at a stretch is not measured
JUMP_RAD_S = float(np.deg2rad(600))  # no exercise turns a joint faster
SHORTEST_RECORDING_S = 1.0
TURN_S = 0.2  # from the foot of a flank to the turn, where an unsigned angle passes its zero and folds
FOLD_S = 0.6  # the longest movement beyond a fold
FOLD_SPEED = 0.15  # of the flank's highest speed: what such a movement reaches, and a drift in a pause does not
END_S = 0.2  # at either end of a recording, the level of rest

Rest = Literal["low", "high", "middle"]
Frames = tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class Repetitions:
    """The repetitions of one recording, in the order of time.

    angle     the angle in which they were found; "" where none could be chosen
    starts_s  (n,) when the movement leaves rest
    ends_s    (n,) when it is back
    peaks_s   (n,) when it is furthest from rest
    words     how the angle was chosen, what was found and what was left out, counted
    """

    angle: str
    starts_s: FloatArray
    ends_s: FloatArray
    peaks_s: FloatArray
    words: str

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
    """Cuts a recording into repetitions; see the module for the method.

    `angle` names the angle to use. Without it each angle is tried, and the one that moves most is taken: that with the
    largest typical swing, times the root of how often it does so (a change of posture is not an exercise), times the
    share of its way that its swings make up and that no jump does (an angle that trembles or flips does not move).

    Where there is no repetition the answer is empty and its words say why. What was left out is counted: small
    movements, what the recording's ends cut, what is too quick, and what misses more than `LONGEST_GAP_S` at a stretch.
    Raises `InputError` where there is no angle of that name, and for a recording of less than a second.
    """
    span_s = float(np.ptp(angles.times_s)) if len(angles) else 0.0
    if span_s < SHORTEST_RECORDING_S:
        raise InputError(
            f"a recording of {span_s:.2g} s ({len(angles)} frames) is too short to hold a repetition; "
            f"at least {SHORTEST_RECORDING_S:g} s are needed"
        )
    if angle is not None:
        return _in_words(_search(angle, angles.radians[angle], angles.times_s), "as asked for")
    found = [_search(name, angles.radians[name], angles.times_s) for name in angles.names]
    best = max(found, key=lambda search: search.score, default=None)
    if best is None or best.score == 0:
        why = f"no angle swings by {np.rad2deg(SMALLEST_RAD):.0f} degrees again and again"
        empty = np.empty(0)
        return Repetitions("", empty, empty, empty, f"no repetition: {why} ({len(found)} angles tried)")
    return _in_words(best, f"the one of {len(found)} that moves most")


def time_normalised(series: AngleSeries, start_s: float, end_s: float, points: int = 101) -> FloatArray:
    """(points, angle) radians: each angle at even steps from `start_s` (0 %) to `end_s` (100 %).

    Linear in real time between neighbouring samples. NaN where a neighbour is missing or where the recording does not
    reach: nothing is extrapolated, no gap is bridged. Raises `InputError` where the end is not after the start, and
    for fewer than two points.
    """
    if not end_s > start_s:
        raise InputError(f"a repetition must end after it starts; this one goes from {start_s:g} to {end_s:g} s")
    if points < 2:
        raise InputError(f"a repetition needs at least 2 points, not {points}")
    wanted = np.linspace(start_s, end_s, points)
    if not len(series):
        return np.full((points, len(series.names)), np.nan)
    inside = (wanted >= series.times_s[0]) & (wanted <= series.times_s[-1])
    after = np.clip(np.searchsorted(series.times_s, wanted), 0, len(series) - 1)
    before = np.where(series.times_s[after] == wanted, after, np.maximum(after - 1, 0))
    length = series.times_s[after] - series.times_s[before]
    share = np.divide(wanted - series.times_s[before], length, out=np.zeros(points), where=length > 0)[:, None]
    between = (1 - share) * series.angles_rad[before] + share * series.angles_rad[after]
    return np.asarray(np.where(inside[:, None], between, np.nan))


def smoothed(values: FloatArray, times_s: FloatArray) -> FloatArray:
    """(time,) one angle as it is smoothed here, at its own times; NaN where it is missing."""
    seen = np.isfinite(values)
    if seen.sum() < 2:
        return np.where(seen, values, np.nan)
    grid_s, raw = _on_grid(values[seen], times_s[seen])
    return np.where(seen, np.interp(times_s, grid_s, _smooth(raw)), np.nan)


def _on_grid(values: FloatArray, times_s: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Times at `RATE_HZ`, the last one at or after the last value's, and the values there."""
    grid_s = times_s[0] + np.arange(int(np.ceil((times_s[-1] - times_s[0]) * RATE_HZ - 1e-6)) + 1) / RATE_HZ
    return grid_s, np.interp(grid_s, times_s, values)


@dataclass(frozen=True, eq=False)
class _Search:
    """What was found in one angle: (repetition, 3) start, peak and end in seconds, and what was left out."""

    angle: str
    times_s: FloatArray
    swing_rad: float = 0.0
    rest: Rest = "low"
    score: float = 0.0
    left_out: tuple[tuple[int, str], ...] = ()
    missing: int = 0


def _in_words(search: _Search, chosen: str) -> Repetitions:
    words = f"{len(search.times_s)} repetitions" if len(search.times_s) != 1 else "1 repetition"
    words += f" in {search.angle} ({chosen})"
    if search.swing_rad < SMALLEST_RAD:
        words += (
            f": it swings by {np.rad2deg(search.swing_rad):.1f} degrees; "
            f"an exercise needs {np.rad2deg(SMALLEST_RAD):.0f}"
        )
    else:
        turn = {"low": "up from rest", "high": "down from rest", "middle": "both ways from rest"}[search.rest]
        words += f", typically {np.rad2deg(search.swing_rad):.0f} degrees, {turn}"
    if search.missing:
        words += f"; {search.missing} missing value{'' if search.missing == 1 else 's'} bridged"
    left_out = [f"{number} {why}" for number, why in search.left_out if number]
    if left_out:
        words += f"; left out: {', '.join(left_out)}"
    starts, peaks, ends = search.times_s.T if len(search.times_s) else np.empty((3, 0))
    return Repetitions(search.angle, starts, ends, peaks, words)


def _search(angle: str, values: FloatArray, times_s: FloatArray) -> _Search:
    seen = np.isfinite(values)
    missing = int((~seen).sum())
    nothing = _Search(angle, np.empty((0, 3)), missing=missing)
    if seen.sum() < 3 or np.ptp(times_s[seen]) < SHORTEST_RECORDING_S:
        return nothing
    grid_s, raw = _on_grid(values[seen], times_s[seen])
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
    gaps = _long_gaps(times_s, seen)
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
    """(time,) on the grid of `RATE_HZ`: a median, then a Gaussian."""
    from scipy.ndimage import gaussian_filter1d, median_filter  # noqa: PLC0415

    window = int(SMOOTHING_S * RATE_HZ) // 2 * 2 + 1
    calm = median_filter(values, size=window, mode="nearest")
    return np.asarray(gaussian_filter1d(calm, SMOOTHING_S * RATE_HZ, mode="nearest"))


def _typical_swing(curve: FloatArray) -> float:
    """Radians: the median way between neighbouring turning points; 0 where the curve does not turn."""
    swing = float(np.ptp(np.percentile(curve, [2, 98])))
    for _ in range(3):  # the first guess is too large under drift or a single large movement, then it settles
        turns = _turning_points(curve, SWING * swing)
        if len(turns) < 2:
            break
        ways = np.abs(np.diff(curve[turns]))
        swing = float(np.median(ways))
    return swing


def _turning_points(curve: FloatArray, threshold: float) -> list[int]:
    """Frames where the curve turns, each at least `threshold` from the one before; peaks and troughs alternate.

    The first is where the first movement sets out from, the last how far the last movement came. Empty where the curve
    never moves by `threshold`.
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
    """At which end of its swing the movement rests, seen at both ends of the recording."""
    edge = int(END_S * RATE_HZ)
    shares = []
    for level, near in ((np.median(curve[:edge]), turns[:4]), (np.median(curve[-edge:]), turns[-4:])):
        low, high = float(np.min(curve[near])), float(np.max(curve[near]))
        shares.append((float(level) - low) / max(high - low, 1e-9))
    if all(0.3 < share < 0.7 for share in shares):
        return "middle"
    return "low" if sum(shares) / 2 < 0.5 else "high"


def _one_way(curve: FloatArray, turns: list[int], swing: float) -> tuple[list[Frames], int]:
    """Repetitions that go up from rest and come back: (start, peak, end) frames, and how many the ends cut."""
    first_is_peak = curve[turns[0]] > curve[turns[1]]
    last_is_peak = curve[turns[-1]] > curve[turns[-2]]
    troughs = turns[int(first_is_peak) :: 2]
    levels = curve[troughs]
    local = np.array([np.median(levels[max(0, i - 2) : i + 3]) for i in range(len(levels))])
    at_rest = levels - local <= RETURN * swing
    frames, cut = [], int(first_is_peak) + int(last_is_peak)
    rests = [trough for trough, there in zip(troughs, at_rest, strict=True) if there]
    cut += int(not first_is_peak and not at_rest[0]) + int(not last_is_peak and not at_rest[-1])
    for before, after in pairwise(rests):
        peaks = [turn for turn in turns if before < turn < after and turn not in troughs]
        start = _edge(curve, peaks[0], before, max((turn for turn in turns if turn < before), default=0))
        end = _edge(curve, peaks[-1], after, min((turn for turn in turns if turn > after), default=len(curve) - 1))
        frames.append((start, max(peaks, key=lambda peak: curve[peak]), end))
    return _apart(frames), cut


def _both_ways(curve: FloatArray, turns: list[int]) -> tuple[list[Frames], int]:
    """Repetitions that go one way from rest, through rest to the other side, and back: as `_one_way`."""
    edge = int(END_S * RATE_HZ)
    level = np.interp(np.arange(len(curve)), [0, len(curve) - 1], [np.median(curve[:edge]), np.median(curve[-edge:])])
    away = curve - level
    typical = float(np.median(np.abs(away[turns])))
    sides: list[int] = []  # the furthest frame on each side of rest, in alternation
    for turn in turns:
        if abs(away[turn]) < SWING * typical:
            continue
        if sides and away[sides[-1]] * away[turn] > 0:
            sides[-1] = max(sides[-1], turn, key=lambda frame: abs(away[frame]))
        else:
            sides.append(turn)
    bounds = [0, *sides, len(curve) - 1]  # one more before than the sides
    frames = []
    for i in range(0, len(sides) - 1, 2):
        first, second = sides[i], sides[i + 1]
        start, end = _crossing(away, first, bounds[i]), _crossing(away, second, bounds[i + 3])
        if start < first and end > second:
            frames.append((start, first if abs(away[first]) >= abs(away[second]) else second, end))
    return _apart(frames), (len(sides) + 1) // 2 - len(frames)


def _apart(frames: list[Frames]) -> list[Frames]:
    """The same; two repetitions that overlap (both go on beyond a fold) share the time between them."""
    apart = list(frames)
    for i in range(len(apart) - 1):
        (start, peak, end), (following, next_peak, next_end) = apart[i : i + 2]
        if following < end:
            middle = (following + end) // 2
            apart[i : i + 2] = [(start, peak, middle), (middle, next_peak, next_end)]
    return apart


def _crossing(away: FloatArray, peak: int, until: int) -> int:
    """The frame between a peak and `until` where the curve is as near to rest as `EDGE` of the peak."""
    step = 1 if until > peak else -1
    side = np.sign(away[peak]) * away[np.arange(peak, until + step, step)]
    there = np.flatnonzero(side <= EDGE * side[0])
    return peak + step * int(there[0] if len(there) else np.argmin(side))


def _edge(curve: FloatArray, peak: int, trough: int, limit: int) -> int:
    """The frame between a peak and `limit`, the next peak, where the repetition begins or ends; rest is at `trough`."""
    step = 1 if trough > peak else -1
    way = curve[np.arange(peak, limit + step, step)]
    rest = abs(trough - peak)
    falling = -np.diff(way)
    fastest = int(np.argmax(falling[:rest]))
    near = way[1 : rest + 1] - way[rest] <= RETURN * (way[0] - way[rest])
    slow = near & (falling[:rest] < SLOW * falling[fastest]) & (np.arange(rest) > fastest)
    foot = 1 + int(np.argmax(slow)) if slow.any() else rest
    edge = int(np.argmax(way <= way[foot] + EDGE * (way[0] - way[foot])))
    return peak + step * (_beyond_fold(way, foot, float(falling[fastest])) or edge)


def _beyond_fold(way: FloatArray, foot: int, fastest: float) -> int:
    """Where a movement ends that goes on beyond the foot, the other way: 0 where it does not.

    An unsigned angle that passes its zero comes back up: a straightened knee reads 0, and 10 degrees at rest.
    """
    soon = int(TURN_S * RATE_HZ)
    turn = foot + int(np.argmin(way[foot : foot + soon]))
    rising = np.diff(way[turn : turn + int(FOLD_S * RATE_HZ)])
    if not (rising > FOLD_SPEED * fastest).any():
        return 0
    quickest = int(np.argmax(rising))
    over = rising[quickest:] < SLOW * fastest
    if not over.any():
        return 0
    top = turn + quickest + int(np.argmax(over))
    height, rise = way[0] - way[turn], way[top] - way[turn]
    if not EDGE * height < rise < RETURN * height:
        return 0
    return turn + int(np.argmax(way[turn:] >= way[top] - EDGE * height))


def _long_gaps(times_s: FloatArray, seen: BoolArray) -> list[tuple[float, float]]:
    """From the last value before each long gap to the first after it."""
    there = times_s[seen]
    long = np.flatnonzero(np.diff(there) > LONGEST_GAP_S)
    return [(float(there[i]), float(there[i + 1])) for i in long]


def _score(raw: FloatArray, curve: FloatArray, turns: list[int], swing: float) -> float:
    """The swing, radians, weighted with how much of the curve's way is swings and how much of the raw way no jumps."""
    steps = np.abs(np.diff(raw))
    jumps = float(steps[steps > JUMP_RAD_S / RATE_HZ].sum() / steps.sum())
    way = float(np.abs(np.diff(curve)).sum())
    return swing * float(np.abs(np.diff(curve[turns])).sum()) / way * (1 - jumps)
