"""measure(trial): videos, keypoints and recordings in; every method's 3D joints out, on one clock and in one frame.
compare(trial): the same, then errors, angles and agreement.

Stages meet here and in `video_people`, and where what was found is written: `results`, `detection_results`.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from gonio.core.angle_series import AngleSeries
from gonio.core.arrays import FloatArray
from gonio.core.assumptions import Assumption
from gonio.core.camera import Rig
from gonio.core.clock import common_times, resample
from gonio.core.detections import Detections
from gonio.core.progress import Progress, silent
from gonio.core.sequence import EVALUATION_JOINTS, PoseSequence, median_rate_hz
from gonio.io.mirroring import mirror_warning
from gonio.kinematics.angles import joint_angles
from gonio.kinematics.cleaning import fill_gaps, gate_confidence, lowpass
from gonio.multiview.disparity import from_disparity
from gonio.multiview.triangulation import Triangulation, triangulate
from gonio.trials.checks import check_triangulation
from gonio.trials.config import Trial, load_trial
from gonio.trials.detect import click_on, detect_people, follow_people
from gonio.trials.from_files import check_files
from gonio.trials.methods import Method, requested_methods
from gonio.trials.monocular import in_rig, lift_views
from gonio.trials.patient import choose_patient
from gonio.trials.recordings import clock_doubts, read_recordings
from gonio.trials.views import calibrated_views, camera_offset_s, parallel_rig

MATCHED_CONFIDENCE = 0.3  # to tell who somebody is takes less than to tell where the joint is


@dataclass(frozen=True, eq=False)
class Measurement(Mapping[str, PoseSequence]):
    """What was measured: a mapping from method to 3D sequence, all on the same times.

    methods         what was measured, in the order of the sequences
    sequences       method's name -> its 3D joints
    detections      camera -> everybody seen, before anybody is followed, on the common clock
    views           camera -> the patient's 2D joints, on the common clock
    offsets_s       camera -> seconds added to the camera's own clock to come to the common one
    rig             the cameras that are calibrated, under the trial's names; None where there is none
    triangulations  stereo method -> what was used, dropped and left over
    notes           what was decided on the way, in words
    warnings        what makes the numbers doubtful, in words
    assumptions     what was not known and had to be assumed, in words
    """

    trial: Trial
    methods: tuple[Method, ...]
    sequences: Mapping[str, PoseSequence]
    detections: Mapping[str, Detections]
    views: Mapping[str, PoseSequence]
    offsets_s: Mapping[str, float]
    rig: Rig | None
    triangulations: Mapping[str, Triangulation]
    notes: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    assumptions: tuple[str, ...] = ()

    def __getitem__(self, method: str) -> PoseSequence:
        return self.sequences[method]

    def __iter__(self) -> Iterator[str]:
        return iter(self.sequences)

    def __len__(self) -> int:
        return len(self.sequences)

    def angles(self) -> dict[str, AngleSeries]:
        """Joint angles of every method."""
        return {name: joint_angles(sequence) for name, sequence in self.sequences.items()}

    def reprojection_px(self, method: str) -> FloatArray:
        """(view, time, joint) reprojection errors of a stereo method over the evaluation joints; NaN where not used."""
        result = self.triangulations[method]
        joints = [j for j, joint in enumerate(result.sequence.skeleton.joints) if joint in EVALUATION_JOINTS]
        return result.reprojection_px[:, :, joints]

    def reprojection_px_median(self) -> dict[str, float]:
        """camera -> median reprojection error over the evaluation joints, of the method that uses the most cameras."""
        medians: dict[str, float] = {}
        for method, result in sorted(self.triangulations.items(), key=lambda item: -len(item[1].camera_names)):
            for camera, errors in zip(result.camera_names, self.reprojection_px(method), strict=True):
                if camera not in medians and not np.isnan(errors).all():
                    medians[camera] = float(np.nanmedian(errors))
        return medians

    def reprojection_px_median_all(self) -> float | None:
        """Median over all cameras of the method that uses the most; None where nothing was triangulated."""
        if not self.triangulations:
            return None
        errors = self.reprojection_px(max(self.triangulations, key=lambda m: len(self.triangulations[m].camera_names)))
        return None if np.isnan(errors).all() else float(np.nanmedian(errors))


def measure(trial: Trial | str | Path, progress: Progress = silent) -> Measurement:
    """Every method's 3D joints. Raises a `GonioError` that names the file and the remedy where input cannot be used."""
    if not isinstance(trial, Trial):
        trial = load_trial(Path(trial))
    check_files(trial)
    requested = requested_methods(trial)
    rig, keypoints, sizes = calibrated_views(trial)
    recordings = read_recordings(trial.recordings, rig, trial.reference)

    found = keypoints | detect_people(trial, sizes, progress)
    offsets_s = {c.name: camera_offset_s(c, found[c.name]) for c in trial.cameras}
    detections = {n: replace(found[n], times_s=found[n].times_s + offset_s) for n, offset_s in offsets_s.items()}
    clocks = {n: d.times_s for n, d in detections.items()} | {n: r.times_s for n, r in recordings.items()}
    times_s = common_times(list(clocks.values()))
    people = follow_people(detections, trial.detector.people)
    clicks = {
        c.name: click_on(c, detections[c.name], offsets_s[c.name]) for c in trial.cameras if c.click_px is not None
    }
    if trial.rig is not None and rig is None:
        rig = parallel_rig(trial, people, clicks, times_s)

    sure = min(MATCHED_CONFIDENCE, trial.stereo.min_confidence)
    patient = choose_patient(rig, people, times_s, trial.detector.choose, clicks, sure)
    chosen, words = patient.chosen, patient.words
    views = {name: d.person(chosen[name], words[name]) for name, d in people.items()}
    worlds = {n: d.person_world(chosen[n], words[n]) for n, d in people.items() if d.world_m is not None}
    on_clock = {name: resample(view, times_s) for name, view in views.items()}
    triangulations: dict[str, Triangulation] = {}
    warnings = list(patient.doubts)
    warnings += [f"{name}: {words}" for name, item in recordings.items() for words in mirror_warning(item)]
    for method in requested:
        if method.triangulates:
            assert rig is not None
            result = _stereo(trial, rig, {name: on_clock[name] for name in method.cameras})
            triangulations[method.name] = result
            warnings += check_triangulation(method.name, result, rig)
    lifted, left_out = lift_views(trial, rig, views, requested, times_s, triangulations)
    warnings += left_out
    sequences: dict[str, PoseSequence] = {}
    for method in requested:
        if method.triangulates:
            sequences[method.name] = triangulations[method.name].sequence
        elif method.name in lifted:
            sequences[method.name] = lifted[method.name]
        elif method.kind == "detector-3d":
            estimate = resample(worlds[method.cameras[0]], times_s)
            sequences[method.name] = estimate if rig is None else in_rig(estimate, rig)
    warnings += clock_doubts(trial.recordings, sequences | recordings, trial.reference)
    sequences |= {name: resample(recording, times_s) for name, recording in recordings.items()}
    return Measurement(
        trial=trial,
        methods=tuple(method for method in requested if method.name in sequences),
        sequences={name: _cleaned(trial, sequence) for name, sequence in sequences.items()},
        detections=detections,
        views=views,
        offsets_s=offsets_s,
        rig=rig,
        triangulations=triangulations,
        notes=(*(rig.history if rig is not None else ()), *_span_notes(clocks, times_s), *patient.history),
        warnings=tuple(warnings),
        assumptions=_assumption_sentences(sequences, lifted),
    )


