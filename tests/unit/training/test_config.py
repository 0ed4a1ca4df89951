"""The training file: every section arrives, wrong keys and values are named, data must go together, examples parse."""

import dataclasses
from pathlib import Path

import pytest

from gonio.core.errors import ConfigError, InputError
from gonio.core.settings import as_plain
from gonio.lifting.architecture import Architecture
from gonio.lifting.weights import FOLDER
from gonio.training.augmentation import Augmentation
from gonio.training.config import EXAMPLE, TrainConfig, TrainingOptions, load_training, parse_training, processes

EXAMPLES = sorted((Path(__file__).resolve().parents[3] / "examples").glob("*.toml"))

FULL = """
init = "start.safetensors"
threads = 2

[network]
filter_widths = [3, 3]
channels = 32
causal = true

[training]
epochs = 3
momentum = [0.2, 0.01]

[motion_capture]
frames = 1000

[[motion_capture.groups]]
path = "ui"
kind = "ui-prmd"
subjects = ["s01"]
share = 2

[[motion_capture.groups]]
path = "own"
kind = "folder"
unit = "cm"

[motion_capture.augmentation]
views = 2
strength = [0, 0.5]

[[motion_capture.augmentation.placements]]
azimuth_deg = [-30, 30]
image_sizes_px = [[640, 480]]

[[stereo]]
joints = "multiview.npz"
keypoints = "left.npz"
rig = "Calib.toml"
camera = "left"

[unlabelled]
subjects = ["s02"]

[[unlabelled.files]]
keypoints = "patient_json"
layout = "body-25"
fps = 30
focal_px = 900

[validation]
path = "ui"
subjects = ["s07"]
"""

SETS = """
[videopose3d]
data_3d = "data_3d_h36m.npz"
data_2d = "data_2d_h36m_gt.npz"
"""


def parse(text):
    return parse_training(text, Path("folder"), "train.toml")


def test_every_section_arrives():
    config = parse(FULL)
    assert config.init == Path("folder/start.safetensors")
    assert config.network.architecture(17, 3, 17) == Architecture((3, 3), in_features=3, channels=32, causal=True)
    assert config.training.momentum == (0.2, 0.01)
    own = config.motion_capture
    assert [group.share for group in own.groups] == [2.0, 1.0]
    assert own.augmentation.strength == (0.0, 0.5)
    assert own.augmentation.placements[0].azimuth_deg == (-30.0, 30.0)
    assert own.augmentation.placements[0].image_sizes_px == ((640, 480),)
    assert own.augmentation.detector == Augmentation().detector
    assert config.unlabelled.files[0].focal_px == 900.0
    names = ["ui", "own", "multiview.npz", "left.npz", "Calib.toml", "patient_json", "ui"]
    assert [path.name for path in config.files] == names
    assert as_plain(config)["motion_capture"]["groups"][0]["path"] == str(Path("folder/ui"))


