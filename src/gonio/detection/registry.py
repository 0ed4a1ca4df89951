"""Detectors by name."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import Literal

from gonio.core.errors import ConfigError
from gonio.detection.detector import Choice, Detector

DETECTORS: tuple[str, ...] = ("blazepose-heavy", "blazepose-full", "blazepose-lite", "openpose", "keypoint-rcnn")
"""Names that `create` knows; "blazepose" alone is the first."""
SEE_EVERYBODY = ("openpose", "keypoint-rcnn")
"""Those that find all people of each picture by itself and follow nobody."""


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
    from gonio.detection.blazepose.detector import BlazePose  # noqa: PLC0415

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
    from gonio.detection.keypoint_rcnn import (  # noqa: PLC0415
        MIN_SCORE,
        KeypointRCNN,
        check_installed,
    )

    if min_score is not None and not 0 <= min_score <= 1:
        raise ConfigError(f"min_score = {min_score:g} must lie in 0..1")
    check_installed()
    return KeypointRCNN(weights, MIN_SCORE if min_score is None else min_score, region_px)
