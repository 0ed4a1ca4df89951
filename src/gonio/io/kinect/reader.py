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
are found by iPi's names of bones, and the unit must be declared or given in the header.

Axes become those of Kinect v1 and v2 (y up, z from the sensor to the person); Azure's are turned half a turn about z.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gonio.core.arrays import FloatArray
from gonio.core.errors import InputError
from gonio.core.sequence import Axis, PoseSequence, Source, Status
from gonio.core.skeleton import Skeleton
from gonio.core.skeleton import layout as layout_of
from gonio.io.body_checks import check_order
from gonio.io.kinect.columns import Cells, cells_of, fits, tells_times
from gonio.io.kinect.sensor import GUESSED, SENSORS, Sensor, judged, out_of_range
from gonio.io.kinect.text import read_start, read_table
from gonio.io.kinect.times import times_of
from gonio.io.mirroring import mirror_warning
from gonio.io.reading import METRES, naming

_HALF_TURN = np.array([-1.0, -1.0, 1.0])  # x right, y down -> x left, y up


def recognise(path: Path) -> bool:
    """A table whose header names four joints or more (or a column of joints), or whose rows fit a Kinect's layout."""
    table = read_start(Path(path))
    return table is not None and fits(table)


def has_times(path: Path) -> bool:
    """Whether the file, or KIMORE's file beside it, states when its frames were taken: no rate needs to be declared."""
    table = read_start(Path(path))
    return table is not None and tells_times(Path(path), table)


def read(
    path: Path, *, layout: str | None = None, rate_hz: float | None = None, unit: str | None = None
) -> PoseSequence:
    """The recorded person, in metres, y up. frame "world", named for the file; "root" if the hip centre is always 0.

    layout   order of the joints, if no header names them
    rate_hz  frames a second, if the file has no times
    unit     "m", "cm" or "mm", if the header does not state it; the SDK's own if neither does

    Tracking states become confidence and status (`sensor.judged`). A joint at 0 0 0 is missing. A joint beyond
    the sensor's working range is marked inferred, with confidence 0.5 at most. All are counted in the history, and so
    are gaps in time. The history also states if the recording is mirrored.
    Raises `InputError` if the file is absent, cut or not such a table, if a value that it does not state is not
    declared, if it holds several people, and if its bones cannot be a person's (`body_checks.check_order`).
    """
    path = Path(path)
    if path.name.lower().startswith("jointorientation"):
        raise InputError(f"{path}: holds the joints' orientations; give JointPosition{path.name[16:]} beside it")
    table = read_table(path)
    declared = None if layout is None else layout_of(layout)
    if declared is not None and declared.name not in SENSORS:
        raise InputError(f"{path}: {declared.name} is no layout of a Kinect; use one of {', '.join(SENSORS)}")
    with naming(path):
        cells = cells_of(path, table, declared)
        metres, unit_words = _scale(cells, unit)
        times_s, time_words = times_of(
            path, cells.lines, stamps=cells.stamps, unit=cells.time_unit, numbers=cells.numbers, rate_hz=rate_hz
        )
        positions = cells.positions * metres
        rooted, zero = _zeros(positions, cells.skeleton)
        joints = _seen(np.where(zero[..., None], np.nan, positions), cells)
        cut = ("the file does not end with a line end: its last number may be cut",) if table.cut else ()
        root = ("the hip centre is at the origin in every frame: the recording is root-relative",) if rooted else ()
        at_origin = (f"{int(zero.sum())} joints at 0 0 0 taken as missing",) if zero.any() else ()
        if cells.sensor is not None and not rooted:
            joints = _in_range(joints, cells.sensor)
        positions, up, turned = _upright(joints.positions, cells.skeleton, cells.sensor)
        read_words = (f"{len(times_s)} frames read from {path.name}", *cells.history, *unit_words, *time_words, *cut)
        sequence = PoseSequence(
            positions=positions,
            times_s=times_s,
            skeleton=cells.skeleton,
            unit="m",
            frame="root" if rooted else "world",
            frame_name=path.stem,
            up=up,
            confidence=joints.confidence,
            status=joints.status,
            source=Source(method="kinect", model=cells.sensor.name if cells.sensor else "", file=str(path)),
            history=(*read_words, *root, *at_origin, *joints.history, *turned),
        )
        check_order(sequence, cells.order)
    return sequence.derive(history=(*sequence.history, *mirror_warning(sequence)))


