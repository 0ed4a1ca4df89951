"""measure(trial): videos, keypoints and recordings in; every method's 3D joints out, on one clock and in one frame.
compare(trial): the same, then errors, angles and agreement.

Stages meet here and in `video_people`, and where what was found is written: `results`, `detection_results`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import permutations
from pathlib import Path
from typing import Literal

import numpy as np

from gonio.comparison import study
from gonio.comparison.study import StudyResult
from gonio.config import (
    CameraConfig,
    StereoConfig,
    Trial,
    as_plain,
    load_trial,
)
from gonio.core.arrays import FloatArray
from gonio.core.camera import Camera, Rig
from gonio.core.clock import common_times, resample
from gonio.core.sequence import EVALUATION_JOINTS, AngleSeries, Detections, PoseSequence, median_rate_hz
from gonio.detection.tracking import follow
from gonio.errors import ConfigError, InputError
from gonio.lifting import shipped
from gonio.lifting.body_lifting import assumed_camera
from gonio.lifting.metric import Place, lift_in_metres
from gonio.lifting.placing import parse_segment
from gonio.motion.angles import joint_angles
from gonio.motion.cleaning import fill_gaps, gate_confidence, lowpass
from gonio.motion.repetitions import find_repetitions
from gonio.one_camera import assumptions, checksum, in_rig, lifted_view, read_weights, weights_file
from gonio.patient import Click, choose_patient, in_view, inside
from gonio.progress import Progress, silent
from gonio.recordings import clock_assumptions, clock_doubts, read_recordings
from gonio.sources import formats, openpose_json, rig_files, video
from gonio.sources.chirality import mirror_warning
from gonio.stereo.rectified import from_disparity
from gonio.stereo.triangulation import Triangulation, triangulate
from gonio.trials import check_files, trial_from_files
from gonio.versions import versions
from gonio.video_people import click_on, detect_people, follow_people

LOST_WARNING, LOST_ERROR = 0.25, 0.5  # share of points on which the views disagree
DROPPED_WARNING = 0.15  # share of a camera's observations
BONE_WARNING = 0.15  # of a bone's length
MATCHED_CONFIDENCE = 0.3  # to tell who somebody is takes less than to tell where the joint is
MISFIT = 0.01  # median reprojection error, over the picture's diagonal
WORLD, LIFTING = "blazepose-world-", "lifting-"  # and the camera's name: a method
SINGLE = (WORLD, LIFTING)


@dataclass(frozen=True, eq=False)
class Measurement(Mapping[str, PoseSequence]):
    """What was measured: a mapping from method to 3D sequence, all on the same times.

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
    wanted = wanted_methods(trial)
    rig, keypoints, sizes = calibrated_views(trial)
    recordings = read_recordings(trial.recordings, rig, trial.reference)

    found = keypoints | detect_people(trial, sizes, progress)
    offsets_s = {c.name: _offset_s(c, found[c.name]) for c in trial.cameras}
    detections = {n: replace(found[n], times_s=found[n].times_s + offset_s) for n, offset_s in offsets_s.items()}
    clocks = {n: d.times_s for n, d in detections.items()} | {n: r.times_s for n, r in recordings.items()}
    times_s = common_times(list(clocks.values()))
    people = follow_people(detections, trial.detector.people)
    clicks = {
        c.name: click_on(c, detections[c.name], offsets_s[c.name]) for c in trial.cameras if c.click_px is not None
    }
    if trial.rig is not None and rig is None:
        rig = _parallel_rig(trial, people, clicks, times_s)

    sure = min(MATCHED_CONFIDENCE, trial.stereo.min_confidence)
    patient = choose_patient(rig, people, times_s, trial.detector.choose, clicks, sure)
    chosen, words = patient.chosen, patient.words
    views = {name: d.person(chosen[name], words[name]) for name, d in people.items()}
    worlds = {n: d.person_world(chosen[n], words[n]) for n, d in people.items() if d.world_m is not None}
    on_clock = {name: resample(view, times_s) for name, view in views.items()}
    triangulations: dict[str, Triangulation] = {}
    warnings = list(patient.doubts)
    warnings += [f"{name}: {words}" for name, item in recordings.items() for words in mirror_warning(item)]
    for method, cameras in wanted.items():
        if not method.startswith(SINGLE):
            assert rig is not None
            triangulations[method] = _stereo(trial, rig, {name: on_clock[name] for name in cameras})
            warnings += _doubts(method, triangulations[method], rig)
    lifted, left_out = _lifted(trial, rig, views, wanted, times_s, triangulations)
    warnings += left_out
    sequences: dict[str, PoseSequence] = {}
    for method, cameras in wanted.items():
        if method in triangulations:
            sequences[method] = triangulations[method].sequence
        elif method in lifted:
            sequences[method] = lifted[method]
        elif method.startswith(WORLD):
            estimate = resample(worlds[cameras[0]], times_s)
            sequences[method] = estimate if rig is None else in_rig(estimate, rig)
    warnings += clock_doubts(trial.recordings, sequences | recordings, trial.reference)
    sequences |= {name: resample(recording, times_s) for name, recording in recordings.items()}
    return Measurement(
        trial=trial,
        sequences={name: _cleaned(trial, sequence) for name, sequence in sequences.items()},
        detections=detections,
        views=views,
        offsets_s=offsets_s,
        rig=rig,
        triangulations=triangulations,
        notes=(*(rig.history if rig is not None else ()), *_span_notes(clocks, times_s), *patient.history),
        warnings=tuple(warnings),
        assumptions=(*assumptions(trial.lifting, lifted), *clock_assumptions(recordings)),
    )


