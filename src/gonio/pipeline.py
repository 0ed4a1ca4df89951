"""measure(trial): videos, keypoints and recordings in; every method's 3D joints out, on one clock and in one frame.
compare(trial): the same, then errors, angles and agreement.

Stages meet here, and in `results`, which writes what was found; nowhere else.
"""

from __future__ import annotations

import contextlib
import os
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from importlib import metadata
from itertools import permutations
from pathlib import Path
from typing import Literal

import numpy as np

import gonio
from gonio import assets
from gonio.comparison import study
from gonio.comparison.study import StudyResult
from gonio.config import (
    CameraConfig,
    DetectorConfig,
    RecordingConfig,
    ReportConfig,
    RigConfig,
    StereoConfig,
    Trial,
    load_trial,
)
from gonio.core.arrays import FloatArray, IntArray
from gonio.core.camera import Camera, Rig
from gonio.core.clock import common_times, resample
from gonio.core.sequence import EVALUATION_JOINTS, AngleSeries, Detections, PoseSequence, median_rate_hz
from gonio.detection import detector as detectors
from gonio.errors import ConfigError, InputError
from gonio.motion.angles import joint_angles
from gonio.motion.cleaning import fill_gaps, lowpass
from gonio.sources import formats, rig_files, video
from gonio.stereo.matching import match_patient
from gonio.stereo.rectified import from_disparity
from gonio.stereo.triangulation import Triangulation, triangulate

PACKAGES = ("numpy", "scipy", "av", "opencv-python-headless", "ai-edge-litert", "matplotlib")

Tick = Callable[[], None]
Progress = Callable[[str, int | None], AbstractContextManager[Tick]]


@contextlib.contextmanager
def silent(_label: str, _total: int | None) -> Iterator[Tick]:
    """Progress that nobody watches."""
    yield lambda: None


@dataclass(frozen=True, eq=False)
class Measurement(Mapping[str, PoseSequence]):
    """What was measured: a mapping from method to 3D sequence, all on the same times.

    detections      camera -> everybody seen, on the common clock
    views           camera -> the patient's 2D joints, on the common clock
    offsets_s       camera -> seconds added to the camera's own clock to come to the common one
    rig             the cameras that are calibrated, under the trial's names; None where there is none
    triangulations  stereo method -> what was used, dropped and left over
    notes           what was decided on the way, in words
    """

    trial: Trial
    sequences: Mapping[str, PoseSequence]
    detections: Mapping[str, Detections]
    views: Mapping[str, PoseSequence]
    offsets_s: Mapping[str, float]
    rig: Rig | None
    triangulations: Mapping[str, Triangulation]
    notes: tuple[str, ...]

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


def measure(trial: Trial | str | Path, progress: Progress = silent) -> Measurement:
    """Every method's 3D joints. Raises a `GonioError` that names the file and the remedy where input cannot be used."""
    if not isinstance(trial, Trial):
        trial = load_trial(Path(trial))
    _check_files(trial)
    sizes = {c.name: video.probe(c.video).size_px for c in trial.cameras if c.video is not None}
    rig = _rig(trial, sizes)
    wanted = _wanted_methods(trial, rig)
    recordings = {r.name: _recording(r, rig) for r in trial.recordings}
    detections = _detect(trial, rig, sizes, progress)
    rig = rig if rig is not None or trial.rig is None else _parallel_rig(trial, detections)
    offsets_s = {c.name: _offset_s(c, detections[c.name]) for c in trial.cameras}
    detections = {n: replace(d, times_s=d.times_s + offsets_s[n]) for n, d in detections.items()}

    clocks = [d.times_s for d in detections.values()] or [r.times_s for r in recordings.values()]
    times_s = common_times(clocks)
    notes = [*(rig.history if rig is not None else ()), *_span_notes(detections, times_s)]
    views, worlds, choice_notes = _follow_patient(trial, rig, detections, times_s)
    notes += choice_notes

    sequences: dict[str, PoseSequence] = {}
    triangulations: dict[str, Triangulation] = {}
    on_clock = {name: resample(view, times_s) for name, view in views.items()}
    for method, cameras in wanted.items():
        if method.startswith("blazepose-world-"):
            sequences[method] = _world_estimate(resample(worlds[cameras[0]], times_s), rig)
        else:
            assert rig is not None
            triangulations[method] = _stereo(trial, rig, {name: on_clock[name] for name in cameras})
            sequences[method] = triangulations[method].sequence
    sequences |= {name: resample(recording, times_s) for name, recording in recordings.items()}
    sequences = {name: _cleaned(trial, sequence) for name, sequence in sequences.items()}
    if trial.reference is not None and trial.reference not in sequences:
        raise ConfigError(f"the reference {trial.reference!r} is none of the methods: {', '.join(sequences)}")
    return Measurement(trial, sequences, detections, views, offsets_s, rig, triangulations, tuple(notes))


