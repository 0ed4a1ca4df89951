"""The protocol of all detectors: images of one view in, `Detections` out; and what all detectors share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from gonio.core.arrays import FloatArray, VideoFrame
from gonio.core.detections import Box, Detections
from gonio.core.errors import ConfigError, InputError
from gonio.core.sequence import Source
from gonio.core.skeleton import Skeleton

Choice = Literal["largest", "center"]


@dataclass(frozen=True)
class Selection:
    """Which people of a view a detector returns. Raises `ConfigError` if a value is impossible.

    people     the most people that are followed at once
    choose     who comes first if there are more: the largest, or the person nearest to the centre of the image
    region_px  only people whose mid-hip lies inside; None: anywhere

    A detector that finds everybody returns all people, whatever is selected: gonio selects among them.
    """

    people: int = 1
    choose: Choice = "largest"
    region_px: Box | None = None

    def __post_init__(self) -> None:
        if self.people < 1:
            raise ConfigError(f"people = {self.people}: a detector follows at least one person")
        if self.choose not in ("largest", "center"):
            raise ConfigError(f"choose = {self.choose!r}: people are chosen by 'largest' or 'center'")
        region = self.region_px
        if region is not None and not (region[0] < region[2] and region[1] < region[3]):
            raise ConfigError(f"region_px = {region}: must be x1, y1, x2, y2 with x1 < x2 and y1 < y2")


@dataclass(frozen=True)
class NoOptions:
    """The options of a detector that has none of its own."""


class Detector(Protocol):
    """Finds people and their joints in images. Holds no state: several threads may use it, one for each camera."""

    @property
    def name(self) -> str:
        """Its name in `registry.DETECTORS`."""
        ...

    @property
    def finds_everybody(self) -> bool:
        """True: it returns all people of each image in any order. False: it follows up to `Selection.people` people."""
        ...

    @property
    def has_3d_estimate(self) -> bool:
        """Whether its detections have `world_m`, an estimate of the joints in metres."""
        ...

    @property
    def skeleton(self) -> Skeleton:
        """The joints it finds."""
        ...

    @property
    def source(self) -> Source:
        """Method, model and version, for the provenance of results."""
        ...

    @property
    def weights(self) -> tuple[str, ...]:
        """The names of the assets that it needs. If they are fetched before, a progress bar is shown."""
        ...

    def detect(
        self,
        frames: Iterable[VideoFrame],
        *,
        camera: str,
        image_size_px: tuple[int, int],
        on_frame: Callable[[], None] | None = None,
    ) -> Detections:
        """The people of every frame. `image_size_px` is (width, height); `on_frame` is called after each frame.

        Raises `InputError` if a frame has another size, and `AssetError` if the weights cannot be fetched.
        """
        ...


def of_one_size(frames: Iterable[VideoFrame], camera: str, image_size_px: tuple[int, int]) -> Iterator[VideoFrame]:
    """The same frames. Raises `InputError` at a frame whose size is not (width, height)."""
    for frame in frames:
        height, width = frame.image.shape[:2]
        if (width, height) != tuple(image_size_px):
            raise InputError(
                f"{camera}: frame {frame.index} is {width}x{height} px, the video {image_size_px[0]}x"
                f"{image_size_px[1]}; cut the video at the change of size"
            )
        yield frame


@dataclass(frozen=True, eq=False)
class FramePeople:
    """The people of one frame. An absent person has NaN as positions and 0 as confidence and score.

    positions   (person, joint, 2) px
    confidence  (person, joint) 0..1
    scores      (person,) 0..1
    boxes_px    (person, 4) x1, y1, x2, y2
    world_m     (person, joint, 3), or None
    """

    positions: FloatArray
    confidence: FloatArray
    scores: FloatArray
    boxes_px: FloatArray
    world_m: FloatArray | None = None


def assemble(
    frames: Sequence[FramePeople],
    times_s: Sequence[float],
    *,
    skeleton: Skeleton,
    image_size_px: tuple[int, int],
    camera: str,
    source: Source,
    history: Sequence[str],
) -> Detections:
    """Detections from the people of each frame. Frames with fewer people than others have absent ones at the end."""
    shape = (len(frames), max((len(people.scores) for people in frames), default=0))
    joints = len(skeleton)
    with_world = any(people.world_m is not None for people in frames)
    positions, confidence = np.full((*shape, joints, 2), np.nan), np.zeros((*shape, joints))
    scores, boxes_px = np.zeros(shape), np.full((*shape, 4), np.nan)
    world_m = np.full((*shape, joints, 3), np.nan) if with_world else None
    for frame, people in enumerate(frames):
        n_people = len(people.scores)
        positions[frame, :n_people] = people.positions
        confidence[frame, :n_people] = people.confidence
        scores[frame, :n_people] = people.scores
        boxes_px[frame, :n_people] = people.boxes_px
        if world_m is not None and people.world_m is not None:
            world_m[frame, :n_people] = people.world_m
    return Detections(
        positions=positions,
        confidence=confidence,
        times_s=np.array(times_s, dtype=float),
        skeleton=skeleton,
        image_size_px=image_size_px,
        frame_name=camera,
        boxes_px=boxes_px,
        scores=scores,
        world_m=world_m,
        source=source,
        history=tuple(history),
    )
