"""Triangulation: 2D joints from several calibrated cameras become 3D joints.

Linear start (`dlt`). With P1, P2, P3 the rows of a camera's projection matrix and (u, v) the undistorted pixel, every
view gives two equations, (P1 - u P3) Q = 0 and (P2 - v P3) Q = 0, in the homogeneous point Q. They are in pixels times
depth, and are multiplied by the view's weight. Q is the unit vector that satisfies them best: the last singular vector
of the stacked matrix A (Hartley & Zisserman, Multiple View Geometry, 12.2); `gonio.multiview.least_squares` describes
the computation. If views disagree, the constraint |Q| = 1 moves the point slightly away from the world's origin (0.5 mm
at 10 px, 2 m away). Pose2Sim makes the same choice, and refinement removes the shift.

Views that disagree. A set of views passes when the point lies in front of all of them and
  absolute rule   the mean reprojection error of the set is at most `max_reprojection_px` (Pose2Sim's protocol);
  robust rule     no view's reprojection error lies beyond `robust_sigmas` times that camera's noise. The noise comes
                  from the sequence itself, from the median error of each camera with all views in use (for many views
                  the median of a Rayleigh distribution, 1.1774 sigma). The residuals of V views share 2V - 3 degrees
                  of freedom, and a view with a large weight pulls the point to itself. So each error is compared
                  with the spread of its residual, not with that of the noise (`gonio.multiview.least_squares.Fit`).
If the views of a point do not pass, every set without one view is tried, then without two, and so on, down to two
views; the best set of the first size that passes is taken. With more than ten views, one view after the other is left
out for good (an exact search would try 2^V sets). If no set passes, the point is missing and counted. The same holds if
only two views show a point and disagree: one of them is wrong, but it is not known which.

Refinement. The weighted squared reprojection error is minimised through the whole camera model, by Gauss-Newton steps
that fall back to Levenberg-Marquardt damping.

Covariance. sigma^2 (sum of w^2 J^T J)^-1, with J the derivative of a pixel by the point and w the weights. sigma^2 is
the sum of the weighted squared residuals over the sum of the degrees of freedom, per joint over time. It describes
random error only. An error that the detector makes in all views, or a wrong calibration, is not part of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gonio.core.arrays import BoolArray, FloatArray, IntArray, frozen
from gonio.core.assumptions import united
from gonio.core.camera import Camera, Rig
from gonio.core.errors import InputError
from gonio.core.sequence import PoseSequence, Source, Status
from gonio.multiview.least_squares import Fit, Optics, Views, chunks

_TIME_TOLERANCE_S = 1e-3
_FEWEST_FOR_SCALE = 20  # errors from which a camera's noise is estimated
_FINEST_NOISE_PX = 0.01  # the robust rule ignores rounding errors
_FEWEST_FREEDOM = 30  # degrees of freedom from which a joint has a noise level of its own
_MOST_VIEWS_EXACT = 10
_WHOLE = [0, 1, 2, 1, 3, 4, 2, 4, 5]  # a symmetric 3x3 matrix from xx, xy, xz, yy, yz, zz
_TASKS_AT_ONCE = 50_000  # (set of views, point) pairs held in memory together


@dataclass(frozen=True)
class ViewCounts:
    """Use of one camera's (time, joint) observations; the five counts add up to all of them.

    used              triangulated
    missing           not detected
    below_confidence  under `min_confidence`
    dropped           disagreed with the other views
    unpaired          confident, but the point could not be triangulated
    """

    used: int
    missing: int
    below_confidence: int
    dropped: int
    unpaired: int


@dataclass(frozen=True, eq=False)
class Triangulation:
    """The result of a triangulation.

    sequence         3D, frame "world", with covariance
    camera_names     the order of the view axis
    reprojection_px  (view, time, joint)  error of the views used; NaN elsewhere
    used             (view, time, joint)
    excluded         camera -> use of its observations
    all_views_px     (view, time, joint)  error before any view or point was dropped, for the point from all its usable
                     views; infinite if that point is not in front of the camera; NaN if the view is not usable
                     or is the only one

    `reprojection_px` does not contain what was dropped, so a calibration of other videos can look good there.
    `lost_share` and `all_views_median_px` show it.
    """

    sequence: PoseSequence
    camera_names: tuple[str, ...]
    reprojection_px: FloatArray
    used: BoolArray
    excluded: Mapping[str, ViewCounts]
    all_views_px: FloatArray

    @property
    def lost_share(self) -> float:
        """Share of the points on which no two views agree, of those with two or more confident views."""
        seen = np.asarray((~np.isnan(self.all_views_px)).any(axis=0))
        return float(1 - (self.used.any(axis=0) & seen).sum() / seen.sum())

    @property
    def all_views_median_px(self) -> float:
        """Median reprojection error in px with all views in use; infinite if most points are behind a camera."""
        return float(np.median(self.all_views_px[~np.isnan(self.all_views_px)]))


def triangulate(
    rig: Rig,
    views: Mapping[str, PoseSequence],
    *,
    min_confidence: float = 0.5,
    max_reprojection_px: float | None = None,
    robust_sigmas: float | None = 3.0,
    refine: Literal["reprojection", "none"] = "reprojection",
    sigma_px: Mapping[str, float] | None = None,
) -> Triangulation:
    """3D joints from the 2D joints of two or more cameras of a rig.

    views                camera name -> 2D sequence in pixels of that camera; one skeleton, one clock, one person
    min_confidence       observations below it are not used
    max_reprojection_px  absolute rule for dropping views; None: off
    robust_sigmas        robust rule for dropping views; None: off. Also off with fewer than 20 errors to
                         estimate the noise from (reported in the history)
    refine               "reprojection": minimise the reprojection error; "none": keep the linear solution
    sigma_px             camera name -> noise per coordinate; default: equal

    An observation's weight is its confidence over its sigma. The sequence has the mean confidence of the views used
    for a point, and the least direct of their statuses: a point from an interpolated view is interpolated. Its
    covariance follows the module's formula, also for the linear solution, whose own covariance is slightly larger.

    Raises `InputError` if fewer than two views are given, a view is not of the rig, is not 2D or has another size
    than its camera, if skeletons or times (by more than 1 ms) differ, and if no point could be triangulated.
    """
    names = checked_views(rig, views)
    cameras = [rig[name] for name in names]
    sequences = [views[name] for name in names]
    times_s = np.median([sequence.times_s for sequence in sequences], axis=0)
    grid = (len(times_s), len(sequences[0].skeleton))

    confidence = np.stack([sequence.confidence.ravel() for sequence in sequences])
    present = np.stack([sequence.valid.ravel() for sequence in sequences])
    usable = present & (confidence >= min_confidence) & (confidence > 0)
    weights = confidence / _checked_sigmas(names, sigma_px)[:, None]
    pixels = np.stack([sequence.positions.reshape(-1, 2).T for sequence in sequences])
    scene = Views.of(Optics.of(cameras), pixels, np.where(usable, weights, 0.0))
    present &= (scene.weights > 0) | ~usable  # a pixel outside the lens model counts as missing
    usable &= scene.weights > 0
    _check_paired(names, usable, min_confidence)
    estimate = _refined_estimate if refine == "reprojection" else _linear_estimate
    points, converged = estimate(scene, usable)
    fit = scene.fit(usable, points)
    all_views_px = _common_errors(fit.errors_px, usable)
    limits = _limits(fit, usable, max_reprojection_px, robust_sigmas)
    used = _agreeing_views(scene, fit, usable, limits, estimate)
    found = np.asarray(used.any(axis=0))
    _check_any_found(names, found, fit)
    points, converged, errors_px, cofactor = _refitted(scene, estimate, usable, used, points, converged, fit)
    unconverged = int((found & ~converged).sum())
    return Triangulation(
        sequence=PoseSequence(
            positions=points.T.reshape(*grid, 3),
            times_s=times_s,
            skeleton=sequences[0].skeleton,
            unit="m",
            frame="world",
            frame_name=rig.name,
            up=rig.up,
            confidence=_mean_of_used(confidence, used).reshape(grid),
            status=least_direct([sequence.status.ravel() for sequence in sequences], used).reshape(grid),
            covariance=_covariance(scene.weights, errors_px, cofactor, used, grid),
            assumptions=united(sequence.assumptions for sequence in sequences),
            source=Source("triangulation", models(sequences)),
            history=(
                *inherited_history(rig, dict(zip(names, sequences, strict=True))),
                *_own_history(
                    names, usable, used, present, limits, min_confidence, robust_sigmas, refine, unconverged, sigma_px
                ),
            ),
        ),
        camera_names=names,
        reprojection_px=frozen(errors_px.reshape(-1, *grid)),
        used=frozen(used.reshape(-1, *grid), bool),
        excluded=view_counts(names, present, usable, used),
        all_views_px=frozen(all_views_px.reshape(-1, *grid)),
    )


def models(views: Iterable[PoseSequence]) -> str:
    """The detectors' models of the views, each once."""
    return ", ".join(dict.fromkeys(view.source.model for view in views if view.source.model))


