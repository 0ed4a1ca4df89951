"""A trial from files and options, as the command line gives them, in place of a trial file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from gonio.core.errors import ConfigError, InputError
from gonio.io import formats
from gonio.io.registry import Format, claims, recognise
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

    The focal length of one camera without a calibration is used for lifting; of two, with the baseline, it makes a
    parallel rig.
    """
    cameras: list[CameraConfig] = []
    recordings: list[RecordingConfig] = []
    for path in files:
        name = Path(path.name.removesuffix(".gz")).stem.removesuffix("_json")
        form = _joint_format(path)
        own_layout = layout if form is not None and form.takes_layout(layout) else None
        own_fps = fps if form is not None and not form.tells_rate(path) else None
        if form is None:
            cameras.append(CameraConfig(name, video=path))
        elif formats.dimensions(path, layout=own_layout, rate_hz=own_fps) == 2:
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
    """Raises `InputError` naming the first file that does not exist."""
    for owner, path in [(c.name, c.file) for c in trial.cameras] + [(r.name, r.file) for r in trial.recordings]:
        if not path.exists():
            raise InputError(f"{path}: no such file (named for {owner!r})")


def _joint_format(path: Path) -> Format | None:
    """The format of a file of joints; None for a video, whose ending belongs to no format of joints."""
    if not path.exists():
        raise InputError(f"{path}: no such file")
    return recognise(path) if claims(path) else None


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
    """The trial with the values that the command line changes.

    detector_options  option of the detector -> value
    align_clocks  "auto": the clock of every recording but the reference, or else the first, is found from its movement
    """
    reference = trial.reference if reference is None else reference
    recordings = trial.recordings
    if align_clocks == "auto":
        if len(recordings) < 2:
            raise ConfigError(
                f"--align-clocks auto brings 3D recordings to one clock; this trial has "
                f"{'only one' if recordings else 'none'}; for cameras give offset_frames or offset_s in a trial file"
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
