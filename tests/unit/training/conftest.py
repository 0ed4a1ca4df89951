"""Small sets of VideoPose3D's kind."""

from pathlib import Path

import numpy as np
import pytest

from gonio.io.rigs import subject_cameras
from gonio.io.videopose3d_npz import H36M_DROPPED

KEPT = np.delete(np.arange(32), H36M_DROPPED)
LAYOUT = {"layout_name": "h36m", "num_joints": 17, "keypoints_symmetry": [[4, 5, 6, 11, 12, 13], [1, 2, 3, 14, 15, 16]]}


@pytest.fixture(scope="module")
def sets(tmp_path_factory) -> Path:
    """A folder with both sets as VideoPose3D's scripts make them: 2D are projections of the 3D."""
    folder = tmp_path_factory.mktemp("sets")
    solid: dict[str, dict[str, np.ndarray]] = {}
    flat: dict[str, dict[str, list[np.ndarray]]] = {}
    for number, subject in enumerate(("S1", "S5", "S9")):
        rng = np.random.default_rng(number)
        still = rng.uniform((-0.5, -0.5, 0.1), (0.5, 0.5, 1.7), (32, 3))
        joints = (still + 0.05 * rng.normal(size=(40, 32, 3))).astype(np.float32)
        solid[subject] = {"Walking": joints}
        cameras = subject_cameras.human36m()[subject]
        flat[subject] = {"Walking": [c.world_to_image(joints[:, KEPT]).astype(np.float32) for c in cameras]}
    np.savez_compressed(folder / "data_3d_h36m.npz", positions_3d=solid)
    np.savez_compressed(folder / "data_2d_h36m_gt.npz", positions_2d=flat, metadata=LAYOUT)
    return folder
