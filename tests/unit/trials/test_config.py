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
        (('name = "squat"', 'nam = "squat"'), ["unknown key 'nam'", "did you mean 'name'"]),
        (("min_confidence", "min_confidense"), ["'stereo.min_confidense'", "did you mean 'min_confidence'"]),
        (("offset_frames", "offset_frame"), ["'cameras[0].offset_frame'", "did you mean 'offset_frames'"]),
        (('refine = "none"', 'refine = "non"'), ["stereo.refine = 'non'", "'reprojection', 'none'"]),
        (("focal_px = 525", 'focal_px = "525"'), ["rig.focal_px", "must be a float"]),
        (("[319.5, 239.5]", "[319.5]"), ["rig.principal_point_px has 1 values", "must have 2"]),
        (("focal_px = 525", ""), ["both baseline_m and focal_px"]),
        (("baseline_m = 0.28", 'calibration = "c.toml"\nbaseline_m = 0.28'), ["not both"]),
        (('video = "a.mp4"', ""), ["camera 'a' needs either video or keypoints"]),
        (('name = "b"', 'name = "a"'), ["two cameras or recordings are called 'a'"]),
        (('name = "b"', 'name = "../b"'), ["cannot be the name"]),
        (('name = "b"', ""), ["cameras[1].name is missing"]),
        (("offset_frames = -1", "offset_frames = -1\noffset_s = 0.1"), ["give one"]),
        (("offset_frames = -1", "offset_frames = inf"), ["cameras[0].offset_frames", "finite"]),
        (("offset_frames = -1", "crop_px = [-5, 0]"), ["crop_px"]),
        (("offset_frames = -1", "fps = 30"), ["a video tells its own"]),
        (("offset_frames = -1", "region_px = [9, 0, 5, 10]"), ["region_px"]),
        (("min_confidence = 0.3", "min_confidence = 7"), ["stereo.min_confidence = 7", "0..1"]),
        (("min_confidence = 0.3", "robust_sigmas = -3"), ["stereo.robust_sigmas"]),
        (("[stereo]", "[cleaning]\nmax_gap_s = -1\n[stereo]"), ["cleaning.max_gap_s"]),
        (("[stereo]", "[cleaning]\nlowpass_hz = -6\n[stereo]"), ["cleaning.lowpass_hz"]),
        (("focal_px = 525", 'focal_px = 525\nup = "+z"'), ["belong to a calibration file"]),
        (('name = "b"', 'name = "A"'), ["two cameras or recordings are called"]),
        (('name = "b"', 'name = "con"'), ["cannot be the name"]),
        (("[stereo]", "[lifting]\nmin_confidence = 2\n[stereo]"), ["lifting.min_confidence = 2", "0..1"]),
        (("[stereo]", '[lifting]\nheight_m = 1.7\nscale = "stereo"\n[stereo]'), ["the size comes from one of"]),
        (("[stereo]", "[lifting]\nfocal_px = 900\n[stereo]"), ["cameras without a [rig]"]),
        (("[stereo]", "[lifting]\nfocal_px = 0\n[stereo]"), ["lifting.focal_px = 0"]),
        (("offset_frames = -1", "size_px = [640, 480]"), ["a video tells its own"]),
        (("fps = 30", "size_px = [640, 0]"), ["size_px = [640, 0]"]),
        (("[stereo]", "[stereo"), ["not valid TOML"]),
        (("[stereo]", "a = " + "[" * 50000 + "\n[stereo]"), ["not valid TOML"]),
        (("[stereo]", "a = " + "9" * 5000 + "\n[stereo]"), ["not valid TOML"]),
        (("0.28", "1" + "0" * 400), ["baseline_m", "must be a finite number"]),
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
    with pytest.raises(ConfigError, match="neither a camera nor a recording"):
        Trial()


def test_a_missing_or_binary_trial_file_is_one_line(tmp_path):
    with pytest.raises(InputError, match=r"gone\.toml: no such trial file"):
        load_trial(tmp_path / "gone.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=r"binary\.toml: not a text file"):
        load_trial(tmp_path / "binary.toml")


def test_the_offset_of_a_recording_is_a_number_or_auto():
    text = '[[recordings]]\nname = "kinect"\nfile = "kinect.csv"\noffset_s = '
    assert parse_trial(text + '"auto"', Path(), "here").recordings[0].offset_s == "auto"
    assert parse_trial(text + "1", Path(), "here").recordings[0].offset_s == 1.0
    with pytest.raises(ConfigError, match=r"here: recordings\[0\]\.offset_s = 'later'; it must be a float, or 'auto'"):
        parse_trial(text + '"later"', Path(), "here")
    with pytest.raises(ConfigError, match="it must be a float"):
        parse_trial(text + "true", Path(), "here")
