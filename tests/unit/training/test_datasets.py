"""Labelled data: Human3.6M's and HumanEva's targets reproject onto their keypoints; UI-PRMD and CMU become bodies."""

from __future__ import annotations

import gzip
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gonio.core.errors import InputError
from gonio.core.sequence import PoseSequence
from gonio.core.skeleton import COCO_17, H36M_17
from gonio.io import archive
from gonio.io.motion_capture import trc
from gonio.io.motion_capture.ui_prmd import MARKERS_39
from gonio.io.rigs import subject_cameras
from gonio.io.videopose3d_npz import H36M_DROPPED, HUMANEVA_15, VideoPose3DSet
from gonio.training.bodies import BODY_22
from gonio.training.datasets import (
    LabelledPair,
    Loaded,
    action_of,
    cmu_bodies,
    own_bodies,
    ui_prmd_bodies,
    ui_prmd_pairs,
    videopose3d_pairs,
)
from gonio.training.protocol_l1 import protocol_l1

KEPT = np.delete(np.arange(32), H36M_DROPPED)
H36M = {"layout_name": "h36m", "num_joints": 17, "keypoints_symmetry": [[4, 5, 6, 11, 12, 13], [1, 2, 3, 14, 15, 16]]}
COCO = {"layout_name": "coco", "num_joints": 17, "keypoints_symmetry": [[1, 3], [2, 4]]}


def random_body(n_frames: int, n_joints: int, seed: int) -> np.ndarray:
    """(time, joint, 3) m, near the origin of Human3.6M's world, z up."""
    rng = np.random.default_rng(seed)
    still = rng.uniform((-0.5, -0.5, 0.1), (0.5, 0.5, 1.7), (n_joints, 3))
    return (still + 0.01 * rng.normal(size=(n_frames, n_joints, 3))).astype(np.float32)


@pytest.fixture
def h36m(tmp_path: Path) -> tuple[Path, Path]:
    """Both sets as VideoPose3D's scripts make them: 2D are the projections, by Human3.6M's cameras, of the 3D."""
    frames = {
        "S1": {"Directions": 8, "Walking": 6},
        "S9": {"Directions": 9, "Directions 1": 7, "WalkDog": 5},
        "S11": {"Directions": 4, "Directions 1": 6, "WalkDog": 5},
    }
    solid: dict[str, dict[str, np.ndarray]] = {}
    flat: dict[str, dict[str, list[np.ndarray]]] = {}
    for subject, recordings in frames.items():
        for number, (recording, n_frames) in enumerate(recordings.items()):
            joints = random_body(n_frames + 2, 32, number)
            solid.setdefault(subject, {})[recording] = joints[:n_frames]
            flat.setdefault(subject, {})[recording] = [
                camera.world_to_image(joints[:, KEPT])[: n_frames + 2 * (camera.name == "55011271")].astype(np.float32)
                for camera in subject_cameras.human36m()[subject]
            ]
    np.savez_compressed(tmp_path / "data_3d_h36m.npz", positions_3d=solid)
    np.savez_compressed(tmp_path / "data_2d_h36m_gt.npz", positions_2d=flat, metadata=H36M)
    return tmp_path / "data_3d_h36m.npz", tmp_path / "data_2d_h36m_gt.npz"


def pairs_of(path_3d: Path, path_2d: Path, **options: Any) -> Loaded[LabelledPair]:
    return videopose3d_pairs(VideoPose3DSet(path_3d), VideoPose3DSet(path_2d), **options)


def test_human36m_targets_reproject_onto_their_keypoints(h36m: tuple[Path, Path]) -> None:
    pairs = pairs_of(*h36m)
    assert len(pairs) == 4 * 7
    (skipped,) = pairs.skipped
    assert skipped.startswith("S11/Directions ")
    for pair in pairs:
        assert pair.camera is not None
        assert (pair.target.skeleton, pair.target.frame, pair.target.unit) == (H36M_17, "root", "m")
        assert pair.target.frame_name == pair.keypoints.frame_name == pair.camera_name == pair.camera.name
        np.testing.assert_array_equal(pair.target.positions[:, 0], 0)
        np.testing.assert_array_equal(pair.target.times_s, pair.keypoints.times_s)
        assert pair.keypoints.rate_hz == pytest.approx(50)
        assert pair.keypoints.image_size_px == pair.camera.size_px
        pixels = pair.camera.camera_to_image(pair.target.positions + pair.root_m[:, None])
        np.testing.assert_allclose(pixels, pair.keypoints.positions, atol=0.01)
        assert (pair.root_m[:, 2] > 3).all()  # in front


