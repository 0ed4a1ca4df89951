"""The trial: which cameras, which rig, which methods, and every setting of every stage.

Each section is a frozen dataclass whose fields, defaults and comments are the documentation. A trial is written as TOML
(`load_trial`); an unknown key, or a value of the wrong kind, is an error that names the nearest known one. Paths in a
trial file are relative to the file.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from gonio.core.detections import Box
from gonio.core.errors import ConfigError
from gonio.core.files import makes_a_file_name
from gonio.core.sequence import Axis
from gonio.core.settings import build, check_keys, load_config, non_default_fields, parse_config, to_toml
from gonio.detection.detector import Choice, Detector, Selection
from gonio.detection.registry import built_in_values, check_options, create, default_options, entry, own_values


@dataclass(frozen=True)
class CameraConfig:
    """One view: a video, or 2D keypoints from a file."""

    name: str
    video: Path | None = None
    keypoints: Path | None = None  # an OpenPose folder or any 2D file that gonio reads
    layout: str | None = None  # of the keypoints, if the file does not state it
    fps: float | None = None  # of the keypoints, if the file does not state it
    size_px: tuple[int, int] | None = None  # (width, height) of the keypoints' images, if the file does not state it
    offset_frames: float = 0.0  # frames by which its clock is ahead: its frame 0 + offset is the common frame 0
    offset_s: float = 0.0  # the same in seconds: common time = own time - offset
    calibrated_as: str | None = None  # the camera's name in the calibration, if it differs
    crop_px: tuple[int, int] | None = None  # (columns cut off at the left, rows at the top) since calibration
    region_px: tuple[float, float, float, float] | None = None  # x1, y1, x2, y2: the patient's mid-hip is inside
    click_px: tuple[float, float] | None = None  # x, y: the patient is the person at this place ...
    click_s: float | None = None  # ... at this time of its own clock; default: its first frame

    def __post_init__(self) -> None:
        if (self.video is None) == (self.keypoints is None):
            raise ConfigError(f"camera {self.name!r} needs either video or keypoints")
        if self.offset_frames and self.offset_s:
            raise ConfigError(f"camera {self.name!r} has an offset in frames and one in seconds; give one")
        if self.video is not None and (self.layout, self.fps, self.size_px) != (None, None, None):
            raise ConfigError(
                f"camera {self.name!r}: layout, fps and size_px are for keypoints; a video states its own"
            )
        if self.fps is not None and not self.fps > 0:
            raise ConfigError(f"camera {self.name!r}: fps = {self.fps:g} must be positive")
        if self.size_px is not None and min(self.size_px) < 1:
            raise ConfigError(f"camera {self.name!r}: size_px = {list(self.size_px)} must be positive")
        if self.crop_px is not None and min(self.crop_px) < 0:
            raise ConfigError(
                f"camera {self.name!r}: crop_px = {list(self.crop_px)} counts cut columns and rows, 0 or more"
            )
        if self.region_px is not None and not (
            self.region_px[0] < self.region_px[2] and self.region_px[1] < self.region_px[3]
        ):
            raise ConfigError(f"camera {self.name!r}: region_px is x1, y1, x2, y2 with x1 < x2 and y1 < y2")
        if self.click_s is not None and self.click_px is None:
            raise ConfigError(f"camera {self.name!r}: click_s is the time of click_px, which is not given")

    @property
    def file(self) -> Path:
        """The video or the keypoints."""
        path = self.video or self.keypoints
        assert path is not None
        return path


@dataclass(frozen=True)
class RigConfig:
    """The geometry of the cameras: a calibration file, or two parallel cameras by baseline and focal length."""

    calibration: Path | None = None
    unit: Literal["m", "mm"] | None = None  # of the calibration, if the file does not state it
    up: Axis | None = None  # the world's vertical; default: estimated from the cameras, and reported
    baseline_m: float | None = None
    focal_px: float | None = None
    principal_point_px: tuple[float, float] | None = None  # default: the image's centre
    max_row_disparity_px: float | None = (
        None  # parallel rig: largest median difference of rows; default: 1/48 of the height
    )

    def __post_init__(self) -> None:
        parallel = self.baseline_m is not None or self.focal_px is not None
        if parallel and self.calibration is not None:
            raise ConfigError("rig: give a calibration, or baseline_m and focal_px, not both")
        if parallel and (self.baseline_m is None or self.focal_px is None):
            raise ConfigError("rig: two parallel cameras need both baseline_m and focal_px")
        if not parallel and self.calibration is None:
            raise ConfigError("rig: give a calibration file, or baseline_m and focal_px of two parallel cameras")
        if parallel and (self.unit is not None or self.up is not None):
            raise ConfigError("rig: unit and up belong to a calibration file; two parallel cameras have neither")
        if not parallel and (self.principal_point_px is not None or self.max_row_disparity_px is not None):
            raise ConfigError("rig: principal_point_px and max_row_disparity_px belong to two parallel cameras")


@dataclass(frozen=True)
class _DetectorChoice:
    """The part of [detector] that all detectors have."""

    name: str = "blazepose-heavy"
    people: int = 1  # most people that BlazePose follows in each view; of several, the rays that meet are the patient's
    choose: Choice = "largest"  # which person comes first, if there are several

    def __post_init__(self) -> None:
        if self.people < 1:
            raise ConfigError(f"detector: people = {self.people}; at least 1 must be followed")


@dataclass(frozen=True)
class DetectorConfig(_DetectorChoice):
    """The detector that finds the joints in videos, the people whom it follows, and its options.

    In a trial file the options stand beside name, people and choose in [detector]. A detector that finds everybody
    returns all people, however many `people` are to be followed.
    """

    options: Any = (
        None  # of the detector's own dataclass, such as `OpenPoseOptions`; default: that dataclass's defaults
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.options is None:
            object.__setattr__(self, "options", default_options(self.name))
        check_options(self.name, self.options)

    @classmethod
    def from_table(cls, table: Mapping[str, Any], where: str, folder: Path) -> DetectorConfig:
        """[detector] of a trial file. Raises `ConfigError` as `core.settings.build`, and for a foreign option."""
        shared = [f.name for f in dataclasses.fields(_DetectorChoice)]
        choice = build(_DetectorChoice, {key: table[key] for key in shared if key in table}, where, folder)
        kind = entry(choice.name).options
        options = {key: value for key, value in table.items() if key not in shared}
        own = [f.name for f in dataclasses.fields(kind)]
        check_keys(options, dict.fromkeys([*own, *built_in_values(), *shared]), where)
        return cls(**vars(choice), options=build(kind, own_values(choice.name, options), where, folder))

    def to_table(self) -> dict[str, Any]:
        """The values as [detector] has them, with the options of gonio's other detectors at their defaults."""
        choice = {f.name: getattr(self, f.name) for f in dataclasses.fields(_DetectorChoice)}
        return {**choice, **self.option_values}

    @property
    def option_values(self) -> dict[str, Any]:
        """option -> value, with the options of gonio's other detectors at their defaults."""
        return {**built_in_values(), **vars(self.options)}

    def changed(self, name: str | None, options: Mapping[str, Any]) -> DetectorConfig:
        """With another detector (None: the same), and with other values of options that this detector has.

        Values that differ from the defaults are kept; None is the default. Raises `ConfigError` if the detector does
        not have the option, or if its value is wrong.
        """
        name = self.name if name is None else name
        values = own_values(name, {**dict(non_default_fields(self.options)), **options})
        given = {option: value for option, value in values.items() if value is not None}
        return dataclasses.replace(self, name=name, options=build(entry(name).options, given, "", Path()))

    def make(self, region_px: Box | None = None) -> Detector:
        """The detector, for a view of which only a region matters. Raises as `registry.create` does."""
        return create(self.name, self.options, Selection(self.people, self.choose, region_px))

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that the options name, such as weights."""
        return tuple(value for value in vars(self.options).values() if isinstance(value, Path))


@dataclass(frozen=True)
class StereoConfig:
    """Triangulation."""

    min_confidence: float = 0.5  # a view's joint below it is not used
    max_reprojection_px: float | None = None  # drop views until the mean error is at most this (else robust_sigmas)
    robust_sigmas: float | None = 3.0  # drop a view beyond so many robust sigmas of its camera; 0 drops none
    refine: Literal["reprojection", "none"] = "reprojection"  # "none" leaves the linear solution

    def __post_init__(self) -> None:
        _check_share("stereo.min_confidence", self.min_confidence)
        for name, value in (("max_reprojection_px", self.max_reprojection_px), ("robust_sigmas", self.robust_sigmas)):
            if value is not None and value < 0:
                raise ConfigError(f"stereo.{name} = {value:g} must be positive")


@dataclass(frozen=True)
class LiftingConfig:
    """3D joints from one camera's keypoints, by a network."""

    weights: Path | None = None  # a file, or the name of weights that come with gonio, which has its default
    causal: bool = False  # by a network that takes only past frames as input
    min_confidence: float = 0.0  # keypoints below it count as missing
    flip: bool = True  # average with the answer to the mirrored keypoints
    height_m: float | None = None  # the person's stature
    segment: str | None = None  # or the length of one segment, metres: "thigh=0.42", shank, upper_arm, forearm
    scale: Literal["told", "stereo"] = "told"  # "stereo": the size by the stereo method with most cameras
    focal_px: float | None = None  # of cameras without a [rig]; 0.9 of the longer side is assumed

    def __post_init__(self) -> None:
        _check_share("lifting.min_confidence", self.min_confidence)
        sizes = [self.height_m is not None, self.segment is not None, self.scale == "stereo"]
        if sum(sizes) > 1:
            raise ConfigError('lifting: the size comes from one of height_m, segment and scale = "stereo"')
        if self.focal_px is not None and not self.focal_px > 0:
            raise ConfigError(f"lifting.focal_px = {self.focal_px:g} must be positive")


