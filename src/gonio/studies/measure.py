"""One recording of a study, measured: every method's angles and joints against the reference, repetition by repetition.

The steps, for each of two sets of definitions:

1. Read. A recording with uneven times is resampled to even ones, so that a dropped frame is a gap and not a shift;
   markers become joint centres; the cleaning of the study for all alike.
2. All on the frames of the slowest recording, by linear interpolation, never across a gap.
3. The lag of each method's clock, in whole frames, is found and taken away.
4. Repetitions: the file is one, or it is cut at the movements of the reference.
5. The samples and frames that the reference and all methods have are compared.

Two sets of definitions, measured side by side:

"ui-prmd"   that of the published results of UI-PRMD, in the interpretation of its text that reproduces them best
            (docs/study.md): joint centres "protocol" (`motion.markers`); files of one repetition each are stretched to
            one length; the trunk's line runs from the middle of the hips to the base of the neck; each angle has a lag
            of its own, and positions, which the rule for the lag does not name, are compared without one
"gonio"     gonio's own: joint centres "gonio"; angles as `motion.angles` has them, with the trunk's line from the
            middle of the hips to the middle of the shoulders; one clock is one clock: one lag for all of a method

`measure_recording` is a function of a module, given one picklable value, so that other processes can run it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from gonio.comparison.alignment import aligned, procrustes_rigid
from gonio.comparison.repetition_records import AngleValues, PositionValues, angle_values
from gonio.comparison.time_lag import CLOCK_SHIFT_S, best_lag, shifted
from gonio.core.angle_series import AngleSeries
from gonio.core.arrays import BoolArray, FloatArray
from gonio.core.clock import at_rate, resample
from gonio.core.errors import GonioError, InputError
from gonio.core.geometry import angle_between
from gonio.core.sequence import EVALUATION_JOINTS, PoseSequence
from gonio.io.mirroring import mirror_warning
from gonio.kinematics.angles import (
    AngleDefinition,
    added_angles,
    angle_definitions,
    joint_angles,
    register_angle,
)
from gonio.kinematics.cleaning import JITTER, clean
from gonio.kinematics.markers import joint_centres, plug_in_gait_names
from gonio.kinematics.repetitions import find_repetitions, time_normalised
from gonio.studies.config import NAME_IN_TABLES, JointDefinitions, MethodConfig, StudyConfig
from gonio.studies.recordings import StudyRecording, recordings
from gonio.trials.config import CleaningConfig
from gonio.trials.recordings import read_joints

POSITION_JOINTS = (*EVALUATION_JOINTS, "head_top")
NECK = ("neck_base", "thorax", "neck", "shoulder_center")  # the first that a method has is the upper end of its trunk
LEAST_SAMPLES = 10  # of an angle, fewer are not compared
MM_PER_M = 1000.0
Curves = dict[str, FloatArray]


def joints_of_angles() -> dict[str, str]:
    """Angle without its side -> its joint in the tables."""
    return {definition.name: definition.joint for definition in angle_definitions()}


@dataclass(frozen=True)
class RecordingWork:
    """The payload of `measure_recording`: one recording, and what its values depend on.

    angles  those that were added to gonio's own, for processes in which they are not registered
    """

    recording: StudyRecording
    study: StudyConfig
    angles: tuple[AngleDefinition, ...] = field(default=(), metadata={"stored_unless_default": True})


def study_work(study: StudyConfig) -> tuple[tuple[RecordingWork, ...], dict[str, str]]:
    """The work of a study, and the recordings that cannot be measured, each with its reason.

    The study's name, description and titles of movements are left out, because no number depends on them.
    """
    found, failures = recordings(study)
    settings = replace(study, name="", description="", movements={})
    angles = added_angles()
    return tuple(RecordingWork(recording, settings, angles) for recording in found), failures


def measure_recording(work: RecordingWork) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """(values, arrays) of one recording.

    values  as JSON has them: subject, movement, reference, angles (`AngleValues`), positions (`PositionValues`),
            duration_s of each repetition, words (remarks on what was left out) and warnings: what makes the
            numbers doubtful
    arrays  "definitions/method/angle" -> (repetition, 101) float32 degrees over 0-100 % of what the reference and all
            methods have of each repetition, after the lag is taken away; the reference under its own name

    Raises `GonioError` if a file cannot be read, the methods have no angle or no sample in common, or no repetition
    is found.
    """
    recording, study = work.recording, work.study
    for definition in work.angles:
        register_angle(definition)
    if recording.trial is not None:
        raw, warnings = _measured(recording.trial, study)
    else:
        raw = {name: _read(study.methods[name], recording.files[name]) for name in study.methods}
        warnings = [f"{name}: {warning}" for name, sequence in raw.items() for warning in mirror_warning(sequence)]
    remarks: list[str] = []
    raw = {name: _even(name, sequence, remarks) for name, sequence in raw.items()}
    angles: list[AngleValues] = []
    positions: list[PositionValues] = []
    arrays: dict[str, NDArray[Any]] = {}
    spans: list[_Span] = []
    for definitions, methods in _prepared(raw, study.cleaning if recording.trial is None else None).items():
        whole = recording.trial is None and not study.repetitions.cut
        grid = _on_one_grid(_stretched(methods) if definitions == "ui-prmd" and whole else methods)
        spans = spans or _repetitions(grid[study.reference], study, recording, remarks)
        compared = RecordingComparison(grid, study, definitions, 0.0 if recording.trial else study.clock.max_lag_s)
        for span in spans:
            angles += compared.angles(span)
            positions += compared.positions(span)
        arrays |= compared.normalised(spans)
        remarks += [f"{definitions}: {remark}" for remark in compared.remarks]
    if not angles and not positions:
        raise InputError("the methods have no sample in common; check their clocks and files")
    values = {
        "subject": recording.subject,
        "movement": recording.movement,
        "reference": study.reference,
        "angles": [asdict(value) for value in angles],
        "positions": [asdict(value) for value in positions],
        "duration_s": {span.name: span.end_s - span.start_s for span in spans},
        "words": remarks,
        "warnings": warnings,
    }
    return values, arrays


# The name under which a study's folder stores values. It is part of the fingerprints, so it stays when code moves.
measure_recording.stored_as = "gonio.study_measure.measure_recording"  # type: ignore[attr-defined]


@dataclass(frozen=True)
class _Span:
    """One repetition: its name, its frames and its time."""

    name: str
    start: int
    stop: int
    start_s: float
    end_s: float


class RecordingComparison:
    """All methods of one recording against the reference, by one set of definitions, on one grid of times."""

    def __init__(
        self, grid: Mapping[str, PoseSequence], study: StudyConfig, definitions: JointDefinitions, max_lag_s: float
    ) -> None:
        self.remarks: list[str] = []
        self._definitions = definitions
        self._name_in_tables = NAME_IN_TABLES[definitions]
        self._reference = study.reference
        self._others = [name for name in grid if name != study.reference]
        self._times_s = grid[study.reference].times_s
        self._rate_hz = 1 / float(np.median(np.diff(self._times_s)))
        max_lag = round(max_lag_s * self._rate_hz)
        curves = {name: _angles(sequence, definitions) for name, sequence in grid.items()}
        enough = [name for name in curves[study.reference] if _shared(curves, name) >= LEAST_SAMPLES]
        self._names = tuple(enough)
        if not enough:
            raise InputError("the methods have no angle in common for long enough to compare")
        absent = sorted({name for each in curves.values() for name in each} - set(enough))
        if absent:
            self.remarks.append(f"angles not compared, because not every method has them: {', '.join(absent)}")
        self._curves = curves
        self._lags = {name: self._found_lags(name, max_lag) for name in self._others}
        joints = tuple(joint for joint in POSITION_JOINTS if all(joint in s.skeleton for s in grid.values()))
        self._joints = joints
        self._bodies = {name: sequence.select(joints).positions for name, sequence in grid.items()}

    def _found_lags(self, name: str, max_lag: int) -> dict[str, int]:
        """Angle -> lag of one method, frames; "" -> that of its positions."""
        every, reference = (
            np.stack([self._curves[method][angle] for angle in self._names], axis=1)
            for method in (name, self._reference)
        )
        if self._definitions == "gonio":
            return dict.fromkeys((*self._names, ""), best_lag(every, reference, max_lag=max_lag).frames)
        lags = {
            angle: best_lag(every[:, i], reference[:, i], max_lag=max_lag).frames for i, angle in enumerate(self._names)
        }
        return {**lags, "": 0}

    def angles(self, span: _Span) -> list[AngleValues]:
        """Every angle of every method in one repetition that has enough samples."""
        found = []
        inside = slice(span.start, span.stop)
        for angle in self._names:
            reference = self._curves[self._reference][angle][inside]
            estimates = {name: self._in_step(name, angle)[inside] for name in self._others}
            present = {name: np.asarray(np.isfinite(curve)) for name, curve in estimates.items()}
            both = np.isfinite(reference) & np.logical_and.reduce(list(present.values()))
            if both.sum() < LEAST_SAMPLES:
                self.remarks.append(f"{span.name}: {angle} left out, {int(both.sum())} samples in common")
                continue
            side, quantity = split_side(angle)
            for name, curve in estimates.items():
                lag = self._lags[name][angle]
                found.append(
                    angle_values(
                        curve,
                        reference,
                        both,
                        self._rate_hz,
                        definitions=self._name_in_tables,
                        repetition=span.name,
                        method=name,
                        quantity=quantity,
                        side=side,
                        missed_alone=self._missed_alone(np.isfinite(reference), present, name, lag, inside),
                        lag_s=lag / self._rate_hz,
                        moved=self._clock_moved(name, angle, inside),
                    )
                )
        return found

    def positions(self, span: _Span) -> list[PositionValues]:
        """Every joint of every method in one repetition, and the body; nothing with fewer than three common joints."""
        inside = slice(span.start, span.stop)
        if len(self._joints) < 3:
            return []
        reference = self._bodies[self._reference][inside]
        estimates = {name: shifted(self._bodies[name], self._lags[name][""])[inside] for name in self._others}
        present = {name: np.asarray(np.isfinite(body).all(axis=(1, 2))) for name, body in estimates.items()}
        whole = np.asarray(np.isfinite(reference).all(axis=(1, 2)))
        both = whole & np.logical_and.reduce(list(present.values()))
        if not both.any():
            self.remarks.append(f"{span.name}: positions left out, no frame with all of {', '.join(self._joints)}")
            return []
        found = []
        for name, body in estimates.items():
            lag = self._lags[name][""]
            every = np.ones((int(both.sum()), len(self._joints)), dtype=bool)
            rotation, translation = procrustes_rigid(body[both], reference[both], every)
            distance = MM_PER_M * np.linalg.norm(aligned(body[both], rotation, translation) - reference[both], axis=2)
            missed = self._missed_alone(whole, present, name, lag, inside)
            for joint, of_joint in (("", distance), *zip(self._joints, distance.T, strict=True)):
                side, bare = split_side(joint)
                found.append(
                    PositionValues(
                        definitions=self._name_in_tables,
                        repetition=span.name,
                        method=name,
                        joint=bare,
                        side=side,
                        n=int(both.sum()),
                        missed_alone=missed,
                        lag_s=lag / self._rate_hz,
                        mean=float(of_joint.mean()),
                        rms=float(np.sqrt((of_joint**2).mean())),
                    )
                )
        return found

    def normalised(self, spans: list[_Span]) -> dict[str, NDArray[Any]]:
        """The curves over 0-100 % of what the reference and all methods have of each repetition, degrees."""
        arrays: dict[str, NDArray[Any]] = {}
        for angle in self._names:
            curves = {name: self._in_step(name, angle) for name in (self._reference, *self._others)}
            common = np.logical_and.reduce([np.isfinite(curve) for curve in curves.values()])
            ends = [self._common_part(span, common) for span in spans]
            for name, curve in curves.items():
                series = AngleSeries(curve[:, None], self._times_s, (angle,), ("",), ((-np.inf, np.inf),))
                each = [time_normalised(series, *part)[:, 0] for part in ends]
                arrays[f"{self._name_in_tables}/{name}/{angle}"] = np.asarray(each, dtype=np.float32)
        return arrays

    def _common_part(self, span: _Span, common: BoolArray) -> tuple[float, float]:
        """Start and end of the part of a repetition in which all methods have an angle; without one, of all of it."""
        frames = np.arange(max(span.start - 1, 0), min(span.stop + 1, len(common)))
        present = self._times_s[frames[common[frames]]]
        start_s = max(span.start_s, float(present[0])) if len(present) else span.start_s
        end_s = min(span.end_s, float(present[-1])) if len(present) else span.end_s
        return (start_s, end_s) if end_s > start_s else (span.start_s, span.end_s)

    def _in_step(self, name: str, angle: str, moved: int = 0) -> FloatArray:
        """(time,) a method's angle at the reference's frames, its lag taken away, its clock then moved by frames."""
        lag = 0 if name == self._reference else self._lags[name][angle]
        return shifted(self._curves[name][angle], lag + moved)

    def _clock_moved(self, name: str, angle: str, inside: slice) -> float | None:
        """Bias-free RMSE of a repetition with the clock moved by `CLOCK_SHIFT_S`, the mean of both ways."""
        reference = self._curves[self._reference][angle][inside]
        step = round(CLOCK_SHIFT_S * self._rate_hz)
        both_ways = [self._in_step(name, angle, moved)[inside] - reference for moved in (-step, step)]
        if any(np.isfinite(difference).sum() < LEAST_SAMPLES for difference in both_ways):
            return None
        return float(np.mean([np.nanstd(difference) for difference in both_ways]))

    def _missed_alone(
        self, reference: BoolArray, present: Mapping[str, BoolArray], name: str, lag: int, inside: slice
    ) -> int:
        """Frames within the method's recording that all others and the reference have, and it has not."""
        frames = np.arange(len(self._times_s))[inside] + lag
        recorded = (frames >= 0) & (frames < len(self._times_s))
        others = np.logical_and.reduce([reference, *(mask for other, mask in present.items() if other != name)])
        return int((others & recorded & ~present[name]).sum())


