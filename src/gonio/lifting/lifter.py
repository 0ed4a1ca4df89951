"""2D joints of one camera to 3D joints, with a temporal network and its weights (Pavllo et al. 2019).

The metadata of the weights state their input: `metadata["normalisation"]` is "body" for gonio's own (`body_lifting`),
"screen" or absent for published ones (`screen_lifting`). Both give Human3.6M's 17 joints from the mid-hip, in the
camera's axes. `placing` finds the person's position.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gonio.core.arrays import FloatArray
from gonio.core.camera import Camera
from gonio.core.errors import ConfigError, InputError
from gonio.core.sequence import PoseSequence, Source
from gonio.core.skeleton import COCO_17, H36M_17, Skeleton
from gonio.lifting.body_lifting import BodyTask, assumed_camera, body_task
from gonio.lifting.checkpoints import Weights
from gonio.lifting.normalisation import NORMALISATION
from gonio.lifting.placing import placed_at, placed_by_reprojection, with_segment, with_stature
from gonio.lifting.prediction import predict
from gonio.lifting.screen_lifting import ScreenTask, screen_task

ROOT = Skeleton("root", ("mid_hip",), (-1,))


def uses_body_coordinates(weights: Weights) -> bool:
    """True for gonio's own weights, False for published ones, which take screen coordinates.

    Raises `InputError` if the weights take another input or have another number of joints.
    """
    kind = weights.metadata.get("normalisation", "screen")
    if kind not in (NORMALISATION, "screen"):
        raise InputError(f"the network takes {kind!r} coordinates; this gonio knows {NORMALISATION!r} and 'screen'")
    a, features = weights.architecture, 3 if kind == NORMALISATION else 2
    if (a.in_joints, a.in_features, a.out_joints) != (17, features, 17):
        numbers = "x, y, seen" if features == 3 else "x, y"
        raise InputError(
            f"the network takes {a.in_joints} joints with {a.in_features} numbers and gives {a.out_joints}; this lifts "
            f"COCO's 17 keypoints ({numbers}) to Human3.6M's 17 joints"
        )
    return bool(kind == NORMALISATION)


def lift(
    weights: Weights,
    keypoints: PoseSequence,
    *,
    camera: Camera | None = None,
    min_confidence: float = 0.0,
    flip: bool = True,
    stature_m: float | None = None,
) -> PoseSequence:
    """3D joints of Human3.6M's layout, in the frame "root" with the camera's axes, at the keypoints' times.

    keypoints       2D, of any layout that has COCO's joints
    camera          of the keypoints, for gonio's own networks; default: assumed from the size of the image
    min_confidence  keypoints below it count as missing
    flip            average with the output for the mirrored keypoints, as published results do
    stature_m       of the person; default: 1.70 m for gonio's own networks, the size of the people that they were
                    trained on for published ones

    What was masked or filled is in the history, what was assumed in `assumptions`. Raises `InputError` if keypoints
    cannot be lifted or do not fit the network, and `ConfigError` if the stature is not a person's.
    """
    return lift_many(
        weights,
        {"": keypoints},
        cameras={} if camera is None else {"": camera},
        min_confidence=min_confidence,
        flip=flip,
        stature_m=stature_m,
    )[""]


def lift_many(
    weights: Weights,
    keypoints: Mapping[str, PoseSequence],
    *,
    cameras: Mapping[str, Camera] | None = None,
    min_confidence: float = 0.0,
    flip: bool = True,
    stature_m: float | None = None,
) -> dict[str, PoseSequence]:
    """`lift` of several recordings, by name, in one batch; `cameras` holds the known cameras, by the same names."""
    tasks = _tasks(weights, keypoints, cameras or {}, min_confidence, stature_m)
    a = weights.architecture
    kind = "causal temporal convolutions" if a.causal else "temporal convolutions"
    source = Source("lifting", f"{kind} over {a.receptive_field} frames")
    step = f"lifted by a network of {a.receptive_field} frames" + (
        ", averaged with the mirrored keypoints" if flip else ""
    )
    answers = _answers(weights, tasks, H36M_17 if flip else None)
    lifted = {name: task.joints(answers[name]).derive(step, source=source) for name, task in tasks.items()}
    if stature_m is not None and not uses_body_coordinates(weights):
        lifted = {name: with_stature(joints, stature_m) for name, joints in lifted.items()}
    return lifted


def root_trajectories(
    weights: Weights,
    keypoints: Mapping[str, PoseSequence],
    *,
    cameras: Mapping[str, Camera] | None = None,
    min_confidence: float = 0.0,
    flip: bool = True,
    stature_m: float | None = None,
) -> dict[str, FloatArray]:
    """(time, 3) metres: the mid-hip in the camera's frame, by the weights' second network.

    Raises `InputError` if the weights have none, and if `lift_many` does.
    """
    if weights.trajectory is None:
        raise InputError("these weights have no network of the trajectory; place the joints by geometry")
    tasks = _tasks(weights, keypoints, cameras or {}, min_confidence, stature_m)
    answers = _answers(weights.trajectory, tasks, ROOT if flip else None)
    return {name: task.root_m(answers[name]) for name, task in tasks.items()}


def _tasks(
    weights: Weights,
    keypoints: Mapping[str, PoseSequence],
    cameras: Mapping[str, Camera],
    min_confidence: float,
    stature_m: float | None,
) -> dict[str, BodyTask | ScreenTask]:
    own = uses_body_coordinates(weights)
    tasks: dict[str, BodyTask | ScreenTask] = {}
    for name, sequence in keypoints.items():
        if len(sequence) == 0:
            raise InputError("there is no frame to lift")
        tasks[name] = (
            body_task(
                sequence,
                cameras.get(name),
                min_confidence=min_confidence,
                causal=weights.architecture.causal,
                stature_m=stature_m,
            )
            if own
            else screen_task(sequence, min_confidence=min_confidence)
        )
    return tasks


def _answers(
    weights: Weights, tasks: Mapping[str, BodyTask | ScreenTask], mirrored: Skeleton | None
) -> dict[str, FloatArray]:
    """The network's output for each recording: (frames, joints, 3), in its own units. All phases are one batch."""
    rows = {name: [task.inputs[phase :: task.phases] for phase in range(task.phases)] for name, task in tasks.items()}
    rows = {name: [row for row in phases if len(row)] for name, phases in rows.items()}
    longest = max((len(row) for phases in rows.values() for row in phases), default=0)
    if longest == 0:
        return {}
    # `predict` repeats the last frame after the end, so repeating it here changes nothing.
    batch = np.stack([_extended(row, longest) for phases in rows.values() for row in phases])
    answers = iter(predict(weights, batch, mirrored=None if mirrored is None else (COCO_17, mirrored)).astype(float))
    joined: dict[str, FloatArray] = {}
    for name, task in tasks.items():
        joined[name] = np.empty((len(task.inputs), weights.architecture.out_joints, 3))
        for phase, row in enumerate(rows[name]):
            joined[name][phase :: task.phases] = next(answers)[: len(row)]
    return joined


