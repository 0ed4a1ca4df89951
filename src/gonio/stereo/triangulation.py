"""Triangulation: 2D joints from several calibrated cameras become 3D joints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from gonio.core.arrays import BoolArray, FloatArray
from gonio.core.camera import Camera, Rig
from gonio.core.sequence import PoseSequence
from gonio.errors import InputError


@dataclass(frozen=True)
class ViewCounts:
    """What became of one camera's (time, joint) observations; the five counts add up to all of them.

    used              triangulated
    missing           the detector gave none
    below_confidence  under `min_confidence`
    dropped           disagreed with the other views
    unpaired          good by themselves, but the point could not be triangulated
    """

    used: int
    missing: int
    below_confidence: int
    dropped: int
    unpaired: int


@dataclass(frozen=True, eq=False)
class Triangulation:
    """What triangulation found.

    sequence         3D, frame "world", with covariance
    camera_names     the order of the view axis
    reprojection_px  (view, time, joint) error of the views used; NaN elsewhere
    used             (view, time, joint)
    excluded         counts per camera
    """

    sequence: PoseSequence
    camera_names: tuple[str, ...]
    reprojection_px: FloatArray
    used: BoolArray
    excluded: Mapping[str, ViewCounts]


def triangulate(
    rig: Rig,
    views: Mapping[str, PoseSequence],
    *,
    min_confidence: float = 0.5,
    max_reprojection_px: float | None = None,
    robust_sigmas: float | None = 3.0,
    refine: Literal["reprojection", "none"] = "reprojection",
    sigma_px: Mapping[str, float] | None = None,
) -> Triangulation:
    """3D joints from the 2D joints of two or more cameras of a rig."""
    raise NotImplementedError


def dlt(cameras: Sequence[Camera], pixels: ArrayLike, weights: ArrayLike | None = None) -> FloatArray:
    """Points from their images in two or more cameras, by weighted linear least squares.

    pixels   (view, ..., 2) px as the cameras saw them, distortion included; NaN = not seen
    weights  (view, ...) >= 0; 0 = not used; 1 where not given

    Returns (..., 3) m in the world; NaN where fewer than two views see the point or their rays are parallel.
    Raises `InputError` where the arrays do not fit the cameras.
    """
    observed, weight = _checked(cameras, pixels, weights)
    origin_m = np.mean([camera.center_m for camera in cameras], axis=0)
    points = _solve(_normal_equations(cameras, observed, weight, origin_m).sum(axis=0)) + origin_m
    points[(weight > 0).sum(axis=0) < 2] = np.nan
    return points


def reprojection_errors(cameras: Sequence[Camera], points_m: ArrayLike, pixels: ArrayLike) -> FloatArray:
    """(view, ...) px between the images (view, ..., 2) and those of the points (..., 3), distortion included.

    NaN where either is missing, and where a point is not in front of a camera.
    """
    projected = np.stack([camera.world_to_image(points_m) for camera in cameras])
    error: FloatArray = np.linalg.norm(projected - np.asarray(pixels, dtype=float), axis=-1)
    return error


def _checked(cameras: Sequence[Camera], pixels: ArrayLike, weights: ArrayLike | None) -> tuple[FloatArray, FloatArray]:
    """The pixels and weights as arrays; what is missing has weight 0 and a harmless pixel."""
    observed = np.array(pixels, dtype=float)
    if observed.ndim < 2 or observed.shape[0] != len(cameras) or observed.shape[-1] != 2:
        raise InputError(f"pixels have shape {observed.shape}; {len(cameras)} cameras need ({len(cameras)}, ..., 2)")
    weight = np.ones(observed.shape[:-1]) if weights is None else np.array(weights, dtype=float)
    if weight.shape != observed.shape[:-1] or not (weight >= 0).all():
        raise InputError(f"weights of shape {weight.shape} must be {observed.shape[:-1]} numbers >= 0")
    missing = ~np.isfinite(observed).all(axis=-1)
    observed[missing] = 0.0
    weight[missing] = 0.0
    return observed, weight


def _normal_equations(
    cameras: Sequence[Camera], pixels: FloatArray, weights: FloatArray, origin_m: FloatArray
) -> FloatArray:
    """(view, ..., 3, 4) each view's share A^T [A | b] of the normal equations, for points relative to `origin_m`."""
    shares = np.empty((*pixels.shape[:-1], 3, 4))
    for view, camera in enumerate(cameras):
        P = camera.projection_matrix
        P[:, 3] += P[:, :3] @ origin_m
        ideal = camera.undistort_image_points(pixels[view])
        rows = weights[view][..., None, None] * (ideal[..., None] * P[2] - P[:2])
        shares[view] = rows[..., :3].swapaxes(-1, -2) @ rows
    return shares


def _solve(normal: FloatArray) -> FloatArray:
    """(..., 3, 4) [M | b] -> (..., 3) solution of M x + b = 0 by Cramer's rule; NaN where M is singular."""
    a, b, c = normal[..., 0, :3], normal[..., 1, :3], normal[..., 2, :3]
    bc, ca, ab = np.cross(b, c), np.cross(c, a), np.cross(a, b)
    determinant = (a * bc).sum(axis=-1)
    scale = np.trace(normal[..., :3], axis1=-2, axis2=-1) / 3
    regular = determinant > 1e-13 * scale**3
    adjugate = normal[..., 0, 3:] * bc + normal[..., 1, 3:] * ca + normal[..., 2, 3:] * ab
    return np.asarray(-adjugate / np.where(regular, determinant, np.nan)[..., None])
