"""`gonio rectify`, end to end: videos of a nearly parallel pair, made parallel, measured by disparity."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from detectors import use_detector

import gonio as api
from gonio.core.arrays import VideoFrame
from gonio.core.camera import Camera, Rig
from gonio.core.detections import Detections
from gonio.core.errors import ConfigError, InputError
from gonio.core.sequence import PoseSequence, Source
from gonio.core.skeleton import BODY_12
from gonio.io import archive, video
from gonio.io.motion_capture import trc
from gonio.io.rigs import files as rig_files
from gonio.report.video_writing import write_mp4
from gonio.trials.config import CameraConfig, RecordingConfig, RigConfig, Trial, load_trial, trial_text
from gonio.trials.rectify import rectify

SIZE, RATE_HZ, FRAMES = (960, 720), 30.0, 12
JOINTS = len(BODY_12)


def turned(name: str, x_m: float, turn_deg: tuple[float, float, float], focal_px: float) -> Camera:
    """A camera 1.2 m above the floor of a world whose z points up; it looks along the world's y."""
    axes = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
    rotation = cv2.Rodrigues(np.deg2rad(turn_deg))[0] @ axes
    matrix = np.array([[focal_px, 0, 487.0], [0, focal_px, 354.0], [0, 0, 1]])
    return Camera(
        name, SIZE, matrix, (-0.1, 0.05, 1e-3, -5e-4), rotation=rotation, translation=-rotation @ [x_m, 0, 1.2]
    )


@pytest.fixture(scope="module")
def rig() -> Rig:
    """Yawed, pitched and rolled by some degrees against each other, 0.6 m apart, with a third camera far off."""
    side = turned("side", 3.0, (0, -60, 0), 780.0)
    return Rig("lab", (turned("east", 0.3, (-1, -4, 2), 795.0), turned("west", -0.3, (2, 5, -3), 780.0), side), up="+z")


def truth(shift: int = 0) -> np.ndarray:
    """(frame, joint, 3) m: joints at heights of their own, 2.5 to 3 m away, swaying; begun `shift` frames earlier."""
    t = (np.arange(FRAMES) - shift)[:, None] / FRAMES
    joint = np.arange(JOINTS)
    x = 0.3 * np.sin(2.1 * joint) + 0.1 * np.sin(2 * np.pi * t)
    y = 2.75 + 0.2 * np.cos(1.7 * joint) + 0.05 * t
    z = 1.85 - 0.11 * joint + 0 * t
    return np.stack([x, y, z], axis=-1)


def write_dots(path: Path, camera: Camera, shift: int) -> Path:
    """A soft dot at every joint."""
    x, y = np.meshgrid(np.arange(SIZE[0]), np.arange(SIZE[1]))

    def frames():
        for index, joints in enumerate(camera.world_to_image(truth(shift))):
            picture = np.zeros(x.shape)
            for px, py in joints:
                picture += 230 * np.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * 4.0**2))
            grey = np.repeat(np.round(picture).clip(0, 255).astype(np.uint8)[..., None], 3, axis=-1)
            yield VideoFrame(index, index / RATE_HZ, grey)

    write_mp4(path, frames(), crf=4)
    return path


class Dots:
    """Finds bright dots by their centre of brightness; the joints go by row, from the top."""

    name, skeleton, source, weights = "blazepose-heavy", BODY_12, Source("dots"), ()
    finds_everybody = has_3d_estimate = False

    def __init__(self):
        self.sizes = []

    def detect(self, frames, *, camera, image_size_px, on_frame=None):
        self.sizes.append(image_size_px)
        found, times = [], []
        for frame in frames:
            grey = frame.image.mean(axis=-1)
            n, labels = cv2.connectedComponents((grey > 25).astype(np.uint8))
            weight = np.where(grey > 25, grey - 25, 0)
            rows, columns = np.indices(grey.shape)
            sums = [np.bincount(labels.ravel(), (weight * by).ravel(), n)[1:] for by in (1, columns, rows)]
            dots = np.stack([sums[1], sums[2]], axis=-1) / sums[0][:, None]
            assert len(dots) == JOINTS
            found.append(dots[np.argsort(dots[:, 1])])
            times.append(frame.time_s)
        positions = np.array(found)[:, None]
        return Detections(positions, np.ones(positions.shape[:3]), np.array(times), BODY_12, image_size_px, camera)


