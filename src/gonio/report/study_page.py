"""The page of a study: a summary in sentences, the tables and figures of a results section, the protocol.

The sentences are computed from the rows of agreement.csv alone. A value that does not exist is a dash.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gonio.comparison.agreement_groups import ALL_MOVEMENTS, VALUE_UNITS
from gonio.comparison.agreement_table import FIGURES, Figure, figure_named
from gonio.comparison.statistics.limits_of_agreement import ACCEPTABLE_DEG, ACCEPTABLE_ORIGIN
from gonio.report.page import Cell, Table, figure_uri
from gonio.report.page import write_page as write_template
from gonio.report.palette import method_styles
from gonio.report.study_figures import Row, angle_of, main_row

_SINGLE = tuple(f"_{value}" for value in VALUE_UNITS)
_MAIN_OF_CURVES = (("rmse", False), ("bias", False), ("rmse_bias_free", True), ("r", False))
_MAIN_OF_RANGES = (("bias", False), ("loa", False), ("icc", True), ("mdc95", False))
"""Figures of the main table, and whether their interval is shown."""
_DASH = "–"


@dataclass(frozen=True, eq=False)
class Content:
    """What the page shows.

    rows       of agreement.csv
    movements  movement -> its title
    warnings   recording -> what makes its numbers doubtful
    figures    name -> (image, caption)
    interpretations   method, movement and angle -> a sentence on each figure of agreement
    """

    title: str
    description: str
    reference: str
    movements: Mapping[str, str]
    rows: Sequence[Row]
    recordings: int
    failures: Mapping[str, str]
    warnings: Mapping[str, tuple[str, ...]]
    figures: Mapping[str, tuple[Path, str]]
    interpretations: Mapping[str, tuple[str, ...]]
    protocol: Mapping[str, Any]
    versions: Mapping[str, str]

    def name(self, movement: str) -> str:
        """Its title, or the movement as the files name it."""
        return self.movements.get(movement, movement)


def write_page(path: Path, content: Content) -> None:
    """Write the page. Raises `InputError` if an image cannot be read or `path` cannot be written."""
    methods = list(dict.fromkeys(row["method"] for row in content.rows))
    write_template(
        path,
        "study.html.jinja",
        {
            "content": content,
            "sentences": sentences(content),
            "limits": limits(content),
            "main_tables": [main_table(content, method) for method in methods],
            "tables": tuple(_all_tables(content, methods)),
            "columns": [(figure.title, figure.explanation) for figure in FIGURES if figure.digits is not None],
            "figures": [(figure_uri(path), caption) for path, caption in content.figures.values()],
            "protocol": [(key, _shown(value)) for key, value in content.protocol.items()],
            "colours": {name: style.colour for name, style in method_styles(methods).items()},
            "gonio_version": content.versions.get("gonio"),
        },
    )


def is_curve(row: Row) -> bool:
    """Whether a row is of an angle's curves, not of single values or positions."""
    return row["unit"] == "deg" and not row["quantity"].endswith(_SINGLE)


