"""Training learns, stops, goes on bit for bit, refuses what it cannot use; alone and as several processes.

The networks have 16 channels and learn a person who swings arms and legs, by heart, in a second.
"""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from gonio.core.errors import ConfigError, GonioError, InputError
from gonio.lifting import checkpoints
from gonio.lifting.architecture import Architecture
from gonio.lifting.prediction import predict
from gonio.training.bodies import training_body
from gonio.training.clips import body_clip, screen_clip
from gonio.training.config import CHECKPOINT, LOG, WEIGHTS, TrainingOptions
from gonio.training.virtual_cameras import training_pair

torch = pytest.importorskip("torch", reason="training needs torch: pip install gonio[train]")

from gonio.training import loop  # noqa: E402
from gonio.training.loop import (  # noqa: E402
    LiftingTask,
    precision_of,
    train,
)
from gonio.training.network import TemporalModel  # noqa: E402

BODY = LiftingTask(Architecture((3, 3), in_features=3, channels=16, dropout=0.0))
SCREEN = LiftingTask(Architecture((3, 3), in_features=2, channels=16, dropout=0.0))
QUICK = TrainingOptions(
    epochs=40,
    passes=2,
    frames=8,
    batch=16,
    learning_rate=1e-2,
    decay=0.93,
    momentum=(0.3, 0.1),
    precision="float32",
    warm_up=5,
)
SHORT = replace(QUICK, epochs=4, warm_up=1)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def clips(person, front):
    """(normalisation, phase of the person, azimuths, distances) to clips of 60 frames."""

    def make(clip, seed, azimuths_deg, distances_m=(4.0,)):
        body = training_body(person(60, seed=seed))
        cameras = [
            front(body, azimuth_deg=a, distance_m=d, elevation_deg=5.0) for a in azimuths_deg for d in distances_m
        ]
        return [clip(training_pair(body, camera)) for camera in cameras]

    return make


@pytest.fixture(scope="module")
def labelled(clips):
    return clips(body_clip, 0, (0, 90), (3.0, 5.0))


@pytest.fixture(scope="module")
def others(clips):
    return clips(body_clip, 1.5, (30, -60), (3.5, 4.5))


def run(folder, task, options, labelled, **more):
    log = []
    weights = train(task, options, lambda number: labelled, folder, on_epoch=log.append, **more)
    return weights, log


def same_arrays(a, b):
    return all(np.array_equal(a.arrays[name], b.arrays[name]) for name in a.arrays)


def test_it_learns_poses_it_has_not_seen(tmp_path, clips):
    data = clips(body_clip, 0, (0, 40, 90)) + clips(body_clip, 1, (0, 40, 90))
    test = clips(body_clip, 2, (20,))
    weights, log = run(tmp_path, BODY, QUICK, data, validation=test, unit_mm=1000.0, metadata={"normalisation": "body"})
    assert [entry["epoch"] for entry in log] == list(range(1, 41))
    assert log[0]["validation_mpjpe_mm"] > 300
    assert log[-1]["validation_mpjpe_mm"] < 80
    assert log[-1]["validation_mpjpe_mm"] == 1000 * log[-1]["validation_mpjpe"]
    assert log[-1]["validation_n_mpjpe"] <= log[-1]["validation_mpjpe"]
    answer = predict(weights, test[0].inputs[None])[0]
    error = np.linalg.norm(answer - test[0].targets, axis=2).mean()
    assert error == pytest.approx(log[-1]["validation_mpjpe"], rel=1e-4)
    read = checkpoints.read(tmp_path / WEIGHTS)
    assert read.metadata == {"normalisation": "body"}
    assert read.trajectory is None
    assert np.abs(predict(read, test[0].inputs[None])[0] - answer).max() < 0.01
    assert json.loads((tmp_path / LOG).read_text()) == log


