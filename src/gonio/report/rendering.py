"""Skeletons drawn over the pictures they were found in: videos, single pictures, folders of pictures.

A video is H.264 in MP4 (4:2:0, even sizes, index first), which every browser plays. Its times are those of the frames,
in units of 1/90000 s from the first one: a recording with an uneven rate stays uneven. Left and right are the person's
own and have a colour each; what a method is unsure of is drawn fainter; what is missing is not drawn. Points
reprojected from 3D are thin, in a third colour. People who were seen and not chosen are thin and grey, without sides.

Faces can be blurred: an ellipse around the joints of the face, or where those are missing around the place where
shoulders and trunk say that the head is. Segment lengths are taken from Winter (2009), "Biomechanics and Motor Control
of Human Movement", figure 4.1: head 0.130, shoulder to hip 0.288, between the shoulders 0.259, shoulder line to eyes
0.118 of the body's height. Where nothing is known nothing is blurred, and those frames are counted (`Rendered`).
"""

from __future__ import annotations

import fractions
import functools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import av
import av.error
import numpy as np
from numpy.typing import NDArray

from gonio.core.arrays import BoolArray, FloatArray, IntArray
from gonio.core.files import replacing
from gonio.core.images import VideoFrame
from gonio.core.sequence import Detections, PoseSequence
from gonio.core.skeleton import Skeleton
from gonio.errors import InputError
from gonio.report.palette import LEFT, MIDLINE, OTHERS, REPROJECTED, RIGHT, side_colour

Image = NDArray[np.uint8]

_CLOCK_HZ = 90_000
_SUBPIXEL_BITS = 4
_ONE_PERSON = 0.1  # two skeletons are one person's where their joints lie nearer than this share of their height
_FACE_WORDS = ("nose", "eye", "ear", "mouth")
# Parts of the body in units of the head's height (Winter 2009).
_HEADS_PER_TRUNK = 0.130 / 0.288
_HEADS_PER_SHOULDERS = 0.130 / 0.259
_HEADS_PER_FACE = 1.5  # ear to ear, or ear to nose, is about two thirds of the head's height
_EYES_ABOVE_SHOULDERS_HEADS = 0.118 / 0.130


@dataclass(frozen=True)
class Rendered:
    """What was drawn: how many frames, how many of them without a keypoint, how many with no known face to blur."""

    frames: int
    frames_without_keypoints: int
    frames_without_known_face: int


def overlay_video(
    path: Path,
    frames: Iterable[VideoFrame],
    keypoints: PoseSequence,
    *,
    reprojected: PoseSequence | None = None,
    blur_faces: bool = False,
    bystanders: Detections | None = None,
    max_height_px: int | None = 960,
    on_frame: Callable[[], None] | None = None,
) -> Rendered:
    """Writes `frames` with `keypoints` (2D, px of these frames) drawn over them as an MP4 that browsers play.

    reprojected  the same person's 3D estimate projected into this camera (2D, px)
    blur_faces   blurs the person's face and that of everybody in `bystanders`
    bystanders   everybody who was seen (px of these frames); the person themself may be among them and is drawn once
    on_frame     called after every frame

    A frame takes the row of a sequence whose time is nearest, within half of the sequence's interval. Raises
    `InputError` where there is no frame, sizes change, times do not increase, or no video can be encoded.
    """
    stream_of_frames = iter(frames)
    first = next(stream_of_frames, None)
    if first is None:
        raise InputError(f"{path}: there is no frame to draw on")
    artist = _Artist(keypoints, reprojected, blur_faces, bystanders, max_height_px)
    with replacing(path) as temporary:
        try:
            with av.open(str(temporary), "w", format="mp4", options={"movflags": "+faststart"}) as container:
                _encode(container, chain([first], stream_of_frames), artist, on_frame)
        except av.error.FFmpegError as error:
            raise InputError(f"{path}: the video cannot be written ({error.strerror})") from None
    return artist.report()


def overlay_image(
    frame: VideoFrame,
    keypoints: PoseSequence,
    *,
    reprojected: PoseSequence | None = None,
    blur_faces: bool = False,
    bystanders: Detections | None = None,
    max_height_px: int | None = None,
) -> Image:
    """(height, width, 3) uint8 RGB: one frame as `overlay_video` draws it, in its own size unless that is limited."""
    return _Artist(keypoints, reprojected, blur_faces, bystanders, max_height_px).draw(frame)


