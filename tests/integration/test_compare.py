"""`measure` and `compare` on recordings made here: clocks, crops, parallel cameras, people in the way."""

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from detectors import use_detector

import gonio as api
from gonio.core.camera import Rig
from gonio.core.clock import resample
from gonio.core.detections import Detections
from gonio.core.errors import ConfigError, InputError
from gonio.core.sequence import PoseSequence, Source
from gonio.core.skeleton import BODY_25
from gonio.io import archive, openpose_json
from gonio.io.motion_capture import trc
from gonio.io.rigs import files as rig_files
from gonio.trials.config import CameraConfig, CleaningConfig, RecordingConfig, RigConfig, StereoConfig, Trial
from gonio.trials.from_files import trial_from_files


def trial_of(folder: Path, names=("cam01", "cam02", "cam03", "cam04"), **more) -> Trial:
    cameras = tuple(CameraConfig(name, keypoints=folder / f"{name}_json", layout="body-25", fps=30.0) for name in names)
    return Trial(cameras, rig=RigConfig(folder / "Calib.toml"), **more)


def test_four_cameras_give_the_truth(recorded, scene):
    measured = api.measure(trial_of(recorded, methods=("multiview", "stereo-cam01-cam02")))
    assert list(measured) == ["multiview", "stereo-cam01-cam02"]
    for sequence in measured.values():
        np.testing.assert_allclose(sequence.positions, scene.truth.positions, atol=1e-4)
    assert max(measured.reprojection_px_median().values()) < 0.01
    assert measured.warnings == ()


def test_a_recording_in_the_rigs_frame_is_compared_absolutely(recorded, scene):
    shifted = scene.truth.derive(positions=scene.truth.positions + [0.03, 0.0, 0.04])
    trc.write(shifted, recorded / "vicon.trc")
    recording = RecordingConfig("vicon", recorded / "vicon.trc", frame="rig")
    result = api.compare(trial_of(recorded, recordings=(recording,), reference="vicon"))
    errors = result.methods["multiview"]
    assert errors.mpjpe_mm == pytest.approx(50, abs=0.1)
    assert errors.root_mpjpe_mm == pytest.approx(0, abs=0.1)
    assert errors.angles["left_knee_flexion"].rmse_deg == pytest.approx(0, abs=0.1)


def test_a_recording_in_its_own_frame_has_no_absolute_error(recorded, scene):
    trc.write(scene.truth, recorded / "vicon.trc")
    recording = RecordingConfig("vicon", recorded / "vicon.trc")
    errors = api.compare(trial_of(recorded, recordings=(recording,), reference="vicon")).methods["multiview"]
    assert errors.mpjpe_mm is None
    assert errors.root_mpjpe_mm is None
    assert errors.pa_mpjpe_mm == pytest.approx(0, abs=0.1)


def test_without_a_reference_methods_are_compared_pairwise(recorded):
    result = api.compare(trial_of(recorded, methods=("stereo-cam01-cam02", "stereo-cam03-cam04")))
    (pair,) = result.pairs
    assert {pair.a, pair.b} == {"stereo-cam01-cam02", "stereo-cam03-cam04"}
    assert pair.root_mpjpe_mm == pytest.approx(0, abs=0.1)


def test_offsets_bring_the_cameras_into_step(recorded, scene):
    """cam02 began three frames earlier: its frame 3 shows what the others' frame 0 shows."""
    view = scene.views["cam02"]
    late = np.concatenate([np.repeat(view.positions[:1], 3, axis=0), view.positions])[: len(view)]
    openpose_json.write(view.derive(positions=late), recorded / "late_json")
    trial = trial_of(recorded, stereo=StereoConfig(robust_sigmas=None))
    wrong = replace(trial.cameras[1], keypoints=recorded / "late_json")
    right = replace(wrong, offset_frames=3)
    errors = {}
    for camera in (wrong, right):
        cameras = (trial.cameras[0], camera, *trial.cameras[2:])
        measured = api.measure(replace(trial, cameras=cameras))
        errors[camera.offset_frames] = np.nanmax(measured.triangulations["multiview"].reprojection_px)
        if camera is right:
            assert any("57 frames" in note for note in measured.notes)
            np.testing.assert_allclose(measured["multiview"].positions, scene.truth.positions[:57], atol=1e-4)
    assert errors[3] < 0.01
    assert errors[0] > 3


