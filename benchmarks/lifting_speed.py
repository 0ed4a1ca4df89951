"""How fast gonio lifts and trains, beside the published code on the same threads. Prints a markdown table.

    python benchmarks/lifting_speed.py --videopose3d PATH [--threads 2] [--seconds 20]

PATH is a checkout of facebookresearch/VideoPose3D; its common/model.py is imported from there at run time. Measured in
one run, each way in turn and several times over, the fastest time of each counting:
  inference  frames per second of one recording, networks of 1024 channels over 27 and 243 frames: gonio's numpy, and
             the published network in torch (evaluation, no gradient), each from the keypoints to the joints
  training   frames per second of one optimiser step (Adam with amsgrad), 243 frames: the published single-frame form,
             gonio's single-frame form, and gonio's chunked form in single precision and in bfloat16
  shipped    the network that comes with gonio, from keypoints with gaps to joints in metres (`lift`), 20 minutes at
             50 Hz; the ratio is to real time
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--videopose3d", type=Path, required=True, help="a checkout of facebookresearch/VideoPose3D")
    options.add_argument("--threads", type=int, default=os.cpu_count())
    options.add_argument("--seconds", type=float, default=20.0, help="time for each comparison")
    options.add_argument("--frames", type=int, default=2000, help="length of the recording that is lifted")
    options.add_argument("--chunk", type=int, default=128, help="output frames of one chunk in training")
    options.add_argument("--channels", type=int, default=1024)
    options.add_argument("--batch", type=int, default=1024, help="output frames of one training step")
    chosen = options.parse_args()
    for library in ("OPENBLAS", "OMP", "MKL"):  # before numpy is loaded
        os.environ[f"{library}_NUM_THREADS"] = str(chosen.threads)
    import torch  # noqa: PLC0415

    torch.set_num_threads(chosen.threads)
    torch.manual_seed(1)
    sys.path.insert(0, str(chosen.videopose3d))
    model = importlib.import_module("common.model")
    print(f"{chosen.threads} threads, {chosen.channels} channels, torch {torch.__version__}\n")
    print("| what | frames/s | ratio |\n|---|---|---|")
    for widths in ((3,) * 3, (3,) * 5):
        inference(model, widths, chosen)
    training(model, (3,) * 5, chosen)
    shipped(chosen)


def inference(model: ModuleType, widths: tuple[int, ...], chosen: argparse.Namespace) -> None:
    import numpy as np  # noqa: PLC0415
    import torch  # noqa: PLC0415

    from gonio.lifting.architecture import Architecture  # noqa: PLC0415
    from gonio.lifting.prediction import predict  # noqa: PLC0415
    from gonio.training.network import (  # noqa: PLC0415
        TemporalModel,
        weights_of,
    )

    ours = TemporalModel(Architecture(widths, channels=chosen.channels))
    published = model.TemporalModel(17, 2, 17, list(widths), channels=chosen.channels)
    published.load_state_dict(ours.state_dict())
    published.eval()
    weights = weights_of(ours)
    pad = ours.architecture.receptive_field // 2
    x = np.random.default_rng(1).normal(0, 0.3, (1, chosen.frames, 17, 2)).astype(np.float32)

    def in_torch() -> None:
        padded = np.pad(x, ((0, 0), (pad, pad), (0, 0), (0, 0)), "edge")
        with torch.no_grad():
            published(torch.from_numpy(padded)).numpy()

    times = fastest({"published, torch": in_torch, "gonio, numpy": lambda: predict(weights, x)}, chosen.seconds)
    table(f"inference, {ours.architecture.receptive_field} frames", times, dict.fromkeys(times, chosen.frames))


def training(model: ModuleType, widths: tuple[int, ...], chosen: argparse.Namespace) -> None:
    import torch  # noqa: PLC0415

    from gonio.lifting.architecture import Architecture  # noqa: PLC0415
    from gonio.training.losses import mpjpe  # noqa: PLC0415
    from gonio.training.network import TemporalModel  # noqa: PLC0415

    architecture = Architecture(widths, channels=chosen.channels)
    field = architecture.receptive_field

    def step(network: torch.nn.Module, outputs: int, half: bool) -> Callable[[], None]:
        x = torch.randn(chosen.batch // outputs, outputs + field - 1, 17, 2)
        y = torch.randn(chosen.batch // outputs, outputs, 17, 3)
        optimizer = torch.optim.Adam(network.parameters(), lr=1e-3, amsgrad=True)

        def once() -> None:
            optimizer.zero_grad()
            with torch.autocast("cpu", torch.bfloat16, enabled=half):
                joints = network(x)
            mpjpe(joints.float(), y).backward()
            optimizer.step()

        return once

    published = model.TemporalModelOptimized1f(17, 2, 17, list(widths), channels=chosen.channels)
    ways = {
        "published, single-frame": step(published, 1, False),
        "gonio, single-frame": step(TemporalModel(architecture, "single-frame"), 1, False),
        "gonio, chunked": step(TemporalModel(architecture, "chunked"), chosen.chunk, False),
        "gonio, chunked, bfloat16": step(TemporalModel(architecture, "chunked"), chosen.chunk, True),
    }
    done = {name: chosen.batch if "single" in name else chosen.batch // chosen.chunk * chosen.chunk for name in ways}
    table(f"training, {field} frames, chunks of {chosen.chunk}", fastest(ways, chosen.seconds), done)


def shipped(chosen: argparse.Namespace) -> None:
    import numpy as np  # noqa: PLC0415

    from gonio.core.sequence import PoseSequence  # noqa: PLC0415
    from gonio.core.skeleton import COCO_17  # noqa: PLC0415
    from gonio.lifting import checkpoints  # noqa: PLC0415
    from gonio.lifting.lifter import lift  # noqa: PLC0415
    from gonio.lifting.weights import weights_file  # noqa: PLC0415

    rng, frames, rate_hz = np.random.default_rng(1), 60_000, 50.0
    standing = rng.normal((960, 540), (60, 200), (1, 17, 2)) + rng.normal(0, 3, (frames, 17, 2))
    standing[rng.random((frames, 17)) < 0.01] = np.nan
    keypoints = PoseSequence(
        standing, np.arange(frames) / rate_hz, COCO_17, "px", "image", "virtual", image_size_px=(1920, 1080)
    )
    weights = checkpoints.read(weights_file())
    ways = {
        "flip averaged (the default)": lambda: lift(weights, keypoints),
        "plain": lambda: lift(weights, keypoints, flip=False),
    }
    for name, seconds in fastest(ways, chosen.seconds).items():
        print(f"| shipped, keypoints to joints: {name} | {frames / seconds:,.0f} | {frames / seconds / rate_hz:,.0f} |")


def fastest(ways: dict[str, Callable[[], object]], seconds: float) -> dict[str, float]:
    """The shortest time of each way, in s; the ways take turns, so that another load meets all of them."""
    for way in ways.values():
        way()
    times: dict[str, list[float]] = {name: [] for name in ways}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or not times[next(iter(ways))]:
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            times[name].append(time.perf_counter() - start)
    return {name: min(values) for name, values in times.items()}


def table(what: str, times: dict[str, float], frames: dict[str, int]) -> None:
    first = next(iter(times))
    for name, seconds in times.items():
        ratio = (frames[name] / seconds) / (frames[first] / times[first])
        print(f"| {what}: {name} | {frames[name] / seconds:,.0f} | {ratio:.2f} |")


if __name__ == "__main__":
    main()