def _check_paired(names: Sequence[str], usable: BoolArray, min_confidence: float) -> None:
    if not (usable.sum(axis=0) >= 2).any():
        counts = ", ".join(f"{name} {n}" for name, n in zip(names, usable.sum(axis=1), strict=True))
        raise InputError(
            f"no joint is in two cameras at once with confidence >= {min_confidence:g} "
            f"(joints of each: {counts}); lower min_confidence or check the recordings"
        )


def _refitted(
    scene: Views,
    estimate: _Estimate,
    usable: BoolArray,
    used: BoolArray,
    points: FloatArray,
    converged: BoolArray,
    fit: Fit,
) -> tuple[FloatArray, BoolArray, FloatArray, FloatArray]:
    """Points, convergence, reprojection errors and cofactors, computed again for points that lost a view."""
    changed = np.flatnonzero((used != usable).any(axis=0))
    points[:, changed], converged[changed] = estimate(scene.at(changed), used[:, changed])
    errors_px, cofactor = fit.errors_px.copy(), fit.cofactor.copy()
    refit = scene.at(changed).fit(used[:, changed], points[:, changed])
    errors_px[:, changed], cofactor[:, changed] = refit.errors_px, refit.cofactor
    return points, converged, errors_px, cofactor


def _check_any_found(names: Sequence[str], found: BoolArray, fit: Fit) -> None:
    if not found.any():
        raise InputError(
            f"no point passed: with all cameras the median reprojection error is {np.nanmedian(fit.errors_px):.1f} px; "
            f"check that the calibration belongs to {', '.join(names)}, that their clocks agree and that they show the "
            f"same person"
        )


