"""Types of arrays, and one image of a video."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, eq=False)
class VideoFrame:
    """One image of a video.

    index   from 0
    time_s  on the video's own clock
    image   (height, width, 3) uint8 RGB, upright; not always contiguous in memory, and not to be written to
    """

    index: int
    time_s: float
    image: NDArray[np.uint8]


FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]


def frozen(values: ArrayLike, dtype: Any = np.float64) -> NDArray[Any]:
    """A read-only, C-contiguous copy of `values`."""
    with np.errstate(
        invalid="ignore", over="ignore"
    ):  # numbers beyond the new type become infinite; the owner checks them
        array = np.array(values, dtype=dtype, order="C")
    array.setflags(write=False)
    return array
