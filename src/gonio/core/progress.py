"""How long work tells how far it is: a label and a number of steps, or none that is known; a tick for each step."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

Tick = Callable[[], None]
Progress = Callable[[str, int | None], AbstractContextManager[Tick]]


@contextlib.contextmanager
def silent(_label: str, _total: int | None) -> Iterator[Tick]:
    """Progress that nobody watches."""
    yield lambda: None
