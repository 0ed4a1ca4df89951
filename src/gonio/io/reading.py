"""Opening files so that every failure is an `InputError` that names the file."""

from __future__ import annotations

import contextlib
import functools
import itertools
import struct
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray

from gonio.core.errors import InputError

METRES: dict[str, float] = {"m": 1.0, "cm": 0.01, "mm": 0.001}
"""Length units that files declare, in metres."""

DECLARED_METRES: dict[str, float] = {"m": 1.0, "mm": 0.001}
"""Length units that a user declares for numbers that have none."""

NUMPY_ERRORS = (
    OSError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    EOFError,
    MemoryError,
    RuntimeError,
    SyntaxError,
    SystemError,
    struct.error,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What numpy and the zip library raise on a damaged .npy or .npz file."""


Arguments = ParamSpec("Arguments")
Read = TypeVar("Read")

_UNPACKED_BYTES = 256 << 20
_UNPACKED_TIMES = 100


def quiet(reader: Callable[Arguments, Read]) -> Callable[Arguments, Read]:
    """A reader without numpy's warnings.

    A damaged file shows in its values, which are checked, or is an error already. An array written by Python 2 is not a
    fault.
    """

    @functools.wraps(reader)
    def read(*positional: Arguments.args, **named: Arguments.kwargs) -> Read:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Reading `.npy` or `.npz` file", category=UserWarning)
            return reader(*positional, **named)

    return read


def read_bytes(path: Path) -> bytes:
    """The whole file. Raises `InputError` if it does not exist, is a folder, unreadable or empty."""
    try:
        content = Path(path).read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise InputError(f"{path}: is a folder; a file is expected") from None
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        raise InputError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from None
    if not content:
        raise InputError(f"{path}: is empty; record or export it again")
    return content


def check_unpacked_size(path: Path) -> None:
    """Raises `InputError` if a zip unpacks to far more than its size: it is a trap, not a recording.

    Zeros shrink to a thousandth, so a file of a megabyte can take a gigabyte of memory. A file that is no zip passes.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
    except (OSError, ValueError, RuntimeError, NotImplementedError, struct.error, zipfile.BadZipFile):
        return
    packed = Path(path).stat().st_size
    if unpacked > max(_UNPACKED_BYTES, _UNPACKED_TIMES * packed):
        raise InputError(
            f"{path}: unpacks to {unpacked >> 20} MB, {unpacked // packed} times its size; no recording does. "
            f"Download it again"
        )


def read_lines(path: Path) -> list[str]:
    """The file's lines without their ends. The last one is empty if the file ends with a line end, as it should.

    UTF-8, else Latin-1 (older programs write the user's folder into the header). Raises `InputError` as `read_bytes`.
    """
    content = read_bytes(path)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def first_line(path: Path) -> str:
    """The first line that is neither blank nor a # comment, within the first 64 KiB, else ""."""
    try:
        with Path(path).open("rb") as stream:
            text = stream.read(65536).decode("utf-8-sig", errors="replace")
    except OSError:
        return ""
    return next((line for line in text.splitlines() if line.strip() and not line.startswith("#")), "")


def check_times(path: Path, times_s: Sequence[float], lines: Sequence[int]) -> None:
    """Raises `InputError` naming the line of the first time that does not come after the one before it."""
    for line, (before, time) in zip(lines[1:], itertools.pairwise(times_s), strict=True):
        if time <= before:
            raise InputError(
                f"{path}: line {line}: the time {time:.9g} s does not come after {before:.9g} s; times must increase"
            )


def is_rate(rate_hz: float) -> bool:
    """Whether a recording can have so many frames per second: from one in a quarter of an hour to a million."""
    return bool(np.isfinite(rate_hz) and 1e-3 <= rate_hz <= 1e6)


def check_rate(path: Path, times_s: Sequence[float] | NDArray[Any], declared_hz: float | None) -> None:
    """Raises `InputError` if the median interval of the times is not that of the declared rate, within 1 %."""
    if declared_hz is None or len(times_s) < 2:
        return
    interval_s = float(np.median(np.diff(times_s)))
    if not abs(interval_s * declared_hz - 1) <= 0.01:
        own = f"{1 / interval_s:.6g} frames per second" if interval_s > 0 else "times that do not increase"
        raise InputError(f"{path}: the file has {own}; {declared_hz:g} were declared")


def not_a_number(path: Path, rows: Iterable[Sequence[str]], lines: Iterable[int]) -> InputError:
    """The error that names the first cell that is neither empty nor a number, by its line in the file."""
    for line, cells in zip(lines, rows, strict=True):
        for cell in map(str.strip, cells):
            try:
                float(cell or "nan")
            except ValueError:
                shown = cell if len(cell) <= 40 else cell[:40] + "..."
                return InputError(
                    f"{path}: line {line}: {shown!r} is not a number; correct it or export the file again"
                )
    return InputError(f"{path}: a cell is not a number; export the file again")


@contextlib.contextmanager
def naming(path: Path) -> Iterator[None]:
    """Puts the file's name in front of the message of an `InputError` that does not begin with it."""
    try:
        yield
    except InputError as error:
        message = str(error)
        raise InputError(message if message.startswith(f"{path}: ") else f"{path}: {message}") from None
