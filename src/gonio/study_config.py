"""The study file: whose recordings, of which movements, by which methods, and how they are compared.

A method's files are named by a pattern with the fields {subject}, {movement} and, where a file holds one repetition,
{repetition}; "*" stands for anything. A field holds no "/"; where a name could be cut in two ways, the earlier field is
the longer. Like every path in the file, a pattern is relative to it. `recordings` looks for the files.

    name = "Kinect against Vicon"
    reference = "vicon"

    [methods.kinect]
    files = "data/{subject}/{movement}_{repetition}_kinect.csv"

    [methods.vicon]
    files = "data/{subject}/{movement}_{repetition}_vicon.trc"

As in a trial file, an unknown key or a value of the wrong kind is an error that names the nearest known one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Literal

from gonio.comparison.study_tables import ALL_MOVEMENTS
from gonio.config import CleaningConfig, load_config, load_trial, makes_a_file_name, parse_config
from gonio.core.sequence import Axis
from gonio.errors import ConfigError, GonioError, InputError
from gonio.sources import ui_prmd

FIELDS = ("subject", "movement", "repetition")
Definitions = Literal["gonio", "protocol"]
UI_PRMD_MOVEMENTS = {
    "m01": "m01 deep squat",
    "m02": "m02 hurdle step",
    "m03": "m03 inline lunge",
    "m04": "m04 side lunge",
    "m05": "m05 sit to stand",
    "m06": "m06 straight leg raise",
    "m07": "m07 shoulder abduction",
    "m08": "m08 shoulder extension",
    "m09": "m09 shoulder rotation",
    "m10": "m10 shoulder scaption",
}


@dataclass(frozen=True)
class MethodConfig:
    """One method: where its files are and how they are read."""

    files: Path  # a pattern with {subject}, {movement} and, where a file is one repetition, {repetition}
    layout: str | None = None  # of the file, where it does not tell
    fps: float | None = None
    unit: Literal["m", "cm", "mm"] | None = None
    up: Axis | None = None  # the axis that points up, where the file does not tell, or tells it wrongly
    offset_s: float = 0.0  # how far its clock is ahead in every recording: common time = own time - offset

    def __post_init__(self) -> None:
        names = re.findall(r"\{([^{}]*)\}", str(self.files))
        for name in names:
            if name not in FIELDS:
                near = get_close_matches(name, FIELDS, 1, cutoff=0.5)
                hint = f"did you mean {{{near[0]}}}?" if near else "there are {subject}, {movement}, {repetition}"
                raise ConfigError(f"files = {str(self.files)!r}: unknown field {{{name}}}; {hint}")
        lacking = [name for name in FIELDS[:2] if name not in names]
        if lacking:
            raise ConfigError(
                f"files = {str(self.files)!r} has no {{{lacking[0]}}}; the study needs to know each file's subject and "
                f"movement"
            )

    @property
    def fields(self) -> tuple[str, ...]:
        """Those of `FIELDS` that the pattern has."""
        return tuple(name for name in FIELDS if f"{{{name}}}" in str(self.files))


@dataclass(frozen=True)
class TrialsConfig:
    """Trials of gonio (`trial.toml`), measured from their videos; all their methods are compared."""

    files: Path  # a pattern, as a method's

    def __post_init__(self) -> None:
        MethodConfig(self.files)


@dataclass(frozen=True)
class ClockConfig:
    """How the methods' clocks are brought together: by the lag at which their angles fit best."""

    max_lag_s: float = 0.5  # the longest lag that is tried, either way; 0: the clocks are one already

    def __post_init__(self) -> None:
        if self.max_lag_s < 0:
            raise ConfigError(f"clock.max_lag_s = {self.max_lag_s:g} must be 0 or more")


@dataclass(frozen=True)
class RepetitionsConfig:
    """Where a file holds a whole exercise: how it is cut into repetitions."""

    cut: bool = False  # cut every file; else a file is one repetition
    angle: str | None = None  # the angle in which they are found, e.g. "right_knee_flexion"; that which moves most

    def __post_init__(self) -> None:
        if self.angle is not None and not self.cut:
            raise ConfigError(f"repetitions.angle = {self.angle!r} is for files that are cut; add cut = true")