def test_long_recordings_share_their_times(tmp_path: Path) -> None:
    """The median interval of 160 frames is not exactly 1/50 s; the pairs must not depend on it."""
    joints = random_body(160, 32, 0)
    views = [camera.world_to_image(joints[:, KEPT]) for camera in subject_cameras.human36m()["S9"]]
    np.savez(tmp_path / "data_3d_h36m.npz", positions_3d={"S9": {"Walking": joints}})
    np.savez(tmp_path / "data_2d_h36m_gt.npz", positions_2d={"S9": {"Walking": views}}, metadata=H36M)
    for pair in pairs_of(tmp_path / "data_3d_h36m.npz", tmp_path / "data_2d_h36m_gt.npz"):
        np.testing.assert_array_equal(pair.keypoints.times_s, pair.target.times_s)


def test_human36m_in_the_axes_of_each_camera(h36m: tuple[Path, Path]) -> None:
    with np.load(h36m[0], allow_pickle=True) as npz:
        world = npz["positions_3d"].item()["S9"]["WalkDog"][:, KEPT].astype(float)
    pairs = [pair for pair in pairs_of(*h36m, subjects=["S9"]) if pair.recording == "WalkDog"]
    for pair in pairs:
        assert pair.camera is not None
        back = (pair.target.positions + pair.root_m[:, None] - pair.camera.translation) @ pair.camera.rotation
        np.testing.assert_allclose(back, world, atol=1e-9)
        up = (pair.camera.rotation @ (0, 0, 1.0))[1]
        assert up < -0.9  # y down


def test_2d_and_3d_are_cut_to_the_shorter(h36m: tuple[Path, Path]) -> None:
    pairs = {pair.camera_name: pair for pair in pairs_of(*h36m, subjects=["S1"], actions=["Walking"])}
    longer = pairs["55011271"]
    assert len(longer.keypoints) == len(longer.target) == 6
    words = "cut to the first 6 frames; 2D had 8, 3D 6"
    assert words in longer.keypoints.history
    assert words in longer.target.history
    assert not any("cut" in step for step in pairs["54138969"].keypoints.history)


def test_takes_of_an_action_share_its_name(h36m: tuple[Path, Path]) -> None:
    pairs = pairs_of(*h36m, subjects=["S9", "S11"], actions=["Directions"])
    assert {(pair.subject, pair.action, pair.recording) for pair in pairs} == {
        ("S9", "Directions", "Directions"),
        ("S9", "Directions", "Directions 1"),
        ("S11", "Directions", "Directions 1"),
    }
    assert [action_of(name) for name in ("WalkDog", "WalkDog 1", "Walking 1 chunk0")] == [
        "WalkDog",
        "WalkDog",
        "Walking",
    ]


def test_unusable_human36m_files(h36m: tuple[Path, Path], tmp_path: Path) -> None:
    solid, flat = h36m
    for arguments, options, words in (
        ((flat, flat), {}, "3D"),
        ((solid, solid), {}, "2D"),
        ((solid, flat), {"subjects": ["S2"]}, "subject"),
        ((solid, flat), {"actions": ["Walk"]}, r"recording.*Directions"),
        ((solid, tmp_path / "none.npz"), {}, "no such file"),
    ):
        with pytest.raises(InputError, match=words):
            pairs_of(*arguments, **options)
    np.savez(tmp_path / "data_3d_other.npz", positions_3d={"S2": {"Walking": random_body(3, 32, 0)}})
    np.savez(tmp_path / "data_2d_other.npz", positions_2d={"S2": {"Walking": [np.ones((3, 17, 2))]}}, metadata=H36M)
    with pytest.raises(InputError, match=r"S2\b.* S1, S5"):
        pairs_of(tmp_path / "data_3d_other.npz", tmp_path / "data_2d_other.npz")
    np.savez(tmp_path / "data_2d_five.npz", positions_2d={"S1": {"Walking": [np.ones((3, 17, 2))] * 5}}, metadata=H36M)
    with pytest.raises(InputError, match=r"S1/Walking .*\b5 views.*\b4 cameras"):
        pairs_of(solid, tmp_path / "data_2d_five.npz", subjects=["S1"])


