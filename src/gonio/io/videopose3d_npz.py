"""VideoPose3D's files (.npz): sets of 2D keypoints, sets of 3D poses, and the detections of Detectron.

    data_2d_*.npz           positions_2d = {subject: {action: [one (time, joint, 2) array in px for each camera]}}
                            metadata = {layout_name, num_joints, keypoints_symmetry, video_metadata for custom sets}
    data_2d_custom_*.npz    the same; a subject is a video, its action is "custom", there is one camera
    data_3d_*.npz           positions_3d = {subject: {action: (time, joint, 3) array in m, world}}
    <video>.npz             what `infer_video` writes: boxes[t][1] (person, 5) x1, y1, x2, y2, score; keypoints[t][1]
                            (person, 4, 17) rows x, y, logit, probability; metadata {w, h}

All are pickled objects; they are read without executing anything (`restricted_pickle`). No point is missing: the
authors of a file filled the gaps. The sets state neither confidence nor frame rate: Human3.6M has 50 frames per second
and HumanEva 60; another rate is declared. In Human3.6M's sets the 2D arrays may be some frames longer than the 3D
arrays; their first frames are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gonio.core.arrays import FloatArray
from gonio.core.detections import Detections
from gonio.core.errors import InputError
from gonio.core.files import replacing
from gonio.core.sequence import PoseSequence, Source
from gonio.core.skeleton import COCO_17, H36M_17, Skeleton
from gonio.io.infer_video import boxed
from gonio.io.reading import naming
from gonio.io.restricted_pickle import entry_names, load_npz
from gonio.io.writing import unmapped_joints, unsupported_fields

HUMANEVA_15 = Skeleton(
    "humaneva-15",
    (
        *("mid_hip", "thorax", "left_shoulder", "left_elbow", "left_wrist"),
        *("right_shoulder", "right_elbow", "right_wrist", "left_hip", "left_knee", "left_ankle"),
        *("right_hip", "right_knee", "right_ankle", "head"),
    ),
    (-1, 0, 1, 2, 3, 1, 5, 6, 0, 8, 9, 0, 11, 12, 1),
)
H36M_DROPPED = (4, 5, 9, 10, 11, 16, 20, 21, 22, 23, 24, 28, 29, 30, 31)
"""The joints of Human3.6M's 32 that its 17 leave out: they do not move, or coincide with another joint."""
CAMERAS_H36M = ("54138969", "55011271", "58860488", "60457274")
_LAYOUTS = {"coco": COCO_17, "h36m": H36M_17, "humaneva15": HUMANEVA_15}
_RATES_HZ = {H36M_17: 50.0, HUMANEVA_15: 60.0}
_CUSTOM = "custom"


class Recording(NamedTuple):
    """The name of a recording in a set. The camera is its number in Human3.6M, or its place in the list; "" for 3D."""

    subject: str
    action: str
    camera: str = ""

    def __str__(self) -> str:
        return "/".join(part for part in self if part)


Dataset = dict[Recording, PoseSequence]


def recognise(path: Path) -> bool:
    """A zip that holds positions_2d, positions_3d, or boxes and keypoints."""
    names = set(entry_names(Path(path)))
    return bool(names & {"positions_2d", "positions_3d"}) or {"boxes", "keypoints"} <= names


def read(path: str | Path, *, rate_hz: float | None = None) -> PoseSequence | dict[str, PoseSequence] | Detections:
    """The detections of a video, or the recordings of a set by their names (the sequence itself if there is only one).

    Raises `InputError` as `VideoPose3DSet` and `read_detections` do.
    """
    if "boxes" in entry_names(Path(path)):
        return read_detections(path, rate_hz=rate_hz)
    dataset = VideoPose3DSet(path).recordings(rate_hz=rate_hz)
    if len(dataset) == 1:
        return next(iter(dataset.values()))
    return {str(recording): sequence for recording, sequence in dataset.items()}


