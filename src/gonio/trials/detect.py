"""The people in videos: everybody whom the detector sees, who is followed over time, and the one who is measured."""

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

CLICKABLE = 4  # people followed in each view, at least, where somebody clicks on one


@dataclass(frozen=True, eq=False)
class DetectedVideo:
    """What `detect_video` found.

    everybody  all people that the detector saw, before anybody is followed
    people     the patient as number 0, and who else is asked for, followed over time
    patient    the patient's joints
    """

    everybody: Detections
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
    """The people in one video: everybody; the one chosen by the rule or by a click; who else is followed."""
    camera = CameraConfig("video", video=path, region_px=region_px, click_px=click_px, click_s=click_s)
    trial = Trial((camera,), detector=settings)
    check_files(trial)
    (everybody,) = detect_views(trial, {camera.name: video.probe(path).size_px}, progress).values()
    everybody = replace(everybody, frame_name=path.stem)
    followed = follow_people({"": everybody}, settings.people)[""]
    click = None if click_px is None else click_on(camera, everybody, 0.0)
    chosen, words = patient_in_view(followed, settings.choose, click)
    people = first_people(followed, settings.people, chosen, settings.choose)
    return DetectedVideo(everybody, people, followed.person(chosen, words))


def follow_people(detections: Mapping[str, Detections], wanted: int) -> Mapping[str, Detections]:
    """People followed over time in each view; left as they are where nobody saw, or asked for, more than one."""
    if wanted <= 1 and all(everybody.positions.shape[1] <= 1 for everybody in detections.values()):
        return detections
    return {name: follow(everybody) for name, everybody in detections.items()}


def click_on(camera: CameraConfig, detections: Detections, offset_s: float) -> Click:
    """Where somebody clicked on the patient, on the clock of the detections."""
    assert camera.click_px is not None
    time_s = float(detections.times_s[0]) if camera.click_s is None else camera.click_s + offset_s
    return Click(*camera.click_px, time_s)


def max_people(trial: Trial) -> int:
    """Most people that BlazePose follows in each view: as told, and enough to choose from where somebody clicks."""
    clicked = any(camera.click_px is not None for camera in trial.cameras)
    return max(trial.detector.people, CLICKABLE if clicked else 1)


def detect_views(trial: Trial, sizes: Mapping[str, tuple[int, int]], progress: Progress) -> dict[str, Detections]:
    """camera -> the people seen in its video; cameras side by side."""
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
                    f"{camera.file}: no person was found{where} in {len(seen)} frames; look at it with gonio detect "
                    f"--overlay, and see that the whole body is in the picture"
                )
            return replace(seen, history=(*stream.notes, *seen.history))

        with ThreadPoolExecutor(max_workers=min(len(cameras), usable_cores())) as pool, one_thread_each():
            tasks = {camera.name: pool.submit(run, camera) for camera in cameras}
            try:
                done, _ = wait(tasks.values(), return_when=FIRST_EXCEPTION)
                for task in done:
                    task.result()
            except BaseException:  # an error, or the user: the other cameras stop at a frame that comes soon
                stop.set()
                for task in tasks.values():
                    task.cancel()
                raise
    return {name: task.result() for name, task in tasks.items()}
