"""AngleSeries: joint angles over time, with their definitions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from gonio.core.arrays import FloatArray, frozen
from gonio.core.display import Displayed, Rows, data_frame, plotted, span, xarray_module
from gonio.core.errors import InputError
from gonio.core.sequence import Source, median_rate_hz, validated_times

if TYPE_CHECKING:
    import pandas
    import xarray
    from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False, repr=False)
class AngleSeries(Displayed):
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

    def to_dataframe(self) -> pandas.DataFrame:
        """A pandas DataFrame with a row per frame: time_s, and every angle in degrees under `<name>_deg`.

        Its `attrs["definitions"]` hold each angle's definition. Raises `MissingExtraError` if pandas is not installed.
        """
        columns = {f"{name}_deg": column for name, column in zip(self.names, self.angles_deg.T, strict=True)}
        definitions = dict(zip(self.names, self.definitions, strict=True))
        return data_frame({"time_s": self.times_s, **columns}, unit="degree", definitions=definitions)

    def to_xarray(self) -> xarray.Dataset:
        """An xarray Dataset with `angle` (time, name) in degrees, and each angle's `definition`.

        Raises `MissingExtraError` if xarray is not installed.
        """
        return xarray_module().Dataset(  # type: ignore[no-any-return]
            {
                "angle": (("time", "name"), self.angles_deg, {"units": "degree"}),
                "definition": (("name",), np.array(self.definitions, dtype=object)),
            },
            coords={"time": self.times_s.copy(), "name": list(self.names)},
            attrs={"source_software": "gonio", "time_unit": "seconds", "angle_unit": "degree"},
        )

    def plot(self) -> Figure:
        """Every angle over time, in degrees."""
        return plotted("angles_figure", self)

    def _title(self) -> str:
        return f"AngleSeries: {len(self)} frames, {len(self.names)} angles"

    def _rows(self) -> Rows:
        yield "time", span(self.times_s, median_rate_hz(self.times_s))
        ranges = self.range_of_motion_deg()
        for name, column in zip(self.names, self.angles_deg.T, strict=True):
            seen = column[np.isfinite(column)]
            text = f"{seen.min():.1f} to {seen.max():.1f} degrees, range {ranges[name]:.1f}" if len(seen) else "missing"
            yield name, text
