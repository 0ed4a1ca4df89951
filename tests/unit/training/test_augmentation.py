"""Fresh clips: the same from the same seed, true to geometry, drawn by the shares."""

from dataclasses import replace

import numpy as np
import pytest

from gonio.core.errors import ConfigError, InputError
from gonio.core.skeleton import COCO_17, H36M_17
from gonio.training import augmentation
from gonio.training.augmentation import Augmentation, Bodies, changed, virtual_clips
from gonio.training.bodies import training_body
from gonio.training.clips import body_clip
from gonio.training.virtual_cameras import CameraPlacement
from gonio.training.windows import ARRAYS

EXACT = Augmentation(
    length_s=1.0,
    definition_sd_m=0.0,
    strength=(0.0, 0.0),
    placements=(CameraPlacement(cut_off_share=0.0),),
)


@pytest.fixture(scope="module")
def bodies(person):
    groups = {"a": [training_body(person(150, seed=s)) for s in (0, 1)], "b": [training_body(person(80, seed=2))]}
    return Bodies(groups, {"a": 3.0, "b": 1.0})


def test_the_same_seed_gives_the_same_clips(bodies):
    def make(seed):
        return virtual_clips(bodies, Augmentation(length_s=1.0), 300, np.random.default_rng([5, seed]))

    one, again, other = make(0), make(0), make(1)
    assert len(one) == len(again)
    assert sum(map(len, one)) >= 300
    for a, b in zip(one, again, strict=True):
        for name in ARRAYS:
            assert np.array_equal(getattr(a, name), getattr(b, name)), name
    assert not np.array_equal(one[0].inputs, other[0].inputs)


def test_every_clip_is_true_to_its_camera(bodies):
    torch = pytest.importorskip("torch", reason="training needs torch: pip install gonio[train]")
    from gonio.training.losses import map_joints, project

    clips = virtual_clips(bodies, EXACT, 600, np.random.default_rng(0))
    for clip in clips:
        positions = torch.from_numpy(clip.targets + clip.root[:, None] * clip.root_unit[:, None, None])
        joints, kept = map_joints(positions, H36M_17, COCO_17)
        seen = clip.seen[:, list(kept)]
        assert seen.mean() > 0.99
        wrong = np.abs(project(joints, torch.from_numpy(clip.camera)).numpy() - clip.inputs[:, list(kept), :2])
        assert wrong[seen].max() < 1e-4


def test_the_detector_s_errors_grow_with_their_strength(bodies):
    def wander(strength):
        options = replace(EXACT, strength=(strength, strength), views=1)
        clips = virtual_clips(bodies, options, 400, np.random.default_rng(3))
        exact = virtual_clips(bodies, replace(options, strength=(0.0, 0.0)), 400, np.random.default_rng(3))
        both = clips[0].seen & exact[0].seen
        return np.abs(clips[0].inputs - exact[0].inputs)[both][:, :2].mean()

    assert 0 < wander(0.2) < wander(1.0) < 0.1


def test_pieces_are_at_50_hz_and_as_long_as_said(bodies):
    options = Augmentation(length_s=0.5)
    for number in range(20):
        body = changed(bodies, options, np.random.default_rng(number))
        assert body.rate_hz == pytest.approx(50)
        assert 22 <= len(body) <= 27  # less the recording's frames that the piece begins and ends between


def test_groups_are_drawn_by_their_shares(bodies):
    rng = np.random.default_rng(0)
    short = sum(len(bodies.draw(rng)) == 80 for _ in range(2000))
    assert short == pytest.approx(500, abs=60)


def test_causal_clips_take_nothing_from_later_frames(bodies):
    """The lengths of a clip's first frames are those of what came later in the symmetric clip alone."""
    options = replace(EXACT, views=1, strength=(1.0, 1.0))
    causal = virtual_clips(bodies, options, 500, np.random.default_rng(1), causal=True)
    symmetric = virtual_clips(bodies, options, 500, np.random.default_rng(1))
    pairs = list(zip(causal, symmetric, strict=True))
    assert any(not np.array_equal(a.root_unit, b.root_unit) for a, b in pairs)
    assert causal[0].seen.shape == symmetric[0].seen.shape


def test_views_that_show_nothing_are_drawn_again_but_not_for_ever(bodies, monkeypatch):
    calls = []

    def seldom(pair, **options):
        calls.append(pair)
        if len(calls) % 7:
            raise InputError("no frame shows both hips")
        return body_clip(pair, **options)

    monkeypatch.setattr(augmentation, "body_clip", seldom)
    clips = virtual_clips(bodies, EXACT, 60, np.random.default_rng(0))
    assert sum(map(len, clips)) >= 60
    assert len(calls) >= 7 * len(clips)

    def never(pair, **options):
        raise InputError("no frame shows both hips")

    monkeypatch.setattr(augmentation, "body_clip", never)
    with pytest.raises(InputError, match="hundred"):
        virtual_clips(bodies, EXACT, 10, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"turned_share": 1.5}, "turned_share = 1.5 is a share"),
        ({"speed": (0.0, 1.0)}, r"0.*1"),
        ({"speed": (2.0, 1.0)}, "speed = 2, 1"),
        ({"strength": (0.1, 1.1)}, "strength = 0.1, 1.1"),
        ({"views": 0}, "views"),
        ({"length_s": 0.0}, "length_s"),
        ({"placements": ()}, "placements"),
        ({"size_sd": -0.1}, "size_sd = -0.1"),
        ({"turn_deg": -1.0}, "turn_deg = -1"),
    ],
)
def test_impossible_options_are_refused(change, words):
    with pytest.raises(ConfigError, match=words):
        Augmentation(**change)


def test_groups_must_have_recordings_and_shares(bodies):
    with pytest.raises(ConfigError, match="shares"):
        Bodies(bodies.groups, {"a": 1.0})
    with pytest.raises(InputError, match="'c'"):
        Bodies({"c": []}, {"c": 1.0})
    with pytest.raises(ConfigError, match="share 0 of 'a'"):
        Bodies(bodies.groups, {"a": 0.0, "b": 1.0})
