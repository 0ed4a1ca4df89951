"""The distance between two methods' definitions of a joint: "hip" or "shoulder" is not one point for every sensor.

The estimate is aligned with the reference once for the whole recording, by one rotation and one translation without
scale (`procrustes_rigid` over all frames as one body). The remaining difference of a joint has a constant part, which
moves and turns with the body, and a changing part. The constant part is the mean of the difference in the body's own
axes (left: right to left hip; up: mid-hip to mid-shoulder). It can be a difference of definitions or an error of either
method; these numbers cannot distinguish the two. It is never subtracted from any other error.
"""

from __future__ import annotations

import numpy as np

from gonio.comparison.alignment import aligned, procrustes_rigid, used_cells
from gonio.comparison.position_error import MM_PER_M
from gonio.core.arrays import BoolArray, FloatArray
from gonio.core.geometry import square_to, unit

Pair = tuple[int, int]


def laid_over(estimate: FloatArray, reference: FloatArray, mask: BoolArray) -> FloatArray:
    """(time, joint, 3) m: the estimate after one rotation and one translation for the whole recording.

    NaN if the joints of the mask do not span a plane. Raises `InputError` if the shapes disagree.
    """
    used = used_cells(estimate, reference, mask)
    flat = (1, -1, 3)
    rotation, translation = procrustes_rigid(estimate.reshape(flat), reference.reshape(flat), used.reshape(1, -1))
    return aligned(estimate.reshape(flat), rotation, translation).reshape(estimate.shape)


def body_axes(positions: FloatArray, hips: Pair, shoulders: Pair) -> FloatArray:
    """(time, 3, 3): the rows are the body's forwards, left and up; NaN if a hip or shoulder is missing.

    hips, shoulders  numbers of the left and the right one
    """
    left = unit(positions[:, hips[0]] - positions[:, hips[1]])
    trunk = positions[:, list(shoulders)].mean(axis=1) - positions[:, list(hips)].mean(axis=1)
    up = square_to(left, trunk)
    return np.stack([np.cross(left, up), left, up], axis=1)


def constant_offset_m(
    estimate: FloatArray, reference: FloatArray, mask: BoolArray, hips: Pair, shoulders: Pair
) -> tuple[FloatArray, FloatArray]:
    """(joint, 3) m the mean of estimate - reference in the reference's body axes; (time, joint) m what is left.

    The estimate must be aligned with the reference (`laid_over`). NaN if a joint is never valid together with hips and
    shoulders.
    """
    axes = body_axes(reference, hips, shoulders)
    turned: BoolArray = np.asarray(np.isfinite(axes).all(axis=(1, 2)))
    used = used_cells(estimate, reference, mask) & turned[:, None]
    difference = np.einsum("tij,tkj->tki", axes, estimate - reference)
    difference = np.where(used[..., None], difference, np.nan)
    count = used.sum(axis=0)[:, None]
    offset = np.where(count > 0, np.nansum(difference, axis=0) / np.maximum(count, 1), np.nan)
    return offset, np.asarray(np.linalg.norm(difference - offset, axis=2))


def definition_offsets_mm(
    estimate: FloatArray, reference: FloatArray, mask: BoolArray, hips: Pair, shoulders: Pair
) -> tuple[FloatArray, FloatArray]:
    """Per joint, (joint,) mm: the length of the constant offset, and the mean distance without it."""
    offset, rest = constant_offset_m(laid_over(estimate, reference, mask), reference, mask, hips, shoulders)
    finite = np.isfinite(rest)
    left = np.where(finite, rest, 0.0).sum(axis=0) / np.where(finite.any(axis=0), finite.sum(axis=0), np.nan)
    return MM_PER_M * np.linalg.norm(offset, axis=1), MM_PER_M * left