def test_another_frame_rate_and_length_is_resampled_over_the_common_span(recorded, scene):
    view = scene.views["cam03"]
    fast = api.PoseSequence(
        np.repeat(view.positions[:40], 2, axis=0) * 0.5
        + np.concatenate([np.repeat(view.positions[:40], 2, axis=0)[1:], view.positions[40:41]]) * 0.5,
        np.arange(80) / 60 + 0.004,
        BODY_25,
        "px",
        "image",
        image_size_px=view.image_size_px,
    )
    archive.write(fast, recorded / "fast.npz")
    trial = trial_of(recorded)
    cameras = (*trial.cameras[:2], CameraConfig("cam03", keypoints=recorded / "fast.npz"), trial.cameras[3])
    measured = api.measure(replace(trial, cameras=cameras))
    assert len(measured["multiview"]) == 39
    assert any("cam03: 80 frames" in note and "60.00 Hz" in note for note in measured.notes)
    assert any("39 interpolated" in step for step in measured["multiview"].history)
    apart_m = np.linalg.norm(measured["multiview"].positions - scene.truth.positions[1:40], axis=2)
    assert np.nanmax(apart_m) < 0.02


def test_exchanged_cameras_are_noticed(recorded):
    """The folders of two cameras were exchanged: what remains after dropping looks good, and the warning tells."""
    trial = trial_of(recorded)
    one, two, *rest = trial.cameras
    exchanged = (replace(one, keypoints=two.keypoints), replace(two, keypoints=one.keypoints), *rest)
    measured = api.measure(replace(trial, cameras=exchanged))
    assert measured.warnings


def test_a_wrong_focal_length_is_warned_of(recorded, scene):
    rig = replace(scene.rig, cameras=tuple(replace(c, matrix=c.matrix * [[1.15], [1.15], [1]]) for c in scene.rig))
    rig_files.write(rig, recorded / "Calib.toml")
    measured = api.measure(trial_of(recorded, stereo=StereoConfig(robust_sigmas=None)))
    assert any("diagonal" in warning for warning in measured.warnings)


def test_clocks_that_do_not_meet_are_refused(recorded):
    trial = trial_of(recorded)
    cameras = (*trial.cameras[:3], replace(trial.cameras[3], offset_s=100.0))
    with pytest.raises(InputError, match="overlap"):
        api.measure(replace(trial, cameras=cameras))


def test_a_bystander_does_not_become_the_patient(recorded, scene):
    """A second person is in two views, unordered and nearer to the camera; the rays of the patient meet in four."""
    rng = np.random.default_rng(3)
    for name in ("cam01", "cam03"):
        for file in (recorded / f"{name}_json").iterdir():
            content = json.loads(file.read_text())
            other = json.loads(json.dumps(content["people"][0]))
            points = np.array(other["pose_keypoints_2d"]).reshape(-1, 3)
            points[:, :2] = points[:, :2] * 1.3 + [-330, -120]
            other["pose_keypoints_2d"] = points.ravel().tolist()
            content["people"].insert(int(rng.integers(2)), other)
            file.write_text(json.dumps(content))
    measured = api.measure(trial_of(recorded))
    np.testing.assert_allclose(measured["multiview"].positions, scene.truth.positions, atol=1e-3)


