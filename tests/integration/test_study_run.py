"""A study's run that is killed, or loses its workers, ends with the same results as one that is left in peace."""

import contextlib
import gc
import os
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import pytest

import gonio
from gonio.core.errors import InputError
from gonio.studies import dask_cluster
from gonio.studies.run import StudyRun, run
from gonio.studies.store import RecordingTask

WORKS = Path(__file__).parents[1] / "support"
SETTINGS = {"method": "stereo"}

PROGRAM = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # also where tests run in the background of a shell
from pathlib import Path
from gonio.studies.run import run
from gonio.studies.store import RecordingTask
from study_work import measure

if __name__ == "__main__":
    tasks = [RecordingTask(f"s{i:02d}", {"seed": i, "sleep_s": 0.1}) for i in range(16)]
    run(tasks, measure, Path(sys.argv[1]), settings={"method": "stereo"}, processes=int(sys.argv[2]))
"""


@pytest.fixture
def work(monkeypatch):
    """The module of works, where the workers find it too."""
    monkeypatch.syspath_prepend(WORKS)
    import study_work

    return study_work


def assert_same(one: StudyRun, other: StudyRun):
    assert list(one.results) == list(other.results)
    for (values, arrays), (other_values, other_arrays) in zip(
        one.results.values(), other.results.values(), strict=True
    ):
        assert values == other_values
        assert {name: array.tobytes() for name, array in arrays.items()} == {
            name: array.tobytes() for name, array in other_arrays.items()
        }


def wait_until(condition, seconds=30.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def finished(folder):
    return len(list((folder / "recordings").glob("*.json")))


def children(pid):
    """Processes that this one has started, and theirs."""
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    direct = [int(child) for child in listed.read_text().split()] if listed.exists() else []
    return direct + [grandchild for child in direct for grandchild in children(child)]


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks into /proc")
@pytest.mark.parametrize(("processes", "sign"), [(1, signal.SIGKILL), (2, signal.SIGKILL), (2, signal.SIGINT)])
def test_a_run_killed_in_the_middle_goes_on_and_ends_the_same(work, tmp_path, processes, sign):
    tasks = [RecordingTask(f"s{i:02d}", {"seed": i, "sleep_s": 0.1}) for i in range(16)]
    whole = run(tasks, work.measure, tmp_path / "whole", settings=SETTINGS, processes=2)
    folder = tmp_path / "killed"
    program = tmp_path / "program.py"
    program.write_text(PROGRAM, encoding="utf-8")
    path = os.pathsep.join([str(WORKS), os.environ.get("PYTHONPATH", "")])
    with subprocess.Popen(
        [sys.executable, program, folder, str(processes)],
        env=os.environ | {"PYTHONPATH": path},
        stderr=subprocess.PIPE,
        text=True,
    ) as killed:
        wait_until(lambda: finished(folder) >= 4)
        workers = children(killed.pid)
        killed.send_signal(sign)
        _, said = killed.communicate(timeout=20)
    assert killed.returncode == -sign
    assert said.count("Traceback") <= 1  # the workers say nothing
    wait_until(lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers), 10)
    assert 4 <= finished(folder) < 16
    before = finished(folder)
    resumed = run(tasks, work.measure, folder, settings=SETTINGS, processes=2)
    assert (resumed.reused, resumed.damaged, resumed.failures) == (before, 0, {})
    assert_same(whole, resumed)


@contextlib.contextmanager
def cluster(n_workers=2):
    """A real Dask cluster of processes on this machine."""
    pytest.importorskip("distributed")
    from distributed import LocalCluster

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Dask's own, as it ends its processes
        with LocalCluster(
            n_workers=n_workers, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50
        ) as made:
            yield made
        gc.collect()


def test_a_killed_dask_worker_loses_nothing(work, tmp_path):
    tasks = [RecordingTask(f"s{i:02d}", {"seed": i, "log": str(tmp_path / "log"), "sleep_s": 0.15}) for i in range(16)]
    tasks[3] = RecordingTask("refused", {"do": "refuse", "file": "a.csv"})
    here = run(tasks, work.measure, tmp_path / "here", settings=SETTINGS, processes=2)
    folder = tmp_path / "cluster"
    (tmp_path / "log").unlink()
    killed = []
    with cluster() as made:

        @contextlib.contextmanager
        def killing(label, _total):
            def tick():
                if label == "measuring recordings" and not killed and finished(folder) == 4:
                    busiest = max(made.scheduler.workers.values(), key=lambda worker: len(worker.processing)).address
                    (victim,) = (nanny.pid for nanny in made.workers.values() if nanny.worker_address == busiest)
                    time.sleep(0.03)  # it has begun
                    os.kill(victim, signal.SIGKILL)
                    killed.append(victim)

            yield tick

        there = run(tasks, work.measure, folder, settings=SETTINGS, scheduler=made.scheduler_address, progress=killing)
    assert len(killed) == 1
    assert there.failures == here.failures
    assert "a.csv" in there.failures["refused"]
    assert_same(here, there)
    assert len((tmp_path / "log").read_text().splitlines()) > 15  # what the killed worker was at was measured again


def test_a_recording_that_kills_its_worker_fails_and_a_cluster_that_ends_is_reported(work, tmp_path, monkeypatch):
    dask = pytest.importorskip("dask")
    tasks = [
        RecordingTask("deadly", {"do": "die"}),
        *(RecordingTask(f"s{i}", {"seed": i, "sleep_s": 0.1}) for i in range(6)),
    ]
    with dask.config.set({"distributed.scheduler.allowed-failures": 0}), cluster() as made:
        address = made.scheduler_address
        done = run(tasks, work.measure, tmp_path / "one", settings=SETTINGS, scheduler=address)
        assert list(done.results) == [task.key for task in tasks[1:]]
        assert list(done.failures) == ["deadly"]

        monkeypatch.setattr(dask_cluster, "CONNECT_S", 1.0)

        @contextlib.contextmanager
        def ending(label, _total):
            yield made.close if label == "measuring recordings" else lambda: None

        with pytest.raises(InputError, match=f"--scheduler {address}: went away"):
            run(tasks[1:], work.measure, tmp_path / "two", settings=SETTINGS, scheduler=address, progress=ending)
    assert finished(tmp_path / "two") >= 1


def test_a_cluster_without_workers_and_a_worker_without_the_recordings_are_reported(work, tmp_path, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr(dask_cluster, "CONNECT_S", 0.5)
    with cluster(n_workers=0) as made, pytest.raises(InputError, match="dask worker"):
        run([RecordingTask("a", 1)], work.measure, tmp_path, settings={}, scheduler=made.scheduler_address)
    outcome = dask_cluster._attempt_there(work.measure, {"seed": 1}, [tmp_path / "a.mp4"], gonio.__version__)
    assert outcome.reason.startswith(f"{tmp_path / 'a.mp4'}:")
    outcome = dask_cluster._attempt_there(work.measure, {"seed": 1}, [], "0.0")
    assert f"{gonio.__version__}, not 0.0" in outcome.reason


def test_a_cluster_that_has_lost_all_its_workers_is_reported(work, tmp_path, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr(dask_cluster, "CONNECT_S", 2.0)
    monkeypatch.setattr(dask_cluster, "LOST_S", 0.5)
    tasks = [RecordingTask(f"s{i}", {"seed": i, "sleep_s": 0.1}) for i in range(6)]
    with cluster(n_workers=1) as made:

        @contextlib.contextmanager
        def leaving(label, _total):
            yield (lambda: made.scale(0)) if label == "measuring recordings" else lambda: None

        with pytest.raises(InputError, match="lost all"):
            run(tasks, work.measure, tmp_path, settings={}, scheduler=made.scheduler_address, progress=leaving)
    assert 1 <= finished(tmp_path) < 6


def test_a_scheduler_that_does_not_answer_is_reported_in_one_line(work, tmp_path, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr(dask_cluster, "CONNECT_S", 0.5)
    for address in ("tcp://127.0.0.1:1", "nonsense", "http://127.0.0.1:1", "tcp://no.such.host.invalid:8786"):
        with pytest.raises(InputError, match=f"--scheduler {address}: no Dask"):
            run([RecordingTask("a", 1)], work.measure, tmp_path, settings={}, scheduler=address)
