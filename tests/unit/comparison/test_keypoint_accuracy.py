"""PCK by a plain loop, OKS as pycocotools computes it, and cases whose answer is known."""

from __future__ import annotations

import builtins
import contextlib
import io
from dataclasses import replace

import numpy as np
import pytest

from gonio.comparison.keypoint_accuracy import (
    AnnotatedPeople,
    FoundPeople,
    accuracy,
    average_precision,
    object_keypoint_similarity,
)
from gonio.core.errors import InputError, MissingExtraError
from gonio.core.skeleton import COCO_17

pytest.importorskip("pycocotools")
K = len(COCO_17)


def people(rng: np.random.Generator, n: int = 40, pictures: int = 15) -> AnnotatedPeople:
    """Bodies of 60 to 250 px, a fifth of the joints not annotated, well apart from one another."""
    corner = np.stack([500.0 * np.arange(n), rng.uniform(50, 90, n)], axis=-1)
    size = rng.uniform(60, 250, (n, 1)) * [1.0, 1.5]
    positions = corner[:, None] + size[:, None] * rng.uniform(0.02, 0.98, (n, K, 2))
    positions[rng.random((n, K)) < 0.2] = np.nan
    return AnnotatedPeople(
        image_ids=np.arange(pictures) + 10,
        joints=COCO_17.joints,
        person_image_ids=rng.integers(10, 10 + pictures, n),
        positions=positions,
        boxes_px=np.hstack([corner, size]),
        areas_px2=size.prod(axis=1) * rng.uniform(0.4, 0.7, n),
        crowd=np.zeros(n, dtype=bool),
    )


def found_of(truth: AnnotatedPeople, rng: np.random.Generator) -> FoundPeople:
    """Four fifths of them, with errors of very different size, joints that are missing, and ten people who are not."""
    which = rng.permutation(len(truth.positions))[: int(0.8 * len(truth.positions))]
    scale = truth.boxes_px[which, 2:].max(axis=1)[:, None, None] * rng.choice([0.01, 0.05, 0.2], (len(which), K, 1))
    exact = np.where(np.isnan(truth.positions[which]), truth.boxes_px[which, None, :2] + 20, truth.positions[which])
    real = exact + rng.normal(size=(len(which), K, 2)) * scale
    real[rng.random((len(which), K)) < 0.05] = np.nan
    invented = rng.uniform(-900, -300, (10, 1, 2)) + rng.uniform(0, 200, (10, K, 2))
    return FoundPeople(
        COCO_17.joints,
        np.concatenate([truth.person_image_ids[which], rng.choice(truth.image_ids, 10)]),
        np.concatenate([real, invented]),
        rng.uniform(0.05, 1, len(which) + 10),
    )


def coco_evaluation(truth: AnnotatedPeople, found: FoundPeople):
    """pycocotools, fed by hand."""
    from pycocotools import coco
    from pycocotools.cocoeval import COCOeval

    def flat(joints, v):
        return np.where(np.isnan(joints[:, :1]), 0, np.column_stack([joints, np.full(K, v)])).ravel().tolist()

    with contextlib.redirect_stdout(io.StringIO()):
        annotated = coco.COCO()
        annotated.dataset = {
            "images": [{"id": int(i)} for i in truth.image_ids],
            "categories": [{"id": 1, "name": "person"}],
            "annotations": [
                {"id": i + 1, "image_id": int(image), "category_id": 1, "keypoints": flat(joints, 2),
                 "num_keypoints": int((~np.isnan(joints[:, 0])).sum()), "bbox": box.tolist(), "area": float(area),
                 "iscrowd": int(crowd)}
                for i, (image, joints, box, area, crowd) in enumerate(zip(
                    truth.person_image_ids, truth.positions, truth.boxes_px, truth.areas_px2, truth.crowd, strict=True
                ))
            ],
            "info": {},
        }  # fmt: skip
        annotated.createIndex()
        results = [
            {"image_id": int(image), "category_id": 1, "keypoints": flat(joints, 1), "score": float(score)}
            for image, joints, score in zip(found.person_image_ids, found.positions, found.scores, strict=True)
        ]
        evaluation = COCOeval(annotated, annotated.loadRes(results), "keypoints")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation


