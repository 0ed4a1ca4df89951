"""The Kinect recorder's text: order of the joints, axes, and recordings that are not complete."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gonio.core.clock import at_rate
from gonio.core.errors import GonioError, InputError
from gonio.core.sequence import PoseSequence
from gonio.core.skeleton import H36M_17, KINECT_RECORDER_20, KINECT_V1_20, Skeleton
from gonio.io.kinect import recorder_text


def sequence(n_frames: int = 4, seed: int = 0, up: str | None = "+y", frame: str = "world") -> PoseSequence:
    positions = np.random.default_rng(seed).normal([0, 0, 3], 1, (n_frames, 20, 3))
    return PoseSequence(positions, np.arange(n_frames) / 30, KINECT_V1_20, "m", frame, up=up)  # type: ignore[arg-type]


def rows_of(path: Path) -> np.ndarray:
    return np.array([[float(c) for c in line.split()] for line in path.read_text().splitlines() if line[0] != "#"])


def test_the_recorders_order(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    written = sequence()
    assert recorder_text.write(written, path) == ("mapped kinect-v1-20 -> kinect-recorder-20",)
    rows = rows_of(path)
    assert rows.shape == (4, 62)
    np.testing.assert_allclose(rows[:, 0], np.arange(4))
    np.testing.assert_allclose(rows[:, 1], written.times_s)
    # 1 Head, 6 HipCenter, 12 ElbowRight, 20 FootRight
    for number, joint in ((1, "head"), (6, "hip_center"), (12, "right_elbow"), (20, "right_foot")):
        np.testing.assert_allclose(rows[:, 3 * number - 1 : 3 * number + 2], written[joint], rtol=1e-8)
    assert path.read_text().startswith("# frame time_s head_x head_y head_z shoulder_center_x")


@given(seed=st.integers(0, 2**32 - 1), n_frames=st.integers(1, 5))
@settings(max_examples=10, deadline=None)
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, seed: int, n_frames: int) -> None:
    path = tmp_path_factory.mktemp("txt") / "walk.txt"
    written = sequence(n_frames, seed).to_skeleton(KINECT_RECORDER_20)
    recorder_text.write(written, path)
    assert recorder_text.recognise(path)
    back = recorder_text.read(path)
    np.testing.assert_allclose(back.positions, written.positions, rtol=1e-8)
    np.testing.assert_allclose(back.times_s, written.times_s, atol=1e-12)
    assert (back.frame, back.frame_name, back.up, back.unit) == ("world", "walk", "+y", "m")


def test_a_camera_s_axes_become_the_kinects(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    for up, frame in ((None, "camera"), ("-y", "world")):
        written = sequence(up=up, frame=frame)
        recorder_text.write(written, path)
        x, y, z = np.moveaxis(rows_of(path)[:, 2:5], -1, 0)
        np.testing.assert_allclose([-x, -y, z], np.moveaxis(written["head"], -1, 0), rtol=1e-8)
    upright = sequence(up="+z")
    recorder_text.write(upright, path)
    np.testing.assert_allclose(rows_of(path)[:, 3], upright["head"][:, 2], rtol=1e-8)
    assert any("points" in words for words in recorder_text.write(sequence(up=None), path))


def test_absent_joints_are_nan(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    positions = np.random.default_rng(0).normal(0, 1, (3, 17, 3))
    lost = recorder_text.write(PoseSequence(positions, np.arange(3.0), H36M_17, "m", "root", up="-y"), path)
    text = "\n".join(lost)
    assert "hip_center = mid_hip" in text
    assert "right_hand" in text
    assert "neck_nose" in text
    assert "root-relative" in text
    back = recorder_text.read(path)
    assert [j for j in back.skeleton.joints if not back.valid[:, back.skeleton.index(j)].any()] == [
        "left_hand",
        "right_hand",
        "left_foot",
        "right_foot",
    ]


def test_a_lifting_at_30_frames_a_second(tmp_path: Path) -> None:
    times_s = np.arange(101) / 50
    positions = np.random.default_rng(4).normal(0, 0.3, (1, 17, 3)) * (1 + times_s[:, None, None])
    positions[:, 0] = 0
    lifted = PoseSequence(positions, times_s, H36M_17, "m", "root", up="-y")
    kept = recorder_text.write(lifted, tmp_path / "own.txt")
    assert any("second" in words and "--fps-out 30" in words for words in kept)
    np.testing.assert_allclose(rows_of(tmp_path / "own.txt")[:, 1], times_s, atol=1e-12)

    told = recorder_text.write(at_rate(lifted, 30), tmp_path / "x.txt")
    assert not any("--fps-out" in words for words in told)
    rows = rows_of(tmp_path / "x.txt")
    np.testing.assert_array_equal(rows[:, 0], np.arange(61))
    np.testing.assert_allclose(rows[:, 1], np.arange(61) / 30, atol=1e-9)
    knee = 2 + 3 * KINECT_RECORDER_20.index("left_knee")
    expected = lifted["left_knee"][0] * (1 + np.arange(61)[:, None] / 30)  # each number is a line over time
    np.testing.assert_allclose(rows[:, knee : knee + 3], expected * [-1, -1, 1], atol=1e-8)


def test_a_kinects_own_uneven_times_stay(tmp_path: Path) -> None:
    times_s = np.cumsum(np.random.default_rng(0).normal(1 / 30.3, 0.002, 90))
    uneven = PoseSequence(np.ones((90, 20, 3)), times_s, KINECT_RECORDER_20, "m", "world", up="+y")
    assert recorder_text.write(uneven, tmp_path / "x.txt") == ()
    np.testing.assert_allclose(rows_of(tmp_path / "x.txt")[:, 1], times_s, rtol=1e-9)


def test_zeros_of_a_recorder(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    rows = np.column_stack([np.arange(3), np.arange(3) / 30, np.ones((3, 60))])
    hand, hip = 2 + 3 * 10, 2 + 3 * 5
    rows[0, 2:] = 0
    rows[1, hand : hand + 3] = 0
    np.savetxt(path, rows)
    back = recorder_text.read(path)
    assert back.valid.sum(axis=1).tolist() == [0, 19, 20]
    assert "21 joints at 0 0 0 taken as missing" in back.history
    rows[:, hip : hip + 3] = 0
    np.savetxt(path, rows)
    back = recorder_text.read(path)
    assert back.frame == "root"
    assert back.valid.sum(axis=1).tolist() == [0, 19, 20]
    np.testing.assert_array_equal(back["hip_center"][1:], 0)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "empty"),
        ("# frame time_s\n", "frame"),
        ("0 0.0 1 2 3\n", "line 1 has 5 numbers"),
        ("0 0.0 " + "1 " * 59 + "disparity=0\n", r"line 1.*'disparity=0'"),
        (("0 0.0 " + "1 " * 60 + "\n") * 2, r"line 2.*0 s"),
        ("0 0.0 " + "1 " * 59 + "inf\n", "infinite"),
    ],
)
def test_foreign_and_cut_files(tmp_path: Path, content: str, words: str) -> None:
    path = tmp_path / "x.txt"
    path.write_text(content)
    with pytest.raises(InputError, match=words) as error:
        recorder_text.read(path)
    assert str(error.value).startswith(str(path))


def test_random_cuts_raise_nothing_but_gonio_errors(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    recorder_text.write(sequence(), path)
    whole = path.read_bytes()
    for cut in np.random.default_rng(0).integers(0, len(whole), 60):
        path.write_bytes(whole[:cut])
        try:
            found = recorder_text.read(path)
        except GonioError as error:
            assert "x.txt" in str(error)
        else:  # cut at the end of a row: the format has no count of its frames
            assert len(found) < 4 or any("may be cut" in step for step in found.history)


def test_not_written(tmp_path: Path) -> None:
    flat = PoseSequence(np.zeros((1, 20, 2)), np.zeros(1), KINECT_V1_20, "px", "image")
    with pytest.raises(InputError, match="3D"):
        recorder_text.write(flat, tmp_path / "x.txt")
    with pytest.raises(InputError, match="frame"):
        recorder_text.write(sequence().at(slice(0, 0)), tmp_path / "x.txt")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("right", [KINECT_RECORDER_20, KINECT_V1_20], ids=lambda s: s.name)
def test_rows_without_names_in_either_order(
    tmp_path: Path, kinect_person: Callable[..., PoseSequence], right: Skeleton
) -> None:
    """The recorder's order unless the SDK's is declared; the other one than the file's is refused by the bones."""
    person = kinect_person(right)
    path = tmp_path / "x.txt"
    np.savetxt(path, np.column_stack([np.arange(6), person.times_s, person.positions.reshape(6, 60)]))
    back = recorder_text.read(path, layout=right.name)
    assert back.skeleton is right
    np.testing.assert_allclose(back.positions, person.positions)
    if right is KINECT_V1_20:
        with pytest.raises(InputError, match=r"x\.txt.*--layout.*kinect-v1-20"):
            recorder_text.read(path)
    else:
        np.testing.assert_allclose(recorder_text.read(path).positions, person.positions)
        with pytest.raises(InputError, match=r"--layout.*kinect-recorder-20"):
            recorder_text.read(path, layout="kinect-v1-20")
    with pytest.raises(InputError, match=r"kinect-recorder-20.*kinect-v1-20"):
        recorder_text.read(path, layout="kinect-v2-25")


def test_a_file_that_names_its_joints(tmp_path: Path, kinect_person: Callable[..., PoseSequence]) -> None:
    person = kinect_person(KINECT_V1_20)
    recorder_text.write(person, tmp_path / "x.txt")
    with pytest.raises(InputError, match="kinect-recorder-20"):
        recorder_text.read(tmp_path / "x.txt", layout="kinect-v1-20")
    recorder_text.write(person.derive(positions=person.positions * [-1, 1, 1]), tmp_path / "y.txt")
    assert "mirrored" not in recorder_text.read(tmp_path / "x.txt").history[-1]
    assert recorder_text.read(tmp_path / "y.txt").history[-1].startswith("the recording is mirrored: ")
