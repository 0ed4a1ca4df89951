"""COCO's keypoint files: by hand, there and back, as pycocotools reads them, and damaged ones."""

from __future__ import annotations

import contextlib
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gonio.core.detections import Detections, smallest_image_px
from gonio.core.errors import InputError
from gonio.core.sequence import PoseSequence, Status
from gonio.core.skeleton import BODY_25, COCO_17
from gonio.io import coco_json, formats

CATEGORY = {"id": 1, "name": "person", "keypoints": list(COCO_17.joints), "skeleton": []}


def annotated(**changes: Any) -> dict[str, Any]:
    """Two images, given out of order; in the second one person, whose left wrist is not labelled."""
    keypoints = np.column_stack([np.arange(17) * 10.0 + 5, np.arange(17) * 5.0 + 3, np.full(17, 2.0)])
    keypoints[COCO_17.index("left_wrist")] = 0
    keypoints[COCO_17.index("nose"), 2] = 1
    person = {
        "id": 7,
        "image_id": 12,
        "category_id": 1,
        "keypoints": keypoints.ravel().tolist(),
        "num_keypoints": 16,
        "bbox": [5, 3, 160, 80],
        "area": 6000.5,
        "iscrowd": 0,
    }
    return {
        "images": [
            {"id": 12, "file_name": "b.jpg", "width": 640, "height": 480},
            {"id": 4, "file_name": "a.jpg", "width": 640, "height": 480},
        ],
        "categories": [{"id": 2, "name": "cat"}, CATEGORY],
        "annotations": [person | changes, {"id": 8, "image_id": 4, "category_id": 2, "bbox": [0, 0, 1, 1]}],
    }


def written(folder: Path, content: Any, name: str = "x.json") -> Path:
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def crowd(n_people: int = 2) -> Detections:
    """Two people in three frames, unevenly spaced; the second is away in frame 1; a joint is missing, one inferred."""
    rng = np.random.default_rng(5)
    positions = rng.uniform(1, 400, (3, n_people, 17, 2))
    positions[0, 0, 9] = np.nan
    if n_people > 1:
        positions[1, 1] = np.nan
    missing = np.isnan(positions).any(axis=3)
    status = np.where(missing, Status.MISSING, Status.MEASURED)
    status[2, 0, 3] = Status.INFERRED
    low, high = np.nanmin(np.nan_to_num(positions, nan=1e3), axis=2), np.nan_to_num(positions).max(axis=2)
    boxes = np.where(missing.all(axis=2)[..., None], np.nan, np.concatenate([low - 2, high + 2], axis=2))
    scores = np.where(missing.all(axis=2), 0.0, rng.uniform(0.5, 1, (3, n_people)))
    return Detections(
        positions,
        np.where(missing, 0.0, rng.uniform(0.1, 1, missing.shape)),
        np.array([0.5, 0.53, 0.58]),
        COCO_17,
        (640, 480),
        boxes_px=boxes,
        scores=scores,
        status=status,
    )


def test_annotations_by_hand(tmp_path: Path) -> None:
    people = coco_json.read_annotations(written(tmp_path, annotated()))
    assert len(people) == 1  # the cat is none
    assert people.image_ids.tolist() == [4, 12]
    assert people.file_names == ("a.jpg", "b.jpg")
    assert people.sizes_px.tolist() == [[640, 480], [640, 480]]
    assert people.joints == COCO_17.joints
    assert (people.person_ids.tolist(), people.person_image_ids.tolist()) == ([7], [12])
    assert people.keypoints.shape == (1, 17, 3)
    assert people.keypoints[0, 1].tolist() == [15, 8, 2]
    assert people.num_keypoints.tolist() == [16]
    assert people.boxes_px.tolist() == [[5, 3, 160, 80]]
    assert people.areas_px2.tolist() == [6000.5]
    assert not people.iscrowd.any()
    assert np.isnan(people.scores).all()
    assert not people.found

    one = formats.read(tmp_path / "x.json", rate_hz=25.0)
    assert isinstance(one, PoseSequence)
    assert one.times_s.tolist() == [0, 0.04]
    assert one.image_size_px == (640, 480)
    assert not one.valid[0].any()
    assert one["left_eye"][1].tolist() == [15, 8]
    assert one.counts()["left_wrist"] == dict.fromkeys(one.counts()["nose"], 0) | {"missing": 2}
    assert one.status[1, 0] == Status.INFERRED
    assert one.confidence[1, 0] == 1


