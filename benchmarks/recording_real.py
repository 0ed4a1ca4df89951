"""Two live streams, recorded: do times and frames agree, does one outlast the other, does a killed one play?

    python benchmarks/recording_real.py [--seconds 60] [--cut 20] [--kill 40]

Needs the ffmpeg program, which serves the streams on loopback in real time (tests/support/camera_streams.py); H.264 at
30 frames a second over HTTP, one with B-frames, one without, each frame's number in its picture. Three recordings:
  whole    both streams for `--seconds`; one is cut off after `--cut`
  killed   both streams, the recorder gets SIGKILL after `--kill`; what it left is played by ffmpeg and read by gonio
  offsets  one ffmpeg shows the same frames to two addresses; how far apart the recordings put a frame
"Error" is the greatest difference between a frame's time in the file and its number, in frames. Prints markdown.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from gonio.trials.config import load_trial

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests/support"))
import camera_streams as streams


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--seconds", type=float, default=60.0)
    options.add_argument("--cut", type=float, default=20.0)
    options.add_argument("--kill", type=float, default=40.0)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        videos = [
            streams.make_counter(folder / "plain.mp4", max(chosen.seconds, chosen.kill) + 15),
            streams.make_counter(folder / "b_frames.mp4", max(chosen.seconds, chosen.kill) + 15, bframes=2),
        ]
        print("| recording | stream | frames | last frame, s | frames missed | error, frames | plays |")
        print("|---|---|---|---|---|---|---|")
        whole(videos, folder / "whole", chosen.seconds, chosen.cut)
        killed(videos, folder / "killed", chosen.kill)
        offsets(videos[0], folder / "offsets")


def whole(videos: list[Path], session: Path, seconds: float, cut_s: float) -> None:
    (stays, first), (goes, second) = map(streams.serve, reversed(videos))
    recorder = start([first, second], session, "--names", "stays", "cut", "--seconds", f"{seconds}")
    time.sleep(cut_s)
    goes.kill()
    _, err = recorder.communicate(timeout=seconds + 30)
    stays.kill()
    rows(session)
    print(f"\nexit status {recorder.returncode}; said: {err.splitlines()[0]}\n", flush=True)


def killed(videos: list[Path], session: Path, kill_s: float) -> None:
    served = [streams.serve(video) for video in videos]
    recorder = start([address for _, address in served], session, "--names", "plain", "b_frames")
    time.sleep(kill_s)
    recorder.send_signal(signal.SIGKILL)
    recorder.communicate(timeout=10)
    for server, _ in served:
        server.kill()
    rows(session)


def offsets(video: Path, session: Path) -> None:
    server, addresses = streams.serve_both(video)
    recorder = start(addresses, session, "--seconds", "20")
    recorder.communicate(timeout=60)
    server.kill()
    zeros_s = []
    for camera in load_trial(session / "trial.toml").cameras:
        numbers, times_s = streams.counted(camera.video)
        zeros_s.append(np.median(times_s - camera.offset_s - numbers / streams.RATE_HZ))
    rows(session)
    print(f"\nthe same frame in both: {streams.RATE_HZ * abs(zeros_s[0] - zeros_s[1]):.2f} frames apart")


def start(addresses: list[str], session: Path, *arguments: str) -> subprocess.Popen[str]:
    """`gonio record` once it records."""
    command = [sys.executable, "-m", "gonio", "record", *addresses, "-o", str(session), "--no-live", *arguments]
    pipe = subprocess.PIPE
    recorder = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True)
    line = recorder.stderr.readline()
    if not line.startswith("gonio: recording "):
        raise SystemExit(line)
    return recorder


def rows(session: Path) -> None:
    for camera in load_trial(session / "trial.toml").cameras:
        played = subprocess.run(["ffmpeg", "-v", "error", "-i", camera.video, "-f", "null", "-"], check=False)
        numbers, times_s = streams.counted(camera.video)
        missed = numbers[-1] - numbers[0] + 1 - len(numbers)
        error = streams.error_in_frames(numbers, times_s)
        plays = "yes" if played.returncode == 0 else "no"
        cells = [session.name, camera.name, len(numbers), f"{times_s[-1]:.2f}", missed, f"{error:.2f}", plays]
        print("| " + " | ".join(map(str, cells)) + " |", flush=True)


if __name__ == "__main__":
    main()
