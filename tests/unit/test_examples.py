"""The examples of an own angle and an own layout: as scripts, and as an installed package that names them."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import gonio
from gonio.core.sequence import PoseSequence
from gonio.core.skeleton import LAYOUTS, layout

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(*arguments, path=None):
    if path is not None:
        arguments = ("-c", f"import sys; sys.path.insert(0, {str(path)!r}); {arguments[0]}", *arguments[1:])
    done = subprocess.run(
        [sys.executable, *map(str, arguments)], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def leaning(tmp_path):
    """A file of a left shank that leans by 0 to 30 degrees and an upright right one; z up."""
    lean = np.deg2rad(np.linspace(0, 30, 20))
    joints = ("left_hip", "left_knee", "left_ankle", "right_hip", "right_knee", "right_ankle")
    positions = np.zeros((20, 6, 3))
    positions[:, 1] = 0.4 * np.stack([np.sin(lean), 0 * lean, np.cos(lean)], axis=1)
    positions[:, 0] = positions[:, 1] + [0, 0, 0.4]
    positions[:, 3:] = [[0, 0.3, 0.8], [0, 0.3, 0.4], [0, 0.3, 0]]
    skeleton = gonio.Skeleton("legs", joints, (-1, 0, 1, 0, 3, 4))
    sequence = PoseSequence(positions, np.arange(20) / 30, skeleton, "m", "world", up="+z")
    gonio.write(sequence, tmp_path / "legs.npz")
    return tmp_path / "legs.npz"


def test_an_own_angle(leaning):
    assert run(EXAMPLES / "own_angle.py", leaning).splitlines() == ["left: 30.0 degrees", "right: 0.0 degrees"]


def test_an_own_layout(tmp_path):
    arms = np.zeros((20, 7, 3))
    arms[:, 1:4, 0] = 0.2, 0.5, 0.8
    arms[:, 4:, 0] = -0.2, -0.5, -0.8
    bend = np.deg2rad(np.linspace(0, 90, 20))
    arms[:, 3] = arms[:, 2] + 0.3 * np.stack([np.cos(bend), np.sin(bend), 0 * bend], axis=1)
    np.save(tmp_path / "arms.npy", arms)
    lines = run(EXAMPLES / "own_layout.py", tmp_path / "arms.npy").splitlines()
    assert lines == ["left_elbow_flexion: 90.0 degrees", "right_elbow_flexion: 0.0 degrees"]


def test_an_installed_package_adds_both(leaning, tmp_path):
    about = tmp_path / "site" / "acme-1.2.dist-info"
    about.mkdir(parents=True)
    for name in ("own_angle.py", "own_layout.py"):
        (tmp_path / "site" / name).write_text((EXAMPLES / name).read_text(encoding="utf-8"), encoding="utf-8")
    (about / "METADATA").write_text("Name: acme\nVersion: 1.2\n", encoding="utf-8")
    (about / "entry_points.txt").write_text(
        "[gonio.angles]\nshank_inclination = own_angle:SHANK_INCLINATION\n"
        "[gonio.skeletons]\narms-7 = own_layout:ARMS_7\n",
        encoding="utf-8",
    )
    program = (
        "import gonio; loaded = 'own_angle' in sys.modules or 'own_layout' in sys.modules; "
        "angles = gonio.joint_angles(gonio.read(sys.argv[1])); "
        "print(loaded, angles.names[-2:], len(gonio.layout('arms_7')))"
    )
    expected = "False ('left_shank_inclination', 'right_shank_inclination') 7"
    assert run(program, leaning, path=tmp_path / "site").strip() == expected


def test_a_layout_has_one_name_in_small_letters(monkeypatch):
    monkeypatch.setattr(LAYOUTS, "_known", dict(LAYOUTS._known))
    own = gonio.Skeleton("own-2", ("left_hip", "left_knee"), (-1, 0))
    gonio.register_skeleton(own)
    assert layout("Own_2") is own
    with pytest.raises(gonio.GonioError, match="coco-17"):
        gonio.register_skeleton(gonio.Skeleton("coco-17", ("left_hip",), (-1,)))
    with pytest.raises(gonio.GonioError, match="'own-3'"):
        gonio.register_skeleton(gonio.Skeleton("Own_3", ("left_hip",), (-1,)))
