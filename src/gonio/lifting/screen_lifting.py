"""Lifting with a published network of VideoPose3D's (Pavllo et al. 2019): screen coordinates in, metres out.

Such a network takes COCO's 17 keypoints in screen coordinates and gives Human3.6M's 17 joints in metres, in the
camera's axes, relative to the hip: no position, and the size of the people that it was trained on. It cannot take a
missing keypoint. A missing one is interpolated linearly between the frames that have it, constant at the ends; it is
counted, and every joint of such a frame is marked interpolated.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gonio.core.arrays import BoolArray, FloatArray
from gonio.core.assumptions import Assumption, united
from gonio.core.errors import InputError
from gonio.core.sequence import PoseSequence, Status
from gonio.core.skeleton import COCO_17, H36M_17
from gonio.lifting.body_lifting import DEPENDS_ON_SIZE, SIZE_NOT_KNOWN
from gonio.lifting.prediction import normalise_screen

_TRAINED_SIZE = Assumption(
    "stature",
    f"{SIZE_NOT_KNOWN}: it is that of the people that the network was trained on. {DEPENDS_ON_SIZE}",
)
TRAINED_HZ = 50.0  # Human3.6M's frame rate: what a "frame" of the receptive field means to published networks


@dataclass(frozen=True, eq=False)
class ScreenTask:
    """One recording as input of a published network, with what is needed to read its output.

    keypoints  COCO's, as given
    seen       (time, 17) which of them are used
    inputs     (time, 17, 2) float32 screen coordinates, without gaps
    phases     1: all frames are one recording
    """

    keypoints: PoseSequence
    seen: BoolArray
    inputs: NDArray[np.float32]
    min_confidence: float
    phases: int = 1

    def root_m(self, answer: FloatArray) -> FloatArray:
        """(time, 1, 3) of the second network to (time, 3) metres: the same."""
        return answer[:, 0]

    def joints(self, answer: FloatArray) -> PoseSequence:
        """(time, 17, 3) of the network to joints in the frame "root"."""
        doubtful = ~self.seen.all(axis=1)
        rate_hz = self.keypoints.rate_hz
        steps = [
            f"keypoints missing or below confidence {self.min_confidence:g}: {int((~self.seen).sum())} of "
            f"{self.seen.size}, in {int(doubtful.sum())} of {doubtful.size} frames; interpolated linearly "
            f"between their neighbours"
        ]
        if abs(rate_hz - TRAINED_HZ) >= 1:
            steps.append(f"the network was trained at 50 Hz, this is {rate_hz:.3g} Hz")
        return PoseSequence(
            positions=answer,
            times_s=self.keypoints.times_s,
            skeleton=H36M_17,
            unit="m",
            frame="root",
            frame_name=self.keypoints.frame_name,
            up="-y",
            confidence=np.repeat(self.keypoints.confidence.mean(axis=1)[:, None], 17, axis=1),
            status=np.repeat(np.where(doubtful, Status.INTERPOLATED, Status.MEASURED)[:, None], 17, axis=1),
            history=(*self.keypoints.history, *steps),
            assumptions=united([self.keypoints.assumptions, (_TRAINED_SIZE,)]),
        )


def screen_task(keypoints: PoseSequence, *, min_confidence: float) -> ScreenTask:
    """The task of one recording.

    Raises `InputError` if the keypoints are 3D, the size of their image is unknown, or a joint is never seen."""
    if keypoints.unit != "px" or keypoints.image_size_px is None:
        raise InputError("lifting needs 2D keypoints in pixels, and the size of their image")
    coco = keypoints.to_skeleton(COCO_17)
    seen = np.asarray(coco.valid & (coco.confidence >= min_confidence))
    never = [COCO_17.joints[joint] for joint in np.flatnonzero(~seen.any(axis=0))]
    if never:
        raise InputError(f"no frame shows {', '.join(never)}; the network needs every keypoint of COCO's layout")
    screen = normalise_screen(filled(coco, seen), *keypoints.image_size_px)
    return ScreenTask(coco, seen, screen.astype(np.float32), min_confidence)


def filled(keypoints: PoseSequence, seen: BoolArray) -> FloatArray:
    """(time, joint, 2) px without gaps: linear between the frames that show a joint, constant at the ends."""
    positions = np.array(keypoints.positions)
    for joint in np.flatnonzero(~seen.all(axis=0)):
        valid = seen[:, joint]
        for axis in range(2):
            positions[:, joint, axis] = np.interp(
                keypoints.times_s, keypoints.times_s[valid], keypoints.positions[valid, joint, axis]
            )
    return positions
