"""Recordings of Kinect v1, v2 and Azure as text: .csv, .tsv or .txt, a row a frame or a row a joint.

With a header, columns are found by name, in any order:

    frame,time_s,SpineBase_X,SpineBase_Y,SpineBase_Z,SpineBase_State,...     a row a frame
    Timestamp,JointID,Position.X,Position.Y,Position.Z,State                 a row a joint

Without one the order of the joints is declared (`layout`): kinect-v1-20, kinect-v2-25 and azure-kinect-32 are the SDKs'
orders, kinect-recorder-20 that of the origin's recorder. A row is then an optional frame number, an optional time, and
x y z, or x y z and the tracking state, of each joint; or one joint of that order, x y z or x y z and state.

KIMORE has such a file of 25 joints x 4 numbers for each exercise, JointPosition<number>.csv, with its times beside it
in TimeStamp<number>.csv (Capecci et al. 2019, IEEE Trans. Neural Syst. Rehabil. Eng. 27:1436-1448). iPi Mocap Studio's
Biomech Add-on exports bones with tabs between the columns; its documentation does not show the header, so the columns
are found by iPi's names of bones, and the unit must be declared or stand in the header.

Axes become those of Kinect v1 and v2 (y up, z from the sensor to the person); Azure's are turned half a turn about z.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from gonio.core.arrays import FloatArray
from gonio.core.sequence import Axis, PoseSequence, Source, Status
from gonio.core.skeleton import Skeleton
from gonio.core.skeleton import layout as layout_of
from gonio.errors import InputError
from gonio.sources import kinect_names as names
from gonio.sources.chirality import mirror_warning
from gonio.sources.joint_order import check_order
from gonio.sources.kinect_sensor import GUESSED, SENSORS, Sensor, judged, out_of_range, sensor_of, state_number
from gonio.sources.kinect_text import TextTable, is_number, read_start, read_table
from gonio.sources.kinect_times import times_of
from gonio.sources.reading import METRES, naming

_FEWEST_JOINTS = 4  # named in a header, to take a file for a Kinect's
_LARGEST = 1e9  # in any unit: beyond it a number is damaged
_HALF_TURN = np.array([-1.0, -1.0, 1.0])  # x right, y down -> x left, y up


@dataclass(frozen=True)
class _Cells:
    """What the file says, not yet judged.

    positions  (time, joint, 3) in the file's unit and axes
    states     (time, joint), or None where the file has none
    lines      of each frame's first row in the file
    stamps, numbers  times and frame numbers as written, or None
    unit, time_unit  as the header tells; "" where it does not
    order      the layouts in which the same columns could be read; empty where the header names the joints
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


def recognise(path: Path) -> bool:
    """A table whose header names four joints or more (or a column of joints), or whose rows fit a Kinect's layout."""
    table = read_start(Path(path))
    if table is None:
        return False
    if table.header:
        known = names.table_for(table.header)
        columns = [names.column_of(names.unit_of(word)[0], known) for word in table.header]
        plain = {names.letters(word) for word in table.header}
        return len({column[0] for column in columns if column}) >= _FEWEST_JOINTS or bool(plain & set(names.JOINTS))
    return len(table.rows[0]) in (3, 4) or bool(_orders(len(table.rows[0])))


def has_times(path: Path) -> bool:
    """Whether the file, or KIMORE's file beside it, tells when its frames were taken: no rate needs to be declared."""
    path = Path(path)
    table = read_start(path)
    if table is None:
        return False
    if table.header:
        return _column(table.header, names.TIMES) is not None
    orders = _orders(len(table.rows[0]))
    before = next(iter(orders.values()))[0] if orders else 0
    return _leading(table, before)[1] is not None or _file_of_times(path) is not None


