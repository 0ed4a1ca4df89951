"""The cells (frame, joint) that count, the same for all methods.

A joint that the layout of one method lacks is left out for all. A frame is left out for all if fewer than half of the
joints, or not both hips, are valid in all methods, or if the joints lie on one line in one of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gonio.comparison.alignment import spans_a_plane
from gonio.core.angle_series import AngleSeries
from gonio.core.arrays import BoolArray, FloatArray
from gonio.core.errors import InputError
from gonio.core.sequence import PoseSequence

HIPS = ("left_hip", "right_hip")


@dataclass(frozen=True)
class CommonCells:
    """The cells that count, and what was left out.

    joints     those that every method has
    hips       the hips' numbers among them
    positions  method -> (time, joint, 3) m
    mask       (time, joint) the cells that count
    least      joints that a frame needs
    left_out   joint -> methods that lack it
    frames     counts of frames, for the protocol
    counts     method -> joint -> counts of its states, for the protocol
    """

    joints: tuple[str, ...]
    hips: tuple[int, int]
    positions: dict[str, FloatArray]
    mask: BoolArray
    least: int
    left_out: dict[str, list[str]]
    frames: dict[str, Any]
    counts: dict[str, dict[str, dict[str, int]]]


def common_times(
    methods: Mapping[str, PoseSequence], angles: Mapping[str, AngleSeries], reference: str | None, tolerance_s: float
) -> FloatArray:
    """(time,) of the reference, or without one of the first method. Raises `InputError` if another's differ."""
    first = next(iter(methods)) if reference is None else reference
    times_s = methods[first].times_s
    own = [(name, sequence.times_s) for name, sequence in methods.items()]
    own += [(f"{name}'s angles", series.times_s) for name, series in angles.items()]
    for name, times in own:
        if len(times) != len(times_s):
            raise InputError(
                f"{name} has {len(times)} frames and {first} {len(times_s)}; resample them to common times first"
            )
        difference_s = np.abs(times - times_s)
        if (difference_s > tolerance_s).any():
            frame = int(np.argmax(difference_s > tolerance_s))
            raise InputError(
                f"{name} and {first} are not on one clock: at frame {frame} they differ by "
                f"{difference_s[frame] * 1000:.1f} ms ({tolerance_s * 1000:.1f} ms allowed); resample them to common "
                f"times first"
            )
    return times_s


def common_cells(methods: Mapping[str, PoseSequence], joints: Sequence[str]) -> CommonCells:
    """The cells that all methods have of some joints.

    Raises `InputError` if a method is 2D, no method has a joint, a hip is missing, or no frame is common to all.
    """
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
            absent = (
                f"{' and '.join(lacking[hip])} has none" if lacking.get(hip) else "it is not among the requested joints"
            )
            raise InputError(f"{hip} is needed to centre the body on the mid-hip, and {absent}")
    chosen = {name: sequence.select(used) for name, sequence in methods.items()}
    valid = {name: sequence.valid for name, sequence in chosen.items()}
    positions = {name: sequence.positions for name, sequence in chosen.items()}
    hips = (used.index(HIPS[0]), used.index(HIPS[1]))
    least = max(3, -(-len(used) // 2))
    everywhere = all_hold(list(valid.values()))
    with_hips, enough = _usable(everywhere, hips, least)
    upright = np.logical_and.reduce([spans_a_plane(p, everywhere) for p in positions.values()])
    kept = with_hips & enough & upright
    alone = {name: all_hold([v for other, v in valid.items() if other != name], everywhere.shape) for name in valid}
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
    return CommonCells(used, hips, positions, everywhere & kept[:, None], least, left_out, frames, counts)


def all_hold(masks: list[BoolArray], shape: tuple[int, ...] = ()) -> BoolArray:
    """True where all masks are; without masks, everywhere in `shape`."""
    return np.asarray(np.logical_and.reduce(masks) if masks else np.ones(shape, dtype=bool))


def _usable(mask: BoolArray, hips: tuple[int, int], least: int) -> tuple[BoolArray, BoolArray]:
    """(time,) both hips are valid; (time,) enough joints are valid."""
    return np.asarray(mask[:, list(hips)].all(axis=1)), np.asarray(mask.sum(axis=1) >= least)


def _nothing_in_common(
    valid: Mapping[str, BoolArray],
    positions: Mapping[str, FloatArray],
    joints: tuple[str, ...],
    hips: tuple[int, int],
    least: int,
) -> str:
    parts = []
    for name, mask in valid.items():
        usable = np.logical_and(*_usable(mask, hips, least)) & spans_a_plane(positions[name], mask)
        count = mask.sum(axis=0)
        rarest = int(np.argmin(count)) if len(mask) else 0
        detail = f", {joints[rarest]} in {count[rarest]}" if not usable.all() else ""
        parts.append(f"{name} has {int(usable.sum())} of {len(mask)}{detail}")
    return (
        f"no frame is common to all methods (needed: both hips and at least {least} of {len(joints)} joints, not on "
        f"one line): {'; '.join(parts)}; check clock offsets, confidence gate and tracking, or leave a method out"
    )
