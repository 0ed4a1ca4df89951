"""The table of formats: by ending and first bytes, with one clear line where that fails."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gonio.core.sequence import Detections, PoseSequence
from gonio.core.skeleton import BODY_25, H36M_17, KINECT_RECORDER_20
from gonio.errors import InputError
from gonio.sources import formats


def solid(n_frames: int = 4) -> PoseSequence:
    positions = np.random.default_rng(0).normal(0, 0.5, (n_frames, 17, 3))
    return PoseSequence(positions, np.arange(n_frames) / 50, H36M_17, "m", "world", up="+y")


def flat(n_frames: int = 4) -> PoseSequence:
    positions = np.random.default_rng(0).uniform(5, 400, (n_frames, 25, 2))
    return PoseSequence(positions, np.arange(n_frames) / 50, BODY_25, "px", "image", image_size_px=(640, 480))


@pytest.mark.parametrize(
    ("name", "module", "options"),
    [
        ("x.npz", "archive", {}),
        ("x.trc", "trc", {}),
        ("x.csv", "csv_table", {}),
        ("x.CSV", "csv_table", {"unit": "m"}),
        ("x.npy", "npy_array", {"rate_hz": 50.0}),
        ("x.txt", "recorder_text", {}),
    ],
)
def test_written_recognised_read(tmp_path: Path, name: str, module: str, options: dict[str, Any]) -> None:
    path = tmp_path / name
    formats.write(solid(), path)
    assert formats.recognise(path).module == module
    back = formats.read(path, **options)
    assert isinstance(back, PoseSequence)
    np.testing.assert_allclose(back["left_knee"], solid()["left_knee"], rtol=1e-6)
    np.testing.assert_allclose(back.times_s, solid().times_s)


@pytest.mark.parametrize("name", ["cam01", "cam01_json", "trial.2_json", "json"])
def test_openpose_folders(tmp_path: Path, name: str) -> None:
    formats.write(flat(), tmp_path / name)
    assert formats.recognise(tmp_path / name).name == "OpenPose JSON"
    back = formats.read(tmp_path / name, layout="body-25", rate_hz=50.0)
    assert isinstance(back, PoseSequence)
    np.testing.assert_array_equal(back.positions, flat().positions)
    assert back.history[-1] == "the only person of each frame"


def test_several_people_stay_detections(tmp_path: Path) -> None:
    positions = np.random.default_rng(0).uniform(5, 400, (3, 2, 25, 2))
    item = Detections(positions, np.ones((3, 2, 25)), np.arange(3) / 50, BODY_25, (640, 480))
    formats.write(item, tmp_path / "v")
    assert isinstance(formats.read(tmp_path / "v", layout="body-25", rate_hz=50.0), Detections)
    positions[:, 0][1:] = np.nan  # one person a frame, not always in the same place
    positions[:, 1][0] = np.nan
    formats.write(Detections(positions, np.ones((3, 2, 25)), np.arange(3) / 50, BODY_25, (640, 480)), tmp_path / "w")
    back = formats.read(tmp_path / "w", layout="body-25", rate_hz=50.0)
    assert isinstance(back, PoseSequence)
    np.testing.assert_array_equal(back.positions, np.concatenate([positions[:1, 0], positions[1:, 1]]))


def test_nobody_in_any_frame(tmp_path: Path) -> None:
    nobody = flat().derive(positions=np.full((4, 25, 2), np.nan))
    formats.write(nobody, tmp_path / "v")
    back = formats.read(tmp_path / "v", layout="body-25", rate_hz=50.0)
    assert isinstance(back, PoseSequence)
    assert not back.valid.any()


def test_several_people_in_an_archive_only(tmp_path: Path) -> None:
    people = {"a": solid(), "b": solid(2)}
    formats.write(people, tmp_path / "x.npz")
    back = formats.read(tmp_path / "x.npz")
    assert isinstance(back, dict)
    assert list(back) == ["a", "b"]
    with pytest.raises(InputError, match="there are 2"):
        formats.write(people, tmp_path / "x.trc")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("x.tcr", r"did you mean \.trc\?"),
        ("x.c4d", r"no known format.*\.npz"),
        ("x.json", "folder"),
    ],
)
def test_unknown_endings(tmp_path: Path, name: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        formats.write(solid(), tmp_path / name)
    (tmp_path / name).write_text("content")
    with pytest.raises(InputError, match=words):
        formats.read(tmp_path / name)


def test_a_file_without_an_ending(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("content")
    with pytest.raises(InputError, match="no known format"):
        formats.read(tmp_path / "x")


@pytest.mark.parametrize("name", ["x.npz", "x.trc", "x.csv", "x.txt", "x.npy"])
def test_absent_empty_and_foreign_files(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with pytest.raises(InputError, match=rf"{name}: no such file or folder"):
        formats.read(path)
    path.write_bytes(b"")
    with pytest.raises(InputError, match=rf"{name}: is empty"):
        formats.read(path)
    for content in (b"something else\n", bytes(range(256)), b"\n\n\n"):
        path.write_bytes(content)
        with pytest.raises(InputError, match=rf"{name}: its content is not that of"):
            formats.read(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(InputError, match=r"holds no \.json file"):
        formats.read(path)


def test_impossible_paths(tmp_path: Path) -> None:
    for path in (tmp_path / "a\0b.trc", tmp_path / ("x" * 5000 + ".trc")):
        with pytest.raises(InputError, match="cannot be read"):
            formats.read(path)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"layout": "body-25"}, "joints are h36m-17, declared was body-25"),
        ({"rate_hz": 25.0}, "50 frames per second, declared were 25"),
        ({"unit": "mm"}, "read in m, declared was mm"),
    ],
)
def test_what_is_declared_must_agree(tmp_path: Path, options: dict[str, Any], words: str) -> None:
    formats.write(solid(), tmp_path / "x.trc")
    with pytest.raises(InputError, match=words):
        formats.read(tmp_path / "x.trc", **options)
    agreeing: dict[str, Any] = {"layout": "h36m-17", "rate_hz": 50.0, "unit": "m"}
    formats.read(tmp_path / "x.trc", **{key: agreeing[key] for key in options})


def test_the_declared_image_size_must_agree(tmp_path: Path) -> None:
    formats.write(flat(), tmp_path / "x.npz")
    formats.read(tmp_path / "x.npz", image_size_px=(640, 480))
    with pytest.raises(InputError, match=r"declared were \(1, 2\)"):
        formats.read(tmp_path / "x.npz", image_size_px=(1, 2))


def test_the_table_is_complete() -> None:
    for form in formats.FORMATS:
        module = form.load()
        assert {"recognise", "read", "write"} <= set(vars(module))
        assert form.description


def test_recorder_joints(tmp_path: Path) -> None:
    formats.write(solid(), tmp_path / "x.txt")
    back = formats.read(tmp_path / "x.txt")
    assert isinstance(back, PoseSequence)
    assert back.skeleton == KINECT_RECORDER_20


def test_importing_is_cheap() -> None:
    code = (
        "import sys; import gonio.sources.formats as f; [form.load() for form in f.FORMATS]; "
        "print([m for m in ('scipy', 'cv2', 'av') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_real_trial(shared_data: Path) -> None:
    trial = shared_data / "pose2sim" / "balancing"
    several = formats.read(trial / "pose/cam02_json", layout="body-25b", rate_hz=60.0)
    assert isinstance(several, Detections)
    one = formats.read(trial / "pose-associated/cam03_json", layout="body-25b", rate_hz=60.0)
    assert isinstance(one, PoseSequence)
    assert int((~one.valid.any(axis=1)).sum()) == 1  # frame 52 holds a person without keypoints
    assert isinstance(formats.read(next((trial / "pose-3d").glob("*.trc"))), PoseSequence)
