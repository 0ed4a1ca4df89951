"""Files of network weights: the published checkpoints of VideoPose3D, and gonio's own safetensors.

A published checkpoint (`pretrained_h36m_cpn.bin`, `epoch_80.bin`) is what `torch.save` wrote: a pickle of a dict with
the optimiser, numpy's random state and, under `model_pos` and (after semi-supervised training) `model_traj`, the
tensors by name. There are two layouts. The older one is a row of pickles (a magic number, a protocol, the machine, the
dict, the list of storages) followed by the storages' raw numbers. The newer one is a zip: `*/data.pkl` is the dict,
`*/data/KEY` are the storages. In both the pickle names a storage and the tensor's place in it.

Unpickling runs code, and a checkpoint from the internet is not to be trusted. So the pickle is read with an allow-list:
a mapping type and the functions that rebuild tensors are replaced by our own, which only record their arguments;
every other name becomes an object that does nothing. Nothing named in a file is imported or called, and torch is not
needed.

gonio's own files are safetensors, which hold numbers and a JSON text and nothing else. Matrices are stored in half
precision, the vectors of batch-norm in single precision; names as in published checkpoints, `model_pos.` and
`model_traj.` before them. The JSON text holds what the shapes do not tell: causal or not, skeletons, recipe.
"""

from __future__ import annotations

import io
import json
import math
import pickle
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from gonio.core.errors import InputError, one_line
from gonio.core.files import replacing
from gonio.core.pickles import DataUnpickler
from gonio.lifting.architecture import COORDINATES, Architecture

VERSION = 1

_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_LEGACY_PROTOCOL = 1001
_LARGEST_PICKLE = 64 << 20  # bytes of pickle without the tensors' numbers; a published one has some tens of kB
_LARGEST_HEADER = 100 << 20  # what safetensors itself allows
_PICKLE_ERRORS = (
    pickle.UnpicklingError, EOFError, TypeError, ValueError, KeyError, IndexError, AttributeError, ImportError,
    OverflowError, MemoryError, RecursionError, struct.error, NotImplementedError,
)  # fmt: skip
_ZIP_ERRORS = (
    *(zipfile.BadZipFile, zlib.error, EOFError, KeyError, OSError, ValueError, NotImplementedError, RuntimeError),
)

# Type of a storage to numpy's; bfloat16 is read as its bits.
_STORAGES = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "BFloat16Storage": "<u2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "|i1",
    "ByteStorage": "|u1",
    "BoolStorage": "|b1",
}

Array32 = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Weights:
    """A network's shape and numbers.

    arrays      float32, read-only, by the names and shapes of `architecture.shapes`
    trajectory  a second network of one joint, the position of the root; None if the file has none
    metadata    what else is known, as JSON knows it: skeletons, normalisation, recipe; the epoch of a checkpoint

    Raises `InputError` if an array is missing, too many, of another shape or not finite, or if a variance is
    negative.
    """

    architecture: Architecture
    arrays: Mapping[str, Array32]
    trajectory: Weights | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        shapes = self.architecture.shapes
        wrong = sorted(shapes.keys() ^ self.arrays.keys())
        if wrong:
            what = "is missing" if wrong[0] in shapes else "is not part of it"
            raise InputError(f"weights do not fit the network: {wrong[0]!r} {what} ({len(wrong)} such arrays)")
        arrays = {}
        for name, shape in shapes.items():
            with np.errstate(over="ignore"):
                array = np.array(self.arrays[name], dtype=np.float32, order="C")
            if array.shape != shape:
                raise InputError(f"weights do not fit the network: {name!r} has shape {array.shape}, not {shape}")
            if not np.isfinite(array).all():
                raise InputError(f"weights are damaged: {name!r} holds numbers that are not finite")
            if name.endswith("running_var") and (array < 0).any():
                raise InputError(f"weights are damaged: {name!r} holds negative variances")
            array.setflags(write=False)
            arrays[name] = array
        object.__setattr__(self, "arrays", arrays)


