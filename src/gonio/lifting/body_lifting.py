"""Lifting with gonio's own networks: `body_input` in, body sizes in the axes of the turned camera out.

Missing and unreliable keypoints are masked, never filled: the network was trained with gaps. A joint whose own keypoint
is missing in a frame is marked inferred. Joints are missing in three kinds of frames: frames with too few keypoints
(`FEWEST_KEYPOINTS`), frames too far in time from one with both hips (`LONGEST_WITHOUT_HIPS_S`), and, for a causal
network, the frames before the first one with both hips and a trunk, thigh or shank.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gonio.core.arrays import BoolArray, FloatArray
from gonio.core.assumptions import Assumption, united
from gonio.core.camera import Camera
from gonio.core.errors import ConfigError, InputError
from gonio.core.sequence import PoseSequence, Status
from gonio.core.skeleton import COCO_17, H36M_17
from gonio.lifting.normalisation import (
    SIZE_OVER_STATURE,
    frame_lengths,
    input_of_rays,
    looking_at,
    mid_hip,
    on_plane,
    rays_of_keypoints,
)

ASSUMED_FOCAL = 0.9
"""Assumed focal length over the longer side of the image. Telephones have 0.7 to 0.8, webcams 0.9, laboratory cameras
1.15."""
ASSUMED_STATURE_M = 1.70
SIZE_NOT_KNOWN = "The size of the person was not known"
DEPENDS_ON_SIZE = (
    "Lengths, and every error in millimetres that is not scaled, are as wrong as this size; joint angles do not depend "
    "on it."
)
SLOWEST_HZ, FASTEST_HZ = 25.0, 75.0
"""The frame rates that gonio's networks are trained with."""
FEWEST_KEYPOINTS = 6
"""Of COCO's 17, in a frame: the five of the face alone do not show the body."""
LONGEST_WITHOUT_HIPS_S = 0.5

_SHOULDERS, _HIPS = ("left_shoulder", "right_shoulder"), ("left_hip", "right_hip")
_FROM = {
    "mid_hip": _HIPS,
    "spine": (*_SHOULDERS, *_HIPS),
    "thorax": _SHOULDERS,
    "neck_nose": ("nose",),
    "head_top": ("nose", "left_ear", "right_ear"),
}
_OWN = np.array(
    [[keypoint in _FROM.get(joint, (joint,)) for keypoint in COCO_17.joints] for joint in H36M_17.joints], dtype=float
)
_OWN /= _OWN.sum(axis=1, keepdims=True)  # (joint, keypoint): each joint's keypoints, with equal weights


def assumed_camera(size_px: tuple[int, int], focal_px: float | None = None, name: str = "assumed") -> Camera:
    """A camera of known image size and, if given, known focal length. No lens distortion.

    Raises `ConfigError` if the focal length is not positive.
    """
    if focal_px is not None and not focal_px > 0:
        raise ConfigError(f"the focal length is {focal_px:g} px; it must be positive")
    focal = ASSUMED_FOCAL * max(size_px) if focal_px is None else focal_px
    middle = [(side - 1) / 2 for side in size_px]
    return Camera(name, size_px, np.array([[focal, 0, middle[0]], [0, focal, middle[1]], [0, 0, 1.0]]))


def n_interleaved(rate_hz: float) -> int:
    """Number n of slower recordings, of every n-th frame, that a recording is lifted as (1 up to `FASTEST_HZ`)."""
    return 1 if math.isnan(rate_hz) else max(1, math.ceil(rate_hz / FASTEST_HZ - 1e-6))


def size_from_stature_m(stature_m: float | None) -> float:
    """Trunk + thigh + shank, metres, of a person of this stature; default: `ASSUMED_STATURE_M`.

    Raises `ConfigError` if the stature is not that of a person.
    """
    if stature_m is not None and not 0.4 <= stature_m <= 2.6:
        raise ConfigError(f"a stature of {stature_m:g} m is not a person's; give it in metres, such as 1.75")
    return SIZE_OVER_STATURE * (ASSUMED_STATURE_M if stature_m is None else stature_m)


