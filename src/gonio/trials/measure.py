"""measure(trial): videos, keypoints and recordings in; every method's 3D joints out, on one clock and in one frame.

The steps: load the inputs, choose the patient, repair their 2D joints, estimate 3D joints by every method, clean them
all alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from gonio.core.arrays import FloatArray
from gonio.core.assumptions import Assumption
from gonio.core.camera import Rig
from gonio.core.clock import resample
from gonio.core.progress import Progress, silent
from gonio.core.sequence import PoseSequence
from gonio.io.mirroring import mirror_warning
from gonio.kinematics.cleaning import clean
from gonio.multiview.disparity import from_disparity
from gonio.multiview.triangulation import Triangulation, triangulate
from gonio.trials.checks import check_triangulation
from gonio.trials.config import Trial, load_trial
from gonio.trials.from_files import check_files
from gonio.trials.inputs import Inputs, load_inputs
from gonio.trials.measurement import Measurement
from gonio.trials.methods import Method, requested_methods
from gonio.trials.monocular import in_rig, lift_views
from gonio.trials.patient import choose_among
from gonio.trials.recordings import clock_warnings

MATCHED_CONFIDENCE = 0.3  # it takes less to recognise a person than to locate a joint


def measure(trial: Trial | str | Path, progress: Progress = silent) -> Measurement:
    """Every method's 3D joints. Raises a `GonioError` that names the file and the remedy if input cannot be used."""
    if not isinstance(trial, Trial):
        trial = load_trial(Path(trial))
    check_files(trial)
    methods = requested_methods(trial)
    inputs = load_inputs(trial, progress)
    patient = choose_patient(inputs, trial)
    patient = repair(patient, inputs.rig)
    estimates = estimate(methods, inputs, patient, trial)
    cleaning = trial.cleaning
    return Measurement(
        trial=trial,
        methods=tuple(method for method in methods if method.name in estimates.sequences),
        sequences={
            name: clean(
                sequence,
                min_confidence=cleaning.min_confidence,
                max_gap_s=cleaning.max_gap_s,
                lowpass_hz=cleaning.lowpass_hz,
            )
            for name, sequence in estimates.sequences.items()
        },
        detections=inputs.detections,
        views=patient.views,
        offsets_s=inputs.offsets_s,
        rig=inputs.rig,
        triangulations=estimates.triangulations,
        notes=(*inputs.notes, *patient.notes),
        warnings=(*patient.warnings, *estimates.warnings),
        assumptions=_assumption_sentences(estimates.sequences, methods),
    )


@dataclass(frozen=True, eq=False)
class Patient:
    """The one person who is measured.

    views        camera -> 2D joints at the camera's own frames, on the common clock
    detector_3d  camera -> the detector's own 3D estimate, if it gives one
    times_s      (time,) the common times
    notes        what was decided, for the report
    warnings     what makes the choice doubtful
    """

    views: Mapping[str, PoseSequence]
    detector_3d: Mapping[str, PoseSequence]
    times_s: FloatArray
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def choose_patient(inputs: Inputs, trial: Trial) -> Patient:
    """The patient among the people in all views. Raises `InputError` if a click shows no one, or two people."""
    min_confidence = min(MATCHED_CONFIDENCE, trial.stereo.min_confidence)
    choice = choose_among(
        inputs.rig, inputs.people, inputs.times_s, trial.detector.choose, inputs.clicks, min_confidence
    )
    chosen, steps = choice.chosen, choice.descriptions
    return Patient(
        views={name: d.person(chosen[name], steps[name]) for name, d in inputs.people.items()},
        detector_3d={
            name: d.person_world(chosen[name], steps[name])
            for name, d in inputs.people.items()
            if d.world_m is not None
        },
        times_s=inputs.times_s,
        notes=choice.notes,
        warnings=choice.warnings,
    )


Views = Mapping[str, PoseSequence]
REPAIRS: tuple[Callable[[Views, Rig], tuple[Views, tuple[str, ...], tuple[str, ...]]], ...] = ()
"""Stages between choosing and estimating, in order: functions of `multiview`. Each takes the patient's views and the
rig; it returns new views, notes and warnings. Triangulation and lifting both use the repaired views."""


