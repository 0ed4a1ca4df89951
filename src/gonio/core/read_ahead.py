"""The next pictures are decoded by another thread while the last one is worked on.

Decoding and networks leave Python's lock, so both go on at once. Few pictures are held: memory stays constant.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterable
from typing import TypeVar

T = TypeVar("T")

_POLL_S = 0.1  # how soon the other thread sees that nobody takes what it has


class _End:
    """After the last item; `error`: what the source raised there."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


def read_ahead(source: Iterable[T], depth: int = 2) -> Generator[T, None, None]:
    """The same items in the same order, up to `depth` of them taken from the source before they are asked for.

    What the source raises is raised at the same place. The source is used by one other thread alone, which ends when
    all was taken, or soon after the iterator is closed.
    """
    items: queue.Queue[T | _End] = queue.Queue(depth)
    closed = threading.Event()

    def put(item: T | _End) -> bool:
        while not closed.is_set():
            try:
                items.put(item, timeout=_POLL_S)
            except queue.Full:
                continue
            return True
        return False

    def work() -> None:
        try:
            for item in source:
                if not put(item):
                    return
        except BaseException as error:  # noqa: BLE001 - raised again where the item was asked for
            put(_End(error))
        else:
            put(_End())

    thread = threading.Thread(target=work, name="read-ahead", daemon=True)
    thread.start()
    try:
        while True:
            item = items.get()
            if isinstance(item, _End):
                if item.error is not None:
                    raise item.error
                return
            yield item
    finally:
        closed.set()
        thread.join()
