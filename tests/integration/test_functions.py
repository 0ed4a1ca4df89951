"""Commands as functions: the same result and the same files as the command line's; nothing is written unasked."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import gonio as api
from gonio.core.errors import ConfigError
from gonio.trials.outputs import Output


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}


def test_triangulate(recorded, scene, run):
    views = [str(recorded / f"{name}_json") for name in scene.views]
    before = files(recorded)
    joints = api.triangulate(views, str(recorded / "Calib.toml"), layout="body-25", fps=30)
    assert files(recorded) == before
    np.testing.assert_allclose(joints["left_knee"], scene.truth["left_knee"], atol=1e-3)

    written: list[Output] = []
    rig = recorded / "Calib.toml"
    api.triangulate(views, rig, output=recorded / "a.trc", layout="body-25", fps=30, on_written=written.append)
    run("triangulate", *views, "--rig", rig, "--layout", "body-25", "--fps", 30, "-o", recorded / "b.trc")
    assert (recorded / "a.trc").read_bytes().replace(b"a.trc", b"") == (recorded / "b.trc").read_bytes().replace(
        b"b.trc", b""
    )
    records = [json.loads((recorded / f"{name}.trc.provenance.json").read_text()) for name in "ab"]
    for record in records:
        del record["options"]["output"]
    assert records[0] == records[1]
    assert [output.path for output in written] == [recorded / "a.trc"]
    assert any("cam01 0.0 px" in note for note in written[0].notes)


def test_lift_and_render(scene, shipped_weights, tmp_path):
    view = scene.views["cam01"]
    joints = api.lift(view, height=1.7)
    assert len(joints) == len(view)
    assert not list(tmp_path.iterdir())
    api.write(view, tmp_path / "cam01.npz")
    from_file = api.lift(tmp_path / "cam01.npz", height=1.7, output=str(tmp_path / "joints.npz"))
    np.testing.assert_array_equal(from_file.positions, joints.positions)
    drawn = api.render(view, {"lifted": joints}, tmp_path / "lifted.gif")
    assert drawn.frames == 30  # at most 15 a second
    record = json.loads((tmp_path / "lifted.gif.provenance.json").read_text())
    assert (record["command"], record["options"]["joints"]) == ("render", ["lifted"])
    with pytest.raises(ConfigError, match="layout"):
        api.lift(view, layout="body-25")


def test_convert(scene, tmp_path):
    api.write(scene.truth, tmp_path / "truth.npz")
    joints = api.convert(tmp_path / "truth.npz", str(tmp_path / "truth.trc"), fps_out=15)
    assert isinstance(joints, api.PoseSequence)
    assert joints.rate_hz == pytest.approx(15)
    angles = api.convert(str(tmp_path / "truth.npz"), tmp_path / "truth.mot")
    assert isinstance(angles, api.AngleSeries)
    assert api.read_angles(tmp_path / "truth.mot").names == angles.names


def test_compare(recorded, scene):
    views = [recorded / f"{name}_json" for name in scene.views]
    before = files(recorded)
    result = api.compare(views, rig=recorded / "Calib.toml", layout="body-25", fps=30, reference="multiview")
    assert files(recorded) == before
    assert result.protocol["reference"] == "multiview"
    again = api.compare(
        [str(view) for view in views],
        output=recorded / "out",
        rig=recorded / "Calib.toml",
        layout="body-25",
        fps=30,
        reference="multiview",
        videos=False,
    )
    assert (recorded / "out" / "report.html").is_file()
    assert again.methods == result.methods
