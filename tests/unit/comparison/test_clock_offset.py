"""The lag between two recordings' joint angles: found to milliseconds, or said not to be known."""

from __future__ import annotations

import numpy as np
import pytest

from gonio.comparison.clock_offset import at_times, clock_offset
from gonio.core.angle_series import AngleSeries

RNG = np.random.default_rng(0)


def bump(times: np.ndarray, at: float, width: float = 0.4) -> np.ndarray:
    return np.asarray(np.exp(-(((times - at) / width) ** 2)))


def movement(times: np.ndarray, scale: float = 1.0) -> np.ndarray:
    """(time, 2) degrees: two bumps of unequal size and distance, in two joints."""
    knee = 60 * bump(times, 2.0) + 35 * bump(times, 4.5, 0.7)
    hip = 40 * bump(times, 2.3) + 5 * bump(times, 4.5)
    return scale * np.stack([knee, hip], axis=1)


def series(curves_deg: np.ndarray, times: np.ndarray) -> AngleSeries:
    names = tuple(f"angle_{i}" for i in range(curves_deg.shape[1]))
    return AngleSeries(np.deg2rad(curves_deg), times, names, ("",) * len(names), ((0.0, np.pi),) * len(names))


@pytest.mark.parametrize("offset_s", [0.0, 0.4, -0.733, 1.9])
def test_the_offset_of_a_clock_that_is_ahead(offset_s: float) -> None:
    reference_s, own_s = np.arange(0, 7, 0.01), np.arange(0.3, 6.6, 1 / 30)
    noisy = movement(own_s, 0.9) + 12 + RNG.normal(scale=2, size=(len(own_s), 2))
    found = clock_offset(series(noisy, own_s + offset_s), series(movement(reference_s), reference_s))
    assert found.unsure == ""
    assert found.offset_s == pytest.approx(offset_s, abs=0.01)
    assert found.angles == ("angle_0", "angle_1")
    assert found.rms_deg < 4
    assert found.clearly_better == (abs(offset_s) > 0.1)


def test_less_than_a_frame_is_found_in_smooth_curves() -> None:
    times = np.arange(0, 7, 1 / 30)
    found = clock_offset(series(movement(times), times + 0.0137), series(movement(times), times))
    assert found.offset_s == pytest.approx(0.0137, abs=0.002)


def test_clocks_that_do_not_meet() -> None:
    times = np.arange(0, 7, 0.02)
    found = clock_offset(series(movement(times), times + 1.0e6), series(movement(times), times))
    assert found.offset_s == pytest.approx(1.0e6, abs=0.01)
    assert found.rms_as_is_deg is None
    assert found.clearly_better
    near = clock_offset(series(movement(times), times + 1.0e6), series(movement(times), times), max_s=5)
    assert "5 s" in near.unsure


def test_a_person_who_stands_still_has_no_offset() -> None:
    times = np.arange(0, 7, 0.02)
    still = np.full((len(times), 2), 20.0) + RNG.normal(scale=1, size=(len(times), 2))
    found = clock_offset(series(still, times), series(movement(times), times))
    assert "10 degrees" in found.unsure
    assert not found.clearly_better


def test_repetitions_that_look_alike_are_not_guessed() -> None:
    times = np.arange(0, 12, 0.02)
    squats = (40 * np.sin(np.pi * times / 2) ** 2)[:, None]
    found = clock_offset(series(squats, times + 0.3), series(squats, times))
    assert "repetitions" in found.unsure


def test_other_movements_do_not_agree() -> None:
    times = np.arange(0, 7, 0.02)
    other = np.stack([30 * np.sin(9 * times), 30 * np.cos(7 * times)], axis=1)
    found = clock_offset(series(other, times), series(movement(times), times))
    assert found.unsure


def test_a_gap_is_not_bridged() -> None:
    curve = np.array([0.0, 1.0, np.nan, 3.0, 4.0])
    own = np.array([0.0, 0.1, 0.2, 0.3, 0.4])
    np.testing.assert_allclose(at_times(curve, own, np.array([-0.05, 0.05, 0.2, 0.45])), [np.nan, 0.5, 2.0, np.nan])
    wide = np.array([0.0, 0.1, 0.2, 0.5, 0.6])
    np.testing.assert_allclose(at_times(curve, wide, np.array([0.3, 0.55])), [np.nan, 3.5])