def read(path: Path, *, causal: bool | None = None, in_features: int | None = None) -> Weights:
    """The weights of a published checkpoint or of gonio's own file; the beginning of the file decides which.

    Shapes tell a published network's joints, channels and widths. They do not tell whether it is causal (default:
    symmetric), nor how many numbers describe one joint (default: 2, x and y): declare `causal` and `in_features` if it
    is otherwise. gonio's own files state both, and declared values must agree with them.

    Raises `InputError` naming the file if it is absent, foreign, truncated or damaged, or holds another network.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        with path.open("rb") as stream:
            head = stream.read(16)
            stream.seek(0)
            if head.startswith(b"PK\x03\x04"):
                return _from_state(path, *_read_zip(path, stream), causal, in_features)
            if head.startswith(b"\x80\x02") and b"\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19" in head:
                return _from_state(path, *_read_legacy(path, stream), causal, in_features)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    if len(head) > 8 and head[8:9] == b"{" and struct.unpack("<Q", head[:8])[0] <= _LARGEST_HEADER:
        return _read_safetensors(path, causal, in_features)
    raise InputError(
        f"{path}: is no file of weights; known are VideoPose3D's checkpoints (.bin) and gonio's own (.safetensors)"
    )


def write(weights: Weights, path: Path) -> None:
    """Writes safetensors: matrices in half precision (11 bits), vectors in single precision, the rest as JSON.

    Raises `InputError` if a weight is beyond half precision (65504), if the metadata is not JSON, and if the
    file cannot be written.
    """
    from safetensors.numpy import save  # noqa: PLC0415

    path = Path(path)
    arrays: dict[str, NDArray[Any]] = {}
    about: dict[str, Any] = {"gonio_weights": VERSION}
    for prefix, part in (("model_pos", weights), ("model_traj", weights.trajectory)):
        if part is None:
            continue
        about[prefix] = {"architecture": asdict(part.architecture), "metadata": dict(part.metadata)}
        for name, array in part.arrays.items():
            with np.errstate(over="ignore"):
                stored = array.astype(np.float16) if array.ndim > 1 else array
            if not np.isfinite(stored).all():
                raise InputError(f"{path}: {name!r} holds weights beyond half precision; the training went astray")
            arrays[f"{prefix}.{name}"] = stored
    try:
        text = json.dumps(about, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InputError(f"{path}: the metadata cannot be written as JSON ({error})") from None
    with replacing(path) as temporary:
        temporary.write_bytes(save(arrays, {"gonio": text}))


def _read_safetensors(path: Path, causal: bool | None, in_features: int | None) -> Weights:
    from safetensors import SafetensorError, safe_open  # noqa: PLC0415

    try:
        with safe_open(path, framework="numpy") as stored:
            text = (stored.metadata() or {}).get("gonio")
            arrays = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError, TypeError, MemoryError) as error:
        raise InputError(f"{path}: is damaged or truncated ({one_line(error)})") from None
    if text is None:
        raise InputError(f"{path}: safetensors of another program; only those that gonio wrote are read")
    try:
        about = json.loads(text)
        version = about["gonio_weights"]
        if not isinstance(version, int) or version > VERSION:
            raise InputError(
                f"{path}: weights of version {version}; this gonio reads up to {VERSION}: install a newer one"
            )
        parts: dict[str, Weights] = {}
        for prefix in ("model_traj", "model_pos"):
            if prefix not in about:
                continue
            shape = about[prefix]["architecture"]
            architecture = Architecture(**{**shape, "filter_widths": tuple(shape["filter_widths"])})
            own = {n.removeprefix(f"{prefix}."): a for n, a in arrays.items() if n.startswith(f"{prefix}.")}
            with_trajectory = parts.get("model_traj") if prefix == "model_pos" else None
            parts[prefix] = Weights(architecture, own, with_trajectory, dict(about[prefix]["metadata"]))
        weights = parts["model_pos"]
    except InputError as error:
        raise InputError(f"{path}: {_without_name(path, error)}") from None
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise InputError(f"{path}: its description of the network cannot be read ({one_line(error)})") from None
    for name, declared in (("causal", causal), ("in_features", in_features)):
        found = getattr(weights.architecture, name)
        if declared is not None and declared != found:
            raise InputError(f"{path}: was trained with {name} = {found}; declared is {declared}")
    return weights


def _from_state(
    path: Path,
    checkpoint: object,
    numbers: Callable[[_Tensor], NDArray[Any]],
    causal: bool | None,
    in_features: int | None,
) -> Weights:
    """Weights out of the dict of a published checkpoint, of which only the networks' numbers are read."""
    if not isinstance(checkpoint, dict) or not isinstance(checkpoint.get("model_pos"), dict):
        names = [key for key in checkpoint if isinstance(key, str)][:8] if isinstance(checkpoint, dict) else []
        found = ", ".join(names) or "no names"
        raise InputError(f"{path}: holds no 'model_pos' (found: {found}); it is no checkpoint of VideoPose3D")
    parts: dict[str, Weights] = {}
    for key in ("model_traj", "model_pos"):
        state = checkpoint.get(key)
        if not isinstance(state, dict):
            continue
        tensors = {name: value for name, value in state.items() if not _is_counter(name)}
        for name, value in tensors.items():
            if not isinstance(name, str) or not isinstance(value, _Tensor):
                shown = repr(name) if isinstance(name, str) else "..."
                raise InputError(f"{path}: {key}[{shown}] is no tensor; it is no checkpoint of VideoPose3D")
        try:
            shape = _architecture_of({n: t.shape for n, t in tensors.items()}, causal or False, in_features or 2)
            metadata = {} if key == "model_traj" else _plain_facts(checkpoint)
            arrays = {name: numbers(tensor) for name, tensor in tensors.items()}
            parts[key] = Weights(shape, arrays, parts.get("model_traj") if key == "model_pos" else None, metadata)
        except InputError as error:
            raise InputError(f"{path}: {key}: {_without_name(path, error)}") from None
    return parts["model_pos"]


