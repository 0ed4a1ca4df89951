"""Bodies for training: motion capture in one skeleton, and other bodies and poses derived from it.

`training_body` brings a 3D sequence to the joints of `BODY_22`, z up. All others are functions of such a body, most of
them with a random generator:

time         `resampled`: another frame rate, another speed
left, right  `mirrored`, `flipped`
lengths      `random_bone_lengths`, `with_bone_lengths`
poses        `with_turned_limbs`; `recombined`: the upper half of one recording on the lower half of another
definitions  `with_other_definitions`: joints as another laboratory, or a detector, would define them

The history of a result lists its changes. Joints that depend on a missing one are missing too, and counted there.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches

import numpy as np
from numpy.random import Generator

from gonio.core.arrays import FloatArray
from gonio.core.clock import resample
from gonio.core.errors import InputError
from gonio.core.geometry import (
    angle_between,
    in_axes,
    norm,
    out_of_axes,
    rotation_matrix,
    shortest_rotation,
    square_to,
    unit,
)
from gonio.core.sequence import EVALUATION_JOINTS, PoseSequence, Status
from gonio.core.skeleton import COCO_17, H36M_17, Skeleton

_FACE_PARENTS = {
    "nose": "neck_nose",
    "left_eye": "nose",
    "right_eye": "nose",
    "left_ear": "left_eye",
    "right_ear": "right_eye",
}
_JOINTS = (*H36M_17.joints, *_FACE_PARENTS)
BODY_22 = Skeleton("body-22", _JOINTS, (*H36M_17.parents, *(_JOINTS.index(p) for p in _FACE_PARENTS.values())))
"""Human3.6M's 17 joints and the five points of COCO's face: the joints that a training pair needs."""

COCO_IN_BODY = [BODY_22.index(joint) for joint in COCO_17.joints]
"""Indices of COCO's 17 keypoints among the joints of `BODY_22`."""
ARMS = tuple((f"{side}_shoulder", f"{side}_elbow", f"{side}_wrist") for side in ("left", "right"))
LEGS = tuple((f"{side}_hip", f"{side}_knee", f"{side}_ankle") for side in ("left", "right"))
_LOWER = tuple(BODY_22.index(joint) for joint in ("mid_hip", *LEGS[0], *LEGS[1]))

_HEAD_SIZE_M = 0.28  # from the thorax to the top of the head of the head below
_FACE_M = {
    "nose": (0.110, 0.0, -0.165),
    "left_eye": (0.085, 0.032, -0.125),
    "right_eye": (0.085, -0.032, -0.125),
    "left_ear": (-0.005, 0.078, -0.145),
    "right_ear": (-0.005, -0.078, -0.145),
}
"""From the top of an adult head: forwards, left, up."""


def training_body(sequence: PoseSequence) -> PoseSequence:
    """The joints of `BODY_22`, z up, mid-hip = mean of the hips; what every other function here takes.

    If the recording has no face, one is placed on the head (proportions of an adult head, in the direction of the
    shoulders) and marked inferred. Markers must be converted to joint centres first.

    Raises `InputError` for 2D, a root-relative sequence, an unknown vertical, fewer than two frames, and if the
    skeleton lacks one of the twelve joints that every layout has. Single joints may be missing in all frames.
    """
    if sequence.dimensions != 3:
        raise InputError("virtual cameras need 3D joints; these are 2D")
    if sequence.frame == "root":
        raise InputError("virtual cameras need the position of the person; this sequence is relative to the mid-hip")
    if len(sequence) < 2:
        raise InputError(f"virtual cameras need two frames or more; this sequence has {len(sequence)}")
    body = sequence.derive(covariance=None).with_up("+z").to_skeleton(BODY_22)
    absent = [joint for joint in EVALUATION_JOINTS if joint not in sequence.skeleton]
    if absent:
        raise InputError(f"{sequence.skeleton.name} has no {', '.join(absent)}; virtual cameras need all twelve")
    positions, status = body.positions.copy(), body.status.copy()
    step = "mid_hip = mean of both hips"
    positions[:, 0] = (body["left_hip"] + body["right_hip"]) / 2
    status[:, 0] = np.where(np.isnan(positions[:, 0, 0]), Status.MISSING, Status.INFERRED)
    face = [BODY_22.index(joint) for joint in _FACE_M]
    if not body.valid[:, face].any() and body.valid[:, BODY_22.index("head_top")].any():
        positions[:, face] = _face(body)
        status[:, face] = np.where(np.isnan(positions[:, face, 0]), Status.MISSING, Status.INFERRED)
        step += "; face placed on the head, in the direction of the shoulders"
    confidence = np.where(status == Status.MISSING, 0.0, np.where(body.valid, body.confidence, 1.0))
    return body.derive(step, positions=positions, status=status, confidence=confidence)


