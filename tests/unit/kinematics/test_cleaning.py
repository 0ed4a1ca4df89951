"""Confidence gate, gap filling and the low-pass filter."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.interpolate import PchipInterpolator

from gonio.core.clock import resample
from gonio.core.errors import InputError
from gonio.core.sequence import PoseSequence, Status
from gonio.core.skeleton import BODY_12, Skeleton
from gonio.kinematics.cleaning import fill_gaps, gate_confidence, lowpass

TWO = Skeleton("two", ("left_knee", "left_ankle"), (-1, 0))


def sequence(positions: np.ndarray, times_s: np.ndarray | None = None, **fields: object) -> PoseSequence:
    """A sequence of the two joints from (time, 2, 2 or 3) positions, at 50 Hz unless told otherwise."""
    times = np.arange(len(positions)) / 50 if times_s is None else times_s
    flat = positions.shape[2] == 2
    return PoseSequence(positions, times, TWO, "px" if flat else "m", "image" if flat else "world", **fields)


def walk(n_frames: int = 60, dimensions: int = 3) -> np.ndarray:
    """Smooth motion, (time, 2, d)."""
    t = np.arange(n_frames)[:, None, None] / 50
    phase = np.arange(2 * dimensions).reshape(2, dimensions)
    return np.sin(2 * np.pi * t + phase) + 3 * t


def with_gap(positions: np.ndarray, joint: int, start: int, stop: int) -> np.ndarray:
    holed = positions.copy()
    holed[start:stop, joint] = np.nan
    return holed


class TestGateConfidence:
    def test_takes_what_lies_below_and_counts_it_per_joint(self) -> None:
        confidence = np.ones((60, 2))
        confidence[:3, 0] = 0.49
        confidence[3, 0] = 0.5
        confidence[10:20, 1] = 0.1
        gated = gate_confidence(sequence(walk(), confidence=confidence), 0.5)
        assert gated.counts()["left_knee"]["missing"] == 3
        assert gated.counts()["left_ankle"]["missing"] == 10
        assert np.isnan(gated["left_knee"][:3]).all()
        assert (gated.confidence[:3, 0] == 0).all()
        np.testing.assert_array_equal(gated["left_knee"][3:], walk()[3:, 0])
        assert re.findall(r"[\d.]+", gated.history[-1]) == ["0.5", "13", "120", "3", "10"]

    def test_keeps_status_and_covariance_of_the_rest(self) -> None:
        confidence = np.ones((60, 2))
        confidence[0, 0] = 0.2
        status = np.full((60, 2), Status.INFERRED)
        covariance = np.broadcast_to(np.eye(3), (60, 2, 3, 3))
        gated = gate_confidence(
            sequence(walk(), confidence=confidence, status=status, covariance=covariance), min_confidence=0.3
        )
        assert gated.status[0, 0] == Status.MISSING
        assert (gated.status.ravel()[1:] == Status.INFERRED).all()
        assert np.isnan(gated.covariance[0, 0]).all()
        assert not np.isnan(gated.covariance.reshape(-1, 9)[1:]).any()

    @pytest.mark.parametrize("threshold", [-0.1, 1.1, float("nan"), 50])
    def test_threshold_outside_its_interval(self, threshold: float) -> None:
        with pytest.raises(InputError, match=r"0\.\.1"):
            gate_confidence(sequence(walk()), threshold)

    def test_zero_takes_nothing(self) -> None:
        assert gate_confidence(sequence(walk(), confidence=np.zeros((60, 2))), 0).valid.all()


class TestFillGaps:
    @pytest.mark.parametrize("dimensions", [2, 3])
    def test_a_straight_motion_is_restored_exactly_at_uneven_times(self, dimensions: int) -> None:
        times = np.cumsum(np.random.default_rng(3).uniform(0.01, 0.03, 40))
        truth = np.stack([np.outer(times, np.arange(1, dimensions + 1)), np.outer(times, -np.ones(dimensions))], axis=1)
        holed = with_gap(with_gap(truth, 0, 5, 9), 1, 20, 21)
        filled = fill_gaps(sequence(holed, times), 1.0)
        np.testing.assert_allclose(filled.positions, truth, atol=1e-12)
        assert filled.counts()["left_knee"]["interpolated"] == 4
        assert (filled.status[5:9, 0] == Status.INTERPOLATED).all()
        assert filled.status[20, 1] == Status.INTERPOLATED

    def test_agrees_with_one_interpolator_per_coordinate(self) -> None:
        holed = with_gap(with_gap(walk(), 0, 10, 13), 0, 30, 34)
        filled = fill_gaps(sequence(holed), 0.2)
        times, there = filled.times_s, ~np.isnan(holed[:, 0, 0])
        for axis in range(3):
            wanted = PchipInterpolator(times[there], holed[there, 0, axis])(times)
            np.testing.assert_allclose(filled["left_knee"][:, axis], wanted, atol=1e-12)
        straight = np.stack([np.interp(times, times[there], holed[there, 0, axis]) for axis in range(3)], axis=1)
        error, straight_error = (np.linalg.norm(x - walk()[:, 0]) for x in (filled["left_knee"], straight))
        assert error < 0.4 * straight_error

    def test_a_gap_lasts_from_the_sample_before_to_the_sample_after(self) -> None:
        holed = with_gap(walk(), 0, 10, 14)  # samples at 9 and 14: 0.1 s, although only 0.08 s of frames are missing
        assert fill_gaps(sequence(holed), 0.1).valid.all()
        left = fill_gaps(sequence(holed), 0.0999)
        assert (~left.valid).sum() == 4
        assert "left: 1 gap (4 positions) that last longer" in left.history[-1]

    def test_duration_is_time_and_not_a_number_of_frames(self) -> None:
        times = np.arange(60) / 50
        times[11:] += 5.0  # the recording stood still; one frame is missing on its edge
        holed = with_gap(walk(), 0, 10, 11)
        assert not fill_gaps(sequence(holed, times), 0.5).valid[10, 0]

    def test_never_extrapolates(self) -> None:
        holed = with_gap(with_gap(walk(), 0, 0, 4), 0, 57, 60)
        filled = fill_gaps(sequence(holed), 100)
        np.testing.assert_array_equal(filled.valid, ~np.isnan(holed).any(axis=2))
        assert filled.history[-1].endswith("left: 0 gaps (0 positions) that last longer, 7 positions at the ends")

    def test_confidence_is_that_of_the_worse_side_and_covariance_unknown(self) -> None:
        confidence = np.ones((60, 2))
        confidence[9, 0], confidence[14, 0] = 0.7, 0.4
        covariance = np.broadcast_to(np.eye(3), (60, 2, 3, 3))
        filled = fill_gaps(sequence(with_gap(walk(), 0, 10, 14), confidence=confidence, covariance=covariance), 0.5)
        np.testing.assert_array_equal(filled.confidence[10:14, 0], 0.4)
        assert np.isnan(filled.covariance[10:14, 0]).all()
        assert not np.isnan(filled.covariance[:, 1]).any()

    def test_joints_never_seen_once_or_not_at_all(self) -> None:
        positions = np.full((60, 2, 3), np.nan)
        positions[30, 0] = 1.0
        filled = fill_gaps(sequence(positions), 100)
        assert filled.valid.sum() == 1
        assert "119 positions at the ends" in filled.history[-1]

    def test_no_frames(self) -> None:
        empty = sequence(np.empty((0, 2, 3)))
        assert len(fill_gaps(gate_confidence(empty, 0.5), 0.1)) == 0

    @given(
        arrays(np.float64, (25, 2, 3), elements=st.floats(-5, 5, width=32)),
        arrays(np.bool_, (25, 2)),
        st.floats(0.02, 0.4),
    )
    @settings(max_examples=60, deadline=None)
    def test_fills_stay_between_their_sides_and_samples_stay_as_they_are(
        self, positions: np.ndarray, missing: np.ndarray, max_gap_s: float
    ) -> None:
        holed = np.where(missing[..., None], np.nan, positions)
        before = sequence(holed)
        after = fill_gaps(before, max_gap_s)
        np.testing.assert_array_equal(after.positions[before.valid], before.positions[before.valid])
        for joint in range(2):
            known = np.flatnonzero(before.valid[:, joint])
            for frame in np.flatnonzero(~before.valid[:, joint]):
                inside = known.size > 0 and known[0] < frame < known[-1]
                sides = [known[known < frame][-1], known[known > frame][0]] if inside else []
                short = inside and (sides[1] - sides[0]) / 50 <= max_gap_s + 1e-9
                assert after.valid[frame, joint] == short
                if short:
                    low, high = np.sort(holed[sides, joint], axis=0)
                    assert (after.positions[frame, joint] >= low - 1e-9).all()
                    assert (after.positions[frame, joint] <= high + 1e-9).all()

    @pytest.mark.parametrize("max_gap_s", [0, -1, float("nan")])
    def test_length_that_is_none(self, max_gap_s: float) -> None:
        with pytest.raises(InputError, match="seconds"):
            fill_gaps(sequence(walk()), max_gap_s)


def winter(raw: np.ndarray, cutoff_hz: float, rate_hz: float) -> np.ndarray:
    """Winter's own recursion (2009): second order with the corrected cutoff, forwards and then backwards."""
    omega = np.tan(np.pi * cutoff_hz / rate_hz) / 0.802
    k1, k2 = np.sqrt(2) * omega, omega**2
    a0 = k2 / (1 + k1 + k2)
    k3 = 2 * a0 / k2
    b1, b2 = -2 * a0 + k3, 1 - 2 * a0 - k3

    def once(x: np.ndarray) -> np.ndarray:
        y = x.copy()
        for i in range(2, len(x)):
            y[i] = a0 * x[i] + 2 * a0 * x[i - 1] + a0 * x[i - 2] + b1 * y[i - 1] + b2 * y[i - 2]
        return y

    return once(once(raw)[::-1])[::-1]


