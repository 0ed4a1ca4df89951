"""OpenPose's output: a folder with one JSON file a frame.

A frame's file is `{video}_{frame:012d}_keypoints.json`; other names occur (`cam01.0000.json`). The last run of digits,
before an optional `_keypoints`, is the frame number; a number without a file is a gap in time. A file contains
`{"version": 1.3, "people": [{"person_id": [-1], "pose_keypoints_2d": [x, y, confidence, ...], ...}]}`.

The files do not state
- the frame rate: it must be declared. A frame's time is its number divided by the rate;
- the layout: 18 keypoints are COCO-18 and 17 are COCO-17, but 25 are BODY_25 or BODY_25B and must be declared;
- the image's size: it is None if it is not declared;
- `--keypoint_scale`: pixels (0) are taken as they are. Coordinates in 0..1 (3) or -1..1 (4) are only read with the
  image size; the ends of the range are the centres of the first and last pixel.

A point is missing if its confidence is 0 or if it lies at 0, 0. The order of the people has no meaning. Hands, faces
and candidates are not read.

With several cameras OpenPose (--3d) adds `"pose_keypoints_3d": [x, y, z, c, ...]`, metres in the axes of its
calibration; c is 1 if the joint was reconstructed and 0 if not. gonio writes 3D joints in this way, without 2D
ones, and reads a folder of 3D joints without 2D ones.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from gonio.core.arrays import BoolArray, FloatArray, IntArray
from gonio.core.detections import Detections
from gonio.core.errors import InputError, one_line
from gonio.core.files import replacing, write_json
from gonio.core.sequence import PoseSequence, Source, Status, median_rate_hz
from gonio.core.skeleton import BODY_25, BODY_25B, COCO_17, COCO_18, Skeleton
from gonio.core.skeleton import layout as layout_of
from gonio.io.body_checks import fits_better
from gonio.io.reading import DECLARED_METRES, naming, read_bytes
from gonio.io.writing import unmapped_joints, unsupported_fields

_BY_COUNT = {18: COCO_18, 17: COCO_17}
_NATIVE = (BODY_25, BODY_25B, COCO_18, COCO_17)
_NOT_READ = ("face_keypoints_2d", "hand_left_keypoints_2d", "hand_right_keypoints_2d", "pose_keypoints_3d")
_LARGEST_PIXEL = 1e6
_HIGHEST_CONFIDENCE = 1.5  # OpenPose's peaks overshoot 1 slightly; a higher number is not a confidence

_OFF_GRID = 0.1  # of an interval: times further from the grid are not written as frame numbers


def recognise(path: Path) -> bool:
    """A folder that holds .json files."""
    return Path(path).is_dir() and bool(_json_files(Path(path)))


def read(
    folder: str | Path,
    *,
    layout: str | None = None,
    rate_hz: float | None = None,
    image_size_px: tuple[int, int] | None = None,
    unit: str | None = None,
) -> Detections | PoseSequence:
    """The people of every frame. A folder of 3D joints alone becomes a sequence of one person.

    layout         of the keypoints; needed for 25 of them
    rate_hz        frames per second; needed
    image_size_px  (width, height); needed for normalised coordinates
    unit           of 3D joints: "m" (default) or "mm"

    Raises `InputError` if the folder or a file does not exist, is cut or of another kind; if the number of keypoints is
    not that of the layout; if 25 keypoints are clearly BODY_25B's and BODY_25 is declared, or the reverse; and if a
    needed option is not given.
    """
    folder = Path(folder)
    files, numbers = _numbered_files(folder)
    if rate_hz is None:
        raise InputError(f"{folder}: OpenPose files do not hold their frame rate; declare it with --fps")
    if not (np.isfinite(rate_hz) and rate_hz > 0):
        raise InputError(f"{folder}: a frame rate of {rate_hz} per second is not possible; declare it with --fps")
    found = _parse(files)
    is_3d = not found.keypoints and bool(found.joints_3d.keypoints)
    if unit is not None and unit not in (DECLARED_METRES if is_3d else ("px",)):
        raise InputError(
            f"{folder}: holds {'3D joints, in m or mm' if is_3d else '2D keypoints, in pixels'}; --unit {unit} is wrong"
        )
    if is_3d:
        return _read_3d(folder, files, numbers / rate_hz, found.joints_3d, layout, DECLARED_METRES[unit or "m"])
    skeleton, reason = _skeleton(folder, found, layout)
    history = [f"{len(files)} frames read from OpenPose's JSON", *reason, *_gaps(numbers), *found.notes()]

    n_people = 1 + max(found.slots, default=-1)
    points = np.full((len(files), n_people, len(skeleton), 3), np.nan)
    if found.keypoints:
        points[found.frames, found.slots] = np.stack(found.keypoints).reshape(-1, len(skeleton), 3)
    positions, confidence = points[..., :2], points[..., 2]
    people = np.zeros(points.shape[:2], dtype=bool)
    people[found.frames, found.slots] = True
    missing = _missing(points, people, history)
    _check_layout(folder, np.where(missing[..., None], np.nan, points[..., :2]), skeleton)
    positions, scaling = _to_pixels(folder, positions, ~missing, image_size_px)
    history += scaling
    confidence = _clipped(folder, files, np.where(missing, 0.0, confidence), history)
    with naming(folder):
        return Detections(
            positions=np.where(missing[..., None], np.nan, positions),
            confidence=confidence,
            times_s=numbers / rate_hz,
            skeleton=skeleton,
            image_size_px=image_size_px,
            frame_name=_camera_name(folder),
            source=Source(method="openpose", model=skeleton.name, file=str(folder)),
            history=tuple(history),
        )


def dimensions(folder: Path) -> int:
    """3 if the first file with a person in it holds 3D joints and no 2D ones, else 2.

    Raises `InputError` if a file up to there is cut.
    """
    for file in _json_files(Path(folder)):
        people = _people(file)
        if people:
            return 3 if all(p.get("pose_keypoints_3d") and not p.get("pose_keypoints_2d") for p in people) else 2
    return 2


def write(item: PoseSequence | Detections, folder: str | Path) -> tuple[str, ...]:
    """Writes a folder as OpenPose does; returns what is not preserved.

    The files are named for the video or camera of the joints, or for the folder. BODY_25, BODY_25B, COCO-18 and COCO-17
    are written as they are; any other layout is mapped to BODY_25 by name. Frame numbers follow the times if these lie
    on a regular grid. An existing folder is replaced as a whole.

    Raises `InputError` if the folder holds files that are not .json.
    """
    folder = Path(folder)
    _refuse_foreign_folder(folder)
    n_people = 1
    is_3d = isinstance(item, PoseSequence) and item.dimensions == 3
    if isinstance(item, PoseSequence):
        rows = item
        fields = (*(("confidence",) if is_3d else ()), "status", "covariance", "source", "history")
        not_preserved = list(unsupported_fields(item, *fields))
    else:
        extra = {"boxes": item.boxes_px, "scores": item.scores, "3D estimates": item.world_m}
        not_preserved = [f"the people's {name} are not preserved" for name, value in extra.items() if value is not None]
        if ((item.status != Status.MISSING) & (item.status != Status.MEASURED)).any():
            not_preserved.append("which joints were inferred, interpolated or repaired is not preserved")
        not_preserved += [f"the history ({len(item.history)} steps) is not preserved"] if item.history else []
        n_people = item.positions.shape[1]
        rows = PoseSequence(  # every person of every frame is one row, so that one map serves both
            positions=item.positions.reshape(len(item) * n_people, len(item.skeleton), 2),
            times_s=np.arange(len(item) * n_people),
            skeleton=item.skeleton,
            unit="px",
            frame="image",
            confidence=item.confidence.reshape(len(item) * n_people, len(item.skeleton)),
        )
    if all(item.skeleton.joints != native.joints for native in _NATIVE):
        mapped = rows.to_skeleton(BODY_25)
        not_preserved += unmapped_joints(rows, mapped)
        rows = mapped
    at_zero = rows.valid & ((rows.confidence == 0) | (rows.positions == 0).all(axis=2))
    if at_zero.any() and not is_3d:
        not_preserved.append(f"{int(at_zero.sum())} joints of confidence 0 or at 0, 0 will be read as missing")
    numbers, sentences = _frame_numbers(item.times_s)
    not_preserved += sentences
    if len(rows.skeleton) == 25:
        not_preserved.append(f"the layout is not preserved: read the files with --layout {rows.skeleton.name}")
    if item.image_size_px is not None:
        width, height = item.image_size_px
        not_preserved.append(f"the image size ({width} x {height}) is not preserved")
    if isinstance(item, PoseSequence) and is_3d:
        where = item.frame + (f" of {item.frame_name}" if item.frame_name else "")
        not_preserved.append(f"the frame ({where}, up {item.up or 'unknown'}) is not preserved")

    third = rows.valid if is_3d else rows.confidence
    values = np.concatenate([np.nan_to_num(rows.positions), third[..., None]], axis=2)
    values = values.reshape(len(item), n_people, -1)
    present = rows.valid.any(axis=1).reshape(len(item), n_people)
    name = Path(item.frame_name).name or folder.resolve().name
    with replacing(folder) as temporary:
        temporary.mkdir()
        for number, people, shown in zip(numbers.tolist(), values, present, strict=True):
            content = {"version": 1.3, "people": [_person(keypoints, is_3d) for keypoints in people[shown].tolist()]}
            file = temporary / f"{name}_{number:012d}_keypoints.json"
            write_json(file, content, indent=None)
    return tuple(not_preserved)


@dataclass
class _Joints3D:
    """The 3D joints in the files: one entry for each person, in reading order."""

    frames: list[int] = field(default_factory=list)
    keypoints: list[FloatArray] = field(default_factory=list)


@dataclass
class _Found:
    """The people in the files: one entry for each person, in reading order."""

    frames: list[int] = field(default_factory=list)
    slots: list[int] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)
    keypoints: list[FloatArray] = field(default_factory=list)
    joints_3d: _Joints3D = field(default_factory=_Joints3D)
    n_empty: int = 0
    n_other: int = 0

    def notes(self) -> list[str]:
        notes = []
        if self.n_empty:
            notes.append(f"{self.n_empty} people without a body keypoint left out")
        if self.n_other:
            notes.append(f"hand, face or 3D keypoints of {self.n_other} people not read")
        return notes


def _json_files(folder: Path) -> list[Path]:
    try:
        return sorted(p for p in folder.iterdir() if p.suffix.lower() == ".json" and not p.name.startswith("."))
    except OSError as error:
        raise InputError(f"{folder}: cannot be read ({error.strerror})") from None


def _numbered_files(folder: Path) -> tuple[list[Path], IntArray]:
    """The folder's JSON files in the order of their frame numbers, and these numbers."""
    if not folder.is_dir():
        what = "is a file; OpenPose's output is a folder" if folder.exists() else "no such folder"
        raise InputError(f"{folder}: {what}; give the folder that holds one .json file a frame")
    files = _json_files(folder)
    if not files:
        raise InputError(f"{folder}: holds no .json file; give the folder that OpenPose's --write_json wrote")
    by_number: dict[int, Path] = {}
    for file in files:
        digits = re.findall(r"[0-9]+", file.stem.removesuffix("_keypoints"))
        if not digits or len(digits[-1]) > 15:
            raise InputError(f"{file}: no frame number in its name; expected e.g. video_000000000012_keypoints.json")
        number = int(digits[-1])
        if number in by_number:
            raise InputError(
                f"{folder}: {by_number[number].name} and {file.name} are both frame {number}; "
                f"keep one video in each folder"
            )
        by_number[number] = file
    numbers = sorted(by_number)
    return [by_number[number] for number in numbers], np.array(numbers, dtype=np.int64)


