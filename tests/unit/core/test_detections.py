"""Image sizes of detections."""

from __future__ import annotations

import numpy as np

from gonio.core.detections import Detections, smallest_image_px
from gonio.core.skeleton import COCO_17


def test_the_smallest_image_holds_every_position() -> None:
    # pixel 479.5 is the edge of row 480
    assert smallest_image_px(np.array([[[639.4, 100], [np.nan, np.nan], [100, 479.5]]])) == (640, 481)
    assert smallest_image_px(np.full((2, 3, 2), np.nan)) == (1, 1)


def test_an_image_size_need_not_be_known() -> None:
    seen = Detections(np.ones((2, 1, 17, 2)), np.ones((2, 1, 17)), np.arange(2.0), COCO_17)
    assert seen.image_size_px is None
    assert seen.person([0, 0], "the first").image_size_px is None
