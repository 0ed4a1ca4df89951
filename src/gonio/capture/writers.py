"""One recorded camera's file: copied packets, or images that are encoded."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, TextIO

import av
import av.error
from av.container import OutputContainer
from av.video.stream import VideoStream

CLUSTER_MS = 250  # length of video that a killed program can lose
MICROSECOND = Fraction(1, 1_000_000)


class ClipWriter:
    """NAME.mkv and NAME.csv."""

    def __init__(self, target: Path) -> None:
        options = {"cluster_time_limit": str(CLUSTER_MS), "flush_packets": "1"}
        self._container: OutputContainer = av.open(f"file:{target}.mkv", "w", format="matroska", options=options)
        self._table: TextIO = Path(f"{target}.csv").open("w", encoding="utf-8", buffering=1, newline="\n")  # noqa: SIM115
        self._table.write("time_s,arrival_s,key_frame\n")

    def write(self, packet: av.Packet[VideoStream], frames: Sequence[av.VideoFrame], origin: int) -> bool:
        """Write a packet, its times counted from `origin` on. Returns whether it was written."""
        raise NotImplementedError

    def write_row(self, time_s: float, arrival_s: float, key_frame: bool) -> None:
        self._table.write(f"{time_s:.6f},{arrival_s:.6f},{int(key_frame)}\n")

    def close(self) -> None:
        self._table.close()
        self._container.close()


class PacketCopier(ClipWriter):
    """Copies the packets unchanged."""

    def __init__(self, target: Path, stream: VideoStream) -> None:
        super().__init__(target)
        self._stream = self._container.add_stream_from_template(stream)
        self._last_dts: int | None = None

    def write(self, packet: av.Packet[VideoStream], frames: Sequence[av.VideoFrame], origin: int) -> bool:
        assert packet.pts is not None
        packet.pts -= origin
        dts = packet.pts if packet.dts is None else packet.dts - origin
        packet.dts = dts if self._last_dts is None else max(dts, self._last_dts)  # Matroska stores pts only
        if packet.dts > packet.pts:
            return False
        self._last_dts = packet.dts
        packet.stream = self._stream
        self._container.mux_one(packet)
        return True


class Encoder(ClipWriter):
    """Encodes the images, fast enough for a live camera."""

    def __init__(self, target: Path, stream: VideoStream) -> None:
        super().__init__(target)
        source = stream.codec_context
        even = source.width % 2 == 0 and source.height % 2 == 0
        rate = stream.average_rate or stream.guessed_rate or Fraction(30)
        options = {"preset": "ultrafast", "tune": "zerolatency", "crf": "18"}
        self._stream: Any = self._container.add_stream("libx264", rate=rate, options=options)
        self._stream.width, self._stream.height = source.width, source.height
        self._stream.pix_fmt = "yuv420p" if even else "yuv444p"
        self._stream.codec_context.time_base = MICROSECOND
        self._stream.codec_context.gop_size = max(1, round(float(rate)))

    def write(self, packet: av.Packet[VideoStream], frames: Sequence[av.VideoFrame], origin: int) -> bool:
        for frame in frames:
            if frame.pts is None or frame.pts < origin:
                return False
            image = frame.reformat(format=self._stream.pix_fmt)
            image.pts = round((frame.pts - origin) * Fraction(packet.time_base) / MICROSECOND)
            image.time_base = MICROSECOND
            for encoded in self._stream.encode(image):
                self._container.mux_one(encoded)
        return True

    def close(self) -> None:
        with contextlib.suppress(av.error.FFmpegError):
            for encoded in self._stream.encode():
                self._container.mux_one(encoded)
        super().close()
