"""`gonio train`: motion capture, stereo results and a clinic's own keypoints in; weights that lift and evaluate out."""

import json
import re
import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from gonio.io import archive
from gonio.io.rigs import files as rig_files
from gonio.lifting import checkpoints
from gonio.lifting.weights import SYMMETRIC, weights_file
from gonio.training.config import load_training
from gonio.training.run import train
from gonio.training.training_data import read_training_data

pytest.importorskip("torch", reason="training needs torch: pip install gonio[train]")

TRAIN = """
threads = 1

[network]
filter_widths = [3, 3]
channels = 16

[training]
epochs = 3
frames = 16
batch = 8
precision = "float32"
warm_up = 1

[motion_capture]
frames = 600

[[motion_capture.groups]]
path = "mocap"
kind = "folder"

[[stereo]]
joints = "multiview.npz"
keypoints = "cam01.npz"
rig = "Calib.toml"
camera = "cam01"

[[stereo]]
joints = "multiview.npz"
keypoints = "late.npz"
rig = "Calib.toml"
camera = "cam02"
offset_s = 0.5

[[unlabelled.files]]
keypoints = "cam03.npz"
rig = "Calib.toml"
camera = "cam03"

[[unlabelled.files]]
keypoints = "cam04_json"
layout = "body-25"
fps = 30
image_size_px = [960, 1080]
focal_px = 900
"""


@pytest.fixture
def folder(tmp_path, scene):
    """What train.toml names. cam02's clock is half a second ahead; the last ten frames have no joints."""
    from gonio.io import openpose_json

    (tmp_path / "mocap" / "patient").mkdir(parents=True)
    archive.write(scene.truth, tmp_path / "mocap" / "patient" / "squat.npz")
    archive.write(scene.truth.at(slice(0, 50)), tmp_path / "multiview.npz")
    rig_files.write(scene.rig, tmp_path / "Calib.toml")
    for name in ("cam01", "cam03"):
        archive.write(scene.views[name], tmp_path / f"{name}.npz")
    archive.write(scene.views["cam02"].shifted(0.5, "late"), tmp_path / "late.npz")
    openpose_json.write(scene.views["cam04"], tmp_path / "cam04_json")
    (tmp_path / "train.toml").write_text(TRAIN, encoding="utf-8")
    return tmp_path


def test_stereo_results_are_the_answer_of_each_camera(folder, scene):
    data = read_training_data(load_training(folder / "train.toml"))
    assert (data.normalisation, data.features, data.generated) == ("body", 3, True)
    assert [str(source) for source in data.sources] == [
        "folder: 1 recordings, 60 frames",
        "stereo multiview.npz, cam01: 1 recordings, 60 frames",
        "stereo multiview.npz, cam02: 1 recordings, 60 frames",
        "unlabelled cam03.npz: 1 recordings, 60 frames",
        "unlabelled cam04_json: 1 recordings, 60 frames",
    ]
    assert [note[:26] for note in data.sources[2].notes] == ["late.npz: 10 of 60 frames "]
    *_, first, second = data.labelled(0)
    joints = data.joints_out
    common = [joints.index(name) for name in ("left_knee", "right_wrist", "left_shoulder", "right_ankle")]
    for clip, camera in zip((first, second), (scene.rig["cam01"], scene.rig["cam02"]), strict=True):
        assert clip.mask[:50, common].all()
        assert not clip.mask[50:].any()
        assert not clip.mask[:, joints.index("head_top")].any()
        place = clip.targets[:50] + clip.root[:50, None] * clip.root_unit[:50, None, None]
        seen = clip.camera[:50, None, :2] * place[..., :2] / place[..., 2:]
        for name in ("left_knee", "right_wrist", "left_shoulder", "right_ankle"):
            keypoint = data.joints_in.index(name)
            wrong = np.abs(seen[:, joints.index(name)] - clip.inputs[:50, keypoint, :2])
            assert wrong.max() < 1e-4
        in_camera = camera.world_to_camera(scene.truth["left_knee"] - scene.truth["mid_hip"])[:50]
        in_camera -= camera.world_to_camera(np.zeros(3))
        length = np.linalg.norm(clip.targets[:50, joints.index("left_knee")], axis=1)
        size = np.linalg.norm(in_camera, axis=1) / length
        assert size == pytest.approx(size[0], rel=1e-4)
        assert 1.2 < size[0] < 1.5
    known, assumed = data.unlabelled(0)
    assert known.targets is None
    assert assumed.seen.shape == (60, 17)


