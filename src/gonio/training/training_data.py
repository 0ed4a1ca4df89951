"""Labelled data of a training file: clips for the network, and a summary of every source."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from gonio.core.arrays import FloatArray
from gonio.core.camera import Camera
from gonio.core.clock import at_rate, resample
from gonio.core.errors import ConfigError, InputError
from gonio.core.progress import Progress, silent
from gonio.core.sequence import PoseSequence
from gonio.core.skeleton import COCO_17, H36M_17, Skeleton, joint_map
from gonio.io import formats
from gonio.io.rigs import files as rig_files
from gonio.io.videopose3d_npz import VideoPose3DSet
from gonio.lifting.body_lifting import assumed_camera, n_interleaved
from gonio.lifting.normalisation import NORMALISATION, body_size_m
from gonio.training.augmentation import RATE_HZ, Augmentation, Bodies, virtual_clips
from gonio.training.clips import SCREEN, body_clip, screen_clip, unlabelled_body_clip, unlabelled_screen_clip
from gonio.training.config import (
    GroupConfig,
    KeypointsConfig,
    MotionCaptureConfig,
    StereoLabelsConfig,
    TrainConfig,
    UnlabelledConfig,
    VideoPose3DConfig,
    processes,
)
from gonio.training.datasets import (
    H36M_TEST,
    H36M_TRAIN,
    LabelledBody,
    LabelledPair,
    Loaded,
    cmu_bodies,
    own_bodies,
    ui_prmd_bodies,
    ui_prmd_pairs,
    videopose3d_pairs,
)
from gonio.training.windows import Clip, Clips
from gonio.trials.single_step import read_person


@dataclass(frozen=True)
class SourceSummary:
    """Summary of one source: numbers of recordings (views, with cameras) and frames, notes on what was left out."""

    name: str
    recordings: int
    frames: int
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.name}: {self.recordings} recordings, {self.frames} frames"


@dataclass(frozen=True, eq=False)
class TrainingData:
    """Everything that a training needs besides the network.

    labelled, unlabelled  by number, for `gonio.training.loop.train`
    unit_mm               millimetres per unit of the targets, mean of the validation bodies; None if unknown
    rate_hz               frame rate that the network is trained for
    generated             labelled clips are built for each number, which takes time
    """

    normalisation: str
    joints_in: Skeleton
    joints_out: Skeleton
    features: int
    rate_hz: float
    labelled: Clips
    unlabelled: Clips | None
    validation: tuple[Clip, ...]
    unit_mm: float | None
    sources: tuple[SourceSummary, ...]
    generated: bool = False


def read_training_data(config: TrainConfig, progress: Progress = silent) -> TrainingData:
    """The data of a training. Raises `InputError` if it cannot be read or used, naming the file."""
    if config.videopose3d is not None:
        return _screen_data(config, config.videopose3d, progress)
    return _body_data(config, progress)


# ---- gonio's own networks: bodies --------------------------------------------------------------------------------


def _body_data(config: TrainConfig, progress: Progress) -> TrainingData:
    causal = config.network.causal
    summaries: list[SourceSummary] = []
    bodies, capture = None, config.motion_capture
    if capture is not None:
        bodies = _bodies(capture, summaries, progress)
    fixed = [clip for one in config.stereo for clip in _stereo_clips(one, causal, summaries)]
    unlabelled = None
    if config.unlabelled is not None:
        unlabelled = partial(shared_clips, _unlabelled_bodies(config, config.unlabelled, summaries), processes()[1])
    validation: list[Clip] = []
    sizes_m: list[float] = []
    if config.validation is not None:
        with progress("reading validation", None):
            pairs = ui_prmd_pairs(config.validation.path, config.validation.subjects, noisy=config.validation.noisy)
        validation = [body_clip(pair, causal=causal) for pair in pairs]
        sizes_m = [body_size_m(pair.target.to_skeleton(H36M_17)) for pair in pairs]
        summaries.append(_pairs_read("validation", pairs))
    weights = [len(clip) for clip in validation]
    return TrainingData(
        normalisation=NORMALISATION,
        joints_in=COCO_17,
        joints_out=H36M_17,
        features=3,
        rate_hz=RATE_HZ,
        labelled=partial(
            body_clips,
            bodies=bodies,
            augmentation=None if capture is None else capture.augmentation,
            frames=0 if capture is None else capture.frames,
            fixed=tuple(fixed),
            seed=config.training.seed,
            world=processes()[1],
            causal=causal,
        ),
        unlabelled=unlabelled,
        validation=tuple(validation),
        unit_mm=1000 * float(np.average(sizes_m, weights=weights)) if validation else None,
        sources=tuple(summaries),
        generated=bodies is not None,
    )


def body_clips(
    number: int,
    *,
    bodies: Bodies | None,
    augmentation: Augmentation | None,
    frames: int,
    fixed: Sequence[Clip],
    seed: int,
    world: int,
    causal: bool,
) -> Sequence[Clip]:
    """New clips from bodies, and this process' share of the fixed ones."""
    shared = shared_clips(fixed, world, number)
    if bodies is None or augmentation is None:
        return shared
    return [*virtual_clips(bodies, augmentation, frames, np.random.default_rng([seed, number]), causal=causal), *shared]


