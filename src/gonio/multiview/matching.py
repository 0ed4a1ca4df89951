"""Matching people across views, and choosing the patient among them.

A detector numbers people in the order in which it finds them: person 0 of one frame need not be person 0 of the next,
nor person 0 of another camera. Geometry relates them: the rays of one person's joints meet in space, those of two
people rarely do.

1. In each frame, each pair of people of two views is a hypothesis. Their joints are triangulated. In every view the
   person nearest to the projected joints joins, if at least half of the compared joints (four or more) lie within the
   tolerance. The joints are triangulated again from all people that joined, and the choice is repeated.
2. Each joint in each view supports a hypothesis by 1 - (error / tolerance)^2, or 0 beyond the tolerance: more views,
   more joints and smaller errors win (the M-estimator of MSAC: Torr and Zisserman, Computer Vision and Image
   Understanding 78, 2000). Rays of two different people that meet by chance have large errors: a hypothesis with less
   than half of the possible support of its joints is dropped. The best hypothesis takes its detections and its position
   in space; the best of the rest is the next person.
3. People are tracked from frame to frame by the nearest joints. The distance is measured at right angles to each
   camera's ray, and the largest over the cameras counts. Depth, which two near cameras measure poorly, cannot break a
   track.
4. Two tracks are one person if they never occur at once and walking can lead from one to the other. They are also one
   person if they occur at once, at one place, in a few frames: there the detector found the body in two pieces. The
   patient is the person with the largest number of images (cameras and frames); among people with nearly as many, the
   one with the most support. So a bystander whom two cameras show well all the time is not taken for the patient whom
   four show less well. Another person with nearly as many images is named in the history.

Left and right are not distinguished here: a joint also agrees if its mirror image does. So a view with swapped sides
stays with its person, and the triangulation's errors show the swap. Limits: a person in fewer than two views of a frame
is not found in it. Looks are not used: a person who takes the patient's place while no camera shows the patient counts
as the patient. Two cameras cannot always separate people who stand in one epipolar plane in the same posture. The work
grows with the square of the number of people per view (a handful, not a crowd).
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from gonio.core.arrays import BoolArray, FloatArray, IntArray, frozen
from gonio.core.camera import Camera, Rig
from gonio.core.clock import SAME_SAMPLE_S
from gonio.core.detections import Detections
from gonio.core.errors import InputError
from gonio.multiview.triangulation import dlt

TOLERANCE = 0.025  # of the longer side of the image: 48 px of 1920, 16 px of 640
MIN_JOINTS = 4  # fewer joints do not identify a person
MIN_SHARE = 0.5  # of the support that a group's compared joints could give
REACH_M, SPEED_M_S = 0.2, 2.0  # distance within which a track continues, and its growth with time
MAX_REACH_M, FORGET_S = 0.5, 2.0  # its limit, and the time after which a track ends
MAX_OVERLAP_SHARE = 0.1  # two tracks at one place with at most this share of common frames: one body in two pieces
TIE_SHARE = 0.9  # people with this share of the most frequent person's images are ranked by support
AMBIGUOUS_SHARE = 0.5  # another track with at least this share of the patient's images makes the choice ambiguous
MIN_TRACK_SHARE = 0.05  # a person with a smaller share of the most frequent person's images is dropped
HYPOTHESES = 100_000  # pairs of people worked on at once: bounds the memory


@dataclass(frozen=True, eq=False)
class PersonMatch:
    """Which of the detected people is the patient, or another person.

    chosen          camera -> (time,) the person's number in that view's `Detections`, -1 if not matched
    reprojection_px (time,) median error over the chosen people's joints, distortion removed, left and right not
                    distinguished; NaN if no one was chosen
    history         sentences with what was counted
    warnings        those sentences of the history that the user must see before trusting the choice
    """

    chosen: Mapping[str, IntArray]
    reprojection_px: FloatArray
    history: tuple[str, ...]
    warnings: tuple[str, ...] = ()

    @property
    def numbers(self) -> dict[str, int]:
        """camera -> the person's number in most frames. In detections that are tracked, this is the track's number."""
        seen = {name: numbers[numbers >= 0] for name, numbers in self.chosen.items()}
        return {name: int(np.bincount(numbers).argmax()) for name, numbers in seen.items() if len(numbers)}

    @property
    def track_changes(self) -> dict[str, int]:
        """camera -> number of frames in which the matched detection changes its track: how often multi-view matching
        and single-view tracking disagree."""
        return {name: int((np.diff(numbers[numbers >= 0]) != 0).sum()) for name, numbers in self.chosen.items()}


@dataclass(frozen=True, eq=False)
class _Views:
    """All views, as images of ideal cameras.

    pixels (view, time, person, joint, 2) distortion removed, NaN if missing or below confidence;
    tolerance_px (view,); mirror (joint,) index of each joint's mirror image
    """

    cameras: tuple[Camera, ...]
    pixels: FloatArray
    tolerance_px: FloatArray
    mirror: IntArray

    @property
    def present(self) -> BoolArray:
        """(view, time, person) whether at least `MIN_JOINTS` joints are detected."""
        return np.asarray((~np.isnan(self.pixels[..., 0])).sum(axis=-1) >= MIN_JOINTS)

    def at(self, frames: IntArray | slice) -> _Views:
        return replace(self, pixels=self.pixels[:, frames])

    def images(self, group: IntArray) -> FloatArray:
        """(view, time, joint, 2) px of the people `group` (time, view), NaN if it has none."""
        views, frames = np.arange(len(self.cameras))[:, None], np.arange(len(group))
        return np.where((group.T < 0)[..., None, None], np.nan, self.pixels[views, frames, group.T])

    def project(self, points_m: FloatArray) -> FloatArray:
        """(..., 3) m -> (view, ..., 2) px."""
        return np.stack([camera.world_to_image(points_m) for camera in self.cameras])


@dataclass(frozen=True, eq=False)
class _People:
    """People in space, a fixed number of places for each frame.

    groups (time, place, view) person number or -1; support (time, place), 0 if the place is empty;
    points_m (time, place, joint, 3)
    """

    groups: IntArray
    support: FloatArray
    points_m: FloatArray

    @property
    def found(self) -> BoolArray:
        """(time, place) whether the place is taken."""
        return np.asarray(self.support > 0)

    @property
    def sightings(self) -> IntArray:
        """(time, place) number of views that show the person."""
        return np.asarray((self.groups >= 0).sum(axis=2))

    @classmethod
    def empty(cls, n_times: int, n_places: int, n_views: int, n_joints: int) -> _People:
        return cls(
            groups=np.full((n_times, n_places, n_views), -1),
            support=np.zeros((n_times, n_places)),
            points_m=np.full((n_times, n_places, n_joints, 3), np.nan),
        )


def match_people(
    rig: Rig,
    detections: Mapping[str, Detections],
    *,
    min_confidence: float = 0.3,
    max_error_px: float | None = None,
) -> tuple[PersonMatch, ...]:
    """All people whose rays meet in two or more views; the one with the most images, the patient, is first.

    detections      camera name -> the people of that view, all at the same times and in the same skeleton
    min_confidence  joints below it are not compared
    max_error_px    half of a person's joints must lie so near to the triangulated ones; default: 2.5 % of the
                    longer side of each camera's image: well above a detector's error (about 10 px at 1920) and a few
                    hundredths of a second between cameras, well below the distance to the next person

    Raises `InputError` if fewer than two views are given, a camera is not in the rig, times or skeletons differ, and
    if the rays of no two people meet.
    """
    if max_error_px is not None and not max_error_px > 0:
        raise InputError(f"max_error_px is {max_error_px}; a tolerance must be positive")
    rig = _checked_rig(rig, detections)
    views = _ideal_views(rig, detections, min_confidence, max_error_px)
    people = _people(views)
    if not people.found.any():
        raise InputError(_no_match_message(rig, views, min_confidence))
    times_s = next(iter(detections.values())).times_s
    tracks = _follow(rig, people, times_s)
    return tuple(
        _match(rig, views, people, tracks, places, joined)
        for places, joined in _individuals(rig, people, tracks, times_s)
    )


def _match(rig: Rig, views: _Views, people: _People, tracks: IntArray, places: IntArray, joined: int) -> PersonMatch:
    """The match of one person with these places (time,) among the people of each frame."""
    rows = np.arange(len(places))
    chosen = np.where((places >= 0)[:, None], people.groups[rows, places], -1)
    errors = _errors(views, views.images(chosen), people.points_m[rows, places])
    return PersonMatch(
        chosen={camera.name: frozen(chosen[:, v], np.int64) for v, camera in enumerate(rig)},
        reprojection_px=frozen(_median(errors.swapaxes(0, 1).reshape(len(places), -1))),
        history=_history(rig, views, people, tracks, places, chosen, joined),
        warnings=_warnings(people, tracks, places),
    )


def _checked_rig(rig: Rig, detections: Mapping[str, Detections]) -> Rig:
    """The cameras of the rig that have detections, in the rig's order."""
    for name in detections:
        rig[name]  # raises InputError if the rig has no such camera
    if len(detections) < 2:
        raise InputError(f"people are matched across two or more views; given: {', '.join(detections) or 'none'}")
    first_name, first = next(iter(detections.items()))
    if len(first) == 0:
        raise InputError(f"{first_name}: the detections hold no frame")
    for name, view in detections.items():
        if view.skeleton.joints != first.skeleton.joints:
            raise InputError(
                f"{name} was detected as {view.skeleton.name}, {first_name} as {first.skeleton.name}; "
                f"use one detector for all views"
            )
        if len(view) != len(first) or np.abs(view.times_s - first.times_s).max() > SAME_SAMPLE_S:
            raise InputError(
                f"{name} ({len(view)} frames) and {first_name} ({len(first)} frames) are not at the same times; "
                f"bring the views to one clock first"
            )
    return rig.select([camera.name for camera in rig if camera.name in detections])


