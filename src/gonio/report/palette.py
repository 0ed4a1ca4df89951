"""Colours of every figure and video: one per method and one per side of the body, safe for colour-blind eyes.

Methods take the colours of Okabe and Ito (2008, "Color Universal Design") in the order in which the study lists them,
without the yellow that paper swallows; the reference is black. Past six methods dashes and markers change, never the
colours' meaning. Left and right have a pair of their own that no method uses, in figures and videos alike.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

REFERENCE = "#111111"
METHODS = ("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
LEFT = "#1A85FF"
RIGHT = "#D41159"
MIDLINE = "#8A8F98"
REPROJECTED = "#FFC20A"
OTHERS = "#D3D7DD"
INK = "#22262B"
FAINT = "#C9CED6"

_DASHES: tuple[str | tuple[int, tuple[float, ...]], ...] = (
    "-",
    (0, (5, 1.8)),
    (0, (1.2, 1.2)),
    (0, (6, 1.5, 1.2, 1.5)),
)
_MARKERS = "osD^v>"


@dataclass(frozen=True)
class Style:
    """How one method is drawn in every figure: colour, dashes (matplotlib's), width in points, marker."""

    colour: str
    dashes: str | tuple[int, tuple[float, ...]]
    width: float
    marker: str
    is_reference: bool = False


def method_styles(names: Iterable[str], reference: str | None = None) -> dict[str, Style]:
    """A style for every method, by its place in `names`; the reference is black and heavy and takes no place."""
    estimates = [name for name in dict.fromkeys(names) if name != reference]
    styles = {
        name: Style(
            METHODS[i % len(METHODS)],
            _DASHES[i // len(METHODS) % len(_DASHES)],
            1.3,
            _MARKERS[(i + i // len(METHODS)) % len(_MARKERS)],
        )
        for i, name in enumerate(estimates)
    }
    if reference is not None:
        styles[reference] = Style(REFERENCE, "-", 2.6, "|", is_reference=True)
    return styles


def side_colour(joint: str) -> str:
    """The colour of a joint, or of a bone named for its farther joint, by the person's own side."""
    return LEFT if joint.startswith("left_") else RIGHT if joint.startswith("right_") else MIDLINE
