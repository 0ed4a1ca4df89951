"""The channels of OpenPose's networks."""

import pytest

from gonio.detection.openpose.layouts import BODY_25_PARTS, COCO_18_PARTS

LAYOUTS = pytest.mark.parametrize("layout", [BODY_25_PARTS, COCO_18_PARTS], ids=lambda layout: layout.skeleton.name)


def test_channels_of_the_published_networks():
    assert (BODY_25_PARTS.n_heatmaps, BODY_25_PARTS.n_pafs, BODY_25_PARTS.n_channels) == (26, 52, 78)
    assert (COCO_18_PARTS.n_heatmaps, COCO_18_PARTS.n_pafs, COCO_18_PARTS.n_channels) == (19, 38, 57)


@LAYOUTS
def test_every_paf_channel_belongs_to_one_limb(layout):
    channels = [channel for pair in layout.paf_channels for channel in pair]
    assert sorted(channels) == list(range(layout.n_pafs))
    assert all(y == x + 1 for x, y in layout.paf_channels)
    assert len(set(layout.limbs)) == len(layout.limbs) == len(layout.paf_channels)


@LAYOUTS
def test_limbs_join_neighbours_and_reach_every_part(layout):
    """Bones of the skeleton, in either direction, besides neck to hip and the redundant shoulder to ear."""
    joints = layout.skeleton.joints
    bones = {frozenset(bone) for bone in layout.skeleton.bones}
    others = {(joints[a], joints[b]) for a, b in layout.limbs if frozenset((a, b)) not in bones}
    assert others == {("right_shoulder", "right_ear"), ("left_shoulder", "left_ear")}
    reached = {0}
    while more := {p for limb in layout.limbs if reached & set(limb) for p in limb} - reached:
        reached |= more
    assert reached == set(range(layout.n_parts))


@LAYOUTS
def test_limbs_stay_on_their_side(layout):
    joints = layout.skeleton.joints
    for limb in layout.limbs:
        assert {joints[part].split("_")[0] for part in limb} != {"left", "right"}


def test_feet():
    joints = BODY_25_PARTS.skeleton.joints
    assert sorted(BODY_25_PARTS.feet) == [19, 20, 21, 22, 23, 24]
    assert {joints[part] for part in BODY_25_PARTS.feet} == {
        f"{side}_{part}" for side in ("left", "right") for part in ("big_toe", "small_toe", "heel")
    }
    assert COCO_18_PARTS.feet == ()
