"""The folder of a recording: its trial states clock offsets and drop-outs, and no password."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gonio.capture.session import RecordedCamera, RecordedSession, check_session, hidden_password, write_session
from gonio.core.errors import ConfigError, InputError
from gonio.trials.config import load_trial

LEFT = RecordedCamera(
    name="left",
    address="rtsp://10.0.0.5/1",
    codec="h264",
    copied=True,
    size_px=(1280, 720),
    rate_hz=30.0,
    frames=300,
    duration_s=10.0,
    missed=0,
    before_key_frame=0,
    unusable=0,
    clock_jumps=0,
    has_clock=True,
    first_frame_s=0.25,
    scatter_s=0.001,
    drift=0.0,
    dropped_out=None,
    dropped_out_s=None,
)
RIGHT = replace(LEFT, name='right "2"', first_frame_s=0.75)
CALIBRATION = """
[left]
name = "left"
size = [1280.0, 720.0]
matrix = [[900.0, 0.0, 640.0], [0.0, 900.0, 360.0], [0.0, 0.0, 1.0]]
distortions = [0.0, 0.0, 0.0, 0.0]
rotation = [0.0, 0.0, 0.0]
translation = [0.0, 0.0, 3.0]
fisheye = false
"""


def session(folder: Path, *cameras: RecordedCamera, finished: bool = True) -> RecordedSession:
    return RecordedSession(folder, datetime(2026, 5, 4, tzinfo=UTC), cameras, finished)


def test_the_camera_that_began_first_has_the_clock_that_is_ahead(tmp_path):
    """Its frame at own time 0.5 s shows what the other's first frame does: common time = own time - offset."""
    right = replace(RIGHT, name="right")
    write_session(session(tmp_path, LEFT, right), None)
    trial = load_trial(tmp_path / "trial.toml")
    assert [camera.offset_s for camera in trial.cameras] == [0.5, 0.0]
    assert [camera.video for camera in trial.cameras] == [tmp_path / "left.mkv", tmp_path / "right.mkv"]
    assert trial.name == tmp_path.name
    assert len(trial.caveats) == 1  # what the offsets do not hold
    assert "right 1.0 ms" in trial.caveats[0]
    content = json.loads((tmp_path / "recording.json").read_text())
    assert [camera["offset_s"] for camera in content["cameras"]] == [0.5, 0.0]
    assert content["finished"] is True


def test_problems_are_in_the_trial(tmp_path):
    right = replace(
        RIGHT, name="right", dropped_out='right: dropped out after 3.0 s: a "\\n', missed=4, clock_jumps=1, unusable=2
    )
    jpeg = replace(LEFT, name="jpeg", has_clock=False)
    dark = replace(LEFT, name="dark", frames=0, first_frame_s=None, scatter_s=None, drift=None)
    write_session(session(tmp_path, LEFT, right, jpeg, dark, finished=False), None)
    trial = load_trial(tmp_path / "trial.toml")
    assert [camera.name for camera in trial.cameras] == ["left", "right", "jpeg"]
    text = "\n".join(trial.caveats)
    for sentence in (
        "3.0 s",
        "right: 4 frames",
        "right: 2 frames",
        "right",
        "stream",
        "frame",
        "interrupted",
    ):
        assert sentence in text


def test_a_drift_counts_once_it_bends_by_half_a_frame():
    assert replace(LEFT, duration_s=600.0, drift=50e-6).notes == ()  # 15 ms at the ends, of 33 ms
    (note,) = replace(LEFT, duration_s=600.0, drift=100e-6).notes
    assert "+100 ppm: 30 ms" in note


def test_the_calibration_goes_along(tmp_path):
    calibration = tmp_path / "Calib.toml"
    calibration.write_text(CALIBRATION)
    folder = tmp_path / "session"
    with pytest.raises(InputError, match="'right'"):
        check_session(folder, ["left", "right"], calibration)
    folder.mkdir()
    write_session(session(folder, LEFT), calibration)
    trial = load_trial(folder / "trial.toml")
    assert trial.rig is not None
    assert trial.rig.calibration == folder / "Calib.toml"
    assert (folder / "Calib.toml").read_text() == CALIBRATION


def test_folders_and_names_that_cannot_be_used(tmp_path):
    with pytest.raises(ConfigError, match="cameras"):
        check_session(tmp_path / "new", ["a", "A"], None)
    with pytest.raises(ConfigError, match="named"):
        check_session(tmp_path / "new", ["a/b"], None)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="is a file"):
        check_session(tmp_path / "file", ["a"], None)
    with pytest.raises(InputError, match="already"):
        check_session(tmp_path, ["a"], None)


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("rtsp://10.0.0.5/1", "rtsp://10.0.0.5/1"),
        ("rtsp://me:secret@10.0.0.5:554/1", "rtsp://***:***@10.0.0.5:554/1"),
        ("http://a/video?user=me&Password=secret&size=2", "http://a/video?user=me&Password=***&size=2"),
        ("/dev/video0", "/dev/video0"),
    ],
)
def test_passwords_are_not_shown(address, shown):
    assert hidden_password(address) == shown
