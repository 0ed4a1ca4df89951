"""Joints in 3D beside the image that they come from: a video, or a GIF to send by mail.

On the left each frame of the camera with its 2D keypoints, on the right one panel for each 3D sequence. All panels show
the person from one side, by one scale, through the whole clip: nothing turns and nothing is fitted to a frame. The view
is parallel (no perspective) and keeps the person's hips in the middle of the panel.

The viewing direction is that of the camera, turned by 40 degrees around the person (counter-clockwise from above) and
by 12 degrees downwards, so that depth is visible too. For a sequence in a camera's axes that direction is known. For
one in world axes it is the direction from which the parallel projection of the 3D joints fits the 2D keypoints best:
least squares over all shared joints and frames.

If the vertical is known, a ground of half-metre tiles is drawn below the feet. In world and camera frames its height is
that of the lowest joint in most frames. Joints relative to the hips have no absolute height: the lower of ankles and
feet is on the ground in every frame, so that a squat goes down, but a jump does not leave the ground.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from gonio.core.arrays import BoolArray, FloatArray, VideoFrame
from gonio.core.clock import nearest_frame, nearest_frames
from gonio.core.detections import smallest_image_px
from gonio.core.errors import InputError
from gonio.core.sequence import Axis, PoseSequence, up_rotation
from gonio.report.drawing import SUBPIXEL_BITS, Image, caption, draw_skeleton, fixed, is_there, rgb, stamp
from gonio.report.overlay import FrameRenderer
from gonio.report.palette import FAINT, INK, LEFT, MIDLINE, RIGHT
from gonio.report.video_writing import write_gif, write_mp4

SUFFIXES = (".mp4", ".gif")
GIF_HZ, GIF_WIDTH_PX = 15.0, 640

_MP4_SIZE_PX = (1920, 720)
_PANEL = 0.8  # width of a panel, over its height
_AROUND, _DOWN = np.deg2rad(40.0), np.deg2rad(12.0)
_MARGIN = 0.12  # of a panel, left free above and below the person
_OUTLIERS = 1.0  # per cent of the frames that need not fit in at either end
_TILE_M, _TILES = 0.5, 2  # the ground: that many tiles to each side of the person
_PAPER, _CANVAS, _GROUND = "#FFFFFF", "#2B3038", "#EDF0F4"
_FEET = ("ankle", "foot", "heel", "toe")
_CAMERA_UP: Axis = "-y"


@dataclass(frozen=True)
class RenderedLift:
    """What was drawn: frames written, those without a 2D keypoint, and for each sequence those without a 3D joint."""

    frames: int
    frames_without_keypoints: int
    frames_without_joints: Mapping[str, int]


def lifted_video(
    path: Path,
    frames: Iterable[VideoFrame] | None,
    keypoints: PoseSequence,
    joints: PoseSequence | Mapping[str, PoseSequence],
    *,
    blur_faces: bool = False,
    on_frame: Callable[[], None] | None = None,
) -> RenderedLift:
    """Write `frames` with `keypoints` (2D, px of these frames) and, beside them, `joints` (3D, m) as .mp4 or .gif.

    frames     taken one after another; None draws the keypoints on an empty image of their image size, or if that is
               not known on the smallest that holds them
    joints     one sequence, or one for each name: a panel each
    on_frame   called after every frame, also after those that a GIF leaves out

    A frame takes the row of a sequence whose time is nearest, within half of the sequence's interval. A GIF has at most
    15 frames a second and is 640 px wide, an MP4 at most 1920 x 720 px.

    Raises `InputError` if the suffix is another one, keypoints or joints have other dimensions or never meet in
    time, the frames are not of the keypoints' size or no frame has keypoints, and as `encoding.write_mp4` does.
    """
    path = Path(path)
    check_suffix(path)
    named = {_name(joints): joints} if isinstance(joints, PoseSequence) else dict(joints)
    _check(keypoints, named)
    if frames is None:
        frames = _empty_frames(keypoints)
    is_gif = path.suffix.lower() == ".gif"
    renderer = PanelRenderer(keypoints, named, (GIF_WIDTH_PX, 480) if is_gif else _MP4_SIZE_PX, blur_faces)

    def drawn() -> Iterator[VideoFrame]:
        due_s = -np.inf
        for frame in frames:
            if not is_gif or frame.time_s >= due_s:
                due_s = frame.time_s + 1 / GIF_HZ - 1e-3
                yield replace(frame, image=renderer.draw(frame))
            if on_frame is not None:
                on_frame()
        renderer.check()

    if is_gif:
        write_gif(path, drawn(), [rgb(colour) for colour in (_PAPER, _GROUND, FAINT, LEFT, RIGHT, MIDLINE, INK)])
    else:
        write_mp4(path, drawn())
    return renderer.report()


def check_suffix(path: Path) -> None:
    """Raises `InputError` if `lifted_video` cannot write a file of this name."""
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(f"{path}: joints are rendered as {' or '.join(SUFFIXES)}; choose one of these")


def _name(joints: PoseSequence) -> str:
    return joints.source.method or "3D joints"


def _check(keypoints: PoseSequence, joints: Mapping[str, PoseSequence]) -> None:
    if keypoints.dimensions != 2:
        raise InputError("the keypoints are in 3D; the first sequence must hold the 2D keypoints of the image, in px")
    if not keypoints.valid.any():
        raise InputError("no frame has a keypoint; nothing can be drawn")
    if not joints:
        raise InputError("no 3D joints to draw")
    for name, sequence in joints.items():
        if sequence.dimensions != 3:
            raise InputError(f"{name}: the joints are in 2D; a panel needs 3D joints, in metres")
        if not sequence.valid.any():
            raise InputError(f"{name}: no frame has a joint; nothing can be drawn")
        if (nearest_frames(sequence.times_s, keypoints.times_s) < 0).all():
            a, b = keypoints.times_s, sequence.times_s
            raise InputError(
                f"{name}: its joints ({b[0]:.3f}-{b[-1]:.3f} s) and the keypoints ({a[0]:.3f}-{a[-1]:.3f} s) never "
                f"meet in time; give files of one recording, on one clock"
            )


def _empty_frames(keypoints: PoseSequence) -> Iterator[VideoFrame]:
    width, height = keypoints.image_size_px or smallest_image_px(keypoints.positions)
    image = np.full((height, width, 3), rgb(_CANVAS), np.uint8)
    return (VideoFrame(i, float(time_s), image) for i, time_s in enumerate(keypoints.times_s))


class PanelRenderer:
    """Draws the frames of one clip, image and panels side by side, and counts what it did."""

    def __init__(
        self,
        keypoints: PoseSequence,
        joints: Mapping[str, PoseSequence],
        largest_px: tuple[int, int],
        blur_faces: bool,
    ) -> None:
        self._keypoints, self._largest_px, self._blur_faces = keypoints, largest_px, blur_faces
        self._views = {name: _seen(sequence, keypoints) for name, sequence in joints.items()}
        self._image: FrameRenderer | None = None
        self._panels: list[_Panel] = []

    def draw(self, frame: VideoFrame) -> Image:
        if self._image is None:
            self._prepare(frame)
        assert self._image is not None
        image = self._image.draw(frame)
        _write_time(image, frame.time_s)
        panels = [panel.draw(frame.time_s) for panel in self._panels]
        return np.concatenate([image, *panels], axis=1)[:, : self._largest_px[0]]

    def _prepare(self, frame: VideoFrame) -> None:
        """Sizes, from the first frame."""
        height, width = frame.image.shape[:2]
        declared = self._keypoints.image_size_px
        if declared is not None and declared != (width, height):
            raise InputError(
                f"the video has {width} x {height} px, the keypoints were found in {declared[0]} x {declared[1]} px; "
                f"give the video that they come from"
            )
        widest, highest = self._largest_px
        height = int(min(height, highest, widest / (width / height + _PANEL * len(self._views))))
        self._image = FrameRenderer(self._keypoints, None, self._blur_faces, None, height)
        size = (round(_PANEL * height), height)
        px_per_m = min(view.px_per_m(size) for view in self._views.values())
        self._panels = [_Panel(name, view, size, px_per_m) for name, view in self._views.items()]

    def check(self) -> None:
        """After the last frame: raises `InputError` if none had keypoints."""
        done = self.report()
        if done.frames and done.frames_without_keypoints == done.frames:
            start, end = self._keypoints.times_s[[0, -1]]
            raise InputError(
                f"no frame of the video has a time of the keypoints ({start:.3f}-{end:.3f} s); give the video that "
                f"they come from"
            )

    def report(self) -> RenderedLift:
        if self._image is None:
            return RenderedLift(0, 0, {})
        done = self._image.report()
        return RenderedLift(done.frames, done.frames_without_keypoints, {p.name: p.empty for p in self._panels})


# ---- the view --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _View:
    """One sequence as the viewer sees it.

    points_m   (time, joint, 3) right, down, away from the viewer; the middle of the panel's width is 0
    offset_m   (time, 2) position of that middle on the ground: right and away, before the tilt; None: no ground
    """

    sequence: PoseSequence
    points_m: FloatArray
    offset_m: FloatArray | None

    def vertical_m(self) -> tuple[float, float]:
        """(top, bottom) of what must fit into the panel, with the ground if there is one."""
        down = self.points_m[..., 1][self.sequence.valid.any(axis=1)]
        top, bottom = (
            np.percentile(np.nanmin(down, axis=1), _OUTLIERS),
            np.percentile(np.nanmax(down, axis=1), 100 - _OUTLIERS),
        )
        if self.offset_m is not None:
            bottom = max(bottom, _TILE_M * _TILES * np.sin(_DOWN))
        return float(top), float(bottom)

    def px_per_m(self, size_px: tuple[int, int]) -> float:
        """The largest scale at which the person fits into a panel in (nearly) every frame."""
        top, bottom = self.vertical_m()
        across = np.abs(self.points_m[..., 0][self.sequence.valid])
        half = max(float(np.percentile(across, 100 - _OUTLIERS / 4)), 0.3)
        free = 1 - 2 * _MARGIN
        return min(size_px[0] * free / (2 * half), size_px[1] * free / max(bottom - top, 0.5))


def _seen(sequence: PoseSequence, keypoints: PoseSequence) -> _View:
    """The sequence in the viewer's axes: upright, the hips in the middle, the feet on the ground."""
    own = sequence.positions @ up_rotation(sequence.up or _CAMERA_UP, _CAMERA_UP).T  # y down
    middle = _middle(own, sequence)
    around = _around(sequence, own, keypoints)
    turned, travel = (own - middle[:, None]) @ around.T, middle @ around.T
    if sequence.up is not None:
        if sequence.frame == "root":
            ground = _lowest(turned, sequence)
            travel = np.zeros_like(travel)
        else:
            turned[..., 1] += travel[:, None, 1]
            ground = np.full(len(sequence), np.nanmedian(_lowest(turned, sequence)))
        turned[..., 1] -= ground[:, None]
    looking_down = np.array([[1, 0, 0], [0, np.cos(_DOWN), -np.sin(_DOWN)], [0, np.sin(_DOWN), np.cos(_DOWN)]])
    offset = None if sequence.up is None else travel[:, [0, 2]]
    return _View(sequence, turned @ looking_down.T, offset)