def test_the_defaults_are_the_paper_s():
    config = parse(SETS)
    assert (config.network.channels, config.network.dropout) == (1024, 0.25)
    assert (config.training.learning_rate, config.training.decay, config.training.momentum) == (
        1e-3,
        0.95,
        (0.1, 0.001),
    )
    assert config.videopose3d.flip
    assert [path.name for path in config.files] == ["data_3d_h36m.npz", "data_2d_h36m_gt.npz"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("channels", "chanels"), ["unknown key 'network.chanels'", "did you mean 'channels'"]),
        (("epochs = 3", "epoch = 3"), ["'training.epoch'", "did you mean 'epochs'"]),
        (("views = 2", "view = 2"), ["'motion_capture.augmentation.view'", "did you mean 'views'"]),
        (("azimuth_deg", "azimut_deg"), ["augmentation.placements[0].azimut_deg", "'azimuth_deg'"]),
        (('kind = "ui-prmd"', 'kind = "uiprmd"'), ["motion_capture.groups[0].kind = 'uiprmd'", "'ui-prmd-incorrect'"]),
        (("epochs = 3", "epochs = 0"), ["training.epochs = 0", "at least 1"]),
        (("epochs = 3", "epochs = 3.5"), ["training.epochs = 3.5; it must be a int"]),
        (("[3, 3]", "[3, 4]"), ["network: filter widths (3, 4)"]),
        (("share = 2", "share = 0"), ["share = 0 must be positive"]),
        (('unit = "cm"', 'subjects = ["me"]'), ["subjects can be chosen of UI-PRMD, not of kind 'folder'"]),
        (("share = 2", 'unit = "cm"'), ["unit is for your own files"]),
        (("views = 2", "views = 0"), ["augmentation: views"]),
        (("frames = 1000", "frames = 0"), ["motion_capture.frames = 0"]),
        (("focal_px = 900", "focal_px = -1"), ["focal_px = -1 must be positive"]),
        (("focal_px = 900", 'rig = "Calib.toml"'), ["rig and camera go together"]),
        (("focal_px = 900", 'focal_px = 1\nrig = "a"\ncamera = "b"'), ["leave out focal_px"]),
        (('subjects = ["s07"]', 'subjects = ["s01"]'), ["validation.subjects s01 are trained on too"]),
        (('subjects = ["s07"]', 'subjects = ["s02"]'), ["validation.subjects s02 are trained on too"]),
        (('subjects = ["s02"]', 'subjects = ["s01"]'), ["unlabelled.subjects s01 are trained on too"]),
        (('subjects = ["s01"]', ""), ["validation.subjects of UI-PRMD are trained on too"]),
        (("threads = 2", "threads = 0"), ["threads = 0"]),
        (('camera = "left"', ""), ["stereo[0].camera is missing"]),
        (("[[stereo]]", SETS + "[[stereo]]"), ["a training needs data", "not both"]),
        (("[network]", "[network"), ["not valid TOML"]),
    ],
)
def test_wrong_keys_and_values_are_named(change, words):
    assert change[0] in FULL
    with pytest.raises(ConfigError) as error:
        parse(FULL.replace(*change, 1))
    message = str(error.value)
    assert message.startswith("train.toml: ")
    assert "\n" not in message
    for word in words:
        assert word in message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", r"training.*data"),
        ("[motion_capture]\ngroups = []", r"names.*recordings"),
        (SETS + "share = 0", "videopose3d.share = 0"),
        (SETS + "downsample = 0", "videopose3d.downsample = 0"),
        (SETS + 'subjects = ["S1"]\ntest_subjects = ["S1", "S9"]', r"trained.*measured"),
        (SETS + '[validation]\npath = "ui"\nsubjects = ["s07"]', r"videopose3d..*test_subjects"),
        (SETS + "[unlabelled]", r"unlabelled.*nothing"),
        (
            '[[motion_capture.groups]]\npath = "c"\nkind = "cmu"\n[unlabelled]\nsubjects = ["s02"]',
            "none",
        ),
    ],
)
def test_data_must_go_together(text, words):
    with pytest.raises(ConfigError, match=words):
        parse(text)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(InputError, match=r"gone\.toml"):
        load_training(tmp_path / "gone.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="TOML"):
        load_training(tmp_path / "binary.toml")


@pytest.mark.parametrize("path", [*EXAMPLES, *sorted(FOLDER.glob("*.toml"))], ids=lambda path: path.stem)
def test_examples_and_recipes_parse(path):
    config = load_training(path)
    assert config.files
    assert len(path.read_text(encoding="utf-8").splitlines()[0]) <= 120


def test_there_is_an_example_of_every_section():
    plain = [as_plain(load_training(path)) for path in EXAMPLES]
    for item in dataclasses.fields(TrainConfig):
        if item.name != "threads":
            assert any(config[item.name] for config in plain), item.name
    assert parse(EXAMPLE).motion_capture.groups[0].kind == "ui-prmd"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"epochs": 0}, r"0.*1"),
        ({"batch": -3}, "training.batch = -3"),
        ({"learning_rate": 0.0}, r"learning_rate.*0"),
        ({"decay": 1.1}, r"training.decay = 1.1"),
        ({"momentum": (0.1, 0.0)}, "training.momentum = 0 "),
        ({"bone_weight": -1.0}, "training.bone_weight = -1.0"),
        ({"seed": -1}, "training.seed = -1"),
        ({"form": "single-frame"}, r"32.*single-frame"),
    ],
)
def test_impossible_options_are_refused(change, words):
    with pytest.raises(ConfigError, match=words):
        TrainingOptions(**change)


def test_processes(monkeypatch):
    monkeypatch.delenv("RANK", raising=False)
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert processes() == (0, 1)
    monkeypatch.setenv("RANK", "2")
    monkeypatch.setenv("WORLD_SIZE", "4")
    assert processes() == (2, 4)