def _face(body: PoseSequence) -> FloatArray:
    """(time, 5, 3) the points of `_FACE_M` on the head of a body without them; NaN if the head is missing."""
    neck = "neck_nose" if body.valid[:, BODY_22.index("neck_nose")].any() else "thorax"
    up = unit(body["head_top"] - body[neck])
    left = square_to(up, body["left_shoulder"] - body["right_shoulder"])
    axes = np.stack([np.cross(left, up), left, up], axis=1)
    sizes = norm(body["head_top"] - body["thorax"])
    size = np.median(sizes[~np.isnan(sizes)]) if not np.isnan(sizes).all() else _HEAD_SIZE_M
    offsets = np.array(list(_FACE_M.values())) * (size / _HEAD_SIZE_M)
    return np.asarray(body["head_top"][:, None] + offsets @ axes)


def resampled(sequence: PoseSequence, rate_hz: float, *, speed: float = 1.0) -> PoseSequence:
    """The motion `speed` times as fast, at `rate_hz` frames per second from its first frame on; linear in between.

    Raises `InputError` if the rate or the speed is not positive.
    """
    if not (rate_hz > 0 and speed > 0 and np.isfinite(rate_hz * speed)):
        raise InputError(f"a rate of {rate_hz} frames per second at {speed} times the speed is not possible")
    if not len(sequence):
        raise InputError("a recording without frames cannot be resampled")
    own = sequence.times_s[0] + (sequence.times_s - sequence.times_s[0]) / speed
    step = f"{speed:g} times as fast" if speed != 1 else None
    faster = sequence.derive(step, times_s=own)
    return resample(faster, own[0] + np.arange(int((own[-1] - own[0]) * rate_hz + 1e-6) + 1) / rate_hz)


def mirrored(body: PoseSequence) -> PoseSequence:
    """Mirror the body at y = 0 and exchange left and right joints, so that labels stay anatomically correct."""
    check_training_body(body)
    order = list(BODY_22.mirrored_order)
    return body.derive(
        "mirrored, left and right exchanged",
        positions=body.positions[:, order] * (1.0, -1.0, 1.0),
        status=body.status[:, order],
        confidence=body.confidence[:, order],
    )


def flipped(body: PoseSequence, rng: Generator, *, share: float = 0.5) -> PoseSequence:
    """`mirrored` in a `share` of the draws, else the body itself."""
    return mirrored(body) if rng.random() < share else body


_BONES: dict[str, str] = {
    joint: bone
    for bone, joints in {
        "pelvis": "left_hip right_hip",
        "thigh": "left_knee right_knee",
        "shank": "left_ankle right_ankle",
        "trunk": "spine thorax",
        "neck": "neck_nose",
        "head": "head_top nose left_eye right_eye left_ear right_ear",
        "shoulders": "left_shoulder right_shoulder",
        "upper_arm": "left_elbow right_elbow",
        "forearm": "left_wrist right_wrist",
    }.items()
    for joint in joints.split()
}
BONES: tuple[str, ...] = tuple(dict.fromkeys(_BONES.values()))
"""The bones that `with_bone_lengths` scales: the same factor left and right."""


def random_bone_lengths(rng: Generator, *, size_sd: float = 0.06, bone_sd: float = 0.06) -> dict[str, float]:
    """A factor for each of `BONES`: one for the whole body times one of its own; normal, cut off at two deviations.

    The defaults are wider than the real variation: stature alone varies by about 4 % among adults of one sex.
    """
    size = 1 + size_sd * rng.standard_normal(1).clip(-2, 2)
    own = 1 + bone_sd * rng.standard_normal(len(BONES)).clip(-2, 2)
    return dict(zip(BONES, (size * own).tolist(), strict=True))


