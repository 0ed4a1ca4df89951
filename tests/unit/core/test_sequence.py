"""The nouns: what they refuse, what they derive, and that every step keeps values, status and history straight."""

from __future__ import annotations

import dataclasses
import itertools
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gonio.core.detections import Detections
from gonio.core.errors import InputError, MissingExtraError
from gonio.core.sequence import EVALUATION_JOINTS, Axis, PoseSequence, Source, Status, median_rate_hz, up_rotation
from gonio.core.skeleton import BODY_12, BODY_25, COCO_17, H36M_17, KINECT_V1_20, KINECT_V2_25, Skeleton

PAIR = Skeleton("pair", ("left_hip", "right_hip"), (-1, 0))
AXES: tuple[Axis, ...] = ("+x", "-x", "+y", "-y", "+z", "-z")


def random_positions(skeleton: Skeleton, n: int = 4, d: int = 3, seed: int = 0) -> NDArray:
    return np.random.default_rng(seed).normal(0, 1, (n, len(skeleton), d))


def sequence(skeleton: Skeleton = COCO_17, n: int = 4, d: int = 3, **changes: Any) -> PoseSequence:
    values: dict[str, Any] = {
        "positions": random_positions(skeleton, n, d),
        "times_s": np.arange(n) / 30,
        "skeleton": skeleton,
        "unit": "m" if d == 3 else "px",
        "frame": "world" if d == 3 else "image",
    }
    return PoseSequence(**(values | changes))


def unit_vector(axis: str) -> NDArray:
    return np.eye(3)["xyz".index(axis[1])] * (1 if axis[0] == "+" else -1)


