"""C3D: round trips, what is missing, subjects, the vertical, and files that are cut or damaged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gonio.core.errors import InputError
from gonio.core.sequence import PoseSequence, Status
from gonio.core.skeleton import BODY_12, Skeleton
from gonio.io import formats
from gonio.io.motion_capture import c3d

ezc3d = pytest.importorskip("ezc3d")


def body(n_frames: int = 12, **fields: Any) -> PoseSequence:
    positions = np.random.default_rng(0).normal(scale=0.5, size=(n_frames, 12, 3))
    positions[3, 4] = np.nan
    options = {"times_s": 0.5 + np.arange(n_frames) / 100, "skeleton": BODY_12, "unit": "m", "frame": "world"}
    return PoseSequence(positions, **{**options, "up": "+z", **fields})


def foreign(path: Path, labels: tuple[str, ...], unit: str = "mm", **parameters: list[str]) -> None:
    """A file as another program writes it: every point at (100, 200, 300) + its number, in three frames."""
    content = ezc3d.c3d()
    point = content["parameters"]["POINT"]
    point["UNITS"]["value"], point["RATE"]["value"], point["LABELS"]["value"] = [unit], [50.0], labels
    points = np.ones((4, len(labels), 3))
    points[:3] = np.array([100.0, 200.0, 300.0])[:, None, None] + np.arange(len(labels))[None, :, None]
    content["data"]["points"] = points
    for name, value in parameters.items():
        content.add_parameter("POINT", name, value)
    content.write(str(path))


def test_round_trip(tmp_path: Path) -> None:
    before = body()
    not_preserved = formats.write(before, tmp_path / "walk.c3d")
    after = formats.read(tmp_path / "walk.c3d")
    assert isinstance(after, PoseSequence)
    assert not_preserved == ()
    assert after.skeleton.joints == before.skeleton.joints
    np.testing.assert_allclose(after.positions, before.positions, atol=2e-7)
    np.testing.assert_allclose(after.times_s, before.times_s, atol=1e-6)
    assert (after.up, after.unit, after.frame, after.frame_name) == ("+z", "m", "world", "walk")
    assert (after.status == before.status).all()
    assert after.status[3, 4] == Status.MISSING


def test_a_missing_marker_has_residual_minus_one(tmp_path: Path) -> None:
    c3d.write(body(), tmp_path / "a.c3d")
    content = ezc3d.c3d(str(tmp_path / "a.c3d"))
    assert content["data"]["meta_points"]["residuals"][0, 4, 3] == -1
    assert content["parameters"]["POINT"]["UNITS"]["value"] == ["mm"]


def test_ezc3d_reads_the_same(tmp_path: Path) -> None:
    c3d.write(body(), tmp_path / "a.c3d")
    read = c3d.read(tmp_path / "a.c3d")
    assert isinstance(read, PoseSequence)
    theirs = ezc3d.c3d(str(tmp_path / "a.c3d"))["data"]["points"][:3].transpose(2, 1, 0) / 1000
    there = read.valid
    np.testing.assert_allclose(read.positions[there], theirs[there], rtol=1e-12)


@pytest.mark.parametrize("processor", [85, 86])
def test_numbers_of_other_processors(tmp_path: Path, processor: int) -> None:
    """The same numbers in the order of DEC and of MIPS; integers with a scale."""
    numbers = c3d._Numbers(processor)
    value = np.array([1.5, -0.25], dtype=np.float32)
    stored = value.astype(">f4").tobytes()
    if processor == 85:
        stored = np.ascontiguousarray((4 * value).astype("<f4").view("<u2").reshape(-1, 2)[:, ::-1]).tobytes()
    assert numbers.floats(stored).tolist() == [1.5, -0.25]
    assert numbers.integers(b"\x01\x02").tolist() == [0x0102 if processor == 86 else 0x0201]


def test_integers_with_a_scale(tmp_path: Path) -> None:
    foreign(tmp_path / "a.c3d", ("A", "B"))
    whole = bytearray((tmp_path / "a.c3d").read_bytes())
    start = (int.from_bytes(whole[16:18], "little") - 1) * 512
    whole[12:16] = np.array([0.5], "<f4").tobytes()
    table = np.tile(np.array([[200, 400, 600, 0], [202, 402, 602, -1]]), (3, 1, 1)).astype("<i2").tobytes()
    (tmp_path / "b.c3d").write_bytes(bytes(whole[:start]) + table)
    read = c3d.read(tmp_path / "b.c3d")
    assert isinstance(read, PoseSequence)
    np.testing.assert_allclose(read["A"][0], [0.1, 0.2, 0.3])
    assert read.valid.tolist() == [[True, False]] * 3


def test_what_is_not_preserved_is_listed(tmp_path: Path) -> None:
    times = np.cumsum(np.linspace(0.01, 0.02, 12))
    not_preserved = c3d.write(body(times_s=times, up=None, confidence=np.full((12, 12), 0.5)), tmp_path / "a.c3d")
    assert any("confidence" in sentence for sentence in not_preserved)
    assert any("times" in sentence for sentence in not_preserved)
    assert any("known" in sentence for sentence in not_preserved)


@pytest.mark.parametrize(("unit", "metres"), [("mm", 0.001), ("cm", 0.01), ("m", 1.0)])
def test_units(tmp_path: Path, unit: str, metres: float) -> None:
    foreign(tmp_path / "a.c3d", ("A", "B"), unit)
    read = c3d.read(tmp_path / "a.c3d")
    assert isinstance(read, PoseSequence)
    np.testing.assert_allclose(read["B"][0], np.array([101, 201, 301]) * metres)
    np.testing.assert_allclose(read.times_s, [0, 0.02, 0.04])
    assert read.up is None


def test_unit_that_is_not_told_is_declared(tmp_path: Path) -> None:
    foreign(tmp_path / "a.c3d", ("A",), "")
    with pytest.raises(InputError, match=r"POINT:UNITS"):
        c3d.read(tmp_path / "a.c3d")
    read = c3d.read(tmp_path / "a.c3d", unit="cm")
    assert isinstance(read, PoseSequence)
    assert read["A"][0, 0] == pytest.approx(1.0)
    foreign(tmp_path / "b.c3d", ("A",), "mm")
    with pytest.raises(InputError, match="declared"):
        c3d.read(tmp_path / "b.c3d", unit="m")


def test_a_subjects_name_and_what_is_no_marker(tmp_path: Path) -> None:
    labels = ("Anna:LASI", "Anna:RASI", "*17", "LKneeAngles")
    foreign(tmp_path / "a.c3d", labels, X_SCREEN=["+X"], Y_SCREEN=["+Z"], ANGLES=["LKneeAngles"])
    read = c3d.read(tmp_path / "a.c3d")
    assert isinstance(read, PoseSequence)
    assert read.skeleton.joints == ("LASI", "RASI")
    assert read.up == "+z"
    assert "1 points without a label left out" in read.history
    assert "1 outputs of a model (angles, forces and the like) left out" in read.history


def test_two_subjects(tmp_path: Path) -> None:
    foreign(tmp_path / "a.c3d", ("Anna:A", "Ben:A", "Anna:B", "stick"))
    read = c3d.read(tmp_path / "a.c3d")
    assert isinstance(read, dict)
    assert {name: person.skeleton.joints for name, person in read.items()} == {"Anna": ("A", "B"), "Ben": ("A",)}
    assert read["Ben"]["A"][0, 0] == pytest.approx(0.101)
    assert "1 markers without a subject left out" in read["Anna"].history


def test_a_marker_at_the_origin_is_missing(tmp_path: Path) -> None:
    content = ezc3d.c3d()
    point = content["parameters"]["POINT"]
    point["UNITS"]["value"], point["RATE"]["value"], point["LABELS"]["value"] = ["mm"], [50.0], ("A", "B")
    points = np.ones((4, 2, 3))
    points[:3, 1, 2] = 0
    content["data"]["points"] = points
    content.write(str(tmp_path / "a.c3d"))
    read = c3d.read(tmp_path / "a.c3d")
    assert isinstance(read, PoseSequence)
    assert read.valid.tolist() == [[True, True], [True, True], [True, False]]
    assert "1 markers at 0, 0, 0 taken as missing" in read.history


def test_no_points(tmp_path: Path) -> None:
    foreign(tmp_path / "a.c3d", ("*1", "*2"))
    with pytest.raises(InputError, match=r"a\.c3d.*2 points"):
        c3d.read(tmp_path / "a.c3d")


def test_another_file(tmp_path: Path) -> None:
    (tmp_path / "a.c3d").write_bytes(b"PK\x03\x04 and so on")
    with pytest.raises(InputError, match=r"begin.*\.c3d"):
        formats.read(tmp_path / "a.c3d")
    with pytest.raises(InputError, match=r"\.c3d"):
        c3d.read(tmp_path / "a.c3d")


@pytest.mark.parametrize("share", [0.001, 0.01, 0.2, 0.35, 0.6, 0.9, 0.97])
def test_a_cut_file_is_refused(tmp_path: Path, share: float) -> None:
    c3d.write(body(200), tmp_path / "a.c3d")
    whole = (tmp_path / "a.c3d").read_bytes()
    (tmp_path / "b.c3d").write_bytes(whole[: max(2, int(share * len(whole)))])
    with pytest.raises(InputError, match=r"b\.c3d: .*(cut|damaged|parameters|no \.c3d)"):
        c3d.read(tmp_path / "b.c3d")


def test_damaged_parameters_end_in_one_line(tmp_path: Path) -> None:
    """A byte of the header or the parameters is another one: it is read, or refused, and nothing else."""
    c3d.write(body(20), tmp_path / "a.c3d")
    whole = (tmp_path / "a.c3d").read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(300):
        damaged = bytearray(whole)
        damaged[int(rng.integers(0, 1600))] = int(rng.integers(0, 256))
        (tmp_path / "b.c3d").write_bytes(damaged)
        try:
            c3d.read(tmp_path / "b.c3d")
        except InputError as error:
            assert "b.c3d" in str(error)
            assert "\n" not in str(error)


def test_what_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="2 to 65535 frames"):
        c3d.write(body().at(slice(0, 1)), tmp_path / "a.c3d")
    with pytest.raises(InputError, match="2D joints"):
        formats.check_target(tmp_path / "a.c3d", 2)
    flat = PoseSequence(np.zeros((2, 1, 2)), [0, 1], Skeleton("one", ("nose",), (-1,)), "px", "image")  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"3D.*markers"):
        c3d.write(flat, tmp_path / "a.c3d")
    assert not (tmp_path / "a.c3d").exists()
