"""A curve and a body read at another time."""

from __future__ import annotations

import numpy as np

from gonio.comparison.time_lag import shifted_curve, shifted_positions

TIMES = np.arange(0, 1, 0.05)


def test_a_curve_read_later() -> None:
    moved = shifted_curve(10 * TIMES, TIMES, 0.1)
    np.testing.assert_allclose(moved[:-2], 10 * TIMES[2:])
    assert np.isnan(moved[-2:]).all()


def test_positions_off_the_mask_are_missing() -> None:
    positions = np.repeat(TIMES[:, None, None], 2, axis=1) * np.array([1.0, 2.0, 3.0])
    mask = np.ones((len(TIMES), 2), dtype=bool)
    mask[:, 1] = False
    moved = shifted_positions(positions, mask, TIMES, -0.1)
    np.testing.assert_allclose(moved[2:, 0], positions[:-2, 0], atol=1e-12)
    assert np.isnan(moved[:2]).all()
    assert np.isnan(moved[:, 1]).all()
