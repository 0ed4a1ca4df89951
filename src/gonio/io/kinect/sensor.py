"""What the three Kinects deliver with their joints: axes, unit, tracking states, working range.

Kinect v1 and v2: metres, y up, z from the sensor to the person, x to the sensor's own left; a joint is not tracked (0),
inferred (1) or tracked (2). Azure Kinect: millimetres, x right, y down, z forward; the confidence of a joint is none
(0), low (1: hidden, predicted), medium (2) or high (3, which the SDK does not give yet). Working ranges, in depth: v1
0.8-4 m, v2 0.5-4.5 m, Azure 0.5-3.86 m (narrow field of view, unbinned).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gonio.core.arrays import BoolArray, FloatArray
from gonio.core.sequence import Status
from gonio.core.skeleton import AZURE_KINECT_32, KINECT_RECORDER_20, KINECT_V1_20, KINECT_V2_25, Skeleton

GUESSED = 0.5
"""Confidence of a joint that the sensor inferred, and the most that one outside its working range can have."""

_WORDS = {"nottracked": 0, "inferred": 1, "tracked": 2, "none": 0, "low": 1, "medium": 2, "high": 3}


@dataclass(frozen=True)
class Sensor:
    """One of the three Kinects.

    unit     of its SDK's positions
    y_down   its SDK's y points down, and x to the right
    range_m  depths at which it works
    states   the numbers of its tracking states
    """

    name: str
    unit: str
    y_down: bool
    range_m: tuple[float, float]
    states: tuple[int, ...]


V1 = Sensor("Kinect v1", "m", False, (0.8, 4.0), (0, 1, 2))
V2 = Sensor("Kinect v2", "m", False, (0.5, 4.5), (0, 1, 2))
AZURE = Sensor("Azure Kinect", "mm", True, (0.5, 3.86), (0, 1, 2, 3))
SENSORS: Mapping[str, Sensor] = {
    KINECT_V1_20.name: V1,
    KINECT_RECORDER_20.name: V1,
    KINECT_V2_25.name: V2,
    AZURE_KINECT_32.name: AZURE,
}
"""Layout -> sensor. The layouts of the SDKs are in their order, the recorder's in its own."""


def sensor_of(skeleton: Skeleton) -> Sensor | None:
    """The sensor of a layout, or of one cut to some of its joints."""
    return SENSORS.get(skeleton.name.partition("[")[0])


def state_number(cell: str) -> float:
    """A tracking state or confidence as a number; NaN if it is neither."""
    plain = "".join(c for c in cell.lower() if c.isalnum() or c in ".-+")
    try:
        return float(_WORDS.get(plain, plain))
    except ValueError:
        return float("nan")


def judged(
    states: FloatArray, missing: BoolArray, known: tuple[int, ...]
) -> tuple[FloatArray, NDArray[np.uint8]] | None:
    """(confidence, status), both (time, joint), of tracking states; None if the numbers are not such states.

    2 and 3 are measured with confidence 1, 1 is inferred with 0.5, 0 is missing. Fractions between 0 and 1 are
    confidences as they are, 0 missing. `missing` joints may have any state.
    """
    present = states[~missing]
    if np.isnan(present).any():
        return None
    if not np.isin(present, known).all():
        if (present < 0).any() or (present > 1).any():
            return None
        absent = missing | (states == 0)
        return np.where(absent, 0.0, states), np.where(absent, Status.MISSING, Status.MEASURED).astype(np.uint8)
    absent = missing | (states == 0)
    confidence = np.where(absent, 0.0, np.where(states == 1, GUESSED, 1.0))
    status = np.where(absent, Status.MISSING, np.where(states == 1, Status.INFERRED, Status.MEASURED))
    return confidence, status.astype(np.uint8)


def out_of_range(positions_m: FloatArray, sensor: Sensor) -> BoolArray | None:
    """(time, joint) outside the depths at which the sensor works; None if z is not a depth: not positive in the median.

    positions_m (time, joint, 3) in the sensor's axes; NaN = missing, and not outside.
    """
    depth = positions_m[..., 2]
    if np.isnan(depth).all() or np.nanmedian(depth) <= 0:
        return None
    nearest, farthest = sensor.range_m
    with np.errstate(invalid="ignore"):
        return np.asarray((depth < nearest) | (depth > farthest))
