"""The arithmetic of triangulation: against numpy's decompositions and scipy, point by point."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import least_squares as scipy_least_squares
from scipy.spatial.transform import Rotation

from gonio.core.arrays import BoolArray, FloatArray
from gonio.core.camera import Camera
from gonio.multiview import least_squares
from gonio.multiview.least_squares import Optics, Views, chunks
from gonio.multiview.triangulation import dlt

LENSES = {
    "ideal": Camera("ideal", (1280, 720), np.array([[900, 0, 640], [0, 910, 360], [0, 0, 1]])),
    "skewed": Camera(
        "skewed", (1280, 720), np.array([[900, 7, 640], [0, 910, 360], [0, 0, 1]]), (-0.2, 0.05, 0.001, -0.002, 0.01)
    ),
    "h36m": Camera(
        "h36m",
        (1280, 720),
        np.array([[1100, 0, 630], [0, 1120, 350], [0, 0, 1]]),
        (-0.2, 0.24, -0.01, -0.001, 0.002),
        "h36m",
    ),
}


def cameras(kind: str, n: int = 4) -> list[Camera]:
    """Cameras that look at a point 4 m before them, 1.5 m away from the world's origin."""
    placed = []
    for i in range(n):
        rotation = Rotation.from_euler("yx", [0.4 + 1.3 * i, 0.1 * i]).as_matrix()
        translation = np.array([0, 0, 4.0]) - rotation @ [0.9, -1.2, 0]
        placed.append(replace(LENSES[kind], name=f"{kind}{i}", rotation=rotation, translation=translation))
    return placed