def _people(file: Path) -> list[dict[str, Any]]:
    """The people of one file."""
    try:
        content = json.loads(read_bytes(file))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{file}: is not complete JSON ({one_line(error)}); run OpenPose again") from None
    people = content.get("people") if isinstance(content, dict) else None
    if not isinstance(people, list) or not all(isinstance(person, dict) for person in people):
        raise InputError(f"{file}: is not OpenPose's output: it has no list of 'people'")
    return people


def _parse(files: list[Path]) -> _Found:
    found = _Found()
    for frame, file in enumerate(files):
        slot = 0
        for person in _people(file):
            found.n_other += any(person.get(key) for key in _NOT_READ)
            values = person.get("pose_keypoints_2d", person.get("pose_keypoints"))  # the latter in old versions
            if not values:
                if person.get("pose_keypoints_3d"):
                    found.joints_3d.frames.append(frame)
                    found.joints_3d.keypoints.append(_numbers(file, person, "pose_keypoints_3d", slot, 4))
                found.n_empty += 1
                continue
            keypoints = _numbers(file, {"pose_keypoints_2d": values}, "pose_keypoints_2d", slot, 3)
            found.frames.append(frame)
            found.slots.append(slot)
            found.files.append(file)
            found.keypoints.append(keypoints)
            slot += 1
    return found


