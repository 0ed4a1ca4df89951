"""`lifting-CAMERA` among the methods of a trial: size, place, and assumptions."""

import json
from dataclasses import replace

import numpy as np
import pytest

import gonio as api
from gonio.core.camera import Rig
from gonio.core.errors import ConfigError, InputError
from gonio.core.sequence import PoseSequence, Status
from gonio.core.skeleton import BODY_25
from gonio.io import archive, openpose_json
from gonio.io.rigs import files as rig_files
from gonio.lifting import checkpoints, weights
from gonio.lifting.architecture import Architecture
from gonio.lifting.checkpoints import Weights
from gonio.trials import measure as measuring
from gonio.trials.config import CameraConfig, LiftingConfig, RigConfig, Trial
from gonio.trials.from_files import trial_from_files

SIZE_PX = (1280, 720)
FOCAL_PX = 1000.0


@pytest.fixture
def flat(tmp_path, shipped_weights) -> tuple[PoseSequence, Rig]:
    """A person in a plane square to two cameras 0.5 m apart, 4 m away, who walks sideways and raises the arms."""
    rng = np.random.default_rng(0)
    body = {
        "nose": (0, -0.65), "neck": (0, -0.5), "mid_hip": (0, 0.0), "left_shoulder": (0.19, -0.5), "left_hip": (0.1, 0),
        "left_elbow": (0.35, -0.3), "left_wrist": (0.5, -0.2), "left_knee": (0.12, 0.43), "left_ankle": (0.1, 0.83),
        "left_eye": (0.03, -0.7), "left_ear": (0.07, -0.68), "left_big_toe": (0.15, 0.9), "left_small_toe": (0.2, 0.9),
        "left_heel": (0.1, 0.88),
    }  # fmt: skip
    body |= {"right_" + name[5:]: (-x, y) for name, (x, y) in body.items() if name.startswith("left_")}
    still = np.array([(*body[joint], 0.0) for joint in BODY_25.joints])
    positions = np.repeat(still[None], 60, axis=0)
    positions[:, [BODY_25.index(f"{side}_wrist") for side in ("left", "right")], 1] -= np.linspace(0, 0.3, 60)[:, None]
    positions += np.stack([np.linspace(-0.3, 0.6, 60), 0 * np.arange(60), np.full(60, 4.0)], axis=1)[:, None]
    truth = PoseSequence(positions, np.arange(60) / 30, BODY_25, "m", "world", "parallel", up="-y")
    rig = Rig.parallel(0.5, FOCAL_PX, SIZE_PX, None, ("left", "right"))
    rig_files.write(rig, tmp_path / "Calib.toml")
    for camera in rig:
        pixels = camera.world_to_image(positions) + rng.normal(0, 1e-3, (60, 25, 2))
        view = PoseSequence(pixels, truth.times_s, BODY_25, "px", "image", camera.name, SIZE_PX)
        archive.write(view, tmp_path / f"{camera.name}.npz")
    return truth, rig


def trial_of(folder, calibrated=True, **more) -> Trial:
    cameras = tuple(CameraConfig(name, keypoints=folder / f"{name}.npz") for name in ("left", "right"))
    return Trial(cameras, rig=RigConfig(folder / "Calib.toml") if calibrated else None, **more)


def size_m(truth: PoseSequence) -> float:
    from gonio.lifting.normalisation import body_size_m

    return body_size_m(truth)


def test_it_is_measured_by_default_in_the_rigs_axes_with_an_assumed_size(tmp_path, flat):
    truth, _ = flat
    measured = api.measure(trial_of(tmp_path, reference="stereo-left-right"))
    assert list(measured) == ["stereo-left-right", "lifting-left", "lifting-right"]
    for name in ("lifting-left", "lifting-right"):
        joints = measured[name]
        assert (joints.frame, joints.up) == ("root", "-y")
        assert joints.frame_name == measured.rig.name
        wanted = (truth["left_wrist"] - truth["mid_hip"]) * 0.779 * 1.70 / size_m(truth)
        np.testing.assert_allclose(joints["left_wrist"], wanted, atol=0.12)
        assert [assumption.kind for assumption in joints.assumptions] == ["stature"]
    (sentence,) = measured.assumptions  # one for both
    assert "lifting-left" in sentence
    assert "1.70 m" in sentence
    errors = api.evaluate(measured).methods["lifting-left"]
    assert errors.mpjpe_mm is None
    assert errors.root_mpjpe_mm is not None
    assert errors.n_mpjpe_mm < 60


