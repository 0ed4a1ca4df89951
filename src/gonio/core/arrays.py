"""Read-only numpy arrays: what the nouns are made of."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]


def frozen(values: ArrayLike, dtype: Any = np.float64) -> NDArray[Any]:
    """A read-only, C-contiguous copy of `values`."""
    with np.errstate(invalid="ignore", over="ignore"):  # numbers beyond the new kind: who owns the array checks them
        array = np.array(values, dtype=dtype, order="C")
    array.setflags(write=False)
    return array
