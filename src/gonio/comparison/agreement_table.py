"""agreement.csv: from the values of every repetition to one row a movement, method and quantity.

`FIGURES` is the table of all figures of agreement. The columns of the file, the columns of the report's page and the
list in docs/statistics.md follow from it: a new figure is one entry there. There are three kinds of rows:

a curve      `knee_flexion`: rmse, bias, rmse_bias_free and r are medians over repetitions of what the curves of one
             repetition give. Limits of agreement, ICC, CCC, SEM and MDC95 need one value of each repetition: they are
             those of the repetition's mean angle.
one value    `knee_flexion_rom`, `_peak`, `_at_peak`, `_speed`: one value of each repetition by each method. All figures
             are over these values.
a position   `position`: rmse is the mean distance of a repetition after rigid alignment, the median over repetitions;
             `position_rms`, of the body alone, the same of the root mean square.

Rows of the movement "all" take the repetitions of all movements. They have no statistics between people, because a
range over ten movements is not that of a person.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from gonio.comparison import agreement
from gonio.comparison.agreement_groups import ALL_MOVEMENTS, Group, Kind, Result, floats, groups
from gonio.comparison.statistics.concordance import Deming
from gonio.comparison.statistics.curves import cmc_between_methods
from gonio.comparison.statistics.generalised_intervals import rmse_interval
from gonio.comparison.statistics.intervals import TOO_FEW_NOTE, TOO_FEW_SUBJECTS, Interval, median_interval
from gonio.comparison.statistics.reliability import icc_agreement, within_session_error
from gonio.core.arrays import FloatArray
from gonio.core.errors import InputError
from gonio.core.files import replacing, write_csv

Row = dict[str, Any]

DEFINITIONS = ("gonio", "protocol")
_KEY = ("movement", "method", "quantity", "side", "joint", "unit")


@dataclass(frozen=True)
class Figure:
    """One figure of agreement.

    name         by which code refers to it
    title        by which readers know it
    columns      of agreement.csv
    compute      for each kind of row that has it, a function of its `Group`: column -> value, and "note" if there is
                 something to remark. Where it raises `InputError` the columns are empty and the note says why.
    digits       after the decimal point on the page; None: the page does not show it
    signed       whether the page writes "+"
    has_unit     whether it is in the unit of the quantity: degrees, degrees per second, millimetres
    intervals    those of `columns` that have a 95 % interval, in `<column>_low` and `<column>_high`
    result       the statistic's own result, which `statistics.interpretation.interpret` puts into a sentence
    explanation  what it is and how to read it, for the page and the documentation
    """

    name: str
    title: str
    columns: tuple[str, ...]
    compute: Mapping[Kind, Callable[[Group], Row]]
    explanation: str
    digits: int | None = None
    signed: bool = False
    has_unit: bool = False
    intervals: tuple[str, ...] = ()
    result: Callable[[Group], object] | None = field(default=None)


def _ends(column: str, interval: Interval | None) -> Row:
    return {} if interval is None else {f"{column}_low": interval.low, f"{column}_high": interval.high}


def _median(column: str, values: FloatArray, subjects: Sequence[str]) -> Row:
    finite = np.isfinite(values)
    if not finite.any():
        return {}
    owner = [subject for subject, kept in zip(subjects, finite, strict=True) if kept]
    return {column: float(np.median(values[finite])), **_ends(column, median_interval(values[finite], owner))}


def _nanmedian(values: FloatArray) -> float | None:
    values = values[np.isfinite(values)]
    return float(np.median(values)) if len(values) else None


def _recorded(group: Group, name: str) -> FloatArray:
    """(repetition,) one field of the records."""
    return floats(getattr(record, name) for record in group.records)


def _curves(compute: Callable[[Group], Row]) -> Mapping[Kind, Callable[[Group], Row]]:
    """A figure of curves, of one movement or of all."""
    return {"curve": compute, "all curves": compute}


def _medians(name: str, of_values: Callable[[Group], Row]) -> Mapping[Kind, Callable[[Group], Row]]:
    """The median over repetitions of what each curve gives; of single values `of_values`."""
    return {**_curves(lambda group: _median(name, _recorded(group, name), group.subjects)), "value": of_values}


def _between_people(compute: Callable[[Group], Row]) -> Mapping[Kind, Callable[[Group], Row]]:
    """A figure that needs one value of each repetition: of a curve the mean angle."""
    return {"curve": compute, "value": compute}


def _everywhere(compute: Callable[[Group], Row]) -> Mapping[Kind, Callable[[Group], Row]]:
    return {**_curves(compute), "value": compute, "position": compute}


def _rmse(group: Group) -> Row:
    interval = rmse_interval(*group.values) if group.n > 2 else None
    return {"rmse": float(np.sqrt(np.mean(group.difference**2))), **_ends("rmse", interval)}


def _bias(group: Group) -> Row:
    interval = group.limits.bias_interval if group.n > 1 else None
    return {"bias": float(group.difference.mean()), **_ends("bias", interval)}


def _rmse_bias_free(group: Group) -> Row:
    d = group.difference
    return {"rmse_bias_free": float(np.sqrt(max(float(np.mean(d**2) - d.mean() ** 2), 0.0)))}


def _limits(group: Group) -> Row:
    limits = group.limits
    ends = _ends("loa_low", limits.low_interval) | _ends("loa_high", limits.high_interval)
    return {"loa_low": limits.low, "loa_high": limits.high, **ends, "note": limits.note}


def _sem(group: Group) -> Row:
    return {"sem": group.own_error.sem, **_ends("sem", group.own_error.interval), "note": group.own_error.note}


def _sem_reference(group: Group) -> Row:
    """Only beside the method's own error: raises `InputError` as that does."""
    known = group.own_error.n > 0
    return {"sem_reference": within_session_error(group.reference, group.subjects).sem} if known else {}