class VideoPose3DSet:
    """An open 2D or 3D set. The file is read once; each call of `recordings` converts the subjects that it needs.

    path        the file
    dimensions  2 (px) or 3 (m)
    subjects    their names, in the file's order

    Raises `InputError` if the file is absent, damaged or of another kind.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        entries = load_npz(self.path)
        if "positions_2d" not in entries and "positions_3d" not in entries:
            raise InputError(
                f"{path}: holds {', '.join(entries) or 'nothing'}; VideoPose3D's sets hold positions_2d or _3d"
            )
        self.dimensions = 2 if "positions_2d" in entries else 3
        self._actions = entries[f"positions_{self.dimensions}d"]
        self._metadata = entries.get("metadata")
        if not isinstance(self._actions, dict) or not all(isinstance(a, dict) for a in self._actions.values()):
            raise InputError(f"{path}: does not hold subjects with their actions")
        self.subjects = tuple(str(subject) for subject in self._actions)

    def recordings(self, subjects: Collection[str] | None = None, *, rate_hz: float | None = None) -> Dataset:
        """The recordings of some subjects, or of all; frame i has the time i / rate.

        2D is in px of the image, with its size if the file states it. 3D is in metres of the world, z up; Human3.6M's
        32 joints become 17. All of Human3.6M takes gigabytes.

        rate_hz  frames per second; Human3.6M's and HumanEva's are known

        Raises `InputError` for an unknown subject, layout or rate, and if an array has another shape.
        """
        path = self.path
        unknown = set(subjects or ()) - set(self.subjects)
        if unknown:
            raise InputError(
                f"{path}: there is no subject {', '.join(sorted(unknown))}; there are {', '.join(self.subjects)}"
            )
        convert = _sequences_2d(path, self._metadata, rate_hz) if self.dimensions == 2 else _sequences_3d(path, rate_hz)
        dataset: Dataset = {}
        for subject, actions in self._actions.items():
            if subjects is not None and str(subject) not in subjects:
                continue
            for action, value in actions.items():
                views = value if self.dimensions == 2 else [value]
                if not isinstance(views, (list, tuple)) or not all(isinstance(view, np.ndarray) for view in views):
                    raise InputError(f"{path}: {subject}/{action} is no list of arrays")
                for number, view in enumerate(views):
                    recording, sequence = convert(str(subject), str(action), number, view)
                    dataset[recording] = sequence
        if not dataset:
            raise InputError(f"{path}: holds no recording")
        return dataset


def dimensions(path: Path) -> int:
    """2 or 3, from the names of the arrays."""
    return 3 if "positions_3d" in entry_names(Path(path)) else 2


def read_detections(path: str | Path, *, rate_hz: float | None = None) -> Detections:
    """The people that Detectron found in each frame: COCO's 17 keypoints in px, confidence = probability.

    Raises `InputError` if the file does not exist, is damaged or of another kind, or if the rate is not declared.
    """
    path = Path(path)
    entries = load_npz(path)
    try:
        boxes, keypoints = entries["boxes"], entries["keypoints"]
        size = int(entries["metadata"]["w"]), int(entries["metadata"]["h"])
        people = [
            _people(frame_boxes, frame_keypoints) for frame_boxes, frame_keypoints in zip(boxes, keypoints, strict=True)
        ]
    except (KeyError, IndexError, TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{path}: does not have the layout that infer_video writes ({error!r})") from None
    rate = _rate(path, rate_hz, None)
    if not people:
        raise InputError(f"{path}: holds no frame")
    shape = len(people), max(len(found) for found, _ in people)
    table, frame_boxes_px = np.full((*shape, 4, 17), np.nan), np.full((*shape, 5), np.nan)
    for t, (found, found_boxes) in enumerate(people):
        table[t, : len(found)], frame_boxes_px[t, : len(found)] = found, found_boxes
    positions = table[:, :, :2].swapaxes(2, 3)
    probability = np.nan_to_num(table[:, :, 3], nan=0.0)
    clipped = int(((probability < 0) | (probability > 1)).sum())
    history = [f"{shape[0]} frames read from {path.name}, {rate:g} per second"]
    if clipped:
        history.append(f"{clipped} probabilities clipped to 0..1")
    with naming(path):
        return Detections(
            positions=positions,
            confidence=np.clip(probability, 0, 1),
            times_s=np.arange(shape[0]) / rate,
            skeleton=COCO_17,
            image_size_px=size,
            frame_name=path.stem,
            boxes_px=frame_boxes_px[..., :4],
            scores=frame_boxes_px[..., 4],
            source=Source(method="detectron", model="keypoint-rcnn", file=str(path)),
            history=tuple(history),
        )


def write(item: PoseSequence | Mapping[str, PoseSequence], path: str | Path) -> tuple[str, ...]:
    """Writes a custom set for VideoPose3D's scripts; returns what is not preserved.

    A sequence becomes the video, or the subject, of its `frame_name`, a mapping one for each name; the action is
    "custom". By the file's name a set of 2D keypoints, COCO's 17 (`data_2d_custom_NAME.npz`, which VideoPose3D finds by
    `-d custom -k NAME`), or of 3D poses, Human3.6M's 17 in metres, z up (`data_3d_NAME.npz`); joints mapped by name.
    Raises `InputError` for the wrong dimension, if the image size is not known, and if a joint is missing in any frame.
    """
    path = Path(path)
    videos = {item.frame_name or path.stem: item} if isinstance(item, PoseSequence) else item
    if not isinstance(videos, Mapping) or not videos:
        raise InputError(f"{path}: VideoPose3D's set holds one person for each video; none is given")
    return _write_3d(videos, path) if path.name.startswith("data_3d_") else _write_2d(videos, path)


def _write_2d(videos: Mapping[str, PoseSequence], path: Path) -> tuple[str, ...]:
    positions, sizes, not_preserved = {}, {}, []
    for name, sequence in videos.items():
        if sequence.dimensions != 2 or sequence.image_size_px is None or not len(sequence):
            raise InputError(f"{path}: {name}: a 2D sequence with its image size and at least one frame is needed")
        mapped = _whole(path, name, sequence, COCO_17)
        positions[name] = {_CUSTOM: [mapped.positions.astype(np.float32)]}
        sizes[name] = dict(zip("wh", sequence.image_size_px, strict=True))
        not_preserved += [f"{name}: {sentence}" for sentence in _not_preserved(sequence, mapped)]
    left, right = zip(*COCO_17.left_right_pairs, strict=True)
    metadata = {
        "layout_name": "coco",
        "num_joints": len(COCO_17),
        "keypoints_symmetry": [list(left), list(right)],
        "video_metadata": sizes,
    }
    _write_arrays(path, {"positions_2d": boxed(positions), "metadata": boxed(metadata)})
    return tuple(not_preserved)


def _write_3d(subjects: Mapping[str, PoseSequence], path: Path) -> tuple[str, ...]:
    positions, not_preserved = {}, []
    for name, sequence in subjects.items():
        if sequence.dimensions != 3 or not len(sequence):
            raise InputError(f"{path}: {name}: a 3D sequence with at least one frame is needed")
        mapped = _whole(path, name, sequence, H36M_17)
        if mapped.up is None:
            not_preserved.append(
                f"{name}: the vertical axis is not known: the axes are written as they are, and read as z up"
            )
        upright = mapped if mapped.up is None else mapped.with_up("+z")
        positions[name] = {_CUSTOM: upright.positions.astype(np.float32)}
        not_preserved += [f"{name}: {sentence}" for sentence in _not_preserved(sequence, mapped)]
    _write_arrays(path, {"positions_3d": boxed(positions)})
    return tuple(not_preserved)


def _whole(path: Path, name: str, sequence: PoseSequence, skeleton: Skeleton) -> PoseSequence:
    """The sequence in the set's joints. Raises `InputError` if one is missing in any frame."""
    mapped = sequence.to_skeleton(skeleton)
    if mapped.valid.all():
        return mapped
    absent = [joint for j, joint in enumerate(skeleton.joints) if not mapped.valid[:, j].any()]
    which = f"; {', '.join(absent)} in every frame" if absent else ""
    raise InputError(
        f"{path}: {name}: {int((~mapped.valid).sum())} of {mapped.valid.size} keypoints are missing{which}; "
        "VideoPose3D has no missing keypoints: fill the gaps first"
    )