def compare(trial: Trial | str | Path, progress: Progress = silent) -> StudyResult:
    """Measure, then compare every method with the trial's reference, or pairwise where there is none.

    `gonio.results.write_results` writes the results folder of a measurement and its result.
    """
    return evaluate(measure(trial, progress))


def evaluate(measurement: Measurement) -> StudyResult:
    """Errors and angles of what was measured, with the protocol."""
    trial = measurement.trial
    low = trial.cleaning.lowpass_hz
    return study.compare(
        measurement.sequences,
        measurement.angles(),
        reference=trial.reference,
        filter_words="none" if low is None else f"zero-phase Butterworth, order 4, {low:g} Hz, every method",
        reprojection_px=measurement.reprojection_px_median(),
        protocol_extra={"trial": trial.name, "versions": versions()},
    )


def versions() -> dict[str, str]:
    """gonio, Python and the packages that numbers depend on."""
    found = {"gonio": gonio.__version__, "python": platform.python_version()}
    for package in PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return found


def trial_from_files(
    files: Sequence[Path],
    *,
    calibration: Path | None = None,
    baseline_m: float | None = None,
    focal_px: float | None = None,
    principal_point_px: tuple[float, float] | None = None,
    layout: str | None = None,
    fps: float | None = None,
) -> Trial:
    """A trial of videos, 2D keypoints and 3D recordings; cameras and recordings are named after their files."""
    cameras: list[CameraConfig] = []
    recordings: list[RecordingConfig] = []
    for path in files:
        name = path.stem.removesuffix("_json")
        role = _role(path, layout, fps)
        if role == "video":
            cameras.append(CameraConfig(name, video=path))
        elif role == "keypoints":
            cameras.append(CameraConfig(name, keypoints=path, layout=layout, fps=fps))
        else:
            recordings.append(RecordingConfig(name, path, fps=fps if path.suffix == ".npy" else None))
    rig = None
    if calibration is not None or baseline_m is not None or focal_px is not None:
        rig = RigConfig(calibration, None, None, baseline_m, focal_px, principal_point_px)
    return Trial(tuple(cameras), "trial", rig=rig, recordings=tuple(recordings))


def _role(path: Path, layout: str | None, fps: float | None) -> Literal["video", "keypoints", "recording"]:
    """What a file is by what it holds; one that no joint format claims by its ending is taken for a video."""
    if not path.exists():
        raise InputError(f"{path}: no such file")
    if path.is_dir():
        return "keypoints"
    if path.suffix.lower() not in {suffix for form in formats.FORMATS for suffix in form.suffixes}:
        return "video"
    item = formats.read(path, layout=layout, rate_hz=fps)
    flat = isinstance(item, Detections) or (isinstance(item, PoseSequence) and item.unit == "px")
    return "keypoints" if flat else "recording"


def adjusted(trial: Trial, *, detector: str | None, reference: str | None, blur_faces: bool, videos: bool) -> Trial:
    """The trial with what the command line says on top of it."""
    return replace(
        trial,
        detector=trial.detector if detector is None else replace(trial.detector, name=detector),
        reference=trial.reference if reference is None else reference,
        report=ReportConfig(trial.report.videos and videos, trial.report.blur_faces or blur_faces),
    )


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
    settings = StereoConfig(min_confidence, max_reprojection_px, StereoConfig.robust_sigmas, refine)
    return measure(replace(trial, stereo=settings, methods=("multiview",)))


def detect_video(
    path: Path,
    detector: str,
    *,
    people: int = 1,
    choose: Literal["largest", "center"] = "largest",
    region_px: tuple[float, float, float, float] | None = None,
    progress: Progress = silent,
) -> tuple[Detections, PoseSequence]:
    """Everybody found in one video, and the one who is chosen by the rule."""
    camera = CameraConfig(path.stem, video=path, region_px=region_px)
    trial = Trial((camera,), detector=DetectorConfig(detector, people, choose))
    _check_files(trial)
    (found,) = _detect(trial, None, {camera.name: video.probe(path).size_px}, progress).values()
    return found, found.person(_by_rule(found, choose), _rule_in_words(found, choose))


