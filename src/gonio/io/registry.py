"""The table of file formats: gonio's own, and those that a program or an installed package adds.

A format is one row of the table and one module with

    recognise(path) -> bool                whether the file begins as one of the format
    read(path, **options)                  a `PoseSequence`, `Detections` or a dict of sequences, or an `AngleSeries`
    write(item, path) -> tuple[str, ...]   what the format does not preserve, in sentences; only if it is written

and, if files of the format differ and the head of a file tells,

    dimensions(path) -> int                2 or 3
    has_times(path) -> bool                whether the file states its times; for a format with the option rate_hz

A program adds a format by `gonio.register_format(Format(...))`, an installed package by an entry point:

    [project.entry-points."gonio.formats"]
    my_format = "my_package.my_format:FORMAT"     # a Format with the key "my_format"

A file is recognised by its ending and then by its first bytes. gonio's own formats come first. Other packages are
loaded only if none of gonio's own formats fits.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

from gonio.core.errors import GonioError, InputError, PluginError
from gonio.core.plugins import Registry
from gonio.core.skeleton import AZURE_KINECT_32, KINECT_RECORDER_20, KINECT_V1_20, KINECT_V2_25

Several = Literal["detections", "named"]
OPTIONS = ("layout", "rate_hz", "image_size_px", "unit")


@dataclass(frozen=True, kw_only=True)
class Format:
    """One file format.

    key          its name in code, which never changes
    name         its name for people
    description  what its files hold, for people
    module       its module: a dotted path, which is imported at first use, or any object with the same functions
    suffixes     the endings of its files, in lower case; those of its folders' names if it is a folder
    folder       its "files" are folders
    dimensions   of the joints that its files can hold: (2,), (3,) or (2, 3)
    writable     it has `write`; otherwise it is only read
    several      the kinds of several people that it can be written from: "detections" (the people of each frame), and
                 "named" (a sequence for each name); empty: one person
    is_angles    it holds joint angles, not positions
    options      what its files do not state and its `read` takes: layout, rate_hz, image_size_px, unit
    layouts      the only layouts that can be declared for it; empty: any
    prefixes     how the names of its files begin if they are written with an ending that another format has too
    one_person   detections read from it that have at most one person in each frame are one person's sequence
    hint         what to do with a file of its ending that it does not recognise
    unit_remedy  what to do if its numbers are in a wrong unit and "unit" is not among its options

    Raises `InputError` if a suffix does not begin with a dot or an option is not known.
    """

    key: str
    name: str
    description: str
    module: Any
    suffixes: tuple[str, ...] = ()
    folder: bool = False
    dimensions: tuple[int, ...] = (2, 3)
    writable: bool = True
    several: tuple[Several, ...] = ()
    is_angles: bool = False
    options: tuple[str, ...] = ()
    layouts: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()
    one_person: bool = False
    hint: str = "export it again, or give it the ending of what it is"
    unit_remedy: str = "correct the unit in the file's header, or the numbers"

    def __post_init__(self) -> None:
        if not self.folder and not self.suffixes:
            raise InputError(f"format {self.key!r}: it is no folder and has no suffix")
        for suffix in () if self.folder else self.suffixes:
            if not suffix.startswith(".") or suffix != suffix.lower():
                raise InputError(f"format {self.key!r}: the suffix {suffix!r} must be like '.abc'")
        for option in self.options:
            if option not in OPTIONS:
                raise InputError(f"format {self.key!r}: no option {option!r}; there are {', '.join(OPTIONS)}")

    def load(self) -> Any:
        """The module, imported at first use. Raises `PluginError` if it cannot be imported or lacks a function."""
        module = self.module
        if isinstance(module, str):
            try:
                module = importlib.import_module(module)
            except GonioError:
                raise
            except Exception as error:
                raise PluginError(
                    f"format {self.key!r}: its module {self.module} cannot be imported "
                    f"({type(error).__name__}: {error})"
                ) from error
        for function in ("recognise", "read", *(("write",) if self.writable else ())):
            if not callable(getattr(module, function, None)):
                raise PluginError(f"format {self.key!r}: {self.module!r} has no function {function!r}")
        return module

    def takes_layout(self, layout: str | None) -> bool:
        """Whether this layout can be declared for its files."""
        return "layout" in self.options and (not self.layouts or layout in self.layouts)

    def tells_rate(self, path: Path) -> bool:
        """Whether this file states its times or its frame rate itself, so that none needs to be declared."""
        if "rate_hz" not in self.options:
            return True
        has_times = getattr(self.load(), "has_times", None)
        return has_times is not None and bool(has_times(path))


FORMATS: tuple[Format, ...] = (
    Format(
        key="archive",
        name="gonio archive",
        description="everything that gonio knows of a sequence, bit for bit",
        module="gonio.io.archive",
        suffixes=(".npz",),
        several=("detections", "named"),
        unit_remedy="write the archive again from its source, read with the right unit",
    ),
    Format(
        key="openpose_json",
        name="OpenPose JSON",
        description="a folder with one .json file a frame: 2D keypoints of several people, or 3D joints of one",
        module="gonio.io.openpose_json",
        suffixes=("_json",),
        folder=True,
        several=("detections",),
        options=("layout", "rate_hz", "image_size_px", "unit"),
        one_person=True,
    ),
    Format(
        key="coco_json",
        name="COCO keypoints",
        description="2D keypoints of the people of many images in one file",
        module="gonio.io.coco_json",
        suffixes=(".json",),
        dimensions=(2,),
        several=("detections",),
        options=("rate_hz", "image_size_px"),
        one_person=True,
        hint="OpenPose writes one .json file a frame: give the folder that holds them",
    ),
    Format(
        key="trc",
        name="OpenSim markers",
        description="3D markers, tab separated; y up",
        module="gonio.io.motion_capture.trc",
        suffixes=(".trc",),
        dimensions=(3,),
    ),
    Format(
        key="c3d",
        name="C3D motion capture",
        description="3D markers, binary",
        module="gonio.io.motion_capture.c3d",
        suffixes=(".c3d",),
        dimensions=(3,),
        options=("unit",),
    ),
    Format(
        key="opensim_storage",
        name="OpenSim angles",
        description="joint angles, tab separated",
        module="gonio.io.motion_capture.opensim_storage",
        suffixes=(".mot", ".sto"),
        dimensions=(),
        is_angles=True,
    ),
    Format(
        key="csv_table",
        name="pose table",
        description="2D or 3D, a row a frame",
        module="gonio.io.csv_table",
        suffixes=(".csv",),
        options=("unit",),
    ),
    Format(
        key="recorder_text",
        name="Kinect recorder text",
        description="3D, 20 joints, a row a frame; y up",
        module="gonio.io.kinect.recorder_text",
        suffixes=(".txt",),
        dimensions=(3,),
        options=("layout",),
        layouts=(KINECT_RECORDER_20.name, KINECT_V1_20.name),
    ),
    Format(
        key="ui_prmd",
        name="UI-PRMD",
        description="positions of its Kinect, angles beside them, or of its markers",
        module="gonio.io.motion_capture.ui_prmd",
        suffixes=(".txt", ".txt.gz"),
        dimensions=(3,),
        writable=False,
    ),
    Format(
        key="kinect",
        name="Kinect text",
        description="3D joints of a Kinect, a row a frame or a row a joint, named in a header or in a declared order",
        module="gonio.io.kinect.reader",
        suffixes=(".csv", ".tsv", ".txt"),
        dimensions=(3,),
        writable=False,
        options=("layout", "rate_hz", "unit"),
        layouts=(KINECT_V1_20.name, KINECT_RECORDER_20.name, KINECT_V2_25.name, AZURE_KINECT_32.name),
    ),
    Format(
        key="npy_array",
        name="VideoPose3D array",
        description="3D, a bare (time, joint, 3) array",
        module="gonio.io.npy_array",
        suffixes=(".npy",),
        dimensions=(3,),
        options=("layout", "rate_hz", "unit"),
    ),
    Format(
        key="videopose3d_npz",
        name="VideoPose3D data",
        description="its sets of 2D keypoints or 3D poses, or the detections of infer_video",
        module="gonio.io.videopose3d_npz",
        suffixes=(".npz",),
        several=("named",),
        options=("rate_hz",),
        prefixes=("data_2d_custom_", "data_3d_"),
    ),
    Format(
        key="matlab",
        name="MATLAB",
        description="2D or 3D positions, times and names, of version 5 to 7",
        module="gonio.io.matlab",
        suffixes=(".mat",),
        options=("unit", "rate_hz"),
    ),
    Format(
        key="netcdf",
        name="NetCDF of movement",
        description="2D or 3D positions as an xarray Dataset",
        module="gonio.io.netcdf",
        suffixes=(".nc",),
        options=("unit", "rate_hz"),
    ),
    Format(
        key="bvh",
        name="Biovision motion",
        description="a rig and its angles, 3D; y up",
        module="gonio.io.motion_capture.bvh",
        suffixes=(".bvh",),
        dimensions=(3,),
        options=("unit", "rate_hz"),
    ),
)
"""gonio's own formats. Of two that recognise a file, the first reads it."""

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