class TestPoseSequence:
    def test_derived_fields(self) -> None:
        positions = random_positions(PAIR)
        positions[1, 0, 2] = np.nan
        seq = sequence(PAIR, positions=positions)
        assert np.isnan(seq.positions[1, 0]).all()  # one coordinate missing: the joint is missing
        assert seq.status.tolist() == [[1, 1], [0, 1], [1, 1], [1, 1]]
        assert seq.confidence.tolist() == [[1, 1], [0, 1], [1, 1], [1, 1]]
        assert seq.valid.sum() == 7
        assert (len(seq), seq.dimensions) == (4, 3)
        assert seq.rate_hz == pytest.approx(30)
        assert seq.counts()["left_hip"] == {
            "missing": 1,
            "measured": 3,
            "inferred": 0,
            "interpolated": 0,
            "repaired": 0,
        }

    def test_confidence_of_a_missing_joint_is_zero(self) -> None:
        positions = random_positions(PAIR)
        positions[0, 0] = np.nan
        assert sequence(PAIR, positions=positions, confidence=np.full((4, 2), 0.7)).confidence[0].tolist() == [0, 0.7]

    def test_covariance_of_a_missing_joint_is_missing(self) -> None:
        positions = random_positions(PAIR)
        positions[1, 0] = np.nan
        seq = sequence(PAIR, positions=positions, covariance=np.ones((4, 2, 3, 3)))
        assert seq.covariance is not None
        np.testing.assert_array_equal(np.isnan(seq.covariance).all(axis=(2, 3)), ~seq.valid)
        gone = sequence(PAIR, covariance=np.ones((4, 2, 3, 3))).derive("gate", positions=positions)
        assert gone.covariance is not None
        assert np.isnan(gone.covariance[1, 0]).all()

    @pytest.mark.parametrize("n", [0, 1])
    @pytest.mark.parametrize("d", [2, 3])
    def test_every_step_takes_no_frame_and_one(self, n: int, d: int) -> None:
        seq = sequence(n=n, d=d, up="+z", covariance=np.ones((n, 17, d, d)))
        steps = [
            seq.derive("step", positions=seq.positions + 1),
            seq.at(slice(None)),
            seq.at(np.ones(n, bool)),
            seq.between(-1, 1),
            seq.shifted(1, "why"),
            seq.select(COCO_17.joints),
            seq.to_skeleton(BODY_25),
            *([seq.with_up("-y")] if d == 3 else []),
        ]
        for step in steps:
            assert step.positions.shape == (n, len(step.skeleton), d)
            assert step.covariance is not None
            assert step.covariance.shape == (n, len(step.skeleton), d, d)
        assert seq.root_m().shape == (n, d)
        assert np.isnan(seq.rate_hz)
        assert {sum(of.values()) for of in seq.counts().values()} == {n}
        assert seq["nose"].shape == (n, d)

    def test_counts_add_up_to_the_frames(self) -> None:
        status = np.random.default_rng(3).integers(0, 5, (50, 2))
        positions = np.where(status[..., None] == 0, np.nan, random_positions(PAIR, 50))
        counts = sequence(PAIR, 50, positions=positions, status=status).counts()
        names = ("missing", "measured", "inferred", "interpolated", "repaired")
        for j, joint in enumerate(PAIR.joints):
            assert [counts[joint][name] for name in names] == np.bincount(status[:, j], minlength=5).tolist()
            assert sum(counts[joint].values()) == 50

    def test_arrays_are_read_only_copies(self) -> None:
        positions, times_s = random_positions(PAIR), np.arange(4.0)
        covariance = np.ones((4, 2, 3, 3))
        seq = sequence(PAIR, positions=positions, times_s=times_s, covariance=covariance)
        positions[:] = times_s[:] = covariance[:] = 99
        assert not (seq.positions == 99).any()
        assert seq.times_s[3] == 3
        assert seq.covariance is not None
        for array in (seq.positions, seq.times_s, seq.confidence, seq.status, seq.covariance):
            assert not array.flags.writeable
            with pytest.raises(ValueError, match="read-only"):
                array.flat[0] = 1
        with pytest.raises(dataclasses.FrozenInstanceError):
            seq.unit = "px"  # type: ignore[misc]

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"positions": np.zeros((4, 3, 3))}, r"pair.*2"),
            ({"positions": np.zeros((4, 2, 4))}, r"positions.*shape"),
            ({"positions": np.zeros((4, 6))}, r"positions.*shape"),
            ({"positions": np.zeros((4, 2, 2))}, r"2D.*'m'"),
            ({"unit": "px"}, r"3D.*'px'"),
            ({"frame": "image"}, "frame 'image'"),
            ({"unit": "mm"}, "unit 'mm'"),
            ({"frame": "room"}, "frame 'room'"),
            ({"up": "y"}, "'y'"),
            ({"positions": np.full((4, 2, 3), np.inf)}, "infinite"),
            ({"times_s": np.arange(3)}, "4 frames"),
            ({"times_s": [0, 1, 1, 2]}, "frame 2"),
            ({"times_s": [0, 2, 1, 3]}, "frame 2"),
            ({"times_s": [0, 1, np.nan, 3]}, "frame 2"),
            ({"times_s": [0, 1, 2, np.inf]}, "frame 3"),
            ({"times_s": [0, 1, np.inf, np.inf]}, "frame 2"),
            ({"times_s": [np.nan, 1, 2, 3]}, "frame 0"),
            ({"times_s": np.zeros((4, 1))}, "4 frames"),
            ({"confidence": np.full((4, 2), 1.01)}, "0..1"),
            ({"confidence": np.full((4, 2), -0.1)}, "0..1"),
            ({"confidence": np.full((4, 2), np.nan)}, "0..1"),
            ({"confidence": np.ones((4, 3))}, r"confidence.*shape"),
            ({"status": np.zeros((4, 2))}, "status"),
            ({"status": np.full((4, 2), 5)}, "0..4"),
            ({"status": np.full((4, 2), -1)}, "0..4"),
            ({"status": np.full((4, 2), 257)}, "0..4"),  # 1 in eight bits
            ({"status": np.full((4, 2), 1.5)}, "0..4"),
            ({"status": np.full((4, 2), np.nan)}, "0..4"),
            ({"status": np.ones((4, 3))}, r"status.*shape"),
            ({"covariance": np.zeros((4, 2, 2, 2))}, r"covariance.*shape"),
            ({"unit": "mm"}, "unit 'mm'"),
            ({"frame": "room"}, "frame 'room'"),
            ({"up": "y"}, "'y'"),
            ({"status": np.full((4, 2), 1.5)}, "0..4"),
        ],
    )
    def test_what_it_refuses(self, changes: dict[str, Any], message: str) -> None:
        with pytest.raises(InputError, match=message):
            sequence(PAIR, **changes)

    def test_status_must_agree_with_missing_positions(self) -> None:
        positions = random_positions(PAIR)
        positions[0, 0] = np.nan
        with pytest.raises(InputError, match="status"):
            sequence(PAIR, positions=positions, status=np.ones((4, 2)))

    def test_a_missing_joint_has_no_covariance(self) -> None:
        positions = random_positions(PAIR)
        positions[0, 0] = np.nan
        covariance = sequence(PAIR, positions=positions, covariance=np.ones((4, 2, 3, 3))).covariance
        assert covariance is not None
        assert np.isnan(covariance).all(axis=(2, 3)).tolist() == [[True, False]] + [[False, False]] * 3

    def test_empty_sequences_are_allowed(self) -> None:
        seq = sequence(PAIR, n=0)
        assert len(seq) == 0
        assert np.isnan(seq.rate_hz)
        assert seq.to_skeleton(BODY_12).positions.shape == (0, 12, 3)

    def test_access_by_name(self) -> None:
        seq = sequence()
        np.testing.assert_array_equal(seq["left_knee"], seq.positions[:, 13])
        with pytest.raises(InputError, match="left_knee"):
            seq["left_kne"]

    def test_select_keeps_all_fields_in_the_given_order(self) -> None:
        status = np.random.default_rng(1).integers(1, 5, (4, 17))
        seq = sequence(
            status=status, confidence=status / 8, covariance=random_positions(COCO_17, d=9).reshape(4, 17, 3, 3)
        )
        part = seq.select(["right_ankle", "nose"])
        assert part.skeleton.joints == ("right_ankle", "nose")
        assert part.covariance is not None
        assert seq.covariance is not None
        np.testing.assert_array_equal(part.positions, seq.positions[:, [16, 0]])
        np.testing.assert_array_equal(part.status, status[:, [16, 0]])
        np.testing.assert_array_equal(part.confidence, status[:, [16, 0]] / 8)
        np.testing.assert_array_equal(part.covariance, seq.covariance[:, [16, 0]])

    def test_common_joints_in_own_order(self) -> None:
        common = sequence(COCO_17).common_joints(sequence(BODY_25))
        assert common == COCO_17.joints
        assert set(sequence(H36M_17).common_joints(sequence(KINECT_V1_20))) == set(EVALUATION_JOINTS)

    def test_between_cuts_by_time_and_says_so(self) -> None:
        seq = sequence(n=10).between(2 / 30, 5 / 30)
        np.testing.assert_allclose(seq.times_s, np.arange(2, 6) / 30)
        assert "0.067-0.167" in seq.history[-1]
        assert len(seq.between(9, 10)) == 0

    def test_at_takes_slices_masks_and_indices(self) -> None:
        seq = sequence(n=6, covariance=np.zeros((6, 17, 3, 3)))
        mask = np.array([True, False, True, False, True, False])
        for index in (slice(0, 6, 2), mask, np.array([0, 2, 4])):
            np.testing.assert_array_equal(seq.at(index).positions, seq.positions[::2])
        with pytest.raises(InputError, match="increase"):
            seq.at(np.array([2, 0]))

    def test_shifted_moves_the_clock_only(self) -> None:
        seq = sequence().shifted(-0.5, "measured")
        np.testing.assert_allclose(seq.times_s, np.arange(4) / 30 - 0.5)
        assert "(measured)" in seq.history[-1]

    def test_derive_marks_what_vanished_and_refuses_silent_filling(self) -> None:
        seq = sequence(PAIR, status=np.full((4, 2), Status.INFERRED))
        positions = seq.positions.copy()
        positions[0, 1] = np.nan
        gone = seq.derive("gate", positions=positions)
        assert gone.status[0].tolist() == [Status.INFERRED, Status.MISSING]
        assert gone.history == ("gate",)
        with pytest.raises(ValueError, match="status"):
            gone.derive("fill", positions=seq.positions)
        filled = np.where(gone.valid, gone.status, Status.INTERPOLATED)
        assert gone.derive("fill", positions=seq.positions, status=filled).counts()["right_hip"]["interpolated"] == 1

    def test_derive_leaves_the_original_alone(self) -> None:
        seq = sequence()
        seq.derive("step", positions=seq.positions * 2)
        assert seq.history == ()


