"""`gonio study`: a folder of recordings to the tables and the page; killed, damaged and resumed."""

from __future__ import annotations

import csv
import html
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from gonio.core.sequence import PoseSequence
from gonio.core.skeleton import BODY_12
from gonio.io import formats
from gonio.studies.config import load_study
from gonio.studies.results import run_study

SUBJECTS = tuple(f"s{k}" for k in range(1, 8))
REPETITIONS = ("e1", "e2", "e3")
BIAS_DEG = 4.0
TEXT = """
name = "Bending a knee"
reference = "vicon"

[movements]
bend = "a knee bent"

[methods.kinect]
files = "data/{subject}/{movement}_{repetition}_kinect.csv"

[methods.vicon]
files = "data/{subject}/{movement}_{repetition}_vicon.csv"

[clock]
max_lag_s = 0.2
"""


def body(flexion_deg: np.ndarray, times_s: np.ndarray) -> PoseSequence:
    """A standing person whose left knee bends by so much."""
    half = {"shoulder": (0.0, 0.2, 1.4), "elbow": (0.0, 0.25, 1.1), "wrist": (0.05, 0.25, 0.85)}
    half |= {"hip": (0.0, 0.1, 0.95), "knee": (0.0, 0.1, 0.5), "ankle": (0.0, 0.1, 0.1)}
    positions = np.zeros((len(times_s), 12, 3))
    for i, joint in enumerate(BODY_12.joints):
        x, y, z = half[joint.partition("_")[2]]
        positions[:, i] = (x, y if joint.startswith("left") else -y, z)
    bent = np.deg2rad(flexion_deg)
    shank = np.stack([-np.sin(bent), 0 * bent, -np.cos(bent)], axis=1)
    knee = positions[:, BODY_12.index("left_knee")]
    positions[:, BODY_12.index("left_ankle")] = knee + 0.4 * shank
    return PoseSequence(positions, times_s, BODY_12, "m", "world", up="+z")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """study.toml and the recordings of seven subjects, three repetitions each; the kinect reads 4 degrees too much."""
    place = tmp_path_factory.mktemp("study")
    rng = np.random.default_rng(0)
    times_s = np.arange(90) / 30
    for subject in SUBJECTS:
        (place / "data" / subject).mkdir(parents=True)
        own_deg = rng.uniform(50, 80)
        for repetition in REPETITIONS:
            peak_deg = own_deg + rng.normal(0, 3)
            flexion_deg = 10 + peak_deg * np.sin(np.pi * times_s / 3) ** 2
            noisy_deg = flexion_deg + BIAS_DEG + np.repeat(rng.normal(0, 1, 9), 10)
            stem = place / "data" / subject / f"bend_{repetition}"
            formats.write(body(noisy_deg, times_s), Path(f"{stem}_kinect.csv"))
            formats.write(body(flexion_deg, times_s), Path(f"{stem}_vicon.csv"))
    (place / "study.toml").write_text(TEXT)
    return place


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def everything(output: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(output.glob("*.csv"))}


@pytest.fixture(scope="module")
def whole(folder, tmp_path_factory):
    """The study in one go, in this process."""
    output = tmp_path_factory.mktemp("whole") / "out"
    return run_study(load_study(folder / "study.toml"), output, processes=1), output


def test_the_folder(whole):
    done, output = whole
    assert (done.measured, done.reused, done.damaged, dict(done.failures)) == (21, 0, 0, {})
    assert dict(done.warnings) == {}
    assert {path.name for path in output.iterdir()} == {
        *("report.html", "agreement.csv", "agreement_protocol.csv", "values.csv", "values_protocol.csv"),
        *("failures.csv", "provenance.json", "figures", "recordings"),
    }
    rows = table(output / "agreement.csv")
    keys = [(r["movement"], r["method"], r["quantity"], r["side"], r["joint"]) for r in rows]
    assert len(set(keys)) == len(keys)
    (knee,) = [r for r in rows if r["quantity"] == "knee_flexion" and r["side"] == "left" and r["movement"] == "bend"]
    assert float(knee["bias"]) == pytest.approx(BIAS_DEG, abs=0.3)
    assert (knee["n"], knee["unit"], knee["joint"]) == ("21", "deg", "knee")
    assert 0 < float(knee["rmse_bias_free"]) < 2
    assert float(knee["icc_low"]) < float(knee["icc"]) < float(knee["icc_high"])
    (rom,) = [r for r in rows if r["quantity"] == "knee_flexion_rom" and r["side"] == "left"]
    assert float(rom["loa_low"]) < float(rom["bias"]) < float(rom["loa_high"])
    assert float(rom["mdc95"]) == pytest.approx(1.96 * np.sqrt(2) * float(rom["sem"]), rel=1e-4)
    tidy = table(output / "values.csv")
    assert list(tidy[0])[:7] == ["subject", "movement", "repetition", "method", "quantity", "value", "unit"]
    peaks = [r for r in tidy if r["quantity"] == "knee_flexion_peak" and r["side"] == "left" and r["method"] == "vicon"]
    assert len(peaks) == 21
    assert table(output / "failures.csv") == []
    provenance = json.loads((output / "provenance.json").read_text())
    assert provenance["configuration"]["reference"] == "vicon"
    assert provenance["recordings"] == {"measured": 21, "failed": 0}


