"""The figures of a study of many recordings: errors at a glance, curves, ranges of motion, joints.

Each takes the rows of agreement.csv (`comparison.study_tables`), or curves, and gives a matplotlib `Figure`. "Main" is
the angle of a movement that moves most: the one with the largest range by the reference.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle

from gonio.comparison.statistics.limits_of_agreement import ACCEPTABLE_DEG
from gonio.core.arrays import FloatArray
from gonio.core.errors import InputError
from gonio.report.canvas import (
    NORMAL,
    SMALL,
    SOFT,
    footnote,
    label,
    legend_of,
    named_legend,
    new_figure,
    style_axes,
    words_of,
)
from gonio.report.palette import FAINT, INK, METHODS, REFERENCE, method_styles

Row = Mapping[str, Any]

ORIGIN = (
    "2 and 5 degrees: errors that reviews of gait analysis call acceptable and in need of consideration (McGinley et "
    "al. 2009)"
)
_BANDS = ("#DCEBF7", "#FBE8C8", "#F4C7B8")  # at most 2, at most 5, more
_PER_ROW = 5
LINES = "#7F9CB8"


@dataclass(frozen=True, eq=False)
class Curves:
    """One angle of one movement: (repetition, 101) degrees over 0-100 % of each repetition, by method; the subjects."""

    movement: str
    angle: str
    by_method: Mapping[str, FloatArray]
    subjects: Sequence[str]


@dataclass(frozen=True, eq=False)
class Ranges:
    """One angle's range of motion in every repetition, degrees, by one method and by the reference, (repetition,)."""

    movement: str
    angle: str
    estimate: FloatArray
    reference: FloatArray
    subjects: Sequence[str]
    row: Row


def angle_of(row: Row) -> str:
    """left_knee_flexion"""
    return f"{row['side']}_{row['quantity']}" if row["side"] else str(row["quantity"])


def error_matrix(rows: Sequence[Row], method: str, names: Mapping[str, str]) -> Figure:
    """The bias-free RMSE of every angle in every movement, written into a grid; the main angle's has a frame.

    rows   curves of all movements and methods; names  movement -> its title
    Raises `InputError` if the method has none.
    """
    of_method = [row for row in rows if row["method"] == method and row.get("rmse_bias_free") is not None]
    if not of_method:
        raise InputError(f"{method} has no angle to draw")
    movements = list(dict.fromkeys(row["movement"] for row in of_method))
    angles = sorted({angle_of(row) for row in of_method}, key=lambda name: (name.split("_", 1)[-1], name))
    errors = np.full((len(movements), len(angles)), np.nan)
    for row in of_method:
        errors[movements.index(row["movement"]), angles.index(angle_of(row))] = row["rmse_bias_free"]
    figure = new_figure(2.4 + 0.55 * len(angles), 1.9 + 0.3 * len(movements))
    ax: Axes = figure.subplots()
    low, high = ACCEPTABLE_DEG
    norm = BoundaryNorm([0, low, high, max(1000.0, float(np.nanmax(errors)))], 3)
    ax.imshow(errors, cmap=ListedColormap(_BANDS), norm=norm, aspect="auto")
    for (i, j), error in np.ndenumerate(errors):
        if np.isfinite(error):
            ax.text(j, i, f"{error:.1f}", ha="center", va="center", fontsize=SMALL, color=INK)
    for i, movement in enumerate(movements):
        main = main_row([row for row in of_method if row["movement"] == movement])
        if main is not None:
            place = (angles.index(angle_of(main)) - 0.5, i - 0.5)
            ax.add_patch(Rectangle(place, 1, 1, fill=False, edgecolor=INK, lw=1.1))
    ax.set_xticks(range(len(angles)), [words_of(name) for name in angles], rotation=50, ha="right", fontsize=SMALL)
    ax.set_yticks(range(len(movements)), [names.get(each, each) for each in movements], fontsize=SMALL)
    for text in (*ax.get_yticklabels(), *ax.get_xticklabels()):
        label(text)
    ax.tick_params(length=0, labelcolor=INK)
    ax.spines[:].set_visible(False)
    bands = (f"at most {low:g}°", f"at most {high:g}°", f"more than {high:g}°")
    handles = [Patch(facecolor=colour, edgecolor=FAINT) for colour in _BANDS]
    figure.legend(handles, bands, loc="outside upper center", ncols=3, frameon=False, fontsize=SMALL)
    footnote(figure, f"{ORIGIN}. Framed: the angle that moves most.")
    return figure


def mean_curves(curves: Sequence[Curves], reference: str, names: Mapping[str, str]) -> Figure:
    """The main angle of every movement over its repetitions: mean and standard deviation by each method.

    Raises `InputError` if there is none.
    """
    if not curves:
        raise InputError("the study has no curve to draw")
    methods = list(dict.fromkeys(name for each in curves for name in each.by_method))
    styles = method_styles(methods, reference)
    figure, grid = _grid(len(curves))
    for ax, each in zip(grid, curves, strict=False):
        style_axes(ax)
        for name, values in each.by_method.items():
            style = styles[name]
            present = np.isfinite(values).any(axis=0)
            percent = np.linspace(0, 100, values.shape[1])[present]
            mean, sd = np.nanmean(values[:, present], axis=0), np.nanstd(values[:, present], axis=0)
            ax.fill_between(percent, mean - sd, mean + sd, color=style.colour, alpha=0.14, lw=0)
            ax.plot(percent, mean, color=style.colour, ls=style.dashes, lw=style.width)
        _title(ax, names.get(each.movement, each.movement), words_of(each.angle))
    legend_of(figure, styles, methods, reference)
    footnote(figure, "Degrees over 0-100 % of a repetition; mean of all repetitions and one standard deviation.")
    return figure