class TestToSkeleton:
    def test_same_joints_pass_by_name(self) -> None:
        seq = sequence(BODY_25)
        mapped = seq.to_skeleton(COCO_17)
        for joint in COCO_17.joints:
            np.testing.assert_array_equal(mapped[joint], seq[joint])
        assert (mapped.status == Status.MEASURED).all()
        assert len(mapped.history) == 1

    def test_means_are_inferred_and_named_in_the_history(self) -> None:
        confidence = np.full((4, 17), 0.9)
        confidence[:, 11] = 0.4
        seq = sequence(confidence=confidence, covariance=np.broadcast_to(np.eye(3), (4, 17, 3, 3)))
        mapped = seq.to_skeleton(H36M_17)
        np.testing.assert_allclose(mapped["mid_hip"], (seq["left_hip"] + seq["right_hip"]) / 2)
        assert mapped.covariance is not None
        np.testing.assert_allclose(mapped.covariance[:, 0], np.broadcast_to(np.eye(3) / 2, (4, 3, 3)))
        assert (mapped.status[:, 0] == Status.INFERRED).all()
        assert (mapped.confidence[:, 0] == 0.4).all()
        assert "left_hip+right_hip" in mapped.history[-1]
        assert "neck_nose" in mapped.history[-1]
        assert not mapped.valid[:, 10].any()

    def test_a_mean_needs_all_its_parts(self) -> None:
        positions = random_positions(COCO_17)
        positions[2, 11] = np.nan
        mapped = sequence(positions=positions).to_skeleton(H36M_17)
        assert mapped.valid[:, 0].tolist() == [True, True, False, True]
        assert np.isnan(mapped["mid_hip"][2]).all()

    def test_counterparts_are_inferred_and_named_in_the_history(self) -> None:
        seq = sequence(KINECT_V1_20)
        mapped = seq.to_skeleton(H36M_17)
        np.testing.assert_array_equal(mapped["head_top"], seq["head"])
        assert (mapped.status[:, 10] == Status.INFERRED).all()
        assert "head_top = head" in mapped.history[-1]

    def test_status_of_a_mapped_joint_stays(self) -> None:
        status = np.full((4, 17), Status.REPAIRED)
        assert (sequence(status=status).to_skeleton(BODY_12).status == Status.REPAIRED).all()

    def test_covariance_of_a_mean_is_that_of_independent_errors(self) -> None:
        """Drawn, not derived: the scatter of the mean of two hips, and of the spine, a mean of four."""
        rng = np.random.default_rng(4)
        mixing = rng.normal(size=(1, 17, 3, 3))
        mapped = sequence(n=1, covariance=mixing @ mixing.swapaxes(-1, -2)).to_skeleton(H36M_17)
        assert mapped.covariance is not None
        errors = np.einsum("jab,njb->nja", mixing[0], rng.normal(size=(20_000, 17, 3)))
        for joint, parts in {"mid_hip": [11, 12], "spine": [5, 6, 11, 12], "left_hip": [11]}.items():
            scatter = np.cov(errors[:, parts].mean(axis=1).T)
            told = mapped.covariance[0, H36M_17.index(joint)]
            np.testing.assert_allclose(told, scatter, atol=0.04 * np.trace(scatter))
        assert np.isnan(mapped.covariance[0, H36M_17.index("head_top")]).all()

    def test_a_mapping_that_has_nothing_is_all_missing(self) -> None:
        mapped = sequence(PAIR).to_skeleton(Skeleton("feet", ("left_heel", "right_heel"), (-1, 0)))
        assert not mapped.valid.any()
        assert (mapped.confidence == 0).all()
        assert "left_heel" in mapped.history[-1]

    def test_same_joints_only_change_the_name(self) -> None:
        other = Skeleton("other", COCO_17.joints, COCO_17.parents)
        mapped = sequence().to_skeleton(other)
        assert mapped.skeleton is other
        assert mapped.history == ()

    def test_two_dimensions_work_as_well(self) -> None:
        seq = sequence(BODY_25, d=2, image_size_px=(640, 480))
        mapped = seq.to_skeleton(H36M_17)
        assert (mapped.unit, mapped.frame, mapped.image_size_px) == ("px", "image", (640, 480))
        np.testing.assert_array_equal(mapped["mid_hip"], seq["mid_hip"])

    @pytest.mark.parametrize("skeleton", [H36M_17, COCO_17, BODY_25, KINECT_V1_20, KINECT_V2_25])
    def test_root_is_the_middle_of_the_hips(self, skeleton: Skeleton) -> None:
        seq = sequence(skeleton)
        own = seq["mid_hip"] if "mid_hip" in skeleton else (seq["left_hip"] + seq["right_hip"]) / 2
        np.testing.assert_allclose(seq.root_m(), own)

    def test_root_falls_back_to_the_hip_centre(self) -> None:
        seq = sequence(KINECT_V1_20).select(["hip_center", "head"])
        np.testing.assert_array_equal(seq.root_m(), seq["hip_center"])


