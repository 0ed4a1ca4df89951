"""The network's input made from an image, and the average of its answers at several scales.

The image is scaled to fit the size of the network's input, with its aspect ratio kept. It lies in the upper left corner
of the input; the rest is black. In both, (0, 0) is the centre of the upper left pixel: a position in the input, divided
by the scale, is the position in the image. The size is that of OpenPose's --net_resolution: width x height, multiples
of 16, of which one may be -1: then it is the multiple nearest to the image's aspect ratio. "-1x368" is 656x368 for an
image of 16:9.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from gonio.detection.openpose.layouts import PartLayout
from gonio.detection.openpose.options import NetSize
from gonio.detection.openpose.upsampling import cubic_weight

Maps = NDArray[np.float32]


def placed(image: NDArray[np.uint8], size: NetSize) -> tuple[NDArray[np.uint8], float]:
    """An image (height, width, 3) as an input of this size, and the scale: input px per image px.

    Interpolated linearly if it becomes smaller and with cubics if larger, as in the published system.
    """
    height, width = image.shape[:2]
    scale = min((size.width_px - 1) / max(width - 1, 1), (size.height_px - 1) / max(height - 1, 1))
    matrix = np.array([[scale, 0.0, 0.0], [0.0, scale, 0.0]])
    how = cv2.INTER_LINEAR if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.warpAffine(image, matrix, (size.width_px, size.height_px), flags=how)), scale


def mirrored(maps: Maps, layout: PartLayout) -> Maps:
    """The maps of the original image from those of the mirrored image: columns reversed, left and right exchanged.

    maps  (channel, row, column): heatmaps, background, part affinity fields, whose x components change sign
    """
    order = layout.skeleton.mirrored_order
    channels = [*order, layout.n_parts]
    sign = np.ones(layout.n_channels, np.float32)
    fields = [0] * layout.n_pafs
    for (start, end), (x, y) in zip(layout.limbs, layout.paf_channels, strict=True):
        other = layout.paf_channels[layout.limbs.index((order[start], order[end]))]
        fields[x], fields[y] = other
        sign[layout.n_heatmaps + x] = -1
    channels += [layout.n_heatmaps + field for field in fields]
    return np.ascontiguousarray(maps[channels, :, ::-1] * sign[:, None, None])


def averaged(answers: Sequence[tuple[Maps, float]], stride: int) -> Maps:
    """The mean of the maps of several scales, on the cells of the first.

    answers  maps (channel, row, column), and the scale of the image that they belong to. The centre of cell i is at
             pixel stride * i + (stride - 1) / 2 of that scale's input.
    """
    first, first_scale = answers[0]
    if len(answers) == 1:
        return first
    total = first.astype(np.float64)
    half = (stride - 1) / 2
    for maps, scale in answers[1:]:
        ratio = scale / first_scale
        shift = (half * ratio - half) / stride
        rows, columns = (
            _resampling(ratio * np.arange(target) + shift, source)
            for target, source in zip(first.shape[1:], maps.shape[1:], strict=True)
        )
        total += rows @ maps @ columns.T
    return np.asarray(total / len(answers), dtype=np.float32)


def _resampling(place: NDArray[np.float64], cells: int) -> NDArray[np.float64]:
    """(place, cell) weights of the cells for cubic interpolation at places, in cells; the outermost cells repeat."""
    four = np.floor(place)[:, None] + np.arange(-1, 3)
    weights = np.zeros((len(place), cells))
    np.add.at(
        weights,
        (np.arange(len(place))[:, None], four.clip(0, cells - 1).astype(int)),
        cubic_weight(place[:, None] - four),
    )
    return weights
