"""Where the parts are: the local maxima of the enlarged heatmaps, refined to a fraction of a pixel.

A pixel is a peak where it exceeds the threshold and its eight neighbours. Of neighbours that are equal (to 1e-6, which
is more than they are rounded by) the first counts, row by row, so that a plateau has one peak or none. The outermost
pixels are none: their maximum may lie outside the picture. The part's place is the mean place of the 7 x 7 pixels
around the peak, weighted with their values.

Only blocks of one cell in which some pixel can exceed the threshold are enlarged at all; no peak is lost by that.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from gonio.detection.openpose.enlarging import Float32Array, IndexArray, block

CENTROID_PX = 3
"""Pixels on each side of a peak that its place is the mean of."""
EQUAL = 1e-6
_CELLS_AT_ONCE = 2500  # as many as stay in a processor's cache


@dataclass(frozen=True, eq=False)
class Peaks:
    """Candidates for parts, ordered by part, then row by row.

    part   (peak,)    index of the part
    xy_px  (peak, 2)  pixels of the network's input, (0, 0) being the centre of its top left pixel
    score  (peak,)    value of the enlarged heatmap
    """

    part: IndexArray
    xy_px: NDArray[np.float64]
    score: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.part)


def find_peaks(heatmaps: Float32Array, stride: int, threshold: float) -> Peaks:
    """The peaks of heatmaps (part, row, column), without the background's; every cell stands for `stride` pixels."""
    _, rows, columns = heatmaps.shape
    around = _padded(heatmaps, stride)
    exceeding = np.flatnonzero(_can_exceed(around, stride, threshold))
    cells = np.stack(np.unravel_index(exceeding, heatmaps.shape), axis=1)
    found = [np.zeros((0, 3), dtype=np.intp)]  # part, y, x
    values = [np.zeros(0, dtype=np.float32)]
    for first in range(0, len(cells), _CELLS_AT_ONCE):
        some = cells[first : first + _CELLS_AT_ONCE]
        pixels = _enlarged(around, stride, 1, some)
        number, y, x = _maxima(pixels, threshold)
        found.append(some[number] * (1, stride, stride) + np.stack([np.zeros_like(y), y - 1, x - 1], axis=1))
        values.append(pixels[number, y, x])
    (part, y_px, x_px), value = np.concatenate(found).T, np.concatenate(values)
    inside = (x_px > 0) & (x_px < columns * stride - 1) & (y_px > 0) & (y_px < rows * stride - 1)
    order = np.lexsort((x_px, y_px, part))
    order = order[inside[order]]
    part, y_px, x_px = part[order], y_px[order], x_px[order]
    xy_px = _centroids(around, stride, part, x_px, y_px, (rows, columns))
    return Peaks(part, xy_px, value[order].astype(np.float64))


def _maxima(pixels: Float32Array, threshold: float) -> tuple[IndexArray, ...]:
    """Indices (block, y, x) of the maxima in blocks of pixels (block, y, x), the outermost ones of each left out."""
    side = pixels.shape[1]
    flat = pixels.ravel()
    lower = flat - np.float32(EQUAL)
    at = 1 + np.flatnonzero((flat[1:-1] > threshold) & (lower[1:-1] > flat[:-2]) & (flat[1:-1] >= lower[2:]))
    _, y, x = np.unravel_index(at, pixels.shape)
    at = at[(y > 0) & (y < side - 1) & (x > 0) & (x < side - 1)]
    for before in (-side - 1, -side, -side + 1):
        at = at[lower[at] > flat[at + before]]
    for after in (side - 1, side, side + 1):
        at = at[flat[at] >= lower[at + after]]
    return np.unravel_index(at, pixels.shape)


def _reach(stride: int) -> int:
    """So many cells on each side have a part in the pixels that are looked at."""
    return block(stride, max(1, CENTROID_PX)).reach


def _padded(heatmaps: Float32Array, stride: int) -> Float32Array:
    """The heatmaps with their outermost cells repeated as often as pixels there reach."""
    reach = _reach(stride)
    return np.pad(heatmaps, ((0, 0), (reach, reach), (reach, reach)), mode="edge")


def _can_exceed(around: Float32Array, stride: int, threshold: float) -> NDArray[np.bool_]:
    """(part, row, column) whether any pixel of a cell can exceed the threshold.

    No pixel exceeds the sum of the absolute values of the cells around, each with its largest weight in any pixel.
    """
    largest = np.zeros(2 * _reach(stride) + 1, dtype=np.float32)
    weights = np.abs(block(stride, 0).along).max(axis=1)
    unused = (len(largest) - len(weights)) // 2
    largest[unused : len(largest) - unused] = weights
    bound = _correlated(_correlated(np.abs(around), largest, 1), largest, 2)
    return np.asarray(bound > threshold * (1 - EQUAL))


def _correlated(values: Float32Array, weights: Float32Array, axis: int) -> Float32Array:
    """The weighted sums of neighbours along one axis, where all of them are there."""
    along = np.moveaxis(values, axis, 0)
    there = len(along) - len(weights) + 1
    total = along[:there] * weights[0]
    for first in range(1, len(weights)):
        total += along[first : first + there] * weights[first]
    return np.moveaxis(total, 0, axis)


def _enlarged(around: Float32Array, stride: int, margin_px: int, cells: IndexArray) -> Float32Array:
    """(cell, y, x) the pixels of some cells (part, row, column) and `margin_px` more on each side."""
    reach, along, weights = block(stride, margin_px)
    unused = _reach(stride) - reach
    windows = sliding_window_view(around, (len(along), len(along)), axis=(1, 2))
    part, row, column = cells.T
    taken = windows[part, row + unused, column + unused]
    return np.asarray(taken.reshape(-1, len(weights)) @ weights).reshape(-1, along.shape[1], along.shape[1])


def _centroids(
    around: Float32Array, stride: int, part: IndexArray, x_px: IndexArray, y_px: IndexArray, size: tuple[int, int]
) -> NDArray[np.float64]:
    """(peak, 2) px: the mean place around each peak, inside the picture of `size` (rows, columns) cells, weighted with
    the values above 0."""
    rows, columns = size
    pixels = _enlarged(around, stride, CENTROID_PX, np.stack([part, y_px // stride, x_px // stride], axis=1))
    side = 2 * CENTROID_PX + 1
    windows = sliding_window_view(pixels, (side, side), axis=(1, 2))
    value = windows[np.arange(len(part)), y_px % stride, x_px % stride].astype(np.float64).clip(min=0)
    offset = np.arange(-CENTROID_PX, CENTROID_PX + 1)
    x, y = x_px[:, None] + offset, y_px[:, None] + offset
    value *= ((y >= 0) & (y < rows * stride))[:, :, None] & ((x >= 0) & (x < columns * stride))[:, None, :]
    total = np.stack([(value.sum(axis=1) * x).sum(axis=1), (value.sum(axis=2) * y).sum(axis=1)], axis=1)
    return np.asarray(total / value.sum(axis=(1, 2))[:, None])
