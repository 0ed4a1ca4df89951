"""BlazePose: its course with networks of our own, and the real ones on a real video."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import pytest
from scipy.special import expit
from sentences import numbers_in

from gonio.core.arrays import VideoFrame
from gonio.core.detections import Detections
from gonio.core.errors import AssetError, InputError
from gonio.core.skeleton import BLAZEPOSE_33
from gonio.detection.blazepose import detector as blazepose
from gonio.detection.blazepose.decoding import person_anchors
from gonio.detection.blazepose.detector import BlazePose
from gonio.detection.blazepose.networks import LandmarkOutput, Networks
from gonio.detection.blazepose.regions import Region, person_region
from gonio.trials.samples import fetch_asset

# An image whose colours say where each pixel is, for networks that know who is where in each frame.

WIDTH, HEIGHT = 240, 200
SIZE = (WIDTH, HEIGHT)
Where = Sequence[tuple[float, float, float]]  # x, y of the mid-hip, and the radius, px

JOINTS_IN_BODY = np.random.default_rng(5).uniform(-0.6, 0.6, (33, 2))  # in radii from the mid-hip


def picture(frame: int) -> np.ndarray:
    x, y = np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT))
    return np.stack([x, y, np.full_like(x, frame)], axis=-1).astype(np.uint8)


def video(n: int) -> list[VideoFrame]:
    return [VideoFrame(i, i / 50, picture(i)) for i in range(n)]


class World:
    """Two networks that know who is where in each frame, and read from a crop's colours which part of it they see."""

    def __init__(self, people: Callable[[int], Where], repeats: int = 1) -> None:
        self.people, self.repeats = people, repeats
        self.searches: list[int] = []

    def load(self, name: str) -> Networks:
        return Networks(self.find, self.locate)

    @staticmethod
    def _seen(colours: np.ndarray) -> tuple[int, Callable[[np.ndarray], np.ndarray]]:
        """The frame's number, and the map from px to the upright crop's 0..1."""
        inside = colours[..., :2].min(axis=-1) >= 1
        size = len(colours)
        edge = (np.arange(size) + 0.5) / size
        columns, rows = inside.any(axis=0), inside.any(axis=1)
        x = np.polyfit(np.median(colours[rows][:, columns, 0], axis=0), edge[columns], 1)
        y = np.polyfit(np.median(colours[rows][:, columns, 1], axis=1), edge[rows], 1)
        frame = round(float(np.median(colours[..., 2][inside])))
        return frame, lambda px: np.stack([np.polyval(x, px[..., 0]), np.polyval(y, px[..., 1])], axis=-1)

    def find(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        frame, to_unit = self._seen((image + 1) * 127.5)
        self.searches.append(frame)
        raw, logits = np.zeros((2254, 12)), np.full(2254, -10.0)
        for k, (x, y, radius) in enumerate(list(self.people(frame)) * self.repeats):
            anchor = 40 * k
            points = to_unit(np.array([[x, y], [x, y - radius]]))
            points = (points - person_anchors()[anchor]) * 224
            raw[anchor, 2:4] = 4.0  # boxes too small to overlap
            raw[anchor, 4:8] = points.ravel()
            logits[anchor] = 3.0
        return raw, logits

    def locate(self, image: np.ndarray) -> LandmarkOutput:
        frame, to_unit = self._seen(image * 255)
        landmarks = np.zeros((39, 5))
        presence = 0.0
        for x, y, radius in self.people(frame):
            body = np.array([x, y]) + radius * np.concatenate([JOINTS_IN_BODY, [[0, 0], [0, -1]], np.zeros((4, 2))])
            unit = to_unit(body)
            if np.abs(unit[33] - 0.5).max() < 0.2:
                landmarks[:, :2], landmarks[:, 3], presence = unit * 256, 1.0, 0.9
        return LandmarkOutput(landmarks, presence, np.full((64, 64, 39), -10.0), np.ones((39, 3)))


A, B = (70.0, 100.0, 25.0), (170.0, 110.0, 30.0)


def detect(scene: Callable[[int], Where], frames: int = 5, repeats: int = 1, **options) -> tuple[Detections, World]:
    world = World(scene, repeats)
    found = BlazePose("blazepose-lite", load=world.load, **options).detect(
        video(frames), camera="left", image_size_px=SIZE
    )
    return found, world


def counts(found: Detections) -> dict[str, float]:
    """What the history counts: most people at once, frames, people followed, frames without a person, ..."""
    (step,) = found.history
    names = ("at once", "frames", "followed", "empty", "searched", "lost")
    return dict(zip(names, numbers_in(step), strict=True))


def assert_is(found: np.ndarray, person: tuple[float, float, float]) -> None:
    np.testing.assert_allclose(found, np.array(person[:2]) + person[2] * JOINTS_IN_BODY, atol=1.0)


def test_a_person_is_searched_once_and_then_followed():
    found, world = detect(lambda frame: [(A[0] + 4 * frame, A[1], A[2])])
    assert found.positions.shape == (5, 1, 33, 2)
    for frame in range(5):
        assert_is(found.positions[frame, 0], (A[0] + 4 * frame, A[1], A[2]))
    assert world.searches == [0]
    np.testing.assert_allclose(found.confidence, expit(1.0))
    np.testing.assert_allclose(found.scores, 0.9)
    np.testing.assert_allclose(found.times_s, np.arange(5) / 50)
    np.testing.assert_allclose(found.boxes_px[..., :2], found.positions.min(axis=2))
    np.testing.assert_allclose(found.boxes_px[..., 2:], found.positions.max(axis=2))
    np.testing.assert_allclose(found.world_m, 1.0, atol=1e-2)
    assert (found.frame_name, found.image_size_px, found.skeleton) == ("left", SIZE, BLAZEPOSE_33)
    assert counts(found) == {"at once": 1, "frames": 5, "followed": 1, "empty": 0, "searched": 1, "lost": 0}


def test_a_lost_person_is_searched_again_in_the_same_frame():
    found, world = detect(lambda frame: [A] if frame < 3 else [B])
    assert_is(found.positions[2, 0], A)
    assert_is(found.positions[3, 0], B)
    assert world.searches == [0, 3]
    assert counts(found)["lost"] == 1


def test_frames_without_people_are_missing_and_counted():
    found, world = detect(lambda frame: [] if frame in (0, 2, 3) else [A])
    np.testing.assert_array_equal(found.people_per_frame, [0, 1, 0, 0, 1])
    assert np.isnan(found.positions[2]).all()
    assert np.isnan(found.boxes_px[2]).all()
    assert found.scores[2] == 0
    assert world.searches == [0, 1, 2, 3, 4]
    assert counts(found) == {"at once": 1, "frames": 5, "followed": 1, "empty": 3, "searched": 5, "lost": 1}


def test_a_video_without_people_has_no_person():
    found, _ = detect(lambda frame: [])
    assert found.positions.shape == (5, 0, 33, 2)
    assert found.scores.shape == (5, 0)
    assert numbers_in(found.history[0]) == [5]


def test_no_frame_at_all_is_an_empty_recording():
    found, _ = detect(lambda frame: [A], frames=0)
    assert len(found) == 0
    assert numbers_in(found.history[0]) == [0]


def test_two_people_keep_their_numbers_while_the_other_goes_and_comes():
    found, world = detect(lambda frame: [A, B] if frame != 2 else [A], people=2)
    np.testing.assert_array_equal(found.people_per_frame, [2, 2, 1, 2, 2])
    for frame in range(5):
        assert_is(found.positions[frame, 1], A)  # the larger one, B, came first
        if frame != 2:
            assert_is(found.positions[frame, 0], B)
    assert world.searches == [0, 0, 2, 2, 2, 3, 3]  # in two closer squares, and the whole where somebody is missing


def test_one_is_chosen_by_size_or_by_the_centre():
    assert_is(detect(lambda frame: [A, B])[0].positions[0, 0], B)
    near = (100.0, 100.0, 25.0)
    assert_is(detect(lambda frame: [near, (195.0, 110.0, 30.0)], choose="center")[0].positions[0, 0], near)


def test_only_people_whose_mid_hip_lies_in_the_region_are_taken():
    found, world = detect(lambda frame: [A, B], people=2, region_px=(20, 50, 120, 150))
    assert found.positions.shape[1] == 1
    assert_is(found.positions[0, 0], A)
    assert len(world.searches) == 20  # every frame, in two closer squares, the whole image and the region
    walking, _ = detect(lambda frame: [(A[0] + 15 * frame, A[1], A[2])], region_px=(20, 50, 120, 150))
    np.testing.assert_array_equal(walking.people_per_frame, [1, 1, 1, 1, 0])


def test_the_same_person_found_twice_is_one():
    found, _ = detect(lambda frame: [A], repeats=3, people=3)
    np.testing.assert_array_equal(found.people_per_frame, 1)


def test_two_tracks_of_one_person_become_one():
    def meeting(frame: int) -> Where:
        gap = max(60 - 15 * frame, 0)
        return [(80.0, 100.0, 25.0), (80.0 + gap, 100.0, 25.0)]

    found, _ = detect(meeting, people=2)
    assert found.people_per_frame[0] == 2
    assert found.people_per_frame[4] == 1


def test_metres_are_turned_by_the_angle_of_the_region():
    up_the_body = np.tile([0.0, -1.0, 0.5], (39, 1))
    landmarks = np.zeros((39, 5))
    landmarks[33, :2], landmarks[34, :2] = [128, 128], [128, 28]
    output = LandmarkOutput(landmarks, 1.0, np.full((64, 64, 39), -10.0), up_the_body)
    networks = Networks(lambda image: (np.zeros((2254, 12)), np.zeros(2254)), lambda image: output)
    lying = person_region(np.array([100.0, 100.0]), np.array([140.0, 100.0]))  # head to the right
    person = blazepose.find_landmarks(picture(0), lying, networks)
    np.testing.assert_allclose(person.world_m, np.tile([1.0, 0.0, 0.5], (33, 1)), atol=1e-12)
    np.testing.assert_allclose(person.next_region.angle_rad, np.pi / 2)
    np.testing.assert_allclose(person.mid_hip_px, [100, 100])


@pytest.mark.parametrize("presence", [0.49, np.nan])
def test_a_low_presence_is_no_person(presence):
    output = LandmarkOutput(np.ones((39, 5)), presence, np.zeros((64, 64, 39)), np.zeros((39, 3)))
    networks = Networks(lambda image: (np.zeros((2254, 12)), np.zeros(2254)), lambda image: output)
    assert blazepose.find_landmarks(picture(0), Region(np.array([100.0, 100.0]), 80.0), networks) is None


def test_a_frame_of_another_size_is_refused():
    frames = [*video(2), VideoFrame(2, 2 / 50, np.zeros((100, 240, 3), np.uint8))]
    world = World(lambda frame: [A])
    with pytest.raises(InputError, match=r"left.*frame 2 .*240x100 px.*240x200"):
        BlazePose("blazepose-lite", load=world.load).detect(frames, camera="left", image_size_px=SIZE)


def test_every_frame_is_announced():
    ticks = []
    world = World(lambda frame: [A])
    BlazePose("blazepose-lite", load=world.load).detect(
        video(3), camera="left", image_size_px=SIZE, on_frame=lambda: ticks.append(1)
    )
    assert len(ticks) == 3


# --- the real networks


@pytest.fixture(scope="module")
def demo_frames() -> list[VideoFrame]:
    """Three frames of the sample trial's frontal view; a bystander stands behind the participant."""
    from gonio.io import video as videos

    try:
        for asset in ("demo-balancing", "blazepose-detector", "blazepose-full"):
            fetch_asset(asset, progress=False)
    except AssetError as error:
        pytest.skip(f"weights or sample trial not to be had here: {error}")
    return list(videos.frames(fetch_asset("demo-balancing") / "cam02.mp4", stop=3))


@pytest.mark.network
def test_the_real_networks_find_the_participant(demo_frames, capfd):
    height, width = demo_frames[0].image.shape[:2]
    found = BlazePose("blazepose-full").detect(demo_frames, camera="cam02", image_size_px=(width, height))
    assert capfd.readouterr() == ("", "")
    assert found.people_per_frame.tolist() == [1, 1, 1]
    at = {joint: found.positions[0, 0, i] for i, joint in enumerate(BLAZEPOSE_33.joints)}
    # He stands upright and faces the camera: his left is on the image's right.
    assert at["left_shoulder"][0] > at["right_shoulder"][0] + 60
    for above, below in pairwise(("nose", "left_shoulder", "left_hip", "left_knee", "left_ankle")):
        assert at[above][1] < at[below][1]
    # The participant's skin markers, by eye: both shoulders, and the front of the pelvis (a little above the hips).
    np.testing.assert_allclose([at["left_shoulder"], at["right_shoulder"]], [[627, 504], [494, 525]], atol=40)
    np.testing.assert_allclose((at["left_hip"] + at["right_hip"]) / 2, [578, 740], atol=40)
    assert (found.confidence[0, 0, :25] > 0.5).all()
    hips = [BLAZEPOSE_33.index("left_hip"), BLAZEPOSE_33.index("right_hip")]
    np.testing.assert_allclose(found.world_m[0, 0, hips].mean(axis=0), 0, atol=0.02)
    world = dict(zip(BLAZEPOSE_33.joints, found.world_m[0, 0], strict=True))
    assert 0.3 < np.linalg.norm(world["left_knee"] - world["left_hip"]) < 0.55
    assert world["nose"][2] < world["left_ear"][2]  # z grows away from the camera


@pytest.mark.network
def test_a_mirrored_image_gives_mirrored_joints(demo_frames):
    frame = demo_frames[0]
    height, width = frame.image.shape[:2]
    mirrored = VideoFrame(0, 0.0, np.ascontiguousarray(frame.image[:, ::-1]))
    detector = BlazePose("blazepose-full")

    def joints(one: VideoFrame) -> np.ndarray:
        return detector.detect([one], camera="c", image_size_px=(width, height)).positions[0, 0]

    with ThreadPoolExecutor(2) as pool:  # as cameras do, side by side
        plain, mirror = pool.map(joints, (frame, mirrored))
    back = mirror[list(BLAZEPOSE_33.mirrored_order)] * [-1, 1] + [width - 1, 0]
    assert np.median(np.linalg.norm(plain - back, axis=1)) < 8
    np.testing.assert_array_equal(plain, joints(frame))  # the same alone as side by side


@pytest.mark.network
@pytest.mark.parametrize("size", [(1, 1), (3, 200)])
def test_no_person_is_found_in_a_tiny_image(demo_frames, size):
    width, height = size
    tiny = [VideoFrame(0, 0.0, np.zeros((height, width, 3), np.uint8))]
    found = BlazePose("blazepose-full", region_px=(-5, -5, 5, 5)).detect(tiny, camera="c", image_size_px=size)
    assert found.positions.shape == (1, 0, 33, 2)
