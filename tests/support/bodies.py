"""Bodies that several test folders place in their images."""

from __future__ import annotations

import numpy as np

STANDING = np.array(
    [
        *([0.0, -0.90], [0.03, -0.93], [-0.03, -0.93], [0.07, -0.92], [-0.07, -0.92]),
        *([0.19, -0.70], [-0.19, -0.70], [0.26, -0.40], [-0.26, -0.40], [0.27, -0.12], [-0.27, -0.12]),
        *([0.12, -0.10], [-0.12, -0.10], [0.13, 0.35], [-0.13, 0.35], [0.13, 0.80], [-0.13, 0.80]),
    ]
)
"""(17, 2) a standing person in the order of COCO-17, in half heights, y down."""
