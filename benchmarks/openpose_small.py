"""A small real network of OpenPose's family on the demo's videos: who is found, and what all but the network costs.

    python benchmarks/openpose_small.py --weights mobilenet_v2_small_coco18.onnx [--long-side 656] [--flip]

The participant counts as found in a frame where three joints of somebody, as many as make a person for OpenPose, lie
within a tenth of the participant's height in the picture of where BlazePose heavy sees them in the same frame. In
brackets: where somebody with three joints or more lies so in the median of their joints. Of the seventeen joints that
both networks have.

The time is that of the whole detection, decoding included, loading left out (`openpose_command.py` is the whole
command's). "Not the network" is the share of its processor time that is not spent in the network. "Alone" is how many
times as long the whole takes as the network for the same inputs, as many at once, with nothing beside it, right
afterwards. Prints markdown.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

import gonio
from gonio.core.detections import Detections
from gonio.core.sequence import PoseSequence
from gonio.core.threads import map_in_order, one_thread_each
from gonio.detection.openpose.detector import OpenPose
from gonio.detection.openpose.layouts import PART_LAYOUTS
from gonio.detection.openpose.options import NetSize
from gonio.detection.openpose.runtime import IMAGES_AT_ONCE, Network, load_network
from gonio.io import video
from gonio.trials.samples import demo_trial
from openpose_command import asked_for, network_s


def found(people: Detections, truth: PoseSequence) -> tuple[np.ndarray, np.ndarray]:
    """(time,) whether three joints of somebody lie where the participant's do; whether their median distance is so."""
    shared = [joint for joint in people.skeleton.joints if joint in truth.skeleton]
    ours = [people.skeleton.index(joint) for joint in shared]
    there = truth.select(shared).positions
    limit = (np.nanmax(there[..., 1], axis=1) - np.nanmin(there[..., 1], axis=1))[:, None] / 10
    apart = np.linalg.norm(people.positions[:, :, ours] - there[:, None], axis=3)  # (time, person, joint)
    enough = (~np.isnan(apart)).sum(axis=2) >= 3
    with np.errstate(invalid="ignore"):
        median = np.nanmedian(np.where(enough[..., None], apart, np.inf), axis=2)
    return ((apart < limit[..., None]).sum(axis=2) >= 3).any(axis=1), (median < limit).any(axis=1)


def main() -> None:
    options = asked_for(__doc__)
    measurement = gonio.measure(replace(demo_trial(), methods=("multiview",)))
    loading: list[float] = []
    networks: list[Network] = []
    inputs: list[np.ndarray] = []

    def noted(*about: object) -> Network:
        began = time.perf_counter()
        network = load_network(*about)  # type: ignore[arg-type]
        loading.append(time.perf_counter() - began)
        networks.append(network)

        def run(picture: np.ndarray) -> np.ndarray:
            inputs.append(picture)
            return network.run(picture)

        return replace(network, run=run)

    load: Callable[..., Network] = noted
    print("| camera | frames | participant found | frames/s | not the network | alone |\n|---|---|---|---|---|---|")
    hits, well_hits, frames, rest, busy, whole, bare = 0, 0, 0, 0.0, 0.0, 0.0, 0.0
    for camera in measurement.trial.cameras:
        path = camera.video
        assert path is not None
        size = video.probe(path).size_px
        wide = size[0] > size[1]
        net = NetSize(*((options.long_side, -1) if wide else (-1, options.long_side)))
        detector = OpenPose(PART_LAYOUTS[options.layout], file=options.weights, size=net, flip=options.flip, load=load)
        inputs.clear()
        began, used = time.perf_counter(), time.process_time()
        with one_thread_each(), network_s() as at_work:  # as `gonio detect`
            people = detector.detect(video.frames(path), camera=camera.name, image_size_px=size)
        seconds, used = time.perf_counter() - began - loading[-1], time.process_time() - used - loading[-1]
        began = time.perf_counter()
        for _ in map_in_order(networks[-1].run, inputs, IMAGES_AT_ONCE):
            pass
        alone = time.perf_counter() - began
        beside = used - sum(at_work[-len(inputs) :])  # without the answer to an empty picture, which is loading
        there, well = found(people, measurement.views[camera.name])
        shares = f"{there.mean():.0%} ({well.mean():.0%})"
        print(
            f"| {camera.name} | {len(there)} | {shares} | {len(there) / seconds:.1f} | {beside / used:.1%} | "
            f"{seconds / alone:.2f} |",
            flush=True,
        )
        hits, well_hits, frames = hits + there.sum(), well_hits + well.sum(), frames + len(there)
        rest, busy, whole, bare = rest + beside, busy + used, whole + seconds, bare + alone
    shares = f"{hits / frames:.1%} ({well_hits / frames:.1%})"
    print(f"| all | {frames} | {shares} | {frames / whole:.1f} | {rest / busy:.1%} | {whole / bare:.2f} |")
    print(
        f"\n{platform.machine()}, input's long side {options.long_side} px, flip {options.flip}, {options.weights.name}"
    )


if __name__ == "__main__":
    main()
