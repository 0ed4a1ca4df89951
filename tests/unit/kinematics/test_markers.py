"""Joint centres: a body built from known joints, symmetry, gaps, and UI-PRMD's people."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gonio.core.errors import InputError
from gonio.core.sequence import PoseSequence, Status
from gonio.core.skeleton import COCO_17, H36M_17, Skeleton
from gonio.kinematics import markers
from gonio.kinematics.markers import joint_centres

# A standing figure: it looks along +x, its left is +y, z is up. Metres.
RIGHT: dict[str, tuple[float, float, float]] = {
    "ASI": (0.1, -0.12, 1.0),
    "PSI": (-0.1, -0.05, 1.0),
    "KNE": (0.0, -0.15, 0.5),
    "ANK": (0.0, -0.15, 0.1),
    "HEE": (-0.05, -0.1, 0.05),
    "TOE": (0.15, -0.1, 0.05),
    "SHO": (0.0, -0.2, 1.5),
    "ELB": (-0.02, -0.26, 1.2),
    "WRA": (0.02, -0.2, 0.95),
    "WRB": (-0.02, -0.2, 0.95),
    "FHD": (0.1, -0.07, 1.7),
    "BHD": (-0.1, -0.07, 1.7),
}
MIDDLE = {"C7": (-0.06, 0.0, 1.5), "CLAV": (0.06, 0.0, 1.5), "T10": (-0.1, 0.0, 1.2), "STRN": (0.1, 0.0, 1.2)}
POINTS = MIDDLE | {f"R{n}": p for n, p in RIGHT.items()} | {f"L{n}": (p[0], -p[1], p[2]) for n, p in RIGHT.items()}


def figure(points: dict[str, tuple[float, float, float]] = POINTS, n_frames: int = 2) -> PoseSequence:
    positions = np.tile(np.array(list(points.values()), dtype=float), (n_frames, 1, 1))
    skeleton = Skeleton("markers", tuple(points), (-1,) * len(points))
    return PoseSequence(positions, np.arange(n_frames) / 100, skeleton, "m", "world", up="+z")


def test_the_standing_figure() -> None:
    joints = joint_centres(figure())
    w = 0.24
    np.testing.assert_allclose(joints["left_hip"][0], [0.1 - 0.19 * w, 0.36 * w, 1.0 - 0.30 * w])
    np.testing.assert_allclose(joints["mid_hip"][0], [0.1 - 0.19 * w, 0, 1.0 - 0.30 * w])
    np.testing.assert_allclose(joints["left_shoulder"][0], [0, 0.2, 1.5 - 0.17 * 0.4])
    np.testing.assert_allclose(joints["left_wrist"][0], [0, 0.2, 0.95])
    np.testing.assert_allclose(joints["thorax"][0], [0, 0, 1.5])
    np.testing.assert_allclose(joints["spine"][0], [0, 0, 1.2])
    np.testing.assert_allclose(joints["head_top"][0], [0, 0, 1.79])
    np.testing.assert_allclose(joints["neck_nose"][0], [0, 0, 1.645])
    assert np.linalg.norm(joints["left_knee"][0] - POINTS["LKNE"]) == pytest.approx(0.055)
    assert np.linalg.norm(joints["left_ankle"][0] - POINTS["LANK"]) == pytest.approx(0.042)
    assert joints["nose"][0, 0] > 0.1
    assert joints["left_ear"][0, 1] > 0 > joints["right_ear"][0, 1]
    assert joints.history[-1] == "joint centres from plug-in-gait markers, definition gonio"


def test_left_mirrors_right() -> None:
    joints = joint_centres(figure()).positions[0]
    mirrored = joints[list(markers.JOINT_CENTRES.mirrored_order)] * [1, -1, 1]
    np.testing.assert_allclose(joints, mirrored, atol=1e-12)


def test_the_joints_turn_with_the_markers() -> None:
    a = 0.7
    R = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]]) @ np.array(
        [[0.6, -0.8, 0], [0.8, 0.6, 0], [0, 0, 1]]
    )
    still = figure()
    moved = still.derive(positions=still.positions @ R.T + [1, 2, 3])
    expected = joint_centres(still).positions @ R.T + [1, 2, 3]
    np.testing.assert_allclose(joint_centres(moved).positions, expected, atol=1e-12)
    still, moved = still.derive(up=None), moved.derive(up=None)  # the protocol's "medial" is level where up is known
    expected = joint_centres(still, definition="protocol").positions @ R.T + [1, 2, 3]
    np.testing.assert_allclose(joint_centres(moved, definition="protocol").positions, expected, atol=1e-12)


def test_medial_is_level_in_the_protocol() -> None:
    """The right leg raised: its knee's centre is 55 mm from the marker, towards the left knee, at its own height."""
    still = figure()
    positions = still.positions.copy()
    knee = still.skeleton.index("RKNE")
    positions[:, knee] += [0.3, 0.0, 0.4]
    raised = joint_centres(still.derive(positions=positions), definition="protocol")["right_knee"][0]
    way = still["LKNE"][0, :2] - positions[0, knee, :2]
    expected = positions[0, knee] + 0.055 * np.append(way / np.linalg.norm(way), 0.0)
    np.testing.assert_allclose(raised, expected, atol=1e-12)


