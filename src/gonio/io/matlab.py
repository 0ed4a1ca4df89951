"""MATLAB's files (.mat), version 5 to 7, by scipy; nothing in a file is executed.

Written: variables that MATLAB shows by name,

    positions  (time, joint, 2 or 3)    px or m; NaN = missing
    times_s    (time, 1)                joints  {joint x 1} cell of names
    confidence, status                  (time, joint)
    unit, frame, frame_name, up, layout, source, history, parents, image_size_px, covariance
    assumptions                         struct of two cells, kind and text; only if something was assumed

Read: these, or a simple layout of another program: positions, times or a rate, and names, as variables or as the fields
of one struct, under the names of `_ALIASES`. The axes of the positions may have any order that follows from the number
of names and of times; (time, joint, axis) is tried first. Files that MATLAB saves with -v7.3 are HDF5 and refused.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any, cast, get_args

import numpy as np
from numpy.typing import NDArray

from gonio.core.arrays import FloatArray
from gonio.core.assumptions import Assumption, AssumptionKind
from gonio.core.errors import InputError, one_line
from gonio.core.files import replacing
from gonio.core.sequence import Axis, Frame, PoseSequence, Source
from gonio.core.skeleton import Skeleton
from gonio.io.joint_names import skeleton_of, translated
from gonio.io.matlab_elements import variables
from gonio.io.reading import METRES, check_rate, is_rate, naming, read_bytes

_MAGIC, _MAGIC_HDF5, _HDF5 = b"MATLAB 5.0 MAT-file", b"MATLAB 7.3 MAT-file", b"\x89HDF"
_ALIASES = {
    "positions": ("positions", "pos", "xyz", "coordinates", "joint_positions", "data"),
    "times_s": ("times_s", "times", "time_s", "time", "t"),
    "rate_hz": ("rate_hz", "rate", "fps", "frame_rate", "framerate", "fs"),
    "joints": ("joints", "names", "joint_names", "labels", "markers", "marker_names"),
    "unit": ("unit", "units"),
}


def recognise(path: Path) -> bool:
    """A file whose text header is MATLAB's, of version 5 or 7.3 (which `read` refuses with the remedy)."""
    try:
        with Path(path).open("rb") as stream:
            head = stream.read(len(_MAGIC))
    except OSError:
        return False
    return head in (_MAGIC, _MAGIC_HDF5) or head.startswith(_HDF5)


def read(path: str | Path, *, unit: str | None = None, rate_hz: float | None = None) -> PoseSequence:
    """One person's joints. `unit` ("px", "m", "cm", "mm") and `rate_hz` if the file does not state them.

    Raises `InputError` if the file does not exist, is cut, of version 7.3 or has no such layout, if the order of its
    axes or its unit is not clear, and if it contradicts a declared value.
    """
    path = Path(path)
    held = _load(path)
    positions = _numbers(path, held, "positions")
    joints = _names(path, held)
    times = _numbers(path, held, "times_s", needed=False)
    positions = _time_joint_axis(path, positions, len(joints), None if times is None else times.size)
    n_dims = positions.shape[2]
    unit = _unit(path, _text(held, "unit"), unit, n_dims)
    times_s = _times(path, held, times, rate_hz, len(positions))
    is_own = "parents" in held
    size = np.asarray(held.get("image_size_px", ()), dtype=float).ravel() if is_own else np.zeros(0)
    history = (f"{len(positions)} frames of {len(joints)} joints read from {path.name}",)
    source = held["source"] if is_own and isinstance(held.get("source"), dict) else {"method": "mat"}
    named = {key: _text(source, key) for key in ("method", "model", "version")}
    with naming(path):
        return PoseSequence(
            positions=positions * METRES.get(unit, 1.0),
            times_s=times_s,
            skeleton=_skeleton(held, joints),
            unit="px" if unit == "px" else "m",
            frame=_choice(held, "frame", Frame, "image" if unit == "px" else "world"),
            frame_name=_text(held, "frame_name") if is_own else path.stem,
            image_size_px=(int(size[0]), int(size[1])) if len(size) == 2 else None,
            up=_choice(held, "up", Axis, None),
            confidence=_table(path, held, "confidence", positions.shape[:2]),
            status=_table(path, held, "status", positions.shape[:2]),
            covariance=_table(path, held, "covariance", (*positions.shape, n_dims)),
            source=Source(**named, file=str(path)),
            history=(*_strings(held.get("history")), *history) if is_own else history,
            assumptions=_assumptions(held.get("assumptions")) if is_own else (),
        )


