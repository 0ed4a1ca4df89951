"""The options of the detector "openpose", and the size of its network's input."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gonio.core.errors import ConfigError, InputError
from gonio.detection.openpose.layouts import PART_LAYOUTS, PartLayout

Pixels = Literal["0..255", "-0.5..0.5"]

MULTIPLE_PX = 16
LARGEST_INPUT_PX = 1 << 24
"""An input with more pixels comes from an image of an impossible aspect ratio, or from a typing error."""
SCALE_GAP = 0.25


@dataclass(frozen=True)
class OpenPoseOptions:
    """Options of OpenPose. Raises `ConfigError` if a value is impossible."""

    weights: Path | None = None
    """Another network of OpenPose's family (.onnx); default: the weights that you imported (gonio assets import)."""
    layout: str | None = None
    """The joints of the network: body-25 (default) or coco-18."""
    net_resolution: str | None = None
    """Size of the network's input, width x height in pixels, multiples of 16; -1 for one of them: by the image's aspect
    ratio. Default: -1x368."""
    scale_number: int = 1
    """Number of sizes at which the network processes each image. The answers are averaged."""
    scale_gap: float | None = None
    """How much smaller each size is than the one before, as a share of the first; default: 0.25."""
    flip: bool = False
    """Process the mirrored image too, and average."""
    pixels: Pixels | None = None
    """Pixel values that the network takes; default: as its file states, otherwise 0..255."""

    def __post_init__(self) -> None:
        if self.scale_gap is not None and self.scale_number == 1:
            raise ConfigError(f"scale_gap = {self.scale_gap:g} goes with a scale_number of 2 or more")
        _ = self.part_layout, self.net_size, self.scales

    @property
    def part_layout(self) -> PartLayout:
        """The channels of the network."""
        name = "body-25" if self.layout is None else self.layout.lower().replace("_", "-")
        if name not in PART_LAYOUTS:
            raise ConfigError(f"layout = {self.layout!r}: OpenPose's networks have {' or '.join(PART_LAYOUTS)}")
        return PART_LAYOUTS[name]

    @property
    def net_size(self) -> NetSize:
        """The size of the network's input."""
        return DEFAULT_SIZE if self.net_resolution is None else net_size(self.net_resolution)

    @property
    def scales(self) -> tuple[float, ...]:
        """The sizes at which an image is processed, as shares of the first."""
        return shares(self.scale_number, SCALE_GAP if self.scale_gap is None else self.scale_gap)


@dataclass(frozen=True)
class NetSize:
    """Width and height of the network's input, px; -1: by the image's aspect ratio."""

    width_px: int
    height_px: int

    def __str__(self) -> str:
        return f"{self.width_px}x{self.height_px}"

    def for_image(self, image_size_px: tuple[int, int]) -> NetSize:
        """The size for images of (width, height). Raises `InputError` if it has over `LARGEST_INPUT_PX` pixels."""
        width, height = self.width_px, self.height_px
        if width < 0:
            width = _nearest_multiple(height * image_size_px[0] / image_size_px[1])
        elif height < 0:
            height = _nearest_multiple(width * image_size_px[1] / image_size_px[0])
        if width * height > LARGEST_INPUT_PX:
            raise InputError(
                f"an image of {image_size_px[0]}x{image_size_px[1]} px needs a network input of {width}x{height} px, "
                f"which is too large; give both sides with --net-resolution, e.g. 656x368"
            )
        return NetSize(width, height)

    def scaled(self, share: float) -> NetSize:
        """The size of a smaller scale: multiples of 16 again, rounded down."""
        sides = (max(int(side * share) // MULTIPLE_PX * MULTIPLE_PX, MULTIPLE_PX) for side in self._sides)
        return NetSize(*sides)

    @property
    def _sides(self) -> tuple[int, int]:
        return self.width_px, self.height_px


DEFAULT_SIZE = NetSize(-1, 368)


def net_size(text: str) -> NetSize:
    """A size as text, such as "-1x368" or "656x368". Raises `ConfigError`."""
    found = re.fullmatch(r"(-1|\d{1,5})x(-1|\d{1,5})", text.strip())
    sides = [int(side) for side in found.groups()] if found else []
    if sides == [-1, -1] or not sides or any(side != -1 and (side < 1 or side % MULTIPLE_PX) for side in sides):
        raise ConfigError(
            f"net resolution {text!r}: must be width x height, multiples of {MULTIPLE_PX}, one of which may be -1, "
            f"e.g. -1x368"
        )
    return NetSize(*sides)


def _nearest_multiple(side: float) -> int:
    return max(round(side / MULTIPLE_PX), 1) * MULTIPLE_PX


def shares(number: int, gap: float) -> tuple[float, ...]:
    """The scales 1, 1 - gap, 1 - 2 gap, ... Raises `ConfigError` if the last is not above 0."""
    if number < 1:
        raise ConfigError(f"scale_number = {number}: must be at least 1")
    if not 0 < gap < 1 or 1 - gap * (number - 1) <= 0:
        raise ConfigError(
            f"scale_gap = {gap:g}: with {number} scales the smallest would be {1 - gap * (number - 1):g}; the gap must "
            f"lie in 0..1, and all scales must be above 0"
        )
    return tuple(1 - gap * i for i in range(number))