def range_agreement(ranges: Sequence[Ranges], method: str, names: Mapping[str, str]) -> Figure:
    """Bland and Altman's plot of the range of motion of every movement's main angle: difference against mean.

    A subject has one colour in all panels. The bias and the limits of agreement are lines, their intervals bands.
    Raises `InputError` if there is none.
    """
    if not ranges:
        raise InputError("the study has no range of motion to draw")
    people = sorted({subject for each in ranges for subject in each.subjects})
    colours = {name: METHODS[i % len(METHODS)] for i, name in enumerate(people)}
    markers = {name: "osD^v>"[i // len(METHODS) % 6] for i, name in enumerate(people)}
    figure, grid = _grid(len(ranges))
    for ax, each in zip(grid, ranges, strict=False):
        style_axes(ax)
        mean, difference = (each.estimate + each.reference) / 2, each.estimate - each.reference
        owners = np.asarray(each.subjects)
        for name in people:
            of = owners == name
            ax.plot(mean[of], difference[of], ls="none", marker=markers[name], ms=3, color=colours[name], alpha=0.75)
        for line in (0.0, *(sign * each_deg for each_deg in ACCEPTABLE_DEG for sign in (-1, 1))):
            ax.axhline(line, color=LINES, lw=0.8, ls="-" if line == 0 else ":")
        for figure_name, dashes in (("bias", "-"), ("loa_low", (0, (5, 2))), ("loa_high", (0, (5, 2)))):
            value = each.row.get(figure_name)
            if value is not None and math.isfinite(value):
                ax.axhline(value, color=REFERENCE, lw=1.0, ls=dashes)
                low, high = (each.row.get(f"{figure_name}_{end}") for end in ("low", "high"))
                if low is not None and high is not None:
                    ax.axhspan(low, high, color=REFERENCE, alpha=0.08, lw=0)
        _title(ax, names.get(each.movement, each.movement), words_of(each.angle))
    handles = [Line2D([], [], ls="none", marker=markers[n], ms=4, color=colours[n]) for n in people[:24]]
    named_legend(figure, handles, people[:24])
    footnote(
        figure,
        f"{method}: difference of the range of motion from the reference's (degrees) over their mean (degrees). Solid: "
        f"bias; dashed: 95 % limits of agreement; bands: their intervals; dotted: {ORIGIN}.",
    )
    return figure


def joint_errors(rows: Sequence[Row]) -> Figure:
    """The distance of each joint from the reference's after rigid alignment: median and quartiles over all repetitions.

    rows  positions of the movement "all". Raises `InputError` if there is none.
    """
    of_method = [row for row in rows if row["joint"] and row.get("rmse") is not None]
    if not of_method:
        raise InputError("the study has no error of any joint to draw")
    methods = list(dict.fromkeys(row["method"] for row in of_method))
    styles = method_styles(methods)
    joints = list(dict.fromkeys(f"{row['side']} {row['joint']}".strip() for row in of_method))
    figure = new_figure(7.0, 1.2 + 0.28 * len(joints))
    ax: Axes = figure.subplots()
    style_axes(ax)
    for k, method in enumerate(methods):
        of = {f"{row['side']} {row['joint']}".strip(): row for row in of_method if row["method"] == method}
        place = np.array([joints.index(joint) for joint in of]) + 0.16 * (k - (len(methods) - 1) / 2)
        low, middle, high = (np.array([row[key] for row in of.values()]) for key in ("rmse_q25", "rmse", "rmse_q75"))
        style = styles[method]
        ax.hlines(place, low, high, color=style.colour, lw=1.4)
        ax.plot(middle, place, ls="none", marker=style.marker, ms=6, mfc=style.colour, mec="white", mew=0.5)
    ax.set_yticks(range(len(joints)), [words_of(joint) for joint in joints])
    ax.set_ylim(len(joints) - 0.5, -0.5)
    ax.set_xlim(left=0)
    ax.set_xlabel("distance from the reference's joint (mm)", fontsize=SMALL, color=INK)
    handles = [
        Line2D([], [], ls="none", marker=styles[n].marker, ms=6, mfc=styles[n].colour, mec="white") for n in methods
    ]
    named_legend(figure, handles, methods)
    footnote(figure, "One rigid alignment of each frame, no scale. Dot: median over repetitions; line: quartiles.")
    return figure


def main_row(rows: Sequence[Row]) -> Row | None:
    """Of the curves of one movement and method the one whose angle moves most by the reference; None without one.

    The forearm against the trunk takes the motion of two joints: it is chosen only if it moves twice as far.
    """
    moving = [row for row in rows if row.get("rom_reference") is not None]
    return max(
        moving,
        key=lambda row: row["rom_reference"] / (2 if row["quantity"] == "forearm_trunk_angle" else 1),
        default=None,
    )


def _grid(panels: int) -> tuple[Figure, list[Axes]]:
    n_rows, n_columns = -(-panels // _PER_ROW), min(panels, _PER_ROW)
    figure = new_figure(max(2.0 * n_columns, 4.0), 0.9 + 1.75 * n_rows)
    axes: list[Axes] = list(figure.subplots(n_rows, n_columns, squeeze=False).flat)
    for ax in axes[panels:]:
        ax.set_axis_off()
    return figure, axes


def _title(ax: Axes, movement: str, angle: str) -> None:
    label(ax.set_title(movement, fontsize=NORMAL, color=INK, loc="left", pad=11), movement)
    label(ax.text(0, 1.02, angle, transform=ax.transAxes, fontsize=SMALL, color=SOFT, va="bottom"), angle)
