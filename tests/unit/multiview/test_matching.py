"""Matching people across views: synthetic scenes with a known patient, and the Pose2Sim demo with its bystander."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gonio.core.camera import Camera, Rig
from gonio.core.detections import Detections
from gonio.core.errors import InputError
from gonio.core.skeleton import BODY_25B, COCO_17
from gonio.detection.tracking import follow
from gonio.multiview.matching import PersonMatch, match_people

STANDING_M = np.array(
    [
        *([0, 0.10, 1.62], [0.03, 0.08, 1.66], [-0.03, 0.08, 1.66], [0.08, 0, 1.63], [-0.08, 0, 1.63]),
        *([0.19, 0, 1.42], [-0.19, 0, 1.42], [0.27, 0.02, 1.13], [-0.27, 0.02, 1.13], [0.28, 0.12, 0.88]),
        *([-0.28, 0.12, 0.88], [0.12, 0, 0.92], [-0.12, 0, 0.92], [0.13, 0.03, 0.5], [-0.13, 0.03, 0.5]),
        *([0.13, 0, 0.08], [-0.13, 0, 0.08]),
    ]
)
"""(17, 3) m a person of 1.75 m in the order of COCO-17, z up, facing +y."""

TIMES_S = np.arange(40) / 30


def walker(start_m: tuple[float, float], velocity_m_s: tuple[float, float] = (0.0, 0.0), seed: int = 0) -> NDArray:
    """(time, 17, 3) m a person of given height and heading, who swings arms and legs in a given rhythm."""
    rng = np.random.default_rng(seed)
    height, heading, phase, rate_hz = rng.uniform([0.85, 0, 0, 0.5], [1.1, 2 * np.pi, 2 * np.pi, 1.0])
    swing = np.sin(2 * np.pi * rate_hz * TIMES_S + phase)
    joints = np.repeat(STANDING_M[None] * height, len(TIMES_S), axis=0)
    for joint, reach_m in ((9, 0.3), (10, -0.3), (7, 0.12), (8, -0.12), (15, -0.25), (16, 0.25), (13, -0.1), (14, 0.1)):
        joints[:, joint, 1] += reach_m * swing
    joints[:, 9, 2] += rng.uniform(0, 0.9)
    joints[:, 10, 2] += rng.uniform(0, 0.9)
    turn = np.array([[np.cos(heading), -np.sin(heading), 0], [np.sin(heading), np.cos(heading), 0], [0, 0, 1]])
    path = np.array([*start_m, 0.0]) + TIMES_S[:, None] * np.array([*velocity_m_s, 0.0])
    return joints @ turn.T + path[:, None]


def ring(n: int, distance_m: float = 4.5) -> Rig:
    """Upright full-HD cameras around the origin, at 1.5 m, no two opposite each other."""
    cameras = []
    for i, azimuth in enumerate(np.deg2rad([20, 110, 245, 320, 170][:n])):
        centre = np.array([distance_m * np.cos(azimuth), distance_m * np.sin(azimuth), 1.5])
        z = np.array([0, 0, 0.9]) - centre
        z /= np.linalg.norm(z)
        x = np.cross(z, [0, 0, 1.0])
        x /= np.linalg.norm(x)
        rotation = np.stack([x, np.cross(z, x), z])
        matrix = np.array([[1400, 0, 539.5], [0, 1400, 959.5], [0, 0, 1.0]])
        distortion = (-0.1, 0.05, 0.001, -0.001)
        cameras.append(
            Camera(f"c{i}", (1080, 1920), matrix, distortion, rotation=rotation, translation=-rotation @ centre)
        )
    return Rig("ring", tuple(cameras), up="+z")


@dataclass(frozen=True)
class Scene:
    """What the cameras detect; truth: camera -> (time, person) the number that each person has there, -1 unseen."""

    rig: Rig
    detections: dict[str, Detections]
    truth: dict[str, NDArray]


def film(rig: Rig, people: list[NDArray], seen: NDArray, seed: int, noise_px: float = 6.0, false: bool = True) -> Scene:
    """Detections of people (time, 17, 3) m where `seen` (view, time, person), in a new order in every frame.

    One more detection is false: random joints in every third frame. One joint in twenty is not found.
    """
    rng = np.random.default_rng(seed)
    n_times, n_people = len(TIMES_S), len(people)
    detections, truth = {}, {}
    for view, camera in enumerate(rig):
        pixels = np.full((n_times, n_people + 1, 17, 2), np.nan)
        for p, joints_m in enumerate(people):
            pixels[:, p] = camera.world_to_image(joints_m) + rng.normal(0, noise_px, (n_times, 17, 2))
            pixels[~seen[view, :, p], p] = np.nan
        if false:
            pixels[::3, -1] = rng.random((len(pixels[::3]), 17, 2)) * camera.size_px
        pixels[rng.random(pixels.shape[:3]) < 0.05] = np.nan
        order = np.argsort(rng.random((n_times, n_people + 1)), axis=1)
        number = np.argsort(order, axis=1)[:, :n_people]
        shuffled = np.take_along_axis(pixels, order[..., None, None], axis=1)
        confidence = np.where(np.isnan(shuffled[..., 0]), 0.0, 0.8)
        detections[camera.name] = Detections(shuffled, confidence, TIMES_S, COCO_17, camera.size_px)
        truth[camera.name] = np.where(seen[view], number, -1)
    return Scene(rig, detections, truth)


def everywhere(rig: Rig, n_people: int) -> NDArray:
    return np.ones((len(rig), len(TIMES_S), n_people), bool)


def patient_in(rig: Rig, detections: Mapping[str, Detections], **options: float) -> PersonMatch:
    return match_people(rig, detections, **options)[0]


def right_share(match: PersonMatch, scene: Scene, person: int = 0) -> float:
    """The share of all (camera, frame) with the right choice, including none."""
    return float(np.mean([match.chosen[name] == scene.truth[name][:, person] for name in scene.truth]))


PLACES_M = [(0.0, 0.0), (1.1, 0.3), (-0.5, 1.0), (0.2, -1.2)]


@pytest.mark.parametrize(
    ("n_views", "n_people"), [(2, 1), (2, 2), (2, 3), (3, 1), (3, 3), (3, 4), (4, 2), (4, 4), (5, 2), (5, 3)]
)
def test_patient_is_found_among_shuffled_people(n_views: int, n_people: int) -> None:
    """The patient is seen by all cameras; each bystander by some, by turns; false detections everywhere."""
    rig = ring(n_views)
    people = [walker(place, (0.1, 0.05), seed) for seed, place in enumerate(PLACES_M[:n_people])]
    seen = everywhere(rig, n_people)
    seen[:, :, 1:] = np.random.default_rng(n_views).random(seen[:, :, 1:].shape) < 0.6
    scene = film(rig, people, seen, seed=n_people)
    assert right_share(patient_in(rig, scene.detections), scene) == 1.0


def test_views_that_miss_the_patient_are_marked_and_counted() -> None:
    rig = ring(4)
    seen = everywhere(rig, 2)
    seen[0, 5:20, 0] = False
    seen[1, 10:15, 0] = False
    seen[2:, :, 1] = False
    scene = film(rig, [walker((0, 0)), walker((1.2, 0), seed=1)], seen, seed=0)
    match = patient_in(rig, scene.detections)
    assert right_share(match, scene) == 1.0
    assert (match.chosen["c0"][5:20] == -1).all() and (match.chosen["c1"][10:15] == -1).all()
    assert re.search("4 cameras: 25 of 40 .*, 15 in", match.history[0])
    assert any("c0 15 frames, c1 5 frames" in step for step in match.history)
    company = next(words for words in match.history if words.startswith("another person in view"))
    assert "c0 40 frames, c1 40 frames" in company  # the bystander; false detections come on top of it in c2 and c3


def test_reprojection_error_is_that_of_the_noise() -> None:
    """Four views, noise of 6 px per coordinate: the fit leaves 5/8 of the variance; Rayleigh's median is 1.177."""
    rig = ring(4)
    scene = film(rig, [walker((0, 0))], everywhere(rig, 1), seed=3)
    error_px = patient_in(rig, scene.detections).reprojection_px
    assert np.median(error_px) == pytest.approx(6 * np.sqrt(5 / 8) * 1.177, rel=0.1)