def _middle(positions: FloatArray, sequence: PoseSequence) -> FloatArray:
    """(time, 3) the mid-hip, or if no frame has it the mean of the joints; linear across gaps."""
    hips = sequence.derive(positions=positions, covariance=None).root_m()
    present = is_there(hips)
    if not present.any():
        present = np.asarray(sequence.valid.any(axis=1))
        hips = np.full_like(hips, np.nan)
        hips[present] = np.nanmean(positions[present], axis=1)
    return _filled(hips, present)


def _lowest(turned: FloatArray, sequence: PoseSequence) -> FloatArray:
    """(time,) down coordinate of the lowest of ankles and feet, or of all joints if the layout has none of these."""
    feet = [j for j, joint in enumerate(sequence.skeleton.joints) if any(word in joint for word in _FEET)]
    down = turned[:, feet or slice(None), 1]
    if np.isnan(down).all():
        down = turned[..., 1]
    present = np.asarray(np.isfinite(down).any(axis=1))
    lowest = np.where(present, np.where(np.isfinite(down), down, -np.inf).max(axis=1), np.nan)
    return _filled(lowest[:, None], present)[:, 0]


def _filled(values: FloatArray, present: BoolArray) -> FloatArray:
    """(time, n) without gaps: linear between present frames, constant at the ends."""
    rows = np.arange(len(values))
    known = np.flatnonzero(present)
    return np.stack([np.interp(rows, known, column[known]) for column in values.T], axis=1)


