"""Networks as files: what is read from them, and what is refused."""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto
from small_networks import write_network

from gonio.core.errors import InputError, MissingExtraError
from gonio.detection.openpose.layouts import BODY_25_PARTS, COCO_18_PARTS
from gonio.detection.openpose.runtime import load_network

PICTURE = np.random.default_rng(0).integers(0, 256, (32, 48, 3), dtype=np.uint8)
CELLS = PICTURE.reshape(4, 8, 6, 8, 3).mean(axis=(1, 3)).transpose(2, 0, 1)


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("layout", [COCO_18_PARTS, BODY_25_PARTS], ids=["coco-18", "body-25"])
def test_channels_first_and_last(tmp_path: Path, channels_last: bool, layout: Any) -> None:
    path = write_network(tmp_path / "net.onnx", layout.n_channels, channels_last=channels_last)
    network = load_network(path, layout)
    assert (network.stride, network.size_px) == (8, None)
    maps = network.run(PICTURE)
    assert maps.shape == (layout.n_channels, 4, 6)
    assert maps.dtype == np.float32
    np.testing.assert_allclose(maps[:3], CELLS, rtol=1e-5)  # blue, green, red as given, 0..255
    np.testing.assert_array_equal(maps[3:6], maps[:3])


@pytest.mark.parametrize("channels_last", [False, True])
def test_heatmaps_and_fields_as_two_outputs(tmp_path: Path, channels_last: bool) -> None:
    whole = load_network(write_network(tmp_path / "whole.onnx", 57, channels_last=channels_last), COCO_18_PARTS)
    path = write_network(tmp_path / "split.onnx", 57, channels_last=channels_last, split=19)
    np.testing.assert_array_equal(load_network(path, COCO_18_PARTS).run(PICTURE), whole.run(PICTURE))
    odd = write_network(tmp_path / "odd.onnx", 57, split=20)
    with pytest.raises(InputError, match=r"1x37x8x8.*1x20x8x8.*57"):
        load_network(odd, COCO_18_PARTS)


def test_the_values_that_a_network_takes(tmp_path: Path) -> None:
    silent = write_network(tmp_path / "silent.onnx", 57)
    own = write_network(tmp_path / "own.onnx", 57, pixels="-0.5..0.5")
    told = load_network(silent, COCO_18_PARTS, "-0.5..0.5").run(PICTURE)
    np.testing.assert_allclose(told[:3], CELLS / 256 - 0.5, atol=1e-6)
    np.testing.assert_array_equal(load_network(own, COCO_18_PARTS).run(PICTURE), told)
    np.testing.assert_allclose(load_network(own, COCO_18_PARTS, "0..255").run(PICTURE)[:3], CELLS, rtol=1e-5)
    odd = write_network(tmp_path / "odd.onnx", 57, pixels="-1..1")
    with pytest.raises(InputError, match=r"'-1\.\.1'"):
        load_network(odd, COCO_18_PARTS)


def test_stride_and_fixed_size_are_read_from_the_network(tmp_path: Path) -> None:
    network = load_network(write_network(tmp_path / "a.onnx", 57, size=(48, 32), stride=4), COCO_18_PARTS)
    assert (network.stride, network.size_px) == (4, (48, 32))
    assert network.run(PICTURE).shape == (57, 8, 12)
    with pytest.raises(InputError, match="32x48 px"):
        network.run(np.zeros((48, 32, 3), np.uint8))


def test_the_wrong_number_of_channels_is_one_clear_line(tmp_path: Path) -> None:
    path = write_network(tmp_path / "net.onnx", 57)
    with pytest.raises(InputError) as error:
        load_network(path, BODY_25_PARTS)
    for value in (str(path), "1x57x8x8", "78", "--layout"):
        assert value in str(error.value)
    path = write_network(tmp_path / "net.onnx", 44)
    with pytest.raises(InputError, match="1x44x8x8"):
        load_network(path, COCO_18_PARTS)


@pytest.mark.parametrize(
    ("options", "words"),
    [({"colours": 1}, r"1.*'height'.*'width'"), ({"kind": TensorProto.UINT8}, r"tensor\(uint8\)")],
)
def test_a_network_that_takes_no_images_is_refused(tmp_path: Path, options: dict[str, Any], words: str) -> None:
    path = write_network(tmp_path / "net.onnx", 57, **options)
    with pytest.raises(InputError, match=words):
        load_network(path, COCO_18_PARTS)


@pytest.mark.parametrize("content", [b"", b"no network", bytes(range(256))])
def test_a_file_that_is_no_network(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"net\.onnx") as error:
        load_network(path, COCO_18_PARTS)
    assert "\n" not in str(error.value)


def test_a_cut_network_is_refused(tmp_path: Path) -> None:
    path = write_network(tmp_path / "net.onnx", 57)
    whole = path.read_bytes()
    for cut in (10, len(whole) // 2, len(whole) - 9):
        path.write_bytes(whole[:cut])
        with pytest.raises(InputError, match=r"net\.onnx: "):
            load_network(path, COCO_18_PARTS)


def test_caffes_file_and_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gonio assets import .*\.caffemodel"):
        load_network(tmp_path / "pose_iter_584000.caffemodel", BODY_25_PARTS)
    with pytest.raises(InputError, match="no such file"):
        load_network(tmp_path / "net.onnx", BODY_25_PARTS)


def test_without_onnxruntime_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingExtraError, match=r"gonio\[onnx\]"):
        load_network(tmp_path / "net.onnx", BODY_25_PARTS)


def test_cameras_share_one_network_while_it_is_in_use(tmp_path: Path) -> None:
    path = write_network(tmp_path / "a.onnx", 57)
    network = load_network(path, COCO_18_PARTS)
    assert load_network(path, COCO_18_PARTS) is network
    assert load_network(path, COCO_18_PARTS, "-0.5..0.5") is not network
    with ThreadPoolExecutor(4) as pool:
        for maps in pool.map(network.run, [PICTURE] * 16):
            np.testing.assert_array_equal(maps, network.run(PICTURE))
    later = path.stat().st_mtime_ns + 1_000_000
    os.utime(path, ns=(later, later))  # another file under the same name
    assert load_network(path, COCO_18_PARTS) is not network
