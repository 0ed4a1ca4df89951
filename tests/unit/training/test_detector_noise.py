"""The detector's errors: sizes, shares and when they happen."""

from __future__ import annotations

import numpy as np
import pytest

from gonio.core.errors import ConfigError
from gonio.core.skeleton import COCO_17
from gonio.training import bodies, detector_noise
from gonio.training.bodies import BODY_22, training_body
from gonio.training.detector_noise import DROPS, DetectorModel, autoregressive, body_length_px, bursts
from gonio.training.virtual_cameras import training_pair

RATE_HZ = 50.0


class TestNoise:
    def test_autoregressive_noise_is_stationary_and_decays(self):
        x = autoregressive(np.random.default_rng(0), (400, 3000), RATE_HZ, 0.15)
        np.testing.assert_allclose(x.var(axis=1), 1, atol=0.12)
        for lag in (1, 5, 20):
            np.testing.assert_allclose((x[lag:] * x[:-lag]).mean(), np.exp(-lag / RATE_HZ / 0.15), atol=0.01)

    def test_autoregressive_noise_is_the_recursion(self):
        x = autoregressive(np.random.default_rng(5), (300, 2), RATE_HZ, 0.5)
        e, a = np.random.default_rng(5).standard_normal((300, 2)), np.exp(-1 / (RATE_HZ * 0.5))
        y = [e[0]]
        for innovation in e[1:]:
            y.append(a * y[-1] + np.sqrt(1 - a * a) * innovation)
        np.testing.assert_allclose(x, y, atol=1e-10)

    def test_bursts_have_their_length_and_share(self):
        mask = bursts(np.random.default_rng(0), (2000, 200), RATE_HZ, 0.2, 0.02)
        np.testing.assert_allclose(mask.mean(), 0.02, atol=0.001)
        np.testing.assert_allclose(mask[0].mean(), 0.02, atol=0.025)  # also in the first frame
        edges = np.diff(mask[10:-10].astype(int), axis=0)
        runs = [
            down - up
            for column in edges.T
            for up, down in zip(np.flatnonzero(column == 1), np.flatnonzero(column == -1), strict=False)
            if down > up
        ]
        assert min(runs) == 10
        assert np.mean(np.array(runs) == 10) > 0.7  # the others overlap
        assert not bursts(np.random.default_rng(0), (50, 3), RATE_HZ, 0.2, 0.0).any()
        assert bursts(np.random.default_rng(0), (50, 3), RATE_HZ, 0.2, 1.0).all()

    def test_body_length_is_that_of_trunk_thigh_and_shank(self, front, person, body):
        straight = person(4)
        positions = straight.positions.copy()
        for side in ("left", "right"):
            for joint, drop in (("knee", 0.42), ("ankle", 0.82)):
                positions[:, BODY_22.index(f"{side}_{joint}")] = straight[f"{side}_hip"] - (0, 0, drop)
        clean = training_pair(training_body(straight.derive(positions=positions)), front(straight)).clean
        np.testing.assert_allclose(body_length_px(clean), (0.51 + 0.42 + 0.40) * 250, rtol=0.01)


@pytest.fixture(scope="module")
def seen(long_pair, front):
    """(azimuth, seed, values of the detector) to the clean keypoints and those of the detector."""
    _, body = long_pair

    def make(azimuth=0.0, seed=0, **changes):
        model = DetectorModel(**({"hidden_limb_share": 0.0} | changes))
        pair = training_pair(body, front(body, azimuth), model, np.random.default_rng(seed))
        return pair.clean, pair.keypoints

    return make