_REGISTRY: Registry[Format] = Registry("gonio.formats", Format, {form.key: form for form in FORMATS})


def register_format(form: Format) -> None:
    """Adds a file format to this program: `gonio.read`, `gonio.write` and the commands then know it.

    Raises `InputError` if another format has its key, or if it is no `Format`.
    """
    _REGISTRY.register(getattr(form, "key", ""), form)


def all_formats() -> Iterator[Format]:
    """gonio's own formats, then those that were added. Installed packages are loaded only after gonio's own.

    Raises `PluginError` if a package cannot be loaded, or if its entry point has another name than its format's key.
    """
    yield from FORMATS
    for name, form in _REGISTRY.items():
        if name != form.key:
            raise PluginError(f"gonio.formats: the entry point {name!r} is the format {form.key!r}; give it that name")
        if form not in FORMATS:
            yield form


def claims(path: Path) -> bool:
    """Whether this is a file of joints or angles by its ending, also of a closed format; or a folder."""
    return path.is_dir() or path.suffix.lower() in CLOSED or next(with_ending(path), None) is not None


def recognise(path: str | Path) -> Format:
    """The format of a file or folder.

    Raises `InputError` if the path does not exist or is empty, and if no format fits; the message names those that
    have this ending.
    """
    path = Path(path)
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        raise InputError(f"{path}: no such file or folder") from None
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        raise InputError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from None
    if not path.is_dir():
        _check_not_closed(path)
        if size == 0 and any(True for _ in _candidates(path)):
            raise InputError(f"{path}: is empty; record or export it again")
    candidates = []
    for form in _candidates(path):
        if form.load().recognise(path):
            return form
        candidates.append(form)
    if not candidates:
        raise _unknown_ending(path)
    expected = "; or ".join(f"{form.name}: {form.description}" for form in candidates)
    if path.is_dir():
        raise InputError(f"{path}: is a folder that no format fits ({expected})")
    raise InputError(f"{path}: does not begin like a {path.suffix} file ({expected}); {candidates[0].hint}")


