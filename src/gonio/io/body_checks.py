"""Checks whether the joints in a file can be a person's: lengths of bones, size of the body, layout of keypoints.

A file without a header holds numbers in some order of the joints. Read in another order, it is complete and well-formed
and wrong: the elbow is in the place of the hip. Only the lengths of the bones show it. They are compared with those of
an adult, up to one common scale, in any posture. Orders in which only left and right differ have the same bones;
`mirroring.chirality` distinguishes them.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np

from gonio.core.arrays import FloatArray
from gonio.core.errors import InputError
from gonio.core.sequence import PoseSequence
from gonio.core.skeleton import BODY_12, LAYOUTS, Skeleton

LARGEST_MISFIT = 0.45
_CAP = 1.5  # one bone counts no more than a factor of 4.5
_TOO_LONG = 0.9  # log: 2.5 times
_FEWEST_BONES = 8

_SIDED_M = {
    ("shoulder_center", "shoulder"): 0.18,
    ("clavicle", "shoulder"): 0.16,
    ("shoulder", "elbow"): 0.26,
    ("elbow", "wrist"): 0.24,
    ("wrist", "hand"): 0.08,
    ("hand", "hand_tip"): 0.08,
    ("wrist", "thumb"): 0.08,
    ("hip_center", "hip"): 0.085,
    ("hip", "knee"): 0.38,
    ("knee", "ankle"): 0.38,
    ("ankle", "foot"): 0.11,
    ("head", "eye"): 0.10,
    ("head", "ear"): 0.12,
}
_MIDDLE = ("hip_center", "spine_mid", "spine_chest", "shoulder_center", "neck_base", "head", "nose")
LENGTHS_M: dict[tuple[str, str], float] = {
    ("hip_center", "shoulder_center"): 0.50,
    ("hip_center", "neck_base"): 0.55,
    ("shoulder_center", "head"): 0.22,
    ("neck_base", "head"): 0.15,
    ("head", "nose"): 0.13,
    ("left_shoulder", "right_shoulder"): 0.34,
    ("left_hip", "right_hip"): 0.16,
} | {
    (first if first in _MIDDLE else f"{side}_{first}", f"{side}_{second}"): length
    for (first, second), length in _SIDED_M.items()
    for side in ("left", "right")
}
"""Distances between joints of the Kinect's layouts, in metres: medians of UI-PRMD's Kinect; hands and face by the
proportions of adults. The spine is left out: the three sensors define it in three ways."""


def bone_length_misfit(positions: FloatArray, skeleton: Skeleton) -> float:
    """Difference of the bones from a person's: mean of |log of length / usual length|, one common scale removed.

    positions (time, joint, 3), NaN = missing; the length of a bone is its median over time, and its ratio counts as
    1.5 at most. NaN for fewer than eight bones.
    """
    ratios = _log_ratios(positions, skeleton)
    return float("nan") if len(ratios) < _FEWEST_BONES else float(np.minimum(np.abs(ratios), _CAP).mean())


def is_impossible_body(positions: FloatArray, skeleton: Skeleton) -> bool:
    """Whether the bones cannot be a person's: a misfit above 0.45, or two bones more than 2.5 times too long.

    Measured on UI-PRMD's Kinect, mapped to each layout: all 800 recordings pass in the correct order, and all are
    refused in the other of the two orders of 20 joints. In every seventh recording the misfit is up to 0.27 in the
    correct order and at least 0.66 in the other; the second longest bone is up to 1.7 times too long in the correct
    order. If two of the Kinect v2's 25 joints are exchanged, three quarters of all pairs are found. Not found are
    neighbours, both hips, both knees and the middle of the spine.
    """
    ratios = np.sort(_log_ratios(positions, skeleton))
    if len(ratios) < _FEWEST_BONES:
        return False
    return bone_length_misfit(positions, skeleton) > LARGEST_MISFIT or bool(ratios[-2] > _TOO_LONG)


def _log_ratios(positions: FloatArray, skeleton: Skeleton) -> FloatArray:
    """(bone,) log of length / usual length, minus the median; bones that are missing are left out."""
    ratios: list[float] = []
    for (first, second), usual in LENGTHS_M.items():
        if first in skeleton and second in skeleton:
            with np.errstate(over="ignore"):  # a damaged number makes a bone that is much too long
                difference = positions[:, skeleton.index(first)] - positions[:, skeleton.index(second)]
                lengths = np.linalg.norm(difference, axis=1)
            length = float(np.nanmedian(lengths)) if not np.isnan(lengths).all() else 0.0
            if 0 < length < np.inf:
                ratios.append(float(np.log(length / usual)))
    return np.array(ratios) - (np.median(ratios) if ratios else 0.0)


def check_order(sequence: PoseSequence, layouts: tuple[str, ...] = ()) -> None:
    """Raises `InputError` if the bones cannot be a person's. The message names one of the `layouts` that fits.

    layouts  those in which the same columns can be read; empty if the file names its joints
    """
    positions, own = sequence.positions, sequence.skeleton
    if not is_impossible_body(positions, own):
        return
    others = [LAYOUTS[name] for name in layouts if len(LAYOUTS[name]) == len(own) and name != own.name]
    better = next((other.name for other in others if not is_impossible_body(positions, other)), None)
    if better is not None:
        remedy = f"in the order of {better} they can: declare --layout {better}"
    elif layouts:
        remedy = f"nor can they in another known order of {len(own)} joints; add a header that names the joints"
    else:
        remedy = "correct the names in its header"
    raise InputError(f"with its joints in the order of {own.name} the bones cannot be a person's; {remedy}")


SMALLEST_BODY_M = 0.25
LARGEST_BODY_M = 5.0
_PARTS = (  # joints, and plug-in-gait's markers at them
    ("left_shoulder", "right_shoulder", "LSHO", "RSHO"),
    ("left_hip", "right_hip", "LASI", "RASI"),
    ("left_knee", "right_knee", "left_ankle", "right_ankle", "LKNE", "RKNE", "LANK", "RANK"),
)
_EXTENT = (*BODY_12.joints, "LWRA", "RWRA", *(name for part in _PARTS for name in part if name.isupper()))
_FEWEST_JOINTS = 10  # of one person in one frame; with fewer, layouts are not compared
_NEAR = {
    "neck": ("left_shoulder", "right_shoulder"),
    "mid_hip": ("left_hip", "right_hip"),
    "left_ankle": ("left_heel",),
    "right_ankle": ("right_heel",),
}
_MISFIT = 0.07


def extent_m(sequence: PoseSequence) -> float:
    """Median over time of the largest distance between two of shoulders, elbows, wrists, hips, knees and ankles.

    Plug-in-gait's markers at these joints count too. Only frames that show at least two of shoulders, hips and legs are
    used. NaN without such a frame, as for a hand, or for markers with other names.
    """
    skeleton = sequence.skeleton
    shown = [sequence.valid[:, [skeleton.index(j) for j in part if j in skeleton]].any(axis=1) for part in _PARTS]
    frames = np.sum(shown, axis=0) >= 2
    if not frames.any():
        return float("nan")
    joints = [skeleton.index(joint) for joint in _EXTENT if joint in skeleton]
    positions = sequence.positions[frames]
    largest = np.zeros(len(positions))
    with np.errstate(over="ignore"):
        for first, second in combinations(joints, 2):
            largest = np.fmax(largest, np.linalg.norm(positions[:, first] - positions[:, second], axis=1))
    return float(np.median(largest))


def check_body_size(source: str, sequence: PoseSequence, remedy: str) -> None:
    """Raises `InputError` if a 3D sequence has no joint in any frame, or a body outside 0.25-5 m.

    source  the file, and the person in it
    remedy  what to do about a wrong unit, for the message
    """
    if not np.nan_to_num(sequence.positions).any():
        raise InputError(f"{source}: holds no joint: every position is missing or 0, 0, 0; record or export it again")
    size_m = extent_m(sequence)
    if size_m < SMALLEST_BODY_M or size_m > LARGEST_BODY_M:
        size = f"{size_m:.4g} m" if size_m >= 1 else f"{1000 * size_m:.3g} mm"
        raise InputError(
            f"{source}: the body is {size} across (shoulders to ankles); a person's is {SMALLEST_BODY_M:g} to "
            f"{LARGEST_BODY_M:g} m, so the unit is wrong: {remedy}"
        )


def fits_better(points: FloatArray, declared: Skeleton, other: Skeleton) -> bool:
    """Whether the keypoints clearly form a body in the other layout, and not in the declared one.

    points (person, joint, 2 or 3), NaN = missing. In any view and posture the neck is near the middle of the shoulders,
    the mid-hip near the middle of the hips, an ankle near its heel. Their mean distance over the extent of all
    keypoints is `layout_misfit`. What counts is its median over the people for whom both layouts have a value. Measured
    on Pose2Sim's balancing trial, per camera: 0.01-0.04 in the correct one of BODY_25 and BODY_25B (up to 0.07 with
    the upper body only, 0.08 with 30 px of noise), 0.14-0.79 in the wrong one. True if it exceeds 0.07 in the declared
    layout and is less than half of that in the other.
    """
    own, others = layout_misfit(points, declared), layout_misfit(points, other)
    both = ~np.isnan(own) & ~np.isnan(others)
    if not both.any():
        return False
    as_declared = float(np.median(own[both]))
    return as_declared > _MISFIT and float(np.median(others[both])) < as_declared / 2


def layout_misfit(points: FloatArray, skeleton: Skeleton) -> FloatArray:
    """(person,) mean distance of neck, mid-hip and ankles from their expected places, over the extent of all keypoints.

    NaN if a person has fewer than ten keypoints, or none of these.
    """
    total, count = np.zeros(len(points)), np.zeros(len(points))
    for joint, neighbours in _NEAR.items():
        if joint in skeleton and all(neighbour in skeleton for neighbour in neighbours):
            middle = points[:, [skeleton.index(neighbour) for neighbour in neighbours]].mean(axis=1)
            distance = np.linalg.norm(points[:, skeleton.index(joint)] - middle, axis=1)
            total += np.nan_to_num(distance)
            count += ~np.isnan(distance)
    valid = np.asarray(~np.isnan(points).any(axis=2))
    low = np.where(valid[..., None], points, np.inf).min(axis=1)
    high = np.where(valid[..., None], points, -np.inf).max(axis=1)
    usable = (valid.sum(axis=1) >= _FEWEST_JOINTS) & (count > 0)
    extent = np.linalg.norm(np.where(usable[:, None], high - low, np.nan), axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(usable & (extent > 0), total / count / extent, np.nan))