def test_oks_is_that_of_pycocotools():
    rng = np.random.default_rng(1)
    truth = people(rng)
    truth = replace(truth, positions=truth.positions + [3000.0, 3000.0])  # far from 0, 0, which is "missing" there
    found = found_of(truth, rng)
    evaluation = coco_evaluation(truth, found)
    compared = 0
    for image in truth.image_ids:
        here, there = truth.person_image_ids == image, np.flatnonzero(found.person_image_ids == image)
        there = there[np.argsort(-found.scores[there], kind="stable")]
        theirs = evaluation.computeOks(image, 1)
        if len(theirs):
            ours = object_keypoint_similarity(truth.positions[here], truth.areas_px2[here], found.positions[there])
            np.testing.assert_allclose(ours.T, theirs, atol=1e-9)
            compared += ours.size
    assert compared > 50


def test_ap_is_that_of_pycocotools():
    rng = np.random.default_rng(2)
    truth = people(rng)
    found = found_of(truth, rng)
    ours = average_precision(truth, found)
    theirs = coco_evaluation(truth, found).stats
    assert 0 < ours["AP"] < 1
    for value, expected in zip(ours.values(), theirs, strict=True):
        assert (value is None and expected == -1) or value == pytest.approx(expected, abs=1e-12)


def test_pck_is_that_of_a_plain_loop():
    """The people stand so far apart that who is who needs no rule: the nearest is it."""
    rng = np.random.default_rng(3)
    truth = people(rng)
    found = found_of(truth, rng)
    result = accuracy(truth, found)
    right = n = seen_n = seen = 0
    by_joint = dict.fromkeys(COCO_17.joints, 0)
    for person in range(len(truth.positions)):
        radius = 0.2 * max(truth.boxes_px[person, 2], truth.boxes_px[person, 3])
        candidates = [
            f
            for f in range(len(found.positions))
            if found.person_image_ids[f] == truth.person_image_ids[person]
            and np.nanmin(np.hypot(*(found.positions[f] - truth.positions[person]).T)) <= radius
        ]
        assert len(candidates) <= 1
        seen += len(candidates)
        for joint in range(K):
            if np.isnan(truth.positions[person, joint, 0]):
                continue
            n += 1
            seen_n += len(candidates)
            for f in candidates:
                dx, dy = found.positions[f, joint] - truth.positions[person, joint]
                if (dx * dx + dy * dy) ** 0.5 <= radius:
                    right += 1
                    by_joint[COCO_17.joints[joint]] += 1
    assert 0.3 < right / n < 0.9
    assert result.pck.value == right / n
    assert result.pck.of_found == right / seen_n
    assert result.pck.n == n
    for name, count in by_joint.items():
        assert result.joints[name].pck.value == count / result.joints[name].pck.n
    assert result.counts["people_found"] == seen
    assert result.counts["people_missed"] == 40 - seen
    assert result.counts["false_people"] == len(found.positions) - seen


def test_what_is_found_exactly_is_right():
    truth = people(np.random.default_rng(4))
    found = FoundPeople(truth.joints, truth.person_image_ids, np.nan_to_num(truth.positions), np.ones(40))
    result = accuracy(truth, found)
    assert (result.pck.value, result.oks, result.average["AP"], result.average["AR"]) == (1, 1, pytest.approx(1), 1)
    assert result.counts["false_people"] == result.counts["people_missed"] == 0
    assert all(joint.median_distance == 0 for joint in result.joints.values())


def test_left_and_right_exchanged_costs_what_it_should():
    truth = people(np.random.default_rng(5))
    exchanged = np.nan_to_num(truth.positions)[:, list(COCO_17.mirrored_order)]
    result = accuracy(truth, FoundPeople(truth.joints, truth.person_image_ids, exchanged, np.ones(40)))
    assert result.joints["nose"].pck.value == 1
    assert result.joints["left_wrist"].pck.value < 0.5


def test_two_close_people_are_matched_one_to_one():
    """Both found people lie nearest to the left one; the second is the right one's, and not false."""
    shape = np.random.default_rng(6).uniform(0, 100, (K, 2))
    truth = replace(
        people(np.random.default_rng(6), 2, 1),
        person_image_ids=np.array([10, 10]),
        positions=np.stack([shape, shape + [30, 0]]),
        boxes_px=np.array([[0.0, 0, 100, 100], [30, 0, 100, 100]]),
    )
    found = FoundPeople(COCO_17.joints, np.array([10, 10]), np.stack([shape + [1, 0], shape + [14, 0]]), np.ones(2))
    result = accuracy(truth, found)
    assert result.counts["people_found"] == 2
    assert result.counts["false_people"] == 0
    assert result.pck.value == 1


