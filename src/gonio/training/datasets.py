"""Labelled data for lifting networks, from files: keypoints of one camera with their 3D target, and bodies in motion.

Two kinds. A `LabelledPair` is input and target of a network. It comes from VideoPose3D's sets of
Human3.6M and HumanEva (`videopose3d_pairs`), or from UI-PRMD through the virtual cameras of protocol L1
(`ui_prmd_pairs`). A `LabelledBody` is a recording from which any number of such pairs can be made
(`gonio.training.virtual_cameras`). It comes from UI-PRMD (`ui_prmd_bodies`), CMU (`cmu_bodies`), or a folder of a
user's own motion capture (`own_bodies`). A person has the same subject name in all of these, so that a split by
subjects keeps each person on one side.

Everything is returned as `Loaded`: a sequence with sentences about the recordings that were left out.
"""

from __future__ import annotations

import contextlib
import tempfile
import zipfile
import zlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar, overload

import numpy as np

from gonio.core.arrays import FloatArray
from gonio.core.camera import Camera
from gonio.core.errors import InputError
from gonio.core.sequence import PoseSequence
from gonio.io import formats
from gonio.io.motion_capture import asf_amc, bvh, cmu_positions, ui_prmd
from gonio.io.rigs import subject_cameras
from gonio.io.videopose3d_npz import HUMANEVA_15, Recording, VideoPose3DSet
from gonio.kinematics.markers import joint_centres
from gonio.training.bodies import training_body
from gonio.training.protocol_l1 import protocol_l1

H36M_TRAIN = ("S1", "S5", "S6", "S7", "S8")
H36M_TEST = ("S9", "S11")
CORRUPTED = (Recording("S11", "Directions"),)
"""Recordings of Human3.6M that every published result leaves out."""

FASTEST_JOINT_M_PER_S = 15.0  # a clip with a faster joint is damaged
THIGH_M = 0.42  # to which the rigs of CMU's BVH files are scaled
_T_POSE_FRAMES = 5  # at the beginning of a BVH file of CMU's
_UI_PRMD_FOLDER = Path("Segmented Movements", "Vicon", "Positions")
_UI_PRMD_INCORRECT = "incorrect_vicon_50hz_quarter_mm.npz"

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Loaded(Sequence[T], Generic[T]):
    """The items in order, and a sentence for each one that was left out."""

    items: tuple[T, ...]
    skipped: tuple[str, ...] = ()

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[T, ...]: ...
    def __getitem__(self, index: int | slice) -> T | tuple[T, ...]:
        return self.items[index]

    def __len__(self) -> int:
        return len(self.items)


@dataclass(frozen=True, eq=False)
class LabelledPair:
    """One recording by one camera, with its 3D joints.

    subject, action, recording  names; several recordings of one action share the action's name
    camera_name                 name of the camera
    keypoints  2D, px, with the size of the image; COCO-17, or the skeleton of the set
    target     3D, m, frame "root": the camera's axes, relative to the mid-hip; Human3.6M-17, or HumanEva-15
    root_m     (time, 3) the mid-hip in the camera's frame; NaN if unknown
    camera     the camera, world -> camera; None if unknown
    """

    subject: str
    action: str
    recording: str
    camera_name: str
    keypoints: PoseSequence
    target: PoseSequence
    root_m: FloatArray
    camera: Camera | None

    def __str__(self) -> str:
        return "/".join((self.subject, self.recording, self.camera_name))


class LabelledBody(NamedTuple):
    """A recording as a body for virtual cameras (`gonio.training.bodies.training_body`)."""

    subject: str
    action: str
    recording: str
    body: PoseSequence


def action_of(recording: str) -> str:
    """The action of a recording of VideoPose3D's sets: the first word of its name.

    "Directions" and "Directions 1" are two takes of one action, "Walking 1 chunk0" is a part of another.
    """
    return recording.partition(" ")[0]


