"""The training file that `gonio train` reads: data and method of training a lifting network.

Each section is a frozen dataclass whose fields, defaults and comments are the documentation; `gonio train FILE --help`
shows them, and each is an option of the command line. As in a trial file, an unknown key or a value of the wrong kind
is an error that names the nearest known one, and paths are relative to the file.

Two kinds of data, for two kinds of networks:

motion_capture, stereo  for gonio's own: bodies before virtual cameras, new ones for every epoch; and joints
                        measured by several cameras, as the target for each of them
videopose3d             for published ones: VideoPose3D's sets of Human3.6M and HumanEva, trained as the paper does

Either can have `unlabelled` data beside it: keypoints alone.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from gonio.core.errors import ConfigError, InputError
from gonio.core.settings import load_config, parse_config
from gonio.lifting.architecture import Architecture, Form
from gonio.training.augmentation import Augmentation


@dataclass(frozen=True)
class NetworkConfig:
    """The shape of the network. With `init` it is that of the weights, and only the dropout counts."""

    filter_widths: tuple[int, ...] = (3, 3, 3)  # their product is the number of frames of one input: 27; 5 of 3 are 243
    channels: int = 1024  # width of the hidden layers
    dropout: float = 0.25  # share of the activations that is dropped in training
    causal: bool = False  # uses no later frame, for lifting while recording
    dense: bool = False  # convolutions without gaps: an ablation of the paper

    def __post_init__(self) -> None:
        try:
            self.architecture(17, 2, 17)
        except InputError as error:
            raise ConfigError(f"network: {error}") from None

    def architecture(self, in_joints: int, in_features: int, out_joints: int) -> Architecture:
        """The network that takes and gives so many joints."""
        return Architecture(
            filter_widths=self.filter_widths,
            in_joints=in_joints,
            in_features=in_features,
            out_joints=out_joints,
            channels=self.channels,
            causal=self.causal,
            dropout=self.dropout,
            dense=self.dense,
        )


@dataclass(frozen=True)
class GroupConfig:
    """Recordings of motion capture that are drawn equally often."""

    path: Path  # the folder
    kind: Literal["ui-prmd", "ui-prmd-incorrect", "cmu", "folder"]  # folder: .bvh, .trc and .npz files of your own
    share: float = 1.0  # how often the group is drawn, in proportion to the shares of the others
    subjects: tuple[str, ...] = ()  # of UI-PRMD, "s01" and so on; default: all
    unit: Literal["m", "cm", "mm"] | None = None  # of your own .bvh files, which do not state it

    def __post_init__(self) -> None:
        if not self.share > 0:
            raise ConfigError(f"motion_capture.groups: share = {self.share:g} must be positive")
        if self.subjects and not self.kind.startswith("ui-prmd"):
            raise ConfigError(f"motion_capture.groups: subjects can be chosen of UI-PRMD, not of kind {self.kind!r}")
        if self.unit is not None and self.kind != "folder":
            raise ConfigError(f"motion_capture.groups: unit is for your own files; kind {self.kind!r} knows its own")


@dataclass(frozen=True)
class MotionCaptureConfig:
    """Bodies before virtual cameras and a model of the detector's errors; no body is shown twice."""

    groups: tuple[GroupConfig, ...]
    frames: int = 300_000  # new ones for each epoch
    augmentation: Augmentation = field(default_factory=Augmentation)

    def __post_init__(self) -> None:
        if not self.groups:
            raise ConfigError("motion_capture names no recordings; add [[motion_capture.groups]]")
        if self.frames < 1:
            raise ConfigError(f"motion_capture.frames = {self.frames}; at least 1 is needed")


@dataclass(frozen=True)
class StereoLabelsConfig:
    """Joints measured with several cameras, as the target for the keypoints of one of them."""

    joints: Path  # 3D, in the rig's frame, as `gonio triangulate` and `gonio compare` write them
    keypoints: Path  # 2D, of the camera
    rig: Path  # the calibration
    camera: str  # its name in the calibration
    layout: str | None = None  # of the keypoints, if the file does not state it
    fps: float | None = None  # of the keypoints, if the file does not state it
    offset_s: float = 0.0  # how far the camera's clock is ahead of the joints'


