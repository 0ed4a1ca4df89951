"""Caffe's files of weights: both forms, and whatever is cut or foreign."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from caffe_files import blob, caffemodel, message, number, varint

from gonio.core.errors import InputError
from gonio.detection.openpose.caffemodel import read_caffemodel

RNG = np.random.default_rng(0)
LAYERS = {
    "conv1_1": [RNG.standard_normal((4, 3, 3, 3), np.float32), RNG.standard_normal(4, np.float32)],
    "prelu1_1": [RNG.standard_normal(4, np.float32)],
    "conv1_2": [RNG.standard_normal((200, 4, 1, 1), np.float32), RNG.standard_normal(200, np.float32)],
}


def written(folder: Path, content: bytes) -> Path:
    path = folder / "weights.caffemodel"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("v1", [False, True], ids=["layers of today", "layers of the first years"])
def test_every_array_comes_back(tmp_path: Path, v1: bool) -> None:
    model = read_caffemodel(written(tmp_path, caffemodel(LAYERS, "a net", v1=v1)))
    assert model.name == "a net"
    assert list(model.layers) == list(LAYERS)  # the one without arrays is left out
    for name, arrays in LAYERS.items():
        for array, found in zip(arrays, model.layers[name], strict=True):
            assert found.dtype == np.float32
            np.testing.assert_array_equal(found, array)


def test_numbers_one_by_one_doubles_and_unknown_fields(tmp_path: Path) -> None:
    values = np.array([1.5, -2.0], np.float32)
    singly = b"".join(varint(5 << 3 | 5) + value.tobytes() for value in values)
    doubles = message(8, np.array([0.25, 3.0]).tobytes())
    shape = message(7, number(1, 2))
    unknown = number(99, 2**63) + varint(98 << 3 | 1) + bytes(8) + message(97, b"\xff\xfe")
    blobs = message(7, unknown + shape + singly) + message(7, doubles + shape)
    content = message(1, b"n") + unknown + message(100, message(1, b"layer") + blobs)
    one, two = read_caffemodel(written(tmp_path, content)).layers["layer"]
    np.testing.assert_array_equal(one, values)
    np.testing.assert_array_equal(two, [0.25, 3.0])


@pytest.mark.parametrize("number_in_it", [np.nan, np.inf, 1e300], ids=str)
def test_numbers_that_are_not_finite_are_refused(tmp_path: Path, number_in_it: float) -> None:
    shape = message(7, number(1, 2))
    doubles = message(8, np.array([0.25, number_in_it]).tobytes())
    content = message(1, b"n") + message(100, message(1, b"layer") + message(7, doubles + shape))
    with pytest.raises(InputError, match="finite"):
        read_caffemodel(written(tmp_path, content))


def test_a_file_cut_anywhere_is_one_clear_error(tmp_path: Path) -> None:
    whole = caffemodel(LAYERS)
    for cut in [*range(1, 120), *RNG.integers(120, len(whole), 60).tolist()]:
        path = written(tmp_path, whole[:cut])
        try:
            model = read_caffemodel(path)
        except InputError as error:
            assert str(error).startswith(f"{path}: ")
            assert "\n" not in str(error)
        else:  # cut between two layers: what is there is whole
            assert 0 < len(model.layers) < len(LAYERS)


def test_bytes_turned_over_raise_nothing_else(tmp_path: Path) -> None:
    whole = bytearray(caffemodel({"a": [np.arange(6, dtype=np.float32).reshape(2, 3)]}))
    for place in range(len(whole)):
        for value in (0, 127, 255, whole[place] ^ 1):
            content = bytes(whole[:place]) + bytes([value]) + bytes(whole[place + 1 :])
            try:
                read_caffemodel(written(tmp_path, content))
            except InputError:
                continue


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><html>Not found</html>", "DOCTYPE"),
        (b'name: "OpenPose - BODY_25"\ninput: "image"\n', "binary"),
        (b"\x80\x02}q\x00(X\x05\x00\x00\x00state", "Caffe"),
        (b"PK\x03\x04" + bytes(40), "Caffe"),
        (b"\xff" * 40, "10 bytes"),
        (caffemodel({}), "trained"),
        (
            message(100, message(1, b"x") + message(7, message(7, message(1, varint(3))) + message(5, bytes(8)))),
            "'x'",
        ),
        (message(100, message(1, b"x") + message(7, message(5, bytes(7)))), "7 bytes"),
        (message(100, message(1, b"x") + message(7, blob(LAYERS["prelu1_1"][0]))) * 2, "layers"),
        (
            message(1, b"n") + varint(100 << 3 | 2) + varint(10**9) + bytes(30),
            "1,000,000,000 bytes",
        ),
        (message(1, b"\xff\xfe"), "text"),
    ],
)
def test_other_files_are_refused_with_the_reason(tmp_path: Path, content: bytes, words: str) -> None:
    path = written(tmp_path, content)
    with pytest.raises(InputError) as error:
        read_caffemodel(path)
    assert words in str(error.value)
    assert str(path) in str(error.value)


def test_no_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.caffemodel"):
        read_caffemodel(tmp_path / "none.caffemodel")
    with pytest.raises(InputError, match=str(tmp_path)):
        read_caffemodel(tmp_path)
