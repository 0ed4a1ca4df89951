"""What every command shares on the terminal: tables, warnings, progress bars, the status line, errors."""

from __future__ import annotations

import contextlib
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gonio.trials.outputs import Output

DISCLAIMER = "For research; not a medical device."


@contextlib.contextmanager
def status_line() -> Iterator[Callable[[str | None], None]]:
    """One line on a terminal, replaced at most once a second; None clears it for another line."""
    shown_s = 0.0

    def show(text: str | None) -> None:
        nonlocal shown_s
        now_s = time.monotonic()
        if sys.stderr.isatty() and (text is None or now_s >= shown_s + 1.0):
            line = "" if text is None else text[: shutil.get_terminal_size().columns - 1]
            print(f"\r\x1b[K{line}", end="", file=sys.stderr, flush=True)
            shown_s = now_s

    try:
        yield show
    finally:
        show(None)


def print_table(rows: Sequence[tuple[str, ...]]) -> None:
    """Print a header and rows: the first column to the left, all others to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        cells = [
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        print("  ".join(cells).rstrip())


def print_warnings(sentences: Iterable[str]) -> None:
    """Print each sentence as a line on standard error."""
    for sentence in sentences:
        print(f"gonio: warning: {sentence}", file=sys.stderr)


def print_written(output: Output) -> None:
    """Print where a command has written its result, what the format cannot hold, and what the user should know."""
    print_warnings(output.warnings)
    print(f"wrote {output.path}")
    for sentence in (*output.notes, *output.not_preserved):
        print(f"  {sentence}")


@contextlib.contextmanager
def bar(label: str, total: int | None) -> Iterator[Callable[[], None]]:
    """A progress bar on standard error, if that is a terminal."""
    from tqdm import tqdm

    with tqdm(total=total, desc=label, unit="", file=sys.stderr, disable=None) as bar:
        yield lambda: bar.update() and None


def fail(message: str) -> None:
    """Print one line on standard error and end with exit status 2."""
    print("gonio: " + " ".join(message.split()), file=sys.stderr)
    sys.exit(2)
