"""Values print in a few lines, show themselves in a notebook, draw themselves and become tables."""

from __future__ import annotations

import sys
from html.parser import HTMLParser

import numpy as np
import pytest
from matplotlib.figure import Figure

from gonio.core.angle_series import AngleSeries
from gonio.core.camera import Camera, Rig
from gonio.core.detections import Detections
from gonio.core.display import LONGEST_ROW, MOST_ROWS, Displayed, Rows
from gonio.core.errors import MissingExtraError
from gonio.core.sequence import PoseSequence, Status
from gonio.core.skeleton import COCO_17

TIMES_S = np.arange(5) / 10


def keypoints() -> PoseSequence:
    positions = np.arange(5 * 17 * 2, dtype=float).reshape(5, 17, 2)
    positions[0, 0] = np.nan
    return PoseSequence(
        positions, TIMES_S, COCO_17, "px", "image", "cam01", image_size_px=(640, 480), history=("read",)
    )


def joints() -> PoseSequence:
    positions = np.random.default_rng(0).normal(size=(5, 17, 3))
    positions[0, 0] = np.nan
    return PoseSequence(positions, TIMES_S, COCO_17, "m", "world", "lab", up="+z")


def detections() -> Detections:
    positions = np.arange(5 * 2 * 17 * 2, dtype=float).reshape(5, 2, 17, 2)
    positions[1:, 1] = np.nan
    return Detections(positions, np.ones((5, 2, 17)), TIMES_S, COCO_17, (640, 480), "cam01")


def angles() -> AngleSeries:
    values = np.deg2rad(np.stack([np.arange(5) * 10.0, np.full(5, np.nan)], axis=1))
    names, definitions = ("left_knee_flexion", "right_knee_flexion"), ("180 - hip, knee, ankle",) * 2
    return AngleSeries(values, TIMES_S, names, definitions, ((0.0, np.pi),) * 2)


def rig() -> Rig:
    matrix = np.array([[500.0, 0, 319.5], [0, 500.0, 239.5], [0, 0, 1]])
    cameras = [Camera(f"cam{i}", (640, 480), matrix, translation=np.array([0.3 * i, 0, 0])) for i in range(3)]
    return Rig("Calib", tuple(cameras), up="-y")


VALUES = [keypoints(), joints(), detections(), angles(), rig()]
IDS = ["keypoints", "joints", "detections", "angles", "rig"]


@pytest.mark.parametrize("value", VALUES, ids=IDS)
def test_a_value_prints_in_a_few_lines(value: Displayed) -> None:
    lines = repr(value).splitlines()
    assert lines[0].startswith(type(value).__name__)
    assert 2 <= len(lines) <= MOST_ROWS + 1
    assert max(map(len, lines)) < LONGEST_ROW + 40


def test_what_is_printed() -> None:
    assert repr(keypoints()).splitlines() == [
        "PoseSequence: 5 frames, 17 joints (coco-17), 2D in px",
        "  time     0.000 to 0.400 s at 10.00 Hz",
        "  frame    image of cam01, 640x480 px",
        "  joints   98.8 % measured, 1.2 % missing",
        "  history  1 steps, the last: read",
    ]
    assert "1 to 2 people per frame" in repr(detections())
    assert repr(angles()).splitlines()[2:] == [
        "  left_knee_flexion   0.0 to 40.0 degrees, range 40.0",
        "  right_knee_flexion  missing",
    ]
    camera = repr(rig()).splitlines()[2]
    assert " ".join(camera.split()) == "cam1 640x480 px, focal length 500 px, at -0.30, 0.00, 0.00 m"


def test_long_rows_are_shortened_and_many_are_counted() -> None:
    class Long(Displayed):
        def _title(self) -> str:
            return "Long"

        def _rows(self) -> Rows:
            return [(f"row {number}", "x" * 1000) for number in range(50)]

    lines = repr(Long()).splitlines()
    assert len(lines) == MOST_ROWS + 1
    assert max(map(len, lines)) < LONGEST_ROW + 20
    assert lines[-1].split() == ["...", "31", "more"]


