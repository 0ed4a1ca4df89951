"""Joints as a BVH rig: read back, as bvhio reads it, with bones that change in length, and what is refused."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from gonio.core.errors import InputError
from gonio.core.sequence import PoseSequence, Status
from gonio.core.skeleton import COCO_17, H36M_17, LAYOUTS, Skeleton
from gonio.io import formats
from gonio.io.motion_capture import bvh
from gonio.io.motion_capture import bvh as bvh_writing
from gonio.io.motion_capture.forward_kinematics import joint_positions
from gonio.kinematics.angles import joint_angles


def moving(skeleton: Skeleton = H36M_17, n_frames: int = 6) -> PoseSequence:
    positions = np.random.default_rng(0).normal(0, 0.5, (n_frames, len(skeleton), 3))
    return PoseSequence(positions, np.arange(n_frames) / 50, skeleton, "m", "world", up="+y")


def rigid(n_frames: int = 40) -> PoseSequence:
    """Human3.6M's joints as a rig with fixed bones that turn slowly."""
    rng = np.random.default_rng(1)
    offsets = rng.normal(0, 0.3, (1, 17, 3)).repeat(n_frames, axis=0)
    turns = np.cumsum(rng.normal(0, 0.05, (n_frames, 17, 3)), axis=0)
    rotations = Rotation.from_rotvec(turns.reshape(-1, 3)).as_matrix().reshape(n_frames, 17, 3, 3)
    order = np.arange(17)
    assert all(parent < joint for joint, parent in zip(order, H36M_17.parents, strict=True))
    positions = joint_positions(H36M_17.parents, offsets, rotations)
    return PoseSequence(positions, np.arange(n_frames) / 50, H36M_17, "m", "world", up="+y")


@pytest.mark.parametrize("name", sorted(LAYOUTS))
def test_there_and_back(tmp_path: Path, name: str) -> None:
    before = moving(LAYOUTS[name])
    not_preserved = formats.write(before, tmp_path / "x.bvh")
    assert "--unit cm" in not_preserved[0]
    after = bvh.read(tmp_path / "x.bvh", unit="cm")
    assert set(after.skeleton.joints) == set(before.skeleton.joints)
    for joint in before.skeleton.joints:
        np.testing.assert_allclose(after[joint], before[joint], atol=1e-9)
    np.testing.assert_allclose(after.times_s, before.times_s, rtol=1e-8)


def test_bvhio_reads_the_same(tmp_path: Path) -> None:
    bvhio = pytest.importorskip("bvhio")
    before = moving(COCO_17)
    formats.write(before, tmp_path / "x.bvh")
    rig = bvhio.readAsHierarchy(str(tmp_path / "x.bvh"))
    for frame in range(len(before)):
        rig.loadPose(frame)
        places = {joint.Name: np.array(joint.PositionWorld) / 100 for joint, _, _ in rig.layout()}
        for joint in COCO_17.joints:
            np.testing.assert_allclose(places[joint], before[joint][frame], atol=1e-5)  # bvhio has single precision


def test_real_joints_are_the_same_to_bvhio(shared_data: Path, tmp_path: Path) -> None:
    bvhio = pytest.importorskip("bvhio")
    trc = formats.read(next((shared_data / "pose2sim/balancing/pose-3d").glob("*_0-100.trc")))
    assert isinstance(trc, PoseSequence)
    formats.write(trc, tmp_path / "x.bvh")
    rig = bvhio.readAsHierarchy(str(tmp_path / "x.bvh"))
    theirs = np.empty_like(trc.positions)
    for frame in range(len(trc)):
        rig.loadPose(frame)
        places = {joint.Name: np.array(joint.PositionWorld) / 100 for joint, _, _ in rig.layout()}
        theirs[frame] = [places[joint] for joint in trc.skeleton.joints]
    assert np.abs(theirs - trc.positions).max() < 1e-4
    angles = joint_angles(trc).angles_deg - joint_angles(trc.derive(positions=theirs)).angles_deg
    assert np.nanmax(np.abs(angles)) < 0.01


def test_a_reading_of_a_real_file_is_the_same_to_bvhio(shared_data: Path, tmp_path: Path) -> None:
    bvhio = pytest.importorskip("bvhio")
    with zipfile.ZipFile(shared_data / "cmu-mocap/bvh.zip") as archive:
        path = Path(archive.extract("martial/04.bvh", tmp_path))
    ours = bvh.read(path, unit="cm", rate_hz=120.0)
    rig = bvhio.readAsHierarchy(str(path))
    names = {"lShldr": "left_shoulder", "rHand": "right_wrist", "lShin": "left_knee", "rFoot": "right_ankle"}
    for frame in (0, 100, len(ours) - 1):
        rig.loadPose(frame)
        for name, joint in names.items():
            np.testing.assert_allclose(np.array(rig.filter(name)[0].PositionWorld) / 100, ours[joint][frame], atol=1e-4)