def amplitude(signal: np.ndarray, frequency_hz: float, rate_hz: float) -> complex:
    """The complex amplitude of a sine at `frequency_hz` in the middle of a signal of whole periods."""
    middle = slice(len(signal) // 4, 3 * len(signal) // 4)
    t = np.arange(len(signal))[middle] / rate_hz
    return complex(2 * np.mean(signal[middle] * np.exp(-2j * np.pi * frequency_hz * t)))


class TestLowpass:
    @pytest.mark.parametrize("order", [2, 4, 6, 8])
    @pytest.mark.parametrize("rate_hz", [30.0, 50.0, 100.0])
    def test_the_whole_filter_is_3_db_down_at_the_cutoff_and_has_no_delay(self, order: int, rate_hz: float) -> None:
        t = np.arange(int(16 * rate_hz)) / rate_hz
        positions = np.zeros((len(t), 2, 3))
        for axis, frequency in enumerate((1.0, 6.0, 12.0)):
            positions[:, 0, axis] = np.cos(2 * np.pi * frequency * t)
        filtered = lowpass(sequence(positions, t), 6.0, order)["left_knee"]
        gains = [amplitude(filtered[:, axis], f, rate_hz) for axis, f in enumerate((1.0, 6.0, 12.0))]
        warped = np.tan(np.pi * np.array([1.0, 6.0, 12.0]) / rate_hz) / np.tan(np.pi * 6.0 / rate_hz)
        expected = 1 / (1 + (np.sqrt(2) - 1) * warped**order)  # the square of one pass, bilinear transform
        np.testing.assert_allclose(gains, expected, atol=1e-3)
        assert abs(gains[1]) == pytest.approx(1 / np.sqrt(2), abs=1e-3)
        np.testing.assert_allclose(np.angle(gains), 0, atol=1e-3)

    def test_agrees_with_winters_recursion_away_from_the_ends(self) -> None:
        rng = np.random.default_rng(8)
        positions = walk(300) + rng.normal(scale=0.05, size=(300, 2, 3))
        filtered = lowpass(sequence(positions), 6.0).positions
        expected = winter(positions, 6.0, 50.0)
        np.testing.assert_allclose(filtered[60:-60], expected[60:-60], atol=2e-4)  # C rounded to 0.802 by Winter

    def test_a_straight_motion_passes_unchanged_to_its_very_ends(self) -> None:
        ramp = np.arange(80)[:, None, None] * np.ones((1, 2, 3)) / 50
        np.testing.assert_allclose(lowpass(sequence(ramp), 3.0).positions, ramp, atol=0.02 / 50)

    def test_takes_noise_away(self) -> None:
        noise = np.random.default_rng(1).normal(scale=0.01, size=(600, 2, 3))
        filtered = lowpass(sequence(walk(600) + noise), 6.0)
        after = np.std(filtered.positions - walk(600))
        assert after < 0.6 * 0.01  # 6 of 25 Hz of white noise remain: sqrt(6/25) = 0.49

    def test_never_bridges_a_gap(self) -> None:
        positions = walk(120)
        positions[60:, 0] += 10  # two plateaus, 10 m apart, with a gap between
        filtered = lowpass(sequence(with_gap(positions, 0, 58, 60)), 6.0)
        np.testing.assert_allclose(filtered["left_knee"][:58], positions[:58, 0], atol=0.05)
        np.testing.assert_allclose(filtered["left_knee"][60:], positions[60:, 0], atol=0.05)
        assert not filtered.valid[58:60, 0].any()
        alone = lowpass(sequence(positions[:58]), 6.0)["left_knee"]
        np.testing.assert_allclose(filtered["left_knee"][:58], alone, atol=1e-12)

    def test_short_runs_stay_and_are_counted(self) -> None:
        rng = np.random.default_rng(2)
        positions = with_gap(with_gap(rng.normal(size=(100, 2, 3)), 0, 9, 12), 0, 50, 51)
        filtered = lowpass(sequence(positions), 6.0)  # a period of 6 Hz is 9 frames at 50 Hz
        np.testing.assert_array_equal(filtered["left_knee"][:9], positions[:9, 0])
        assert not np.allclose(filtered["left_knee"][12:50], positions[12:50, 0])
        assert re.findall(r"\d+", filtered.history[-1]) == ["6", "4", "50", "3", "1", "9", "9"]

    def test_status_stays_and_covariance_is_dropped(self) -> None:
        status = np.full((60, 2), Status.INTERPOLATED)
        covariance = np.broadcast_to(np.eye(3), (60, 2, 3, 3))
        filtered = lowpass(sequence(walk(), status=status, covariance=covariance), 6.0)
        np.testing.assert_array_equal(filtered.status, status)
        assert filtered.covariance is None
        assert filtered.history[-1].endswith("covariance dropped")

    def test_pixels_too(self) -> None:
        flat = sequence(walk(dimensions=2) * 100)
        assert lowpass(flat, 6.0).unit == "px"

    def test_times_rounded_to_milliseconds_are_even(self) -> None:
        times = np.round(np.arange(60) / 60, 3)
        assert "at 60.02 Hz" in lowpass(sequence(walk(), times), 6.0).history[-1]

    def test_a_dropped_frame_must_be_resampled_first(self) -> None:
        times = np.delete(np.arange(61) / 50, 20)
        uneven = sequence(walk(), times)
        with pytest.raises(InputError, match="even"):
            lowpass(uneven, 6.0)
        even = resample(uneven, np.arange(61) / 50)
        assert not even.valid[20].any()
        assert lowpass(fill_gaps(even, 0.05), 6.0).valid.all()

    @pytest.mark.parametrize("cutoff_hz", [0, -6, 25, 30, float("nan")])
    def test_cutoff_that_does_not_fit(self, cutoff_hz: float) -> None:
        with pytest.raises(InputError, match="25 Hz"):
            lowpass(sequence(walk()), cutoff_hz)

    @pytest.mark.parametrize("order", [0, 1, 3, -2])
    def test_order_that_two_passes_cannot_share(self, order: int) -> None:
        with pytest.raises(InputError, match="even"):
            lowpass(sequence(walk()), 6.0, order)

    @pytest.mark.parametrize("n_frames", [0, 1])
    def test_no_rate(self, n_frames: int) -> None:
        with pytest.raises(InputError, match="rate"):
            lowpass(sequence(walk(n_frames)), 6.0)


def test_agrees_with_pose2sims_filter(shared_data: Path) -> None:
    """Its "6 Hz" is the cutoff of each pass; that of the whole is 4.87 Hz at 60 frames per second."""
    folder = shared_data / "pose2sim" / "balancing" / "pose-3d"
    if not folder.is_dir():
        pytest.skip(f"no balancing trial at {folder}")

    def points(name: str) -> np.ndarray:
        rows = (folder / name).read_text().splitlines()[5:]
        table = np.array([[float(cell) for cell in row.split("\t") if cell.strip()] for row in rows if row.strip()])
        return table[:, 2:].reshape(len(table), -1, 3)[:, :2]

    raw = points("S00_P00_T01_BalancingTrial_0-100.trc")
    theirs = points("S00_P00_T01_BalancingTrial_0-100_filt_butterworth.trc")
    whole_hz = 60 / np.pi * np.arctan(np.tan(np.pi * 6 / 60) * (np.sqrt(2) - 1) ** 0.25)
    assert whole_hz == pytest.approx(4.87, abs=0.005)
    ours = lowpass(sequence(raw, np.arange(100) / 60), whole_hz).positions
    distance_mm = 1000 * np.linalg.norm(ours - theirs, axis=-1)
    assert distance_mm[15:-15].max() < 0.01  # of 12 mm that the filter moves a point on average
    assert distance_mm.max() < 2  # the ends are padded differently


def test_steps_return_new_sequences_and_tell_their_story() -> None:
    confidence = np.ones((60, 12))
    confidence[20:23, 4] = 0.1
    positions = np.repeat(walk()[:, :1], 12, axis=1)
    raw = PoseSequence(positions, np.arange(60) / 50, BODY_12, "m", "world", confidence=confidence, history=("made",))
    clean = lowpass(fill_gaps(gate_confidence(raw, 0.5), 0.1), 6.0)
    assert [step.split(" ")[0] for step in clean.history] == ["made", "confidence", "gaps", "low-pass"]
    assert clean.counts()["left_wrist"] == {
        "missing": 0, "measured": 57, "inferred": 0, "interpolated": 3, "repaired": 0,
    }  # fmt: skip
    np.testing.assert_array_equal(raw.positions, positions)
