"""Which of the people in view is the patient: by rule, by a click, by rays that meet."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from bodies import STANDING
from numpy.typing import NDArray

from gonio.core.camera import Camera, Rig
from gonio.core.detections import Detections
from gonio.core.errors import InputError
from gonio.core.skeleton import COCO_17
from gonio.detection.tracking import follow
from gonio.trials.patient import Click, choose_among, first_people, patient_in_view, person_at

RATE_HZ = 30.0
N = 90


def standing(x: float, y: float, height: float) -> NDArray:
    """(time, 17, 2) px somebody who stands with the middle at x, y."""
    return np.repeat((STANDING * height / 2 + [x, y])[None], N, axis=0)


def view(*people: NDArray, boxes: bool = False) -> Detections:
    positions = np.stack(people, axis=1)
    there = ~np.isnan(positions[..., 0])
    corners = None
    if boxes:
        corners = np.concatenate([positions.min(axis=2), positions.max(axis=2)], axis=2)
    return Detections(
        positions, 0.9 * there, np.arange(N) / RATE_HZ, COCO_17, (1000, 800), frame_name="cam01", boxes_px=corners
    )


def cut(person: NDArray, start: int, end: int) -> NDArray:
    """Seen in frames start <= i < end only."""
    seen = np.full_like(person, np.nan)
    seen[start:end] = person[start:end]
    return seen


def test_the_rule_counts_frames_and_not_the_first_frame() -> None:
    """A larger person is in view at first and leaves; another stands in the middle throughout."""
    people = view(cut(standing(200, 400, 500), 0, 20), standing(480, 400, 300), standing(800, 400, 350))
    largest, description = patient_in_view(people, "largest")
    assert set(largest) == {2}
    assert "largest" in description
    center, description = patient_in_view(people, "center")
    assert set(center) == {1}
    assert "centre" in description


def test_the_centre_of_an_image_of_unknown_size_is_that_of_the_smallest_image() -> None:
    people = replace(
        view(standing(200, 400, 300), standing(480, 400, 300), standing(800, 400, 350)), image_size_px=None
    )
    assert set(patient_in_view(people, "center")[0]) == {1}


def test_one_person_and_no_person() -> None:
    alone, description = patient_in_view(view(cut(standing(500, 400, 300), 10, 90)), "largest")
    assert (alone[:10] == -1).all() and (alone[10:] == 0).all()
    assert "only" in description
    empty = replace(
        view(standing(1, 1, 1)), positions=np.empty((N, 0, 17, 2)), confidence=np.empty((N, 0, 17)), status=None
    )
    assert (patient_in_view(empty, "largest")[0] == -1).all()


def test_tracks_of_the_patient_are_joined_if_a_walk_explains_the_gap() -> None:
    """Three numbers of one person; a bystander; a person who appears too far away to be the patient."""
    people = view(
        cut(standing(300, 400, 400), 0, 30),
        standing(800, 400, 300),
        cut(standing(350, 400, 400), 31, 60),
        cut(standing(950, 100, 100), 61, 90),
        cut(standing(400, 400, 400), 60, 61),
    )
    chosen, description = patient_in_view(people, "largest", Click(300, 400, 0.0))
    assert chosen.tolist() == [0] * 30 + [-1] + [2] * 29 + [4] + [-1] * 29
    for fact in ("400 px", "at most 2", "3 pieces"):
        assert fact in description


@pytest.mark.parametrize("boxes", [False, True])
@pytest.mark.parametrize(
    ("place", "person"),
    [((300, 400), 0), ((700, 400), 1), ((300 + 0.26 * 200, 300), 0), ((700, 240), 1), ((745, 430), 1)],
)
def test_a_click_selects_the_person_at_its_place(place: tuple[float, float], person: int, boxes: bool) -> None:
    people = view(standing(300, 400, 400), standing(700, 400, 300), boxes=boxes)
    assert person_at(people, Click(*place, 1.0)) == person


def test_of_two_in_one_place_the_nearest_limbs_count() -> None:
    """Boxes overlap: on the left one's ankle, on the right one's wrist."""
    people = view(standing(450, 400, 400), standing(510, 400, 400), boxes=True)
    assert person_at(people, Click(450 + 26, 400 + 160, 0.0)) in (0, 1)
    assert person_at(people, Click(450 - 26, 400 + 160, 0.0)) == 0
    assert person_at(people, Click(510 + 54, 400 - 24, 0.0)) == 1
    middle_of_shin = 510 + 26, 400 + 115
    assert person_at(people, Click(*middle_of_shin, 0.0)) == 1


def test_a_click_uses_its_time_and_tolerates_a_frame_without_detection() -> None:
    one, other = standing(300, 400, 400), standing(300, 400, 400)
    people = view(cut(one, 0, 40), cut(other, 43, 90))
    assert person_at(people, Click(300, 400, 0.5)) == 0
    assert person_at(people, Click(300, 400, 2.5)) == 1
    assert person_at(people, Click(300, 400, 40 / RATE_HZ)) == 0
    assert person_at(people, Click(300, 400, 42 / RATE_HZ)) == 1


@pytest.mark.parametrize(
    ("click", "message"),
    [
        (Click(500, 10, 1.0), r"cam01..*500.*10 px"),
        (Click(300, 400, 9.0), r"cam01..*300.*400 px"),
        (Click(300, 400, -1.0), "outside"),
    ],
)
def test_a_click_on_no_person_is_an_error(click: Click, message: str) -> None:
    with pytest.raises(InputError, match=message):
        person_at(view(standing(300, 400, 400), standing(700, 400, 300)), click)


def test_a_click_on_an_empty_view_is_an_error() -> None:
    with pytest.raises(InputError, match="no person was detected"):
        person_at(view(cut(standing(300, 400, 400), 60, 90)), Click(300, 400, 0.5))


def test_the_first_people_begin_with_the_patient() -> None:
    people = view(standing(200, 400, 200), standing(500, 400, 400), standing(800, 400, 300), boxes=True)
    chosen = np.full(N, 2)
    chosen[:5] = -1
    two = first_people(people, 2, chosen, "largest")
    assert two.people_per_frame.tolist() == [1] * 5 + [2] * 85
    np.testing.assert_array_equal(two.positions[5:, 0], people.positions[5:, 2])
    np.testing.assert_array_equal(two.positions[:, 1], people.positions[:, 1])
    np.testing.assert_array_equal(two.boxes_px[:, 1], people.boxes_px[:, 1])
    assert len(two.history) == 1  # who was left out
    assert first_people(people, 5, chosen, "largest").positions.shape[1] == 3


# --- several cameras -------------------------------------------------------------------------------------------------


def camera(name: str, azimuth_deg: float) -> Camera:
    """Upright, 5 m from the origin, level with the hips."""
    azimuth = np.deg2rad(azimuth_deg)
    centre = np.array([5 * np.cos(azimuth), 5 * np.sin(azimuth), 0.9])
    forward = np.array([0, 0, 0.9]) - centre
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, [0, 0, 1.0])
    rotation = np.stack([right, np.cross(forward, right), forward])
    matrix = np.array([[900.0, 0, 499.5], [0, 900.0, 399.5], [0, 0, 1]])
    return Camera(name, (1000, 800), matrix, (), rotation=rotation, translation=-rotation @ centre)


def body_m(x: float, y: float, seed: int) -> NDArray:
    """(time, 17, 3) m somebody 1.8 m tall, facing +y, who sways."""
    joints = np.column_stack([STANDING[:, 0] * 0.9, 0.1 * np.sin(STANDING[:, 1] * 3), 0.9 - STANDING[:, 1] * 0.9])
    sway = 0.05 * np.sin(2 * np.pi * np.arange(N) / RATE_HZ + seed)
    return joints + np.array([x, y, 0.0]) + sway[:, None, None] * [1, 0.5, 0]


@pytest.fixture(scope="module")
def crowd() -> tuple[Rig, dict[str, Detections], dict[str, NDArray]]:
    """Four cameras, two people, in a new order in every frame; camera -> (time, person, 17, 2) the truth."""
    rng = np.random.default_rng(3)
    rig = Rig("lab", tuple(camera(f"cam{i + 1:02d}", a) for i, a in enumerate((20, 110, 245, 320))), up="+z")
    people_m = [body_m(-0.5, 0.1, 0), body_m(0.7, -0.2, 2)]
    found, truth = {}, {}
    for each in rig:
        pixels = np.stack([each.world_to_image(joints) for joints in people_m], axis=1)
        noisy = pixels + rng.normal(0, 2, pixels.shape)
        order = np.argsort(rng.random((N, 2)), axis=1)
        shuffled = np.take_along_axis(noisy, order[..., None, None], axis=1)
        found[each.name] = Detections(
            shuffled, np.full(shuffled.shape[:3], 0.9), np.arange(N) / RATE_HZ, COCO_17, (1000, 800), each.name
        )
        truth[each.name] = pixels
    return rig, found, truth


def error_px(
    people: dict[str, Detections], chosen: dict[str, NDArray], truth: dict[str, NDArray], person: int
) -> float:
    """The largest mean distance, over the cameras, between the chosen joints and a person's."""
    return max(
        float(np.linalg.norm(found.person(chosen[name], "").positions - truth[name][:, person], axis=-1).mean())
        for name, found in people.items()
    )


