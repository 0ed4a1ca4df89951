"""Motion capture files (.c3d, https://www.c3d.org): labelled points over time.

A file has POINT:LABELS, POINT:UNITS and POINT:RATE; some systems add POINT:X_SCREEN and POINT:Y_SCREEN, the axes that
point right and up on the screen. Y_SCREEN is used as the vertical axis. A point of residual -1, NaN, or at 0, 0, 0
is missing.
Outputs of a model (POINT:ANGLES, FORCES, MOMENTS, POWERS, SCALARS) and points without a label are not positions of
markers. They are left out and counted in the history. Labels of several subjects ("Anna:LASI", "Ben:LASI") are
several recordings.

gonio's own reader checks every size that a file declares against the length of the file: readers without this check
crash on damaged files. ezc3d (the extra c3d) writes the files.
"""

from __future__ import annotations

import math
import struct
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast, get_args

import numpy as np
from numpy.typing import NDArray

from gonio.core.arrays import FloatArray
from gonio.core.errors import InputError, MissingExtraError
from gonio.core.files import replacing
from gonio.core.sequence import Axis, PoseSequence, Source
from gonio.io.joint_names import skeleton_of, translated
from gonio.io.reading import METRES, naming, read_bytes
from gonio.io.writing import unsupported_fields

BLOCK = 512
MAGIC = 0x50
INTEL, DEC, MIPS = 84, 85, 86  # the kind of processor that defines the number format
MOST_DIMENSIONS = 7
MOST_FRAMES = 65535  # the header counts in 16 bits
MOST_LABELS = 255  # in one parameter

_MODEL_OUTPUTS = ("ANGLES", "FORCES", "MOMENTS", "POWERS", "SCALARS")


def recognise(path: Path) -> bool:
    """A file whose second byte is 0x50."""
    try:
        with Path(path).open("rb") as stream:
            head = stream.read(2)
    except OSError:
        return False
    return len(head) == 2 and head[1] == MAGIC


def read(path: Path, *, unit: Literal["m", "cm", "mm"] | None = None) -> PoseSequence | dict[str, PoseSequence]:
    """The markers as joints, in metres; a dict by subject if the labels name more than one.

    unit  required if the file does not state its unit

    The frame is "world", named after the file; the time of the first frame of a capture is 0.
    Raises `InputError` if the file is absent, of another format or cut, if it has no labelled point, and if its unit is
    not known.
    """
    path = Path(path)
    file = _parsed(path, read_bytes(path))
    parameters, n_frames, n_points = file.parameters, *file.points.shape[:2]
    metres = METRES[_unit(path, parameters, unit)]
    rate_hz = float(next(iter(parameters.get("RATE", [])), 0.0))
    if not (np.isfinite(rate_hz) and rate_hz > 0):
        raise InputError(f"{path}: POINT:RATE is {rate_hz:g}; export it again")
    labels, history = _labels(parameters, n_points)
    if not labels:
        raise InputError(f"{path}: none of its {n_points} points is a labelled marker; label them, or export it again")
    markers = file.points[:, list(labels.values())]
    positions = markers[..., :3]
    absent = ~np.isfinite(markers).all(axis=2) | (markers[..., 3] < 0)
    origin = ~absent & (positions == 0).all(axis=2)
    if origin.any():
        history.append(f"{int(origin.sum())} markers at 0, 0, 0 taken as missing")
    positions = np.where((absent | origin)[..., None], np.nan, positions * metres)
    up = str(next(iter(parameters.get("Y_SCREEN", [])), "")).lower()
    by_subject = _by_subject(path, tuple(labels), history)
    read = {}
    for subject, (columns, names) in by_subject.items():
        with naming(path):
            read[subject] = PoseSequence(
                positions=positions[:, columns],
                times_s=(file.first + np.arange(n_frames)) / rate_hz,
                skeleton=skeleton_of(translated(names), "c3d"),
                unit="m",
                frame="world",
                frame_name=path.stem,
                up=cast(Axis, up) if up in get_args(Axis) else None,
                source=Source(method="c3d", file=str(path)),
                history=(f"{n_frames} frames of {len(names)} markers read from {path.name}", *history),
            )
    return next(iter(read.values())) if len(read) == 1 else read


