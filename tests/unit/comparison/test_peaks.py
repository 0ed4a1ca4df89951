"""The difference at the peak of each repetition."""

from __future__ import annotations

import numpy as np

from gonio.comparison.agreement import peak_differences

TIMES = np.arange(0, 4, 0.02)
SPANS = np.array([[0.0, 2.0], [2.0, 4.0]])
FLEXION = 60 * np.sin(np.pi * TIMES / 2) ** 2


def test_peaks_forgive_a_delay_and_see_a_smaller_movement() -> None:
    late = 0.9 * 60 * np.sin(np.pi * (TIMES - 0.1) / 2) ** 2 + 2
    np.testing.assert_allclose(peak_differences(late, FLEXION, TIMES, SPANS), [-4, -4], atol=0.1)


def test_a_movement_downwards() -> None:
    np.testing.assert_allclose(peak_differences(170 - 1.1 * FLEXION, 170 - FLEXION, TIMES, SPANS), [-6, -6], atol=0.1)


def test_no_peak_without_movement_or_samples() -> None:
    still = np.full(len(TIMES), 30.0)
    assert len(peak_differences(FLEXION, still, TIMES, SPANS)) == 0
    gone = np.where(TIMES < 2, np.nan, FLEXION)
    assert len(peak_differences(gone, FLEXION, TIMES, SPANS)) == 1
