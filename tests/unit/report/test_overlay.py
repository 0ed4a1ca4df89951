from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from gonio.core.arrays import VideoFrame
from gonio.core.detections import Detections
from gonio.core.errors import InputError
from gonio.core.sequence import PoseSequence
from gonio.core.skeleton import BODY_25B, COCO_17, H36M_17, KINECT_V2_25
from gonio.report import overlay as rendering
from gonio.report import palette
from gonio.report.overlay import FrameRenderer, overlay_video, write_images, write_still

WIDTH, HEIGHT = 320, 480
TIMES_S = np.array([0.0, 0.04, 0.08, 0.15, 0.19, 0.23])  # one frame was lost after the third


def overlay_image(
    frame: VideoFrame,
    keypoints: PoseSequence,
    *,
    reprojected: PoseSequence | None = None,
    blur_faces: bool = False,
    bystanders: Detections | None = None,
    max_height_px: int | None = None,
) -> np.ndarray:
    """One frame as `overlay_video` draws it."""
    return FrameRenderer(keypoints, reprojected, blur_faces, bystanders, max_height_px).draw(frame)


def picture(seed: int = 0) -> np.ndarray:
    """Grey noise: every place is distinct, no channel differs from another."""
    grey = np.random.default_rng(seed).integers(60, 190, (HEIGHT, WIDTH, 1), dtype=np.uint8)
    return np.repeat(grey, 3, axis=2)


def frames(times_s: np.ndarray = TIMES_S) -> Iterator[VideoFrame]:
    for i, t in enumerate(times_s):
        yield VideoFrame(i, float(t), picture(i))


def person(times_s: np.ndarray = TIMES_S, confidence: float = 1.0) -> PoseSequence:
    """A person of 300 px who faces the camera: the person's left is on the picture's right."""
    height, x, top = 300.0, 200.0, 120.0
    places = {
        "nose": (0, 0.075),
        "left_eye": (0.015, 0.064),
        "right_eye": (-0.015, 0.064),
        "left_ear": (0.035, 0.07),
        "right_ear": (-0.035, 0.07),
        "left_shoulder": (0.13, 0.182),
        "left_elbow": (0.16, 0.37),
        "left_wrist": (0.17, 0.5),
        "left_hip": (0.08, 0.47),
        "left_knee": (0.085, 0.715),
        "left_ankle": (0.085, 0.96),
    }
    places |= {n.replace("left", "right"): (-dx, y) for n, (dx, y) in places.items() if n.startswith("left")}
    points = [[x + height * places[j][0], top + height * places[j][1]] for j in COCO_17.joints]
    positions = np.repeat(np.array(points)[None], len(times_s), axis=0)
    return PoseSequence(
        positions,
        times_s,
        COCO_17,
        "px",
        "image",
        image_size_px=(WIDTH, HEIGHT),
        confidence=np.full(positions.shape[:2], confidence),
    )


def without(sequence: PoseSequence, *joints: str) -> PoseSequence:
    positions = np.array(sequence.positions)
    positions[:, [sequence.skeleton.index(joint) for joint in joints]] = np.nan
    return sequence.derive("joints taken away", positions=positions)


def rgb(colour: str) -> np.ndarray:
    return np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)])


def pixel(image: np.ndarray, sequence: PoseSequence, joint: str, scale: float = 1.0) -> np.ndarray:
    x, y = np.round((sequence[joint][0] + 0.5) * scale - 0.5).astype(int)
    return image[y, x].astype(int)


def decoded(path: Path) -> tuple[list[np.ndarray], np.ndarray]:
    with av.open(str(path)) as container:
        shown = list(container.decode(video=0))
        return [f.to_ndarray(format="rgb24") for f in shown], np.array([float(f.time) for f in shown])


# ---- videos ----------------------------------------------------------------------------------------------------------


