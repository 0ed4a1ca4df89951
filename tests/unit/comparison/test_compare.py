"""Studies whose truth is known: which cells count, which errors exist, and what the protocol says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from gonio.comparison import position_error
from gonio.comparison.compare import compare_methods
from gonio.comparison.result import ERROR_KEYS, ComparisonResult
from gonio.core.angle_series import AngleSeries
from gonio.core.errors import InputError
from gonio.core.sequence import EVALUATION_JOINTS, PoseSequence, Status
from gonio.core.skeleton import BODY_12, COCO_17, H36M_17, Skeleton

RATE_HZ = 50.0
HIPS = (EVALUATION_JOINTS.index("left_hip"), EVALUATION_JOINTS.index("right_hip"))


def walk(frames: int = 20, seed: int = 0) -> np.ndarray:
    """(time, 12, 3) m: a random body whose joints drift."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(1, 12, 3)) + np.cumsum(rng.normal(scale=0.01, size=(frames, 12, 3)), axis=0)


def pose(positions: np.ndarray, skeleton: Skeleton = BODY_12, **fields: Any) -> PoseSequence:
    return PoseSequence(
        **{
            "positions": positions,
            "times_s": np.arange(len(positions)) / RATE_HZ,
            "skeleton": skeleton,
            "unit": "m",
            "frame": "world",
            "frame_name": "lab",
            **fields,
        }
    )


def angle_series(curves_deg: Mapping[str, np.ndarray]) -> AngleSeries:
    table = np.deg2rad(np.column_stack(list(curves_deg.values())))
    n = len(curves_deg)
    return AngleSeries(table, np.arange(len(table)) / RATE_HZ, tuple(curves_deg), ("",) * n, ((0.0, np.pi),) * n)


def study(methods: Mapping[str, PoseSequence], reference: str | None = "truth", **options: Any) -> ComparisonResult:
    return compare_methods(methods, options.pop("angles", {}), reference=reference, **options)


def test_known_errors_against_the_reference() -> None:
    truth = walk()
    result = study({"truth": pose(truth), "moved": pose(truth + np.array([0.03, 0.04, 0]))})
    moved = result.methods["moved"]
    assert moved.mpjpe_mm == pytest.approx(50)
    for value in (moved.root_mpjpe_mm, moved.n_mpjpe_mm, moved.pa_mpjpe_mm, moved.mpjve_mm_per_s):
        assert value == pytest.approx(0, abs=1e-6)
    assert (moved.n_frames, moved.n_cells, moved.is_reference) == (20, 240, False)
    assert moved.per_joint["left_knee"].mpjpe_mm == pytest.approx(50)


def test_every_number_is_the_mean_of_its_cells() -> None:
    truth, estimate = walk(), walk() + 0.05 * walk(seed=1)
    estimate[3, 2] = np.nan
    truth[5, 8] = np.nan
    mask = np.isfinite(estimate).all(axis=2) & np.isfinite(truth).all(axis=2)
    result = study({"truth": pose(truth), "e": pose(estimate)}).methods["e"]
    times = np.arange(20) / RATE_HZ
    cells = {
        "mpjpe_mm": position_error.mpjpe_mm(estimate, truth, mask),
        "root_mpjpe_mm": position_error.root_mpjpe_mm(estimate, truth, mask, HIPS),
        "n_mpjpe_mm": position_error.n_mpjpe_mm(estimate, truth, mask, HIPS),
        "pa_mpjpe_mm": position_error.pa_mpjpe_mm(estimate, truth, mask),
        "mpjve_mm_per_s": position_error.mpjve_mm_per_s(estimate, truth, mask, times, HIPS),
    }
    assert result.n_cells == 238
    for key, errors in cells.items():
        assert getattr(result, key) == pytest.approx(np.nanmean(errors))
        for j, joint in enumerate(EVALUATION_JOINTS):
            assert getattr(result.per_joint[joint], key) == pytest.approx(np.nanmean(errors[:, j]))