def _around(sequence: PoseSequence, own: FloatArray, keypoints: PoseSequence) -> FloatArray:
    """(3, 3) turns axes with y down about the vertical, to right, down and away of the viewer."""
    across = np.array([1.0, 0.0])
    if sequence.frame == "world" and sequence.up is not None:
        across = _image_across(sequence, own, keypoints)
    camera = np.array([[across[0], 0, across[1]], [0, 1, 0], [-across[1], 0, across[0]]])
    cos, sin = np.cos(_AROUND), np.sin(_AROUND)
    return np.asarray(np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]]) @ camera)


def _image_across(sequence: PoseSequence, own: FloatArray, keypoints: PoseSequence) -> FloatArray:
    """(2,) along the ground's x and z, of length 1: the direction to the right in the image; x if it is unknown.

    Columns of the image are a linear function of the joints' places, in each frame about its own mean; the part of
    the vertical in it is the camera's roll and is left out.
    """
    shared = sequence.common_joints(keypoints)
    rows = nearest_frames(sequence.times_s, keypoints.times_s)
    places = own[rows][:, [sequence.skeleton.index(joint) for joint in shared]]
    columns = keypoints.select(shared).positions[..., :1]
    present = (rows >= 0)[:, None] & is_there(places) & is_there(columns)

    def about_mean(values: FloatArray) -> FloatArray:
        count = np.maximum(present.sum(axis=1), 1)[:, None, None]
        mean = np.where(present[..., None], values, 0.0).sum(axis=1, keepdims=True) / count
        return np.asarray((values - mean)[present])

    if not present.any():
        return np.array([1.0, 0.0])
    across = np.linalg.lstsq(about_mean(places), about_mean(columns)[:, 0], rcond=None)[0][[0, 2]]
    length = float(np.linalg.norm(across))
    return np.asarray(across / length) if length > 1e-9 else np.array([1.0, 0.0])


