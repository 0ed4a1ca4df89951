"""Which column of a Kinect text is what: from its header, or from a declared order of the joints.

The forms are those of `kinect`; here they become one: positions, states, times and frame numbers as the file has them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from gonio.core.arrays import FloatArray
from gonio.core.errors import InputError
from gonio.core.skeleton import Skeleton
from gonio.core.skeleton import layout as layout_of
from gonio.io.kinect import names
from gonio.io.kinect.sensor import SENSORS, Sensor, sensor_of, state_number
from gonio.io.kinect.text import TextTable, is_number, read_table

_FEWEST_JOINTS = 4  # named in a header, to take a file for a Kinect's
_LARGEST = 1e9  # in any unit: beyond it a number is damaged


@dataclass(frozen=True)
class Cells:
    """The content of the file, not yet checked.

    positions  (time, joint, 3) in the file's unit and axes
    states     (time, joint), or None if the file has none
    lines      of each frame's first row in the file
    stamps, numbers  times and frame numbers as written, or None
    unit, time_unit  as the header states; "" if it does not
    order      the layouts in which the same columns could be read; empty if the header names the joints
    """

    skeleton: Skeleton
    sensor: Sensor | None
    positions: FloatArray
    states: FloatArray | None
    lines: list[int]
    stamps: list[str] | None
    numbers: list[str] | None
    unit: str
    time_unit: str
    order: tuple[str, ...]
    history: tuple[str, ...] = ()


def fits(table: TextTable) -> bool:
    """Whether the header names four joints or more, or a column of joints, or the rows fit a Kinect's layout."""
    if table.header:
        known = names.table_for(table.header)
        columns = [names.column_of(names.unit_of(word)[0], known) for word in table.header]
        plain = {names.letters(word) for word in table.header}
        return len({column[0] for column in columns if column}) >= _FEWEST_JOINTS or bool(plain & set(names.JOINTS))
    return len(table.rows[0]) in (3, 4) or bool(_orders(len(table.rows[0])))


def tells_times(path: Path, table: TextTable) -> bool:
    """Whether the table, or KIMORE's file beside it, states when its frames were taken."""
    if table.header:
        return _column(table.header, names.TIMES) is not None
    orders = _orders(len(table.rows[0]))
    before = next(iter(orders.values()))[0] if orders else 0
    return _leading(table, before)[1] is not None or _file_of_times(path) is not None


def cells_of(path: Path, table: TextTable, declared: Skeleton | None) -> Cells:
    """The cells of a table, by its header or by the declared order of joints.

    Raises `InputError`, without the file's name, if columns or rows are not what they should be, if an order must be
    declared or the declared one does not fit, and if the table holds several people.
    """
    _check_person(table)
    return _named(table, declared) if table.header else _ordered(path, table, declared)


def _check_person(table: TextTable) -> None:
    """Raises `InputError` if a column names the person and the table holds several people."""
    for column, word in enumerate(table.header):
        if names.letters(word) in names.PEOPLE:
            people = {row[column] for row in table.rows if column < len(row)}
            if len(people) > 1:
                raise InputError(f"holds {len(people)} people by its column {word!r}; export one alone")


def _check_widths(table: TextTable, width: int) -> None:
    for line, row in zip(table.lines, table.rows, strict=True):
        if len(row) != width:
            hint = "; is a comma a decimal sign there? export with tabs or points" if len(row) > width else ""
            what = "the header" if table.header else "the first row"
            raise InputError(f"line {line} has {len(row)} cells, {what} {width}; is the file cut{hint}?")


def _number(line: int, cell: str) -> float:
    if not cell:
        return float("nan")
    try:
        value = float(cell)
    except ValueError:
        value = float("inf")
    if abs(value) > _LARGEST:
        raise InputError(f"line {line}: {cell[:40]!r} is not a number; correct it or export the file again")
    return value