def test_the_reference_has_its_range_of_motion_and_no_error() -> None:
    curve = np.linspace(10, 80, 20)
    result = study(
        {"truth": pose(walk()), "e": pose(walk(seed=1))},
        angles={"truth": angle_series({"left_knee_flexion": curve}), "e": angle_series({"left_knee_flexion": curve})},
    )
    truth = result.methods["truth"]
    assert truth.is_reference
    assert [getattr(truth, key) for key in ERROR_KEYS] == [None] * 6
    assert truth.per_joint["left_hip"].pa_mpjpe_mm is None
    knee = truth.angles["left_knee_flexion"]
    assert (knee.rmse_deg, knee.bias_deg, knee.r) == (None, None, None)
    assert knee.rom_deg == pytest.approx(70)


def test_layouts_are_matched_by_name_never_by_number() -> None:
    truth = walk()
    for layout in (COCO_17, H36M_17):
        positions = np.full((20, 17, 3), np.nan)
        for j, joint in enumerate(EVALUATION_JOINTS):
            positions[:, layout.index(joint)] = truth[:, j]
        assert study({"truth": pose(truth), "e": pose(positions, layout)}).methods["e"].mpjpe_mm == 0


def test_a_joint_that_one_layout_lacks_is_left_out_for_all() -> None:
    truth = walk()
    bad_wrist = truth.copy()
    bad_wrist[:, EVALUATION_JOINTS.index("left_wrist")] += 1
    short = tuple(j for j in EVALUATION_JOINTS if j != "left_wrist")
    without = pose(truth).select(short)
    result = study({"truth": pose(truth), "bad": pose(bad_wrist), "short": without})
    assert result.protocol["joints"] == list(short)
    assert result.protocol["joints_left_out"] == {"left_wrist": ["short"]}
    assert result.methods["bad"].mpjpe_mm == 0
    assert "left_wrist" not in result.methods["bad"].per_joint


def test_a_frame_that_one_method_drops_is_left_out_for_all_and_counted() -> None:
    truth = walk()
    careful, honest = truth + np.array([0.01, 0, 0]), truth + np.array([0.01, 0, 0])
    honest[4:8] += [0.5, 0, 0]  # hard frames, measured badly
    careful[4:8] = np.nan  # hard frames, dropped
    result = study({"truth": pose(truth), "careful": pose(careful), "honest": pose(honest)})
    assert result.methods["honest"].mpjpe_mm == pytest.approx(10)
    assert result.methods["honest"].n_frames == result.methods["careful"].n_frames == 16
    frames = result.protocol["frames"]
    assert frames["in_all"] == 20
    assert frames["compared"] == 16
    assert frames["lost_by_one_alone"] == {"truth": 0, "careful": 4, "honest": 0}
    assert frames["left_out"] == {"without_both_hips": 4, "too_few_joints": 0, "joints_on_a_line": 0}
    assert result.protocol["counts"]["careful"]["left_knee"]["missing_alone"] == 4
    assert result.protocol["counts"]["honest"]["left_knee"]["missing_alone"] == 0


def test_what_two_methods_lack_is_missed_by_neither_alone() -> None:
    truth, a, b = walk(), walk(seed=1), walk(seed=2)
    a[:5, 0], b[3:7, 0] = np.nan, np.nan
    counts = study({"truth": pose(truth), "a": pose(a), "b": pose(b)}).protocol["counts"]
    assert counts["a"]["left_shoulder"]["missing"] == 5
    assert counts["a"]["left_shoulder"]["missing_alone"] == 3
    assert counts["b"]["left_shoulder"]["missing_alone"] == 2


def test_frames_with_too_few_joints_or_one_hip_are_left_out() -> None:
    truth, estimate = walk(), walk(seed=1)
    estimate[0, :7] = np.nan  # 5 left, one hip among the missing
    estimate[1, [0, 1, 2, 3, 4, 5, 8]] = np.nan  # both hips, 5 left
    estimate[2, [0, 1, 2, 3, 4, 5]] = np.nan  # both hips, 6 left: enough
    estimate[3, HIPS[0]] = np.nan  # 11 left, one hip
    result = study({"truth": pose(truth), "e": pose(estimate)})
    assert result.protocol["least_joints_per_frame"] == 6
    assert result.protocol["frames"]["left_out"] == {
        "without_both_hips": 2,
        "too_few_joints": 1,
        "joints_on_a_line": 0,
    }
    assert result.methods["e"].n_frames == 17
    assert result.methods["e"].n_cells == 16 * 12 + 6