def test_humaneva_with_cameras_of_a_table(tmp_path: Path) -> None:
    cameras = subject_cameras.human36m()["S1"][:3]
    table = {
        "cameras": {
            camera.name: {
                "size_px": list(camera.size_px),
                "matrix": camera.matrix.tolist(),
                "distortion_model": "h36m",
                "distortion": list(camera.distortion),
            }
            for camera in cameras
        },
        "subjects": {
            "S1": {
                camera.name: {"rotation": camera.rotation.tolist(), "translation_m": camera.translation.tolist()}
                for camera in cameras
            }
        },
    }
    (tmp_path / "cameras.json").write_text(json.dumps(table))
    joints = {"Walking 1 chunk0": random_body(5, 15, 0), "Walking 1 chunk1": random_body(4, 15, 1)}
    flat = {
        name: [
            camera.world_to_image(np.concatenate([each, each[:, :2]], axis=1)).astype(np.float32) for camera in cameras
        ]
        for name, each in joints.items()
    }
    solid_path, flat_path = tmp_path / "data_3d_humaneva15.npz", tmp_path / "data_2d_humaneva15_detectron.npz"
    np.savez(solid_path, positions_3d={"Validate/S1": joints})
    np.savez(flat_path, positions_2d={"Validate/S1": flat}, metadata=COCO)
    pairs = pairs_of(solid_path, flat_path, cameras=tmp_path / "cameras.json")
    assert len(pairs) == 6
    assert {pair.action for pair in pairs} == {"Walking"}
    for pair in pairs:
        assert pair.camera is not None
        assert (pair.keypoints.skeleton, pair.target.skeleton) == (COCO_17, HUMANEVA_15)
        assert pair.target.rate_hz == pair.keypoints.rate_hz == pytest.approx(60)
        pixels = pair.camera.camera_to_image(pair.target.positions + pair.root_m[:, None])
        np.testing.assert_allclose(pixels, pair.keypoints.positions[:, :15], atol=0.01)
    with pytest.raises(InputError, match=r"HumanEva.*\.json"):
        pairs_of(solid_path, flat_path)


def markers(n_frames: int = 24, seed: int = 0) -> np.ndarray:
    """(time, 117) mm: 39 markers of a person who stands and sways a little."""
    left = {
        "FHD": (100, 70, 1650), "BHD": (-80, 70, 1650), "SHO": (0, 180, 1430), "UPA": (0, 210, 1300),
        "ELB": (0, 230, 1150), "FRM": (20, 240, 1050), "WRA": (60, 230, 930), "WRB": (20, 250, 930),
        "FIN": (50, 240, 850), "ASI": (100, 120, 1000), "PSI": (-100, 50, 1010), "THI": (0, 170, 750),
        "KNE": (0, 160, 500), "TIB": (0, 150, 300), "ANK": (-20, 140, 90), "HEE": (-80, 110, 40), "TOE": (140, 120, 30),
    }  # fmt: skip
    places = {"C7": (-80, 0, 1480), "T10": (-100, 0, 1250), "CLAV": (60, 0, 1400), "STRN": (90, 0, 1250)}
    places |= {"RBAK": (-100, -80, 1350)}
    for name, (x, y, z) in left.items():
        places |= {f"L{name}": (x, y, z), f"R{name}": (x, -y, z)}
    still = np.array([places[name] for name in MARKERS_39.joints], dtype=float)
    phase = np.arange(n_frames)[:, None, None] / 10 + seed
    sway = np.sin(phase) * still[..., 2:] * np.array([0.02, 0.01, 0.0])
    return (still + sway + (1000, 500, 0)).reshape(n_frames, 117)


def ui_prmd_folder(root: Path, names: list[str]) -> Path:
    folder = root / "Segmented Movements" / "Vicon" / "Positions"
    folder.mkdir(parents=True)
    for seed, name in enumerate(names):
        rows = "\n".join(",".join(f"{value:.3f}" for value in row) for row in markers(seed=seed)) + "\n"
        (folder / f"{name}_positions.txt.gz").write_bytes(gzip.compress(rows.encode()))
    return root


NAMES = ["m01_s02_e01", "m01_s02_e02", "m02_s02_e01", "m01_s08_e01"]


