"""2D joints to 3D joints with a trained network, in numpy.

In use, a network (see `gonio.lifting.architecture`) is a row of matrix products. Batch-norm is a factor and an offset
per channel by then and is folded into the weights of the convolution before it. A convolution over (time, channel) is
one product: its taps, copied side by side, times its weights. Every frame of every layer is computed once, whatever
the number of output frames that depend on it, and the layers overwrite each other in one buffer, block by block, so
that what is read is still in the processor's cache.

The ends of a recording have no full receptive field: the first and the last frame are repeated, as in the published
code (Pavllo et al. 2019, section 3), never padded with zeros. A causal network needs no frame after the current one,
so `Stream` gives each frame's joints when the frame comes, and computes no more than that frame in each layer.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gonio.core.arrays import FloatArray
from gonio.core.errors import InputError
from gonio.core.skeleton import Skeleton
from gonio.lifting.architecture import COORDINATES, Architecture
from gonio.lifting.checkpoints import Array32, Weights

_BATCH_NORM_EPSILON = 1e-5  # torch's default, with which the networks are trained
_ROWS_AT_ONCE = 512  # of one matrix product
_ROWS_IN_BUFFER = 2048  # of all frames and people that are carried from layer to layer, but at least
_CONTEXTS_IN_BUFFER = 16  # times the frames around a part, which are computed twice


def normalise_screen(x: ArrayLike, width_px: float, height_px: float) -> FloatArray:
    """(..., 2) px to screen coordinates: the image's width is -1..1, y has the same unit, 0 is the middle.

    VideoPose3D's convention: x / w * 2 - 1 and y / w * 2 - h / w.
    """
    return np.asarray(x, dtype=float) / width_px * 2 - (1.0, height_px / width_px)


def predict(
    weights: Weights, keypoints: NDArray[np.floating], *, mirrored: tuple[Skeleton, Skeleton] | None = None
) -> Array32:
    """(people, time, in_joints, in_features) to (people, time, out_joints, 3), in the units the network was trained in.

    mirrored  the skeletons of input and output: the joints are the mean of the network's answers to the keypoints and
              to their mirror image (x negated, left and right exchanged), as published results are

    Any number of frames is possible. Raises `InputError` if the shape is not the network's, if there is no frame,
    if a number is not finite (each network has its own mark of a missing keypoint), and if a
    skeleton does not fit.
    """
    architecture = weights.architecture
    keypoints = _checked(architecture, keypoints, 4, "(people, time, {}, {})")
    if mirrored is None:
        return _predicted(weights, keypoints)
    sizes = (architecture.in_joints, architecture.out_joints)
    for skeleton, n_joints, side in zip(mirrored, sizes, ("in", "out"), strict=True):
        if len(skeleton) != n_joints:
            raise InputError(
                f"skeleton {skeleton.name!r} has {len(skeleton)} joints; the network has {n_joints} {side}put joints"
            )
    order_in, order_out = (list(skeleton.mirrored_order) for skeleton in mirrored)
    image = keypoints[:, :, order_in]
    image[..., 0] *= -1
    joints = _predicted(weights, np.concatenate([keypoints, image]))
    straight, turned = joints[: len(keypoints)], joints[len(keypoints) :, :, order_out]
    turned[..., 0] *= -1
    return np.asarray((straight + turned) / 2)


class Stream:
    """A causal network that is given frame after frame: `push` answers with the joints of the frame it gets.

    The frames before the first one count as equal to it. The output equals that of `predict` for the whole recording.
    Raises `InputError` if the network is not causal.
    """

    def __init__(self, weights: Weights) -> None:
        if not weights.architecture.causal and weights.architecture.receptive_field > 1:
            raise InputError("a symmetric network needs frames after the current one; stream with a causal one")
        self._architecture = weights.architecture
        self._layers = _folded(weights)
        self._past: list[Array32] = []  # per convolution: (frames, people, channels), used as a ring
        self._n_frames = 0

    def push(self, keypoints: NDArray[np.floating]) -> Array32:
        """(people, in_joints, in_features) of the next frame to (people, out_joints, 3).

        Raises `InputError` if the shape is not the network's, if the number of people changes, and if a number
        is not finite.
        """
        frame = _checked(self._architecture, keypoints, 3, "(people, {}, {})")
        people = len(frame)
        if self._past and self._past[0].shape[1] != people:
            raise InputError(f"{people} people after {self._past[0].shape[1]}; start another stream when they change")
        first, *blocks = self._layers.wide
        x = first.of(self._remembered(0, frame.reshape(people, -1)))
        for i, (wide, narrow) in enumerate(zip(blocks, self._layers.narrow, strict=True), start=1):
            x = x + narrow.of(wide.of(self._remembered(i, x)))
        self._n_frames += 1
        return (x @ self._layers.shrink.matrix + self._layers.shrink.offset).reshape(people, -1, COORDINATES)

    def _remembered(self, layer: int, x: Array32) -> Array32:
        """(people, taps * channels): a convolution's taps at this frame, which is kept for later ones."""
        wide = self._layers.wide[layer]
        if layer == len(self._past):
            self._past.append(np.repeat(x[None], (wide.taps - 1) * wide.spacing + 1, axis=0))
        ring = self._past[layer]
        now = self._n_frames % len(ring)
        ring[now] = x
        taps = (now + 1 + np.arange(wide.taps) * wide.spacing) % len(ring)
        return np.concatenate([ring[tap] for tap in taps], axis=1)


