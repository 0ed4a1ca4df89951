"""When each frame of a Kinect recording was taken: kept from the file, never counted if the file has times.

Timestamps come in seconds, milliseconds, microseconds (Azure), ticks of 100 ns (Kinect v2) or as time of day. A header
may name the unit. If it does not, the median step shows it: a Kinect delivers about 30 frames a second, and the units
lie a factor of ten or more apart. A dropped frame is a longer step, not a shift.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path

import numpy as np

from gonio.core.arrays import FloatArray
from gonio.core.errors import InputError
from gonio.io.reading import check_times

_SECONDS = {"s": Decimal(1), "ms": Decimal("1e-3"), "us": Decimal("1e-6"), "ticks of 100 ns": Decimal("1e-7")}
_SLOWEST_HZ, _FASTEST_HZ = 9.5, 95.0
_SAME_RATE = 0.05
_DAY_S = 86400.0
_MOST_DIGITS = 20  # before the point, in any unit, from any year
_GAP = 1.5


def times_of(
    path: Path,
    lines: Sequence[int],
    *,
    stamps: Sequence[str] | None,
    unit: str,
    numbers: Sequence[str] | None,
    rate_hz: float | None,
) -> tuple[FloatArray, tuple[str, ...]]:
    """(time,) seconds of the frames, and what was done, as sentences.

    lines    of the frames in the file
    stamps   the file's times, as written; `unit` their unit ("s", "ms", "us"; "" if it is not stated)
    numbers  the file's frame numbers, as written; used if the file has no times, with the declared `rate_hz`

    Raises `InputError` if a time is not a time or not after the one before, if the unit cannot be found, if neither
    times nor a rate are given, and if the declared rate is more than 5 % from the file's.
    """
    if stamps is not None:
        times_s, messages = _from_stamps(path, lines, stamps, unit)
        check_times(path, times_s.tolist(), lines)
        own_hz = 1 / float(np.median(np.diff(times_s))) if len(times_s) > 1 else rate_hz
        if rate_hz is not None and own_hz is not None and abs(own_hz - rate_hz) > _SAME_RATE * rate_hz:
            raise InputError(
                f"{path}: by its times the file has {own_hz:.4g} frames per second, declared were {rate_hz:g}"
            )
        return times_s, (*messages, *_gaps(times_s))
    if rate_hz is None:
        raise InputError(f"{path}: has no times; declare the frames per second with --fps (a Kinect has 30)")
    if not rate_hz > 0:
        raise InputError(f"{path}: a rate of {rate_hz:g} frames per second is not possible")
    if numbers is None:
        return np.arange(len(lines)) / rate_hz, (
            f"no times and no frame numbers: {rate_hz:g} frames per second as declared, dropped frames cannot be seen",
        )
    counted = np.array([float(_decimal(path, line, cell)) for line, cell in zip(lines, numbers, strict=True)])
    check_times(path, (counted / rate_hz).tolist(), lines)
    return counted / rate_hz, (f"times are frame numbers at {rate_hz:g} per second as declared", *_gaps(counted))


def _from_stamps(
    path: Path, lines: Sequence[int], stamps: Sequence[str], unit: str
) -> tuple[FloatArray, tuple[str, ...]]:
    if any(":" in stamp for stamp in stamps):
        clocks = [_clock(path, line, stamp) for line, stamp in zip(lines, stamps, strict=True)]
        seconds = [(clock - clocks[0]) / timedelta(seconds=1) for clock in clocks]
        return np.array(seconds), (f"times count from the first frame, taken at {stamps[0]}",)
    values = [_decimal(path, line, stamp) for line, stamp in zip(lines, stamps, strict=True)]
    messages: list[str] = []
    if not unit:
        unit = _unit_by_step(path, values)
        if unit != "s":
            messages.append(f"times taken as {unit}, by their step")
    start = values[0] * _SECONDS[unit]
    if start >= Decimal(_DAY_S):  # a date in some clock's count: floats would lose the fractions
        messages.append(f"times count from the first frame, which the file calls {stamps[0]}")
        values = [value - values[0] for value in values]
    return np.array([float(value * _SECONDS[unit]) for value in values]), tuple(messages)


def _unit_by_step(path: Path, values: Sequence[Decimal]) -> str:
    steps = np.diff([float(value - values[0]) for value in values])
    steps = steps[steps > 0]  # the others are refused, once the unit is known
    if not len(steps):
        return "s"
    step = float(np.median(steps))
    for unit, seconds in _SECONDS.items():
        if 1 / _FASTEST_HZ <= step * float(seconds) < 1 / _SLOWEST_HZ:
            return unit
    raise InputError(
        f"{path}: the times step by {step:g}, which is no Kinect's rate in seconds, milliseconds, microseconds or "
        f"ticks of 100 ns; name the column time_s, time_ms or time_us"
    )


def _decimal(path: Path, line: int, cell: str) -> Decimal:
    try:
        value = Decimal(cell)
    except InvalidOperation:
        value = Decimal("nan")
    if not value.is_finite() or value.adjusted() > _MOST_DIGITS:
        raise InputError(f"{path}: line {line}: {cell[:40]!r} is no time or frame number; export the file again")
    return value


def _clock(path: Path, line: int, stamp: str) -> datetime:
    for text in (stamp, f"2000-01-01 {stamp}"):
        try:
            return datetime.fromisoformat(text)
        except ValueError:
            continue
    raise InputError(f"{path}: line {line}: {stamp[:40]!r} is no time of day (2020-01-31 12:30:59.033 or 12:30:59.033)")


def _gaps(times: FloatArray) -> tuple[str, ...]:
    """How many frames were dropped, by steps of more than 1.5 median ones."""
    steps = np.diff(times)
    if not len(steps):
        return ()
    usual = float(np.median(steps))
    long = steps[steps > _GAP * usual]
    if not len(long):
        return ()
    dropped = int(np.rint(long / usual - 1).sum())
    return (f"{len(long)} gaps in time, about {dropped} frames dropped: left as gaps",)
