"""examples/own_format.py as a script and as an installed package."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import gonio

EXAMPLE = Path(__file__).parents[2] / "examples" / "own_format.py"


@pytest.fixture
def joints(tmp_path: Path) -> gonio.PoseSequence:
    """joints.trc: legs, the left ankle missing in one frame."""
    skeleton = gonio.Skeleton("legs", ("left_hip", "left_knee", "left_ankle", "right_hip"), (-1, 0, 1, 0))
    positions = np.random.default_rng(0).normal(0, 0.3, (5, 4, 3)).round(4)
    positions[2, 2] = np.nan
    sequence = gonio.PoseSequence(positions, np.arange(5) / 50, skeleton, "m", "world", up="+y")
    gonio.write(sequence, tmp_path / "joints.trc")
    return sequence


def run(*arguments: object, folder: Path, path: str = "") -> subprocess.CompletedProcess[str]:
    places = os.pathsep.join(filter(None, [path, os.environ.get("PYTHONPATH", "")]))
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": places},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_script_writes_and_reads_its_own_format(joints: gonio.PoseSequence, tmp_path: Path) -> None:
    done = run(EXAMPLE, "joints.trc", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "5 frames" in done.stdout
    header, *lines = (tmp_path / "joints.steps").read_text().splitlines()
    assert header == "steps 50 left_hip left_knee left_ankle right_hip"
    assert lines[2].split()[6:9] == ["-", "-", "-"]


def test_an_installed_format_is_known_to_the_commands(joints: gonio.PoseSequence, tmp_path: Path) -> None:
    package = tmp_path / "package"
    about = package / "own_format-1.0.dist-info"
    about.mkdir(parents=True)
    shutil.copy(EXAMPLE, package)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: own-format\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[gonio.formats]\nsteps = own_format:FORMAT\n")
    for source, target in (("joints.trc", "joints.steps"), ("joints.steps", "back.trc")):
        done = run("-m", "gonio", "convert", source, target, folder=tmp_path, path=str(package))
        assert done.returncode == 0, done.stderr
    back = gonio.read_sequence(tmp_path / "back.trc")
    np.testing.assert_allclose(back.positions, joints.positions, atol=1e-6)
    (tmp_path / "bad.steps").write_text("steps 50 left_hip\n1 2\n")
    done = run("-m", "gonio", "convert", "bad.steps", "x.trc", folder=tmp_path, path=str(package))
    assert done.returncode == 2
    assert "bad.steps: line 2" in done.stderr
    assert "Traceback" not in done.stderr
