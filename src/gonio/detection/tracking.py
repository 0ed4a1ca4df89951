"""People followed over time in one view: unordered people in, people with a constant number out.

Each person's position in a frame is predicted from the last detection and the person's velocity. The agreement of a
detection with the prediction is measured joint by joint, as COCO measures keypoints (object keypoint similarity):
exp(-d^2 / 2 r^2). d is the distance in px. The reach r = 2 sigma s grows with the person's size s and with the
annotators' uncertainty sigma of that joint (large for a hip, small for an eye). The mean is over the joints that both
have. While a person is not detected the reach grows, and the person's claim on a detection decreases accordingly, so
that a person who is visible is preferred. People and detections are assigned one to one with the largest sum of claims
(the Hungarian method), in the order of time and without randomness: the same detections always give the same people.

A person who is not detected for up to `MAX_GAP_S` keeps the number; after a longer gap the person gets a new number.
Detectors find false people, mostly for a frame or two: a person detected for less than `MIN_SEEN_S` in all is left out,
and counted in the history. Left and right may be exchanged from one frame to the next: the better of the two
assignments counts. Limits: appearance is not used. Two people who meet, stand still one before the other in the same
posture and separate again can exchange their numbers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from gonio.core.arrays import FloatArray, IntArray
from gonio.core.detections import Detections
from gonio.core.sequence import median_rate_hz
from gonio.core.skeleton import joint_sigmas

MAX_GAP_S = 2.0
MIN_SEEN_S = 0.2
MIN_JOINTS = 3  # that person and detection share; fewer are not enough
MIN_SIMILARITY = 0.2
GROWTH = 1.0  # of the reach while not detected, body sizes per second
COASTING_S = 0.5  # how long a velocity is extrapolated
VELOCITY_S = 0.2  # over how long the velocity is averaged
SIZE_S = 2.0  # time constant of the decrease of a person's size


@dataclass(frozen=True, eq=False)
class _Track:
    """A person as last detected.

    joints_px      (joint, 2), NaN for a joint that was never detected
    velocity_px_s  (2,)
    size_px        about half the height
    seen_s         time of the last detection
    steps          number of measurements of the velocity
    """

    number: int
    joints_px: FloatArray
    velocity_px_s: FloatArray
    size_px: float
    seen_s: float
    steps: int = 0

    def expected_px(self, time_s: float) -> FloatArray:
        """(joint, 2) the predicted joints at a time."""
        coasted_s = COASTING_S * (1 - math.exp(-(time_s - self.seen_s) / COASTING_S))
        return np.asarray(self.joints_px + self.velocity_px_s * coasted_s)

    def seen(self, joints_px: FloatArray, time_s: float) -> _Track:
        """The track after a detection of the person."""
        elapsed_s = time_s - self.seen_s
        moved = joints_px - self.joints_px
        moved = moved[~np.isnan(moved[:, 0])]
        velocity = np.median(moved, axis=0) / elapsed_s if len(moved) else self.velocity_px_s
        weight = max(1 - math.exp(-elapsed_s / VELOCITY_S), 1 / (self.steps + 1))
        return replace(
            self,
            joints_px=np.where(np.isnan(joints_px), self.expected_px(time_s), joints_px),
            velocity_px_s=self.velocity_px_s + weight * (velocity - self.velocity_px_s),
            size_px=max(_size_px(joints_px), self.size_px * math.exp(-elapsed_s / SIZE_S)),
            seen_s=time_s,
            steps=self.steps + 1,
        )


def follow(found: Detections, *, max_gap_s: float = MAX_GAP_S, min_seen_s: float = MIN_SEEN_S) -> Detections:
    """The same people, where number k is one person in all frames; numbered in the order of appearance.

    max_gap_s   after a longer gap a person gets a new number
    min_seen_s  a person who is detected for less time in all is left out (in a recording of less than twice that time:
                for less than half of it), unless all people are

    The numbers of a detector that follows people are corrected too: a person who jumps gets a new number.
    """
    if not found.present.any():
        return found
    tracks = _track(found, max_gap_s)
    frames_seen = np.bincount(tracks[tracks >= 0], minlength=1)
    least = _least_frames(found, min_seen_s)
    kept = frames_seen >= least if (frames_seen >= least).any() else frames_seen > 0
    number = np.where(kept, np.cumsum(kept) - 1, -1)
    slots = np.where(tracks >= 0, number[tracks], -1)
    n_people, dropped = int(kept.sum()), int((~kept & (frames_seen > 0)).sum())
    gaps = sum(int((np.diff(np.flatnonzero((slots == k).any(axis=1))) > 1).sum()) for k in range(n_people))
    step = (
        f"{n_people} {'person' if n_people == 1 else 'people'} followed over {len(found)} frames, {gaps} gaps of up to "
        f"{max_gap_s:g} s bridged"
    )
    if dropped:
        step += (
            f"; {dropped} others left out, detected in fewer than {least} frames "
            f"({int(frames_seen[~kept].sum())} detections)"
        )
    numbers = np.full((len(found), n_people), -1)
    frames, people = np.nonzero(slots >= 0)
    numbers[frames, slots[frames, people]] = people
    return found.reordered(numbers, step)


def _track(found: Detections, max_gap_s: float) -> IntArray:
    """(time, person) the number of each detection's track, -1 for an absent person."""
    reach, mirror = 2 * joint_sigmas(found.skeleton.joints), np.array(found.skeleton.mirrored_order)
    present, numbers = found.present, np.full(found.positions.shape[:2], -1)
    tracks: list[_Track] = []
    n_tracks = 0
    for frame in np.flatnonzero(present.any(axis=1)):
        time_s = float(found.times_s[frame])
        tracks = [track for track in tracks if time_s - track.seen_s <= max_gap_s]
        places = np.flatnonzero(present[frame])
        people = found.positions[frame, places]
        claims = _claims(tracks, people, time_s, reach, mirror)
        taken = np.zeros(len(places), dtype=bool)
        for row, column in _assigned(claims):
            taken[column] = True
            tracks[row] = tracks[row].seen(people[column], time_s)
            numbers[frame, places[column]] = tracks[row].number
        for column in np.flatnonzero(~taken).tolist():
            numbers[frame, places[column]] = n_tracks
            tracks.append(_Track(n_tracks, people[column], np.zeros(2), _size_px(people[column]), time_s))
            n_tracks += 1
    return numbers


