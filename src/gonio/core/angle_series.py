"""AngleSeries: joint angles over time, with their definitions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from gonio.core.arrays import FloatArray, frozen
from gonio.core.display import Displayed, Rows, data_frame, plotted, span, xarray_module
from gonio.core.errors import InputError
from gonio.core.sequence import Source, median_rate_hz, validated_times

if TYPE_CHECKING:
    import pandas
    import xarray
    from matplotlib.figure import Figure


class AngleColumns(Mapping[str, FloatArray]):
    """Angles by name, each (time,), read-only. An unknown name raises `InputError`."""

    def __init__(self, names: Sequence[str], values: FloatArray) -> None:
        self._numbers = {name: number for number, name in enumerate(names)}
        self._values = values
        self._values.setflags(write=False)

    def __getitem__(self, name: str) -> FloatArray:
        if name not in self._numbers:
            near = get_close_matches(str(name), self._numbers, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(self._numbers)}"
            raise InputError(f"no angle is called {name!r}; {hint}")
        return self._values[:, self._numbers[name]]

    def __contains__(self, name: object) -> bool:
        return name in self._numbers

    def __iter__(self) -> Iterator[str]:
        return iter(self._numbers)

    def __len__(self) -> int:
        return len(self._numbers)

    def get(self, name: str, default: Any = None) -> Any:
        """The angle of that name, else `default`."""
        if name not in self:
            return default
        return self[name]


@dataclass(frozen=True, eq=False, repr=False)
class AngleSeries(Displayed):
    """Joint angles over time.

    `angles.degrees["left_knee_flexion"]` is one angle over time in degrees, `angles.radians[...]` in radians.

    angles_rad    (time, angle)  NaN = missing
    times_s       (time,)        strictly increasing
    names         of the columns, e.g. "left_knee_flexion"
    definitions   each angle's definition, with its source
    intervals_rad (low, high) that each angle can take by its definition

    Raises `InputError` if shapes disagree.
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

    @cached_property
    def degrees(self) -> AngleColumns:
        """Each angle by its name, (time,) in degrees: `angles.degrees["left_knee_flexion"]`."""
        return AngleColumns(self.names, self.angles_deg)

    @cached_property
    def radians(self) -> AngleColumns:
        """Each angle by its name, (time,) in radians: `angles.radians["left_knee_flexion"]`."""
        return AngleColumns(self.names, self.angles_rad)

    def __getitem__(self, name: object) -> NoReturn:
        """Until 0.1.0 an angle in radians. Raises `InputError`: say which unit you want."""
        raise InputError(f"angles[{name!r}] has no unit; write angles.degrees[{name!r}] or angles.radians[{name!r}]")

    def __iter__(self) -> NoReturn:
        raise InputError("angles cannot be iterated over; write angles.degrees.items() or angles.radians.items()")

    @property
    def angles_deg(self) -> FloatArray:
        """(time, angle) in degrees."""
        return np.rad2deg(self.angles_rad)

    def range_of_motion_deg(self) -> dict[str, float]:
        """Largest minus smallest value of each angle, degrees; NaN if an angle is always missing."""
        measured = ~np.isnan(self.angles_rad).all(axis=0)
        span = np.full(len(self.names), np.nan)
        if measured.any():
            columns = self.angles_deg[:, measured]
            span[measured] = np.nanmax(columns, axis=0) - np.nanmin(columns, axis=0)
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
            valid = column[np.isfinite(column)]
            text = (
                f"{valid.min():.1f} to {valid.max():.1f} degrees, range {ranges[name]:.1f}" if len(valid) else "missing"
            )
            yield name, text