def test_an_estimate_that_collapses_to_a_point_loses_its_frames_visibly() -> None:
    truth, estimate = walk(), walk(seed=1)
    estimate[6] = [0.3, 0.2, 3.1]
    result = study({"truth": pose(truth), "e": pose(estimate)})
    assert result.protocol["frames"]["left_out"]["joints_on_a_line"] == 1
    assert result.methods["e"].n_frames == 19


def test_no_place_no_absolute_error() -> None:
    truth = walk()
    rooted = truth - truth[:, list(HIPS)].mean(axis=1, keepdims=True)
    result = study(
        {
            "truth": pose(truth),
            "lifted": pose(1.2 * rooted, frame="root"),
            "elsewhere": pose(truth, frame_name="other lab"),
            "turned": pose(rooted @ Rotation.from_rotvec([0, 1, 0]).as_matrix().T, frame="root", frame_name="cam01"),
        }
    )
    lifted, elsewhere, turned = (result.methods[name] for name in ("lifted", "elsewhere", "turned"))
    assert lifted.mpjpe_mm is None
    assert lifted.root_mpjpe_mm == pytest.approx(200 * np.linalg.norm(rooted, axis=2).mean())
    assert lifted.n_mpjpe_mm == pytest.approx(0, abs=1e-6)
    for method in (elsewhere, turned):
        assert (method.mpjpe_mm, method.root_mpjpe_mm, method.n_mpjpe_mm, method.mpjve_mm_per_s) == (None,) * 4
        assert method.pa_mpjpe_mm == pytest.approx(0, abs=1e-6)
    assert lifted.frame == "root, axes of lab"
    assert elsewhere.frame == "world of other lab"


def test_a_renamed_vertical_is_another_frame() -> None:
    truth = pose(walk(), up="+z")
    result = study({"truth": truth, "turned": truth.with_up("+y")})
    assert result.methods["turned"].mpjpe_mm is None
    assert result.methods["turned"].pa_mpjpe_mm == pytest.approx(0, abs=1e-6)


def test_without_a_reference_every_pair_is_compared() -> None:
    a = walk()
    curve = np.linspace(10, 80, 20)
    result = study(
        {"c": pose(a + np.array([0, 0, 0.02])), "a": pose(a), "b": pose(a + np.array([0.01, 0, 0]))},
        reference=None,
        angles={name: angle_series({"knee": curve + shift}) for name, shift in (("a", 0), ("b", 2))},
    )
    assert [(pair.a, pair.b) for pair in result.pairs] == [("a", "b"), ("a", "c"), ("b", "c")]
    assert [pair.mpjpe_mm for pair in result.pairs] == pytest.approx([10, 20, np.hypot(10, 20)])
    assert result.pairs[0].angles["knee"].bias_deg == pytest.approx(-2)
    assert result.pairs[1].angles["knee"].bias_deg is None
    assert [getattr(result.methods["a"], key) for key in ERROR_KEYS] == [None] * 6
    assert result.methods["a"].angles["knee"].rom_deg == pytest.approx(70)
    assert not any(method.is_reference for method in result.methods.values())
    assert study({"truth": pose(a), "b": pose(a)}).pairs == ()


def test_one_method_alone_has_its_range_of_motion() -> None:
    result = study({"a": pose(walk())}, reference=None, angles={"a": angle_series({"knee": np.arange(20.0)})})
    assert result.pairs == ()
    assert result.methods["a"].n_frames == 20
    assert result.methods["a"].angles["knee"].rom_deg == pytest.approx(19)


