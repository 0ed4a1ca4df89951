"""Calibrated rigs from files, and back.

Four formats, recognised by their content. Besides the two below these are OpenCV's YAML and XML (`opencv`) and
OpenCap's pickles (`opencap`), whose unit is found as for TOML.

**TOML of Pose2Sim, aniposelib and FreeMoCap.** One table a camera::

    [cam_01]
    name = "cam_01"
    size = [1088.0, 1920.0]              # width, height, px
    matrix = [[fx, 0, cx], [0, fy, cy], [0, 0, 1]]
    distortions = [k1, k2, p1, p2]       # OpenCV's order; k3 may follow
    rotation = [rx, ry, rz]              # Rodrigues vector, world -> camera
    translation = [tx, ty, tz]           # world -> camera
    fisheye = false

Tables that describe no camera (`[metadata]`, boards) are passed over. The layout does not say its unit: Pose2Sim writes
metres, FreeMoCap millimetres. The distances between the cameras tell: see `read`. `write` adds `unit` and `up` to
`[metadata]`, which other programs ignore and `read` believes.

**Qualisys `.qca.txt`** (XML). Per camera: `intrinsic` in 1/64 px, `transform` with the camera's position in mm and a
rotation whose y and z axes point against OpenCV's: R = diag(1, -1, -1) R_file, t = -R C. The image size is that of
`fov_video`. The distortion coefficients act on normalised coordinates and are taken as they are written.
"""

from __future__ import annotations

import re
import tomllib
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from gonio.core.arrays import FloatArray
from gonio.core.camera import Camera, Rig
from gonio.core.errors import InputError
from gonio.core.files import replacing
from gonio.core.geometry import rotation_matrix
from gonio.core.sequence import Axis
from gonio.core.settings import to_toml, to_toml_key
from gonio.io.reading import naming, quiet
from gonio.io.rigs import opencap, opencv

Unit = Literal["m", "mm"]

METRES_PER: dict[Unit, float] = {"m": 1.0, "mm": 0.001}
LARGEST_ROOM_M = 30.0  # cameras further apart than this many units are not given in metres ...
LARGEST_ANGLE_RAD = 1e6
SMALLEST_RIG_MM = 100.0  # ... and nearer together than this not in millimetres
LARGEST_FILE_BYTES = 10_000_000
QUALISYS_SUBPIXELS = 64
CAMERA_KEYS = {"matrix", "distortions", "rotation", "translation"}  # a table with one of these describes a camera


@quiet
def read(path: str | Path, *, up: Axis | None = None, unit: Unit | None = None) -> Rig:
    """The rig of a TOML, Qualisys or OpenCV file, an OpenCap pickle, or the folder that holds its cameras' folders, in
    metres; its name is the file's.

    `up` is the world's axis against gravity; without it, and if the file does not state it, `Rig` guesses it from the
    cameras. `unit` is that of the file's lengths. Without it a Qualisys file is in mm, and another in what it states
    itself (TOML), else in what the greatest distance between two cameras shows (for one camera: its distance from the
    origin): up to 30 units mean metres, 100 and more millimetres. The history says which was taken.

    Raises `InputError` for a file that is missing, empty, broken or of another kind, a camera that lacks a value or
    has an impossible one, a fisheye camera, and lengths whose unit is not known.
    """
    path = Path(path)
    if pickles := opencap.files(path):
        cameras = [opencap.camera(file) for file in pickles]
        with naming(path):
            return _in_metres(path.stem, cameras, up, unit, {})
    text = _text(path)
    try:
        if opencv.recognise(text):
            _refuse_entities(text)
            return _in_metres(path.stem, opencv.cameras(text), up, unit, {})
        if text.lstrip().startswith("<"):
            return _from_qualisys(path, text, up, unit or "mm")
        return _from_toml(path, text, up, unit)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def write(rig: Rig, path: str | Path) -> None:
    """The rig as TOML that Pose2Sim and aniposelib read, in metres.

    Raises `InputError` for a camera whose distortion model is not "opencv", and if `path` cannot be written.
    """
    path = Path(path)
    lines: list[str] = []
    for camera in rig:
        if camera.distortion_model != "opencv":
            raise InputError(
                f"{path}: camera {camera.name!r} has the distortion model {camera.distortion_model!r}; "
                "this format holds 'opencv' only"
            )
        if camera.name == "metadata":
            raise InputError(f"{path}: a camera cannot be named 'metadata' in this format; rename it")
        lines += [
            f"[{to_toml_key(camera.name)}]",
            f"name = {to_toml(camera.name)}",
            f"size = {to_toml(camera.size_px)}",
            f"matrix = {to_toml(camera.matrix.tolist())}",
            f"distortions = {to_toml(camera.distortion)}",
            f"rotation = {to_toml(rotation_to_vector(camera.rotation).tolist())}",
            f"translation = {to_toml(camera.translation.tolist())}",
            "fisheye = false",
            "",
        ]
    lines += ["[metadata]", "adjusted = false", "error = 0.0", 'unit = "m"', f'up = "{rig.up}"', ""]
    with replacing(Path(path)) as temporary:
        temporary.write_text("\n".join(lines), encoding="utf-8", newline="\n")