def _rule_in_words(found: Detections, choose: str) -> str:
    rule = "the largest person" if choose == "largest" else "the person nearest to the image's centre"
    return rule if found.positions.shape[1] > 1 else "the only person found in view"


def _check_files(trial: Trial) -> None:
    for owner, path in [(c.name, c.file) for c in trial.cameras] + [(r.name, r.file) for r in trial.recordings]:
        if not path.exists():
            raise InputError(f"{path}: no such file (named for {owner!r})")


def _rig(trial: Trial, sizes: Mapping[str, tuple[int, int]]) -> Rig | None:
    """The calibrated cameras under the trial's names; None where the trial names no calibration file."""
    if trial.rig is None or trial.rig.calibration is None:
        if trial.rig is not None and len(trial.cameras) != 2:
            raise ConfigError(f"a parallel rig has two cameras; {len(trial.cameras)} named")
        return None
    path = trial.rig.calibration
    rig = rig_files.read(path, up=trial.rig.up, unit=trial.rig.unit)
    names = rig_files.match_cameras(rig, [c.calibrated_as or c.name for c in trial.cameras])
    cameras: list[Camera] = []
    for config in trial.cameras:
        calibrated = replace(rig[names[config.calibrated_as or config.name]], name=config.name)
        size = sizes.get(config.name, calibrated.size_px)
        if config.crop_px is not None:
            left, top = config.crop_px
            if left + size[0] > calibrated.size_px[0] or top + size[1] > calibrated.size_px[1]:
                raise ConfigError(
                    f"camera {config.name!r}: {size[0]}x{size[1]} px plus the crop {left}, {top} is larger than the "
                    f"{calibrated.size_px[0]}x{calibrated.size_px[1]} px of its calibration"
                )
            calibrated = calibrated.cropped(left, top, size)
        elif size != calibrated.size_px:
            raise InputError(
                f"{config.file}: {size[0]}x{size[1]} px, but {path.name} was made for {calibrated.size_px[0]}x"
                f"{calibrated.size_px[1]} px; if it was cropped since, say crop_px = [left, top] for {config.name!r}"
            )
        cameras.append(calibrated)
    return Rig(rig.name, tuple(cameras), up=rig.up, history=rig.history)


def _parallel_rig(trial: Trial, detections: Mapping[str, Detections]) -> Rig:
    config = trial.rig
    assert config is not None and config.baseline_m is not None and config.focal_px is not None
    (first, a), (second, b) = detections.items()
    if a.image_size_px != b.image_size_px and config.principal_point_px is None:
        raise InputError(
            f"{first} is {a.image_size_px[0]}x{a.image_size_px[1]} px and {second} {b.image_size_px[0]}x"
            f"{b.image_size_px[1]}: parallel cameras need images of one size, or principal_point_px"
        )
    return Rig.parallel(
        config.baseline_m, config.focal_px, a.image_size_px, config.principal_point_px, names=(first, second)
    )


def _wanted_methods(trial: Trial, rig: Rig | None) -> dict[str, tuple[str, ...]]:
    """method -> the cameras it needs, in the trial's order."""
    names = [c.name for c in trial.cameras]
    videos = [c.name for c in trial.cameras if c.video is not None]
    stereo = trial.rig is not None
    possible: dict[str, tuple[str, ...]] = {}
    if stereo:
        possible["multiview"] = tuple(names)
        possible |= {f"stereo-{a}-{b}": (a, b) for a, b in permutations(names, 2)}
    if trial.detector.name.startswith("blazepose"):
        possible |= {f"blazepose-world-{name}": (name,) for name in videos}
    asked = list(trial.methods)
    if not asked:
        first = [] if not stereo else [f"stereo-{names[0]}-{names[1]}"] if len(names) == 2 else ["multiview"]
        asked = [*first, "blazepose-world"] if videos else first
    wanted: dict[str, tuple[str, ...]] = {}
    for method in asked:
        if method == "blazepose-world":
            wanted |= {name: cameras for name, cameras in possible.items() if name.startswith("blazepose-world-")}
            continue
        if method not in possible:
            rigless = "; without a [rig] nothing can be triangulated" if not stereo else ""
            raise ConfigError(f"no method is called {method!r}; this trial allows {', '.join(possible)}{rigless}")
        wanted[method] = possible[method]
    for method, cameras in wanted.items():
        if not method.startswith("blazepose-world-") and len(cameras) < 2:
            raise ConfigError(f"{method} needs at least two cameras; the trial names {len(cameras)}")
    if not wanted and not trial.recordings:
        raise ConfigError(
            "nothing can be measured: 2D keypoints alone need a [rig] with two cameras or more, or a video"
        )
    return wanted


