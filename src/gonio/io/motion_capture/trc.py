"""Marker files of OpenSim and Pose2Sim (.trc): tab separated text.

    PathFileType  4  (X/Y/Z)  name
    DataRate  CameraRate  NumFrames  NumMarkers  Units  OrigDataRate  OrigDataStartFrame  OrigNumFrames
    60  60  100  21  m  60  0  100
    Frame#  Time  RHip  <tab>  <tab>  RKnee  ...
    <tab>  <tab>  X1  Y1  Z1  X2  ...
    1  0.0167  -0.065  0.902  -1.401  ...

OpenPose's and Pose2Sim's markers ("RHip", "LBigToe") are gonio's joints "right_hip" and "left_big_toe". Their names
are translated when a file is read, and written as OpenSim's marker sets expect them.

A missing marker is an empty cell (OpenSim does not accept NaN; gonio reads it as missing). The file does not name
its vertical axis: OpenSim's convention is y up. Units are m, cm or mm.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import numpy as np

from gonio.core.arrays import FloatArray
from gonio.core.errors import InputError
from gonio.core.files import replacing
from gonio.core.sequence import Axis, PoseSequence, Source
from gonio.io.joint_names import skeleton_of, spelled, translated
from gonio.io.reading import METRES, check_times, first_line, naming, not_a_number, read_lines
from gonio.io.writing import unsupported_fields

_HEADER_LINES = 5
_EMPTY_CELL = re.compile(r"\t *(?=\t|$)")


def recognise(path: Path) -> bool:
    """A file whose first word is PathFileType."""
    return first_line(Path(path)).startswith("PathFileType")


def read(path: Path, *, up: Axis | None = "+y") -> PoseSequence:
    """The markers as joints, in metres, with the times of the Time column.

    Known spellings become gonio's joint names (`joint_names.SPELLINGS`), others are kept.
    The frame is "world", named after the file.
    Raises `InputError` if the file is absent, of another format or cut, or its header does not agree with its columns.
    """
    path = Path(path)
    lines = read_lines(path)
    if not lines[0].startswith("PathFileType"):
        raise InputError(f"{path}: is no .trc file: its first line does not begin with PathFileType")
    if len(lines) <= _HEADER_LINES:
        raise InputError(f"{path}: the file ends inside the header; export it again")
    n_frames, metres, markers = _header(path, lines)
    table, numbers, history = _table(path, lines, len(markers))
    if len(table) < n_frames:
        raise InputError(f"{path}: {len(table)} frames found, the header states {n_frames}: the file is cut")
    if len(table) > n_frames:
        history.append(f"the header states {n_frames} frames, the file has {len(table)}: all are read")
    if np.isnan(table[:, 1]).any():
        raise InputError(f"{path}: line {numbers[int(np.argmax(np.isnan(table[:, 1])))]} has no time; export it again")
    check_times(path, table[:, 1].tolist(), numbers)

    joints = translated(markers)
    if lines[-1]:
        history.append("the file does not end with a line end: its last number may be cut")
    renamed = sum(joint != marker for joint, marker in zip(joints, markers, strict=True))
    if renamed:
        history.append(f"{renamed} of {len(markers)} marker names translated")
    points = table[:, 2:].reshape(len(table), len(markers), 3) * metres
    partial = np.isnan(points).any(axis=2) & ~np.isnan(points).all(axis=2)
    if partial.any():
        history.append(f"{int(partial.sum())} markers with only some of their coordinates taken as missing")
    with naming(path):
        return PoseSequence(
            positions=points,
            times_s=table[:, 1],
            skeleton=skeleton_of(joints, "trc"),
            unit="m",
            frame="world",
            frame_name=path.stem,
            up=up,
            source=Source(method="trc", file=str(path)),
            history=(f"{len(table)} frames of {len(markers)} markers read from {path.name}", *history),
        )


def write(sequence: PoseSequence, path: Path) -> tuple[str, ...]:
    """Writes metres, y up, Pose2Sim's marker names, ready for OpenSim; with nine significant digits.

    Returns what the format does not preserve.

    Raises `InputError` for 2D and for a sequence without frames.
    """
    path = Path(path)
    if not isinstance(sequence, PoseSequence) or sequence.dimensions != 3:
        raise InputError(f"{path}: a .trc file holds one person's 3D markers; write 2D as .csv, .npz or OpenPose JSON")
    if not len(sequence):
        raise InputError(f"{path}: there is no frame to write")
    for joint in sequence.skeleton.joints:
        if joint != joint.strip() or not joint or set(joint) & set("\t\r\n"):
            raise InputError(f"{path}: the joint name {joint!r} is not possible in a table separated by tabs")
    not_preserved = list(unsupported_fields(sequence, "confidence", "status", "covariance", "source", "history"))
    if sequence.up is None:
        not_preserved.append(
            "the vertical axis is not known: the axes are written unchanged, OpenSim assumes that y is up"
        )
    else:
        sequence = sequence.with_up("+y")
    if sequence.frame != "world":
        not_preserved.append(f"the positions are in the frame {sequence.frame!r}; the file does not say so")
    rate_hz = sequence.rate_hz if len(sequence) > 1 else 0.0
    if len(sequence) > 1 and np.ptp(np.diff(sequence.times_s)) * rate_hz > 0.01:
        not_preserved.append(
            "the frames are not evenly spaced in time, which OpenSim expects; their times are written unchanged"
        )

    markers, n_frames = spelled(sequence.skeleton.joints), len(sequence)
    rate = f"{rate_hz:.9g}"
    numbers = np.char.mod("%.9g", sequence.positions.reshape(n_frames, -1))
    cells = np.where(np.isnan(sequence.positions).reshape(n_frames, -1), "", numbers)
    header = (
        f"PathFileType\t4\t(X/Y/Z)\t{path.name}",
        "DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits\tOrigDataRate\tOrigDataStartFrame\tOrigNumFrames",
        f"{rate}\t{rate}\t{n_frames}\t{len(markers)}\tm\t{rate}\t1\t{n_frames}",
        "Frame#\tTime\t" + "\t\t\t".join(markers) + "\t\t",
        "\t\t" + "\t".join(f"X{i}\tY{i}\tZ{i}" for i in range(1, len(markers) + 1)),
    )
    rows = (
        f"{i}\t{time:.12g}\t" + "\t".join(row)
        for i, (time, row) in enumerate(zip(sequence.times_s.tolist(), cells.tolist(), strict=True), start=1)
    )
    with replacing(path) as temporary:
        temporary.write_text("\n".join((*header, *rows)) + "\n", encoding="utf-8", newline="\n")
    return tuple(not_preserved)


def _header(path: Path, lines: list[str]) -> tuple[int, float, list[str]]:
    """Number of frames, metres per unit, and the markers' names."""
    values = dict(zip(lines[1].split(), lines[2].split(), strict=False))
    try:
        n_frames, n_markers = (int(float(values[key])) for key in ("NumFrames", "NumMarkers"))
        unit = values["Units"]
    except (KeyError, ValueError, OverflowError):
        raise InputError(
            f"{path}: lines 2 and 3 do not give NumFrames, NumMarkers and Units; export it again"
        ) from None
    if unit.lower() not in METRES:
        raise InputError(f"{path}: unit {unit!r} is not known; a .trc file is in {', '.join(METRES)}: correct line 3")
    if "\t" not in lines[3]:
        raise InputError(f"{path}: line 4 is not separated by tabs; export it again as tab separated text")
    markers = [name.strip() for name in lines[3].split("\t")[2:] if name.strip()]
    if len(markers) != n_markers or not markers:
        raise InputError(f"{path}: line 4 names {len(markers)} markers, NumMarkers is {n_markers}; export it again")
    marker, count = Counter(markers).most_common(1)[0]
    if count > 1:
        raise InputError(f"{path}: line 4 names the marker {marker!r} {count} times; give each marker its own name")
    return n_frames, METRES[unit.lower()], markers


