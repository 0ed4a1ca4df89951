"""Run a study: many recordings, measured independently, in parallel, each once.

    done = run(tasks, work, Path("results"), settings={"method": "stereo"})
    done.results["s01-m01-e01"]     (values, arrays)
    done.failures["s01-m01-e02"]    why, in one line

`work(payload)` returns values (JSON: None for what is missing, no NaN) and arrays. It must depend on its payload, its
inputs and the settings alone. Each result is stored in the folder at once (`store`), so that a run that was stopped or
killed continues there. Results do not depend on the number of processes, on their order, or on whether they were
measured now or before: every result is read from its stored form.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gonio.core.errors import ConfigError, InputError
from gonio.core.progress import Progress, silent
from gonio.core.threads import usable_cores
from gonio.studies.processes import Failed, Outcomes, in_this_process, worker_processes
from gonio.studies.store import Fingerprints, RecordingTask, Result, Store, Work, decode


@dataclass(frozen=True)
class StudyRun:
    """What a run has found; the mappings in the order of the tasks.

    results       key -> (values, arrays)
    failures      key -> one line that says why there is no result
    fingerprints  key -> the fingerprint under which the store has the result
    reused        how many results were measured by an earlier run
    damaged       how many results of an earlier run were measured again because their files are damaged
    """

    results: Mapping[str, Result]
    failures: Mapping[str, str]
    fingerprints: Mapping[str, str]
    reused: int
    damaged: int = 0


def run(
    tasks: Iterable[RecordingTask],
    work: Work,
    folder: Path,
    *,
    settings: Mapping[str, Any],
    processes: int | None = None,
    scheduler: str | None = None,
    progress: Progress = silent,
) -> StudyRun:
    """Measure all recordings that are not stored yet; returns the results of all.

    work       a function of a module, which other processes can import
    folder     results are stored in `folder/recordings`; one run at a time
    settings   what all results depend on besides their payloads; with other settings everything is measured again
    processes  None: as many as there are cores. 1: in this process
    scheduler  address of a Dask scheduler, "tcp://host:8786", whose workers measure instead of local processes; they
               must find the inputs under the same paths; results are written here

    A recording that fails is listed with its reason and tried again by the next run. KeyboardInterrupt is raised, and
    finished results stay stored.

    Raises `InputError` for two recordings of one key, a folder that another run uses or that cannot be written, and a
    scheduler that does not answer; `ConfigError` for less than one process; `MissingExtraError` without dask.
    """
    tasks = tuple(tasks)
    _check(tasks, processes)
    store, fingerprints = Store(Path(folder)), Fingerprints(settings, work)
    found: dict[str, Result] = {}
    failures: dict[str, str] = {}
    marks: dict[str, str] = {}
    with store.locked(), _measuring(tasks, work, processes, scheduler) as measure:
        with progress("looking for finished recordings", len(tasks)) as tick:
            for task in tasks:
                marks[task.key] = fingerprints.of(task)
                stored = store.load(task.key, marks[task.key])
                if stored is not None:
                    found[task.key] = decode(stored)
                tick()
        reused, pending = len(found), [task for task in tasks if task.key not in found]
        label = "measuring recordings" + (f" ({reused} of {len(tasks)} done before)" if reused else "")
        with progress(label, len(pending)) as tick, contextlib.closing(measure(pending)) as outcomes:
            for task, outcome in outcomes:
                if isinstance(outcome, Failed):
                    store.forget(task.key)
                    failures[task.key] = outcome.reason
                else:
                    store.save(task.key, marks[task.key], outcome)
                    found[task.key] = decode(outcome)
                tick()
    return StudyRun(
        results={task.key: found[task.key] for task in tasks if task.key in found},
        failures={task.key: failures[task.key] for task in tasks if task.key in failures},
        fingerprints={task.key: marks[task.key] for task in tasks if task.key in found},
        reused=reused,
        damaged=store.damaged,
    )


def _check(tasks: Sequence[RecordingTask], processes: int | None) -> None:
    keys: set[str] = set()
    for task in tasks:
        if task.key.lower() in keys:  # some file systems ignore case
            raise InputError(f"{task.key}: two recordings of the study have this name; give one of them another")
        keys.add(task.key.lower())
    if processes is not None and processes < 1:
        raise ConfigError(f"processes = {processes}; it must be at least 1")


@contextlib.contextmanager
def _measuring(
    tasks: Sequence[RecordingTask], work: Work, processes: int | None, scheduler: str | None
) -> Iterator[Callable[[Sequence[RecordingTask]], Outcomes]]:
    """A function that measures tasks; no process continues after the block."""
    processes = processes or usable_cores()
    if scheduler is not None:
        yield lambda chosen: _on_cluster(chosen, work, scheduler)
    elif processes == 1 or not tasks:
        yield lambda chosen: in_this_process(chosen, work)
    else:
        with worker_processes(min(processes, len(tasks)), work) as measure:
            yield measure


def _on_cluster(tasks: Sequence[RecordingTask], work: Work, scheduler: str) -> Outcomes:
    if tasks:
        from gonio.studies.dask_cluster import on_cluster  # noqa: PLC0415

        yield from on_cluster(tasks, work, scheduler)
