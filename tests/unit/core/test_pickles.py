"""Pickles of data: what is read, what is only claimed, and keys that take for ever."""

from __future__ import annotations

import io
import pickle
import struct
import time
from typing import Any

import numpy as np
import pytest

from gonio.core.pickles import DataUnpickler, check_keys

VALUE = {"a": [1, 2.5, None, True, "é"], ("b", 2): (b"bytes", {1, "x"}), "c": frozenset({3}), "d": bytearray(b"1")}


class Plain(DataUnpickler):
    def find_class(self, module: str, name: str) -> Any:
        return {"set": set, "frozenset": frozenset, "bytearray": bytearray, "encode": str.encode}[name]


def load(content: bytes, largest: int = 1000) -> Any:
    return Plain(io.BytesIO(content), largest).load()


@pytest.mark.parametrize("protocol", range(6))
def test_every_protocol(protocol: int) -> None:
    known = {key: value for key, value in VALUE.items() if protocol > 2 or key in ("a", "c")}
    assert load(pickle.dumps(known, protocol)) == known


@pytest.mark.parametrize("code", [b"T", b"X", b"B"])
def test_a_size_that_is_only_claimed(code: bytes) -> None:
    with pytest.raises(pickle.UnpicklingError, match="2147483647"):
        load(b"\x80\x04" + code + struct.pack("<I", 2**31 - 1) + b"a.")


@pytest.mark.parametrize("code", [b"\x8d", b"\x8e", b"\x96", b"\x95"])
def test_a_long_size_that_is_only_claimed(code: bytes) -> None:
    with pytest.raises(pickle.UnpicklingError, match="1099511627776"):
        load(b"\x80\x05" + code + struct.pack("<Q", 2**40) + b"a.")


def test_a_place_in_the_memo_costs_nothing() -> None:
    assert load(b"\x80\x04]r\xff\xff\xff\x7f.") == []


def test_a_piece_that_ends_early() -> None:
    with pytest.raises(EOFError):
        load(b"\x80\x04B" + struct.pack("<I", 20) + b"abc")


@pytest.mark.parametrize(
    "end", [b"}h\x28K\x01s.", b"}(h\x28K\x01u.", b"(h\x28K\x01d.", b"\x8f(h\x28\x90.", b"(h\x28\x91."]
)
def test_keys_that_nest_are_not_hashed(end: bytes) -> None:
    """Forty levels of (x, x) would be a million million hashes."""
    grown = b"".join(b"h" + bytes([i]) + b"h" + bytes([i]) + b"\x86q" + bytes([i + 1]) for i in range(40))
    start = time.perf_counter()
    with pytest.raises(pickle.UnpicklingError, match="tuple"):
        load(b"\x80\x04K\x01q\x00" + grown + end)
    assert time.perf_counter() - start < 1


def test_plain_keys() -> None:
    check_keys(["a", b"b", 1, 2.5, None, True, ("a", 1), np.float32(3)])
    for key in ((("a",),), frozenset(), range(3)):
        with pytest.raises(pickle.UnpicklingError, match="as a key"):
            check_keys([key])