def dlt(cameras: Sequence[Camera], pixels: ArrayLike, weights: ArrayLike | None = None) -> FloatArray:
    """Points from their images in two or more cameras, by weighted linear least squares.

    pixels   (view, ..., 2) px as the cameras saw them, distortion included; NaN = not seen
    weights  (view, ...) >= 0, which multiply the equations; 0 = not used; default: 1

    Returns (..., 3) m in the world; NaN if fewer than two views show the point or their rays are parallel.
    Raises `InputError` if the arrays do not fit the cameras.
    """
    observed, weight = _checked(cameras, pixels, weights)
    seen, flat_weight = np.moveaxis(observed, -1, 1).reshape(len(observed), 2, -1), weight.reshape(len(weight), -1)
    optics, points = Optics.of(cameras), np.empty((3, flat_weight.shape[1]))
    for part in chunks(flat_weight.shape[1]):
        scene = Views.of(optics, seen[..., part], flat_weight[:, part])
        points[:, part] = scene.linear(scene.weights > 0)
    return np.moveaxis(points.reshape(3, *weight.shape[1:]), 0, -1)


def reprojection_errors(cameras: Sequence[Camera], points_m: ArrayLike, pixels: ArrayLike) -> FloatArray:
    """(view, ...) px between the images (view, ..., 2) and those of the points (..., 3), distortion included.

    NaN if either is missing or a point is not in front of a camera.
    """
    projected = np.stack([camera.world_to_image(points_m) for camera in cameras])
    return np.asarray(np.linalg.norm(projected - np.asarray(pixels, dtype=float), axis=-1))


def all_views_errors(
    cameras: Sequence[Camera], points_m: FloatArray, pixels: FloatArray, usable: BoolArray
) -> FloatArray:
    """(view, ...) px errors of points (..., 3) m that rest on all usable views (view, ...), for `Triangulation`."""
    return _common_errors(reprojection_errors(cameras, points_m, pixels), usable)


