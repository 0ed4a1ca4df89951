"""Small valid files of every kind that gonio reads, and the reader of each: what the fuzzer starts from."""

from __future__ import annotations

import gzip
import io
import json
import pickle
import struct
import tempfile
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from scipy.io import savemat

from gonio.comparison.compare import compare_methods
from gonio.comparison.result import ComparisonResult
from gonio.core.angle_series import AngleSeries
from gonio.core.camera import Camera, Rig
from gonio.core.detections import Detections
from gonio.core.errors import InputError, one_line
from gonio.core.sequence import PoseSequence
from gonio.core.skeleton import AZURE_KINECT_32, BODY_12, BODY_25B, COCO_17, H36M_17, KINECT_V1_20, KINECT_V2_25
from gonio.detection.openpose.caffemodel import read_caffemodel
from gonio.io import formats, restricted_pickle, video
from gonio.io.motion_capture import asf_amc, cmu_positions, ui_prmd
from gonio.io.reading import naming
from gonio.io.rigs import files as rig_files
from gonio.io.rigs import opencv, subject_cameras
from gonio.lifting import checkpoints
from gonio.lifting.architecture import Architecture
from gonio.studies.config import load_study
from gonio.studies.store import Store, decode, encode
from gonio.training.config import load_training
from gonio.trials.config import load_trial


@dataclass(frozen=True)
class Sample:
    """A valid file.

    name     of the file; it may lie in a folder, whose name then comes first
    content  what is changed
    beside   other files that belong to it, by their names, left as they are
    options  what its reader is told
    folder   the reader takes the folder that holds it
    opened   the name of the file that the reader takes, where it is one of the others
    """

    name: str
    content: bytes
    beside: dict[str, bytes] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    folder: bool = False
    opened: str = ""


@dataclass(frozen=True)
class Reader:
    """A reader of files: `read(path, **options)`, and samples that it reads. `share` is its part of all inputs."""

    name: str
    read: Callable[..., Any]
    samples: tuple[Sample, ...]
    share: float = 1.0


def readers() -> dict[str, Reader]:
    """Every reader by its name."""
    reads = partial(Reader, read=formats.read)
    found = (
        reads("gonio archive", samples=_archives()),
        reads("OpenPose JSON", samples=_openpose()),
        reads("TRC", samples=(_written(_solid(), "a.trc"),)),
        reads("C3D", samples=_c3d(), share=2),
        reads("pose table", samples=(_written(_solid(), "a.csv"), _written(_flat(), "b.csv"))),
        reads("Kinect recorder", samples=(_written(_person(KINECT_V1_20), "a.txt"),)),
        reads("UI-PRMD", samples=_ui_prmd()),
        reads("Kinect text", samples=_kinect()),
        reads("VideoPose3D array", samples=(_npy(),)),
        reads("VideoPose3D data", samples=_videopose3d(rate_hz=30.0)),
        reads("BVH", samples=(Sample("a.bvh", _BVH, options={"unit": "cm"}),)),
        reads("COCO keypoints", samples=(_written(_flat(), "a.json"), _written(_people(), "b.json"))),
        Reader("OpenSim angles", formats.read_angles, (Sample("a.mot", _MOT), Sample("a.sto", _MOT))),
        reads("MATLAB", samples=(_written(_solid(), "a.mat"), _written(_flat(), "b.mat"), *_plain_mat()), share=2),
        reads("NetCDF", samples=(_written(_solid(), "a.nc"), _written(_flat(), "b.nc"))),
        Reader("OpenCV rig", rig_files.read, _opencv_rigs()),
        Reader("OpenCap rig", rig_files.read, (_opencap_rig(),)),
        Reader("ASF", _read_asf, (Sample("a.asf", _ASF, {"a.amc": _AMC}),)),
        Reader("AMC", _read_amc, (Sample("a.amc", _AMC, {"a.asf": _ASF}),)),
        Reader("CMU positions", cmu_positions.read, (_cmu(),)),
        Reader("UI-PRMD archive", ui_prmd.read_incorrect_archive, (_incorrect(),)),
        Reader("rig", rig_files.read, _rigs()),
        Reader("camera table", subject_cameras.read, (_camera_table(),)),
        Reader("pickle in .npz", restricted_pickle.load_npz, _videopose3d()),
        Reader("pickle", _read_pickle, _pickles(), share=2),
        Reader("checkpoint, zip", checkpoints.read, (_checkpoint(_zip_checkpoint),)),
        Reader("checkpoint, older", checkpoints.read, (_checkpoint(_legacy_checkpoint),)),
        Reader("safetensors", checkpoints.read, (_safetensors(),)),
        Reader("caffemodel", read_caffemodel, _caffemodels(), share=2),
        Reader("trial file", load_trial, (Sample("trial.toml", _TRIAL.encode()),)),
        Reader("study file", load_study, (Sample("study.toml", _STUDY.encode()),)),
        Reader("training file", load_training, (Sample("train.toml", _TRAINING.encode()),)),
        Reader("stored result", _read_store, _stored()),
        Reader("results.json", ComparisonResult.load, (_results(),)),
        Reader("video", _read_video, _videos(), share=0.05),
    )
    return {reader.name: reader for reader in found}


