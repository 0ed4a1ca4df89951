"""A study's runner: order, what is measured again and what is not, and what becomes of recordings that fail."""

import contextlib
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gonio.core.errors import ConfigError, InputError, MissingExtraError
from gonio.studies import store
from gonio.studies.run import StudyRun, run
from gonio.studies.store import RecordingTask

SETTINGS = {"method": "stereo", "cutoff_hz": 6.0}


@pytest.fixture
def work(monkeypatch):
    """The module of works, where the workers find it too."""
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "support")
    import study_work

    return study_work


def tasks_of(tmp_path, n=5, **extra):
    return [RecordingTask(f"s{i:02d}", {"seed": i, "log": str(tmp_path / "log"), **extra}) for i in range(n)]


def measured(tmp_path):
    """The seeds of all recordings measured since the last call, sorted."""
    log = tmp_path / "log"
    seeds = sorted(int(line) for line in log.read_text().splitlines()) if log.exists() else []
    log.unlink(missing_ok=True)
    return seeds


def assert_same(one: StudyRun, other: StudyRun):
    assert list(one.results) == list(other.results)
    assert one.failures == other.failures
    for (values, arrays), (other_values, other_arrays) in zip(
        one.results.values(), other.results.values(), strict=True
    ):
        assert values == other_values
        assert list(arrays) == list(other_arrays)
        for name, array in arrays.items():
            there = other_arrays[name]
            assert (array.dtype, array.shape, array.strides) == (there.dtype, there.shape, there.strides)
            assert array.tobytes() == there.tobytes()


@contextlib.contextmanager
def watched(label, total):
    watched.seen.append([label, total, 0])

    def tick():
        watched.seen[-1][2] += 1

    yield tick