def _rom(group: Group) -> Row:
    if group.kind == "value" and group.value != "rom":
        return {}
    return {f"rom_{side}": _nanmedian(_recorded(group, f"rom_{side}")) for side in ("method", "reference")}


def _line(compute: Callable[[Deming], Row]) -> Mapping[Kind, Callable[[Group], Row]]:
    """A figure of Deming's line, which needs three pairs."""
    return {"value": lambda group: compute(group.deming) if group.n > 2 else {}}


def _cmc(group: Group) -> Row:
    return {} if group.curves is None else {"cmc": cmc_between_methods(group.curves)}


def _quartiles(values: FloatArray) -> Row:
    values = values[np.isfinite(values)]
    if not len(values):
        return {}
    low, high = np.quantile(values, [0.25, 0.75])
    return {"rmse_q25": float(low), "rmse_q75": float(high)}


FIGURES: tuple[Figure, ...] = (
    Figure(
        name="n",
        title="repetitions",
        columns=("n",),
        compute=_everywhere(lambda group: {"n": group.n}),
        digits=0,
        explanation="Repetitions in the row.",
    ),
    Figure(
        name="rmse",
        title="RMSE",
        columns=("rmse",),
        compute={
            **_medians("rmse", _rmse),
            "position": lambda group: _median("rmse", group.estimate, group.subjects),
        },
        digits=1,
        has_unit=True,
        intervals=("rmse",),
        explanation="Root mean square of method - reference. Curves: within a repetition, the median over repetitions. "
        "Positions: the mean distance of a repetition, the median over repetitions.",
    ),
    Figure(
        name="bias",
        title="bias",
        columns=("bias",),
        compute=_medians("bias", _bias),
        digits=1,
        has_unit=True,
        signed=True,
        intervals=("bias",),
        explanation="Mean of method - reference: positive if the method reads too high. Curves: the median over "
        "repetitions.",
    ),
    Figure(
        name="rmse_bias_free",
        title="bias-free RMSE",
        columns=("rmse_bias_free",),
        compute=_medians("rmse_bias_free", _rmse_bias_free),
        digits=1,
        has_unit=True,
        intervals=("rmse_bias_free",),
        explanation="RMSE after the bias is subtracted: what a constant correction leaves. Curves: the bias of each "
        "repetition, the median over repetitions.",
    ),
    Figure(
        name="r",
        title="r",
        columns=("r",),
        compute=_medians("r", lambda group: {"r": agreement.pearson_r(group.estimate, group.reference)}),
        digits=2,
        intervals=("r",),
        explanation="Pearson's correlation: whether the shape is the same; it says nothing about size. Curves: the "
        "median over repetitions.",
    ),
    Figure(
        name="loa",
        title="limits of agreement",
        columns=("loa_low", "loa_high"),
        compute=_between_people(_limits),
        digits=1,
        has_unit=True,
        signed=True,
        intervals=("loa_low", "loa_high"),
        result=lambda group: group.limits,
        explanation="95 % of the differences of single repetitions lie between them (Bland and Altman, repeated "
        "measures). Curves: of the mean angle of a repetition.",
    ),
    Figure(
        name="icc",
        title="ICC(2,1)",
        columns=("icc",),
        compute=_between_people(
            lambda group: {"icc": group.icc.value, **_ends("icc", group.icc.interval), "note": group.icc.note}
        ),
        digits=2,
        intervals=("icc",),
        result=lambda group: group.icc,
        explanation="Absolute agreement: how well these people can be told apart; less in people who differ less. "
        "Curves: of the mean angle.",
    ),
    Figure(
        name="ccc",
        title="CCC",
        columns=("ccc",),
        compute=_between_people(
            lambda group: {"ccc": group.ccc.value, **_ends("ccc", group.ccc.interval), "note": group.ccc.note}
        ),
        digits=2,
        intervals=("ccc",),
        result=lambda group: group.ccc,
        explanation="Lin's concordance: 1 only if both give the same numbers. Curves: of the mean angle.",
    ),
    Figure(
        name="sem",
        title="SEM",
        columns=("sem",),
        compute=_between_people(_sem),
        digits=1,
        has_unit=True,
        intervals=("sem",),
        result=lambda group: group.own_error,
        explanation="The method's own error within a session, from its repetitions. Curves: of the mean angle.",
    ),
    Figure(
        name="mdc95",
        title="MDC95",
        columns=("mdc95",),
        compute=_between_people(
            lambda group: {"mdc95": group.own_error.mdc95, **_ends("mdc95", group.own_error.mdc95_interval)}
        ),
        digits=1,
        has_unit=True,
        intervals=("mdc95",),
        explanation="The smallest change that is more than the method's own scatter within a session, with 95 % "
        "certainty. Curves: of the mean angle.",
    ),
    Figure(
        name="rom",
        title="ROM",
        columns=("rom_method", "rom_reference"),
        compute={**_curves(_rom), "value": _rom},
        explanation="Median range of motion over the common samples. Curves and `_rom` rows.",
    ),
    Figure(
        name="n_subjects",
        title="subjects",
        columns=("n_subjects",),
        compute=_everywhere(lambda group: {"n_subjects": group.n_subjects}),
        explanation="Subjects of the repetitions.",
    ),
    Figure(
        name="icc_consistency",
        title="ICC(3,1)",
        columns=("icc_consistency",),
        compute=_between_people(
            lambda group: {"icc_consistency": icc_agreement(*group.values, kind="3,1", level=None).value}
        ),
        explanation="Consistency: as ICC(2,1), but a constant bias does not count.",
    ),
    Figure(
        name="sem_reference",
        title="SEM of the reference",
        columns=("sem_reference",),
        compute=_between_people(_sem_reference),
        explanation="The reference's own error within a session.",
    ),
    Figure(
        name="deming_slope",
        title="Deming's slope",
        columns=("deming_slope",),
        compute=_line(lambda line: {"deming_slope": line.slope, **_ends("deming_slope", line.slope_interval)}),
        intervals=("deming_slope",),
        result=lambda group: group.deming,
        explanation="Slope of Deming's line, method over reference: 1 if they agree. Single values only.",
    ),
    Figure(
        name="deming_intercept",
        title="Deming's intercept",
        columns=("deming_intercept",),
        compute=_line(lambda line: {"deming_intercept": line.intercept}),
        explanation="Intercept of Deming's line: 0 if they agree. Single values only.",
    ),
    Figure(
        name="cmc",
        title="CMC",
        columns=("cmc",),
        compute={"curve": _cmc},
        digits=2,
        explanation="Coefficient of multiple correlation between method and reference (Ferrari 2010), over 0-100 % of "
        "what all have of a repetition. Curves only.",
    ),
    Figure(
        name="quartiles",
        title="quartiles of the RMSE",
        columns=("rmse_q25", "rmse_q75"),
        compute={
            **_curves(lambda group: _quartiles(_recorded(group, "rmse"))),
            "position": lambda group: _quartiles(group.estimate),
        },
        explanation="Quartiles of the repetitions' RMSE or distance. Curves and positions.",
    ),
    Figure(
        name="clock_moved",
        title="bias-free RMSE, clock moved",
        columns=("rmse_bias_free_clock_moved",),
        compute=_curves(lambda group: {"rmse_bias_free_clock_moved": _nanmedian(_recorded(group, "moved"))}),
        explanation="Bias-free RMSE of a repetition with the clock moved by 0.1 s, the mean of both directions; the "
        "median over repetitions. Curves only.",
    ),
    Figure(
        name="missed_alone",
        title="missed alone",
        columns=("missed_alone",),
        compute={
            **_curves(lambda group: {"missed_alone": group.missed_alone}),
            "position": lambda group: {"missed_alone": group.missed_alone},
        },
        explanation="Samples that the reference and the other methods have and this method lacks; the sum.",
    ),
)
"""All figures of agreement, in the order of the file's columns and of the page's."""


