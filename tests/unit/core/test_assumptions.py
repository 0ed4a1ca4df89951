"""Assumptions travel with a sequence through every operation."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from gonio.core.assumptions import Assumption, united
from gonio.core.clock import at_rate, resample
from gonio.core.errors import InputError
from gonio.core.sequence import PoseSequence
from gonio.core.skeleton import BODY_12, COCO_17

STATURE, FOCAL, CLOCK = (
    Assumption("stature", "1.70 m"),
    Assumption("focal_length", "1152 px"),
    Assumption("clock", "by joint angles"),
)


@pytest.fixture
def sequence() -> PoseSequence:
    positions = np.random.default_rng(0).normal(size=(5, 17, 3))
    return PoseSequence(positions, np.arange(5.0), COCO_17, "m", "root", up="+y").assuming(STATURE, CLOCK)


@pytest.mark.parametrize(
    "operation",
    [
        lambda s: s.derive("moved", positions=s.positions + 1),
        lambda s: s.at(slice(0, 2)),
        lambda s: s.between(1, 3),
        lambda s: s.shifted(0.5, "declared"),
        lambda s: s.select(["nose", "left_hip"]),
        lambda s: s.to_skeleton(BODY_12),
        lambda s: s.with_up("+z"),
        lambda s: resample(s, np.array([0.5, 1.5])),
        lambda s: at_rate(s, 2.0),
    ],
)
def test_every_operation_keeps_them(sequence: PoseSequence, operation: Callable[[PoseSequence], PoseSequence]) -> None:
    assert operation(sequence).assumptions == (STATURE, CLOCK)


def test_they_are_added_once_and_removed_by_kind(sequence: PoseSequence) -> None:
    assert sequence.assuming(CLOCK, FOCAL).assumptions == (STATURE, CLOCK, FOCAL)
    assert sequence.without_assumed("stature").assumptions == (CLOCK,)
    assert sequence.without_assumed("focal_length").assumptions == (STATURE, CLOCK)
    assert united([(STATURE, FOCAL), (), (FOCAL, CLOCK)]) == (STATURE, FOCAL, CLOCK)


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(InputError, match="weather"):
        Assumption("weather", "sunny")  # type: ignore[arg-type]