def test_angles_are_compared_over_the_times_that_all_have() -> None:
    truth = np.sin(np.arange(20) / 3) * 30 + 60
    good, holed = truth + 2, truth * 0.5
    good[0] = 500.0  # outside the common times: holed lacks it
    holed[0] = np.nan
    positions = pose(walk())
    result = study(
        dict.fromkeys(["truth", "good", "holed", "none"], positions),
        angles={
            "truth": angle_series({"knee": truth}),
            "good": angle_series({"knee": good}),
            "holed": angle_series({"knee": holed}),
            "none": angle_series({"knee": np.full(20, np.nan), "hip": truth}),
        },
    )
    knee = result.methods["good"].angles["knee"]
    assert (knee.rmse_deg, knee.bias_deg, knee.r) == pytest.approx((2, 2, 1))
    assert knee.n_samples == 19
    assert knee.rom_deg == pytest.approx(np.ptp(truth[1:]))
    half = result.methods["holed"].angles["knee"]
    assert half.r == pytest.approx(1)
    assert half.rom_deg == pytest.approx(np.ptp(truth[1:]) / 2)
    assert half.rom_reference_deg == pytest.approx(np.ptp(truth[1:]))
    unseen = result.methods["none"].angles["knee"]
    assert (unseen.rmse_deg, unseen.rom_deg, unseen.n_samples) == (None, None, 0)
    unmatched = result.methods["none"].angles["hip"]
    assert (unmatched.rmse_deg, unmatched.rom_reference_deg) == (None, None)
    assert unmatched.rom_deg == pytest.approx(np.ptp(truth))
    assert result.protocol["angles"] == ["hip", "knee"]


def test_the_range_over_all_frames_is_each_methods_own() -> None:
    """A method that is blind at the extreme cuts the shared range of all, and nobody's own."""
    curve = 40 - 40 * np.cos(np.linspace(0, 2 * np.pi, 21))  # 0..80..0 degrees, 80 in the middle
    blind = np.where(curve > 60, np.nan, curve)
    off = curve + 1.0
    off[3] = np.nan
    positions = walk(21)
    result = study(
        dict.fromkeys(["truth", "off", "blind"], pose(positions)),
        angles={n: angle_series({"knee": c}) for n, c in {"truth": curve, "off": off, "blind": blind}.items()},
    )
    seen = int((curve <= 60).sum())
    for name, n_all, rom_all in (("truth", 21, 80), ("off", 20, 80), ("blind", seen, np.nanmax(blind))):
        knee = result.methods[name].angles["knee"]
        assert (knee.n_samples, knee.n_all) == (seen - 1, n_all)
        assert knee.rom_all_deg == pytest.approx(rom_all)
        assert knee.rom_deg == pytest.approx(np.nanmax(blind))
        assert knee.rom_reference_deg == pytest.approx(np.nanmax(blind))


def test_an_angle_that_was_never_seen_has_no_range() -> None:
    series = angle_series({"knee": np.full(20, np.nan)})
    knee = study({"a": pose(walk())}, None, angles={"a": series}).methods["a"].angles["knee"]
    assert (knee.rom_all_deg, knee.n_all) == (None, 0)


def test_the_protocol_defines_every_angle_once_for_both_sides() -> None:
    names = ("left_knee_flexion", "right_knee_flexion", "trunk_inclination", "left_unseen")

    def series(trunk: str) -> AngleSeries:
        words = ("0 = straight", "0 = straight", trunk, "of nothing")
        table = np.repeat([[1.0, 1.0, 0.5, np.nan]], 20, axis=0)
        return AngleSeries(table, np.arange(20) / RATE_HZ, names, words, ((0.0, np.pi),) * 2 + ((-0.5, 0.5),) * 2)

    methods = {"a": pose(walk()), "b": pose(walk(seed=1))}
    alike = study(methods, None, angles={"a": series("0 = upright"), "b": series("0 = upright")}).protocol
    assert alike["angle_definitions"] == {"knee_flexion": "0 = straight", "trunk_inclination": "0 = upright"}
    assert alike["angle_intervals_deg"]["knee_flexion"] == [0, 180]
    assert alike["angle_intervals_deg"]["trunk_inclination"] == pytest.approx([-28.647890, 28.647890])
    differing = study(methods, None, angles={"a": series("0 = upright"), "b": series("0 = flat")}).protocol
    assert differing["angle_definitions"]["trunk_inclination"] == "a: 0 = upright / b: 0 = flat"
    assert study(methods, None).protocol["angle_definitions"] == {}


