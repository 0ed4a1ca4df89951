"""The coefficient of multiple correlation against loops that write the papers' sums out, and worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gonio.comparison.statistics.curves import cmc, cmc_between_methods
from gonio.core.errors import InputError

TIME = np.linspace(0, 1, 51)
WAVE = 30 * np.sin(2 * np.pi * TIME)


def kadaba(curves: np.ndarray) -> float:
    """1989, the within-day CMC of one day, sum by sum."""
    n, samples = curves.shape
    above = below = 0.0
    for j in range(n):
        for t in range(samples):
            above += (curves[j, t] - curves[:, t].mean()) ** 2
            below += (curves[j, t] - curves.mean()) ** 2
    return float(np.sqrt(1 - (above / (samples * (n - 1))) / (below / (n * samples - 1))))


def ferrari(curves: np.ndarray) -> float:
    """2010, the inter-protocol CMC of (protocol, gait cycle, frame), sum by sum."""
    protocols, cycles, frames = curves.shape
    above = below = 0.0
    for g in range(cycles):
        for p in range(protocols):
            for f in range(frames):
                above += (curves[p, g, f] - curves[:, g, f].mean()) ** 2
                below += (curves[p, g, f] - curves[:, g].mean()) ** 2
    return float(
        np.sqrt(1 - (above / (cycles * frames * (protocols - 1))) / (below / (cycles * (protocols * frames - 1))))
    )


def test_by_hand() -> None:
    # repetitions 0 2 4 and 2 4 6: about the mean curve 6 x 1 over 3 x 1; about 3, 9 + 1 + 1 + 1 + 1 + 9 = 22 over 5
    assert cmc(np.array([[0.0, 2, 4], [2, 4, 6]])) == pytest.approx(np.sqrt(1 - (6 / 3) / (22 / 5)), abs=1e-12)
    # as two methods of one repetition it is the same sum
    both = cmc_between_methods(np.array([[[0.0, 2, 4]], [[2, 4, 6]]]))
    assert both == pytest.approx(np.sqrt(6 / 11), abs=1e-12)


@given(st.integers(0, 1000), st.floats(0.1, 50), st.floats(-100, 100))
@settings(max_examples=10, deadline=None)
def test_the_papers_sums_and_any_unit(seed: int, scale: float, shift: float) -> None:
    generator = np.random.default_rng(seed)
    curves = WAVE + 3 * generator.normal(size=(3, 4, 1)) + generator.normal(size=(3, 4, 51))
    assert cmc(curves[0]) == pytest.approx(kadaba(curves[0]), abs=1e-9)
    assert cmc_between_methods(curves) == pytest.approx(ferrari(curves), abs=1e-9)
    assert cmc(scale * curves[0] + shift) == pytest.approx(cmc(curves[0]), abs=1e-6)
    assert cmc_between_methods(scale * curves[::-1] + shift) == pytest.approx(cmc_between_methods(curves), abs=1e-6)


def test_the_same_error_looks_worse_on_a_small_movement() -> None:
    offsets = np.array([[-2.0], [0], [2]])
    assert cmc(WAVE + offsets) > 0.99
    assert cmc(WAVE / 10 + offsets) < 0.75


def test_what_differs_between_repetitions_does_not_count_between_methods() -> None:
    repetitions = WAVE + np.array([[-20.0], [0], [20]])
    assert cmc(repetitions) < 0.75
    assert cmc_between_methods(np.stack([repetitions, repetitions])) == pytest.approx(1)


def test_undefined_is_nan() -> None:
    assert np.isnan(cmc(np.array([[0.0, 1, 0, 1], [10, 11, 10, 11]])))  # they differ by more than they move
    assert np.isnan(cmc(np.full((3, 5), 2.0)))
    assert np.isnan(cmc(np.full((3, 5), np.nan)))


def test_samples_that_all_have() -> None:
    curves = WAVE + np.random.default_rng(0).normal(size=(4, 51))
    gap = curves.copy()
    gap[1, 10:15] = np.nan
    assert cmc(gap) == pytest.approx(kadaba(np.delete(curves, range(10, 15), axis=1)))
    methods = np.stack([curves, curves + 1])
    lost = methods.copy()
    lost[0, 2] = np.nan
    assert cmc_between_methods(lost) == pytest.approx(cmc_between_methods(methods[:, [0, 1, 3]]))


def test_what_cannot_be_used_is_refused() -> None:
    for shape in ((1, 51), (51,), (3, 1), (2, 3, 4)):
        with pytest.raises(InputError, match="CMC"):
            cmc(np.zeros(shape))
    for shape in ((2, 51), (1, 3, 51), (2, 3, 1)):
        with pytest.raises(InputError, match="method"):
            cmc_between_methods(np.zeros(shape))
