"""CMU's eight actions: the layout of the file, left and right, and foreign files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gonio.core.sequence import Status
from gonio.errors import InputError
from gonio.sources import cmu_positions

PARENTS = np.array(cmu_positions._PARENTS)


def test_synthetic(tmp_path: Path) -> None:
    quarter_mm = np.random.default_rng(0).integers(-4000, 4000, (3, 38, 3)).astype(np.int16)
    root_m = np.array([[0, 0, 0], [1, 2, 3], [4, 5, 6]], np.float32)
    np.savez(tmp_path / "x.npz", joint_parents=PARENTS, walk=quarter_mm, walk__root_m=root_m)
    sequence = cmu_positions.read(tmp_path / "x.npz")["walk"]
    assert len(sequence) == 2  # the first frame is the figure with its arms spread
    np.testing.assert_allclose(sequence.times_s, [1 / 120, 2 / 120])
    np.testing.assert_allclose(sequence["left_knee"], quarter_mm[1:, 3] / 4000 + root_m[1:])
    elbow, wrist = sequence["right_elbow"], quarter_mm[1:, 32] / 4000 + root_m[1:]
    np.testing.assert_allclose(sequence["right_wrist"] - elbow, 1.5 * (wrist - elbow))
    inferred = (sequence.status == Status.INFERRED).all(axis=0)
    assert {j for j, own in zip(sequence.skeleton.joints, inferred, strict=True) if own} == {
        "left_wrist",
        "right_wrist",
    }


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"walk": np.zeros((3, 38, 3))}, "joint_parents"),
        ({"joint_parents": PARENTS[::-1], "walk": np.zeros((3, 38, 3))}, "joint_parents"),
        ({"joint_parents": PARENTS, "walk": np.zeros((3, 38, 3))}, "__root_m"),
        ({"joint_parents": PARENTS, "walk": np.zeros((3, 37, 3)), "walk__root_m": np.zeros((3, 3))}, r"\(T, 38, 3\)"),
        ({"joint_parents": PARENTS, "walk": np.zeros((1, 38, 3)), "walk__root_m": np.zeros((1, 3))}, "shapes"),
    ],
)
def test_foreign_files(tmp_path: Path, arrays: dict[str, np.ndarray], words: str) -> None:
    np.savez(tmp_path / "x.npz", **arrays)
    with pytest.raises(InputError, match=words):
        cmu_positions.read(tmp_path / "x.npz")


def test_damaged_file(tmp_path: Path) -> None:
    (tmp_path / "x.npz").write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(InputError, match=r"damaged or no \.npz"):
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
