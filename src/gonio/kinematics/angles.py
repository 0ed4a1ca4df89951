"""Joint angles from joint centres, named for what they are.

A camera method gives points, not bones with axes. So an angle here is the angle between two lines through joint
centres, in space. It has no sign: a knee that hyperextends by 5 degrees reads 5 degrees of flexion. For the same reason
noise does not average to 0 at a straight joint: it reads as a small flexion. Only the ankle angle has a sign, because
its zero lies in the middle of the foot's range.

Each `AngleDefinition` states its source and how it differs from the recommendations of the International
Society of Biomechanics (ISB: Grood and Suntay 1983 for the knee; Wu et al. 2002 for ankle, hip and spine; Wu et al.
2005 for shoulder and elbow), which decompose the rotation between two segments' axes into three angles. For a pure
flexion of an ideal hinge the two agree.

The trunk's line runs from the mean of the hips to the mean of the shoulders in every layout, also if the layout has a
neck or a hip centre of its own. So an angle has the same meaning for every method. Left and right are the person's own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gonio.core.angle_series import AngleSeries
from gonio.core.arrays import BoolArray, FloatArray
from gonio.core.errors import InputError
from gonio.core.geometry import angle_between
from gonio.core.plugins import Registry
from gonio.core.sequence import Axis, PoseSequence, Status
from gonio.core.skeleton import Skeleton

Line = tuple[str, str]

_MEANS: dict[str, tuple[str, ...]] = {
    "mid_hip": ("left_hip", "right_hip"),
    "mid_shoulder": ("left_shoulder", "right_shoulder"),
}
MIDLINE = (
    *("nose", "neck_nose", "head", "head_top", "neck", "neck_base", "thorax", "shoulder_center"),
    *("spine", "spine_chest", "spine_mid", "hip_center"),
)
"""Joints that lie on the middle of the body in every layout."""
_VERTICAL: Line = ("down", "up")
_TRUNK_DOWN: Line = ("mid_shoulder", "mid_hip")
_TRUNK_UP: Line = ("mid_hip", "mid_shoulder")


@dataclass(frozen=True)
class AngleDefinition:
    """One angle: that between two directed lines, less `zero_deg`.

    name             e.g. "knee_flexion"; a sided one appears as "left_knee_flexion" and "right_knee_flexion"
    joint            the joint or segment that it belongs to, e.g. "knee": a column of a study's tables
    sided            whether each side of the body has one
    first, second    the lines, from one point to another; a point is a joint, "mid_hip" or "mid_shoulder". If the
                     angle is sided, write "hip" for the hip of each side; joints of the midline (`MIDLINE`) have no
                     side. The line ("down", "up") is the vertical
    definition       for the reader of a report, in one sentence
    source           of the definition
    differs_from_isb how it differs from the recommendations of the ISB
    interval_deg     (low, high) values that it can take by its definition
    zero_deg         the angle between the lines at which it reads 0
    """

    name: str
    joint: str
    sided: bool
    first: Line
    second: Line
    definition: str
    source: str
    differs_from_isb: str
    interval_deg: tuple[float, float] = (0.0, 180.0)
    zero_deg: float = 0.0

    def __post_init__(self) -> None:
        if not self.name or self.name.startswith(("left_", "right_")):
            raise InputError(f"an angle cannot be called {self.name!r}; name it without a side, and say sided = True")
        if any(len(line) != 2 or line[0] == line[1] for line in (self.first, self.second)):
            raise InputError(f"the angle {self.name!r} needs two lines, each from one point to another")
        if not self.interval_deg[0] < self.interval_deg[1]:
            raise InputError(f"the angle {self.name!r} has the interval {self.interval_deg}; it must increase")

    @property
    def needs(self) -> tuple[str, ...]:
        """The points of its lines, in their order; without a side if the angle is sided."""
        return tuple(dict.fromkeys(point for line in self._drawn for point in line))

    @property
    def interval_rad(self) -> tuple[float, float]:
        """`interval_deg` in radians."""
        low, high = self.interval_deg
        return math.radians(low), math.radians(high)

    @property
    def needs_vertical(self) -> bool:
        """Whether it is measured against the vertical."""
        return _VERTICAL in (self.first, self.second)

    @property
    def _drawn(self) -> tuple[Line, ...]:
        return tuple(line for line in (self.first, self.second) if line != _VERTICAL)

    def joints(self, side: str = "") -> tuple[str, ...]:
        """The joints of a skeleton that it needs; `side` is "left" or "right" if the angle is sided."""
        return tuple(dict.fromkeys(joint for point in self.needs for joint in _parts(point, side)))


DEFINITIONS: tuple[AngleDefinition, ...] = (
    AngleDefinition(
        name="knee_flexion",
        joint="knee",
        sided=True,
        first=("hip", "knee"),
        second=("knee", "ankle"),
        definition="180 degrees minus the included angle hip-knee-ankle; 0 = straight; hyperextension is invisible",
        source="neutral-zero method of goniometry: Norkin and White, Measurement of Joint Motion, knee flexion",
        differs_from_isb="Grood and Suntay (1983) turn the shank about the femur's own flexion axis and report signed "
        "flexion, abduction and rotation apart; here varus or valgus adds to the angle, and the sign is lost",
    ),
    AngleDefinition(
        name="elbow_flexion",
        joint="elbow",
        sided=True,
        first=("shoulder", "elbow"),
        second=("elbow", "wrist"),
        definition="180 degrees minus the included angle shoulder-elbow-wrist; 0 = straight; hyperextension is "
        "invisible",
        source="neutral-zero method of goniometry: Norkin and White, Measurement of Joint Motion, elbow flexion",
        differs_from_isb="Wu et al. (2005) take flexion as the first of three rotations (Z-X-Y) of the forearm against "
        "the humerus; here the carrying angle adds to it (a straight arm reads about 10 degrees), and the sign is lost",
    ),
    AngleDefinition(
        name="thigh_trunk_angle",
        joint="hip",
        sided=True,
        first=_TRUNK_DOWN,
        second=("hip", "knee"),
        definition="angle between the thigh (hip to knee) and the trunk's line continued downwards (mid-shoulder to "
        "mid-hip); about 0 = upright stance; flexion, extension and abduction all increase it; the lumbar spine is "
        "part of it, so it is not hip flexion",
        source="thigh to trunk angle of ISO 16840-1:2006, taken in space and counted from the straight position",
        differs_from_isb="Wu et al. (2002) measure the femur against the pelvis, as flexion, adduction and rotation; "
        "here pelvic tilt and the bending of the spine are included, the three are one, and the sign is lost",
    ),
    AngleDefinition(
        name="shoulder_elevation",
        joint="shoulder",
        sided=True,
        first=_TRUNK_DOWN,
        second=("shoulder", "elbow"),
        definition="angle between the upper arm (shoulder to elbow) and the trunk's line continued downwards "
        "(mid-shoulder to mid-hip); 0 = arm hanging along the trunk; in whatever plane the arm is raised",
        source="thoracohumeral elevation of Wu et al. (2005), with the line of the whole trunk for the thorax",
        differs_from_isb="Wu et al. (2005) use the thorax's own axis (C7, T8, jugular notch, xiphoid) and report the "
        "plane of elevation and axial rotation too; here lumbar and pelvic posture are included, the plane is not "
        "reported, and the girdle's own motion shifts the shoulder point",
    ),
    AngleDefinition(
        name="forearm_trunk_angle",
        joint="forearm",
        sided=True,
        first=_TRUNK_DOWN,
        second=("elbow", "wrist"),
        definition="angle between the forearm (elbow to wrist) and the trunk's line continued downwards (mid-shoulder "
        "to mid-hip); 0 = forearm hanging along the trunk, 180 = pointing up; with the upper arm held out to the side "
        "and the elbow bent it shows the arm's rotation about its own length, which no other angle here sees; "
        "shoulder elevation and elbow flexion are part of it",
        source="segment angle of the forearm against the trunk, as in Winter (2009), Biomechanics and Motor Control of "
        "Human Movement, taken in space",
        differs_from_isb="Wu et al. (2005) report the humerus's axial rotation as the third of three angles; here "
        "three rotations are one, and the sign is lost",
    ),
    AngleDefinition(
        name="trunk_inclination",
        joint="trunk",
        sided=False,
        first=_TRUNK_UP,
        second=_VERTICAL,
        definition="angle between the trunk's line (mid-hip to mid-shoulder) and the vertical; 0 = upright; leaning "
        "forwards, backwards and sideways all increase it; it is as true as the sequence's own vertical",
        source="trunk inclination as in ISO 11226:2000, taken in space against the vertical",
        differs_from_isb="Wu et al. (2002) report three rotations of a spinal segment; here the trunk is one line, and "
        "flexion and lateral bending are one unsigned angle",
    ),
    *(
        AngleDefinition(
            name="ankle_angle",
            joint="ankle",
            sided=True,
            first=("ankle", "knee"),
            second=(toe, "heel"),
            definition=f"90 degrees minus the angle between the shank (ankle to knee) and the foot (heel to {name}); "
            "0 = foot square to the shank, positive = dorsiflexed, negative = plantarflexed",
            source="foot against shank as in Winter (2009), Biomechanics and Motor Control of Human Movement, 0 at the "
            "neutral position",
            differs_from_isb="Wu et al. (2002) turn the calcaneus about the line of the malleoli; here the whole foot "
            "counts, its midfoot and toes too, inversion and rotation are included, and the height of the heel and toe "
            "points shifts the zero by some degrees",
            interval_deg=(-90.0, 90.0),
            zero_deg=90.0,
        )
        for toe, name in (("big_toe", "big toe"), ("foot_index", "tip of the foot"))
    ),
    AngleDefinition(
        name="ankle_angle_without_heel",
        joint="ankle",
        sided=True,
        first=("ankle", "knee"),
        second=("foot", "ankle"),
        definition="90 degrees minus the angle between the shank (ankle to knee) and the line from the ankle to the "
        "foot's point; positive = dorsiflexed; that line slopes down even in a flat foot, so standing reads "
        "well below 0: compare its changes, never its values with ankle_angle",
        source="the same as ankle_angle, for sensors without a heel (Kinect)",
        differs_from_isb="as ankle_angle, with a zero that depends on the sensor's ankle and foot points",
        interval_deg=(-90.0, 90.0),
        zero_deg=90.0,
    ),
)
"""gonio's own angles. If two have the same name, the first whose joints a skeleton has is taken."""


