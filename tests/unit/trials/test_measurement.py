"""A measurement prints in a few lines, draws its angles and becomes tables."""

from __future__ import annotations

import numpy as np
import pytest

from gonio.core.sequence import PoseSequence
from gonio.core.skeleton import COCO_17, H36M_17, Skeleton
from gonio.trials.config import RecordingConfig, Trial
from gonio.trials.measurement import Measurement


def sequence(skeleton: Skeleton, name: str) -> PoseSequence:
    positions = np.random.default_rng(len(name)).normal(size=(40, len(skeleton), 3))
    return PoseSequence(positions, np.arange(40) / 20, skeleton, "m", "world", name, up="+z")


@pytest.fixture
def measurement(tmp_path) -> Measurement:
    names = {"kinect": COCO_17, "vicon": H36M_17}
    trial = Trial(recordings=tuple(RecordingConfig(n, tmp_path / n) for n in names), name="squat", reference="vicon")
    sequences = {name: sequence(skeleton, name) for name, skeleton in names.items()}
    return Measurement(trial, (), sequences, {}, {}, {}, None, {}, (), ("a warning",), ("a stature of 1.70 m",))


def test_it_prints_in_a_few_lines(measurement: Measurement) -> None:
    lines = repr(measurement).splitlines()
    assert len(lines) == 5
    assert "squat" in lines[0]
    assert lines[1].split()[:2] == ["kinect", "40"]
    assert "reference" in lines[2]
    assert "1.70 m" in lines[-1]
    assert "<table>" in measurement._repr_html_()


def test_it_draws_the_angles(measurement: Measurement) -> None:
    assert any(ax.lines for ax in measurement.plot().axes)


def test_tables(measurement: Measurement) -> None:
    pytest.importorskip("pandas")
    pytest.importorskip("xarray")
    table = measurement.to_dataframe()
    assert list(table["method"].unique()) == ["kinect", "vicon"]
    knee = table.loc[table["method"] == "vicon", "left_knee_flexion_deg"].to_numpy()
    angles = measurement.angles()["vicon"]
    np.testing.assert_array_equal(knee, angles.angles_deg[:, angles.names.index("left_knee_flexion")])
    data = measurement.to_xarray()
    assert list(data["individual"].values) == ["kinect", "vicon"]
    assert data.attrs["frame_name"] == ["kinect", "vicon"]
    values = data["position"].sel(individual="vicon", keypoint="left_knee").values
    np.testing.assert_array_equal(values, measurement["vicon"]["left_knee"])
    absent = data["position"].sel(individual="vicon", keypoint="left_ear")
    assert np.isnan(absent.values).all()
    assert (data["status"].sel(individual="vicon", keypoint="left_ear") == 0).all()
