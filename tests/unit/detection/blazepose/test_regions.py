"""Regions of an image round a person: arithmetic on worked examples."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gonio.detection.blazepose.regions import (
    Region,
    closer_squares,
    crop,
    overlap,
    person_region,
    same_person,
    square_around,
)


def test_overlap_of_boxes():
    boxes = np.array([[0, 0, 2, 2], [1, 0, 3, 2], [2, 2, 3, 3], [0.5, 0.5, 1.5, 1.5], [0, 0, 0, 0]], float)
    np.testing.assert_allclose(overlap(boxes[0], boxes), [1, 1 / 3, 0, 1 / 4, 0])


def to_crop(region, points_px, size):
    """(..., 2) px of the image -> (..., 2) crop coordinates 0..size: the inverse of `Region.to_image`."""
    return (points_px - region.center_px) @ region.rotation * (size / region.side_px) + size / 2


@pytest.mark.parametrize(
    ("top", "angle_deg"), [((50, 60), 0), ((90, 100), 90), ((10, 100), -90), ((50, 140), 180), ((78.284, 71.716), 45)]
)
def test_a_region_is_turned_so_that_the_body_stands_upright(top, angle_deg):
    region = person_region(np.array([50.0, 100.0]), np.array(top, float))
    assert region is not None
    assert region.side_px == pytest.approx(100, rel=1e-4)  # twice the radius of 40, and a quarter more
    assert np.rad2deg(region.angle_rad) == pytest.approx(angle_deg, abs=1e-2)
    # In the crop the top is straight above the middle, by the radius: 40 of 100 px.
    np.testing.assert_allclose(to_crop(region, np.array(top), 256), [128, 128 - 0.4 * 256], atol=0.01)


@pytest.mark.parametrize("top", [(50.0, 100.0), (50.2, 100.1), (np.nan, 3.0), (np.inf, 3.0)])
def test_two_points_that_coincide_or_are_none_make_no_region(top):
    assert person_region(np.array([50.0, 100.0]), np.array(top)) is None


@settings(max_examples=30, deadline=None)
@given(
    st.tuples(*[st.floats(-500, 500)] * 2), st.floats(1, 3000), st.floats(-4, 4), st.tuples(*[st.floats(-500, 500)] * 2)
)
def test_image_to_crop_and_back_is_the_same_point(center, side, angle, point):
    region = Region(np.array(center), side, angle)
    back = region.to_image(to_crop(region, np.array(point), 256), 256)
    np.testing.assert_allclose(back, point, atol=1e-8)


@pytest.mark.parametrize("angle_deg", [0, 30, -120, 180])
def test_the_crop_shows_each_point_where_the_arithmetic_says(angle_deg):
    image = np.zeros((300, 400, 3), np.uint8)
    x, y = np.meshgrid(np.arange(400), np.arange(300))
    image[..., 0], image[..., 1] = x // 2, y // 2
    region = Region(np.array([200.0, 150.0]), 140.0, np.deg2rad(angle_deg))
    picture = crop(image, region, 64).astype(float)
    columns, rows = np.meshgrid(np.arange(64), np.arange(64))
    expected = region.to_image(np.stack([columns, rows], axis=-1) + 0.5, 64)
    np.testing.assert_allclose(picture[..., :2], (expected - 0.5) / 2, atol=1.01)
    assert abs((picture[..., :2] - (expected - 0.5) / 2).mean()) < 0.3  # rounding, no shift


def test_a_crop_of_the_whole_image_is_the_image():
    image = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    np.testing.assert_array_equal(crop(image, square_around(-0.5, -0.5, 31.5, 31.5), 32), image)


def test_a_crop_outside_the_image_is_black():
    image = np.full((10, 10, 3), 255, np.uint8)
    assert crop(image, Region(np.array([500.0, 500.0]), 20.0), 16).max() == 0


def test_regions_of_the_same_person():
    a = Region(np.array([100.0, 100.0]), 100.0)
    assert same_person(a, Region(np.array([109.0, 100.0]), 20.0))  # one mid-hip, whatever the size
    assert same_person(a, Region(np.array([130.0, 100.0]), 100.0))  # overlap 70/130
    assert not same_person(a, Region(np.array([140.0, 100.0]), 100.0))


@pytest.mark.parametrize(
    ("size", "starts"),
    [
        ((1080, 1920), [-0.5, 419.5, 839.5]),
        ((640, 480), [-0.5, 159.5]),
        ((500, 500), [-0.5]),
        ((100, 400), range(0, 301, 50)),
    ],
)
def test_closer_squares_cover_the_image_and_overlap(size, starts):
    squares = closer_squares(*size)
    assert [square.side_px for square in squares] == [min(size)] * len(squares)
    low = np.array([square.box_px[:2] for square in squares])
    along = 0 if size[0] > size[1] else 1
    np.testing.assert_allclose(low[:, along], np.array(list(starts)) - (0.5 if isinstance(starts, range) else 0))
    np.testing.assert_allclose(low[:, 1 - along], -0.5)
    assert low[-1, along] + min(size) == max(size) - 0.5