def test_no_one_is_chosen_while_the_patient_is_away_and_a_bystander_stays() -> None:
    rig = ring(3)
    seen = everywhere(rig, 2)
    seen[:, 15:20, 0] = False
    seen[2, :, 1] = False
    scene = film(rig, [walker((0, 0)), walker((1.5, 0.5), seed=1)], seen, seed=2)
    match = patient_in(rig, scene.detections)
    assert right_share(match, scene) == 1.0
    assert np.isnan(match.reprojection_px[15:20]).all()
    assert not np.isnan(match.reprojection_px[:15]).any()


def test_patient_who_returns_elsewhere_after_a_while_is_joined() -> None:
    rig = ring(3)
    seen = everywhere(rig, 1)
    seen[:, 10:25] = False
    scene = film(rig, [walker((-0.8, 0), (1.2, 0))], seen, seed=2)  # walks on for 0.6 m unseen
    match = patient_in(rig, scene.detections)
    assert right_share(match, scene) == 1.0
    assert any("pieces" in step for step in match.history)


def test_patient_is_kept_when_a_person_walks_past() -> None:
    """The bystander passes at 0.5 m, seen by as many cameras, but only for half of the time."""
    rig = ring(4)
    seen = everywhere(rig, 2)
    seen[:, :20, 1] = False
    scene = film(rig, [walker((0, 0)), walker((-1.5, 0.5), (1.8, 0), seed=5)], seen, seed=1)
    match = patient_in(rig, scene.detections)
    assert right_share(match, scene) == 1.0
    (ambiguous,) = [step for step in match.history if step.startswith("ambiguous")]
    assert "20 frames" in ambiguous


