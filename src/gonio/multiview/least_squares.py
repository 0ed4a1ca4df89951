"""Points from the images of several cameras by least squares: the arithmetic of `gonio.multiview.triangulation`.

Everything is computed for many points at once: each coordinate is an array, and the points are its last axis. Long
arrays are processed in chunks whose intermediate results stay in a core's cache. Sums over the views are matrix
products with the cameras' constants. Symmetric 3x3 matrices are kept as their six numbers xx, xy, xz, yy, yz, zz.

Linear solution (`Views.linear`). About the cameras' centroid, with pixels relative to the principal point, the squared
equations of a view are a quadratic form in the homogeneous point whose ten coefficients are linear in w^2, w^2 u, w^2 v
and w^2 (u^2 + v^2). The best point with last coordinate 1 is the start. Newton steps on the Rayleigh quotient r =
|A Q|^2 / |Q|^2, whose residual A Q is computed directly, then lead to the constraint |Q| = 1. If they converge and the
upper 3x3 block of A^T A - r I is positive definite, r is the least eigenvalue (a zero and three positive
ones: Golub & Van Loan, Matrix Computations, 8.1.5), so the point equals that of the singular value decomposition.
Otherwise the first eigenvector is computed and refined in the same way.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from gonio.core.arrays import BoolArray, FloatArray, IntArray
from gonio.core.camera import Camera

_POINTS_AT_ONCE = 8192
_SINGULAR = 1e-14  # ratio of eigenvalues below which all rays are one
_AT_INFINITY = 1e-8  # last coordinate of a unit vector below which the rays are parallel
_FLAT = 1e-13  # determinant of a 3x3 matrix over its mean eigenvalue cubed below which it has no inverse
_NEWTON_STEPS = 4
_ARRIVED = 1e-7  # last Newton step over the distance from the centroid; what is left is its square
_ITERATIONS = 20
_CONVERGED_M = 1e-8
_LEAST_VARIANCE = 1e-3  # of a residual over the noise's: a view that all but decides the point alone
_UPPER = ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))


@dataclass(frozen=True, eq=False)
class Fit:
    """How points fit their views.

    errors_px  (view, point)  reprojection error; NaN if a view is not used or the point is not in front of it
    cofactor   (6, point)     (sum of w^2 J^T J)^-1, with J the derivative of a pixel by the point; NaN if singular
    median     (view, point)  twice: for noise of variance 1 in the weighted pixels, the median squared residual
    widest     (view, point)  and its largest variance in a direction
    """

    errors_px: FloatArray
    cofactor: FloatArray
    median: FloatArray
    widest: FloatArray


@dataclass(frozen=True, eq=False)
class Optics:
    """Constants of the cameras.

    origin_m     (3,) their centroid, about which the equations are well conditioned
    rigid        (view * 3, 4) from a point relative to the origin to the cameras' axes
    projections  (view * 3, 4) likewise to homogeneous pixels relative to the principal point, without distortion
    forms        (10, 4 * view) from w^2, w^2 u, w^2 v, w^2 (u^2 + v^2) of the views to A^T A: 3x3 block, column, corner
    turned       (6, 6 * view) from M of the views to the sum of R^T M R
    """

    cameras: Sequence[Camera]
    origin_m: FloatArray
    rigid: FloatArray
    projections: FloatArray
    forms: FloatArray
    turned: FloatArray

    @classmethod
    def of(cls, cameras: Sequence[Camera]) -> Optics:
        origin_m = np.mean([camera.center_m for camera in cameras], axis=0)
        rigid = np.stack([np.column_stack([c.rotation, c.world_to_camera(origin_m)]) for c in cameras])
        projections = rigid.copy()
        forms, turned = [], []
        for view, camera in enumerate(cameras):
            projections[view, :2] = camera.matrix[:2, :2] @ rigid[view, :2]
            P1, P2, P3 = projections[view]
            quadratic = (
                np.outer(P1, P1) + np.outer(P2, P2),
                -np.outer(P1, P3) - np.outer(P3, P1),
                -np.outer(P2, P3) - np.outer(P3, P2),
                np.outer(P3, P3),
            )
            entries = (*_UPPER, (0, 3), (1, 3), (2, 3), (3, 3))
            forms.append(np.array([[form[entry] for form in quadratic] for entry in entries]))
            R = camera.rotation
            products = [np.outer(R[i], R[j]) + (i != j) * np.outer(R[j], R[i]) for i, j in _UPPER]
            turned.append(np.array([[product[entry] for product in products] for entry in _UPPER]))
        return cls(
            cameras,
            origin_m,
            rigid.reshape(-1, 4),
            projections.reshape(-1, 4),
            np.concatenate(forms, axis=1),
            np.concatenate(turned, axis=1),
        )


@dataclass(frozen=True, eq=False)
class Views:
    """What cameras saw of many points.

    pixels    (view, 2, point)
    ideal_px  (view, 2, point) without distortion, relative to the principal point
    weights   (view, point)
    """

    optics: Optics
    pixels: FloatArray
    ideal_px: FloatArray
    weights: FloatArray

    @classmethod
    def of(cls, optics: Optics, pixels: FloatArray, weights: FloatArray) -> Views:
        """From pixels and weights; what is missing has weight 0 and a harmless pixel.

        Missing is also a pixel that lies further out than the camera's lens model reaches.
        """
        ideal_px = np.empty(pixels.shape)
        for view, camera in enumerate(optics.cameras):
            ideal_px[view] = camera.matrix[:2, :2] @ camera.image_to_normalized(pixels[view].T).T
        missing = np.asarray(~np.isfinite(ideal_px).all(axis=1))
        if missing.any():
            middle = np.stack([camera.matrix[:2, 2] for camera in optics.cameras])
            pixels = np.where(missing[:, None], middle[..., None], pixels)
            ideal_px = np.where(missing[:, None], 0.0, ideal_px)
            weights = np.where(missing, 0.0, weights)
        return cls(optics, pixels, ideal_px, weights)

    @property
    def cameras(self) -> Sequence[Camera]:
        return self.optics.cameras

    def at(self, index: IntArray | BoolArray | slice) -> Views:
        """Some of the points, repeated at will."""
        return Views(self.optics, self.pixels[..., index], self.ideal_px[..., index], self.weights[:, index])

    def linear(self, used: BoolArray) -> FloatArray:
        """(3, point) m the linear solution of the views in `used` (view, point); NaN if a point is not determined."""
        points = np.empty((3, used.shape[1]))
        for part, views, weights in self._chunks(used):
            points[:, part] = views._linear(weights)
        return points

    def refined(self, used: BoolArray, start: FloatArray) -> tuple[FloatArray, BoolArray]:
        """(3, point) the points of least weighted squared reprojection error, and (point,) whether each was found.

        A step of more than `_CONVERGED_M` is taken only if it lowers the error, so a point for which none does keeps
        its start.
        """
        points, converged = start.copy(), np.zeros(used.shape[1], bool)
        for part, views, weights in self._chunks(used):
            points[:, part], converged[part] = views._refined(weights, start[:, part])
        return points, converged

    def fit(self, used: BoolArray, points: FloatArray) -> Fit:
        """How the points (3, point) fit the views in `used` (view, point)."""
        fit = Fit(np.empty(used.shape), np.empty((6, used.shape[1])), np.empty(used.shape), np.empty(used.shape))
        for part, views, weights in self._chunks(used):
            views._fit(weights, points[:, part], fit, part)
            fit.errors_px[:, part][~used[:, part]] = np.nan
        return fit

    def _chunks(self, used: BoolArray) -> Iterator[tuple[slice, Views, FloatArray]]:
        """Slices of the points, their pixels, and the weights (view, point), 0 if not used."""
        for part in chunks(used.shape[1]):
            yield part, self.at(part), self.weights[:, part] * used[:, part]

    def _linear(self, weights: FloatArray) -> FloatArray:
        u, v = self.ideal_px[:, 0], self.ideal_px[:, 1]
        squared = weights * weights
        features = np.stack([squared, squared * u, squared * v, squared * (u * u + v * v)], axis=1)
        normal = self.optics.forms @ features.reshape(4 * len(u), weights.shape[1])
        start = -_times(_inverse(normal[:6]), normal[6:9])
        points, arrived = self._polished(squared, normal, start)
        enough = (weights > 0).sum(axis=0) >= 2
        hard = np.flatnonzero(enough & ~arrived)
        if hard.size:
            first = _first_eigenvector(normal[:, hard], self.optics.origin_m)
            points[:, hard] = self.at(hard)._polished(squared[:, hard], normal[:, hard], first)[0]
        points[:, ~enough] = np.nan
        return points

    def _polished(self, squared: FloatArray, normal: FloatArray, start: FloatArray) -> tuple[FloatArray, BoolArray]:
        """(3, point) in the world, after Newton steps on the Rayleigh quotient about the world's origin, and where it
        is known to be the least one. `start` is relative to the cameras' centroid; `squared` are the squared weights.
        """
        u, v = self.ideal_px[:, 0], self.ideal_px[:, 1]
        origin_m = self.optics.origin_m[:, None]
        relative = np.concatenate([start, np.ones((1, start.shape[1]))])
        least_of, arrived = normal[:6].copy(), np.zeros(start.shape[1], bool)
        for _ in range(_NEWTON_STEPS):
            projected = (self.optics.projections @ relative).reshape(len(u), 3, start.shape[1])
            row_u, row_v = projected[:, 0] - u * projected[:, 2], projected[:, 1] - v * projected[:, 2]
            weighted_u, weighted_v = squared * row_u, squared * row_v
            back = np.stack([weighted_u, weighted_v, -(u * weighted_u + v * weighted_v)], axis=1)
            points = relative[:3] + origin_m
            quotient = (row_u * weighted_u + row_v * weighted_v).sum(axis=0) / ((points * points).sum(axis=0) + 1)
            gradient = self.optics.projections[:, :3].T @ back.reshape(3 * len(u), start.shape[1]) - quotient * points
            least_of[[0, 3, 5]] = normal[[0, 3, 5]] - quotient
            shift = _times(_inverse(least_of), gradient)
            relative[:3] -= np.where(np.isfinite(shift), shift, 0.0)
            size = (relative[:3] * relative[:3]).sum(axis=0)
            arrived = (shift * shift).sum(axis=0) <= _ARRIVED**2 * (size + 1)
            if arrived.all():
                break
        return relative[:3] + origin_m, arrived & _positive(least_of)

    def _rows(self, weights: FloatArray, points: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Weighted derivatives of the pixels by the point in the camera's axes (view, 2, 3, point), px/m, and weighted
        residuals (view, 2, point), px. NaN if the point is not in front of a used view.
        """
        n = points.shape[1]
        relative = np.concatenate([points - self.optics.origin_m[:, None], np.ones((1, n))])
        seen = (self.optics.rigid @ relative).reshape(len(weights), 3, n)
        depth = seen[:, 2]
        if not (depth > 0).all():
            depth = np.where(depth > 0, depth, np.where(weights > 0, np.nan, 1.0))
        inverse = 1 / depth
        x, y = seen[:, 0] * inverse, seen[:, 1] * inverse
        scale = weights * inverse
        rows, residuals = np.empty((len(x), 2, 3, n)), np.empty((len(x), 2, n))
        for view, camera in enumerate(self.cameras):
            (fx, skew), (_, fy) = camera.matrix[:2, :2]
            (cx, cy), factor = camera.matrix[:2, 2], scale[view]
            if any(camera.distortion):
                (u, v), (xx, xy, yx, yy) = camera.distort_components(x[view], y[view])
                rows[view, 0, 0], rows[view, 0, 1] = (fx * xx + skew * yx) * factor, (fx * xy + skew * yy) * factor
                rows[view, 1, 0], rows[view, 1, 1] = fy * factor * yx, fy * factor * yy
            else:
                u, v = x[view], y[view]
                rows[view, 0, 0], rows[view, 0, 1] = fx * factor, skew * factor
                rows[view, 1, 0], rows[view, 1, 1] = 0.0, fy * factor
            residuals[view, 0] = (fx * u + skew * v + (cx - self.pixels[view, 0])) * weights[view]
            residuals[view, 1] = (fy * v + (cy - self.pixels[view, 1])) * weights[view]
            rows[view, :, 2] = -(rows[view, :, 0] * x[view] + rows[view, :, 1] * y[view])
        return rows, residuals

    def _normal(self, weights: FloatArray, points: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """The weighted squared reprojection error (point,), half its gradient (3, point), and J^T W J (6, point)."""
        rows, residuals = self._rows(weights, points)
        n = points.shape[1]
        slope = rows[:, 0] * residuals[:, :1] + rows[:, 1] * residuals[:, 1:]
        gradient = self.optics.rigid[:, :3].T @ slope.reshape(3 * len(weights), n)
        return (
            (residuals * residuals).sum(axis=(0, 1)),
            gradient,
            self.optics.turned @ _squares(rows).reshape(6 * len(weights), n),
        )

    def _refined(self, weights: FloatArray, start: FloatArray) -> tuple[FloatArray, BoolArray]:
        points = start.copy()
        active = np.flatnonzero(np.isfinite(start[0]))
        converged = np.isfinite(start[0])
        here = self if active.size == start.shape[1] else self.at(active)
        weights = weights if active.size == start.shape[1] else weights[:, active]
        now = points[:, active]
        cost, gradient, normal = here._normal(weights, now)
        damping = np.zeros(active.size)
        for _ in range(_ITERATIONS):
            if not active.size:
                break
            damped = normal
            if damping.any():
                damped = normal.copy()
                damped[[0, 3, 5]] *= 1 + damping
            step = -_times(_inverse(damped), gradient)
            near = (step * step).sum(axis=0) < _CONVERGED_M**2
            if near.any():
                points[:, active[near]] = now[:, near] + step[:, near]
                go_on = ~near
                active, here, weights, now, step = (
                    active[go_on], here.at(go_on), weights[:, go_on], now[:, go_on], step[:, go_on]
                )  # fmt: skip
                cost, gradient, normal, damping = cost[go_on], gradient[:, go_on], normal[:, go_on], damping[go_on]
                if not active.size:
                    break
            trial = now + step
            trial_cost, trial_gradient, trial_normal = here._normal(weights, trial)
            lower = trial_cost < cost
            now, cost = np.where(lower, trial, now), np.where(lower, trial_cost, cost)
            gradient, normal = np.where(lower, trial_gradient, gradient), np.where(lower, trial_normal, normal)
            damping = np.where(lower, damping / 10, np.maximum(10 * damping, 1e-4))
        points[:, active] = now
        converged[active] = False
        return points, converged

    def _fit(self, weights: FloatArray, points: FloatArray, fit: Fit, part: slice) -> None:
        """Fill a slice of `fit`.

        The point adapts to its views, so the weighted residual of a view has, for noise of variance 1, the covariance
        S = I - J M^-1 J^T with M the sum of the views' J^T J, in place of I. Its square is a sum of two chi squared
        variables; the median is Satterthwaite's approximation with Wilson and Hilferty's cube (within 5 % for any S).
        """
        rows, residuals = self._rows(weights, points)
        n = points.shape[1]
        known = np.where(weights > 0, weights, 1.0)
        fit.errors_px[:, part] = np.sqrt((residuals * residuals).sum(axis=1)) / known
        cofactor = _inverse(self.optics.turned @ _squares(rows).reshape(6 * len(weights), n))
        fit.cofactor[:, part] = cofactor
        for view, camera in enumerate(self.cameras):
            R = camera.rotation
            turned = np.stack([_product(cofactor, np.outer(R[i], R[j])) for i, j in _UPPER])
            J1, J2 = rows[view]
            along1, along2 = _times(turned, J1), _times(turned, J2)
            first, second = 1 - (J1 * along1).sum(axis=0), 1 - (J2 * along2).sum(axis=0)
            mixed = -(J1 * along2).sum(axis=0)
            trace, trace_of_square = first + second, first * first + second * second + 2 * mixed * mixed
            widest = trace / 2 + np.sqrt(np.maximum(trace_of_square / 2 - trace * trace / 4, 0.0))
            fit.widest[view, part] = np.maximum(widest, _LEAST_VARIANCE)
            trace = np.maximum(trace, _LEAST_VARIANCE)
            cube = 1 - 2 / 9 * np.clip(trace_of_square / (trace * trace), 0.5, 1.0)
            fit.median[view, part] = trace * (cube * cube * cube)


def chunks(n: int) -> Iterator[slice]:
    """Slices of n points, short enough for a core's cache."""
    return (slice(start, start + _POINTS_AT_ONCE) for start in range(0, n, _POINTS_AT_ONCE))


def _squares(rows: FloatArray) -> FloatArray:
    """(view, 2, 3, point) -> (view, 6, point) the products J^T J."""
    products = np.empty((len(rows), 6, rows.shape[-1]))
    for entry, (i, j) in enumerate(_UPPER):
        np.einsum("vcn,vcn->vn", rows[:, :, i], rows[:, :, j], out=products[:, entry])
    return products


def _product(symmetric: FloatArray, constant: FloatArray) -> FloatArray:
    """(point,) the sum of the products of the entries of symmetric matrices (6, point) and of a constant (3, 3)."""
    whole = constant + constant.T
    return np.array([whole[i, j] if i != j else constant[i, j] for i, j in _UPPER]) @ symmetric


def _times(symmetric: FloatArray, vector: FloatArray) -> FloatArray:
    """Symmetric matrices (6, point) times vectors (3, point)."""
    (xx, xy, xz, yy, yz, zz), (x, y, z) = symmetric, vector
    return np.stack([xx * x + xy * y + xz * z, xy * x + yy * y + yz * z, xz * x + yz * y + zz * z])


def _inverse(symmetric: FloatArray) -> FloatArray:
    """(6, point) inverse of symmetric matrices by cofactors; NaN if singular."""
    xx, xy, xz, yy, yz, zz = symmetric
    cofactors = np.stack(
        [
            yy * zz - yz * yz,
            xz * yz - xy * zz,
            xy * yz - xz * yy,
            xx * zz - xz * xz,
            xy * xz - xx * yz,
            xx * yy - xy * xy,
        ]
    )
    determinant = xx * cofactors[0] + xy * cofactors[1] + xz * cofactors[2]
    mean = (xx + yy + zz) / 3
    regular = determinant > _FLAT * (mean * mean * mean)
    return np.asarray(cofactors / np.where(regular, determinant, np.nan))


def _positive(symmetric: FloatArray) -> BoolArray:
    """(point,) which symmetric matrices (6, point) are positive definite and far from singular."""
    xx, xy, xz, yy, yz, zz = symmetric
    minor = xx * yy - xy * xy
    determinant = zz * minor + xz * (xy * yz - xz * yy) + yz * (xy * xz - xx * yz)
    mean = (xx + yy + zz) / 3
    return np.asarray((xx > 0) & (minor > 0) & (determinant > _FLAT * (mean * mean * mean)))


def _first_eigenvector(normal: FloatArray, origin_m: FloatArray) -> FloatArray:
    """(3, point) relative to the centroid `origin_m`, from A^T A about it as ten numbers (10, point).

    The eigenvector is that about the world's origin; NaN if A^T A does not determine a point.
    """
    whole = np.empty((normal.shape[1], 4, 4))
    for entry, (i, j) in zip(normal, (*_UPPER, (0, 3), (1, 3), (2, 3), (3, 3)), strict=True):
        whole[:, i, j] = whole[:, j, i] = entry
    values, vectors = np.linalg.eigh(whole)
    fixed = (values[:, 1] > _SINGULAR * values[:, 3]) & (np.abs(vectors[:, 3, 0]) > _AT_INFINITY)
    shift = np.eye(4)
    shift[:3, 3] = -origin_m
    Q = np.linalg.eigh(shift.T @ whole @ shift)[1][..., 0]
    fixed &= Q[:, 3] != 0
    return np.asarray((Q[:, :3] / np.where(fixed, Q[:, 3], np.nan)[:, None] - origin_m).T)
