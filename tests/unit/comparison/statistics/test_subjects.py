"""The analysis of variance by subject against a plain loop, and what is dropped."""

from __future__ import annotations

import numpy as np
import pytest

from gonio.comparison.statistics.subjects import numbered, one_way, pairs
from gonio.core.errors import InputError


def test_the_analysis_of_variance_is_that_of_a_loop() -> None:
    generator = np.random.default_rng(0)
    subject = np.repeat([0, 1, 2, 3], [2, 5, 1, 4])
    values = generator.normal(size=(12, 1)) + subject[:, None]
    analysis = one_way(values, subject)
    grand = values.mean()
    between = within = 0.0
    for s in range(4):
        own = values[subject == s]
        between += len(own) * (own.mean() - grand) ** 2
        within += ((own - own.mean()) ** 2).sum()
    assert analysis.between[0, 0] == pytest.approx(between / 3)
    assert analysis.within[0, 0] == pytest.approx(within / 8)
    assert analysis.divisor == pytest.approx((144 - (4 + 25 + 1 + 16)) / (3 * 12))
    assert (analysis.df_between, analysis.df_within) == (3, 8)


def test_balanced_subjects_give_the_variance_of_their_means() -> None:
    generator = np.random.default_rng(1)
    subject = np.repeat(np.arange(9), 4)
    values = generator.normal(size=(36, 2))
    analysis = one_way(values, subject)
    means = values.reshape(9, 4, 2).mean(axis=1)
    assert analysis.divisor == pytest.approx(4)
    np.testing.assert_allclose(analysis.mean_variance, np.cov(means.T) / 9)
    np.testing.assert_allclose(analysis.total, np.cov(means.T) + 0.75 * analysis.within)


def test_one_value_each_gives_the_plain_covariance() -> None:
    values = np.random.default_rng(2).normal(size=(10, 2))
    analysis = one_way(values, np.arange(10))
    np.testing.assert_allclose(analysis.total, np.cov(values.T))


def test_missing_pairs_are_dropped_with_their_labels() -> None:
    estimate = np.array([1.0, np.nan, 3.0, 4.0, 5.0])
    reference = np.array([1.0, 2.0, np.nan, 4.5, 5.0])
    found = pairs(estimate, reference, ["b", "x", "a", "a", "b"])
    np.testing.assert_array_equal(found.estimate, [1, 4, 5])
    np.testing.assert_array_equal(found.subject, [0, 1, 0])
    np.testing.assert_array_equal(found.difference, [0, -0.5, 0])
    assert (found.n, found.n_subjects, found.n_dropped) == (3, 2, 2)


def test_labels_are_numbered_as_they_come() -> None:
    number, count = numbered(["s2", "s1", "s2"], 3)
    np.testing.assert_array_equal(number, [0, 1, 0])
    assert count == 2


@pytest.mark.parametrize(
    ("estimate", "reference", "subjects", "words"),
    [
        (np.zeros(3), np.zeros(4), None, r"\(3,\) and \(4,\)"),
        (np.zeros((3, 2)), np.zeros((3, 2)), None, r"\(3, 2\)"),
        (np.zeros(3), np.zeros(3), [1, 2], "3 values"),
        (np.array([1.0, np.nan]), np.zeros(2), None, r"1.*2"),
    ],
)
def test_what_cannot_be_used_is_refused(estimate, reference, subjects, words) -> None:
    with pytest.raises(InputError, match=words):
        pairs(estimate, reference, subjects)
