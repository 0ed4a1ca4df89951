"""Two people in view, in a new order in every frame: the patient is chosen by a click in the trial or by options."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from detectors import use_detector

import gonio as api
from gonio.core.detections import Detections
from gonio.core.errors import ConfigError, InputError
from gonio.core.sequence import PoseSequence
from gonio.core.skeleton import BODY_25
from gonio.io import archive, openpose_json
from gonio.io.rigs import files as rig_files
from gonio.trials.config import CameraConfig, DetectorConfig, RigConfig, Trial
from gonio.trials.detect import detect_video


@pytest.fixture
def two_people(tmp_path: Path, scene) -> tuple[Path, dict[str, PoseSequence]]:
    """A folder with Calib.toml and cam01_json ...: the scene's person and a second one, who walks past; both in 3D."""
    rng = np.random.default_rng(11)
    walk = np.linspace([-1.5, 0.9, 0.0], [1.5, 1.1, 0.0], len(scene.truth))
    other = scene.truth.derive(positions=scene.truth.positions[::-1] * [1, 1, 0.95] + walk[:, None])
    people = {"patient": scene.truth, "other": other}
    rig_files.write(scene.rig, tmp_path / "Calib.toml")
    for camera in scene.rig:
        pixels = np.stack([camera.world_to_image(person.positions) for person in people.values()], axis=1)
        order = np.argsort(rng.random(pixels.shape[:2]), axis=1)
        pixels = np.take_along_axis(pixels, order[..., None, None], axis=1)
        seen = Detections(pixels, np.full(pixels.shape[:3], 0.9), scene.truth.times_s, BODY_25, camera.size_px)
        openpose_json.write(seen, tmp_path / f"{camera.name}_json")
    return tmp_path, people


def cameras(folder: Path, **clicks: tuple[float, float]) -> tuple[CameraConfig, ...]:
    return tuple(
        CameraConfig(
            name, keypoints=folder / f"{name}_json", layout="body-25", fps=30.0, click_px=clicks.get(name), click_s=None
        )
        for name in ("cam01", "cam02", "cam03", "cam04")
    )


@pytest.mark.parametrize("who", ["patient", "other"])
def test_a_click_decides_which_person_is_measured(two_people, scene, who):
    folder, people = two_people
    hip = scene.rig["cam03"].world_to_image(people[who]["mid_hip"][30])
    clicked = replace(cameras(folder)[2], click_px=tuple(hip), click_s=1.0)
    trial = Trial((*cameras(folder)[:2], clicked, cameras(folder)[3]), rig=RigConfig(folder / "Calib.toml"))
    measured = api.measure(replace(trial, methods=("multiview",)))
    np.testing.assert_allclose(measured["multiview"].positions, people[who].positions, atol=1e-3)
    assert "cam03" in measured.views["cam01"].history[-1]  # in which the patient was clicked on
    assert measured.warnings == ()
    assert measured.detections["cam01"].people_per_frame.tolist() == [2] * 60


def test_a_trial_file_with_a_click_is_compared(two_people, scene, run):
    """`gonio compare` with a second person in view and a click in the trial file."""
    folder, people = two_people
    hip = scene.rig["cam02"].world_to_image(people["other"]["mid_hip"][0])
    lines = ['methods = ["multiview", "stereo-cam01-cam02"]', 'reference = "multiview"', "[rig]"]
    lines += ['calibration = "Calib.toml"', "[report]", "videos = false"]
    for name in scene.rig.camera_names:
        lines += ["[[cameras]]", f'name = "{name}"', f'keypoints = "{name}_json"', 'layout = "body-25"', "fps = 30"]
        lines += [f"click_px = [{hip[0]:.1f}, {hip[1]:.1f}]"] if name == "cam02" else []
    (folder / "trial.toml").write_text("\n".join(lines))
    done = run("compare", folder / "trial.toml", "-o", folder / "results")
    assert done.returncode == 0, done.stderr
    measured = api.read(folder / "results" / "sequences" / "multiview.npz")
    np.testing.assert_allclose(measured.positions, people["other"].positions, atol=1e-3)
    errors = json.loads((folder / "results" / "results.json").read_text())["methods"]["stereo-cam01-cam02"]
    assert errors["mpjpe_mm"] < 1


def test_a_click_on_no_person_is_one_line(two_people, run):
    folder, _ = two_people
    trial = Trial(cameras(folder, cam01=(3.0, 5.0)), rig=RigConfig(folder / "Calib.toml"))
    with pytest.raises(InputError, match=r"cam01.*3, 5 px"):
        api.measure(trial)


