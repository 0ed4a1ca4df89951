"""A measurement to errors, angles and agreement, with their protocol."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from gonio.comparison.compare import compare_methods
from gonio.comparison.result import ComparisonResult
from gonio.core.angle_series import AngleSeries
from gonio.core.arrays import FloatArray
from gonio.core.errors import InputError
from gonio.core.provenance import versions
from gonio.core.settings import as_plain
from gonio.kinematics.repetitions import find_repetitions
from gonio.trials.measurement import Measurement
from gonio.trials.methods import weights_file


def evaluate(measurement: Measurement) -> ComparisonResult:
    """Errors and angles of what was measured, with the protocol."""
    trial = measurement.trial
    low = trial.cleaning.lowpass_hz
    angles = measurement.angles()
    spans_s, repetitions = _repetitions(angles, trial.reference)
    return compare_methods(
        measurement.sequences,
        angles,
        reference=trial.reference,
        filter_words="none" if low is None else f"zero-phase Butterworth, order 4, {low:g} Hz, every method",
        reprojection_px=measurement.reprojection_px_median(),
        protocol_extra={
            "trial": trial.name,
            "versions": versions(),
            "detector": trial.detector.name if any(c.video is not None for c in trial.cameras) else None,
            "rig": None if trial.rig is None else "calibrated" if trial.rig.calibration is not None else "parallel",
            "stereo": as_plain(trial.stereo),
            "lifting": _lifting_protocol(measurement),
            "cleaning": as_plain(trial.cleaning),
            "reprojection_px_median_all": measurement.reprojection_px_median_all(),
            "repetitions": repetitions,
            "warnings": list(measurement.warnings),
        },
        repetitions_s=spans_s,
    )


def _repetitions(angles: Mapping[str, AngleSeries], reference: str | None) -> tuple[FloatArray | None, str]:
    """(repetition, 2) s start and end of the repetitions in the angles of the reference, or else of the first method,
    None if there is none; and a description.
    """
    name = next(iter(angles)) if reference is None else reference
    try:
        found = find_repetitions(angles[name])
    except InputError as error:
        return None, f"of {name}: {error}"
    if not len(found):
        return None, f"of {name}: {found.description}"
    return np.column_stack([found.starts_s, found.ends_s]), f"of {name}: {found.description}"


def _lifting_protocol(measurement: Measurement) -> dict[str, object] | None:
    """The network and the source of the size; not the size itself, which may differ between trials."""
    if not any(method.kind == "lifting" for method in measurement.methods):
        return None
    settings = measurement.trial.lifting
    size = "stature" if settings.height_m is not None else "segment" if settings.segment is not None else "assumed"
    return {
        "weights": weights_file(settings).name,
        "min_confidence": settings.min_confidence,
        "flip": settings.flip,
        "size": "stereo" if settings.scale == "stereo" else size,
        "focal_length": "rig" if measurement.rig is not None else "assumed" if settings.focal_px is None else "told",
    }
