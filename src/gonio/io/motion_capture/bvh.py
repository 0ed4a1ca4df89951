"""Biovision files (.bvh): the joint hierarchy of a rig, then one row of channel values per frame. Text.

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

Reading. Angles are in degrees. The rotation of a joint is the product of its rotation channels in the order of the
CHANNELS line: Zrotation Xrotation Yrotation is R = Rz Rx Ry, about the moved axes. A position channel replaces that
coordinate of the joint's OFFSET. Programs differ only for a root whose OFFSET is not 0: Biovision's description and
iClone add the OFFSET to the position channels, Blender and MotionBuilder do not. The wrong choice shifts the whole
figure. An end site becomes the joint `<parent>_end`. An end site with OFFSET 0 only marks the end of a branch and is
left out. The file contains neither its unit nor its vertical axis: the caller declares the unit, and y is up by
default, as is usual.

Writing. A sequence has positions but no rotations, so the rotations are chosen. Each joint turns so that its bones have
the measured directions; the rest of its rotation is that of its parent. Let o be the bones to the children in the rest
pose and v the same bones in a frame, both of unit length. The axes of the joint in the world are the rotation G that
makes sum v . G o + e trace(G^T G_parent) largest, with a small e (Wahba 1965; solved by singular values, Markley 1988).
Several children determine G. With one child, the rotation about the bone comes from the parent. With no child, the
whole rotation comes from the parent.

The rest pose has the bone directions of the first frame and the median length of each bone. Measured bones change in
length, and rotations cannot represent this. Therefore every joint has position channels too. They replace its OFFSET
and reproduce the joint positions exactly. A program that ignores the position channels of all joints except the root
shows a figure with the same bone directions and constant bone lengths.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from gonio.core.arrays import FloatArray
from gonio.core.errors import InputError, one_line
from gonio.core.files import replacing
from gonio.core.sequence import Axis, PoseSequence, Source
from gonio.core.skeleton import Skeleton
from gonio.io.motion_capture.forward_kinematics import euler_rotations, joint_positions
from gonio.io.motion_capture.rig_layouts import BVH_RIGS, body_skeleton
from gonio.io.reading import METRES, first_line, is_rate, naming, read_lines
from gonio.io.writing import unsupported_fields

_UNITS_PER_M = 100.0
_PARENT = 1e-3  # e: weight of the parent's axes relative to a bone's direction
_OFF_GRID = 0.1  # largest deviation from even spacing, as a fraction of the frame interval
_CHANNELS = "CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation"


def write(sequence: PoseSequence, path: Path) -> tuple[str, ...]:
    """Writes centimetres, y up, angles in the order Z, X, Y, nine decimals. Returns what the format does not preserve.

    Joints that are missing in all frames are left out. If the skeleton has several roots, the smaller trees become
    children of the largest tree's root. Raises `InputError` for 2D, for no frame, for a joint that is missing in some
    frames, for times that are not evenly spaced, and for names with a blank.
    """
    path = Path(path)
    if not isinstance(sequence, PoseSequence) or sequence.dimensions != 3:
        raise InputError(f"{path}: a .bvh file holds one person in 3D; write 2D as .csv, .npz or OpenPose JSON")
    if not len(sequence):
        raise InputError(f"{path}: there is no frame to write")
    not_preserved = list(unsupported_fields(sequence, "confidence", "status", "covariance", "source", "history"))
    not_preserved.append("the file does not contain its unit: read it with --unit cm")
    sequence = _complete(sequence, path, not_preserved)
    frame_time_s = _frame_time(sequence, path, not_preserved)
    if sequence.up is None:
        not_preserved.append(
            "the vertical axis is not known: the axes are written unchanged, programs assume that y is up"
        )
    else:
        sequence = sequence.with_up("+y")
    parents = _one_tree(sequence, not_preserved)
    children = [[c for c, p in enumerate(parents) if p == joint] for joint in range(len(parents))]
    order = _depth_first(parents.index(-1), children)

    positions = sequence.positions * _UNITS_PER_M
    bones = positions - positions[:, parents]  # the root's is not used
    rest = _rest_pose(bones)
    axes = np.broadcast_to(np.eye(3), (*bones.shape[:2], 3, 3)).copy()
    columns: list[FloatArray] = []
    for joint in order:
        parent = parents[joint]
        parent_axes = np.broadcast_to(np.eye(3), (len(sequence), 3, 3)) if parent < 0 else axes[:, parent]
        axes[:, joint] = _axes(rest[children[joint]], bones[:, children[joint]], parent_axes)
        into_parent = np.swapaxes(parent_axes, 1, 2)
        position = positions[:, joint] if parent < 0 else (into_parent @ bones[:, joint, :, None])[..., 0]
        columns += [position, np.rad2deg(_angles_zxy(into_parent @ axes[:, joint]))]
    names = sequence.skeleton.joints
    lines = ["HIERARCHY", *_hierarchy_lines(names, rest, children, order[0], 0)]
    lines += ["MOTION", f"Frames: {len(sequence)}", f"Frame Time: {frame_time_s:.9g}"]
    rows = np.char.mod("%.9f", np.concatenate(columns, axis=1))
    with replacing(path) as temporary:
        temporary.write_text(
            "\n".join([*lines, *(" ".join(row) for row in rows.tolist())]) + "\n", encoding="utf-8", newline="\n"
        )
    return tuple(not_preserved)


def _complete(sequence: PoseSequence, path: Path, not_preserved: list[str]) -> PoseSequence:
    """The joints that are present in every frame."""
    present = np.asarray(sequence.valid)
    names = sequence.skeleton.joints
    for joint in names:
        if not joint or joint.split() != [joint] or set(joint) & set("{}"):
            raise InputError(
                f"{path}: the joint name {joint!r} is not possible in a .bvh file: it is empty or "
                f"has a blank or a brace"
            )
    gaps = [j for j in range(len(names)) if present[:, j].any() and not present[:, j].all()]
    if gaps:
        count = int((~present[:, gaps[0]]).sum())
        raise InputError(
            f"{path}: {names[gaps[0]]} is missing in {count} of {len(sequence)} frames; a .bvh file cannot store "
            f"missing joints: fill the gaps or choose frames without them"
        )
    kept = [name for j, name in enumerate(names) if present[:, j].any()]
    if not kept:
        raise InputError(f"{path}: there is no joint to write: all are missing in all frames")
    if len(kept) < len(names):
        not_preserved.append(
            f"joints that are missing in all frames are left out: {', '.join(n for n in names if n not in kept)}"
        )
    return sequence.select(kept)


def _frame_time(sequence: PoseSequence, path: Path, not_preserved: list[str]) -> float:
    """Seconds per frame."""
    times = sequence.times_s
    if times[0] != 0:
        not_preserved.append(f"the time of the first frame ({times[0]:.6g} s) is not stored: it is read as 0")
    if len(times) == 1:
        not_preserved.append("one frame has no frame rate: 30 per second is written")
        return 1 / 30
    interval = float(times[-1] - times[0]) / (len(times) - 1)
    if (np.abs(times - times[0] - interval * np.arange(len(times))) > _OFF_GRID * interval).any():
        raise InputError(
            f"{path}: the frames are not evenly spaced in time, and a .bvh file has one frame time: write them at a "
            f"constant rate with --fps-out"
        )
    return interval


def _one_tree(sequence: PoseSequence, not_preserved: list[str]) -> list[int]:
    """The parents. The roots of all trees except the largest become children of the largest tree's root."""
    parents = list(sequence.skeleton.parents)

    def root_of(joint: int) -> int:
        while parents[joint] >= 0:
            joint = parents[joint]
        return joint

    sizes = np.bincount([root_of(joint) for joint in range(len(parents))], minlength=len(parents))
    main = int(sizes.argmax())
    others = [joint for joint, parent in enumerate(parents) if parent < 0 and joint != main]
    if others:
        names = sequence.skeleton.joints
        moved = ", ".join(names[joint] for joint in others)
        not_preserved.append(f"joints without a parent are written as children of {names[main]}: {moved}")
    return [main if joint in others else parent for joint, parent in enumerate(parents)]