def write_images(
    folder: Path,
    frames: Iterable[VideoFrame],
    keypoints: PoseSequence,
    *,
    reprojected: PoseSequence | None = None,
    blur_faces: bool = False,
    bystanders: Detections | None = None,
    max_height_px: int | None = None,
    on_frame: Callable[[], None] | None = None,
) -> Rendered:
    """Writes every frame as `overlay_video` draws it: `frame_000000.jpg`, named for its index, into `folder`."""
    artist = _Artist(keypoints, reprojected, blur_faces, bystanders, max_height_px)
    for frame in frames:
        _write_image(Path(folder) / f"frame_{frame.index:06d}.jpg", artist.draw(frame))
        if on_frame is not None:
            on_frame()
    if artist.frames == 0:
        raise InputError(f"{folder}: there is no frame to draw on")
    return artist.report()


def write_still(
    path: Path,
    frame: VideoFrame,
    keypoints: PoseSequence,
    *,
    reprojected: PoseSequence | None = None,
    blur_faces: bool = False,
    bystanders: Detections | None = None,
    max_height_px: int | None = 960,
) -> Rendered:
    """Writes one frame as `overlay_video` draws it, as .png or .jpg."""
    artist = _Artist(keypoints, reprojected, blur_faces, bystanders, max_height_px)
    _write_image(Path(path), artist.draw(frame))
    return artist.report()


def _write_image(path: Path, image: Image) -> None:
    """The suffix says how. Raises `InputError` for one that is no picture's."""
    import cv2  # noqa: PLC0415

    if path.suffix.lower() not in (".png", ".jpg", ".jpeg"):
        raise InputError(f"{path}: pictures are written as .png or .jpg; choose one of these")
    _, data = cv2.imencode(path.suffix.lower(), np.ascontiguousarray(image[..., ::-1]))
    with replacing(path) as temporary:
        temporary.write_bytes(np.asarray(data).tobytes())


# ---- encoding --------------------------------------------------------------------------------------------------------


