"""Lifting while the camera runs: each frame's keypoints in, its joints out, at once.

A causal network of gonio's needs no later frames, and neither does its input: the direction of the mid-hip is the last
known one, the body's length is the upper quartile of the last four seconds. These two and the state of the network
(`prediction.Stream`) are kept from frame to frame. The output equals that of `lifter.lift` for the whole recording.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gonio.core.arrays import FloatArray
from gonio.core.camera import Camera
from gonio.core.errors import ConfigError, InputError
from gonio.core.sequence import Status
from gonio.core.skeleton import COCO_17, H36M_17
from gonio.lifting.body_lifting import (
    FEWEST_KEYPOINTS,
    LONGEST_WITHOUT_HIPS_S,
    joint_confidence,
    n_interleaved,
    size_from_stature_m,
)
from gonio.lifting.checkpoints import Weights
from gonio.lifting.lifter import uses_body_coordinates
from gonio.lifting.normalisation import (
    QUARTILE,
    frame_lengths,
    frames_in_span,
    looking_at,
    mid_hip,
    network_input,
    on_plane,
    rays_of,
)
from gonio.lifting.prediction import Stream

_MIRRORED_IN, _MIRRORED_OUT = list(COCO_17.mirrored_order), list(H36M_17.mirrored_order)


@dataclass(frozen=True, eq=False)
class LiftedFrame:
    """The joints of one frame, Human3.6M's 17.

    positions_m  (17, 3) from the mid-hip, in the camera's axes; NaN if the frame shows too little
    confidence   (17,) 0..1
    status       (17,) `Status`
    """

    time_s: float
    positions_m: FloatArray
    confidence: FloatArray
    status: NDArray[np.uint8]


class LiftingStream:
    """One person before one camera.

    rate_hz  frames per second of the keypoints to come; the other options are those of `lifter.lift`

    Raises `InputError` if the weights are not gonio's own, or not causal, and `ConfigError` if the rate is not
    positive or the stature not a person's.
    """

    def __init__(
        self,
        weights: Weights,
        camera: Camera,
        rate_hz: float,
        *,
        min_confidence: float = 0.0,
        flip: bool = True,
        stature_m: float | None = None,
    ) -> None:
        if not uses_body_coordinates(weights):
            raise InputError("published networks need every keypoint of every frame; stream with gonio's own weights")
        if not (np.isfinite(rate_hz) and rate_hz > 0):
            raise ConfigError(f"{rate_hz:g} frames per second; a stream needs a positive rate")
        self._camera = camera
        self._min_confidence = min_confidence
        self._flip = flip
        self._size_m = size_from_stature_m(stature_m)
        self._networks = [Stream(weights) for _ in range(n_interleaved(rate_hz))]
        self._lengths: deque[float] = deque(maxlen=frames_in_span(rate_hz))
        self._n_lifted = 0
        self._hips = np.full((1, 3), np.nan)
        self._hips_s = -np.inf
        self._time_s = -np.inf

    def push(self, keypoints: ArrayLike, confidence: ArrayLike, time_s: float) -> LiftedFrame:
        """The joints of the next frame.

        keypoints   (17, 2) px, COCO's; NaN where missing
        confidence  (17,) 0..1

        Raises `InputError` if shapes differ, the confidence of a keypoint is outside 0..1, or the time does not
        increase.
        """
        pixels, known = np.asarray(keypoints, dtype=float)[None], np.asarray(confidence, dtype=float)[None]
        if pixels.shape != (1, 17, 2) or known.shape != (1, 17):
            raise InputError(
                f"keypoints have shape {pixels.shape[1:]}, confidence {known.shape[1:]}; a stream takes COCO's (17, 2) "
                f"and (17,)"
            )
        if not time_s > self._time_s:
            raise InputError(f"a frame at {time_s:g} s after one at {self._time_s:g} s; times must increase")
        self._time_s = time_s
        present = np.isfinite(pixels).all(axis=2)
        if not ((known[present] >= 0) & (known[present] <= 1)).all():
            raise InputError("confidence must lie in 0..1")
        seen = present & (known >= self._min_confidence)
        rays = rays_of(np.where(seen[..., None], pixels, np.nan), self._camera)
        seen &= np.isfinite(rays).all(axis=2)
        answer = self._answer(rays, seen, time_s)
        confident, status = joint_confidence(known, np.full(known.shape, Status.MEASURED, np.uint8), seen)
        if answer is None:
            missing = np.full(17, Status.MISSING, np.uint8)
            return LiftedFrame(time_s, np.full((17, 3), np.nan), np.zeros(17), missing)
        return LiftedFrame(time_s, answer, confident[0], status[0])

    def _answer(self, rays: FloatArray, seen: NDArray[np.bool_], time_s: float) -> FloatArray | None:
        hips, both = mid_hip(rays, seen)
        if both[0]:
            self._hips, self._hips_s = hips, time_s
        elif not self._lengths:
            return None
        rotations = looking_at(self._hips)
        plane, ahead = on_plane(rays, seen, rotations)
        length = float(frame_lengths(plane)[0])
        if not self._lengths:
            if np.isnan(length):
                return None
            self._lengths.extend([length] * (self._lengths.maxlen or 1))
        else:
            self._lengths.append(self._lengths[-1] if np.isnan(length) else length)
        frame = network_input(plane, ahead, self._quartile())
        network = self._networks[self._n_lifted % len(self._networks)]
        self._n_lifted += 1
        joints = self._lifted(network, frame)
        if seen.sum() < FEWEST_KEYPOINTS or time_s - self._hips_s > LONGEST_WITHOUT_HIPS_S + 1e-9:
            return None
        return np.asarray(joints @ rotations[0] * self._size_m)

    def _quartile(self) -> FloatArray:
        """(1,) as `scipy.ndimage.percentile_filter` counts it."""
        ordered = sorted(self._lengths)
        return np.array([ordered[int(len(ordered) * QUARTILE / 100)]])

    def _lifted(self, network: Stream, frame: NDArray[np.float32]) -> FloatArray:
        """(17, 3) body sizes, turned axes."""
        if not self._flip:
            return np.asarray(network.push(frame)[0], dtype=float)
        image = frame[:, _MIRRORED_IN]
        image[..., 0] *= -1
        straight, turned = network.push(np.concatenate([frame, image]))
        turned = turned[_MIRRORED_OUT]
        turned[..., 0] *= -1
        return np.asarray((straight + turned) / 2, dtype=float)