def write(sequence: PoseSequence, path: Path) -> tuple[str, ...]:
    """Writes millimetres in single precision under gonio's names. Returns what the format does not preserve.

    Raises `InputError` for 2D, for fewer than two or more than 65535 frames, and for more than 255 joints;
    `MissingExtraError` if ezc3d is not installed.
    """
    path = Path(path)
    if not isinstance(sequence, PoseSequence) or sequence.dimensions != 3:
        raise InputError(f"{path}: a .c3d file holds one person's 3D markers; write 2D as .csv, .npz or OpenPose JSON")
    if not 2 <= len(sequence) <= MOST_FRAMES or len(sequence.skeleton) > MOST_LABELS:
        raise InputError(
            f"{path}: a .c3d file holds 2 to {MOST_FRAMES} frames of at most {MOST_LABELS} joints, not "
            f"{len(sequence)} of {len(sequence.skeleton)}"
        )
    not_preserved = list(unsupported_fields(sequence, "confidence", "status", "covariance", "source", "history"))
    rate_hz = 1 / float(np.mean(np.diff(sequence.times_s)))
    first = max(0, round(float(sequence.times_s[0]) * rate_hz))
    first = 0 if first + len(sequence) > MOST_FRAMES else first
    if np.abs((first + np.arange(len(sequence))) / rate_hz - sequence.times_s).max() * rate_hz > 0.01:
        not_preserved.append(
            f"the times of the frames are not stored: the file counts {rate_hz:.6g} frames per "
            f"second from frame {first}"
        )
    if sequence.up is None:
        not_preserved.append("the vertical axis is not known and not written")
    if sequence.frame != "world":
        not_preserved.append(f"the positions are in the frame {sequence.frame!r}; the file does not say so")

    ezc3d = _ezc3d()
    content = ezc3d.c3d()
    missing = ~sequence.valid.T
    points = np.ones((4, *missing.shape))
    points[:3] = np.where(missing, 0.0, 1000 * sequence.positions.transpose(2, 1, 0))
    content["header"]["points"]["first_frame"] = first
    point = content["parameters"]["POINT"]
    point["RATE"]["value"], point["UNITS"]["value"] = [rate_hz], ["mm"]
    point["LABELS"]["value"] = sequence.skeleton.joints
    if sequence.up is not None:
        content.add_parameter("POINT", "Y_SCREEN", [sequence.up.upper()])
    content["data"]["points"] = points
    content["data"]["meta_points"] = {
        "residuals": np.where(missing, -1.0, 0.0)[None],
        "camera_masks": np.zeros((7, *missing.shape), dtype=bool),
    }
    with replacing(path) as temporary:
        content.write(str(temporary))
    return tuple(not_preserved)


def _ezc3d() -> Any:
    try:
        import ezc3d  # noqa: PLC0415
    except ImportError:
        raise MissingExtraError("writing .c3d files needs ezc3d: pip install 'gonio[c3d]'") from None
    return ezc3d


@dataclass(frozen=True)
class _File:
    """The parts of a file that are read: POINT's parameters; points (frame, point, 4) in the file's unit (x, y, z,
    residual); the number of the first frame, counted from 0."""

    parameters: dict[str, list[Any]]
    points: FloatArray
    first: int


def _parsed(path: Path, content: bytes) -> _File:
    """The file's parts. Raises `InputError` if the declared sizes do not agree with its length."""
    if len(content) < 2 or content[1] != MAGIC:
        raise InputError(f"{path}: is not a .c3d file: its second byte is not 50 (hexadecimal)")
    cut = InputError(
        f"{path}: the file is shorter ({len(content)} bytes) than its header states: it is cut; export it again"
    )
    start = (content[0] - 1) * BLOCK
    if content[0] < 2:
        raise InputError(f"{path}: its header names no parameters; export it again")
    if start + 4 > len(content):
        raise cut
    n_blocks, processor = content[start + 2], content[start + 3]
    if processor not in (INTEL, DEC, MIPS):
        raise InputError(f"{path}: its parameters are of an unknown kind of processor ({processor}); export it again")
    numbers = _Numbers(processor)
    end = start + n_blocks * BLOCK
    if len(content) < max(end, BLOCK):
        raise cut
    point = _point_parameters(path, content, start + 4, end, numbers)
    n_points, n_analog, first, last = (int(n) for n in numbers.integers(content[2:10]) % 65536)
    data = (int(numbers.integers(content[16:18])[0]) % 65536 - 1) * BLOCK
    scale = float(numbers.floats(content[12:16])[0])
    if data < BLOCK or last < first - 1 or not np.isfinite(scale) or scale == 0:
        raise InputError(f"{path}: its header is damaged (frames {first} to {last}, scale {scale:g}); export it again")
    if not n_points or last < first or last == 0:
        raise InputError(f"{path}: holds {n_points} points, frames {first} to {last}; export the markers' trajectories")
    width = 4 if scale < 0 else 2
    size = (4 * n_points + n_analog) * width
    n_frames = last - first + 1
    if last == MOST_FRAMES:  # the header's count has come to its end: as many as there are
        n_frames = (len(content) - data) // size
    if data + n_frames * size > len(content):
        raise cut
    if n_frames < 1:
        raise cut
    block = content[data : data + n_frames * size]
    table = (numbers.floats(block) if width == 4 else numbers.integers(block)).reshape(n_frames, -1)
    points = table[:, : 4 * n_points].reshape(n_frames, n_points, 4).astype(float)
    if width == 2:
        points[..., :3] *= scale
    return _File(point, points, max(0, first - 1))


