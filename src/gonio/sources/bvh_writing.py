"""A sequence of joints as a Biovision file: the rotations of a rig that stands where the joints are.

Points have no axes, so the rotations are chosen: each joint turns so that its bones point where they do, and otherwise
as its parent does. With o the bones to its children in the rig's rest pose and v what they are now, both of unit
length, a joint's axes in the world are the rotation G that makes sum v . G o + e trace(G^T G_parent) largest, e small
(Wahba 1965; by singular values, Markley 1988): with several children it is fixed by them, with one the turn about the
bone is the parent's, with none all of it.

The rest pose has the directions of the first frame, and each bone's median length. Measured bones change in length,
which rotations cannot show: every joint has position channels too, which take the place of its offset and give the
joints back exactly. A program that passes over the positions of all joints but the root shows a figure whose bones
point the same way, with constant lengths.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gonio.core.arrays import FloatArray
from gonio.core.files import replacing
from gonio.core.sequence import PoseSequence
from gonio.errors import InputError
from gonio.sources.lost import lost_fields

_UNITS_PER_M = 100.0
_PARENT = 1e-3  # e: how much the parent's axes count against a bone's direction
_OFF_GRID = 0.1  # of an interval
_CHANNELS = "CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation"


def write(sequence: PoseSequence, path: Path) -> tuple[str, ...]:
    """Writes centimetres, y up, angles in the order Z, X, Y, nine decimals; returns what was lost.

    Joints that are missing throughout are left out. A skeleton in several pieces hangs on its largest one.
    Raises `InputError` for 2D, no frame, a joint that is missing for a while, times that no frame rate gives, and names
    with a blank.
    """
    path = Path(path)
    if not isinstance(sequence, PoseSequence) or sequence.dimensions != 3:
        raise InputError(f"{path}: a .bvh file holds one person in 3D; write 2D as .csv, .npz or OpenPose JSON")
    if not len(sequence):
        raise InputError(f"{path}: there is no frame to write")
    lost = list(lost_fields(sequence, "confidence", "status", "covariance", "source", "history"))
    lost.append("the unit is lost: read the file with --unit cm")
    sequence = _complete(sequence, path, lost)
    frame_time_s = _frame_time(sequence, path, lost)
    if sequence.up is None:
        lost.append("which axis points up is not known: the axes are written as they are, programs take y as up")
    else:
        sequence = sequence.with_up("+y")
    parents = _one_tree(sequence, lost)
    children = [[c for c, p in enumerate(parents) if p == joint] for joint in range(len(parents))]
    order = _depth_first(parents.index(-1), children)

    positions = sequence.positions * _UNITS_PER_M
    bones = positions - positions[:, parents]  # the root's is not used
    rest = _rest_pose(bones)
    axes = np.broadcast_to(np.eye(3), (*bones.shape[:2], 3, 3)).copy()
    columns: list[FloatArray] = []
    for joint in order:
        parent = parents[joint]
        above = np.broadcast_to(np.eye(3), (len(sequence), 3, 3)) if parent < 0 else axes[:, parent]
        axes[:, joint] = _axes(rest[children[joint]], bones[:, children[joint]], above)
        back = np.swapaxes(above, 1, 2)
        place = positions[:, joint] if parent < 0 else (back @ bones[:, joint, :, None])[..., 0]
        columns += [place, np.rad2deg(_angles_zxy(back @ axes[:, joint]))]
    names = sequence.skeleton.joints
    lines = ["HIERARCHY", *_hierarchy(names, rest, children, order[0], 0)]
    lines += ["MOTION", f"Frames: {len(sequence)}", f"Frame Time: {frame_time_s:.9g}"]
    rows = np.char.mod("%.9f", np.concatenate(columns, axis=1))
    with replacing(path) as temporary:
        temporary.write_text("\n".join([*lines, *(" ".join(row) for row in rows.tolist())]) + "\n", encoding="utf-8")
    return tuple(lost)


def _complete(sequence: PoseSequence, path: Path, lost: list[str]) -> PoseSequence:
    """The joints that are there in every frame."""
    there = np.asarray(sequence.valid)
    names = sequence.skeleton.joints
    for joint in names:
        if not joint or joint.split() != [joint] or set(joint) & set("{}"):
            raise InputError(f"{path}: the joint name {joint!r} cannot stand in a .bvh file")
    gaps = [j for j in range(len(names)) if there[:, j].any() and not there[:, j].all()]
    if gaps:
        count = int((~there[:, gaps[0]]).sum())
        raise InputError(
            f"{path}: {names[gaps[0]]} is missing in {count} of {len(sequence)} frames; .bvh has no missing joints: "
            f"fill the gaps or choose frames without them"
        )
    kept = [name for j, name in enumerate(names) if there[:, j].any()]
    if not kept:
        raise InputError(f"{path}: holds no joint at all")
    if len(kept) < len(names):
        lost.append(f"joints that are missing throughout are lost: {', '.join(n for n in names if n not in kept)}")
    return sequence.select(kept)


def _frame_time(sequence: PoseSequence, path: Path, lost: list[str]) -> float:
    """Seconds a frame."""
    times = sequence.times_s
    if times[0] != 0:
        lost.append(f"the time of the first frame ({times[0]:.6g} s) is lost: it is read as 0")
    if len(times) == 1:
        lost.append("the frame rate of one frame is not known: 30 per second is written")
        return 1 / 30
    interval = float(times[-1] - times[0]) / (len(times) - 1)
    if (np.abs(times - times[0] - interval * np.arange(len(times))) > _OFF_GRID * interval).any():
        raise InputError(
            f"{path}: the frames are not evenly spaced in time, and .bvh holds one frame time: write them at a "
            f"steady rate with --fps-out"
        )
    return interval


def _one_tree(sequence: PoseSequence, lost: list[str]) -> list[int]:
    """The parents, with the roots of all pieces but the largest hanging on the largest one's."""
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
        lost.append(f"joints without a parent hang on {names[main]}: {', '.join(names[joint] for joint in others)}")
    return [main if joint in others else parent for joint, parent in enumerate(parents)]


