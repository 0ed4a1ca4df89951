"""`gonio triangulate`: keypoint folders and a calibration in, joints out."""

import json

import numpy as np
import pytest

import gonio as api
from gonio.trials.from_files import trial_from_files


def test_the_truth_comes_back(recorded, scene, run):
    folders = [recorded / f"{name}_json" for name in scene.views]
    output = recorded / "joints.trc"
    done = run(
        "triangulate", "--rig", recorded / "Calib.toml", "--layout", "body-25", "--fps", 30, *folders, "-o", output
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "cam01 0.0 px" in done.stdout
    joints = api.read(output)
    assert isinstance(joints, api.PoseSequence)
    assert joints.skeleton.joints == scene.truth.skeleton.joints
    np.testing.assert_allclose(joints.with_up("+z").positions, scene.truth.positions, atol=2e-5)
    np.testing.assert_allclose(joints.times_s, scene.truth.times_s, atol=1e-6)
    provenance = json.loads((recorded / "joints.trc.provenance.json").read_text())
    assert provenance["options"]["layout"] == "body-25"


def test_the_order_of_the_cameras_does_not_matter(recorded, scene, run):
    folders = [recorded / f"{name}_json" for name in ("cam03", "cam01")]
    output = recorded / "joints.npz"
    done = run(
        "triangulate", "--rig", recorded / "Calib.toml", "--layout", "body-25", "--fps", 30, *folders, "-o", output
    )
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(api.read(output).positions, scene.truth.positions, atol=1e-4)


def test_3d_joints_as_openpose_writes_them(recorded, scene, run):
    """`pose_keypoints_3d` in a folder of JSON files, for scripts that read them there."""
    folders = [recorded / f"{name}_json" for name in scene.views]
    output = recorded / "joints_json"
    done = run(
        "triangulate", "--rig", recorded / "Calib.toml", "--layout", "body-25", "--fps", 30, *folders, "-o", output
    )
    assert done.returncode == 0, done.stderr
    files = sorted(output.iterdir())
    assert len(files) == len(scene.truth)
    (person,) = json.loads(files[7].read_text())["people"]
    np.testing.assert_allclose(
        np.reshape(person["pose_keypoints_3d"], (25, 4)), np.c_[scene.truth.positions[7], np.ones(25)], atol=1e-4
    )
    back = api.read(output, layout="body-25", rate_hz=30.0)
    np.testing.assert_allclose(back.positions, scene.truth.positions, atol=1e-4)
    trial = trial_from_files([*folders, output], calibration=recorded / "Calib.toml", layout="body-25", fps=30.0)
    assert len(trial.cameras) == 4
    assert [recording.name for recording in trial.recordings] == ["joints"]  # 3D joints are a recording, not a view


@pytest.mark.parametrize("refine", ["reprojection", "none"])
def test_the_published_trial(shared_data, tmp_path, run, refine):
    """Pose2Sim's own keypoints by its own protocol give its own joints; refined, they stay near."""
    root = shared_data / "pose2sim"
    folders = sorted((root / "balancing" / "pose-associated").iterdir())
    output = tmp_path / "joints.trc"
    done = run(
        "triangulate", "--rig", root / "calibration" / "Calib_qualisys.toml", "--layout", "body-25b", "--fps", 60,
        "--refine", refine, "--min-confidence", 0.3, "--max-reprojection", 15, *folders, "-o", output,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    ours = api.read(output)
    theirs = api.read(root / "balancing" / "pose-3d" / "S00_P00_T01_BalancingTrial_0-100.trc")
    names = [name for name in theirs.skeleton.joints if name in ours.skeleton]
    assert len(names) == 21
    apart_m = np.linalg.norm(ours.select(names).positions - theirs.select(names).positions, axis=2)
    limit_m, share = {"none": (0.0005, 0.99), "reprojection": (0.02, 0.95)}[refine]
    assert np.mean(apart_m <= limit_m) >= share


def test_the_participant_is_found_among_bystanders(shared_data, tmp_path, run):
    root = shared_data / "pose2sim"
    results = {}
    for kind in ("pose", "pose-associated"):
        output = tmp_path / f"{kind}.npz"
        folders = sorted((root / "balancing" / kind).iterdir())
        done = run(
            "triangulate", "--rig", root / "calibration" / "Calib_qualisys.toml", "--layout", "body-25b", "--fps", 60,
            "--min-confidence", 0.3, "--max-reprojection", 15, *folders, "-o", output,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        results[kind] = api.read(output).positions
    apart_m = np.linalg.norm(results["pose"] - results["pose-associated"], axis=2)
    assert np.mean(apart_m[np.isfinite(apart_m)] < 1e-6) >= 0.99
    assert (
        np.isfinite(results["pose"]).all(axis=2).mean()
        >= 0.99 * np.isfinite(results["pose-associated"]).all(axis=2).mean()
    )


def test_the_unit_of_a_calibration(recorded, scene):
    """Lengths in millimetres, in a file that does not state it."""
    lines = (recorded / "Calib.toml").read_text().splitlines()
    for number, line in enumerate(lines):
        name, _, value = line.partition(" = ")
        if name == "translation":
            lines[number] = f"translation = {[1000 * length for length in json.loads(value)]}"
    (recorded / "mm.toml").write_text("\n".join(line for line in lines if not line.startswith("unit")))
    views = [recorded / f"{name}_json" for name in scene.views]
    joints = api.triangulate(views, recorded / "mm.toml", layout="body-25", fps=30, unit="mm")
    assert any(" mm" in step for step in joints.history)
    thigh_m = [np.linalg.norm(item["left_hip"][0] - item["left_knee"][0]) for item in (joints, scene.truth)]
    assert thigh_m[0] == pytest.approx(thigh_m[1], abs=1e-4)
