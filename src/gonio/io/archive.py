"""gonio's own file (.npz): everything in a sequence, bit for bit.

A zip of numpy arrays. The first, `gonio_archive`, is the version of this format; `metadata` is a JSON text with
everything that is not an array; `0/positions`, `0/times_s`, ... are the arrays of the first item. An archive holds one
`PoseSequence`, several people (a dict of them), or `Detections`. gonio pickles nothing of its own and executes nothing
in a file. Another program's arrays may lie beside them under their own names (`infer_video`). The text is then called
`gonio_metadata`, and these arrays are not read.
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
_TEXT, _SHARED = "metadata", "gonio_metadata"  # the JSON text; alone, and beside another program's arrays
_ARRAYS = {
    PoseSequence: ("positions", "times_s", "confidence", "status", "covariance"),
    Detections: ("positions", "times_s", "confidence", "status", "boxes_px", "scores", "world_m"),
}
_KINDS = {"status": "iu"}  # of numbers in an array; real ones in the others
_TEXTS = ("unit", "frame", "frame_name", "up")
Item = PoseSequence | Detections | dict[str, PoseSequence]


def recognise(path: Path) -> bool:
    """A zip whose first entry is `gonio_archive`."""
    try:
        with Path(path).open("rb") as stream:
            head = stream.read(30 + len(_FIRST_ENTRY))
    except OSError:
        return False
    return head.startswith(b"PK\x03\x04") and head.endswith(_FIRST_ENTRY)


def read(path: str | Path) -> Item:
    """What was written. Raises `InputError` if the file does not exist, is damaged, foreign or of a newer version."""
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    if not recognise(path):
        raise InputError(f"{path}: is not an archive that gonio wrote")
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
    check_unpacked_size(path)
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as npz:
            metadata = json.loads(str(npz[_SHARED if _SHARED in npz.files else _TEXT]))
        return 3 if metadata["items"][0].get("unit") == "m" else 2
    except NUMPY_ERRORS as error:
        raise InputError(f"{path}: the archive is damaged or cut ({one_line(error)}); write it again") from None


def write(item: PoseSequence | Detections | Mapping[str, PoseSequence], path: str | Path) -> tuple[str, ...]:
    """Writes everything; the returned tuple is empty.

    Detections that have what `infer_video` writes get its arrays beside gonio's own (`infer_video.arrays`), and the
    file is compressed as its files are. Raises `InputError` if the mapping is empty.
    """
    path = Path(path)
    beside = infer_video.arrays(item) if isinstance(item, Detections) and infer_video.holds_everything(item) else {}
    if isinstance(item, Mapping) and not item:
        raise InputError(f"{path}: no person to write")
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
    """Everything in an item that is not an array."""
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
        common |= {name: getattr(item, name) for name in _TEXTS}
        common["assumptions"] = [vars(assumption) for assumption in item.assumptions]
    return common


def _item(
    description: dict[str, Any], arrays: dict[str, NDArray[Any]], number: int, version: int
) -> PoseSequence | Detections:
    kind: type[Any] = {"PoseSequence": PoseSequence, "Detections": Detections}[description["kind"]]
    size = description["image_size_px"]
    if version == 1 and _is_guess_of_version_1(size, description["history"]):
        size = None
    texts: dict[str, Any] = {name: description[name] for name in _TEXTS} if kind is PoseSequence else {}
    if kind is PoseSequence and version > 1:
        texts["assumptions"] = tuple(Assumption(**each) for each in description["assumptions"])
    for name, known in (("unit", Unit), ("frame", Frame), ("up", Axis)):
        if texts.get(name) is not None and texts[name] not in get_args(known):
            raise InputError(f"{name} {texts[name]!r} is not known")
    own = {name: arrays.get(f"{number}/{name}") for name in _ARRAYS[kind]}
    for name, array in own.items():
        if array is not None and (not isinstance(array, np.ndarray) or array.dtype.kind not in _KINDS.get(name, "fiu")):
            raise InputError(f"{name} does not hold the expected numbers; write the archive again")
    skeleton = description["skeleton"]
    item: PoseSequence | Detections = kind(
        skeleton=Skeleton(skeleton["name"], tuple(skeleton["joints"]), tuple(skeleton["parents"])),
        image_size_px=None if size is None else (int(size[0]), int(size[1])),
        source=Source(**description["source"]),
        history=tuple(description["history"]),
        **own,
        **({"frame_name": description["frame_name"]} | texts),
    )
    return item


def _is_guess_of_version_1(size: list[int] | None, history: list[str]) -> bool:
    """Whether the size is only the smallest that holds all keypoints; in version 1 a sentence alone says so."""
    steps = [step for step in history if step.startswith("image size")]
    if size is None or not steps:
        return False
    return steps[-1].startswith(f"image size unknown: {size[0]} x {size[1]} is the smallest")
