"""`gonio lift`: keypoints and the weights of a network in, joints out."""

import json

import numpy as np

import gonio as api
from gonio.lifting import checkpoints
from gonio.lifting.architecture import Architecture
from gonio.lifting.checkpoints import Weights
from gonio.lifting.lifter import lift
from gonio.sources import archive


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
    assert any("network of 27 frames" in step for step in provenance["steps"])
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
    assert "from 30 to 15 frames per second: resampled to 30 frames: 30 taken as they are" in done.stdout
    knee = api.read(tmp_path / "joints.txt")["left_knee"]
    np.testing.assert_allclose(knee, (joints[:, 5] * [-1, -1, 1])[::2], atol=1e-5)
