"""gonio's own networks in use: cameras known and assumed, gaps, frame rates, status of missing keypoints."""

from dataclasses import replace

import numpy as np
import pytest

from gonio.core.errors import ConfigError, InputError
from gonio.core.sequence import PoseSequence, Status
from gonio.core.skeleton import COCO_17, H36M_17
from gonio.lifting.architecture import Architecture
from gonio.lifting.body_lifting import ASSUMED_FOCAL, assumed_camera, body_task
from gonio.lifting.lifter import lift, lift_many, root_trajectories
from gonio.lifting.normalisation import body_input, body_size_m
from gonio.lifting.prediction import predict
from gonio.training.clips import body_clip
from gonio.training.virtual_cameras import training_pair

SIZE_M = 0.779 * 1.70


@pytest.fixture(scope="module")
def own_weights(weights_like):
    def make(causal=False, trajectory=False, **metadata):
        made = weights_like(Architecture((3, 3), in_features=3, channels=16, causal=causal), trajectory=trajectory)
        return replace(made, metadata={"normalisation": "body"} | metadata)

    return make


@pytest.fixture(scope="module")
def weights(own_weights):
    return own_weights()


@pytest.fixture(scope="module")
def pair(body, front):
    return training_pair(body, front(body, 30.0))


def without(keypoints: PoseSequence, frames: object, joints: list[str]) -> PoseSequence:
    positions = np.array(keypoints.positions)
    for joint in joints:
        positions[frames, COCO_17.index(joint)] = np.nan
    return keypoints.derive(positions=positions)


def test_the_answer_is_turned_back_and_given_a_size(weights, pair):
    found = body_input(pair.keypoints, pair.camera)
    answer = predict(weights, found.inputs[None])[0]
    expected = np.einsum("tji,tkj->tki", found.rotations, answer) * SIZE_M
    lifted = lift(weights, pair.keypoints, camera=pair.camera, flip=False)
    np.testing.assert_allclose(lifted.positions, expected, atol=1e-5)
    assert (lifted.skeleton, lifted.unit, lifted.frame, lifted.up) == (H36M_17, "m", "root", "-y")
    assert (lifted.status == Status.MEASURED).all()
    assert (lifted.confidence == 1).all()
    assert any("1000 px" in step for step in lifted.history)
    assert [assumption.kind for assumption in lifted.assumptions] == ["stature"]
    assert "1.70 m" in lifted.assumptions[0].text
    with_stature = lift(weights, pair.keypoints, camera=pair.camera, flip=False, stature_m=1.87)
    np.testing.assert_allclose(with_stature.positions, expected * 1.1, atol=1e-5)
    assert any("1.87 m" in step for step in with_stature.history)
    assert with_stature.assumptions == ()


def test_an_unknown_camera_is_assumed_and_reported(weights, pair):
    camera = assumed_camera((1280, 720))
    assert camera.matrix.tolist() == [[ASSUMED_FOCAL * 1280, 0, 639.5], [0, ASSUMED_FOCAL * 1280, 359.5], [0, 0, 1]]
    lifted = lift(weights, pair.keypoints)
    np.testing.assert_array_equal(lifted.positions, lift(weights, pair.keypoints, camera=camera).positions)
    (focal,) = (assumption for assumption in lifted.assumptions if assumption.kind == "focal_length")
    assert "1152 px" in focal.text


def test_a_mirrored_person_gives_the_mirrored_answer(weights, pair):
    confidence = np.random.default_rng(0).uniform(0.2, 1, pair.keypoints.confidence.shape)
    keypoints = pair.keypoints.derive(confidence=confidence)
    order = list(COCO_17.mirrored_order)
    mirrored = keypoints.derive(
        positions=keypoints.positions[:, order] * [-1, 1] + [1279, 0], confidence=confidence[:, order]
    )
    one, other = (lift(weights, k, camera=pair.camera) for k in (keypoints, mirrored))
    expected = one.positions[:, list(H36M_17.mirrored_order)] * [-1, 1, 1]
    np.testing.assert_allclose(other.positions, expected, atol=1e-5)
    apart = lift(weights, keypoints, camera=pair.camera, flip=False).positions - one.positions
    assert np.abs(apart).max() > 0.01


