"""Biovision files (.bvh): a rig's hierarchy, then a row of channels a frame. Text.

    HIERARCHY
    ROOT hip
    {
      OFFSET 0 0 0
      CHANNELS 6 Xposition Yposition Zposition Zrotation Yrotation Xrotation
      JOINT lThigh
      {
        OFFSET 8.8 2.6 -1.0
        CHANNELS 3 Zrotation Xrotation Yrotation
        End Site
        {
          OFFSET 0 -37 0.7
        }
      }
    }
    MOTION
    Frames: 2
    Frame Time: 0.008333
    0 92 0 1.5 0 -2 ...

Angles are degrees. A joint's rotation is the product of its channels in the order in which they are named: Zrotation
Xrotation Yrotation is R = Rz Rx Ry, about the moved axes. A position channel takes the place of that coordinate of the
offset. Programs differ only over a root whose offset is not 0: Biovision's description and iClone add its channels to
it, Blender and MotionBuilder do not; the whole figure then stands shifted. An end site becomes the joint
`<parent>_end`, unless its offset is 0: such a one only says that the branch ends. The file says neither its unit nor
its vertical: the unit is declared, and y is up, as is usual.

`write` is in `bvh_writing`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from gonio.core.arrays import FloatArray
from gonio.core.sequence import Axis, PoseSequence, Source
from gonio.core.skeleton import Skeleton
from gonio.errors import InputError
from gonio.sources.bvh_writing import write
from gonio.sources.kinematics import euler_rotations, joint_positions
from gonio.sources.reading import METRES, first_line, is_rate, naming, read_lines, reason
from gonio.sources.rig_joints import BVH_RIGS, body_skeleton

__all__ = ["read", "recognise", "write"]


@dataclass
class _Rig:
    """The hierarchy while it is read. `channels` has, for each joint, its (kind, axis) in the order of the columns."""

    joints: list[str] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    offsets: list[list[float]] = field(default_factory=list)
    channels: list[list[tuple[str, str]]] = field(default_factory=list)
    is_end: list[bool] = field(default_factory=list)

    def add(self, kind: str, name: str, parent: int) -> int:
        """A new joint without offset and channels; an end site is named for its parent. Returns its number."""
        self.joints.append(f"{self.joints[parent]}_end" if kind == "End" else name)
        self.is_end.append(kind == "End")
        self.parents.append(parent)
        self.offsets.append([])
        self.channels.append([])
        return len(self.joints) - 1

    def leave_out_empty_ends(self) -> int:
        """Removes the end sites that lie at their parents (they have no channels, no children); returns how many."""
        kept = [i for i, offset in enumerate(self.offsets) if any(offset) or not self.is_end[i]]
        n_ends = len(self.joints) - len(kept)
        self.parents = [kept.index(p) if (p := self.parents[i]) >= 0 else -1 for i in kept]
        self.joints, self.offsets = [self.joints[i] for i in kept], [self.offsets[i] for i in kept]
        self.channels = [self.channels[i] for i in kept]
        self.is_end = [self.is_end[i] for i in kept]
        return n_ends


def recognise(path: Path) -> bool:
    """A file whose first word is HIERARCHY."""
    return first_line(Path(path)).split()[:1] == ["HIERARCHY"]


def read(
    path: Path,
    *,
    unit: str | float | None = None,
    rate_hz: float | None = None,
    up: Axis | None = "+y",
    add_root_offset: bool = False,
) -> PoseSequence:
    """The rig's joints and end sites over time, in metres; frame i has the time i / rate.

    unit     "m", "cm", "mm", or the metres of one of the file's units; it must be declared
    rate_hz  takes the place of the file's Frame Time, which converters often set without looking
    add_root_offset  the root stands at its offset plus its position channels, as iClone writes it

    Joints of known rigs (`rig_joints`) get gonio's names, others stay. The frame is "world", named for the file.
    Raises `InputError` where the file is absent, foreign or cut, the unit is not declared, or the rig is damaged.
    """
    path = Path(path)
    lines = read_lines(path)
    rig, start = _hierarchy(path, lines)
    for joint, offset in zip(rig.joints, rig.offsets, strict=True):
        if len(offset) != 3 or not np.isfinite(offset).all():
            raise InputError(f"{path}: joint {joint} has no OFFSET of three finite numbers")
    n_ends = rig.leave_out_empty_ends()
    metres = _metres(path, unit, rig)
    n_frames, frame_time_s, first_row = _motion_header(path, lines, start)
    if rate_hz is None:
        rate_hz = 1 / frame_time_s
    if not is_rate(rate_hz):
        raise InputError(f"{path}: a frame rate of {rate_hz:g} per second is not possible")
    table, history = _table(path, lines[first_row:], sum(len(channels) for channels in rig.channels), n_frames)
    if n_ends:
        history.append(f"{n_ends} end sites without a length left out")
    if lines[-1]:
        history.append("the file does not end with a line end: its last number may be cut")
    if abs(rate_hz * frame_time_s - 1) > 0.01:
        history.append(f"{rate_hz:g} frames per second as declared; the file says {1 / frame_time_s:.6g}")
    offsets, rotations = _pose(rig, table)
    if any(rig.offsets[0]) and any(kind == "position" for kind, _ in rig.channels[0]):
        if add_root_offset:
            offsets[:, 0] += rig.offsets[0]
        history.append(
            f"the root's offset {rig.offsets[0]} {'added to' if add_root_offset else 'replaced by'} its channels"
        )
    with naming(path):
        skeleton, known = body_skeleton(Skeleton("bvh", tuple(rig.joints), tuple(rig.parents)), BVH_RIGS)
        if known:
            history.append(f"{known} of {len(rig.joints)} joint names translated")
        return PoseSequence(
            positions=joint_positions(rig.parents, offsets, rotations) * metres,
            times_s=np.arange(len(table)) / rate_hz,
            skeleton=skeleton,
            unit="m",
            frame="world",
            frame_name=path.stem,
            up=up,
            source=Source(method="bvh", file=str(path)),
            history=(
                f"{len(table)} frames of {len(rig.joints)} joints read from {path.name}, 1 = {metres:g} m",
                *history,
            ),
        )


def _metres(path: Path, unit: str | float | None, rig: _Rig) -> float:
    if unit is None:
        longest = max(float(np.linalg.norm(offset)) for offset in rig.offsets)
        raise InputError(
            f"{path}: a .bvh file does not say its unit; declare it with --unit (its longest bone is {longest:.4g}; "
            f"a thigh is 0.4 m)"
        )
    if isinstance(unit, str):
        if unit not in METRES:
            raise InputError(f"{path}: unit {unit!r} is not known; 3D positions are in {', '.join(METRES)}")
        return METRES[unit]
    if not (np.isfinite(unit) and unit > 0):
        raise InputError(f"{path}: a unit of {unit} m is not possible")
    return float(unit)


def _hierarchy(path: Path, lines: list[str]) -> tuple[_Rig, int]:
    """The rig, and the number of the line after MOTION."""
    rig = _Rig()
    open_joints: list[int] = []
    named: int | None = None  # the joint whose { is yet to come
    words = _words(lines)
    try:
        if next(words)[1] != "HIERARCHY":
            raise InputError(f"{path}: is no .bvh file: its first word is not HIERARCHY")
        for number, word in words:
            match word:
                case "ROOT" | "JOINT" | "End" if named is None and (word == "ROOT") == (not open_joints):
                    named = rig.add(word, next(words)[1], open_joints[-1] if open_joints else -1)
                case "{" if named is not None:
                    open_joints.append(named)
                    named = None
                case "}" if open_joints:
                    open_joints.pop()
                case "OFFSET" if open_joints:
                    rig.offsets[open_joints[-1]] = [float(next(words)[1]) for _ in range(3)]
                case "CHANNELS" if open_joints:
                    names = [next(words)[1] for _ in range(int(next(words)[1]))]
                    rig.channels[open_joints[-1]] = [_channel(path, number, name) for name in names]
                case "MOTION" if rig.joints and not open_joints and named is None:
                    return rig, number
                case _:
                    raise InputError(f"{path}: line {number}: {word!r} stands where it cannot")
    except ValueError:
        raise InputError(f"{path}: line {number}: a number is expected after {word}") from None
    except StopIteration:
        pass
    raise InputError(f"{path}: ends inside the hierarchy; export it again")


def _words(lines: list[str]) -> Iterator[tuple[int, str]]:
    """(line number counted from 1, word), lazily: the motion below the hierarchy is not split."""
    return ((number, word) for number, line in enumerate(lines, 1) for word in line.split())


def _channel(path: Path, number: int, name: str) -> tuple[str, str]:
    axis, kind = name[:1].lower(), name[1:].lower()
    if axis not in ("x", "y", "z") or kind not in ("position", "rotation"):
        raise InputError(f"{path}: line {number}: channel {name!r} is not known")
    return kind, axis


def _motion_header(path: Path, lines: list[str], start: int) -> tuple[int, float, int]:
    """Frames promised, seconds a frame, and the index of the first row."""
    found: dict[str, str] = {}
    for index in range(start, len(lines)):
        key, colon, value = lines[index].partition(":")
        if not colon and lines[index].strip():
            break
        found[" ".join(key.lower().split())] = value
        if "frames" in found and "frame time" in found:
            break
    try:
        n_frames, frame_time_s = int(found["frames"]), float(found["frame time"])
    except (KeyError, ValueError):
        raise InputError(f"{path}: MOTION is not followed by Frames: and Frame Time:") from None
    if not (np.isfinite(frame_time_s) and frame_time_s > 0):
        raise InputError(f"{path}: a Frame Time of {frame_time_s:g} s is not possible; declare the rate with --fps")
    return n_frames, frame_time_s, index + 1


def _table(path: Path, lines: list[str], n_channels: int, n_frames: int) -> tuple[FloatArray, list[str]]:
    """(time, channel) numbers as they stand in the file, and words for the history."""
    rows = [line for line in lines if line.strip()]
    if not rows:
        raise InputError(f"{path}: has a hierarchy but no frame")
    for i in {0, len(rows) - 1}:
        if (n_numbers := len(rows[i].split())) != n_channels:
            raise InputError(f"{path}: frame {i + 1} has {n_numbers} numbers, the hierarchy has {n_channels} channels")
    if len(rows) < n_frames:
        raise InputError(f"{path}: {len(rows)} frames found, Frames: promises {n_frames}: the file is cut")
    try:
        table = np.loadtxt(rows, comments=None, ndmin=2)
    except ValueError as error:
        raise InputError(f"{path}: a row of the motion is not {n_channels} numbers ({reason(error)})") from None
    if not np.isfinite(table).all():
        raise InputError(f"{path}: frame {int(np.argmin(np.isfinite(table).all(axis=1))) + 1} holds NaN or infinity")
    more = len(rows) > n_frames
    return table, [f"Frames: promises {n_frames}, the file holds {len(rows)}: all are read"] if more else []


def _pose(rig: _Rig, table: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Offsets (time, joint, 3) in the file's unit and rotations (time, joint, 3, 3)."""
    n_joints = len(rig.joints)
    offsets = np.broadcast_to(np.array(rig.offsets), (len(table), n_joints, 3)).copy()
    rotations = np.broadcast_to(np.eye(3), (len(table), n_joints, 3, 3)).copy()
    column = 0
    for joint, channels in enumerate(rig.channels):
        values = table[:, column : column + len(channels)]
        column += len(channels)
        turns = [i for i, (kind, _) in enumerate(channels) if kind == "rotation"]
        rotations[:, joint] = euler_rotations(np.deg2rad(values[:, turns]), "".join(channels[i][1] for i in turns))
        for i, (kind, axis) in enumerate(channels):
            if kind == "position":
                offsets[:, joint, "xyz".index(axis)] = values[:, i]
    return offsets, rotations
