"""One live camera: connect, read packets with their arrival times, reconnect, stop."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import av.error
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream
from numpy.typing import NDArray

from gonio.capture.arrival_clock import ArrivalClock
from gonio.capture.session import RecordedCamera, hidden_password
from gonio.capture.writers import MICROSECOND, ClipWriter, Encoder, PacketCopier
from gonio.core.errors import InputError
from gonio.io.video import ANY_TEXT

COPIED = {"h264", "hevc", "mjpeg", "mpeg4", "vp8", "vp9", "av1"}  # codecs whose packets Matroska holds
WITHOUT_CLOCK = {"mpjpeg", "mjpeg", "h264", "hevc", "image2pipe"}  # bare images: FFmpeg would invent their times
OPEN_S = 15.0  # a camera that takes longer to open counts as unusable
STALL_S = 5.0  # a camera that sends nothing for this long has dropped out
JUMP_S = 1.0  # a stream's clock that jumps by more than this was reset
IMAGE_EVERY_S = 0.1
IMAGE_WIDTH_PX = 480


@dataclass(frozen=True)
class CameraSource:
    """A camera to record from.

    address        rtsp://, http:// or another address that FFmpeg opens; or a device, such as /dev/video0
    device_format  FFmpeg's name of the kind of device: v4l2 (default for /dev/video*), avfoundation, dshow
    rate_hz        requested from a device; a stream has its own
    size_px        likewise, (width, height)
    """

    name: str
    address: str
    device_format: str | None = None
    rate_hz: float | None = None
    size_px: tuple[int, int] | None = None

    @property
    def is_device(self) -> bool:
        return "://" not in self.address

    @property
    def format(self) -> str | None:
        if not self.is_device:
            return None
        return self.device_format or ("v4l2" if self.address.startswith("/dev/video") else None)

    @property
    def shown(self) -> str:
        """The address without a password that it may hold."""
        return hidden_password(self.address)


@dataclass(frozen=True)
class CameraState:
    """State of a camera. `image` (h, w, 3) is its latest, small; None if none is requested or none has arrived."""

    name: str
    frames: int
    rate_hz: float
    missed: int
    dropped_out: str | None
    image: NDArray[np.uint8] | None

    def __str__(self) -> str:
        if self.dropped_out is not None:
            return f"{self.name} dropped out"
        missed = f" ({self.missed} missed)" if self.missed else ""
        return f"{self.name} {self.frames} frames {self.rate_hz:.1f}/s{missed}"


def now_s() -> float:
    """The computer's clock, common to all cameras."""
    return time.perf_counter()


class RecordingSession:
    """State shared by the cameras' threads: folder, start and end of the recording."""

    def __init__(self, folder: Path, images: bool) -> None:
        self.folder = folder
        self.images = images
        self.start_s: float | None = None
        self.ended = threading.Event()

    def begin(self) -> None:
        self.start_s = now_s()

    @property
    def begun_s(self) -> float:
        assert self.start_s is not None
        return self.start_s


class _WriteError(Exception):
    """A camera's file cannot be written."""


