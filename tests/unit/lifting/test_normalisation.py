"""The input of gonio's own networks: what the camera did to the body is gone."""

import numpy as np
import pytest

from gonio.core.camera import Camera
from gonio.core.errors import InputError
from gonio.core.sequence import PoseSequence
from gonio.core.skeleton import COCO_17
from gonio.lifting.normalisation import SPAN_S, body_input, body_size_m, body_target, looking_at
from gonio.training.bodies import with_turned_limbs
from gonio.training.virtual_cameras import TrainingPair, look_at, training_pair


def _pair(body: PoseSequence, **changes: object) -> TrainingPair:
    options = {"azimuth_deg": 30.0, "elevation_deg": 8.0, "distance_m": 4.0, "focal_px": 1000.0, "size_px": (1280, 720)}
    return training_pair(body, look_at((0.0, 0.0, 1.0), **(options | changes)))  # type: ignore[arg-type]


def test_the_turned_axes_are_a_rotation_without_roll_that_looks_at_the_direction():
    directions = np.random.default_rng(0).normal(size=(50, 3)) + (0, 0, 3)
    rotations = looking_at(directions)
    np.testing.assert_allclose(rotations @ rotations.swapaxes(1, 2), np.broadcast_to(np.eye(3), (50, 3, 3)), atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(rotations), 1)
    np.testing.assert_allclose(
        np.einsum("tij,tj->ti", rotations, directions) / np.linalg.norm(directions, axis=1)[:, None],
        np.broadcast_to([0.0, 0, 1], (50, 3)),
        atol=1e-12,
    )
    np.testing.assert_allclose(rotations[:, 0, 1], 0, atol=1e-15)


def test_focal_length_resolution_and_a_turned_camera_do_not_change_the_input(body):
    plain = _pair(body)
    finer = _pair(body, focal_px=2500.0, size_px=(4000, 3000))
    a = body_input(plain.keypoints, plain.camera)
    b = body_input(finer.keypoints, finer.camera)
    np.testing.assert_allclose(a.inputs, b.inputs, atol=1e-6)
    # The same camera, turned by yaw and pitch: the body moves through the image and the input stays.
    c, s = np.cos(0.2), np.sin(0.2)
    turn = np.array([[1, 0, 0], [0, c, -s], [0, s, c]]) @ np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    old = plain.camera
    turned = Camera("turned", old.size_px, old.matrix, rotation=turn @ old.rotation, translation=turn @ old.translation)
    moved = training_pair(body, turned)
    assert np.nanmedian(np.abs(moved.clean.positions - plain.clean.positions)) > 100
    d = body_input(moved.clean, turned)
    np.testing.assert_allclose(d.lengths, a.lengths, rtol=1e-4)  # the mean of two rays is not that of their images
    # ... but for the roll of one level camera against the other.
    target_a, _, _ = body_target(plain.target, a.rotations)
    target_d, _, _ = body_target(moved.target, d.rotations)
    np.testing.assert_allclose(np.linalg.norm(target_a, axis=2), np.linalg.norm(target_d, axis=2), atol=1e-5)
    np.testing.assert_allclose(target_a[..., 2], target_d[..., 2], atol=2e-3)


def test_the_input_is_the_target_in_perspective(body):
    pair = _pair(body)
    found = body_input(pair.keypoints, pair.camera)
    target, there, size = body_target(pair.target, found.rotations)
    assert there.all()
    root = np.einsum("tij,tj->ti", found.rotations, pair.root_m) / size
    np.testing.assert_allclose(root[:, :2], 0, atol=0.02)  # the middle of the hips in the image is not that in 3D
    wrist = target[:, 16] + root
    image = wrist[:, :2] / wrist[:, 2:] / found.lengths[:, None]
    np.testing.assert_allclose(found.inputs[:, COCO_17.index("right_wrist"), :2], image, atol=1e-4)
    assert size == pytest.approx(body_size_m(pair.target))


def test_missing_and_doubtful_keypoints_are_zero_and_the_mid_hip_is_bridged(body):
    pair = _pair(body)
    keypoints = pair.keypoints
    positions, confidence = keypoints.positions.copy(), keypoints.confidence.copy()
    hip, wrist = COCO_17.index("left_hip"), COCO_17.index("left_wrist")
    positions[3:5, hip] = np.nan
    confidence[7, wrist] = 0.1
    doubtful = keypoints.derive(positions=positions, confidence=np.where(np.isnan(positions[..., 0]), 0, confidence))
    found = body_input(doubtful, pair.camera, min_confidence=0.3)
    assert (found.inputs[3:5, hip] == 0).all() and (found.inputs[7, wrist] == 0).all()
    np.testing.assert_array_equal(np.flatnonzero(found.filled), [3, 4])
    whole = body_input(keypoints, pair.camera)
    np.testing.assert_allclose(found.inputs[3, wrist, :2], whole.inputs[3, wrist, :2], atol=0.02)


def test_a_causal_input_does_not_know_the_future(body):
    rng = np.random.default_rng(3)
    pair, other = _pair(body), _pair(with_turned_limbs(body, rng, share=1.0))
    half = len(body) // 2
    mixed = pair.keypoints.derive(
        positions=np.concatenate([pair.keypoints.positions[:half], other.keypoints.positions[half:]])
    )
    a = body_input(pair.keypoints, pair.camera, causal=True)
    b = body_input(mixed, pair.camera, causal=True)
    np.testing.assert_array_equal(a.inputs[:half], b.inputs[:half])
    assert not np.array_equal(a.inputs[half:], b.inputs[half:])


def test_a_squat_does_not_make_the_body_smaller(body):
    pair = _pair(body)
    low = pair.keypoints.positions.copy()
    n = min(len(low) // 5, int(SPAN_S * body.rate_hz / 5))
    knees = [COCO_17.index("left_knee"), COCO_17.index("right_knee")]
    hips = [COCO_17.index("left_hip"), COCO_17.index("right_hip")]
    low[:n, knees] = low[:n, hips]  # thighs towards the camera
    squat = body_input(pair.keypoints.derive(positions=low), pair.camera)
    np.testing.assert_allclose(squat.lengths, body_input(pair.keypoints, pair.camera).lengths, rtol=0.05)


@pytest.mark.parametrize(("joints", "words"), [(["left_hip"], r"frame.*shows")])
def test_unusable_bodies_are_refused(body, joints, words):
    pair = _pair(body)
    positions = pair.keypoints.positions.copy()
    positions[:, [COCO_17.index(joint) for joint in joints]] = np.nan
    gone = pair.keypoints.derive(positions=positions, confidence=None, status=None)
    with pytest.raises(InputError, match=words):
        body_input(gone, pair.camera)
    with pytest.raises(InputError, match="3D"):
        body_input(pair.target, pair.camera)
