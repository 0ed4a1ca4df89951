"""Size and place, on synthetic truth."""

import numpy as np
import pytest

from gonio.core.assumptions import Assumption
from gonio.core.errors import ConfigError, InputError
from gonio.core.sequence import PoseSequence, Status
from gonio.core.skeleton import COCO_17, H36M_17
from gonio.lifting.normalisation import body_size_m
from gonio.lifting.placing import (
    parse_segment,
    placed_at,
    placed_by_reprojection,
    scaled,
    scaled_to_match,
    segment_lengths_m,
    with_segment,
    with_stature,
)
from gonio.training.virtual_cameras import training_pair


@pytest.fixture(scope="module")
def pair(body, front):
    return training_pair(body, front(body, 30.0, elevation_deg=15.0))


def noisy(keypoints: PoseSequence, sigma_px: float, seed: int = 0) -> PoseSequence:
    rng = np.random.default_rng(seed)
    return keypoints.derive(positions=keypoints.positions + rng.normal(0, sigma_px, keypoints.positions.shape))


def test_a_true_pose_is_placed_exactly(pair):
    found = placed_by_reprojection(pair.target, pair.keypoints, pair.camera)
    assert (found.frame, found.unit, found.frame_name) == ("camera", "m", pair.target.frame_name)
    np.testing.assert_allclose(found.positions, pair.target.positions + pair.root_m[:, None], atol=1e-6)
    # Of twice the size it stands twice as far away, and looks the same.
    larger = placed_by_reprojection(scaled(pair.target, 2.0, "twice"), pair.keypoints, pair.camera)
    np.testing.assert_allclose(larger.positions, 2 * found.positions, atol=1e-6)


def test_noisy_keypoints_do_not_move_the_person(long_pair):
    """4500 frames, 8 px of noise on a body of 220 px: the mean error of depth is a tenth of a per cent or less."""
    pair, _ = long_pair
    found = placed_by_reprojection(pair.target, noisy(pair.keypoints, 8.0), pair.camera)
    error = found["mid_hip"] - pair.root_m
    assert 0.02 < error[:, 2].std() < 0.3
    np.testing.assert_allclose(error.mean(axis=0), 0, atol=0.004)
    np.testing.assert_allclose(error[:, :2].std(axis=0), 0.01, atol=0.007)


def test_a_wild_keypoint_hardly_counts(pair):
    positions = noisy(pair.keypoints, 1.0).positions.copy()
    positions[:, COCO_17.index("left_wrist")] += 300.0
    found = placed_by_reprojection(pair.target, pair.keypoints.derive(positions=positions), pair.camera)
    apart = np.linalg.norm(found["mid_hip"] - pair.root_m, axis=1)
    assert np.median(apart) < 0.05


def test_frames_that_show_too_little_are_missing_and_counted(pair):
    positions = pair.keypoints.positions.copy()
    limbs = [i for i, joint in enumerate(COCO_17.joints) if joint.split("_")[-1] not in ("hip", "knee")]
    positions[5, limbs] = np.nan  # four are left
    positions[6:8, [*limbs, COCO_17.index("left_knee")]] = np.nan
    found = placed_by_reprojection(pair.target, pair.keypoints.derive(positions=positions), pair.camera)
    np.testing.assert_allclose(found["mid_hip"][5], pair.root_m[5], atol=1e-5)
    assert np.flatnonzero((found.status == Status.MISSING).all(axis=1)).tolist() == [6, 7]
    assert any("2 of 200 frames" in step for step in found.history)
    with pytest.raises(InputError, match="4 joints"):
        gone = np.full_like(positions, np.nan)
        placed_by_reprojection(pair.target, pair.keypoints.derive(positions=gone), pair.camera)
    with pytest.raises(InputError, match="'camera'"):
        placed_by_reprojection(found, pair.keypoints, pair.camera)
    with pytest.raises(InputError, match="times"):
        placed_by_reprojection(pair.target, pair.keypoints.at(slice(0, 9)), pair.camera)


def test_a_given_position_is_used(pair):
    root = np.array(pair.root_m)
    root[3] = np.nan
    found = placed_at(pair.target, root, "by hand")
    np.testing.assert_allclose(found["mid_hip"], root)
    assert (found.status[3] == Status.MISSING).all()
    assert found.history[-1] == "by hand"


def test_the_size_by_stature_by_segment_and_by_another_measurement(pair):
    assumed = pair.target.assuming(Assumption("stature", "1.70 m"), Assumption("clock", "by angles"))
    small = scaled(assumed, 0.8, "smaller")
    assert [assumption.kind for assumption in small.assumptions] == ["clock"]
    assert body_size_m(with_stature(small, 1.75)) == pytest.approx(0.779 * 1.75)
    thigh = with_segment(small, "thigh", 0.5)
    np.testing.assert_allclose(np.median(segment_lengths_m(thigh)["thigh"]), 0.5)
    assert any("0.500 m" in step for step in thigh.history)
    positions = np.array(pair.target.positions)
    positions[:150, H36M_17.index("left_knee")] = np.nan
    positions[100:] *= 1.01
    other = pair.target.derive(positions=positions)
    np.testing.assert_allclose(
        scaled_to_match(small, other, "multiview").positions[:100], pair.target.positions[:100], rtol=0.011
    )
    assert any("multiview" in step for step in scaled_to_match(small, other, "multiview").history)
    with pytest.raises(InputError, match="times"):
        scaled_to_match(small, other.at(slice(0, 4)), "multiview")
    gone = pair.target.derive(positions=np.full_like(positions, np.nan))
    with pytest.raises(InputError, match="segment"):
        scaled_to_match(small, gone, "multiview")
    with pytest.raises(InputError, match="thigh"):
        with_segment(gone, "thigh", 0.4)
    with pytest.raises(InputError, match="origin"):
        scaled(pair.target.derive(frame="world"), 2.0, "")


def test_segments_as_text():
    assert parse_segment("thigh=0.42") == ("thigh", 0.42)
    assert parse_segment("upper_arm = 0.3") == ("upper_arm", 0.3)
    for wrong in ("thigh", "thigh=", "toe=0.1", "thigh=42", "thigh=nan", "=0.4"):
        with pytest.raises(ConfigError, match=r"thigh=0\.42"):
            parse_segment(wrong)
