"""The Kinect recorder's text: one row a frame, separated by blanks.

    # frame time_s head_x head_y head_z shoulder_center_x ...
    0 0.000000 0.0123 0.5561 2.871 ...

Frame number, time in seconds, then x y z in metres of the 20 joints in the recorder's own order
(`KINECT_RECORDER_20`), which is not that of the Kinect's SDK. Axes are the Kinect's: right-handed, y up, z from the
sensor to the person, x to the sensor's own left. A missing joint is `nan`; recorders also write 0 0 0.
A Kinect has 30 frames a second, more or less evenly; programs made for its recordings may count on that.
Rows of the same form in the order of the SDK are read if that order is declared. If no first line names the joints,
bones that cannot be a person's are refused.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gonio.core.errors import InputError
from gonio.core.files import replacing
from gonio.core.sequence import PoseSequence, Source
from gonio.core.skeleton import KINECT_RECORDER_20, KINECT_V1_20
from gonio.core.skeleton import layout as layout_of
from gonio.io.body_checks import check_order
from gonio.io.mirroring import mirror_warning
from gonio.io.reading import check_times, first_line, naming, not_a_number, read_lines
from gonio.io.writing import unmapped_joints, unsupported_fields

_COLUMNS = ("frame", "time_s", *(f"{joint}_{axis}" for joint in KINECT_RECORDER_20.joints for axis in "xyz"))
_ORDERS = (KINECT_RECORDER_20.name, KINECT_V1_20.name)
_RATE_HZ, _RATE_TOLERANCE = 30.0, 0.05
_CAMERA_TO_KINECT = np.diag([-1.0, -1.0, 1.0])  # x right, y down, z forward -> x left, y up, z forward


def recognise(path: Path) -> bool:
    """A file whose first line, comments left out, is a row of 62 numbers."""
    words = first_line(Path(path)).split()
    try:
        return len([float(word) for word in words]) == len(_COLUMNS)
    except ValueError:
        return False


def read(path: Path, *, layout: str | None = None) -> PoseSequence:
    """The recorded person. frame "world", named for the file, y up.

    layout  order of the joints: the recorder's where none is declared, or kinect-v1-20, that of the SDK

    A joint other than the hip centre at exactly 0 0 0 is taken as missing, and so is a whole row of zeros. Where the
    hip centre is at the origin in every frame the recording is root-relative, and the frame is "root".
    Raises `InputError` if the file is absent, empty, cut or not such a text, if the declared order is not that of its
    first line, and if that line names no order and the bones cannot be a person's (`body_checks.check_order`).
    """
    path = Path(path)
    lines = read_lines(path)
    skeleton = layout_of(layout or KINECT_RECORDER_20.name)
    if skeleton.name not in _ORDERS:
        raise InputError(f"{path}: has 20 joints of a Kinect v1; there are the orders {' and '.join(_ORDERS)}")
    named = lines[0].lstrip("# ").split() == list(_COLUMNS)
    if skeleton is not KINECT_RECORDER_20 and named:
        raise InputError(f"{path}: names its joints, in the order of {_ORDERS[0]}; declared was {skeleton.name}")
    numbered = [(i, line) for i, line in enumerate(lines, 1) if line.strip() and not line.lstrip().startswith("#")]
    numbers, rows = [number for number, _ in numbered], [row for _, row in numbered]
    if not rows:
        raise InputError(f"{path}: holds no frame; record it again")
    for number, row in numbered:
        if len(row.split()) != len(_COLUMNS):
            raise InputError(
                f"{path}: line {number} has {len(row.split())} numbers; the Kinect recorder writes {len(_COLUMNS)} "
                f"(frame, time, x y z of 20 joints)"
            )
    try:
        table = np.loadtxt(rows, comments=None, ndmin=2)
    except ValueError:
        raise not_a_number(path, [row.split() for row in rows], numbers) from None
    check_times(path, table[:, 1].tolist(), numbers)
    positions = table[:, 2:].reshape(len(table), len(KINECT_RECORDER_20), 3)
    zero = (positions == 0).all(axis=2)
    hip = skeleton.index("hip_center")
    empty = (zero | np.isnan(positions).any(axis=2)).all(axis=1)
    root_relative = bool(zero[~empty, hip].all()) and not empty.all()
    if root_relative:
        zero[~empty, hip] = False
    history = [f"{len(table)} frames read from {path.name}"]
    if lines[-1]:
        history.append("the file does not end with a line end: its last number may be cut")
    if zero.any():
        history.append(f"{int(zero.sum())} joints at 0 0 0 taken as missing")
    if root_relative:
        history.append("the hip centre is at the origin in every frame: the recording is root-relative")
    with naming(path):
        sequence = PoseSequence(
            positions=np.where(zero[..., None], np.nan, positions),
            times_s=table[:, 1],
            skeleton=skeleton,
            unit="m",
            frame="root" if root_relative else "world",
            frame_name=path.stem,
            up="+y",
            source=Source(method="kinect-recorder", file=str(path)),
            history=tuple(history),
        )
        if not named:
            check_order(sequence, _ORDERS)
        return sequence.derive(history=(*history, *mirror_warning(sequence)))


def write(sequence: PoseSequence, path: Path) -> tuple[str, ...]:
    """Writes the 20 joints, mapped by name, in the Kinect's axes; returns what is not preserved.

    Numbers have nine significant digits. The times are the sequence's own; a rate more than 5 % from the Kinect's is
    named in what is returned.
    A camera's axes (y down) are turned half a turn about z, which keeps z from the camera to the person; any other
    frame whose vertical is known is turned y up. Raises `InputError` for 2D and for a sequence without frames.
    """
    path = Path(path)
    if not isinstance(sequence, PoseSequence) or sequence.dimensions != 3:
        raise InputError(f"{path}: the Kinect recorder's text holds one person in 3D; write 2D as .csv or .npz")
    if not len(sequence):
        raise InputError(f"{path}: no frame to write")
    not_preserved = list(unsupported_fields(sequence, "confidence", "status", "covariance", "source", "history"))
    mapped = sequence.to_skeleton(KINECT_RECORDER_20)
    not_preserved += unmapped_joints(sequence, mapped)
    if abs(sequence.rate_hz - _RATE_HZ) > _RATE_TOLERANCE * _RATE_HZ:
        not_preserved.append(
            f"the rows keep their times, {sequence.rate_hz:.6g} a second; for programs that count on the Kinect's 30 "
            f"convert with --fps-out 30"
        )
    if sequence.frame == "camera" or sequence.up == "-y":
        positions = mapped.positions @ _CAMERA_TO_KINECT
    elif sequence.up is not None:
        positions = mapped.with_up("+y").positions
    else:
        positions = mapped.positions
        not_preserved.append("which axis points up is not known: the axes are written as they are")
    if sequence.frame == "root":
        not_preserved.append("the positions are root-relative; the file does not say so")
    rows = np.char.mod("%.9g", positions.reshape(len(sequence), -1)).tolist()
    lines = ["# " + " ".join(_COLUMNS)]
    lines += [
        f"{i} {time:.12g} " + " ".join(row)
        for i, (time, row) in enumerate(zip(sequence.times_s.tolist(), rows, strict=True))
    ]
    with replacing(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
    return tuple(not_preserved)