def compare(trial: Trial | str | Path, progress: Progress = silent) -> StudyResult:
    """Measure, then compare every method with the trial's reference, or pairwise where there is none.

    `gonio.results.write_results` writes the results folder of a measurement and its result.
    """
    return evaluate(measure(trial, progress))


def evaluate(measurement: Measurement) -> StudyResult:
    """Errors and angles of what was measured, with the protocol."""
    trial = measurement.trial
    low = trial.cleaning.lowpass_hz
    angles = measurement.angles()
    spans_s, repetitions = _repetitions(angles, trial.reference)
    return study.compare(
        measurement.sequences,
        angles,
        reference=trial.reference,
        filter_words="none" if low is None else f"zero-phase Butterworth, order 4, {low:g} Hz, every method",
        reprojection_px=measurement.reprojection_px_median(),
        protocol_extra={
            "trial": trial.name,
            "versions": versions(),
            "detector": trial.detector.name if any(c.video is not None for c in trial.cameras) else None,
            "rig": None if trial.rig is None else "calibrated" if trial.rig.calibration is not None else "parallel",
            "stereo": as_plain(trial.stereo),
            "lifting": _lifting_protocol(measurement),
            "cleaning": as_plain(trial.cleaning),
            "reprojection_px_median_all": measurement.reprojection_px_median_all(),
            "repetitions": repetitions,
            "warnings": list(measurement.warnings),
        },
        repetitions_s=spans_s,
    )


def _repetitions(angles: Mapping[str, AngleSeries], reference: str | None) -> tuple[FloatArray | None, str]:
    """(repetition, 2) s start and end of the repetitions in the angles of the reference, else of the first method; and
    words on them. None where there is none.
    """
    name = next(iter(angles)) if reference is None else reference
    try:
        found = find_repetitions(angles[name])
    except InputError as error:
        return None, f"of {name}: {error}"
    if not len(found):
        return None, f"of {name}: {found.words}"
    return np.column_stack([found.starts_s, found.ends_s]), f"of {name}: {found.words}"


def triangulate_files(
    files: Sequence[Path],
    *,
    calibration: Path,
    layout: str | None,
    fps: float | None,
    min_confidence: float,
    max_reprojection_px: float | None,
    refine: Literal["reprojection", "none"],
) -> Measurement:
    """Keypoint files of calibrated cameras -> a measurement with the one method "multiview"."""
    trial = trial_from_files(files, calibration=calibration, layout=layout, fps=fps)
    stray = [c.file for c in trial.cameras if c.video is not None] + [r.file for r in trial.recordings]
    if stray:
        raise InputError(f"{stray[0]}: not 2D keypoints; detect them first (gonio detect), or use gonio compare")
    settings = StereoConfig(min_confidence=min_confidence, max_reprojection_px=max_reprojection_px, refine=refine)
    return measure(replace(trial, stereo=settings, methods=("multiview",)))


def read_person(
    path: Path, *, layout: str | None = None, fps: float | None = None, size_px: tuple[int, int] | None = None
) -> PoseSequence:
    """One person's joints; where the file holds the people of each frame, those of the largest one, who is followed."""
    item = formats.read(path, layout=layout, rate_hz=fps, image_size_px=size_px)
    if isinstance(item, Detections) and item.positions.shape[1]:
        people = follow(item)
        item = people.person(*in_view(people, "largest"))
    if not isinstance(item, PoseSequence):
        raise InputError(f"{path}: several people, or none; give a file of one person's keypoints")
    return item


