"""Arrays of Python objects in .npz files, read without executing anything.

VideoPose3D keeps dictionaries of arrays in .npz files. numpy stores them as pickles, and `np.load(allow_pickle=True)`
would run whatever program a pickle names. Here the file's entries are unpacked one by one. Arrays of numbers are
read by numpy. A pickle is read by an unpickler that knows a dozen names and refuses all others. Even numpy's own
constructors are not called with the content of the pickle: arrays and dtypes are first read into stand-ins, which
accept only plain dtypes (numbers, text, objects), and are then made from their bytes.

Strings of Python 2 are read as Latin-1, as numpy recommends for such files.
"""

from __future__ import annotations

import io
import math
import pickle
import re
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy as np

from gonio.core.errors import InputError, one_line
from gonio.core.pickles import DataUnpickler, check_keys
from gonio.io.reading import NUMPY_ERRORS, check_unpacked_size, quiet, read_bytes

ERRORS = (*NUMPY_ERRORS, pickle.UnpicklingError, UnicodeDecodeError)
"""What a damaged file raises, besides `RefusedError`."""


_PLAIN_DTYPE = re.compile(r"[<>=|]?[biufcSUO]\d{1,9}")
_MOST_EMPTY = 10_000  # texts without a letter, which no bytes in the file stand for


class RefusedError(Exception):
    """The pickle names something that is not allowed."""


def entry_names(path: Path) -> tuple[str, ...]:
    """The names of the arrays in a .npz file, in order; empty if it is not a zip file."""
    try:
        with zipfile.ZipFile(path) as archive:
            return tuple(name.removesuffix(".npy") for name in archive.namelist())
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError):
        return ()


@quiet
def load_npz(path: Path) -> dict[str, Any]:
    """Every entry of a .npz file: an array, or what a single pickled object holds (dict, list, array, number, text).

    Raises `InputError` if the file does not exist, is not a zip, is damaged, or if its pickle names something other
    than data.
    """
    path = Path(path)
    read_bytes(path)
    check_unpacked_size(path)
    name = ""
    try:
        with zipfile.ZipFile(path) as archive:
            entries: dict[str, Any] = {}
            for name in archive.namelist():
                with archive.open(name) as stream:
                    entries[name.removesuffix(".npy")] = _entry(stream)
            return entries
    except RefusedError as error:
        raise InputError(
            f"{path}: {name} names {error}, which is not data: it was not executed; get the file from its authors"
        ) from None
    except ERRORS as error:
        entry = f"{name} in it " if name else "it "
        raise InputError(f"{path}: {entry}is damaged or not an array ({one_line(error)}); download it again") from None


def _entry(stream: IO[bytes]) -> Any:
    version = np.lib.format.read_magic(stream)
    if version == (1, 0):
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
    elif version == (2, 0):
        shape, fortran, dtype = np.lib.format.read_array_header_2_0(stream)
    else:
        raise ValueError(f"version {version} of the .npy format")
    if dtype.kind == "O":
        value = loads(stream.read())
        return value.item() if isinstance(value, np.ndarray) and value.shape == () == shape else value
    if dtype.hasobject:
        raise ValueError("a table with a column of objects")
    return _from_bytes(stream.read(), dtype, shape, "F" if fortran else "C")


def loads(content: bytes) -> Any:
    """What a pickle of containers, numbers, text and numpy arrays holds. Raises `RefusedError` for anything else."""
    return _resolved(_Unpickler(io.BytesIO(content), len(content)).load(), {})


class _Dtype:
    """Stands for a dtype while the pickle is read: a plain one, in this byte order."""

    def __init__(self, code: str, *_: object) -> None:
        if not _PLAIN_DTYPE.fullmatch(str(code)):
            raise RefusedError(f"the dtype {code!r}")
        self.dtype = np.dtype(str(code))

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        if any(part is not None for part in state[2:5]):  # subarray, names, fields
            raise RefusedError("a structured dtype")
        if state[1] in ("<", ">"):
            self.dtype = self.dtype.newbyteorder(state[1])


class _Array:
    """Stands for an array while the pickle is read."""

    def __init__(self) -> None:
        self.state: tuple[Any, ...] | None = None

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.state = state


def _reconstruct(*_: object) -> _Array:
    return _Array()


def _frombuffer(content: bytes, dtype: _Dtype, shape: tuple[int, ...], order: str) -> _Array:
    array = _Array()
    array.state = (1, shape, dtype, order == "F", bytes(content))
    return array


def _scalar(dtype: _Dtype, content: bytes | str) -> Any:
    if dtype.dtype.kind == "O":
        raise RefusedError("an object inside a number")
    return _from_bytes(_bytes(content), dtype.dtype, (), "C")[()]


