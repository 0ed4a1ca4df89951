"""Input and output of gonio's own lifting networks: body coordinates, as seen by a camera turned to the person.

A network of VideoPose3D's takes screen coordinates. It must learn how the position in the image changes a body's
appearance, and it fits the cameras of its training data. Here geometry does that part. In each frame the camera is
turned about its own centre until its axis passes through the mid-hip (first about its vertical, then about its
horizontal axis: no roll). The keypoints, projected on the plane at distance 1 before the turned camera, are divided by
the length of the body there. So the input does not depend on focal length, resolution, lens, distance and position in
the image.

    input   (time, 17, 3) COCO's keypoints: x and y from the mid-hip in body lengths, and 1; 0 0 0 if missing
    output  (time, 17, 3) Human3.6M's joints from the mid-hip, in the turned camera's axes, in body sizes

The body's length in the image is that of trunk + thigh + shank. In each frame the lengths of the visible segments are
divided by their share in an adult body; then the upper quartile over four seconds is taken, so that a squat does not
count as a smaller body. The body's size is the median of the same sum in 3D. If the mid-hip is missing, it is
interpolated between the frames that have it, and `filled` marks the frame; a causal input holds the last one and has no
value before the first one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import percentile_filter

from gonio.core.arrays import BoolArray, FloatArray
from gonio.core.camera import Camera
from gonio.core.errors import InputError
from gonio.core.geometry import norm
from gonio.core.sequence import PoseSequence, median_rate_hz
from gonio.core.skeleton import COCO_17, H36M_17

NORMALISATION = "body"
"""`metadata["normalisation"]` of weights that take this input; published ones take "screen" coordinates."""

SHARES = {"trunk": 0.38, "thigh": 0.32, "shank": 0.30}
"""Of trunk + thigh + shank, in adults (Winter, Biomechanics and Motor Control of Human Movement, 2009, fig. 4.1:
trunk 0.288, thigh 0.245, shank 0.246 of the stature, their sum 0.779)."""
SIZE_OVER_STATURE = 0.779
"""Trunk + thigh + shank to stature: same source."""
SPAN_S = 4.0
"""The seconds over which the body's length is taken."""
QUARTILE = 75.0


@dataclass(frozen=True, eq=False)
class BodyInput:
    """Keypoints as input of gonio's networks, and what transforms the output back to the camera.

    inputs     (time, 17, 3) float32: x, y, 1; 0 where missing
    rotations  (time, 3, 3) from the camera's axes to those of the camera turned to the mid-hip
    lengths    (time,) of the body on a plane at distance 1 before the turned camera
    filled     (time,) the mid-hip is missing in this frame
    """

    inputs: NDArray[np.float32]
    rotations: FloatArray
    lengths: FloatArray
    filled: BoolArray


def body_input(
    keypoints: PoseSequence, camera: Camera, *, min_confidence: float = 0.0, causal: bool = False
) -> BodyInput:
    """The input of a network, from 2D keypoints (of a layout that has COCO's) and their camera.

    min_confidence  keypoints below it count as missing
    causal          later frames are not used

    Raises `InputError` if the keypoints are 3D, if no frame shows both hips, or none a trunk, thigh or shank.
    """
    coco, rays, seen = rays_of_keypoints(keypoints, camera, min_confidence)
    return input_of_rays(rays, seen, coco.times_s, causal=causal)


def input_of_rays(rays: FloatArray, seen: BoolArray, times_s: FloatArray, *, causal: bool) -> BodyInput:
    """`body_input`, from the result of `rays_of_keypoints`. Raises `InputError` as `body_input` does."""
    hips, both = mid_hip(rays, seen)
    if not both.any():
        raise InputError("no frame shows both hips; lifting measures from the middle between them")
    rotations = looking_at(_held(hips, both, times_s, causal))
    plane, ahead = on_plane(rays, seen, rotations)
    lengths = _lengths(plane, median_rate_hz(times_s), causal)
    return BodyInput(network_input(plane, ahead, lengths), rotations, lengths, ~both)