@dataclass(frozen=True)
class _Joints:
    """positions (time, joint, 3) m, NaN = missing; confidence and status (time, joint); what was done, as sentences."""

    positions: FloatArray
    confidence: FloatArray
    status: NDArray[np.uint8]
    history: tuple[str, ...] = ()


def _zeros(positions: FloatArray, skeleton: Skeleton) -> tuple[bool, NDArray[np.bool_]]:
    """Whether the hip centre is at 0 0 0 in every frame; and (time, joint) which joints at 0 0 0 are missing."""
    zero = np.asarray((positions == 0).all(axis=2))
    empty = (zero | np.isnan(positions).any(axis=2)).all(axis=1)
    if "hip_center" not in skeleton or empty.all():
        return False, zero
    hip = skeleton.index("hip_center")
    rooted = bool(zero[~empty, hip].all())
    if rooted:
        zero[~empty, hip] = False
    return rooted, zero


def _seen(positions: FloatArray, cells: Cells) -> _Joints:
    """Confidence and status from the tracking states, if the file has any."""
    missing = np.asarray(np.isnan(positions).any(axis=2))
    if cells.states is None:
        status = np.where(missing, Status.MISSING, Status.MEASURED).astype(np.uint8)
        return _Joints(positions, np.where(missing, 0.0, 1.0), status)
    found = judged(cells.states, missing, cells.sensor.states if cells.sensor else (0, 1, 2))
    if found is None:
        raise InputError(
            "the number after x y z is no tracking state of a Kinect (0 not tracked, 1 inferred, 2 tracked): are these "
            "orientations?"
        )
    confidence, status = found
    inferred, untracked = int((status == Status.INFERRED).sum()), int(((status == Status.MISSING) & ~missing).sum())
    description = f"tracking states: {inferred} joints inferred by the sensor, {untracked} not tracked: missing"
    return _Joints(
        np.where((status == Status.MISSING)[..., None], np.nan, positions), confidence, status, (description,)
    )


def _in_range(joints: _Joints, sensor: Sensor) -> _Joints:
    """Joints outside the sensor's working range marked inferred, with confidence 0.5 at most."""
    outside = out_of_range(joints.positions, sensor)
    if outside is None:
        description = "z is no distance from a sensor: its working range was not checked"
        return _Joints(joints.positions, joints.confidence, joints.status, (*joints.history, description))
    if not outside.any():
        return joints
    near, far = sensor.range_m
    description = (
        f"{int(outside.sum())} joints outside the {sensor.name}'s working range of {near:g}-{far:g} m: marked inferred"
    )
    return _Joints(
        joints.positions,
        np.where(outside, np.minimum(joints.confidence, GUESSED), joints.confidence),
        np.where(outside, Status.INFERRED, joints.status).astype(np.uint8),
        (*joints.history, description),
    )


def _upright(
    positions: FloatArray, skeleton: Skeleton, sensor: Sensor | None
) -> tuple[FloatArray, Axis, tuple[str, ...]]:
    """The positions with y up, if the sensor or the upright body shows it; the vertical; what was done."""
    stands = _head_over_hips(positions, skeleton)
    if sensor is not None and sensor.y_down:
        if stands == 1:
            description = "y points up already, unlike in the Azure SDK's axes: the axes are kept as they are"
            return positions, "+y", (description,)
        return positions * _HALF_TURN, "+y", ("axes turned from the Azure SDK's (y down) half a turn about z: y up",)
    if stands == -1:
        return positions, "-y", ("the head is below the hips: y taken as pointing down",)
    return positions, "+y", ()


def _scale(cells: Cells, declared: str | None) -> tuple[float, tuple[str, ...]]:
    """Metres in one of the file's units."""
    if declared and cells.unit and declared != cells.unit:
        raise InputError(f"the header says {cells.unit}, declared was {declared}")
    unit = declared or cells.unit or (cells.sensor.unit if cells.sensor else "")
    if not unit:
        raise InputError("the file does not state its unit; declare it with --unit m or --unit mm")
    if unit not in METRES:
        raise InputError(f"unit {unit!r} is not known; use one of {', '.join(METRES)}")
    stated = declared or cells.unit
    return METRES[unit], () if stated else (f"unit {unit}, as in the {cells.sensor.name if cells.sensor else ''} SDK",)


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