def _depth_first(joint: int, children: list[list[int]]) -> list[int]:
    return [joint, *(each for child in children[joint] for each in _depth_first(child, children))]


def _rest_pose(bones: FloatArray) -> FloatArray:
    """(joint, 3) each joint relative to its parent: direction of the first frame, median length."""
    lengths = np.linalg.norm(bones, axis=2)
    return np.asarray(bones[0] * (np.median(lengths, axis=0) / np.maximum(lengths[0], 1e-9))[:, None])


def _axes(rest: FloatArray, bones: FloatArray, parents: FloatArray) -> FloatArray:
    """(time, 3, 3) the rotation of `rest` (child, 3) to `bones` (time, child, 3) that is nearest to `parents`."""
    o, v = (each / np.maximum(np.linalg.norm(each, axis=-1, keepdims=True), 1e-9) for each in (rest, bones))
    u, _, vt = np.linalg.svd(np.einsum("tci,cj->tij", v, o) + _PARENT * parents)
    u[..., 2] *= np.linalg.det(u @ vt)[:, None]
    return np.asarray(u @ vt)


def _angles_zxy(rotations: FloatArray) -> FloatArray:
    """(time, 3, 3) -> (time, 3) radians about z, x, y: R = Rz Rx Ry. If x is a quarter turn, y is 0."""
    R = rotations
    x = np.arctan2(R[:, 2, 1], np.hypot(R[:, 0, 1], R[:, 1, 1]))
    locked = np.hypot(R[:, 0, 1], R[:, 1, 1]) < 1e-7
    z = np.where(locked, np.arctan2(R[:, 1, 0], R[:, 0, 0]), np.arctan2(-R[:, 0, 1], R[:, 1, 1]))
    y = np.where(locked, 0.0, np.arctan2(-R[:, 2, 0], R[:, 2, 2]))
    return np.stack([z, x, y], axis=1)