def _extended(row: NDArray[np.float32], length: int) -> NDArray[np.float32]:
    return np.concatenate([row, np.repeat(row[-1:], length - len(row), axis=0)])


Place = Literal["root", "geometry", "network"]


def lift_and_place(
    weights: Weights,
    keypoints: Mapping[str, PoseSequence],
    *,
    cameras: Mapping[str, Camera] | None = None,
    min_confidence: float = 0.0,
    flip: bool = True,
    stature_m: float | None = None,
    segment: tuple[str, float] | None = None,
    place: Place = "root",
) -> dict[str, PoseSequence]:
    """`lift_many`, then the size by a measured segment, then the position.

    segment  name and metres, in place of the stature (`placing.with_segment`)
    place    "root": relative to the mid-hip. "geometry": such that the joints project onto the keypoints
             (`placing.placed_by_reprojection`). "network": by the weights' second network

    Raises `ConfigError` if stature and segment are both given, and `InputError` as the steps do.
    """
    if stature_m is not None and segment is not None:
        raise ConfigError("the size is given twice, by a stature and by a segment; give one of them")
    if place == "network" and stature_m is not None and not uses_body_coordinates(weights):
        raise InputError("these weights give the place in the metres they were trained in; a stature needs geometry")
    cameras = cameras or {}
    lifted = lift_many(
        weights, keypoints, cameras=cameras, min_confidence=min_confidence, flip=flip, stature_m=stature_m
    )
    if place == "network":
        roots = root_trajectories(
            weights, keypoints, cameras=cameras, min_confidence=min_confidence, flip=flip, stature_m=stature_m
        )
        step = "placed by the network of the trajectory"
        lifted = {name: placed_at(joints, roots[name], step) for name, joints in lifted.items()}
    elif place == "geometry":
        for name, joints in lifted.items():
            seen = keypoints[name]
            camera = cameras.get(name)
            if camera is None:
                assert seen.image_size_px is not None  # lifting has checked it
                camera = assumed_camera(seen.image_size_px, name=seen.frame_name)
            lifted[name] = placed_by_reprojection(joints, seen, camera, min_confidence=min_confidence)
    if segment is not None:
        lifted = {name: with_segment(joints, *segment) for name, joints in lifted.items()}
    return lifted