def lift_file(
    path: Path,
    weights: Path | None = None,
    *,
    layout: str | None = None,
    fps: float | None = None,
    size_px: tuple[int, int] | None = None,
    min_confidence: float = 0.0,
    causal: bool = False,
    flip: bool = True,
    height_m: float | None = None,
    segment: str | None = None,
    focal_px: float | None = None,
    place: Place = "root",
) -> PoseSequence:
    """3D joints from a file of one person's 2D keypoints.

    weights  a file, or the name of weights that come with gonio; its default where not given
    size_px  of the keypoints' images, where the file does not tell
    focal_px of the camera; assumed where not given (`body_lifting.ASSUMED_FOCAL`)
    The others are those of `lifting.metric.lift_in_metres`.
    """
    if not 0 <= min_confidence <= 1:
        raise ConfigError(f"--min-confidence {min_confidence:g} must lie in 0..1")
    file = shipped.weights_file(weights, causal=causal)
    network = read_weights(file, causal=causal)
    if place == "network" and network.trajectory is None:
        raise InputError(f"{file}: has no network of the trajectory; place the joints by geometry")
    item = read_person(path, layout=layout, fps=fps, size_px=size_px)
    if item.unit == "px" and (item.image_size_px is None or openpose_json.size_is_guessed(item.history)):
        raise InputError(f"{path}: does not tell the size of its images, which lifting needs; give it with --size")
    cameras = {}
    if focal_px is not None and item.image_size_px is not None:
        cameras = {"": assumed_camera(item.image_size_px, focal_px, item.frame_name or path.stem)}
    try:
        (lifted,) = lift_in_metres(
            network,
            {"": item},
            cameras=cameras,
            min_confidence=min_confidence,
            flip=flip,
            stature_m=height_m,
            segment=None if segment is None else parse_segment(segment),
            place=place,
        ).values()
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    return lifted.derive(f"weights {file.name}, sha256 {checksum(file)}", source=replace(lifted.source, file=file.name))


def calibrated_views(trial: Trial) -> tuple[Rig | None, dict[str, Detections], dict[str, tuple[int, int]]]:
    """The calibrated cameras, under the trial's names and for the trial's pictures, None where there is no calibration;
    camera -> the people of its keypoint file, for those that have one; camera -> (width, height) of its pictures.
    """
    calibration = _calibration(trial)
    sizes = {c.name: video.probe(c.video).size_px for c in trial.cameras if c.video is not None}
    keypoints = {c.name: _keypoints(c, calibration, trial) for c in trial.cameras if c.keypoints is not None}
    sizes |= {name: found.image_size_px for name, found in keypoints.items()}
    return None if calibration is None else _fitted(trial, calibration, sizes), keypoints, sizes


def _calibration(trial: Trial) -> Rig | None:
    """The calibrated cameras under the trial's names, as the file has them; None where the trial names no file."""
    if trial.rig is None or trial.rig.calibration is None:
        if trial.rig is not None and len(trial.cameras) != 2:
            raise ConfigError(f"a parallel rig has two cameras; the trial names {len(trial.cameras)}")
        for camera in trial.cameras:
            if camera.crop_px is not None or camera.calibrated_as is not None:
                raise ConfigError(f"camera {camera.name!r}: crop_px and calibrated_as need a calibration file in [rig]")
        return None
    rig = rig_files.read(trial.rig.calibration, up=trial.rig.up, unit=trial.rig.unit)
    names = rig_files.match_cameras(rig, [c.calibrated_as or c.name for c in trial.cameras])
    cameras = tuple(replace(rig[names[c.calibrated_as or c.name]], name=c.name) for c in trial.cameras)
    return Rig(rig.name, cameras, up=rig.up, history=rig.history)