def test_the_protocols_definition() -> None:
    joints = joint_centres(figure(), definition="protocol")
    np.testing.assert_allclose(joints["left_knee"][0], [0, 0.15 - 0.055, 0.5])
    np.testing.assert_allclose(joints["right_ankle"][0], [0, -0.15 + 0.042, 0.1])
    np.testing.assert_allclose(joints["left_shoulder"][0], POINTS["LSHO"])
    np.testing.assert_allclose(joints["right_elbow"][0], POINTS["RELB"])
    np.testing.assert_allclose(joints["right_hip"], joint_centres(figure())["right_hip"])


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("flexion_deg", [0, 1, 5, 20, 60, 90, 130])
def test_the_elbow_is_found_at_every_angle(side: str, flexion_deg: float) -> None:
    """An arm with a known elbow: the marker is 40 mm along the axis of flexion, to the arm's outer side."""
    sign = 1.0 if side == "left" else -1.0
    angle = np.deg2rad(flexion_deg)
    elbow = np.array([0.3, 0.1, 0.2])
    shoulder = elbow + [0, 0, 0.28]
    wrist = elbow + 0.25 * np.array([np.sin(angle), 0, -np.cos(angle)])  # the forearm rises to the front, +x
    marker = elbow + [0, sign * 0.04, 0]
    found = markers._elbow(shoulder[None], marker[None], wrist[None], sign)
    np.testing.assert_allclose(found[0], elbow, atol=1e-9)


def test_a_marker_on_the_line_of_the_arm_stays() -> None:
    found = markers._elbow(np.array([[0, 0, 1.0]]), np.array([[0, 0.0, 0.5]]), np.array([[0, 0, 0.0]]), 1.0)
    np.testing.assert_allclose(found[0], [0, 0, 0.5])


def test_a_lost_marker_is_a_gap_in_what_rests_on_it() -> None:
    sequence = figure()
    positions = sequence.positions.copy()
    positions[1, sequence.skeleton.index("LKNE")] = np.nan
    joints = joint_centres(sequence.derive(positions=positions))
    gone = {joint for j, joint in enumerate(joints.skeleton.joints) if not joints.valid[1, j]}
    assert gone == {"left_knee", "left_ankle"}
    assert joints.valid[0].all()
    assert "missing with their markers: left_knee 1, left_ankle 1" in joints.history[-1]
    positions[1, sequence.skeleton.index("RASI")] = np.nan
    joints = joint_centres(sequence.derive(positions=positions))
    assert not joints.valid[1, [joints.skeleton.index(j) for j in ("left_hip", "right_hip", "mid_hip")]].any()
    assert joints.valid[1, joints.skeleton.index("left_wrist")]


def test_layouts_and_status() -> None:
    joints = joint_centres(figure())
    for layout in (H36M_17, COCO_17):
        assert set(layout.joints) <= set(joints.skeleton.joints)
        assert joints.to_skeleton(layout).valid.all()
    inferred = {j for i, j in enumerate(joints.skeleton.joints) if joints.status[0, i] == Status.INFERRED}
    assert inferred == {"head_top", "neck_nose", "nose", "left_eye", "right_eye", "left_ear", "right_ear"}


def test_what_cannot_be_used() -> None:
    with pytest.raises(InputError, match="LASI, LKNE"):
        joint_centres(figure({name: p for name, p in POINTS.items() if name not in ("LASI", "LKNE")}))
    with pytest.raises(InputError, match="'x'"):
        joint_centres(figure(), definition="x")  # type: ignore[arg-type]
    flat = PoseSequence(np.zeros((1, 17, 2)), [0.0], COCO_17, "px", "image")
    with pytest.raises(InputError, match="2D"):
        joint_centres(flat)


def test_people(shared_data: Path) -> None:
    from gonio.io.motion_capture import ui_prmd

    folder = shared_data / "ui-prmd/Segmented Movements/Vicon/Positions"
    for subject in ("s01", "s05", "s08"):
        joints = joint_centres(ui_prmd.read_vicon(folder / f"m08_{subject}_e01_positions.txt.gz"))
        for side in ("left", "right"):
            for bone, low_m, high_m in ((("hip", "knee"), 0.35, 0.5), (("knee", "ankle"), 0.35, 0.5)):
                lengths = np.linalg.norm(joints[f"{side}_{bone[0]}"] - joints[f"{side}_{bone[1]}"], axis=1)
                assert low_m < np.nanmedian(lengths) < high_m
                assert np.nanstd(lengths) < 0.01
            assert 0 < np.nanmedian(joints[f"{side}_ankle"][:, 2]) < 0.15
            assert np.nanmedian(joints[f"{side}_big_toe"][:, 0] - joints[f"{side}_ankle"][:, 0]) > 0
        assert np.nanmedian(joints["head_top"][:, 2]) > 1.3


def test_names_of_other_files_become_plug_in_gaits() -> None:
    vicon = figure()
    assert markers.plug_in_gait_names(vicon) is vicon
    other = {f"Anna:{name.lower()}": point for name, point in POINTS.items()}
    other["Anna:LASIS"] = other.pop("Anna:lasi")
    named = markers.plug_in_gait_names(figure(other))
    assert named is not None
    assert set(named.skeleton.joints) == set(POINTS)
    assert named.history[-1] == f"{len(POINTS)} of {len(POINTS)} markers renamed to plug-in-gait's"
    np.testing.assert_allclose(joint_centres(named)["left_hip"], joint_centres(vicon)["left_hip"])


def test_joints_are_no_markers() -> None:
    positions = np.zeros((1, 17, 3))
    assert markers.plug_in_gait_names(PoseSequence(positions, np.zeros(1), H36M_17, "m", "world")) is None
    few = {name: point for name, point in POINTS.items() if name != "LPSI"}
    assert markers.plug_in_gait_names(figure(few)) is None