def repair(patient: Patient, rig: Rig | None) -> Patient:
    """The patient after every stage of `REPAIRS`; as they are without a rig."""
    if rig is not None:
        for stage in REPAIRS:
            views, notes, warnings = stage(patient.views, rig)
            patient = replace(
                patient, views=views, notes=(*patient.notes, *notes), warnings=(*patient.warnings, *warnings)
            )
    return patient


@dataclass(frozen=True, eq=False)
class Estimates:
    """3D joints before cleaning.

    sequences       method's name -> joints at the common times
    triangulations  the same of methods that triangulate: what was used, dropped and left over
    warnings        what makes the numbers doubtful
    """

    sequences: Mapping[str, PoseSequence]
    triangulations: Mapping[str, Triangulation]
    warnings: tuple[str, ...]


def estimate(methods: Sequence[Method], inputs: Inputs, patient: Patient, trial: Trial) -> Estimates:
    """3D joints by every method: triangulated, lifted, the detector's own, and the recordings.

    Raises `InputError` if views disagree on most points, or if keypoints cannot be lifted (`lift_views`).
    """
    rig, recordings, times_s = inputs.rig, inputs.recordings, patient.times_s
    warnings = [f"{name}: {warning}" for name, item in recordings.items() for warning in mirror_warning(item)]
    on_clock = {name: resample(view, times_s) for name, view in patient.views.items()}
    triangulations: dict[str, Triangulation] = {}
    for method in methods:
        if method.triangulates:
            assert rig is not None
            result = _triangulated(trial, rig, {name: on_clock[name] for name in method.cameras})
            triangulations[method.name] = result
            warnings += check_triangulation(method.name, result, rig)
    lifted, left_out = lift_views(trial, rig, patient.views, methods, times_s, triangulations)
    warnings += left_out
    sequences: dict[str, PoseSequence] = {}
    for method in methods:
        if method.triangulates:
            sequences[method.name] = triangulations[method.name].sequence
        elif method.name in lifted:
            sequences[method.name] = lifted[method.name]
        elif method.kind == "detector-3d":
            own = resample(patient.detector_3d[method.cameras[0]], times_s)
            sequences[method.name] = own if rig is None else in_rig(own, rig)
    warnings += clock_warnings(trial.recordings, {**sequences, **recordings}, trial.reference)
    sequences |= {name: resample(recording, times_s) for name, recording in recordings.items()}
    return Estimates(sequences, triangulations, tuple(warnings))


def _triangulated(trial: Trial, rig: Rig, views: Mapping[str, PoseSequence]) -> Triangulation:
    settings = trial.stereo
    if trial.rig is not None and trial.rig.calibration is None:
        left, right = (views[name] for name in rig.camera_names)
        return from_disparity(
            left,
            right,
            rig,
            min_confidence=settings.min_confidence,
            max_row_disparity_px=trial.rig.max_row_disparity_px,
        )
    return triangulate(
        rig.select(list(views)),
        views,
        min_confidence=settings.min_confidence,
        max_reprojection_px=settings.max_reprojection_px,
        robust_sigmas=None if settings.max_reprojection_px is not None else settings.robust_sigmas or None,
        refine=settings.refine,
    )


def _assumption_sentences(sequences: Mapping[str, PoseSequence], methods: Sequence[Method]) -> tuple[str, ...]:
    """What the methods assume, each sentence once with the names of the methods that depend on it."""
    names_of: dict[Assumption, list[str]] = {}
    for name, sequence in sequences.items():
        for assumption in sequence.assumptions:
            names_of.setdefault(assumption, []).append(name)
    lifted = {method.name for method in methods if method.kind == "lifting"}
    sentences = []
    for assumption, names in names_of.items():
        own = assumption.kind == "stature" and not lifted.isdisjoint(names)
        advice = " Give height_m in [lifting]." if own else ""
        sentences.append(f"{', '.join(names)}: {assumption.text}{advice}")
    return tuple(sentences)
