"""A trial from files and options, as the command line gives them, in place of a trial file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from gonio.config import CameraConfig, LiftingConfig, RecordingConfig, ReportConfig, RigConfig, Trial
from gonio.core.sequence import Detections, PoseSequence
from gonio.errors import ConfigError, InputError
from gonio.sources import formats, openpose_json


def trial_from_files(
    files: Sequence[Path],
    *,
    calibration: Path | None = None,
    baseline_m: float | None = None,
    focal_px: float | None = None,
    principal_point_px: tuple[float, float] | None = None,
    layout: str | None = None,
    fps: float | None = None,
    height_m: float | None = None,
) -> Trial:
    """A trial of videos, 2D keypoints and 3D recordings; cameras and recordings are named after their files.

    Of one camera without a calibration the focal length serves for lifting; of two it makes, with the baseline, a
    parallel rig.
    """
    cameras: list[CameraConfig] = []
    recordings: list[RecordingConfig] = []
    for path in files:
        name = path.stem.removesuffix("_json")
        own_layout = layout if _must_be_told(path, "layout") else None
        own_fps = fps if _must_be_told(path, "rate_hz") else None
        role = _role(path, own_layout, own_fps)
        if role == "video":
            cameras.append(CameraConfig(name, video=path))
        elif role == "keypoints":
            cameras.append(CameraConfig(name, keypoints=path, layout=own_layout, fps=own_fps))
        else:
            recordings.append(RecordingConfig(name, path, layout=own_layout, fps=own_fps))
    if not files:
        raise ConfigError("no file is named; give a trial file (trial.toml), or videos, keypoints and recordings")
    rig = None
    alone = len(cameras) == 1 and calibration is None and baseline_m is None
    lifting = LiftingConfig(height_m=height_m, focal_px=focal_px if alone else None)
    if alone:
        focal_px = None
    if calibration is not None or baseline_m is not None or focal_px is not None:
        rig = RigConfig(
            calibration=calibration,
            baseline_m=baseline_m,
            focal_px=focal_px,
            principal_point_px=principal_point_px,
        )
    elif principal_point_px is not None:
        raise ConfigError("--principal-point goes with --baseline and --focal")
    return Trial(tuple(cameras), "trial", rig=rig, lifting=lifting, recordings=tuple(recordings))


def _must_be_told(path: Path, option: str) -> bool:
    """Whether a file's format does not tell its layout or its frame rate itself."""
    return any(
        option in form.options and (path.suffix.lower() in form.suffixes if form.suffixes else path.is_dir())
        for form in formats.FORMATS
    )


def _role(
    path: Path, layout: str | None = None, fps: float | None = None
) -> Literal["video", "keypoints", "recording"]:
    """What a file is by what it holds; one that no joint format claims by its ending is taken for a video."""
    if not path.exists():
        raise InputError(f"{path}: no such file")
    if path.is_dir():
        return "recording" if openpose_json.holds_3d_alone(path) else "keypoints"
    if path.suffix.lower() in formats.CLOSED:
        formats.recognise(path)  # says what to export in its place
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
