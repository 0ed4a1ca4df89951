"""`gonio evaluate`: a network and recordings with known joints in, errors out; bad input is one line."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from gonio.cli import main
from gonio.io.rigs import subject_cameras
from gonio.lifting import checkpoints
from gonio.lifting.architecture import Architecture
from gonio.lifting.checkpoints import Weights
from gonio.lifting.prediction import normalise_screen, predict


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Human3.6M's files with four frames of two people, and the networks of two layouts."""
    joints = np.random.default_rng(0).uniform(-0.5, 0.5, (4, 17, 3)) + (0, 0, 1)
    flat = {
        subject: {
            action: [camera.world_to_image(joints) for camera in subject_cameras.human36m()[subject]]
            for action in ("Walking", "Eating 1")
        }
        for subject in ("S9", "S11")
    }
    solid = {subject: dict.fromkeys(actions, joints) for subject, actions in flat.items()}
    (tmp_path / "h36m").mkdir()
    np.savez(tmp_path / "h36m" / "data_3d_h36m.npz", positions_3d=solid)
    layout = {"layout_name": "h36m", "num_joints": 17}
    np.savez(tmp_path / "h36m" / "data_2d_h36m_gt.npz", positions_2d=flat, metadata=layout)
    rng = np.random.default_rng(1)
    for name, n_joints in (("net", 17), ("humaneva", 15)):
        architecture = Architecture((3, 3), in_joints=n_joints, out_joints=n_joints, channels=16)
        arrays = {key: np.abs(rng.normal(0, 0.1, shape)) + 0.01 for key, shape in architecture.shapes.items()}
        checkpoints.write(Weights(architecture, arrays), tmp_path / f"{name}.safetensors")
    return tmp_path


def test_evaluate(folder, run):
    done = run("evaluate", "--weights", "net.safetensors", "--data", "h36m", "-o", "out/evaluation.json", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    first, header, *rows = done.stdout.splitlines()
    assert re.match(r"Human3\.6M, h36m-17 .* 17 .*mid_hip, 50 ", first)
    assert header.split()[:3] == ["lifting", "action", "frames"]
    assert len(rows) == 2 * 4 + 2
    assert rows[-2].endswith(" out/evaluation.json")
    content = json.loads((folder / "out" / "evaluation.json").read_text())
    joints = np.random.default_rng(0).uniform(-0.5, 0.5, (4, 17, 3)) + (0, 0, 1)
    weights, errors = checkpoints.read(folder / "net.safetensors"), []
    for subject in ("S9", "S11"):
        for camera in subject_cameras.human36m()[subject]:
            truth = camera.world_to_camera(joints)
            screen = normalise_screen(camera.world_to_image(joints), *camera.size_px)
            guess = predict(weights, screen[None])[0].astype(float)
            difference = (guess - guess[:, :1]) - (truth - truth[:, :1])
            errors.append(1000 * np.linalg.norm(difference, axis=2).mean())
    assert content["scores"]["plain"]["mean_of_actions"]["mpjpe_mm"] == pytest.approx(np.mean(errors), rel=1e-5)
    assert content["scores"]["plain"]["by_action"]["Eating"]["frames"] == 4 * 4 * 2
    assert content["scores"]["flip_averaged"]["all_frames"]["frames"] == 4 * 4 * 2 * 2
    provenance = json.loads((folder / "out" / "evaluation.json.provenance.json").read_text())
    assert provenance["command"] == "evaluate"
    assert sorted(path.name for path in (folder / "out").iterdir()) == [
        "evaluation.csv",
        "evaluation.json",
        "evaluation.json.provenance.json",
    ]


DATA = ("--data", "h36m")
NET = ("--weights", "net.safetensors")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((*NET, *DATA, "-o", "evaluation.csv"), "is written as .json"),
        ((*NET, *DATA, "-o", "h36m/evaluation.json"), "lies in the input folder"),
        ((*NET, "-o", "e.json"), "name the data"),
        ((*NET, "--data", "nowhere", "-o", "e.json"), "is no folder"),
        ((*NET, "--data", "empty", "-o", "e.json"), "holds no UI-PRMD"),
        ((*NET, *DATA, "--subjects", "S5", "-o", "e.json"), "no subject S5; there are S9, S11"),
        ((*NET, *DATA, "--actions", "Walk", "-o", "e.json"), "its actions are Eating, Walking"),
        ((*NET, *DATA, "--clean", "-o", "e.json"), "--clean goes with UI-PRMD"),
        (("--weights", "humaneva.safetensors", *DATA, "-o", "e.json"), "takes 15 joints .* choose data or weights"),
        (("--weights", "h36m/data_3d_h36m.npz", *DATA, "-o", "e.json"), "data_3d_h36m.npz"),
        (("--weights", "empty", *DATA, "-o", "e.json"), "holds none; name the one .safetensors"),
        ((*NET, "--data-3d", "net.safetensors", "--data-2d", "net.safetensors", "-o", "e.json"), "net.safetensors"),
    ],
)
def test_bad_input(folder, arguments, words, monkeypatch, capsys):
    (folder / "empty").mkdir()
    before = sorted(folder.rglob("*"))
    monkeypatch.chdir(folder)
    monkeypatch.setattr("sys.argv", ["gonio", "evaluate", *arguments])
    with pytest.raises(SystemExit) as stop:
        main()
    captured = capsys.readouterr()
    assert stop.value.code == 2
    assert captured.out == ""
    assert captured.err.count("\n") == 1, captured.err
    assert captured.err.startswith("gonio: ")
    assert re.search(words, captured.err), captured.err
    assert sorted(folder.rglob("*")) == before
