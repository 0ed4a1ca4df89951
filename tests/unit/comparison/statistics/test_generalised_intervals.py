"""The interval of the RMSE where an exact one is known, and over studies whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from gonio.comparison.agreement import rmse
from gonio.comparison.statistics.generalised_intervals import HOW, rmse_interval


def test_by_subject_and_the_same_at_every_call() -> None:
    generator = np.random.default_rng(0)
    d = generator.normal(size=8) + 1
    once = rmse_interval(d, np.zeros(8))
    again = rmse_interval(np.repeat(d, 10), np.zeros(80), np.repeat(np.arange(8), 10))
    assert once is not None
    assert again is not None
    assert (again.low, again.high) == pytest.approx((once.low, once.high))
    assert once == rmse_interval(d, np.zeros(8))
    assert once.low < rmse(d, np.zeros(8)) < once.high
    assert once.how == HOW
    assert rmse_interval(d[:5], np.zeros(5)) is None


def test_without_a_variance_between_the_rmse_is_the_bias() -> None:
    found = rmse_interval(np.full(9, 3.0), np.zeros(9))
    assert found is not None
    assert (found.low, found.high) == pytest.approx((3, 3))


def test_with_a_large_bias_it_is_that_of_the_bias() -> None:
    d = 1000 + np.random.default_rng(1).normal(size=12)
    found = rmse_interval(d, np.zeros(12))
    assert found is not None
    half = stats.t.ppf(0.975, 11) * d.std(ddof=1) / np.sqrt(12)
    assert (found.low, found.high) == pytest.approx((d.mean() - half, d.mean() + half), abs=0.03)


@pytest.mark.parametrize("bias", [0.0, 2.0])
def test_it_covers(bias: float) -> None:
    """600 studies of 8 subjects with 10 pairs each; a true coverage of 95 % stays within 91.5..98.5 %."""
    generator = np.random.default_rng(2)
    subject = np.repeat(np.arange(8), 10)
    held = 0
    for _ in range(600):
        d = bias + generator.normal(size=8)[subject] + generator.normal(size=80)
        found = rmse_interval(d, np.zeros(80), subject)
        assert found is not None
        held += found.low <= np.sqrt(bias**2 + 2) <= found.high
    assert 549 < held < 591
