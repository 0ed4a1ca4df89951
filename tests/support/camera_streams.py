"""Live streams whose frames bear their number as a pattern of bits, served on loopback by ffmpeg in real time."""

from __future__ import annotations

import socket
import subprocess
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

RATE_HZ = 30
SIZE_PX = (320, 192)
BITS = 16
BLOCK_PX = 40  # 8 blocks a row, two rows
SERVE = ["ffmpeg", "-nostdin", "-loglevel", "error", "-re"]


def picture_of(number: int, size_px: tuple[int, int] = SIZE_PX) -> np.ndarray:
    image = np.full((size_px[1], size_px[0], 3), 96, np.uint8)
    for bit in range(BITS):
        row, column = divmod(bit, 8)
        block = (slice(BLOCK_PX * row, BLOCK_PX * (row + 1)), slice(BLOCK_PX * column, BLOCK_PX * (column + 1)))
        image[block] = 235 if number >> bit & 1 else 16
    return image


def number_in(image: np.ndarray) -> int:
    number = 0
    for bit in range(BITS):
        row, column = divmod(bit, 8)
        y, x = BLOCK_PX * row + BLOCK_PX // 2, BLOCK_PX * column + BLOCK_PX // 2
        number |= int(image[y - 8 : y + 8, x - 8 : x + 8].mean() > 96 + 30) << bit
    return number


def make_counter(path: Path, seconds: float, *, bframes: int = 0, codec: str = "libx264", gop: int = 15) -> Path:
    """A video of `RATE_HZ` frames a second, the number of each in its picture."""
    with av.open(str(path), "w") as container:
        options = {"preset": "ultrafast", "bf": str(bframes)} if codec == "libx264" else {}
        stream = container.add_stream(codec, rate=RATE_HZ, options=options)
        stream.width, stream.height = SIZE_PX
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.codec_context.gop_size = gop
        stream.codec_context.time_base = Fraction(1, RATE_HZ)
        for number in range(round(seconds * RATE_HZ)):
            frame = av.VideoFrame.from_ndarray(picture_of(number), format="rgb24")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]


def serve(video: Path, *, form: str = "mpegts") -> tuple[subprocess.Popen[bytes], str]:
    """ffmpeg, which plays a video in real time to who asks first; and the address to ask."""
    port = free_port()
    address = f"http://127.0.0.1:{port}/live"
    process = subprocess.Popen([*SERVE, "-i", video, "-c", "copy", "-f", form, "-listen", "1", address])
    deadline = time.monotonic() + 20
    while not listens(port):
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError("ffmpeg does not serve")
        time.sleep(0.05)
    return process, address


def serve_both(video: Path) -> tuple[subprocess.Popen[bytes], list[str]]:
    """One ffmpeg that plays one video to two addresses, so that both show the same number at the same moment.

    Both are encoded anew, with key frames in different places, so that recordings of the two begin apart.
    """
    addresses = [f"udp://127.0.0.1:{free_port()}" for _ in range(2)]
    encoder = ["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-threads", "1", "-g", "1000"]
    outputs = []
    for address, first in zip(addresses, (0, 11), strict=True):
        outputs += [
            "-map",
            "0:v",
            *encoder,
            "-force_key_frames",
            f"expr:eq(mod(n,30),{first})",
            "-f",
            "mpegts",
            address,
        ]
    return subprocess.Popen([*SERVE, "-i", video, *outputs]), addresses


def listens(port: int) -> bool:
    """Whether somebody listens, without connecting, which would take the stream away from who is to have it."""
    table = Path("/proc/net/tcp")
    if not table.exists():
        time.sleep(1.0)
        return True
    lines = [line.split() for line in table.read_text().splitlines()[1:]]
    return any(int(line[1].split(":")[1], 16) == port and line[3] == "0A" for line in lines)


def counted(video: Path) -> tuple[np.ndarray, np.ndarray]:
    """(numbers, times_s) of all frames of a recording, as gonio reads it."""
    from gonio.io import video as reader

    seen = [(number_in(frame.image), frame.time_s) for frame in reader.frames(video)]
    numbers, times_s = zip(*seen, strict=True)
    return np.array(numbers), np.array(times_s)


def error_in_frames(numbers: np.ndarray, times_s: np.ndarray) -> float:
    """The largest difference between times and numbers, in frames; the constant between them is fitted."""
    difference = times_s * RATE_HZ - numbers
    return float(np.abs(difference - np.median(difference)).max())
