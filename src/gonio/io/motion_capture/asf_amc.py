"""Acclaim skeleton (.asf) and motion (.amc), the form in which CMU publishes its motion capture. Text.

The skeleton: under `:root` the position of the pelvis, under `:bonedata` for each bone its direction (a unit vector
in the
world's axes of the reference pose), its length, the axes in which it turns (`axis`, three angles, in the order given)
and which of its angles move (`dof`); under `:hierarchy` the parent of each bone. The motion: a line with the frame's
number, then one line per bone with its moving angles.

With C the rotation of a bone's axes and M that of the motion, its rotation against its parent is C M C^-1, and its end
lies at the end of its parent plus G length direction, G chained from the root. In XYZ, Acclaim turns about x first and
about fixed axes: R = Rz Ry Rx. The rotation of the root moves the whole figure, its TX, TY, TZ are its position.

A joint is the END of a bone: `lfemur` is the left knee. The bone `lwrist` is the outer third of the forearm, which
turns about its own length (in all three of CMU's skeletons at hand it is exactly half as long as `lradius`); its end is
the wrist. Lengths: CMU divides inches by 0.45, so a unit is 0.0254 / 0.45 = 0.056444 m. 120 frames per second (the file
does not say; a few recordings have 60). y is up.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gonio.core.arrays import FloatArray
from gonio.core.errors import InputError
from gonio.core.sequence import PoseSequence, Source
from gonio.core.skeleton import Skeleton
from gonio.io.motion_capture.forward_kinematics import euler_rotations, joint_positions
from gonio.io.motion_capture.rig_layouts import ACCLAIM, body_skeleton
from gonio.io.reading import naming, read_lines

CMU_UNIT_M = 0.0254 / 0.45
_ROOT = "root"
_LARGEST = 1e9  # in the file's units and angles: no body is that large, and products of larger numbers overflow
_DOF = ("tx", "ty", "tz", "rx", "ry", "rz")


@dataclass(frozen=True)
class _Bone:
    """One bone: offset (3,) of its end from its start in the file's unit, its axes (3, 3), its moving angles."""

    offset: FloatArray
    axes: FloatArray
    order: str
    dof: tuple[str, ...]


def read(asf: Path, amc: Path, *, unit_m: float = CMU_UNIT_M, rate_hz: float = 120.0) -> PoseSequence:
    """The ends of all bones over time, in metres, y up; frame i has the time i / rate_hz.

    Bones of CMU's skeleton get gonio's joint names (`rig_layouts.ACCLAIM`). Other bones keep their names. The frame is
    "world", named for the motion file. Raises `InputError` if a file is absent, of another format or cut, or if the two
    files do not belong together.
    """
    asf, amc = Path(asf), Path(amc)
    for name, value in (("frame rate", rate_hz), ("unit", unit_m)):
        if not (np.isfinite(value) and value > 0):
            raise InputError(f"{amc}: a {name} of {value} is not possible")
    bones, parents, to_rad = _skeleton(asf)
    motion, in_degrees = _motion(amc, {name: len(bone.dof) for name, bone in bones.items()})
    angle = to_rad if in_degrees is None else (np.deg2rad(1.0) if in_degrees else 1.0)

    n_frames = len(motion[_ROOT])
    offsets = np.empty((n_frames, len(bones), 3))
    rotations = np.empty((n_frames, len(bones), 3, 3))
    for index, (name, bone) in enumerate(bones.items()):
        values = dict(zip(bone.dof, motion.get(name, np.zeros((n_frames, 0))).T, strict=False))
        angles_rad = [values.get(f"r{axis}", np.zeros(n_frames)) * angle for axis in bone.order]
        # Rotations about fixed axes equal rotations about moved axes in reverse order.
        rotation = euler_rotations(np.stack(angles_rad[::-1], axis=-1), bone.order[::-1])
        rotations[:, index] = bone.axes @ rotation @ bone.axes.T
        if name == _ROOT:
            translation = np.stack([values.get(f"t{axis}", np.zeros(n_frames)) for axis in "xyz"], axis=-1)
            offsets[:, index] = bone.offset + translation
        else:  # a bone's own rotation moves its own end
            offsets[:, index] = rotations[:, index] @ bone.offset
    names = tuple(bones)
    with naming(amc):
        skeleton, known = body_skeleton(Skeleton("acclaim", names, parents), (ACCLAIM,))
        return PoseSequence(
            positions=joint_positions(parents, offsets, rotations) * unit_m,
            times_s=np.arange(n_frames) / rate_hz,
            skeleton=skeleton,
            unit="m",
            frame="world",
            frame_name=amc.stem,
            up="+y",
            source=Source(method="asf_amc", model=asf.name, file=str(amc)),
            history=(
                f"{n_frames} frames of {len(names)} bones read from {amc.name} with {asf.name}, "
                f"{rate_hz:g} per second, 1 = {unit_m:.6g} m",
                f"{known} of {len(names)} joint names translated",
            ),
        )


