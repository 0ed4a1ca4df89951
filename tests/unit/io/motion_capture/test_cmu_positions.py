"""CMU's eight actions: the layout of the file, left and right, and foreign files."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from gonio.core.errors import InputError
from gonio.core.sequence import Status
from gonio.io.motion_capture import cmu_positions

PARENTS = np.array(cmu_positions._PARENTS)


def test_synthetic(tmp_path: Path) -> None:
    quarter_mm = np.random.default_rng(0).integers(-4000, 4000, (3, 38, 3)).astype(np.int16)
    root_m = np.array([[0, 0, 0], [1, 2, 3], [4, 5, 6]], np.float32)
    np.savez(tmp_path / "x.npz", joint_parents=PARENTS, walk=quarter_mm, walk__root_m=root_m)
    sequence = cmu_positions.read(tmp_path / "x.npz")["walk"]
    assert len(sequence) == 2  # the first frame is the figure with its arms spread
    np.testing.assert_allclose(sequence.times_s, [1 / 120, 2 / 120])
    np.testing.assert_allclose(sequence["left_knee"], quarter_mm[1:, 3] / 4000 + root_m[1:])
    elbow, wrist = (quarter_mm[1:, i] / 4000 for i in (31, 32))
    np.testing.assert_allclose(sequence["right_wrist"] - sequence["right_elbow"], 1.5 * (wrist - elbow))


def test_the_missing_vertebral_bone_is_put_back(tmp_path: Path) -> None:
    quarter_mm = np.random.default_rng(1).integers(-4000, 4000, (4, 38, 3)).astype(np.int16)
    quarter_mm[:, 0] = 0
    root_m = np.random.default_rng(2).normal(size=(4, 3)).astype(np.float32)
    np.savez(tmp_path / "x.npz", joint_parents=PARENTS, walk=quarter_mm, walk__root_m=root_m)
    sequence = cmu_positions.read(tmp_path / "x.npz")["walk"]
    as_read = quarter_mm[1:] / 4000 + root_m[1:, None]
    bone = quarter_mm[1:, 14] / 4000
    np.testing.assert_allclose(sequence["spine"] - sequence["mid_hip"], 2 * bone)
    for index, joint in (
        (15, "thorax"),
        (17, "lower_neck"),
        (19, "head_top"),
        (21, "left_shoulder"),
        (31, "right_elbow"),
    ):
        np.testing.assert_allclose(sequence[joint], as_read[:, index] + bone)
    for index, joint in ((0, "mid_hip"), (2, "left_hip"), (12, "right_big_toe")):
        np.testing.assert_allclose(sequence[joint], as_read[:, index])
    legs = {f"{side}_{joint}" for side in ("left", "right") for joint in ("hip", "knee", "ankle", "foot", "big_toe")}
    for joint, status in zip(sequence.skeleton.joints, sequence.status.T, strict=True):
        assert (status == (Status.MEASURED if joint in legs | {"mid_hip"} else Status.INFERRED)).all()
    assert any("spine" in step for step in sequence.history)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"walk": np.zeros((3, 38, 3))}, "joint_parents"),
        ({"joint_parents": PARENTS[::-1], "walk": np.zeros((3, 38, 3))}, "joint_parents"),
        ({"joint_parents": PARENTS, "walk": np.zeros((3, 38, 3))}, "__root_m"),
        ({"joint_parents": PARENTS, "walk": np.zeros((3, 37, 3)), "walk__root_m": np.zeros((3, 3))}, r"\(T, 38, 3\)"),
        ({"joint_parents": np.array(["a"])}, "joint_parents"),
        ({"joint_parents": PARENTS, "walk": np.array(1), "walk__root_m": np.zeros((3, 3))}, r"walk.*array"),
        ({"joint_parents": PARENTS, "walk": np.zeros((1, 38, 3)), "walk__root_m": np.zeros((1, 3))}, "shapes"),
    ],
)
def test_foreign_files(tmp_path: Path, arrays: dict[str, np.ndarray], message: str) -> None:
    np.savez(tmp_path / "x.npz", **arrays)
    with pytest.raises(InputError, match=message):
        cmu_positions.read(tmp_path / "x.npz")


def test_damaged_file(tmp_path: Path) -> None:
    (tmp_path / "x.npz").write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(InputError, match=r"damaged.*\.npz"):
        cmu_positions.read(tmp_path / "x.npz")


def test_an_entry_that_is_no_array(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", joint_parents=PARENTS, walk__root_m=np.zeros((3, 3)))
    with zipfile.ZipFile(tmp_path / "x.npz", "a") as archive:
        archive.writestr("walk.npy", b"not numpy's")
    with pytest.raises(InputError, match=r"x\.npz.*recorded"):
        cmu_positions.read(tmp_path / "x.npz")


def test_real_recordings(shared_data: Path) -> None:
    recordings = cmu_positions.read(shared_data / "cmu-mocap/eight_actions_positions.npz")
    assert len(recordings) == 96
    walk = recordings["train__walking__walking_1"]
    travel = walk["mid_hip"][-1] - walk["mid_hip"][0]
    forward = np.cross(walk["left_hip"] - walk["right_hip"], [0, 1, 0])
    assert (forward @ travel > 0).all()  # it walks forwards: left is left
    thigh = np.linalg.norm(walk["left_knee"] - walk["left_hip"], axis=1)
    np.testing.assert_allclose(thigh, 0.4286, atol=1e-3)


def test_the_trunk_is_as_long_as_in_cmus_own_skeletons(shared_data: Path) -> None:
    for sequence in cmu_positions.read(shared_data / "cmu-mocap/eight_actions_positions.npz").values():
        shoulders = (sequence["left_shoulder"] + sequence["right_shoulder"]) / 2
        hips = (sequence["left_hip"] + sequence["right_hip"]) / 2
        trunk = np.median(np.linalg.norm(shoulders - hips, axis=1))
        assert 0.47 < trunk < 0.51  # subject 02 by .asf and .amc: 0.498
        spine = np.linalg.norm(sequence["spine"] - sequence["mid_hip"], axis=1)
        np.testing.assert_allclose(np.median(spine), 0.233, atol=1e-3)


def test_parents_that_are_one_number(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", joint_parents=np.int64(3), walk=np.zeros((2, 38, 3), np.int16))
    with pytest.raises(InputError, match="joint_parents"):
        cmu_positions.read(tmp_path / "x.npz")
