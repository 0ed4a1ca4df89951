"""The detector: from the maps that a network gives to people in the image's own pixels."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from painted_people import draw, standing
from sentences import numbers_in

from gonio.core.arrays import VideoFrame
from gonio.core.errors import AssetError, InputError
from gonio.core.skeleton import BODY_25
from gonio.detection.openpose.detector import TOGETHER, OpenPose, _Pace
from gonio.detection.openpose.layouts import BODY_25_PARTS, COCO_18_PARTS, PartLayout
from gonio.detection.openpose.options import OpenPoseOptions, net_size
from gonio.detection.openpose.runtime import Network
from gonio.detection.registry import create

SIZE = (320, 240)  # width, height


@dataclass
class Painter:
    """In place of a network: knows where people are in each frame, and how the image was placed in its input.

    A frame's red value is ten times its index, and its left half is less green than its right one.
    """

    people: Sequence[Sequence[np.ndarray]]
    layout: PartLayout = BODY_25_PARTS
    size_px: tuple[int, int] | None = None
    asked: list[tuple[int, int, bool]] = field(default_factory=list)

    def load(self, path: Path, layout: PartLayout, pixels: str | None) -> Network:
        assert layout is self.layout
        return Network(8, self.size_px, self.run)

    def run(self, picture: np.ndarray) -> np.ndarray:
        height, width = picture.shape[:2]
        scale = min((width - 1) / (SIZE[0] - 1), (height - 1) / (SIZE[1] - 1))
        green = picture[height // 4, :, 1].astype(int)
        mirrored = bool(green[width // 4] > green[-width // 4])
        self.asked.append((width, height, mirrored))
        people = [joints * scale for joints in self.people[round(picture[20, width // 4, 2] / 10) - 1]]
        if mirrored:
            order = list(self.layout.skeleton.mirrored_order)
            people = [np.column_stack([width - 1 - joints[order, 0], joints[order, 1]]) for joints in people]
        return draw(people, self.layout, (width, height))


def frames(number: int, size: tuple[int, int] = SIZE) -> Iterator[VideoFrame]:
    for index in range(number):
        image = np.zeros((size[1], size[0], 3), np.uint8)
        image[..., 0] = 10 * (index + 1)
        image[:, : size[0] // 2, 1], image[:, size[0] // 2 :, 1] = 50, 200
        yield VideoFrame(index, index / 30, image)


ALICE, BOB = standing(90.0, 110.0, 190.0), standing(240.0, 125.0, 150.0)


@pytest.mark.parametrize(
    ("resolution", "scales", "flip"),
    [("-1x240", (1.0,), False), ("-1x480", (1.0,), False), ("480x480", (1.0,), True), ("-1x480", (1.0, 0.75), True)],
)
def test_people_are_returned_in_pixels_of_the_image(resolution: str, scales: tuple[float, ...], flip: bool) -> None:
    painter = Painter([[ALICE, BOB], [], [BOB]])
    made = OpenPose(BODY_25_PARTS, Path("x"), net_size(resolution), scales, flip, load=painter.load)
    found = made.detect(frames(3), camera="cam", image_size_px=SIZE)
    assert found.people_per_frame.tolist() == [2, 0, 1]
    assert found.skeleton is BODY_25
    assert (found.frame_name, found.image_size_px, found.source.method) == ("cam", SIZE, "openpose")
    np.testing.assert_allclose(found.times_s, [0, 1 / 30, 2 / 30])
    left_first = np.argsort(found.positions[0, :, 8, 0])
    for person, wanted in zip(left_first, (ALICE, BOB), strict=True):
        assert np.abs(found.positions[0, person] - wanted).max() < 1.0
        assert np.abs(found.positions[0, person] - wanted).mean() < 0.4
    np.testing.assert_allclose(found.positions[2, 0], BOB, atol=1.0)
    assert found.boxes_px is not None
    assert found.scores is not None
    np.testing.assert_allclose(found.boxes_px[2, 0], [*BOB.min(axis=0), *BOB.max(axis=0)], atol=1.0)
    assert np.isnan(found.boxes_px[1]).all()
    assert (found.scores[1] == 0).all()
    assert ((found.scores[0] > 0.5) & (found.scores[0] <= 1)).all()
    assert (found.confidence[0] > 0.7).all()
    assert len(painter.asked) == 3 * len(scales) * (1 + flip)
    step = found.history[0]
    assert numbers_in(step)[:4] == [3, 3, 2, 1]  # people, frames, most people at once, frames without a person
    assert ("mirrored" in step) == flip


@pytest.mark.parametrize("number", [TOGETHER - 1, TOGETHER, 2 * TOGETHER + 3])
def test_every_frame_has_its_own_people_however_many_are_worked_on_in_a_row(number: int) -> None:
    steps = np.arange(number) * 6.0
    painter = Painter([[ALICE + (step, 0.0)] for step in steps])
    told: list[None] = []
    made = OpenPose(BODY_25_PARTS, Path("x"), net_size("-1x240"), load=painter.load)
    found = made.detect(frames(number), camera="cam", image_size_px=SIZE, on_frame=lambda: told.append(None))
    assert len(told) == number
    np.testing.assert_allclose(found.times_s, np.arange(number) / 30)
    neck = BODY_25.index("neck")
    np.testing.assert_allclose(found.positions[:, 0, neck, 0], ALICE[neck, 0] + steps, atol=1.0)


@pytest.mark.parametrize(
    ("frames_taken", "seconds", "next_time"),
    [(1, 0.04, 2), (2, 0.08, 4), (4, 0.16, 8), (8, 0.32, 8), (8, 0.8, 4), (1, 1.2, 1), (8, 9.0, 1)],
)
def test_as_many_frames_are_taken_as_do_not_take_long(frames_taken: int, seconds: float, next_time: int) -> None:
    pace = _Pace()
    assert pace.frames == 1
    pace.took(frames_taken, seconds)
    assert pace.frames == next_time


def test_a_slow_network_runs_in_two_threads_and_stops_soon() -> None:
    meeting, met = threading.Barrier(2, timeout=10), threading.Event()  # an error unless two threads come
    painter = Painter([[ALICE]] * 8)

    def load(*about: object) -> Network:
        def run(picture: np.ndarray) -> np.ndarray:
            if not met.is_set():
                meeting.wait()
                met.set()
            time.sleep(0.5)
            return painter.run(picture)

        return Network(8, None, run)

    def stop() -> None:
        raise KeyboardInterrupt

    made = OpenPose(BODY_25_PARTS, Path("x"), net_size("-1x240"), load=load)
    with pytest.raises(KeyboardInterrupt):
        made.detect(frames(8), camera="cam", image_size_px=SIZE, on_frame=stop)
    assert 2 <= len(painter.asked) <= 4


def test_a_mirror_does_not_exchange_left_and_right() -> None:
    painter = Painter([[ALICE]])
    made = OpenPose(BODY_25_PARTS, Path("x"), net_size("-1x480"), flip=True, load=painter.load)
    found = made.detect(frames(1), camera="cam", image_size_px=SIZE)
    assert [mirrored for _, _, mirrored in painter.asked] == [False, True]
    wrist = found.positions[0, 0, BODY_25.index("left_wrist")]
    np.testing.assert_allclose(wrist, ALICE[BODY_25.index("left_wrist")], atol=0.6)


def test_coco_18() -> None:
    people = [np.array([joints[BODY_25.index(name)] for name in COCO_18_PARTS.skeleton.joints]) for joints in (BOB,)]
    made = OpenPose(COCO_18_PARTS, Path("x"), net_size("-1x480"), load=Painter([people], COCO_18_PARTS).load)
    found = made.detect(frames(1), camera="cam", image_size_px=SIZE)
    np.testing.assert_allclose(found.positions[0, 0], people[0], atol=1.0)


def test_no_frames_and_no_people() -> None:
    made = OpenPose(BODY_25_PARTS, Path("x"), load=Painter([[]]).load)
    found = made.detect(frames(0), camera="cam", image_size_px=SIZE)
    assert found.positions.shape == (0, 0, 25, 2)
    found = made.detect(frames(1), camera="cam", image_size_px=SIZE)
    assert found.positions.shape == (1, 0, 25, 2)
    assert made.detect(frames(1, (1, 1)), camera="cam", image_size_px=(1, 1)).people_per_frame.tolist() == [0]


def test_frames_that_change_size_and_networks_of_one_size_are_refused() -> None:
    made = OpenPose(BODY_25_PARTS, Path("x"), load=Painter([[]]).load)
    with pytest.raises(InputError, match=r"frame 0 .*10x10 px.*320x240"):
        made.detect(frames(1, (10, 10)), camera="cam", image_size_px=SIZE)
    fixed = OpenPose(BODY_25_PARTS, Path("net.onnx"), load=Painter([[]], size_px=(656, 368)).load)
    with pytest.raises(InputError, match=r"net\.onnx.*656x368.*496x368.*--net-resolution"):
        fixed.detect(frames(1), camera="cam", image_size_px=SIZE)
    wide = OpenPose(BODY_25_PARTS, Path("net.onnx"), net_size("656x368"), load=Painter([[]], size_px=(656, 368)).load)
    assert len(wide.detect(frames(1), camera="cam", image_size_px=SIZE)) == 1


def test_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GONIO_CACHE", str(tmp_path))
    plain = create("openpose")
    assert plain == OpenPose(BODY_25_PARTS)
    assert plain.weights == ("openpose-body-25",)
    assert plain.source.version == "no weights imported"
    with pytest.raises(AssetError, match="openpose-body-25"):
        plain.detect(frames(1), camera="cam", image_size_px=SIZE)
    file = tmp_path / "net.onnx"
    file.write_bytes(b"network")
    options = OpenPoseOptions(file, "COCO_18", "-1x256", scale_number=3, flip=True, pixels="0..255")
    full = create("openpose", options)
    assert full == OpenPose(COCO_18_PARTS, file, net_size("-1x256"), (1.0, 0.75, 0.5), True, "0..255")
    assert full.weights == ()
    assert full.source.version.startswith("net.onnx sha256 ")
