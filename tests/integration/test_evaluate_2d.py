"""`gonio evaluate-2d`: detectors and saved results against images annotated here."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from detectors import use_detector

from gonio.core.detections import Detections
from gonio.core.downloads import is_cached
from gonio.core.errors import InputError
from gonio.core.sequence import Source
from gonio.core.skeleton import BODY_25, BODY_25B, COCO_17, Skeleton
from gonio.detection.registry import create
from gonio.io import coco_json, video
from gonio.training import evaluate_keypoints
from gonio.trials.config import DetectorConfig
from gonio.trials.samples import ASSETS, fetch_asset

pytest.importorskip("pycocotools")
from painted_people import standing, write_seeing

SIZE = (160, 128)
HERE, THERE = standing(80.0, 66.0, 100.0), standing(48.0, 66.0, 90.0)  # the second is not where the network sees it
OWN = [BODY_25.index(joint) for joint in COCO_17.joints]
SEEING = ("--detector", "openpose", "--layout", "coco-18", "--net-resolution", "160x128")


def annotate(
    folder: Path,
    people: Sequence[Sequence[np.ndarray]],
    sizes: Sequence[tuple[int, int]],
    skeleton: Skeleton = COCO_17,
    colours: bool = False,
) -> Path:
    """annotations.json and the images in pictures/. people: the joints (k, 2) per person and image."""
    (folder / "pictures").mkdir()
    images, annotations = [], []
    for number, (bodies, (width, height)) in enumerate(zip(people, sizes, strict=True)):
        name = f"{number:06d}.png"
        picture = np.zeros((height, width, 3), np.uint8)
        for body in bodies:
            low, size = body.min(axis=0), np.ptp(body, axis=0)
            annotations.append(
                {"id": len(annotations) + 1, "image_id": 100 + number, "category_id": 1, "iscrowd": 0,
                 "keypoints": np.column_stack([body, np.full(len(body), 2)]).ravel().tolist(),
                 "num_keypoints": len(body), "bbox": [*low.tolist(), *size.tolist()], "area": float(size.prod() / 2)}
            )  # fmt: skip
            if colours:
                for joint, (x, y) in enumerate(np.round(body).astype(int).tolist()):
                    picture[y, x] = (10 + joint, 200, 0)  # red tells which joint
        images.append({"id": 100 + number, "file_name": name, "width": width, "height": height})
        cv2.imwrite(str(folder / "pictures" / name), picture[..., ::-1])
    category = {"id": 1, "name": "person", "keypoints": list(skeleton.joints), "skeleton": []}
    content = {"images": images, "categories": [category], "annotations": annotations}
    (folder / "annotations.json").write_text(json.dumps(content), encoding="utf-8")
    return folder / "annotations.json"


class Reader:
    """A detector that reads the joints off the painted images; it would show images that were exchanged, turned or
    of other colours. Joints are `shift` px too far right."""

    source, weights = Source("reader"), ()

    def __init__(self, name: str, skeleton: Skeleton, shift: float = 0.0):
        self.name, self.skeleton, self.shift = name, skeleton, shift
        self.finds_everybody, self.has_3d_estimate = name == "openpose", False
        self.calls: list[int] = []

    def detect(self, frames, *, camera, image_size_px, on_frame=None):
        positions = []
        for frame in frames:
            assert (frame.image.shape[1], frame.image.shape[0]) == image_size_px
            rows, columns = np.nonzero(frame.image[..., 1])
            which = frame.image[rows, columns, 0] - 10
            body = np.full((len(self.skeleton), 2), np.nan)
            body[which] = np.stack([columns, rows], axis=-1) + [self.shift, 0.0]
            positions.append(body)
            on_frame()
        self.calls.append(len(positions))
        found = np.array(positions)[:, None]
        confidence = np.full(found.shape[:3], 0.5)
        return Detections(found, confidence, np.arange(len(found)), self.skeleton, image_size_px, camera)


def test_openpose_on_images_with_right_and_wrong_detections(tmp_path, run):
    """The network finds one person in every image. The annotations have this person in the first two images, a person
    elsewhere in the third, and no person in the fourth."""
    write_seeing(tmp_path / "seeing.onnx", [HERE], SIZE)
    file = annotate(tmp_path, [[HERE[OWN]], [HERE[OWN]], [THERE[OWN] - [40, 0]], []], [SIZE] * 4)
    output = tmp_path / "accuracy.json"
    done = run(
        "evaluate-2d", file, "--images", tmp_path / "pictures", *SEEING, "--weights", tmp_path / "seeing.onnx",
        "-o", output,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    result = json.loads(output.read_text())
    assert result["counts"] | {"joints": 51} == result["counts"]
    assert result["counts"]["people"] == 3
    assert result["counts"]["people_found"] == 2
    assert result["counts"]["people_missed"] == 1
    assert result["counts"]["false_people"] == 2
    assert result["pck"]["value"] == pytest.approx(34 / 51)
    assert result["pck"]["of_found"] == 1
    assert result["oks_of_found"] > 0.9
    assert result["oks"] == pytest.approx(result["oks_of_found"] * 2 / 3)
    assert 0.3 < result["average"]["AR"] < 0.7
    assert result["average"]["AP_large"] is None
    assert result["pckh"]["value"] is None
    assert result["protocol"]["detector"]["source"]["method"] == "openpose"
    assert "PCK@0.2" in done.stdout
    assert re.search("left.wrist", done.stdout)
    assert "head_top" in done.stdout
    assert (tmp_path / "accuracy.json.provenance.json").exists()


@pytest.mark.parametrize(("name", "calls"), [("openpose", [2, 1]), ("blazepose-heavy", [1, 1, 1])])
def test_images_of_several_sizes(tmp_path, monkeypatch, name, calls):
    """A detector that finds all people runs once for each size; one that follows people takes every image by itself."""
    bodies = [[HERE[OWN].round()], [THERE[OWN].round()], [HERE[OWN].round() + [30, 0]]]
    file = annotate(tmp_path, bodies, [SIZE, (200, 150), SIZE], colours=True)
    reader = Reader(name, COCO_17)
    use_detector(monkeypatch, name, reader)
    result = evaluate_keypoints.evaluate_detector(file, tmp_path / "pictures", DetectorConfig(name=name))
    assert reader.calls == calls
    assert result.accuracy.pck.value == 1
    assert result.accuracy.average["AP"] == pytest.approx(1)
    assert result.accuracy.oks == 1


def test_pckh_of_annotated_heads(tmp_path, monkeypatch):
    """Joints 6 px beside those of a head of 10 px are wrong, of one of 14 px right."""
    rng = np.random.default_rng(2)
    bodies = []
    for head_px in (10, 14):
        body = (
            rng.permutation(100)[: len(BODY_25B), None] * [1.0, 0.0] + [[20.0, 0.0]] + np.arange(25)[:, None] * [0, 4.0]
        )
        body[BODY_25B.index("head_top")] = body[BODY_25B.index("neck")] - [0, head_px]
        bodies.append([body])
    file = annotate(tmp_path, bodies, [SIZE] * 2, BODY_25B, colours=True)
    use_detector(monkeypatch, "openpose", Reader("openpose", BODY_25B, shift=6.0))
    result = evaluate_keypoints.evaluate_detector(file, tmp_path / "pictures", DetectorConfig(name="openpose"))
    assert result.accuracy.pckh.value == 0.5
    assert result.accuracy.pck.value == 1
    assert result.accuracy.oks is not None  # BODY_25B has COCO's 17 joints


def test_saved_results(tmp_path, run):
    file = annotate(tmp_path, [[HERE[OWN]], [THERE[OWN]]], [SIZE] * 2)
    joints = np.stack([HERE[OWN], THERE[OWN] + [30, 0]])[:, None]  # 0.2 of 90 px is 18
    found = Detections(joints, np.full((2, 1, 17), 0.8), [0, 1], COCO_17, SIZE)
    coco_json.write_found(found, tmp_path / "found.json", [100, 101])
    done = run("evaluate-2d", file, "--detections", tmp_path / "found.json", "-o", tmp_path / "accuracy.json")
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "accuracy.json").read_text())
    assert result["pck"]["value"] == 0.5
    assert result["average"]["AP50"] == pytest.approx(0.5, abs=0.01)
    assert result["protocol"]["detector"] == {"file": str(tmp_path / "found.json")}

    coco_json.write_found(found, tmp_path / "found.json", [100, 999])
    with pytest.raises(InputError, match=r"found\.json: .*999"):
        evaluate_keypoints.evaluate_file(file, tmp_path / "found.json")


def test_assumptions_about_annotations_are_notes(tmp_path):
    file = annotate(tmp_path, [[HERE[OWN]]], [SIZE])
    content = json.loads(file.read_text())
    del content["annotations"][0]["bbox"], content["annotations"][0]["area"]
    file.write_text(json.dumps(content))
    coco_json.write_found(
        Detections(HERE[OWN][None, None], np.ones((1, 1, 17)), [0], COCO_17, SIZE), tmp_path / "f.json", [100]
    )
    notes = evaluate_keypoints.evaluate_file(file, tmp_path / "f.json").notes
    assert any("box" in note for note in notes)
    assert any("area" in note for note in notes)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "--images"),
        (("--images", "pictures", "--detections", "f.json"), "--detections"),
        (("--detections", "f.json", "--detector", "openpose"), "--detections"),
        (("--images", "nowhere"), "nowhere/000000.png: "),
        (("--images", "pictures", "--detector", "posenet"), "'posenet'"),
    ],
)
def test_what_cannot_be_measured_is_one_line(tmp_path, run, arguments, words):
    annotate(tmp_path, [[HERE[OWN]]], [SIZE])
    done = run("evaluate-2d", "annotations.json", *arguments, "-o", "accuracy.json", cwd=tmp_path)
    assert done.returncode == 2
    assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "accuracy.json").exists()


def test_an_image_of_another_size_is_refused(tmp_path):
    file = annotate(tmp_path, [[HERE[OWN]]], [SIZE])
    cv2.imwrite(str(tmp_path / "pictures" / "000000.png"), np.zeros((160, 128, 3), np.uint8))
    with pytest.raises(InputError, match=r"000000\.png: 128x160 px.*160x128"):
        evaluate_keypoints.evaluate_detector(file, tmp_path / "pictures", DetectorConfig())


def test_real_images_and_a_real_network(tmp_path, shared_data, run):
    """The small OpenPose network on frames of the demo, with BlazePose's joints in place of annotations: two detectors
    compared, not the truth. What is tested is that real pictures go through."""
    if not (is_cached(ASSETS["demo-balancing"]) and is_cached(ASSETS["blazepose-heavy"])):
        pytest.skip("the demo's videos and BlazePose's weights are not in the cache")
    network = shared_data / "openpose-small" / "mobilenet_v2_small_coco18.onnx"
    frames = [f for f in video.frames(fetch_asset("demo-balancing") / "cam02.mp4", stop=41) if f.index % 20 == 0]
    (tmp_path / "pictures").mkdir()
    size = (frames[0].image.shape[1], frames[0].image.shape[0])
    blazepose = create("blazepose-heavy")
    seen = blazepose.detect(frames, camera="cam02", image_size_px=size)
    order = [seen.skeleton.index(joint) for joint in COCO_17.joints]
    coco_json.write(
        Detections(seen.positions[:, :, order], seen.confidence[:, :, order], seen.times_s, COCO_17, size, "cam02"),
        tmp_path / "annotations.json",
    )
    for number, frame in enumerate(frames):
        cv2.imwrite(str(tmp_path / "pictures" / f"cam02_{number:012d}.jpg"), frame.image[..., ::-1])
    done = run(
        "evaluate-2d", tmp_path / "annotations.json", "--images", tmp_path / "pictures", "--detector", "openpose",
        "--layout", "coco-18", "--weights", network, "-o", tmp_path / "accuracy.json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "accuracy.json").read_text())
    assert result["counts"]["pictures"] == result["counts"]["people"] == 3
    assert result["counts"]["people_found"] >= 2
    assert result["pck"]["of_found"] > 0.5
