"""The results folder, which other tools rely on.

    report.html        the answer in words, figures, tables, the protocol; one self-contained page
    results.json       errors and angles of every method, with the protocol (`StudyResult`)
    sequences/         each method's joints: .npz (lossless), .npy (H36M-17), .trc (OpenSim), .csv, .txt (Kinect)
    angles/            each method's joint angles: .mot (OpenSim's table, degrees)
    keypoints/         each camera's 2D joints, lossless
    figures/ tables/   .png and .svg; .csv
    videos/            each camera with its 2D joints and the reprojected 3D joints drawn in
    provenance.json    configuration, versions, weights with their sha256, counts of missing and interpolated points

Everything is made in a temporary folder first; files of the same name are then replaced, others are left alone.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from gonio import assets, one_camera
from gonio.comparison.study import StudyResult
from gonio.config import Trial, as_plain
from gonio.core.files import check_writable
from gonio.core.images import VideoFrame
from gonio.core.sequence import EVALUATION_JOINTS, PoseSequence, Status
from gonio.detection.detector import SEE_EVERYBODY
from gonio.errors import InputError
from gonio.pipeline import LIFTING, Measurement, read_person
from gonio.progress import Progress, silent
from gonio.provenance import provenance_path, write_json
from gonio.report import canvas, figures, html, rendering
from gonio.report.lifted_video import RenderedLift, check_suffix, lifted_video
from gonio.sources import formats, openpose_json, video
from gonio.versions import OF_EXTRAS, versions
from gonio.video_people import detector_of, people_followed

TOP_LEVEL = ("report.html", "results.json", "provenance.json")
FOLDERS = ("sequences", "angles", "keypoints", "figures", "tables", "videos")
SEQUENCE_SUFFIXES = (".npz", ".npy", ".trc", ".csv", ".txt")


def write_results(
    output: Path, measurement: Measurement, result: StudyResult, progress: Progress = silent
) -> tuple[Path, ...]:
    """Write the results folder; returns the files written. Raises `InputError` where one would replace an input."""
    output = Path(output)
    check_output(output, measurement.trial)
    ours = not output.exists()
    earlier = _files_of_an_earlier_run(output)
    try:
        output.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=".gonio-", dir=output))
    except OSError as error:
        raise InputError(f"{output}: cannot be written ({error.strerror}); choose another place with -o") from None
    try:
        _write_all(scratch, measurement, result, progress)
        made = [path.relative_to(scratch) for path in sorted(scratch.rglob("*")) if path.is_file()]
        for path in made:
            (output / path).parent.mkdir(parents=True, exist_ok=True)
            (scratch / path).replace(output / path)
        for name in earlier - {path.as_posix() for path in made}:
            (output / name).unlink(missing_ok=True)
        return tuple(output / path for path in made)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        if ours and not any(output.iterdir()):
            output.rmdir()


def _files_of_an_earlier_run(output: Path) -> set[str]:
    """What an earlier run wrote into this folder, by its own record; names that it cannot have written are left out."""
    try:
        record = json.loads((output / "provenance.json").read_text(encoding="utf-8"))["files"]
        names = [PurePosixPath(name) for name in record]
    except (OSError, ValueError, KeyError, TypeError):
        return set()
    return {str(name) for name in names if len(name.parts) == 2 and name.parts[0] in FOLDERS}


def check_output(output: Path, trial: Trial) -> None:
    """Ask before long work: raises `InputError` where the folder cannot be written, or holds an input of the trial
    in a folder whose files would be replaced.
    """
    if output.exists() and not output.is_dir():
        raise InputError(f"{output}: cannot be written: it is a file, and results are a folder; choose another -o")
    for path in _inputs(trial):
        for name in TOP_LEVEL:
            check_writable(output / name, [path])
        for folder in FOLDERS:
            if (output / folder).exists() and path.exists() and path.resolve().parent.samefile(output / folder):
                raise InputError(
                    f"{path}: is an input of this trial and may be replaced by results in {output}; choose another -o"
                )


def render_files(
    keypoints: Path,
    joints: Sequence[Path],
    output: Path,
    *,
    video_path: Path | None = None,
    layout: str | None = None,
    fps: float | None = None,
    blur_faces: bool = False,
    progress: Progress = silent,
) -> RenderedLift:
    """`lifted_video` of files: one person's 2D keypoints, 3D joints (a panel each, named for its file), their video.

    layout  of keypoint files that do not tell it
    fps     of keypoint and joint files that do not tell it
    """
    inputs = [keypoints, *joints, *([] if video_path is None else [video_path])]
    if not joints:
        raise InputError(f"{keypoints}: there are no 3D joints to draw beside it; name their file too")
    check_suffix(output)
    for path in (output, provenance_path(output)):
        check_writable(path, inputs)
    person = read_person(keypoints, layout=layout, fps=_told(keypoints, fps))
    named = {_panel_name(path, joints): read_person(path, fps=_told(path, fps)) for path in joints}
    frames, total = None, len(person)
    if video_path is not None:
        info = video.probe(video_path)
        frames, total = video.frames(video_path), info.n_frames or 0
        if person.image_size_px is None or openpose_json.size_is_guessed(person.history):
            person = person.derive(image_size_px=info.size_px)
    try:
        with progress("rendering video", total or None) as tick:
            return lifted_video(output, frames, person, named, blur_faces=blur_faces, on_frame=tick)
    except InputError as error:
        told = any(str(path) in str(error) for path in (output, *inputs))
        raise InputError(str(error) if told else f"{keypoints}: {error}") from None


def _told(path: Path, fps: float | None) -> float | None:
    """A rate is for the files that do not tell their own."""
    return fps if "rate_hz" in formats.recognise(path).options else None


def _panel_name(path: Path, paths: Sequence[Path]) -> str:
    """The file's name without its ending, or its path where another file has the same name."""
    return path.stem if sum(other.stem == path.stem for other in paths) == 1 else str(path)