class CameraRecorder(threading.Thread):
    """One camera: reads all the time, records once the session has begun."""

    def __init__(self, source: CameraSource, session: RecordingSession) -> None:
        super().__init__(name=f"camera {source.name}", daemon=True)
        self.source = source
        self.session = session
        self.seen = threading.Event()
        self.dropped_out: str | None = None
        self._dropped_out_s: float | None = None
        self._clock = ArrivalClock()
        self._writer: ClipWriter | None = None
        self._times_s: list[float] = []  # in the file, as they came
        self._origin = 0  # stamp of the first recorded frame, in ticks of the stream
        self._first_stamp_s = 0.0
        self._shift = 0  # ticks that correct a clock that was reset
        self._last: tuple[float, float] | None = None  # stamp and arrival of the packet before
        self._before_key = self._unusable = self._jumps = 0
        self._has_clock = True
        self._codec, self._size_px, self._rate_hz = "", (0, 0), 0.0
        self._image: NDArray[np.uint8] | None = None
        self._image_s = 0.0

    def run(self) -> None:
        reason = "it ended unexpectedly"
        try:
            with _opened(self.source) as (container, stream):
                self._codec = stream.codec_context.name
                self._size_px = (stream.codec_context.width, stream.codec_context.height)
                self._rate_hz = float(stream.average_rate or stream.guessed_rate or 0)
                self._has_clock = container.format.name not in WITHOUT_CLOCK
                for packet in container.demux(stream):
                    if self.session.ended.is_set():
                        break
                    if packet.size:
                        self._take(packet, stream, now_s())
            reason = "its stream ended"
        except _WriteError as error:
            reason = f"its file cannot be written ({error})"
        except (av.error.FFmpegError, OSError) as error:
            reason = _message(error)
        except InputError as error:
            reason = str(error)
        finally:
            if self._writer is not None:
                with contextlib.suppress(av.error.FFmpegError, OSError):
                    self._writer.close()
            if not self.session.ended.is_set():
                self._report_dropped_out(reason)

    def _report_dropped_out(self, reason: str) -> None:
        where = f"{self.source.name} ({self.source.shown})"
        if self.session.start_s is None:
            self.dropped_out = f"{where}: cannot be recorded: {reason}; check the address, and that the camera is on"
            return
        self._dropped_out_s = now_s() - self.session.start_s
        self.dropped_out = f"{where}: dropped out after {self._dropped_out_s:.1f} s: {reason}"

    def _take(self, packet: av.Packet[VideoStream], stream: VideoStream, arrival_s: float) -> None:
        """Process one packet: its time, the live image, and the file if the session records."""
        if not self._has_clock:
            packet.time_base = MICROSECOND
            packet.pts = packet.dts = round(arrival_s / MICROSECOND)
        stamp = packet.dts if packet.pts is None else packet.pts
        if stamp is None:
            self._unusable += self.session.start_s is not None
            return
        tick = Fraction(packet.time_base)
        stamp = packet.pts = stamp + self._continued(stamp, tick, arrival_s)
        if packet.dts is not None:
            packet.dts += self._shift
        stamp_s = float(stamp * tick)
        self._clock.add(stamp_s, arrival_s)
        copied = self._codec in COPIED
        frames = [] if copied and not self._image_is_due(arrival_s) else _decoded(packet)
        if frames and arrival_s - self._image_s >= IMAGE_EVERY_S and self.session.images:
            self._image, self._image_s = _small(frames[-1]), arrival_s
        self.seen.set()
        if self.session.start_s is None:
            return
        if self._writer is None:
            if stamp_s + self._clock.least_delay_s < self.session.start_s:
                return
            if not packet.is_keyframe or not (copied or frames):
                self._before_key += 1
                return
            self._begin(stream, stamp, stamp_s, copied)
        assert self._writer is not None
        if stamp < self._origin or not (copied or frames):  # shown before the key frame that it depends on, or damaged
            self._unusable += 1
            return
        time_s = float((stamp - self._origin) * tick)
        try:
            written = self._writer.write(packet, frames, self._origin)
            self._writer.write_row(time_s, arrival_s - self.session.start_s, packet.is_keyframe)
        except (av.error.FFmpegError, OSError) as error:
            raise _WriteError(error.strerror or str(error)) from None
        if written:
            self._times_s.append(time_s)
        else:
            self._unusable += 1

    def _begin(self, stream: VideoStream, stamp: int, stamp_s: float, copied: bool) -> None:
        self._origin, self._first_stamp_s = stamp, stamp_s
        try:
            self._writer = (PacketCopier if copied else Encoder)(self.session.folder / self.source.name, stream)
        except (av.error.FFmpegError, OSError) as error:
            raise _WriteError(error.strerror or str(error)) from None

    def _continued(self, stamp: int, tick: Fraction, arrival_s: float) -> int:
        """The ticks to add to stamps; changed if the stream's clock was reset, so that time continues."""
        stamp_s = float((stamp + self._shift) * tick)
        if self._last is not None:
            step_s, passed_s = stamp_s - self._last[0], arrival_s - self._last[1]
            if step_s < -JUMP_S or step_s > passed_s + JUMP_S:
                self._shift += round((passed_s - step_s) / tick)
                stamp_s = float((stamp + self._shift) * tick)
                self._jumps += self._writer is not None
        self._last = (stamp_s, arrival_s)
        return self._shift

    def _image_is_due(self, arrival_s: float) -> bool:
        """Whether to decode: independent images (mjpeg) only when one is shown, all others always."""
        return self.session.images and (self._codec != "mjpeg" or arrival_s - self._image_s >= IMAGE_EVERY_S)

    def state(self) -> CameraState:
        times_s = self._times_s[-120:]
        span_s = max(times_s) - min(times_s) if times_s else 0.0
        rate_hz = (len(times_s) - 1) / span_s if span_s else 0.0
        return CameraState(self.source.name, len(self._times_s), rate_hz, self._missed(), self.dropped_out, self._image)

    def _missed(self) -> int:
        """Number of missing frames, from the gaps between recorded ones; 0 if only arrival times are known."""
        times_s = np.sort(self._times_s[:])[:-16]  # the newest may still come out of order
        if not self._has_clock or len(times_s) < 3:
            return 0
        steps_s = np.diff(times_s)
        return int(np.sum(np.maximum(np.round(steps_s / np.median(steps_s)) - 1, 0)))

    def recorded(self) -> RecordedCamera:
        """Summary of the recording so far."""
        times_s = self._times_s[:]
        fit = self._clock.fit() if times_s else None
        return RecordedCamera(
            name=self.source.name,
            address=self.source.shown,
            codec=self._codec,
            copied=self._codec in COPIED,
            size_px=self._size_px,
            rate_hz=self._rate_hz,
            frames=len(times_s),
            duration_s=max(times_s, default=0.0),
            missed=self._missed(),
            before_key_frame=self._before_key,
            unusable=self._unusable,
            clock_jumps=self._jumps,
            has_clock=self._has_clock,
            first_frame_s=None if fit is None else self._first_stamp_s + fit.delay_s - self.session.begun_s,
            scatter_s=None if fit is None else fit.scatter_s,
            drift=None if fit is None else fit.drift,
            dropped_out=self.dropped_out,
            dropped_out_s=self._dropped_out_s,
        )


