"""A study's tables: from the values of every repetition to agreement, one row a movement, method and quantity.

`AGREEMENT_COLUMNS` and docs/study.md say what each column is. In short, three kinds of rows:

a curve      `knee_flexion`: rmse, bias, rmse_bias_free, r are those of the curves of one repetition, and the median
             over repetitions is told. Limits of agreement, ICC, CCC, SEM and MDC95 need one value of each repetition:
             they are those of the repetition's mean angle.
one value    `knee_flexion_rom`, `_peak`, `_at_peak`, `_speed`: of each repetition one value by each method; all in the
             row is over these values, and bias, rmse, r are the ordinary ones over repetitions.
a position   `position`: rmse is the mean distance of a repetition after rigid alignment, the median over repetitions;
             `position_rms`, of the body alone, the same of the root mean square.

Rows of the movement "all" take the repetitions of all movements; they have no statistics between people, because a
range over ten movements is not that of a person.
"""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from gonio.comparison import agreement
from gonio.comparison.repetition_records import AngleValues, PositionValues
from gonio.comparison.statistics.concordance import deming, lin_ccc
from gonio.comparison.statistics.curves import cmc_between_methods
from gonio.comparison.statistics.generalised_intervals import rmse_interval
from gonio.comparison.statistics.intervals import TOO_FEW_NOTE, TOO_FEW_SUBJECTS, Interval
from gonio.comparison.statistics.limits_of_agreement import limits_of_agreement
from gonio.comparison.statistics.reliability import icc_agreement, within_session_error
from gonio.core.arrays import FloatArray
from gonio.core.errors import InputError
from gonio.core.files import replacing, write_csv

Result = tuple[Mapping[str, Any], Mapping[str, FloatArray]]
Row = dict[str, Any]

DEFINITIONS = ("gonio", "protocol")
ALL_MOVEMENTS = "all"
DRAWS = 1000  # of the bootstrap
_KEY = ("movement", "method", "quantity", "side", "joint", "unit")
_FIGURES = ("rmse", "bias", "rmse_bias_free", "r", "loa_low", "loa_high", "icc", "ccc", "sem", "mdc95")
_INTERVALS = tuple(f"{figure}_{end}" for figure in _FIGURES for end in ("low", "high"))
AGREEMENT_COLUMNS = (
    *_KEY,
    "n",
    *_FIGURES,
    "rom_method",
    "rom_reference",
    "n_subjects",
    *_INTERVALS,
    "icc_consistency",
    "sem_reference",
    "deming_slope",
    "deming_slope_low",
    "deming_slope_high",
    "deming_intercept",
    "cmc",
    "rmse_q25",
    "rmse_q75",
    "rmse_bias_free_clock_moved",
    "missed_alone",
    "definitions",
    "note",
)
VALUES_COLUMNS = (
    "subject",
    "movement",
    "repetition",
    "method",
    "quantity",
    "value",
    "unit",
    "side",
    "joint",
    "definitions",
)
FAILURES_COLUMNS = ("recording", "reason")

JOINT_OF = {
    "knee_flexion": "knee",
    "elbow_flexion": "elbow",
    "thigh_trunk_angle": "hip",
    "shoulder_elevation": "shoulder",
    "forearm_trunk_angle": "forearm",
    "trunk_inclination": "trunk",
    "ankle_angle": "ankle",
    "ankle_angle_without_heel": "ankle",
}
_VALUE_UNITS = {"rom": "deg", "peak": "deg", "at_peak": "deg", "speed": "deg/s"}
_OWN = (*_VALUE_UNITS.items(), ("mean", "deg"))
_AGAINST_REFERENCE = (
    *((figure, figure, "deg") for figure in ("rmse", "bias", "rmse_bias_free")),
    ("r", "r", "1"),
    ("lag", "lag_s", "s"),
)