def _is_counter(name: object) -> bool:
    return isinstance(name, str) and name.endswith("num_batches_tracked")


def _plain_facts(checkpoint: Mapping[Any, Any]) -> dict[str, Any]:
    kept = {key: checkpoint.get(key) for key in ("epoch", "lr")}
    return {k: v for k, v in kept.items() if isinstance(v, int | float) and math.isfinite(v)}


def _architecture_of(shapes: Mapping[str, tuple[int, ...]], causal: bool, in_features: int) -> Architecture:
    """The architecture that the shapes of a state have. Raises `InputError` if they are not those of a dilated one."""
    needed = {"expand_conv.weight": 3, "shrink.weight": 3}
    for name, dimensions in needed.items():
        if name not in shapes:
            raise InputError(f"has no {name!r}; it is no temporal network of VideoPose3D")
        if len(shapes[name]) != dimensions:
            raise InputError(
                f"{name!r} has shape {shapes[name]}; a network over time has {dimensions} dimensions there"
            )
    channels, inputs, first = shapes["expand_conv.weight"]
    widths = [first]
    while (name := f"layers_conv.{2 * (len(widths) - 1)}.weight") in shapes:
        widths.append(shapes[name][-1] if shapes[name] else 0)
    if inputs % in_features:
        raise InputError(f"takes {inputs} numbers per frame, not a multiple of {in_features} per joint")
    outputs = shapes["shrink.weight"][0]
    if outputs % COORDINATES:
        raise InputError(f"gives {outputs} numbers per frame, not a multiple of {COORDINATES} per joint")
    return Architecture(
        filter_widths=tuple(widths),
        in_joints=inputs // in_features,
        in_features=in_features,
        out_joints=outputs // COORDINATES,
        channels=channels,
        causal=causal,
    )


def _without_name(path: Path, error: InputError) -> str:
    return str(error).removeprefix(f"{path}: ")


# What a pickle may ask for. Everything here ignores attempts to set its state.


@dataclass(frozen=True)
class _Storage:
    key: str
    dtype: str
    bfloat16: bool
    size: int  # numbers
    start: int  # of a view into another storage, in the oldest files

    def __setstate__(self, state: object) -> None:
        """Nothing."""


@dataclass(frozen=True)
class _Tensor:
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def __setstate__(self, state: object) -> None:
        """Nothing."""

    def from_numbers(self, stored: NDArray[Any]) -> NDArray[Any]:
        """The tensor as an array of its own, out of its storage's numbers."""
        if self.storage.bfloat16:
            stored = (stored.astype("<u4") << 16).view("<f4")
        if 0 in self.shape:
            return np.zeros(self.shape, stored.dtype)
        steps = tuple(stride * stored.itemsize for stride in self.strides)
        return np.lib.stride_tricks.as_strided(stored[self.offset :], self.shape, steps, writeable=False).copy()


