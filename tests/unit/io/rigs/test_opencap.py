"""OpenCap's pickles: a session's folder, one camera, and files that ask for more than data."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gonio.core.errors import InputError
from gonio.io.rigs import files as rig_files


def held(place_mm: float = 0.0) -> dict[str, Any]:
    return {
        "intrinsicMat": np.array([[1700.0, 0, 540], [0, 1700, 960], [0, 0, 1]]),
        "distortion": np.array([[0.1, -0.3, 0.001, -0.001, 0.2]]),
        "imageSize": np.array([[1920.0], [1080.0]]),
        "rotation": np.eye(3),
        "translation": np.array([[place_mm], [100.0], [3000.0]]),
        "rms": 0.4,
    }


def session(folder: Path) -> Path:
    for i, place in enumerate((0.0, 1500.0)):
        path = folder / f"Cam{i}" / "cameraIntrinsicsExtrinsics.pickle"
        path.parent.mkdir(parents=True)
        path.write_bytes(pickle.dumps(held(place)))
    return folder


def test_a_session_in_metres(tmp_path: Path) -> None:
    rig = rig_files.read(session(tmp_path / "Videos"))
    assert rig.camera_names == ("Cam0", "Cam1")
    assert rig["Cam0"].size_px == (1080, 1920)
    np.testing.assert_allclose(rig["Cam1"].translation, [1.5, 0.1, 3.0])
    np.testing.assert_allclose(rig["Cam1"].distortion, held()["distortion"][0])
    assert rig.history[0] == "lengths taken as mm: the cameras are up to 1500 mm apart"


def test_one_camera(tmp_path: Path) -> None:
    rig = rig_files.read(session(tmp_path) / "Cam1" / "cameraIntrinsicsExtrinsics.pickle")
    assert rig.camera_names == ("Cam1",)
    np.testing.assert_allclose(rig["Cam1"].translation, [1.5, 0.1, 3.0])


class Program:
    def __reduce__(self) -> Any:
        return os.mkdir, ("executed",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"no pickle", r"damaged.*pickle"),
        (pickle.dumps(held())[:200], r"damaged.*pickle"),
        (pickle.dumps(held() | {"rms": Program()}), r"mkdir.*executed"),
        (pickle.dumps([1, 2]), "dictionary"),
        (pickle.dumps({key: value for key, value in held().items() if key != "rotation"}), r"rotation.*missing"),
        (pickle.dumps(held() | {"translation": np.zeros(2)}), r"3.*2"),
        (pickle.dumps(held() | {"translation": np.full(3, np.nan)}), r"translation.*3"),
        (pickle.dumps(held() | {"rotation": np.ones((3, 3))}), r"rotation.*orthogonal"),
        (pickle.dumps(held() | {"imageSize": np.array([1.5, 2])}), r"whole.*pixels"),
    ],
)
def test_damaged_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, message: str) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "x.pickle"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as raised:
        rig_files.read(path)
    assert str(raised.value).startswith(f"{path}: ")
    assert not (tmp_path / "executed").exists()