def shared_clips(clips: Sequence[Clip], world: int, number: int) -> Sequence[Clip]:
    """This process' share of clips that are the same in every epoch."""
    if world == 1:
        return clips
    share = clips[number % world :: world]
    if not share and clips:
        raise InputError(f"{len(clips)} clips cannot be shared by {world} processes")
    return share


def _bodies(capture: MotionCaptureConfig, summaries: list[SourceSummary], progress: Progress) -> Bodies:
    groups, shares = {}, {}
    with progress("reading motion capture", len(capture.groups)) as tick:
        for number, group in enumerate(capture.groups):
            loaded = _group(group)
            name = f"{number} {group.kind}"
            groups[name], shares[name] = [one.body for one in loaded], group.share
            frames = sum(len(one.body) for one in loaded)
            subjects = f" of {', '.join(group.subjects)}" if group.subjects else ""
            summaries.append(SourceSummary(f"{group.kind}{subjects}", len(loaded), frames, loaded.skipped))
            tick()
    return Bodies(groups, shares)


def _group(group: GroupConfig) -> Loaded[LabelledBody]:
    if group.kind == "cmu":
        loaded = cmu_bodies(group.path)
    elif group.kind == "folder":
        loaded = own_bodies(group.path, unit=group.unit)
    else:
        loaded = ui_prmd_bodies(group.path, group.subjects or None, correct=group.kind == "ui-prmd")
    if not loaded:
        raise InputError(f"{group.path}: no recording is left{''.join(f'; {note}' for note in loaded.skipped[:3])}")
    return loaded


@dataclass(frozen=True, eq=False)
class _Pair:
    """A pair in the form of `gonio.training.clips.Labelled`."""

    keypoints: PoseSequence
    target: PoseSequence
    root_m: FloatArray
    camera: Camera


def _stereo_clips(config: StereoLabelsConfig, causal: bool, summaries: list[SourceSummary]) -> list[Clip]:
    camera = _camera_of_rig(config.rig, config.camera)
    keypoints = _person(config.keypoints, config.layout, config.fps, camera.size_px)
    joints = formats.read(config.joints)
    if not isinstance(joints, PoseSequence) or joints.dimensions != 3:
        raise InputError(f"{config.joints}: one person's 3D joints are needed, in the frame of the rig")
    if joints.frame != "world":
        raise InputError(f"{config.joints}: its joints are in the frame {joints.frame!r}, not in the world of a rig")
    views, notes = _slowed(keypoints)
    clips = [_stereo_clip(config, view, joints, camera, causal) for view in views]
    frames = sum(map(len, clips))
    bare = sum(int((~clip.mask.any(axis=1)).sum()) for clip in clips if clip.mask is not None)
    if bare:
        notes = (*notes, f"{config.keypoints.name}: {bare} of {frames} frames have no joints of their time")
    summaries.append(SourceSummary(f"stereo {config.joints.name}, {config.camera}", 1, frames, notes))
    return clips


