"""UI-PRMD: ten physiotherapy exercises, recorded by a Kinect v2 and by Vicon markers together.

Vakanski, Jun, Paul, Baker 2018, "A Data Set of Human Body Movements for Physical Rehabilitation Exercises", Data 3:2.
Public domain. A file `mMM_sSS_eEE_{positions,angles}.txt` holds one repetition (exercise, subject, repetition) as comma
separated numbers, one row per frame, without a header; it may be gzipped.

Vicon: 39 plug-in-gait markers, x y z each, millimetres, 100 Hz. z is up; in most exercises the subjects face +x and
their left is +y (found from the data: heads at 1.5 to 1.9 m of z, feet near 0). A marker at 0 0 0 is missing.
Marker names are Vicon's.

Kinect: 22 joints, 30 Hz. The positions are OFFSETS from the parent joint in cm, only the waist's is a position; the
angles are degrees, columns x y z, and R = Rz Rx Ry chained from the parent (found by comparison with Vicon). y is
up; the
subject stands at negative z and faces +z, the sensor; the left is +x. `KINECT_22` has gonio's names: a file's LUpperArm
is the start of the upper arm, the left shoulder. In m03_s01 the two systems are mirror images of each other: the Kinect
shows the other leg in front. Each shows a consistent body (`chirality`): the data do not say which of them has both
its positions reflected and its names exchanged.

The incorrect repetitions lie in one .npz, Vicon only, 50 Hz: int16 quarter millimetres, differenced along time.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gonio.core.arrays import FloatArray
from gonio.core.errors import InputError, one_line
from gonio.core.sequence import PoseSequence, Source
from gonio.core.skeleton import Skeleton
from gonio.io.motion_capture.forward_kinematics import euler_rotations, joint_positions
from gonio.io.reading import NUMPY_ERRORS, check_unpacked_size, naming, quiet, read_bytes

VICON_RATE_HZ = 100.0
_GZIP = b"\x1f\x8b"
_FIRST_BYTES = 65536
_LARGEST_BYTES = 64 << 20  # of one repetition's text, unpacked; real files have less than one
KINECT_RATE_HZ = 30.0
ARCHIVE_RATE_HZ = 50.0

_MARKERS = """
    LFHD RFHD LBHD RBHD C7 T10 CLAV STRN RBAK LSHO LUPA LELB LFRM LWRA LWRB LFIN RSHO RUPA RELB RFRM RWRA RWRB RFIN
    LASI RASI LPSI RPSI LTHI LKNE LTIB LANK LHEE LTOE RTHI RKNE RTIB RANK RHEE RTOE
