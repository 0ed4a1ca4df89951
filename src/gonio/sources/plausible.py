"""What no recording of a body can be: of no size, of a size in the wrong unit, or with its joints in another order.

A file whose header says millimetres over numbers in metres, or whose 25 keypoints are declared as the wrong layout,
is complete and well-formed. Only the body tells.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np

from gonio.core.arrays import FloatArray
from gonio.core.sequence import PoseSequence
from gonio.core.skeleton import BODY_12, Skeleton
from gonio.errors import InputError

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
    keypoints is `misfit`; its median over the people who have joints to tell by in both layouts counts. Measured on
    Pose2Sim's balancing trial, per camera: 0.01-0.04 in the right one of BODY_25 and BODY_25B (up to 0.07 with the
    upper body only, 0.08 with 30 px of noise), 0.14-0.79 in the wrong one. True where it exceeds 0.07 as declared and
    is less than half of that in the other layout.
    """
    own, others = misfit(points, declared), misfit(points, other)
    both = ~np.isnan(own) & ~np.isnan(others)
    if not both.any():
        return False
    as_declared = float(np.median(own[both]))
    return as_declared > _MISFIT and float(np.median(others[both])) < as_declared / 2


def misfit(points: FloatArray, skeleton: Skeleton) -> FloatArray:
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
