"""A study: several methods' estimates of one movement against a reference, or against each other.

The rules that make the numbers comparable:

- Every error counts the same cells (frame, joint): those that all methods and the reference have. A joint that the
  layout of one of them lacks is left out for all; a frame is left out for all where fewer than half of the joints, or
  not both hips, are there in all, or where the joints lie on one line in one of them. What each method alone lost is
  counted in the protocol, so that one that drops its hard frames does not look better unseen.
- A method is compared absolutely only where it stands in the reference's own frame, and without a rotation only where
  its axes are the reference's. Else that error is None, not a guess.
- An angle is compared over the times at which all methods that measure it, and the reference, have it. Its range over
  all that a method itself has is told beside that, since the movement's extreme may lie where another method is blind.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from gonio.comparison import agreement, position_error
from gonio.comparison.agreement import peak_differences
from gonio.comparison.alignment import spans_a_plane
from gonio.comparison.angle_agreement import AngleAgreement, AnglePair
from gonio.comparison.joint_offsets import definition_offsets_mm, laid_over
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
from gonio.comparison.time_lag import CLOCK_SHIFT_S, shifted_curve, shifted_positions
from gonio.core.angle_series import AngleSeries
from gonio.core.arrays import BoolArray, FloatArray
from gonio.core.clock import SAME_SAMPLE_S
from gonio.core.errors import InputError
from gonio.core.sequence import EVALUATION_JOINTS, PoseSequence

HIPS = ("left_hip", "right_hip")
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
    """Compare 3D sequences that lie on the same times.

    methods          name -> 3D sequence in metres; the reference is one of them
    angles           name -> joint angles at the same times; a method may have none
    reference        name of the reference; None compares every pair, and nobody is true
    joints           joints to compare, by name; both hips must be among them
    tolerance_s      how far apart two methods' times of one frame may be, in seconds
    filter_words     what was done to every method alike, for the protocol
    reprojection_px  camera -> median reprojection error in px, where there are cameras
    protocol_extra   further entries of the protocol: versions, seeds, "trial"
    repetitions_s    (repetition, 2) start and end of each repetition, for the errors at their peaks

    Raises `InputError` where a method is 2D or at other times, the reference is none of the methods, a hip or a joint
    is unknown, or no frame is left that all of them have; the message says which method lacks it.
    """
    if not methods:
        raise InputError("there is no method to compare")
    if reference is not None and reference not in methods:
        raise InputError(f"the reference {reference!r} is none of the methods: {', '.join(methods)}")
    unknown = [name for name in angles if name not in methods]
    if unknown:
        raise InputError(f"angles of {unknown[0]!r}, which is none of the methods: {', '.join(methods)}")
    times_s = _common_times(methods, angles, reference, tolerance_s)
    cells = _common_cells(methods, joints)
    samples = _common_samples(angles)
    protocol = {
        "reference": reference,
        "methods": sorted(methods),
        "joints": list(cells.joints),
        "joints_left_out": cells.left_out,
        "least_joints_per_frame": cells.least,
        "angles": sorted(samples),
        **_angle_definitions(angles, samples),
        "cells": CELLS,
        "alignment": ALIGNMENT,
        "matching_tolerance_s": tolerance_s,
        "filter": filter_words,
        "averaged": 1,
        "frames": cells.frames,
        "counts": cells.counts,
    }
    extra = dict(protocol_extra or {})
    taken = [key for key in extra if key in protocol]
    if taken:
        raise InputError(f"the protocol's {taken[0]!r} is what compare() did and cannot be given by the caller")

    def errors(name: str, against: str | None) -> dict[str, Any]:
        E, R = cells.positions[name], cells.positions[against or name]
        same = _same_place(methods[name], methods[against or name]), _same_axes(methods[name], methods[against or name])
        apart = against is not None and against != name
        per_cell = _position_errors(E, R, cells.mask, cells.hips, times_s, *same) if apart else {}
        body = {key: _mean(values) for key, values in per_cell.items()}
        return {
            "n_frames": int(cells.mask.any(axis=1).sum()),
            "n_cells": int(cells.mask.sum()),
            **body,
            "per_joint": _joint_errors(per_cell, E, R, cells),
            "angles": _angle_agreement(angles, name, against, samples, repetitions_s),
            "time_shifts": {
                f"{shift_s:+g}": TimeShift(
                    change=_position_changes(E, R, cells, times_s, same, shift_s),
                    angle_rmse_deg=_angle_changes(angles, name, against, samples, shift_s),
                )
                for shift_s in ((-CLOCK_SHIFT_S, CLOCK_SHIFT_S) if apart else ())
            },
        }

    return ComparisonResult(
        protocol=plain({**protocol, **extra}, "protocol"),
        methods={
            name: MethodErrors(
                **errors(name, reference),
                is_reference=name == reference,
                frame=_frame_words(sequence),
                history=sequence.history,
            )
            for name, sequence in methods.items()
        },
        pairs=tuple(PairErrors(a=a, b=b, **errors(a, b)) for a, b in combinations(sorted(methods), 2))
        if reference is None
        else (),
        cameras={
            camera: {"reprojection_px_median": _finite(median)} for camera, median in (reprojection_px or {}).items()
        },
    )


@dataclass(frozen=True)
class _Cells:
    """The cells that count, for all methods alike, and what was left out to get there."""

    joints: tuple[str, ...]
    hips: tuple[int, int]
    positions: dict[str, FloatArray]
    mask: BoolArray
    least: int
    left_out: dict[str, list[str]]
    frames: dict[str, Any]
    counts: dict[str, dict[str, dict[str, int]]]


def _common_times(
    methods: Mapping[str, PoseSequence], angles: Mapping[str, AngleSeries], reference: str | None, tolerance_s: float
) -> FloatArray:
    """(time,) those of the reference, else of the first method. Raises `InputError` where another's differ."""
    first = next(iter(methods)) if reference is None else reference
    times_s = methods[first].times_s
    own = [(name, sequence.times_s) for name, sequence in methods.items()]
    own += [(f"{name}'s angles", series.times_s) for name, series in angles.items()]
    for name, times in own:
        if len(times) != len(times_s):
            raise InputError(
                f"{name} has {len(times)} frames and {first} {len(times_s)}; resample them to common times first"
            )
        apart = np.abs(times - times_s)
        if (apart > tolerance_s).any():
            frame = int(np.argmax(apart > tolerance_s))
            raise InputError(
                f"{name} and {first} are not on one clock: at frame {frame} they are {apart[frame] * 1000:.1f} ms "
                f"apart (allowed {tolerance_s * 1000:.1f} ms); resample them to common times first"
            )
    return times_s


