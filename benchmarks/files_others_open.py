"""Files that gonio writes, opened by the programs they are for: are the joints and angles the same there?

    python -m venv others && others/bin/pip install opensim bvhio pycocotools
    python benchmarks/files_others_open.py write out                  # in gonio's environment
    others/bin/python benchmarks/files_others_open.py check out       # in the others': gonio is not needed there

`write` makes a person who moves, and writes .trc, .mot, .bvh and COCO's JSON of it, with the numbers beside them as
.npz; with --joints FILE it takes a real recording without gaps. `check` opens each file with the program that it is
for, where that is installed, and tells the largest difference. Wanted: joints within 0.1 mm, angles within 0.01 degree.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np

LARGEST_MM, LARGEST_DEG = 0.1, 0.01


def write(folder: Path, joints: Path | None) -> None:
    """The files, and what is in them."""
    import gonio
    from gonio.core.sequence import PoseSequence
    from gonio.core.skeleton import COCO_17

    folder.mkdir(parents=True, exist_ok=True)
    if joints is None:
        rng = np.random.default_rng(20261122)
        still = rng.normal(0, 0.5, (1, 17, 3))
        sway = np.cumsum(rng.normal(0, 0.01, (120, 17, 3)), axis=0)
        person = PoseSequence(still + sway, np.arange(120) / 60, COCO_17, "m", "world", up="+y")
    else:
        read = gonio.read(joints)
        assert isinstance(read, PoseSequence)
        person = read
    flat = PoseSequence(
        person.positions[..., :2] * 200 + 400, person.times_s, person.skeleton, "px", "image", image_size_px=(1280, 960)
    )
    angles = gonio.joint_angles(person)
    gonio.write(person, folder / "joints.trc")
    gonio.write(person, folder / "joints.bvh")
    gonio.write(angles, folder / "angles.mot")
    gonio.write(flat, folder / "keypoints.json")
    np.savez(
        folder / "truth.npz",
        positions=person.positions,
        flat=flat.positions,
        times_s=person.times_s,
        joints=np.array(person.skeleton.joints),
        angles_deg=angles.angles_deg,
        angles=np.array(angles.names),
    )


def check(folder: Path) -> bool:
    """Whether every file that could be opened is the same there."""
    truth = dict(np.load(folder / "truth.npz"))
    good = True
    for name, program, compare in (
        ("joints.trc", "opensim", _trc),
        ("angles.mot", "opensim", _mot),
        ("joints.bvh", "bvhio", _bvh),
        ("keypoints.json", "pycocotools", _coco),
    ):
        try:
            difference, unit = compare(folder / name, truth)
        except ImportError as error:
            print(f"{name:16} {program:12} not opened: {error}")
            good = False
            continue
        right = difference <= (LARGEST_DEG if unit == "degrees" else LARGEST_MM)
        good &= right
        print(
            f"{name:16} {program:12} largest difference {difference:.2g} {unit}: {'the same' if right else 'DIFFERENT'}"
        )
    return good


def _trc(path: Path, truth: dict[str, Any]) -> tuple[float, str]:
    import opensim

    table = opensim.TimeSeriesTableVec3(str(path))
    assert len(table.getColumnLabels()) == len(truth["joints"])
    theirs = np.array(
        [
            [[row.getElt(0, joint).get(axis) for axis in range(3)] for joint in range(len(truth["joints"]))]
            for row in (table.getRowAtIndex(i) for i in range(table.getNumRows()))
        ]
    )
    times = np.array(table.getIndependentColumn())
    assert np.abs(times - truth["times_s"]).max() < 1e-9
    return float(np.abs(theirs - truth["positions"]).max() * 1000), "mm"


def _mot(path: Path, truth: dict[str, Any]) -> tuple[float, str]:
    import opensim

    table = opensim.TimeSeriesTable(str(path))
    assert table.getTableMetaDataString("inDegrees") == "yes"
    assert list(table.getColumnLabels()) == truth["angles"].tolist()
    theirs = np.array(
        [[row[i] for i in range(len(truth["angles"]))] for row in map(table.getRowAtIndex, range(table.getNumRows()))]
    )
    storage = opensim.Storage(str(path))
    assert storage.isInDegrees()
    assert storage.getSize() == len(truth["times_s"])
    return float(np.nanmax(np.abs(theirs - truth["angles_deg"]))), "degrees"


def _bvh(path: Path, truth: dict[str, Any]) -> tuple[float, str]:
    import bvhio

    rig = bvhio.readAsHierarchy(str(path))
    largest = 0.0
    for frame, expected in enumerate(truth["positions"]):
        rig.loadPose(frame)
        places = {joint.Name: np.array(joint.PositionWorld) / 100 for joint, _, _ in rig.layout()}
        theirs = np.array([places[name] for name in truth["joints"].tolist()])
        largest = max(largest, float(np.abs(theirs - expected).max()))
    return largest * 1000, "mm"


def _coco(path: Path, truth: dict[str, Any]) -> tuple[float, str]:
    from pycocotools.coco import COCO

    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(str(path))
    names = coco.loadCats(coco.getCatIds())[0]["keypoints"]
    assert names == truth["joints"].tolist()
    found = [coco.loadAnns(coco.getAnnIds(imgIds=[image]))[0]["keypoints"] for image in sorted(coco.getImgIds())]
    theirs = np.reshape(found, (len(truth["flat"]), len(names), 3))[..., :2]
    assert json.loads(path.read_text())["images"][0]["width"] == 1280
    return float(np.abs(theirs - truth["flat"]).max()), "px"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=["write", "check"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--joints", type=Path)
    chosen = parser.parse_args()
    if chosen.action == "write":
        write(chosen.folder, chosen.joints)
    elif not check(chosen.folder):
        raise SystemExit(1)
