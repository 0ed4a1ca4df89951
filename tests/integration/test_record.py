"""Live streams, served by ffmpeg on loopback, recorded by the command line; each frame's number is in its image."""

from __future__ import annotations

import contextlib
import csv
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from gonio.trials.config import load_trial

spec = importlib.util.spec_from_file_location(
    "camera_streams", Path(__file__).resolve().parents[1] / "support" / "camera_streams.py"
)
assert spec is not None
assert spec.loader is not None
streams = importlib.util.module_from_spec(spec)
spec.loader.exec_module(streams)

needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="no ffmpeg here; apt-get install ffmpeg")


@pytest.fixture(scope="module")
def counter(tmp_path_factory) -> Path:
    return streams.make_counter(tmp_path_factory.mktemp("counter") / "counter.mp4", 30)


@pytest.fixture(scope="module")
def counter_with_b_frames(tmp_path_factory) -> Path:
    return streams.make_counter(tmp_path_factory.mktemp("counter") / "b_frames.mp4", 30, bframes=2)


@pytest.fixture
def ends():
    """Servers and recorders to end after the test."""
    with contextlib.ExitStack() as stack:

        def end_later(process: subprocess.Popen) -> None:
            stack.callback(process.wait, 20)
            stack.callback(process.kill)

        yield end_later


def start(*arguments: object, **environment: str) -> subprocess.Popen[str]:
    """`gonio record` once it records."""
    command = [sys.executable, "-m", "gonio", "record", *map(str, arguments)]
    told = {name: value for name, value in os.environ.items() if name != "DISPLAY"} | environment
    recorder = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=told
    )
    assert recorder.stderr is not None
    for line in recorder.stderr:
        if line.startswith("gonio: recording "):
            return recorder
        assert "live" in line, line
    raise AssertionError("it did not record")


def plays(video: Path) -> bool:
    done = subprocess.run(["ffmpeg", "-v", "error", "-i", video, "-f", "null", "-"], capture_output=True, check=False)
    return done.returncode == 0


@needs_ffmpeg
def test_a_camera_that_drops_out_does_not_stop_the_other(counter, counter_with_b_frames, tmp_path, ends):
    (left, left_address), (right, right_address) = streams.serve(counter_with_b_frames), streams.serve(counter)
    ends(left)
    ends(right)
    session = tmp_path / "session"
    recorder = start(left_address, right_address, "-o", session, "--names", "left", "right", "--seconds", 6)
    ends(recorder)
    time.sleep(2)
    right.kill()
    out, err = recorder.communicate(timeout=30)
    assert recorder.returncode == 0
    assert "right (http://127.0.0.1" in err
    assert f"wrote {session / 'trial.toml'}" in out
    trial = load_trial(session / "trial.toml")
    assert [camera.name for camera in trial.cameras] == ["left", "right"]
    assert any(caveat.startswith("right (http://127.0.0.1") for caveat in trial.caveats)
    durations_s = {}
    for camera in trial.cameras:
        numbers, times_s = streams.counted(camera.video)
        durations_s[camera.name] = times_s[-1]
        whole = numbers[:-3]  # a frame at the end may hang on one that came too late
        np.testing.assert_array_equal(np.diff(whole), 1)
        assert streams.error_in_frames(numbers, times_s) < 0.02  # Matroska's whole milliseconds
        table = list(csv.DictReader((session / f"{camera.name}.csv").read_text().splitlines()))
        np.testing.assert_allclose(sorted(float(row["time_s"]) for row in table), times_s, atol=6e-4)
    assert 5.0 < durations_s["left"] < 6.1
    assert 1.0 < durations_s["right"] < 3.0
    assert min(camera.offset_s for camera in trial.cameras) == 0
    assert max(camera.offset_s for camera in trial.cameras) < 1.0  # key frames come every half second


@needs_ffmpeg
def test_what_a_killed_recorder_wrote_plays(counter, counter_with_b_frames, tmp_path, ends):
    served = [streams.serve(counter), streams.serve(counter_with_b_frames)]
    for server, _ in served:
        ends(server)
    recorder = start(*(address for _, address in served), "-o", tmp_path / "session")
    ends(recorder)
    time.sleep(4)
    recorder.send_signal(signal.SIGKILL)
    recorder.communicate(timeout=10)
    trial = load_trial(tmp_path / "session" / "trial.toml")
    assert trial.caveats
    assert len(trial.cameras) == 2
    for camera in trial.cameras:
        assert plays(camera.video)
        numbers, times_s = streams.counted(camera.video)
        assert times_s[-1] > 2.5
        assert streams.error_in_frames(numbers, times_s) < 0.02


@needs_ffmpeg
def test_offsets_bring_two_cameras_together(counter, tmp_path, ends):
    server, addresses = streams.serve_both(counter)
    ends(server)
    recorder = start(*addresses, "-o", tmp_path / "session", "--seconds", 5)
    ends(recorder)
    _, err = recorder.communicate(timeout=30)
    assert recorder.returncode == 0, err
    zeros_s, firsts = [], []
    for camera in load_trial(tmp_path / "session" / "trial.toml").cameras:
        numbers, times_s = streams.counted(camera.video)
        zeros_s.append(np.median(times_s - camera.offset_s - numbers / streams.RATE_HZ))
        firsts.append(numbers[0])
    assert firsts[0] != firsts[1]
    assert abs(zeros_s[0] - zeros_s[1]) * streams.RATE_HZ < 1


