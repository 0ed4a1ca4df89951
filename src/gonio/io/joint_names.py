"""How other programs spell joint names, and the skeleton behind a list of names.

Marker files carry names but no layout. OpenPose and Pose2Sim write "RHip", "LBigToe", "Neck", and OpenSim's marker
sets expect these; inside gonio a joint has gonio's own name. Pose2Sim's "Head" is the top of the head (BODY_25B's
HeadTop); gonio's lower-case "head" is the Kinect's joint inside the head. An unknown name stays as it is.
"""

from __future__ import annotations

from collections.abc import Sequence

from gonio.core.skeleton import BODY_12, BODY_25, BODY_25B, COCO_17, LAYOUTS, Skeleton

_PARTS = {
    "Hip": "hip",
    "Knee": "knee",
    "Ankle": "ankle",
    "Heel": "heel",
    "BigToe": "big_toe",
    "SmallToe": "small_toe",
    "Shoulder": "shoulder",
    "Elbow": "elbow",
    "Wrist": "wrist",
    "Eye": "eye",
    "Ear": "ear",
}

SPELLINGS: dict[str, str] = {
    "Nose": "nose",
    "Neck": "neck",
    "Head": "head_top",
    "HeadTop": "head_top",
    "Hip": "mid_hip",
    "CHip": "mid_hip",
    "MidHip": "mid_hip",
    "mouth_left": "left_mouth",
    "mouth_right": "right_mouth",
} | {
    f"{letter}{part}": f"{side}_{joint}"
    for letter, side in (("L", "left"), ("R", "right"))
    for part, joint in _PARTS.items()
}
"""Spelling in OpenPose, Pose2Sim or MediaPipe -> gonio's name."""

_POSE2SIM = {"head_top": "Head", "mid_hip": "CHip"}
_WRITTEN = {joint: spelling for spelling, joint in reversed(SPELLINGS.items()) if "mouth" not in joint} | _POSE2SIM

_USUAL = (BODY_25B, BODY_25, COCO_17, BODY_12)


def translated(names: Sequence[str]) -> tuple[str, ...]:
    """gonio's name for every known spelling. If two names are spellings of one joint, the second stays as it is."""
    joints: list[str] = []
    for name in names:
        joint = SPELLINGS.get(name, name)
        joints.append(name if joint in joints or (joint != name and joint in names) else joint)
    return tuple(joints)


def spelled(joints: Sequence[str]) -> tuple[str, ...]:
    """Pose2Sim's spelling of every joint that has one (those of BODY_25 and BODY_25B); `translated` is the inverse.

    A joint stays as it is if another one already has one of its spellings as name.
    """
    taken = {SPELLINGS[name] for name in joints if name in SPELLINGS}
    return tuple(joint if joint in taken else _WRITTEN.get(joint, joint) for joint in joints)


def skeleton_of(joints: Sequence[str], name: str) -> Skeleton:
    """The known layout with exactly these joints, else a skeleton of this `name`.

    Its bones come from the known layout that shares most joints; the other joints have no parent.

    Raises `InputError` if a joint is named twice.
    """
    joints = tuple(joints)
    for known in LAYOUTS.values():
        if known.joints == joints:
            return known
    own = Skeleton(name, joints, (-1,) * len(joints))
    nearest = max((*_USUAL, *LAYOUTS.values()), key=lambda known: sum(joint in known for joint in joints))
    shared = [joint for joint in joints if joint in nearest]
    bones = nearest.select(shared)
    if len(shared) == len(joints):
        return bones
    parents = dict(zip(shared, bones.parents, strict=True))
    return Skeleton(
        own.name, joints, tuple(joints.index(shared[p]) if (p := parents.get(j, -1)) >= 0 else -1 for j in joints)
    )