def videopose3d_pairs(
    set_3d: VideoPose3DSet,
    set_2d: VideoPose3DSet,
    *,
    subjects: Collection[str] | None = None,
    actions: Collection[str] | None = None,
    cameras: Path | None = None,
) -> Loaded[LabelledPair]:
    """The pairs of one 3D and one 2D set of VideoPose3D's, e.g. `data_3d_h36m.npz` and `data_2d_h36m_gt.npz`.

    subjects  as the 3D set names them: `H36M_TRAIN`, `H36M_TEST`; default: all
    actions   by `action_of`
    cameras   a table of the cameras (its form: `gonio.io.rigs.subject_cameras`); Human3.6M's are known. In HumanEva,
              where one subject is "Train/S1" and "Validate/S1", the table may say "S1" for both

    The 3D, which is in the world, is brought into each camera's axes and made relative to its joint 0. 2D and 3D are
    cut to the shorter of the two at the end, as the published code does, and the histories say so. S11's recording
    "Directions", which is corrupted, is left out, and so is a recording without keypoints. All of Human3.6M takes 2 GB.

    Raises `InputError` if a set is of the other kind, if nothing is left, and if the cameras are not known or are fewer
    than the views.
    """
    path_3d, path_2d = set_3d.path, set_2d.path
    if set_3d.dimensions != 3:
        raise InputError(f"{path_3d}: holds 2D keypoints; give the 3D set here (data_3d_...npz)")
    if set_2d.dimensions != 2:
        raise InputError(f"{path_2d}: holds 3D joints; give the 2D set here (data_2d_...npz)")
    joints_3d = set_3d.recordings(subjects)
    first = next(iter(joints_3d.values()))
    table = _camera_table(path_3d, first, cameras)
    keypoints_2d = set_2d.recordings({recording.subject for recording in joints_3d}, rate_hz=first.rate_hz)
    views: dict[Recording, list[tuple[Recording, PoseSequence]]] = {}
    for view, keypoints in keypoints_2d.items():
        views.setdefault(Recording(view.subject, view.action), []).append((view, keypoints))
    pairs: list[LabelledPair] = []
    skipped: list[str] = []
    for recording, world in joints_3d.items():
        if actions is not None and action_of(recording.action) not in actions:
            continue
        if recording in CORRUPTED and first.skeleton != HUMANEVA_15:
            skipped.append(f"{recording} left out: the recording is corrupted")
            continue
        if recording not in views:
            skipped.append(f"{recording} left out: {path_2d.name} has no keypoints of it")
            continue
        own = _cameras_of(recording.subject, table, cameras or path_3d)
        if len(own) < len(views[recording]):
            raise InputError(
                f"{path_2d}: {recording} has {len(views[recording])} views; {len(own)} cameras are known for it"
            )
        pairs += [
            _pair(recording, world, view, keypoints, camera)
            for (view, keypoints), camera in zip(views[recording], own, strict=False)
        ]
    if not pairs:
        known = ", ".join(sorted({action_of(recording.action) for recording in joints_3d}))
        raise InputError(
            f"{path_3d}: no recording is left; its actions are {known}" + "".join(f"; {s}" for s in skipped)
        )
    return Loaded(tuple(pairs), tuple(skipped))


def _camera_table(path_3d: Path, sequence: PoseSequence, cameras: Path | None) -> subject_cameras.Cameras:
    if cameras is not None:
        return subject_cameras.read(cameras)
    if sequence.skeleton == HUMANEVA_15:
        raise InputError(
            f"{path_3d}: HumanEva's 3D is in the world and gonio does not have its cameras; give a .json table of them"
        )
    return subject_cameras.human36m()


def _cameras_of(subject: str, table: subject_cameras.Cameras, where: Path) -> tuple[Camera, ...]:
    own = table.get(subject, table.get(subject.rsplit("/", 1)[-1]))
    if own is None:
        raise InputError(f"{where}: no cameras are known for subject {subject}; known are {', '.join(table)}")
    return own


