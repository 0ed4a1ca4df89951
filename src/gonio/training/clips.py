"""Keypoints of one camera, with or without their 3D target, as clips to train a network with.

Two normalisations. "body" is that of gonio's own networks (`gonio.lifting.normalisation`), targets in body sizes. The
body's length L on a plane at distance 1 is not in the input, so a network cannot find the distance of a person from it.
It can find the distance relative to 1 / L, where a body of size 1 in full length has the length L. This is the unit of
the root, which therefore lies near (0, 0, 1). The camera of such a clip has a focal
length of 1 / L in every frame, and nothing else. "screen" is that of published networks
(`gonio.lifting.prediction.normalise_screen`), metres relative to joint 0, and the camera is Human3.6M's in the same
coordinates.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from gonio.core.arrays import FloatArray
from gonio.core.camera import Camera
from gonio.core.errors import InputError
from gonio.core.sequence import PoseSequence
from gonio.lifting.normalisation import BodyInput, body_input, body_target
from gonio.lifting.prediction import normalise_screen
from gonio.lifting.screen_lifting import filled
from gonio.training.windows import Clip

SCREEN = "screen"
"""`metadata["normalisation"]` of weights that take screen coordinates."""


class Labelled(Protocol):
    """Keypoints in pixels; their target in metres, camera axes, relative to the root; the position of the root."""

    @property
    def keypoints(self) -> PoseSequence: ...
    @property
    def target(self) -> PoseSequence: ...
    @property
    def root_m(self) -> FloatArray: ...
    @property
    def camera(self) -> Camera | None: ...


def body_clip(pair: Labelled, *, causal: bool = False) -> Clip:
    """A pair as input and targets of gonio's networks.

    Raises `InputError` if the camera is not known, if no frame shows both hips, and if none shows a trunk,
    thigh or shank.
    """
    if pair.camera is None:
        raise InputError("the camera is not known; body coordinates need one")
    found = body_input(pair.keypoints, pair.camera, causal=causal)
    targets, mask, size = body_target(pair.target, found.rotations)
    root = np.einsum("tij,tj->ti", found.rotations, pair.root_m) / size * found.lengths[:, None]
    return replace(_clip_of(found), targets=targets, mask=mask, root=root.astype(np.float32))


def unlabelled_body_clip(keypoints: PoseSequence, camera: Camera, *, causal: bool = False) -> Clip:
    """Unlabelled keypoints as input of gonio's networks. Raises `InputError` as `body_clip` does."""
    return _clip_of(body_input(keypoints, camera, causal=causal))


def _clip_of(found: BodyInput) -> Clip:
    distances = (1 / found.lengths).astype(np.float32)
    camera = np.zeros((len(distances), 9), np.float32)
    camera[:, :2] = distances[:, None]
    return Clip(found.inputs, camera=camera, seen=found.inputs[..., 2] > 0, root_unit=distances)


def screen_clip(pair: Labelled) -> Clip:
    """A pair as input and targets of published networks; targets and root in metres.

    Raises `InputError` if a keypoint is missing or the size of the image is not known.
    """
    inputs = _screen(pair.keypoints, pair.keypoints.positions)
    mask = np.asarray(pair.target.valid)
    targets = np.where(mask[..., None], pair.target.positions, 0.0).astype(np.float32)
    seen = np.asarray(pair.keypoints.valid)
    return Clip(inputs, targets, mask, pair.root_m.astype(np.float32), _screen_cameras(pair.camera, len(inputs)), seen)


def unlabelled_screen_clip(keypoints: PoseSequence, camera: Camera) -> Clip:
    """Unlabelled keypoints as input of published networks.

    A missing keypoint is interpolated linearly, as in prediction, and counts in no loss. Distortion of OpenCV's kind is
    removed from the keypoints.
    Raises `InputError` if no frame shows a joint or the size of the image is not known.
    """
    seen = np.asarray(keypoints.valid)
    never = [keypoints.skeleton.joints[joint] for joint in np.flatnonzero(~seen.any(axis=0))]
    if never:
        raise InputError(f"no frame shows {', '.join(never)}; the network needs every keypoint")
    if camera.distortion_model == "opencv" and any(camera.distortion):
        straight = np.array(keypoints.positions)
        straight[seen] = camera.undistort_image_points(straight[seen])
        keypoints = keypoints.derive("lens distortion removed", positions=straight)
        camera = Camera(camera.name, camera.size_px, camera.matrix)
    inputs = _screen(keypoints, filled(keypoints, seen))
    return Clip(inputs, camera=_screen_cameras(camera, len(inputs)), seen=seen)


def screen_camera(camera: Camera) -> FloatArray:
    """(9,) fx, fy, cx, cy, k1, k2, k3, p1, p2 in screen coordinates, as `gonio.training.losses.project` takes them.

    Raises `InputError` if the lens is OpenCV's with a tangential distortion, which Human3.6M's model does not have.
    """
    width, height = camera.size_px
    focal = camera.matrix[[0, 1], [0, 1]] * 2 / width
    centre = normalise_screen(camera.matrix[:2, 2], width, height)
    lens = np.array(camera.distortion)
    if camera.distortion_model == "opencv":
        if lens[2:4].any():
            raise InputError(f"camera {camera.name!r}: its tangential distortion is not of Human3.6M's kind")
        lens = lens[[0, 1, 4, 2, 3]]
    return np.concatenate([focal, centre, lens])


def _screen(keypoints: PoseSequence, positions: FloatArray) -> NDArray[np.float32]:
    if keypoints.unit != "px" or keypoints.image_size_px is None:
        raise InputError("2D keypoints in pixels are needed, and the size of their image")
    if np.isnan(positions).any():
        raise InputError(f"{int(np.isnan(positions).any(axis=2).sum())} keypoints are missing")
    return np.asarray(normalise_screen(positions, *keypoints.image_size_px), dtype=np.float32)


def _screen_cameras(camera: Camera | None, frames: int) -> NDArray[np.float32]:
    """(frames, 9); NaN if the camera is not known."""
    one = np.full(9, np.nan) if camera is None else screen_camera(camera)
    return np.tile(one.astype(np.float32), (frames, 1))