def test_a_bystander_whom_two_cameras_see_well_is_not_the_patient() -> None:
    """The patient is in all four views, but in a third of the frames in none, and half of the joints are never found:
    less support than the bystander has, in more images."""
    rig = ring(4)
    seen = everywhere(rig, 2)
    seen[:, ::3, 0] = False
    seen[2:, :, 1] = False
    scene = film(rig, [walker((0, 0)), walker((1.6, 0), seed=1)], seen, seed=4)
    unfound = {}
    for name, found in scene.detections.items():
        positions = found.positions.copy()
        frames = np.flatnonzero(scene.truth[name][:, 0] >= 0)
        people = scene.truth[name][frames, 0]
        for joint in (0, 1, 2, 3, 4, 7, 8, 9, 10):
            positions[frames, people, joint] = np.nan
        unfound[name] = replace(found, positions=positions)
    match, bystander = match_people(rig, unfound)
    assert right_share(match, scene, 0) > 0.95
    assert right_share(bystander, scene, 1) == 1.0
    assert any("40 frames" in warning and "7" in warning for warning in match.warnings)


def test_rival_is_named() -> None:
    """Two people in all views for all of the time: either may be chosen, and the history reports the ambiguity."""
    rig = ring(3)
    scene = film(rig, [walker((0, 0)), walker((1.2, 0), seed=1)], everywhere(rig, 2), seed=0)
    match = patient_in(rig, scene.detections)
    assert max(right_share(match, scene, 0), right_share(match, scene, 1)) == 1.0
    assert any("40 frames" in warning for warning in match.warnings)


