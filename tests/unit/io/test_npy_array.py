"""Bare arrays: what must be declared, and files that are no arrays of joints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gonio.core.errors import GonioError, InputError
from gonio.core.sequence import PoseSequence
from gonio.core.skeleton import BODY_25, H36M_17
from gonio.io import npy_array


def saved(tmp_path: Path, array: Any) -> Path:
    path = tmp_path / "walk.npy"
    np.save(path, array)
    return path


def poses(n_frames: int = 5, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.4, (n_frames, 17, 3)).astype(np.float32)


def test_round_trip(tmp_path: Path) -> None:
    positions = poses()
    positions[1, 3] = np.nan
    written = PoseSequence(positions, np.arange(5) / 50, H36M_17, "m", "world", up="+y")
    lost = npy_array.write(written, tmp_path / "x.npy")
    raw = np.load(tmp_path / "x.npy")
    assert (raw.shape, raw.dtype) == ((5, 17, 3), np.float32)
    np.testing.assert_array_equal(raw, positions)
    assert any("--fps 50" in words for words in lost)
    assert npy_array.recognise(tmp_path / "x.npy")
    back = npy_array.read(tmp_path / "x.npy", rate_hz=50.0)
    np.testing.assert_array_equal(back.positions, written.positions)
    np.testing.assert_allclose(back.times_s, written.times_s)
    assert back.skeleton is H36M_17
    assert (back.frame, back.frame_name, back.unit) == ("world", "x", "m")


def test_root_relative_only_where_the_hip_is_the_origin(tmp_path: Path) -> None:
    positions = poses()
    positions[:, 0] = 0
    assert npy_array.read(saved(tmp_path, positions), rate_hz=50.0).frame == "root"
    positions[3, 0] = 0.01
    assert npy_array.read(saved(tmp_path, positions), rate_hz=50.0).frame == "world"
    body = np.random.default_rng(0).normal(0, 0.4, (2, 25, 3))
    found = npy_array.read(saved(tmp_path, body), rate_hz=50.0, layout="body-25")
    assert found.skeleton is BODY_25


def test_mapped_by_name(tmp_path: Path) -> None:
    body = PoseSequence(np.random.default_rng(0).normal(0, 1, (3, 25, 3)), np.arange(3.0), BODY_25, "m", "camera")
    lost = "\n".join(npy_array.write(body, tmp_path / "x.npy"))
    raw = np.load(tmp_path / "x.npy")
    np.testing.assert_allclose(raw[:, 5], body["left_knee"], rtol=1e-6)
    np.testing.assert_allclose(raw[:, 8], (body["left_shoulder"] + body["right_shoulder"]) / 2, rtol=1e-5)
    assert np.isnan(raw[:, 10]).all()
    assert "neck_nose, head_top" in lost
    assert "left_heel" in lost
    assert "camera" in lost


def test_what_must_be_declared(tmp_path: Path) -> None:
    path = saved(tmp_path, poses())
    with pytest.raises(InputError, match="--fps"):
        npy_array.read(path)
    with pytest.raises(InputError, match="--fps"):
        npy_array.read(path, rate_hz=-1.0)
    with pytest.raises(InputError, match=r"shape \(5, 17, 3\).*--layout"):
        npy_array.read(path, rate_hz=50.0, layout="body-25")
    with pytest.raises(InputError, match="layout"):
        npy_array.read(path, rate_hz=50.0, layout="body")
    for unit in ("px", "cm"):
        with pytest.raises(InputError, match=f"'{unit}'"):
            npy_array.read(path, rate_hz=50.0, unit=unit)
    millimetres = saved(tmp_path, poses() * 1000)
    np.testing.assert_allclose(npy_array.read(millimetres, rate_hz=50.0, unit="mm").positions, poses(), rtol=1e-6)


@pytest.mark.parametrize(
    ("array", "match"),
    [
        (np.zeros((5, 17, 2)), "shape"),
        (np.zeros((5, 51)), "shape"),
        (np.zeros((0, 17, 3)), "frame"),
        (np.array([{"a": 1}], dtype=object), "array"),
        (np.array(["a"]), "numbers"),
        (np.full((2, 17, 3), np.inf), "infinite"),
    ],
)
def test_foreign_arrays(tmp_path: Path, array: Any, match: str) -> None:
    path = saved(tmp_path, array)
    with pytest.raises(InputError, match=match) as error:
        npy_array.read(path, rate_hz=50.0)
    assert "\n" not in str(error.value)


def test_all_missing_breaks_nothing_here(tmp_path: Path) -> None:
    found = npy_array.read(saved(tmp_path, np.full((2, 17, 3), np.nan)), rate_hz=50.0)
    assert not found.valid.any()
    assert found.frame == "world"


def test_damaged_files(tmp_path: Path) -> None:
    path = saved(tmp_path, poses(3))
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for cut in rng.integers(0, len(whole), 40):
        path.write_bytes(whole[:cut])
        with pytest.raises(GonioError, match=r"walk\.npy"):
            npy_array.read(path, rate_hz=50.0)
    for position in range(128):  # every byte of the header
        damaged = bytearray(whole)
        damaged[position] ^= 1 << int(rng.integers(8))
        path.write_bytes(bytes(damaged))
        try:
            npy_array.read(path, rate_hz=50.0)
        except GonioError as error:
            assert "walk.npy" in str(error)


def test_not_written(tmp_path: Path) -> None:
    flat = PoseSequence(np.zeros((1, 17, 2)), np.zeros(1), H36M_17, "px", "image")
    with pytest.raises(InputError, match="3D"):
        npy_array.write(flat, tmp_path / "x.npy")
