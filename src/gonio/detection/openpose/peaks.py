"""Candidates for parts: the local maxima of the enlarged heatmaps, refined to a fraction of a pixel.

A pixel is a peak if it exceeds the threshold and its eight neighbours. Of equal neighbours (to 1e-6, which is more than
the rounding error) the first counts, row by row, so that a plateau has one peak or none. The outermost pixels are no
peaks: their maximum may lie outside the image. The part's position is the mean position of the 7 x 7 pixels around the
peak, weighted with their values.

Only blocks of one cell in which a pixel can exceed the threshold are enlarged; no peak is missed by that.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from gonio.detection.openpose.upsampling import Float32Array, IndexArray, block

CENTROID_PX = 3
"""Pixels on each side of a peak over which its position is averaged."""
EQUAL = 1e-6
_ROUNDED = 1e-5  # more than the rounding error of a sum of float32
_CELLS_AT_ONCE = 2500  # they fit into a processor's cache


@dataclass(frozen=True, eq=False)
class Peaks:
    """Candidates for parts, ordered by part, then row by row.

    part   (peak,)    index of the part
    xy_px  (peak, 2)  pixels of the network's input; (0, 0) is the centre of its top left pixel
    score  (peak,)    value of the enlarged heatmap
    """

    part: IndexArray
    xy_px: NDArray[np.float64]
    score: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.part)


def find_peaks(heatmaps: Float32Array, stride: int, threshold: float) -> Peaks:
    """The peaks of heatmaps (part, row, column), without the background's; each cell covers `stride` pixels."""
    _, rows, columns = heatmaps.shape
    around = _padded(heatmaps, stride)
    exceeding = np.flatnonzero(_can_exceed(around, stride, threshold))
    cells = np.array(np.unravel_index(exceeding, heatmaps.shape))  # part, row, column
    found = [np.zeros((3, 0), dtype=np.intp)]  # part, y, x
    values = [np.zeros(0, dtype=np.float32)]
    for first in range(0, cells.shape[1], _CELLS_AT_ONCE):
        some = cells[:, first : first + _CELLS_AT_ONCE]
        pixels = _enlarged(around, stride, 1, some)
        y, x, number = _maxima(pixels, threshold)
        part, row, column = some[:, number]
        found.append(np.array([part, row * stride + y - 1, column * stride + x - 1]))
        values.append(pixels[y, x, number])
    (part, y_px, x_px), value = np.concatenate(found, axis=1), np.concatenate(values)
    inside = (x_px > 0) & (x_px < columns * stride - 1) & (y_px > 0) & (y_px < rows * stride - 1)
    order = np.lexsort((x_px, y_px, part))
    order = order[inside[order]]
    part, y_px, x_px = part[order], y_px[order], x_px[order]
    xy_px = _centroids(around, stride, part, x_px, y_px, (rows, columns))
    return Peaks(part, xy_px, value[order].astype(np.float64))


def _maxima(pixels: Float32Array, threshold: float) -> tuple[IndexArray, ...]:
    """Indices (y, x, block) of the maxima in blocks of pixels (y, x, block), without the outermost pixels of each."""
    lower = pixels - np.float32(EQUAL)
    middle = slice(1, -1)
    inner = pixels[middle, middle]
    exceeds = inner > threshold
    exceeds &= lower[middle, middle] > pixels[middle, :-2]
    exceeds &= inner >= lower[middle, 2:]
    _, side, blocks = pixels.shape
    values, lower = pixels.ravel(), lower.ravel()
    y, x, number = np.unravel_index(np.flatnonzero(exceeds), inner.shape)
    at = ((y + 1) * side + x + 1) * blocks + number
    for before in (-side - 1, -side, -side + 1):
        at = at[lower[at] > values[at + before * blocks]]
    for after in (side - 1, side, side + 1):
        at = at[values[at] >= lower[at + after * blocks]]
    return np.unravel_index(at, pixels.shape)


def _reach(stride: int) -> int:
    """Number of cells on each side that contribute to the pixels that are used."""
    return block(stride, max(1, CENTROID_PX)).reach


def _padded(heatmaps: Float32Array, stride: int) -> Float32Array:
    """The heatmaps with their outermost cells repeated `_reach` times."""
    reach = _reach(stride)
    return np.pad(heatmaps, ((0, 0), (reach, reach), (reach, reach)), mode="edge")


def _can_exceed(around: Float32Array, stride: int, threshold: float) -> NDArray[np.bool_]:
    """(part, row, column) whether any pixel of a cell can exceed the threshold.

    No pixel exceeds the sum of the absolute values of the cells around, each with its largest weight in any pixel.
    """
    reach = _reach(stride)
    weights = np.abs(block(stride, 0).along).max(axis=1)
    one_image = np.abs(around).reshape(-1, around.shape[2])  # the padding separates the heatmaps
    bound = np.asarray(cv2.sepFilter2D(one_image, -1, weights, weights)).reshape(around.shape)
    return np.asarray(bound[:, reach:-reach, reach:-reach] > threshold * (1 - _ROUNDED))


def _enlarged(around: Float32Array, stride: int, margin_px: int, cells: IndexArray) -> Float32Array:
    """(y, x, cell) the pixels of some cells (part, row, column) and `margin_px` more on each side."""
    _, rows, columns = around.shape
    reach, along, weights = block(stride, margin_px)
    part, row, column = cells
    first = (part * rows + row) * columns + column + (_reach(stride) - reach) * (columns + 1)
    beside = np.arange(len(along))
    taken = np.take(around, (columns * beside[:, None] + beside).reshape(-1, 1) + first)
    return np.asarray(weights.T @ taken).reshape(along.shape[1], along.shape[1], -1)


def _centroids(
    around: Float32Array, stride: int, part: IndexArray, x_px: IndexArray, y_px: IndexArray, size: tuple[int, int]
) -> NDArray[np.float64]:
    """(peak, 2) px: the mean position around each peak, inside the image of `size` (rows, columns) cells, weighted with
    the values above 0."""
    rows, columns = size
    pixels = _enlarged(around, stride, CENTROID_PX, np.array([part, y_px // stride, x_px // stride]))
    beside = np.arange(2 * CENTROID_PX + 1)[:, None]
    y, x = y_px % stride + beside, x_px % stride + beside
    value = pixels[y[:, None], x[None], np.arange(len(part))].astype(np.float64).clip(min=0)  # (y, x, peak)
    y, x = y_px + beside - CENTROID_PX, x_px + beside - CENTROID_PX
    value *= ((y >= 0) & (y < rows * stride))[:, None] & ((x >= 0) & (x < columns * stride))[None]
    of_column, of_row = value.sum(axis=0), value.sum(axis=1)
    total = np.array([(of_column * x).sum(axis=0), (of_row * y).sum(axis=0)])
    return np.asarray(total / of_row.sum(axis=0)).T
