"""Cameras and rigs: points of the world to pixels, and pixels to rays.

World to camera: X_c = R X_w + t; the camera looks along +z, x right, y down (OpenCV). Pixel (0, 0) is the centre of the
top left pixel. Two distortion models, which share the radial part and differ in the tangential one; x, y are the
normalised coordinates X_c/Z_c, Y_c/Z_c and r2 = x^2 + y^2:

"opencv"  coefficients k1, k2, p1, p2, k3
          radial = 1 + k1 r2 + k2 r2^2 + k3 r2^3
          x' = x radial + 2 p1 x y + p2 (r2 + 2 x^2),  y' = y radial + p1 (r2 + 2 y^2) + 2 p2 x y
          (OpenCV, "Camera Calibration and 3D Reconstruction")
"h36m"    coefficients k1, k2, k3, p1, p2
          x' = x (radial + p1 x + p2 y) + p1 r2,  y' = y (radial + p1 x + p2 y) + p2 r2
          (Human3.6M's cameras as VideoPose3D projects them; without its limit of x, y to -1..1)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from gonio.core.arrays import FloatArray, frozen
from gonio.core.display import Displayed, Rows, data_frame, plotted, xarray_module
from gonio.core.errors import InputError
from gonio.core.sequence import Axis

if TYPE_CHECKING:
    import pandas
    import xarray
    from matplotlib.figure import Figure

DistortionModel = Literal["opencv", "h36m"]

_POINTS_AT_ONCE = 8192  # their intermediate results fit into a core's cache
_SOLVED = 1e-15  # normalised coordinates: the error of an undistorted point that more steps do not reduce


_LARGEST = 1e12  # larger than any focal length in px or distance in m; beyond it products overflow


@dataclass(frozen=True, eq=False)
class Camera:
    """One calibrated camera.

    size_px     (width, height) of the images it was calibrated for
    matrix      (3, 3) px: fx, skew, cx; 0, fy, cy; 0, 0, 1
    distortion  five coefficients in the model's own order (shorter tuples are filled with zeros)
    rotation    (3, 3) world -> camera
    translation (3,) m, world -> camera

    Raises `InputError` if the matrix is not a camera matrix, or the rotation is not a rotation.
    """

    name: str
    size_px: tuple[int, int]
    matrix: FloatArray
    distortion: tuple[float, ...] = ()
    distortion_model: DistortionModel = "opencv"
    rotation: FloatArray = field(default_factory=lambda: np.eye(3))
    translation: FloatArray = field(default_factory=lambda: np.zeros(3))

    def __post_init__(self) -> None:
        matrix, rotation, translation = frozen(self.matrix), frozen(self.rotation), frozen(self.translation)
        where = f"camera {self.name!r}"
        if (
            matrix.shape != (3, 3)
            or not (np.abs(matrix) < _LARGEST).all()
            or not np.allclose(matrix[2], [0, 0, 1])
            or min(matrix[0, 0], matrix[1, 1]) <= 0
        ):
            raise InputError(f"{where}: matrix must be 3x3 with positive focal lengths and last row 0 0 1")
        orthogonal = rotation.shape == (3, 3) and bool((np.abs(rotation) < 2).all())
        if not orthogonal or not np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-4):
            raise InputError(f"{where}: rotation is not an orthogonal 3x3 matrix")
        if np.linalg.det(rotation) < 0:
            raise InputError(f"{where}: rotation is a reflection (determinant -1)")
        if translation.shape != (3,) or not (np.abs(translation) < _LARGEST).all():
            raise InputError(f"{where}: translation must be three finite numbers in metres")
        if min(self.size_px) <= 0:
            raise InputError(f"{where}: image size {self.size_px} is not positive")
        if len(self.distortion) > 5:
            raise InputError(f"{where}: {len(self.distortion)} distortion coefficients; at most 5 are known")
        if self.distortion_model not in get_args(DistortionModel):
            raise InputError(f"{where}: no distortion model {self.distortion_model!r}; there are opencv and h36m")
        coefficients = tuple(float(c) for c in self.distortion)
        if not np.isfinite(coefficients).all():
            raise InputError(f"{where}: distortion coefficients {coefficients} are not all finite")
        object.__setattr__(self, "distortion", coefficients + (0.0,) * (5 - len(coefficients)))
        object.__setattr__(self, "matrix", matrix)
        object.__setattr__(self, "rotation", rotation)
        object.__setattr__(self, "translation", translation)

    @property
    def focal_px(self) -> float:
        """Mean of fx and fy."""
        return float((self.matrix[0, 0] + self.matrix[1, 1]) / 2)

    @property
    def center_m(self) -> FloatArray:
        """(3,) the camera's position in the world."""
        return -self.rotation.T @ self.translation

    def _radial_tangential(self) -> tuple[FloatArray, float, float]:
        """(3,) k1, k2, k3 and the tangential coefficients as factors: x' = x radial + ... + `px` r2, likewise `py`."""
        c = self.distortion
        if self.distortion_model == "opencv":
            return np.array([c[0], c[1], c[4]]), c[3], c[2]
        return np.array(c[:3]), c[3], c[4]

    def distort(self, normalized: ArrayLike) -> FloatArray:
        """(..., 2) ideal normalised coordinates -> (..., 2) distorted ones."""
        return self._distort(np.asarray(normalized, dtype=float))[0]

    def _distort(self, xy: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Distorted coordinates (..., 2) and their Jacobian (..., 2, 2)."""
        if not any(self.distortion):
            return xy, np.broadcast_to(np.eye(2), (*xy.shape, 2))
        (x, y), derivatives = self.distort_components(xy[..., 0], xy[..., 1])
        return np.stack([x, y], axis=-1), np.stack(derivatives, axis=-1).reshape(*xy.shape, 2)

    def distort_components(
        self, x: FloatArray, y: FloatArray
    ) -> tuple[tuple[FloatArray, FloatArray], tuple[FloatArray, FloatArray, FloatArray, FloatArray]]:
        """`distort` with each coordinate an array of its own (quicker for many points), and the derivatives.

        Returns (x', y') and (dx'/dx, dx'/dy, dy'/dx, dy'/dy).
        """
        (k1, k2, k3), px, py = self._radial_tangential()
        cross = 2.0 if self.distortion_model == "opencv" else 1.0
        r2 = x * x + y * y
        radial = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
        slope = 2 * k1 + r2 * (4 * k2 + r2 * (6 * k3))  # twice d radial / d r2
        factor = radial + (cross * px * x + cross * py * y)
        factor_x, factor_y = x * slope + cross * px, y * slope + cross * py
        return (x * factor + px * r2, y * factor + py * r2), (
            factor + x * (factor_x + 2 * px),
            x * factor_y + 2 * px * y,
            y * factor_x + 2 * py * x,
            factor + y * (factor_y + 2 * py),
        )

    def undistort(self, distorted: ArrayLike, iterations: int = 8) -> FloatArray:
        """(..., 2) distorted normalised coordinates -> (..., 2) ideal ones, by Newton's method on `distort`.

        NaN if there is no solution: a polynomial that bends inwards covers only a part of the image.
        """
        target = np.asarray(distorted, dtype=float)
        if not any(self.distortion):
            return target.copy()
        x, y = np.ascontiguousarray(target[..., 0]).ravel(), np.ascontiguousarray(target[..., 1]).ravel()
        ideal = np.empty((2, x.size))
        for start in range(0, x.size, _POINTS_AT_ONCE):
            part = slice(start, start + _POINTS_AT_ONCE)
            ideal[:, part] = self._undistort(x[part], y[part], iterations)
        return np.moveaxis(ideal.reshape(2, *target.shape[:-1]), 0, -1)

    def _undistort(self, target_x: FloatArray, target_y: FloatArray, iterations: int) -> FloatArray:
        """(2, point) ideal coordinates of (point,) distorted ones."""
        x, y = target_x, target_y
        with np.errstate(all="ignore"):  # a point without a solution diverges, and is set to NaN below
            for step in range(iterations + 1):
                (now_x, now_y), (xx, xy, yx, yy) = self.distort_components(x, y)
                error_x, error_y = now_x - target_x, now_y - target_y
                determinant = xx * yy - xy * yx
                off = np.maximum(np.abs(error_x), np.abs(error_y))
                if step == iterations or not (off > _SOLVED).any():
                    break
                x = x - (yy * error_x - xy * error_y) / determinant
                y = y - (xx * error_y - yx * error_x) / determinant
            solved = (off < 1e-6) & (determinant > 0) & (x * target_x + y * target_y >= -1e-6)
        return np.where(solved, [x, y], np.nan)

    def world_to_camera(self, points_m: ArrayLike) -> FloatArray:
        """(..., 3) m in the world -> (..., 3) m in the camera."""
        return np.asarray(points_m, dtype=float) @ self.rotation.T + self.translation

    def camera_to_world(self, points_m: ArrayLike) -> FloatArray:
        """(..., 3) m in the camera -> (..., 3) m in the world."""
        return (np.asarray(points_m, dtype=float) - self.translation) @ self.rotation

    def camera_to_image(self, points_m: ArrayLike) -> FloatArray:
        """(..., 3) m in the camera -> (..., 2) px. NaN for points that are not in front of the camera."""
        points = np.asarray(points_m, dtype=float)
        depth = np.where(points[..., 2:] > 0, points[..., 2:], np.nan)
        return self.distort(points[..., :2] / depth) @ self.matrix[:2, :2].T + self.matrix[:2, 2]

    def world_to_image(self, points_m: ArrayLike) -> FloatArray:
        """(..., 3) m in the world -> (..., 2) px. NaN for points that are not in front of the camera."""
        return self.camera_to_image(self.world_to_camera(points_m))

    def world_to_image_jacobian(self, points_m: ArrayLike) -> tuple[FloatArray, FloatArray]:
        """(..., 3) m -> (..., 2) px and the derivative of the pixel by the point, (..., 2, 3) px/m."""
        points = self.world_to_camera(points_m)
        depth = np.where(points[..., 2] > 0, points[..., 2], np.nan)
        normalized = points[..., :2] / depth[..., None]
        distorted, inner = self._distort(normalized)
        perspective = np.zeros((*points.shape[:-1], 2, 3))
        perspective[..., 0, 0] = perspective[..., 1, 1] = 1 / depth
        perspective[..., 0, 2] = -normalized[..., 0] / depth
        perspective[..., 1, 2] = -normalized[..., 1] / depth
        A = self.matrix[:2, :2]
        return distorted @ A.T + self.matrix[:2, 2], A @ inner @ perspective @ self.rotation

    def image_to_normalized(self, pixels: ArrayLike) -> FloatArray:
        """(..., 2) px -> (..., 2) ideal normalised coordinates: distortion removed."""
        centred = np.asarray(pixels, dtype=float) - self.matrix[:2, 2]
        return self.undistort(centred @ np.linalg.inv(self.matrix[:2, :2]).T)

    def undistort_image_points(self, pixels: ArrayLike) -> FloatArray:
        """(..., 2) px -> (..., 2) px in an ideal camera with the same matrix."""
        return self.image_to_normalized(pixels) @ self.matrix[:2, :2].T + self.matrix[:2, 2]

    def rays(self, pixels: ArrayLike) -> tuple[FloatArray, FloatArray]:
        """(..., 2) px -> the camera's position (3,) and unit directions (..., 3), both in the world."""
        ideal = self.image_to_normalized(pixels)
        direction = np.concatenate([ideal, np.ones((*ideal.shape[:-1], 1))], axis=-1) @ self.rotation
        return self.center_m, direction / np.linalg.norm(direction, axis=-1, keepdims=True)

    def cropped(self, left_px: int, top_px: int, size_px: tuple[int, int]) -> Camera:
        """The same camera for images without their first `left_px` columns and `top_px` rows."""
        shift = np.zeros((3, 3))
        shift[0, 2], shift[1, 2] = left_px, top_px
        return replace(self, matrix=self.matrix - shift, size_px=size_px)


@dataclass(frozen=True, eq=False, repr=False)
class Rig(Displayed):
    """Calibrated cameras in one world.

    up       the world's axis against gravity (default: guessed from the cameras, which the history states)

    Raises `InputError` if two cameras share a name.
    """

    name: str
    cameras: tuple[Camera, ...]
    up: Axis | None = None
    history: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.cameras:
            raise InputError(f"rig {self.name!r} has no camera")
        if len(set(self.camera_names)) != len(self.cameras):
            raise InputError(f"rig {self.name!r} names a camera twice: {', '.join(self.camera_names)}")
        if self.up is None:
            downward = np.mean([camera.rotation[1] for camera in self.cameras], axis=0)
            axis = int(np.argmax(np.abs(downward)))
            names: tuple[tuple[Axis, Axis], ...] = (("-x", "+x"), ("-y", "+y"), ("-z", "+z"))
            up = names[axis][0 if downward[axis] > 0 else 1]
            object.__setattr__(self, "up", up)
            object.__setattr__(self, "history", (*self.history, f"vertical guessed from the cameras: {up} is up"))

    @property
    def camera_names(self) -> tuple[str, ...]:
        return tuple(camera.name for camera in self.cameras)

    def __len__(self) -> int:
        return len(self.cameras)

    def __iter__(self) -> Iterator[Camera]:
        return iter(self.cameras)

    def __getitem__(self, name: str) -> Camera:
        """A camera by name. Raises `InputError`, with the known names, if it is unknown."""
        for camera in self.cameras:
            if camera.name == name:
                return camera
        raise InputError(f"rig {self.name!r} has no camera {name!r}; it has {', '.join(self.camera_names)}")

    def select(self, names: Sequence[str]) -> Rig:
        """The rig of some cameras only, in the given order, in the same world."""
        return replace(self, cameras=tuple(self[name] for name in names))

    def to_dataframe(self) -> pandas.DataFrame:
        """A pandas DataFrame, a row per camera: name, image size, focal lengths and principal point (px), centre (m).

        Raises `MissingExtraError` if pandas is not installed.
        """
        matrices = np.array([camera.matrix for camera in self.cameras])
        centers = np.array([camera.center_m for camera in self.cameras])
        return data_frame(
            {
                "camera": list(self.camera_names),
                "width_px": [camera.size_px[0] for camera in self.cameras],
                "height_px": [camera.size_px[1] for camera in self.cameras],
                "fx_px": matrices[:, 0, 0],
                "fy_px": matrices[:, 1, 1],
                "cx_px": matrices[:, 0, 2],
                "cy_px": matrices[:, 1, 2],
                "x_m": centers[:, 0],
                "y_m": centers[:, 1],
                "z_m": centers[:, 2],
            },
            frame=self.name,
            up=self.up,
        )

    def to_xarray(self) -> xarray.Dataset:
        """An xarray Dataset over `camera`: matrix (px), rotation (world to camera), translation and center (m).

        Raises `MissingExtraError` if xarray is not installed.
        """
        square = ("camera", "row", "column")
        return xarray_module().Dataset(  # type: ignore[no-any-return]
            {
                "matrix": (square, np.array([camera.matrix for camera in self.cameras])),
                "rotation": (square, np.array([camera.rotation for camera in self.cameras])),
                "translation": (("camera", "space"), np.array([camera.translation for camera in self.cameras])),
                "center": (("camera", "space"), np.array([camera.center_m for camera in self.cameras])),
                "size": (("camera", "side"), np.array([camera.size_px for camera in self.cameras])),
            },
            coords={"camera": list(self.camera_names), "space": ["x", "y", "z"], "side": ["width", "height"]},
            attrs={"source_software": "gonio", "space_unit": "m", "frame": self.name, "up": self.up or "unknown"},
        )

    def plot(self) -> Figure:
        """The cameras from above and from the side, in metres."""
        return plotted("rig_figure", self)

    def _title(self) -> str:
        return f"Rig {self.name}: {len(self)} cameras, {self.up} is up"

    def _rows(self) -> Rows:
        for camera in self.cameras:
            place = ", ".join(f"{value:.2f}" for value in camera.center_m)
            focal = f"focal length {camera.matrix[0, 0]:.0f} px"
            yield camera.name, f"{camera.size_px[0]}x{camera.size_px[1]} px, {focal}, at {place} m"

    @classmethod
    def parallel(
        cls,
        baseline_m: float,
        focal_px: float,
        size_px: tuple[int, int],
        principal_point_px: tuple[float, float] | None = None,
        names: tuple[str, str] = ("left", "right"),
    ) -> Rig:
        """Two parallel cameras at one height; the world is the left camera's frame (y down).

        principal_point_px  default: the middle of the image, ((w-1)/2, (h-1)/2), which the history states
        """
        if not baseline_m > 0 or not focal_px > 0:
            raise InputError(f"baseline ({baseline_m} m) and focal length ({focal_px} px) must be positive")
        history: tuple[str, ...] = ()
        if principal_point_px is None:
            principal_point_px = ((size_px[0] - 1) / 2, (size_px[1] - 1) / 2)
            history = (f"principal point assumed in the middle of the image: {principal_point_px}",)
        cx, cy = principal_point_px
        matrix = np.array([[focal_px, 0, cx], [0, focal_px, cy], [0, 0, 1.0]])
        left = Camera(names[0], size_px, matrix)
        right = Camera(names[1], size_px, matrix, translation=np.array([-baseline_m, 0.0, 0.0]))
        return cls("parallel", (left, right), up="-y", history=history)