def _offset_s(camera: CameraConfig, detections: Detections) -> float:
    """Seconds to add to the camera's own times to come to the common clock."""
    if camera.offset_frames:
        return -camera.offset_frames / median_rate_hz(detections.times_s)
    return -camera.offset_s


def _detect(
    trial: Trial, rig: Rig | None, sizes: Mapping[str, tuple[int, int]], progress: Progress
) -> dict[str, Detections]:
    """camera -> the people seen, from videos (cameras side by side, one thread each) and from keypoint files."""
    found: dict[str, Detections] = {}
    videos = [c for c in trial.cameras if c.video is not None]
    for camera in trial.cameras:
        if camera.keypoints is not None:
            found[camera.name] = _keypoints(camera, rig, trial)
    if videos:
        total = sum(video.probe(c.file).n_frames or 0 for c in videos)
        workers = {
            camera.name: detectors.create(
                trial.detector.name,
                people=trial.detector.people,
                choose=trial.detector.choose,
                region_px=camera.region_px,
            )
            for camera in videos
        }

        for asset in next(iter(workers.values())).weights:
            assets.fetch(asset)

        with progress("detecting joints", total or None) as tick:

            def run(camera: CameraConfig) -> Detections:
                detector = workers[camera.name]
                stream = video.frames(camera.file)
                seen = detector.detect(stream, camera=camera.name, image_size_px=sizes[camera.name], on_frame=tick)
                return replace(seen, history=(*stream.notes, *seen.history))

            with ThreadPoolExecutor(max_workers=min(len(videos), os.cpu_count() or 1)) as pool:
                found |= zip((c.name for c in videos), pool.map(run, videos), strict=True)
    for camera in trial.cameras:
        if not found[camera.name].present.any():
            raise InputError(f"{camera.file}: no person was found in {len(found[camera.name])} frames")
    return {c.name: found[c.name] for c in trial.cameras}


def _keypoints(camera: CameraConfig, rig: Rig | None, trial: Trial) -> Detections:
    size = rig[camera.name].size_px if rig is not None else None
    if size is None and trial.rig is not None and trial.rig.principal_point_px is None and camera.file.is_dir():
        raise ConfigError(
            f"{camera.file}: keypoint files do not tell the image's middle; give principal_point_px (--principal-point)"
        )
    item = formats.read(camera.file, layout=camera.layout, rate_hz=camera.fps, image_size_px=size)
    if isinstance(item, PoseSequence):
        item = _as_detections(camera.file, item)
    if not isinstance(item, Detections):
        raise InputError(f"{camera.file}: several people in one file; give the one that is the patient")
    return replace(item, frame_name=camera.name)


def _as_detections(path: Path, sequence: PoseSequence) -> Detections:
    if sequence.unit != "px" or sequence.image_size_px is None:
        raise InputError(f"{path}: 3D joints where 2D keypoints are needed; name it under [[recordings]]")
    return Detections(
        sequence.positions[:, None],
        sequence.confidence[:, None],
        sequence.times_s,
        sequence.skeleton,
        sequence.image_size_px,
        source=sequence.source,
        history=sequence.history,
    )


def _recording(config: RecordingConfig, rig: Rig | None) -> PoseSequence:
    item = formats.read(config.file, layout=config.layout, rate_hz=config.fps, unit=config.unit)
    if isinstance(item, dict) and len(item) == 1:
        (item,) = item.values()
    if not isinstance(item, PoseSequence):
        raise InputError(f"{config.file}: holds several people; give a file of the patient alone")
    if item.unit != "m":
        raise InputError(f"{config.file}: 2D keypoints where 3D joints are needed; name it as a camera's keypoints")
    if config.offset_s:
        item = item.shifted(-config.offset_s, "declared offset")
    if config.in_rig_frame:
        if rig is None or rig.up is None:
            raise ConfigError(f"recording {config.name!r}: in_rig_frame needs a [rig] with a calibration")
        item = item.with_up(rig.up).derive(frame_name=rig.name)
    return item


