"""The study file: the recordings of subjects and movements, the methods, and how they are compared.

A method's files are named by a pattern with the fields {subject}, {movement} and, if a file holds one repetition,
{repetition}; "*" matches anything. A field contains no "/". If a name matches in two ways, the earlier field is the
longer. Like every path in the file, a pattern is relative to it. `recordings` finds the files.

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
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Literal

from gonio.core.errors import ConfigError, InputError
from gonio.core.files import makes_a_file_name
from gonio.core.sequence import Axis
from gonio.core.settings import load_config, parse_config
from gonio.trials.config import CleaningConfig

FIELDS = ("subject", "movement", "repetition")
JointDefinitions = Literal["gonio", "ui-prmd"]
NAME_IN_TABLES: Mapping[JointDefinitions, str] = {"gonio": "gonio", "ui-prmd": "protocol"}
"""Joint definitions -> their name in tables and stored recordings, which is older and stays."""
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
    """One method: its files and how they are read."""

    files: Path  # a pattern with {subject}, {movement} and, if a file is one repetition, {repetition}
    layout: str | None = None  # of the file, if it does not state it
    fps: float | None = None
    unit: Literal["m", "cm", "mm"] | None = None
    up: Axis | None = None  # the axis that points up, if the file does not state it, or states it wrongly
    offset_s: float = 0.0  # how far its clock is ahead in every recording: common time = own time - offset

    def __post_init__(self) -> None:
        names = re.findall(r"\{([^{}]*)\}", str(self.files))
        for name in names:
            if name not in FIELDS:
                near = get_close_matches(name, FIELDS, 1, cutoff=0.5)
                hint = f"did you mean {{{near[0]}}}?" if near else "the fields are {subject}, {movement}, {repetition}"
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
    """How a file that holds a whole exercise is cut into repetitions."""

    cut: bool = False  # cut every file; else a file is one repetition
    angle: str | None = None  # the angle in which they are found, e.g. "right_knee_flexion"; that which moves most

    def __post_init__(self) -> None:
        if self.angle is not None and not self.cut:
            raise ConfigError(f"repetitions.angle = {self.angle!r} is for files that are cut; add cut = true")


@dataclass(frozen=True)
class StudyConfig:
    """A study.

    reference    the method that the others are compared with; one of `methods`, or of the trials' methods
    definitions  of joint centres and angles: "gonio", or "ui-prmd", those of the published comparison of UI-PRMD's
                 Kinect with Vicon ("protocol" is their earlier name); agreement.csv follows them, and the tables by the
                 other definitions stand beside it
    """

    reference: str
    name: str = "study"
    description: str = ""
    definitions: JointDefinitions | Literal["protocol"] = field(default="gonio", metadata={"stored_as": NAME_IN_TABLES})
    methods: Mapping[str, MethodConfig] = field(default_factory=dict)
    trials: TrialsConfig | None = None
    movements: Mapping[str, str] = field(default_factory=dict)  # as the files name it -> its title in the report
    cleaning: CleaningConfig = field(default_factory=CleaningConfig)
    clock: ClockConfig = field(default_factory=ClockConfig)
    repetitions: RepetitionsConfig = field(default_factory=RepetitionsConfig)

    def __post_init__(self) -> None:
        if (self.trials is None) == (not self.methods):
            raise ConfigError("a study has either [methods.NAME] tables, two or more, or [trials]")
        if self.trials is not None:
            for name, kind in (("cleaning", CleaningConfig), ("clock", ClockConfig)):
                if getattr(self, name) != kind():
                    raise ConfigError(f"[{name}] is for [methods.NAME]; with [trials] each trial file has its own")
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

    @property
    def joint_definitions(self) -> JointDefinitions:
        """`definitions` by their present name."""
        return "ui-prmd" if self.definitions == "protocol" else self.definitions

    @property
    def notes(self) -> tuple[str, ...]:
        """Remarks on the study file: an earlier name in it."""
        if self.definitions != "protocol":
            return ()
        return ('definitions = "protocol" is the earlier name of "ui-prmd"; write definitions = "ui-prmd"',)

    def _check_cut(self, fields: tuple[str, ...]) -> None:
        if self.repetitions.cut and "repetition" in fields:
            raise ConfigError("repetitions.cut is for files of a whole exercise; these have a {repetition} each")


def load_study(path: str | Path) -> StudyConfig:
    """Read a study file. Raises `InputError` if it cannot be read, `ConfigError` if a key or value is wrong."""
    return load_config(StudyConfig, Path(path), "study")


def parse_study(text: str, folder: Path, where: str) -> StudyConfig:
    """A study from TOML text; its patterns are relative to `folder`, and `where` names it in messages."""
    return parse_config(StudyConfig, text, folder, where)


def ui_prmd_study(folder: str | Path) -> StudyConfig:
    """The study of UI-PRMD's "Segmented Movements": its Kinect against its Vicon, by the protocol of the comparison.

    Raises `InputError` if the folder does not hold Kinect/Positions, Kinect/Angles and Vicon/Positions.
    """
    folder = Path(folder)
    for part in ("Kinect/Positions", "Kinect/Angles", "Vicon/Positions"):
        if not (folder / part).is_dir():
            raise InputError(f"{folder}: has no {part}; give UI-PRMD's folder Segmented Movements")
    name = "{movement}_{subject}_{repetition}_positions.txt*"
    return StudyConfig(
        name="UI-PRMD: Kinect v2 against Vicon",
        description="Vakanski, Jun, Paul, Baker 2018, A Data Set of Human Body Movements for Physical Rehabilitation "
        "Exercises, Data 3:2; correct executions",
        reference="vicon",
        definitions="ui-prmd",
        methods={
            "kinect": MethodConfig(folder / "Kinect/Positions" / name),
            "vicon": MethodConfig(folder / "Vicon/Positions" / name),
        },
        movements=UI_PRMD_MOVEMENTS,
        cleaning=CleaningConfig(lowpass_hz=6.0),
    )
