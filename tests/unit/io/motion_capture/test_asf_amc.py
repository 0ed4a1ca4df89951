"""ASF/AMC: two bones by hand, CMU's skeleton, and damaged files."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from gonio.core.errors import InputError
from gonio.io.motion_capture import asf_amc

ASF = """# made by hand
:version 1.10
:name TWO
:units
  mass 1.0
  length 0.45
  angle deg
:documentation
   two bones
:root
   order TX TY TZ RX RY RZ
   axis XYZ
   position 0 0 0
   orientation 0 0 0
:bonedata
  begin
     id 1
     name upper
     direction 0 -1 0
     length 4
     axis 0 0 20 XYZ
     dof rx ry rz
     limits (-160.0 20.0)
            (-70.0 70.0)
            (-60.0 70.0)
  end
  begin
     id 2
     name lower
     direction 0 -1 0
     length 3
     axis 90 0 20 XYZ
     dof rx
  end
:hierarchy
  begin
    root upper
    upper lower
  end
"""
AMC = """#!OML:ASF two.asf
:FULLY-SPECIFIED
:DEGREES
1
root 0 0 0 0 0 0
upper 0 0 0
lower 0
2
root 1 2 3 10 20 30
upper 40 -50 60
lower 70
"""


def written(folder: Path, asf: str = ASF, amc: str = AMC) -> tuple[Path, Path]:
    (folder / "two.asf").write_text(asf)
    (folder / "two.amc").write_text(amc)
    return folder / "two.asf", folder / "two.amc"


def fixed(angles_deg: list[float]) -> Rotation:
    """About x, then y, then z, all fixed."""
    return Rotation.from_euler("xyz", angles_deg, degrees=True)


def test_two_bones(tmp_path: Path) -> None:
    sequence = asf_amc.read(*written(tmp_path), unit_m=1.0)
    assert sequence.skeleton.joints == ("root", "upper", "lower")
    np.testing.assert_allclose(sequence.positions[0], [[0, 0, 0], [0, -4, 0], [0, -7, 0]], atol=1e-12)
    upper_axes, lower_axes = fixed([0, 0, 20]), fixed([90, 0, 20])
    root = fixed([10, 20, 30])
    upper = root * upper_axes * fixed([40, -50, 60]) * upper_axes.inv()
    lower = upper * lower_axes * fixed([70, 0, 0]) * lower_axes.inv()
    first = np.array([1, 2, 3]) + upper.apply([0, -4, 0])
    np.testing.assert_allclose(sequence["upper"][1], first)
    np.testing.assert_allclose(sequence["lower"][1], first + lower.apply([0, -3, 0]))
    np.testing.assert_allclose(sequence.times_s, [0, 1 / 120])


def test_units(tmp_path: Path) -> None:
    assert pytest.approx(0.056444, abs=1e-6) == asf_amc.CMU_UNIT_M
    sequence = asf_amc.read(*written(tmp_path), rate_hz=60)
    np.testing.assert_allclose(sequence["upper"][0], [0, -4 * 0.0254 / 0.45, 0], atol=1e-12)
    assert sequence.rate_hz == pytest.approx(60)
    radians = AMC.replace(":DEGREES", ":RADIANS").replace("70", "1.2217304763960306").split("\n2\n")
    asf, amc = written(tmp_path, amc=radians[0] + "\n2\nroot 1 2 3 0 0 0\nupper 0 0 0\nlower 1.2217304763960306\n")
    np.testing.assert_allclose(
        asf_amc.read(asf, amc).positions[1],
        asf_amc.read(*written(tmp_path, amc=AMC.replace("10 20 30", "0 0 0").replace("40 -50 60", "0 0 0"))).positions[
            1
        ],
    )


@pytest.mark.parametrize(
    ("asf", "amc", "message"),
    [
        ("", AMC, "empty"),
        ("hello\n", AMC, "skeleton"),
        (ASF[:500], AMC, r"bonedata.*hierarchy"),
        (ASF.replace("length 4", ""), AMC, "damaged"),
        (ASF.replace("axis 0 0 20 XYZ", "axis 0 0 20 XXZ"), AMC, "damaged"),
        (ASF.replace("    upper lower\n", ""), AMC, r"hierarchy.*bonedata"),
        (
            ASF.replace("    upper lower\n", "    upper root lower\n"),
            AMC.replace("lower 70\n", ""),
            "frame 2",
        ),
        (ASF.replace("dof rx\n", "dof l\n"), AMC, r"degrees.*freedom"),
        (ASF.replace("direction 0 -1 0", "direction 0 nan 0"), AMC, "numbers 0 nan 0"),
        (ASF.replace("direction 0 -1 0", "direction 0 1"), AMC, r"three.*numbers"),
        (ASF.replace("length 4", "length 1e300"), AMC, "numbers 1e300"),
        (ASF.replace("axis 0 0 20", "axis 0 inf 20"), AMC, "numbers 0 inf 20"),
        (ASF.replace("position 0 0 0", "position 0 0"), AMC, r"position.*numbers"),
        (ASF, AMC.replace("lower 70", "lower 1e300"), r"infinite.*1e"),
        (ASF.replace("order TX", "order"), AMC, r"order.*root"),
        (ASF, ":DEGREES\n", "frame"),
        (ASF, AMC.replace("lower 70\n", ""), r"frame 2.*0 times"),
        (ASF, AMC.replace("lower 70", "lower 70 1"), r"2.*1"),
        (ASF, AMC.replace("lower 70", "elbow 70"), r"line 11.*'elbow'"),
        (ASF, AMC.replace("lower 70", "lower x"), r"word.*number"),
        (ASF, AMC.replace("lower 70", "lower nan"), "infinite"),
        (ASF, AMC + "lower 3\n", r"frame 2.*2 times"),
    ],
)
def test_damaged_files(tmp_path: Path, asf: str, amc: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as raised:
        asf_amc.read(*written(tmp_path, asf, amc))
    assert "\n" not in str(raised.value)


def test_impossible_numbers(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"frame.*0"):
        asf_amc.read(*written(tmp_path), rate_hz=0)


def test_cmu(shared_data: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(shared_data / "cmu-mocap/asf_amc.zip") as archive:
        asf, amc = (Path(archive.extract(f"subjects/02/02{name}", tmp_path)) for name in (".asf", "_01.amc"))
    sequence = asf_amc.read(asf, amc)  # a walk of 343 frames
    assert len(sequence) == 343
    for bone, length_m in ((("hip", "knee"), 7.59371), (("knee", "ankle"), 7.28717)):  # as the skeleton has them
        for side in ("left", "right"):
            lengths = np.linalg.norm(sequence[f"{side}_{bone[0]}"] - sequence[f"{side}_{bone[1]}"], axis=1)
            np.testing.assert_allclose(lengths, length_m * asf_amc.CMU_UNIT_M, atol=0.006)
            assert np.ptp(lengths) < 1e-9
    hips = sequence["left_hip"] - sequence["right_hip"]
    forward = np.cross(hips, [0, 1, 0])
    travel = sequence["mid_hip"][-1] - sequence["mid_hip"][0]
    assert np.linalg.norm(travel) / sequence.times_s[-1] == pytest.approx(1.2, abs=0.5)  # m/s
    assert (forward @ travel > 0).mean() == 1  # it walks forwards: left is left
    assert 0.0 < np.percentile(sequence["left_ankle"][:, 1], 5) < 0.2


@pytest.mark.parametrize(("subject", "motion"), [("01", "01_01"), ("02", "02_01"), ("02", "02_05"), ("03", "03_04")])
def test_cmu_people_have_human_thighs(shared_data: Path, tmp_path: Path, subject: str, motion: str) -> None:
    with zipfile.ZipFile(shared_data / "cmu-mocap/asf_amc.zip") as archive:
        asf, amc = (
            Path(archive.extract(f"subjects/{subject}/{name}", tmp_path))
            for name in (f"{subject}.asf", f"{motion}.amc")
        )
    sequence = asf_amc.read(asf, amc)
    thigh = np.linalg.norm(sequence["left_knee"] - sequence["left_hip"], axis=1)
    assert 0.40 < thigh.min() <= thigh.max() < 0.45
    feet = [sequence[f"{side}_{joint}"][:, 1] for side in ("left", "right") for joint in ("ankle", "foot", "big_toe")]
    assert np.min(feet) > -0.05  # nobody sinks into the floor; 01 climbs and 03 walks on uneven ground
