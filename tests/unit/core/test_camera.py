"""Cameras: parity with OpenCV, the formula of Human3.6M, round trips; rigs and their vertical."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gonio.core.arrays import FloatArray
from gonio.core.camera import Camera, DistortionModel, Rig
from gonio.core.errors import InputError

MATRIX = np.array([[1145.0, 0, 512.5], [0, 1143.8, 515.4], [0, 0, 1]])
H36M = (-0.2098, 0.2426, -0.0098, -0.0009, -0.0014)  # a camera of Human3.6M: k1, k2, k3, p1, p2
OPENCV = (-0.2, 0.12, 0.003, -0.002, 0.01)  # k1, k2, p1, p2, k3


def camera(distortion: tuple[float, ...] = OPENCV, model: DistortionModel = "opencv", seed: int = 0) -> Camera:
    rng = np.random.default_rng(seed)
    rotation = cv2.Rodrigues(rng.normal(0, 0.5, 3))[0]
    return Camera("cam", (1000, 1002), MATRIX, distortion, model, rotation, rng.normal(0, 1, 3) + [0, 0, 5])


def points_before(cam: Camera, n: int = 200, seed: int = 1) -> NDArray:
    """(n, 3) m points in the world that the camera sees at up to 35 degrees from its axis."""
    rng = np.random.default_rng(seed)
    xy = rng.uniform(-0.5, 0.5, (n, 2))
    depth = rng.uniform(1, 8, (n, 1))
    return cam.camera_to_world(np.hstack([xy * depth, depth]))


def test_projection_equals_opencv() -> None:
    for seed in range(3):
        cam = camera(seed=seed)
        points = points_before(cam)
        expected, _ = cv2.projectPoints(
            points, cv2.Rodrigues(cam.rotation)[0], cam.translation, MATRIX, np.array(OPENCV)
        )
        np.testing.assert_allclose(cam.world_to_image(points), expected[:, 0], atol=1e-9)


def undistorted_by_opencv(
    pixels: FloatArray, matrix: FloatArray, distortion: FloatArray, new_matrix: FloatArray | None = None
) -> FloatArray:
    criteria = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 300, 1e-14)
    if hasattr(cv2, "undistortPointsIter"):  # OpenCV 4
        return cv2.undistortPointsIter(pixels[:, None], matrix, distortion, None, new_matrix, criteria)[:, 0]
    return cv2.undistortPoints(pixels[:, None], matrix, distortion, P=new_matrix, criteria=criteria)[:, 0]


def test_undistortion_equals_opencv() -> None:
    cam = camera()
    pixels = cam.world_to_image(points_before(cam))
    distortion = np.array(OPENCV)
    ideal = undistorted_by_opencv(pixels, MATRIX, distortion)
    np.testing.assert_allclose(cam.image_to_normalized(pixels), ideal, atol=1e-9)
    redrawn = undistorted_by_opencv(pixels, MATRIX, distortion, MATRIX)
    np.testing.assert_allclose(cam.undistort_image_points(pixels), redrawn, atol=1e-6)


random_cameras = st.fixed_dictionaries(
    {
        "focal": st.tuples(st.floats(300, 3000), st.floats(300, 3000)),
        "center": st.tuples(st.floats(100, 1500), st.floats(100, 1500)),
        "distortion": st.tuples(
            st.floats(-0.3, 0.3), st.floats(-0.1, 0.1), *[st.floats(-0.01, 0.01)] * 2, st.floats(-0.05, 0.05)
        ),
        "turn": st.tuples(*[st.floats(-3, 3)] * 3),
        "translation": st.tuples(*[st.floats(-5, 5)] * 3),
    }
)


@settings(max_examples=40, deadline=None)
@given(drawn=random_cameras, seed=st.integers(0, 1000))
def test_any_camera_projects_and_undistorts_as_opencv_does(drawn: dict[str, tuple[float, ...]], seed: int) -> None:
    """Up to 27 degrees from the axis, where none of these polynomials bends back."""
    matrix = np.array(
        [[drawn["focal"][0], 0, drawn["center"][0]], [0, drawn["focal"][1], drawn["center"][1]], [0, 0, 1]]
    )
    turn, translation = np.array(drawn["turn"]), np.array(drawn["translation"])
    distortion = np.array(drawn["distortion"])
    cam = Camera("c", (1600, 1600), matrix, drawn["distortion"], "opencv", cv2.Rodrigues(turn)[0], translation)
    rng = np.random.default_rng(seed)
    normalized = rng.uniform(-0.36, 0.36, (20, 2))
    points = cam.camera_to_world(np.column_stack([normalized, np.ones(20)]) * rng.uniform(0.5, 9, (20, 1)))
    expected = cv2.projectPoints(points, turn, translation, matrix, distortion)[0][:, 0]
    pixels = cam.world_to_image(points)
    np.testing.assert_allclose(pixels, expected, atol=1e-8)
    ideal = undistorted_by_opencv(pixels, matrix, distortion)
    np.testing.assert_allclose(cam.image_to_normalized(pixels), ideal, atol=1e-7)
    np.testing.assert_allclose(cam.image_to_normalized(pixels), normalized, atol=1e-9)


@settings(max_examples=25, deadline=None)
@given(drawn=random_cameras, seed=st.integers(0, 1000), model=st.sampled_from(["opencv", "h36m"]))
def test_any_cameras_jacobian_is_the_derivative(
    drawn: dict[str, tuple[float, ...]], seed: int, model: DistortionModel
) -> None:
    k1, k2, p1, p2, k3 = drawn["distortion"]
    coefficients = (k1, k2, p1, p2, k3) if model == "opencv" else (k1, k2, k3, p1, p2)
    rotation = cv2.Rodrigues(np.array(drawn["turn"]))[0]
    cam = Camera("c", (1600, 1600), MATRIX, coefficients, model, rotation, np.array(drawn["translation"]))
    rng = np.random.default_rng(seed)
    points = cam.camera_to_world(np.append(rng.uniform(-0.5, 0.5, (5, 2)), np.ones((5, 1)), axis=1) * 3)
    h = 1e-5
    slopes = [(cam.world_to_image(points + h * e) - cam.world_to_image(points - h * e)) / (2 * h) for e in np.eye(3)]
    np.testing.assert_allclose(cam.world_to_image_jacobian(points)[1], np.stack(slopes, axis=-1), rtol=1e-6, atol=1e-4)


def test_a_pixel_with_skew_has_its_ray() -> None:
    skewed = np.array([[1000.0, 4.0, 500.0], [0, 990.0, 400.0], [0, 0, 1]])
    cam = Camera("c", (1000, 800), skewed, OPENCV)
    points = points_before(cam, 20)
    origin, direction = cam.rays(cam.world_to_image(points))
    np.testing.assert_allclose(np.cross(points - origin, direction), 0, atol=1e-8)
    homogeneous = points @ skewed.T
    ideal = homogeneous[:, :2] / homogeneous[:, 2:]
    np.testing.assert_allclose(cam.undistort_image_points(cam.world_to_image(points)), ideal, atol=1e-7)


def test_h36m_distortion_is_its_formula() -> None:
    """radial = 1 + k1 r2 + k2 r2^2 + k3 r2^3; tan = p . xy; uv = f (xy (radial + tan) + p r2) + c."""
    cam = camera(H36M, "h36m")
    xyz = cam.world_to_camera(points_before(cam))
    xy = xyz[:, :2] / xyz[:, 2:]
    k, p = np.array(H36M[:3]), np.array(H36M[3:])
    r2 = (xy**2).sum(axis=1, keepdims=True)
    radial = 1 + (k * np.hstack([r2, r2**2, r2**3])).sum(axis=1, keepdims=True)
    tan = (p * xy).sum(axis=1, keepdims=True)
    uv = np.diag(MATRIX)[:2] * (xy * (radial + tan) + p * r2) + MATRIX[:2, 2]
    np.testing.assert_allclose(cam.world_to_image(cam.camera_to_world(xyz)), uv, atol=1e-9)


def test_the_two_models_differ_in_the_tangential_part_only() -> None:
    xy = points_before(camera())[:, :2] * 0.1
    radial_h36m, radial_opencv = camera((0.1, 0.02, 0.003), "h36m"), camera((0.1, 0.02, 0, 0, 0.003))
    np.testing.assert_array_equal(radial_h36m.distort(xy), radial_opencv.distort(xy))
    tangential_h36m, tangential_opencv = camera((0, 0, 0, 0.01, 0.02), "h36m"), camera((0, 0, 0.02, 0.01))
    assert np.abs(tangential_h36m.distort(xy) - tangential_opencv.distort(xy)).max() > 1e-4


@settings(max_examples=30, deadline=None)
@given(
    x=st.floats(-0.6, 0.6),
    y=st.floats(-0.6, 0.6),
    k1=st.floats(-0.2, 0.3),
    k2=st.floats(-0.05, 0.1),
    p1=st.floats(-0.005, 0.005),
    p2=st.floats(-0.005, 0.005),
    model=st.sampled_from(["opencv", "h36m"]),
)
def test_undistort_undoes_distort(
    x: float, y: float, k1: float, k2: float, p1: float, p2: float, model: DistortionModel
) -> None:
    cam = camera((k1, k2, p1, p2) if model == "opencv" else (k1, k2, 0, p1, p2), model)
    xy = np.array([x, y])
    np.testing.assert_allclose(cam.undistort(cam.distort(xy)), xy, atol=1e-9)


@pytest.mark.parametrize("radius", [0.75, 1.0, 1.5, 3.0, 1e3, 1e9])
def test_pixels_that_no_ray_reaches_have_none(radius: float) -> None:
    """x (1 - 0.3 x^2) is nowhere larger than 0.703; what lies beyond is NaN, not a root on the other side."""
    cam = camera((-0.3,))
    target = radius * np.array([[0.6, 0.8], [-1.0, 0.0]])
    assert np.isnan(cam.undistort(target)).all()
    assert np.isnan(cam.rays(target * MATRIX[0, 0] + MATRIX[:2, 2])[1]).all()
    inside = cam.undistort(np.array([0.42, 0.56]))  # radius 0.7, just inside
    np.testing.assert_allclose(cam.distort(inside), [0.42, 0.56], atol=1e-6)
    assert np.linalg.norm(inside) < 1.06


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), model=st.sampled_from(["opencv", "h36m"]))
def test_round_trips(seed: int, model: DistortionModel) -> None:
    """World to camera and back; world to pixel to ray and back onto the point."""
    cam = camera(OPENCV if model == "opencv" else H36M, model, seed)
    points = points_before(cam, 20, seed)
    np.testing.assert_allclose(cam.camera_to_world(cam.world_to_camera(points)), points, atol=1e-12)
    origin, direction = cam.rays(cam.world_to_image(points))
    np.testing.assert_allclose(np.linalg.norm(direction, axis=-1), 1, atol=1e-12)
    along = ((points - origin) * direction).sum(axis=-1, keepdims=True)
    assert (along > 0).all()
    np.testing.assert_allclose(origin + along * direction, points, atol=1e-7)
    np.testing.assert_allclose(cam.world_to_camera(cam.center_m), 0, atol=1e-12)


@pytest.mark.parametrize(("distortion", "model"), [(OPENCV, "opencv"), (H36M, "h36m"), ((), "opencv")])
def test_jacobian_is_the_derivative(distortion: tuple[float, ...], model: DistortionModel) -> None:
    cam = camera(distortion, model)
    points = points_before(cam, 10)
    pixels, jacobian = cam.world_to_image_jacobian(points)
    np.testing.assert_allclose(pixels, cam.world_to_image(points), atol=1e-9)
    step = 1e-6
    for axis in range(3):
        shift = np.eye(3)[axis] * step
        slope = (cam.world_to_image(points + shift) - cam.world_to_image(points - shift)) / (2 * step)
        np.testing.assert_allclose(jacobian[..., axis], slope, rtol=1e-5, atol=1e-3)


def test_points_behind_the_camera_have_no_image() -> None:
    cam = Camera("cam", (640, 480), MATRIX)
    pixels = cam.world_to_image([[0, 0, -1.0], [0, 0, 0], [np.nan, 0, 1], [0, 0, 2.0]])
    assert np.isnan(pixels[:2]).all()
    assert np.isnan(pixels[2, 0])
    np.testing.assert_array_equal(pixels[3], MATRIX[:2, 2])
    assert np.isnan(cam.world_to_image_jacobian([[0, 0, -1.0]])[0]).all()


def test_missing_pixels_stay_missing() -> None:
    cam = camera()
    assert np.isnan(cam.image_to_normalized([np.nan, np.nan])).all()
    assert np.isnan(cam.rays([np.nan, 3.0])[1]).all()


@pytest.mark.parametrize("shape", [(), (4,), (2, 3), (0,)])
def test_any_leading_shape(shape: tuple[int, ...]) -> None:
    cam = camera()
    points = np.zeros((*shape, 3)) + cam.camera_to_world([0.1, 0.2, 3.0])
    assert cam.world_to_image(points).shape == (*shape, 2)
    assert cam.rays(np.zeros((*shape, 2)))[1].shape == (*shape, 3)
    assert cam.world_to_image_jacobian(points)[1].shape == (*shape, 2, 3)


def test_cropping_moves_the_pixel_origin() -> None:
    cam = camera()
    part = cam.cropped(100, 50, (800, 900))
    points = points_before(cam)
    np.testing.assert_allclose(part.world_to_image(points), cam.world_to_image(points) - [100, 50], atol=1e-9)
    assert part.size_px == (800, 900)


def test_cameras_are_frozen_and_their_arrays_read_only() -> None:
    matrix = MATRIX.copy()
    cam = Camera("cam", (640, 480), matrix)
    matrix[0, 0] = 1
    assert cam.matrix[0, 0] == MATRIX[0, 0]
    for array in (cam.matrix, cam.rotation, cam.translation):
        with pytest.raises(ValueError, match="read-only"):
            array.flat[0] = 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        cam.name = "other"  # type: ignore[misc]
    assert cam.distortion == (0.0,) * 5
    assert cam.focal_px == pytest.approx(1144.4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"matrix": np.eye(2)}, r"matrix.*3x3"),
        ({"matrix": np.diag([1e300, 1e300, 1])}, r"matrix.*3x3"),
        ({"rotation": np.eye(3) * 1e200}, "orthogonal"),
        ({"rotation": np.full((3, 3), np.inf)}, "orthogonal"),
        ({"translation": [1e300, 0, 0]}, r"finite.*numbers"),
        ({"matrix": -MATRIX}, "matrix"),
        ({"matrix": np.diag([-5.0, 5, 1])}, r"positive.*lengths"),
        ({"matrix": MATRIX * np.nan}, "matrix"),
        ({"matrix": np.array([[5, 0, np.nan], [0, 5, 1], [0, 0, 1]])}, "matrix"),
        ({"rotation": np.eye(3) * 2}, "orthogonal"),
        ({"rotation": np.eye(3) * np.nan}, "orthogonal"),
        ({"rotation": np.eye(2)}, "orthogonal"),
        ({"rotation": np.diag([1.0, 1, -1])}, "reflection"),
        ({"translation": np.zeros(2)}, r"finite.*numbers"),
        ({"translation": np.full(3, np.inf)}, r"finite.*numbers"),
        ({"size_px": (0, 480)}, "positive"),
        ({"distortion": (0.0,) * 6}, r"6.*coefficients"),
        ({"distortion": (np.nan,)}, "finite"),
        ({"distortion_model": "fisheye"}, "'fisheye'"),
    ],
)
def test_impossible_cameras_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=f"camera 'c7': .*{message}"):
        Camera(**({"name": "c7", "size_px": (640, 480), "matrix": MATRIX} | change))  # type: ignore[arg-type]


def test_real_cameras_of_human36m_round_trip(shared_data: Path) -> None:
    """All of its cameras, over their whole images."""
    table = json.loads((shared_data / "h36m-cameras" / "camera-parameters.json").read_text())
    assert len(table["intrinsics"]) == 4
    grid = np.stack(np.meshgrid(np.linspace(0, 999, 12), np.linspace(0, 999, 12)), axis=-1)
    for name, entry in table["intrinsics"].items():
        # the file has OpenCV's order; Human3.6M's first tangential coefficient goes with x, OpenCV's with y
        k1, k2, p2, p1, k3 = np.ravel(entry["distortion"])
        cam = Camera(name, (1000, 1000), np.array(entry["calibration_matrix"]), (k1, k2, k3, p1, p2), "h36m")
        back = cam.distort(cam.image_to_normalized(grid)) @ cam.matrix[:2, :2].T + cam.matrix[:2, 2]
        np.testing.assert_allclose(back, grid, atol=1e-6)


def upright(name: str = "a", up: str = "+z") -> Camera:
    """A camera that looks horizontally, its image's top towards `up`."""
    down = np.zeros(3)
    down["xyz".index(up[1])] = -1.0 if up[0] == "+" else 1.0
    forward = np.roll(np.abs(down), 1)
    return Camera(name, (640, 480), MATRIX, rotation=np.stack([np.cross(down, forward), down, forward]))