def test_rotations_alone_turn_the_bones(tmp_path: Path) -> None:
    """With positions of the root alone a rig of fixed bones still stands where it does, but for the small e."""
    before = rigid()
    formats.write(before, tmp_path / "x.bvh")
    lines = (tmp_path / "x.bvh").read_text().split("\n")
    joints = [i for i, line in enumerate(lines) if "CHANNELS" in line]
    for i in joints[1:]:
        lines[i] = lines[i].replace("CHANNELS 6 Xposition Yposition Zposition", "CHANNELS 3")
    start = next(i for i, line in enumerate(lines) if line.startswith("Frame Time")) + 1
    for i in range(start, len(lines) - 1):
        cells = lines[i].split()
        blocks = [cells[6 * j : 6 * j + 6] for j in range(len(joints))]
        lines[i] = " ".join(blocks[0] + [cell for block in blocks[1:] for cell in block[3:]])
    (tmp_path / "y.bvh").write_text("\n".join(lines))
    after = bvh.read(tmp_path / "y.bvh", unit="cm")
    for joint in H36M_17.joints:
        assert np.abs(after[joint] - before[joint]).max() < 0.005, joint


def test_another_vertical_and_pieces(tmp_path: Path) -> None:
    before = moving(Skeleton("two", ("a", "b", "c"), (-1, 0, -1))).derive(up="+z")
    not_preserved = formats.write(before, tmp_path / "x.bvh")
    assert any("a: c" in sentence for sentence in not_preserved)
    after = bvh.read(tmp_path / "x.bvh", unit="cm")
    assert after.skeleton.parents == (-1, 0, 0)
    np.testing.assert_allclose(after["c"], before.with_up("+y")["c"], atol=1e-9)


def test_a_quarter_turn_about_x() -> None:
    """Where z and y turn about one axis, the angles still give the rotation."""
    for x in (np.pi / 2, -np.pi / 2, np.pi / 2 - 1e-9, 0.3):
        R = Rotation.from_euler("ZXY", [0.4, x, -0.7]).as_matrix()[None]
        angles = bvh_writing._angles_zxy(R)
        np.testing.assert_allclose(Rotation.from_euler("ZXY", angles).as_matrix(), R, atol=1e-6)


def test_joints_that_are_never_there_are_left_out(tmp_path: Path) -> None:
    positions = moving().positions.copy()
    positions[:, 10] = np.nan
    before = moving().derive(positions=positions, status=np.where(np.isnan(positions[..., 0]), Status.MISSING, 1))
    not_preserved = formats.write(before, tmp_path / "x.bvh")
    assert any("head_top" in sentence for sentence in not_preserved)
    assert "head_top" not in bvh.read(tmp_path / "x.bvh", unit="cm").skeleton


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("gap", r"right_knee.*2.*6 frames"),
        ("no joint", "joint"),
        ("times", "--fps-out"),
        ("empty", "frame"),
        ("name", "'a b'"),
    ],
)
def test_what_is_refused(tmp_path: Path, change: str, message: str) -> None:
    item = moving()
    positions = item.positions.copy()
    if change == "gap":
        positions[2:4, H36M_17.index("right_knee")] = np.nan
        item = item.derive(positions=positions)
    elif change == "no joint":
        item = item.derive(positions=positions * np.nan)
    elif change == "times":
        item = item.derive(times_s=np.array([0, 0.02, 0.04, 0.2, 0.22, 0.24]))
    elif change == "empty":
        item = item.at(slice(0, 0))
    else:
        item = moving(Skeleton("two", ("a b", "b"), (-1, 0)))
    with pytest.raises(InputError, match=message) as raised:
        formats.write(item, tmp_path / "x.bvh")
    assert str(tmp_path / "x.bvh") in str(raised.value)
    assert not list(tmp_path.iterdir())


def test_one_frame(tmp_path: Path) -> None:
    not_preserved = formats.write(moving(n_frames=1), tmp_path / "x.bvh")
    assert any("30 per second" in sentence for sentence in not_preserved)
    assert len(bvh.read(tmp_path / "x.bvh", unit="cm")) == 1