def test_the_page_has_the_summary(whole, tmp_path, opened):
    done, output = whole
    assert any("7 subjects" in words and "21 repetitions" in words for words in done.sentences)
    page = (output / "report.html").read_text(encoding="utf-8")
    assert "a knee bent" in page
    assert all(html.escape(sentence, quote=False).replace("'", "&#39;") in page for sentence in done.sentences)
    console, requests, picture = opened(tmp_path, output / "report.html")
    assert (console, requests) == ([], [])
    assert picture.std() > 10


def test_two_processes_and_a_second_run_give_the_same(folder, whole, tmp_path):
    _, output = whole
    config = load_study(folder / "study.toml")
    again = run_study(config, tmp_path / "out", processes=2)
    assert (again.measured, again.reused) == (21, 0)
    assert everything(tmp_path / "out") == everything(output)
    third = run_study(config, tmp_path / "out", processes=2)
    assert third.reused == 21
    assert everything(tmp_path / "out") == everything(output)


def test_killed_in_the_middle_it_finishes_with_the_same_result(folder, whole, tmp_path):
    _, whole_output = whole
    output = tmp_path / "out"
    command = [
        sys.executable,
        "-m",
        "gonio",
        "study",
        str(folder / "study.toml"),
        "-o",
        str(output),
        "--processes",
        "1",
    ]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    stored = output / "recordings"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and len(list(stored.glob("*.json"))) < 2:
        time.sleep(0.005)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert child.returncode == -signal.SIGKILL
    assert 2 <= len(list(stored.glob("*.json"))) < 21
    assert not (output / "agreement.csv").exists()
    done = run_study(load_study(folder / "study.toml"), output, processes=1)
    assert 2 <= done.reused < 21
    assert done.measured == 21
    assert everything(output) == everything(whole_output)


def test_a_corrupt_recording_is_listed_and_the_others_are_there(folder, tmp_path, run):
    import shutil

    shutil.copytree(folder, tmp_path / "study")
    corrupt = tmp_path / "study" / "data" / "s3" / "bend_e2_kinect.csv"
    corrupt.write_bytes(corrupt.read_bytes()[:2000])
    (tmp_path / "study" / "data" / "s5" / "bend_e1_vicon.csv").unlink()
    reflect(tmp_path / "study" / "data" / "s1" / "bend_e1_kinect.csv")
    done = run("study", tmp_path / "study" / "study.toml", "-o", tmp_path / "out", "--processes", "2")
    assert done.returncode == 0, done.stderr
    assert "19 recordings measured (0 of them before), 2 failed" in done.stdout
    failed = {row["recording"]: row["reason"] for row in table(tmp_path / "out" / "failures.csv")}
    assert set(failed) == {"bend_s3_e2", "bend_s5_e1"}
    assert "bend_e2_kinect.csv" in failed["bend_s3_e2"]
    assert "internal" not in failed["bend_s3_e2"]
    assert "vicon" in failed["bend_s5_e1"]
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "2 recordings" in page
    assert "1 recording " in page
    assert "bend_s1_e1: kinect: " in page
    assert "bend_s1_e1: kinect: " in done.stdout


def reflect(path: Path) -> None:
    """The mirror image of a recording whose two knees bend."""
    sequence = formats.read(path)
    positions = np.array(sequence.positions)
    left, right = (
        [sequence.skeleton.index(f"{side}_{joint}") for joint in ("knee", "ankle")] for side in ("left", "right")
    )
    positions[:, right[1]] = positions[:, right[0]] + positions[:, left[1]] - positions[:, left[0]]
    formats.write(sequence.derive("reflected", positions=positions * [1.0, -1.0, 1.0]), path)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "--ui-prmd"),
        (("absent.toml",), "absent.toml"),
        (("--ui-prmd", "."), "Segmented Movements"),
        (("study.toml", "--processes", "0"), "least"),
        (("study.toml", "--scheduler", "tcp://127.0.0.1:9"), "scheduler"),
    ],
)
def test_what_is_wrong_is_one_line(folder, tmp_path, run, arguments, words):
    given = [folder / a if a.endswith(".toml") else a for a in arguments]
    done = run("study", *given, "-o", tmp_path / "out")
    assert done.returncode == 2
    assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "out" / "report.html").exists()


def test_a_study_of_nothing_but_damage_is_an_error(tmp_path):
    from gonio.core.errors import InputError

    for name in ("kinect", "vicon"):
        (tmp_path / f"s1_bend_{name}.csv").write_text("nonsense\n")
    (tmp_path / "study.toml").write_text(
        'reference = "vicon"\n[methods.kinect]\nfiles = "{subject}_{movement}_kinect.csv"\n'
        '[methods.vicon]\nfiles = "{subject}_{movement}_vicon.csv"\n'
    )
    with pytest.raises(InputError, match="measured"):
        run_study(load_study(tmp_path / "study.toml"), tmp_path / "out", processes=1)
    assert not (tmp_path / "out" / "agreement.csv").exists()
