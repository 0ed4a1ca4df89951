"""The table of file formats: which module reads a path, and which writes one.

Every format is a module with `recognise(path)`, `read(path, ...)` and `write(item, path)`. A file is recognised by its
ending and then by its first bytes; nothing is guessed beyond that.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from gonio.core.angle_series import AngleSeries
from gonio.core.detections import Detections
from gonio.core.errors import InputError
from gonio.core.sequence import PoseSequence
from gonio.core.skeleton import AZURE_KINECT_32, KINECT_RECORDER_20, KINECT_V1_20, KINECT_V2_25
from gonio.core.skeleton import layout as layout_of
from gonio.io.body_checks import check_body
from gonio.io.reading import quiet

Item = PoseSequence | Detections | dict[str, PoseSequence]
Person = TypeVar("Person", bound=PoseSequence | Detections)


@dataclass(frozen=True)
class Format:
    """One file format.

    suffixes  the endings of its files; empty for a format that is a folder
    key       its name in code
    options   what its files do not tell and `read` may be told
    holds     what it can be written from: 2 and 3 dimensions; nothing, where it is only read
    layouts   the only layouts that can be declared for it; empty where any can
    prefixes  how the names of its files begin when they are written, where the ending is another format's too
    """

    name: str
    suffixes: tuple[str, ...]
    key: str
    description: str
    options: tuple[str, ...] = ()
    holds: tuple[int, ...] = (2, 3)
    layouts: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()

    def load(self) -> Any:
        """The module, imported at first use."""
        return importlib.import_module(f"gonio.io.{_MODULES.get(self.key, self.key)}")

    def takes_layout(self, layout: str | None) -> bool:
        """Whether this layout can be declared for its files."""
        return "layout" in self.options and (not self.layouts or layout in self.layouts)


_MODULES = {
    "trc": "motion_capture.trc",
    "c3d": "motion_capture.c3d",
    "bvh": "motion_capture.bvh",
    "opensim_storage": "motion_capture.opensim_storage",
    "ui_prmd": "motion_capture.ui_prmd",
    "kinect": "kinect.reader",
    "recorder_text": "kinect.recorder_text",
}

FORMATS: tuple[Format, ...] = (
    Format("gonio archive", (".npz",), "archive", "everything that gonio knows of a sequence, bit for bit"),
    Format(
        "OpenPose JSON",
        (),
        "openpose_json",
        "a folder with one .json file a frame: 2D keypoints of several people, or 3D joints of one",
        ("layout", "rate_hz", "image_size_px", "unit"),
    ),
    Format(
        "COCO keypoints",
        (".json",),
        "coco_json",
        "2D keypoints of the people of many pictures in one file",
        ("rate_hz", "image_size_px"),
        holds=(2,),
    ),
    Format("OpenSim markers", (".trc",), "trc", "3D markers, tab separated; y up", holds=(3,)),
    Format("C3D motion capture", (".c3d",), "c3d", "3D markers, binary", ("unit",), holds=(3,)),
    Format("OpenSim angles", (".mot", ".sto"), "opensim_storage", "joint angles, tab separated", holds=()),
    Format("pose table", (".csv",), "csv_table", "2D or 3D, a row a frame", ("unit",)),
    Format(
        "Kinect recorder text",
        (".txt",),
        "recorder_text",
        "3D, 20 joints, a row a frame; y up",
        ("layout",),
        holds=(3,),
        layouts=(KINECT_RECORDER_20.name, KINECT_V1_20.name),
    ),
    Format(
        "UI-PRMD",
        (".txt", ".txt.gz"),
        "ui_prmd",
        "positions of its Kinect, angles beside them, or of its markers",
        holds=(),
    ),
    Format(
        "Kinect text",
        (".csv", ".tsv", ".txt"),
        "kinect",
        "3D joints of a Kinect, a row a frame or a row a joint, named in a header or in a declared order",
        ("layout", "rate_hz", "unit"),
        holds=(),
        layouts=(KINECT_V1_20.name, KINECT_RECORDER_20.name, KINECT_V2_25.name, AZURE_KINECT_32.name),
    ),
    Format(
        "VideoPose3D array",
        (".npy",),
        "npy_array",
        "3D, a bare (time, joint, 3) array",
        ("layout", "rate_hz", "unit"),
        holds=(3,),
    ),
    Format(
        "VideoPose3D data",
        (".npz",),
        "videopose3d_npz",
        "its sets of 2D keypoints or 3D poses, or the detections of infer_video",
        ("rate_hz",),
        prefixes=("data_2d_custom_", "data_3d_"),
    ),
    Format(
        "MATLAB",
        (".mat",),
        "matlab",
        "2D or 3D positions, times and names, of version 5 to 7",
        ("unit", "rate_hz"),
    ),
    Format("NetCDF of movement", (".nc",), "netcdf", "2D or 3D positions as an xarray Dataset", ("unit", "rate_hz")),
    Format("Biovision motion", (".bvh",), "bvh", "a rig and its angles, 3D; y up", ("unit", "rate_hz"), holds=(3,)),
)

_OPENPOSE = next(form for form in FORMATS if form.key == "openpose_json")
_COCO = next(form for form in FORMATS if form.key == "coco_json")
_ANGLES = next(form for form in FORMATS if form.key == "opensim_storage")
_VIDEOPOSE3D = next(form for form in FORMATS if form.key == "videopose3d_npz")
_SEVERAL = ("archive", "openpose_json", "coco_json")  # these hold detections
CLOSED: dict[str, str] = {
    ".ipivideo": "an iPi Recorder video; track it in iPi Mocap Studio and export .bvh, or its Biomech text",
    ".ipimotion": "an iPi Mocap Studio project; export .bvh from it",
    ".qtm": "a Qualisys recording; export .c3d or .tsv from QTM",
    ".x1d": "a Vicon recording; reconstruct it and export .c3d",
    ".x2d": "a Vicon recording; reconstruct it and export .c3d",
    ".vsk": "a Vicon subject; export the recording as .c3d",
    ".tak": "an OptiTrack take; export .c3d or .bvh from Motive",
    ".cap": "a Cortex recording; export .trc or .c3d",
    ".mvn": "an Xsens recording; export .bvh or .c3d from MVN",
    ".mvnx": "an Xsens export; export .bvh or .c3d from MVN instead",
    ".fbx": "an Autodesk scene; export .bvh, as Blender and MotionBuilder do",
    ".xef": "a Kinect Studio recording; export the joints as text",
    ".xed": "a Kinect Studio recording; export the joints as text",
    ".pkl": "a pickle, which may run a program when it is read; export .npz, .mat or .csv",
    ".pickle": "a pickle, which may run a program when it is read; export .npz, .mat or .csv",
    ".h5": "an HDF5 file; export .csv, .mat (version 7) or .npz",
}
"""What gonio cannot read, and what to export in its place."""

_ENDINGS = tuple(dict.fromkeys(suffix for form in FORMATS for suffix in form.suffixes))


def recognise(path: Path) -> Format:
    """The format of a file or folder that is there.

    Raises `InputError` where it is absent or empty, and where no format fits, naming those that are known.
    """
    path = Path(path)
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        raise InputError(f"{path}: no such file or folder") from None
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        raise InputError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from None
    if path.is_dir():
        if not _OPENPOSE.load().recognise(path):
            raise InputError(f"{path}: the folder holds no .json file; the only folder that gonio reads is OpenPose's")
        return _OPENPOSE
    candidates = _by_ending(path)
    if size == 0:
        raise InputError(f"{path}: is empty; record or export it again")
    for form in candidates:
        if form.load().recognise(path):
            return form
    if candidates == [_COCO]:
        raise InputError(
            f"{path}: is no COCO keypoint file; OpenPose writes one .json file a frame: give the folder that holds them"
        )
    expected = "; or ".join(f"{form.name}: {form.description}" for form in candidates)
    raise InputError(
        f"{path}: does not begin like a {path.suffix} file ({expected}); export it again, or give it the ending of "
        f"what it is"
    )


@quiet
def read(
    path: Path,
    *,
    layout: str | None = None,
    rate_hz: float | None = None,
    unit: str | None = None,
    image_size_px: tuple[int, int] | None = None,
) -> Item:
    """What a file or folder holds, by its format.

    The options tell what the file does not; where the file tells it itself, they must agree with it; an image size
    that the file does not know is taken from there. OpenPose's folder becomes a `PoseSequence` where no frame holds
    more than one person, `Detections` otherwise, and so does COCO's file. An image size that is neither in the file
    nor declared is None.
    Raises `InputError` as `recognise` and the format's own `read` do, and where 3D positions hold no joint at all or a
    body of a size that no person has (`plausible.check_body`).
    """
    path = Path(path)
    form = recognise(path)
    if form is _ANGLES:
        raise InputError(f"{path}: holds joint angles, not positions of joints; gonio.read_angles reads it")
    declared = {"layout": layout, "rate_hz": rate_hz, "unit": unit, "image_size_px": image_size_px}
    taken = {key: value for key, value in declared.items() if key in form.options and value is not None}
    item: Item = form.load().read(path, **taken)
    if isinstance(item, Detections) and form in (_OPENPOSE, _COCO) and item.people_per_frame.max(initial=0) <= 1:
        present = item.present
        chosen = np.where(present.any(axis=1), present.argmax(axis=1) if present.shape[1] else 0, -1)
        item = item.person(chosen, "the only person of each frame")
    for name, each in item.items() if isinstance(item, dict) else (("", item),):
        _check_declared(path, each, {key: value for key, value in declared.items() if key not in taken})
        if isinstance(each, PoseSequence) and each.dimensions == 3:
            check_body(f"{path}, {name}" if name else str(path), each, _unit_remedy(form, unit))
    if image_size_px is None:
        return item
    if isinstance(item, dict):
        return {name: _sized(path, person, image_size_px) for name, person in item.items()}
    return _sized(path, item, image_size_px)


@quiet
def read_angles(path: Path) -> AngleSeries:
    """The joint angles of an OpenSim file (`opensim_storage`). Raises `InputError` as its `read`, and for positions."""
    path = Path(path)
    form = recognise(path)
    if form is not _ANGLES:
        raise InputError(f"{path}: {form.name} holds positions of joints; gonio.joint_angles makes angles of them")
    angles: AngleSeries = form.load().read(path)
    return angles


def holds_angles(path: Path) -> bool:
    """Whether a file of this name is one of joint angles, by its ending."""
    return Path(path).suffix.lower() in _ANGLES.suffixes


def check_target(path: Path, dimensions: int, *, several: bool = False) -> None:
    """Ask before long work: raises `InputError` where joints of 2 or 3 dimensions cannot be written to this path.

    several  of more people than one
    """
    form = _target(Path(path))
    if several and form.key not in (*_SEVERAL, "videopose3d_npz"):
        raise InputError(
            f"{path}: {form.name} holds one person; write several as .npz or a folder for OpenPose's JSON, "
            f"or one alone with --people 1"
        )
    if dimensions not in form.holds:
        fitting = [suffix for other in FORMATS if dimensions in other.holds for suffix in other.suffixes]
        folder = " or a folder for OpenPose's JSON" if dimensions in _OPENPOSE.holds else ""
        raise InputError(f"{path}: {form.name} does not hold {dimensions}D joints; write {', '.join(fitting)}{folder}")


def write(item: Item | AngleSeries, path: Path) -> tuple[str, ...]:
    """Writes by the path's ending (no ending, or `_json`: OpenPose's folder); returns what the format cannot hold.

    A name that begins with data_2d_custom_ or data_3d_ and ends in .npz becomes VideoPose3D's set, any other .npz
    gonio's archive; that of detections with boxes and scores and COCO's 17 keypoints is infer_video's file too
    (`for_videopose3d`). Raises `InputError` where the ending is unknown or the format cannot hold the item: positions
    are not turned into joint angles here (`gonio.joint_angles` does that).
    """
    path = Path(path)
    form = _target(path)
    if isinstance(item, AngleSeries) or form is _ANGLES:
        if isinstance(item, AngleSeries) and form is not _ANGLES:
            raise InputError(f"{path}: {form.name} holds positions, these are joint angles; write .mot or .sto")
        angles: tuple[str, ...] = _ANGLES.load().write(item, path)
        return angles
    if for_videopose3d(item, path):
        whole: tuple[str, ...] = _VIDEOPOSE3D.load().write_detections(item, path)
        return whole
    if isinstance(item, Detections) and item.positions.shape[1] == 1 and form.key not in _SEVERAL:
        item = item.person(np.where(item.present[:, 0], 0, -1), "the only person of each frame")
    if isinstance(item, dict) and form.key not in ("archive", "videopose3d_npz"):
        raise InputError(f"{path}: a {form.name} holds one person, there are {len(item)}; write .npz, or one by one")
    lost: tuple[str, ...] = form.load().write(item, path)
    return lost


def for_videopose3d(item: Item, path: Path) -> bool:
    """Whether what is written is gonio's archive and a file that VideoPose3D's prepare script takes, in one."""
    return _target(Path(path)).key == "archive" and bool(_VIDEOPOSE3D.load().holds_everything(item))


def _target(path: Path) -> Format:
    if not path.suffix or path.name.endswith("_json"):
        return _OPENPOSE
    found = _by_ending(path)
    form = next((form for form in found if form.prefixes and path.name.startswith(form.prefixes)), found[0])
    if not form.holds and form is not _ANGLES:
        raise InputError(f"{path}: {form.name} ({path.suffix}) is read, not written; write .trc, .csv or .npz")
    return form


def _by_ending(path: Path) -> list[Format]:
    found = [form for form in FORMATS if path.name.lower().endswith(form.suffixes)] if path.suffix else []
    if path.suffix.lower() in CLOSED:
        raise InputError(f"{path}: is {CLOSED[path.suffix.lower()]}")
    if not found:
        near = get_close_matches(path.suffix.lower(), _ENDINGS, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise InputError(f"{path}: no known format{hint} (known: {', '.join(_ENDINGS)}, OpenPose's JSON folder)")
    return found


def _unit_remedy(form: Format, declared: str | None) -> str:
    """What to do about a wrong unit."""
    if form.key == "archive":
        return "write the archive again from its source, read with the right unit"
    if "unit" in form.options:
        found = f"{declared} was declared" if declared else "none was declared"
        return f"declare the right one with --unit ({found}), or correct it where the file itself tells it"
    return "correct the unit in the file's header, or the numbers"


def _sized(path: Path, item: Person, size_px: tuple[int, int]) -> Person:
    """The item with images of this size, where its own is not known; 3D has no image.

    Raises `InputError` where its own is known and another one.
    """
    own = item.image_size_px
    if own == size_px or (isinstance(item, PoseSequence) and item.unit != "px"):
        return item
    if own is None:
        step = f"image size {size_px[0]} x {size_px[1]} as declared"
        return replace(item, image_size_px=size_px, history=(*item.history, step))
    raise InputError(
        f"{path}: its images are {own[0]}x{own[1]} px; {size_px[0]}x{size_px[1]} were expected. Where the video was "
        f"cropped after the calibration, say crop_px for this camera in the trial file; where it was scaled, give "
        f"keypoints of the size that was calibrated"
    )


def _check_declared(path: Path, item: PoseSequence | Detections, declared: dict[str, Any]) -> None:
    """What was declared for a format that tells it itself must be what it tells."""
    layout, rate_hz, unit = (declared.get(key) for key in ("layout", "rate_hz", "unit"))
    own_unit = item.unit if isinstance(item, PoseSequence) else "px"
    if layout is not None and set(layout_of(layout).joints) != set(item.skeleton.joints):
        raise InputError(f"{path}: the file's joints are {item.skeleton.name}, declared was {layout}")
    if rate_hz is not None and isinstance(item, PoseSequence) and not abs(item.rate_hz - rate_hz) <= 0.01 * rate_hz:
        raise InputError(f"{path}: the file has {item.rate_hz:.6g} frames per second, declared were {rate_hz:g}")
    if unit is not None and unit != own_unit:
        raise InputError(f"{path}: read in {own_unit}, declared was {unit}; the file tells its unit itself")