def joint_confidence(
    confidence: FloatArray, status: NDArray[np.uint8], seen: BoolArray
) -> tuple[FloatArray, NDArray[np.uint8]]:
    """Confidence and status (time, 17) of Human3.6M's joints, from those (time, 17) of COCO's keypoints.

    A joint has the mean confidence of the keypoints it comes from, a missing one counting 0. It is inferred if one of
    them is missing; else it has the least direct status of them: measured, inferred, interpolated, repaired.
    """
    known = np.where(seen, confidence, 0.0) @ _OWN.T
    all_seen = seen.astype(float) @ _OWN.T > 1 - 1e-9
    least = np.where(_OWN > 0, status[:, None], 0).max(axis=2)
    return known.clip(0, 1), np.where(all_seen, least, Status.INFERRED).astype(np.uint8)


@dataclass(frozen=True, eq=False)
class BodyTask:
    """One recording as input of gonio's networks, with what is needed to read their output.

    keypoints  COCO's, as given
    seen       (time, 17) which of them are used
    silent     (time,) frames whose joints are missing
    inputs     (frames, 17, 3) float32 from frame `start` on
    rotations  (frames, 3, 3) from the camera's axes to the turned ones
    lengths    (frames,) of the body on a plane at distance 1
    phases     every n-th frame is lifted by itself, n times
    size_m     trunk + thigh + shank
    steps      history sentences
    assumed    what was not known
    """

    keypoints: PoseSequence
    seen: BoolArray
    silent: BoolArray
    start: int
    inputs: NDArray[np.float32]
    rotations: FloatArray
    lengths: FloatArray
    phases: int
    size_m: float
    steps: tuple[str, ...]
    assumed: tuple[Assumption, ...]

    def vectors_m(self, answer: FloatArray) -> FloatArray:
        """(frames, joints, 3) of the network to (time, joints, 3) metres in the camera's axes; NaN where silent."""
        turned_back = np.einsum("tji,tkj->tki", self.rotations, answer) * self.size_m
        missing = np.full((self.start, *answer.shape[1:]), np.nan)
        vectors = np.concatenate([missing, turned_back])
        vectors[self.silent] = np.nan
        return vectors

    def root_m(self, answer: FloatArray) -> FloatArray:
        """(frames, 1, 3) of the second network, in the unit of `gonio.training.clips`, to (time, 3) m."""
        return self.vectors_m(answer / self.lengths[:, None, None])[:, 0]

    def joints(self, answer: FloatArray) -> PoseSequence:
        """(frames, 17, 3) of the network to joints in the frame "root"."""
        confidence, status = joint_confidence(self.keypoints.confidence, self.keypoints.status, self.seen)
        return PoseSequence(
            positions=self.vectors_m(answer),
            times_s=self.keypoints.times_s,
            skeleton=H36M_17,
            unit="m",
            frame="root",
            frame_name=self.keypoints.frame_name,
            up="-y",
            confidence=confidence,
            status=np.where(self.silent[:, None], Status.MISSING, status),
            history=(*self.keypoints.history, *self.steps),
            assumptions=united([self.keypoints.assumptions, self.assumed]),
        )