def dimensions(path: Path) -> int:
    """2 or 3. Raises `InputError` as `read`, except for the unit and the rate."""
    held = _load(path)
    times = _numbers(path, held, "times_s", needed=False)
    n_times = None if times is None else times.size
    return int(_time_joint_axis(path, _numbers(path, held, "positions"), len(_names(path, held)), n_times).shape[2])


def _assumptions(held: Any) -> tuple[Assumption, ...]:
    """As `write` writes them."""
    if not isinstance(held, dict):
        return ()
    kinds, texts = _strings(held.get("kind")), _strings(held.get("text"))
    if len(kinds) != len(texts):
        raise InputError(f"assumptions: {len(kinds)} kinds but {len(texts)} texts")
    return tuple(Assumption(cast("AssumptionKind", kind), text) for kind, text in zip(kinds, texts, strict=True))


def write(sequence: PoseSequence, path: str | Path) -> tuple[str, ...]:
    """Writes everything, numbers bit for bit; the returned tuple is empty.

    Raises `InputError` if the sequence has no frame.
    """
    from scipy.io import savemat  # noqa: PLC0415  (slow to load)

    path = Path(path)
    if not isinstance(sequence, PoseSequence):
        raise InputError(f"{path}: a .mat file holds one person; write detections as .npz or OpenPose JSON")
    if not len(sequence):
        raise InputError(f"{path}: there is no frame to write")
    size = sequence.image_size_px
    content: dict[str, Any] = {
        "positions": sequence.positions,
        "times_s": sequence.times_s[:, None],
        "joints": _cell(sequence.skeleton.joints),
        "confidence": sequence.confidence,
        "status": sequence.status,
        "unit": sequence.unit,
        "frame": sequence.frame,
        "frame_name": sequence.frame_name,
        "up": sequence.up or "",
        "layout": sequence.skeleton.name,
        "parents": np.array(sequence.skeleton.parents, dtype=float)[:, None] + 1,  # MATLAB counts from 1; 0: none
        "image_size_px": np.array(size if size else (), dtype=float),
        "source": {key: value or "" for key, value in vars(sequence.source).items()},
        "history": _cell(sequence.history),
    }
    if sequence.assumptions:
        content["assumptions"] = {
            "kind": _cell(tuple(assumption.kind for assumption in sequence.assumptions)),
            "text": _cell(tuple(assumption.text for assumption in sequence.assumptions)),
        }
    if sequence.covariance is not None:
        content["covariance"] = sequence.covariance
    with replacing(path) as temporary, temporary.open("wb") as stream:
        savemat(stream, content, do_compression=True, long_field_names=True)
    return ()


def _load(path: Path) -> dict[str, Any]:
    """Variables by lower-case name; the fields of the only struct if no positions lie beside it."""
    content = read_bytes(path)
    if content.startswith((_MAGIC_HDF5, _HDF5)):
        raise InputError(f"{path}: has MATLAB's version 7.3 (HDF5); save it again with save(name, ..., '-v7')")
    if not content.startswith(_MAGIC):
        raise InputError(f"{path}: is not a MATLAB file")
    try:
        found = variables(content)
    except (ValueError, zlib.error) as error:
        raise InputError(f"{path}: is damaged or cut ({one_line(error)}); save it again") from None
    held = {name.lower(): value for name, value in found.items()}
    if not any(name in held for name in _ALIASES["positions"]):
        structs = [value for value in held.values() if isinstance(value, dict)]
        if len(structs) == 1:
            held = {str(name).lower(): value for name, value in structs[0].items()}
    return held


def _find(held: dict[str, Any], key: str) -> Any:
    return next((held[name] for name in _ALIASES.get(key, (key,)) if name in held), None)


def _numbers(path: Path, held: dict[str, Any], key: str, *, needed: bool = True) -> Any:
    value = _find(held, key)
    if value is None:
        if not needed:
            return None
        shown = ", ".join(list(held)[:8]) or "nothing"
        raise InputError(f"{path}: holds no {key} ({', '.join(_ALIASES[key])}); it holds {shown}")
    array = np.asarray(value)
    if array.dtype.kind not in "fiu":
        raise InputError(f"{path}: its {key} are not an array of numbers")
    return array.astype(float)


def _names(path: Path, held: dict[str, Any]) -> tuple[str, ...]:
    names = tuple(name.strip() for name in _strings(_find(held, "joints")))
    if not names or not all(names):
        raise InputError(
            f"{path}: holds no names of its joints ({', '.join(_ALIASES['joints'])}); save a cell of texts"
        )
    return names


