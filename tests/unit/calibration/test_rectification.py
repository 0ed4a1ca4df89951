"""Rectification against the geometry itself: rows, depths, the inverse, images, and pairs that cannot be made
parallel."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from gonio.calibration.rectification import rectify
from gonio.core.camera import Camera, Rig
from gonio.core.errors import InputError
from gonio.core.sequence import PoseSequence
from gonio.core.skeleton import BODY_12
from gonio.io.rigs import files as rig_files
from gonio.multiview.disparity import from_disparity

WORLD = cv2.Rodrigues(np.array([1.2, -0.4, 0.3]))[0]  # the rig stands anyhow in its world
SIZE = (961, 721)


def camera(
    name: str,
    x_m: float,
    turn_deg: tuple[float, float, float] = (0, 0, 0),
    focal_px: float = 900.0,
    y_m: float = 0.0,
    z_m: float = 0.0,
    distortion: tuple[float, ...] = (-0.12, 0.05, 1e-3, -5e-4),
    size_px: tuple[int, int] = SIZE,
) -> Camera:
    """Pitch, yaw and roll in degrees against the rig's own axes, x right, y down, z forward."""
    rotation = cv2.Rodrigues(np.deg2rad(turn_deg))[0] @ WORLD
    center = WORLD.T @ np.array([x_m, y_m, z_m]) + [0.5, -2.0, 1.0]
    matrix = np.array([[focal_px, 0, 470.0], [0, focal_px * 1.01, 365.0], [0, 0, 1]])
    return Camera(name, size_px, matrix, distortion, rotation=rotation, translation=-rotation @ center)


def pair_of(*cameras: Camera) -> Rig:
    return Rig("lab", cameras)


NEARLY = pair_of(camera("a", -0.2, (2, 5, -3)), camera("b", 0.2, (-1, -4, 2), 930.0, 0.02, -0.03))


def points_m(n: int = 200) -> np.ndarray:
    """(n, 12, 3) m in the world, where both cameras see them."""
    rng = np.random.default_rng(4)
    return rng.uniform([-0.5, -0.6, 2.5], [0.5, 0.6, 4.5], (n, 12, 3)) @ WORLD + [0.5, -2.0, 1.0]


@pytest.mark.parametrize("names", [("a", "b"), ("b", "a")])
@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
def test_rows_agree_and_depth_is_fb_over_d(names, alpha):
    pair = rectify(NEARLY, names, alpha=alpha)
    assert pair.names == ("a", "b")  # a is the left one
    truth = points_m()
    left, right = (pair.points(c.name, c.world_to_image(truth)) for c in NEARLY)
    np.testing.assert_allclose(left[..., 1], right[..., 1], atol=1e-6)
    disparity = left[..., 0] - right[..., 0]
    depth_m = pair.rig["a"].world_to_camera(truth)[..., 2]
    np.testing.assert_allclose(pair.focal_px * pair.baseline_m / disparity, depth_m, rtol=1e-6)
    assert pair.baseline_m == pytest.approx(np.linalg.norm([0.4, 0.02, 0.03]), rel=1e-9)


def test_disparity_gives_the_joints_in_the_world_of_the_calibration():
    pair = rectify(NEARLY, ("a", "b"))
    truth = points_m()
    views = [
        PoseSequence(
            pair.points(c.name, c.world_to_image(truth)),
            np.arange(len(truth)) / 30,
            BODY_12,
            "px",
            "image",
            frame_name=c.name,
            image_size_px=pair.size_px,
        )
        for c in NEARLY
    ]
    found = from_disparity(*views, pair.rig, max_row_disparity_px=10.0, sigma_px=1.0)
    np.testing.assert_allclose(found.sequence.positions, truth, atol=1e-6)

    plain = Rig.parallel(pair.baseline_m, pair.focal_px, pair.size_px, pair.principal_point_px, pair.names)
    in_camera = from_disparity(*views, plain, sigma_px=1.0).sequence.positions
    rotation, translation_m = pair.to_world
    np.testing.assert_allclose(in_camera @ rotation.T + translation_m, truth, atol=1e-6)


def test_angles_and_the_vertical():
    pair = rectify(pair_of(camera("a", -0.2, (0, 3, 0)), camera("b", 0.2, (0, -3, 0))), ("a", "b"))
    assert pair.angle_deg == pytest.approx(6, abs=1e-6)
    assert list(pair.turned_deg.values()) == pytest.approx([3, 3], abs=1e-6)
    upright = Rig(
        "lab",
        tuple(
            Camera(n, SIZE, NEARLY["a"].matrix, translation=np.array([x, 0, 0]))
            for n, x in zip("ab", (0, -0.3), strict=True)
        ),
        "-y",
    )
    assert rectify(upright, ("a", "b")).tilt_deg == pytest.approx(0, abs=1e-6)
    pitched = cv2.Rodrigues(np.deg2rad([-10.0, 0, 0]))[0]
    cameras = tuple(
        Camera(c.name, SIZE, c.matrix, rotation=pitched, translation=pitched @ c.translation) for c in upright
    )
    assert rectify(Rig("lab", cameras, "-y"), ("a", "b")).tilt_deg == pytest.approx(10, abs=1e-6)


def test_a_pair_that_is_parallel_stays_as_it_is():
    parallel = Rig.parallel(0.28, 525.0, (640, 480))
    pair = rectify(parallel, ("left", "right"))
    assert pair.angle_deg == pytest.approx(0, abs=1e-6)
    assert max(pair.turned_deg.values()) == pytest.approx(0, abs=1e-6)
    assert pair.focal_px == pytest.approx(525, rel=1e-3)
    assert [pair.kept(name) for name in pair.names] == [1, 1]
    assert pair.baseline_m == pytest.approx(0.28)


