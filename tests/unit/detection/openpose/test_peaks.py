"""Peaks of heatmaps: found where the full enlargement has them, and as near to the truth as a network allows."""

import numpy as np
import plain_association
import pytest

from gonio.detection.openpose.peaks import find_peaks

THRESHOLD = 0.05


def bumps(places_px, shape=(20, 30), stride=8, sigma_px=7.0):
    """(1, row, column): a Gaussian at each place (x, y)."""
    grid = np.stack(np.meshgrid(np.arange(shape[1]), np.arange(shape[0])), axis=-1) * stride + (stride - 1) / 2
    squared = ((grid[:, :, None] - np.asarray(places_px)) ** 2).sum(axis=-1)
    return np.exp(-squared / (2 * sigma_px**2)).max(axis=-1, initial=0)[None].astype(np.float32)


def test_a_bump_is_found_within_a_pixel():
    """Between cells the enlarged Gaussian is not quite one, so that single places err by a fraction of a pixel."""
    rng = np.random.default_rng(3)
    errors = []
    for place in rng.uniform((30, 30), (200, 120), (200, 2)):
        peaks = find_peaks(bumps([place]), 8, THRESHOLD)
        assert len(peaks) == 1
        assert 0.85 < peaks.score[0] < 1.05
        errors.append(peaks.xy_px[0] - place)
    assert np.abs(np.mean(errors, axis=0)).max() < 0.1
    assert np.abs(errors).max() < 1.0


@pytest.mark.parametrize("noise", [0.0, 0.03, 0.3])
@pytest.mark.parametrize("stride", [8, 4])
def test_the_same_as_by_enlarging_everything(noise, stride):
    rng = np.random.default_rng(4)
    shape = (20, 30)
    heatmaps = np.concatenate(
        [bumps(rng.uniform((0, 0), (30 * stride, 20 * stride), (n, 2)), shape, stride) for n in (0, 1, 6, 12)]
    )
    heatmaps += (noise * rng.standard_normal(heatmaps.shape)).astype(np.float32)
    peaks = find_peaks(heatmaps, stride, THRESHOLD)
    for part, heatmap in enumerate(heatmaps):
        want = np.array(plain_association.peaks(plain_association.enlarged(heatmap, stride))).reshape(-1, 3)
        mine = peaks.part == part
        np.testing.assert_allclose(peaks.xy_px[mine], want[:, :2], atol=1e-3)
        np.testing.assert_allclose(peaks.score[mine], want[:, 2], atol=1e-5)


def test_of_a_plateau_the_first_pixel_counts():
    heatmap = np.zeros((1, 9, 9), np.float32)
    heatmap[0, 4, 4] = 1
    peaks = find_peaks(heatmap, 1, THRESHOLD)
    assert peaks.xy_px.tolist() == [[4, 4]]
    heatmap[0, 4, 5] = heatmap[0, 5, 4] = heatmap[0, 5, 5] = 1
    peaks = find_peaks(heatmap, 1, THRESHOLD)
    assert peaks.xy_px.tolist() == [[4.5, 4.5]]  # the 7 x 7 pixels around (4, 4)
    assert peaks.score.tolist() == [1]


def test_the_outermost_pixels_are_no_peaks():
    heatmap = np.zeros((1, 5, 6), np.float32)
    for row, column in ((0, 2), (4, 2), (2, 0), (2, 5)):
        heatmap[:] = 0
        heatmap[0, row, column] = 1
        assert len(find_peaks(heatmap, 1, THRESHOLD)) == 0
    heatmap[:] = 0
    heatmap[0, 1, 1] = 1
    assert find_peaks(heatmap, 1, THRESHOLD).xy_px.tolist() == [[1, 1]]


def test_the_threshold_must_be_exceeded():
    heatmap = np.zeros((1, 5, 5), np.float32)
    heatmap[0, 2, 2] = 0.5
    assert len(find_peaks(heatmap, 1, 0.5)) == 0
    assert len(find_peaks(heatmap, 1, 0.49)) == 1


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (2, 2)])
def test_maps_of_a_cell_or_two(shape):
    assert len(find_peaks(np.full((3, *shape), 0.7, np.float32), 8, THRESHOLD)) == 0
