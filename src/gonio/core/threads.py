"""Threads: several items are processed at once, each by one thread, and the results keep the items' order.

This suits work that releases Python's global lock, such as decoding and networks. A thread takes the next item itself,
one at a time, so an image is decoded by the thread that processes it. Few items are held, so memory stays constant.
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
    """Number of processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def map_in_order(work: Callable[[T], R], items: Iterable[T], at_once: int) -> Generator[R, None, None]:
    """`work` of every item by `at_once` threads, in the order of the items; up to `at_once` more results are held.

    An error of `work`, or of the source of the items, is raised after the results of all earlier items. If the
    generator is closed early, it waits for the items in progress and ends its threads.
    """
    source = iter(items)
    results: SimpleQueue[Future[R] | None] = SimpleQueue()
    free = threading.Semaphore(2 * at_once)
    taking, closed = threading.Lock(), threading.Event()

    def run() -> None:
        while True:
            free.acquire()
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
                except BaseException as error:  # noqa: BLE001 - raised again with the result
                    closed.set()
                    result.set_exception(error)
                    results.put(result)
                    return
                results.put(result)
            try:
                result.set_result(work(item))
            except BaseException as error:  # noqa: BLE001 - raised again with the result
                result.set_exception(error)

    threads = [threading.Thread(target=run, name="map-in-order", daemon=True) for _ in range(at_once)]
    for thread in threads:
        thread.start()
    try:
        while (result := results.get()) is not None:
            done = result.result()
            free.release()
            yield done
    finally:
        closed.set()
        free.release(len(threads))
        for thread in threads:
            thread.join()


def prefetched(items: Iterable[T]) -> Generator[T, None, None]:
    """The same items; another thread fetches up to two of them in advance."""
    return map_in_order(lambda item: item, items, 1)


def batched(items: Iterable[T], size: Callable[[], int]) -> Iterator[list[T]]:
    """The same items in lists. `size` gives the length of each list; the last list may be shorter."""
    source = iter(items)
    while batch := list(islice(source, size())):
        yield batch


@contextlib.contextmanager
def one_thread_each() -> Iterator[None]:
    """Inside the block, matrix products and OpenCV use the calling thread alone.

    Images and cameras are processed in parallel, which keeps all cores busy; a second thread for each would cost the
    networks more than it gains. The setting belongs to the process: use one block around all detectors.
    """
    import cv2  # noqa: PLC0415

    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        cv2.setNumThreads(before)
