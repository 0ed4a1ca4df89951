"""A detector of your own: a network in ONNX that answers an image with one heatmap for each of COCO's 17 joints.

    python examples/own_detector.py walk.mp4 network.onnx     # writes walk.npz

This script registers the detector itself. To give it to every command of gonio, install it as a package whose
pyproject.toml names it:

    [project.entry-points."gonio.detectors"]
    own = "own_detector:DETECTOR"

    gonio detect walk.mp4 --detector own --network network.onnx -o walk.npz
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import onnxruntime

import gonio
from gonio.core.arrays import VideoFrame
from gonio.core.errors import ConfigError, InputError
from gonio.core.sequence import Source
from gonio.detection.detector import Selection, of_one_size
from gonio.trials.config import DetectorConfig
from gonio.trials.detect import detect_video


@dataclass(frozen=True)
class OwnOptions:
    """The options: keys of [detector] in a trial file, and options of the command line with these texts as help."""

    network: Path | None = None
    """The network (.onnx): an image (1, 3, height, width), RGB 0..1, to heatmaps (1, 17, rows, columns)."""
    min_peak: float = 0.1
    """Joints whose heatmap has a lower maximum are missing."""

    def __post_init__(self) -> None:
        if not 0 <= self.min_peak <= 1:
            raise ConfigError(f"min_peak = {self.min_peak:g} must lie in 0..1")


@dataclass(frozen=True)
class OwnDetector:
    """One person in each image, joint by joint where the heatmap is highest."""

    options: OwnOptions

    name = "own"
    finds_everybody = True  # it follows nobody from image to image
    has_3d_estimate = False
    weights = ()  # gonio fetches none for it
    skeleton = gonio.layout("coco-17")

    @property
    def source(self) -> Source:
        """What results say of their origin."""
        return Source(method="own", model="" if self.options.network is None else self.options.network.name)

    def detect(
        self,
        frames: Iterable[VideoFrame],
        *,
        camera: str,
        image_size_px: tuple[int, int],
        on_frame: Callable[[], None] | None = None,
    ) -> gonio.Detections:
        """The person in every frame. Raises `InputError` if no network is named or its file does not exist."""
        if self.options.network is None:
            raise InputError("the detector own needs its network: --network network.onnx")
        if not self.options.network.is_file():
            raise InputError(f"{self.options.network}: no such file")
        session = onnxruntime.InferenceSession(str(self.options.network))
        times_s, peaks = [], []
        for frame in of_one_size(frames, camera, image_size_px):
            times_s.append(frame.time_s)
            peaks.append(joints_of(session, frame.image))
            if on_frame is not None:
                on_frame()
        found = np.array(peaks).reshape(-1, 1, len(self.skeleton), 3)  # time, person, joint, (x, y, height)
        clear = found[..., 2:] >= self.options.min_peak
        return gonio.Detections(
            positions=np.where(clear, found[..., :2], np.nan),
            confidence=found[..., 2].clip(0, 1),
            times_s=np.array(times_s),
            skeleton=self.skeleton,
            image_size_px=image_size_px,
            frame_name=camera,
            source=self.source,
            history=(f"own: one person in each of {len(times_s)} frames",),
        )


def joints_of(session: onnxruntime.InferenceSession, image: np.ndarray) -> np.ndarray:
    """(height, width, 3) uint8 -> (17, 3): x and y in px of the image, and the height of the heatmap's maximum."""
    (entry,) = session.get_inputs()
    rows, columns = entry.shape[2:]
    values = cv2.resize(image, (columns, rows), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    (heatmaps,) = session.run(None, {entry.name: values.transpose(2, 0, 1)[None]})
    maps = heatmaps[0]
    row, column = np.unravel_index(maps.reshape(len(maps), -1).argmax(axis=1), maps.shape[1:])
    x = (column + 0.5) * image.shape[1] / maps.shape[2] - 0.5  # pixel (0, 0) is the centre of the top left one
    y = (row + 0.5) * image.shape[0] / maps.shape[1] - 0.5
    return np.stack([x, y, maps[np.arange(len(maps)), row, column]], axis=-1)


def make(options: OwnOptions, _selection: Selection) -> OwnDetector:
    """The detector. The selection is of use to a detector that follows people itself."""
    return OwnDetector(options)


DETECTOR = gonio.DetectorEntry(make, OwnOptions)


def main(video: Path, network: Path) -> None:
    """Find the joints of the person in a video, and write them beside it."""
    gonio.register_detector("own", make, OwnOptions)
    found = detect_video(video, DetectorConfig("own", options=OwnOptions(network)))
    gonio.write(found.patient, video.with_suffix(".npz"))
    print(f"{video.with_suffix('.npz')}: {len(found.patient)} frames")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
