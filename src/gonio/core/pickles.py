"""Reading pickles that hold data alone, without trusting what they say.

This is the standard library's own unpickler in Python. That in C sets aside as much memory as a number in the file asks
for: seven bytes are enough to take eight gigabytes and half a minute. Nor may a key nest: the hash of a tuple of tuples
takes twice as long with every level, so that a hundred bytes keep a program busy for ever.
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
    """A stream of which no more is read at once than a pickle may hold: a length in a file is only a claim."""

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
    """Raises `UnpicklingError` if what is to be a key or in a set is neither plain nor a tuple of plain values."""
    for key in keys:
        if not all(isinstance(part, _FLAT) for part in (key if isinstance(key, tuple) else (key,))):
            raise pickle.UnpicklingError(f"a {type(key).__name__} as a key")


# What checks first and then does what the standard library's method of that opcode does; `stack` holds what came since
# the last mark.

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
    """Text of Python 2 is read as Latin-1; `largest` is the most bytes in one piece. `find_class` must be given.

    `load` raises `pickle.UnpicklingError` and what a program raises that is given the wrong values.
    """

    dispatch = {
        code: does for code, does in pickle._Unpickler.dispatch.items() if code not in [c[0] for c in _REFUSED]
    } | _CHECKED

    def __init__(self, stream: BinaryIO, largest: int) -> None:
        super().__init__(_Bounded(stream, largest), encoding="latin1")

    def find_class(self, module: str, name: str) -> Any:
        raise NotImplementedError