def _claims(
    tracks: Sequence[_Track], people: FloatArray, time_s: float, reach: FloatArray, mirror: IntArray
) -> FloatArray:
    """(track, person) the claim of each track on each detection (person, joint, 2); 0 if they cannot be the same."""
    if not tracks:
        return np.zeros((0, len(people)))
    size_px, unseen_s = np.array([(track.size_px, time_s - track.seen_s) for track in tracks]).T
    own_px = reach * size_px[:, None]
    reach_px = np.hypot(own_px, (GROWTH * size_px * unseen_s)[:, None])
    expected = np.array([track.expected_px(time_s) for track in tracks])
    both_sides = np.stack([people, people[:, mirror]])  # as detected, and with left and right exchanged
    difference_px = both_sides - expected[:, None, None]  # (track, side, person, joint, 2)
    similarity = np.exp(-0.5 * (difference_px**2).sum(axis=-1) / reach_px[:, None, None] ** 2)
    shared = ~np.isnan(similarity)
    similarity[~shared] = 0.0
    count = shared.sum(axis=-1)
    mean = similarity.sum(axis=-1) / np.maximum(count, 1)
    claim = (similarity * (own_px / reach_px)[:, None, None]).sum(axis=-1) / np.maximum(count, 1)
    possible = (count >= min(MIN_JOINTS, len(reach))) & (mean >= MIN_SIMILARITY)
    return np.asarray(np.where(possible, claim, 0.0).max(axis=1))


def _assigned(claims: FloatArray) -> list[tuple[int, int]]:
    """(track, person) pairs with the largest sum of claims; only pairs with a claim above 0."""
    rows, columns = np.nonzero(claims)
    if len(set(rows.tolist())) < len(rows) or len(set(columns.tolist())) < len(columns):
        from scipy.optimize import linear_sum_assignment  # noqa: PLC0415 - slow to load, and rarely needed

        rows, columns = linear_sum_assignment(claims, maximize=True)
    return [(row, column) for row, column in zip(rows.tolist(), columns.tolist(), strict=True) if claims[row, column]]


def _size_px(joints_px: FloatArray) -> float:
    """Half of the longer side of the box around the joints, near the root of a standing person's area; at least 1."""
    valid = joints_px[~np.isnan(joints_px[:, 0])]
    return max(1.0, 0.5 * float(np.ptp(valid, axis=0).max()))


def _least_frames(found: Detections, min_seen_s: float) -> int:
    """Number of frames below which a person counts as a false detection."""
    rate_hz = median_rate_hz(found.times_s)
    least = 1 if math.isnan(rate_hz) else math.ceil(min_seen_s * rate_hz - 1e-6)
    return max(1, min(least, len(found) // 2))
