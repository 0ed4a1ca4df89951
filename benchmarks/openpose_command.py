"""What of `gonio detect`'s time is not the network: the whole command with a small real network of OpenPose's family.

    python benchmarks/openpose_command.py --weights mobilenet_v2_small_coco18.onnx [--long-side 656] [--flip]

The command runs from the program's start to its end on the first video of the demo, 100 frames, and on as many of it in
a row as make 1,000 frames; it writes one JSON file for every frame. Its processor time is that of all threads; the
network's is that of onnxruntime's `run` alone, without making its input. To be run on two cores, so that each picture's
network has one thread (elsewhere: taskset -c 0,1). Prints markdown.
"""

from __future__ import annotations

import argparse
import atexit
import contextlib
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import av
import onnxruntime

from gonio.cli.main import main as run
from gonio.core.threads import usable_cores
from gonio.detection.openpose.runtime import IMAGES_AT_ONCE
from gonio.io import video
from gonio.trials.samples import fetch_asset

REPEATS = (1, 10, 10, 10, 10)


def repeated(path: Path, times: int, target: Path) -> None:
    """The video's packets, so many times one after another."""
    with av.open(str(path)) as source, av.open(str(target), "w") as joined:
        stream = source.streams.video[0]
        copied = joined.add_stream_from_template(stream)
        packets = [packet for packet in source.demux(stream) if packet.dts is not None]
        length = max(packet.pts + packet.duration for packet in packets) - min(packet.pts for packet in packets)
        for turn in range(times):
            for packet in packets:
                own = av.Packet(bytes(packet))
                own.pts, own.dts = packet.pts + turn * length, packet.dts + turn * length
                own.time_base, own.is_keyframe, own.stream = packet.time_base, packet.is_keyframe, copied
                joined.mux(own)


@contextlib.contextmanager
def network_s() -> Iterator[list[float]]:
    """The processor time of every network that is run meanwhile, of the thread that asks for it. Refuses more cores
    than leave it at one."""
    if usable_cores() // IMAGES_AT_ONCE > 1:
        sys.exit("a network would take several threads, whose time is not seen here: run this with taskset -c 0,1")
    real, at_work = onnxruntime.InferenceSession.run, []

    def run(*about: object) -> object:
        began = time.thread_time()
        try:
            return real(*about)
        finally:
            at_work.append(time.thread_time() - began)

    onnxruntime.InferenceSession.run = run
    try:
        yield at_work
    finally:
        onnxruntime.InferenceSession.run = real


def run_command(words: list[str]) -> None:
    """Runs `gonio` with these words and prints its processor time, and what of it was spent in the network."""
    sys.argv = ["gonio", *words]
    with network_s() as at_work:
        atexit.register(lambda: print(f"{time.process_time()} {sum(at_work)}"))
        run()


def asked_for(about: str | None) -> argparse.Namespace:
    """The options of the two scripts that measure a small network."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--layout", default="coco-18")
    parser.add_argument("--long-side", type=int, default=656)
    parser.add_argument("--flip", action="store_true", help="average with the mirrored picture")
    return parser.parse_args()


def main() -> None:
    options = asked_for(__doc__)
    one = fetch_asset("demo-balancing") / "cam01.mp4"
    width, height = video.probe(one).size_px
    net = f"{options.long_side}x-1" if width > height else f"-1x{options.long_side}"
    print("| frames | seconds | processor s | of that not the network |\n|---|---|---|---|")
    for times in REPEATS:
        with tempfile.TemporaryDirectory() as scratch:
            film, joints = Path(scratch, "film.mp4"), Path(scratch, "film_json")
            repeated(one, times, film)
            words = [
                "detect",
                str(film),
                "-o",
                str(joints),
                "--detector",
                "openpose",
                "--weights",
                str(options.weights),
            ]
            words += ["--layout", options.layout, f"--net-resolution={net}", *(["--flip"] if options.flip else [])]
            command = [sys.executable, __file__, "--run", *words]
            began = time.perf_counter()
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            seconds = time.perf_counter() - began
            used, network = map(float, done.stdout.splitlines()[-1].split())
            frames = len(list(joints.iterdir()))
            print(f"| {frames} | {seconds:.1f} | {used:.1f} | {1 - network / used:.1%} |", flush=True)
    print(f"\n{platform.machine()}, {width}x{height} px, input's long side {options.long_side} px, flip {options.flip}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--run"]:
        run_command(sys.argv[2:])
    else:
        main()
