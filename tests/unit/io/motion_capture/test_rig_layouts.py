"""Names of rigs: every table knows the limbs, once each, and leaves strangers alone."""

from __future__ import annotations

import pytest

from gonio.core.skeleton import BODY_12, Skeleton
from gonio.io.motion_capture import rig_layouts


@pytest.mark.parametrize("rig", [*rig_layouts.BVH_RIGS, rig_layouts.ACCLAIM])
def test_tables(rig: dict[str, str]) -> None:
    assert len(set(rig.values())) == len(rig)
    assert set(BODY_12.joints) <= set(rig.values())
    assert {"mid_hip", "spine", "thorax", "neck_nose"} <= set(rig.values())
    joints = (*rig, "a stranger")
    named, known = rig_layouts.body_skeleton(Skeleton("x", joints, (-1,) * len(joints)), (rig,))
    assert named.joints == (*rig.values(), "a stranger")
    assert known == len(rig)


def test_a_rig_without_arms_keeps_its_names() -> None:
    legs = Skeleton(
        "x", tuple(j for j, name in rig_layouts.POSER.items() if "knee" in name or "hip" in name), (-1,) * 5
    )
    assert rig_layouts.body_skeleton(legs, rig_layouts.BVH_RIGS) == (legs, 0)


def test_a_name_that_the_rig_has_taken() -> None:
    joints = (*rig_layouts.ACCLAIM, "left_knee")
    named, _ = rig_layouts.body_skeleton(Skeleton("x", joints, (-1,) * len(joints)), (rig_layouts.ACCLAIM,))
    assert named.joints[-1] == "left_knee_of_rig"
    assert named.joints[named.joints.index("left_knee")] == "left_knee"