@dataclass(frozen=True)
class _Layer:
    """A convolution with its batch-norm: (rows, taps * channels) @ matrix + offset."""

    matrix: Array32  # (taps * channels in, channels out)
    offset: Array32
    taps: int = 1
    spacing: int = 1  # frames between taps

    def of(self, rows: Array32, out: Array32 | None = None) -> Array32:
        """relu(rows @ matrix + offset)."""
        y: Array32 = np.matmul(rows, self.matrix, out=out)
        y += self.offset
        return np.maximum(y, 0, out=y)


@dataclass(frozen=True)
class _Layers:
    wide: tuple[_Layer, ...]  # the first convolution, then each block's over time
    narrow: tuple[_Layer, ...]  # each block's over one frame
    shrink: _Layer


@lru_cache(maxsize=4)
def _folded(weights: Weights) -> _Layers:
    """The layers as matrices. Kept for the networks used last, because folding a large one takes a while."""
    a, arrays = weights.architecture, weights.arrays

    def layer(conv: str, norm: str, spacing: int) -> _Layer:
        kernel = arrays[f"{conv}.weight"].astype(float)  # (out, in, taps)
        scale = arrays[f"{norm}.weight"] / np.sqrt(arrays[f"{norm}.running_var"].astype(float) + _BATCH_NORM_EPSILON)
        offset = arrays[f"{norm}.bias"] - arrays[f"{norm}.running_mean"] * scale
        matrix = (kernel * scale[:, None, None]).transpose(2, 1, 0).reshape(-1, len(kernel))
        return _Layer(_single(matrix), _single(offset), kernel.shape[2], spacing)

    spacings = (1,) * len(a.dilations) if a.dense else a.dilations
    blocks = range(len(a.filter_widths) - 1)
    return _Layers(
        wide=(
            layer("expand_conv", "expand_bn", 1),
            *(layer(f"layers_conv.{2 * i}", f"layers_bn.{2 * i}", spacings[i + 1]) for i in blocks),
        ),
        narrow=tuple(layer(f"layers_conv.{2 * i + 1}", f"layers_bn.{2 * i + 1}", 1) for i in blocks),
        shrink=_Layer(_single(arrays["shrink.weight"][:, :, 0].T), _single(arrays["shrink.bias"])),
    )


def _single(values: NDArray[np.floating]) -> Array32:
    return np.ascontiguousarray(values, dtype=np.float32)


