"""Calibrations as OpenCV's programs write them (.yml, .yaml, .xml), by `cv2.FileStorage`, and back.

    %YAML:1.0
    ---
    image_width: 640
    image_height: 480
    M1: !!opencv-matrix { rows: 3, cols: 3, dt: d, data: [ ... ] }       # camera matrix and distortion of each camera
    D1: ...
    M2: ...
    D2: ...
    R: ...                                                               # x2 = R x1 + T
    T: ...

Two cameras become `cam1`, whose axes are the world's, and `cam2`. A file of one camera has `camera_matrix` and
`distortion_coefficients` or `dist_coeffs`; it stands in the world's origin unless `R` and `T` (world -> camera; `rvec`
and `tvec` too) say otherwise. The files name neither unit nor vertical. The image size must be in the file
(`image_width` and `image_height`, or `image_size`): OpenCV's stereo example leaves it out, and it is added by hand.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from gonio.core.arrays import FloatArray
from gonio.core.camera import Camera, Rig
from gonio.core.errors import InputError
from gonio.core.files import replacing

_SIZE = "image_width and image_height"
_ONE = {
    "matrix": ("camera_matrix", "cameraMatrix", "K"),
    "distortion": ("distortion_coefficients", "dist_coeffs", "dist_coefs", "distCoeffs", "D"),
    "rotation": ("R", "rvec"),
    "translation": ("T", "tvec"),
}
_TWO = ("M1", "D1", "M2", "D2", "R", "T")


def recognise(text: str) -> bool:
    """OpenCV's YAML begins with %YAML, its XML holds <opencv_storage>."""
    return text.lstrip().startswith("%YAML") or "<opencv_storage" in text[:1000]


def cameras(text: str) -> tuple[Camera, ...]:
    """One or two cameras, translations in the file's own unit.

    Raises `InputError` if it is damaged, is no calibration, or holds no size of the images.
    """
    import cv2  # noqa: PLC0415

    try:
        storage = cv2.FileStorage(text, cv2.FILE_STORAGE_READ | cv2.FILE_STORAGE_MEMORY)
        held = {name: _value(cv2, storage.getNode(name)) for name in storage.root().keys()}  # noqa: SIM118 (no dict)
    except (cv2.error, SystemError, ValueError) as error:
        why = str(getattr(error, "err", "") or "it is cut or no YAML or XML")
        raise InputError(
            f"OpenCV cannot read it ({' '.join(why.split())[:80]}); calibrate or export it again"
        ) from None
    if "M1" in held:
        if lacking := [name for name in _TWO if name not in held]:
            raise InputError(
                f"a calibration of two cameras without {', '.join(lacking)}; OpenCV's example writes R and T into "
                f"a second file: put both into one"
            )
        size = _size(held)
        first = Camera("cam1", size, _matrix(held, "M1", (3, 3)), _distortion(held, "D1"))
        second = Camera(
            "cam2",
            size,
            _matrix(held, "M2", (3, 3)),
            _distortion(held, "D2"),
            rotation=_rotation(held, "R"),
            translation=_matrix(held, "T", (3,)),
        )
        return first, second
    names = {part: next((name for name in known if name in held), None) for part, known in _ONE.items()}
    if names["matrix"] is None:
        raise InputError("no calibration: neither M1, D1, M2, D2, R, T nor camera_matrix in it")
    rotation, translation, bent = names["rotation"], names["translation"], names["distortion"]
    return (
        Camera(
            "cam1",
            _size(held),
            _matrix(held, names["matrix"], (3, 3)),
            () if bent is None else _distortion(held, bent),
            rotation=np.eye(3) if rotation is None else _rotation(held, rotation),
            translation=np.zeros(3) if translation is None else _matrix(held, translation, (3,)),
        ),
    )


