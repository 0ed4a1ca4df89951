"""Depth from disparity: each mistake of the origin project has a test, and triangulation is the oracle."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from gonio.core.arrays import FloatArray
from gonio.core.camera import Camera, Rig
from gonio.core.errors import InputError
from gonio.core.sequence import PoseSequence
from gonio.core.skeleton import BODY_25, COCO_17
from gonio.multiview.disparity import from_disparity
from gonio.multiview.triangulation import ViewCounts, triangulate

KINECTS = Rig.parallel(0.28, 525, (640, 480))
CX, CY = 319.5, 239.5


def truth(n_times: int = 60) -> FloatArray:
    return np.random.default_rng(0).uniform([-0.6, -0.6, 2.0], [0.8, 0.6, 4.5], (n_times, 25, 3))


def view(pixels: FloatArray, confidence: FloatArray | None = None) -> PoseSequence:
    times_s = np.arange(len(pixels)) / 30
    return PoseSequence(pixels, times_s, BODY_25, "px", "image", image_size_px=(640, 480), confidence=confidence)


def views(points_m: FloatArray, noise_px: float = 0.0, rig: Rig = KINECTS) -> tuple[PoseSequence, PoseSequence]:
    rng = np.random.default_rng(1)
    left, right = (c.world_to_image(points_m) + rng.normal(0, noise_px, (*points_m.shape[:2], 2)) for c in rig)
    return view(left), view(right)


class TestTheOriginsMistakes:
    def test_depth_is_147_over_the_disparity_and_positive(self) -> None:
        """At 3 m the disparity is 49 px; the person stands before the cameras whichever way the sign was taken."""
        left, right = np.full((30, 25, 2), [CX, CY]), np.full((30, 25, 2), [CX - 49, CY])
        np.testing.assert_allclose(from_disparity(view(left), view(right), KINECTS).sequence.positions[..., 2], 3.0)

    def test_order_of_the_views_does_not_matter_and_is_reported(self) -> None:
        left, right = views(truth(), noise_px=1)
        straight, swapped = from_disparity(left, right, KINECTS), from_disparity(right, left, KINECTS)
        np.testing.assert_array_equal(swapped.sequence.positions, straight.sequence.positions)
        np.testing.assert_array_equal(swapped.reprojection_px, straight.reprojection_px)
        words = "views were given right, left: swapped"
        assert words in swapped.sequence.history
        assert words not in straight.sequence.history

    def test_order_of_the_cameras_in_the_rig_does_not_matter(self) -> None:
        left, right = views(truth(), noise_px=1)
        backwards = KINECTS.select(["right", "left"])
        found = from_disparity(left, right, backwards)
        assert found.camera_names == ("left", "right")
        np.testing.assert_array_equal(found.sequence.positions, from_disparity(left, right, KINECTS).sequence.positions)

    def test_x_and_y_are_metres_at_that_depth(self) -> None:
        """Half a metre to the right and a quarter up, at 2 m and at 4 m: the same metres, other pixels."""
        points = np.tile([0.5, -0.25, 2.0], (40, 25, 1))
        points[20:, :, 2] = 4.0
        left, right = views(points)
        np.testing.assert_allclose(from_disparity(left, right, KINECTS).sequence.positions, points, atol=1e-9)
        assert left.positions[0, 0, 0] - CX == pytest.approx(2 * (left.positions[-1, 0, 0] - CX))

    def test_principal_point_is_used(self) -> None:
        """A point on the left camera's axis has X = Y = 0, wherever the axis meets the image."""
        rig = Rig.parallel(0.28, 525, (640, 480), principal_point_px=(300.0, 250.0))
        left, right = np.full((30, 25, 2), [300.0, 250.0]), np.full((30, 25, 2), [300.0 - 49, 250.0])
        found = from_disparity(view(left), view(right), rig).sequence.positions
        np.testing.assert_allclose(found, np.broadcast_to([0, 0, 3.0], found.shape), atol=1e-12)

    def test_assumed_principal_point_is_reported(self) -> None:
        result = from_disparity(*views(truth()), KINECTS)
        assert any("principal" in step for step in result.sequence.history)

    def test_missing_joints_stay_missing(self) -> None:
        left, right = views(truth(), noise_px=1)
        gone = left.positions.copy()
        gone[3, 4], gone[:, 7] = np.nan, np.nan
        result = from_disparity(view(gone), right, KINECTS)
        assert np.isnan(result.sequence.positions[3, 4]).all()
        assert np.isnan(result.sequence.positions[:, 7]).all()
        assert result.excluded["left"].missing == 61
        assert result.excluded["right"].missing == 0
        assert result.excluded["right"].unpaired >= 61

    def test_the_last_joint_is_kept(self) -> None:
        result = from_disparity(*views(truth()), KINECTS)
        assert result.sequence.skeleton.joints[24] == "right_heel"
        np.testing.assert_allclose(result.sequence["right_heel"], truth()[:, 24], atol=1e-9)

    def test_disparity_of_zero_or_less_is_missing_and_counted(self) -> None:
        left, right = views(truth())
        pixels = right.positions.copy()
        pixels[0, 0, 0] = left.positions[0, 0, 0]
        pixels[1, 1, 0] = left.positions[1, 1, 0] + 5
        result = from_disparity(left, view(pixels), KINECTS)
        assert np.isnan(result.sequence.positions[[0, 1], [0, 1]]).all()
        assert result.sequence.valid.sum() == 60 * 25 - 2
        assert any(", 2 with disparity" in step for step in result.sequence.history)


