"""The next clips, made by another process while this one trains on the last ones.

Making clips takes about as long as training on them. What is made is the same as without: clips depend on their number
and nothing else.
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
    """Called with a number it answers with `make(number)`, and has `make(number + step)` made meanwhile.

    make  can be sent to another process: a function of a module, or a `functools.partial` of one
    last  beyond this number nothing is made ahead
    step  to the number that is asked for next

    The process starts at the first call and ends with the `with` block, or when this process ends in whatever way.
    What `make` raises of gonio's errors is raised here; raises `GonioError` where that process was ended.
    """

    def __init__(self, make: Clips, last: int, step: int = 1) -> None:
        self._last, self._step = last, step
        context = multiprocessing.get_context("spawn")
        self._here, self._there = context.Pipe()
        self._process = context.Process(target=_work, args=(self._there, make), daemon=True)
        self._coming: list[int] = []

    def __call__(self, number: int) -> Sequence[Clip]:
        if self._process.pid is None:
            self._process.start()
            self._there.close()  # so that the end of that process is seen here
        try:
            for requested in (number, number + self._step):
                if requested not in self._coming and requested <= max(self._last, number):
                    self._here.send(requested)
                    self._coming.append(requested)
            while True:
                made: Sequence[Clip] | GonioError = self._here.recv()
                if self._coming.pop(0) == number:
                    break
        except (EOFError, OSError):
            raise GonioError("the process that makes training clips was ended; is there too little memory?") from None
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
    """Makes what is asked for until nobody asks any more."""
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