def _hierarchy_lines(
    names: tuple[str, ...], rest: FloatArray, children: list[list[int]], joint: int, depth: int
) -> list[str]:
    """The lines of a joint and its descendants. An end site with OFFSET 0 marks the end of a branch."""
    x, y, z = rest[joint] if depth else np.zeros(3)
    below = [line for child in children[joint] for line in _hierarchy_lines(names, rest, children, child, depth + 1)]
    end = ["\tEnd Site", "\t{", "\t\tOFFSET 0 0 0", "\t}"]
    lines = [
        f"{'JOINT' if depth else 'ROOT'} {names[joint]}",
        "{",
        f"\tOFFSET {x:.9g} {y:.9g} {z:.9g}",
        f"\t{_CHANNELS}",
    ]
    return [*lines, *(("\t" + line for line in below) if below else end), "}"]


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
        """A new joint without offset and channels; an end site is named after its parent. Returns its index."""
        self.joints.append(f"{self.joints[parent]}_end" if kind == "End" else name)
        self.is_end.append(kind == "End")
        self.parents.append(parent)
        self.offsets.append([])
        self.channels.append([])
        return len(self.joints) - 1

    def leave_out_empty_ends(self) -> int:
        """Removes the end sites with OFFSET 0 (they have no channels and no children). Returns their number."""
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

    unit     "m", "cm", "mm", or the length of the file's unit in metres; required
    rate_hz  replaces the file's Frame Time, which many converters set wrongly
    add_root_offset  the root's position is its OFFSET plus its position channels, as iClone writes it

    Joints of known rigs (`rig_layouts`) get gonio's names. Other joints keep theirs. The frame is "world", named
    after the file. Raises `InputError` if the file is absent, of another format, cut or damaged, or if the unit is not
    declared.
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
        history.append(f"{rate_hz:g} frames per second as declared; the file says {1 / frame_time_s:.6g} per second")
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
            f"{path}: a .bvh file does not contain its unit; declare it with --unit (its longest "
            f"bone is {longest:.4g}; "
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
    named: int | None = None  # the joint whose { has not been read yet
    words = _words(lines)
    try:
        if next(words)[1] != "HIERARCHY":
            raise InputError(f"{path}: is not a .bvh file: its first word is not HIERARCHY")
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
                    raise InputError(f"{path}: line {number}: {word!r} is not possible here")
    except ValueError:
        raise InputError(f"{path}: line {number}: a number is expected after {word}") from None
    except StopIteration:
        pass
    raise InputError(f"{path}: the file ends inside the hierarchy; export it again")


def _words(lines: list[str]) -> Iterator[tuple[int, str]]:
    """(line number counted from 1, word), lazily: the motion below the hierarchy is not split."""
    return ((number, word) for number, line in enumerate(lines, 1) for word in line.split())


def _channel(path: Path, number: int, name: str) -> tuple[str, str]:
    axis, kind = name[:1].lower(), name[1:].lower()
    if axis not in ("x", "y", "z") or kind not in ("position", "rotation"):
        raise InputError(f"{path}: line {number}: channel {name!r} is not known")
    return kind, axis


def _motion_header(path: Path, lines: list[str], start: int) -> tuple[int, float, int]:
    """The number that Frames: states, seconds per frame, and the index of the first row."""
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
    """(time, channel) numbers as in the file, and sentences for the history."""
    rows = [line for line in lines if line.strip()]
    if not rows:
        raise InputError(f"{path}: the file has a hierarchy but no frame")
    for i in {0, len(rows) - 1}:
        if (n_numbers := len(rows[i].split())) != n_channels:
            raise InputError(f"{path}: frame {i + 1} has {n_numbers} numbers, the hierarchy has {n_channels} channels")
    if len(rows) < n_frames:
        raise InputError(f"{path}: {len(rows)} frames found, Frames: states {n_frames}: the file is cut")
    try:
        table = np.loadtxt(rows, comments=None, ndmin=2)
    except ValueError as error:
        raise InputError(f"{path}: a row of the motion is not {n_channels} numbers ({one_line(error)})") from None
    if not np.isfinite(table).all():
        raise InputError(f"{path}: frame {int(np.argmin(np.isfinite(table).all(axis=1))) + 1} has NaN or infinity")
    more_than_stated = len(rows) > n_frames
    return table, [f"Frames: states {n_frames}, the file has {len(rows)}: all are read"] if more_than_stated else []


def _pose(rig: _Rig, table: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Offsets (time, joint, 3) in the file's unit and rotations (time, joint, 3, 3)."""
    n_joints = len(rig.joints)
    offsets = np.broadcast_to(np.array(rig.offsets), (len(table), n_joints, 3)).copy()
    rotations = np.broadcast_to(np.eye(3), (len(table), n_joints, 3, 3)).copy()
    column = 0
    for joint, channels in enumerate(rig.channels):
        values = table[:, column : column + len(channels)]
        column += len(channels)
        rotating = [i for i, (kind, _) in enumerate(channels) if kind == "rotation"]
        rotations[:, joint] = euler_rotations(
            np.deg2rad(values[:, rotating]), "".join(channels[i][1] for i in rotating)
        )
        for i, (kind, axis) in enumerate(channels):
            if kind == "position":
                offsets[:, joint, "xyz".index(axis)] = values[:, i]
    return offsets, rotations
