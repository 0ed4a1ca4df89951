"""Clips made by another process are the same clips."""

import os
import time
from functools import partial

import numpy as np
import pytest

from gonio.core.errors import GonioError, InputError
from gonio.training.augmentation import Augmentation, Bodies
from gonio.training.bodies import training_body
from gonio.training.prefetch import PrefetchedClips
from gonio.training.training_data import body_clips, shared_clips
from gonio.training.windows import ARRAYS, Clip

# What the other process calls must be in a module that it can import too.


def test_the_same_clips_in_any_order_with_and_without(person):
    make = partial(
        body_clips,
        bodies=Bodies({"a": [training_body(person(60))]}, {"a": 1.0}),
        augmentation=Augmentation(length_s=0.5),
        frames=60,
        fixed=(),
        seed=0,
        world=1,
        causal=False,
    )
    with PrefetchedClips(make, last=7, step=2) as ahead:
        for number in (0, 2, 6, 8):  # 4 is prefetched and never requested; 8 is beyond the last
            for theirs, ours in zip(ahead(number), make(number), strict=True):
                for name in ARRAYS:
                    assert np.array_equal(getattr(theirs, name), getattr(ours, name)), (number, name)


def test_errors_are_raised_when_their_number_is_requested():
    one = [Clip(np.ones((1, 1, 1), np.float32))]
    with PrefetchedClips(partial(shared_clips, one, 2), last=1) as ahead:
        assert len(ahead(0)) == 1
        time.sleep(0.1)
        with pytest.raises(InputError, match=r"1 clips.*2 processes"):
            ahead(1)


def test_a_killed_process_is_reported():
    with PrefetchedClips(os._exit, last=1) as ahead, pytest.raises(GonioError, match="memory"):
        ahead(3)


def test_leaving_does_not_wait_for_prefetched_clips():
    began = time.perf_counter()
    with PrefetchedClips(time.sleep, last=60, step=60) as ahead:
        assert ahead(0) is None
        process = ahead._process
        assert process.is_alive()
    assert not process.is_alive()
    assert time.perf_counter() - began < 20


def test_unused_it_starts_nothing():
    with PrefetchedClips(time.sleep, last=1) as ahead:
        assert ahead._process.pid is None
