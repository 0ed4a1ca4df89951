"""Marker files: real ones against a naive reading, round trips, and everything that can be wrong with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gonio.core.errors import GonioError, InputError
from gonio.core.sequence import PoseSequence
from gonio.core.skeleton import BODY_25B, KINECT_V1_20, Skeleton
from gonio.io.joint_names import skeleton_of
from gonio.io.motion_capture import trc


def text(
    rows: list[str],
    markers: tuple[str, ...] = ("RHip", "LHip"),
    n_frames: int | None = None,
    n_markers: int | None = None,
    units: str = "m",
) -> str:
    n_frames = len(rows) if n_frames is None else n_frames
    n_markers = len(markers) if n_markers is None else n_markers
    return "\n".join(
        [
            "PathFileType\t4\t(X/Y/Z)\tx.trc",
            "DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits\tOrigDataRate\tOrigDataStartFrame\tOrigNumFrames",
            f"60\t60\t{n_frames}\t{n_markers}\t{units}\t60\t1\t{n_frames}",
            "Frame#\tTime\t" + "\t\t\t".join(markers) + "\t\t",
            "\t\t" + "\t".join(f"X{i}\tY{i}\tZ{i}" for i in range(1, len(markers) + 1)),
            *rows,
            "",
        ]
    )


def file_of(tmp_path: Path, content: str) -> Path:
    path = tmp_path / "x.trc"
    path.write_text(content)
    return path


def sequence(n_frames: int = 5, seed: int = 0, skeleton: Skeleton = BODY_25B, **changes: Any) -> PoseSequence:
    rng = np.random.default_rng(seed)
    positions = rng.normal(0, 1, (n_frames, len(skeleton), 3))
    positions[rng.random(positions.shape[:2]) < 0.2] = np.nan
    fields: dict[str, Any] = {
        "positions": positions,
        "times_s": 3 + np.arange(n_frames) / 60,
        "skeleton": skeleton,
        "unit": "m",
        "frame": "world",
        "up": "+y",
    }
    return PoseSequence(**(fields | changes))


@pytest.mark.parametrize(("ending", "n_markers"), [("", 21), ("_filt_butterworth", 21), ("_filt_butterworth_LSTM", 64)])
def test_real_files_against_a_naive_reading(shared_data: Path, ending: str, n_markers: int) -> None:
    path = shared_data / "pose2sim/balancing/pose-3d" / f"S00_P00_T01_BalancingTrial_0-100{ending}.trc"
    assert trc.recognise(path)
    found = trc.read(path)
    assert found.positions.shape == (100, n_markers, 3)
    assert found.skeleton.joints[:3] == ("right_hip", "right_knee", "right_ankle")
    assert found.skeleton.joints[13] == "head_top"
    assert (found.unit, found.frame, found.frame_name, found.up) == ("m", "world", path.stem, "+y")
    rows = [line.split("\t") for line in path.read_text().splitlines()[5:] if line]
    for t, row in enumerate(rows):
        assert found.times_s[t] == float(row[1])
        for j in range(n_markers):
            assert found.positions[t, j].tolist() == [float(cell) for cell in row[2 + 3 * j : 5 + 3 * j]]


@given(seed=st.integers(0, 2**32 - 1), n_frames=st.integers(1, 6))
@settings(max_examples=15, deadline=None)
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, seed: int, n_frames: int) -> None:
    path = tmp_path_factory.mktemp("trc") / "x.trc"
    written = sequence(n_frames, seed)
    assert trc.write(written, path) == ()
    back = trc.read(path)
    assert back.skeleton == BODY_25B
    np.testing.assert_allclose(back.positions, written.positions, rtol=1e-8)
    np.testing.assert_allclose(back.times_s, written.times_s, rtol=1e-11)
    assert "nan" not in path.read_text()


def test_written_y_up_for_opensim(tmp_path: Path) -> None:
    path = tmp_path / "x.trc"
    upright = sequence(2, up="+z")
    trc.write(upright, path)
    np.testing.assert_allclose(trc.read(path).positions[..., 1], upright.positions[..., 2], rtol=1e-8)
    not_preserved = trc.write(sequence(2, up=None), path)
    assert any("vertical" in sentence for sentence in not_preserved)
    np.testing.assert_allclose(trc.read(path).positions, upright.positions, rtol=1e-8)
    lines = path.read_text().split("\n")
    assert lines[2].split("\t") == ["60", "60", "2", "25", "m", "60", "1", "2"]
    assert lines[3].split("\t")[:6] == ["Frame#", "Time", "Nose", "", "", "LEye"]
    assert len({line.count("\t") for line in lines[3:7]}) == 1


def test_written_with_the_names_that_opensim_users_have(tmp_path: Path) -> None:
    path = tmp_path / "x.trc"
    trc.write(sequence(2), path)
    markers = [name for name in path.read_text().split("\n")[3].split("\t")[2:] if name]
    expected = (
        "Nose LEye REye LEar REar LShoulder RShoulder LElbow RElbow LWrist RWrist LHip RHip LKnee RKnee LAnkle RAnkle "
        "Neck Head LBigToe LSmallToe LHeel RBigToe RSmallToe RHeel"
    )
    assert markers == expected.split()


def test_a_real_file_is_written_with_its_own_names(shared_data: Path, tmp_path: Path) -> None:
    path = next((shared_data / "pose2sim/balancing/pose-3d").glob("*_0-100.trc"))
    found = trc.read(path)
    trc.write(found, tmp_path / "x.trc")
    names = [p.read_text().split("\n")[3].split() for p in (path, tmp_path / "x.trc")]
    assert names[0] == names[1]
    assert trc.read(tmp_path / "x.trc").skeleton == found.skeleton
    np.testing.assert_allclose(trc.read(tmp_path / "x.trc").positions, found.positions, rtol=0, atol=6e-9)


def test_a_kinects_head_stays_a_kinects_head(tmp_path: Path) -> None:
    trc.write(sequence(2, skeleton=KINECT_V1_20), tmp_path / "x.trc")
    assert trc.read(tmp_path / "x.trc").skeleton == KINECT_V1_20


@pytest.mark.parametrize(("units", "factor"), [("m", 1.0), ("cm", 0.01), ("mm", 0.001), ("MM", 0.001)])
def test_units_become_metres(tmp_path: Path, units: str, factor: float) -> None:
    found = trc.read(file_of(tmp_path, text(["1\t0.0\t10\t20\t30\t1\t2\t3"], units=units)))
    np.testing.assert_allclose(found["right_hip"], [[10 * factor, 20 * factor, 30 * factor]])


def test_missing_cells(tmp_path: Path) -> None:
    rows = [
        "1\t0.0\t1\t2\t3\t4\t5\t6",
        "2\t0.1\t\t\t\t4\t5\t6",
        "3\t0.2\tnan\tNaN\tnan\t4\t5\t6\t",
        "4\t0.3\t1\t2\t3\t\t\t",
        "5\t0.4\t1\t2\t3",
        "6\t0.5\t1\t\t3\t4\t5\t6",
        "7\t0.6",
    ]
    found = trc.read(file_of(tmp_path, text(rows)))
    assert found.valid.tolist() == [[1, 1], [0, 1], [0, 1], [1, 0], [1, 0], [0, 1], [0, 0]]
    assert "2 rows are shorter than the header; the markers they lack are missing" in found.history
    assert "1 markers with only some of their coordinates taken as missing" in found.history


def test_windows_line_ends_latin_letters_and_empty_lines(tmp_path: Path) -> None:
    content = text(["1\t0.0\t1\t2\t3\t4\t5\t6", "", "2\t0.1\t1\t2\t3\t4\t5\t6", ""], n_frames=2)
    path = tmp_path / "x.trc"
    path.write_bytes(content.replace("x.trc", "C:\\pièce\\x.trc").replace("\n", "\r\n").encode("latin-1"))
    assert len(trc.read(path)) == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "empty"),
        ("a,b\n1,2\n", "PathFileType"),
        ("PathFileType\t4\n", r"inside.*header"),
        (text(["1\t0\t1\t2\t3\t4\t5\t6"], n_frames=9), r"1 frames.*9"),
        (text(["1\t0\t1\t2\t3\t4\t5\t6"], n_markers=3), r"2.*3"),
        (text(["1\t0\t1\t2\t3\t4\t5\t6"], units="inch"), "unit 'inch'"),
        (text(["1\t0\t1\t2\t3\t4\t5\t6"]).replace("NumFrames", "N"), "NumFrames"),
        (text(["1\t0\t1\t2\t3\t4\t5\t6"], n_frames="many"), "NumFrames"),  # type: ignore[arg-type]
        (text(["1\t0\t1\t2\t3\t4\t5\t6\t7"]), "line 6 has 9 cells"),
        (text(["1\t0\tone\t2\t3\t4\t5\t6"]), r"line 6.*'one'"),
        (text(["1\t\t1\t2\t3\t4\t5\t6"]), "line 6"),
        (text(["", "1\t0\t1\t2\t3\t4\t5\t6", "", "2\t0\t1\t2\t3\t4\t5\t6"], n_frames=2), r"line 9.*0 s"),
        (text(["1\t0.2\t1\t2\t3\t4\t5\t6", "2\t0.1\t1\t2\t3\t4\t5\t6"]), r"0.1 s.*0.2 s"),
        (text(["1\t0\t1\t2\tinf\t4\t5\t6"]), "infinite"),
        (text([]), "frame"),
        (text(["1 0 1 2 3 4 5 6"]).replace("\t", " "), "tabs"),
        (text(["1\t0\t1\t2\t3\t4\t5\t6"], markers=("A", "A")), r"'A'.*2 times"),
        (text(["1\t0\t1\t2\t3\t4\t5\t6", "2\t0.1\t1\t2\t3\t4"]).rstrip("\n"), "it is cut"),
    ],
)
def test_foreign_and_cut_files(tmp_path: Path, content: str, message: str) -> None:
    path = file_of(tmp_path, content)
    with pytest.raises(InputError, match=message) as error:
        trc.read(path)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


def test_random_cuts_raise_nothing_but_gonio_errors(tmp_path: Path) -> None:
    path = tmp_path / "x.trc"
    trc.write(sequence(6), path)
    whole = path.read_bytes()
    for cut in np.random.default_rng(0).integers(0, len(whole) - 30, 60):
        path.write_bytes(whole[:cut])
        with pytest.raises(GonioError, match=r"x\.trc"):
            trc.read(path)
    path.write_bytes(whole[:-1])  # complete but for the line end: read, and said
    assert any("may be cut" in step for step in trc.read(path).history)


def test_more_frames_than_announced_are_read_and_said(tmp_path: Path) -> None:
    rows = [f"{i}\t{i / 10}\t1\t2\t3\t4\t5\t6" for i in range(3)]
    found = trc.read(file_of(tmp_path, text(rows, n_frames=2)))
    assert len(found) == 3
    assert any("2 frames" in step for step in found.history)


def test_not_written(tmp_path: Path) -> None:
    flat = PoseSequence(np.zeros((1, 25, 2)), np.zeros(1), BODY_25B, "px", "image")
    with pytest.raises(InputError, match="3D"):
        trc.write(flat, tmp_path / "x.trc")
    with pytest.raises(InputError, match="frame"):
        trc.write(sequence(3).at(slice(0, 0)), tmp_path / "x.trc")
    with pytest.raises(InputError, match="joint"):
        trc.write(sequence(2, skeleton=skeleton_of([f"a\t{i}" for i in range(3)], "x")), tmp_path / "x.trc")
    assert not list(tmp_path.iterdir())


def test_uneven_times_are_said(tmp_path: Path) -> None:
    not_preserved = trc.write(sequence(3, times_s=np.array([0.0, 0.1, 0.3]), frame="camera"), tmp_path / "x.trc")
    assert any("evenly" in sentence for sentence in not_preserved)
    assert any("frame 'camera'" in sentence for sentence in not_preserved)
