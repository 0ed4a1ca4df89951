"""From a trial with two nearly parallel, calibrated cameras to one with a truly parallel rig: videos and trial file.

The pair is made parallel by `stereo.rectification`. Every frame is then drawn anew and encoded again, one after
another, so memory does not grow with the length of a video; keypoints from files are transformed. The folder holds

    trial.toml           the two cameras with [rig] baseline_m, focal_px and principal_point_px, for `gonio compare`
    CAMERA.mp4, .npz     the rectified video, or the rectified keypoints
    Calib.toml           the same two cameras in the world of the calibration
    rectification.json   turns and losses, and the transformation from the parallel rig's frame to that world
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from gonio.calibration import rectification
from gonio.calibration.rectification import RectifiedPair
from gonio.core.arrays import VideoFrame
from gonio.core.detections import Detections
from gonio.core.errors import ConfigError, InputError
from gonio.core.files import check_writable, replacing, write_json
from gonio.core.progress import Progress, Tick, silent
from gonio.core.provenance import write_provenance
from gonio.io import archive, video
from gonio.io.rigs import files as rig_files
from gonio.report.video_writing import write_mp4
from gonio.trials.config import CameraConfig, RigConfig, Trial, load_trial, trial_text
from gonio.trials.from_files import check_files
from gonio.trials.methods import GROUPS, possible_methods, requested_methods
from gonio.trials.outputs import OnWritten, Output, unreported
from gonio.trials.views import calibrated_views

# The rectified videos are input of measurements. Soft dots of 4 px, found by their centre of brightness, were
# off by 0.010 px in the median before encoding, and by 0.015, 0.02, 0.03 and 0.08 px after it with crf 4, 8, 12 and 21.
CRF = 8


@dataclass(frozen=True, eq=False)
class Rectified:
    """The rectified trial.

    pair   the cameras before and after
    trial  the content of the new trial file
    notes  sentences: what was done and what was lost
    """

    pair: RectifiedPair
    trial: Trial
    notes: tuple[str, ...]


def rectify(
    trial: Trial | str | Path,
    output: str | Path,
    *,
    cameras: tuple[str, str] | None = None,
    alpha: float = 1.0,
    progress: Progress = silent,
    on_written: OnWritten = unreported,
) -> Rectified:
    """Write the folder `output` of a trial's pair made parallel.

    trial    or its file
    cameras  the pair, in either order; not needed if the trial has two cameras
    alpha    1 keeps all pixels, 0 only valid ones (`calibration.rectification.rectify`)

    Raises `ConfigError` if the trial has no calibration, or if it has more than two cameras and none are named;
    `InputError` if a file cannot be used, or if the pair cannot be made parallel (`calibration.rectification.rectify`).
    """
    source, output = trial if isinstance(trial, str | Path) else trial.name, Path(output)
    trial = trial if isinstance(trial, Trial) else load_trial(trial)
    names = _pair_names(trial, cameras)
    configs = {c.name: c for c in trial.cameras if c.name in names}
    pair_trial = replace(trial, cameras=tuple(configs.values()), recordings=(), methods=(), reference=None)
    check_files(pair_trial)
    if trial.rig is None or trial.rig.calibration is None:
        raise ConfigError(f"{trial.name}: rectifying needs a [rig] with a calibration; this trial has none")
    check_writable(output, [trial.rig.calibration, *(c.file for c in configs.values())])
    rig, keypoints, _ = calibrated_views(pair_trial)
    assert rig is not None
    pair = rectification.rectify(rig, names, alpha=alpha)
    notes = list(_sentences(pair))
    moved = {}
    for name in pair.names:
        moved[name], camera_notes = _camera(configs[name], pair, output)
        notes += camera_notes
    new, trial_notes = _trial(trial, pair, moved)
    notes += trial_notes
    with replacing(output) as folder:
        folder.mkdir()
        total = sum(video.probe(c.video).n_frames or 0 for c in configs.values() if c.video is not None)
        with progress("rectifying", total or None) as tick:
            for name in pair.names:
                if name in keypoints:
                    archive.write(_moved(keypoints[name], pair, name), folder / f"{name}.npz")
                else:
                    notes += _redrawn(configs[name], pair, folder / f"{name}.mp4", tick)
        text = "# Made by gonio rectify; rectification.json describes how.\n\n" + trial_text(new, output)
        (folder / "trial.toml").write_text(text, encoding="utf-8", newline="\n")
        write_json(folder / "rectification.json", _record(pair, alpha, notes), indent=2, ascii_only=False)
        rig_files.write(pair.rig, folder / "Calib.toml")
    made = Output(output / "trial.toml", steps=notes, notes=notes)
    write_provenance(
        output / "trial.toml",
        "rectify",
        {"trial": source, "output": output, "cameras": cameras, "alpha": alpha},
        *notes,
    )
    on_written(made)
    return Rectified(pair, new, tuple(notes))


def _pair_names(trial: Trial, cameras: tuple[str, str] | None) -> tuple[str, str]:
    names = [c.name for c in trial.cameras]
    if cameras is None:
        if len(names) != 2:
            raise ConfigError(
                f"{trial.name}: names {len(names)} cameras ({', '.join(names)}); name two of them with --cameras"
            )
        return names[0], names[1]
    for name in cameras:
        if name not in names:
            raise ConfigError(f"{trial.name}: has no camera {name!r}; it has {', '.join(names)}")
    return cameras


def _sentences(pair: RectifiedPair) -> Iterator[str]:
    left, right = pair.names
    yield (
        f"{left} is the left camera and {right} the right one; the baseline is {pair.baseline_m:.4f} m, and the axes "
        f"differed by {pair.angle_deg:.1f} degrees"
    )
    for camera in pair.originals:
        yield (
            f"{camera.name}: turned by {pair.turned_deg[camera.name]:.1f} degrees, focal length "
            f"{camera.focal_px:.1f} -> {pair.focal_px:.1f} px; {pair.kept(camera.name):.0%} of its image is kept, "
            f"and fills {pair.filled(camera.name):.0%} of the rectified image"
        )
    yield (
        f"the new trial has the frame of the rectified left camera, whose vertical differs from the world's by "
        f"{pair.tilt_deg:.1f} degrees: trunk inclination has the same error"
    )


def _redrawn(config: CameraConfig, pair: RectifiedPair, target: Path, tick: Tick) -> list[str]:
    """Write the rectified video; sentences on what was lost."""
    map_x, map_y = pair.maps(config.name)
    stream = video.frames(config.file)

    def drawn() -> Generator[VideoFrame]:
        for frame in stream:
            image = cv2.remap(frame.image, map_x, map_y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_CONSTANT)
            yield replace(frame, image=np.asarray(image, dtype=np.uint8))
            tick()

    with contextlib.closing(drawn()) as frames:
        write_mp4(target, frames, crf=CRF)
    return [
        *stream.notes,
        f"{config.name}: pixels interpolated and encoded again (H.264, crf {CRF}): some image detail is lost",
    ]


def _moved(found: Detections, pair: RectifiedPair, name: str) -> Detections:
    """Keypoints in the rectified image; without boxes, which would no longer be upright."""
    positions = pair.points(name, found.positions)
    lost = int((np.isnan(positions[..., 0]) & ~np.isnan(found.positions[..., 0])).sum())
    step = f"rectified: turned by {pair.turned_deg[name]:.1f} degrees, distortion removed; {lost} joints lost"
    return replace(
        found, positions=positions, image_size_px=pair.size_px, boxes_px=None, history=(*found.history, step)
    )


def _camera(config: CameraConfig, pair: RectifiedPair, output: Path) -> tuple[CameraConfig, list[str]]:
    """The camera of the new trial; sentences on settings that changed."""
    region, click, notes = None, None, []
    if config.region_px is not None and config.video is not None:
        x1, y1, x2, y2 = config.region_px
        t = np.linspace(0, 1, 9)
        edge = [np.stack([x1 + (x2 - x1) * t, np.full(9, y)], axis=-1) for y in (y1, y2)]
        edge += [np.stack([np.full(9, x), y1 + (y2 - y1) * t], axis=-1) for x in (x1, x2)]
        outline = pair.points(config.name, np.concatenate(edge))
        outline = outline[~np.isnan(outline[:, 0])]
        if not len(outline):
            raise InputError(f"camera {config.name!r}: region_px lies outside the rectified image; leave it out")
        region = (*outline.min(axis=0).round(1).tolist(), *outline.max(axis=0).round(1).tolist())
        notes.append(f"{config.name}: region_px became the upright box round the turned region")
    if config.click_px is not None:
        x, y = pair.points(config.name, config.click_px).round(1).tolist()
        if not np.isfinite([x, y]).all():
            raise InputError(f"camera {config.name!r}: click_px lies outside the rectified image; leave it out")
        click = (x, y)
    new = CameraConfig(
        config.name,
        video=None if config.video is None else output / f"{config.name}.mp4",
        keypoints=None if config.keypoints is None else output / f"{config.name}.npz",
        offset_frames=config.offset_frames,
        offset_s=config.offset_s,
        region_px=region,
        click_px=click,
        click_s=config.click_s,
    )
    return new, notes


def _trial(trial: Trial, pair: RectifiedPair, cameras: dict[str, CameraConfig]) -> tuple[Trial, list[str]]:
    """The new trial with the two cameras and all settings that still apply; sentences on those that do not."""
    rig = RigConfig(baseline_m=pair.baseline_m, focal_px=pair.focal_px, principal_point_px=pair.principal_point_px)
    in_rig = {r.name for r in trial.recordings if r.frame == "rig"}
    recordings = tuple(replace(r, frame="") if r.name in in_rig else r for r in trial.recordings)
    new = replace(
        trial, cameras=tuple(cameras[name] for name in pair.names), rig=rig, recordings=recordings, reference=None
    )
    allowed = {*(method.name for method in possible_methods(new)), *GROUPS}
    new = replace(new, methods=tuple(method for method in trial.methods if method in allowed))
    left_out = [f"method {method}" for method in trial.methods if method not in allowed]
    if trial.reference in [method.name for method in requested_methods(new)]:
        new = replace(new, reference=trial.reference)
    elif trial.reference is not None:
        left_out.append(f"reference {trial.reference}")
    notes = [f"recording {name}: keeps a frame of its own, for the rig's has changed" for name in sorted(in_rig)]
    notes += [f"{what}: left out, for this pair does not measure it" for what in left_out]
    left, right = pair.names
    caveat = (
        f"The pair was rectified by software: {left} turned by {pair.turned_deg[left]:.1f} degrees, {right} by "
        f"{pair.turned_deg[right]:.1f}, the images interpolated; the frame is the rectified left camera's, its "
        f"vertical {pair.tilt_deg:.1f} degrees off the world's."
    )
    return replace(new, caveats=(*trial.caveats, caveat)), notes


def _record(pair: RectifiedPair, alpha: float, notes: list[str]) -> dict[str, Any]:
    rotation, translation_m = pair.to_world
    return {
        "left": pair.names[0],
        "right": pair.names[1],
        "alpha": alpha,
        "baseline_m": pair.baseline_m,
        "focal_px": pair.focal_px,
        "principal_point_px": pair.principal_point_px,
        "size_px": pair.size_px,
        "angle_between_axes_deg": pair.angle_deg,
        "turned_deg": dict(pair.turned_deg),
        "kept_share": {name: pair.kept(name) for name in pair.names},
        "filled_share": {name: pair.filled(name) for name in pair.names},
        "vertical_off_deg": pair.tilt_deg,
        "to_world": {
            "rotation": rotation.tolist(),
            "translation_m": translation_m.tolist(),
            "meaning": "x_world = rotation @ x + translation_m, from the parallel rig's frame to the calibration's",
        },
        "notes": notes,
    }
