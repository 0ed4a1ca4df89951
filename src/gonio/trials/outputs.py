"""The output file of a command: checked before the work, written with a record of how it came to be."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gonio.core.angle_series import AngleSeries
from gonio.core.files import check_writable
from gonio.core.provenance import provenance_path, write_provenance
from gonio.io import formats


@dataclass
class Output:
    """What a command writes; the command fills it while it works.

    path           the file or folder; None if the caller wants the value alone
    steps          what was done, for the record beside the output
    not_preserved  what the output's format cannot hold, in sentences
    notes          what the user should read beside the result
    warnings       what makes the result doubtful
    """

    path: Path | None
    steps: list[str] = field(default_factory=list)
    not_preserved: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def write(self, item: formats.Item | AngleSeries) -> None:
        """Write joints or angles by the ending of the path. Raises `InputError` as `formats.write` does."""
        if self.path is not None:
            self.not_preserved += formats.write(item, self.path)


OnWritten = Callable[[Output], None]


def unreported(output: Output) -> None:
    """Report nothing: the default of `on_written`."""


@contextlib.contextmanager
def output(
    path: str | Path | None,
    inputs: Iterable[Path | None],
    command: str,
    options: Mapping[str, Any],
    on_written: OnWritten = unreported,
) -> Iterator[Output]:
    """Check that the output can be written; afterwards write its provenance and report it.

    path        the output; with None nothing is checked, written or reported
    inputs      files that must not be replaced
    options     of the command, by their names on the command line
    on_written  called with the finished output

    Raises `InputError` if the output cannot be written or would replace an input.
    """
    made = Output(None if path is None else Path(path))
    if made.path is None:
        yield made
        return
    files = [file for file in inputs if file is not None]
    for target in (made.path, provenance_path(made.path)):
        check_writable(target, files)
    yield made
    write_provenance(made.path, command, options, *made.steps)
    on_written(made)
