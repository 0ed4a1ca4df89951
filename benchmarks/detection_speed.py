"""What BlazePose costs beside its networks, how two cameras share two cores, and the memory of long videos.

    python benchmarks/detection_speed.py [--detectors blazepose-lite blazepose-full blazepose-heavy] [--repeats 5]
                                         [--only beside cores memory] [--fps 30]

Prints three markdown tables, of the demo's videos; takes some minutes.
  beside  detection on decoded frames, on one core: the processor time of the detecting thread outside the networks
          over that inside them, measured in the same run at the interpreter's `invoke`. As after decoding, another
          thread writes each picture just before it is looked at. Medians of the repeats.
  cores   two cameras side by side on two cores over the longer time of either alone on one core, decoding included, as
          `gonio demo` detects them. A process of its own for each measurement, each in turn; medians of the repeats.
  memory  the largest resident memory of `gonio detect` on a video of one minute and on one of ten: a demo video played
          to and fro, 640 pixels wide
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from fractions import Fraction
from itertools import cycle, islice
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy is loaded

import av
import cv2
import numpy as np
from ai_edge_litert.interpreter import Interpreter

from gonio.core.arrays import VideoFrame
from gonio.core.progress import silent
from gonio.core.threads import one_thread_each
from gonio.detection.blazepose.detector import BlazePose
from gonio.detection.blazepose.networks import Networks
from gonio.detection.registry import create
from gonio.io import video
from gonio.trials.config import CameraConfig, DetectorConfig, Trial
from gonio.trials.detect import detect_views
from gonio.trials.samples import fetch_asset

PARTS = ("beside", "cores", "memory")
WIDTH = 640


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--detectors", nargs="+", default=["blazepose-lite", "blazepose-full", "blazepose-heavy"])
    options.add_argument("--repeats", type=int, default=5)
    options.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    options.add_argument("--fps", type=int, default=30, help="frames per second of the videos for the memory")
    options.add_argument("--detect-on", nargs="+", help=argparse.SUPPRESS)  # cores, detector, videos: in a process
    chosen = options.parse_args()
    if chosen.detect_on:
        cores, name, *files = chosen.detect_on
        print(detection_s(int(cores), name, [Path(file) for file in files]))
        return
    videos = sorted(fetch_asset("demo-balancing").glob("*.mp4"))
    if "beside" in chosen.only:
        beside_the_networks(videos, chosen.detectors, chosen.repeats)
    if "cores" in chosen.only:
        two_on_two_cores(videos[:2], chosen.detectors, chosen.repeats)
    if "memory" in chosen.only:
        memory_of_long_videos(videos[0], chosen.detectors[0], chosen.fps)


def pin(cores: int) -> None:
    os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[-cores:]))


class Inside:
    """The seconds that the networks took the thread that they are called from, since the last call of `taken`."""

    def __init__(self) -> None:
        self.seconds = 0.0
        invoke = Interpreter.invoke

        def measured(interpreter: Interpreter) -> None:
            start = time.thread_time()
            invoke(interpreter)
            self.seconds += time.thread_time() - start

        Interpreter.invoke = measured

    def taken(self) -> float:
        seconds, self.seconds = self.seconds, 0.0
        return seconds


def beside_the_networks(videos: list[Path], names: list[str], repeats: int) -> None:
    everywhere = os.sched_getaffinity(0)
    pin(1)
    inside = Inside()
    print("| detector | video | networks, ms/frame | beside them, ms/frame | beside over networks |")
    print("|---|---|---|---|---|")
    for name in names:
        for file in videos:
            frames = list(video.frames(file))
            runs = [once(name, file, frames, inside) for _ in range(repeats)]
            networks, whole = np.median(runs, axis=0) / len(frames) * 1000
            beside = whole - networks
            print(f"| {name} | {file.stem} | {networks:.2f} | {beside:.2f} | {100 * beside / networks:.1f} % |")
    os.sched_setaffinity(0, everywhere)
    print()


def once(name: str, file: Path, frames: list[VideoFrame], inside: Inside) -> tuple[float, float]:
    """Seconds in the networks and in all, once the networks are loaded. Another thread hands out the pictures, in fresh
    memory as a decoder does."""
    blazepose = create(name)
    assert isinstance(blazepose, BlazePose)
    load, started = blazepose.load, 0.0

    def loaded(name: str) -> Networks:
        nonlocal started
        networks = load(name)
        inside.taken()
        started = time.thread_time()
        return networks

    just_decoded = (replace(frame, image=frame.image.copy()) for frame in frames)
    size_px = video.probe(file).size_px
    with one_thread_each():  # as `gonio detect`
        replace(blazepose, load=loaded).detect(just_decoded, camera=file.stem, image_size_px=size_px)
    return inside.taken(), time.thread_time() - started


def two_on_two_cores(videos: list[Path], names: list[str], repeats: int) -> None:
    print("| detector | first alone on one core, s | second | both on two cores | over the longer |")
    print("|---|---|---|---|---|")
    for name in names:
        runs = [
            [in_a_process("1", name, videos[:1]), in_a_process("1", name, videos[1:]), in_a_process("2", name, videos)]
            for _ in range(repeats)
        ]
        first, second, both = np.median(runs, axis=0)
        print(f"| {name} | {first:.2f} | {second:.2f} | {both:.2f} | {both / max(first, second):.2f} |")
    print()


def in_a_process(cores: str, name: str, videos: list[Path]) -> float:
    command = [sys.executable, __file__, "--detect-on", cores, name, *map(str, videos)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def detection_s(cores: int, name: str, videos: list[Path]) -> float:
    """Seconds to detect in some videos side by side, networks loaded and pictures decoded meanwhile."""
    pin(cores)
    trial = Trial(tuple(CameraConfig(file.stem, video=file) for file in videos), detector=DetectorConfig(name=name))
    sizes = {file.stem: video.probe(file).size_px for file in videos}
    start = time.perf_counter()
    detect_views(trial, sizes, silent)
    return time.perf_counter() - start


def memory_of_long_videos(source: Path, name: str, fps: int) -> None:
    print("| detector | minutes | peak memory, MB | over one minute |")
    print("|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        peaks = []
        for minutes in (1, 10):
            long = Path(folder) / f"{minutes}.mp4"
            write_to_and_fro(source, long, 60 * minutes * fps, fps)
            peaks.append(peak_mb(long, name))
            print(f"| {name} | {minutes} | {peaks[-1]:.0f} | {peaks[-1] / peaks[0]:.2f} |", flush=True)


def write_to_and_fro(source: Path, target: Path, n_frames: int, fps: int) -> None:
    images = [frame.image for frame in video.frames(source)]
    height, width = images[0].shape[:2]
    size = (WIDTH, round(height * WIDTH / width / 2) * 2)
    images = [cv2.resize(image, size, interpolation=cv2.INTER_AREA) for image in images]
    with av.open(str(target), "w") as container:
        stream = container.add_stream("libx264", rate=fps, options={"preset": "ultrafast"})
        stream.width, stream.height = size
        stream.pix_fmt, stream.time_base = "yuv420p", Fraction(1, fps)
        for i, image in enumerate(islice(cycle([*images, *images[-2:0:-1]]), n_frames)):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts = i
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def peak_mb(file: Path, name: str) -> float:
    """The largest resident memory of `gonio detect`."""
    command = [sys.executable, "-m", "gonio", "detect", str(file), "--detector", name]
    process = subprocess.Popen([*command, "-o", str(file.with_suffix(".npz"))], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"gonio detect ended with status {status}")
    return usage.ru_maxrss / 1024


if __name__ == "__main__":
    main()
