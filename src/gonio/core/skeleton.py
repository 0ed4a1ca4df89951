"""Skeletons: which joints a sequence holds, in which order, and how one layout maps to another.

All layouts share one vocabulary. The same anatomical point has the same name in every layout ("left_knee"). Points that
two systems name alike but define differently have different names here (the Kinect's "hip_center" is not the midpoint
of the hips, "mid_hip") and are listed in `COUNTERPARTS`. Joints are mapped by name, never by number. Left and right are
the person's own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from typing import Literal

import numpy as np

from gonio.core.arrays import FloatArray
from gonio.core.errors import InputError
from gonio.core.plugins import Registry

MapKind = Literal["same", "synthesised", "counterpart", "missing"]


@dataclass(frozen=True)
class Skeleton:
    """Joint names in order, and each joint's parent (-1: none).

    Raises `InputError` if names repeat, or if the parents do not form trees.
    """

    name: str
    joints: tuple[str, ...]
    parents: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(set(self.joints)) != len(self.joints):
            raise InputError(f"skeleton {self.name!r} names a joint twice: {self.joints}")
        if len(self.parents) != len(self.joints):
            raise InputError(f"skeleton {self.name!r} has {len(self.joints)} joints but {len(self.parents)} parents")
        for start in range(len(self.joints)):
            passed, joint = set(), start
            while joint != -1:
                if joint in passed or not -1 <= joint < len(self.joints):
                    raise InputError(f"skeleton {self.name!r}: parents {self.parents} form no tree")
                passed.add(joint)
                joint = self.parents[joint]

    def __len__(self) -> int:
        return len(self.joints)

    @cached_property
    def _index(self) -> dict[str, int]:
        return {joint: i for i, joint in enumerate(self.joints)}

    def index(self, joint: str) -> int:
        """Number of a joint. Raises `InputError`, with the nearest name, if the joint is unknown."""
        try:
            return self._index[joint]
        except KeyError:
            near = get_close_matches(joint, self.joints, 1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; it has {', '.join(self.joints)}"
            raise InputError(f"skeleton {self.name!r} has no joint {joint!r}{hint}") from None

    def __contains__(self, joint: object) -> bool:
        return joint in self._index

    @property
    def bones(self) -> tuple[tuple[int, int], ...]:
        """(parent, child) index pairs."""
        return tuple((p, c) for c, p in enumerate(self.parents) if p >= 0)

    @property
    def left_right_pairs(self) -> tuple[tuple[int, int], ...]:
        """(left, right) index pairs of the joints that have a mirror image."""
        return tuple(
            (i, self._index[mirror])
            for i, joint in enumerate(self.joints)
            if joint.startswith("left_") and (mirror := "right_" + joint[5:]) in self._index
        )

    @property
    def mirrored_order(self) -> tuple[int, ...]:
        """Index of each joint's mirror image (its own index on the midline)."""
        order = list(range(len(self.joints)))
        for left, right in self.left_right_pairs:
            order[left], order[right] = right, left
        return tuple(order)

    def select(self, joints: Sequence[str]) -> Skeleton:
        """The skeleton of some joints only; a bone skips over joints that are left out."""
        kept = [self.index(joint) for joint in joints]
        position = {old: new for new, old in enumerate(kept)}
        parents = []
        for old in kept:
            parent = self.parents[old]
            while parent != -1 and parent not in position:
                parent = self.parents[parent]
            parents.append(position.get(parent, -1))
        name = self.name if tuple(joints) == self.joints else f"{self.name}[{len(kept)}]"
        return Skeleton(name, tuple(joints), tuple(parents))


def _skeleton(name: str, tree: Mapping[str, str | None]) -> Skeleton:
    joints = tuple(tree)
    return Skeleton(name, joints, tuple(-1 if p is None else joints.index(p) for p in tree.values()))


_LIMBS: dict[str, str | None] = {
    f"{side}_{joint}": f"{side}_{parent}"
    for side in ("left", "right")
    for joint, parent in (
        ("elbow", "shoulder"),
        ("wrist", "elbow"),
        ("knee", "hip"),
        ("ankle", "knee"),
        ("big_toe", "ankle"),
        ("small_toe", "big_toe"),
        ("heel", "ankle"),
        ("foot", "ankle"),
        ("foot_index", "ankle"),
        ("hand", "wrist"),
        ("hand_tip", "hand"),
        ("thumb", "wrist"),
        ("pinky", "wrist"),
        ("index", "wrist"),
    )
}