def test_crowds_and_people_without_joints_are_left_out():
    truth = people(np.random.default_rng(7), 4, 1)
    positions = truth.positions.copy()
    positions[1] = np.nan
    positions[2] = np.nan
    truth = replace(truth, positions=positions, crowd=np.array([False, True, False, False]))
    middle = truth.boxes_px[:, :2] + truth.boxes_px[:, 2:] / 2
    extra = [np.repeat(middle[[i]], K, axis=0) for i in (1, 2)] + [np.full((K, 2), -500.0)]
    found = FoundPeople(
        truth.joints, np.full(5, 10), np.stack([np.nan_to_num(truth.positions[i]) for i in (0, 3)] + extra), np.ones(5)
    )
    counts = accuracy(truth, found).counts
    assert counts["people"] == counts["people_found"] == 2
    assert counts["crowd_regions_left_out"] == counts["people_without_annotated_joints_left_out"] == 1
    assert counts["found_people_in_what_is_left_out"] == 2
    assert counts["false_people"] == 1


def test_pckh_needs_a_head():
    truth = people(np.random.default_rng(8), 6, 2)
    assert accuracy(truth, found_of(truth, np.random.default_rng(8))).pckh.value is None
    joints = ("head_top", "neck", "left_wrist")
    positions = np.tile([[100.0, 50.0], [100.0, 80.0], [140.0, 120.0]], (6, 1, 1))
    positions[5, 0] = np.nan  # nobody can say how long this head is
    truth = replace(truth, joints=joints, positions=positions, boxes_px=np.tile([60.0, 40, 100, 300], (6, 1)),
                    person_image_ids=np.array([10, 10, 10, 11, 11, 11]), image_ids=np.array([10, 11]))  # fmt: skip
    positions = positions + 200.0 * np.arange(6)[:, None, None]
    truth = replace(truth, positions=positions)
    off = np.zeros((6, 3, 2))
    off[:, 2, 0] = [0, 14.9, 15.1, 0, 0, 0]  # half of 30 px
    found = FoundPeople(joints, truth.person_image_ids, np.nan_to_num(positions) + off, np.ones(6))
    result = accuracy(truth, found)
    assert result.joints["left_wrist"].pckh.value == 4 / 5
    assert result.joints["left_wrist"].pckh.n == 5
    assert result.joints["left_wrist"].pck.value == 1
    assert result.oks is None
    assert "annotations" in result.oks_reason
    assert "nose" in result.oks_reason


def test_joints_that_the_detector_lacks_are_named():
    truth = people(np.random.default_rng(9))
    few = [COCO_17.index(joint) for joint in ("left_hip", "right_hip")]
    found = FoundPeople(
        ("left_hip", "right_hip"), truth.person_image_ids, np.nan_to_num(truth.positions)[:, few], np.ones(40)
    )
    result = accuracy(truth, found)
    assert list(result.joints) == ["left_hip", "right_hip"]
    assert len(result.left_out) == 15
    assert result.pck.value == 1
    assert "detector" in result.oks_reason
    assert set(result.average.values()) == {None}
    with pytest.raises(InputError, match="joint"):
        accuracy(truth, replace(found, joints=("a", "b")))


def test_no_detected_and_no_annotated_person():
    truth = people(np.random.default_rng(10))
    nobody = FoundPeople(COCO_17.joints, np.zeros(0, dtype=int), np.zeros((0, K, 2)), np.zeros(0))
    result = accuracy(truth, nobody)
    assert (result.pck.value, result.pck.of_found, result.oks, result.oks_of_found) == (0, None, 0, None)
    assert result.average["AP"] == 0
    with pytest.raises(InputError, match="annotated"):
        accuracy(replace(truth, crowd=np.ones(40, dtype=bool)), nobody)


def test_missing_pycocotools_is_named(monkeypatch):
    real = builtins.__import__

    def without(name, *arguments, **more):
        if name.startswith("pycocotools"):
            raise ImportError(name)
        return real(name, *arguments, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    truth = people(np.random.default_rng(11))
    with pytest.raises(MissingExtraError, match=r"gonio\[coco\]"):
        accuracy(truth, found_of(truth, np.random.default_rng(11)))
