"""Columns found by name or by a declared order; which tables are a Kinect's, and which tell their times."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gonio.core.errors import InputError
from gonio.core.skeleton import AZURE_KINECT_32, KINECT_RECORDER_20, KINECT_V1_20, KINECT_V2_25
from gonio.io.kinect.columns import cells_of, fits, tells_times
from gonio.io.kinect.sensor import AZURE, V1, V2
from gonio.io.kinect.text import TextTable, parse

PATH = Path("x.csv")
NAMED = "Timestamp,HeadX,HeadY,HeadZ,NeckX,NeckY,NeckZ,SpineMidX,SpineMidY,SpineMidZ,SpineBaseX,SpineBaseY,SpineBaseZ"


def rows(width: int, n_rows: int = 2) -> TextTable:
    """Numbers that count: 0, 1, 2 ... in the first row, and so on."""
    return parse(PATH, "\n".join(",".join(str(i * width + j) for j in range(width)) for i in range(n_rows)) + "\n")


@pytest.mark.parametrize("n_joints", [20, 25, 32])
def test_bare_rows_fit_by_their_number_of_columns(n_joints: int) -> None:
    fitting = [width for width in range(5, 140) if fits(rows(width))]
    assert fitting == [
        n * k + before for n, k in ((20, 3), (25, 3), (20, 4), (32, 3), (25, 4), (32, 4)) for before in range(3)
    ]
    for n_fields in (3, 4):
        for before in range(3):
            assert n_joints * n_fields + before in fitting


def test_headers_fit() -> None:
    numbers = "\n" + ",".join("1" * 13) + "\n"
    assert fits(parse(PATH, NAMED + numbers))
    assert not fits(parse(PATH, NAMED.replace("Head", "Left").replace("Neck", "Right") + numbers))
    assert fits(parse(PATH, "time,JointName,x,y,z\n0,Head,1,2,3\n"))
    assert not fits(parse(PATH, "time,a,x,y,z\n0,1,1,2,3\n"))


def test_the_order_is_the_number_of_joints_or_declared() -> None:
    cells = cells_of(PATH, rows(75), None)
    assert (cells.skeleton, cells.sensor, cells.order) == (KINECT_V2_25, V2, ("kinect-v2-25",))
    np.testing.assert_array_equal(cells.positions[1].ravel(), np.arange(75, 150))
    assert cells_of(PATH, rows(97), None).skeleton is AZURE_KINECT_32
    assert cells_of(PATH, rows(128), AZURE_KINECT_32).sensor is AZURE
    with pytest.raises(InputError, match=r"--layout.*kinect-v1-20.*kinect-recorder-20"):
        cells_of(PATH, rows(62), None)
    cells = cells_of(PATH, rows(82), KINECT_RECORDER_20)
    assert (cells.sensor, cells.order) == (V1, ("kinect-v1-20", "kinect-recorder-20"))
    assert (cells.numbers, cells.stamps) == (["0", "82"], ["1", "83"])
    assert cells.states is not None
    assert cells.positions[0, 0].tolist() == [2, 3, 4]
    assert cells.states[0, :2].tolist() == [5, 9]


def test_a_single_column_before_the_joints() -> None:
    """A number where it counts by ones, a time otherwise."""
    body = "," + ",".join(["1"] * 60) + "\n"
    for first, number in ((("7", "8", "9"), True), (("0", "33", "66"), False), (("0.0", "1.0", "2.0"), False)):
        cells = cells_of(PATH, parse(PATH, "".join(cell + body for cell in first)), KINECT_V1_20)
        assert (cells.numbers if number else cells.stamps) == list(first)
        assert (cells.stamps if number else cells.numbers) is None


def test_which_tables_tell_their_times() -> None:
    numbers = "\n" + ",".join("1" * 13) + "\n"
    assert tells_times(PATH, parse(PATH, NAMED + numbers))
    assert not tells_times(PATH, parse(PATH, NAMED.replace("Timestamp", "frame") + numbers))
    assert tells_times(PATH, rows(62))
    assert not tells_times(PATH, rows(60))


def test_units_and_columns_that_are_not_read() -> None:
    header = NAMED.replace("HeadX", "Head X (mm)").replace("Timestamp", "Time (ms)") + ",HeadQw"
    cells = cells_of(PATH, parse(PATH, header + "\n" + ",".join(map(str, range(14))) + "\n"), None)
    assert (cells.unit, cells.time_unit, cells.stamps) == ("mm", "ms", ["0"])
    assert cells.skeleton.joints == ("hip_center", "spine_mid", "neck_base", "head")
    np.testing.assert_array_equal(cells.positions[0], [[10, 11, 12], [7, 8, 9], [4, 5, 6], [1, 2, 3]])
    with pytest.raises(InputError, match=r"header.*several"):
        cells_of(PATH, parse(PATH, header.replace("HeadY", "Head Y (cm)") + "\n" + ",".join("1" * 14) + "\n"), None)
