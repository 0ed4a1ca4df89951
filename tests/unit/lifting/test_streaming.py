"""Frame by frame is the same as the whole recording at once."""

from dataclasses import replace

import numpy as np
import pytest

from gonio.core.errors import ConfigError, InputError
from gonio.core.sequence import Status
from gonio.core.skeleton import COCO_17
from gonio.lifting.architecture import Architecture
from gonio.lifting.lifter import lift
from gonio.lifting.streaming import LiftingStream
from gonio.training.bodies import training_body
from gonio.training.virtual_cameras import training_pair


@pytest.fixture(scope="module")
def weights(weights_like):
    made = weights_like(Architecture((3, 3), in_features=3, channels=16, causal=True))
    return replace(made, metadata={"normalisation": "body"})


def recording(person, front, n_frames, rate_hz):
    """Keypoints with noise and gaps: none at first, then no hips, then a hole in the middle."""
    body = training_body(person(n_frames, rate_hz=rate_hz))
    pair = training_pair(body, front(body, 40.0))
    rng = np.random.default_rng(1)
    positions = pair.keypoints.positions + rng.normal(0, 3, pair.keypoints.positions.shape)
    positions[rng.random(positions.shape[:2]) < 0.1] = np.nan
    positions[:4] = np.nan
    positions[4:9, COCO_17.index("left_hip")] = np.nan
    positions[n_frames // 2 : n_frames // 2 + int(0.8 * rate_hz), COCO_17.index("right_hip")] = np.nan
    positions[n_frames // 3 : n_frames // 3 + 4, : COCO_17.index("left_hip")] = np.nan
    confidence = rng.uniform(0.1, 1, positions.shape[:2])
    return pair.keypoints.derive(positions=positions, confidence=confidence), pair.camera


@pytest.mark.parametrize("rate_hz", [30.0, 120.0])
@pytest.mark.parametrize("flip", [True, False])
def test_a_stream_equals_the_whole_recording(weights, person, front, rate_hz, flip):
    keypoints, camera = recording(person, front, 300, rate_hz)
    options = {"min_confidence": 0.15, "flip": flip, "stature_m": 1.8}
    whole = lift(weights, keypoints, camera=camera, **options)
    stream = LiftingStream(weights, camera, rate_hz, **options)
    frames = [
        stream.push(*frame) for frame in zip(keypoints.positions, keypoints.confidence, keypoints.times_s, strict=True)
    ]
    status = np.array([frame.status for frame in frames])
    np.testing.assert_array_equal(status, whole.status)
    assert 9 <= (status[:, 0] == Status.MISSING).sum() < 150
    assert (status == Status.INFERRED).any()
    positions = np.array([frame.positions_m for frame in frames])
    np.testing.assert_allclose(positions, whole.positions, atol=1e-5)
    np.testing.assert_allclose([frame.confidence for frame in frames], whole.confidence, atol=1e-12)
    assert [frame.time_s for frame in frames] == keypoints.times_s.tolist()


def test_unusable_streams_are_refused(weights, weights_like, front, body):
    camera = front(body)
    symmetric = weights_like(Architecture((3, 3), in_features=3, channels=16))
    with pytest.raises(InputError, match="causal"):
        LiftingStream(replace(symmetric, metadata={"normalisation": "body"}), camera, 30.0)
    with pytest.raises(InputError, match="own"):
        LiftingStream(weights_like(Architecture((3,), channels=8, causal=True)), camera, 30.0)
    with pytest.raises(ConfigError, match="positive"):
        LiftingStream(weights, camera, 0.0)
    stream = LiftingStream(weights, camera, 30.0)
    with pytest.raises(InputError, match=r"shape \(25, 2\)"):
        stream.push(np.zeros((25, 2)), np.ones(25), 0.0)
    with pytest.raises(InputError, match=r"0\.\.1"):
        stream.push(np.zeros((17, 2)), np.full(17, 90.0), 0.0)
    stream.push(np.full((17, 2), np.nan), np.zeros(17), 1.0)
    with pytest.raises(InputError, match="increase"):
        stream.push(np.zeros((17, 2)), np.ones(17), 1.0)