def place(sample: Sample, content: bytes, folder: Path) -> Path:
    """Put a sample with this content into a folder; the path that its reader takes."""
    path = folder / sample.name
    path.parent.mkdir(parents=True, exist_ok=True)
    for name, other in sample.beside.items():
        (folder / name).write_bytes(other)
    path.write_bytes(content)
    return path.parent if sample.folder else folder / (sample.opened or sample.name)


# ----------------------------------------------------------------------------------------------------- the people


_BODY = {
    "hip_center": (0, 1, 0), "mid_hip": (0, 1, 0), "spine": (0, 1.25, 0), "spine_mid": (0, 1.25, 0),
    "spine_chest": (0, 1.38, 0), "thorax": (0, 1.45, 0), "shoulder_center": (0, 1.48, 0), "neck": (0, 1.5, 0),
    "neck_base": (0, 1.52, 0), "neck_nose": (0, 1.6, 0.05), "head": (0, 1.68, 0.02), "head_top": (0, 1.8, 0),
    "nose": (0, 1.68, 0.14), "eye": (0.03, 1.71, 0.11), "ear": (0.07, 1.69, 0.03), "clavicle": (0.03, 1.5, 0),
    "shoulder": (0.17, 1.45, 0), "elbow": (0.22, 1.2, -0.03), "wrist": (0.24, 1.02, 0.12), "hand": (0.24, 0.97, 0.18),
    "hand_tip": (0.24, 0.94, 0.24), "thumb": (0.2, 0.97, 0.16), "hip": (0.08, 0.96, 0), "knee": (0.1, 0.68, 0.26),
    "ankle": (0.1, 0.32, 0.1), "foot": (0.12, 0.28, 0.2), "big_toe": (0.12, 0.27, 0.22), "small_toe": (0.15, 0.27, 0.2),
    "heel": (0.1, 0.28, 0.05),
}  # fmt: skip


def _person(skeleton: Any, n_frames: int = 4) -> PoseSequence:
    """Somebody who stands 2.5 m before a camera, y up."""
    places = []
    for joint in skeleton.joints:
        part = _BODY[joint.removeprefix("left_").removeprefix("right_")]
        side = -1 if joint.startswith("right") else 1
        places.append((-side * part[0], part[1] - 1.0, 2.5 - part[2]))
    sway = 0.01 * np.sin(np.arange(n_frames)[:, None, None] + np.arange(len(places))[:, None] + np.arange(3))
    positions = np.round(np.array(places) + sway, 5)
    return PoseSequence(positions, np.round(np.arange(n_frames) / 30, 4), skeleton, "m", "world", "lab", up="+y")


def _solid() -> PoseSequence:
    return _person(H36M_17)


