"""Detections: the people of each frame of one view, before they are followed from frame to frame."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gonio.core.arrays import BoolArray, FloatArray, IntArray, frozen
from gonio.core.display import Displayed, Rows, data_frame, plotted, span, xarray_module
from gonio.core.errors import InputError
from gonio.core.sequence import (
    DERIVED,
    PoseSequence,
    Source,
    Status,
    check_confidence,
    median_rate_hz,
    validated_times,
)
from gonio.core.skeleton import Skeleton

if TYPE_CHECKING:
    import pandas
    import xarray
    from matplotlib.figure import Figure


Box = tuple[float, float, float, float]
"""x1, y1, x2, y2, px: a region of an image."""


@dataclass(frozen=True, eq=False, repr=False)
class Detections(Displayed):
    """The people in each frame of one view, unordered: person p of one frame need not be person p of the next.

    positions     (time, person, joint, 2)  px; NaN = missing; absent people are all NaN
    confidence    (time, person, joint)     0..1
    times_s       (time,)                   strictly increasing
    boxes_px      (time, person, 4)         x1, y1, x2, y2, or None
    scores        (time, person)            0..1, or None
    world_m       (time, person, joint, 3)  a detector's own 3D estimate: hip-centred, camera axes; or None
    status        (time, person, joint)     `Status`; default: measured
    image_size_px (width, height), or None if it is not known

    Raises `InputError` if shapes disagree.
    """

    positions: FloatArray
    confidence: FloatArray
    times_s: FloatArray
    skeleton: Skeleton
    image_size_px: tuple[int, int] | None = None
    frame_name: str = ""
    boxes_px: FloatArray | None = None
    scores: FloatArray | None = None
    world_m: FloatArray | None = None
    status: NDArray[np.uint8] = DERIVED
    source: Source = field(default_factory=Source)
    history: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        positions = frozen(self.positions)
        if positions.ndim != 4 or positions.shape[2:] != (len(self.skeleton), 2):
            raise InputError(
                f"detections have shape {positions.shape}; {self.skeleton.name} needs "
                f"(time, person, {len(self.skeleton)}, 2)"
            )
        if np.isinf(positions).any():
            raise InputError("detections hold an infinite value; a missing joint is NaN")
        shape = positions.shape[:3]
        confidence = frozen(self.confidence)
        check_confidence(confidence, shape)
        missing = np.isnan(positions).any(axis=3)
        object.__setattr__(self, "positions", frozen(np.where(missing[..., None], np.nan, positions)))
        object.__setattr__(self, "confidence", frozen(np.where(missing, 0.0, confidence)))
        status = np.full(shape, Status.MEASURED) if self.status is None else self.status
        if np.shape(status) != shape:
            raise InputError(f"status has shape {np.shape(status)}; needs {shape}")
        if ((np.asarray(status) == Status.MISSING) & ~missing).any():
            raise InputError("status is missing, but there is a position")
        object.__setattr__(self, "status", frozen(np.where(missing, Status.MISSING, status), np.uint8))
        object.__setattr__(self, "times_s", validated_times(self.times_s, shape[0]))
        for name, expected in (("boxes_px", (*shape[:2], 4)), ("scores", shape[:2]), ("world_m", (*shape, 3))):
            value = getattr(self, name)
            if value is not None:
                if np.shape(value) != expected:
                    raise InputError(f"{name} has shape {np.shape(value)}; needs {expected}")
                object.__setattr__(self, name, frozen(value))

    def __len__(self) -> int:
        return len(self.times_s)

    def to_dataframe(self) -> pandas.DataFrame:
        """A pandas DataFrame, a row per joint of each person: time_s, person, joint, x, y, confidence, status.

        `person` is a place in the frame, not an identity. Raises `MissingExtraError` if pandas is not installed.
        """
        rows, people = np.nonzero(self.present)
        n_joints = len(self.skeleton)
        names = np.array([status.name.lower() for status in Status])
        positions = self.positions[rows, people]
        return data_frame(
            {
                "time_s": np.repeat(self.times_s[rows], n_joints),
                "person": np.repeat(people, n_joints),
                "joint": np.tile(np.array(self.skeleton.joints, dtype=object), len(rows)),
                "x": positions[..., 0].ravel(),
                "y": positions[..., 1].ravel(),
                "confidence": self.confidence[rows, people].ravel(),
                "status": names[self.status[rows, people].ravel()],
            },
            unit="px",
            frame="image",
            frame_name=self.frame_name,
        )

    def to_xarray(self) -> xarray.Dataset:
        """An xarray Dataset in `movement`'s vocabulary: position, confidence, status over time, keypoint, individual.

        An individual is a place in a frame, not an identity. Raises `MissingExtraError` if xarray is not installed.
        """
        people = ("time", "keypoint", "individual")
        flags = {"flag_values": [int(s) for s in Status], "flag_meanings": " ".join(s.name.lower() for s in Status)}
        return xarray_module().Dataset(  # type: ignore[no-any-return]
            {
                "position": (("time", "space", "keypoint", "individual"), self.positions.transpose(0, 3, 2, 1).copy()),
                "confidence": (people, self.confidence.transpose(0, 2, 1).copy()),
                "status": (people, self.status.transpose(0, 2, 1).copy(), flags),
            },
            coords={
                "time": self.times_s.copy(),
                "space": ["x", "y"],
                "keypoint": list(self.skeleton.joints),
                "individual": [f"individual_{number}" for number in range(self.positions.shape[1])],
            },
            attrs={
                "source_software": "gonio",
                "ds_type": "poses",
                "time_unit": "seconds",
                "space_unit": "px",
                "fps": median_rate_hz(self.times_s),
                "frame": "image",
                "frame_name": self.frame_name,
                "up": "unknown",
            },
        )

    def plot(self) -> Figure:
        """The number of people in each frame, and where they are."""
        return plotted("detections_figure", self)

    def _title(self) -> str:
        people = self.people_per_frame
        found = f"{people.min()} to {people.max()} people per frame" if len(people) else "no frame"
        return f"Detections: {len(self)} frames, {found}, {len(self.skeleton)} joints ({self.skeleton.name})"

    def _rows(self) -> Rows:
        yield "time", span(self.times_s, median_rate_hz(self.times_s))
        size = f", {self.image_size_px[0]}x{self.image_size_px[1]} px" if self.image_size_px else ""
        yield "frame", f"image{f' of {self.frame_name}' if self.frame_name else ''}{size}"
        empty = int((self.people_per_frame == 0).sum())
        yield "people", f"{self.present.sum()} in all; {empty} frames without a person"
        yield "source", " ".join(text for text in (self.source.method, self.source.model, self.source.file) if text)
        yield "history", f"{len(self.history)} steps, the last: {self.history[-1]}" if self.history else ""

    @property
    def present(self) -> BoolArray:
        """(time, person) whether the person has at least one joint."""
        return np.asarray(~np.isnan(self.positions[..., 0]).all(axis=2))

    @property
    def people_per_frame(self) -> NDArray[np.int64]:
        """(time,) number of people."""
        return np.asarray(self.present.sum(axis=1), dtype=np.int64)

    def reordered(self, numbers: ArrayLike, step: str | None = None) -> Detections:
        """The detections with other numbers: `numbers` (time, place) is the person to put at each place of each frame.

        -1 leaves the place empty. `step` is appended to the history.
        """
        pick = np.asarray(numbers)
        taken, frames = pick >= 0, np.arange(len(self))[:, None]

        def picked(values: NDArray[Any], absent: float) -> NDArray[Any]:
            new = np.full((*pick.shape, *values.shape[2:]), absent, dtype=values.dtype)
            if taken.any():
                new[taken] = values[frames, pick][taken]
            return new

        return replace(
            self,
            positions=picked(self.positions, np.nan),
            confidence=picked(self.confidence, 0.0),
            status=picked(self.status, Status.MISSING),
            boxes_px=None if self.boxes_px is None else picked(self.boxes_px, np.nan),
            scores=None if self.scores is None else picked(self.scores, 0.0),
            world_m=None if self.world_m is None else picked(self.world_m, np.nan),
            history=(*self.history, step) if step else self.history,
        )

    def person(self, chosen: ArrayLike, step: str) -> PoseSequence:
        """The sequence of one person: `chosen` (time,) is the person's number in each frame, -1 where absent."""
        pick = np.asarray(chosen)
        if self.positions.shape[1] == 0:
            pick = np.full(len(self), -1)
        rows = np.flatnonzero(pick >= 0)
        positions = np.full((len(self), len(self.skeleton), 2), np.nan)
        confidence, status = np.zeros(positions.shape[:2]), np.zeros(positions.shape[:2], np.uint8)
        positions[rows] = self.positions[rows, pick[rows]]
        confidence[rows] = self.confidence[rows, pick[rows]]
        status[rows] = self.status[rows, pick[rows]]
        return PoseSequence(
            positions=positions,
            times_s=self.times_s,
            skeleton=self.skeleton,
            unit="px",
            frame="image",
            frame_name=self.frame_name,
            image_size_px=self.image_size_px,
            confidence=confidence,
            status=status,
            source=self.source,
            history=(*self.history, step),
        )

    def person_world(self, chosen: ArrayLike, step: str) -> PoseSequence:
        """The detector's own 3D estimate of one person, root-relative; `chosen` as for `person`.

        Raises `InputError` if the detector has no 3D estimate.
        """
        if self.world_m is None:
            raise InputError(f"{self.source.model or 'this detector'} gives no 3D estimate of its own")
        keypoints = self.person(chosen, step)
        pick = np.asarray(chosen)
        rows = np.flatnonzero(pick >= 0) if self.positions.shape[1] else np.array([], int)
        positions = np.full((*keypoints.positions.shape[:2], 3), np.nan)
        positions[rows] = self.world_m[rows, pick[rows]]
        positions[~keypoints.valid] = np.nan
        missing = np.isnan(positions).any(axis=2)
        return PoseSequence(
            positions=positions,
            times_s=self.times_s,
            skeleton=self.skeleton,
            unit="m",
            frame="root",
            frame_name=self.frame_name,
            up="-y",
            confidence=np.where(missing, 0.0, keypoints.confidence),
            source=self.source,
            history=keypoints.history,
        )