def _encode(
    container: av.container.OutputContainer,
    frames: Iterable[VideoFrame],
    artist: _Artist,
    on_frame: Callable[[], None] | None,
) -> None:
    stream: Any = None
    start_s, last_pts = 0.0, -1
    for frame in frames:
        image = artist.draw(frame)
        image = image[: image.shape[0] // 2 * 2, : image.shape[1] // 2 * 2]
        if stream is None:
            stream, start_s = _add_stream(container, image), frame.time_s
        if image.shape != (stream.height, stream.width, 3):
            raise InputError(
                f"frame {frame.index} has {image.shape[1]} x {image.shape[0]} px where the video began with "
                f"{stream.width} x {stream.height}; frames of one video share one size"
            )
        picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
        picture.pts = round((frame.time_s - start_s) * _CLOCK_HZ)
        picture.time_base = fractions.Fraction(1, _CLOCK_HZ)
        if picture.pts <= last_pts:
            raise InputError(f"frame {frame.index} at {frame.time_s:.4f} s is not later than the one before it")
        last_pts = picture.pts
        container.mux(stream.encode(picture))
        if on_frame is not None:
            on_frame()
    container.mux(stream.encode())


def _add_stream(container: av.container.OutputContainer, image: Image) -> Any:
    """libx264 where this build of FFmpeg has it, else another encoder of H.264, else MPEG-4 part 2."""
    for codec in ("libx264", "libopenh264", "h264", "mpeg4"):
        try:
            stream: Any = container.add_stream(codec, rate=30)
        except (av.error.FFmpegError, ValueError):
            continue
        stream.height, stream.width = image.shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = fractions.Fraction(1, _CLOCK_HZ if codec != "mpeg4" else 60_000)
        if codec == "libx264":
            stream.options = {"crf": "21", "preset": "veryfast"}
        else:
            stream.bit_rate = 4_000_000
        return stream
    raise InputError("this installation of PyAV has no encoder for H.264 or MPEG-4 video; reinstall av from PyPI")


# ---- drawing ---------------------------------------------------------------------------------------------------------


class _Artist:
    """Draws the frames of one video: holds what is known about the whole recording and counts what it did."""

    def __init__(
        self,
        keypoints: PoseSequence,
        reprojected: PoseSequence | None,
        blur_faces: bool,
        bystanders: Detections | None,
        max_height_px: int | None,
    ) -> None:
        for name, sequence in (("keypoints", keypoints), ("reprojected", reprojected)):
            if sequence is not None and sequence.unit != "px":
                raise InputError(
                    f"{name} are in 3D; only 2D positions in px can be drawn on a picture: project them first"
                )
        self._keypoints, self._reprojected, self._bystanders = keypoints, reprojected, bystanders
        self._max_height_px = max_height_px
        self._faces = _faces_px(keypoints.positions, keypoints.skeleton) if blur_faces else None
        self._other_faces = (
            _faces_px(bystanders.positions, bystanders.skeleton) if blur_faces and bystanders is not None else None
        )
        self._others = None if bystanders is None else _not_chosen(bystanders, keypoints)
        self.frames = self._empty = self._faceless = 0

    def report(self) -> Rendered:
        return Rendered(self.frames, self._empty, self._faceless)

    def draw(self, frame: VideoFrame) -> Image:
        row = _row_at(self._keypoints.times_s, frame.time_s)
        image, scale = _scaled(frame.image, self._max_height_px)
        self.frames += 1
        self._empty += int(row is None or not self._keypoints.valid[row].any())
        if self._faces is not None:
            known = row is not None and bool(np.isfinite(self._faces[row]).all())
            self._faceless += not known
            if known:
                _blur(image, self._faces[row] * scale)
        if self._other_faces is not None and self._bystanders is not None:
            other = _row_at(self._bystanders.times_s, frame.time_s)
            for face in self._other_faces[other] if other is not None else ():
                if np.isfinite(face).all():
                    _blur(image, face * scale)
        size = max(float(np.sqrt(image.shape[0] * image.shape[1])) / 560, 0.8)
        if self._others is not None and self._bystanders is not None:
            seen = _row_at(self._bystanders.times_s, frame.time_s)
            people = self._bystanders.positions[seen][self._others[seen]] if seen is not None else ()
            for person in people:
                _draw_other(image, _to_scaled(person, scale), self._bystanders.skeleton, size)
        if row is not None:
            points = _to_scaled(self._keypoints.positions[row], scale)
            _draw_skeleton(image, points, self._keypoints.confidence[row], self._keypoints.skeleton, size)
        if self._reprojected is not None:
            again = _row_at(self._reprojected.times_s, frame.time_s)
            if again is not None:
                points = _to_scaled(self._reprojected.positions[again], scale)
                _draw_reprojection(image, points, self._reprojected.skeleton, size)
        with_others = self._others is not None and bool(self._others.any())
        _stamp(image, _legend(round(9.5 * size), self._reprojected is not None, with_others))
        return image


def _rows_at(times_s: FloatArray, wanted_s: FloatArray) -> IntArray:
    """(wanted,) the row nearest in time; -1 where it is farther than half the median interval (25 Hz for one row)."""
    if len(times_s) == 0:
        return np.full(len(wanted_s), -1)
    after = np.searchsorted(times_s, wanted_s).clip(0, len(times_s) - 1)
    before = (after - 1).clip(0)
    nearest = np.where(wanted_s - times_s[before] <= np.abs(times_s[after] - wanted_s), before, after)
    half = float(np.median(np.diff(times_s))) / 2 if len(times_s) > 1 else 0.02
    return np.where(np.abs(times_s[nearest] - wanted_s) <= half + 1e-6, nearest, -1)


def _row_at(times_s: FloatArray, time_s: float) -> int | None:
    row = int(_rows_at(times_s, np.array([time_s]))[0])
    return None if row < 0 else row


def _not_chosen(everybody: Detections, chosen: PoseSequence) -> BoolArray:
    """(time, person): seen, and not the chosen person of that moment.

    The chosen one is the person whose joints lie nearest to the chosen sequence's, if nearer than a tenth of their
    extent: the two may come from neighbouring frames. Where nobody was chosen all are others.
    """
    others = np.array(everybody.present)
    joints = [joint for joint in everybody.skeleton.joints if joint in chosen.skeleton]
    if not others.size or not joints or not len(chosen):
        return others
    rows = _rows_at(chosen.times_s, everybody.times_s)
    own = np.where((rows >= 0)[:, None, None], chosen.select(joints).positions[rows], np.nan)
    theirs = everybody.positions[:, :, [everybody.skeleton.index(joint) for joint in joints]]
    away = np.linalg.norm(theirs - own[:, None], axis=-1)
    shared = np.isfinite(away)
    mean_px = np.where(shared, away, 0.0).sum(axis=2) / np.maximum(shared.sum(axis=2), 1)
    seen = _there(own)[..., None]
    extent_px = np.linalg.norm(np.where(seen, own, -1e9).max(axis=1) - np.where(seen, own, 1e9).min(axis=1), axis=1)
    alike = shared.any(axis=2) & (mean_px <= _ONE_PERSON * np.maximum(extent_px, 1.0)[:, None])
    nearest = np.where(alike, mean_px, np.inf).argmin(axis=1)
    found = np.flatnonzero(alike.any(axis=1))
    others[found, nearest[found]] = False
    return others


def _scaled(image: Image, max_height_px: int | None) -> tuple[Image, float]:
    """A copy of the picture, made smaller where it is too high, and by which factor."""
    import cv2  # noqa: PLC0415

    height, width = image.shape[:2]
    if max_height_px is None or height <= max_height_px:
        return np.array(image), 1.0
    scale = max_height_px / height
    size = (max(round(width * scale), 2), max_height_px)
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8), scale