@dataclass(frozen=True)
class _Of:
    """A record of a repetition, and whose it is."""

    subject: str
    movement: str
    reference: str
    angle: AngleValues | None = None
    position: PositionValues | None = None
    curves: tuple[FloatArray, FloatArray] | None = None


def agreement_table(results: Iterable[Result], definitions: str) -> list[Row]:
    """The rows of agreement.csv by one set of definitions: one for each movement, method, quantity, side and joint.

    results  (values, arrays) of every recording, as `study_measure.measure_recording` gives them; no arrays: no CMC
    """
    angles: dict[tuple[str, ...], list[_Of]] = defaultdict(list)
    positions: dict[tuple[str, ...], list[_Of]] = defaultdict(list)
    for each in _records(results, definitions):
        for movement in (each.movement, ALL_MOVEMENTS):
            if each.angle is not None:
                angles[movement, each.angle.method, each.angle.quantity, each.angle.side].append(each)
            if each.position is not None:
                positions[movement, each.position.method, each.position.side, each.position.joint].append(each)
    rows = [row for key, group in angles.items() for row in _angle_rows(key, group)]
    rows += [row for key, group in positions.items() for row in _position_rows(key, group)]
    for row in rows:
        row["definitions"] = definitions
    return sorted(rows, key=_order)


def values_table(results: Iterable[Result], definitions: str) -> list[Row]:
    """The rows of values.csv by one set of definitions: one for each value of each repetition.

    The reference has rows of its own for what each method has by itself (range of motion, peak, mean, speed).
    """
    return [dict(zip(VALUES_COLUMNS, row, strict=True)) for row in _value_rows(results, definitions)]


def failures_table(failures: Mapping[str, str]) -> list[Row]:
    """The rows of failures.csv."""
    return [{"recording": key, "reason": reason} for key, reason in failures.items()]


def write_agreement(folder: Path, results: Sequence[Result], definitions: str, suffix: str = "") -> list[Row]:
    """agreement.csv by one set of definitions, its name ending in `suffix`; its rows.

    Raises `InputError` where it cannot be written.
    """
    rows = agreement_table(results, definitions)
    write_table(Path(folder) / f"agreement{suffix}.csv", rows, AGREEMENT_COLUMNS)
    return rows


def write_values(folder: Path, results: Sequence[Result], definitions: str, suffix: str = "") -> None:
    """values.csv by one set of definitions, its name ending in `suffix`.

    Raises `InputError` where it cannot be written.
    """
    _write(Path(folder) / f"values{suffix}.csv", VALUES_COLUMNS, _value_rows(results, definitions))


def write_others(folder: Path, results: Sequence[Result], other: str, own: str) -> None:
    """All tables but agreement.csv: values.csv, and both by the other definitions. Raises `InputError`."""
    write_agreement(folder, results, other, f"_{other}")
    write_values(folder, results, other, f"_{other}")
    write_values(folder, results, own)