def rays_of_keypoints(
    keypoints: PoseSequence, camera: Camera, min_confidence: float
) -> tuple[PoseSequence, FloatArray, BoolArray]:
    """COCO's keypoints; their rays (time, 17, 3) in the camera's axes, z = 1; which of them are used (time, 17).

    Raises `InputError` if the keypoints are 3D.
    """
    if keypoints.unit != "px":
        raise InputError("lifting needs 2D keypoints in pixels; these are 3D")
    coco = keypoints.to_skeleton(COCO_17)
    seen = np.asarray(coco.valid & (coco.confidence >= min_confidence))
    rays = rays_of(np.where(seen[..., None], coco.positions, np.nan), camera)
    return coco, rays, seen & np.isfinite(rays).all(axis=2)


def rays_of(pixels: FloatArray, camera: Camera) -> FloatArray:
    """(..., 2) px to (..., 3) in the camera's axes, z = 1."""
    return np.concatenate([camera.image_to_normalized(pixels), np.ones((*pixels.shape[:-1], 1))], axis=-1)


_HIPS = [COCO_17.index("left_hip"), COCO_17.index("right_hip")]


def mid_hip(rays: FloatArray, seen: BoolArray) -> tuple[FloatArray, BoolArray]:
    """(time, 3) the mean of the hips' rays, and (time,) whether both are seen."""
    return rays[:, _HIPS].mean(axis=1), np.asarray(seen[:, _HIPS].all(axis=1))


def on_plane(rays: FloatArray, seen: BoolArray, rotations: FloatArray) -> tuple[FloatArray, BoolArray]:
    """(time, 17, 2) intersections of the rays with the plane at distance 1 before the turned camera; (time, 17) which
    rays have one."""
    ray = np.moveaxis(rays, 2, 0)
    x, y, z = (sum(rotations[:, i, j, None] * ray[j] for j in range(3)) for i in range(3))
    with np.errstate(invalid="ignore"):
        ahead = np.asarray(seen & (z > 0.05))  # a ray at a right angle to the axis has no intersection
    depth = np.where(ahead, z, np.nan)
    return np.stack([x / depth, y / depth], axis=2), ahead


def network_input(plane: FloatArray, ahead: BoolArray, lengths: FloatArray) -> NDArray[np.float32]:
    """(time, 17, 3) float32: x and y in body lengths, and 1; 0 where missing.

    The detector's confidence is not part of the input: its meaning differs between detectors, and networks that had it
    were less accurate with another detector's keypoints than networks without it.
    """
    inputs = np.concatenate([np.nan_to_num(plane / lengths[:, None, None]), ahead[..., None]], axis=2)
    return inputs.astype(np.float32)


def looking_at(directions: FloatArray) -> FloatArray:
    """(time, 3) directions in a camera's axes to (time, 3, 3): rows are the axes of the camera turned to each of them.

    The turned x axis is square to the camera's own y axis: no roll.
    """
    z = directions / norm(directions)[:, None]
    x = np.stack([z[:, 2], np.zeros(len(z)), -z[:, 0]], axis=1)
    x /= norm(x)[:, None]
    return np.stack([x, np.cross(z, x), z], axis=1)


def body_target(target: PoseSequence, rotations: FloatArray) -> tuple[NDArray[np.float32], BoolArray, float]:
    """The target of the network: joints (time, 17, 3) float32, which of them are valid (time, 17), and the size in m.

    target     Human3.6M's joints relative to the mid-hip, camera axes, metres
    rotations  those of the input

    Raises `InputError` if no frame shows trunk, thigh and shank.
    """
    joints = target.to_skeleton(H36M_17)
    size = body_size_m(joints)
    valid = np.asarray(joints.valid)
    turned = np.einsum("tij,tkj->tki", rotations, joints.positions) / size
    return np.where(valid[..., None], turned, 0.0).astype(np.float32), valid, size


