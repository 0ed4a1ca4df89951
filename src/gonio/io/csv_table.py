"""A plain table (.csv), for spreadsheets and other programs: one row for each frame.

    # gonio: pose table
    # layout: body-25b
    # unit: px
    # ...
    frame,time_s,nose_x,nose_y,nose_confidence,nose_status,left_eye_x,...
    0,0.0,505.2,431.6,0.66,measured,...

3D tables have a `_z` column too. An empty cell is a missing joint. Numbers are written so that
reading gives the same floating-point values. The lines with `#` hold what the columns cannot; a table without them is
read if its unit is declared. Without columns `_confidence` and `_status` a joint has confidence 1 and is measured.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast, get_args

import numpy as np
from numpy.typing import NDArray

from gonio.core.arrays import FloatArray
from gonio.core.errors import InputError
from gonio.core.files import replacing
from gonio.core.sequence import Axis, Frame, PoseSequence, Source, Status
from gonio.core.skeleton import Skeleton
from gonio.io.joint_names import skeleton_of
from gonio.io.reading import DECLARED_METRES, check_times, first_line, naming, not_a_number, read_lines
from gonio.io.writing import unsupported_fields

_TITLE = "# gonio: pose table"
_START = "frame,time_s,"
_FIELDS = ("x", "y", "z", "confidence", "status")


def recognise(path: Path) -> bool:
    """A file whose first line after the comments begins with the columns frame, time_s and one of a joint's fields."""
    line = first_line(Path(path))
    return line.startswith(_START) and line.split(",")[2].strip().rpartition("_")[2] in _FIELDS


def dimensions(path: Path) -> int:
    """2 or 3, from the columns. Raises `InputError` if they are not those of a pose table."""
    _, fields = _columns(path, first_line(path).split(","))
    return 3 if "z" in fields else 2


def read(path: str | Path, *, unit: str | None = None) -> PoseSequence:
    """One person's joints. `unit` ("px", "m", "mm") is needed if the file does not state its own.

    Raises `InputError` if the file does not exist, is cut or not such a table, and if its unit is unknown or not the
    declared one.
    """
    path = Path(path)
    stated, header, rows, lines = _parts(path)
    joints, fields = _columns(path, header)
    table = _cells(path, header, rows, lines)
    if "frames" in stated and stated["frames"] != str(len(table)):
        raise InputError(f"{path}: {len(table)} frames found, the file states {stated['frames']}: it is cut")
    unit = _unit(path, stated.get("unit"), unit, n_dims=3 if "z" in fields else 2)
    cells = table[:, 2:].reshape(len(table), len(joints), len(fields))

    coordinates = [i for i, name in enumerate(fields) if name in "xyz"]
    positions = _numbers(path, cells[..., coordinates], lines) * DECLARED_METRES.get(unit, 1.0)
    missing = np.isnan(positions).any(axis=2)
    confidence: Any = None  # without a column: the default of `PoseSequence`
    status: Any = None
    if "confidence" in fields:
        confidence = _numbers(path, cells[..., fields.index("confidence")], lines)
        bare = (np.isnan(confidence) & ~missing).any(axis=1)
        if bare.any():
            raise InputError(f"{path}: line {lines[int(bare.argmax())]}: a joint has a position but no confidence")
        confidence = np.where(missing, 0.0, confidence)
    if "status" in fields:
        status = _statuses(path, cells[..., fields.index("status")])
    times_s, size = _numbers(path, table[:, 1], lines), stated.get("image_size_px")
    if np.isnan(times_s).any():
        raise InputError(f"{path}: line {lines[int(np.isnan(times_s).argmax())]} has no time; export it again")
    check_times(path, times_s.tolist(), lines)
    with naming(path):
        return PoseSequence(
            positions=positions,
            times_s=times_s,
            skeleton=_skeleton(joints, stated),
            unit="px" if unit == "px" else "m",
            frame=_choice(stated, "frame", Frame, "image" if unit == "px" else "world"),
            frame_name=stated.get("frame_name", "" if "frame" in stated else path.stem),
            image_size_px=_size(size) if size else None,
            up=_choice(stated, "up", Axis, None),
            source=Source(
                method=stated.get("source_method", ""),
                model=stated.get("source_model", ""),
                version=stated.get("source_version", ""),
                file=str(path),
            ),
            history=(f"{len(table)} frames read from {path.name}",),
            confidence=confidence,
            status=status,
        )