def test_detections_there_and_back(tmp_path: Path) -> None:
    before = crowd()
    assert formats.write(before, tmp_path / "x.json") == ()
    back = formats.read(tmp_path / "x.json")
    assert isinstance(back, Detections)
    assert back.skeleton == COCO_17
    for name in ("positions", "confidence", "times_s", "status", "scores"):
        np.testing.assert_array_equal(getattr(back, name), getattr(before, name))
    np.testing.assert_allclose(back.boxes_px, before.boxes_px, rtol=1e-14)


def test_a_sequence_there_and_back(tmp_path: Path) -> None:
    positions = np.random.default_rng(0).uniform(5, 400, (4, 25, 2))
    positions[2, 7] = np.nan
    before = PoseSequence(positions, np.arange(4) / 50, BODY_25, "px", "image", history=("made up",))
    not_preserved = formats.write(before, tmp_path / "x.json")
    assert len(not_preserved) == 2
    assert "history" in not_preserved[0]
    assert "0 x 0" in not_preserved[1]
    back = formats.read(tmp_path / "x.json", rate_hz=50.0)
    assert isinstance(back, PoseSequence)
    assert back.skeleton == BODY_25
    assert back.image_size_px is None
    np.testing.assert_array_equal(back.positions, before.positions)
    with pytest.raises(InputError, match=r"50 .*30"):
        formats.read(tmp_path / "x.json", rate_hz=30.0)
    filled = before.derive(status=np.where(before.valid, Status.REPAIRED, Status.MISSING))
    assert "repaired" in formats.write(filled, tmp_path / "y.json")[0]


def test_what_a_program_found(tmp_path: Path) -> None:
    before = crowd(1)
    coco_json.write_found(before, tmp_path / "x.json", [3, 4, 6])
    back = formats.read(tmp_path / "x.json", rate_hz=10.0, image_size_px=(640, 480))
    assert isinstance(back, PoseSequence)
    np.testing.assert_allclose(back.times_s, [0.3, 0.4, 0.6])
    np.testing.assert_array_equal(back.positions, before.positions[:, 0])
    np.testing.assert_array_equal(back.confidence, before.confidence[:, 0])
    people = coco_json.read_annotations(tmp_path / "x.json")
    assert people.found
    assert people.scores.tolist() == before.scores[:, 0].tolist()  # type: ignore[index]
    assert coco_json.read(tmp_path / "x.json", rate_hz=10.0).image_size_px is None


def test_people_without_an_image_size_are_written_with_the_smallest_that_holds_them(tmp_path: Path) -> None:
    before = replace(crowd(1), image_size_px=None)
    coco_json.write(before, tmp_path / "x.json")
    people = coco_json.read_annotations(tmp_path / "x.json")
    assert people.sizes_px.tolist() == [list(smallest_image_px(before.positions))] * len(before)


def test_scores_that_are_no_probabilities_are_counted(tmp_path: Path) -> None:
    found = [{"image_id": 1, "category_id": 1, "keypoints": [5, 6, 3.5] * 17, "score": 0.5}]
    item = coco_json.read(written(tmp_path, found), rate_hz=1.0)
    assert item.confidence.max() == 1
    assert any(step.startswith("17 scores") for step in item.history)


def test_regions_of_many_people(tmp_path: Path) -> None:
    content = annotated(iscrowd=1, keypoints=[0] * 51, num_keypoints=0)
    path = written(tmp_path, content)
    assert coco_json.read_annotations(path).iscrowd.tolist() == [True]
    item = coco_json.read(path, rate_hz=1.0)
    assert not item.present.any()
    assert any(step.startswith("1 regions") for step in item.history)


