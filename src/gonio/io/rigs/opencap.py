"""OpenCap's calibration (`cameraIntrinsicsExtrinsics.pickle`): one pickle a camera, in the camera's folder.

A dictionary of arrays: `intrinsicMat` (3, 3), `distortion` (1, 5) in OpenCV's order, `imageSize` (height, width),
`rotation` (3, 3) and `translation` (3, 1), world -> camera, in millimetres; the world is the checkerboard. A camera has
the name of its folder (`Cam0`). The pickle is read by the restricted reader (`restricted_pickle`), never executed.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np

from gonio.core.arrays import FloatArray
from gonio.core.camera import Camera
from gonio.core.errors import InputError, one_line
from gonio.io.reading import NUMPY_ERRORS, naming, read_bytes
from gonio.io.restricted_pickle import RefusedError, loads

FILE = "cameraIntrinsicsExtrinsics.pickle"


def files(path: Path) -> tuple[Path, ...]:
    """The pickle that `path` is, or those of the cameras' folders in a session's folder; none if it is neither."""
    if path.suffix.lower() in (".pickle", ".pkl"):
        return (path,)
    return tuple(sorted(path.glob(f"*/{FILE}"))) if path.is_dir() else ()


def camera(path: Path) -> Camera:
    """The camera of a pickle, its translation still in the file's unit.

    Raises `InputError` if the file is absent or damaged, lacks a value, or asks for anything but data.
    """
    path = Path(path)
    content = read_bytes(path)
    try:
        held = loads(content)
    except RefusedError as error:
        raise InputError(f"{path}: asks for {error}, which is no data: it was not executed") from None
    except (*NUMPY_ERRORS, pickle.UnpicklingError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: is damaged or no pickle ({one_line(error)}); get it from OpenCap again") from None
    if not isinstance(held, dict):
        raise InputError(f"{path}: is no calibration of OpenCap: it holds no dictionary")
    with naming(path):
        height, width = _numbers(held, "imageSize", 2)
        if height % 1 or width % 1:
            raise InputError(f"imageSize {height:g} x {width:g} is not in whole pixels")
        return Camera(
            path.resolve().parent.name,
            (int(width), int(height)),
            _numbers(held, "intrinsicMat", 9).reshape(3, 3),
            tuple(_numbers(held, "distortion", None).tolist()),
            rotation=_numbers(held, "rotation", 9).reshape(3, 3),
            translation=_numbers(held, "translation", 3),
        )


def _numbers(held: dict[Any, Any], key: str, count: int | None) -> FloatArray:
    """(count,) finite numbers."""
    if key not in held:
        raise InputError(f"is no calibration of OpenCap, or one without extrinsics: {key} is missing")
    try:
        values = np.asarray(held[key], dtype=float).ravel()
    except (ValueError, TypeError):
        values = np.full(1, np.nan)
    if (count is not None and len(values) != count) or not np.isfinite(values).all():
        raise InputError(f"{key} must be {count or 'some'} finite numbers; it has {len(values)}")
    return values
