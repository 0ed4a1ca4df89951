"""Whether the bones between named joints can be a person's, and which other order of the joints would make them so.

A file without a header holds numbers in some order. Read in another one it is complete and well-formed, and wrong: an
elbow stands where the hip is. Only the lengths of the bones tell. They are compared with a grown person's, up to one
common scale, in any posture. Orders that differ in left and right alone have the same bones; what tells these apart is
`chirality`.
"""

from __future__ import annotations

import numpy as np

from gonio.core.arrays import FloatArray
from gonio.core.sequence import PoseSequence
from gonio.core.skeleton import LAYOUTS, Skeleton
from gonio.errors import InputError

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


def misfit(positions: FloatArray, skeleton: Skeleton) -> float:
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
    return misfit(positions, skeleton) > LARGEST_MISFIT or bool(ratios[-2] > _TOO_LONG)


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
