"""Places in the image through every scale and the mirror."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from gonio.detection.openpose.layouts import BODY_25_PARTS, COCO_18_PARTS, PartLayout
from gonio.detection.openpose.net_input import averaged, mirrored, placed
from gonio.detection.openpose.options import NetSize, net_size


@pytest.mark.parametrize("image_size", [(64, 48), (1920, 1080), (500, 1000), (20, 10)])
def test_a_position_in_the_input_divided_by_the_scale_is_that_in_the_image(image_size: tuple[int, int]) -> None:
    width, height = image_size
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    image = np.stack([x * 255 / width, y * 255 / height, np.full(x.shape, 200)], axis=2).astype(np.uint8)
    entry, scale = placed(image, net_size("-1x160").for_image(image_size))
    inside_x = np.arange(0, (width - 2) * scale, 7).astype(int)
    row = entry[0, inside_x]
    assert np.abs(row[:, 0] - inside_x / scale * 255 / width).max() < 3 + 10 / scale
    ends = entry[..., 2].max(axis=0), entry[..., 2].max(axis=1)
    assert entry.shape == (160, entry.shape[1], 3)
    assert scale == pytest.approx(min((entry.shape[1] - 1) / (width - 1), 159 / (height - 1)))
    for end, side in zip(ends, (width, height), strict=True):
        covered = int((side - 1) * scale) + 1
        assert (end[:covered] > 190).all()
        assert (end[covered + 2 + 2 * int(scale) :] == 0).all()


def test_an_image_of_one_pixel() -> None:
    entry, scale = placed(np.full((1, 1, 3), 255, np.uint8), NetSize(16, 16))
    assert entry.shape == (16, 16, 3)
    assert np.isfinite(scale)


def blob_maps(layout: PartLayout, centre_px: tuple[float, float], size: tuple[int, int], width_px: float) -> np.ndarray:
    """Maps (channel, row, column) with one bump, in pixels of the input, of another height in each channel."""
    x, y = (np.arange(side // 8) * 8 + 3.5 for side in size)
    bump = np.exp(-((x - centre_px[0]) ** 2 + (y[:, None] - centre_px[1]) ** 2) / (2 * width_px**2))
    return (bump * np.linspace(0.5, 1, layout.n_channels)[:, None, None]).astype(np.float32)


def test_scales_are_averaged_in_place() -> None:
    """A bump of the image stays where it is, whatever the scales."""
    first = blob_maps(COCO_18_PARTS, (100.0, 60.0), (256, 128), 20.0)
    second = blob_maps(COCO_18_PARTS, (75.0, 45.0), (192, 96), 15.0)
    third = blob_maps(COCO_18_PARTS, (50.0, 30.0), (128, 64), 10.0)
    mean = averaged([(first, 0.5), (second, 0.375), (third, 0.25)], 8)
    assert mean.shape == first.shape
    assert np.abs(mean - first).max() < 0.03
    assert np.abs(averaged([(first, 0.5), (second, 0.375)], 8) - first).max() < 0.012
    np.testing.assert_array_equal(averaged([(first, 0.5)], 8), first)


@pytest.mark.parametrize("layout", [COCO_18_PARTS, BODY_25_PARTS], ids=["coco-18", "body-25"])
def test_the_maps_of_a_mirrored_image(layout: PartLayout) -> None:
    rng = np.random.default_rng(0)
    maps = rng.standard_normal((layout.n_channels, 3, 5)).astype(np.float32)
    seen = mirrored(maps, layout)
    np.testing.assert_array_equal(mirrored(seen, layout), maps)
    skeleton = layout.skeleton
    left, right = skeleton.index("left_wrist"), skeleton.index("right_wrist")
    np.testing.assert_array_equal(seen[left], maps[right, :, ::-1])
    np.testing.assert_array_equal(seen[layout.n_parts], maps[layout.n_parts, :, ::-1])  # background
    arms = {
        side: layout.paf_channels[
            layout.limbs.index((skeleton.index(f"{side}_elbow"), skeleton.index(f"{side}_wrist")))
        ]
        for side in ("left", "right")
    }
    for axis, sign in ((0, -1), (1, 1)):
        one, other = (layout.n_heatmaps + arms[side][axis] for side in ("left", "right"))
        np.testing.assert_array_equal(seen[one], sign * maps[other, :, ::-1])


def test_enlarging_uses_cubics_and_shrinking_does_not_ring() -> None:
    image = np.zeros((40, 40, 3), np.uint8)
    image[:, 20:] = 255
    large, _ = placed(image, NetSize(160, 160))
    small, _ = placed(image, NetSize(32, 32))
    assert set(np.unique(cv2.resize(image, (40, 40)))) == {0, 255}
    assert large[80].astype(int).max() == 255
    assert (np.diff(small[10, :31, 0].astype(int)) >= 0).all()
