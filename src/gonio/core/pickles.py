"""Safe reading of pickles that hold only data.

It uses the standard library's unpickler in Python. The one in C reserves as much memory as a number in the file
requests: seven bytes are enough to take eight gigabytes and half a minute. A key must not be nested: the time to hash a
tuple of tuples doubles with every level, so a hundred bytes keep a program busy for ever.
"""

from __future__ import annotations

import pickle
import struct
from collections.abc import Callable, Iterable
from typing import Any, BinaryIO

import numpy as np

_LONGEST_LINE = 64 << 10  # bytes of a name or a number in a pickle
_REFUSED = (pickle.EXT1, pickle.EXT2, pickle.EXT4, pickle.NEXT_BUFFER, pickle.READONLY_BUFFER)
_FLAT = (str, bytes, int, float, complex, type(None), np.generic)


class _Bounded:
    """A stream from which at most `largest` bytes are read at once, because a length in a file may be wrong."""

    def __init__(self, stream: BinaryIO, largest: int) -> None:
        self._stream = stream
        self._largest = largest

    def read(self, size: int) -> bytes:
        if size > self._largest:
            raise pickle.UnpicklingError(f"it claims to hold {size} bytes in one piece")
        content = self._stream.read(size)
        if len(content) < size:
            raise EOFError("it ends early")
        return content

    def readline(self) -> bytes:
        return self._stream.readline(_LONGEST_LINE)


def check_keys(keys: Iterable[object]) -> None:
    """Raises `UnpicklingError` if a key, or an item of a set, is neither a plain value nor a tuple of plain values."""
    for key in keys:
        if not all(isinstance(part, _FLAT) for part in (key if isinstance(key, tuple) else (key,))):
            raise pickle.UnpicklingError(f"a {type(key).__name__} as a key")


# Each function checks, and then calls the standard library's method for the opcode. `stack` holds the values since the
# last mark.

_PYTHONS: Any = pickle._Unpickler  # its methods are not in its type


def _dict(reader: Any) -> None:
    check_keys(reader.stack[::2])
    _PYTHONS.load_dict(reader)


def _setitem(reader: Any) -> None:
    check_keys(reader.stack[-2:-1])
    _PYTHONS.load_setitem(reader)


def _setitems(reader: Any) -> None:
    check_keys(reader.stack[::2])
    _PYTHONS.load_setitems(reader)


def _additems(reader: Any) -> None:
    check_keys(reader.stack)
    _PYTHONS.load_additems(reader)


def _frozenset(reader: Any) -> None:
    check_keys(reader.stack)
    _PYTHONS.load_frozenset(reader)


def _bytearray(reader: Any) -> None:
    (size,) = struct.unpack("<Q", reader.read(8))
    reader.append(bytearray(reader.read(size)))


_CHECKED: dict[int, Callable[[Any], None]] = {
    pickle.DICT[0]: _dict,
    pickle.SETITEM[0]: _setitem,
    pickle.SETITEMS[0]: _setitems,
    pickle.ADDITEMS[0]: _additems,
    pickle.FROZENSET[0]: _frozenset,
    pickle.BYTEARRAY8[0]: _bytearray,
}


class DataUnpickler(pickle._Unpickler):
    """An unpickler of data. A subclass defines `find_class`. Text of Python 2 is read as Latin-1.

    largest  the largest number of bytes of one value

    `load` raises `pickle.UnpicklingError`, and other errors for values of the wrong type.
    """

    dispatch = {
        code: method for code, method in pickle._Unpickler.dispatch.items() if code not in [c[0] for c in _REFUSED]
    } | _CHECKED

    def __init__(self, stream: BinaryIO, largest: int) -> None:
        super().__init__(_Bounded(stream, largest), encoding="latin1")

    def find_class(self, module: str, name: str) -> Any:
        raise NotImplementedError
