"""The networks' outputs as boxes and landmarks: arithmetic on worked examples."""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from gonio.detection.blazepose.decoding import (
    decode_people,
    merge_overlapping,
    person_anchors,
    refine_by_heatmap,
    sigmoid,
)


def test_anchors_are_the_cells_of_three_grids_two_for_each_layer():
    anchors = person_anchors()
    assert anchors.shape == (2254, 2)
    cells, counts = np.unique(anchors, axis=0, return_counts=True)
    assert len(cells) == 28**2 + 14**2 + 7**2
    assert sorted(set(counts)) == [2, 6]
    np.testing.assert_allclose(
        anchors[:4], [[0.5 / 28] * 2, [0.5 / 28] * 2, [1.5 / 28, 0.5 / 28], [1.5 / 28, 0.5 / 28]]
    )
    np.testing.assert_allclose(anchors[28 * 2], [0.5 / 28, 1.5 / 28])  # rows follow each other
    np.testing.assert_allclose(anchors[2 * 28**2], [0.5 / 14, 0.5 / 14])
    np.testing.assert_allclose(anchors[-1], [6.5 / 7, 6.5 / 7])


def test_overlapping_people_become_their_weighted_mean_with_the_best_score():
    def person(x: float) -> list[list[float]]:
        return [[x, 0], [x + 10, 10], [x + 5, 5]]  # a box of 10 x 10 and one keypoint

    points = np.array([person(2), person(40), person(0), person(7)])
    scores = np.array([0.6, 0.7, 0.9, 0.55])
    # Best is 0 (0.9): 2 overlaps it by 8/12, 7 by 3/17 only. 7 overlaps 2 more, but 2 is gone.
    merged, best = merge_overlapping(points, scores)
    np.testing.assert_allclose(best, [0.9, 0.7, 0.55])
    np.testing.assert_allclose(merged[0], person((0.9 * 0 + 0.6 * 2) / 1.5))
    np.testing.assert_allclose(merged[1:], [person(40), person(7)])


def test_no_people_merge_to_no_people():
    points, scores = merge_overlapping(np.zeros((0, 6, 2)), np.zeros(0))
    assert points.shape == (0, 6, 2)
    assert scores.shape == (0,)


def test_people_are_decoded_from_offsets_to_their_anchor():
    raw, logits = np.zeros((2254, 12)), np.full(2254, -10.0)
    anchor = 1000
    raw[anchor] = [22.4, -11.2, 44.8, 67.2, *range(8)]
    logits[anchor] = 2.0
    logits[3] = -0.01  # just below one half
    points, scores = decode_people(raw, logits)
    np.testing.assert_allclose(scores, [expit(2.0)])
    center = person_anchors()[anchor]
    corners = np.array([[0.1 - 0.1, -0.05 - 0.15], [0.1 + 0.1, -0.05 + 0.15]])
    np.testing.assert_allclose(points[0, :2], center + corners)
    np.testing.assert_allclose(points[0, 2:], center + np.arange(8).reshape(4, 2) / 224)


def test_sigmoid_agrees_with_scipy_and_does_not_overflow():
    x = np.array([-1e4, -30, -1, 0, 0.5, 30, 1e4])
    np.testing.assert_allclose(sigmoid(x), expit(x), atol=1e-12)


def heatmap_with_blob(column: float, row: float, height: float = 6.0) -> np.ndarray:
    x, y = np.meshgrid(np.arange(64), np.arange(64))
    return -10 + (10 + height) * np.exp(-((x - column) ** 2 + (y - row) ** 2) / (2 * 1.2**2))


def test_a_landmark_moves_to_the_centre_of_a_sure_heatmap():
    heatmaps = np.stack(
        [
            heatmap_with_blob(20.0, 30.0),
            heatmap_with_blob(20.0, 30.0, height=-0.1),  # nowhere one half
            heatmap_with_blob(20.0, 30.0),  # too far away
            heatmap_with_blob(20.0, 30.0),  # the landmark lies outside the crop
            heatmap_with_blob(0.0, 63.0),  # at the edge: half of the blob is cut off
        ],
        axis=-1,
    )
    points = np.array([[21.2, 29.1], [21.2, 29.1], [40.5, 30.5], [-3.0, 30.0], [0.5, 63.5]]) / 64
    refined = refine_by_heatmap(points, heatmaps) * 64
    np.testing.assert_allclose(refined[0], [20, 30], atol=2e-3)  # the window ends a little nearer on one side
    np.testing.assert_allclose(refined[1:4], points[1:4] * 64)
    weights = expit(heatmaps[60:64, 0:4, 4])
    np.testing.assert_allclose(refined[4, 0], (weights * np.arange(4)).sum() / weights.sum())
    np.testing.assert_allclose(refined[4, 1], (weights.T * np.arange(60, 64)).sum() / weights.sum())
