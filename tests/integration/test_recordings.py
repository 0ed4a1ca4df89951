"""Two sensors' recordings of one movement, each with its own clock and frame: UI-PRMD's Kinect and Vicon."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest

import gonio
from gonio.cli.main import main
from gonio.comparison.result import ComparisonResult
from gonio.core.errors import ConfigError, InputError
from gonio.io import formats
from gonio.io.motion_capture import ui_prmd
from gonio.trials import measure as api
from gonio.trials.compare import compare
from gonio.trials.config import RecordingConfig, Trial

NAME = "m06_s08_e08"
AHEAD_S = 0.4


@pytest.fixture(scope="module")
def recorded(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """kinect.csv, whose clock is 0.4 s ahead, and vicon.trc and vicon.c3d of its markers."""
    root = shared_data / "ui-prmd" / "Segmented Movements"
    if not root.is_dir():
        pytest.skip(f"no UI-PRMD recordings at {root}")
    folder = tmp_path_factory.mktemp("recordings")
    kinect = ui_prmd.read_kinect(
        root / "Kinect" / "Positions" / f"{NAME}_positions.txt.gz", root / "Kinect" / "Angles" / f"{NAME}_angles.txt.gz"
    )
    vicon = ui_prmd.read_vicon(root / "Vicon" / "Positions" / f"{NAME}_positions.txt.gz")
    formats.write(kinect.shifted(AHEAD_S, "for a test"), folder / "kinect.csv")
    formats.write(vicon, folder / "vicon.trc")
    pytest.importorskip("ezc3d")
    formats.write(vicon, folder / "vicon.c3d")
    return folder


@pytest.fixture(scope="module")
def own_offset_s(recorded: Path) -> float:
    """How far the two files of the data set are apart themselves, before the Kinect's clock is moved."""
    kinect = gonio.read(recorded / "kinect.csv")
    formats.write(kinect.shifted(-AHEAD_S, "back"), recorded / "as_published.csv")
    return offset_of(trial_of(recorded, "as_published.csv", "auto"))


def trial_of(folder: Path, kinect: str = "kinect.csv", offset_s: float | str = 0.0, vicon: str = "vicon.trc") -> Trial:
    recordings = (
        RecordingConfig("kinect", folder / kinect, offset_s=offset_s),  # type: ignore[arg-type]
        RecordingConfig("vicon", folder / vicon),
    )
    return Trial(recordings=recordings, reference="vicon")


def offset_of(trial: Trial) -> float:
    steps = [step for step in api.measure(trial)["kinect"].history if "brought to the clock of vicon" in step]
    (step,) = steps
    return -float(step.split("shifted by ")[1].split(" s")[0])


def test_a_clock_that_is_ahead_is_warned_of_and_not_moved(recorded: Path) -> None:
    measured = api.measure(trial_of(recorded))
    (warning,) = measured.warnings
    assert "kinect and vicon" in warning
    assert "--align-clocks auto" in warning
    assert not any("shifted" in step for step in measured["kinect"].history)


def test_the_clock_is_found_on_request(recorded: Path, own_offset_s: float) -> None:
    assert abs(own_offset_s) < 0.1
    trial = trial_of(recorded, offset_s="auto")
    assert offset_of(trial) == pytest.approx(AHEAD_S + own_offset_s, abs=0.01)
    assert offset_of(trial) == pytest.approx(AHEAD_S, abs=0.05)
    measured = api.measure(trial)
    assert measured.warnings == ()
    as_is, aligned = (compare(t).methods["kinect"] for t in (trial_of(recorded), trial))
    assert aligned.pa_mpjpe_mm is not None
    assert as_is.pa_mpjpe_mm is not None
    assert aligned.pa_mpjpe_mm < as_is.pa_mpjpe_mm / 2


def test_markers_become_joint_centres_from_either_file(recorded: Path) -> None:
    results = [compare(trial_of(recorded, offset_s="auto", vicon=f"vicon.{end}")) for end in ("trc", "c3d")]
    trc, c3d = (result.methods["kinect"] for result in results)
    assert any("plug-in-gait" in step for step in results[1].methods["vicon"].history)
    assert c3d.rigid_mpjpe_mm == pytest.approx(trc.rigid_mpjpe_mm, abs=0.01)


def test_two_worlds_have_rigid_errors_and_offsets_but_no_absolute_ones(recorded: Path) -> None:
    kinect = compare(trial_of(recorded, offset_s="auto")).methods["kinect"]
    assert (kinect.mpjpe_mm, kinect.root_mpjpe_mm, kinect.n_mpjpe_mm) == (None, None, None)
    assert kinect.rigid_mpjpe_mm == pytest.approx(42, abs=8)
    ankle = kinect.per_joint["right_ankle"]
    assert ankle.definition_offset_mm is not None
    assert ankle.without_offset_mm is not None
    assert ankle.rigid_mpjpe_mm is not None
    assert ankle.without_offset_mm < ankle.rigid_mpjpe_mm
    thigh = kinect.angles["right_thigh_trunk_angle"]
    assert thigh.n_peaks == 1
    assert thigh.peak_bias_deg is not None
    assert abs(thigh.peak_bias_deg) == pytest.approx(thigh.peak_rmse_deg)
    for shift in ("-0.1", "+0.1"):
        moved = kinect.time_shifts[shift]
        assert moved.change.pa_mpjpe_mm is not None
        assert moved.change.pa_mpjpe_mm > 5
        assert moved.change.mpjpe_mm is None
        assert (moved.angle_rmse_deg["right_thigh_trunk_angle"] or 0) > 5


def test_a_clock_that_cannot_be_found_is_refused(recorded: Path) -> None:
    trial = trial_of(recorded, offset_s="auto")
    with pytest.raises(ConfigError, match="offset_s"):
        api.measure(replace(trial, recordings=trial.recordings[:1], reference=None))
    still = gonio.read(recorded / "kinect.csv").at(slice(0, 8))
    formats.write(still, recorded / "still.csv")
    with pytest.raises(InputError, match=r"still\.csv.*vicon"):
        api.measure(trial_of(recorded, "still.csv", "auto"))


def test_the_results_folder_is_complete(recorded: Path, tmp_path: Path, monkeypatch, capsys, opened) -> None:
    out = tmp_path / "results"
    files = [str(recorded / name) for name in ("kinect.csv", "vicon.trc")]
    monkeypatch.setattr(
        "sys.argv", ["gonio", "compare", *files, "--reference", "vicon", "--align-clocks", "auto", "-o", str(out)]
    )
    try:
        main()
    except SystemExit as ended:
        assert not ended.code
    assert "warning" not in capsys.readouterr().err
    result = ComparisonResult.load(out / "results.json")
    assert result.protocol["repetitions"].startswith("of vicon: 1 ")
    written = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    assert {"report.html", "tables/time_shifts.csv", "sequences/vicon.trc", "sequences/kinect.npz"} <= written
    assert set(json.loads((out / "provenance.json").read_text())["files"]) == written
    with (out / "tables" / "per_joint.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert all(float(row["definition_offset_mm"]) > 0 for row in rows if row["method"] == "kinect")
    page = (out / "report.html").read_text()
    for title in ("Effect", "Constant", "repetitions"):
        assert title in page
    console, asked, picture = opened(tmp_path, out / "report.html")
    assert console == []
    assert [url for url in asked if not url.startswith(("data:", "file:"))] == []
    assert picture.std() > 10
