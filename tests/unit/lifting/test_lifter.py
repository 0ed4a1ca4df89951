"""Lifting recordings: input and output of the network, what the history reports, size and position."""

from dataclasses import replace

import numpy as np
import pytest

from gonio.core.errors import ConfigError, InputError
from gonio.core.sequence import PoseSequence, Status
from gonio.core.skeleton import BODY_25, COCO_17, H36M_17
from gonio.lifting.architecture import Architecture
from gonio.lifting.body_lifting import assumed_camera
from gonio.lifting.lifter import lift, lift_and_place, root_trajectories
from gonio.lifting.normalisation import body_size_m
from gonio.lifting.placing import placed_by_reprojection, segment_lengths_m, with_segment
from gonio.lifting.prediction import predict
from gonio.training.virtual_cameras import training_pair

SIZE = (1000, 800)


@pytest.fixture
def weights(weights_like):
    return weights_like(Architecture((3, 3), channels=16))


@pytest.fixture
def keypoints() -> PoseSequence:
    rng = np.random.default_rng(0)
    path = rng.uniform(200, 600, (1, 17, 2)) + np.cumsum(rng.normal(0, 3, (40, 17, 2)), axis=0)
    return PoseSequence(
        path, np.arange(40) / 50, COCO_17, "px", "image", "cam01", SIZE, confidence=np.full((40, 17), 0.8)
    )


def test_the_input_is_screen_coordinates(weights, keypoints):
    x = keypoints.positions[..., 0] / 1000 * 2 - 1
    y = keypoints.positions[..., 1] / 1000 * 2 - 0.8
    expected = predict(weights, np.stack([x, y], axis=-1)[None].astype(np.float32))[0]
    lifted = lift(weights, keypoints, flip=False)
    np.testing.assert_allclose(lifted.positions, expected, atol=1e-6)
    assert lifted.skeleton == H36M_17
    assert (lifted.unit, lifted.frame, lifted.frame_name, lifted.up) == ("m", "root", "cam01", "-y")
    assert (lifted.status == Status.MEASURED).all()
    assert not any("50 Hz" in step for step in lifted.history)


def test_flip_averaging_exchanges_left_and_right(weights, keypoints):
    """A mirrored person gives the mirrored answer, exactly, where both are averaged."""
    mirrored = keypoints.positions[:, list(COCO_17.mirrored_order)] * [-1, 1] + [SIZE[0], 0]
    one, other = lift(weights, keypoints), lift(weights, keypoints.derive(positions=mirrored))
    expected = one.positions[:, list(H36M_17.mirrored_order)] * [-1, 1, 1]
    np.testing.assert_allclose(other.positions, expected, atol=1e-5)


def test_other_layouts_are_mapped_by_name(weights, keypoints):
    wide = np.full((40, 25, 2), 300.0)
    for joint in COCO_17.joints:
        wide[:, BODY_25.index(joint)] = keypoints[joint]
    body = PoseSequence(wide, keypoints.times_s, BODY_25, "px", "image", "cam01", SIZE)
    np.testing.assert_allclose(lift(weights, body).positions, lift(weights, keypoints).positions, atol=1e-6)


def test_missing_keypoints_are_bridged_counted_and_marked(weights, keypoints):
    positions = np.array(keypoints.positions)
    positions[10:14, 5] = np.nan
    positions[:2, 9] = np.nan
    lifted = lift(weights, keypoints.derive(positions=positions), flip=False)
    line = np.array(positions)
    for k, frame in enumerate(range(10, 14), start=1):
        line[frame, 5] = positions[9, 5] + (positions[14, 5] - positions[9, 5]) * k / 5
    line[:2, 9] = positions[2, 9]
    np.testing.assert_allclose(
        lifted.positions, lift(weights, keypoints.derive(positions=line), flip=False).positions, atol=1e-6
    )
    doubtful = np.flatnonzero((lifted.status == Status.INTERPOLATED).all(axis=1))
    assert doubtful.tolist() == [0, 1, 10, 11, 12, 13]
    assert any("6 of 680, in 6 of 40 frames" in step for step in lifted.history)


