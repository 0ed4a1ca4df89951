"""One picture of a video, with its exact time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, eq=False)
class VideoFrame:
    """index from 0; time_s on the video's own clock; image (height, width, 3) uint8 RGB, turned upright; its
    rows may lie apart in memory, and it is not to be written to."""

    index: int
    time_s: float
    image: NDArray[np.uint8]


FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]


def frozen(values: ArrayLike, dtype: Any = np.float64) -> NDArray[Any]:
    """A read-only, C-contiguous copy of `values`."""
    with np.errstate(invalid="ignore", over="ignore"):  # numbers beyond the new kind: who owns the array checks them
        array = np.array(values, dtype=dtype, order="C")
    array.setflags(write=False)
    return array
