"""Bodies: what they must keep, and how far they vary."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gonio.core.errors import InputError
from gonio.core.geometry import angle_between, in_axes, unit
from gonio.core.sequence import Status
from gonio.core.skeleton import BODY_12, H36M_17
from gonio.training import bodies
from gonio.training.bodies import (
    BODY_22,
    BONES,
    flipped,
    mirrored,
    random_bone_lengths,
    recombined,
    resampled,
    training_body,
    with_bone_lengths,
    with_other_definitions,
    with_turned_limbs,
)
from gonio.training.detector_noise import DetectorModel
from gonio.training.virtual_cameras import training_pair

RATE_HZ = 50.0


def bend(angle_rad, axis):
    return cv2.Rodrigues(np.asarray(axis, dtype=float) * angle_rad)[0]


def bone_lengths(body, skeleton=BODY_22):
    parents, children = (list(ends) for ends in zip(*skeleton.bones, strict=True))
    return np.linalg.norm(body.positions[:, children] - body.positions[:, parents], axis=-1)


def flexion_deg(body, top, middle, end):
    a, b = body[middle] - body[top], body[end] - body[middle]
    cosine = (a * b).sum(axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    return np.rad2deg(np.arccos(np.clip(cosine, -1, 1)))


def handedness(body):
    """(time,) positive where left hip, facing (nose) and up are those of a person, not of a mirror image."""
    left = body["left_hip"] - body["right_hip"]
    forward = body["nose"] - (body["left_ear"] + body["right_ear"]) / 2
    up = body["thorax"] - body["mid_hip"]
    return (np.cross(forward, left) * up).sum(axis=1)


class TestTrainingBody:
    def test_mid_hip_is_the_mean_of_the_hips(self, body):
        np.testing.assert_allclose(body["mid_hip"], (body["left_hip"] + body["right_hip"]) / 2)
        assert (body.status[:, 0] == Status.INFERRED).all()

    def test_axes_are_turned_to_z_up(self, person):
        turned = training_body(person().with_up("+y"))
        np.testing.assert_allclose(turned.positions, training_body(person()).positions, atol=1e-12)
        assert turned.up == "+z"

    def test_a_face_that_is_not_there_is_put_on_the_head(self, person, body):
        bare = training_body(person(face=False))
        for joint in bodies._FACE_M:
            np.testing.assert_allclose(bare[joint], body[joint], atol=0.01)
            assert (bare.status[:, BODY_22.index(joint)] == Status.INFERRED).all()
        assert "face" in bare.history[-1]
        assert "face" not in body.history[-1]

    def test_a_missing_hip_takes_the_mid_hip_along(self, person):
        sequence = person()
        positions = sequence.positions.copy()
        positions[3, BODY_22.index("left_hip")] = np.nan
        assert training_body(sequence.derive(positions=positions)).status[3, 0] == Status.MISSING

    def test_twelve_joints_are_enough(self, front, person):
        twelve = training_body(person().select(BODY_12.joints))
        assert twelve.valid[:, [BODY_22.index(j) for j in ("mid_hip", "spine", "thorax", *BODY_12.joints)]].all()
        assert not twelve.valid[:, BODY_22.index("nose")].any()
        pair = training_pair(twelve, front(twelve), DetectorModel(), np.random.default_rng(0))
        assert pair.target.valid.sum(axis=0)[H36M_17.index("head_top")] == 0

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            (lambda s: s.derive(up=None), r"\+z"),
            (lambda s: s.derive(frame="root"), r"position.*person"),
            (lambda s: s.at(slice(0, 1)), "frames"),
            (lambda s: s.select([j for j in BODY_22.joints if j != "left_knee"]), "left_knee"),
            (lambda s: s.derive(positions=s.positions[..., :2], unit="px", frame="image", up=None), "2D"),
        ],
    )
    def test_unusable_sequences_are_refused(self, person, change, words):
        with pytest.raises(InputError, match=words):
            training_body(change(person(10)))

    def test_other_functions_want_a_training_body(self, person):
        with pytest.raises(InputError, match="training_body"):
            mirrored(person(5).with_up("+y"))

    def test_a_made_face_is_near_that_of_ui_prmds_markers(self, shared_data):
        from gonio.io.motion_capture import ui_prmd
        from gonio.kinematics.markers import joint_centres

        folder = shared_data / "ui-prmd" / "Segmented Movements" / "Vicon" / "Positions"
        joints = joint_centres(ui_prmd.read_vicon(next(folder.glob("m01_s01_e01_positions.txt*"))))
        # The face that is put on a head without one is near that of the head's markers.
        bare = joints.select([joint for joint in joints.skeleton.joints if joint not in bodies._FACE_M])
        made, own = training_body(bare), training_body(joints)
        away = [np.nanmedian(np.linalg.norm(made[joint] - own[joint], axis=1)) for joint in bodies._FACE_M]
        assert max(away) < 0.08

    def test_recordings_of_cmu_are_whole_bodies(self, shared_data):
        from gonio.io.motion_capture import cmu_positions

        recordings = cmu_positions.read(shared_data / "cmu-mocap" / "eight_actions_positions.npz")
        body = training_body(recordings[next(name for name in recordings if "walking" in name)])
        assert body.valid.all()
        assert (handedness(body) > 0).all()


class TestBodies:
    def test_the_mirror_image_is_a_person_who_does_it_the_other_way_round(self, body):
        image = mirrored(body)
        assert (handedness(body) > 0).all()
        assert (handedness(image) > 0).all()
        np.testing.assert_allclose(mirrored(image).positions, body.positions)
        np.testing.assert_allclose(
            flexion_deg(image, "left_hip", "left_knee", "left_ankle"),
            flexion_deg(body, "right_hip", "right_knee", "right_ankle"),
        )
        np.testing.assert_allclose(image["left_wrist"], body["right_wrist"] * (1, -1, 1))

    def test_half_of_the_draws_are_flipped(self, body):
        rng = np.random.default_rng(0)
        short = body.at(slice(0, 3))
        flips = [flipped(short, rng) is not short for _ in range(200)]
        assert 80 < sum(flips) < 120

    def test_resampling_takes_samples_and_interpolates_between_them(self, body):
        half = resampled(body, 25.0)
        np.testing.assert_array_equal(half.positions, body.positions[::2])
        double = resampled(body, 100.0)
        assert len(double) == 2 * len(body) - 1
        np.testing.assert_allclose(double.positions[1], (body.positions[0] + body.positions[1]) / 2)
        assert (double.status[1] == Status.INTERPOLATED).all()

    def test_a_faster_motion_is_the_same_motion(self, body):
        fast = resampled(body, RATE_HZ, speed=2.0)
        np.testing.assert_allclose(fast.positions, body.positions[::2])
        np.testing.assert_allclose(fast.rate_hz, RATE_HZ)
        for rate, speed in ((0.0, 1.0), (50.0, -1.0), (float("nan"), 1.0)):
            with pytest.raises(InputError, match="not possible"):
                resampled(body, rate, speed=speed)

    def test_bones_get_their_factors_left_and_right(self, body):
        factors = random_bone_lengths(np.random.default_rng(0))
        assert tuple(factors) == BONES
        other = with_bone_lengths(body, factors)
        expected = [factors[bodies._BONES[BODY_22.joints[child]]] for _, child in BODY_22.bones]
        np.testing.assert_allclose(bone_lengths(other) / bone_lengths(body), np.tile(expected, (len(body), 1)))
        for side in ("left", "right"):
            limb = (f"{side}_hip", f"{side}_knee", f"{side}_ankle")
            np.testing.assert_allclose(flexion_deg(other, *limb), flexion_deg(body, *limb))
        np.testing.assert_allclose(other["mid_hip"], (other["left_hip"] + other["right_hip"]) / 2, atol=1e-12)

    def test_longer_legs_step_further(self, body):
        other = with_bone_lengths(body, {"thigh": 1.1, "shank": 1.1})
        np.testing.assert_allclose(np.ptp(other["mid_hip"], axis=0), 1.1 * np.ptp(body["mid_hip"], axis=0), atol=1e-12)

    def test_bone_factors_vary_as_said(self):
        rng = np.random.default_rng(0)
        table = np.array([list(random_bone_lengths(rng, size_sd=0.05, bone_sd=0.03).values()) for _ in range(3000)])
        np.testing.assert_allclose(table.mean(), 1, atol=0.005)
        np.testing.assert_allclose(table.std(axis=0), 0.959 * np.hypot(0.05, 0.03), rtol=0.06)
        assert np.corrcoef(table.T)[0, 1] > 0.6

    def test_unknown_bones_and_impossible_factors_are_refused(self, body):
        with pytest.raises(InputError, match="'thigh'"):
            with_bone_lengths(body, {"thighs": 1.0})
        with pytest.raises(InputError, match="positive"):
            with_bone_lengths(body, {"thigh": 0.0})

    def test_a_body_without_a_head_can_be_scaled(self, person):
        twelve = training_body(person(10).select(BODY_12.joints))
        other = with_bone_lengths(twelve, dict.fromkeys(BONES, 1.2))
        np.testing.assert_array_equal(other.valid, twelve.valid)

    def test_joints_that_depend_on_a_missing_one_are_missing_and_counted(self, body):
        positions = body.positions.copy()
        positions[5, BODY_22.index("left_elbow")] = np.nan
        other = with_bone_lengths(body.derive(positions=positions), {"forearm": 1.1})
        assert other.status[5, BODY_22.index("left_wrist")] == Status.MISSING
        assert "1 positions" in other.history[-1]

    @settings(max_examples=20, deadline=None)
    @given(seed=st.integers(0, 10**6))
    def test_turned_limbs_keep_lengths_and_limits(self, person, seed):
        body = training_body(person(40, seed=seed % 7))
        other = with_turned_limbs(body, np.random.default_rng(seed), turn_deg=30, bend_deg=30, share=1.0)
        np.testing.assert_allclose(bone_lengths(other), bone_lengths(body), atol=1e-9)
        trunk = [BODY_22.index(j) for j in BODY_22.joints if not j.endswith(("elbow", "wrist", "knee", "ankle"))]
        np.testing.assert_array_equal(other.positions[:, trunk], body.positions[:, trunk])
        assert (handedness(other) > 0).all()
        for side, sign in (("left", 1), ("right", -1)):
            thigh = other[f"{side}_knee"] - other[f"{side}_hip"]
            shank = other[f"{side}_ankle"] - other[f"{side}_knee"]
            thigh, shank = thigh / 0.42, shank / 0.40
            assert (flexion_deg(other, f"{side}_hip", f"{side}_knee", f"{side}_ankle") <= 150.001).all()
            assert (sign * thigh[:, 1] >= -np.sin(np.deg2rad(30.001))).all()  # inwards
            assert (-thigh[:, 0] <= np.sin(np.deg2rad(30.001))).all()  # backwards
            # A knee bends about an axis that points left in the thigh: never forwards.
            left = np.array([0, 1, 0]) - thigh * thigh[:, 1:2]
            bent = (np.cross(thigh, shank) * left).sum(axis=1)
            assert (bent > -0.1).all()
        # What moved smoothly moves smoothly.
        assert np.abs(np.diff(other.positions, 2, axis=0)).max() < 3 * np.abs(np.diff(body.positions, 2, axis=0)).max()

    def test_limbs_do_turn(self, body):
        rng = np.random.default_rng(0)
        turned = [with_turned_limbs(body, rng, share=1.0) for _ in range(20)]
        moved = np.array([np.linalg.norm(t["left_wrist"] - body["left_wrist"], axis=1).mean() for t in turned])
        assert (moved > 0.02).mean() > 0.7
        assert 0.1 < moved.mean() < 0.4
        still = with_turned_limbs(body, rng, share=0.0)
        np.testing.assert_array_equal(still.positions, body.positions)
        assert "none" in still.history[-1]

    def test_a_hinge_bends_by_the_requested_angle(self, body):
        axes = bodies._trunk_axes(body, "hip")
        upper, lower = (
            in_axes(axes, body[b] - body[a]) for a, b in (("left_hip", "left_knee"), ("left_knee", "left_ankle"))
        )
        for change in (0.5, -0.5):
            new = bodies._turned(upper, lower, np.zeros(3), change, 1.0, "hip")
            before, after = (angle_between(unit(a), unit(b)) for a, b in ((upper, lower), new))
            expected = before + change if change > 0 else before * np.exp(change / before.mean())
            np.testing.assert_allclose(after, expected, atol=1e-6)

    def test_halves_keep_their_own_motion(self, person, body):
        # The upper half comes from a person who is turned, stands elsewhere, and was recorded at another rate.
        other = training_body(person(300, rate_hz=60.0, seed=2))
        turned = other.derive(positions=other.positions @ bend(1.1, (0, 0, 1)).T + (3, -4, 0.05))
        both = recombined(body, turned, np.random.default_rng(0))
        assert len(both) == len(body)
        np.testing.assert_array_equal(both.positions[:, list(bodies._LOWER)], body.positions[:, list(bodies._LOWER)])
        assert (handedness(both) > 0).all()
        for joint in ("left_wrist", "right_elbow", "nose", "head_top"):
            relative = both[joint] - both["mid_hip"]
            straight = other[joint] - other["mid_hip"]
            distance = np.linalg.norm(relative[:, None] - straight[None, :], axis=2).min(axis=1)
            assert np.median(distance) < 0.01  # found again in the other recording, turned back to the hips' direction
        twist = (both["left_shoulder"] - both["right_shoulder"]) - 0.36 / 0.22 * (both["left_hip"] - both["right_hip"])
        np.testing.assert_allclose(twist, 0, atol=1e-9)
        lengths = bone_lengths(both), bone_lengths(body)
        np.testing.assert_allclose(lengths[0], lengths[1], atol=2e-3)  # interpolation shortens a little

    def test_the_shorter_half_decides(self, person, body):
        short = training_body(person(61, seed=3))
        for pair in ((body, short), (short, body)):
            starts = set()
            for seed in range(4):
                both = recombined(*pair, np.random.default_rng(seed))
                assert 59 <= len(both) <= 61
                assert both.valid[1:-1].all()
                starts.add(both.times_s[0])
            assert len(starts) == (4 if pair[0] is body else 1)

    def test_other_definitions_are_fixed_in_the_body(self, body):
        other = with_other_definitions(body, np.random.default_rng(0), sd_m=0.02)
        moved = np.linalg.norm(other.positions - body.positions, axis=2)
        single = [j for j in range(len(BODY_22)) if j != 0]
        np.testing.assert_allclose(moved[:, single], moved[:1, single].repeat(len(body), 0), atol=1e-9)
        for left, right in BODY_22.left_right_pairs:
            np.testing.assert_allclose(moved[0, left], moved[0, right])
        assert 0.005 < moved.mean() < 0.06
        np.testing.assert_allclose(other["mid_hip"], (other["left_hip"] + other["right_hip"]) / 2)
        # A person who turns takes the offsets along.
        rotation = bend(0.7, (0, 0, 1))
        turned = body.derive(positions=body.positions @ rotation.T)
        again = with_other_definitions(turned, np.random.default_rng(0), sd_m=0.02)
        np.testing.assert_allclose(again.positions, other.positions @ rotation.T, atol=1e-9)
