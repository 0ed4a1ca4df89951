"""Single images: JPEG, PNG and other formats that OpenCV reads.

Pixels are returned as they are stored. The EXIF orientation of a JPEG is ignored, because annotations such as COCO's
refer to the stored pixels.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from gonio.core.errors import InputError
from gonio.io.reading import read_bytes


def read(path: str | Path) -> NDArray[np.uint8]:
    """(height, width, 3) RGB. Raises `InputError` if the file does not exist, is empty or not an image."""
    content = np.frombuffer(read_bytes(Path(path)), dtype=np.uint8)
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        image = cv2.imdecode(content, flags) if len(content) else None
    except cv2.error:
        image = None
    if image is None:
        raise InputError(f"{path}: is not an image (JPEG, PNG), or is damaged; copy it again")
    return np.ascontiguousarray(image[..., ::-1], dtype=np.uint8)