def _pair(
    recording: Recording, world: PoseSequence, view: Recording, keypoints: PoseSequence, camera: Camera
) -> LabelledPair:
    """The pair of one view: both cut to the shorter, the 3D in the camera's axes and relative to joint 0."""
    n_frames = min(len(world), len(keypoints))
    cut = None
    if len(world) != len(keypoints):
        cut = f"cut to the first {n_frames} frames; 2D had {len(keypoints)}, 3D {len(world)}"
    in_camera = world.at(slice(n_frames), cut).transformed(
        camera.rotation,
        camera.translation,
        frame="camera",
        frame_name=camera.name,
        up=None,
        step=f"into the axes of camera {camera.name}",
    )
    root_m = in_camera.positions[:, 0]
    target = in_camera.derive(
        f"made relative to {in_camera.skeleton.joints[0]}",
        positions=in_camera.positions - root_m[:, None],
        frame="root",
    )
    seen = keypoints.at(slice(n_frames), cut).derive(
        f"image size {camera.size_px[0]} x {camera.size_px[1]} of camera {camera.name}",
        image_size_px=camera.size_px,
        frame_name=camera.name,
        times_s=in_camera.times_s,  # the sets share their frames; a rate taken from times is not exact
    )
    action = action_of(recording.action)
    return LabelledPair(recording.subject, action, recording.action, camera.name, seen, target, root_m.copy(), camera)


def ui_prmd_bodies(
    folder: Path, subjects: Collection[str] | None = None, *, correct: bool = True
) -> Loaded[LabelledBody]:
    """UI-PRMD's Vicon recordings as bodies: joint centres by gonio's definition, z up.

    folder   that holds "Segmented Movements" (or that folder itself), and beside it, for `correct=False`, the archive
             of incorrect executions
    subjects "s01" to "s10"; default: all
    The action is the exercise, "m01" to "m10". Correct executions are at 100 Hz, incorrect ones at 50.

    Raises `InputError` if the folder holds no such recording, and if a file is damaged.
    """
    if correct:
        files = _ui_prmd_files(folder, subjects)
        recordings = {name: ui_prmd.read_vicon(path) for name, path in files.items()}
    else:
        archive = _ui_prmd_root(folder) / _UI_PRMD_INCORRECT
        recordings = ui_prmd.read_incorrect_archive(archive)
        recordings = {name: recordings[name] for name in sorted(recordings) if _wanted(name, subjects)}
        if not recordings:
            raise InputError(f"{archive}: holds no recording of {', '.join(subjects or ())}")
    bodies: list[LabelledBody] = []
    skipped: list[str] = []
    for name, markers in recordings.items():
        body = _body(name, joint_centres(markers), skipped)
        if body is not None:
            bodies.append(LabelledBody(_ui_prmd_subject(name), name[:3], name, body))
    return Loaded(tuple(bodies), tuple(skipped))


def ui_prmd_pairs(
    folder: Path,
    subjects: Collection[str] | None = None,
    *,
    actions: Collection[str] | None = None,
    noisy: bool = True,
) -> Loaded[LabelledPair]:
    """UI-PRMD's correct Vicon recordings by protocol L1: four views of each, 50 Hz.

    noisy  the protocol's keypoints; else those without noise and without gaps
    The clip number, which seeds the noise, is the place of the recording, from 0, in the sorted list of all correct
    recordings of that subject in the data set, for any choice of actions.

    Raises `InputError` as `ui_prmd_bodies` does.
    """
    numbers: dict[str, int] = {}
    count: dict[str, int] = {}
    for name in _ui_prmd_files(folder, subjects):
        subject = _ui_prmd_subject(name)
        numbers[name] = count.get(subject, 0)
        count[subject] = numbers[name] + 1
    bodies = ui_prmd_bodies(folder, subjects)
    pairs = []
    skipped = list(bodies.skipped)
    for one in bodies:
        if actions is not None and one.action not in actions:
            continue
        try:
            views = protocol_l1(one.body, numbers[one.recording])
        except InputError as error:  # markers that are missing in the whole recording
            skipped.append(f"{one.recording} left out: {error}")
            continue
        for pair in views:
            keypoints = pair.keypoints if noisy else pair.clean
            about = (one.subject, one.action, one.recording, pair.camera.name)
            pairs.append(LabelledPair(*about, keypoints, pair.target, pair.root_m, pair.camera))
    if not pairs:
        raise InputError(f"{folder}: holds no recording of {', '.join(actions or ())}; the actions are m01 to m10")
    return Loaded(tuple(pairs), tuple(skipped))


