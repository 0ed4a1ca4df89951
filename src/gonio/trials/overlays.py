"""Videos and images of a trial with the joints drawn in."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gonio.core.arrays import VideoFrame
from gonio.core.detections import Detections
from gonio.core.errors import InputError
from gonio.core.files import check_writable
from gonio.core.progress import Progress, silent
from gonio.core.provenance import provenance_path
from gonio.core.sequence import PoseSequence
from gonio.io import video
from gonio.report import overlay as rendering
from gonio.trials.config import Trial
from gonio.trials.detect import max_people

if TYPE_CHECKING:  # to detect takes neither figures nor statistics
    from gonio.trials.measurement import Measurement


def draw_videos(
    folder: Path, measurement: Measurement, progress: Progress
) -> tuple[dict[str, tuple[Path, str]], dict[str, rendering.Rendered]]:
    """Write the overlay videos; camera -> a still image and its caption, and camera -> what was drawn."""
    trial = measurement.trial
    cameras = [camera for camera in trial.cameras if camera.video is not None]
    stills: dict[str, tuple[Path, str]] = {}
    drawn: dict[str, rendering.Rendered] = {}
    if not cameras:
        return stills, drawn
    blur = trial.report.blur_faces
    total = sum(video.probe(camera.file).n_frames or 0 for camera in cameras)
    with progress("rendering videos", total or None) as tick:
        for camera in cameras:
            back_s, why = -measurement.offsets_s[camera.name], "back to the camera's own clock"
            view = measurement.views[camera.name].shifted(back_s, why)
            found = measurement.detections[camera.name]
            bystanders = replace(found, times_s=found.times_s + back_s)
            projected = _reprojected(measurement, camera.name)
            projected = None if projected is None else projected.shifted(back_s, why)
            drawn[camera.name] = rendering.overlay_video(
                folder / "videos" / f"{camera.name}.mp4",
                video.frames(camera.file),
                view,
                reprojected=projected,
                blur_faces=blur,
                bystanders=bystanders,
                on_frame=tick,
            )
            still = _middle_frame(camera.file, view)
            if still is not None:
                path = folder / "figures" / f"overlay_{camera.name}.png"
                rendering.write_still(path, still, view, reprojected=projected, blur_faces=blur, bystanders=bystanders)
                caption = f"{camera.name}: joints found in the image" + (
                    ", and the 3D joints drawn back" if projected is not None else ""
                )
                stills[camera.name] = (path, caption)
    return stills, drawn


def _middle_frame(path: Path, view: PoseSequence) -> VideoFrame | None:
    frames = np.flatnonzero(view.valid.any(axis=1))
    if len(frames) == 0:
        return None
    middle_s = view.times_s[frames[len(frames) // 2]]
    return next((frame for frame in video.frames(path) if frame.time_s >= middle_s - 1e-6), None)


def _reprojected(measurement: Measurement, camera: str) -> PoseSequence | None:
    """The 3D joints of the stereo method with the most cameras, projected into this camera; None without one."""
    rig = measurement.rig
    results = sorted(measurement.triangulations.items(), key=lambda item: -len(item[1].camera_names))
    method = next((name for name, result in results if camera in result.camera_names), None)
    if rig is None or method is None:
        return None
    sequence = measurement.sequences[method]
    pixels = rig[camera].world_to_image(sequence.positions)
    return PoseSequence(
        positions=pixels,
        times_s=sequence.times_s,
        skeleton=sequence.skeleton,
        unit="px",
        frame="image",
        frame_name=camera,
        image_size_px=rig[camera].size_px,
        source=sequence.source,
        history=(*sequence.history, f"projected into {camera}"),
        assumptions=sequence.assumptions,
    )


def face_warnings(trial: Trial) -> tuple[str, ...]:
    """What the user must know of blurred videos before sharing them."""
    if not trial.report.blur_faces:
        return ()
    if trial.detector.make().finds_everybody:
        return ("only the faces of people whom the detector found are blurred: check every video before you share it",)
    people = max_people(trial)
    followed = "one person" if people == 1 else f"at most {people} people"
    return (
        f"only the faces of people who were followed are blurred ({followed} in each view, detector.people): check "
        f"every video and image before you share it",
    )


def draw_detections(
    path: Path,
    detections: Detections,
    keypoints: PoseSequence,
    *,
    overlay: Path | None,
    images: Path | None,
    blur_faces: bool,
    progress: Progress = silent,
) -> None:
    """Draw one person's joints into the video `path`: as a video `overlay`, and as one image per frame in `images`."""
    total = len(keypoints)
    faces: dict[str, Any] = {"blur_faces": blur_faces, "bystanders": detections}
    if overlay is not None:
        with progress("rendering video", total) as tick:
            rendering.overlay_video(overlay, video.frames(path), keypoints, **faces, on_frame=tick)
    if images is not None:
        with progress("writing images", total) as tick:
            rendering.write_images(images, video.frames(path), keypoints, **faces, on_frame=tick)


def check_detection_outputs(path: Path, output: Path | None, overlay: Path | None, images: Path | None) -> None:
    """Check before long work: raises `InputError` if `gonio detect` cannot write, or would replace an input."""
    record = None if output is None else provenance_path(output)
    targets = [target for target in (output, record, overlay, images) if target is not None]
    for number, target in enumerate(targets):
        check_writable(target, [path])
        if target.absolute() in [other.absolute() for other in targets[:number]]:
            raise InputError(f"{target}: is named twice; give each output its own place")
    if overlay is not None and overlay.suffix.lower() != ".mp4":
        raise InputError(f"{overlay}: the overlay video is written as .mp4")
    if images is not None and images.is_file():
        raise InputError(f"{images}: is a file; the images need a folder")