class TestUncertainty:
    def test_equals_refined_triangulation(self) -> None:
        """For equal noise the formulas are the maximum-likelihood estimate."""
        left, right = views(truth(), noise_px=1)
        special = from_disparity(left, right, KINECTS, sigma_px=1.0).sequence
        general = triangulate(KINECTS, {"left": left, "right": right}, robust_sigmas=None).sequence
        both = special.valid
        assert both.mean() > 0.99
        np.testing.assert_allclose(special.positions[both], general.positions[both], atol=1e-6)
        assert special.covariance is not None and general.covariance is not None
        ratio = special.covariance[both] / general.covariance[both]  # differ by each joint's noise estimate alone
        np.testing.assert_allclose(ratio, np.broadcast_to(ratio[:, :1, :1], ratio.shape), rtol=1e-3)

    def test_depth_sigma_is_the_formula(self) -> None:
        left, right = views(truth(), noise_px=1)
        sequence = from_disparity(left, right, KINECTS, sigma_px=0.7).sequence
        assert sequence.covariance is not None
        Z = sequence.positions[..., 2]
        np.testing.assert_allclose(
            np.sqrt(sequence.covariance[..., 2, 2]), Z**2 / (525 * 0.28) * np.sqrt(2) * 0.7, rtol=1e-12
        )

    def test_covariance_is_that_of_differences(self) -> None:
        sigma, step = 1.3, 1e-4
        left, right = views(truth())
        sequence = from_disparity(left, right, KINECTS, sigma_px=sigma).sequence
        J = []
        for side in (0, 1):
            for axis in (0, 1):
                moved = []
                for sign in (1, -1):
                    pixels = [left.positions.copy(), right.positions.copy()]
                    pixels[side][..., axis] += sign * step
                    moved.append(from_disparity(view(pixels[0]), view(pixels[1]), KINECTS).sequence.positions)
                J.append((moved[0] - moved[1]) / (2 * step))
        J = np.stack(J, axis=-1)
        assert sequence.covariance is not None
        np.testing.assert_allclose(sequence.covariance, sigma**2 * J @ J.swapaxes(-1, -2), rtol=1e-5, atol=1e-12)

    def test_noise_is_estimated_per_joint(self) -> None:
        points = truth(2000)
        left, right = views(points, noise_px=1)
        pixels = left.positions.copy(), right.positions.copy()
        rng = np.random.default_rng(5)
        for side in pixels:
            side[:, 4] += rng.normal(0, np.sqrt(8), (2000, 2))  # the right wrist: 3 px in all
        sequence = from_disparity(view(pixels[0]), view(pixels[1]), KINECTS).sequence
        assert sequence.covariance is not None
        implied = np.sqrt(sequence.covariance[..., 2, 2] / 2) * 147 / sequence.positions[..., 2] ** 2
        np.testing.assert_allclose(np.nanmedian(implied, axis=0), np.where(np.arange(25) == 4, 3, 1), rtol=0.08)

    def test_too_few_joints_to_know_the_noise(self) -> None:
        left, right = views(truth(1))
        left, right = (view(np.where(np.arange(25)[None, :, None] < 4, v.positions, np.nan)) for v in (left, right))
        sequence = from_disparity(left, right, KINECTS).sequence
        assert sequence.covariance is not None
        assert np.isnan(sequence.covariance).all()
        assert any("noise" in step for step in sequence.history)
        given = from_disparity(left, right, KINECTS, sigma_px=1).sequence.covariance
        assert given is not None
        assert np.isfinite(given[:, :4]).all()

    def test_world_of_a_rectified_pair_elsewhere(self) -> None:
        """A pair that lies on its side in a laboratory: points and covariance are in the laboratory's axes."""
        R = np.array([[0.0, -1, 0], [0, 0, -1], [1, 0, 0]])
        lab = Rig(
            "lab",
            tuple(
                Camera(c.name, c.size_px, c.matrix, (-0.1, 0.02), rotation=R, translation=c.translation + np.arange(3))
                for c in KINECTS
            ),
            up="+z",
        )
        points = lab["left"].camera_to_world(truth())
        left, right = views(points, noise_px=1, rig=lab)
        special = from_disparity(left, right, lab, sigma_px=1.0).sequence
        general = triangulate(lab, {"left": left, "right": right}, robust_sigmas=None).sequence
        both = special.valid
        assert np.linalg.norm(special.positions - general.positions, axis=-1)[both].max() < 0.02
        assert special.covariance is not None and general.covariance is not None
        spread = [np.sqrt(np.trace(s.covariance[both], axis1=-2, axis2=-1)) for s in (special, general)]
        assert np.median(spread[0] / spread[1]) == pytest.approx(1, abs=0.05)
        assert special.frame_name == "lab"
        assert special.up == "+z"


