"""Rectification: two nearly parallel cameras are turned by software until they are exactly parallel.

Each camera is turned about its own centre until both look in one direction, square to the line between them. Both get
one matrix without distortion. A point then lies in the same row of both images, and its depth follows from its
disparity (`multiview.disparity`). OpenCV computes the turns, the common matrix with equal principal points, and the
maps between images (`cv2.stereoRectify`, after Bouguet: each camera takes half of the turn between them).

A turn moves no camera centre, so the geometry is exact. Two things are lost: parts of the images leave the view, and
pixels are interpolated. The turns are known, so joints from the rectified pair can be placed in the calibration's
world.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from gonio.core.arrays import BoolArray, FloatArray
from gonio.core.camera import Camera, Rig
from gonio.core.errors import InputError

LARGEST_ANGLE_DEG = 30.0  # between the axes, and of each camera's turn: beyond it, the images hardly overlap
SMALLEST_FOCAL = 0.3  # share of the cameras' own focal length: beyond it, people are too small in the image
SMALLEST_SHARE = 0.25  # of an image that must be kept
_GRID = 41  # points across and down an image, to measure which share is kept


@dataclass(frozen=True, eq=False)
class RectifiedPair:
    """Two cameras before and after rectification.

    originals    left and right camera, as calibrated
    rig          the same cameras, parallel and without distortion, in the world of the calibration
    angle_deg    angle between the optical axes of the originals
    turned_deg   camera -> angle by which it was turned
    tilt_deg     angle between the rectified images' vertical and the world's
    """

    originals: tuple[Camera, Camera]
    rig: Rig
    angle_deg: float
    turned_deg: Mapping[str, float]
    tilt_deg: float

    @property
    def names(self) -> tuple[str, str]:
        """Names of the left and the right camera."""
        left, right = self.rig.camera_names
        return left, right

    @property
    def baseline_m(self) -> float:
        """Distance between the cameras."""
        left, right = self.rig.cameras
        return float(np.linalg.norm(right.center_m - left.center_m))

    @property
    def focal_px(self) -> float:
        """Focal length of both rectified cameras."""
        return self.rig.cameras[0].focal_px

    @property
    def principal_point_px(self) -> tuple[float, float]:
        """(x, y) of both rectified cameras."""
        x, y = self.rig.cameras[0].matrix[:2, 2]
        return float(x), float(y)

    @property
    def size_px(self) -> tuple[int, int]:
        """(width, height) of the rectified images."""
        return self.rig.cameras[0].size_px

    @property
    def to_world(self) -> tuple[FloatArray, FloatArray]:
        """Rotation (3, 3) and translation (3,) in metres from the left rectified camera to the calibration's world:
        x_world = rotation @ x + translation.
        """
        left = self.rig.cameras[0]
        return left.rotation.T, left.center_m

    def points(self, name: str, pixels: ArrayLike) -> FloatArray:
        """(..., 2) px of a camera's original image -> (..., 2) px of the rectified image.

        NaN beyond the range of the lens model and behind the turned camera.
        """
        center, directions = self._original(name).rays(pixels)
        return self.rig[name].world_to_image(center + directions)

    def maps(self, name: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(height, width) x and y, px: the place in the original image of each pixel of the rectified image.

        -1 beyond the range of the lens model: its polynomial would show part of the image a second time.
        """
        camera, new = self._original(name), self.rig[name]
        turn = new.rotation @ camera.rotation.T
        x, y = cv2.initUndistortRectifyMap(
            camera.matrix, np.array(camera.distortion), turn, new.matrix, new.size_px, cv2.CV_32FC1
        )
        reach = _lens_reach(camera)
        if np.isfinite(reach):
            grid = np.stack(np.meshgrid(*(np.arange(side, dtype=float) for side in new.size_px)), axis=-1)
            rays = np.concatenate([new.image_to_normalized(grid), np.ones((*grid.shape[:2], 1))], axis=-1) @ turn
            beyond = np.hypot(rays[..., 0], rays[..., 1]) > reach * rays[..., 2]
            x, y = np.where(beyond, np.float32(-1), x), np.where(beyond, np.float32(-1), y)
        return np.asarray(x, dtype=np.float32), np.asarray(y, dtype=np.float32)

    def kept(self, name: str) -> float:
        """Share of a camera's original image that is still in the rectified image."""
        width, height = self._original(name).size_px
        grid = np.stack(np.meshgrid(np.linspace(0, width - 1, _GRID), np.linspace(0, height - 1, _GRID)), axis=-1)
        return float(np.mean(_inside(self.points(name, grid), self.size_px)))

    def filled(self, name: str) -> float:
        """Share of the rectified image that the original image fills; the rest is black."""
        return float(np.mean(_inside(np.stack(self.maps(name), axis=-1), self._original(name).size_px)))

    def _original(self, name: str) -> Camera:
        return self.originals[self.rig.camera_names.index(self.rig[name].name)]