def with_bone_lengths(body: PoseSequence, factors: Mapping[str, float]) -> PoseSequence:
    """The same motion of another body: each bone's length times its factor, all directions kept.

    The path of the mid-hip is scaled about its mean by the factor of the legs, so that standing feet do not slide.
    Raises `InputError` if a factor is not positive or belongs to no bone.
    """
    check_training_body(body)
    for bone, factor in factors.items():
        if bone not in BONES:
            near = get_close_matches(bone, BONES, 1)
            raise InputError(f"no bone is called {bone!r}; " + (f"did you mean {near[0]!r}?" if near else str(BONES)))
        if not (np.isfinite(factor) and factor > 0):
            raise InputError(f"the factor {factor} for the length of {bone} is not positive")
    present = [joint for joint, seen in zip(BODY_22.joints, body.valid.T, strict=True) if seen.any()]
    tree = BODY_22.select(present)  # bones skip joints that this body never has
    positions = body.positions.copy()
    legs = (factors.get("thigh", 1.0) + factors.get("shank", 1.0)) / 2
    middle = mean_place(body)
    positions[:, 0] = middle + legs * (body.positions[:, 0] - middle)
    for parent, child in tree.bones:
        p, c = BODY_22.index(present[parent]), BODY_22.index(present[child])
        factor = factors.get(_BONES[present[child]], 1.0)
        positions[:, c] = positions[:, p] + factor * (body.positions[:, c] - body.positions[:, p])
    changes = ", ".join(f"{bone} {factor:.3f}" for bone, factor in factors.items())
    return moved(body, positions, f"bone lengths scaled: {changes or 'none'}")


_ARM_LIMITS_DEG = {"backwards": 60.0, "inwards": 45.0, "bent": 150.0}
_LEG_LIMITS_DEG = {"backwards": 30.0, "inwards": 30.0, "outwards": 50.0, "forwards": 125.0, "bent": 150.0}
"""How far a limb goes, near to the ranges of motion of the American Academy of Orthopaedic Surgeons (1965): as wide
or wider (knee 150 for 135, hip outwards 50 for 45, forwards 125 for 120), because all are measured against the line of
the whole trunk."""


def with_turned_limbs(
    body: PoseSequence, rng: Generator, *, turn_deg: float = 20.0, bend_deg: float = 20.0, share: float = 0.75
) -> PoseSequence:
    """New poses from old ones: each arm and leg turned at its root, and its elbow or knee bent more or less.

    turn_deg  standard deviation of the turn about each of the trunk's axes, the same through the clip
    bend_deg  standard deviation of the change b of an elbow's or knee's flexion f: f + b if b is positive, else
              f exp(b / mean f), which never reaches beyond straight and has no kink
    share     of the limbs that are changed

    All segments keep their lengths. The hinge bends in its own plane. If the change
    would exceed a joint's limit, by more than the recording itself does, it is reduced by quarters; so a limb may stay
    unchanged.
    """
    check_training_body(body)
    positions = body.positions.copy()
    changes = []
    for limbs, ends, limits in ((ARMS, "shoulder", _ARM_LIMITS_DEG), (LEGS, "hip", _LEG_LIMITS_DEG)):
        axes = _trunk_axes(body, ends)
        for top, middle, end in limbs:
            side = 1.0 if top.startswith("left") else -1.0
            chosen = rng.random() < share
            turn = np.deg2rad(turn_deg) * rng.standard_normal(3)
            bend = np.deg2rad(bend_deg) * rng.standard_normal()
            if not chosen:
                continue
            upper = in_axes(axes, body[middle] - body[top])
            lower = in_axes(axes, body[end] - body[middle])
            before = _beyond_limits(upper, lower, side, limits)
            for part in (1.0, 0.75, 0.5, 0.25):
                new_upper, new_lower = _turned(upper, lower, part * turn, part * bend, side, ends)
                after = _beyond_limits(new_upper, new_lower, side, limits)
                if not (after > np.maximum(before, 0) + 1e-9).any():
                    positions[:, BODY_22.index(middle)] = body[top] + out_of_axes(axes, new_upper)
                    positions[:, BODY_22.index(end)] = positions[:, BODY_22.index(middle)] + out_of_axes(
                        axes, new_lower
                    )
                    angle = np.rad2deg(part * np.linalg.norm(turn))
                    changes.append(f"{top} by {angle:.0f} deg, {middle} by {np.rad2deg(part * bend):+.0f} deg")
                    break
    return moved(body, positions, f"limbs turned: {'; '.join(changes) or 'none'}")