def split_side(name: str) -> tuple[str, str]:
    """("left", "knee") of "left_knee"; ("", name) of what has no side."""
    side, _, rest = name.partition("_")
    return (side, rest) if side in ("left", "right") else ("", name)


def _shared(curves: Mapping[str, Curves], name: str) -> int:
    """The samples that all methods have of an angle; 0 if one does not measure it."""
    if not all(name in each for each in curves.values()):
        return 0
    return int(np.logical_and.reduce([np.isfinite(each[name]) for each in curves.values()]).sum())


def _read(method: MethodConfig, file: Path) -> PoseSequence:
    """One method's joints, or markers by plug-in-gait's names."""
    joints = read_joints(
        file, layout=method.layout, fps=method.fps, unit=method.unit, offset_s=method.offset_s, up=method.up
    )
    return plug_in_gait_names(joints) or joints


def _measured(trial: Path, study: StudyConfig) -> tuple[dict[str, PoseSequence], list[str]]:
    """The methods of a trial, on its clock and cleaned by its settings, and its warnings."""
    from gonio.trials.measure import measure  # noqa: PLC0415

    measurement = measure(trial)
    methods = {name: measurement[name] for name in measurement}
    if study.reference not in methods:
        raise InputError(f"{trial}: the reference {study.reference!r} is none of its methods: {', '.join(methods)}")
    if len(methods) < 2:
        raise InputError(f"{trial}: has only the method {study.reference}; a study needs another one to compare")
    return methods, list(measurement.warnings)