def _strings(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    return tuple(str(each) for each in np.atleast_1d(np.asarray(value, dtype=object)).ravel() if isinstance(each, str))


def _text(held: dict[str, Any], key: str) -> str:
    value = _find(held, key)
    return value.strip() if isinstance(value, str) else ""


def _time_joint_axis(path: Path, positions: FloatArray, n_joints: int, n_times: int | None) -> FloatArray:
    """(time, joint, 2 or 3), whatever the order; axes of length 1 may have been dropped."""
    for shape in ((n_times or 1, n_joints, 2), (n_times or 1, n_joints, 3)):
        if positions.ndim < 3 and positions.shape == tuple(length for length in shape if length != 1):
            positions = positions.reshape(shape)
    if positions.ndim != 3:
        raise InputError(f"{path}: its positions have shape {positions.shape}; (time, joint, 2 or 3) is expected")
    orders = [
        order
        for order in ((0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0))
        if positions.shape[order[1]] == n_joints
        and positions.shape[order[2]] in (2, 3)
        and n_times in (None, positions.shape[order[0]])
    ]
    if not orders:
        times = "" if n_times is None else f" and {n_times} times"
        raise InputError(f"{path}: its positions have shape {positions.shape}; there are {n_joints} names{times}")
    if len(orders) > 1 and orders[0] != (0, 1, 2):
        raise InputError(f"{path}: it is not clear which axis of {positions.shape} is time; save (time, joint, xyz)")
    return positions.transpose(orders[0])


def _unit(path: Path, stated: str, declared: str | None, n_dims: int) -> str:
    stated = {"metres": "m", "meters": "m", "millimetres": "mm", "millimeters": "mm"}.get(stated.lower(), stated)
    unit = stated or declared or ("px" if n_dims == 2 else None)
    if unit is None:
        raise InputError(f"{path}: the file does not state its unit; declare --unit {', '.join(METRES)}")
    if stated and declared and stated != declared:
        raise InputError(f"{path}: the file is in {stated}; {declared} was declared")
    if (unit == "px") != (n_dims == 2) or (unit != "px" and unit not in METRES):
        raise InputError(f"{path}: {n_dims}D joints cannot be in {unit}; 2D is px, 3D is {', '.join(METRES)}")
    return unit


def _times(
    path: Path, held: dict[str, Any], times: FloatArray | None, declared_hz: float | None, n_times: int
) -> FloatArray:
    if times is not None:
        times_s = times.ravel()
        check_rate(path, times_s, declared_hz)
        return times_s
    own = _numbers(path, held, "rate_hz", needed=False)
    rate_hz = declared_hz if own is None or own.size != 1 else float(own.ravel()[0])
    if rate_hz is None:
        raise InputError(f"{path}: holds neither times nor a frame rate; declare it with --fps")
    if not is_rate(rate_hz):
        raise InputError(f"{path}: a frame rate of {rate_hz} per second is not possible; declare it with --fps")
    if declared_hz is not None and not abs(rate_hz - declared_hz) <= 0.01 * declared_hz:
        raise InputError(f"{path}: the file has {rate_hz:.6g} frames per second; {declared_hz:g} were declared")
    return np.asarray(np.arange(n_times) / rate_hz)


def _skeleton(held: dict[str, Any], joints: tuple[str, ...]) -> Skeleton:
    parents = np.asarray(held.get("parents", ()), dtype=float).ravel()
    if len(parents) != len(joints):
        return skeleton_of(translated(joints), "mat")
    return Skeleton(_text(held, "layout") or "mat", joints, tuple(int(parent) - 1 for parent in parents))


def _table(path: Path, held: dict[str, Any], key: str, shape: tuple[int, ...]) -> Any:
    """An array of a file that gonio wrote, with its dropped axes; None in another program's file."""
    value = held.get(key) if "parents" in held else None
    if value is None:
        return None
    array: NDArray[Any] = np.asarray(value)
    if array.size != np.prod(shape) or array.dtype.kind not in "fiu":
        raise InputError(f"{path}: its {key} has shape {array.shape}, not {shape}")
    return array.reshape(shape)


def _choice(held: dict[str, Any], key: str, values: Any, default: Any) -> Any:
    text = _text(held, key) or default
    if text is not None and text not in get_args(values):
        raise InputError(f"{key} {text!r} is not known; there are {', '.join(get_args(values))}")
    return text


def _cell(texts: tuple[str, ...]) -> NDArray[Any]:
    """(n, 1) MATLAB's cell of texts."""
    cell = np.empty((len(texts), 1), dtype=object)
    cell[:, 0] = texts
    return cell