def _layout(name: str, joints: str, trunk: Mapping[str, str | None]) -> Skeleton:
    return _skeleton(name, {j: trunk[j] if j in trunk else _LIMBS[j] for j in joints.split()})


H36M_17 = _layout(
    "h36m-17",
    "mid_hip right_hip right_knee right_ankle left_hip left_knee left_ankle spine thorax neck_nose head_top "
    "left_shoulder left_elbow left_wrist right_shoulder right_elbow right_wrist",
    {
        "mid_hip": None,
        "right_hip": "mid_hip",
        "left_hip": "mid_hip",
        "spine": "mid_hip",
        "thorax": "spine",
        "neck_nose": "thorax",
        "head_top": "neck_nose",
        "left_shoulder": "thorax",
        "right_shoulder": "thorax",
    },
)

COCO_17 = _layout(
    "coco-17",
    "nose left_eye right_eye left_ear right_ear left_shoulder right_shoulder left_elbow right_elbow left_wrist "
    "right_wrist left_hip right_hip left_knee right_knee left_ankle right_ankle",
    {
        "nose": None,
        "left_eye": "nose",
        "right_eye": "nose",
        "left_ear": "left_eye",
        "right_ear": "right_eye",
        "left_shoulder": None,
        "right_shoulder": "left_shoulder",
        "left_hip": "left_shoulder",
        "right_hip": "right_shoulder",
    },
)

_OPENPOSE_HEAD: dict[str, str | None] = {
    "nose": "neck",
    "left_eye": "nose",
    "right_eye": "nose",
    "left_ear": "left_eye",
    "right_ear": "right_eye",
    "left_shoulder": "neck",
    "right_shoulder": "neck",
}

BODY_25 = _layout(
    "body-25",
    "nose neck right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist mid_hip right_hip "
    "right_knee right_ankle left_hip left_knee left_ankle right_eye left_eye right_ear left_ear left_big_toe "
    "left_small_toe left_heel right_big_toe right_small_toe right_heel",
    _OPENPOSE_HEAD | {"neck": "mid_hip", "mid_hip": None, "left_hip": "mid_hip", "right_hip": "mid_hip"},
)

BODY_25B = _layout(
    "body-25b",
    "nose left_eye right_eye left_ear right_ear left_shoulder right_shoulder left_elbow right_elbow left_wrist "
    "right_wrist left_hip right_hip left_knee right_knee left_ankle right_ankle neck head_top left_big_toe "
    "left_small_toe left_heel right_big_toe right_small_toe right_heel",
    _OPENPOSE_HEAD
    | {
        "neck": None,
        "head_top": "nose",
        "left_hip": "left_shoulder",
        "right_hip": "right_shoulder",
    },
)

COCO_18 = _layout(
    "coco-18",
    "nose neck right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist right_hip right_knee "
    "right_ankle left_hip left_knee left_ankle right_eye left_eye right_ear left_ear",
    _OPENPOSE_HEAD | {"neck": None, "left_hip": "neck", "right_hip": "neck"},
)

_FINGERS = ("thumb", "index", "middle", "ring", "pinky")
HAND_21 = _skeleton(
    "hand-21",
    {"wrist": None}
    | {f"{finger}_{i}": "wrist" if i == 1 else f"{finger}_{i - 1}" for finger in _FINGERS for i in range(1, 5)},
)

FACE_70 = Skeleton("face-70", tuple(f"face_{i}" for i in range(70)), (-1,) * 70)

