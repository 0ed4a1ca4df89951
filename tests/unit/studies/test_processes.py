"""Workers, started as Windows and macOS start them: each by itself, and nothing inherited from this process."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import study_work as work

from gonio.studies import processes
from gonio.studies.processes import Failed, worker_processes
from gonio.studies.store import RecordingTask


@pytest.mark.parametrize("system", ["win32", "darwin"])
def test_workers_that_are_spawned_do_the_work(monkeypatch: pytest.MonkeyPatch, system: str) -> None:
    tasks = [RecordingTask(f"r{seed}", {"seed": seed}) for seed in range(3)]
    tasks += [RecordingTask("refused", {"seed": 9, "do": "refuse", "file": "a.csv"})]
    monkeypatch.setattr(processes, "sys", SimpleNamespace(platform=system))
    with worker_processes(2, work.measure) as measure:
        outcomes = {task.key: outcome for task, outcome in measure(tasks)}
    refused = outcomes.pop("refused")
    assert isinstance(refused, Failed)
    assert "a.csv" in refused.reason
    assert sorted(outcomes) == ["r0", "r1", "r2"]
    assert not any(isinstance(outcome, Failed) for outcome in outcomes.values())
