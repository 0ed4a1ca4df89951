"""A bare array (.npy), as VideoPose3D exports its predictions: (time, joint, 3), float32, metres.

VideoPose3D's own files hold the 17 joints of Human3.6M, root-relative, in camera axes. The file holds the numbers
alone: rate and layout are declared. Files are read without pickle: nothing in them is executed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gonio.core.errors import InputError, one_line
from gonio.core.files import replacing
from gonio.core.sequence import Frame, PoseSequence, Source
from gonio.core.skeleton import H36M_17
from gonio.core.skeleton import layout as layout_of
from gonio.io.reading import DECLARED_METRES, NUMPY_ERRORS, naming, read_bytes
from gonio.io.writing import unmapped_joints, unsupported_fields

_MAGIC = b"\x93NUMPY"
_AT_ORIGIN_M = 1e-6


def recognise(path: Path) -> bool:
    """A file that begins as numpy's files do."""
    try:
        with Path(path).open("rb") as stream:
            return stream.read(len(_MAGIC)) == _MAGIC
    except OSError:
        return False


def read(path: str | Path, *, layout: str = "h36m-17", rate_hz: float | None = None, unit: str = "m") -> PoseSequence:
    """(time, joint, 3) numbers as a sequence; NaN is missing. Frame i has the time i / rate_hz.

    The frame is "root" if the mid-hip is at the origin in every frame, as in VideoPose3D's files; otherwise "world",
    named for the file. Which axis points up is not known.

    Raises `InputError` if the rate is not declared, and if the array has another shape or holds something other than
    numbers.
    """
    path = Path(path)
    skeleton = layout_of(layout)
    if unit not in DECLARED_METRES:
        raise InputError(
            f"{path}: unit {unit!r} is not known for a .npy file; its positions are in {' or '.join(DECLARED_METRES)}"
        )
    array = _load(path)
    if rate_hz is None:
        raise InputError(f"{path}: a .npy file does not state its frame rate; declare it with --fps")
    if not (np.isfinite(rate_hz) and rate_hz > 0):
        raise InputError(f"{path}: a frame rate of {rate_hz} per second is not possible; declare it with --fps")
    if array.ndim != 3 or array.shape[1:] != (len(skeleton), 3):
        raise InputError(
            f"{path}: the array has shape {array.shape}; {skeleton.name} needs (time, {len(skeleton)}, 3); "
            f"check --layout"
        )
    if not len(array):
        raise InputError(f"{path}: holds no frame")
    with np.errstate(over="ignore", invalid="ignore"):
        positions = array.astype(float) * DECLARED_METRES[unit]
    with naming(path):
        sequence = PoseSequence(
            positions=positions,
            times_s=np.arange(len(positions)) / rate_hz,
            skeleton=skeleton,
            unit="m",
            frame="world",
            frame_name=path.stem,
            source=Source(method="npy", model=skeleton.name, file=str(path)),
            history=(f"{len(positions)} frames read from {path.name} as {skeleton.name}, {rate_hz:g} per second",),
        )
    root = sequence.root_m()
    valid = ~np.isnan(root[:, 0])
    frame: Frame = "root" if valid.any() and np.abs(root[valid]).max() <= _AT_ORIGIN_M else "world"
    return sequence.derive(frame=frame)


def write(sequence: PoseSequence, path: str | Path) -> tuple[str, ...]:
    """Writes float32 (time, 17, 3) metres in Human3.6M's order, mapped by name, NaN = missing.

    Returns what is not preserved. Raises `InputError` for 2D.
    """
    path = Path(path)
    if not isinstance(sequence, PoseSequence) or sequence.dimensions != 3:
        raise InputError(f"{path}: a .npy array holds one person in 3D; write 2D as .csv, .npz or OpenPose JSON")
    mapped = sequence.to_skeleton(H36M_17)
    where = sequence.frame + (f" of {sequence.frame_name}" if sequence.frame_name else "")
    not_preserved = [f"the times are not preserved: read the file with --fps {sequence.rate_hz:.6g}"]
    not_preserved.append(f"the frame ({where}, up {sequence.up or 'unknown'}) is not preserved")
    not_preserved.append("float32 keeps seven digits")
    not_preserved += unsupported_fields(sequence, "confidence", "status", "covariance", "source", "history")
    not_preserved += unmapped_joints(sequence, mapped)
    with replacing(path) as temporary, temporary.open("wb") as stream:
        np.save(stream, mapped.positions.astype(np.float32), allow_pickle=False)
    return tuple(not_preserved)


def _load(path: Path) -> NDArray[Any]:
    if not read_bytes(path).startswith(_MAGIC):
        raise InputError(f"{path}: is not a numpy array")
    try:
        array: NDArray[Any] = np.load(path, allow_pickle=False)
    except NUMPY_ERRORS as error:
        raise InputError(f"{path}: cannot be read as an array of numbers ({one_line(error)})") from None
    if array.dtype.kind not in "fiu":
        raise InputError(f"{path}: holds {array.dtype}, not numbers")
    return array