@pytest.mark.parametrize("how", ["height", "segment", "stereo"])
def test_with_a_known_size_the_person_is_placed_in_the_rig(tmp_path, flat, how):
    truth, _ = flat
    settings = {
        "height": LiftingConfig(height_m=size_m(truth) / 0.779),
        "segment": LiftingConfig(segment="shank=0.4005"),
        "stereo": LiftingConfig(scale="stereo"),
    }[how]
    trial = trial_of(tmp_path, reference="stereo-left-right", lifting=settings)
    measured = api.measure(trial)
    joints = measured["lifting-right"]
    assert (joints.frame, joints.frame_name) == ("world", measured.rig.name)
    place = joints["mid_hip"] - truth["mid_hip"]
    np.testing.assert_allclose(place, 0, atol=0.25)
    assert measured.assumptions == ()
    result = api.evaluate(measured)
    assert result.methods["lifting-right"].mpjpe_mm < 250
    assert result.protocol["lifting"]["size"] == {"height": "stature"}.get(how, how)


def test_repaired_views_reach_triangulation_and_lifting(tmp_path, flat, monkeypatch):
    trial = trial_of(tmp_path)
    before = api.measure(trial)

    def moved(views: measuring.Views, rig: Rig) -> tuple[measuring.Views, tuple[str, ...], tuple[str, ...]]:
        new = {name: view.derive(positions=view.positions + [4.0, 0.0]) for name, view in views.items()}
        return new, (f"moved in {len(rig.cameras)} cameras",), ("doubtful",)

    monkeypatch.setattr(measuring, "REPAIRS", (moved,))
    after = api.measure(trial)
    for name in ("stereo-left-right", "lifting-left"):
        assert np.abs(after[name].positions - before[name].positions).max() > 1e-4
    np.testing.assert_allclose(after.views["left"].positions, before.views["left"].positions + [4.0, 0.0])
    assert after.notes == (*before.notes, "moved in 2 cameras")
    assert set(after.warnings) - set(before.warnings) == {"doubtful"}


def test_one_keypoint_file_and_no_rig(tmp_path, flat):
    trial = trial_from_files([tmp_path / "left.npz"])
    measured = api.measure(trial)
    assert list(measured) == ["lifting-left"]
    assert (measured["lifting-left"].frame, measured["lifting-left"].frame_name) == ("root", "left")
    assert [assumption.kind for assumption in measured["lifting-left"].assumptions] == ["stature", "focal_length"]
    assert len(measured.assumptions) == 2
    declared = api.measure(trial_from_files([tmp_path / "left.npz"], focal_px=FOCAL_PX, height_m=1.7))
    assert declared.assumptions == ()
    assert any("1000 px" in step for step in declared["lifting-left"].history)


def test_a_lifted_file_brings_its_assumptions_into_a_comparison(tmp_path, flat):
    lifted = api.measure(trial_from_files([tmp_path / "left.npz"]))["lifting-left"]
    archive.write(lifted, tmp_path / "lifted.npz")
    measured = api.measure(trial_from_files([tmp_path / "lifted.npz"]))
    assert [assumption.kind for assumption in measured["lifted"].assumptions] == ["stature", "focal_length"]
    assert len(measured.assumptions) == 2
    assert all(sentence.startswith("lifted: ") for sentence in measured.assumptions)
    assert not any("height_m" in sentence for sentence in measured.assumptions)  # nothing is lifted here


def test_the_page_and_the_record_state_the_assumptions(tmp_path, flat):
    measured = api.measure(trial_of(tmp_path))
    api.write_results(tmp_path / "out", measured, api.evaluate(measured))
    page = (tmp_path / "out" / "report.html").read_text()
    assert measured.assumptions[0] in page
    record = json.loads((tmp_path / "out" / "provenance.json").read_text())
    assert record["assumptions"] == list(measured.assumptions)
    assert set(record["weights_sha256"]["lifting"]) == {"lifter-coco17-27.safetensors"}
    assert any("9 frames" in step for step in record["methods"]["lifting-left"]["history"])


