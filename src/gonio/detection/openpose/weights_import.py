"""Import of OpenPose's published weights: the user's `.caffemodel` file -> a network in gonio's cache.

The weights are free for non-commercial use only, so gonio does not distribute them; their own server no longer answers.
The network is recognised by the names and shapes of its layers, not by the name of the file.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gonio.core.errors import InputError, MissingExtraError
from gonio.detection import weights as assets
from gonio.detection.openpose.architecture import ARCHITECTURES, IMAGE, CaffeArchitecture, Convolution, Pooling
from gonio.detection.openpose.caffemodel import Arrays, CaffeModel, read_caffemodel

_OTHERS = {16: "MPI", 22: "hand", 71: "face"}
"""OpenPose's other networks, by the channels of the last heatmaps."""


@dataclass(frozen=True)
class Imported:
    """An imported network, its number of weights, and the file that `--detector openpose` uses from now on."""

    architecture: CaffeArchitecture
    parameters: int
    file: Path


def import_weights(path: str | Path) -> Imported:
    """Read a `.caffemodel`, recognise it and keep it in the cache, in place of an earlier import of the same network.

    Raises `InputError` if the file is damaged or another network, `MissingExtraError` if onnx is not installed.
    """
    path = Path(path)
    model = read_caffemodel(path)
    architecture = recognise(path, model)
    expected = architecture.weight_shapes()
    weights: dict[str, Arrays] = {
        name: [array.reshape(shape) for array, shape in zip(model.layers[name], shapes, strict=True)]
        for name, shapes in expected.items()
    }
    file = assets.keep_import(
        f"openpose-{architecture.layout}", path, lambda target: export(architecture, weights, target)
    )
    parameters = sum(math.prod(shape) for shapes in expected.values() for shape in shapes)
    return Imported(architecture, parameters, file)


def recognise(path: Path, model: CaffeModel) -> CaffeArchitecture:
    """The network that a model is, by its layers. Raises `InputError` if gonio does not have it."""
    found = {name: tuple(array.shape for array in arrays) for name, arrays in model.layers.items()}
    nearest = max(ARCHITECTURES.values(), key=lambda each: len(each.weight_shapes().keys() & found.keys()))
    expected = nearest.weight_shapes()
    known = " and ".join(each.name for each in ARCHITECTURES.values())
    absent = [name for name in expected if name not in found]
    if absent:
        raise InputError(
            f"{path}: is {_described(model)}; of {nearest.name}'s {len(expected)} layers it lacks {len(absent)} "
            f"({absent[0]}, ...). gonio runs {known}"
        )
    for name, shapes in expected.items():
        if found[name] != shapes:
            raise InputError(
                f"{path}: is {_described(model)}; its layers have the names of {nearest.name}'s, but {name} has "
                f"the shapes {_shapes_text(found[name])}, not {_shapes_text(shapes)}. gonio runs {known}"
            )
    return nearest


def _described(model: CaffeModel) -> str:
    """The name of another network, if it is known."""
    names = list(model.layers)
    first, last = names[0], names[-1]
    channels = model.layers[last][-1].shape[0] if last.startswith("Mconv7_stage6") else 0
    what = f"OpenPose's {_OTHERS[channels]} network" if channels in _OTHERS else "another network"
    title = f" {model.name!r}" if model.name else ""
    return f"{what}{title} ({len(model.layers)} layers with weights, {first} to {last})"


def _shapes_text(shapes: tuple[tuple[int, ...], ...]) -> str:
    return " and ".join("x".join(map(str, shape)) or "one number" for shape in shapes) or "nothing"


OPSET = 17
IR_VERSION = 8  # of opset 17; older runtimes read it too

PIXELS_KEY = "gonio.pixels"
"""Key of the file's metadata for the values of the input (`gonio.detection.openpose.options.Pixels`)."""


def export(architecture: CaffeArchitecture, weights: Mapping[str, Sequence[NDArray[np.float32]]], target: Path) -> None:
    """Write the network. `weights` has the shapes of `architecture.weight_shapes()`.

    Input "image" (1, 3, height, width), multiples of 8; output (1, channel, height / 8, width / 8).
    Raises `MissingExtraError` if onnx is not installed.
    """
    try:
        import onnx  # noqa: PLC0415
        from onnx import TensorProto, helper  # noqa: PLC0415
    except ImportError:
        raise MissingExtraError("importing OpenPose's weights needs onnx: pip install 'gonio[onnx]'") from None
    nodes, arrays = _graph(architecture, weights, helper)
    channels = architecture.heatmaps + architecture.fields
    graph = helper.make_graph(
        nodes,
        architecture.name,
        [helper.make_tensor_value_info(IMAGE, TensorProto.FLOAT, [1, 3, "height", "width"])],
        [helper.make_tensor_value_info(architecture.output, TensorProto.FLOAT, [1, channels, "rows", "columns"])],
        [onnx.numpy_helper.from_array(np.ascontiguousarray(array), name) for name, array in arrays.items()],
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="gonio"
    )
    helper.set_model_props(model, {PIXELS_KEY: "-0.5..0.5", "gonio.layout": architecture.layout})
    target.write_bytes(model.SerializeToString())


def _graph(
    architecture: CaffeArchitecture, weights: Mapping[str, Sequence[NDArray[np.float32]]], helper: Any
) -> tuple[list[Any], dict[str, NDArray[np.float32]]]:
    """The nodes, and the arrays that they use, by name. A layer's value has the layer's name."""
    nodes: list[Any] = []
    arrays: dict[str, NDArray[np.float32]] = {}
    for layer in architecture.layers:
        if isinstance(layer, Convolution):
            arrays[f"{layer.name}.kernel"], arrays[f"{layer.name}.bias"] = weights[layer.name]
            summed = layer.name if layer.activation is None else f"{layer.name}.sum"
            nodes.append(
                helper.make_node(
                    "Conv",
                    [layer.source, f"{layer.name}.kernel", f"{layer.name}.bias"],
                    [summed],
                    kernel_shape=[layer.kernel] * 2,
                    pads=[layer.kernel // 2] * 4,
                )
            )
            if layer.activation == "relu":
                nodes.append(helper.make_node("Relu", [summed], [layer.name]))
            elif layer.activation == "prelu":
                (slopes,) = weights[layer.activation_name]
                arrays[f"{layer.name}.slopes"] = slopes.reshape(-1, 1, 1)
                nodes.append(helper.make_node("PRelu", [summed, f"{layer.name}.slopes"], [layer.name]))
        elif isinstance(layer, Pooling):
            nodes.append(helper.make_node("MaxPool", [layer.source], [layer.name], kernel_shape=[2, 2], strides=[2, 2]))
        else:
            nodes.append(helper.make_node("Concat", list(layer.sources), [layer.name], axis=1))
    return nodes, arrays
