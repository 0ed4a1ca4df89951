"""Rectification: two cameras that stand nearly parallel, turned by software until they are exactly so.

Each camera is turned about its own centre until both look the same way, square to the line between them, and both get
one matrix without distortion. A point then lies in one row of both pictures, and its depth follows from its disparity
(`stereo.rectified`). The turns and the common matrix are OpenCV's (`cv2.stereoRectify`, after Bouguet: each camera
takes half of the turn between them), with equal principal points, and so are the maps from picture to picture.

Turning a camera moves no centre, so nothing of the geometry is lost; what leaves the picture is, and pictures are
interpolated. The turns are known, so joints found in the rectified pair have a place in the world of the calibration.
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

LARGEST_ANGLE_DEG = 30.0  # between the axes, and of each camera's turn: beyond, little of the pictures overlaps
SMALLEST_FOCAL = 0.3  # of the cameras' own: what shrinks further shows nobody well
SMALLEST_SHARE = 0.25  # of a picture must be kept
_GRID = 41  # points across and down a picture by which it is seen what is lost


@dataclass(frozen=True, eq=False)
class RectifiedPair:
    """Two cameras before and after.

    originals    left and right, as calibrated
    rig          the same two, parallel and without distortion, in the world of the calibration
    angle_deg    between the axes of the originals
    turned_deg   camera -> by how much it was turned
    tilt_deg     between the rectified pictures' vertical and that of the world
    """

    originals: tuple[Camera, Camera]
    rig: Rig
    angle_deg: float
    turned_deg: Mapping[str, float]
    tilt_deg: float

    @property
    def names(self) -> tuple[str, str]:
        """The left camera and the right one."""
        left, right = self.rig.camera_names
        return left, right

    @property
    def baseline_m(self) -> float:
        """Distance between the cameras."""
        left, right = self.rig.cameras
        return float(np.linalg.norm(right.center_m - left.center_m))

    @property
    def focal_px(self) -> float:
        """Of both rectified cameras."""
        return self.rig.cameras[0].focal_px

    @property
    def principal_point_px(self) -> tuple[float, float]:
        """Of both rectified cameras."""
        x, y = self.rig.cameras[0].matrix[:2, 2]
        return float(x), float(y)

    @property
    def size_px(self) -> tuple[int, int]:
        """(width, height) of the rectified pictures."""
        return self.rig.cameras[0].size_px

    @property
    def to_world(self) -> tuple[FloatArray, FloatArray]:
        """Rotation (3, 3) and translation (3,) m: x_world = rotation @ x + translation, from the parallel rig's own
        frame, which is that of its left camera, to the world of the calibration.
        """
        left = self.rig.cameras[0]
        return left.rotation.T, left.center_m

    def points(self, name: str, pixels: ArrayLike) -> FloatArray:
        """(..., 2) px of a camera's own picture -> (..., 2) px of the rectified one.

        NaN where the lens model does not reach, or the turned camera cannot see.
        """
        center, directions = self._original(name).rays(pixels)
        return self.rig[name].world_to_image(center + directions)

    def maps(self, name: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(height, width) x and y: where in the camera's own picture each pixel of the rectified one lies, px.

        -1 where the lens model does not reach, whose polynomial would show part of the picture a second time there.
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
        """Share of a camera's own picture that the rectified one still shows."""
        width, height = self._original(name).size_px
        grid = np.stack(np.meshgrid(np.linspace(0, width - 1, _GRID), np.linspace(0, height - 1, _GRID)), axis=-1)
        return float(np.mean(_inside(self.points(name, grid), self.size_px)))

    def filled(self, name: str) -> float:
        """Share of the rectified picture that a camera's own fills; the rest is black."""
        return float(np.mean(_inside(np.stack(self.maps(name), axis=-1), self._original(name).size_px)))

    def _original(self, name: str) -> Camera:
        return self.originals[self.rig.camera_names.index(self.rig[name].name)]


