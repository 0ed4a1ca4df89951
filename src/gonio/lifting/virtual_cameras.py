"""Training pairs from motion capture without video: virtual cameras, what a detector would say, other bodies and poses.

A lifting network learns from pairs of 2D keypoints and 3D joints. Motion capture has the joints; a camera that does not
exist projects them to keypoints. From one recording come as many views as are wanted. Three parts:

bodies    `training_body` brings a 3D sequence to one skeleton and z up. Then, each a function of bodies and a random
          generator: mirror images, other frame rates and speeds, other bone lengths, turned limbs, the upper half of
          one recording on the lower half of another, and joints as another laboratory would define them.
cameras   `CameraPlacement` holds ranges; `sample_camera` draws a camera that looks at a body, `look_at` makes a given
          one. `training_pair` gives COCO's 17 keypoints in pixels and Human3.6M's 17 joints in the camera's axes.
detector  `DetectorModel` and `detected`: keypoints as real detectors give them.

The world has z up. Azimuth is counted from +x towards +y, that is counter-clockwise seen from above: a camera at
azimuth 0 stands on the +x side and looks along -x. A body that faces +x (UI-PRMD; CMU, after its axes are turned to z
up) is seen from the front at azimuth 0 and from its left at 90. Elevation is the camera's height as an angle, positive
above the person; a positive roll turns the camera clockwise, and the picture the other way.

`protocol_l1` is this project's fixed test of lifting: four cameras and a noise that other code can make again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

from gonio.core.arrays import BoolArray, FloatArray
from gonio.core.camera import Camera
from gonio.core.clock import resample
from gonio.core.sequence import EVALUATION_JOINTS, PoseSequence, Status
from gonio.core.skeleton import COCO_17, H36M_17, Skeleton
from gonio.errors import ConfigError, InputError

_FACE_PARENTS = {
    "nose": "neck_nose",
    "left_eye": "nose",
    "right_eye": "nose",
    "left_ear": "left_eye",
    "right_ear": "right_eye",
}
_JOINTS = (*H36M_17.joints, *_FACE_PARENTS)
BODY_22 = Skeleton("body-22", _JOINTS, (*H36M_17.parents, *(_JOINTS.index(p) for p in _FACE_PARENTS.values())))
"""Human3.6M's 17 joints and the five points of COCO's face: what a pair is made from."""

_COCO = [BODY_22.index(joint) for joint in COCO_17.joints]
_ARMS = tuple((f"{side}_shoulder", f"{side}_elbow", f"{side}_wrist") for side in ("left", "right"))
_LEGS = tuple((f"{side}_hip", f"{side}_knee", f"{side}_ankle") for side in ("left", "right"))
_LOWER = tuple(BODY_22.index(joint) for joint in ("mid_hip", *_LEGS[0], *_LEGS[1]))

_HEAD_SIZE_M = 0.28  # from the thorax to the top of the head of the head below
_FACE_M = {
    "nose": (0.110, 0.0, -0.165),
    "left_eye": (0.085, 0.032, -0.125),
    "right_eye": (0.085, -0.032, -0.125),
    "left_ear": (-0.005, 0.078, -0.145),
    "right_ear": (-0.005, -0.078, -0.145),
}
"""From the top of a grown head: forwards, left, up."""


# --- bodies -----------------------------------------------------------------------------------------------------------


def training_body(sequence: PoseSequence) -> PoseSequence:
    """The joints of `BODY_22`, z up, mid-hip = mean of the hips; what every other function here takes.

    A face that the recording lacks altogether is put on the head (by a grown head's proportions, looking where the
    shoulders face) and marked inferred. Markers must be turned to joint centres first.

    Raises `InputError` for 2D, a root-relative sequence, an unknown vertical, fewer than two frames, and where the
    skeleton lacks one of the twelve joints that every layout has. Joints that it has may be missing, also all the time.
    """
    if sequence.dimensions != 3:
        raise InputError("virtual cameras need 3D joints; these are 2D")
    if sequence.frame == "root":
        raise InputError("virtual cameras need the place of the person; this sequence is relative to the mid-hip")
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
        step += "; face put on the head, looking where the shoulders face"
    confidence = np.where(status == Status.MISSING, 0.0, np.where(body.valid, body.confidence, 1.0))
    return body.derive(step, positions=positions, status=status, confidence=confidence)


def _face(body: PoseSequence) -> FloatArray:
    """(time, 5, 3) the points of `_FACE_M` on the head of a body that has none; NaN where the head is missing."""
    neck = "neck_nose" if body.valid[:, BODY_22.index("neck_nose")].any() else "thorax"
    up = _unit(body["head_top"] - body[neck])
    left = _square_to(up, body["left_shoulder"] - body["right_shoulder"])
    axes = np.stack([np.cross(left, up), left, up], axis=1)
    sizes = _length(body["head_top"] - body["thorax"])
    size = np.median(sizes[~np.isnan(sizes)]) if not np.isnan(sizes).all() else _HEAD_SIZE_M
    offsets = np.array(list(_FACE_M.values())) * (size / _HEAD_SIZE_M)
    return np.asarray(body["head_top"][:, None] + offsets @ axes)


def resampled(sequence: PoseSequence, rate_hz: float, *, speed: float = 1.0) -> PoseSequence:
    """The motion `speed` times as fast, at `rate_hz` frames per second from its first frame on; linear in between.

    Raises `InputError` where the rate or the speed is not positive.
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
    """The mirror image at the plane y = 0, left and right exchanged: what was done with the left is done with the
    right, and the left is still on the left of the one who does it."""
    _check(body)
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

    The defaults are chosen wide, so that training sees more bodies than there are: stature alone varies by about 4 %
    among grown people of one sex.
    """
    size = 1 + size_sd * rng.standard_normal(1).clip(-2, 2)
    own = 1 + bone_sd * rng.standard_normal(len(BONES)).clip(-2, 2)
    return dict(zip(BONES, (size * own).tolist(), strict=True))


def with_bone_lengths(body: PoseSequence, factors: Mapping[str, float]) -> PoseSequence:
    """The same motion of another body: each bone's length times its factor, all directions kept.

    The way of the mid-hip is scaled about its mean by the factor of the legs, so that feet that stand do not slide.
    Raises `InputError` where a factor is not positive or belongs to no bone.
    """
    _check(body)
    for bone, factor in factors.items():
        if bone not in BONES:
            near = get_close_matches(bone, BONES, 1)
            raise InputError(f"no bone is called {bone!r}; " + (f"did you mean {near[0]!r}?" if near else str(BONES)))
        if not (np.isfinite(factor) and factor > 0):
            raise InputError(f"the factor {factor} for the length of {bone} is not positive")
    there = [joint for joint, seen in zip(BODY_22.joints, body.valid.T, strict=True) if seen.any()]
    tree = BODY_22.select(there)  # bones skip joints that this body never has
    positions = body.positions.copy()
    legs = (factors.get("thigh", 1.0) + factors.get("shank", 1.0)) / 2
    middle = _mean_place(body)
    positions[:, 0] = middle + legs * (body.positions[:, 0] - middle)
    for parent, child in tree.bones:
        p, c = BODY_22.index(there[parent]), BODY_22.index(there[child])
        factor = factors.get(_BONES[there[child]], 1.0)
        positions[:, c] = positions[:, p] + factor * (body.positions[:, c] - body.positions[:, p])
    words = ", ".join(f"{bone} {factor:.3f}" for bone, factor in factors.items())
    return _moved(body, positions, f"bone lengths scaled: {words or 'none'}")


_ARM_LIMITS_DEG = {"backwards": 60.0, "inwards": 45.0, "bent": 150.0}
_LEG_LIMITS_DEG = {"backwards": 30.0, "inwards": 30.0, "outwards": 50.0, "forwards": 125.0, "bent": 150.0}
"""How far a limb goes, near to the ranges of motion of the American Academy of Orthopaedic Surgeons (1965): as wide
or wider (knee 150 for 135, hip outwards 50 for 45, forwards 125 for 120), because all are seen against the line of the
whole trunk."""


def with_turned_limbs(
    body: PoseSequence, rng: Generator, *, turn_deg: float = 20.0, bend_deg: float = 20.0, share: float = 0.75
) -> PoseSequence:
    """New poses from old ones: each arm and leg turned at its root, and its elbow or knee bent more or less.

    turn_deg  standard deviation of the turn about each of the trunk's axes, the same through the clip
    bend_deg  standard deviation of the change b of an elbow's or knee's flexion f: f + b where b is positive, else
              f exp(b / mean f), which never reaches beyond straight and has no kink
    share     of the limbs that are changed

    All segments keep their lengths. The hinge bends in its own plane. Where the change would
    lead past a joint's limit, and further than the recording itself does, it is made smaller by quarters; so a limb may
    stay as it is.
    """
    _check(body)
    positions = body.positions.copy()
    words = []
    for limbs, ends, limits in ((_ARMS, "shoulder", _ARM_LIMITS_DEG), (_LEGS, "hip", _LEG_LIMITS_DEG)):
        axes = _trunk_axes(body, ends)
        for top, middle, end in limbs:
            side = 1.0 if top.startswith("left") else -1.0
            chosen = rng.random() < share
            turn = np.deg2rad(turn_deg) * rng.standard_normal(3)
            bend = np.deg2rad(bend_deg) * rng.standard_normal()
            if not chosen:
                continue
            upper = _in_axes(axes, body[middle] - body[top])
            lower = _in_axes(axes, body[end] - body[middle])
            before = _beyond_limits(upper, lower, side, limits)
            for part in (1.0, 0.75, 0.5, 0.25):
                new_upper, new_lower = _turned(upper, lower, part * turn, part * bend, side, ends)
                after = _beyond_limits(new_upper, new_lower, side, limits)
                if not (after > np.maximum(before, 0) + 1e-9).any():
                    positions[:, BODY_22.index(middle)] = body[top] + _out_of_axes(axes, new_upper)
                    positions[:, BODY_22.index(end)] = positions[:, BODY_22.index(middle)] + _out_of_axes(
                        axes, new_lower
                    )
                    angle = np.rad2deg(part * np.linalg.norm(turn))
                    words.append(f"{top} by {angle:.0f} deg, {middle} by {np.rad2deg(part * bend):+.0f} deg")
                    break
    return _moved(body, positions, f"limbs turned: {'; '.join(words) or 'none'}")


def _turned(
    upper: FloatArray,
    lower: FloatArray,
    turn: FloatArray,
    bend: float,
    side: float,
    ends: str,
) -> tuple[FloatArray, FloatArray]:
    """Both segments (time, 3) in the trunk's axes after a turn (a rotation vector) and `bend` more flexion, radians."""
    rotation = _rotation(turn)
    upper, lower = upper @ rotation.T, lower @ rotation.T
    u, v = _unit(upper), _unit(lower)
    # About which axis a straight limb would bend: from the pose in which a hanging leg bends back, a sideways arm on.
    rest = np.array([0.0, 0.0, -1.0]) if ends == "hip" else np.array([0.0, side, 0.0])
    hinge = np.array([0.0, 1.0, 0.0]) if ends == "hip" else np.array([0.0, 0.0, -side])
    straight = np.einsum("tij,j->ti", _shortest_rotation(np.broadcast_to(rest, u.shape), u), hinge)
    axis = _square_to(u, np.cross(u, v) + 0.1 * straight)
    flexion = _angle(u, v)
    mean = float(np.nanmean(flexion)) if not np.isnan(flexion).all() else 0.0
    change = np.full_like(flexion, bend) if bend > 0 else flexion * np.expm1(bend / max(mean, 1e-3))
    return upper, np.einsum("tij,tj->ti", _rotation(axis * change[:, None]), lower)


