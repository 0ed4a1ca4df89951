"""The trial file: every key is checked, and a wrong one is answered with the nearest known one."""

from pathlib import Path

import pytest

from gonio.core.errors import ConfigError, InputError
from gonio.core.settings import as_plain
from gonio.trials.config import StereoConfig, Trial, load_trial, parse_trial

FULL = """
name = "squat"
methods = ["stereo-a-b"]
reference = "vicon"

[rig]
baseline_m = 0.28
focal_px = 525
principal_point_px = [319.5, 239.5]

[stereo]
min_confidence = 0.3
refine = "none"

[[cameras]]
name = "a"
video = "a.mp4"
offset_frames = -1

[[cameras]]
name = "b"
keypoints = "b_json"
layout = "body-25"
fps = 30

[[recordings]]
name = "vicon"
file = "vicon.trc"
"""


def test_every_section_arrives():
    trial = parse_trial(FULL, Path("folder"), "here")
    assert trial.cameras[0].video == Path("folder/a.mp4")
    assert trial.cameras[0].offset_frames == -1.0
    assert trial.cameras[1].fps == 30.0
    assert trial.rig is not None
    assert trial.rig.principal_point_px == (319.5, 239.5)
    assert trial.stereo == StereoConfig(min_confidence=0.3, refine="none")
    assert trial.recordings[0].file == Path("folder/vicon.trc")
    assert trial.methods == ("stereo-a-b",)


def test_plain_config_is_json_ready():
    plain = as_plain(parse_trial(FULL, Path("folder"), "here"))
    assert plain["cameras"][0]["video"] == str(Path("folder/a.mp4"))
    assert plain["stereo"]["max_reprojection_px"] is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (('name = "squat"', 'nam = "squat"'), ["'nam'", "'name'"]),
        (("min_confidence", "min_confidense"), ["'stereo.min_confidense'", "'min_confidence'"]),
        (("offset_frames", "offset_frame"), ["'cameras[0].offset_frame'", "'offset_frames'"]),
        (('refine = "none"', 'refine = "non"'), ["stereo.refine = 'non'", "'reprojection', 'none'"]),
        (("focal_px = 525", 'focal_px = "525"'), ["rig.focal_px", "float"]),
        (("[319.5, 239.5]", "[319.5]"), ["rig.principal_point_px", "2"]),
        (("focal_px = 525", ""), ["baseline_m", "focal_px"]),
        (("baseline_m = 0.28", 'calibration = "c.toml"\nbaseline_m = 0.28'), ["not both"]),
        (('video = "a.mp4"', ""), ["'a'", "video", "keypoints"]),
        (('name = "b"', 'name = "a"'), ["'a'"]),
        (('name = "b"', 'name = "../b"'), ["name"]),
        (('name = "b"', ""), ["cameras[1].name"]),
        (("offset_frames = -1", "offset_frames = -1\noffset_s = 0.1"), ["give one"]),
        (("offset_frames = -1", "offset_frames = inf"), ["cameras[0].offset_frames", "finite"]),
        (("offset_frames = -1", "crop_px = [-5, 0]"), ["crop_px"]),
        (("offset_frames = -1", "fps = 30"), ["video"]),
        (("offset_frames = -1", "region_px = [9, 0, 5, 10]"), ["region_px"]),
        (("min_confidence = 0.3", "min_confidence = 7"), ["stereo.min_confidence = 7", "0..1"]),
        (("min_confidence = 0.3", "robust_sigmas = -3"), ["stereo.robust_sigmas"]),
        (("[stereo]", "[cleaning]\nmax_gap_s = -1\n[stereo]"), ["cleaning.max_gap_s"]),
        (("[stereo]", "[cleaning]\nlowpass_hz = -6\n[stereo]"), ["cleaning.lowpass_hz"]),
        (("focal_px = 525", 'focal_px = 525\nup = "+z"'), ["calibration"]),
        (('name = "b"', 'name = "A"'), ["called"]),
        (('name = "b"', 'name = "con"'), ["name"]),
        (("[stereo]", "[lifting]\nmin_confidence = 2\n[stereo]"), ["lifting.min_confidence = 2", "0..1"]),
        (("[stereo]", '[lifting]\nheight_m = 1.7\nscale = "stereo"\n[stereo]'), ["height_m"]),
        (("[stereo]", "[lifting]\nfocal_px = 900\n[stereo]"), ["[rig]"]),
        (("[stereo]", "[lifting]\nfocal_px = 0\n[stereo]"), ["lifting.focal_px = 0"]),
        (("offset_frames = -1", "size_px = [640, 480]"), ["video"]),
        (("fps = 30", "size_px = [640, 0]"), ["size_px = [640, 0]"]),
        (("[stereo]", "[stereo"), ["TOML"]),
        (("[stereo]", "a = " + "[" * 50000 + "\n[stereo]"), ["TOML"]),
        (("[stereo]", "a = " + "9" * 5000 + "\n[stereo]"), ["TOML"]),
        (("0.28", "1" + "0" * 400), ["baseline_m", "finite"]),
        (('[stereo]\nmin_confidence = 0.3\nrefine = "none"', ""), None),
    ],
)
def test_wrong_keys_and_values_are_named(change, words):
    text = FULL.replace(*change)
    if words is None:
        assert parse_trial(text, Path(), "here").stereo == StereoConfig()
        return
    with pytest.raises(ConfigError) as error:
        parse_trial(text, Path(), "trial.toml")
    message = str(error.value)
    assert message.startswith("trial.toml: ")
    assert "\n" not in message.strip()
    for word in words:
        assert word in message


def test_a_trial_without_cameras_or_recordings_is_refused():
    with pytest.raises(ConfigError, match="recording"):
        Trial()


def test_a_missing_or_binary_trial_file_is_one_line(tmp_path):
    with pytest.raises(InputError, match=r"gone\.toml"):
        load_trial(tmp_path / "gone.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=r"binary\.toml"):
        load_trial(tmp_path / "binary.toml")


def test_the_offset_of_a_recording_is_a_number_or_auto():
    text = '[[recordings]]\nname = "kinect"\nfile = "kinect.csv"\noffset_s = '
    assert parse_trial(text + '"auto"', Path(), "here").recordings[0].offset_s == "auto"
    assert parse_trial(text + "1", Path(), "here").recordings[0].offset_s == 1.0
    with pytest.raises(ConfigError, match=r"recordings\[0\]\.offset_s = 'later'.*'auto'"):
        parse_trial(text + '"later"', Path(), "here")
    with pytest.raises(ConfigError, match="offset_s"):
        parse_trial(text + "true", Path(), "here")