def _write_arrays(path: Path, arrays: dict[str, Any]) -> None:
    with replacing(path) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(stream, allow_pickle=True, **arrays)


def _not_preserved(sequence: PoseSequence, mapped: PoseSequence) -> tuple[str, ...]:
    return (
        f"the times are not preserved: {sequence.rate_hz:.6g} frames per second",
        *unsupported_fields(sequence, "confidence", "status", "covariance", "source", "history"),
        *unmapped_joints(sequence, mapped),
    )


_Convert = Callable[[str, str, int, NDArray[Any]], tuple[Recording, PoseSequence]]


def _sequences_2d(path: Path, metadata: Any, rate_hz: float | None) -> _Convert:
    """A function that makes a sequence of a (time, joint, 2) array."""
    try:
        name = str(metadata["layout_name"])
        videos = metadata.get("video_metadata", {})
        sizes = {str(video): (int(size["w"]), int(size["h"])) for video, size in videos.items()}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{path}: its metadata are not VideoPose3D's ({error!r})") from None
    if name not in _LAYOUTS:
        raise InputError(f"{path}: layout {name!r} is not known; known are {', '.join(_LAYOUTS)}")
    skeleton = _LAYOUTS[name]

    def convert(subject: str, action: str, number: int, view: NDArray[Any]) -> tuple[Recording, PoseSequence]:
        in_h36m = not sizes and skeleton is not HUMANEVA_15 and number < len(CAMERAS_H36M) and subject.startswith("S")
        recording = Recording(subject, action, CAMERAS_H36M[number] if in_h36m else str(number))
        positions = _numbers(path, recording, view, len(skeleton), 2)
        rate = _rate(path, rate_hz, 50.0 if in_h36m else _RATES_HZ.get(skeleton))
        with naming(path):
            return recording, PoseSequence(
                positions=positions,
                times_s=np.arange(len(positions)) / rate,
                skeleton=skeleton,
                unit="px",
                frame="image",
                frame_name=subject if action == _CUSTOM else recording.camera,
                image_size_px=sizes.get(subject),
                source=Source(method="videopose3d_npz", model=name, file=str(path)),
                history=(f"{len(positions)} frames of {recording} read from {path.name}, {rate:g} per second",),
            )

    return convert