def figure_named(name: str) -> Figure:
    """The figure of that name; raises `KeyError` for an unknown one."""
    return {figure.name: figure for figure in FIGURES}[name]


def _columns() -> tuple[str, ...]:
    """Of agreement.csv. Intervals of the figures up to `n_subjects` follow it in one block; later ones their column."""
    split = [figure.name for figure in FIGURES].index("n_subjects") + 1
    first = [column for figure in FIGURES[:split] for column in figure.columns]
    block = [f"{column}_{end}" for figure in FIGURES[:split] for column in figure.intervals for end in ("low", "high")]
    later = [
        name
        for figure in FIGURES[split:]
        for column in figure.columns
        for name in (column, *((f"{column}_low", f"{column}_high") if column in figure.intervals else ()))
    ]
    return (*_KEY, *first, *block, *later, "definitions", "note")


AGREEMENT_COLUMNS = _columns()


def agreement_table(results: Iterable[Result], definitions: str, joint_of: Mapping[str, str]) -> list[Row]:
    """The rows of agreement.csv by one set of definitions: one for each movement, method, quantity, side and joint.

    results   (values, arrays) of every recording, as `studies.measure.measure_recording` returns them; without arrays
              there is no CMC
    joint_of  angle without its side -> its joint; raises `InputError` for an angle that is not in it
    """
    rows = [
        {**identity, **_figures(group), "definitions": definitions}
        for identity, group in groups(results, definitions, joint_of)
    ]
    return sorted(rows, key=_order)