@pytest.mark.parametrize("up", ["+x", "-x", "+y", "-y", "+z", "-z"])
def test_an_unknown_vertical_is_guessed_and_the_history_states_it(up: str) -> None:
    rig = Rig("room", (upright("a", up), upright("b", up)))
    assert rig.up == up
    assert up in rig.history[-1]


def rolled(quarters: int, name: str, size_px: tuple[int, int] = (640, 480)) -> Camera:
    """The upright camera of a room whose z points up, turned about its own axis by quarter turns."""
    roll = np.linalg.matrix_power(np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]]), quarters)
    return Camera(name, size_px, MATRIX, rotation=roll @ upright().rotation)


def test_the_vertical_follows_from_the_axes_and_not_from_the_shape_of_the_image() -> None:
    """The y axis of an upright portrait image points down, as that of a landscape image."""
    assert Rig("room", (rolled(0, "a", (1080, 1920)), rolled(0, "b", (1920, 1080)))).up == "+z"


def test_one_camera_on_its_side_or_head_is_outvoted() -> None:
    upright_ones = (rolled(0, "a"), rolled(0, "b"))
    for quarters in (1, 2, 3):
        assert Rig("room", (*upright_ones, rolled(quarters, "c"))).up == "+z"


def test_tilted_cameras_still_tell_the_vertical() -> None:
    """Cameras on high tripods, looking down at 40 degrees from all around."""
    cameras = []
    for k, azimuth in enumerate(np.arange(4) * np.pi / 2 + 0.3):
        tilt = np.deg2rad(40)
        forward = np.array([np.cos(azimuth) * np.cos(tilt), np.sin(azimuth) * np.cos(tilt), -np.sin(tilt)])
        right = np.cross(forward, [0, 0, 1.0]) / np.cos(tilt)
        rotation = np.stack([right, np.cross(forward, right), forward])
        cameras.append(Camera(str(k), (640, 480), MATRIX, rotation=rotation))
    assert Rig("room", tuple(cameras)).up == "+z"


