"""Compare methods on one trial: each method's estimate of a movement against a reference, or against each other.

The rules that make the numbers comparable:

- Every error counts the same cells (frame, joint): those that all methods and the reference have (`common_cells`). The
  protocol counts what each method alone lacks, so that a method that drops its difficult frames does not look better.
- Absolute positions are compared only if a method is in the reference's own frame, and positions without a rotation
  only if its axes are the reference's. Otherwise that error is None.
- An angle is compared over the times at which the reference and all methods that measure it have it. Its range over all
  samples of the method is given too, because another method may lack the extreme of the movement.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from gonio.comparison import position_error
from gonio.comparison.angle_agreement import angle_agreements, angle_changes, angle_definitions, common_samples
from gonio.comparison.common_cells import CommonCells, common_cells, common_times
from gonio.comparison.joint_offsets import definition_offsets_mm, laid_over
from gonio.comparison.repetition_records import known
from gonio.comparison.result import (
    ERROR_KEYS,
    ComparisonResult,
    JointErrors,
    MethodErrors,
    PairErrors,
    PositionErrors,
    TimeShift,
    plain,
)
from gonio.comparison.time_lag import CLOCK_SHIFT_S, shifted_positions
from gonio.core.angle_series import AngleSeries
from gonio.core.arrays import BoolArray, FloatArray
from gonio.core.clock import SAME_SAMPLE_S
from gonio.core.errors import InputError
from gonio.core.sequence import EVALUATION_JOINTS, PoseSequence

SHOULDERS = ("left_shoulder", "right_shoulder")

CELLS = {
    "positions": "frames and joints that all methods and the reference have; frames with both hips, at least half of "
    "the joints, and not all joints on a line",
    "angles": "times at which the reference and all methods that measure the angle have it; rom_all_deg: all times at "
    "which the method itself has it",
}

ALIGNMENT = {
    "mpjpe_mm": "none: absolute positions; null for a method that does not stand in the reference's frame",
    "root_mpjpe_mm": "both centred on their mid-hip, axes of the reference's frame, no scale; null where axes differ",
    "n_mpjpe_mm": "as root_mpjpe_mm, and one scale per frame, sum(t.p)/sum(p.p); null where axes differ",
    "pa_mpjpe_mm": "similarity Procrustes per frame (rotation, translation, scale), no reflection",
    "mpjve_mm_per_s": "both centred on their mid-hip; first differences of consecutive frames divided by their actual "
    "interval (at most 1.5 median intervals); null where axes differ",
    "rigid_mpjpe_mm": "one rotation and one translation for the whole recording, no scale, no reflection",
}


def compare_methods(
    methods: Mapping[str, PoseSequence],
    angles: Mapping[str, AngleSeries],
    *,
    reference: str | None,
    joints: Sequence[str] = EVALUATION_JOINTS,
    tolerance_s: float = SAME_SAMPLE_S,
    filter_words: str = "none",
    reprojection_px: Mapping[str, float] | None = None,
    protocol_extra: Mapping[str, Any] | None = None,
    repetitions_s: FloatArray | None = None,
) -> ComparisonResult:
    """The errors of 3D sequences at the same times, with their protocol.

    methods          name -> 3D sequence in metres; the reference is one of them
    angles           name -> joint angles at the same times; a method may have none
    reference        name of the reference; None compares every pair
    joints           joints to compare, by name; both hips must be among them
    tolerance_s      largest difference between two methods' times of one frame, in seconds
    filter_words     the filter of every method, for the protocol
    reprojection_px  camera -> median reprojection error in px
    protocol_extra   further entries of the protocol: versions, seeds, "trial"
    repetitions_s    (repetition, 2) start and end of each repetition, for the errors at their peaks

    Raises `InputError` if a method is 2D or at other times, the reference is none of the methods, a hip or a joint is
    unknown, or no frame is common to all methods; the message names the method.
    """
    if not methods:
        raise InputError("no method to compare")
    if reference is not None and reference not in methods:
        raise InputError(f"the reference {reference!r} is none of the methods: {', '.join(methods)}")
    unknown = [name for name in angles if name not in methods]
    if unknown:
        raise InputError(f"angles of {unknown[0]!r}, which is none of the methods: {', '.join(methods)}")
    shared = _Shared(
        methods=methods,
        angles=angles,
        times_s=common_times(methods, angles, reference, tolerance_s),
        cells=common_cells(methods, joints),
        samples=common_samples(angles),
        repetitions_s=repetitions_s,
    )
    protocol = _protocol(shared, reference, tolerance_s, filter_words)
    extra = dict(protocol_extra or {})
    taken = [key for key in extra if key in protocol]
    if taken:
        raise InputError(f"protocol_extra has {taken[0]!r}, which compare_methods() writes itself; leave it out")
    return ComparisonResult(
        protocol=plain({**protocol, **extra}, "protocol"),
        methods={
            name: MethodErrors(
                **shared.errors(name, reference),
                is_reference=name == reference,
                frame=_frame_description(sequence),
                history=sequence.history,
            )
            for name, sequence in methods.items()
        },
        pairs=tuple(PairErrors(a=a, b=b, **shared.errors(a, b)) for a, b in combinations(sorted(methods), 2))
        if reference is None
        else (),
        cameras={
            camera: {"reprojection_px_median": known(median)} for camera, median in (reprojection_px or {}).items()
        },
    )


def _protocol(shared: _Shared, reference: str | None, tolerance_s: float, filter_words: str) -> dict[str, Any]:
    cells = shared.cells
    return {
        "reference": reference,
        "methods": sorted(shared.methods),
        "joints": list(cells.joints),
        "joints_left_out": cells.left_out,
        "least_joints_per_frame": cells.least,
        "angles": sorted(shared.samples),
        **angle_definitions(shared.angles, shared.samples),
        "cells": CELLS,
        "alignment": ALIGNMENT,
        "matching_tolerance_s": tolerance_s,
        "filter": filter_words,
        "averaged": 1,
        "frames": cells.frames,
        "counts": cells.counts,
    }


@dataclass(frozen=True, eq=False)
class _Shared:
    """What the comparisons of all methods share: the cells, the times and the samples that count."""

    methods: Mapping[str, PoseSequence]
    angles: Mapping[str, AngleSeries]
    cells: CommonCells
    times_s: FloatArray
    samples: Mapping[str, BoolArray]
    repetitions_s: FloatArray | None

    def errors(self, name: str, against: str | None) -> dict[str, Any]:
        """The fields of an `ErrorSummary`: one method against another; against None or itself, ranges alone."""
        cells, other = self.cells, against or name
        E, R = cells.positions[name], cells.positions[other]
        same = (
            _same_place(self.methods[name], self.methods[other]),
            _same_axes(self.methods[name], self.methods[other]),
        )
        distinct = other != name
        per_cell = _position_errors(E, R, cells.mask, cells.hips, self.times_s, *same) if distinct else {}
        return {
            "n_frames": int(cells.mask.any(axis=1).sum()),
            "n_cells": int(cells.mask.sum()),
            **{key: _mean(values) for key, values in per_cell.items()},
            "per_joint": _joint_errors(per_cell, E, R, cells),
            "angles": angle_agreements(self.angles, name, against, self.samples, self.repetitions_s),
            "time_shifts": {
                f"{shift_s:+g}": TimeShift(
                    change=_position_changes(E, R, cells, self.times_s, same, shift_s),
                    angle_rmse_deg=angle_changes(self.angles, name, against, self.samples, shift_s),
                )
                for shift_s in ((-CLOCK_SHIFT_S, CLOCK_SHIFT_S) if distinct else ())
            },
        }


def _position_errors(
    E: FloatArray,
    R: FloatArray,
    mask: BoolArray,
    hips: tuple[int, int],
    times_s: FloatArray,
    same_place: bool,
    same_axes: bool,
) -> dict[str, FloatArray]:
    """Name -> the error of each cell, (time, joint), of velocities (time - 1, joint); absent if it does not exist."""
    per_cell: dict[str, FloatArray] = {}
    if same_place:
        per_cell["mpjpe_mm"] = position_error.mpjpe_mm(E, R, mask)
    if same_axes:
        per_cell["root_mpjpe_mm"] = position_error.root_mpjpe_mm(E, R, mask, hips)
        per_cell["n_mpjpe_mm"] = position_error.n_mpjpe_mm(E, R, mask, hips)
        per_cell["mpjve_mm_per_s"] = position_error.mpjve_mm_per_s(E, R, mask, times_s, hips)
    per_cell["pa_mpjpe_mm"] = position_error.pa_mpjpe_mm(E, R, mask)
    per_cell["rigid_mpjpe_mm"] = position_error.mpjpe_mm(laid_over(E, R, mask), R, mask)
    return per_cell


def _joint_errors(
    per_cell: Mapping[str, FloatArray], E: FloatArray, R: FloatArray, cells: CommonCells
) -> dict[str, JointErrors]:
    offsets = rests = np.full(len(cells.joints), np.nan)
    if per_cell and all(shoulder in cells.joints for shoulder in SHOULDERS):
        left, right = (cells.joints.index(shoulder) for shoulder in SHOULDERS)
        offsets, rests = definition_offsets_mm(E, R, cells.mask, cells.hips, (left, right))
    return {
        joint: JointErrors(
            **{key: _mean(errors[:, j]) for key, errors in per_cell.items()},
            definition_offset_mm=known(offsets[j]),
            without_offset_mm=known(rests[j]),
        )
        for j, joint in enumerate(cells.joints)
    }


def _position_changes(
    E: FloatArray, R: FloatArray, cells: CommonCells, times_s: FloatArray, same: tuple[bool, bool], shift_s: float
) -> PositionErrors:
    """By how much each error is larger if the estimate is read `shift_s` later, over the cells that both have."""
    moved = shifted_positions(E, cells.mask, times_s, shift_s)
    mask = cells.mask & np.isfinite(moved).all(axis=2)
    if not mask.any():
        return PositionErrors()
    changes: dict[str, float | None] = {}
    as_is, later = (_position_errors(e, R, mask, cells.hips, times_s, *same) for e in (E, moved))
    for key in (key for key in ERROR_KEYS if key in as_is):
        before, after = _mean(as_is[key]), _mean(later[key])
        changes[key] = None if before is None or after is None else after - before
    return PositionErrors(**changes)


def _same_axes(estimate: PoseSequence, reference: PoseSequence) -> bool:
    """Whether both have the axes of the same camera, rig or recording, with the same axis up."""
    known = {sequence.frame for sequence in (estimate, reference)} - {"root"}
    ups = {sequence.up for sequence in (estimate, reference)} - {None}
    return estimate.frame_name == reference.frame_name and len(known) <= 1 and len(ups) <= 1


def _same_place(estimate: PoseSequence, reference: PoseSequence) -> bool:
    """Whether both are in one frame that is not the person's own."""
    return estimate.frame == reference.frame != "root" and _same_axes(estimate, reference)


def _frame_description(sequence: PoseSequence) -> str:
    description = "root, axes of" if sequence.frame == "root" else f"{sequence.frame} of"
    return f"{description} {sequence.frame_name}" if sequence.frame_name else f"{sequence.frame}, unnamed"


def _mean(errors: FloatArray) -> float | None:
    counted = errors[np.isfinite(errors)]
    return float(counted.mean()) if len(counted) else None
