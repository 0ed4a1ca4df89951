"""Rows and header of a text table in any of the forms in which Kinect recorders and spreadsheets write them.

UTF-8, UTF-16 with its mark, or Latin-1; columns separated by tabs, semicolons, commas or blanks; a decimal comma where
tabs, semicolons or quotes leave no doubt. Lines with # are comments, of which the last may be the header.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gonio.core.errors import InputError
from gonio.io.kinect.names import FIELDS, letters
from gonio.io.reading import read_bytes

_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+(?:[eE][+-]?\d+)?")
_MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_FIRST_BYTES = 65536


@dataclass(frozen=True)
class TextTable:
    """header: names of the columns, empty if there is none; rows of cells; their line numbers; is the end cut?"""

    header: tuple[str, ...]
    rows: list[list[str]]
    lines: list[int]
    cut: bool


def read_table(path: Path) -> TextTable:
    """The whole table. Raises `InputError` if the file is absent, empty or without rows, or if a comma may be
    a decimal sign or a separator."""
    return parse(path, decoded(path, read_bytes(path)))


def read_start(path: Path) -> TextTable | None:
    """The table as far as the first 64 KiB show it, the last line left out; None if it is not a table."""
    try:
        with Path(path).open("rb") as stream:
            content = stream.read(_FIRST_BYTES)
        text = decoded(path, content[: len(content) // 2 * 2])
        return parse(path, text[: text.rfind("\n") + 1] if len(content) == _FIRST_BYTES else text)
    except (OSError, InputError):
        return None


def decoded(path: Path, content: bytes) -> str:
    """The text. Raises `InputError` for UTF-16 without its mark and for what is not text."""
    encoding = _MARKS.get(content[:2], "utf-8-sig")
    if encoding == "utf-8-sig" and b"\0" in content[:1000]:
        raise InputError(f"{path}: is no plain text, or UTF-16 without its mark; save it as UTF-8")
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        if encoding == "utf-16":
            raise InputError(f"{path}: is damaged UTF-16 text ({error.reason}); export it again as UTF-8") from None
        return content.decode("latin-1")


def parse(path: Path, text: str) -> TextTable:
    """The table of a text; `path` names it in errors."""
    numbered = [(i, line) for i, line in enumerate(re.split(r"\r\n|\r|\n", text), 1) if line.strip()]
    comments = [line.lstrip("# ") for _, line in numbered if line.startswith("#")]
    numbered = [(i, line) for i, line in numbered if not line.startswith("#")]
    if not numbered:
        raise InputError(f"{path}: holds no row of numbers; record or export it again")
    separator = _separator(numbered[len(numbered) // 2][1])
    cells = [_cells(line, separator) for _, line in numbered]
    n_header = next((i for i, row in enumerate(cells) if any(map(is_number, row))), len(cells))
    if n_header == len(cells):
        raise InputError(f"{path}: has a header but no row of numbers; record or export it again")
    rows, lines = cells[n_header:], [number for number, _ in numbered[n_header:]]
    _check_commas(path, separator, rows, lines)
    if separator != ",":
        rows = [[c.replace(",", ".") if _DECIMAL_COMMA.fullmatch(c) else c for c in row] for row in rows]
    header = _header(cells[:n_header])
    if not header and comments:
        named = _cells(comments[-1], _separator(comments[-1]))
        header = tuple(named) if len(named) == len(rows[0]) else ()
    if all(not row[-1] for row in rows) and (not header or not header[-1]):
        rows, header = [row[:-1] for row in rows], header[:-1] if len(header) == len(rows[0]) else header
    return TextTable(header, rows, lines, cut=not text.endswith(("\n", "\r")))


def is_number(cell: str) -> bool:
    """Whether a cell holds a number, with a point or a comma."""
    try:
        float(cell.replace(",", "."))
    except ValueError:
        return False
    return True


def _separator(line: str) -> str:
    return next((mark for mark in "\t;," if mark in line), " ")


def _cells(line: str, separator: str) -> list[str]:
    if separator == " ":
        return line.split()
    try:
        cells = next(csv.reader(io.StringIO(line), delimiter=separator))
    except csv.Error:  # a quoted cell longer than any name or number: no quotes, then
        cells = line.split(separator)
    return [cell.strip() for cell in cells]


def _check_commas(path: Path, separator: str, rows: Sequence[Sequence[str]], lines: Sequence[int]) -> None:
    """A comma is a separator or a decimal sign; blanks between the numbers mean that it is not the separator."""
    if separator != ",":
        return
    for line, row in zip(lines, rows, strict=True):
        if any(len(cell.split()) > 1 and all(map(is_number, cell.split())) for cell in row):
            raise InputError(
                f"{path}: line {line}: blanks and commas both stand between numbers; where the comma is a decimal "
                f"sign, export with tabs or semicolons between the columns, or with decimal points"
            )


def _header(rows: list[list[str]]) -> tuple[str, ...]:
    """The last row of names; if it holds x, y, z alone, with the joints of the row above it before them."""
    if not rows:
        return ()
    last, before = rows[-1], rows[-2] if len(rows) > 1 else []
    fields = {letters(word) for word in last if word} - {"frame", "time"}
    if sum(map(bool, before)) < 2 or not fields <= set(FIELDS):
        return tuple(last)
    above, names = "", []
    for i, word in enumerate(last):
        above = before[i] if i < len(before) and before[i] else above
        names.append(f"{above} {word}".strip())
    return tuple(names)
