"""Whether a 3D recording is mirrored: whether its axes are right-handed and its left and right are correct.

The human body differs between front and back. The toes lie in front of the heel, knees bend forwards, face and
breastbone are in front. The names of the joints give the forward direction too: it is left x up, in right-handed axes.
If the recording was reflected, or if left and right were exchanged, the two disagree. The verdict is one of three:

true      both agree
mirrored  they disagree: the positions were reflected, or the names exchanged; the data do not say which of the two
unknown   the recording shows too little of the body, or its signs contradict each other

A recording that was reflected and whose names were exchanged as well shows a correct body: the mirror image of the
movement, in which the right leg does what the left leg did. One recording alone cannot reveal this; a second one can.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from gonio.core.arrays import FloatArray
from gonio.core.errors import InputError
from gonio.core.geometry import unit
from gonio.core.sequence import PoseSequence

Verdict = Literal["true", "mirrored", "unknown"]

FEWEST_FRAMES = 5
_CLEAR = 0.2  # the smallest sign that counts
_BEND = 0.15  # of the leg's length: a knee nearer to the line from hip to ankle, about 33 degrees, is straight

_MARKERS = {"LSHO": "left_shoulder", "RSHO": "right_shoulder", "LASI": "left_hip", "RASI": "right_hip"}
_MARKERS |= {"LKNE": "left_knee", "RKNE": "right_knee", "LANK": "left_ankle", "RANK": "right_ankle"}
_FRONT_OF_FOOT = ("big_toe", "foot_index", "foot")
_TRUNK = (("C7", "CLAV"), ("T10", "STRN"), ("LPSI", "LASI"), ("RPSI", "RASI"))
_FACE = (("left_ear", "nose"), ("right_ear", "nose"), ("left_eye", "nose"), ("right_eye", "nose"), ("head", "nose"))


_LARGEST_M = 1e6  # a position further away is no joint, and its products overflow


@dataclass(frozen=True)
class Chirality:
    """The result of the test.

    verdict   true, mirrored or unknown
    evidence  a sentence for each sign that could be computed
    """

    verdict: Verdict
    evidence: tuple[str, ...]


def chirality(sequence: PoseSequence) -> Chirality:
    """Test by joint names alone (gonio's, or plug-in-gait's markers). Every sign is a median over all frames.

    feet   cosine between ankle (or heel) -> toes and the forward direction of the shank
    trunk  cosine between back marker -> front marker and the forward direction of the trunk
    face   cosine between ears (or eyes, or head) -> nose and the forward direction of the trunk
    knees  1 if a bent knee lies in front of the line from hip to ankle, -1 if it lies behind it

    A sign counts from 0.2 on. The knees count only if no other sign does, and only if both legs bend in the same
    direction. A Kinect that loses a leg may show it bent backwards throughout (22 of UI-PRMD's 800 recordings, always
    one leg), but it does not turn the foot.

    Raises `InputError` for 2D.
    """
    if sequence.dimensions != 3:
        raise InputError("a mirrored recording is recognised in 3D only; this one is 2D")
    places = np.where(np.abs(sequence.positions) < _LARGEST_M, sequence.positions, np.nan)
    place = {joint: places[:, j] for j, joint in enumerate(sequence.skeleton.joints)}
    place |= {joint: place[marker] for marker, joint in _MARKERS.items() if marker in place}
    shapes = [
        _sign("the feet point", _feet(place)),
        _sign("the trunk faces", _pairs(place, _TRUNK)),
        _sign("the face looks", _pairs(place, _FACE)),
    ]
    knees = [_sign(f"the {side} knee bends", _bent_knee(place, side)) for side in ("left", "right")]
    evidence = tuple(sign.sentence for sign in (*shapes, *knees) if sign is not None)
    votes = {sign.value > 0 for sign in shapes if sign is not None and sign.clear}
    if not votes and all(sign is not None and sign.clear for sign in knees):
        votes = {sign.value > 0 for sign in knees if sign is not None}
    if len(votes) != 1:
        return Chirality("unknown", evidence)
    return Chirality("true" if votes.pop() else "mirrored", evidence)


@dataclass(frozen=True)
class _Sign:
    """One sign: positive if the body is correct. It counts if it is clear."""

    value: float
    clear: bool
    sentence: str


def _sign(name: str, values: FloatArray) -> _Sign | None:
    """The median of values between -1 and 1; None for fewer than five."""
    known = values[~np.isnan(values)]
    if len(known) < FEWEST_FRAMES:
        return None
    value = float(np.median(known))
    clear = abs(value) >= _CLEAR
    direction = "forwards" if value > 0 else "backwards"
    remark = "" if clear else ", not clear enough to count"
    return _Sign(value, clear, f"{name} {direction} ({value:+.2f} of 1 over {len(known)} values{remark})")


def mirror_warning(sequence: PoseSequence) -> tuple[str, ...]:
    """One sentence if a 3D recording is mirrored, else none."""
    found = chirality(sequence)
    if found.verdict != "mirrored":
        return ()
    return (
        f"the recording is mirrored: {'; '.join(found.evidence)}. Its positions were reflected, or left and right were "
        f"exchanged. It is used as it is",
    )


def reflected(sequence: PoseSequence) -> PoseSequence:
    """The mirror image in space; the names stay: x (y if x is the vertical) changes its sign."""
    signs = np.array([1.0, -1.0, 1.0] if sequence.up in ("+x", "-x") else [-1.0, 1.0, 1.0])
    covariance = None if sequence.covariance is None else sequence.covariance * np.outer(signs, signs)
    axis = "y" if signs[1] < 0 else "x"
    return sequence.derive(
        f"mirrored on request: the sign of {axis} was changed, left and right keep their names",
        positions=sequence.positions * signs,
        covariance=covariance,
    )


def _to_the_left(place: dict[str, FloatArray], *parts: str) -> FloatArray | None:
    """(time, 3) from right to left, of the first of these parts that both sides have."""
    for part in parts:
        if f"left_{part}" in place and f"right_{part}" in place:
            return place[f"left_{part}"] - place[f"right_{part}"]
    return None


def _along(vectors: FloatArray, forwards: FloatArray) -> FloatArray:
    """(time,) cosine between them."""
    return np.asarray((unit(vectors) * unit(forwards)).sum(axis=-1))


def _feet(place: dict[str, FloatArray]) -> FloatArray:
    left = _to_the_left(place, "hip", "shoulder")
    found: list[FloatArray] = []
    for side, marker in (("left", "L"), ("right", "R")):
        knee, ankle = place.get(f"{side}_knee"), place.get(f"{side}_ankle")
        toes = next((place[name] for part in _FRONT_OF_FOOT if (name := f"{side}_{part}") in place), None)
        toes = place.get(f"{marker}TOE") if toes is None else toes
        if left is None or knee is None or ankle is None or toes is None:
            continue
        heel = place.get(f"{side}_heel", place.get(f"{marker}HEE", ankle))
        found.append(_along(toes - heel, np.cross(left, knee - ankle)))
    return np.concatenate(found) if found else np.empty(0)


def _bent_knee(place: dict[str, FloatArray], side: str) -> FloatArray:
    left = _to_the_left(place, "hip", "shoulder")
    hip, knee, ankle = (place.get(f"{side}_{part}") for part in ("hip", "knee", "ankle"))
    if left is None or hip is None or knee is None or ankle is None:
        return np.empty(0)
    leg = hip - ankle
    before = ((knee - ankle) * unit(np.cross(left, leg))).sum(axis=1)
    with np.errstate(invalid="ignore"):
        bent = np.abs(before) > _BEND * np.linalg.norm(leg, axis=1)
    return np.where(bent, np.sign(before), np.nan)


def _pairs(place: dict[str, FloatArray], pairs: tuple[tuple[str, str], ...]) -> FloatArray:
    left = _to_the_left(place, "shoulder", "hip")
    low, high = (
        place[f"left_{part}"] + place[f"right_{part}"] if f"left_{part}" in place and f"right_{part}" in place else None
        for part in ("hip", "shoulder")
    )
    if left is None or low is None or high is None:
        return np.empty(0)
    forwards = np.cross(left, high - low)
    found = [_along(place[front] - place[back], forwards) for back, front in pairs if back in place and front in place]
    return np.concatenate(found) if found else np.empty(0)
