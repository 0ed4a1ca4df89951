"""The temporal network in torch, for training.

One set of weights, with the names and shapes of published checkpoints, run in one of three forms with the same
results (Pavllo et al. 2019, section 3, and in the appendix the optimised training implementation):

    dilated       convolutions with dilation over whole sequences: every frame of the input that has its full receptive
                  field yields one of the output
    single-frame  convolutions with stride in place of dilation: an input of exactly one receptive field (or several,
                  end to end) yields one frame each, and nothing is computed that this frame does not need
    chunked       the dilated form laid out as (batch, time, channel), each convolution as one matrix product over its
                  concatenated taps. Neighbouring output frames share their intermediate results, and processors
                  compute large matrix products fast, also in bfloat16: the form for training on CPUs

In training, batch-norm's statistics are those of the frames each form computes, so the three agree in evaluation to
rounding, and dilated and chunked also in training.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from gonio.core.errors import InputError
from gonio.lifting.architecture import COORDINATES, Architecture, Form
from gonio.lifting.checkpoints import Weights

__all__ = ["Architecture", "Form", "TemporalModel", "batch_norm_momentum", "model_of", "weights_of"]


def batch_norm_momentum(epoch: float, epochs: int, first: float = 0.1, last: float = 0.001) -> float:
    """Momentum of batch-norm at an epoch: exponentially from `first` at 0 to `last` at `epochs`.

    Pavllo et al. 2019, section 5.3. In torch's sense: the weight of the newest batch.
    """
    return first * math.exp(min(epoch / epochs, 1.0) * math.log(last / first))


class TemporalModel(nn.Module):
    """(batch, time, in_joints, in_features) to (batch, time - receptive_field + 1, out_joints, 3).

    The single-frame form takes a multiple n of the receptive field and gives n frames. The dense architecture has no
    single-frame form. Raises `InputError` if the input does not fit.
    """

    def __init__(self, architecture: Architecture, form: Form = "dilated") -> None:
        super().__init__()
        if architecture.dense and form == "single-frame":
            raise InputError("a dense network has no single-frame form; use dilated or chunked")
        self.architecture = architecture
        self.form = form
        C = architecture.channels
        first, *blocks = architecture.kernel_widths
        spacings = [1] * len(blocks) if architecture.dense else architecture.dilations[1:]
        self.expand_conv = nn.Conv1d(architecture.in_joints * architecture.in_features, C, first, bias=False)
        self.expand_bn = nn.BatchNorm1d(C)
        self.layers_conv = nn.ModuleList()
        self.layers_bn = nn.ModuleList()
        for width, spacing in zip(blocks, spacings, strict=True):
            self.layers_conv.append(nn.Conv1d(C, C, width, dilation=spacing, bias=False))
            self.layers_conv.append(nn.Conv1d(C, C, 1, bias=False))
            self.layers_bn.extend([nn.BatchNorm1d(C), nn.BatchNorm1d(C)])
        self.shrink = nn.Conv1d(C, architecture.out_joints * COORDINATES, 1)
        self.dropout = nn.Dropout(architecture.dropout)

    def set_batch_norm_momentum(self, momentum: float) -> None:
        """Weight of the newest batch in the running statistics, for all layers."""
        for module in self.modules():
            if isinstance(module, nn.BatchNorm1d):
                module.momentum = momentum

    def forward(self, keypoints: Tensor) -> Tensor:
        """Joints of every frame whose receptive field lies in the input, in the network's form."""
        self._check(keypoints)
        batch = keypoints.shape[0]
        frames = keypoints.flatten(2)  # (batch, time, in_joints * in_features)
        if self.form == "chunked":
            joints = self._chunked(frames)
        else:
            joints = self._convolved(frames.transpose(1, 2)).transpose(1, 2)
        return joints.reshape(batch, -1, self.architecture.out_joints, COORDINATES)

    def _check(self, keypoints: Tensor) -> None:
        a = self.architecture
        if keypoints.ndim != 4 or keypoints.shape[2:] != (a.in_joints, a.in_features):
            raise InputError(
                f"keypoints have shape {tuple(keypoints.shape)}; this network takes "
                f"(batch, time, {a.in_joints}, {a.in_features})"
            )
        time = keypoints.shape[1]
        if time < a.receptive_field or (self.form == "single-frame" and time % a.receptive_field):
            whole = "a multiple of " if self.form == "single-frame" else "at least "
            raise InputError(f"{time} frames; the {self.form} form of this network needs {whole}{a.receptive_field}")

    def _block_layers(self) -> list[tuple[nn.Conv1d, nn.BatchNorm1d, nn.Conv1d, nn.BatchNorm1d]]:
        convs = [cast(nn.Conv1d, conv) for conv in self.layers_conv]
        norms = [cast(nn.BatchNorm1d, norm) for norm in self.layers_bn]
        return list(zip(convs[::2], norms[::2], convs[1::2], norms[1::2], strict=True))

    def _activated(self, x: Tensor, norm: nn.BatchNorm1d) -> Tensor:
        return cast(Tensor, self.dropout(functional.relu(norm(x))))

    def _convolved(self, x: Tensor) -> Tensor:
        """(batch, features, time) to (batch, out_joints * 3, output frames) by torch's convolutions."""
        strided = self.form == "single-frame"
        widths = self.architecture.filter_widths
        kept = self.architecture.kept_taps
        dilations = self.architecture.dilations
        stride = widths[0] if strided else 1
        x = self._activated(functional.conv1d(x, self.expand_conv.weight, stride=stride), self.expand_bn)
        for i, (wide, wide_norm, narrow, narrow_norm) in enumerate(self._block_layers(), start=1):
            if strided:
                residual = x[:, :, kept[i] // dilations[i] :: widths[i]]
                y = functional.conv1d(x, wide.weight, stride=widths[i])
            else:
                y = wide(x)
                residual = x[:, :, kept[i] : kept[i] + y.shape[2]]
            x = residual + self._activated(narrow(self._activated(y, wide_norm)), narrow_norm)
        return cast(Tensor, self.shrink(x))

    def _chunked(self, x: Tensor) -> Tensor:
        """(batch, time, features) to (batch, output frames, out_joints * 3) by matrix products."""
        kept = self.architecture.kept_taps[1:]
        x = self._normalised_rows(_taps_as_one(x, self.expand_conv), self.expand_bn)
        for start, (wide, wide_norm, narrow, narrow_norm) in zip(kept, self._block_layers(), strict=True):
            y = self._normalised_rows(_taps_as_one(x, wide), wide_norm)
            y = self._normalised_rows(functional.linear(y, narrow.weight[:, :, 0]), narrow_norm)
            x = x[:, start : start + y.shape[1]] + y
        return functional.linear(x, self.shrink.weight[:, :, 0], self.shrink.bias)

    def _normalised_rows(self, x: Tensor, norm: nn.BatchNorm1d) -> Tensor:
        return self._activated(x.flatten(0, 1), norm).view(x.shape)


def _taps_as_one(x: Tensor, conv: nn.Conv1d) -> Tensor:
    """A convolution over (batch, time, channel) as one matrix product over its taps, laid side by side."""
    width, spacing = conv.kernel_size[0], conv.dilation[0]
    if width == 1:
        return functional.linear(x, conv.weight[:, :, 0])
    length = x.shape[1] - (width - 1) * spacing
    taps = torch.cat([x[:, k * spacing : k * spacing + length] for k in range(width)], dim=2)
    return functional.linear(taps, conv.weight.transpose(1, 2).flatten(1))


def model_of(weights: Weights, form: Form = "dilated") -> TemporalModel:
    """A network with these weights, in training mode. Its batch counters start at 0."""
    model = TemporalModel(weights.architecture, form)
    state = {name: torch.from_numpy(array.copy()) for name, array in weights.arrays.items()}
    counters = {name: value for name, value in model.state_dict().items() if name.endswith("num_batches_tracked")}
    model.load_state_dict(state | counters)
    return model


def weights_of(
    model: TemporalModel, trajectory: TemporalModel | None = None, metadata: Mapping[str, Any] | None = None
) -> Weights:
    """The network's weights as numpy arrays, float32, copied."""
    arrays = {
        name: value.detach().to("cpu", torch.float32).numpy().copy()
        for name, value in model.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    return Weights(
        architecture=model.architecture,
        arrays=arrays,
        trajectory=None if trajectory is None else weights_of(trajectory),
        metadata=dict(metadata or {}),
    )