def match_cameras(rig: Rig, names: Sequence[str]) -> dict[str, str]:
    """Which camera of the rig each name means: {name: camera name}.

    The same name, else the only camera whose name is equal but for case, spaces and punctuation (cam_01 ~ CAM01).
    Never by order. Raises `InputError`, naming both lists, if a name fits no camera or several, or two names one.
    """
    lists = f"the recordings are {', '.join(names)}; the rig {rig.name!r} has {', '.join(rig.camera_names)}"
    matches: dict[str, str] = {}
    for name in names:
        alike = [own for own in rig.camera_names if _bare(own) == _bare(name) != ""]
        if name not in rig.camera_names and len(alike) != 1:
            fault = f"fits several cameras ({', '.join(alike)})" if alike else "fits no camera"
            raise InputError(f"{name!r} {fault}: {lists}; name them alike")
        camera = name if name in rig.camera_names else alike[0]
        if camera in matches.values():
            raise InputError(f"{name!r} is a second recording of camera {camera!r}: {lists}; name them alike")
        matches[name] = camera
    return matches


def rotation_from_vector(vector: ArrayLike) -> FloatArray:
    """(3, 3) rotation of a Rodrigues vector (3,): its direction is the axis, its length the angle in radians.

    Raises `InputError` for a vector of more than a million radians.
    """
    r = np.asarray(vector, dtype=float)
    if not (np.abs(r) < LARGEST_ANGLE_RAD).all():
        raise InputError(f"a rotation vector of {r.tolist()} radians is no rotation")
    return rotation_matrix(r)


def rotation_to_vector(rotation: ArrayLike) -> FloatArray:
    """(3,) Rodrigues vector of a rotation (3, 3), its length in 0..pi.

    By way of the unit quaternion, from the largest of its four components (Shepperd 1978), so that no angle is lost.
    """
    R = np.asarray(rotation, dtype=float)
    # (4, 4) 4 q q^T with q = (w, x, y, z); its row of the largest diagonal entry is q up to scale
    skew = np.array([R[2, 1] - R[1, 2], R[0, 2] - R[2, 0], R[1, 0] - R[0, 1]])
    Q = np.empty((4, 4))
    Q[0, 0] = 1 + np.trace(R)
    Q[0, 1:] = Q[1:, 0] = skew
    Q[1:, 1:] = R + R.T + (1 - np.trace(R)) * np.eye(3)
    q = Q[np.argmax(np.diag(Q))]
    q = q / np.linalg.norm(q) * (1 if q[0] >= 0 else -1)
    sine = np.linalg.norm(q[1:])
    angle = 2 * np.arctan2(sine, q[0])
    return np.zeros(3) if sine == 0 else np.asarray(q[1:] / sine * angle)


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > LARGEST_FILE_BYTES:
            raise InputError(
                f"{path}: too large for a calibration file; give a camera TOML, a Qualisys .qca.txt or OpenCV's YAML"
            )
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); give the rig's calibration file") from None
    except UnicodeDecodeError:
        raise InputError(
            f"{path}: not a text file; give a camera TOML, a Qualisys .qca.txt or OpenCV's YAML or XML"
        ) from None
    if not text.strip():
        raise InputError(f"{path}: empty; give a camera TOML, a Qualisys .qca.txt or OpenCV's YAML or XML")
    return text


# ---------------------------------------------------------------------------------------------------------- TOML


