"""Sentences for the clinician: `interpret` puts the result of a statistic into one line, with its population.

Each statistic registers its own sentence beside its result, with `@interpret.register`; the functions here write the
parts that all sentences share.
"""

from __future__ import annotations

from functools import singledispatch

from gonio.comparison.statistics.intervals import Interval


@singledispatch
def interpret(figure: object, *, population: str, unit: str = "") -> str:
    """One line for the clinician. Raises `TypeError` for a result that no statistic has registered.

    figure        the result of a statistic: `Limits`, `Reliability`, `MeasurementError`, `Concordance`, `Deming`, ...
    population    the people and the movement: "8 healthy adults, squat"
    unit          of the values: "deg", "mm"; a reliability or concordance has none
    """
    raise TypeError(f"no interpretation for a {type(figure).__name__}")


def interval_phrase(interval: Interval | None, digits: int = 1) -> str:
    """Give " (95 % interval 1.0 to 2.0)"; empty without an interval."""
    if interval is None:
        return ""
    return f" ({100 * interval.level:g} % interval {interval.low:z.{digits}f} to {interval.high:z.{digits}f})"


def interval_or_note(interval: Interval | None, note: str, digits: int = 1) -> str:
    """Give "95 % interval 1.0 to 2.0", or the note that says why there is none."""
    return interval_phrase(interval, digits)[2:-1] if interval else note


def note_phrase(note: str) -> str:
    """The note in brackets, if there is one."""
    return f" ({note})" if note else ""


def unit_phrase(unit: str) -> str:
    """The unit with a space before it, if there is one."""
    return f" {unit}" if unit else ""