@dataclass(frozen=True)
class VideoPose3DConfig:
    """One 3D and one 2D set of VideoPose3D's."""

    data_3d: Path  # data_3d_h36m.npz or data_3d_humaneva15.npz
    data_2d: Path  # data_2d_..._....npz
    cameras: Path | None = None  # a .json table of HumanEva's cameras; Human3.6M's are known
    subjects: tuple[str, ...] = ()  # to train on; default: those of the paper
    test_subjects: tuple[str, ...] = ()  # to measure on after each epoch; default: those of the paper
    actions: tuple[str, ...] = ()  # default: all
    share: float = 1.0  # of each recording's frames: one stretch of it (the paper's experiments with few labels)
    downsample: int = 1  # every so many-th frame; 5 gives 10 Hz in Human3.6M
    flip: bool = True  # every clip mirrored too

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise ConfigError(f"videopose3d.share = {self.share:g} must be above 0 and at most 1")
        if self.downsample < 1:
            raise ConfigError(f"videopose3d.downsample = {self.downsample}; at least 1 is needed")
        both = sorted(set(self.subjects) & set(self.test_subjects))
        if both:
            raise ConfigError(f"videopose3d: {', '.join(both)} cannot be trained on and measured on")


@dataclass(frozen=True)
class KeypointsConfig:
    """2D keypoints of one person by one camera, as `gonio detect` writes them."""

    keypoints: Path
    layout: str | None = None  # if the file does not state it
    fps: float | None = None  # if the file does not state it
    rig: Path | None = None  # a calibration with the camera
    camera: str | None = None  # its name there
    focal_px: float | None = None  # without a rig: the focal length; default: 0.9 of the image's longer side
    image_size_px: tuple[int, int] | None = None  # width, height, if the file does not state it

    def __post_init__(self) -> None:
        if (self.rig is None) != (self.camera is None):
            raise ConfigError(f"{self.keypoints}: rig and camera go together")
        if self.rig is not None and self.focal_px is not None:
            raise ConfigError(f"{self.keypoints}: a rig knows the focal length; leave out focal_px")
        if self.focal_px is not None and not self.focal_px > 0:
            raise ConfigError(f"{self.keypoints}: focal_px = {self.focal_px:g} must be positive")


@dataclass(frozen=True)
class UnlabelledConfig:
    """Keypoints alone: their joints, projected by the camera, must lie on them."""

    subjects: tuple[str, ...] = ()  # of the same set (videopose3d, or the first UI-PRMD group); targets are not read
    files: tuple[KeypointsConfig, ...] = ()

    def __post_init__(self) -> None:
        if not self.subjects and not self.files:
            raise ConfigError("unlabelled names nothing; give subjects, or [[unlabelled.files]]")


@dataclass(frozen=True)
class ValidationConfig:
    """UI-PRMD by protocol L1: the test of gonio's own networks after each epoch."""

    path: Path  # the folder with "Segmented Movements"
    subjects: tuple[str, ...]  # "s07" and so on: not those that are trained on
    noisy: bool = True  # with the protocol's noise


@dataclass(frozen=True)
class TrainingOptions:
    """How to train. Defaults are those of the paper if it states them (Pavllo et al. 2019, section 5.3)."""

    epochs: int = 60  # a finished training goes on if this is raised; the paper's networks had 80
    passes: int = 1  # how often an epoch goes through its clips
    frames: int = 32  # of a window, predicted together; the paper predicts single ones: 1, with form "single-frame"
    batch: int = 32  # windows in a batch, of each process; the paper has 1024 predicted frames in a batch
    form: Form = "chunked"  # how the network is run; all forms train the same weights
    precision: Literal["auto", "float32", "bfloat16"] = "auto"  # auto: bfloat16 if chunked and the processor has it
    learning_rate: float = 1e-3  # of Adam (amsgrad) in the first epoch
    decay: float = 0.95  # the learning rate of an epoch to that of the one before
    momentum: tuple[float, float] = (0.1, 0.001)  # of batch-norm in the first and after the last epoch
    velocity_weight: float = 0.0  # of the mean velocity error beside the position error
    trajectory: bool = False  # also learn the position of the root; always on with unlabelled data
    trajectory_weight: float = 1.0  # of the root's error, which is divided by its depth
    warm_up: int = 1  # epochs before unlabelled clips count
    reprojection_weight: float = 1.0  # of the distance of projected unlabelled joints from keypoints
    bone_weight: float = 1.0  # of the difference between mean bone lengths of labelled and unlabelled bodies
    seed: int = 0  # of everything random

    def __post_init__(self) -> None:
        for name in ("epochs", "passes", "frames", "batch"):
            if getattr(self, name) < 1:
                raise ConfigError(f"training.{name} = {getattr(self, name)}; at least 1 is needed")
        if not self.learning_rate > 0:
            raise ConfigError(f"training.learning_rate = {self.learning_rate:g} must be positive")
        for name, value in (("decay", self.decay), *(("momentum", value) for value in self.momentum)):
            if not 0 < value <= 1:
                raise ConfigError(f"training.{name} = {value:g} must be above 0 and at most 1")
        for name in ("velocity_weight", "warm_up", "trajectory_weight", "reprojection_weight", "bone_weight", "seed"):
            if not getattr(self, name) >= 0:
                raise ConfigError(f"training.{name} = {getattr(self, name)} must be 0 or more")
        if self.form == "single-frame" and self.frames != 1:
            raise ConfigError(
                f"training.frames = {self.frames}: the single-frame form predicts one frame of a window; set frames = "
                f'1, or form = "chunked"'
            )