def _prepared(
    raw: Mapping[str, PoseSequence], cleaning: CleaningConfig | None
) -> dict[JointDefinitions, dict[str, PoseSequence]]:
    """For each set of definitions every method's joints: joint centres in place of markers, cleaned."""
    prepared: dict[JointDefinitions, dict[str, PoseSequence]] = {
        definitions: {} for definitions in get_args(JointDefinitions)
    }
    for name, sequence in raw.items():
        if plug_in_gait_names(sequence) is not None:
            of = {
                definitions: joint_centres(sequence, definition="gonio" if definitions == "gonio" else "protocol")
                for definitions in prepared
            }
        else:
            of = dict.fromkeys(prepared, sequence)
        cleaned = {id(joints): _cleaned(name, joints, cleaning) for joints in of.values()}
        for definitions, methods in prepared.items():
            methods[name] = cleaned[id(of[definitions])]
    return prepared


def _cleaned(name: str, joints: PoseSequence, cleaning: CleaningConfig | None) -> PoseSequence:
    """By the study's cleaning; None if the recording is clean already."""
    if cleaning is None:
        return joints
    try:
        return clean(
            joints,
            min_confidence=cleaning.min_confidence,
            max_gap_s=cleaning.max_gap_s,
            lowpass_hz=cleaning.lowpass_hz,
        )
    except GonioError as error:
        raise InputError(f"{joints.source.file or name}: {error}") from None


