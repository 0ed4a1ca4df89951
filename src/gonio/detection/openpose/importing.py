"""OpenPose's published weights, which a user has as a `.caffemodel` file -> a network in gonio's cache, once.

The weights are free for non-commercial use only and are not gonio's to give; their own server no longer answers. Which
network a file is, is told by the names and shapes of its layers, never by the name of the file.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from gonio import assets
from gonio.detection.openpose.architecture import ARCHITECTURES, Architecture
from gonio.detection.openpose.caffemodel import Arrays, CaffeModel, read_caffemodel
from gonio.detection.openpose.onnx_export import export
from gonio.errors import InputError

_OTHERS = {16: "MPI", 22: "hand", 71: "face"}
"""OpenPose's other networks, by the channels of the last heatmaps."""


@dataclass(frozen=True)
class Imported:
    """What was imported: the network, how many weights it has, and the file that `--detector openpose` now takes."""

    architecture: Architecture
    parameters: int
    file: Path


def import_weights(path: Path) -> Imported:
    """Read a `.caffemodel`, recognise it and keep it in the cache, in place of an earlier import of the same network.

    Raises `InputError` where the file is damaged or another network, `MissingExtraError` where onnx is not installed.
    """
    model = read_caffemodel(path)
    architecture = recognise(path, model)
    wanted = architecture.weight_shapes()
    weights: dict[str, Arrays] = {
        name: [array.reshape(shape) for array, shape in zip(model.layers[name], shapes, strict=True)]
        for name, shapes in wanted.items()
    }
    file = assets.keep_import(
        f"openpose-{architecture.layout}", path, lambda target: export(architecture, weights, target)
    )
    parameters = sum(math.prod(shape) for shapes in wanted.values() for shape in shapes)
    return Imported(architecture, parameters, file)


def recognise(path: Path, model: CaffeModel) -> Architecture:
    """The network whose layers a model has. Raises `InputError` naming what was found where it is none of gonio's."""
    found = {name: tuple(array.shape for array in arrays) for name, arrays in model.layers.items()}
    nearest = max(ARCHITECTURES.values(), key=lambda each: len(each.weight_shapes().keys() & found.keys()))
    wanted = nearest.weight_shapes()
    known = " and ".join(each.name for each in ARCHITECTURES.values())
    absent = [name for name in wanted if name not in found]
    if absent:
        raise InputError(
            f"{path}: is {_described(model)}; of {nearest.name}'s {len(wanted)} layers it lacks {len(absent)} "
            f"({absent[0]}, ...). gonio runs {known}"
        )
    for name, shapes in wanted.items():
        if found[name] != shapes:
            raise InputError(
                f"{path}: is {_described(model)}; its layers are called like {nearest.name}'s, but {name} holds "
                f"{_in_words(found[name])} in place of {_in_words(shapes)}. gonio runs {known}"
            )
    return nearest


def _described(model: CaffeModel) -> str:
    """Which other network a model is, as far as it can be told."""
    names = list(model.layers)
    first, last = names[0], names[-1]
    channels = model.layers[last][-1].shape[0] if last.startswith("Mconv7_stage6") else 0
    what = f"OpenPose's {_OTHERS[channels]} network" if channels in _OTHERS else "another network"
    title = f" {model.name!r}" if model.name else ""
    return f"{what}{title} ({len(model.layers)} layers with weights, {first} to {last})"


def _in_words(shapes: tuple[tuple[int, ...], ...]) -> str:
    return " and ".join("x".join(map(str, shape)) or "one number" for shape in shapes) or "nothing"