def _inputs(trial: Trial) -> Iterator[Path]:
    yield from (camera.file for camera in trial.cameras)
    yield from (recording.file for recording in trial.recordings)
    if trial.rig is not None and trial.rig.calibration is not None:
        yield trial.rig.calibration
    yield from (file for file in (trial.detector.weights, trial.lifting.weights) if file is not None)


def _write_all(folder: Path, measurement: Measurement, result: StudyResult, progress: Progress) -> None:
    trial, reference = measurement.trial, measurement.trial.reference
    result.save(folder / "results.json")
    lost = {}
    for name, sequence in measurement.sequences.items():
        for suffix in SEQUENCE_SUFFIXES:
            try:
                lost[f"{name}{suffix}"] = list(formats.write(sequence, folder / "sequences" / f"{name}{suffix}"))
            except InputError as error:  # a format that cannot hold one recording's joints does not cost the others
                lost[f"{name}{suffix}"] = [f"not written: {error}".replace(str(folder / "sequences") + os.sep, "")]
    for name, view in measurement.views.items():
        formats.write(view, folder / "keypoints" / f"{name}.npz")
    tables = html.write_tables(folder / "tables", result)

    angles = measurement.angles()
    for name, series in angles.items():
        if len(series):
            lost[f"{name}.mot"] = list(formats.write(series, folder / "angles" / f"{name}.mot"))
    drawings: dict[str, tuple[Callable[[], Any], str]] = {
        "angle_curves": (
            lambda: figures.angle_curves(angles, reference),
            "Joint angles over time. Left and right are the person's own.",
        ),
        "trajectories": (
            lambda: figures.trajectories(measurement.sequences, reference=reference),
            "Joint positions over time, relative to the mid-hip.",
        ),
        "skeletons_3d": (
            lambda: figures.skeletons_3d(measurement.sequences, reference),
            "The skeletons of all methods at four moments, centred on the mid-hip.",
        ),
    }
    if result.pairs or any(name != reference for name in result.methods if reference is not None):
        drawings["error_per_joint"] = (
            lambda: figures.error_per_joint(result),
            "Mean distance at each joint between every two methods."
            if result.pairs
            else "Mean error of each joint: centred on the mid-hip without scaling (root MPJPE), and turned and scaled "
            "to fit each frame (PA-MPJPE).",
        )
    pictures: dict[str, tuple[Path, str]] = {}
    with progress("drawing figures", len(drawings)) as tick:
        for name, (draw, caption) in drawings.items():
            pictures[name] = (canvas.save(draw(), folder / "figures", name)[0], caption)
            tick()
    stills, drawn = _videos(folder, measurement, progress) if trial.report.videos else ({}, {})
    provenance = _provenance(measurement, result) | {"videos": {name: asdict(done) for name, done in drawn.items()}}
    provenance["not_kept_by_format"] = {name: words for name, words in lost.items() if words}
    html.write_report(
        folder / "report.html",
        html.ReportContent(
            title=trial.name,
            description=trial.description,
            result=result,
            figures=pictures,
            stills=stills,
            notes=_notes(measurement, drawn),
            caveats=trial.caveats,
            warnings=(*measurement.warnings, *face_warnings(trial)),
            assumptions=measurement.assumptions,
            tables=tuple(path.name for path in tables),
        ),
    )
    written = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    write_json(folder / "provenance.json", provenance | {"files": [*written, "provenance.json"]})