def _beyond_limits(upper: FloatArray, lower: FloatArray, side: float, limits: Mapping[str, float]) -> FloatArray:
    """(limit, time) by how many degrees a limb, given in the trunk's axes, is past each limit; negative: within."""
    forward, left, up = np.moveaxis(_unit(upper), 1, 0)
    directions = {
        "backwards": np.arcsin(np.clip(-forward, -1, 1)),
        "inwards": np.arcsin(np.clip(-side * left, -1, 1)),
        "outwards": np.arcsin(np.clip(side * left, -1, 1)),
        "forwards": np.where(forward > 0, np.arctan2(forward, -up), -np.pi / 2),
        "bent": _angle(_unit(upper), _unit(lower)),
    }
    return np.stack([np.rad2deg(directions[name]) - limit for name, limit in limits.items()])


def recombined(lower: PoseSequence, upper: PoseSequence, rng: Generator) -> PoseSequence:
    """The legs and the way of one body with the trunk, arms and head of another, on one clock.

    The longer recording is cut at random to the length of the shorter one. In each frame the upper half is turned about
    the vertical until its own hips point where those below it do, and set on the mid-hip: its lean against the vertical
    and its twist against the pelvis stay. All bones keep their lengths.
    """
    _check(lower)
    _check(upper)
    spans = [float(body.times_s[-1] - body.times_s[0]) for body in (lower, upper)]
    start_lower, start_upper = (rng.uniform(0, max(own - min(spans), 0.0)) for own in spans)
    begin = lower.times_s[0] + start_lower
    legs = lower.between(begin - 1e-9, begin + min(spans) + 1e-9)
    rest = upper.shifted(float(begin - upper.times_s[0]) - start_upper, "to the clock of the lower half")
    rest = resample(rest, legs.times_s)
    turn = _heading(legs) - _heading(rest)
    rotation = _rotation(np.stack([np.zeros_like(turn), np.zeros_like(turn), turn], axis=-1))
    positions = legs["mid_hip"][:, None] + (rest.positions - rest["mid_hip"][:, None]) @ rotation.swapaxes(1, 2)
    status, confidence = rest.status.copy(), rest.confidence.copy()
    half = list(_LOWER)
    positions[:, half] = legs.positions[:, half]
    status[:, half], confidence[:, half] = legs.status[:, half], legs.confidence[:, half]
    missing = np.isnan(positions).any(axis=2)
    return legs.derive(
        f"upper half of {upper.frame_name or 'another recording'} set on the lower half",
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
    keypoints then differ from the joints that are to be found, as they do in life.
    """
    _check(body)
    axes = _segment_axes(body)
    scale = np.array([_DEFINITION.get(joint.removeprefix("left_").removeprefix("right_"), 1.0) for joint in _JOINTS])
    offsets = sd_m * scale[:, None] * rng.standard_normal((len(BODY_22), 3))
    for left, right in BODY_22.left_right_pairs:
        offsets[right] = offsets[left] * (1.0, -1.0, 1.0)
    positions = body.positions + np.einsum("tjab,ja->tjb", axes, offsets)
    hips = [BODY_22.index("left_hip"), BODY_22.index("right_hip")]
    positions[:, 0] = positions[:, hips].mean(axis=1)
    return _moved(body, positions, f"joints defined otherwise, by {1000 * sd_m:.0f} mm per axis")


def _segment_axes(body: PoseSequence) -> FloatArray:
    """(time, joint, 3, 3) rows forward, left, up of the segment that each joint is fixed in; the trunk's for most.

    A limb's are the trunk's, turned the shortest way from a rest pose (legs hanging, arms sideways) to the segment.
    """
    axes = np.empty((len(body), len(BODY_22), 3, 3))
    legs = _trunk_axes(body, "hip")
    arms = _trunk_axes(body, "shoulder")
    axes[:] = arms[:, None]
    for limbs, trunk in ((_ARMS, arms), (_LEGS, legs)):
        for top, middle, end in limbs:
            side = 1.0 if top.startswith("left") else -1.0
            rest = side * trunk[:, 1] if limbs is _ARMS else -trunk[:, 2]
            upper, lower = _unit(body[middle] - body[top]), _unit(body[end] - body[middle])
            axes[:, BODY_22.index(top)] = trunk
            of_upper = trunk @ _shortest_rotation(rest, upper).swapaxes(1, 2)
            axes[:, BODY_22.index(middle)] = of_upper
            axes[:, BODY_22.index(end)] = of_upper @ _shortest_rotation(upper, lower).swapaxes(1, 2)
    return axes


# --- cameras ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class CameraPlacement:
    """The ranges from which `sample_camera` draws, all uniformly (distances and focal lengths by their logarithm).

    azimuth_deg     round the person; 0..360 is all round
    elevation_deg   of the camera above the mid-hip, seen from there: a telephone on the floor to one near the ceiling
    roll_deg        about the axis of the camera: a telephone that is not held quite upright
    distance_m      from the camera to the point it is aimed at
    focal           focal length over the longer side of the image: 0.7 to 0.8 in telephones, 0.9 in webcams, 1.15 in
                    Human3.6M, up to 1.6 with a lens that magnifies
    image_sizes_px  (width, height), landscape and portrait, each as likely
    aim_m           how far from the middle of the mid-hip's way, along each axis, the camera is aimed at most
    cut_off_share   of the cameras that may have parts of the person outside the picture; the others go back, beyond
                    `distance_m` if they must, until every joint of the clip is inside

    Raises `ConfigError` where a range is empty or impossible.
    """

    azimuth_deg: tuple[float, float] = (0.0, 360.0)
    elevation_deg: tuple[float, float] = (-10.0, 35.0)
    roll_deg: tuple[float, float] = (-6.0, 6.0)
    distance_m: tuple[float, float] = (2.0, 8.0)
    focal: tuple[float, float] = (0.65, 1.6)
    image_sizes_px: tuple[tuple[int, int], ...] = (
        (1920, 1080),
        (1080, 1920),
        (1280, 720),
        (720, 1280),
        (640, 480),
        (480, 640),
        (1000, 1000),
    )
    aim_m: float = 0.3
    cut_off_share: float = 0.1

    def __post_init__(self) -> None:
        for name in ("azimuth_deg", "elevation_deg", "roll_deg", "distance_m", "focal"):
            low, high = getattr(self, name)
            if not (np.isfinite([low, high]).all() and low <= high):
                raise ConfigError(f"{name} ({low}, {high}) is no range: it must be finite and not decrease")
            if name in ("distance_m", "focal") and low <= 0:
                raise ConfigError(f"{name} ({low}, {high}) must be positive")
        if max(map(abs, self.elevation_deg)) > 85:
            raise ConfigError(f"elevation_deg {self.elevation_deg} must stay within -85..85")
        if not self.image_sizes_px or any(min(size) < 2 for size in self.image_sizes_px):
            raise ConfigError(f"image_sizes_px {self.image_sizes_px} must name at least one size of 2 px or more")
        if not self.aim_m >= 0 or not 0 <= self.cut_off_share <= 1:
            raise ConfigError(f"aim_m {self.aim_m} must be 0 or more, cut_off_share {self.cut_off_share} in 0..1")


def look_at(
    target_m: ArrayLike,
    *,
    azimuth_deg: float,
    elevation_deg: float,
    distance_m: float,
    focal_px: float,
    size_px: tuple[int, int],
    roll_deg: float = 0.0,
    name: str = "virtual",
) -> Camera:
    """The camera that has `target_m` (3,), in a world with z up, in the middle of its picture. No distortion."""
    azimuth, elevation, roll = np.deg2rad([azimuth_deg, elevation_deg, roll_deg])
    outward = np.array([np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)])
    right = np.array([-np.sin(azimuth), np.cos(azimuth), 0.0])
    level = np.stack([right, np.cross(-outward, right), -outward])
    rotation = _rotation(np.array([0.0, 0.0, -roll])) @ level
    width, height = size_px
    return Camera(
        name,
        size_px,
        np.array([[focal_px, 0, (width - 1) / 2], [0, focal_px, (height - 1) / 2], [0, 0, 1.0]]),
        rotation=rotation,
        translation=-rotation @ (np.asarray(target_m, dtype=float) + distance_m * outward),
    )


def sample_camera(body: PoseSequence, placement: CameraPlacement, rng: Generator) -> Camera:
    """A camera drawn from `placement`. It stands still and is aimed near the mean of the body's mid-hip."""
    _check(body)
    azimuth, elevation, roll = (
        rng.uniform(*span) for span in (placement.azimuth_deg, placement.elevation_deg, placement.roll_deg)
    )
    distance, focal = (np.exp(rng.uniform(*np.log(span))) for span in (placement.distance_m, placement.focal))
    size = placement.image_sizes_px[rng.integers(len(placement.image_sizes_px))]
    aim = _mean_place(body) + rng.uniform(-placement.aim_m, placement.aim_m, 3)
    may_cut = rng.random() < placement.cut_off_share

    def camera(distance_m: float) -> Camera:
        return look_at(
            aim,
            azimuth_deg=azimuth,
            elevation_deg=elevation,
            roll_deg=roll,
            distance_m=distance_m,
            focal_px=focal * max(size),
            size_px=size,
        )

    if not may_cut:
        # A joint at (x, y, z) from the aim, in the camera's axes, is inside from the distance focal |x| / (w/2) - z on.
        joints = camera(distance).world_to_camera(body.positions[body.valid]) - (0.0, 0.0, distance)
        half = np.array(size) / 2 - 1
        needed = focal * max(size) * np.abs(joints[:, :2]) / half - joints[:, 2:]
        distance = max(distance, float(needed.max()))
    return camera(distance)


@dataclass(frozen=True, eq=False)
class TrainingPair:
    """What a network is given and what it should answer, for one clip and one camera.

    keypoints  COCO-17, px: as the detector says (as they are, where no detector was asked for)
    clean      COCO-17, px: where they are, also outside the picture; missing behind the camera
    target     H36M-17, m, camera axes, relative to the mean of the hips ("root")
    root_m     (time, 3) the mean of the hips in the camera's frame; NaN where a hip is missing
    camera     the camera
    """

    keypoints: PoseSequence
    clean: PoseSequence
    target: PoseSequence
    root_m: FloatArray
    camera: Camera


def training_pair(
    body: PoseSequence,
    camera: Camera,
    detector: DetectorModel | None = None,
    rng: Generator | None = None,
    *,
    seen: PoseSequence | None = None,
) -> TrainingPair:
    """The pair of a body (`training_body`) and a camera.

    detector  with `rng`: the keypoints are those of this detector
    seen      another body of the same times: the keypoints are its joints (see `with_other_definitions`), the target
              is still `body`

    Raises `InputError` where `seen` has other times, and where a detector comes without a generator.
    """
    _check(body)
    shown = body if seen is None else seen
    _check(shown)
    if not np.array_equal(shown.times_s, body.times_s):
        raise InputError(f"the body that is seen has {len(shown)} frames of other times; the target has {len(body)}")
    in_camera = body.transformed(
        camera.rotation,
        camera.translation,
        frame="camera",
        frame_name=camera.name,
        up=None,
        step=f"seen from the virtual camera {camera.name}",
    )
    root_m = in_camera["mid_hip"]
    relative = in_camera.positions - root_m[:, None]
    target = _moved(in_camera, relative, "made relative to the mean of the hips").derive(frame="root")
    shown_m = camera.world_to_camera(shown.positions)
    pixels = camera.camera_to_image(shown_m)[:, _COCO]
    missing = np.isnan(pixels).any(axis=2)
    clean = shown.derive(
        f"projected by the virtual camera {camera.name}",
        positions=pixels,
        skeleton=COCO_17,
        unit="px",
        frame="image",
        frame_name=camera.name,
        image_size_px=camera.size_px,
        up=None,
        confidence=np.where(missing, 0.0, 1.0),
        status=np.where(missing, Status.MISSING, shown.status[:, _COCO]),
    )
    keypoints = clean
    if detector is not None:
        if rng is None:
            raise InputError("a detector model needs a random generator")
        keypoints = detected(clean, shown_m, detector, rng)
    return TrainingPair(keypoints, clean, target.to_skeleton(H36M_17), root_m, camera)


# --- detector ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class DetectorModel:
    """What real detectors do to keypoints. Lengths are parts of the 2D body length L of `body_length_px`.

    strength         0..1: scales every error and the share of everything that goes wrong; 0 leaves the keypoints alone
                     but for those outside the picture, which are always missing
    offset           standard deviation of a keypoint's distance, per coordinate, from the joint; the same in a clip
    correlated       standard deviation of the error that lives on for `correlation_s` (first-order autoregressive)
    white            standard deviation of the error of each frame on its own
    difficulty       how unevenly errors are spread over the frames: they are scaled by exp(difficulty n), where n is
                     normal and lives on for 0.3 s; and doubled for what the other side of the body hides
    hidden_face_share  of the clips in which eyes, ears and nose that face away are missing; in the others they are
                     given all the same, with three times the error
    dropout_share    of the time in which a limb's joint is missing, in bursts of `dropout_s`
    swap_share       of the time, while the back is seen, in which left and right are exchanged, in bursts of `swap_s`:
                     legs and arms each on their own

    The errors are for shoulders; a hip's, an elbow's and so on are those times `KEYPOINT_FACTORS`. Confidence is
    1 / (1 + d² / 5), d being how much larger than usual the error of this keypoint is: 0.83 at its usual size, 0.56 at
    twice that; it is itself a little noisy and goes to 1 with `strength` to 0.

    Raises `ConfigError` where a value is out of range.
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
"""A keypoint's error to that of the shoulder. Hips have no visible mark; wrists move fast."""

_LIMB_JOINTS = ("elbow", "wrist", "knee", "ankle")
_FACE_NORMALS = {
    "nose": (1.0, 0.0),
    "left_eye": (0.94, 0.34),
    "right_eye": (0.94, -0.34),
    "left_ear": (0.26, 0.97),
    "right_ear": (0.26, -0.97),
}
"""Where each point of the face looks: forwards, left."""


def _kind(joint: str) -> str:
    return joint.removeprefix("left_").removeprefix("right_")


_FACTORS = np.array([KEYPOINT_FACTORS[_kind(joint)] for joint in COCO_17.joints])
_DROPS = np.array([_kind(joint) in _LIMB_JOINTS for joint in COCO_17.joints])
_SWAPPED_TOGETHER = (("shoulder", "elbow", "wrist"), ("hip", "knee", "ankle"))


def detected(clean: PoseSequence, joints_m: FloatArray, model: DetectorModel, rng: Generator) -> PoseSequence:
    """Keypoints as a detector would give them.

    clean     COCO-17, px, as projected
    joints_m  (time, 22, 3) the same body in the camera's frame: what hides and what faces away is seen from it

    Raises `InputError` where no frame shows trunk and legs, whose length is the unit of the errors.
    """
    n_frames, n_joints = clean.positions.shape[:2]
    rate = clean.rate_hz
    size = (n_frames, n_joints)
    hidden, faces_away, back = _hidden(clean.positions, joints_m), _faces_away(joints_m), _back_is_seen(joints_m)

    difficulty = np.exp(model.difficulty * autoregressive(rng, size, rate, 0.3)) * (1 + hidden)
    difficulty = np.where(faces_away, 3 * difficulty, difficulty)
    offset = model.offset * rng.standard_normal((1, n_joints, 2))
    correlated = model.correlated * autoregressive(rng, (*size, 2), rate, model.correlation_s)
    white = model.white * rng.standard_normal((*size, 2))
    unit = model.strength * body_length_px(clean) * _FACTORS[:, None]
    positions = clean.positions + unit * (offset + difficulty[..., None] * (correlated + white))
    told = difficulty * np.exp(0.2 * rng.standard_normal(size))
    confidence = 1 - model.strength * (1 - 1 / (1 + told**2 / 5))

    gone = bursts(rng, size, rate, model.dropout_s, model.strength * model.dropout_share) & _DROPS
    if rng.random() < model.strength * model.hidden_face_share:
        gone |= faces_away
    swapped = bursts(rng, (n_frames, 2), rate, model.swap_s, model.strength * model.swap_share) & back[:, None]
    for group, when in zip(_SWAPPED_TOGETHER, swapped.T, strict=True):
        for joint in group:
            pair = [COCO_17.index(f"left_{joint}"), COCO_17.index(f"right_{joint}")]
            for values in (positions, confidence, gone):
                values[np.ix_(when, pair)] = values[np.ix_(when, pair[::-1])]
    width, height = _image_size(clean)
    outside = ((positions < -0.5) | (positions > (width - 0.5, height - 0.5))).any(axis=2)
    missing = gone | outside | np.isnan(positions).any(axis=2)
    return clean.derive(
        f"as a detector gives it (strength {model.strength:g}): {int((gone & clean.valid).sum())} positions dropped or "
        f"hidden, {int((outside & ~gone).sum())} outside the picture, {int(swapped.sum())} swaps of arms or legs",
        positions=np.where(missing[..., None], np.nan, positions),
        confidence=np.where(missing, 0.0, confidence),
        status=np.where(missing, Status.MISSING, Status.MEASURED),
    )


def _image_size(sequence: PoseSequence) -> tuple[int, int]:
    """(width, height) px of the image. Raises `InputError` where the sequence does not know it."""
    if sequence.image_size_px is None:
        raise InputError("the size of the image is not known for these keypoints")
    return sequence.image_size_px


def body_length_px(keypoints: PoseSequence) -> float:
    """The clip's median 2D length of trunk + thigh + shank: mid-shoulder to mid-hip, and the means of both sides.

    Raises `InputError` where no frame shows them all.
    """
    p = {joint: keypoints[joint] for joint in EVALUATION_JOINTS}
    trunk = _length(p["left_shoulder"] + p["right_shoulder"] - p["left_hip"] - p["right_hip"]) / 2
    legs = sum(_length(p[a] - p[b]) + _length(p[b] - p[c]) for a, b, c in _LEGS) / 2
    lengths = trunk + legs
    if np.isnan(lengths).all():
        raise InputError("no frame shows both shoulders, hips, knees and ankles: the body has no length in the picture")
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
    """(time, 17) 0..1: how far a keypoint lies behind its mirror image on the body, and near to it in the picture."""
    order = list(COCO_17.mirrored_order)
    depth = joints_m[:, _COCO, 2]
    with np.errstate(invalid="ignore"):
        behind = np.clip((depth - depth[:, order]) / 0.2, 0, 1)
    focal = _length(pixels[:, COCO_17.index("left_shoulder")] - pixels[:, COCO_17.index("left_hip")])
    apart = _length(pixels - pixels[:, order]) / (0.4 * np.where(focal > 0, focal, np.nan))[:, None]
    return np.asarray(np.nan_to_num(behind * np.exp(-(apart**2))))


def _faces_away(joints_m: FloatArray) -> BoolArray:
    """(time, 17): points of the face whose side of the head is turned from the camera."""
    j = {name: joints_m[:, BODY_22.index(name)] for name in ("nose", "left_ear", "right_ear")}
    ears = (j["left_ear"] + j["right_ear"]) / 2
    left = _unit(j["left_ear"] - j["right_ear"])
    forward = _square_to(left, j["nose"] - ears)
    towards = -_unit(ears)
    away = np.zeros((len(joints_m), len(COCO_17)), bool)
    for joint, (ahead, aside) in _FACE_NORMALS.items():
        away[:, COCO_17.index(joint)] = ((ahead * forward + aside * left) * towards).sum(axis=1) < -0.2
    return away


def _back_is_seen(joints_m: FloatArray) -> BoolArray:
    """(time,): the trunk faces away from the camera."""
    at = {name: joints_m[:, BODY_22.index(name)] for name in ("left_shoulder", "right_shoulder", "mid_hip")}
    middle = (at["left_shoulder"] + at["right_shoulder"]) / 2
    forward = np.cross(at["left_shoulder"] - at["right_shoulder"], middle - at["mid_hip"])
    return np.asarray((forward * middle).sum(axis=1) > 0)


# --- protocol L1 ------------------------------------------------------------------------------------------------------

L1_AZIMUTHS_DEG = (20.0, 110.0, 200.0, 290.0)
L1_RATE_HZ = 50.0
_L1_SEED = 20261122
_L1_SIGMA = {"elbow": 0.0125, "knee": 0.0125, "wrist": 0.015, "ankle": 0.015}  # of L; 0.01 for all others
_L1_VARIANCE = {"white": 0.3, "correlated": 0.5, "constant": 0.2}


def protocol_l1(sequence: PoseSequence, clip_number: int) -> list[TrainingPair]:
    """Protocol L1: four views of a clip at 50 Hz, `keypoints` noisy, `clean` without noise, `target` in 3D.

    1280x720, f = 1000 px, centre (639.5, 359.5); azimuth 20, 110, 200, 290 degrees, elevation 10, no roll. The noise of
    a keypoint's coordinates has the deviation k L, L from `body_length_px`; k = 1 % for hips, shoulders and face, 1.25
    % for elbows and knees, 1.5 % for wrists and ankles; its variance is 30 % white, 50 % autoregressive with a time
    constant of 0.15 s, 20 % constant. Each limb joint is missing in bursts of 0.2 s, 2 % of the time.

    What the protocol leaves open is read so: the sequence is resampled to 50 Hz first. The camera stands still, 4 m
    from the mean of the clip's mid-hip, and looks at it. Azimuth is that of this module, in the recording's own axes
    turned to z up. Limb joints are elbows, wrists, knees and ankles. Confidence is 1, and 0 where missing. The
    generator is `default_rng([20261122, clip_number, i])`, i = 0..3 in the order of the azimuths; it draws in this
    order: white (time, 17, 2), autoregressive innovations (time, 17, 2), constant (1, 17, 2), and the bursts' starts
    (time + 9, 8), in COCO's order of joints.
    """
    body = training_body(resampled(sequence, L1_RATE_HZ))
    middle = _mean_place(body)
    pairs = []
    for i, azimuth in enumerate(L1_AZIMUTHS_DEG):
        camera = look_at(
            middle,
            azimuth_deg=azimuth,
            elevation_deg=10.0,
            distance_m=4.0,
            focal_px=1000.0,
            size_px=(1280, 720),
            name=f"L1-{azimuth:.0f}",
        )
        pair = training_pair(body, camera)
        noisy = _l1_noise(pair.clean, np.random.default_rng([_L1_SEED, clip_number, i]))
        pairs.append(TrainingPair(noisy, pair.clean, pair.target, pair.root_m, camera))
    return pairs


def _l1_noise(clean: PoseSequence, rng: Generator) -> PoseSequence:
    size = (len(clean), len(COCO_17), 2)
    white = rng.standard_normal(size)
    correlated = autoregressive(rng, size, L1_RATE_HZ, 0.15)
    constant = rng.standard_normal((1, *size[1:]))
    share = {name: np.sqrt(variance) for name, variance in _L1_VARIANCE.items()}
    noise = share["white"] * white + share["correlated"] * correlated + share["constant"] * constant
    sigma = body_length_px(clean) * np.array([_L1_SIGMA.get(_kind(joint), 0.01) for joint in COCO_17.joints])
    gone = np.zeros(size[:2], bool)
    gone[:, _DROPS] = bursts(rng, (len(clean), int(_DROPS.sum())), L1_RATE_HZ, 0.2, 0.02)
    positions = np.where(gone[..., None], np.nan, clean.positions + sigma[:, None] * noise)
    return clean.derive(
        f"noise of protocol L1; {int((gone & clean.valid).sum())} positions dropped", positions=positions
    )


# --- geometry ---------------------------------------------------------------------------------------------------------


def _check(body: PoseSequence) -> None:
    if body.skeleton != BODY_22 or body.up != "+z":
        raise InputError(f"{body.skeleton.name} with up {body.up} is no training body; call training_body first")


def _moved(body: PoseSequence, positions: FloatArray, step: str) -> PoseSequence:
    """The body with other positions; joints that hang on a missing one are lost, and counted."""
    lost = int((np.isnan(positions).any(axis=2) & body.valid).sum())
    return body.derive(
        step + (f"; {lost} positions lost that hang on missing joints" if lost else ""), positions=positions
    )


def _mean_place(body: PoseSequence) -> FloatArray:
    """(3,) the mean of the mid-hip over the frames that have it."""
    root = body["mid_hip"]
    there = ~np.isnan(root[:, 0])
    if not there.any():
        raise InputError("no frame has both hips: the place of the person is not known")
    return np.asarray(root[there].mean(axis=0))


def _trunk_axes(body: PoseSequence, ends: str) -> FloatArray:
    """(time, 3, 3) rows forward, left, up of the trunk; left is square to it, in the line of hips or shoulders."""
    middle = (body["left_shoulder"] + body["right_shoulder"]) / 2
    up = _unit(middle - body["mid_hip"])
    left = _square_to(up, body[f"left_{ends}"] - body[f"right_{ends}"])
    return np.stack([np.cross(left, up), left, up], axis=1)


def _heading(body: PoseSequence) -> FloatArray:
    """(time,) direction of the line from the right to the left hip, seen from above, radians."""
    line = body["left_hip"] - body["right_hip"]
    return np.asarray(np.arctan2(line[:, 1], line[:, 0]))


def _in_axes(axes: FloatArray, vectors: FloatArray) -> FloatArray:
    return np.asarray(np.einsum("tij,tj->ti", axes, vectors))


def _out_of_axes(axes: FloatArray, vectors: FloatArray) -> FloatArray:
    return np.asarray(np.einsum("tij,ti->tj", axes, vectors))


def _length(vectors: FloatArray) -> FloatArray:
    return np.asarray(np.linalg.norm(vectors, axis=-1))


def _unit(vectors: FloatArray) -> FloatArray:
    """(..., 3) of length 1; NaN where the length is 0."""
    length = _length(vectors)[..., None]
    return np.asarray(vectors / np.where(length > 0, length, np.nan))


def _square_to(axis: FloatArray, direction: FloatArray) -> FloatArray:
    """(..., 3) the unit vector nearest to `direction` that is square to the unit vector `axis`."""
    return _unit(direction - (direction * axis).sum(axis=-1, keepdims=True) * axis)


def _angle(a: FloatArray, b: FloatArray) -> FloatArray:
    """(...) radians between unit vectors (..., 3)."""
    return np.asarray(np.arctan2(_length(np.cross(a, b)), (a * b).sum(axis=-1)))


def _cross_matrix(v: FloatArray) -> NDArray[np.float64]:
    """(..., 3) to (..., 3, 3): the matrix whose product with a vector is v x that vector."""
    matrix = np.zeros((*v.shape, 3))
    matrix[..., 0, 1], matrix[..., 0, 2], matrix[..., 1, 2] = -v[..., 2], v[..., 1], -v[..., 0]
    return matrix - matrix.swapaxes(-1, -2)


def _rotation(vector: FloatArray) -> FloatArray:
    """(..., 3) rotation vectors, radians, to (..., 3, 3) (Rodrigues)."""
    angle = _length(vector)[..., None, None]
    K = _cross_matrix(vector)
    # sin(a)/a and (1 - cos(a))/a² = (sin(a/2)/(a/2))²/2, both without a division by 0
    return np.asarray(np.eye(3) + np.sinc(angle / np.pi) * K + np.sinc(angle / (2 * np.pi)) ** 2 / 2 * (K @ K))


def _shortest_rotation(a: FloatArray, b: FloatArray) -> FloatArray:
    """(time, 3, 3) that turn the unit vector a into b the shortest way; between opposite ones there is no such way."""
    K = _cross_matrix(np.cross(a, b))
    cosine = (a * b).sum(axis=-1)[..., None, None]
    return np.asarray(np.eye(3) + K + K @ K / np.maximum(1 + cosine, 1e-6))
