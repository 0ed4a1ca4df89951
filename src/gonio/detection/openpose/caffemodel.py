"""The weights in a Caffe model file (`.caffemodel`), by the names of their layers.

The file is one message of Google's protocol buffers, Caffe's `NetParameter`: the network's name (field 1) and its
layers (field 100, or field 2 in files of Caffe's first years), each with a name and its arrays, the "blobs". A blob is
a list of float32 with its shape, or with four older fields: number, channels, height, width, where a bias of n values
is 1 x 1 x 1 x n. The wire format is a sequence of fields: a varint (field number * 8 + kind), then the value, which is
a varint (kind 0), 8 bytes (1), a length and as many bytes (2), or 4 bytes (5).

Only these fields are read, every value is checked and nothing is executed. Neither Caffe nor its generated code is
needed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gonio.core.errors import InputError

_NAME, _LAYERS_V1, _LAYERS = 1, 2, 100  # NetParameter
_LAYER_NAME, _LAYER_BLOBS = 1, 7  # LayerParameter
_V1_LAYER_NAME, _V1_LAYER_BLOBS = 4, 6  # V1LayerParameter
_OLD_SHAPE, _DATA, _SHAPE, _DOUBLE_DATA = (1, 2, 3, 4), 5, 7, 8  # BlobProto
_DIM = 1  # BlobShape
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_LONGEST_VARINT = 10

Arrays = list[NDArray[np.float32]]


@dataclass(frozen=True, eq=False)
class CaffeModel:
    """name: of the network; layers: name -> its arrays, in the file's order, of layers with arrays."""

    name: str
    layers: dict[str, Arrays]


def read_caffemodel(path: Path) -> CaffeModel:
    """Read a file. Leading sizes of 1 are dropped: a bias of n values has the shape (n,) in files of all years.

    Raises `InputError` if the file does not exist, is cut, is no Caffe model, or contains no weights.
    """
    path = Path(path)
    content = _content(path)
    try:
        model = _network(content)
    except _FormatError as error:
        raise InputError(
            f"{path}: {error} (the file has {len(content):,} bytes); it is cut or no Caffe model: download it again "
            f"and compare its size with the original's"
        ) from None
    if not model.layers:
        raise InputError(
            f"{path}: contains no layer with weights: it is no trained Caffe model; name OpenPose's .caffemodel"
        )
    return model


class _FormatError(Exception):
    """The file is damaged. The message is the reason, in terms of the file format."""


def _content(path: Path) -> memoryview:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    if not content:
        raise InputError(f"{path}: is empty; download the .caffemodel again")
    head = content[:512]
    if all(byte in b"\t\n\r" or 32 <= byte < 127 for byte in head):
        shown = " ".join(head.decode("ascii").split())[:40]
        raise InputError(
            f"{path}: is text ({shown!r}...), no Caffe model; name the .caffemodel, the binary file with the weights"
        )
    return memoryview(content)


def _network(content: memoryview) -> CaffeModel:
    name, layers = "", {}
    for field, value in _fields(content, "the network"):
        if field == _NAME and isinstance(value, memoryview):
            name = _text(value)
        elif field in (_LAYERS, _LAYERS_V1) and isinstance(value, memoryview):
            layer, arrays = _layer(value, v1=field == _LAYERS_V1)
            if arrays:
                if layer in layers:
                    raise _FormatError(f"two layers with weights are called {layer!r}")
                layers[layer] = arrays
    return CaffeModel(name, layers)


def _layer(content: memoryview, *, v1: bool) -> tuple[str, Arrays]:
    name_field, blobs_field = (_V1_LAYER_NAME, _V1_LAYER_BLOBS) if v1 else (_LAYER_NAME, _LAYER_BLOBS)
    name, blobs = "", []
    for field, value in _fields(content, "a layer"):
        if isinstance(value, memoryview) and field == name_field:
            name = _text(value)
        elif isinstance(value, memoryview) and field == blobs_field:
            blobs.append(value)
    return name, [_array(blob, f"layer {name!r}") for blob in blobs]


def _array(blob: memoryview, where: str) -> NDArray[np.float32]:
    old_shape: dict[int, int] = {}
    shape: list[int] | None = None
    parts: list[NDArray[np.float32]] = []
    for field, value in _fields(blob, where):
        if field in _OLD_SHAPE and isinstance(value, int):
            old_shape[field] = value
        elif field == _SHAPE and isinstance(value, memoryview):
            shape = _dimensions(value, where)
        elif field in (_DATA, _DOUBLE_DATA) and isinstance(value, memoryview):
            kind = np.dtype("<f4" if field == _DATA else "<f8")
            if len(value) % kind.itemsize:
                raise _FormatError(f"{where} contains {len(value)} bytes of numbers of {kind.itemsize} bytes each")
            with np.errstate(over="ignore", invalid="ignore"):
                parts.append(np.frombuffer(value, kind).astype(np.float32, copy=False))
    data = parts[0] if len(parts) == 1 else np.concatenate([np.empty(0, np.float32), *parts])
    if not np.isfinite(data).all():
        raise _FormatError(f"{where} contains numbers that are not finite")
    dimensions = [old_shape.get(field, 1) for field in _OLD_SHAPE] if shape is None else shape
    if math.prod(dimensions) != len(data):
        raise _FormatError(f"{where} declares an array of {dimensions}, but contains {len(data)} numbers")
    while len(dimensions) > 1 and dimensions[0] == 1:
        del dimensions[0]
    return data.reshape(dimensions)


def _dimensions(content: memoryview, where: str) -> list[int]:
    """Sizes, packed into one field or one by one."""
    dimensions: list[int] = []
    for field, value in _fields(content, where):
        if field != _DIM:
            continue
        if isinstance(value, int):
            dimensions.append(value)
            continue
        place = 0
        while place < len(value):
            size, place = _varint(value, place, where)
            dimensions.append(size)
    return dimensions


def _fields(content: memoryview, where: str) -> Iterator[tuple[int, int | memoryview]]:
    """The fields of a message: number, and a varint's value or the bytes of any other kind."""
    place = 0
    while place < len(content):
        key, place = _varint(content, place, where)
        field, kind = key >> 3, key & 7
        if field == 0 or kind not in (_VARINT, _FIXED64, _BYTES, _FIXED32):
            raise _FormatError(f"{where} contains a field of an unknown kind")
        if kind == _VARINT:
            number, place = _varint(content, place, where)
            yield field, number
            continue
        if kind == _BYTES:
            length, place = _varint(content, place, where)
        else:
            length = 8 if kind == _FIXED64 else 4
        if length > len(content) - place:
            raise _FormatError(f"{where} ends early: {length:,} bytes declared, {len(content) - place:,} present")
        yield field, content[place : place + length]
        place += length


def _varint(content: memoryview, place: int, where: str) -> tuple[int, int]:
    """A number of seven bits a byte, the lowest first, and the place after it."""
    value = 0
    for i in range(_LONGEST_VARINT):
        if place + i >= len(content):
            raise _FormatError(f"{where} ends within a number")
        byte = content[place + i]
        value |= (byte & 127) << (7 * i)
        if byte < 128:
            return value, place + i + 1
    raise _FormatError(f"{where} holds a number of more than {_LONGEST_VARINT} bytes")


def _text(value: memoryview) -> str:
    try:
        text = bytes(value).decode("utf-8")
    except UnicodeDecodeError:
        raise _FormatError("a name is not text") from None
    if not text.isprintable():
        raise _FormatError("a name is not text")
    return text