def _common_errors(errors: FloatArray, usable: BoolArray) -> FloatArray:
    """(view, ...) of errors of points from all usable views; infinite if such a point is not in front of the camera."""
    errors = np.where(np.isnan(errors), np.inf, errors)
    return np.asarray(np.where(usable & (usable.sum(axis=0) >= 2), errors, np.nan))


_Estimate = Callable[[Views, BoolArray], tuple[FloatArray, BoolArray]]
"""From the views in `used` (view, point) to points (3, point) m, and whether each converged."""


def _linear_estimate(scene: Views, used: BoolArray) -> tuple[FloatArray, BoolArray]:
    points = scene.linear(used)
    return points, np.isfinite(points[0])


def _refined_estimate(scene: Views, used: BoolArray) -> tuple[FloatArray, BoolArray]:
    return scene.refined(used, scene.linear(used))


@dataclass(frozen=True, eq=False)
class _Limits:
    """How far views may disagree; infinite if a rule is off."""

    mean_px: float
    noise_px: FloatArray  # (view,) per coordinate; NaN if not estimated
    each_px: FloatArray  # (view,)

    def judge(self, fit: Fit, used: BoolArray) -> tuple[BoolArray, FloatArray]:
        """(...) whether the views pass, and how much they disagree, which ranks sets of equal size.

        The disagreement is the sum of squared errors in units of their cameras' noise under the robust rule, else the
        mean error; infinite if no point is in front of all views.
        """
        errors = fit.errors_px
        n_views = used.sum(axis=0)
        possible = np.asarray((np.isfinite(errors) == used).all(axis=0) & (n_views >= 2))
        errors = np.where(np.isfinite(errors), errors, 0.0)
        mean = errors.sum(axis=0) / np.maximum(n_views, 1)
        passed = possible & (mean <= self.mean_px)
        if not np.isfinite(self.each_px).any():
            return passed, np.where(possible, mean, np.inf)
        widest = np.where(used, fit.widest, 1.0)
        passed &= (errors <= self.each_px[:, None] * np.sqrt(widest)).all(axis=0)
        return passed, np.where(possible, ((errors / self.noise_px[:, None]) ** 2).sum(axis=0), np.inf)


def _limits(
    fit: Fit,
    usable: BoolArray,
    max_reprojection_px: float | None,
    robust_sigmas: float | None,
) -> _Limits:
    """The limits for views whose common points fit them so; from them the cameras' noise is estimated."""
    mean_px = np.inf if max_reprojection_px is None else max_reprojection_px
    noise_px = np.full(len(usable), np.nan)
    if robust_sigmas is None:
        return _Limits(mean_px, noise_px, np.full(len(usable), np.inf))
    variance = fit.errors_px**2 / fit.median
    known = np.isfinite(variance)
    if known.sum() >= _FEWEST_FOR_SCALE:
        noise_px[:] = np.sqrt(np.median(variance[known]))
        for view in np.flatnonzero(known.sum(axis=1) >= _FEWEST_FOR_SCALE):
            noise_px[view] = np.sqrt(np.median(variance[view, known[view]]))
        noise_px = np.maximum(noise_px, _FINEST_NOISE_PX)
    return _Limits(mean_px, noise_px, np.where(np.isnan(noise_px), np.inf, robust_sigmas * noise_px))