def smallest_image_px(positions: FloatArray) -> tuple[int, int]:
    """(width, height) of the smallest image that holds all positions (..., 2) in px; missing ones are NaN.

    It replaces an unknown image size for drawing, for the image's centre, and in files that must hold a size.
    """
    furthest = np.nan_to_num(positions.reshape(-1, 2)).max(axis=0, initial=0.0)
    width, height = np.floor(furthest + 0.5).astype(int) + 1
    return int(width), int(height)


def inside_box(points_px: FloatArray, box_px: Box) -> BoolArray:
    """(...,) whether points (..., 2) lie in the box; False for NaN."""
    return np.asarray(((points_px >= box_px[:2]) & (points_px <= box_px[2:])).all(axis=-1))


def keep_inside(detections: Detections, region_px: Box) -> Detections:
    """The people whose mid-hip, the mean of both hips, lies in the region; the others are left out, and counted."""
    hips = [detections.skeleton.index(joint) for joint in ("left_hip", "right_hip")]
    kept = inside_box(detections.positions[:, :, hips].mean(axis=2), region_px)
    n_left_out = int((detections.present & ~kept).sum())
    return replace(
        detections,
        positions=np.where(kept[:, :, None, None], detections.positions, np.nan),
        history=(*detections.history, f"{n_left_out} people outside the region {region_px} left out"),
    )


def without_gaps(detections: Detections) -> tuple[Detections, IntArray]:
    """The people of each frame without empty places between them; (time, place) the number that each had."""
    most = int(detections.people_per_frame.max(initial=0))
    numbers = np.argsort(~detections.present, axis=1, kind="stable")[:, :most]
    return detections.reordered(numbers), numbers