def test_a_second_person_in_all_views_gives_a_warning(recorded, scene):
    """Another person in every frame of every view: geometry alone cannot decide who the patient is."""
    beside = scene.truth.positions + [1.0, 1.2, 0.0]
    for camera in scene.rig:
        both = np.stack([scene.views[camera.name].positions, camera.world_to_image(beside)], axis=1)
        seen = Detections(both, np.full(both.shape[:3], 0.9), scene.truth.times_s, BODY_25, camera.size_px)
        archive.write(seen, recorded / f"{camera.name}.npz")
    cameras = tuple(CameraConfig(c.name, keypoints=recorded / f"{c.name}.npz") for c in scene.rig)
    measured = api.measure(Trial(cameras, rig=RigConfig(recorded / "Calib.toml")))
    assert len(measured.warnings) == 1


def test_with_a_bystander_the_clock_is_kept(recorded, scene):
    """Another frame rate is interpolated, and gaps stay gaps, also with two people in view."""
    trial = trial_of(recorded, names=("cam01", "cam02", "cam03"), stereo=StereoConfig(robust_sigmas=None))
    view = scene.views["cam03"]
    times_s = np.arange(116) / 60 + 0.01
    times_s = times_s[(times_s < 0.8) | (times_s > 1.2)]
    path = resample(view, times_s).positions
    people = np.full((len(times_s), 2, 25, 2), np.nan)
    people[:, 0] = path
    people[:30, 1] = path[:30] * 1.3 + [-330, -120]
    people[::2] = people[::2, ::-1]
    crowd = Detections(people, np.full(people.shape[:3], 0.9), times_s, BODY_25, (960, 1080))
    archive.write(crowd, recorded / "crowd.npz")
    cameras = (*trial.cameras[:2], CameraConfig("cam03", keypoints=recorded / "crowd.npz"))
    measured = api.measure(replace(trial, cameras=cameras, methods=("multiview", "stereo-cam02-cam03")))
    pair = measured["stereo-cam02-cam03"]
    in_hole = (pair.times_s > 0.795) & (pair.times_s < 1.205)
    assert in_hole.sum() == 13
    assert not pair.valid[in_hole].any()
    assert pair.valid[~in_hole].all()
    assert set(pair.status[~in_hole].ravel()) == {api.Status.INTERPOLATED}
    truth = resample(scene.truth, pair.times_s).positions
    apart_m = np.linalg.norm(pair.positions - truth, axis=2)
    assert np.nanmax(apart_m) < 0.01


def test_one_view_follows_one_person_among_equals(tmp_path, scene):
    """Two people of nearly one size, listed in changing order: one of them is followed, not both by turns."""
    from gonio.detection.tracking import follow
    from gonio.trials.patient import patient_in_view

    rng = np.random.default_rng(5)
    here = scene.views["cam01"].positions
    both = np.stack([here, here * rng.uniform(0.99, 1.01, (len(here), 1, 1)) + [300, 0]], axis=1)
    order = rng.integers(0, 2, len(here))
    shuffled = np.where(order[:, None, None, None] == 0, both, both[:, ::-1])
    seen = Detections(shuffled, np.ones(shuffled.shape[:3]), scene.truth.times_s, BODY_25, (960, 1080))
    people = follow(seen)
    chosen = people.person(*patient_in_view(people, "largest")).positions
    first = here[0] if np.allclose(chosen[0], here[0]) else both[0, 1]
    expected = here if np.allclose(first, here[0]) else both[:, 1]
    np.testing.assert_allclose(chosen, expected)


def test_two_files_of_one_name_are_not_one_world(tmp_path, scene):
    """Recordings have frames of their own unless the trial declares a shared one."""
    paths = [tmp_path / folder / "trial1.trc" for folder in "ab"]
    turned = scene.truth.transformed(
        np.diag([-1.0, -1, 1]), [1, 2, 0], frame="world", frame_name="lab", up="+z", step="turned"
    )
    for path, sequence in zip(paths, (scene.truth, turned), strict=True):
        path.parent.mkdir()
        trc.write(sequence, path)
    recordings = tuple(RecordingConfig(name, path) for name, path in zip("ab", paths, strict=True))
    errors = api.compare(Trial(recordings=recordings, reference="a")).methods["b"]
    assert errors.mpjpe_mm is None
    assert errors.pa_mpjpe_mm == pytest.approx(0, abs=0.1)
    shared = tuple(replace(recording, frame="lab") for recording in recordings)
    errors = api.compare(Trial(recordings=shared, reference="a")).methods["b"]
    assert errors.mpjpe_mm is not None
    assert errors.mpjpe_mm > 1000


