"""Skeletons drawn over the images they were found in: videos, single images, folders of images.

Left and right are the person's own and have a colour each; what a method is unsure of is drawn fainter; what is missing
is not drawn. Points reprojected from 3D are thin, in a third colour. Other people are thin and
grey, without sides.

Faces can be blurred: an ellipse around the joints of the face, or, without those, around the place of
the head that follows from shoulders and trunk. Segment lengths are from Winter (2009), "Biomechanics and Motor Control
of Human Movement", figure 4.1: head 0.130, shoulder to hip 0.288, between the shoulders 0.259, shoulder line to eyes
0.118 of the body's height. If nothing is known, nothing is blurred, and the frame is counted (`Rendered`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from gonio.core.arrays import BoolArray, FloatArray, VideoFrame
from gonio.core.clock import nearest_frame, nearest_frames
from gonio.core.detections import Detections
from gonio.core.errors import InputError
from gonio.core.files import replacing
from gonio.core.sequence import PoseSequence
from gonio.core.skeleton import Skeleton
from gonio.report.drawing import (
    SUBPIXEL_BITS,
    Image,
    draw_skeleton,
    fixed,
    is_there,
    legend,
    rgb,
    scaled,
    stamp,
    to_scaled,
)
from gonio.report.palette import OTHERS, REPROJECTED
from gonio.report.video_writing import write_mp4

_ONE_PERSON = 0.1  # two skeletons are of one person if their joints are closer than this share of their height
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
    """Write `frames` with `keypoints` (2D, px of these frames) drawn over them as an MP4 that browsers play.

    reprojected  the same person's 3D estimate projected into this camera (2D, px)
    blur_faces   blurs the person's face and that of all people in `bystanders`
    bystanders   all people detected (px of these frames); the person themself may be among them and is drawn once
    on_frame     called after every frame

    A frame takes the row of a sequence whose time is nearest, within half of the sequence's interval. Raises
    `InputError` if there is no frame, sizes change, times do not increase, or no video can be encoded.
    """
    renderer = FrameRenderer(keypoints, reprojected, blur_faces, bystanders, max_height_px)

    def drawn() -> Iterator[VideoFrame]:
        for frame in frames:
            yield replace(frame, image=renderer.draw(frame))
            if on_frame is not None:
                on_frame()

    write_mp4(path, drawn())
    return renderer.report()


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
    """Write every frame as `overlay_video` draws it: `frame_000000.jpg`, named for its index, into `folder`."""
    renderer = FrameRenderer(keypoints, reprojected, blur_faces, bystanders, max_height_px)
    for frame in frames:
        _write_image(Path(folder) / f"frame_{frame.index:06d}.jpg", renderer.draw(frame))
        if on_frame is not None:
            on_frame()
    if renderer.frames == 0:
        raise InputError(f"{folder}: no frame to draw on")
    return renderer.report()


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
    """Write one frame as `overlay_video` draws it, as .png or .jpg."""
    renderer = FrameRenderer(keypoints, reprojected, blur_faces, bystanders, max_height_px)
    _write_image(Path(path), renderer.draw(frame))
    return renderer.report()


def _write_image(path: Path, image: Image) -> None:
    """Write .png or .jpg, by the suffix. Raises `InputError` for another suffix."""
    import cv2  # noqa: PLC0415

    if path.suffix.lower() not in (".png", ".jpg", ".jpeg"):
        raise InputError(f"{path}: images are written as .png or .jpg; choose one of these")
    _, data = cv2.imencode(path.suffix.lower(), np.ascontiguousarray(image[..., ::-1]))
    with replacing(path) as temporary:
        temporary.write_bytes(np.asarray(data).tobytes())


# ---- drawing ---------------------------------------------------------------------------------------------------------


class FrameRenderer:
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
                    f"{name} are in 3D; only 2D positions in px can be drawn on an image: project them first"
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
        row = nearest_frame(self._keypoints.times_s, frame.time_s)
        image, scale = scaled(frame.image, self._max_height_px)
        self.frames += 1
        self._empty += int(row is None or not self._keypoints.valid[row].any())
        if self._faces is not None:
            known = row is not None and bool(np.isfinite(self._faces[row]).all())
            self._faceless += not known
            if known:
                _blur(image, self._faces[row] * scale)
        if self._other_faces is not None and self._bystanders is not None:
            other = nearest_frame(self._bystanders.times_s, frame.time_s)
            for face in self._other_faces[other] if other is not None else ():
                if np.isfinite(face).all():
                    _blur(image, face * scale)
        size = max(float(np.sqrt(image.shape[0] * image.shape[1])) / 560, 0.8)
        if self._others is not None and self._bystanders is not None:
            seen = nearest_frame(self._bystanders.times_s, frame.time_s)
            people = self._bystanders.positions[seen][self._others[seen]] if seen is not None else ()
            for person in people:
                _draw_other(image, to_scaled(person, scale), self._bystanders.skeleton, size)
        if row is not None:
            points = to_scaled(self._keypoints.positions[row], scale)
            draw_skeleton(image, points, self._keypoints.confidence[row], self._keypoints.skeleton, size)
        if self._reprojected is not None:
            again = nearest_frame(self._reprojected.times_s, frame.time_s)
            if again is not None:
                points = to_scaled(self._reprojected.positions[again], scale)
                _draw_reprojection(image, points, self._reprojected.skeleton, size)
        with_others = self._others is not None and bool(self._others.any())
        stamp(image, legend(round(9.5 * size), self._reprojected is not None, with_others))
        return image


def _not_chosen(detections: Detections, chosen: PoseSequence) -> BoolArray:
    """(time, person) the detected people other than the chosen one.

    The chosen one is the person whose joints lie nearest to the chosen sequence's, if nearer than a tenth of their
    extent: the two may come from neighbouring frames. If no one was chosen all are others.
    """
    others = np.array(detections.present)
    joints = [joint for joint in detections.skeleton.joints if joint in chosen.skeleton]
    if not others.size or not joints or not len(chosen):
        return others
    rows = nearest_frames(chosen.times_s, detections.times_s)
    own = np.where((rows >= 0)[:, None, None], chosen.select(joints).positions[rows], np.nan)
    others_px = detections.positions[:, :, [detections.skeleton.index(joint) for joint in joints]]
    away = np.linalg.norm(others_px - own[:, None], axis=-1)
    shared = np.isfinite(away)
    mean_px = np.where(shared, away, 0.0).sum(axis=2) / np.maximum(shared.sum(axis=2), 1)
    seen = is_there(own)[..., None]
    extent_px = np.linalg.norm(np.where(seen, own, -1e9).max(axis=1) - np.where(seen, own, 1e9).min(axis=1), axis=1)
    alike = shared.any(axis=2) & (mean_px <= _ONE_PERSON * np.maximum(extent_px, 1.0)[:, None])
    nearest = np.where(alike, mean_px, np.inf).argmin(axis=1)
    found = np.flatnonzero(alike.any(axis=1))
    others[found, nearest[found]] = False
    return others


def _draw_other(image: Image, points: FloatArray, skeleton: Skeleton, size: float) -> None:
    """Thin grey bones on a dark rim, without joints and sides: a person who was not chosen."""
    import cv2  # noqa: PLC0415

    present = is_there(points)
    bones = [(fixed(points[a]), fixed(points[b])) for a, b in skeleton.bones if present[a] and present[b]]
    for width, colour in ((2.6 * size, (0, 0, 0)), (1.4 * size, rgb(OTHERS))):
        for a, b in bones:
            cv2.line(image, a, b, colour, max(round(width), 1), cv2.LINE_AA, SUBPIXEL_BITS)


def _draw_reprojection(image: Image, points: FloatArray, skeleton: Skeleton, size: float) -> None:
    """Thin bones and rings, so that the keypoints below stay visible."""
    import cv2  # noqa: PLC0415

    present = is_there(points)
    colour = rgb(REPROJECTED)
    for parent, child in skeleton.bones:
        if present[parent] and present[child]:
            a, b = fixed(points[parent]), fixed(points[child])
            cv2.line(image, a, b, colour, max(round(size), 1), cv2.LINE_AA, SUBPIXEL_BITS)
    for joint in np.flatnonzero(present):
        radius = round(3.4 * size * 2**SUBPIXEL_BITS)
        cv2.circle(image, fixed(points[joint]), radius, colour, max(round(size), 1), cv2.LINE_AA, SUBPIXEL_BITS)


# ---- faces -----------------------------------------------------------------------------------------------------------


def _faces_px(positions: FloatArray, skeleton: Skeleton) -> FloatArray:
    """(time, [person,] joint, 2) px -> (time, [person,] 4): the face's centre x, y and half axes; NaN if unknown.

    The head's height comes from the longest of trunk, shoulders and face, each in its proportion to the
    head, since every length only shortens when it is turned from the camera; without any of them, from the recording's
    median. The centre is the mean of the face's joints, else above the shoulders along the trunk.
    """

    def mean(names: Sequence[str]) -> FloatArray:
        return _mean_present(positions[..., [skeleton.index(n) for n in names if n in skeleton], :])

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
    centre = _mean_present(face_points)
    known = np.isfinite(centre[..., 0])
    for other in (mean(head), top, above_shoulders):
        centre = np.where(np.isfinite(centre), centre, other)
    margin = np.where(known, 1.25, 1.6) * height_px / 2  # an estimated place is blurred more generously
    return np.concatenate([centre, (margin * 0.85)[..., None], margin[..., None]], axis=-1)


def _mean_present(points: FloatArray) -> FloatArray:
    """(..., n, 2) -> (..., 2): the mean of those that are present; NaN if none is."""
    present = is_there(points)
    count = present.sum(axis=-1)[..., None]
    total = np.where(present[..., None], points, 0.0).sum(axis=-2)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _largest_distance(points: FloatArray) -> FloatArray:
    """(..., n, 2) -> (...): the largest distance between two of them; NaN if fewer than two are present."""
    if points.shape[-2] < 2:
        return np.full(points.shape[:-2], np.nan)
    distance = np.linalg.norm(points[..., :, None, :] - points[..., None, :, :], axis=-1)
    pairs = distance[..., *np.triu_indices(points.shape[-2], 1)]
    return _largest(*np.moveaxis(pairs, -1, 0))


def _largest(*lengths: FloatArray) -> FloatArray:
    """The largest finite and positive one of each place; NaN if none is."""
    stacked = np.stack([np.where(np.isfinite(length) & (length > 0), length, -np.inf) for length in lengths])
    largest = stacked.max(axis=0)
    return np.where(np.isfinite(largest), largest, np.nan)


def _blur(image: Image, face: FloatArray) -> None:
    """Replaces an ellipse (x, y, half axes; px) by six by six averages of the image around it, blended smoothly.

    36 averages identify no one. Only pixels inside the ellipse change.
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
