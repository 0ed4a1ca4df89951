"""People followed in one view: synthetic people whose identity is known, in a new order in every frame."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from bodies import STANDING
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray
from sentences import numbers_in

from gonio.core.detections import Detections
from gonio.core.skeleton import BLAZEPOSE_33, BODY_25, COCO_17
from gonio.detection.tracking import _assigned, follow

RATE_HZ = 30.0


def walker(path_px: NDArray, height_px: float = 500.0, seed: int = 0) -> NDArray:
    """(time, 17, 2) px a person along a path (time, 2), who swings arms and legs in an own rhythm."""
    rng = np.random.default_rng([7, seed])
    phase, rate_hz, width = rng.uniform([0, 0.7, 0.5], [2 * np.pi, 1.1, 1.0])
    swing = np.sin(2 * np.pi * rate_hz * np.arange(len(path_px)) / RATE_HZ + phase)
    joints = np.repeat(STANDING[None] * [width, 1.0], len(path_px), axis=0)
    for joint, reach in ((9, 0.3), (10, -0.3), (7, 0.15), (8, -0.15), (15, -0.3), (16, 0.3), (13, -0.15), (14, 0.15)):
        joints[:, joint, 0] += reach * swing
    return joints * height_px / 2 + path_px[:, None]


def line(start: tuple[float, float], end: tuple[float, float], n: int = 150) -> NDArray:
    """(time, 2) px from one point to the other."""
    return np.linspace(start, end, n)


def film(people: list[NDArray], seen: NDArray, seed: int = 0, noise: float = 0.01, dropout: float = 0.05) -> Detections:
    """People (time, 17, 2) where `seen` (time, person), in a random order in every frame; `scores` say who it is.

    noise is per coordinate, over the person's height; one joint in twenty is not found.
    """
    rng = np.random.default_rng(seed)
    pixels = np.stack(people, axis=1)
    heights = np.ptp(pixels, axis=(0, 2))[:, 1]
    pixels += rng.normal(0, 1, pixels.shape) * noise * heights[:, None, None]
    pixels[rng.random(pixels.shape[:3]) < dropout] = np.nan
    pixels[~seen] = np.nan
    who = np.where(seen, (np.arange(len(people)) + 1) / 10, 0.0)
    order = np.argsort(rng.random(seen.shape), axis=1)
    pixels = np.take_along_axis(pixels, order[..., None, None], axis=1)
    return Detections(
        pixels,
        np.where(np.isnan(pixels[..., 0]), 0.0, 0.8),
        np.arange(len(pixels)) / RATE_HZ,
        COCO_17,
        (1920, 1080),
        scores=np.take_along_axis(who, order, axis=1),
        history=("seen",),
    )


def identities(followed: Detections) -> list[set[float]]:
    """For each followed person, who it was in truth."""
    assert followed.scores is not None
    return [set(followed.scores[followed.present[:, k], k]) for k in range(followed.positions.shape[1])]


def always(n_people: int, n: int = 150) -> NDArray:
    return np.ones((n, n_people), bool)


@pytest.mark.parametrize("seed", range(8))
def test_people_in_a_new_order_in_every_frame(seed: int) -> None:
    people = [walker(line((x, 540), (x + 100, 560)), 400 + 40 * i, i) for i, x in enumerate((300, 600, 950, 1500))]
    found = film(people, always(4), seed)
    followed = follow(found)
    assert sorted(identities(followed), key=min) == [{0.1}, {0.2}, {0.3}, {0.4}]
    np.testing.assert_array_equal(followed.people_per_frame, found.people_per_frame)
    assert numbers_in(followed.history[-1]) == [4, 150, 0, 2]  # people, frames, gaps, s


@pytest.mark.parametrize("noise", [0.005, 0.02])
@pytest.mark.parametrize("seed", range(12))
def test_two_people_cross(seed: int, noise: float) -> None:
    """Through each other in the image: both are seen throughout."""
    people = [
        walker(line((300, 540), (1600, 560)), 500, 2 * seed),
        walker(line((1500, 550), (200, 540)), 470, 2 * seed + 1),
    ]
    assert sorted(identities(follow(film(people, always(2), seed, noise))), key=min) == [{0.1}, {0.2}]


@pytest.mark.parametrize("seed", range(12))
def test_two_people_cross_and_the_one_behind_is_not_seen_meanwhile(seed: int) -> None:
    people = [
        walker(line((300, 540), (1600, 560)), 500, 2 * seed),
        walker(line((1500, 550), (200, 540)), 470, 2 * seed + 1),
    ]
    seen = always(2)
    seen[np.abs(people[0][:, 0, 0] - people[1][:, 0, 0]) < 110, 1] = False
    assert 10 < (~seen[:, 1]).sum() < 20
    followed = follow(film(people, seen, seed, noise=0.01))
    assert sorted(identities(followed), key=min) == [{0.1}, {0.2}]
    assert numbers_in(followed.history[-1])[2] == 1


def test_a_hidden_person_is_found_where_the_velocity_predicts() -> None:
    """0.4 s unseen at 260 px/s, half a width away from somebody who stands there."""
    people = [walker(line((200, 540), (1500, 540))), walker(line((1100, 540), (1100, 540)), 520, 1)]
    seen = always(2)
    seen[80:92, 0] = False
    assert sorted(identities(follow(film(people, seen))), key=min) == [{0.1}, {0.2}]


@pytest.mark.parametrize(("gap_s", "people"), [(1.5, 2), (3.0, 3)])
def test_a_person_gets_a_new_number_after_a_long_absence(gap_s: float, people: int) -> None:
    seen = always(2)
    seen[20 : 20 + round(gap_s * RATE_HZ), 0] = False
    standing = [walker(line((500, 540), (500, 540))), walker(line((1300, 540), (1300, 540)), 450, 1)]
    followed = follow(film(standing, seen))
    assert len(identities(followed)) == people
    assert all(len(who) == 1 for who in identities(followed))


def test_a_hidden_person_does_not_take_the_detection_of_a_visible_one() -> None:
    """A person vanishes beside one who stays; the one who stays is not renamed."""
    people = [walker(line((600, 540), (600, 540))), walker(line((700, 540), (700, 540)), 500, 0)]
    seen = always(2)
    seen[50:, 1] = False
    assert sorted(identities(follow(film(people, seen))), key=min) == [{0.1}, {0.2}]


def test_one_person_enters_and_another_leaves() -> None:
    people = [walker(line((300 + 400 * i, 540), (300 + 400 * i, 540)), 500, i) for i in range(3)]
    seen = always(3)
    seen[:60, 1] = False
    seen[100:, 2] = False
    followed = follow(film(people, seen, seed=3))
    assert identities(followed)[2] == {0.2}  # numbered in the order of appearance
    frames = [tuple(np.flatnonzero(followed.present[:, k])[[0, -1]]) for k in range(3)]
    assert frames[2] == (60, 149)
    assert sorted(frames[:2]) == [(0, 99), (0, 149)]


def test_short_false_detections_are_left_out_and_counted() -> None:
    rng = np.random.default_rng(5)
    anywhere = rng.uniform([0, 0], [1920, 1080], (150, 2))
    people = [walker(line((500, 540), (700, 540))), walker(anywhere, 200)]
    seen = always(2)
    seen[:, 1] = np.arange(150) % 5 == 0
    followed = follow(film(people, seen))
    assert identities(followed) == [{0.1}]
    people_frames_gaps, left_out = [1, 150, 0, 2], [23, 6, 30]  # people in fewer than 6 frames, 30 detections
    assert numbers_in(followed.history[-1]) == people_frames_gaps + left_out


def test_exchanged_sides_do_not_break_a_track() -> None:
    people = [walker(line((500, 540), (900, 540))), walker(line((1300, 540), (1000, 540)), 450, 1)]
    found = film(people, always(2), dropout=0.0)
    turned = np.array(found.positions)
    turned[30:60] = turned[30:60][:, :, list(COCO_17.mirrored_order)]
    assert sorted(identities(follow(replace(found, positions=turned))), key=min) == [{0.1}, {0.2}]


def test_everything_moves_with_its_person() -> None:
    people = [walker(line((400, 540), (500, 540)), 500, 0), walker(line((1000, 540), (1000, 540)), 500, 1)]
    found = film(people, always(2), dropout=0.0)
    low, high = found.positions.min(axis=2), found.positions.max(axis=2)
    found = replace(
        found,
        boxes_px=np.concatenate([low, high], axis=2),
        world_m=np.concatenate([found.positions, found.positions[..., :1]], axis=3),
        status=np.full(found.positions.shape[:3], 2),
    )
    followed = follow(found)
    assert followed.boxes_px is not None and followed.world_m is not None
    np.testing.assert_array_equal(followed.boxes_px[..., :2], followed.positions.min(axis=2))
    np.testing.assert_array_equal(followed.world_m[..., :2], followed.positions)
    assert (followed.status == 2).all()


def test_the_same_detections_give_the_same_people() -> None:
    people = [walker(line((300, 540), (1600, 560)), 500, 0), walker(line((1500, 550), (200, 540)), 470, 1)]
    found = film(people, always(2), 1)
    np.testing.assert_array_equal(follow(found).positions, follow(found).positions)


def test_a_number_that_passes_from_one_person_to_another_is_corrected() -> None:
    """A detector that sees one person at a time, and another one from the middle on."""
    path = np.where(np.arange(150)[:, None] < 75, [400, 540], [900, 540])
    followed = follow(film([walker(path)], always(1)))
    assert followed.positions.shape[1] == 2
    assert np.flatnonzero(followed.present[:, 1]).tolist() == list(range(75, 150))


def test_one_person_and_no_person() -> None:
    found = film([walker(line((300, 540), (1600, 560)))], always(1))
    np.testing.assert_array_equal(follow(found).positions, found.positions)
    nobody = replace(
        found, positions=found.positions[:, :0], confidence=found.confidence[:, :0], scores=None, status=None
    )
    assert follow(nobody) is nobody


def test_a_single_frame_and_short_recordings_are_kept() -> None:
    people = [walker(line((300, 540), (400, 560), 3), 500, 0), walker(line((1500, 550), (1400, 540), 3), 470, 1)]
    assert len(identities(follow(film(people, always(2, 3))))) == 2
    one = follow(film([person[:1] for person in people], always(2, 1)))
    assert one.people_per_frame.tolist() == [2]
    seen = np.zeros((150, 2), bool)
    seen[10:12] = True
    long = [walker(line((300, 540), (400, 560)), 500, 0), walker(line((1500, 550), (1400, 540)), 470, 1)]
    assert len(identities(follow(film(long, seen)))) == 2


@pytest.mark.parametrize("skeleton", [BODY_25, BLAZEPOSE_33], ids=lambda s: s.name)
def test_other_layouts(skeleton) -> None:
    """Joints that COCO does not have follow the body."""
    people = [walker(line((300, 540), (1600, 560)), 500, 0), walker(line((1500, 550), (200, 540)), 470, 1)]
    found = film(people, always(2), 1)
    rows = found.positions.reshape(-1, 17, 2)
    index = [COCO_17.index(joint) if joint in COCO_17 else COCO_17.index("nose") for joint in skeleton.joints]
    other = rows[:, index].reshape(150, 2, len(skeleton), 2)
    followed = follow(
        replace(found, positions=other, confidence=np.full(other.shape[:3], 0.5), status=None, skeleton=skeleton)
    )
    assert sorted(identities(followed), key=min) == [{0.1}, {0.2}]


@given(
    arrays(
        float, array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=4), elements=st.sampled_from([0, 0, 0.5, 0.9])
    )
)
def test_people_and_tracks_are_assigned_once_and_no_other_way_claims_more(claims: NDArray) -> None:
    pairs = _assigned(claims)
    rows, columns = {row for row, _ in pairs}, {column for _, column in pairs}
    assert len(rows) == len(columns) == len(pairs)
    assert all(claims[pair] > 0 for pair in pairs)
    smaller = claims if claims.shape[0] <= claims.shape[1] else claims.T
    ways = permutations(range(smaller.shape[1]), smaller.shape[0])
    best = max(sum(smaller[row, column] for row, column in enumerate(way)) for way in ways)
    assert sum(claims[pair] for pair in pairs) == pytest.approx(best)
