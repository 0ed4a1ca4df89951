"""gonio's own file (.npz): everything a sequence holds, bit for bit.

A zip of numpy arrays. The first, `gonio_archive`, is the version of this format; `metadata` is a JSON text with what
is not an array; `0/positions`, `0/times_s`, ... are the arrays of the first item. An archive holds one `PoseSequence`,
several people (a dict of them), or `Detections`. Nothing of gonio's is pickled and nothing in a file is executed.
Another program's arrays may lie beside it under their own names; the text is then called `gonio_metadata`, and they are
not read here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from gonio.core.assumptions import Assumption
from gonio.core.detections import Detections
from gonio.core.errors import InputError, one_line
from gonio.core.files import replacing
from gonio.core.sequence import Axis, Frame, PoseSequence, Source, Unit
from gonio.core.skeleton import Skeleton
from gonio.io import infer_video
from gonio.io.reading import NUMPY_ERRORS, check_unpacked_size, naming

VERSION = 2
"""1: without `assumptions`, which are then none; an image size may be a guess (`_is_guess_of_version_1`)."""
_FIRST_ENTRY = b"gonio_archive.npy"
_TEXT, _SHARED = "metadata", "gonio_metadata"  # what is not an array; alone, and beside another program's arrays
_ARRAYS = {
    PoseSequence: ("positions", "times_s", "confidence", "status", "covariance"),
    Detections: ("positions", "times_s", "confidence", "status", "boxes_px", "scores", "world_m"),
}
_KINDS = {"status": "iu"}  # of numbers in an array; real ones in the others
_WORDS = ("unit", "frame", "frame_name", "up")
Item = PoseSequence | Detections | dict[str, PoseSequence]


def recognise(path: Path) -> bool:
    """A zip whose first entry is `gonio_archive`."""
    try:
        with Path(path).open("rb") as stream:
            head = stream.read(30 + len(_FIRST_ENTRY))
    except OSError:
        return False
    return head.startswith(b"PK\x03\x04") and head.endswith(_FIRST_ENTRY)


def read(path: Path) -> Item:
    """What `write` was given. Raises `InputError` where the file is absent, foreign, damaged or of a newer version."""
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    if not recognise(path):
        raise InputError(f"{path}: is not one of gonio's archives; only files that gonio wrote are read as such")
    check_unpacked_size(path)
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as npz:
            text = _SHARED if _SHARED in npz.files else _TEXT
            own = [name for name in npz.files if name in ("gonio_archive", text) or name.partition("/")[0].isdigit()]
            arrays = {name: npz[name] for name in own}
        version = int(arrays["gonio_archive"])
        if version > VERSION:
            raise InputError(
                f"{path}: archive version {version}; this gonio reads up to {VERSION}: install a newer one"
            )
        metadata = json.loads(str(arrays[text]))
        with naming(path):
            items = [_item(description, arrays, i, version) for i, description in enumerate(metadata["items"])]
        names = metadata["people"]
        if names is None:
            (item,) = items
            return item
        people: dict[str, PoseSequence] = dict(zip(names, items, strict=True))  # type: ignore[arg-type]
        return people
    except NUMPY_ERRORS as error:
        raise InputError(f"{path}: the archive is damaged or cut ({one_line(error)}); write it again") from None


def dimensions(path: Path) -> int:
    """2 or 3, from the text of the archive; its arrays are not read. Raises `InputError` if it is damaged."""
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as npz:
            metadata = json.loads(str(npz[_SHARED if _SHARED in npz.files else _TEXT]))
        return 3 if metadata["items"][0].get("unit") == "m" else 2
    except NUMPY_ERRORS as error:
        raise InputError(f"{path}: the archive is damaged or cut ({one_line(error)}); write it again") from None


def write(item: PoseSequence | Detections | Mapping[str, PoseSequence], path: Path) -> tuple[str, ...]:
    """Writes everything; the returned tuple is empty.

    Detections that have what `infer_video` writes get its arrays beside gonio's own (`infer_video.arrays`), and the
    file is compressed as its files are. Raises `InputError` if the mapping is empty.
    """
    path = Path(path)
    beside = infer_video.arrays(item) if isinstance(item, Detections) and infer_video.holds_everything(item) else {}
    if isinstance(item, Mapping) and not item:
        raise InputError(f"{path}: there is no person to write")
    items = list(item.values()) if isinstance(item, Mapping) else [item]
    metadata = {
        "people": list(item) if isinstance(item, Mapping) else None,
        "items": [_description(each) for each in items],
    }
    arrays: dict[str, NDArray[Any]] = {
        "gonio_archive": np.array(VERSION),
        _SHARED if beside else _TEXT: np.array(json.dumps(metadata)),
    }
    for i, each in enumerate(items):
        for name in _ARRAYS[type(each)]:
            value = getattr(each, name)
            if value is not None:
                arrays[f"{i}/{name}"] = value
    with replacing(path) as temporary, temporary.open("wb") as stream:
        if beside:
            np.savez_compressed(stream, allow_pickle=True, **arrays, **beside)
        else:
            np.savez(stream, **arrays)  # type: ignore[arg-type]
    return ()


def _description(item: PoseSequence | Detections) -> dict[str, Any]:
    """What is not an array."""
    common: dict[str, Any] = {
        "kind": type(item).__name__,
        "skeleton": {
            "name": item.skeleton.name,
            "joints": item.skeleton.joints,
            "parents": item.skeleton.parents,
        },
        "image_size_px": item.image_size_px,
        "frame_name": item.frame_name,
        "source": vars(item.source),
        "history": item.history,
    }
    if isinstance(item, PoseSequence):
        common |= {name: getattr(item, name) for name in _WORDS}
        common["assumptions"] = [vars(assumption) for assumption in item.assumptions]
    return common


def _item(
    told: dict[str, Any], arrays: dict[str, NDArray[Any]], number: int, version: int
) -> PoseSequence | Detections:
    kind: type[Any] = {"PoseSequence": PoseSequence, "Detections": Detections}[told["kind"]]
    size = told["image_size_px"]
    if version == 1 and _is_guess_of_version_1(size, told["history"]):
        size = None
    words: dict[str, Any] = {name: told[name] for name in _WORDS} if kind is PoseSequence else {}
    if kind is PoseSequence and version > 1:
        words["assumptions"] = tuple(Assumption(**each) for each in told["assumptions"])
    for name, known in (("unit", Unit), ("frame", Frame), ("up", Axis)):
        if words.get(name) is not None and words[name] not in get_args(known):
            raise InputError(f"{name} {words[name]!r} is not known")
    own = {name: arrays.get(f"{number}/{name}") for name in _ARRAYS[kind]}
    for name, array in own.items():
        if array is not None and (not isinstance(array, np.ndarray) or array.dtype.kind not in _KINDS.get(name, "fiu")):
            raise InputError(f"{name} holds no numbers, or those of another kind; write the archive again")
    skeleton = told["skeleton"]
    item: PoseSequence | Detections = kind(
        skeleton=Skeleton(skeleton["name"], tuple(skeleton["joints"]), tuple(skeleton["parents"])),
        image_size_px=None if size is None else (int(size[0]), int(size[1])),
        source=Source(**told["source"]),
        history=tuple(told["history"]),
        **own,
        **({"frame_name": told["frame_name"]} | words),
    )
    return item


def _is_guess_of_version_1(size: list[int] | None, history: list[str]) -> bool:
    """Whether the size is only the smallest that holds all keypoints; in version 1 a sentence alone says so."""
    steps = [step for step in history if step.startswith("image size")]
    if size is None or not steps:
        return False
    return steps[-1].startswith(f"image size unknown: {size[0]} x {size[1]} is the smallest")
