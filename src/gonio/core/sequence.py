"""`PoseSequence`: one person's joints over time.

A sequence is frozen, holds read-only numpy arrays, and is validated once, when it is made. Units are metres, seconds
and pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gonio.core.arrays import BoolArray, FloatArray, frozen
from gonio.core.assumptions import Assumption, AssumptionKind, united
from gonio.core.display import Displayed, Rows, data_frame, plotted, shares, span, xarray_module
from gonio.core.errors import InputError
from gonio.core.skeleton import BODY_12, Skeleton, joint_map

if TYPE_CHECKING:
    import pandas
    import xarray
    from matplotlib.figure import Figure


Unit = Literal["px", "m"]
Frame = Literal["image", "camera", "world", "root"]
Axis = Literal["+x", "-x", "+y", "-y", "+z", "-z"]

DERIVED: Any = None  # a field that is computed from the others if it is not given


class Status(IntEnum):
    """The origin of a joint's position; counted in every report."""

    MISSING = 0
    MEASURED = 1
    INFERRED = 2
    INTERPOLATED = 3
    REPAIRED = 4


@dataclass(frozen=True)
class Source:
    """The origin of a sequence: the method, its model and version, and the file."""

    method: str = ""
    model: str = ""
    version: str = ""
    file: str = ""