def standing(n_times: int = 100, depth_m: float = 3.5) -> FloatArray:
    """A person of 1.75 m who moves about: 25 joints in a box of 0.6 x 1.6 x 0.4 m before the left camera."""
    rng = np.random.default_rng(2)
    joints = rng.uniform([-0.3, -0.8, -0.2], [0.3, 0.8, 0.2], (25, 3))
    path = np.cumsum(rng.normal(0, [0.03, 0.0, 0.03], (n_times, 1, 3)), axis=0)
    return np.asarray(joints + rng.normal(0, 0.05, (n_times, 25, 3)) + path - path.mean(axis=0) + [0.14, 0, depth_m])


PORTRAIT = Rig.parallel(0.28, 1600, (1080, 1920))


def seen_by_turned(
    points_m: FloatArray,
    turn_deg: tuple[float, float, float],
    noise_px: float,
    outliers: float = 0.0,
    rig: Rig = KINECTS,
    seed: int = 3,
) -> tuple[PoseSequence, PoseSequence]:
    """The views with the right camera turned (about x: pitch, y: yaw, z: roll), without a correction of the rig."""
    rng = np.random.default_rng(seed)
    left, right = rig.cameras
    turn = Rotation.from_rotvec(turn_deg, degrees=True).as_matrix()
    placed = replace(right, rotation=turn, translation=-turn @ right.center_m)
    times_s = np.arange(len(points_m)) / 30
    found = []
    for camera in (left, placed):
        pixels = camera.world_to_image(points_m) + rng.normal(0, noise_px, (*points_m.shape[:2], 2))
        gross = rng.random(points_m.shape[:2]) < outliers
        pixels[gross] += rng.normal(0, camera.size_px[1] / 6, (gross.sum(), 2))
        found.append(PoseSequence(pixels, times_s, BODY_25, "px", "image", image_size_px=camera.size_px))
    return found[0], found[1]