def sentences(content: Content) -> tuple[str, ...]:
    """What the study found."""
    lines = []
    for method in dict.fromkeys(row["method"] for row in content.rows):
        rows = [row for row in content.rows if row["method"] == method]
        mains = list(_mains(rows).items())
        subjects = max((row["n_subjects"] for row in rows), default=0)
        repetitions = sum(main["n"] for _, main in mains)
        if mains:
            errors = [main["rmse_bias_free"] for _, main in mains if main.get("rmse_bias_free") is not None]
            low, high = ACCEPTABLE_DEG
            best, worst = (pick(mains, key=lambda item: item[1].get("rmse_bias_free") or 0.0) for pick in (min, max))
            people = f"{method} against {content.reference}, {_count(subjects, 'subject')}, "
            people += (
                f"{_count(len(mains), 'movement')}, {_count(repetitions, 'repetition')}: the angle that moves most"
            )
            if len(mains) == 1:
                lines.append(
                    f"{people} in {content.name(best[0])}, {angle_of(best[1]).replace('_', ' ')}, has a bias-free "
                    f"error of {errors[0]:.1f}°. An error up to {low:g}° is likely acceptable, one above {high:g}° may "
                    f"mislead ({ACCEPTABLE_ORIGIN})."
                )
            else:
                lines.append(
                    f"{people} has a bias-free error of {np.median(errors):.1f}° (median of the movements), from "
                    f"{best[1]['rmse_bias_free']:.1f}° in {content.name(best[0])} to "
                    f"{worst[1]['rmse_bias_free']:.1f}° in {content.name(worst[0])}."
                )
                lines.append(
                    f"It is at most {low:g}° in {sum(e <= low for e in errors)} and at most {high:g}° in "
                    f"{sum(e <= high for e in errors)} of {len(errors)} movements. These limits are from "
                    f"{ACCEPTABLE_ORIGIN}."
                )
            lines += _sentences_on_ranges(content, rows, mains, method)
        body = next((r for r in rows if _is_body(r) and r["movement"] == ALL_MOVEMENTS), None)
        if body is not None:
            lines.append(
                f"After one rigid alignment of each frame its joints differ by {body['rmse']:.0f} mm from those of "
                f"{content.reference} (median of {body['n']} repetitions, quartiles {body['rmse_q25']:.0f} and "
                f"{body['rmse_q75']:.0f} mm)."
            )
    return tuple(lines)


def _sentences_on_ranges(content: Content, rows: Sequence[Row], mains: list[tuple[str, Row]], method: str) -> list[str]:
    """The range of motion of the movement in which it agrees least, and the smallest change beyond its own scatter."""
    ranges = [(movement, _single(rows, main, "rom")) for movement, main in mains]
    known = [(movement, row) for movement, row in ranges if row is not None and row.get("loa_low") is not None]
    if not known:
        return []
    movement, widest = max(known, key=lambda item: item[1]["loa_high"] - item[1]["loa_low"])
    least = f"Ranges of motion agree least in {content.name(movement)}" if len(known) > 1 else "Its range of motion"
    lines = [
        f"{least}: {method} differs by {widest['bias']:+.1f}° on average, "
        f"and 95 % of its differences from {content.reference} lie between {widest['loa_low']:+.1f}° and "
        f"{widest['loa_high']:+.1f}°."
    ]
    changes = [row["mdc95"] for _, row in known if row.get("mdc95") is not None]
    if changes:
        between = (
            f"{min(changes):.0f}° to {max(changes):.0f}°, by movement," if len(changes) > 1 else f"{changes[0]:.0f}°"
        )
        lines.append(
            f"Within a session, a change of the range of motion by {method} is more than the scatter of its "
            f"repetitions if it is larger than {between} (MDC95)."
        )
    return lines


def limits(content: Content) -> tuple[str, ...]:
    """What cannot be concluded."""
    subjects = max((row["n_subjects"] for row in content.rows), default=0)
    return (
        f"The reference, {content.reference}, is a measurement too. Agreement with it does not prove accuracy: errors "
        "that both share, such as skin that moves over the bone, do not show.",
        f"The results are of these {subjects} subjects in these movements. They may differ with other people, "
        "patients, places and sensors.",
        "SEM and MDC95 are within one session. From day to day a method varies more.",
        "If the clocks were aligned by the curves themselves, two systems agree as well as they can. The column "
        "rmse_bias_free_clock_moved of agreement.csv shows how much this matters.",
    )


