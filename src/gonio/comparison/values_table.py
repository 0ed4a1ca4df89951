"""values.csv: one row for each value of each repetition, of every method and of the reference."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from gonio.comparison.agreement_groups import VALUE_UNITS, Result, joint_named
from gonio.comparison.agreement_table import write_table

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
_OWN = (*VALUE_UNITS.items(), ("mean", "deg"))
_AGAINST_REFERENCE = (
    *((name, name, "deg") for name in ("rmse", "bias", "rmse_bias_free")),
    ("r", "r", "1"),
    ("lag", "lag_s", "s"),
)


def write_values(
    folder: Path, results: Sequence[Result], definitions: str, joint_of: Mapping[str, str], suffix: str = ""
) -> None:
    """Write values.csv by one set of definitions, its name ending in `suffix`.

    Raises `InputError` if it cannot be written or an angle has no joint.
    """
    write_table(Path(folder) / f"values{suffix}.csv", VALUES_COLUMNS, value_rows(results, definitions, joint_of))


def value_rows(results: Iterable[Result], definitions: str, joint_of: Mapping[str, str]) -> Iterator[tuple[Any, ...]]:
    """The rows of values.csv, in the order of its columns."""
    for values, _ in results:
        subject, movement = values["subject"], values["movement"]
        for repetition, method, quantity, value, unit, side, joint in _values_of(values, definitions, joint_of):
            yield subject, movement, repetition, method, quantity, value, unit, side, joint, definitions


Value = tuple[str, str, str, float | None, str, str, str]


def _values_of(values: Mapping[str, Any], definitions: str, joint_of: Mapping[str, str]) -> Iterator[Value]:
    """(repetition, method, quantity, value, unit, side, joint) of one recording."""
    reference = values["reference"]
    for repetition, seconds in values["duration_s"].items():
        yield repetition, reference, "duration", seconds, "s", "", ""
    written: set[tuple[str, str, str]] = set()
    ranges: dict[tuple[str, str, str], dict[str, float]] = defaultdict(dict)
    for angle in values["angles"]:
        if angle["definitions"] != definitions:
            continue
        repetition, method, quantity, side = (angle[key] for key in ("repetition", "method", "quantity", "side"))
        joint = joint_named(joint_of, quantity)
        for name, key, unit in _AGAINST_REFERENCE:
            yield repetition, method, f"{quantity}_{name}", angle[key], unit, side, joint
        for source, owner in (("method", method), ("reference", reference)):
            if source == "reference" and (repetition, quantity, side) in written:
                continue
            for name, unit in _OWN:
                yield repetition, owner, f"{quantity}_{name}", angle[f"{name}_{source}"], unit, side, joint
            if side:
                ranges[repetition, owner, quantity][side] = angle[f"rom_{source}"]
        written.add((repetition, quantity, side))
    for (repetition, method, quantity), of in ranges.items():
        if len(of) == 2 and of["left"] + of["right"] > 0:
            index = 200 * (of["left"] - of["right"]) / (of["left"] + of["right"])
            yield repetition, method, f"{quantity}_symmetry", index, "%", "", joint_named(joint_of, quantity)
    for place in values["positions"]:
        if place["definitions"] == definitions:
            repetition, method, side, joint = (place[key] for key in ("repetition", "method", "side", "joint"))
            yield repetition, method, "position", place["mean"], "mm", side, joint
            if not joint:
                yield repetition, method, "position_rms", place["rms"], "mm", "", ""