def _to_scaled(points: FloatArray, scale: float) -> FloatArray:
    """Pixel (0, 0) is the centre of the top left pixel, before and after."""
    return (points + 0.5) * scale - 0.5


def _there(points: FloatArray) -> BoolArray:
    """(..., 2) -> (...): both coordinates are known."""
    return np.asarray(np.isfinite(points).all(axis=-1))


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _fixed(point: FloatArray) -> tuple[int, int]:
    x, y = np.round(np.clip(point, -4096, 16384) * 2**_SUBPIXEL_BITS).astype(int).tolist()
    return x, y


def _draw_skeleton(image: Image, points: FloatArray, confidence: FloatArray, skeleton: Skeleton, size: float) -> None:
    """Bones, then joints, on a dark rim. A bone is as certain as the less certain of its ends."""
    import cv2  # noqa: PLC0415

    there = _there(points)
    for parent, child in skeleton.bones:
        if there[parent] and there[child]:
            alpha = _alpha(min(confidence[parent], confidence[child]))
            with _Faded(image, points[[parent, child]], 3 * size, alpha) as (canvas, ends):
                a, b = _fixed(ends[0]), _fixed(ends[1])
                colour = _rgb(side_colour(skeleton.joints[child]))
                cv2.line(canvas, a, b, (0, 0, 0), round(3.6 * size), cv2.LINE_AA, _SUBPIXEL_BITS)
                cv2.line(canvas, a, b, colour, round(2 * size), cv2.LINE_AA, _SUBPIXEL_BITS)
    for joint in np.flatnonzero(there):
        with _Faded(image, points[[joint]], 5 * size, _alpha(confidence[joint])) as (canvas, ends):
            _disc(canvas, ends[0], 3.4 * size, (0, 0, 0))
            _disc(canvas, ends[0], 2.6 * size, _rgb(side_colour(skeleton.joints[joint])))


def _draw_other(image: Image, points: FloatArray, skeleton: Skeleton, size: float) -> None:
    """Thin grey bones on a dark rim, no joints and no sides: somebody who was seen and not chosen."""
    import cv2  # noqa: PLC0415

    there = _there(points)
    bones = [(_fixed(points[a]), _fixed(points[b])) for a, b in skeleton.bones if there[a] and there[b]]
    for width, colour in ((2.6 * size, (0, 0, 0)), (1.4 * size, _rgb(OTHERS))):
        for a, b in bones:
            cv2.line(image, a, b, colour, max(round(width), 1), cv2.LINE_AA, _SUBPIXEL_BITS)


def _draw_reprojection(image: Image, points: FloatArray, skeleton: Skeleton, size: float) -> None:
    """Thin bones and rings, so that the keypoints below stay visible."""
    import cv2  # noqa: PLC0415

    there = _there(points)
    colour = _rgb(REPROJECTED)
    for parent, child in skeleton.bones:
        if there[parent] and there[child]:
            a, b = _fixed(points[parent]), _fixed(points[child])
            cv2.line(image, a, b, colour, max(round(size), 1), cv2.LINE_AA, _SUBPIXEL_BITS)
    for joint in np.flatnonzero(there):
        radius = round(3.4 * size * 2**_SUBPIXEL_BITS)
        cv2.circle(image, _fixed(points[joint]), radius, colour, max(round(size), 1), cv2.LINE_AA, _SUBPIXEL_BITS)


