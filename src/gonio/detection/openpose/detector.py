"""The detector: all people of every frame, by a network of OpenPose's family and part association."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from gonio.core.arrays import FloatArray, VideoFrame
from gonio.core.detections import Detections
from gonio.core.errors import InputError
from gonio.core.files import sha256_of
from gonio.core.sequence import Source
from gonio.core.skeleton import Skeleton
from gonio.core.threads import batched, map_in_order
from gonio.detection import weights as assets
from gonio.detection.detector import FramePeople, assemble, of_one_size
from gonio.detection.openpose.association import associate
from gonio.detection.openpose.layouts import PartLayout
from gonio.detection.openpose.net_input import Maps, averaged, mirrored, placed
from gonio.detection.openpose.options import DEFAULT_SIZE, NetSize, Pixels
from gonio.detection.openpose.runtime import IMAGES_AT_ONCE, Network, load_network

TOGETHER, TOGETHER_S = 8, 0.4
"""Most frames that a thread takes at a time, and most seconds for more than one frame. A thread decodes all of them,
then runs the network on all, then associates all. The network displaces the other steps from the processor's cache, so
that they are faster for several frames in a row. With a slow network the gain is negligible and the user would wait."""
HIGHEST_SCORE = 2.0
"""About the score of a person whose parts and limbs are all certain; `Detections.scores` are divided by it."""


@dataclass(frozen=True)
class OpenPose:
    """The detector.

    file    the network; None: the user's own weights of the layout, imported into the cache
    size    of the network's input
    shares  scales at which the network processes an image, the first is 1
    flip    average with the answer to the mirrored image
    load    loads a network; for tests
    """

    layout: PartLayout
    file: Path | None = None
    size: NetSize = DEFAULT_SIZE
    shares: tuple[float, ...] = (1.0,)
    flip: bool = False
    pixels: Pixels | None = None
    load: Callable[[Path, PartLayout, Pixels | None], Network] = field(default=load_network, repr=False, compare=False)

    name = "openpose"
    finds_everybody = True
    has_3d_estimate = False

    @property
    def skeleton(self) -> Skeleton:
        """The joints of the layout."""
        return self.layout.skeleton

    @property
    def weights(self) -> tuple[str, ...]:
        """The imported network; none if the user names a file."""
        return (f"openpose-{self.skeleton.name}",) if self.file is None else ()

    @property
    def source(self) -> Source:
        """The layout, and the checksum of the weights: of the file that was imported, or of the network itself."""
        if self.file is not None:
            known = {self.file.name: sha256_of(self.file) or "unknown"}
        else:
            known = assets.checksums(self.weights[0])
        version = ", ".join(f"{file} sha256 {sha256}" for file, sha256 in known.items()) or "no weights imported"
        return Source(method="openpose", model=self.skeleton.name, version=version)

    def detect(
        self,
        frames: Iterable[VideoFrame],
        *,
        camera: str,
        image_size_px: tuple[int, int],
        on_frame: Callable[[], None] | None = None,
    ) -> Detections:
        """All people of every frame, the highest sum of scores first; people are not followed from frame to frame.

        A person's score is OpenPose's (the sum over parts and limbs, divided by the number of parts), divided by 2, at
        most 1; the box is that of the joints. Raises `InputError` if a frame has another size or the network cannot be
        run, `AssetError` if the weights are not in the cache and `MissingExtraError` if onnxruntime is not installed.
        """
        network = self.load(self.file or assets.imported(self.weights[0]), self.layout, self.pixels)
        sizes = self._sizes(image_size_px, network)
        times_s: list[float] = []
        found: list[tuple[FloatArray, FloatArray]] = []
        pace = _Pace()

        def people_of(batch: Sequence[_Inputs]) -> list[tuple[float, FloatArray, FloatArray]]:
            began_s = time.perf_counter()
            answers = [[(self._maps(entry, network), scale) for entry, scale in inputs.entries] for inputs in batch]
            people = [self._people(answer, network) for answer in answers]
            pace.took(len(batch), time.perf_counter() - began_s)
            return [(inputs.time_s, *each) for inputs, each in zip(batch, people, strict=True)]

        inputs = (_inputs(frame, sizes) for frame in of_one_size(frames, camera, image_size_px))
        batches = map_in_order(people_of, batched(inputs, lambda: pace.frames), IMAGES_AT_ONCE)
        with contextlib.closing(batches):
            for time_s, people, scores in chain.from_iterable(batches):
                found.append((people, scores))
                times_s.append(time_s)
                if on_frame is not None:
                    on_frame()
        history = [self._summary(found, sizes)]
        confidence = np.concatenate([people[..., 2].ravel() for people, _ in found]) if found else np.zeros(0)
        above = confidence > 1
        if above.any():
            history.append(f"{int(above.sum())} confidences above 1 (up to {confidence.max():.4g}) clipped to 1")
        return assemble(
            [_frame_people(people, scores) for people, scores in found],
            times_s,
            skeleton=self.skeleton,
            image_size_px=image_size_px,
            camera=camera,
            source=self.source,
            history=history,
        )

    def _sizes(self, image_size_px: tuple[int, int], network: Network) -> tuple[NetSize, ...]:
        """The input's size at every scale. Raises `InputError` if the network takes another size only."""
        size = self.size.for_image(image_size_px)
        sizes = tuple(size if share == 1 else size.scaled(share) for share in self.shares)
        for each in sizes:
            if network.size_px is not None and (each.width_px, each.height_px) != network.size_px:
                raise InputError(
                    f"{self.file}: takes images of {network.size_px[0]}x{network.size_px[1]} px only, not {each}; "
                    f"give --net-resolution {network.size_px[0]}x{network.size_px[1]} and one scale"
                )
        return sizes

    def _people(self, answers: Sequence[tuple[Maps, float]], network: Network) -> tuple[FloatArray, FloatArray]:
        """The people of one image, from its maps at every scale: (person, joint, 3) x, y px and confidence; (person,)
        scores."""
        maps = averaged(answers, network.stride)
        split = self.layout.n_heatmaps
        people = associate(maps[:split], maps[split:], self.layout, stride=network.stride)
        keypoints = people.keypoints.copy()
        keypoints[..., :2] /= answers[0][1]
        return keypoints, np.minimum(people.scores / HIGHEST_SCORE, 1.0)

    def _maps(self, entry: NDArray[np.uint8], network: Network) -> Maps:
        """The network's answer to one input."""
        maps = network.run(entry)
        if self.flip:
            maps = (maps + mirrored(network.run(np.ascontiguousarray(entry[:, ::-1])), self.layout)) / np.float32(2)
        return maps

    def _summary(self, found: Sequence[tuple[FloatArray, FloatArray]], sizes: Sequence[NetSize]) -> str:
        """The counts, for the history."""
        counts = [len(people) for people, _ in found]
        inputs = ", ".join(map(str, sizes)) + (", and mirrored" if self.flip else "")
        empty = counts.count(0)
        return (
            f"openpose {self.skeleton.name}: {sum(counts)} people in {len(counts)} frames, at most "
            f"{max(counts, default=0)} at once; {empty} frames without people; network input {inputs}"
        )