def _flat(shift: float = 0.0, n_frames: int = 4) -> PoseSequence:
    solid = _person(COCO_17, n_frames)
    positions = solid.positions[..., :2] * [300, -300] + [640 + shift, 400]
    return PoseSequence(positions, solid.times_s, COCO_17, "px", "image", "cam", image_size_px=(1280, 720))


def _people() -> Detections:
    positions = np.stack([_flat().positions, _flat(200).positions], axis=1)
    confidence = np.full(positions.shape[:3], 0.9)
    return Detections(positions, confidence, _flat().times_s, COCO_17, (1280, 720), "cam")


def _written(item: Any, name: str, **options: Any) -> Sample:
    """The first file that gonio writes of an item."""
    with tempfile.TemporaryDirectory() as folder:
        formats.write(item, Path(folder) / name)
        return Sample(name, (Path(folder) / name).read_bytes(), options=options)


def _npz(**arrays: Any) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


# ------------------------------------------------------------------------------------------------ poses of all kinds


def _archives() -> tuple[Sample, ...]:
    covariance = np.tile(np.eye(3) * 1e-4, (4, 17, 1, 1))
    solid = _solid().derive(covariance=covariance)
    return tuple(_written(item, "a.npz") for item in (solid, _flat(), _people(), {"one": _flat(), "two": _flat(9)}))


def _openpose() -> tuple[Sample, ...]:
    flat = [[round(float(v), 2) for v in (*xy, 0.9)] for xy in _flat().positions[0]]
    solid = [[round(float(v), 4) for v in (*xyz, 1)] for xyz in _person(BODY_25B).positions[0]]

    def content(*people: list[list[float]], key: str = "pose_keypoints_2d") -> bytes:
        listed = [{"person_id": [-1], key: [v for joint in person for v in joint]} for person in people]
        return json.dumps({"version": 1.3, "people": listed}).encode()

    name, other = "cam_json/v_000000000000_keypoints.json", "cam_json/v_000000000001_keypoints.json"
    one, two, three = content(flat), content(flat, flat[::-1]), content(solid, key="pose_keypoints_3d")
    said = {"layout": "body-25b", "unit": "m", "rate_hz": 30.0}
    return (
        Sample(name, one, {other: one}, {"rate_hz": 30.0, "image_size_px": (1280, 720)}, True),
        Sample(name, two, {other: one}, {"rate_hz": 30.0}, True),
        Sample(name, three, {other: three}, said, True),
    )


def _c3d() -> tuple[Sample, ...]:
    """Real numbers and integers, as written by hand: two blocks of parameters, then the points."""

    def parameter(group: int, name: str, kind: int, sizes: list[int], values: bytes) -> bytes:
        body = struct.pack("bB", kind, len(sizes)) + bytes(sizes) + values + b"\0"
        return struct.pack("bb", len(name), group) + name.encode() + struct.pack("<h", len(body) + 2) + body

    labels = [joint.ljust(16)[:16] for joint in BODY_12.joints]
    group = struct.pack("bb", 5, -1) + b"POINT" + struct.pack("<hB", 3, 0)
    listed = group + parameter(1, "LABELS", -1, [16, 12], "".join(labels).encode())
    listed += parameter(1, "UNITS", -1, [2], b"mm") + parameter(1, "RATE", 4, [], struct.pack("<f", 100))
    listed += parameter(1, "Y_SCREEN", -1, [2], b"+Y") + bytes(2)
    section = (bytes([1, 0x50, 2, 84]) + listed).ljust(2 * 512, b"\0")
    places = np.zeros((4, 12, 4))
    places[..., :3] = _person(BODY_12).positions * 1000
    samples = []
    for scale, kind in ((-1.0, "<f4"), (0.5, "<i2")):
        points = (places if scale < 0 else places / 0.5).astype(kind).tobytes()
        head = struct.pack("<BBHHHHHfHHf", 2, 0x50, 12, 0, 1, 4, 0, scale, 4, 0, 100.0)
        samples.append(Sample("a.c3d", head.ljust(512, b"\0") + section + points))
    return tuple(samples)


def _table(rows: np.ndarray, separator: str = ",") -> bytes:
    return ("\n".join(separator.join(f"{value:.5g}" for value in row) for row in rows) + "\n").encode()