def _disc(canvas: Image, centre: FloatArray, radius: float, colour: tuple[int, int, int]) -> None:
    import cv2  # noqa: PLC0415

    cv2.circle(canvas, _fixed(centre), round(radius * 2**_SUBPIXEL_BITS), colour, -1, cv2.LINE_AA, _SUBPIXEL_BITS)


def _alpha(confidence: float) -> float:
    """Nothing that is there is invisible: 0.15 for a confidence of 0, 1 for 1."""
    return 0.15 + 0.85 * float(confidence)


class _Faded:
    """A window of the picture to draw in, and the points on its own pixels; what is drawn is mixed in by `alpha`."""

    def __init__(self, image: Image, points: FloatArray, margin: float, alpha: float) -> None:
        height, width = image.shape[:2]
        low = np.clip(np.floor(points.min(axis=0) - margin), 0, (width, height)).astype(int)
        high = np.clip(np.ceil(points.max(axis=0) + margin) + 1, 0, (width, height)).astype(int)
        self._window = image[low[1] : high[1], low[0] : high[0]]
        self._canvas = self._window.copy()
        self._points, self._alpha = points - low, alpha

    def __enter__(self) -> tuple[Image, FloatArray]:
        if self._canvas.size == 0:  # outside the picture: drawn nowhere
            self._canvas = np.zeros((1, 1, 3), np.uint8)
        return self._canvas, self._points

    def __exit__(self, *_: object) -> None:
        if self._window.size:
            mixed = self._window * (1 - self._alpha) + self._canvas * self._alpha
            self._window[:] = np.rint(mixed).astype(np.uint8)


