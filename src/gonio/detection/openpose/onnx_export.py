"""One of OpenPose's networks with its weights -> an ONNX file, whose input may have any height and width."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gonio.detection.openpose.architecture import IMAGE, Architecture, Convolution, Pooling
from gonio.errors import MissingExtraError

OPSET = 17
IR_VERSION = 8  # of the time of opset 17: what older runtimes read too

PIXELS_KEY = "gonio.pixels"
"""Key of the file's metadata that says what the input's values are (`gonio.detection.openpose.runtime.Pixels`)."""


def export(architecture: Architecture, weights: Mapping[str, Sequence[NDArray[np.float32]]], target: Path) -> None:
    """Write the network. `weights` has the shapes of `architecture.weight_shapes()`.

    Input "image" (1, 3, height, width), multiples of 8; output (1, channel, height / 8, width / 8).
    Raises `MissingExtraError` where onnx is not installed.
    """
    try:
        import onnx  # noqa: PLC0415
        from onnx import TensorProto, helper  # noqa: PLC0415
    except ImportError:
        raise MissingExtraError("weights of OpenPose are imported with onnx: pip install 'gonio[onnx]'") from None
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
    architecture: Architecture, weights: Mapping[str, Sequence[NDArray[np.float32]]], helper: Any
) -> tuple[list[Any], dict[str, NDArray[np.float32]]]:
    """The nodes, and the arrays that they use, by name. A layer's value bears the layer's name."""
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