def _ticks(stamps: np.ndarray) -> bytes:
    return ("\n".join(str(int(stamp)) for stamp in stamps.ravel()) + "\n").encode()


def _ui_prmd() -> tuple[Sample, ...]:
    markers = np.random.default_rng(0).uniform(300, 1700, (3, 117))
    offsets, angles = np.random.default_rng(1).normal(0, 15, (2, 3, 66))
    name, other = "m01_s01_e01_positions.txt", "m01_s01_e01_angles.txt"
    return (
        Sample(name, _table(markers)),
        Sample(f"{name}.gz", gzip.compress(_table(markers), mtime=0)),
        Sample(name, _table(offsets), {other: _table(angles)}),
        Sample(other, _table(angles), {name: _table(offsets)}, opened=name),
    )


_V2_NAMES = """
    SpineBase SpineMid Neck Head ShoulderLeft ElbowLeft WristLeft HandLeft ShoulderRight ElbowRight WristRight HandRight
    HipLeft KneeLeft AnkleLeft FootLeft HipRight KneeRight AnkleRight FootRight SpineShoulder HandTipLeft ThumbLeft
    HandTipRight ThumbRight
"""


def _kinect() -> tuple[Sample, ...]:
    person, joints = _person(KINECT_V2_25), _V2_NAMES.split()
    columns = ["frame", "time_s", *(f"{name}_{field}" for name in joints for field in ("X", "Y", "Z", "State"))]
    states = np.full((4, 25, 1), 2.0)
    rows = np.concatenate([person.positions, states], axis=2).reshape(4, -1)
    wide = np.column_stack([np.arange(4), person.times_s, rows])
    long = [
        f"{time:.4f},{name},{x:.4f},{y:.4f},{z:.4f},Tracked"
        for time, frame in zip(person.times_s, person.positions, strict=True)
        for name, (x, y, z) in zip(joints, frame, strict=True)
    ]
    azure = _person(AZURE_KINECT_32).positions.reshape(4, -1) * 1000
    stamps = (333333 * np.arange(1, 5)).reshape(-1, 1)
    kimore = {"layout": "kinect-v2-25"}
    return (
        Sample("a.csv", (",".join(columns) + "\n").encode() + _table(wide)),
        Sample("b.csv", ("time_s,Joint,X,Y,Z,State\n" + "\n".join(long) + "\n").encode()),
        Sample("c.txt", _table(azure, " "), options={"layout": "azure-kinect-32", "rate_hz": 30.0}),
        Sample("JointPosition1.csv", _table(rows), {"TimeStamp1.csv": _ticks(stamps)}, kimore),
        Sample(
            "TimeStamp1.csv", _ticks(stamps), {"JointPosition1.csv": _table(rows)}, kimore, opened="JointPosition1.csv"
        ),
    )


def _npy() -> Sample:
    stream = io.BytesIO()
    np.save(stream, _solid().positions.astype(np.float32))
    return Sample("a.npy", stream.getvalue(), options={"rate_hz": 50.0})


def _videopose3d(**options: Any) -> tuple[Sample, ...]:
    boxes, keypoints = np.empty(3, object), np.empty(3, object)
    for i, n_people in enumerate((1, 0, 2)):
        boxes[i] = [[], np.random.default_rng(i).uniform(0, 1, (n_people, 5)).astype(np.float32)]
        keypoints[i] = [[], np.random.default_rng(i).uniform(0, 1, (n_people, 4, 17)).astype(np.float32)]
    infer = _npz(boxes=boxes, keypoints=keypoints, segments=np.array(None), metadata=np.array({"w": 640, "h": 480}))
    poses = np.repeat(_solid().positions[:, :1], 32, axis=1) + np.random.default_rng(0).normal(0, 0.3, (4, 32, 3))
    h36m = _npz(positions_3d=np.array({"S1": {"Walking": poses.astype(np.float32)}}))
    flat = _written({"walk": _flat()}, "data_2d_custom_a.npz")
    return (
        Sample(flat.name, flat.content, options=options),
        Sample("data_3d_h36m.npz", h36m),
        Sample("video.mp4.npz", infer, options=options),
    )


