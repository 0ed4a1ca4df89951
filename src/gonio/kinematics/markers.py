"""Joint centres from markers on the skin: Vicon's plug-in-gait set for the whole body.

A marker lies on the skin over a prominence of a bone; the joint's centre lies some centimetres deeper. The offsets here
are those of adults, from published rules; nothing is fitted to the subject. Left and right follow the markers' names.
Every direction comes from the markers, so the world's vertical is not needed. A joint is missing if one of its markers
is missing: nothing is filled. Skin moves over bone: in deep squats the distance between the markers of knee and ankle
changes by centimetres, and with it the length of the shank.

There are two definitions. "gonio" puts every joint as near to its centre as these markers allow:

hip         from the middle of the two ASIS 0.19 w back, 0.30 w down, 0.36 w lateral, w being their distance (Bell,
            Brand and Pedersen 1989, Hum. Mov. Sci. 8:3-16; Bell, Pedersen and Brand 1990, J. Biomech. 23:617-621)
knee        55 mm medial of the lateral epicondyle (KNE), square to the thigh
ankle       42 mm medial of the lateral malleolus (ANK), square to the shank
shoulder    below the acromion (SHO), along the trunk, by 17 % of the distance between the acromia (Rab, Petuskey and
            Bagley 2002, Gait Posture 15:113-119)
elbow       40 mm medial of the lateral epicondyle (ELB), along the elbow's axis (`_elbow`)
wrist       the middle of WRA and WRB

"protocol" is that of the comparison of UI-PRMD's Kinect with Vicon. Hips and wrists are the same. Knee and ankle are
moved medially and horizontally, towards the marker of the other leg (if the vertical is not known, at right angles to
that of the pelvis). Shoulder and elbow are the raw markers SHO and ELB.

Trunk and head in both: mid_hip = middle of the hips, spine = middle of T10 and STRN, thorax = middle of C7 and CLAV.
The four head markers are on a band around the temples. From its middle and axes: head_top 90 mm up; eyes, ears and nose
by the proportions of an adult head; neck_nose half way from thorax to head_top, about as in Human3.6M's skeletons.
These seven have the status inferred. Heels and big toes are the markers HEE and TOE, on the skin.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from gonio.core.arrays import FloatArray
from gonio.core.errors import InputError
from gonio.core.geometry import across, square_to, unit
from gonio.core.sequence import Axis, PoseSequence, Status
from gonio.core.skeleton import H36M_17, Skeleton

Definition = Literal["gonio", "protocol"]

KNEE_M = 0.055
ANKLE_M = 0.042
ELBOW_M = 0.040
HIP_BACK, HIP_DOWN, HIP_LATERAL = 0.19, 0.30, 0.36
SHOULDER_DOWN = 0.17

_HEAD_M: dict[str, tuple[float, float, float]] = {
    "head_top": (0.0, 0.0, 0.090),
    "nose": (0.110, 0.0, -0.075),
    "left_eye": (0.085, 0.032, -0.035),
    "right_eye": (0.085, -0.032, -0.035),
    "left_ear": (-0.005, 0.078, -0.055),
    "right_ear": (-0.005, -0.078, -0.055),
}
"""From the middle of the four head markers: forwards, left, up."""

_FACE_AND_FEET = {
    "nose": "neck_nose",
    "left_eye": "nose",
    "right_eye": "nose",
    "left_ear": "left_eye",
    "right_ear": "right_eye",
    "left_heel": "left_ankle",
    "right_heel": "right_ankle",
    "left_big_toe": "left_ankle",
    "right_big_toe": "right_ankle",
}
_JOINTS = (*H36M_17.joints, *_FACE_AND_FEET)
JOINT_CENTRES = Skeleton(
    "joint-centres", _JOINTS, (*H36M_17.parents, *(_JOINTS.index(parent) for parent in _FACE_AND_FEET.values()))
)
"""Human3.6M's 17 joints, the face's five points of COCO, heels and big toes."""


def joint_centres(markers: PoseSequence, *, definition: Definition = "gonio") -> PoseSequence:
    """The joints of `JOINT_CENTRES`, in metres and in the markers' own frame.

    Raises `InputError` for 2D, if a marker of the set is absent, and for an unknown definition.
    """
    if definition not in ("gonio", "protocol"):
        raise InputError(f"the definition {definition!r} of joint centres is not known; there are gonio and protocol")
    if markers.dimensions != 3:
        raise InputError("joint centres need markers in 3D; these are 2D")
    absent = [name for name in _MARKERS if name not in markers.skeleton]
    if absent:
        raise InputError(f"joint centres need plug-in-gait markers; absent are {', '.join(absent)}")
    joints = _trunk_and_head(markers)
    for side in ("left", "right"):
        joints |= _leg(markers, side, definition) | _arm(markers, side, definition)
    joints["mid_hip"] = (joints["left_hip"] + joints["right_hip"]) / 2
    positions = np.stack([joints[name] for name in JOINT_CENTRES.joints], axis=1)
    missing = np.isnan(positions).any(axis=2)
    inferred = np.array([name in _HEAD_M or name == "neck_nose" for name in JOINT_CENTRES.joints])
    status = np.where(missing, Status.MISSING, np.where(inferred, Status.INFERRED, Status.MEASURED))
    step = f"joint centres from plug-in-gait markers, definition {definition}"
    if missing.any():
        counts = zip(JOINT_CENTRES.joints, missing.sum(axis=0).tolist(), strict=True)
        step += f"; missing with their markers: {', '.join(f'{joint} {count}' for joint, count in counts if count)}"
    return markers.derive(
        step,
        positions=positions,
        skeleton=JOINT_CENTRES,
        status=status,
        confidence=np.where(missing, 0.0, 1.0),
        covariance=None,
    )


def plug_in_gait_names(markers: PoseSequence) -> PoseSequence | None:
    """The sequence with Vicon's names for its markers; None if it is not a plug-in-gait set.

    It is one if both ASIS and PSIS, knees and ankles are present by name. A subject before the name ("Anna:LASI") is
    removed, small letters count as capitals, and the spellings of `ALIASES` are known. The history counts the renamed
    markers. A name that would then occur twice is not changed.
    """
    own = markers.skeleton.joints
    known = [_plain_name(name) for name in own]
    if not all(letter + name in known for letter in "LR" for name in _PELVIS_AND_LEGS):
        return None
    names = tuple(
        new if new in _MARKERS and known.count(new) == 1 else name for name, new in zip(own, known, strict=True)
    )
    renamed = sum(new != name for name, new in zip(own, names, strict=True))
    if not renamed:
        return markers
    skeleton = Skeleton("plug-in-gait", names, markers.skeleton.parents)
    return markers.derive(f"{renamed} of {len(names)} markers renamed to plug-in-gait's", skeleton=skeleton)


def _plain_name(name: str) -> str:
    plain = name.rpartition(":")[2].strip().upper()
    return ALIASES.get(plain, plain)


ALIASES: dict[str, str] = {
    f"{letter}{theirs}": f"{letter}{ours}"
    for letter in "LR"
    for theirs, ours in (
        ("ASIS", "ASI"),
        ("PSIS", "PSI"),
        ("KNEE", "KNE"),
        ("ANKLE", "ANK"),
        ("HEEL", "HEE"),
        ("ELBOW", "ELB"),
    )
} | {"CV7": "C7", "TV10": "T10", "CLAVICLE": "CLAV", "STERNUM": "STRN"}
"""Other spellings of plug-in-gait's markers -> Vicon's."""

_PELVIS_AND_LEGS = ("ASI", "PSI", "KNE", "ANK")
_SIDED = ("ASI", "PSI", "KNE", "ANK", "HEE", "TOE", "SHO", "ELB", "WRA", "WRB", "FHD", "BHD")
_MARKERS = ("C7", "T10", "CLAV", "STRN", *(letter + name for letter in "LR" for name in _SIDED))


def _leg(markers: PoseSequence, side: str, definition: Definition) -> dict[str, FloatArray]:
    letter = side[0].upper()
    forward, left, up = _pelvis_axes(markers)
    outward = left if side == "left" else -left
    width = np.linalg.norm(markers["LASI"] - markers["RASI"], axis=1, keepdims=True)
    middle = (markers["LASI"] + markers["RASI"]) / 2
    hip = middle + width * (HIP_LATERAL * outward - HIP_BACK * forward - HIP_DOWN * up)
    knee_marker, ankle_marker = markers[f"{letter}KNE"], markers[f"{letter}ANK"]
    if definition == "protocol":
        other = "R" if letter == "L" else "L"
        knee = knee_marker + KNEE_M * _level(markers[f"{other}KNE"] - knee_marker, markers.up, up)
        ankle = ankle_marker + ANKLE_M * _level(markers[f"{other}ANK"] - ankle_marker, markers.up, up)
    else:
        knee = knee_marker - KNEE_M * _square_to_line(knee_marker - hip, outward)
        ankle = ankle_marker - ANKLE_M * _square_to_line(ankle_marker - knee_marker, outward)
    return {
        f"{side}_hip": hip,
        f"{side}_knee": knee,
        f"{side}_ankle": ankle,
        f"{side}_heel": markers[f"{letter}HEE"],
        f"{side}_big_toe": markers[f"{letter}TOE"],
    }


def _arm(markers: PoseSequence, side: str, definition: Definition) -> dict[str, FloatArray]:
    letter = side[0].upper()
    shoulder, elbow = markers[f"{letter}SHO"], markers[f"{letter}ELB"]
    wrist = (markers[f"{letter}WRA"] + markers[f"{letter}WRB"]) / 2
    if definition == "gonio":
        down = unit((markers["T10"] + markers["STRN"]) - (markers["C7"] + markers["CLAV"]))
        width = np.linalg.norm(markers["LSHO"] - markers["RSHO"], axis=1, keepdims=True)
        shoulder = shoulder + SHOULDER_DOWN * width * down
        elbow = _elbow(shoulder, elbow, wrist, 1.0 if side == "left" else -1.0)
    return {f"{side}_shoulder": shoulder, f"{side}_elbow": elbow, f"{side}_wrist": wrist}


def _elbow(shoulder: FloatArray, epicondyle: FloatArray, wrist: FloatArray, sign: float) -> FloatArray:
    """(time, 3) the elbow's centre: `ELBOW_M` from the lateral epicondyle along the axis of flexion.

    Seen along the line a from shoulder to wrist, the marker lies at v = h b + d l: d is `ELBOW_M`, l the axis towards
    the marker, b the direction in which the elbow points, square to l, and h how far it stands off the line. So the
    angle between v and l has the cosine d / |v|, and l is v turned about a by that angle, to the side on which a left
    (sign 1) or right (-1) elbow bends. A straight arm has h = 0 and l along v: no pose is singular. Where the marker is
    nearer to the line than d, the centre is put on the line.
    """
    a = unit(wrist - shoulder)
    v = across(epicondyle - shoulder, a)
    length = np.linalg.norm(v, axis=1, keepdims=True)
    cosine = np.divide(np.minimum(ELBOW_M, length), length, out=np.ones_like(length), where=length != 0)
    turned: FloatArray = cosine * v + sign * np.sqrt(1 - cosine**2) * np.cross(a, v)
    return np.asarray(epicondyle - cosine * turned)


def _trunk_and_head(markers: PoseSequence) -> dict[str, FloatArray]:
    thorax = (markers["C7"] + markers["CLAV"]) / 2
    front = (markers["LFHD"] + markers["RFHD"]) / 2
    back = (markers["LBHD"] + markers["RBHD"]) / 2
    forward = unit(front - back)
    left = _square_to_line(forward, markers["LFHD"] + markers["LBHD"] - markers["RFHD"] - markers["RBHD"])
    axes = np.stack([forward, left, np.cross(forward, left)], axis=1)
    head = {name: (front + back) / 2 + np.asarray(offset) @ axes for name, offset in _HEAD_M.items()}
    return head | {
        "thorax": thorax,
        "spine": (markers["T10"] + markers["STRN"]) / 2,
        "neck_nose": (thorax + head["head_top"]) / 2,
    }


def _pelvis_axes(markers: PoseSequence) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Forward, left, up, each (time, 3): in and square to the plane of the ASIS and the middle of the PSIS."""
    left = unit(markers["LASI"] - markers["RASI"])
    middle = markers["LASI"] + markers["RASI"] - markers["LPSI"] - markers["RPSI"]
    forward = _square_to_line(left, middle)
    return forward, left, np.cross(forward, left)


def _level(direction: FloatArray, up: Axis | None, pelvis_up: FloatArray) -> FloatArray:
    """(time, 3) unit vectors: the horizontal part of a direction (time, 3)."""
    vertical = pelvis_up if up is None else np.eye(3)["xyz".index(up[1])]
    return square_to(vertical, direction)


def _square_to_line(line: FloatArray, direction: FloatArray) -> FloatArray:
    """(time, 3) the unit vector nearest to `direction` that is at right angles to `line`, of any length."""
    return square_to(unit(line), direction)
