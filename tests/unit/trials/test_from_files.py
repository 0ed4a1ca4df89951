"""What the command line changes in a trial: which clocks gonio finds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gonio.core.errors import ConfigError
from gonio.trials.config import CameraConfig, RecordingConfig, Trial
from gonio.trials.from_files import adjusted

AS_IT_IS: dict[str, Any] = {
    "detector": None,
    "detector_options": {},
    "reference": None,
    "blur_faces": False,
    "videos": True,
}
TWO = Trial(recordings=tuple(RecordingConfig(name, Path(f"{name}.csv"), offset_s=0.5) for name in ("a", "b")))


def offsets(trial: Trial) -> list[float | str]:
    return [recording.offset_s for recording in trial.recordings]


def test_nothing_is_moved_unless_asked_for() -> None:
    assert offsets(adjusted(TWO, **AS_IT_IS)) == [0.5, 0.5]


def test_the_clock_of_the_reference_stays() -> None:
    assert offsets(adjusted(TWO, **AS_IT_IS, align_clocks="auto")) == [0.5, "auto"]
    assert offsets(adjusted(TWO, **AS_IT_IS | {"reference": "b"}, align_clocks="auto")) == ["auto", 0.5]
    assert offsets(adjusted(replace(TWO, reference="b"), **AS_IT_IS, align_clocks="auto")) == ["auto", 0.5]


def test_one_recording_has_no_clock_to_be_brought_to() -> None:
    alone = Trial((CameraConfig("cam", keypoints=Path("cam.npz")),), recordings=TWO.recordings[:1])
    with pytest.raises(ConfigError, match="--align-clocks"):
        adjusted(alone, **AS_IT_IS, align_clocks="auto")