def _ideal_views(
    rig: Rig, detections: Mapping[str, Detections], min_confidence: float, max_error_px: float | None
) -> _Views:
    most = max(view.positions.shape[1] for view in detections.values())
    first = detections[rig.camera_names[0]]
    pixels = np.full((len(rig), len(first), most, len(first.skeleton), 2), np.nan)
    for v, camera in enumerate(rig):
        view = detections[camera.name]
        kept = np.where((view.confidence >= min_confidence)[..., None], view.positions, np.nan)
        pixels[v, :, : kept.shape[1]] = camera.undistort_image_points(kept)
    return _Views(
        cameras=tuple(replace(camera, distortion=()) for camera in rig),
        pixels=pixels,
        tolerance_px=np.array([max_error_px or TOLERANCE * max(camera.size_px) for camera in rig], dtype=float),
        mirror=np.array(first.skeleton.mirrored_order),
    )


def _people(views: _Views) -> _People:
    """The people of each frame, best supported first; in so many frames at once as memory allows."""
    n_views, n_times, n_people = views.pixels.shape[:3]
    frames = max(1, HYPOTHESES // max(1, n_views * (n_views - 1) // 2 * n_people**2))
    parts = [_disjoint(_hypotheses(views.at(slice(t, t + frames))), n_people) for t in range(0, n_times, frames)]
    return _People(
        groups=np.concatenate([part.groups for part in parts]),
        support=np.concatenate([part.support for part in parts]),
        points_m=np.concatenate([part.points_m for part in parts]),
    )


def _hypotheses(views: _Views) -> _People:
    """Groups of people whose rays meet, one place for each pair of people of two views; they overlap."""
    n_views, n_times, n_people, n_joints = views.pixels.shape[:4]
    seen = ~np.isnan(views.pixels[..., 0])
    pairs = [
        (a, p, b, q)
        for a, b in itertools.combinations(range(n_views), 2)
        for p, q in itertools.product(range(n_people), repeat=2)
    ]
    found = _People.empty(n_times, len(pairs), n_views, n_joints)
    for place, (a, p, b, q) in enumerate(pairs):
        known = ((found.groups[..., a] == p) & (found.groups[..., b] == q)).any(axis=1)
        common = (seen[a, :, p] & seen[b, :, q]).sum(axis=-1)
        frames = np.flatnonzero(~known & (common >= MIN_JOINTS))
        if len(frames) == 0:
            continue
        pair = np.full((len(frames), n_views), -1)
        pair[:, a], pair[:, b] = p, q
        group, support, points_m = _extended(views.at(frames), pair)
        found.groups[frames, place], found.support[frames, place] = group, support
        found.points_m[frames, place] = points_m
    return found


def _extended(views: _Views, pair: IntArray) -> tuple[IntArray, FloatArray, FloatArray]:
    """The groups that grow from pairs of people, both (time, view); support (time,); points (time, joint, 3) m.

    Where no group stands, it is empty and its support 0.
    """
    first = _nearest(views, dlt(views.cameras, views.images(pair)))
    points_m = _triangulated(views, first)
    group = _nearest(views, points_m)
    changed = np.flatnonzero((group != first).any(axis=1))
    points_m[changed] = _triangulated(views.at(changed), group[changed])
    support = _support(views, group, points_m)
    group[support == 0] = -1
    return group, support, points_m


def _triangulated(views: _Views, group: IntArray) -> FloatArray:
    """(time, joint, 3) m the joints of groups (time, view), first as they are labelled, then with sides as they fit."""
    images = views.images(group)
    return dlt(views.cameras, _sides_as_projected(views, images, dlt(views.cameras, images)))


def _nearest(views: _Views, points_m: FloatArray) -> IntArray:
    """The person nearest to points (time, joint, 3) in each view, -1 for none: (time, view)."""
    images = views.pixels.swapaxes(1, 2)  # (view, person, time, joint, 2)
    errors = np.stack([_errors(views, images[:, p], points_m) for p in range(images.shape[1])], axis=2)
    tolerance_px = views.tolerance_px[:, None, None, None]
    compared = (~np.isnan(errors)).sum(axis=-1)
    agrees = (compared >= MIN_JOINTS) & (2 * (errors <= tolerance_px).sum(axis=-1) >= compared)
    score = np.where(agrees, _closeness(errors / tolerance_px).sum(axis=-1), 0.0)
    return np.where(score.max(axis=2) > 0, score.argmax(axis=2), -1).T


def _support(views: _Views, group: IntArray, points_m: FloatArray) -> FloatArray:
    """(time,) the support of groups (time, view) at points (time, joint, 3); 0 for one view alone, or too little.

    Points that were fitted to n views lie nearer to them than to the truth: of the 2n coordinates of a joint, three
    were used to place it. The tolerance is shortened accordingly, most for two views.
    """
    members = (group >= 0).sum(axis=1)
    freedom = 1 - 3 / (2 * np.maximum(members, 2))
    tolerance_px = views.tolerance_px[:, None, None] * np.sqrt(freedom)[:, None]
    errors = _errors(views, views.images(group), points_m)
    support = _closeness(errors / tolerance_px).sum(axis=(0, 2))
    compared = (~np.isnan(errors)).sum(axis=(0, 2))
    return np.where((members >= 2) & (support >= MIN_SHARE * compared), support, 0.0)


def _closeness(relative_error: FloatArray) -> FloatArray:
    """1 for no error, 0 for one of the tolerance, beyond it, or none known."""
    return np.asarray(np.clip(1 - np.nan_to_num(relative_error, nan=1.0) ** 2, 0, None))


def _errors(views: _Views, images: FloatArray, points_m: FloatArray) -> FloatArray:
    """(view, time, joint) px between the projected points (time, joint, 3) and images (view, time, joint, 2).

    A joint beyond the tolerance counts with its mirror image if that lies nearer.
    """
    sided = _sides_as_projected(views, images, points_m)
    return np.asarray(np.linalg.norm(sided - views.project(points_m), axis=-1))


def _sides_as_projected(views: _Views, images: FloatArray, points_m: FloatArray) -> FloatArray:
    """The images, a joint beyond the tolerance exchanged for its mirror image if that lies nearer."""
    projected = views.project(points_m)
    mirrored = images[..., views.mirror, :]
    own_px = np.linalg.norm(images - projected, axis=-1)
    swapped = (own_px > views.tolerance_px[:, None, None]) & (np.linalg.norm(mirrored - projected, axis=-1) < own_px)
    return np.where(swapped[..., None], mirrored, images)


def _disjoint(hypotheses: _People, n_people: int) -> _People:
    """The accepted hypotheses, best supported first. No detection and no position in space is used twice."""
    n_times, _, n_views = hypotheses.groups.shape
    people = _People.empty(n_times, max(1, n_views * n_people // 2), n_views, hypotheses.points_m.shape[2])
    left, rows = hypotheses.support.copy(), np.arange(n_times)
    for place in range(people.support.shape[1]):
        if not (left > 0).any():
            break
        best = left.argmax(axis=1)
        group, points_m = hypotheses.groups[rows, best], hypotheses.points_m[rows, best]
        apart_m = _median(np.linalg.norm(people.points_m[:, :place] - points_m[:, None], axis=-1))
        stands = (left[rows, best] > 0) & ~(apart_m < REACH_M).any(axis=1)
        people.groups[stands, place] = group[stands]
        people.support[stands, place] = left[stands, best[stands]]
        people.points_m[stands, place] = points_m[stands]
        left[((hypotheses.groups == group[:, None]) & (group[:, None] >= 0)).any(axis=2)] = 0.0
    return people


def _follow(rig: Rig, people: _People, times_s: FloatArray) -> IntArray:
    """The number of each person's track, (time, place), -1 if the place is empty."""
    tracks, points_m = np.full(people.support.shape, -1), people.points_m
    last_m: list[FloatArray] = []
    last_s: list[float] = []
    for frame, time_s in enumerate(times_s):
        places = np.flatnonzero(people.found[frame])
        waiting = [k for k in range(len(last_s)) if time_s - last_s[k] <= FORGET_S]
        if waiting and len(places):
            away = np.array([time_s - last_s[k] for k in waiting])
            reach = np.minimum(REACH_M + SPEED_M_S * away, MAX_REACH_M)
            distance = _distance_m(rig, np.stack([last_m[k] for k in waiting])[:, None], points_m[frame, places])
            distance[distance > reach[:, None]] = np.inf
            while np.isfinite(distance).any():  # nearest first
                k, p = np.unravel_index(distance.argmin(), distance.shape)
                tracks[frame, places[p]] = waiting[k]
                distance[k], distance[:, p] = np.inf, np.inf
        for p in places:
            if tracks[frame, p] < 0:
                tracks[frame, p] = len(last_s)
                last_m.append(points_m[frame, p])
                last_s.append(0.0)
            last_m[tracks[frame, p]], last_s[tracks[frame, p]] = points_m[frame, p], float(time_s)
    return tracks


def _distance_m(rig: Rig, before_m: FloatArray, after_m: FloatArray) -> FloatArray:
    """(...) m between people (..., joint, 3): the median joint's displacement at right angles to a camera's ray, the
    largest of all cameras; infinite if they share no joint."""
    displacement = after_m - before_m
    largest = np.zeros(displacement.shape[:-2])
    for camera in rig:
        ray = after_m - camera.center_m
        across = np.linalg.norm(np.cross(displacement, ray / np.linalg.norm(ray, axis=-1, keepdims=True)), axis=-1)
        largest = np.maximum(largest, _median(across))
    return np.where(np.isnan(largest), np.inf, largest)


def _median(values: FloatArray) -> FloatArray:
    """(..., n) -> (...) the (lower) median of the finite values; NaN if there is none."""
    middle = np.maximum((~np.isnan(values)).sum(axis=-1) - 1, 0) // 2
    return np.asarray(np.take_along_axis(np.sort(values, axis=-1), middle[..., None], axis=-1)[..., 0])


def _individuals(rig: Rig, people: _People, tracks: IntArray, times_s: FloatArray) -> list[tuple[IntArray, int]]:
    """For each person, the patient first: their place among the people of each frame, (time,), -1 if absent; the
    number of joined tracks."""
    sightings = people.sightings
    totals = _totals(sightings, tracks)
    left = np.argsort(-totals, kind="stable").tolist()
    found: list[tuple[IntArray, int]] = []
    while left and totals[left[0]] >= MIN_TRACK_SHARE * totals.max():
        places, joined = _person(rig, people, tracks, times_s, left)
        found.append((places, len(joined)))
        left = [track for track in left if track not in joined]
    seen = [_over_time(sightings, places) for places, _ in found]
    support = [_over_time(people.support, places) for places, _ in found]
    often = [TIE_SHARE * max(seen) <= each for each in seen]
    order = sorted(range(len(found)), key=lambda k: (not often[k], -support[k] if often[k] else -seen[k]))
    return [found[k] for k in order]


def _over_time(values: FloatArray | IntArray, places: IntArray) -> float:
    """The sum of (time, place) values of one person with these places (time,)."""
    return float(values[np.arange(len(places)), places][places >= 0].sum())


def _person(
    rig: Rig, people: _People, tracks: IntArray, times_s: FloatArray, candidates: list[int]
) -> tuple[IntArray, list[int]]:
    """The places of the first of the candidate tracks and of those that can be joined to it; which ones these are."""
    person, joined = np.full(len(times_s), -1), []
    for track in candidates:
        frames, places = np.nonzero(tracks == track)
        known = np.flatnonzero(person >= 0)
        beside = person[frames] >= 0
        if beside.any():
            if beside.mean() > MAX_OVERLAP_SHARE or _apart(
                people, frames[beside], places[beside], person[frames[beside]]
            ):
                continue  # another person
            frames, places = frames[~beside], places[~beside]
        next_known = np.searchsorted(known, frames)
        before, after = next_known > 0, next_known < len(known)
        frame = np.concatenate([frames[before], frames[after]])
        place = np.concatenate([places[before], places[after]])
        other = known[np.concatenate([next_known[before] - 1, next_known[after]])]
        away_m = _distance_m(rig, people.points_m[other, person[other]], people.points_m[frame, place])
        walked_m = SPEED_M_S * np.abs(times_s[frame] - times_s[other])
        reached = away_m <= REACH_M + walked_m
        if reached.sum() >= (1 - MAX_OVERLAP_SHARE) * len(reached) and (away_m <= MAX_REACH_M + walked_m).all():
            person[frames] = places
            joined.append(track)
    return person, joined


def _apart(people: _People, frames: IntArray, places: IntArray, others: IntArray) -> bool:
    """Whether two people of the same frames are ever farther apart than pieces of one body can be."""
    one, other = people.points_m[frames, places], people.points_m[frames, others]
    between_m = np.linalg.norm(one[:, :, None] - other[:, None], axis=-1).reshape(len(frames), -1)
    return bool((np.nan_to_num(between_m, nan=np.inf).min(axis=1) > MAX_REACH_M).any())


def _totals(values: FloatArray | IntArray, tracks: IntArray) -> FloatArray:
    """(track,) the sum of (time, place) values of each track over all frames."""
    return np.bincount(tracks[tracks >= 0], weights=values[tracks >= 0]).astype(float)


def _history(
    rig: Rig, views: _Views, people: _People, tracks: IntArray, patient: IntArray, chosen: IntArray, joined: int
) -> tuple[str, ...]:
    """The history of a match."""
    n_times, members = len(patient), (chosen >= 0).sum(axis=1)
    whole, none = int((members == len(rig)).sum()), int((members == 0).sum())
    sentences = [
        f"patient matched across {len(rig)} cameras: {whole} of {n_times} frames in all of them, "
        f"{n_times - whole - none} in fewer, {none} in none "
        f"(tolerance {_pixels(views.tolerance_px)} on the median joint)"
    ]
    present = views.present
    unmatched = present.any(axis=2).T & (chosen < 0)
    if unmatched.any():
        sentences.append(f"people detected, but none matched to the patient: {_frames(rig, unmatched)}")
    company = (present.sum(axis=2).T - (chosen >= 0)) > 0
    if company.any():
        sentences.append(f"another person in view: {_frames(rig, company)}")
    other = np.arange(people.support.shape[1]) != patient[:, None]
    equal = other & people.found & ((people.groups >= 0).sum(axis=2) >= members[:, None])
    if equal.any():
        sentences.append(
            f"ambiguous: another person was matched in as many cameras in {int(equal.any(axis=1).sum())} frames"
        )
    if joined > 1:
        sentences.append(f"patient tracked in {joined} pieces, joined by place and time over the gaps between them")
    return (*sentences, *_warnings(people, tracks, patient))


def _warnings(people: _People, tracks: IntArray, patient: IntArray) -> tuple[str, ...]:
    """A warning if another person has nearly as many images as the patient."""
    other = np.arange(people.support.shape[1]) != patient[:, None]
    own = people.sightings[~other].sum()
    rivals = _totals(people.sightings, np.where(other, tracks, -1))
    if not len(rivals) or rivals.max() < AMBIGUOUS_SHARE * own:
        return ()
    frames = int((other & (tracks == rivals.argmax())).sum())
    return (
        f"another person was tracked in {frames} frames and has {rivals.max() / own:.0%} as many images as the patient "
        f"over all cameras: check that the right person was chosen",
    )


def _frames(rig: Rig, counted: BoolArray) -> str:
    """The number of marked frames of each camera, as a phrase."""
    counts = zip(rig.camera_names, counted.sum(axis=0), strict=True)
    return ", ".join(f"{name} {count} frames" for name, count in counts if count)


def _pixels(tolerance_px: FloatArray) -> str:
    return " to ".join(f"{px:.0f}" for px in sorted({tolerance_px.min(), tolerance_px.max()})) + " px"


def _no_match_message(rig: Rig, views: _Views, min_confidence: float) -> str:
    present = views.present.any(axis=2).sum(axis=1)
    seen = ", ".join(f"{name} {n}" for name, n in zip(rig.camera_names, present, strict=True))
    counts = f"frames of {views.pixels.shape[1]} with a person (confidence >= {min_confidence:g}): {seen}"
    if (present > 0).sum() < 2:
        return f"no person is in two cameras; {counts}; check the videos and the detector"
    return (
        f"the rays of no two people meet within {_pixels(views.tolerance_px)}; {counts}; check the calibration, "
        f"the time offsets and which camera is which"
    )
