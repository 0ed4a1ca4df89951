"""What a training file names becomes clips; a run leaves a record; what cannot be trained on is told in one line."""

import importlib.util
import json
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from gonio.core.errors import ConfigError, InputError, MissingExtraError
from gonio.core.sequence import PoseSequence
from gonio.core.skeleton import COCO_17, H36M_17
from gonio.io import archive, videopose3d_npz
from gonio.io.restricted_pickle import load_npz
from gonio.io.rigs import subject_cameras
from gonio.io.videopose3d_npz import H36M_DROPPED
from gonio.lifting import checkpoints
from gonio.lifting.checkpoints import Weights
from gonio.training.config import parse_training
from gonio.training.run import train
from gonio.training.training_data import _slowed, _stretch, read_training_data, shared_clips
from gonio.training.windows import Clip

KEPT = np.delete(np.arange(32), H36M_DROPPED)
LAYOUT = {"layout_name": "h36m", "num_joints": 17, "keypoints_symmetry": [[4, 5, 6, 11, 12, 13], [1, 2, 3, 14, 15, 16]]}
SETS = """
[videopose3d]
data_3d = "data_3d_h36m.npz"
data_2d = "data_2d_h36m_gt.npz"
"""
TINY = """
threads = 1
[network]
filter_widths = [3]
channels = 8
[training]
epochs = 2
frames = 4
batch = 8
precision = "float32"
"""


@pytest.fixture(scope="module")
def sets(tmp_path_factory) -> Path:
    """A folder with both sets as VideoPose3D's scripts make them: 2D are projections of the 3D."""
    folder = tmp_path_factory.mktemp("sets")
    solid: dict[str, dict[str, np.ndarray]] = {}
    flat: dict[str, dict[str, list[np.ndarray]]] = {}
    for number, subject in enumerate(("S1", "S5", "S9")):
        rng = np.random.default_rng(number)
        still = rng.uniform((-0.5, -0.5, 0.1), (0.5, 0.5, 1.7), (32, 3))
        joints = (still + 0.05 * rng.normal(size=(40, 32, 3))).astype(np.float32)
        solid[subject] = {"Walking": joints}
        cameras = subject_cameras.human36m()[subject]
        flat[subject] = {"Walking": [c.world_to_image(joints[:, KEPT]).astype(np.float32) for c in cameras]}
    np.savez_compressed(folder / "data_3d_h36m.npz", positions_3d=solid)
    np.savez_compressed(folder / "data_2d_h36m_gt.npz", positions_2d=flat, metadata=LAYOUT)
    return folder


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
        ('subjects = ["S2"]', InputError, "no subject S2"),
        ('subjects = ["S9"]', ConfigError, "S9 are named for two purposes"),
        ('[unlabelled]\nsubjects = ["S1"]', ConfigError, "S1 are named for two purposes"),
        ('actions = ["Dancing"]', InputError, "no recording is left"),
        ('[[unlabelled.files]]\nkeypoints = "gone.npz"', InputError, r"gone\.npz: no such file"),
    ],
)
def test_data_that_cannot_be_used(sets, more, error, words):
    with pytest.raises(error, match=words):
        read_training_data(config(SETS + more, sets))


def test_without_torch_one_line_says_what_to_install(sets, tmp_path, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "torch" else find(name))
    with pytest.raises(MissingExtraError, match=r"gonio\[train\]"):
        train(config(TINY + SETS, sets), tmp_path / "run")
    assert not (tmp_path / "run").exists()


