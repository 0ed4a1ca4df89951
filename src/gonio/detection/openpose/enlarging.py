"""Maps enlarged to the size of the network's input, computed only where somebody looks.

OpenPose enlarges its maps from cells of 8 px to the pixels of the network's input before it looks for parts and limbs.
Of the 20 million values of one picture a few thousand are looked at. These functions give them as the full enlargement
would: cubic convolution (R. Keys, "Cubic convolution interpolation for digital image processing", IEEE TASSP 1981) with
the free parameter at -0.75 and the outermost cells repeated, as OpenCV's INTER_CUBIC.

A cell's centre lies in the middle of its pixels: pixel X is at cell (X + 0.5) / stride - 0.5.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

Float32Array = NDArray[np.float32]
IndexArray = NDArray[np.intp]

_A = -0.75
OVERSHOOT = 2 * 1.1875 * 0.1875
"""By how much of the maps' range in its neighbourhood an enlarged value can exceed the largest value there: the sum of
the negative weights, which is largest in the middle between four cells."""


def cubic_weight(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    """The weight of a cell at some distance, in cells (Keys 1981, equation 4, with his a)."""
    d = np.abs(distance)
    near = ((_A + 2) * d - (_A + 3)) * d * d + 1
    far = ((_A * d - 5 * _A) * d + 8 * _A) * d - 4 * _A
    return np.where(d <= 1, near, np.where(d < 2, far, 0.0))


@dataclass(frozen=True, eq=False)
class EnlargedMaps:
    """Maps (channel, row, column), each cell of which stands for `stride` pixels in either direction."""

    cells: Float32Array
    stride: int

    @property
    def height_px(self) -> int:
        """Height of the enlarged maps."""
        return self.cells.shape[1] * self.stride

    @property
    def width_px(self) -> int:
        """Width of the enlarged maps."""
        return self.cells.shape[2] * self.stride

    def at(self, channel: IndexArray, x_px: IndexArray, y_px: IndexArray) -> Float32Array:
        """The values of these channels at these pixels. All three of one shape, all pixels inside."""
        _, rows, columns = self.cells.shape
        row, row_weight = _taps(rows, self.stride)
        column, column_weight = _taps(columns, self.stride)
        index = (channel[..., None] * rows + row[y_px])[..., None] * columns + column[x_px][..., None, :]
        values = np.take(self.cells, index)
        return np.asarray(np.einsum("...ij,...i,...j->...", values, row_weight[y_px], column_weight[x_px]))


@cache
def _taps(cells: int, stride: int) -> tuple[IndexArray, Float32Array]:
    """For every pixel along one axis: the four cells that it is made of, and their weights. Two arrays (pixel, 4)."""
    place = (np.arange(cells * stride) + 0.5) / stride - 0.5
    four = np.floor(place)[:, None] + np.arange(-1, 3)
    weights = cubic_weight(place[:, None] - four).astype(np.float32)
    return four.clip(0, cells - 1).astype(np.intp), weights


@cache
def block_weights(stride: int, margin_px: int) -> tuple[int, Float32Array]:
    """How the pixels of one cell, and `margin_px` more on each side, come from the cells around it.

    Returns the reach r in cells, and the weights ((2r + 1)^2, (stride + 2 margin)^2): neighbouring cells, row by row,
    times these are the pixels, row by row.
    """
    place = (np.arange(-margin_px, stride + margin_px) + 0.5) / stride - 0.5
    reach = int(np.floor(place[-1])) + 2
    along = cubic_weight(place[None, :] - np.arange(-reach, reach + 1)[:, None])
    return reach, np.kron(along, along).astype(np.float32)