def test_a_killed_training_goes_on_to_the_same_weights(folder, run):
    done = run("train", "train.toml", "-o", "once", cwd=folder)
    assert done.returncode == 0
    lost = "10 of 60 frames have no joints of their time"
    assert done.stderr == f"gonio: warning: cam01.npz: {lost}\ngonio: warning: late.npz: {lost}\n"
    lines = done.stdout.splitlines()
    assert lines[0] == "folder: 1 recordings, 60 frames"
    assert re.fullmatch(r"epoch 1/3  position \d\.\d+  trajectory \d\.\d+  \d+ s", lines[5])
    assert re.fullmatch(r"epoch 3/3  position \S+  trajectory \S+  reprojection \S+  bones \S+  \d+ s", lines[7])
    assert lines[8].endswith("once/weights.safetensors")

    command = [sys.executable, "-m", "gonio", "train", "train.toml", "-o", "killed"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            if line.startswith("epoch 1/"):
                process.send_signal(signal.SIGKILL)
    assert not (folder / "killed" / "learning_curves.png").exists()
    done = run("train", "train.toml", "-o", "killed", cwd=folder)
    assert done.returncode == 0, done.stderr
    weights = [(folder / name / "weights.safetensors").read_bytes() for name in ("once", "killed")]
    assert weights[0] == weights[1]
    assert len(json.loads((folder / "killed" / "run.json").read_text())["log"]) == 3

    done = run("train", "train.toml", "-o", "killed", cwd=folder)
    assert re.fullmatch("killed: .*3 epochs.*", done.stdout.splitlines()[-1])
    read = checkpoints.read(folder / "once" / "weights.safetensors")
    assert read.metadata["normalisation"] == "body"
    assert read.trajectory is not None


def test_options_go_over_the_file_and_its_values_are_shown(folder, run):
    options = ("--training.epochs", "1", "--network.channels", "8", "--motion-capture.groups.0.share", "2")
    done = run("train", "-o", "run", "train.toml", *options, cwd=folder)
    assert done.returncode == 0, done.stderr
    config = json.loads((folder / "run" / "config.json").read_text())
    assert (config["training"]["epochs"], config["network"]["channels"]) == (1, 8)
    assert config["motion_capture"]["groups"][0]["share"] == 2.0
    done = run("train", "train.toml", "--help", cwd=folder, COLUMNS="200")
    shown = " ".join(done.stdout.split())
    assert "(default: 16)" in shown
    for option in ("--motion-capture.augmentation.views", "--stereo.1.offset-s", "--unlabelled.files.1.focal-px"):
        assert option in shown
    shown = run("train", "--help", COLUMNS="200").stdout
    assert "--training.epochs" in shown
    assert "docs/training.md" in shown


@pytest.mark.parametrize(
    ("change", "arguments", "words"),
    [
        (("channels", "chanels"), (), "'network.chanels'"),
        (("cam03.npz", "gone.npz"), (), "folder"),
        (('camera = "cam03"', 'camera = "cam09"'), (), "'cam09'"),
        (("offset_s = 0.5", "offset_s = 50"), (), "joints"),
        (('joints = "multiview.npz"', 'joints = "cam01.npz"'), (), "3D joints"),
        (("focal_px = 900", ""), ("--training.epochs", "0"), "training.epochs = 0"),
        (("image_size_px = [960, 1080]", ""), (), "image_size_px"),
        (("", ""), ("--init", "nobody"), "weights"),
    ],
)
def test_what_cannot_be_trained_is_one_line(folder, run, change, arguments, words):
    (folder / "train.toml").write_text(TRAIN.replace(*change), encoding="utf-8")
    done = run("train", "train.toml", "-o", "run", *arguments, cwd=folder)
    assert done.returncode == 2
    assert done.stderr.startswith("gonio: ")
    assert done.stderr.count("\n") == 1
    assert words in done.stderr
    assert not (folder / "run").exists()


def test_a_folder_is_no_training_file(folder, run):
    done = run("train", "mocap", "-o", "run", cwd=folder)
    assert done.returncode == 2
    assert re.fullmatch(r"gonio: mocap: .*\.toml\n", done.stderr)


def test_weights_that_come_with_gonio_are_adapted(folder):
    """A gentle epoch on one's own stereo results and unlabelled keypoints: near what it was, with a trajectory."""
    own = TRAIN.replace(TRAIN[TRAIN.index("[network]") : TRAIN.index("[training]")], "")
    own = own.replace("epochs = 3", "epochs = 1\nlearning_rate = 1e-5").replace("warm_up = 1", "warm_up = 0")
    (folder / "adapt.toml").write_text(f'init = "{SYMMETRIC}"\n{own}', encoding="utf-8")
    entries = []
    weights = train(load_training(folder / "adapt.toml"), folder / "run", on_epoch=entries.append)
    before = checkpoints.read(weights_file())
    assert replace(weights.architecture, dropout=0.0) == replace(before.architecture, dropout=0.0)
    assert weights.trajectory is not None
    name = "layers_conv.0.weight"
    assert 0 < np.abs(weights.arrays[name] - before.arrays[name]).max() < 1e-3
    assert weights.metadata["data"]["init"] == SYMMETRIC
    assert {"position", "trajectory", "reprojection", "bones"} <= set(entries[0])
    assert entries[0]["position"] < 0.3  # body sizes, with a quarter of the activations dropped


def test_ui_prmd_with_protocol_l1(shared_data, tmp_path):
    """Real recordings: one subject before virtual cameras, another measured on, a third without labels."""
    ui_prmd = shared_data / "ui-prmd"
    text = f"""
[motion_capture]
frames = 2000
[[motion_capture.groups]]
path = "{ui_prmd.as_posix()}"
kind = "ui-prmd"
subjects = ["s01"]
[unlabelled]
subjects = ["s02"]
[validation]
path = "{ui_prmd.as_posix()}"
subjects = ["s07"]
"""
    (tmp_path / "train.toml").write_text(text, encoding="utf-8")
    data = read_training_data(load_training(tmp_path / "train.toml"))
    assert [(source.name, source.recordings) for source in data.sources] == [
        ("ui-prmd of s01", 100),
        ("unlabelled s02", 400),
        ("validation s07", 400),
    ]
    assert data.unit_mm == pytest.approx(1266, abs=40)
    clips = data.labelled(0)
    assert 2000 <= sum(map(len, clips)) < 3500
    again = data.labelled(0)
    assert all(np.array_equal(a.inputs, b.inputs) for a, b in zip(clips, again, strict=True))
    assert all(clip.targets is None for clip in data.unlabelled(0))
    assert len(data.validation) == 400