def _plain_mat() -> tuple[Sample, ...]:
    """As other programs save it: version 5 without compression, a struct."""
    joints = np.array(list(BODY_12.joints), dtype=object)
    held = {"pos": _person(BODY_12).positions, "fps": 30.0, "names": joints, "units": "m"}
    samples = []
    for content in (held, {"recording": held}):
        stream = io.BytesIO()
        savemat(stream, content)
        samples.append(Sample("c.mat", stream.getvalue()))
    return tuple(samples)


_MOT = b"""Coordinates
version=1
nRows=3
nColumns=4
inDegrees=yes

endheader
time\tpelvis_tx\tknee_angle_r\thip_flexion_r
0.5\t0.9\t90\t-45
0.52\t0.9\t45\tnan
0.54\t0.91\t40\t12.5
"""

_BVH = b"""HIERARCHY
ROOT hip
{
  OFFSET 0 0 0
  CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
  JOINT knee
  {
    OFFSET 0 -40 0
    CHANNELS 3 Yrotation Zrotation Xrotation
    End Site
    {
      OFFSET 0 -40 1
    }
  }
}
MOTION
Frames: 3
Frame Time: 0.02
0 90 0 0 0 0 0 0 0
1 92 3 90 0 0 0 0 0
1 92 3 20 -35 70 15 80 -5.5
"""

_ASF = b"""# made by hand
:version 1.10
:units
  mass 1.0
  length 0.45
  angle deg
:root
   order TX TY TZ RX RY RZ
   axis XYZ
   position 0 0 0
   orientation 0 0 0
:bonedata
  begin
     id 1
     name lfemur
     direction 0 -1 0
     length 7
     axis 0 0 20 XYZ
     dof rx ry rz
     limits (-160.0 20.0)
            (-70.0 70.0)
            (-60.0 70.0)
  end
  begin
     id 2
     name ltibia
     direction 0 -1 0
     length 7
     axis 90 0 20 XYZ
     dof rx
  end
:hierarchy
  begin
    root lfemur
    lfemur ltibia
  end
"""

_AMC = b""":FULLY-SPECIFIED
:DEGREES
1
root 0 17 0 0 0 0
lfemur 0 10 0
ltibia 5
2
root 1 17 0 0 90 0
lfemur 20 0 0
ltibia -15.5
"""


def _read_asf(path: Path) -> Any:
    return asf_amc.read(path, path.with_suffix(".amc"))


def _read_amc(path: Path) -> Any:
    return asf_amc.read(path.with_suffix(".asf"), path)


def _cmu() -> Sample:
    quarter_mm = np.random.default_rng(0).integers(-3000, 3000, (3, 38, 3)).astype(np.int16)
    parents = np.array(cmu_positions._PARENTS)
    return Sample("a.npz", _npz(joint_parents=parents, walk=quarter_mm, walk__root_m=np.zeros((3, 3), np.float32)))


def _incorrect() -> Sample:
    steps = np.random.default_rng(0).integers(-20, 20, (3, 117)).astype(np.int16)
    steps[0] = np.random.default_rng(1).integers(1000, 7000, 117)
    return Sample("a.npz", _npz(m01_s01_e01=steps))


# --------------------------------------------------------------------------------------------------------- cameras


def _rig() -> Rig:
    matrix = np.array([[1000.0, 0, 640], [0, 1000.0, 360], [0, 0, 1]])
    cameras = []
    for i in range(2):
        rotation = cv2.Rodrigues(np.array([0.1, 0.8 * i, 0.05]))[0]
        centre = np.array([0.5 - i, 1.0, -3.0])
        name = f"cam_{i + 1:02d}"
        cameras.append(
            Camera(
                name, (1280, 720), matrix, (-0.1, 0.05, 1e-3, 0.0), rotation=rotation, translation=-rotation @ centre
            )
        )
    return Rig("rig", tuple(cameras), "+y")


