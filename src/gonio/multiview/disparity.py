"""The parallel rig: two equal cameras side by side, depth from disparity.

The cameras share matrix and rotation and stand B metres apart along their own x axis, so a point lies in the same row
of both images, and the difference of its columns is its disparity:

    d = x_left - x_right > 0     Z = f B / d     X = (x_left - cx) Z / f     Y = (y - cy) Z / f

in the left camera's frame, y being the mean of both rows. With independent noise of sigma px in every coordinate this
is the maximum-likelihood estimate, and to first order

    sigma_Z = Z^2 / (f B) * sqrt(2) * sigma

The covariance is J diag(sigma^2, sigma^2, sigma^2 / 2) J^T, with J the derivative of (X, Y, Z) by (x_left, x_right, y).
The rows measure the noise: their difference does not depend on the point and has a standard deviation of sqrt(2) sigma.

The placement of the cameras is not measured, so the views are checked first (`_check_placement`). If cameras are
pitched, rolled or differ in zoom, a point lies in different rows. If they are turned inwards, people appear large and
far, and finally at negative depth. Some turns cannot be found: with cameras turned outwards, or turned inwards so far
that the person stands beyond the crossing of the axes, a plausible person appears at a wrong depth.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from gonio.core.arrays import BoolArray, FloatArray, frozen
from gonio.core.assumptions import united
from gonio.core.camera import Camera, Rig
from gonio.core.errors import InputError
from gonio.core.sequence import PoseSequence, Source
from gonio.multiview.triangulation import (
    Triangulation,
    all_views_errors,
    checked_views,
    inherited_history,
    least_direct,
    models,
    reprojection_errors,
    view_counts,
)

_PARALLEL = 1e-6  # largest relative difference of cameras that count as parallel
_ROW_TOLERANCE = 1 / 48  # of the image's height: 10 px of 480
_SCATTER = 1 / 2  # of that tolerance, for half of the rows about their median: 5 px of 480
_DRIFT = 1 / 5  # of that tolerance, for what slants across the image: 2 px of 480
_MIN_JOINTS_FOR_DRIFT = 100  # joints: with 3 px of noise at 480 rows fewer slant by chance
_MAX_BEHIND_SHARE = 0.05  # of the joints, with a disparity below zero by more than noise
_MAX_PERSON_M = 2.5  # across four fifths of the joints: a tall person with outstretched arms has 1.9 m
_MIN_JOINTS_FOR_SIZE = 5  # joints of a frame
_ROW_SIGMAS = 3.0
_MAD = 1.4826  # standard deviation over median absolute deviation, of a normal distribution
_MIN_NOISE_PX = 0.01  # outliers are not sought below rounding errors
_MIN_JOINTS_FOR_NOISE = 20
_MIN_JOINTS_FOR_JOINT_NOISE = 30


def from_disparity(
    left: PoseSequence,
    right: PoseSequence,
    rig: Rig,
    *,
    min_confidence: float = 0.0,
    sigma_px: float | None = None,
    max_row_disparity_px: float | None = None,
) -> Triangulation:
    """3D joints from the views of two parallel cameras (`Rig.parallel`, or a rectified pair).

    left, right           2D sequences in pixels, in either order: if the median disparity is negative, they are
                          swapped, and the history reports it
    min_confidence        observations below it are not used
    sigma_px              noise per coordinate in each image; default: estimated from the row disparities by their
                          median absolute deviation, per joint (over all joints if one has fewer than 30)
    max_row_disparity_px  largest median of |y_left - y_right|; default: 1/48 of the image's height. Half of the
                          rows must lie within half of it about their median, and their slant across the image must
                          stay within a fifth of it

    A joint with disparity <= 0, or whose row disparity is further than 3 sigma from the median, becomes missing and is
    counted. With fewer than 20 joints to estimate the noise from, there is no search for such outliers and, without
    `sigma_px`, the covariance is NaN; the history reports it.

    Raises `InputError` if the rig is not a parallel pair, if the views do not fit it or each other, and if
    they show that the cameras did not stand parallel: rows that do not agree, disparities of both signs, or a person
    who is too large.
    """
    left_camera, right_camera, baseline_m = _parallel_pair(rig)
    cameras, names = (left_camera, right_camera), (left_camera.name, right_camera.name)
    checked_views(rig, dict(zip(names, (left, right), strict=True)))
    if sigma_px is not None and not sigma_px > 0:
        raise InputError(f"sigma_px is {sigma_px:g}; noise must be a positive number of pixels")

    (left, right), pixels, present, usable, swapped = _observations(left, right, left_camera, min_confidence)
    both = np.asarray(usable.all(axis=0))
    size_m = _check_placement(pixels, both, left_camera, baseline_m, rig.name, max_row_disparity_px)
    noise_px, in_front, off_row = _classified(pixels, both)
    found = in_front & ~off_row
    behind = both & ~off_row & ~in_front
    sigma = noise_px if sigma_px is None else np.full(left.positions.shape[1], sigma_px)
    in_camera, covariance = _depth(left_camera, baseline_m, np.where(in_front[..., None], pixels, np.nan), sigma)
    all_before = left_camera.camera_to_world(in_camera)
    positions = np.where(found[..., None], all_before, np.nan)
    R = left_camera.rotation
    used = np.stack([found, found])
    observed = np.stack([left.positions, right.positions])
    sequence = PoseSequence(
        positions=positions,
        times_s=(left.times_s + right.times_s) / 2,
        skeleton=left.skeleton,
        unit="m",
        frame="world",
        frame_name=rig.name,
        up=rig.up,
        confidence=np.where(found, (left.confidence + right.confidence) / 2, 0.0),
        status=least_direct([left.status, right.status], used),
        covariance=np.where(found[..., None, None], R.T @ covariance @ R, np.nan),
        assumptions=united([left.assumptions, right.assumptions]),
        source=Source("disparity", models((left, right))),
        history=(
            *inherited_history(rig, dict(zip(names, (left, right), strict=True))),
            *(["views were given right, left: swapped"] if swapped else []),
            f"depth from disparity: f {left_camera.matrix[0, 0]:g} px, baseline {baseline_m:g} m; "
            f"row difference {np.median((pixels[0] - pixels[1])[both, 1]):+.2f} px in the median",
            *_size_sentence(size_m),
            _noise_sentence(sigma, given=sigma_px is not None),
            f"joints missing: {(~both).sum()} not in both views with confidence >= {min_confidence:g}, "
            f"{behind.sum()} with disparity <= 0, {off_row.sum()} with rows further apart than {_ROW_SIGMAS:g} sigma; "
            f"{found.sum()} of {found.size} found",
        ),
    )
    return Triangulation(
        sequence=sequence,
        camera_names=names,
        reprojection_px=frozen(np.where(used, reprojection_errors(cameras, positions, observed), np.nan)),
        used=frozen(used, bool),
        excluded=view_counts(names, present, usable, used),
        all_views_px=frozen(all_views_errors(cameras, all_before, observed, usable)),
    )


def _observations(
    left: PoseSequence, right: PoseSequence, camera: Camera, min_confidence: float
) -> tuple[tuple[PoseSequence, PoseSequence], FloatArray, BoolArray, BoolArray, bool]:
    """The left and the right view; undistorted pixels (2, time, joint, 2); which are present, and which usable
    (2, time, joint); whether the views were given right, left."""
    pixels = np.stack([camera.undistort_image_points(view.positions) for view in (left, right)])
    present = ~np.isnan(pixels[..., 0])  # a pixel outside the lens model counts as missing
    usable = present & (np.stack([left.confidence, right.confidence]) >= min_confidence)
    both = usable.all(axis=0)
    if not both.any():
        raise InputError(
            f"no joint is in both views with confidence >= {min_confidence:g}; check that they are of one recording"
        )
    if np.median((pixels[0] - pixels[1])[both, 0]) < 0:
        return (right, left), pixels[::-1], present[::-1], usable[::-1], True
    return (left, right), pixels, present, usable, False


def _classified(pixels: FloatArray, both: BoolArray) -> tuple[FloatArray, BoolArray, BoolArray]:
    """(joint,) noise per coordinate in px; (time, joint) which joints have a positive disparity, and which lie in
    different rows of the two views."""
    row_difference = pixels[0, ..., 1] - pixels[1, ..., 1]
    offset_px, noise_px = _row_noise(row_difference, both)
    limit_px = _ROW_SIGMAS * np.sqrt(2) * np.maximum(noise_px, _MIN_NOISE_PX)
    off_row = both & (np.abs(row_difference - offset_px) > limit_px)
    return noise_px, both & (pixels[0, ..., 0] > pixels[1, ..., 0]), off_row


def _parallel_pair(rig: Rig) -> tuple[Camera, Camera, float]:
    """The left camera, the right one and the baseline in metres. Raises `InputError` if they are not parallel."""
    if len(rig) != 2:
        raise InputError(
            f"rig {rig.name!r} has {len(rig)} cameras; disparity needs two: select them or use triangulate"
        )
    a, b = rig.cameras
    between_m = a.rotation @ (b.center_m - a.center_m)
    baseline_m = float(np.linalg.norm(between_m))
    parallel = (
        a.size_px == b.size_px
        and np.allclose(a.matrix, b.matrix, rtol=_PARALLEL, atol=0)
        and np.allclose(a.rotation, b.rotation, atol=_PARALLEL)
        and a.matrix[0, 1] == 0
        and baseline_m > 0
        and np.abs(between_m[1:]).max() <= _PARALLEL * baseline_m
        and (a.distortion, a.distortion_model) == (b.distortion, b.distortion_model)
    )
    if not parallel:
        raise InputError(
            f"cameras {a.name!r} and {b.name!r} of rig {rig.name!r} are not a parallel pair (same matrix and rotation, "
            f"side by side along x); use triangulate"
        )
    return (a, b, baseline_m) if between_m[0] > 0 else (b, a, baseline_m)


def _check_placement(
    pixels: FloatArray,
    both: BoolArray,
    camera: Camera,
    baseline_m: float,
    rig_name: str,
    max_row_disparity_px: float | None,
) -> float:
    """The person's size in metres, as `_person_size` measures it.

    Raises `InputError` if the views (2, time, joint, 2) px cannot come from cameras that stand parallel.
    """
    limit_px = camera.size_px[1] * _ROW_TOLERANCE if max_row_disparity_px is None else max_row_disparity_px
    disparity, row_difference = np.moveaxis(pixels[0] - pixels[1], -1, 0)
    offset_px = float(np.median(row_difference[both]))
    typical_px = float(np.median(np.abs(row_difference[both])))
    scatter_px = float(np.median(np.abs(row_difference[both] - offset_px)))
    noise_px = max(_MAD * scatter_px, np.sqrt(2) * _MIN_NOISE_PX)
    inlying = both & (np.abs(row_difference - offset_px) <= _ROW_SIGMAS * noise_px)
    drift_px = _drift(pixels.mean(axis=0)[inlying], row_difference[inlying])
    behind = float(np.mean(disparity[inlying] < -noise_px))
    size_m = _person_size(pixels[0], disparity, inlying, baseline_m)

    if typical_px > limit_px:
        finding = f"the rows of the two views are {typical_px:.1f} px apart in the median (allowed: {limit_px:g})"
    elif scatter_px > limit_px * _SCATTER:
        finding = (
            f"the rows of the two views scatter: half differ by more than {scatter_px:.1f} px from their median "
            f"(allowed: {limit_px * _SCATTER:g})"
        )
    elif drift_px > limit_px * _DRIFT:
        finding = (
            f"the row difference of the two views changes across the image, by {drift_px:.1f} px rms "
            f"(allowed: {limit_px * _DRIFT:g})"
        )
    elif behind > _MAX_BEHIND_SHARE:
        finding = f"{behind:.0%} of the joints have a negative disparity, the others a positive one"
    elif np.isposinf(size_m):
        raise InputError(f"the two views of rig {rig_name!r} have no disparity: is it the same video twice?")
    elif size_m > _MAX_PERSON_M:
        finding = f"with baseline {baseline_m:g} m the person is {size_m:.1f} m large, more than any person"
    else:
        return size_m
    raise InputError(
        f"{finding}: the cameras of rig {rig_name!r} did not stand parallel at one height, {baseline_m:g} m apart, or "
        f"the views are not of one moment; calibrate the pair and use triangulate, or rectify the images first (gonio "
        f"rectify: every point then lies in one row of both)"
    )


def _drift(at_px: FloatArray, row_difference: FloatArray) -> float:
    """Root mean square in px of the systematic part of row differences (n,) of joints at (n, 2) px.

    To first order a roll of the right camera adds a multiple of x to them, an unlike zoom one of y, and a turn about
    the vertical axis one of x y.
    """
    if len(row_difference) < _MIN_JOINTS_FOR_DRIFT:
        return 0.0
    x, y = ((at_px - at_px.mean(axis=0)) / np.maximum(at_px.std(axis=0), 1.0)).T
    A = np.stack([np.ones_like(x), x, y, x * y], axis=-1)
    return float(np.std(A @ np.linalg.lstsq(A, row_difference, rcond=None)[0]))


def _person_size(left_px: FloatArray, disparity: FloatArray, present: BoolArray, baseline_m: float) -> float:
    """Metres across the image between the outer tenths of the joints, at their median depth, in the median frame.

    Pixels over disparity is metres over the baseline, for any focal length. Infinite if the median disparity is not
    positive; NaN if no frame has enough joints.
    """
    frames = present.sum(axis=1) >= _MIN_JOINTS_FOR_SIZE
    if not frames.any():
        return float("nan")
    seen = present[frames]
    low, high = np.nanpercentile(np.where(seen[..., None], left_px[frames], np.nan), [10, 90], axis=1)
    typical = np.nanmedian(np.where(seen, disparity[frames], np.nan), axis=1)
    across = (high - low).max(axis=-1)
    return float(baseline_m * np.median(np.where(typical > 0, across / np.where(typical > 0, typical, 1.0), np.inf)))


def _row_noise(row_difference: FloatArray, both: BoolArray) -> tuple[float, FloatArray]:
    """The median row disparity and (joint,) noise per coordinate in px, by the median absolute deviation.

    The noise is NaN if there are too few joints to estimate it.
    """
    deviation = np.where(both, row_difference, np.nan)
    offset_px = float(np.nanmedian(deviation))
    n_joints = row_difference.shape[1]
    if both.sum() < _MIN_JOINTS_FOR_NOISE:
        return offset_px, np.full(n_joints, np.nan)
    deviation = np.abs(deviation - offset_px) * _MAD / np.sqrt(2)
    noise_px = np.full(n_joints, np.nanmedian(deviation))
    known = both.sum(axis=0) >= _MIN_JOINTS_FOR_JOINT_NOISE
    noise_px[known] = np.nanmedian(deviation[:, known], axis=0)
    return offset_px, noise_px


def _depth(
    camera: Camera, baseline_m: float, pixels: FloatArray, sigma_px: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """(..., joint, 3) m in the left camera and its covariance, from (2, ..., joint, 2) px and noise (joint,) px."""
    fx, fy = camera.matrix[0, 0], camera.matrix[1, 1]
    x, y = pixels[0, ..., 0] - camera.matrix[0, 2], pixels[..., 1].mean(axis=0) - camera.matrix[1, 2]
    disparity = pixels[0, ..., 0] - pixels[1, ..., 0]
    Z = fx * baseline_m / disparity
    point = np.stack([x * Z / fx, y * Z / fy, Z], axis=-1)
    by_disparity = -point / disparity[..., None]
    J = np.stack([by_disparity, -by_disparity, np.zeros_like(point)], axis=-1)  # by x_left, x_right, y
    J[..., 0, 0] += Z / fx
    J[..., 1, 2] += Z / fy
    variance = np.array([1.0, 1.0, 0.5]) * sigma_px[:, None, None] ** 2
    return point, (J * variance) @ J.swapaxes(-1, -2)


def _size_sentence(size_m: float) -> Iterable[str]:
    if np.isfinite(size_m):
        yield (
            f"the cameras' placement was not measured: it gives a person of {size_m:.2f} m in the image, "
            f"without the outer tenths of the joints"
        )


def _noise_sentence(sigma_px: FloatArray, *, given: bool) -> str:
    if given:
        return f"noise given: {sigma_px[0]:g} px per coordinate"
    if np.isnan(sigma_px).any():
        return f"noise unknown: fewer than {_MIN_JOINTS_FOR_NOISE} joints to estimate it from; covariance NaN"
    return (
        f"noise estimated from the rows: {np.median(sigma_px):.2f} px per coordinate in the median joint "
        f"({sigma_px.min():.2f} to {sigma_px.max():.2f})"
    )