def test_results_come_in_the_order_of_the_tasks_whatever_finishes_first(work, tmp_path):
    tasks = [RecordingTask(f"s{i:02d}", {"seed": i, "sleep_s": 0.2 if i == 0 else 0}) for i in range(6)]
    one = run(tasks, work.measure, tmp_path / "one", settings=SETTINGS, processes=1)
    two = run(tasks, work.measure, tmp_path / "two", settings=SETTINGS, processes=2)
    again = run(tasks, work.measure, tmp_path / "two", settings=SETTINGS, processes=2)
    assert list(two.results) == [task.key for task in tasks]
    assert (one.reused, two.reused, again.reused) == (0, 0, 6)
    assert_same(one, two)
    assert_same(one, again)
    values, arrays = one.results["s03"]
    expected = work.measure({"seed": 3})
    assert values == {"mean": values["mean"], "shape": [120, 300], "1": None}
    np.testing.assert_allclose(arrays["product"], expected[1]["product"], rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(arrays["turned/file"], arrays["product"].T[:5])
    files = sorted(path.name for path in (tmp_path / "one" / "recordings").iterdir())
    assert files == [".lock", *sorted(f"s{i:02d}.{suffix}" for i in range(6) for suffix in ("json", "npz"))]
    same = [(tmp_path / name / "recordings" / "s03.npz").read_bytes() for name in ("one", "two")]
    assert same[0] == same[1]


@pytest.mark.parametrize("processes", [1, 2])
def test_workers_compute_with_one_thread(work, tmp_path, processes):
    before = dict(os.environ)
    done = run([RecordingTask("t", 0)], work.threads, tmp_path, settings={}, processes=processes)
    values, arrays = done.results["t"]
    assert set(values["blas"]) == {1}
    assert arrays == {}
    if processes == 2:
        assert values["opencv"] == 1
    assert dict(os.environ) == before


def test_what_is_done_is_skipped_and_progress_tells(work, tmp_path):
    tasks = tasks_of(tmp_path)
    run(tasks[:3], work.measure, tmp_path, settings=SETTINGS, processes=1)
    assert measured(tmp_path) == [0, 1, 2]
    watched.seen = []
    done = run(tasks, work.measure, tmp_path, settings=SETTINGS, processes=1, progress=watched)
    assert measured(tmp_path) == [3, 4]
    assert (done.reused, done.damaged, list(done.results)) == (3, 0, [task.key for task in tasks])
    assert watched.seen == [
        ["looking for finished recordings", 5, 5],
        ["measuring recordings (3 of 5 done before)", 2, 2],
    ]


def test_other_settings_payload_work_or_version_are_measured_again(work, tmp_path, monkeypatch):
    (task,) = tasks_of(tmp_path, 1)

    def reused(**changed):
        options = {"tasks": [task], "work": work.measure, "folder": tmp_path, "settings": SETTINGS, "processes": 1}
        return run(**options | changed).reused

    assert [reused(), reused()] == [0, 1]
    assert [reused(settings=SETTINGS | {"cutoff_hz": 7.0}), reused(), reused()] == [0, 0, 1]
    assert reused(settings=dict(reversed(SETTINGS.items()))) == 1
    assert [reused(tasks=[replace(task, payload=task.payload | {"seed": 9})]), reused(), reused()] == [0, 0, 1]
    assert [reused(work=work.threads), reused(), reused()] == [0, 0, 1]
    monkeypatch.setattr(store, "VERSION", "9.9")
    assert [reused(), reused()] == [0, 1]


def test_a_changed_input_is_measured_again(work, tmp_path, monkeypatch):
    file, folder = tmp_path / "in.csv", tmp_path / "keypoints"
    file.write_text("1")
    folder.mkdir()
    (folder / "0.json").write_text("{}")
    tasks = [replace(tasks_of(tmp_path, 1)[0], inputs=(file, folder, tmp_path / "missing"))]

    def reused():
        return run(tasks, work.measure, tmp_path / "out", settings=SETTINGS, processes=1).reused

    assert [reused(), reused()] == [0, 1]
    os.utime(file, (1, 1))
    assert reused() == 1  # the same content
    file.write_text("2")
    assert [reused(), reused()] == [0, 1]
    (folder / "1.json").write_text("{}")
    assert [reused(), reused()] == [0, 1]
    monkeypatch.setattr(store, "HASHED_BYTES", 0)  # as for a long video: size and time of change
    assert [reused(), reused()] == [0, 1]
    os.utime(file, (2, 2))
    assert [reused(), reused()] == [0, 1]


@pytest.mark.parametrize(
    "harm",
    [
        lambda json_file, _: json_file.write_text(json_file.read_text()[:-20]),
        lambda json_file, _: json_file.write_bytes(b""),
        lambda json_file, _: json_file.write_bytes(b"\xff\xfe"),
        lambda json_file, _: json_file.write_text("[1]"),
        lambda json_file, _: json_file.write_text("[" * 50000),
        lambda json_file, _: json_file.write_text(json_file.read_text().replace('"mean": ', '"mean": 1')),
        lambda _, npz_file: npz_file.write_bytes(npz_file.read_bytes()[:-5]),
        lambda _, npz_file: npz_file.write_bytes(npz_file.read_bytes().replace(b"NUMPY", b"NUMPX")),
        lambda _, npz_file: npz_file.unlink(),
    ],
    ids=["cut", "empty", "no-text", "other-json", "deep-json", "other-number", "npz-cut", "npz-other-byte", "npz-gone"],
)
def test_a_damaged_result_is_measured_again_and_counted(work, tmp_path, harm):
    tasks = tasks_of(tmp_path, 3)
    first = run(tasks, work.measure, tmp_path, settings=SETTINGS, processes=1)
    measured(tmp_path)
    harm(tmp_path / "recordings" / "s01.json", tmp_path / "recordings" / "s01.npz")
    second = run(tasks, work.measure, tmp_path, settings=SETTINGS, processes=1)
    assert measured(tmp_path) == [1]
    assert (second.reused, second.damaged) == (2, 1)
    assert_same(first, second)


@pytest.mark.parametrize("processes", [1, 2])
def test_recordings_that_fail_are_listed_and_tried_again(work, tmp_path, processes):
    good = tasks_of(tmp_path, 2)
    bad = [
        RecordingTask("refused", {"do": "refuse", "file": "a.csv"}),
        RecordingTask("broken", {"do": "break"}),
        RecordingTask("left", {"do": "leave"}),
        RecordingTask("unopened", {"do": "open", "file": "no/such.csv"}),
        RecordingTask("object", {"do": "object"}),
    ]
    (tmp_path / "recordings").mkdir()
    (tmp_path / "recordings" / "broken.json").write_text('{"fingerprint": "of another time"}')
    done = run([*bad[:3], *good, *bad[3:]], work.measure, tmp_path, settings=SETTINGS, processes=processes)
    assert list(done.results) == ["s00", "s01"]
    found = {
        "refused": "a.csv",
        "broken": "RuntimeError: a shape",
        "left": "SystemExit: 3",
        "unopened": "no/such.csv",
        "object": "ValueError: Object",
    }
    assert list(done.failures) == list(found)
    for key, part in found.items():
        assert part in done.failures[key]
    assert not (tmp_path / "recordings" / "broken.json").exists()
    mended = [replace(task, payload={"seed": 7}) for task in bad]
    done = run([*mended, *good], work.measure, tmp_path, settings=SETTINGS, processes=processes)
    assert (len(done.results), done.failures, done.reused) == (7, {}, 2)


def test_what_cannot_reach_a_worker_is_a_failure_of_that_recording(tmp_path):
    tasks = tasks_of(tmp_path, 3)
    done = run(tasks, lambda _: ({}, {}), tmp_path, settings=SETTINGS, processes=2)
    assert set(done.failures) == {"s00", "s01", "s02"}
    assert all(reason.startswith("internal") for reason in done.failures.values())


def test_a_worker_that_dies_costs_no_other_recording(work, tmp_path):
    tasks = tasks_of(tmp_path, 8)
    tasks[2] = RecordingTask("deadly", {"do": "die"})
    tasks[5] = RecordingTask("mended", {"seed": 5, "do": "die once", "file": str(tmp_path / "tried")})
    done = run(tasks, work.measure, tmp_path, settings=SETTINGS, processes=2)
    assert list(done.failures) == ["deadly"]
    assert "exit status 7" in done.failures["deadly"]
    assert list(done.results) == [task.key for task in tasks if task.key != "deadly"]
    assert measured(tmp_path) == [0, 1, 3, 4, 6, 7]


def test_an_interruption_goes_through_and_what_is_finished_stays(work, tmp_path):
    tasks = tasks_of(tmp_path, 4)
    tasks[2] = replace(tasks[2], payload=tasks[2].payload | {"do": "interrupt"})
    with pytest.raises(KeyboardInterrupt):
        run(tasks, work.measure, tmp_path, settings=SETTINGS, processes=1)
    assert measured(tmp_path) == [0, 1, 2]
    assert run(tasks[:2], work.measure, tmp_path, settings=SETTINGS, processes=1).reused == 2


def test_two_runs_in_one_folder_are_refused(work, tmp_path):
    tasks = tasks_of(tmp_path, 1)
    with store.Store(tmp_path).locked(), pytest.raises(InputError, match="another run"):
        run(tasks, work.measure, tmp_path, settings=SETTINGS, processes=1)
    assert run(tasks, work.measure, tmp_path, settings=SETTINGS, processes=1).reused == 0


def test_what_a_killed_run_left_half_written_goes(work, tmp_path):
    left = tmp_path / "recordings" / ".s00.json.new"
    left.parent.mkdir(parents=True)
    left.write_text("{")
    run(tasks_of(tmp_path, 1), work.measure, tmp_path, settings=SETTINGS, processes=1)
    assert not left.exists()


def test_wrong_arguments_of_a_run_are_refused(work, tmp_path, monkeypatch):
    task = RecordingTask("s01", {})
    with pytest.raises(InputError, match="s01"):
        run([RecordingTask("S01", {}), task], work.measure, tmp_path, settings={})
    with pytest.raises(ConfigError, match="processes = 0"):
        run([task], work.measure, tmp_path, settings={}, processes=0)
    with pytest.raises(ValueError, match="'a/b'"):
        RecordingTask("a/b", {})
    with pytest.raises(TypeError, match="object"):
        run([RecordingTask("s01", object())], work.measure, tmp_path, settings={})
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="written"):
        run([task], work.measure, tmp_path / "file", settings={})
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingExtraError, match=r"gonio\[cluster\]"):
        run([task], work.measure, tmp_path, settings={}, scheduler="tcp://127.0.0.1:1")


