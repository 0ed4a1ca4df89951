"""What the channels of OpenPose's networks mean: parts, limbs, and which part affinity field belongs to which limb.

For every cell of the image a network returns the confidence that each part lies there (the heatmaps, one for each part
and one for the background) and the direction in which each limb runs there (the part affinity fields, PAF: two channels
per limb, x and y). Z. Cao, G. Hidalgo, T. Simon, S.-E. Wei, Y. Sheikh, "OpenPose: Realtime Multi-Person 2D Pose
Estimation using Part Affinity Fields", IEEE TPAMI 43(1), 2021.
"""

from __future__ import annotations

from dataclasses import dataclass

from gonio.core.skeleton import BODY_25, COCO_18, Skeleton

Pair = tuple[int, int]


@dataclass(frozen=True)
class PartLayout:
    """The channels of one network.

    skeleton      the parts, in the order of their heatmaps; the last heatmap is the background
    limbs         pairs of parts that are joined: from, to
    paf_channels  for each limb, its x and y channel, counted from the first PAF channel
    feet          parts of the feet: they do not count for the score of a person
    """

    skeleton: Skeleton
    limbs: tuple[Pair, ...]
    paf_channels: tuple[Pair, ...]
    feet: tuple[int, ...] = ()

    @property
    def n_parts(self) -> int:
        """Parts of a person."""
        return len(self.skeleton)

    @property
    def n_heatmaps(self) -> int:
        """Heatmap channels: one for each part, and the background."""
        return self.n_parts + 1

    @property
    def n_pafs(self) -> int:
        """PAF channels: two for each limb."""
        return 2 * len(self.limbs)

    @property
    def n_channels(self) -> int:
        """Channels of the network's output: the heatmaps, then the PAF."""
        return self.n_heatmaps + self.n_pafs


def _pairs(text: str) -> tuple[Pair, ...]:
    """Pairs as the tables of the field write them: "1-8 1-2"."""
    pairs = (pair.split("-") for pair in text.split())
    return tuple((int(first), int(second)) for first, second in pairs)


BODY_25_PARTS = PartLayout(
    skeleton=BODY_25,
    limbs=_pairs(
        "1-8 1-2 1-5 2-3 3-4 5-6 6-7 8-9 9-10 10-11 8-12 12-13 13-14 1-0 0-15 15-17 0-16 16-18 2-17 5-18 "
        "14-19 19-20 14-21 11-22 22-23 11-24"
    ),
    paf_channels=_pairs(
        "0-1 14-15 22-23 16-17 18-19 24-25 26-27 6-7 2-3 4-5 8-9 10-11 12-13 30-31 32-33 36-37 34-35 38-39 20-21 28-29 "
        "40-41 42-43 44-45 46-47 48-49 50-51"
    ),
    feet=tuple(
        BODY_25.index(f"{side}_{part}") for side in ("left", "right") for part in ("big_toe", "small_toe", "heel")
    ),
)
"""Body and feet: 26 heatmaps, 52 PAF channels."""

COCO_18_PARTS = PartLayout(
    skeleton=COCO_18,
    limbs=_pairs("1-2 1-5 2-3 3-4 5-6 6-7 1-8 8-9 9-10 1-11 11-12 12-13 1-0 0-14 14-16 0-15 15-17 2-16 5-17"),
    paf_channels=_pairs(
        "12-13 20-21 14-15 16-17 22-23 24-25 0-1 2-3 4-5 6-7 8-9 10-11 28-29 30-31 34-35 32-33 36-37 18-19 26-27"
    ),
)
"""COCO's joints and the neck: 19 heatmaps, 38 PAF channels."""

PART_LAYOUTS: dict[str, PartLayout] = {layout.skeleton.name: layout for layout in (BODY_25_PARTS, COCO_18_PARTS)}
"""By the name of the skeleton."""
