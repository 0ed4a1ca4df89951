"""Image sizes of detections; people inside a region."""

from __future__ import annotations

import numpy as np

from gonio.core.detections import Detections, inside_box, keep_inside, smallest_image_px, without_gaps
from gonio.core.skeleton import COCO_17


def test_the_smallest_image_holds_every_position() -> None:
    # pixel 479.5 is the edge of row 480
    assert smallest_image_px(np.array([[[639.4, 100], [np.nan, np.nan], [100, 479.5]]])) == (640, 481)
    assert smallest_image_px(np.full((2, 3, 2), np.nan)) == (1, 1)


def test_an_image_size_need_not_be_known() -> None:
    seen = Detections(np.ones((2, 1, 17, 2)), np.ones((2, 1, 17)), np.arange(2.0), COCO_17)
    assert seen.image_size_px is None
    assert seen.person([0, 0], "the first").image_size_px is None


def people_at(*middles_px: list[tuple[float, float]]) -> Detections:
    """Frames of people whose joints are all near a point."""
    positions = np.array(middles_px, dtype=float)[:, :, None] + np.linspace(-1, 1, 17)[:, None]
    return Detections(positions, np.ones(positions.shape[:3]), np.arange(len(positions)), COCO_17, (100, 100))


def test_a_box_has_its_edges_and_no_missing_point() -> None:
    points = np.array([[0, 0], [10, 5], [10.1, 5], [5, -0.1], [np.nan, 5]])
    np.testing.assert_array_equal(inside_box(points, (0, 0, 10, 5)), [True, True, False, False, False])


def test_people_outside_the_region_are_left_out_and_counted() -> None:
    seen = keep_inside(people_at([(20, 20), (70, 70)], [(75, 75), (80, 80)], [(10, 10), (20, 20)]), (60, 60, 90, 90))
    np.testing.assert_array_equal(seen.present, [[False, True], [True, True], [False, False]])
    assert seen.history[-1].startswith("3 people")


def test_a_person_without_a_hip_is_in_no_region() -> None:
    seen = people_at([(70, 70)])
    positions = np.array(seen.positions)
    positions[0, 0, COCO_17.index("left_hip")] = np.nan
    seen = Detections(positions, seen.confidence, seen.times_s, COCO_17, (100, 100))
    assert not keep_inside(seen, (0, 0, 100, 100)).present.any()


def test_empty_places_are_taken_out() -> None:
    seen = keep_inside(people_at([(20, 20), (70, 70)], [(75, 75), (20, 20)]), (60, 60, 90, 90))
    packed, numbers = without_gaps(seen)
    np.testing.assert_array_equal(numbers, [[1], [0]])
    np.testing.assert_allclose(packed.positions.mean(axis=2)[:, 0], [[70, 70], [75, 75]])
    assert packed.history == seen.history
