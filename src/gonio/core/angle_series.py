"""AngleSeries: joint angles over time, with their definitions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from gonio.core.arrays import FloatArray, frozen
from gonio.core.errors import InputError
from gonio.core.sequence import Source, validated_times

if TYPE_CHECKING:
    pass


@dataclass(frozen=True, eq=False)
class AngleSeries:
    """Joint angles over time.

    angles_rad    (time, angle)  NaN = missing
    names         what each column is, e.g. "left_knee_flexion"
    definitions   each angle's definition, in words, with its source
    intervals_rad (low, high) that each angle can take by its definition
    """

    angles_rad: FloatArray
    times_s: FloatArray
    names: tuple[str, ...]
    definitions: tuple[str, ...]
    intervals_rad: tuple[tuple[float, float], ...]
    source: Source = field(default_factory=Source)
    history: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        angles = frozen(self.angles_rad)
        if angles.ndim != 2 or not angles.shape[1] == len(self.names) == len(self.definitions) == len(
            self.intervals_rad
        ):
            raise InputError(f"angles have shape {angles.shape}; there are {len(self.names)} names")
        object.__setattr__(self, "angles_rad", angles)
        object.__setattr__(self, "times_s", validated_times(self.times_s, len(angles)))

    def __len__(self) -> int:
        return len(self.times_s)

    def __getitem__(self, name: str) -> FloatArray:
        """(time,) one angle in radians. Raises `InputError` where there is none of that name."""
        if name not in self.names:
            raise InputError(f"no angle is called {name!r}; there are {', '.join(self.names)}")
        return self.angles_rad[:, self.names.index(name)]

    @property
    def angles_deg(self) -> FloatArray:
        """(time, angle) in degrees."""
        return np.rad2deg(self.angles_rad)

    def range_of_motion_deg(self) -> dict[str, float]:
        """Largest minus smallest value of each angle, degrees; NaN where an angle was never seen."""
        seen = ~np.isnan(self.angles_rad).all(axis=0)
        span = np.full(len(self.names), np.nan)
        if seen.any():
            columns = self.angles_deg[:, seen]
            span[seen] = np.nanmax(columns, axis=0) - np.nanmin(columns, axis=0)
        return dict(zip(self.names, span.tolist(), strict=True))