@functools.lru_cache(maxsize=8)
def _legend(text_px: int, with_reprojection: bool, with_others: bool) -> Image:
    """(height, width, 4) uint8: what the colours mean, white on a translucent dark ground."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    entries = [(LEFT, "left (person's own)"), (RIGHT, "right (person's own)"), (MIDLINE, "neither side")]
    entries += [(REPROJECTED, "3D, projected back")] if with_reprojection else []
    entries += [(OTHERS, "others, not chosen")] if with_others else []
    line_px, dpi = 1.6 * text_px, 100
    width, height = 13.5 * text_px, line_px * (len(entries) + 1) + 0.8 * text_px
    figure = Figure(figsize=(width / dpi, height / dpi), dpi=dpi, facecolor=(0.08, 0.09, 0.11, 0.62))
    for i, (colour, words) in enumerate([*entries, (None, "fainter: less certain")]):
        y = 1 - (0.4 * text_px + (i + 0.5) * line_px) / height
        if colour is not None:
            x = np.array([0.6, 1.9]) * text_px / width
            figure.add_artist(_line(x, y, colour, 0.32 * text_px * 72 / dpi))
        figure.text(2.5 * text_px / width, y, words, color="white", size=text_px * 72 / dpi, va="center_baseline")
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    picture = np.array(canvas.buffer_rgba())
    picture.setflags(write=False)
    return picture


def _line(x: FloatArray, y: float, colour: str, width_pt: float) -> Any:
    from matplotlib.lines import Line2D  # noqa: PLC0415

    return Line2D(x, [y, y], color=colour, lw=width_pt, solid_capstyle="round")


def _stamp(image: Image, legend: Image) -> None:
    """Lays the legend into the top left corner, as much of it as fits."""
    height, width = min(legend.shape[0], image.shape[0]), min(legend.shape[1], image.shape[1])
    over, window = legend[:height, :width], image[:height, :width]
    alpha = over[..., 3:] / 255.0
    window[:] = np.rint(window * (1 - alpha) + over[..., :3] * alpha).astype(np.uint8)


# ---- faces -----------------------------------------------------------------------------------------------------------


def _faces_px(positions: FloatArray, skeleton: Skeleton) -> FloatArray:
    """(time, [person,] joint, 2) px -> (time, [person,] 4): the face's centre x, y and half axes; NaN where unknown.

    The head's height comes from the longest of trunk, shoulders and face that is seen, each in its proportion to the
    head, since every length only shortens when it is turned from the camera; where none is seen, from the recording's
    median. The centre is the mean of the face's joints, else above the shoulders along the trunk.
    """

    def mean(names: Sequence[str]) -> FloatArray:
        return _mean_seen(positions[..., [skeleton.index(n) for n in names if n in skeleton], :])

    face = [joint for joint in skeleton.joints if any(word in joint for word in _FACE_WORDS)]
    head = [joint for joint in ("head",) if joint in skeleton]
    face_points = positions[..., [skeleton.index(joint) for joint in face], :]
    shoulders, hips = mean(("left_shoulder", "right_shoulder")), mean(("left_hip", "right_hip"))
    breadth = mean(("left_shoulder",)) - mean(("right_shoulder",))
    spread = _largest_distance(face_points)
    trunk = shoulders - hips
    trunk_px = np.linalg.norm(trunk, axis=-1)
    height_px = _largest(
        trunk_px * _HEADS_PER_TRUNK,
        np.linalg.norm(breadth, axis=-1) * _HEADS_PER_SHOULDERS,
        spread * _HEADS_PER_FACE,
    )
    seen = height_px[np.isfinite(height_px)]
    height_px = np.where(np.isfinite(height_px), height_px, np.median(seen) if len(seen) else np.nan)

    up = np.where(trunk_px[..., None] > 0, trunk / np.where(trunk_px > 0, trunk_px, 1.0)[..., None], [0.0, -1.0])
    up = np.where(np.isfinite(up), up, [0.0, -1.0])
    above_shoulders = shoulders + up * (height_px * _EYES_ABOVE_SHOULDERS_HEADS)[..., None]
    top = mean(("head_top",)) - up * (height_px / 2)[..., None]
    centre = _mean_seen(face_points)
    sure = np.isfinite(centre[..., 0])
    for other in (mean(head), top, above_shoulders):
        centre = np.where(np.isfinite(centre), centre, other)
    margin = np.where(sure, 1.25, 1.6) * height_px / 2  # an estimated place is blurred more generously
    return np.concatenate([centre, (margin * 0.85)[..., None], margin[..., None]], axis=-1)


def _mean_seen(points: FloatArray) -> FloatArray:
    """(..., n, 2) -> (..., 2): the mean of those that are there; NaN where none is."""
    there = _there(points)
    count = there.sum(axis=-1)[..., None]
    total = np.where(there[..., None], points, 0.0).sum(axis=-2)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _largest_distance(points: FloatArray) -> FloatArray:
    """(..., n, 2) -> (...): the largest distance between two of them; NaN where fewer than two are there."""
    if points.shape[-2] < 2:
        return np.full(points.shape[:-2], np.nan)
    distance = np.linalg.norm(points[..., :, None, :] - points[..., None, :, :], axis=-1)
    pairs = distance[..., *np.triu_indices(points.shape[-2], 1)]
    return _largest(*np.moveaxis(pairs, -1, 0))


def _largest(*lengths: FloatArray) -> FloatArray:
    """The largest finite and positive one of each place; NaN where none is."""
    stacked = np.stack([np.where(np.isfinite(length) & (length > 0), length, -np.inf) for length in lengths])
    largest = stacked.max(axis=0)
    return np.where(np.isfinite(largest), largest, np.nan)


def _blur(image: Image, face: FloatArray) -> None:
    """Replaces an ellipse (x, y, half axes; px) by six by six averages of the picture around it, blended smoothly.

    What is left of a face in 36 numbers is nobody's. Only pixels inside the ellipse change.
    """
    import cv2  # noqa: PLC0415

    x, y, a, b = face.tolist()
    height, width = image.shape[:2]
    left, right = max(int(x - a), 0), min(int(np.ceil(x + a)) + 1, width)
    top, bottom = max(int(y - b), 0), min(int(np.ceil(y + b)) + 1, height)
    if left >= right or top >= bottom:
        return
    window = image[top:bottom, left:right]
    coarse = cv2.resize(window, (6, 6), interpolation=cv2.INTER_AREA)
    smooth = cv2.resize(coarse, (right - left, bottom - top), interpolation=cv2.INTER_LINEAR)
    rows, columns = np.ogrid[top:bottom, left:right]
    inside = ((columns - x) / max(a, 1e-6)) ** 2 + ((rows - y) / max(b, 1e-6)) ** 2 <= 1
    window[inside] = smooth[inside]