@pytest.mark.parametrize("person", [0, 1])
@pytest.mark.parametrize("name", ["cam01", "cam03"])
def test_a_click_in_one_camera_chooses_in_all(crowd, person: int, name: str) -> None:
    rig, found, truth = crowd
    people = {camera_name: follow(each) for camera_name, each in found.items()}
    x, y = truth[name][45, person, [5, 6, 11, 12]].mean(axis=0)
    choice = choose_among(rig, people, np.arange(N) / RATE_HZ, "largest", {name: Click(x, y, 1.5)})
    assert error_px(people, choice.chosen, truth, person) < 4
    assert all((numbers >= 0).all() for numbers in choice.chosen.values())
    assert "clicked" in choice.descriptions["cam02"]
    assert choice.warnings == ()
    assert "2 people" in choice.notes[-1]


def test_without_a_click_a_close_choice_is_warned_of(crowd) -> None:
    rig, found, truth = crowd
    people = {name: follow(each) for name, each in found.items()}
    choice = choose_among(rig, people, np.arange(N) / RATE_HZ, "largest")
    assert min(error_px(people, choice.chosen, truth, person) for person in (0, 1)) < 4
    assert len(choice.warnings) == 1


def test_clicks_on_two_people_are_refused(crowd) -> None:
    rig, found, truth = crowd
    people = {name: follow(each) for name, each in found.items()}
    hips = {"cam01": truth["cam01"][0, 0, 11], "cam02": truth["cam02"][0, 1, 12]}
    clicks = {name: Click(*place, 0.0) for name, place in hips.items()}
    with pytest.raises(InputError, match=r"cam01.*cam02"):
        choose_among(rig, people, np.arange(N) / RATE_HZ, "largest", clicks)


def test_a_click_on_a_person_in_one_camera_alone_is_refused(crowd) -> None:
    rig, found, _ = crowd
    third = np.repeat((STANDING * 60 + [60, 80])[None, None], N, axis=0)
    more = np.concatenate([found["cam01"].positions, third], axis=1)
    three = replace(found["cam01"], positions=more, confidence=np.full(more.shape[:3], 0.9), status=None)
    people = {name: follow(each) for name, each in (found | {"cam01": three}).items()}
    with pytest.raises(InputError, match=r"cam01.*60, 80 px at 0\.00 s"):
        choose_among(rig, people, np.arange(N) / RATE_HZ, "largest", {"cam01": Click(60, 80, 0.0)})
