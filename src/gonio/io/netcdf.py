"""NetCDF files (.nc) of positions in the vocabulary of `movement`: the xarray Dataset of `PoseSequence.to_xarray`.

`position` (time, space, keypoint, individual) and `confidence` (time, keypoint, individual), with the names as
coordinates (older files say keypoints and individuals), and the attributes `fps`, `time_unit` and `space_unit`. Written
as NetCDF 3 by xarray's scipy engine: `xarray.open_dataset` and other programs open it without further packages. Files
in NetCDF 4 are read if a package for them (h5netcdf or netCDF4) is installed.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from gonio.core.errors import InputError, MissingExtraError, one_line
from gonio.core.files import replacing
from gonio.core.sequence import PoseSequence, Source
from gonio.io.joint_names import skeleton_of, translated
from gonio.io.reading import METRES, NUMPY_ERRORS, check_rate, naming, read_bytes
from gonio.io.writing import unsupported_fields

_MAGIC_3, _MAGIC_4 = b"CDF", b"\x89HDF"
_UNITS = {"px": "px", "pixels": "px", "pixel": "px", "metres": "m", "meters": "m", "millimetres": "mm"}


def recognise(path: Path) -> bool:
    """A file that begins as NetCDF 3 or 4 do."""
    try:
        with Path(path).open("rb") as stream:
            return stream.read(4).startswith((_MAGIC_3, _MAGIC_4))
    except OSError:
        return False


def read(
    path: str | Path, *, unit: str | None = None, rate_hz: float | None = None
) -> PoseSequence | dict[str, PoseSequence]:
    """The joints of one individual, or of several by name.

    `unit` is needed if the file does not state it, `rate_hz` if its times are frame numbers.

    Raises `InputError` if the file does not exist, is damaged or holds no such dataset, `MissingExtraError` without
    xarray.
    """
    path = Path(path)
    data = _opened(path, lambda lazy: lazy.load())
    try:
        return _people(path, data, unit, rate_hz)
    except (TypeError, ValueError, LookupError, ArithmeticError) as error:  # values of an unexpected kind
        raise InputError(f"{path}: its values cannot be read ({one_line(error, 100)})") from None


def dimensions(path: Path) -> int:
    """2 or 3, by the axis "space"; no values are read. Raises `InputError` as `read`."""
    sizes = _opened(path, lambda lazy: dict(lazy.sizes))
    if sizes.get("space") not in (2, 3):
        raise InputError(f"{path}: holds no positions in 2 or 3 dimensions, named space")
    return int(sizes["space"])


def _opened(path: Path, take: Callable[[Any], Any]) -> Any:
    """What `take` makes of the dataset, which is open only meanwhile."""
    content = read_bytes(path)
    if not content.startswith((_MAGIC_3, _MAGIC_4)):
        raise InputError(f"{path}: is no NetCDF file")
    xr = _xarray()
    try:
        old = content.startswith(_MAGIC_3)  # from memory: a file mapped into it cannot be closed after an error
        with warnings.catch_warnings():
            for kind in (UserWarning, RuntimeWarning):  # xarray's, of what it makes of a damaged file
                warnings.simplefilter("error", kind)
            with xr.open_dataset(io.BytesIO(content) if old else path, engine="scipy" if old else None) as lazy:
                return take(lazy)
    except (*NUMPY_ERRORS, ImportError, UserWarning, RuntimeWarning) as error:
        raise InputError(f"{path}: cannot be read as NetCDF ({one_line(error, 100)})") from None


def _people(path: Path, data: Any, unit: str | None, rate_hz: float | None) -> PoseSequence | dict[str, PoseSequence]:
    """The individuals of a dataset."""
    data = data.rename(
        {old: new for old, new in (("keypoints", "keypoint"), ("individuals", "individual")) if old in data.dims}
    )
    axes = ("time", "keypoint", "individual", "space")
    if "position" not in data or set(data["position"].dims) != set(axes) or set(axes) - set(data.coords):
        raise InputError(f"{path}: holds no variable position with the coordinates {', '.join(axes)}")
    positions = np.asarray(data["position"].transpose(*axes).values, dtype=float)
    n_dims = positions.shape[3]
    stated = str(data.attrs.get("space_unit", ""))
    unit = _unit(path, _UNITS.get(stated, stated), unit, n_dims)
    times_s = _times(path, data, rate_hz)
    confidence = np.ones(positions.shape[:3])
    if "confidence" in data and set(data["confidence"].dims) == set(axes[:3]):
        confidence = np.nan_to_num(np.asarray(data["confidence"].transpose(*axes[:3]).values, dtype=float))
    joints = translated([str(name) for name in data["keypoint"].values])
    individuals = [str(name) for name in data["individual"].values]
    people: dict[str, PoseSequence] = {}
    with naming(path):
        for number, name in enumerate(individuals):
            missing = np.isnan(positions[:, :, number]).any(axis=2)
            with np.errstate(invalid="ignore", over="ignore"):  # an infinite value is refused
                metres = positions[:, :, number] * METRES.get(unit, 1.0)
            people[name] = PoseSequence(
                positions=metres,
                times_s=times_s,
                skeleton=skeleton_of(joints, "netcdf"),
                unit="px" if unit == "px" else "m",
                frame="image" if unit == "px" else "world",
                frame_name=path.stem,
                confidence=np.where(missing, 0.0, confidence[:, :, number]),
                source=Source(method="netcdf", file=str(path)),
                history=(f"{len(times_s)} frames of {name} read from {path.name}",),
            )
    if not people:
        raise InputError(f"{path}: holds no individual")
    return people if len(people) > 1 else people[individuals[0]]


def write(sequence: PoseSequence, path: str | Path) -> tuple[str, ...]:
    """Writes NetCDF 3; returns what is not preserved.

    Raises `InputError` if the sequence has no frame, `MissingExtraError` without xarray.
    """
    path = Path(path)
    if not isinstance(sequence, PoseSequence):
        raise InputError(f"{path}: a .nc file is written from one person; write detections as .npz")
    if not len(sequence):
        raise InputError(f"{path}: there is no frame to write")
    _xarray()
    data = sequence.to_xarray().drop_vars("status")
    for name in ("frame", "frame_name", "up"):
        del data.attrs[name]
    not_preserved = list(unsupported_fields(sequence, "status", "covariance", "source", "history"))
    where = sequence.frame + (f" of {sequence.frame_name}" if sequence.frame_name else "")
    not_preserved.append(f"the frame ({where}, up {sequence.up or 'unknown'}) is not preserved")
    if skeleton_of(sequence.skeleton.joints, "netcdf").parents != sequence.skeleton.parents:
        not_preserved.append("the parents of the joints are not preserved")
    with replacing(path) as temporary:
        data.to_netcdf(temporary, engine="scipy")
    return tuple(not_preserved)


def _xarray() -> Any:
    try:
        import xarray  # noqa: PLC0415
    except ImportError:
        raise MissingExtraError("NetCDF files need xarray: pip install 'gonio[xarray]'") from None
    return xarray


def _unit(path: Path, stated: str, declared: str | None, n_dims: int) -> str:
    unit = stated or declared or ("px" if n_dims == 2 else "")
    if not unit:
        raise InputError(f"{path}: the file does not state its unit; declare --unit {', '.join(METRES)}")
    if stated and declared and stated != declared:
        raise InputError(f"{path}: the file is in {stated}; {declared} was declared")
    if n_dims not in (2, 3) or (unit == "px") != (n_dims == 2) or (unit != "px" and unit not in METRES):
        raise InputError(f"{path}: {n_dims}D positions cannot be in {unit}; 2D is px, 3D is {', '.join(METRES)}")
    return unit


def _times(path: Path, data: Any, rate_hz: float | None) -> Any:
    """Seconds; frame numbers by the declared rate."""
    times = np.asarray(data["time"].values)
    if times.dtype.kind not in "fiu":
        raise InputError(f"{path}: its times are not numbers")
    if str(data.attrs.get("time_unit", "seconds")) == "seconds":
        check_rate(path, times.astype(float), rate_hz)
        return times.astype(float)
    if rate_hz is None or not (np.isfinite(rate_hz) and rate_hz > 0):
        raise InputError(f"{path}: its times are frame numbers; declare the rate with --fps")
    return times / rate_hz