class TestAxes:
    @pytest.mark.parametrize(("current", "wanted"), list(itertools.product(AXES, AXES)))
    def test_up_rotation_is_a_rotation_that_does_what_it_says(self, current: Axis, wanted: Axis) -> None:
        rotation = up_rotation(current, wanted)
        np.testing.assert_array_equal(rotation @ rotation.T, np.eye(3))
        assert np.linalg.det(rotation) == pytest.approx(1)
        np.testing.assert_array_equal(rotation @ unit_vector(current), unit_vector(wanted))
        np.testing.assert_array_equal(up_rotation(wanted, current) @ rotation, np.eye(3))

    def test_z_up_to_y_up_is_the_cyclic_renaming(self) -> None:
        np.testing.assert_array_equal(up_rotation("+z", "+y") @ [1, 2, 3], [2, 3, 1])

    def test_camera_axes_to_y_up_keep_x(self) -> None:
        np.testing.assert_array_equal(up_rotation("-y", "+y") @ [1, 2, 3], [1, -2, -3])

    def test_with_up_turns_positions_and_covariance(self) -> None:
        covariance = np.broadcast_to(np.diag([1.0, 2.0, 3.0]), (4, 17, 3, 3))
        seq = sequence(up="+z", covariance=covariance)
        turned = seq.with_up("+y")
        np.testing.assert_array_equal(turned.positions, seq.positions[..., [1, 2, 0]])
        assert turned.covariance is not None
        np.testing.assert_array_equal(turned.covariance[0, 0], np.diag([2.0, 3.0, 1.0]))
        assert turned.up == "+y"
        assert len(turned.history) == 1
        assert turned.with_up("+y") is turned
        np.testing.assert_array_equal(turned.with_up("+z").positions, seq.positions)

    @pytest.mark.parametrize(("current", "wanted"), list(itertools.product(AXES, AXES)))
    def test_with_up_keeps_height_handedness_and_covariance(self, current: Axis, wanted: Axis) -> None:
        mixing = random_positions(COCO_17, d=9).reshape(4, 17, 3, 3)
        seq = sequence(up=current, covariance=mixing @ mixing.swapaxes(-1, -2))
        turned = seq.with_up(wanted)
        height = seq.positions @ unit_vector(current)
        np.testing.assert_array_equal(turned.positions @ unit_vector(wanted), height)
        triples = [s.positions[:, 1:4] - s.positions[:, :1] for s in (seq, turned)]  # signed volume: no mirror image
        np.testing.assert_allclose(np.linalg.det(triples[0]), np.linalg.det(triples[1]), rtol=1e-9)
        assert seq.covariance is not None
        assert turned.covariance is not None
        whitened = [  # Mahalanobis length of each position in its own covariance: no axes in it
            np.einsum("tja,tjab,tjb->tj", s.positions, np.linalg.inv(c), s.positions)
            for s, c in ((seq, seq.covariance), (turned, turned.covariance))
        ]
        np.testing.assert_allclose(whitened[0], whitened[1], rtol=1e-6)
        assert (turned.up, turned.frame, len(turned.history)) == (wanted, "world", int(current != wanted))

    def test_unknown_vertical_is_not_guessed(self) -> None:
        with pytest.raises(InputError, match="up"):
            sequence().with_up("+y")

    def test_transformed_is_rotation_then_translation(self) -> None:
        angle = 0.3
        rotation = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
        seq = sequence(covariance=random_positions(COCO_17, d=9).reshape(4, 17, 3, 3))
        moved = seq.transformed(rotation, [1, 2, 3], frame="camera", frame_name="c", up=None, step="into camera c")
        np.testing.assert_allclose(moved.positions[2, 5], rotation @ seq.positions[2, 5] + [1, 2, 3])
        assert moved.covariance is not None
        assert seq.covariance is not None
        np.testing.assert_allclose(moved.covariance[2, 5], rotation @ seq.covariance[2, 5] @ rotation.T)
        assert (moved.frame, moved.frame_name, len(moved.history)) == ("camera", "c", 1)

    def test_pixels_cannot_be_rotated(self) -> None:
        with pytest.raises(InputError, match="2D"):
            sequence(d=2).transformed(np.eye(3), np.zeros(3), frame="world", frame_name="", up=None, step="")


