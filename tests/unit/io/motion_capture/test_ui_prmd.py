"""UI-PRMD: units, lost markers, the Kinect's chain of joints against Vicon, and damaged files."""

from __future__ import annotations

import gzip
import zipfile
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from gonio.core.errors import InputError
from gonio.core.sequence import PoseSequence
from gonio.io import formats
from gonio.io.motion_capture import ui_prmd

REPETITION = "ui-prmd/Segmented Movements/{}/m01_s01_e01_{}.txt.gz"


def write_table(path: Path, table: np.ndarray) -> Path:
    rows = "\n".join(",".join(f"{value:.6f}" for value in row) for row in table) + "\n"
    path.write_bytes(gzip.compress(rows.encode()) if path.suffix == ".gz" else rows.encode())
    return path


@pytest.mark.parametrize("name", ["m01_s02_e03_positions.txt", "m01_s02_e03_positions.txt.gz"])
def test_vicon(tmp_path: Path, name: str) -> None:
    millimetres = np.random.default_rng(0).uniform(100, 2000, (4, 39, 3))
    millimetres[1:3, 5] = 0  # T10 is lost twice
    sequence = ui_prmd.read_vicon(write_table(tmp_path / name, millimetres.reshape(4, 117)))
    assert sequence.frame_name == "m01_s02_e03"
    assert (sequence.unit, sequence.up, len(sequence.skeleton)) == ("m", "+z", 39)
    np.testing.assert_allclose(sequence["LFHD"], millimetres[:, 0] / 1000, atol=1e-9)
    np.testing.assert_allclose(sequence["RTOE"], millimetres[:, 38] / 1000, atol=1e-9)
    np.testing.assert_allclose(sequence.times_s, [0, 0.01, 0.02, 0.03])
    assert int((~sequence.valid).sum()) == 2
    assert np.isnan(sequence["T10"][1:3]).all()
    assert "2 marker positions at 0 0 0 taken as missing (T10 2)" in sequence.history


def test_an_entry_of_the_archive_that_is_no_array(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("m01_s01_e01.npy", b"not numpy's")
    with pytest.raises(InputError, match=r"x\.npz.*m01_s01_e01"):
        ui_prmd.read_incorrect_archive(tmp_path / "x.npz")


def test_a_small_file_that_unpacks_to_gigabytes(tmp_path: Path) -> None:
    path = tmp_path / "m01_s01_e01_positions.txt.gz"
    path.write_bytes(gzip.compress(b"1" * (100 << 20), 1))
    with pytest.raises(InputError, match=r"positions\.txt\.gz.*64"):
        ui_prmd.read_vicon(path)


def test_kinect_chain(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    offsets_cm, angles_deg = rng.normal(0, 20, (2, 22, 3)), rng.uniform(-90, 90, (2, 22, 3))
    sequence = ui_prmd.read_kinect(
        write_table(tmp_path / "a_positions.txt", offsets_cm.reshape(2, 66)),
        write_table(tmp_path / "a_angles.txt", angles_deg.reshape(2, 66)),
    )
    assert sequence.rate_hz == pytest.approx(30)
    for t in range(2):
        turns = [Rotation.from_euler("ZXY", angles_deg[t, j, [2, 0, 1]], degrees=True) for j in range(22)]
        hip = offsets_cm[t, 0] + turns[0].apply(offsets_cm[t, 14])
        knee = hip + (turns[0] * turns[14]).apply(offsets_cm[t, 15])
        np.testing.assert_allclose(sequence["left_hip"][t] * 100, hip, atol=1e-4)
        np.testing.assert_allclose(sequence["left_knee"][t] * 100, knee, atol=1e-4)


def test_incorrect_archive(tmp_path: Path) -> None:
    quarter_mm = np.random.default_rng(2).integers(1, 8000, (5, 117))
    quarter_mm[2, 3:6] = 0
    steps = np.diff(quarter_mm, axis=0, prepend=0).astype(np.int16)
    np.savez(tmp_path / "x.npz", m01_s01_e01=steps)
    (sequence,) = ui_prmd.read_incorrect_archive(tmp_path / "x.npz").values()
    assert sequence.rate_hz == pytest.approx(50)
    np.testing.assert_allclose(sequence["LFHD"], quarter_mm[:, :3] / 4000)
    assert np.isnan(sequence["RFHD"][2]).all()
    np.savez(tmp_path / "y.npz", m01_s01_e01=steps.astype(float))
    with pytest.raises(InputError, match=r"expected.*integers"):
        ui_prmd.read_incorrect_archive(tmp_path / "y.npz")
    (tmp_path / "z.npz").write_bytes(b"no zip")
    with pytest.raises(InputError, match="damaged"):
        ui_prmd.read_incorrect_archive(tmp_path / "z.npz")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"\n\n", "columns"),
        (b"1,2,3\n", r"3 columns.*39.*3"),
        (b",".join([b"1"] * 117) + b"\n" + b"1,2\n", "has 2 or 117 columns"),
        (b",".join([b"x"] * 117) + b"\n", "not a number"),
        (b",".join([b"nan"] * 117) + b"\n", "row 1.*NaN"),
        (gzip.compress(b"1,2,3\n" * 500)[:-10], "gzip"),
    ],
)
def test_damaged_files(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "x.txt").write_bytes(content)
    with pytest.raises(InputError, match=message):
        ui_prmd.read_vicon(tmp_path / "x.txt")