def _numbers(table: TextTable, columns: Sequence[int]) -> FloatArray:
    """(row, column) of the named columns."""
    return np.array(
        [[_number(line, row[column]) for column in columns] for line, row in zip(table.lines, table.rows, strict=True)]
    )


def _states(table: TextTable, columns: Sequence[int]) -> FloatArray:
    return np.array([[state_number(row[column]) for column in columns] for row in table.rows])


def _column(header: Sequence[str], words: Sequence[str] | dict[str, str]) -> int | None:
    return next((i for i, word in enumerate(header) if names.letters(names.unit_of(word)[0]) in words), None)


def _column_cells(table: TextTable, column: int | None) -> list[str] | None:
    return None if column is None else [row[column] for row in table.rows]


def _time_unit(header: Sequence[str], column: int | None) -> str:
    if column is None:
        return ""
    word, unit = names.unit_of(header[column])
    return {"sec": "s"}.get(unit, unit) or names.TIMES[names.letters(word)]


def _named(table: TextTable, declared: Skeleton | None) -> Cells:
    """The cells of a table whose header names its columns."""
    _check_widths(table, len(table.header))
    if _column(table.header, names.JOINTS) is not None:
        return _joint_rows(table, declared)
    known = names.table_for(table.header)
    bare = [names.unit_of(word) for word in table.header]
    columns: dict[tuple[str, str], int] = {}
    for i, (word, _) in enumerate(bare):
        found = names.column_of(word, known)
        if found is not None and found in columns:
            raise InputError(
                f"the header names {found[0]} {found[1]} twice: {table.header[columns[found]]!r} and {word!r}"
            )
        if found is not None:
            columns[found] = i
    joints = tuple(dict.fromkeys(joint for joint, _ in columns))
    for joint in joints:
        lacking = [axis for axis in "xyz" if (joint, axis) not in columns]
        if lacking:
            raise InputError(f"the header has no {' and no '.join(lacking)} of {joint}; export the file again")
    if len(joints) < _FEWEST_JOINTS:
        raise InputError(f"the header names {len(joints)} joints of a Kinect; nothing can be read from so few")
    skeleton, history = _skeleton(joints, declared, known is names.IPI)
    with_state = [joint for joint in skeleton.joints if (joint, "state") in columns]
    if with_state and len(with_state) < len(skeleton):
        raise InputError(f"{len(with_state)} of {len(skeleton)} joints have a tracking state; all or none need one")
    frame, time = _column(table.header, names.FRAMES), _column(table.header, names.TIMES)
    flat = _numbers(table, [columns[joint, axis] for joint in skeleton.joints for axis in "xyz"])
    return Cells(
        skeleton=skeleton,
        sensor=None if known is names.IPI else sensor_of(skeleton),
        positions=flat.reshape(len(flat), len(skeleton), 3),
        states=_states(table, [columns[joint, "state"] for joint in skeleton.joints]) if with_state else None,
        lines=table.lines,
        stamps=_column_cells(table, time),
        numbers=_column_cells(table, frame),
        unit=_length_unit(bare[i][1] for (_, field), i in columns.items() if field != "state"),
        time_unit=_time_unit(table.header, time),
        order=(),
        history=history,
    )


def _length_unit(units: Iterable[str]) -> str:
    stated = {unit for unit in units if unit}
    if len(stated) > 1:
        raise InputError(f"the header names several units: {', '.join(sorted(stated))}")
    return stated.pop() if stated else ""


def _skeleton(joints: Sequence[str], declared: Skeleton | None, ipi: bool) -> tuple[Skeleton, tuple[str, ...]]:
    """The layout of the joints that a file names, and which of the layout's joints it does not."""
    if declared is not None:
        if not set(joints) <= set(declared.joints):
            own = names.layout_of_names(joints).name
            raise InputError(f"the file's joints are {own} by their names, declared was {declared.name}")
        skeleton = declared.select([joint for joint in declared.joints if joint in joints])
        whole = declared
    else:
        skeleton = names.layout_of_names(joints)
        whole = layout_of(skeleton.name.partition("[")[0]) if sensor_of(skeleton) else skeleton
    absent = [joint for joint in whole.joints if joint not in skeleton]
    if ipi or not absent:
        return skeleton, ()
    return skeleton, (f"joints that the file does not have: {', '.join(absent)}",)