def test_a_constant_curve_has_an_error_and_no_correlation() -> None:
    positions = pose(walk())
    result = study(
        {"truth": positions, "e": positions},
        angles={
            "truth": angle_series({"knee": np.arange(20.0)}),
            "e": angle_series({"knee": np.full(20, 9.5)}),
        },
    )
    knee = result.methods["e"].angles["knee"]
    assert knee.r is None
    assert knee.bias_deg == pytest.approx(0, abs=1e-9)
    assert knee.rom_deg == pytest.approx(0, abs=1e-9)


def test_one_frame_has_errors_and_no_velocity() -> None:
    truth = walk(frames=1)
    result = study({"truth": pose(truth), "e": pose(truth + np.array([0.01, 0, 0]))}).methods["e"]
    assert result.mpjpe_mm == pytest.approx(10)
    assert result.mpjve_mm_per_s is None


def test_status_is_counted_in_the_protocol() -> None:
    status = np.full((20, 12), Status.MEASURED)
    status[:3, 0], status[:4, 1], status[:5, 2] = Status.INTERPOLATED, Status.REPAIRED, Status.INFERRED
    result = study({"truth": pose(walk()), "e": pose(walk(seed=1), status=status)})
    counts = result.protocol["counts"]["e"]
    assert counts["left_shoulder"]["interpolated"] == 3
    assert counts["right_shoulder"]["repaired"] == 4
    assert counts["left_elbow"]["inferred"] == 5
    assert counts["left_elbow"]["measured"] == 15


def test_the_protocol_describes_the_comparison() -> None:
    result = study(
        {"truth": pose(walk()), "e": pose(walk(seed=1), history=("triangulated",))},
        filter_words="Butterworth 6 Hz",
        tolerance_s=0.002,
        reprojection_px={"cam01": np.float64(2.5), "cam02": float("nan")},
        protocol_extra={"versions": {"gonio": "0.1.0"}, "seeds": np.int64(3), "trial": "squat"},
    )
    protocol = result.protocol
    assert protocol["reference"] == "truth"
    assert protocol["methods"] == ["e", "truth"]
    assert protocol["filter"] == "Butterworth 6 Hz"
    assert protocol["matching_tolerance_s"] == 0.002
    assert set(protocol["alignment"]) == set(ERROR_KEYS)
    assert (protocol["versions"], protocol["seeds"], protocol["trial"]) == ({"gonio": "0.1.0"}, 3, "squat")
    assert result.cameras == {"cam01": {"reprojection_px_median": 2.5}, "cam02": {"reprojection_px_median": None}}
    assert result.methods["e"].history == ("triangulated",)


def test_times_within_the_tolerance_are_accepted() -> None:
    late = pose(walk(), times_s=np.arange(20) / RATE_HZ + 0.003)
    with pytest.raises(InputError, match=r"late.*truth.*frame 0.*3\.0 ms"):
        study({"truth": pose(walk()), "late": late})
    assert study({"truth": pose(walk()), "late": late}, tolerance_s=0.004).methods["late"].mpjpe_mm == 0


def test_nothing_in_common_names_the_method_and_the_joint() -> None:
    first, second = walk(), walk()
    first[10:] = np.nan
    second[:10] = np.nan
    second[15:, HIPS[0]] = np.nan
    with pytest.raises(InputError) as caught:
        study({"truth": pose(walk()), "first": pose(first), "second": pose(second)})
    message = str(caught.value)
    assert "20 of 20" in message
    assert re.search("first.*10 of 20.*left_shoulder", message)
    assert re.search("second.*5 of 20.*left_hip", message)
    assert "\n" not in message


