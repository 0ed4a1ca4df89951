"""Clips: targets plus root, seen through the clip's camera, are the clip's keypoints; in both normalisations."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from gonio.core.camera import Camera
from gonio.core.errors import InputError
from gonio.core.skeleton import COCO_17, H36M_17
from gonio.lifting.prediction import normalise_screen
from gonio.training.clips import body_clip, screen_camera, screen_clip, unlabelled_body_clip, unlabelled_screen_clip
from gonio.training.virtual_cameras import training_pair

torch = pytest.importorskip("torch", reason="training needs torch: pip install gonio[train]")

from gonio.training.losses import (  # noqa: E402
    map_joints,
    project,
    reprojection_loss,
)


def projected(clip):
    """(time, common joint, 2) targets + root through the camera, and which of COCO's keypoints they are."""
    unit = 1.0 if clip.root_unit is None else clip.root_unit[:, None, None]
    positions = torch.from_numpy(clip.targets + clip.root[:, None] * unit)
    joints, kept = map_joints(positions, H36M_17, COCO_17)
    return project(joints, torch.from_numpy(clip.camera)).numpy(), list(kept)


@pytest.fixture(scope="module")
def pair(body, front):
    return training_pair(body, front(body, azimuth_deg=40.0, elevation_deg=10.0, distance_m=3.0))


@pytest.mark.parametrize("make", [body_clip, screen_clip])
def test_targets_and_root_project_onto_inputs(pair, make):
    clip = make(pair)
    seen, kept = projected(clip)
    assert len(kept) == 12
    assert clip.seen[:, kept].all()
    assert np.abs(seen - clip.inputs[:, kept, :2]).max() < 1e-5


@pytest.mark.parametrize("make", [body_clip, screen_clip])
def test_a_mirrored_clip_has_the_same_reprojection_error(pair, make):
    clip = make(pair)
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.1, clip.targets.shape).astype(np.float32)
    camera = clip.camera.copy()
    camera[:, 2:] += rng.normal(0, 0.05, 7).astype(np.float32)  # a principal point and a lens
    wrong = replace(clip, targets=clip.targets + noise, camera=camera)

    def error(one):
        unit = 1.0 if one.root_unit is None else one.root_unit[:, None, None]
        positions = torch.from_numpy(one.targets + one.root[:, None] * unit)
        keypoints = torch.from_numpy(one.inputs[..., :2])
        return float(reprojection_loss(positions, torch.from_numpy(one.camera), keypoints, H36M_17, COCO_17))

    assert error(wrong) > 0.02
    assert error(wrong.flipped(COCO_17, H36M_17)) == pytest.approx(error(wrong), rel=1e-5)


def test_a_body_s_root_does_not_tell_its_distance(body, front):
    """The target does not contain the absolute distance: at 3 m and at 6 m the root differs by at most 2 %."""
    near, far = (body_clip(training_pair(body, front(body, distance_m=d))) for d in (3.0, 6.0))
    assert near.root[:, 2].mean() == pytest.approx(far.root[:, 2].mean(), rel=0.02)
    assert far.root_unit.mean() == pytest.approx(2 * near.root_unit.mean(), rel=0.02)
    assert 0.8 < near.root[:, 2].mean() < 1.1


def test_how_sure_a_detector_is_does_not_go_in(pair):
    doubtful = replace(pair, keypoints=pair.keypoints.derive(confidence=np.full((len(pair.keypoints), 17), 0.5)))
    assert np.array_equal(body_clip(doubtful).inputs, body_clip(pair).inputs)
    assert set(np.unique(body_clip(pair).inputs[..., 2])) == {1.0}


def test_unlabelled_clips_are_the_labelled_ones_without_answers(pair):
    for labelled, bare in (
        (body_clip(pair), unlabelled_body_clip(pair.keypoints, pair.camera)),
        (screen_clip(pair), unlabelled_screen_clip(pair.keypoints, pair.camera)),
    ):
        assert bare.targets is None
        assert np.array_equal(bare.inputs, labelled.inputs)
        assert np.array_equal(bare.camera, labelled.camera)
        assert np.array_equal(bare.seen, labelled.seen)


