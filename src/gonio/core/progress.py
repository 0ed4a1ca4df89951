"""Progress reporting: a callback that opens a bar with a label and a number of steps, and returns its tick."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

Tick = Callable[[], None]
Progress = Callable[[str, int | None], AbstractContextManager[Tick]]


@contextlib.contextmanager
def silent(_label: str, _total: int | None) -> Iterator[Tick]:
    """Progress that is not shown."""
    yield lambda: None