def empty(sequence: PoseSequence) -> PoseSequence:
    return sequence.at(slice(0, 0))


A, B = pose(walk()), pose(walk(seed=1))
FLAT = PoseSequence(np.zeros((20, 12, 2)), np.arange(20) / RATE_HZ, BODY_12, "px", "image")
NO_HIP = B.select([j for j in EVALUATION_JOINTS if j != "right_hip"])
KNEE = angle_series({"knee": np.arange(20.0)})


@pytest.mark.parametrize(
    ("methods", "options", "message"),
    [
        ({}, {"reference": None}, "method"),
        ({"a": A, "b": B}, {"reference": "vicon"}, "vicon.*a, b"),
        ({"a": A, "b": FLAT}, {"reference": "a"}, "b.*2D"),
        ({"a": A, "b": B.at(slice(0, 19))}, {"reference": "a"}, "b.*19.*a.*20"),
        ({"a": A, "b": NO_HIP}, {"reference": "a"}, "right_hip.* b "),
        ({"a": A, "b": B}, {"reference": "a", "joints": ("left_knee",)}, "left_hip"),
        ({"a": A}, {"reference": "a", "joints": (*EVALUATION_JOINTS, "tail")}, "tail"),
        ({"a": A}, {"reference": "a", "joints": (*EVALUATION_JOINTS, "left_hip")}, "twice"),
        ({"a": A}, {"reference": "a", "angles": {"x": KNEE}}, "'x'"),
        (
            {"a": A.at(slice(0, 19))},
            {"reference": "a", "angles": {"a": KNEE}},
            "a's angles.*20.*19",
        ),
        ({"a": empty(A), "b": empty(B)}, {"reference": "a"}, "a has 0"),
        ({"a": A}, {"reference": "a", "protocol_extra": {"filter": "x"}}, "filter"),
        ({"a": A}, {"reference": "a", "protocol_extra": {"x": {1, 2}}}, r"protocol\.x"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    methods: dict[str, PoseSequence], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        study(methods, **options)


def test_the_effect_of_a_clock_error_is_over_the_same_cells() -> None:
    times = np.arange(100) / RATE_HZ
    curve = 30 + 30 * np.sin(2 * times)
    late = 30 + 30 * np.sin(2 * (times - 0.1))
    truth = walk(100)
    estimate = np.concatenate([np.repeat(truth[:1], 5, axis=0), truth[:-5]])
    series = {"truth": angle_series({"knee": curve}), "late": angle_series({"knee": late})}
    result = study({"truth": pose(truth), "late": pose(estimate)}, angles=series)
    late_result, moved = result.methods["late"], result.methods["late"].time_shifts["+0.1"]
    kept = slice(0, 95)
    mean = np.linalg.norm(estimate - truth, axis=2)[kept].mean() * 1000
    assert moved.change.mpjpe_mm == pytest.approx(-mean)
    assert moved.angle_rmse_deg["knee"] == pytest.approx(-np.sqrt(np.mean((late - curve)[kept] ** 2)))
    assert (late_result.time_shifts["-0.1"].angle_rmse_deg["knee"] or 0) > 0
    assert result.methods["truth"].time_shifts == {}


def test_errors_at_the_peaks_of_repetitions() -> None:
    times = np.arange(100) / RATE_HZ
    curve = 60 * np.sin(np.pi * times) ** 2
    series = {"truth": angle_series({"knee": curve}), "small": angle_series({"knee": 0.9 * curve})}
    spans = np.array([[0.0, 1.0], [1.0, 1.98]])
    bodies = {"truth": pose(walk(100)), "small": pose(walk(100))}
    knee = study(bodies, angles=series, repetitions_s=spans).methods["small"].angles["knee"]
    assert (knee.n_peaks, knee.peak_bias_deg, knee.peak_rmse_deg) == (2, pytest.approx(-6), pytest.approx(6))
    assert knee.bias_deg == pytest.approx(-0.1 * curve.mean())
    without = study(bodies, angles=series).methods["small"].angles["knee"]
    assert (without.n_peaks, without.peak_bias_deg) == (0, None)
