"""Which of the people in view is the patient, in every frame of every camera.

A person who is alone in view is the patient. Several people are first followed over time in each view
(`detection.tracking`). The patient is then, in this order: the person whom the user clicked on; with calibrated
cameras, the person whose rays meet (`multiview.matching`); in a single view, the person who fits the trial's rule in
most frames.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from gonio.core.arrays import FloatArray, IntArray
from gonio.core.camera import Rig
from gonio.core.clock import SAME_SAMPLE_S, nearest_frames
from gonio.core.detections import Detections, smallest_image_px, without_gaps
from gonio.core.errors import InputError
from gonio.core.sequence import median_rate_hz
from gonio.multiview.matching import PersonMatch, match_people

CLICK_S = 0.25  # a click also selects a person who is detected so shortly before or after it
CLICK_MARGIN = 0.1  # share of a body's size by which its box is enlarged for a click
REACH, SPEED_S = 0.5, 3.0  # distance at which a lost patient is found again, body sizes, and its growth per second


class Click(NamedTuple):
    """A place in the image where the patient is, px, at a time on the common clock, s."""

    x_px: float
    y_px: float
    time_s: float

    def __str__(self) -> str:
        return f"{self.x_px:g}, {self.y_px:g} px at {self.time_s:.2f} s"


class PatientChoice(NamedTuple):
    """The patient among the people in all views.

    chosen        camera -> (time,) the patient's number in each frame of that camera, -1 in frames without them
    descriptions  camera -> how the patient was chosen
    notes         what was decided
    warnings      what makes the choice doubtful
    """

    chosen: dict[str, IntArray]
    descriptions: dict[str, str]
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def choose_among(
    rig: Rig | None,
    people: Mapping[str, Detections],
    times_s: FloatArray,
    rule: str,
    clicks: Mapping[str, Click] | None = None,
    min_confidence: float = 0.3,
) -> PatientChoice:
    """The patient among people who are followed over time in each view.

    times_s         (time,) common times, at which people are matched across the cameras
    rule            "largest" or "center": decides in a single view
    clicks          camera -> where the user clicked on the patient
    min_confidence  joints below it are not compared across the cameras

    Raises `InputError` if no person is at a click, if the person there was matched in no other camera, and if clicks in
    two cameras select two people.
    """
    clicks = clicks or {}
    crowded = any(found.positions.shape[1] > 1 for found in people.values())
    if crowded and rig is not None and len(people) > 1:
        return _matched(rig, people, times_s, clicks, min_confidence)
    found = {name: patient_in_view(each, rule, clicks.get(name)) for name, each in people.items()}
    return PatientChoice(
        {name: chosen for name, (chosen, _) in found.items()}, {n: description for n, (_, description) in found.items()}
    )


def patient_in_view(followed: Detections, rule: str, click: Click | None = None) -> tuple[IntArray, str]:
    """(time,) the patient's number in each frame of one view, -1 in frames without them; how they were chosen.

    Raises `InputError` if no person is at the click.
    """
    n_people = followed.positions.shape[1]
    most = int(followed.people_per_frame.max(initial=0))
    if click is not None:
        first, who = person_at(followed, click), f"the person clicked on at {click}"
    elif n_people <= 1:
        chosen = np.where(followed.present.any(axis=1), 0, -1) if n_people else np.full(len(followed), -1)
        return chosen, "the only person found in view"
    else:
        first = _by_rule(followed, rule)
        fits = "is the largest" if rule == "largest" else "is nearest to the image's centre"
        who = f"the person who {fits} in most frames"
    chosen, pieces = _in_pieces(followed, first)
    description = f"{who}, followed over time; at most {most} in view"
    return chosen, description + (f"; {pieces} pieces joined by place and time" if pieces > 1 else "")


def person_at(followed: Detections, click: Click) -> int:
    """The number of the person at the click; of several, the one whose limbs are nearest.

    Raises `InputError` if the time is outside the recording, or no person is there.
    """
    away_s = np.abs(followed.times_s - click.time_s)
    name = followed.frame_name or "the view"
    if not len(followed) or away_s.min() > CLICK_S:
        raise InputError(f"{name}: the click at {click} is outside the recording; give a time in it")
    for frame in np.argsort(away_s, kind="stable"):
        if away_s[frame] > CLICK_S:
            break
        distance_px = _distance_px(followed, int(frame), np.array([click.x_px, click.y_px]))
        if np.isfinite(distance_px).any():
            return int(distance_px.argmin())
    low, high = _corners(followed.positions[away_s.argmin()])
    places = ", ".join(
        f"{low[k, 0]:.0f}..{high[k, 0]:.0f} x {low[k, 1]:.0f}..{high[k, 1]:.0f}"
        for k in np.flatnonzero(followed.present[away_s.argmin()])
    )
    detected = f"people are at {places} px" if places else "no person was detected at this time"
    raise InputError(f"{name}: no person is at the click, {click}; {detected}")


def first_people(followed: Detections, n_people: int, chosen: IntArray, rule: str) -> Detections:
    """The patient as number 0, then the people who fit the rule best; at most `n_people`, the others are counted.

    chosen  (time,) the patient's number in each frame of `followed`; it may change between frames
    """
    numbers = np.unique(chosen[chosen >= 0])
    others = [k for k in np.argsort(-_votes(followed, rule), kind="stable") if k not in numbers][: n_people - 1]
    rows = np.column_stack([chosen, *(np.where(followed.present[:, k], k, -1) for k in others)])
    left_out = followed.positions.shape[1] - len(numbers) - len(others)
    return followed.reordered(rows, f"{left_out} more people left out ({n_people} requested)" if left_out else None)


def _tolerance_s(own_s: FloatArray) -> float:
    """How far in time a frame may be from the time that it stands for: half of the median interval."""
    return SAME_SAMPLE_S + (0.5 / median_rate_hz(own_s) if len(own_s) > 1 else 0.0)


def _matched(
    rig: Rig,
    people: Mapping[str, Detections],
    times_s: FloatArray,
    clicks: Mapping[str, Click],
    min_confidence: float,
) -> PatientChoice:
    """The patient among people whom several calibrated cameras detected."""
    packed = {name: without_gaps(_at(found, times_s)) for name, found in people.items()}
    together = {name: found for name, (found, _) in packed.items()}
    matches = match_people(rig, together, min_confidence=min_confidence)
    all_chosen = [
        {
            name: np.where(numbers >= 0, packed[name][1][np.arange(len(times_s)), numbers], -1)
            for name, numbers in match.chosen.items()
        }
        for match in matches
    ]
    which, description = _clicked_match(people, all_chosen, times_s, clicks)
    chosen = {name: _on_own_frames(found, all_chosen[which][name], times_s) for name, found in people.items()}
    warnings = () if clicks else matches[which].warnings
    return PatientChoice(chosen, dict.fromkeys(chosen, description), _notes(matches, which), warnings)


def _notes(matches: tuple[PersonMatch, ...], which: int) -> tuple[str, ...]:
    if len(matches) == 1:
        return matches[which].history
    return (
        *matches[which].history,
        f"{len(matches)} people were matched across the cameras; this is number {which + 1}",
    )


def _clicked_match(
    people: Mapping[str, Detections],
    all_chosen: list[dict[str, IntArray]],
    times_s: FloatArray,
    clicks: Mapping[str, Click],
) -> tuple[int, str]:
    """The number of the matched person who was clicked on, 0 without a click; how they were chosen."""
    if not clicks:
        return 0, "the patient is the person whose rays meet"
    which: dict[str, int] = {}
    for name, click in clicks.items():
        number = person_at(people[name], click)
        away_s = [np.abs(times_s - click.time_s)[chosen[name] == number].min(initial=np.inf) for chosen in all_chosen]
        if not np.isfinite(away_s).any():
            raise InputError(
                f"{name}: the person clicked on at {click} was matched in no other camera; check that they are in view "
                f"of another camera, or leave the click out"
            )
        which[name] = int(np.argmin(away_s))
    if len(set(which.values())) > 1:
        shown = ", ".join(f"{name} ({click})" for name, click in clicks.items())
        raise InputError(f"the clicks in {shown} are on different people; correct one of them")
    where = "; ".join(f"{name} at {click}" for name, click in clicks.items())
    return next(iter(which.values())), f"the patient is the person clicked on ({where}) and matched by rays that meet"


def _at(found: Detections, times_s: FloatArray) -> Detections:
    """The people of the frame nearest to each time: exact enough to match people, not to measure joints."""
    index = nearest_frames(found.times_s, times_s, _tolerance_s(found.times_s))
    return Detections(
        positions=np.where((index >= 0)[:, None, None, None], found.positions[index], np.nan),
        confidence=found.confidence[index],
        times_s=times_s,
        skeleton=found.skeleton,
        image_size_px=found.image_size_px,
        frame_name=found.frame_name,
    )


def _on_own_frames(found: Detections, chosen: IntArray, times_s: FloatArray) -> IntArray:
    """(frame,) the choice at the common times, carried back to every frame of the camera.

    A frame that is nearest to no common time takes the person nearest to the one chosen in the nearest chosen frame.
    """
    index = nearest_frames(found.times_s, times_s, _tolerance_s(found.times_s))
    near = index >= 0
    own = np.full(len(found), -1)
    requested = np.zeros(len(found), dtype=bool)
    own[index[near]] = chosen[near]
    requested[index[near]] = True
    rest = ~requested & found.present.any(axis=1)
    if not rest.any() or not (own >= 0).any():
        return own
    known = np.flatnonzero(own >= 0)
    nearest = known[nearest_frames(found.times_s[known], found.times_s[rest], np.inf)]
    distance = _mean_distance(found.positions[rest], found.positions[nearest, own[nearest]][:, None])
    known_distance = ~np.isnan(distance).all(axis=1)
    own[np.flatnonzero(rest)[known_distance]] = np.nanargmin(distance[known_distance], axis=1)
    return own


def _by_rule(followed: Detections, rule: str) -> int:
    """The number of the person who fits the rule in most frames."""
    return int(_votes(followed, rule).argmax())


def _votes(followed: Detections, rule: str) -> IntArray:
    """(person,) the number of frames in which each fits the rule best."""
    present = followed.present
    low, high = (np.where(present[..., None], corner, 0.0) for corner in _corners(followed.positions))
    if rule == "largest":
        score = np.prod(high - low, axis=-1)
    else:
        size = followed.image_size_px or smallest_image_px(followed.positions)
        middle = np.array([(side - 1) / 2 for side in size])
        score = -np.linalg.norm((high + low) / 2 - middle, axis=-1)
    best = np.where(present, score, -np.inf).argmax(axis=1)[present.any(axis=1)]
    return np.bincount(best, minlength=followed.positions.shape[1])


def _in_pieces(followed: Detections, first: int) -> tuple[IntArray, int]:
    """(time,) the patient's number in each frame, over all tracks that can be theirs; how many these are.

    A person who was out of view for long has a new number afterwards. Two tracks are joined if they do not overlap in
    time, and if a person can have walked from one to the other in the time between.
    """
    present = followed.present
    chosen = np.where(present[:, first], first, -1)
    pieces = 1
    for number in np.argsort(-present.sum(axis=0), kind="stable"):
        frames, known = np.flatnonzero(present[:, number]), np.flatnonzero(chosen >= 0)
        if number == first or not len(frames) or not len(known):
            continue
        before, after = known[known < frames[0]], known[known > frames[-1]]
        if len(before) + len(after) < len(known):
            continue  # in view at the same time, or alternately
        ends = [(before[-1], frames[0])] if len(before) else []
        ends += [(after[0], frames[-1])] if len(after) else []
        if all(_reachable(followed, int(a), int(chosen[a]), int(b), int(number)) for a, b in ends):
            chosen[frames] = number
            pieces += 1
    return chosen, pieces


def _reachable(followed: Detections, frame: int, person: int, other_frame: int, other: int) -> bool:
    """Whether a person can have walked from one place to the other in the time between two frames."""
    body, other_body = followed.positions[frame, person], followed.positions[other_frame, other]
    low, high = _corners(body)
    size_px = 0.5 * float((high - low).max())
    away_px = float(_mean_distance(other_body[None], body)[0])
    seconds = abs(float(followed.times_s[other_frame] - followed.times_s[frame]))
    return away_px <= (REACH + SPEED_S * seconds) * size_px


def _distance_px(followed: Detections, frame: int, point: FloatArray) -> FloatArray:
    """(person,) px from a point to each person's nearest limb; infinite if the point is outside the person's box."""
    people = followed.positions[frame]
    low, high = _corners(people)
    if followed.boxes_px is not None:
        low = np.fmin(low, followed.boxes_px[frame, :, :2])
        high = np.fmax(high, followed.boxes_px[frame, :, 2:])
    margin = CLICK_MARGIN * (high - low).max(axis=1, keepdims=True)
    within = followed.present[frame] & ((point >= low - margin) & (point <= high + margin)).all(axis=1)
    parents = np.array(followed.skeleton.parents)
    child = np.flatnonzero(parents >= 0)
    start, end = people[:, parents[child]], people[:, child]
    limb = end - start
    along = ((point - start) * limb).sum(axis=-1) / np.maximum((limb**2).sum(axis=-1), 1e-12)
    to_limb = np.linalg.norm(start + np.clip(along, 0, 1)[..., None] * limb - point, axis=-1)
    every = np.concatenate([to_limb, np.linalg.norm(people - point, axis=-1)], axis=1)
    return np.where(within, np.nan_to_num(every, nan=np.inf).min(axis=1, initial=np.inf), np.inf)


def _corners(positions: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(..., joint, 2) px -> lowest and highest coordinates (..., 2); infinite for a person without joints."""
    missing = np.isnan(positions)
    return np.where(missing, np.inf, positions).min(axis=-2), np.where(missing, -np.inf, positions).max(axis=-2)


def _mean_distance(people: FloatArray, person: FloatArray) -> FloatArray:
    """(..., person, joint, 2) and (..., joint, 2) px -> (..., person) mean distance over the joints that both have."""
    distances = np.linalg.norm(people - person, axis=-1)
    count = (~np.isnan(distances)).sum(axis=-1)
    return np.asarray(np.nansum(distances, axis=-1) / np.where(count > 0, count, np.nan))
