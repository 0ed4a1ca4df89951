import pytest

from gonio.core.errors import InputError
from gonio.lifting.architecture import Architecture


@pytest.mark.parametrize(
    ("widths", "frames", "parameters"),
    [((3, 3, 3), 27, 8_555_571), ((3,) * 4, 81, 12_753_971), ((3,) * 5, 243, 16_952_371)],
)
def test_published_networks(widths, frames, parameters):
    architecture = Architecture(widths)
    assert architecture.receptive_field == frames
    assert architecture.parameters == parameters


def test_published_shapes():
    shapes = Architecture((3, 3, 3)).shapes
    assert shapes["expand_conv.weight"] == (1024, 34, 3)
    assert shapes["layers_conv.0.weight"] == shapes["layers_conv.2.weight"] == (1024, 1024, 3)
    assert shapes["layers_conv.1.weight"] == shapes["layers_conv.3.weight"] == (1024, 1024, 1)
    assert shapes["layers_bn.3.running_var"] == shapes["expand_bn.bias"] == (1024,)
    assert (shapes["shrink.weight"], shapes["shrink.bias"]) == ((51, 1024, 1), (51,))
    assert len(shapes) == 5 * 1 + 4 * 5 + 2


def test_time():
    symmetric, causal = Architecture((5, 3)), Architecture((5, 3), causal=True)
    assert (symmetric.past_frames, symmetric.future_frames) == (7, 7)
    assert (causal.past_frames, causal.future_frames) == (14, 0)
    assert symmetric.dilations == causal.dilations == (1, 5)
    assert (symmetric.kept_taps, causal.kept_taps) == ((2, 5), (4, 10))
    assert Architecture((3, 3, 3), dense=True).kernel_widths == (3, 7, 19)
    assert Architecture((1,)).receptive_field == 1


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"filter_widths": ()}, "not odd"),
        ({"filter_widths": (3, 2)}, "not odd"),
        ({"filter_widths": (-1,)}, "not odd"),
        ({"channels": 0}, r"channels.*0"),
        ({"out_joints": -2}, r"out_joints.*2"),
        ({"dropout": 1.0}, r"dropout.*1.0"),
    ],
)
def test_impossible_shapes(wrong, message):
    with pytest.raises(InputError, match=message):
        Architecture(**({"filter_widths": (3,)} | wrong))
