"""The elements of .mat files: as scipy writes them, as MATLAB stores small numbers, and every damage."""

from __future__ import annotations

import contextlib
import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from scipy.io import savemat

from gonio.io.matlab_elements import variables


def saved(compressed: bool = False, **values: Any) -> bytes:
    stream = io.BytesIO()
    savemat(stream, values, do_compression=compressed)
    return stream.getvalue()


@pytest.mark.parametrize("compressed", [False, True])
def test_what_scipy_writes(compressed: bool) -> None:
    rng = np.random.default_rng(0)
    cell = np.empty((2, 1), dtype=object)
    cell[:, 0] = ["left_knee", np.arange(3.0)]
    values = {
        "table": rng.normal(size=(4, 3, 2)),
        "small": np.array([[1, 2, 300]], dtype=np.int16),
        "single": np.float32(2.5),
        "number": 30.0,
        "text": "metres é",
        "rows": np.array(["one", "two"]),
        "nobody": np.zeros((0, 3)),
        "turned": np.array([1 + 2j, 3]),
        "cell": cell,
        "struct": {"a": 1.0, "b": {"c": "deep"}},
    }
    found = variables(saved(compressed, **values))
    np.testing.assert_array_equal(found["table"], values["table"])
    assert found["small"].tolist() == [1, 2, 300]
    assert (found["single"], found["number"], found["text"]) == (2.5, 30, "metres é")
    assert found["rows"].tolist() == ["one", "two"]
    assert found["nobody"].size == 0
    assert found["turned"].tolist() == [1 + 2j, 3]
    assert found["cell"][0] == "left_knee"
    assert found["cell"][1].tolist() == [0, 1, 2]
    assert found["struct"] == {"a": 1, "b": {"c": "deep"}}


def element(kind: int, content: bytes, order: str = "<") -> bytes:
    return struct.pack(order + "II", kind, len(content)) + content + bytes(-len(content) % 8)


def file(*elements: bytes, order: str = "<") -> bytes:
    return (
        b"MATLAB 5.0".ljust(124)
        + struct.pack(order + "H", 0x0100)
        + (b"IM" if order == "<" else b"MI")
        + b"".join(elements)
    )


@pytest.mark.parametrize("order", ["<", ">"])
def test_doubles_that_are_stored_as_bytes(order: str) -> None:
    parts = (
        element(6, struct.pack(order + "II", 6, 0), order),
        element(5, struct.pack(order + "ii", 1, 3), order),
        struct.pack(order + "I", 1 << 16 | 1) + b"x\0\0\0",  # a small element
        element(2, bytes([1, 2, 255]), order),
    )
    found = variables(file(element(14, b"".join(parts), order), order=order))
    assert found["x"].dtype == np.float64
    assert found["x"].tolist() == [1, 2, 255]


def test_what_is_no_value_is_left_out() -> None:
    opaque = element(6, struct.pack("<II", 17, 0)) + element(1, b"x")
    assert variables(file(element(14, opaque))) == {"": None}


def numeric(shape: tuple[int, ...], kind: int = 6) -> bytes:
    return element(
        14,
        element(6, struct.pack("<II", kind, 0)) + element(5, struct.pack(f"<{len(shape)}i", *shape)) + element(1, b"x"),
    )


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"MATLAB 5.0", "header"),
        (file(b"\0\0"), "element"),
        (file(struct.pack("<II", 14, 1 << 31)), "2147483648"),
        (file(element(9, bytes(8))), "type 9"),
        (file(element(15, zlib.compress(bytes(20))[:-6])), "cut"),
        (file(numeric((2**31 - 1, 2**31 - 1), 1)), "values"),
        (file(numeric((2**31 - 1,), 2)), "names|inside"),
        (file(numeric((-1, 3))), "size"),
        (file(numeric((3,))), "inside"),
    ],
)
def test_sizes_that_are_only_claimed(content: bytes, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        variables(content)


def test_cells_in_cells_end() -> None:
    body = b""
    for _ in range(40):
        body = (
            element(6, struct.pack("<II", 1, 0))
            + element(5, struct.pack("<ii", 1, 1))
            + element(1, b"")
            + element(14, body)
        )
    with pytest.raises(ValueError, match="nested"):
        variables(file(element(14, body)))


@pytest.mark.parametrize("compressed", [False, True])
def test_every_bit_turned_over(compressed: bool) -> None:
    """scipy's reader ends the program with some of these."""
    whole = bytearray(saved(compressed, a=np.arange(6.0), b={"c": "text", "d": np.array(["x", 2], dtype=object)}))
    for place in range(len(whole)):
        for bit in range(8):
            whole[place] ^= 1 << bit
            with contextlib.suppress(ValueError, zlib.error):
                variables(bytes(whole))
            whole[place] ^= 1 << bit
