"""One picture of a video, with its exact time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class VideoFrame:
    """index from 0; time_s on the video's own clock; image (height, width, 3) uint8 RGB, turned upright; its
    rows may lie apart in memory, and it is not to be written to."""

    index: int
    time_s: float
    image: NDArray[np.uint8]
