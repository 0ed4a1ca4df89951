"""What stands in a .mat file of MATLAB's version 5, read with every size held against the file's length.

The format is MathWorks' "MAT-File Format" (version 5): 128 bytes of header, then elements, each a type, a length and as
many bytes, filled up to eight; small ones (up to four bytes) in one word. A variable is an element of type matrix (14)
or one that is compressed (15, zlib); a matrix has elements of its own: its class, its size, its name, and numbers,
text, or the matrices of a cell or a struct. Numbers may be stored in a smaller type than the class has.

scipy's reader trusts what it finds and ends the program with damaged files; hence this one. What is no number, text,
cell or struct (objects, functions, sparse matrices) is left out.
"""

from __future__ import annotations

import math
import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

_HEADER = 128
_MATRIX, _COMPRESSED = 14, 15
_NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_TEXTS = {1: "latin-1", 2: "latin-1", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}
_CELL, _STRUCT, _CHAR = 1, 2, 4
_CLASSES = {6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8"}
_COMPLEX = 0x0800
_DEEPEST = 20
_LARGEST = 1 << 30  # bytes of one variable, unpacked


def variables(content: bytes) -> dict[str, Any]:
    """Variables by name: arrays without axes of length 1, numbers, texts, dicts of structs (lists of several), and 1D
    arrays of objects for cells; None for all else.

    Raises `ValueError` or `zlib.error` if the content is cut or damaged.
    """
    if len(content) < _HEADER or content[126:128] not in (b"IM", b"MI"):
        raise ValueError("its header ends early or is damaged")
    order = "<" if content[126:128] == b"IM" else ">"
    found: dict[str, Any] = {}
    at = _HEADER
    while at < len(content):
        kind, body, at = _element(content, at, order)
        if kind == _COMPRESSED:
            unpacking = zlib.decompressobj()
            unpacked = unpacking.decompress(body, _LARGEST)
            if unpacking.unconsumed_tail or not unpacking.eof:
                raise ValueError("a variable is cut, or larger than a gigabyte")
            kind, body, _ = _element(unpacked, 0, order)
        if kind != _MATRIX:
            raise ValueError(f"an element of type {kind}; a variable is expected")
        name, value = _matrix(body, order, 0)
        found[name] = value
    return found


def _element(content: bytes, at: int, order: str) -> tuple[int, bytes, int]:
    """The type of an element, its bytes, and the start of the next element."""
    if at + 8 > len(content):
        raise ValueError("it ends inside an element")
    kind, size = struct.unpack_from(order + "II", content, at)
    if kind >> 16:
        kind, size, start, following = kind & 0xFFFF, kind >> 16, at + 4, at + 8
        if size > 4:
            raise ValueError("a small element of more than four bytes")
    else:
        start = at + 8
        following = start + size + (0 if kind == _COMPRESSED else -size % 8)
    if start + size > len(content):
        raise ValueError(f"an element of {size} bytes; {len(content) - start} are left")
    return kind, content[start : start + size], following


def _matrix(body: bytes, order: str, depth: int) -> tuple[str, Any]:
    """Name and value of a matrix."""
    if not body:
        return "", np.empty(0)
    if depth > _DEEPEST:
        raise ValueError("cells and structs nested too deep")
    _, flags, at = _element(body, 0, order)
    if len(flags) < 8:
        raise ValueError("a variable without its class")
    (about,) = struct.unpack_from(order + "I", flags)
    kind, is_complex = about & 0xFF, bool(about & _COMPLEX)
    if kind not in (_CELL, _STRUCT, _CHAR, *_CLASSES):
        return _name_of_another(body, at, order), None
    shape, at = _integers(body, at, order)
    _, name, at = _element(body, at, order)
    if not shape or min(shape) < 0:
        raise ValueError(f"a variable of size {shape}")
    if kind == _CELL:
        value: Any = _cell(body, at, order, shape, depth)
    elif kind == _STRUCT:
        value = _struct(body, at, order, shape, depth)
    elif kind == _CHAR:
        value = _char(*_element(body, at, order)[:2], order, shape)
    else:
        value, at = _array(body, at, order, shape)
        if is_complex:
            value = value + 1j * _array(body, at, order, shape)[0]
        else:
            with np.errstate(over="ignore", invalid="ignore"):
                value = value.astype(_CLASSES[kind])
        value = np.squeeze(value)
        value = value[()] if value.ndim == 0 else value
    return name.decode("latin-1"), value


def _name_of_another(body: bytes, at: int, order: str) -> str:
    """The name of an object or a function; "" where it stands elsewhere."""
    try:
        _, at = _integers(body, at, order)
        return _element(body, at, order)[1].decode("latin-1")
    except ValueError:
        return ""


def _integers(body: bytes, at: int, order: str) -> tuple[tuple[int, ...], int]:
    _, content, at = _element(body, at, order)
    if len(content) % 4:
        raise ValueError("a damaged size")
    return tuple(struct.unpack(f"{order}{len(content) // 4}i", content)), at


def _array(body: bytes, at: int, order: str, shape: tuple[int, ...]) -> tuple[NDArray[Any], int]:
    kind, content, at = _element(body, at, order)
    if kind not in _NUMBERS:
        raise ValueError(f"numbers of type {kind}")
    dtype = np.dtype(order + _NUMBERS[kind])
    if len(content) != math.prod(shape) * dtype.itemsize:
        raise ValueError(f"{len(content)} bytes for an array of size {shape}")
    return np.frombuffer(content, dtype).reshape(shape, order="F"), at


def _char(kind: int, content: bytes, order: str, shape: tuple[int, ...]) -> Any:
    """A text, or an array of one text a row."""
    if kind not in _TEXTS:
        raise ValueError(f"text of type {kind}")
    encoding = _TEXTS[kind]
    if encoding in ("utf-16", "utf-32"):
        encoding += "-le" if order == "<" else "-be"
    text = content.decode(encoding)
    if not text or shape[0] == 1:
        return text
    if math.prod(shape) != len(text):
        raise ValueError(f"{len(text)} letters for a text of size {shape}")
    letters = np.array(list(text), dtype=object).reshape(shape[0], -1, order="F")
    return np.array(["".join(row) for row in letters], dtype=object)


def _several(body: bytes, at: int, order: str, count: int, depth: int) -> list[Any]:
    """The values of `count` matrices, each of which takes eight bytes at least."""
    if count * 8 > len(body) - at:
        raise ValueError(f"{count} values announced, {len(body) - at} bytes left")
    values = []
    for _ in range(count):
        kind, content, at = _element(body, at, order)
        if kind != _MATRIX:
            raise ValueError(f"an element of type {kind} in a cell or struct")
        values.append(_matrix(content, order, depth + 1)[1])
    return values


def _cell(body: bytes, at: int, order: str, shape: tuple[int, ...], depth: int) -> NDArray[Any]:
    values = _several(body, at, order, math.prod(shape), depth)
    cell = np.empty(len(values), dtype=object)
    for i, value in enumerate(values):
        cell[i] = value
    return cell


def _struct(body: bytes, at: int, order: str, shape: tuple[int, ...], depth: int) -> Any:
    (length, *_), at = _integers(body, at, order)
    _, content, at = _element(body, at, order)
    if length <= 0 or len(content) % length:
        raise ValueError("damaged names of a struct's fields")
    pieces = [content[i : i + length] for i in range(0, len(content), length)]
    names = [piece.split(b"\0")[0].decode("latin-1") for piece in pieces]
    count = math.prod(shape) if names else 0
    values = _several(body, at, order, count * len(names), depth)
    each = len(names) or 1
    structs = [dict(zip(names, values[i : i + each], strict=True)) for i in range(0, len(values), each)]
    return structs[0] if len(structs) == 1 else structs
