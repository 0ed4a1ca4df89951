"""Frames of a video file with their exact times, one after another.

All containers and codecs of FFmpeg are read (through PyAV). A container stores an integer time stamp `pts` with each
frame, in units of its time base, so the varying frame rate of a phone needs no guess: time_s = (pts - pts of the first
frame) * time base. Time 0 is therefore the file's own first frame. The offset between recordings is not known here.

A phone held upright stores rotated images and a display matrix that states the rotation; frames are returned upright.
A matrix that mirrors is refused, because it would exchange left and right. Pixels are those of the file: a pixel aspect
ratio other than 1 is not applied. Memory does not grow with the length of the video.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.error
import cv2
import numpy as np
from av.container import InputContainer
from av.filter import Graph
from av.video.stream import VideoStream
from numpy.typing import ArrayLike, NDArray

from gonio.core.arrays import VideoFrame
from gonio.core.errors import InputError
from gonio.core.threads import usable_cores

_CLOCKWISE = {1: cv2.ROTATE_90_CLOCKWISE, 2: cv2.ROTATE_180, 3: cv2.ROTATE_90_COUNTERCLOCKWISE}
THREADS = 4  # more threads gain little, and each holds a frame; half of the cores are left to the user of the frames
ATTACHED_PICTURE = 1024  # FFmpeg's AV_DISPOSITION_ATTACHED_PIC: the cover of a music file
_PYAV = int(av.__version__.split(".")[0])
# PyAV before 19 refuses a file with a text that is not UTF-8, without this option
ANY_TEXT: dict[str, Any] = {"metadata_errors": "replace"} if _PYAV < 19 else {}
REMEDY = "copy it again from the camera, or re-encode the rest (ffmpeg -i old.mp4 new.mp4)"


@dataclass(frozen=True)
class VideoInfo:
    """What a video file states about itself.

    size_px       (width, height) of its upright frames
    rotation_deg  0, 90, 180 or 270: the clockwise rotation that makes its images upright
    rate_hz       average number of frames per second; the times of the frames may be uneven
    n_frames      as the container states, else None
    duration_s    likewise
    codec         its name in FFmpeg
    """

    path: Path
    size_px: tuple[int, int]
    rotation_deg: int
    rate_hz: float
    n_frames: int | None
    duration_s: float | None
    codec: str


def probe(path: str | Path) -> VideoInfo:
    """What the file states about itself; its first frame is decoded as a test.

    Raises `InputError` for a file that does not exist, is empty, not a video, without a frame, or mirrored.
    """
    path = Path(path)
    with _opened(path) as (container, stream):
        try:
            frame = next(container.decode(stream), None)
        except av.error.FFmpegError as error:
            raise InputError(f"{path}: its first frame cannot be decoded ({error.strerror}); {REMEDY}") from None
        if frame is None:
            raise InputError(f"{path}: is a video without a frame; {REMEDY}")
        turns = _turns_of(path, frame)
        width, height = (frame.width, frame.height) if turns % 2 == 0 else (frame.height, frame.width)
        duration_s = _stated_s(container, stream)
        return VideoInfo(
            path=path,
            size_px=(width, height),
            rotation_deg=90 * turns,
            rate_hz=float(1 / _interval_s(path, stream)),
            n_frames=stream.frames or None,
            duration_s=None if duration_s is None else float(duration_s),
            codec=stream.codec_context.name,
        )


def frames(path: str | Path, *, start: int = 0, stop: int | None = None) -> FrameStream:
    """The frames `start` to before `stop` of a video, upright, RGB, one after another.

    Indices and times count from the file's first frame, whatever `start` is. As with a slice, a bound beyond the end is
    not an error. A frame whose time stamp is not later than that of the frame before is dropped. A frame without a
    stamp gets its time from the average frame rate. A damaged frame is returned. All are counted in `notes`.

    Raises `InputError` for bounds that are not a range; while reading, for a file that does not exist, is empty, not a
    video, without a frame, or mirrored; and for a file that is cut off, after all frames that could be decoded.
    """
    if start < 0 or (stop is not None and stop < start):
        raise InputError(f"{path}: frames {start} to {stop} are not a range; give 0 <= start <= stop")
    return FrameStream(Path(path), start, stop)


class FrameStream(Iterator[VideoFrame]):
    """The frames of one video, in order.

    `notes` are sentences on frames that were dropped, timed or concealed so far; complete after the last frame.
    """

    def __init__(self, path: Path, start: int, stop: int | None) -> None:
        self.path = path
        self._clock = Clock()
        self._damaged = 0
        self._frames = self._read(start, stop)

    def __iter__(self) -> FrameStream:
        return self

    def __next__(self) -> VideoFrame:
        return next(self._frames)

    @property
    def notes(self) -> tuple[str, ...]:
        counts = (
            (self._clock.dropped, "dropped: their time stamps were not later than those before them"),
            (self._clock.guessed, "without a time stamp: timed by the average frame rate"),
            (self._damaged, "damaged: the decoder replaced parts of their images"),
        )
        return tuple(f"{self.path.name}: frames {what}: {n}" for n, what in counts if n)

    def _read(self, start: int, stop: int | None) -> Iterator[VideoFrame]:
        if stop == 0:
            return
        index, turns = 0, 0
        size: tuple[int, int] | None = None
        converter = Converter()
        with _opened(self.path) as (container, stream):
            interval_s = _interval_s(self.path, stream)
            for frame in self._decoded(container, stream):
                if size is None:
                    size, turns = (frame.width, frame.height), _turns_of(self.path, frame)
                elif size != (frame.width, frame.height):
                    raise InputError(
                        f"{self.path}: the image size changes from {size[0]} x {size[1]} px to {frame.width} x "
                        f"{frame.height} px after {index} frames; cut the video there"
                    )
                stamp_s = None if frame.pts is None else frame.pts * Fraction(stream.time_base or 1)
                time_s = self._clock.tell(stamp_s, interval_s)
                if time_s is None:
                    continue
                self._damaged += bool(frame.is_corrupt)
                if index >= start:
                    try:
                        image = converter.rgb(frame)
                    except (av.error.FFmpegError, ValueError):
                        raise InputError(
                            f"{self.path}: its pixels ({frame.format.name}) cannot be made RGB; re-encode it "
                            f"(ffmpeg -i old.mp4 -pix_fmt yuv420p new.mp4)"
                        ) from None
                    if turns in _CLOCKWISE:
                        image = np.asarray(cv2.rotate(image, _CLOCKWISE[turns]), dtype=np.uint8)
                    yield VideoFrame(index, float(time_s), image)
                index += 1
                if index == stop:
                    return
        if size is None:
            raise InputError(f"{self.path}: is a video without a frame; {REMEDY}")

    def _decoded(self, container: InputContainer, stream: VideoStream) -> Iterator[av.VideoFrame]:
        """Every frame that can be decoded. Raises `InputError` if the file ends before the video."""
        count = 0
        end_pts = start_pts = stream.start_time or 0
        try:
            for packet in container.demux(stream):
                if packet.pts is not None:
                    end_pts = max(end_pts, packet.pts + (packet.duration or 0))
                for frame in packet.decode():
                    yield frame
                    count += 1
        except av.error.FFmpegError as error:
            raise InputError(f"{self.path}: damaged after {count} frames ({error.strerror}); {REMEDY}") from None
        stated_s = _stated_s(container, stream)
        read_s = (end_pts - start_pts) * Fraction(stream.time_base or 1)
        if stated_s is not None and stated_s - read_s > 1.5 * _interval_s(self.path, stream):
            raise InputError(
                f"{self.path}: cut off after {count} frames, {float(read_s):.3f} s of the {float(stated_s):.3f} s "
                f"that it states; {REMEDY}"
            )


@dataclass
class Clock:
    """Time stamps in order -> increasing times from 0; counts the frames that it timed itself or dropped."""

    guessed: int = 0
    dropped: int = 0
    _last_s: Fraction | None = None
    _origin_s: Fraction | None = None

    def tell(self, stamp_s: Fraction | None, interval_s: Fraction) -> Fraction | None:
        """The time of the next frame; None if it must be dropped.

        A frame without a stamp comes `interval_s` after the frame before.
        """
        expected_s = Fraction(0) if self._last_s is None else self._last_s + interval_s
        if stamp_s is None:
            self.guessed += 1
            time_s = expected_s
        else:
            if self._origin_s is None:
                self._origin_s = stamp_s - expected_s
            time_s = stamp_s - self._origin_s
        if self._last_s is not None and time_s <= self._last_s:
            self.dropped += 1
            return None
        self._last_s = time_s
        return time_s


class Converter:
    """Decoded images -> RGB, by a filter graph of FFmpeg, which reuses the memory of released images.

    New memory for each image would cost more than its conversion. The colours are those of PyAV from version 17 on: of
    the colour space and range that the image states.
    """

    def __init__(self) -> None:
        self._kind: tuple[object, ...] = ()
        self._graph = Graph()

    def rgb(self, frame: av.VideoFrame) -> NDArray[np.uint8]:
        """(height, width, 3); its rows need not be contiguous in memory. Raises PyAV's errors for unknown pixels."""
        kind = (frame.width, frame.height, frame.format.name, frame.colorspace, frame.color_range)
        if kind != self._kind:
            self._graph, self._kind = _to_rgb(frame.width, frame.height, frame.format.name), kind
        self._graph.vpush(frame)
        return np.asarray(self._graph.vpull().to_ndarray(), dtype=np.uint8)


