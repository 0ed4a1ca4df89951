"""Errors at the peaks of repetitions: what a therapist reads off an exercise is how far it went.

The peak of an angle in a repetition is its value furthest from where the repetition began and ended, up or down by the
reference's curve; the estimate's is its own highest or lowest value in the same repetition, at whichever moment. So a
peak's difference forgives a small difference of clocks, and none of size.
"""

from __future__ import annotations

import numpy as np

from gonio.core.arrays import FloatArray


def peak_differences(
    estimate: FloatArray, reference: FloatArray, times_s: FloatArray, spans_s: FloatArray
) -> FloatArray:
    """(n,) the estimate's peak minus the reference's in each repetition, in the unit of the curves.

    estimate, reference, times_s  (time,), NaN where missing; a peak is sought where both are there
    spans_s                       (repetition, 2) start and end

    A repetition with fewer than three such samples, or in which the reference does not move, has no peak.
    """
    found = []
    there = np.isfinite(estimate) & np.isfinite(reference)
    for start, end in spans_s:
        inside = there & (times_s >= start) & (times_s <= end)
        if inside.sum() < 3:
            continue
        e, r = estimate[inside], reference[inside]
        rest = (r[0] + r[-1]) / 2
        above, below = r.max() - rest, rest - r.min()
        if max(above, below) <= 0:
            continue
        found.append(e.max() - r.max() if above >= below else e.min() - r.min())
    return np.array(found)
