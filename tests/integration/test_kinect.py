"""Kinect recordings in `gonio compare` and `gonio convert`: declared orders, mirrored ones, UI-PRMD's two systems."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import gonio as api
from gonio.core.sequence import PoseSequence
from gonio.core.skeleton import KINECT_V1_20, KINECT_V2_25
from gonio.io.kinect import recorder_text
from gonio.trials.config import RecordingConfig, Trial
from gonio.trials.from_files import trial_from_files


@pytest.fixture
def squat(scene) -> PoseSequence:
    """The person of the other tests as a Kinect v1 would have it, 2.5 m away; no hands."""
    seen = scene.truth.with_up("+y").to_skeleton(KINECT_V1_20)
    positions = seen.positions + [0, 0, 2.5]
    for side in ("left", "right"):
        foot = scene.truth.with_up("+y")[f"{side}_big_toe"] + [0, 0, 2.5]
        positions[:, KINECT_V1_20.index(f"{side}_foot")] = foot
    status = np.where(np.isnan(positions).any(axis=2), 0, 1)
    return seen.derive(positions=positions, status=status, confidence=status.astype(float))


def bare_rows(path: Path, sequence: PoseSequence, layout=KINECT_V1_20) -> Path:
    mapped = sequence.to_skeleton(layout)
    rows = np.column_stack([np.arange(len(mapped)), mapped.times_s, mapped.positions.reshape(len(mapped), -1)])
    np.savetxt(path, rows, fmt="%.6f")
    return path


def test_a_declared_order_in_a_trial(tmp_path, squat) -> None:
    recorder_text.write(squat, tmp_path / "recorder.txt")
    recordings = (
        RecordingConfig("recorder", tmp_path / "recorder.txt", frame="lab"),
        RecordingConfig("sdk", bare_rows(tmp_path / "sdk.txt", squat), layout="kinect-v1-20", frame="lab"),
    )
    result = api.compare(Trial(recordings=recordings, reference="recorder"))
    assert result.methods["sdk"].mpjpe_mm == pytest.approx(0, abs=0.01)
    assert result.protocol["warnings"] == []


def test_a_mirrored_recording_is_a_warning_and_stays(tmp_path, squat) -> None:
    recorder_text.write(squat, tmp_path / "true.txt")
    reflected = squat.derive(positions=squat.positions * [-1, 1, 1])
    recorder_text.write(reflected, tmp_path / "mirrored.txt")
    measurement = api.measure(
        Trial(recordings=tuple(RecordingConfig(n, tmp_path / f"{n}.txt") for n in ("true", "mirrored")))
    )
    (warning,) = measurement.warnings
    assert warning.startswith("mirrored: ")
    assert "feet" in warning
    np.testing.assert_allclose(measurement["mirrored"]["left_knee"], reflected["left_knee"], atol=1e-6)


def test_convert_mirrors_when_asked(tmp_path, squat, run) -> None:
    recorder_text.write(squat.derive(positions=squat.positions * [-1, 1, 1]), tmp_path / "a.txt")
    done = run("convert", "a.txt", "b.csv", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stderr.startswith("gonio: warning: a.txt: ")
    assert "mirrored" in done.stderr
    done = run("convert", "a.txt", "c.csv", "--mirror", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    np.testing.assert_allclose(api.read(tmp_path / "c.csv")["left_hip"], squat["left_hip"], atol=1e-6)
    history = (tmp_path / "c.csv.provenance.json").read_text()
    assert "mirrored" in history


def test_convert_with_a_declared_order(tmp_path, squat, run) -> None:
    bare_rows(tmp_path / "a.txt", squat)
    done = run("convert", "a.txt", "b.csv", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert re.search(r"kinect-v1-20.*--layout", done.stderr)
    assert not (tmp_path / "b.csv").exists()
    done = run("convert", "a.txt", "b.csv", "--layout", "kinect-v1-20", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(api.read(tmp_path / "b.csv")["left_knee"], squat["left_knee"], atol=1e-6)


def test_the_layout_of_keypoints_is_not_the_recordings(tmp_path, squat, scene) -> None:
    """`--layout body-25` is for the keypoint files; a Kinect's recording beside them keeps its own."""
    recorder_text.write(squat, tmp_path / "kinect.txt")
    api.write(scene.views["cam01"], tmp_path / "cam01_json")
    trial = trial_from_files([tmp_path / "cam01_json", tmp_path / "kinect.txt"], layout="body-25", fps=30)
    assert trial.cameras[0].layout == "body-25"
    assert trial.recordings[0].layout is None


def test_ui_prmds_two_systems(tmp_path, shared_data, run) -> None:
    folder = shared_data / "ui-prmd/Segmented Movements"
    names = ("Kinect", "Vicon")
    files = {name: folder / name / "Positions/m01_s02_e03_positions.txt.gz" for name in names}
    recordings = tuple(RecordingConfig(name.lower(), file) for name, file in files.items())
    result = api.compare(Trial(recordings=recordings, reference="vicon"))
    assert 40 < result.methods["kinect"].pa_mpjpe_mm < 110
    assert result.protocol["warnings"] == []
    done = run("convert", files["Kinect"], "kinect.txt", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(api.read(tmp_path / "kinect.txt")) == len(api.read(files["Kinect"]))
    trial = trial_from_files([files["Kinect"]])
    assert trial.recordings[0].name == "m01_s02_e03_positions"


def test_options_of_a_file_with_frame_numbers(tmp_path, squat) -> None:
    """Rate and unit of a recording are declared where the file tells neither."""
    whole = squat.select([j for j in KINECT_V2_25.joints if j in KINECT_V1_20 and "hand" not in j])
    header = ",".join(["frame", *(f"{joint}_{axis}" for joint in whole.skeleton.joints for axis in "xyz")])
    rows = np.column_stack([np.arange(len(whole)) * 2, 1000 * whole.positions.reshape(len(whole), -1)])
    np.savetxt(tmp_path / "a.csv", rows, fmt="%.4f", delimiter=",", header=header, comments="")
    recording = RecordingConfig("kinect", tmp_path / "a.csv", fps=60, unit="mm")
    other = RecordingConfig("same", tmp_path / "a.csv", fps=60, unit="mm")
    sequence = api.measure(Trial(recordings=(recording, other)))["kinect"]
    np.testing.assert_allclose(sequence.times_s, np.arange(len(whole)) / 30, atol=1e-9)
    np.testing.assert_allclose(sequence["left_knee"], whole["left_knee"], atol=1e-6)


def test_the_rate_of_keypoints_is_not_the_recordings(tmp_path, squat, scene) -> None:
    """`--fps` is for files without times; a Kinect's recording with times keeps them."""
    api.write(scene.views["cam01"], tmp_path / "cam01_json")
    whole = squat.select([j for j in KINECT_V1_20.joints if "hand" not in j])
    names = [f"{joint}_{axis}" for joint in whole.skeleton.joints for axis in "xyz"]
    places = whole.positions.reshape(len(whole), -1)
    for name, first, column in (("timed", "time", whole.times_s), ("counted", "frame", np.arange(len(whole)))):
        header = ",".join([first, *names])
        np.savetxt(
            tmp_path / f"{name}.csv", np.column_stack([column, places]), delimiter=",", header=header, comments=""
        )
    files = [tmp_path / name for name in ("cam01_json", "timed.csv", "counted.csv")]
    trial = trial_from_files(files, layout="body-25", fps=60)
    assert [recording.fps for recording in trial.recordings] == [None, 60]