def _encode(text: str, encoding: str = "latin1") -> bytes:
    """How Python 3 writes bytes for Python 2."""
    if encoding not in ("latin1", "latin-1"):
        raise RefusedError(f"the encoding {encoding!r}")
    return text.encode("latin-1")


def _keyed(kind: Callable[..., Any]) -> Callable[..., Any]:
    """A dict or set, none of whose keys nests."""

    def made(items: object = ()) -> Any:
        if not isinstance(items, (list, tuple, dict)):
            raise RefusedError(f"a {type(items).__name__} as a container's content")
        pairs = kind in (dict, OrderedDict) and not isinstance(items, dict)
        check_keys(pair[0] for pair in items) if pairs else check_keys(items)
        return kind(items)

    return made


def _as_bytes(content: object = b"") -> bytes:
    if not isinstance(content, (bytes, bytearray, list)):  # a number would be that many bytes
        raise RefusedError(f"bytes of a {type(content).__name__}")
    return bytes(content)


class _Stand:
    """A function that a pickle may call and not change: setting state would write to a plain function's attributes."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self, *arguments: Any) -> Any:
        return self._function(*arguments)

    def __setstate__(self, state: object) -> None:
        raise RefusedError("a change of the reader itself")


_NUMPY = {
    "ndarray": object(),
    "dtype": _Dtype,
    "_reconstruct": _Stand(_reconstruct),
    "scalar": _Stand(_scalar),
    "_frombuffer": _Stand(_frombuffer),
}
_KNOWN: dict[str, Any] = {
    f"{module}.{name}": stand_in
    for name, stand_in in _NUMPY.items()
    for module in (
        "numpy",
        "numpy.core.multiarray",
        "numpy._core.multiarray",
        "numpy.core.numeric",
        "numpy._core.numeric",
    )
}
_BUILTINS: dict[str, Any] = {"list": list, "tuple": tuple, "bytes": _Stand(_as_bytes)}
_BUILTINS |= {kind.__name__: _Stand(_keyed(kind)) for kind in (dict, set, frozenset)}
_KNOWN |= {f"{module}.{name}": made for name, made in _BUILTINS.items() for module in ("builtins", "__builtin__")}
_KNOWN |= {"collections.OrderedDict": _Stand(_keyed(OrderedDict)), "_codecs.encode": _Stand(_encode)}


class _Unpickler(DataUnpickler):
    """Finds the names on the list and no other."""

    def find_class(self, module: str, name: str) -> Any:
        try:
            return _KNOWN[f"{module}.{name}"]
        except KeyError:
            raise RefusedError(f"{module}.{name}") from None


def _resolved(value: Any, seen: dict[int, Any]) -> Any:
    """The same with every stand-in made into what it stands for. What occurs twice is made once."""
    if not isinstance(value, (_Array, _Dtype, dict, list, tuple)):
        return value
    if id(value) not in seen:
        seen[id(value)] = None  # a container inside itself becomes None there
        made: Any
        if isinstance(value, _Array):
            made = _array(value, seen)
        elif isinstance(value, _Dtype):
            made = value.dtype
        elif isinstance(value, dict):
            made = {key: _resolved(item, seen) for key, item in value.items()}
        else:
            made = type(value)(_resolved(item, seen) for item in value)
        seen[id(value)] = made
    return seen[id(value)]


def _array(array: _Array, seen: dict[int, Any]) -> Any:
    if array.state is None:
        raise ValueError("an array without content")
    _, shape, dtype, fortran, content = array.state
    if not isinstance(dtype, _Dtype):
        raise ValueError("an array without a dtype")
    if dtype.dtype.kind != "O":
        return _from_bytes(_bytes(content), dtype.dtype, tuple(shape), "F" if fortran else "C")
    items = np.empty(len(content), dtype=object)
    for i, item in enumerate(content):
        items[i] = _resolved(item, seen)
    return items.reshape(tuple(shape), order="F" if fortran else "C")


def _from_bytes(content: bytes, dtype: np.dtype[Any], shape: tuple[int, ...], order: Any) -> Any:
    n = math.prod(shape)
    if len(content) != n * dtype.itemsize:
        raise ValueError(f"{len(content)} bytes for shape {shape} of {dtype}")
    if not dtype.itemsize:
        if n > _MOST_EMPTY:
            raise ValueError(f"shape {shape} without any content")
        return np.zeros(shape, dtype)
    return np.frombuffer(content, dtype=dtype).reshape(shape, order=order)


def _bytes(content: bytes | str) -> bytes:
    """Python 2's strings of bytes arrive as text."""
    return content.encode("latin-1") if isinstance(content, str) else bytes(content)
