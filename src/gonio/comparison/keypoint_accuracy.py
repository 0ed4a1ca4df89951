"""How well 2D joints are found in annotated images: PCK, PCKh, OKS, and AP and AR by COCO's own evaluator.

    PCK@0.2     share of the annotated joints that lie within 0.2 of the larger side of the person's box
                (Yang and Ramanan 2013, "percentage of correct keypoints")
    PCKh@0.5    the same within half of the head's length, from the neck to the top of the head
                (Andriluka et al. 2014, who take 0.6 of the diagonal of a head's box for it)
    OKS         mean over a person's annotated joints of exp(-d^2 / (2 s^2 k^2)), s^2 the area that the annotation
                states, k = 2 sigma of the joint (COCO, "object keypoint similarity")
    AP, AR      over OKS thresholds 0.50 to 0.95, by pycocotools (`COCOeval`, 20 people an image)

For PCK, PCKh and the mean OKS, detected people are matched with annotated people in each image, one to one, so that
the sum of closeness is largest: 1 - d / (PCK's radius) for each annotated joint and 0 beyond the radius. A pair without
a joint within the radius is no match. A joint counts as found at any confidence. Joints of annotated people without a
match count as wrong; the share among matched people is given too.

People without annotated joints and crowd regions are left out, and so are detected people whose centre is in such a
box. The joints that annotations and detector both have count, by name.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from gonio.core.arrays import BoolArray, FloatArray, IntArray
from gonio.core.errors import InputError, MissingExtraError
from gonio.core.skeleton import COCO_17, joint_sigmas

PCK_SHARE, PCKH_SHARE = 0.2, 0.5
HEAD = ("head_top", "neck")
AP_NAMES = ("AP", "AP50", "AP75", "AP_medium", "AP_large", "AR", "AR50", "AR75", "AR_medium", "AR_large")


@dataclass(frozen=True, eq=False)
class AnnotatedPeople:
    """The annotations: n people in i images.

    image_ids         (i,) all images that were processed, with and without people
    joints            k names
    person_image_ids  (n,)
    positions         (n, k, 2) px, NaN if a joint is not annotated
    boxes_px          (n, 4) x, y, width, height
    areas_px2         (n,)
    crowd             (n,) a crowd region
    """

    image_ids: IntArray
    joints: tuple[str, ...]
    person_image_ids: IntArray
    positions: FloatArray
    boxes_px: FloatArray
    areas_px2: FloatArray
    crowd: BoolArray

    @property
    def counted(self) -> BoolArray:
        """(n,) people with at least one annotated joint outside crowd regions."""
        return np.asarray(~self.crowd & ~np.isnan(self.positions[..., 0]).all(axis=1))


@dataclass(frozen=True, eq=False)
class FoundPeople:
    """What a detector found: m people, positions (m, k, 2) px, NaN where missing, and scores (m,), in k joints."""

    joints: tuple[str, ...]
    person_image_ids: IntArray
    positions: FloatArray
    scores: FloatArray


@dataclass(frozen=True)
class Share:
    """A share of correct joints.

    value     of all annotated joints; None if there is none, or no length to measure by
    of_found  of the joints of matched people
    n         number of joints
    reason    why there is no value
    """

    value: float | None
    of_found: float | None
    n: int
    reason: str = ""


@dataclass(frozen=True)
class JointAccuracy:
    """One joint over all people.

    median_distance  from the annotation, as a share of the box's larger side, over matched people
    """

    pck: Share
    pckh: Share
    median_distance: float | None


@dataclass(frozen=True)
class KeypointAccuracy:
    """The accuracy of a detector on annotated images.

    counts           images, people, joints: what was counted and what was left out
    joints           joint -> its accuracy
    left_out         annotated joints that the detector does not have
    oks              mean over annotated people, 0 for those without a match; None if it is not defined
    oks_of_found     mean over matched people
    average          AP and AR (`AP_NAMES`), None without people of that size, or if they are not defined
    oks_reason       why OKS, AP and AR do not exist
    """

    counts: dict[str, int]
    pck: Share
    pckh: Share
    joints: dict[str, JointAccuracy]
    left_out: tuple[str, ...]
    oks: float | None
    oks_of_found: float | None
    average: dict[str, float | None]
    oks_reason: str = ""


def check_installed() -> None:
    """Raises `MissingExtraError` if pycocotools is not installed."""
    try:
        import pycocotools  # noqa: F401, PLC0415
    except ImportError:
        raise MissingExtraError("average precision needs pycocotools: pip install 'gonio[coco]'") from None


def accuracy(truth: AnnotatedPeople, found: FoundPeople) -> KeypointAccuracy:
    """Every measure. Raises `InputError` if there is nothing to compare, `MissingExtraError` without pycocotools."""
    joints = tuple(joint for joint in truth.joints if joint in found.joints)
    if not joints:
        raise InputError(
            f"annotations and detector have no joint in common: {', '.join(truth.joints)}; {', '.join(found.joints)}"
        )
    if not truth.counted.any():
        raise InputError("no person has annotated joints; the comparison needs annotations with joints")
    true_px, found_px = _only(truth, joints), _only(found, joints)
    radius_px = PCK_SHARE * truth.boxes_px[:, 2:].max(axis=1)
    partner = matched(truth, true_px, found, found_px, radius_px)
    people = truth.counted & ~np.isnan(true_px[..., 0]).all(axis=1)
    seen = np.flatnonzero(people & (partner >= 0))
    distance_px = np.full(true_px.shape[:2], np.inf)  # of annotated joints; no one, or no joint, is infinitely far
    distance_px[seen] = np.nan_to_num(np.linalg.norm(found_px[partner[seen]] - true_px[seen], axis=-1), nan=np.inf)
    annotated = people[:, None] & ~np.isnan(true_px[..., 0])
    with_partner = annotated & (partner >= 0)[:, None]
    heads_px, no_head = head_lengths(truth)
    has_head = ~np.isnan(heads_px)
    right = distance_px <= radius_px[:, None]
    right_by_head = distance_px <= PCKH_SHARE * np.where(has_head, heads_px, 0.0)[:, None]
    shares = distance_px / truth.boxes_px[:, 2:].max(axis=1)[:, None]

    def by_box(chosen: BoolArray) -> Share:
        return _share(right, annotated & chosen, with_partner, "no joint is annotated")

    def by_head(chosen: BoolArray) -> Share:
        return _share(right_by_head, annotated & has_head[:, None] & chosen, with_partner, no_head)

    per_joint = {}
    for column, joint in enumerate(joints):
        chosen = np.zeros(annotated.shape, dtype=bool)
        chosen[:, column] = True
        known = shares[with_partner & chosen & np.isfinite(shares)]
        median = float(np.median(known)) if len(known) else None
        per_joint[joint] = JointAccuracy(by_box(chosen), by_head(chosen), median)
    everything = np.ones(annotated.shape, dtype=bool)
    ignored = _in_ignored_regions(truth, found)
    taken = np.isin(np.arange(len(found.scores)), partner[seen])
    oks, oks_of_found, average, oks_reason = _similarities(truth, found, partner)
    return KeypointAccuracy(
        counts={
            "pictures": len(truth.image_ids),
            "people": int(people.sum()),
            "people_found": len(seen),
            "people_missed": int(people.sum()) - len(seen),
            "false_people": int((~taken & ~ignored).sum()),
            "joints": int(annotated.sum()),
            "crowd_regions_left_out": int(truth.crowd.sum()),
            "people_without_annotated_joints_left_out": int((~truth.crowd & ~people).sum()),
            "found_people_in_what_is_left_out": int((~taken & ignored).sum()),
        },
        pck=by_box(everything),
        pckh=by_head(everything),
        joints=per_joint,
        left_out=tuple(joint for joint in truth.joints if joint not in found.joints),
        oks=oks,
        oks_of_found=oks_of_found,
        average=average,
        oks_reason=oks_reason,
    )


def matched(
    truth: AnnotatedPeople, true_px: FloatArray, found: FoundPeople, found_px: FloatArray, radius_px: FloatArray
) -> IntArray:
    """(n,) the detected person that matches each annotated one, -1 without a match; see the module.

    true_px, found_px  (n, k, 2) and (m, k, 2) in the same joints
    radius_px          (n,) beyond which a joint does not count as close
    """
    partner = np.full(len(true_px), -1)
    for image in np.unique(truth.person_image_ids[truth.counted]):
        annotated = np.flatnonzero(truth.counted & (truth.person_image_ids == image))
        detected = np.flatnonzero(found.person_image_ids == image)
        distance_px = np.linalg.norm(true_px[annotated][:, None] - found_px[detected][None], axis=-1)
        near = np.clip(1 - distance_px / radius_px[annotated][:, None, None], 0, None)
        closeness = np.nan_to_num(near).sum(axis=2)
        rows, columns = linear_sum_assignment(closeness, maximize=True)
        close = closeness[rows, columns] > 0
        partner[annotated[rows[close]]] = detected[columns[close]]
    return partner


def head_lengths(truth: AnnotatedPeople) -> tuple[FloatArray, str]:
    """(n,) px from the neck to the top of the head, NaN if not annotated; and the reason if there is none."""
    if not all(joint in truth.joints for joint in HEAD):
        reason = f"the annotations lack {' or '.join(HEAD)}, and ears and eyes do not give the head's length"
        return np.full(len(truth.positions), np.nan), reason
    top, neck = (truth.positions[:, truth.joints.index(joint)] for joint in HEAD)
    length_px = np.linalg.norm(top - neck, axis=-1)
    return np.where(length_px > 0, length_px, np.nan), "no head is annotated"


def object_keypoint_similarity(true_px: FloatArray, areas_px2: FloatArray, found_px: FloatArray) -> FloatArray:
    """(n, m) OKS of annotated people (n, 17, 2) with areas (n,) and found ones (m, 17, 2), in COCO's joints.

    The mean is over annotated joints, those that are not NaN; a found joint that is NaN counts 0. NaN for an annotated
    person without joints.
    """
    squared = ((true_px[:, None] - found_px[None]) ** 2).sum(axis=-1)
    variance = 2 * (2 * joint_sigmas(COCO_17.joints)) ** 2 * (areas_px2[:, None, None] + np.spacing(1))
    annotated = ~np.isnan(true_px[..., 0])
    likeness = np.nan_to_num(np.exp(-squared / variance), nan=0.0)
    count = annotated.sum(axis=1)[:, None]
    total = (likeness * annotated[:, None]).sum(axis=2)
    return np.asarray(np.where(count > 0, total / np.maximum(count, 1), np.nan))


def average_precision(truth: AnnotatedPeople, found: FoundPeople) -> dict[str, float | None]:
    """AP and AR of COCO's 17 joints (`AP_NAMES`) by pycocotools; None without people of that size.

    Both must have exactly COCO's joints, in its order. A joint that was not found is handed over as 0, 0, as COCO's
    files have it.
    """
    check_installed()
    from pycocotools.coco import COCO  # noqa: PLC0415
    from pycocotools.cocoeval import COCOeval  # noqa: PLC0415

    annotations = [
        {
            "id": number + 1,
            "image_id": int(truth.person_image_ids[number]),
            "category_id": 1,
            "keypoints": _coco_triples(truth.positions[number], 2),
            "num_keypoints": int((~np.isnan(truth.positions[number, :, 0])).sum()),
            "bbox": truth.boxes_px[number].tolist(),
            "area": float(truth.areas_px2[number]),
            "iscrowd": int(truth.crowd[number]),
        }
        for number in range(len(truth.positions))
    ]
    results = [
        {"image_id": int(image), "category_id": 1, "keypoints": _coco_triples(joints, 1), "score": float(score)}
        for image, joints, score in zip(found.person_image_ids, found.positions, found.scores, strict=True)
    ]
    if not results:  # which pycocotools does not take
        return {name: 0.0 if name in ("AP", "AR", "AP50", "AP75", "AR50", "AR75") else None for name in AP_NAMES}
    with contextlib.redirect_stdout(io.StringIO()):  # it prints its progress
        annotated = COCO()
        annotated.dataset = {
            "images": [{"id": int(image)} for image in truth.image_ids],
            "categories": [{"id": 1, "name": "person"}],
            "annotations": annotations,
            "info": {},
        }
        annotated.createIndex()
        evaluation = COCOeval(annotated, annotated.loadRes(results), "keypoints")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return {name: float(v) if v > -1 else None for name, v in zip(AP_NAMES, evaluation.stats, strict=True)}


def _similarities(
    truth: AnnotatedPeople, found: FoundPeople, partner: IntArray
) -> tuple[float | None, float | None, dict[str, float | None], str]:
    """OKS over all annotated people and over those found, AP and AR; and why not."""
    nothing: dict[str, float | None] = dict.fromkeys(AP_NAMES)
    for known, source in ((truth.joints, "annotations"), (found.joints, "detector")):
        if absent := [joint for joint in COCO_17.joints if joint not in known]:
            return None, None, nothing, f"OKS is defined for COCO's 17 joints; the {source} lack {', '.join(absent)}"
    true_px, found_px = _only(truth, COCO_17.joints), _only(found, COCO_17.joints)
    people = np.flatnonzero(truth.counted & ~np.isnan(true_px[..., 0]).all(axis=1))
    seen = people[partner[people] >= 0]
    oks = np.array(
        [object_keypoint_similarity(true_px[[i]], truth.areas_px2[[i]], found_px[[partner[i]]])[0, 0] for i in seen]
    )
    average = average_precision(
        AnnotatedPeople(
            truth.image_ids,
            COCO_17.joints,
            truth.person_image_ids,
            true_px,
            truth.boxes_px,
            truth.areas_px2,
            truth.crowd,
        ),
        FoundPeople(COCO_17.joints, found.person_image_ids, found_px, found.scores),
    )
    over_all = float(oks.sum() / len(people)) if len(people) else None
    return over_all, float(oks.mean()) if len(oks) else None, average, ""


def _only(people: AnnotatedPeople | FoundPeople, joints: Sequence[str]) -> FloatArray:
    return people.positions[:, [people.joints.index(joint) for joint in joints]]


def _share(right: BoolArray, counted: BoolArray, with_partner: BoolArray, reason: str) -> Share:
    n, n_found = int(counted.sum()), int((counted & with_partner).sum())
    if n == 0:
        return Share(None, None, 0, reason)
    n_right = int((right & counted).sum())
    return Share(n_right / n, n_right / n_found if n_found else None, n)


def _in_ignored_regions(truth: AnnotatedPeople, found: FoundPeople) -> BoolArray:
    """(m,) detected people whose centre is in the box of a person who is left out, in the same image."""
    inside = np.zeros(len(found.scores), dtype=bool)
    for number in np.flatnonzero(~truth.counted):
        x, y, width, height = truth.boxes_px[number]
        here = np.flatnonzero(found.person_image_ids == truth.person_image_ids[number])
        seen = here[~np.isnan(found.positions[here, :, 0]).all(axis=1)]
        middle = np.nanmean(found.positions[seen], axis=1) - [x, y]
        inside[seen] |= ((middle >= 0) & (middle <= [width, height])).all(axis=1)
    return inside


def _coco_triples(joints_px: FloatArray, visibility: int) -> list[float]:
    """x, y and `visibility` of each joint; 0, 0, 0 if it is missing."""
    return [n for x, y in joints_px.tolist() for n in ((0.0, 0.0, 0) if np.isnan(x) else (x, y, visibility))]
