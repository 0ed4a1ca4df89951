"""`gonio convert` from any format to any that can hold it: what is written, what is printed, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import gonio as api
from gonio.cli import main
from gonio.core.sequence import PoseSequence

ENDINGS_3D = ("mat", "nc", "bvh", "mot")  # the other endings are converted in other tests


@pytest.fixture
def joints(scene, tmp_path: Path) -> Path:
    api.write(scene.truth, tmp_path / "joints.trc")
    api.write(scene.views["cam01"], tmp_path / "cam01.npz")
    return tmp_path


@pytest.mark.parametrize("ending", ENDINGS_3D)
def test_3d_joints_to_every_format(joints, run, ending):
    done = run("convert", "joints.trc", f"out.{ending}", cwd=joints)
    assert (joints / f"out.{ending}").exists()
    record = json.loads((joints / f"out.{ending}.provenance.json").read_text())
    assert record["command"] == "convert"
    assert ("not kept" in str(record["steps"])) == (ending != "mat")
    assert not done.stderr
    if ending == "mot":
        return
    unit = "cm" if ending == "bvh" else None
    back, before = api.read(joints / f"out.{ending}", unit=unit), api.read(joints / "joints.trc")
    assert isinstance(back, PoseSequence)
    np.testing.assert_allclose(back["left_knee"], before["left_knee"], atol=1e-6)


@pytest.mark.parametrize("ending", ["json", "mat"])
def test_keypoints_to_every_format(joints, run, ending):
    run("convert", "cam01.npz", f"out.{ending}", cwd=joints)
    back, before = api.read(joints / f"out.{ending}"), api.read(joints / "cam01.npz")
    np.testing.assert_array_equal(back.positions, before.positions)
    np.testing.assert_array_equal(back.times_s, before.times_s)


def test_angles_are_gonios_own(joints, run):
    done = run("convert", "joints.trc", "out.mot", cwd=joints)
    assert "gonio's" in done.stdout
    angles = api.read_angles(joints / "out.mot")
    expected = api.joint_angles(api.read(joints / "joints.trc"))
    assert angles.names == expected.names
    np.testing.assert_allclose(angles.angles_deg, expected.angles_deg, atol=1e-9)
    run("convert", "out.mot", "again.sto", cwd=joints)
    np.testing.assert_allclose(api.read_angles(joints / "again.sto").angles_deg, angles.angles_deg, atol=1e-9)


def test_to_xarray(joints, run):
    xr = pytest.importorskip("xarray")
    run("convert", "joints.trc", "out.nc", "--to-xarray", cwd=joints)
    with xr.open_dataset(joints / "out.nc") as data:
        assert data["position"].dims == ("time", "space", "keypoint", "individual")
        assert data.attrs["source_software"] == "gonio"


@pytest.fixture
def refused(capsys, monkeypatch):
    """Runs the command line; returns its one line on standard error, with exit status 2."""

    def line(*arguments: object) -> str:
        monkeypatch.setattr("sys.argv", ["gonio", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            main()
        captured = capsys.readouterr()
        assert stop.value.code == 2
        assert captured.err.count("\n") == 1
        return captured.err

    return line


def test_what_is_refused(joints, refused):
    api.write(api.joint_angles(api.read(joints / "joints.trc")), joints / "out.mot")
    assert ".nc" in refused("convert", joints / "joints.trc", joints / "x.csv", "--to-xarray")
    assert "2D" in refused("convert", joints / "cam01.npz", joints / "x.mot")
    assert "angles" in refused("convert", joints / "out.mot", joints / "x.trc")
    assert "--fps-out" in refused("convert", joints / "out.mot", joints / "x.sto", "--fps-out", 30)
    assert "folder" in refused("convert", joints / "joints.trc", joints / "x.json")
    (joints / "a.iPiVideo").write_bytes(b"closed")
    assert ".bvh" in refused("convert", joints / "a.iPiVideo", joints / "x.csv")
    assert ".bvh" in refused("compare", joints / "a.iPiVideo", joints / "joints.trc", "-o", joints / "x.out")
    assert "angles" in refused("compare", joints / "out.mot", joints / "joints.trc", "-o", joints / "x.out")
    assert not list(joints.glob("x.*"))