def main_table(content: Content, method: str) -> Table:
    """One row a movement: its main angle's curve, and the range of motion."""
    of_method = [row for row in content.rows if row["method"] == method]
    curve = [(figure_named(name), interval) for name, interval in _MAIN_OF_CURVES]
    ranges = [(figure_named(name), interval) for name, interval in _MAIN_OF_RANGES]
    rows = []
    for movement, main in _mains(of_method).items():
        rom = _single(of_method, main, "rom") or {}
        texts = (
            str(main["n"]),
            *(figure_text(figure, main, interval) for figure, interval in curve),
            f"{_number(main.get('rom_method'), 0)} / {_number(main.get('rom_reference'), 0)}",
            *(figure_text(figure, rom, interval) for figure, interval in ranges),
        )
        name = f"{content.name(movement)}: {angle_of(main).replace('_', ' ')}"
        rows.append((name, None, tuple(Cell(text) for text in texts)))
    header = (
        ("movement and angle", "", None),
        ("repetitions", "", None),
        *((_title(figure, interval), _unit(figure), None) for figure, interval in curve),
        (f"ROM {method} / {content.reference}", "°", None),
        *((f"ROM {_title(figure, interval)}", _unit(figure), None) for figure, interval in ranges),
    )
    return Table(
        title=f"{method} against {content.reference}",
        caption="Curves: median over repetitions. Range of motion (ROM): one value of each repetition.",
        header=header,
        rows=tuple(rows),
        notes=tuple(f"{figure.title}: {figure.explanation}" for figure, _ in (*curve, *ranges[1:])),
    )


def _title(figure: Figure, with_interval: bool) -> str:
    return figure.title + (", 95 % interval" if with_interval else "")


def _unit(figure: Figure) -> str:
    return "°" if figure.has_unit else ""


def _all_tables(content: Content, methods: Sequence[str]) -> Iterator[Table]:
    shown = [figure for figure in FIGURES if figure.digits is not None]
    header = (("angle or joint", "", None), *((figure.title, "", None) for figure in shown))
    for method in methods:
        for movement in dict.fromkeys(row["movement"] for row in content.rows):
            rows = [row for row in content.rows if row["method"] == method and row["movement"] == movement]
            if rows:
                yield Table(
                    title=f"{method}: {'all movements' if movement == ALL_MOVEMENTS else content.name(movement)}",
                    caption="Degrees, degrees per second (speed) and millimetres (position).",
                    header=header,
                    rows=tuple(
                        (_row_name(row), None, tuple(Cell(figure_text(figure, row)) for figure in shown))
                        for row in rows
                    ),
                )


def _row_name(row: Row) -> str:
    of = f"{row['side']} {row['joint']}".strip() if row["quantity"].startswith("position") else row["side"]
    return f"{of} {row['quantity']}".strip().replace("_", " ")


def figure_text(figure: Figure, row: Row, with_interval: bool = False) -> str:
    """A figure of a row as text: a number, "low to high" of two columns, a dash if it does not exist."""
    values = [row.get(column) for column in figure.columns]
    if all(value is None for value in values):
        return _DASH
    text = " to ".join(_number(value, figure.digits or 0, figure.signed) for value in values)
    low, high = (row.get(f"{figure.columns[0]}_{end}") for end in ("low", "high"))
    if not with_interval or low is None or high is None:
        return text
    return f"{text} ({_number(low, figure.digits or 0)} to {_number(high, figure.digits or 0)})"


def _mains(rows: Sequence[Row]) -> dict[str, Row]:
    """Movement -> the curve of its main angle."""
    curves = [row for row in rows if is_curve(row) and row["movement"] != ALL_MOVEMENTS]
    found = {}
    for movement in dict.fromkeys(row["movement"] for row in curves):
        main = main_row([row for row in curves if row["movement"] == movement])
        if main is not None:
            found[movement] = main
    return found


def _single(rows: Sequence[Row], main: Row, value: str) -> Row | None:
    wanted = (main["movement"], f"{main['quantity']}_{value}", main["side"])
    return next((row for row in rows if (row["movement"], row["quantity"], row["side"]) == wanted), None)


def _is_body(row: Row) -> bool:
    return row["quantity"] == "position" and not row["joint"] and not row["side"]


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _number(value: float | None, digits: int = 1, sign: bool = False) -> str:
    if value is None or not np.isfinite(value):
        return _DASH
    return f"{value:{'+' if sign else ''}.{digits}f}"


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