def test_a_body_needs_its_camera(pair):
    blind = SimpleNamespace(keypoints=pair.keypoints, target=pair.target, root_m=pair.root_m, camera=None)
    with pytest.raises(InputError, match="camera"):
        body_clip(blind)
    assert np.isnan(screen_clip(blind).camera).all()


def test_the_screen_camera_of_human36m():
    matrix = np.array([[1145.0, 0, 512.5], [0, 1143.8, 515.5], [0, 0, 1]])
    camera = Camera("54138969", (1000, 1002), matrix, (-0.2, 0.25, -0.007, -0.001, -0.003), "h36m")
    nine = screen_camera(camera)
    assert nine == pytest.approx(
        [2.29, 2.2876, *normalise_screen([512.5, 515.5], 1000, 1002), -0.2, 0.25, -0.007, -0.001, -0.003]
    )
    point = np.array([[0.3, -0.4, 3.0]])
    seen = project(torch.from_numpy(point[None]), torch.from_numpy(nine)[None]).numpy()[0]
    assert seen == pytest.approx(np.asarray(normalise_screen(camera.camera_to_image(point), 1000, 1002)), abs=1e-6)


def test_a_radial_lens_of_opencv_s_is_the_same_and_a_tangential_one_is_not():
    matrix = np.array([[1000.0, 0, 640], [0, 1000, 360], [0, 0, 1]])
    radial = Camera("a", (1280, 720), matrix, (-0.1, 0.05, 0, 0, 0.01))
    point = np.array([[0.3, -0.4, 3.0]])
    seen = project(torch.from_numpy(point[None]), torch.from_numpy(screen_camera(radial))[None]).numpy()[0]
    assert seen == pytest.approx(np.asarray(normalise_screen(radial.camera_to_image(point), 1280, 720)), abs=1e-9)
    with pytest.raises(InputError, match=r"'b'.*tangential"):
        screen_camera(Camera("b", (1280, 720), matrix, (-0.1, 0.05, 0.001, 0)))


def test_a_lens_is_taken_out_of_unlabelled_keypoints(pair):
    lens = Camera("l", pair.camera.size_px, pair.camera.matrix, (-0.1, 0.05, 0.001, 0.002))
    normalized = pair.camera.image_to_normalized(pair.keypoints.positions)
    bent = lens.distort(normalized) @ lens.matrix[:2, :2].T + lens.matrix[:2, 2]
    clip = unlabelled_screen_clip(pair.keypoints.derive(positions=bent), lens)
    assert np.abs(clip.inputs - screen_clip(pair).inputs).max() < 1e-4
    assert np.array_equal(clip.camera, screen_clip(pair).camera)


def test_gaps_of_unlabelled_keypoints_are_bridged_and_do_not_count(pair):
    positions = pair.keypoints.positions.copy()
    positions[10:13, 9] = np.nan
    clip = unlabelled_screen_clip(pair.keypoints.derive(positions=positions), pair.camera)
    whole = screen_clip(pair).inputs
    assert not clip.seen[10:13, 9].any()
    assert clip.seen.sum() == clip.seen.size - 3
    assert clip.inputs[11, 9] == pytest.approx((whole[9, 9] + whole[13, 9]) / 2, abs=1e-5)
    positions[:, 9] = np.nan
    with pytest.raises(InputError, match="left_wrist"):
        unlabelled_screen_clip(pair.keypoints.derive(positions=positions), pair.camera)


def test_labelled_screen_keypoints_must_be_there(pair):
    positions = pair.keypoints.positions.copy()
    positions[10:13, 9] = np.nan
    with pytest.raises(InputError, match="3 keypoints"):
        screen_clip(replace(pair, keypoints=pair.keypoints.derive(positions=positions)))
    with pytest.raises(InputError, match="size"):
        screen_clip(replace(pair, keypoints=pair.keypoints.derive(image_size_px=None)))
