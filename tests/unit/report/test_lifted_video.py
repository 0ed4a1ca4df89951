"""3D joints beside their picture: where they are drawn, when, and how large."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from gonio.core.arrays import VideoFrame
from gonio.core.detections import smallest_image_px
from gonio.core.errors import InputError
from gonio.core.sequence import PoseSequence, up_rotation
from gonio.core.skeleton import H36M_17, Skeleton
from gonio.io import formats
from gonio.io.rigs import files as rig_files
from gonio.report import lifted_video as module
from gonio.report.drawing import rgb
from gonio.report.lifted_video import lifted_video
from gonio.report.palette import LEFT, MIDLINE, RIGHT

WIDTH, HEIGHT = 320, 240
TITLE_PX = 20
POINTS = Skeleton("points", ("mid_hip", "left_ankle", "right_ankle"), (-1, -1, -1))  # no bone hides a joint
LEGS_M = np.array([[0, 0, 0], [0.3, 0.9, 0], [0, 0.9, 0.3]])  # camera axes: the left foot aside, the right one behind
COLOURS = {"mid_hip": MIDLINE, "left_ankle": LEFT, "right_ankle": RIGHT}


def clock(n_frames: int = 8, rate_hz: float = 10.0) -> np.ndarray:
    return np.arange(n_frames) / rate_hz


def frames(times_s: np.ndarray, size: tuple[int, int] = (WIDTH, HEIGHT)) -> Iterator[VideoFrame]:
    for i, t in enumerate(times_s):
        yield VideoFrame(i, float(t), np.full((size[1], size[0], 3), 200, np.uint8))


def keypoints(times_s: np.ndarray, positions_m: np.ndarray = LEGS_M, **changes: object) -> PoseSequence:
    """What the camera sees: 150 px a metre, no perspective."""
    flat = np.broadcast_to(positions_m, (len(times_s), *positions_m.shape[-2:]))[..., :2] * 150 + [200, 60]
    return PoseSequence(flat, times_s, POINTS, "px", "image", image_size_px=(WIDTH, HEIGHT)).derive(**changes)


def joints(times_s: np.ndarray, positions_m: np.ndarray = LEGS_M, frame: str = "root") -> PoseSequence:
    positions = np.broadcast_to(positions_m, (len(times_s), *positions_m.shape[-2:]))
    return PoseSequence(positions, times_s, POINTS, "m", frame, up="-y")  # type: ignore[arg-type]


def decoded(path: Path) -> tuple[list[np.ndarray], np.ndarray]:
    with av.open(str(path)) as container:
        shown = list(container.decode(video=0))
    return [f.to_ndarray(format="rgb24") for f in shown], np.array([float(f.time) for f in shown])


def places(image: np.ndarray, left_px: int, right_px: int | None = None) -> dict[str, np.ndarray]:
    """joint -> (x, y) px of its disc in a GIF, between two columns; NaN where there is none.

    The largest spot of its colour, below the title: smoothed rims have the colour of the midline here and there.
    """
    part = image[TITLE_PX:, left_px:right_px]
    found = {}
    for joint, colour in COLOURS.items():
        spots = (part == rgb(colour)).all(axis=2).astype(np.uint8)
        _, _, stats, centres = cv2.connectedComponentsWithStats(spots)
        largest = int(stats[1:, cv2.CC_STAT_AREA].argmax()) + 1 if len(stats) > 1 else 0
        there = bool(largest) and stats[largest, cv2.CC_STAT_AREA] >= 5
        found[joint] = centres[largest] + [0, TITLE_PX] if there else np.full(2, np.nan)
    return found


def render_gif(path: Path, sequence: PoseSequence, points: PoseSequence) -> list[dict[str, np.ndarray]]:
    """Where the joints are in the panel of each picture; the panel is as high as the picture, 0.8 times as wide."""
    lifted_video(path, frames(points.times_s), points, sequence)
    images, _ = decoded(path)
    return [places(image, image.shape[1] - round(0.8 * image.shape[0])) for image in images]


def seen(vector_m: np.ndarray) -> np.ndarray:
    """(right, down) of a vector in camera axes, for who goes 40 degrees around and looks down by 12."""
    around, down = np.deg2rad(40), np.deg2rad(12)
    x, y, z = vector_m
    away = -np.sin(around) * x + np.cos(around) * z
    return np.array([np.cos(around) * x + np.sin(around) * z, np.cos(down) * y - np.sin(down) * away])


# ---- the panel -------------------------------------------------------------------------------------------------------


def test_joints_are_where_the_view_puts_them_by_one_scale(tmp_path: Path) -> None:
    for at in render_gif(tmp_path / "v.gif", joints(clock()), keypoints(clock())):
        shown = np.concatenate([at[j] - at["mid_hip"] for j in ("left_ankle", "right_ankle")])
        expected = np.concatenate([seen(LEGS_M[1]), seen(LEGS_M[2])])
        px_per_m = float(shown @ expected / (expected @ expected))
        assert 80 < px_per_m < 240
        np.testing.assert_allclose(shown, px_per_m * expected, atol=1.0)
        assert at["mid_hip"][0] == pytest.approx(round(0.8 * HEIGHT) / 2, abs=1)  # hips in the middle


def test_relative_to_the_hips_the_feet_are_on_the_ground_and_a_squat_goes_down(tmp_path: Path) -> None:
    bend = np.linspace(0, 0.4, 8)[:, None]
    positions = np.repeat(LEGS_M[None], 8, axis=0)
    positions[:, 1:, 1] -= bend
    found = render_gif(tmp_path / "v.gif", joints(clock(), positions), keypoints(clock(), positions))
    feet, hips = (np.array([at[joint][1] for at in found]) for joint in ("left_ankle", "mid_hip"))
    np.testing.assert_allclose(feet, feet[0], atol=0.6)
    px_per_m = (feet[0] - hips[0]) / seen(LEGS_M[1])[1]
    np.testing.assert_allclose(hips - hips[0], px_per_m * np.cos(np.deg2rad(12)) * bend[:, 0], atol=1.0)


def test_in_world_axes_a_jump_leaves_the_ground(tmp_path: Path) -> None:
    rise = np.array([0, 0, 0, 0.3, 0.3, 0, 0, 0])
    positions = LEGS_M + np.array([2.0, 0.1, 4.0]) - rise[:, None, None] * [0, 1, 0]
    found = render_gif(tmp_path / "v.gif", joints(clock(), positions, "camera"), keypoints(clock(), positions))
    feet = np.array([at["left_ankle"][1] for at in found])
    length = np.array([at["left_ankle"][1] - at["mid_hip"][1] for at in found])
    np.testing.assert_allclose(length, length[0], atol=1.0)
    px_per_m = length[0] / seen(LEGS_M[1])[1]
    np.testing.assert_allclose(feet[0] - feet, px_per_m * np.cos(np.deg2rad(12)) * rise, atol=1.0)


def test_a_walking_person_stays_in_the_middle_and_the_ground_moves(tmp_path: Path) -> None:
    steps = np.linspace(0, 3, 8)[:, None, None] * [1.0, 0, 0]
    positions = LEGS_M + steps
    found = render_gif(tmp_path / "v.gif", joints(clock(), positions, "camera"), keypoints(clock(), positions / 4))
    np.testing.assert_allclose([at["mid_hip"][0] for at in found], found[0]["mid_hip"][0], atol=0.6)
    images, _ = decoded(tmp_path / "v.gif")
    row = images[0].shape[0] - 40  # of the floor, in front of the feet
    lines = [np.argsort(image[row, WIDTH + 20 : -20].sum(axis=1))[:3].tolist() for image in images]
    assert len({tuple(sorted(line)) for line in lines}) > 4
    turning = render_gif(tmp_path / "w.gif", joints(clock()), keypoints(clock()))
    np.testing.assert_allclose(turning[0]["left_ankle"], turning[-1]["left_ankle"], atol=0.6)


def test_world_axes_are_viewed_from_the_camera(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    positions = LEGS_M + rng.normal(0, 0.15, (8, 3, 3)) + [0.5, 0.2, 3.0]
    yaw = np.deg2rad(130)
    turn = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    to_room = up_rotation("-y", "+z") @ turn
    before = joints(clock(), positions, "camera")
    room = before.transformed(to_room, [1.0, 2.0, 3.0], frame="world", frame_name="lab", up="+z", step="turned")
    points = keypoints(clock(), positions)
    by_camera, by_room = (render_gif(tmp_path / "v.gif", each, points) for each in (before, room))
    for one, other in zip(by_camera, by_room, strict=True):
        for joint in COLOURS:
            np.testing.assert_allclose(one[joint], other[joint], atol=1.0)


def test_real_cameras_are_found_by_what_they_saw(shared_data: Path) -> None:
    folder = shared_data / "pose2sim"
    room = formats.read(folder / "balancing/pose-3d/S00_P00_T01_BalancingTrial_0-100.trc")
    assert isinstance(room, PoseSequence)
    y_down = up_rotation("+y", "-y")
    for number, camera in enumerate(rig_files.read(folder / "calibration/Calib_qualisys.toml").cameras, start=1):
        found = formats.read(folder / f"balancing/pose-associated/cam{number:02d}_json", layout="body-25b", rate_hz=60)
        assert isinstance(found, PoseSequence)
        truth = (y_down @ up_rotation("+z", "+y") @ camera.rotation[0])[[0, 2]]
        across = module._image_across(room, room.positions @ y_down.T, found)
        angle_deg = np.rad2deg(np.arccos(across @ truth / np.linalg.norm(truth)))
        assert angle_deg < 6


def test_without_a_known_vertical_there_is_no_ground(tmp_path: Path) -> None:
    render_gif(tmp_path / "floor.gif", joints(clock()), keypoints(clock()))
    found = render_gif(tmp_path / "none.gif", joints(clock()).derive(up=None), keypoints(clock()))
    counts = [
        int((decoded(tmp_path / name)[0][0][:, WIDTH:] == rgb(module._GROUND)).all(axis=2).sum())
        for name in ("floor.gif", "none.gif")
    ]
    assert counts[0] > 3000
    assert counts[1] < 100  # smoothed edges of what is drawn
    offset = found[0]["left_ankle"] - found[0]["mid_hip"]
    np.testing.assert_allclose(offset[0] / offset[1], seen(LEGS_M[1])[0] / seen(LEGS_M[1])[1], atol=0.02)


def test_missing_joints_are_not_drawn(tmp_path: Path) -> None:
    positions = np.repeat(LEGS_M[None], 8, axis=0)
    positions[2, 1] = np.nan
    positions[5] = np.nan
    done = lifted_video(tmp_path / "v.gif", frames(clock()), keypoints(clock(), positions), joints(clock(), positions))
    images, _ = decoded(tmp_path / "v.gif")
    for i, image in enumerate(images):
        there = {joint: bool(np.isfinite(at).all()) for joint, at in places(image, WIDTH).items()}
        assert there == dict.fromkeys(COLOURS, i != 5) | {"left_ankle": i not in (2, 5)}
        below_the_legend = places(image[80:], 0, WIDTH)
        assert np.isfinite(below_the_legend["left_ankle"]).all() == (i not in (2, 5))
    assert done.frames == 8
    assert done.frames_without_keypoints == 1
    assert done.frames_without_joints == {"3D joints": 1}


def test_several_methods_have_a_panel_each_and_one_scale(tmp_path: Path) -> None:
    small = joints(clock(), LEGS_M / 2)
    done = lifted_video(
        tmp_path / "v.gif", frames(clock()), keypoints(clock()), {"large": joints(clock()), "small": small}
    )
    assert done.frames_without_joints == {"large": 0, "small": 0}
    image = decoded(tmp_path / "v.gif")[0][0]
    height = image.shape[0]
    panel, left = round(0.8 * height), image.shape[1] - 2 * round(0.8 * height)
    assert image.shape[1] == pytest.approx(640, abs=2)
    lengths = []
    for start in (left, left + panel):
        at = places(image, start, start + panel)
        lengths.append(float(np.linalg.norm(at["left_ankle"] - at["mid_hip"])))
    assert lengths[1] == pytest.approx(lengths[0] / 2, abs=1.0)


# ---- time and files --------------------------------------------------------------------------------------------------


def test_mp4_keeps_the_size_and_times_of_its_frames(tmp_path: Path) -> None:
    times_s = np.array([0.0, 0.04, 0.08, 0.2, 0.24])
    ticks: list[None] = []
    done = lifted_video(
        tmp_path / "v.mp4",
        frames(times_s),
        keypoints(times_s),
        joints(times_s),
        on_frame=lambda: ticks.append(None),
    )
    images, shown_s = decoded(tmp_path / "v.mp4")
    np.testing.assert_allclose(shown_s, times_s, atol=1e-4)
    assert images[0].shape == (HEIGHT, WIDTH + round(0.8 * HEIGHT), 3)
    assert done.frames == len(ticks) == 5
    x, y = 200 + 45, 60 + 135  # the left ankle in the picture: blue
    assert images[2][y, x, 2] > images[2][y, x, 0].astype(int) + 80


def test_large_images_are_scaled_down(tmp_path: Path) -> None:
    times_s = clock(2)
    points = keypoints(times_s, image_size_px=(3840, 2160))
    lifted_video(tmp_path / "v.mp4", frames(times_s, (3840, 2160)), points, joints(times_s))
    height, width, _ = decoded(tmp_path / "v.mp4")[0][0].shape
    assert (width, height) == (1280 + 576, 720)


def test_a_gif_has_at_most_15_frames_a_second_and_640_columns(tmp_path: Path) -> None:
    times_s = clock(61, 60.0)
    ticks: list[None] = []
    done = lifted_video(
        tmp_path / "v.gif",
        frames(times_s, (960, 540)),
        keypoints(times_s, image_size_px=(960, 540)),
        joints(times_s),
        on_frame=lambda: ticks.append(None),
    )
    images, shown_s = decoded(tmp_path / "v.gif")
    assert done.frames == len(images) == 16
    assert len(ticks) == 61
    np.testing.assert_allclose(shown_s, np.arange(16) / 15, atol=0.0051)
    assert 630 < images[0].shape[1] <= 640
    with av.open(str(tmp_path / "v.gif")) as container:
        assert container.duration / av.time_base == pytest.approx(16 / 15, abs=0.02)


def test_without_a_video_the_keypoints_are_on_an_empty_image(tmp_path: Path) -> None:
    times_s = 3.0 + clock(5)
    lifted_video(tmp_path / "v.gif", None, keypoints(times_s), joints(times_s))
    images, shown_s = decoded(tmp_path / "v.gif")
    assert len(images) == 5
    np.testing.assert_allclose(shown_s, clock(5), atol=0.0051)
    assert images[0].shape[:2] == (HEIGHT, WIDTH + round(0.8 * HEIGHT))
    np.testing.assert_allclose(places(images[0][80:], 0, WIDTH)["left_ankle"], [245, 195 - 80], atol=0.6)
    unknown = keypoints(times_s, image_size_px=None)
    lifted_video(tmp_path / "v.gif", None, unknown, joints(times_s))
    width, height = smallest_image_px(unknown.positions)
    assert decoded(tmp_path / "v.gif")[0][0].shape[:2] == (height, width + round(0.8 * height))


def test_rates_and_lengths_may_differ_and_rows_are_matched_by_time(tmp_path: Path) -> None:
    times_s = clock(12, 10.0)
    slow_s = 0.2 + clock(4, 5.0)  # 0.2 to 0.8
    positions = np.repeat(LEGS_M[None], 4, axis=0)
    positions[2, 1] = np.nan  # the left foot at 0.6 s
    done = lifted_video(tmp_path / "v.gif", frames(times_s), keypoints(times_s), joints(slow_s, positions))
    images, _ = decoded(tmp_path / "v.gif")
    shown = [bool(np.isfinite(places(image, WIDTH)["right_ankle"]).all()) for image in images]
    np.testing.assert_array_equal(np.flatnonzero(shown), np.arange(1, 10))  # half an interval, 0.1 s, on both sides
    left = [bool(np.isfinite(places(image, WIDTH)["left_ankle"]).all()) for image in images]
    assert left[4]
    assert not left[6]
    assert done.frames_without_joints == {"3D joints": 3}
    assert done.frames_without_keypoints == 0


@pytest.mark.parametrize(
    ("name", "points", "sequence", "video_s", "message"),
    [
        ("v.avi", keypoints(clock()), joints(clock()), clock(), r"\.mp4.*\.gif"),
        ("v.mp4", joints(clock()), joints(clock()), clock(), r"keypoints.*3D"),
        ("v.mp4", keypoints(clock()), keypoints(clock()), clock(), r"joints.*2D"),
        ("v.mp4", keypoints(clock()), joints(clock() + 9), clock(), r"9.000-9.700 s.*0.000-0.700 s"),
        ("v.mp4", keypoints(clock() + 9), joints(clock() + 9), clock(), r"frame.*video"),
        ("v.mp4", keypoints(clock(), np.full((3, 3), np.nan)), joints(clock()), clock(), "keypoint"),
        ("v.mp4", keypoints(clock()), joints(clock(), np.full((3, 3), np.nan)), clock(), "frame"),
        ("v.mp4", keypoints(clock(), image_size_px=(640, 480)), joints(clock()), clock(), r"640.*480 px"),
        ("v.gif", keypoints(clock()), joints(clock()), np.array([]), r"frame.*draw"),
    ],
)
def test_what_does_not_belong_together_is_refused_and_leaves_nothing(
    tmp_path: Path, name: str, points: PoseSequence, sequence: PoseSequence, video_s: np.ndarray, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        lifted_video(tmp_path / name, frames(video_s), points, sequence)
    assert list(tmp_path.iterdir()) == []


def test_one_frame_and_joints_without_hips_or_feet(tmp_path: Path) -> None:
    arms = H36M_17.select(["left_shoulder", "left_elbow", "left_wrist"])
    positions = np.array([[[0, 0, 0], [0.1, 0.3, 0], [0.1, 0.5, 0.2]]])
    flat = PoseSequence(positions[..., :2] * 100 + 50, [0.0], arms, "px", "image", image_size_px=(WIDTH, HEIGHT))
    for frame, up in (("camera", "-y"), ("world", "+z"), ("world", None)):
        arm = PoseSequence(positions, [0.0], arms, "m", frame, up=up)  # type: ignore[arg-type]
        lifted_video(tmp_path / "v.gif", None, flat, arm)
        images, _ = decoded(tmp_path / "v.gif")
        assert len(images) == 1
        assert np.isfinite(places(images[0], WIDTH)["left_ankle"]).all()  # the left side's colour
