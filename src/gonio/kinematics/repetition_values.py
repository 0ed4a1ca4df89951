"""What is measured of each repetition: duration, range of motion, peak, speed, and left against right.

How to read them. Range and peak are those of the values as they are, so noise adds to them; filter the positions first
where that matters. Speeds are those of the smoothed curve (`repetitions.smoothed`), because a difference of noisy
values is mostly noise. Symmetry says nothing about size: two knees that both bend by 20 degrees are symmetrical.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gonio.core.angle_series import AngleSeries
from gonio.kinematics.repetitions import Repetitions, smoothed

STILL_RAD = float(np.deg2rad(1))  # two sides that both move less than this have no symmetry to speak of


@dataclass(frozen=True)
class RepetitionValues:
    """One angle in one repetition. All but the first three are NaN where the angle was never seen in it.

    repetition        its number, from 1
    angle             e.g. "left_knee_flexion"
    duration_s        from start to end, the same for every angle of the repetition
    rom_rad           range of motion: the largest minus the smallest value
    peak_rad          the largest value
    peak_s            when that is, seconds from the repetition's start
    mean_speed_rad_s  the smoothed curve's way, up and down, over the time in which it was seen
    peak_speed_rad_s  its highest speed, up or down
    missing           how many of its values are missing
    """

    repetition: int
    angle: str
    duration_s: float
    rom_rad: float
    peak_rad: float
    peak_s: float
    mean_speed_rad_s: float
    peak_speed_rad_s: float
    missing: int


@dataclass(frozen=True)
class Symmetry:
    """The range of motion of both sides in one repetition.

    repetition         its number, from 1
    angle              without its side: "knee_flexion"
    left_rad           range of motion of the left
    right_rad          and of the right
    symmetry_angle_pct see `symmetry_angle_pct`; NaN where a side was not seen, and where both are still
    """

    repetition: int
    angle: str
    left_rad: float
    right_rad: float
    symmetry_angle_pct: float


def repetition_values(angles: AngleSeries, repetitions: Repetitions) -> tuple[RepetitionValues, ...]:
    """Every angle in every repetition, repetition by repetition; empty where there is none."""
    curves = {name: smoothed(angles[name], angles.times_s) for name in angles.names}
    table = []
    bounds = zip(repetitions.starts_s.tolist(), repetitions.ends_s.tolist(), strict=True)
    for number, (start_s, end_s) in enumerate(bounds, start=1):
        inside = (angles.times_s >= start_s) & (angles.times_s <= end_s)
        times = angles.times_s[inside] - start_s
        for name in angles.names:
            values, curve = angles[name][inside], curves[name][inside]
            seen = np.isfinite(values)
            rom = peak = peak_s = mean_speed = peak_speed = float("nan")
            if seen.any():
                rom, peak = float(np.ptp(values[seen])), float(values[seen].max())
                peak_s = float(times[seen][np.argmax(values[seen])])
            both = seen[1:] & seen[:-1]
            if both.any():
                way, took = np.abs(np.diff(curve))[both], np.diff(times)[both]
                mean_speed, peak_speed = float(way.sum() / took.sum()), float((way / took).max())
            table.append(
                RepetitionValues(
                    number, name, end_s - start_s, rom, peak, peak_s, mean_speed, peak_speed, int((~seen).sum())
                )
            )
    return tuple(table)


def symmetries(values: tuple[RepetitionValues, ...]) -> tuple[Symmetry, ...]:
    """Left against right of every angle that both sides have, repetition by repetition."""
    by_angle = {(row.repetition, row.angle): row.rom_rad for row in values}
    table = []
    for (number, name), left in by_angle.items():
        angle = name.removeprefix("left_")
        right = by_angle.get((number, f"right_{angle}"))
        if angle == name or right is None:
            continue
        table.append(Symmetry(number, angle, left, right, symmetry_angle_pct(left, right)))
    return tuple(table)


def symmetry_angle_pct(left: float, right: float) -> float:
    """Per cent: 0 where both sides move alike, +50 where only the right one moves, -50 where only the left one does.

    The symmetry angle of Zifchock, Davis, Higginson and Royer 2008 (Gait & Posture 27:622-627):
    (45 degrees - atan(left / right)) / 90 degrees. It needs no side as the reference and stays bounded where one is
    near 0, unlike the symmetry index of Robinson, Herzog and Nigg 1987 (J. Manipulative Physiol. Ther. 10:172-176),
    100 (right - left) / ((right + left) / 2), which it follows for small differences: 10 % of difference reads 3.2 here
    and 10 there. NaN where both are below `STILL_RAD`.
    """
    if not max(left, right) >= STILL_RAD:
        return float("nan")
    return float((np.pi / 4 - np.arctan2(left, right)) / (np.pi / 2) * 100)
