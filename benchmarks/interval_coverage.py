"""How often the 95 % intervals of agreement hold the truth. Prints a markdown table; takes some minutes.

    python benchmarks/interval_coverage.py [--studies 4000]

Simulated studies of 8, 20 and 50 subjects with 10 repetitions each, measured by two methods: a true value that differs
between subjects and between repetitions, a method with a bias, an error of its own in each subject and noise, and a
reference with noise. All normal, in degrees, seeded. Each row is another ratio of these variances; "unbalanced" has 2
to 10 repetitions. The intervals are those of the package, called as a study calls them.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np

from gonio.comparison.statistics.generalised_intervals import rmse_interval
from gonio.comparison.statistics.limits_of_agreement import AGREEMENT_Z, limits_of_agreement
from gonio.comparison.statistics.reliability import icc_agreement
from gonio.core.arrays import FloatArray, IntArray

SUBJECTS = (8, 20, 50)
REPETITIONS = 10
FIGURES = ("bias", "lower limit", "upper limit", "ICC(2,1)", "ICC(3,1)", "RMSE")


@dataclass(frozen=True)
class Design:
    """Standard deviations in degrees, the bias in degrees and the share of a movement that the method reads."""

    between: float
    repetition: float
    method_by_subject: float
    method_noise: float
    reference_noise: float
    bias: float = 0.0
    gain: float = 1.0
    fewest: int = REPETITIONS


DESIGNS = {
    "subjects differ, methods close": Design(10, 3, 3, 2, 1),
    "the same, bias of 3": Design(10, 3, 3, 2, 1, bias=3),
    "the same, unbalanced": Design(10, 3, 3, 2, 1, bias=3, fewest=2),
    "repetitions differ as much as subjects": Design(5, 5, 5, 3, 3),
    "repetitions as much, unbalanced": Design(5, 5, 5, 3, 3, fewest=2),
    "large bias, no error of a subject's own": Design(5, 2, 0, 2, 2, bias=5),
    "method reads 70 % of a movement": Design(10, 3, 3, 2, 1, bias=3, gain=0.7),
    "subjects alike, methods poor": Design(3, 3, 5, 5, 5),
    "methods nearly the same": Design(10, 1, 1, 0.5, 0.5),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=4000)
    studies = parser.parse_args().studies
    print(f"Coverage of nominal 95 % intervals, %; {studies} studies in each row\n")
    print("| subjects | variances | " + " | ".join(FIGURES) + " |")
    print("|---|---|" + "---|" * len(FIGURES))
    for n in SUBJECTS:
        for name, design in DESIGNS.items():
            shares = coverage(design, n, studies)
            print(f"| {n} | {name} | " + " | ".join(f"{100 * share:.1f}" for share in shares) + " |", flush=True)


def coverage(design: Design, n: int, studies: int, seed: int = 0) -> FloatArray:
    """(figures,) share of the studies of n subjects whose interval holds the truth."""
    generator = np.random.default_rng(seed)
    truth = true_figures(design)
    held = np.zeros(len(FIGURES))
    for _ in range(studies):
        estimate, reference, subjects = study(design, n, generator)
        limits = limits_of_agreement(estimate, reference, subjects)
        intervals = [limits.bias_interval, limits.low_interval, limits.high_interval]
        intervals += [icc_agreement(estimate, reference, subjects, kind=kind).interval for kind in ("2,1", "3,1")]
        intervals.append(rmse_interval(estimate, reference, subjects))
        held += [i is not None and i.low <= value <= i.high for i, value in zip(intervals, truth, strict=True)]
    return held / studies


def study(design: Design, n: int, generator: np.random.Generator) -> tuple[FloatArray, FloatArray, IntArray]:
    """Estimates, references and subjects, each (pairs,)."""
    subject = np.repeat(np.arange(n), generator.integers(design.fewest, REPETITIONS + 1, n))
    of_subject, of_value = generator.standard_normal((2, n)), generator.standard_normal((3, len(subject)))
    true = design.between * of_subject[0, subject] + design.repetition * of_value[0]
    own = design.method_by_subject * of_subject[1, subject]
    estimate = design.bias + design.gain * true + own + design.method_noise * of_value[1]
    return estimate, true + design.reference_noise * of_value[2], subject


def true_figures(design: Design) -> tuple[float, ...]:
    true = design.between**2 + design.repetition**2
    own = design.method_by_subject**2 + design.method_noise**2
    apart = (design.gain - 1) ** 2 * true + own + design.reference_noise**2
    half = AGREEMENT_Z * np.sqrt(apart)
    shared, both = 2 * design.gain * true, (1 + design.gain**2) * true + own + design.reference_noise**2
    icc, rmse = (shared / (both + design.bias**2), shared / both), np.sqrt(design.bias**2 + apart)
    return design.bias, design.bias - half, design.bias + half, *icc, rmse


if __name__ == "__main__":
    main()
