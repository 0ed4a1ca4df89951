"""The shape of a temporal network: what must be known to build it, to read its weights and to run it.

VideoPose3D (D. Pavllo, C. Feichtenhofer, D. Grangier, M. Auli, "3D human pose estimation in video with temporal
convolutions and semi-supervised training", CVPR 2019, section 3) lifts 2D joints to 3D with a stack of convolutions
over time. The first one spans `filter_widths[0]` neighbouring frames. Every further width adds a residual block: a
convolution whose taps lie so far apart that its input covers the time without a gap or an overlap, and one over a
single frame. One output frame depends on as many frames as the product of the widths.

A symmetric network uses past and future frames. A causal one uses past frames only; its weights have the same shapes.
The dense form, an ablation of the paper, fills the gaps between the taps: the same frames with more weights.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import accumulate
from operator import mul
from typing import Literal

from gonio.core.errors import InputError

COORDINATES = 3

Form = Literal["dilated", "single-frame", "chunked"]
"""How a network is run (`gonio.training.network`): one set of weights, the same numbers."""


@dataclass(frozen=True)
class Architecture:
    """Input (batch, time, in_joints, in_features), output (batch, time - receptive_field + 1, out_joints, 3).

    filter_widths  frames spanned by the first convolution, then by each block's: odd, at least one of them
    channels       width of every hidden layer
    dropout        share of the activations that is dropped in training
    dense          convolutions without dilation, over the same frames

    Raises `InputError` if a number is out of range.
    """

    filter_widths: tuple[int, ...]
    in_joints: int = 17
    in_features: int = 2
    out_joints: int = 17
    channels: int = 1024
    causal: bool = False
    dropout: float = 0.25
    dense: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "filter_widths", tuple(self.filter_widths))
        if not self.filter_widths or any(width < 1 or width % 2 == 0 for width in self.filter_widths):
            raise InputError(f"filter widths {self.filter_widths} are not odd and positive; 3,3,3 gives 27 frames")
        for name in ("in_joints", "in_features", "out_joints", "channels"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}; a network needs at least 1")
        if not 0 <= self.dropout < 1:
            raise InputError(f"dropout is {self.dropout}; it is a share from 0 to less than 1")

    @property
    def receptive_field(self) -> int:
        """Frames that one output frame depends on."""
        return math.prod(self.filter_widths)

    @property
    def past_frames(self) -> int:
        """Frames before the current one that its joints depend on."""
        return self.receptive_field - 1 if self.causal else self.receptive_field // 2

    @property
    def future_frames(self) -> int:
        """Frames after the current one that its joints depend on."""
        return self.receptive_field - 1 - self.past_frames

    @property
    def dilations(self) -> tuple[int, ...]:
        """Frames between neighbouring taps, of the first convolution (1) and of each block's."""
        return tuple(accumulate(self.filter_widths[:-1], mul, initial=1))

    @property
    def kept_taps(self) -> tuple[int, ...]:
        """Frames from a block's first tap to the frame that its residual keeps: the middle one, causal the last."""
        return tuple(
            (width - 1 if self.causal else width // 2) * dilation
            for width, dilation in zip(self.filter_widths, self.dilations, strict=True)
        )

    @property
    def kernel_widths(self) -> tuple[int, ...]:
        """Taps that each convolution has weights for: its filter width, or in the dense form all frames it spans."""
        if not self.dense:
            return self.filter_widths
        return tuple((w - 1) * d + 1 for w, d in zip(self.filter_widths, self.dilations, strict=True))

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Every array of the network's state by the name that published checkpoints use."""
        C = self.channels
        first, *blocks = self.kernel_widths
        shapes: dict[str, tuple[int, ...]] = {"expand_conv.weight": (C, self.in_joints * self.in_features, first)}
        shapes |= _batch_norm("expand_bn", C)
        for i, width in enumerate(blocks):
            for layer, taps in ((2 * i, width), (2 * i + 1, 1)):
                shapes[f"layers_conv.{layer}.weight"] = (C, C, taps)
                shapes |= _batch_norm(f"layers_bn.{layer}", C)
        shapes["shrink.weight"] = (self.out_joints * COORDINATES, C, 1)
        shapes["shrink.bias"] = (self.out_joints * COORDINATES,)
        return shapes

    @property
    def parameters(self) -> int:
        """Numbers that are trained (batch-norm's running statistics are not)."""
        return sum(math.prod(shape) for name, shape in self.shapes.items() if ".running_" not in name)


def _batch_norm(name: str, channels: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.{part}": (channels,) for part in ("weight", "bias", "running_mean", "running_var")}
