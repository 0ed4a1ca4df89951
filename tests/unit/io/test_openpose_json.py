"""OpenPose's folders: what they hold, what they do not tell, and what is wrong with them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gonio.core.detections import Detections
from gonio.core.errors import GonioError, InputError
from gonio.core.sequence import PoseSequence, Source, Status
from gonio.core.skeleton import BLAZEPOSE_33, BODY_25, BODY_25B, COCO_17, COCO_18, Skeleton
from gonio.io import openpose_json


def person(keypoints: Any) -> dict[str, Any]:
    return {"person_id": [-1], "pose_keypoints_2d": list(np.ravel(keypoints))}


def folder_of(root: Path, frames: dict[str, list[dict[str, Any]]]) -> Path:
    root.mkdir(exist_ok=True)
    for name, people in frames.items():
        (root / name).write_text(json.dumps({"version": 1.3, "people": people}))
    return root


def keypoints(n: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.column_stack([rng.uniform(20, 600, n), rng.uniform(20, 400, n), rng.uniform(0.1, 1, n)])


def sequence(skeleton: Skeleton, n_frames: int = 6, seed: int = 0, **changes: Any) -> PoseSequence:
    rng = np.random.default_rng(seed)
    positions = rng.uniform(1, 600, (n_frames, len(skeleton), 2))
    positions[rng.random(positions.shape[:2]) < 0.2] = np.nan
    fields: dict[str, Any] = {
        "positions": positions,
        "times_s": np.arange(n_frames) / 30,
        "skeleton": skeleton,
        "unit": "px",
        "frame": "image",
        "confidence": rng.uniform(0.01, 1, positions.shape[:2]),
        "image_size_px": (640, 480),
    }
    return PoseSequence(**(fields | changes))


def test_every_number_is_read(tmp_path: Path) -> None:
    one, two = keypoints(18, 1), keypoints(18, 2)
    folder = folder_of(
        tmp_path / "cam01_json",
        {"v_000000000000_keypoints.json": [person(one), person(two)], "v_000000000001_keypoints.json": [person(two)]},
    )
    found = openpose_json.read(folder, rate_hz=25.0, image_size_px=(640, 480))
    assert found.skeleton is COCO_18
    assert found.frame_name == "cam01"
    assert found.times_s.tolist() == [0.0, 0.04]
    assert found.people_per_frame.tolist() == [2, 1]
    np.testing.assert_array_equal(found.positions[0, 1], two[:, :2])
    np.testing.assert_array_equal(found.confidence[1, 0], two[:, 2])
    assert any("coco-18" in step for step in found.history)


def test_frame_numbers_of_any_form_and_gaps_in_time(tmp_path: Path) -> None:
    names = ("cam01.0007.json", "cam01.0010.json", "cam01.0008.json")
    folder = folder_of(tmp_path / "f", {name: [person(keypoints(17, i))] for i, name in enumerate(names)})
    found = openpose_json.read(folder, rate_hz=10.0)
    np.testing.assert_allclose(found.times_s, [0.7, 0.8, 1.0])
    np.testing.assert_array_equal(found.positions[2, 0], keypoints(17, 1)[:, :2])
    assert any(step.startswith("1 frame numbers") for step in found.history)
    assert found.skeleton is COCO_17
    assert any("coco-17" in step for step in found.history)


def test_numbers_in_the_videos_name_are_not_the_frame(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "f", {f"take2_4k_{i:012d}_keypoints.json": [person(keypoints(17))] for i in (3, 4)})
    np.testing.assert_allclose(openpose_json.read(folder, rate_hz=1.0).times_s, [3, 4])


def test_25_keypoints_must_be_declared(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "f", {"a_0.json": [person(keypoints(25))]})
    with pytest.raises(InputError, match=r"--layout body-25 .*--layout body-25b"):
        openpose_json.read(folder, rate_hz=30.0)
    assert openpose_json.read(folder, rate_hz=30.0, layout="BODY_25").skeleton is BODY_25
    assert openpose_json.read(folder, rate_hz=30.0, layout="body-25b").skeleton is BODY_25B


def test_a_wrong_number_of_keypoints_names_file_found_and_expected(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "f", {"a_0.json": [person(keypoints(25))], "a_1.json": [person(keypoints(18))]})
    with pytest.raises(InputError, match=r"a_1\.json: 18 .*body-25.* 25"):
        openpose_json.read(folder, rate_hz=30.0, layout="body-25")
    with pytest.raises(InputError, match=r"a_0\.json: 15 keypoints"):
        openpose_json.read(folder_of(tmp_path / "g", {"a_0.json": [person(keypoints(15))]}), rate_hz=30.0)


@pytest.mark.parametrize("rate_hz", [None, 0.0, -1.0, float("nan")])
def test_the_rate_must_be_declared(tmp_path: Path, rate_hz: float | None) -> None:
    folder = folder_of(tmp_path / "f", {"a_0.json": [person(keypoints(18))]})
    with pytest.raises(InputError, match="--fps"):
        openpose_json.read(folder, rate_hz=rate_hz)


def test_missing_points_and_confidence_above_one(tmp_path: Path) -> None:
    points = keypoints(18)
    points[0] = 0, 0, 0
    points[1] = 100, 100, 0
    points[2] = 0, 0, 0.5
    points[3, 2] = 1.02
    folder = folder_of(tmp_path / "f", {"a_0.json": [person(points)]})
    found = openpose_json.read(folder, rate_hz=30.0)
    assert np.isnan(found.positions[0, 0, :, 0]).tolist() == [True] * 3 + [False] * 15
    assert found.confidence[0, 0, 3] == 1.0
    text = "\n".join(found.history)
    assert "confidence 0" in text
    assert "at 0, 0" in text
    assert "1.02" in text


def test_numbers_that_are_none_are_counted(tmp_path: Path) -> None:
    points = keypoints(18)
    points[0, 0] = np.nan
    points[1] = np.nan
    points[2, 2] = np.inf
    frames = {"a_0.json": [person(points), person(np.full((18, 3), np.nan))], "a_1.json": [person(keypoints(18))]}
    found = openpose_json.read(folder_of(tmp_path / "f", frames), rate_hz=30.0)
    assert any(step.startswith("21 points") for step in found.history)
    assert found.present.tolist() == [[True, False], [True, False]]
    assert np.isnan(found.positions[0, 0, :, 0]).tolist() == [True] * 3 + [False] * 15


def test_a_confidence_that_is_none_is_refused(tmp_path: Path) -> None:
    points = keypoints(18)
    points[3, 2] = 87
    folder = folder_of(tmp_path / "f", {"a_0.json": [person(points)]})
    with pytest.raises(InputError, match=r"a_0\.json: .* 87"):
        openpose_json.read(folder, rate_hz=30.0)


def test_an_image_size_that_is_not_declared_is_not_known(tmp_path: Path) -> None:
    points = keypoints(18)
    points[4, :2] = 639.4, 100
    points[5, :2] = 100, 479.5
    folder = folder_of(tmp_path / "f", {"a_0.json": [person(points)]})
    found = openpose_json.read(folder, rate_hz=30.0)
    assert found.image_size_px is None
    found = openpose_json.read(folder, rate_hz=30.0, image_size_px=(620, 480))
    assert found.image_size_px == (620, 480)
    assert any(step.startswith("1 keypoints") for step in found.history)


@pytest.mark.parametrize("scale", [3, 4])
def test_normalised_coordinates_need_the_image_size(tmp_path: Path, scale: int) -> None:
    points = keypoints(18)
    points[0] = 0, 0, 0
    normalised = points.copy()
    normalised[1:, :2] /= [639, 479]
    if scale == 4:
        normalised[1:, :2] = normalised[1:, :2] * 2 - 1
    folder = folder_of(tmp_path / "f", {"a_0.json": [person(normalised)]})
    with pytest.raises(InputError, match="keypoint_scale"):
        openpose_json.read(folder, rate_hz=30.0)
    found = openpose_json.read(folder, rate_hz=30.0, image_size_px=(640, 480))
    np.testing.assert_allclose(found.positions[0, 0, 1:], points[1:, :2])
    assert np.isnan(found.positions[0, 0, 0]).all()
    assert any(f"keypoint_scale {scale}" in step for step in found.history)


def test_frames_without_people(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "f", {"a_0.json": [], "a_1.json": [person(keypoints(18))], "a_2.json": [{}]})
    found = openpose_json.read(folder, rate_hz=30.0)
    assert found.people_per_frame.tolist() == [0, 1, 0]
    assert any(step.startswith("1 people") for step in found.history)
    empty = folder_of(tmp_path / "g", {"a_0.json": []})
    with pytest.raises(InputError, match="no person"):
        openpose_json.read(empty, rate_hz=30.0)
    assert len(openpose_json.read(empty, rate_hz=30.0, layout="body-25")) == 1


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ("", "empty"),
        ('{"version":1.3,"people":[{"pose_key', "JSON"),
        ("[1, 2]", "'people'"),
        ('{"annotations": []}', "'people'"),
        ('{"people": {"a": 1}}', "'people'"),
        ('{"people": [1]}', "'people'"),
        ('{"people": [{"pose_keypoints_2d": [1, 2]}]}', "x, y, confidence"),
        ('{"people": [{"pose_keypoints_2d": ["a", 2, 3]}]}', "x, y, confidence"),
        ('{"people": [{"pose_keypoints_2d": [[1, 2, 3]]}]}', "x, y, confidence"),
        ("[" * 100000, "JSON"),
        ('{"people": "\udcff"}', "UTF-8"),
    ],
)
def test_foreign_and_cut_files(tmp_path: Path, content: str, match: str) -> None:
    folder = folder_of(tmp_path / "f", {"a_0.json": [person(keypoints(18))]})
    (folder / "a_1.json").write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(InputError, match=rf"a_1\.json.*{match}"):
        openpose_json.read(folder, rate_hz=30.0)


def test_foreign_folders(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="folder"):
        openpose_json.read(tmp_path / "none", rate_hz=30.0)
    with pytest.raises(InputError, match=r"\.json"):
        openpose_json.read(tmp_path, rate_hz=30.0)
    assert not openpose_json.recognise(tmp_path)
    with pytest.raises(InputError, match="number"):
        openpose_json.read(folder_of(tmp_path / "f", {"video.json": []}), rate_hz=30.0)
    both = folder_of(tmp_path / "g", {"a_0.json": [], "b_0.json": []})
    assert openpose_json.recognise(both)
    with pytest.raises(InputError, match=r"frame 0"):
        openpose_json.read(both, rate_hz=30.0)
    with pytest.raises(InputError, match="is a file"):
        openpose_json.read(both / "a_0.json", rate_hz=30.0)


@pytest.mark.parametrize("skeleton", [BODY_25, BODY_25B, COCO_18, COCO_17], ids=lambda s: s.name)
def test_a_sequence_comes_back_exactly(tmp_path: Path, skeleton: Skeleton) -> None:
    written = sequence(skeleton)
    not_preserved = openpose_json.write(written, tmp_path / "walk_json")
    back = openpose_json.read(tmp_path / "walk_json", layout=skeleton.name, rate_hz=30.0, image_size_px=(640, 480))
    np.testing.assert_array_equal(back.positions[:, 0], written.positions)
    np.testing.assert_array_equal(back.confidence[:, 0], written.confidence)
    np.testing.assert_allclose(back.times_s, written.times_s, rtol=0, atol=1e-12)
    assert any("--fps 30" in words for words in not_preserved)
    assert sorted(p.name for p in (tmp_path / "walk_json").iterdir())[3] == "walk_json_000000000003_keypoints.json"


def test_written_as_openpose_does(tmp_path: Path) -> None:
    openpose_json.write(sequence(BODY_25, 1), tmp_path / "v")
    content = json.loads((tmp_path / "v" / "v_000000000000_keypoints.json").read_text())
    assert content["version"] == 1.3
    assert list(content["people"][0]) == [
        "person_id",
        "pose_keypoints_2d",
        "face_keypoints_2d",
        "hand_left_keypoints_2d",
        "hand_right_keypoints_2d",
        "pose_keypoints_3d",
        "face_keypoints_3d",
        "hand_left_keypoints_3d",
        "hand_right_keypoints_3d",
    ]
    assert content["people"][0]["person_id"] == [-1]
    assert len(content["people"][0]["pose_keypoints_2d"]) == 75


def test_detections_come_back_exactly(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    positions = rng.uniform(1, 600, (5, 3, 25, 2))
    positions[1, 2] = positions[2] = np.nan
    item = Detections(
        positions, rng.uniform(0.1, 1, (5, 3, 25)), np.arange(5) / 60, BODY_25, (640, 480), scores=np.ones((5, 3))
    )
    not_preserved = openpose_json.write(item, tmp_path / "v")
    back = openpose_json.read(tmp_path / "v", layout="body-25", rate_hz=60.0)
    np.testing.assert_array_equal(back.positions, item.positions)
    np.testing.assert_array_equal(back.confidence, item.confidence)
    assert "scores" in "".join(not_preserved)
    assert "repaired" not in "".join(not_preserved)
    repaired = replace(item, status=np.full((5, 3, 25), Status.REPAIRED))
    assert any("repaired" in sentence for sentence in openpose_json.write(repaired, tmp_path / "v"))


def test_gaps_in_time_survive_and_odd_times_are_counted(tmp_path: Path) -> None:
    times = np.array([2, 3, 7, 8, 9, 10]) / 29.97
    not_preserved = openpose_json.write(sequence(COCO_18, times_s=times), tmp_path / "v")
    np.testing.assert_allclose(openpose_json.read(tmp_path / "v", rate_hz=29.97).times_s, times, atol=1e-12)
    assert any("--fps 29.97" in sentence for sentence in not_preserved)
    not_preserved = openpose_json.write(
        sequence(COCO_18, times_s=np.array([0.5, 1, 1.7, 2.2, 3.1, 3.5])), tmp_path / "v"
    )
    assert any("grid" in sentence for sentence in not_preserved)


def test_other_layouts_are_mapped_to_body_25(tmp_path: Path) -> None:
    written = sequence(BLAZEPOSE_33)
    not_preserved = openpose_json.write(written, tmp_path / "v")
    back = openpose_json.read(tmp_path / "v", layout="body-25", rate_hz=30.0)
    np.testing.assert_array_equal(back.positions[:, 0, BODY_25.index("left_knee")], written["left_knee"])
    text = "\n".join(not_preserved)
    assert "left_hip+right_hip" in text
    assert "left_pinky" in text


def test_what_is_not_preserved(tmp_path: Path) -> None:
    plain = sequence(COCO_17)
    status = np.where(plain.valid, Status.INTERPOLATED, Status.MISSING)
    rich = plain.derive("smoothed", status=status, source=Source("a", "b"), confidence=np.zeros((6, 17)))
    text = "\n".join(openpose_json.write(rich, tmp_path / "v"))
    for words in ("interpolated", "history (1 steps)", "method", "640 x 480", f"{int(plain.valid.sum())} joints of"):
        assert words in text


def joints_3d(skeleton: Skeleton, n_frames: int = 5, **changes: Any) -> PoseSequence:
    rng = np.random.default_rng(4)
    positions = rng.normal(0, 1, (n_frames, len(skeleton), 3))
    positions[rng.random(positions.shape[:2]) < 0.2] = np.nan
    positions[0, 3] = 0.0  # a place like any other
    fields: dict[str, Any] = {"times_s": np.arange(n_frames) / 30, "frame_name": "lab", "up": "+z"}
    return PoseSequence(positions, skeleton=skeleton, unit="m", frame="world", **(fields | changes))


@pytest.mark.parametrize("skeleton", [BODY_25, COCO_18], ids=lambda s: s.name)
def test_3d_joints_come_back_exactly(tmp_path: Path, skeleton: Skeleton) -> None:
    written = joints_3d(skeleton)
    not_preserved = openpose_json.write(written, tmp_path / "joints_json")
    file = tmp_path / "joints_json" / "lab_000000000002_keypoints.json"
    (person,) = json.loads(file.read_text())["people"]
    assert person["pose_keypoints_2d"] == []
    assert len(person["pose_keypoints_3d"]) == 4 * len(skeleton)
    assert set(person["pose_keypoints_3d"][3::4]) == {0.0, 1.0}
    back = openpose_json.read(tmp_path / "joints_json", layout=skeleton.name, rate_hz=30.0)
    assert isinstance(back, PoseSequence)
    assert (back.unit, back.frame, back.frame_name) == ("m", "world", "joints")
    np.testing.assert_array_equal(back.positions, written.positions)
    np.testing.assert_array_equal(back.confidence, written.valid)
    np.testing.assert_allclose(back.times_s, written.times_s, atol=1e-12)
    assert any("(world of lab, up +z)" in sentence for sentence in not_preserved)
    assert not any("missing" in sentence for sentence in not_preserved)
    in_mm = openpose_json.read(tmp_path / "joints_json", layout=skeleton.name, rate_hz=30.0, unit="mm")
    np.testing.assert_allclose(in_mm.positions, written.positions / 1000)


def test_other_3d_layouts_are_mapped_to_body_25(tmp_path: Path) -> None:
    written = joints_3d(BLAZEPOSE_33)
    assert any("left_pinky" in words for words in openpose_json.write(written, tmp_path / "v"))
    back = openpose_json.read(tmp_path / "v", layout="body-25", rate_hz=30.0)
    np.testing.assert_array_equal(back["left_knee"], written["left_knee"])


def test_3d_folders_that_cannot_be_read(tmp_path: Path) -> None:
    def three(n: int, certain: float = 1.0) -> dict[str, Any]:
        return {"pose_keypoints_2d": [], "pose_keypoints_3d": [0.1, 0.2, 0.3, certain] * n}

    folder = folder_of(tmp_path / "two", {"a_0.json": [three(25)], "a_1.json": [three(25), three(25)]})
    with pytest.raises(InputError, match=r"a_1\.json.*several"):
        openpose_json.read(folder, rate_hz=30.0, layout="body-25")
    folder = folder_of(tmp_path / "one", {"a_0.json": [], "a_1.json": [three(25)]})
    assert openpose_json.dimensions(folder) == 3
    with pytest.raises(InputError, match=r"--layout body-25 .*--layout body-25b"):
        openpose_json.read(folder, rate_hz=30.0)
    with pytest.raises(InputError, match=r"25 .*coco-18.* 18"):
        openpose_json.read(folder, rate_hz=30.0, layout="coco-18")
    with pytest.raises(InputError, match=r"3D.*--unit px"):
        openpose_json.read(folder, rate_hz=30.0, layout="body-25", unit="px")
    found = openpose_json.read(folder, rate_hz=30.0, layout="body-25")
    assert isinstance(found, PoseSequence)
    assert found.valid.all(axis=1).tolist() == [False, True]
    odd = folder_of(tmp_path / "odd", {"a_0.json": [{"pose_keypoints_3d": [1.0, 2.0, 3.0]}]})
    with pytest.raises(InputError, match="pose_keypoints_3d"):
        openpose_json.read(odd, rate_hz=30.0, layout="body-25")
    sure = folder_of(tmp_path / "sure", {"a_0.json": [three(18, 7.0)]})
    with pytest.raises(InputError, match=" 7;"):
        openpose_json.read(sure, rate_hz=30.0)
    flat = folder_of(tmp_path / "flat", {"a_0.json": [person(keypoints(18)) | {"pose_keypoints_3d": [1.0] * 72}]})
    assert openpose_json.dimensions(flat) == 2
    assert isinstance(openpose_json.read(flat, rate_hz=30.0), Detections)
    with pytest.raises(InputError, match=r"2D.*--unit m"):
        openpose_json.read(flat, rate_hz=30.0, unit="m")


def test_files_bear_the_name_of_the_video(tmp_path: Path) -> None:
    openpose_json.write(sequence(COCO_18, 1, frame_name="walk"), tmp_path / "out")
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["walk_000000000000_keypoints.json"]
    openpose_json.write(sequence(COCO_18, 1, frame_name="../x"), tmp_path / "out")
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["x_000000000000_keypoints.json"]


def test_foreign_folders_are_not_written(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match=r"notes\.txt"):
        openpose_json.write(sequence(COCO_17), tmp_path)
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_an_existing_folder_is_replaced_whole(tmp_path: Path) -> None:
    openpose_json.write(sequence(COCO_17, 9), tmp_path / "v")
    openpose_json.write(sequence(COCO_17, 2), tmp_path / "v")
    assert len(list((tmp_path / "v").iterdir())) == 2
    assert [p.name for p in tmp_path.iterdir()] == ["v"]


def test_cut_files_raise_nothing_but_gonio_errors(tmp_path: Path) -> None:
    folder = tmp_path / "v"
    openpose_json.write(sequence(COCO_18, 2), folder)
    file = folder / "v_000000000001_keypoints.json"
    whole = file.read_bytes()
    for cut in np.random.default_rng(0).integers(0, len(whole), 40):
        file.write_bytes(whole[:cut])
        with pytest.raises(GonioError, match=file.name):
            openpose_json.read(folder, rate_hz=30.0)


def turned(angle: float) -> np.ndarray:
    """(25, 3) BODY_25 keypoints of a standing person, seen from `angle` (0: from the front, pi / 2: from the side)."""
    x, y = {
        "nose": (0, 160), "neck": (0, 145), "mid_hip": (0, 95), "shoulder": (19, 145), "elbow": (24, 115),
        "wrist": (26, 90), "hip": (10, 95), "knee": (11, 51), "ankle": (11, 8), "eye": (3, 164), "ear": (8, 162),
        "big_toe": (13, 3), "small_toe": (18, 3), "heel": (11, 3),
    }, {"nose": 12, "eye": 10, "ear": 2, "wrist": 8, "knee": 3, "big_toe": 18, "small_toe": 15, "heel": -6}  # fmt: skip
    points = []
    for joint in BODY_25.joints:
        part = joint.removeprefix("left_").removeprefix("right_")
        across = x[part][0] * (1 if joint.startswith("left") else -1)
        points.append((300 + across * np.cos(angle) + y.get(part, 0) * np.sin(angle), 300 - x[part][1], 0.9))
    return np.array(points)


def in_25b(points: np.ndarray) -> np.ndarray:
    """The same person as BODY_25B."""
    known = dict(zip(BODY_25.joints, points, strict=True))
    known["head_top"] = known["nose"] - [0, 18, 0]
    return np.array([known[joint] for joint in BODY_25B.joints])


PARTS = {
    "whole": (),
    "upper body": ("knee", "ankle", "toe", "heel"),
    "without hands and eyes": ("wrist", "eye"),
}


@pytest.mark.parametrize("absent", PARTS.values(), ids=PARTS)
@pytest.mark.parametrize("angle", [0.0, 0.8, np.pi / 2, np.pi])
def test_the_wrong_one_of_the_two_layouts_is_refused(tmp_path: Path, angle: float, absent: tuple[str, ...]) -> None:
    for right, wrong, points in ((BODY_25, BODY_25B, turned(angle)), (BODY_25B, BODY_25, in_25b(turned(angle)))):
        gone = [any(word in joint for word in absent) for joint in right.joints]
        points[gone] = 0
        folder = folder_of(tmp_path / right.name, {f"a_{i}.json": [person(points)] for i in range(3)})
        assert openpose_json.read(folder, rate_hz=30.0, layout=right.name).skeleton is right
        with pytest.raises(InputError, match=rf"{wrong.name}: .*{right.name}\?"):
            openpose_json.read(folder, rate_hz=30.0, layout=wrong.name)


@pytest.mark.parametrize(
    "absent", [("left",), ("right",), ("nose", "eye", "ear", "head", "neck"), ("shoulder", "heel")]
)
@pytest.mark.parametrize("angle", [0.0, 0.8, np.pi / 2])
def test_the_right_layout_is_never_refused(tmp_path: Path, angle: float, absent: tuple[str, ...]) -> None:
    rng = np.random.default_rng(0)
    for right, points in ((BODY_25, turned(angle)), (BODY_25B, in_25b(turned(angle)))):
        points[[any(word in joint for word in absent) for joint in right.joints]] = 0
        noisy = np.where(points[None, :, 2:] > 0, points + rng.normal(0, [5, 5, 0], (3, 25, 3)), 0)
        noisy[rng.random((3, 25)) < 0.2] = 0
        folder = folder_of(tmp_path / right.name, {f"a_{i}.json": [person(noisy[i])] for i in range(3)})
        assert openpose_json.read(folder, rate_hz=30.0, layout=right.name).skeleton is right


@pytest.mark.parametrize("kind", ["pose", "pose-associated"])
def test_a_real_recording_declared_as_the_other_layout(shared_data: Path, tmp_path: Path, kind: str) -> None:
    for camera in ("cam01", "cam02", "cam03", "cam04"):
        folder = shared_data / "pose2sim" / "balancing" / kind / f"{camera}_json"
        with pytest.raises(InputError, match=r"body-25: .*--layout body-25b"):
            openpose_json.read(folder, layout="body-25", rate_hz=60.0)
        view = openpose_json.read(folder, layout="body-25b", rate_hz=60.0)
        one = view.person(np.where(view.present[:, 0], 0, -1), "the first").to_skeleton(BODY_25)
        openpose_json.write(one, tmp_path / camera)
        openpose_json.read(tmp_path / camera, layout="body-25", rate_hz=60.0)
        with pytest.raises(InputError, match=r"body-25b: .*--layout body-25"):
            openpose_json.read(tmp_path / camera, layout="body-25b", rate_hz=60.0)


@pytest.mark.parametrize("camera", ["cam01", "cam02", "cam03", "cam04"])
@pytest.mark.parametrize("kind", ["pose", "pose-associated"])
def test_real_folders(shared_data: Path, kind: str, camera: str) -> None:
    folder = shared_data / "pose2sim" / "balancing" / kind / f"{camera}_json"
    found = openpose_json.read(folder, layout="body-25b", rate_hz=60.0)
    assert found.positions.shape[0] == 100
    assert found.frame_name == camera
    n_points = 0
    for t, file in enumerate(sorted(folder.iterdir())):  # an independent reading
        for p, values in enumerate(q for q in json.loads(file.read_text())["people"] if q):
            for j in range(25):
                x, y, c = values["pose_keypoints_2d"][3 * j : 3 * j + 3]
                expected = (x, y, c) if c else (np.nan, np.nan, 0.0)
                np.testing.assert_equal((*found.positions[t, p, j], found.confidence[t, p, j]), expected)
                n_points += c > 0
    assert n_points == int((~np.isnan(found.positions[..., 0])).sum())


def test_the_key_of_old_versions(tmp_path: Path) -> None:
    points = keypoints(18)
    old = {"pose_keypoints": points.ravel().tolist(), "face_keypoints": []}
    found = openpose_json.read(folder_of(tmp_path / "f", {"a_0.json": [old]}), rate_hz=30.0)
    np.testing.assert_array_equal(found.positions[0, 0], points[:, :2])
