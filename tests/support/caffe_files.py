"""Caffe's files, written from scratch: the weights (protocol buffers) and the network's description (prototxt)."""

from __future__ import annotations

import numpy as np

from gonio.detection.openpose.architecture import Convolution, Pooling


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def message(field: int, content: bytes) -> bytes:
    """A field that holds bytes, a text or another message."""
    return varint(field << 3 | 2) + varint(len(content)) + content


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def blob(array: np.ndarray, *, old: bool = False) -> bytes:
    """An array with its shape, or with the four sizes of Caffe's first years."""
    data = message(5, array.astype("<f4").tobytes())
    if old:
        sizes = (1,) * (4 - array.ndim) + array.shape
        return b"".join(number(i, size) for i, size in enumerate(sizes, 1)) + data
    return message(7, message(1, b"".join(varint(size) for size in array.shape))) + data


def caffemodel(layers, name: str = "a network", *, v1: bool = False) -> bytes:
    """A .caffemodel of {layer: arrays}; `v1` in the form of Caffe's first years. A layer without arrays goes before."""
    parts = [message(1, name.encode())]
    layer_field, name_field, blobs_field = (2, 4, 6) if v1 else (100, 1, 7)
    parts.append(message(layer_field, message(name_field, b"data")))
    for layer, arrays in layers.items():
        kind = number(5, 4) if v1 else message(2, b"Convolution")
        blobs = b"".join(message(blobs_field, blob(array, old=v1)) for array in arrays)
        parts.append(message(layer_field, message(name_field, layer.encode()) + kind + blobs))
    return b"".join(parts)


def prototxt(architecture, height: int, width: int) -> str:
    """The network's description, as Caffe reads it."""
    lines = ['input: "image"', *(f"input_dim: {size}" for size in (1, 3, height, width))]

    def add(name: str, kind: str, sources, parameters: str = "", top: str = "") -> None:
        bottoms = " ".join(f'bottom: "{source}"' for source in sources)
        lines.append(f'layer {{ name: "{name}" type: "{kind}" {bottoms} top: "{top or name}" {parameters} }}')

    for layer in architecture.layers:
        if isinstance(layer, Convolution):
            sizes = f"num_output: {layer.channels} kernel_size: {layer.kernel} pad: {layer.kernel // 2}"
            add(layer.name, "Convolution", [layer.source], f"convolution_param {{ {sizes} }}")
            if layer.activation:
                kind = {"relu": "ReLU", "prelu": "PReLU"}[layer.activation]
                add(layer.activation_name, kind, [layer.name], top=layer.name)
        elif isinstance(layer, Pooling):
            add(layer.name, "Pooling", [layer.source], "pooling_param { pool: MAX kernel_size: 2 stride: 2 }")
        else:
            add(layer.name, "Concat", layer.sources, "concat_param { axis: 1 }")
    return "\n".join(lines) + "\n"


def random_weights(architecture, seed: int = 0):
    """Weights at which values neither grow nor fade from layer to layer."""
    rng = np.random.default_rng(seed)
    weights = {}
    for name, shapes in architecture.weight_shapes().items():
        if len(shapes) == 2:
            kernel, bias = shapes
            spread = np.float32(np.sqrt(2 / np.prod(kernel[1:])))
            weights[name] = [
                rng.standard_normal(kernel, np.float32) * spread,
                0.1 * rng.standard_normal(bias, np.float32),
            ]
        else:
            weights[name] = [rng.uniform(0.0, 0.4, shapes[0]).astype(np.float32)]
    return weights
