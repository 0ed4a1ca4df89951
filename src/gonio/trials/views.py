"""The cameras of a trial: calibration, image sizes, keypoints and clocks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from gonio.core.arrays import FloatArray
from gonio.core.camera import Camera, Rig
from gonio.core.clock import resample
from gonio.core.detections import Detections, keep_inside
from gonio.core.errors import ConfigError, InputError
from gonio.core.sequence import PoseSequence, median_rate_hz
from gonio.io import formats, video
from gonio.io.rigs import files as rig_files
from gonio.trials.config import CameraConfig, Trial
from gonio.trials.patient import Click, patient_in_view


def calibrated_views(trial: Trial) -> tuple[Rig | None, dict[str, Detections], dict[str, tuple[int, int]]]:
    """The calibrated cameras under the trial's names, for the trial's images; None without a calibration.
    Also camera -> the people of its keypoint file, if it has one; and camera -> (width, height) of its images, if
    known.

    Raises `InputError` naming the file that cannot be used, and `ConfigError` if the trial contradicts its calibration.
    """
    calibration = _calibration(trial)
    sizes = {c.name: video.probe(c.video).size_px for c in trial.cameras if c.video is not None}
    keypoints = {c.name: _keypoints(c, calibration, trial) for c in trial.cameras if c.keypoints is not None}
    sizes |= {n: found.image_size_px for n, found in keypoints.items() if found.image_size_px is not None}
    return None if calibration is None else rig_for_images(trial, calibration, sizes), keypoints, sizes


def _calibration(trial: Trial) -> Rig | None:
    """The calibrated cameras under the trial's names, for full images; None if the trial names no calibration."""
    if trial.rig is None or trial.rig.calibration is None:
        if trial.rig is not None and len(trial.cameras) != 2:
            raise ConfigError(f"a parallel rig has two cameras; the trial names {len(trial.cameras)}")
        for camera in trial.cameras:
            if camera.crop_px is not None or camera.calibrated_as is not None:
                raise ConfigError(f"camera {camera.name!r}: crop_px and calibrated_as need a calibration file in [rig]")
        return None
    rig = rig_files.read(trial.rig.calibration, up=trial.rig.up, unit=trial.rig.unit)
    names = rig_files.match_cameras(rig, [c.calibrated_as or c.name for c in trial.cameras])
    cameras = tuple(replace(rig[names[c.calibrated_as or c.name]], name=c.name) for c in trial.cameras)
    return Rig(rig.name, cameras, up=rig.up, history=rig.history)


def rig_for_images(trial: Trial, calibration: Rig, sizes: Mapping[str, tuple[int, int]]) -> Rig:
    """The cameras for images of these sizes, cropped as the trial declares.

    Raises `InputError` if the images of a camera without a crop have another size than its calibration, and
    `ConfigError` if a crop does not fit into it.
    """
    cameras: list[Camera] = []
    for config in trial.cameras:
        camera, size = calibration[config.name], sizes[config.name]
        if config.crop_px is not None:
            left, top = config.crop_px
            if left + size[0] > camera.size_px[0] or top + size[1] > camera.size_px[1]:
                raise ConfigError(
                    f"camera {config.name!r}: {size[0]}x{size[1]} px plus the crop {left}, {top} is larger than the "
                    f"{camera.size_px[0]}x{camera.size_px[1]} px of its calibration"
                )
            camera = camera.cropped(left, top, size)
        elif size != camera.size_px:
            raise InputError(
                f"{config.file}: {size[0]}x{size[1]} px, but the calibration is for {camera.size_px[0]}x"
                f"{camera.size_px[1]} px; if the images were cropped, give crop_px = [left, top] of {config.name!r} in "
                f"a trial file"
            )
        cameras.append(camera)
    return replace(calibration, cameras=tuple(cameras))


