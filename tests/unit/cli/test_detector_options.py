"""The detectors' options on the command line."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest
import tyro

from gonio.cli import main, trial
from gonio.cli.detector_options import field_texts, show_detector_options
from gonio.detection.openpose.options import OpenPoseOptions

OPTIONS = ["weights", "min-score", "layout", "net-resolution", "scale-number", "scale-gap", "flip", "pixels"]


def help_of(command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    monkeypatch.setattr("sys.argv", ["gonio", command, "--help"])
    with pytest.raises(SystemExit):
        main()
    return capsys.readouterr().out


@pytest.mark.parametrize("command", ["compare", "detect", "evaluate-2d"])
def test_the_commands_have_all_options(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = help_of(command, monkeypatch, capsys)
    assert all(f"--{option} " in shown or f"--{option}," in shown for option in OPTIONS)
    assert "openpose: " in shown
    assert ("--detector-layout" in shown) == (command == "compare")  # its --layout is that of keypoint files


def test_what_is_given_is_told_from_defaults() -> None:
    show_detector_options(trial.detect)
    kind = inspect.get_annotations(trial.detect)["options"].__origin__
    options = tyro.cli(kind, args=["--net-resolution", "-1x256", "--flip", "--weights", "x.onnx"])
    assert options.given() == {"net_resolution": "-1x256", "flip": True, "weights": Path("x.onnx")}
    assert list(options.values()) == [option.replace("-", "_") for option in OPTIONS]


def test_an_option_with_a_taken_name_has_a_prefix() -> None:
    show_detector_options(trial.compare)
    kind = inspect.get_annotations(trial.compare)["options"].__origin__
    options = tyro.cli(kind, args=["--detector-layout", "coco-18"])
    assert options.given() == {"layout": "coco-18"}


def test_every_option_has_a_text() -> None:
    assert list(field_texts(OpenPoseOptions)) == [
        "weights", "layout", "net_resolution", "scale_number", "scale_gap", "flip", "pixels",
    ]  # fmt: skip
    assert "body-25" in field_texts(OpenPoseOptions)["layout"]
