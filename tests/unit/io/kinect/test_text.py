"""Separators, headers, comments, encodings of text tables."""

from __future__ import annotations

from pathlib import Path

import pytest

from gonio.core.errors import InputError
from gonio.io.kinect.text import decoded, is_number, parse, read_start, read_table

PATH = Path("x.csv")


@pytest.mark.parametrize("separator", [",", ";", "\t", " "])
def test_separators(separator: str) -> None:
    table = parse(PATH, f"a{separator}b\n1{separator}2.5\n-3e2{separator}4\n")
    assert table.header == ("a", "b")
    assert table.rows == [["1", "2.5"], ["-3e2", "4"]]
    assert table.lines == [2, 3]
    assert not table.cut


def test_a_quote_that_is_none() -> None:
    table = parse(PATH, 'a,b\n"' + 200_000 * "1" + ",2\n")
    assert [len(cell) for cell in table.rows[0]] == [200_001, 1]


def test_line_ends_blank_lines_and_quotes() -> None:
    table = parse(PATH, '"a","b, c"\r\n\r\n1,2\r3,"4,5"')
    assert table.header == ("a", "b, c")
    assert table.rows == [["1", "2"], ["3", "4,5"]]
    assert table.lines == [3, 4]
    assert table.cut


def test_headers() -> None:
    assert parse(PATH, "# recorded today\n# frame x\n0 1.5\n").header == ("frame", "x")
    assert parse(PATH, "# recorded today with care\n0 1.5\n").header == ()
    assert parse(PATH, "title\nframe,x\n0,1.5\n").header == ("frame", "x")
    two = parse(PATH, "Time\tHip\t\t\tHead\t\t\n\tX\tY\tZ\tX\tY\tZ\n0\t1\t2\t3\t4\t5\t6\n")
    assert two.header == ("Time", "Hip X", "Hip Y", "Hip Z", "Head X", "Head Y", "Head Z")


def test_a_separator_at_the_end_of_every_row_is_no_column() -> None:
    assert parse(PATH, "1,2,\n3,4,\n").rows == [["1", "2"], ["3", "4"]]
    table = parse(PATH, "a,b,\n1,2,\n3,4,\n")
    assert (table.header, table.rows[0]) == (("a", "b"), ["1", "2"])
    assert parse(PATH, "a,b,c\n1,2,\n3,4,\n").rows[0] == ["1", "2", ""]


def test_decimal_commas() -> None:
    assert parse(PATH, "1,5;-2,25e-3\n").rows == [["1.5", "-2.25e-3"]]
    assert parse(PATH, "1,5\t2\n").rows == [["1.5", "2"]]
    with pytest.raises(InputError, match="line 1"):
        parse(PATH, "1,5 2,5\n")


def test_what_is_no_table(tmp_path: Path) -> None:
    for text, words in (("\n# only this\n", "numbers"), ("a,b\nc,d\n", r"header.*numbers")):
        with pytest.raises(InputError, match=words):
            parse(PATH, text)
    with pytest.raises(InputError, match="no such file"):
        read_table(tmp_path / "absent.csv")
    assert read_start(tmp_path / "absent.csv") is None
    with pytest.raises(InputError, match="UTF-16"):
        decoded(PATH, "1,2\n".encode("utf-16-le"))
    with pytest.raises(InputError, match="damaged UTF-16"):
        decoded(PATH, "1,2\n".encode("utf-16")[:-1])


def test_the_start_of_a_long_file(tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    path.write_text("a,b\n" + "1.25,2.25\n" * 20000)
    start = read_start(path)
    assert start is not None
    assert 1000 < len(start.rows) < 20000
    assert all(row == ["1.25", "2.25"] for row in start.rows)


def test_numbers() -> None:
    assert [is_number(cell) for cell in ("1", "-1.5e3", "1,5", "nan", "", "x")] == [True] * 4 + [False] * 2
