"""The cameras of a trial: fitted to their images, or a parallel pair; their clocks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gonio.core.camera import Camera, Rig
from gonio.core.detections import Detections
from gonio.core.errors import ConfigError, InputError
from gonio.core.skeleton import COCO_17
from gonio.trials.config import CameraConfig, RigConfig, Trial
from gonio.trials.patient import Click
from gonio.trials.views import camera_offset_s, parallel_rig, rig_for_images

MATRIX = np.array([[900.0, 0, 319.5], [0, 900.0, 239.5], [0, 0, 1]])
CALIBRATION = Rig("lab", tuple(Camera(name, (640, 480), MATRIX) for name in "ab"), up="+z")
PARALLEL = RigConfig(baseline_m=0.2, focal_px=900.0)


def trial(rig: RigConfig, **more: Any) -> Trial:
    return Trial((CameraConfig("a", video=Path("a.mp4"), **more), CameraConfig("b", video=Path("b.mp4"))), rig=rig)


def test_images_of_the_calibrations_size_leave_the_cameras_as_they_are() -> None:
    fitted = rig_for_images(trial(RigConfig(Path("Calib.toml"))), CALIBRATION, {"a": (640, 480), "b": (640, 480)})
    assert fitted.cameras == CALIBRATION.cameras
    assert fitted.up == "+z"


def test_a_crop_moves_the_principal_point() -> None:
    cropped = trial(RigConfig(Path("Calib.toml")), crop_px=(100, 40))
    fitted = rig_for_images(cropped, CALIBRATION, {"a": (500, 400), "b": (640, 480)})
    assert fitted["a"].size_px == (500, 400)
    np.testing.assert_allclose(fitted["a"].matrix[:2, 2], [219.5, 199.5])
    assert fitted["b"].size_px == (640, 480)


def test_images_of_another_size_are_refused() -> None:
    with pytest.raises(InputError, match=r"b\.mp4: 320x240"):
        rig_for_images(trial(RigConfig(Path("Calib.toml"))), CALIBRATION, {"a": (640, 480), "b": (320, 240)})
    cropped = trial(RigConfig(Path("Calib.toml")), crop_px=(200, 0))
    with pytest.raises(ConfigError, match="'a'"):
        rig_for_images(cropped, CALIBRATION, {"a": (500, 400), "b": (640, 480)})


def person(x_px: float, size_px: tuple[int, int] = (640, 480), n_people: int = 1) -> Detections:
    """A standing body at x_px; a second one, half as large, 200 px further right."""
    rng = np.random.default_rng(0)
    shape = rng.uniform([-30, -150], [30, 150], (17, 2))
    people = np.stack([shape + [x_px, 240], shape / 2 + [x_px + 200, 240]])[:n_people]
    positions = np.repeat(people[None], 5, axis=0)
    return Detections(positions, np.ones(positions.shape[:3]), np.arange(5) / 30, COCO_17, size_px)


def test_the_left_camera_is_the_one_that_sees_the_person_further_right() -> None:
    times_s = np.arange(5) / 30
    right_first = parallel_rig(trial(PARALLEL), {"a": person(300), "b": person(330)}, {}, times_s)
    assert right_first.camera_names == ("b", "a")
    left_first = parallel_rig(trial(PARALLEL), {"a": person(330), "b": person(300)}, {}, times_s)
    assert left_first.camera_names == ("a", "b")
    np.testing.assert_allclose(left_first["b"].center_m - left_first["a"].center_m, [0.2, 0, 0])
    assert len(right_first.history) == len(left_first.history) + 1  # the exchange is noted


def test_a_click_decides_whose_disparity_counts() -> None:
    people = {"a": person(330, n_people=2), "b": person(300, n_people=2)}
    clicks = {"b": Click(500, 240, 0.0)}  # the small person is in view b at 500, the large one in view a at 330
    rig = parallel_rig(trial(PARALLEL), people, clicks, np.arange(5) / 30)
    assert rig.camera_names == ("b", "a")


def test_parallel_cameras_need_images_of_one_size_or_a_principal_point() -> None:
    people = {"a": person(330), "b": person(300, (320, 480))}
    with pytest.raises(InputError, match="320x480"):
        parallel_rig(trial(PARALLEL), people, {}, np.arange(5) / 30)
    given = RigConfig(baseline_m=0.2, focal_px=900.0, principal_point_px=(320.0, 240.0))
    assert parallel_rig(trial(given), people, {}, np.arange(5) / 30).camera_names == ("a", "b")


def test_the_offset_of_a_camera_in_frames_or_seconds() -> None:
    camera = CameraConfig("a", video=Path("a.mp4"), offset_frames=3)
    assert camera_offset_s(camera, person(0)) == pytest.approx(-0.1)
    assert camera_offset_s(CameraConfig("a", video=Path("a.mp4"), offset_s=0.25), person(0)) == -0.25
    one_frame = Detections(np.zeros((1, 1, 17, 2)), np.ones((1, 1, 17)), np.zeros(1), COCO_17, (640, 480))
    with pytest.raises(ConfigError, match="offset_s"):
        camera_offset_s(camera, one_frame)
