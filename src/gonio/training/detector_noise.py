"""A model of a detector's errors, for training pairs without video.

A real detector's keypoints differ from projected joints in known ways: each has a constant
offset in a clip, a slow drift, and jitter from frame to frame; errors grow if the body hides a joint; limb joints drop
out for a while; points on the far side of the face are missing or guessed; in views of the back left and right are
exchanged. `DetectorModel` holds the sizes and shares of these errors; `detected` applies them.
All lengths are parts of `body_length_px`, so that they do not depend on the size of the image. `autoregressive` and
`bursts` are the two random processes the model is made of.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.random import Generator

from gonio.core.arrays import BoolArray, FloatArray
from gonio.core.errors import ConfigError, InputError
from gonio.core.geometry import norm, square_to, unit
from gonio.core.sequence import EVALUATION_JOINTS, PoseSequence, Status
from gonio.core.skeleton import COCO_17
from gonio.training.bodies import BODY_22, COCO_IN_BODY, LEGS


@dataclass(frozen=True)
class DetectorModel:
    """Sizes and shares of a detector's errors. Lengths are parts of the 2D body length L of `body_length_px`.

    strength         0..1: scales every error and every share; 0 leaves the keypoints unchanged, except for those
                     outside the image, which are always missing
    offset           standard deviation of a keypoint's distance, per coordinate, from the joint; the same in a clip
    correlated       standard deviation of the error that persists for `correlation_s` (first-order autoregressive)
    white            standard deviation of the error of each frame on its own
    difficulty       how unevenly errors are spread over the frames: they are scaled by exp(difficulty n), with n normal
                     and persistent for 0.3 s, and doubled for keypoints behind the body
    hidden_face_share  of the clips in which eyes, ears and nose that face away are missing; in the others they are
                     present, with three times the error
    dropout_share    of the time in which a limb's joint is missing, in bursts of `dropout_s`
    hidden_limb_share  of the time in which a limb's two joints, or both ankles, are missing together, in bursts of
                     `hidden_limb_s`: behind a table, behind the body, below the image
    swap_share       of the time, in views of the back, in which left and right are exchanged, in bursts of `swap_s`:
                     legs and arms each on their own

    The errors are for shoulders; a hip's, an elbow's and so on are those times `KEYPOINT_FACTORS`. Confidence is
    1 / (1 + d² / 5), d being the error of this keypoint relative to its usual size: 0.83 at the usual size, 0.56 at
    twice that. It has a little noise of its own and goes to 1 with `strength` to 0.

    Raises `ConfigError` if a value is out of range.
    """

    strength: float = 1.0
    offset: float = 0.010
    correlated: float = 0.009
    white: float = 0.006
    correlation_s: float = 0.15
    difficulty: float = 0.5
    hidden_face_share: float = 0.7
    dropout_share: float = 0.02
    dropout_s: float = 0.2
    hidden_limb_share: float = 0.05
    hidden_limb_s: float = 1.5
    swap_share: float = 0.05
    swap_s: float = 0.25

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not (np.isfinite(value) and value >= 0):
                raise ConfigError(f"{field.name} of the detector model is {value}; it cannot be negative")
            if (field.name == "strength" or field.name.endswith("_share")) and value > 1:
                raise ConfigError(f"{field.name} of the detector model is {value}; it is a share from 0 to 1")


KEYPOINT_FACTORS: dict[str, float] = {
    "nose": 0.7,
    "eye": 0.7,
    "ear": 0.8,
    "shoulder": 1.0,
    "elbow": 1.25,
    "wrist": 1.5,
    "hip": 1.4,
    "knee": 1.15,
    "ankle": 1.3,
}
"""A keypoint's error to that of the shoulder. Hips have no visible landmark; wrists move fast."""

_LIMB_JOINTS = ("elbow", "wrist", "knee", "ankle")
_FACE_NORMALS = {
    "nose": (1.0, 0.0),
    "left_eye": (0.94, 0.34),
    "right_eye": (0.94, -0.34),
    "left_ear": (0.26, 0.97),
    "right_ear": (0.26, -0.97),
}
"""Normal of each point of the face: forwards, left."""


def kind(joint: str) -> str:
    """The joint's name without its side."""
    return joint.removeprefix("left_").removeprefix("right_")