def rectify(rig: Rig, names: tuple[str, str], *, alpha: float = 1.0) -> RectifiedPair:
    """Two cameras of a rig, in either order, made parallel.

    alpha  1: every pixel of both pictures stays in view, with black beyond them; 0: the pictures are enlarged until
           nothing is black; between them for what lies between (`cv2.stereoRectify`)

    Raises `InputError` where the pictures differ in size, where a camera's distortion model is not OpenCV's, where the
    cameras stand one above the other or in one place, and where the axes are more than `LARGEST_ANGLE_DEG` apart, or
    one camera would have to be turned by more; where too little of a picture would be kept, or it would shrink too far.
    """
    if not 0 <= alpha <= 1:
        raise InputError(f"alpha is {alpha:g}; it must lie in 0..1 (1 keeps all pixels, 0 only valid ones)")
    a, b = (rig[name] for name in names)
    _check_pair(a, b)
    angle_deg = float(np.degrees(np.arccos(np.clip(a.rotation[2] @ b.rotation[2], -1, 1))))
    pair = f"cameras {a.name!r} and {b.name!r}"
    remedy = "measure the pair as it is calibrated (gonio compare, stereo-A-B), which needs no parallel cameras"
    if angle_deg > LARGEST_ANGLE_DEG:
        raise InputError(
            f"{pair} look {angle_deg:.1f} degrees apart, and up to {LARGEST_ANGLE_DEG:g} can be rectified: {remedy}"
        )
    across = (a.rotation + b.rotation) @ (b.center_m - a.center_m)
    if abs(across[1]) > abs(across[0]):
        raise InputError(f"{pair} stand one above the other, and disparity is that of columns: {remedy}")
    left, right = (a, b) if across[0] > 0 else (b, a)
    turn = right.rotation @ left.rotation.T
    turns = cv2.stereoRectify(
        left.matrix,
        np.array(left.distortion),
        right.matrix,
        np.array(right.distortion),
        left.size_px,
        turn,
        right.translation - turn @ left.translation,
        flags=cv2.CALIB_ZERO_DISPARITY,
        alpha=alpha,
    )
    R_left, R_right, P_left = (np.asarray(matrix, dtype=float) for matrix in turns[:3])
    turned_deg = {c.name: _angle_deg(R) for c, R in ((left, R_left), (right, R_right))}
    if max(turned_deg.values()) > LARGEST_ANGLE_DEG:
        told = " and ".join(f"{name} by {angle:.1f}" for name, angle in turned_deg.items())
        raise InputError(
            f"{pair} would be turned, {told} degrees, to look square to the line between them; up to "
            f"{LARGEST_ANGLE_DEG:g} is possible: {remedy}"
        )
    focal_px = (left.focal_px + right.focal_px) / 2
    if not np.isfinite(P_left).all() or P_left[0, 0] < SMALLEST_FOCAL * focal_px:
        raise InputError(
            f"{pair}: with so many pixels kept what is seen would shrink below {SMALLEST_FOCAL:.0%} of its size, for "
            f"they look {angle_deg:.1f} degrees apart, or their lens models end before the corners; try --alpha 0"
        )
    width, height = left.size_px
    size_px = (width // 2 * 2, height // 2 * 2)  # video has even sides
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
                f"{pair}: only {kept:.0%} of the picture of {name!r} would be kept, for they look {angle_deg:.1f} "
                f"degrees apart; keep more with --alpha 1, or {remedy}"
            )
    return made


def _check_pair(a: Camera, b: Camera) -> None:
    if a.name == b.name:
        raise InputError(f"camera {a.name!r} is named twice; a pair is two cameras")
    if a.size_px != b.size_px:
        raise InputError(
            f"camera {a.name!r} has {a.size_px[0]}x{a.size_px[1]} px and {b.name!r} {b.size_px[0]}x{b.size_px[1]}; a "
            f"pair to rectify has pictures of one size: crop the larger one"
        )
    for camera in (a, b):
        if camera.distortion_model != "opencv":
            raise InputError(
                f"camera {camera.name!r} has the distortion model {camera.distortion_model!r}; OpenCV's alone can be "
                f"rectified: calibrate it with OpenCV"
            )
        if camera.matrix[0, 1] != 0:
            raise InputError(
                f"camera {camera.name!r} has skewed pixels, which OpenCV does not rectify; calibrate again"
            )
    if np.allclose(a.center_m, b.center_m):
        raise InputError(f"cameras {a.name!r} and {b.name!r} stand in one place, from where nothing has a disparity")


def _angle_deg(rotation: FloatArray) -> float:
    """By how much a rotation (3, 3) turns."""
    return float(np.degrees(np.linalg.norm(cv2.Rodrigues(rotation)[0])))


def _lens_reach(camera: Camera) -> float:
    """Normalised radius at which the radial polynomial r (1 + k1 r^2 + k2 r^4 + k3 r^6) turns back; infinite where not.

    The tangential part, which is small, is left out.
    """
    k1, k2, _, _, k3 = camera.distortion
    roots = np.roots([7 * k3, 5 * k2, 3 * k1, 1.0])  # of the derivative, by r^2
    outwards = roots.real[(np.abs(roots.imag) < 1e-12) & (roots.real > 0)]
    return float(np.sqrt(outwards.min())) if len(outwards) else float("inf")


def _inside(pixels: NDArray[Any], size_px: tuple[int, int]) -> BoolArray:
    """Whether (..., 2) px lie in a picture, the outer halves of its outer pixels included."""
    return np.asarray(((pixels > -0.5) & (pixels < np.array(size_px) - 0.5)).all(axis=-1))
