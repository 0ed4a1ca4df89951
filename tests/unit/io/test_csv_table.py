"""Tables: the numbers come back bit for bit, and a table that cannot be understood says why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gonio.core.detections import Detections
from gonio.core.errors import GonioError, InputError
from gonio.core.sequence import PoseSequence, Source, Status
from gonio.core.skeleton import BODY_12, BODY_25, COCO_17, Skeleton
from gonio.io import csv_table

PAIR = Skeleton("pair", ("left_hip", "right_hip"), (-1, 0))


def sequence(n_frames: int = 4, dimensions: int = 2, seed: int = 0, **changes: Any) -> PoseSequence:
    rng = np.random.default_rng(seed)
    positions = rng.normal(0, 300, (n_frames, len(BODY_12), dimensions))
    positions[rng.random(positions.shape[:2]) < 0.2] = np.nan
    missing = np.isnan(positions[..., 0])
    fields: dict[str, Any] = {
        "positions": positions,
        "times_s": np.cumsum(rng.uniform(0.01, 0.1, n_frames)),
        "skeleton": BODY_12,
        "unit": "px" if dimensions == 2 else "m",
        "frame": "image" if dimensions == 2 else "camera",
        "frame_name": "cam 1",
        "image_size_px": (640, 480) if dimensions == 2 else None,
        "up": None if dimensions == 2 else "-y",
        "confidence": rng.random(positions.shape[:2]),
        "status": np.where(missing, 0, rng.integers(1, 5, positions.shape[:2])),
        "source": Source("stereo", "body-25", "1.2"),
    }
    return PoseSequence(**(fields | changes))


@given(seed=st.integers(0, 2**32 - 1), n_frames=st.integers(1, 5), dimensions=st.sampled_from([2, 3]))
@settings(max_examples=15, deadline=None)
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, seed: int, n_frames: int, dimensions: int) -> None:
    path = tmp_path_factory.mktemp("csv") / "x.csv"
    written = sequence(n_frames, dimensions, seed)
    assert csv_table.write(written, path) == ()
    assert csv_table.recognise(path)
    back = csv_table.read(path)
    for name in ("positions", "times_s", "confidence", "status"):
        np.testing.assert_array_equal(getattr(back, name), getattr(written, name))
    for name in ("skeleton", "unit", "frame", "frame_name", "image_size_px", "up"):
        assert getattr(back, name) == getattr(written, name)
    assert (back.source.method, back.source.model, back.source.version) == ("stereo", "body-25", "1.2")


def test_an_image_size_that_is_not_known_stays_so(tmp_path: Path) -> None:
    csv_table.write(sequence(image_size_px=None), tmp_path / "x.csv")
    assert "image_size_px" not in (tmp_path / "x.csv").read_text()
    assert csv_table.read(tmp_path / "x.csv").image_size_px is None


def test_what_is_not_preserved(tmp_path: Path) -> None:
    plain = sequence(3, 3)
    rich = plain.derive("smoothed", covariance=np.zeros((3, 12, 3, 3)))
    covariance, history = csv_table.write(rich, tmp_path / "x.csv")
    assert "covariance" in covariance
    assert "history (1 steps)" in history


def test_the_header(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    csv_table.write(sequence(2, 3).select(["left_knee"]), path)
    lines = path.read_text().split("\n")
    header = next(i for i, line in enumerate(lines) if not line.startswith("#"))
    assert lines[header] == "frame,time_s,left_knee_x,left_knee_y,left_knee_z,left_knee_confidence,left_knee_status"
    assert lines[header + 1].startswith("0,")
    assert "# unit: m" in lines[:header]
    assert "nan" not in path.read_text()


BARE = "frame,time_s,left_hip_x,left_hip_y,right_hip_x,right_hip_y\n0,0.0,1,2,3,4\n1,0.5,,,5,6\n"


def test_a_table_without_comments_needs_its_unit(tmp_path: Path) -> None:
    path = tmp_path / "walk.csv"
    path.write_text(BARE)
    with pytest.raises(InputError, match="declare --unit"):
        csv_table.read(path)
    found = csv_table.read(path, unit="px")
    assert found.positions[0].tolist() == [[1, 2], [3, 4]]
    assert found.status.tolist() == [[1, 1], [0, 1]]
    assert found.confidence.tolist() == [[1, 1], [0, 1]]
    assert (found.frame, found.frame_name, found.image_size_px) == ("image", "walk", None)
    with pytest.raises(InputError, match=r"2D.* mm"):
        csv_table.read(path, unit="mm")
    with pytest.raises(InputError, match="'furlong'"):
        csv_table.read(path, unit="furlong")


def test_millimetres_become_metres(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("frame,time_s,left_hip_x,left_hip_y,left_hip_z\n0,0.0,1000,2000,-30\n")
    found = csv_table.read(path, unit="mm")
    np.testing.assert_allclose(found.positions, [[[1.0, 2.0, -0.03]]])
    assert (found.unit, found.frame) == ("m", "world")


def test_a_spreadsheets_padding_is_harmless(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    written = sequence(3)
    csv_table.write(written, path)
    lines = [line + ",,,," if line.startswith("#") else line for line in path.read_text().split("\n")]
    path.write_bytes("\r\n".join(lines).encode("utf-8-sig"))
    assert csv_table.recognise(path)
    np.testing.assert_array_equal(csv_table.read(path).positions, written.positions)


@pytest.mark.parametrize(
    ("content", "word"),
    [
        ("", "empty"),
        ("a,b,c\n1,2,3\n", "table"),
        ("# only a comment\n", "table"),
        ("frame,time_s,left_hip_x,left_hip_y\n", "frame"),
        ("frame,time_s,\n0,0,\n", "columns"),
        ("frame,time_s,left_hip_x,left_hip_u\n0,0,1,2\n", "columns"),
        ("frame,time_s,left_hip_x,right_hip_y\n0,0,1,2\n", "columns"),
        ("frame,time_s,left_hip_x,left_hip_y,right_hip_x\n0,0,1,2,3\n", "_x, _y"),
        (BARE + "2,0.6,1,2\n", "line 4 .*4 cells"),
        (BARE.replace("5,6", "five,6"), "line 3: 'five'"),
        (BARE.replace("5,6", "\u0665\u20ac,6"), "number"),
        (BARE.replace("5,6", "5" * 200 + ",6"), "line 3 .*200"),
        (BARE.replace("0.5", "0.0"), "line 3: .*0 s"),
        (BARE.replace("0.5", ""), "line 3 .*time"),
        (BARE.replace(",5,", ",inf,"), "infinite"),
        ("# unit: m\n" + BARE, "2D.* m;"),
        ("# unit: cm\n" + BARE, "'cm'.*px, m, mm"),
        ("# unit: px\n\n# note\n" + BARE + "\n2,0.6,1,2\n", "line 8 .*4 cells"),
        ("# unit: px\n# frame: nowhere\n" + BARE, "frame 'nowhere'"),
        ("# unit: px\n# up: north\n" + BARE, "up 'north'"),
        ("# unit: px\n# image_size_px: wide\n" + BARE, "image_size_px 'wide'"),
        ("# unit: px\n# parents: a b\n" + BARE, "parents"),
        ("# unit: px\n# parents: 1 0\n" + BARE, "tree"),
        ("# unit: px\n# frames: 9\n" + BARE, "2 frames.* 9"),
        ("# unit: px\nframe,time_s,a_x,a_y,a_status\n0,0,1,2,seen\n", "'seen'"),
        ("# unit: px\nframe,time_s,a_x,a_y,a_status\n0,0,1,2,missing\n", "missing"),
        (
            "# unit: px\nframe,time_s,a_x,a_y,a_confidence\n0,0,1,2,\n",
            "line 3: .*confidence",
        ),
        ("# unit: px\nframe,time_s,a_x,a_y,a_confidence\n0,0,1,2,3\n", "confidence"),
    ],
)
def test_foreign_and_cut_files(tmp_path: Path, content: str, word: str) -> None:
    path = tmp_path / "x.csv"
    path.write_text(content)
    with pytest.raises(InputError, match=word) as error:
        csv_table.read(path, unit=None if "unit" in content else "px")
    assert str(error.value).startswith(str(path))
    assert str(error.value).count(str(path)) == 1
    assert "\n" not in str(error.value)


def test_the_declared_unit_must_be_the_files(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    csv_table.write(sequence(2, 3), path)
    with pytest.raises(InputError, match=r" m;.* mm"):
        csv_table.read(path, unit="mm")


def test_random_cuts_raise_nothing_but_gonio_errors(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    csv_table.write(sequence(4), path)
    whole = path.read_bytes()
    for cut in np.random.default_rng(0).integers(0, len(whole) - 10, 60):
        path.write_bytes(whole[:cut])
        with pytest.raises(GonioError, match=r"x\.csv"):
            csv_table.read(path, unit="px" if b"unit" not in whole[:cut] else None)


def test_not_written(tmp_path: Path) -> None:
    people = Detections(np.zeros((1, 1, 25, 2)), np.ones((1, 1, 25)), np.zeros(1), BODY_25, (10, 10))
    with pytest.raises(InputError, match="person"):
        csv_table.write(people, tmp_path / "x.csv")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="frame"):
        csv_table.write(sequence(3).at(slice(0, 0)), tmp_path / "x.csv")
    odd = Skeleton("odd", ("a,b",), (-1,))
    with pytest.raises(InputError, match="'a,b'"):
        csv_table.write(PoseSequence(np.zeros((1, 1, 2)), np.zeros(1), odd, "px", "image"), tmp_path / "x.csv")
    assert not list(tmp_path.iterdir())


def test_every_status_has_its_word(tmp_path: Path) -> None:
    status = np.array([[1, 2], [3, 4], [0, 1]])
    positions = np.where(status[..., None] == 0, np.nan, np.ones((3, 2, 2)))
    written = PoseSequence(positions, np.arange(3.0), PAIR, "px", "image", status=status)
    csv_table.write(written, tmp_path / "x.csv")
    text = (tmp_path / "x.csv").read_text()
    assert all(f",{word.name.lower()}" in text for word in Status)
    np.testing.assert_array_equal(csv_table.read(tmp_path / "x.csv").status, status)
    assert COCO_17.name not in text
