"""A joint angle of your own: how far the shank leans from the vertical, in every comparison and study.

    python examples/own_angle.py joints.trc

This script registers the angle itself. To give it to every command of gonio, install it as a package whose
pyproject.toml names it:

    [project.entry-points."gonio.angles"]
    shank_inclination = "own_angle:SHANK_INCLINATION"
"""

from __future__ import annotations

import sys
from pathlib import Path

import gonio

SHANK_INCLINATION = gonio.AngleDefinition(
    name="shank_inclination",
    joint="shank",
    sided=True,  # one for each side: left_shank_inclination and right_shank_inclination
    first=("ankle", "knee"),
    second=("down", "up"),
    definition="angle between the shank (ankle to knee) and the vertical; 0 = upright",
    source="segment angle as in Winter (2009), Biomechanics and Motor Control of Human Movement, taken in space",
    differs_from_isb="ISB recommends no segment angle against the vertical",
)


def main(path: Path) -> None:
    """Print the largest inclination of each shank in a file of 3D joints."""
    gonio.register_angle(SHANK_INCLINATION)
    angles = gonio.joint_angles(gonio.read_sequence(path))
    for side in ("left", "right"):
        print(f"{side}: {angles.degrees[f'{side}_shank_inclination'].max():.1f} degrees")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
