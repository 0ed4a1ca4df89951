"""Many recordings measured at the same time on one machine.

Each worker is a process with its own pipe. A common pool lacks three things: if a worker dies, its recording is known
and no other one fails; if the run is killed, the pipes close and the workers end; and a run that is stopped does not
wait for a long recording.

Workers are started without the threads of this process: on Linux as copies of one process that has loaded the modules
for measuring, elsewhere one by one. Each computes with one thread: several would compete for the same cores, and a
matrix product by two threads differs in its last bits from one by a single thread.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

from threadpoolctl import threadpool_limits

from gonio.core.errors import GonioError, InputError
from gonio.studies.store import Encoded, RecordingTask, Work, encode

THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "OPENCV_FOR_THREADS_NUM",
)
READY = "ready"


@dataclass(frozen=True)
class Failed:
    """A recording that could not be measured, and why, in one line."""

    reason: str


Outcome = Encoded | Failed
Outcomes = Generator[tuple[RecordingTask, Outcome], None, None]


def attempt(work: Work, payload: Any) -> Outcome:
    """Measure one recording. Whatever is wrong with it becomes a reason; only an interruption goes on."""
    try:
        return encode(work(payload))
    except (Exception, SystemExit) as error:  # noqa: BLE001 - one recording never stops the others
        return Failed(reason(error))


def reason(error: BaseException) -> str:
    """An error in one line: gonio's own text, a system error with its file, any other with the request to report it."""
    if isinstance(error, GonioError):
        text = str(error)
    elif isinstance(error, OSError) and error.filename is not None:
        text = f"{error.filename}: {error.strerror}"
    else:
        text = f"internal error {type(error).__name__}: {error}; please report it"
    return " ".join(text.split())


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Within the block, new processes and newly loaded libraries compute with one thread."""
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def in_this_process(tasks: Sequence[RecordingTask], work: Work) -> Outcomes:
    """One recording after the other in this process; a crash ends the run."""
    with _one_thread(), threadpool_limits(1):
        for task in tasks:
            yield task, attempt(work, task.payload)


def prepare(*modules: str) -> None:
    """Start to load modules for the coming work in the background, before its processes are needed."""
    if sys.platform == "linux":
        from multiprocessing import forkserver  # noqa: PLC0415 - not everywhere

        with _one_thread():
            multiprocessing.set_forkserver_preload(list(modules))
            forkserver.ensure_running()


@contextlib.contextmanager
def worker_processes(number: int, work: Work) -> Iterator[Callable[[Sequence[RecordingTask]], Outcomes]]:
    """A function that measures tasks within the block, and yields them with their outcomes as these come.

    The processes start and load `work` at once, while the block may prepare the tasks. A recording whose worker dies is
    tried once more, and then fails. Measuring raises `InputError` if no worker can be started.
    """
    workers: list[_Worker] = []
    prepare(work.__module__)
    try:
        for _ in range(number):
            workers.append(_started(work))  # noqa: PERF401 - each is ended below, also if the next cannot be started
        yield lambda tasks: _measured(tasks, work, workers)
    finally:
        for worker in workers:
            worker.end()


def _started(work: Work) -> _Worker:
    with _one_thread():
        return _Worker(work)


def _measured(tasks: Sequence[RecordingTask], work: Work, workers: list[_Worker]) -> Outcomes:
    """Tasks with their outcomes. `workers` is changed: a worker that dies is replaced."""
    waiting, done = deque(tasks), deque[tuple[RecordingTask, Outcome]]()
    died: set[str] = set()
    stillborn, most = 0, 2 * len(workers)
    while True:
        for worker in workers:
            while worker.idle and waiting:
                done += worker.give(work, waiting.popleft())
        yield from _emptied(done)
        if not waiting and all(worker.task is None for worker in workers):
            return
        for worker in _heard(workers):
            outcomes = worker.receive()
            if outcomes is not None:
                done += outcomes
                continue
            task, how = worker.task, worker.end()
            workers.remove(worker)
            stillborn += not worker.ready
            if stillborn > most:
                raise InputError(
                    f"worker processes end as soon as they start ({how}); a script that runs a study does so "
                    "under 'if __name__ == \"__main__\":'"
                )
            if task is not None and task.key in died:
                done.append((task, Failed(f"the worker process died, twice ({how}: out of memory, or a crash)")))
            elif task is not None:
                died.add(task.key)
                waiting.append(task)
            if waiting:
                workers.append(_started(work))


def _emptied(done: deque[tuple[RecordingTask, Outcome]]) -> Iterator[tuple[RecordingTask, Outcome]]:
    while done:
        yield done.popleft()


def _heard(workers: Sequence[_Worker]) -> list[_Worker]:
    """The workers that have sent a message or died; waits for the first."""
    events = wait([event for worker in workers for event in (worker.connection, worker.sentinel)])
    return [worker for worker in workers if worker.connection in events or worker.sentinel in events]


class _Worker:
    """A process, the pipe to it, and its current task. It loads `work` before it reports that it is ready."""

    def __init__(self, work: Work) -> None:
        method = "forkserver" if sys.platform == "linux" else "spawn"
        context: Any = multiprocessing.get_context(method)
        self.connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()  # so that the pipe ends with the process
        with contextlib.suppress(OSError):  # it has died already, which is noticed next
            try:
                self.connection.send(work)
            except Exception:  # noqa: BLE001 - what cannot be pickled is told where it is given with a task
                self.connection.send(None)
        self.sentinel = self._process.sentinel
        self.task: RecordingTask | None = None
        self.ready = False

    @property
    def idle(self) -> bool:
        return self.ready and self.task is None

    def give(self, work: Work, task: RecordingTask) -> list[tuple[RecordingTask, Outcome]]:
        """Send the task to the worker; if that is impossible, the failure is its outcome."""
        try:
            self.connection.send((work, task.payload))
        except OSError:  # it has just died, which is noticed next
            pass
        except Exception as error:  # noqa: BLE001 - what cannot be pickled may raise anything
            return [(task, Failed(reason(error)))]
        self.task = task
        return []

    def receive(self) -> list[tuple[RecordingTask, Outcome]] | None:
        """[(task, outcome)] of the task that is done; [] from a worker that has just started; None from a dead one."""
        try:
            message = self.connection.recv() if self.connection.poll() else None
        except (EOFError, OSError):
            message = None
        if message is None:
            return None
        self.ready = True
        task, self.task = self.task, None
        return [] if task is None else [(task, message)]

    def end(self) -> str:
        """End the process, at once if it is busy; returns how it ended."""
        self.connection.close()
        if self.task is not None or not self.ready:
            self._process.terminate()
        self._process.join(5)
        self._process.kill()
        self._process.join()
        code = self._process.exitcode or 0
        self._process.close()
        known = {number.value: number.name for number in signal.Signals}  # fewer on Windows
        return known.get(-code, f"exit status {code}")


def _serve(connection: Connection) -> None:
    """The loop of a worker, until the pipe is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is meant for the run, which ends its workers
    with contextlib.suppress(EOFError, OSError):
        with contextlib.suppress(Exception):
            connection.recv()  # loads the work's module
        connection.send(READY)
        while True:
            try:
                work, payload = connection.recv()
            except (EOFError, OSError):
                raise
            except Exception as error:  # noqa: BLE001 - what cannot be pickled may raise anything
                connection.send(Failed(reason(error)))
                continue
            connection.send(attempt(work, payload))
