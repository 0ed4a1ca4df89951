"""Triangulation: linear against SVD and OpenCV, refinement against scipy, dropping views, counts, bad input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from gonio.core.arrays import FloatArray
from gonio.core.camera import Camera, Rig
from gonio.core.errors import InputError
from gonio.core.sequence import PoseSequence, Source, Status
from gonio.core.skeleton import BODY_12, COCO_17
from gonio.multiview.triangulation import Triangulation, ViewCounts, dlt, reprojection_errors, triangulate


def camera_at(
    name: str, center_m: Sequence[float], focal_px: float = 900, distortion: tuple[float, ...] = ()
) -> Camera:
    """A camera aimed at the origin of a world with z up."""
    forward = -np.array(center_m) / np.linalg.norm(center_m)
    right = np.cross(forward, [0, 0, 1])
    right /= np.linalg.norm(right)
    rotation = np.stack([right, np.cross(forward, right), forward])
    matrix = np.array([[focal_px, 0, 639.5], [0, focal_px * 1.01, 359.5], [0, 0, 1]])
    return Camera(name, (1280, 720), matrix, distortion, rotation=rotation, translation=-rotation @ center_m)


def ring(n: int, distortion: tuple[float, ...] = ()) -> Rig:
    angles = 2 * np.pi * np.arange(n) / n + 0.3
    cameras = [
        camera_at(f"cam{i}", [4 * np.cos(a), 4 * np.sin(a), 1 + 0.1 * i], 900 + 20 * i, distortion)
        for i, a in enumerate(angles)
    ]
    return Rig("ring", tuple(cameras), up="+z")


BARREL = (-0.2, 0.05, 0.001, -0.002, 0.01)


def truth(n_times: int = 50, seed: int = 0) -> FloatArray:
    return np.random.default_rng(seed).uniform(-0.8, 0.8, (n_times, len(BODY_12), 3))


def images(rig: Rig, points_m: FloatArray, noise_px: float = 0.0, seed: int = 1) -> FloatArray:
    exact = np.stack([camera.world_to_image(points_m) for camera in rig])
    return exact + np.random.default_rng(seed).normal(0, noise_px, exact.shape) if noise_px else exact


def views_of(
    rig: Rig, pixels: FloatArray, confidence: FloatArray | None = None, **fields: object
) -> dict[str, PoseSequence]:
    return {
        camera.name: PoseSequence(
            pixels[v],
            np.arange(pixels.shape[1]) / 50,
            BODY_12,
            "px",
            "image",
            camera.name,
            camera.size_px,
            confidence=None if confidence is None else confidence[v],
            **fields,
        )
        for v, camera in enumerate(rig)
    }


def projection_matrix(camera: Camera) -> FloatArray:
    """(3, 4) K [R | t], without distortion."""
    return camera.matrix @ np.column_stack([camera.rotation, camera.translation])


class TestDlt:
    @pytest.mark.parametrize("n_views", [2, 3, 5])
    def test_exact_images_give_the_points_back(self, n_views: int) -> None:
        rig = ring(n_views, BARREL)
        np.testing.assert_allclose(dlt(rig.cameras, images(rig, truth())), truth(), atol=1e-8)

    def test_agrees_with_opencv(self) -> None:
        rig = ring(2)
        pixels = images(rig, truth(), noise_px=5)
        P = [projection_matrix(camera) for camera in rig]
        Q = cv2.triangulatePoints(P[0], P[1], pixels[0].reshape(-1, 2).T, pixels[1].reshape(-1, 2).T)
        np.testing.assert_allclose(dlt(rig.cameras, pixels).reshape(-1, 3), (Q[:3] / Q[3]).T, atol=1e-8)

    @pytest.mark.parametrize("distance_m", [3.0, 30.0, 300.0])
    @pytest.mark.parametrize("offset_m", [0.0, 100.0])
    def test_agrees_with_svd_far_away_and_with_unbalanced_weights(self, distance_m: float, offset_m: float) -> None:
        rng = np.random.default_rng(0)
        shift = np.array([offset_m, -offset_m, 0])
        cameras = [
            replace(camera, translation=camera.translation - camera.rotation @ shift)
            for camera in (*Rig.parallel(0.3, 1000, (1280, 720)), camera_at("third", [0.5, 0.4, -1.0], 4000))
        ]
        points = rng.uniform(-0.5, 0.5, (40, 3)) * [1, 1, 0.1] + [0, 0, distance_m] + shift
        pixels = np.stack([c.world_to_image(points) for c in cameras])
        seen = np.isfinite(pixels).all(axis=-1)
        pixels += rng.normal(0, 0.01, pixels.shape)
        weights = np.where(seen, rng.choice([0.1, 1.0, 10.0], seen.shape), 0.0)
        found = dlt(cameras, pixels, weights)
        P = [projection_matrix(camera) for camera in cameras]
        for i in range(len(points)):
            rows = [
                weights[v, i] * (P[v][k] - pixels[v, i, k] * P[v][2])
                for v in range(len(cameras))
                if seen[v, i]
                for k in range(2)
            ]
            Q = np.linalg.svd(np.array(rows))[2][-1]
            exact = Q[:3] / Q[3]
            assert np.linalg.norm(found[i] - exact) < 1e-6

    def test_weights_favour_the_view_that_weighs_more(self) -> None:
        rig = ring(3)
        pixels = images(rig, truth())
        pixels[0] += 20
        weights = np.ones(pixels.shape[:-1])
        weights[0] = 0.1
        found = dlt(rig.cameras, pixels), dlt(rig.cameras, pixels, weights)
        error = [np.linalg.norm(points - truth(), axis=-1).mean() for points in found]
        assert error[1] < error[0] / 10

    def test_missing_views_are_left_out_and_one_is_too_few(self) -> None:
        rig = ring(3)
        pixels = images(rig, truth())
        pixels[0, 0], pixels[:2, 1], pixels[:, 2] = np.nan, np.nan, np.nan
        found = dlt(rig.cameras, pixels)
        np.testing.assert_allclose(found[0], truth()[0], atol=1e-8)
        assert np.isnan(found[1:3]).all()
        assert np.isfinite(found[3:]).all()

    def test_parallel_rays_and_a_camera_twice_give_no_point(self) -> None:
        rig = Rig.parallel(0.3, 500, (640, 480))
        assert np.isnan(dlt(rig.cameras, np.full((2, 4, 2), 100.0))).all()
        twice = (rig.cameras[0], rig.cameras[0])
        assert np.isnan(dlt(twice, np.full((2, 4, 2), 100.0))).all()

    def test_shapes_that_do_not_fit_are_named(self) -> None:
        rig = ring(2)
        with pytest.raises(InputError, match=r"\(3, 5, 2\)"):
            dlt(rig.cameras, np.zeros((3, 5, 2)))
        with pytest.raises(InputError, match="weights"):
            dlt(rig.cameras, np.zeros((2, 5, 2)), -np.ones((2, 5)))
        assert dlt(rig.cameras, np.zeros((2, 0, 2))).shape == (0, 3)


def test_reprojection_errors_include_distortion() -> None:
    rig = ring(3, BARREL)
    pixels = images(rig, truth())
    pixels[1] += [3, 4]
    errors = reprojection_errors(rig.cameras, truth(), pixels)
    np.testing.assert_allclose(errors, np.broadcast_to(np.array([0, 5, 0])[:, None, None], errors.shape), atol=1e-9)


class TestRefinement:
    def test_agrees_with_scipy(self) -> None:
        rig, points_m = ring(3, BARREL), truth(2)
        pixels = images(rig, points_m, noise_px=4)
        confidence = np.random.default_rng(5).uniform(0.5, 1, pixels.shape[:-1])
        sigma = {"cam0": 1.0, "cam1": 2.0, "cam2": 4.0}
        result = triangulate(rig, views_of(rig, pixels, confidence), robust_sigmas=None, sigma_px=sigma)
        for t, j in np.ndindex(points_m.shape[:2]):
            weights = confidence[:, t, j] / [1.0, 2.0, 4.0]

            def residuals(x: FloatArray, weights: FloatArray, seen: FloatArray) -> FloatArray:
                return np.concatenate(
                    [w * (c.world_to_image(x) - s) for w, c, s in zip(weights, rig, seen, strict=True)]
                )

            best = least_squares(
                residuals, points_m[t, j], args=(weights, pixels[:, t, j]), xtol=1e-14, ftol=1e-14, gtol=1e-14
            )
            np.testing.assert_allclose(result.sequence.positions[t, j], best.x, atol=1e-7)

    def test_covariance_is_the_formula_and_jacobians_are_those_of_differences(self) -> None:
        rig, points_m = ring(3, BARREL), truth(40)
        result = triangulate(rig, views_of(rig, images(rig, points_m, noise_px=2)), robust_sigmas=None)
        found = result.sequence.positions
        information = np.zeros((*found.shape, 3))
        for camera in rig:
            step = 1e-6 * np.eye(3)
            J = np.stack(
                [(camera.world_to_image(found + s) - camera.world_to_image(found - s)) / 2e-6 for s in step], axis=-1
            )
            information += J.swapaxes(-1, -2) @ J
        variance = (result.reprojection_px**2).sum(axis=(0, 1)) / (3 * 40)  # 2V - 3 = 3 per point, per joint
        expected = variance[:, None, None] * np.linalg.inv(information)
        assert result.sequence.covariance is not None
        np.testing.assert_allclose(result.sequence.covariance, expected, rtol=1e-5)

    def test_few_frames_share_the_noise_of_all_joints(self) -> None:
        rig = ring(3)
        result = triangulate(rig, views_of(rig, images(rig, truth(2), noise_px=2)), robust_sigmas=None)
        assert result.sequence.covariance is not None
        variance = (result.reprojection_px**2).sum() / (3 * 2 * 12)
        J = [camera.world_to_image_jacobian(result.sequence.positions)[1] for camera in rig]
        expected = variance * np.linalg.inv(sum(j.swapaxes(-1, -2) @ j for j in J))
        np.testing.assert_allclose(result.sequence.covariance, expected, rtol=1e-6)

    def test_no_refinement_keeps_the_linear_solution(self) -> None:
        rig = ring(3, BARREL)
        pixels = images(rig, truth(), noise_px=2)
        result = triangulate(rig, views_of(rig, pixels), robust_sigmas=None, refine="none")
        np.testing.assert_allclose(result.sequence.positions, dlt(rig.cameras, pixels), atol=1e-12)

    def test_refinement_never_raises_the_error(self) -> None:
        rig = ring(4, BARREL)
        views = views_of(rig, images(rig, truth(), noise_px=30))
        cost = [
            (triangulate(rig, views, robust_sigmas=None, refine=how).reprojection_px ** 2).sum(axis=0)
            for how in ("none", "reprojection")
        ]
        assert (cost[1] <= cost[0] + 1e-9).all()


class TestDroppingViews:
    def corrupted(self, rig: Rig, noise_px: float = 1.0) -> tuple[FloatArray, FloatArray]:
        """Images in which every fifth frame of one camera in turn is 80 px off; (view, time, joint) which are good."""
        pixels = images(rig, truth(100), noise_px=noise_px)
        good = np.ones(pixels.shape[:-1], bool)
        frames = np.arange(0, 100, 5)
        good[frames // 5 % len(rig), frames] = False
        pixels[~good] += np.array([60.0, 53.0])
        return pixels, good

    @pytest.mark.parametrize("rules", [{"robust_sigmas": 5.0}, {"robust_sigmas": None, "max_reprojection_px": 8.0}])
    def test_a_wrong_view_is_found_and_left_out(self, rules: dict[str, float | None]) -> None:
        rig = ring(4, BARREL)
        pixels, good = self.corrupted(rig)
        result = triangulate(rig, views_of(rig, pixels), **rules)
        assert (result.used == good).mean() > 0.999
        assert np.linalg.norm(result.sequence.positions - truth(100), axis=-1).max() < 0.03
        assert np.isnan(result.reprojection_px[~result.used]).all()
        for view, name in enumerate(rig.camera_names):
            assert result.excluded[name].dropped == (~result.used[view]).sum()

    def test_two_wrong_views_of_five(self) -> None:
        rig = ring(5)
        pixels = images(rig, truth(60), noise_px=0.5)
        pixels[1, ::4] += [70, -40]
        pixels[3, ::4] += [-50, 60]
        result = triangulate(rig, views_of(rig, pixels), robust_sigmas=None, max_reprojection_px=4)
        expected = np.ones_like(result.used)
        expected[np.ix_([1, 3], range(0, 60, 4))] = False
        np.testing.assert_array_equal(result.used, expected)

    def test_exact_search_is_exhaustive(self) -> None:
        """The set chosen is the best of all sets of its size, and no larger set passes."""
        rig = ring(5)
        pixels = images(rig, truth(6), noise_px=12)
        result = triangulate(rig, views_of(rig, pixels), robust_sigmas=None, max_reprojection_px=9, refine="none")
        sets = [np.array([i >> v & 1 for v in range(5)], bool) for i in range(32)]
        for t, j in np.ndindex(6, 12):
            passing = []
            for chosen in (s for s in sets if s.sum() >= 2):
                cameras = [c for c, k in zip(rig, chosen, strict=True) if k]
                seen = pixels[chosen, t, j]
                mean = reprojection_errors(cameras, dlt(cameras, seen), seen).mean()
                if mean <= 9:
                    passing.append((-chosen.sum(), mean, chosen))
            best = min(passing, key=lambda p: p[:2])[2] if passing else np.zeros(5, bool)
            np.testing.assert_array_equal(result.used[:, t, j], best)

    def test_many_views_are_dropped_one_by_one(self) -> None:
        rig = ring(12)
        pixels = images(rig, truth(10), noise_px=0.5)
        pixels[[2, 7], 4] += [90, 50]
        result = triangulate(rig, views_of(rig, pixels), robust_sigmas=None, max_reprojection_px=3)
        expected = np.ones_like(result.used)
        expected[[2, 7], 4] = False
        np.testing.assert_array_equal(result.used, expected)

    def test_two_views_that_disagree_lose_the_point(self) -> None:
        rig = ring(3).select(["cam0", "cam1"])
        pixels = images(rig, truth(100), noise_px=1)
        pixels[0, 7] += [0, 60]
        result = triangulate(rig, views_of(rig, pixels), robust_sigmas=4)
        assert np.isnan(result.sequence.positions[7]).all()
        assert result.sequence.valid[np.arange(100) != 7].mean() > 0.999
        assert result.excluded["cam0"].dropped == 0
        assert result.excluded["cam0"].unpaired == (~result.sequence.valid).sum()
        assert any("agree" in step for step in result.sequence.history)

    def test_noise_of_each_camera_is_found(self) -> None:
        rig = ring(4)
        pixels = images(rig, truth(300))
        sigma = np.array([1.0, 2.0, 3.0, 2.0])
        pixels += np.random.default_rng(3).normal(0, 1, pixels.shape) * sigma[:, None, None, None]
        weights = dict(zip(rig.camera_names, sigma, strict=True))
        result = triangulate(rig, views_of(rig, pixels), sigma_px=weights)
        words = next(step for step in result.sequence.history if step.startswith("views dropped"))
        for name, expected in weights.items():
            assert float(words.split(f"{name} ")[1].split()[0].rstrip(",")) == pytest.approx(expected, rel=0.06)

    def test_exact_images_lose_nothing_to_rounding(self) -> None:
        rig = ring(4, BARREL)
        assert triangulate(rig, views_of(rig, images(rig, truth()))).used.all()

    def test_too_few_errors_switch_the_robust_rule_off_and_say_so(self) -> None:
        rig = ring(3)
        pixels = images(rig, truth(1), noise_px=1)
        pixels[:, :, 3:] = np.nan
        result = triangulate(rig, views_of(rig, pixels))
        assert result.used[:, :, :3].all()
        assert any("robust" in step for step in result.sequence.history)

    def test_a_point_behind_a_camera_is_not_accepted(self) -> None:
        rig = Rig.parallel(0.3, 500, (640, 480))
        pixels = images(rig, np.tile([0.0, 0.0, 3.0], (40, 12, 1)))
        pixels[:, 3] = pixels[::-1, 3]  # negative disparity: the rays meet behind the cameras
        result = triangulate(rig, views_of(rig, pixels), robust_sigmas=None)
        assert not result.sequence.valid[3].any()
        assert result.sequence.valid.sum() == 39 * 12


class TestReport:
    def test_counts_add_up_and_are_reported(self) -> None:
        rig = ring(4)
        pixels, _ = TestDroppingViews().corrupted(rig)
        rng = np.random.default_rng(9)
        confidence = rng.uniform(0.2, 1, pixels.shape[:-1])
        pixels[rng.random(pixels.shape[:-1]) < 0.2] = np.nan
        result = triangulate(rig, views_of(rig, pixels, confidence), robust_sigmas=5.0)
        missing = np.isnan(pixels[..., 0])
        for view, name in enumerate(rig.camera_names):
            counts = result.excluded[name]
            assert sum(vars(counts).values()) == 1200
            assert counts.missing == missing[view].sum()
            assert counts.below_confidence == (~missing & (confidence < 0.5))[view].sum()
            assert counts.used == result.used[view].sum()
        history = "; ".join(result.sequence.history)
        for text in ("0.5: cam0", "dropped", "missing", "refined"):
            assert text in history
        there = result.used.any(axis=0)
        np.testing.assert_array_equal(result.sequence.valid, there)
        mean = np.where(result.used, confidence, 0).sum(axis=0)[there] / result.used.sum(axis=0)[there]
        np.testing.assert_allclose(result.sequence.confidence[there], mean)

    def test_sequence_stands_in_the_rigs_world(self) -> None:
        rig = ring(3)
        views = views_of(rig, images(rig, truth()), source=Source("detector", "net"), history=("read",))
        result = triangulate(rig, views)
        sequence = result.sequence
        assert (sequence.frame, sequence.frame_name, sequence.up, sequence.unit) == ("world", "ring", "+z", "m")
        assert sequence.source == Source("triangulation", "net")
        assert sequence.history[0] == "cam0, cam1, cam2: read"
        assert result.camera_names == ("cam0", "cam1", "cam2")
        assert not result.used.flags.writeable

    def test_status_of_a_repaired_view_stays_visible(self) -> None:
        rig = ring(3)
        views = views_of(rig, images(rig, truth()))
        status = np.full((50, 12), Status.MEASURED)
        status[4, 2], status[5, 2] = Status.INTERPOLATED, Status.REPAIRED
        views["cam1"] = views["cam1"].derive(status=status)
        found = triangulate(rig, views).sequence.status
        assert found[4, 2] == Status.INTERPOLATED
        assert found[5, 2] == Status.REPAIRED
        assert (found == Status.MEASURED).sum() == 598

    def test_cameras_of_the_rig_without_a_view_are_left_out(self) -> None:
        rig = ring(4)
        views = views_of(rig, images(rig, truth()))
        del views["cam1"]
        assert triangulate(rig, views).camera_names == ("cam0", "cam2", "cam3")


class TestTrust:
    """A calibration that is not that of the videos must show, although what disagrees is dropped."""

    def run(self, rig: Rig, pixels: FloatArray) -> Triangulation:
        return triangulate(rig, views_of(rig, pixels))

    def test_the_right_rig(self) -> None:
        rig = ring(4)
        result = self.run(rig, images(rig, truth(), noise_px=2))
        assert result.lost_share == 0
        # of 8 residuals of a point 5 are free: sigma sqrt(5 / 8) in each, and the median of a Rayleigh distribution
        assert result.all_views_median_px == pytest.approx(1.1774 * 2 * np.sqrt(5 / 8), rel=0.05)

    def test_the_right_rig_with_outliers(self) -> None:
        rig = ring(4)
        pixels = images(rig, truth(100), noise_px=2)
        rng = np.random.default_rng(7)
        gross = rng.random(pixels.shape[:-1]) < 0.1
        pixels[gross] += rng.normal(0, 150, (gross.sum(), 2))
        result = self.run(rig, pixels)
        assert result.lost_share < 0.1
        assert result.all_views_median_px < 0.005 * np.hypot(1280, 720)

    @pytest.mark.parametrize("others", [(0, 1), (1, 3), (2, 3)])
    def test_exchanged_views(self, others: tuple[int, int]) -> None:
        rig = ring(4)
        pixels = images(rig, truth(), noise_px=2)
        order = np.arange(4)
        order[list(others)] = others[::-1]
        result = self.run(rig, pixels[order])
        assert result.all_views_median_px > 0.02 * np.hypot(1280, 720)

    def test_mirrored_view(self) -> None:
        rig = ring(4)
        pixels = images(rig, truth(), noise_px=2)
        pixels[2, ..., 0] = 1279 - pixels[2, ..., 0]
        assert self.run(rig, pixels).all_views_median_px > 0.02 * np.hypot(1280, 720)

    def test_dropping_cannot_hide_it(self) -> None:
        """Five cameras, the last of which is wrong: those that are left agree, and still it shows."""
        rig = ring(5)
        pixels = images(rig, truth(100), noise_px=2)
        pixels[4, ..., 0] = 1279 - pixels[4, ..., 0]
        result = triangulate(rig, views_of(rig, pixels), max_reprojection_px=5, robust_sigmas=None)
        assert np.nanmedian(result.reprojection_px) < 3
        assert result.all_views_median_px > 0.02 * np.hypot(1280, 720)
        np.testing.assert_array_equal(np.isnan(result.all_views_px), False)

    def test_lost_share_counts_points_in_two_views(self) -> None:
        rig = ring(2)
        pixels = images(rig, truth())
        pixels[0, :10] = np.nan  # seen once: not lost, never there
        pixels[1, 10:20] += 40
        pixels[0, 20, 0] = np.nan
        confidence = np.ones(pixels.shape[:-1])
        confidence[0, 21, 0] = 0.2
        result = triangulate(rig, views_of(rig, pixels, confidence), max_reprojection_px=5, robust_sigmas=None)
        n_seen = 40 * 12 - 2
        assert result.lost_share == pytest.approx(1 - result.sequence.valid.sum() / n_seen)
        assert 0.2 < result.lost_share <= 120 / n_seen
        assert np.isnan(result.all_views_px[:, :10]).all()
        assert np.isnan(result.all_views_px[:, [20, 21], 0]).all()
        assert not np.isnan(result.all_views_px[:, 10:20]).any()

    def test_behind_the_cameras_is_infinitely_wrong(self) -> None:
        """Two parallel cameras whose views are exchanged: every ray pair meets behind them."""
        rig = Rig.parallel(0.5, 900, (1280, 720))
        points = truth() + [0, 0, 3]
        pixels = images(rig, points)
        pixels[:, 25:] = pixels[::-1, 25:]
        result = triangulate(rig, views_of(rig, pixels), robust_sigmas=None)
        assert result.lost_share == pytest.approx(0.5)
        assert np.isinf(result.all_views_px[:, 25:]).all()


class TestSymmetry:
    def run(self, rig: Rig, pixels: FloatArray, order: Sequence[int], refine: str = "reprojection") -> Triangulation:
        shuffled = Rig("ring", tuple(rig.cameras[i] for i in order), up="+z")
        return triangulate(shuffled, views_of(shuffled, pixels[list(order)]), robust_sigmas=3.0, refine=refine)

    @given(st.permutations(range(4)), st.integers(0, 1000))
    @settings(max_examples=15, deadline=None)
    def test_order_of_the_cameras_does_not_matter(self, order: list[int], seed: int) -> None:
        rig = ring(4, BARREL)
        pixels = images(rig, truth(12), noise_px=3, seed=seed)
        one, other = self.run(rig, pixels, range(4)), self.run(rig, pixels, order)
        np.testing.assert_array_equal(other.used, one.used[order])
        np.testing.assert_allclose(other.sequence.positions, one.sequence.positions, atol=1e-7)
        assert other.excluded == one.excluded

    @given(st.tuples(*[st.floats(-3, 3)] * 3), st.tuples(*[st.floats(-20, 20)] * 3))
    @settings(max_examples=15, deadline=None)
    def test_moving_the_world_moves_the_points(self, turn: tuple[float, ...], shift: tuple[float, ...]) -> None:
        rig = ring(3, BARREL)
        R, t = Rotation.from_rotvec(turn).as_matrix(), np.array(shift)
        moved = Rig(
            "ring",
            tuple(
                Camera(
                    c.name, c.size_px, c.matrix, c.distortion, c.distortion_model, c.rotation @ R.T,
                    c.translation - c.rotation @ R.T @ t,
                )
                for c in rig
            ),
            up="+z",
        )  # fmt: skip
        pixels = images(rig, truth(8), noise_px=3)
        one = triangulate(rig, views_of(rig, pixels), robust_sigmas=None).sequence
        other = triangulate(moved, views_of(moved, pixels), robust_sigmas=None).sequence
        np.testing.assert_allclose(other.positions, one.positions @ R.T + t, atol=1e-6)
        assert one.covariance is not None and other.covariance is not None
        np.testing.assert_allclose(other.covariance, R @ one.covariance @ R.T, rtol=1e-4, atol=1e-9)

    def test_every_order_of_two(self) -> None:
        rig = ring(2)
        pixels = images(rig, truth(30), noise_px=2)
        found = [self.run(rig, pixels, order).sequence.positions for order in permutations(range(2))]
        np.testing.assert_allclose(found[0], found[1], atol=1e-7)


class TestBadInput:
    def test_one_camera_is_too_few(self) -> None:
        rig = ring(3)
        views = views_of(rig, images(rig, truth()))
        with pytest.raises(InputError, match=": cam1"):
            triangulate(rig, {"cam1": views["cam1"]})
        with pytest.raises(InputError, match="none"):
            triangulate(rig, {})

    def test_unknown_camera_is_named(self) -> None:
        rig = ring(2)
        views = views_of(rig, images(rig, truth()))
        with pytest.raises(InputError, match="'webcam'"):
            triangulate(rig, views | {"webcam": views["cam0"]})

    def test_cropped_images_are_explained(self) -> None:
        rig = ring(2)
        views = views_of(rig, images(rig, truth()))
        views["cam0"] = views["cam0"].derive(image_size_px=(1272, 720))
        with pytest.raises(InputError, match=r"'cam0' .*1272x720 px.*1280x720"):
            triangulate(rig, views)

    def test_other_clock_frames_or_skeleton(self) -> None:
        rig = ring(2)
        views = views_of(rig, images(rig, truth()))
        with pytest.raises(InputError, match=r"2\.0 ms"):
            triangulate(rig, views | {"cam1": views["cam1"].shifted(0.002, "test")})
        assert triangulate(rig, views | {"cam1": views["cam1"].shifted(0.0005, "test")}).sequence.valid.all()
        with pytest.raises(InputError, match="49 frames, 'cam0' has 50"):
            triangulate(rig, views | {"cam1": views["cam1"].at(slice(49))})
        with pytest.raises(InputError, match="coco-17"):
            triangulate(rig, views | {"cam1": views["cam1"].to_skeleton(COCO_17)})

    def test_3d_views(self) -> None:
        rig = ring(2)
        views = views_of(rig, images(rig, truth()))
        with pytest.raises(InputError, match=r"'cam1' .*'world'"):
            triangulate(rig, views | {"cam1": triangulate(rig, views).sequence})

    def test_no_joint_in_two_views(self) -> None:
        rig = ring(2)
        pixels = images(rig, truth())
        with pytest.raises(InputError, match=r"confidence >= 0.5 .*cam0 0, cam1 0"):
            triangulate(rig, views_of(rig, pixels, np.full(pixels.shape[:-1], 0.3)))
        pixels[0] = np.nan
        with pytest.raises(InputError, match="cam0 0, cam1 600"):
            triangulate(rig, views_of(rig, pixels))

    def test_no_frames(self) -> None:
        rig = ring(2)
        with pytest.raises(InputError, match="joint"):
            triangulate(rig, views_of(rig, np.zeros((2, 0, 12, 2))))

    def test_nothing_passes(self) -> None:
        rig = ring(2)
        views = views_of(rig, images(rig, truth(), noise_px=50))
        with pytest.raises(InputError, match=r"reprojection.* [0-9.]+ px"):
            triangulate(rig, views, max_reprojection_px=1e-3)

    def test_noise_of_a_camera_not_given(self) -> None:
        rig = ring(2)
        views = views_of(rig, images(rig, truth()))
        for sigma in ({"cam0": 1.0}, {"cam0": 1.0, "cam1": 0.0}):
            with pytest.raises(InputError, match="sigma_px"):
                triangulate(rig, views, sigma_px=sigma)


def test_counts_have_words() -> None:
    assert [*vars(ViewCounts(1, 2, 3, 4, 5))] == ["used", "missing", "below_confidence", "dropped", "unpaired"]


def test_a_pixel_that_the_lens_cannot_have_made_is_missing() -> None:
    """With strong barrel distortion the corner of the image has no ray, nor has a missing joint."""
    matrix = np.array([[700, 0, 639.5], [0, 700, 359.5], [0, 0, 1.0]])
    cameras = tuple(
        Camera(name, (1280, 720), matrix, (-0.3,), translation=np.array([x, 0, 0]))
        for name, x in (("a", 0.0), ("b", -0.5), ("c", 0.5))
    )
    rig = Rig("wide", cameras, up="-y")
    truth = np.random.default_rng(0).uniform([-0.5, -0.5, 3], [0.5, 0.5, 4], (5, 17, 3))
    pixels = [camera.world_to_image(truth) for camera in cameras]
    pixels[0][2, 3] = np.nan
    pixels[1][0, 0] = [0, 0]
    views = {
        camera.name: PoseSequence(seen, np.arange(5) / 30, COCO_17, "px", "image", image_size_px=(1280, 720))
        for camera, seen in zip(cameras, pixels, strict=True)
    }
    result = triangulate(rig, views)
    np.testing.assert_allclose(result.sequence.positions, truth, atol=1e-6)
    assert result.excluded["b"].missing == 1
    assert result.excluded["a"].missing == 1
    np.testing.assert_allclose(dlt(cameras, np.stack(pixels)), truth, atol=1e-6)
