"""Networks of one convolution, as ONNX files: what a file of OpenPose's family can look like from outside."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper


def write_network(
    path: Path,
    channels: int,
    *,
    channels_last: bool = False,
    size: tuple[int, int] | None = None,
    colours: int = 3,
    stride: int = 8,
    pixels: str | None = None,
    split: int | None = None,
    kind: int = TensorProto.FLOAT,
) -> Path:
    """Channel c of a cell is the mean of the cell's pixels in colour c % 3. `size`: (width, height), if it is fixed.

    split  give the channels from this one on first, as an output of their own, and then those before it
    """
    kernel = np.zeros((channels, colours, stride, stride), np.float32)
    for channel in range(channels):
        kernel[channel, channel % colours] = 1 / stride**2
    height, width = ("height", "width") if size is None else (size[1], size[0])
    shape = [1, height, width, colours] if channels_last else [1, colours, height, width]
    answer = [1, "rows", "columns", channels] if channels_last else [1, channels, "rows", "columns"]
    conv = helper.make_node("Conv", ["picture", "kernel"], ["cells"], strides=[stride] * 2)
    nodes = [helper.make_node("Identity", ["image"], ["picture"]), conv, helper.make_node("Identity", ["cells"], ["y"])]
    if channels_last:
        nodes[0] = helper.make_node("Transpose", ["image"], ["picture"], perm=[0, 3, 1, 2])
        nodes[2] = helper.make_node("Transpose", ["cells"], ["y"], perm=[0, 2, 3, 1])
    if kind != TensorProto.FLOAT:
        nodes[0] = helper.make_node("Cast", ["image"], ["picture"], to=TensorProto.FLOAT)
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, answer)]
    arrays = [onnx.numpy_helper.from_array(kernel, "kernel")]
    if split is not None:
        arrays.append(onnx.numpy_helper.from_array(np.array([split, channels - split]), "sizes"))
        nodes.append(helper.make_node("Split", ["y", "sizes"], ["before", "after"], axis=3 if channels_last else 1))
        outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("after", "before")]
    graph = helper.make_graph(nodes, "small", [helper.make_tensor_value_info("image", kind, shape)], outputs, arrays)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    if pixels is not None:
        helper.set_model_props(model, {"gonio.pixels": pixels})
    path.write_bytes(model.SerializeToString())
    return path
