"""Images to a file that plays them: H.264 in MP4, or GIF.

An MP4 (4:2:0, even sizes, index first) is what every browser plays. Its times are those of the frames, in units of
1/90000 s from the first one: a recording with an uneven rate stays uneven. A GIF counts in 1/100 s and has 256 colours
for all of its images: some that must come out as they are, and the ones that fit its first images best.
Its last image stays as long as one before it.

Frames are taken one by one and not kept, so memory does not grow with the length of the video.
"""

from __future__ import annotations

import fractions
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any

import av
import av.error
import av.filter
import numpy as np
from numpy.typing import NDArray

from gonio.core.arrays import VideoFrame
from gonio.core.errors import InputError
from gonio.core.files import replacing
from gonio.report.drawing import Image

_MP4_HZ = 90_000
_GIF_HZ = 100
_COLOURS = 256
_TRANSPARENT = _COLOURS - 1  # the entry by which a GIF's encoder leaves pixels as they were in the image before
_SAMPLE = 16  # images from which a GIF's colours are chosen
_LEVELS = 32  # per channel, of the table from colours to those of a GIF


CRF = 21  # libx264's constant rate factor: good to look at


def write_mp4(path: Path, frames: Iterable[VideoFrame], *, crf: int = CRF) -> None:
    """H.264, or MPEG-4 part 2 if this build of FFmpeg has no H.264; an odd last row or column is left out.

    crf  what libx264 loses: 0 nothing, 51 most; other encoders take their bit rate instead

    Raises `InputError` if there is no frame, sizes change, times do not increase, or no video can be encoded; then
    what was at `path` stays as it was.
    """
    first, checked = _checked(path, frames, _MP4_HZ)
    height, width = (side // 2 * 2 for side in first.image.shape[:2])
    with replacing(path) as temporary:
        try:
            with av.open(str(temporary), "w", format="mp4", options={"movflags": "+faststart"}) as container:
                stream = _h264(container, width, height, crf)
                for frame in checked:
                    image = np.ascontiguousarray(frame.image[:height, :width])
                    encoded = av.VideoFrame.from_ndarray(image, format="rgb24")
                    container.mux(stream.encode(_timed(encoded, frame.time_s - first.time_s, _MP4_HZ)))
                container.mux(stream.encode())
        except av.error.FFmpegError as error:
            raise InputError(f"{path}: the video cannot be written ({error.strerror})") from None


def write_gif(path: Path, frames: Iterable[VideoFrame], colours: Sequence[tuple[int, int, int]] = ()) -> None:
    """A GIF that repeats for ever; `colours` (RGB) are among its 256, so what is drawn in them comes out exactly.

    Raises `InputError` as `write_mp4` does. Two frames must be 1/100 s apart.
    """
    first, checked = _checked(path, frames, _GIF_HZ)
    sample = list(islice(checked, _SAMPLE))
    palette = _palette([frame.image for frame in sample], colours)
    nearest = _nearest(palette)
    intervals_s = np.diff([frame.time_s for frame in sample])
    last = round(float(np.median(intervals_s)) * _GIF_HZ) if len(intervals_s) else _GIF_HZ
    height, width = first.image.shape[:2]
    with replacing(path) as temporary:
        try:
            with av.open(str(temporary), "w", format="gif", options={"final_delay": str(last)}) as container:
                stream: Any = container.add_stream("gif", rate=_GIF_HZ)
                stream.width, stream.height, stream.pix_fmt = width, height, "pal8"
                stream.codec_context.time_base = fractions.Fraction(1, _GIF_HZ)
                for frame in chain(sample, checked):
                    pixels = nearest[tuple(np.moveaxis(frame.image // (256 // _LEVELS), -1, 0))]
                    encoded = av.VideoFrame.from_ndarray((pixels, palette), format="pal8")  # type: ignore[arg-type]
                    container.mux(stream.encode(_timed(encoded, frame.time_s - first.time_s, _GIF_HZ)))
                container.mux(stream.encode())
        except av.error.FFmpegError as error:
            raise InputError(f"{path}: the GIF cannot be written ({error.strerror})") from None


def _checked(path: Path, frames: Iterable[VideoFrame], clock_hz: int) -> tuple[VideoFrame, Iterator[VideoFrame]]:
    """The first frame, and all of them; `InputError` is raised at the one that cannot follow those before."""
    stream = iter(frames)
    first = next(stream, None)
    if first is None:
        raise InputError(f"{path}: no frame to draw on")

    def following() -> Iterator[VideoFrame]:
        yield first
        last = 0
        for frame in stream:
            if frame.image.shape != first.image.shape:
                raise InputError(
                    f"frame {frame.index} has {frame.image.shape[1]} x {frame.image.shape[0]} px where the video began "
                    f"with {first.image.shape[1]} x {first.image.shape[0]}; frames of one video share one size"
                )
            count = round((frame.time_s - first.time_s) * clock_hz)
            if count <= last:
                raise InputError(f"frame {frame.index} at {frame.time_s:.4f} s is not later than the one before it")
            last = count
            yield frame

    return first, following()


def _timed(encoded: av.VideoFrame, time_s: float, clock_hz: int) -> av.VideoFrame:
    encoded.pts = round(time_s * clock_hz)
    encoded.time_base = fractions.Fraction(1, clock_hz)
    return encoded


def _h264(container: av.container.OutputContainer, width: int, height: int, crf: int) -> Any:
    """libx264 if this build of FFmpeg has it, else another encoder of H.264, else MPEG-4 part 2."""
    for codec in ("libx264", "libopenh264", "h264", "mpeg4"):
        try:
            stream: Any = container.add_stream(codec, rate=30)
        except (av.error.FFmpegError, ValueError):
            continue
        stream.height, stream.width = height, width
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = fractions.Fraction(1, _MP4_HZ if codec != "mpeg4" else 60_000)
        if codec == "libx264":
            stream.options = {"crf": str(crf), "preset": "veryfast"}
        else:
            stream.bit_rate = 4_000_000
        return stream
    raise InputError("this installation of PyAV has no encoder for H.264 or MPEG-4 video; reinstall av from PyPI")


def _palette(images: Sequence[Image], colours: Sequence[tuple[int, int, int]]) -> NDArray[np.uint8]:
    """(256, 4) uint8, alpha first: `colours`, those that FFmpeg's palettegen chooses for these images, nothing."""
    height, width = images[0].shape[:2]
    graph = av.filter.Graph()
    rgb24, clock = av.VideoFormat("rgb24", width, height), fractions.Fraction(1, _GIF_HZ)
    source = graph.add_buffer(width=width, height=height, format=rgb24, time_base=clock)
    chooser = graph.add("palettegen", f"max_colors={_TRANSPARENT - len(colours)}:reserve_transparent=0")
    sink = graph.add("buffersink")
    source.link_to(chooser)
    chooser.link_to(sink)
    graph.configure()
    for number, image in enumerate(images):
        encoded = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
        graph.push(_timed(encoded, number / _GIF_HZ, _GIF_HZ))
    graph.push(None)
    chosen = graph.pull()
    assert isinstance(chosen, av.VideoFrame)
    fitting = chosen.to_ndarray(format="rgb24").reshape(-1, 3)
    palette = np.zeros((_COLOURS, 4), np.uint8)
    palette[:_TRANSPARENT, 0] = 255
    palette[:_TRANSPARENT, 1:] = np.concatenate([np.reshape(colours, (-1, 3)), fitting])[:_TRANSPARENT]
    return palette


def _nearest(palette: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(levels, levels, levels) uint8: the palette's entry nearest to each colour; an entry's own cell leads to it."""
    step = 256 // _LEVELS
    entries = palette[:_TRANSPARENT, 1:].astype(np.float32)
    middles = np.arange(_LEVELS, dtype=np.float32) * step + (step - 1) / 2
    table = np.empty((_LEVELS,) * 3, np.uint8)
    for level, red in enumerate(middles):
        plane = np.stack(np.broadcast_arrays(red, middles[:, None], middles[None, :]), axis=-1)
        table[level] = ((plane[:, :, None] - entries) ** 2).sum(axis=-1).argmin(axis=-1)
    own = palette[:_TRANSPARENT, 1:][::-1] // step  # reversed: where two share a cell the first one has it
    table[tuple(own.T)] = np.arange(_TRANSPARENT)[::-1]
    return table
