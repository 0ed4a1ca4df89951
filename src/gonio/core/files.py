"""Files: written completely or not at all, to a temporary name beside the target that is then renamed."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from gonio.core.errors import InputError

RESERVED = {"con", "prn", "aux", "nul", "conin$", "conout$"} | {
    f"{port}{number}" for port in ("com", "lpt") for number in "0123456789¹²³"
}
"""Names of devices on Windows, which no file can have, whatever its ending."""


def makes_a_file_name(name: str) -> bool:
    """Whether every system takes the name: not empty or reserved, without separators and control characters."""
    if not name or name[0] == "." or name[-1] in ". " or name.split(".", maxsplit=1)[0].rstrip().casefold() in RESERVED:
        return False
    return not any(c in '/\\:*?"<>|' or ord(c) < 32 for c in name)


def check_writable(target: Path, inputs: Iterable[Path]) -> None:
    """Check before long work that `target` can be written without harm to an input.

    Raises `InputError` if it is an input or lies in a folder that is one, if it is a folder that already holds files,
    and if nothing can be created there.
    """
    for path in inputs:
        if target.exists() and path.exists() and target.samefile(path):
            raise InputError(f"{target}: is an input and would be replaced; choose another place with -o")
        if path.is_dir() and target.resolve().is_relative_to(path.resolve()):
            raise InputError(f"{target}: lies in the input folder {path}; choose another place with -o")
    if target.is_dir() and any(target.iterdir()):
        raise InputError(f"{target}: is a folder that already holds files; choose another name with -o")
    parents = target.absolute().parents
    parent = next((parent for parent in parents if parent.exists()), parents[-1])
    if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
        raise InputError(f"{target}: cannot be written in {parent}; choose another place with -o")


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yields a temporary path with the same name. On success it replaces `path`; after an error it is removed.

    The caller creates a file or a folder there. Raises `InputError` if `path` cannot be written.
    """
    path = Path(path)
    if path.name in ("", ".."):
        raise InputError(f"{path}: does not name a file or folder; choose a name with -o")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror}); choose another place with -o") from None
    temporary = scratch / path.name
    try:
        yield temporary
        try:
            _replace(temporary, path, scratch / f"{path.name}.previous")
        except OSError as error:
            raise InputError(f"{path}: cannot be replaced ({error.strerror})") from None
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _replace(new: Path, target: Path, aside: Path) -> None:
    """Rename `new` to `target`. An old folder is first renamed to `aside`, and back if the second step fails."""
    if not (target.is_dir() and new.is_dir()):
        new.replace(target)
        return
    target.rename(aside)
    try:
        new.rename(target)
    except OSError:
        aside.rename(target)
        raise


def write_json(path: Path, content: Any, *, indent: int | None = 1, ascii_only: bool = True) -> None:
    """Write JSON that any reader takes, the same bytes on every system. Raises `ValueError` for NaN.

    indent      spaces a level; None: everything on one line, without spaces
    ascii_only  write other characters as escapes
    """
    separators = (",", ":") if indent is None else None
    text = json.dumps(content, indent=indent, separators=separators, ensure_ascii=ascii_only, allow_nan=False)
    path.write_text(text + ("" if indent is None else "\n"), encoding="utf-8", newline="\n")


def write_csv(path: Path, rows: Iterable[Iterable[Any]]) -> None:
    """Write a table of text and numbers, the same bytes on every system; None is an empty cell.

    A spreadsheet takes text that begins with =, +, - or @ for a formula. Such text gets an apostrophe in front, which
    makes it text there; a number does not.
    """
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream, lineterminator="\n").writerows([_csv_cell(value) for value in row] for row in rows)


def _csv_cell(value: Any) -> Any:
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) and not _is_number(value):
        return f"'{value}"
    return "" if value is None else value


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def sha256_of(path: Path) -> str | None:
    """sha256 of a file, None if there is none. A file that has not changed is read once in a process."""
    try:
        stat = path.stat()
        return _sha256(path, stat.st_size, stat.st_mtime_ns)
    except OSError:
        return None


@lru_cache(maxsize=256)
def _sha256(path: Path, size_bytes: int, modified_ns: int) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