class _Mapping(dict[Any, Any]):
    """Stands for OrderedDict."""

    def __setstate__(self, state: object) -> None:
        """Nothing: the original keeps the versions of the layers there."""


class _Inert:
    """Stands for everything that is not needed: it can be called, filled and given a state, and does nothing."""

    def __new__(cls, *args: object, **kwargs: object) -> _Inert:
        return super().__new__(cls)

    def __init__(self, *args: object, **kwargs: object) -> None:
        """Nothing."""

    def __call__(self, *args: object, **kwargs: object) -> _Inert:
        return _Inert()

    def __setstate__(self, state: object) -> None:
        """Nothing."""

    def __setitem__(self, key: object, value: object) -> None:
        """Nothing."""

    def append(self, item: object) -> None:
        """Nothing."""

    extend = append
    add = append


class _Rebuild:
    """Stands for torch's functions that make a tensor of a storage, an offset, a shape, strides (and more)."""

    __slots__ = ()

    def __call__(self, storage: object, offset: object, shape: object, strides: object, *_more: object) -> _Tensor:
        if (
            not isinstance(storage, _Storage)
            or not isinstance(shape, tuple)
            or not isinstance(strides, tuple)
            or len(shape) != len(strides)
            or not all(isinstance(n, int) and n >= 0 for n in (offset, *shape, *strides))
            or not isinstance(offset, int)
        ):
            raise pickle.UnpicklingError("a tensor without a proper storage, shape or strides")
        last = offset + sum((n - 1) * step for n, step in zip(shape, strides, strict=True)) if 0 not in shape else -1
        if last >= storage.size or math.prod(shape) > storage.size:
            raise pickle.UnpicklingError(f"a tensor of shape {shape} in a storage of {storage.size} numbers")
        return _Tensor(storage, offset, shape, strides)

    def __setstate__(self, state: object) -> None:
        """Nothing."""


class _Parameter(_Rebuild):
    """Stands for torch's function that makes a parameter of a tensor."""

    __slots__ = ()

    def __call__(self, tensor: object, *_more: object) -> Any:
        return tensor


@dataclass(frozen=True)
class _StorageType:
    name: str

    def __setstate__(self, state: object) -> None:
        """Nothing."""


_REFUSED = (pickle.INST, pickle.OBJ, pickle.BYTEARRAY8)


class _Unpickler(DataUnpickler):
    """Reads a pickle without importing or calling anything that it names."""

    dispatch = {  # noqa: RUF012
        code: does for code, does in DataUnpickler.dispatch.items() if code not in [c[0] for c in _REFUSED]
    }

    def __init__(self, stream: BinaryIO) -> None:
        super().__init__(stream, _LARGEST_PICKLE)
        self.itemsizes: dict[str, int] = {}  # bytes per number of every storage that was named

    def find_class(self, module: str, name: str) -> Any:
        match module, name:
            case "collections", "OrderedDict":
                return _Mapping
            case "torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2":
                return _Rebuild()
            case "torch._utils", "_rebuild_parameter":
                return _Parameter()
            case "torch", _ if name in _STORAGES:
                return _StorageType(name)
        return type("_Inert", (_Inert,), {})

    def persistent_load(self, pid: Any) -> Any:
        match pid:
            case ("storage", _StorageType(name), str(key), _, int(size), *view) if size >= 0:
                start = 0
                if view and view[0] is not None:
                    _, start, size = view[0]
                if not (isinstance(start, int) and isinstance(size, int) and start >= 0 and size >= 0):
                    raise pickle.UnpicklingError("a storage without a proper size")
                self.itemsizes[key] = np.dtype(_STORAGES[name]).itemsize
                return _Storage(key, _STORAGES[name], name == "BFloat16Storage", size, start)
            case ("storage", _, _, _, _, *_):
                return _Inert()  # of a type that no network here has; an error only if a network needs it
            case ("module", *_):
                return _Inert
        raise pickle.UnpicklingError("an unknown kind of reference")


