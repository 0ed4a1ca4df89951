"""Regions of an image around a person: the input of the landmark network."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from gonio.core.arrays import FloatArray

Image = NDArray[np.uint8]
REGION_SCALE = 1.25  # side of the square over the diameter of the circle
SAME_PERSON_IOU = 0.5
SAME_PERSON_DISTANCE = 0.1  # between mid-hips, over the larger square's side


@dataclass(frozen=True, eq=False)
class Region:
    """A square of the image: centre (2,) px, side in px, and the clockwise angle from the image's up to its own."""

    center_px: FloatArray
    side_px: float
    angle_rad: float = 0.0

    @property
    def rotation(self) -> FloatArray:
        """(2, 2) crop axes -> image axes."""
        c, s = np.cos(self.angle_rad), np.sin(self.angle_rad)
        return np.array([[c, -s], [s, c]])

    @property
    def box_px(self) -> FloatArray:
        """(4,) x1, y1, x2, y2 of the axis-aligned square of the same centre and side."""
        half = self.side_px / 2
        return np.concatenate([self.center_px - half, self.center_px + half])

    def to_image(self, points: FloatArray, size: int) -> FloatArray:
        """(..., 2) crop coordinates 0..size -> (..., 2) px of the image."""
        return self.center_px + self.side_px / size * (points - size / 2) @ self.rotation.T


def person_region(mid_hip_px: FloatArray, top_px: FloatArray) -> Region | None:
    """The square around a person, with mid-hip -> top as its up. None if the points coincide or are not finite."""
    dx, dy = top_px - mid_hip_px
    radius = float(np.hypot(dx, dy))
    if not np.isfinite(radius) or radius < 1.0:
        return None
    return Region(np.asarray(mid_hip_px, dtype=float), 2 * radius * REGION_SCALE, float(np.arctan2(dx, -dy)))


def crop(image: Image, region: Region, size: int) -> Image:
    """The region as an image of (size, size); black outside the original image."""
    linear = region.rotation * (region.side_px / size)
    first_pixel = region.to_image(np.array([0.5, 0.5]), size)
    warp = np.column_stack([linear, first_pixel])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(image, warp, (size, size), flags=flags), dtype=np.uint8)


def overlap(box: FloatArray, boxes: FloatArray) -> FloatArray:
    """(n,) intersection over union of one box (4,) with boxes (n, 4), each x1, y1, x2, y2."""
    sides = np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2])
    shared = np.prod(np.maximum(sides, 0), axis=1)
    union = np.prod(box[2:] - box[:2]) + np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) - shared
    return np.asarray(shared / np.maximum(union, 1e-12))


def square_around(x1: float, y1: float, x2: float, y2: float) -> Region:
    """The upright square around a rectangle of the image, px."""
    return Region(np.array([(x1 + x2) / 2, (y1 + y2) / 2]), float(max(x2 - x1, y2 - y1)))


def closer_squares(width: int, height: int) -> list[Region]:
    """Squares as wide as the image's shorter side, which overlap by half or more along the longer side. They separate
    people side by side, whom the person network takes for one person in the whole image."""
    side, longer = min(width, height), max(width, height)
    n = 1 if side == longer else int(np.ceil(2 * (longer - side) / side)) + 1
    starts = np.linspace(0, longer - side, n) - 0.5
    corners = [(start, -0.5) if width > height else (-0.5, start) for start in starts]
    return [square_around(x, y, x + side, y + side) for x, y in corners]


def same_person(first: Region, second: Region) -> bool:
    """Whether two regions contain the same person: their squares overlap, or their mid-hips nearly coincide."""
    distance = float(np.hypot(*(first.center_px - second.center_px)))
    if distance < SAME_PERSON_DISTANCE * max(first.side_px, second.side_px):
        return True
    return bool(overlap(first.box_px, second.box_px[None])[0] > SAME_PERSON_IOU)
