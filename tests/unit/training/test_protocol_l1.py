"""Protocol L1: its cameras, and its noise made again."""

from __future__ import annotations

import numpy as np

from gonio.core.skeleton import COCO_17
from gonio.training.bodies import BODY_22, mean_place, training_body
from gonio.training.detector_noise import body_length_px
from gonio.training.protocol_l1 import protocol_l1


class TestProtocolL1:
    def test_cameras_are_those_of_the_protocol(self, person):
        sequence = person(240, rate_hz=100.0)
        pairs = protocol_l1(sequence, 3)
        assert len(pairs) == 4
        for pair, azimuth in zip(pairs, (20, 110, 200, 290), strict=True):
            camera = pair.camera
            assert camera.size_px == (1280, 720)
            np.testing.assert_allclose(camera.matrix, [[1000, 0, 639.5], [0, 1000, 359.5], [0, 0, 1]])
            np.testing.assert_allclose(pair.root_m.mean(axis=0), (0, 0, 4), atol=1e-9)
            out = camera.center_m - mean_place(training_body(sequence))
            np.testing.assert_allclose(np.rad2deg(np.arctan2(out[1], out[0])) % 360, azimuth, atol=0.2)
            np.testing.assert_allclose(np.rad2deg(np.arcsin(out[2] / np.linalg.norm(out))), 10, atol=0.2)
            np.testing.assert_allclose(camera.rotation[0, 2], 0, atol=1e-12)  # no roll
            assert len(pair.keypoints) == len(pair.clean) == len(pair.target) == 120
            np.testing.assert_allclose(pair.clean.rate_hz, 50)

    def test_it_is_the_same_every_time_and_differs_by_clip_and_camera(self, person):
        sequence = person(100)
        a, b, c = (protocol_l1(sequence, clip) for clip in (1, 1, 2))
        errors = []
        for first, second, third in zip(a, b, c, strict=True):
            np.testing.assert_array_equal(first.keypoints.positions, second.keypoints.positions)
            np.testing.assert_array_equal(first.clean.positions, third.clean.positions)
            errors += [pair.keypoints["nose"] - pair.clean["nose"] for pair in (first, third)]
        assert len({error.round(6).tobytes() for error in errors}) == 8

    def test_the_noise_can_be_made_again_from_the_protocol(self, person):
        pair = protocol_l1(person(150), 9)[2]
        rng = np.random.default_rng([20261122, 9, 2])
        white, innovation = rng.standard_normal((150, 17, 2)), rng.standard_normal((150, 17, 2))
        constant = rng.standard_normal((1, 17, 2))
        a = np.exp(-0.02 / 0.15)
        slow = [innovation[0]]
        for e in innovation[1:]:
            slow.append(a * slow[-1] + np.sqrt(1 - a * a) * e)
        noise = np.sqrt(0.3) * white + np.sqrt(0.5) * np.array(slow) + np.sqrt(0.2) * constant
        k = np.array([0.01] * 7 + [0.0125] * 2 + [0.015] * 2 + [0.01] * 2 + [0.0125] * 2 + [0.015] * 2)
        expected = pair.clean.positions + body_length_px(pair.clean) * k[:, None] * noise
        there = pair.keypoints.valid
        np.testing.assert_allclose(pair.keypoints.positions[there], expected[there], atol=1e-9)

    def test_statistics_of_the_noise(self, person):
        sequence = person(600)
        groups = {"shoulder": 0.01, "hip": 0.01, "eye": 0.01, "elbow": 0.0125, "knee": 0.0125}
        groups |= {"wrist": 0.015, "ankle": 0.015}
        noise, gone = [], []
        for clip in range(25):
            for pair in protocol_l1(sequence, clip):
                error = (pair.keypoints.positions - pair.clean.positions) / body_length_px(pair.clean)
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

    def test_a_wrist_may_be_missing_all_the_time(self, person):
        sequence = person()
        positions = sequence.positions.copy()
        positions[:, BODY_22.index("left_wrist")] = np.nan
        pairs = protocol_l1(sequence.derive(positions=positions), 0)
        assert len(pairs) == 4
        assert not any(pair.keypoints.valid[:, COCO_17.index("left_wrist")].any() for pair in pairs)

    def test_markers_of_ui_prmd(self, shared_data):
        from gonio.io.motion_capture import ui_prmd
        from gonio.kinematics.markers import joint_centres

        folder = shared_data / "ui-prmd" / "Segmented Movements" / "Vicon" / "Positions"
        joints = joint_centres(ui_prmd.read_vicon(next(folder.glob("m01_s01_e01_positions.txt*"))))
        pairs = protocol_l1(joints, 0)
        front_view, _, back_view, _ = pairs
        assert np.median(front_view.clean["left_hip"][:, 0] - front_view.clean["right_hip"][:, 0]) > 20
        assert np.median(back_view.clean["left_hip"][:, 0] - back_view.clean["right_hip"][:, 0]) < -20