@dataclass(frozen=True)
class CleaningConfig:
    """Steps that clean the 3D joints of all methods alike; default: none."""

    min_confidence: float = 0.0  # joints below it become missing
    max_gap_s: float = 0.0  # gaps up to this long are interpolated
    lowpass_hz: float | None = None  # zero-phase Butterworth, fourth order

    def __post_init__(self) -> None:
        _check_share("cleaning.min_confidence", self.min_confidence)
        if self.max_gap_s < 0:
            raise ConfigError(f"cleaning.max_gap_s = {self.max_gap_s:g} must be 0 or more")
        if self.lowpass_hz is not None and not self.lowpass_hz > 0:
            raise ConfigError(f"cleaning.lowpass_hz = {self.lowpass_hz:g} must be positive; leave it out for no filter")


@dataclass(frozen=True)
class ReportConfig:
    """What is drawn."""

    videos: bool = True  # the overlay video of each camera
    blur_faces: bool = False


@dataclass(frozen=True)
class RecordingConfig:
    """A 3D recording of another system, as one more method."""

    name: str
    file: Path
    layout: str | None = None
    fps: float | None = None
    unit: Literal["m", "cm", "mm"] | None = None
    offset_s: float | Literal["auto"] = 0.0  # common time = own time - offset; "auto": found by gonio
    up: Axis | None = None  # the axis that points up, if the file does not state it, or states it wrongly
    frame: str = ""  # "rig": the rig's frame; recordings with one other name share a frame; default: its own