def _assumption_sentences(sequences: Mapping[str, PoseSequence], lifted: Container[str]) -> tuple[str, ...]:
    """What the methods assume, each sentence once with the names of the methods that depend on it."""
    methods: dict[Assumption, list[str]] = {}
    for name, sequence in sequences.items():
        for assumption in sequence.assumptions:
            methods.setdefault(assumption, []).append(name)
    sentences = []
    for assumption, names in methods.items():
        own = assumption.kind == "stature" and any(name in lifted for name in names)
        advice = " Give height_m in [lifting]." if own else ""
        sentences.append(f"{', '.join(names)}: {assumption.text}{advice}")
    return tuple(sentences)


def _span_notes(clocks: Mapping[str, FloatArray], times_s: FloatArray) -> list[str]:
    notes = [
        f"{name}: {len(own)} frames, {own[0]:.3f}-{own[-1]:.3f} s at {median_rate_hz(own):.2f} Hz"
        for name, own in clocks.items()
    ]
    notes.append(f"used: the span that all share, {times_s[0]:.3f}-{times_s[-1]:.3f} s, {len(times_s)} frames")
    return notes


def _stereo(trial: Trial, rig: Rig, views: Mapping[str, PoseSequence]) -> Triangulation:
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


def _cleaned(trial: Trial, sequence: PoseSequence) -> PoseSequence:
    if trial.cleaning.min_confidence > 0:
        sequence = gate_confidence(sequence, trial.cleaning.min_confidence)
    if trial.cleaning.max_gap_s > 0:
        sequence = fill_gaps(sequence, trial.cleaning.max_gap_s)
    if trial.cleaning.lowpass_hz is not None:
        sequence = lowpass(sequence, trial.cleaning.lowpass_hz)
    return sequence