def _even(name: str, sequence: PoseSequence, remarks: list[str]) -> PoseSequence:
    """The sequence at even times, by its median interval; unchanged if they are even."""
    if len(sequence) < LEAST_SAMPLES:
        raise InputError(f"{sequence.source.file or name}: {len(sequence)} frames are too few to compare")
    intervals = np.diff(sequence.times_s)
    if np.abs(intervals - intervals.mean()).max() < JITTER * intervals.mean():
        return sequence
    even = at_rate(sequence, sequence.rate_hz)
    remarks.append(f"{name}: uneven times, {even.history[-1]}")
    return even


def _stretched(methods: Mapping[str, PoseSequence]) -> dict[str, PoseSequence]:
    """All from the first to the last time of the slowest: each file is one repetition, whoever cut it."""
    slowest = min(methods.values(), key=lambda sequence: sequence.rate_hz).times_s
    return {
        name: sequence.derive(
            f"stretched to {slowest[-1] - slowest[0]:.2f} s",
            times_s=np.interp(sequence.times_s, sequence.times_s[[0, -1]], slowest[[0, -1]]),
        )
        for name, sequence in methods.items()
    }


def _on_one_grid(methods: Mapping[str, PoseSequence]) -> dict[str, PoseSequence]:
    """All at the times of the recording with the fewest frames per second; missing outside a recording."""
    slowest = min(methods, key=lambda name: methods[name].rate_hz)
    times_s = methods[slowest].times_s
    if max(s.times_s[0] for s in methods.values()) >= min(s.times_s[-1] for s in methods.values()):
        spans = "; ".join(f"{name} {s.times_s[0]:.2f} to {s.times_s[-1]:.2f} s" for name, s in methods.items())
        raise InputError(f"the recordings do not overlap in time ({spans}); set offset_s of a method")
    return {name: sequence if name == slowest else resample(sequence, times_s) for name, sequence in methods.items()}


