"""How often two people who walk through each other in one view leave with each other's identity. Prints markdown.

    python benchmarks/following_people.py

Simulated keypoints of COCO's 17 joints: two people of 500 and 470 px walk past each other at 260 px/s, 30 frames a
second, swinging arms and legs in rhythms of their own. Noise per joint and coordinate is a share of the height; one
joint in twenty is not found; the people of every frame are in a random order; the second one, who walks behind, is not
seen while nearer to the first than a given distance. 60 recordings for each row and column.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gonio.core.detections import Detections
from gonio.core.skeleton import COCO_17
from gonio.detection.tracking import follow

RATE_HZ, FRAMES, RECORDINGS = 30.0, 150, 60
HIDDEN_PX, NOISE = (0, 110, 150, 200), (0.01, 0.02, 0.03)
STANDING = np.array(
    [
        *([0.0, -0.90], [0.03, -0.93], [-0.03, -0.93], [0.07, -0.92], [-0.07, -0.92], [0.19, -0.70], [-0.19, -0.70]),
        *([0.26, -0.40], [-0.26, -0.40], [0.27, -0.12], [-0.27, -0.12], [0.12, -0.10], [-0.12, -0.10], [0.13, 0.35]),
        *([-0.13, 0.35], [0.13, 0.80], [-0.13, 0.80]),
    ]
)
SWING = {9: 0.3, 10: -0.3, 7: 0.15, 8: -0.15, 15: -0.3, 16: 0.3, 13: -0.15, 14: 0.15}  # joint: reach, half heights


def walker(start_px: tuple[float, float], end_px: tuple[float, float], height_px: float, seed: int) -> NDArray:
    """(time, 17, 2) px."""
    phase, rate_hz, width = np.random.default_rng([7, seed]).uniform([0, 0.7, 0.5], [2 * np.pi, 1.1, 1.0])
    swing = np.sin(2 * np.pi * rate_hz * np.arange(FRAMES) / RATE_HZ + phase)
    joints = np.repeat(STANDING[None] * [width, 1.0], FRAMES, axis=0)
    for joint, reach in SWING.items():
        joints[:, joint, 0] += reach * swing
    return joints * height_px / 2 + np.linspace(start_px, end_px, FRAMES)[:, None]


def film(seed: int, hidden_px: float, noise: float) -> tuple[Detections, float]:
    """Two people who cross, `scores` saying who each is; for how long, s, the second is not seen."""
    rng = np.random.default_rng(seed)
    people = np.stack(
        [
            walker((300, 540), (1600, 560), 500, 2 * seed),
            walker((1500, 550), (200, 540), 470, 2 * seed + 1),
        ],
        axis=1,
    )
    away_px = np.abs(people[:, 0, 0, 0] - people[:, 1, 0, 0])
    people += rng.normal(0, 1, people.shape) * noise * np.array([500, 470])[:, None, None]
    people[rng.random(people.shape[:3]) < 0.05] = np.nan
    people[away_px < hidden_px, 1] = np.nan
    seen = ~np.isnan(people[..., 0])
    who = np.where(seen.any(axis=2), [0.1, 0.2], 0.0)
    found = Detections(people, 0.8 * seen, np.arange(FRAMES) / RATE_HZ, COCO_17, (1920, 1080), scores=who)
    order = np.argsort(rng.random(who.shape), axis=1)
    return found.reordered(order), float((away_px < hidden_px).sum() / RATE_HZ)


def keeps_identities(found: Detections) -> bool:
    """Whether two people were followed, each of whom is one person in truth."""
    followed = follow(found)
    assert followed.scores is not None
    return followed.positions.shape[1] == 2 and all(
        len(set(followed.scores[followed.present[:, k], k])) == 1 for k in range(2)
    )


def main() -> None:
    print("| not seen for | " + " | ".join(f"noise {100 * noise:g} % of the height" for noise in NOISE) + " |")
    print("|---|" + "---|" * len(NOISE))
    for hidden_px in HIDDEN_PX:
        unseen_s = film(0, hidden_px, NOISE[0])[1]
        wrong = [
            sum(not keeps_identities(film(seed, hidden_px, noise)[0]) for seed in range(RECORDINGS)) for noise in NOISE
        ]
        print(f"| {unseen_s:.1f} s | " + " | ".join(f"{n} of {RECORDINGS}" for n in wrong) + " |")


if __name__ == "__main__":
    main()
