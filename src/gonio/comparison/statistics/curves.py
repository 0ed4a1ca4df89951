"""The coefficient of multiple correlation: the similarity of whole curves.

How to read it. It is 1 if all curves coincide. Like a correlation it compares the spread about the mean curve with the
movement itself: with the same error in degrees, a joint with a large range has a high CMC and a joint with a small
range a low one. If the curves differ by more than they move, it does not exist (NaN). Give it beside an error in
degrees, never alone (Roislien et al. 2012, Gait & Posture 36:357-361).

Repetitions are time-normalised: each has the same number of samples over one cycle.
"""

from __future__ import annotations

import math

import numpy as np

from gonio.comparison.statistics.subjects import is_constant
from gonio.core.arrays import FloatArray
from gonio.core.errors import InputError


def cmc(curves: FloatArray) -> float:
    """The within-day CMC of one method's repetitions, curves (repetition, time), of one subject and session.

    Kadaba et al. 1989, J Orthop Res 7:849-860, with N repetitions of T samples:

        CMC^2 = 1 - [sum (Y_jt - Y_t)^2 / (T (N - 1))] / [sum (Y_jt - Y)^2 / (N T - 1)]

    Y_t the mean over repetitions at t, Y the mean of all. Samples that a repetition lacks (NaN) are left out of all.
    NaN if it is undefined: the right-hand side is negative (repetitions differ by more than the joint moves),
    nothing varies or no sample is whole. Raises `InputError` for anything but two repetitions of two samples or more.
    """
    array = np.asarray(curves, dtype=np.float64)
    if array.ndim != 2 or min(array.shape) < 2:
        raise InputError(f"CMC takes curves (repetition, time), two or more of each; these are {array.shape}")
    return _root(array[None])


def cmc_between_methods(curves: FloatArray) -> float:
    """The inter-protocol CMC, curves (method, repetition, time) recorded by all methods at the same time.

    Ferrari et al. 2010, Gait & Posture 31:540-542: as `cmc`, with methods in the place of repetitions and every
    repetition about its own mean, so that differences between repetitions do not count:

        CMC^2 = 1 - [sum (Y_gpf - Y_gf)^2 / (G F (P - 1))] / [sum (Y_gpf - Y_g)^2 / (G (P F - 1))]

    Samples (repetition, time) that a method lacks are left out; a repetition with fewer than two is left out whole.
    NaN if it is undefined, as in `cmc`. Raises `InputError` for anything but two methods, a repetition and two
    samples or more.
    """
    array = np.asarray(curves, dtype=np.float64)
    if array.ndim != 3 or array.shape[0] < 2 or array.shape[1] < 1 or array.shape[2] < 2:
        raise InputError(
            f"CMC between methods takes curves (method, repetition, time), two methods or more; these are {array.shape}"
        )
    return _root(array.swapaxes(0, 1))


def interpret_cmc(value: float, *, population: str) -> str:
    """One line for the clinician on a coefficient of multiple correlation."""
    if math.isnan(value):
        return (
            f"In {population}, the CMC does not exist: the curves differ by more than the joint moves, or are missing."
        )
    return (
        f"In {population}, the curves are similar with a CMC of {value:.2f}; 1 is identical. It is high if the "
        "movement is large, so read it together with the error in degrees."
    )


def _root(groups: FloatArray) -> float:
    """CMC of groups (group, curve, time), each about its own mean: the days of Kadaba, the gait cycles of Ferrari."""
    about_mean_curve = about_mean = 0.0
    df_curve = df = 0
    varies = False
    for group in groups:
        whole = group[:, np.isfinite(group).all(axis=0)]
        n, samples = whole.shape
        if samples < 2:
            continue
        about_mean_curve += float(((whole - whole.mean(axis=0)) ** 2).sum())
        about_mean += float(((whole - whole.mean()) ** 2).sum())
        df_curve += samples * (n - 1)
        df += n * samples - 1
        varies = varies or not is_constant(whole.ravel())
    if not varies:
        return float("nan")
    square = 1 - (about_mean_curve / df_curve) / (about_mean / df)
    return float(np.sqrt(square)) if square >= 0 else float("nan")