def _turned(
    upper: FloatArray,
    lower: FloatArray,
    turn: FloatArray,
    bend: float,
    side: float,
    ends: str,
) -> tuple[FloatArray, FloatArray]:
    """Both segments (time, 3) in the trunk's axes after a turn (a rotation vector) and `bend` more flexion, radians."""
    rotation = rotation_matrix(turn)
    upper, lower = upper @ rotation.T, lower @ rotation.T
    u, v = unit(upper), unit(lower)
    # About which axis a straight limb would bend: from the pose in which a hanging leg bends back, a sideways arm on.
    rest = np.array([0.0, 0.0, -1.0]) if ends == "hip" else np.array([0.0, side, 0.0])
    hinge = np.array([0.0, 1.0, 0.0]) if ends == "hip" else np.array([0.0, 0.0, -side])
    straight = np.einsum("tij,j->ti", shortest_rotation(np.broadcast_to(rest, u.shape), u), hinge)
    axis = square_to(u, np.cross(u, v) + 0.1 * straight)
    flexion = angle_between(u, v)
    mean = float(np.nanmean(flexion)) if not np.isnan(flexion).all() else 0.0
    change = np.full_like(flexion, bend) if bend > 0 else flexion * np.expm1(bend / max(mean, 1e-3))
    return upper, np.einsum("tij,tj->ti", rotation_matrix(axis * change[:, None]), lower)


def _beyond_limits(upper: FloatArray, lower: FloatArray, side: float, limits: Mapping[str, float]) -> FloatArray:
    """(limit, time) by how many degrees a limb, given in the trunk's axes, exceeds each limit; negative: within."""
    forward, left, up = np.moveaxis(unit(upper), 1, 0)
    directions = {
        "backwards": np.arcsin(np.clip(-forward, -1, 1)),
        "inwards": np.arcsin(np.clip(-side * left, -1, 1)),
        "outwards": np.arcsin(np.clip(side * left, -1, 1)),
        "forwards": np.where(forward > 0, np.arctan2(forward, -up), -np.pi / 2),
        "bent": angle_between(unit(upper), unit(lower)),
    }
    return np.stack([np.rad2deg(directions[name]) - limit for name, limit in limits.items()])


def recombined(lower: PoseSequence, upper: PoseSequence, rng: Generator) -> PoseSequence:
    """The legs and the path of one body with the trunk, arms and head of another, on one clock.

    The longer recording is cut at random to the length of the shorter one. In each frame the upper half is turned about
    the vertical until its hips have the direction of those below it, and placed on the mid-hip. Its lean against the
    vertical and its twist against the pelvis stay. All bones keep their lengths.
    """
    check_training_body(lower)
    check_training_body(upper)
    spans = [float(body.times_s[-1] - body.times_s[0]) for body in (lower, upper)]
    start_lower, start_upper = (rng.uniform(0, max(own - min(spans), 0.0)) for own in spans)
    begin = lower.times_s[0] + start_lower
    legs = lower.between(begin - 1e-9, begin + min(spans) + 1e-9)
    rest = upper.shifted(float(begin - upper.times_s[0]) - start_upper, "to the clock of the lower half")
    rest = resample(rest, legs.times_s)
    turn = _heading(legs) - _heading(rest)
    rotation = rotation_matrix(np.stack([np.zeros_like(turn), np.zeros_like(turn), turn], axis=-1))
    positions = legs["mid_hip"][:, None] + (rest.positions - rest["mid_hip"][:, None]) @ rotation.swapaxes(1, 2)
    status, confidence = rest.status.copy(), rest.confidence.copy()
    half = list(_LOWER)
    positions[:, half] = legs.positions[:, half]
    status[:, half], confidence[:, half] = legs.status[:, half], legs.confidence[:, half]
    missing = np.isnan(positions).any(axis=2)
    return legs.derive(
        f"upper half of {upper.frame_name or 'another recording'} placed on the lower half",
        positions=positions,
        status=np.where(missing, Status.MISSING, status),
        confidence=np.where(missing, 0.0, confidence),
    )


_DEFINITION = {"hip": 1.5, "shoulder": 1.25, "spine": 1.5, "thorax": 1.25, "knee": 0.8, "wrist": 0.8}


