"""A layout of your own: the joints of a system that gonio does not know, in the order of its files.

    python examples/own_layout.py joints.npy      # (time, 7, 3) metres

This script registers the layout itself. To give it to every command of gonio, install it as a package whose
pyproject.toml names it:

    [project.entry-points."gonio.skeletons"]
    arms-7 = "own_layout:ARMS_7"

    gonio convert joints.npy joints.csv --layout arms-7 --unit m --fps 60
"""

from __future__ import annotations

import sys
from pathlib import Path

import gonio

ARMS_7 = gonio.Skeleton(
    name="arms-7",
    joints=("thorax", "left_shoulder", "left_elbow", "left_wrist", "right_shoulder", "right_elbow", "right_wrist"),
    parents=(-1, 0, 1, 2, 0, 4, 5),  # the number of each joint's parent, -1: none
)


def main(path: Path) -> None:
    """Print the range of every angle that these joints have: the elbows'."""
    gonio.register_skeleton(ARMS_7)
    sequence = gonio.read_sequence(path, layout="arms-7", unit="m", rate_hz=60)
    for name, degrees in gonio.joint_angles(sequence).range_of_motion_deg().items():
        print(f"{name}: {degrees:.1f} degrees")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
