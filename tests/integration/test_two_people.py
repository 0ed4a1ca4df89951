"""Pose2Sim's trial of two people on real video: one passes the other, and hides behind her in one view.

The truth about who is who is geometry: in each frame the people of four views are matched by where their rays meet,
whatever numbers they have. A person's number in a view, which following gave them in that view alone, must stay.
"""

from pathlib import Path

import numpy as np
import pytest
from sentences import numbers_in

import gonio as api
from gonio.core.detections import Detections
from gonio.core.errors import AssetError
from gonio.core.sequence import EVALUATION_JOINTS
from gonio.detection.tracking import follow
from gonio.io.rigs import files as rig_files
from gonio.multiview.matching import match_people
from gonio.trials.config import CameraConfig, DetectorConfig, RigConfig, Trial
from gonio.trials.measurement import Measurement
from gonio.trials.patient import patient_in_view
from gonio.trials.samples import fetch_asset

pytestmark = [pytest.mark.network, pytest.mark.timeout(900)]

CAMERAS = ("cam01", "cam02", "cam03", "cam04")


@pytest.fixture(scope="module")
def folder() -> Path:
    try:
        for asset in ("blazepose-heavy", "blazepose-detector"):
            fetch_asset(asset, progress=False)
        return fetch_asset("two-people", progress=False)
    except AssetError as error:
        pytest.skip(f"the videos or weights cannot be had here: {error}")


@pytest.fixture(scope="module")
def trial(folder) -> Trial:
    x, y = 620, 620  # on the man's trunk in cam03, at first
    cameras = tuple(
        CameraConfig(name, video=folder / f"{name}.mp4", click_px=(x, y) if name == "cam03" else None)
        for name in CAMERAS
    )
    return Trial(
        cameras,
        rig=RigConfig(folder / "Calib.qca.txt"),
        detector=DetectorConfig(people=2),
        methods=("multiview", "stereo-cam01-cam02"),
        reference="multiview",
    )


@pytest.fixture(scope="module")
def measured(trial) -> Measurement:
    return api.measure(trial)


def shuffled(found: Detections, seed: int) -> Detections:
    """The same people in a new order in every frame, as a detector without tracking returns them."""
    rng = np.random.default_rng(seed)
    return found.reordered(np.argsort(rng.random(found.positions.shape[:2]), axis=1))


@pytest.mark.parametrize("order", ["as BlazePose numbers them", "unordered"])
def test_two_people_keep_their_identities_in_all_four_views(measured, folder, order):
    seen = dict(measured.detections)
    if order == "unordered":
        seen = {name: shuffled(found, i) for i, (name, found) in enumerate(seen.items())}
    people = {name: follow(found) for name, found in seen.items()}
    matches = match_people(rig_files.read(folder / "Calib.qca.txt"), people)[:2]
    assert [match.track_changes for match in matches] == [dict.fromkeys(CAMERAS, 0)] * 2
    for name in CAMERAS:
        assert len({match.numbers[name] for match in matches}) == 2
        frames = [int((match.chosen[name] >= 0).sum()) for match in matches]
        assert min(frames) >= (60 if name == "cam03" else 95), (name, frames)
    assert all(np.nanmedian(match.reprojection_px) < 20 for match in matches)


def test_the_person_clicked_on_is_measured(measured):
    """The man balances: his ankles are apart and his hips move; she stands. The click in one view is enough."""
    joints = measured["multiview"]
    assert joints.select(EVALUATION_JOINTS).valid.mean() > 0.85
    thigh_m = np.nanmedian(np.linalg.norm(joints["left_hip"] - joints["left_knee"], axis=1))
    assert 0.36 < thigh_m < 0.5
    assert np.nanmax(np.ptp(joints["left_ankle"][~np.isnan(joints["left_ankle"][:, 0])], axis=0)) > 0.5
    assert any("cam03" in step for step in measured.views["cam01"].history)
    result = api.evaluate(measured)
    assert result.methods["stereo-cam01-cam02"].root_mpjpe_mm < 120


def test_one_view_alone_follows_one_of_them(measured):
    """Without a rig, in the view where one passes behind the other: the largest stays the largest."""
    found = follow(shuffled(measured.detections["cam04"], 0))
    chosen, description = patient_in_view(found, "largest")
    assert (chosen == chosen[0]).all()
    assert numbers_in(description)[0] in (2, 3)  # people in view
