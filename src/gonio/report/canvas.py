"""What all figures share: paper, frames, legends, files. Neither pyplot nor a global setting is touched."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text

from gonio.core.arrays import FloatArray
from gonio.core.files import replacing
from gonio.report.palette import FAINT, INK, Style

SMALL, NORMAL = 7.5, 8.5  # text sizes in points
SOFT = "#5B626B"
_PNG_DPI = 160
_CHARACTERS_PER_INCH = 15.5  # of small text, somewhat fewer than fit


def save(figure: Figure, folder: Path, name: str) -> tuple[Path, Path]:
    """Write `<name>.png` (160 dpi) and `<name>.svg` into `folder`; gives both paths."""
    engine = figure.get_layout_engine()
    if engine is not None:  # laid out once, not for every file, and for the pixels of the image: letters are whole ones
        figure.set_dpi(_PNG_DPI)
        engine.execute(figure)
        figure.set_layout_engine("none")
    paths = []
    for suffix in (".png", ".svg"):
        path = Path(folder) / f"{name}{suffix}"
        with replacing(path) as temporary:
            metadata = {"Date": None} if suffix == ".svg" else {"Software": "gonio"}
            figure.savefig(temporary, dpi=_PNG_DPI, metadata=metadata, facecolor="white")
        paths.append(path)
    return paths[0], paths[1]


def new_figure(width_in: float, height_in: float) -> Figure:
    return Figure(figsize=(width_in, height_in), layout="constrained", facecolor="white")


def style_axes(ax: Axes) -> None:
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color(FAINT)
    ax.tick_params(labelsize=SMALL, color=FAINT, labelcolor=INK)
    ax.grid(True, color=FAINT, lw=0.5, alpha=0.6)
    ax.set_axisbelow(True)
    ax.margins(x=0.01)


def label(text: Text, content: str | None = None) -> None:
    """Set text that the user wrote: a "$" in it is a dollar, not the start of a formula."""
    text.set_parse_math(False)
    if content is not None:
        text.set_text(content)


def words_of(name: str) -> str:
    """left_knee_flexion -> left knee flexion"""
    return name.replace("_", " ")


def footnote(figure: Figure, text: str) -> None:
    """A line of small text below the figure, wrapped to its width."""
    text = textwrap.fill(text, int(_CHARACTERS_PER_INCH * figure.get_figwidth()))
    figure.supxlabel(text, fontsize=SMALL, color=SOFT, x=0.01, ha="left")


def curve(ax: Axes, times_s: FloatArray, values: FloatArray, style: Style) -> None:
    """A line with gaps where values are missing; a lone sample between two gaps is a dot."""
    order = 2 if style.is_reference else 3
    ax.plot(times_s, values, color=style.colour, ls=style.dashes, lw=style.width, zorder=order, solid_capstyle="round")
    finite = np.concatenate([[False], np.isfinite(values), [False]])
    alone = finite[1:-1] & ~finite[:-2] & ~finite[2:]
    if alone.any():
        ax.plot(times_s[alone], values[alone], ".", color=style.colour, ms=3, zorder=order)


def legend_of(figure: Figure, styles: Mapping[str, Style], names: Iterable[str], reference: str | None) -> None:
    ordered = sorted(names, key=lambda name: name != reference)
    lines = [Line2D([], [], color=styles[n].colour, ls=styles[n].dashes, lw=styles[n].width + 0.4) for n in ordered]
    named_legend(figure, lines, [f"{name} (reference)" if name == reference else name for name in ordered])


def named_legend(figure: Figure, handles: Sequence[Line2D], names: Sequence[str]) -> None:
    legend = figure.legend(
        handles,
        [" "] * len(handles),
        loc="outside upper center",
        ncols=min(4, len(handles)),
        frameon=False,
        fontsize=SMALL,
        handlelength=2.8,
    )
    for text, name in zip(legend.get_texts(), names, strict=True):
        label(text, name)