def _from_toml(path: Path, text: str, up: Axis | None, unit: Unit | None) -> Rig:
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # also numbers of thousands of digits, and tables nested as deep
        raise InputError(f"neither TOML ({error}) nor Qualisys XML; is the file complete?") from None
    tables = {key: table for key, table in document.items() if isinstance(table, dict) and CAMERA_KEYS & table.keys()}
    if not tables:
        raise InputError("no camera in it: no table with matrix, distortions, rotation and translation")
    metadata = document.get("metadata")
    stated = metadata if isinstance(metadata, dict) else {}
    return _in_metres(path.stem, [_toml_camera(key, table) for key, table in tables.items()], up, unit, stated)


def _in_metres(name: str, cameras: Sequence[Camera], up: Axis | None, unit: Unit | None, stated: dict[str, Any]) -> Rig:
    """The rig of cameras whose translations are in `unit`, else in what the file states, else in what is probable."""
    reach = _reach(cameras)
    if unit is not None:
        history = f"lengths in {unit}, as declared"
    elif stated.get("unit") in list(METRES_PER):
        unit = stated["unit"]
        history = f"lengths in {unit}, as the file says"
    else:
        unit = _guess_unit(reach)
        history = f"lengths taken as {unit}: the cameras are up to {reach:.4g} {unit} apart"
    if up is None and stated.get("up") in get_args(Axis):
        up = stated["up"]
    return Rig(name, tuple(_scaled(camera, METRES_PER[unit]) for camera in cameras), up, (history,))


def _toml_camera(key: str, table: dict[str, Any]) -> Camera:
    """One camera, its translation still in the file's unit."""
    name = table.get("name", key)
    if not isinstance(name, str) or not name:
        raise InputError(f"camera {key!r}: name is not a text")
    where = f"camera {name!r}"
    if table.get("fisheye", False):
        raise InputError(f"{where}: fisheye lenses are not supported; undistort its video first and calibrate that")
    width, height = _numbers(where, table, "size", (2,))
    if width % 1 or height % 1:
        raise InputError(f"{where}: size {width} x {height} is not in whole pixels")
    distortions = _numbers(where, table, "distortions", None)
    return Camera(
        name,
        (int(width), int(height)),
        _numbers(where, table, "matrix", (3, 3)),
        tuple(distortions.tolist()),
        rotation=rotation_from_vector(_numbers(where, table, "rotation", (3,))),
        translation=_numbers(where, table, "translation", (3,)),
    )


def _numbers(where: str, table: dict[str, Any], key: str, shape: tuple[int, ...] | None) -> FloatArray:
    """The finite numbers of a key, of a shape, or a list of any length if `shape` is None."""
    if key not in table:
        raise InputError(f"{where}: {key} is missing")
    wanted = "a list of" if shape is None else " x ".join(map(str, shape))
    try:
        values = np.array(table[key])
    except ValueError:  # rows of different lengths
        values = np.array(None)
    fits = values.ndim == 1 if shape is None else values.shape == shape
    if not fits or (values.dtype.kind not in "if" and values.size):
        raise InputError(f"{where}: {key} must be {wanted} numbers")
    if not np.isfinite(values.astype(float)).all():
        raise InputError(f"{where}: {key} holds NaN or infinity; calibrate that camera again")
    return values.astype(float)


def _reach(cameras: Sequence[Camera]) -> float:
    """The greatest distance between two cameras, or of the only camera from the origin, in the file's unit."""
    centers = np.array([camera.center_m for camera in cameras])
    others = centers if len(centers) > 1 else np.zeros((1, 3))
    return float(np.linalg.norm(centers[:, None] - others, axis=-1).max())


def _guess_unit(reach: float) -> Unit:
    if reach <= LARGEST_ROOM_M:
        return "m"
    if reach >= SMALLEST_RIG_MM:
        return "mm"
    raise InputError(
        f"unit unknown: the cameras are up to {reach:.4g} units apart, which could be metres or millimetres; "
        "say unit = 'm' or 'mm'"
    )


def _scaled(camera: Camera, metres_per_unit: float) -> Camera:
    return Camera(
        camera.name,
        camera.size_px,
        camera.matrix,
        camera.distortion,
        camera.distortion_model,
        camera.rotation,
        camera.translation * metres_per_unit,
    )


