"""Drawing on an image: skeletons with the colours of their sides, text, and the legend.

An image is (height, width, 3) uint8 RGB and is drawn into. Points are in px of the image; pixel (0, 0) is the centre
of the top left pixel.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gonio.core.arrays import BoolArray, FloatArray
from gonio.core.skeleton import Skeleton
from gonio.report.palette import INK, LEFT, MIDLINE, OTHERS, REPROJECTED, RIGHT, side_colour

Image = NDArray[np.uint8]

SUBPIXEL_BITS = 4

_SMALLEST_PX = 7  # of letters that can be read
_EMS_PER_LETTER = 1.4  # letters are about 0.6 of their height wide, and a margin


def scaled(image: Image, max_height_px: int | None) -> tuple[Image, float]:
    """A copy of the image, scaled down to the height if it is higher, and the factor."""
    import cv2  # noqa: PLC0415

    height, width = image.shape[:2]
    if max_height_px is None or height <= max_height_px:
        return np.array(image), 1.0
    scale = max_height_px / height
    size = (max(round(width * scale), 2), max_height_px)
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8), scale


def to_scaled(points: FloatArray, scale: float) -> FloatArray:
    """Pixel (0, 0) is the centre of the top left pixel, before and after."""
    return (points + 0.5) * scale - 0.5


def is_there(points: FloatArray) -> BoolArray:
    """(..., n) -> (...): all coordinates are known."""
    return np.asarray(np.isfinite(points).all(axis=-1))


def rgb(colour: str) -> tuple[int, int, int]:
    """A colour of the palette, "#RRGGBB", as numbers."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def fixed(point: FloatArray) -> tuple[int, int]:
    """A point as OpenCV takes it, with `SUBPIXEL_BITS` binary places."""
    x, y = np.round(np.clip(point, -4096, 16384) * 2**SUBPIXEL_BITS).astype(int).tolist()
    return x, y


def draw_skeleton(
    image: Image,
    points: FloatArray,
    confidence: FloatArray,
    skeleton: Skeleton,
    size: float,
    depths: FloatArray | None = None,
) -> None:
    """Bones, then joints, on a dark rim. A bone is as certain as the less certain of its ends.

    points  (joint, 2) px; NaN = missing: neither the joint nor its bones are drawn
    size    1 gives bones 2 px wide
    depths  (joint,) distance from the viewer: what is nearer is drawn later; default: the skeleton's order
    """
    import cv2  # noqa: PLC0415

    present = is_there(points)
    away = np.zeros(len(points)) if depths is None else depths
    for parent, child in sorted(skeleton.bones, key=lambda bone: -away[bone[0]] - away[bone[1]]):
        if present[parent] and present[child]:
            alpha = _alpha(min(confidence[parent], confidence[child]))
            with _Faded(image, points[[parent, child]], 3 * size, alpha) as (canvas, ends):
                a, b = fixed(ends[0]), fixed(ends[1])
                colour = rgb(side_colour(skeleton.joints[child]))
                cv2.line(canvas, a, b, (0, 0, 0), round(3.6 * size), cv2.LINE_AA, SUBPIXEL_BITS)
                cv2.line(canvas, a, b, colour, round(2 * size), cv2.LINE_AA, SUBPIXEL_BITS)
    for joint in sorted(np.flatnonzero(present), key=lambda joint: -away[joint]):
        with _Faded(image, points[[joint]], 5 * size, _alpha(confidence[joint])) as (canvas, ends):
            _disc(canvas, ends[0], 3.4 * size, (0, 0, 0))
            _disc(canvas, ends[0], 2.6 * size, rgb(side_colour(skeleton.joints[joint])))


def _disc(canvas: Image, centre: FloatArray, radius: float, colour: tuple[int, int, int]) -> None:
    import cv2  # noqa: PLC0415

    cv2.circle(canvas, fixed(centre), round(radius * 2**SUBPIXEL_BITS), colour, -1, cv2.LINE_AA, SUBPIXEL_BITS)


def _alpha(confidence: float) -> float:
    """The opacity of a joint: 0.15 for a confidence of 0, so that every joint is visible, 1 for 1."""
    return 0.15 + 0.85 * float(confidence)


