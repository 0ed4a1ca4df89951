"""The values of one repetition, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from gonio.comparison.repetition_records import angle_values, known

WORDS = {
    "definitions": "gonio",
    "repetition": "e01",
    "method": "kinect",
    "quantity": "knee_flexion",
    "side": "left",
    "missed_alone": 0,
    "lag_s": 0.1,
    "moved": None,
}


def test_every_figure_is_over_the_samples_that_both_have() -> None:
    reference = np.array([0.0, 10, 40, 20, 90])
    estimate = np.array([2.0, 13, 40, 21, -50])
    value = angle_values(estimate, reference, np.array([True, True, True, True, False]), 30.0, **WORDS)
    assert value.n == 4
    assert value.bias == pytest.approx(1.5)
    assert value.rmse == pytest.approx(np.sqrt((4 + 9 + 0 + 1) / 4))
    assert value.rmse_bias_free == pytest.approx(np.std([2, 3, 0, 1]))
    assert (value.rom_method, value.rom_reference) == (38, 40)
    assert (value.peak_method, value.peak_reference) == (40, 40)
    assert (value.at_peak_method, value.at_peak_reference) == (40, 40)
    assert (value.mean_method, value.mean_reference) == (19, 17.5)
    assert (value.speed_method, value.speed_reference) == (27 * 30, 30 * 30)


def test_the_value_at_the_references_peak_is_not_the_methods_own() -> None:
    value = angle_values(np.array([0.0, 50, 30]), np.array([0.0, 20, 60]), np.ones(3, dtype=bool), 30.0, **WORDS)
    assert (value.peak_method, value.at_peak_method, value.at_peak_reference) == (50, 30, 60)


def test_a_flat_curve_has_no_correlation() -> None:
    value = angle_values(np.full(4, 3.0), np.arange(4.0), np.ones(4, dtype=bool), 30.0, **WORDS)
    assert value.r is None
    assert known(float("nan")) is None
