"""The clock: the common span, and resampling that invents nothing."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gonio.core.arrays import FloatArray
from gonio.core.clock import SAME_SAMPLE_S, at_rate, common_span, common_times, nearest_frame, nearest_frames, resample
from gonio.core.errors import InputError
from gonio.core.sequence import PoseSequence, Status
from gonio.core.skeleton import Skeleton

TWO = Skeleton("two", ("left_knee", "right_knee"), (-1, 0))


def sequence(times_s: FloatArray | list[float], **changes: object) -> PoseSequence:
    """Two joints that move along known straight lines: any linear interpolation gives `line` exactly."""
    times = np.asarray(times_s, dtype=float)
    fields: dict[str, object] = {"positions": line(times), "times_s": times, "skeleton": TWO, "unit": "m"}
    return PoseSequence(**(fields | {"frame": "world"} | changes))  # type: ignore[arg-type]


def line(times_s: FloatArray | list[float]) -> FloatArray:
    """(time, 2, 3) m"""
    t = np.asarray(times_s, dtype=float)[:, None]
    return np.stack([t * [1.0, -2.0, 3.0] + [0.1, 0.2, 0.3], t * [-0.5, 0.0, 0.25]], axis=1)


def rising(least: float, most: float) -> st.SearchStrategy[FloatArray]:
    """Uneven, strictly increasing times in milliseconds, at least 2 ms apart, as seconds."""
    numbers = st.lists(st.integers(int(least * 500), int(most * 500)), min_size=1, max_size=25, unique=True)
    return numbers.map(lambda values: np.array(sorted(values)) / 500)


class TestCommonSpan:
    def test_latest_start_to_earliest_end(self) -> None:
        clocks = [np.arange(0, 2, 0.1), np.arange(0.5, 3, 0.1), np.arange(-1, 1.5, 0.1)]
        assert common_span(clocks) == pytest.approx((0.5, 1.4))

    def test_one_recording_spans_itself(self) -> None:
        assert common_span([np.array([0.2, 0.4, 0.9])]) == (0.2, 0.9)

    def test_recordings_that_touch_share_a_moment(self) -> None:
        assert common_span([np.array([0.0, 1.0]), np.array([1.0, 2.0])]) == (1.0, 1.0)

    def test_no_overlap_names_the_spans(self) -> None:
        with pytest.raises(InputError, match=r"0\.000-1\.000 s.*5\.000-6\.000 s"):
            common_span([np.array([0.0, 1.0]), np.array([5.0, 6.0])])

    def test_a_recording_without_frames(self) -> None:
        with pytest.raises(InputError, match="frame"):
            common_span([np.array([0.0, 1.0]), np.array([])])


class TestCommonTimes:
    def test_the_slowest_recording_gives_the_times(self) -> None:
        """A camera at 60 Hz, one at 30 Hz and motion capture at 100 Hz: the 30 Hz frames."""
        slow = np.arange(30) / 30
        found = common_times([np.arange(60) / 60, slow, np.arange(100) / 100])
        np.testing.assert_array_equal(found, slow)

    def test_only_inside_the_span(self) -> None:
        slow, fast = np.arange(0, 10, 0.1), np.arange(200) / 60 + 2.05
        np.testing.assert_allclose(common_times([slow, fast]), np.arange(21, 54) * 0.1)

    def test_a_hair_outside_the_span_is_inside(self) -> None:
        """Times printed with three decimals: the last frames must not be lost to rounding."""
        times = np.arange(10) / 30
        np.testing.assert_array_equal(common_times([times, times.round(3)]), times)

    @given(st.lists(rising(0, 3), min_size=1, max_size=4))
    def test_every_time_is_a_frame_that_all_recordings_cover(self, clocks: list[FloatArray]) -> None:
        start, end = max(c[0] for c in clocks), min(c[-1] for c in clocks)
        if end < start:
            with pytest.raises(InputError, match="overlap"):
                common_times(clocks)
            return
        found = common_times(clocks)
        assert len(found) >= 1
        assert (np.diff(found) > 0).all()
        assert ((found >= start - SAME_SAMPLE_S) & (found <= end + SAME_SAMPLE_S)).all()
        assert any(np.isin(found, clock).all() for clock in clocks)

    def test_one_frame_between_two_of_another(self) -> None:
        """A single photograph: its moment is covered by the other recording, which has no frame at just that time."""
        np.testing.assert_array_equal(common_times([np.array([0.5]), np.array([0.49, 0.52])]), [0.5])


class TestResample:
    def test_between_two_samples_it_is_linear(self) -> None:
        wanted = np.array([0.05, 0.125, 0.31])
        found = resample(sequence(np.arange(5) / 10), wanted)
        np.testing.assert_allclose(found.positions, line(wanted), atol=1e-12)
        assert (found.status == Status.INTERPOLATED).all()
        np.testing.assert_array_equal(found.times_s, wanted)

    def test_exact_samples_are_taken_unchanged(self) -> None:
        """To the last bit, with their status and confidence, though the clock is off by nearly half a millisecond."""
        rng = np.random.default_rng(0)
        status = rng.integers(1, 5, (20, 2)).astype(np.uint8)
        own = sequence(np.arange(20) / 30, positions=rng.normal(size=(20, 2, 3)), status=status)
        own = own.derive(confidence=rng.uniform(size=(20, 2)))
        wanted = own.times_s + rng.uniform(-0.00049, 0.00049, 20)
        found = resample(own, wanted)
        np.testing.assert_array_equal(found.positions, own.positions)
        np.testing.assert_array_equal(found.status, own.status)
        np.testing.assert_array_equal(found.confidence, own.confidence)
        np.testing.assert_array_equal(found.times_s, wanted)

    def test_beyond_half_a_millisecond_it_is_interpolated(self) -> None:
        found = resample(sequence(np.arange(5) / 10), np.array([0.1 + 0.0004, 0.2 + 0.0006]))
        np.testing.assert_array_equal(found.status[:, 0], [Status.MEASURED, Status.INTERPOLATED])

    @given(rising(0, 2), rising(-1, 3), st.booleans())
    def test_never_extrapolates_and_never_invents(self, own_s: FloatArray, wanted_s: FloatArray, holes: bool) -> None:
        """Whatever the times: a value is a sample, or lies on the line between two valid neighbours near enough."""
        positions = line(own_s)
        if holes:
            positions[::3, 0] = np.nan
        own = sequence(own_s, positions=positions)
        found = resample(own, wanted_s)
        max_gap_s = 1.5 * np.median(np.diff(own_s)) if len(own_s) > 1 else 0.0
        for i, t in enumerate(wanted_s):
            for joint in range(2):
                near = np.abs(own_s - t) <= SAME_SAMPLE_S
                if near.any():
                    expected, status = positions[near][0, joint], own.status[near][0, joint]
                elif own_s[0] < t < own_s[-1]:
                    after = int((own_s < t).sum())
                    pair = positions[after - 1 : after + 1, joint]
                    usable = own_s[after] - own_s[after - 1] <= max_gap_s + 1e-6 and not np.isnan(pair).any()
                    expected = line([t])[0, joint] if usable else np.full(3, np.nan)
                    status = Status.INTERPOLATED if usable else Status.MISSING
                else:
                    expected, status = np.full(3, np.nan), Status.MISSING
                np.testing.assert_allclose(found.positions[i, joint], expected, atol=1e-9)
                assert found.status[i, joint] == status

    def test_to_its_own_times_it_is_itself(self) -> None:
        own = sequence(np.cumsum(np.random.default_rng(1).uniform(0.01, 0.2, 30)))
        found = resample(own, own.times_s)
        np.testing.assert_array_equal(found.positions, own.positions)
        np.testing.assert_array_equal(found.status, own.status)

    def test_outside_the_recording_is_missing(self) -> None:
        found = resample(sequence([1.0, 1.1, 1.2]), np.array([0.9, 0.9996, 1.0, 1.2, 1.2004, 1.21]))
        np.testing.assert_array_equal(found.valid[:, 0], [False, True, True, True, True, False])
        np.testing.assert_array_equal(found.confidence[:, 0], [0, 1, 1, 1, 1, 0])

    @pytest.mark.parametrize(("max_gap_s", "bridged"), [(None, False), (0.2, False), (0.3, True), (1.0, True)])
    def test_a_gap_in_the_times_is_bridged_only_on_request(self, max_gap_s: float | None, bridged: bool) -> None:
        """10 Hz, but nothing between 0.2 and 0.5 s: three intervals, more than the 1.5 that are bridged by default."""
        own = sequence([0.0, 0.1, 0.2, 0.5, 0.6, 0.7])
        found = resample(own, np.array([0.15, 0.3, 0.4, 0.55]), max_gap_s)
        np.testing.assert_array_equal(found.valid[:, 0], [True, bridged, bridged, True])
        if bridged:
            np.testing.assert_allclose(found.positions, line(found.times_s), atol=1e-12)
            assert (found.status == Status.INTERPOLATED).all()

    def test_one_late_frame_is_bridged(self) -> None:
        """Real cameras jitter: an interval of 1.4 times the usual one is no gap."""
        assert resample(sequence([0.0, 0.1, 0.2, 0.34, 0.44]), np.array([0.27])).valid.all()

    def test_a_missing_neighbour_is_no_neighbour_and_only_for_its_joint(self) -> None:
        positions = line(np.arange(5) / 10)
        positions[2, 0] = np.nan
        found = resample(sequence(np.arange(5) / 10, positions=positions), np.array([0.05, 0.15, 0.2, 0.25, 0.35]))
        np.testing.assert_array_equal(found.valid[:, 0], [True, False, False, False, True])
        assert found.valid[:, 1].all()
        np.testing.assert_array_equal(
            found.status[:, 1],
            [Status.INTERPOLATED, Status.INTERPOLATED, Status.MEASURED, Status.INTERPOLATED, Status.INTERPOLATED],
        )

    def test_confidence_is_that_of_the_weaker_neighbour(self) -> None:
        own = sequence([0.0, 0.1], confidence=np.array([[0.9, 0.2], [0.4, 0.8]]))
        np.testing.assert_array_equal(resample(own, np.array([0.05])).confidence, [[0.4, 0.2]])

    @pytest.mark.parametrize(("own_hz", "wanted_hz"), [(100, 30), (30, 100), (60, 50), (29.97, 30), (240, 25)])
    def test_different_rates_agree_with_numpy(self, own_hz: float, wanted_hz: float) -> None:
        own_s, wanted_s = np.arange(int(own_hz)) / own_hz, np.arange(int(wanted_hz)) / wanted_hz
        values = np.sin(7 * own_s[:, None, None] + np.arange(6).reshape(2, 3))
        found = resample(sequence(own_s, positions=values), wanted_s)
        inside = wanted_s <= own_s[-1]
        expected = np.stack([np.interp(wanted_s, own_s, v) for v in values.reshape(len(own_s), 6).T], axis=1)
        speed = 7 * SAME_SAMPLE_S  # an exact sample may be off by half a millisecond of movement
        np.testing.assert_allclose(found.positions[inside], expected.reshape(-1, 2, 3)[inside], atol=speed)
        assert not found.valid[wanted_s > own_s[-1] + SAME_SAMPLE_S].any()

    def test_a_single_frame_is_valid_at_its_own_time_only(self) -> None:
        found = resample(sequence([0.5]), np.array([0.4, 0.5, 0.6]))
        np.testing.assert_array_equal(found.valid[:, 0], [False, True, False])
        np.testing.assert_array_equal(found.positions[1], line([0.5])[0])

    def test_no_target_time(self) -> None:
        found = resample(sequence([0.0, 0.1]), np.array([]))
        assert found.positions.shape == (0, 2, 3)

    def test_without_frames_it_is_refused(self) -> None:
        with pytest.raises(InputError, match="frames"):
            resample(sequence([]), np.array([0.0]))

    def test_times_that_do_not_increase_are_refused(self) -> None:
        with pytest.raises(InputError, match="frame 2"):
            resample(sequence([0.0, 0.1]), np.array([0.0, 0.1, 0.1]))

    def test_covariance_of_a_weighted_mean_of_independent_errors(self) -> None:
        """Drawn, not derived: the scatter of the interpolated points over many draws is the covariance that is told."""
        rng = np.random.default_rng(2)
        mixing = rng.normal(size=(2, 2, 3, 3)) * 0.01
        covariance = mixing @ mixing.swapaxes(-1, -2)
        own = sequence([0.0, 0.1], covariance=covariance)
        found = resample(own, np.array([0.0, 0.03]))
        assert found.covariance is not None
        np.testing.assert_array_equal(found.covariance[0], covariance[0])
        errors = np.einsum("tjab,ntjb->ntja", mixing, rng.normal(size=(40_000, 2, 2, 3)))
        drawn = errors[:, 0] * 0.7 + errors[:, 1] * 0.3
        scatter = np.einsum("nja,njb->jab", drawn, drawn) / len(drawn)
        np.testing.assert_allclose(found.covariance[1], scatter, atol=0.03 * float(np.abs(scatter).max()))

    def test_covariance_of_a_quarter_and_a_half(self) -> None:
        """(1 - w)^2 C1 + w^2 C2, by hand."""
        covariance = np.ones((3, 2, 3, 3)) * np.array([1.0, 4.0, 9.0])[:, None, None, None]
        found = resample(sequence([0.0, 0.1, 0.2], covariance=covariance), np.array([0.025, 0.1, 0.15]))
        assert found.covariance is not None
        np.testing.assert_allclose(found.covariance[:, 0, 0, 0], [0.8125, 4, 3.25])

    def test_covariance_is_missing_where_the_joint_is(self) -> None:
        positions = line([0.0, 0.1, 0.2])
        positions[1, 0] = np.nan
        own = sequence([0.0, 0.1, 0.2], positions=positions, covariance=np.tile(np.eye(3), (3, 2, 1, 1)))
        found = resample(own, np.array([0.05, 0.3]))
        assert found.covariance is not None
        assert np.isnan(found.covariance[:, 0]).all()
        assert np.isnan(found.covariance[1]).all()
        np.testing.assert_allclose(found.covariance[0, 1], np.eye(3) / 2)

    def test_pixels_keep_their_image(self) -> None:
        own = PoseSequence(
            line([0.0, 0.1])[..., :2], np.array([0.0, 0.1]), TWO, "px", "image", "cam01", image_size_px=(640, 480)
        )
        found = resample(own, np.array([0.05]))
        assert (found.unit, found.frame, found.frame_name, found.image_size_px) == ("px", "image", "cam01", (640, 480))
        np.testing.assert_allclose(found.positions, line([0.05])[..., :2])

    def test_history_counts_what_was_done(self) -> None:
        found = resample(sequence([0.0, 0.1, 0.2]), np.array([-0.1, 0.0, 0.05, 0.1, 0.15, 0.2, 0.3]))
        assert re.findall(r"\d+", found.history[-1]) == ["7", "3", "2", "2"]


class TestAtRate:
    @pytest.mark.parametrize(
        ("own_hz", "n_frames", "rows", "counts"),
        [
            (60.0, 61, 31, "31 taken as they are, 0 interpolated, 0 without data"),
            (50.0, 101, 61, "21 taken as they are, 40 interpolated, 0 without data"),
            (25.0, 26, 31, "6 taken as they are, 25 interpolated, 0 without data"),
            (30.0, 10, 10, "10 taken as they are, 0 interpolated, 0 without data"),
        ],
    )
    def test_30_frames_a_second_from_the_first_frame_on(
        self, own_hz: float, n_frames: int, rows: int, counts: str
    ) -> None:
        again = at_rate(sequence(2.0 + np.arange(n_frames) / own_hz), 30)
        np.testing.assert_allclose(again.times_s, 2.0 + np.arange(rows) / 30, atol=1e-12)
        np.testing.assert_allclose(again.positions, line(again.times_s), atol=1e-9)
        assert again.history == (f"from {own_hz:g} to 30 frames per second: resampled to {rows} frames: {counts}",)

    def test_a_gap_stays_a_gap(self) -> None:
        again = at_rate(sequence(np.r_[0:21, 41:61] / 60), 30)
        np.testing.assert_array_equal(np.flatnonzero(~again.valid.any(axis=1)), np.arange(11, 21))

    @pytest.mark.parametrize("rate_hz", [0.0, -30.0, np.nan, np.inf])
    def test_no_rate(self, rate_hz: float) -> None:
        with pytest.raises(InputError, match="rate"):
            at_rate(sequence([0.0, 0.1]), rate_hz)

    def test_no_frame(self) -> None:
        with pytest.raises(InputError, match="frames"):
            at_rate(sequence([]), 30)


class TestNearestFrames:
    def test_the_nearest_within_half_an_interval(self) -> None:
        times_s = np.array([0.0, 0.1, 0.2, 0.6])
        wanted = np.array([-0.051, -0.049, 0.04, 0.06, 0.251, 0.549, 0.551, 0.65, 0.651])
        np.testing.assert_array_equal(nearest_frames(times_s, wanted), [-1, 0, 0, 1, -1, -1, 3, 3, -1])
        assert nearest_frame(times_s, 0.06) == 1
        assert nearest_frame(times_s, 0.4) is None

    def test_one_frame_and_none(self) -> None:
        np.testing.assert_array_equal(nearest_frames(np.array([1.0]), np.array([0.97, 0.981, 1.02])), [-1, 0, 0])
        np.testing.assert_array_equal(nearest_frames(np.array([]), np.array([0.0, 1.0])), [-1, -1])
