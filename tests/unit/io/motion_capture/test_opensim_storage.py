"""OpenSim's .mot and .sto: by hand, a real result of inverse kinematics, there and back, and damaged files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gonio.core.angle_series import AngleSeries
from gonio.core.errors import InputError
from gonio.core.sequence import PoseSequence
from gonio.core.skeleton import COCO_17
from gonio.io import formats
from gonio.io.motion_capture import opensim_storage

HEADER = "Coordinates\nversion=1\nnRows=2\nnColumns=4\ninDegrees=yes\n\nendheader\n"
TEXT = HEADER + "time\tpelvis_tx\tknee_angle_r\thip_flexion_r\n 0.5\t0.9\t90\t-45\n0.52\t0.9\t45\tnan\n"


def written(folder: Path, content: str, name: str = "x.mot") -> Path:
    path = folder / name
    path.write_text(content)
    return path


def made() -> AngleSeries:
    rng = np.random.default_rng(3)
    angles = rng.uniform(-3, 3, (5, 3))
    angles[2, 1] = np.nan
    return AngleSeries(angles, np.arange(5) / 60 + 0.1, ("a", "b", "c"), ("",) * 3, ((-4.0, 4.0),) * 3)


def test_by_hand(tmp_path: Path) -> None:
    angles = formats.read_angles(written(tmp_path, TEXT))
    assert angles.names == ("knee_angle_r", "hip_flexion_r")
    assert angles.times_s.tolist() == [0.5, 0.52]
    np.testing.assert_allclose(angles.degrees["knee_angle_r"], [90, 45])
    np.testing.assert_allclose(angles.degrees["hip_flexion_r"], [-45, np.nan])
    assert "pelvis_tx" in angles.history[-1]
    radians = formats.read_angles(written(tmp_path, TEXT.replace("=yes", "=no"), "x.sto"))
    assert radians.radians["knee_angle_r"].tolist() == [90, 45]


@pytest.mark.parametrize("in_degrees", [True, False])
@pytest.mark.parametrize("name", ["x.mot", "x.sto"])
def test_there_and_back(tmp_path: Path, name: str, in_degrees: bool) -> None:
    not_preserved = opensim_storage.write(made(), tmp_path / name, in_degrees=in_degrees)
    assert not_preserved == (
        "the definition of each angle is not stored",
        "1 missing values are written as nan; OpenSim's Storage leaves out their rows",
    )
    back = formats.read_angles(tmp_path / name)
    assert back.names == made().names
    np.testing.assert_allclose(back.angles_rad, made().angles_rad, rtol=1e-11)
    np.testing.assert_allclose(back.times_s, made().times_s, rtol=1e-11)


def test_a_result_of_inverse_kinematics(shared_data: Path) -> None:
    path = shared_data / "pose2sim/balancing/opensim_ik_body25b.mot"
    angles = formats.read_angles(path)
    assert len(angles) == 100
    assert len(angles.names) == 62 - 3
    assert angles.angles_deg[0, angles.names.index("knee_angle_r")] == pytest.approx(16.94307591, abs=1e-9)


def test_positions_and_angles_are_not_mixed(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"x\.csv.*angles.*\.mot"):
        formats.write(made(), tmp_path / "x.csv")
    with pytest.raises(InputError, match="3D joints"):
        formats.check_target(tmp_path / "x.mot", 3)
    with pytest.raises(InputError, match=r"angles.*positions"):
        formats.read(written(tmp_path, TEXT))
    solid = PoseSequence(np.ones((2, 17, 3)), np.arange(2.0), COCO_17, "m", "world")
    with pytest.raises(InputError, match=r"angles.*positions"):
        formats.write(solid, tmp_path / "y.mot")
    formats.write(solid, tmp_path / "x.trc")
    with pytest.raises(InputError, match=r"positions.*joints"):
        formats.read_angles(tmp_path / "x.trc")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "empty"),
        ("time\ta\n0\t1\n", r"begin.*like"),
        (HEADER, r"first row"),
        (TEXT.replace("inDegrees=yes\n", ""), "inDegrees"),
        (TEXT.replace("inDegrees=yes", "inDegrees=perhaps"), "inDegrees"),
        (TEXT.replace("nRows=2", "nRows=3"), r"3.*2"),
        (TEXT.replace("nRows=2", "nRows=" + "9" * 5000), r"nrows.*9"),
        (TEXT.replace("nRows=2", "nRows=\u0663"), r"٣.*2"),
        (TEXT.replace("nColumns=4", "nColumns=5"), r"ncolumns.*5"),
        (TEXT.replace("hip_flexion_r", "knee_angle_r"), "'knee_angle_r'"),
        (TEXT.replace("time\t", "frame\t"), "'frame'"),
        (TEXT.replace("\tnan\n", "\n"), r"line 10.*3.*4"),
        (TEXT.replace("-45", "minus"), r"line 9.*'minus'"),
        (TEXT.replace("-45", "inf"), "infinite"),
        (TEXT.replace("0.52", "nan"), "without a time"),
        (TEXT.replace("0.52", "0.5"), r"line 10.*0.5 s"),
        (HEADER.replace("4", "2").replace("2\nn", "1\nn") + "time\tpelvis_tx\n0\t1\n", r"column.*angle"),
    ],
)
def test_damaged_files(tmp_path: Path, content: str, message: str) -> None:
    path = written(tmp_path, content)
    with pytest.raises(InputError, match=message) as raised:
        formats.read_angles(path)
    assert str(raised.value).startswith(f"{path}: ")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name", ["a b", "", "time", "a\tb"])
def test_names_that_cannot_stand_over_a_column(tmp_path: Path, name: str) -> None:
    one = AngleSeries(np.zeros((2, 1)), np.arange(2.0), (name,), ("",), ((0.0, 1.0),))
    with pytest.raises(InputError, match="column"):
        opensim_storage.write(one, tmp_path / "x.mot")
    assert not list(tmp_path.iterdir())