@dataclass(frozen=True)
class _Numbers:
    """Decodes numbers in the format of one kind of processor."""

    processor: int

    def integers(self, content: bytes) -> NDArray[np.int64]:
        return np.frombuffer(content, ">i2" if self.processor == MIPS else "<i2").astype(np.int64)

    def floats(self, content: bytes) -> FloatArray:
        with np.errstate(invalid="ignore"):
            if self.processor == DEC:  # the halves exchanged, and the exponent larger by two
                halves = np.frombuffer(content, "<u2").reshape(-1, 2)[:, ::-1]
                return np.ascontiguousarray(halves).view("<f4")[:, 0].astype(float) / 4
            return np.frombuffer(content, ">f4" if self.processor == MIPS else "<f4").astype(float)


def _point_parameters(path: Path, content: bytes, at: int, end: int, numbers: _Numbers) -> dict[str, list[Any]]:
    """The values of the group POINT by name: texts or numbers."""
    damaged = InputError(f"{path}: its parameters are damaged; export it again")
    groups: dict[int, str] = {}
    found: list[tuple[int, str, list[Any]]] = []
    while True:
        if at + 2 > end:
            raise damaged
        n_letters, group = struct.unpack_from("bb", content, at)
        link = at + 2 + abs(n_letters)
        if n_letters == 0:
            break
        if link + 4 > end:
            raise damaged
        name = content[at + 2 : link].decode("latin-1").upper()
        step = int(numbers.integers(content[link : link + 2])[0])
        if group < 0:
            groups[-group] = name
        else:
            kind, n_dimensions = struct.unpack_from("bB", content, link + 2)
            sizes = [int(n) for n in content[link + 4 : link + 4 + n_dimensions]]
            values = link + 4 + n_dimensions
            stop = values + abs(kind) * math.prod(sizes)
            if n_dimensions > MOST_DIMENSIONS or kind not in (-1, 1, 2, 4) or stop > end:
                raise damaged
            found.append((group, name, _values(content[values:stop], kind, sizes, numbers)))
        if step == 0:
            break
        if step < 2 or link + step > end:
            raise damaged
        at = link + step
    return {name: values for group, name, values in found if groups.get(group) == "POINT"}


def _values(content: bytes, kind: int, sizes: list[int], numbers: _Numbers) -> list[Any]:
    if kind == -1:
        length = sizes[0] if sizes else 1
        texts = [content[i : i + length] for i in range(0, len(content), length)] if length else []
        return [text.decode("utf-8", errors="replace").strip(" \0") for text in texts]
    return list(content) if kind == 1 else (numbers.integers if kind == 2 else numbers.floats)(content).tolist()


def _unit(path: Path, parameters: dict[str, list[Any]], declared: str | None) -> str:
    own = str(next(iter(parameters.get("UNITS", [])), "")).lower()
    if not own:
        if declared is None:
            raise InputError(f"{path}: the file does not state its unit (POINT:UNITS); declare it with --unit")
        return declared
    if own not in METRES:
        raise InputError(f"{path}: unit {own!r} is not known; markers are in {', '.join(METRES)}")
    if declared is not None and declared != own:
        raise InputError(f"{path}: the file states the unit {own}, but {declared} was declared; leave out --unit")
    return own


def _labels(parameters: dict[str, list[Any]], n_points: int) -> tuple[dict[str, int], list[str]]:
    """Label -> index of its point, for the markers; and sentences for the history about the other points."""
    names = [name for key in ("LABELS", *(f"LABELS{i}" for i in range(2, 20))) for name in parameters.get(key, [])]
    names = [str(name).strip() for name in names[:n_points]]
    computed = {str(name).strip() for kind in _MODEL_OUTPUTS for name in parameters.get(kind, [])} - {""}
    counted = Counter(names)
    labels: dict[str, int] = {}
    unlabelled = n_points - len(names)
    for i, name in enumerate(names):
        if not name or name.startswith("*"):
            unlabelled += 1
        elif name not in computed:
            labels[name if counted[name] == 1 else f"{name} (point {i + 1})"] = i
    history = [f"{unlabelled} points without a label left out"] if unlabelled else []
    if n_computed := sum(name in computed for name in names):
        history.append(f"{n_computed} outputs of a model (angles, forces and the like) left out")
    return labels, history


def _by_subject(path: Path, labels: tuple[str, ...], history: list[str]) -> dict[str, tuple[list[int], list[str]]]:
    """Subject -> columns and names of its markers, without the subject's name unless names would then repeat."""
    parts = [label.rpartition(":")[::2] for label in labels]
    subjects = dict.fromkeys(subject for subject, _ in parts if subject)
    if len(subjects) <= 1:
        plain = [name for _, name in parts]
        once = len(set(plain)) == len(plain)
        if subjects and once:
            history.append(f"the subject's name {next(iter(subjects))!r} removed from the markers' names")
        return {path.stem: (list(range(len(labels))), plain if once else list(labels))}
    n_without_subject = sum(not subject for subject, _ in parts)
    if n_without_subject:
        history.append(f"{n_without_subject} markers without a subject left out")
    by_subject: dict[str, tuple[list[int], list[str]]] = {}
    for i, (subject, name) in enumerate(parts):
        if subject:
            columns, names = by_subject.setdefault(subject, ([], []))
            columns.append(i)
            names.append(name)
    return by_subject
