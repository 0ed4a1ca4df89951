"""One step of a trial by itself: convert, triangulate, lift or render files, as the commands of these names do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from gonio.core.angle_series import AngleSeries
from gonio.core.clock import at_rate
from gonio.core.detections import Detections
from gonio.core.errors import ConfigError, InputError
from gonio.core.progress import Progress, silent
from gonio.core.sequence import PoseSequence
from gonio.detection.tracking import follow
from gonio.io import formats
from gonio.io import video as video_files
from gonio.io.mirroring import mirror_warning, reflected
from gonio.io.registry import recognise
from gonio.kinematics.angles import joint_angles
from gonio.lifting.body_lifting import assumed_camera
from gonio.lifting.checkpoints import Weights
from gonio.lifting.lifter import Place, lift_and_place
from gonio.lifting.placing import parse_segment
from gonio.lifting.weights import weights_file
from gonio.report.lifted_video import RenderedLift, check_suffix, lifted_video
from gonio.trials.config import StereoConfig
from gonio.trials.from_files import trial_from_files
from gonio.trials.measure import measure
from gonio.trials.monocular import checksum, read_weights
from gonio.trials.outputs import OnWritten, Output, unreported
from gonio.trials.outputs import output as output_file
from gonio.trials.patient import patient_in_view


def convert(
    source: str | Path,
    target: str | Path,
    *,
    layout: str | None = None,
    fps: float | None = None,
    unit: Literal["m", "cm", "mm", "px"] | None = None,
    fps_out: float | None = None,
    mirror: bool = False,
    to_xarray: bool = False,
    on_written: OnWritten = unreported,
) -> formats.Item | AngleSeries:
    """Convert joints, or joint angles, from one file format to another; return what was written.

    source     the file or folder to read
    target     the file or folder to write, by its ending; .mot and .sto hold joint angles, gonio's own unless the
               source holds angles already
    layout, fps, unit   of a source that does not state them
    fps_out    frames per second of the target; default: those of the source
    mirror     reflect the positions and keep the names
    to_xarray  write an xarray Dataset; the target must end in .nc

    Raises `InputError` if the source cannot be read or the target cannot hold it, `ConfigError` if an option does not
    fit the source.
    """
    source, target = Path(source), Path(target)
    options = {
        "source": source,
        "target": target,
        "layout": layout,
        "fps": fps,
        "unit": unit,
        "fps_out": fps_out,
        "mirror": mirror,
        "to_xarray": to_xarray,
    }
    with output_file(target, [source], "convert", options, on_written) as out:
        if to_xarray and target.suffix.lower() != ".nc":
            raise ConfigError(f"{target}: --to-xarray writes NetCDF; give the target the ending .nc")
        if formats.holds_angles(source):
            if extra := [name for name in ("layout", "fps", "unit", "fps_out") if options[name] is not None]:
                raise ConfigError(f"{source}: holds joint angles; --{extra[0].replace('_', '-')} is for positions")
            item: formats.Item | AngleSeries = formats.read_angles(source)
        else:
            joints = formats.read(source, layout=layout, rate_hz=fps, unit=unit)
            joints = _reflected(joints, source, target, mirror, out)
            if fps_out is not None:
                joints = at_rate(_one_person(joints, source, "--fps-out is for one person"), fps_out)
                out.notes += joints.history[-1:]
            item = _angles(joints, source, out) if formats.holds_angles(target) else joints
        out.write(item)
        history = () if isinstance(item, dict) else item.history
        out.steps += [*history, *(f"not kept: {sentence}" for sentence in out.not_preserved)]
    return item


def _reflected(item: formats.Item, source: Path, target: Path, mirror: bool, out: Output) -> formats.Item:
    """The joints as they are, or reflected; joints that look mirrored are warned of."""
    if isinstance(item, PoseSequence) and item.dimensions == 3:
        item = reflected(item) if mirror else item
        out.warnings += [f"{target if mirror else source}: {sentence}" for sentence in mirror_warning(item)]
    elif mirror:
        raise ConfigError(f"{source}: --mirror is for the 3D joints of one person")
    return item


def _one_person(item: formats.Item, source: Path, needed: str) -> PoseSequence:
    if not isinstance(item, PoseSequence):
        raise InputError(f"{source}: holds several people or recordings; {needed}")
    return item


def _angles(item: formats.Item, source: Path, out: Output) -> AngleSeries:
    """Gonio's own angles of the joints of a file."""
    joints = _one_person(item, source, "angles are written of one person")
    if joints.dimensions != 3:
        raise InputError(f"{source}: holds 2D joints, and joint angles need 3D: triangulate or lift them first")
    angles = joint_angles(joints)
    out.notes.append(f"gonio's own {angles.history[-1]}")
    return angles