def test_ui_prmd_bodies(tmp_path: Path) -> None:
    folder = ui_prmd_folder(tmp_path, NAMES)
    bodies = ui_prmd_bodies(folder)
    assert [(one.subject, one.action, one.recording) for one in bodies] == [
        ("s02", "m01", "m01_s02_e01"),
        ("s02", "m01", "m01_s02_e02"),
        ("s08", "m01", "m01_s08_e01"),
        ("s02", "m02", "m02_s02_e01"),
    ]
    assert bodies.skipped == ()
    body = bodies[0].body
    assert (body.skeleton, body.up, body.rate_hz) == (BODY_22, "+z", pytest.approx(100))
    middle = (body["left_hip"] + body["right_hip"]) / 2
    np.testing.assert_allclose(body["mid_hip"], middle)
    assert (body["left_knee"][:, 1] > body["right_knee"][:, 1]).all()
    assert [one.recording for one in ui_prmd_bodies(folder / "Segmented Movements", ["s08"])] == ["m01_s08_e01"]
    with pytest.raises(InputError, match=r"s09.* s02, s08"):
        ui_prmd_bodies(folder, ["s09"])
    with pytest.raises(InputError, match="UI-PRMD"):
        ui_prmd_bodies(tmp_path / "Segmented Movements" / "Vicon")


def test_incorrect_executions_and_damaged_ones(tmp_path: Path) -> None:
    whole = (4 * markers()).round().astype(int)
    astray = whole.copy()
    astray[10, 3 * 9 : 3 * 9 + 3] += 8000  # the left shoulder jumps by two metres
    arrays = {"m01_s02_e01": whole, "m01_s02_e02": astray, "m01_s02_e03": whole[:1], "m01_s08_e01": whole}
    steps = {name: np.diff(array, axis=0, prepend=0).astype(np.int16) for name, array in arrays.items()}
    np.savez(tmp_path / "incorrect_vicon_50hz_quarter_mm.npz", **steps)
    bodies = ui_prmd_bodies(tmp_path, ["s02"], correct=False)
    assert [one.recording for one in bodies] == ["m01_s02_e01"]
    assert bodies[0].body.rate_hz == pytest.approx(50)
    first, second = bodies.skipped
    assert first.startswith("m01_s02_e02 ")
    assert "m/s" in first
    assert second.startswith("m01_s02_e03 ")
    assert "1 frames" in second


def test_protocol_l1_numbers_its_clips_by_subject(tmp_path: Path) -> None:
    folder = ui_prmd_folder(tmp_path, NAMES)
    pairs = ui_prmd_pairs(folder, ["s02", "s08"], actions=["m02"])
    assert [pair.camera_name for pair in pairs] == ["L1-20", "L1-110", "L1-200", "L1-290"]
    (body,) = (one.body for one in ui_prmd_bodies(folder) if one.action == "m02")
    for pair, expected in zip(pairs, protocol_l1(body, 2), strict=True):  # the third of s02's recordings
        np.testing.assert_array_equal(pair.keypoints.positions, expected.keypoints.positions)
        np.testing.assert_array_equal(pair.target.positions, expected.target.positions)
    (only,) = {pair.recording for pair in ui_prmd_pairs(folder, ["s08"])}
    assert only == "m01_s08_e01"
    clean = ui_prmd_pairs(folder, ["s08"], noisy=False)[1]
    assert clean.camera is not None
    pixels = clean.camera.camera_to_image(clean.target["left_knee"] + clean.root_m)
    np.testing.assert_allclose(pixels, clean.keypoints["left_knee"], atol=1e-6)
    with pytest.raises(InputError, match=r"m01.*m10"):
        ui_prmd_pairs(folder, actions=["m11"])


