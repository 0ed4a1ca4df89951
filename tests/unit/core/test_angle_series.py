"""Angles over time: every value has its unit in the name, and nothing else answers."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gonio.core.angle_series import AngleSeries
from gonio.core.errors import InputError


def angles(values: NDArray[Any], **changes: Any) -> AngleSeries:
    fields: dict[str, Any] = {
        "angles_rad": values,
        "times_s": np.arange(len(values)) / 10,
        "names": ("knee", "hip"),
        "definitions": ("included angle", "included angle"),
        "intervals_rad": ((0.0, np.pi), (0.0, np.pi)),
    }
    return AngleSeries(**(fields | changes))


SERIES = angles(np.array([[0.0, np.pi / 2], [np.pi, np.nan]]))


def test_the_unit_is_in_the_name() -> None:
    assert len(SERIES) == 2
    np.testing.assert_allclose(SERIES.angles_deg, [[0, 90], [180, np.nan]])
    np.testing.assert_array_equal(SERIES.degrees["knee"], [0.0, 180.0])
    np.testing.assert_array_equal(SERIES.radians["knee"], [0.0, np.pi])
    assert list(SERIES.degrees) == list(SERIES.radians) == ["knee", "hip"]
    assert {name: len(values) for name, values in SERIES.degrees.items()} == {"knee": 2, "hip": 2}
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(SERIES)).degrees["hip"], [90, np.nan])  # noqa: S301 - own


def test_without_a_unit_there_is_no_answer() -> None:
    with pytest.raises(InputError, match=r"degrees\['knee'\].*radians\['knee'\]"):
        SERIES["knee"]
    with pytest.raises(InputError, match="degrees"):
        list(SERIES)


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(InputError, match="knee"):
        SERIES.degrees["knees"]
    with pytest.raises(InputError, match="hip"):
        SERIES.radians["zzz"]
    assert "elbow" not in SERIES.degrees
    assert SERIES.degrees.get("elbow") is None


def test_values_cannot_be_changed() -> None:
    for columns in (SERIES.degrees, SERIES.radians):
        with pytest.raises(ValueError, match="read-only"):
            columns["knee"][0] = 1.0


def test_range_of_motion() -> None:
    assert SERIES.range_of_motion_deg() == {"knee": 180.0, "hip": 0.0}
    motion = angles(np.array([[0.1, np.nan], [0.3, np.nan]])).range_of_motion_deg()
    assert motion["knee"] == pytest.approx(np.rad2deg(0.2))
    assert np.isnan(motion["hip"])
    assert np.isnan(list(angles(np.zeros((0, 2))).range_of_motion_deg().values())).all()


def test_shapes_that_disagree_are_refused() -> None:
    with pytest.raises(InputError, match=r"\(3, 3\).* 2 names"):
        angles(np.zeros((3, 3)))
    with pytest.raises(InputError, match="increase"):
        angles(np.zeros((2, 2)), times_s=[1, 0])
