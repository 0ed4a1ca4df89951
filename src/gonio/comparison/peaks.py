"""Errors at the peaks of repetitions: what a therapist reads off an exercise is how far it went.

The peak of an angle in a repetition is its value furthest from where the repetition began and ended, up or down by the
reference's curve; the estimate's is its own highest or lowest value in the same repetition, at whichever moment. So a
peak's difference forgives a small difference of clocks, and none of size.
"""

from __future__ import annotations

import numpy as np

from gonio.core.arrays import FloatArray

LEAST_DEG = 10.0  # an angle that the reference moves less in a repetition has no peak in it


def peak_differences(
    estimate: FloatArray, reference: FloatArray, times_s: FloatArray, spans_s: FloatArray
) -> FloatArray:
    """(n,) degrees: the estimate's peak minus the reference's in each repetition.

    estimate, reference  (time,) degrees, NaN where missing; a peak is sought where both are there
    times_s              (time,)
    spans_s              (repetition, 2) start and end

    A repetition with fewer than three such samples, or in which the reference moves by less than `LEAST_DEG`, has no
    peak.
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
        if max(above, below) < LEAST_DEG:
            continue
        found.append(e.max() - r.max() if above >= below else e.min() - r.min())
    return np.array(found)
