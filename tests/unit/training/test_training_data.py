"""Reading the data of a training file: what is read, what it becomes, and what is refused."""

import shutil
from functools import partial

import numpy as np
import pytest

from gonio.core.errors import ConfigError, InputError
from gonio.core.sequence import PoseSequence
from gonio.core.skeleton import COCO_17, H36M_17
from gonio.io import archive, videopose3d_npz
from gonio.io.restricted_pickle import load_npz
from gonio.training.config import parse_training
from gonio.training.training_data import _slowed, _stretch, read_training_data, shared_clips
from gonio.training.windows import Clip

SETS = """
[videopose3d]
data_3d = "data_3d_h36m.npz"
data_2d = "data_2d_h36m_gt.npz"
"""


def config(text, folder):
    return parse_training(text, folder, "train.toml")


def frames(clips):
    return sum(map(len, clips))


def test_the_sets_of_the_paper(sets):
    data = read_training_data(config(SETS, sets))
    assert (data.normalisation, data.features, data.rate_hz, data.unit_mm) == ("screen", 2, 50, 1000)
    assert (data.joints_in.name, data.joints_out.name) == (H36M_17.name, H36M_17.name)
    assert [str(source) for source in data.sources] == [
        "labelled S1, S5: 8 recordings, 320 frames",
        "validation S9: 4 recordings, 160 frames",
    ]
    clips = data.labelled(3)
    assert (len(clips), frames(clips)) == (16, 640)  # mirrored too
    mirrored = clips[0].flipped(H36M_17, H36M_17)
    assert np.array_equal(clips[8].inputs, mirrored.inputs)
    assert np.array_equal(clips[8].root, mirrored.root)
    assert (len(data.validation), data.unlabelled, data.generated) == (4, None, False)
    assert (clips[0].root[:, 2] > 3).all()
    assert frames(read_training_data(config(SETS + "flip = false", sets)).labelled(0)) == 320


def test_few_labels_and_others_without(sets):
    text = SETS + 'subjects = ["S1"]\nshare = 0.5\ndownsample = 5\n[unlabelled]\nsubjects = ["S5"]'
    data = read_training_data(config(text, sets))
    assert data.rate_hz == 10
    assert frames(data.labelled(0)) == 2 * 4 * 4
    assert frames(data.validation) == 4 * 8
    others = data.unlabelled(0)
    assert (len(others), frames(others)) == (8, 64)
    assert all(clip.targets is None and clip.root is None for clip in others)
    (note,) = data.sources[0].notes
    assert note.startswith("16 frames")
    again = read_training_data(config(text, sets))
    other = read_training_data(config(text.replace("[videopose3d]", "[training]\nseed = 1\n[videopose3d]"), sets))
    same = [np.array_equal(m.labelled(0)[0].inputs, data.labelled(0)[0].inputs) for m in (again, other)]
    assert same == [True, False]


def test_each_file_of_the_paper_is_read_once(sets, monkeypatch):
    read = []
    monkeypatch.setattr(videopose3d_npz, "load_npz", lambda path: read.append(path.name) or load_npz(path))
    read_training_data(config(SETS + 'subjects = ["S1"]\n[unlabelled]\nsubjects = ["S5"]', sets))
    assert sorted(read) == ["data_2d_h36m_gt.npz", "data_3d_h36m.npz"]


@pytest.mark.parametrize(("share", "downsample", "kept"), [(1.0, 1, 40), (0.1, 1, 4), (0.5, 5, 4), (1.0, 3, 13)])
def test_a_stretch_is_one_piece_of_a_recording(share, downsample, kept):
    firsts = set()
    for seed in range(50):
        index = np.arange(40)[_stretch(40, share, downsample, np.random.default_rng(seed))]
        assert abs(len(index) - kept) <= 1
        assert (np.diff(index) == downsample).all()
        firsts.add(int(index[0]))
    assert (len(firsts) > 5) is (share < 1)


def test_fixed_clips_are_shared_by_processes():
    clips = [Clip(np.full((1, 1, 1), n, np.float32)) for n in range(5)]
    assert shared_clips(clips, 1, 7) is clips
    of = partial(shared_clips, clips, 2)
    assert [clip.inputs.item() for clip in of(0)] == [clip.inputs.item() for clip in of(2)] == [0, 2, 4]
    assert [clip.inputs.item() for clip in of(1)] == [1, 3]
    with pytest.raises(InputError, match=r"1 clips.*2 processes"):
        shared_clips(clips[:1], 2, 1)


def test_fast_recordings_become_several_slower_ones():
    def at(rate_hz):
        positions = np.repeat(np.arange(12.0)[:, None, None], 17, axis=1).repeat(2, axis=2)
        return PoseSequence(positions, np.arange(12) / rate_hz, COCO_17, "px", "image", image_size_px=(640, 480))

    for rate_hz, parts in ((30, 1), (75, 1), (100, 2), (200, 3)):
        slow, notes = _slowed(at(rate_hz))
        assert len(slow) == parts
        assert len(notes) == (parts > 1)
        assert sorted(one.positions[i, 0, 0] for one in slow for i in range(len(one))) == list(range(12))
        assert all(one.rate_hz == pytest.approx(rate_hz / parts) for one in slow)


def test_own_keypoints_beside_the_sets(sets, tmp_path):
    shutil.copytree(sets, tmp_path, dirs_exist_ok=True)
    rng = np.random.default_rng(0)
    own = PoseSequence(
        rng.uniform(100, 400, (31, 17, 2)),
        np.arange(31) / 25,
        H36M_17,
        "px",
        "image",
        frame_name="phone",
        image_size_px=(640, 480),
    )
    archive.write(own, tmp_path / "own.npz")
    data = read_training_data(config(SETS + 'flip = false\n[[unlabelled.files]]\nkeypoints = "own.npz"', tmp_path))
    (clip,) = data.unlabelled(0)
    assert len(clip) == 61  # from 25 to 50 Hz
    assert clip.camera[0, :2] == pytest.approx([0.9 * 2, 0.9 * 2])
    notes = data.sources[-1].notes
    assert "576 px" in notes[0]
    assert "25 to 50" in notes[1]


@pytest.mark.parametrize(
    ("more", "error", "words"),
    [
        ('subjects = ["S2"]', InputError, "subject"),
        ('subjects = ["S9"]', ConfigError, "purposes"),
        ('[unlabelled]\nsubjects = ["S1"]', ConfigError, "purposes"),
        ('actions = ["Dancing"]', InputError, r"recording.*left"),
        ('[[unlabelled.files]]\nkeypoints = "gone.npz"', InputError, r"gone\.npz"),
    ],
)
def test_data_that_cannot_be_used(sets, more, error, words):
    with pytest.raises(error, match=words):
        read_training_data(config(SETS + more, sets))