def _to_rgb(width: int, height: int, pixel_format: str) -> Graph:
    graph = Graph()
    if _PYAV >= 18:
        graph.threads = 1  # several cost more than they gain
    source = graph.add_buffer(width=width, height=height, format=av.VideoFormat(pixel_format), time_base=Fraction(1, 1))
    graph.link_nodes(
        source, graph.add("scale", "flags=bilinear"), graph.add("format", "pix_fmts=rgb24"), graph.add("buffersink")
    )
    graph.configure()
    return graph


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """The open file and its video, decoded by a few threads. Only local files are read, whatever a playlist names."""
    if not path.is_file():
        raise InputError(f"{path}: no such video file")
    if path.stat().st_size == 0:
        raise InputError(f"{path}: is an empty file; copy the video again from the camera")
    try:
        container = av.open(f"file:{path}", options={"protocol_whitelist": "file"}, **ANY_TEXT)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except av.error.FFmpegError as error:
        raise InputError(
            f"{path}: is not a video, or is cut off before its index ({error.strerror}); {REMEDY}"
        ) from None
    with container:
        if container.format.name == "tty":  # FFmpeg would draw any text file as images
            raise InputError(f"{path}: is a text file, not a video")
        streams = [s for s in container.streams.video if not _disposition(s) & ATTACHED_PICTURE]
        if not streams:
            raise InputError(
                f"{path}: holds no video, only {' and '.join(sorted({s.type for s in container.streams}))}"
            )
        stream = streams[0]
        if stream.codec_context is None:
            raise InputError(f"{path}: FFmpeg does not know the kind of its video; {REMEDY}")
        stream.thread_type = "AUTO"
        stream.codec_context.thread_count = min(THREADS, max(usable_cores() // 2, 1))
        yield container, stream


def _disposition(stream: VideoStream) -> int:
    """FFmpeg's flags, which PyAV gives as an enumeration or as a number; 0 in its first versions."""
    flags = getattr(stream, "disposition", 0)
    return int(getattr(flags, "value", flags))


def _interval_s(path: Path, stream: VideoStream) -> Fraction:
    """The average time from frame to frame."""
    rate = stream.average_rate or stream.guessed_rate
    if not rate:
        raise InputError(f"{path}: does not state its frame rate; {REMEDY}")
    return 1 / Fraction(rate)


def _stated_s(container: InputContainer, stream: VideoStream) -> Fraction | None:
    """The duration of the video as the container states it; None if it does not, or if it may be that of the sound."""
    if container.format.name == "avi" and stream.frames and stream.average_rate:
        return stream.frames / Fraction(stream.average_rate)  # `duration` would follow the size of a file that was cut
    if stream.duration is not None and stream.time_base is not None:
        return stream.duration * Fraction(stream.time_base)
    if container.duration is not None and len(container.streams) == 1:
        return Fraction(container.duration, av.time_base)
    return None


def _turns_of(path: Path, frame: av.VideoFrame) -> int:
    """`quarter_turns` of the display matrix that comes with a frame; 0 without one."""
    matrix: Any = frame.side_data.get("DISPLAYMATRIX")
    try:
        return 0 if matrix is None else quarter_turns(np.frombuffer(bytes(matrix), dtype=np.int32).reshape(3, 3))
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def quarter_turns(display_matrix: ArrayLike) -> int:
    """0 to 3: the number of clockwise quarter turns in a display matrix (3, 3).

    It maps a pixel (x right, y down) as a row: (x', y', 1) = (x, y, 1) M (ISO/IEC 14496-12, 6.2.2; FFmpeg's
    libavutil/display.h). Raises `InputError` for a matrix that mirrors or turns by anything but quarter turns.
    """
    (a, b), (c, d) = np.asarray(display_matrix, dtype=float)[:2, :2]
    if a * d - b * c <= 0:
        raise InputError("it is to be shown mirrored, which exchanges left and right; re-export it without that")
    angle_deg = math.degrees(math.atan2(b, a))
    turns = round(angle_deg / 90)
    if abs(angle_deg - 90 * turns) > 0.5:
        raise InputError(f"its display matrix turns it by {angle_deg:.1f} degrees; re-export it upright")
    return turns % 4
