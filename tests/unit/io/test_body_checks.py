"""What no body can be: nothing, a dwarf, a giant, or another layout."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gonio.core.errors import InputError
from gonio.core.sequence import PoseSequence
from gonio.core.skeleton import BODY_12, BODY_25, BODY_25B, HAND_21, Skeleton
from gonio.io import formats
from gonio.io.body_checks import check_body_size, extent_m, fits_better
from gonio.io.body_checks import layout_misfit as misfit


def sequence(positions: np.ndarray, skeleton: Skeleton) -> PoseSequence:
    return PoseSequence(positions, np.arange(len(positions)) / 30, skeleton, "m", "world")


def line(n_frames: int = 5, length_m: float = 1.1) -> np.ndarray:
    """(time, 12, 3): the joints evenly along a line through the origin."""
    positions = np.zeros((n_frames, 12, 3))
    positions[..., 1] = np.linspace(0, length_m, 12)
    return positions


def test_the_largest_distance_median_over_time() -> None:
    positions = line()
    assert extent_m(sequence(positions, BODY_12)) == pytest.approx(1.1)
    positions[:2] *= 100  # two frames of five are broken
    assert extent_m(sequence(positions, BODY_12)) == pytest.approx(1.1)


def test_only_frames_that_show_enough_of_the_body_count() -> None:
    positions = line(3)
    arms = [i for i, joint in enumerate(BODY_12.joints) if not any(w in joint for w in ("shoulder", "elbow", "wrist"))]
    positions[:, arms] = np.nan
    assert np.isnan(extent_m(sequence(positions * 0.1, BODY_12)))
    check_body_size("x", sequence(positions * 0.1, BODY_12), "")
    one_leg = BODY_12.select(["left_hip", "left_knee"])
    assert extent_m(sequence(np.array([[[0, 0, 0], [0, 0.4, 0]]]), one_leg)) == pytest.approx(0.4)


def test_hands_and_unknown_markers_are_let_through() -> None:
    for skeleton in (HAND_21, Skeleton("markers", ("LASI", "RASI"), (-1, -1))):
        positions = np.random.default_rng(0).normal(0, 0.02, (4, len(skeleton), 3))
        check_body_size("x", sequence(positions, skeleton), "")


@pytest.mark.parametrize(("length_m", "match"), [(0.0011, "1.1 mm"), (0.2, "200 mm"), (5.5, "5.5 m"), (1100, "1100 m")])
def test_dwarfs_and_giants(length_m: float, match: str) -> None:
    with pytest.raises(InputError, match=rf"^x\.trc: .*{match} .*do this$"):
        check_body_size("x.trc", sequence(line(length_m=length_m), BODY_12), "do this")


def test_markers_in_the_wrong_unit() -> None:
    markers = Skeleton("markers", ("C7", "LSHO", "RSHO", "LASI", "RASI", "LKNE", "LANK"), (-1,) * 7)
    height_m = np.array([1.5, 1.45, 1.45, 1.0, 1.0, 0.5, 0.1])
    positions = np.zeros((5, 7, 3))
    positions[..., 2] = height_m
    check_body_size("walk.trc", sequence(positions, markers), "declare it")
    with pytest.raises(InputError, match=r"walk\.trc: .*1\.35 mm"):
        check_body_size("walk.trc", sequence(positions / 1000, markers), "declare it")


@pytest.mark.parametrize("length_m", [0.3, 0.7, 1.8, 4.5])
def test_an_infant_and_a_loose_estimate_are_let_through(length_m: float) -> None:
    check_body_size("x", sequence(line(length_m=length_m), BODY_12), "")


def test_a_hip_at_the_origin_is_a_joint() -> None:
    check_body_size("x", sequence(line(), BODY_12), "")
    with pytest.raises(InputError, match="joint"):
        check_body_size("x", sequence(np.zeros((3, 12, 3)), BODY_12), "")
    with pytest.raises(InputError, match="joint"):
        check_body_size("x", sequence(np.zeros((0, 12, 3)), BODY_12), "")


def test_real_recordings(shared_data: Path) -> None:
    for path in sorted((shared_data / "pose2sim/balancing/pose-3d").glob("*.trc")):
        found = formats.read(path)
        assert isinstance(found, PoseSequence)
        assert 1.2 < extent_m(found) < 2.0


def test_too_few_joints_say_nothing_of_the_layout() -> None:
    points = np.random.default_rng(0).uniform(0, 500, (4, 25, 2))
    points[:, 9:] = np.nan
    assert not fits_better(points, BODY_25, BODY_25B)
    assert not fits_better(np.empty((0, 25, 2)), BODY_25, BODY_25B)
    assert np.isnan(misfit(np.zeros((2, 25, 2)), BODY_25)).all()  # of no extent


def test_misfit_by_hand() -> None:
    points = np.full((1, 25, 2), np.nan)
    points[0, :10] = [300.0, 0.0]
    points[0, [BODY_25.index("left_shoulder"), BODY_25.index("right_shoulder")]] = [[0, 400], [100, 400]]
    points[0, BODY_25.index("neck")] = [50, 350]
    assert misfit(points, BODY_25) == pytest.approx([50 / 500])
