"""What is measured of each repetition: synthetic truth."""

from __future__ import annotations

import numpy as np
import pytest

from gonio.core.angle_series import AngleSeries
from gonio.kinematics.repetition_values import Symmetry, repetition_values, symmetries, symmetry_angle_pct
from gonio.kinematics.repetitions import Repetitions

TIMES = np.arange(0, 10, 0.01)
WAVE = (1 - np.cos(2 * np.pi * TIMES / 4)) / 2  # up and down in 4 s
TWO = Repetitions("left_knee", np.array([0.0, 4.0]), np.array([4.0, 8.0]), np.array([2.0, 6.0]), "")


def series(**angles_rad: np.ndarray) -> AngleSeries:
    columns = np.stack(list(angles_rad.values()), axis=1)
    return AngleSeries(columns, TIMES, tuple(angles_rad), ("",) * len(angles_rad), ((0.0, 3.2),) * len(angles_rad))


def test_a_cosine() -> None:
    first, second = repetition_values(series(left_knee=0.2 + 1.5 * WAVE), TWO)
    assert (first.repetition, second.repetition, second.angle) == (1, 2, "left_knee")
    for row in (first, second):
        assert row.duration_s == pytest.approx(4)
        assert row.rom_rad == pytest.approx(1.5, abs=1e-6)
        assert row.peak_rad == pytest.approx(1.7, abs=1e-6)
        assert row.peak_s == pytest.approx(2, abs=0.01)
        assert row.mean_speed_rad_s == pytest.approx(2 * 1.5 / 4, rel=0.03)
        assert row.peak_speed_rad_s == pytest.approx(1.5 * np.pi / 4, rel=0.03)
        assert row.missing == 0


def test_missing_values() -> None:
    gone = np.where((TIMES > 1) & (TIMES < 1.1), np.nan, WAVE)
    never = np.where(TIMES <= 4, np.nan, WAVE)
    rows = {(row.repetition, row.angle): row for row in repetition_values(series(left_knee=gone, hip=never), TWO)}
    assert rows[1, "left_knee"].missing == 9
    assert rows[1, "left_knee"].rom_rad == pytest.approx(1, abs=1e-6)
    assert rows[1, "left_knee"].mean_speed_rad_s == pytest.approx(0.5, rel=0.05)
    unseen = rows[1, "hip"]
    assert unseen.duration_s == 4
    assert unseen.missing == 401
    assert np.isnan([unseen.rom_rad, unseen.peak_rad, unseen.peak_s, unseen.mean_speed_rad_s]).all()
    assert rows[2, "hip"].rom_rad == pytest.approx(1, abs=1e-3)


def test_no_repetition_no_rows() -> None:
    none = Repetitions("", np.empty(0), np.empty(0), np.empty(0), "no repetition")
    assert repetition_values(series(left_knee=WAVE), none) == ()
    assert symmetries(()) == ()


def test_symmetry_of_both_sides() -> None:
    angles = series(left_knee=WAVE, trunk=WAVE, right_knee=np.where(TIMES < 4, 1, 0.5) * WAVE, left_elbow=WAVE)
    found = symmetries(repetition_values(angles, TWO))
    assert [(row.repetition, row.angle) for row in found] == [(1, "knee"), (2, "knee")]
    assert isinstance(found[0], Symmetry)
    assert found[0].symmetry_angle_pct == pytest.approx(0, abs=1e-3)
    assert found[1].right_rad == pytest.approx(0.5, abs=1e-6)
    assert found[1].symmetry_angle_pct == pytest.approx((45 - np.rad2deg(np.arctan(2))) / 90 * 100, abs=1e-3)


def test_the_symmetry_angle() -> None:
    assert symmetry_angle_pct(1, 1) == pytest.approx(0)
    assert symmetry_angle_pct(0, 1) == pytest.approx(50)
    assert symmetry_angle_pct(1, 0) == pytest.approx(-50)
    assert symmetry_angle_pct(0.95, 1.05) == pytest.approx(3.18, abs=0.01)
    assert symmetry_angle_pct(3, 5) == pytest.approx(-symmetry_angle_pct(5, 3))
    assert np.isnan(symmetry_angle_pct(0.01, 0.005))  # both still
    assert np.isnan([symmetry_angle_pct(np.nan, 1), symmetry_angle_pct(1, np.nan)]).all()