def parallel_rig(
    trial: Trial, people: Mapping[str, Detections], clicks: Mapping[str, Click], times_s: FloatArray
) -> Rig:
    """Two parallel cameras, the left one first: in its images the patient is further right.

    Raises `InputError` if the images differ in size and the trial declares no principal point.
    """
    config = trial.rig
    assert config is not None and config.baseline_m is not None and config.focal_px is not None
    (first, a), (second, b) = people.items()
    assert a.image_size_px is not None and b.image_size_px is not None  # `_keypoints` asks for them
    if a.image_size_px != b.image_size_px and config.principal_point_px is None:
        raise InputError(
            f"{first} is {a.image_size_px[0]}x{a.image_size_px[1]} px and {second} {b.image_size_px[0]}x"
            f"{b.image_size_px[1]}: parallel cameras need images of one size, or principal_point_px"
        )
    rule = trial.detector.choose
    first_x, second_x = (
        resample(d.person(*patient_in_view(d, rule, clicks.get(name))), times_s).positions[..., 0]
        for name, d in people.items()
    )
    difference = first_x - second_x
    swapped = bool(np.isfinite(difference).any() and np.nanmedian(difference) < 0)
    names = (second, first) if swapped else (first, second)
    rig = Rig.parallel(config.baseline_m, config.focal_px, a.image_size_px, config.principal_point_px, names)
    note = f"the cameras were named in the order right, left: exchanged, {second} is the left one"
    return replace(rig, history=(*rig.history, note)) if swapped else rig


def camera_offset_s(camera: CameraConfig, detections: Detections) -> float:
    """Seconds to add to the camera's own times to get times on the common clock."""
    if camera.offset_frames:
        if len(detections) < 2:
            raise ConfigError(f"camera {camera.name!r}: one frame has no rate; give offset_s in place of offset_frames")
        return -camera.offset_frames / median_rate_hz(detections.times_s)
    return -camera.offset_s


def _keypoints(camera: CameraConfig, calibration: Rig | None, trial: Trial) -> Detections:
    """The people of a keypoint file. Images whose size the file does not state have that of the calibration."""
    size: tuple[int, int] | None = None
    if calibration is not None:
        left, top = camera.crop_px or (0, 0)
        width, height = calibration[camera.name].size_px
        size = (width - left, height - top)
    declared = camera.size_px or (size if camera.file.is_dir() else None)
    item = formats.read(camera.file, layout=camera.layout, rate_hz=camera.fps, image_size_px=declared)
    if isinstance(item, PoseSequence):
        found = _as_detections(camera.file, item)
    elif isinstance(item, Detections):
        found = item
    else:
        raise InputError(f"{camera.file}: holds several people; give a file with the patient alone")
    if found.image_size_px is None and size is not None:
        found = replace(found, image_size_px=size)
    elif found.image_size_px is None and trial.rig is not None:
        if trial.rig.principal_point_px is None:
            raise ConfigError(
                f"{camera.file}: does not state the size of its images, and so not their centre; give "
                f"principal_point_px (--principal-point)"
            )
        cx, cy = trial.rig.principal_point_px  # the image of which it is the centre
        found = replace(found, image_size_px=(round(2 * cx) + 1, round(2 * cy) + 1))
    if camera.region_px is not None:
        found = keep_inside(found, camera.region_px)
    if not found.present.any():
        where = "" if camera.region_px is None else f" inside the region {camera.region_px}"
        raise InputError(f"{camera.file}: no person was found{where} in {len(found)} frames; detect its joints again")
    return replace(found, frame_name=camera.name)


def _as_detections(path: Path, sequence: PoseSequence) -> Detections:
    """One person as the only one in every frame."""
    if sequence.unit != "px":
        raise InputError(f"{path}: holds 3D joints, but 2D keypoints are needed; name it under [[recordings]]")
    return Detections(
        sequence.positions[:, None],
        sequence.confidence[:, None],
        sequence.times_s,
        sequence.skeleton,
        sequence.image_size_px,
        status=sequence.status[:, None],
        source=sequence.source,
        history=sequence.history,
    )
