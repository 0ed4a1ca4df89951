"""Tracking states and working ranges."""

from __future__ import annotations

import numpy as np

from gonio.core.sequence import Status
from gonio.core.skeleton import AZURE_KINECT_32, BODY_12, KINECT_RECORDER_20, KINECT_V1_20, KINECT_V2_25
from gonio.io.kinect.sensor import AZURE, V1, V2, judged, out_of_range, sensor_of, state_number


def test_sensors() -> None:
    assert [sensor_of(s) for s in (KINECT_V1_20, KINECT_RECORDER_20, KINECT_V2_25, AZURE_KINECT_32)] == [
        V1,
        V1,
        V2,
        AZURE,
    ]
    assert sensor_of(KINECT_V2_25.select(KINECT_V2_25.joints[:9])) is V2
    assert sensor_of(BODY_12) is None


def test_states() -> None:
    missing = np.array([[False, False, False, True]])
    confidence, status = judged(np.array([[0.0, 1, 2, 2]]), missing, V2.states)  # type: ignore[misc]
    np.testing.assert_array_equal(confidence, [[0, 0.5, 1, 0]])
    assert status.tolist() == [[Status.MISSING, Status.INFERRED, Status.MEASURED, Status.MISSING]]
    confidence, status = judged(np.array([[3.0, 1, 2, np.nan]]), missing, AZURE.states)  # type: ignore[misc]
    np.testing.assert_array_equal(confidence, [[1, 0.5, 1, 0]])
    assert judged(np.array([[3.0, 1, 2, 2]]), missing, V2.states) is None
    assert judged(np.array([[np.nan, 1, 2, 2]]), missing, V2.states) is None
    assert judged(np.array([[-0.5, 0.1, 0.2, 0.8]]), missing, V2.states) is None
    confidence, status = judged(np.array([[0.0, 0.25, 1, 1]]), missing, V2.states)  # type: ignore[misc]
    np.testing.assert_array_equal(confidence, [[0, 0.25, 1, 0]])
    assert status.tolist() == [[Status.MISSING, Status.MEASURED, Status.MEASURED, Status.MISSING]]


def test_state_words() -> None:
    assert [state_number(cell) for cell in ("2", "Tracked", "INFERRED", "Not Tracked", "medium", "0.5")] == [
        2,
        2,
        1,
        0,
        2,
        0.5,
    ]
    assert np.isnan(state_number("perhaps"))


def test_range() -> None:
    positions = np.zeros((1, 4, 3))
    positions[0, :, 2] = [0.7, 0.9, 4.2, np.nan]
    assert out_of_range(positions, V1).tolist() == [[True, False, True, False]]  # type: ignore[union-attr]
    assert out_of_range(positions, V2).tolist() == [[False, False, False, False]]  # type: ignore[union-attr]
    assert out_of_range(-positions, V1) is None
    assert out_of_range(np.full((2, 4, 3), np.nan), V1) is None
