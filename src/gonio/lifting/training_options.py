"""How a lifting network is trained: the options, without torch, so that a config can be read before it is loaded."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Literal

from gonio.errors import ConfigError
from gonio.lifting.architecture import Form

CHECKPOINT, WEIGHTS, LOG = "checkpoint.pt", "weights.safetensors", "log.json"
"""What a training leaves in its folder."""


@dataclass(frozen=True)
class TrainingOptions:
    """How to train. Where the paper says it (Pavllo et al. 2019, section 5.3), the default is the paper's."""

    epochs: int = 60  # a finished training goes on where this is raised; the paper's networks had 80
    passes: int = 1  # how often an epoch goes through its clips
    frames: int = 32  # of a window, predicted together; the paper predicts single ones: 1, with form "single-frame"
    batch: int = 32  # windows in a batch, of each process; the paper has 1024 predicted frames in a batch
    form: Form = "chunked"  # how the network is run; all forms train the same weights
    precision: Literal["auto", "float32", "bfloat16"] = "auto"  # auto: bfloat16, chunked, where the processor has it
    learning_rate: float = 1e-3  # of Adam (amsgrad) in the first epoch
    decay: float = 0.95  # the learning rate of an epoch to that of the one before
    momentum: tuple[float, float] = (0.1, 0.001)  # of batch-norm in the first and after the last epoch
    velocity_weight: float = 0.0  # of the mean velocity error beside the position error
    trajectory: bool = False  # also learn where the root is; unlabelled data needs it and brings it
    trajectory_weight: float = 1.0  # of the root's error, which is divided by its depth
    warm_up: int = 1  # epochs before unlabelled clips count
    reprojection_weight: float = 1.0  # of the distance of unlabelled joints, seen through the camera, from keypoints
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
    """(number of this process, number of processes): those that `torchrun` tells, else 0 of 1."""
    return int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