def _checked(architecture: Architecture, keypoints: NDArray[np.floating], dimensions: int, form: str) -> Array32:
    wanted = (architecture.in_joints, architecture.in_features)
    keypoints = np.asarray(keypoints)
    if keypoints.ndim != dimensions or keypoints.shape[-2:] != wanted or keypoints.dtype.kind not in "fiu":
        raise InputError(f"keypoints have shape {keypoints.shape}; the network takes {form.format(*wanted)} numbers")
    if 0 in keypoints.shape:
        raise InputError(f"keypoints have shape {keypoints.shape}: they hold no frame or no person")
    with np.errstate(over="ignore"):
        single = _single(keypoints)
    astray = single.size - int(np.isfinite(single).sum())
    if astray:
        raise InputError(
            f"{astray} of {single.size} keypoint numbers are not finite; mark missing keypoints as in training"
        )
    return single


def _predicted(weights: Weights, keypoints: Array32) -> Array32:
    """`predict` of checked keypoints, in parts that stay in the processor's cache."""
    a, layers = weights.architecture, _folded(weights)
    people, time = keypoints.shape[:2]
    context = a.receptive_field - 1
    frames = keypoints.reshape(people, time, -1)
    joints = np.empty((people, time, a.out_joints * COORDINATES), np.float32)
    span = min(time, max(_ROWS_IN_BUFFER, _CONTEXTS_IN_BUFFER * context))
    group = max(1, _ROWS_IN_BUFFER // (span + context))
    for start in range(0, time, span):
        stop = min(start + span, time)
        needed = np.arange(start - a.past_frames, stop + a.future_frames).clip(0, time - 1)  # ends are repeated
        for person in range(0, people, group):
            joints[person : person + group, start:stop] = _lifted(a, layers, frames[person : person + group, needed])
    return joints.reshape(people, time, a.out_joints, COORDINATES)


def _lifted(a: Architecture, layers: _Layers, frames: Array32) -> Array32:
    """(people, output frames + context, inputs) to (people, output frames, outputs)."""
    people, time = frames.shape[:2]
    step = max(1, _ROWS_AT_ONCE // people)
    first, *blocks = layers.wide
    channels = len(first.offset)
    widest = max(len(wide.matrix) for wide in layers.wide)
    scratch = np.empty((people * step, widest), np.float32)
    hidden = np.empty((2, people * step, channels), np.float32)

    x = np.empty((people, time - (first.taps - 1) * first.spacing, channels), np.float32)
    for begin in range(0, x.shape[1], step):
        end = min(begin + step, x.shape[1])
        rows = _side_by_side(first, frames, begin, end, scratch)
        x[:, begin:end] = first.of(rows, hidden[0, : len(rows)]).reshape(people, end - begin, channels)
    for wide, narrow, kept in zip(blocks, layers.narrow, a.kept_taps[1:], strict=True):
        length = x.shape[1] - (wide.taps - 1) * wide.spacing
        for begin in range(0, length, step):
            end = min(begin + step, length)
            rows = _side_by_side(wide, x, begin, end, scratch)
            between = wide.of(rows, hidden[0, : len(rows)])
            change = narrow.of(between, hidden[1, : len(rows)]).reshape(people, end - begin, channels)
            # Nothing at or after `end` is written, nor is anything before `begin` read again.
            np.add(x[:, begin + kept : end + kept], change, out=x[:, begin:end])
        x = x[:, :length]
    joints: Array32 = np.ascontiguousarray(x).reshape(-1, channels) @ layers.shrink.matrix
    joints += layers.shrink.offset
    return joints.reshape(people, x.shape[1], -1)


def _side_by_side(layer: _Layer, x: Array32, begin: int, end: int, scratch: Array32) -> Array32:
    """(people * frames, taps * channels): the input at the layer's taps, for output frames `begin` to `end`."""
    people, _, channels = x.shape
    if layer.taps == 1 and people == 1:
        return x[0, begin:end]
    rows = scratch.reshape(-1)[: people * (end - begin) * layer.taps * channels]
    rows = rows.reshape(people, end - begin, layer.taps, channels)
    for tap in range(layer.taps):
        rows[:, :, tap] = x[:, begin + tap * layer.spacing : end + tap * layer.spacing]
    return rows.reshape(people * (end - begin), layer.taps * channels)
