"""BVH: a rig by hand, an independent reading of its rotations, real rigs, and damaged files."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from gonio.core.errors import InputError
from gonio.io import formats, registry
from gonio.io.motion_capture import bvh

HIERARCHY = """HIERARCHY
ROOT base
{
  OFFSET 0 0 0
  CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
  JOINT middle
  {
    OFFSET 0 10 0
    CHANNELS 3 Yrotation Zrotation Xrotation
    End Site
    {
      OFFSET 5 0 1
    }
  }
}
"""
ROWS = np.array([[0, 0, 0, 0, 0, 0, 0, 0, 0], [1, 2, 3, 90, 0, 0, 0, 0, 0], [1, 2, 3, 20, -35, 70, 15, 80, -5.5]])


def text(
    rows: np.ndarray = ROWS, frames: int | None = None, hierarchy: str = HIERARCHY, frame_time: str = "0.02"
) -> str:
    lines = "".join(" ".join(f"{value:.9g}" for value in row) + "\n" for row in rows)
    return f"{hierarchy}MOTION\nFrames: {len(rows) if frames is None else frames}\nFrame Time: {frame_time}\n{lines}"


def written(folder: Path, content: str, name: str = "x.bvh") -> Path:
    path = folder / name
    path.write_text(content)
    return path


def test_forward_kinematics_by_hand(tmp_path: Path) -> None:
    sequence = bvh.read(written(tmp_path, text()), unit="cm")
    assert sequence.skeleton.joints == ("base", "middle", "middle_end")
    assert sequence.skeleton.parents == (-1, 0, 1)
    assert (sequence.unit, sequence.frame, sequence.up) == ("m", "world", "+y")
    np.testing.assert_allclose(sequence.times_s, [0, 0.02, 0.04])
    np.testing.assert_allclose(sequence.positions[0], [[0, 0, 0], [0, 0.1, 0], [0.05, 0.1, 0.01]], atol=1e-12)
    # 90 degrees about z: y becomes -x, x becomes y.
    np.testing.assert_allclose(sequence.positions[1] * 100, [[1, 2, 3], [-9, 2, 3], [-9, 7, 4]], atol=1e-12)
    base = Rotation.from_euler("ZXY", ROWS[2, 3:6], degrees=True)
    middle = Rotation.from_euler("YZX", ROWS[2, 6:], degrees=True)
    first = ROWS[2, :3] + base.apply([0, 10, 0])
    np.testing.assert_allclose(sequence["middle"][2] * 100, first)
    np.testing.assert_allclose(sequence["middle_end"][2] * 100, first + (base * middle).apply([5, 0, 1]))


def test_the_unit_is_asked_for_and_kept(tmp_path: Path) -> None:
    path = written(tmp_path, text())
    with pytest.raises(InputError, match=r"longest.*10"):
        bvh.read(path)
    metres, inches = bvh.read(path, unit="m"), bvh.read(path, unit=0.0254)
    np.testing.assert_allclose(inches.positions, metres.positions * 0.0254)
    with pytest.raises(InputError, match="'ell'"):
        bvh.read(path, unit="ell")
    with pytest.raises(InputError, match="possible"):
        bvh.read(path, unit=-1.0)


def test_a_declared_rate_takes_the_place_of_the_files(tmp_path: Path) -> None:
    sequence = bvh.read(written(tmp_path, text()), unit="cm", rate_hz=60)
    assert sequence.rate_hz == pytest.approx(60)
    assert any("says" in step for step in sequence.history)


def test_the_offset_of_a_root_with_positions(tmp_path: Path) -> None:
    hierarchy = HIERARCHY.replace("OFFSET 0 0 0", "OFFSET 0 90 0")
    path = written(tmp_path, text(hierarchy=hierarchy))
    replaced, added = bvh.read(path, unit="cm"), bvh.read(path, unit="cm", add_root_offset=True)
    np.testing.assert_allclose(added.positions - replaced.positions, np.broadcast_to([0, 0.9, 0], (3, 3, 3)))
    assert "replaced by" in replaced.history[-1]
    assert "added to" in added.history[-1]


def test_position_channels_of_a_joint_take_the_place_of_its_offset(tmp_path: Path) -> None:
    hierarchy = HIERARCHY.replace("CHANNELS 3 Yrotation Zrotation Xrotation", "CHANNELS 1 Yposition")
    sequence = bvh.read(written(tmp_path, text(np.array([[0, 0, 0, 0, 0, 0, 25]]), hierarchy=hierarchy)), unit="cm")
    np.testing.assert_allclose(sequence["middle"][0], [0, 0.25, 0])


def test_more_frames_than_promised_and_no_line_end(tmp_path: Path) -> None:
    sequence = bvh.read(written(tmp_path, text(frames=2).rstrip("\n")), unit="cm")
    assert len(sequence) == 3
    assert any("Frames:" in step and "2" in step for step in sequence.history)
    assert any("line" in step for step in sequence.history)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "empty"),
        ("hello\n", r"first.*HIERARCHY"),
        (HIERARCHY, r"inside.*hierarchy"),
        (HIERARCHY[:150], r"inside.*hierarchy"),
        (text().replace("OFFSET 0 10 0", "OFFSET 0 ten 0"), "line 8"),
        (text().replace("OFFSET 0 10 0", ""), r"middle.*OFFSET"),
        (text().replace("OFFSET 0 10 0", "OFFSET 0 nan 0"), r"middle.*OFFSET"),
        (text().replace("Xposition", "Xscale"), "'Xscale'"),
        (text().replace("ROOT base\n{", "ROOT base"), "line"),
        (text().replace("JOINT middle", "BONE middle"), "'BONE'"),
        (text().replace("Frames: 3", "Frames: many"), r"MOTION.*followed"),
        (text(frame_time="0"), r"0 s.*possible"),
        (text(rows=ROWS[:0]), "frame"),
        (text(frames=4), r"3 frames.*4"),
        (text()[:-10], r"frame 3.*7.*9"),
        (text(rows=ROWS[:, :8]), "frame 1 has 8 numbers"),
        (text().replace("90", "ninety"), r"9.*numbers"),
        (text().replace("90", "nan"), "frame 2.*NaN"),
        (text().replace("JOINT middle", "JOINT base"), "twice"),
    ],
)
def test_damaged_files(tmp_path: Path, content: str, message: str) -> None:
    path = written(tmp_path, content)
    with pytest.raises(InputError, match=message) as raised:
        bvh.read(path, unit="cm")
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_recognised_and_written(tmp_path: Path) -> None:
    path = written(tmp_path, text())
    assert registry.recognise(path).key == "bvh"
    formats.check_target(path, 3)
    with pytest.raises(InputError, match="2D joints"):
        formats.check_target(path, 2)


def test_end_sites_without_a_length_are_left_out(tmp_path: Path) -> None:
    sequence = bvh.read(written(tmp_path, text(hierarchy=HIERARCHY.replace("OFFSET 5 0 1", "OFFSET 0 0 0"))), unit="cm")
    assert sequence.skeleton.joints == ("base", "middle")
    assert any("end sites" in step for step in sequence.history)


def test_cmu_as_bvh(shared_data: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(shared_data / "cmu-mocap/bvh.zip") as archive:
        path = Path(archive.extract("martial/04.bvh", tmp_path))
    sequence = formats.read(path, unit="cm", rate_hz=120.0)
    thigh = np.linalg.norm(sequence["left_knee"] - sequence["left_hip"], axis=1)
    np.testing.assert_allclose(thigh, 0.3683, atol=1e-4)
    assert np.ptp(thigh) < 1e-9
    # The first frame has the arms spread: the left arm at +x of a figure that looks along +z.
    assert sequence["left_wrist"][0, 0] - sequence["right_wrist"][0, 0] > 1
    assert sequence["left_foot"][0, 2] > sequence["left_ankle"][0, 2]
    assert {"mid_hip", "spine", "thorax", "neck_nose"} <= set(sequence.skeleton.joints)
    lowest = np.minimum(sequence["left_ankle"][:, 1], sequence["right_ankle"][:, 1])
    assert abs(np.median(lowest)) < 0.15


@pytest.mark.parametrize("name", ["salsa/05.bvh", "martial/06.bvh", "indian/13.bvh"])
def test_feet_stay_on_the_floor_of_a_person_of_human_size(shared_data: Path, tmp_path: Path, name: str) -> None:
    """Scaled so that the thigh is 0.42 m, the lowest point of both feet keeps one height: nobody jumps, nobody sinks.

    The first frame is the conversion's spread pose, which stands elsewhere.
    """
    with zipfile.ZipFile(shared_data / "cmu-mocap/bvh.zip") as archive:
        path = Path(archive.extract(name, tmp_path))
    raw = bvh.read(path, unit="m")
    thigh = float(np.median(np.linalg.norm(raw["left_knee"] - raw["left_hip"], axis=1)))
    sequence = bvh.read(path, unit=0.42 / thigh)
    feet = [sequence[f"{side}_{joint}"][1:, 1] for side in ("left", "right") for joint in ("ankle", "foot")]
    lowest = np.min(feet, axis=0)
    assert abs(np.median(lowest)) < 0.08
    assert np.percentile(lowest, 1) > np.median(lowest) - 0.05
    assert np.percentile(lowest, 99) < np.median(lowest) + 0.05


@pytest.mark.parametrize("frame_time", ["1e-300", "1e9"])
def test_a_frame_time_that_cannot_be(tmp_path: Path, frame_time: str) -> None:
    with pytest.raises(InputError, match=r"second.*possible"):
        bvh.read(written(tmp_path, text(frame_time=frame_time)), unit="cm")
