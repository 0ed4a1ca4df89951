"""CMU motion capture as joint positions: eight actions in one .npz file.

For each recording `<name>` (time, 38, 3) int16, quarter millimetres relative to the root, y up, and `<name>__root_m`
(time, 3) float32, the root's position in metres; `joint_parents` (38,) for all. 120 frames per second. The positions
were
made from the exponential maps in which these recordings circulate. Therefore:

- The first frame of every recording is not motion: it shows the figure with its arms spread. It is left out.
- The joints are the starts of CMU's bones, and several are at one point. Only joints with a name in gonio are read.
- The outer third of the forearm (the bone `wrist`, half as long as `radius` in CMU's skeletons) has no length in these
  maps. The wrist is therefore moved along the forearm to one and a half times its length, and marked inferred.
- The trunk is one vertebral bone too short: CMU's skeletons have three of about 0.117 m from the root to the lower neck
  (`lowerback`, `upperback`, `thorax`), these maps two. Everything from `spine` upwards is therefore moved by one more
  vector from the root to `spine`, and marked inferred. The lengths are then those of CMU's skeletons. The bending
  within the trunk is only approximate.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gonio.core.arrays import FloatArray
from gonio.core.errors import InputError, one_line
from gonio.core.sequence import PoseSequence, Source, Status
from gonio.core.skeleton import Skeleton
from gonio.io.reading import NUMPY_ERRORS, check_unpacked_size, naming, quiet, read_bytes

RATE_HZ = 120.0
FOREARM = 1.5
"""Length of the forearm to that of CMU's bone `radius`."""
TRUNK = 2
"""Distance from the root to CMU's `spine` (the end of `upperback`) to the one in these maps."""
_QUARTER_MM = 0.00025
_PARENTS: tuple[int, ...] = (-1, 0, 1, 2, 3, 4, 5, 0, 7, 8, 9, 10, 11, 0, 13, 14, 15, 16, 17, 18, 15)
_PARENTS += (20, 21, 22, 23, 24, 25, 23, 27, 15, 29, 30, 31, 32, 33, 34, 32, 36)
_JOINTS: dict[int, str] = {
    0: "mid_hip",
    2: "left_hip",
    3: "left_knee",
    4: "left_ankle",
    5: "left_foot",
    6: "left_big_toe",
    8: "right_hip",
    9: "right_knee",
    10: "right_ankle",
    11: "right_foot",
    12: "right_big_toe",
    14: "spine",
    15: "thorax",
    17: "lower_neck",
    18: "neck_nose",
    19: "head_top",
    21: "left_shoulder",
    22: "left_elbow",
    23: "left_wrist",
    30: "right_shoulder",
    31: "right_elbow",
    32: "right_wrist",
}


@quiet
def read(path: Path) -> dict[str, PoseSequence]:
    """Every recording by its name, in metres in its own world, y up, 120 frames per second.

    Raises `InputError` if the file is absent, damaged or of another skeleton.
    """
    path = Path(path)
    read_bytes(path)
    check_unpacked_size(path)
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as npz:
            arrays: dict[str, NDArray[np.generic]] = {name: npz[name] for name in npz.files}
    except NUMPY_ERRORS as error:
        raise InputError(f"{path}: the file is damaged or not an .npz file of numbers ({one_line(error)})") from None
    parents = arrays.pop("joint_parents", None)
    if (
        not isinstance(parents, np.ndarray)
        or parents.dtype.kind not in "iu"
        or tuple(parents.ravel().tolist()) != _PARENTS
    ):
        raise InputError(f"{path}: its joint_parents are not those of the 38 joints of CMU's eight actions")
    roots = {name: value for name, value in arrays.items() if name.endswith("__root_m")}
    recordings = {name: value for name, value in arrays.items() if name not in roots}
    if {f"{name}__root_m" for name in recordings} != set(roots):
        raise InputError(f"{path}: not every recording has its __root_m; download it again")
    return {name: _sequence(path, name, value, roots[f"{name}__root_m"]) for name, value in recordings.items()}


def _sequence(path: Path, name: str, quarter_mm: NDArray[np.generic], root_m: NDArray[np.generic]) -> PoseSequence:
    if not all(isinstance(array, np.ndarray) and array.ndim for array in (quarter_mm, root_m)):
        raise InputError(f"{path}: {name} is not an array of recorded positions; download it again")
    n_frames = len(quarter_mm)
    if (
        n_frames < 2
        or quarter_mm.shape != (n_frames, 38, 3)
        or root_m.shape != (n_frames, 3)
        or quarter_mm.dtype.kind not in "iuf"
        or root_m.dtype.kind not in "iuf"
    ):
        raise InputError(
            f"{path}: {name} has shapes {quarter_mm.shape} and {root_m.shape}; expected (T, 38, 3), (T, 3)"
        )
    positions: FloatArray = quarter_mm[1:].astype(float) * _QUARTER_MM + root_m[1:].astype(float)[:, None]
    skeleton = Skeleton("cmu-38", tuple(_JOINTS.get(i, f"joint_{i}") for i in range(38)), _PARENTS)
    status = np.full(positions.shape[:2], Status.MEASURED)
    root, spine = skeleton.index("mid_hip"), skeleton.index("spine")
    upper = _with_descendants(spine)
    positions[:, upper] += (TRUNK - 1) * (positions[:, spine] - positions[:, root])[:, None]
    status[:, upper] = Status.INFERRED
    for side in ("left", "right"):
        elbow, wrist = (skeleton.index(f"{side}_{joint}") for joint in ("elbow", "wrist"))
        positions[:, wrist] = positions[:, elbow] + FOREARM * (positions[:, wrist] - positions[:, elbow])
        status[:, wrist] = Status.INFERRED
    with naming(path):
        return PoseSequence(
            positions=positions,
            times_s=np.arange(1, n_frames) / RATE_HZ,
            skeleton=skeleton,
            unit="m",
            frame="world",
            frame_name=name,
            up="+y",
            status=status,
            source=Source(method="cmu_positions", model=name, file=str(path)),
            history=(
                f"{n_frames} frames of 38 joints read from {path.name}, {RATE_HZ:g} per second",
                "first frame left out: it is the figure with its arms spread",
                f"spine and all above it moved out, spine to {TRUNK:g} times its distance from the root",
                f"both wrists moved out to {FOREARM:g} times the forearm's length",
            ),
        ).select(tuple(_JOINTS.values()))


def _with_descendants(joint: int) -> list[int]:
    """The joint and all its descendants. Parents come before their children."""
    found = [joint]
    for child, parent in enumerate(_PARENTS):
        if parent in found:
            found.append(child)
    return found