_ADDED = Registry("gonio.angles", AngleDefinition, {d.name: d for d in DEFINITIONS}, knows_its_name=True)


def register_angle(definition: AngleDefinition) -> None:
    """Add an angle to this program: `joint_angles`, and with it every comparison and study, then measures it too.

    A study measures again what it measured without the angle.

    Raises `InputError` if another angle has its name.
    """
    _ADDED.register(getattr(definition, "name", ""), definition)


def angle_definitions() -> tuple[AngleDefinition, ...]:
    """Every angle: `DEFINITIONS`, then `added_angles()`. Raises `PluginError` if a package cannot be used."""
    return (*DEFINITIONS, *added_angles())


def added_angles() -> tuple[AngleDefinition, ...]:
    """The angles that were registered, and those of installed packages."""
    return tuple(definition for definition in _ADDED.values() if definition not in DEFINITIONS)


def joint_angles(sequence: PoseSequence, *, definitions: Sequence[AngleDefinition] | None = None) -> AngleSeries:
    """The angles over time whose joints the sequence's skeleton has.

    definitions  the angles to measure (default: `angle_definitions()`); of several with one name the first is taken
                 whose joints the skeleton has

    A value is NaN if a joint is missing or a line has no length. Angles against the vertical are left out if the
    sequence does not state which way is up. The history counts the values that are missing and those that rest on
    interpolated or repaired positions. Raises `InputError` for a 2D sequence, whose angles would be those of a
    projection, and if the skeleton has the joints of no angle.
    """
    if sequence.dimensions != 3:
        raise InputError("joint angles need 3D positions; this sequence is 2D: triangulate or lift it first")
    chosen = _chosen(angle_definitions() if definitions is None else definitions, sequence.skeleton, sequence.up)
    if not chosen:
        raise InputError(f"skeleton {sequence.skeleton.name!r} has the joints of no angle; limbs or a trunk are needed")
    angles = np.stack([_angle(sequence, definition, side) for _, definition, side in chosen], axis=1)
    filled = np.stack([_rests_on_fill(sequence, definition.joints(side)) for _, definition, side in chosen], axis=1)
    missing = np.isnan(angles)
    step = (
        f"joint angles: {angles.size} values, {int(missing.sum())} missing, {int((filled & ~missing).sum())} from "
        f"interpolated or repaired positions"
    )
    if sequence.up is None:
        step += "; trunk_inclination left out (the vertical is unknown)"
    return AngleSeries(
        angles_rad=angles,
        times_s=sequence.times_s,
        names=tuple(name for name, _, _ in chosen),
        definitions=tuple(f"{definition.definition} ({definition.source})" for _, definition, _ in chosen),
        intervals_rad=tuple(definition.interval_rad for _, definition, _ in chosen),
        source=sequence.source,
        history=(*sequence.history, step),
    )


