"""Networks of OpenPose's family as ONNX files, run by onnxruntime.

The shapes of a network's input and output are read from the file, and from its answer to a black image: images as (1,
height, width, 3) or (1, 3, height, width), maps with the channels first or last, heatmaps and fields as one output or
as two. Colours are in the order blue, green, red. Values are 0..255, or x / 256 - 0.5. The files that gonio writes
declare which; for another file it is 0..255 unless the user declares it.

Several images run at the same time, each on its share of the cores. Two threads that share an image wait for each other
at every layer, and for the computer's other work; two images do not wait for each other.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args
from weakref import WeakValueDictionary

import cv2
import numpy as np
from numpy.typing import NDArray

from gonio.core.errors import InputError, MissingExtraError, one_line
from gonio.core.threads import usable_cores
from gonio.detection.openpose.layouts import PART_LAYOUTS, PartLayout
from gonio.detection.openpose.net_input import Maps
from gonio.detection.openpose.options import Pixels
from gonio.detection.openpose.weights_import import PIXELS_KEY

IMAGES_AT_ONCE = 2
"""Images that run at the same time. More would need more memory, and gain little if an image has several cores."""

_PROBE_PX = 64
_Key = tuple[Path, int, str, Pixels | None]
_in_use: WeakValueDictionary[_Key, Network] = WeakValueDictionary()
_loading = threading.Lock()


@dataclass(frozen=True)
class Network:
    """A network that is ready to run.

    stride   pixels of the input per cell of the maps
    size_px  (width, height) of the only input that it takes; None: any
    run      image (height, width, 3) uint8, blue, green, red -> maps (channel, row, column); may be called by several
             threads at once
    """

    stride: int
    size_px: tuple[int, int] | None
    run: Callable[[NDArray[np.uint8]], Maps]


def load_network(path: Path, layout: PartLayout, pixels: Pixels | None = None) -> Network:
    """A file's network, shared by the cameras that run at the same time.

    pixels  the values that it takes; None: as the file declares, otherwise 0..255

    Raises `MissingExtraError` if onnxruntime is not installed, and `InputError` if the file cannot be run, does not
    take images, or returns another number of channels than the layout has.
    """
    with _loading:
        if not path.is_file():
            return _loaded(path, layout, pixels)
        key = (path.resolve(), path.stat().st_mtime_ns, layout.skeleton.name, pixels)
        network = _in_use.get(key)
        if network is None:
            network = _in_use[key] = _loaded(path, layout, pixels)
        return network


def _loaded(path: Path, layout: PartLayout, pixels: Pixels | None) -> Network:
    session = _session(path)
    entries = session.get_inputs()
    if len(entries) != 1 or not _takes_images(entries[0]):
        declared = ", ".join(f"{each.name} {each.shape} {each.type}" for each in entries) or "nothing"
        raise InputError(f"{path}: takes {declared}; a network of OpenPose takes one image of three colours")
    entry = entries[0]
    channels_last = entry.shape[3] == 3
    sides = entry.shape[1:3] if channels_last else entry.shape[2:]
    fixed = all(isinstance(side, int) and side > 0 for side in sides)
    size_px = (int(sides[1]), int(sides[0])) if fixed else None
    if pixels is None:
        pixels = _parse_pixels(path, session.get_modelmeta().custom_metadata_map.get(PIXELS_KEY, "0..255"))

    def answers(image: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        values = image.astype(np.float32)
        if pixels == "-0.5..0.5":
            values /= np.float32(256)
            values -= np.float32(0.5)
        if not channels_last:
            values = np.ascontiguousarray(values.transpose(2, 0, 1))
        try:
            return list(session.run(None, {entry.name: values[None]}))
        except Exception as error:  # noqa: BLE001 - what cannot be pickled may raise anything
            raise InputError(
                f"{path}: cannot be run on an image of {image.shape[1]}x{image.shape[0]} px ({one_line(error)})"
            ) from None

    width, height = size_px or (_PROBE_PX, _PROBE_PX)
    found = answers(np.zeros((height, width, 3), np.uint8))
    places = _places(path, [each.shape for each in found], layout)
    first, first_axis = places[0]
    rows = found[first].shape[2 if first_axis == 1 else 1]

    def run(image: NDArray[np.uint8]) -> Maps:
        values = answers(image)
        maps = [values[output][0] if axis == 1 else _channels_first(values[output][0]) for output, axis in places]
        return np.ascontiguousarray(np.concatenate(maps) if len(maps) > 1 else maps[0], dtype=np.float32)

    return Network(max(height // rows, 1), size_px, run)


def _channels_first(maps: Maps) -> Maps:
    """(row, column, channel) -> (channel, row, column)."""
    rows, columns, channels = maps.shape
    flat = np.asarray(maps, dtype=np.float32).reshape(rows * columns, channels)
    turned = np.asarray(cv2.transpose(flat), dtype=np.float32)  # several times as fast as numpy's copy
    return turned.reshape(channels, rows, columns)


def _takes_images(entry: Any) -> bool:
    return entry.type == "tensor(float)" and len(entry.shape) == 4 and 3 in (entry.shape[1], entry.shape[3])


def _session(path: Path) -> Any:
    try:
        import onnxruntime  # noqa: PLC0415
    except ImportError:
        raise MissingExtraError("--detector openpose needs onnxruntime: pip install 'gonio[onnx]'") from None
    if path.suffix.lower() == ".caffemodel":
        raise InputError(f"{path}: is a Caffe model; import it once: gonio assets import openpose {path.name}")
    if not path.is_file():
        raise InputError(f"{path}: no such file; name an .onnx file")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = max(usable_cores() // IMAGES_AT_ONCE, 1)
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # waiting threads do not use the CPU
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # noqa: BLE001 - what cannot be pickled may raise anything
        raise InputError(f"{path}: onnxruntime cannot load it ({one_line(error)}); is it an .onnx file?") from None


def _parse_pixels(path: Path, value: str) -> Pixels:
    for known in get_args(Pixels):
        if value == known:
            return known  # type: ignore[no-any-return]
    raise InputError(f"{path}: declares values {value!r}; gonio knows {' and '.join(get_args(Pixels))}")


def _places(path: Path, shapes: list[tuple[int, ...]], layout: PartLayout) -> list[tuple[int, Literal[1, 3]]]:
    """The output with the maps and the axis of its channels; or the outputs with the heatmaps and with the fields. Of
    several outputs of the right size the last is taken, that of the last stage.
    """
    for expected in ((layout.n_channels,), (layout.n_heatmaps, layout.n_pafs)):
        places = [place for channels in expected if (place := _last_with(channels, shapes)) is not None]
        if len(places) == len(expected):
            return places
    found = " and ".join("x".join(map(str, shape)) for shape in shapes)
    fitting = [
        name
        for name, other in PART_LAYOUTS.items()
        for shape in shapes
        if other.n_channels in (*shape[1:2], *shape[3:4])
    ]
    hint = f"it fits {fitting[0]}: declare --layout {fitting[0]}" if fitting else "it is another kind of network"
    raise InputError(
        f"{path}: returns {found}, but {layout.skeleton.name} needs {layout.n_channels} channels "
        f"({layout.n_heatmaps} heatmaps, {layout.n_pafs} of part affinity fields); {hint}"
    )


def _last_with(channels: int, shapes: list[tuple[int, ...]]) -> tuple[int, Literal[1, 3]] | None:
    for index in reversed(range(len(shapes))):
        shape = shapes[index]
        if len(shape) == 4 and shape[0] == 1 and channels in (shape[1], shape[3]):
            return index, 1 if shape[1] == channels else 3
    return None