def _skeleton(path: Path) -> tuple[dict[str, _Bone], tuple[int, ...], float]:
    """The bones, the root first and every parent before its children; each one's parent; radians per angle unit."""
    sections = _sections(path)
    if "bonedata" not in sections or "hierarchy" not in sections or _ROOT not in sections:
        raise InputError(f"{path}: is not an .asf skeleton: it lacks :root, :bonedata or :hierarchy")
    units = {line[0].lower(): line[1].lower() for line in sections.get("units", []) if len(line) > 1}
    to_rad = 1.0 if units.get("angle", "deg").startswith("rad") else float(np.deg2rad(1.0))
    try:
        bones = {_ROOT: _root(path, sections[_ROOT], to_rad)}
        for block in _blocks(sections["bonedata"]):
            keys = {line[0].lower(): line[1:] for line in block}
            direction = _numbers(keys["direction"][:3])
            axes, order = _axes(_numbers(keys["axis"][:3]) * to_rad, keys["axis"][3])
            dof = tuple(word.lower() for word in keys.get("dof", []))
            if not set(dof) <= set(_DOF[3:]):
                raise InputError(
                    f"{path}: bone {keys['name'][0]} has the degrees of freedom {' '.join(dof)}; known: rx ry rz"
                )
            if direction.shape != (3,):
                raise InputError(f"{path}: the direction of bone {keys['name'][0]} is not three numbers")
            bones[keys["name"][0]] = _Bone(direction * _numbers(keys["length"][:1])[0], axes, order, dof)
        parent_of: dict[str, str] = {}
        for line in next(iter(_blocks(sections["hierarchy"]))):
            parent_of |= dict.fromkeys(line[1:], line[0])
        ordered = [_ROOT]
        for name in ordered:  # the list grows during the loop: breadth first
            ordered += [child for child, parent in parent_of.items() if parent == name and child != _ROOT]
        if set(ordered) != set(bones):
            raise InputError(
                f"{path}: :hierarchy and :bonedata differ in {', '.join(sorted(set(ordered) ^ set(bones)))}"
            )
        parents = tuple(ordered.index(parent_of[name]) if name != _ROOT else -1 for name in ordered)
    except (KeyError, IndexError, ValueError, StopIteration) as error:
        raise InputError(f"{path}: the skeleton is damaged or cut ({error!r}); download it again") from None
    return {name: bones[name] for name in ordered}, parents, to_rad


def _root(path: Path, lines: list[list[str]], to_rad: float) -> _Bone:
    keys = {line[0].lower(): line[1:] for line in lines}
    axes, order = _axes(_numbers(keys["orientation"][:3]) * to_rad, keys["axis"][0])
    position = _numbers(keys["position"][:3])
    if position.shape != (3,):
        raise InputError(f"{path}: the position of the root is not three numbers")
    dof = tuple(word.lower() for word in keys["order"])
    if sorted(dof) != sorted(_DOF):
        raise InputError(f"{path}: the order of the root is {' '.join(dof)}; known are the six of {' '.join(_DOF)}")
    return _Bone(position, axes, order, dof)


def _numbers(words: list[str]) -> FloatArray:
    """Numbers of the skeleton. Raises `ValueError` for text, NaN and numbers too large for a body."""
    numbers = np.array(words, dtype=float)
    if not (np.abs(numbers) < _LARGEST).all():
        raise ValueError(f"numbers {' '.join(words)}")
    return numbers


def _axes(angles_rad: FloatArray, order: str) -> tuple[FloatArray, str]:
    """The rotation of a bone's axes, and the order of its angles in lower case."""
    order = order.lower()
    if sorted(order) != ["x", "y", "z"] or len(angles_rad) != 3:
        raise ValueError(f"axis {order}")
    return euler_rotations(angles_rad[::-1], order[::-1]), order


def _sections(path: Path) -> dict[str, list[list[str]]]:
    """The words of each line below each :keyword, without comments. Words after a keyword are its first line."""
    sections: dict[str, list[list[str]]] = {}
    current: list[list[str]] = []
    for line in read_lines(path):
        words = line.split("#")[0].split()
        if words and words[0].startswith(":"):
            current = sections.setdefault(words[0][1:].lower(), [words[1:]] if words[1:] else [])
        elif words:
            current.append(words)
    return sections


def _blocks(lines: list[list[str]]) -> list[list[list[str]]]:
    """The lines between each begin and its end."""
    blocks: list[list[list[str]]] = []
    for line in lines:
        if line[0] == "begin":
            blocks.append([])
        elif line[0] != "end":
            blocks[-1].append(line)
    return blocks


def _motion(path: Path, dof: dict[str, int]) -> tuple[dict[str, FloatArray], bool | None]:
    """For each moving bone its numbers (time, dof); and whether they are degrees (None: the file does not say)."""
    in_degrees: bool | None = None
    rows: dict[str, list[list[str]]] = {name: [] for name, number in dof.items() if number}
    frame = 0
    for number, line in enumerate(read_lines(path), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if words[0].startswith(":"):
            in_degrees = {":degrees": True, ":radians": False}.get(words[0].lower(), in_degrees)
        elif len(words) == 1 and words[0].isdigit():
            _check_complete(path, rows, frame)
            frame += 1
        elif words[0] in rows and frame:
            if len(words) - 1 != dof[words[0]]:
                raise InputError(
                    f"{path}: line {number}: {words[0]} has {len(words) - 1} numbers, in the skeleton {dof[words[0]]}"
                )
            rows[words[0]].append(words[1:])
        else:
            raise InputError(
                f"{path}: line {number}: {words[0]!r} is neither a frame number nor a moving bone of this skeleton"
            )
    if not frame:
        raise InputError(f"{path}: is not an .amc motion: it has no frame")
    _check_complete(path, rows, frame)
    try:
        motion = {name: np.array(values, dtype=float) for name, values in rows.items()}
    except ValueError as error:
        raise InputError(f"{path}: the file has a word where a number is expected ({error})") from None
    bad = [name for name, values in motion.items() if not (np.abs(values) < _LARGEST).all()]
    if bad:
        raise InputError(f"{path}: {', '.join(bad)} has a value that is NaN, infinite, or beyond {_LARGEST:g}")
    return motion, in_degrees


def _check_complete(path: Path, rows: dict[str, list[list[str]]], frame: int) -> None:
    """Every frame names every moving bone once."""
    for name, values in rows.items():
        if len(values) != frame:
            raise InputError(
                f"{path}: frame {frame} has {name} {len(values) - frame + 1} times, not once; the file is cut"
            )