def test_cropped_keypoints_fit_the_calibration(recorded, scene):
    """Keypoints of images that lost 100 columns at the left since calibration."""
    trial = trial_of(recorded, names=("cam01", "cam02"), methods=("stereo-cam01-cam02",))
    view = scene.views["cam01"]
    narrow = view.derive(positions=view.positions - [100, 0], image_size_px=(860, 1080))
    archive.write(narrow, recorded / "narrow.npz")
    camera = CameraConfig("cam01", keypoints=recorded / "narrow.npz")
    with pytest.raises(InputError, match=r"860x1080.*960x1080"):
        api.measure(replace(trial, cameras=(camera, trial.cameras[1])))
    (sequence,) = api.measure(replace(trial, cameras=(replace(camera, crop_px=(100, 0)), trial.cameras[1]))).values()
    np.testing.assert_allclose(sequence.positions, scene.truth.positions, atol=1e-4)


def test_what_was_interpolated_before_stays_interpolated(recorded, scene):
    view = scene.views["cam01"]
    archive.write(view.derive("filled elsewhere", status=np.full(view.status.shape, 3)), recorded / "filled.npz")
    trial = trial_of(recorded, names=("cam01", "cam02"), methods=("stereo-cam01-cam02",))
    camera = CameraConfig("cam01", keypoints=recorded / "filled.npz")
    (sequence,) = api.measure(replace(trial, cameras=(camera, trial.cameras[1]))).values()
    assert (sequence.status == api.Status.INTERPOLATED).all()
    assert any(step.endswith("filled elsewhere") for step in sequence.history)


def test_results_of_other_settings_are_not_averaged(recorded):
    from gonio.comparison.result import average

    trial = trial_of(recorded, methods=("multiview", "stereo-cam01-cam02"), reference="multiview")
    results = [api.compare(replace(trial, stereo=StereoConfig(refine=refine))) for refine in ("reprojection", "none")]
    with pytest.raises(api.GonioError, match="stereo"):
        average(results)


def parallel_recording(folder: Path, truth: PoseSequence) -> list[Path]:
    rig = Rig.parallel(0.28, 525.0, (640, 480))
    turned = truth.with_up("-y").positions + [0.0, 0.9, 3.0]
    paths = []
    for camera in rig:
        pixels = camera.world_to_image(turned)
        paths.append(folder / f"{camera.name}.npz")
        archive.write(PoseSequence(pixels, truth.times_s, BODY_25, "px", "image", image_size_px=(640, 480)), paths[-1])
    return paths


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["left first", "right first"])
def test_two_parallel_cameras_in_either_order(tmp_path, scene, order):
    paths = parallel_recording(tmp_path, scene.truth)
    trial = trial_from_files([paths[i] for i in order], baseline_m=0.28, focal_px=525.0)
    sequence = next(iter(api.measure(trial).values()))
    wanted = scene.truth.with_up("-y").positions + [0.0, 0.9, 3.0]
    np.testing.assert_allclose(sequence.positions, wanted, atol=1e-6)
    assert any("exchanged" in note for note in api.measure(trial).notes) == (order == (1, 0))
    assert any("principal" in note for note in api.measure(trial).notes)


def test_parallel_keypoint_folders_need_the_principal_point(tmp_path, scene):
    """OpenPose's files do not state the size of the images, so their centre must be declared."""
    folders = []
    for path in parallel_recording(tmp_path, scene.truth):
        folders.append(tmp_path / f"{path.stem}_json")
        openpose_json.write(archive.read(path), folders[-1])
    options = {"baseline_m": 0.28, "focal_px": 525.0, "layout": "body-25", "fps": 30.0}
    with pytest.raises(ConfigError, match="principal_point_px"):
        api.measure(trial_from_files(folders, **options))
    trial = trial_from_files(folders, principal_point_px=(319.5, 239.5), **options)
    sequence = next(iter(api.measure(trial).values()))
    wanted = scene.truth.with_up("-y").positions + [0.0, 0.9, 3.0]
    np.testing.assert_allclose(sequence.positions, wanted, atol=0.01)