def _chosen(
    definitions: Sequence[AngleDefinition], skeleton: Skeleton, up: Axis | None
) -> list[tuple[str, AngleDefinition, str]]:
    """(name, definition, side) of every angle that a skeleton has the joints for."""
    chosen: dict[str, tuple[str, AngleDefinition, str]] = {}
    for definition in definitions:
        for side in ("left", "right") if definition.sided else ("",):
            name = f"{side}_{definition.name}" if side else definition.name
            complete = all(joint in skeleton for joint in definition.joints(side))
            if complete and name not in chosen and not (definition.needs_vertical and up is None):
                chosen[name] = name, definition, side
    return list(chosen.values())


def _angle(sequence: PoseSequence, definition: AngleDefinition, side: str) -> FloatArray:
    """(time,) radians."""
    first, second = (_line(sequence, line, side) for line in (definition.first, definition.second))
    return angle_between(first, second) - math.radians(definition.zero_deg)


def _line(sequence: PoseSequence, line: Line, side: str) -> FloatArray:
    """(time, 3) or, for the vertical, (3,): the vector from the line's first point to its second."""
    if line == _VERTICAL:
        assert sequence.up is not None  # checked by `_chosen`
        return np.asarray(np.eye(3)["xyz".index(sequence.up[1])] * (1 if sequence.up[0] == "+" else -1))
    return _point(sequence, line[1], side) - _point(sequence, line[0], side)


def _point(sequence: PoseSequence, point: str, side: str) -> FloatArray:
    """(time, 3) a joint, or the mean of two."""
    return np.asarray(np.mean([sequence[joint] for joint in _parts(point, side)], axis=0))


def _parts(point: str, side: str) -> tuple[str, ...]:
    """The joints whose mean a point is."""
    if point in _MEANS:
        return _MEANS[point]
    return (point,) if not side or point in MIDLINE else (f"{side}_{point}",)


def _rests_on_fill(sequence: PoseSequence, joints: tuple[str, ...]) -> BoolArray:
    """(time,) whether a position of these joints was interpolated or repaired."""
    index = [sequence.skeleton.index(joint) for joint in joints]
    return np.asarray(np.isin(sequence.status[:, index], (Status.INTERPOLATED, Status.REPAIRED)).any(axis=1))