def test_cmu(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"asf_amc\.zip"):
        cmu_bodies(tmp_path)
    rig = """HIERARCHY
ROOT Hips
{{
 OFFSET 0 0 0
 CHANNELS 6 Xposition Yposition Zposition Zrotation Yrotation Xrotation
{limbs}
}}
MOTION
Frames: {n}
Frame Time: 0.0333333
{rows}
"""

    def chain(names: list[str], offsets: list[str]) -> str:
        text = ""
        for name, offset in zip(names, offsets, strict=True):
            text += f" JOINT {name}\n {{\n OFFSET {offset}\n CHANNELS 3 Zrotation Yrotation Xrotation\n"
        return text + " End Site\n {\n OFFSET 0 1 0\n }\n" + " }\n" * len(names)

    limbs = chain(["Spine1", "Neck", "Head"], ["0 20 0", "0 25 0", "0 10 0"])
    for side, sign in (("Left", ""), ("Right", "-")):
        limbs += chain([f"{side}UpLeg", f"{side}Leg", f"{side}Foot"], [f"{sign}10 0 0", "0 -30 0", "0 -30 0"])
        limbs += chain(
            [f"{side}Arm", f"{side}ForeArm", f"{side}Hand"], [f"{sign}18 45 0", f"{sign}25 0 0", f"{sign}22 0 0"]
        )
    channels = rig.count("CHANNELS 6") * 6 + 3 * limbs.count("JOINT")

    def file(n_frames: int, step: float) -> str:
        places = [" ".join(["0", "90", f"{step * i:.3f}", *["0"] * (channels - 3)]) for i in range(n_frames)]
        return rig.format(limbs=limbs, n=n_frames, rows="\n".join(places))

    with zipfile.ZipFile(tmp_path / "bvh.zip", "w") as pack:
        pack.writestr("standard.bvh", file(3, 0.0))
        pack.writestr("martial/01.bvh", file(20, 1.0))
        pack.writestr("salsa/01.bvh", file(20, 1.0))
        pack.writestr("salsa/02.bvh", file(20, 30.0))  # 25 m/s
        pack.writestr("salsa/03.bvh", file(6, 1.0))
    bodies = cmu_bodies(tmp_path)
    assert [(one.subject, one.action, one.recording) for one in bodies] == [
        ("cmu-martial", "martial", "bvh/martial/01"),
        ("cmu-salsa", "salsa", "bvh/salsa/01"),
    ]
    assert bodies.skipped == (
        "bvh/salsa/02 left out: a joint moves at 25 m/s",
        "bvh/salsa/03 left out: 1 frames",
    )
    for one, rate_hz in zip(bodies, (120, 60), strict=True):
        assert len(one.body) == 15
        assert one.body.rate_hz == pytest.approx(rate_hz)
        assert one.body.up == "+z"
        np.testing.assert_allclose(np.linalg.norm(one.body["left_hip"] - one.body["left_knee"], axis=1), 0.42)
    (tmp_path / "bvh.zip").write_bytes(b"PK\x03\x04 cut")
    with pytest.raises(InputError, match="zip"):
        cmu_bodies(tmp_path)


def test_own_recordings(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    still = rng.uniform(0, 1.7, (17, 3))
    sequence = PoseSequence(
        still + 0.001 * rng.normal(size=(12, 17, 3)), np.arange(12) / 100, H36M_17, "m", "world", up="+z"
    )
    (tmp_path / "anna").mkdir()
    trc.write(sequence, tmp_path / "anna" / "walk.trc")
    archive.write(sequence, tmp_path / "squat.npz")
    archive.write(sequence.select(["left_knee", "right_knee"]), tmp_path / "anna" / "knees.npz")
    bodies = own_bodies(tmp_path)
    assert [(one.subject, one.recording) for one in bodies] == [("anna", "anna/walk.trc"), (tmp_path.name, "squat.npz")]
    np.testing.assert_allclose(bodies[0].body["left_knee"], sequence["left_knee"], atol=1e-5)
    (words,) = bodies.skipped
    assert words.startswith("anna/knees.npz ")
    assert "left_ankle" in words
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"\.bvh, \.trc"):
        own_bodies(tmp_path / "empty")


def test_real_recordings(shared_data: Path) -> None:
    folder = shared_data / "ui-prmd"
    if not folder.is_dir() or not (shared_data / "cmu-mocap").is_dir():
        pytest.skip("no UI-PRMD or CMU there")
    correct = ui_prmd_bodies(folder, ["s08"])
    incorrect = ui_prmd_bodies(folder, ["s04", "s08"], correct=False)
    assert (len(correct), len(incorrect)) == (100, 199)
    assert [sentence.split()[0] for sentence in incorrect.skipped] == ["m05_s04_e08"]
    bodies = cmu_bodies(shared_data / "cmu-mocap")
    assert len(bodies) == 195
    of_both = {part: {one.subject for one in bodies if one.recording.startswith(part)} for part in ("asf", "iclone")}
    assert of_both["asf"] == {"cmu-01", "cmu-02", "cmu-03"} <= of_both["iclone"]  # one name for one person
    for one in bodies:
        thigh = np.nanmedian(np.linalg.norm(one.body["left_hip"] - one.body["left_knee"], axis=1))
        assert 0.38 < thigh < 0.5, one.recording
        trunk = one.body["thorax"] - one.body["mid_hip"]
        assert np.nanmedian(trunk[:, 2]) > 0.3, one.recording  # upright most of the time
