"""Which of the people in view is the patient, and their joints over time in every camera.

One person in view is the patient. Of several, seen by calibrated cameras, the patient is the one whose rays meet
(`stereo.matching`); in a single view it is the one that the trial's rule names in the first frame, followed from there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from gonio.core.arrays import BoolArray, FloatArray, IntArray
from gonio.core.camera import Rig
from gonio.core.clock import EXACT_S
from gonio.core.sequence import Detections, median_rate_hz
from gonio.stereo.matching import match_patient


def choose_patient(
    rig: Rig | None, detections: Mapping[str, Detections], times_s: FloatArray, rule: str
) -> tuple[dict[str, IntArray], dict[str, str], tuple[str, ...], tuple[str, ...]]:
    """camera -> (time,) the patient's number in each frame of that camera, -1 where not seen; camera -> how they were
    chosen, in words; what was decided on the way; what of that is doubtful.

    times_s  common times, at which unordered people are matched across the cameras
    rule     "largest" or "center": who it is where only one view can tell
    """
    crowded = any(found.positions.shape[1] > 1 for found in detections.values())
    if crowded and rig is not None and len(detections) > 1:
        match = match_patient(rig, {name: _at(found, times_s) for name, found in detections.items()})
        chosen = {name: _on_own_frames(found, match.chosen[name], times_s) for name, found in detections.items()}
        words = dict.fromkeys(chosen, "the patient is the person whose rays meet")
        return chosen, words, match.history, match.doubts
    chosen = {name: followed(found, rule) for name, found in detections.items()}
    return chosen, {name: in_words(found, rule) for name, found in detections.items()}, (), ()


def in_words(found: Detections, rule: str) -> str:
    """How `followed` chose."""
    if found.positions.shape[1] <= 1:
        return "the only person found in view"
    who = "the largest person" if rule == "largest" else "the person nearest to the image's centre"
    return f"{who} of the first frame, followed by the nearest joints; at most {found.people_per_frame.max()} in view"


def followed(found: Detections, rule: str) -> IntArray:
    """(time,) the number of the person whom the rule names in the first frame with anybody, and who is then nearest."""
    n_people = found.positions.shape[1]
    present = found.present
    if n_people <= 1:
        return np.where(present.any(axis=1), 0, -1) if n_people else np.full(len(found), -1)
    chosen = np.full(len(found), -1)
    last: FloatArray | None = None
    for frame in np.flatnonzero(present.any(axis=1)):  # each choice rests on the one before
        people = found.positions[frame]
        score = _rule_score(found, int(frame), rule) if last is None else -_mean_distance(people, last)
        chosen[frame] = int(np.where(present[frame] & ~np.isnan(score), score, -np.inf).argmax())
        seen = people[chosen[frame]]
        last = seen if last is None else np.where(np.isnan(seen), last, seen)
    return chosen


def inside(found: Detections, region_px: tuple[float, float, float, float]) -> Detections:
    """The people whose mid-hip lies in the region x1, y1, x2, y2; the others are taken away, and counted."""
    hips = [found.skeleton.index(joint) for joint in ("left_hip", "right_hip")]
    mid = found.positions[:, :, hips].mean(axis=2)
    kept = ((mid >= region_px[:2]) & (mid <= region_px[2:])).all(axis=2)
    dropped = int((found.present & ~kept).sum())
    return replace(
        found,
        positions=np.where(kept[:, :, None, None], found.positions, np.nan),
        history=(*found.history, f"{dropped} people outside the region {region_px} left out"),
    )


def nearest_frames(own_s: FloatArray, times_s: FloatArray) -> tuple[IntArray, BoolArray]:
    """(time,) the frame nearest to each time, and whether it lies within half of the median interval."""
    after = np.clip(np.searchsorted(own_s, times_s), 1, max(len(own_s) - 1, 1)) if len(own_s) > 1 else None
    if after is None:
        index = np.zeros(len(times_s), dtype=np.int64)
        return index, np.abs(own_s[index] - times_s) <= EXACT_S
    index = np.where(times_s - own_s[after - 1] <= own_s[after] - times_s, after - 1, after)
    return index, np.abs(own_s[index] - times_s) <= 0.5 / median_rate_hz(own_s) + EXACT_S


def _at(found: Detections, times_s: FloatArray) -> Detections:
    """The people of the frame nearest to each time: enough to tell who is who, not for their positions."""
    index, near = nearest_frames(found.times_s, times_s)
    return Detections(
        positions=np.where(near[:, None, None, None], found.positions[index], np.nan),
        confidence=found.confidence[index],
        times_s=times_s,
        skeleton=found.skeleton,
        image_size_px=found.image_size_px,
        frame_name=found.frame_name,
    )


def _on_own_frames(found: Detections, chosen: IntArray, times_s: FloatArray) -> IntArray:
    """The choice made at the common times, carried back to every frame of the camera.

    A frame that no common time asked for takes the person nearest to the one chosen at the nearest frame.
    """
    index, near = nearest_frames(found.times_s, times_s)
    own = np.full(len(found), -1)
    asked = np.zeros(len(found), dtype=bool)
    own[index[near]] = chosen[near]
    asked[index[near]] = True
    rest = ~asked & found.present.any(axis=1)
    if not rest.any() or not (own >= 0).any():
        return own
    known = np.flatnonzero(own >= 0)
    nearest = known[nearest_frames(found.times_s[known], found.times_s[rest])[0]]
    distance = _mean_distance(found.positions[rest], found.positions[nearest, own[nearest]][:, None])
    there = ~np.isnan(distance).all(axis=1)
    own[np.flatnonzero(rest)[there]] = np.nanargmin(distance[there], axis=1)
    return own


def _mean_distance(people: FloatArray, person: FloatArray) -> FloatArray:
    """(..., person, joint, 2) and (..., joint, 2) px -> (..., person) mean distance over the joints that both have."""
    apart = np.linalg.norm(people - person, axis=-1)
    count = (~np.isnan(apart)).sum(axis=-1)
    return np.asarray(np.nansum(apart, axis=-1) / np.where(count > 0, count, np.nan))


def _rule_score(found: Detections, frame: int, rule: str) -> FloatArray:
    """(person,) the larger, the more the rule prefers them."""
    people = found.positions[frame]
    low = np.where(np.isnan(people), np.inf, people).min(axis=1)
    high = np.where(np.isnan(people), -np.inf, people).max(axis=1)
    there = found.present[frame]
    score = np.full(len(people), np.nan)
    if rule == "largest":
        score[there] = np.prod(high[there] - low[there], axis=1)
    else:
        middle = np.array([(side - 1) / 2 for side in found.image_size_px])
        score[there] = -np.linalg.norm((high[there] + low[there]) / 2 - middle, axis=1)
    return score