def test_the_trajectory_network_learns_depth(tmp_path, clips):
    data = clips(screen_clip, 0, (0, 30, 60), (3.0, 4.0, 5.0, 6.0))
    weights, log = run(tmp_path, SCREEN, replace(QUICK, trajectory=True), data)
    assert log[-1]["trajectory"] < 0.08 < log[0]["trajectory"]
    for distance, clip in zip((3.5, 5.5), clips(screen_clip, 0.5, (30,), (3.5, 5.5)), strict=True):
        root = predict(weights.trajectory, clip.inputs[None])[0][:, 0]
        assert root[:, 2].mean() == pytest.approx(distance, abs=0.5)


def test_unlabelled_keypoints_improve_the_network(tmp_path, labelled, others):
    """Reprojection makes joints fall on their keypoints, bones keep them a body; both are better than either."""
    found = {}
    for name, reprojection, bones in (
        ("none", 1e-6, 1e-6),
        ("reprojection", 1, 1e-6),
        ("bones", 1e-6, 1),
        ("both", 1, 1),
    ):
        options = replace(QUICK, reprojection_weight=reprojection, bone_weight=bones)
        bare = [clip.unlabelled() for clip in others]
        _, log = run(tmp_path / name, BODY, options, labelled, unlabelled=lambda _, bare=bare: bare, validation=others)
        assert ["reprojection" in entry for entry in log] == [False] * 5 + [True] * 35
        found[name] = log[-1]
    assert found["none"]["reprojection"] > 0.2
    assert found["reprojection"]["reprojection"] < 0.1
    assert found["none"]["bones"] > 0.03
    assert found["bones"]["bones"] < 0.02
    error = {name: entry["validation_mpjpe"] for name, entry in found.items()}
    assert error["both"] < 0.8 * error["none"]
    assert error["both"] < min(error["reprojection"], error["bones"])


def test_terms_without_weight_are_left_out(tmp_path, labelled, others):
    options = replace(SHORT, epochs=2, reprojection_weight=0.0, bone_weight=0.0, velocity_weight=0.5)
    _, log = run(tmp_path, BODY, options, labelled, unlabelled=lambda _: others)
    assert set(log[-1]) == {"epoch", "position", "velocity", "trajectory", "seconds"}
    _, log = run(tmp_path / "plain", BODY, replace(SHORT, epochs=1), labelled)
    assert set(log[-1]) == {"epoch", "position", "seconds"}


def test_schedules_are_those_of_the_paper(tmp_path, labelled, monkeypatch):
    seen = []
    step = torch.optim.Adam.step

    def spied(self, *args, **kwargs):
        seen.append((self.param_groups[0]["lr"], self.param_groups[0]["amsgrad"]))
        return step(self, *args, **kwargs)

    momenta = []
    set_momentum = TemporalModel.set_batch_norm_momentum
    monkeypatch.setattr(torch.optim.Adam, "step", spied)
    monkeypatch.setattr(
        TemporalModel,
        "set_batch_norm_momentum",
        lambda self, momentum: (momenta.append(momentum), set_momentum(self, momentum))[1],
    )
    run(tmp_path, BODY, replace(SHORT, momentum=(0.1, 0.001), decay=0.5), labelled)
    rates = sorted({rate for rate, _ in seen}, reverse=True)
    assert rates == pytest.approx([1e-2, 5e-3, 2.5e-3, 1.25e-3])
    assert all(amsgrad for _, amsgrad in seen)
    assert momenta == pytest.approx([0.1, 10**-1.5, 0.01, 10**-2.5])


class StoppedError(Exception):
    pass