def _fitted(trial: Trial, calibration: Rig, sizes: Mapping[str, tuple[int, int]]) -> Rig:
    """The cameras for images of these sizes: cropped where the trial says so, else of the calibration's size."""
    cameras: list[Camera] = []
    for config in trial.cameras:
        camera, size = calibration[config.name], sizes[config.name]
        if config.crop_px is not None:
            left, top = config.crop_px
            if left + size[0] > camera.size_px[0] or top + size[1] > camera.size_px[1]:
                raise ConfigError(
                    f"camera {config.name!r}: {size[0]}x{size[1]} px plus the crop {left}, {top} is larger than the "
                    f"{camera.size_px[0]}x{camera.size_px[1]} px of its calibration"
                )
            camera = camera.cropped(left, top, size)
        elif size != camera.size_px:
            raise InputError(
                f"{config.file}: {size[0]}x{size[1]} px, but the calibration is for {camera.size_px[0]}x"
                f"{camera.size_px[1]} px; if it was cropped since, say crop_px = [left, top] for {config.name!r} in a "
                f"trial file"
            )
        cameras.append(camera)
    return replace(calibration, cameras=tuple(cameras))


def _parallel_rig(
    trial: Trial, people: Mapping[str, Detections], clicks: Mapping[str, Click], times_s: FloatArray
) -> Rig:
    """Two parallel cameras; which is the left one is seen from the disparity: it sees everything further right."""
    config = trial.rig
    assert config is not None and config.baseline_m is not None and config.focal_px is not None
    (first, a), (second, b) = people.items()
    if a.image_size_px != b.image_size_px and config.principal_point_px is None:
        raise InputError(
            f"{first} is {a.image_size_px[0]}x{a.image_size_px[1]} px and {second} {b.image_size_px[0]}x"
            f"{b.image_size_px[1]}: parallel cameras need images of one size, or principal_point_px"
        )
    rule = trial.detector.choose
    one, two = (
        resample(d.person(*in_view(d, rule, clicks.get(name))), times_s).positions[..., 0] for name, d in people.items()
    )
    difference = one - two
    swapped = bool(np.isfinite(difference).any() and np.nanmedian(difference) < 0)
    names = (second, first) if swapped else (first, second)
    rig = Rig.parallel(config.baseline_m, config.focal_px, a.image_size_px, config.principal_point_px, names)
    note = f"cameras were given right, left: swapped, {second} is the left one"
    return replace(rig, history=(*rig.history, note)) if swapped else rig


def possible_methods(trial: Trial) -> dict[str, tuple[str, ...]]:
    """method -> the cameras it needs, for every method that the trial's cameras and rig allow."""
    names = [c.name for c in trial.cameras]
    possible: dict[str, tuple[str, ...]] = {}
    if trial.rig is not None:
        possible["multiview"] = tuple(names)
        pairs = {f"stereo-{a}-{b}": (a, b) for a, b in permutations(names, 2)}
        if len(pairs) < len(names) * (len(names) - 1):
            raise ConfigError(f"two pairs of {', '.join(names)} have one name; leave out the hyphens")
        possible |= pairs
    if trial.detector.name.startswith("blazepose"):
        possible |= {WORLD + c.name: (c.name,) for c in trial.cameras if c.video is not None}
    return possible | {LIFTING + name: (name,) for name in names}


def wanted_methods(trial: Trial) -> dict[str, tuple[str, ...]]:
    """method -> the cameras it needs, in the trial's order; checked against the recordings and the reference."""
    names = [c.name for c in trial.cameras]
    possible = possible_methods(trial)
    groups = {kind.rstrip("-"): [method for method in possible if method.startswith(kind)] for kind in SINGLE}
    asked = list(trial.methods)
    if not asked:
        pair = f"stereo-{names[0]}-{names[1]}" if len(names) == 2 else "multiview"
        asked = [*([pair] if trial.rig is not None else []), *groups]
        if trial.lifting.weights is None and not shipped.names():
            asked.remove(LIFTING.rstrip("-"))
    asked = [method for ask in asked for method in groups.get(ask, [ask])]
    for method in asked:
        if method not in possible:
            rigless = "; without a [rig] nothing can be triangulated" if trial.rig is None else ""
            raise ConfigError(f"no method is called {method!r}; this trial allows {', '.join(possible)}{rigless}")
        if not method.startswith(SINGLE) and len(possible[method]) < 2:
            raise ConfigError(f"{method} needs at least two cameras; the trial names {len(names)}")
    if not asked and not trial.recordings:
        raise ConfigError(
            "nothing can be measured: 2D keypoints alone need a [rig] with two cameras or more, a video, or weights of "
            "a lifting network"
        )
    if any(method.startswith(LIFTING) for method in asked):
        weights_file(trial.lifting)  # an error comes before long work
        stereo = [method for method in asked if not method.startswith(SINGLE)]
        if trial.lifting.scale == "stereo" and not stereo:
            raise ConfigError('lifting: scale = "stereo" takes the size from a stereo method; this trial measures none')
    taken = {name.casefold() for name in (*possible, *groups)}
    for recording in trial.recordings:
        if recording.name.casefold() in taken:
            raise ConfigError(f"the recording {recording.name!r} bears the name of a method; give it another name")
    known = [*asked, *(recording.name for recording in trial.recordings)]
    if trial.reference is not None and trial.reference not in known:
        raise ConfigError(f"the reference {trial.reference!r} is none of the methods: {', '.join(known)}")
    return {method: possible[method] for method in asked}


