"""A body seen from the front, and the maps that a perfect network would give of people."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gonio.core.skeleton import BODY_25, COCO_18
from gonio.detection.openpose.layouts import COCO_18_PARTS, PartLayout


def standing(x_px: float, y_px: float, height_px: float) -> np.ndarray:
    """(25, 2) px: a body seen from the front, its mid-hip at x, y; the person's right is at the image's left."""
    shares = {
        "nose": (0, -0.42), "neck": (0, -0.3), "mid_hip": (0, 0), "shoulder": (0.1, -0.3), "elbow": (0.15, -0.15),
        "wrist": (0.16, 0.0), "hip": (0.06, 0.0), "knee": (0.07, 0.24), "ankle": (0.07, 0.46), "eye": (0.02, -0.45),
        "ear": (0.045, -0.44), "big_toe": (0.09, 0.5), "small_toe": (0.12, 0.49), "heel": (0.06, 0.49),
    }  # fmt: skip
    points = []
    for joint in BODY_25.joints:
        side, _, part = joint.partition("_")
        right, down = shares[part if side in ("left", "right") else joint]
        points.append((x_px + height_px * (-right if side == "right" else right), y_px + height_px * down))
    return np.array(points)


def draw(people: Sequence[np.ndarray], layout: PartLayout, size: tuple[int, int], stride: int = 8) -> np.ndarray:
    """Maps (channel, row, column) of people whose joints are given in pixels of an input of (width, height)."""
    x, y = np.meshgrid(*(np.arange(side // stride) * stride + (stride - 1) / 2 for side in size))
    maps = np.zeros((layout.n_channels, *x.shape), np.float32)
    for joints in people:
        for part, (px, py) in enumerate(joints):
            maps[part] = np.maximum(maps[part], np.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * 7.0**2)))
        for (start, end), channels in zip(layout.limbs, layout.paf_channels, strict=True):
            line = joints[end] - joints[start]
            length = np.linalg.norm(line)
            unit = line / length
            along = (x - joints[start][0]) * unit[0] + (y - joints[start][1]) * unit[1]
            across = (x - joints[start][0]) * unit[1] - (y - joints[start][1]) * unit[0]
            inside = (along > -8) & (along < length + 8) & (np.abs(across) < 8)
            for channel, component in zip(channels, unit, strict=True):
                maps[layout.n_heatmaps + channel][inside] = component
    return maps


def write_seeing(path: Path, people: Sequence[np.ndarray], size: tuple[int, int]) -> None:
    """A COCO-18 network as .onnx that sees these people (25, 2) px, as `standing` gives them, in every image of
    (width, height)."""
    import onnx
    from onnx import TensorProto, helper

    order = [BODY_25.index(joint) for joint in COCO_18.joints]
    maps = draw([joints[order] for joints in people], COCO_18_PARTS, size)[None]
    nodes = [
        helper.make_node("AveragePool", ["image"], ["cells"], kernel_shape=[8, 8], strides=[8, 8]),
        helper.make_node("ReduceMean", ["cells"], ["mean"], axes=[1], keepdims=1),
        helper.make_node("Sub", ["mean", "mean"], ["nothing"]),
        helper.make_node("Add", ["maps", "nothing"], ["answer"]),
    ]
    graph = helper.make_graph(
        nodes,
        "seeing",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, size[1], size[0]])],
        [helper.make_tensor_value_info("answer", TensorProto.FLOAT, [1, 57, size[1] // 8, size[0] // 8])],
        [onnx.numpy_helper.from_array(maps, "maps")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.write_bytes(model.SerializeToString())
