"""How fast people are made from maps, beside the plain way of doing it. Prints a markdown table.

    python benchmarks/association_speed.py [--people 10] [--seconds 20]

Maps of 46 x 82 cells (pictures of 368 x 656 px) with people in random places, for each layout the same pictures to both
in turn, one thread; the fastest time of each picture counts, and the mean over the pictures is given. Peaks included.
"Plain" is the published algorithm, map for map and loop for loop (tests/support/plain_association.py):
all maps enlarged to the size of the picture by OpenCV, then pixel after pixel, pair after pair.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

for library in ("OPENBLAS", "OMP", "MKL"):  # before numpy is loaded
    os.environ[f"{library}_NUM_THREADS"] = "1"

import cv2  # noqa: E402

from gonio.detection.openpose.association import associate  # noqa: E402
from gonio.detection.openpose.layouts import (  # noqa: E402
    BODY_25_PARTS,
    COCO_18_PARTS,
)

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests/support"))
import openpose_scenes as scenes  # noqa: E402
import plain_association  # noqa: E402

PICTURES = 4


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--people", type=int, default=10)
    options.add_argument("--seconds", type=float, default=20.0)
    chosen = options.parse_args()
    cv2.setNumThreads(1)
    layouts = (BODY_25_PARTS, COCO_18_PARTS)
    print(f"| layout, {chosen.people} people | plain, ms | gonio, ms | ratio |\n|---|---|---|---|")
    for layout in layouts:
        bodies = scenes.made_up_bodies()
        pictures = [scenes.draw(scenes.scene(layout, bodies, chosen.people, seed)) for seed in range(PICTURES)]
        times_s: dict[tuple[str, int], float] = {}
        stop = time.perf_counter() + chosen.seconds / len(layouts)
        while not times_s or time.perf_counter() < stop:
            for number, maps in enumerate(pictures):
                for name, way, repeats in (("plain", plain_association.associate, 1), ("gonio", associate, 10)):
                    for _ in range(repeats):
                        taken_s = seconds(way, maps, layout)
                        times_s[name, number] = min(taken_s, times_s.get((name, number), taken_s))
        plain, gonio = (
            sum(1000 * taken_s for (who, _), taken_s in times_s.items() if who == name) / PICTURES
            for name in ("plain", "gonio")
        )
        print(f"| {layout.skeleton.name} | {plain:.0f} | {gonio:.1f} | {plain / gonio:.0f} |")


def seconds(way: Callable, maps: tuple, layout) -> float:
    begin = time.perf_counter()
    way(*maps, layout)
    return time.perf_counter() - begin


if __name__ == "__main__":
    main()
