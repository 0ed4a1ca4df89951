"""The detectors' options on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from gonio.cli import main, trial
from gonio.cli.detector_options import field_texts
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


@pytest.mark.parametrize("resolution", [["--net-resolution=-1x256"], ["--net-resolution", "-1x256"]])
def test_given_options_differ_from_defaults(resolution: list[str]) -> None:
    options = trial.DETECT.parser().options_of(["a.mp4", "-o", "b.npz", *resolution, "--flip", "--weights", "x.onnx"])
    detector = {name: value for name, value in options.items() if name.replace("_", "-") in OPTIONS}
    assert detector == {"net_resolution": "-1x256", "flip": True, "weights": Path("x.onnx")}


def test_an_option_with_a_taken_name_has_a_prefix() -> None:
    options = trial.COMPARE.parser().options_of(["a_json", "--detector-layout", "coco-18", "--layout", "body-25"])
    assert options == {"trial": (Path("a_json"),), "detector_layout": "coco-18", "layout": "body-25"}


def test_every_option_has_a_text() -> None:
    assert list(field_texts(OpenPoseOptions)) == [
        "weights", "layout", "net_resolution", "scale_number", "scale_gap", "flip", "pixels",
    ]  # fmt: skip
    assert "body-25" in field_texts(OpenPoseOptions)["layout"]