def test_a_run_that_was_stopped_goes_on_bit_for_bit(tmp_path, labelled, others):
    """With everything that has a random number or a memory: dropout, unlabelled clips, two networks, Adam."""
    task = LiftingTask(replace(BODY.architecture, dropout=0.25))
    kinds = {"unlabelled": lambda number: others[number % 2 :], "validation": others[:1]}
    at_once, log = run(tmp_path / "once", task, SHORT, labelled, **kinds)

    def stop(entry):
        if entry["epoch"] == 2:
            raise StoppedError

    with pytest.raises(StoppedError):
        train(task, SHORT, lambda _: labelled, tmp_path / "twice", on_epoch=stop, **kinds)
    torch.manual_seed(12345)  # whatever happened in between
    rest = []
    in_two = train(task, SHORT, lambda _: labelled, tmp_path / "twice", on_epoch=rest.append, **kinds)
    assert [entry["epoch"] for entry in rest] == [3, 4]
    assert same_arrays(at_once, in_two)
    assert same_arrays(at_once.trajectory, in_two.trajectory)
    assert (tmp_path / "once" / WEIGHTS).read_bytes() == (tmp_path / "twice" / WEIGHTS).read_bytes()
    whole = json.loads((tmp_path / "twice" / LOG).read_text())
    for entry in (*log, *whole):
        entry.pop("seconds")
    assert whole == log
    different, _ = run(tmp_path / "seed", task, replace(SHORT, seed=1), labelled, **kinds)
    assert not same_arrays(at_once, different)


def test_a_process_killed_while_it_writes_leaves_the_last_checkpoint(tmp_path, labelled, monkeypatch):
    save = torch.save

    def killed(state, path):
        if len(state["log"]) == 3:
            path.write_bytes(b"half of it")
            raise KeyboardInterrupt
        save(state, path)

    monkeypatch.setattr(torch, "save", killed)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "killed", BODY, SHORT, labelled)
    monkeypatch.undo()
    assert sorted(path.name for path in (tmp_path / "killed").iterdir()) == [CHECKPOINT, LOG, WEIGHTS]
    again, log = run(tmp_path / "killed", BODY, SHORT, labelled)
    assert [entry["epoch"] for entry in log] == [3, 4]
    assert same_arrays(again, run(tmp_path / "whole", BODY, SHORT, labelled)[0])


def test_a_loss_that_is_no_number_stops_with_one_line(tmp_path, labelled):
    absurd = [replace(clip, targets=np.full_like(clip.targets, np.inf)) for clip in labelled]
    with pytest.raises(GonioError, match=r"epoch 3: .*\bposition\b"):
        train(BODY, SHORT, lambda number: labelled if number < 2 else absurd, tmp_path)
    assert len(json.loads((tmp_path / LOG).read_text())) == 2
    assert len(torch.load(tmp_path / CHECKPOINT, weights_only=True)["log"]) == 2
    two = checkpoints.read(tmp_path / WEIGHTS)
    weights, _ = run(tmp_path / "two", BODY, SHORT, labelled)
    assert not same_arrays(two, weights)
    again, log = run(tmp_path, BODY, SHORT, labelled)  # without the absurd clips it goes on
    assert [entry["epoch"] for entry in log] == [3, 4]
    assert same_arrays(again, weights)


def test_weights_that_are_no_numbers_are_not_written(tmp_path, labelled):
    with pytest.raises(GonioError, match="epoch 1"):
        run(tmp_path, BODY, replace(SHORT, learning_rate=1e30), labelled)
    assert list(tmp_path.iterdir()) == []


def test_a_checkpoint_of_another_training_is_refused(tmp_path, labelled):
    about = {"data": ["s01", "s02"]}
    run(tmp_path, BODY, replace(SHORT, epochs=1), labelled, metadata=about)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    for task, options, metadata, words in (
        (BODY, replace(SHORT, decay=0.5), about, r"0.93.*0.5"),
        (
            LiftingTask(replace(BODY.architecture, channels=8)),
            SHORT,
            about,
            r"16.*8",
        ),
        (BODY, SHORT, {"data": ["s01", "s03"]}, r"1.*'s02'.*'s03'"),
        (BODY, replace(SHORT, trajectory=True), about, r"options.*trajectory"),
    ):
        with pytest.raises(ConfigError, match=words):
            run(tmp_path, task, options, labelled, metadata=metadata)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert len(run(tmp_path, BODY, replace(SHORT, epochs=2), labelled, metadata=about)[1]) == 1  # only longer
    assert run(tmp_path, BODY, replace(SHORT, epochs=2), labelled, metadata=about)[1] == []


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\x80\x02N."])
def test_files_that_are_no_checkpoint_are_refused(tmp_path, labelled, content):
    (tmp_path / CHECKPOINT).write_bytes(content)
    with pytest.raises(InputError, match=r"checkpoint\.pt"):
        run(tmp_path, BODY, SHORT, labelled)
    assert (tmp_path / CHECKPOINT).read_bytes() == content


