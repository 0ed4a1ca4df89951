"""Skeletons: every published layout index by index, and maps by name."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gonio.core.errors import InputError
from gonio.core.skeleton import (
    BODY_12,
    BODY_25,
    BODY_25B,
    COCO_17,
    COUNTERPARTS,
    H36M_17,
    KINECT_RECORDER_20,
    KINECT_V1_20,
    KINECT_V2_25,
    LAYOUTS,
    SYNTHESISED,
    Skeleton,
    joint_map,
    joint_sigmas,
    layout,
)

# Each layout as its makers number it, in their words (OpenPose, COCO, Human3.6M, MediaPipe, Kinect SDKs).
PUBLISHED = {
    "h36m-17": "hip rhip rknee rankle lhip lknee lankle spine thorax neck/nose head lshoulder lelbow lwrist rshoulder "
    "relbow rwrist",
    "coco-17": "nose leye reye lear rear lshoulder rshoulder lelbow relbow lwrist rwrist lhip rhip lknee rknee lankle "
    "rankle",
    "body-25": "Nose Neck RShoulder RElbow RWrist LShoulder LElbow LWrist MidHip RHip RKnee RAnkle LHip LKnee LAnkle "
    "REye LEye REar LEar LBigToe LSmallToe LHeel RBigToe RSmallToe RHeel",
    "body-25b": "Nose LEye REye LEar REar LShoulder RShoulder LElbow RElbow LWrist RWrist LHip RHip LKnee RKnee LAnkle "
    "RAnkle Neck HeadTop LBigToe LSmallToe LHeel RBigToe RSmallToe RHeel",
    "coco-18": "Nose Neck RSho RElb RWri LSho LElb LWri RHip RKnee RAnk LHip LKnee LAnk REye LEye REar LEar",
    "blazepose-33": "nose left_eye_inner left_eye left_eye_outer right_eye_inner right_eye right_eye_outer lear rear "
    "left_mouth right_mouth lshoulder rshoulder lelbow relbow lwrist rwrist left_pinky right_pinky left_index "
    "right_index left_thumb right_thumb lhip rhip lknee rknee lankle rankle lheel rheel left_foot_index "
    "right_foot_index",
    "kinect-v1-20": "HipCenter Spine ShoulderCenter Head ShoulderLeft ElbowLeft WristLeft HandLeft ShoulderRight "
    "ElbowRight WristRight HandRight HipLeft KneeLeft AnkleLeft FootLeft HipRight KneeRight AnkleRight FootRight",
    "kinect-recorder-20": "Head ShoulderCenter ShoulderLeft ShoulderRight Spine HipCenter HipLeft HipRight ElbowLeft "
    "WristLeft HandLeft ElbowRight WristRight HandRight KneeLeft AnkleLeft FootLeft KneeRight AnkleRight FootRight",
    "kinect-v2-25": "SpineBase SpineMid Neck Head ShoulderLeft ElbowLeft WristLeft HandLeft ShoulderRight ElbowRight "
    "WristRight HandRight HipLeft KneeLeft AnkleLeft FootLeft HipRight KneeRight AnkleRight FootRight SpineShoulder "
    "HandTipLeft ThumbLeft HandTipRight ThumbRight",
    "azure-kinect-32": "PELVIS SPINE_NAVEL SPINE_CHEST NECK CLAVICLE_LEFT SHOULDER_LEFT ELBOW_LEFT WRIST_LEFT "
    "HAND_LEFT HANDTIP_LEFT THUMB_LEFT CLAVICLE_RIGHT SHOULDER_RIGHT ELBOW_RIGHT WRIST_RIGHT HAND_RIGHT HANDTIP_RIGHT "
    "THUMB_RIGHT HIP_LEFT KNEE_LEFT ANKLE_LEFT FOOT_LEFT HIP_RIGHT KNEE_RIGHT ANKLE_RIGHT FOOT_RIGHT HEAD NOSE "
    "EYE_LEFT EAR_LEFT EYE_RIGHT EAR_RIGHT",
}

# Points on the midline, per family: the maker's word -> gonio's. Limbs are translated by rule below.
MIDLINE = {
    "h36m": {"hip": "mid_hip", "neck/nose": "neck_nose", "head": "head_top"},
    "kinect": {
        "hipcenter": "hip_center",
        "spinebase": "hip_center",
        "pelvis": "hip_center",
        "spine": "spine_mid",
        "spinemid": "spine_mid",
        "spine_navel": "spine_mid",
        "shouldercenter": "shoulder_center",
        "spineshoulder": "shoulder_center",
        "neck": "neck_base",
    },
    "openpose": {"midhip": "mid_hip", "headtop": "head_top"},
}
SHORT = {
    "sho": "shoulder",
    "elb": "elbow",
    "wri": "wrist",
    "ank": "ankle",
    "bigtoe": "big_toe",
    "smalltoe": "small_toe",
}


def in_gonio(word: str, layout_name: str) -> str:
    """A maker's word in gonio's vocabulary."""
    family = "kinect" if "kinect" in layout_name else "h36m" if "h36m" in layout_name else "openpose"
    word = word.lower()
    if word in MIDLINE[family]:
        return MIDLINE[family][word]
    if word.startswith(("left_", "right_")):
        return word
    if family == "kinect":
        for side in ("left", "right"):
            if word.endswith(side):
                part = word.removesuffix(side).rstrip("_").replace("handtip", "hand_tip")
                return f"{side}_{part}"
        return word
    for letter, side in (("l", "left"), ("r", "right")):
        part = SHORT.get(word[1:], word[1:])
        if word[0] == letter and part in {j[5:] for j in BODY_25.joints if j.startswith("left_")}:
            return f"{side}_{part}"
    return word


@pytest.mark.parametrize("name", PUBLISHED)
def test_layout_is_the_published_one(name: str) -> None:
    published = [in_gonio(word, name) for word in PUBLISHED[name].split()]
    assert list(layout(name).joints) == published


def test_facts_of_the_layouts_one_by_one() -> None:
    """Single facts, spelled out, so that a slip in the table above cannot hide one in the code."""
    facts = {
        ("body-25", 2): "right_shoulder",
        ("body-25", 5): "left_shoulder",
        ("body-25", 8): "mid_hip",
        ("body-25", 9): "right_hip",
        ("body-25", 12): "left_hip",
        ("body-25", 15): "right_eye",
        ("body-25", 24): "right_heel",
        ("body-25b", 5): "left_shoulder",
        ("body-25b", 17): "neck",
        ("body-25b", 18): "head_top",
        ("body-25b", 24): "right_heel",
        ("coco-17", 5): "left_shoulder",
        ("coco-17", 16): "right_ankle",
        ("coco-18", 8): "right_hip",
        ("coco-18", 11): "left_hip",
        ("h36m-17", 1): "right_hip",
        ("h36m-17", 4): "left_hip",
        ("h36m-17", 11): "left_shoulder",
        ("h36m-17", 14): "right_shoulder",
        ("blazepose-33", 11): "left_shoulder",
        ("blazepose-33", 24): "right_hip",
        ("blazepose-33", 32): "right_foot_index",
        ("kinect-v1-20", 4): "left_shoulder",
        ("kinect-v1-20", 12): "left_hip",
        ("kinect-v2-25", 20): "shoulder_center",
        ("kinect-v2-25", 24): "right_thumb",
        ("azure-kinect-32", 18): "left_hip",
        ("azure-kinect-32", 25): "right_foot",
        ("azure-kinect-32", 30): "right_eye",
    }
    assert {key: layout(key[0]).joints[key[1]] for key in facts} == facts


def test_sizes() -> None:
    sizes = {name: len(skeleton) for name, skeleton in LAYOUTS.items()}
    assert sizes == {
        **{name: len(words.split()) for name, words in PUBLISHED.items()},
        "hand-21": 21,
        "face-70": 70,
        "body-12": 12,
    }


def test_h36m_parents_are_the_published_ones() -> None:
    assert H36M_17.parents == (-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 9, 8, 11, 12, 8, 14, 15)


def test_hand_is_the_wrist_then_four_per_finger_thumb_first() -> None:
    hand = layout("hand-21")
    assert hand.joints[0] == "wrist"
    assert hand.joints[1:5] == ("thumb_1", "thumb_2", "thumb_3", "thumb_4")
    assert [hand.joints[i] for i in (5, 9, 13, 17)] == ["index_1", "middle_1", "ring_1", "pinky_1"]
    assert hand.parents == tuple(-1 if i == 0 else 0 if i % 4 == 1 else i - 1 for i in range(21))


def test_openpose_sides_are_not_swapped() -> None:
    """A known table of OpenPose's keypoints has left and right exchanged: the person's right comes first here."""
    limbs = ("shoulder", "elbow", "wrist")
    assert BODY_25.joints[2:5] == tuple(f"right_{limb}" for limb in limbs)
    assert BODY_25.joints[5:8] == tuple(f"left_{limb}" for limb in limbs)
    onto_coco = joint_map(BODY_25, COCO_17)
    assert onto_coco.sources[COCO_17.index("left_shoulder")] == (5,)
    assert onto_coco.sources[COCO_17.index("right_ankle")] == (11,)


def test_no_joint_is_dropped_not_even_the_last() -> None:
    """Joint 24, the right heel, is there in both 25-joint layouts, and maps between them."""
    assert BODY_25.joints[24] == BODY_25B.joints[24] == "right_heel"
    mapping = joint_map(BODY_25, BODY_25B)
    assert mapping.sources[24] == (24,)
    assert [j for j, kind in zip(BODY_25B.joints, mapping.kinds, strict=True) if kind == "missing"] == ["head_top"]


def test_both_25_joint_layouts_differ_almost_everywhere() -> None:
    """Their length cannot tell them apart: nose, left shoulder, left knee and the feet share their place."""
    same = [a for a, b in zip(BODY_25.joints, BODY_25B.joints, strict=True) if a == b]
    feet = [f"{side}_{part}" for side in ("left", "right") for part in ("big_toe", "small_toe", "heel")]
    assert same == ["nose", "left_shoulder", "left_knee", *feet]


def test_recorder_order_maps_to_h36m_by_name() -> None:
    """The 1-based recorder numbers and the H36M numbers that its makers documented as belonging together."""
    limbs = {
        **{1: 10, 3: 11, 4: 14, 7: 4, 8: 1, 9: 12, 10: 13, 12: 15, 13: 16},
        **{15: 5, 16: 6, 18: 2, 19: 3},
    }
    trunk = {2: 8, 5: 7, 6: 0}  # other points in the body than H36M's: the nearest counterparts, not the same
    mapping = joint_map(KINECT_RECORDER_20, H36M_17)
    single = {sources[0] + 1: h36m for h36m, sources in enumerate(mapping.sources) if len(sources) == 1}
    assert single == limbs
    assert mapping.kinds[10] == "counterpart"  # the Kinect's head is inside it, H36M's on top
    for recorder, h36m in trunk.items():
        assert KINECT_RECORDER_20.joints[recorder - 1] in COUNTERPARTS[H36M_17.joints[h36m]]
        assert mapping.kinds[h36m] == "synthesised"  # the mean of hips or shoulders is nearer
    assert [H36M_17.joints[h] for h, s in enumerate(mapping.sources) if not s] == ["neck_nose"]


def test_counterpart_is_used_where_nothing_is_nearer() -> None:
    trunk = KINECT_RECORDER_20.select(["hip_center", "spine_mid", "shoulder_center", "head"])
    mapping = joint_map(trunk, H36M_17)
    assert {H36M_17.joints[h]: trunk.joints[s[0]] for h, s in enumerate(mapping.sources) if s} == {
        "mid_hip": "hip_center",
        "spine": "spine_mid",
        "thorax": "shoulder_center",
        "head_top": "head",
    }
    assert set(mapping.kinds) == {"counterpart", "missing"}


def test_h36m_is_written_in_the_recorders_order_as_documented() -> None:
    """The other way round, every number of that table holds, and both hands and both feet are left empty."""
    documented = {
        **{1: 10, 2: 8, 3: 11, 4: 14, 5: 7, 6: 0, 7: 4, 8: 1, 9: 12, 10: 13, 11: None, 12: 15, 13: 16, 14: None},
        **{15: 5, 16: 6, 17: None, 18: 2, 19: 3, 20: None},
    }
    mapping = joint_map(H36M_17, KINECT_RECORDER_20)
    assert {n: s[0] if s else None for n, s in enumerate(mapping.sources, start=1)} == documented
    other_points = {1, 2, 5, 6}  # head, shoulder centre, spine, hip centre
    kinds = dict(enumerate(mapping.kinds, start=1))
    assert {n for n, kind in kinds.items() if kind == "counterpart"} == other_points
    assert {n for n, kind in kinds.items() if kind == "missing"} == {11, 14, 17, 20}


def test_recorder_and_sdk_hold_the_same_joints_in_another_order() -> None:
    assert set(KINECT_RECORDER_20.joints) == set(KINECT_V1_20.joints)
    assert KINECT_RECORDER_20.joints != KINECT_V1_20.joints
    assert set(joint_map(KINECT_RECORDER_20, KINECT_V1_20).kinds) == {"same"}


@pytest.mark.parametrize("name", [n for n in LAYOUTS if n not in ("hand-21", "face-70")])
def test_every_body_layout_holds_the_twelve_joints_of_comparison(name: str) -> None:
    assert set(joint_map(layout(name), BODY_12).kinds) == {"same"}


@pytest.mark.parametrize("skeleton", LAYOUTS.values(), ids=LAYOUTS)
def test_bones_join_one_side_or_the_trunk(skeleton: Skeleton) -> None:
    """No bone runs from a left joint to a right one, but across the shoulders where a layout has no trunk."""
    for parent, child in skeleton.bones:
        sides = {name.split("_")[0] for name in (skeleton.joints[parent], skeleton.joints[child])}
        if {"left", "right"} <= sides:
            assert (skeleton.joints[parent], skeleton.joints[child]) == ("left_shoulder", "right_shoulder")


@pytest.mark.parametrize("skeleton", LAYOUTS.values(), ids=LAYOUTS)
def test_mirrored_order_is_its_own_inverse_and_exchanges_sides(skeleton: Skeleton) -> None:
    order = skeleton.mirrored_order
    assert [order[i] for i in order] == list(range(len(skeleton)))
    for i, joint in enumerate(skeleton.joints):
        mirror = skeleton.joints[order[i]]
        swapped = {"left": "right", "right": "left"}.get(joint.split("_")[0])
        assert mirror == (joint if swapped is None else f"{swapped}_{joint.split('_', 1)[1]}")


def test_synthesised_and_counterparts_use_known_names() -> None:
    known = {joint for skeleton in LAYOUTS.values() for joint in skeleton.joints}
    for table in (SYNTHESISED, COUNTERPARTS):
        for joint, parts in table.items():
            assert {joint, *parts} <= known
            assert joint not in parts


def test_synthesised_joints_come_before_counterparts() -> None:
    """COCO has no thorax and no mid-hip: both are means of its shoulders and hips."""
    mapping = joint_map(COCO_17, H36M_17)
    assert mapping.kinds[0] == "synthesised"
    assert mapping.sources[0] == (11, 12)
    assert mapping.kinds[8] == "synthesised"
    assert mapping.sources[8] == (5, 6)
    assert mapping.kinds[9] == mapping.kinds[10] == "missing"


@given(st.permutations(KINECT_V2_25.joints))
def test_maps_go_by_name_whatever_the_order(joints: list[str]) -> None:
    shuffled = Skeleton("shuffled", tuple(joints), (-1,) * len(joints))
    mapping = joint_map(shuffled, KINECT_V2_25)
    assert [joints[s[0]] for s in mapping.sources] == list(KINECT_V2_25.joints)
    assert set(mapping.kinds) == {"same"}


@pytest.mark.parametrize("target", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("source", LAYOUTS.values(), ids=LAYOUTS)
def test_maps_never_invent_a_joint(source: Skeleton, target: Skeleton) -> None:
    """Between all pairs: the same name is the same joint, and left never becomes right."""
    mapping = joint_map(source, target)
    for joint, sources, kind in zip(target.joints, mapping.sources, mapping.kinds, strict=True):
        names = tuple(source.joints[s] for s in sources)
        expected = {
            "same": (joint,),
            "synthesised": SYNTHESISED.get(joint),
            "missing": (),
            "counterpart": names if len(names) == 1 and names[0] in COUNTERPARTS.get(joint, ()) else None,
        }
        assert names == expected[kind]
        assert (kind == "same") == (joint in source)
        for side in ("left", "right"):
            if joint.startswith(f"{side}_"):
                assert all(name.startswith(f"{side}_") for name in names)


def test_select_skips_over_joints_that_are_left_out() -> None:
    legs = H36M_17.select(["right_ankle", "right_hip", "thorax", "mid_hip"])
    assert legs.joints == ("right_ankle", "right_hip", "thorax", "mid_hip")
    assert legs.parents == (1, 3, 3, -1)
    assert legs.name == "h36m-17[4]"
    assert H36M_17.select(H36M_17.joints) == H36M_17


@given(st.data())
def test_select_joins_each_joint_to_its_nearest_ancestor_kept(data: st.DataObject) -> None:
    skeleton = data.draw(st.sampled_from(list(LAYOUTS.values())))
    joints = data.draw(st.lists(st.sampled_from(skeleton.joints), unique=True))
    part = skeleton.select(joints)
    assert part.joints == tuple(joints)
    for joint, parent in zip(part.joints, part.parents, strict=True):
        ancestors = []
        above = skeleton.parents[skeleton.index(joint)]
        while above != -1:
            ancestors.append(skeleton.joints[above])
            above = skeleton.parents[above]
        nearest = next((a for a in ancestors if a in joints), None)
        assert nearest == (None if parent == -1 else part.joints[parent])


def test_select_refuses_unknown_and_repeated_joints() -> None:
    with pytest.raises(InputError, match=r"'left_kne'.*'left_knee'"):
        BODY_25.select(["nose", "left_kne"])
    with pytest.raises(InputError, match="twice"):
        BODY_25.select(["nose", "nose"])


def test_a_side_without_its_other_side_has_no_mirror_image() -> None:
    part = BODY_25.select(["left_knee", "nose", "right_ankle", "left_ankle"])
    assert part.left_right_pairs == ((3, 2),)
    assert part.mirrored_order == (0, 1, 3, 2)


def test_every_layout_is_found_by_its_own_name() -> None:
    assert all(layout(name) is skeleton and skeleton.name == name for name, skeleton in LAYOUTS.items())
    assert len({skeleton.joints for skeleton in LAYOUTS.values()}) == len(LAYOUTS)


def test_membership_index_and_length() -> None:
    assert "left_knee" in BODY_25
    assert "knee" not in BODY_25
    assert BODY_25.index("left_knee") == 13
    assert len(BODY_25) == 25
    assert len(BODY_25.bones) == 24


@pytest.mark.parametrize(("asked", "near"), [("left_kne", "left_knee"), ("rightankle", "right_ankle")])
def test_unknown_joint_names_the_nearest(asked: str, near: str) -> None:
    with pytest.raises(InputError, match=f"'{asked}'.*'{near}'"):
        COCO_17.index(asked)


def test_unknown_joint_lists_all_where_none_is_near() -> None:
    with pytest.raises(InputError, match="left_eye"):
        COCO_17.index("xyz")


def test_layout_names_are_forgiving_about_case_and_underscores_only() -> None:
    assert layout("BODY_25B") is BODY_25B
    with pytest.raises(InputError, match="'body-25'"):
        layout("body25")
    with pytest.raises(InputError, match="h36m-17"):
        layout("?")


@pytest.mark.parametrize(
    ("joints", "parents", "message"),
    [
        (("a", "a"), (-1, 0), r"names.*joint"),
        (("a", "b"), (-1,), r"2 joints.*1"),
        (("a", "b"), (1, 0), "tree"),
        (("a", "b", "c", "d"), (-1, 3, 1, 2), "tree"),
        (("a", "b"), (-1, 1), "tree"),
        (("a", "b"), (-1, 2), "tree"),
        (("a", "b"), (-1, -2), "tree"),
    ],
)
def test_impossible_skeletons_are_refused(joints: tuple[str, ...], parents: tuple[int, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Skeleton("odd", joints, parents)


def test_skeletons_are_frozen_and_compare_by_value() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        COCO_17.name = "other"  # type: ignore[misc]
    assert dataclasses.replace(COCO_17) == COCO_17


def test_sigmas_are_those_of_cocos_evaluation() -> None:
    assert joint_sigmas(COCO_17.joints).tolist() == [
        .026, .025, .025, .035, .035, .079, .079, .072, .072, .062, .062, .107, .107, .087, .087, .089, .089,
    ]  # fmt: skip
    assert joint_sigmas(["left_heel", "neck", "left_wrist"]).tolist() == [0.089, 0.089, 0.062]
