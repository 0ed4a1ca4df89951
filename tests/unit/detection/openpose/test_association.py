"""Part association: known people, the same people as by the plain way, and input that cannot be used."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import openpose_scenes as scenes
import plain_association
import pytest

from gonio.core.errors import InputError
from gonio.detection.openpose.association import Thresholds, associate
from gonio.detection.openpose.layouts import BODY_25_PARTS, COCO_18_PARTS

LAYOUTS = pytest.mark.parametrize("layout", [BODY_25_PARTS, COCO_18_PARTS], ids=lambda layout: layout.skeleton.name)


@pytest.fixture(scope="session")
def real_bodies(shared_data):
    return scenes.bodies_of(shared_data)


@pytest.fixture(scope="session")
def bodies():
    return scenes.made_up_bodies()


def same_people(got, want, layout, within_px=0.1):
    """That two ways found the same people in the same order."""
    assert len(got) == len(want)
    for keypoints, score, person in zip(got.keypoints, got.scores, want, strict=True):
        assert np.flatnonzero(~np.isnan(keypoints[:, 0])).tolist() == sorted(person["parts"])
        for part, (x, y, value) in person["parts"].items():
            assert keypoints[part] == pytest.approx((x, y, value), abs=within_px)
            assert keypoints[part, 2] == pytest.approx(value, abs=1e-4)
        assert score == pytest.approx(person["score"], abs=1e-3)


# Scenes


@LAYOUTS
@pytest.mark.parametrize("n_people", [1, 2, 5, 10, 20])
def test_limbs_are_recovered_and_none_is_invented(layout, n_people, real_bodies):
    total = scenes.Recovery()
    for seed in range(8):
        scene = scenes.scene(layout, real_bodies, n_people, seed)
        total += scenes.recovery(scene, associate(*scenes.draw(scene), layout).keypoints)
    assert total.resolvable > 100
    assert total.recovered >= 0.99 * total.resolvable
    assert total.invented == 0
    assert total.mixed <= 0.002 * total.found


@LAYOUTS
def test_fields_that_end_with_their_limb(layout, real_bodies):
    """Drawn as the paper writes. Limbs shorter than a cell may have no field at all; the others are found."""
    total = scenes.Recovery()
    for seed in range(8):
        scene = scenes.scene(layout, real_bodies, 5, seed)
        joints_px = scene.joints_px
        long = np.array([np.linalg.norm(joints_px[:, a] - joints_px[:, b], axis=-1) > 8 for a, b in layout.limbs]).T
        people = associate(*scenes.draw(scene, capped=True), layout)
        total += scenes.recovery(replace(scene, enough=scene.enough & long), people.keypoints)
    assert total.resolvable > 100
    assert total.recovered >= 0.99 * total.resolvable
    assert total.invented == 0


@LAYOUTS
def test_one_person(layout, bodies):
    scene = scenes.scene(layout, bodies, 1, 0)
    people = associate(*scenes.draw(scene), layout)
    assert people.keypoints.shape == (1, layout.n_parts, 3)
    seen = ~np.isnan(scene.joints_px[0, :, 0])
    assert seen.sum() > 10
    assert (~np.isnan(people.keypoints[0, :, 0])).tolist() == seen.tolist()
    assert np.abs(people.keypoints[0, seen, :2] - scene.joints_px[0, seen]).max() < 1
    assert (people.keypoints[0, ~seen, 2] == 0).all()
    assert 1.5 < people.scores[0] < 2.2
    assert not people.keypoints.flags.writeable


# The plain way


@LAYOUTS
@pytest.mark.parametrize(("n_people", "noise"), [(1, 0.0), (5, 0.0), (20, 0.0), (10, 0.1)])
def test_the_same_people_as_the_plain_way(layout, n_people, noise, bodies):
    """The noise is that of the fields; a fifth of it that of the heatmaps, where each bump of it is a candidate."""
    scene = scenes.scene(layout, bodies, n_people, 1)
    maps = scenes.draw(scene)
    rng = np.random.default_rng(n_people)
    heatmaps, pafs = (m + sd * rng.standard_normal(m.shape) for m, sd in zip(maps, (noise / 5, noise), strict=True))
    people = associate(heatmaps, pafs, layout)
    assert len(people) >= max(n_people // 2, 1)
    same_people(people, plain_association.associate(heatmaps, pafs, layout), layout)


def test_the_same_people_with_another_stride(bodies):
    layout = COCO_18_PARTS
    heatmaps, pafs = scenes.draw(scenes.scene(layout, bodies, 3, 0))
    people = associate(heatmaps, pafs, layout, stride=4)
    same_people(people, plain_association.associate(heatmaps, pafs, layout, stride=4), layout)


@LAYOUTS
def test_the_same_people_of_random_maps(layout):
    """Nothing in them is a person; ties, crossings and contradictions abound."""
    rng = np.random.default_rng(9)
    heatmaps = rng.uniform(0, 1, (layout.n_heatmaps, 5, 6)).astype(np.float32)
    pafs = rng.uniform(-0.3, 1, (layout.n_pafs, 5, 6)).astype(np.float32)
    people = associate(heatmaps, pafs, layout)
    assert len(people) > 5
    same_people(people, plain_association.associate(heatmaps, pafs, layout), layout)


def test_the_same_people_of_a_real_network(shared_data):
    """The demo's frames through a small network with trained weights."""
    onnxruntime = pytest.importorskip("onnxruntime")
    from gonio.core.errors import AssetError
    from gonio.io import video
    from gonio.trials.samples import fetch_asset

    try:
        folder = fetch_asset("demo-balancing", progress=False)
    except AssetError as error:
        pytest.skip(f"the demo's videos cannot be had here: {error}")
    import cv2

    layout = COCO_18_PARTS
    network = onnxruntime.InferenceSession(shared_data / "openpose-small" / "mobilenet_v2_small_coco18.onnx")
    found = []
    for file in sorted(folder.rglob("*.mp4")):
        (frame,) = video.frames(file, start=50, stop=51)
        height, width = frame.image.shape[:2]
        size = [round(side * 656 / max(height, width) / 16) * 16 for side in (width, height)]
        image = cv2.resize(frame.image, size, interpolation=cv2.INTER_AREA)[None, ..., ::-1].astype(np.float32)
        (maps,) = network.run(None, {network.get_inputs()[0].name: image})
        maps = np.moveaxis(maps[0], -1, 0)
        heatmaps, pafs = maps[: layout.n_heatmaps], maps[layout.n_heatmaps :]
        people = associate(heatmaps, pafs, layout)
        same_people(people, plain_association.associate(heatmaps, pafs, layout), layout)
        found.append(len(people))
    assert len(found) == 4
    assert sum(found) >= 3


