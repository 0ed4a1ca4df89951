"""Skeletons and words on a picture."""

from __future__ import annotations

import numpy as np
import pytest

from gonio.core.skeleton import Skeleton
from gonio.report.drawing import caption, draw_skeleton, rgb, stamp
from gonio.report.palette import LEFT, RIGHT

CROSS = Skeleton("cross", ("left_hip", "left_knee", "right_hip", "right_knee"), (-1, 0, -1, 2))
POINTS = np.array([[10.0, 10], [50, 50], [50, 10], [10, 50]])


def drawn(depths: np.ndarray | None, points: np.ndarray = POINTS) -> np.ndarray:
    image = np.full((60, 60, 3), 255, np.uint8)
    draw_skeleton(image, points, np.ones(4), CROSS, 2.0, depths)
    return image


@pytest.mark.parametrize(
    ("depths", "colour"),
    [
        (None, RIGHT),  # the skeleton's order: the right leg last
        (np.array([1.0, 1, 2, 2]), LEFT),
        (np.array([2.0, 2, 1, 1]), RIGHT),
    ],
)
def test_what_is_nearer_covers_what_is_behind(depths: np.ndarray | None, colour: str) -> None:
    np.testing.assert_array_equal(drawn(depths)[30, 30], rgb(colour))


def test_what_is_missing_is_not_drawn_whatever_its_depth() -> None:
    points, depths = POINTS.copy(), np.array([1.0, np.nan, 2, 2])
    points[1] = np.nan
    image = drawn(depths, points)
    np.testing.assert_array_equal(image[50, 50], 255)
    np.testing.assert_array_equal(image[20, 20], 255)
    np.testing.assert_array_equal(image[30, 30], rgb(RIGHT))


def test_text_is_centred_and_fits() -> None:
    for words in ("lifted", "a very long name of a method " * 3, "größer $x_1$"):
        label = caption(words, 14, 200)
        columns = np.flatnonzero(label[..., 3].any(axis=0))
        assert label.shape[1] == 200
        assert len(columns) > 20
        assert columns[0] > 0
        assert columns[-1] < 199
        assert abs((columns[0] + columns[-1]) / 2 - 99.5) < 6
    image = np.full((40, 200, 3), 255, np.uint8)
    stamp(image, caption("lifted", 14, 200))
    assert image.min() < 100
