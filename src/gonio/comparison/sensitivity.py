"""How far each figure moves when the estimate's clock is moved: what a wrong synchronisation would do to it.

The estimate is read `SHIFT_S` earlier and later, linearly between its frames, and compared again with what the
reference has. The moved figure and the one as it is count the same cells, so that only the clock makes the change.
"""

from __future__ import annotations

import numpy as np

from gonio.comparison.clock_offset import at_times
from gonio.core.arrays import BoolArray, FloatArray

SHIFT_S = 0.1


def shifted_positions(positions: FloatArray, mask: BoolArray, times_s: FloatArray, shift_s: float) -> FloatArray:
    """(time, joint, 3) where the estimate is `shift_s` later; NaN outside the recording, in gaps and off the mask."""
    moved = np.full_like(positions, np.nan)
    for joint in range(positions.shape[1]):
        for axis in range(3):
            curve = np.where(mask[:, joint], positions[:, joint, axis], np.nan)
            moved[:, joint, axis] = shifted_curve(curve, times_s, shift_s)
    return moved


def shifted_curve(curve: FloatArray, times_s: FloatArray, shift_s: float) -> FloatArray:
    """(time,) the curve `shift_s` later; NaN outside the recording and in gaps."""
    return at_times(curve, times_s, times_s + shift_s) if len(curve) else curve
