"""How many recordings are found to be mirrored that are, and how many that are not. Prints markdown tables.

    python benchmarks/chirality.py

Recordings from `../shared/data` or GONIO_DATA. Each is tested as it is and with its positions reflected; exchanging the
names of left and right instead gives the same signs. The thresholds were chosen while looking at UI-PRMD's correct
repetitions; the incorrect ones, CMU's recordings and Pose2Sim's trial were looked at afterwards and changed nothing.
  all signs   the test as it is
  knees only  recordings cut to hips, knees and ankles, as where a layout has neither feet nor face
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

from gonio.core.sequence import PoseSequence
from gonio.io import formats
from gonio.io.mirroring import chirality, reflected
from gonio.io.motion_capture import cmu_positions, ui_prmd
from gonio.kinematics.markers import joint_centres

DATA = Path(os.environ.get("GONIO_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
LEGS = [f"{side}_{joint}" for side in ("left", "right") for joint in ("hip", "knee", "ankle")]


def main() -> None:
    for title, recordings in (
        ("UI-PRMD, Kinect v2", ui_prmd_of("Kinect")),
        ("UI-PRMD, Vicon", ui_prmd_of("Vicon")),
        ("others", others()),
    ):
        table(title, recordings)


def table(title: str, recordings: Iterator[tuple[str, PoseSequence]]) -> None:
    found: dict[str, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    for group, sequence in recordings:
        for name, joints in (("all signs", sequence), ("knees only", legs(sequence))):
            found[group][f"{name}, as it is"][chirality(joints).verdict] += 1
            found[group][f"{name}, reflected"][chirality(reflected(joints)).verdict] += 1
    columns = ("all signs, as it is", "all signs, reflected", "knees only, as it is", "knees only, reflected")
    print(f"{title}: true / mirrored / cannot tell\n")
    print(f"| recordings | {' | '.join(columns)} |")
    print("|---|" + "---|" * len(columns))
    total: dict[str, Counter[str]] = {column: sum((f[column] for f in found.values()), Counter()) for column in columns}
    for group, counts in [*sorted(found.items()), ("all", total)]:
        cells = [" / ".join(str(counts[c][v]) for v in ("true", "mirrored", "cannot tell")) for c in columns]
        print(f"| {group} | {' | '.join(cells)} |", flush=True)
    print()


def legs(sequence: PoseSequence) -> PoseSequence:
    body = joint_centres(sequence) if "LASI" in sequence.skeleton else sequence
    return body.select(LEGS)


def ui_prmd_of(system: str) -> Iterator[tuple[str, PoseSequence]]:
    for file in sorted((DATA / "ui-prmd/Segmented Movements" / system / "Positions").iterdir()):
        yield file.name[:3], ui_prmd.read(file)


def others() -> Iterator[tuple[str, PoseSequence]]:
    for sequence in ui_prmd.read_incorrect_archive(DATA / "ui-prmd/incorrect_vicon_50hz_quarter_mm.npz").values():
        yield "UI-PRMD, Vicon, incorrect", sequence
    for sequence in cmu_positions.read(DATA / "cmu-mocap/eight_actions_positions.npz").values():
        yield "CMU, eight actions", sequence
    for file in sorted((DATA / "pose2sim/balancing").rglob("*.trc")):
        sequence = formats.read(file)
        assert isinstance(sequence, PoseSequence)
        yield "Pose2Sim, balancing", sequence


if __name__ == "__main__":
    main()