def test_a_click_time_without_a_click_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="click_s"):
        CameraConfig("a", video=tmp_path / "a.mp4", click_s=1.0)


def test_one_view_of_two_people_is_followed_in_a_folder_of_openpose(two_people, scene):
    """Lifting takes the largest of a JSON folder, always the same one."""
    from gonio.trials.single_step import read_person

    folder, people = two_people
    person = read_person(folder / "cam01_json", layout="body-25", fps=30.0)
    truths = [scene.rig["cam01"].world_to_image(each.positions) for each in people.values()]
    assert min(np.abs(person.positions - truth).max() for truth in truths) < 0.01


class Crowd:
    """A detector that finds two people in a new order in every frame, and at times a third who is not there."""

    name, weights = "crowd", ()
    finds_everybody, has_3d_estimate = True, False

    def __init__(self, scene, positions):
        self.scene, self.positions = scene, positions

    def detect(self, frames, *, camera, image_size_px, on_frame=None):
        times = [frame.time_s for frame in frames]
        rng = np.random.default_rng(0)
        three = np.full((len(times), 3, 25, 2), np.nan)
        three[:, :2] = self.positions[: len(times)]
        three[10:12, 2] = self.positions[10:12, 0] * 0.3
        order = np.argsort(rng.random(three.shape[:2]), axis=1)
        three = np.take_along_axis(three, order[..., None, None], axis=1)
        return Detections(three, np.full(three.shape[:3], 0.9), np.array(times), BODY_25, image_size_px)


@pytest.fixture
def film(tmp_path, scene, monkeypatch):
    """A black video of 2 s whose detector sees the scene's person and a smaller one; the truth (time, 2, 25, 2) px."""
    path = tmp_path / "film.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = 960, 1080, "yuv420p"
        for _ in range(60):
            frame = av.VideoFrame.from_ndarray(np.zeros((1080, 960, 3), np.uint8), format="rgb24")
            for packet in stream.encode(frame):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    here = scene.views["cam01"].positions
    both = np.stack([here, 0.6 * here[::-1] + [40, 300]], axis=1)
    use_detector(monkeypatch, "crowd", Crowd(scene, both))
    return path, both


def test_detect_follows_the_largest_person_or_the_one_clicked_on(film):
    path, both = film
    np.testing.assert_allclose(detect_video(path, DetectorConfig("crowd")).patient.positions, both[:, 0])
    x, y = both[45, 1, BODY_25.index("mid_hip")]
    found = detect_video(path, DetectorConfig("crowd", people=2), click_px=(x, y), click_s=1.5)
    np.testing.assert_allclose(found.patient.positions, both[:, 1])
    np.testing.assert_allclose(found.people.positions, both[:, ::-1])
    assert found.detections.people_per_frame[10] == 3


def test_only_people_inside_the_region_are_found(film):
    path, both = film
    hips = [BODY_25.index(f"{side}_hip") for side in ("left", "right")]
    x, y = both[:, 1, hips].mean(axis=1).T  # of the second person
    region = (x.min() - 1, y.min() - 1, x.max() + 1, y.max() + 1)
    found = detect_video(path, DetectorConfig("crowd"), region_px=region).detections
    kept = found.present
    assert found.positions.shape[1] == kept.sum(axis=1).max()
    second = np.abs(found.positions - both[:, 1:]).max(axis=(2, 3)) < 1e-9
    assert second.any(axis=1).all()
    middles = found.positions[:, :, hips].mean(axis=2)[kept]
    assert ((middles >= region[:2]) & (middles <= region[2:])).all()
    left_out = 60 * 2 + 2 - kept.sum()
    assert left_out > 0
    assert str(left_out) in found.history[-1]


def test_detect_writes_the_person_clicked_on(film, monkeypatch, capsys):
    from gonio.cli import main

    path, both = film
    x, y = both[0, 1, BODY_25.index("mid_hip")]
    output = path.with_name("joints.npz")
    line = ["gonio", "detect", str(path), "--detector", "crowd", "--click", f"{x:.1f}", f"{y:.1f}", "-o", str(output)]
    monkeypatch.setattr("sys.argv", line)
    main()
    person = archive.read(output)
    assert isinstance(person, PoseSequence)
    np.testing.assert_allclose(person.positions, both[:, 1])
    monkeypatch.setattr("sys.argv", [*line[:5], "--click-time", "1", "-o", str(output)])
    with pytest.raises(SystemExit):
        main()
    assert "--click-time" in capsys.readouterr().err
