from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gonio.core.errors import InputError
from gonio.core.skeleton import COCO_17, H36M_17
from gonio.lifting import prediction
from gonio.lifting.architecture import Architecture
from gonio.lifting.prediction import Stream, normalise_screen, predict

SMALL = Architecture((3, 3, 3), channels=16)


def keypoints(time, people=2, features=2, seed=0):
    return np.random.default_rng(seed).normal(0, 0.5, (people, time, 17, features)).astype(np.float32)


def by_definition(weights, x):
    """The network frame by frame and layer by layer, as the paper describes it, in double precision."""
    a, arrays = weights.architecture, {n: v.astype(float) for n, v in weights.arrays.items()}
    x = np.pad(x.astype(float), ((0, 0), (a.past_frames, a.future_frames), (0, 0), (0, 0)), "edge")
    x = x.reshape(*x.shape[:2], -1)

    def convolved(x, conv, norm, dilation):
        kernel = arrays[f"{conv}.weight"]
        taps = kernel.shape[2]
        length = x.shape[1] - (taps - 1) * dilation
        y = sum(x[:, k * dilation : k * dilation + length] @ kernel[:, :, k].T for k in range(taps))
        mean, var = arrays[f"{norm}.running_mean"], arrays[f"{norm}.running_var"]
        y = (y - mean) / np.sqrt(var + 1e-5) * arrays[f"{norm}.weight"] + arrays[f"{norm}.bias"]
        return np.maximum(y, 0)

    x = convolved(x, "expand_conv", "expand_bn", 1)
    dilation = a.filter_widths[0]
    for i, width in enumerate(a.filter_widths[1:]):
        y = convolved(x, f"layers_conv.{2 * i}", f"layers_bn.{2 * i}", 1 if a.dense else dilation)
        y = convolved(y, f"layers_conv.{2 * i + 1}", f"layers_bn.{2 * i + 1}", 1)
        start = (width - 1 if a.causal else width // 2) * dilation
        x = x[:, start : start + y.shape[1]] + y
        dilation *= width
    y = x @ arrays["shrink.weight"][:, :, 0].T + arrays["shrink.bias"]
    return y.reshape(*y.shape[:2], -1, 3)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("widths", [(1,), (3,), (5, 3), (3, 3, 3), (7, 1, 3), (3,) * 5])
def test_is_the_network(widths, causal, weights_like):
    weights = weights_like(Architecture(widths, channels=16, causal=causal))
    for time, people in ((1, 1), (2, 3), (300, 2)):
        x = keypoints(time, people)
        joints = predict(weights, x)
        assert (joints.shape, joints.dtype) == ((people, time, 17, 3), np.float32)
        np.testing.assert_allclose(joints, by_definition(weights, x), atol=1e-5)


def test_is_the_dense_network(weights_like):
    weights = weights_like(replace(SMALL, dense=True))
    np.testing.assert_allclose(predict(weights, keypoints(50)), by_definition(weights, keypoints(50)), atol=1e-5)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("widths", [(1,), (5, 3), (3, 3, 3), (3,) * 5])
def test_agrees_with_torch(widths, causal, weights_like):
    torch = pytest.importorskip("torch", reason="training needs torch: pip install gonio[train]")
    from gonio.training.network import model_of

    architecture = Architecture(widths, channels=32, causal=causal, in_features=3, out_joints=5)
    weights = weights_like(architecture)
    x = keypoints(50, features=3)
    padded = np.pad(x, ((0, 0), (architecture.past_frames, architecture.future_frames), (0, 0), (0, 0)), "edge")
    with torch.no_grad():
        expected = model_of(weights).eval()(torch.from_numpy(padded)).numpy()
    np.testing.assert_allclose(predict(weights, x), expected, atol=1e-5)


@settings(max_examples=15, deadline=None)
@given(
    widths=st.lists(st.sampled_from([1, 3, 5]), min_size=1, max_size=3),
    causal=st.booleans(),
    people=st.integers(1, 5),
    time=st.integers(1, 60),
    rows=st.integers(1, 40),
)
def test_parts_leave_no_seam(widths, causal, people, time, rows, weights_like):
    weights = weights_like(Architecture(tuple(widths), channels=8, causal=causal))
    x = keypoints(time, people)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prediction, "_ROWS_AT_ONCE", rows)
        patch.setattr(prediction, "_ROWS_IN_BUFFER", 2 * rows)
        patch.setattr(prediction, "_CONTEXTS_IN_BUFFER", 0)
        joints = predict(weights, x)
    np.testing.assert_allclose(joints, by_definition(weights, x), atol=1e-5)