def test_swapped_sides_do_not_cost_a_view() -> None:
    rig = ring(4)
    scene = film(rig, [walker((0, 0)), walker((1.0, 0.5), seed=1)], everywhere(rig, 2), seed=0, false=False)
    hidden = replace(scene.detections["c1"], positions=np.full_like(scene.detections["c1"].positions, np.nan))
    mirror = list(COCO_17.mirrored_order)
    rear = replace(scene.detections["c2"], positions=scene.detections["c2"].positions[:, :, mirror], status=None)
    rear = replace(rear, confidence=np.where(np.isnan(rear.positions[..., 0]), 0.0, 0.8))
    for swapped in (scene.detections | {"c2": rear}, scene.detections | {"c1": hidden, "c2": rear}):
        match = patient_in(rig, swapped)
        person = int(right_share(match, scene, 1) > right_share(match, scene, 0))
        assert (match.chosen["c2"] == scene.truth["c2"][:, person]).all()


def test_parallel_rig_with_small_baseline() -> None:
    """Two cameras 0.28 m apart: depth is poor, and the track must not break on it."""
    rig = Rig.parallel(0.28, 525, (640, 480))
    turn = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0.0]])  # z up -> y down, z forward
    people = [
        walker((0.0, 0.0), (0.1, 0), 0) @ turn.T + [0, 0.9, 3.2],
        walker((0.9, 0.2), seed=1) @ turn.T + [0, 0.9, 3.2],
    ]
    seen = everywhere(rig, 2)
    seen[0, ::2, 1] = False
    scene = film(rig, people, seen, seed=4, noise_px=2.0, false=False)
    match = patient_in(rig, scene.detections)
    assert right_share(match, scene) == 1.0


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 1000), turn=st.permutations(range(3)), n_people=st.integers(1, 3))
def test_numbering_of_people_and_cameras_does_not_matter(seed: int, turn: list[int], n_people: int) -> None:
    """Another order of the people renumbers the answer; another order of the cameras leaves it."""
    rig = ring(3)
    seen = everywhere(rig, n_people)
    seen[0, :, 1:] = False
    people = [walker(place, seed=seed + p) for p, place in enumerate(PLACES_M[:n_people])]
    first, second = (film(rig, people, seen, seed=7, noise_px=4.0) for _ in range(2))
    order = np.random.default_rng(seed).permutation(n_people + 1)
    renumbered = {
        name: replace(view, positions=view.positions[:, order], confidence=view.confidence[:, order], status=None)
        for name, view in second.detections.items()
    }
    turned = rig.select([rig.camera_names[i] for i in turn])
    match = patient_in(rig, first.detections)
    other = patient_in(turned, dict(reversed(renumbered.items())))
    for name in rig.camera_names:
        back = np.where(other.chosen[name] < 0, -1, order[other.chosen[name]])
        np.testing.assert_array_equal(back, match.chosen[name])
    np.testing.assert_allclose(other.reprojection_px, match.reprojection_px, atol=1e-6)


def test_only_the_given_cameras_of_the_rig_are_used() -> None:
    rig = ring(4)
    scene = film(rig, [walker((0, 0))], everywhere(rig, 1), seed=0)
    two = {name: scene.detections[name] for name in ("c3", "c1")}
    match = patient_in(rig, two)
    assert set(match.chosen) == {"c1", "c3"}
    for name in two:
        np.testing.assert_array_equal(match.chosen[name], scene.truth[name][:, 0])


def test_answer_is_read_only() -> None:
    rig = ring(2)
    match = patient_in(rig, film(rig, [walker((0, 0))], everywhere(rig, 1), seed=0).detections)
    for array in (*match.chosen.values(), match.reprojection_px):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_low_confidence_joints_are_not_compared() -> None:
    rig = ring(2)
    scene = film(rig, [walker((0, 0))], everywhere(rig, 1), seed=0)
    faint = {name: replace(view, confidence=view.confidence * 0.3) for name, view in scene.detections.items()}
    with pytest.raises(InputError, match=r"0\.3\): c0 0, c1 0"):
        patient_in(rig, faint)
    assert right_share(patient_in(rig, faint, min_confidence=0.2), scene) == 1.0


