"""What every detector of people is to the rest of gonio: pictures of one view in, `Detections` out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import Literal, Protocol

from gonio.core.images import VideoFrame
from gonio.core.sequence import Detections, Source
from gonio.core.skeleton import Skeleton
from gonio.errors import ConfigError

Choice = Literal["largest", "center"]

DETECTORS: tuple[str, ...] = ("blazepose-heavy", "blazepose-full", "blazepose-lite")
"""Names that `create` knows; "blazepose" alone is the first."""


class Detector(Protocol):
    """Finds people and their joints in pictures. Holds no state: cameras may be detected side by side in threads."""

    @property
    def name(self) -> str:
        """The name that `create` knows it by."""
        ...

    @property
    def skeleton(self) -> Skeleton:
        """The joints it finds."""
        ...

    @property
    def source(self) -> Source:
        """Method, model and version, for the record."""
        ...

    @property
    def weights(self) -> tuple[str, ...]:
        """The assets that it needs, by name; fetch them beforehand to see the progress."""
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

        Raises `InputError` where a frame has another size, and `AssetError` where the weights cannot be had.
        """
        ...


def create(
    name: str,
    *,
    people: int = 1,
    choose: Choice = "largest",
    region_px: tuple[float, float, float, float] | None = None,
) -> Detector:
    """A detector by name.

    people     the most people followed at once
    choose     who is taken first where there are more: the largest, or the one nearest to the centre of the picture
    region_px  x1, y1, x2, y2: only people whose mid-hip lies inside

    Raises `ConfigError` for an unknown name or an impossible option. Weights are fetched when `detect` is called.
    """
    known = DETECTORS[0] if name == "blazepose" else name
    if known not in DETECTORS:
        near = get_close_matches(name, DETECTORS, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(DETECTORS)}"
        raise ConfigError(f"no detector is called {name!r}; {hint}")
    if people < 1:
        raise ConfigError(f"people = {people}: a detector follows at least one person")
    if choose not in ("largest", "center"):
        raise ConfigError(f"choose = {choose!r}: people are chosen by 'largest' or 'center'")
    if region_px is not None and not (region_px[0] < region_px[2] and region_px[1] < region_px[3]):
        raise ConfigError(f"region_px = {region_px}: must be x1, y1, x2, y2 with x1 < x2 and y1 < y2")
    from gonio.detection.blazepose import BlazePose  # noqa: PLC0415

    return BlazePose(known, people=people, choose=choose, region_px=region_px)