def test_gaps_and_filter_apply_to_every_method_and_are_recorded(recorded):
    trial = trial_of(recorded, methods=("multiview", "stereo-cam01-cam02"), reference="multiview")
    result = api.compare(replace(trial, cleaning=CleaningConfig(max_gap_s=0.2, lowpass_hz=6.0)))
    assert "6 Hz" in result.protocol["filter"]
    for method in result.methods.values():
        assert any("Butterworth" in step or "low-pass" in step for step in method.history)


def write_video(path: Path, size: tuple[int, int], n_frames: int, rate: int = 30) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=rate)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.codec_context.time_base = Fraction(1, rate)
        for i in range(n_frames):
            image = np.full((size[1], size[0], 3), i % 250, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, "rgb24")))
        container.mux(stream.encode())
    return path


class Watching:
    """A detector that returns the scene's joints, in place of a network."""

    name = "blazepose-heavy"
    skeleton = BODY_25
    source = Source("test")
    weights = ()
    finds_everybody = has_3d_estimate = False

    def __init__(self, scene):
        self.scene = scene

    def detect(self, frames, *, camera, image_size_px, on_frame=None):
        times = np.array([frame.time_s for frame in frames])
        view = self.scene.views[camera]
        rows = np.round(times * 30).astype(int)
        return Detections(
            view.positions[rows, None], view.confidence[rows, None], times, BODY_25, image_size_px, camera
        )


def test_videos_of_different_length_and_a_crop(recorded, scene, monkeypatch):
    use_detector(monkeypatch, "blazepose-heavy", Watching(scene))
    lengths = {"cam01": 60, "cam02": 50, "cam03": 60, "cam04": 55}
    cameras = tuple(
        CameraConfig(name, video=write_video(recorded / f"{name}.mp4", (960, 1080), n)) for name, n in lengths.items()
    )
    trial = Trial(cameras, rig=RigConfig(recorded / "Calib.toml"), methods=("multiview",))
    measured = api.measure(trial)
    assert len(measured["multiview"]) == 50
    assert any("cam02: 50 frames" in note for note in measured.notes)
    np.testing.assert_allclose(measured["multiview"].positions, scene.truth.positions[:50], atol=1e-4)

    write_video(recorded / "narrow.mp4", (900, 1080), 60)
    narrow = replace(cameras[0], video=recorded / "narrow.mp4")
    with pytest.raises(InputError, match=r"narrow\.mp4: 900x1080 px.*crop_px"):
        api.measure(replace(trial, cameras=(narrow, *cameras[1:])))
    declared = replace(narrow, crop_px=(0, 0))
    assert len(api.measure(replace(trial, cameras=(declared, *cameras[1:])))["multiview"]) == 50
    with pytest.raises(ConfigError, match="960x1080"):
        api.measure(replace(trial, cameras=(replace(narrow, crop_px=(100, 0)), *cameras[1:])))


def test_a_calibration_is_matched_by_name_not_by_order(recorded, scene):
    """The calibration lists its cameras in another order and spelling."""
    other = Rig("lab", tuple(replace(c, name=c.name.replace("cam", "Cam_")) for c in reversed(scene.rig.cameras)))
    rig_files.write(other, recorded / "Calib.toml")
    measured = api.measure(trial_of(recorded))
    np.testing.assert_allclose(measured["multiview"].positions, scene.truth.positions, atol=1e-4)