def test_missing_keypoints_are_masked_counted_and_inferred(weights, pair):
    confidence = np.array(pair.keypoints.confidence)
    confidence[7, COCO_17.index("left_wrist")] = 0.1
    keypoints = without(pair.keypoints.derive(confidence=confidence), slice(20, 23), ["right_hip"])
    lifted = lift(weights, keypoints, camera=pair.camera, min_confidence=0.3)
    inferred = {(t, H36M_17.joints[j]) for t, j in np.argwhere(lifted.status == Status.INFERRED)}
    hips = {(t, joint) for t in (20, 21, 22) for joint in ("mid_hip", "right_hip", "spine")}
    assert inferred == {(7, "left_wrist")} | hips
    assert lifted.confidence[7, H36M_17.index("left_wrist")] == 0
    assert lifted.confidence[21, H36M_17.index("mid_hip")] == 0.5
    assert lifted.confidence[21, H36M_17.index("left_hip")] == 1
    assert any("4 of 3400, in 4 of 200 frames" in step for step in lifted.history)
    assert any("mid-hip" in step and " 3 frames" in step for step in lifted.history)


def test_nothing_is_said_far_from_the_hips_or_of_an_empty_frame(weights, pair):
    keypoints = without(pair.keypoints, slice(50, 120), ["left_hip"])  # 1.4 s at 50 frames a second
    keypoints = without(keypoints, slice(10, 13), [*COCO_17.joints[:12]])
    lifted = lift(weights, keypoints, camera=pair.camera)
    silent = np.flatnonzero((lifted.status == Status.MISSING).all(axis=1))
    assert silent.tolist() == [10, 11, 12, *range(75, 95)]
    assert not (lifted.status == Status.MISSING)[~np.isin(np.arange(200), silent)].any()
    assert any("23 of 200 frames" in step for step in lifted.history)


def test_a_causal_network_has_no_joints_before_the_hips_and_uses_no_later_frame(own_weights, pair):
    causal = own_weights(causal=True)
    keypoints = without(pair.keypoints, slice(0, 8), ["right_hip"])
    keypoints = without(keypoints, slice(8, 10), ["left_shoulder", "left_knee", "right_knee"])
    lifted = lift(causal, keypoints, camera=pair.camera)
    assert np.flatnonzero(lifted.status[:, 0] == Status.MISSING).tolist() == list(range(10))
    later = lift(causal, keypoints.at(slice(10, None)), camera=pair.camera)
    np.testing.assert_allclose(lifted.positions[10:], later.positions, atol=1e-6)
    cut = lift(causal, keypoints.at(slice(0, 100)), camera=pair.camera)
    np.testing.assert_allclose(lifted.positions[:100], cut.positions, atol=1e-5, equal_nan=True)
    held = lift(causal, without(pair.keypoints, slice(50, 120), ["left_hip"]), camera=pair.camera)
    assert np.flatnonzero(held.status[:, 0] == Status.MISSING).tolist() == list(range(75, 120))


def test_a_fast_recording_is_lifted_in_phases(weights, person, front):
    from gonio.training.bodies import training_body

    body = training_body(person(101, rate_hz=200.0))
    pair = training_pair(body, front(body))
    lifted = lift(weights, pair.keypoints, camera=pair.camera, flip=False)
    found = body_input(pair.keypoints, pair.camera)
    expected = np.empty((101, 17, 3))
    for phase in range(3):
        expected[phase::3] = predict(weights, found.inputs[None, phase::3])[0]
    expected = np.einsum("tji,tkj->tki", found.rotations, expected) * SIZE_M
    np.testing.assert_allclose(lifted.positions, expected, atol=1e-5)
    assert any("3 recordings" in step for step in lifted.history)


def test_a_slow_recording_is_reported(weights, pair):
    slow = pair.keypoints.derive(times_s=np.arange(200) / 15)
    assert any(" 15: " in step for step in lift(weights, slow, camera=pair.camera).history)
    fast = pair.keypoints.derive(times_s=np.arange(200) / 60)
    assert not any("trained" in step for step in lift(weights, fast, camera=pair.camera).history)