def test_a_video_keeps_every_frame_at_its_own_time(tmp_path: Path) -> None:
    ticks: list[None] = []
    path = tmp_path / "deep" / "cam01.mp4"
    done = overlay_video(path, frames(TIMES_S + 3.0), person(TIMES_S + 3.0), on_frame=lambda: ticks.append(None))
    images, times_s = decoded(path)
    assert len(images) == len(ticks) == done.frames == 6
    assert images[0].shape == (HEIGHT, WIDTH, 3)
    np.testing.assert_allclose(times_s, TIMES_S, atol=1e-4)
    assert done.frames_without_keypoints == 0
    assert [p.name for p in path.parent.iterdir()] == ["cam01.mp4"]


def test_a_video_is_one_that_browsers_play(tmp_path: Path) -> None:
    path = tmp_path / "v.mp4"
    overlay_video(path, frames(), person())
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name in ("h264", "mpeg4")
        assert stream.codec_context.pix_fmt == "yuv420p"
    data = path.read_bytes()
    assert 0 < data.index(b"moov") < data.index(b"mdat")  # the index first: it plays before it is all there


def test_a_large_odd_sized_video_becomes_smaller_and_even(tmp_path: Path) -> None:
    path = tmp_path / "v.mp4"
    big = [VideoFrame(0, 0.0, cv2.resize(picture(), (333, 501)))]
    overlay_video(path, big, person(np.array([0.0])), max_height_px=251)
    assert decoded(path)[0][0].shape == (250, 166, 3)


