"""The inputs of a trial on one clock: cameras, all people in their views, 3D recordings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from gonio.core.arrays import FloatArray
from gonio.core.camera import Rig
from gonio.core.clock import common_times
from gonio.core.detections import Detections
from gonio.core.progress import Progress
from gonio.core.sequence import PoseSequence, median_rate_hz
from gonio.trials.config import Trial
from gonio.trials.detect import click_on, detect_views, follow_people
from gonio.trials.patient import Click
from gonio.trials.recordings import read_recordings
from gonio.trials.views import calibrated_views, camera_offset_s, parallel_rig


@dataclass(frozen=True, eq=False)
class Inputs:
    """What a trial is measured from.

    rig         the cameras, under the trial's names; None without calibration
    detections  camera -> all people detected, before they are followed; on the common clock
    people      camera -> the same people, followed over time
    clicks      camera -> where the user clicked on the patient
    recordings  name -> 3D joints from a file; on the common clock
    offsets_s   camera -> seconds that were added to the camera's own times
    times_s     (time,) common times: the span that all cameras and recordings share
    notes       what was decided, for the report
    """

    rig: Rig | None
    detections: Mapping[str, Detections]
    people: Mapping[str, Detections]
    clicks: Mapping[str, Click]
    recordings: Mapping[str, PoseSequence]
    offsets_s: Mapping[str, float]
    times_s: FloatArray
    notes: tuple[str, ...]


def load_inputs(trial: Trial, progress: Progress) -> Inputs:
    """Read every file of a trial and detect the people in its videos.

    Raises `InputError` naming the file that cannot be used, and `ConfigError` if the trial contradicts its files.
    """
    rig, keypoints, sizes = calibrated_views(trial)
    recordings = read_recordings(trial.recordings, rig, trial.reference)  # an error comes before detection
    found = keypoints | detect_views(trial, sizes, progress)
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
    return Inputs(
        rig=rig,
        detections=detections,
        people=people,
        clicks=clicks,
        recordings=recordings,
        offsets_s=offsets_s,
        times_s=times_s,
        notes=(*(rig.history if rig is not None else ()), *_span_notes(clocks, times_s)),
    )


def _span_notes(clocks: Mapping[str, FloatArray], times_s: FloatArray) -> list[str]:
    notes = [
        f"{name}: {len(own)} frames, {own[0]:.3f}-{own[-1]:.3f} s at {median_rate_hz(own):.2f} Hz"
        for name, own in clocks.items()
    ]
    notes.append(f"used: the span that all share, {times_s[0]:.3f}-{times_s[-1]:.3f} s, {len(times_s)} frames")
    return notes
