"""A person who bends the knees and raises the arms, seen by calibrated cameras, as the files that gonio reads."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from gonio.core.camera import Camera, Rig
from gonio.core.sequence import PoseSequence
from gonio.core.skeleton import BODY_25, COCO_17, H36M_17
from gonio.io import openpose_json
from gonio.io.rigs import files as rig_files
from gonio.lifting import checkpoints
from gonio.lifting.architecture import Architecture
from gonio.lifting.checkpoints import Weights

RATE_HZ = 30.0
STANDING_M = {
    "nose": (0.12, 0.0, 1.62), "neck": (0.0, 0.0, 1.45), "mid_hip": (0.0, 0.0, 0.95),
    "left_shoulder": (0.0, 0.19, 1.45), "left_elbow": (0.02, 0.24, 1.15), "left_wrist": (0.08, 0.26, 0.90),
    "left_hip": (0.0, 0.10, 0.95), "left_knee": (0.03, 0.11, 0.51), "left_ankle": (0.0, 0.11, 0.08),
    "left_eye": (0.10, 0.03, 1.66), "left_ear": (0.02, 0.08, 1.64), "left_big_toe": (0.18, 0.13, 0.03),
    "left_small_toe": (0.15, 0.18, 0.03), "left_heel": (-0.06, 0.11, 0.03),
}  # fmt: skip


@dataclass(frozen=True)
class Scene:
    """truth: 3D, z up; rig: four cameras round it; views: what each camera sees, without noise."""

    truth: PoseSequence
    rig: Rig
    views: dict[str, PoseSequence]


def person(n_frames: int = 60) -> PoseSequence:
    """(time, 25, 3) m: x forward, y to the person's left, z up."""
    points = dict(STANDING_M)
    for name, (x, y, z) in STANDING_M.items():
        if name.startswith("left_"):
            points["right_" + name[5:]] = (x, -y, z)
    still = np.array([points[joint] for joint in BODY_25.joints])
    positions = np.repeat(still[None], n_frames, axis=0)
    phase = np.sin(np.linspace(0, 2 * np.pi, n_frames)) ** 2
    for side in ("left", "right"):
        turn(positions, f"{side}_shoulder", [f"{side}_elbow", f"{side}_wrist"], 1.2 * phase)
        leg = [f"{side}_{joint}" for joint in ("ankle", "big_toe", "small_toe", "heel")]
        turn(positions, f"{side}_hip", [f"{side}_knee", *leg], 0.6 * phase)
        turn(positions, f"{side}_knee", leg, -1.2 * phase)
    return PoseSequence(positions, np.arange(n_frames) / RATE_HZ, BODY_25, "m", "world", frame_name="lab", up="+z")


def turn(positions: np.ndarray, about: str, joints: list[str], angle_rad: np.ndarray) -> None:
    """Joints turned in the x-z plane about another joint: forwards for a positive angle; bones keep their length."""
    centre = positions[:, BODY_25.index(about)]
    for joint in joints:
        x, z = (positions[:, BODY_25.index(joint), axis] - centre[:, axis] for axis in (0, 2))
        positions[:, BODY_25.index(joint), 0] = centre[:, 0] + np.cos(angle_rad) * x - np.sin(angle_rad) * z
        positions[:, BODY_25.index(joint), 2] = centre[:, 2] + np.sin(angle_rad) * x + np.cos(angle_rad) * z


def looking_at(name: str, center_m: np.ndarray, target_m: np.ndarray) -> Camera:
    """A level camera at `center_m` that looks at `target_m`."""
    forward = (target_m - center_m) / np.linalg.norm(target_m - center_m)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    rotation = np.stack([right, np.cross(forward, right), forward])
    matrix = np.array([[900.0, 0, 479.5], [0, 900.0, 539.5], [0, 0, 1]])
    return Camera(name, (960, 1080), matrix, (-0.1, 0.05, 1e-3, -5e-4), "opencv", rotation, -rotation @ center_m)


@pytest.fixture(scope="session")
def scene() -> Scene:
    truth = person()
    cameras = tuple(
        looking_at(f"cam{i + 1:02d}", np.array([4 * np.cos(a), 4 * np.sin(a), 1.4]), np.array([0, 0, 0.9]))
        for i, a in enumerate(np.deg2rad([20, 110, 200, 290]))
    )
    rig = Rig("lab", cameras, up="+z")
    views = {
        c.name: PoseSequence(
            c.world_to_image(truth.positions),
            truth.times_s,
            BODY_25,
            "px",
            "image",
            frame_name=c.name,
            image_size_px=c.size_px,
            confidence=np.full((len(truth), 25), 0.9),
        )
        for c in cameras
    }
    return Scene(truth, rig, views)


@pytest.fixture
def recorded(scene: Scene, tmp_path: Path) -> Path:
    """A folder with Calib.toml and cam01_json ... cam04_json."""
    rig_files.write(scene.rig, tmp_path / "Calib.toml")
    for name, view in scene.views.items():
        openpose_json.write(view, tmp_path / f"{name}_json")
    return tmp_path


def gonio(*arguments: object, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command line as a user does."""
    import os

    return subprocess.run(
        [sys.executable, "-m", "gonio", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env=os.environ | environment,
        timeout=280,
    )


@pytest.fixture(scope="session")
def run():
    return gonio


def flat_network(causal: bool = False) -> Weights:
    """A network that answers with the keypoints of the middle frame (causal: the last) and depth 0: no training, and
    right for a person who moves in a plane parallel to the image. Takes and gives what gonio's own networks do."""
    architecture = Architecture((3, 3), in_features=3, channels=2 * 51, causal=causal)
    arrays = {name: np.zeros(shape) for name, shape in architecture.shapes.items()}
    for name in arrays:
        if name.endswith(("bn.weight", "running_var")) or (name.endswith(".weight") and "_bn" in name):
            arrays[name] += 1.0
    own = {joint: (joint,) for joint in H36M_17.joints if joint in COCO_17}
    own |= {"mid_hip": ("left_hip", "right_hip"), "thorax": ("left_shoulder", "right_shoulder")}
    own |= {"spine": (*own["mid_hip"], *own["thorax"]), "neck_nose": ("nose",), "head_top": ("left_ear", "right_ear")}
    tap = 2 if causal else 1
    for number in range(51):  # each number passes the rectifier as it is and negated
        arrays["expand_conv.weight"][2 * number, number, tap] = 1.0
        arrays["expand_conv.weight"][2 * number + 1, number, tap] = -1.0
    for joint, sources in own.items():
        for source in sources:
            for axis in range(2):
                number, out = 3 * COCO_17.index(source) + axis, 3 * H36M_17.index(joint) + axis
                arrays["shrink.weight"][out, 2 * number] = 1.0 / len(sources)
                arrays["shrink.weight"][out, 2 * number + 1] = -1.0 / len(sources)
    return Weights(architecture, arrays, None, {"normalisation": "body"})


@pytest.fixture(scope="session")
def flat_weights(tmp_path_factory) -> Path:
    """A folder with lifter-coco17-27 and lifter-coco17-causal as flat networks, as gonio's own weights would lie."""
    folder = tmp_path_factory.mktemp("weights")
    for name, causal in (("lifter-coco17-27", False), ("lifter-coco17-causal", True)):
        checkpoints.write(flat_network(causal), folder / f"{name}.safetensors")
    return folder


@pytest.fixture
def shipped_weights(flat_weights, monkeypatch) -> Path:
    """gonio's own weights are flat networks here."""
    from gonio.lifting import weights

    monkeypatch.setattr(weights, "FOLDER", flat_weights)
    return flat_weights
