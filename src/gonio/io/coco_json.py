"""COCO's keypoint files (.json): the people of many images in one file, annotated or detected.

    {"images": [{"id": 1, "file_name": "000001.jpg", "width": 640, "height": 480}],
     "categories": [{"id": 1, "name": "person", "keypoints": ["nose", ...], "skeleton": [[16, 14], ...]}],
     "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "keypoints": [x, y, v, ...], "num_keypoints": 17,
                      "bbox": [x, y, width, height], "area": 9000.0, "iscrowd": 0}]}

v is 0: not labelled, 1: labelled but not visible, 2: visible. A program's detections are a list of people alone,
`[{"image_id": 1, "category_id": 1, "keypoints": [x, y, score, ...], "score": 0.9}]`, in COCO's 17 joints.

Coordinates are taken as they are: whole numbers are the centres of pixels, as in gonio. The file states no times. gonio
adds fields that other programs ignore: `frame_index` and `time_s` to an image, `score` and `keypoint_scores` to an
annotation.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gonio.core.arrays import BoolArray, FloatArray, IntArray
from gonio.core.detections import Detections, smallest_image_px
from gonio.core.errors import InputError, one_line
from gonio.core.files import replacing, write_json
from gonio.core.sequence import PoseSequence, Source, Status
from gonio.core.skeleton import COCO_17
from gonio.io.joint_names import skeleton_of, translated
from gonio.io.reading import check_rate, naming, read_bytes
from gonio.io.writing import unsupported_fields

_KEYS = "info|licenses|images|annotations|categories|videos|type"
_BEGINNING = re.compile(rf'\s*(\{{\s*"({_KEYS})"\s*:|\[\s*\{{[^{{}}]*"(image_id|keypoints)"\s*:)')
_PERSON = 1


@dataclass(frozen=True, eq=False)
class CocoPeople:
    """The people of a COCO keypoint file: i images, n people, k joints; the numbers as in the file.

    image_ids         (i,) ints, increasing; of a list of detections the images with a person
    file_names        i names, "" if the file gives none
    sizes_px          (i, 2) ints, width and height; 0 if not given
    times_s           (i,) seconds, NaN if not given
    frame_numbers     (i,) ints: `frame_index` if every image has it, else 0, 1, 2, ...; the image's id in a list of
                      detections
    joints            k names; gonio's if it knows the spelling
    person_ids        (n,) ints, the annotations' ids; 1..n for a list of detections
    person_image_ids  (n,) ints, the image of each person
    keypoints         (n, k, 3): x, y in px, and v (0, 1, 2), or the joint's score in a list of detections
    keypoint_scores   (n, k), NaN if not given
    num_keypoints     (n,) ints, as given, else the number of joints whose v is not 0
    boxes_px          (n, 4): x, y, width, height; NaN if not given
    areas_px2         (n,): of the person's outline; NaN if not given
    iscrowd           (n,) bools: a region of many people, without keypoints
    scores            (n,): the confidence of the program; NaN if not given
    found             it is a list of detections
    """

    image_ids: IntArray
    file_names: tuple[str, ...]
    sizes_px: IntArray
    times_s: FloatArray
    frame_numbers: IntArray
    joints: tuple[str, ...]
    person_ids: IntArray
    person_image_ids: IntArray
    keypoints: FloatArray
    keypoint_scores: FloatArray
    num_keypoints: IntArray
    boxes_px: FloatArray
    areas_px2: FloatArray
    iscrowd: BoolArray
    scores: FloatArray
    found: bool

    def __len__(self) -> int:
        return len(self.person_ids)


def recognise(path: Path) -> bool:
    """A file that begins as an object with one of COCO's keys, or as a list of people with an image's id."""
    try:
        with Path(path).open("rb") as stream:
            head = stream.read(65536).decode("utf-8-sig", errors="replace")
    except OSError:
        return False
    return bool(_BEGINNING.match(head))


def read(path: str | Path, *, rate_hz: float | None = None, image_size_px: tuple[int, int] | None = None) -> Detections:
    """The people of a video's frames; regions of many people are left out and counted.

    The images in the order of their ids are the frames. Their times are `time_s` if every image has it, as in gonio's
    own files. Otherwise a frame's time is its number divided by `rate_hz`. The number is `frame_index`, or the image's
    id in a list of detections; a number without an image is a gap in time. v = 1 is read as inferred, with confidence
    1. A joint's score beyond 0..1 is clipped and counted.

    `image_size_px` is for a list of detections, which does not state it.

    Raises `InputError` as `read_annotations`, if the rate is needed and not declared, and if the images have several
    sizes: they are not a video.
    """
    path = Path(path)
    people = read_annotations(path)
    times_s = _times(path, people, rate_hz)
    history = [f"{len(people.image_ids)} images with {len(people)} people read from {path.name}"]
    labelled = people.keypoints[..., 2] > 0
    kept = ~people.iscrowd & labelled.any(axis=1)
    if people.iscrowd.any():
        history.append(f"{int(people.iscrowd.sum())} regions of many people (iscrowd) left out")
    if (n_empty := int((~people.iscrowd & ~labelled.any(axis=1)).sum())) > 0:
        history.append(f"{n_empty} people without a keypoint left out")
    frames = np.searchsorted(people.image_ids, people.person_image_ids[kept])
    slots, n_people = _slots(frames)
    shape = (len(people.image_ids), n_people)

    def placed(values: FloatArray, absent: float = np.nan) -> FloatArray:
        result = np.full((*shape, *values.shape[1:]), absent)
        result[frames, slots] = values[kept]
        return result

    v = placed(people.keypoints[..., 2], 0.0)
    positions = np.where((v > 0)[..., None], placed(people.keypoints[..., :2]), np.nan)
    given = placed(people.keypoint_scores)
    raw = np.where(np.isnan(given), v if people.found else v > 0, given)
    confidence = np.where(v > 0, np.clip(raw, 0.0, 1.0), 0.0)
    if (clipped := int(((raw != np.clip(raw, 0, 1)) & (v > 0)).sum())) > 0:
        history.append(f"{clipped} scores of joints beyond 0..1, clipped: they are not probabilities")
    status = np.where(v > 0, Status.MEASURED, Status.MISSING)
    if not people.found:
        status = np.where(v == 1, Status.INFERRED, status)
    size, sentences = _size(path, people, image_size_px)
    corners = people.boxes_px + np.hstack([np.zeros((len(people), 2)), people.boxes_px[:, :2]])
    some_box = bool(np.isfinite(people.boxes_px[kept]).any())
    with naming(path):
        return Detections(
            positions=positions,
            confidence=confidence,
            times_s=times_s,
            skeleton=skeleton_of(people.joints, "coco"),
            image_size_px=size,
            frame_name=path.stem,
            boxes_px=placed(corners) if some_box else None,
            scores=_scores(path, placed(people.scores, 0.0)) if np.isfinite(people.scores[kept]).any() else None,
            status=status,
            source=Source(method="coco", file=str(path)),
            history=(*history, *sentences),
        )


def write(item: PoseSequence | Detections, path: str | Path) -> tuple[str, ...]:
    """Writes an annotation file that pycocotools loads, with the item's own joints; returns what is not preserved.

    Missing joints are 0, 0, 0; measured ones have v = 2, inferred, interpolated and repaired ones v = 1. A person's box
    is the detector's, else the smallest around the joints; the area is that of the box. Ids begin with 1.

    Raises `InputError` for 3D.
    """
    path = Path(path)
    _check_2d(item, path)
    positions, confidence, status, boxes, scores = _people(item)
    not_preserved = list(unsupported_fields(item, "covariance", "source") if isinstance(item, PoseSequence) else ())
    if np.isin(status, (Status.INTERPOLATED, Status.REPAIRED)).any():
        not_preserved.append("which joints were interpolated or repaired is not preserved: they are read as inferred")
    if isinstance(item, Detections) and item.world_m is not None:
        not_preserved.append("the people's 3D estimates are not preserved")
    if skeleton_of(item.skeleton.joints, item.skeleton.name).parents != item.skeleton.parents:
        not_preserved.append("the parents of the joints are not preserved, only the bones")
    not_preserved += [f"the history ({len(item.history)} steps) is not preserved"] if item.history else []
    size, unknown = _written_size(item)
    not_preserved += unknown
    name = item.frame_name or path.stem
    images = [
        {
            "id": i + 1,
            "file_name": f"{name}_{i:012d}.jpg",
            "width": size[0],
            "height": size[1],
            "frame_index": i,
            "time_s": time,
        }
        for i, time in enumerate(item.times_s.tolist())
    ]
    bones = [[parent + 1, child + 1] for parent, child in item.skeleton.bones]
    category = {"id": _PERSON, "name": "person", "supercategory": "person"}
    annotations: list[dict[str, Any]] = []
    for frame, person in np.argwhere(status.any(axis=2)).tolist():
        valid = status[frame, person] != Status.MISSING
        v = np.where(valid, np.where(status[frame, person] == Status.MEASURED, 2, 1), 0)
        box = _box(positions[frame, person], None if boxes is None else boxes[frame, person])
        annotation = {
            "id": len(annotations) + 1,
            "image_id": frame + 1,
            "category_id": _PERSON,
            "keypoints": _keypoints(positions[frame, person], v.tolist()),
            "num_keypoints": int(valid.sum()),
            "bbox": box,
            "area": box[2] * box[3],
            "iscrowd": 0,
            "keypoint_scores": confidence[frame, person].tolist(),
        }
        if scores is not None:
            annotation["score"] = float(scores[frame, person])
        annotations.append(annotation)
    content = {
        "info": {"description": "written by gonio"},
        "images": images,
        "categories": [category | {"keypoints": list(item.skeleton.joints), "skeleton": bones}],
        "annotations": annotations,
    }
    _dump(content, path)
    return tuple(not_preserved)


def write_found(item: Detections, path: str | Path, image_ids: Sequence[int]) -> tuple[str, ...]:
    """Writes the list of detections that COCO's evaluation takes (`loadRes`); `image_ids` has one for each frame.

    A person's score is the detector's, else the mean confidence of the joints that are not missing.

    Raises `InputError` if the joints are not COCO's 17.
    """
    path = Path(path)
    if item.skeleton.joints != COCO_17.joints:
        raise InputError(f"{path}: COCO's evaluation takes COCO's 17 joints; these are {item.skeleton.name}")
    if len(image_ids) != len(item):
        raise InputError(f"{path}: {len(image_ids)} image ids for {len(item)} frames")
    valid = item.status != Status.MISSING
    means = item.confidence.sum(axis=2) / np.maximum(valid.sum(axis=2), 1)
    scores = means if item.scores is None else item.scores
    found = [
        {
            "image_id": int(image_ids[frame]),
            "category_id": _PERSON,
            "keypoints": _keypoints(item.positions[frame, person], item.confidence[frame, person].tolist()),
            "score": float(scores[frame, person]),
        }
        for frame, person in np.argwhere(valid.any(axis=2)).tolist()
    ]
    _dump(found, path)
    return ("the image size, the times, the boxes and the history are not preserved",)


def read_annotations(path: str | Path) -> CocoPeople:
    """All people of an annotation file or of a list of detections, with the joints of the category that has keypoints.

    Raises `InputError` if the file does not exist, is cut or of another kind; if no category or several have keypoints;
    if an id occurs twice or an image is not listed; and if a person's numbers are not finite or of the wrong count.
    """
    path = Path(path)
    try:
        content = json.loads(read_bytes(path))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: is not a complete JSON file ({one_line(error)}); export it again") from None
    found = isinstance(content, list)
    if found:
        joints, category, images, annotations = COCO_17.joints, None, None, content
    elif isinstance(content, dict):
        joints, category = _category(path, _list(path, content, "categories"))
        images, annotations = _list(path, content, "images"), _list(path, content, "annotations")
    else:
        raise InputError(f"{path}: is not a COCO file: neither an object nor a list")
    people = [entry for entry in annotations if isinstance(entry, dict)]
    if len(people) < len(annotations) or not all(isinstance(entry, dict) for entry in images or ()):
        raise InputError(f"{path}: is not a COCO file: its lists hold something else than images and people")
    people = [entry for entry in people if category is None or entry.get("category_id") == category]
    where = [f"{path}: person {number}" for number in range(1, len(people) + 1)]
    image_of = [_whole(at, entry, "image_id") for at, entry in zip(where, people, strict=True)]
    ids = list(range(1, len(people) + 1)) if found else [_whole(a, e, "id") for a, e in zip(where, people, strict=True)]
    if (twice := _repeated(ids)) is not None:
        raise InputError(f"{path}: two people have the id {twice}; export it again")
    k = len(joints)
    keypoints = _rows(where, people, "keypoints", 3 * k, needed=True).reshape(-1, k, 3)
    if not found and not np.isin(keypoints[..., 2], (0, 1, 2)).all():
        at = int((~np.isin(keypoints[..., 2], (0, 1, 2))).any(axis=1).argmax())
        raise InputError(f"{where[at]}: a keypoint's visibility is none of 0, 1, 2")
    counted = (keypoints[..., 2] > 0).sum(axis=1)
    declared = _column(where, people, "num_keypoints")
    of_images = _of_images(path, images, image_of)
    return CocoPeople(
        **of_images,
        joints=translated(joints),
        person_ids=np.array(ids, dtype=np.int64),
        person_image_ids=np.array(image_of, dtype=np.int64),
        keypoints=keypoints,
        keypoint_scores=_rows(where, people, "keypoint_scores", k),
        num_keypoints=np.where(np.isnan(declared), counted, declared).astype(np.int64),
        boxes_px=_rows(where, people, "bbox", 4),
        areas_px2=_column(where, people, "area"),
        iscrowd=np.nan_to_num(_column(where, people, "iscrowd")) > 0,
        scores=_column(where, people, "score"),
        found=found,
    )


def _list(path: Path, content: dict[str, Any], key: str) -> list[Any]:
    value = content.get(key)
    if not isinstance(value, list):
        raise InputError(f"{path}: is not a COCO keypoint file: it has no list of {key}")
    return value


def _category(path: Path, categories: list[Any]) -> tuple[tuple[str, ...], Any]:
    """The joints of the only category that has keypoints, and its id."""
    having = [one for one in categories if isinstance(one, dict) and one.get("keypoints")]
    if len(having) != 1:
        count = "no category" if not having else f"{len(having)} categories"
        raise InputError(f"{path}: {count} with keypoints; gonio reads files with one such category")
    names = having[0]["keypoints"]
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names) or _repeated(names) is not None:
        raise InputError(f"{path}: the keypoints of the category are not a list of different names")
    return tuple(names), having[0].get("id")


def _of_images(path: Path, images: list[dict[str, Any]] | None, image_of: list[int]) -> dict[str, Any]:
    """The fields of `CocoPeople` that describe the images, in the order of their ids."""
    if images is None:
        images = [{"id": number, "frame_index": number} for number in sorted(set(image_of))]
    where = [f"{path}: image {number}" for number in range(1, len(images) + 1)]
    ids = np.array([_whole(at, image, "id") for at, image in zip(where, images, strict=True)], dtype=np.int64)
    if (twice := _repeated(ids.tolist())) is not None:
        raise InputError(f"{path}: two images have the id {twice}; export it again")
    if absent := set(image_of) - set(ids.tolist()):
        raise InputError(f"{path}: a person is in image {min(absent)}, which the file does not list; it is cut")
    order = np.argsort(ids)
    images, where = [images[i] for i in order], [where[i] for i in order]
    columns = {key: _column(where, images, key) for key in ("width", "height", "time_s", "frame_index")}
    numbers = columns["frame_index"]
    if np.isnan(numbers).any():
        numbers = np.arange(len(images), dtype=float)
    sizes = np.column_stack([columns["width"], columns["height"]])
    return {
        "image_ids": ids[order],
        "file_names": tuple(str(image.get("file_name", "")) for image in images),
        "sizes_px": np.nan_to_num(sizes).astype(np.int64),
        "times_s": columns["time_s"],
        "frame_numbers": numbers.astype(np.int64),
    }


def _whole(where: str, entry: dict[str, Any], key: str) -> int:
    value = entry.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) > 2**62:
        raise InputError(f"{where}: {key} is {str(value)[:40]!r}, not a whole number")
    return value


def _column(where: Sequence[str], entries: Sequence[dict[str, Any]], key: str) -> FloatArray:
    """(n,) one number of each entry, NaN where it has none."""
    values = []
    for at, entry in zip(where, entries, strict=True):
        value = entry.get(key)
        if value is not None and not (isinstance(value, int | float) and abs(value) < 1e18):
            raise InputError(f"{at}: {key} is {str(value)[:40]!r}, not a finite number")
        values.append(np.nan if value is None else float(value))
    return np.array(values, dtype=float)


def _rows(
    where: Sequence[str], entries: Sequence[dict[str, Any]], key: str, length: int, *, needed: bool = False
) -> FloatArray:
    """(n, length) the list of numbers of each entry, NaN where it has none."""
    table = np.full((len(entries), length), np.nan)
    for row, (at, entry) in enumerate(zip(where, entries, strict=True)):
        value = entry.get(key)
        if value is None and not needed:
            continue
        if not isinstance(value, list) or len(value) != length:
            count = f"{len(value)} numbers" if isinstance(value, list) else "no list"
            raise InputError(f"{at}: {key} has {count}, {length} are expected")
        if not all(isinstance(number, int | float) and abs(number) < 1e18 for number in value):
            raise InputError(f"{at}: {key} holds something that is not a finite number")
        table[row] = value
    return table


def _repeated(values: Sequence[Any]) -> Any:
    seen: set[Any] = set()
    return next((value for value in values if value in seen or seen.add(value)), None)  # type: ignore[func-returns-value]


def _slots(frames: IntArray) -> tuple[IntArray, int]:
    """The place of each person among those of the same frame, in the file's order; the most people in a frame."""
    counts: dict[int, int] = {}
    slots = []
    for frame in frames.tolist():
        slots.append(counts.get(frame, 0))
        counts[frame] = slots[-1] + 1
    return np.array(slots, dtype=np.int64), max(counts.values(), default=0)