def _videos(
    folder: Path, measurement: Measurement, progress: Progress
) -> tuple[dict[str, tuple[Path, str]], dict[str, rendering.Rendered]]:
    """Overlay videos; camera -> a still picture and its caption, and camera -> what was drawn."""
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
            seen = measurement.detections[camera.name]
            everybody = replace(seen, times_s=seen.times_s + back_s)
            projected = _reprojected(measurement, camera.name)
            projected = None if projected is None else projected.shifted(back_s, why)
            drawn[camera.name] = rendering.overlay_video(
                folder / "videos" / f"{camera.name}.mp4",
                video.frames(camera.file),
                view,
                reprojected=projected,
                blur_faces=blur,
                bystanders=everybody,
                on_frame=tick,
            )
            still = _middle_frame(camera.file, view)
            if still is not None:
                path = folder / "figures" / f"overlay_{camera.name}.png"
                rendering.write_still(path, still, view, reprojected=projected, blur_faces=blur, bystanders=everybody)
                caption = f"{camera.name}: joints found in the picture" + (
                    ", and the 3D joints drawn back" if projected is not None else ""
                )
                stills[camera.name] = (path, caption)
    return stills, drawn


def _middle_frame(path: Path, view: PoseSequence) -> VideoFrame | None:
    seen = np.flatnonzero(view.valid.any(axis=1))
    if len(seen) == 0:
        return None
    wanted = view.times_s[seen[len(seen) // 2]]
    return next((frame for frame in video.frames(path) if frame.time_s >= wanted - 1e-6), None)


def _reprojected(measurement: Measurement, camera: str) -> PoseSequence | None:
    """The 3D joints of the stereo method with the most cameras, seen by this camera."""
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
    )


def face_warnings(trial: Trial) -> tuple[str, ...]:
    """What must be known of blurred videos before they are shown to anybody."""
    if not trial.report.blur_faces:
        return ()
    if trial.detector.name in SEE_EVERYBODY:
        return ("faces are blurred of those alone whom the detector saw: look at every video before you share it",)
    people = people_followed(trial)
    followed = "one person" if people == 1 else f"at most {people} people"
    return (
        f"faces are blurred of those alone who were followed ({followed} in each view, detector.people): look at every "
        f"video and picture before you share it",
    )


def _notes(measurement: Measurement, drawn: Mapping[str, rendering.Rendered]) -> dict[str, tuple[str, ...]]:
    notes = {"trial": measurement.notes}
    notes |= {f"camera {name}": view.history for name, view in measurement.views.items()}
    notes |= {f"method {name}": sequence.history for name, sequence in measurement.sequences.items()}
    if measurement.trial.report.blur_faces:
        notes["faces"] = (
            "Faces are blurred where the head or the shoulders were found; who was not detected is not blurred.",
            *(
                f"{name}: {done.frames_without_known_face} of {done.frames} frames without a known face"
                for name, done in drawn.items()
            ),
        )
    return notes


def _counts(sequence: PoseSequence) -> dict[str, Any]:
    joints = [joint for joint in EVALUATION_JOINTS if joint in sequence.skeleton]
    part = sequence.select(joints)
    return {
        "frames": len(sequence),
        "joints": len(sequence.skeleton),
        **{status.name.lower(): int((sequence.status == status).sum()) for status in Status},
        "evaluation_joints": part.counts(),
    }


def _stereo_counts(measurement: Measurement, method: str) -> dict[str, Any]:
    """What a stereo method used of each camera, and how well its points fit the pictures."""
    if method not in measurement.triangulations:
        return {}
    errors = measurement.reprojection_px(method)
    found = errors[np.isfinite(errors)]
    return {
        "excluded": {name: asdict(counts) for name, counts in measurement.triangulations[method].excluded.items()},
        "reprojection_px": {
            "joints": "the evaluation joints",
            "n": len(found),
            "median": float(np.median(found)) if len(found) else None,
            "p90": float(np.percentile(found, 90)) if len(found) else None,
        },
    }


def _provenance(measurement: Measurement, result: StudyResult) -> dict[str, Any]:
    trial = measurement.trial
    weights: dict[str, dict[str, str]] = {}
    if any(camera.video is not None for camera in trial.cameras):
        needed = detector_of(trial.detector).weights
        weights = {name: assets.checksums(name) for name in needed}
        if trial.detector.weights is not None:
            weights["detector"] = {trial.detector.weights.name: assets.sha256_of(trial.detector.weights) or ""}
    if any(name.startswith(LIFTING) for name in measurement.sequences):
        file = one_camera.weights_file(trial.lifting)
        weights["lifting"] = {file.name: one_camera.checksum(file)}
    return {
        "configuration": as_plain(trial),
        "versions": versions(OF_EXTRAS),
        "weights_sha256": weights,
        "notes": list(measurement.notes),
        "warnings": list(measurement.warnings),
        "assumptions": list(measurement.assumptions),
        "cameras": {
            name: {"offset_s": measurement.offsets_s[name], "counts": _counts(view), "history": list(view.history)}
            for name, view in measurement.views.items()
        },
        "methods": {
            name: {
                "source": {k: v for k, v in asdict(sequence.source).items() if v},
                "frame": sequence.frame,
                "frame_name": sequence.frame_name,
                "up": sequence.up,
                "counts": _counts(sequence),
                **_stereo_counts(measurement, name),
                "history": list(sequence.history),
            }
            for name, sequence in measurement.sequences.items()
        },
        "protocol": result.to_json()["protocol"],
    }