def _ui_prmd_root(folder: Path) -> Path:
    """The folder that holds "Segmented Movements"."""
    folder = Path(folder)
    return folder.parent if folder.name == _UI_PRMD_FOLDER.parts[0] else folder


def _ui_prmd_files(folder: Path, subjects: Collection[str] | None) -> dict[str, Path]:
    """Name -> file of the correct recordings, sorted by name."""
    place = _ui_prmd_root(folder) / _UI_PRMD_FOLDER
    files = {path.name.split("_positions")[0]: path for path in sorted(place.glob("m??_s??_e??_positions.txt*"))}
    if not files:
        raise InputError(
            f"{folder}: holds no UI-PRMD; its folder '{_UI_PRMD_FOLDER}' with m01_s01_e01_positions.txt is needed"
        )
    known = sorted({_ui_prmd_subject(name) for name in files})
    unknown = sorted(set(subjects or ()) - set(known))
    if unknown:
        raise InputError(f"{folder}: there is no subject {', '.join(unknown)}; there are {', '.join(known)}")
    return {name: path for name, path in files.items() if _wanted(name, subjects)}


def _ui_prmd_subject(name: str) -> str:
    return name.split("_")[1]


def _wanted(name: str, subjects: Collection[str] | None) -> bool:
    return subjects is None or _ui_prmd_subject(name) in subjects


def cmu_bodies(folder: Path) -> Loaded[LabelledBody]:
    """CMU's motion capture as bodies, from those of these archives that are in `folder`:

    asf_amc.zip                 subjects/NN/NN_MM.amc with their skeletons, 120 Hz; subject "cmu-NN"
    iclone_bvh_60hz.zip         .../NNN/NNN_MM.bvh on one rig, cm, 60 Hz; the same subjects, "cmu-NN"
    bvh.zip                     martial/, indian/ at 120 Hz, salsa/ at 60, each rig scaled so that its thigh is 0.42 m;
                                subject "cmu-martial" and so on
    eight_actions_positions.npz subject "cmu-eight-actions": the file does not name the people

    The action is the folder's or the recording's name, if it states one. The first five frames of a BVH file are its
    rest pose and are left out. A clip in which a joint is faster than 15 m/s is damaged, and left out.

    Raises `InputError` if none of them is there, and if one is damaged.
    """
    folder = Path(folder)
    readers = {
        "asf_amc.zip": _asf_amc,
        "bvh.zip": _scaled_bvh,
        "iclone_bvh_60hz.zip": _iclone,
        "eight_actions_positions.npz": _eight_actions,
    }
    archives = [name for name in readers if (folder / name).is_file()]
    if not archives:
        raise InputError(f"{folder}: holds none of CMU's archives ({', '.join(readers)})")
    bodies: list[LabelledBody] = []
    skipped: list[str] = []
    for archive in archives:
        for subject, action, sequence in readers[archive](folder / archive):
            name = "/".join(part for part in (archive.split(".")[0], action, sequence.frame_name) if part)
            body = _body(name, sequence, skipped)
            if body is not None:
                bodies.append(LabelledBody(subject, action, name, body))
    return Loaded(tuple(bodies), tuple(skipped))


