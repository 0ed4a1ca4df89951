"""Alignment of an estimate with a reference, frame by frame.

The best similarity x -> s R x + t in the least-squares sense has a closed form: R from the singular value
decomposition of the covariance of the two point sets, with the last axis turned where R would otherwise be a
reflection (S. Umeyama, "Least-squares estimation of transformation parameters between two point patterns", IEEE
TPAMI 13(4), 1991, equations 40-42). A mirrored body is therefore not aligned with its mirror image: a
left/right swap remains an error.

All functions take positions (time, joint, 3) and a mask (time, joint) of the cells that count; a cell that is NaN in
either counts as not in the mask. Nothing loops over frames.
"""

from __future__ import annotations

import numpy as np

from gonio.core.arrays import BoolArray, FloatArray
from gonio.core.errors import InputError

SMALLEST_BODY_M2 = 1e-18  # sum of squares below which all joints are one point (about a nanometre)
THINNEST_BODY = 1e-5  # width by length below which all joints are on one line


def used_cells(estimate: FloatArray, reference: FloatArray, mask: BoolArray) -> BoolArray:
    """(time, joint): in the mask and finite in both. Raises `InputError` if the shapes disagree."""
    if estimate.ndim != 3 or estimate.shape != reference.shape or estimate.shape[2] != 3:
        raise InputError(
            f"estimate {estimate.shape} and reference {reference.shape} must both be (time, joint, 3); "
            f"resample them to common times and select common joints"
        )
    if mask.shape != estimate.shape[:2]:
        raise InputError(f"the mask has shape {mask.shape}; positions need {estimate.shape[:2]}")
    return np.asarray(mask & np.isfinite(estimate).all(axis=2) & np.isfinite(reference).all(axis=2))


def _centred(positions: FloatArray, used: BoolArray) -> tuple[FloatArray, FloatArray]:
    """(time, joint, 3) minus the mean of the used joints, 0 if not used; and that mean, (time, 3)."""
    filled = np.where(used[..., None], positions, 0.0)
    centre = filled.sum(axis=1) / np.maximum(used.sum(axis=1), 1)[:, None]
    return np.where(used[..., None], positions - centre[:, None], 0.0), centre


def spans_a_plane(positions: FloatArray, mask: BoolArray) -> BoolArray:
    """(time,): at least three joints of the mask are finite and not on one line, so that a rotation exists."""
    used = mask & np.isfinite(positions).all(axis=2)
    centred, _ = _centred(positions, used)
    spread = np.linalg.eigvalsh(np.swapaxes(centred, 1, 2) @ centred)  # (time, 3), ascending
    return np.asarray((spread[:, 2] > SMALLEST_BODY_M2) & (spread[:, 1] > THINNEST_BODY**2 * spread[:, 2]))


def _fit(
    estimate: FloatArray, reference: FloatArray, mask: BoolArray, with_scale: bool
) -> tuple[FloatArray, FloatArray, FloatArray]:
    used = used_cells(estimate, reference, mask)
    solvable = spans_a_plane(estimate, used) & spans_a_plane(reference, used)
    X, centre_x = _centred(estimate, used)
    Y, centre_y = _centred(reference, used)
    U, D, Vt = np.linalg.svd(np.swapaxes(Y, 1, 2) @ X)
    S = np.ones_like(D)
    S[:, 2] = np.where(np.linalg.det(U) * np.linalg.det(Vt) < 0, -1.0, 1.0)
    rotation = (U * S[:, None, :]) @ Vt
    size = (X**2).sum(axis=(1, 2))
    scale = (D * S).sum(axis=1) / np.where(solvable, size, np.nan) if with_scale else np.where(solvable, 1.0, np.nan)
    rotation = np.where(solvable[:, None, None], rotation, np.nan)
    translation = centre_y - scale[:, None] * np.einsum("tij,tj->ti", rotation, centre_x)
    return scale, rotation, translation


def procrustes_similarity(
    estimate: FloatArray, reference: FloatArray, mask: BoolArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Scale (time,), rotation (time, 3, 3) and translation (time, 3) m that align the estimate with the reference.

    No reflection (Umeyama 1991). NaN if fewer than three joints are used, or if they lie on one line.
    Raises `InputError` if the shapes disagree.
    """
    return _fit(estimate, reference, mask, with_scale=True)


def procrustes_rigid(estimate: FloatArray, reference: FloatArray, mask: BoolArray) -> tuple[FloatArray, FloatArray]:
    """Rotation (time, 3, 3) and translation (time, 3) m that align the estimate with the reference, without scale.

    No reflection (Umeyama 1991 with c = 1). NaN if fewer than three joints are used, or if they lie on one line.
    Raises `InputError` if the shapes disagree.
    """
    _, rotation, translation = _fit(estimate, reference, mask, with_scale=False)
    return rotation, translation


def aligned(
    positions: FloatArray, rotation: FloatArray, translation: FloatArray, scale: FloatArray | None = None
) -> FloatArray:
    """(time, joint, 3): s R x + t per frame; without `scale`, R x + t."""
    turned = positions @ np.swapaxes(rotation, 1, 2)
    if scale is not None:
        turned = turned * scale[:, None, None]
    return np.asarray(turned + translation[:, None])


def scale_per_frame(estimate: FloatArray, reference: FloatArray, mask: BoolArray) -> FloatArray:
    """(time,) the factor that brings estimate nearest to reference: sum(reference.estimate) / sum(estimate.estimate).

    Both must already be centred on the same root (N-MPJPE: Rhodin et al., "Unsupervised geometry-aware representation
    for 3D human pose estimation", ECCV 2018). NaN if no joint is used or all lie at the root.
    Raises `InputError` if the shapes disagree.
    """
    used = used_cells(estimate, reference, mask)[..., None]
    size = (np.where(used, estimate, 0.0) ** 2).sum(axis=(1, 2))
    product = (np.where(used, estimate, 0.0) * np.where(used, reference, 0.0)).sum(axis=(1, 2))
    return np.asarray(product / np.where(size > SMALLEST_BODY_M2, size, np.nan))