"""
MARKERS_39 = Skeleton("plug-in-gait-39", tuple(_MARKERS.split()), (-1,) * 39)

_KINECT_TREE: Mapping[str, str | None] = {
    "hip_center": None,
    "spine": "hip_center",
    "spine_chest": "spine",
    "neck_base": "spine_chest",
    "head": "neck_base",
    "head_top": "head",
    "left_clavicle": "spine_chest",
    "left_shoulder": "left_clavicle",
    "left_elbow": "left_shoulder",
    "left_wrist": "left_elbow",
    "right_clavicle": "spine_chest",
    "right_shoulder": "right_clavicle",
    "right_elbow": "right_shoulder",
    "right_wrist": "right_elbow",
    "left_hip": "hip_center",
    "left_knee": "left_hip",
    "left_ankle": "left_knee",
    "left_foot": "left_ankle",
    "right_hip": "hip_center",
    "right_knee": "right_hip",
    "right_ankle": "right_knee",
    "right_foot": "right_ankle",
}
_KINECT_JOINTS = tuple(_KINECT_TREE)
KINECT_22 = Skeleton(
    "ui-prmd-kinect-22",
    _KINECT_JOINTS,
    tuple(-1 if parent is None else _KINECT_JOINTS.index(parent) for parent in _KINECT_TREE.values()),
)


def recognise(path: Path) -> bool:
    """A file whose first row is 66 or 117 numbers and commas alone: the Kinect's positions or angles, or Vicon's."""
    try:
        with Path(path).open("rb") as stream:
            content = stream.read(_FIRST_BYTES)
        if content.startswith(_GZIP):
            content = zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(content, _FIRST_BYTES)
        row = content.decode("ascii").splitlines()[0]
        return len([float(cell) for cell in row.split(",")]) in (66, 117)
    except (OSError, ValueError, IndexError, zlib.error):
        return False


def read(path: Path) -> PoseSequence:
    """Vicon's markers of a file with 117 columns; the Kinect's joints of one with 66 and the angles that belong to it.

    The angles of `m01_s01_e01_positions.txt` are those of `m01_s01_e01_angles.txt` in the same folder, or in a folder
    Angles beside it, each with or without `.gz`. Raises `InputError` if there are none, and as `read_kinect` and
    `read_vicon` do.
    """
    path = Path(path)
    n_columns = _rows(path)[0].count(",") + 1
    if n_columns == 117:
        return read_vicon(path)
    if "_positions" not in path.name:
        raise InputError(f"{path}: a Kinect recording of UI-PRMD is opened by its positions: m01_s01_e01_positions.txt")
    angles = angles_beside(path)
    if angles is None:
        name = _angles_name(path)
        raise InputError(
            f"{path}: its positions are offsets and need their angles: put {name} beside it, or into a folder Angles "
            f"beside its own"
        )
    return read_kinect(path, angles)


def angles_beside(positions: Path) -> Path | None:
    """The file of angles that belongs to a Kinect recording's positions; None if there is none, and for Vicon's
    files."""
    if "_positions" not in positions.name:
        return None
    name, folders = _angles_name(positions), (positions.parent, positions.parent.with_name("Angles"))
    candidates = [folder / file for folder in folders for file in (name, f"{name}.gz")]
    return next((candidate for candidate in candidates if candidate.is_file()), None)


def _angles_name(positions: Path) -> str:
    return positions.name.removesuffix(".gz").replace("_positions", "_angles")


def read_vicon(path: Path) -> PoseSequence:
    """The 39 markers in metres at 100 Hz, z up; markers at 0 0 0 are missing, and counted in the history.

    Raises `InputError` if the file is absent, cut, or does not have 117 columns of numbers.
    """
    path = Path(path)
    millimetres = _table(path, 117, "39 Vicon markers x 3")
    return _markers(path, _name(path), millimetres.reshape(-1, 39, 3), VICON_RATE_HZ)


@quiet
def read_incorrect_archive(path: Path) -> dict[str, PoseSequence]:
    """The incorrect repetitions, `m01_s01_e01` and so on: as `read_vicon`, at 50 Hz.

    Raises `InputError` if the file is absent, damaged, or has other arrays.
    """
    path = Path(path)
    read_bytes(path)
    check_unpacked_size(path)
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as npz:
            arrays: dict[str, NDArray[np.generic]] = {name: npz[name] for name in npz.files}
    except NUMPY_ERRORS as error:
        raise InputError(f"{path}: the file is damaged or not an .npz file of numbers ({one_line(error)})") from None
    recordings = {}
    for name, steps in arrays.items():
        if not isinstance(steps, np.ndarray):
            raise InputError(f"{path}: {name} is not an array of numbers; download it again")
        if steps.ndim != 2 or steps.shape[1] != 117 or steps.dtype.kind != "i" or not len(steps):
            raise InputError(f"{path}: {name} is {steps.dtype} of shape {steps.shape}; expected integers (T, 117)")
        millimetres = np.cumsum(steps.astype(np.int64), axis=0) / 4
        recordings[name] = _markers(path, name, millimetres.reshape(-1, 39, 3), ARCHIVE_RATE_HZ)
    return recordings


def read_kinect(positions: Path, angles: Path) -> PoseSequence:
    """The Kinect's 22 joints in metres at 30 Hz, y up, by forward kinematics from its offsets and angles.

    Raises `InputError` if a file is absent, cut or not of 66 columns, or the two differ in length.
    """
    positions, angles = Path(positions), Path(angles)
    offsets_cm = _table(positions, 66, "22 Kinect joints x 3")
    angles_deg = _table(angles, 66, "22 Kinect joints x 3")
    if len(offsets_cm) != len(angles_deg):
        raise InputError(f"{angles}: {len(angles_deg)} frames, {positions.name} has {len(offsets_cm)}")
    zxy = np.deg2rad(angles_deg.reshape(-1, 22, 3)[..., [2, 0, 1]])
    offsets_m = offsets_cm.reshape(-1, 22, 3) * 0.01
    with naming(positions):
        return PoseSequence(
            positions=joint_positions(KINECT_22.parents, offsets_m, euler_rotations(zxy, "zxy")),
            times_s=np.arange(len(offsets_m)) / KINECT_RATE_HZ,
            skeleton=KINECT_22,
            unit="m",
            frame="world",
            frame_name=_name(positions),
            up="+y",
            source=Source(method="ui_prmd", model="Kinect v2", file=str(positions)),
            history=(
                f"{len(offsets_m)} frames read from {positions.name} and {angles.name}, {KINECT_RATE_HZ:g} per second",
            ),
        )


def _markers(path: Path, name: str, millimetres: FloatArray, rate_hz: float) -> PoseSequence:
    missing = (millimetres == 0).all(axis=2)
    history = [f"{len(millimetres)} frames of 39 markers read from {path.name}, {rate_hz:g} per second"]
    if missing.any():
        per_marker = zip(MARKERS_39.joints, missing.sum(axis=0).tolist(), strict=True)
        counts = ", ".join(f"{marker} {count}" for marker, count in per_marker if count)
        history.append(f"{int(missing.sum())} marker positions at 0 0 0 taken as missing ({counts})")
    with naming(path):
        return PoseSequence(
            positions=np.where(missing[..., None], np.nan, millimetres) * 0.001,
            times_s=np.arange(len(millimetres)) / rate_hz,
            skeleton=MARKERS_39,
            unit="m",
            frame="world",
            frame_name=name,
            up="+z",
            source=Source(method="ui_prmd", model="Vicon", file=str(path)),
            history=tuple(history),
        )


def _rows(path: Path) -> list[str]:
    """The lines of a plain or gzipped file that are not blank."""
    content = read_bytes(path)
    if content.startswith(_GZIP):
        try:
            unpacking = zlib.decompressobj(zlib.MAX_WBITS | 16)
            content = unpacking.decompress(content, _LARGEST_BYTES)
            if not unpacking.eof:
                raise EOFError(f"it ends early, or has more than {_LARGEST_BYTES >> 20} MB")
        except (OSError, EOFError, zlib.error) as error:
            raise InputError(f"{path}: the gzip file is damaged ({one_line(error)}); download it again") from None
    return [row for row in content.decode("latin-1").splitlines() if row.strip()]


def _table(path: Path, columns: int, what: str) -> FloatArray:
    """(time, columns) numbers of a plain or gzipped file."""
    rows = _rows(path)
    widths = {row.count(",") + 1 for row in rows}
    if widths != {columns}:
        found = " or ".join(str(width) for width in sorted(widths)) or "no"
        raise InputError(f"{path}: has {found} columns; {what} are {columns}")
    try:
        table = np.loadtxt(rows, delimiter=",", comments=None, ndmin=2)
    except ValueError as error:
        raise InputError(f"{path}: a cell is not a number ({one_line(error)})") from None
    if not np.isfinite(table).all():
        raise InputError(f"{path}: row {int(np.argmin(np.isfinite(table).all(axis=1))) + 1} has NaN or infinity")
    return np.asarray(table, dtype=float)


def _name(path: Path) -> str:
    """m01_s01_e01 of m01_s01_e01_positions.txt.gz."""
    return path.name.split(".")[0].removesuffix("_positions")