def write_agreement(
    folder: Path, results: Sequence[Result], definitions: str, joint_of: Mapping[str, str], suffix: str = ""
) -> list[Row]:
    """Write agreement.csv by one set of definitions, its name ending in `suffix`; returns its rows.

    Raises `InputError` if it cannot be written or an angle has no joint.
    """
    rows = agreement_table(results, definitions, joint_of)
    write_table(
        Path(folder) / f"agreement{suffix}.csv",
        AGREEMENT_COLUMNS,
        ([row.get(column) for column in AGREEMENT_COLUMNS] for row in rows),
    )
    return rows


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Iterable[Any]]) -> None:
    """Write a CSV file with a header, whole or not at all; None and NaN are empty cells.

    Raises `InputError` if it cannot be written.
    """
    with replacing(Path(path)) as temporary:
        write_csv(temporary, itertools.chain([columns], ([_cell(value) for value in row] for row in rows)))


def _figures(group: Group) -> Row:
    """Column -> value of all figures that the group has, and "note": why a value or an interval is absent."""
    if group.n == 0:
        return {"n": 0, "n_subjects": 0, "note": "no repetition has it"}
    row: Row = {}
    notes: list[str] = []
    for figure in FIGURES:
        if group.kind not in figure.compute:
            continue
        try:
            found = figure.compute[group.kind](group)
        except InputError as error:
            notes.append(str(error))
        else:
            notes.append(found.pop("note", ""))
            row |= found
    notes = list(dict.fromkeys(filter(None, notes)))
    if not notes and group.n_subjects < TOO_FEW_SUBJECTS:
        notes = [TOO_FEW_NOTE]
    return {**row, "note": "; ".join(notes)}


def _order(row: Row) -> tuple[Any, ...]:
    return row["movement"] == ALL_MOVEMENTS, row["movement"], row["method"], row["quantity"], row["joint"], row["side"]


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return f"{value:.6g}" if math.isfinite(value) else ""
    return "" if value is None else str(value)