def _stereo_clip(
    config: StereoLabelsConfig, keypoints: PoseSequence, joints: PoseSequence, camera: Camera, causal: bool
) -> Clip:
    """The keypoints' frames with the joints of the same moments; frames without joints count as unlabelled."""
    body = resample(joints, keypoints.times_s - config.offset_s).to_skeleton(H36M_17)
    kinds = np.array(joint_map(joints.skeleton, H36M_17).kinds)
    same_place = body.positions.copy()
    same_place[:, kinds == "counterpart"] = np.nan  # the network would learn its other definition
    body = body.derive("joints of another definition left out", positions=same_place)
    if not body.valid.any():
        raise InputError(f"{config.joints}: has no joints at the times of {config.keypoints}; check offset_s")
    in_camera = body.transformed(
        camera.rotation, camera.translation, frame="camera", frame_name=camera.name, up=None, step="into the camera"
    )
    root_m = (in_camera["left_hip"] + in_camera["right_hip"]) / 2
    target = in_camera.derive(
        "made relative to the mean of the hips", positions=in_camera.positions - root_m[:, None], frame="root"
    )
    try:
        return body_clip(_Pair(keypoints, target, root_m, camera), causal=causal)
    except InputError as error:
        raise InputError(f"{config.joints}, {config.keypoints}: {error}") from None


def _unlabelled_bodies(config: TrainConfig, unlabelled: UnlabelledConfig, summaries: list[SourceSummary]) -> list[Clip]:
    causal = config.network.causal
    clips: list[Clip] = []
    if unlabelled.subjects:
        pairs = ui_prmd_pairs(config.ui_prmd[0].path, unlabelled.subjects)
        clips += [body_clip(pair, causal=causal).unlabelled() for pair in pairs]
        summaries.append(_pairs_read("unlabelled", pairs))
    for one in unlabelled.files:
        keypoints, camera, notes = _own_keypoints(one)
        views, slowed = _slowed(keypoints)
        with _naming(one.keypoints):
            clips += [unlabelled_body_clip(view, camera, causal=causal) for view in views]
        summaries.append(SourceSummary(f"unlabelled {one.keypoints.name}", 1, len(keypoints), (*notes, *slowed)))
    return clips


def _slowed(sequence: PoseSequence) -> tuple[list[PoseSequence], tuple[str, ...]]:
    """A fast recording as n slower ones, as in prediction: every n-th frame, from each of the first n on."""
    n = n_interleaved(sequence.rate_hz)
    if n == 1 or len(sequence) < 2 * n:
        return [sequence], ()
    note = f"{sequence.rate_hz:.3g} frames per second: split into {n} recordings of every {n}. frame"
    return [sequence.at(slice(first, None, n), note) for first in range(n)], (note,)


# ---- published networks: screen coordinates ----------------------------------------------------------------------


def _screen_data(config: TrainConfig, data: VideoPose3DConfig, progress: Progress) -> TrainingData:
    set_3d = VideoPose3DSet(data.data_3d)
    train_on = data.subjects or _usual(data, set_3d.subjects, H36M_TRAIN, "Train/", "subjects")
    test_on = data.test_subjects or _usual(data, set_3d.subjects, H36M_TEST, "Validate/", "test_subjects")
    others = () if config.unlabelled is None else config.unlabelled.subjects
    _disjoint(train_on, test_on)
    _disjoint(others, (*train_on, *test_on))

    set_2d = VideoPose3DSet(data.data_2d)

    def pairs_of(subjects: Collection[str]) -> Loaded[LabelledPair]:
        return videopose3d_pairs(set_3d, set_2d, subjects=subjects, actions=data.actions or None, cameras=data.cameras)

    summaries: list[SourceSummary] = []
    rng = np.random.default_rng([config.training.seed, 3])
    with progress("reading VideoPose3D's sets", None):
        pairs = pairs_of(train_on)
        clips = _screen_clips(pairs, "labelled", summaries)
        joints_in, joints_out = pairs[0].keypoints.skeleton, pairs[0].target.skeleton
        clips = [clip.at(_stretch(len(clip), data.share, data.downsample, rng)) for clip in clips]
        kept = sum(map(len, clips))
        if kept != summaries[-1].frames:
            note = f"{kept} frames trained on: share {data.share:g}, every {data.downsample}. frame"
            summaries[-1] = SourceSummary(
                summaries[-1].name, summaries[-1].recordings, summaries[-1].frames, (*summaries[-1].notes, note)
            )
        every = slice(None, None, data.downsample)
        validation = [clip.at(every) for clip in _screen_clips(pairs_of(test_on), "validation", summaries)]
        unlabelled = []
        if others:
            unlabelled = [c.at(every).unlabelled() for c in _screen_clips(pairs_of(others), "unlabelled", summaries)]
    rate_hz = round(pairs[0].target.rate_hz / data.downsample, 6)
    for one in () if config.unlabelled is None else config.unlabelled.files:
        keypoints, camera, notes = _own_keypoints(one)
        with _naming(one.keypoints):
            if abs(keypoints.rate_hz - rate_hz) > 1:
                keypoints = at_rate(keypoints, rate_hz)
                notes = (*notes, keypoints.history[-1])
            unlabelled.append(unlabelled_screen_clip(keypoints.to_skeleton(joints_in), camera))
        summaries.append(SourceSummary(f"unlabelled {one.keypoints.name}", 1, len(keypoints), notes))
    if data.flip:
        clips += [clip.flipped(joints_in, joints_out) for clip in clips]
        unlabelled += [clip.flipped(joints_in, joints_out) for clip in unlabelled]
    world = processes()[1]
    return TrainingData(
        normalisation=SCREEN,
        joints_in=joints_in,
        joints_out=joints_out,
        features=2,
        rate_hz=rate_hz,
        labelled=partial(shared_clips, clips, world),
        unlabelled=partial(shared_clips, unlabelled, world) if unlabelled else None,
        validation=tuple(validation),
        unit_mm=1000.0,
        sources=tuple(summaries),
    )


