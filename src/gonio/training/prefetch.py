"""Prefetching of training clips: another process builds the next ones while this process trains.

Building clips takes about as long as training on them. The clips are the same as without prefetching, because they
depend only on their number.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Sequence
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Self

from gonio.core.errors import GonioError
from gonio.training.windows import Clip, Clips


class PrefetchedClips:
    """A function of a number: returns `make(number)`, and starts `make(number + step)` in the other process.

    make  can be sent to another process: a function of a module, or a `functools.partial` of one
    last  the last number to prefetch
    step  from one number to the next

    The process starts at the first call and ends with the `with` block, or when this process ends in any way.
    gonio's errors in `make` are raised here. Raises `GonioError` if the other process was killed.
    """

    def __init__(self, make: Clips, last: int, step: int = 1) -> None:
        self._last, self._step = last, step
        context = multiprocessing.get_context("spawn")
        self._here, self._there = context.Pipe()
        self._process = context.Process(target=_work, args=(self._there, make), daemon=True)
        self._pending: list[int] = []

    def __call__(self, number: int) -> Sequence[Clip]:
        if self._process.pid is None:
            self._process.start()
            self._there.close()  # so that the end of that process is noticed here
        try:
            for requested in (number, number + self._step):
                if requested not in self._pending and requested <= max(self._last, number):
                    self._here.send(requested)
                    self._pending.append(requested)
            while True:
                made: Sequence[Clip] | GonioError = self._here.recv()
                if self._pending.pop(0) == number:
                    break
        except (EOFError, OSError):
            raise GonioError("the process that builds training clips was killed; is there too little memory?") from None
        if isinstance(made, GonioError):
            raise made
        return made

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.pid is not None:
            self._process.terminate()
            self._process.join()
        self._here.close()


def _work(requests: Connection, make: Clips) -> None:
    """Worker loop: build the requested clips until the queue is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that trains
    try:
        while True:
            number = requests.recv()
            try:
                made: Sequence[Clip] | GonioError = make(number)
            except GonioError as error:
                made = error
            requests.send(made)
    except (EOFError, OSError):
        return
