"""One video by itself: its 2D joints, written and drawn, as `gonio detect` does."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from gonio.core.errors import ConfigError
from gonio.core.progress import Progress, silent
from gonio.io import formats, infer_video
from gonio.trials.config import DetectorConfig
from gonio.trials.detect import DetectedVideo, detect_video
from gonio.trials.outputs import OnWritten, unreported
from gonio.trials.outputs import output as output_file
from gonio.trials.overlays import check_detection_outputs, draw_detections


def detect(
    video: str | Path,
    *,
    output: str | Path | None = None,
    detector: str = "blazepose-heavy",
    people: int | None = None,
    choose: Literal["largest", "center"] = "largest",
    region: tuple[float, float, float, float] | None = None,
    click: tuple[float, float] | None = None,
    click_time: float | None = None,
    overlay: str | Path | None = None,
    images: str | Path | None = None,
    blur_faces: bool = False,
    progress: Progress = silent,
    on_written: OnWritten = unreported,
    **detector_options: Any,
) -> DetectedVideo:
    """Find the joints of a person in a video: `.patient` are that person's, `.people` those of all who are followed.

    output      where the joints are written; default: nowhere
    detector    its name, as in `gonio detect --help`
    people      most people to follow; default: 1, and all detections with openpose and keypoint-rcnn without a click
    choose      who comes first: the largest person, or the one nearest to the image's centre
    region      x1, y1, x2, y2 px: only people whose mid-hip is inside
    click       x, y px: the person at this place comes first
    click_time  when, s; default: at the first frame
    overlay     also write the video with the joints drawn in (.mp4)
    images      also write every frame with the joints drawn in, into this folder
    blur_faces  blur the faces of the people who are followed
    detector_options  of the detector, such as `weights` and `net_resolution` of openpose

    Raises `InputError` if the video cannot be read or an output cannot be written, `ConfigError` for wrong options.
    """
    path = Path(video)
    settings = DetectorConfig(detector, 1 if people is None else people, choose).changed(None, detector_options)
    finds_all = people is None and click is None and settings.make().finds_everybody
    target = None if output is None else Path(output)
    video_out, images_out = (None if drawn is None else Path(drawn) for drawn in (overlay, images))
    options = {
        "video": path,
        "output": target,
        "detector": detector,
        "people": people,
        "choose": choose,
        "region": region,
        "click": click,
        "click_time": click_time,
        "overlay": video_out,
        "images": images_out,
        "blur_faces": blur_faces,
        **settings.option_values,
    }
    if target is not None:
        formats.check_target(target, 2, several=finds_all or settings.people > 1)
    check_detection_outputs(path, target, video_out, images_out)
    with output_file(target, [path, *settings.files], "detect", options, on_written) as out:
        if click is None and click_time is not None:
            raise ConfigError("--click-time is the time of --click, which is not given")
        found = detect_video(path, settings, region_px=region, click_px=click, click_s=click_time, progress=progress)
        draw_detections(
            path,
            found.detections,
            found.patient,
            overlay=video_out,
            images=images_out,
            blur_faces=blur_faces,
            progress=progress,
        )
        several = found.detections if finds_all else found.people
        if target is not None:
            one = not finds_all and people in (None, 1) and not infer_video.is_written(several, target)
            out.write(found.patient if one else several)
        out.steps += found.patient.history
    return found
