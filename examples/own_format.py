"""A file format of your own: `.steps`, 3D joints of one person as text, a line for each frame.

    steps 50 left_hip left_knee left_ankle     the word steps, frames per second, the joints' names
    0.10 0.92 0.03 0.11 0.51 0.02 - - -        x y z of each joint, metres, y up; - - - if it is missing

    python examples/own_format.py joints.trc        # writes joints.steps, and reads it again

This script registers the format itself. To give it to every command of gonio, install it as a package whose
pyproject.toml names it:

    [project.entry-points."gonio.formats"]
    steps = "own_format:FORMAT"

    gonio convert joints.trc joints.steps
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

import gonio
from gonio.core.errors import InputError
from gonio.core.sequence import Source
from gonio.io.joint_names import skeleton_of

MISSING = ("-", "-", "-")


def recognise(path: Path) -> bool:
    """Whether the file begins as one of the format."""
    with path.open(encoding="utf-8", errors="replace") as file:
        return file.readline(200).startswith("steps ")


def read(path: Path) -> gonio.PoseSequence:
    """One person's joints. Raises `InputError` if the header or a line has a wrong number of values."""
    header, *lines = path.read_text(encoding="utf-8").splitlines()
    _, rate, *joints = header.split()
    cells = [["nan" if cell == "-" else cell for cell in line.split()] for line in lines]
    wrong = [number for number, row in enumerate(cells, 2) if len(row) != 3 * len(joints)]
    if not cells or wrong:
        raise InputError(f"{path}: line {wrong[0] if wrong else 2}: {3 * len(joints)} numbers are expected")
    try:
        positions = np.array(cells, dtype=float).reshape(len(cells), len(joints), 3)
        times_s = np.arange(len(cells)) / float(rate)
    except (ValueError, ZeroDivisionError) as error:
        raise InputError(f"{path}: {error}") from None
    return gonio.PoseSequence(
        positions=positions,
        times_s=times_s,
        skeleton=skeleton_of(tuple(joints), "steps"),
        unit="m",
        frame="world",
        frame_name=path.stem,
        up="+y",
        source=Source(method="steps", file=str(path)),
        history=(f"{len(cells)} frames read from {path.name}",),
    )


def write(sequence: gonio.PoseSequence, path: Path) -> tuple[str, ...]:
    """Writes the joints; returns what the format does not preserve, in sentences."""
    upright = sequence if sequence.up is None else sequence.with_up("+y")
    lines = [f"steps {sequence.rate_hz:.9g} {' '.join(sequence.skeleton.joints)}"]
    for frame, valid in zip(upright.positions.tolist(), upright.valid.tolist(), strict=True):
        cells = (map(repr, joint) if known else MISSING for joint, known in zip(frame, valid, strict=True))
        lines.append(" ".join(cell for joint in cells for cell in joint))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return ("confidence, status and history are not preserved",)


FORMAT = gonio.Format(
    key="steps",
    name="steps",
    description="3D joints of one person, a line for each frame",
    module=sys.modules[__name__],  # or the dotted path of a module, which is then imported at first use
    suffixes=(".steps",),
    dimensions=(3,),
)


def main(path: Path) -> None:
    """Convert a file of 3D joints, and read what was written."""
    gonio.register_format(FORMAT)
    target = path.with_suffix(".steps")
    for sentence in gonio.write(gonio.read(path), target):
        print(f"{target}: {sentence}")
    sequence = gonio.read(target)
    print(f"{target}: {len(sequence)} frames")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
