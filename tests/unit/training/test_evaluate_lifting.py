"""Known answers give known errors; means are those of the paper; networks meet the data that they fit, and no other."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from gonio.core.errors import ConfigError, InputError
from gonio.core.sequence import EVALUATION_JOINTS, PoseSequence
from gonio.core.skeleton import COCO_17, H36M_17, Skeleton
from gonio.io.rigs import subject_cameras
from gonio.io.videopose3d_npz import HUMANEVA_15
from gonio.lifting import checkpoints
from gonio.lifting.architecture import Architecture
from gonio.lifting.checkpoints import Weights
from gonio.lifting.lifter import lift
from gonio.lifting.prediction import normalise_screen, predict
from gonio.training.datasets import LabelledPair
from gonio.training.evaluate_lifting import (
    METRICS,
    Evaluation,
    EvaluationSet,
    Lift,
    evaluate,
    evaluation_set,
    network_lifts,
    protocol_l1,
    protocol_of_paper,
    protocol_sentence,
    read_weights,
    summary_table,
)

PAPER = protocol_of_paper(H36M_17, COCO_17)
L1 = protocol_l1(noisy=True)


def pair(
    action: str = "Walking",
    n_frames: int = 6,
    seed: int = 0,
    subject: str = "S9",
    seen: Skeleton = COCO_17,
    rate_hz: float = 50.0,
) -> LabelledPair:
    rng = np.random.default_rng(seed)
    joints = rng.normal(size=(n_frames, 17, 3))
    joints -= joints[:, :1]
    times_s = np.arange(n_frames) / rate_hz
    pixels = rng.uniform(100, 900, (n_frames, len(seen), 2))
    keypoints = PoseSequence(pixels, times_s, seen, "px", "image", image_size_px=(1000, 1000))
    target = PoseSequence(joints, times_s, H36M_17, "m", "root")
    return LabelledPair(subject, action, f"{action} 1", "54138969", keypoints, target, np.zeros((n_frames, 3)), None)


def answering(change: Callable[[np.ndarray], np.ndarray]) -> dict[str, Lift]:
    """A network that knows the truth and answers with something made from it."""
    return {"plain": lambda one: one.target.derive(positions=change(one.target.positions))}


def scored(change: Callable[[np.ndarray], np.ndarray], *pairs: LabelledPair, protocol=PAPER) -> Evaluation:
    return evaluate(EvaluationSet(pairs or (pair(),), protocol), answering(change))


def moved(joint: str, offset: tuple[float, float, float]) -> Callable[[np.ndarray], np.ndarray]:
    def change(positions: np.ndarray) -> np.ndarray:
        positions = positions.copy()
        positions[:, H36M_17.index(joint)] += offset
        return positions

    return change


def test_the_truth_has_no_error() -> None:
    errors = scored(lambda x: x).scores["plain"].all_frames
    np.testing.assert_allclose([getattr(errors, metric) for metric in METRICS], 0, atol=1e-9)
    assert errors.frames == 6


def test_an_offset_of_one_joint_counts_for_one_of_seventeen() -> None:
    scores = scored(moved("left_wrist", (0.03, 0.0, 0.04))).scores["plain"]
    assert scores.all_frames.mpjpe_mm == pytest.approx(50 / 17)
    assert scores.by_joint["left_wrist"].mpjpe_mm == pytest.approx(50)
    assert scores.by_joint["right_wrist"].mpjpe_mm == pytest.approx(0)
    assert scores.all_frames.mpjve_mm_per_frame == pytest.approx(0, abs=1e-9)  # it never changes
    assert list(scores.by_joint) == list(H36M_17.joints)


def test_twelve_joints_for_protocol_l1() -> None:
    scores = scored(moved("left_wrist", (0.03, 0.0, 0.04)), protocol=L1).scores["plain"]
    assert scores.all_frames.mpjpe_mm == pytest.approx(50 / 12)
    assert list(scores.by_joint) == list(EVALUATION_JOINTS)
    assert scored(moved("spine", (1.0, 0, 0)), protocol=L1).scores["plain"].all_frames.mpjpe_mm == pytest.approx(0)


def test_the_root_is_joint_0_in_the_paper_and_the_middle_of_the_hips_in_l1() -> None:
    everywhere = (lambda x: x + (0.1, 0.0, 0.0), lambda x: x)
    for change in everywhere:
        for protocol in (PAPER, L1):
            assert scored(change, protocol=protocol).scores["plain"].all_frames.mpjpe_mm == pytest.approx(0, abs=1e-9)
    hip = moved("left_hip", (0.02, 0.0, 0.0))
    assert scored(hip).scores["plain"].all_frames.mpjpe_mm == pytest.approx(20 / 17)
    assert scored(hip, protocol=L1).scores["plain"].all_frames.mpjpe_mm == pytest.approx(10)  # the middle moves by half


def test_a_scale_is_forgiven_by_protocol_3_and_a_rotation_by_protocol_2() -> None:
    truth = pair()
    size = 1000 * np.linalg.norm(truth.target.positions, axis=2).mean()
    grown = scored(lambda x: 1.1 * x, truth).scores["plain"].all_frames
    assert grown.mpjpe_mm == pytest.approx(0.1 * size)
    assert grown.n_mpjpe_mm == pytest.approx(0, abs=1e-9)
    assert grown.pa_mpjpe_mm == pytest.approx(0, abs=1e-6)
    turn = Rotation.from_euler("xyz", [20, 50, -30], degrees=True).as_matrix()
    turned = scored(lambda x: 0.8 * x @ turn.T, truth).scores["plain"].all_frames
    assert turned.n_mpjpe_mm > 100
    assert turned.pa_mpjpe_mm == pytest.approx(0, abs=1e-6)
    mirrored = scored(lambda x: x * (-1, 1, 1), truth).scores["plain"].all_frames
    assert mirrored.pa_mpjpe_mm > 100


def test_velocity_is_per_frame() -> None:
    def shaking(x: np.ndarray) -> np.ndarray:
        x = x.copy()
        x[::2, 3] += (0.0, 0.005, 0.0)
        return x

    for rate_hz in (50.0, 60.0):
        result = scored(shaking, pair(rate_hz=rate_hz))
        assert result.rate_hz == pytest.approx(rate_hz)
        assert result.scores["plain"].by_joint["right_ankle"].mpjve_mm_per_frame == pytest.approx(5)
        assert result.scores["plain"].all_frames.mpjve_mm_per_frame == pytest.approx(5 / 17)


def test_actions_count_once_in_their_mean_and_by_frames_in_the_other() -> None:
    offsets = {"Walking": 0.01, "Eating": 0.03}
    pairs = (pair("Walking", 6), pair("Walking", 4, seed=1, subject="S11"), pair("Eating", 2, seed=2))

    def off(one: LabelledPair) -> PoseSequence:
        positions = one.target.positions.copy()
        positions[:, 1:] += (offsets[one.action], 0, 0)  # all but the root
        return one.target.derive(positions=positions)

    scores = evaluate(EvaluationSet(pairs, PAPER), {"plain": off}).scores["plain"]
    share = 16 / 17
    assert scores.by_action["Walking"].mpjpe_mm == pytest.approx(10 * share)
    assert scores.by_action["Walking"].frames == 10
    assert scores.by_action["Eating"].mpjpe_mm == pytest.approx(30 * share)
    assert scores.mean_of_actions.mpjpe_mm == pytest.approx(20 * share)
    assert scores.all_frames.mpjpe_mm == pytest.approx((10 * 10 + 2 * 30) / 12 * share)
    assert scores.by_subject["S11"].mpjpe_mm == pytest.approx(10 * share)
    assert scores.by_subject["S9"].mpjpe_mm == pytest.approx((6 * 10 + 2 * 30) / 8 * share)


def test_missing_estimates_do_not_count_and_are_reported() -> None:
    def gap(x: np.ndarray) -> np.ndarray:
        x = x + 0.0
        x[0] = np.nan
        x[1, 5] = np.nan
        return x

    result = scored(gap)
    assert result.missing == pytest.approx(18 / (6 * 17))
    assert result.scores["plain"].all_frames.frames == 5
    assert "17.65%" in protocol_sentence(result)
    nothing = scored(lambda x: np.full_like(x, np.nan))
    assert np.isnan(nothing.scores["plain"].all_frames.mpjpe_mm)
    assert nothing.to_plain()["scores"]["plain"]["all_frames"]["mpjpe_mm"] is None
    assert summary_table(nothing)[1][3:] == ("-", "-", "-", "-")


def test_the_same_numbers_as_the_losses_in_torch() -> None:
    torch = pytest.importorskip("torch")
    from gonio.training import losses

    truth, noise = pair(n_frames=30), np.random.default_rng(5).normal(0, 0.05, (30, 17, 3))
    noise[:, 0] = 0
    errors = scored(lambda x: x + noise, truth).scores["plain"].all_frames
    target = torch.tensor(truth.target.positions)
    guess = target + torch.tensor(noise)
    assert errors.mpjpe_mm == pytest.approx(1000 * float(losses.mpjpe(guess, target)))
    assert errors.n_mpjpe_mm == pytest.approx(1000 * float(losses.n_mpjpe(guess, target)))
    assert errors.mpjve_mm_per_frame == pytest.approx(1000 * float(losses.mpjve(guess, target)))


def test_unusable_evaluations_are_refused() -> None:
    with pytest.raises(InputError, match="recording"):
        evaluate(EvaluationSet((), PAPER), answering(lambda x: x))
    with pytest.raises(InputError, match="50, 60"):
        scored(lambda x: x, pair(), pair(rate_hz=60))
    with pytest.raises(InputError, match="none"):
        scored(lambda x: x, pair(n_frames=1))
    other: tuple[tuple[Lift, str], ...] = (
        (lambda one: one.target.select(EVALUATION_JOINTS), r"S9/Walking 1/54138969: .*h36m-17\[12\]"),
        (lambda one: one.target.derive(frame="camera"), "'camera'.*'root'"),
        (lambda one: one.target.at(slice(3)), r"\b3 frames.*\b6"),
    )
    for wrong, words in other:
        with pytest.raises(InputError, match=words):
            evaluate(EvaluationSet((pair(),), PAPER), {"plain": wrong})


def test_the_files(tmp_path: Path) -> None:
    result = scored(moved("left_wrist", (0.03, 0.0, 0.04)), pair("Walking"), pair("Eating", 4))
    result.write(tmp_path / "evaluation.json")
    content = json.loads((tmp_path / "evaluation.json").read_text(encoding="utf-8"))
    assert content["protocol"]["joints"] == list(H36M_17.joints)
    assert content["protocol"]["headline"] == "mean_of_actions"
    assert content["rate_hz"] == pytest.approx(50)
    assert content["scores"]["plain"]["by_action"]["Eating"]["frames"] == 4
    assert content["scores"]["plain"]["mean_of_actions"]["mpjpe_mm"] == pytest.approx(50 / 17)
    with (tmp_path / "evaluation.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 2 + 1 + 17 + 2
    (wrist,) = (row for row in rows if row["name"] == "left_wrist")
    assert (wrist["lifting"], wrist["group"], wrist["frames"], wrist["mpjpe_mm"]) == ("plain", "joint", "10", "50.000")
    assert protocol_sentence(result).startswith(
        "Human3.6M, coco-17 keypoints: 17 joints relative to mid_hip, 50 frames per second"
    )
    assert [line[1] for line in summary_table(result)] == [
        "action",
        "Eating",
        "Walking",
        "mean of actions",
        "all frames",
    ]


def network(**changes: object) -> Weights:
    architecture = Architecture(**({"filter_widths": (3, 3), "channels": 16} | changes))  # type: ignore[arg-type]
    rng = np.random.default_rng(1)
    arrays = {name: np.abs(rng.normal(0, 0.1, shape)) + 0.01 for name, shape in architecture.shapes.items()}
    return Weights(architecture, arrays)


def test_a_network_on_cocos_keypoints_is_that_of_the_lifter() -> None:
    weights, one = network(), pair()
    lifts = network_lifts(weights, EvaluationSet((one,), PAPER))
    assert list(lifts) == ["flip_averaged", "plain"]
    for way, flip in (("flip_averaged", True), ("plain", False)):
        np.testing.assert_array_equal(lifts[way](one).positions, lift(weights, one.keypoints, flip=flip).positions)


@pytest.mark.parametrize(("seen", "wanted"), [(H36M_17, H36M_17), (HUMANEVA_15, HUMANEVA_15)])
def test_a_network_of_another_layout(seen: Skeleton, wanted: Skeleton) -> None:
    weights, one = network(in_joints=len(seen), out_joints=len(wanted)), pair(seen=seen)
    target = one.target if wanted == H36M_17 else PoseSequence(
        one.target.positions[:, :15], one.target.times_s, wanted, "m", "root"
    )  # fmt: skip
    one = LabelledPair("S1", "Walking", "Walking", "0", one.keypoints, target, one.root_m, None)
    data_set = EvaluationSet((one,), protocol_of_paper(wanted, seen))
    lifts = network_lifts(weights, data_set)
    screen = normalise_screen(one.keypoints.positions, 1000, 1000)[None]
    plain, both = (predict(weights, screen, mirrored=m)[0] for m in (None, (seen, wanted)))
    np.testing.assert_allclose(lifts["plain"](one).positions, plain, rtol=1e-6)
    np.testing.assert_allclose(lifts["flip_averaged"](one).positions, both, rtol=1e-6)
    assert np.abs(plain - both).max() > 1e-3
    result = evaluate(data_set, lifts)
    truth = one.target.positions - one.target.positions[:, :1]
    expected = 1000 * np.linalg.norm(both - both[:, :1] - truth, axis=2).mean()
    assert result.scores["flip_averaged"].all_frames.mpjpe_mm == pytest.approx(expected, rel=1e-5)


def test_networks_that_do_not_fit() -> None:
    for weights in (network(in_joints=16), network(out_joints=1), network(in_features=3)):
        for seen in (COCO_17, H36M_17):
            with pytest.raises(InputError, match="layout"):
                network_lifts(weights, EvaluationSet((pair(seen=seen),), PAPER))


def test_weights_of_a_run(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="none"):
        read_weights(tmp_path)
    checkpoints.write(network(), tmp_path / "last.safetensors")
    assert read_weights(tmp_path).architecture.channels == 16
    checkpoints.write(network(channels=8), tmp_path / "best.safetensors")
    with pytest.raises(InputError, match=r"best\.safetensors, last\.safetensors"):
        read_weights(tmp_path)
    checkpoints.write(network(channels=4), tmp_path / "weights.safetensors")
    assert read_weights(tmp_path).architecture.channels == 4
    assert read_weights(tmp_path / "best.safetensors").architecture.channels == 8


def h36m_sets(folder: Path) -> None:
    joints = np.random.default_rng(0).uniform(-0.5, 0.5, (5, 17, 3)) + (0, 0, 1)
    people = ("S1", "S9", "S11")
    flat = {
        subject: {"Walking": [camera.world_to_image(joints) for camera in subject_cameras.human36m()[subject]]}
        for subject in people
    }
    layout = {"layout_name": "h36m", "num_joints": 17}
    np.savez(folder / "data_3d_h36m.npz", positions_3d={subject: {"Walking": joints} for subject in people})
    np.savez(folder / "data_2d_h36m_gt.npz", positions_2d=flat, metadata=layout)


def test_the_test_set_of_a_folder(tmp_path: Path) -> None:
    h36m_sets(tmp_path)
    found = evaluation_set(tmp_path)
    assert found.protocol == protocol_of_paper(H36M_17, H36M_17)
    assert {one.subject for one in found.pairs} == {"S9", "S11"}
    assert len(found.pairs) == 8
    assert {one.subject for one in evaluation_set(tmp_path, subjects=["S1"]).pairs} == {"S1"}
    files = {"data_3d": tmp_path / "data_3d_h36m.npz", "data_2d": tmp_path / "data_2d_h36m_gt.npz"}
    assert len(evaluation_set(**files).pairs) == 8
    (tmp_path / "data_2d_h36m_cpn.npz").write_bytes((tmp_path / "data_2d_h36m_gt.npz").read_bytes())
    with pytest.raises(ConfigError, match=r"data_2d_h36m_cpn\.npz, data_2d_h36m_gt\.npz.*--data-2d"):
        evaluation_set(tmp_path)
    assert len(evaluation_set(tmp_path, data_2d=files["data_2d"]).pairs) == 8
    with pytest.raises(ConfigError, match="--clean"):
        evaluation_set(**files, noisy=False)
    with pytest.raises(ConfigError, match="--data "):
        evaluation_set(data_3d=files["data_3d"])
    with pytest.raises(InputError, match="folder"):
        evaluation_set(files["data_3d"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="UI-PRMD"):
        evaluation_set(tmp_path / "empty")
    with pytest.raises(ConfigError, match="--cameras"):
        evaluation_set(tmp_path / "empty", data_2d=files["data_2d"])
    np.savez(tmp_path / "empty" / "data_3d_x.npz", positions_3d={"S1": {"Walking": np.zeros((2, 17, 3))}})
    with pytest.raises(ConfigError, match="--subjects: S1"):
        evaluation_set(tmp_path / "empty", data_2d=files["data_2d"])
