"""Each figure of agreement in one line for the clinician, with whom it was measured on."""

from __future__ import annotations

import math
from functools import singledispatch

from gonio.comparison.statistics.concordance import Concordance, Deming
from gonio.comparison.statistics.intervals import Interval
from gonio.comparison.statistics.limits_of_agreement import Limits
from gonio.comparison.statistics.reliability import MeasurementError, Reliability
from gonio.comparison.statistics.spm import CurveTest


@singledispatch
def interpret(figure: object, *, population: str, unit: str = "") -> str:
    """One line for the clinician.

    figure        a `Limits`, `Reliability`, `MeasurementError`, `Concordance`, `Deming` or `CurveTest`
    unit          of the values: "deg", "mm"; a reliability or concordance has none
    population    whom and what it was measured on: "8 healthy adults, squat"
    """
    raise TypeError(f"no reading for a {type(figure).__name__}")


@interpret.register
def _(figure: Limits, *, population: str, unit: str = "") -> str:
    unit = _spaced(unit)
    side = "higher" if figure.bias >= 0 else "lower"
    return (
        f"In {population}, the method reads {abs(figure.bias):.1f}{unit} {side} than the reference on average"
        f"{_between(figure.bias_interval)}, and 95 % of single readings differ by {figure.low:+z.1f} to "
        f"{figure.high:+z.1f}{unit}{_because(figure.note)}."
    )


@interpret.register
def _(figure: Reliability, *, population: str, unit: str = "") -> str:
    if math.isnan(figure.value):
        return f"In {population}, the ICC({figure.kind}) does not exist: {figure.note}."
    what = "give the same values" if figure.kind == "2,1" else "give the same values, a constant bias apart,"
    return (
        f"In {population}, measurements {what} with ICC({figure.kind}) {figure.value:z.2f}"
        f"{_between(figure.interval, 2)}: {_strength(figure)} reliability to tell these people apart, "
        f"less in people who differ less{_because(figure.note)}."
    )


@interpret.register
def _(figure: MeasurementError, *, population: str, unit: str = "") -> str:
    if math.isnan(figure.sem):
        return f"In {population}, the {figure.label} error of measurement does not exist: {figure.note}."
    unit = _spaced(unit)
    return (
        f"In {population}, one value of this method is uncertain by {figure.sem:.1f}{unit} (SEM, {figure.label}; "
        f"{_shown(figure.interval, figure.note)}): a change of less than {figure.mdc95:.1f}{unit} (MDC95) may be error."
    )


@interpret.register
def _(figure: Concordance, *, population: str, unit: str = "") -> str:
    if math.isnan(figure.value):
        return f"In {population}, the concordance does not exist: {figure.note}."
    return (
        f"In {population}, the method gives the reference's number with a concordance of {figure.value:z.2f}"
        f"{_between(figure.interval, 2)}, where 1 is always; it is less in people who differ less"
        f"{_because(figure.note)}."
    )


@interpret.register
def _(figure: Deming, *, population: str, unit: str = "") -> str:
    if math.isnan(figure.slope):
        return f"In {population}, there is no line between the methods: {figure.note}."
    unit = _spaced(unit)
    return (
        f"In {population}, a change of 10{unit} by the reference reads as {10 * figure.slope:z.1f}{unit} by the method "
        f"(slope {figure.slope:z.2f}; {_shown(figure.slope_interval, figure.note, 2)})."
    )


@interpret.register
def _(figure: CurveTest, *, population: str, unit: str = "") -> str:
    if figure.note:
        return f"In {population}, the curves were not tested along the cycle: {figure.note}."
    where = ", ".join(f"{c.start_percent:.0f}-{c.end_percent:.0f} %" for c in figure.clusters)
    found = f"differ in {where} of the cycle" if where else "do not differ demonstrably anywhere in the cycle"
    return (
        f"In {population}, the mean curves of the two methods {found} (SPM, alpha {figure.alpha:g}); see by how much."
    )


def interpret_cmc(value: float, *, population: str) -> str:
    """One line for the clinician on a coefficient of multiple correlation."""
    if math.isnan(value):
        return (
            f"In {population}, the CMC does not exist: the curves differ by more than the joint moves, or are missing."
        )
    return (
        f"In {population}, the curves are alike with a CMC of {value:.2f}, where 1 is identical; it is high wherever "
        "the movement is large, so read it with the error in degrees."
    )


def _strength(figure: Reliability) -> str:
    """Koo & Li 2016, J Chiropr Med 15:155-163: by the interval where there is one, from its low to its high end."""
    ends = (figure.interval.low, figure.interval.high) if figure.interval else (figure.value,)
    words = [
        "poor" if end < 0.5 else "moderate" if end < 0.75 else "good" if end < 0.9 else "excellent" for end in ends
    ]
    return " to ".join(dict.fromkeys(words))


def _between(interval: Interval | None, digits: int = 1) -> str:
    if interval is None:
        return ""
    return f" ({100 * interval.level:g} % interval {interval.low:z.{digits}f} to {interval.high:z.{digits}f})"


def _shown(interval: Interval | None, note: str, digits: int = 1) -> str:
    return _between(interval, digits)[2:-1] if interval else note


def _because(note: str) -> str:
    return f" ({note})" if note else ""


def _spaced(unit: str) -> str:
    return f" {unit}" if unit else ""
