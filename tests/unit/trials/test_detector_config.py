"""[detector] of a trial file: the options of the detector stand beside its name."""

from __future__ import annotations

from pathlib import Path

import pytest

from gonio.core.errors import ConfigError
from gonio.core.settings import as_plain
from gonio.detection.detector import NoOptions
from gonio.detection.keypoint_rcnn import KeypointRCNNOptions
from gonio.detection.openpose.options import OpenPoseOptions
from gonio.detection.registry import built_in_values
from gonio.trials.config import DetectorConfig, Trial, parse_trial, trial_text

KEYS = [
    "name", "people", "choose", "weights", "min_score", "layout", "net_resolution", "scale_number", "scale_gap", "flip",
    "pixels",
]  # fmt: skip


def parsed(lines: str) -> Trial:
    return parse_trial(f'[detector]\n{lines}\n[[cameras]]\nname = "a"\nvideo = "a.mp4"\n', Path("folder"), "trial.toml")


def test_every_key_arrives() -> None:
    config = parsed(
        'name = "openpose"\npeople = 2\nchoose = "center"\nweights = "net.onnx"\nlayout = "coco-18"\n'
        'net_resolution = "-1x256"\nscale_number = 3\nscale_gap = 0.2\nflip = true\npixels = "-0.5..0.5"'
    ).detector
    options = OpenPoseOptions(Path("folder/net.onnx"), "coco-18", "-1x256", 3, 0.2, True, "-0.5..0.5")
    assert config == DetectorConfig("openpose", 2, "center", options)
    assert config.files == (Path("folder/net.onnx"),)
    assert parsed('name = "keypoint-rcnn"\nmin_score = 0.7').detector.options == KeypointRCNNOptions(None, 0.7)
    assert DetectorConfig().options == NoOptions()


@pytest.mark.parametrize("name", ["blazepose-heavy", "openpose", "keypoint-rcnn"])
def test_the_record_has_the_same_keys_for_every_detector(name: str) -> None:
    plain = as_plain(Trial((parsed("").cameras[0],), detector=DetectorConfig(name)))["detector"]
    assert set(plain) == set(KEYS) | set(built_in_values())
    assert {key: plain[key] for key in plain if key in KEYS} == dict.fromkeys(KEYS) | {
        "name": name, "people": 1, "choose": "largest", "scale_number": 1, "flip": False,
    }  # fmt: skip


def test_the_record_has_the_values() -> None:
    plain = as_plain(parsed('name = "openpose"\nweights = "net.onnx"\nflip = true').detector)
    assert (plain["weights"], plain["flip"]) == (str(Path("folder/net.onnx")), True)


@pytest.mark.parametrize(
    "lines", ['name = "openpose"\nweights = "net.onnx"\nscale_number = 2', "people = 3", 'name = "keypoint-rcnn"']
)
def test_a_written_trial_is_read_back(lines: str) -> None:
    trial = parsed(lines)
    text = trial_text(trial, Path("folder"))
    assert lines in text
    assert parse_trial(text, Path("folder"), "again") == trial


def test_the_defaults_of_another_detector_may_stand_in_the_file() -> None:
    assert parsed("flip = false\nscale_number = 1").detector == DetectorConfig()


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("flip = true", ["flip", "openpose", "blazepose-heavy"]),
        ('name = "keypoint-rcnn"\nlayout = "coco-18"', ["layout", "openpose"]),
        ('name = "openpose"\nflop = true', ["detector.flop", "'flip'"]),
        ('name = "openpose"\nlayout = "body-25b"', ["'body-25b'"]),
        ('name = "openpose"\nscale_number = "2"', ["detector.scale_number", "int"]),
        ('name = "openpos"', ["'openpose'"]),
        ("name = 3", ["detector.name"]),
        ("people = 0", ["people = 0"]),
        ('choose = "first"', ["detector.choose", "'largest', 'center'"]),
    ],
)
def test_wrong_keys_and_values_are_named(lines: str, words: list[str]) -> None:
    with pytest.raises(ConfigError) as error:
        parsed(lines)
    assert all(word in str(error.value) for word in ["trial.toml", *words])


def test_the_command_line_changes_values_of_a_file() -> None:
    config = parsed('name = "openpose"\npeople = 2\nlayout = "coco-18"').detector
    assert config.changed(None, {}) == config
    changed = config.changed(None, {"net_resolution": "-1x256"})
    assert (changed.people, changed.options) == (2, OpenPoseOptions(layout="coco-18", net_resolution="-1x256"))
    assert DetectorConfig().changed("openpose", {"flip": True}).options == OpenPoseOptions(flip=True)
    assert config.changed(None, {"layout": None}).options == OpenPoseOptions()
    assert config.changed(None, {"weights": "net.onnx"}).files == (Path("net.onnx"),)
    with pytest.raises(ConfigError, match="layout"):
        config.changed("blazepose-lite", {})
    with pytest.raises(ConfigError, match="flip = 'yes'"):
        config.changed(None, {"flip": "yes"})


def test_options_belong_to_the_detector() -> None:
    with pytest.raises(ConfigError, match="NoOptions, not OpenPoseOptions"):
        DetectorConfig("blazepose-lite", options=OpenPoseOptions())