def write(sequence: PoseSequence, path: str | Path) -> tuple[str, ...]:
    """Writes the table; returns what is not preserved. Raises `InputError` if the sequence has no frame."""
    path = Path(path)
    if not isinstance(sequence, PoseSequence):
        raise InputError(f"{path}: a .csv table holds one person; write detections as .npz or OpenPose JSON")
    if not len(sequence):
        raise InputError(f"{path}: there is no frame to write")
    for joint in sequence.skeleton.joints:
        if not joint or set(joint) & set(",\r\n"):
            raise InputError(f"{path}: the joint name {joint!r} holds a comma or a line end; rename the joint")
    fields = ("xyz"[: sequence.dimensions], ("confidence", "status"))
    columns = [f"{joint}_{name}" for joint in sequence.skeleton.joints for part in fields for name in part]
    size = sequence.image_size_px
    stated = {
        "layout": sequence.skeleton.name,
        "parents": " ".join(map(str, sequence.skeleton.parents)),
        "unit": sequence.unit,
        "frame": sequence.frame,
        "frame_name": sequence.frame_name,
        "image_size_px": f"{size[0]} {size[1]}" if size else "",
        "up": sequence.up or "",
        "source_method": sequence.source.method,
        "source_model": sequence.source.model,
        "source_version": sequence.source.version,
        "frames": str(len(sequence)),
    }
    numbers = np.concatenate([sequence.positions, sequence.confidence[..., None]], axis=2)
    names = np.array([status.name.lower() for status in Status], dtype=object)
    cells = np.concatenate([numbers.astype(object), names[sequence.status][..., None]], axis=2)
    cells[..., :-1][~sequence.valid] = ""
    lines = [_TITLE, *(f"# {key}: {' '.join(value.split())}" for key, value in stated.items() if value)]
    lines.append(_START + ",".join(columns))
    for i, (time, row) in enumerate(
        zip(sequence.times_s.tolist(), cells.reshape(len(sequence), -1).tolist(), strict=True)
    ):
        lines.append(f"{i},{time!r}," + ",".join(map(str, row)))
    with replacing(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
    return unsupported_fields(sequence, "covariance", "history")


def _parts(path: Path) -> tuple[dict[str, str], list[str], list[str], list[int]]:
    """What the comment lines state, the names of the columns, the rows, and their line numbers in the file."""
    numbered = [(number, line) for number, line in enumerate(read_lines(path), 1) if line.strip()]
    lines = [line for _, line in numbered]
    n_comments = next((i for i, line in enumerate(lines) if not line.startswith("#")), len(lines))
    stated = {
        key.strip(): value.rstrip(", ").lstrip()  # a spreadsheet pads the line with commas
        for key, found, value in (line[1:].partition(":") for line in lines[:n_comments])
        if found
    }
    if n_comments == len(lines) or not lines[n_comments].startswith(_START):
        raise InputError(f"{path}: is not a pose table: no line begins with {_START}<joint>_x,<joint>_y")
    if n_comments + 1 == len(lines):
        raise InputError(f"{path}: has a header but no frame")
    rows = numbered[n_comments + 1 :]
    return stated, lines[n_comments].split(","), [row for _, row in rows], [number for number, _ in rows]


def _columns(path: Path, header: list[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The joints in order, and the fields that each of them has."""
    pairs = [tuple(name.rpartition("_")[::2]) for name in header[2:]]
    joints = tuple(dict.fromkeys(joint for joint, _ in pairs))
    fields = tuple(field for joint, field in pairs if joint == joints[0])
    if not all(joints) or not {"x", "y"} <= set(fields) <= set(_FIELDS) or len(set(fields)) != len(fields):
        raise InputError(f"{path}: columns must be <joint>_x, _y(, _z)(, _confidence)(, _status); found {header[2:3]}")
    if pairs != [(joint, field) for joint in joints for field in fields]:
        raise InputError(f"{path}: every joint needs the columns {', '.join('_' + f for f in fields)}, side by side")
    return joints, fields


_LONGEST_CELL = 100


def _cells(path: Path, header: list[str], rows: list[str], lines: list[int]) -> NDArray[Any]:
    split = [row.split(",") for row in rows]
    for line, row in zip(lines, split, strict=True):
        if len(row) != len(header):
            raise InputError(f"{path}: line {line} has {len(row)} cells, the header {len(header)}; the file may be cut")
        if (longest := max(map(len, row))) > _LONGEST_CELL:
            raise InputError(
                f"{path}: line {line} has a cell of {longest} characters; cells are numbers or short words"
            )
    return np.array(split)


def _numbers(path: Path, cells: NDArray[Any], lines: list[int]) -> FloatArray:
    try:
        return np.where(np.char.strip(cells) == "", "nan", cells).astype(float)
    except ValueError:
        raise not_a_number(path, cells.reshape(len(lines), -1).tolist(), lines) from None


def _statuses(path: Path, cells: NDArray[Any]) -> NDArray[np.uint8]:
    found, inverse = np.unique(cells, return_inverse=True)
    try:
        values = np.array([Status[word.strip().upper()] for word in found.tolist()], dtype=np.uint8)
    except KeyError as error:
        known = ", ".join(status.name.lower() for status in Status)
        raise InputError(f"{path}: status {str(error).lower()} is not known; there are {known}") from None
    return np.asarray(values[inverse].reshape(cells.shape))


def _unit(path: Path, stated: str | None, declared: str | None, n_dims: int) -> str:
    unit = stated or declared
    if unit is None:
        raise InputError(f"{path}: the file does not state its unit; declare --unit px (2D) or --unit m or mm (3D)")
    if stated and declared and stated != declared:
        raise InputError(f"{path}: the file is in {stated}; {declared} was declared")
    if unit != "px" and unit not in DECLARED_METRES:
        raise InputError(f"{path}: unit {unit!r} is not known; there are px, {', '.join(DECLARED_METRES)}")
    if (unit == "px") != (n_dims == 2):
        raise InputError(
            f"{path}: a table of {n_dims}D joints cannot be in {unit}; 2D is px, 3D is {' or '.join(DECLARED_METRES)}"
        )
    return unit


def _skeleton(joints: tuple[str, ...], stated: dict[str, str]) -> Skeleton:
    if "parents" not in stated:
        return skeleton_of(joints, stated.get("layout", "csv"))
    try:
        parents = tuple(int(parent) for parent in stated["parents"].split())
    except ValueError:
        raise InputError("the line '# parents:' does not hold whole numbers") from None
    return Skeleton(stated.get("layout", "csv"), joints, parents)


def _size(text: str) -> tuple[int, int]:
    try:
        width, height = (int(value) for value in text.split())
    except ValueError:
        raise InputError(f"image_size_px {text!r} is not a width and a height") from None
    return width, height


def _choice(stated: dict[str, str], key: str, values: Any, default: Any) -> Any:
    value = stated.get(key, default)
    if value is not None and value not in get_args(values):
        raise InputError(f"{key} {value!r} is not known; there are {', '.join(get_args(values))}")
    return cast("Any", value)