@dataclass(frozen=True)
class StudyConfig:
    """A study.

    reference    the method that the others are compared with; one of `methods`, or of the trials' methods
    definitions  of joint centres and angles: "gonio", or "protocol", that of the published comparison of UI-PRMD's
                 Kinect with Vicon; agreement.csv follows these, and the others stand beside it
    """

    reference: str
    name: str = "study"
    description: str = ""
    definitions: Definitions = "gonio"
    methods: Mapping[str, MethodConfig] = field(default_factory=dict)
    trials: TrialsConfig | None = None
    movements: Mapping[str, str] = field(default_factory=dict)  # as the files name it -> its words in the report
    cleaning: CleaningConfig = field(default_factory=CleaningConfig)
    clock: ClockConfig = field(default_factory=ClockConfig)
    repetitions: RepetitionsConfig = field(default_factory=RepetitionsConfig)

    def __post_init__(self) -> None:
        if (self.trials is None) == (not self.methods):
            raise ConfigError("a study has either [methods.NAME] tables, two or more, or [trials]")
        if self.trials is not None:
            for name, kind in (("cleaning", CleaningConfig), ("clock", ClockConfig)):
                if getattr(self, name) != kind():
                    raise ConfigError(f"[{name}] is for [methods.NAME]; with [trials] each trial file says it")
            self._check_cut(MethodConfig(self.trials.files).fields)
            return
        if len(self.methods) < 2:
            raise ConfigError("a study compares two methods or more; add a [methods.NAME] table")
        if self.reference not in self.methods:
            near = get_close_matches(self.reference, self.methods, 1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"the methods are {', '.join(self.methods)}"
            raise ConfigError(f"reference = {self.reference!r} is none of the methods; {hint}")
        for name in self.methods:
            if not makes_a_file_name(name):
                raise ConfigError(f"{name!r} cannot be the name of a method: files are named after it")
        first, *others = self.methods
        for name in others:
            if self.methods[name].fields != self.methods[first].fields:
                raise ConfigError(
                    f"methods.{name}.files and methods.{first}.files have different fields; a file of each must be the "
                    f"same recording"
                )
        self._check_cut(self.methods[first].fields)

    def _check_cut(self, fields: tuple[str, ...]) -> None:
        if self.repetitions.cut and "repetition" in fields:
            raise ConfigError("repetitions.cut is for files of a whole exercise; these have a {repetition} each")


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
    """The files that a trial names; nothing where it cannot be read, which is told when it is measured."""
    try:
        found = load_trial(trial)
    except GonioError:
        return ()
    calibration = None if found.rig is None else found.rig.calibration
    named = (calibration, found.detector.weights, found.lifting.weights)
    files = [camera.file for camera in found.cameras] + [recording.file for recording in found.recordings]
    return (*files, *(file for file in named if file is not None))


def load_study(path: Path) -> StudyConfig:
    """Read a study file. Raises `InputError` where it cannot be read, `ConfigError` where a key or value is wrong."""
    return load_config(StudyConfig, path, "study")


def parse_study(text: str, folder: Path, where: str) -> StudyConfig:
    """A study from TOML text; its patterns are relative to `folder`, and `where` names it in messages."""
    return parse_config(StudyConfig, text, folder, where)


def ui_prmd_study(folder: Path) -> StudyConfig:
    """The study of UI-PRMD's "Segmented Movements": its Kinect against its Vicon, by the protocol of the comparison.

    Raises `InputError` where the folder does not hold Kinect/Positions, Kinect/Angles and Vicon/Positions.
    """
    folder = Path(folder)
    for part in ("Kinect/Positions", "Kinect/Angles", "Vicon/Positions"):
        if not (folder / part).is_dir():
            raise InputError(f"{folder}: there is no {part} in it; give UI-PRMD's folder Segmented Movements")
    name = "{movement}_{subject}_{repetition}_positions.txt*"
    return StudyConfig(
        name="UI-PRMD: Kinect v2 against Vicon",
        description="Vakanski, Jun, Paul, Baker 2018, A Data Set of Human Body Movements for Physical Rehabilitation "
        "Exercises, Data 3:2; correct executions",
        reference="vicon",
        definitions="protocol",
        methods={
            "kinect": MethodConfig(folder / "Kinect/Positions" / name),
            "vicon": MethodConfig(folder / "Vicon/Positions" / name),
        },
        movements=UI_PRMD_MOVEMENTS,
        cleaning=CleaningConfig(lowpass_hz=6.0),
    )


def recordings(study: StudyConfig) -> tuple[tuple[StudyRecording, ...], dict[str, str]]:
    """Every recording of which all methods have a file, sorted; and of the others, by key, which file there is not.

    Raises `InputError` where no file fits a pattern, or two files are one recording of one method.
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
    """(subject, movement, repetition) -> file. Raises `InputError` where there is none, or two of one recording."""
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
            f"{where}.files: a movement is called {ALL_MOVEMENTS!r}, as the rows of all movements together"
        )
    if not found:
        raise InputError(f"{where}.files: no file is named like {pattern}; a pattern is relative to the study file")
    return found


def _walk(folder: Path, parts: tuple[str, ...], fields: dict[str, str]) -> Iterator[tuple[Path, dict[str, str]]]:
    """Files below a folder that fit the parts of a pattern, with what stands in its fields."""
    wanted = re.compile(_expression(parts[0], fields))
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return
    for entry in entries:
        match = wanted.fullmatch(entry.name)
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
    words, named = [], set(fields)
    for piece in re.split(r"(\{[a-z]+\}|\*)", part):
        name = piece[1:-1]
        if piece == "*":
            words.append(".*")
        elif not piece.startswith("{"):
            words.append(re.escape(piece))
        elif name in fields:
            words.append(re.escape(fields[name]))
        elif name in named:
            words.append(f"(?P={name})")
        else:
            named.add(name)
            words.append(f"(?P<{name}>.+)")
    return "".join(words)