def render(
    keypoints: PoseSequence | str | Path,
    joints: Mapping[str, PoseSequence] | Sequence[str | Path],
    output: str | Path,
    *,
    video: str | Path | None = None,
    layout: str | None = None,
    fps: float | None = None,
    blur_faces: bool = False,
    progress: Progress = silent,
    on_written: OnWritten = unreported,
) -> RenderedLift:
    """Draw 3D joints beside the images that they come from, as a video or a GIF; return what was drawn and missed.

    keypoints   one person's 2D keypoints
    joints      their 3D joints: files, or sequences by name; one panel each
    output      the .mp4 or .gif
    video       the video of the keypoints; without it they are drawn on an empty image
    layout      of keypoint files that do not state it
    fps         of keypoint and joint files that do not state it
    blur_faces  blur the person's face

    Raises `InputError` if a file cannot be read or the sequences do not fit each other.
    """
    output, video = Path(output), None if video is None else Path(video)
    paths = [] if isinstance(joints, Mapping) else [Path(path) for path in joints]
    inputs = [*([] if isinstance(keypoints, PoseSequence) else [Path(keypoints)]), *paths, *([video] if video else [])]
    if not joints:
        raise InputError(f"{_name_of(keypoints)}: no 3D joints are named to draw beside it; name their file too")
    check_suffix(output)
    options = {
        "keypoints": _name_of(keypoints),
        "joints": [str(name) for name in joints],
        "output": output,
        "video": video,
        "layout": layout,
        "fps": fps,
        "blur_faces": blur_faces,
    }
    with output_file(output, inputs, "render", options, on_written) as out:
        person = _person(keypoints, layout=layout, fps=_rate_for(keypoints, fps))
        named = dict(joints) if isinstance(joints, Mapping) else _by_panel(paths, fps)
        frames, total = None, len(person)
        if video is not None:
            info = video_files.probe(video)
            frames, total = video_files.frames(video), info.n_frames or 0
            if person.image_size_px is None:
                person = person.derive(image_size_px=info.size_px)
        try:
            with progress("rendering video", total or None) as tick:
                done = lifted_video(output, frames, person, named, blur_faces=blur_faces, on_frame=tick)
        except InputError as error:
            names_a_file = any(str(path) in str(error) for path in (output, *inputs))
            raise InputError(str(error) if names_a_file else f"{_name_of(keypoints)}: {error}") from None
        missing = {"2D keypoints": done.frames_without_keypoints, **done.frames_without_joints}
        out.notes += [f"{name}: missing in {n} of {done.frames} frames" for name, n in missing.items() if n]
        out.steps += [f"{done.frames} frames drawn", *out.notes]
    return done


def _by_panel(paths: Sequence[Path], fps: float | None) -> dict[str, PoseSequence]:
    """The joints of every file by the name of its panel: without its ending, or whole if another is named alike."""
    stems = [path.stem for path in paths]
    return {
        path.stem if stems.count(path.stem) == 1 else str(path): read_person(path, fps=_rate_for(path, fps))
        for path in paths
    }


def _rate_for(path: PoseSequence | str | Path, fps: float | None) -> float | None:
    """A rate is for the files that do not state their own."""
    if isinstance(path, PoseSequence):
        return None
    return fps if "rate_hz" in recognise(Path(path)).options else None


