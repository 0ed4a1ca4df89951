"""Where the parts are: the local maxima of the enlarged heatmaps, refined to a fraction of a pixel.

A pixel is a peak where it exceeds the threshold and its eight neighbours; of equal neighbours the first, row by row,
counts. The outermost pixels are none: their maximum may lie outside the picture. The part's place is the mean place of
the 7 x 7 pixels around the peak, weighted with their values.

Only blocks of one cell whose surroundings are high enough are enlarged at all. That leaves out no peak, because an
enlarged value exceeds the cells around it by a bounded share of their range (`enlarging.OVERSHOOT`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from gonio.detection.openpose.enlarging import OVERSHOOT, Float32Array, IndexArray, block_weights

CENTROID_PX = 3  # pixels on each side of the peak that its place is the mean of
_BEFORE = ((-1, -1), (-1, 0), (-1, 1), (0, -1))
_AFTER = ((0, 1), (1, -1), (1, 0), (1, 1))


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
    reach, weights = block_weights(stride, 1)
    around = _neighbourhoods(heatmaps, reach)
    part, row, column = np.nonzero(_can_exceed(heatmaps, reach, threshold))
    side = stride + 2
    blocks = (around[part, row, column].reshape(-1, len(weights)) @ weights).reshape(-1, side, side)

    inner = blocks[:, 1:-1, 1:-1]
    high = (inner > threshold) & (inner > blocks[:, 1:-1, :-2]) & (inner >= blocks[:, 1:-1, 2:])
    block, y, x = np.nonzero(high)
    value = inner[block, y, x]
    peak = np.ones(len(block), dtype=bool)
    for neighbours, compare in ((_BEFORE, np.greater), (_AFTER, np.greater_equal)):
        for down, right in neighbours:
            peak &= compare(value, blocks[block, y + 1 + down, x + 1 + right])
    x_px, y_px = column[block] * stride + x, row[block] * stride + y
    peak &= (x_px > 0) & (x_px < columns * stride - 1) & (y_px > 0) & (y_px < rows * stride - 1)

    order = np.lexsort((x_px[peak], y_px[peak], part[block[peak]]))
    chosen = np.flatnonzero(peak)[order]
    xy_px = np.stack([x_px[chosen], y_px[chosen]], axis=1)
    return Peaks(
        part=part[block[chosen]],
        xy_px=_centroids(heatmaps, stride, part[block[chosen]], xy_px),
        score=value[chosen].astype(np.float64),
    )


def _neighbourhoods(heatmaps: Float32Array, reach: int) -> Float32Array:
    """A view (part, row, column, 2 reach + 1, 2 reach + 1) of the cells around each cell, the outermost repeated."""
    padded = np.pad(heatmaps, ((0, 0), (reach, reach), (reach, reach)), mode="edge")
    return sliding_window_view(padded, (2 * reach + 1, 2 * reach + 1), axis=(1, 2))


def _can_exceed(heatmaps: Float32Array, reach: int, threshold: float) -> NDArray[np.bool_]:
    """(part, row, column) whether any pixel of a cell's block can exceed the threshold."""
    highest, lowest = heatmaps, heatmaps
    for axis in (1, 2):
        padding = [(reach, reach) if i == axis else (0, 0) for i in range(3)]
        size = 2 * reach + 1
        highest = sliding_window_view(np.pad(highest, padding, mode="edge"), size, axis=axis).max(axis=-1)
        lowest = sliding_window_view(np.pad(lowest, padding, mode="edge"), size, axis=axis).min(axis=-1)
    return np.asarray(highest + OVERSHOOT * (highest - lowest) > threshold)


def _centroids(heatmaps: Float32Array, stride: int, part: IndexArray, xy_px: IndexArray) -> NDArray[np.float64]:
    """(peak, 2) px: the mean place around each peak, inside the picture, weighted with the values above 0."""
    _, rows, columns = heatmaps.shape
    reach, weights = block_weights(stride, CENTROID_PX)
    cell = xy_px // stride
    around = _neighbourhoods(heatmaps, reach)[part, cell[:, 1], cell[:, 0]].reshape(-1, len(weights))
    side = stride + 2 * CENTROID_PX
    blocks = (around @ weights).reshape(-1, side, side).astype(np.float64)
    offsets = np.arange(-CENTROID_PX, CENTROID_PX + 1)
    x_px, y_px = (xy_px[:, i, None] + offsets for i in (0, 1))
    in_block = xy_px - cell * stride + CENTROID_PX
    window = blocks[
        np.arange(len(part))[:, None, None],
        (in_block[:, 1, None] + offsets)[:, :, None],
        (in_block[:, 0, None] + offsets)[:, None, :],
    ].clip(min=0)
    window *= ((y_px >= 0) & (y_px < rows * stride))[:, :, None]
    window *= ((x_px >= 0) & (x_px < columns * stride))[:, None, :]
    weight = window.sum(axis=(1, 2))
    return np.stack([(window.sum(axis=1) * x_px).sum(1) / weight, (window.sum(axis=2) * y_px).sum(1) / weight], axis=1)