_FACTORS = np.array([KEYPOINT_FACTORS[kind(joint)] for joint in COCO_17.joints])
DROPS = np.array([kind(joint) in _LIMB_JOINTS for joint in COCO_17.joints])
"""(17,) the keypoints that drop out: elbows, wrists, knees and ankles."""
_HIDDEN_TOGETHER = (
    *((f"{side}_{a}", f"{side}_{b}") for side in ("left", "right") for a, b in (("elbow", "wrist"), ("knee", "ankle"))),
    ("left_ankle", "right_ankle"),
)
_SWAPPED_TOGETHER = (("shoulder", "elbow", "wrist"), ("hip", "knee", "ankle"))


def detected(clean: PoseSequence, joints_m: FloatArray, model: DetectorModel, rng: Generator) -> PoseSequence:
    """Keypoints with the errors of a detector.

    clean     COCO-17, px, as projected
    joints_m  (time, 22, 3) the same body in the camera's frame, from which hidden and averted keypoints are found

    Raises `InputError` if no frame shows trunk and legs, whose length is the unit of the errors.
    """
    n_frames, n_joints = clean.positions.shape[:2]
    rate = clean.rate_hz
    size = (n_frames, n_joints)
    hidden, faces_away, back = _hidden(clean.positions, joints_m), _faces_away(joints_m), _back_in_view(joints_m)

    difficulty = np.exp(model.difficulty * autoregressive(rng, size, rate, 0.3)) * (1 + hidden)
    difficulty = np.where(faces_away, 3 * difficulty, difficulty)
    offset = model.offset * rng.standard_normal((1, n_joints, 2))
    correlated = model.correlated * autoregressive(rng, (*size, 2), rate, model.correlation_s)
    white = model.white * rng.standard_normal((*size, 2))
    scale = model.strength * body_length_px(clean) * _FACTORS[:, None]
    positions = clean.positions + scale * (offset + difficulty[..., None] * (correlated + white))
    reported = difficulty * np.exp(0.2 * rng.standard_normal(size))
    confidence = 1 - model.strength * (1 - 1 / (1 + reported**2 / 5))

    gone = bursts(rng, size, rate, model.dropout_s, model.strength * model.dropout_share) & DROPS
    if rng.random() < model.strength * model.hidden_face_share:
        gone |= faces_away
    swapped = bursts(rng, (n_frames, 2), rate, model.swap_s, model.strength * model.swap_share) & back[:, None]
    for group, when in zip(_SWAPPED_TOGETHER, swapped.T, strict=True):
        for joint in group:
            pair = [COCO_17.index(f"left_{joint}"), COCO_17.index(f"right_{joint}")]
            for values in (positions, confidence, gone):
                values[np.ix_(when, pair)] = values[np.ix_(when, pair[::-1])]
    share = model.strength * model.hidden_limb_share
    hidden_limbs = bursts(rng, (n_frames, len(_HIDDEN_TOGETHER)), rate, model.hidden_limb_s, share)
    for limb, when in zip(_HIDDEN_TOGETHER, hidden_limbs.T, strict=True):
        gone[:, [COCO_17.index(joint) for joint in limb]] |= when[:, None]
    width, height = _image_size(clean)
    outside = ((positions < -0.5) | (positions > (width - 0.5, height - 0.5))).any(axis=2)
    missing = gone | outside | np.isnan(positions).any(axis=2)
    return clean.derive(
        f"as a detector gives it (strength {model.strength:g}): {int((gone & clean.valid).sum())} positions dropped or "
        f"hidden, {int((outside & ~gone).sum())} outside the image, {int(swapped.sum())} swaps of arms or legs",
        positions=np.where(missing[..., None], np.nan, positions),
        confidence=np.where(missing, 0.0, confidence),
        status=np.where(missing, Status.MISSING, Status.MEASURED),
    )


def _image_size(sequence: PoseSequence) -> tuple[int, int]:
    """(width, height) px of the image. Raises `InputError` if it is not known."""
    if sequence.image_size_px is None:
        raise InputError("the size of the image is not known for these keypoints")
    return sequence.image_size_px