def test_rays_that_never_meet_are_an_error_with_counts() -> None:
    rig = ring(3)
    scene = film(rig, [walker((0, 0))], everywhere(rig, 1), seed=0, false=False)
    wrong = {"c0": scene.detections["c1"], "c1": scene.detections["c2"], "c2": scene.detections["c0"]}
    moved = {name: replace(v, positions=v.positions + [0, 250.0 * i]) for i, (name, v) in enumerate(wrong.items())}
    with pytest.raises(InputError, match=r"48 px; .*of 40.*c0 40, c1 40, c2 40"):
        patient_in(rig, moved)


def test_tolerance_is_an_option() -> None:
    rig = ring(3)
    scene = film(rig, [walker((0, 0))], everywhere(rig, 1), seed=0)
    with pytest.raises(InputError, match="within 1 px"):
        patient_in(rig, scene.detections, max_error_px=1.0)
    with pytest.raises(InputError, match="max_error_px"):
        patient_in(rig, scene.detections, max_error_px=0.0)


def test_unusable_input_is_refused() -> None:
    rig = ring(3)
    views = film(rig, [walker((0, 0))], everywhere(rig, 1), seed=0).detections
    with pytest.raises(InputError, match="c0"):
        patient_in(rig, {"c0": views["c0"]})
    with pytest.raises(InputError, match="none"):
        patient_in(rig, {})
    with pytest.raises(InputError, match="'kitchen'"):
        patient_in(rig, views | {"kitchen": views["c0"]})
    late = replace(views["c1"], times_s=views["c1"].times_s + 0.01)
    with pytest.raises(InputError, match=r"c1 .*times"):
        patient_in(rig, views | {"c1": late})
    short = replace(
        late, positions=late.positions[:9], confidence=late.confidence[:9], times_s=TIMES_S[:9], status=None
    )
    with pytest.raises(InputError, match="c1 \\(9 frames\\)"):
        patient_in(rig, views | {"c1": short})
    other = Detections(np.zeros((40, 1, 25, 2)), np.ones((40, 1, 25)), TIMES_S, BODY_25B, (1080, 1920))
    with pytest.raises(InputError, match="body-25b"):
        patient_in(rig, views | {"c2": other})
    none = Detections(np.zeros((0, 1, 17, 2)), np.zeros((0, 1, 17)), np.zeros(0), COCO_17, (1080, 1920))
    with pytest.raises(InputError, match="frame"):
        patient_in(rig, {"c0": none, "c1": none})
    empty = Detections(np.zeros((40, 0, 17, 2)), np.zeros((40, 0, 17)), TIMES_S, COCO_17, (1080, 1920))
    with pytest.raises(InputError, match="c0 0, c1 0"):
        patient_in(rig, {"c0": empty, "c1": empty})
    with pytest.raises(InputError, match=r"c0 40, c1 0"):
        patient_in(rig, {"c0": views["c0"], "c1": empty})


def read_openpose(folder: Path, seed: int) -> Detections:
    """The people of each frame of a folder of OpenPose JSON, in a shuffled order."""
    rng = np.random.default_rng(seed)
    frames = [
        [p["pose_keypoints_2d"] for p in json.loads(path.read_text())["people"] if p.get("pose_keypoints_2d")]
        for path in sorted(folder.glob("*.json"))
    ]
    most = max(len(frame) for frame in frames)
    rows = np.full((len(frames), most, 25, 3), np.nan)
    for frame, people in enumerate(frames):
        for place, person in zip(rng.permutation(most), people, strict=False):
            rows[frame, place] = np.reshape(person, (25, 3))
    seen = rows[..., 2] > 0
    return Detections(
        positions=np.where(seen[..., None], rows[..., :2], np.nan),
        confidence=np.where(seen, rows[..., 2].clip(0, 1), 0.0),
        times_s=np.arange(len(frames)) / 60,
        skeleton=BODY_25B,
        image_size_px=(1088, 1920),
    )


def read_rig(path: Path) -> Rig:
    table = tomllib.loads(path.read_text())
    cameras = [
        Camera(
            name=name.replace("_", ""),
            size_px=(int(entry["size"][0]), int(entry["size"][1])),
            matrix=np.array(entry["matrix"]),
            distortion=tuple(entry["distortions"]),
            rotation=cv2.Rodrigues(np.array(entry["rotation"]))[0],
            translation=np.array(entry["translation"]),
        )
        for name, entry in table.items()
        if name != "metadata"
    ]
    return Rig("demo", tuple(cameras), up="+z")