@pytest.fixture
def filmed(tmp_path, rig, monkeypatch) -> Path:
    """A folder with trial.toml, Calib.toml, east.mp4 and west.mp4, which begins one frame earlier."""
    use_detector(monkeypatch, "blazepose-heavy", Dots())
    rig_files.write(rig, tmp_path / "Calib.toml")
    for name, shift in (("east", 0), ("west", 1)):
        write_dots(tmp_path / f"{name}.mp4", rig[name], shift)
    (tmp_path / "trial.toml").write_text(
        'name = "sway"\nmethods = ["stereo-west-east", "stereo-east-side"]\nreference = "stereo-east-side"\n'
        'caveats = ["made here"]\n[rig]\ncalibration = "Calib.toml"\n[stereo]\nrobust_sigmas = 0.0\n'
        '[[cameras]]\nname = "east"\nvideo = "east.mp4"\n'
        '[[cameras]]\nname = "west"\nvideo = "west.mp4"\noffset_frames = 1\n'
        '[[cameras]]\nname = "side"\nvideo = "side.mp4"\n',
        encoding="utf-8",
    )
    return tmp_path


def test_from_video_to_the_parallel_method(filmed, run):
    """The parallel method on the rectified videos finds what triangulation finds on the videos as they were taken."""
    done = run("rectify", filmed / "trial.toml", "-o", filmed / "out", "--cameras", "east", "west")
    assert done.returncode == 0, done.stderr
    assert "0.6000 m" in done.stdout
    assert "H.264" in done.stdout
    assert "stereo-east-side" in done.stdout
    out = filmed / "out"
    assert {path.name for path in out.iterdir()} == {
        "trial.toml", "trial.toml.provenance.json", "rectification.json", "Calib.toml", "east.mp4", "west.mp4",
    }  # fmt: skip
    new = load_trial(out / "trial.toml")
    assert (new.name, new.methods, new.reference) == ("sway", ("stereo-west-east",), None)
    assert [c.offset_frames for c in new.cameras] == [1, 0]
    assert new.rig.baseline_m == pytest.approx(0.6)
    assert (new.caveats[0], len(new.caveats)) == ("made here", 2)

    old = load_trial(filmed / "trial.toml")
    general = api.measure(replace(old, cameras=old.cameras[:2], methods=("stereo-west-east",), reference=None))
    parallel = api.measure(new)
    assert parallel["stereo-west-east"].source.method == "disparity"
    record = json.loads((out / "rectification.json").read_text())
    back = np.array(record["to_world"]["rotation"]), np.array(record["to_world"]["translation_m"])
    found = parallel["stereo-west-east"].positions @ back[0].T + back[1]
    assert len(found) == FRAMES - 1
    apart_m = np.linalg.norm(found - general["stereo-west-east"].positions, axis=-1)
    assert np.isfinite(apart_m).mean() > 0.98  # a row beyond 3 sigma by chance
    assert np.nanpercentile(apart_m, 95) < 1e-3  # one pixel of disparity is 2 cm of depth here
    assert np.nanmax(apart_m) < 2e-3
    assert np.nanmax(np.linalg.norm(found - truth()[: FRAMES - 1], axis=-1)) < 2e-3

    rows = [parallel.views[name].positions[..., 1] for name in ("west", "east")]
    assert np.percentile(np.abs(rows[0][1:] - rows[1][:-1]), 99) < 0.1  # px


def test_in_the_world_of_the_calibration(filmed):
    """Calib.toml of the rectified pair is in the original world: its triangulation needs no transformation."""
    rectify(load_trial(filmed / "trial.toml"), filmed / "out", cameras=("east", "west"))
    new = load_trial(filmed / "out" / "trial.toml")
    measured = api.measure(replace(new, rig=RigConfig(filmed / "out" / "Calib.toml")))
    apart_m = np.linalg.norm(measured["stereo-west-east"].positions - truth()[: FRAMES - 1], axis=-1)
    assert apart_m.max() < 2e-3


def test_every_frame_and_its_time_stay(filmed):
    rectify(load_trial(filmed / "trial.toml"), filmed / "out", cameras=("east", "west"), alpha=0.0)
    for name in ("east", "west"):
        old, new = (list(video.frames(folder / f"{name}.mp4")) for folder in (filmed, filmed / "out"))
        np.testing.assert_allclose([f.time_s for f in new], [f.time_s for f in old], atol=1e-4)
        assert new[0].image.shape == (720, 960, 3)


