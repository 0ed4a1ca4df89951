"""Which methods a trial allows, and which it measures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gonio.core.errors import ConfigError, InputError
from gonio.lifting import weights as shipped
from gonio.trials.config import CameraConfig, DetectorConfig, LiftingConfig, RecordingConfig, RigConfig, Trial
from gonio.trials.methods import Method, possible_methods, requested_methods

RIG = RigConfig(Path("Calib.toml"))


def trial(*cameras: str, video: bool = True, rig: RigConfig | None = RIG, **more: Any) -> Trial:
    kind = "video" if video else "keypoints"
    return Trial(tuple(CameraConfig(name, **{kind: Path(f"{name}.mp4")}) for name in cameras), rig=rig, **more)


def names(methods: tuple[Method, ...]) -> list[str]:
    return [method.name for method in methods]


def test_every_pair_in_both_orders_and_every_camera_alone() -> None:
    assert possible_methods(trial("a", "b")) == (
        Method("multiview", ("a", "b"), "multiview"),
        Method("stereo", ("a", "b"), "stereo-a-b"),
        Method("stereo", ("b", "a"), "stereo-b-a"),
        Method("detector-3d", ("a",), "blazepose-world-a"),
        Method("detector-3d", ("b",), "blazepose-world-b"),
        Method("lifting", ("a",), "lifting-a"),
        Method("lifting", ("b",), "lifting-b"),
    )
    assert names(possible_methods(trial("a", "b", rig=None, video=False))) == ["lifting-a", "lifting-b"]
    rcnn = DetectorConfig(name="keypoint-rcnn")
    assert names(possible_methods(trial("a", rig=None, detector=rcnn))) == ["lifting-a"]


def test_two_cameras_triangulate_and_so_do_many() -> None:
    assert [method.triangulates for method in possible_methods(trial("a", "b"))] == [True] * 3 + [False] * 4


def test_defaults_follow_the_number_of_cameras() -> None:
    assert names(requested_methods(trial("a", "b", video=False))) == ["stereo-a-b", "lifting-a", "lifting-b"]
    assert names(requested_methods(trial("a", "b", "c", video=False)))[0] == "multiview"
    assert names(requested_methods(trial("a", rig=None))) == ["blazepose-world-a", "lifting-a"]


def test_without_weights_nothing_is_lifted_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shipped, "shipped_weights", tuple)
    assert names(requested_methods(trial("a", "b", video=False))) == ["stereo-a-b"]
    with pytest.raises(ConfigError, match="nothing"):
        requested_methods(trial("a", rig=None, video=False))
    with pytest.raises(InputError, match="weights"):
        requested_methods(trial("a", rig=None, video=False, methods=("lifting",)))


def test_named_methods_come_once_in_the_trials_order_and_then_its_recordings() -> None:
    recording = RecordingConfig("vicon", Path("vicon.c3d"))
    asked = trial("a", "b", methods=("lifting-b", "lifting", "multiview"), recordings=(recording,), reference="vicon")
    assert names(requested_methods(asked)) == ["lifting-b", "lifting-a", "multiview", "vicon"]
    assert requested_methods(asked)[-1] == Method("recording", (), "vicon")


@pytest.mark.parametrize(
    ("refused", "named"),
    [
        (trial("a", "b", methods=("stereo-a-c",)), "stereo-a-c"),
        (trial("a", "b", methods=("multiview",), rig=None), r"\[rig\]"),
        (trial("a", methods=("multiview",)), "multiview"),
        (trial("a", "b", video=False, methods=("blazepose-world-a",)), "blazepose-world-a"),
        (trial("a", "b", reference="vicon"), "vicon"),
        (trial("a-b", "c", "a", "b-c"), "hyphens"),
        (trial("a", "b", recordings=(RecordingConfig("Stereo-A-B", Path("x.npz")),)), "Stereo-A-B"),
        (trial("a", "b", recordings=(RecordingConfig("lifting", Path("x.npz")),)), "lifting"),
        (trial("a", "b", methods=("lifting",), lifting=LiftingConfig(scale="stereo")), "stereo"),
    ],
)
def test_what_cannot_be_measured_is_refused(refused: Trial, named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        requested_methods(refused)
