"""The bootstrap by subject against scipy's, and the rule that few subjects have no interval."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from gonio.comparison.statistics.intervals import TOO_FEW_SUBJECTS, Interval, check_level, cluster_bootstrap
from gonio.core.errors import InputError


def mean(values: np.ndarray) -> float:
    return float(values.mean())


def found(interval: Interval | None) -> Interval:
    assert interval is not None
    return interval


def test_one_value_each_is_the_plain_bootstrap() -> None:
    values = np.random.default_rng(0).exponential(size=40)
    plain = stats.bootstrap(
        (values,), np.mean, n_resamples=20000, method="BCa", rng=np.random.default_rng(1)
    ).confidence_interval
    interval = found(cluster_bootstrap(mean, values, subjects=None, n=20000))
    assert (interval.low, interval.high) == pytest.approx((plain.low, plain.high), abs=0.02)


def test_the_subject_is_the_unit() -> None:
    values = np.random.default_rng(1).normal(size=12)
    once = found(cluster_bootstrap(mean, values, subjects=np.arange(12)))
    again = found(cluster_bootstrap(mean, np.repeat(values, 10), subjects=np.repeat(np.arange(12), 10)))
    assert (again.low, again.high) == pytest.approx((once.low, once.high))


def test_the_seed_decides() -> None:
    values = np.random.default_rng(2).normal(size=(30, 2))
    subjects = np.repeat([f"s{i}" for i in range(10)], 3)

    def rmse(a: np.ndarray, b: np.ndarray) -> float:
        return float(np.sqrt(np.mean((a - b) ** 2)))

    first = cluster_bootstrap(rmse, *values.T, subjects=subjects, n=300)
    assert first == cluster_bootstrap(rmse, *values.T, subjects=subjects, n=300)
    assert first != cluster_bootstrap(rmse, *values.T, subjects=subjects, n=300, seed=1)
    assert "300" in found(first).how
    wider = found(cluster_bootstrap(rmse, *values.T, subjects=subjects, n=300, level=0.99))
    assert wider.low < found(first).low < rmse(*values.T) < found(first).high < wider.high


def test_few_subjects_or_no_spread_have_no_interval() -> None:
    assert TOO_FEW_SUBJECTS == 6
    values = np.arange(50.0)
    assert cluster_bootstrap(mean, values, subjects=np.repeat(np.arange(5), 10)) is None
    assert cluster_bootstrap(mean, np.ones(50), subjects=np.repeat(np.arange(10), 5)) is None
    assert cluster_bootstrap(lambda v: float("nan"), values, subjects=np.repeat(np.arange(10), 5)) is None


def test_what_cannot_be_used_is_refused() -> None:
    with pytest.raises(InputError, match="length"):
        cluster_bootstrap(mean, np.zeros(8), np.zeros(7), subjects=np.arange(8))
    with pytest.raises(InputError, match="labels"):
        cluster_bootstrap(mean, np.zeros(8), subjects=np.arange(7))
    for level in (0, 1, 95):
        with pytest.raises(InputError, match="level"):
            check_level(level)


def test_it_covers_roughly_at_twenty_subjects() -> None:
    """200 studies of 20 subjects with 5 values: a mean's interval holds it in 90 to 98 %."""
    generator = np.random.default_rng(3)
    subjects = np.repeat(np.arange(20), 5)
    held = 0
    for _ in range(200):
        values = generator.normal(size=20)[subjects] + generator.normal(size=100)
        interval = found(cluster_bootstrap(mean, values, subjects=subjects, n=200))
        held += interval.low <= 0 <= interval.high
    assert 178 <= held <= 197
