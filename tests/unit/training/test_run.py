"""A training writes its folder, continues, starts from given weights, and refuses wrong input in one line."""

import importlib.util
import json
import shutil

import pytest

from gonio.core.errors import ConfigError, InputError, MissingExtraError
from gonio.lifting import checkpoints
from gonio.lifting.checkpoints import Weights
from gonio.training.config import parse_training
from gonio.training.run import train

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


def config(text, folder):
    return parse_training(text, folder, "train.toml")


def test_without_torch_one_line_names_the_extra(sets, tmp_path, monkeypatch):
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
        entries, started = [], []
        run = tmp_path / "run"
        weights = train(config(TINY + SETS, sets), run, on_start=started.append, on_epoch=entries.append)
        names = ["checkpoint.pt", "config.json", "learning_curves.png", "learning_curves.svg", "log.json", "run.json"]
        assert sorted(path.name for path in run.iterdir()) == [*names, "weights.safetensors"]
        record = json.loads((run / "run.json").read_text())
        assert record["log"] == entries == json.loads((run / "log.json").read_text())
        assert (record["seed"], record["threads"], record["processes"], record["precision"]) == (0, 1, 1, "float32")
        assert record["data"][0] == {"name": "labelled S1, S5", "recordings": 8, "frames": 320, "notes": []}
        assert {"gonio", "numpy", "torch"} <= set(record["versions"])
        assert record["parameters"] == weights.architecture.parameters
        assert record["duration_s"] == round(sum(entry["seconds"] for entry in entries), 1)
        plain = json.loads((run / "config.json").read_text())
        assert plain["network"]["channels"] == 8
        assert plain["videopose3d"]["data_3d"] == str(sets / "data_3d_h36m.npz")
        assert entries[0]["validation_mpjpe_mm"] == 1000 * entries[0]["validation_mpjpe"]
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
        entries = []
        train(config(TINY + SETS, sets), tmp_path)
        longer = TINY.replace("epochs = 2", "epochs = 3")
        train(config(longer + SETS, sets), tmp_path, on_epoch=entries.append)
        assert [entry["epoch"] for entry in entries] == [3]
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
