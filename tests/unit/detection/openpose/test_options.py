"""OpenPose's options: sizes of the input, scales, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from gonio.core.errors import ConfigError, InputError
from gonio.detection.openpose.options import NetSize, OpenPoseOptions, net_size, shares


@pytest.mark.parametrize(
    ("text", "image", "wanted"),
    [
        ("-1x368", (1280, 720), "656x368"),
        ("-1x368", (1920, 1080), "656x368"),
        ("-1x368", (640, 480), "496x368"),
        ("-1x368", (1080, 1920), "208x368"),
        ("-1x368", (1, 1), "368x368"),
        ("-1x368", (1, 1000), "16x368"),
        ("656x-1", (1920, 1080), "656x368"),
        ("656x368", (640, 480), "656x368"),
        (" 320x176 ", (1, 1), "320x176"),
    ],
)
def test_net_resolution(text: str, image: tuple[int, int], wanted: str) -> None:
    assert str(net_size(text).for_image(image)) == wanted


@pytest.mark.parametrize("text", ["", "368", "-1x-1", "0x368", "-1x360", "-2x368", "656*368", "656x368x3", "x"])
def test_net_resolutions_that_are_none(text: str) -> None:
    with pytest.raises(ConfigError, match="-1x368"):
        net_size(text)


def test_a_line_of_pixels_makes_no_endless_input() -> None:
    with pytest.raises(InputError, match="3680000x368"):
        net_size("-1x368").for_image((20000, 2))


def test_scales() -> None:
    assert shares(1, 0.25) == (1.0,)
    assert shares(4, 0.25) == (1.0, 0.75, 0.5, 0.25)
    assert str(NetSize(656, 368).scaled(0.75)) == "480x272"
    assert str(NetSize(16, 16).scaled(0.25)) == "16x16"
    for number, gap in ((0, 0.25), (5, 0.25), (2, 0.0), (2, 1.0), (2, float("nan"))):
        with pytest.raises(ConfigError, match=r"scale"):
            shares(number, gap)


@pytest.mark.parametrize(
    ("options", "value"),
    [
        ({"layout": "body-25b"}, "'body-25b'"),
        ({"net_resolution": "368"}, "'368'"),
        ({"scale_number": 5}, "scale_gap = 0.25"),
        ({"scale_number": 0}, "scale_number = 0"),
        ({"scale_gap": 0.2}, "scale_gap = 0.2"),
    ],
)
def test_impossible_options(options: dict[str, Any], value: str) -> None:
    with pytest.raises(ConfigError, match=value):
        OpenPoseOptions(**options)
