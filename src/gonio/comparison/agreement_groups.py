"""The repetitions behind each row of agreement.csv: grouped by movement, method, quantity, side and joint.

The movement "all" groups the repetitions of all movements.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np

from gonio.comparison.repetition_records import AngleValues, PositionValues
from gonio.comparison.statistics.concordance import Concordance, Deming, deming, lin_ccc
from gonio.comparison.statistics.limits_of_agreement import Limits, limits_of_agreement
from gonio.comparison.statistics.reliability import (
    MeasurementError,
    Reliability,
    icc_agreement,
    within_session_error,
)
from gonio.comparison.statistics.subjects import pairs
from gonio.core.arrays import BoolArray, FloatArray
from gonio.core.errors import InputError

Result = tuple[Mapping[str, Any], Mapping[str, FloatArray]]
Kind = Literal["curve", "all curves", "value", "position"]

ALL_MOVEMENTS = "all"
VALUE_UNITS = {"rom": "deg", "peak": "deg", "at_peak": "deg", "speed": "deg/s"}
"""The single values of a repetition that have rows of their own, and their units."""


@dataclass(frozen=True, eq=False)
class Group:
    """The repetitions behind one row of the table.

    kind        "curve": an angle in one movement; "all curves": in all movements; "value": one value of each
                repetition; "position"
    subjects    (repetition,) subject of each repetition
    records     (repetition,) of an angle's repetitions
    estimate    (repetition,) one value of each repetition by the method: of a curve its mean angle, of a position its
                distance from the reference in mm
    reference   (repetition,) the reference's value; empty for a position
    value       of the kind "value": "rom", "peak", ...
    curves      (2, repetition, 101) degrees by method and reference; None without curves
    missed_alone   samples that the method alone lacks
    """

    kind: Kind
    subjects: Sequence[str]
    estimate: FloatArray
    reference: FloatArray
    records: Sequence[AngleValues] = ()
    value: str = ""
    curves: FloatArray | None = None
    missed_alone: int = 0

    @cached_property
    def counted(self) -> BoolArray:
        """(repetition,) those that count: all, or of single values those that both sides have."""
        if self.kind != "value":
            return np.ones(len(self.subjects), dtype=bool)
        return np.asarray(np.isfinite(self.estimate) & np.isfinite(self.reference))

    @property
    def n(self) -> int:
        return int(self.counted.sum())

    @property
    def n_subjects(self) -> int:
        return len({subject for subject, counted in zip(self.subjects, self.counted, strict=True) if counted})

    @property
    def difference(self) -> FloatArray:
        """(n,) estimate - reference of the single values."""
        return self.estimate[self.counted] - self.reference[self.counted]

    @cached_property
    def values(self) -> tuple[FloatArray, FloatArray, Sequence[str]]:
        """Estimate, reference and subjects, for statistics between people. Raises `InputError` for under two pairs."""
        pairs(self.estimate, self.reference, self.subjects)
        return self.estimate, self.reference, self.subjects

    @cached_property
    def limits(self) -> Limits:
        return limits_of_agreement(*self.values)

    @cached_property
    def icc(self) -> Reliability:
        return icc_agreement(*self.values, kind="2,1")

    @cached_property
    def ccc(self) -> Concordance:
        return lin_ccc(*self.values)

    @cached_property
    def deming(self) -> Deming:
        return deming(self.estimate, self.reference, subjects=self.subjects)

    @cached_property
    def own_error(self) -> MeasurementError:
        return within_session_error(self.estimate, self.subjects)


@dataclass(frozen=True)
class _Record:
    """A record of a repetition, and of what."""

    subject: str
    movement: str
    reference: str
    angle: AngleValues | None = None
    position: PositionValues | None = None
    curves: tuple[FloatArray, FloatArray] | None = None


def groups(
    results: Iterable[Result], definitions: str, joint_of: Mapping[str, str]
) -> Iterator[tuple[dict[str, str], Group]]:
    """(movement, method, quantity, side, joint, unit) by name, and the repetitions, by one set of definitions.

    results   (values, arrays) of every recording, as `studies.measure.measure_recording` returns them
    joint_of  angle without its side -> its joint; raises `InputError` for an angle that is not in it
    """
    angles: dict[tuple[str, ...], list[_Record]] = defaultdict(list)
    positions: dict[tuple[str, ...], list[_Record]] = defaultdict(list)
    for record in _records(results, definitions):
        for movement in (record.movement, ALL_MOVEMENTS):
            if record.angle is not None:
                angles[movement, record.angle.method, record.angle.quantity, record.angle.side].append(record)
            if record.position is not None:
                positions[movement, record.position.method, record.position.side, record.position.joint].append(record)
    for key, records in angles.items():
        yield from _of_an_angle(key, records, joint_of)
    for key, records in positions.items():
        yield from _of_a_position(key, records)


def joint_named(joint_of: Mapping[str, str], angle: str) -> str:
    """The joint of an angle. Raises `InputError` for an angle that has none."""
    if angle not in joint_of:
        raise InputError(f"no joint is known for the angle {angle!r}; its definition must name one")
    return joint_of[angle]


def floats(values: Iterable[float | None]) -> FloatArray:
    """(n,) with NaN for None."""
    return np.array([math.nan if value is None else value for value in values], dtype=float)


def _records(results: Iterable[Result], definitions: str) -> Iterator[_Record]:
    for values, arrays in results:
        recording = (values["subject"], values["movement"], values["reference"])
        repetitions = list(values["duration_s"])
        for record in values["angles"]:
            if record["definitions"] == definitions:
                angle = AngleValues(**record)
                curves = _curves_of(arrays, values["reference"], angle, repetitions)
                yield _Record(*recording, angle=angle, curves=curves)
        for record in values["positions"]:
            if record["definitions"] == definitions:
                yield _Record(*recording, position=PositionValues(**record))


def _curves_of(
    arrays: Mapping[str, FloatArray], reference: str, angle: AngleValues, repetitions: list[str]
) -> tuple[FloatArray, FloatArray] | None:
    name = f"{angle.side}_{angle.quantity}" if angle.side else angle.quantity
    keys = [f"{angle.definitions}/{method}/{name}" for method in (angle.method, reference)]
    if not all(key in arrays for key in keys):
        return None
    row = repetitions.index(angle.repetition)
    return arrays[keys[0]][row], arrays[keys[1]][row]


def _of_an_angle(
    key: tuple[str, ...], records: list[_Record], joint_of: Mapping[str, str]
) -> Iterator[tuple[dict[str, str], Group]]:
    """The curves, and, in one movement, the single values of the repetitions."""
    movement, method, quantity, side = key
    angles = [record.angle for record in records if record.angle is not None]
    subjects = [record.subject for record in records]
    curves = [np.stack(record.curves) for record in records if record.curves is not None]
    identity = {"movement": movement, "method": method, "side": side, "joint": joint_named(joint_of, quantity)}
    whole = Group(
        kind="all curves" if movement == ALL_MOVEMENTS else "curve",
        subjects=subjects,
        records=angles,
        estimate=floats(angle.mean_method for angle in angles),
        reference=floats(angle.mean_reference for angle in angles),
        curves=np.stack(curves, axis=1) if curves else None,
        missed_alone=sum(angle.missed_alone for angle in angles),
    )
    yield {**identity, "quantity": quantity, "unit": "deg"}, whole
    if movement == ALL_MOVEMENTS:
        return
    for value, unit in VALUE_UNITS.items():
        single = Group(
            kind="value",
            subjects=subjects,
            records=angles,
            estimate=floats(getattr(angle, f"{value}_method") for angle in angles),
            reference=floats(getattr(angle, f"{value}_reference") for angle in angles),
            value=value,
        )
        yield {**identity, "quantity": f"{quantity}_{value}", "unit": unit}, single


def _of_a_position(key: tuple[str, ...], records: list[_Record]) -> Iterator[tuple[dict[str, str], Group]]:
    """The mean distance of each repetition, and of the body the root mean square too."""
    movement, method, side, joint = key
    positions = [record.position for record in records if record.position is not None]
    for quantity, name in (("position", "mean"), ("position_rms", "rms")) if not joint else (("position", "mean"),):
        group = Group(
            kind="position",
            subjects=[record.subject for record in records],
            estimate=floats(getattr(position, name) for position in positions),
            reference=np.empty(0),
            missed_alone=sum(position.missed_alone for position in positions),
        )
        identity = {"movement": movement, "method": method, "quantity": quantity, "side": side, "joint": joint}
        yield {**identity, "unit": "mm"}, group