def processes() -> tuple[int, int]:
    """(number of this process, number of processes): those that `torchrun` declares, else 0 of 1."""
    return int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))


@dataclass(frozen=True)
class TrainConfig:
    """A training of a lifting network."""

    init: Path | None = None  # weights to begin with, or the name of some that come with gonio; else random ones
    threads: int | None = None  # of torch; default: torch's own choice
    network: NetworkConfig = field(default_factory=NetworkConfig)
    training: TrainingOptions = field(default_factory=TrainingOptions)
    motion_capture: MotionCaptureConfig | None = None
    stereo: tuple[StereoLabelsConfig, ...] = ()
    videopose3d: VideoPose3DConfig | None = None
    unlabelled: UnlabelledConfig | None = None
    validation: ValidationConfig | None = None

    def __post_init__(self) -> None:
        own = self.motion_capture is not None or bool(self.stereo)
        if own == (self.videopose3d is not None):
            raise ConfigError(
                "a training needs data: [motion_capture] or [[stereo]] for a network of gonio's, or [videopose3d] for "
                "one of the published kind" + ("; not both" if own else "")
            )
        if self.validation is not None and not own:
            raise ConfigError("[validation] is for networks of gonio's; with [videopose3d] name test_subjects")
        trained = {subject for group in self.ui_prmd for subject in group.subjects}
        all_subjects = any(not group.subjects for group in self.ui_prmd)
        others = () if self.unlabelled is None or not own else self.unlabelled.subjects
        measured = () if self.validation is None else self.validation.subjects
        for key, subjects, taken in (
            ("validation.subjects", measured, trained | set(others)),
            ("unlabelled.subjects", others, trained),
        ):
            if subjects and (all_subjects or taken & set(subjects)):
                both = ", ".join(sorted(taken & set(subjects))) or "of UI-PRMD"
                raise ConfigError(f"{key} {both} are trained on too; name other subjects in [[motion_capture.groups]]")
        if self.unlabelled is not None and self.unlabelled.subjects and own and not self.ui_prmd:
            raise ConfigError("unlabelled.subjects are those of UI-PRMD: [[motion_capture.groups]] has none of it")
        if self.threads is not None and self.threads < 1:
            raise ConfigError(f"threads = {self.threads}; at least 1 is needed")

    @property
    def ui_prmd(self) -> tuple[GroupConfig, ...]:
        """The groups of motion capture that are UI-PRMD's."""
        groups = () if self.motion_capture is None else self.motion_capture.groups
        return tuple(group for group in groups if group.kind.startswith("ui-prmd"))

    @property
    def files(self) -> tuple[Path, ...]:
        """Every file and folder that is read."""
        paths = [] if self.motion_capture is None else [group.path for group in self.motion_capture.groups]
        paths += [path for one in self.stereo for path in (one.joints, one.keypoints, one.rig)]
        if self.videopose3d is not None:
            paths += [self.videopose3d.data_3d, self.videopose3d.data_2d]
            paths += [path for path in (self.videopose3d.cameras,) if path is not None]
        if self.unlabelled is not None:
            paths += [p for one in self.unlabelled.files for p in (one.keypoints, one.rig) if p is not None]
        if self.validation is not None:
            paths.append(self.validation.path)
        return tuple(paths)


EXAMPLE = """
[motion_capture]
[[motion_capture.groups]]
path = "ui-prmd"
kind = "ui-prmd"
"""
"""The shortest training file; `gonio train --help` shows the options of this one."""


def load_training(path: str | Path) -> TrainConfig:
    """Read a training file.

    Raises `InputError` if it cannot be read, `ConfigError` if a key or value is wrong.
    """
    return load_config(TrainConfig, Path(path), "training")


def parse_training(text: str, folder: Path, where: str) -> TrainConfig:
    """A training from TOML text; its paths are relative to `folder`, and `where` names it in messages."""
    return parse_config(TrainConfig, text, folder, where)


CHECKPOINT, WEIGHTS, LOG = "checkpoint.pt", "weights.safetensors", "log.json"
"""Files of a training in its folder."""
