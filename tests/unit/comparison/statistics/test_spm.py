"""The bridge to spm1d: curves that differ in a known stretch, the unit of the test, and what has no test."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from gonio.comparison.statistics.intervals import NO_SPREAD_NOTE
from gonio.comparison.statistics.spm import spm_paired
from gonio.core.errors import InputError, MissingExtraError

TIME = np.linspace(0, 100, 101)


def smooth(generator: np.random.Generator, n: int) -> np.ndarray:
    """(n, 101) curves of a few slow waves."""
    waves = np.stack([np.sin(2 * np.pi * k * TIME / 100) for k in range(1, 4)] + [np.cos(np.pi * TIME / 50)])
    return generator.normal(size=(n, 4)) @ waves


def recorded(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Eight people, three repetitions; the estimate reads 10 degrees more from 40 to 60 % of the cycle."""
    generator = np.random.default_rng(seed)
    reference = 30 * smooth(generator, 24)
    bump = 10 * np.exp(-(((TIME - 50) / 7) ** 4))
    return reference + bump + smooth(generator, 24), reference, np.repeat(np.arange(8), 3)


def test_the_stretch_that_differs_is_found() -> None:
    pytest.importorskip("spm1d")
    estimate, reference, subjects = recorded()
    found = spm_paired(estimate, reference, subjects)
    assert len(found.clusters) == 1
    cluster = found.clusters[0]
    assert 38 < cluster.start_percent < 48
    assert 52 < cluster.end_percent < 62
    assert cluster.p < 0.001
    assert (found.n, found.n_subjects, found.n_dropped, found.note) == (24, 8, 0, "")


def test_t_is_that_of_the_subjects_means() -> None:
    pytest.importorskip("spm1d")
    estimate, reference, subjects = recorded(1)
    found = spm_paired(estimate, reference, subjects)
    means = (estimate - reference).reshape(8, 3, 101).mean(axis=1)
    t = means.mean(axis=0) / (means.std(axis=0, ddof=1) / np.sqrt(8))
    np.testing.assert_allclose(found.t, t, rtol=1e-6)
    # higher than a single t test allows, lower than one correction for 101 independent tests
    from scipy import stats

    assert stats.t.ppf(0.975, 7) < found.threshold < stats.t.ppf(1 - 0.025 / 101, 7)
    assert spm_paired(reference, estimate, subjects).t == pytest.approx(-found.t)


def test_few_subjects_or_no_spread_have_no_test() -> None:
    pytest.importorskip("spm1d")
    estimate, reference, subjects = recorded()
    few = spm_paired(estimate[:15], reference[:15], subjects[:15])
    assert few.note
    assert few.clusters == ()
    assert np.isnan(few.threshold)
    assert np.isnan(few.t).all()
    assert spm_paired(reference + 1, reference, subjects).note == NO_SPREAD_NOTE


def test_repetitions_with_a_gap_are_counted() -> None:
    pytest.importorskip("spm1d")
    estimate, reference, subjects = recorded()
    estimate[4, 30] = np.nan
    found = spm_paired(estimate, reference, subjects)
    assert (found.n, found.n_subjects, found.n_dropped) == (23, 8, 1)


def test_what_cannot_be_used_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    estimate, reference, _ = recorded()
    with pytest.raises(InputError, match=r"\(24, 101\) and \(24, 100\)"):
        spm_paired(estimate, reference[:, 1:])
    with pytest.raises(InputError, match="alpha"):
        spm_paired(estimate, reference, alpha=5)
    monkeypatch.setitem(sys.modules, "spm1d", None)
    with pytest.raises(MissingExtraError, match=r"gonio\[spm\]"):
        spm_paired(estimate, reference)
