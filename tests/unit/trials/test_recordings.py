"""Recordings made comparable: markers to joints, offsets declared and found, what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gonio.core.errors import ConfigError, InputError
from gonio.core.sequence import PoseSequence
from gonio.core.skeleton import BODY_12, Skeleton
from gonio.io import formats
from gonio.trials.config import RecordingConfig
from gonio.trials.recordings import clock_warnings, read_recordings

STANDING = {
    "shoulder": (0.0, 0.2, 1.5),
    "elbow": (0.0, 0.25, 1.2),
    "wrist": (0.05, 0.25, 0.95),
    "hip": (0.0, 0.1, 1.0),
    "knee": (0.02, 0.1, 0.55),
    "ankle": (0.0, 0.1, 0.1),
}


def moving(offset_s: float = 0.0, rate_hz: float = 50.0, n: int = 300) -> PoseSequence:
    """Both arms rise twice, once high and once less so; the clock is `offset_s` ahead."""
    times = np.arange(n) / rate_hz
    lift = 1.2 * np.exp(-(((times - 1.5) / 0.4) ** 2)) + 0.6 * np.exp(-(((times - 4.0) / 0.6) ** 2))
    positions = np.zeros((n, 12, 3))
    for j, joint in enumerate(BODY_12.joints):
        side, part = joint.split("_")
        place = np.array(STANDING[part])
        positions[:, j] = place
        if part in ("elbow", "wrist"):
            shoulder = np.array(STANDING["shoulder"])
            reach = np.linalg.norm(place - shoulder)
            positions[:, j] = shoulder + reach * np.stack([np.sin(lift), 0 * lift, -np.cos(lift)], axis=1)
        positions[:, j, 1] *= 1 if side == "left" else -1
    return PoseSequence(positions, times + offset_s, BODY_12, "m", "world", up="+z")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    formats.write(moving(), tmp_path / "a.npz")
    formats.write(moving(0.62, 30.0, 180), tmp_path / "b.npz")
    return tmp_path


def test_a_declared_offset_is_applied(folder: Path) -> None:
    declared = RecordingConfig("b", folder / "b.npz", offset_s=0.62)
    read = read_recordings([RecordingConfig("a", folder / "a.npz"), declared], None, None)
    assert read["b"].times_s[0] == pytest.approx(0)
    assert clock_warnings([RecordingConfig("a", folder / "a.npz"), declared], read, None) == []
    assert read["b"].assumptions == ()


def test_a_wrong_offset_is_warned_of(folder: Path) -> None:
    configs = [RecordingConfig("a", folder / "a.npz"), RecordingConfig("b", folder / "b.npz", offset_s=0.1)]
    read = read_recordings(configs, None, None)
    (warning,) = clock_warnings(configs, read, None)
    assert "offset_s = 0.62" in warning
    assert read["b"].times_s[0] == pytest.approx(0.52)


def test_an_offset_is_found(folder: Path) -> None:
    configs = [RecordingConfig("a", folder / "a.npz"), RecordingConfig("b", folder / "b.npz", offset_s="auto")]
    read = read_recordings(configs, None, "a")
    assert read["b"].times_s[0] == pytest.approx(0, abs=0.005)
    assert clock_warnings(configs, read, "a") == []
    (assumption,) = read["b"].assumptions
    assert assumption.kind == "clock"
    assert "clock of a" in assumption.text
    assert read["a"].assumptions == ()


def test_every_clock_cannot_be_found(folder: Path) -> None:
    configs = [RecordingConfig(name, folder / f"{name}.npz", offset_s="auto") for name in "ab"]
    with pytest.raises(ConfigError, match="offset_s"):
        read_recordings(configs, None, "a")


def test_half_a_marker_set_is_refused(tmp_path: Path) -> None:
    names = [letter + marker for letter in "LR" for marker in ("ASI", "PSI", "KNE", "ANK")]
    positions = np.random.default_rng(0).normal(size=(5, 8, 3))
    markers = PoseSequence(
        positions, np.arange(5) / 100, Skeleton("markers", tuple(names), (-1,) * 8), "m", "world", up="+y"
    )
    formats.write(markers, tmp_path / "legs.trc")
    with pytest.raises(InputError, match=r"legs\.trc.*C7"):
        read_recordings([RecordingConfig("legs", tmp_path / "legs.trc")], None, None)
