"""Whether the bones between named joints can be a person's, and which other order of the joints would make them so.

A file without a header holds numbers in some order. Read in another one it is complete and well-formed, and wrong: an
elbow stands where the hip is. Only the lengths of the bones tell. They are compared with a grown person's, up to one
common scale, in any posture. Orders that differ in left and right alone have the same bones; what tells these apart is
`chirality`.
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
    (one if one in _MIDDLE else f"{side}_{one}", f"{side}_{other}"): length
    for (one, other), length in _SIDED_M.items()
    for side in ("left", "right")
}
"""Distances between joints of the Kinect's layouts, in metres: medians of UI-PRMD's Kinect; hands and face by a grown
person's proportions. The spine is left out: the three sensors put it in three places."""


def bone_length_misfit(positions: FloatArray, skeleton: Skeleton) -> float:
    """How far bones are from a person's: mean over bones of |log ratio to the usual length|, one common scale removed.

    positions (time, joint, 3), NaN = missing; the length of a bone is its median over time, and its ratio counts as
    1.5 at most. NaN where fewer than eight bones are there.
    """
    ratios = _log_ratios(positions, skeleton)
    return float("nan") if len(ratios) < _FEWEST_BONES else float(np.minimum(np.abs(ratios), _CAP).mean())


def is_no_body(positions: FloatArray, skeleton: Skeleton) -> bool:
    """Whether the bones cannot be a person's: a misfit above 0.45, or two bones more than 2.5 times too long.

    Measured on UI-PRMD's Kinect, mapped to each layout: all 800 recordings pass in the right order, all are refused in
    the other of the two orders of 20 joints. In every seventh of them the misfit is up to 0.27 in the right order and
    0.66 and more in the other one; the second longest bone is up to 1.7 times too long in the right order. Of all pairs
    of joints, exchanged in the 25 of the Kinect v2, three quarters are found; neighbours, both hips or both knees and
    the middle of the spine are not.
    """
    ratios = np.sort(_log_ratios(positions, skeleton))
    if len(ratios) < _FEWEST_BONES:
        return False
    return bone_length_misfit(positions, skeleton) > LARGEST_MISFIT or bool(ratios[-2] > _TOO_LONG)


def _log_ratios(positions: FloatArray, skeleton: Skeleton) -> FloatArray:
    """(bone,) log of the length over the usual one, the median taken away; bones that are not there are left out."""
    ratios: list[float] = []
    for (one, other), usual in LENGTHS_M.items():
        if one in skeleton and other in skeleton:
            with np.errstate(over="ignore"):  # a damaged number is a bone that is much too long
                apart = np.linalg.norm(positions[:, skeleton.index(one)] - positions[:, skeleton.index(other)], axis=1)
            length = float(np.nanmedian(apart)) if not np.isnan(apart).all() else 0.0
            if 0 < length < np.inf:
                ratios.append(float(np.log(length / usual)))
    return np.array(ratios) - (np.median(ratios) if ratios else 0.0)


def check_order(sequence: PoseSequence, layouts: tuple[str, ...] = ()) -> None:
    """Raises `InputError` where the bones cannot be a person's, naming that of the `layouts` which fits better.

    `layouts` are those in which the same columns can be read; none where the file names its joints itself.
    """
    positions, own = sequence.positions, sequence.skeleton
    if not is_no_body(positions, own):
        return
    others = [LAYOUTS[name] for name in layouts if len(LAYOUTS[name]) == len(own) and name != own.name]
    better = next((other.name for other in others if not is_no_body(positions, other)), None)
    if better is not None:
        remedy = f"they can in the order of {better}: declare --layout {better}"
    elif layouts:
        remedy = f"nor in another known order of {len(own)} joints; give the file a header that names them"
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
_FEWEST_JOINTS = 10  # of one person in one frame, to tell one layout from another
_NEAR = {
    "neck": ("left_shoulder", "right_shoulder"),
    "mid_hip": ("left_hip", "right_hip"),
    "left_ankle": ("left_heel",),
    "right_ankle": ("right_heel",),
}
_MISFIT = 0.07