def _table(path: Path, lines: list[str], n_markers: int) -> tuple[FloatArray, list[int], list[str]]:
    """(row, 2 + 3 markers) numbers: frame, time, x, y, z..., NaN for empty cells; the rows' line numbers; and
    sentences for the history."""
    columns = 2 + 3 * n_markers
    numbered = [(i, line.rstrip()) for i, line in enumerate(lines[_HEADER_LINES:], _HEADER_LINES + 1) if line.strip()]
    short = 0
    rows: list[str] = []
    for number, line in numbered:
        lacking = columns - 1 - line.count("\t")
        if lacking < 0:
            raise InputError(f"{path}: line {number} has {columns - lacking} cells, the header has {columns} columns")
        short += lacking > 0 and len(lines[number - 1].split("\t")) < columns
        rows.append(_EMPTY_CELL.sub("\tnan", line + "\t" * lacking))
    if not rows:
        raise InputError(f"{path}: the file has a header but no frame")
    if lines[-1] and len(lines[-1].split("\t")) < columns:
        raise InputError(
            f"{path}: the last line ends after {len(lines[-1].split(chr(9)))} of {columns} cells: it is cut"
        )
    try:
        table = np.loadtxt(rows, delimiter="\t", comments=None, ndmin=2)
    except ValueError:
        raise not_a_number(path, [row.split("\t") for row in rows], [number for number, _ in numbered]) from None
    message = f"{short} rows are shorter than the header; the markers they lack are missing"
    return np.asarray(table, dtype=float), [number for number, _ in numbered], [message] if short else []
