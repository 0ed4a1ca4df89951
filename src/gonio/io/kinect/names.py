"""The names in the headers of Kinect recordings: joints as the SDKs and exporters spell them, and what a column holds.

Only letters and digits count: `SpineBase_X`, `spine base x`, `SPINE_BASE.X`, `JointType_SpineBase.Position.X` and
`K4ABT_JOINT_PELVIS_X (mm)` are read alike. Side and part may come in either order (ShoulderLeft, left_shoulder).
iPi's bones are known by the joint where they begin: its LForearm begins at the elbow, its LFoot at the ankle.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from gonio.core.skeleton import AZURE_KINECT_32, KINECT_V1_20, KINECT_V2_25, Skeleton
from gonio.io.joint_names import skeleton_of

_SPELLED: dict[str, str] = {
    "hipcenter": "hip_center",
    "hipcentre": "hip_center",
    "spinebase": "hip_center",
    "pelvis": "hip_center",
    "spine": "spine_mid",
    "spinemid": "spine_mid",
    "spinenaval": "spine_mid",
    "spinenavel": "spine_mid",
    "spinechest": "spine_chest",
    "shouldercenter": "shoulder_center",
    "shouldercentre": "shoulder_center",
    "spineshoulder": "shoulder_center",
    "neck": "neck_base",
    "neckbase": "neck_base",
    "head": "head",
    "nose": "nose",
}
_SIDED = ("clavicle", "shoulder", "elbow", "wrist", "hand", "handtip", "thumb", "hip", "knee", "ankle", "foot")
KINECT: dict[str, str] = _SPELLED | {
    key: f"{side}_{'hand_tip' if part == 'handtip' else part}"
    for part in (*_SIDED, "eye", "ear")
    for side in ("left", "right")
    for key in (f"{part}{side}", f"{side}{part}")
}
"""Letters and digits of a name -> gonio's name, for the SDKs of Kinect v1, v2 and Azure, and for gonio's own."""

IPI: dict[str, str] = {
    "hip": "hip_center",
    "middlespine": "spine_mid",
    "chest": "spine_chest",
    "neck": "neck_base",
    "head": "head",
} | {
    f"{letter}{bone}": f"{side}_{joint}"
    for letter, side in (("l", "left"), ("r", "right"))
    for bone, joint in {
        "clavicle": "clavicle",
        "shoulder": "shoulder",
        "upperarm": "shoulder",
        "forearm": "elbow",
        "hand": "wrist",
        "thigh": "hip",
        "shin": "knee",
        "foot": "ankle",
        "toe": "foot",
        "toes": "foot",
    }.items()
}
"""Letters and digits of an iPi bone -> the joint where it begins."""

_PREFIXES = ("k4abtjoint", "jointtype", "joint")
_STATES = ("state", "status", "trackingstate", "trackstate", "tracking", "tracked", "confidence", "confidencelevel")
_AXES = {
    f"{prefix}{axis}": axis for axis in "xyz" for prefix in ("", "pos", "position", "coordinate", "coord", "linear")
}
FIELDS: dict[str, str] = _AXES | dict.fromkeys((*_STATES, "conf", "s", "ts"), "state")
"""Letters and digits of what follows a joint's name -> x, y, z or state."""

TIMES: dict[str, str] = {
    "times": "s",
    "timesec": "s",
    "timeseconds": "s",
    "timestamps": "s",
    "timems": "ms",
    "timestampms": "ms",
    "timemilliseconds": "ms",
    "timeus": "us",
    "timestampus": "us",
    "timestampusec": "us",
    "devicetimestampusec": "us",
    "time": "",
    "timestamp": "",
    "relativetime": "",
}
"""Letters and digits of a column with times -> its unit; empty if the name does not state it."""

FRAMES = ("frame", "framenumber", "frameno", "frameindex", "frameid")
PEOPLE = ("bodyid", "trackingid", "skeletonid", "personid", "userid", "body", "skeleton", "person")
JOINTS = ("joint", "jointname", "jointtype", "jointid", "jointindex", "jointnumber", "name", "bone")
_UNIT = re.compile(r"[\[(,]\s*(mm|cm|m|s|sec|ms|us)\s*[\])]?\s*$")


def letters(word: str) -> str:
    """The word's letters and digits, in lower case."""
    return "".join(c for c in word.lower() if c.isalnum())


def unit_of(word: str) -> tuple[str, str]:
    """The column's name without the unit in brackets at its end, and that unit ("" where there is none)."""
    found = _UNIT.search(word.strip().lower())
    return (word.strip()[: found.start()], found.group(1)) if found else (word.strip(), "")


def joint_of(word: str, table: dict[str, str]) -> str | None:
    """gonio's name of a joint; None if the table does not have it."""
    plain = letters(word)
    for prefix in ("", *_PREFIXES):
        if plain.startswith(prefix) and plain[len(prefix) :] in table:
            return table[plain[len(prefix) :]]
    return None


def column_of(word: str, table: dict[str, str]) -> tuple[str, str] | None:
    """(joint, "x", "y", "z" or "state") of a column's name without its unit; None if it holds something else."""
    plain = letters(word)
    for prefix in ("", *_PREFIXES):
        if plain.startswith(prefix):
            rest = plain[len(prefix) :]
            for end in range(len(rest) - 1, 0, -1):
                if rest[:end] in table and rest[end:] in FIELDS:
                    return table[rest[:end]], FIELDS[rest[end:]]
    return None


def table_for(words: Sequence[str]) -> dict[str, str]:
    """iPi's bones if thighs and shins are named, the Kinect's joints otherwise."""
    plain = " ".join(letters(word) for word in words)
    return IPI if "lthigh" in plain and "lshin" in plain else KINECT


def layout_of_names(joints: Sequence[str]) -> Skeleton:
    """The layout of the oldest sensor that has all of these joints, cut to them and in its order."""
    for known in (KINECT_V1_20, KINECT_V2_25, AZURE_KINECT_32):
        if set(joints) <= set(known.joints):
            return known.select([joint for joint in known.joints if joint in joints])
    return skeleton_of(joints, "kinect")
