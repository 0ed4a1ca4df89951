"""VideoPose3D's files: its sets as its own scripts make them, round trips, detections, and foreign files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gonio.core.detections import Detections
from gonio.core.errors import InputError
from gonio.core.sequence import PoseSequence
from gonio.core.skeleton import BODY_25, COCO_17, H36M_17
from gonio.io import formats, registry, videopose3d_npz
from gonio.io.videopose3d_npz import Recording, VideoPose3DSet

COCO = {"layout_name": "coco", "num_joints": 17, "keypoints_symmetry": [[1, 3], [2, 4]]}
H36M = {"layout_name": "h36m", "num_joints": 17, "keypoints_symmetry": [[4, 5, 6, 11, 12, 13], [1, 2, 3, 14, 15, 16]]}
RNG = np.random.default_rng(0)


def flat(n_frames: int = 5, rate_hz: float = 25.0) -> PoseSequence:
    positions = np.random.default_rng(1).uniform(5, 400, (n_frames, 17, 2)).astype(np.float32)
    return PoseSequence(
        positions, np.arange(n_frames) / rate_hz, COCO_17, "px", "image", frame_name="walk", image_size_px=(640, 480)
    )


def test_a_custom_set_there_and_back(tmp_path: Path) -> None:
    path = tmp_path / "data_2d_custom_clinic.npz"
    lost = formats.write({"walk": flat(), "squat": flat(3)}, path)
    assert any(loss.startswith("walk: ") and "25 frames" in loss for loss in lost)
    assert registry.recognise(path).key == "videopose3d_npz"
    back = formats.read(path, rate_hz=25.0)
    assert isinstance(back, dict)
    assert list(back) == ["walk/custom/0", "squat/custom/0"]
    walk = back["walk/custom/0"]
    np.testing.assert_array_equal(walk.positions, flat().positions)
    np.testing.assert_array_equal(walk.times_s, flat().times_s)
    assert (walk.image_size_px, walk.frame_name, walk.skeleton) == ((640, 480), "walk", COCO_17)


def test_the_written_set_is_what_its_scripts_expect(tmp_path: Path) -> None:
    path = tmp_path / "data_2d_custom_one.npz"
    formats.write(flat(), path)
    with np.load(path, allow_pickle=True) as npz:  # our own file, as VideoPose3D opens it
        positions, metadata = npz["positions_2d"].item(), npz["metadata"].item()
    assert list(positions) == ["walk"]
    (array,) = positions["walk"]["custom"]
    assert (array.dtype, array.shape) == (np.float32, (5, 17, 2))
    assert metadata["layout_name"] == "coco"
    assert metadata["num_joints"] == 17
    assert metadata["keypoints_symmetry"] == [[1, 3, 5, 7, 9, 11, 13, 15], [2, 4, 6, 8, 10, 12, 14, 16]]
    assert metadata["video_metadata"] == {"walk": {"w": 640, "h": 480}}


def test_another_layout_is_mapped_by_name(tmp_path: Path) -> None:
    positions = RNG.uniform(5, 400, (2, 25, 2))
    item = PoseSequence(positions, [0, 0.1], BODY_25, "px", "image", image_size_px=(640, 480))
    lost = videopose3d_npz.write(item, tmp_path / "data_2d_custom_b.npz")
    assert any("left_big_toe" in loss for loss in lost)
    back = videopose3d_npz.read(tmp_path / "data_2d_custom_b.npz", rate_hz=10.0)
    assert isinstance(back, PoseSequence)
    np.testing.assert_allclose(back["left_knee"], item["left_knee"], rtol=1e-6)


def test_what_cannot_be_written(tmp_path: Path) -> None:
    gap = flat().positions.copy()
    gap[2, 3] = np.nan
    solid = PoseSequence(np.zeros((2, 17, 3)), [0, 1], H36M_17, "m", "world")
    for item, match in (
        (flat().derive(positions=gap), "1 of 85"),
        (flat().to_skeleton(H36M_17), "nose"),
        (flat().derive(image_size_px=None), "size"),
        (solid, "2D"),
        ({}, "person"),
    ):
        with pytest.raises(InputError, match=match):
            videopose3d_npz.write(item, tmp_path / "data_2d_custom_x.npz")
    assert not list(tmp_path.iterdir())
    formats.write(flat(), tmp_path / "other.npz")  # another name is gonio's archive
    assert registry.recognise(tmp_path / "other.npz").key == "archive"


def test_human36m_2d(tmp_path: Path) -> None:
    views = [RNG.uniform(0, 1000, (6, 17, 2)).astype(np.float32) for _ in range(4)]
    np.savez_compressed(
        tmp_path / "data_2d_h36m_gt.npz",
        positions_2d={"S1": {"Walking 1": views}, "S9": {"Eating": views[:4]}},
        metadata=H36M,
    )
    dataset = VideoPose3DSet(tmp_path / "data_2d_h36m_gt.npz").recordings()
    assert list(dataset)[:2] == [Recording("S1", "Walking 1", "54138969"), Recording("S1", "Walking 1", "55011271")]
    second = dataset[Recording("S1", "Walking 1", "55011271")]
    np.testing.assert_array_equal(second.positions, views[1])
    assert second.rate_hz == pytest.approx(50)
    assert second.frame_name == "55011271"
    assert {r.subject for r in VideoPose3DSet(tmp_path / "data_2d_h36m_gt.npz").recordings(["S9"])} == {"S9"}
    with pytest.raises(InputError, match=r"S5.*S1, S9"):
        VideoPose3DSet(tmp_path / "data_2d_h36m_gt.npz").recordings(["S5"])


def test_human36m_3d_keeps_17_of_32_joints(tmp_path: Path) -> None:
    array = RNG.normal(size=(4, 32, 3)).astype(np.float32)
    np.savez_compressed(tmp_path / "data_3d_h36m.npz", positions_3d={"S1": {"Walking": array}})
    sequence = VideoPose3DSet(tmp_path / "data_3d_h36m.npz").recordings()[Recording("S1", "Walking")]
    kept = [0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27]
    np.testing.assert_array_equal(sequence.positions, array[:, kept])
    np.testing.assert_array_equal(sequence["left_hip"], array[:, 6])
    np.testing.assert_array_equal(sequence["right_wrist"], array[:, 27])
    assert (sequence.skeleton, sequence.up, sequence.rate_hz) == (H36M_17, "+z", pytest.approx(50))


def test_humaneva(tmp_path: Path) -> None:
    array = RNG.normal(size=(4, 15, 3)).astype(np.float32)
    np.savez(tmp_path / "data_3d_humaneva15.npz", positions_3d={"Train/S1": {"Walking 1 chunk0": array}})
    (sequence,) = VideoPose3DSet(tmp_path / "data_3d_humaneva15.npz").recordings().values()
    np.testing.assert_array_equal(sequence["left_ankle"], array[:, 10])
    np.testing.assert_array_equal(sequence["head"], array[:, 14])
    assert sequence.rate_hz == pytest.approx(60)
    left, right = zip(*sequence.skeleton.left_right_pairs, strict=True)
    assert (left, right) == ((2, 3, 4, 8, 9, 10), (5, 6, 7, 11, 12, 13))


def detections_file(path: Path, **changes: Any) -> Path:
    """Three frames with two, no and one person, as infer_video writes them."""
    found = [RNG.uniform(0.1, 0.9, (n, 4, 17)) for n in (2, 0, 1)]
    boxes = [RNG.uniform(0, 1, (n, 5)) for n in (2, 0, 1)]
    entries: dict[str, Any] = {
        "boxes": np.array([[[], each] for each in boxes], dtype=object),
        "keypoints": np.array(
            [[[], each] for each in found[:1]] + [[[], []]] + [[[], each] for each in found[2:]], dtype=object
        ),
        "segments": None,
        "metadata": {"w": 1920, "h": 1080},
    }
    np.savez_compressed(path, **(entries | changes))
    return path


def test_detections(tmp_path: Path) -> None:
    path = detections_file(tmp_path / "walk.mp4.npz")
    item = formats.read(path, rate_hz=30.0)
    assert isinstance(item, Detections)
    assert item.people_per_frame.tolist() == [2, 0, 1]
    assert (item.image_size_px, item.skeleton) == ((1920, 1080), COCO_17)
    with np.load(path, allow_pickle=True) as npz:
        second = npz["keypoints"][0][1][1]
        box = npz["boxes"][2][1][0]
    np.testing.assert_array_equal(item.positions[0, 1], second[:2].T)
    np.testing.assert_array_equal(item.confidence[0, 1], second[3])
    assert item.boxes_px is not None
    assert item.scores is not None
    np.testing.assert_array_equal(item.boxes_px[2, 0], box[:4])
    assert item.scores[2, 0] == box[4]
    with pytest.raises(InputError, match="--fps"):
        formats.read(path)


@pytest.mark.parametrize(
    ("entries", "match"),
    [
        ({"something": np.zeros(3)}, "something"),
        ({"positions_2d": [1, 2], "metadata": COCO}, "subjects"),
        ({"positions_2d": {"a": {"b": 3}}, "metadata": H36M}, "a/b"),
        ({"positions_2d": {}, "metadata": H36M}, "recording"),
        ({"positions_2d": {"a": {"b": [np.zeros((2, 17, 2))]}}}, "metadata"),
        ({"positions_2d": {"a": {"b": [np.zeros((2, 17, 2))]}}, "metadata": COCO}, "--fps"),
        ({"positions_2d": {"a": {"b": [np.zeros((2, 16, 2))]}}, "metadata": H36M}, r"\(time, 17, 2\)"),
        ({"positions_2d": {"a": {"b": [np.array(["x"])]}}, "metadata": H36M}, r"\(time, 17, 2\)"),
        ({"positions_2d": {}, "metadata": {"layout_name": "mpii"}}, "'mpii'"),
        ({"positions_3d": {"a": {"b": np.zeros((2, 20, 3))}}}, r"\(time, 17, 3\)"),
        ({"positions_3d": {"a": {"b": np.full((2, 17, 3), np.inf)}}}, "infinite"),
    ],
)
def test_foreign_sets(tmp_path: Path, entries: dict[str, Any], match: str) -> None:
    np.savez(tmp_path / "x.npz", **entries)
    with pytest.raises(InputError, match=match) as raised:
        VideoPose3DSet(tmp_path / "x.npz").recordings()
    assert "x.npz" in str(raised.value)


@pytest.mark.parametrize(
    "changes", [{"metadata": {"w": 3}}, {"boxes": np.zeros(2)}, {"keypoints": np.zeros((3, 2, 7))}]
)
def test_foreign_detections(tmp_path: Path, changes: dict[str, Any]) -> None:
    path = detections_file(tmp_path / "x.npz", **changes)
    with pytest.raises(InputError, match="infer_video"):
        videopose3d_npz.read_detections(path, rate_hz=30.0)


def test_an_impossible_rate(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="-1"):
        videopose3d_npz.read_detections(detections_file(tmp_path / "x.npz"), rate_hz=-1)


def test_a_3d_set_is_written_and_read_back(tmp_path):
    rng = np.random.default_rng(0)
    own = PoseSequence(
        positions=rng.normal(size=(5, 17, 3)),
        times_s=np.arange(5) / 50,
        skeleton=H36M_17,
        unit="m",
        frame="world",
        frame_name="patient",
        up="+z",
    )
    turned = own.with_up("+y")
    lost = formats.write({"a": own, "b": turned}, tmp_path / "data_3d_clinic.npz")
    assert any("times" in sentence for sentence in lost)
    back = formats.read(tmp_path / "data_3d_clinic.npz")
    assert list(back) == ["a/custom", "b/custom"]
    for sequence in back.values():
        assert (sequence.skeleton, sequence.up, sequence.rate_hz) == (H36M_17, "+z", pytest.approx(50.0))
        np.testing.assert_allclose(sequence.positions, own.positions, atol=1e-6)


def test_a_3d_set_needs_whole_bodies_in_3d(tmp_path):
    positions = np.zeros((2, 17, 3))
    positions[1, 3] = np.nan
    gap = PoseSequence(positions, np.arange(2) / 50, H36M_17, "m", "world", up="+z")
    with pytest.raises(InputError, match="1 of 34"):
        formats.write(gap, tmp_path / "data_3d_x.npz")
    flat = PoseSequence(positions[:, :, :2], np.arange(2) / 50, H36M_17, "px", "image", image_size_px=(10, 10))
    with pytest.raises(InputError, match="3D sequence"):
        formats.write(flat, tmp_path / "data_3d_x.npz")
    assert not (tmp_path / "data_3d_x.npz").exists()
