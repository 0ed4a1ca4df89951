"""What every detector of people is to the rest of gonio: pictures of one view in, `Detections` out."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from threadpoolctl import threadpool_limits

from gonio.core.arrays import BoolArray, FloatArray
from gonio.core.images import VideoFrame
from gonio.core.sequence import Detections, Source
from gonio.core.skeleton import Skeleton
from gonio.errors import ConfigError, InputError

Choice = Literal["largest", "center"]

DETECTORS: tuple[str, ...] = ("blazepose-heavy", "blazepose-full", "blazepose-lite", "openpose", "keypoint-rcnn")
"""Names that `create` knows; "blazepose" alone is the first."""
SEE_EVERYBODY = ("openpose", "keypoint-rcnn")
"""Those that find all people of each picture by itself and follow nobody."""


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
        """The people of every frame. `image_size_px` is (width, height); `on_frame` is called once a frame.

        Raises `InputError` where a frame has another size, and `AssetError` where the weights cannot be had.
        """
        ...


@contextlib.contextmanager
def one_thread_each() -> Iterator[None]:
    """Meanwhile matrix products and OpenCV's functions compute with the thread that calls them.

    Pictures and cameras are looked at side by side, and so keep all cores busy. What a second thread gained is less
    than it takes from the networks by waiting. The setting is the process's: use this around all detectors at once.
    """
    import cv2  # noqa: PLC0415 - slow to load

    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        cv2.setNumThreads(before)


Region = tuple[float, float, float, float]
"""x1, y1, x2, y2, px."""


def of_one_size(frames: Iterable[VideoFrame], camera: str, image_size_px: tuple[int, int]) -> Iterator[VideoFrame]:
    """The same frames. Raises `InputError` at one of another size than (width, height)."""
    for frame in frames:
        height, width = frame.image.shape[:2]
        if (width, height) != tuple(image_size_px):
            raise InputError(
                f"{camera}: frame {frame.index} is {width}x{height} px, the video {image_size_px[0]}x"
                f"{image_size_px[1]}; cut the video where its size changes"
            )
        yield frame


def mid_hip_inside(joints_px: FloatArray, skeleton: Skeleton, region_px: Region | None) -> BoolArray:
    """(person,) whether the middle of the hips of (person, joint, 2) lies in the region; not where a hip is missing.

    Everybody where there is no region.
    """
    if region_px is None:
        return np.ones(len(joints_px), dtype=bool)
    hips = [skeleton.index(joint) for joint in ("left_hip", "right_hip")]
    middle = joints_px[:, hips].mean(axis=1)
    return np.asarray(((middle >= region_px[:2]) & (middle <= region_px[2:])).all(axis=1))


def create(
    name: str,
    *,
    people: int = 1,
    choose: Choice = "largest",
    region_px: tuple[float, float, float, float] | None = None,
    weights: Path | None = None,
    min_score: float | None = None,
    layout: str | None = None,
    net_resolution: str | None = None,
    scale_number: int = 1,
    scale_gap: float | None = None,
    flip: bool = False,
    pixels: Literal["0..255", "-0.5..0.5"] | None = None,
) -> Detector:
    """A detector by name.

    people     the most people followed at once; OpenPose and Keypoint R-CNN find everybody and follow nobody
    choose     who is taken first where there are more: the largest, or the one nearest to the centre of the picture
    region_px  x1, y1, x2, y2: only people whose mid-hip lies inside

    Keypoint R-CNN alone has:
    weights    a torchvision state dict; torchvision's own where not given
    min_score  people whose box scores less are left out; `keypoint_rcnn.MIN_SCORE` where not given

    OpenPose alone has:
    weights         a network of its family as an .onnx file; the user's imported one where not given
    layout          the network's joints, body-25 (where not given) or coco-18
    net_resolution  size of the network's input, "-1x368" where not given (`openpose.net_input`)
    scale_number    sizes at which a picture is looked at, each smaller by scale_gap (0.25) of the first
    flip            the mirrored picture is looked at too
    pixels          the values that the network takes, where its file does not tell

    Raises `ConfigError` for an unknown name or an impossible option, `MissingExtraError` where Keypoint R-CNN's
    packages are not installed. Weights are fetched when `detect` is called.
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
    if min_score is not None and known != "keypoint-rcnn":
        raise ConfigError(f"min_score belongs to the detector keypoint-rcnn; {known} does not have it")
    if known == "openpose":
        return _openpose(weights, layout, net_resolution, scale_number, scale_gap, flip, pixels, region_px)
    given = {
        "weights": weights is not None and known != "keypoint-rcnn",
        "layout": layout is not None,
        "net_resolution": net_resolution is not None,
        "scale_number": scale_number != 1,
        "scale_gap": scale_gap is not None,
        "flip": flip,
        "pixels": pixels is not None,
    }
    strange = [option for option, there in given.items() if there]
    if strange:
        raise ConfigError(f"{strange[0]} belongs to the detector openpose; {known} does not have it")
    if known == "keypoint-rcnn":
        return _keypoint_rcnn(weights, min_score, region_px)
    from gonio.detection.blazepose import BlazePose  # noqa: PLC0415

    return BlazePose(known, people=people, choose=choose, region_px=region_px)


def _openpose(
    weights: Path | None,
    layout: str | None,
    net_resolution: str | None,
    scale_number: int,
    scale_gap: float | None,
    flip: bool,
    pixels: Literal["0..255", "-0.5..0.5"] | None,
    region_px: tuple[float, float, float, float] | None,
) -> Detector:
    from gonio.detection.openpose import net_input  # noqa: PLC0415
    from gonio.detection.openpose.detector import OpenPose  # noqa: PLC0415
    from gonio.detection.openpose.layouts import PART_LAYOUTS  # noqa: PLC0415

    name = "body-25" if layout is None else layout.lower().replace("_", "-")
    if name not in PART_LAYOUTS:
        raise ConfigError(f"layout = {layout!r}: OpenPose's networks have {' or '.join(PART_LAYOUTS)}")
    if scale_gap is not None and scale_number == 1:
        raise ConfigError(f"scale_gap = {scale_gap:g} goes with a scale_number of 2 or more")
    return OpenPose(
        PART_LAYOUTS[name],
        weights,
        net_input.DEFAULT_SIZE if net_resolution is None else net_input.net_size(net_resolution),
        net_input.shares(scale_number, 0.25 if scale_gap is None else scale_gap),
        flip,
        pixels,
        region_px,
    )


def _keypoint_rcnn(
    weights: Path | None, min_score: float | None, region_px: tuple[float, float, float, float] | None
) -> Detector:
    from gonio.detection.keypoint_rcnn import MIN_SCORE, KeypointRCNN, check_installed  # noqa: PLC0415

    if min_score is not None and not 0 <= min_score <= 1:
        raise ConfigError(f"min_score = {min_score:g} must lie in 0..1")
    check_installed()
    return KeypointRCNN(weights, MIN_SCORE if min_score is None else min_score, region_px)
