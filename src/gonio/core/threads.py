"""Several items are worked on at once, each by one thread, and their results come in the items' order.

For work that leaves Python's lock, such as decoding and networks. A thread takes the next item itself, one at a time,
so that a picture is decoded by the thread that looks at it. Few items are held: memory stays constant.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future
from itertools import islice
from queue import SimpleQueue
from typing import TypeVar

from threadpoolctl import threadpool_limits

T = TypeVar("T")
R = TypeVar("R")


def usable_cores() -> int:
    """As many cores as this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def side_by_side(work: Callable[[T], R], items: Iterable[T], at_once: int) -> Generator[R, None, None]:
    """`work` of every item, in their order, by `at_once` threads; as many results more may wait.

    What `work` or the source of the items raises is raised after the results of all items before. Closed early, it
    waits for the items that are being worked on, and no thread is left.
    """
    source = iter(items)
    results: SimpleQueue[Future[R] | None] = SimpleQueue()
    room = threading.Semaphore(2 * at_once)
    taking, closed = threading.Lock(), threading.Event()

    def run() -> None:
        while True:
            room.acquire()
            result: Future[R] = Future()
            with taking:
                if closed.is_set():
                    return
                try:
                    item = next(source)
                except StopIteration:
                    closed.set()
                    results.put(None)
                    return
                except BaseException as error:  # noqa: BLE001 - raised again where the result was asked for
                    closed.set()
                    result.set_exception(error)
                    results.put(result)
                    return
                results.put(result)
            try:
                result.set_result(work(item))
            except BaseException as error:  # noqa: BLE001 - raised again where the result was asked for
                result.set_exception(error)

    threads = [threading.Thread(target=run, name="side-by-side", daemon=True) for _ in range(at_once)]
    for thread in threads:
        thread.start()
    try:
        while (result := results.get()) is not None:
            done = result.result()
            room.release()
            yield done
    finally:
        closed.set()
        room.release(len(threads))
        for thread in threads:
            thread.join()


def ahead(items: Iterable[T]) -> Generator[T, None, None]:
    """The same items, of which another thread takes up to two before they are asked for."""
    return side_by_side(lambda item: item, items, 1)


def batched(items: Iterable[T], size: Callable[[], int]) -> Iterator[list[T]]:
    """The same items, as many at a time as `size` says before each; the last ones may be fewer."""
    source = iter(items)
    while batch := list(islice(source, size())):
        yield batch


@contextlib.contextmanager
def one_thread_each() -> Iterator[None]:
    """Meanwhile matrix products and OpenCV's functions compute with the thread that calls them.

    Pictures and cameras are looked at side by side, and so keep all cores busy. What a second thread gained is less
    than it takes from the networks by waiting. The setting is the process's: use this around all detectors at once.
    """
    import cv2  # noqa: PLC0415

    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        cv2.setNumThreads(before)