@settings(max_examples=25, deadline=None)
@given(
    data=st.data(),
    n=st.integers(0, 5),
    target=st.sampled_from([H36M_17, COCO_17, BODY_25, BODY_12, KINECT_V2_25]),
    source=st.sampled_from([H36M_17, COCO_17, BODY_25, BODY_12, KINECT_V2_25]),
)
def test_invariants_survive_mapping(data: st.DataObject, n: int, target: Skeleton, source: Skeleton) -> None:
    """Whatever is missing: missing has status 0, confidence 0 and NaN; nothing appears from nowhere."""
    rng = np.random.default_rng(data.draw(st.integers(0, 10_000)))
    positions = rng.normal(0, 1, (n, len(source), 3))
    positions[rng.random((n, len(source))) < 0.4] = np.nan
    seq = sequence(source, n, positions=positions, confidence=rng.random((n, len(source))))
    mapped = seq.to_skeleton(target)
    missing = np.isnan(mapped.positions).any(axis=-1)
    np.testing.assert_array_equal(missing, ~mapped.valid)
    assert (mapped.confidence[missing] == 0).all()
    assert np.isnan(mapped.positions[missing]).all()
    for joint in target.joints:
        if joint in source:
            np.testing.assert_array_equal(mapped[joint], seq[joint])
    assert mapped.valid.sum() <= len(target) * n
    assert not mapped.valid[~seq.valid.any(axis=1)].any()


