"""OpenPose's body networks as data: their layers, the inputs of each, and the sizes of its weights.

Both begin with the first ten convolutions of VGG-19 (three poolings, so one cell of the output is 8 x 8 pixels) and two
convolutions of their own. The result, `conv4_4_CPM`, is an input of every later stage, with the output of the stages
before it.

BODY_25 (Cao et al. 2021, "OpenPose: Realtime Multi-Person 2D Pose Estimation Using Part Affinity Fields", section 3.2):
four stages of part affinity fields, then two of heatmaps. A stage has five blocks of three 3 x 3 convolutions, whose
outputs are concatenated, then two 1 x 1; activations are PReLU from conv4_2 on.
COCO-18 (Cao et al. 2017, "Realtime Multi-Person 2D Pose Estimation using Part Affinity Fields", section 2.1): six
stages of two branches side by side, fields (L1) and heatmaps (L2); 3 x 3 convolutions in the first, then 7 x 7.

Layers have the names of the published models, so that weights are found by name. The last layer's channels are the
heatmaps, the background the last of them, and then the fields.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Activation = Literal["relu", "prelu"]

STRIDE = 8
"""Pixels of the input per cell of the output, along each side."""

IMAGE = "image"
"""Name of the input: (1, 3, height, width), blue, green, red, each value / 256 - 0.5."""


@dataclass(frozen=True)
class Convolution:
    """A convolution of stride 1, padded to keep the size, with a bias; then its activation, if any.

    `activation_name` is the activation's own name in the published models.
    """

    name: str
    source: str
    in_channels: int
    channels: int
    kernel: int
    activation: Activation | None = None
    activation_name: str = ""


@dataclass(frozen=True)
class Pooling:
    """The maximum of every 2 x 2 cells."""

    name: str
    source: str


@dataclass(frozen=True)
class Concatenation:
    """The channels of several layers one after another."""

    name: str
    sources: tuple[str, ...]


Layer = Convolution | Pooling | Concatenation


@dataclass(frozen=True)
class CaffeArchitecture:
    """A network: its layers in the order of computation. The last is its output.

    layout  the joints of its heatmaps, a name of `gonio.core.skeleton`
    """

    name: str
    layout: str
    heatmaps: int
    fields: int
    layers: tuple[Layer, ...]

    @property
    def output(self) -> str:
        """Name of the output layer: (1, heatmaps + fields, height / 8, width / 8)."""
        return self.layers[-1].name

    def weight_shapes(self) -> dict[str, tuple[tuple[int, ...], ...]]:
        """Published layer name -> shapes of its arrays: a convolution's kernel (out, in, k, k) and bias (out,); a
        PReLU's slopes (channel,).
        """
        shapes: dict[str, tuple[tuple[int, ...], ...]] = {}
        for layer in self.layers:
            if isinstance(layer, Convolution):
                kernel = (layer.channels, layer.in_channels, layer.kernel, layer.kernel)
                shapes[layer.name] = (kernel, (layer.channels,))
                if layer.activation == "prelu":
                    shapes[layer.activation_name] = ((layer.channels,),)
        return shapes


class _Builder:
    """Collects layers and their numbers of channels."""

    def __init__(self) -> None:
        self.layers: list[Layer] = []
        self.channels: dict[str, int] = {IMAGE: 3}

    def convolve(
        self, name: str, source: str, channels: int, kernel: int, activation: Activation | None, activation_name: str
    ) -> str:
        layer = Convolution(name, source, self.channels[source], channels, kernel, activation, activation_name)
        self.layers.append(layer)
        self.channels[name] = channels
        return name

    def pool(self, name: str, source: str) -> str:
        self.layers.append(Pooling(name, source))
        self.channels[name] = self.channels[source]
        return name

    def join(self, name: str, *sources: str) -> str:
        self.layers.append(Concatenation(name, sources))
        self.channels[name] = sum(self.channels[source] for source in sources)
        return name

    def features(self, last: Activation) -> str:
        """The layers that both networks share; `last` is the activation of its last three convolutions."""
        value = IMAGE
        for block, (channels, count) in enumerate(((64, 2), (128, 2), (256, 4)), 1):
            for i in range(1, count + 1):
                value = self.convolve(f"conv{block}_{i}", value, channels, 3, "relu", f"relu{block}_{i}")
            value = self.pool(f"pool{block}_stage1", value)
        value = self.convolve("conv4_1", value, 512, 3, "relu", "relu4_1")
        for name, channels in (("4_2", 512), ("4_3_CPM", 256), ("4_4_CPM", 128)):
            value = self.convolve(f"conv{name}", value, channels, 3, last, f"{last}{name}")
        return value


def _body_25() -> CaffeArchitecture:
    net = _Builder()
    image = net.features("prelu")

    def stage(name: str, source: str, width: int, hidden: int, channels: int) -> str:
        value = source
        for block in range(1, 6):
            parts = []
            for i in range(3):
                value = net.convolve(f"Mconv{block}_{name}_{i}", value, width, 3, "prelu", f"Mprelu{block}_{name}_{i}")
                parts.append(value)
            value = net.join(f"Mconv{block}_{name}_concat", *parts)
        value = net.convolve(f"Mconv6_{name}", value, hidden, 1, "prelu", f"Mprelu6_{name}")
        return net.convolve(f"Mconv7_{name}", value, channels, 1, None, "")

    fields = stage("stage0_L2", image, 96, 256, 52)
    for i in range(1, 4):
        fields = stage(f"stage{i}_L2", net.join(f"concat_stage{i}_L2", image, fields), 128, 512, 52)
    heatmaps = stage("stage0_L1", net.join("concat_stage0_L1", image, fields), 96, 256, 26)
    heatmaps = stage("stage1_L1", net.join("concat_stage1_L1", image, heatmaps, fields), 128, 512, 26)
    net.join("net_output", heatmaps, fields)
    return CaffeArchitecture("BODY_25", "body-25", 26, 52, tuple(net.layers))


def _coco_18() -> CaffeArchitecture:
    net = _Builder()
    image = net.features("relu")
    channels = {"L1": 38, "L2": 19}

    def first(branch: str) -> str:
        value = image
        for i, (width, kernel) in enumerate(((128, 3), (128, 3), (128, 3), (512, 1)), 1):
            name = f"5_{i}_CPM_{branch}"
            value = net.convolve(f"conv{name}", value, width, kernel, "relu", f"relu{name}")
        return net.convolve(f"conv5_5_CPM_{branch}", value, channels[branch], 1, None, "")

    def later(branch: str, stage: int, source: str) -> str:
        value = source
        for i in range(1, 7):
            name = f"{i}_stage{stage}_{branch}"
            value = net.convolve(f"Mconv{name}", value, 128, 7 if i < 6 else 1, "relu", f"Mrelu{name}")
        return net.convolve(f"Mconv7_stage{stage}_{branch}", value, channels[branch], 1, None, "")

    fields, heatmaps = first("L1"), first("L2")
    for stage in range(2, 7):
        source = net.join(f"concat_stage{stage}", fields, heatmaps, image)
        fields, heatmaps = later("L1", stage, source), later("L2", stage, source)
    net.join("concat_stage7", heatmaps, fields)
    return CaffeArchitecture("COCO-18", "coco-18", 19, 38, tuple(net.layers))


BODY_25: CaffeArchitecture = _body_25()
COCO_18: CaffeArchitecture = _coco_18()

ARCHITECTURES: dict[str, CaffeArchitecture] = {network.layout: network for network in (BODY_25, COCO_18)}
"""By the name of the layout."""