def test_low_confidence_counts_as_missing(weights, keypoints):
    confidence = np.array(keypoints.confidence)
    confidence[7, 3] = 0.1
    lifted = lift(weights, keypoints.derive(confidence=confidence), min_confidence=0.5)
    assert np.flatnonzero((lifted.status == Status.INTERPOLATED).any(axis=1)).tolist() == [7]


def test_another_frame_rate_is_reported(weights, keypoints):
    lifted = lift(weights, keypoints.derive(times_s=np.arange(40) / 30))
    assert any("50 Hz" in step and "30 Hz" in step for step in lifted.history)


def test_unusable_keypoints_are_refused(weights, weights_like, keypoints):
    gone = np.array(keypoints.positions)
    gone[:, [0, 7]] = np.nan
    with pytest.raises(InputError, match="nose, left_elbow"):
        lift(weights, keypoints.derive(positions=gone))
    with pytest.raises(InputError, match="size"):
        lift(weights, keypoints.derive(image_size_px=None))
    with pytest.raises(InputError, match="takes 15 joints"):
        lift(weights_like(Architecture((3,), in_joints=15, channels=8)), keypoints)


@pytest.fixture(scope="module")
def own_weights(weights_like):
    made = weights_like(Architecture((3,), in_features=3, channels=16), trajectory=True)
    return replace(made, metadata={"normalisation": "body"})


@pytest.fixture(scope="module")
def pair(body, front):
    return training_pair(body, front(body))


def test_size_and_position_in_their_order(own_weights, pair):
    seen = {"a": pair.keypoints}
    options = {"cameras": {"a": pair.camera}, "stature_m": 1.9}
    alone = lift(own_weights, pair.keypoints, camera=pair.camera, stature_m=1.9)
    np.testing.assert_array_equal(lift_and_place(own_weights, seen, **options)["a"].positions, alone.positions)
    root_m = root_trajectories(own_weights, seen, **options)["a"]
    network = lift_and_place(own_weights, seen, **options, place="network")["a"]
    np.testing.assert_allclose(network.positions, alone.positions + root_m[:, None], atol=1e-9)
    assert network.frame == "camera"
    cut = lift_and_place(own_weights, seen, cameras={"a": pair.camera}, segment=("shank", 0.5), place="network")["a"]
    assert np.median(segment_lengths_m(cut)["shank"]) == pytest.approx(0.5)
    assert cut.frame == "camera"
    factor = cut.positions[0, 0, 2] / network.positions[0, 0, 2]
    np.testing.assert_allclose(cut.positions, network.positions * factor, atol=1e-6)  # seen from the camera: the same


def test_an_assumed_camera_places_too(own_weights, pair):
    camera = assumed_camera((1280, 720))
    expected = placed_by_reprojection(lift(own_weights, pair.keypoints), pair.keypoints, camera)
    found = lift_and_place(own_weights, {"a": pair.keypoints}, place="geometry", segment=("thigh", 0.4))["a"]
    np.testing.assert_allclose(
        found.positions, with_segment(expected, "thigh", 0.4).positions, atol=1e-9, equal_nan=True
    )


def test_published_weights_take_a_stature_too(weights_like, pair):
    published = weights_like(Architecture((3,), channels=16), trajectory=True)
    plain = lift(published, pair.keypoints)

    assert body_size_m(lift(published, pair.keypoints, stature_m=1.6)) == pytest.approx(0.779 * 1.6)
    assert [assumption.kind for assumption in plain.assumptions] == ["stature"]
    placed_m = lift_and_place(published, {"a": pair.keypoints}, place="network")["a"]
    assert placed_m.frame == "camera"
    with pytest.raises(InputError, match="geometry"):
        lift_and_place(published, {"a": pair.keypoints}, place="network", stature_m=1.6)
    with pytest.raises(ConfigError, match="segment"):
        lift_and_place(published, {"a": pair.keypoints}, segment=("thigh", 0.4), stature_m=1.6)
