"""A trial from files and options, as the command line gives them, in place of a trial file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from gonio.core.detections import Detections
from gonio.core.errors import ConfigError, InputError
from gonio.core.sequence import PoseSequence
from gonio.io import formats, openpose_json
from gonio.io.kinect import reader as kinect
from gonio.trials.config import CameraConfig, LiftingConfig, RecordingConfig, ReportConfig, RigConfig, Trial


def trial_from_files(
    files: Sequence[Path],
    *,
    calibration: Path | None = None,
    unit: Literal["m", "mm"] | None = None,
    baseline_m: float | None = None,
    focal_px: float | None = None,
    principal_point_px: tuple[float, float] | None = None,
    layout: str | None = None,
    fps: float | None = None,
    height_m: float | None = None,
) -> Trial:
    """A trial of videos, 2D keypoints and 3D recordings; cameras and recordings are named after their files.

    unit  of the calibration file, if it does not state it

    Of one camera without a calibration the focal length serves for lifting; of two it makes, with the baseline, a
    parallel rig.
    """
    cameras: list[CameraConfig] = []
    recordings: list[RecordingConfig] = []
    for path in files:
        name = Path(path.name.removesuffix(".gz")).stem.removesuffix("_json")
        form = _joint_format(path)
        own_layout = layout if form is not None and form.takes_layout(layout) else None
        timed = form is not None and form.key == "kinect" and kinect.has_times(path)
        own_fps = fps if form is not None and "rate_hz" in form.options and not timed else None
        role = "video" if form is None else _role(path, own_layout, own_fps)
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
            unit=unit,
            baseline_m=baseline_m,
            focal_px=focal_px,
            principal_point_px=principal_point_px,
        )
    elif principal_point_px is not None:
        raise ConfigError("--principal-point goes with --baseline and --focal")
    return Trial(tuple(cameras), "trial", rig=rig, lifting=lifting, recordings=tuple(recordings))


def check_files(trial: Trial) -> None:
    """Raises `InputError` naming the first file that is not there."""
    for owner, path in [(c.name, c.file) for c in trial.cameras] + [(r.name, r.file) for r in trial.recordings]:
        if not path.exists():
            raise InputError(f"{path}: no such file (named for {owner!r})")


def _joint_format(path: Path) -> formats.Format | None:
    """The format of a file of joints; None for one that no joint format claims by its ending: a video."""
    if not path.exists():
        raise InputError(f"{path}: no such file")
    endings = (*(suffix for form in formats.FORMATS for suffix in form.suffixes), *formats.CLOSED)
    named = path.name.lower().endswith(endings)
    return formats.recognise(path) if path.is_dir() or named else None


def _role(path: Path, layout: str | None, fps: float | None) -> Literal["keypoints", "recording"]:
    """What a file of joints is by what it holds."""
    if path.is_dir():
        return "recording" if openpose_json.holds_3d_alone(path) else "keypoints"
    item = formats.read(path, layout=layout, rate_hz=fps)
    flat = isinstance(item, Detections) or (isinstance(item, PoseSequence) and item.unit == "px")
    return "keypoints" if flat else "recording"


def adjusted(
    trial: Trial,
    *,
    detector: str | None,
    detector_options: Mapping[str, Any],
    people: int | None = None,
    reference: str | None,
    blur_faces: bool,
    videos: bool,
    align_clocks: Literal["none", "auto"] = "none",
) -> Trial:
    """The trial with what the command line says on top of it.

    detector_options  option of the detector -> value
    align_clocks  "auto": the clock of every recording but the reference, or else the first, is found from its movement
    """
    reference = trial.reference if reference is None else reference
    recordings = trial.recordings
    if align_clocks == "auto":
        if len(recordings) < 2:
            raise ConfigError(
                f"--align-clocks auto brings 3D recordings to one clock; there {'is' if recordings else 'are'} "
                f"{'one' if recordings else 'none'}; for cameras say offset_frames or offset_s in a trial file"
            )
        names = [recording.name for recording in recordings]
        kept = reference if reference in names else names[0]
        recordings = tuple(r if r.name == kept else replace(r, offset_s="auto") for r in recordings)
    return replace(
        trial,
        recordings=recordings,
        detector=replace(
            trial.detector.changed(detector, detector_options),
            people=trial.detector.people if people is None else people,
        ),
        reference=reference,
        report=ReportConfig(trial.report.videos and videos, trial.report.blur_faces or blur_faces),
    )
