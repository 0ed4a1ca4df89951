"""The networks as data: sizes, and that every layer is made of layers before it."""

from __future__ import annotations

import math

import pytest

from gonio.core.skeleton import layout
from gonio.detection.openpose.architecture import (
    ARCHITECTURES,
    BODY_25,
    COCO_18,
    IMAGE,
    STRIDE,
    CaffeArchitecture,
    Concatenation,
    Convolution,
    Pooling,
)
from gonio.detection.openpose.layouts import PART_LAYOUTS

BOTH = pytest.mark.parametrize("network", ARCHITECTURES.values(), ids=ARCHITECTURES)


@pytest.mark.parametrize(("network", "parameters"), [(BODY_25, 26_166_084), (COCO_18, 52_311_446)])
def test_the_published_number_of_weights(network: CaffeArchitecture, parameters: int) -> None:
    """The published files have 105 and 209 million bytes: four for each weight."""
    shapes = network.weight_shapes().values()
    assert sum(math.prod(shape) for arrays in shapes for shape in arrays) == parameters


@BOTH
def test_shapes_from_the_input_to_the_output(network: CaffeArchitecture) -> None:
    shapes = {IMAGE: (3, 48, 32)}
    for layer in network.layers:
        assert layer.name not in shapes
        if isinstance(layer, Convolution):
            channels, height, width = shapes[layer.source]
            assert layer.in_channels == channels
            assert layer.kernel % 2 == 1
            shapes[layer.name] = (layer.channels, height, width)
        elif isinstance(layer, Pooling):
            channels, height, width = shapes[layer.source]
            shapes[layer.name] = (channels, height // 2, width // 2)
        else:
            assert isinstance(layer, Concatenation)
            sizes = {shapes[source][1:] for source in layer.sources}
            assert len(sizes) == 1
            shapes[layer.name] = (sum(shapes[source][0] for source in layer.sources), *sizes.pop())
    assert shapes[network.output] == (network.heatmaps + network.fields, 48 // STRIDE, 32 // STRIDE)


@BOTH
def test_the_channels_are_those_that_association_expects(network: CaffeArchitecture) -> None:
    parts = PART_LAYOUTS[network.layout]
    assert (network.heatmaps, network.fields) == (parts.n_heatmaps, parts.n_pafs)
    assert network.heatmaps == len(layout(network.layout)) + 1


@BOTH
def test_heatmaps_come_before_fields(network: CaffeArchitecture) -> None:
    last = network.layers[-1]
    assert isinstance(last, Concatenation)
    channels = {layer.name: layer.channels for layer in network.layers if isinstance(layer, Convolution)}
    assert [channels[source] for source in last.sources] == [network.heatmaps, network.fields]


def test_names_and_shapes_of_the_published_layers() -> None:
    body, coco = BODY_25.weight_shapes(), COCO_18.weight_shapes()
    assert body["conv1_1"] == coco["conv1_1"] == ((64, 3, 3, 3), (64,))
    assert body["Mconv1_stage0_L2_0"] == ((96, 128, 3, 3), (96,))
    assert body["Mconv2_stage0_L2_0"] == ((96, 288, 3, 3), (96,))
    assert body["Mprelu6_stage1_L1"] == ((512,),)
    assert body["Mconv1_stage1_L1_0"] == ((128, 128 + 26 + 52, 3, 3), (128,))
    assert body["Mconv7_stage3_L2"] == ((52, 512, 1, 1), (52,))
    assert "relu4_1" not in body
    assert "prelu4_2" in body
    assert coco["conv5_4_CPM_L1"] == ((512, 128, 1, 1), (512,))
    assert coco["Mconv1_stage2_L2"] == ((128, 185, 7, 7), (128,))
    assert coco["Mconv7_stage6_L1"] == ((38, 128, 1, 1), (38,))
    assert len(body) == 12 + 6 * 17 + 3 + 6 * 16
    assert len(coco) == 92
