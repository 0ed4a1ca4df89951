"""The results folder, which other tools rely on.

    report.html        the answer, figures, tables, the protocol; one self-contained page
    results.json       errors and angles of every method, with the protocol (`ComparisonResult`)
    sequences/         each method's joints: .npz (lossless), .npy (H36M-17), .trc (OpenSim), .csv, .txt (Kinect)
    angles/            each method's joint angles: .mot (OpenSim's table, degrees)
    keypoints/         each camera's 2D joints, lossless
    figures/ tables/   .png and .svg; .csv
    videos/            each camera, with its 2D joints and the reprojected 3D joints drawn in
    provenance.json    configuration, versions, weights with their sha256, counts of missing and interpolated points

All files are first written into a temporary folder. They then replace files of the same name; others are kept.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path, PurePosixPath

from gonio.comparison.result import ComparisonResult
from gonio.core.errors import InputError
from gonio.core.files import check_writable, write_json
from gonio.core.progress import Progress, silent
from gonio.io import formats
from gonio.report import overlay as rendering
from gonio.report import trial_figures, trial_page
from gonio.report.trial_tables import write_tables
from gonio.trials.config import Trial
from gonio.trials.measurement import Measurement
from gonio.trials.overlays import draw_videos, face_warnings
from gonio.trials.provenance import trial_provenance

TOP_LEVEL = ("report.html", "results.json", "provenance.json")
FOLDERS = ("sequences", "angles", "keypoints", "figures", "tables", "videos")
SEQUENCE_SUFFIXES = (".npz", ".npy", ".trc", ".csv", ".txt")


def write_results(
    output: str | Path, measurement: Measurement, result: ComparisonResult, progress: Progress = silent
) -> tuple[Path, ...]:
    """Write the results folder; return the files written. Raises `InputError` if one would replace an input."""
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
    """Check before long work: raises `InputError` if the folder cannot be written, or if an input of the trial is in a
    folder whose files would be replaced.
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


def _inputs(trial: Trial) -> Iterator[Path]:
    yield from (camera.file for camera in trial.cameras)
    yield from (recording.file for recording in trial.recordings)
    if trial.rig is not None and trial.rig.calibration is not None:
        yield trial.rig.calibration
    yield from trial.detector.files
    if trial.lifting.weights is not None:
        yield trial.lifting.weights


def _write_all(folder: Path, measurement: Measurement, result: ComparisonResult, progress: Progress) -> None:
    trial = measurement.trial
    result.save(folder / "results.json")
    not_preserved = {}
    for name, sequence in measurement.sequences.items():
        for suffix in SEQUENCE_SUFFIXES:
            try:
                not_preserved[f"{name}{suffix}"] = list(
                    formats.write(sequence, folder / "sequences" / f"{name}{suffix}")
                )
            except InputError as error:  # a format that cannot hold one recording's joints does not cost the others
                not_preserved[f"{name}{suffix}"] = [
                    f"not written: {error}".replace(str(folder / "sequences") + os.sep, "")
                ]
    for name, view in measurement.views.items():
        formats.write(view, folder / "keypoints" / f"{name}.npz")
    tables = write_tables(folder / "tables", result)

    angles = measurement.angles()
    for name, series in angles.items():
        if len(series):
            not_preserved[f"{name}.mot"] = list(formats.write(series, folder / "angles" / f"{name}.mot"))
    values = trial_figures.FigureInput(measurement.sequences, angles, result)
    figures = trial_figures.save_figures(folder / "figures", values, progress)
    stills, drawn = draw_videos(folder, measurement, progress) if trial.report.videos else ({}, {})
    provenance = trial_provenance(measurement, result) | {
        "videos": {name: asdict(done) for name, done in drawn.items()}
    }
    provenance["not_kept_by_format"] = {name: sentences for name, sentences in not_preserved.items() if sentences}
    trial_page.write_report(
        folder / "report.html",
        trial_page.ReportContent(
            title=trial.name,
            description=trial.description,
            result=result,
            figures=figures,
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


def _notes(measurement: Measurement, drawn: Mapping[str, rendering.Rendered]) -> dict[str, tuple[str, ...]]:
    notes = {"trial": measurement.notes}
    notes |= {f"camera {name}": view.history for name, view in measurement.views.items()}
    notes |= {f"method {name}": sequence.history for name, sequence in measurement.sequences.items()}
    if measurement.trial.report.blur_faces:
        notes["faces"] = (
            "A face is blurred if the head or the shoulders were found; people who were not detected are not blurred.",
            *(
                f"{name}: {done.frames_without_known_face} of {done.frames} frames without a known face"
                for name, done in drawn.items()
            ),
        )
    return notes