def _angles(sequence: PoseSequence, definitions: JointDefinitions) -> Curves:
    """Angle -> (time,) degrees."""
    series = joint_angles(sequence)
    curves = dict(series.degrees)
    if definitions == "ui-prmd":
        curves |= _ui_prmd_trunk_angles(sequence)
    return curves


def _ui_prmd_trunk_angles(sequence: PoseSequence) -> Curves:
    """Thigh and upper arm against the line from the middle of the hips to the base of the neck, degrees.

    Without a neck, the middle of the shoulders is its base. Nothing if a hip is not in the skeleton.
    """
    if not all(joint in sequence.skeleton for joint in ("left_hip", "right_hip")):
        return {}
    hips = (sequence["left_hip"] + sequence["right_hip"]) / 2
    neck = next((joint for joint in NECK if joint in sequence.skeleton), None)
    if neck is not None:
        top = sequence[neck]
    elif all(joint in sequence.skeleton for joint in ("left_shoulder", "right_shoulder")):
        top = (sequence["left_shoulder"] + sequence["right_shoulder"]) / 2
    else:
        return {}
    curves = {}
    for side in ("left", "right"):
        for quantity, start, end in (("thigh_trunk_angle", "hip", "knee"), ("shoulder_elevation", "shoulder", "elbow")):
            if f"{side}_{start}" in sequence.skeleton and f"{side}_{end}" in sequence.skeleton:
                limb = sequence[f"{side}_{end}"] - sequence[f"{side}_{start}"]
                curves[f"{side}_{quantity}"] = np.rad2deg(angle_between(limb, hips - top))
    return curves


def _repetitions(
    reference: PoseSequence, study: StudyConfig, recording: StudyRecording, remarks: list[str]
) -> list[_Span]:
    """The repetitions of one recording, by the reference."""
    times_s = reference.times_s
    if not study.repetitions.cut:
        name = recording.repetition or "1"
        return [_Span(name, 0, len(times_s), float(times_s[0]), float(times_s[-1]))]
    found = find_repetitions(joint_angles(reference), angle=study.repetitions.angle)
    remarks.append(found.description)
    spans = []
    for number, (start_s, end_s) in enumerate(zip(found.starts_s.tolist(), found.ends_s.tolist(), strict=True), 1):
        start, stop = np.searchsorted(times_s, (start_s, end_s)).tolist()
        spans.append(_Span(str(number), start, stop, start_s, end_s))
    if not spans:
        raise InputError(found.description)
    return spans
