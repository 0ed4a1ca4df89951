"""The results folder: what it holds, what it replaces, what it never overwrites."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gonio.core.assumptions import Assumption
from gonio.core.errors import InputError
from gonio.core.files import sha256_of
from gonio.core.sequence import PoseSequence
from gonio.core.skeleton import BODY_12, H36M_17, Skeleton
from gonio.io import archive, formats
from gonio.lifting import weights
from gonio.trials.config import CameraConfig, RecordingConfig, RigConfig, Trial
from gonio.trials.evaluate import evaluate
from gonio.trials.measurement import Measurement
from gonio.trials.methods import Method
from gonio.trials.provenance import trial_provenance
from gonio.trials.results import check_output, write_results


def joints(seed: int = 0, skeleton: Skeleton = H36M_17) -> PoseSequence:
    """A body that moves at random, one joint of which is missing in three frames."""
    rng = np.random.default_rng(seed)
    positions = rng.normal(size=(1, len(skeleton), 3)) + np.cumsum(rng.normal(0, 0.01, (30, len(skeleton), 3)), axis=0)
    positions[4:7, skeleton.index("left_wrist")] = np.nan
    return PoseSequence(positions, np.arange(30) / 30, skeleton, "m", "world", frame_name="lab", up="+z")


def measurement(folder: Path, *names: str, **more: Any) -> Measurement:
    """Recordings only: nothing is detected, triangulated or lifted."""
    recordings = tuple(RecordingConfig(name, folder / f"{name}.npz") for name in names)
    return Measurement(
        trial=Trial((), "squat", recordings=recordings, reference=names[0]),
        **{
            "methods": tuple(Method("recording", (), name) for name in names),
            "sequences": {name: joints(seed) for seed, name in enumerate(names)},
            "detections": {},
            "views": {},
            "offsets_s": {},
            "rig": None,
            "triangulations": {},
            "notes": ("read",),
        }
        | more,
    )


def test_every_method_in_every_format_and_the_record_of_all_files(tmp_path: Path) -> None:
    measured = measurement(tmp_path, "vicon", "kinect", warnings=("mirrored",), assumptions=("kinect: a clock",))
    output = tmp_path / "out"
    written = write_results(output, measured, evaluate(measured))
    names = {path.relative_to(output).as_posix() for path in written}
    assert names == {path.relative_to(output).as_posix() for path in output.rglob("*") if path.is_file()}
    assert {f"sequences/{m}{s}" for m in ("vicon", "kinect") for s in (".npz", ".npy", ".trc", ".csv")} < names
    assert {"report.html", "results.json", "provenance.json", "angles/vicon.mot", "figures/angle_curves.png"} < names
    record = json.loads((output / "provenance.json").read_text())
    assert set(record["files"]) == names
    assert record["warnings"] == ["mirrored"]
    assert record["assumptions"] == ["kinect: a clock"]
    np.testing.assert_array_equal(archive.read(output / "sequences" / "vicon.npz").positions, joints(0).positions)  # type: ignore[union-attr]


def test_a_format_that_cannot_hold_a_recording_does_not_stop_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(item: Any, path: Path) -> tuple[str, ...]:
        if path.suffix == ".trc":
            raise InputError(f"{path}: cannot hold this")
        return real(item, path)

    real = formats.write
    monkeypatch.setattr(formats, "write", write)
    measured = measurement(tmp_path, "vicon")
    output = tmp_path / "out"
    write_results(output, measured, evaluate(measured))
    record = json.loads((output / "provenance.json").read_text())
    (sentence,) = record["not_kept_by_format"]["vicon.trc"]
    assert sentence.endswith("vicon.trc: cannot hold this")
    assert not (output / "sequences" / "vicon.trc").exists()
    assert (output / "sequences" / "vicon.npz").exists()


def test_a_second_run_replaces_its_own_files_and_leaves_others(tmp_path: Path) -> None:
    output = tmp_path / "out"
    first, second = measurement(tmp_path, "vicon", "kinect"), measurement(tmp_path, "vicon")
    write_results(output, first, evaluate(first))
    (output / "sequences" / "mine.txt").write_text("mine")
    write_results(output, second, evaluate(second))
    assert not (output / "sequences" / "kinect.npz").exists()
    assert (output / "sequences" / "vicon.npz").exists()
    assert (output / "sequences" / "mine.txt").read_text() == "mine"


def test_nothing_remains_of_results_that_could_not_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise InputError("disk full")

    monkeypatch.setattr("gonio.trials.results.write_tables", broken)
    measured = measurement(tmp_path, "vicon")
    with pytest.raises(InputError, match="disk full"):
        write_results(tmp_path / "out", measured, evaluate(measured))
    assert not (tmp_path / "out").exists()


def test_an_input_is_never_replaced(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(InputError, match="file"):
        check_output(file, Trial((), recordings=(RecordingConfig("vicon", tmp_path / "vicon.npz"),)))
    inside = tmp_path / "out" / "sequences" / "vicon.npz"
    inside.parent.mkdir(parents=True)
    inside.write_text("")
    with pytest.raises(InputError, match=r"vicon\.npz"):
        check_output(tmp_path / "out", Trial((), recordings=(RecordingConfig("vicon", inside),)))
    calibration = tmp_path / "results.json"
    calibration.write_text("")
    camera = CameraConfig("a", keypoints=tmp_path / "a.npz")
    with pytest.raises(InputError, match=r"results\.json"):
        check_output(tmp_path, Trial((camera,), rig=RigConfig(calibration)))


def test_the_record_counts_joints_and_names_the_weights(tmp_path: Path) -> None:
    lifted = joints(1, BODY_12).assuming(Assumption("stature", "1.70 m")).derive("lifted by a network")
    methods = (Method("recording", (), "vicon"), Method("lifting", ("a",), "lifting-a"))
    measured = measurement(tmp_path, "vicon", methods=methods, sequences={"vicon": joints(0), "lifting-a": lifted})
    record = trial_provenance(measured, evaluate(measured))
    counts = record["methods"]["vicon"]["counts"]
    assert (counts["frames"], counts["joints"], counts["missing"]) == (30, 17, 3)
    assert counts["measured"] == 30 * 17 - 3
    assert counts["evaluation_joints"]["left_wrist"]["missing"] == 3
    assert record["methods"]["lifting-a"]["history"] == ["lifted by a network"]
    (file,) = record["weights_sha256"]["lifting"]
    assert record["weights_sha256"]["lifting"][file] == sha256_of(weights.FOLDER / file)
    assert "reprojection_px" not in record["methods"]["vicon"]
    assert record["configuration"]["name"] == "squat"


def test_without_lifting_no_weights_are_named(tmp_path: Path) -> None:
    measured = measurement(tmp_path, "vicon")
    assert trial_provenance(measured, evaluate(measured))["weights_sha256"] == {}
