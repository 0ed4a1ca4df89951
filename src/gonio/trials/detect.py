"""The people in videos: all detections, people followed over time, and the patient."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from concurrent.futures import FIRST_EXCEPTION, CancelledError, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from pathlib import Path

from gonio.core.detections import Detections, keep_inside, without_gaps
from gonio.core.errors import InputError
from gonio.core.progress import Progress, silent
from gonio.core.sequence import PoseSequence
from gonio.core.threads import one_thread_each, usable_cores
from gonio.detection.tracking import follow
from gonio.detection.weights import fetch_weights
from gonio.io import video
from gonio.trials.config import CameraConfig, DetectorConfig, Trial
from gonio.trials.from_files import check_files
from gonio.trials.patient import Click, first_people, patient_in_view

CLICKABLE = 4  # people to choose from: so many are followed in each view, at least, if the user clicks on one


@dataclass(frozen=True, eq=False)
class DetectedVideo:
    """The people in one video.

    detections  all people detected, before they are followed
    people      followed over time: the patient as number 0, then as many others as requested
    patient     the patient's joints
    """

    detections: Detections
    people: Detections
    patient: PoseSequence


def detect_video(
    path: Path,
    settings: DetectorConfig,
    *,
    region_px: tuple[float, float, float, float] | None = None,
    click_px: tuple[float, float] | None = None,
    click_s: float | None = None,
    progress: Progress = silent,
) -> DetectedVideo:
    """Detect and follow the people in one video, and choose the patient by the rule or by a click.

    region_px  x1, y1, x2, y2: only people whose mid-hip is inside
    click_px   a place in the image where the patient is, at `click_s` seconds (default: in the first frame)

    Raises `InputError` naming the video if it cannot be read or shows no person, and if no person is at the click.
    """
    camera = CameraConfig("video", video=path, region_px=region_px, click_px=click_px, click_s=click_s)
    trial = Trial((camera,), detector=settings)
    check_files(trial)
    (found,) = detect_views(trial, {camera.name: video.probe(path).size_px}, progress).values()
    found = replace(found, frame_name=path.stem)
    followed = follow_people({"": found}, settings.people)[""]
    click = None if click_px is None else click_on(camera, found, 0.0)
    chosen, description = patient_in_view(followed, settings.choose, click)
    people = first_people(followed, settings.people, chosen, settings.choose)
    return DetectedVideo(found, people, followed.person(chosen, description))


def follow_people(detections: Mapping[str, Detections], requested: int) -> Mapping[str, Detections]:
    """camera -> people followed over time; the detections themselves if one person is requested and none shows more."""
    if requested <= 1 and all(found.positions.shape[1] <= 1 for found in detections.values()):
        return detections
    return {name: follow(found) for name, found in detections.items()}


def click_on(camera: CameraConfig, detections: Detections, offset_s: float) -> Click:
    """The user's click on the patient, on the clock of the detections."""
    assert camera.click_px is not None
    time_s = float(detections.times_s[0]) if camera.click_s is None else camera.click_s + offset_s
    return Click(*camera.click_px, time_s)


def max_people(trial: Trial) -> int:
    """The most people that the detector follows in each view: as declared, and at least `CLICKABLE` with a click."""
    clicked = any(camera.click_px is not None for camera in trial.cameras)
    return max(trial.detector.people, CLICKABLE if clicked else 1)


def detect_views(trial: Trial, sizes: Mapping[str, tuple[int, int]], progress: Progress) -> dict[str, Detections]:
    """camera -> all people detected in its video; several cameras run at the same time.

    sizes  camera -> (width, height) of its images

    Raises `InputError` naming a video in which no person is detected.
    """
    cameras = [c for c in trial.cameras if c.video is not None]
    if not cameras:
        return {}
    settings = replace(trial.detector, people=max_people(trial))
    workers = {c.name: settings.make(c.region_px) for c in cameras}
    for asset in next(iter(workers.values())).weights:
        fetch_weights(asset)
    total = sum(video.probe(c.file).n_frames or 0 for c in cameras)
    stop, lock = threading.Event(), threading.Lock()
    with progress("detecting joints", total or None) as tick:

        def watched_tick() -> None:
            if stop.is_set():
                raise CancelledError
            with lock:
                tick()

        def run(camera: CameraConfig) -> Detections:
            stream, size = video.frames(camera.file), sizes[camera.name]
            seen = workers[camera.name].detect(stream, camera=camera.name, image_size_px=size, on_frame=watched_tick)
            if camera.region_px is not None and workers[camera.name].finds_everybody:
                seen, _ = without_gaps(keep_inside(seen, camera.region_px))
            if not seen.present.any():
                where = "" if camera.region_px is None else f" inside the region {camera.region_px}"
                raise InputError(
                    f"{camera.file}: no person was found{where} in {len(seen)} frames; check with gonio detect "
                    f"--overlay that the whole body is in the image"
                )
            return replace(seen, history=(*stream.notes, *seen.history))

        with ThreadPoolExecutor(max_workers=min(len(cameras), usable_cores())) as pool, one_thread_each():
            tasks = {camera.name: pool.submit(run, camera) for camera in cameras}
            try:
                done, _ = wait(tasks.values(), return_when=FIRST_EXCEPTION)
                for task in done:
                    task.result()
            except BaseException:  # an error, or the user interrupts: the other cameras stop at their next frame
                stop.set()
                for task in tasks.values():
                    task.cancel()
                raise
    return {name: task.result() for name, task in tasks.items()}