def test_nothing_to_do_is_done_at_once(work, tmp_path):
    done = run([], work.measure, tmp_path, settings={}, scheduler="tcp://127.0.0.1:1")
    assert done == StudyRun({}, {}, {}, 0, 0)


def test_a_script_without_a_main_guard_gets_an_error(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "from pathlib import Path\n"
        "from gonio.core.errors import GonioError\n"
        "from gonio.studies.run import run\nfrom gonio.studies.store import RecordingTask\n"
        "def work(payload): return {}, {}\n"
        "tasks = [RecordingTask('a', 1), RecordingTask('b', 2)]\n"
        "try: run(tasks, work, Path(__file__).parent, settings={}, processes=2)\n"
        "except GonioError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60, check=True)
    assert "another run" in done.stdout or "__main__" in done.stdout


def test_stored_values_can_be_read_by_everybody(work, tmp_path):
    run(tasks_of(tmp_path, 1), work.measure, tmp_path, settings=SETTINGS, processes=1)
    content = json.loads((tmp_path / "recordings" / "s00.json").read_text(encoding="utf-8"))
    assert set(content) == {"key", "fingerprint", "checksum", "arrays", "values"}
    with np.load(tmp_path / "recordings" / "s00.npz") as arrays:
        stacks = json.loads(arrays["index.json"])
        (stack,) = (number for number, names in enumerate(stacks) if "product" in names)
        assert float(arrays[str(stack)][stacks[stack].index("product")].mean()) == content["values"]["mean"]