@dataclass
class _Pace:
    """How many frames a thread takes at a time: first 1, then twice as many each time, until they take long."""

    frames: int = 1

    def took(self, frames: int, seconds: float) -> None:
        """Report how long a number of frames took."""
        self.frames = max(1, min(2 * frames, TOGETHER, int(TOGETHER_S * frames / seconds)))


@dataclass(frozen=True, eq=False)
class _Inputs:
    """One frame as the network takes it: at every scale an image (blue, green, red) and the scale."""

    time_s: float
    entries: tuple[tuple[NDArray[np.uint8], float], ...]


def _inputs(frame: VideoFrame, sizes: Sequence[NetSize]) -> _Inputs:
    scaled = [placed(frame.image, size) for size in sizes]
    return _Inputs(
        frame.time_s,
        tuple((np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2BGR), dtype=np.uint8), scale) for small, scale in scaled),
    )


def _frame_people(keypoints: FloatArray, scores: FloatArray) -> FramePeople:
    """People (person, joint, 3) x, y and confidence; the box of each is that of the joints."""
    positions = keypoints[..., :2]
    return FramePeople(
        positions,
        np.clip(keypoints[..., 2], 0.0, 1.0),
        scores,
        np.concatenate([np.nanmin(positions, axis=1), np.nanmax(positions, axis=1)], axis=1),
    )
