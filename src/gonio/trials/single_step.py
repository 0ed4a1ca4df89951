"""One step of a trial by itself: triangulate, lift or draw files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from gonio.core.detections import Detections
from gonio.core.errors import ConfigError, InputError
from gonio.core.files import check_writable
from gonio.core.progress import Progress, silent
from gonio.core.provenance import provenance_path
from gonio.core.sequence import PoseSequence
from gonio.detection.tracking import follow
from gonio.io import formats, video
from gonio.lifting.body_lifting import assumed_camera
from gonio.lifting.lifter import Place, lift_and_place
from gonio.lifting.placing import parse_segment
from gonio.lifting.weights import weights_file
from gonio.report.lifted_video import RenderedLift, check_suffix, lifted_video
from gonio.trials.config import StereoConfig
from gonio.trials.from_files import trial_from_files
from gonio.trials.measure import measure
from gonio.trials.measurement import Measurement
from gonio.trials.monocular import checksum, read_weights
from gonio.trials.patient import in_view


def render_files(
    keypoints: Path,
    joints: Sequence[Path],
    output: Path,
    *,
    video_path: Path | None = None,
    layout: str | None = None,
    fps: float | None = None,
    blur_faces: bool = False,
    progress: Progress = silent,
) -> RenderedLift:
    """`lifted_video` of files: one person's 2D keypoints, 3D joints (a panel each, named for its file), their video.

    layout  of keypoint files that do not tell it
    fps     of keypoint and joint files that do not tell it
    """
    inputs = [keypoints, *joints, *([] if video_path is None else [video_path])]
    if not joints:
        raise InputError(f"{keypoints}: there are no 3D joints to draw beside it; name their file too")
    check_suffix(output)
    for path in (output, provenance_path(output)):
        check_writable(path, inputs)
    person = read_person(keypoints, layout=layout, fps=_told(keypoints, fps))
    named = {_panel_name(path, joints): read_person(path, fps=_told(path, fps)) for path in joints}
    frames, total = None, len(person)
    if video_path is not None:
        info = video.probe(video_path)
        frames, total = video.frames(video_path), info.n_frames or 0
        if person.image_size_px is None:
            person = person.derive(image_size_px=info.size_px)
    try:
        with progress("rendering video", total or None) as tick:
            return lifted_video(output, frames, person, named, blur_faces=blur_faces, on_frame=tick)
    except InputError as error:
        told = any(str(path) in str(error) for path in (output, *inputs))
        raise InputError(str(error) if told else f"{keypoints}: {error}") from None


def _told(path: Path, fps: float | None) -> float | None:
    """A rate is for the files that do not tell their own."""
    return fps if "rate_hz" in formats.recognise(path).options else None


def _panel_name(path: Path, paths: Sequence[Path]) -> str:
    """The file's name without its ending, or its path where another file has the same name."""
    return path.stem if sum(other.stem == path.stem for other in paths) == 1 else str(path)


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
    The others are those of `lifting.lifter.lift_and_place`.
    """
    if not 0 <= min_confidence <= 1:
        raise ConfigError(f"--min-confidence {min_confidence:g} must lie in 0..1")
    file = weights_file(weights, causal=causal)
    network = read_weights(file, causal=causal)
    if place == "network" and network.trajectory is None:
        raise InputError(f"{file}: has no network of the trajectory; place the joints by geometry")
    item = read_person(path, layout=layout, fps=fps, size_px=size_px)
    if item.unit == "px" and item.image_size_px is None:
        raise InputError(f"{path}: does not tell the size of its images, which lifting needs; give it with --size")
    cameras = {}
    if focal_px is not None and item.image_size_px is not None:
        cameras = {"": assumed_camera(item.image_size_px, focal_px, item.frame_name or path.stem)}
    try:
        (lifted,) = lift_and_place(
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
