"""The next epoch's clips, made by another process while this one trains.

Making clips takes about as long as training on them, and neither can use both halves of a small computer well. What is
made is the same as without: clips depend on the epoch's number and nothing else.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from types import TracebackType
from typing import Self

from gonio.lifting.windows import Clip

Clips = Callable[[int], Sequence[Clip]]
_make: Clips | None = None


class Ahead:
    """Called with an epoch's number it answers with `make(number)`, and has the next number's made meanwhile.

    make  can be sent to another process: a function of a module, or a `functools.partial` of one
    """

    def __init__(self, make: Clips, last: int) -> None:
        self._last = last
        context = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(1, context, initializer=_remember, initargs=(make,))
        self._coming: dict[int, Future[Sequence[Clip]]] = {}

    def __call__(self, epoch: int) -> Sequence[Clip]:
        for number in (epoch, epoch + 1):
            if number not in self._coming and number <= max(self._last, epoch):
                self._coming[number] = self._pool.submit(_made, number)
        return self._coming.pop(epoch).result()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)


def _remember(make: Clips) -> None:
    global _make  # noqa: PLW0603 - sent once, for it holds all recordings
    _make = make


def _made(epoch: int) -> Sequence[Clip]:
    assert _make is not None
    return _make(epoch)