def read(
    path: Path, *, layout: str | None = None, rate_hz: float | None = None, unit: str | None = None
) -> PoseSequence:
    """The recorded person, in metres, y up. frame "world", named for the file; "root" where the hip centre is always 0.

    layout   order of the joints, where no header names them
    rate_hz  frames a second, where the file has no times
    unit     "m", "cm" or "mm", where the header does not tell; the SDK's own where neither does

    Tracking states become confidence and status (`kinect_sensor.judged`). A joint at 0 0 0 is missing. A joint beyond
    the sensor's working range is marked inferred, with confidence 0.5 at most. All are counted in the history, and so
    are gaps in time, and that the recording is mirrored, where it is.
    Raises `InputError` where the file is absent, cut or no such table, where what it does not tell is not declared,
    where several people are in it, and where its bones cannot be a person's (`joint_order.check_order`).
    """
    path = Path(path)
    if path.name.lower().startswith("jointorientation"):
        raise InputError(f"{path}: holds the joints' orientations; give JointPosition{path.name[16:]} beside it")
    table = read_table(path)
    declared = None if layout is None else layout_of(layout)
    if declared is not None and declared.name not in SENSORS:
        raise InputError(f"{path}: {declared.name} is no layout of a Kinect; there are {', '.join(SENSORS)}")
    _check_person(path, table)
    with naming(path):
        cells = _named(path, table, declared) if table.header else _ordered(path, table, declared)
        return _judged(path, cells, table.cut, rate_hz, unit)


def _judged(path: Path, cells: _Cells, cut: bool, rate_hz: float | None, declared_unit: str | None) -> PoseSequence:
    """The sequence: unit, times, states, axes, range, and whether it can be a person."""
    scale, unit_words = _scale(path, cells, declared_unit)
    times_s, time_words = times_of(
        path, cells.lines, stamps=cells.stamps, unit=cells.time_unit, numbers=cells.numbers, rate_hz=rate_hz
    )
    history = [f"{len(times_s)} frames read from {path.name}", *cells.history, *unit_words, *time_words]
    if cut:
        history.append("the file does not end with a line end: its last number may be cut")
    skeleton, positions = cells.skeleton, cells.positions * scale
    zero = (positions == 0).all(axis=2)
    nobody = (zero | np.isnan(positions).any(axis=2)).all(axis=1)
    rooted = False
    if "hip_center" in skeleton:
        hip = skeleton.index("hip_center")
        rooted = bool(zero[~nobody, hip].all()) and not nobody.all()
        if rooted:
            zero[~nobody, hip] = False
            history.append("the hip centre is at the origin in every frame: the recording is root-relative")
    if zero.any():
        history.append(f"{int(zero.sum())} joints at 0 0 0 taken as missing")
    missing = zero | np.isnan(positions).any(axis=2)
    confidence = np.where(missing, 0.0, 1.0)
    status = np.where(missing, Status.MISSING, Status.MEASURED).astype(np.uint8)
    if cells.states is not None:
        marked = judged(cells.states, missing, cells.sensor.states if cells.sensor else (0, 1, 2))
        if marked is None:
            raise InputError(
                "the number after x y z is no tracking state of a Kinect (0 not tracked, 1 inferred, 2 tracked): are "
                "these orientations?"
            )
        confidence, status = marked
        inferred, untracked = int((status == Status.INFERRED).sum()), int(((status == Status.MISSING) & ~missing).sum())
        history.append(f"tracking states: {inferred} joints inferred by the sensor, {untracked} not tracked: missing")
    positions = np.where((status == Status.MISSING)[..., None], np.nan, positions)
    up: Axis | None = "+y"
    if cells.sensor is not None and not rooted:
        outside = out_of_range(positions, cells.sensor)
        if outside is None:
            history.append("z is no distance from a sensor: its working range was not looked at")
        elif outside.any():
            confidence = np.where(outside, np.minimum(confidence, GUESSED), confidence)
            status = np.where(outside, Status.INFERRED, status).astype(np.uint8)
            near, far = cells.sensor.range_m
            history.append(
                f"{int(outside.sum())} joints outside the {cells.sensor.name}'s working range of {near:g}-{far:g} m: "
                f"marked inferred"
            )
    if cells.sensor is not None and cells.sensor.y_down:
        if _head_over_hips(positions, skeleton) == 1:
            history.append("y points up already, unlike in the Azure SDK's axes: the axes are kept as they are")
        else:
            positions = positions * _HALF_TURN
            history.append("axes turned from the Azure SDK's (y down) half a turn about z: y up")
    elif _head_over_hips(positions, skeleton) == -1:
        up = "-y"
        history.append("the head is below the hips: y taken as pointing down")
    sequence = PoseSequence(
        positions=positions,
        times_s=times_s,
        skeleton=skeleton,
        unit="m",
        frame="root" if rooted else "world",
        frame_name=path.stem,
        up=up,
        confidence=confidence,
        status=status,
        source=Source(method="kinect", model=cells.sensor.name if cells.sensor else "", file=str(path)),
        history=tuple(history),
    )
    check_order(sequence, cells.order)
    return sequence.derive(history=(*history, *mirror_warning(sequence)))


