"""Single pictures: JPEG, PNG and whatever else OpenCV reads.

Pixels come as they are stored: a JPEG's note that it is to be shown turned (EXIF) is not followed, because annotations
such as COCO's are about the stored pixels.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from gonio.core.errors import InputError
from gonio.io.reading import read_bytes


def read(path: Path) -> NDArray[np.uint8]:
    """(height, width, 3) RGB. Raises `InputError` where the file is absent, empty or no picture."""
    content = np.frombuffer(read_bytes(path), dtype=np.uint8)
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        picture = cv2.imdecode(content, flags) if len(content) else None
    except cv2.error:
        picture = None
    if picture is None:
        raise InputError(f"{path}: is no picture that can be read (JPEG, PNG), or is damaged; copy it again")
    return np.ascontiguousarray(picture[..., ::-1], dtype=np.uint8)
