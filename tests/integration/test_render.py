"""`gonio render`: keypoints, joints and a video in, an image of both out; and joints at another rate."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import gonio as api
from gonio.core.arrays import VideoFrame
from gonio.core.errors import GonioError, InputError
from gonio.core.sequence import PoseSequence
from gonio.core.skeleton import H36M_17
from gonio.io import video
from gonio.report.video_writing import write_mp4
from gonio.trials.single_step import render


@pytest.fixture
def files(scene, tmp_path: Path) -> Path:
    """cam01.npz and cam01.mp4; joints relative to the hips (lifted.npz, lifted.npy) and in the world (world.trc)."""
    camera = scene.rig["cam01"]
    seen = scene.truth.transformed(
        camera.rotation, camera.translation, frame="camera", frame_name="cam01", up="-y", step="seen by cam01"
    ).to_skeleton(H36M_17)
    lifted = seen.derive(positions=seen.positions - seen.root_m()[:, None], frame="root")
    api.write(scene.views["cam01"], tmp_path / "cam01.npz")
    api.write(lifted, tmp_path / "lifted.npz")
    api.write(lifted, tmp_path / "lifted.npy")
    api.write(scene.truth, tmp_path / "world.trc")
    grey = np.full((1080, 960, 3), 120, np.uint8)
    write_mp4(tmp_path / "cam01.mp4", (VideoFrame(i, t, grey) for i, t in enumerate(scene.truth.times_s.tolist())))
    return tmp_path


def test_render_as_video_and_gif(files, run):
    done = run("render", "cam01.npz", "lifted.npz", "world.trc", "--video", "cam01.mp4", "-o", "lifted.mp4", cwd=files)
    assert done.returncode == 0, done.stderr
    assert (done.stderr, len(done.stdout.splitlines())) == ("", 1)
    shown = list(video.frames(files / "lifted.mp4"))
    assert len(shown) == 60
    assert shown[0].image.shape == (720, 640 + 2 * 576, 3)
    np.testing.assert_allclose([frame.time_s for frame in shown], np.arange(60) / 30, atol=1e-3)
    provenance = json.loads((files / "lifted.mp4.provenance.json").read_text())
    assert provenance["command"] == "render"
    assert len(provenance["steps"]) == 1
    assert "60" in provenance["steps"][0]
    done = run("render", "cam01.npz", "lifted.npy", "--fps", "30", "-o", "lifted.gif", cwd=files)
    assert done.returncode == 0, done.stderr
    assert len(list(video.frames(files / "lifted.gif"))) == 30


def test_what_is_missing_is_told(files, run):
    world = api.read(files / "world.trc")
    api.write(world.between(0.5, 1.5), files / "part.npz")
    done = run("render", "cam01.npz", "part.npz", "-o", "part.gif", cwd=files)
    assert re.search(r"part: .*15 of 30", done.stdout)


@pytest.mark.parametrize(
    ("keypoints", "joints", "output", "expected"),
    [
        ("cam01.npz", ["lifted.npy"], "out.mp4", r"lifted\.npy.*--fps"),
        ("cam01.npz", ["late.npz"], "out.mp4", r"cam01\.npz.*late"),
        ("cam01.npz", [], "out.mp4", "cam01.npz: .*3D"),
        ("world.trc", ["lifted.npz"], "out.mp4", "world.trc: .*3D"),
        ("cam01.npz", ["cam01.npz"], "out.mp4", "2D"),
        ("cam01.npz", ["lifted.npz"], "out.avi", r"\.mp4.*\.gif"),
        ("cam01.npz", ["lifted.npz"], "cam01.mp4", "cam01.mp4: .*input"),
        ("cam01.npz", ["absent.npz"], "out.mp4", "absent.npz: "),
        ("small.npz", ["lifted.npz"], "out.mp4", r"small\.npz: .*960 x 1080 px.*480 x 540 px"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(files, keypoints, joints, output, expected):
    lifted, view = api.read(files / "lifted.npz"), api.read(files / "cam01.npz")
    api.write(lifted.shifted(60, "another recording"), files / "late.npz")
    api.write(replace(view, image_size_px=(480, 540)), files / "small.npz")
    before = sorted(files.iterdir())
    with pytest.raises(InputError, match=expected):
        render(files / keypoints, [files / name for name in joints], files / output, video=files / "cam01.mp4")
    assert sorted(files.iterdir()) == before


def test_joints_at_the_recorders_rate(files, run):
    fast = api.read(files / "lifted.npz")
    fast = PoseSequence(fast.positions, np.arange(60) / 50, H36M_17, "m", "root", up="-y")
    api.write(fast, files / "fast.npz")
    done = run("convert", "fast.npz", "fast.txt", "--fps-out", "30", cwd=files)
    assert done.returncode == 0, done.stderr
    assert re.search(r"50 .*30 .*36 .*12 .*24", done.stdout)
    back = api.read(files / "fast.txt")
    np.testing.assert_allclose(back.times_s, np.arange(36) / 30, atol=1e-9)
    np.testing.assert_allclose(back["left_knee"][::3], (fast["left_knee"] * [-1, -1, 1])[::5], atol=1e-7)
    done = run("convert", "fast.npz", "fast.npy", "--fps-out", "0", cwd=files)
    assert done.returncode == 2
    assert re.fullmatch(r"gonio: .*\b0\b.*\n", done.stderr)
    assert not (files / "fast.npy").exists()
    with pytest.raises(GonioError):
        api.read(files / "fast.npy")