def test_noise_is_scored_piece_by_piece(monkeypatch, bodies):
    layout = COCO_18_PARTS
    heatmaps, pafs = scenes.draw(scenes.scene(layout, bodies, 5, 0))
    at_once = associate(heatmaps, pafs, layout)
    monkeypatch.setattr("gonio.detection.openpose.association._PAIRS_AT_ONCE", 1)
    np.testing.assert_array_equal(associate(heatmaps, pafs, layout).keypoints, at_once.keypoints)


# Who is a person


def line_of(layout, places_px, shape=(12, 40), heat=1.0):
    """Maps of one person: {part: (x, y)}, and every limb between them."""
    joints_px = np.full((1, layout.n_parts, 2), np.nan)
    for part, place in places_px.items():
        joints_px[0, part] = place
    scene = scenes.Scene(layout, joints_px, ~np.isnan(joints_px[..., 0]), np.ones((1, len(layout.limbs)), bool))
    heatmaps, pafs = scenes.draw(scene)
    rows, columns = shape
    return heat * heatmaps[:, :rows, :columns], pafs[:, :rows, :columns]


def test_a_person_has_three_parts_besides_the_feet():
    ankle, big_toe, small_toe, heel = (
        BODY_25_PARTS.skeleton.index(f"left_{part}") for part in ("ankle", "big_toe", "small_toe", "heel")
    )
    knee, hip = (BODY_25_PARTS.skeleton.index(f"left_{part}") for part in ("knee", "hip"))
    foot = {ankle: (100, 40), big_toe: (130, 50), small_toe: (135, 30), heel: (80, 50)}
    assert len(associate(*line_of(BODY_25_PARTS, foot), BODY_25_PARTS)) == 0
    assert len(associate(*line_of(BODY_25_PARTS, foot | {knee: (170, 40)}), BODY_25_PARTS)) == 0
    (person,) = associate(*line_of(BODY_25_PARTS, foot | {knee: (170, 40), hip: (240, 40)}), BODY_25_PARTS).keypoints
    assert np.flatnonzero(~np.isnan(person[:, 0])).tolist() == sorted([ankle, big_toe, small_toe, heel, knee, hip])
    fewer = Thresholds(parts=2)
    assert len(associate(*line_of(BODY_25_PARTS, foot | {knee: (170, 40)}), BODY_25_PARTS, thresholds=fewer)) == 1


