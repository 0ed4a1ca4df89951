"""The agreement of one joint angle in one recording.

`ANGLE_FIGURES` is the table of its figures: the fields of results.json, the columns of angles.csv, the tables of the
report and the list in docs/statistics.md follow from it. A new figure is one field of `AngleAgreement` and one entry.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gonio.comparison import agreement
from gonio.core.arrays import FloatArray


@dataclass(frozen=True, kw_only=True)
class AngleAgreement:
    """One angle of one method; `ANGLE_FIGURES` explains the numbers. None if a number does not exist.

    n_samples   times at which the reference and all methods that measure the angle have it: most figures are over these
    n_all       times at which the method itself has it
    n_peaks     repetitions with a peak
    """

    rmse_deg: float | None = None
    bias_deg: float | None = None
    r: float | None = None
    rom_deg: float | None = None
    rom_reference_deg: float | None = None
    rom_all_deg: float | None = None
    peak_rmse_deg: float | None = None
    peak_bias_deg: float | None = None
    n_samples: int = 0
    n_all: int = 0
    n_peaks: int = 0


@dataclass(frozen=True, eq=False)
class AnglePair:
    """One angle of a method and of the method that it is compared with, in degrees.

    estimate, reference   (sample,) at the times that all methods share; None without the angle or without such times
    distinct              whether they are two methods; the reference is also paired with itself, for its range
    all_samples           (time,) the method's own, NaN where missing
    peak_differences      (repetition,) estimate - reference at the peaks; empty without repetitions
    """

    estimate: FloatArray | None
    reference: FloatArray | None
    distinct: bool
    all_samples: FloatArray
    peak_differences: FloatArray

    @property
    def agreement(self) -> AngleAgreement:
        """All figures of `ANGLE_FIGURES`, and the counts."""
        values = {figure.key: figure.compute(self) for figure in ANGLE_FIGURES}
        return AngleAgreement(
            **{key: None if value is None or not np.isfinite(value) else float(value) for key, value in values.items()},
            n_samples=0 if self.estimate is None else len(self.estimate),
            n_all=int(np.isfinite(self.all_samples).sum()),
            n_peaks=len(self.peak_differences),
        )


@dataclass(frozen=True)
class AngleFigure:
    """One figure of agreement of an angle.

    key          field of `AngleAgreement` and of results.json, column of angles.csv
    compute      the figure of a pair; None or NaN if it does not exist
    explanation  what it is, for the documentation
    title        of its table on the page; empty: the page has no table of it alone
    caption      of that table
    unit         in the header of the table
    digits       after the decimal point
    signed       whether the table writes "+"
    at_peaks     whether it is over the peaks of repetitions, and not over the samples
    best         whether the table marks the smallest number of a row; such a table stands open on the page
    note         below the table
    """

    key: str
    compute: Callable[[AnglePair], float | None]
    explanation: str
    title: str = ""
    caption: str = ""
    unit: str = "°"
    digits: int = 1
    signed: bool = False
    at_peaks: bool = False
    best: bool = False
    note: str = ""


def _of_both(statistic: Callable[[FloatArray, FloatArray], float]) -> Callable[[AnglePair], float | None]:
    def compute(pair: AnglePair) -> float | None:
        if pair.estimate is None or pair.reference is None or not pair.distinct:
            return None
        return statistic(pair.estimate, pair.reference)

    return compute


def _range(curve: FloatArray | None) -> float | None:
    return None if curve is None else float(np.ptp(curve))


def _range_of_all(pair: AnglePair) -> float | None:
    finite = pair.all_samples[np.isfinite(pair.all_samples)]
    return float(np.ptp(finite)) if len(finite) else None


def _at_peaks(statistic: Callable[[FloatArray], float]) -> Callable[[AnglePair], float | None]:
    return lambda pair: statistic(pair.peak_differences) if len(pair.peak_differences) else None


ANGLE_FIGURES: tuple[AngleFigure, ...] = (
    AngleFigure(
        key="rmse_deg",
        compute=_of_both(agreement.rmse),
        explanation="Root mean square of estimate - reference.",
        title="Joint angles: typical difference",
        caption="RMSE; the smallest of each row in bold.",
        best=True,
    ),
    AngleFigure(
        key="bias_deg",
        compute=_of_both(agreement.bias),
        explanation="Mean of estimate - reference: positive if the estimate reads too high.",
        title="Joint angles: bias",
        caption="Mean of estimate minus reference: above 0 reads too high.",
        signed=True,
    ),
    AngleFigure(
        key="r",
        compute=_of_both(agreement.pearson_r),
        explanation="Pearson's correlation: whether the curves have the same shape; it says nothing about size.",
        title="Joint angles: the same course in time",
        caption="Pearson's r: 1 is the same course in time.",
        unit="r, no unit",
        digits=2,
        note="r says nothing about size: a curve that is twice too large can have r = 1.",
    ),
    AngleFigure(
        key="rom_deg",
        compute=lambda pair: _range(pair.estimate),
        explanation="Range of motion: largest minus smallest value, for the comparison of methods.",
    ),
    AngleFigure(
        key="rom_reference_deg",
        compute=lambda pair: _range(pair.reference),
        explanation="The reference's range of motion over the same samples.",
    ),
    AngleFigure(
        key="rom_all_deg",
        compute=_range_of_all,
        explanation="The method's range of motion over all its own samples (`n_all`). It is never smaller than "
        "`rom_deg`, and one bad frame can enlarge it.",
    ),
    AngleFigure(
        key="peak_rmse_deg",
        compute=_at_peaks(lambda differences: float(np.sqrt(np.mean(differences**2)))),
        explanation="Root mean square of the differences at the peaks of repetitions (`n_peaks`).",
        title="Joint angles at the peaks of repetitions: typical difference",
        caption="RMSE over the repetitions' peaks alone.",
        at_peaks=True,
    ),
    AngleFigure(
        key="peak_bias_deg",
        compute=_at_peaks(lambda differences: float(differences.mean())),
        explanation="Mean difference at the peaks of repetitions.",
        title="Joint angles at the peaks of repetitions: bias",
        caption="Mean of the estimate's peak minus the reference's, of each repetition; above 0 reads too high.",
        signed=True,
        at_peaks=True,
    ),
)
"""All figures of an angle, in the order of results.json and of the page."""
ANGLE_KEYS = tuple(figure.key for figure in ANGLE_FIGURES)
