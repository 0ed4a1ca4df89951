"""3D joints from one camera alone: lifted keypoints, and a detector's own 3D estimate, in the axes of the rig.

Both are relative to the mid-hip. Lifted joints also get a place in the rig's frame if the camera is calibrated and the
size of the person is known. With an assumed size the place would be assumed too, and an absolute error would measure
little but the wrong assumption.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from gonio.core.arrays import FloatArray
from gonio.core.camera import Camera, Rig
from gonio.core.clock import resample
from gonio.core.errors import InputError
from gonio.core.files import sha256_of
from gonio.core.sequence import PoseSequence
from gonio.lifting import checkpoints
from gonio.lifting.body_lifting import assumed_camera
from gonio.lifting.checkpoints import Weights
from gonio.lifting.lifter import lift_and_place, uses_body_coordinates
from gonio.lifting.placing import parse_segment, scaled_to_match
from gonio.multiview.triangulation import Triangulation
from gonio.trials.config import LiftingConfig, Trial
from gonio.trials.methods import Method, weights_file


def read_weights(path: Path, *, causal: bool) -> Weights:
    """A lifting network's weights. Raises `InputError` naming the file if it cannot be read or is of another network.

    causal  the network is causal: published checkpoints do not state it
    """
    weights = checkpoints.read(path, causal=causal or None)
    try:
        uses_body_coordinates(weights)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    return weights


def checksum(path: Path) -> str:
    """sha256 of a file of weights."""
    return sha256_of(path) or ""


def lifted_view(
    weights: Weights,
    settings: LiftingConfig,
    view: PoseSequence,
    rig: Rig | None,
    times_s: FloatArray,
    measured: tuple[str, PoseSequence] | None,
) -> PoseSequence:
    """One camera's keypoints, lifted at its own frames and resampled to the common times; with a rig, in its axes.

    measured  name and joints of the triangulation that gives the size, if `settings.scale` is "stereo"

    Raises `InputError` if the keypoints cannot be lifted.
    """
    camera = _camera(settings, view, rig)
    known = settings.scale == "stereo" or settings.height_m is not None or settings.segment is not None
    (joints,) = lift_and_place(
        weights,
        {"": view},
        cameras={} if camera is None else {"": camera},
        min_confidence=settings.min_confidence,
        flip=settings.flip,
        stature_m=settings.height_m,
        segment=None if settings.segment is None else parse_segment(settings.segment),
        place="geometry" if rig is not None and known else "root",
    ).values()
    joints = resample(joints, times_s)
    if settings.scale == "stereo":
        assert measured is not None
        joints = scaled_to_match(joints, measured[1], measured[0])
    return joints if rig is None else in_rig(joints, rig)


def _camera(settings: LiftingConfig, view: PoseSequence, rig: Rig | None) -> Camera | None:
    """The rig's camera; without a rig one with the declared focal length; None if it must be assumed."""
    if rig is not None:
        return rig[view.frame_name]
    if view.image_size_px is None:
        raise InputError(
            "the keypoint file does not state the size of its images; give size_px of this camera in a trial file"
        )
    return None if settings.focal_px is None else assumed_camera(view.image_size_px, settings.focal_px, view.frame_name)


def in_rig(joints: PoseSequence, rig: Rig) -> PoseSequence:
    """Joints in a camera's axes to the rig's axes, by the camera's calibration.

    Frame "root" stays "root" (rotated only); "camera" becomes "world".
    """
    camera = rig[joints.frame_name]
    placed = joints.frame == "camera"
    return joints.transformed(
        camera.rotation.T,
        camera.center_m if placed else (0.0, 0.0, 0.0),
        frame="world" if placed else "root",
        frame_name=rig.name,
        up=rig.up,
        step=f"turned into the rig's axes by the known rotation of {camera.name}",
    )


def lift_views(
    trial: Trial,
    rig: Rig | None,
    views: Mapping[str, PoseSequence],
    requested: Sequence[Method],
    times_s: FloatArray,
    triangulations: Mapping[str, Triangulation],
) -> tuple[dict[str, PoseSequence], list[str]]:
    """Lifting method -> joints at the common times; sentences on methods that are left out.

    A view that cannot be lifted is left out if the trial names no methods. Raises `InputError` if it does, and if
    nothing else is measured.
    """
    methods = {method.name: method.cameras[0] for method in requested if method.kind == "lifting"}
    if not methods:
        return {}, []
    weights = read_weights(weights_file(trial.lifting), causal=trial.lifting.causal)
    measured: tuple[str, PoseSequence] | None = None
    if triangulations:
        name = max(triangulations, key=lambda method: len(triangulations[method].camera_names))
        measured = (name, triangulations[name].sequence)
    lifted: dict[str, PoseSequence] = {}
    left_out: list[str] = []
    for method, camera in methods.items():
        try:
            lifted[method] = lifted_view(weights, trial.lifting, views[camera], rig, times_s, measured)
        except InputError as error:
            file = next(c.file for c in trial.cameras if c.name == camera)
            if trial.methods or len(left_out) + 1 == len(requested):
                raise InputError(f"{file}: cannot be lifted: {error}") from None
            left_out.append(f"{method} is left out: {file}: {error}")
    return lifted, left_out