def _offset_s(camera: CameraConfig, detections: Detections) -> float:
    """Seconds to add to the camera's own times to come to the common clock."""
    if camera.offset_frames:
        if len(detections) < 2:
            raise ConfigError(f"camera {camera.name!r}: one frame has no rate; give offset_s in place of offset_frames")
        return -camera.offset_frames / median_rate_hz(detections.times_s)
    return -camera.offset_s


def _keypoints(camera: CameraConfig, calibration: Rig | None, trial: Trial) -> Detections:
    """The people of a keypoint file; the size of its images, where it does not tell, is that of the calibration."""
    size: tuple[int, int] | None = None
    if calibration is not None:
        left, top = camera.crop_px or (0, 0)
        width, height = calibration[camera.name].size_px
        size = (width - left, height - top)
    told = camera.size_px or (size if camera.file.is_dir() else None)
    item = formats.read(camera.file, layout=camera.layout, rate_hz=camera.fps, image_size_px=told)
    if isinstance(item, PoseSequence):
        found, guessed = _as_detections(camera.file, item, size), item.image_size_px is None
    elif isinstance(item, Detections):
        found, guessed = item, openpose_json.size_is_guessed(item.history)
    else:
        raise InputError(f"{camera.file}: several people in one file; give the one that is the patient")
    if guessed and size is not None:
        found = replace(found, image_size_px=size)
    elif guessed and trial.rig is not None:
        if trial.rig.principal_point_px is None:
            raise ConfigError(
                f"{camera.file}: keypoint files do not tell the image's middle; give principal_point_px "
                f"(--principal-point)"
            )
        cx, cy = trial.rig.principal_point_px  # the image that has it in the middle
        found = replace(found, image_size_px=(round(2 * cx) + 1, round(2 * cy) + 1))
    if camera.region_px is not None:
        found = inside(found, camera.region_px)
    if not found.present.any():
        where = "" if camera.region_px is None else f" inside the region {camera.region_px}"
        raise InputError(f"{camera.file}: no person was found{where} in {len(found)} frames; detect its joints again")
    return replace(found, frame_name=camera.name)


def _as_detections(path: Path, sequence: PoseSequence, size_px: tuple[int, int] | None) -> Detections:
    """One followed person; where the file does not tell the size of its images it is `size_px`."""
    if sequence.unit != "px":
        raise InputError(f"{path}: 3D joints where 2D keypoints are needed; name it under [[recordings]]")
    history, known_px = sequence.history, sequence.image_size_px or size_px
    if known_px is None:
        known_px = openpose_json.smallest_image_px(sequence.positions)
        history = (*history, openpose_json.guess_in_words(known_px))
    return Detections(
        sequence.positions[:, None],
        sequence.confidence[:, None],
        sequence.times_s,
        sequence.skeleton,
        known_px,
        status=sequence.status[:, None],
        source=sequence.source,
        history=history,
    )


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


def _doubts(method: str, result: Triangulation, rig: Rig) -> list[str]:
    """Sentences on a triangulation that does not hold together. Raises `InputError` where most points are lost."""
    remedy = "check that calibration, camera names and offsets belong to these files, and that no view is mirrored"
    lost = f"{method}: the views disagree on {100 * result.lost_share:.0f} % of the points that two or more saw"
    if result.lost_share > LOST_ERROR:
        raise InputError(f"{lost}; {remedy}")
    found = [lost] if result.lost_share > LOST_WARNING else []
    diagonal_px = max(float(np.hypot(*rig[name].size_px)) for name in result.camera_names)
    if result.all_views_median_px > MISFIT * diagonal_px:
        found.append(
            f"{method}: before any view was dropped the 3D joints missed the pictures by "
            f"{result.all_views_median_px:.0f} px in the median, over {100 * MISFIT:.0f} % of the diagonal"
        )
    for name, counts in result.excluded.items():
        usable = counts.used + counts.dropped
        if usable and counts.dropped > DROPPED_WARNING * usable:
            found.append(
                f"{method}: {100 * counts.dropped / usable:.0f} % of what {name} saw disagrees with the others"
            )
    odd = _odd_bones(result.sequence)
    if odd:
        found.append(f"{method}: bones do not keep their length or differ between the sides: {', '.join(odd)}")
    return [f"{sentence}; {remedy}" for sentence in found]