@pytest.mark.parametrize("name", ["a", "b"])
def test_the_maps_are_the_points_backwards(name):
    pair = rectify(NEARLY, ("a", "b"))
    x, y = pair.maps(name)
    assert x.shape == y.shape == (720, 960)  # even sides, for video
    rows, columns = np.mgrid[20:700:97, 20:940:97]
    there = np.stack([x[rows, columns], y[rows, columns]], axis=-1)
    inside = ((there > 0) & (there < np.array(SIZE) - 1)).all(axis=-1)
    assert inside.sum() > 20
    back = pair.points(name, there[inside].astype(float))
    np.testing.assert_allclose(back, np.stack([columns, rows], axis=-1)[inside], atol=0.01)


def test_a_blob_in_the_image_moves_with_its_point():
    pair = rectify(NEARLY, ("a", "b"))
    grid = np.stack(np.meshgrid(np.arange(SIZE[0]), np.arange(SIZE[1])), axis=-1)
    for point in points_m(2)[0, :4]:
        at = NEARLY["a"].world_to_image(point)
        picture = (255 * np.exp(-((grid - at) ** 2).sum(axis=-1) / 50)).astype(np.uint8)
        new = cv2.remap(picture, *pair.maps("a"), cv2.INTER_CUBIC).astype(float)
        seen = np.array([(new.sum(axis=axis) * np.arange(new.shape[1 - axis])).sum() / new.sum() for axis in (0, 1)])
        np.testing.assert_allclose(seen, pair.points("a", at), atol=0.1)


def test_alpha_keeps_all_or_fills_all():
    all_kept, all_filled = (rectify(NEARLY, ("a", "b"), alpha=alpha) for alpha in (1.0, 0.0))
    for name in "ab":
        assert all_kept.kept(name) > 0.99
        assert all_kept.filled(name) < 0.95
        assert all_filled.kept(name) < 0.95
        assert all_filled.filled(name) > 0.999
    assert all_kept.focal_px < all_filled.focal_px
    with pytest.raises(InputError, match=r"1\.5"):
        rectify(NEARLY, ("a", "b"), alpha=1.5)


def test_beyond_the_lens_model_the_image_is_black():
    """r (1 - 0.15 r^2) turns back at r = 1.49, which the corners of the wide rectified picture pass."""
    bent = [camera(n, x, (0, yaw, 0), 640.0, distortion=(-0.15,)) for n, x, yaw in (("a", -0.2, 8), ("b", 0.2, -8))]
    pair = rectify(pair_of(*bent), ("a", "b"))
    x, y = pair.maps("a")
    black = (x < 0) | (y < 0) | (x > SIZE[0] - 1) | (y > SIZE[1] - 1)
    grid = np.stack(np.meshgrid(np.arange(960.0), np.arange(720.0)), axis=-1)[~black]
    back = pair.points("a", np.stack([x, y], axis=-1)[~black].astype(float))
    np.testing.assert_allclose(back, grid, atol=0.1)
    beyond = cv2.initUndistortRectifyMap(
        bent[0].matrix, np.array([-0.15, 0, 0, 0, 0]), pair.rig["a"].rotation @ bent[0].rotation.T,
        pair.rig["a"].matrix, pair.size_px, cv2.CV_32FC1,
    )[0]  # fmt: skip
    assert (beyond != x).any()


@pytest.mark.parametrize(
    ("cameras", "message"),
    [
        ((camera("a", -0.2, (0, 20, 0)), camera("b", 0.2, (0, -20, 0))), r"40\.0"),
        ((camera("a", 0), camera("b", 0.05, y_m=0.4)), "above"),
        ((camera("a", 0), camera("b", 0.2, z_m=0.5)), r"a by 68.* b by 68"),
        ((camera("a", -0.2, (0, 0, 30)), camera("b", 0.2, (0, 0, -50))), "turned"),
        ((camera("a", 0), camera("b", 0)), "place"),
        ((camera("a", 0), camera("b", 0.2, size_px=(960, 720))), r"961x721 px.*'b'.*960x720"),
    ],
)
def test_pairs_that_cannot_be_made_parallel_are_refused(cameras, message):
    with pytest.raises(InputError, match=message):
        rectify(pair_of(*cameras), ("a", "b"))


@pytest.mark.parametrize(
    ("focal_px", "alpha", "message"),
    [(1500.0, 0.0, r"%.*'a'"), (2500.0, 1.0, "30%")],
)
def test_narrow_views_that_look_apart_are_refused(focal_px, alpha, message):
    narrow = pair_of(camera("a", -0.3, (0, 14, 0), focal_px), camera("b", 0.3, (0, -14, 0), focal_px))
    with pytest.raises(InputError, match=message):
        rectify(narrow, ("a", "b"), alpha=alpha)


def test_the_lens_of_another_model_is_refused():
    other = Camera(
        "b", SIZE, NEARLY["b"].matrix, (0.1, 0, 0, 0, 0), "h36m", NEARLY["b"].rotation, NEARLY["b"].translation
    )
    with pytest.raises(InputError, match="h36m"):
        rectify(pair_of(NEARLY["a"], other), ("a", "b"))


def test_no_pair_of_the_demo_is_nearly_parallel(shared_data):
    rig = rig_files.read(shared_data / "pose2sim" / "calibration" / "Calib.qca.txt")
    with pytest.raises(InputError, match=r"48\.6 degrees"):
        rectify(rig, ("cam_01", "cam_02"))