def _numbers(file: Path, person: dict[str, Any], key: str, slot: int, per_joint: int) -> FloatArray:
    """The keypoints of one person, `per_joint` numbers for each joint."""
    try:
        keypoints = np.array(person[key], dtype=float)
    except (TypeError, ValueError, OverflowError):
        keypoints = np.empty((0, 0))
    if keypoints.ndim != 1 or len(keypoints) % per_joint:
        form = "x, y, confidence" if per_joint == 3 else "x, y, z, confidence"
        raise InputError(f"{file}: {key} of person {slot} is not a list of {form} numbers")
    return keypoints


def _read_3d(
    folder: Path, files: list[Path], times_s: FloatArray, joints_3d: _Joints3D, layout: str | None, unit_m: float
) -> PoseSequence:
    """The one person's 3D joints."""
    if len(set(joints_3d.frames)) < len(joints_3d.frames):
        frame = next(frame for frame in joints_3d.frames if joints_3d.frames.count(frame) > 1)
        raise InputError(f"{files[frame]}: holds the 3D joints of several people; keep one in each file")
    as_2d = _Found(
        files=[files[frame] for frame in joints_3d.frames],
        keypoints=[values[: len(values) // 4 * 3] for values in joints_3d.keypoints],
    )
    skeleton, reason = _skeleton(folder, as_2d, layout)
    points = np.zeros((len(files), len(skeleton), 4))
    points[joints_3d.frames] = np.stack(joints_3d.keypoints).reshape(-1, len(skeleton), 4)
    missing = ~np.isfinite(points).all(axis=2) | (points[..., 3] <= 0)
    if (points[..., 3] > _HIGHEST_CONFIDENCE).any():
        raise InputError(f"{folder}: a confidence of {points[..., 3].max():g}; OpenPose's are 0 or 1 for 3D joints")
    with naming(folder):
        return PoseSequence(
            positions=np.where(missing[..., None], np.nan, points[..., :3]) * unit_m,
            times_s=times_s,
            skeleton=skeleton,
            unit="m",
            frame="world",
            frame_name=_camera_name(folder),
            confidence=np.where(missing, 0.0, np.minimum(points[..., 3], 1.0)),
            source=Source(method="openpose", model=skeleton.name, file=str(folder)),
            history=(f"3D joints of {len(files)} frames read from OpenPose's JSON", *reason),
        )


def _skeleton(folder: Path, found: _Found, declared: str | None) -> tuple[Skeleton, list[str]]:
    """The layout of the keypoints, declared or by their number; a sentence for the history if it is by number."""
    counts = [len(keypoints) // 3 for keypoints in found.keypoints]
    reason: list[str] = []
    if declared is not None:
        skeleton = layout_of(declared)
    elif not counts:
        raise InputError(f"{folder}: no person is in any frame; with --layout it is read as a recording without people")
    elif counts[0] == 25:
        raise InputError(
            f"{folder}: 25 keypoints are BODY_25 or BODY_25B, and the files do not say which; "
            f"declare --layout body-25 or --layout body-25b"
        )
    elif counts[0] in _BY_COUNT:
        skeleton = _BY_COUNT[counts[0]]
        reason.append(f"layout {skeleton.name}, from the number of keypoints")
    else:
        raise InputError(
            f"{found.files[0]}: {counts[0]} keypoints a person; OpenPose's body layouts have 25, 18 or 17; "
            f"declare another one with --layout"
        )
    for count, file in zip(counts, found.files, strict=True):
        if count != len(skeleton):
            raise InputError(f"{file}: {count} keypoints found, {skeleton.name} has {len(skeleton)}; check --layout")
    return skeleton, reason


def _gaps(numbers: IntArray) -> list[str]:
    absent = int(numbers[-1] - numbers[0] + 1 - len(numbers))
    if not absent:
        return []
    gaps = int((np.diff(numbers) > 1).sum())
    return [
        f"{absent} frame numbers between {numbers[0]} and {numbers[-1]} have no file ({gaps} gaps); "
        f"they stay gaps in time"
    ]


def _check_layout(folder: Path, positions: FloatArray, skeleton: Skeleton) -> None:
    """Raises `InputError` if the keypoints fit the other layout of 25, and not this one."""
    if skeleton not in (BODY_25, BODY_25B):
        return
    other = BODY_25B if skeleton is BODY_25 else BODY_25
    if fits_better(positions.reshape(-1, 25, 2), skeleton, other):
        raise InputError(
            f"{folder}: the keypoints do not look like {skeleton.name}: neck, hips and ankles are in the places of "
            f"{other.name}; is it {other.name}? Then declare --layout {other.name}"
        )


def _missing(points: FloatArray, people: BoolArray, history: list[str]) -> BoolArray:
    """(time, person, joint): the point is missing. Points that are missing without being 0, 0, 0 are counted.

    people  (time, person): the files hold this person; the other rows are padding
    """
    broken = ~np.isfinite(points).all(axis=3)
    zero_confidence = ~broken & (points[..., 2] == 0)
    at_zero = ~broken & (points[..., :2] == 0).all(axis=3)
    with np.errstate(invalid="ignore"):
        centred = (np.abs(points[..., :2]) <= 1).all(axis=3) & (points[..., :2] < 0).any(axis=3)
    if at_zero.any() and centred.any() and not (np.abs(points[..., :2]) > 1).any():
        at_zero &= zero_confidence  # keypoint_scale 4: 0, 0 is the middle of the image
    missing: BoolArray = broken | zero_confidence | at_zero
    for count, sentence in (
        (int((broken & people[..., None]).sum()), "points that are not finite numbers taken as missing"),
        (int((zero_confidence & ~at_zero).sum()), "points of confidence 0 taken as missing"),
        (int((at_zero & ~zero_confidence).sum()), "points at 0, 0 taken as missing"),
    ):
        if count:
            history.append(f"{count} {sentence}")
    return missing


def _to_pixels(
    folder: Path,
    positions: FloatArray,
    valid: BoolArray,
    image_size_px: tuple[int, int] | None,
) -> tuple[FloatArray, list[str]]:
    """Positions in pixels, and sentences for the history."""
    xy = positions[valid]
    if image_size_px is not None and min(image_size_px) <= 0:
        raise InputError(f"{folder}: an image of {image_size_px} pixels is not possible")
    if len(xy) and np.abs(xy).max() <= 1:
        low = -1.0 if xy.min() < 0 else 0.0
        range_ = f"{low:.0f}..1 (OpenPose's keypoint_scale {4 if low else 3})"
        if image_size_px is None:
            raise InputError(
                f"{folder}: all coordinates lie in {range_}, they are not pixels; "
                f"declare the image size (image_size_px), or run OpenPose with --keypoint_scale 0"
            )
        pixels = (positions - low) / (1.0 - low) * (np.array(image_size_px) - 1.0)
        return pixels, [f"coordinates scaled from {range_} to {image_size_px} pixels"]
    if len(xy) and np.abs(xy).max() > _LARGEST_PIXEL:
        raise InputError(f"{folder}: a keypoint lies at {np.abs(xy).max():g}; no image is so large")
    if image_size_px is not None:
        outside = int(((xy < -0.5) | (xy > np.array(image_size_px) - 0.5)).any(axis=1).sum())
        width, height = image_size_px
        sentence = f"{outside} keypoints lie outside the declared image of {width} x {height} pixels"
        return positions, [sentence] if outside else []
    return positions, ["the image size is not declared"]


def _clipped(folder: Path, files: list[Path], confidence: FloatArray, history: list[str]) -> FloatArray:
    """Confidence in 0..1. Values slightly above 1 are clipped and counted."""
    wrong = (confidence < 0) | (confidence > _HIGHEST_CONFIDENCE)
    if wrong.any():
        frame = int(np.argwhere(wrong)[0, 0])
        raise InputError(f"{files[frame]}: a confidence of {confidence[wrong][0]:g}; OpenPose's are between 0 and 1")
    above = confidence > 1
    if above.any():
        history.append(f"{int(above.sum())} confidences above 1 (up to {confidence.max():.4g}) clipped to 1")
    return np.minimum(confidence, 1.0)


def _camera_name(folder: Path) -> str:
    """The folder's name without Pose2Sim's ending: cam01_json is camera cam01."""
    name = folder.resolve().name
    return name.removesuffix("_json") or name


def _frame_numbers(times_s: FloatArray) -> tuple[IntArray, list[str]]:
    """A frame number for every time, and what they do not preserve."""
    count = np.arange(len(times_s), dtype=np.int64)
    if len(times_s) < 2:
        return count, ["the time of the frame is not preserved"] if times_s.any() else []
    intervals = np.diff(times_s)
    steps = np.concatenate([[0], np.cumsum(np.rint(intervals / np.median(intervals)))])
    rate_hz = steps[-1] / (times_s[-1] - times_s[0])
    grid = times_s * rate_hz
    numbers = steps + np.rint(grid[0])
    rate = "the frame rate is not preserved: read the files with --fps "
    if numbers[0] >= 0 and (np.diff(numbers) > 0).all() and np.abs(grid - numbers).max() < _OFF_GRID:
        return numbers.astype(np.int64), [f"{rate}{rate_hz:.9g}"]
    return count, [
        f"{rate}{median_rate_hz(times_s):.9g}",
        "the times are not preserved: they are not on a regular grid from 0, so the frames are counted",
    ]


def _person(values: list[float], is_3d: bool) -> dict[str, Any]:
    return {
        "person_id": [-1],
        "pose_keypoints_2d": [] if is_3d else values,
        "face_keypoints_2d": [],
        "hand_left_keypoints_2d": [],
        "hand_right_keypoints_2d": [],
        "pose_keypoints_3d": values if is_3d else [],
        "face_keypoints_3d": [],
        "hand_left_keypoints_3d": [],
        "hand_right_keypoints_3d": [],
    }


def _refuse_foreign_folder(folder: Path) -> None:
    """Replacing a folder deletes its files: only OpenPose's may be deleted."""
    if not folder.is_dir():
        return
    other = sorted(p.name for p in folder.iterdir() if p.suffix.lower() != ".json")
    if other:
        raise InputError(f"{folder}: holds other files ({other[0]}) that would be deleted; choose a new folder")