def _odd_bones(sequence: PoseSequence) -> list[str]:
    """Long bones whose length varies over time, or differs between left and right, by more than people's do."""
    odd: list[str] = []
    for bone, upper, lower in (
        ("thigh", "hip", "knee"),
        ("shank", "knee", "ankle"),
        ("upper arm", "shoulder", "elbow"),
    ):
        medians = {}
        for side in ("left", "right"):
            ends = [f"{side}_{upper}", f"{side}_{lower}"]
            if not all(end in sequence.skeleton for end in ends):
                continue
            lengths = np.linalg.norm(sequence[ends[0]] - sequence[ends[1]], axis=1)
            lengths = lengths[np.isfinite(lengths)]
            if len(lengths) == 0:
                continue
            medians[side] = float(np.median(lengths))
            spread = 1.4826 * float(np.median(np.abs(lengths - medians[side])))  # as a standard deviation, robust
            if spread > BONE_WARNING * medians[side]:
                odd.append(f"{side} {bone} {100 * medians[side]:.0f} cm varies by {100 * spread / medians[side]:.0f} %")
        if len(medians) == 2 and max(medians.values()) > (1 + BONE_WARNING) * min(medians.values()):
            odd.append(f"{bone} {100 * medians['left']:.0f} cm left, {100 * medians['right']:.0f} cm right")
    return odd


def _lifted(
    trial: Trial,
    rig: Rig | None,
    views: Mapping[str, PoseSequence],
    wanted: Mapping[str, tuple[str, ...]],
    times_s: FloatArray,
    triangulations: Mapping[str, Triangulation],
) -> tuple[dict[str, PoseSequence], list[str]]:
    """Lifting method -> joints at the common times; which had to be left out, and why.

    A view that cannot be lifted is left out where lifting was not asked for by name. Raises `InputError` where it was,
    and where nothing else is measured.
    """
    methods = {method: cameras[0] for method, cameras in wanted.items() if method.startswith(LIFTING)}
    if not methods:
        return {}, []
    weights = read_weights(weights_file(trial.lifting), causal=trial.lifting.causal)
    measured: tuple[str, PoseSequence] | None = None
    if triangulations:
        name = max(triangulations, key=lambda method: len(triangulations[method].camera_names))
        measured = (name, triangulations[name].sequence)
    lifted: dict[str, PoseSequence] = {}
    left_out: list[str] = []
    for method, camera in methods.items():
        try:
            lifted[method] = lifted_view(weights, trial.lifting, views[camera], rig, times_s, measured)
        except InputError as error:
            file = next(c.file for c in trial.cameras if c.name == camera)
            if trial.methods or len(left_out) + 1 == len(wanted) + len(trial.recordings):
                raise InputError(f"{file}: cannot be lifted: {error}") from None
            left_out.append(f"{method} is left out: {file}: {error}")
    return lifted, left_out


def _lifting_protocol(measurement: Measurement) -> dict[str, object] | None:
    """With what was lifted and where the size came from; not how large the person is, which trials may differ in."""
    if not any(method.startswith(LIFTING) for method in measurement.sequences):
        return None
    settings = measurement.trial.lifting
    told = "stature" if settings.height_m is not None else "segment" if settings.segment is not None else "assumed"
    return {
        "weights": weights_file(settings).name,
        "min_confidence": settings.min_confidence,
        "flip": settings.flip,
        "size": "stereo" if settings.scale == "stereo" else told,
        "focal_length": "rig" if measurement.rig is not None else "assumed" if settings.focal_px is None else "told",
    }


def _cleaned(trial: Trial, sequence: PoseSequence) -> PoseSequence:
    if trial.cleaning.min_confidence > 0:
        sequence = gate_confidence(sequence, trial.cleaning.min_confidence)
    if trial.cleaning.max_gap_s > 0:
        sequence = fill_gaps(sequence, trial.cleaning.max_gap_s)
    if trial.cleaning.lowpass_hz is not None:
        sequence = lowpass(sequence, trial.cleaning.lowpass_hz)
    return sequence
