"""Networks with random weights, and statistics as after some training."""

from __future__ import annotations

import numpy as np
import pytest

from gonio.lifting.architecture import Architecture
from gonio.lifting.checkpoints import Weights


@pytest.fixture(scope="session")
def weights_like():
    """(architecture, seed) to weights whose activations stay near 1."""

    def make(architecture: Architecture, seed: int = 0, trajectory: bool = False) -> Weights:
        rng = np.random.default_rng(seed)
        arrays = {}
        for name, shape in architecture.shapes.items():
            if name.endswith("running_var"):
                arrays[name] = rng.uniform(0.3, 2.0, shape)
            elif len(shape) == 3:
                arrays[name] = rng.normal(0, 1 / np.sqrt(shape[1] * shape[2]), shape)
            elif name.endswith("weight"):
                arrays[name] = rng.uniform(0.5, 1.5, shape)
            else:
                arrays[name] = rng.normal(0, 0.3, shape)
        root = None
        if trajectory:
            from dataclasses import replace

            root = make(replace(architecture, out_joints=1), seed + 1)
        return Weights(architecture, arrays, root, {"epoch": 80})

    return make