def _span_notes(detections: Mapping[str, Detections], times_s: FloatArray) -> list[str]:
    notes = [
        f"{name}: {len(d)} frames, {d.times_s[0]:.3f}-{d.times_s[-1]:.3f} s at {median_rate_hz(d.times_s):.2f} Hz"
        for name, d in detections.items()
    ]
    notes.append(f"used: the span that all share, {times_s[0]:.3f}-{times_s[-1]:.3f} s, {len(times_s)} frames")
    return notes


def _follow_patient(
    trial: Trial, rig: Rig | None, detections: Mapping[str, Detections], times_s: FloatArray
) -> tuple[dict[str, PoseSequence], dict[str, PoseSequence], list[str]]:
    """camera -> the patient's 2D joints; camera -> the detector's own 3D estimate of them; what was decided."""
    views: dict[str, PoseSequence] = {}
    worlds: dict[str, PoseSequence] = {}
    notes: list[str] = []
    crowded = any(d.positions.shape[1] > 1 for d in detections.values())
    step: str | None
    chosen: dict[str, IntArray]
    if crowded and rig is not None and len(detections) > 1:
        detections = {name: _nearest_frames(d, times_s) for name, d in detections.items()}
        match = match_patient(rig, detections)
        chosen = dict(match.chosen)
        step = "the patient is the person whose rays meet"
        notes += match.history
    else:
        step = None
        chosen = {name: _by_rule(d, trial.detector.choose) for name, d in detections.items()}
    for name, found in detections.items():
        words = step or _rule_in_words(found, trial.detector.choose)
        views[name] = found.person(chosen[name], words)
        if found.world_m is not None:
            worlds[name] = found.person_world(chosen[name], words)
    return views, worlds, notes


def _nearest_frames(detections: Detections, times_s: FloatArray) -> Detections:
    """The frame nearest to each time; unordered people cannot be interpolated."""
    own = detections.times_s
    index = np.abs(own[None, :] - times_s[:, None]).argmin(axis=1)
    worst = float(np.abs(own[index] - times_s).max())

    def take(values: FloatArray | None) -> FloatArray | None:
        return None if values is None else values[index]

    return replace(
        detections,
        positions=detections.positions[index],
        confidence=detections.confidence[index],
        times_s=times_s,
        boxes_px=take(detections.boxes_px),
        scores=take(detections.scores),
        world_m=take(detections.world_m),
        history=(*detections.history, f"nearest frame to each common time, at most {1000 * worst:.1f} ms away"),
    )


def _by_rule(detections: Detections, choose: str) -> IntArray:
    """(time,) the person of one view: the largest, or the one nearest to the image's centre; -1 where nobody is."""
    if detections.positions.shape[1] == 0:
        return np.full(len(detections), -1)
    with np.errstate(all="ignore"):
        low = np.where(np.isnan(detections.positions), np.inf, detections.positions).min(axis=2)
        high = np.where(np.isnan(detections.positions), -np.inf, detections.positions).max(axis=2)
        if choose == "largest":
            score = np.prod(high - low, axis=2)
        else:
            middle = np.array([(s - 1) / 2 for s in detections.image_size_px])
            score = -np.linalg.norm((high + low) / 2 - middle, axis=2)
    score = np.where(detections.present, score, -np.inf)
    return np.asarray(np.where(detections.present.any(axis=1), score.argmax(axis=1), -1), dtype=np.int64)


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
        robust_sigmas=None if settings.max_reprojection_px is not None else settings.robust_sigmas,
        refine=settings.refine,
    )


def _world_estimate(sequence: PoseSequence, rig: Rig | None) -> PoseSequence:
    """The detector's own 3D estimate, turned into the rig's axes where the camera's rotation is known."""
    if rig is None:
        return sequence
    camera = rig[sequence.frame_name]
    return sequence.transformed(
        camera.rotation.T,
        np.zeros(3),
        frame="root",
        frame_name=rig.name,
        up=rig.up,
        step=f"turned into the rig's axes by the known rotation of {camera.name}",
    )


def _cleaned(trial: Trial, sequence: PoseSequence) -> PoseSequence:
    if trial.cleaning.max_gap_s > 0:
        sequence = fill_gaps(sequence, trial.cleaning.max_gap_s)
    if trial.cleaning.lowpass_hz is not None:
        sequence = lowpass(sequence, trial.cleaning.lowpass_hz)
    return sequence