def _scale(path: Path, cells: _Cells, declared: str | None) -> tuple[float, tuple[str, ...]]:
    """Metres in one of the file's units."""
    if declared and cells.unit and declared != cells.unit:
        raise InputError(f"the header says {cells.unit}, declared was {declared}")
    unit = declared or cells.unit or (cells.sensor.unit if cells.sensor else "")
    if not unit:
        raise InputError("the file does not tell its unit; declare it with --unit m or --unit mm")
    if unit not in METRES:
        raise InputError(f"unit {unit!r} is not known; there are {', '.join(METRES)}")
    told = declared or cells.unit
    return METRES[unit], () if told else (f"unit {unit}, as in the {cells.sensor.name if cells.sensor else ''} SDK",)


def _head_over_hips(positions: FloatArray, skeleton: Skeleton) -> int:
    """1 where y grows from the hips to the shoulders, -1 where it falls, 0 where the trunk does not stand upright."""
    ends = [[f"{side}_{part}" for side in ("left", "right")] for part in ("hip", "shoulder")]
    if not all(joint in skeleton for pair in ends for joint in pair):
        return 0
    low, high = (positions[:, [skeleton.index(joint) for joint in pair]].mean(axis=1) for pair in ends)
    trunk = high - low
    with np.errstate(invalid="ignore", divide="ignore"):
        upright = trunk[:, 1] / np.linalg.norm(trunk, axis=1)
    if np.isnan(upright).all():
        return 0
    middle = float(np.nanmedian(upright))
    return 0 if abs(middle) < 0.5 else 1 if middle > 0 else -1


def _check_person(path: Path, table: TextTable) -> None:
    """Raises `InputError` where a column tells one person from another and there are several."""
    for column, word in enumerate(table.header):
        if names.letters(word) in names.PEOPLE:
            people = {row[column] for row in table.rows if column < len(row)}
            if len(people) > 1:
                raise InputError(f"{path}: holds {len(people)} people by its column {word!r}; export one alone")


def _check_widths(path: Path, table: TextTable, width: int) -> None:
    for line, row in zip(table.lines, table.rows, strict=True):
        if len(row) != width:
            hint = "; is a comma a decimal sign there? export with tabs or points" if len(row) > width else ""
            what = "the header" if table.header else "the first row"
            raise InputError(f"{path}: line {line} has {len(row)} cells, {what} {width}; is the file cut{hint}?")


def _number(path: Path, line: int, cell: str) -> float:
    if not cell:
        return float("nan")
    try:
        value = float(cell)
    except ValueError:
        value = float("inf")
    if abs(value) > _LARGEST:
        raise InputError(f"line {line}: {cell[:40]!r} is not a number; correct it or export the file again")
    return value


def _numbers(path: Path, table: TextTable, columns: Sequence[int]) -> FloatArray:
    """(row, column) of the named columns."""
    return np.array(
        [
            [_number(path, line, row[column]) for column in columns]
            for line, row in zip(table.lines, table.rows, strict=True)
        ]
    )


def _states(table: TextTable, columns: Sequence[int]) -> FloatArray:
    return np.array([[state_number(row[column]) for column in columns] for row in table.rows])


