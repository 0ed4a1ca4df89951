"""People followed over time in one view: unordered people in, people who keep their number out.

From frame to frame each person is expected where the body was last seen, moved on by its own velocity. How well a
detection agrees with that is measured joint by joint, as COCO measures keypoints (object keypoint similarity):
exp(-d^2 / 2 r^2), where d is the distance in px and the reach r = 2 sigma s grows with the person's size s and with how
loosely people place that joint (sigma: wide for a hip, narrow for an eye); the mean over the joints that both have.
While a person is not seen the reach grows, and the claim on a place shrinks accordingly: who waits unseen does not take
the place of one who is there. People and detections are assigned one to one so that the sum of the claims is largest
(the Hungarian method), in the order of time and without chance: the same detections always give the same people.

A person who is not seen for up to `MAX_GAP_S` keeps the number; who comes back later is somebody new. Detectors see
people where there are none, mostly for a frame or two: who was seen for less than `MIN_SEEN_S` in all is left out, and
counted in the history. Left and right may change sides from one frame to the next: the better of the two readings
counts. Limits: nobody is recognised by looks; two people who meet, stand still in one posture one before the other and
part again can leave with each other's number.
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
MIN_JOINTS = 3  # shared by person and detection; fewer say nothing
MIN_SIMILARITY = 0.2
GROWTH = 1.0  # reach gained while not seen, body sizes per second
COASTING_S = 0.5  # how long a velocity lasts
VELOCITY_S = 0.2  # over how long it is averaged
SIZE_S = 2.0  # how slowly a person's size is forgotten


@dataclass(frozen=True, eq=False)
class _Track:
    """A person as last seen.

    joints_px (joint, 2), NaN where never seen; velocity_px_s (2,); size_px half a height; seen_s when; steps how often
    the velocity was measured
    """

    number: int
    joints_px: FloatArray
    velocity_px_s: FloatArray
    size_px: float
    seen_s: float
    steps: int = 0

    def expected_px(self, time_s: float) -> FloatArray:
        """(joint, 2) where the joints should be now."""
        coasted_s = COASTING_S * (1 - math.exp(-(time_s - self.seen_s) / COASTING_S))
        return np.asarray(self.joints_px + self.velocity_px_s * coasted_s)

    def seen(self, joints_px: FloatArray, time_s: float) -> _Track:
        """The same person, seen now."""
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
    """The same people, person k of every frame being one and the same; numbered in the order in which they appear.

    max_gap_s   who is not seen for longer is somebody new
    min_seen_s  who is seen for less in all is left out (in a recording of less than twice that: for less than half
                of it), unless that is everybody

    A detector that gives one number to whoever it sees is corrected too: who is suddenly elsewhere is somebody else.
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
            f"; {dropped} others left out who were seen in fewer than {least} frames "
            f"({int(frames_seen[~kept].sum())} detections)"
        )
    numbers = np.full((len(found), n_people), -1)
    frames, people = np.nonzero(slots >= 0)
    numbers[frames, slots[frames, people]] = people
    return found.reordered(numbers, step)


def _track(found: Detections, max_gap_s: float) -> IntArray:
    """(time, person) the number of each detection's track, -1 where nobody is."""
    reach, mirror = 2 * joint_sigmas(found.skeleton.joints), np.array(found.skeleton.mirrored_order)
    present, numbers = found.present, np.full(found.positions.shape[:2], -1)
    tracks: list[_Track] = []
    born = 0
    for frame in np.flatnonzero(present.any(axis=1)):
        time_s = float(found.times_s[frame])
        tracks = [track for track in tracks if time_s - track.seen_s <= max_gap_s]
        there = np.flatnonzero(present[frame])
        people = found.positions[frame, there]
        claims = _claims(tracks, people, time_s, reach, mirror)
        taken = np.zeros(len(there), dtype=bool)
        for row, column in _assigned(claims):
            taken[column] = True
            tracks[row] = tracks[row].seen(people[column], time_s)
            numbers[frame, there[column]] = tracks[row].number
        for column in np.flatnonzero(~taken).tolist():
            numbers[frame, there[column]] = born
            tracks.append(_Track(born, people[column], np.zeros(2), _size_px(people[column]), time_s))
            born += 1
    return numbers


def _claims(
    tracks: Sequence[_Track], people: FloatArray, time_s: float, reach: FloatArray, mirror: IntArray
) -> FloatArray:
    """(track, person) how strongly each track claims each detection (person, joint, 2); 0 where it cannot be."""
    if not tracks:
        return np.zeros((0, len(people)))
    size_px, unseen_s = np.array([(track.size_px, time_s - track.seen_s) for track in tracks]).T
    own_px = reach * size_px[:, None]
    reach_px = np.hypot(own_px, (GROWTH * size_px * unseen_s)[:, None])
    expected = np.array([track.expected_px(time_s) for track in tracks])
    readings = np.stack([people, people[:, mirror]])
    apart_px = readings - expected[:, None, None]  # (track, reading, person, joint, 2)
    similarity = np.exp(-0.5 * (apart_px**2).sum(axis=-1) / reach_px[:, None, None] ** 2)
    shared = ~np.isnan(similarity)
    similarity[~shared] = 0.0
    count = shared.sum(axis=-1)
    mean = similarity.sum(axis=-1) / np.maximum(count, 1)
    claim = (similarity * (own_px / reach_px)[:, None, None]).sum(axis=-1) / np.maximum(count, 1)
    possible = (count >= min(MIN_JOINTS, len(reach))) & (mean >= MIN_SIMILARITY)
    return np.asarray(np.where(possible, claim, 0.0).max(axis=1))


def _assigned(claims: FloatArray) -> list[tuple[int, int]]:
    """(track, person) so that the sum of the claims is largest; only such as claim anything."""
    rows, columns = np.nonzero(claims)
    if len(set(rows.tolist())) < len(rows) or len(set(columns.tolist())) < len(columns):
        from scipy.optimize import linear_sum_assignment  # noqa: PLC0415 - slow to load, and most people are apart

        rows, columns = linear_sum_assignment(claims, maximize=True)
    return [(row, column) for row, column in zip(rows.tolist(), columns.tolist(), strict=True) if claims[row, column]]


def _size_px(joints_px: FloatArray) -> float:
    """Half of the longer side of the box round the joints: near the root of a standing person's area. At least 1."""
    there = joints_px[~np.isnan(joints_px[:, 0])]
    return max(1.0, 0.5 * float(np.ptp(there, axis=0).max()))


def _least_frames(found: Detections, min_seen_s: float) -> int:
    """Who is in fewer frames was not there."""
    rate_hz = median_rate_hz(found.times_s)
    wanted = 1 if math.isnan(rate_hz) else math.ceil(min_seen_s * rate_hz - 1e-6)
    return max(1, min(wanted, len(found) // 2))