def _rigs() -> tuple[Sample, ...]:
    with tempfile.TemporaryDirectory() as folder:
        rig_files.write(_rig(), Path(folder) / "Calib.toml")
        toml = (Path(folder) / "Calib.toml").read_bytes()
    elements = ""
    for camera in _rig():
        R, place_mm = np.diag([1, -1, -1]) @ camera.rotation, camera.center_m * 1000
        cells = " ".join(f'r{i + 1}{j + 1}="{float(R[i, j])!r}"' for i in range(3) for j in range(3))
        elements += f"""<camera active="1" serial="{camera.name}" viewrotation="0">
          <fov_video left="0" top="0" right="1279" bottom="719"/>
          <transform {cells} x="{place_mm[0]}" y="{place_mm[1]}" z="{place_mm[2]}"/>
          <intrinsic focalLengthU="64000" focalLengthV="64000" centerPointU="40960" centerPointV="23040" skew="0"
            radialDistortion1="-0.1" radialDistortion2="0.05" radialDistortion3="0" tangentalDistortion1="0.001"
            tangentalDistortion2="0"/></camera>\n"""
    xml = f"<?xml version='1.0' encoding='ASCII'?>\n<calibration><cameras>\n{elements}</cameras></calibration>\n"
    return Sample("Calib.toml", toml), Sample("Calib.qca.txt", xml.encode())


def _opencv_rigs() -> tuple[Sample, ...]:
    samples = []
    for name in ("a.yml", "a.xml"):
        with tempfile.TemporaryDirectory() as folder:
            opencv.write(_rig(), Path(folder) / name)
            samples.append(Sample(name, (Path(folder) / name).read_bytes(), options={"unit": "m"}))
    return tuple(samples)


def _opencap_rig() -> Sample:
    held = {
        "intrinsicMat": np.array([[1700.0, 0, 540], [0, 1700, 960], [0, 0, 1]]),
        "distortion": np.array([[0.1, -0.3, 0.001, -0.001, 0.2]]),
        "imageSize": np.array([[1920.0], [1080.0]]),
        "rotation": np.eye(3),
        "translation": np.array([[0.0], [100.0], [3000.0]]),
    }
    return Sample("Cam0/cameraIntrinsicsExtrinsics.pickle", pickle.dumps(held))


def _camera_table() -> Sample:
    cameras = {
        "1": {"size_px": [1000, 1000], "matrix": [[1145.0, 0, 512], [0, 1143, 515], [0, 0, 1]], "distortion": [0.1]}
    }
    cameras["1"]["distortion"] = [-0.2, 0.2, -0.01, 0.0, 0.0]
    places = {"1": {"rotation": np.eye(3).tolist(), "translation_m": [0.1, 0.2, 4.0]}}
    return Sample("cameras.json", json.dumps({"cameras": cameras, "subjects": {"S1": places}}).encode())


# ------------------------------------------------------------------------------------------------- pickles, weights


def _read_pickle(path: Path) -> Any:
    """A bare pickle, as `load_npz` reads it; what it raises would be told in one line."""
    try:
        return restricted_pickle.loads(path.read_bytes())
    except (restricted_pickle.RefusedError, *restricted_pickle.ERRORS) as error:
        raise InputError(f"{path}: {one_line(error)}") from None


def _pickles() -> tuple[Sample, ...]:
    value = {"a": [np.arange(6.0).reshape(2, 3), (1, None, "words")], "b": {1: np.float32(2), 2: b"bytes"}}
    return tuple(Sample("a.pkl", pickle.dumps(value, protocol)) for protocol in (0, 2, 4))


_SMALL = Architecture((3,), in_joints=2, out_joints=2, channels=4)


def _weights() -> checkpoints.Weights:
    rng = np.random.default_rng(0)
    arrays = {name: rng.uniform(0.1, 1, shape).astype(np.float32) for name, shape in _SMALL.shapes.items()}
    return checkpoints.Weights(_SMALL, arrays, None, {"epoch": 80})