# ---- drawing ---------------------------------------------------------------------------------------------------------


class _Panel:
    """Draws one sequence at any time."""

    def __init__(self, name: str, view: _View, size_px: tuple[int, int], px_per_m: float) -> None:
        width, height = size_px
        self.name, self.empty = name, 0
        self._view, self._px_per_m = view, px_per_m
        top, bottom = view.vertical_m()
        self._origin_px = np.array([(width - 1) / 2, (height - 1) / 2 - px_per_m * (top + bottom) / 2])
        if view.offset_m is not None:  # the ground of all panels at one height
            self._origin_px[1] = height * (1 - _MARGIN) - px_per_m * _TILE_M * _TILES * np.sin(_DOWN)
        self._blank = np.full((height, width, 3), rgb(_PAPER), np.uint8)
        self._blank[:, :1] = rgb(FAINT)
        self._size = max(float(np.sqrt(width * height)) / 420, 0.8)
        stamp(self._blank, caption(name, max(round(11 * self._size), 9), width))

    def to_px(self, points_m: FloatArray) -> FloatArray:
        """(..., 2 or 3) right and down in metres -> (..., 2) px of the panel."""
        return np.asarray(self._origin_px + self._px_per_m * points_m[..., :2])

    def draw(self, time_s: float) -> Image:
        image = self._blank.copy()
        sequence = self._view.sequence
        row = nearest_frame(sequence.times_s, time_s)
        if row is None or not sequence.valid[row].any():
            self.empty += 1
            return image
        if self._view.offset_m is not None:
            self._draw_ground(image, self._view.offset_m[row])
        points = self._view.points_m[row]
        draw_skeleton(
            image, self.to_px(points), sequence.confidence[row], sequence.skeleton, self._size, depths=points[:, 2]
        )
        return image

    def _draw_ground(self, image: Image, offset_m: FloatArray) -> None:
        """Ground tiles, fixed in the world while the person walks over them."""
        import cv2  # noqa: PLC0415

        reach = _TILE_M * _TILES

        def corner(right: float, away: float) -> tuple[int, int]:
            return fixed(self.to_px(np.array([right, -away * np.sin(_DOWN)])))

        corners = [corner(-reach, -reach), corner(reach, -reach), corner(reach, reach), corner(-reach, reach)]
        cv2.fillConvexPoly(image, np.array(corners), rgb(_GROUND), cv2.LINE_AA, SUBPIXEL_BITS)
        for axis in range(2):
            for line in np.arange(-_TILES, _TILES + 1) * _TILE_M - np.mod(offset_m[axis], _TILE_M):
                if line < -reach - 1e-9:
                    continue
                ends = [(line, -reach), (line, reach)] if axis == 0 else [(-reach, line), (reach, line)]
                cv2.line(image, corner(*ends[0]), corner(*ends[1]), rgb(FAINT), 1, cv2.LINE_AA, SUBPIXEL_BITS)


def _write_time(image: Image, time_s: float) -> None:
    """The frame's time, into the lower left corner."""
    import cv2  # noqa: PLC0415

    size = max(float(np.sqrt(image.shape[0] * image.shape[1])) / 1100, 0.38)
    place = (round(12 * size), image.shape[0] - round(14 * size))
    for colour, width in (((0, 0, 0), 4 * size), ((255, 255, 255), 1.6 * size)):
        cv2.putText(
            image,
            f"{time_s:.2f} s",
            place,
            cv2.FONT_HERSHEY_SIMPLEX,
            size,
            colour,
            max(round(width), 1),
            cv2.LINE_AA,
        )
