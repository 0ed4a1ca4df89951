"""How many limbs OpenPose's part association recovers, and how many it invents. Prints two markdown tables.

    python benchmarks/association_accuracy.py [--scenes 25] [--layout body-25]

Scenes of 1 to 20 people (tests/support/openpose_scenes.py): bodies of real motion (UI-PRMD and CMU, from
`../shared/data` or GONIO_DATA; made-up ones where it is absent) in random places in pictures of 368 x 656 px, hidden
joints erased, and the maps that a faultless network would give.
  without noise   by number of people. "Resolvable" limbs have both joints in view and nobody else's of the same kind
                  within 3 cells, and belong to at least three joints, feet not counted. A found limb is "mixed" where
                  its joints are not one person's, and "invented" where they could have been told apart.
  with noise      five people; Gaussian noise in all maps, smooth over a cell (sigma) as networks' errors are, of a
                  standard deviation relative to the height of a faultless peak.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter

from gonio.detection.openpose.association import associate
from gonio.detection.openpose.layouts import BODY_25_PARTS, COCO_18_PARTS

PROJECT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(PROJECT / "tests/support"))
import openpose_scenes as scenes  # noqa: E402

LAYOUTS = {layout.skeleton.name: layout for layout in (BODY_25_PARTS, COCO_18_PARTS)}
PEOPLE = (1, 2, 5, 10, 20)
NOISE = (0.0, 0.02, 0.05, 0.1, 0.15)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--scenes", type=int, default=25, help="for each row")
    options.add_argument("--layout", choices=LAYOUTS, default="body-25")
    chosen = options.parse_args()
    data = Path(os.environ.get("GONIO_DATA", PROJECT.parent / "shared" / "data"))
    bodies = scenes.bodies_of(data) if data.is_dir() else scenes.made_up_bodies()
    print(f"{chosen.layout}, {len(bodies)} {'recordings' if data.is_dir() else 'made-up bodies'}\n")
    layout = LAYOUTS[chosen.layout]
    for column, rows in (
        ("people", [(n_people, n_people, 0.0) for n_people in PEOPLE]),
        ("noise", [(noise, 5, noise) for noise in NOISE]),
    ):
        print(f"| {column} | resolvable limbs | recovered | found | mixed | invented | error of a joint, px |")
        print("|---|---|---|---|---|---|---|")
        for name, n_people, noise in rows:
            print(f"| {name} | {row(layout, bodies, n_people, noise, chosen.scenes)} |", flush=True)
        print()


def row(layout, bodies, n_people: int, noise: float, n_scenes: int) -> str:
    total, errors = scenes.Recovery(), []
    for seed in range(n_scenes):
        scene = scenes.scene(layout, bodies, n_people, 1000 + seed)
        rng = np.random.default_rng([seed, n_people])
        maps = [noisy(channels, noise, rng) for channels in scenes.draw(scene)]
        keypoints = associate(*maps, layout).keypoints
        total += scenes.recovery(scene, keypoints)
        apart = np.linalg.norm(keypoints[:, None, :, :2] - scene.joints_px[None], axis=-1)
        errors.append(apart[(apart <= scenes.STRIDE) & scene.alone])
    return (
        f"{total.resolvable} | {100 * total.recovered / total.resolvable:.1f} % | {total.found} | {total.mixed} | "
        f"{total.invented} | {np.median(np.concatenate(errors)):.2f}"
    )


def noisy(channels, sd: float, rng: np.random.Generator):
    smooth = gaussian_filter(rng.standard_normal(channels.shape), (0, 1, 1))
    return channels + sd * smooth / smooth.std()


if __name__ == "__main__":
    main()