def seen(rig: list[Camera], n: int, noise_px: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Truth (n, 3), pixels (view, 2, n) and weights (view, n), of which some are 0."""
    rng = np.random.default_rng(3)
    truth = rng.uniform(-0.6, 0.6, (n, 3)) + [0.9, -1.2, 0]
    pixels = np.stack([camera.world_to_image(truth).T for camera in rig])
    weights = rng.choice([0.5, 1.0, 2.0], (len(rig), n))
    weights[0, ::7] = 0
    return truth, pixels + rng.normal(0, noise_px, pixels.shape), weights


def by_svd(rig: list[Camera], pixels: FloatArray, weights: FloatArray) -> FloatArray:
    points = np.empty((pixels.shape[2], 3))
    ideal = [camera.undistort_image_points(p.T) for camera, p in zip(rig, pixels, strict=True)]
    P = [camera.matrix @ np.column_stack([camera.rotation, camera.translation]) for camera in rig]
    for i in range(len(points)):
        rows = [weights[v, i] * (P[v][k] - ideal[v][i, k] * P[v][2]) for v in range(len(rig)) for k in range(2)]
        Q = np.linalg.svd(np.array(rows))[2][-1]
        points[i] = Q[:3] / Q[3]
    return points


@pytest.mark.parametrize("kind", [*LENSES])
@pytest.mark.parametrize("noise_px", [0.0, 2.0, 100.0])
def test_linear_is_the_last_singular_vector(kind: str, noise_px: float) -> None:
    rig = cameras(kind)
    _, pixels, weights = seen(rig, 300, noise_px)
    found = dlt(rig, np.moveaxis(pixels, 1, -1), weights)
    fine = np.isfinite(found[:, 0])
    assert fine.mean() > 0.9
    np.testing.assert_allclose(found[fine], by_svd(rig, pixels, weights)[fine], atol=1e-8)


def test_views_that_have_nothing_in_common_give_the_last_singular_vector_too() -> None:
    """The start from the inhomogeneous equations does not lead there: the eigenvector is computed."""
    rig = cameras("ideal", 3)
    rng = np.random.default_rng(0)
    pixels = rng.uniform(-3000, 3000, (3, 2, 400))
    found = dlt(rig, np.moveaxis(pixels, 1, -1))
    expected = by_svd(rig, pixels, np.ones((3, 400)))
    near = np.linalg.norm(expected, axis=1) < 100
    assert near.sum() > 300
    np.testing.assert_allclose(found[near], expected[near], rtol=1e-6, atol=1e-6)


def test_where_a_chunk_ends_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = cameras("skewed")
    _, pixels, weights = seen(rig, 100, 3.0)
    used = weights > 0
    whole = Views.of(Optics.of(rig), pixels, weights)
    points, converged = whole.refined(used, whole.linear(used))
    fit = whole.fit(used, points)
    monkeypatch.setattr(least_squares, "_POINTS_AT_ONCE", 33)
    assert [(part.start, part.stop) for part in chunks(100)] == [(0, 33), (33, 66), (66, 99), (99, 132)]
    again, again_converged = whole.refined(used, whole.linear(used))
    np.testing.assert_allclose(again, points, atol=1e-9)
    np.testing.assert_array_equal(again_converged, converged)
    np.testing.assert_allclose(whole.fit(used, points).widest, fit.widest, rtol=1e-9)


@pytest.mark.parametrize("kind", [*LENSES])
def test_refined_agrees_with_scipy(kind: str) -> None:
    rig = cameras(kind)
    truth, pixels, weights = seen(rig, 30, 4.0)
    views = Views.of(Optics.of(rig), pixels, weights)
    used = weights > 0
    points, converged = views.refined(used, views.linear(used))
    assert converged.all()
    for i in range(30):

        def residuals(x: FloatArray, i: int = i) -> FloatArray:
            errors = [w * (c.world_to_image(x) - p) for w, c, p in zip(weights[:, i], rig, pixels[..., i], strict=True)]
            return np.concatenate(errors)

        best = scipy_least_squares(residuals, truth[i], xtol=1e-14, ftol=1e-14, gtol=1e-14)
        np.testing.assert_allclose(points[:, i], best.x, atol=1e-7)


@pytest.mark.parametrize("kind", [*LENSES])
def test_fit_is_the_formula(kind: str) -> None:
    rig = cameras(kind)
    truth, pixels, weights = seen(rig, 40, 2.0)
    used: BoolArray = weights > 0
    fit = Views.of(Optics.of(rig), pixels, weights).fit(used, truth.T)
    for i in range(40):
        own = np.flatnonzero(used[:, i])
        projected, derivatives = zip(*(rig[v].world_to_image_jacobian(truth[i]) for v in own), strict=True)
        J = weights[own, i, None, None] * np.stack(derivatives)
        cofactor = np.linalg.inv(sum(j.T @ j for j in J))
        np.testing.assert_allclose(fit.cofactor[:, i], cofactor[np.triu_indices(3)], rtol=1e-8)
        errors = np.linalg.norm(np.stack(projected) - pixels[own, :, i], axis=1)
        np.testing.assert_allclose(fit.errors_px[own, i], errors, rtol=1e-9)
        spread = [np.linalg.eigvalsh(np.eye(2) - j @ cofactor @ j.T) for j in J]
        np.testing.assert_allclose(fit.widest[own, i], [s.max() for s in spread], rtol=1e-6)
    assert np.isnan(fit.errors_px[~used]).all()


def test_the_median_of_a_squared_residual() -> None:
    """Against 20,000 draws of a residual with the covariance S."""
    rig = cameras("ideal")
    truth, pixels, weights = seen(rig, 3, 0.0)
    fit = Views.of(Optics.of(rig), pixels, weights).fit(weights > 0, truth.T)
    rng = np.random.default_rng(0)
    for v in range(1, 4):
        J = weights[:, 1, None, None] * np.stack([c.world_to_image_jacobian(truth[1])[1] for c in rig])
        S = np.eye(2) - J[v] @ np.linalg.inv((J.swapaxes(1, 2) @ J).sum(axis=0)) @ J[v].T
        drawn = np.median((rng.multivariate_normal(np.zeros(2), S, 20_000) ** 2).sum(axis=1))
        assert fit.median[v, 1] == pytest.approx(drawn, rel=0.07)


def test_a_point_behind_a_camera_has_no_error_there() -> None:
    rig = cameras("ideal")
    _, pixels, weights = seen(rig, 5, 0.0)
    used = weights > 0
    behind = rig[1].camera_to_world(np.tile([0, 0, -1.0], (5, 1)))
    fit = Views.of(Optics.of(rig), pixels, weights).fit(used, behind.T)
    assert np.isnan(fit.errors_px[1]).all()