class TestDetector:
    def test_strength_0_leaves_the_keypoints_alone(self, seen):
        clean, keypoints = seen(strength=0.0)
        np.testing.assert_allclose(keypoints.positions, clean.positions)
        np.testing.assert_array_equal(keypoints.confidence, 1)

    def test_the_same_seed_gives_the_same_keypoints(self, seen):
        a, b, c = (seen(seed=seed)[1].positions for seed in (7, 7, 8))
        np.testing.assert_array_equal(a, b)
        assert not np.allclose(a, c, equal_nan=True)

    def test_the_parts_of_the_error_have_their_sizes(self, front, person, seen):
        quiet = {
            "difficulty": 0.0,
            "dropout_share": 0.0,
            "swap_share": 0.0,
            "hidden_face_share": 0.0,
            "hidden_limb_share": 0.0,
        }
        names = ["left_shoulder", "right_shoulder"]
        index = [COCO_17.index(name) for name in names]
        for strength in (0.5, 1.0):
            clean, keypoints = seen(strength=strength, offset=0.0, **quiet)
            error = (keypoints.positions - clean.positions)[:, index] / body_length_px(clean)
            expected = strength * np.hypot(0.009, 0.006)
            np.testing.assert_allclose(error.std(), expected, rtol=0.05)
            lag = (error[5:] * error[:-5]).mean() / error.var()
            np.testing.assert_allclose(lag, 0.009**2 / (0.009**2 + 0.006**2) * np.exp(-5 / 50 / 0.15), atol=0.07)
        offsets = []
        for seed in range(60):
            body = training_body(person(3))
            model = DetectorModel(correlated=0.0, white=0.0, **quiet)
            pair = training_pair(body, front(body), model, np.random.default_rng(seed))
            error = (pair.keypoints.positions - pair.clean.positions) / body_length_px(pair.clean)
            np.testing.assert_allclose(error, error[:1].repeat(3, axis=0), atol=1e-9)
            offsets.append(error[0] / detector_noise._FACTORS[:, None])
        np.testing.assert_allclose(np.std(offsets), 0.010, rtol=0.06)

    def test_confidence_tells(self, seen):
        clean, keypoints = seen(offset=0.0, swap_share=0.0)
        there = keypoints.valid[:, DROPS]
        error = np.linalg.norm(keypoints.positions - clean.positions, axis=2)[:, DROPS][there]
        confidence = keypoints.confidence[:, DROPS][there]
        assert np.corrcoef(confidence, error)[0, 1] < -0.3
        low, high = confidence < np.quantile(confidence, 0.1), confidence > np.quantile(confidence, 0.9)
        assert error[low].mean() > 2 * error[high].mean()
        assert 0.0 < confidence.min() < 0.4
        assert 0.7 < np.median(confidence) < confidence.max() <= 1

    def test_joints_drop_out_in_bursts(self, seen):
        _, keypoints = seen(dropout_share=0.05)
        np.testing.assert_allclose(1 - keypoints.valid[:, DROPS].mean(), 0.05, atol=0.012)
        assert keypoints.valid[:, ~DROPS].all()
        assert (keypoints.confidence[~keypoints.valid] == 0).all()

    def test_the_joints_of_a_limb_are_hidden_together(self, seen):
        _, keypoints = seen(dropout_share=0.0, hidden_face_share=0.0, hidden_limb_share=0.2, hidden_limb_s=1.0)
        gone = {joint: ~there for joint, there in zip(COCO_17.joints, keypoints.valid.T, strict=True)}
        for side in ("left", "right"):
            np.testing.assert_array_equal(gone[f"{side}_elbow"], gone[f"{side}_wrist"])
            assert (gone[f"{side}_ankle"] >= gone[f"{side}_knee"]).all()
            assert 0.05 < gone[f"{side}_wrist"].mean() < 0.4
        assert not any(gone[joint].any() for joint in ("nose", "left_shoulder", "right_hip"))

    @pytest.mark.parametrize(
        ("azimuth", "missing"),
        [
            (0, set()),
            (90, {"right_ear", "right_eye"}),
            (180, {"nose", "left_eye", "right_eye", "left_ear", "right_ear"}),
            (270, {"left_ear", "left_eye"}),
        ],
    )
    def test_averted_keypoints_are_missing(self, seen, azimuth, missing):
        _, keypoints = seen(azimuth, hidden_face_share=1.0, dropout_share=0.0)
        gone = {joint for joint, there in zip(COCO_17.joints, keypoints.valid.T, strict=True) if not there.any()}
        assert gone == missing
        _, kept = seen(azimuth, hidden_face_share=0.0, dropout_share=0.0)
        assert kept.valid.all()

    def test_left_and_right_are_exchanged_in_rear_views_only(self, seen):
        quiet = {"offset": 0.0, "white": 0.0, "correlated": 0.0, "dropout_share": 0.0}
        clean, keypoints = seen(0.0, swap_share=0.5, **quiet)
        np.testing.assert_allclose(keypoints.positions, clean.positions, atol=1e-9)
        clean, keypoints = seen(180.0, swap_share=0.1, hidden_face_share=0.0, **quiet)
        order = list(COCO_17.mirrored_order)
        for group in (("shoulder", "elbow", "wrist"), ("hip", "knee", "ankle")):
            index = [COCO_17.index(f"{side}_{joint}") for side in ("left", "right") for joint in group]
            swapped = np.abs(keypoints.positions - clean.positions)[:, index].max(axis=(1, 2)) > 1e-6
            np.testing.assert_allclose(swapped.mean(), 0.1, atol=0.05)
            np.testing.assert_allclose(
                keypoints.positions[swapped][:, index], clean.positions[:, order][swapped][:, index], atol=1e-9
            )
        face = [COCO_17.index(joint) for joint in bodies._FACE_M]
        np.testing.assert_allclose(keypoints.positions[:, face], clean.positions[:, face], atol=1e-9)

    def test_keypoints_outside_the_image_are_missing(self, front, body):
        camera = front(body, size_px=(400, 200))
        pair = training_pair(body, camera, DetectorModel(strength=0.0), np.random.default_rng(0))
        assert pair.clean.valid.all()
        inside = ((pair.clean.positions >= -0.5) & (pair.clean.positions <= (399.5, 199.5))).all(axis=2)
        np.testing.assert_array_equal(pair.keypoints.valid, inside)
        assert 0 < inside.mean() < 1

    def test_a_hidden_far_limb_has_less_confidence(self, seen):
        _, keypoints = seen(90.0, dropout_share=0.0, difficulty=0.1)
        left, right = (keypoints.confidence[:, COCO_17.index(f"{side}_hip")].mean() for side in ("left", "right"))
        assert right < left - 0.15

    @pytest.mark.parametrize("change", [{"strength": 1.1}, {"white": -0.1}, {"swap_share": 2.0}, {"offset": np.nan}])
    def test_impossible_values_are_refused(self, change):
        with pytest.raises(ConfigError, match=next(iter(change))):
            DetectorModel(**change)
