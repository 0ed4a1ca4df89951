"""People in videos: detected in every view at once, followed, counted, clicked on."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from detectors import use_detector

from gonio.core.arrays import VideoFrame
from gonio.core.detections import Detections
from gonio.core.errors import InputError
from gonio.core.progress import silent
from gonio.core.skeleton import COCO_17
from gonio.io import video
from gonio.trials.config import CameraConfig, DetectorConfig, Trial
from gonio.trials.detect import click_on, detect_video, detect_views, follow_people, max_people
from gonio.trials.patient import Click

SIZE_PX = (320, 240)


def people(x_px: list[float], n_frames: int = 6) -> Detections:
    """People who stand at these places in every frame."""
    shape = np.random.default_rng(0).uniform([-10, -40], [10, 40], (17, 2))
    one_frame = np.array([shape + [x, 120] for x in x_px]).reshape(len(x_px), 17, 2)
    positions = np.repeat(one_frame[None], n_frames, axis=0)
    return Detections(positions, np.ones(positions.shape[:3]), np.arange(n_frames) / 30, COCO_17, SIZE_PX)


class Standing:
    """A detector that finds people at fixed places, by camera; an exception in their place is raised."""

    name, weights = "standing", ()
    finds_everybody, has_3d_estimate = True, False

    def __init__(self, places: dict[str, list[float] | Exception]) -> None:
        self.places = places

    def detect(
        self,
        frames: Iterable[VideoFrame],
        *,
        camera: str,
        image_size_px: tuple[int, int],
        on_frame: Callable[[], None] | None = None,
    ) -> Detections:
        count = 0
        for _ in frames:
            count += 1
            if on_frame is not None:
                on_frame()
        places = self.places[camera]
        if isinstance(places, Exception):
            raise places
        return people(places, count)


@pytest.fixture
def films(tmp_path: Path) -> dict[str, Path]:
    """Two grey videos of six frames."""
    import av

    paths = {name: tmp_path / f"{name}.mp4" for name in "ab"}
    for path in paths.values():
        with av.open(str(path), "w") as container:
            stream = container.add_stream("libx264", rate=30)
            stream.width, stream.height, stream.pix_fmt = *SIZE_PX, "yuv420p"
            for _ in range(6):
                frame = av.VideoFrame.from_ndarray(np.full((*SIZE_PX[::-1], 3), 128, np.uint8), format="rgb24")
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
    return paths


def trial(films: dict[str, Path], **more: Any) -> Trial:
    return Trial(tuple(CameraConfig(name, video=path) for name, path in films.items()), detector=DetectorConfig(**more))


def test_every_camera_has_its_own_people(films: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    use_detector(monkeypatch, "standing", Standing({"a": [100], "b": [100, 200]}))
    sizes = {name: video.probe(path).size_px for name, path in films.items()}
    found = detect_views(trial(films, name="standing"), sizes, silent)
    assert {name: each.positions.shape[1] for name, each in found.items()} == {"a": 1, "b": 2}
    assert [len(each) for each in found.values()] == [6, 6]


def test_a_view_without_people_is_named(films: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    use_detector(monkeypatch, "standing", Standing({"a": [100], "b": []}))
    with pytest.raises(InputError, match=r"b\.mp4.*6 frames"):
        detect_views(trial(films, name="standing"), dict.fromkeys("ab", SIZE_PX), silent)


def test_an_error_in_one_camera_ends_the_others(films: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    use_detector(monkeypatch, "standing", Standing({"a": [100], "b": InputError("broken frame")}))
    with pytest.raises(InputError, match="broken frame"):
        detect_views(trial(films, name="standing"), dict.fromkeys("ab", SIZE_PX), silent)


def test_without_videos_nothing_is_detected() -> None:
    assert detect_views(Trial((CameraConfig("a", keypoints=Path("a.npz")),)), {}, silent) == {}


def test_one_video_gives_the_patient_and_the_others(films: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    use_detector(monkeypatch, "standing", Standing({"video": [100, 200]}))
    found = detect_video(films["a"], DetectorConfig("standing", people=2), click_px=(200, 120))
    assert (np.abs(found.patient["nose"][:, 0] - 200) < 10).all()
    assert found.people.positions.shape[1] == 2
    np.testing.assert_allclose(found.people.positions[:, 0], found.patient.positions)
    assert found.patient.frame_name == "a"


def test_one_person_is_not_followed_unless_more_are_requested() -> None:
    one, two = {"a": people([100])}, {"a": people([100, 200])}
    assert follow_people(one, 1) is one
    assert follow_people(one, 2)["a"].history != one["a"].history
    assert follow_people(two, 1)["a"].history != two["a"].history


def test_a_click_needs_more_people_to_choose_from() -> None:
    def clicked(people: int, click_px: tuple[float, float] | None) -> Trial:
        camera = CameraConfig("a", video=Path("a.mp4"), click_px=click_px)
        return Trial((camera,), detector=DetectorConfig(people=people))

    assert max_people(clicked(1, None)) == 1
    assert max_people(clicked(3, None)) == 3
    assert max_people(clicked(1, (5, 5))) == 4
    assert max_people(clicked(6, (5, 5))) == 6


def test_a_click_is_at_the_first_frame_unless_its_time_is_given() -> None:
    camera = CameraConfig("a", video=Path("a.mp4"), click_px=(5, 6))
    shifted = people([100])
    assert click_on(camera, shifted, 2.0) == Click(5, 6, 0.0)
    timed = CameraConfig("a", video=Path("a.mp4"), click_px=(5, 6), click_s=1.5)
    assert click_on(timed, shifted, 2.0) == Click(5, 6, 3.5)
