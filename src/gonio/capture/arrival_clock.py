"""Times of the frames of a camera's stream on this computer's clock.

A stream stamps its frames with its own clock, whose zero is unknown. The arrival of each frame is known: arrival =
stamp + delay. The delay is never smaller than that of the quickest frame, because buffers, network and a busy computer
only add to it. So the line below all delays, not their mean, relates the two clocks. Its slope is the difference in
speed of the two clocks (Moon, Skelly, Towsley 1999, "Estimation and removal of clock skew from network delay
measurements", INFOCOM: the nearest line below all points is the edge of their convex hull at the mean time).

The delay of the quickest frame itself (exposure, encoding, sending) is part of the line: it cannot be measured here.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

import numpy as np

BUCKET_S = 1.0  # the quickest frame of each such interval counts
HELD_S = 0.5  # a stream that breaks off delivers its buffer at once: its last frames seem too quick


@dataclass(frozen=True)
class ArrivalFit:
    """common time = stamp + delay_s + drift * (stamp - middle_s), all in seconds.

    scatter_s  how far the quickest frame of each second lies above that line, in the median: the uncertainty of delay_s
    """

    delay_s: float
    drift: float
    middle_s: float
    scatter_s: float


class ArrivalClock:
    """Stamps and arrivals as they come; of each second only the quickest frame is kept."""

    def __init__(self) -> None:
        self._quickest: dict[int, tuple[float, float]] = {}
        self._held: deque[tuple[float, float]] = deque()  # stamp, arrival
        self.least_delay_s = math.inf

    def add(self, stamp_s: float, arrival_s: float) -> None:
        self.least_delay_s = min(self.least_delay_s, arrival_s - stamp_s)
        self._held.append((stamp_s, arrival_s))
        while self._held[0][1] < arrival_s - HELD_S:
            stamp_s, arrived_s = self._held.popleft()
            second = math.floor(stamp_s / BUCKET_S)
            if second not in self._quickest or arrived_s - stamp_s < self._quickest[second][1]:
                self._quickest[second] = (stamp_s, arrived_s - stamp_s)

    def fit(self) -> ArrivalFit:
        """The line below the delays. Needs at least one frame."""
        points = [self._quickest[second] for second in sorted(self._quickest)]
        if not points:
            points = [min(((s, a - s) for s, a in tuple(self._held)), key=lambda point: point[1])]
        stamps_s, delays_s = np.array(points).T
        middle_s = float(stamps_s[0] + stamps_s[-1]) / 2
        hull_s, hull_delays_s = np.array(_lower_hull(points)).T
        delay_s = float(np.interp(middle_s, hull_s, hull_delays_s))
        drift = 0.0
        if len(hull_s) > 1:
            edge = min(int(np.searchsorted(hull_s, middle_s, side="right")), len(hull_s) - 1)
            drift = float(np.diff(hull_delays_s)[edge - 1] / np.diff(hull_s)[edge - 1])
        above_s = delays_s - delay_s - drift * (stamps_s - middle_s)
        return ArrivalFit(delay_s, drift, middle_s, float(np.median(above_s)))


def _lower_hull(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """The lower convex hull of points whose x rises (Andrew 1979)."""
    hull: list[tuple[float, float]] = []
    for x, y in points:
        while len(hull) > 1:
            (x0, y0), (x1, y1) = hull[-2:]
            if (x1 - x0) * (y - y0) > (y1 - y0) * (x - x0):
                break
            hull.pop()
        hull.append((x, y))
    return hull