def _column(header: Sequence[str], words: Sequence[str] | dict[str, str]) -> int | None:
    return next((i for i, word in enumerate(header) if names.letters(names.unit_of(word)[0]) in words), None)


def _cells_of(table: TextTable, column: int | None) -> list[str] | None:
    return None if column is None else [row[column] for row in table.rows]


def _time_unit(header: Sequence[str], column: int | None) -> str:
    if column is None:
        return ""
    word, unit = names.unit_of(header[column])
    return {"sec": "s"}.get(unit, unit) or names.TIMES[names.letters(word)]


def _named(path: Path, table: TextTable, declared: Skeleton | None) -> _Cells:
    """The cells of a table whose header names its columns."""
    _check_widths(path, table, len(table.header))
    if _column(table.header, names.JOINTS) is not None:
        return _joint_rows(path, table, declared)
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
    flat = _numbers(path, table, [columns[joint, axis] for joint in skeleton.joints for axis in "xyz"])
    return _Cells(
        skeleton=skeleton,
        sensor=None if known is names.IPI else sensor_of(skeleton),
        positions=flat.reshape(len(flat), len(skeleton), 3),
        states=_states(table, [columns[joint, "state"] for joint in skeleton.joints]) if with_state else None,
        lines=table.lines,
        stamps=_cells_of(table, time),
        numbers=_cells_of(table, frame),
        unit=_length_unit(bare[i][1] for (_, field), i in columns.items() if field != "state"),
        time_unit=_time_unit(table.header, time),
        order=(),
        history=history,
    )


def _length_unit(units: object) -> str:
    told = {str(unit) for unit in units if unit}  # type: ignore[attr-defined]
    if len(told) > 1:
        raise InputError(f"the header names several units: {', '.join(sorted(told))}")
    return told.pop() if told else ""


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


def _joint_rows(path: Path, table: TextTable, declared: Skeleton | None) -> _Cells:
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
    positions[number, columns] = _numbers(path, table, [fields[axis] for axis in "xyz"])
    states: FloatArray | None = None
    if "state" in fields:
        states = np.zeros(positions.shape[:2])
        states[number, columns] = _states(table, [fields["state"]])[:, 0]
    absent = positions.shape[0] * positions.shape[1] - len(joints)
    if absent:
        history = (*history, f"{absent} rows of joints are not there: missing")
    stamps, numbers = _cells_of(table, time), _cells_of(table, frame)
    return _Cells(
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
    if int(cell) >= len(declared):
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


def _ordered(path: Path, table: TextTable, declared: Skeleton | None) -> _Cells:
    """The cells of a table without a header, in the declared order of joints."""
    width = len(table.rows[0])
    _check_widths(path, table, width)
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
    flat = _numbers(path, table, range(before, width)).reshape(len(table.rows), len(declared), n_fields)
    numbers, stamps = _leading(table, before)
    history = () if len(orders) > 1 else (f"joints taken in the order of {declared.name}, by their number",)
    if stamps is None:
        stamps = _timestamps_beside(path, len(table.rows))
    return _Cells(
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
        return _cells_of(table, 0), _cells_of(table, 1)
    first = _cells_of(table, 0) if before else None
    if first is None:
        return None, None
    steps = np.diff([float(cell) if is_number(cell) else np.nan for cell in first])
    counts = all("." not in cell and ":" not in cell for cell in first) and (not len(steps) or np.median(steps) == 1)
    return (first, None) if counts else (None, first)


def _ordered_joint_rows(path: Path, table: TextTable, declared: Skeleton | None, width: int) -> _Cells:
    if declared is None:
        raise InputError(
            f"rows of {width} numbers: one joint each? declare their order with --layout ({', '.join(SENSORS)})"
        )
    if len(table.rows) % len(declared):
        raise InputError(
            f"{len(table.rows)} rows are no whole number of frames of {len(declared)} joints ({declared.name}); is the "
            f"file cut?"
        )
    flat = _numbers(path, table, range(width)).reshape(-1, len(declared), width)
    return _Cells(
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
