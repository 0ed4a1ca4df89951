"""OpenCV's YAML and XML: written by cv2 itself, read back, one camera and two, and damaged files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from gonio.core.camera import Camera, Rig
from gonio.core.errors import InputError
from gonio.io.rigs import files as rig_files
from gonio.io.rigs import opencv

K = np.array([[525.0, 0, 319.5], [0, 526, 239.5], [0, 0, 1]])
D = np.array([[0.1, -0.2, 0.001, 0.002, 0.03]])
R = cv2.Rodrigues(np.array([0.02, -0.1, 0.01]))[0]
T = np.array([[-0.28], [0.001], [0.003]])
STEREO = {"image_width": 640, "image_height": 480, "M1": K, "D1": D, "M2": K * [[1.01], [1.01], [1]], "D2": D, "R": R}


def stored(path: Path, **values: Any) -> Path:
    storage = cv2.FileStorage(str(path), cv2.FILE_STORAGE_WRITE)
    for name, value in values.items():
        storage.write(name, value)
    storage.release()
    return path


@pytest.mark.parametrize("ending", ["yml", "yaml", "xml"])
def test_a_stereo_calibration(tmp_path: Path, ending: str) -> None:
    rig = rig_files.read(stored(tmp_path / f"x.{ending}", **STEREO, T=T))
    assert rig.camera_names == ("cam1", "cam2")
    first, second = rig
    assert first.size_px == second.size_px == (640, 480)
    np.testing.assert_allclose(first.matrix, K)
    np.testing.assert_allclose(second.distortion, D[0])
    np.testing.assert_allclose(second.rotation, R)
    np.testing.assert_allclose(second.translation, T[:, 0])
    assert rig.up == "-y"
    assert rig.history[0] == "lengths taken as m: the cameras are up to 0.28 m apart"


def test_millimetres_are_seen(tmp_path: Path) -> None:
    path = stored(tmp_path / "x.yml", **STEREO, T=T * 1000)
    rig = rig_files.read(path)
    np.testing.assert_allclose(rig["cam2"].translation, T[:, 0])
    assert "mm" in rig.history[0]
    with pytest.raises(InputError, match=r"x\.yml.*unknown"):
        rig_files.read(stored(tmp_path / "x.yml", **STEREO, T=T * 200))


@pytest.mark.parametrize("ending", ["yml", "xml"])
@pytest.mark.parametrize("n_cameras", [1, 2])
def test_there_and_back(tmp_path: Path, ending: str, n_cameras: int) -> None:
    second = Camera("cam2", (640, 480), K, tuple(D[0]), rotation=R, translation=T[:, 0])
    before = Rig("x", (Camera("cam1", (640, 480), K, tuple(D[0])), second)[-n_cameras:])
    opencv.write(before, tmp_path / f"x.{ending}")
    after = rig_files.read(tmp_path / f"x.{ending}")
    for ours, theirs in zip(before, after, strict=True):
        assert (ours.size_px, ours.distortion) == (theirs.size_px, theirs.distortion)
        for name in ("matrix", "rotation", "translation"):
            np.testing.assert_allclose(getattr(theirs, name), getattr(ours, name), atol=1e-15)


def test_a_rig_in_another_world_keeps_its_geometry(tmp_path: Path) -> None:
    turn = cv2.Rodrigues(np.array([0.3, 1, 0.2]))[0]
    left = Camera("left", (640, 480), K, rotation=turn, translation=np.array([1.0, 2, 3]))
    right = Camera("right", (640, 480), K, rotation=R @ turn, translation=R @ left.translation + T[:, 0])
    not_preserved = opencv.write(Rig("x", (left, right), up="+z"), tmp_path / "x.yml")
    assert not_preserved == (
        "the world's vertical (+z) is not preserved",
        "the world is not preserved: the file's world is the first camera",
        "the cameras' names (left, right) are not preserved: they are read as cam1, cam2",
    )
    second = rig_files.read(tmp_path / "x.yml")["cam2"]
    np.testing.assert_allclose(second.rotation, R)
    np.testing.assert_allclose(second.translation, T[:, 0], atol=1e-15)


@pytest.mark.parametrize("name", ["distortion_coefficients", "dist_coeffs"])
def test_one_camera(tmp_path: Path, name: str) -> None:
    alone = {"image_size": np.array([[640, 480]]), "camera_matrix": K, name: D}
    (camera,) = rig_files.read(stored(tmp_path / "x.yml", **alone))
    np.testing.assert_allclose(camera.distortion, D[0])
    np.testing.assert_allclose(camera.center_m, 0)
    (camera,) = rig_files.read(stored(tmp_path / "x.yml", **alone, rvec=np.array([0.02, -0.1, 0.01]), tvec=T))
    np.testing.assert_allclose(camera.rotation, R)
    np.testing.assert_allclose(camera.translation, T[:, 0])


def test_more_cameras_than_two(tmp_path: Path) -> None:
    three = tuple(Camera(name, (640, 480), K) for name in "abc")
    with pytest.raises(InputError, match=r"3.*\.toml"):
        opencv.write(Rig("x", three), tmp_path / "x.yml")
    assert not (tmp_path / "x.yml").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"T": None}, r"cameras.*without"),
        ({"image_width": None}, r"image_width.*image_height"),
        ({"image_width": 640.5}, r"pixels.*expected"),
        ({"image_width": np.array([640, 480])}, r"size.*images"),
        ({"M1": None, "M2": None}, "calibration"),
        ({"M1": K[:2]}, r"6.*3"),
        ({"M1": "none"}, "numbers"),
        ({"M2": K * np.nan}, "M2 holds NaN"),
        ({"R": R * 2}, r"rotation.*orthogonal"),
        ({"D1": np.arange(8.0)}, "D1 has 8 coefficients"),
        ({"D2": D * np.inf}, r"coefficients.*finite"),
    ],
)
def test_damaged_files(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    values = {name: value for name, value in (STEREO | {"T": T} | changes).items() if value is not None}
    path = stored(tmp_path / "x.yml", **values)
    with pytest.raises(InputError, match=message) as raised:
        rig_files.read(path)
    assert str(raised.value).startswith(f"{path}: ")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("ending", ["yml", "xml"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.97])
def test_cut_files(tmp_path: Path, ending: str, share: float) -> None:
    text = stored(tmp_path / f"x.{ending}", **STEREO, T=T).read_text()
    path = tmp_path / f"y.{ending}"
    path.write_text(text[: int(len(text) * share)])
    with pytest.raises(InputError, match=r"y\.") as raised:
        rig_files.read(path)
    assert "\n" not in str(raised.value)


def test_entities_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.xml"
    path.write_text('<?xml version="1.0"?><!DOCTYPE a><opencv_storage><M1>1</M1></opencv_storage>')
    with pytest.raises(InputError, match=r"DOCTYPE.*ENTITY"):
        rig_files.read(path)