@dataclass(frozen=True, eq=False, repr=False)
class PoseSequence(Displayed):
    """One person's joints over time.

    positions     (time, joint, 2 or 3)  px or m; NaN = missing
    times_s       (time,)                strictly increasing
    skeleton      the joints' names, in order
    unit          "px" (2D) or "m" (3D)
    frame         "image": pixels, origin at the centre of the top left pixel
                  "camera": x right, y down, z forward, origin at the camera `frame_name`
                  "world": the rig's frame, or that of the recording `frame_name`
                  "root": origin at the mid-hip, axes those of the camera or rig `frame_name`
    image_size_px (width, height), for "image"
    up            the axis that points against gravity, or None if it is not known
    confidence    (time, joint)          0..1; default: 1; 0 if the joint is missing
    status        (time, joint)          `Status`; default: measured
    covariance    (time, joint, d, d)    unit squared, or None; NaN if the joint is missing or its error is unknown
    source        its origin
    history       the steps applied to it, in order; sentences for people, which no code reads
    assumptions   facts that were not known and had to be assumed; the numbers depend on them

    Raises `InputError` if shapes disagree, times do not increase, confidence leaves 0..1, a value is infinite, or
    unit, frame or up is unknown.
    """

    positions: FloatArray
    times_s: FloatArray
    skeleton: Skeleton
    unit: Unit
    frame: Frame
    frame_name: str = ""
    image_size_px: tuple[int, int] | None = None
    up: Axis | None = None
    confidence: FloatArray = DERIVED
    status: NDArray[np.uint8] = DERIVED
    covariance: FloatArray | None = None
    source: Source = field(default_factory=Source)
    history: tuple[str, ...] = ()
    assumptions: tuple[Assumption, ...] = ()

    def __post_init__(self) -> None:
        positions = frozen(self.positions)
        if positions.ndim != 3 or positions.shape[1] != len(self.skeleton) or positions.shape[2] not in (2, 3):
            raise InputError(
                f"positions have shape {positions.shape}; "
                f"{self.skeleton.name} needs (time, {len(self.skeleton)}, 2 or 3)"
            )
        n_times, n_joints, n_dims = positions.shape
        frames = ("image",) if n_dims == 2 else ("camera", "world", "root")
        if self.unit != ("px" if n_dims == 2 else "m") or self.frame not in frames:
            raise InputError(
                f"{n_dims}D positions cannot be in unit {self.unit!r} and frame {self.frame!r}: "
                f"2D is pixels in the image, 3D is metres"
            )
        if self.up is not None and self.up not in get_args(Axis):
            raise InputError(f"up is {self.up!r}; it must be one of {', '.join(get_args(Axis))}")
        if np.isinf(positions).any():
            raise InputError("positions hold an infinite value; a missing joint is NaN")
        missing = np.isnan(positions).any(axis=2)
        times_s = validated_times(self.times_s, n_times)
        confidence = frozen(np.ones((n_times, n_joints)) if self.confidence is None else self.confidence)
        check_confidence(confidence, (n_times, n_joints))
        given = np.where(missing, 0, 1) if self.status is None else np.asarray(self.status)
        if given.shape != (n_times, n_joints) or not np.isin(given, list(Status)).all():
            raise InputError(
                f"status has shape {given.shape}; positions need {(n_times, n_joints)} of 0..{max(Status)}"
            )
        status = frozen(given, np.uint8)
        if ((status == Status.MISSING) != missing).any():
            raise InputError("status is missing for a joint that has a position, or the reverse")
        if missing.any():
            positions = frozen(np.where(missing[..., None], np.nan, positions))
            confidence = frozen(np.where(missing, 0.0, confidence))
        if self.covariance is not None:
            covariance = frozen(self.covariance)
            if covariance.shape != (n_times, n_joints, n_dims, n_dims):
                raise InputError(f"covariance has shape {covariance.shape}; needs {(*positions.shape, n_dims)}")
            object.__setattr__(self, "covariance", frozen(np.where(missing[..., None, None], np.nan, covariance)))
        object.__setattr__(self, "positions", positions)
        object.__setattr__(self, "times_s", times_s)
        object.__setattr__(self, "confidence", confidence)
        object.__setattr__(self, "status", status)

    def __len__(self) -> int:
        return len(self.times_s)

    def __getitem__(self, joint: str) -> FloatArray:
        """(time, d) positions of one joint, by name."""
        return self.positions[:, self.skeleton.index(joint)]

    @property
    def dimensions(self) -> int:
        """2 or 3."""
        return int(self.positions.shape[2])

    @property
    def valid(self) -> BoolArray:
        """(time, joint) whether the joint has a position."""
        return np.asarray(self.status != Status.MISSING)

    @property
    def rate_hz(self) -> float:
        """Frames per second: the inverse of the median interval (NaN for fewer than two frames)."""
        return median_rate_hz(self.times_s)

    def derive(self, step: str | None = None, **changes: Any) -> PoseSequence:
        """A new sequence with some fields changed and `step` appended to its history.

        If positions change and status does not, joints without a new position become missing; the others keep their
        status. Raises `ValueError` if a missing joint gets a position without a status.
        """
        if "positions" in changes and "status" not in changes:
            missing = np.isnan(changes["positions"]).any(axis=-1)
            status = self.status
            if missing.shape == status.shape:
                if (~missing & (status == Status.MISSING)).any():
                    raise ValueError("a step that fills missing joints must also give their status")
                changes["status"] = np.where(missing, Status.MISSING, status)
        if step:
            changes["history"] = (*self.history, step)
        return replace(self, **changes)

    def assuming(self, *assumptions: Assumption) -> PoseSequence:
        """The same sequence with these assumptions added."""
        return self.derive(assumptions=united([self.assumptions, assumptions]))

    def without_assumed(self, kind: AssumptionKind) -> PoseSequence:
        """The same sequence without assumptions of one kind, because the fact is now known."""
        return self.derive(assumptions=tuple(a for a in self.assumptions if a.kind != kind))

    def at(self, index: slice | NDArray[Any], step: str | None = None) -> PoseSequence:
        """Some of the frames, by slice, mask or increasing indices."""
        return self.derive(
            step,
            positions=self.positions[index],
            times_s=self.times_s[index],
            confidence=self.confidence[index],
            status=self.status[index],
            covariance=None if self.covariance is None else self.covariance[index],
        )

    def between(self, start_s: float, end_s: float) -> PoseSequence:
        """The frames with start_s <= time <= end_s."""
        return self.at((self.times_s >= start_s) & (self.times_s <= end_s), f"cut to {start_s:.3f}-{end_s:.3f} s")

    def shifted(self, offset_s: float, reason: str) -> PoseSequence:
        """The same frames on another clock: `offset_s` is added to every time."""
        return self.derive(f"times shifted by {offset_s:+.4f} s ({reason})", times_s=self.times_s + offset_s)

    def select(self, joints: Sequence[str]) -> PoseSequence:
        """Some of the joints, in the given order. Raises `InputError` if one is unknown."""
        index = [self.skeleton.index(joint) for joint in joints]
        return self.derive(
            positions=self.positions[:, index],
            skeleton=self.skeleton.select(joints),
            confidence=self.confidence[:, index],
            status=self.status[:, index],
            covariance=None if self.covariance is None else self.covariance[:, index],
        )

    def common_joints(self, other: PoseSequence) -> tuple[str, ...]:
        """Names of the joints that both have, in this sequence's order."""
        return tuple(joint for joint in self.skeleton.joints if joint in other.skeleton)

    def to_skeleton(self, target: Skeleton) -> PoseSequence:
        """The joints of another layout, mapped by name.

        A joint that is the mean of others, or the nearest counterpart of one, has the status inferred and is named in
        the history. A joint that has neither is missing.
        """
        if target.joints == self.skeleton.joints:
            return self.derive(skeleton=target)
        mapping = joint_map(self.skeleton, target)
        shape = (len(self), len(target))
        positions = np.full((*shape, self.dimensions), np.nan)
        confidence, status = np.zeros(shape), np.zeros(shape, np.uint8)
        covariance = None if self.covariance is None else np.full((*shape, self.dimensions, self.dimensions), np.nan)
        for joint, (sources, kind) in enumerate(zip(mapping.sources, mapping.kinds, strict=True)):
            if kind == "missing":
                continue
            index = list(sources)
            positions[:, joint] = self.positions[:, index].mean(axis=1)
            confidence[:, joint] = self.confidence[:, index].min(axis=1)
            present = ~np.isnan(positions[:, joint, 0])
            origin = self.status[:, index[0]] if kind == "same" else Status.INFERRED
            status[:, joint] = np.where(present, origin, Status.MISSING)
            if covariance is not None and self.covariance is not None:  # errors are taken as independent
                covariance[:, joint] = self.covariance[:, index].sum(axis=1) / len(index) ** 2
        own = self.skeleton.joints
        replaced = [
            f"{joint} = {'mean of ' if kind == 'synthesised' else ''}{'+'.join(own[s] for s in sources)}"
            for joint, sources, kind in zip(target.joints, mapping.sources, mapping.kinds, strict=True)
            if kind in ("synthesised", "counterpart")
        ]
        absent = [j for j, kind in zip(target.joints, mapping.kinds, strict=True) if kind == "missing"]
        step = f"mapped {self.skeleton.name} -> {target.name}"
        step += f"; {', '.join(replaced)}" if replaced else ""
        step += f"; absent: {', '.join(absent)}" if absent else ""
        return self.derive(
            step,
            positions=positions,
            skeleton=target,
            confidence=confidence,
            status=status,
            covariance=covariance,
        )

    def transformed(
        self,
        rotation: ArrayLike,
        translation_m: ArrayLike,
        *,
        frame: Frame,
        frame_name: str,
        up: Axis | None,
        step: str,
    ) -> PoseSequence:
        """3D only: x -> rotation @ x + translation, into another frame. rotation (3, 3), translation (3,) in metres."""
        if self.dimensions != 3:
            raise InputError("only a 3D sequence can be rotated into another frame; this one is 2D")
        R = np.asarray(rotation, dtype=float)
        return self.derive(
            step,
            positions=self.positions @ R.T + np.asarray(translation_m, dtype=float),
            covariance=None if self.covariance is None else R @ self.covariance @ R.T,
            frame=frame,
            frame_name=frame_name,
            up=up,
        )

    def with_up(self, up: Axis) -> PoseSequence:
        """3D only: the axes renamed so that `up` points up. A proper rotation (`up_rotation`).

        Raises `InputError` if the vertical of this sequence is not known.
        """
        if self.up is None:
            raise InputError(f"the up axis of this sequence is not known; it cannot be turned to {up} up")
        if self.up == up:
            return self
        rotation = up_rotation(self.up, up)
        return self.transformed(
            rotation,
            np.zeros(3),
            frame=self.frame,
            frame_name=self.frame_name,
            up=up,
            step=f"axes turned from {self.up} up to {up} up",
        )

    def root_m(self) -> FloatArray:
        """(time, d) the mid-hip: the joint of that name, else the mean of both hips, else the hip centre."""
        return self.to_skeleton(_ROOT).positions[:, 0]

    def counts(self) -> dict[str, dict[str, int]]:
        """For every joint, how many frames have each status."""
        return {
            joint: {status.name.lower(): int((self.status[:, j] == status).sum()) for status in Status}
            for j, joint in enumerate(self.skeleton.joints)
        }

    def to_dataframe(self) -> pandas.DataFrame:
        """A pandas DataFrame with a row per frame and joint: time_s, joint, x, y (and z), confidence, status.

        Positions are in `unit`. Its `attrs` hold unit, frame, frame_name and up.
        Raises `MissingExtraError` if pandas is not installed.
        """
        n_times, n_joints, n_dims = self.positions.shape
        names = np.array([status.name.lower() for status in Status])
        return data_frame(
            {
                "time_s": np.repeat(self.times_s, n_joints),
                "joint": np.tile(np.array(self.skeleton.joints, dtype=object), n_times),
                **{axis: self.positions[..., number].ravel() for number, axis in enumerate("xyz"[:n_dims])},
                "confidence": self.confidence.ravel(),
                "status": names[self.status.ravel()],
            },
            unit=self.unit,
            frame=self.frame,
            frame_name=self.frame_name,
            up=self.up,
        )

    def to_xarray(self, individual: str = "individual_0") -> xarray.Dataset:
        """An xarray Dataset as `movement` has it: position, confidence over time, space, keypoint, individual.

        Beside them `status` (CF flags: `flag_values`, `flag_meanings`); the attributes hold unit, frame, frame_name
        and up ("unknown" if the vertical is not known).
        Raises `MissingExtraError` if xarray is not installed.
        """
        space = ["x", "y", "z"][: self.dimensions]
        people = ("time", "keypoint", "individual")
        flags = {"flag_values": [int(s) for s in Status], "flag_meanings": " ".join(s.name.lower() for s in Status)}
        return xarray_module().Dataset(  # type: ignore[no-any-return]
            {
                "position": (
                    ("time", "space", "keypoint", "individual"),
                    self.positions.transpose(0, 2, 1)[..., None].copy(),
                ),
                "confidence": (people, self.confidence[..., None].copy()),
                "status": (people, self.status[..., None].copy(), flags),
            },
            coords={
                "time": self.times_s.copy(),
                "space": space,
                "keypoint": list(self.skeleton.joints),
                "individual": [individual],
            },
            attrs={
                "source_software": "gonio",
                "ds_type": "poses",
                "time_unit": "seconds",
                "space_unit": self.unit,
                "fps": self.rate_hz,
                "frame": self.frame,
                "frame_name": self.frame_name,
                "up": self.up or "unknown",
            },
        )

    def plot(self, joints: Sequence[str] | None = None) -> Figure:
        """Some joints over time (default: wrists and ankles): 3D in metres from the mid-hip, 2D in pixels."""
        return plotted("sequence_figure", self, joints)

    def _title(self) -> str:
        where = f"{self.dimensions}D in {self.unit}"
        return f"PoseSequence: {len(self)} frames, {len(self.skeleton)} joints ({self.skeleton.name}), {where}"

    def _rows(self) -> Rows:
        yield "time", span(self.times_s, self.rate_hz)
        size = f", {self.image_size_px[0]}x{self.image_size_px[1]} px" if self.image_size_px else ""
        up = f", {self.up} is up" if self.up else ""
        yield "frame", f"{self.frame}{f' of {self.frame_name}' if self.frame_name else ''}{size}{up}"
        yield (
            "joints",
            shares({s.name.lower(): int((self.status == s).sum()) for s in sorted(Status, key=_missing_last)}),
        )
        yield "source", " ".join(text for text in (self.source.method, self.source.model, self.source.file) if text)
        for assumption in self.assumptions:
            yield "assumed", assumption.text
        yield "history", f"{len(self.history)} steps, the last: {self.history[-1]}" if self.history else ""


