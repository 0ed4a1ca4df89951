"""BlazePose's two networks: loaded, and run on one image."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gonio.core.arrays import FloatArray
from gonio.core.errors import AssetError
from gonio.detection import weights as assets
from gonio.detection.weights import fetch_weights

if TYPE_CHECKING:
    from collections.abc import Iterator


PERSON_NETWORK = "blazepose-detector"


@dataclass(frozen=True, eq=False)
class LandmarkOutput:
    """The landmark network's answer to one crop.

    landmarks (39, 5)     x, y, z in crop px, visibility logit, presence logit
    presence              0..1: probability that the crop shows a person
    heatmaps  (64, 64, 39) logits, in the network's single precision
    world_m   (39, 3)     hip-centred, in the crop's axes
    """

    landmarks: FloatArray
    presence: float
    heatmaps: NDArray[np.float32]
    world_m: FloatArray


@dataclass(frozen=True)
class Networks:
    """The two networks as functions.

    people     (224, 224, 3) float32 in -1..1 -> raw (2254, 12), logits (2254,)
    landmarks  (256, 256, 3) float32 in 0..1 -> `LandmarkOutput`
    """

    people: Callable[[NDArray[np.float32]], tuple[FloatArray, FloatArray]]
    landmarks: Callable[[NDArray[np.float32]], LandmarkOutput]


def load_networks(name: str) -> Networks:
    """The networks of a model such as "blazepose-heavy". Raises `AssetError` if its weights cannot be fetched."""
    people = _interpreter(_only_file(PERSON_NETWORK), outputs=(0, 1))
    landmarks = _interpreter(_only_file(name), outputs=(0, 1, 3, 4))  # 2 is the person's outline

    def find(image: NDArray[np.float32]) -> tuple[FloatArray, FloatArray]:
        raw, logits = people(image)
        return raw.reshape(-1, 12).astype(float), logits.ravel().astype(float)

    def locate(image: NDArray[np.float32]) -> LandmarkOutput:
        points, presence, heatmaps, world = landmarks(image)
        places, world_m = points.reshape(-1, 5).astype(float), world.reshape(-1, 3).astype(float)
        return LandmarkOutput(places, float(presence.item()), heatmaps[0], world_m)

    return Networks(find, locate)


def _only_file(asset: str) -> Path:
    return fetch_weights(asset) / assets.CATALOGUE[asset].files[0].name


def _interpreter(path: Path, outputs: Sequence[int]) -> Callable[[NDArray[np.float32]], Sequence[NDArray[np.float32]]]:
    """A network in one thread, which returns some of its outputs. It releases Python's lock while it computes, so that
    several cameras can run in threads.
    """
    from ai_edge_litert.interpreter import Interpreter  # noqa: PLC0415

    try:
        with _without_notices():
            interpreter = Interpreter(str(path), num_threads=1)
            interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise AssetError(f"{path}: litert cannot run it ({str(error).splitlines()[0]})") from None
    entry = interpreter.get_input_details()[0]["index"]
    details = interpreter.get_output_details()
    indices = [details[output]["index"] for output in outputs]

    def run(image: NDArray[np.float32]) -> Sequence[NDArray[np.float32]]:
        interpreter.set_tensor(entry, image[None])
        interpreter.invoke()
        return [interpreter.get_tensor(index) for index in indices]

    return run


_stderr_lock = threading.Lock()


@contextmanager
def _without_notices() -> Iterator[None]:
    """Hide litert's "INFO: Created TensorFlow Lite XNNPACK delegate" on stderr; anything else is written afterwards.

    The library writes it from C++ to file descriptor 2, and Python cannot switch it off.
    """
    with _stderr_lock, tempfile.TemporaryFile() as written:
        try:
            real = os.dup(2)
        except OSError:  # a process without stderr
            yield
            return
        try:
            os.dup2(written.fileno(), 2)
            yield
        finally:
            os.dup2(real, 2)
            os.close(real)
            written.seek(0)
            kept = b"".join(line for line in written if not line.startswith(b"INFO: "))
            if kept:
                os.write(2, kept)