def _safetensors() -> Sample:
    with tempfile.TemporaryDirectory() as folder:
        checkpoints.write(_weights(), Path(folder) / "a.safetensors")
        return Sample("a.safetensors", (Path(folder) / "a.safetensors").read_bytes())


class _Global:
    """Pickled as a name of another module's."""

    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name


class _TorchPickler(pickle._Pickler):
    """Writes tensors and the names of storages as torch does, without torch; `storages` grows by the way."""

    dispatch = pickle._Pickler.dispatch.copy()

    def __init__(self, stream: io.BytesIO) -> None:
        super().__init__(stream, 2)
        self.storages: list[np.ndarray] = []

    def save_global_(self, item: _Global) -> None:
        self.write(f"c{item.module}\n{item.name}\n".encode())

    def save_array(self, array: np.ndarray) -> None:
        key = str(len(self.storages))
        self.storages.append(array)
        strides = tuple(step // array.itemsize for step in array.strides)
        self.save_global_(_Global("torch._utils", "_rebuild_tensor_v2"))
        self.write(pickle.MARK)
        for part in ("storage", _Global("torch", "FloatStorage"), key, "cpu", array.size, None):
            if part == "storage":
                self.write(pickle.MARK)
            self.save(part)
        self.write(pickle.TUPLE + pickle.BINPERSID)
        for rest in (0, array.shape, strides, False, OrderedDict()):
            self.save(rest)
        self.write(pickle.TUPLE + pickle.REDUCE)

    dispatch[_Global] = save_global_
    dispatch[np.ndarray] = save_array


def _torch_pickled(value: Any) -> tuple[bytes, list[np.ndarray]]:
    stream = io.BytesIO()
    pickler = _TorchPickler(stream)
    pickler.dump(value)
    return stream.getvalue(), pickler.storages


def _zip_checkpoint(value: Any) -> bytes:
    pickled, storages = _torch_pickled(value)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("epoch_80/data.pkl", pickled)
        archive.writestr("epoch_80/byteorder", "little")
        for key, array in enumerate(storages):
            archive.writestr(f"epoch_80/data/{key}", array.tobytes())
        archive.writestr("epoch_80/version", "3\n")
    return stream.getvalue()


def _legacy_checkpoint(value: Any) -> bytes:
    pickled, storages = _torch_pickled(value)
    machine = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}
    head = [pickle.dumps(part, 2) for part in (0x1950A86A20F9469CFC6C, 1001, machine)]
    keys = pickle.dumps([str(key) for key in range(len(storages))], 2)
    numbers = [struct.pack("<q", array.size) + array.tobytes() for array in storages]
    return b"".join([*head, pickled, keys, *numbers])


def _checkpoint(layout: Callable[[Any], bytes]) -> Sample:
    network = OrderedDict(_weights().arrays)
    return Sample("epoch_80.bin", layout({"epoch": 80, "lr": 0.001, "model_pos": network, "model_traj": None}))


def _caffemodels() -> tuple[Sample, ...]:
    def varint(value: int) -> bytes:
        low = bytes([value & 127 | (128 if value > 127 else 0)])
        return low + (varint(value >> 7) if value > 127 else b"")

    def message(number: int, content: bytes) -> bytes:
        return varint(number << 3 | 2) + varint(len(content)) + content

    def number(field_: int, value: int) -> bytes:
        return varint(field_ << 3) + varint(value)

    kernel, bias = np.arange(8, dtype=np.float32), np.arange(2, dtype=np.float32)
    new = b"".join(
        message(7, message(5, array.tobytes()) + message(7, b"".join(number(1, n) for n in shape)))
        for array, shape in ((kernel, (2, 4, 1, 1)), (bias, (2,)))
    )
    old = b"".join(
        message(6, b"".join(number(i + 1, n) for i, n in enumerate(shape)) + message(5, array.tobytes()))
        for array, shape in ((kernel, (2, 4, 1, 1)), (bias, (1, 1, 1, 2)))
    )
    return (
        Sample("a.caffemodel", message(1, b"net") + message(100, message(1, b"conv1_1") + new)),
        Sample("b.caffemodel", message(1, b"net") + message(2, message(4, b"conv1_1") + old)),
    )


