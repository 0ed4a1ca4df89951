"""Size of the lifted person, and position before the camera.

One camera measures shapes, not sizes: a child nearby looks like an adult further away. So the size comes from the
stature, from one measured segment, or from another measurement of the same person. Size and camera then determine the
position: the joints, projected into the image, must lie on the keypoints.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gonio.core.arrays import BoolArray, FloatArray
from gonio.core.camera import Camera
from gonio.core.errors import ConfigError, InputError
from gonio.core.geometry import norm
from gonio.core.sequence import PoseSequence
from gonio.core.skeleton import BODY_12, COCO_17
from gonio.lifting.body_lifting import size_from_stature_m
from gonio.lifting.normalisation import body_size_m, rays_of_keypoints

SEGMENTS = {
    "thigh": ("hip", "knee"),
    "shank": ("knee", "ankle"),
    "upper_arm": ("shoulder", "elbow"),
    "forearm": ("elbow", "wrist"),
}
"""Segments that can give the size, and the joints at their ends."""

FEWEST_JOINTS = 4
"""Fewest joints with a keypoint for a frame to be placed; in theory two are enough."""
_HUBER = 1.345  # residuals up to so many robust sigmas count in full (Huber 1981: 95 % efficiency without outliers)
_STEPS = 4


def parse_segment(text: str) -> tuple[str, float]:
    """The segment and its metres in "thigh=0.42". Raises `ConfigError` if it does not have that form."""
    name, _, number = (part.strip() for part in text.partition("="))
    try:
        length_m = float(number)
    except ValueError:
        length_m = float("nan")
    if name not in SEGMENTS or not 0.05 <= length_m <= 1.0:
        raise ConfigError(
            f"{text!r} is no measured segment; write it as thigh=0.42, in metres; known are {', '.join(SEGMENTS)}"
        )
    return name, length_m


def scaled(joints: PoseSequence, factor: float, why: str) -> PoseSequence:
    """Everything `factor` times as large, about the mid-hip ("root") or the camera's centre ("camera").

    The projection into the image does not change. The size is no longer an assumed one. Raises `InputError` for other
    frames, which have another origin.
    """
    if joints.frame not in ("root", "camera"):
        raise InputError(f"joints in the frame {joints.frame!r} have no origin to be scaled about")
    covariance = None if joints.covariance is None else joints.covariance * factor**2
    step = f"scaled by {factor:.3f}: {why}"
    larger = joints.derive(step, positions=joints.positions * factor, covariance=covariance)
    return larger.without_assumed("stature")


def with_stature(joints: PoseSequence, stature_m: float) -> PoseSequence:
    """Scaled so that the median of trunk + thigh + shank is that of a person of this stature (`SIZE_OVER_STATURE`)."""
    return scaled(joints, size_from_stature_m(stature_m) / body_size_m(joints), f"a stature of {stature_m:.2f} m")


def with_segment(joints: PoseSequence, segment: str, length_m: float) -> PoseSequence:
    """Scaled so that the median length of a segment of `SEGMENTS`, mean of both sides, is as measured.

    Raises `InputError` if no frame shows the segment.
    """
    lengths = segment_lengths_m(joints)[segment]
    lengths = lengths[np.isfinite(lengths)]
    if len(lengths) == 0:
        raise InputError(f"no frame shows a {segment}: it cannot give the size")
    return scaled(joints, length_m / float(np.median(lengths)), f"the {segment} measures {length_m:.3f} m")


def scaled_to_match(joints: PoseSequence, measured: PoseSequence, name: str) -> PoseSequence:
    """Scaled to the size of another measurement `name` at the same times.

    The factor is the median over `SEGMENTS` of the median ratio of their lengths in the frames with both.
    Raises `InputError` if the times differ, and if no frame has a segment in both.
    """
    if not np.array_equal(joints.times_s, measured.times_s):
        raise InputError(f"{name} has other times; resample both to common times first")
    own, other = segment_lengths_m(joints), segment_lengths_m(measured)
    ratios = [ratio[np.isfinite(ratio)] for ratio in (other[segment] / own[segment] for segment in SEGMENTS)]
    medians = [float(np.median(ratio)) for ratio in ratios if len(ratio)]
    if not medians:
        raise InputError(f"no frame has a segment in both; {name} cannot give the size")
    count = sum(len(ratio) for ratio in ratios)
    return scaled(joints, float(np.median(medians)), f"{count} lengths of {len(medians)} segments by {name}")


def segment_lengths_m(joints: PoseSequence) -> dict[str, FloatArray]:
    """(time,) the length of each of `SEGMENTS`, mean of the valid sides; NaN if there is none."""
    lengths = {}
    for name, (upper, lower) in SEGMENTS.items():
        sides = np.stack([norm(joints[f"{s}_{upper}"] - joints[f"{s}_{lower}"]) for s in ("left", "right")])
        count = np.isfinite(sides).sum(axis=0)
        lengths[name] = np.nansum(sides, axis=0) / np.where(count > 0, count, np.nan)
    return lengths


def placed_by_reprojection(
    joints: PoseSequence, keypoints: PoseSequence, camera: Camera, *, min_confidence: float = 0.0
) -> PoseSequence:
    """Joints of the frame "root", translated so that they project onto the keypoints: the frame "camera".

    In each frame the position t of the mid-hip minimises the weighted squared distances between the twelve joints that
    every layout has, projected on the plane at distance 1 before the camera, and the rays of their keypoints. The
    algebraic distance is linear in t and gives the first solution. Gauss-Newton steps then minimise the geometric
    distance, because the former places the person too near if keypoints are noisy. Weights are the keypoints'
    confidences, and Huber's beyond 1.345 robust sigmas of the recording's own residuals.

    A frame with fewer than `FEWEST_JOINTS` such joints, or whose solution is behind the camera, is missing, and
    counted. Raises `InputError` if the joints are not relative to the mid-hip, times differ, or no frame can be
    placed.
    """
    if joints.frame != "root":
        raise InputError(f"joints in the frame {joints.frame!r} have a position already")
    if not np.array_equal(joints.times_s, keypoints.times_s):
        raise InputError("joints and keypoints have different times")
    coco, rays, seen = rays_of_keypoints(keypoints, camera, min_confidence)
    index = [COCO_17.index(name) for name in BODY_12.joints]
    known = joints.to_skeleton(BODY_12)
    use = seen[:, index] & known.valid
    weights = np.where(use, coco.confidence[:, index], 0.0)
    enough = (weights > 0).sum(axis=1) >= FEWEST_JOINTS
    places = np.full((len(joints), 3), np.nan)
    places[enough] = _places(
        np.where(use[..., None], known.positions, 0.0)[enough],
        np.where(use[..., None], rays[:, index, :2], 0.0)[enough],
        weights[enough],
    )
    found = np.isfinite(places).all(axis=1)
    if not found.any():
        raise InputError(
            f"no frame can be placed: it takes {FEWEST_JOINTS} joints with keypoints, and a body that fits them"
        )
    n_lost = int((joints.valid.any(axis=1) & ~found).sum())
    step = f"placed by reprojection on the keypoints of {camera.name or 'the camera'}" + (
        f"; {n_lost} of {len(joints)} frames could not be placed and are missing" if n_lost else ""
    )
    return placed_at(joints, places, step)


def placed_at(joints: PoseSequence, root_m: FloatArray, step: str) -> PoseSequence:
    """Joints of the frame "root" with the mid-hip at `root_m` (time, 3), NaN if unknown: the frame "camera"."""
    return joints.derive(step, positions=joints.positions + root_m[:, None], frame="camera")


def _places(joints: FloatArray, rays: FloatArray, weights: FloatArray) -> FloatArray:
    """(time, 3) from joints (time, n, 3) and rays (time, n, 2), z = 1; NaN behind the camera or if undetermined."""
    # First x + tx = u (z + tz) and y + ty = v (z + tz), which are linear.
    ones = np.ones(rays.shape[:2])
    places = _solved(_rows(ones, rays), rays * joints[..., 2:] - joints[..., :2], weights)
    for step in range(_STEPS):
        points = joints + places[:, None]
        depth = np.where(points[..., 2] > 0.05, points[..., 2], np.nan)
        drawn = points[..., :2] / depth[..., None]
        residuals = rays - drawn
        robust = weights if step == 0 else weights * _huber(norm(residuals), weights > 0)
        places = places + _solved(_rows(1 / depth, drawn), residuals, robust)
    return places


def _rows(scale: FloatArray, slope: FloatArray) -> FloatArray:
    """(time, n, 2, 3): scale times (1, 0, -slope_x) and (0, 1, -slope_y)."""
    rows = np.zeros((*slope.shape, 3))
    rows[..., 0, 0] = rows[..., 1, 1] = scale
    rows[..., 2] = -slope * scale[..., None]
    return rows


def _solved(rows: FloatArray, values: FloatArray, weights: FloatArray) -> FloatArray:
    """(time, 3) the weighted least squares solution of each frame; NaN if it has none."""
    weighted = (weights > 0)[..., None]
    rows, values = np.where(weighted[..., None], rows, 0.0), np.where(weighted, values, 0.0)
    undefined = ~(np.isfinite(rows).all(axis=(1, 2, 3)) & np.isfinite(values).all(axis=(1, 2)))
    rows, values = np.nan_to_num(rows), np.nan_to_num(values)
    normal = np.einsum("tn,tnai,tnaj->tij", weights, rows, rows)
    right = np.einsum("tn,tnai,tna->ti", weights, rows, values)
    singular = np.linalg.cond(normal) > 1e12
    normal[singular] = np.eye(3)
    solution = np.linalg.solve(normal, right[..., None])[..., 0]
    return np.where((undefined | singular)[:, None], np.nan, solution)


def _huber(distances: FloatArray, used: BoolArray) -> NDArray[np.float64]:
    """(time, n) weights; the sigma is that of all distances, which for two equal coordinates have the median 1.177."""
    known = distances[used & np.isfinite(distances)]
    sigma = float(np.median(known)) / 1.177 if len(known) else 0.0
    limit = max(_HUBER * sigma, 1e-12)
    return np.asarray(np.minimum(1.0, limit / np.maximum(np.nan_to_num(distances), limit)))