def test_pycocotools_reads_the_same(tmp_path: Path) -> None:
    coco = pytest.importorskip("pycocotools.coco")
    from pycocotools.cocoeval import COCOeval

    item = crowd()
    coco_json.write(item, tmp_path / "truth.json")
    coco_json.write_found(item, tmp_path / "found.json", [1, 2, 3])
    with contextlib.redirect_stdout(io.StringIO()):
        truth = coco.COCO(str(tmp_path / "truth.json"))
        found = truth.loadRes(str(tmp_path / "found.json"))
        evaluation = COCOeval(truth, found, "keypoints")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    assert evaluation.stats[0] == pytest.approx(1.0)  # every person is found, exactly there
    assert truth.loadCats(1)[0]["keypoints"] == list(COCO_17.joints)
    for frame in range(3):
        theirs = truth.loadAnns(truth.getAnnIds(imgIds=[frame + 1]))
        ours = [p for p in range(2) if item.present[frame, p]]
        assert len(theirs) == len(ours)
        for annotation, person in zip(theirs, ours, strict=True):
            xyv = np.reshape(annotation["keypoints"], (17, 3))
            there = ~np.isnan(item.positions[frame, person, :, 0])
            np.testing.assert_array_equal(xyv[:, 2] > 0, there)
            np.testing.assert_array_equal(xyv[there, :2], item.positions[frame, person, there])


def without(key: str) -> dict[str, Any]:
    return {name: value for name, value in annotated().items() if name != key}


@pytest.mark.parametrize(
    ("content", "word"),
    [
        ("", "empty"),
        (json.dumps(annotated())[:200], "JSON"),
        ('{"images": [' + "[" * 100_000, "JSON"),
        (without("annotations"), "annotations"),
        (without("categories"), "categories"),
        (annotated() | {"categories": []}, "category"),
        (annotated() | {"categories": [CATEGORY, CATEGORY]}, "2 categories"),
        (annotated() | {"categories": [CATEGORY | {"keypoints": ["nose", "nose"]}]}, "names"),
        (annotated() | {"images": []}, "image 12"),
        (annotated() | {"images": annotated()["images"] * 2}, "id 12"),
        (annotated() | {"annotations": annotated()["annotations"] * 2}, "id 7"),
        (annotated() | {"annotations": [3]}, "lists"),
        (annotated() | {"images": [{"id": 12, "width": 1, "height": 2}, {"id": 4}]}, "2 sizes"),
        (annotated(keypoints=[1.0] * 50), "50 .*51"),
        (annotated(keypoints=None), "list"),
        (annotated(keypoints=[float("nan")] * 51), "finite"),
        (annotated(keypoints=["a"] * 51), "finite"),
        (annotated(keypoints=[5, 5, 3] * 17), "0, 1, 2"),
        (annotated(image_id="12"), "image_id .*'12'"),
        (annotated(bbox=[1, 2, 3]), "bbox .*3 "),
        (annotated(area=float("inf")), "area .*'inf'"),
        (annotated(score=7), "score"),
        ([{"image_id": 1, "keypoints": [1] * 51}, 4], "lists"),
    ],
)
def test_damaged_files(tmp_path: Path, content: Any, word: str) -> None:
    path = written(tmp_path, content)
    with pytest.raises(InputError, match=word) as raised:
        formats.read(path, rate_hz=25.0)
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_rate_is_asked_for(tmp_path: Path) -> None:
    path = written(tmp_path, annotated())
    with pytest.raises(InputError, match="--fps"):
        coco_json.read(path)
    with pytest.raises(InputError, match=r"0\.0"):
        coco_json.read(path, rate_hz=0.0)


def test_openpose_files_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path, {"version": 1.3, "people": []})
    with pytest.raises(InputError, match="OpenPose"):
        formats.read(path, rate_hz=25.0)


def test_3d_is_refused(tmp_path: Path) -> None:
    joints_3d = PoseSequence(np.zeros((2, 17, 3)), np.arange(2.0), COCO_17, "m", "world")
    with pytest.raises(InputError, match="3D"):
        formats.write(joints_3d, tmp_path / "x.json")
    with pytest.raises(InputError, match="3D"):
        formats.check_target(tmp_path / "x.json", 3)
