"""Values of enlarged maps, against OpenCV's enlargement of everything."""

import cv2
import numpy as np
import pytest

from gonio.detection.openpose.upsampling import block, sampled


def resized(channel, stride):
    height, width = channel.shape
    return cv2.resize(channel, (width * stride, height * stride), interpolation=cv2.INTER_CUBIC)


@pytest.mark.parametrize(("shape", "stride"), [((7, 9), 8), ((1, 1), 8), ((2, 3), 4), ((5, 4), 1), ((3, 2), 5)])
def test_every_pixel_is_that_of_the_full_enlargement(shape, stride):
    fields = np.random.default_rng(1).normal(0, 1, (2, *shape, 2)).astype(np.float32)
    y_px, x_px = np.mgrid[: shape[0] * stride, : shape[1] * stride]
    for field in range(2):
        got = sampled(fields, stride, np.full_like(x_px, field), x_px, y_px)
        for component in range(2):
            want = resized(fields[field, :, :, component], stride)
            np.testing.assert_allclose(got[..., component], want, atol=3e-6)


@pytest.mark.parametrize(("stride", "margin_px", "reach"), [(8, 0, 2), (8, 1, 2), (8, 3, 2), (4, 3, 3), (1, 3, 5)])
def test_the_block_of_a_cell_is_cut_out_of_the_full_enlargement(stride, margin_px, reach):
    cells = np.random.default_rng(2).normal(0, 1, (15, 15)).astype(np.float32)
    got = block(stride, margin_px)
    assert got.reach == reach
    row, column = 7, 8
    around = cells[row - reach : row + reach + 1, column - reach : column + reach + 1]
    pixels = (around.ravel() @ got.weights).reshape(stride + 2 * margin_px, -1)
    top, left = row * stride - margin_px, column * stride - margin_px
    want = resized(cells, stride)[top : top + len(pixels), left : left + len(pixels)]
    np.testing.assert_allclose(pixels, want, atol=3e-6)