def _agreeing_views(scene: Views, fit: Fit, usable: BoolArray, limits: _Limits, estimate: _Estimate) -> BoolArray:
    """(view, point) the largest set of views that passes; empty if there is none."""
    used = usable.copy()
    failing = ~limits.judge(fit, usable)[0]
    n_views = len(usable)
    greedy = n_views > _MOST_VIEWS_EXACT
    for n_dropped in range(1, n_views - 1):
        dropped = _subsets(n_views, 1 if greedy else n_dropped)
        size = max(1, _TASKS_AT_ONCE // len(dropped))
        open_points = np.flatnonzero(failing & (usable.sum(axis=0) - n_dropped >= 2))
        for start in range(0, len(open_points), size):
            chunk = open_points[start : start + size]
            base = (used if greedy else usable)[:, chunk]
            used[:, chunk], failing[chunk] = _best_without(scene.at(chunk), base, dropped, limits, estimate)
    used[:, failing] = False
    return used


def _subsets(n: int, size: int) -> BoolArray:
    """(subset, n) all subsets of `size` elements."""
    chosen = np.array(list(combinations(range(n), size)))
    return np.asarray((np.arange(n) == chosen[..., None]).any(axis=1))


def _best_without(
    scene: Views, base: BoolArray, dropped: BoolArray, limits: _Limits, estimate: _Estimate
) -> tuple[BoolArray, BoolArray]:
    """The best of the sets `base` (view, point) without each of `dropped` (set, view), and where none passes."""
    of_base = (base.T[None] | ~dropped[:, None]).all(axis=-1)  # what is dropped was used
    sets, points = np.nonzero(of_base)
    tasks, rest = scene.at(points), base[:, points] & ~dropped[sets].T
    passed, disagreement = np.zeros(of_base.shape, bool), np.full(of_base.shape, np.inf)
    fit = tasks.fit(rest, estimate(tasks, rest)[0])
    passed[sets, points], disagreement[sets, points] = limits.judge(fit, rest)
    none_passes = np.asarray(~passed.any(axis=0))
    best = np.where(passed | none_passes, disagreement, np.inf).argmin(axis=0)
    return base & ~dropped[best].T, none_passes


def _covariance(
    weights: FloatArray, errors_px: FloatArray, cofactor: FloatArray, used: BoolArray, grid: tuple[int, int]
) -> FloatArray:
    """(time, joint, 3, 3) m^2; NaN if there is no point."""
    squares = np.nansum((weights * errors_px) ** 2, axis=0).reshape(grid).sum(axis=0)
    freedom = np.where(used.any(axis=0), 2 * used.sum(axis=0) - 3, 0).reshape(grid).sum(axis=0)
    enough = freedom >= _FEWEST_FREEDOM
    variance = np.where(enough, squares / np.maximum(freedom, 1), squares.sum() / freedom.sum())
    scaled = cofactor.T.reshape(*grid, 6) * variance[:, None]
    return np.asarray(scaled[..., _WHOLE].reshape(*grid, 3, 3))


def _mean_of_used(values: FloatArray, used: BoolArray) -> FloatArray:
    return np.asarray(np.where(used, values, 0.0).sum(axis=0) / np.maximum(used.sum(axis=0), 1))


def least_direct(statuses: Sequence[NDArray[np.uint8]], used: BoolArray) -> NDArray[np.uint8]:
    """(point,) the highest status among the views used: measured < inferred < interpolated < repaired."""
    return np.asarray(np.where(used, np.stack(statuses), Status.MISSING).max(axis=0), dtype=np.uint8)


def _checked(cameras: Sequence[Camera], pixels: ArrayLike, weights: ArrayLike | None) -> tuple[FloatArray, FloatArray]:
    """The pixels and weights as arrays. Raises `InputError` if they do not fit the cameras."""
    observed = np.asarray(pixels, dtype=float)
    if observed.ndim < 2 or observed.shape[0] != len(cameras) or observed.shape[-1] != 2:
        raise InputError(f"pixels have shape {observed.shape}; {len(cameras)} cameras need ({len(cameras)}, ..., 2)")
    weight = np.ones(observed.shape[:-1]) if weights is None else np.asarray(weights, dtype=float)
    if weight.shape != observed.shape[:-1] or not (weight >= 0).all():
        raise InputError(f"weights of shape {weight.shape} must be {observed.shape[:-1]} numbers >= 0")
    return observed, weight


def checked_views(rig: Rig, views: Mapping[str, PoseSequence]) -> tuple[str, ...]:
    """The names of the views in the rig's order, once they are known to fit the cameras and each other."""
    for name in views:
        view, camera = views[name], rig[name]
        if view.frame != "image":
            raise InputError(f"view {name!r} is in frame {view.frame!r}; triangulation needs 2D joints in pixels")
        if view.image_size_px is not None and view.image_size_px != camera.size_px:
            raise InputError(
                f"view {name!r} has images of {_size(view.image_size_px)} px, its calibration is for "
                f"{_size(camera.size_px)}; if the video was cropped, use camera.cropped(...); if it was scaled, "
                f"scale it back or calibrate again"
            )
    names = tuple(name for name in rig.camera_names if name in views)
    if len(names) < 2:
        raise InputError(f"triangulation needs two cameras or more; given: {', '.join(names) or 'none'}")
    first = views[names[0]]
    for name in names[1:]:
        view = views[name]
        if view.skeleton.joints != first.skeleton.joints:
            raise InputError(
                f"view {name!r} has skeleton {view.skeleton.name}, {names[0]!r} has {first.skeleton.name}; "
                f"map one to the other first"
            )
        if len(view) != len(first):
            raise InputError(
                f"view {name!r} has {len(view)} frames, {names[0]!r} has {len(first)}; resample to one clock"
            )
        apart_s = np.abs(view.times_s - first.times_s).max(initial=0.0)
        if apart_s > _TIME_TOLERANCE_S:
            raise InputError(
                f"the times of views {name!r} and {names[0]!r} differ by up to {1000 * apart_s:.1f} ms; "
                f"resample to one clock"
            )
    return names


def view_counts(names: Sequence[str], present: BoolArray, usable: BoolArray, used: BoolArray) -> dict[str, ViewCounts]:
    """Per camera, from (view, ...) masks of detected, confident and used observations."""
    found = used.any(axis=0)
    return {
        name: ViewCounts(
            used=int(used[view].sum()),
            missing=int((~present[view]).sum()),
            below_confidence=int((present & ~usable)[view].sum()),
            dropped=int((usable & ~used & found)[view].sum()),
            unpaired=int((usable & ~found)[view].sum()),
        )
        for view, name in enumerate(names)
    }


def _checked_sigmas(names: Sequence[str], sigma_px: Mapping[str, float] | None) -> FloatArray:
    """(view,) px"""
    if sigma_px is None:
        return np.ones(len(names))
    absent = [name for name in names if name not in sigma_px]
    if absent or not all(sigma_px[name] > 0 for name in names):
        raise InputError(f"sigma_px must give a positive number of pixels for each of {', '.join(names)}")
    return np.array([sigma_px[name] for name in names])


def _size(size_px: tuple[int, int]) -> str:
    return f"{size_px[0]}x{size_px[1]}"


def inherited_history(rig: Rig, views: Mapping[str, PoseSequence]) -> Iterable[str]:
    """The rig's steps and those of the views; a step that several views share appears once."""
    yield from (f"rig: {step}" for step in rig.history)
    steps: dict[str, list[str]] = {}
    for name, view in views.items():
        for step in view.history:
            steps.setdefault(step, []).append(name)
    yield from (f"{', '.join(owners)}: {step}" for step, owners in steps.items())


def _own_history(
    names: Sequence[str],
    usable: BoolArray,
    used: BoolArray,
    present: BoolArray,
    limits: _Limits,
    min_confidence: float,
    robust_sigmas: float | None,
    refine: str,
    unconverged: int,
    sigma_px: Mapping[str, float] | None,
) -> Iterable[str]:
    def per_view(counts: FloatArray | IntArray, spec: str = "d") -> str:
        return ", ".join(f"{name} {count:{spec}}" for name, count in zip(names, counts, strict=True))

    found = used.any(axis=0)
    yield f"triangulated from {', '.join(names)} by linear least squares, weighted by confidence" + (
        "" if sigma_px is None else f" over sigma ({per_view(_checked_sigmas(names, sigma_px), 'g')} px)"
    )
    yield f"below confidence {min_confidence:g}: {per_view((present & ~usable).sum(axis=1))}"
    rules = []
    if np.isfinite(limits.mean_px):
        rules.append(f"mean reprojection error <= {limits.mean_px:g} px")
    if np.isfinite(limits.each_px).any():
        rules.append(f"each view within {robust_sigmas:g} sigma ({per_view(limits.noise_px, '.2f')} px)")
    elif robust_sigmas is not None:
        rules.append(f"no robust rule: fewer than {_FEWEST_FOR_SCALE} errors to estimate the noise from")
    if rules:
        yield f"views dropped ({'; '.join(rules)}): {per_view((usable & ~used & found).sum(axis=1))}"
    paired = usable.sum(axis=0) >= 2
    yield (
        f"points missing: {(~paired).sum()} in fewer than two views, "
        f"{(paired & ~found).sum()} on which no two views agree; {found.sum()} of {found.size} found"
    )
    if refine == "reprojection":
        yield "refined to the least weighted reprojection error" + (
            f"; {unconverged} points did not converge" if unconverged else ""
        )