def test_participant_of_the_demo_is_found_beside_a_bystander(shared_data: Path) -> None:
    """Every view of every frame in which the demo's own association has the participant."""
    demo = shared_data / "pose2sim"
    rig = read_rig(next((demo / "calibration").glob("*.toml")))
    views = {
        name: read_openpose(demo / "balancing" / "pose" / f"{name}_json", i) for i, name in enumerate(rig.camera_names)
    }
    assert {name: int(v.people_per_frame.max()) for name, v in views.items()} == {
        "cam01": 3,
        "cam02": 2,
        "cam03": 1,
        "cam04": 1,
    }
    match = patient_in(rig, views)
    same, known = 0, 0
    for name, view in views.items():
        expected = read_openpose(demo / "balancing" / "pose-associated" / f"{name}_json", 0)
        assert expected.positions.shape[1] == 1
        there = expected.present[:, 0]
        chosen = view.person(match.chosen[name], "chosen").positions
        equal = [np.array_equal(a, b, equal_nan=True) for a, b in zip(chosen, expected.positions[:, 0], strict=True)]
        same += int((there & equal).sum())
        known += int(there.sum())
    assert known == 399
    assert same == known
    assert np.median(match.reprojection_px) == pytest.approx(12.3, abs=0.5)
    assert any("cam01 100 frames, cam02 95 frames" in step for step in match.history)


def test_two_followed_people_are_the_same_two_in_four_views() -> None:
    """Both have one number in each camera, whatever it is; who is the patient is close, who is who is not."""
    rig = ring(4)
    scene = film(rig, [walker((0, 0)), walker((1.0, 0.3), (-0.5, 0), seed=1)], everywhere(rig, 2), seed=4)
    followed = {name: follow(found) for name, found in scene.detections.items()}
    people = match_people(rig, followed)
    assert len(people) == 2
    for match in people:
        assert set(match.numbers) == set(rig.camera_names)
        assert match.track_changes == dict.fromkeys(rig.camera_names, 0)
        assert all((numbers >= 0).all() for numbers in match.chosen.values())
    for name in rig.camera_names:
        assert {match.numbers[name] for match in people} == {0, 1}
        for match in people:  # the joints are those of one person in truth
            detected = followed[name].positions[:, match.numbers[name]]
            apart = [
                np.nanmean(np.linalg.norm(detected - rig[name].world_to_image(joints), axis=-1))
                for joints in (walker((0, 0)), walker((1.0, 0.3), (-0.5, 0), seed=1))
            ]
            assert min(apart) < 10
            assert max(apart) > 50


def test_all_people_are_found_and_shuffled_numbers_change() -> None:
    rig = ring(4)
    people = [walker(place, (0.1, 0.05), seed) for seed, place in enumerate(PLACES_M[:3])]
    scene = film(rig, people, everywhere(rig, 3), seed=2)
    matches = match_people(rig, scene.detections)
    assert len(matches) == 3
    who = [int(np.argmax([right_share(match, scene, person) for person in range(3)])) for match in matches]
    assert sorted(who) == [0, 1, 2]
    assert [right_share(match, scene, person) for match, person in zip(matches, who, strict=True)] == [1.0, 1.0, 1.0]
    assert min(match.track_changes["c0"] for match in matches) > 5
    assert patient_in(rig, scene.detections).chosen["c1"].tolist() == matches[0].chosen["c1"].tolist()


def test_a_passer_by_without_support_is_dropped() -> None:
    rig = ring(3)
    seen = everywhere(rig, 2)
    seen[:, 1:, 1] = False
    scene = film(rig, [walker((0, 0)), walker((1.2, 0), seed=1)], seen, seed=0, false=False)
    assert len(match_people(rig, scene.detections)) == 1
