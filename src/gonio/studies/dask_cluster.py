"""Recordings measured by the workers of a Dask cluster; the only module that knows Dask (the extra `cluster`).

The workers read the inputs and send their results here, where they are written: inputs must lie under the same paths
for all of them, and nothing else needs to be shared. When a worker is lost, its recordings go to others. One that was
on more lost workers than Dask allows (`distributed.scheduler.allowed-failures`, 3) need not have killed them: it may
have been there by chance. So it is measured again at the end, with no other beside it, and has failed if workers die
then too. Only a few recordings more than can be measured at once are handed over at a time, so that few are on a
lost worker by chance.

Workers of one thread (`dask worker --nthreads 1 --nworkers auto`) compute as processes on one machine do.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import logging
import socket
import uuid
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from gonio.core.errors import InputError, MissingExtraError
from gonio.core.provenance import VERSION
from gonio.studies.processes import Failed, Outcome, attempt, reason
from gonio.studies.store import RecordingTask, Work

if TYPE_CHECKING:
    from distributed import Client, Future


LOGGERS = ("distributed", "distributed.client")  # those to which Dask gives a level of their own
CONNECT_S = 10.0  # to find the scheduler, and then its first worker
LOST_S = 60.0  # without any result, after which the remaining workers are counted


def on_cluster(tasks: Sequence[RecordingTask], work: Work, scheduler: str) -> Iterator[tuple[RecordingTask, Outcome]]:
    """Tasks with their outcomes, as they come.

    Raises `MissingExtraError` without dask, and `InputError` if the scheduler does not answer, has no workers, or
    goes away.
    """
    with _connected(scheduler) as client:
        run, waiting = uuid.uuid4().hex, deque(tasks)
        at_work: dict[Future, RecordingTask] = {}
        suspects, alone = deque[RecordingTask](), set[str]()
        while waiting or at_work or suspects:
            if not waiting and not at_work:
                waiting.append(suspects.popleft())
                alone.add(waiting[0].key)
            threads = _threads(client, scheduler)
            while waiting and len(at_work) < max(2, 2 * threads):
                task = waiting.popleft()
                inputs = [path for path in task.inputs if path.exists()]
                key = f"gonio-{run}-{task.key}" + ("-alone" if task.key in alone else "")
                given = (work, task.payload, inputs, VERSION)
                try:
                    at_work[client.submit(_attempt_there, *given, key=key, pure=False)] = task
                except Exception as error:  # noqa: BLE001 - what cannot be pickled may raise anything
                    yield task, Failed(reason(error))
            for future in _finished(client, list(at_work), scheduler):
                task, outcome = at_work.pop(future), _outcome(future, scheduler)
                if outcome is not None:
                    yield task, outcome
                elif task.key in alone:
                    yield task, Failed("the worker process died, each time that it measured this recording alone")
                else:
                    suspects.append(task)


def _finished(client: Client, futures: Sequence[Future], scheduler: str) -> Iterable[Future]:
    """Those that are done; waits for the first, as long as there are workers."""
    from distributed import wait  # noqa: PLC0415 - an extra

    while futures:
        try:
            with client.as_current():
                done: Iterable[Future] = wait(futures, timeout=LOST_S, return_when="FIRST_COMPLETED").done
            return done
        except TimeoutError:
            _wait_for_workers(client, f"--scheduler {scheduler}: has lost all its workers; what was finished is kept")
        except concurrent.futures.CancelledError:
            raise _gone(scheduler) from None
    return ()


def _wait_for_workers(client: Client, otherwise: str) -> None:
    try:
        client.wait_for_workers(1, timeout=CONNECT_S)
    except TimeoutError:
        raise InputError(
            f"{otherwise}; start some with 'dask worker --nthreads 1 --nworkers auto {client.scheduler.address}'"
        ) from None


def _attempt_there(work: Work, payload: Any, inputs: Sequence[Path], version: str) -> Outcome:
    """`attempt` on a worker, after a check that it has the same version of gonio and finds the same files."""
    if version != VERSION:
        return Failed(
            f"the cluster's worker {socket.gethostname()} has gonio {VERSION}, not {version}; install the "
            "same version everywhere"
        )
    for path in inputs:
        if not path.exists():
            return Failed(
                f"{path}: not found on the cluster's worker {socket.gethostname()}; all workers must find "
                "the recordings under the same path"
            )
    return attempt(work, payload)


def _outcome(future: Future, scheduler: str) -> Outcome | None:
    """The outcome; None if more workers than Dask allows have died with the recording."""
    from distributed import KilledWorker  # noqa: PLC0415 - an extra

    try:
        outcome: Outcome = future.result()
    except KilledWorker:
        return None
    except concurrent.futures.CancelledError:
        raise _gone(scheduler) from None
    except Exception as error:  # noqa: BLE001 - what cannot be pickled may raise anything
        return Failed(reason(error))
    return outcome


def _threads(client: Client, scheduler: str) -> int:
    try:
        return sum(client.nthreads().values())
    except OSError:  # after it has tried to connect again
        raise _gone(scheduler) from None


def _gone(scheduler: str) -> InputError:
    return InputError(
        f"--scheduler {scheduler}: went away during the run; what was finished is kept, so start the study again"
    )


def _check_listens(scheduler: str) -> None:
    """Raises `OSError` or `ValueError` if no one listens: a client that does not connect leaves threads behind."""
    parts = urlsplit(scheduler if "://" in scheduler else f"tcp://{scheduler}")
    if parts.scheme not in ("tcp", "tls"):
        raise ValueError(parts.scheme)
    with socket.create_connection((parts.hostname, parts.port or 0), timeout=CONNECT_S):
        pass


@contextlib.contextmanager
def _connected(scheduler: str) -> Iterator[Client]:
    """A client whose errors are reported in one line here and not logged by Dask."""
    try:
        from distributed import Client  # noqa: PLC0415 - an extra
    except ImportError:
        raise MissingExtraError("--scheduler needs dask: pip install 'gonio[cluster]'") from None
    loggers = [logging.getLogger(name) for name in LOGGERS]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        try:
            _check_listens(scheduler)
            client = Client(scheduler, timeout=CONNECT_S, set_as_default=False)
        except (OSError, ValueError):
            raise InputError(
                f"--scheduler {scheduler}: no Dask scheduler answers there; start one with 'dask scheduler', workers "
                "with 'dask worker', and give the address that it prints (tcp://host:8786)"
            ) from None
        with client:
            _wait_for_workers(client, f"--scheduler {scheduler}: has no workers")
            yield client
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