class TestRun:
    @pytest.fixture(autouse=True)
    def needs_torch(self):
        torch = pytest.importorskip("torch", reason="training needs torch: pip install gonio[train]")
        before = torch.get_num_threads()
        yield
        torch.set_num_threads(before)

    def test_a_run_and_its_record(self, sets, tmp_path):
        told, started = [], []
        run = tmp_path / "run"
        weights = train(config(TINY + SETS, sets), run, on_start=started.append, on_epoch=told.append)
        names = ["checkpoint.pt", "config.json", "learning_curves.png", "learning_curves.svg", "log.json", "run.json"]
        assert sorted(path.name for path in run.iterdir()) == [*names, "weights.safetensors"]
        record = json.loads((run / "run.json").read_text())
        assert record["log"] == told == json.loads((run / "log.json").read_text())
        assert (record["seed"], record["threads"], record["processes"], record["precision"]) == (0, 1, 1, "float32")
        assert record["data"][0] == {"name": "labelled S1, S5", "recordings": 8, "frames": 320, "notes": []}
        assert {"gonio", "numpy", "torch"} <= set(record["versions"])
        assert record["parameters"] == weights.architecture.parameters
        assert record["duration_s"] == round(sum(entry["seconds"] for entry in told), 1)
        plain = json.loads((run / "config.json").read_text())
        assert plain["network"]["channels"] == 8
        assert plain["videopose3d"]["data_3d"] == str(sets / "data_3d_h36m.npz")
        assert told[0]["validation_mpjpe_mm"] == 1000 * told[0]["validation_mpjpe"]
        assert len(started) == 1

    def test_weights_tell_their_recipe_and_nothing_of_the_machine(self, sets, tmp_path):
        shutil.copytree(sets, tmp_path / "elsewhere")
        for name, folder in (("a", sets), ("b", tmp_path / "elsewhere")):
            train(config(TINY + SETS, folder), tmp_path / name)
        first, second = ((tmp_path / name / "weights.safetensors").read_bytes() for name in "ab")
        assert first == second
        about = checkpoints.read(tmp_path / "a" / "weights.safetensors").metadata
        assert (about["normalisation"], about["joints_in"], about["joints_out"]) == ("screen", "h36m-17", "h36m-17")
        assert (about["rate_hz"], about["seed"], about["training"]["epochs"]) == (50.0, 0, 2)
        assert about["data"]["videopose3d"]["data_2d"] == "data_2d_h36m_gt.npz"
        assert about["read"][1] == "validation S9: 4 recordings, 160 frames"
        assert str(tmp_path) not in json.dumps(dict(about))

    def test_it_goes_on_and_refuses_another_training(self, sets, tmp_path):
        told = []
        train(config(TINY + SETS, sets), tmp_path)
        longer = TINY.replace("epochs = 2", "epochs = 3")
        train(config(longer + SETS, sets), tmp_path, on_epoch=told.append)
        assert [entry["epoch"] for entry in told] == [3]
        record = json.loads((tmp_path / "run.json").read_text())
        assert len(record["log"]) == 3
        before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
        with pytest.raises(ConfigError, match=r"videopose3d\.flip"):
            train(config(longer + SETS + "flip = false", sets), tmp_path)
        assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before

    def test_it_begins_with_given_weights(self, sets, tmp_path):
        train(config(TINY + SETS, sets), tmp_path / "first")
        tuned = 'init = "weights.safetensors"\n' + TINY.replace("channels = 8", "dropout = 0.5")
        shutil.copy(tmp_path / "first" / "weights.safetensors", tmp_path)
        shutil.copytree(sets, tmp_path, dirs_exist_ok=True)
        weights = train(config(tuned + SETS, tmp_path), tmp_path / "second")
        assert (weights.architecture.channels, weights.architecture.dropout) == (8, 0.5)
        assert weights.metadata["data"]["init"] == "weights.safetensors"
        with pytest.raises(ConfigError, match=r"channels = 8; network\.channels = 16"):
            train(config(tuned.replace("dropout", "channels = 16\ndropout") + SETS, tmp_path), tmp_path / "third")
        other = Weights(weights.architecture, weights.arrays, metadata={"normalisation": "body"})
        checkpoints.write(other, tmp_path / "weights.safetensors")
        with pytest.raises(ConfigError, match=r"'body'.*'screen'"):
            train(config(tuned + SETS, tmp_path), tmp_path / "third")
        with pytest.raises(InputError, match="no weights of this name come with gonio"):
            train(config(tuned.replace("weights.safetensors", "lifter-of-mine") + SETS, tmp_path), tmp_path / "third")

    def test_output_is_a_folder_of_its_own(self, sets, tmp_path):
        good = config(TINY + SETS, sets)
        (tmp_path / "file").write_text("x")
        (tmp_path / "full").mkdir()
        (tmp_path / "full" / "thesis.doc").write_text("x")
        with pytest.raises(InputError, match=r"file: .*folder"):
            train(good, tmp_path / "file")
        with pytest.raises(InputError, match="already"):
            train(good, tmp_path / "full")
        with pytest.raises(InputError, match=r"data_2d_gone\.npz"):
            train(config(TINY + SETS.replace("h36m_gt", "gone"), sets), tmp_path / "new")
        assert not (tmp_path / "new").exists()
