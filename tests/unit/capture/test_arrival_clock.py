"""Two clocks, one of which is known by noisy arrivals only: delay, drift and scatter against what was put in."""

import numpy as np
import pytest

from gonio.capture.arrival_clock import ArrivalClock


def arrivals(seconds: float, *, delay_s: float, drift: float = 0.0, seed: int = 0) -> ArrivalClock:
    """30 frames a second, each held up by 10 ms on average (exponential)."""
    rng = np.random.default_rng(seed)
    clock = ArrivalClock()
    last_s = -np.inf
    for stamp_s in 500 + np.arange(0, seconds, 1 / 30):
        last_s = max(last_s, stamp_s * (1 + drift) + delay_s + rng.exponential(0.010))
        clock.add(float(stamp_s), float(last_s))
    return clock


def test_the_delay_is_that_of_the_quickest_frames():
    fit = arrivals(60, delay_s=-432.1).fit()
    assert fit.delay_s == pytest.approx(-432.1, abs=5e-4)  # their mean would be 10 ms off
    assert fit.scatter_s < 1e-3


def test_a_clock_that_runs_too_slow_shows_as_drift():
    drift = 200e-6
    fit = arrivals(600, delay_s=3.0, drift=drift).fit()
    assert fit.drift == pytest.approx(drift, abs=5e-6)
    assert fit.delay_s == pytest.approx(3.0 + drift * fit.middle_s, abs=5e-4)


def test_a_burst_at_the_beginning_and_one_at_the_end_do_not_count():
    clock = ArrivalClock()
    for number in range(300):
        stamp_s = number / 30
        held_s = max(0.0, 2.0 - stamp_s)  # what was buffered before the stream was opened
        clock.add(stamp_s, stamp_s + 0.5 + held_s)
    clock.add(10.0, 10.0 + 0.5 - 0.1)  # broke off: its last frame came sooner than ever
    assert clock.fit().delay_s == pytest.approx(0.5, abs=1e-9)


def test_a_single_frame():
    clock = ArrivalClock()
    clock.add(7.0, 9.0)
    fit = clock.fit()
    assert (fit.delay_s, fit.drift, fit.scatter_s) == (2.0, 0.0, 0.0)