BLAZEPOSE_33 = _layout(
    "blazepose-33",
    "nose left_eye_inner left_eye left_eye_outer right_eye_inner right_eye right_eye_outer left_ear right_ear "
    "left_mouth right_mouth left_shoulder right_shoulder left_elbow right_elbow left_wrist right_wrist left_pinky "
    "right_pinky left_index right_index left_thumb right_thumb left_hip right_hip left_knee right_knee left_ankle "
    "right_ankle left_heel right_heel left_foot_index right_foot_index",
    {
        "nose": None,
        "left_eye_inner": "nose",
        "left_eye": "left_eye_inner",
        "left_eye_outer": "left_eye",
        "left_ear": "left_eye_outer",
        "right_eye_inner": "nose",
        "right_eye": "right_eye_inner",
        "right_eye_outer": "right_eye",
        "right_ear": "right_eye_outer",
        "left_mouth": "nose",
        "right_mouth": "nose",
        "left_shoulder": None,
        "right_shoulder": "left_shoulder",
        "left_hip": "left_shoulder",
        "right_hip": "right_shoulder",
    },
)

_KINECT_V1_TRUNK: dict[str, str | None] = {
    "hip_center": None,
    "spine_mid": "hip_center",
    "shoulder_center": "spine_mid",
    "head": "shoulder_center",
    "left_shoulder": "shoulder_center",
    "right_shoulder": "shoulder_center",
    "left_hip": "hip_center",
    "right_hip": "hip_center",
}

KINECT_V1_20 = _layout(
    "kinect-v1-20",
    "hip_center spine_mid shoulder_center head left_shoulder left_elbow left_wrist left_hand right_shoulder "
    "right_elbow right_wrist right_hand left_hip left_knee left_ankle left_foot right_hip right_knee right_ankle "
    "right_foot",
    _KINECT_V1_TRUNK,
)

# The order in which the origin project's recorder writes the Kinect v1 joints to text.
KINECT_RECORDER_20 = _layout(
    "kinect-recorder-20",
    "head shoulder_center left_shoulder right_shoulder spine_mid hip_center left_hip right_hip left_elbow left_wrist "
    "left_hand right_elbow right_wrist right_hand left_knee left_ankle left_foot right_knee right_ankle right_foot",
    _KINECT_V1_TRUNK,
)

KINECT_V2_25 = _layout(
    "kinect-v2-25",
    "hip_center spine_mid neck_base head left_shoulder left_elbow left_wrist left_hand right_shoulder right_elbow "
    "right_wrist right_hand left_hip left_knee left_ankle left_foot right_hip right_knee right_ankle right_foot "
    "shoulder_center left_hand_tip left_thumb right_hand_tip right_thumb",
    _KINECT_V1_TRUNK | {"neck_base": "shoulder_center", "head": "neck_base"},
)

AZURE_KINECT_32 = _layout(
    "azure-kinect-32",
    "hip_center spine_mid spine_chest neck_base left_clavicle left_shoulder left_elbow left_wrist left_hand "
    "left_hand_tip left_thumb right_clavicle right_shoulder right_elbow right_wrist right_hand right_hand_tip "
    "right_thumb left_hip left_knee left_ankle left_foot right_hip right_knee right_ankle right_foot head nose "
    "left_eye left_ear right_eye right_ear",
    {
        "hip_center": None,
        "spine_mid": "hip_center",
        "spine_chest": "spine_mid",
        "neck_base": "spine_chest",
        "left_clavicle": "spine_chest",
        "left_shoulder": "left_clavicle",
        "right_clavicle": "spine_chest",
        "right_shoulder": "right_clavicle",
        "left_hip": "hip_center",
        "right_hip": "hip_center",
        "head": "neck_base",
        "nose": "head",
        "left_eye": "head",
        "left_ear": "head",
        "right_eye": "head",
        "right_ear": "head",
    },
)

BODY_12 = _layout(
    "body-12",
    "left_shoulder right_shoulder left_elbow right_elbow left_wrist right_wrist left_hip right_hip left_knee "
    "right_knee left_ankle right_ankle",
    {
        "left_shoulder": None,
        "right_shoulder": "left_shoulder",
        "left_hip": "left_shoulder",
        "right_hip": "right_shoulder",
    },
)
"""The twelve joints over which gonio compares methods: every layout has them."""

_OWN = {
    skeleton.name: skeleton
    for skeleton in (
        H36M_17,
        COCO_17,
        BODY_25,
        BODY_25B,
        COCO_18,
        HAND_21,
        FACE_70,
        BLAZEPOSE_33,
        KINECT_V1_20,
        KINECT_RECORDER_20,
        KINECT_V2_25,
        AZURE_KINECT_32,
        BODY_12,
    )
}
LAYOUTS = Registry("gonio.skeletons", Skeleton, _OWN, knows_its_name=True)
"""Every layout by its name: gonio's own, then those that were registered, then those of installed packages."""

