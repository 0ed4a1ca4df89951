"""Detectors by name."""

from __future__ import annotations

import pytest

from gonio.core.errors import ConfigError
from gonio.core.skeleton import BLAZEPOSE_33
from gonio.detection.registry import DETECTORS, create


def test_every_known_name_makes_a_detector_that_says_what_it_is():
    for name in (name for name in DETECTORS if name.startswith("blazepose")):
        made = create(name, people=2, choose="center", region_px=(0, 0, 10, 10))
        assert made.name == name
        assert made.skeleton is BLAZEPOSE_33
        assert made.source.model == name
        assert "sha256" in made.source.version


def test_blazepose_alone_is_the_heavy_one():
    assert create("blazepose").name == "blazepose-heavy"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "blazepose-hevy"}, "did you mean 'blazepose-heavy'"),
        ({"name": "zzz"}, "there are blazepose-heavy, blazepose-full, blazepose-lite"),
        ({"name": "blazepose", "people": 0}, "people = 0"),
        ({"name": "blazepose", "choose": "nearest"}, "'largest' or 'center'"),
        ({"name": "blazepose", "region_px": (10, 0, 5, 5)}, "x1 < x2"),
    ],
)
def test_what_is_impossible_is_refused(arguments, message):
    with pytest.raises(ConfigError, match=message):
        create(**arguments)