def test_joints_have_the_colours_of_their_sides_in_the_video(tmp_path: Path) -> None:
    path = tmp_path / "v.mp4"
    overlay_video(path, frames(), person())
    image = decoded(path)[0][3]
    left, right = pixel(image, person(), "left_knee"), pixel(image, person(), "right_knee")
    assert left[2] > left[0] + 80  # blue
    assert right[0] > right[2] + 60  # red


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], "frame"),
        ([VideoFrame(0, 0.0, picture()), VideoFrame(1, 0.0, picture())], "later"),
        ([VideoFrame(0, 0.0, picture()), VideoFrame(1, 1.0, picture()[:100])], r"share.*size"),
    ],
)
def test_a_video_that_cannot_be_is_refused_and_leaves_nothing(
    tmp_path: Path, given: list[VideoFrame], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        overlay_video(tmp_path / "v.mp4", given, person())
    assert list(tmp_path.iterdir()) == []


def test_3d_joints_cannot_be_drawn() -> None:
    sequence = PoseSequence(np.zeros((1, 17, 3)), [0.0], COCO_17, "m", "world")
    with pytest.raises(InputError, match="3D"):
        overlay_image(next(frames()), sequence)


# ---- what is drawn ---------------------------------------------------------------------------------------------------


def test_joints_and_bones_are_drawn_where_they_are() -> None:
    image = overlay_image(next(frames()), person())
    for joint in ("left_wrist", "left_knee", "left_ankle"):
        np.testing.assert_array_equal(pixel(image, person(), joint), rgb(palette.LEFT))
    for joint in ("right_wrist", "right_knee", "right_ankle"):
        np.testing.assert_array_equal(pixel(image, person(), joint), rgb(palette.RIGHT))
    x, y = np.round((person()["left_hip"][0] + person()["left_knee"][0]) / 2).astype(int)
    np.testing.assert_array_equal(image[y, x], rgb(palette.LEFT))


def test_drawing_scales_with_the_image() -> None:
    image = overlay_image(next(frames()), person(), max_height_px=240)
    assert image.shape == (240, 160, 3)
    np.testing.assert_array_equal(pixel(image, person(), "left_knee", 0.5), rgb(palette.LEFT))


def test_the_frame_itself_is_not_changed() -> None:
    frame = next(frames())
    overlay_image(frame, person(), blur_faces=True)
    np.testing.assert_array_equal(frame.image, picture())


def test_confidence_fades() -> None:
    background = pixel(picture(), person(), "left_ankle")
    drawn = [pixel(overlay_image(next(frames()), person(confidence=c)), person(), "left_ankle") for c in (0.0, 0.5, 1)]
    away = [np.abs(colour - background).sum() for colour in drawn]
    assert 0 < away[0] < away[1] < away[2]


def test_a_missing_joint_is_not_drawn_nor_are_its_bones() -> None:
    lacking = without(person(), "left_ankle", "left_wrist")
    image = overlay_image(next(frames()), lacking)
    assert np.ptp(pixel(image, person(), "left_ankle")) == 0  # still grey
    assert np.ptp(pixel(image, person(), "left_wrist")) == 0
    assert np.ptp(pixel(image, person(), "left_knee")) > 0


def test_joints_outside_the_image_are_ignored() -> None:
    far = person().derive("moved", positions=person().positions + np.array([1e7, -1e7]))
    grey = overlay_image(next(frames()), far)[:, 180:]
    np.testing.assert_array_equal(grey, picture()[:, 180:])


def test_reprojected_joints_have_a_third_colour() -> None:
    moved = person().derive("moved", positions=person().positions + np.array([40.0, 0.0]))
    image = overlay_image(next(frames()), person(), reprojected=moved)
    x, y = np.round((moved["left_hip"][0] + moved["left_knee"][0]) / 2).astype(int)
    np.testing.assert_allclose(image[y, x], rgb(palette.REPROJECTED), atol=30)  # a thin line, smoothed


def test_a_frame_takes_the_row_nearest_in_time_or_none() -> None:
    times_s = np.array([0.0, 0.1, 0.2])
    positions = np.repeat(person(times_s).positions[:1], 3, axis=0) + np.arange(3)[:, None, None] * [20.0, 0.0]
    sequence = person(times_s).derive("it walks", positions=positions)

    def ankle_of(row: int, time_s: float) -> bool:
        image = overlay_image(VideoFrame(0, time_s, picture()), sequence)
        x, y = np.round(sequence["left_ankle"][row]).astype(int)
        return bool((image[y, x] == rgb(palette.LEFT)).all())

    assert ankle_of(1, 0.149)
    assert not ankle_of(1, 0.151)
    assert ankle_of(0, -0.049)
    assert not any(ankle_of(row, 0.3) for row in range(2))


def test_frames_without_keypoints_are_counted(tmp_path: Path) -> None:
    done = overlay_video(tmp_path / "v.mp4", frames(), person(TIMES_S[:3]))
    assert done.frames_without_keypoints == 3


# ---- who else was seen ----------------------------------------------------------------------------------------------


def crowd(*shifts_px: float, times_s: np.ndarray = TIMES_S) -> Detections:
    """The person, and others as they are, some px to the side."""
    people = np.stack([person(times_s).positions + [shift, 0.0] for shift in (0.0, *shifts_px)], axis=1)
    return Detections(people, np.ones(people.shape[:3]), times_s, COCO_17, (WIDTH, HEIGHT))


def thigh_of(image: np.ndarray, shift_px: float = 0.0) -> np.ndarray:
    x, y = np.round((person()["left_hip"][0] + person()["left_knee"][0]) / 2 + [shift_px, 0.0]).astype(int)
    return image[y, x].astype(int)


def test_others_are_thin_and_grey_and_have_no_side() -> None:
    image = overlay_image(next(frames()), person(), bystanders=crowd(-100.0))
    np.testing.assert_array_equal(thigh_of(image), rgb(palette.LEFT))
    np.testing.assert_allclose(thigh_of(image, -100.0), rgb(palette.OTHERS), atol=30)
    colourful = np.ptp(image[300:, :130].astype(int), axis=2) > 10  # the other's legs
    assert not colourful.any()


def test_the_person_among_everybody_is_drawn_once_and_no_legend_tells_of_others() -> None:
    alone = overlay_image(next(frames()), person())
    np.testing.assert_array_equal(overlay_image(next(frames()), person(), bystanders=crowd()), alone)
    with_another = overlay_image(next(frames()), person(), bystanders=crowd(-100.0))
    assert (with_another[:110, :60] != alone[:110, :60]).any()  # one more line in the legend


def test_the_person_from_a_neighbouring_frame_is_still_the_same() -> None:
    near = person().derive("moved", positions=person().positions + [6.0, -4.0])
    np.testing.assert_array_equal(
        overlay_image(next(frames()), near, bystanders=crowd()), overlay_image(next(frames()), near)
    )


def test_who_stands_close_by_is_another_and_only_the_nearest_is_the_person() -> None:
    others = rendering._not_chosen(crowd(20.0, -60.0), person())
    np.testing.assert_array_equal(others, np.tile([False, True, True], (6, 1)))


def test_without_a_chosen_person_all_are_others() -> None:
    positions = np.array(person().positions)
    positions[2] = np.nan
    lost = person().derive("lost for a frame", positions=positions)
    np.testing.assert_array_equal(rendering._not_chosen(crowd(), lost)[:, 0], np.arange(6) == 2)
    late = person(TIMES_S + 60)
    np.testing.assert_array_equal(rendering._not_chosen(crowd(-100.0), late), np.ones((6, 2), bool))


def test_the_person_is_known_by_the_joints_that_both_layouts_have() -> None:
    others = rendering._not_chosen(crowd(-100.0), person().to_skeleton(H36M_17))
    np.testing.assert_array_equal(others, np.tile([False, True], (6, 1)))


def test_no_detections_have_no_others() -> None:
    empty = Detections(np.zeros((6, 0, 17, 2)), np.zeros((6, 0, 17)), TIMES_S, COCO_17, (WIDTH, HEIGHT))
    np.testing.assert_array_equal(
        overlay_image(next(frames()), person(), bystanders=empty), overlay_image(next(frames()), person())
    )


# ---- faces -----------------------------------------------------------------------------------------------------------


def changed_by_blur(sequence: PoseSequence, bystanders: Detections | None = None) -> np.ndarray:
    """(row, column) bool: where blurring alone changes the picture, outside what is drawn over it."""
    frame = VideoFrame(0, 0.0, picture())
    clear = overlay_image(frame, sequence, bystanders=bystanders)
    blurred = overlay_image(frame, sequence, blur_faces=True, bystanders=bystanders)
    return np.asarray((clear != blurred).any(axis=2))


def around(joint: str = "nose", radius_px: float = 60.0) -> np.ndarray:
    x, y = person()[joint][0]
    rows, columns = np.ogrid[:HEIGHT, :WIDTH]
    return np.asarray((columns - x) ** 2 + (rows - y) ** 2 < radius_px**2)


def test_blur_changes_the_face_and_nothing_else() -> None:
    changed = changed_by_blur(person())
    assert not changed[~around(radius_px=32)].any()  # the head is 39 px high
    assert changed[around(radius_px=14)].mean() > 0.5  # the rest is below the drawn joints
    assert not changed_by_blur(person())[300:].any()


def test_what_is_left_of_a_face_has_no_detail() -> None:
    joints = ("left_shoulder", "right_shoulder", "left_hip", "right_hip")
    hidden = without(person(), *[j for j in COCO_17.joints if j not in joints])
    image = overlay_image(next(frames()), hidden, blur_faces=True)
    inside = around(radius_px=12)
    assert np.std(picture()[inside].astype(float)) > 30
    assert np.std(image[inside].astype(float)) < 8


def test_without_its_joints_a_face_is_where_shoulders_and_trunk_say() -> None:
    hidden = without(person(), "nose", "left_eye", "right_eye", "left_ear", "right_ear")
    changed = changed_by_blur(hidden)
    assert changed[around(radius_px=16)].mean() > 0.95
    assert not changed[~around(radius_px=45)].any()


def test_a_head_that_hangs_down_is_found_along_the_trunk() -> None:
    positions = np.array(person().positions)
    positions[..., 1] = 2 * person()["left_hip"][0, 1] - positions[..., 1]  # upside down
    hidden = without(person().derive("turned", positions=positions), "nose", "left_eye", "right_eye")
    hidden = without(hidden, "left_ear", "right_ear")
    rows = np.flatnonzero(changed_by_blur(hidden).any(axis=1))
    assert rows.min() > hidden["left_shoulder"][0, 1]


@pytest.mark.parametrize("skeleton", [H36M_17, BODY_25B, KINECT_V2_25])
def test_every_layout_has_a_face(skeleton: object) -> None:
    sequence = person().to_skeleton(skeleton)  # type: ignore[arg-type]
    assert changed_by_blur(sequence)[around(radius_px=16)].mean() > 0.5


def test_an_unknown_face_is_counted_and_nothing_is_blurred(tmp_path: Path) -> None:
    legs = without(person(), *[j for j in COCO_17.joints if not j.endswith(("knee", "ankle"))])
    assert not changed_by_blur(legs).any()
    done = write_still(tmp_path / "still.png", next(frames()), legs, blur_faces=True)
    assert done.frames_without_known_face == 1
    assert write_still(tmp_path / "still.png", next(frames()), person(), blur_faces=True).frames_without_known_face == 0


def test_bystanders_faces_are_blurred_too() -> None:
    changed = changed_by_blur(person(), crowd(-130.0))
    x, y = np.round(person()["nose"][0] - [130.0, 0.0]).astype(int)
    drawn_over = (overlay_image(next(frames()), person(), bystanders=crowd(-130.0)) != picture()).any(axis=2)
    face = np.s_[y - 8 : y + 8, x - 8 : x + 8]
    assert changed[face][~drawn_over[face]].mean() > 0.95


# ---- pictures --------------------------------------------------------------------------------------------------------


def test_images_are_named_for_their_frames(tmp_path: Path) -> None:
    done = write_images(tmp_path / "out", list(frames())[3:], person())
    assert done.frames == 3
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [f"frame_00000{i}.jpg" for i in (3, 4, 5)]
    image = cv2.imread(str(tmp_path / "out" / "frame_000003.jpg"))[..., ::-1]
    assert np.abs(image.astype(int) - overlay_image(list(frames())[3], person())).mean() < 12


def test_a_still_image_is_exact_as_png_and_refused_as_another_format(tmp_path: Path) -> None:
    write_still(tmp_path / "a.png", next(frames()), person())
    image = cv2.imread(str(tmp_path / "a.png"))[..., ::-1]
    np.testing.assert_array_equal(image, overlay_image(next(frames()), person()))
    with pytest.raises(InputError, match=r"\.png"):
        write_still(tmp_path / "a.gif", next(frames()), person())
    with pytest.raises(InputError, match="frame"):
        write_images(tmp_path / "none", [], person())


def test_a_real_recording_shows_its_face_in_every_frame_that_has_the_person(shared_data: Path) -> None:
    files = sorted((shared_data / "pose2sim/balancing/pose-associated/cam03_json").glob("*.json"))
    found = []
    for file in files:
        people = json.loads(file.read_text(encoding="utf-8"))["people"]
        flat = people[0].get("pose_keypoints_2d", []) if people else []
        found.append(np.reshape(flat, (25, 3)) if len(flat) == 75 else np.zeros((25, 3)))
    joints = np.array(found, float)
    positions = np.where(joints[..., 2:] > 0, joints[..., :2], np.nan)
    sequence = PoseSequence(positions, np.arange(len(files)) / 60, BODY_25B, "px", "image")
    faces = rendering._faces_px(sequence.positions, sequence.skeleton)
    known = np.isfinite(faces).all(axis=1)
    np.testing.assert_array_equal(known, sequence.valid.any(axis=1))
    height_px = 2 * faces[known, 3] / 1.25
    assert 0.6 < np.median(height_px) / 170 < 1.6  # a head of 0.23 m at this camera is about 170 px high
    inside = np.hypot(*(sequence["nose"][known] - faces[known, :2]).T) < faces[known, 3]
    assert inside[sequence.valid[known, 0]].all()