SYNTHESISED: dict[str, tuple[str, ...]] = {
    "mid_hip": ("left_hip", "right_hip"),
    "neck": ("left_shoulder", "right_shoulder"),
    "thorax": ("left_shoulder", "right_shoulder"),
    "spine": ("left_hip", "right_hip", "left_shoulder", "right_shoulder"),
}
"""Joints that are computed as the mean of others if a layout lacks them."""

COUNTERPARTS: dict[str, tuple[str, ...]] = {
    "mid_hip": ("hip_center",),
    "spine": ("spine_mid",),
    "spine_mid": ("spine",),
    "hip_center": ("mid_hip",),
    "neck": ("thorax", "neck_base"),
    "thorax": ("shoulder_center", "neck"),
    "shoulder_center": ("thorax", "neck"),
    "head": ("head_top",),
    "head_top": ("head",),
}
"""Points that two systems name alike and define differently: the nearest one, not the same one."""

COCO_SIGMAS = {
    "nose": 0.026, "eye": 0.025, "ear": 0.035, "shoulder": 0.079, "elbow": 0.072, "wrist": 0.062, "hip": 0.107,
    "knee": 0.087, "ankle": 0.089,
}  # fmt: skip
"""Joint, of either side -> standard deviation of COCO's annotators, as a share of the square root of the person's area
(COCO's keypoint evaluation)."""
OTHER_SIGMA = 0.089  # of a joint that COCO does not have


def joint_sigmas(joints: Sequence[str]) -> FloatArray:
    """(joint,) `COCO_SIGMAS` of joints by their names; `OTHER_SIGMA` for a joint that COCO does not have."""
    plain = [joint.removeprefix("left_").removeprefix("right_") for joint in joints]
    return np.array([COCO_SIGMAS.get(joint, OTHER_SIGMA) for joint in plain])


def register_skeleton(skeleton: Skeleton) -> None:
    """Add a layout to this program: files with just its joints get it, and `layout` finds it by its name.

    Raises `InputError` if another layout has its name, or if the name is not in small letters with hyphens.
    """
    if isinstance(skeleton, Skeleton) and skeleton.name != _key(skeleton.name):
        raise InputError(f"a layout cannot be called {skeleton.name!r}; call it {_key(skeleton.name)!r}")
    LAYOUTS.register(getattr(skeleton, "name", ""), skeleton)


def _key(name: str) -> str:
    return name.lower().replace("_", "-")


def layout(name: str) -> Skeleton:
    """A named layout. Raises `InputError`, with the nearest name, if there is none."""
    key = _key(name)
    if key in LAYOUTS:
        return LAYOUTS[key]
    near = get_close_matches(key, LAYOUTS, 1)
    hint = f"did you mean {near[0]!r}?" if near else "known layouts: " + ", ".join(LAYOUTS)
    raise InputError(f"no layout is called {name!r}; {hint}")


@dataclass(frozen=True)
class JointMap:
    """For every joint of a target layout: the source joints whose mean it is, and what kind of map that is."""

    sources: tuple[tuple[int, ...], ...]
    kinds: tuple[MapKind, ...]


def joint_map(source: Skeleton, target: Skeleton) -> JointMap:
    """Map `source` to `target` by joint name: the same point, else a mean of others, else the nearest counterpart."""
    sources: list[tuple[int, ...]] = []
    kinds: list[MapKind] = []
    for joint in target.joints:
        parts = SYNTHESISED.get(joint, ())
        counterpart = next((c for c in COUNTERPARTS.get(joint, ()) if c in source), None)
        if joint in source:
            sources.append((source.index(joint),))
            kinds.append("same")
        elif parts and all(part in source for part in parts):
            sources.append(tuple(source.index(part) for part in parts))
            kinds.append("synthesised")
        elif counterpart is not None:
            sources.append((source.index(counterpart),))
            kinds.append("counterpart")
        else:
            sources.append(())
            kinds.append("missing")
    return JointMap(tuple(sources), tuple(kinds))
