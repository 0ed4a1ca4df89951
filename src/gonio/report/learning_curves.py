"""How a training went: the losses and the errors of validation over the epochs, on logarithmic axes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from gonio.core.errors import InputError
from gonio.report.palette import FAINT, INK, METHODS, REFERENCE

LOSSES = {
    "position": "MPJPE, training",
    "velocity": "velocity, labelled",
    "trajectory": "root, labelled",
    "reprojection": "reprojection, unlabelled",
    "bones": "bone lengths, unlabelled",
}
ERRORS = {"validation_mpjpe": "MPJPE, validation", "validation_n_mpjpe": "N-MPJPE, validation"}
_SMALL, _NORMAL = 7.5, 8.5  # text sizes in points


def learning_curves(log: Sequence[Mapping[str, float]], unit: str) -> Figure:
    """Errors of the joints, in training and in validation, in the upper panel; the other parts of the loss below.

    log   an entry for each epoch: "epoch", and any of `LOSSES` and `ERRORS`; "..._mm" too, for what 1 is in mm
    unit  of the targets

    Raises `InputError` if the log is empty.
    """
    if not log:
        raise InputError("the log has no epoch; no learning curve can be drawn")
    names = {name for entry in log for name in entry}
    parts = [name for name in LOSSES if name in names and name != "position"]
    figure = Figure(figsize=(7.0, 3.4 + 2.0 * bool(parts)), layout="constrained", facecolor="white")
    heights = [1.6, 1.0] if parts else [1.0]
    panels = figure.subplots(len(heights), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    shown = LOSSES | ERRORS
    for ax, which in zip(panels, (["position", *ERRORS], parts), strict=False):
        _dress(ax)
        colours = dict(zip(which, (REFERENCE, *METHODS) if ax is panels[0] else METHODS, strict=False))
        for name in (name for name in which if name in names):
            points = [(entry["epoch"], entry[name]) for entry in log if entry.get(name, 0) > 0]
            if points:
                marks = "o" if len(points) == 1 else ""
                ax.plot(*zip(*points, strict=True), color=colours[name], lw=1.4, marker=marks, ms=3, label=shown[name])
        ax.set_yscale("log")
        ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        ax.yaxis.set_minor_formatter(FuncFormatter(lambda value, _: f"{value:g}" if _leads(value, (2, 3, 5)) else ""))
        ax.legend(fontsize=_SMALL, frameon=False, labelcolor=INK)
    panels[0].set_ylabel(f"error ({unit})", fontsize=_SMALL, color=INK)
    if parts:
        panels[1].set_ylabel("other parts of the loss", fontsize=_SMALL, color=INK)
    panels[-1].set_xlabel("epoch", fontsize=_SMALL, color=INK)
    panels[-1].set_xscale("log")
    panels[-1].xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    panels[-1].xaxis.set_minor_formatter(
        NullFormatter() if len(log) > 20 else FuncFormatter(lambda value, _: f"{value:g}")
    )
    panels[0].set_title(_title(log), fontsize=_NORMAL, color=INK, loc="left")
    return figure


def _title(log: Sequence[Mapping[str, float]]) -> str:
    last = log[-1]
    title = f"{len(log)} epochs" if len(log) > 1 else "1 epoch"
    for name, label in (("validation_mpjpe_mm", "MPJPE"), ("validation_n_mpjpe_mm", "N-MPJPE")):
        if name in last:
            title += f", {label} {last[name]:.1f} mm"
    return title + (" in validation" if "validation_mpjpe_mm" in last else "")


def _leads(value: float, digits: tuple[int, ...]) -> bool:
    """Whether a number is 2, 3 or 5 times a power of ten."""
    return f"{value:.0e}"[0] in map(str, digits)


def _dress(ax: Axes) -> None:
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color(FAINT)
    ax.tick_params(which="both", labelsize=_SMALL, color=FAINT, labelcolor=INK)
    ax.grid(True, which="both", color=FAINT, lw=0.5, alpha=0.6)
    ax.set_axisbelow(True)
