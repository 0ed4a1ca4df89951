"""Checks of a triangulation: whether the views agree, and whether bones keep their length."""

from __future__ import annotations

import numpy as np

from gonio.core.camera import Rig
from gonio.core.errors import InputError
from gonio.core.sequence import PoseSequence
from gonio.multiview.triangulation import Triangulation

LOST_WARNING, LOST_ERROR = 0.25, 0.5  # share of points on which the views disagree
DROPPED_WARNING = 0.15  # share of a camera's observations
BONE_WARNING = 0.15  # of a bone's length
MISFIT = 0.01  # median reprojection error, share of the image's diagonal


def check_triangulation(method: str, result: Triangulation, rig: Rig) -> list[str]:
    """Sentences on a triangulation whose views contradict each other. Raises `InputError` if most points are lost."""
    remedy = "check that calibration, camera names and offsets belong to these files, and that no view is mirrored"
    lost = f"{method}: the views disagree on {100 * result.lost_share:.0f} % of the points that two or more detected"
    if result.lost_share > LOST_ERROR:
        raise InputError(f"{lost}; {remedy}")
    found = [lost] if result.lost_share > LOST_WARNING else []
    diagonal_px = max(float(np.hypot(*rig[name].size_px)) for name in result.camera_names)
    if result.all_views_median_px > MISFIT * diagonal_px:
        found.append(
            f"{method}: with all views in use the median reprojection error is {result.all_views_median_px:.0f} px, "
            f"over {100 * MISFIT:.0f} % of the image's diagonal"
        )
    for name, counts in result.excluded.items():
        usable = counts.used + counts.dropped
        if usable and counts.dropped > DROPPED_WARNING * usable:
            found.append(
                f"{method}: {100 * counts.dropped / usable:.0f} % of the joints detected in {name} disagree with the "
                f"other views"
            )
    odd = odd_bones(result.sequence)
    if odd:
        found.append(f"{method}: bones change their length, or differ between left and right: {', '.join(odd)}")
    return [f"{sentence}; {remedy}" for sentence in found]


def odd_bones(sequence: PoseSequence) -> list[str]:
    """Descriptions of long bones whose length varies in time, or between the sides, by more than `BONE_WARNING`."""
    odd: list[str] = []
    for bone, upper, lower in (
        ("thigh", "hip", "knee"),
        ("shank", "knee", "ankle"),
        ("upper arm", "shoulder", "elbow"),
    ):
        medians = {}
        for side in ("left", "right"):
            ends = [f"{side}_{upper}", f"{side}_{lower}"]
            if not all(end in sequence.skeleton for end in ends):
                continue
            lengths = np.linalg.norm(sequence[ends[0]] - sequence[ends[1]], axis=1)
            lengths = lengths[np.isfinite(lengths)]
            if len(lengths) == 0:
                continue
            medians[side] = float(np.median(lengths))
            spread = 1.4826 * float(np.median(np.abs(lengths - medians[side])))  # as a standard deviation, robust
            if spread > BONE_WARNING * medians[side]:
                odd.append(f"{side} {bone} {100 * medians[side]:.0f} cm varies by {100 * spread / medians[side]:.0f} %")
        if len(medians) == 2 and max(medians.values()) > (1 + BONE_WARNING) * min(medians.values()):
            odd.append(f"{bone} {100 * medians['left']:.0f} cm left, {100 * medians['right']:.0f} cm right")
    return odd
