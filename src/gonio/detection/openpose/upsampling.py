"""Maps enlarged to the size of the network's input, computed only at the pixels that are used.

OpenPose enlarges its maps from cells of 8 px to the pixels of the network's input before it searches for parts and
limbs. Of the 20 million values of one image a few thousand are used. These functions compute them as the full
enlargement does: cubic convolution (R. Keys, "Cubic convolution interpolation for digital image processing", IEEE TASSP
1981) with the free parameter at -0.75 and the outermost cells repeated, as OpenCV's INTER_CUBIC.

A cell's centre lies in the middle of its pixels: pixel X is at cell (X + 0.5) / stride - 0.5.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Float32Array = NDArray[np.float32]
IndexArray = NDArray[np.intp]

_A = -0.75


def cubic_weight(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    """The weight of a cell at some distance, in cells (Keys 1981, section II, with his a)."""
    d = np.abs(distance)
    near = ((_A + 2) * d - (_A + 3)) * d * d + 1
    far = ((_A * d - 5 * _A) * d + 8 * _A) * d - 4 * _A
    return np.where(d <= 1, near, np.where(d < 2, far, 0.0))


def sampled(fields: Float32Array, stride: int, field: IndexArray, x_px: IndexArray, y_px: IndexArray) -> Float32Array:
    """Vector fields (field, row, column, 2) at pixels: (..., 2), where `field`, `x_px` and `y_px` are (...).

    All pixels must lie inside: below rows * stride and columns * stride.
    """
    _, rows, columns, _ = fields.shape
    row, row_weight = _taps(rows, stride)
    column, column_weight = _taps(columns, stride)
    cell = (field[..., None] * rows + row[y_px])[..., None] * columns + column[x_px][..., None, :]
    weight = row_weight[y_px][..., None] * column_weight[x_px][..., None, :]
    values = np.take(fields.reshape(-1, 2), cell.reshape(*field.shape, 16), axis=0)
    return np.asarray((weight.reshape(*field.shape, 1, 16) @ values)[..., 0, :])


@cache
def _taps(cells: int, stride: int) -> tuple[IndexArray, Float32Array]:
    """For every pixel along one axis: the four cells around it, and their weights. Two arrays (pixel, 4)."""
    place = (np.arange(cells * stride) + 0.5) / stride - 0.5
    four = np.floor(place)[:, None] + np.arange(-1, 3)
    weights = cubic_weight(place[:, None] - four).astype(np.float32)
    return four.clip(0, cells - 1).astype(np.intp), weights


class Block(NamedTuple):
    """The pixels of one cell and some more on each side, as sums of the cells around it.

    reach    number of cells on each side that contribute
    along    (2 reach + 1, pixels): the weights along one axis
    weights  ((2 reach + 1)^2, pixels^2): the cells around, row by row, times these are the pixels, row by row
    """

    reach: int
    along: Float32Array
    weights: Float32Array


@cache
def block(stride: int, margin_px: int) -> Block:
    """The block of a cell of `stride` pixels with `margin_px` more on each side."""
    place = (np.arange(-margin_px, stride + margin_px) + 0.5) / stride - 0.5
    reach = int(np.floor(place[-1])) + 2
    along = cubic_weight(place[None, :] - np.arange(-reach, reach + 1)[:, None])
    return Block(reach, along.astype(np.float32), np.kron(along, along).astype(np.float32))
