"""Accuracy of a detector, or of its saved results, against annotations in COCO's format.

Every image is a recording of its own: people are not tracked from one to the next. The numbers hold for these images
and these annotations; use images that the detector was not trained on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from gonio.comparison.keypoint_accuracy import (
    PCK_SHARE,
    PCKH_SHARE,
    AnnotatedPeople,
    FoundPeople,
    KeypointAccuracy,
    Share,
    accuracy,
    check_installed,
)
from gonio.core.arrays import FloatArray, VideoFrame
from gonio.core.detections import Detections
from gonio.core.errors import InputError
from gonio.core.files import replacing, write_json
from gonio.core.progress import Progress, silent
from gonio.core.provenance import OF_EXTRAS, versions
from gonio.core.settings import as_plain
from gonio.core.threads import one_thread_each
from gonio.detection.weights import fetch_weights
from gonio.io import coco_json
from gonio.io import images as image_files
from gonio.io.coco_json import CocoPeople
from gonio.trials.config import DetectorConfig

DEFINITIONS = {
    "pck": f"share of annotated joints within {PCK_SHARE:g} of the larger side of the person's annotated box (Yang and "
    "Ramanan 2013); joints of people that were not found count as wrong",
    "pckh": f"the same within {PCKH_SHARE:g} of the distance from the neck to the top of the head",
    "oks": "mean over annotated people, 0 for those not found; areas as annotated, COCO's sigmas",
    "average": "AP and AR by pycocotools, OKS 0.50:0.95, 20 people per image",
    "of_found": "over the found people: those with a joint within PCK's radius, one to one",
    "median_distance": "of found people, in shares of the larger side of their box",
}


@dataclass(frozen=True, eq=False)
class KeypointEvaluation:
    """The accuracy with its protocol; `notes` are sentences about what was assumed."""

    accuracy: KeypointAccuracy
    protocol: dict[str, Any]
    notes: tuple[str, ...]

    def write(self, path: Path) -> None:
        """As JSON. Raises `InputError` if it cannot be written."""
        content = {"protocol": self.protocol, "notes": list(self.notes), **asdict(self.accuracy)}
        with replacing(Path(path)) as temporary:
            write_json(temporary, content, indent=2, ascii_only=False)


def evaluate_detector(
    annotations: Path, images: Path, settings: DetectorConfig, *, progress: Progress = silent
) -> KeypointEvaluation:
    """Run a detector on the annotated images, files of the folder `images`, and measure it.

    Pixels are taken as stored, as COCO's annotations are. Raises `InputError` if a file cannot be used, an image is
    absent or of another size than annotated, and as `keypoint_accuracy.accuracy`; `MissingExtraError` if
    pycocotools is not installed.
    """
    check_installed()
    people = coco_json.read_annotations(annotations)
    truth, notes = _annotated(annotations, people)
    files = [images / name for name in people.file_names]
    _check_images(annotations, people, files)
    detector = settings.make()
    for asset in detector.weights:
        fetch_weights(asset)
    ids, positions, scores = [], [], []
    with progress("detecting joints", len(files)) as tick, one_thread_each():
        for numbers, seen in _detections_by_image(files, people, detector.detect, detector.finds_everybody, tick):
            for row, number in enumerate(numbers):
                for person in np.flatnonzero(seen.present[row]):
                    ids.append(people.image_ids[number])
                    positions.append(seen.positions[row, person])
                    scores.append(_score(seen, row, int(person)))
    joints = detector.skeleton.joints
    found = FoundPeople(
        joints,
        np.array(ids, dtype=np.int64),
        np.array(positions, dtype=float).reshape(-1, len(joints), 2),
        np.array(scores, dtype=float),
    )
    detector_facts = {"name": settings.name, "source": asdict(detector.source), "settings": as_plain(settings)}
    return _evaluation(annotations, truth, found, detector_facts, notes)


def most_people(annotations: Path) -> int:
    """Largest number of people with annotated joints in one image; at least 1."""
    people = coco_json.read_annotations(annotations)
    return int(np.unique(people.person_image_ids[_with_joints(people)], return_counts=True)[1].max(initial=1))


def evaluate_file(annotations: Path, detections: Path) -> KeypointEvaluation:
    """Measure saved results: COCO's list of found people, in its 17 joints, or a COCO file with scores.

    Raises `InputError` if a file cannot be used, or the results are about an image that is not annotated.
    """
    check_installed()
    people, results = (coco_json.read_annotations(path) for path in (annotations, detections))
    truth, notes = _annotated(annotations, people)
    strange = np.setdiff1d(results.person_image_ids, people.image_ids)
    if len(strange):
        raise InputError(f"{detections}: has people in image {strange[0]}, which {annotations} does not list")
    detected = results.keypoints[..., 2] > 0
    scores = results.scores
    if np.isnan(scores).any():
        raise InputError(f"{detections}: {int(np.isnan(scores).sum())} people have no score, which ranks them for AP")
    found = FoundPeople(
        results.joints,
        results.person_image_ids,
        np.where(detected[..., None], results.keypoints[..., :2], np.nan),
        scores,
    )
    return _evaluation(annotations, truth, found, {"file": str(detections)}, notes)


def tables(result: KeypointEvaluation) -> tuple[list[tuple[str, ...]], list[tuple[str, ...]]]:
    """Two tables to print: the measures; joint by joint, PCK, PCKh and the median distance."""
    a = result.accuracy
    measures: list[tuple[str, ...]] = [("measure", "all people", "people found", "n")]
    measures += [_row(f"PCK@{PCK_SHARE:g}", a.pck), _row(f"PCKh@{PCKH_SHARE:g}", a.pckh)]
    measures.append(("OKS", _shown(a.oks), _shown(a.oks_of_found), str(a.counts["people"])))
    measures += [(name.replace("_", " "), _shown(value), "", "") for name, value in a.average.items()]
    joints: list[tuple[str, ...]] = [("joint", "n", "PCK", "of found", "PCKh", "median distance")]
    joints += [
        (
            name,
            str(j.pck.n),
            _shown(j.pck.value),
            _shown(j.pck.of_found),
            _shown(j.pckh.value),
            _shown(j.median_distance),
        )
        for name, j in a.joints.items()
    ]
    return measures, joints


def _row(name: str, share: Share) -> tuple[str, ...]:
    return name, _shown(share.value), _shown(share.of_found), str(share.n)


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _evaluation(
    annotations: Path, truth: AnnotatedPeople, found: FoundPeople, detector: dict[str, Any], notes: list[str]
) -> KeypointEvaluation:
    try:
        measured = accuracy(truth, found)
    except InputError as error:
        raise InputError(f"{annotations}: {error}") from None
    if measured.left_out:
        notes.append(f"joints that the detector does not have, left out: {', '.join(measured.left_out)}")
    notes += [f"PCKh: {measured.pckh.reason}"] if measured.pckh.value is None else []
    notes += [f"OKS and AP: {measured.oks_reason}"] if measured.oks_reason else []
    protocol = {
        "annotations": str(annotations),
        "detector": detector,
        "joints": list(measured.joints),
        "definitions": DEFINITIONS,
        "versions": versions(OF_EXTRAS),
    }
    return KeypointEvaluation(measured, protocol, tuple(notes))


def _with_joints(people: CocoPeople) -> Any:
    return ~people.iscrowd & (people.keypoints[..., 2] > 0).any(axis=1)


def _annotated(path: Path, people: CocoPeople) -> tuple[AnnotatedPeople, list[str]]:
    """The annotations as arrays; sentences about what was assumed."""
    if people.found:
        raise InputError(f"{path}: is a list of detected people; give the annotations")
    positions = np.where((people.keypoints[..., 2] > 0)[..., None], people.keypoints[..., :2], np.nan)
    boxes, notes = people.boxes_px.copy(), []
    boxless = np.isnan(boxes).any(axis=1) | (np.nan_to_num(boxes[:, 2:]) <= 0).any(axis=1)
    for number in np.flatnonzero(boxless):
        boxes[number] = _box_round(positions[number])
    if boxless.any():
        notes.append(f"{int(boxless.sum())} people without a box: the box of their annotated joints is used")
    areas = np.where(np.isnan(people.areas_px2), boxes[:, 2] * boxes[:, 3], people.areas_px2)
    if (n := int(np.isnan(people.areas_px2).sum())) > 0:
        notes.append(f"{n} people without an area: that of their box is used, which is larger, so OKS is too high")
    truth = AnnotatedPeople(
        people.image_ids, people.joints, people.person_image_ids, positions, boxes, areas, people.iscrowd
    )
    return truth, notes


def _box_round(joints_px: FloatArray) -> FloatArray:
    """x, y, width, height round joints; at least one pixel. Without joints: one pixel at the corner."""
    seen = joints_px[~np.isnan(joints_px[:, 0])]
    if not len(seen):
        return np.array([0.0, 0.0, 1.0, 1.0])
    return np.concatenate([seen.min(axis=0), np.maximum(np.ptp(seen, axis=0), 1.0)])


def _check_images(annotations: Path, people: CocoPeople, files: Sequence[Path]) -> None:
    nameless = [int(i) for i, name in zip(people.image_ids, people.file_names, strict=True) if not name]
    if nameless:
        raise InputError(f"{annotations}: image {nameless[0]} has no file_name")
    absent = [file for file in files if not file.is_file()]
    if absent:
        raise InputError(
            f"{absent[0]}: no such image; {len(absent)} of the {len(files)} that {annotations} lists are absent"
        )


def _detections_by_image(
    files: Sequence[Path],
    people: CocoPeople,
    detect: Callable[..., Detections],
    together: bool,
    tick: Callable[[], None],
) -> Iterator[tuple[list[int], Detections]]:
    """The numbers of some images, and the people detected in them.

    together  process images of one size in one stream, for a detector that does not track people and so starts its
              network once; else one by one
    """
    if not together:
        for number, file in enumerate(files):
            image = _image(file, people, number)
            size = (image.shape[1], image.shape[0])
            frames = [VideoFrame(0, 0.0, image)]
            yield [number], detect(frames, camera=file.name, image_size_px=size, on_frame=tick)
        return
    by_size: dict[tuple[int, int], list[int]] = {}
    for number, file in enumerate(files):
        width, height = people.sizes_px[number].tolist()
        if not (width and height):
            height, width = image_files.read(file).shape[:2]
        by_size.setdefault((width, height), []).append(number)
    for size, numbers in by_size.items():
        stream = (VideoFrame(i, float(i), _image(files[number], people, number)) for i, number in enumerate(numbers))
        yield numbers, detect(stream, camera=files[numbers[0]].name, image_size_px=size, on_frame=tick)


def _image(file: Path, people: CocoPeople, number: int) -> Any:
    """The image. Raises `InputError` if it has another size than annotated."""
    image = image_files.read(file)
    width, height = people.sizes_px[number].tolist()
    if width and height and image.shape[:2] != (height, width):
        raise InputError(
            f"{file}: {image.shape[1]}x{image.shape[0]} px, but annotated as {width}x{height}: it was scaled or turned "
            f"since; use the annotated image"
        )
    return image


def _score(seen: Detections, row: int, person: int) -> float:
    """The detector's own score, else the mean confidence of the detected joints."""
    if seen.scores is not None:
        return float(seen.scores[row, person])
    detected = ~np.isnan(seen.positions[row, person, :, 0])
    return float(seen.confidence[row, person][detected].mean())


def with_people_limit(annotations: Path, settings: DetectorConfig, people: int | None) -> DetectorConfig:
    """With a limit of people per image: `people`; default: the largest number annotated in one."""
    return replace(settings, people=most_people(annotations) if people is None else people)
