"""Clips of keypoints and joints, and their windows for one training step.

A network with a receptive field of R frames turns a window of R - 1 + n frames into n frames of joints. Windows overlap
by R - 1 frames so that every frame of a clip is predicted once. The first and last frames of a clip are repeated, as in
prediction. A clip shorter than n frames is filled up with its last one, and filled frames do not count.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from gonio.core.arrays import BoolArray
from gonio.core.errors import InputError
from gonio.core.skeleton import Skeleton
from gonio.lifting.architecture import Architecture

Array32 = NDArray[np.float32]


ARRAYS = ("inputs", "targets", "mask", "root", "camera", "seen", "root_unit")
"""The arrays of a clip."""


@dataclass(frozen=True, eq=False)
class Clip:
    """A stretch of one view, in a network's own input and output units. Numbers are float32.

    inputs     (time, joint, feature)
    targets    (time, out joint, 3), or None: not labelled
    mask       (time, out joint) which targets are valid
    root       (time, 3) the root in the camera frame, in `root_unit`; NaN if unknown
    camera     (time, 9) that projects targets + root * root_unit to inputs (`gonio.training.losses.project`); NaN if
               unknown
    seen       (time, joint) which keypoints are present
    root_unit  (time,) the unit of the root in the targets' unit; default: 1

    Raises `InputError` if the numbers of frames differ, or there is none.
    """

    inputs: Array32
    targets: Array32 | None = None
    mask: BoolArray | None = None
    root: Array32 | None = None
    camera: Array32 | None = None
    seen: BoolArray | None = None
    root_unit: Array32 | None = None

    def __post_init__(self) -> None:
        for name in ARRAYS[1:]:
            array = getattr(self, name)
            if array is not None and len(array) != len(self.inputs):
                raise InputError(f"a clip has {len(self.inputs)} frames of inputs and {len(array)} of {name}")
        if not len(self.inputs):
            raise InputError("a clip has no frame")

    def __len__(self) -> int:
        return len(self.inputs)

    def at(self, index: slice) -> Clip:
        """Some of its frames."""

        def part(array: Any) -> Any:
            return None if array is None else array[index]

        return Clip(*(part(getattr(self, name)) for name in ARRAYS))

    def unlabelled(self) -> Clip:
        """The clip without targets, mask and root."""
        return replace(self, targets=None, mask=None, root=None)

    def flipped(self, joints_in: Skeleton, joints_out: Skeleton) -> Clip:
        """The mirror image: x negated, left and right exchanged."""
        order_in, order_out = list(joints_in.mirrored_order), list(joints_out.mirrored_order)

        def negated(array: Array32, order: list[int] | None = None, numbers: tuple[int, ...] = (0,)) -> Array32:
            image = array.copy() if order is None else array[:, order]
            image[..., list(numbers)] *= -1
            return image

        return replace(
            self,
            inputs=negated(self.inputs, order_in),
            targets=None if self.targets is None else negated(self.targets, order_out),
            mask=None if self.mask is None else self.mask[:, order_out],
            root=None if self.root is None else negated(self.root),
            camera=None
            if self.camera is None
            else negated(self.camera, None, (2, 7)),  # the principal point's x, and p1, which shifts along x
            seen=None if self.seen is None else self.seen[:, order_in],
        )


Clips = Callable[[int], Sequence[Clip]]
"""Clips by number: the same clips for the same number."""


@dataclass(frozen=True, eq=False)
class Batch:
    """Windows of several clips. inputs (batch, n + R - 1, joint, feature), all others over the n frames in the middle.

    weight (batch, n) is false for filled frames.
    """

    inputs: Array32
    weight: BoolArray
    targets: Array32 | None
    mask: BoolArray | None
    root: Array32 | None
    camera: Array32 | None
    keypoints: Array32
    seen: BoolArray | None
    root_unit: Array32 | None


class Windows:
    """All windows of a list of clips, in batches in random order.

    frames  of a window that are predicted; the input has `architecture.receptive_field` - 1 more

    Raises `InputError` if there is no clip, or if some clips have arrays that others lack.
    """

    def __init__(self, clips: Sequence[Clip], architecture: Architecture, frames: int) -> None:
        if not clips:
            raise InputError("no clip to train on")
        self._frames = frames
        self._span = frames + architecture.receptive_field - 1
        past, future = architecture.past_frames, architecture.future_frames
        self._past = past
        source: list[NDArray[np.intp]] = []
        starts: list[NDArray[np.intp]] = []
        weights: list[BoolArray] = []
        begin = padded_begin = 0
        for clip in clips:
            n = len(clip)
            windows = -(-n // frames)
            filled = windows * frames
            index = np.arange(-past, filled + future)
            source.append(begin + index.clip(0, n - 1))
            starts.append(padded_begin + frames * np.arange(windows))
            weights.append((np.arange(filled) < n).reshape(windows, frames))
            begin += n
            padded_begin += len(index)
        self._source = np.concatenate(source)
        self._starts = np.concatenate(starts)
        self._weights = np.concatenate(weights)
        self._arrays = {name: _joined(clips, name) for name in ARRAYS}

    def __len__(self) -> int:
        return len(self._starts)

    def steps(self, size: int) -> int:
        """Number of batches that `batches` gives."""
        return max(1, len(self) // size)

    def batches(self, size: int, rng: Generator) -> Iterator[Batch]:
        """Every window once, in random order, `size` at a time; the rest at the end is left out.

        If there are fewer than `size`, one batch in which they are repeated.
        """
        order = rng.permutation(len(self))
        if len(order) < size:
            order = np.resize(order, size)
        for first in range(0, len(order) - size + 1, size):
            yield self.batch(order[first : first + size])

    def batch(self, windows: NDArray[np.intp]) -> Batch:
        """The windows of these numbers."""
        rows = self._starts[windows, None] + np.arange(self._span)
        middle = self._source[rows[:, self._past : self._past + self._frames]]

        def at(name: str) -> Any:
            array = self._arrays[name]
            return None if array is None else array[middle]

        inputs = self._arrays["inputs"]
        assert inputs is not None
        return Batch(
            inputs=inputs[self._source[rows]],
            weight=self._weights[windows],
            targets=at("targets"),
            mask=at("mask"),
            root=at("root"),
            camera=at("camera"),
            keypoints=inputs[middle][..., :2],
            seen=at("seen"),
            root_unit=at("root_unit"),
        )


def _joined(clips: Sequence[Clip], name: str) -> NDArray[np.generic] | None:
    arrays = [getattr(clip, name) for clip in clips]
    if all(array is None for array in arrays):
        return None
    if any(array is None for array in arrays):
        raise InputError(f"some clips have {name} and others have none")
    if len({array.shape[1:] for array in arrays}) > 1:
        raise InputError(f"clips differ in shape: {name} {sorted({array.shape[1:] for array in arrays})}")
    return np.concatenate(arrays)