class TestCamerasThatDidNotStandParallel:
    """`Rig.parallel` is an assumption; the views are checked against it."""

    @pytest.mark.parametrize("depth_m", [2.0, 3.5, 6.0])
    @pytest.mark.parametrize("outliers", [0.0, 0.1])
    @pytest.mark.parametrize(("rig", "noise_px"), [(KINECTS, 0.3), (KINECTS, 1), (KINECTS, 3), (PORTRAIT, 10)])
    def test_a_parallel_rig_passes(self, rig: Rig, noise_px: float, outliers: float, depth_m: float) -> None:
        points = standing(depth_m=depth_m)
        result = from_disparity(*seen_by_turned(points, (0, 0, 0), noise_px, outliers, rig), rig)
        error_m = (result.sequence.positions - points)[..., 2][result.sequence.valid]
        sigma_m = depth_m**2 / (rig["left"].matrix[0, 0] * 0.28) * np.sqrt(2) * noise_px
        assert np.median(np.abs(error_m)) == pytest.approx(0.6745 * sigma_m, rel=0.2)
        assert result.lost_share < 0.01 + 2 * outliers

    @pytest.mark.parametrize("n_times", [1, 3, 5])
    def test_chance_refuses_no_short_recording(self, n_times: int) -> None:
        """Nor does a detector that places each joint up to 2 px lower in one view than in the other."""
        points = standing(100)
        for start in range(0, 100, 5):
            left, right = seen_by_turned(points[start : start + n_times], (0, 0, 0), 3.0, seed=start)
            bias = np.random.default_rng(start).uniform(-2, 2, (25, 1)) * [0, 1]
            from_disparity(left, view(right.positions + bias), KINECTS)

    @pytest.mark.parametrize("pitch_deg", [-20, -5, -3, 3, 10])
    def test_pitch_puts_rows_apart(self, pitch_deg: float) -> None:
        for rig, noise_px in ((KINECTS, 1), (KINECTS, 3), (PORTRAIT, 10)):
            with pytest.raises(InputError, match=r"\d px.*rectify"):
                from_disparity(*seen_by_turned(standing(), (pitch_deg, 0, 0), noise_px, 0.1, rig), rig)

    @pytest.mark.parametrize("roll_deg", [-20, -10, 10, 20])
    def test_roll_slants_the_rows(self, roll_deg: float) -> None:
        for noise_px, outliers in ((0.3, 0.0), (1, 0.1), (3, 0.1)):
            with pytest.raises(InputError, match=r"\brow"):
                from_disparity(*seen_by_turned(standing(), (0, 0, roll_deg), noise_px, outliers), KINECTS)

    def test_toe_in_makes_a_giant(self) -> None:
        for noise_px, outliers in ((0.3, 0.0), (1, 0.1), (3, 0.1)):
            with pytest.raises(InputError, match=r"0\.28 m .*\d+\.\d m.*parallel"):
                from_disparity(*seen_by_turned(standing(), (0, 3, 0), noise_px, outliers), KINECTS)

    def test_disparities_of_both_signs(self) -> None:
        """Axes that cross amid the joints: those before the crossing have positive disparity, the others negative."""
        joints = standing(depth_m=4.0)
        joints[..., 2] += np.linspace(-1, 1, 25)
        toe_in_deg = float(np.degrees(np.arctan(0.28 / 4.0)))
        with pytest.raises(InputError, match=r"% .*disparity.* rectify"):
            from_disparity(*seen_by_turned(joints, (0, toe_in_deg, 0), 1.0), KINECTS)

    def test_rows_that_scatter(self) -> None:
        """Two people, or two moments: the rows agree in the median and not in the single joint."""
        left, right = seen_by_turned(standing(), (0, 0, 0), 9.0)
        with pytest.raises(InputError, match=r"scatter.*\d\.\d px.*: 5\)"):
            from_disparity(left, right, KINECTS)
        assert from_disparity(left, right, KINECTS, max_row_disparity_px=30).sequence.valid.mean() > 0.95

    def test_baseline_in_centimetres(self) -> None:
        with pytest.raises(InputError, match=r"28 m .*\b1[0-9]{2}"):
            from_disparity(*views(standing()), Rig.parallel(28, 525, (640, 480)))

    def test_size_is_reported(self) -> None:
        """No check can find cameras turned outwards, but a reader of the history may: the person becomes small."""
        sizes_m = []
        for yaw_deg in (0, -5):
            history = from_disparity(*seen_by_turned(standing(), (0, yaw_deg, 0), 1.0), KINECTS).sequence.history
            step = next(step for step in history if step.startswith("the cameras' placement"))
            sizes_m += [float(number) for number in re.findall(r"(\d\.\d+) m", step)]
        assert sizes_m[0] == pytest.approx(1.28, abs=0.15)  # four fifths of 1.6 m
        assert sizes_m[1] < 0.5 * sizes_m[0]


class TestTrust:
    def test_lost_share_and_errors_of_all_views(self) -> None:
        left, right = views(truth(), noise_px=0.5)
        pixels = right.positions.copy()
        pixels[:6, :, 1] += 30  # a tenth of the joints, in wrong rows
        pixels[6, 0, 0] = left.positions[6, 0, 0] + 5  # and one beyond infinity
        result = from_disparity(left, view(pixels), KINECTS)
        assert result.lost_share == pytest.approx((~result.sequence.valid).mean())
        assert 0.1 < result.lost_share < 0.11
        np.testing.assert_allclose(result.all_views_px[:, :6], 15, atol=2)  # half in each view
        assert np.isinf(result.all_views_px[:, 6, 0]).all()
        median_of_nine_tenths = 0.7655  # of |N(0, 1)|: the 0.5 / 0.9 quantile
        assert result.all_views_median_px == pytest.approx(median_of_nine_tenths * 0.5 / np.sqrt(2), rel=0.1)


