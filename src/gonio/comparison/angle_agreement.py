"""The agreement of one joint angle in one recording.

`ANGLE_FIGURES` is the table of its figures: the fields of results.json, the columns of angles.csv, the tables of the
report and the list in docs/statistics.md follow from it. A new figure is one field of `AngleAgreement` and one entry.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gonio.comparison import agreement
from gonio.comparison.agreement import peak_differences
from gonio.comparison.repetition_records import known
from gonio.comparison.time_lag import shifted_curve
from gonio.core.angle_series import AngleSeries
from gonio.core.arrays import BoolArray, FloatArray


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


def common_samples(angles: Mapping[str, AngleSeries]) -> dict[str, BoolArray]:
    """Angle -> (time,) the times at which all methods that measure it have it. Angles that none measures are absent."""
    measured: dict[str, list[BoolArray]] = {}
    for series in angles.values():
        for name in series.names:
            finite = np.isfinite(series.degrees[name])
            if finite.any():
                measured.setdefault(name, []).append(finite)
    return {name: np.asarray(np.logical_and.reduce(masks)) for name, masks in measured.items()}


def angle_definitions(angles: Mapping[str, AngleSeries], measured: Collection[str]) -> dict[str, Any]:
    """For the protocol: the definition and the possible values of each angle, by its name without the side.

    If methods define one angle differently, each definition names its methods.
    """
    methods_of: dict[str, dict[str, list[str]]] = {}
    intervals: dict[str, list[float]] = {}
    for method, series in angles.items():
        for name, definition, interval in zip(series.names, series.definitions, series.intervals_rad, strict=True):
            if name not in measured:
                continue
            plain_name = name.removeprefix("left_").removeprefix("right_")
            methods = methods_of.setdefault(plain_name, {}).setdefault(definition, [])
            if method not in methods:
                methods.append(method)
            low, high = np.rad2deg(interval).round(6).tolist()
            known = intervals.get(plain_name, [low, high])
            intervals[plain_name] = [min(low, known[0]), max(high, known[1])]
    definitions = {
        name: next(iter(each)) if len(each) == 1 else " / ".join(f"{', '.join(m)}: {text}" for text, m in each.items())
        for name, each in methods_of.items()
    }
    return {"angle_definitions": definitions, "angle_intervals_deg": intervals}


def angle_agreements(
    angles: Mapping[str, AngleSeries],
    name: str,
    against: str | None,
    samples: Mapping[str, BoolArray],
    repetitions_s: FloatArray | None,
) -> dict[str, AngleAgreement]:
    """Angle -> agreement of one method with another, at the times in `samples`.

    against        the other method; None: ranges of motion alone
    repetitions_s  (repetition, 2) start and end of each repetition, for the errors at the peaks
    """
    if name not in angles:
        return {}
    found = {}
    for angle in angles[name].names:
        estimate = _common_curve(angles, name, angle, samples)
        reference = _common_curve(angles, against, angle, samples)
        peaks = np.empty(0)
        if estimate is not None and reference is not None and name != against and repetitions_s is not None:
            peaks = peak_differences(estimate, reference, angles[name].times_s[samples[angle]], repetitions_s)
        all_samples = angles[name].degrees[angle]
        found[angle] = AnglePair(estimate, reference, name != against, all_samples, peaks).agreement
    return found


def _common_curve(
    angles: Mapping[str, AngleSeries], name: str | None, angle: str, samples: Mapping[str, BoolArray]
) -> FloatArray | None:
    """(sample,) degrees at the common times; None if the method does not measure the angle or no time is common."""
    if name is None or name not in angles or angle not in angles[name].names or angle not in samples:
        return None
    curve = angles[name].degrees[angle][samples[angle]]
    return curve if len(curve) and np.isfinite(curve).all() else None


def angle_changes(
    angles: Mapping[str, AngleSeries],
    name: str,
    against: str | None,
    samples: Mapping[str, BoolArray],
    shift_s: float,
) -> dict[str, float | None]:
    """Angle -> by how much its RMSE is larger if the estimate is read `shift_s` later, over the shared samples."""
    if name not in angles or against is None or against not in angles:
        return {}
    changes: dict[str, float | None] = {}
    for angle in angles[name].names:
        changes[angle] = None
        if angle in samples and angle in angles[against].names:
            counted = samples[angle]
            estimate, reference = (
                np.where(counted, angles[method].degrees[angle], np.nan) for method in (name, against)
            )
            moved = shifted_curve(estimate, angles[name].times_s, shift_s)
            before = agreement.rmse(np.where(np.isfinite(moved), estimate, np.nan), reference)
            changes[angle] = known(agreement.rmse(np.where(np.isfinite(estimate), moved, np.nan), reference) - before)
    return changes
