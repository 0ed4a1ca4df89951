"""Virtual cameras and training pairs: geometry against OpenCV."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gonio.core.errors import ConfigError, InputError
from gonio.core.skeleton import COCO_17, H36M_17
from gonio.training.bodies import BODY_22, mean_place, training_body, with_other_definitions, with_turned_limbs
from gonio.training.detector_noise import DetectorModel
from gonio.training.virtual_cameras import CameraPlacement, look_at, sample_camera, training_pair


class TestCameras:
    def test_the_target_is_in_the_middle_of_the_picture(self):
        camera = look_at(
            (1, 2, 3), azimuth_deg=33, elevation_deg=21, roll_deg=7, distance_m=5, focal_px=900, size_px=(720, 1280)
        )
        np.testing.assert_allclose(camera.world_to_image((1, 2, 3)), (359.5, 639.5))
        np.testing.assert_allclose(camera.world_to_camera((1, 2, 3)), (0, 0, 5), atol=1e-12)
        np.testing.assert_allclose(camera.center_m[2], 3 + 5 * np.sin(np.deg2rad(21)))

    @pytest.mark.parametrize(("azimuth", "axis"), [(0, (1, 0)), (90, (0, 1)), (180, (-1, 0)), (270, (0, -1))])
    def test_azimuth_is_counted_from_x_to_y(self, azimuth, axis):
        camera = look_at(
            (0, 0, 0), azimuth_deg=azimuth, elevation_deg=0, distance_m=2, focal_px=900, size_px=(100, 100)
        )
        np.testing.assert_allclose(camera.center_m, (2 * axis[0], 2 * axis[1], 0), atol=1e-12)
        assert camera.world_to_image((0, 0, 0.1))[1] < 49.5  # up is up

    def test_a_camera_rolled_clockwise_turns_the_picture_the_other_way(self):
        camera = look_at(
            (0, 0, 0), azimuth_deg=0, elevation_deg=0, roll_deg=10, distance_m=2, focal_px=900, size_px=(100, 100)
        )
        above = camera.world_to_image((0, 0, 0.1)) - 49.5
        np.testing.assert_allclose(np.rad2deg(np.arctan2(above[0], -above[1])), -10, atol=1e-9)

    def test_seen_from_the_front_the_left_is_on_the_right_and_from_the_back_on_the_left(self, front, body):
        for azimuth, sign in ((0, 1), (180, -1)):
            clean = training_pair(body, front(body, azimuth)).clean
            assert (np.sign(clean["left_shoulder"][:, 0] - clean["right_shoulder"][:, 0]) == sign).all()
        assert (training_pair(body, front(body, 90)).target["left_hip"][:, 2] < 0).all()  # left side is near

    def test_draws_stay_in_their_ranges_and_cover_them(self, body):
        placement = CameraPlacement(cut_off_share=1.0, aim_m=0.0)
        rng = np.random.default_rng(1)
        cameras = [sample_camera(body, placement, rng) for _ in range(300)]
        outward = np.array([camera.center_m - mean_place(body) for camera in cameras])
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
        a, b, c = (sample_camera(body, CameraPlacement(), np.random.default_rng(s)) for s in (1, 1, 2))
        for name in ("matrix", "rotation", "translation"):
            np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
        assert not np.allclose(a.rotation, c.rotation)

    @settings(max_examples=25, deadline=None)
    @given(seed=st.integers(0, 10**6))
    def test_the_body_is_inside_the_image_unless_cut_off(self, person, seed):
        body = training_body(person(20))
        camera = sample_camera(body, CameraPlacement(cut_off_share=0.0), np.random.default_rng(seed))
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
        camera = sample_camera(body, CameraPlacement(), np.random.default_rng(3))
        clean = training_pair(body, camera).clean
        points = body.positions[:, [BODY_22.index(j) for j in COCO_17.joints]].reshape(-1, 3)
        expected = cv2.projectPoints(
            points, cv2.Rodrigues(camera.rotation)[0], camera.translation, camera.matrix, np.zeros(5)
        )[0]
        np.testing.assert_allclose(clean.positions.reshape(-1, 2), expected[:, 0], atol=1e-6)
        assert clean.skeleton == COCO_17
        assert clean.image_size_px == camera.size_px

    def test_target_and_root_are_the_body_in_the_cameras_axes(self, body):
        camera = sample_camera(body, CameraPlacement(), np.random.default_rng(4))
        pair = training_pair(body, camera)
        assert pair.target.skeleton == H36M_17
        assert (pair.target.frame, pair.target.unit) == ("root", "m")
        np.testing.assert_array_equal(pair.target["mid_hip"], 0)
        world = camera.camera_to_world(pair.target.positions + pair.root_m[:, None])
        np.testing.assert_allclose(world, body.positions[:, :17], atol=1e-12)

    def test_keypoints_may_come_from_other_definitions(self, front, body):
        seen = with_other_definitions(body, np.random.default_rng(0), sd_m=0.02)
        plain, other = (training_pair(body, front(body), seen=s) for s in (None, seen))
        np.testing.assert_array_equal(plain.target.positions, other.target.positions)
        assert np.abs(plain.clean.positions - other.clean.positions).max() > 2
        with pytest.raises(InputError, match="times"):
            training_pair(body, front(body), seen=seen.at(slice(0, 50)))

    def test_who_stands_behind_the_camera_is_missing(self, body):
        behind = look_at((5, 2, 1), azimuth_deg=180, elevation_deg=0, distance_m=1, focal_px=900, size_px=(99, 99))
        assert not training_pair(body, behind).clean.valid.any()
        with pytest.raises(InputError, match="length"):
            training_pair(body, behind, DetectorModel(), np.random.default_rng(0))

    def test_a_detector_needs_a_generator(self, front, body):
        with pytest.raises(InputError, match="generator"):
            training_pair(body, front(body), DetectorModel())

    def test_a_wrist_may_be_missing_all_the_time(self, person):
        sequence = person()
        positions = sequence.positions.copy()
        wrist = BODY_22.index("left_wrist")
        positions[:, wrist] = np.nan
        body = training_body(sequence.derive(positions=positions))
        rng = np.random.default_rng(0)
        body = with_other_definitions(with_turned_limbs(body, rng, share=1.0), rng)
        pair = training_pair(body, sample_camera(body, CameraPlacement(), rng), DetectorModel(), rng)
        assert np.isnan(pair.target["left_wrist"]).all()
        assert pair.target.valid[:, H36M_17.index("right_wrist")].all()

    def test_keypoints_of_a_recording_of_cmu(self, shared_data):
        from gonio.io.motion_capture import cmu_positions

        recordings = cmu_positions.read(shared_data / "cmu-mocap" / "eight_actions_positions.npz")
        body = training_body(recordings[next(name for name in recordings if "walking" in name)])
        pair = training_pair(
            body,
            sample_camera(body, CameraPlacement(), np.random.default_rng(0)),
            DetectorModel(),
            np.random.default_rng(1),
        )
        assert pair.keypoints.valid.mean() > 12 / 17 - 0.03