def with_other_definitions(body: PoseSequence, rng: Generator, *, sd_m: float = 0.015) -> PoseSequence:
    """Every joint moved within its own segment, as if another laboratory, or another detector, had defined it.

    The offset is normal, the same through the clip, and symmetric left and right. It is fixed in the trunk for trunk
    and head, in the thigh for the knee, in the shank for the ankle, likewise in the arm; hips, spine and shoulders,
    on which definitions differ most, move 1.25 to 1.5 times as far. Give the result to `training_pair` as `seen`:
    keypoints then differ from the target joints, as real ones do.
    """
    check_training_body(body)
    axes = _segment_axes(body)
    scale = np.array([_DEFINITION.get(joint.removeprefix("left_").removeprefix("right_"), 1.0) for joint in _JOINTS])
    offsets = sd_m * scale[:, None] * rng.standard_normal((len(BODY_22), 3))
    for left, right in BODY_22.left_right_pairs:
        offsets[right] = offsets[left] * (1.0, -1.0, 1.0)
    positions = body.positions + np.einsum("tjab,ja->tjb", axes, offsets)
    hips = [BODY_22.index("left_hip"), BODY_22.index("right_hip")]
    positions[:, 0] = positions[:, hips].mean(axis=1)
    return moved(body, positions, f"joints defined differently, by {1000 * sd_m:.0f} mm per axis")


def _segment_axes(body: PoseSequence) -> FloatArray:
    """(time, joint, 3, 3) rows forward, left, up of the segment that each joint is fixed in; the trunk's for most.

    A limb's are the trunk's, turned by the shortest rotation from a rest pose (legs hanging, arms sideways) to the
    segment.
    """
    axes = np.empty((len(body), len(BODY_22), 3, 3))
    legs = _trunk_axes(body, "hip")
    arms = _trunk_axes(body, "shoulder")
    axes[:] = arms[:, None]
    for limbs, trunk in ((ARMS, arms), (LEGS, legs)):
        for top, middle, end in limbs:
            side = 1.0 if top.startswith("left") else -1.0
            rest = side * trunk[:, 1] if limbs is ARMS else -trunk[:, 2]
            upper, lower = unit(body[middle] - body[top]), unit(body[end] - body[middle])
            axes[:, BODY_22.index(top)] = trunk
            of_upper = trunk @ shortest_rotation(rest, upper).swapaxes(1, 2)
            axes[:, BODY_22.index(middle)] = of_upper
            axes[:, BODY_22.index(end)] = of_upper @ shortest_rotation(upper, lower).swapaxes(1, 2)
    return axes


def check_training_body(body: PoseSequence) -> None:
    """Raises `InputError` for what does not come from `training_body`."""
    if body.skeleton != BODY_22 or body.up != "+z":
        raise InputError(f"{body.skeleton.name} with up {body.up} is no training body; call training_body first")


def moved(body: PoseSequence, positions: FloatArray, step: str) -> PoseSequence:
    """The body with other positions; joints that depend on a missing one are missing too, and counted."""
    n_lost = int((np.isnan(positions).any(axis=2) & body.valid).sum())
    return body.derive(
        step + (f"; {n_lost} positions missing that depend on missing joints" if n_lost else ""), positions=positions
    )


def mean_place(body: PoseSequence) -> FloatArray:
    """(3,) the mean of the mid-hip over the frames that have it."""
    root = body["mid_hip"]
    present = ~np.isnan(root[:, 0])
    if not present.any():
        raise InputError("no frame has both hips: the position of the person is unknown")
    return np.asarray(root[present].mean(axis=0))


def _trunk_axes(body: PoseSequence, ends: str) -> FloatArray:
    """(time, 3, 3) rows forward, left, up of the trunk; left is square to it, in the line of hips or shoulders."""
    middle = (body["left_shoulder"] + body["right_shoulder"]) / 2
    up = unit(middle - body["mid_hip"])
    left = square_to(up, body[f"left_{ends}"] - body[f"right_{ends}"])
    return np.stack([np.cross(left, up), left, up], axis=1)


def _heading(body: PoseSequence) -> FloatArray:
    """(time,) direction of the line from the right to the left hip, from above, radians."""
    line = body["left_hip"] - body["right_hip"]
    return np.asarray(np.arctan2(line[:, 1], line[:, 0]))