@needs_ffmpeg
def test_streams_without_a_clock_and_raw_images(tmp_path, ends):
    """Bare JPEG images have their times of arrival (FFmpeg would give 25 a second); raw ones are encoded."""
    video = streams.make_counter(tmp_path / "counter.mkv", 20, codec="mjpeg")
    server, jpegs = streams.serve(video, form="mpjpeg")
    ends(server)
    port = streams.free_port()
    raw = subprocess.Popen(
        [*streams.SERVE, "-i", video, "-c:v", "rawvideo", "-pix_fmt", "yuyv422", "-f", "nut"]
        + ["-listen", "1", f"http://127.0.0.1:{port}"]
    )
    ends(raw)
    while not streams.listens(port):
        time.sleep(0.05)
    recorder = start(jpegs, f"http://127.0.0.1:{port}", "-o", tmp_path / "session", "--names", "jpeg", "raw")
    ends(recorder)
    time.sleep(3)
    recorder.send_signal(signal.SIGINT)
    out, err = recorder.communicate(timeout=30)
    assert recorder.returncode == 0, err  # Ctrl-C is how a recording ends
    assert "rawvideo" in out
    assert "jpeg: " in err
    for name in ("jpeg", "raw"):
        numbers, times_s = streams.counted(tmp_path / "session" / f"{name}.mkv")
        assert len(numbers) > 60
        difference = times_s * streams.RATE_HZ - numbers
        late = np.abs(difference - np.median(difference))
        assert np.median(late) < 1
        if name == "raw":
            assert late.max() < 0.02


@needs_ffmpeg
def test_no_camera_left(counter, tmp_path, ends):
    server, address = streams.serve(counter)
    ends(server)
    recorder = start(address, "-o", tmp_path / "session")
    ends(recorder)
    time.sleep(1.5)
    server.kill()
    _, err = recorder.communicate(timeout=30)
    assert recorder.returncode == 2
    assert err.splitlines()[-1].startswith(f"gonio: {tmp_path / 'session'}: ")
    assert plays(tmp_path / "session" / "cam01.mkv")


@needs_ffmpeg
@pytest.mark.skipif(shutil.which("Xvfb") is None, reason="no Xvfb here; apt-get install xvfb")
def test_a_live_view(counter, tmp_path, ends):
    pytest.importorskip("tkinter")
    reading, writing = os.pipe()
    screen = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writing), "-screen", "0", "800x600x24"],
        pass_fds=[writing],
        stderr=subprocess.DEVNULL,
    )
    ends(screen)
    display = ":" + os.read(reading, 20).decode().strip()
    server, address = streams.serve(counter)
    ends(server)
    recorder = start(address, "-o", tmp_path / "session", "--seconds", 4, DISPLAY=display)
    ends(recorder)
    time.sleep(2)
    shot = tmp_path / "shot.png"
    grab = ["ffmpeg", "-v", "error", "-f", "x11grab", "-video_size", "800x600", "-i", display, "-frames:v", "1", shot]
    subprocess.run(grab, check=True, timeout=30)
    _, err = recorder.communicate(timeout=30)
    assert recorder.returncode == 0, err
    assert "live" not in err
    grey = np.abs(cv2.imread(str(shot)).astype(int) - 96).max(axis=2) < 12
    assert grey.sum() > 0.8 * 320 * (192 - 80)  # the image below the two rows of bits


def test_nothing_is_written_where_a_camera_cannot_be_opened(run, tmp_path):
    port = streams.free_port()
    done = run("record", f"http://me:secret@127.0.0.1:{port}/live", "-o", tmp_path / "session", "--no-live")
    assert done.returncode == 2
    assert done.stderr.startswith(f"gonio: cam01 (http://***:***@127.0.0.1:{port}/live): ")
    assert "refused" in done.stderr
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "CAMERAS"),
        (["http://127.0.0.1:1/a", "--names", "left", "right"], "1 cameras"),
        (["http://127.0.0.1:1/a", "http://127.0.0.1:1/b", "--names", "left", "Left"], "recordings"),
        (["http://127.0.0.1:1/a", "--fps", 30], "--size"),
        (["/dev/video99", "--size", "big"], "1280x720"),
        (["/dev/video99", "--format", "webcam"], "device"),
        (["video=Camera"], "--format"),
        (["http://127.0.0.1:1/a", "--seconds", 0], "longer"),
        (["http://127.0.0.1:1/a", "--rig", "absent.toml"], "absent.toml"),
        ([__file__], "camera"),
    ],
)
def test_a_wrong_request_is_refused_in_one_line(run, tmp_path, arguments, sentence):
    done = run("record", *arguments, "-o", tmp_path / "session", "--no-live", cwd=tmp_path)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "session").exists()


def test_a_folder_that_holds_files_is_left_alone(run, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    done = run("record", "http://127.0.0.1:1/a", "-o", tmp_path, "--no-live")
    assert done.returncode == 2
    assert str(tmp_path) in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
