"""The record of a measurement: configuration, versions, weights and counts of every camera and method."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from gonio.comparison.result import ComparisonResult
from gonio.core.files import sha256_of
from gonio.core.provenance import OF_EXTRAS, versions
from gonio.core.sequence import EVALUATION_JOINTS, PoseSequence, Status
from gonio.core.settings import as_plain
from gonio.detection import weights as assets
from gonio.trials import monocular
from gonio.trials.measurement import Measurement
from gonio.trials.methods import weights_file


def _counts(sequence: PoseSequence) -> dict[str, Any]:
    joints = [joint for joint in EVALUATION_JOINTS if joint in sequence.skeleton]
    part = sequence.select(joints)
    return {
        "frames": len(sequence),
        "joints": len(sequence.skeleton),
        **{status.name.lower(): int((sequence.status == status).sum()) for status in Status},
        "evaluation_joints": part.counts(),
    }


def _stereo_counts(measurement: Measurement, method: str) -> dict[str, Any]:
    """The observations of each camera that a stereo method used or left out, and its reprojection errors."""
    if method not in measurement.triangulations:
        return {}
    errors = measurement.reprojection_px(method)
    found = errors[np.isfinite(errors)]
    return {
        "excluded": {name: asdict(counts) for name, counts in measurement.triangulations[method].excluded.items()},
        "reprojection_px": {
            "joints": "the evaluation joints",
            "n": len(found),
            "median": float(np.median(found)) if len(found) else None,
            "p90": float(np.percentile(found, 90)) if len(found) else None,
        },
    }


def trial_provenance(measurement: Measurement, result: ComparisonResult) -> dict[str, Any]:
    trial = measurement.trial
    weights: dict[str, dict[str, str]] = {}
    if any(camera.video is not None for camera in trial.cameras):
        needed = trial.detector.make().weights
        weights = {name: assets.checksums(name) for name in needed}
        if trial.detector.files:
            weights["detector"] = {file.name: sha256_of(file) or "" for file in trial.detector.files}
    if any(method.kind == "lifting" for method in measurement.methods):
        file = weights_file(trial.lifting)
        weights["lifting"] = {file.name: monocular.checksum(file)}
    return {
        "configuration": as_plain(trial),
        "versions": versions(OF_EXTRAS),
        "weights_sha256": weights,
        "notes": list(measurement.notes),
        "warnings": list(measurement.warnings),
        "assumptions": list(measurement.assumptions),
        "cameras": {
            name: {"offset_s": measurement.offsets_s[name], "counts": _counts(view), "history": list(view.history)}
            for name, view in measurement.views.items()
        },
        "methods": {
            name: {
                "source": {k: v for k, v in asdict(sequence.source).items() if v},
                "frame": sequence.frame,
                "frame_name": sequence.frame_name,
                "up": sequence.up,
                "counts": _counts(sequence),
                **_stereo_counts(measurement, name),
                "history": list(sequence.history),
            }
            for name, sequence in measurement.sequences.items()
        },
        "protocol": result.to_json()["protocol"],
    }