class _Faded:
    """A window of the image to draw in, and the points on its own pixels; what is drawn is mixed in by `alpha`."""

    def __init__(self, image: Image, points: FloatArray, margin: float, alpha: float) -> None:
        height, width = image.shape[:2]
        low = np.clip(np.floor(points.min(axis=0) - margin), 0, (width, height)).astype(int)
        high = np.clip(np.ceil(points.max(axis=0) + margin) + 1, 0, (width, height)).astype(int)
        self._window = image[low[1] : high[1], low[0] : high[0]]
        self._canvas = self._window.copy()
        self._points, self._alpha = points - low, alpha

    def __enter__(self) -> tuple[Image, FloatArray]:
        if self._canvas.size == 0:  # outside the image: drawn nowhere
            self._canvas = np.zeros((1, 1, 3), np.uint8)
        return self._canvas, self._points

    def __exit__(self, *_: object) -> None:
        if self._window.size:
            mixed = self._window * (1 - self._alpha) + self._canvas * self._alpha
            self._window[:] = np.rint(mixed).astype(np.uint8)


@functools.lru_cache(maxsize=8)
def legend(text_px: int, with_reprojection: bool, with_others: bool) -> Image:
    """(height, width, 4) uint8: what the colours mean, white on a translucent dark ground."""
    from matplotlib.figure import Figure  # noqa: PLC0415

    entries = [(LEFT, "left (person's own)"), (RIGHT, "right (person's own)"), (MIDLINE, "neither side")]
    entries += [(REPROJECTED, "3D, projected back")] if with_reprojection else []
    entries += [(OTHERS, "others, not chosen")] if with_others else []
    line_px, dpi = 1.6 * text_px, 100
    width, height = 13.5 * text_px, line_px * (len(entries) + 1) + 0.8 * text_px
    figure = Figure(figsize=(width / dpi, height / dpi), dpi=dpi, facecolor=(0.08, 0.09, 0.11, 0.62))
    for i, (colour, text) in enumerate([*entries, (None, "fainter: less certain")]):
        y = 1 - (0.4 * text_px + (i + 0.5) * line_px) / height
        if colour is not None:
            x = np.array([0.6, 1.9]) * text_px / width
            figure.add_artist(_line(x, y, colour, 0.32 * text_px * 72 / dpi))
        figure.text(2.5 * text_px / width, y, text, color="white", size=text_px * 72 / dpi, va="center_baseline")
    return _picture(figure)


@functools.lru_cache(maxsize=32)
def caption(text: str, text_px: int, width_px: int) -> Image:
    """(height, width, 4) uint8: dark text on a transparent strip, centred.

    The text is smaller if it does not fit, and loses its beginning if it would be too small to read.
    """
    from matplotlib.figure import Figure  # noqa: PLC0415

    dpi, most = 100, round(_EMS_PER_LETTER * width_px / _SMALLEST_PX)
    text = text if len(text) <= most else "…" + text[1 - most :]
    text_px = max(min(text_px, round(_EMS_PER_LETTER * width_px / max(len(text), 1))), _SMALLEST_PX)
    figure = Figure(figsize=(width_px / dpi, 1.8 * text_px / dpi), dpi=dpi, facecolor=(1, 1, 1, 0))
    figure.text(0.5, 0.5, text, color=INK, size=text_px * 72 / dpi, ha="center", va="center_baseline", parse_math=False)
    return _picture(figure)


def _picture(figure: Any) -> Image:
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415

    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    pixels = np.array(canvas.buffer_rgba())
    pixels.setflags(write=False)
    return pixels


def _line(x: FloatArray, y: float, colour: str, width_pt: float) -> Any:
    from matplotlib.lines import Line2D  # noqa: PLC0415

    return Line2D(x, [y, y], color=colour, lw=width_pt, solid_capstyle="round")


def stamp(image: Image, label: Image) -> None:
    """Lays a legend or caption (RGBA) into the top left corner, as much of it as fits."""
    height, width = min(label.shape[0], image.shape[0]), min(label.shape[1], image.shape[1])
    over, window = label[:height, :width], image[:height, :width]
    alpha = over[..., 3:] / 255.0
    window[:] = np.rint(window * (1 - alpha) + over[..., :3] * alpha).astype(np.uint8)