def _bare(name: str) -> str:
    return "".join(c for c in name.casefold() if c.isalnum())


# ------------------------------------------------------------------------------------------------------ Qualisys


def _from_qualisys(path: Path, text: str, up: Axis | None, unit: Unit) -> Rig:
    _refuse_entities(text)
    try:
        root = ET.fromstring(text)
    except (ET.ParseError, ValueError) as error:
        raise InputError(f"broken XML ({error}); is the file complete?") from None
    elements = root.findall("cameras/camera")
    if root.tag != "calibration" or not elements:
        raise InputError("XML, but no Qualisys calibration: no <calibration><cameras><camera> in it")
    history = [f"lengths in {unit}, " + ("as Qualisys writes them" if unit == "mm" else "as declared")]
    cameras = []
    for number, element in enumerate(elements, start=1):
        if element.get("active", "1") == "0":
            history.append(f"camera {element.get('serial', number)!r} left out: the file calls it inactive")
            continue
        camera, remark = _qualisys_camera(element, number, METRES_PER[unit])
        cameras.append(camera)
        history += remark
    if not cameras:
        raise InputError("the file calls all its cameras inactive; calibrate again")
    return Rig(path.name.removesuffix(".txt").removesuffix(".qca"), tuple(cameras), up, tuple(history))


def _refuse_entities(text: str) -> None:
    if re.search(r"<!\s*(DOCTYPE|ENTITY)", text, re.IGNORECASE):
        raise InputError("XML with a DOCTYPE or ENTITY declaration is refused; a calibration file has none")


def _qualisys_camera(element: ET.Element, number: int, metres_per_unit: float) -> tuple[Camera, list[str]]:
    """One camera, and what the reader should know of it."""
    name = element.get("serial", "")
    if not name:
        raise InputError(f"camera number {number}: serial is missing")
    where = f"camera {name!r}"
    left, top, right, bottom = _attributes(where, element, "fov_video", ["left", "top", "right", "bottom"])
    intrinsic = [f"{kind}{axis}" for kind in ("focalLength", "centerPoint") for axis in "UV"]
    fx, fy, cx, cy = _attributes(where, element, "intrinsic", intrinsic) / QUALISYS_SUBPIXELS
    coefficients = ["radialDistortion1", "radialDistortion2", "tangentalDistortion1", "tangentalDistortion2"]
    distortion = _attributes(where, element, "intrinsic", [*coefficients, "radialDistortion3"])
    if _attributes(where, element, "intrinsic", ["skew"])[0] != 0:
        raise InputError(f"{where}: skewed pixels are not supported; calibrate it without skew")
    R_file = _attributes(where, element, "transform", [f"r{i}{j}" for i in (1, 2, 3) for j in (1, 2, 3)])
    rotation = np.diag([1.0, -1.0, -1.0]) @ R_file.reshape(3, 3)
    position = _attributes(where, element, "transform", ["x", "y", "z"]) * metres_per_unit
    remarks = []
    if left or top:
        remarks.append(
            f"{where}: its video starts at pixel {left:g}, {top:g} of the sensor; its centre was moved by it"
        )
    if (turned := element.get("viewrotation", "0")) != "0":
        remarks.append(
            f"{where}: the file says its view is turned by {turned} degrees; calibration taken as for the sensor"
        )
    matrix = np.array([[fx, 0, cx - left], [0, fy, cy - top], [0, 0, 1]])
    size = (int(right - left) + 1, int(bottom - top) + 1)
    return Camera(
        name, size, matrix, tuple(distortion.tolist()), rotation=rotation, translation=-rotation @ position
    ), remarks


def _attributes(where: str, camera: ET.Element, tag: str, names: Sequence[str]) -> FloatArray:
    """The finite numbers in some attributes of a camera's child."""
    child = camera.find(tag)
    if child is None:
        raise InputError(f"{where}: <{tag}> is missing")
    values = []
    for name in names:
        text = child.get(name)
        if text is None:
            raise InputError(f"{where}: {tag} has no {name}")
        try:
            values.append(float(text))
        except ValueError:
            raise InputError(f"{where}: {tag} {name} is {text!r}, not a number") from None
    if not np.isfinite(values).all():
        raise InputError(f"{where}: {tag} holds NaN or infinity; calibrate that camera again")
    return np.array(values)