def keypoint_trial(folder: Path, rig: Rig, **more) -> Trial:
    rig_files.write(rig, folder / "Calib.toml")
    cameras = []
    for name in ("east", "west"):
        pixels = rig[name].world_to_image(truth())
        sequence = PoseSequence(
            pixels, np.arange(FRAMES) / RATE_HZ, BODY_12, "px", "image", image_size_px=SIZE, frame_name=name
        )
        archive.write(sequence, folder / f"{name}.npz")
        cameras.append(CameraConfig(name, keypoints=folder / f"{name}.npz"))
    return Trial(tuple(cameras), rig=RigConfig(folder / "Calib.toml"), methods=("multiview",), **more)


def test_keypoints_are_moved(tmp_path, rig):
    done = rectify(keypoint_trial(tmp_path, rig), tmp_path / "out")
    assert {path.suffix for path in (tmp_path / "out").iterdir()} == {".npz", ".toml", ".json"}
    new = load_trial(tmp_path / "out" / "trial.toml")
    assert new == done.trial
    (sequence,) = api.measure(new).values()
    rotation, translation_m = done.pair.to_world
    np.testing.assert_allclose(sequence.positions @ rotation.T + translation_m, truth(), atol=1e-5)
    assert sequence.history


def test_a_click_and_a_region_move_with_the_image(filmed):
    old = load_trial(filmed / "trial.toml")
    east = replace(old.cameras[0], click_px=(300.0, 200.0), region_px=(100.0, 50.0, 500.0, 400.0))
    done = rectify(replace(old, cameras=(east, old.cameras[1])), filmed / "out")
    new = next(c for c in done.trial.cameras if c.name == "east")
    np.testing.assert_allclose(new.click_px, done.pair.points("east", [300.0, 200.0]), atol=0.06)
    corners = done.pair.points("east", [[100, 50], [500, 50], [100, 400], [500, 400]])
    x1, y1, x2, y2 = new.region_px
    assert ((corners >= [x1 - 0.1, y1 - 0.1]) & (corners <= [x2 + 0.1, y2 + 0.1])).all()
    assert any("region_px" in note for note in done.notes)


def test_a_recording_in_the_rigs_frame_keeps_its_own(tmp_path, rig):
    positions = truth()
    trc.write(
        PoseSequence(positions, np.arange(FRAMES) / RATE_HZ, BODY_12, "m", "world", frame_name="lab", up="+z"),
        tmp_path / "vicon.trc",
    )
    recording = RecordingConfig("vicon", tmp_path / "vicon.trc", frame="rig")
    trial = keypoint_trial(tmp_path, rig, recordings=(recording,), reference="vicon")
    done = rectify(trial, tmp_path / "out")
    assert any("vicon" in note for note in done.notes)
    errors = api.compare(tmp_path / "out" / "trial.toml").methods["multiview"]
    assert errors.mpjpe_mm is None
    assert errors.pa_mpjpe_mm == pytest.approx(0, abs=0.1)


def test_what_cannot_be_rectified_leaves_nothing(filmed, run):
    done = run("rectify", filmed / "trial.toml", "-o", filmed / "out")
    assert done.returncode == 2
    assert re.fullmatch(r"gonio: sway: .*\(east, west, side\).* --cameras\n", done.stderr)
    trial = load_trial(filmed / "trial.toml")
    shutil.copy(filmed / "east.mp4", filmed / "side.mp4")
    with pytest.raises(InputError, match=r"65\.1 degrees"):
        rectify(trial, filmed / "out", cameras=("side", "west"))
    with pytest.raises(ConfigError, match="'north'"):
        rectify(trial, filmed / "out", cameras=("north", "west"))
    with pytest.raises(ConfigError, match="calibration"):
        rectify(replace(trial, rig=RigConfig(baseline_m=0.3, focal_px=500.0)), filmed / "out", cameras=("east", "west"))
    assert not (filmed / "out").exists()
    (filmed / "west.mp4").write_bytes((filmed / "west.mp4").read_bytes()[:4000])
    with pytest.raises(InputError, match=r"west\.mp4"):
        rectify(trial, filmed / "out", cameras=("east", "west"))
    assert not (filmed / "out").exists()


def test_a_trial_is_written_as_it_is_read(filmed):
    trial = load_trial(filmed / "trial.toml")
    (filmed / "again").mkdir()
    (filmed / "again" / "trial.toml").write_text(trial_text(trial, filmed / "again"), encoding="utf-8")
    again = load_trial(filmed / "again" / "trial.toml")
    assert [c.file.resolve() for c in again.cameras] == [c.file.resolve() for c in trial.cameras]
    assert replace(again, cameras=trial.cameras, rig=trial.rig) == trial