def test_xarray_speaks_the_vocabulary_of_movement() -> None:
    pytest.importorskip("xarray")
    seq = sequence()
    dataset = seq.to_xarray("patient")
    assert set(dataset.data_vars) == {"position", "confidence", "status"}
    assert (dataset.attrs["frame"], dataset.attrs["up"]) == ("world", "unknown")
    np.testing.assert_array_equal(dataset["status"].values[..., 0], seq.status)
    assert dataset["position"].shape == (4, 3, 17, 1)
    assert dataset["position"].dims == ("time", "space", "keypoint", "individual")
    assert list(dataset["individual"].values) == ["patient"]
    knee = dataset["position"].sel(keypoint="left_knee", space="z", individual="patient")
    np.testing.assert_array_equal(knee.values, seq["left_knee"][:, 2])
    assert dataset["confidence"].dims == ("time", "keypoint", "individual")
    assert (dataset.attrs["space_unit"], dataset.attrs["ds_type"]) == ("m", "poses")
    assert (dataset.attrs["time_unit"], dataset.attrs["source_software"]) == ("seconds", "gonio")
    assert dataset.attrs["fps"] == pytest.approx(30)
    np.testing.assert_array_equal(dataset["time"].values, seq.times_s)
    assert list(sequence(d=2).to_xarray()["space"].values) == ["x", "y"]
    assert list(sequence(d=2).to_xarray()["individual"].values) == ["individual_0"]
    dataset["position"][:] = 0  # the dataset is the user's own
    assert (seq.positions != 0).all()