def _sequences_3d(path: Path, rate_hz: float | None) -> _Convert:
    """A function that makes a sequence of a (time, 15, 17 or 32, 3) array."""

    def convert(subject: str, action: str, _: int, view: NDArray[Any]) -> tuple[Recording, PoseSequence]:
        recording = Recording(subject, action)
        history = ""
        if view.ndim == 3 and view.shape[1] == 32:
            view, history = np.delete(view, H36M_DROPPED, axis=1), ", 17 of 32 joints kept"
        skeleton = {15: HUMANEVA_15}.get(view.shape[1] if view.ndim == 3 else 0, H36M_17)
        positions = _numbers(path, recording, view, len(skeleton), 3)
        rate = _rate(path, rate_hz, _RATES_HZ[skeleton])
        with naming(path):
            return recording, PoseSequence(
                positions=positions,
                times_s=np.arange(len(positions)) / rate,
                skeleton=skeleton,
                unit="m",
                frame="world",
                frame_name=str(recording),
                up="+z",
                source=Source(method="videopose3d_npz", model=skeleton.name, file=str(path)),
                history=(
                    f"{len(positions)} frames of {recording} read from {path.name}, {rate:g} per second{history}",
                ),
            )

    return convert


def _numbers(path: Path, recording: Recording, view: NDArray[Any], n_joints: int, dimensions: int) -> FloatArray:
    if view.ndim != 3 or view.shape[1:] != (n_joints, dimensions) or view.dtype.kind not in "fiu":
        raise InputError(
            f"{path}: {recording} is {view.dtype} of shape {view.shape}; expected (time, {n_joints}, {dimensions})"
        )
    return np.asarray(view, dtype=float)


def _rate(path: Path, declared_hz: float | None, known_hz: float | None) -> float:
    rate = declared_hz if declared_hz is not None else known_hz
    if rate is None:
        raise InputError(f"{path}: the file does not state its frame rate; declare it with --fps")
    if not (np.isfinite(rate) and rate > 0):
        raise InputError(f"{path}: a frame rate of {rate} per second is not possible; declare it with --fps")
    return float(rate)


def _people(boxes: Any, keypoints: Any) -> tuple[FloatArray, FloatArray]:
    """Of one frame: (person, 4, 17) and (person, 5). Index 1 is Detectron's class of people."""
    found = np.asarray(keypoints[1], dtype=float)
    if not found.size:
        return np.empty((0, 4, 17)), np.empty((0, 5))
    found, found_boxes = found.reshape(-1, 4, 17), np.asarray(boxes[1], dtype=float).reshape(-1, 5)
    if len(found) != len(found_boxes):
        raise ValueError(f"{len(found_boxes)} boxes, {len(found)} people")
    return found, found_boxes
