"""The figures of a study: trajectories, angle curves, error per joint, skeletons in 3D.

Every function takes values and gives a matplotlib `Figure` without touching pyplot or any global setting, so that two
studies can be drawn in two threads. A method has one colour in all figures (`palette.method_styles`): give `styles`
if a figure does not show every method of the trial. Left and right are always the person's own. What is missing is
a gap in the curve; nothing is drawn across it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from gonio.comparison.result import ComparisonResult, ErrorSummary
from gonio.core.angle_series import AngleSeries
from gonio.core.arrays import FloatArray
from gonio.core.errors import InputError
from gonio.core.progress import Progress, silent
from gonio.core.sequence import Axis, PoseSequence
from gonio.core.skeleton import Skeleton
from gonio.report.canvas import (
    NORMAL,
    SMALL,
    curve,
    footnote,
    label,
    legend_of,
    named_legend,
    new_figure,
    save,
    style_axes,
    words_of,
)
from gonio.report.palette import FAINT, INK, LEFT, MIDLINE, REFERENCE, RIGHT, Style, method_styles, side_colour

OWN_SIDES = "Left and right are the person's own."
TRAJECTORY_JOINTS = ("left_wrist", "right_wrist", "left_ankle", "right_ankle")

_ALIGNED = ("turned and scaled to fit, each frame (PA-MPJPE)", "pa_mpjpe_mm")
_FRONT_ANGLE_RAD = np.deg2rad(35.0)  # skeletons are seen from the front, turned by this much,
_ELEVATION_RAD = np.deg2rad(12.0)  # and from a little above
_TILE_M = 0.5


def trajectories(
    methods: Mapping[str, PoseSequence],
    joints: Sequence[str] = TRAJECTORY_JOINTS,
    reference: str | None = None,
    *,
    styles: Mapping[str, Style] | None = None,
) -> Figure:
    """Positions of joints relative to the mid-hip over time, in metres: a row for each joint, a column for each axis.

    All sequences are turned to the vertical of the first (of the reference, if there is one). A joint that no
    method has is left out. Raises `InputError` if nothing is left to draw.
    """
    styles = _styles(methods, reference, styles)
    sequences = _one_vertical(methods, reference)
    shown = [joint for joint in joints if any(joint in s.skeleton for s in sequences.values())]
    if not shown:
        raise InputError(f"no method has any of the joints {', '.join(joints)}; no trajectory can be drawn")
    figure = new_figure(9.0, 0.9 + 1.5 * len(shown))
    grid = figure.subplots(len(shown), 3, sharex=True, squeeze=False)
    names = _axis_names(next(iter(sequences.values())).up)
    outside = 0
    for row, joint in enumerate(shown):
        having = {name: s for name, s in sequences.items() if joint in s.skeleton}
        values = {name: s[joint] - s.root_m() for name, s in having.items()}
        low, high = _common_scale(np.concatenate(list(values.values())))
        for axis in range(3):
            ax: Axes = grid[row][axis]
            style_axes(ax)
            for name, sequence in having.items():
                curve(ax, sequence.times_s, values[name][:, axis], styles[name])
                outside += int(((values[name][:, axis] < low[axis]) | (values[name][:, axis] > high[axis])).sum())
            ax.set_ylim(low[axis], high[axis])
            if row == 0:
                ax.set_title(names[axis], fontsize=NORMAL, color=INK)
            if row == len(shown) - 1:
                ax.set_xlabel("time (s)", fontsize=SMALL, color=INK)
        grid[row][0].set_ylabel(f"{words_of(joint)}\nfrom mid-hip (m)", fontsize=SMALL, color=INK)
    legend_of(figure, styles, sequences, reference)
    cut = f" {outside} extreme values lie outside the frames." if outside else ""
    footnote(figure, f"{OWN_SIDES} One scale in each row.{cut}")
    return figure


def angle_curves(
    angles: Mapping[str, AngleSeries],
    reference: str | None = None,
    *,
    styles: Mapping[str, Style] | None = None,
) -> Figure:
    """Every joint angle over time by every method, in degrees: one row per angle, left and right beside each other.

    Angles that belong to no side follow below, two in a row. An angle that no method could measure is left out.
    Raises `InputError` if nothing is left to draw.
    """
    styles = _styles(angles, reference, styles)
    seen = dict.fromkeys(
        name for series in angles.values() for name in series.names if np.isfinite(series.degrees[name]).any()
    )
    if not seen:
        raise InputError("no method has a joint angle to draw")
    panels = _angle_panels(tuple(seen))
    n_rows = 1 + max(row for row, _ in panels.values())
    figure = new_figure(9.0, 0.9 + 1.55 * n_rows)
    grid = figure.subplots(n_rows, 2, sharex=True, sharey="row", squeeze=False)
    for ax in grid.flat:
        ax.set_axis_off()
    for name, (row, column) in panels.items():
        ax = grid[row][column]
        ax.set_axis_on()
        style_axes(ax)
        for method, series in angles.items():
            if name in series.names:
                curve(ax, series.times_s, series.degrees[name], styles[method])
        label(ax.set_title(words_of(name), fontsize=NORMAL, color=INK, loc="left", pad=3), words_of(name))
        ax.set_ylabel("degrees", fontsize=SMALL, color=INK)
        ax.tick_params(labelleft=True)
        if (row + 1, column) not in panels.values():
            ax.set_xlabel("time (s)", fontsize=SMALL, color=INK)
            ax.tick_params(labelbottom=True)
    legend_of(figure, styles, angles, reference)
    footnote(figure, OWN_SIDES)
    return figure


def error_per_joint(result: ComparisonResult, *, styles: Mapping[str, Style] | None = None) -> Figure:
    """The distance of each joint from the reference's in mm: centred on the mid-hip, and after alignment of each frame.

    Left: root MPJPE, which holds errors of direction and size. Right: PA-MPJPE, what remains of them when rotation and
    scale are taken out too. A method without the one or the other is not in that panel. Without a reference the errors
    are those between every two methods, written into a grid. Raises `InputError` if there is no error to draw.
    """
    if result.pairs:
        return _error_grid(result)
    reference = result.protocol["reference"]
    styles = _styles(result.methods, reference, styles)
    estimates = {name: m for name, m in result.methods.items() if not m.is_reference and m.per_joint}
    joints = tuple(dict.fromkeys(joint for m in estimates.values() for joint in m.per_joint))
    panels = [
        (title, {name: m for name, m in estimates.items() if any(_error(m, j, key) is not None for j in joints)}, key)
        for title, key in (("centred on the mid-hip (root MPJPE)", "root_mpjpe_mm"), _ALIGNED)
    ]
    panels = [panel for panel in panels if panel[1]]
    if not panels:
        raise InputError("the result has no error of any joint to draw")
    figure = new_figure(9.0, 1.3 + 0.31 * len(joints))
    grid = figure.subplots(1, len(panels), sharey=True, sharex=True, squeeze=False)[0]
    rows = np.arange(len(joints))
    for ax, (title, shown, key) in zip(grid, panels, strict=True):
        style_axes(ax)
        ax.grid(False, axis="y")
        ax.hlines(rows, 0, 1, transform=ax.get_yaxis_transform(), color=FAINT, lw=0.5, zorder=0)
        for name, method in shown.items():
            values = np.array([_number(_error(method, joint, key)) for joint in joints])
            style = styles[name]
            ax.plot(values, rows, ls="none", marker=style.marker, ms=6, mfc=style.colour, mec="white", mew=0.5)
        ax.set_title(title, fontsize=NORMAL, color=INK, loc="left")
        ax.set_xlabel("error (mm)", fontsize=SMALL, color=INK)
    largest = max(_number(_error(m, j, key)) for _, shown, key in panels for m in shown.values() for j in m.per_joint)
    grid[0].set_xlim(0, 1.05 * largest)
    grid[0].set_yticks(rows, [words_of(joint) for joint in joints])
    grid[0].set_ylim(len(joints) - 0.5, -0.5)
    ordered = [name for name in estimates if any(name in shown for _, shown, _ in panels)]
    handles = [
        Line2D([], [], ls="none", marker=styles[n].marker, ms=6, mfc=styles[n].colour, mec="white") for n in ordered
    ]
    named_legend(figure, handles, ordered)
    footnote(figure, f"{OWN_SIDES} Mean distance from the reference.")
    return figure


def skeletons_3d(
    methods: Mapping[str, PoseSequence],
    reference: str | None = None,
    moments_s: Sequence[float] | None = None,
    *,
    styles: Mapping[str, Style] | None = None,
) -> Figure:
    """The person at a few moments by every method: one column per method, one row per moment; up is up.

    All are centred on the mid-hip and seen in parallel projection from the person's front, turned by 35 degrees, a
    little from above. The reference stands thin and dark behind every estimate. `moments_s` defaults to four moments
    whose poses differ most. A method without a frame there has an empty place.
    Raises `InputError` if there is nothing to draw.
    """
    styles = _styles(methods, reference, styles)
    sequences = {name: s for name, s in _one_vertical(methods, reference, "+z").items() if s.valid.any()}
    if not sequences:
        raise InputError("no method has a joint; no skeleton can be drawn")
    first = sequences.get(reference or "", next(iter(sequences.values())))
    moments = _telling_moments(first, 4) if moments_s is None else np.asarray(moments_s, dtype=float)
    to_view = _view(first)
    poses = {name: [_pose(s, t) for t in moments] for name, s in sequences.items()}
    seen = np.concatenate([p for columns in poses.values() for p in columns])
    if not np.isfinite(seen).any():
        raise InputError("no method has a joint at the chosen moments; no skeleton can be drawn")
    grounds, reach_m = _grounds_and_reach(poses.get(reference or "", next(iter(poses.values()))), seen)
    corners = np.array([[x, y, z] for x in (-_TILE_M, _TILE_M) for y in (-_TILE_M, _TILE_M) for z in grounds])
    inside = seen[np.isfinite(seen).all(axis=1)].clip(-reach_m, reach_m)
    box = (np.concatenate([inside, corners]) @ to_view.T)[:, :2]
    low, high = box.min(axis=0) - 0.05, box.max(axis=0) + 0.05

    width = max(9.0 / max(len(poses), 5), 1.25)
    height = width * (high[1] - low[1]) / (high[0] - low[0])
    figure = new_figure(0.6 + width * len(poses), 1.2 + height * len(moments))
    grid = figure.subplots(len(moments), len(poses), squeeze=False)
    for column, (name, column_poses) in enumerate(poses.items()):
        for row, pose in enumerate(column_poses):
            ax: Axes = grid[row][column]
            _bare(ax, low, high)
            _ground(ax, to_view, grounds[row])
            if reference in poses and name != reference:
                _ghost(ax, poses[reference][row] @ to_view.T, sequences[reference])
            _skeleton(ax, pose @ to_view.T, sequences[name])
            if column == 0:
                ax.set_ylabel(f"{moments[row]:.2f} s", fontsize=NORMAL, color=INK, rotation=0, ha="right", va="center")
        head = grid[0][column]
        title = f"{name}\n(reference)" if name == reference else _two_lines(name)
        label(head.set_title("\n", fontsize=SMALL, color=INK, pad=9), title)
        bar = {"transform": head.transAxes, "clip_on": False, "color": styles[name].colour, "lw": 3.0}
        head.plot([0.2, 0.8], [1.03, 1.03], ls=styles[name].dashes, **bar)
    handles = [
        Line2D([], [], color=LEFT, lw=2.4, label="left"),
        Line2D([], [], color=RIGHT, lw=2.4, label="right"),
    ]
    if any(_has_midline(sequences[name].skeleton) for name in poses):
        handles.append(Line2D([], [], color=MIDLINE, lw=2.4, label="neither side"))
    if reference in poses:
        handles.append(Line2D([], [], color=REFERENCE, lw=0.9, alpha=0.55, label="reference, same moment"))
    figure.legend(handles=handles, loc="outside upper center", ncols=4, frameon=False, fontsize=SMALL)
    footnote(figure, f"{OWN_SIDES} Centred on the mid-hip; ground squares {_TILE_M} m.")
    return figure


def _styles(names: Iterable[str], reference: str | None, given: Mapping[str, Style] | None) -> Mapping[str, Style]:
    return method_styles(names, reference) | dict(given or {})


def _error(item: ErrorSummary, joint: str, key: str) -> float | None:
    value: float | None = getattr(item.per_joint.get(joint), key, None)
    return value


def _number(value: float | None) -> float:
    return float("nan") if value is None else value


def _error_grid(result: ComparisonResult) -> Figure:
    """Pairs of methods by joints, nearest pair first; root-centred if every pair has it, else aligned."""
    has_root = all(pair.root_mpjpe_mm is not None for pair in result.pairs)
    title, key = ("centred on the mid-hip (root MPJPE)", "root_mpjpe_mm") if has_root else _ALIGNED
    pairs = sorted(result.pairs, key=lambda pair: np.nan_to_num(_number(getattr(pair, key)), nan=np.inf))
    joints = tuple(dict.fromkeys(joint for pair in pairs for joint in pair.per_joint))
    values = np.array([[_number(_error(pair, joint, key)) for joint in joints] for pair in pairs])
    if not np.isfinite(values).any():
        raise InputError("the result has no error of any joint to draw")
    figure = new_figure(9.0, 1.6 + 0.27 * len(pairs))
    ax: Axes = figure.subplots()
    ax.imshow(values, cmap="Blues", vmin=0, aspect="auto")
    middle = float(np.nanmax(values)) * 0.6
    for row, column in np.argwhere(np.isfinite(values)):
        value = values[row, column]
        colour = "white" if value > middle else INK
        ax.text(column, row, f"{value:.0f}", ha="center", va="center", fontsize=SMALL, color=colour)
    names = [f"{pair.a} / {pair.b}" for pair in pairs]
    ax.set_yticks(range(len(pairs)), names, fontsize=SMALL, color=INK, parse_math=False)
    ax.set_xticks(
        range(len(joints)), [words_of(joint).replace(" ", "\n") for joint in joints], fontsize=SMALL, color=INK
    )
    ax.xaxis.tick_top()
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set_title(f"mm, {title}", fontsize=NORMAL, color=INK, loc="left")
    footnote(figure, f"{OWN_SIDES} Mean distance between the two methods.")
    return figure


def _one_vertical(
    methods: Mapping[str, PoseSequence], reference: str | None, up: Axis | None = None
) -> dict[str, PoseSequence]:
    """The 3D sequences, turned so that `up` (default: the first's own) points up in all that know their vertical."""
    flat = [name for name, sequence in methods.items() if sequence.dimensions != 3]
    if flat:
        raise InputError(
            f"{', '.join(flat)}: 2D positions cannot be drawn among 3D ones; triangulate or lift them first"
        )
    if not methods:
        raise InputError("no method to draw")
    names = sorted(methods, key=lambda name: name != reference)
    target = up or methods[names[0]].up
    return {n: methods[n] if target is None or methods[n].up is None else methods[n].with_up(target) for n in names}


def _common_scale(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Limits (axis,) that show all but the most extreme 2 % of (n, axis) values, with one span for all axes."""
    inner = (
        np.nanpercentile(values, [1, 99], axis=0, method="nearest")
        if np.isfinite(values).any()
        else np.tile([[-0.5], [0.5]], 3)
    )
    half = max(0.62 * float((inner[1] - inner[0]).max()), 0.05)
    middle = inner.mean(axis=0)
    return middle - half, middle + half


def _axis_names(up: Axis | None) -> list[str]:
    names = [f"{axis} (m)" for axis in "xyz"]
    if up is not None:
        sense = "up" if up[0] == "+" else "down"
        names = [f"{axis}: {sense if axis == up[1] else 'horizontal'} (m)" for axis in "xyz"]
    return names


def _angle_panels(names: Sequence[str]) -> dict[str, tuple[int, int]]:
    """(row, column) of every angle: left and right of one angle share a row, the others follow two by two."""
    sided = dict.fromkeys(n.split("_", 1)[1] for n in names if n.startswith(("left_", "right_")))
    places: dict[str, tuple[int, int]] = {}
    for row, base in enumerate(sided):
        for column, side in enumerate(("left", "right")):
            if f"{side}_{base}" in names:
                places[f"{side}_{base}"] = (row, column)
    midline = [n for n in names if n not in places]
    return places | {n: (len(sided) + i // 2, i % 2) for i, n in enumerate(midline)}


# ---- skeletons -------------------------------------------------------------------------------------------------------


def _telling_moments(sequence: PoseSequence, count: int) -> FloatArray:
    """(count,) seconds, in order: the poses that differ most from each other, among the frames that hold most joints.

    The first is the pose nearest the median pose; each further one is the farthest from all before it.
    """
    joints = sequence.valid.sum(axis=1)
    frames = np.flatnonzero(joints >= np.quantile(joints, 0.75))
    poses = np.nan_to_num(sequence.positions[frames] - sequence.root_m()[frames, None]).reshape(len(frames), -1)
    chosen = [int(np.argmin(np.linalg.norm(poses - np.median(poses, axis=0), axis=1)))]
    while len(chosen) < min(count, len(frames)):
        distance = np.linalg.norm(poses[:, None] - poses[chosen], axis=2).min(axis=1)
        chosen.append(int(np.argmax(distance)))
    return np.asarray(sequence.times_s[np.sort(frames[chosen])])


def _pose(sequence: PoseSequence, time_s: float) -> FloatArray:
    """(joint, 3) m from the mid-hip at the nearest frame within half an interval; NaN if there is none."""
    nearest = int(np.argmin(np.abs(sequence.times_s - time_s)))
    half = 0.5 / sequence.rate_hz if len(sequence) > 1 else 0.0
    if abs(sequence.times_s[nearest] - time_s) > half + 1e-6:
        return np.full((len(sequence.skeleton), 3), np.nan)
    return np.asarray(sequence.positions[nearest] - sequence.root_m()[nearest])


def _view(sequence: PoseSequence) -> FloatArray:
    """(3, 3) rows: the page's right, the page's up, towards the eye; for a world whose +z is up."""
    forward = np.array([0.0, 1.0, 0.0])
    if "left_hip" in sequence.skeleton and "right_hip" in sequence.skeleton:
        across = (sequence["right_hip"] - sequence["left_hip"])[:, :2]
        across = across[np.isfinite(across).all(axis=1)]
        if len(across) and np.linalg.norm(across.mean(axis=0)) > 1e-6:
            x, y = across.mean(axis=0) / np.linalg.norm(across.mean(axis=0))
            forward = np.array([-y, x, 0.0])  # up x right
    c, s = np.cos(_FRONT_ANGLE_RAD), np.sin(_FRONT_ANGLE_RAD)
    towards = np.array([c * forward[0] - s * forward[1], s * forward[0] + c * forward[1], 0.0])
    right = np.cross([0.0, 0.0, 1.0], towards)
    eye = towards * np.cos(_ELEVATION_RAD) + np.array([0.0, 0.0, np.sin(_ELEVATION_RAD)])
    return np.stack([right, np.cross(eye, right), eye])


def _grounds_and_reach(poses: Sequence[FloatArray], seen: FloatArray) -> tuple[list[float], float]:
    """Height of the ground from the mid-hip at each moment, and how far from the mid-hip is drawn at all.

    Both come from the reference's poses: an outlier of one method shall not shrink the others.
    """
    known = [pose for pose in poses if np.isfinite(pose).any()] or [seen]
    lowest = [float(np.nanmin(pose[:, 2])) if np.isfinite(pose).any() else np.nan for pose in poses]
    usual = float(np.nanmin(np.concatenate(known)[:, 2]))
    reach_m = 1.15 * float(np.nanmax(np.abs(np.concatenate(known))))
    return [z if np.isfinite(z) else usual for z in lowest], reach_m


def _has_midline(skeleton: Skeleton) -> bool:
    return any(side_colour(skeleton.joints[child]) == MIDLINE for _, child in skeleton.bones)


def _two_lines(name: str) -> str:
    """A long name broken at the hyphen nearest its middle."""
    breaks = [i + 1 for i, letter in enumerate(name) if letter == "-"]
    if len(name) <= 14 or not breaks:
        return name
    middle = min(breaks, key=lambda i: abs(i - len(name) / 2))
    return f"{name[:middle]}\n{name[middle:]}"


def _bare(ax: Axes, low: FloatArray, high: FloatArray) -> None:
    ax.set_xlim(low[0], high[0])
    ax.set_ylim(low[1], high[1])
    ax.set_aspect("equal")
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)


def _ground(ax: Axes, to_view: FloatArray, z: float) -> None:
    ticks = np.arange(-_TILE_M, _TILE_M + 0.01, _TILE_M)
    for tick in ticks:
        for line in ([[tick, ticks[0], z], [tick, ticks[-1], z]], [[ticks[0], tick, z], [ticks[-1], tick, z]]):
            ends = np.array(line) @ to_view.T
            ax.plot(ends[:, 0], ends[:, 1], color=FAINT, lw=0.6, zorder=0)


def _ghost(ax: Axes, pose: FloatArray, sequence: PoseSequence) -> None:
    for parent, child in sequence.skeleton.bones:
        ends = pose[[parent, child]]
        ax.plot(ends[:, 0], ends[:, 1], color=REFERENCE, lw=0.9, alpha=0.55, zorder=1, clip_on=True)


def _skeleton(ax: Axes, pose: FloatArray, sequence: PoseSequence) -> None:
    """Bones from the farthest to the nearest, each in the colour of its own side; joints as dots."""
    joints = sequence.skeleton.joints
    for parent, child in sequence.skeleton.bones:
        ends = pose[[parent, child]]
        if np.isfinite(ends).all():
            style: dict[str, Any] = {"solid_capstyle": "round", "zorder": 3 + float(ends[:, 2].mean())}
            ax.plot(ends[:, 0], ends[:, 1], color=side_colour(joints[child]), lw=2.0, **style)
    colours = [side_colour(joint) for joint in joints]
    ax.scatter(pose[:, 0], pose[:, 1], s=5, c=colours, zorder=8, linewidths=0)


# ---- the figures of a trial's page -----------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class FigureInput:
    """What the figures of a trial are drawn from: each method's joints and angles, and the result."""

    sequences: Mapping[str, PoseSequence]
    angles: Mapping[str, AngleSeries]
    result: ComparisonResult

    @property
    def reference(self) -> str | None:
        reference: str | None = self.result.protocol["reference"]
        return reference


@dataclass(frozen=True)
class TrialFigure:
    """One figure of a trial's page.

    name     of its files
    title    on the page
    caption  on the page, of a result
    draw     the figure
    applies  whether the result has anything to draw
    """

    name: str
    title: str
    caption: Callable[[ComparisonResult], str]
    draw: Callable[[FigureInput], Figure]
    applies: Callable[[ComparisonResult], bool] = lambda result: True


def _has_errors(result: ComparisonResult) -> bool:
    """Whether a method was compared with another: not if there is one alone."""
    compared = result.protocol["reference"] is not None and any(not m.is_reference for m in result.methods.values())
    return bool(result.pairs) or compared


def _caption_of_errors(result: ComparisonResult) -> str:
    if result.pairs:
        return "Mean distance at each joint between every two methods."
    return (
        "Mean error of each joint: centred on the mid-hip without scaling (root MPJPE), and turned and scaled to fit "
        "each frame (PA-MPJPE)."
    )


FIGURES: tuple[TrialFigure, ...] = (
    TrialFigure(
        "error_per_joint",
        "Error of each joint",
        _caption_of_errors,
        lambda values: error_per_joint(values.result),
        _has_errors,
    ),
    TrialFigure(
        "angle_curves",
        "Joint angles over time",
        lambda _: "Joint angles over time. Left and right are the person's own.",
        lambda values: angle_curves(values.angles, values.reference),
    ),
    TrialFigure(
        "skeletons_3d",
        "Skeletons in 3D",
        lambda _: "The skeletons of all methods at four moments, centred on the mid-hip.",
        lambda values: skeletons_3d(values.sequences, values.reference),
    ),
    TrialFigure(
        "trajectories",
        "Joint positions over time",
        lambda _: "Joint positions over time, relative to the mid-hip.",
        lambda values: trajectories(values.sequences, reference=values.reference),
    ),
)
"""All figures, in the order of the page. A new figure is a function and one entry here."""


def save_figures(folder: Path, values: FigureInput, progress: Progress = silent) -> dict[str, Path]:
    """Draw every figure that applies and write it as .png and .svg; name -> the .png.

    Raises `InputError` if there is nothing to draw or `folder` cannot be written.
    """
    drawn = [figure for figure in FIGURES if figure.applies(values.result)]
    paths = {}
    with progress("drawing figures", len(drawn)) as tick:
        for figure in drawn:
            paths[figure.name] = save(figure.draw(values), folder, figure.name)[0]
            tick()
    return paths