def body_length_px(keypoints: PoseSequence) -> float:
    """The clip's median 2D length of trunk + thigh + shank: mid-shoulder to mid-hip, and the means of both sides.

    Raises `InputError` if no frame shows them all.
    """
    p = {joint: keypoints[joint] for joint in EVALUATION_JOINTS}
    trunk = norm(p["left_shoulder"] + p["right_shoulder"] - p["left_hip"] - p["right_hip"]) / 2
    legs = sum(norm(p[a] - p[b]) + norm(p[b] - p[c]) for a, b, c in LEGS) / 2
    lengths = trunk + legs
    if np.isnan(lengths).all():
        raise InputError("no frame shows both shoulders, hips, knees and ankles: the body has no length in the image")
    return float(np.median(lengths[~np.isnan(lengths)]))


def autoregressive(rng: Generator, size: tuple[int, ...], rate_hz: float, time_constant_s: float) -> FloatArray:
    """(time, ...) of mean 0 and variance 1 whose correlation falls as exp(-t / time constant), from the first frame on.

    A stationary first-order process x[t] = a x[t-1] + sqrt(1 - a²) e[t], a = exp(-1 / (rate time constant)), summed up
    by doubling: after step k each value holds the last 2^k innovations. A time constant of 0 gives white noise.
    """
    a = float(np.exp(-1 / (rate_hz * time_constant_s))) if time_constant_s > 0 else 0.0
    x = rng.standard_normal(size)
    x[1:] *= np.sqrt(1 - a * a)
    span = 1
    while span < len(x) and a**span > 1e-18:
        x[span:] += a**span * x[:-span]  # numpy reads the right side before it writes
        span *= 2
    return x


def bursts(rng: Generator, size: tuple[int, int], rate_hz: float, duration_s: float, share: float) -> BoolArray:
    """(time, column): true in bursts of `duration_s` (one frame at least), which may overlap, for `share` of the time.

    A burst may begin in any frame, also before the first one, with the probability 1 - (1 - share)^(1 / frames).
    """
    n_frames, columns = size
    length = max(1, round(duration_s * rate_hz))
    starts = rng.random((n_frames + length - 1, columns)) < 1 - (1 - share) ** (1 / length)
    begun = np.concatenate([np.zeros((1, columns), int), np.cumsum(starts, axis=0)])
    return np.asarray(begun[length:] > begun[:-length])


def _hidden(pixels: FloatArray, joints_m: FloatArray) -> FloatArray:
    """(time, 17) 0..1: how far a keypoint lies behind its mirror image on the body, and how near to it in the image."""
    order = list(COCO_17.mirrored_order)
    depth = joints_m[:, COCO_IN_BODY, 2]
    with np.errstate(invalid="ignore"):
        behind = np.clip((depth - depth[:, order]) / 0.2, 0, 1)
    focal = norm(pixels[:, COCO_17.index("left_shoulder")] - pixels[:, COCO_17.index("left_hip")])
    separation = norm(pixels - pixels[:, order]) / (0.4 * np.where(focal > 0, focal, np.nan))[:, None]
    return np.asarray(np.nan_to_num(behind * np.exp(-(separation**2))))


def _faces_away(joints_m: FloatArray) -> BoolArray:
    """(time, 17): points of the face whose side of the head is turned from the camera."""
    j = {name: joints_m[:, BODY_22.index(name)] for name in ("nose", "left_ear", "right_ear")}
    ears = (j["left_ear"] + j["right_ear"]) / 2
    left = unit(j["left_ear"] - j["right_ear"])
    forward = square_to(left, j["nose"] - ears)
    towards = -unit(ears)
    away = np.zeros((len(joints_m), len(COCO_17)), bool)
    for joint, (ahead, aside) in _FACE_NORMALS.items():
        away[:, COCO_17.index(joint)] = ((ahead * forward + aside * left) * towards).sum(axis=1) < -0.2
    return away


def _back_in_view(joints_m: FloatArray) -> BoolArray:
    """(time,): the trunk faces away from the camera."""
    at = {name: joints_m[:, BODY_22.index(name)] for name in ("left_shoulder", "right_shoulder", "mid_hip")}
    middle = (at["left_shoulder"] + at["right_shoulder"]) / 2
    forward = np.cross(at["left_shoulder"] - at["right_shoulder"], middle - at["mid_hip"])
    return np.asarray((forward * middle).sum(axis=1) > 0)
