"""The distance of an estimate's joints from the reference's: five errors, which differ in what they ignore.

    mpjpe           nothing: both in one frame                               "mean per joint position error"
    root_mpjpe      the person's place: both are centred on the mid-hip
    n_mpjpe         place and size: one scale per frame
    pa_mpjpe        place, size and direction: a similarity per frame        "Procrustes-aligned"
    mpjve           a constant offset: it compares velocities, and so jitter

Every function returns the error of each cell, (time, joint), and NaN if the cell does not count; the error of a
joint and that of the body are means of the same cells. Inputs are positions (time, joint, 3) in metres and a mask
(time, joint) of the cells that count. The mid-hip is the mean of the two joints whose numbers are `hips` (a root that
is one joint is named twice); if one of them does not count, the frame has no centre and no error. All raise
`InputError` if the shapes disagree.
"""

from __future__ import annotations

import numpy as np

from gonio.comparison.alignment import aligned, procrustes_similarity, scale_per_frame, used_cells
from gonio.core.arrays import BoolArray, FloatArray
from gonio.core.errors import InputError

MM_PER_M = 1000.0
LONGEST_STEP = 1.5  # in median intervals: frames further apart are not consecutive


def mpjpe_mm(estimate: FloatArray, reference: FloatArray, mask: BoolArray) -> FloatArray:
    """(time, joint) mm: the distance, as the positions are."""
    used = used_cells(estimate, reference, mask)
    return np.where(used, MM_PER_M * np.linalg.norm(estimate - reference, axis=2), np.nan)


def root_mpjpe_mm(estimate: FloatArray, reference: FloatArray, mask: BoolArray, hips: tuple[int, int]) -> FloatArray:
    """(time, joint) mm: the distance after both are centred on their own mid-hip. No rotation, no scale."""
    return mpjpe_mm(*_centred_on_mid_hip(estimate, reference, mask, hips))


def n_mpjpe_mm(estimate: FloatArray, reference: FloatArray, mask: BoolArray, hips: tuple[int, int]) -> FloatArray:
    """(time, joint) mm: as `root_mpjpe_mm`, after the estimate is scaled by `scale_per_frame`."""
    body, target, used = _centred_on_mid_hip(estimate, reference, mask, hips)
    return mpjpe_mm(body * scale_per_frame(body, target, used)[:, None, None], target, used)


def pa_mpjpe_mm(estimate: FloatArray, reference: FloatArray, mask: BoolArray) -> FloatArray:
    """(time, joint) mm: the distance after `procrustes_similarity`. NaN in frames where that is not defined."""
    scale, rotation, translation = procrustes_similarity(estimate, reference, mask)
    return mpjpe_mm(aligned(estimate, rotation, translation, scale), reference, mask)


def mpjve_mm_per_s(
    estimate: FloatArray, reference: FloatArray, mask: BoolArray, times_s: FloatArray, hips: tuple[int, int]
) -> FloatArray:
    """(time - 1, joint) mm/s: the norm of the difference of velocities between consecutive frames.

    Velocities are first differences of positions centred on the mid-hip, divided by the actual time between the two
    frames. NaN if either frame does not count, or if they lie further apart than 1.5 median intervals.
    """
    if times_s.shape != mask.shape[:1]:
        raise InputError(f"times_s has shape {times_s.shape}; the positions have {mask.shape[0]} frames")
    if len(times_s) < 2:
        return np.full((0, mask.shape[1]), np.nan)
    body, target, used = _centred_on_mid_hip(estimate, reference, mask, hips)
    step_s = np.diff(times_s)
    consecutive = step_s <= LONGEST_STEP * np.median(step_s) + 1e-9  # a nanosecond for rounding
    difference = np.diff(body - target, axis=0) / step_s[:, None, None]
    counts = used[1:] & used[:-1] & consecutive[:, None]
    return np.where(counts, MM_PER_M * np.linalg.norm(difference, axis=2), np.nan)


def _centred_on_mid_hip(
    estimate: FloatArray, reference: FloatArray, mask: BoolArray, hips: tuple[int, int]
) -> tuple[FloatArray, FloatArray, BoolArray]:
    """Both minus their own mid-hip, and the cells of frames that have one in both."""
    used = used_cells(estimate, reference, mask)
    pair = list(hips)
    centred = np.asarray(used[:, pair].all(axis=1))
    used = used & centred[:, None]
    body = estimate - estimate[:, pair].mean(axis=1, keepdims=True)
    target = reference - reference[:, pair].mean(axis=1, keepdims=True)
    return body, target, used
