"""Bones tell a wrong order of joints: on a made-up person in every pair of orders, and on UI-PRMD's Kinect."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from gonio.core.errors import InputError
from gonio.core.sequence import PoseSequence
from gonio.core.skeleton import AZURE_KINECT_32, BODY_12, KINECT_RECORDER_20, KINECT_V1_20, KINECT_V2_25, Skeleton
from gonio.io import formats
from gonio.io.body_checks import bone_length_misfit as misfit
from gonio.io.body_checks import check_order, is_impossible_body

Person = Callable[..., PoseSequence]
LAYOUTS = (KINECT_V1_20, KINECT_RECORDER_20, KINECT_V2_25, AZURE_KINECT_32)
TWENTY = (KINECT_V1_20.name, KINECT_RECORDER_20.name)


@pytest.mark.parametrize("skeleton", LAYOUTS, ids=lambda s: s.name)
@pytest.mark.parametrize("scale", [1.0, 0.6, 1000.0])
def test_the_right_order_passes(kinect_person: Person, skeleton: Skeleton, scale: float) -> None:
    person = kinect_person(skeleton)
    assert misfit(person.positions, skeleton) < 0.2
    check_order(person.derive(positions=person.positions * scale), TWENTY)


@pytest.mark.parametrize(("right", "wrong"), [(KINECT_V1_20, KINECT_RECORDER_20), (KINECT_RECORDER_20, KINECT_V1_20)])
def test_the_other_order_is_refused(kinect_person: Person, right: Skeleton, wrong: Skeleton) -> None:
    swapped = kinect_person(right).derive(skeleton=wrong)
    with pytest.raises(InputError, match=f"{wrong.name} .*--layout {right.name}"):
        check_order(swapped, TWENTY)
    with pytest.raises(InputError, match="header"):
        check_order(swapped)


def test_two_joints_exchanged(kinect_person: Person) -> None:
    """Far ones are found; the two sides of the body have the same bones, and neighbours are too near."""
    person = kinect_person(KINECT_V2_25)

    def exchanged(one: str, other: str) -> bool:
        order = list(range(25))
        i, j = KINECT_V2_25.index(one), KINECT_V2_25.index(other)
        order[i], order[j] = j, i
        return is_impossible_body(person.positions[:, order], KINECT_V2_25)

    for one, other in (("left_wrist", "head"), ("head", "hip_center"), ("right_wrist", "right_ankle")):
        assert exchanged(one, other)
    for one, other in (("left_hip", "right_hip"), ("left_wrist", "left_hand")):
        assert not exchanged(one, other)
    pairs = list(combinations(KINECT_V2_25.joints, 2))
    assert sum(exchanged(*pair) for pair in pairs) >= 0.7 * len(pairs)
    mirrored = person.positions[:, list(KINECT_V2_25.mirrored_order)]
    assert not is_impossible_body(mirrored, KINECT_V2_25)


def test_shuffled_joints_are_refused(kinect_person: Person) -> None:
    person = kinect_person(KINECT_V2_25)
    rng = np.random.default_rng(0)
    for _ in range(50):
        shuffled = person.derive(positions=person.positions[:, rng.permutation(25)])
        with pytest.raises(InputError, match="25"):
            check_order(shuffled, (KINECT_V2_25.name,))


def test_too_few_bones_pass(kinect_person: Person) -> None:
    person = kinect_person(BODY_12)
    some = person.select(BODY_12.joints[:6])
    assert np.isnan(misfit(some.positions, some.skeleton))
    check_order(some)
    nothing = np.full((3, 12, 3), np.nan)
    assert not is_impossible_body(nothing, BODY_12)
    assert not is_impossible_body(np.ones((3, 12, 3)), BODY_12)


def test_ui_prmds_kinect(shared_data: Path) -> None:
    """Real bones, with all their jitter, in 20 joints: hands, which UI-PRMD has not, are missing."""
    folder = shared_data / "ui-prmd/Segmented Movements/Kinect/Positions"
    files = sorted(folder.glob("*_s0[2468]_e03_*"))
    assert len(files) == 40
    for file in files:
        recording = formats.read(file)
        assert isinstance(recording, PoseSequence)
        for right, wrong in ((KINECT_V1_20, KINECT_RECORDER_20), (KINECT_RECORDER_20, KINECT_V1_20)):
            mapped = recording.to_skeleton(right)
            assert not is_impossible_body(mapped.positions, right), file.name
            with pytest.raises(InputError, match=f"declare --layout {right.name}"):
                check_order(mapped.derive(skeleton=wrong), TWENTY)
