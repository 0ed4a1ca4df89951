"""The records of one repetition in a study: one for each method and angle, and one for each method and joint.

They are plain numbers, so that a study can store them in files and make its tables later from any number of them. None
means that a value cannot be measured.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gonio.comparison import agreement
from gonio.core.arrays import BoolArray, FloatArray


@dataclass(frozen=True, kw_only=True)
class AngleValues:
    """One angle of one method in one repetition, against the reference; degrees.

    definitions          "gonio" or "protocol"
    quantity, side       the angle without its side, and "left", "right" or ""
    n                    samples that the reference and all methods have; everything here is over them
    missed_alone         samples that this method alone does not have
    lag_s                how much later than the reference it shows the movement; subtracted before
    rmse, bias, rmse_bias_free, r   of the curve (`comparison.agreement`)
    moved                bias-free RMSE with the clock moved by 0.1 s, the mean of both ways
    rom, peak, mean      range, highest value and mean of each
    speed                the highest speed between neighbouring samples, degrees per second
    at_peak              the value of each at the reference's peak
    """

    definitions: str
    repetition: str
    method: str
    quantity: str
    side: str
    n: int
    missed_alone: int
    lag_s: float
    rmse: float | None
    bias: float | None
    rmse_bias_free: float | None
    r: float | None
    moved: float | None
    rom_method: float
    rom_reference: float
    peak_method: float
    peak_reference: float
    mean_method: float
    mean_reference: float
    speed_method: float | None
    speed_reference: float | None
    at_peak_method: float
    at_peak_reference: float


@dataclass(frozen=True, kw_only=True)
class PositionValues:
    """The distance of a method's joint from the reference's in one repetition, in mm, after rigid alignment per frame.

    joint         without its side; "" is the body, all joints that were compared
    side          "left", "right" or ""
    n             frames in which the reference and all methods have all the joints
    missed_alone  frames in which this method alone does not
    mean, rms     mean and root mean square of the distance over these frames, and joints for the body
    """

    definitions: str
    repetition: str
    method: str
    joint: str
    side: str
    n: int
    missed_alone: int
    lag_s: float
    mean: float
    rms: float


def angle_values(
    estimate: FloatArray,
    reference: FloatArray,
    both: BoolArray,
    rate_hz: float,
    **fields: object,
) -> AngleValues:
    """The record of two curves (time,) in degrees over the samples `both` (time,), two or more."""
    a, b = np.where(both, estimate, np.nan), np.where(both, reference, np.nan)
    bias, rmse = agreement.bias(a, b), agreement.rmse(a, b)
    peak = int(np.nanargmax(b))
    return AngleValues(
        n=int(both.sum()),
        rmse=known(rmse),
        bias=known(bias),
        rmse_bias_free=known(float(np.sqrt(max(rmse**2 - bias**2, 0.0)))),
        r=known(agreement.pearson_r(a, b)),
        rom_method=float(np.nanmax(a) - np.nanmin(a)),
        rom_reference=float(np.nanmax(b) - np.nanmin(b)),
        peak_method=float(np.nanmax(a)),
        peak_reference=float(b[peak]),
        mean_method=float(np.nanmean(a)),
        mean_reference=float(np.nanmean(b)),
        speed_method=_speed(a, rate_hz),
        speed_reference=_speed(b, rate_hz),
        at_peak_method=float(a[peak]),
        at_peak_reference=float(b[peak]),
        **fields,  # type: ignore[arg-type]
    )


def known(value: float) -> float | None:
    """None for NaN: JSON has none."""
    return float(value) if np.isfinite(value) else None


def _speed(curve: FloatArray, rate_hz: float) -> float | None:
    steps = np.abs(np.diff(curve))
    steps = steps[np.isfinite(steps)]
    return float(steps.max() * rate_hz) if len(steps) else None
