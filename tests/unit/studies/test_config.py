"""Study files: patterns, what fits them, and messages."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import pytest

from gonio.core.errors import ConfigError, InputError
from gonio.core.settings import as_plain
from gonio.kinematics.angles import AngleDefinition
from gonio.studies.config import MethodConfig, StudyConfig, load_study, ui_prmd_study
from gonio.studies.measure import RecordingWork, study_work
from gonio.studies.recordings import StudyRecording, recordings
from gonio.studies.store import Fingerprints, RecordingTask, _canonical

TEXT = """
name = "Kinect against Vicon"
reference = "vicon"

[methods.kinect]
files = "data/{subject}/{movement}_{repetition}_kinect.csv"
unit = "m"

[methods.vicon]
files = "data/{subject}/{movement}_{repetition}_vicon.trc"

[cleaning]
lowpass_hz = 6.0

[clock]
max_lag_s = 0.25
"""


def written(folder: Path, text: str = TEXT, files: str = "") -> Path:
    for name in files.split():
        path = folder / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    (folder / "study.toml").write_text(text)
    return folder / "study.toml"


def test_a_study_file(tmp_path: Path) -> None:
    study = load_study(written(tmp_path))
    assert study.reference == "vicon"
    assert list(study.methods) == ["kinect", "vicon"]
    assert study.methods["kinect"].files == tmp_path / "data/{subject}/{movement}_{repetition}_kinect.csv"
    assert study.methods["kinect"].unit == "m"
    assert study.cleaning.lowpass_hz == 6
    assert study.clock.max_lag_s == 0.25
    assert study.definitions == "gonio"
    assert pickle.loads(pickle.dumps(study)) == study  # noqa: S301 - our own
    assert as_plain(study)["methods"]["vicon"]["files"].endswith("vicon.trc")


def test_recordings_are_sorted_and_absent_files_are_listed(tmp_path: Path) -> None:
    files = """
        s10/deep_squat_e1_kinect.csv s10/deep_squat_e1_vicon.trc
        s2/deep_squat_e10_kinect.csv s2/deep_squat_e10_vicon.trc
        s2/deep_squat_e2_kinect.csv s2/deep_squat_e2_vicon.trc
        s2/deep_squat_e3_kinect.csv s2/notes.txt s3/lunge_e1_vicon.trc
    """
    found, failures = recordings(load_study(written(tmp_path, files=files)))
    assert [(r.subject, r.movement, r.repetition) for r in found] == [
        ("s2", "deep_squat", "e2"),
        ("s2", "deep_squat", "e10"),
        ("s10", "deep_squat", "e1"),
    ]
    assert found[0].key == "deep-squat_s2_e2"
    assert found[0].inputs == tuple(tmp_path / "data/s2" / f"deep_squat_e2_{n}" for n in ("kinect.csv", "vicon.trc"))
    assert failures == {
        "deep-squat_s2_e3": "no vicon file (deep_squat_e3_vicon.trc)",
        "lunge_s3_e1": "no kinect file (lunge_e1_kinect.csv)",
    }


def test_files_of_whole_exercises_and_a_field_that_stands_twice(tmp_path: Path) -> None:
    text = TEXT.replace("{subject}/{movement}_{repetition}_", "{subject}/{subject}_{movement}_")
    files = "s1/s1_squat_kinect.csv s1/s1_squat_vicon.trc s1/s2_squat_kinect.csv"
    found, failures = recordings(load_study(written(tmp_path, text + "[repetitions]\ncut = true\n", files)))
    assert [(r.subject, r.repetition, r.key) for r in found] == [("s1", None, "squat_s1")]
    assert not failures


def test_trials(tmp_path: Path) -> None:
    text = 'reference = "multiview"\n[trials]\nfiles = "data/{subject}/{movement}/trial.toml"\n'
    found, failures = recordings(load_study(written(tmp_path, text, "s1/squat/trial.toml s2/squat/trial.toml")))
    assert [r.trial for r in found] == [tmp_path / f"data/s{i}/squat/trial.toml" for i in (1, 2)]
    assert found[0].inputs == (tmp_path / "data/s1/squat/trial.toml",)
    place = tmp_path / "data/s1/squat"
    (place / "trial.toml").write_text(
        '[rig]\ncalibration = "Calib.toml"\n'
        '[[cameras]]\nname = "a"\nvideo = "a.mp4"\n[[cameras]]\nname = "b"\nkeypoints = "b_json"\n'
        '[[recordings]]\nname = "kinect"\nfile = "kinect.csv"\n'
    )
    names = ("trial.toml", "a.mp4", "b_json", "kinect.csv", "Calib.toml")
    assert found[0].inputs == tuple(place / name for name in names)
    assert not failures


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("unit =", "unti =", r"'methods.kinect.unti'.*'unit'"),
        ("[clock]", "[clok]", r"'clok'.*'clock'"),
        ("{movement}_{repetition}_kinect", "{movment}_{repetition}_kinect", r"movment.*movement"),
        ("data/{subject}/{movement}_{repetition}_kinect", "{movement}_{repetition}", "subject"),
        ('"vicon"', '"vicom"', r"'vicom'.*'vicon'"),
        ("max_lag_s = 0.25", "max_lag_s = -1", "0"),
        ("{movement}_{repetition}_kinect", "{movement}_kinect", r"different.*fields"),
        ('unit = "m"', 'unit = "inch"', "must be one of"),
        ("[cleaning]", "[repetitions]\ncut = true\n[cleaning]", "repetition"),
        ("[cleaning]", '[repetitions]\nangle = "left_knee_flexion"\n[cleaning]', "true"),
        ("[methods.kinect]", '[methods."a/b"]', "'a/b'"),
        ("[cleaning]", '[trials]\nfiles = "{subject}/{movement}/trial.toml"\n[cleaning]', "either"),
    ],
)
def test_what_is_wrong_is_one_line_that_names_the_nearest(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as error:
        load_study(written(tmp_path, TEXT.replace(old, new, 1)))
    assert "\n" not in str(error.value)
    assert "study.toml" in str(error.value)


def test_a_study_of_one_method_or_of_methods_that_are_no_tables(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="two methods"):
        StudyConfig("vicon", methods={"vicon": MethodConfig(Path("{subject}/{movement}.trc"))})
    with pytest.raises(ConfigError, match="tables"):
        load_study(written(tmp_path, 'reference = "vicon"\nmethods = 3\n'))


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("[cleaning]\nlowpass_hz = 6.0\n", r"\[cleaning\]"),
        ("[clock]\nmax_lag_s = 0.0\n", r"\[clock\]"),
        ("[repetitions]\ncut = true\n", "repetition"),
    ],
)
def test_settings_that_belong_to_the_trial_file_are_refused(tmp_path: Path, more: str, message: str) -> None:
    text = 'reference = "multiview"\n[trials]\nfiles = "{subject}/{movement}_{repetition}/trial.toml"\n'
    with pytest.raises(ConfigError, match=message):
        load_study(written(tmp_path, text + more))


def test_a_pattern_that_fits_nothing_or_twice(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"methods\.kinect\.files"):
        recordings(load_study(written(tmp_path, files="s1/squat_e1_vicon.trc")))
    with pytest.raises(InputError, match="'all'"):
        recordings(load_study(written(tmp_path, files="s1/all_e1_kinect.csv s1/all_e1_vicon.trc")))
    text = TEXT.replace("kinect.csv", "kinect*")
    with pytest.raises(InputError, match="s1 squat e1"):
        recordings(load_study(written(tmp_path, text, "s1/squat_e1_kinect.csv s1/squat_e1_kinect_2.csv")))


def test_ui_prmd(shared_data: Path) -> None:
    study = ui_prmd_study(shared_data / "ui-prmd/Segmented Movements")
    assert study.definitions == "ui-prmd"
    found, failures = recordings(study)
    assert len(found) == 790
    assert list(failures) == [f"m03_s03_e{i:02d}" for i in range(1, 11)]
    assert all("vicon" in reason for reason in failures.values())
    assert [path.parent.name for path in found[0].inputs] == ["Positions", "Positions", "Angles"]


def test_the_earlier_name_of_the_definitions_is_read_and_noted(tmp_path: Path) -> None:
    earlier, now = (
        replace(load_study(written(tmp_path)), definitions=definitions) for definitions in ("protocol", "ui-prmd")
    )
    assert earlier.joint_definitions == now.joint_definitions == "ui-prmd"
    assert len(earlier.notes) == 1
    assert "ui-prmd" in earlier.notes[0]
    assert now.notes == ()
    fingerprints = Fingerprints({}, study_work)
    tasks = [RecordingTask("a", RecordingWork(StudyRecording("s1", "m1", None, {}), study)) for study in (earlier, now)]
    assert fingerprints.of(tasks[0]) == fingerprints.of(tasks[1])


def test_an_added_angle_is_part_of_a_fingerprint_and_none_is_not(tmp_path: Path) -> None:
    study = load_study(written(tmp_path))
    recording = StudyRecording("s1", "m1", None, {})
    angle = AngleDefinition("lean", "shank", True, ("ankle", "knee"), ("down", "up"), "by hand", "", "")
    assert "angles" not in _canonical(RecordingWork(recording, study))[1]
    fingerprints = Fingerprints({}, study_work)
    works = [RecordingWork(recording, study), RecordingWork(recording, study, (angle,))]
    before, after = (fingerprints.of(RecordingTask("a", work)) for work in works)
    assert before != after


def test_a_folder_that_is_not_ui_prmd(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Segmented Movements"):
        ui_prmd_study(tmp_path)