class TestWhatIsRefused:
    def test_rows_far_apart_explain_rectification(self) -> None:
        left, right = views(truth())
        lower = view(right.positions + np.array([0, 12]))
        with pytest.raises(InputError, match=r"12\.0 px.*rectify"):
            from_disparity(left, lower, KINECTS)
        assert from_disparity(left, lower, KINECTS, max_row_disparity_px=15).sequence.valid.all()

    def test_one_joint_off_its_row_is_missing_and_counted(self) -> None:
        left, right = views(truth(), noise_px=0.5)
        pixels = right.positions.copy()
        pixels[5, 6, 1] += 30
        result = from_disparity(left, view(pixels), KINECTS)
        assert not result.sequence.valid[5, 6]
        lost = (~result.sequence.valid).sum()
        assert lost < 0.01 * 1500
        assert any(f", {lost} with rows" in step for step in result.sequence.history)
        assert result.excluded["left"] == ViewCounts(1500 - lost, 0, 0, 0, lost)

    def test_cameras_that_are_not_parallel(self) -> None:
        left, right = KINECTS.cameras
        turned = np.array([[np.cos(0.01), 0, np.sin(0.01)], [0, 1, 0], [-np.sin(0.01), 0, np.cos(0.01)]])
        others = {
            "turned": Camera("right", right.size_px, right.matrix, rotation=turned, translation=right.translation),
            "above": Camera("right", right.size_px, right.matrix, translation=np.array([-0.28, 0.02, 0])),
            "longer": replace(right, matrix=right.matrix * [[1.02], [1.02], [1]]),
            "there": Camera("right", right.size_px, right.matrix),
        }
        for camera in others.values():
            with pytest.raises(InputError, match=r"parallel.*triangulate"):
                from_disparity(*views(truth()), Rig("other", (left, camera), up="-y"))

    def test_three_cameras(self) -> None:
        third = Camera("third", (640, 480), KINECTS["left"].matrix, translation=np.array([-0.5, 0, 0]))
        with pytest.raises(InputError, match="has 3 cameras"):
            from_disparity(*views(truth()), Rig("three", (*KINECTS, third), up="-y"))

    def test_views_that_do_not_fit(self) -> None:
        left, right = views(truth())
        with pytest.raises(InputError, match="cropped"):
            from_disparity(left, right.derive(image_size_px=(1280, 720)), KINECTS)
        with pytest.raises(InputError, match="frames"):
            from_disparity(left, right.at(slice(10)), KINECTS)
        with pytest.raises(InputError, match=r"sigma_px.*-1"):
            from_disparity(left, right, KINECTS, sigma_px=-1)

    def test_no_joint_in_both_views(self) -> None:
        left, right = views(truth())
        with pytest.raises(InputError, match="joint"):
            from_disparity(left, view(right.positions, np.full((60, 25), 0.2)), KINECTS, min_confidence=0.5)

    def test_confidence_gates_and_is_kept(self) -> None:
        left, right = views(truth())
        confidence = np.full((60, 25), 0.9)
        confidence[2, 3] = 0.1
        result = from_disparity(view(left.positions, confidence), right, KINECTS, min_confidence=0.5)
        assert not result.sequence.valid[2, 3]
        assert result.excluded["left"].below_confidence == 1
        assert result.sequence.confidence[0, 0] == pytest.approx(0.95)


def test_a_pixel_that_the_lens_cannot_have_made_is_missing() -> None:
    rig = Rig.parallel(0.28, 700, (1280, 720))
    rig = replace(rig, cameras=tuple(replace(camera, distortion=(-0.3,)) for camera in rig))
    rng = np.random.default_rng(0)
    truth = rng.uniform([-0.5, -0.5, 3], [0.5, 0.5, 4], (30, 17, 3))
    pixels = [camera.world_to_image(truth) + rng.normal(0, 0.5, (30, 17, 2)) for camera in rig]
    pixels[0][0, 0] = [2, 2]
    left, right = (
        PoseSequence(seen, np.arange(30) / 30, COCO_17, "px", "image", image_size_px=(1280, 720)) for seen in pixels
    )
    result = from_disparity(left, right, rig)
    assert not result.sequence.valid[0, 0]
    assert result.excluded["left"].missing == 1
    assert not any("nan" in step for step in result.sequence.history)