def body_size_m(joints: PoseSequence) -> float:
    """The median over the frames of trunk + thigh + shank in 3D, metres.

    Raises `InputError` if no frame shows them.
    """
    segments = _segments({name: joints[name] for name in _ENDS})
    sizes = segments["trunk"] + segments["thigh"] + segments["shank"]
    if np.isnan(sizes).all():
        raise InputError("no frame shows trunk, thigh and shank: the size of the body is not known")
    return float(np.median(sizes[~np.isnan(sizes)]))


_ENDS = tuple(f"{side}_{joint}" for joint in ("shoulder", "hip", "knee", "ankle") for side in ("left", "right"))


def _segments(at: dict[str, FloatArray]) -> dict[str, FloatArray]:
    """(time,) lengths of trunk, thigh and shank, mean of the valid sides; NaN if there is none."""
    trunk = (at["left_shoulder"] + at["right_shoulder"] - at["left_hip"] - at["right_hip"]) / 2
    sides = {
        "trunk": [norm(trunk)],
        "thigh": [norm(at[f"{side}_hip"] - at[f"{side}_knee"]) for side in ("left", "right")],
        "shank": [norm(at[f"{side}_knee"] - at[f"{side}_ankle"]) for side in ("left", "right")],
    }
    return {name: _mean_of_seen(np.stack(lengths)) for name, lengths in sides.items()}


def _mean_of_seen(values: FloatArray) -> FloatArray:
    valid = ~np.isnan(values)
    count = valid.sum(axis=0)
    return np.where(count > 0, np.where(valid, values, 0.0).sum(axis=0) / np.maximum(count, 1), np.nan)


def _lengths(plane: FloatArray, rate_hz: float, causal: bool) -> FloatArray:
    """(time,) the body's length on the plane: upper quartile over `SPAN_S` of the lengths of all frames."""
    lengths = frame_lengths(plane)
    seen = ~np.isnan(lengths)
    if not seen.any():
        raise InputError("no frame shows a trunk, a thigh or a shank; lifting needs the length of the body")
    lengths = _held(lengths[:, None], seen, np.arange(len(lengths), dtype=float), causal)[:, 0]
    size = frames_in_span(rate_hz)
    # scipy's window reaches from size // 2 frames back, moved by the origin; a causal one ends at the current frame.
    origin = (size - 1) // 2 if causal else 0
    return np.asarray(percentile_filter(lengths, QUARTILE, size=size, mode="nearest", origin=origin))


def frame_lengths(plane: FloatArray) -> FloatArray:
    """(time,) the body's length on the plane, from each frame's visible segments; NaN if there is none."""
    segments = _segments({name: plane[:, COCO_17.index(name)] for name in _ENDS})
    stacked = np.stack([segments[name] for name in SHARES])
    valid = ~np.isnan(stacked)
    shares = (valid * np.array(list(SHARES.values()))[:, None]).sum(axis=0)
    return np.asarray(np.where(valid, stacked, 0.0).sum(axis=0) / np.where(shares > 0, shares, np.nan))


def frames_in_span(rate_hz: float) -> int:
    """Number of frames in `SPAN_S`; 1 for a single frame, which has no rate."""
    return 1 if np.isnan(rate_hz) else max(1, round(SPAN_S * rate_hz))


def _held(values: FloatArray, valid: BoolArray, times_s: FloatArray, causal: bool) -> FloatArray:
    """(time, n) without gaps: linear between the valid frames (causal: the last one is held), constant at the ends."""
    if valid.all():
        return values
    if causal:
        last = np.maximum.accumulate(np.where(valid, np.arange(len(valid)), -1))
        return values[np.where(last < 0, int(np.argmax(valid)), last)]
    columns = [np.interp(times_s, times_s[valid], column[valid]) for column in values.T]
    return np.stack(columns, axis=1)
