"""MATLAB's .mat: there and back bit for bit, what other programs save, and damaged files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import loadmat, savemat

from gonio.core.errors import InputError
from gonio.core.sequence import PoseSequence, Source, Status
from gonio.core.skeleton import BODY_25, COCO_17, H36M_17, Skeleton
from gonio.io import formats, matlab

ONE = Skeleton("one", ("left_knee",), (-1,))


def sequence(n_frames: int = 5, skeleton: Skeleton = H36M_17, n_dims: int = 3) -> PoseSequence:
    rng = np.random.default_rng(0)
    positions = rng.normal(0, 0.5, (n_frames, len(skeleton), n_dims))
    if n_frames > 2:
        positions[1, 0] = np.nan
    missing = np.isnan(positions[..., 0])
    return PoseSequence(
        positions,
        np.arange(n_frames) / 50 + 1 / 3,
        skeleton,
        "m" if n_dims == 3 else "px",
        "camera" if n_dims == 3 else "image",
        "cam01",
        image_size_px=(640, 480) if n_dims == 2 else None,
        up="-y",
        confidence=np.where(missing, 0, rng.uniform(0, 1, missing.shape)),
        status=np.where(missing, Status.MISSING, Status.REPAIRED),
        covariance=rng.normal(size=(*positions.shape, n_dims)),
        source=Source("m", "mo", "v", ""),
        history=("first", "second"),
    )


@pytest.mark.parametrize("n_frames", [1, 2, 5, 17])
@pytest.mark.parametrize("skeleton", [H36M_17, BODY_25, ONE])
@pytest.mark.parametrize("n_dims", [2, 3])
def test_there_and_back(tmp_path: Path, n_frames: int, skeleton: Skeleton, n_dims: int) -> None:
    before = sequence(n_frames, skeleton, n_dims)
    assert formats.write(before, tmp_path / "x.mat") == ()
    after = matlab.read(tmp_path / "x.mat")
    for name in ("positions", "times_s", "confidence", "status", "covariance"):
        np.testing.assert_array_equal(getattr(after, name), getattr(before, name))
    for name in ("skeleton", "unit", "frame", "frame_name", "image_size_px", "up"):
        assert getattr(after, name) == getattr(before, name)
    assert after.history[:2] == before.history
    assert (after.source.method, after.source.model, after.source.version) == ("m", "mo", "v")


def test_what_matlab_sees(tmp_path: Path) -> None:
    formats.write(sequence(), tmp_path / "x.mat")
    held = loadmat(tmp_path / "x.mat")
    assert held["positions"].shape == (5, 17, 3)
    assert held["times_s"].shape == (5, 1)
    assert held["joints"].shape == (17, 1)
    assert held["joints"][0, 0].tolist() == ["mid_hip"]


@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)])
@pytest.mark.parametrize("in_struct", [True, False])
def test_other_programs(tmp_path: Path, order: tuple[int, int, int], in_struct: bool) -> None:
    positions = np.random.default_rng(1).normal(0, 400, (6, 17, 3))
    content: dict[str, Any] = {
        "xyz": positions.transpose(order),
        "Time": np.arange(6) / 100,
        "labels": np.array(COCO_17.joints, dtype=object),
        "units": "mm",
    }
    savemat(tmp_path / "x.mat", {"trial": content, "note": 3} if in_struct else content)
    item = formats.read(tmp_path / "x.mat")
    assert isinstance(item, PoseSequence)
    assert item.skeleton == COCO_17
    np.testing.assert_allclose(item.positions, positions / 1000)
    assert item.rate_hz == pytest.approx(100)
    assert (item.unit, item.frame, item.frame_name, item.up) == ("m", "world", "x", None)


def test_a_rate_instead_of_times_and_openposes_names(tmp_path: Path) -> None:
    content = {"pos": np.ones((4, 2, 3)), "fps": 25, "markers": np.array(["RKnee", "LKnee"])}
    savemat(tmp_path / "x.mat", content)
    item = matlab.read(tmp_path / "x.mat", unit="m")
    assert item.skeleton.joints == ("right_knee", "left_knee")
    assert item.times_s.tolist() == [0, 0.04, 0.08, 0.12]
    with pytest.raises(InputError, match=r"25 .*30"):
        matlab.read(tmp_path / "x.mat", unit="m", rate_hz=30)


GOOD = {"positions": np.ones((4, 2, 3)), "times": np.arange(4.0), "names": np.array(["a", "b"]), "unit": "m"}


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"positions": None}, "positions"),
        ({"names": None}, "names"),
        ({"names": np.array(["a", "a"])}, "twice"),
        ({"names": np.array(list("abcd"))}, r"shape \(4, 2, 3\).*4 names.*4 times"),
        ({"times": None}, "--fps"),
        ({"times": None, "fps": -1}, "-1"),
        ({"times": np.array([0, 1, 1, 2.0])}, "increase"),
        ({"times": np.array([0, 1, np.nan, 2.0])}, "increase"),
        ({"times": np.arange(5.0)}, "2 names.*5 times"),
        ({"unit": None}, "--unit"),
        ({"unit": "ell"}, " ell"),
        ({"positions": np.full((4, 2, 3), np.inf)}, "infinite"),
        ({"positions": "none"}, "positions"),
        ({"positions": np.ones((4, 2, 3, 2))}, "shape"),
        ({"positions": np.ones((3, 2, 2)), "times": None, "fps": 1}, "2D joints|3D joints"),
    ],
)
def test_other_content(tmp_path: Path, change: dict[str, Any], match: str) -> None:
    path = tmp_path / "x.mat"
    savemat(path, {name: value for name, value in (GOOD | change).items() if value is not None})
    with pytest.raises(InputError, match=match) as raised:
        matlab.read(path)
    assert str(raised.value).startswith(f"{path}: ")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"", "empty"),
        (b"hello", "MATLAB"),
        (b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(512) + b"\x89HDF\r\n\x1a\n", r"version 7\.3 .*-v7"),
        (b"\x89HDF\r\n\x1a\n" + bytes(100), r"version 7\.3 .*-v7"),
        (b"MATLAB 5.0 MAT-file", "damaged"),
        (b"MATLAB 5.0 MAT-file".ljust(400, b"\xff"), "damaged"),
    ],
)
def test_damaged_files(tmp_path: Path, content: bytes, match: str) -> None:
    path = tmp_path / "x.mat"
    path.write_bytes(content)
    with pytest.raises(InputError, match=match) as raised:
        formats.read(path)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8, 0.99])
def test_cut_files(tmp_path: Path, share: float) -> None:
    formats.write(sequence(), tmp_path / "x.mat")
    content = (tmp_path / "x.mat").read_bytes()
    (tmp_path / "y.mat").write_bytes(content[: int(len(content) * share)])
    with pytest.raises(InputError, match=r"y\.mat: "):
        matlab.read(tmp_path / "y.mat")


def test_no_frame(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="frame"):
        formats.write(sequence().at(slice(0, 0)), tmp_path / "x.mat")
    assert not list(tmp_path.iterdir())
