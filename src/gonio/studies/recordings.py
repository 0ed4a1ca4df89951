"""The recordings of a study: the files that fit its patterns, one recording each."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from gonio.comparison.agreement_groups import ALL_MOVEMENTS
from gonio.core.errors import GonioError, InputError
from gonio.io.motion_capture import ui_prmd
from gonio.studies.config import FIELDS, StudyConfig
from gonio.trials.config import load_trial


@dataclass(frozen=True)
class StudyRecording:
    """One recording: the files of each method, or a trial."""

    subject: str
    movement: str
    repetition: str | None
    files: Mapping[str, Path]
    trial: Path | None = None

    @property
    def key(self) -> str:
        """Its name in the study, which is safe as a file's."""
        parts = (self.movement, self.subject, *(() if self.repetition is None else (self.repetition,)))
        return "_".join(re.sub(r"[^A-Za-z0-9.-]", "-", part) for part in parts)

    @property
    def inputs(self) -> tuple[Path, ...]:
        """Every file and folder that it is measured from; of a trial the trial file, and what it names."""
        named = tuple(self.files.values()) if self.trial is None else (self.trial, *_named_by(self.trial))
        angles = [ui_prmd.angles_beside(file) for file in named]
        return (*named, *(file for file in angles if file is not None))


def _named_by(trial: Path) -> tuple[Path, ...]:
    """The files that a trial names; none if it cannot be read, which is reported when it is measured."""
    try:
        found = load_trial(trial)
    except GonioError:
        return ()
    calibration = None if found.rig is None else found.rig.calibration
    named = (calibration, *found.detector.files, found.lifting.weights)
    files = [camera.file for camera in found.cameras] + [recording.file for recording in found.recordings]
    return (*files, *(file for file in named if file is not None))


def recordings(study: StudyConfig) -> tuple[tuple[StudyRecording, ...], dict[str, str]]:
    """The recordings of which all methods have a file, sorted; and for the others, by key, the files that are absent.

    Raises `InputError` if no file fits a pattern, or two files are one recording of one method.
    """
    if study.trials is not None:
        found = _matching(study.trials.files, "trials")
        return tuple(StudyRecording(*key, {}, trial=found[key]) for key in sorted(found, key=_order)), {}
    files = {name: _matching(method.files, f"methods.{name}") for name, method in study.methods.items()}
    complete, failures = [], {}
    for key in sorted({key for found in files.values() for key in found}, key=_order):
        recording = StudyRecording(*key, {name: found[key] for name, found in files.items() if key in found})
        lacking = [name for name in files if name not in recording.files]
        if lacking:
            failures[recording.key] = "; ".join(
                f"no {name} file ({_filled(study.methods[name].files, key)})" for name in lacking
            )
        else:
            complete.append(recording)
    _check_keys(complete, failures)
    return tuple(complete), failures


Key = tuple[str, str, str | None]


def _order(key: Key) -> tuple[tuple[str | int, ...], ...]:
    """Numbers in names by their size: e2 before e10."""
    parts = (key[1], key[0], key[2] or "")
    return tuple(tuple(f"{int(p):012d}" if p.isdigit() else p for p in re.split(r"(\d+)", part)) for part in parts)


def _filled(pattern: Path, key: Key) -> str:
    """The name of the file that a recording would have."""
    name = pattern.name
    for label, value in zip(FIELDS, key, strict=True):
        name = name.replace(f"{{{label}}}", value or "")
    return name


def _check_keys(complete: list[StudyRecording], failures: Mapping[str, str]) -> None:
    seen: dict[str, StudyRecording] = {}
    for recording in complete:
        other = seen.setdefault(recording.key.lower(), recording)
        if other is not recording or recording.key in failures:
            raise InputError(f"two recordings have the name {recording.key!r}; give their files other names")


def _matching(pattern: Path, where: str) -> dict[Key, Path]:
    """(subject, movement, repetition) -> file. Raises `InputError` if no file matches, or two are one recording."""
    parts = pattern.parts
    fixed = next(i for i, part in enumerate(parts) if "{" in part or "*" in part)
    root = Path(*parts[:fixed]) if fixed else Path()
    found: dict[Key, Path] = {}
    for path, fields in _walk(root, parts[fixed:], {}):
        key = (fields["subject"], fields["movement"], fields.get("repetition"))
        if key in found:
            raise InputError(f"{where}.files: {found[key]} and {path} are both {' '.join(filter(None, key))}")
        found[key] = path
    if any(movement == ALL_MOVEMENTS for _, movement, _ in found):
        raise InputError(
            f"{where}.files: a movement is called {ALL_MOVEMENTS!r}, which is the name for all movements together"
        )
    if not found:
        raise InputError(f"{where}.files: no file is named like {pattern}; a pattern is relative to the study file")
    return found


def _walk(folder: Path, parts: tuple[str, ...], fields: dict[str, str]) -> Iterator[tuple[Path, dict[str, str]]]:
    """Files below a folder that fit the parts of a pattern, with what stands in its fields."""
    pattern = re.compile(_expression(parts[0], fields))
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return
    for entry in entries:
        match = pattern.fullmatch(entry.name)
        if match is None or entry.name.startswith("."):
            continue
        known = {**fields, **match.groupdict()}
        if len(parts) == 1:
            if entry.is_file():
                yield entry, known
        elif entry.is_dir():
            yield from _walk(entry, parts[1:], known)


def _expression(part: str, fields: Mapping[str, str]) -> str:
    """The regular expression of one part of a pattern; a field that is known already must be the same again."""
    expression, named = [], set(fields)
    for piece in re.split(r"(\{[a-z]+\}|\*)", part):
        name = piece[1:-1]
        if piece == "*":
            expression.append(".*")
        elif not piece.startswith("{"):
            expression.append(re.escape(piece))
        elif name in fields:
            expression.append(re.escape(fields[name]))
        elif name in named:
            expression.append(f"(?P={name})")
        else:
            named.add(name)
            expression.append(f"(?P<{name}>.+)")
    return "".join(expression)