def _name_of(keypoints: PoseSequence | str | Path) -> str:
    """A file's path, or what stands for a sequence in messages and records."""
    return "keypoints" if isinstance(keypoints, PoseSequence) else str(keypoints)


def _person(
    keypoints: PoseSequence | str | Path,
    *,
    layout: str | None,
    fps: float | None,
    size_px: tuple[int, int] | None = None,
) -> PoseSequence:
    """The sequence itself, or one person's joints of its file."""
    if isinstance(keypoints, PoseSequence):
        if (layout, fps, size_px) != (None, None, None):
            raise ConfigError("layout, fps and size are for a file of keypoints; a sequence states its own")
        return keypoints
    return read_person(Path(keypoints), layout=layout, fps=fps, size_px=size_px)


def triangulate(
    views: Sequence[str | Path],
    rig: str | Path,
    *,
    output: str | Path | None = None,
    layout: str | None = None,
    fps: float | None = None,
    unit: Literal["m", "mm"] | None = None,
    min_confidence: float = 0.5,
    max_reprojection: float | None = None,
    refine: Literal["reprojection", "none"] = "reprojection",
    on_written: OnWritten = unreported,
) -> PoseSequence:
    """3D joints from 2D keypoints of two or more calibrated cameras.

    views             keypoint files or OpenPose folders, named like the cameras of the rig
    rig               the calibration of the cameras
    output            where the joints are written; default: nowhere
    layout, fps       of keypoint files that do not state them
    unit              of a calibration file that does not state it
    min_confidence    a view's joint below this is not used
    max_reprojection  drop views until the mean reprojection error is at most this, px; default: a robust rule
    refine            minimise the reprojection error after the linear solution, or keep that ("none")

    Raises `InputError` if a file cannot be read or the views do not fit the rig.
    """
    paths, calibration = [Path(view) for view in views], Path(rig)
    if output is not None:
        formats.check_target(Path(output), 3)
    options = {
        "views": paths,
        "rig": calibration,
        "output": output,
        "layout": layout,
        "fps": fps,
        "unit": unit,
        "min_confidence": min_confidence,
        "max_reprojection": max_reprojection,
        "refine": refine,
    }
    with output_file(output, [*paths, calibration], "triangulate", options, on_written) as out:
        trial = trial_from_files(paths, calibration=calibration, unit=unit, layout=layout, fps=fps)
        stray = [c.file for c in trial.cameras if c.video is not None] + [r.file for r in trial.recordings]
        if stray:
            raise InputError(f"{stray[0]}: not 2D keypoints; detect them first (gonio detect), or use gonio compare")
        settings = StereoConfig(min_confidence=min_confidence, max_reprojection_px=max_reprojection, refine=refine)
        measurement = measure(replace(trial, stereo=settings, methods=("multiview",)))
        (sequence,) = measurement.sequences.values()
        out.write(sequence)
        medians = measurement.reprojection_px_median()
        out.warnings += measurement.warnings
        out.steps += [*measurement.notes, *sequence.history, *measurement.warnings]
        out.notes += [
            *measurement.notes,
            *sequence.history,
            "median reprojection error: " + ", ".join(f"{name} {value:.1f} px" for name, value in medians.items()),
        ]
    return sequence


def read_person(
    path: Path, *, layout: str | None = None, fps: float | None = None, size_px: tuple[int, int] | None = None
) -> PoseSequence:
    """One person's joints; of a file that holds the people of each frame, those of the largest person, followed."""
    item = formats.read(path, layout=layout, rate_hz=fps, image_size_px=size_px)
    if isinstance(item, Detections) and item.positions.shape[1]:
        people = follow(item)
        item = people.person(*patient_in_view(people, "largest"))
    if not isinstance(item, PoseSequence):
        raise InputError(f"{path}: several people, or none; give a file of one person's keypoints")
    return item


