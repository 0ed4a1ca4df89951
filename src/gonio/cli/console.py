"""What every command shares: the application, its disclaimer, tables, progress bars and errors on the terminal."""

from __future__ import annotations

import contextlib
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro
from tyro.conf import arg

if TYPE_CHECKING:
    from gonio.comparison.result import ComparisonResult


DISCLAIMER = "For research; not a medical device."

Output = Annotated[Path, arg(aliases=("-o",), metavar="PATH")]

app = tyro.extras.SubcommandApp()


@contextlib.contextmanager
def status_line() -> Iterator[Callable[[str | None], None]]:
    """One line on a terminal that is written over again, once a second; None clears it for another line."""
    told_s = 0.0

    def tell(text: str | None) -> None:
        nonlocal told_s
        now_s = time.monotonic()
        if sys.stderr.isatty() and (text is None or now_s >= told_s + 1.0):
            shown = "" if text is None else text[: shutil.get_terminal_size().columns - 1]
            print(f"\r\x1b[K{shown}", end="", file=sys.stderr, flush=True)
            told_s = now_s

    try:
        yield tell
    finally:
        tell(None)


def error_table(result: ComparisonResult) -> str:
    """Method by method, the errors in millimetres; the reference first."""
    from gonio.comparison.result import summary_table

    return columns(summary_table(result))


def columns(lines: Sequence[tuple[str, ...]]) -> str:
    """A table: the first column to the left, all others to the right."""
    header = lines[0]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]

    def show(line: tuple[str, ...]) -> str:
        first, *rest = (
            cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(line, widths, strict=True))
        )
        return "  ".join([first, *rest]).rstrip()

    return "\n".join(show(line) for line in lines)


def print_warnings(sentences: tuple[str, ...]) -> None:
    for sentence in sentences:
        print(f"gonio: warning: {sentence}", file=sys.stderr)


def print_not_preserved(path: Path, lost: tuple[str, ...]) -> None:
    print(f"wrote {path}")
    for sentence in lost:
        print(f"  {sentence}")


@contextlib.contextmanager
def bar(label: str, total: int | None) -> Iterator[Callable[[], None]]:
    from tqdm import tqdm

    with tqdm(total=total, desc=label, unit="", file=sys.stderr, disable=None) as bar:  # drawn on a terminal only
        yield lambda: bar.update() and None


def fail(message: str) -> None:
    print("gonio: " + " ".join(message.split()), file=sys.stderr)
    sys.exit(2)