def test_training_begins_with_given_weights(tmp_path, labelled, others):
    learned, log = run(tmp_path / "first", BODY, replace(QUICK, trajectory=True), labelled)
    slow = replace(SHORT, epochs=1, learning_rate=1e-9)
    tuned, on = run(tmp_path / "tuned", BODY, slow, labelled, init=learned, unlabelled=lambda _: others)
    assert on[0]["position"] < 0.1
    assert log[0]["position"] > 0.5
    assert on[0]["trajectory"] < 0.1
    assert log[0]["trajectory"] > 0.5
    name = "layers_conv.0.weight"
    assert np.abs(tuned.arrays[name] - learned.arrays[name]).max() < 1e-6
    for change in ({"channels": 8}, {"causal": True}):
        with pytest.raises(ConfigError, match="channels"):
            run(tmp_path / "x", LiftingTask(replace(BODY.architecture, **change)), slow, labelled, init=learned)
    dropout = LiftingTask(replace(BODY.architecture, dropout=0.5))
    assert run(tmp_path / "dropout", dropout, slow, labelled, init=learned)[0].architecture.dropout == 0.5


def test_the_forms_train_alike(tmp_path, labelled):
    """Single frames are other batches, so they end elsewhere; dilated and chunked go the same way."""
    slow = replace(SHORT, learning_rate=1e-4)
    _, log = run(tmp_path / "c", BODY, slow, labelled)
    _, dilated = run(tmp_path / "d", BODY, replace(slow, form="dilated"), labelled)
    for one, other in zip(log, dilated, strict=True):
        assert one["position"] == pytest.approx(other["position"], rel=1e-3)
    single = replace(SHORT, form="single-frame", frames=1, batch=128)
    _, single_log = run(tmp_path / "s", BODY, single, labelled, validation=labelled)
    assert single_log[-1]["position"] < 0.7 * single_log[0]["position"]
    assert single_log[-1]["validation_mpjpe"] > 0


@pytest.mark.parametrize("capable", [True, False])
def test_half_precision_only_where_the_processor_multiplies_it(tmp_path, labelled, monkeypatch, capable):
    monkeypatch.setattr(loop, "_multiplies_bfloat16", lambda: capable)
    auto = replace(SHORT, precision="auto")
    assert precision_of(auto) == ("bfloat16" if capable else "float32")
    assert precision_of(replace(auto, form="single-frame", frames=1)) == "float32"
    assert precision_of(replace(auto, precision="float32")) == "float32"
    assert precision_of(replace(auto, precision="bfloat16")) == "bfloat16"
    weights, log = run(tmp_path / "auto", BODY, auto, labelled)
    exact, _ = run(tmp_path / "exact", BODY, replace(auto, precision="float32"), labelled)
    assert same_arrays(weights, exact) is not capable
    assert log[-1]["position"] < 0.7 * log[0]["position"]