def _joint_rows(table: TextTable, declared: Skeleton | None) -> Cells:
    """The cells of a table with a header and a row for every joint."""
    bare = [names.unit_of(word) for word in table.header]
    fields = {field: i for i, (word, _) in enumerate(bare) if (field := names.FIELDS.get(names.letters(word)))}
    lacking = [axis for axis in "xyz" if axis not in fields]
    if lacking:
        raise InputError(f"the header has no column {' and no column '.join(lacking)}; export the file again")
    joint_column = _column(table.header, names.JOINTS)
    frame, time = _column(table.header, names.FRAMES), _column(table.header, names.TIMES)
    assert joint_column is not None
    joints = [_joint(line, row[joint_column], declared) for line, row in zip(table.lines, table.rows, strict=True)]
    key = frame if frame is not None else time
    if key is None:
        raise InputError("a row a joint needs a column with the frame or the time; export the file with one")
    starts = [0, *(i for i, (one, other) in enumerate(pairwise(table.rows), 1) if one[key] != other[key])]
    number = np.repeat(np.arange(len(starts)), np.diff([*starts, len(joints)]))
    seen: dict[tuple[int, str], int] = {}
    for place, joint, line in zip(number.tolist(), joints, table.lines, strict=True):
        if (place, joint) in seen:
            raise InputError(f"line {line}: {joint} is there twice in one frame, first in line {seen[place, joint]}")
        seen[place, joint] = line
    skeleton, history = _skeleton(tuple(dict.fromkeys(joints)), declared, ipi=False)
    columns = [skeleton.index(joint) for joint in joints]
    positions = np.full((len(starts), len(skeleton), 3), np.nan)
    positions[number, columns] = _numbers(table, [fields[axis] for axis in "xyz"])
    states: FloatArray | None = None
    if "state" in fields:
        states = np.zeros(positions.shape[:2])
        states[number, columns] = _states(table, [fields["state"]])[:, 0]
    absent = positions.shape[0] * positions.shape[1] - len(joints)
    if absent:
        history = (*history, f"{absent} rows of joints are not there: missing")
    stamps, numbers = _column_cells(table, time), _column_cells(table, frame)
    return Cells(
        skeleton=skeleton,
        sensor=sensor_of(skeleton),
        positions=positions,
        states=states,
        lines=[table.lines[i] for i in starts],
        stamps=None if stamps is None else [stamps[i] for i in starts],
        numbers=None if numbers is None else [numbers[i] for i in starts],
        unit=_length_unit(bare[fields[axis]][1] for axis in "xyz"),
        time_unit=_time_unit(table.header, time),
        order=() if not any(is_number(row[joint_column]) for row in table.rows) else tuple(SENSORS),
        history=history,
    )


def _joint(line: int, cell: str, declared: Skeleton | None) -> str:
    """gonio's name of the joint in a cell, a name or a number."""
    found = names.joint_of(cell, names.KINECT)
    if found is not None:
        return found
    if not cell.isdecimal():
        raise InputError(f"line {line}: {cell[:40]!r} is no joint of a Kinect")
    if declared is None:
        raise InputError(f"line {line}: joints have numbers; declare their order with --layout ({', '.join(SENSORS)})")
    if len(cell) > 4 or int(cell) >= len(declared):
        raise InputError(f"line {line}: joint {cell} is none of {declared.name}, which has {len(declared)}")
    return declared.joints[int(cell)]


def _orders(width: int) -> dict[str, tuple[int, int]]:
    """Layouts that rows of so many numbers can hold -> (columns before the joints, numbers a joint)."""
    return {
        name: (width - n_fields * len(layout_of(name)), n_fields)
        for name in SENSORS
        for n_fields in (3, 4)
        if 0 <= width - n_fields * len(layout_of(name)) <= 2
    }