@contextlib.contextmanager
def _opened(source: CameraSource) -> Iterator[tuple[InputContainer, VideoStream]]:
    """The open camera and its video stream."""
    options: dict[str, str] = {"rtsp_flags": "prefer_tcp"} if source.address.startswith("rtsp") else {}
    if source.is_device and source.size_px is not None:
        options["video_size"] = "{}x{}".format(*source.size_px)
    if source.is_device and source.rate_hz is not None:
        options["framerate"] = f"{source.rate_hz:g}"
    tries = [options]
    if source.format == "v4l2":  # compressed by the camera: more frames a second through the cable
        tries.insert(0, options | {"input_format": "mjpeg"})
    for number, choice in enumerate(tries):
        try:
            container = av.open(
                source.address,
                format=source.format,
                options=dict(choice),
                timeout=(OPEN_S, STALL_S),
                **ANY_TEXT,
            )
            break
        except (av.error.FFmpegError, OSError):
            if number == len(tries) - 1:
                raise
    with container:
        if not container.streams.video:
            raise InputError("it has no video stream")
        yield container, container.streams.video[0]


def _decoded(packet: av.Packet[VideoStream]) -> list[av.VideoFrame]:
    """The frames of a packet; none of one that is damaged."""
    try:
        return packet.decode()
    except av.error.FFmpegError:
        return []


def _small(frame: av.VideoFrame) -> NDArray[np.uint8]:
    width = min(IMAGE_WIDTH_PX, frame.width)
    height = max(1, round(frame.height * width / frame.width))
    return np.asarray(frame.to_ndarray(format="rgb24", width=width, height=height), dtype=np.uint8)


def _message(error: Exception) -> str:
    if isinstance(error, av.error.ExitError):
        return f"it sent nothing for {STALL_S:g} s"
    return str(getattr(error, "strerror", None) or error)