def test_clips_that_lack_something_are_refused(tmp_path, labelled, others):
    bare = [clip.unlabelled() for clip in labelled]
    with pytest.raises(InputError, match="targets"):
        run(tmp_path, BODY, SHORT, bare)
    with pytest.raises(InputError, match="root"):
        run(tmp_path, BODY, replace(SHORT, trajectory=True), [replace(clip, root=None) for clip in labelled])
    blind = [replace(clip, camera=None) for clip in others]
    with pytest.raises(InputError, match="camera"):
        run(tmp_path, BODY, replace(SHORT, warm_up=0), labelled, unlabelled=lambda _: blind)
    with pytest.raises(InputError, match="clip"):
        run(tmp_path, BODY, SHORT, [])
    nothing = [replace(clip, mask=np.zeros_like(clip.mask)) for clip in labelled]
    with pytest.raises(InputError, match="validation"):
        run(tmp_path, BODY, SHORT, labelled, validation=nothing)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ConfigError, match=r"coco-17.*17 joints.*5 inputs"):
        LiftingTask(replace(BODY.architecture, in_joints=5))


def test_unknown_values_do_not_count(tmp_path, labelled, others):
    """Absurd numbers where masks are false change nothing."""

    def spoiled(clip):
        targets, mask, root, camera = (a.copy() for a in (clip.targets, clip.mask, clip.root, clip.camera))
        seen, inputs = clip.seen.copy(), clip.inputs.copy()
        mask[:, 3] = False
        targets[:, 3] = value
        root[5] = np.nan
        camera[7] = np.nan
        seen[:, 9] = False
        return replace(clip, targets=targets, mask=mask, root=root, camera=camera, seen=seen, inputs=inputs)

    found = []
    for value in (0.0, 1e6):
        data, bare = [spoiled(c) for c in labelled], [spoiled(c).unlabelled() for c in others]
        folder = tmp_path / f"{value:g}"
        found.append(run(folder, BODY, replace(SHORT, warm_up=0), data, unlabelled=lambda _, b=bare: b)[0])
    assert same_arrays(*found)


PROCESS = """
import sys, pickle
from pathlib import Path
import numpy as np, torch
from gonio.lifting.architecture import Architecture
from gonio.training.config import TrainingOptions, processes
from gonio.training.loop import LiftingTask, train
from gonio.training.windows import Clip

torch.set_num_threads(1)
folder, rank = Path(sys.argv[1]), processes()[0]

def clips(number):
    rng = np.random.default_rng(number)
    inputs = rng.normal(size=(40 + 10 * number, 17, 3)).astype(np.float32)
    targets = np.cumsum(inputs, axis=1)
    return [Clip(inputs, targets, np.ones(targets.shape[:2], bool), inputs[:, 0] + np.float32(9))]

entries, requested = [], []
task = LiftingTask(Architecture((3,), in_features=3, channels=8))
options = TrainingOptions(epochs=2, frames=4, batch=4, trajectory=True, precision="float32")
weights = train(task, options, lambda n: requested.append(n) or clips(n), folder / "run", on_epoch=entries.append)
arrays = dict(weights.arrays) | {"root." + k: v for k, v in weights.trajectory.arrays.items()}
np.savez(folder / f"{rank}.npz", entries=len(entries), requested=requested, **arrays)
"""


def test_two_processes_end_with_equal_weights_and_one_writes(tmp_path):
    script = tmp_path / "train.py"
    script.write_text(PROCESS)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--local-addr=127.0.0.1"]
    done = subprocess.run(
        [*torchrun, "--nproc-per-node=2", str(script), str(tmp_path)],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    first, second = (np.load(tmp_path / f"{rank}.npz") for rank in (0, 1))
    for name in set(first.files) - {"entries", "requested"}:
        assert np.array_equal(first[name], second[name]), name
    assert (first["requested"].tolist(), second["requested"].tolist()) == ([0, 2], [1, 3])  # different clips
    assert (int(first["entries"]), int(second["entries"])) == (2, 0)
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [CHECKPOINT, LOG, WEIGHTS]
    written = checkpoints.read(tmp_path / "run" / WEIGHTS)
    assert np.abs(written.arrays["expand_bn.running_mean"] - first["expand_bn.running_mean"]).max() < 1e-6