def write_table(path: Path, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """A CSV file with a header, written whole or not at all; what is not known is an empty cell.

    Raises `InputError` where it cannot be written.
    """
    _write(Path(path), columns, ([row.get(column) for column in columns] for row in rows))


def median_interval(values: FloatArray, subjects: Sequence[str], *, level: float = 0.95) -> Interval | None:
    """The percentile bootstrap interval of a median, whole subjects drawn with replacement.

    None with fewer than `TOO_FEW_SUBJECTS`. With so few subjects as a clinic has it is rather too short than too long.
    A draw counts every value as often as its subject was drawn.
    """
    labels, owner = np.unique(np.asarray(subjects), return_inverse=True)
    if len(labels) < TOO_FEW_SUBJECTS:
        return None
    order = np.argsort(values)
    of_subject = np.zeros((len(labels), len(values)), dtype=np.float32)
    of_subject[owner[order], np.arange(len(values))] = 1
    drawn = _draws(len(labels))
    reached = drawn @ of_subject.cumsum(axis=1)  # (draw, k): how many values of a draw are among the k + 1 smallest
    ranks = ((reached[:, -1] + 1) // 2, reached[:, -1] // 2 + 1)
    middles = [values[order][(reached < rank[:, None]).sum(axis=1)] for rank in ranks]
    low, high = np.quantile(np.mean(middles, axis=0), [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high), level, "percentile bootstrap by subject")


@lru_cache
def _draws(subjects: int) -> FloatArray:
    """(draw, subject) how often each is drawn."""
    drawn = np.random.default_rng(0).multinomial(subjects, np.full(subjects, 1 / subjects), size=DRAWS)
    return drawn.astype(np.float32)


def _records(results: Iterable[Result], definitions: str) -> Iterator[_Of]:
    for values, arrays in results:
        whose = (values["subject"], values["movement"], values["reference"])
        names = list(values["duration_s"])
        for record in values["angles"]:
            if record["definitions"] == definitions:
                angle = AngleValues(**record)
                yield _Of(*whose, angle=angle, curves=_curves(arrays, values["reference"], angle, names))
        for record in values["positions"]:
            if record["definitions"] == definitions:
                yield _Of(*whose, position=PositionValues(**record))


def _curves(
    arrays: Mapping[str, FloatArray], reference: str, angle: AngleValues, repetitions: list[str]
) -> tuple[FloatArray, FloatArray] | None:
    name = f"{angle.side}_{angle.quantity}" if angle.side else angle.quantity
    keys = [f"{angle.definitions}/{method}/{name}" for method in (angle.method, reference)]
    if not all(key in arrays for key in keys):
        return None
    row = repetitions.index(angle.repetition)
    return arrays[keys[0]][row], arrays[keys[1]][row]


def _angle_rows(key: tuple[str, ...], group: list[_Of]) -> Iterator[Row]:
    """The curve's row, and, for one movement, those of its single values."""
    movement, method, quantity, side = key
    angles = [each.angle for each in group if each.angle is not None]
    subjects = [each.subject for each in group]
    identity = {"movement": movement, "method": method, "side": side, "joint": JOINT_OF.get(quantity, "")}
    row: Row = {**identity, "quantity": quantity, "unit": "deg", "n": len(angles), "n_subjects": len(set(subjects))}
    for figure in ("rmse", "bias", "rmse_bias_free", "r"):
        row |= _median(figure, _floats(getattr(angle, figure) for angle in angles), subjects)
    row |= _quartiles(_floats(angle.rmse for angle in angles))
    rom = {
        f"rom_{who}": _nanmedian(_floats(getattr(angle, f"rom_{who}") for angle in angles))
        for who in ("method", "reference")
    }
    row |= rom
    row["rmse_bias_free_clock_moved"] = _nanmedian(_floats(angle.moved for angle in angles))
    row["missed_alone"] = sum(angle.missed_alone for angle in angles)
    if movement == ALL_MOVEMENTS:
        row["note"] = TOO_FEW_NOTE if row["n_subjects"] < TOO_FEW_SUBJECTS else ""
        yield row
        return
    curves = [each.curves for each in group if each.curves is not None]
    if curves:
        row["cmc"] = cmc_between_methods(np.stack([np.stack(pair) for pair in curves], axis=1))
    between = _between_people(*_pair(angles, "mean"), subjects)
    yield {**row, **{figure: value for figure, value in between.items() if not figure.startswith("bias")}}
    for name, unit in _VALUE_UNITS.items():
        single = _single_value(*_pair(angles, name), subjects)
        yield {
            **identity,
            "quantity": f"{quantity}_{name}",
            "unit": unit,
            **single,
            **(rom if name == "rom" else {}),
        }


def _position_rows(key: tuple[str, ...], group: list[_Of]) -> Iterator[Row]:
    movement, method, side, joint = key
    positions = [each.position for each in group if each.position is not None]
    subjects = [each.subject for each in group]
    for quantity, figure in (("position", "mean"), ("position_rms", "rms")) if not joint else (("position", "mean"),):
        values = _floats(getattr(position, figure) for position in positions)
        yield {
            "movement": movement,
            "method": method,
            "quantity": quantity,
            "side": side,
            "joint": joint,
            "unit": "mm",
            "n": len(values),
            "n_subjects": len(set(subjects)),
            **_median("rmse", values, subjects),
            **_quartiles(values),
            "missed_alone": sum(position.missed_alone for position in positions),
            "note": TOO_FEW_NOTE if len(set(subjects)) < TOO_FEW_SUBJECTS else "",
        }


def _single_value(estimate: FloatArray, reference: FloatArray, subjects: list[str]) -> Row:
    """The row of one value of each repetition."""
    both = np.isfinite(estimate) & np.isfinite(reference)
    d = estimate[both] - reference[both]
    if not len(d):
        return {"n": 0, "n_subjects": 0, "note": "no repetition has it"}
    between = _between_people(estimate, reference, subjects)
    return {
        "rmse": float(np.sqrt(np.mean(d**2))),
        "bias": float(d.mean()),
        "rmse_bias_free": float(np.sqrt(max(float(np.mean(d**2) - d.mean() ** 2), 0.0))),
        "r": agreement.pearson_r(estimate, reference),
        "n": len(d),
        "n_subjects": len({subject for subject, there in zip(subjects, both, strict=True) if there}),
        **_line_and_interval(estimate, reference, subjects),
        **between,
    }


def _line_and_interval(estimate: FloatArray, reference: FloatArray, subjects: list[str]) -> Row:
    """Deming's line through the values, and the interval of their RMSE; nothing with a single value."""
    try:
        line = deming(estimate, reference, subjects=subjects)
        interval = rmse_interval(estimate, reference, subjects)
    except InputError:
        return {}
    return {
        "deming_slope": line.slope,
        "deming_intercept": line.intercept,
        **_ends("deming_slope", line.slope_interval),
        **_ends("rmse", interval),
    }


def _between_people(estimate: FloatArray, reference: FloatArray, subjects: list[str]) -> Row:
    """Limits of agreement, ICC, CCC and each method's own error, with intervals; what is not defined is absent."""
    row: Row = {}
    notes = []
    try:
        limits = limits_of_agreement(estimate, reference, subjects)
        icc = icc_agreement(estimate, reference, subjects, kind="2,1")
        row |= {"loa_low": limits.low, "loa_high": limits.high, "icc": icc.value}
        row |= _ends("bias", limits.bias_interval) | _ends("icc", icc.interval)
        row |= _ends("loa_low", limits.low_interval) | _ends("loa_high", limits.high_interval)
        row["icc_consistency"] = icc_agreement(estimate, reference, subjects, kind="3,1", level=None).value
        ccc = lin_ccc(estimate, reference, subjects)
        row |= {"ccc": ccc.value, **_ends("ccc", ccc.interval)}
        notes += [limits.note, icc.note, ccc.note]
    except InputError as error:
        notes.append(str(error))
    try:
        own = within_session_error(estimate, subjects)
        row |= {"sem": own.sem, "mdc95": own.mdc95}
        row |= _ends("sem", own.interval) | _ends("mdc95", own.mdc95_interval)
        row["sem_reference"] = within_session_error(reference, subjects).sem
        notes.append(own.note)
    except InputError as error:
        notes.append(str(error))
    row["note"] = "; ".join(dict.fromkeys(filter(None, notes)))
    return row


def _value_rows(results: Iterable[Result], definitions: str) -> Iterator[tuple[Any, ...]]:
    """The rows of values.csv, in the order of its columns."""
    for values, _ in results:
        subject, movement, reference = values["subject"], values["movement"], values["reference"]
        for repetition, method, quantity, value, unit, side, joint in _values_of(values, reference, definitions):
            yield subject, movement, repetition, method, quantity, value, unit, side, joint, definitions


Value = tuple[str, str, str, float | None, str, str, str]


def _values_of(values: Mapping[str, Any], reference: str, definitions: str) -> Iterator[Value]:
    """(repetition, method, quantity, value, unit, side, joint) of one recording."""
    for repetition, seconds in values["duration_s"].items():
        yield repetition, reference, "duration", seconds, "s", "", ""
    told: set[tuple[str, str, str]] = set()
    ranges: dict[tuple[str, str, str], dict[str, float]] = defaultdict(dict)
    for angle in values["angles"]:
        if angle["definitions"] != definitions:
            continue
        repetition, method, quantity, side = (angle[key] for key in ("repetition", "method", "quantity", "side"))
        joint = JOINT_OF.get(quantity, "")
        for figure, key, unit in _AGAINST_REFERENCE:
            yield repetition, method, f"{quantity}_{figure}", angle[key], unit, side, joint
        for who, name in (("method", method), ("reference", reference)):
            if who == "reference" and (repetition, quantity, side) in told:
                continue
            for figure, unit in _OWN:
                yield repetition, name, f"{quantity}_{figure}", angle[f"{figure}_{who}"], unit, side, joint
            if side:
                ranges[repetition, name, quantity][side] = angle[f"rom_{who}"]
        told.add((repetition, quantity, side))
    for (repetition, method, quantity), of in ranges.items():
        if len(of) == 2 and of["left"] + of["right"] > 0:
            index = 200 * (of["left"] - of["right"]) / (of["left"] + of["right"])
            yield repetition, method, f"{quantity}_symmetry", index, "%", "", JOINT_OF.get(quantity, "")
    for place in values["positions"]:
        if place["definitions"] == definitions:
            repetition, method, side, joint = (place[key] for key in ("repetition", "method", "side", "joint"))
            yield repetition, method, "position", place["mean"], "mm", side, joint
            if not joint:
                yield repetition, method, "position_rms", place["rms"], "mm", "", ""


def _pair(angles: Sequence[AngleValues], name: str) -> tuple[FloatArray, FloatArray]:
    return (
        _floats(getattr(angle, f"{name}_method") for angle in angles),
        _floats(getattr(angle, f"{name}_reference") for angle in angles),
    )


def _floats(values: Iterable[float | None]) -> FloatArray:
    return np.array([math.nan if value is None else value for value in values], dtype=float)


def _median(figure: str, values: FloatArray, subjects: Sequence[str]) -> Row:
    there = np.isfinite(values)
    if not there.any():
        return {}
    owner = [subject for subject, known in zip(subjects, there, strict=True) if known]
    return {figure: float(np.median(values[there])), **_ends(figure, median_interval(values[there], owner))}


def _quartiles(values: FloatArray) -> Row:
    values = values[np.isfinite(values)]
    if not len(values):
        return {}
    low, high = np.quantile(values, [0.25, 0.75])
    return {"rmse_q25": float(low), "rmse_q75": float(high)}


def _nanmedian(values: FloatArray) -> float | None:
    values = values[np.isfinite(values)]
    return float(np.median(values)) if len(values) else None


def _ends(figure: str, interval: Interval | None) -> Row:
    return {} if interval is None else {f"{figure}_low": interval.low, f"{figure}_high": interval.high}


def _order(row: Row) -> tuple[Any, ...]:
    return row["movement"] == ALL_MOVEMENTS, row["movement"], row["method"], row["quantity"], row["joint"], row["side"]


def _write(path: Path, columns: Sequence[str], rows: Iterable[Iterable[Any]]) -> None:
    with replacing(path) as temporary:
        write_csv(temporary, itertools.chain([columns], ([_cell(value) for value in row] for row in rows)))


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return f"{value:.6g}" if math.isfinite(value) else ""
    return "" if value is None else str(value)
