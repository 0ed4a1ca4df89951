"""A trial from its files to its results, in one call, as `gonio compare` does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from gonio.comparison.result import ComparisonResult
from gonio.core.errors import ConfigError
from gonio.core.progress import Progress, silent
from gonio.trials.config import Trial, load_trial
from gonio.trials.evaluate import evaluate
from gonio.trials.from_files import adjusted, trial_from_files
from gonio.trials.measure import measure
from gonio.trials.outputs import OnWritten, Output, unreported
from gonio.trials.overlays import face_warnings
from gonio.trials.results import check_output, write_results


def compare(
    trial: Trial | str | Path | Sequence[str | Path],
    progress: Progress = silent,
    *,
    output: str | Path | None = None,
    rig: str | Path | None = None,
    baseline: float | None = None,
    focal: float | None = None,
    principal_point: tuple[float, float] | None = None,
    detector: str | None = None,
    people: int | None = None,
    reference: str | None = None,
    layout: str | None = None,
    fps: float | None = None,
    height: float | None = None,
    align_clocks: Literal["none", "auto"] = "none",
    blur_faces: bool = False,
    videos: bool = True,
    on_written: OnWritten = unreported,
    **detector_options: Any,
) -> ComparisonResult:
    """Measure one trial by every method; compare the methods with the reference, or pairwise if there is none.

    trial            a trial, a trial file (.toml), or the videos, 2D keypoints and 3D recordings themselves
    output           the results folder; default: nothing is written
    rig              the calibration of the cameras
    baseline         distance between two parallel cameras, m
    focal            focal length of two parallel cameras, or of one camera alone, px
    principal_point  where the axes of the parallel cameras meet the image, px; default: its centre
    detector         the detector's name, and `people` most people to follow in each view
    reference        the method or recording that the others are compared with
    layout, fps      of keypoint files that do not state them
    height           the person's stature, m
    align_clocks     "auto": find the clocks of 3D recordings from their joint angles
    blur_faces       blur faces in videos and images of the results
    videos           draw the overlay videos
    detector_options  of the detector, such as `weights` and `net_resolution` of openpose; its `layout` is
                      `detector_layout`

    Raises a `GonioError` that names the file and the remedy if an input cannot be used.
    """
    if isinstance(trial, str | Path):
        trial = load_trial(trial) if Path(trial).suffix == ".toml" else (trial,)
    elif not isinstance(trial, Trial) and len(trial) == 1 and Path(trial[0]).suffix == ".toml":
        trial = load_trial(trial[0])
    if isinstance(trial, Trial):
        options = {"rig": rig, "baseline": baseline, "focal": focal, "principal-point": principal_point}
        for name, value in (options | {"layout": layout, "fps": fps, "height": height}).items():
            if value is not None:
                raise ConfigError(f"--{name} goes with videos or keypoints; a trial file states it itself")
    else:
        trial = trial_from_files(
            [Path(file) for file in trial],
            calibration=None if rig is None else Path(rig),
            baseline_m=baseline,
            focal_px=focal,
            principal_point_px=principal_point,
            layout=layout,
            fps=fps,
            height_m=height,
        )
    trial = adjusted(
        trial,
        detector=detector,
        detector_options={name.removeprefix("detector_"): value for name, value in detector_options.items()},
        people=people,
        reference=reference,
        blur_faces=blur_faces,
        videos=videos,
        align_clocks=align_clocks,
    )
    if output is not None:
        check_output(Path(output), trial)
    measurement = measure(trial, progress)
    result = evaluate(measurement)
    if output is not None:
        write_results(output, measurement, result, progress)
        warnings = [*measurement.warnings, *face_warnings(trial)]
        on_written(Output(Path(output) / "report.html", notes=[*measurement.assumptions], warnings=warnings))
    return result