def _common_cells(methods: Mapping[str, PoseSequence], joints: Sequence[str]) -> _Cells:
    for name, sequence in methods.items():
        if sequence.dimensions != 3:
            raise InputError(f"{name} is 2D ({sequence.unit}); only 3D sequences in metres can be compared")
    for joint in joints:
        if not any(joint in sequence.skeleton for sequence in methods.values()):
            raise InputError(f"no method has a joint {joint!r}; known joints are those of the layouts, by name")
    lacking = {joint: [name for name, s in methods.items() if joint not in s.skeleton] for joint in joints}
    used = tuple(joint for joint in joints if not lacking[joint])
    for hip in HIPS:
        if hip not in used:
            who = (
                f"{' and '.join(lacking[hip])} has none" if lacking.get(hip) else "it is not among the joints asked for"
            )
            raise InputError(f"{hip} is needed to centre the body on the mid-hip, and {who}")
    chosen = {name: sequence.select(used) for name, sequence in methods.items()}
    valid = {name: sequence.valid for name, sequence in chosen.items()}
    positions = {name: sequence.positions for name, sequence in chosen.items()}
    hips = (used.index(HIPS[0]), used.index(HIPS[1]))
    least = max(3, -(-len(used) // 2))
    everywhere = _all(list(valid.values()))
    with_hips, enough = _usable(everywhere, hips, least)
    upright = np.logical_and.reduce([spans_a_plane(p, everywhere) for p in positions.values()])
    kept = with_hips & enough & upright
    alone = {name: _all([v for other, v in valid.items() if other != name], everywhere.shape) for name in valid}
    frames = {
        "in_all": len(kept),
        "compared": int(kept.sum()),
        "left_out": {
            "without_both_hips": int((~with_hips).sum()),
            "too_few_joints": int((with_hips & ~enough).sum()),
            "joints_on_a_line": int((with_hips & enough & ~upright).sum()),
        },
        "lost_by_one_alone": {
            name: int((np.logical_and(*_usable(alone[name], hips, least)) & ~(with_hips & enough)).sum())
            for name in valid
        },
    }
    if not kept.any():
        raise InputError(_nothing_in_common(valid, positions, used, hips, least))
    counts = {
        name: {
            joint: {**status, "missing_alone": int((alone[name][:, j] & ~valid[name][:, j]).sum())}
            for j, (joint, status) in enumerate(sequence.counts().items())
        }
        for name, sequence in chosen.items()
    }
    left_out = {joint: names for joint, names in lacking.items() if names}
    return _Cells(used, hips, positions, everywhere & kept[:, None], least, left_out, frames, counts)


def _all(masks: list[BoolArray], shape: tuple[int, ...] = ()) -> BoolArray:
    """Where all masks hold; everywhere where there is no mask."""
    return np.asarray(np.logical_and.reduce(masks) if masks else np.ones(shape, dtype=bool))


def _usable(mask: BoolArray, hips: tuple[int, int], least: int) -> tuple[BoolArray, BoolArray]:
    """(time,) both hips are there; (time,) enough joints are there."""
    return np.asarray(mask[:, list(hips)].all(axis=1)), np.asarray(mask.sum(axis=1) >= least)


def _nothing_in_common(
    valid: Mapping[str, BoolArray],
    positions: Mapping[str, FloatArray],
    joints: tuple[str, ...],
    hips: tuple[int, int],
    least: int,
) -> str:
    words = []
    for name, there in valid.items():
        usable = np.logical_and(*_usable(there, hips, least)) & spans_a_plane(positions[name], there)
        seen = there.sum(axis=0)
        rarest = int(np.argmin(seen)) if len(there) else 0
        detail = f", {joints[rarest]} in {seen[rarest]}" if not usable.all() else ""
        words.append(f"{name} has {int(usable.sum())} of {len(there)}{detail}")
    return (
        f"no frame is common to all methods (needed: both hips and at least {least} of {len(joints)} joints, not on "
        f"one line): {'; '.join(words)}; check offsets, confidence gate and who is followed, or leave a method out"
    )


def _position_errors(
    E: FloatArray,
    R: FloatArray,
    mask: BoolArray,
    hips: tuple[int, int],
    times_s: FloatArray,
    same_place: bool,
    same_axes: bool,
) -> dict[str, FloatArray]:
    """The errors of each cell by name: those that exist."""
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
    per_cell: Mapping[str, FloatArray], E: FloatArray, R: FloatArray, cells: _Cells
) -> dict[str, JointErrors]:
    offsets = rests = np.full(len(cells.joints), np.nan)
    if per_cell and all(shoulder in cells.joints for shoulder in SHOULDERS):
        left, right = (cells.joints.index(shoulder) for shoulder in SHOULDERS)
        offsets, rests = definition_offsets_mm(E, R, cells.mask, cells.hips, (left, right))
    return {
        joint: JointErrors(
            **{key: _mean(errors[:, j]) for key, errors in per_cell.items()},
            definition_offset_mm=_finite(offsets[j]),
            without_offset_mm=_finite(rests[j]),
        )
        for j, joint in enumerate(cells.joints)
    }


def _position_changes(
    E: FloatArray, R: FloatArray, cells: _Cells, times_s: FloatArray, same: tuple[bool, bool], shift_s: float
) -> PositionErrors:
    """By how much each error is larger where the estimate is read `shift_s` later, over the cells that both have."""
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


def _angle_changes(
    angles: Mapping[str, AngleSeries],
    name: str,
    against: str | None,
    samples: Mapping[str, BoolArray],
    shift_s: float,
) -> dict[str, float | None]:
    """As `_position_changes`, of each angle's RMSE."""
    if name not in angles or against is None or against not in angles:
        return {}
    changes: dict[str, float | None] = {}
    for angle in angles[name].names:
        changes[angle] = None
        if angle in samples and angle in angles[against].names:
            counted = samples[angle]
            own, other = (np.where(counted, angles[who].degrees[angle], np.nan) for who in (name, against))
            moved = shifted_curve(own, angles[name].times_s, shift_s)
            before = agreement.rmse(np.where(np.isfinite(moved), own, np.nan), other)
            changes[angle] = _finite(agreement.rmse(np.where(np.isfinite(own), moved, np.nan), other) - before)
    return changes


def _same_axes(estimate: PoseSequence, reference: PoseSequence) -> bool:
    """Both are turned alike: the axes of one camera, rig or recording, and not renamed since."""
    known = {sequence.frame for sequence in (estimate, reference)} - {"root"}
    ups = {sequence.up for sequence in (estimate, reference)} - {None}
    return estimate.frame_name == reference.frame_name and len(known) <= 1 and len(ups) <= 1


def _same_place(estimate: PoseSequence, reference: PoseSequence) -> bool:
    """Both stand in one frame, which is not the person's own."""
    return estimate.frame == reference.frame != "root" and _same_axes(estimate, reference)


def _frame_words(sequence: PoseSequence) -> str:
    words = "root, axes of" if sequence.frame == "root" else f"{sequence.frame} of"
    return f"{words} {sequence.frame_name}" if sequence.frame_name else f"{sequence.frame}, unnamed"


def _common_samples(angles: Mapping[str, AngleSeries]) -> dict[str, BoolArray]:
    """Angle -> (time,): all methods that measure it at all have it. An angle that none measures is not in it."""
    measured: dict[str, list[BoolArray]] = {}
    for series in angles.values():
        for name in series.names:
            there = np.isfinite(series.degrees[name])
            if there.any():
                measured.setdefault(name, []).append(there)
    return {name: _all(masks) for name, masks in measured.items()}


def _angle_definitions(angles: Mapping[str, AngleSeries], measured: Collection[str]) -> dict[str, Any]:
    """What the angles are and which values they can take, by name without the side: left and right are one angle.

    Where methods define one name differently each definition names its methods.
    """
    words: dict[str, dict[str, list[str]]] = {}
    intervals: dict[str, list[float]] = {}
    for method, series in angles.items():
        for name, definition, interval in zip(series.names, series.definitions, series.intervals_rad, strict=True):
            if name not in measured:
                continue
            plain_name = name.removeprefix("left_").removeprefix("right_")
            whose = words.setdefault(plain_name, {}).setdefault(definition, [])
            if method not in whose:
                whose.append(method)
            low, high = np.rad2deg(interval).round(6).tolist()
            known = intervals.get(plain_name, [low, high])
            intervals[plain_name] = [min(low, known[0]), max(high, known[1])]
    definitions = {
        name: next(iter(each)) if len(each) == 1 else " / ".join(f"{', '.join(who)}: {w}" for w, who in each.items())
        for name, each in words.items()
    }
    return {"angle_definitions": definitions, "angle_intervals_deg": intervals}


def _angle_agreement(
    angles: Mapping[str, AngleSeries],
    name: str,
    against: str | None,
    samples: Mapping[str, BoolArray],
    repetitions_s: FloatArray | None,
) -> dict[str, AngleAgreement]:
    if name not in angles:
        return {}
    found = {}
    for angle in angles[name].names:
        estimate = _common_curve(angles, name, angle, samples)
        reference = _common_curve(angles, against, angle, samples)
        peaks = np.empty(0)
        if estimate is not None and reference is not None and name != against and repetitions_s is not None:
            peaks = peak_differences(estimate, reference, angles[name].times_s[samples[angle]], repetitions_s)
        all_samples = angles[name].degrees[angle]
        found[angle] = AnglePair(estimate, reference, name != against, all_samples, peaks).agreement
    return found


def _common_curve(
    angles: Mapping[str, AngleSeries], name: str | None, angle: str, samples: Mapping[str, BoolArray]
) -> FloatArray | None:
    """(sample,) degrees at the common times; None where the method does not measure the angle or no time is common."""
    if name is None or name not in angles or angle not in angles[name].names or angle not in samples:
        return None
    curve = angles[name].degrees[angle][samples[angle]]
    return curve if len(curve) and np.isfinite(curve).all() else None


def _mean(errors: FloatArray) -> float | None:
    counted = errors[np.isfinite(errors)]
    return float(counted.mean()) if len(counted) else None


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
