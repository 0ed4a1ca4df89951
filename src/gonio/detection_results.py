"""What `gonio detect` writes beside the joints: the video with the joints drawn in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gonio.core.files import check_writable
from gonio.core.sequence import Detections, PoseSequence
from gonio.errors import InputError
from gonio.progress import Progress, silent
from gonio.provenance import provenance_path
from gonio.report import rendering
from gonio.sources import video


def draw_detections(
    path: Path,
    everybody: Detections,
    keypoints: PoseSequence,
    *,
    overlay: Path | None,
    images: Path | None,
    blur_faces: bool,
    progress: Progress = silent,
) -> None:
    """The video `path` with one person's joints drawn in, as a video and as one picture a frame, where asked for."""
    total = len(keypoints)
    faces: dict[str, Any] = {"blur_faces": blur_faces, "bystanders": everybody}
    if overlay is not None:
        with progress("rendering video", total) as tick:
            rendering.overlay_video(overlay, video.frames(path), keypoints, **faces, on_frame=tick)
    if images is not None:
        with progress("writing pictures", total) as tick:
            rendering.write_images(images, video.frames(path), keypoints, **faces, on_frame=tick)


def check_detection_outputs(path: Path, output: Path, overlay: Path | None, images: Path | None) -> None:
    """Ask before long work: raises `InputError` where `gonio detect` could not write, or would replace something."""
    targets = [output, provenance_path(output), *(target for target in (overlay, images) if target is not None)]
    for number, target in enumerate(targets):
        check_writable(target, [path])
        if target.absolute() in [other.absolute() for other in targets[:number]]:
            raise InputError(f"{target}: is named twice; give each output its own place")
    if overlay is not None and overlay.suffix.lower() != ".mp4":
        raise InputError(f"{overlay}: the overlay video is written as .mp4")
    if images is not None and images.is_file():
        raise InputError(f"{images}: is a file; the pictures need a folder")