def _times(path: Path, people: CocoPeople, rate_hz: float | None) -> FloatArray:
    if not len(people.image_ids):
        raise InputError(f"{path}: holds no image")
    if not np.isnan(people.times_s).any():
        times: FloatArray = people.times_s
        check_rate(path, times, rate_hz)
    elif rate_hz is None:
        raise InputError(f"{path}: a COCO file does not state its frame rate; declare it with --fps")
    elif not (np.isfinite(rate_hz) and rate_hz > 0):
        raise InputError(f"{path}: a frame rate of {rate_hz} per second is not possible; declare it with --fps")
    else:
        times = people.frame_numbers / rate_hz
    if (np.diff(times) <= 0).any():
        at = int((np.diff(times) <= 0).argmax()) + 1
        raise InputError(f"{path}: image {people.image_ids[at]} does not come after the image before it")
    return times


def _scores(path: Path, scores: FloatArray) -> FloatArray:
    if (np.nan_to_num(scores) > 1).any() or (np.nan_to_num(scores) < 0).any():
        raise InputError(f"{path}: a person's score lies beyond 0..1")
    return np.nan_to_num(scores)


def _size(path: Path, people: CocoPeople, declared: tuple[int, int] | None) -> tuple[tuple[int, int] | None, list[str]]:
    """The size of the images, None if it is not known; and sentences for the history if the file does not state it."""
    sizes = {(int(w), int(h)) for w, h in people.sizes_px}
    if len(sizes) > 1:
        shown = ", ".join(f"{w}x{h}" for w, h in sorted(sizes)[:3])
        raise InputError(f"{path}: its images have {len(sizes)} sizes ({shown}): they are not a video")
    ((width, height),) = sizes
    if width > 0 and height > 0:
        if declared not in (None, (width, height)):
            raise InputError(f"{path}: its images are {width}x{height} px; {declared[0]}x{declared[1]} were declared")
        return (width, height), []
    if declared is not None:
        return declared, [f"image size {declared[0]} x {declared[1]} as declared"]
    return None, ["the image size is not declared"]