def _depth_first(joint: int, children: list[list[int]]) -> list[int]:
    return [joint, *(each for child in children[joint] for each in _depth_first(child, children))]


def _rest_pose(bones: FloatArray) -> FloatArray:
    """(joint, 3) each joint from its parent: the first frame's direction, the median length."""
    lengths = np.linalg.norm(bones, axis=2)
    return np.asarray(bones[0] * (np.median(lengths, axis=0) / np.maximum(lengths[0], 1e-9))[:, None])


def _axes(rest: FloatArray, bones: FloatArray, parents: FloatArray) -> FloatArray:
    """(time, 3, 3) the rotation of `rest` (child, 3) to `bones` (time, child, 3) that is nearest to `parents`."""
    o, v = (each / np.maximum(np.linalg.norm(each, axis=-1, keepdims=True), 1e-9) for each in (rest, bones))
    u, _, vt = np.linalg.svd(np.einsum("tci,cj->tij", v, o) + _PARENT * parents)
    u[..., 2] *= np.linalg.det(u @ vt)[:, None]
    return np.asarray(u @ vt)


def _angles_zxy(rotations: FloatArray) -> FloatArray:
    """(time, 3, 3) -> (time, 3) radians about z, x, y: R = Rz Rx Ry. Where x is a quarter turn, y is 0."""
    R = rotations
    x = np.arctan2(R[:, 2, 1], np.hypot(R[:, 0, 1], R[:, 1, 1]))
    locked = np.hypot(R[:, 0, 1], R[:, 1, 1]) < 1e-7
    z = np.where(locked, np.arctan2(R[:, 1, 0], R[:, 0, 0]), np.arctan2(-R[:, 0, 1], R[:, 1, 1]))
    y = np.where(locked, 0.0, np.arctan2(-R[:, 2, 0], R[:, 2, 2]))
    return np.stack([z, x, y], axis=1)


def _hierarchy(
    names: tuple[str, ...], rest: FloatArray, children: list[list[int]], joint: int, depth: int
) -> list[str]:
    """The lines of a joint and all below it. An end site of no length tells programs that the branch ends there."""
    x, y, z = rest[joint] if depth else np.zeros(3)
    below = [line for child in children[joint] for line in _hierarchy(names, rest, children, child, depth + 1)]
    end = ["\tEnd Site", "\t{", "\t\tOFFSET 0 0 0", "\t}"]
    lines = [
        f"{'JOINT' if depth else 'ROOT'} {names[joint]}",
        "{",
        f"\tOFFSET {x:.9g} {y:.9g} {z:.9g}",
        f"\t{_CHANNELS}",
    ]
    return [*lines, *(("\t" + line for line in below) if below else end), "}"]