@pytest.mark.parametrize("n", [1, 2, 5])
def test_fewer_frames_than_the_receptive_field_will_do(own_weights, pair, n):
    for causal in (False, True):
        lifted = lift(own_weights(causal=causal), pair.keypoints.at(slice(0, n)), camera=pair.camera)
        assert lifted.positions.shape == (n, 17, 3)
        assert np.isfinite(lifted.positions).all()


def test_several_recordings_are_one_batch(weights, pair, body, front):
    other = training_pair(body, front(body, 200.0)).keypoints.at(slice(0, 90))
    both = lift_many(weights, {"a": pair.keypoints, "b": other}, cameras={"a": pair.camera})
    for name, keypoints, camera in (("a", pair.keypoints, pair.camera), ("b", other, None)):
        alone = lift(weights, keypoints, camera=camera)
        np.testing.assert_allclose(both[name].positions, alone.positions, atol=1e-5)
        assert both[name].history == alone.history
    assert lift_many(weights, {}) == {}


def test_the_trajectory_network_places_the_mid_hip(own_weights, pair):
    weights = own_weights(trajectory=True)
    found = body_input(pair.keypoints, pair.camera)
    answer = predict(weights.trajectory, found.inputs[None])[0, :, 0]
    expected = np.einsum("tji,tj->ti", found.rotations, answer) * SIZE_M / found.lengths[:, None]
    cameras = {"a": pair.camera}
    root_m = root_trajectories(weights, {"a": pair.keypoints}, cameras=cameras, flip=False)["a"]
    np.testing.assert_allclose(root_m, expected, atol=1e-5)
    with pytest.raises(InputError, match="trajectory"):
        root_trajectories(own_weights(), {"a": pair.keypoints}, cameras=cameras)


def test_targets_of_the_trajectory_network_give_the_position(pair):
    task = body_task(pair.keypoints, pair.camera, min_confidence=0.0, causal=False, stature_m=None)
    back = task.root_m(body_clip(pair).root[:, None]) * body_size_m(pair.target) / task.size_m
    np.testing.assert_allclose(back, pair.root_m, atol=1e-5)


def test_unusable_keypoints_are_refused(weights, weights_like, own_weights, pair):
    keypoints = pair.keypoints
    with pytest.raises(InputError, match="size"):
        lift(weights, keypoints.derive(image_size_px=None))
    with pytest.raises(InputError, match=r"1280x720 .*'virtual'.* 640x480"):
        lift(weights, keypoints, camera=replace(pair.camera, size_px=(640, 480)))
    with pytest.raises(InputError, match="hips"):
        lift(weights, without(keypoints, slice(None), ["left_hip"]))
    with pytest.raises(InputError, match="hips"):
        lift(own_weights(causal=True), without(keypoints, slice(None), ["left_hip"]))
    with pytest.raises(InputError, match="hips"):
        lift(weights, without(keypoints, slice(None), [*COCO_17.joints]))
    with pytest.raises(InputError, match="trunk"):
        lift(weights, without(keypoints, slice(None), ["left_shoulder", "left_knee", "right_knee"]))
    limbs = [j for j in COCO_17.joints if j.split("_")[-1] not in ("hip", "knee")]
    with pytest.raises(InputError, match="6 keypoints"):
        lift(weights, without(keypoints, slice(None), limbs))
    with pytest.raises(InputError, match="no frame"):
        lift(weights, keypoints.at(slice(0, 0)))
    with pytest.raises(InputError, match="3D"):
        lift(weights, pair.target)
    with pytest.raises(ConfigError, match="175 m"):
        lift(weights, keypoints, stature_m=175)
    with pytest.raises(ConfigError, match="positive"):
        assumed_camera((640, 480), -3.0)
    with pytest.raises(InputError, match=r"17 joints.*2 numbers"):
        lift(replace(weights_like(Architecture((3,), channels=8)), metadata={"normalisation": "body"}), keypoints)
    with pytest.raises(InputError, match="takes 'polar' coordinates"):
        lift(own_weights(normalisation="polar"), keypoints)
