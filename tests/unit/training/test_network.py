from dataclasses import replace

import numpy as np
import pytest

from gonio.core.errors import InputError
from gonio.lifting.architecture import Architecture

torch = pytest.importorskip("torch", reason="training needs torch: pip install gonio[train]")

from gonio.training.network import (  # noqa: E402
    TemporalModel,
    batch_norm_momentum,
    model_of,
    weights_of,
)

SMALL = Architecture((3, 3, 3), channels=16)
SHAPES = [(1,), (3,), (5, 3), (3, 3, 3), (3, 1, 3), (3,) * 5]


def keypoints(time, architecture=SMALL, batch=2, seed=0):
    shape = (batch, time, architecture.in_joints, architecture.in_features)
    return torch.from_numpy(np.random.default_rng(seed).normal(0, 0.5, shape).astype(np.float32))


@pytest.mark.parametrize("dense", [False, True])
def test_state_fits_the_architecture(dense):
    architecture = replace(SMALL, dense=dense, out_joints=1, in_features=3)
    model = TemporalModel(architecture)
    state = {name: tuple(v.shape) for name, v in model.state_dict().items() if "num_batches" not in name}
    assert state == architecture.shapes
    assert sum(parameter.numel() for parameter in model.parameters()) == architecture.parameters
    assert sum("num_batches_tracked" in name for name in model.state_dict()) == 5


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("widths", SHAPES)
def test_forms_agree(widths, causal, weights_like):
    architecture = Architecture(widths, channels=16, causal=causal)
    weights = weights_like(architecture)
    x = keypoints(architecture.receptive_field + 6, architecture)
    windows = x.unfold(1, architecture.receptive_field, 1).permute(0, 1, 4, 2, 3).flatten(0, 1)
    with torch.no_grad():
        dilated = model_of(weights, "dilated").eval()(x)
        assert dilated.shape == (2, 7, 17, 3)
        torch.testing.assert_close(model_of(weights, "chunked").eval()(x), dilated, atol=1e-5, rtol=0)
        single = model_of(weights, "single-frame").eval()(windows)
        torch.testing.assert_close(single.reshape(dilated.shape), dilated, atol=1e-5, rtol=0)


def test_dense_form_with_gaps_is_the_dilated_one(weights_like):
    weights = weights_like(SMALL)
    dense = TemporalModel(replace(SMALL, dense=True)).eval()
    state = model_of(weights).state_dict()
    for i, dilation in ((0, 3), (2, 9)):
        name = f"layers_conv.{i}.weight"
        spread = torch.zeros_like(dense.state_dict()[name])
        spread[:, :, ::dilation] = state[name]
        state[name] = spread
    dense.load_state_dict(state)
    x = keypoints(40)
    with torch.no_grad():
        expected = model_of(weights).eval()(x)
        torch.testing.assert_close(dense(x), expected, atol=1e-5, rtol=0)
        dense.form = "chunked"
        torch.testing.assert_close(dense(x), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("causal", [False, True])
def test_chunked_form_trains_as_the_dilated_one(causal, weights_like):
    # In double precision: in single precision a rectifier at rounding error from 0 opens in one form only.
    weights = weights_like(Architecture((3, 3), channels=16, causal=causal, dropout=0.0))
    x, results = keypoints(20, batch=4).double(), []
    for form in ("dilated", "chunked"):
        model = model_of(weights, form).double()
        loss = model(x).square().mean()
        loss.backward()
        gradients = [p.grad for p in model.parameters()]
        results.append([loss.detach(), *gradients, *(b for n, b in model.named_buffers() if "running" in n)])
    for dilated, chunked in zip(*results, strict=True):
        torch.testing.assert_close(chunked, dilated, atol=1e-10, rtol=1e-10)


def test_single_frame_form_has_the_same_derivative(weights_like):
    weights = weights_like(replace(SMALL, dropout=0.0))
    x, gradients = keypoints(27, batch=8).double(), []
    for form in ("dilated", "single-frame"):
        model = model_of(weights, form).double().eval()  # in training their batch statistics differ
        model(x).square().mean().backward()
        gradients.append([p.grad for p in model.parameters()])
    for dilated, single in zip(*gradients, strict=True):
        torch.testing.assert_close(single, dilated, atol=1e-12, rtol=1e-10)


def test_causal_output_does_not_change_with_the_future(weights_like):
    model = model_of(weights_like(replace(SMALL, causal=True))).eval()
    x = keypoints(60)
    changed = x.clone()
    changed[:, 40:] += 1
    with torch.no_grad():
        before, after = model(x), model(changed)
    assert torch.equal(before[:, : 40 - 26], after[:, : 40 - 26])
    assert (before[:, 40 - 26] != after[:, 40 - 26]).any()


@pytest.mark.parametrize("form", ["chunked", "dilated"])
def test_autocast_stays_near(form, weights_like):
    model = model_of(weights_like(SMALL), form).eval()
    x = keypoints(40)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        rough = model(x).float()
    with torch.no_grad():
        exact = model(x)
    assert (rough - exact).abs().max() < 0.05 * exact.abs().max()


def test_momentum_falls_exponentially():
    assert batch_norm_momentum(0, 80) == pytest.approx(0.1)
    assert batch_norm_momentum(40, 80) == pytest.approx(0.01)
    assert batch_norm_momentum(80, 80) == batch_norm_momentum(90, 80) == pytest.approx(0.001)
    model = TemporalModel(SMALL)
    model.set_batch_norm_momentum(0.02)
    assert model.expand_bn.momentum == model.layers_bn[3].momentum == 0.02


def test_weights_there_and_back(weights_like):
    weights = weights_like(SMALL, trajectory=True)
    back = weights_of(model_of(weights), model_of(weights.trajectory), {"seed": 3})
    assert (back.architecture, back.trajectory.architecture.out_joints, back.metadata) == (SMALL, 1, {"seed": 3})
    for name, array in weights.arrays.items():
        np.testing.assert_array_equal(back.arrays[name], array)


def test_wrong_input():
    model = TemporalModel(SMALL)
    with pytest.raises(InputError, match=r"\(2, 30, 16, 2\).*\(batch, time, 17, 2\)"):
        model(torch.zeros(2, 30, 16, 2))
    with pytest.raises(InputError, match=r"26 frames.*\b27\b"):
        model(torch.zeros(2, 26, 17, 2))
    model.form = "single-frame"
    assert model(keypoints(54)).shape == (2, 2, 17, 3)
    with pytest.raises(InputError, match=r"28 frames.*\b27\b"):
        model(torch.zeros(2, 28, 17, 2))
    with pytest.raises(InputError, match="single-frame"):
        TemporalModel(replace(SMALL, dense=True), "single-frame")