def _missing_last(status: Status) -> int:
    return (status - 1) % len(Status)


_ROOT = Skeleton("root", ("mid_hip",), (-1,))

EVALUATION_JOINTS: tuple[str, ...] = BODY_12.joints


def up_rotation(current: Axis, target: Axis) -> FloatArray:
    """(3, 3) rotation that turns the axis `current` into `target`; the reverse map is its transpose.

    Between two axes of one sign it is the cyclic renaming (z up to y up: x, y, z -> y, z, x, as OpenSim users do it).
    From a negative axis to a positive one, half a turn comes first (about x; about y where the axis is x), so a
    camera's "-y" becomes "+y" with x kept.
    """
    if (current[0], target[0]) == ("+", "-"):
        return up_rotation(target, current).T
    rotation = np.eye(3)
    if current[0] != target[0]:
        rotation = np.diag([-1.0, 1.0, -1.0]) if current[1] == "x" else np.diag([1.0, -1.0, -1.0])
    shift = ("xyz".index(target[1]) - "xyz".index(current[1])) % 3
    return np.roll(np.eye(3), shift, axis=0) @ rotation


def median_rate_hz(times_s: FloatArray) -> float:
    """The inverse of the median interval; NaN for fewer than two frames."""
    return float(1.0 / np.median(np.diff(times_s))) if len(times_s) > 1 else float("nan")


def validated_times(times_s: ArrayLike, n_times: int) -> FloatArray:
    times = frozen(times_s)
    if times.shape != (n_times,):
        raise InputError(f"times_s has shape {times.shape}; there are {n_times} frames")
    right = np.isfinite(times)
    right[1:] &= times[1:] > times[:-1]
    if not right.all():
        raise InputError(f"times must increase strictly; at frame {int(np.argmin(right))} they do not")
    return times


def check_confidence(confidence: FloatArray, shape: tuple[int, ...]) -> None:
    if confidence.shape != shape:
        raise InputError(f"confidence has shape {confidence.shape}; needs {shape}")
    if not ((confidence >= 0) & (confidence <= 1)).all():
        raise InputError("confidence must lie in 0..1")