def body_size_m(sequence: PoseSequence) -> float:
    """Median over time of the largest distance between two of the joints from the shoulders to the ankles and wrists.

    Or of plug-in-gait's markers there. Over the frames that show at least two of shoulders, hips and legs; NaN where
    there is none, as for a hand or markers with other names.
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
        for one, other in combinations(joints, 2):
            largest = np.fmax(largest, np.linalg.norm(positions[:, one] - positions[:, other], axis=1))
    return float(np.median(largest))


def check_body(where: str, sequence: PoseSequence, remedy: str) -> None:
    """Raises `InputError` where a 3D sequence has no joint in any frame, or a body outside 0.25-5 m.

    `where` is the file, and the person in it; `remedy` is what to do about a wrong unit, in words.
    """
    if not np.nan_to_num(sequence.positions).any():
        raise InputError(
            f"{where}: holds no joint at all: every position is missing or 0, 0, 0; record or export it again"
        )
    size_m = body_size_m(sequence)
    if size_m < SMALLEST_BODY_M or size_m > LARGEST_BODY_M:
        size = f"{size_m:.4g} m" if size_m >= 1 else f"{1000 * size_m:.3g} mm"
        raise InputError(
            f"{where}: the body is {size} across (shoulders to ankles); a person's is {SMALLEST_BODY_M:g} to "
            f"{LARGEST_BODY_M:g} m, so the unit is wrong: {remedy}"
        )


def fits_better(points: FloatArray, declared: Skeleton, other: Skeleton) -> bool:
    """Whether the same keypoints are clearly a body in the other layout and none in the declared one.

    points (person, joint, 2 or 3), NaN = missing. In any view and posture the neck is near the middle of the shoulders,
    the mid-hip near the middle of the hips, an ankle near its heel. Their mean distance over the extent of all
    keypoints is `layout_misfit`; its median over the people who have joints to tell by in both layouts counts. Measured
    on Pose2Sim's balancing trial, per camera: 0.01-0.04 in the right one of BODY_25 and BODY_25B (up to 0.07 with the
    upper body only, 0.08 with 30 px of noise), 0.14-0.79 in the wrong one. True where it exceeds 0.07 as declared and
    is less than half of that in the other layout.
    """
    own, others = layout_misfit(points, declared), layout_misfit(points, other)
    both = ~np.isnan(own) & ~np.isnan(others)
    if not both.any():
        return False
    as_declared = float(np.median(own[both]))
    return as_declared > _MISFIT and float(np.median(others[both])) < as_declared / 2


def layout_misfit(points: FloatArray, skeleton: Skeleton) -> FloatArray:
    """(person,) mean distance of neck, mid-hip and ankles from where they belong, over the extent of all keypoints.

    NaN where a person has fewer than ten keypoints or nothing to tell by.
    """
    total, count = np.zeros(len(points)), np.zeros(len(points))
    for joint, neighbours in _NEAR.items():
        if joint in skeleton and all(neighbour in skeleton for neighbour in neighbours):
            middle = points[:, [skeleton.index(neighbour) for neighbour in neighbours]].mean(axis=1)
            apart = np.linalg.norm(points[:, skeleton.index(joint)] - middle, axis=1)
            total += np.nan_to_num(apart)
            count += ~np.isnan(apart)
    there = np.asarray(~np.isnan(points).any(axis=2))
    low = np.where(there[..., None], points, np.inf).min(axis=1)
    high = np.where(there[..., None], points, -np.inf).max(axis=1)
    usable = (there.sum(axis=1) >= _FEWEST_JOINTS) & (count > 0)
    extent = np.linalg.norm(np.where(usable[:, None], high - low, np.nan), axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(usable & (extent > 0), total / count / extent, np.nan))