def own_bodies(folder: Path, *, unit: str | None = None) -> Loaded[LabelledBody]:
    """A user's own motion capture: every .bvh, .trc and .npz (gonio's archive) in `folder` and in the folders below.

    unit  of the .bvh files, which do not state it
    The subject is the name of the folder that a file lies in; the action is "". Markers are not turned into joints.

    Raises `InputError` if there is no such file, or one cannot be read; files without the joints of a body are
    left out.
    """
    folder = Path(folder)
    files = [path for path in sorted(folder.rglob("*")) if path.suffix.lower() in (".bvh", ".trc", ".npz")]
    if not files:
        raise InputError(f"{folder}: holds no .bvh, .trc or .npz file")
    bodies: list[LabelledBody] = []
    skipped: list[str] = []
    for path in files:
        item = formats.read(path, unit=unit if path.suffix.lower() == ".bvh" else None)
        name = str(path.relative_to(folder))
        people = item if isinstance(item, dict) else {"": item}
        for person, sequence in people.items():
            if not isinstance(sequence, PoseSequence):
                skipped.append(f"{name} left out: it holds detections, not 3D joints")
                continue
            try:
                body = _body(name, sequence, skipped)
            except InputError as error:
                skipped.append(f"{name} left out: {error}")
                continue
            if body is not None:
                bodies.append(LabelledBody(path.parent.name, "", f"{name}/{person}" if person else name, body))
    return Loaded(tuple(bodies), tuple(skipped))


def _body(name: str, sequence: PoseSequence, skipped: list[str]) -> PoseSequence | None:
    """The recording as a body. If it is damaged: None, and one more sentence in `skipped`."""
    if len(sequence) < 2:
        skipped.append(f"{name} left out: {len(sequence)} frames")
        return None
    body = training_body(sequence)
    speed = np.linalg.norm(np.diff(body.positions, axis=0), axis=2) / np.diff(body.times_s)[:, None]
    fastest = float(np.nanmax(speed, initial=0.0))
    if fastest > FASTEST_JOINT_M_PER_S:
        skipped.append(f"{name} left out: a joint moves at {fastest:.0f} m/s")
        return None
    if not body.valid[:, 0].any():
        skipped.append(f"{name} left out: no frame has both hips")
        return None
    return body


_Recordings = Iterator[tuple[str, str, PoseSequence]]  # subject, action, sequence


def _asf_amc(path: Path) -> _Recordings:
    with _unpacked(path) as folder:
        for amc in sorted(folder.rglob("*.amc")):
            subject = amc.stem.split("_")[0]
            yield f"cmu-{subject}", "", asf_amc.read(amc.with_name(f"{subject}.asf"), amc)


def _scaled_bvh(path: Path) -> _Recordings:
    with _unpacked(path) as folder:
        for file in sorted(folder.glob("*/*.bvh")):
            action = file.parent.name
            rate_hz = 60.0 if action == "salsa" else 120.0
            sequence = bvh.read(file, unit="cm", rate_hz=rate_hz)
            thighs = [
                np.linalg.norm(sequence[f"{side}_hip"] - sequence[f"{side}_knee"], axis=1) for side in ("left", "right")
            ]
            factor = THIGH_M / float(np.median(thighs))
            scaled = sequence.derive(
                f"scaled by {factor:.4f}: thigh {THIGH_M} m", positions=factor * sequence.positions
            )
            yield f"cmu-{action}", action, _without_rest_pose(scaled)


def _iclone(path: Path) -> _Recordings:
    with _unpacked(path) as folder:
        for file in sorted(folder.rglob("*.bvh")):
            subject = int(file.stem.split("_")[0])
            yield f"cmu-{subject:02d}", "", _without_rest_pose(bvh.read(file, unit="cm", rate_hz=60.0))


def _eight_actions(path: Path) -> _Recordings:
    for name, sequence in cmu_positions.read(path).items():
        yield "cmu-eight-actions", name.split("__")[1].removesuffix("_extra"), sequence


def _without_rest_pose(sequence: PoseSequence) -> PoseSequence:
    return sequence.at(slice(_T_POSE_FRAMES, None), f"first {_T_POSE_FRAMES} frames left out: the rig's rest pose")


@contextlib.contextmanager
def _unpacked(path: Path) -> Iterator[Path]:
    """A temporary folder with what a zip file holds. Raises `InputError` if it is damaged."""
    with tempfile.TemporaryDirectory(prefix="gonio-") as folder:
        try:
            with zipfile.ZipFile(path) as archive:
                archive.extractall(folder)
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
            raise InputError(f"{path}: is damaged or no zip file ({error}); download it again") from None
        yield Path(folder)
