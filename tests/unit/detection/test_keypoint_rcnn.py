"""Keypoint R-CNN without torchvision: what becomes of the network's answers, and what is said where it is absent.

The network itself is tested in tests/detectron, in an environment that has torchvision.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from sentences import numbers_in

from gonio.core.arrays import VideoFrame
from gonio.core.errors import ConfigError, InputError, MissingExtraError
from gonio.core.skeleton import COCO_17
from gonio.detection.keypoint_rcnn import (
    KeypointRCNN,
    KeypointRCNNOptions,
    Network,
    People,
    confidence_of,
    load_network,
)
from gonio.detection.registry import create
from gonio.io import archive, formats, registry

SIZE = (640, 480)


def people(n: int, seed: int) -> People:
    rng = np.random.default_rng(seed)
    corners = rng.uniform(0, 300, (n, 2))
    keypoints = corners[:, None] + rng.uniform(0, 150, (n, 17, 2))
    boxes = np.concatenate([keypoints.min(axis=1), keypoints.max(axis=1)], axis=1)
    return People(keypoints, rng.normal(5, 6, (n, 17)), boxes, np.sort(rng.uniform(0.3, 1.0, n))[::-1])


FOUND = [people(3, 1), people(0, 2), people(2, 3)]


def network(_file: Path | None) -> Network:
    return lambda image: FOUND[int(image[0, 0, 0])]


def frames(n: int = 3, size: tuple[int, int] = SIZE) -> list[VideoFrame]:
    return [VideoFrame(i, i / 25, np.full((size[1], size[0], 3), i, np.uint8)) for i in range(n)]


def detect(**options):
    found = KeypointRCNN(load=network, **options)
    return found.detect(frames(), camera="cam01", image_size_px=SIZE)


def test_boxes_scores_and_keypoints_are_kept() -> None:
    found = detect(min_score=0.0)
    assert found.skeleton is COCO_17
    assert found.people_per_frame.tolist() == [3, 0, 2]
    for t, seen in enumerate(FOUND):
        np.testing.assert_array_equal(found.positions[t, : len(seen)], seen.keypoints_px)
        np.testing.assert_array_equal(found.boxes_px[t, : len(seen)], seen.boxes_px)
        np.testing.assert_array_equal(found.scores[t, : len(seen)], seen.scores)
        np.testing.assert_allclose(found.confidence[t, : len(seen)], 1 / (1 + np.exp(-seen.logits)))
    np.testing.assert_allclose(found.times_s, [0, 0.04, 0.08])
    assert found.source.model == "keypoint-rcnn"
    assert numbers_in(found.history[0]) == [5, 3, 3, 1, 0, 0]  # people, frames, at once, empty, below a score of 0


def test_people_below_the_score_are_left_out_and_counted() -> None:
    scores = np.concatenate([seen.scores for seen in FOUND])
    found = detect(min_score=0.6)
    assert found.people_per_frame.sum() == (scores >= 0.6).sum()
    assert numbers_in(found.history[0])[-2:] == [(scores < 0.6).sum(), 0.6]


def test_confidence_is_the_logistic_function() -> None:
    np.testing.assert_allclose(confidence_of([-1000, -2, 0, 2, 1000]), [0, 0.119203, 0.5, 0.880797, 1], atol=1e-6)


def test_a_frame_of_another_size_is_refused() -> None:
    with pytest.raises(InputError, match=r"cam01.*frame 0 .*320x240 px.*640x480"):
        KeypointRCNN(load=network).detect(frames(1, (320, 240)), camera="cam01", image_size_px=SIZE)


def test_its_file_is_read_by_gonio_and_by_videopose3d(tmp_path: Path) -> None:
    """One .npz: gonio's archive bit for bit, and the four arrays that `infer_video` writes."""
    found = detect(min_score=0.0)
    path = tmp_path / "video.npz"
    assert formats.write(found, path) == ()
    back = formats.read(path)
    assert registry.recognise(path).key == "archive"
    np.testing.assert_array_equal(back.positions, found.positions)
    np.testing.assert_array_equal(back.confidence, found.confidence)
    np.testing.assert_array_equal(back.scores, found.scores)
    np.testing.assert_array_equal(back.times_s, found.times_s)
    assert (back.source, back.history, back.image_size_px) == (found.source, found.history, SIZE)
    with np.load(path, allow_pickle=True, encoding="latin1") as npz:  # as VideoPose3D's script does
        boxes, keypoints, metadata = npz["boxes"], npz["keypoints"], npz["metadata"].item()
        assert len(npz["segments"]) == 3
    assert metadata == {"w": 640, "h": 480}
    assert len(boxes) == len(keypoints) == 3
    for t, seen in enumerate(FOUND):
        assert boxes[t][1].shape == (len(seen), 5)
        assert keypoints[t][1].shape == (len(seen), 4, 17)
        np.testing.assert_allclose(boxes[t][1], np.column_stack([seen.boxes_px, seen.scores]), rtol=1e-6)
        np.testing.assert_allclose(keypoints[t][1][:, :2].swapaxes(1, 2), seen.keypoints_px, rtol=1e-6)
        np.testing.assert_allclose(keypoints[t][1][:, 2], seen.logits, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(keypoints[t][1][:, 3], confidence_of(seen.logits), rtol=1e-6)
    best = keypoints[0][1][np.argmax(boxes[0][1][:, 4])]
    np.testing.assert_allclose(best[:2].T, FOUND[0].keypoints_px[0], rtol=1e-6)


def test_gonio_reads_the_four_arrays_without_its_own(tmp_path: Path) -> None:
    """The same file as one by infer_video: what gonio reads of those is what was written."""
    from gonio.io import videopose3d_npz

    found = detect(min_score=0.0)
    formats.write(found, tmp_path / "video.npz")
    back = videopose3d_npz.read_detections(tmp_path / "video.npz", rate_hz=25.0)
    np.testing.assert_allclose(back.positions, found.positions, rtol=1e-6)
    np.testing.assert_allclose(back.confidence, found.confidence, atol=1e-6)
    np.testing.assert_allclose(back.scores[back.present], found.scores[found.present], rtol=1e-6)


def test_one_person_of_the_file_becomes_a_table(tmp_path: Path) -> None:
    one = detect(min_score=0.0).reordered(np.array([[0], [-1], [1]]), "one")
    formats.write(one, tmp_path / "video.npz")
    formats.write(formats.read(tmp_path / "video.npz"), tmp_path / "video.csv")
    table = formats.read(tmp_path / "video.csv")
    np.testing.assert_allclose(table.positions[2], FOUND[2].keypoints_px[1])
    assert np.isnan(table.positions[1]).all()


def test_detections_that_lack_something_are_an_archive_alone(tmp_path: Path) -> None:
    from dataclasses import replace

    found = detect(min_score=0.0)
    gap = np.array(found.positions)
    gap[0, 0, 3] = np.nan
    for item in (replace(found, boxes_px=None), replace(found, positions=gap)):
        formats.write(item, tmp_path / "x.npz")
        assert "boxes" not in np.load(tmp_path / "x.npz", allow_pickle=False).files
        archive.read(tmp_path / "x.npz")


def test_a_score_outside_0_to_1_is_refused() -> None:
    with pytest.raises(ConfigError, match="min_score = 2"):
        KeypointRCNNOptions(min_score=2.0)


@pytest.mark.skipif(importlib.util.find_spec("torchvision") is not None, reason="torchvision is installed here")
def test_without_torchvision_it_says_which_extra_is_missing(tmp_path: Path, monkeypatch, capsys) -> None:
    from gonio.cli import main

    message = r"keypoint-rcnn needs torch(vision)?, which is not installed: pip install 'gonio\[detectron\]'"
    with pytest.raises(MissingExtraError, match=message):
        create("keypoint-rcnn").detect([], camera="a", image_size_px=SIZE)
    with pytest.raises(MissingExtraError, match=message):
        load_network(None)
    (tmp_path / "a.mp4").write_bytes(b"")
    monkeypatch.setattr("gonio.io.video.probe", lambda _path: type("Info", (), {"size_px": SIZE, "n_frames": 3}))
    line = ["gonio", "detect", str(tmp_path / "a.mp4"), "--detector", "keypoint-rcnn", "-o", str(tmp_path / "a.npz")]
    monkeypatch.setattr("sys.argv", line)
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 2
    assert "gonio[detectron]" in capsys.readouterr().err
    assert not (tmp_path / "a.npz").exists()