def test_lengths_that_differ(tmp_path: Path) -> None:
    positions = write_table(tmp_path / "p.txt", np.ones((3, 66)))
    with pytest.raises(InputError, match=r"2 frames.*p\.txt.*3"):
        ui_prmd.read_kinect(positions, write_table(tmp_path / "a.txt", np.ones((2, 66))))


def test_both_systems_see_the_same_person(shared_data: Path) -> None:
    vicon = ui_prmd.read_vicon(shared_data / REPETITION.format("Vicon/Positions", "positions"))
    kinect = ui_prmd.read_kinect(
        shared_data / REPETITION.format("Kinect/Positions", "positions"),
        shared_data / REPETITION.format("Kinect/Angles", "angles"),
    )
    assert vicon["LFHD"][0, 2] > 1.4  # z is up
    assert vicon["LANK"][0, 2] < 0.15
    assert (vicon["LASI"][:, 1] > vicon["RASI"][:, 1]).all()  # left is +y
    assert (kinect["left_hip"][:, 0] > kinect["right_hip"][:, 0]).all()  # left is +x, y up, it looks to +z
    assert (kinect["left_foot"][:, 2] > kinect["left_ankle"][:, 2]).all()
    depth = [np.ptp(vicon["LASI"][:, 2]), np.ptp(kinect["left_hip"][:, 1])]  # of the squat
    assert depth[0] == pytest.approx(depth[1], abs=0.1)
    assert depth[0] > 0.3


@pytest.mark.parametrize("suffix", [".txt", ".txt.gz"])
@pytest.mark.parametrize("folder", ["", "Angles"])
def test_positions_find_their_angles(tmp_path: Path, suffix: str, folder: str) -> None:
    rng = np.random.default_rng(3)
    place = tmp_path / ("Positions" if folder else "")
    (place / ".." / folder).resolve().mkdir(parents=True, exist_ok=True)
    place.mkdir(exist_ok=True)
    offsets_cm = rng.normal(0, 20, (5, 66))
    positions = write_table(place / f"m01_s02_e03_positions{suffix}", offsets_cm)
    with pytest.raises(InputError, match=r"angles.*m01_s02_e03_angles\.txt"):
        formats.read(positions)
    angles = write_table((tmp_path / folder) / f"m01_s02_e03_angles{suffix}", rng.uniform(-90, 90, (5, 66)))
    back = formats.read(positions)
    assert isinstance(back, PoseSequence)
    np.testing.assert_array_equal(back.positions, ui_prmd.read_kinect(positions, angles).positions)
    assert back.skeleton is ui_prmd.KINECT_22
    with pytest.raises(InputError, match=r"opened.*positions"):
        formats.read(angles)


def test_markers_are_told_by_their_columns(tmp_path: Path) -> None:
    millimetres = np.random.default_rng(0).uniform(100, 2000, (4, 117))
    back = formats.read(write_table(tmp_path / "m01_s02_e03_positions.txt.gz", millimetres))
    assert isinstance(back, PoseSequence)
    assert back.skeleton is ui_prmd.MARKERS_39
    for columns in (66, 117):
        assert ui_prmd.recognise(write_table(tmp_path / "a.txt", np.ones((2, columns))))
    assert not ui_prmd.recognise(write_table(tmp_path / "a.txt", np.ones((2, 62))))
    (tmp_path / "b.txt.gz").write_bytes(gzip.compress(b"1,2,3\n"))
    (tmp_path / "c.txt.gz").write_bytes(b"\x1f\x8b no gzip")
    (tmp_path / "d.txt").write_bytes(b"")
    for name in ("b.txt.gz", "c.txt.gz", "d.txt", "absent.txt"):
        assert not ui_prmd.recognise(tmp_path / name)