@dataclass(frozen=True)
class Trial:
    """One recording of one movement.

    methods: "multiview" (all cameras), "stereo-A-B" (two cameras), "blazepose-world" (the detector's own 3D estimate of
    every video; "blazepose-world-A" of one), "lifting" (every camera's 2D keypoints, lifted; "lifting-A" of one).
    Default: all that the cameras allow, with one stereo pair for two cameras. Recordings are methods by their own name.
    reference: the method that the others are compared with; without one they are compared pairwise.
    """

    cameras: tuple[CameraConfig, ...] = ()
    name: str = "trial"
    description: str = ""
    rig: RigConfig | None = None
    detector: DetectorConfig = field(default_factory=DetectorConfig)
    stereo: StereoConfig = field(default_factory=StereoConfig)
    lifting: LiftingConfig = field(default_factory=LiftingConfig)
    cleaning: CleaningConfig = field(default_factory=CleaningConfig)
    report: ReportConfig = field(default_factory=ReportConfig)
    methods: tuple[str, ...] = ()
    recordings: tuple[RecordingConfig, ...] = ()
    reference: str | None = None
    caveats: tuple[str, ...] = ()  # sentences that the report repeats

    def __post_init__(self) -> None:
        names = [camera.name for camera in self.cameras] + [recording.name for recording in self.recordings]
        folded = [name.casefold() for name in names]
        for name in names:
            if folded.count(name.casefold()) > 1:
                raise ConfigError(f"two cameras or recordings are called {name!r}; give each its own name")
            if not makes_a_file_name(name):
                raise ConfigError(f"{name!r} cannot be the name of a camera or recording: files are named after it")
        if self.lifting.focal_px is not None and self.rig is not None:
            raise ConfigError("lifting.focal_px is for cameras without a [rig]; the rig has focal lengths of its own")
        if not self.cameras and not self.recordings:
            raise ConfigError("the trial names neither a camera nor a recording; add [[cameras]] or [[recordings]]")


def _check_share(name: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise ConfigError(f"{name} = {value:g} must lie in 0..1")


def load_trial(path: str | Path) -> Trial:
    """Read a trial file. Raises `InputError` if it cannot be read, `ConfigError` if a key or value is wrong."""
    return load_config(Trial, Path(path), "trial")


def parse_trial(text: str, folder: Path, where: str) -> Trial:
    """A trial from TOML text; its paths are relative to `folder`, and `where` names it in messages."""
    return parse_config(Trial, text, folder, where)


def trial_text(trial: Trial, folder: Path) -> str:
    """The trial as the text of a TOML file in `folder`, to which its paths are relative; `parse_trial` reads it back.

    Values that are the defaults are left out.
    """
    lines, tables = [], []
    for name, value in non_default_fields(trial):
        if dataclasses.is_dataclass(value):
            tables += ["", f"[{name}]", *_entries(value, folder)]
        elif isinstance(value, tuple) and value and dataclasses.is_dataclass(value[0]):
            for item in value:
                tables += ["", f"[[{name}]]", *_entries(item, folder)]
        else:
            lines.append(f"{name} = {to_toml(value, folder)}")
    return "\n".join([*lines, *tables, ""])


def _entries(section: Any, folder: Path) -> Iterator[str]:
    """The lines of a section; those of a dataclass inside it stand among them."""
    for key, value in non_default_fields(section):
        if dataclasses.is_dataclass(value):
            yield from _entries(value, folder)
        else:
            yield f"{key} = {to_toml(value, folder)}"
