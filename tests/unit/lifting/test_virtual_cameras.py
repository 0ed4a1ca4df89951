"""Virtual cameras: geometry against OpenCV, statistics of the noise, and what augmentations must keep."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gonio.core.sequence import PoseSequence, Status
from gonio.core.skeleton import BODY_12, COCO_17, H36M_17
from gonio.errors import ConfigError, InputError
from gonio.lifting import virtual_cameras as vc
from gonio.lifting.virtual_cameras import BODY_22, CameraPlacement, DetectorModel

RATE_HZ = 50.0


def bend(angle_rad, axis):
    return cv2.Rodrigues(np.asarray(axis, dtype=float) * angle_rad)[0]


def person(n_frames=200, rate_hz=RATE_HZ, seed=0, face=True):
    """Somebody who stands at (1, 2), faces +x, swings arms and legs, and bends elbows and knees. Metres, z up."""
    phase = 2 * np.pi * np.arange(n_frames) / rate_hz + seed
    joints = {name: np.zeros((n_frames, 3)) for name in BODY_22.joints}
    joints["mid_hip"] = np.stack([1 + 0.02 * np.sin(phase), 2 + 0 * phase, 0.95 + 0.03 * np.cos(2 * phase)], axis=1)
    for name, offset in {"spine": 0.25, "thorax": 0.50, "neck_nose": 0.64, "head_top": 0.78}.items():
        joints[name] = joints["mid_hip"] + (0, 0, offset)
    for name, offset in vc._FACE_M.items():
        joints[name] = joints["head_top"] + offset if face else np.full((n_frames, 3), np.nan)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        joints[f"{side}_hip"] = joints["mid_hip"] + (0, sign * 0.11, -0.03)
        joints[f"{side}_shoulder"] = joints["thorax"] + (0, sign * 0.18, -0.02)
        for top, mid, end, lengths, way in (
            ("hip", "knee", "ankle", (0.42, 0.40), 1.0),
            ("shoulder", "elbow", "wrist", (0.29, 0.25), -1.0),
        ):
            swing = -way * sign * 0.4 * np.sin(phase)  # about +y: hanging limbs go back for a positive angle
            flexion = 0.6 + 0.4 * np.sin(phase + sign)
            for i in range(n_frames):
                upper = bend(swing[i], (0, 1, 0)) @ (0, 0, -lengths[0])
                lower = bend(swing[i] + way * flexion[i], (0, 1, 0)) @ (0, 0, -lengths[1])
                joints[f"{side}_{mid}"][i] = joints[f"{side}_{top}"][i] + upper
                joints[f"{side}_{end}"][i] = joints[f"{side}_{mid}"][i] + lower
    return PoseSequence(
        positions=np.stack([joints[name] for name in BODY_22.joints], axis=1),
        times_s=3.0 + np.arange(n_frames) / rate_hz,
        skeleton=BODY_22,
        unit="m",
        frame="world",
        frame_name=f"person-{seed}",
        up="+z",
    )


@pytest.fixture(scope="module")
def body():
    return vc.training_body(person())


@pytest.fixture(scope="module")
def long_pair():
    """A minute and a half from the front, so that the statistics of noise settle."""
    body = vc.training_body(person(4500))
    return vc.training_pair(body, front(body)), body


def front(body, azimuth_deg=0.0, **changes):
    values = {"elevation_deg": 0.0, "distance_m": 4.0, "focal_px": 1000.0, "size_px": (1280, 720)} | changes
    return vc.look_at(vc._mean_place(body), azimuth_deg=azimuth_deg, **values)


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

    def test_axes_are_turned_to_z_up(self):
        turned = vc.training_body(person().with_up("+y"))
        np.testing.assert_allclose(turned.positions, vc.training_body(person()).positions, atol=1e-12)
        assert turned.up == "+z"

    def test_a_face_that_is_not_there_is_put_on_the_head(self, body):
        bare = vc.training_body(person(face=False))
        for joint in vc._FACE_M:
            np.testing.assert_allclose(bare[joint], body[joint], atol=0.01)
            assert (bare.status[:, BODY_22.index(joint)] == Status.INFERRED).all()
        assert "face put on the head" in bare.history[-1]
        assert "face" not in body.history[-1]

    def test_a_missing_hip_takes_the_mid_hip_along(self):
        sequence = person()
        positions = sequence.positions.copy()
        positions[3, BODY_22.index("left_hip")] = np.nan
        assert vc.training_body(sequence.derive(positions=positions)).status[3, 0] == Status.MISSING

    def test_a_wrist_may_be_missing_all_the_time(self):
        sequence = person()
        positions = sequence.positions.copy()
        wrist = BODY_22.index("left_wrist")
        positions[:, wrist] = np.nan
        body = vc.training_body(sequence.derive(positions=positions))
        rng = np.random.default_rng(0)
        body = vc.with_other_definitions(vc.with_turned_limbs(body, rng, share=1.0), rng)
        pair = vc.training_pair(body, vc.sample_camera(body, CameraPlacement(), rng), DetectorModel(), rng)
        assert np.isnan(pair.target["left_wrist"]).all()
        assert pair.target.valid[:, H36M_17.index("right_wrist")].all()
        assert len(vc.protocol_l1(sequence.derive(positions=positions), 0)) == 4

    def test_twelve_joints_are_enough(self):
        twelve = vc.training_body(person().select(BODY_12.joints))
        assert twelve.valid[:, [BODY_22.index(j) for j in ("mid_hip", "spine", "thorax", *BODY_12.joints)]].all()
        assert not twelve.valid[:, BODY_22.index("nose")].any()
        pair = vc.training_pair(twelve, front(twelve), DetectorModel(), np.random.default_rng(0))
        assert pair.target.valid.sum(axis=0)[H36M_17.index("head_top")] == 0

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            (lambda s: s.derive(up=None), "which axis points up"),
            (lambda s: s.derive(frame="root"), "place of the person"),
            (lambda s: s.at(slice(0, 1)), "two frames"),
            (lambda s: s.select([j for j in BODY_22.joints if j != "left_knee"]), "has no left_knee"),
            (lambda s: vc.training_pair(vc.training_body(s), front(s)).clean, "these are 2D"),
        ],
    )
    def test_what_cannot_be_used_is_refused(self, change, words):
        with pytest.raises(InputError, match=words):
            vc.training_body(change(person(10)))

    def test_other_functions_want_a_training_body(self):
        with pytest.raises(InputError, match="call training_body first"):
            vc.mirrored(person(5).with_up("+y"))


class TestCameras:
    def test_the_target_is_in_the_middle_of_the_picture(self):
        camera = vc.look_at(
            (1, 2, 3), azimuth_deg=33, elevation_deg=21, roll_deg=7, distance_m=5, focal_px=900, size_px=(720, 1280)
        )
        np.testing.assert_allclose(camera.world_to_image((1, 2, 3)), (359.5, 639.5))
        np.testing.assert_allclose(camera.world_to_camera((1, 2, 3)), (0, 0, 5), atol=1e-12)
        np.testing.assert_allclose(camera.center_m[2], 3 + 5 * np.sin(np.deg2rad(21)))

    @pytest.mark.parametrize(("azimuth", "axis"), [(0, (1, 0)), (90, (0, 1)), (180, (-1, 0)), (270, (0, -1))])
    def test_azimuth_is_counted_from_x_to_y(self, azimuth, axis):
        camera = vc.look_at(
            (0, 0, 0), azimuth_deg=azimuth, elevation_deg=0, distance_m=2, focal_px=900, size_px=(100, 100)
        )
        np.testing.assert_allclose(camera.center_m, (2 * axis[0], 2 * axis[1], 0), atol=1e-12)
        assert camera.world_to_image((0, 0, 0.1))[1] < 49.5  # up is up

    def test_a_camera_rolled_clockwise_turns_the_picture_the_other_way(self):
        camera = vc.look_at(
            (0, 0, 0), azimuth_deg=0, elevation_deg=0, roll_deg=10, distance_m=2, focal_px=900, size_px=(100, 100)
        )
        above = camera.world_to_image((0, 0, 0.1)) - 49.5
        np.testing.assert_allclose(np.rad2deg(np.arctan2(above[0], -above[1])), -10, atol=1e-9)

    def test_seen_from_the_front_the_left_is_on_the_right_and_from_the_back_on_the_left(self, body):
        for azimuth, sign in ((0, 1), (180, -1)):
            clean = vc.training_pair(body, front(body, azimuth)).clean
            assert (np.sign(clean["left_shoulder"][:, 0] - clean["right_shoulder"][:, 0]) == sign).all()
        assert (vc.training_pair(body, front(body, 90)).target["left_hip"][:, 2] < 0).all()  # left side is near

    def test_draws_stay_in_their_ranges_and_cover_them(self, body):
        placement = CameraPlacement(cut_off_share=1.0, aim_m=0.0)
        rng = np.random.default_rng(1)
        cameras = [vc.sample_camera(body, placement, rng) for _ in range(300)]
        outward = np.array([camera.center_m - vc._mean_place(body) for camera in cameras])
        distance = np.linalg.norm(outward, axis=1)
        elevation = np.rad2deg(np.arcsin(outward[:, 2] / distance))
        azimuth = np.rad2deg(np.arctan2(outward[:, 1], outward[:, 0])) % 360
        focal = np.array([camera.focal_px / max(camera.size_px) for camera in cameras])
        roll = [np.rad2deg(np.arctan2(-c.rotation[0, 2], -c.rotation[1, 2])) for c in cameras]
        spans = zip(
            (azimuth, elevation, roll, distance, focal),
            (
                placement.azimuth_deg,
                placement.elevation_deg,
                placement.roll_deg,
                placement.distance_m,
                placement.focal,
            ),
            strict=True,
        )
        for values, (low, high) in spans:
            assert low - 1e-9 <= min(values) < low + 0.1 * (high - low)
            assert high - 0.1 * (high - low) < max(values) <= high + 1e-9
        assert {camera.size_px for camera in cameras} == set(placement.image_sizes_px)

    def test_the_same_seed_draws_the_same_camera(self, body):
        a, b, c = (vc.sample_camera(body, CameraPlacement(), np.random.default_rng(s)) for s in (1, 1, 2))
        np.testing.assert_array_equal(a.projection_matrix, b.projection_matrix)
        assert not np.allclose(a.projection_matrix, c.projection_matrix)

    @settings(max_examples=25, deadline=None)
    @given(seed=st.integers(0, 10**6))
    def test_everybody_is_in_the_picture_unless_cut_off(self, seed):
        body = vc.training_body(person(20))
        camera = vc.sample_camera(body, CameraPlacement(cut_off_share=0.0), np.random.default_rng(seed))
        pixels = camera.world_to_image(body.positions)
        assert ((pixels > -0.5) & (pixels < np.array(camera.size_px) - 0.5)).all()

    @pytest.mark.parametrize(
        "change",
        [
            {"distance_m": (5.0, 2.0)},
            {"focal": (0.0, 1.0)},
            {"elevation_deg": (0.0, 90.0)},
            {"image_sizes_px": ()},
            {"roll_deg": (0.0, float("nan"))},
            {"cut_off_share": 1.5},
            {"aim_m": -1.0},
        ],
    )
    def test_impossible_ranges_are_refused(self, change):
        with pytest.raises(ConfigError, match=next(iter(change))):
            CameraPlacement(**change)


class TestPairs:
    def test_projection_is_that_of_opencv(self, body):
        camera = vc.sample_camera(body, CameraPlacement(), np.random.default_rng(3))
        clean = vc.training_pair(body, camera).clean
        points = body.positions[:, [BODY_22.index(j) for j in COCO_17.joints]].reshape(-1, 3)
        expected = cv2.projectPoints(
            points, cv2.Rodrigues(camera.rotation)[0], camera.translation, camera.matrix, np.zeros(5)
        )[0]
        np.testing.assert_allclose(clean.positions.reshape(-1, 2), expected[:, 0], atol=1e-6)
        assert clean.skeleton == COCO_17
        assert clean.image_size_px == camera.size_px

    def test_target_and_root_are_the_body_in_the_cameras_axes(self, body):
        camera = vc.sample_camera(body, CameraPlacement(), np.random.default_rng(4))
        pair = vc.training_pair(body, camera)
        assert pair.target.skeleton == H36M_17
        assert (pair.target.frame, pair.target.unit) == ("root", "m")
        np.testing.assert_array_equal(pair.target["mid_hip"], 0)
        world = camera.camera_to_world(pair.target.positions + pair.root_m[:, None])
        np.testing.assert_allclose(world, body.positions[:, :17], atol=1e-12)

    def test_keypoints_may_come_from_other_definitions(self, body):
        seen = vc.with_other_definitions(body, np.random.default_rng(0), sd_m=0.02)
        plain, other = (vc.training_pair(body, front(body), seen=s) for s in (None, seen))
        np.testing.assert_array_equal(plain.target.positions, other.target.positions)
        assert np.abs(plain.clean.positions - other.clean.positions).max() > 2
        with pytest.raises(InputError, match="other times"):
            vc.training_pair(body, front(body), seen=seen.at(slice(0, 50)))

    def test_who_stands_behind_the_camera_is_missing(self, body):
        behind = vc.look_at((5, 2, 1), azimuth_deg=180, elevation_deg=0, distance_m=1, focal_px=900, size_px=(99, 99))
        assert not vc.training_pair(body, behind).clean.valid.any()
        with pytest.raises(InputError, match="no length"):
            vc.training_pair(body, behind, DetectorModel(), np.random.default_rng(0))

    def test_a_detector_needs_a_generator(self, body):
        with pytest.raises(InputError, match="generator"):
            vc.training_pair(body, front(body), DetectorModel())


class TestNoise:
    def test_autoregressive_noise_is_stationary_and_decays(self):
        x = vc.autoregressive(np.random.default_rng(0), (400, 3000), RATE_HZ, 0.15)
        np.testing.assert_allclose(x.var(axis=1), 1, atol=0.12)
        for lag in (1, 5, 20):
            np.testing.assert_allclose((x[lag:] * x[:-lag]).mean(), np.exp(-lag / RATE_HZ / 0.15), atol=0.01)

    def test_autoregressive_noise_is_the_recursion(self):
        x = vc.autoregressive(np.random.default_rng(5), (300, 2), RATE_HZ, 0.5)
        e, a = np.random.default_rng(5).standard_normal((300, 2)), np.exp(-1 / (RATE_HZ * 0.5))
        y = [e[0]]
        for innovation in e[1:]:
            y.append(a * y[-1] + np.sqrt(1 - a * a) * innovation)
        np.testing.assert_allclose(x, y, atol=1e-10)

    def test_bursts_have_their_length_and_share(self):
        mask = vc.bursts(np.random.default_rng(0), (2000, 200), RATE_HZ, 0.2, 0.02)
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
        assert not vc.bursts(np.random.default_rng(0), (50, 3), RATE_HZ, 0.2, 0.0).any()
        assert vc.bursts(np.random.default_rng(0), (50, 3), RATE_HZ, 0.2, 1.0).all()

    def test_body_length_is_that_of_trunk_thigh_and_shank(self, body):
        straight = person(4)
        positions = straight.positions.copy()
        for side in ("left", "right"):
            for joint, drop in (("knee", 0.42), ("ankle", 0.82)):
                positions[:, BODY_22.index(f"{side}_{joint}")] = straight[f"{side}_hip"] - (0, 0, drop)
        clean = vc.training_pair(vc.training_body(straight.derive(positions=positions)), front(straight)).clean
        np.testing.assert_allclose(vc.body_length_px(clean), (0.51 + 0.42 + 0.40) * 250, rtol=0.01)


class TestDetector:
    def seen(self, pair_and_body, azimuth=0.0, seed=0, **changes):
        _, body = pair_and_body
        camera = front(body, azimuth)
        pair = vc.training_pair(body, camera, DetectorModel(**changes), np.random.default_rng(seed))
        return pair.clean, pair.keypoints

    def test_strength_0_leaves_the_keypoints_alone(self, long_pair):
        clean, keypoints = self.seen(long_pair, strength=0.0)
        np.testing.assert_allclose(keypoints.positions, clean.positions)
        np.testing.assert_array_equal(keypoints.confidence, 1)

    def test_the_same_seed_gives_the_same_keypoints(self, long_pair):
        a, b, c = (self.seen(long_pair, seed=seed)[1].positions for seed in (7, 7, 8))
        np.testing.assert_array_equal(a, b)
        assert not np.allclose(a, c, equal_nan=True)

    def test_the_parts_of_the_error_have_their_sizes(self, long_pair):
        quiet = {"difficulty": 0.0, "dropout_share": 0.0, "swap_share": 0.0, "hidden_face_share": 0.0}
        names = ["left_shoulder", "right_shoulder"]
        index = [COCO_17.index(name) for name in names]
        for strength in (0.5, 1.0):
            clean, keypoints = self.seen(long_pair, strength=strength, offset=0.0, **quiet)
            error = (keypoints.positions - clean.positions)[:, index] / vc.body_length_px(clean)
            expected = strength * np.hypot(0.009, 0.006)
            np.testing.assert_allclose(error.std(), expected, rtol=0.05)
            lag = (error[5:] * error[:-5]).mean() / error.var()
            np.testing.assert_allclose(lag, 0.009**2 / (0.009**2 + 0.006**2) * np.exp(-5 / 50 / 0.15), atol=0.07)
        offsets = []
        for seed in range(60):
            body = vc.training_body(person(3))
            model = DetectorModel(correlated=0.0, white=0.0, **quiet)
            pair = vc.training_pair(body, front(body), model, np.random.default_rng(seed))
            error = (pair.keypoints.positions - pair.clean.positions) / vc.body_length_px(pair.clean)
            np.testing.assert_allclose(error, error[:1].repeat(3, axis=0), atol=1e-9)
            offsets.append(error[0] / vc._FACTORS[:, None])
        np.testing.assert_allclose(np.std(offsets), 0.010, rtol=0.06)

    def test_confidence_tells(self, long_pair):
        clean, keypoints = self.seen(long_pair, offset=0.0, swap_share=0.0)
        there = keypoints.valid[:, vc._DROPS]
        error = np.linalg.norm(keypoints.positions - clean.positions, axis=2)[:, vc._DROPS][there]
        confidence = keypoints.confidence[:, vc._DROPS][there]
        assert np.corrcoef(confidence, error)[0, 1] < -0.3
        low, high = confidence < np.quantile(confidence, 0.1), confidence > np.quantile(confidence, 0.9)
        assert error[low].mean() > 2 * error[high].mean()
        assert 0.0 < confidence.min() < 0.4
        assert 0.7 < np.median(confidence) < confidence.max() <= 1

    def test_joints_drop_out_in_bursts(self, long_pair):
        _, keypoints = self.seen(long_pair, dropout_share=0.05)
        np.testing.assert_allclose(1 - keypoints.valid[:, vc._DROPS].mean(), 0.05, atol=0.012)
        assert keypoints.valid[:, ~vc._DROPS].all()
        assert (keypoints.confidence[~keypoints.valid] == 0).all()

    @pytest.mark.parametrize(
        ("azimuth", "missing"),
        [
            (0, set()),
            (90, {"right_ear", "right_eye"}),
            (180, {"nose", "left_eye", "right_eye", "left_ear", "right_ear"}),
            (270, {"left_ear", "left_eye"}),
        ],
    )
    def test_what_faces_away_is_missing(self, long_pair, azimuth, missing):
        _, keypoints = self.seen(long_pair, azimuth, hidden_face_share=1.0, dropout_share=0.0)
        gone = {joint for joint, there in zip(COCO_17.joints, keypoints.valid.T, strict=True) if not there.any()}
        assert gone == missing
        _, kept = self.seen(long_pair, azimuth, hidden_face_share=0.0, dropout_share=0.0)
        assert kept.valid.all()

    def test_left_and_right_are_exchanged_in_rear_views_only(self, long_pair):
        quiet = {"offset": 0.0, "white": 0.0, "correlated": 0.0, "dropout_share": 0.0}
        clean, keypoints = self.seen(long_pair, 0.0, swap_share=0.5, **quiet)
        np.testing.assert_allclose(keypoints.positions, clean.positions, atol=1e-9)
        clean, keypoints = self.seen(long_pair, 180.0, swap_share=0.1, hidden_face_share=0.0, **quiet)
        order = list(COCO_17.mirrored_order)
        for group in (("shoulder", "elbow", "wrist"), ("hip", "knee", "ankle")):
            index = [COCO_17.index(f"{side}_{joint}") for side in ("left", "right") for joint in group]
            swapped = np.abs(keypoints.positions - clean.positions)[:, index].max(axis=(1, 2)) > 1e-6
            np.testing.assert_allclose(swapped.mean(), 0.1, atol=0.05)
            np.testing.assert_allclose(
                keypoints.positions[swapped][:, index], clean.positions[:, order][swapped][:, index], atol=1e-9
            )
        face = [COCO_17.index(joint) for joint in vc._FACE_M]
        np.testing.assert_allclose(keypoints.positions[:, face], clean.positions[:, face], atol=1e-9)

    def test_what_is_outside_the_picture_is_missing(self, body):
        camera = front(body, size_px=(400, 200))
        pair = vc.training_pair(body, camera, DetectorModel(strength=0.0), np.random.default_rng(0))
        assert pair.clean.valid.all()
        inside = ((pair.clean.positions >= -0.5) & (pair.clean.positions <= (399.5, 199.5))).all(axis=2)
        np.testing.assert_array_equal(pair.keypoints.valid, inside)
        assert 0 < inside.mean() < 1

    def test_the_far_limb_is_told_less_surely_where_it_is_hidden(self, long_pair):
        _, keypoints = self.seen(long_pair, 90.0, dropout_share=0.0, difficulty=0.1)
        left, right = (keypoints.confidence[:, COCO_17.index(f"{side}_hip")].mean() for side in ("left", "right"))
        assert right < left - 0.15

    @pytest.mark.parametrize("change", [{"strength": 1.1}, {"white": -0.1}, {"swap_share": 2.0}, {"offset": np.nan}])
    def test_impossible_values_are_refused(self, change):
        with pytest.raises(ConfigError, match=next(iter(change))):
            DetectorModel(**change)


class TestBodies:
    def test_the_mirror_image_is_a_person_who_does_it_the_other_way_round(self, body):
        image = vc.mirrored(body)
        assert (handedness(body) > 0).all()
        assert (handedness(image) > 0).all()
        np.testing.assert_allclose(vc.mirrored(image).positions, body.positions)
        np.testing.assert_allclose(
            flexion_deg(image, "left_hip", "left_knee", "left_ankle"),
            flexion_deg(body, "right_hip", "right_knee", "right_ankle"),
        )
        np.testing.assert_allclose(image["left_wrist"], body["right_wrist"] * (1, -1, 1))

    def test_half_of_the_draws_are_flipped(self, body):
        rng = np.random.default_rng(0)
        short = body.at(slice(0, 3))
        flips = [vc.flipped(short, rng) is not short for _ in range(200)]
        assert 80 < sum(flips) < 120

    def test_resampling_takes_samples_and_interpolates_between_them(self, body):
        half = vc.resampled(body, 25.0)
        np.testing.assert_array_equal(half.positions, body.positions[::2])
        double = vc.resampled(body, 100.0)
        assert len(double) == 2 * len(body) - 1
        np.testing.assert_allclose(double.positions[1], (body.positions[0] + body.positions[1]) / 2)
        assert (double.status[1] == Status.INTERPOLATED).all()

    def test_a_faster_motion_is_the_same_motion(self, body):
        fast = vc.resampled(body, RATE_HZ, speed=2.0)
        np.testing.assert_allclose(fast.positions, body.positions[::2])
        np.testing.assert_allclose(fast.rate_hz, RATE_HZ)
        for rate, speed in ((0.0, 1.0), (50.0, -1.0), (float("nan"), 1.0)):
            with pytest.raises(InputError, match="not possible"):
                vc.resampled(body, rate, speed=speed)

    def test_bones_get_their_factors_left_and_right(self, body):
        factors = vc.random_bone_lengths(np.random.default_rng(0))
        assert tuple(factors) == vc.BONES
        other = vc.with_bone_lengths(body, factors)
        expected = [factors[vc._BONES[BODY_22.joints[child]]] for _, child in BODY_22.bones]
        np.testing.assert_allclose(bone_lengths(other) / bone_lengths(body), np.tile(expected, (len(body), 1)))
        for side in ("left", "right"):
            limb = (f"{side}_hip", f"{side}_knee", f"{side}_ankle")
            np.testing.assert_allclose(flexion_deg(other, *limb), flexion_deg(body, *limb))
        np.testing.assert_allclose(other["mid_hip"], (other["left_hip"] + other["right_hip"]) / 2, atol=1e-12)

    def test_longer_legs_step_further(self, body):
        other = vc.with_bone_lengths(body, {"thigh": 1.1, "shank": 1.1})
        np.testing.assert_allclose(np.ptp(other["mid_hip"], axis=0), 1.1 * np.ptp(body["mid_hip"], axis=0), atol=1e-12)

    def test_bone_factors_vary_as_said(self):
        rng = np.random.default_rng(0)
        table = np.array([list(vc.random_bone_lengths(rng, size_sd=0.05, bone_sd=0.03).values()) for _ in range(3000)])
        np.testing.assert_allclose(table.mean(), 1, atol=0.005)
        np.testing.assert_allclose(table.std(axis=0), 0.959 * np.hypot(0.05, 0.03), rtol=0.06)
        assert np.corrcoef(table.T)[0, 1] > 0.6

    def test_unknown_bones_and_impossible_factors_are_refused(self, body):
        with pytest.raises(InputError, match="did you mean 'thigh'"):
            vc.with_bone_lengths(body, {"thighs": 1.0})
        with pytest.raises(InputError, match="not positive"):
            vc.with_bone_lengths(body, {"thigh": 0.0})

    def test_a_body_without_a_head_can_be_scaled(self):
        twelve = vc.training_body(person(10).select(BODY_12.joints))
        other = vc.with_bone_lengths(twelve, dict.fromkeys(vc.BONES, 1.2))
        np.testing.assert_array_equal(other.valid, twelve.valid)

    def test_joints_that_hang_on_a_missing_one_are_lost_and_counted(self, body):
        positions = body.positions.copy()
        positions[5, BODY_22.index("left_elbow")] = np.nan
        other = vc.with_bone_lengths(body.derive(positions=positions), {"forearm": 1.1})
        assert other.status[5, BODY_22.index("left_wrist")] == Status.MISSING
        assert "1 positions lost" in other.history[-1]

    @settings(max_examples=20, deadline=None)
    @given(seed=st.integers(0, 10**6))
    def test_turned_limbs_keep_lengths_and_limits(self, seed):
        body = vc.training_body(person(40, seed=seed % 7))
        other = vc.with_turned_limbs(body, np.random.default_rng(seed), turn_deg=30, bend_deg=30, share=1.0)
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
        turned = [vc.with_turned_limbs(body, rng, share=1.0) for _ in range(20)]
        moved = np.array([np.linalg.norm(t["left_wrist"] - body["left_wrist"], axis=1).mean() for t in turned])
        assert (moved > 0.02).mean() > 0.7
        assert 0.1 < moved.mean() < 0.4
        still = vc.with_turned_limbs(body, rng, share=0.0)
        np.testing.assert_array_equal(still.positions, body.positions)
        assert "none" in still.history[-1]

    def test_a_hinge_bends_by_what_is_asked(self, body):
        axes = vc._trunk_axes(body, "hip")
        upper, lower = (
            vc._in_axes(axes, body[b] - body[a]) for a, b in (("left_hip", "left_knee"), ("left_knee", "left_ankle"))
        )
        for change in (0.5, -0.5):
            new = vc._turned(upper, lower, np.zeros(3), change, 1.0, "hip")
            before, after = (vc._angle(vc._unit(a), vc._unit(b)) for a, b in ((upper, lower), new))
            expected = before + change if change > 0 else before * np.exp(change / before.mean())
            np.testing.assert_allclose(after, expected, atol=1e-6)

    def test_halves_keep_their_own_motion(self, body):
        # The upper half comes from somebody who is turned, stands elsewhere, and was recorded at another rate.
        other = vc.training_body(person(300, rate_hz=60.0, seed=2))
        turned = other.derive(positions=other.positions @ bend(1.1, (0, 0, 1)).T + (3, -4, 0.05))
        both = vc.recombined(body, turned, np.random.default_rng(0))
        assert len(both) == len(body)
        np.testing.assert_array_equal(both.positions[:, list(vc._LOWER)], body.positions[:, list(vc._LOWER)])
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

    def test_the_shorter_half_decides(self, body):
        short = vc.training_body(person(61, seed=3))
        for pair in ((body, short), (short, body)):
            starts = set()
            for seed in range(4):
                both = vc.recombined(*pair, np.random.default_rng(seed))
                assert 59 <= len(both) <= 61
                assert both.valid[1:-1].all()
                starts.add(both.times_s[0])
            assert len(starts) == (4 if pair[0] is body else 1)

    def test_other_definitions_are_fixed_in_the_body(self, body):
        other = vc.with_other_definitions(body, np.random.default_rng(0), sd_m=0.02)
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
        again = vc.with_other_definitions(turned, np.random.default_rng(0), sd_m=0.02)
        np.testing.assert_allclose(again.positions, other.positions @ rotation.T, atol=1e-9)


class TestProtocolL1:
    def test_cameras_are_those_of_the_protocol(self):
        sequence = person(240, rate_hz=100.0)
        pairs = vc.protocol_l1(sequence, 3)
        assert len(pairs) == 4
        for pair, azimuth in zip(pairs, (20, 110, 200, 290), strict=True):
            camera = pair.camera
            assert camera.size_px == (1280, 720)
            np.testing.assert_allclose(camera.matrix, [[1000, 0, 639.5], [0, 1000, 359.5], [0, 0, 1]])
            np.testing.assert_allclose(pair.root_m.mean(axis=0), (0, 0, 4), atol=1e-9)
            out = camera.center_m - vc._mean_place(vc.training_body(sequence))
            np.testing.assert_allclose(np.rad2deg(np.arctan2(out[1], out[0])) % 360, azimuth, atol=0.2)
            np.testing.assert_allclose(np.rad2deg(np.arcsin(out[2] / np.linalg.norm(out))), 10, atol=0.2)
            np.testing.assert_allclose(camera.rotation[0, 2], 0, atol=1e-12)  # no roll
            assert len(pair.keypoints) == len(pair.clean) == len(pair.target) == 120
            np.testing.assert_allclose(pair.clean.rate_hz, 50)

    def test_it_is_the_same_every_time_and_differs_by_clip_and_camera(self):
        sequence = person(100)
        a, b, c = (vc.protocol_l1(sequence, clip) for clip in (1, 1, 2))
        errors = []
        for first, second, third in zip(a, b, c, strict=True):
            np.testing.assert_array_equal(first.keypoints.positions, second.keypoints.positions)
            np.testing.assert_array_equal(first.clean.positions, third.clean.positions)
            errors += [pair.keypoints["nose"] - pair.clean["nose"] for pair in (first, third)]
        assert len({error.round(6).tobytes() for error in errors}) == 8

    def test_the_noise_can_be_made_again_from_the_protocol(self):
        pair = vc.protocol_l1(person(150), 9)[2]
        rng = np.random.default_rng([20261122, 9, 2])
        white, innovation = rng.standard_normal((150, 17, 2)), rng.standard_normal((150, 17, 2))
        constant = rng.standard_normal((1, 17, 2))
        a = np.exp(-0.02 / 0.15)
        slow = [innovation[0]]
        for e in innovation[1:]:
            slow.append(a * slow[-1] + np.sqrt(1 - a * a) * e)
        noise = np.sqrt(0.3) * white + np.sqrt(0.5) * np.array(slow) + np.sqrt(0.2) * constant
        k = np.array([0.01] * 7 + [0.0125] * 2 + [0.015] * 2 + [0.01] * 2 + [0.0125] * 2 + [0.015] * 2)
        expected = pair.clean.positions + vc.body_length_px(pair.clean) * k[:, None] * noise
        there = pair.keypoints.valid
        np.testing.assert_allclose(pair.keypoints.positions[there], expected[there], atol=1e-9)

    def test_statistics_of_the_noise(self):
        sequence = person(600)
        groups = {"shoulder": 0.01, "hip": 0.01, "eye": 0.01, "elbow": 0.0125, "knee": 0.0125}
        groups |= {"wrist": 0.015, "ankle": 0.015}
        noise, gone = [], []
        for clip in range(25):
            for pair in vc.protocol_l1(sequence, clip):
                error = (pair.keypoints.positions - pair.clean.positions) / vc.body_length_px(pair.clean)
                noise.append(error)
                gone.append(~pair.keypoints.valid)
        noise, gone = np.array(noise), np.array(gone)  # (clip and camera, time, joint, coordinate)
        total = []
        for joint, k in groups.items():
            index = [COCO_17.index(f"{side}_{joint}") for side in ("left", "right")]
            values = noise[:, :, index] / k
            np.testing.assert_allclose(np.nanmean(values**2), 1, atol=0.06)
            total.append(values)
        unit = np.concatenate(total, axis=2)
        for lag in (1, 5, 25):
            expected = 0.2 + 0.5 * np.exp(-lag * 0.02 / 0.15)  # the constant part and the slow one; no white
            np.testing.assert_allclose(np.nanmean(unit[:, lag:] * unit[:, :-lag]), expected, atol=0.025)
        np.testing.assert_allclose(np.nanmean(np.nanmean(unit, axis=1) ** 2), 0.2 + 0.5 * 2 * 0.15 / 12, atol=0.025)
        limbs = [COCO_17.index(f"{s}_{j}") for s in ("left", "right") for j in ("elbow", "wrist", "knee", "ankle")]
        np.testing.assert_allclose(gone[:, :, limbs].mean(), 0.02, atol=0.002)
        assert not np.delete(gone, limbs, axis=2).any()

    def test_markers_of_ui_prmd(self, shared_data):
        from gonio.motion.markers import joint_centres
        from gonio.sources import ui_prmd

        folder = shared_data / "ui-prmd" / "Segmented Movements" / "Vicon" / "Positions"
        joints = joint_centres(ui_prmd.read_vicon(next(folder.glob("m01_s01_e01_positions.txt*"))))
        pairs = vc.protocol_l1(joints, 0)
        front_view, _, back_view, _ = pairs
        assert np.median(front_view.clean["left_hip"][:, 0] - front_view.clean["right_hip"][:, 0]) > 20
        assert np.median(back_view.clean["left_hip"][:, 0] - back_view.clean["right_hip"][:, 0]) < -20
        # The face that is put on a head without one is near that of the head's markers.
        bare = joints.select([joint for joint in joints.skeleton.joints if joint not in vc._FACE_M])
        made, own = vc.training_body(bare), vc.training_body(joints)
        away = [np.nanmedian(np.linalg.norm(made[joint] - own[joint], axis=1)) for joint in vc._FACE_M]
        assert max(away) < 0.08

    def test_recordings_of_cmu(self, shared_data):
        from gonio.sources import cmu_positions

        recordings = cmu_positions.read(shared_data / "cmu-mocap" / "eight_actions_positions.npz")
        body = vc.training_body(recordings[next(name for name in recordings if "walking" in name)])
        assert body.valid.all()
        pair = vc.training_pair(
            body,
            vc.sample_camera(body, CameraPlacement(), np.random.default_rng(0)),
            DetectorModel(),
            np.random.default_rng(1),
        )
        assert pair.keypoints.valid.mean() > 12 / 17 - 0.03
        assert (handedness(body) > 0).all()
