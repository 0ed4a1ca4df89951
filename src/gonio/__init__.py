"""gonio: human movement from ordinary cameras, measured by several methods side by side.

    measurement = gonio.measure("trial.toml")   # {method: PoseSequence}
    result = gonio.compare("trial.toml")        # errors, angles and agreement, with their protocol
    sequence = gonio.read("joints.trc")
    gonio.write(sequence, "joints.csv")

For research; not a medical device.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gonio.config import Trial, load_trial
    from gonio.core.camera import Camera, Rig
    from gonio.core.sequence import AngleSeries, Detections, PoseSequence, Status
    from gonio.core.skeleton import Skeleton, layout
    from gonio.errors import GonioError
    from gonio.motion.angles import joint_angles
    from gonio.motion.repetitions import find_repetitions
    from gonio.pipeline import compare, evaluate, measure
    from gonio.results import write_results
    from gonio.sources.formats import read, read_angles, write
    from gonio.study_config import load_study
    from gonio.study_results import study

__version__ = "0.1.0"

_HOMES = {
    "AngleSeries": "gonio.core.sequence",
    "Camera": "gonio.core.camera",
    "Detections": "gonio.core.sequence",
    "GonioError": "gonio.errors",
    "PoseSequence": "gonio.core.sequence",
    "Rig": "gonio.core.camera",
    "Skeleton": "gonio.core.skeleton",
    "Status": "gonio.core.sequence",
    "Trial": "gonio.config",
    "compare": "gonio.pipeline",
    "evaluate": "gonio.pipeline",
    "find_repetitions": "gonio.motion.repetitions",
    "joint_angles": "gonio.motion.angles",
    "layout": "gonio.core.skeleton",
    "load_study": "gonio.study_config",
    "load_trial": "gonio.config",
    "measure": "gonio.pipeline",
    "read": "gonio.sources.formats",
    "read_angles": "gonio.sources.formats",
    "study": "gonio.study_results",
    "write": "gonio.sources.formats",
    "write_results": "gonio.results",
}

__all__ = [
    "AngleSeries",
    "Camera",
    "Detections",
    "GonioError",
    "PoseSequence",
    "Rig",
    "Skeleton",
    "Status",
    "Trial",
    "compare",
    "evaluate",
    "find_repetitions",
    "joint_angles",
    "layout",
    "load_study",
    "load_trial",
    "measure",
    "read",
    "read_angles",
    "study",
    "write",
    "write_results",
]


def __getattr__(name: str) -> Any:
    """Public names are loaded when they are first used, so that importing gonio takes milliseconds."""
    if name not in _HOMES:
        raise AttributeError(f"module 'gonio' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