def target(path: Path) -> Format:
    """The format in which a path is written: by its ending; of several with this ending by its prefix, or the first.

    A name without an ending, or with `_json`, is OpenPose's folder. gonio's own formats come before added ones.
    Raises `InputError` if no format has the ending, or if those that have it are only read.
    """
    default = next(form for form in FORMATS if form.folder)
    if path.name.endswith(default.suffixes):
        return default
    if not path.suffix:
        return next((form for form in all_formats() if form.folder and path.name.endswith(form.suffixes)), default)
    _check_not_closed(path)
    first = next((form for form in with_ending(path) if form.writable), None)
    if first is None:
        if only_read := next(with_ending(path), None):
            raise InputError(f"{path}: {only_read.name} ({path.suffix}) is read, not written; write .trc, .csv or .npz")
        raise _unknown_ending(path)
    own = (form for form in FORMATS if form.writable and path.name.lower().endswith(form.suffixes))
    return next((form for form in own if form.prefixes and path.name.startswith(form.prefixes)), first)


def with_ending(path: Path) -> Iterator[Format]:
    """The formats of files whose names end as this one, in the order of the table."""
    if not path.suffix:
        return iter(())
    return (form for form in all_formats() if not form.folder and path.name.lower().endswith(form.suffixes))


def _candidates(path: Path) -> Iterator[Format]:
    return (form for form in all_formats() if form.folder) if path.is_dir() else with_ending(path)


def _check_not_closed(path: Path) -> None:
    if path.suffix.lower() in CLOSED:
        raise InputError(f"{path}: is {CLOSED[path.suffix.lower()]}")


def _unknown_ending(path: Path) -> InputError:
    endings = list(dict.fromkeys(suffix for form in all_formats() if not form.folder for suffix in form.suffixes))
    near = get_close_matches(path.suffix.lower(), endings, 1)
    hint = f"; did you mean {near[0]}?" if near else ""
    return InputError(f"{path}: no known format{hint} (known: {', '.join(endings)}, OpenPose's JSON folder)")