def test_settings_arrive(tmp_path, flat):
    causal = api.measure(trial_of(tmp_path, methods=("lifting-left",), lifting=LiftingConfig(causal=True)))
    assert list(causal) == ["lifting-left"]
    assert "causal" in causal["lifting-left"].source.model
    file = weights.FOLDER / "lifter-coco17-causal.safetensors"
    named = api.measure(trial_of(tmp_path, methods=("lifting",), lifting=LiftingConfig(weights=file)))
    assert list(named) == ["lifting-left", "lifting-right"]
    with pytest.raises(InputError, match="lifter-coco17-9"):
        api.measure(trial_of(tmp_path, lifting=LiftingConfig(weights=tmp_path / "lifter-coco17-9")))
    with pytest.raises(ConfigError, match="stereo"):
        api.measure(trial_of(tmp_path, methods=("lifting",), lifting=LiftingConfig(scale="stereo")))
    for wrong in ({"height_m": 1.7, "segment": "thigh=0.4"}, {"scale": "stereo", "height_m": 1.7}):
        with pytest.raises(ConfigError, match="height_m"):
            LiftingConfig(**wrong)
    with pytest.raises(ConfigError, match="focal_px"):
        trial_of(tmp_path, lifting=LiftingConfig(focal_px=900.0))


def test_published_weights_lift_too(tmp_path, flat):
    architecture = Architecture((3,), channels=8)
    rng = np.random.default_rng(0)
    arrays = {name: np.abs(rng.normal(0, 0.3, shape)) + 0.01 for name, shape in architecture.shapes.items()}
    checkpoints.write(Weights(architecture, arrays), tmp_path / "published.safetensors")
    settings = LiftingConfig(weights=tmp_path / "published.safetensors")
    measured = api.measure(trial_of(tmp_path, calibrated=False, methods=("lifting-left",), lifting=settings))
    assert measured["lifting-left"].frame == "root"
    (said,) = measured.assumptions
    assert "trained" in said
    tall = replace(settings, height_m=1.8)
    trial = trial_of(tmp_path, calibrated=False, methods=("lifting-left",), lifting=tall)
    (joints,) = api.measure(trial).values()
    assert size_m(joints) == pytest.approx(0.779 * 1.8, rel=1e-6)


def test_a_view_that_cannot_be_lifted_is_left_out_unless_it_was_asked_for(tmp_path, flat):
    view = archive.read(tmp_path / "right.npz")
    positions = np.array(view.positions)
    positions[:, BODY_25.index("left_hip")] = np.nan
    archive.write(view.derive(positions=positions), tmp_path / "right.npz")
    measured = api.measure(trial_of(tmp_path))
    assert list(measured) == ["stereo-left-right", "lifting-left"]
    assert any("lifting-right" in w and "hips" in w for w in measured.warnings)
    with pytest.raises(InputError, match=r"right\.npz: .*hips"):
        api.measure(trial_of(tmp_path, methods=("stereo-left-right", "lifting-right")))
    with pytest.raises(InputError, match=r"right\.npz"):
        api.measure(trial_from_files([tmp_path / "right.npz"]))


def test_keypoints_of_unknown_image_size_need_it_declared_without_a_rig(tmp_path, flat):
    openpose_json.write(archive.read(tmp_path / "left.npz"), tmp_path / "left_json")
    camera = CameraConfig("left", keypoints=tmp_path / "left_json", layout="body-25", fps=30.0)
    with pytest.raises(InputError, match=r"left_json: .*size_px"):
        api.measure(Trial((camera,)))
    declared = api.measure(Trial((replace(camera, size_px=SIZE_PX),)))
    whole = api.measure(trial_from_files([tmp_path / "left.npz"]))
    np.testing.assert_allclose(declared["lifting-left"].positions, whole["lifting-left"].positions, atol=1e-4)


def test_what_the_lifted_person_lacks_is_inferred(tmp_path, flat):
    view = archive.read(tmp_path / "left.npz")
    positions = np.array(view.positions)
    positions[10:20, BODY_25.index("left_wrist")] = np.nan
    archive.write(view.derive(positions=positions), tmp_path / "left.npz")
    joints = api.measure(trial_of(tmp_path, methods=("lifting-left",)))["lifting-left"]
    wrist = joints.status[:, joints.skeleton.index("left_wrist")]
    assert np.flatnonzero(wrist == Status.INFERRED).tolist() == list(range(10, 20))
    assert (joints.status[:, joints.skeleton.index("left_elbow")] == Status.MEASURED).all()


def test_without_weights_one_keypoint_file_cannot_be_measured(tmp_path, flat, monkeypatch):
    monkeypatch.setattr(weights, "FOLDER", tmp_path / "none")
    with pytest.raises(ConfigError, match="measured"):
        api.measure(trial_of(tmp_path, calibrated=False))
    with pytest.raises(InputError, match="none"):
        api.measure(trial_of(tmp_path, methods=("lifting",)))