def test_the_results_folder_leaves_other_files_alone(recorded, run):
    out = recorded / "out"
    (out / "figures").mkdir(parents=True)
    (out / "figures" / "mine.txt").write_text("keep me")
    text = '[rig]\ncalibration = "Calib.toml"\n' + "".join(
        f'[[cameras]]\nname = "cam0{i}"\nkeypoints = "cam0{i}_json"\nlayout = "body-25"\nfps = 30\n' for i in (1, 2, 3)
    )
    (recorded / "trial.toml").write_text(
        'name = "squat"\nreference = "multiview"\nmethods = ["multiview", "stereo-cam01-cam02"]\n' + text
    )
    done = run("compare", recorded / "trial.toml", "-o", out)
    assert done.returncode == 0, done.stderr
    assert (out / "figures" / "mine.txt").read_text() == "keep me"
    assert {p.name for p in out.iterdir()} == {
        "report.html", "results.json", "provenance.json", "sequences", "angles", "keypoints", "figures", "tables",
    }  # fmt: skip
    page = (out / "report.html").read_text()
    assert "squat" in page
    angles = api.read_angles(out / "angles" / "multiview.mot")
    expected = api.joint_angles(api.read(out / "sequences" / "multiview.npz"))
    np.testing.assert_allclose(angles.degrees["left_knee_flexion"], expected.degrees["left_knee_flexion"], atol=1e-7)


def test_a_mirrored_view_is_warned_of(recorded, scene):
    view = scene.views["cam02"]
    mirrored = view.derive(positions=[[959.0, 0.0]] + view.positions * [[-1.0, 1.0]])
    archive.write(mirrored, recorded / "mirrored.npz")
    trial = trial_of(recorded)
    cameras = (trial.cameras[0], CameraConfig("cam02", keypoints=recorded / "mirrored.npz"), *trial.cameras[2:])
    assert any("mirrored" in warning for warning in api.measure(replace(trial, cameras=cameras)).warnings)


def test_warnings_reach_results_json(recorded, scene):
    rig = replace(scene.rig, cameras=tuple(replace(c, matrix=c.matrix * [[1.15], [1.15], [1]]) for c in scene.rig))
    rig_files.write(rig, recorded / "Calib.toml")
    trial = trial_of(recorded, stereo=StereoConfig(robust_sigmas=None), methods=("multiview", "stereo-cam01-cam02"))
    result = api.compare(replace(trial, reference="multiview"))
    assert any("diagonal" in warning for warning in result.to_json()["protocol"]["warnings"])


def test_recordings_of_one_frame_share_their_vertical(tmp_path, scene):
    """The same joints as .npz (z up) and .trc (y up) are the same place."""
    archive.write(scene.truth, tmp_path / "a.npz")
    trc.write(scene.truth, tmp_path / "b.trc")
    recordings = (
        RecordingConfig("a", tmp_path / "a.npz", frame="lab"),
        RecordingConfig("b", tmp_path / "b.trc", frame="lab"),
    )
    errors = api.compare(Trial(recordings=recordings, reference="a")).methods["b"]
    assert errors.mpjpe_mm == pytest.approx(0, abs=0.01)


def test_what_an_earlier_run_wrote_goes_and_the_users_files_stay(recorded):
    out = recorded / "out"
    trial = trial_of(recorded, methods=("multiview", "stereo-cam01-cam02"), reference="multiview")
    for methods in (("multiview", "stereo-cam01-cam02"), ("multiview", "stereo-cam03-cam04")):
        measured = api.measure(replace(trial, methods=methods))
        api.write_results(out, measured, api.evaluate(measured))
        (out / "sequences" / "mine.csv").write_text("keep me")
    names = {path.stem for path in (out / "sequences").iterdir()}
    assert names == {"multiview", "stereo-cam03-cam04", "mine"}
    record = json.loads((out / "provenance.json").read_text())["files"]
    assert set(record) == {p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file()} - {
        "sequences/mine.csv"
    }


def test_blurred_faces_come_with_a_warning():
    from gonio.trials.config import ReportConfig
    from gonio.trials.overlays import face_warnings

    trial = Trial((CameraConfig("a", video=Path("a.mp4")),))
    assert face_warnings(trial) == ()
    assert "blurred" in face_warnings(replace(trial, report=ReportConfig(blur_faces=True)))[0]