@pytest.mark.parametrize("value", VALUES, ids=IDS)
def test_a_notebook_shows_a_table_without_markup_of_the_data(value: Displayed) -> None:
    class Cells(HTMLParser):
        found: list[str] = []  # noqa: RUF012

        def handle_data(self, data: str) -> None:
            self.found.append(data)

    parser = Cells()
    parser.feed(value._repr_html_())
    assert parser.found[0] == repr(value).splitlines()[0]


def test_names_of_the_user_are_no_markup() -> None:
    strange = keypoints().derive(frame_name="<script>alert(1)</script>")
    assert "<script>" not in strange._repr_html_()
    assert "&lt;script&gt;" in strange._repr_html_()


@pytest.mark.parametrize("value", VALUES, ids=IDS)
def test_a_value_draws_itself(value: Displayed) -> None:
    figure = value.plot()  # type: ignore[attr-defined]
    assert isinstance(figure, Figure)
    drawn = [artist for ax in figure.axes for artist in (*ax.lines, *ax.collections)]
    assert drawn


def test_an_empty_value_prints() -> None:
    assert "no frame" in repr(keypoints().at(np.array([], dtype=int)))
    nobody = Detections(np.zeros((0, 0, 17, 2)), np.zeros((0, 0, 17)), np.zeros(0), COCO_17, (640, 480))
    assert "no frame" in repr(nobody)


def test_tables_of_pandas() -> None:
    pytest.importorskip("pandas")
    table = joints().to_dataframe()
    assert list(table.columns) == ["time_s", "joint", "x", "y", "z", "confidence", "status"]
    assert len(table) == 5 * 17
    knee = table[table["joint"] == "left_knee"]
    np.testing.assert_array_equal(knee[["x", "y", "z"]].to_numpy(), joints()["left_knee"])
    assert (table["status"] == "missing").sum() == 1
    assert table.attrs == {"unit": "m", "frame": "world", "frame_name": "lab", "up": "+z"}
    people = detections().to_dataframe()
    assert len(people) == 6 * 17
    assert set(people["person"]) == {0, 1}
    degrees = angles().to_dataframe()
    np.testing.assert_allclose(degrees["left_knee_flexion_deg"], [0, 10, 20, 30, 40], atol=1e-12)
    assert list(rig().to_dataframe()["x_m"]) == pytest.approx([0, -0.3, -0.6])


def test_datasets_of_xarray() -> None:
    pytest.importorskip("xarray")
    data = joints().to_xarray()
    assert (data.attrs["frame"], data.attrs["frame_name"], data.attrs["up"]) == ("world", "lab", "+z")
    assert data["status"].attrs["flag_meanings"].split()[int(data["status"][0, 0, 0])] == "missing"
    assert int(data["status"][1, 0, 0]) == Status.MEASURED
    people = detections().to_xarray()
    assert people["position"].dims == ("time", "space", "keypoint", "individual")
    np.testing.assert_array_equal(people["position"].sel(keypoint="nose", individual="individual_0").values[0], [0, 1])
    found = angles().to_xarray()["angle"].sel(name="left_knee_flexion")
    np.testing.assert_allclose(found.values, [0, 10, 20, 30, 40], atol=1e-12)
    np.testing.assert_array_equal(rig().to_xarray()["matrix"].values[0], rig()["cam0"].matrix)


@pytest.mark.parametrize("value", VALUES, ids=IDS)
def test_without_the_extra_the_message_names_it(value: Displayed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    monkeypatch.setitem(sys.modules, "xarray", None)
    with pytest.raises(MissingExtraError, match=r"gonio\[pandas\]"):
        value.to_dataframe()  # type: ignore[attr-defined]
    with pytest.raises(MissingExtraError, match=r"gonio\[xarray\]"):
        value.to_xarray()  # type: ignore[attr-defined]
