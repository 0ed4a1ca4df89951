"""The arrays that VideoPose3D's `infer_video` writes of the people in a video, for gonio's archive to hold as well.

    boxes[t][1]      (person, 5)      x1, y1, x2, y2, score
    keypoints[t][1]  (person, 4, 17)  rows x, y, logit, probability
    segments         None in each frame
    metadata         {w, h}

VideoPose3D's `prepare_data_2d_custom.py` takes from each frame the person whose box has the highest score.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gonio.core.detections import Detections, smallest_image_px
from gonio.core.skeleton import COCO_17
from gonio.io.registry import target

_LEAST_PROBABILITY = 1e-15


def holds_everything(item: object) -> bool:
    """Whether it has what `infer_video`'s file has: all 17 joints of COCO of every person, boxes and scores."""
    if not isinstance(item, Detections) or item.skeleton != COCO_17 or item.boxes_px is None or item.scores is None:
        return False
    present = item.present
    return bool(
        (~np.isnan(item.positions[present])).all() and (~np.isnan(item.boxes_px[present])).all() and present.any()
    )


def is_written(item: object, path: Path) -> bool:
    """Whether `gonio.write(item, path)` makes a file that is `infer_video`'s as well."""
    return target(path).module == "gonio.io.archive" and holds_everything(item)


def arrays(found: Detections) -> dict[str, NDArray[Any]]:
    """The arrays by name, of detections with everything (`holds_everything`).

    The probability is gonio's confidence, the logit that of it. If the image size is not known, it is that of the
    smallest image with all keypoints.
    """
    assert found.boxes_px is not None and found.scores is not None
    boxes, keypoints = (np.empty((len(found), 2), dtype=object) for _ in range(2))
    clipped = np.clip(found.confidence, _LEAST_PROBABILITY, 1 - _LEAST_PROBABILITY)
    logits = np.log(clipped) - np.log1p(-clipped)
    for t, present in enumerate(found.present):
        confidence = found.confidence[t, present][:, None]
        rows = [found.positions[t, present].swapaxes(1, 2), logits[t, present][:, None], confidence]
        boxes[t] = [], np.column_stack([found.boxes_px[t, present], found.scores[t, present]]).astype(np.float32)
        keypoints[t] = [], np.concatenate(rows, axis=1).astype(np.float32)
    size = found.image_size_px or smallest_image_px(found.positions)
    return {
        "boxes": boxes,
        "segments": np.full(len(found), None, dtype=object),
        "keypoints": keypoints,
        "metadata": boxed(dict(zip("wh", size, strict=True))),
    }


def boxed(value: dict[str, Any]) -> NDArray[Any]:
    """An array of no dimension that holds the dictionary, as numpy pickles it."""
    box = np.empty((), dtype=object)
    box[()] = value
    return box
