"""Mirrored bodies found by feet, face, trunk and knees; correct ones stay; the others are unknown."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gonio.core.errors import InputError
from gonio.core.sequence import PoseSequence
from gonio.core.skeleton import AZURE_KINECT_32, BODY_12, H36M_17, KINECT_V1_20, KINECT_V2_25
from gonio.io import formats
from gonio.io.mirroring import chirality, mirror_warning, reflected
from gonio.io.motion_capture import ui_prmd

Person = Callable[..., PoseSequence]


def relabelled(sequence: PoseSequence) -> PoseSequence:
    """The names of left and right exchanged, the positions kept."""
    return sequence.derive(positions=sequence.positions[:, list(sequence.skeleton.mirrored_order)])


@pytest.mark.parametrize("skeleton", [KINECT_V1_20, KINECT_V2_25, AZURE_KINECT_32, BODY_12], ids=lambda s: s.name)
def test_a_made_up_person(kinect_person: Person, skeleton: object) -> None:
    person = kinect_person(skeleton)
    assert chirality(person).verdict == "true"
    assert mirror_warning(person) == ()
    for mirrored in (reflected(person), relabelled(person)):
        assert chirality(mirrored).verdict == "mirrored"
        (words,) = mirror_warning(mirrored)
        assert "mirrored" in words
        assert "backwards" in words
    # both at once: a faultless body, the mirror image of what happened
    assert chirality(relabelled(reflected(person))).verdict == "true"


def test_a_joint_at_no_place_counts_as_missing(kinect_person: Person) -> None:
    person = kinect_person(KINECT_V2_25)
    positions = person.positions.copy()
    positions[:, person.skeleton.index("left_foot")] = 1e300
    assert chirality(person.derive(positions=positions)).verdict == "true"


def test_any_pose_in_space(kinect_person: Person) -> None:
    """A rotation changes nothing; y down and z up are rotations of the same body."""
    person = kinect_person(KINECT_V2_25)
    turned, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))
    turned *= np.sign(np.linalg.det(turned))
    rotated = person.derive(positions=person.positions @ turned.T + [3, -1, 2], up=None)
    assert chirality(rotated).evidence == chirality(person).evidence
    assert chirality(reflected(rotated)).verdict == "mirrored"


def test_knees_decide_alone_where_nothing_else_does(kinect_person: Person) -> None:
    person = kinect_person(BODY_12)
    both = chirality(person).evidence
    assert ["left" in sentence and "knee" in sentence for sentence in both] == [True, False]
    assert all("forwards (+1.00" in sentence and "6 values" in sentence for sentence in both)
    # one leg alone is not enough: a tracker that loses it shows it bent backwards
    one = person.positions.copy()
    ends = [person.skeleton.index(f"left_{part}") for part in ("hip", "ankle")]
    one[:, person.skeleton.index("left_knee")] = one[:, ends].mean(axis=1)
    found = chirality(person.derive(positions=one))
    assert found.verdict == "unknown"
    assert found.evidence == both[1:]


def test_feet_outweigh_knees(kinect_person: Person) -> None:
    whole = kinect_person(KINECT_V1_20)
    positions = whole.positions.copy()
    for side in ("left", "right"):
        positions[:, whole.skeleton.index(f"{side}_knee"), 2] += 0.6
    found = chirality(whole.derive(positions=positions))
    assert found.verdict == "true"
    assert ["forwards" in sentence for sentence in found.evidence] == [True, False, False]
    assert "feet" in found.evidence[0]


def test_unknown(kinect_person: Person) -> None:
    person = kinect_person(BODY_12)
    straight = person.positions.copy()
    for side in ("left", "right"):
        ends = [person.skeleton.index(f"{side}_{part}") for part in ("hip", "ankle")]
        straight[:, person.skeleton.index(f"{side}_knee")] = straight[:, ends].mean(axis=1)
    assert chirality(person.derive(positions=straight)).verdict == "unknown"
    arms = person.select([j for j in BODY_12.joints if "knee" not in j and "ankle" not in j])
    found = chirality(arms)
    assert found.verdict == "unknown"
    assert found.evidence == ()
    assert mirror_warning(arms) == ()
    assert chirality(person.at(slice(0, 1))).verdict == "unknown"
    face = kinect_person(AZURE_KINECT_32)  # feet that contradict the face
    positions = face.positions.copy()
    for side in ("left", "right"):
        ankle, foot = (face.skeleton.index(f"{side}_{part}") for part in ("ankle", "foot"))
        positions[:, foot, 2] = 2 * positions[:, ankle, 2] - positions[:, foot, 2]
    assert chirality(face.derive(positions=positions)).verdict == "unknown"


def test_2d_is_refused() -> None:
    flat = PoseSequence(np.zeros((2, 17, 2)), [0, 1], H36M_17, "px", "image")
    with pytest.raises(InputError, match="3D"):
        chirality(flat)


def test_reflected(kinect_person: Person) -> None:
    person = kinect_person(KINECT_V1_20)
    covariance = np.broadcast_to(np.arange(9.0).reshape(3, 3), (6, 20, 3, 3))
    back = reflected(person.derive(covariance=covariance))
    np.testing.assert_array_equal(back.positions, person.positions * [-1, 1, 1])
    np.testing.assert_array_equal(back.covariance[0, 0], [[0, -1, -2], [-3, 4, 5], [-6, 7, 8]])
    np.testing.assert_array_equal(reflected(reflected(person)).positions, person.positions)
    assert len(back.history) == len(person.history) + 1
    lying = reflected(person.derive(up="+x"))
    np.testing.assert_array_equal(lying.positions, person.positions * [1, -1, 1])


@pytest.mark.parametrize("system", ["Kinect", "Vicon"])
def test_ui_prmd(shared_data: Path, system: str) -> None:
    """One repetition of every exercise by every other subject: all right as they are, all found when reflected."""
    files = sorted((shared_data / "ui-prmd/Segmented Movements" / system / "Positions").glob("*s0[1357]_e05_*"))
    assert len(files) >= 38
    for file in files:
        sequence = formats.read(file)
        assert isinstance(sequence, PoseSequence)
        assert chirality(sequence).verdict == "true", file.name
        assert chirality(reflected(sequence)).verdict == "mirrored", file.name


def test_ui_prmds_recording_that_contradicts_the_other(shared_data: Path) -> None:
    """m03_s01: Kinect and Vicon show another leg in front, each in a faultless body: one alone does not show it."""
    folder = shared_data / "ui-prmd/Segmented Movements"
    kinect = ui_prmd.read(folder / "Kinect/Positions/m03_s01_e01_positions.txt.gz")
    vicon = ui_prmd.read(folder / "Vicon/Positions/m03_s01_e01_positions.txt.gz")
    assert np.median(kinect["left_ankle"][:, 2] - kinect["right_ankle"][:, 2]) > 0.2  # it faces +z
    assert np.nanmedian(vicon["LANK"][:, 0] - vicon["RANK"][:, 0]) < -0.2  # it faces +x
    assert chirality(kinect).verdict == chirality(vicon).verdict == "true"
