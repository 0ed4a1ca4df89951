"""2D joints of one camera to 3D joints, with a network of VideoPose3D's kind and its weights (Pavllo et al. 2019).

A published network takes COCO's 17 keypoints in screen coordinates and gives Human3.6M's 17 joints in metres, in the
camera's axes, relative to the hip: no place in the room, and the size of the people it was trained on.
"""

from __future__ import annotations

import numpy as np

from gonio.core.arrays import BoolArray, FloatArray
from gonio.core.sequence import PoseSequence, Source, Status
from gonio.core.skeleton import COCO_17, H36M_17
from gonio.errors import InputError
from gonio.lifting.checkpoints import Weights
from gonio.lifting.prediction import normalise_screen, predict

TRAINED_HZ = 50.0  # Human3.6M's frame rate: what a "frame" of the receptive field means to published networks


def lift(weights: Weights, keypoints: PoseSequence, *, min_confidence: float = 0.0, flip: bool = True) -> PoseSequence:
    """3D joints of Human3.6M's layout, in the frame "root" with the camera's axes, at the keypoints' times.

    keypoints       2D, of any layout that has COCO's joints
    min_confidence  keypoints below it count as missing
    flip            average with the answer to the mirrored keypoints, as published results do

    These networks know no missing keypoint. One that is missing takes the straight line between the frames where it is
    seen, or the nearest one at the ends; it is counted in the history, and every joint of such a frame is marked
    interpolated. Raises `InputError` where the keypoints are 3D, the size of their image is unknown, a joint is never
    seen, or the network has other joints.
    """
    architecture = weights.architecture
    if (architecture.in_joints, architecture.in_features, architecture.out_joints) != (17, 2, 17):
        raise InputError(
            f"the network takes {architecture.in_joints} joints with {architecture.in_features} numbers and gives "
            f"{architecture.out_joints}; this lifts COCO's 17 keypoints (x, y) to Human3.6M's 17 joints"
        )
    if keypoints.unit != "px" or keypoints.image_size_px is None:
        raise InputError("lifting needs 2D keypoints in pixels, and the size of their image")
    coco = keypoints.to_skeleton(COCO_17)
    seen = np.asarray(coco.valid & (coco.confidence >= min_confidence))
    never = [COCO_17.joints[joint] for joint in np.flatnonzero(~seen.any(axis=0))]
    if never:
        raise InputError(f"never seen: {', '.join(never)}; the network needs every keypoint of COCO's layout")
    screen = normalise_screen(_filled(coco, seen), *keypoints.image_size_px)
    mirrored = (COCO_17, H36M_17) if flip else None
    joints = predict(weights, screen[None].astype(np.float32), mirrored=mirrored)[0].astype(float)
    doubtful = ~seen.all(axis=1)
    rate = f"{keypoints.rate_hz:.3g}"
    return PoseSequence(
        positions=joints,
        times_s=keypoints.times_s,
        skeleton=H36M_17,
        unit="m",
        frame="root",
        frame_name=keypoints.frame_name,
        up="-y",
        confidence=np.repeat(coco.confidence.mean(axis=1)[:, None], 17, axis=1),
        status=np.repeat(np.where(doubtful, Status.INTERPOLATED, Status.MEASURED)[:, None], 17, axis=1),
        source=Source("lifting", f"temporal convolutions over {architecture.receptive_field} frames"),
        history=(
            *coco.history,
            f"keypoints missing or below confidence {min_confidence:g}: {int((~seen).sum())} of {seen.size}, in "
            f"{int(doubtful.sum())} of {len(seen)} frames; taken from the straight line between their neighbours",
            f"lifted by a network of {architecture.receptive_field} frames"
            + (", averaged with the mirrored keypoints" if flip else ""),
            *(
                []
                if abs(keypoints.rate_hz - TRAINED_HZ) < 1
                else [f"the network was trained at 50 Hz, this is {rate} Hz"]
            ),
        ),
    )


def _filled(keypoints: PoseSequence, seen: BoolArray) -> FloatArray:
    """(time, joint, 2) px without gaps: linear between the frames where a joint is seen, constant at the ends."""
    filled = np.array(keypoints.positions)
    for joint in np.flatnonzero(~seen.all(axis=0)):
        there = seen[:, joint]
        for axis in range(2):
            filled[:, joint, axis] = np.interp(
                keypoints.times_s, keypoints.times_s[there], keypoints.positions[there, joint, axis]
            )
    return filled
