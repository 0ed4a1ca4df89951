"""Measurement: the 3D joints of every method of a trial, on common times, and everything that they came from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from gonio.core.angle_series import AngleSeries
from gonio.core.arrays import FloatArray
from gonio.core.camera import Rig
from gonio.core.detections import Detections
from gonio.core.sequence import EVALUATION_JOINTS, PoseSequence
from gonio.kinematics.angles import joint_angles
from gonio.multiview.triangulation import Triangulation
from gonio.trials.config import Trial
from gonio.trials.methods import Method


@dataclass(frozen=True, eq=False)
class Measurement(Mapping[str, PoseSequence]):
    """What was measured: a mapping from method to 3D sequence, all on the same times.

    methods         what was measured, in the order of the sequences
    sequences       method's name -> its 3D joints
    detections      camera -> everybody seen, before anybody is followed, on the common clock
    views           camera -> the patient's 2D joints, on the common clock
    offsets_s       camera -> seconds added to the camera's own clock to come to the common one
    rig             the cameras that are calibrated, under the trial's names; None where there is none
    triangulations  stereo method -> what was used, dropped and left over
    notes           what was decided on the way, in words
    warnings        what makes the numbers doubtful, in words
    assumptions     what was not known and had to be assumed, in words
    """

    trial: Trial
    methods: tuple[Method, ...]
    sequences: Mapping[str, PoseSequence]
    detections: Mapping[str, Detections]
    views: Mapping[str, PoseSequence]
    offsets_s: Mapping[str, float]
    rig: Rig | None
    triangulations: Mapping[str, Triangulation]
    notes: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    assumptions: tuple[str, ...] = ()

    def __getitem__(self, method: str) -> PoseSequence:
        return self.sequences[method]

    def __iter__(self) -> Iterator[str]:
        return iter(self.sequences)

    def __len__(self) -> int:
        return len(self.sequences)

    def angles(self) -> dict[str, AngleSeries]:
        """Joint angles of every method."""
        return {name: joint_angles(sequence) for name, sequence in self.sequences.items()}

    def reprojection_px(self, method: str) -> FloatArray:
        """(view, time, joint) reprojection errors of a stereo method over the evaluation joints; NaN where not used."""
        result = self.triangulations[method]
        joints = [j for j, joint in enumerate(result.sequence.skeleton.joints) if joint in EVALUATION_JOINTS]
        return result.reprojection_px[:, :, joints]

    def reprojection_px_median(self) -> dict[str, float]:
        """camera -> median reprojection error over the evaluation joints, of the method that uses the most cameras."""
        medians: dict[str, float] = {}
        for method, result in sorted(self.triangulations.items(), key=lambda item: -len(item[1].camera_names)):
            for camera, errors in zip(result.camera_names, self.reprojection_px(method), strict=True):
                if camera not in medians and not np.isnan(errors).all():
                    medians[camera] = float(np.nanmedian(errors))
        return medians

    def reprojection_px_median_all(self) -> float | None:
        """Median over all cameras of the method that uses the most; None where nothing was triangulated."""
        if not self.triangulations:
            return None
        errors = self.reprojection_px(max(self.triangulations, key=lambda m: len(self.triangulations[m].camera_names)))
        return None if np.isnan(errors).all() else float(np.nanmedian(errors))