def _written_size(item: PoseSequence | Detections) -> tuple[tuple[int, int], list[str]]:
    """The size that every image of the file must have, and a sentence if it is not known."""
    if item.image_size_px is not None:
        return item.image_size_px, []
    if isinstance(item, PoseSequence):
        return (0, 0), ["the image size is not known: it is written as 0 x 0"]
    width, height = smallest_image_px(item.positions)
    return (width, height), [f"the image size is not known: {width} x {height} is written, which holds all keypoints"]


def _check_2d(item: PoseSequence | Detections, path: Path) -> None:
    if not isinstance(item, PoseSequence | Detections) or (isinstance(item, PoseSequence) and item.dimensions != 2):
        raise InputError(
            f"{path}: COCO's JSON holds the 2D keypoints of a video. OpenPose's JSON holds 3D joints too; it is a "
            f"folder with one file a frame: name a folder, e.g. {path.stem}_json"
        )


def _people(
    item: PoseSequence | Detections,
) -> tuple[FloatArray, FloatArray, Any, FloatArray | None, FloatArray | None]:
    """Positions, confidence and status with an axis for people; boxes (x1, y1, x2, y2) and scores, or None."""
    if isinstance(item, PoseSequence):
        return item.positions[:, None], item.confidence[:, None], item.status[:, None], None, None
    return item.positions, item.confidence, item.status, item.boxes_px, item.scores


def _keypoints(positions: FloatArray, third: Sequence[float]) -> list[float]:
    """x, y and a third number of each joint; 0, 0, 0 if it is missing."""
    return [
        number
        for (x, y), last in zip(positions.tolist(), third, strict=True)
        for number in ((0, 0, 0) if math.isnan(x) else (x, y, last))
    ]


def _box(positions: FloatArray, given: FloatArray | None) -> list[float]:
    """x, y, width, height: of the given box, else of the smallest around the joints."""
    if given is not None and not np.isnan(given).any():
        low, high = given[:2], given[2:]
    else:
        low, high = np.nanmin(positions, axis=0), np.nanmax(positions, axis=0)
    return [*low.tolist(), *(high - low).tolist()]


def _dump(content: Any, path: Path) -> None:
    with replacing(path) as temporary:
        write_json(temporary, content, indent=None)
