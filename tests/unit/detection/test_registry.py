"""The table of detectors: what each is, and whose option is whose."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

import pytest

import gonio
from gonio.core.errors import ConfigError, InputError
from gonio.core.skeleton import BLAZEPOSE_33
from gonio.detection.detector import NoOptions, Selection
from gonio.detection.openpose.options import OpenPoseOptions
from gonio.detection.registry import DETECTORS, NOT_FOR_OPTIONS, DetectorEntry, built_in_values, create, own_values


def test_every_blazepose_says_what_it_is() -> None:
    for name in ("blazepose-heavy", "blazepose-full", "blazepose-lite"):
        made = create(name, selection=Selection(people=2, choose="center", region_px=(0, 0, 10, 10)))
        assert made.name == name
        assert made.skeleton is BLAZEPOSE_33
        assert made.source.model == name
        assert "sha256" in made.source.version
        assert (made.finds_everybody, made.has_3d_estimate) == (False, True)


def test_openpose_finds_all_people_in_2d() -> None:
    made = create("openpose")
    assert (made.name, made.finds_everybody, made.has_3d_estimate) == ("openpose", True, False)


def test_blazepose_alone_is_the_heavy_one() -> None:
    assert create("blazepose").name == "blazepose-heavy"


def test_the_names_that_users_type() -> None:
    assert set(DETECTORS) >= {
        "blazepose", "blazepose-heavy", "blazepose-full", "blazepose-lite", "keypoint-rcnn", "openpose",
    }  # fmt: skip


def test_options_and_their_defaults() -> None:
    assert built_in_values().items() >= {
        "weights": None, "min_score": None, "layout": None, "net_resolution": None, "scale_number": 1,
        "scale_gap": None, "flip": False, "pixels": None,
    }.items()  # fmt: skip


@pytest.mark.parametrize(("name", "hint"), [("blazepose-hevy", "'blazepose-heavy'"), ("zzz", "blazepose-lite, ")])
def test_an_unknown_name_is_answered_with_the_nearest(name: str, hint: str) -> None:
    with pytest.raises(ConfigError, match=hint):
        create(name)


def test_options_of_another_detector_are_refused() -> None:
    with pytest.raises(ConfigError, match="NoOptions"):
        create("blazepose-lite", OpenPoseOptions())
    with pytest.raises(ConfigError, match="OpenPoseOptions"):
        create("openpose", NoOptions())


@pytest.mark.parametrize(
    ("name", "values", "words"),
    [
        ("blazepose-lite", {"flip": True}, r"option.*openpose"),
        ("blazepose-lite", {"weights": "x"}, r"keypoint-rcnn.*openpose"),
        ("blazepose-lite", {"min_score": 0.3}, "keypoint-rcnn"),
        ("keypoint-rcnn", {"layout": "coco-17"}, "openpose"),
        ("openpose", {"min_score": 0.3}, "keypoint-rcnn"),
        ("openpose", {"flop": True}, "'flip'"),
        ("blazepose", {"flop": True}, "none"),
    ],
)
def test_a_value_for_another_detectors_option_is_refused(name: str, values: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        own_values(name, values)


def test_defaults_of_other_detectors_are_left_out() -> None:
    assert own_values("keypoint-rcnn", built_in_values()) == {"weights": None, "min_score": None}
    assert own_values("blazepose", built_in_values()) == {}


@pytest.mark.parametrize(
    ("selection", "value"),
    [({"people": 0}, "people = 0"), ({"choose": "nearest"}, "'nearest'"), ({"region_px": (10, 0, 5, 5)}, "x1 < x2")],
)
def test_an_impossible_selection_is_refused(selection: dict[str, Any], value: str) -> None:
    with pytest.raises(ConfigError, match=value):
        Selection(**selection)


@dataclass(frozen=True)
class WithoutDefault:
    network: str


@dataclass(frozen=True)
class TakenName:
    people: int = 3


@pytest.mark.parametrize(
    ("options", "words"),
    [(dict, "dataclass"), (NoOptions(), "dataclass"), (WithoutDefault, "default"), (TakenName, "TakenName.people")],
)
def test_options_that_no_trial_file_could_give_are_refused(options: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        DetectorEntry(lambda _options, _selection: create("openpose"), options)


def test_no_option_can_have_the_name_of_a_commands_own() -> None:
    commands = (gonio.detect, gonio.compare, gonio.evaluate_2d)
    own = {name for command in commands for name in inspect.signature(command).parameters} - {"detector_options"}
    assert own - {"layout"} <= set(NOT_FOR_OPTIONS)  # the layout of the command compare is that of keypoint files