def test_people_do_not_mix(weights_like):
    weights, x = weights_like(SMALL), keypoints(30, people=4)
    together = predict(weights, x)
    for i in range(4):
        np.testing.assert_allclose(predict(weights, x[i : i + 1])[0], together[i], atol=1e-6)


def test_a_causal_network_does_not_know_the_future(weights_like):
    weights = weights_like(replace(SMALL, causal=True))
    x = keypoints(60)
    changed = x.copy()
    changed[:, 40:] += 1
    before, after = predict(weights, x), predict(weights, changed)
    np.testing.assert_array_equal(before[:, :40], after[:, :40])
    assert np.abs(before[:, 40] - after[:, 40]).max() > 1e-3


@pytest.mark.parametrize("widths", [(1,), (3,), (5, 3), (3, 1, 3), (3,) * 5])
@pytest.mark.parametrize("dense", [False, True])
def test_a_stream_equals_the_whole_recording(widths, dense, weights_like):
    weights = weights_like(Architecture(widths, channels=8, causal=True, dense=dense))
    x = keypoints(280 if len(widths) == 5 else 40)
    stream = Stream(weights)
    joints = np.stack([stream.push(x[:, t]) for t in range(x.shape[1])], axis=1)
    np.testing.assert_allclose(joints, predict(weights, x), atol=1e-5)


def test_stream_refuses(weights_like):
    with pytest.raises(InputError, match="symmetric"):
        Stream(weights_like(SMALL))
    stream = Stream(weights_like(replace(SMALL, causal=True)))
    stream.push(np.zeros((2, 17, 2)))
    with pytest.raises(InputError, match="3 people"):
        stream.push(np.zeros((3, 17, 2)))
    with pytest.raises(InputError, match=r"\(people, 17, 2\)"):
        stream.push(np.zeros((17, 2)))


def test_mirrored_mean_is_symmetric(weights_like):
    weights, x = weights_like(SMALL), keypoints(30)
    order_in, order_out = list(COCO_17.mirrored_order), list(H36M_17.mirrored_order)
    image = x[:, :, order_in] * (-1, 1)
    joints = predict(weights, x, mirrored=(COCO_17, H36M_17))
    one, other = predict(weights, x), predict(weights, image)[:, :, order_out] * (-1, 1, 1)
    np.testing.assert_allclose(joints, (one + other) / 2, atol=1e-6)
    turned = predict(weights, image, mirrored=(COCO_17, H36M_17))[:, :, order_out] * (-1, 1, 1)
    np.testing.assert_allclose(turned, joints, atol=1e-6)
    assert not np.allclose(joints, one, atol=1e-3)


def test_mirror_leaves_confidences_and_the_input_alone(weights_like):
    weights, x = weights_like(replace(SMALL, in_features=3)), keypoints(5, features=3)
    before = x.copy()
    image = x[:, :, list(COCO_17.mirrored_order)] * (-1, 1, 1)
    joints = predict(weights, x, mirrored=(COCO_17, H36M_17))
    np.testing.assert_array_equal(x, before)
    other = predict(weights, image)[:, :, list(H36M_17.mirrored_order)] * (-1, 1, 1)
    np.testing.assert_allclose(joints, (predict(weights, x) + other) / 2, atol=1e-6)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros((5, 17, 2)), r"people.*17"),
        (np.zeros((1, 5, 18, 2)), r"shape \(1, 5, 18, 2\)"),
        (np.zeros((1, 0, 17, 2)), "frame"),
        (np.zeros((0, 5, 17, 2)), "frame"),
        (np.full((1, 5, 17, 2), np.nan), r"170.*170."),
        (np.full((1, 5, 17, 2), 1e300), "finite"),
        (np.full((1, 5, 17, 2), "x"), "numbers"),
    ],
)
def test_wrong_keypoints(x, message, weights_like):
    with pytest.raises(InputError, match=message):
        predict(weights_like(SMALL), x)


def test_wrong_skeleton(weights_like):
    with pytest.raises(InputError, match=r"'body-12'.* 12 joints.* 17"):
        from gonio.core.skeleton import BODY_12

        predict(weights_like(SMALL), keypoints(3), mirrored=(COCO_17, BODY_12))


def test_screen_coordinates():
    np.testing.assert_allclose(
        normalise_screen([[0, 0], [1000, 500], [500, 250]], 1000, 500), [[-1, -0.5], [1, 0.5], [0, 0]]
    )
    np.testing.assert_allclose(
        normalise_screen([[360, 640], [720, 1280], [0, 0]], 720, 1280), [[0, 0], [1, 16 / 9], [-1, -16 / 9]]
    )
