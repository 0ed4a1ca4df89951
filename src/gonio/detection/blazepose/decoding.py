"""BlazePose's network outputs to boxes and landmarks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gonio.core.arrays import FloatArray
from gonio.detection.blazepose.regions import overlap

PERSON_INPUT_PX = 224
MIN_PERSON_SCORE = 0.5
NMS_IOU = 0.3
HEATMAP_WINDOW = 7
MIN_HEATMAP = 0.5
_WINDOW_Y, _WINDOW_X = (d.ravel() - HEATMAP_WINDOW // 2 for d in np.indices((HEATMAP_WINDOW, HEATMAP_WINDOW)))


def person_anchors() -> FloatArray:
    """(2254, 2) centres of the person network's anchors in 0..1: strides 8, 16, 32, 32, 32 px, two on each cell."""
    layers = []
    for stride, per_cell in ((8, 2), (16, 2), (32, 6)):
        cells = (np.arange(PERSON_INPUT_PX // stride) + 0.5) * stride / PERSON_INPUT_PX
        y, x = np.meshgrid(cells, cells, indexing="ij")
        layers.append(np.repeat(np.stack([x.ravel(), y.ravel()], axis=1), per_cell, axis=0))
    return np.concatenate(layers)


_ANCHORS = person_anchors()


def sigmoid(logits: FloatArray) -> FloatArray:
    """1 / (1 + exp(-x))."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * np.asarray(logits, dtype=float))))


def decode_people(raw: FloatArray, logits: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The person network's output as people.

    raw (2254, 12), logits (2254,) -> points (n, 6, 2): the box's two corners and four keypoints in 0..1 of the squared
    image, best first; scores (n,). Overlapping people are merged.
    """
    scores = sigmoid(logits)
    confident = np.flatnonzero(scores >= MIN_PERSON_SCORE)
    values = raw[confident].reshape(-1, 6, 2) / PERSON_INPUT_PX  # centre, size, four keypoints
    centers, keypoints = _ANCHORS[confident] + values[:, 0], _ANCHORS[confident][:, None] + values[:, 2:]
    corners = np.stack([centers - values[:, 1] / 2, centers + values[:, 1] / 2], axis=1)
    return merge_overlapping(np.concatenate([corners, keypoints], axis=1), scores[confident])


def merge_overlapping(points: FloatArray, scores: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Score-weighted non-maximum suppression (Bazarevsky et al. 2019, "BlazeFace").

    points (n, k, 2), the first two of k are the box's corners; scores (n,). The best person and all whose boxes overlap
    that person's by more than `NMS_IOU` are replaced by their score-weighted mean, with the best score; then the same
    with the people who remain.
    """
    order = np.argsort(-scores, kind="stable")
    points, scores = points[order], scores[order]
    merged, best = [], []
    while len(scores):
        same = np.array(overlap(points[0, :2].ravel(), points[:, :2].reshape(-1, 4)) > NMS_IOU, dtype=np.bool_)
        same[0] = True
        merged.append(np.average(points[same], axis=0, weights=scores[same]))
        best.append(scores[0])
        points, scores = points[~same], scores[~same]
    return np.array(merged).reshape(-1, *points.shape[1:]), np.array(best)


def refine_by_heatmap(points: FloatArray, heatmaps: NDArray[np.floating]) -> FloatArray:
    """Landmarks moved to the centroid of their heatmap in a window around them.

    points (n, 2) in 0..1 of the crop, heatmaps (h, w, n) logits -> (n, 2). A landmark stays where it is if it lies
    outside the crop, or if no value in the window reaches `MIN_HEATMAP`.
    """
    height, width, n = heatmaps.shape
    cell = np.floor(points * [width, height]).astype(int)
    inside = np.all((cell >= 0) & (cell < [width, height]), axis=1, keepdims=True)
    column, row = cell[:, :1] + _WINDOW_X, cell[:, 1:] + _WINDOW_Y
    in_map = (column >= 0) & (column < width) & (row >= 0) & (row < height) & inside
    index = np.where(in_map, (row * width + column) * n + np.arange(n)[:, None], 0)
    weight = sigmoid(heatmaps.ravel()[index].astype(float)) * in_map
    total = np.maximum(weight.sum(axis=1), 1e-12)
    centroid = np.stack([(weight * column).sum(axis=1), (weight * row).sum(axis=1)], axis=1) / total[:, None]
    confident = weight.max(axis=1) >= MIN_HEATMAP
    return np.asarray(np.where(confident[:, None], centroid / [width, height], points))