# ------------------------------------------------------------------------------------------------ settings, results


_TRIAL = """
name = "A trial"
methods = ["multiview", "lifting"]
reference = "multiview"
caveats = ["one"]

[rig]
calibration = "Calib.toml"

[detector]
name = "openpose"
people = 2
choose = "center"
net_resolution = "-1x368"

[stereo]
min_confidence = 0.5
refine = "none"

[lifting]
height_m = 1.8
causal = true

[cleaning]
max_gap_s = 0.2
lowpass_hz = 6.0

[[cameras]]
name = "cam01"
video = "cam01.mp4"
offset_frames = -1
crop_px = [0, 0]

[[recordings]]
name = "kinect"
file = "kinect.csv"
layout = "kinect-v2-25"
offset_s = "auto"
unit = "m"
up = "+y"
"""

_STUDY = """
name = "Kinect against Vicon"
reference = "vicon"

[methods.kinect]
files = "data/{subject}/{movement}_{repetition}_kinect.csv"
unit = "m"

[methods.vicon]
files = "data/{subject}/{movement}_{repetition}_vicon.trc"

[cleaning]
lowpass_hz = 6.0

[clock]
max_lag_s = 0.25
"""

_TRAINING = """
init = "start.safetensors"
threads = 2

[network]
filter_widths = [3, 3]
channels = 32
causal = true

[training]
epochs = 3
momentum = [0.2, 0.01]

[motion_capture]
frames = 1000

[[motion_capture.groups]]
path = "ui"
kind = "ui-prmd"
subjects = ["s01"]
share = 2

[motion_capture.augmentation]
views = 2
strength = [0, 0.5]

[[motion_capture.augmentation.placements]]
azimuth_deg = [-30, 30]
image_sizes_px = [[640, 480]]

[[unlabelled.files]]
keypoints = "patient_json"
layout = "body-25"
fps = 30
focal_px = 900

[validation]
path = "ui"
subjects = ["s07"]
"""


def _stored() -> tuple[Sample, ...]:
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        store.folder.mkdir()
        store.save("a", "print", encode(({"rom_deg": 90.5, "of": ["knee"]}, {"knee": np.arange(6.0)})))
        values, arrays = ((store.folder / f"a.{kind}").read_bytes() for kind in ("json", "npz"))
    return (
        Sample("recordings/a.json", values, {"recordings/a.npz": arrays}, folder=True),
        Sample("recordings/a.npz", arrays, {"recordings/a.json": values}, folder=True),
    )


def _read_store(folder: Path) -> Any:
    """What is stored and fits its checksum; a store refuses by None, not by an error."""
    encoded = Store(folder.parent).load("a", "print")
    return None if encoded is None else decode(encoded)


def _results() -> Sample:
    truth = _person(BODY_12, 8)
    moved = truth.derive(positions=truth.positions + [0.01, 0, 0])

    def knee(shift: float) -> AngleSeries:
        return AngleSeries(np.deg2rad(90 + np.arange(8.0)[:, None] + shift), truth.times_s, ("knee",), ("",), ((0, 3),))

    study = compare_methods(
        {"truth": truth, "estimate": moved}, {"truth": knee(0), "estimate": knee(3)}, reference="truth"
    )
    return Sample("results.json", json.dumps(study.to_json(), indent=1).encode())


def _videos() -> tuple[Sample, ...]:
    import av

    samples = []
    for name in ("a.mp4", "a.mkv", "a.avi"):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / name
            with av.open(str(path), "w") as container:
                stream = container.add_stream("mpeg4", rate=30)
                stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
                for i in range(6):
                    picture = np.full((48, 64, 3), 20 * i, np.uint8)
                    container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
                container.mux(stream.encode())
            samples.append(Sample(name, path.read_bytes()))
    return tuple(samples)


def _read_video(path: Path) -> Any:
    info = video.probe(path)
    with naming(path):
        return info, sum(1 for _ in video.frames(path))
