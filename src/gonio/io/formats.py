"""Reading and writing files of joints and of joint angles, whatever their format (`registry` has the table)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from gonio.core.angle_series import AngleSeries
from gonio.core.detections import Detections
from gonio.core.errors import InputError
from gonio.core.sequence import PoseSequence
from gonio.core.skeleton import layout as layout_of
from gonio.io.body_checks import check_body_size
from gonio.io.reading import quiet
from gonio.io.registry import Format, all_formats, recognise, target, with_ending

Item = PoseSequence | Detections | dict[str, PoseSequence]
Person = TypeVar("Person", bound=PoseSequence | Detections)


@quiet
def read(
    path: str | Path,
    *,
    layout: str | None = None,
    rate_hz: float | None = None,
    unit: str | None = None,
    image_size_px: tuple[int, int] | None = None,
) -> Item:
    """What a file or folder holds: one person, several people by name, or the people of each frame.

    layout         the joints' layout, e.g. "body-25"
    rate_hz        frames per second
    unit           of the positions: "m", "cm", "mm" or "px"
    image_size_px  (width, height) of the images in which 2D keypoints were found

    Each option declares what the file does not state. If the file states it, both must agree. OpenPose's folder and
    COCO's file become a `PoseSequence` if no frame holds more than one person, otherwise `Detections`. An image size
    that is neither in the file nor declared is None.

    Raises `InputError` as `registry.recognise` and the format's own `read` do, for a file of joint angles, and if 3D
    positions hold no joint at all or a body of an impossible size (`body_checks.check_body_size`).
    """
    path = Path(path)
    form = recognise(path)
    if form.is_angles:
        raise InputError(f"{path}: holds joint angles, not positions of joints; gonio.read_angles reads it")
    declared = {"layout": layout, "rate_hz": rate_hz, "unit": unit, "image_size_px": image_size_px}
    taken = {key: value for key, value in declared.items() if key in form.options and value is not None}
    item: Item = form.load().read(path, **taken)
    if isinstance(item, Detections) and form.one_person and item.people_per_frame.max(initial=0) <= 1:
        present = item.present
        chosen = np.where(present.any(axis=1), present.argmax(axis=1) if present.shape[1] else 0, -1)
        item = item.person(chosen, "the only person of each frame")
    for name, each in item.items() if isinstance(item, dict) else (("", item),):
        _check_declared(path, each, {key: value for key, value in declared.items() if key not in taken})
        if isinstance(each, PoseSequence) and each.dimensions == 3:
            check_body_size(f"{path}, {name}" if name else str(path), each, _unit_remedy(form, unit))
    if image_size_px is None:
        return item
    if isinstance(item, dict):
        return {name: _sized(path, person, image_size_px) for name, person in item.items()}
    return _sized(path, item, image_size_px)


def read_sequence(
    path: str | Path,
    *,
    layout: str | None = None,
    rate_hz: float | None = None,
    unit: str | None = None,
    image_size_px: tuple[int, int] | None = None,
) -> PoseSequence:
    """One person's joints, 2D or 3D; the options are those of `read`.

    A file of several people by name with one person in it is that person. Raises `InputError` as `read`, and if the
    file holds more people than one.
    """
    path = Path(path)
    item = read(path, layout=layout, rate_hz=rate_hz, unit=unit, image_size_px=image_size_px)
    if isinstance(item, dict) and len(item) == 1:
        (item,) = item.values()
    if not isinstance(item, PoseSequence):
        raise InputError(f"{path}: holds {_people(item)}, not one person; gonio.read reads it")
    return item


def read_keypoints(
    path: str | Path,
    *,
    layout: str | None = None,
    rate_hz: float | None = None,
    image_size_px: tuple[int, int] | None = None,
) -> PoseSequence | Detections:
    """2D keypoints in pixels: of one person, or of the people of each frame; the options are those of `read`.

    Raises `InputError` as `read`, and if the file holds 3D joints or several people by name.
    """
    path = Path(path)
    item = read(path, layout=layout, rate_hz=rate_hz, image_size_px=image_size_px)
    if isinstance(item, dict) and len(item) == 1:
        (item,) = item.values()
    if isinstance(item, dict):
        raise InputError(f"{path}: holds {_people(item)}, not the keypoints of one view; gonio.read reads it")
    if isinstance(item, PoseSequence) and item.dimensions != 2:
        raise InputError(f"{path}: holds 3D joints, not 2D keypoints; gonio.read_sequence reads it")
    return item


@quiet
def read_angles(path: str | Path) -> AngleSeries:
    """The joint angles of a file, in radians, under the file's names.

    Raises `InputError` as the format's own `read`, and if the file holds positions.
    """
    path = Path(path)
    form = recognise(path)
    if not form.is_angles:
        raise InputError(f"{path}: {form.name} holds positions of joints; gonio.joint_angles computes angles from them")
    angles: AngleSeries = form.load().read(path)
    return angles


@quiet
def dimensions(path: str | Path, *, layout: str | None = None, rate_hz: float | None = None) -> int:
    """2 or 3: the dimensions of the joints in a file, from its head if that tells; else the file is read.

    layout, rate_hz  as for `read`; a format whose files must be read needs them

    Raises `InputError` as `read`, and for a file of joint angles.
    """
    path = Path(path)
    form = recognise(path)
    if form.is_angles:
        raise InputError(f"{path}: holds joint angles, not positions of joints; gonio.read_angles reads it")
    if len(form.dimensions) == 1:
        return form.dimensions[0]
    of_head = getattr(form.load(), "dimensions", None)
    if of_head is not None:
        return int(of_head(path))
    item = read(path, layout=layout, rate_hz=rate_hz)
    return _dimensions_of(next(iter(item.values())) if isinstance(item, dict) else item)


def holds_angles(path: str | Path) -> bool:
    """Whether a file of this name is one of joint angles, by its ending."""
    path = Path(path)
    form = next(with_ending(path), None)
    return form is not None and form.is_angles


def check_target(path: str | Path, dimensions: int, *, several: bool = False) -> None:
    """Ask before long work: raises `InputError` if joints of 2 or 3 dimensions cannot be written to this path.

    several  more people than one are to be written
    """
    path = Path(path)
    form = target(path)
    if several and not form.several:
        raise InputError(
            f"{path}: {form.name} holds one person; write several as .npz or a folder for OpenPose's JSON, "
            f"or one alone with --people 1"
        )
    _check_dimensions(path, form, dimensions)


def write(item: Item | AngleSeries, path: str | Path) -> tuple[str, ...]:
    """Writes by the path's ending (no ending, or `_json`: OpenPose's folder); returns what the format cannot preserve.

    A name that begins with data_2d_custom_ or data_3d_ and ends in .npz becomes VideoPose3D's set, any other .npz
    gonio's archive. Raises `InputError` if the ending is unknown or the format cannot hold the item. Positions do not
    become joint angles here: `gonio.joint_angles` computes those.
    """
    path = Path(path)
    form = target(path)
    if isinstance(item, AngleSeries) != form.is_angles:
        if form.is_angles:
            raise InputError(f"{path}: {form.name} holds joint angles, these are positions; gonio.joint_angles first")
        raise InputError(f"{path}: {form.name} holds positions, these are joint angles; write .mot or .sto")
    if isinstance(item, Detections) and item.positions.shape[1] == 1 and "detections" not in form.several:
        item = item.person(np.where(item.present[:, 0], 0, -1), "the only person of each frame")
    if isinstance(item, Detections) and "detections" not in form.several:
        raise InputError(f"{path}: {form.name} holds one person, not the people of each frame; write .npz or a folder")
    if isinstance(item, dict) and "named" not in form.several:
        raise InputError(f"{path}: {form.name} holds one person, not {len(item)}; write .npz, or one by one")
    for each in item.values() if isinstance(item, dict) else () if isinstance(item, AngleSeries) else (item,):
        _check_dimensions(path, form, _dimensions_of(each))
    not_preserved: tuple[str, ...] = form.load().write(item, path)
    return not_preserved


def _check_dimensions(path: Path, form: Format, dimensions: int) -> None:
    if dimensions not in form.dimensions:
        fitting = [other for other in all_formats() if other.writable and dimensions in other.dimensions]
        suffixes = dict.fromkeys(suffix for other in fitting if not other.folder for suffix in other.suffixes)
        raise InputError(
            f"{path}: {form.name} does not hold {dimensions}D joints; write {', '.join(suffixes)} or a folder for "
            f"OpenPose's JSON"
        )


def _dimensions_of(item: PoseSequence | Detections) -> int:
    return item.dimensions if isinstance(item, PoseSequence) else 2


def _people(item: PoseSequence | Detections | dict[str, PoseSequence]) -> str:
    """What several people are, in a message."""
    if isinstance(item, dict):
        names = list(item)
        return f"{len(names)} people or recordings ({', '.join(names[:3])}{', ...' if len(names) > 3 else ''})"
    return "the people of each frame"


def _unit_remedy(form: Format, declared: str | None) -> str:
    """What to do about a wrong unit."""
    if "unit" not in form.options:
        return form.unit_remedy
    found = f"{declared} was declared" if declared else "none was declared"
    return f"declare the right one with --unit ({found}), or correct it in the file if that states it"


def _sized(path: Path, item: Person, size_px: tuple[int, int]) -> Person:
    """The item with this image size if its own is not known; 3D has no image.

    Raises `InputError` if its own is known and differs.
    """
    own = item.image_size_px
    if own == size_px or (isinstance(item, PoseSequence) and item.unit != "px"):
        return item
    if own is None:
        step = f"image size {size_px[0]} x {size_px[1]} as declared"
        return replace(item, image_size_px=size_px, history=(*item.history, step))
    raise InputError(
        f"{path}: its images are {own[0]}x{own[1]} px; {size_px[0]}x{size_px[1]} were expected. If the video was "
        f"cropped after the calibration, declare crop_px for this camera in the trial file; if it was scaled, give "
        f"keypoints of the calibrated size"
    )


def _check_declared(path: Path, item: PoseSequence | Detections, declared: dict[str, Any]) -> None:
    """Checks that declared values agree with those in the file."""
    layout, rate_hz, unit = (declared.get(key) for key in ("layout", "rate_hz", "unit"))
    own_unit = item.unit if isinstance(item, PoseSequence) else "px"
    if layout is not None and set(layout_of(layout).joints) != set(item.skeleton.joints):
        raise InputError(f"{path}: the file's joints are {item.skeleton.name}; {layout} was declared")
    if rate_hz is not None and isinstance(item, PoseSequence) and not abs(item.rate_hz - rate_hz) <= 0.01 * rate_hz:
        raise InputError(f"{path}: the file has {item.rate_hz:.6g} frames per second; {rate_hz:g} were declared")
    if unit is not None and unit != own_unit:
        raise InputError(f"{path}: the file is in {own_unit}; {unit} was declared")