def test_the_score_is_that_of_parts_and_limbs_over_the_parts():
    hip, knee, ankle = 11, 12, 13  # two limbs
    places = {hip: (99.5, 43.5), knee: (179.5, 43.5), ankle: (251.5, 43.5)}  # centres of cells
    heatmaps, pafs = line_of(COCO_18_PARTS, places, heat=0.5)
    (score,) = associate(heatmaps, pafs, COCO_18_PARTS).scores
    limb = plain_association.associate(heatmaps, pafs, COCO_18_PARTS)[0]["score"] * 3 - 3 * 0.5
    assert score == pytest.approx(0.5 + limb / 3, abs=0.01)
    assert 0.5 + 0.6 < score < 0.5 + 0.8
    sure = Thresholds(person_score=score + 0.01)
    assert len(associate(heatmaps, pafs, COCO_18_PARTS, thresholds=sure)) == 0


def test_a_pair_that_contradicts_better_ones_is_dropped():
    """Two right legs whose hips hang on one neck, weaker on one: it stays with the stronger, the other is alone."""
    layout = COCO_18_PARTS
    neck, hip, knee, ankle = 1, 8, 9, 10
    one = line_of(layout, {neck: (40, 48), hip: (110, 60), knee: (180, 60), ankle: (250, 60)})
    other = line_of(layout, {neck: (40, 48), hip: (110, 28), knee: (180, 28), ankle: (250, 28)})
    heatmaps, pafs = np.maximum(one[0], other[0]), one[1] + other[1]
    x_channel, y_channel = layout.paf_channels[layout.limbs.index((neck, hip))]
    pafs[[x_channel, y_channel]] = one[1][[x_channel, y_channel]] + 0.7 * other[1][[x_channel, y_channel]]
    first, second = associate(heatmaps, pafs, layout).keypoints
    assert np.flatnonzero(~np.isnan(first[:, 0])).tolist() == [neck, hip, knee, ankle]
    assert np.flatnonzero(~np.isnan(second[:, 0])).tolist() == [hip, knee, ankle]
    assert first[ankle, 1] == pytest.approx(60, abs=1)
    assert second[ankle, 1] == pytest.approx(28, abs=1)


# Any input


@LAYOUTS
def test_no_people(layout):
    people = associate(np.zeros((layout.n_heatmaps, 46, 82)), np.zeros((layout.n_pafs, 46, 82)), layout)
    assert len(people) == 0
    assert people.keypoints.shape == (0, layout.n_parts, 3)
    assert people.scores.shape == (0,)


@LAYOUTS
@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (2, 2)])
def test_tiny_maps(layout, shape):
    people = associate(np.full((layout.n_heatmaps, *shape), 0.5), np.full((layout.n_pafs, *shape), 0.5), layout)
    assert len(people) == 0


def test_fifty_people(bodies):
    scene = scenes.scene(BODY_25_PARTS, bodies, 50, 0)
    heatmaps, pafs = scenes.draw(scene)
    people = associate(heatmaps, pafs, BODY_25_PARTS)
    total = scenes.recovery(scene, people.keypoints)
    assert len(people) > 10
    assert total.recovered >= 0.97 * total.resolvable
    same_people(people, plain_association.associate(heatmaps, pafs, BODY_25_PARTS), BODY_25_PARTS)


def test_input_that_cannot_be_used_is_answered_by_one_line():
    layout = COCO_18_PARTS
    heatmaps, pafs = np.zeros((19, 5, 6)), np.zeros((38, 5, 6))
    for bad in (heatmaps[:18], heatmaps[0], np.zeros((19, 0, 6)), np.zeros((26, 5, 6))):
        with pytest.raises(InputError, match=r"^heatmaps .*\(19, "):
            associate(bad, pafs, layout)
    with pytest.raises(InputError, match=r"\(52, 5, 6\).*\(38, "):
        associate(heatmaps, np.zeros((52, 5, 6)), layout)
    with pytest.raises(InputError, match=r"\(5, 6\).*\(5, 7\)"):
        associate(heatmaps, np.zeros((38, 5, 7)), layout)
    for value in (np.nan, np.inf, 1e300):
        broken = pafs.copy()
        broken[7, 2, 2] = value
        with pytest.raises(InputError, match="finite"):
            associate(heatmaps, broken, layout)
    with pytest.raises(InputError, match="stride"):
        associate(heatmaps, pafs, layout, stride=0)