def _usual(data: VideoPose3DConfig, known: Sequence[str], h36m: Sequence[str], prefix: str, key: str) -> list[str]:
    """The paper's subjects that are in the set."""
    found = [subject for subject in known if subject in h36m or subject.startswith(prefix)]
    if not found:
        raise ConfigError(
            f"{data.data_3d}: has none of the paper's subjects; set videopose3d.{key}: {', '.join(known)}"
        )
    return found


def _screen_clips(pairs: Loaded[LabelledPair], name: str, summaries: list[SourceSummary]) -> list[Clip]:
    """Clips of the pairs without missing keypoints."""
    complete = [pair for pair in pairs if pair.keypoints.valid.all()]
    gaps = [f"{pair} left out: keypoints are missing" for pair in pairs if not pair.keypoints.valid.all()]
    if not complete:
        raise InputError(f"no recording of {name} data is left; {gaps[0]}")
    summaries.append(_pairs_read(name, Loaded(tuple(complete), (*pairs.skipped, *gaps))))
    return [screen_clip(pair) for pair in complete]


def _stretch(frames: int, share: float, downsample: int, rng: np.random.Generator) -> slice:
    """A random stretch of a recording with this share of its frames, every `downsample`-th of them."""
    kept = max(1, round(frames * share / downsample)) * downsample
    first = int(rng.integers(max(1, frames - kept + 1)))
    return slice(first, min(frames, first + kept), downsample)


# ---- files of a user's own ---------------------------------------------------------------------------------------


def _own_keypoints(config: KeypointsConfig) -> tuple[PoseSequence, Camera, tuple[str, ...]]:
    """One person's keypoints, their camera, and notes on what was assumed."""
    if config.rig is not None and config.camera is not None:
        camera = _camera_of_rig(config.rig, config.camera)
        return _person(config.keypoints, config.layout, config.fps, camera.size_px), camera, ()
    keypoints = _person(config.keypoints, config.layout, config.fps, config.image_size_px)
    size = keypoints.image_size_px
    if size is None:
        raise InputError(f"{config.keypoints}: does not state the size of its images; add image_size_px, or a rig")
    camera = assumed_camera(size, config.focal_px, keypoints.frame_name)
    notes = (f"focal length assumed: {camera.focal_px:.0f} px",) if config.focal_px is None else ()
    return keypoints, camera, notes


def _person(path: Path, layout: str | None, fps: float | None, size_px: tuple[int, int] | None) -> PoseSequence:
    keypoints = read_person(path, layout=layout, fps=fps, size_px=size_px)
    if keypoints.dimensions != 2:
        raise InputError(f"{path}: holds 3D joints; 2D keypoints are needed")
    return keypoints


def _camera_of_rig(path: Path, name: str) -> Camera:
    rig = rig_files.read(path)
    return rig[rig_files.match_cameras(rig, [name])[name]]


@contextlib.contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Errors in this context name the file."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _pairs_read(name: str, pairs: Loaded[LabelledPair]) -> SourceSummary:
    subjects = ", ".join(sorted({pair.subject for pair in pairs}))
    return SourceSummary(f"{name} {subjects}", len(pairs), sum(len(pair.keypoints) for pair in pairs), pairs.skipped)


def _disjoint(subjects: Collection[str], others: Collection[str]) -> None:
    both = sorted(set(subjects) & set(others))
    if both:
        raise ConfigError(f"subjects {', '.join(both)} are named for two purposes; a person can have one alone")
