"""Opening files: every failure is one line that names the file."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from gonio.core.errors import InputError, one_line
from gonio.io.reading import (
    check_rate,
    check_times,
    check_unpacked_size,
    first_line,
    naming,
    not_a_number,
    read_bytes,
    read_lines,
)


def test_lines_of_any_line_end_and_encoding(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    for content in (b"a\nb\n", b"a\r\nb\r\n", b"a\rb\r", b"\xef\xbb\xbfa\nb\n"):
        path.write_bytes(content)
        assert read_lines(path) == ["a", "b", ""]
    path.write_bytes("pièce".encode("latin-1"))
    assert read_lines(path) == ["pièce"]


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    for path, match in (
        (tmp_path / "none", "no such file"),
        (tmp_path, "is a folder"),
        (tmp_path / "empty", "empty"),
        (tmp_path / "a\0b", "cannot be read"),
        (tmp_path / "empty" / "child", "cannot be read"),
    ):
        with pytest.raises(InputError, match=match):
            read_bytes(path)


def test_the_first_line_that_says_something(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    path.write_text("# comment\n\n  \nframe,time_s\n1,2\n")
    assert first_line(path) == "frame,time_s"
    path.write_text("# comment")
    assert first_line(path) == ""
    assert first_line(tmp_path / "none") == ""


def test_errors_of_the_nouns_name_the_file() -> None:
    with pytest.raises(InputError, match=r"^x\.csv: too short$"), naming(Path("x.csv")):
        raise InputError("too short")


def test_times_that_do_not_increase_are_named_by_their_line() -> None:
    check_times(Path("x.csv"), [0.0, 0.1, 0.3], [4, 5, 7])
    with pytest.raises(InputError, match=r"^x\.csv: line 7: .*0\.1 s"):
        check_times(Path("x.csv"), [0.0, 0.1, 0.1], [4, 5, 7])


def test_cells_that_are_no_numbers_are_named_by_their_line() -> None:
    error = not_a_number(Path("x.csv"), [["1", " ", "nan"], ["2", "t\nwo"]], [4, 6])
    assert str(error).startswith(r"x.csv: line 6: 't\nwo'")
    assert len(str(not_a_number(Path("x"), [["a" * 9999]], [1]))) < 150


def test_a_decoder_s_error_is_words() -> None:
    with pytest.raises(UnicodeDecodeError) as error:
        b"\xff".decode()
    assert "UTF-8" in one_line(error.value)


@pytest.mark.parametrize("times_s", [[0, 0.02, 0.04], [0, 0.0201, 0.0402], [5], []])
def test_a_declared_rate_that_the_times_have(times_s: list[float]) -> None:
    check_rate(Path("x"), times_s, 50.0)
    check_rate(Path("x"), times_s, None)


@pytest.mark.parametrize(("times_s", "match"), [([0, 0.04], "25 frames"), ([1, 1, 1], "increase")])
def test_a_declared_rate_that_the_times_do_not_have(times_s: list[float], match: str) -> None:
    with pytest.raises(InputError, match=f"x: .*{match}.* 50"):
        check_rate(Path("x"), times_s, 50.0)


def test_a_zip_that_unpacks_to_far_more_than_it_is(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", bytes(300 << 20))
    with pytest.raises(InputError, match=r"x\.npz: .*300 MB"):
        check_unpacked_size(tmp_path / "x.npz")
    for name, content in (("y.npz", np.arange(9)), ("z.npz", np.zeros(100_000))):
        np.savez_compressed(tmp_path / name, a=content)
        check_unpacked_size(tmp_path / name)
    (tmp_path / "w.npz").write_bytes(b"PK\x03\x04 no zip")
    check_unpacked_size(tmp_path / "w.npz")
