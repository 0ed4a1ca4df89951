"""Lifting in one call: size and place in their order."""

from dataclasses import replace

import numpy as np
import pytest

from gonio.core.errors import ConfigError, InputError
from gonio.lifting.architecture import Architecture
from gonio.lifting.body_lifting import assumed_camera
from gonio.lifting.lifter import lift, lift_and_place, root_trajectories
from gonio.lifting.placing import placed_by_reprojection, segment_lengths_m, with_segment
from gonio.training.virtual_cameras import training_pair


@pytest.fixture(scope="module")
def weights(weights_like):
    made = weights_like(Architecture((3,), in_features=3, channels=16), trajectory=True)
    return replace(made, metadata={"normalisation": "body"})


@pytest.fixture(scope="module")
def pair(body, front):
    return training_pair(body, front(body))


def test_the_parts_in_their_order(weights, pair):
    seen = {"a": pair.keypoints}
    options = {"cameras": {"a": pair.camera}, "stature_m": 1.9}
    alone = lift(weights, pair.keypoints, camera=pair.camera, stature_m=1.9)
    np.testing.assert_array_equal(lift_and_place(weights, seen, **options)["a"].positions, alone.positions)
    root_m = root_trajectories(weights, seen, **options)["a"]
    network = lift_and_place(weights, seen, **options, place="network")["a"]
    np.testing.assert_allclose(network.positions, alone.positions + root_m[:, None], atol=1e-9)
    assert network.frame == "camera"
    cut = lift_and_place(weights, seen, cameras={"a": pair.camera}, segment=("shank", 0.5), place="network")["a"]
    assert np.median(segment_lengths_m(cut)["shank"]) == pytest.approx(0.5)
    assert cut.frame == "camera"
    factor = cut.positions[0, 0, 2] / network.positions[0, 0, 2]
    np.testing.assert_allclose(cut.positions, network.positions * factor, atol=1e-6)  # seen from the camera: the same


def test_an_assumed_camera_places_too(weights, pair):
    camera = assumed_camera((1280, 720))
    expected = placed_by_reprojection(lift(weights, pair.keypoints), pair.keypoints, camera)
    found = lift_and_place(weights, {"a": pair.keypoints}, place="geometry", segment=("thigh", 0.4))["a"]
    np.testing.assert_allclose(
        found.positions, with_segment(expected, "thigh", 0.4).positions, atol=1e-9, equal_nan=True
    )


def test_published_weights_take_a_stature_too(weights_like, pair):
    published = weights_like(Architecture((3,), channels=16), trajectory=True)
    plain = lift(published, pair.keypoints)
    from gonio.lifting.normalisation import body_size_m

    assert body_size_m(lift(published, pair.keypoints, stature_m=1.6)) == pytest.approx(0.779 * 1.6)
    assert [assumption.kind for assumption in plain.assumptions] == ["stature"]
    placed_m = lift_and_place(published, {"a": pair.keypoints}, place="network")["a"]
    assert placed_m.frame == "camera"
    with pytest.raises(InputError, match="geometry"):
        lift_and_place(published, {"a": pair.keypoints}, place="network", stature_m=1.6)
    with pytest.raises(ConfigError, match="segment"):
        lift_and_place(published, {"a": pair.keypoints}, segment=("thigh", 0.4), stature_m=1.6)