def rectify(rig: Rig, names: tuple[str, str], *, alpha: float = 1.0) -> RectifiedPair:
    """Make two cameras of a rig parallel; their order does not matter.

    alpha  1: every pixel of both images stays in view, with black around them. 0: the images are enlarged until no
           pixel is black. Values between are possible (`cv2.stereoRectify`)

    Raises `InputError` if the images differ in size, if a camera's distortion model is not OpenCV's, if the cameras are
    one above the other or in one place, if the axes differ by more than `LARGEST_ANGLE_DEG` or a camera would be turned
    by more, and if too little of an image would be kept or it would shrink too far.
    """
    if not 0 <= alpha <= 1:
        raise InputError(f"alpha is {alpha:g}; it must lie in 0..1 (1 keeps all pixels, 0 only valid ones)")
    a, b = (rig[name] for name in names)
    _check_pair(a, b)
    angle_deg = float(np.degrees(np.arccos(np.clip(a.rotation[2] @ b.rotation[2], -1, 1))))
    pair = f"cameras {a.name!r} and {b.name!r}"
    remedy = "measure the pair as it is (gonio compare, method stereo-A-B), which needs no parallel cameras"
    if angle_deg > LARGEST_ANGLE_DEG:
        raise InputError(
            f"the axes of {pair} differ by {angle_deg:.1f} degrees; at most {LARGEST_ANGLE_DEG:g} can be rectified: "
            f"{remedy}"
        )
    across = (a.rotation + b.rotation) @ (b.center_m - a.center_m)
    if abs(across[1]) > abs(across[0]):
        raise InputError(f"{pair}: one is above the other, but disparity is measured along rows: {remedy}")
    left, right = (a, b) if across[0] > 0 else (b, a)
    turn = right.rotation @ left.rotation.T
    turns = cv2.stereoRectify(
        left.matrix,
        np.array(left.distortion),
        right.matrix,
        np.array(right.distortion),
        left.size_px,
        turn,
        (right.translation - turn @ left.translation)[:, None],  # OpenCV 5 takes a column alone
        flags=cv2.CALIB_ZERO_DISPARITY,
        alpha=alpha,
    )
    R_left, R_right, P_left = (np.asarray(matrix, dtype=float) for matrix in turns[:3])
    turned_deg = {c.name: _angle_deg(R) for c, R in ((left, R_left), (right, R_right))}
    if max(turned_deg.values()) > LARGEST_ANGLE_DEG:
        turns_text = " and ".join(f"{name} by {angle:.1f}" for name, angle in turned_deg.items())
        raise InputError(
            f"{pair} would have to be turned, {turns_text} degrees, until they are square to the line between them; at "
            f"most {LARGEST_ANGLE_DEG:g} is possible: {remedy}"
        )
    focal_px = (left.focal_px + right.focal_px) / 2
    if not np.isfinite(P_left).all() or P_left[0, 0] < SMALLEST_FOCAL * focal_px:
        raise InputError(
            f"{pair}: the images would shrink below {SMALLEST_FOCAL:.0%} of their size to keep all pixels. The axes "
            f"differ by {angle_deg:.1f} degrees, or the lens models end before the corners; try --alpha 0"
        )
    width, height = left.size_px
    size_px = (width // 2 * 2, height // 2 * 2)  # H.264 needs even sides
    rotation = R_left @ left.rotation
    cameras = tuple(
        Camera(c.name, size_px, P_left[:, :3], rotation=rotation, translation=-rotation @ c.center_m)
        for c in (left, right)
    )
    new = Rig(f"{rig.name}, rectified", cameras, up=rig.up, history=rig.history)
    assert new.up is not None
    upwards = np.eye(3)["xyz".index(new.up[1])] * (1 if new.up[0] == "+" else -1)
    tilt_deg = float(np.degrees(np.arccos(np.clip(-rotation[1] @ upwards, -1, 1))))
    made = RectifiedPair((left, right), new, angle_deg, turned_deg, tilt_deg)
    for name in made.names:
        if (kept := made.kept(name)) < SMALLEST_SHARE:
            raise InputError(
                f"{pair}: only {kept:.0%} of the image of {name!r} would be kept; the axes differ by {angle_deg:.1f} "
                f"degrees; keep more with --alpha 1, or {remedy}"
            )
    return made


def _check_pair(a: Camera, b: Camera) -> None:
    if a.name == b.name:
        raise InputError(f"camera {a.name!r} is named twice; a pair is two cameras")
    if a.size_px != b.size_px:
        raise InputError(
            f"camera {a.name!r} has {a.size_px[0]}x{a.size_px[1]} px and {b.name!r} {b.size_px[0]}x{b.size_px[1]}; a "
            f"pair needs images of one size: crop the larger one"
        )
    for camera in (a, b):
        if camera.distortion_model != "opencv":
            raise InputError(
                f"camera {camera.name!r} has the distortion model {camera.distortion_model!r}; only OpenCV's can be "
                f"rectified: calibrate the camera with OpenCV"
            )
        if camera.matrix[0, 1] != 0:
            raise InputError(
                f"camera {camera.name!r} has skewed pixels, which OpenCV does not rectify; calibrate again"
            )
    if np.allclose(a.center_m, b.center_m):
        raise InputError(f"cameras {a.name!r} and {b.name!r} are in one place: there is no disparity")


def _angle_deg(rotation: FloatArray) -> float:
    """The angle of a rotation (3, 3)."""
    return float(np.degrees(np.linalg.norm(cv2.Rodrigues(rotation)[0])))


def _lens_reach(camera: Camera) -> float:
    """Normalised radius at which the radial polynomial r (1 + k1 r^2 + k2 r^4 + k3 r^6) has its maximum; infinite if it
    has none. The small tangential part is left out.
    """
    k1, k2, _, _, k3 = camera.distortion
    roots = np.roots([7 * k3, 5 * k2, 3 * k1, 1.0])  # of the derivative, by r^2
    outwards = roots.real[(np.abs(roots.imag) < 1e-12) & (roots.real > 0)]
    return float(np.sqrt(outwards.min())) if len(outwards) else float("inf")


def _inside(pixels: NDArray[Any], size_px: tuple[int, int]) -> BoolArray:
    """Whether (..., 2) px lie in an image; the outer halves of its outer pixels are included."""
    return np.asarray(((pixels > -0.5) & (pixels < np.array(size_px) - 0.5)).all(axis=-1))
