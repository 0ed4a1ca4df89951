"""gonio: human movement from ordinary cameras, measured by several methods side by side.

    measurement = gonio.measure("trial.toml")   # {method: PoseSequence}
    result = gonio.compare("trial.toml")        # errors, angles and agreement, with their protocol
    sequence = gonio.read_sequence("joints.trc")
    gonio.write(sequence, "joints.csv")

For research; not a medical device.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gonio.capture.record import record
    from gonio.comparison.result import ComparisonResult
    from gonio.comparison.statistics.intervals import cluster_bootstrap
    from gonio.core.angle_series import AngleSeries
    from gonio.core.assumptions import Assumption
    from gonio.core.camera import Camera, Rig
    from gonio.core.detections import Detections
    from gonio.core.errors import GonioError
    from gonio.core.sequence import PoseSequence, Status
    from gonio.core.skeleton import Skeleton, layout, register_skeleton
    from gonio.detection.openpose.weights_import import import_weights
    from gonio.detection.registry import DetectorEntry, register_detector
    from gonio.io.formats import read, read_angles, read_keypoints, read_sequence, write
    from gonio.io.registry import Format, register_format
    from gonio.kinematics.angles import AngleDefinition, joint_angles, register_angle
    from gonio.kinematics.repetitions import find_repetitions
    from gonio.lifting.streaming import LiftingStream
    from gonio.studies.config import load_study
    from gonio.studies.results import StudyResult
    from gonio.studies.results import run_study as study
    from gonio.training.config import load_training
    from gonio.training.evaluate import evaluate_2d, evaluate_lifting
    from gonio.training.run import train
    from gonio.trials.compare import compare
    from gonio.trials.config import Trial, load_trial
    from gonio.trials.detect import DetectedVideo
    from gonio.trials.evaluate import evaluate
    from gonio.trials.measure import measure
    from gonio.trials.measurement import Measurement
    from gonio.trials.one_video import detect
    from gonio.trials.rectify import rectify
    from gonio.trials.results import write_results
    from gonio.trials.samples import demo_trial, fetch_asset
    from gonio.trials.single_step import convert, lift, render, triangulate

    __version__: str

_HOMES = {
    "AngleDefinition": "gonio.kinematics.angles",
    "AngleSeries": "gonio.core.angle_series",
    "Assumption": "gonio.core.assumptions",
    "Camera": "gonio.core.camera",
    "ComparisonResult": "gonio.comparison.result",
    "DetectedVideo": "gonio.trials.detect",
    "Detections": "gonio.core.detections",
    "DetectorEntry": "gonio.detection.registry",
    "Format": "gonio.io.registry",
    "GonioError": "gonio.core.errors",
    "LiftingStream": "gonio.lifting.streaming",
    "Measurement": "gonio.trials.measurement",
    "PoseSequence": "gonio.core.sequence",
    "Rig": "gonio.core.camera",
    "Skeleton": "gonio.core.skeleton",
    "Status": "gonio.core.sequence",
    "StudyResult": "gonio.studies.results",
    "Trial": "gonio.trials.config",
    "cluster_bootstrap": "gonio.comparison.statistics.intervals",
    "compare": "gonio.trials.compare",
    "convert": "gonio.trials.single_step",
    "demo_trial": "gonio.trials.samples",
    "detect": "gonio.trials.one_video",
    "evaluate": "gonio.trials.evaluate",
    "evaluate_2d": "gonio.training.evaluate",
    "evaluate_lifting": "gonio.training.evaluate",
    "fetch_asset": "gonio.trials.samples",
    "find_repetitions": "gonio.kinematics.repetitions",
    "import_weights": "gonio.detection.openpose.weights_import",
    "joint_angles": "gonio.kinematics.angles",
    "layout": "gonio.core.skeleton",
    "lift": "gonio.trials.single_step",
    "load_study": "gonio.studies.config",
    "load_training": "gonio.training.config",
    "load_trial": "gonio.trials.config",
    "measure": "gonio.trials.measure",
    "read": "gonio.io.formats",
    "read_angles": "gonio.io.formats",
    "read_keypoints": "gonio.io.formats",
    "read_sequence": "gonio.io.formats",
    "record": "gonio.capture.record",
    "rectify": "gonio.trials.rectify",
    "register_angle": "gonio.kinematics.angles",
    "register_detector": "gonio.detection.registry",
    "register_format": "gonio.io.registry",
    "register_skeleton": "gonio.core.skeleton",
    "render": "gonio.trials.single_step",
    "study": "gonio.studies.results:run_study",
    "train": "gonio.training.run",
    "triangulate": "gonio.trials.single_step",
    "write": "gonio.io.formats",
    "write_results": "gonio.trials.results",
}

__all__ = [
    "AngleDefinition",
    "AngleSeries",
    "Assumption",
    "Camera",
    "ComparisonResult",
    "DetectedVideo",
    "Detections",
    "DetectorEntry",
    "Format",
    "GonioError",
    "LiftingStream",
    "Measurement",
    "PoseSequence",
    "Rig",
    "Skeleton",
    "Status",
    "StudyResult",
    "Trial",
    "cluster_bootstrap",
    "compare",
    "convert",
    "demo_trial",
    "detect",
    "evaluate",
    "evaluate_2d",
    "evaluate_lifting",
    "fetch_asset",
    "find_repetitions",
    "import_weights",
    "joint_angles",
    "layout",
    "lift",
    "load_study",
    "load_training",
    "load_trial",
    "measure",
    "read",
    "read_angles",
    "read_keypoints",
    "read_sequence",
    "record",
    "rectify",
    "register_angle",
    "register_detector",
    "register_format",
    "register_skeleton",
    "render",
    "study",
    "train",
    "triangulate",
    "write",
    "write_results",
]


if not TYPE_CHECKING:  # a type checker knows the names that exist, and reports others

    def __getattr__(name: str) -> Any:
        """Public names are loaded when they are first used, so that importing gonio takes milliseconds."""
        if name == "__version__":
            return importlib.import_module("gonio.core.provenance").VERSION
        if name not in _HOMES:
            raise AttributeError(f"module 'gonio' has no attribute {name!r}")
        module, _, attribute = _HOMES[name].partition(":")
        value = getattr(importlib.import_module(module), attribute or name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