def lift(
    keypoints: PoseSequence | str | Path,
    *,
    output: str | Path | None = None,
    weights: str | Path | None = None,
    layout: str | None = None,
    fps: float | None = None,
    size: tuple[int, int] | None = None,
    min_confidence: float = 0.0,
    causal: bool = False,
    flip: bool = True,
    height: float | None = None,
    segment: str | None = None,
    focal: float | None = None,
    place: Place = "root",
    fps_out: float | None = None,
    on_written: OnWritten = unreported,
) -> PoseSequence:
    """3D joints from one camera's 2D keypoints, by a network.

    keypoints       one person's 2D keypoints, or their file
    output          where the joints are written; default: nowhere
    weights         a file, or the name of weights that come with gonio; default: those that `causal` selects
    layout, fps     of a keypoint file that does not state them
    size            (width, height) px of the images, if the file does not state it
    min_confidence  keypoints below this count as missing
    causal          use a causal network, which needs no later frame
    flip            average with the answer to the mirrored keypoints
    height          the person's stature, m
    segment         or a measured segment, m, such as "thigh=0.42"
    focal           focal length, px; default: 0.9 of the image's longer side
    place           "root": relative to the mid-hip; "geometry" or "network": in the camera's frame
    fps_out         frames per second of the result; default: those of the keypoints

    Raises `InputError` if a file cannot be read or the keypoints cannot be lifted, `ConfigError` for wrong options.
    """
    if output is not None:
        formats.check_target(Path(output), 3)
    name = _name_of(keypoints)
    options = {
        "keypoints": name,
        "output": output,
        "weights": weights,
        "layout": layout,
        "fps": fps,
        "size": size,
        "min_confidence": min_confidence,
        "causal": causal,
        "flip": flip,
        "height": height,
        "segment": segment,
        "focal": focal,
        "place": place,
        "fps_out": fps_out,
    }
    source = None if isinstance(keypoints, PoseSequence) else Path(keypoints)
    chosen = None if weights is None else Path(weights)
    with output_file(output, [source, chosen], "lift", options, on_written) as out:
        if not 0 <= min_confidence <= 1:
            raise ConfigError(f"--min-confidence {min_confidence:g} must lie in 0..1")
        file = weights_file(chosen, causal=causal)
        lifted = _lifted(
            read_weights(file, causal=causal),
            file,
            _person(keypoints, layout=layout, fps=fps, size_px=size),
            name,
            focal,
            min_confidence=min_confidence,
            flip=flip,
            stature_m=height,
            segment=None if segment is None else parse_segment(segment),
            place=place,
        )
        out.notes += [assumption.text for assumption in lifted.assumptions]
        if fps_out is not None:
            lifted = at_rate(lifted, fps_out)
            out.notes += lifted.history[-1:]
        out.write(lifted)
        out.steps += lifted.history
    return lifted


def _lifted(
    network: Weights,
    file: Path,
    person: PoseSequence,
    name: str,
    focal_px: float | None,
    *,
    min_confidence: float,
    flip: bool,
    stature_m: float | None,
    segment: tuple[str, float] | None,
    place: Place,
) -> PoseSequence:
    """One person's keypoints, lifted by the network of a file. Raises `InputError` that names the keypoints."""
    if place == "network" and network.trajectory is None:
        raise InputError(f"{file}: has no network of the trajectory; place the joints by geometry")
    if person.unit == "px" and person.image_size_px is None:
        raise InputError(f"{name}: does not state the size of its images, which lifting needs; give it with --size")
    cameras = {}
    if focal_px is not None and person.image_size_px is not None:
        cameras = {"": assumed_camera(person.image_size_px, focal_px, person.frame_name or Path(name).stem)}
    try:
        (lifted,) = lift_and_place(
            network,
            {"": person},
            cameras=cameras,
            min_confidence=min_confidence,
            flip=flip,
            stature_m=stature_m,
            segment=segment,
            place=place,
        ).values()
    except InputError as error:
        raise InputError(f"{name}: {error}") from None
    step = f"weights {file.name}, sha256 {checksum(file)}"
    return lifted.derive(step, source=replace(lifted.source, file=file.name))
