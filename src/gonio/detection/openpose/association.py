"""From heatmaps and part affinity fields to people: OpenPose's part association.

Z. Cao, T. Simon, S.-E. Wei, Y. Sheikh, "Realtime Multi-Person 2D Pose Estimation using Part Affinity Fields", CVPR
2017; Z. Cao, G. Hidalgo, T. Simon, S.-E. Wei, Y. Sheikh, "OpenPose: Realtime Multi-Person 2D Pose Estimation using Part
Affinity Fields", IEEE TPAMI 43(1), 2021; there "Multi-Person Parsing Using PAFs". In four steps:

1. Parts: the peaks of the enlarged heatmaps (`peaks`).
2. Limbs: for every pair of candidates of a limb's two parts the field is sampled along the line between them. The score
   is the mean of its component along the line.
3. For each limb on its own, pairs are accepted greedily, the best first, each candidate once.
4. People: every candidate begins as a person of its own. The accepted pairs of all limbs, the best first, join the
   people at their two ends, unless both have the same part: then the pair contradicts better ones, and is dropped.

All pairs of all limbs are scored at once, and the maps are enlarged only at the pixels that are used.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gonio.core.arrays import FloatArray, frozen
from gonio.core.errors import InputError
from gonio.detection.openpose.layouts import PartLayout
from gonio.detection.openpose.peaks import Peaks, find_peaks
from gonio.detection.openpose.upsampling import Float32Array, IndexArray, sampled

FEWEST_SAMPLES, MOST_SAMPLES = 5, 25
_PROBES = (0.25, 0.5, 0.75)  # shares of a line that are sampled first: most wrong pairs fail there
_PAIRS_AT_ONCE = 200_000


@dataclass(frozen=True)
class Thresholds:
    """Thresholds, with OpenPose's names in brackets. The values are its defaults, for a network of stride 8.

    peak          a heatmap must exceed it at a part (nms_threshold); not below 0
    sample        the field's component along a limb must exceed it for a sample to count (connect_inter_threshold);
                  not below 0
    share         share of a limb's samples that must count (connect_inter_min_above_threshold)
    parts         fewest parts of a person (connect_min_subset_cnt)
    person_score  lowest score of a person, divided by its parts (connect_min_subset_score)
    """

    peak: float = 0.05
    sample: float = 0.05
    share: float = 0.95
    parts: int = 3
    person_score: float = 0.4


DEFAULT_THRESHOLDS = Thresholds()


@dataclass(frozen=True, eq=False)
class People:
    """The people of one image, the highest sum of scores first.

    keypoints  (person, part, 3)  x, y in pixels of the network's input, where (0, 0) is the centre of its top left
                                  pixel, and the heatmap's value; NaN, NaN, 0 if a part is missing
    scores     (person,)          scores of its parts and limbs, divided by the number of its parts; feet do not count.
                                  From 0.4 to about 2, because a person has about as many limbs as parts
    """

    keypoints: FloatArray
    scores: FloatArray

    def __post_init__(self) -> None:
        object.__setattr__(self, "keypoints", frozen(self.keypoints))
        object.__setattr__(self, "scores", frozen(self.scores))

    def __len__(self) -> int:
        return len(self.keypoints)


def associate(
    heatmaps: ArrayLike,
    pafs: ArrayLike,
    layout: PartLayout,
    *,
    stride: int = 8,
    thresholds: Thresholds = DEFAULT_THRESHOLDS,
) -> People:
    """The people in one image.

    heatmaps  (layout.n_heatmaps, row, column), the last one the background
    pafs      (layout.n_pafs, row, column)
    stride    pixels of the network's input per cell of the maps

    Raises `InputError` if a map has another shape or contains a value that is not finite.
    """
    parts = _checked(heatmaps, "heatmaps", layout.n_heatmaps, layout)[:-1]
    fields = _checked(pafs, "part affinity fields", layout.n_pafs, layout)
    if parts.shape[1:] != fields.shape[1:]:
        raise InputError(
            f"heatmaps have {parts.shape[1:]} cells, part affinity fields {fields.shape[1:]}; must be equal"
        )
    if stride < 1:
        raise InputError(f"stride is {stride}; a cell of the maps covers at least 1 pixel")
    peaks = find_peaks(parts, stride, thresholds.peak)
    x, y = np.array(layout.paf_channels).T
    vectors = np.stack([fields[x], fields[y]], axis=-1)
    limbs = [
        limb
        for pairs in _all_pairs(peaks, layout)
        for limb in _accepted(*_scored(pairs, peaks, vectors, stride, thresholds))
    ]
    return _people(peaks, limbs, layout, thresholds)


def _checked(maps: ArrayLike, name: str, channels: int, layout: PartLayout) -> Float32Array:
    with np.errstate(over="ignore"):
        array = np.ascontiguousarray(maps, dtype=np.float32)
    if array.ndim != 3 or array.shape[0] != channels or 0 in array.shape:
        raise InputError(
            f"{name} have shape {array.shape}; {layout.skeleton.name} needs ({channels}, rows, columns): "
            "is this the output of another network?"
        )
    if not np.isfinite(array).all():
        raise InputError(f"{name} contain values that are not finite: the network's weights or its input are damaged")
    return array


class _Pairs(NamedTuple):
    """Candidates for limbs: the limb, its first peak, its second peak. Each (pair,)."""

    limb: IndexArray
    start: IndexArray
    end: IndexArray

    def select(self, kept: NDArray[np.bool_] | IndexArray) -> _Pairs:
        return _Pairs(self.limb[kept], self.start[kept], self.end[kept])


class _Limb(NamedTuple):
    """An accepted pair of peaks."""

    start: int
    end: int
    score: float


@dataclass(eq=False)
class _Person:
    """The peaks of one person by their part, and the limbs that join them."""

    parts: dict[int, int]
    limbs: list[_Limb]


def _all_pairs(peaks: Peaks, layout: PartLayout) -> Iterator[_Pairs]:
    """Every candidate of a limb's first part with every candidate of its second; of very many pairs some at a time."""
    first = np.searchsorted(peaks.part, np.arange(layout.n_parts + 1))
    a, b = np.array(layout.limbs).T
    n_ends = np.diff(first)[b]
    n_pairs = np.diff(first)[a] * n_ends
    batch = np.cumsum(n_pairs) // _PAIRS_AT_ONCE
    for number in np.unique(batch):
        limb = np.repeat(np.arange(len(a)), np.where(batch == number, n_pairs, 0))
        nth = np.arange(len(limb)) - np.searchsorted(limb, limb)  # of its limb's pairs
        yield _Pairs(limb, first[a[limb]] + nth // n_ends[limb], first[b[limb]] + nth % n_ends[limb])


def _scored(
    pairs: _Pairs, peaks: Peaks, fields: Float32Array, stride: int, limits: Thresholds
) -> tuple[_Pairs, NDArray[np.float64]]:
    """The pairs with enough samples that count, and their scores. `fields` are (limb, row, column, 2).

    A line of max(|dx|, |dy|) pixels has sqrt(5 max) samples, from 5 to 25, in the middles of as many equal pieces. So
    no sample lies at the limb's end, where a field of whole cells decreases.
    """
    line = peaks.xy_px[pairs.end] - peaks.xy_px[pairs.start]
    longer = np.abs(line).max(axis=1)
    pairs, line, longer = pairs.select(longer > 0), line[longer > 0], longer[longer > 0]
    unit = line / np.linalg.norm(line, axis=1, keepdims=True)
    n_samples = np.rint(np.sqrt(5 * longer)).clip(FEWEST_SAMPLES, MOST_SAMPLES).astype(np.intp)
    last_px = np.array(fields.shape[2:0:-1]) * stride - 1

    def counting(pair: IndexArray, sample: IndexArray) -> NDArray[np.float64]:
        """The field's component along the line at these samples of these pairs; 0 where it does not count."""
        share = (sample + 0.5) / n_samples[pair]
        place_px = peaks.xy_px[pairs.start[pair]] + share[:, None] * line[pair]
        pixel = np.floor(place_px + 0.5).astype(np.intp).clip(0, last_px)
        vectors = sampled(fields, stride, pairs.limb[pair], pixel[:, 0], pixel[:, 1])
        component = (vectors * unit[pair]).sum(axis=1)
        return np.where(component > limits.sample, component, 0.0)

    sample = np.multiply.outer(_PROBES, n_samples).astype(np.intp)
    probed = counting(np.tile(np.arange(len(n_samples)), len(_PROBES)), sample.ravel()).reshape(sample.shape)
    at_best = n_samples - (probed == 0).sum(axis=0)
    left = np.flatnonzero(at_best / n_samples >= limits.share)

    pair = np.repeat(left, n_samples[left])
    sample = np.concatenate([np.arange(n) for n in n_samples[left]]) if len(left) else left
    component = counting(pair, sample)
    counted = np.bincount(pair[component > 0], minlength=len(n_samples))
    total = np.bincount(pair, component, minlength=len(n_samples))
    enough = (counted > 0) & (counted / n_samples >= limits.share)
    return pairs.select(enough), total[enough] / counted[enough]


def _accepted(pairs: _Pairs, score: NDArray[np.float64]) -> Iterator[_Limb]:
    """For each limb the best pair, then the best of the others, and so on, each peak once; ties in order of peaks."""
    order = np.lexsort((pairs.end, pairs.start, -score, pairs.limb))
    taken: set[tuple[int, int]] = set()
    columns = (column[order].tolist() for column in (*pairs, score))
    for limb, start, end, of_limb in zip(*columns, strict=True):
        if (limb, start) not in taken and (limb, end) not in taken:
            taken |= {(limb, start), (limb, end)}
            yield _Limb(start, end, of_limb)


def _joined(part: list[int], limbs: list[_Limb]) -> list[_Person]:
    """Peaks, whose parts are given, joined by limbs, the best limb first."""
    owner = [_Person({of_peak: peak}, []) for peak, of_peak in enumerate(part)]
    for limb in sorted(limbs, key=lambda limb: -limb.score):
        first, second = owner[limb.start], owner[limb.end]
        if first is not second:
            if first.parts.keys() & second.parts.keys():
                continue
            first.parts |= second.parts
            first.limbs += second.limbs
            for peak in second.parts.values():
                owner[peak] = first
        first.limbs.append(limb)
    return list(dict.fromkeys(owner))


def _people(peaks: Peaks, limbs: list[_Limb], layout: PartLayout, thresholds: Thresholds) -> People:
    """The people with enough parts and a high enough score, the highest sum of scores first."""
    part = peaks.part.tolist()
    counts = [of_peak not in layout.feet for of_peak in part]
    rows: list[tuple[float, FloatArray, float]] = []
    for person in _joined(part, limbs):
        chosen = list(person.parts.values())
        n_counted = sum(counts[peak] for peak in chosen)
        if n_counted < thresholds.parts:
            continue
        total = sum(float(peaks.score[peak]) for peak in chosen if counts[peak])
        total += sum(limb.score for limb in person.limbs if counts[limb.start] and counts[limb.end])
        if total / n_counted < thresholds.person_score:
            continue
        keypoints = np.full((layout.n_parts, 3), [np.nan, np.nan, 0.0])
        keypoints[list(person.parts)] = np.column_stack([peaks.xy_px[chosen], peaks.score[chosen]])
        rows.append((total, keypoints, total / n_counted))
    rows.sort(key=lambda row: -row[0])
    return People(
        np.array([keypoints for _, keypoints, _ in rows]).reshape(-1, layout.n_parts, 3),
        np.array([score for _, _, score in rows]),
    )
