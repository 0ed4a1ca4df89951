"""`gonio lift`: keypoints and the weights of a network in, joints out."""

import hashlib
import json
import re

import numpy as np
import pytest

import gonio as api
from gonio.io import archive
from gonio.lifting import checkpoints
from gonio.lifting.architecture import Architecture
from gonio.lifting.checkpoints import Weights
from gonio.lifting.lifter import lift
from gonio.trials import single_step


def test_lift(tmp_path, scene, run):
    architecture = Architecture((3, 3, 3), channels=32)
    rng = np.random.default_rng(1)
    arrays = {name: np.abs(rng.normal(0, 0.1, shape)) + 0.01 for name, shape in architecture.shapes.items()}
    checkpoints.write(Weights(architecture, arrays), tmp_path / "net.safetensors")
    archive.write(scene.views["cam01"], tmp_path / "cam01.npz")
    done = run("lift", tmp_path / "cam01.npz", "--weights", tmp_path / "net.safetensors", "-o", tmp_path / "joints.npy")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    joints = np.load(tmp_path / "joints.npy")
    assert joints.shape == (60, 17, 3)
    weights = checkpoints.read(tmp_path / "net.safetensors")
    np.testing.assert_allclose(joints, lift(weights, api.read(tmp_path / "cam01.npz")).positions, atol=1e-5)
    provenance = json.loads((tmp_path / "joints.npy.provenance.json").read_text())
    assert provenance["command"] == "lift"
    assert any("27" in step for step in provenance["steps"])
    done = run(
        "lift",
        tmp_path / "cam01.npz",
        "--weights",
        tmp_path / "net.safetensors",
        "-o",
        tmp_path / "joints.txt",
        "--fps-out",
        "15",
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"30 .*15 .*30", done.stdout)
    knee = api.read(tmp_path / "joints.txt")["left_knee"]
    np.testing.assert_allclose(knee, (joints[:, 5] * [-1, -1, 1])[::2], atol=1e-5)


def test_lift_with_gonios_own_weights(tmp_path, scene, run, flat_weights):
    weights = flat_weights / "lifter-coco17-27.safetensors"
    archive.write(scene.views["cam01"], tmp_path / "cam01.npz")
    out = tmp_path / "joints.npz"
    done = run("lift", tmp_path / "cam01.npz", "--weights", weights, "-o", out, "--segment", "thigh=0.44", "--place",
               "geometry", "--focal", 900)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    joints = api.read(out)
    assert (joints.frame, joints.frame_name) == ("camera", "cam01")
    thighs = [np.linalg.norm(joints[f"{s}_hip"] - joints[f"{s}_knee"], axis=1) for s in ("left", "right")]
    assert np.median(np.mean(thighs, axis=0)) == pytest.approx(0.44, abs=1e-6)
    assert 2 < np.median(joints["mid_hip"][:, 2]) < 7  # the camera stands 4 m away; a flat network is a poor one
    steps = json.loads((tmp_path / "joints.npz.provenance.json").read_text())["steps"]
    sha256 = hashlib.sha256(weights.read_bytes()).hexdigest()
    for words in (f"weights {weights.name}, sha256 {sha256}", "900 px", "0.440 m"):
        assert any(words in step for step in steps), words
    assert "assumed" not in done.stdout
    assumed = run("lift", tmp_path / "cam01.npz", "--weights", weights, "-o", tmp_path / "other.npz")
    assert "1.70 m" in assumed.stdout
    assert [a.kind for a in archive.read(tmp_path / "other.npz").assumptions] == ["stature", "focal_length"]


def test_the_default_weights_are_gonios_own(tmp_path, scene, shipped_weights, monkeypatch):
    archive.write(scene.views["cam01"], tmp_path / "cam01.npz")
    joints = single_step.lift(tmp_path / "cam01.npz")
    assert joints.source.file == "lifter-coco17-27.safetensors"
    assert single_step.lift(tmp_path / "cam01.npz", causal=True).source.file == "lifter-coco17-causal.safetensors"
    named = single_step.lift(tmp_path / "cam01.npz", weights="lifter-coco17-causal")
    assert "causal" in named.source.model
