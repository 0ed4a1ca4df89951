"""OpenPose's part association as one would read it out of the paper: everything enlarged, one loop after the other.

Slow and plain on purpose; `gonio.detection.openpose.association` must find the same people. The settings are fixed:
peaks above 0.05, samples above 0.05 of which 95 % must count, people of three parts and 0.4 per part.
"""

from __future__ import annotations

import math

import cv2
import numpy as np


def associate(heatmaps, pafs, layout, stride=8):
    """Lists of people, each {"parts": {part: (x, y, score)}, "score": score}."""
    heatmaps = [enlarged(heatmap, stride) for heatmap in heatmaps[:-1]]
    pafs = [enlarged(paf, stride) for paf in pafs]
    candidates = [peaks(heatmap) for heatmap in heatmaps]
    connections = []
    for (a, b), (x_channel, y_channel) in zip(layout.limbs, layout.paf_channels, strict=True):
        connections += connect(a, candidates[a], b, candidates[b], pafs[x_channel], pafs[y_channel])
    return assemble(candidates, connections, layout)


def enlarged(channel, stride):
    height, width = channel.shape
    return cv2.resize(np.asarray(channel, np.float32), (width * stride, height * stride), interpolation=cv2.INTER_CUBIC)


def peaks(heatmap):
    """[(x, y, score)] of one enlarged heatmap."""
    rows = heatmap.tolist()
    height, width = heatmap.shape
    found = []
    for y in range(1, height - 1):
        above, row, below = rows[y - 1], rows[y], rows[y + 1]
        for x in range(1, width - 1):
            value = row[x]
            if value <= 0.05:
                continue
            before = max(row[x - 1], above[x - 1], above[x], above[x + 1])
            after = max(row[x + 1], below[x - 1], below[x], below[x + 1])
            if value <= before + 1e-6 or value < after - 1e-6:
                continue
            found.append((*centroid(rows, x, y), value))
    return found


def centroid(rows, x, y):
    total = total_x = total_y = 0.0
    for v in range(y - 3, y + 4):
        for u in range(x - 3, x + 4):
            if 0 <= v < len(rows) and 0 <= u < len(rows[0]) and rows[v][u] > 0:
                total += rows[v][u]
                total_x += rows[v][u] * u
                total_y += rows[v][u] * v
    return total_x / total, total_y / total


def connect(a, candidates_a, b, candidates_b, paf_x, paf_y):
    """[(score, (part, number), (part, number))] of one limb, each candidate once."""
    scored = []
    for i, start in enumerate(candidates_a):
        for j, end in enumerate(candidates_b):
            score = limb_score(start, end, paf_x, paf_y)
            if score is not None:
                scored.append((score, i, j))
    chosen = []
    for score, i, j in sorted(scored, key=lambda one: (-one[0], one[1], one[2])):
        if all(i != other[1][1] and j != other[2][1] for other in chosen):
            chosen.append((score, (a, i), (b, j)))
    return chosen


def limb_score(start, end, paf_x, paf_y):
    """The mean of the samples that count, or None where too few do."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    length = math.hypot(dx, dy)
    if length == 0:
        return None
    n = min(max(round(math.sqrt(5 * max(abs(dx), abs(dy)))), 5), 25)
    height, width = paf_x.shape
    counted = []
    for k in range(n):
        along = (k + 0.5) / n
        x = min(max(math.floor(start[0] + along * dx + 0.5), 0), width - 1)
        y = min(max(math.floor(start[1] + along * dy + 0.5), 0), height - 1)
        value = (float(paf_x[y, x]) * dx + float(paf_y[y, x]) * dy) / length
        if value > 0.05:
            counted.append(value)
    if not counted or len(counted) / n < 0.95:
        return None
    return sum(counted) / len(counted)


def assemble(candidates, connections, layout):
    """Subsets of parts: a connection begins one, adds to one, or merges two that share no part."""
    subsets = []
    for score, one, other in sorted(connections, key=lambda connection: -connection[0]):
        of_one = next((s for s in subsets if one in s["parts"].items()), None)
        of_other = next((s for s in subsets if other in s["parts"].items()), None)
        if of_one is None and of_other is None:
            subset = {"parts": dict([one, other]), "limbs": []}
            subsets.append(subset)
        elif of_one is None or of_other is None:
            subset, (part, number) = (of_other, one) if of_one is None else (of_one, other)
            if part in subset["parts"]:
                continue
            subset["parts"][part] = number
        elif of_one is of_other:
            subset = of_one
        else:
            if set(of_one["parts"]) & set(of_other["parts"]):
                continue
            subset = of_one
            subset["parts"] |= of_other["parts"]
            subset["limbs"] += of_other["limbs"]
            subsets = [s for s in subsets if s is not of_other]
        subset["limbs"].append((score, one[0], other[0]))

    people = []
    for subset in subsets:
        parts = {part: candidates[part][number] for part, number in subset["parts"].items()}
        count = sum(part not in layout.feet for part in parts)
        score = sum(value for part, (_, _, value) in parts.items() if part not in layout.feet)
        score += sum(s for s, a, b in subset["limbs"] if a not in layout.feet and b not in layout.feet)
        if count >= 3 and score / count >= 0.4:
            people.append({"parts": parts, "score": score / count, "total": score})
    return sorted(people, key=lambda person: -person["total"])