def body_task(
    keypoints: PoseSequence, camera: Camera | None, *, min_confidence: float, causal: bool, stature_m: float | None
) -> BodyTask:
    """The task of one recording.

    Raises `InputError` if the keypoints are 3D, if neither camera nor the size of the image is known, if
    their image is not the camera's, if no frame shows both hips (causal: with a trunk, thigh or shank), and if
    none shows enough.
    """
    size_m = size_from_stature_m(stature_m)
    if keypoints.unit != "px":
        raise InputError("lifting needs 2D keypoints in pixels; these are 3D")
    known = camera is not None
    if camera is None:
        if keypoints.image_size_px is None:
            raise InputError("the size of the image is not known, nor the camera; lifting needs one of them")
        camera = assumed_camera(keypoints.image_size_px, name=keypoints.frame_name)
    elif keypoints.image_size_px is not None and tuple(keypoints.image_size_px) != tuple(camera.size_px):
        (w, h), (cw, ch) = keypoints.image_size_px, camera.size_px
        raise InputError(f"the keypoints are of {w}x{h} px, the camera {camera.name!r} is for {cw}x{ch} px")
    coco, rays, seen = rays_of_keypoints(keypoints, camera, min_confidence)
    start = _first_answer(rays, seen) if causal else 0
    found = input_of_rays(rays[start:], seen[start:], coco.times_s[start:], causal=causal)
    both = mid_hip(rays, seen)[1]
    few = seen.sum(axis=1) < FEWEST_KEYPOINTS
    far = _seconds_from(both, coco.times_s, causal) > LONGEST_WITHOUT_HIPS_S + 1e-9
    silent = few | far | (np.arange(len(coco)) < start)
    if silent.all():
        raise InputError(
            f"no frame shows {FEWEST_KEYPOINTS} keypoints or more near one with both hips; check the keypoints"
        )
    n_missing, phases = int((~seen).sum()), n_interleaved(coco.rate_hz)
    focal = f"focal length {'' if known else 'assumed, '}{camera.focal_px:.0f} px"
    steps = [
        f"camera {camera.name or 'unnamed'}: {focal}"
        + ("" if known else f" ({ASSUMED_FOCAL:g} of the image's longer side), principal point in the middle"),
        f"keypoints missing or below confidence {min_confidence:g}: {n_missing} of {seen.size}, in "
        f"{int((~seen.all(axis=1)).sum())} of {len(seen)} frames; masked",
    ]
    if not both.all():
        direction = "held from the last frame before" if causal else "interpolated between the frames that show it"
        steps.append(f"mid-hip not seen in {int((~both).sum())} frames: its direction is {direction}")
    if silent.any():
        steps.append(
            f"{int(silent.sum())} of {len(silent)} frames without joints: {int(few.sum())} show fewer than "
            f"{FEWEST_KEYPOINTS} keypoints, {int(far.sum())} are over {LONGEST_WITHOUT_HIPS_S:g} s from both hips"
            + (f", {start} are before the first with both hips and a segment" if start else "")
        )
    if phases > 1:
        steps.append(
            f"{coco.rate_hz:.3g} frames per second: lifted as {phases} recordings, each of every {phases}. frame"
        )
    if coco.rate_hz < SLOWEST_HZ - 1e-6:
        steps.append(
            f"the network was trained with {SLOWEST_HZ:g} to {FASTEST_HZ:g} frames per second, these are "
            f"{coco.rate_hz:.3g}: it takes movements for faster than they are"
        )
    if stature_m is None:
        steps.append(
            f"size assumed: a stature of {ASSUMED_STATURE_M:.2f} m; lengths are as wrong as that is, angles do not "
            f"depend on it"
        )
    else:
        steps.append(f"size from the stature of {stature_m:.2f} m")
    return BodyTask(
        keypoints=coco,
        seen=seen,
        silent=silent,
        start=start,
        inputs=found.inputs,
        rotations=found.rotations,
        lengths=found.lengths,
        phases=phases,
        size_m=size_m,
        steps=tuple(steps),
        assumed=_assumed(stature_m, None if known else camera),
    )


def _assumed(stature_m: float | None, camera: Camera | None) -> tuple[Assumption, ...]:
    """What stands for a stature that is not given, and what the assumed `camera` is (None: it is known)."""
    assumed = []
    if stature_m is None:
        what = f"a stature of {ASSUMED_STATURE_M:.2f} m was assumed"
        assumed.append(Assumption("stature", f"{SIZE_NOT_KNOWN}: {what}. {DEPENDS_ON_SIZE}"))
    if camera is not None:
        what = f"a focal length of {camera.focal_px:.0f} px was assumed, {ASSUMED_FOCAL:g} of the image's longer side"
        assumed.append(Assumption("focal_length", f"The camera is not calibrated: {what}."))
    return tuple(assumed)


def _first_answer(rays: FloatArray, seen: BoolArray) -> int:
    """The first frame that shows both hips and a trunk, thigh or shank."""
    hips, both = mid_hip(rays, seen)
    rows = np.flatnonzero(both)
    plane, _ = on_plane(rays[rows], seen[rows], looking_at(hips[rows]))
    good = rows[np.isfinite(frame_lengths(plane))]
    if len(good) == 0:
        raise InputError("no frame shows both hips and a shoulder line, knee or ankle; a causal network needs one")
    return int(good[0])


def _seconds_from(present: BoolArray, times_s: FloatArray, causal: bool) -> FloatArray:
    """(time,) s to the nearest present frame (causal: to the last one before); infinite if there is none."""
    index = np.arange(len(present))
    last = np.maximum.accumulate(np.where(present, index, -1))
    since = np.where(last >= 0, times_s - times_s[last], np.inf)
    if causal:
        return since
    following = np.minimum.accumulate(np.where(present, index, len(present))[::-1])[::-1]
    until = np.where(following < len(present), times_s[following.clip(max=len(present) - 1)] - times_s, np.inf)
    return np.minimum(since, until)