def test_the_vertical_of_a_single_upside_down_camera() -> None:
    """Nothing in a calibration says that a single camera hangs upside down: the history says that it was a guess."""
    rig = Rig("room", (rolled(2, "a"),))
    assert rig.up == "-z"
    assert "-z" in rig.history[-1]


def test_given_vertical_is_kept() -> None:
    rig = Rig("room", (upright(),), up="+y")
    assert rig.up == "+y"
    assert rig.history == ()
    assert rig.select(["a"]).up == "+y"


def test_rig_access_by_name() -> None:
    rig = Rig("room", (upright("a"), upright("b"), upright("c")))
    assert len(rig) == 3
    assert [c.name for c in rig] == ["a", "b", "c"]
    assert rig["b"].name == "b"
    assert rig.select(["c", "a"]).camera_names == ("c", "a")
    with pytest.raises(InputError, match=r"'d'.*a, b, c"):
        rig["d"]
    with pytest.raises(InputError, match="'d'"):
        rig.select(["a", "d"])


def test_impossible_rigs_are_refused() -> None:
    with pytest.raises(InputError, match="a, a"):
        Rig("room", (upright(), upright()))
    with pytest.raises(InputError, match="'room'"):
        Rig("room", ())


def test_parallel_rig_is_that_of_the_disparity_formula() -> None:
    """d = x_left - x_right = f B / Z > 0, Z = f B / d, X = (x_left - cx) Z / f, and the same y in both."""
    f, baseline, (cx, cy) = 525.0, 0.28, (319.5, 239.5)
    rig = Rig.parallel(baseline, f, (640, 480))
    points = np.array([[0.3, -0.2, 3.0], [-0.5, 0.4, 1.7], [0.14, 0, 8.0]])
    left, right = (c.world_to_image(points) for c in rig)
    disparity = left[:, 0] - right[:, 0]
    np.testing.assert_allclose(disparity, f * baseline / points[:, 2])
    np.testing.assert_allclose(left[:, 1], right[:, 1])
    np.testing.assert_allclose(147.0 / disparity, points[:, 2])
    np.testing.assert_allclose((left[:, 0] - cx) * points[:, 2] / f, points[:, 0], atol=1e-12)
    np.testing.assert_allclose((left[:, 1] - cy) * points[:, 2] / f, points[:, 1], atol=1e-12)
    assert rig.camera_names == ("left", "right")
    assert rig.up == "-y"
    assert "(319.5, 239.5)" in rig.history[-1]


def test_parallel_rig_with_a_known_principal_point_assumes_nothing() -> None:
    rig = Rig.parallel(0.28, 525, (640, 480), (310.0, 250.0), ("l", "r"))
    assert rig.history == ()
    assert rig["r"].matrix[0, 2] == 310.0


@pytest.mark.parametrize(("baseline", "focal"), [(0.0, 525.0), (-0.28, 525.0), (0.28, 0.0), (np.nan, 525.0)])
def test_parallel_rig_needs_positive_lengths(baseline: float, focal: float) -> None:
    with pytest.raises(InputError, match="positive"):
        Rig.parallel(baseline, focal, (640, 480))
