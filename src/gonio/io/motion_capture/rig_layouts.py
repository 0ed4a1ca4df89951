"""The joint names of motion capture rigs, and gonio's names for the same joints.

Each rig has its own names, and similar names mean different points: in a BVH file `lShin` is the start of the shin, the
knee; in an ASF file the bone `ltibia` names its end, the ankle. Each table maps the joints of one family of files.
Joints that are in no table keep their names. The points are the rig's centres of rotation. The points nearest to
Human3.6M's joints of the trunk and head get its names:

    mid_hip     the pelvis, from which both legs and the spine grow (Human3.6M's lies between the hips, some cm lower)
    spine       a joint in the middle of the spine
    thorax      the base of the neck, to which the arms are connected
    neck_nose   the base of the skull
    head_top    the end of the head's bone, if the rig has one
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gonio.core.skeleton import H36M_17, Skeleton

_SIDES = (("left", "l"), ("right", "r"))

POSER: dict[str, str] = {
    "hip": "mid_hip",
    "chest": "spine",
    "neck": "thorax",
    "head": "neck_nose",
    "leftEye": "left_eye",
    "rightEye": "right_eye",
} | {
    f"{letter}{part}": f"{side}_{joint}"
    for side, letter in _SIDES
    for part, joint in {
        "Shldr": "shoulder",
        "ForeArm": "elbow",
        "Hand": "wrist",
        "Thigh": "hip",
        "Shin": "knee",
        "Foot": "ankle",
        "Foot_end": "foot",
    }.items()
}
"""Poser and Daz figures, as in B. Hahne's conversion of CMU's recordings to BVH."""

CHARACTER_CREATOR: dict[str, str] = {
    "CC_Base_Pelvis": "mid_hip",
    "CC_Base_Spine01": "spine",
    "CC_Base_NeckTwist01": "thorax",
    "CC_Base_Head": "neck_nose",
    "CC_Base_L_Eye": "left_eye",
    "CC_Base_R_Eye": "right_eye",
} | {
    f"CC_Base_{letter.upper()}_{part}": f"{side}_{joint}"
    for side, letter in _SIDES
    for part, joint in {
        "Upperarm": "shoulder",
        "Forearm": "elbow",
        "Hand": "wrist",
        "Thigh": "hip",
        "Calf": "knee",
        "Foot": "ankle",
        "ToeBase": "foot",
        "BigToe1": "big_toe",
    }.items()
}
"""Reallusion's Character Creator and iClone."""

MOTION_BUILDER: dict[str, str] = {
    "Hips": "mid_hip",
    "Spine1": "spine",
    "Neck": "thorax",
    "Head": "neck_nose",
    "Head_end": "head_top",
} | {
    f"{side.title()}{part}": f"{side}_{joint}"
    for side, _ in _SIDES
    for part, joint in {
        "Arm": "shoulder",
        "ForeArm": "elbow",
        "Hand": "wrist",
        "UpLeg": "hip",
        "Leg": "knee",
        "Foot": "ankle",
        "ToeBase": "foot",
    }.items()
}
"""Autodesk MotionBuilder's characters, which many BVH exporters imitate."""

ACCLAIM: dict[str, str] = {
    "root": "mid_hip",
    "upperback": "spine",
    "thorax": "thorax",
    "upperneck": "neck_nose",
    "head": "head_top",
} | {
    f"{letter}{part}": f"{side}_{joint}"
    for side, letter in _SIDES
    for part, joint in {
        "clavicle": "shoulder",
        "humerus": "elbow",
        "wrist": "wrist",
        "hipjoint": "hip",
        "femur": "knee",
        "tibia": "ankle",
        "foot": "foot",
        "toes": "big_toe",
    }.items()
}
"""The ends of the bones of CMU's ASF skeletons. `lradius` and `lwrist` are both forearm (see `asf_amc`)."""

BVH_RIGS: tuple[Mapping[str, str], ...] = (POSER, CHARACTER_CREATOR, MOTION_BUILDER)


def body_skeleton(skeleton: Skeleton, rigs: Sequence[Mapping[str, str]]) -> tuple[Skeleton, int]:
    """The skeleton with gonio's names for the joints of the table that contains most of them; and the number renamed.

    A table is used only if it contains both legs and both arms. It never gives one name to two joints.
    """
    best = max(rigs, key=lambda rig: sum(joint in rig for joint in skeleton.joints))
    names = {joint: best[joint] for joint in skeleton.joints if joint in best}
    limbs = [joint for joint in H36M_17.joints if joint.startswith(("left_", "right_"))]
    if not set(limbs) <= set(names.values()):
        return skeleton, 0
    taken = set(names.values())
    joints = tuple(names.get(joint, joint if joint not in taken else f"{joint}_of_rig") for joint in skeleton.joints)
    return Skeleton(skeleton.name, joints, skeleton.parents), len(names)