def test_xarray_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "xarray", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'gonio\[xarray\]'"):
        sequence().to_xarray()


def test_median_rate_ignores_a_pause() -> None:
    assert median_rate_hz(np.array([0, 0.02, 0.04, 5.0, 5.02])) == pytest.approx(50)
    assert np.isnan(median_rate_hz(np.array([1.0])))


def detections(n: int = 3, people: int = 2, **changes: Any) -> Detections:
    rng = np.random.default_rng(0)
    values: dict[str, Any] = {
        "positions": rng.uniform(0, 100, (n, people, 2, 2)),
        "confidence": rng.random((n, people, 2)),
        "times_s": np.arange(n) / 25,
        "skeleton": PAIR,
        "image_size_px": (640, 480),
    }
    return Detections(**(values | changes))


class TestDetections:
    def test_missing_joints_and_people(self) -> None:
        positions = np.ones((3, 2, 2, 2))
        positions[0, 1, 0, 1] = np.nan
        positions[1] = np.nan
        seen = detections(positions=positions)
        assert np.isnan(seen.positions[0, 1, 0]).all()
        assert seen.confidence[0, 1, 0] == 0
        assert seen.present.tolist() == [[True, True], [False, False], [True, True]]
        assert seen.people_per_frame.tolist() == [2, 0, 2]

    def test_person_follows_the_choice(self) -> None:
        seen = detections(source=Source("detection", "openpose"), frame_name="cam01", history=("read",))
        person = seen.person([1, -1, 0], "chosen by hand")
        np.testing.assert_array_equal(person.positions[0], seen.positions[0, 1])
        assert np.isnan(person.positions[1]).all()
        np.testing.assert_array_equal(person.positions[2], seen.positions[2, 0])
        np.testing.assert_array_equal(person.confidence[2], seen.confidence[2, 0])
        assert (person.status[1] == Status.MISSING).all()
        assert (person.unit, person.frame, person.frame_name) == ("px", "image", "cam01")
        assert person.history == ("read", "chosen by hand")
        assert person.source.model == "openpose"

    def test_reordered_takes_everything_along(self) -> None:
        rng = np.random.default_rng(1)
        seen = detections(
            boxes_px=rng.random((3, 2, 4)),
            scores=rng.random((3, 2)),
            world_m=rng.random((3, 2, 2, 3)),
            history=("read",),
        )
        other = seen.reordered([[1, 0, -1], [-1, -1, 1], [0, -1, -1]], "by hand")
        for name, absent in (("positions", np.nan), ("boxes_px", np.nan), ("world_m", np.nan), ("scores", 0.0)):
            values, moved = getattr(seen, name), getattr(other, name)
            np.testing.assert_array_equal(moved[0, :2], values[0, ::-1])
            np.testing.assert_array_equal(moved[1, 2], values[1, 1])
            np.testing.assert_array_equal(moved[2, 0], values[2, 0])
            np.testing.assert_array_equal(moved[1, 0], np.full_like(moved[1, 0], absent))
        assert other.present.tolist() == [[True, True, False], [False, False, True], [True, False, False]]
        assert (other.status[1, 0] == Status.MISSING).all()
        assert other.history == ("read", "by hand")
        nobody = detections(people=0).reordered(np.full((3, 2), -1))
        assert nobody.positions.shape == (3, 2, 2, 2)
        assert not nobody.present.any()

    def test_person_of_a_view_without_people_is_all_missing(self) -> None:
        person = detections(people=0).person([0, 0, 0], "chosen")
        assert not person.valid.any()

    def test_status_follows_the_person(self) -> None:
        """Where not given, a joint that is there was measured; one that is not is missing, whatever the status says."""
        positions = np.ones((3, 2, 2, 2))
        positions[0, 1, 0] = np.nan
        assert detections(positions=positions).status[0].tolist() == [[1, 1], [0, 1]]
        inferred = detections(positions=positions, status=np.full((3, 2, 2), Status.INFERRED))
        assert inferred.status[0].tolist() == [[2, 2], [0, 2]]
        assert inferred.person([1, 0, 0], "chosen").status.tolist() == [[0, 2], [2, 2], [2, 2]]

    def test_person_world_is_root_relative(self) -> None:
        world = np.random.default_rng(2).normal(0, 1, (3, 2, 2, 3))
        person = detections(world_m=world).person_world([1, -1, 0], "chosen")
        np.testing.assert_array_equal(person.positions[0], world[0, 1])
        assert np.isnan(person.positions[1]).all()
        assert (person.frame, person.unit, person.up) == ("root", "m", "-y")

    def test_person_world_of_a_joint_that_the_image_or_the_network_lacks(self) -> None:
        """A joint is missing in 3D where it is in 2D, and where the network gave none; its confidence goes with it."""
        positions, world = np.ones((3, 2, 2, 2)), np.ones((3, 2, 2, 3))
        positions[0, 1, 0] = np.nan
        world[1, 1, 1, 2] = np.nan
        seen = detections(positions=positions, world_m=world, confidence=np.full((3, 2, 2), 0.6))
        person = seen.person_world([1, 1, 1], "chosen")
        assert person.valid.tolist() == [[False, True], [True, False], [True, True]]
        np.testing.assert_array_equal(person.confidence, person.valid * 0.6)
        nobody = detections(people=0, world_m=np.zeros((3, 0, 2, 3))).person_world([0, 0, 0], "chosen")
        assert not nobody.valid.any()

    @pytest.mark.parametrize("n", [0, 1])
    def test_no_frame_and_one(self, n: int) -> None:
        seen = detections(n, world_m=np.ones((n, 2, 2, 3)))
        assert len(seen) == len(seen.person(np.zeros(n, int), "chosen")) == n
        assert len(seen.person_world(np.full(n, -1), "chosen")) == n
        assert seen.people_per_frame.tolist() == [2] * n

    def test_person_world_needs_a_detector_that_has_it(self) -> None:
        with pytest.raises(InputError, match="3D"):
            detections().person_world([0, 0, 0], "chosen")

    def test_read_only(self) -> None:
        seen = detections(boxes_px=np.zeros((3, 2, 4)), scores=np.ones((3, 2)), world_m=np.zeros((3, 2, 2, 3)))
        for array in (seen.positions, seen.confidence, seen.times_s, seen.boxes_px, seen.scores, seen.world_m):
            assert array is not None
            with pytest.raises(ValueError, match="read-only"):
                array.flat[0] = 1

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"positions": np.zeros((3, 2, 3, 2))}, "pair"),
            ({"positions": np.zeros((3, 2, 2))}, r"detections.*shape"),
            ({"positions": np.full((3, 2, 2, 2), np.inf)}, "infinite"),
            ({"confidence": np.zeros((3, 2))}, r"confidence.*shape"),
            ({"confidence": np.full((3, 2, 2), 1.5)}, "0..1"),
            ({"times_s": [0, 0, 1]}, "increase"),
            ({"boxes_px": np.zeros((3, 2, 2))}, "boxes_px"),
            ({"scores": np.zeros(3)}, r"scores.*shape"),
            ({"status": np.ones((3, 2))}, r"status.*shape"),
            ({"status": np.zeros((3, 2, 2))}, "status"),
            ({"world_m": np.zeros((3, 2, 2, 2))}, "world_m"),
        ],
    )
    def test_what_they_refuse(self, changes: dict[str, Any], message: str) -> None:
        with pytest.raises(InputError, match=message):
            detections(**changes)