def _ordered(path: Path, table: TextTable, declared: Skeleton | None) -> Cells:
    """The cells of a table without a header, in the declared order of joints."""
    width = len(table.rows[0])
    _check_widths(table, width)
    if width in (3, 4):
        return _ordered_joint_rows(path, table, declared, width)
    orders = _orders(width)
    if declared is None and len(orders) == 1:
        declared = layout_of(next(iter(orders)))
    if declared is None:
        known = ", ".join(orders or SENSORS)
        raise InputError(f"no header names the joints; declare their order with --layout ({known})")
    if declared.name not in orders:
        fitting = f"they fit {' or '.join(orders)}" if orders else f"they fit none of {', '.join(SENSORS)}"
        raise InputError(
            f"rows have {width} numbers; {declared.name} has {len(declared)} joints x 3, or x 4 with tracking states, "
            f"after up to two columns for frame and time; {fitting}"
        )
    before, n_fields = orders[declared.name]
    flat = _numbers(table, range(before, width)).reshape(len(table.rows), len(declared), n_fields)
    numbers, stamps = _leading(table, before)
    history = () if len(orders) > 1 else (f"joints taken in the order of {declared.name}, by their number",)
    if stamps is None:
        stamps = _timestamps_beside(path, len(table.rows))
    return Cells(
        skeleton=declared,
        sensor=SENSORS[declared.name],
        positions=flat[..., :3],
        states=flat[..., 3] if n_fields == 4 else None,
        lines=table.lines,
        stamps=stamps,
        numbers=numbers,
        unit="",
        time_unit="",
        order=tuple(orders),
        history=history,
    )


def _leading(table: TextTable, before: int) -> tuple[list[str] | None, list[str] | None]:
    """(frame numbers, times) of the columns before the joints: a single one that counts by ones is a number."""
    if before == 2:
        return _column_cells(table, 0), _column_cells(table, 1)
    first = _column_cells(table, 0) if before else None
    if first is None:
        return None, None
    steps = np.diff([float(cell) if is_number(cell) else np.nan for cell in first])
    counts = all("." not in cell and ":" not in cell for cell in first) and (not len(steps) or np.median(steps) == 1)
    return (first, None) if counts else (None, first)


def _ordered_joint_rows(path: Path, table: TextTable, declared: Skeleton | None, width: int) -> Cells:
    if declared is None:
        raise InputError(
            f"rows of {width} numbers: one joint each? declare their order with --layout ({', '.join(SENSORS)})"
        )
    if len(table.rows) % len(declared):
        raise InputError(
            f"{len(table.rows)} rows are no whole number of frames of {len(declared)} joints ({declared.name}); is the "
            f"file cut?"
        )
    flat = _numbers(table, range(width)).reshape(-1, len(declared), width)
    return Cells(
        skeleton=declared,
        sensor=SENSORS[declared.name],
        positions=flat[..., :3],
        states=flat[..., 3] if width == 4 else None,
        lines=table.lines[:: len(declared)],
        stamps=_timestamps_beside(path, len(flat)),
        numbers=None,
        unit="",
        time_unit="",
        order=tuple(SENSORS),
    )


def _timestamps_beside(path: Path, n_frames: int) -> list[str] | None:
    """KIMORE's times: the first column of TimeStamp<number>.csv beside JointPosition<number>.csv; None without it."""
    beside = _file_of_times(path)
    if beside is None:
        return None
    stamps = [row[0] for row in read_table(beside).rows]
    if len(stamps) != n_frames:
        raise InputError(f"has {n_frames} frames, {beside.name} beside it {len(stamps)} times")
    return stamps


def _file_of_times(path: Path) -> Path | None:
    if not path.name.lower().startswith("jointposition"):
        return None
    name = f"timestamp{path.name[13:].lower()}"
    return next((file for file in path.parent.iterdir() if file.name.lower() == name), None)