def _unpickled(path: Path, stream: BinaryIO) -> tuple[Any, dict[str, int]]:
    """The next pickle of a stream, and the bytes per number of every storage that it names."""
    try:
        unpickler = _Unpickler(stream)
        return unpickler.load(), unpickler.itemsizes
    except _PICKLE_ERRORS as error:
        raise InputError(f"{path}: is damaged or truncated ({one_line(error)})") from None


def _read_zip(path: Path, stream: BinaryIO) -> tuple[object, Callable[[_Tensor], NDArray[Any]]]:
    """The dict of the newer layout, and what reads a tensor's numbers."""
    try:
        with zipfile.ZipFile(stream) as archive:
            names = [name for name in archive.namelist() if re.fullmatch(r"[^/]+/data\.pkl", name)]
            if len(names) != 1:
                raise InputError(f"{path}: a zip without a checkpoint in it (no data.pkl)")
            root = names[0].removesuffix("data.pkl")
            if f"{root}byteorder" in archive.namelist() and archive.read(f"{root}byteorder").strip() != b"little":
                raise InputError(f"{path}: was written on a big-endian machine; save it again on another")
            if archive.getinfo(names[0]).file_size > _LARGEST_PICKLE:
                raise InputError(f"{path}: its description is larger than {_LARGEST_PICKLE >> 20} MB; it is damaged")
            pickled = archive.read(names[0])
    except _ZIP_ERRORS as error:
        raise InputError(f"{path}: is damaged or truncated ({one_line(error)})") from None

    def numbers(tensor: _Tensor) -> NDArray[Any]:
        storage = tensor.storage
        dtype = np.dtype(storage.dtype)
        try:
            with zipfile.ZipFile(path) as archive:
                entry = archive.getinfo(f"{root}data/{storage.key}")
                if entry.file_size < (storage.start + storage.size) * dtype.itemsize:
                    raise InputError(f"storage {storage.key} is shorter than its tensors; the file is damaged")
                if entry.compress_type != zipfile.ZIP_STORED:
                    raise InputError(f"storage {storage.key} is compressed, as torch never writes it")
                raw = archive.read(entry)
        except _ZIP_ERRORS as error:
            raise InputError(f"is damaged or truncated ({one_line(error)})") from None
        return tensor.from_numbers(np.frombuffer(raw, dtype, storage.size, storage.start * dtype.itemsize))

    return _unpickled(path, io.BytesIO(pickled))[0], numbers


def _read_legacy(path: Path, stream: BinaryIO) -> tuple[object, Callable[[_Tensor], NDArray[Any]]]:
    """The dict of the older layout, and what reads a tensor's numbers."""
    if _unpickled(path, stream)[0] != _LEGACY_MAGIC or _unpickled(path, stream)[0] != _LEGACY_PROTOCOL:
        raise InputError(f"{path}: was written by an unknown version of torch")
    machine, _ = _unpickled(path, stream)
    if not isinstance(machine, dict) or machine.get("little_endian") is not True:
        raise InputError(f"{path}: was written on a big-endian machine; save it again on another")
    checkpoint, itemsizes = _unpickled(path, stream)
    keys, _ = _unpickled(path, stream)
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise InputError(f"{path}: is damaged or truncated (no list of storages)")
    file_size = path.stat().st_size
    places: dict[str, tuple[int, int]] = {}  # byte offset and count of a storage's numbers
    for key in keys:
        if key not in itemsizes:
            raise InputError(f"{path}: is damaged (storage {key} belongs to no tensor)")
        length = stream.read(8)
        size = struct.unpack("<q", length)[0] if len(length) == 8 else -1
        place = stream.tell()
        end = place + size * itemsizes[key]
        if size < 0 or end > file_size:
            raise InputError(f"{path}: is truncated: the numbers of storage {key} are not all there")
        places[key] = (place, size)
        stream.seek(end)

    def numbers(tensor: _Tensor) -> NDArray[Any]:
        storage = tensor.storage
        dtype = np.dtype(storage.dtype)
        place, size = places.get(storage.key, (0, -1))
        if storage.start + storage.size > size:
            raise InputError(f"storage {storage.key} is shorter than its tensors; the file is damaged")
        with path.open("rb") as again:
            again.seek(place + storage.start * dtype.itemsize)
            return tensor.from_numbers(np.frombuffer(again.read(storage.size * dtype.itemsize), dtype))

    return checkpoint, numbers
