"""Detectors by name: a table of their options and of the functions that make them.

A program adds its own with `gonio.register_detector`. An installed package adds one by an entry point that names a
`DetectorEntry`; examples/own_detector.py is both:

    [project.entry-points."gonio.detectors"]
    own = "own_detector:DETECTOR"
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from typing import Any

from gonio.core.errors import ConfigError, InputError
from gonio.core.plugins import Registry
from gonio.detection.detector import Detector, NoOptions, Selection
from gonio.detection.keypoint_rcnn import MIN_SCORE, KeypointRCNN, KeypointRCNNOptions
from gonio.detection.openpose.options import OpenPoseOptions

Factory = Callable[[Any, Selection], Detector]
"""Options (an instance of the detector's dataclass) and which people to return -> the detector."""


NOT_FOR_OPTIONS = (
    "name", "people", "choose", "detector", "video", "output", "region", "click", "click_time", "overlay", "images",
    "blur_faces", "progress", "on_written", "trial", "rig", "baseline", "focal", "principal_point", "reference", "fps",
    "height", "align_clocks", "videos", "annotations", "detections",
)  # fmt: skip
"""Names that no option of a detector can have: keys of [detector], and options of the commands that run a detector."""


@dataclass(frozen=True)
class DetectorEntry:
    """What the table knows of a detector: how it is made, and its options.

    factory  (options, selection) -> the detector
    options  a frozen dataclass whose fields all have defaults. Each field is a key of [detector] in a trial file and an
             option of the command line; the text under it in the source is its help.

    Raises `InputError` if the options are anything else.
    """

    factory: Factory
    options: type = NoOptions

    def __post_init__(self) -> None:
        if not isinstance(self.options, type) or not dataclasses.is_dataclass(self.options):
            raise InputError(f"the options of a detector must be a dataclass, not {self.options!r}")
        kind = self.options.__name__
        for option in dataclasses.fields(self.options):
            if option.name in NOT_FOR_OPTIONS:
                raise InputError(f"{kind}.{option.name}: gonio has an option of that name; choose another")
            if option.default is dataclasses.MISSING and option.default_factory is dataclasses.MISSING:
                raise InputError(f"{kind}.{option.name}: an option of a detector needs a default")


def register_detector(name: str, factory: Factory, options: type = NoOptions) -> None:
    """Add a detector, which trials and commands then know by its name.

    factory  (options, selection) -> the detector: an object as `detection.detector.Detector` describes it
    options  a frozen dataclass of its options (see `DetectorEntry`); default: it has none

    Other processes do not know it: for `gonio study` and the command line, install it with an entry point. Raises
    `InputError` if another detector has this name, or if the options are no such dataclass.
    """
    DETECTORS.register(name, DetectorEntry(factory, options))


def create(name: str, options: object | None = None, selection: Selection | None = None) -> Detector:
    """A detector by name.

    options    an instance of the detector's dataclass of options; default: that dataclass's own defaults
    selection  which people of a view it returns; default: one, the largest

    Its weights and packages are needed only when `detect` is called. Raises `ConfigError` for an
    unknown name and for options of another detector.
    """
    made = default_options(name) if options is None else options
    check_options(name, made)
    return entry(name).factory(made, selection or Selection())


def entry(name: str) -> DetectorEntry:
    """The detector's row of the table. Raises `ConfigError` for an unknown name, with the nearest known one."""
    if name not in DETECTORS:
        near = get_close_matches(name, DETECTORS, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"known detectors: {', '.join(DETECTORS)}"
        raise ConfigError(f"unknown detector {name!r}; {hint}")
    return DETECTORS[name]


def default_options(name: str) -> Any:
    """The detector's options with their default values."""
    return entry(name).options()


def check_options(name: str, options: object) -> None:
    """Raises `ConfigError` unless the options are those of this detector."""
    kind = entry(name).options
    if not isinstance(options, kind):
        raise ConfigError(f"the detector {name!r} takes {kind.__name__}, not {type(options).__name__}")


def own_values(name: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values that are options of this detector.

    Options of other detectors may be among them with their default value, and are left out. Raises `ConfigError` for
    another value of such an option, and for an option of no detector.
    """
    own = {option.name for option in dataclasses.fields(entry(name).options)}
    for option, value in values.items():
        if option in own:
            continue
        owners = [other for other in BUILT_IN if option in default_values(other)]
        if not owners:
            near = get_close_matches(option, own, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"its options: {', '.join(sorted(own)) or 'none'}"
            raise ConfigError(f"the detector {name!r} has no option {option!r}; {hint}")
        if all(value != default_values(other)[option] for other in owners):
            raise ConfigError(f"{option} is an option of {' and '.join(owners)}; {name} does not have it")
    return {option: value for option, value in values.items() if option in own}


def default_values(name: str) -> dict[str, Any]:
    """option -> default value, of one detector."""
    options = default_options(name)
    return {option.name: getattr(options, option.name) for option in dataclasses.fields(options)}


def built_in_values() -> dict[str, Any]:
    """option -> default value, of all detectors that come with gonio."""
    return {option: value for name in BUILT_IN for option, value in default_values(name).items()}


def _blazepose(model: str, _options: NoOptions, selection: Selection) -> Detector:
    from gonio.detection.blazepose.detector import BlazePose  # noqa: PLC0415

    return BlazePose(model, people=selection.people, choose=selection.choose, region_px=selection.region_px)


def _keypoint_rcnn(options: KeypointRCNNOptions, _selection: Selection) -> Detector:
    return KeypointRCNN(options.weights, MIN_SCORE if options.min_score is None else options.min_score)


def _openpose(options: OpenPoseOptions, _selection: Selection) -> Detector:
    from gonio.detection.openpose.detector import OpenPose  # noqa: PLC0415

    return OpenPose(
        options.part_layout,
        options.weights,
        options.net_size,
        options.scales,
        options.flip,
        options.pixels,
    )


_OWN = {
    **{
        name: DetectorEntry(partial(_blazepose, name))
        for name in ("blazepose-heavy", "blazepose-full", "blazepose-lite")
    },
    "blazepose": DetectorEntry(partial(_blazepose, "blazepose-heavy")),
    "keypoint-rcnn": DetectorEntry(_keypoint_rcnn, KeypointRCNNOptions),
    "openpose": DetectorEntry(_openpose, OpenPoseOptions),
}
BUILT_IN = tuple(_OWN)
"""The detectors that come with gonio."""
DETECTORS = Registry("gonio.detectors", DetectorEntry, _OWN)
"""Every detector by its name: gonio's own, then those that were registered, then those of installed packages."""