def write(rig: Rig, path: Path) -> tuple[str, ...]:
    """One or two cameras, in metres, YAML or XML by the ending; returns what was not preserved.

    The second camera is stated relative to the first, as OpenCV's stereo functions take it.
    Raises `InputError` for more cameras, another distortion model, or images of two sizes.
    """
    import cv2  # noqa: PLC0415

    path = Path(path)
    if len(rig) > 2:
        raise InputError(f"{path}: OpenCV's file holds one or two cameras, this rig has {len(rig)}; write .toml")
    sizes = {camera.size_px for camera in rig}
    if len(sizes) > 1:
        raise InputError(f"{path}: OpenCV's file holds one size of images; these cameras have {len(sizes)}")
    if any(camera.distortion_model != "opencv" for camera in rig):
        raise InputError(f"{path}: OpenCV's file holds its own distortion model only")
    ((width, height),) = sizes
    first = rig.cameras[0]
    numbers: dict[str, Any] = {"image_width": width, "image_height": height}
    not_preserved = [f"the world's vertical ({rig.up}) is not preserved"]
    if len(rig) == 1:
        numbers |= {"camera_matrix": first.matrix, "distortion_coefficients": np.array([first.distortion])}
        numbers |= {"R": first.rotation, "T": first.translation[:, None]}
    else:
        second = rig.cameras[1]
        rotation = second.rotation @ first.rotation.T
        numbers |= {"M1": first.matrix, "D1": np.array([first.distortion])}
        numbers |= {"M2": second.matrix, "D2": np.array([second.distortion])}
        numbers |= {"R": rotation, "T": (second.translation - rotation @ first.translation)[:, None]}
        if not (np.allclose(first.rotation, np.eye(3)) and np.allclose(first.translation, 0)):
            not_preserved.append("the world is not preserved: the file's world is the first camera")
    names = [camera.name for camera in rig]
    if names != ["cam1", "cam2"][: len(names)]:
        not_preserved.append(f"the cameras' names ({', '.join(names)}) are not preserved: they are read as cam1, cam2")
    kind = ".xml" if path.suffix.lower() == ".xml" else ".yml"
    storage = cv2.FileStorage(kind, cv2.FILE_STORAGE_WRITE | cv2.FILE_STORAGE_MEMORY)
    for name, value in numbers.items():
        storage.write(name, np.ascontiguousarray(value) if isinstance(value, np.ndarray) else value)
    text = storage.releaseAndGetString()
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")
    return tuple(not_preserved)


def _value(cv2: Any, node: Any) -> Any:
    """A matrix, a number, a list of numbers, or None for anything else."""
    if node.isMap():
        try:
            return node.mat()
        except cv2.error:
            return None
    if node.isSeq():
        return np.array([node.at(i).real() for i in range(node.size())])
    return node.real() if node.isReal() or node.isInt() else None


def _matrix(held: dict[str, Any], name: str, shape: tuple[int, ...]) -> FloatArray:
    value = held[name]
    if value is None or np.size(value) != np.prod(shape):
        count = "no" if value is None else str(np.size(value))
        raise InputError(f"{name} has {count} numbers; {' x '.join(map(str, shape))} are expected")
    numbers = np.asarray(value, dtype=float).reshape(shape)
    if not np.isfinite(numbers).all():
        raise InputError(f"{name} holds NaN or infinity; calibrate again")
    return numbers


def _distortion(held: dict[str, Any], name: str) -> tuple[float, ...]:
    """Up to five coefficients; OpenCV fills those of its longer models with zeros if they are not used."""
    value = np.zeros(0) if held[name] is None else np.asarray(held[name], dtype=float).ravel()
    if len(value) > 5 and np.any(value[5:] != 0):
        raise InputError(
            f"{name} has {len(value)} coefficients; gonio knows five: calibrate without the rational model"
        )
    return tuple(value[:5].tolist())


def _rotation(held: dict[str, Any], name: str) -> FloatArray:
    """A rotation matrix, or the one of a Rodrigues vector."""
    import cv2  # noqa: PLC0415

    if np.size(held[name]) == 3:
        return np.asarray(cv2.Rodrigues(_matrix(held, name, (3,)))[0], dtype=float)
    return _matrix(held, name, (3, 3))


def _size(held: dict[str, Any]) -> tuple[int, int]:
    width, height = held.get("image_width"), held.get("image_height")
    if isinstance(width, int | float) and isinstance(height, int | float):
        values = np.array([width, height], dtype=float)
    elif held.get("image_size") is not None and np.size(held["image_size"]) == 2:
        values = np.asarray(held["image_size"], dtype=float).ravel()
    else:
        raise InputError(f"the size of the images is not in it; add {_SIZE}, in pixels")
    if not np.isfinite(values).all() or (values % 1).any() or (values < 1).any():
        raise InputError(f"{_SIZE} are {values[0]:g} and {values[1]:g}; whole pixels are expected")
    return int(values[0]), int(values[1])
