"""Opening files: every failure is one line that names the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from gonio.errors import InputError
from gonio.sources.reading import first_line, naming, read_bytes, read_lines


def test_lines_of_any_line_end_and_encoding(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    for content in (b"a\nb\n", b"a\r\nb\r\n", b"a\rb\r", b"\xef\xbb\xbfa\nb\n"):
        path.write_bytes(content)
        assert read_lines(path) == ["a", "b", ""]
    path.write_bytes("pièce".encode("latin-1"))
    assert read_lines(path) == ["pièce"]


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    for path, words in (
        (tmp_path / "none", "no such file"),
        (tmp_path, "is a folder"),
        (tmp_path / "empty", "is empty"),
        (tmp_path / "a\0b", "cannot be read"),
        (tmp_path / "empty" / "child", "cannot be read"),
    ):
        with pytest.raises(InputError, match=words):
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
