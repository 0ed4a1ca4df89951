"""Training of a lifting network: supervised, or semi-supervised with unlabelled clips beside the labelled ones.

Supervised: Adam with amsgrad on the mean distance of predicted and target joints (Pavllo et al. 2019, section 3), the
learning rate and batch-norm's momentum falling exponentially. Semi-supervised (section 4): a second network gives
the position of the root, trained with the weight 1 / depth. Joints plus root of an unlabelled clip, projected by its
camera, must lie on its keypoints, and its mean bone lengths must equal those of labelled clips.

Every epoch requests its clips by number, and its random numbers come from the seed and that number. So an interrupted
training continues from its last epoch with the same result. `checkpoint.pt` holds the weights and the optimiser, and is
replaced atomically after every epoch. `weights.safetensors` is the network for `gonio lift`, `log.json` the losses and
errors. A loss that is not a number stops the training; the files of the epoch before it stay.

With `torchrun`, each process draws its own clips and gradients are averaged (DistributedDataParallel, gloo); process 0
writes. All processes need access to the same folder.
"""

from __future__ import annotations

import contextlib
import gc
import itertools
import json
import math
import pickle
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, distributed, nn

from gonio.core.errors import ConfigError, GonioError, InputError
from gonio.core.files import replacing, write_json
from gonio.core.skeleton import COCO_17, H36M_17, Skeleton
from gonio.lifting import checkpoints
from gonio.lifting.architecture import Architecture
from gonio.lifting.checkpoints import Weights
from gonio.training.config import CHECKPOINT, LOG, WEIGHTS, TrainingOptions, processes
from gonio.training.losses import bone_length_loss, mpjpe, mpjve, n_mpjpe, reprojection_loss, weighted_mpjpe
from gonio.training.network import TemporalModel, batch_norm_momentum, model_of, weights_of
from gonio.training.windows import Batch, Clip, Clips, Windows

_MEASURED_FRAMES, _MEASURED_WINDOWS = 64, 256  # of a window, and windows at once, for validation


@dataclass(frozen=True)
class LiftingTask:
    """The task of a network: its shape and the skeletons of its input and output.

    Raises `ConfigError` if their numbers of joints disagree.
    """

    architecture: Architecture
    joints_in: Skeleton = COCO_17
    joints_out: Skeleton = H36M_17

    def __post_init__(self) -> None:
        a = self.architecture
        for skeleton, joints, side in ((self.joints_in, a.in_joints, "in"), (self.joints_out, a.out_joints, "out")):
            if len(skeleton) != joints:
                raise ConfigError(f"{skeleton.name} has {len(skeleton)} joints; the network has {joints} {side}puts")


Entry = dict[str, float]
"""An epoch in the log: its number, the means of its losses, the errors of validation, its seconds."""


def train(
    task: LiftingTask,
    options: TrainingOptions,
    labelled: Clips,
    output: Path,
    *,
    unlabelled: Clips | None = None,
    validation: Sequence[Clip] = (),
    unit_mm: float | None = None,
    init: Weights | None = None,
    metadata: Mapping[str, Any] | None = None,
    on_epoch: Callable[[Entry], None] = lambda entry: None,
) -> Weights:
    """Train, or continue from the checkpoint in `output`. Returns the weights after the last epoch.

    labelled, unlabelled  clips with targets; and clips with a camera (semi-supervised). Process i of n
                          requests the clips epoch * n + i, different ones for each process
    validation            clips for measuring after every epoch; not used in training
    unit_mm               millimetres per unit of the targets; with it, errors of validation are also logged in mm
    init                  weights to begin with; default: random
    metadata              written into the weights
    on_epoch              called with the log's entry after every epoch, in process 0

    Raises `ConfigError` if the checkpoint belongs to other options or metadata (the number of epochs may change) or
    if `init` has another shape, `InputError` if clips do not fit or lack an array, and `GonioError` if a
    loss is not a number.
    """
    with _group() as (rank, world):
        run = _Run(task, options, semi=unlabelled is not None or options.trajectory, init=init, metadata=metadata or {})
        log = run.resume(Path(output) / CHECKPOINT)
        for epoch in range(len(log), options.epochs):
            began = time.perf_counter()
            number = epoch * world + rank
            losses = run.epoch(epoch, labelled(number), None if unlabelled is None else unlabelled(number))
            errors = run.measure(validation) if rank == 0 else {}
            if unit_mm is not None:
                errors |= {f"{name}_mm": value * unit_mm for name, value in errors.items()}
            log.append({"epoch": epoch + 1, **losses, **errors, "seconds": time.perf_counter() - began})
            if rank == 0:
                run.save(Path(output), log)
                on_epoch(log[-1])
        weights = run.weights()
        del run  # before its group
    return weights


def precision_of(options: TrainingOptions) -> str:
    """Number format of matrix products: "float32" or "bfloat16"."""
    if options.precision != "auto":
        return options.precision
    return "bfloat16" if options.form == "chunked" and _multiplies_bfloat16() else "float32"


@contextlib.contextmanager
def _group() -> Iterator[tuple[int, int]]:
    """(number of this process, number of processes), joined into a group if there are several."""
    rank, world = processes()
    if world == 1:
        yield 0, 1
        return
    distributed.init_process_group("gloo")
    try:
        yield rank, world
        distributed.barrier()  # no process ends while another one still communicates
    finally:
        gc.collect()  # the group is held by a reference cycle
        distributed.destroy_process_group()


class _Run:
    """The networks, the optimiser, and one epoch of training."""

    def __init__(
        self,
        task: LiftingTask,
        options: TrainingOptions,
        *,
        semi: bool,
        init: Weights | None,
        metadata: Mapping[str, Any],
    ) -> None:
        torch.manual_seed(options.seed)
        self._task, self._options, self._metadata = task, options, dict(metadata)
        self._rank, self._world = processes()
        self._pose, self._root = _networks(task.architecture, options, semi, init)
        self._models = [self._pose] if self._root is None else [self._pose, self._root]
        parameters = [p for model in self._models for p in model.parameters()]
        self._optimiser = torch.optim.Adam(parameters, lr=options.learning_rate, amsgrad=True)
        self._autocast = torch.autocast("cpu", torch.bfloat16, enabled=precision_of(options) == "bfloat16")
        about = {"architecture": asdict(task.architecture), "options": asdict(options), "metadata": self._metadata}
        self._facts = _leaves(json.loads(json.dumps(about | {"trajectory": semi, "processes": self._world})))
        self._joint: nn.Module = _Both(self._pose, self._root)
        if self._world > 1:
            self._joint = nn.parallel.DistributedDataParallel(self._joint)
        self._last_windows: dict[str, tuple[Sequence[Clip], Windows]] = {}

    def resume(self, path: Path) -> list[Entry]:
        """The log so far; empty without a checkpoint."""
        if not path.is_file():
            return []
        try:
            state = torch.load(path, weights_only=True)
            facts, log = dict(state["facts"]), list(state["log"])
        except (OSError, RuntimeError, KeyError, TypeError, ValueError, EOFError, pickle.UnpicklingError) as error:
            raise InputError(
                f"{path}: is no checkpoint of a training ({_line(error)}); choose another -o, or delete it"
            ) from None
        for name in sorted(facts.keys() | self._facts.keys()):
            stored, expected = facts.get(name), self._facts.get(name)
            if stored != expected and not name.endswith(".epochs"):
                raise ConfigError(
                    f"{path}: is of another training ({name} was {stored!r}, now it is {expected!r}); "
                    f"choose another -o, or delete the checkpoint"
                )
        for model, saved in zip(self._models, state["models"], strict=True):
            model.load_state_dict(saved)
        self._optimiser.load_state_dict(state["optimiser"])
        return log

    def save(self, output: Path, log: list[Entry]) -> None:
        """Write weights, log and checkpoint, each atomically; the checkpoint last, so that it implies the others."""
        state = {
            "facts": self._facts,
            "log": log,
            "models": [model.state_dict() for model in self._models],
            "optimiser": self._optimiser.state_dict(),
        }
        checkpoints.write(self.weights(), output / WEIGHTS)
        with replacing(output / LOG) as temporary:
            write_json(temporary, log)
        with replacing(output / CHECKPOINT) as temporary:
            torch.save(state, temporary)

    def weights(self) -> Weights:
        return weights_of(self._pose, self._root, self._metadata)

    def epoch(self, epoch: int, labelled: Sequence[Clip], unlabelled: Sequence[Clip] | None) -> Entry:
        """Train one epoch. Returns the means of the loss's parts."""
        options = self._options
        for group in self._optimiser.param_groups:
            group["lr"] = options.learning_rate * options.decay**epoch
        for model in self._models:
            model.set_batch_norm_momentum(batch_norm_momentum(epoch, options.epochs, *options.momentum))
        dropout = np.random.default_rng([options.seed, epoch, self._rank, 2])
        torch.manual_seed(int(dropout.integers(1 << 62)))
        windows = self._windows("labelled", labelled)
        others = None
        if unlabelled is not None and epoch >= options.warm_up:
            others = self._endless(self._windows("unlabelled", unlabelled), epoch)
        self._joint.train()
        sums: dict[str, float] = {}
        steps = self._agreed(windows.steps(options.batch))
        for repeat in range(options.passes):
            batches = windows.batches(options.batch, np.random.default_rng([options.seed, epoch, repeat]))
            for batch in itertools.islice(batches, steps):
                for name, value in self._step(batch, None if others is None else next(others)).items():
                    if not math.isfinite(value):
                        raise _not_a_number(epoch, f"its {name} loss")
                    sums[name] = sums.get(name, 0.0) + value
        if not all(bool(p.isfinite().all()) for model in self._models for p in model.parameters()):
            raise _not_a_number(epoch, "a weight")
        self._share_statistics()
        return {name: value / (steps * options.passes) for name, value in sums.items()}

    def _windows(self, kind: str, clips: Sequence[Clip]) -> Windows:
        """The windows of clips; those of the last epoch if the clips are the same."""
        last = self._last_windows.get(kind)
        if last is None or last[0] is not clips:
            self._last_windows[kind] = (clips, Windows(clips, self._task.architecture, self._options.frames))
        return self._last_windows[kind][1]

    def _endless(self, windows: Windows, epoch: int) -> Iterator[Batch]:
        for repeat in itertools.count():
            rng = np.random.default_rng([self._options.seed, epoch, repeat, 1])
            yield from windows.batches(self._options.batch, rng)

    def _agreed(self, steps: int) -> int:
        """The smallest number of steps of all processes, since each waits for the others in every step."""
        if self._world == 1:
            return steps
        fewest = torch.tensor(steps)
        distributed.all_reduce(fewest, distributed.ReduceOp.MIN)
        return int(fewest)

    def _share_statistics(self) -> None:
        """Copy batch-norm's statistics of process 0, which writes them, to all others."""
        if self._world > 1:
            for model in self._models:
                for buffer in model.buffers():
                    distributed.broadcast(buffer, 0)

    def _step(self, batch: Batch, other: Batch | None) -> dict[str, float]:
        self._optimiser.zero_grad(set_to_none=True)
        terms = self._terms(batch, other)
        weights = {
            "velocity": self._options.velocity_weight,
            "trajectory": self._options.trajectory_weight,
            "reprojection": self._options.reprojection_weight,
            "bones": self._options.bone_weight,
        }
        loss = torch.stack([weights.get(name, 1.0) * value for name, value in terms.items()]).sum()
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimiser.step()
        return {name: float(value.detach()) for name, value in terms.items()}

    def _terms(self, batch: Batch, other: Batch | None) -> dict[str, Tensor]:
        """The loss's parts. Labelled and unlabelled windows are one batch for the networks, as published."""
        inputs = torch.from_numpy(batch.inputs)
        n = len(inputs)
        if other is not None:
            inputs = torch.cat([inputs, torch.from_numpy(other.inputs)])
        with self._autocast:
            pose, root = self._joint(inputs)
        pose = pose.float()
        targets, mask = _answers(batch)
        terms = {"position": mpjpe(pose[:n], targets, mask)}
        if self._options.velocity_weight and pose.shape[1] > 1:
            terms["velocity"] = mpjve(pose[:n], targets, mask)
        if root is not None:
            root = root.float()
            terms["trajectory"] = _trajectory_loss(root[:n], batch)
        if other is not None:
            assert root is not None
            terms |= self._unlabelled_terms(pose[n:], root[n:], other, targets, mask)
        return terms

    def _unlabelled_terms(
        self, pose: Tensor, root: Tensor, other: Batch, targets: Tensor, mask: Tensor
    ) -> dict[str, Tensor]:
        if other.camera is None:
            raise InputError("unlabelled clips need the camera that projects them")
        camera = torch.from_numpy(other.camera)
        known = torch.from_numpy(other.weight) & torch.isfinite(camera).all(dim=-1)
        camera = torch.where(known[..., None], camera, 1.0)
        seen = known[..., None].expand(*known.shape, len(self._task.joints_in))
        if other.seen is not None:
            seen = seen & torch.from_numpy(other.seen)
        keypoints = torch.from_numpy(other.keypoints)
        if other.root_unit is not None:
            root = root * torch.from_numpy(other.root_unit)[..., None, None]
        joints_in, joints_out = self._task.joints_in, self._task.joints_out
        terms = {}
        if self._options.reprojection_weight:
            terms["reprojection"] = reprojection_loss(pose + root, camera, keypoints, joints_out, joints_in, seen)
        if self._options.bone_weight:
            counted = known[..., None].expand(*known.shape, len(joints_out))
            terms["bones"] = bone_length_loss(targets, pose, joints_out, mask, counted)
        return terms

    def measure(self, clips: Sequence[Clip]) -> Entry:
        """Errors on validation clips, in the targets' unit, without flip averaging."""
        if not clips:
            return {}
        windows = Windows(clips, self._task.architecture, _MEASURED_FRAMES)
        model = TemporalModel(self._task.architecture, "chunked")
        model.load_state_dict(self._pose.state_dict())
        model.eval()
        sums = np.zeros(3)
        with torch.no_grad(), self._autocast:
            for first in range(0, len(windows), _MEASURED_WINDOWS):
                batch = windows.batch(np.arange(first, min(first + _MEASURED_WINDOWS, len(windows))))
                pose = model(torch.from_numpy(batch.inputs)).float()
                targets, mask = _answers(batch)
                count = float(mask.sum())
                sums += (float(mpjpe(pose, targets, mask)) * count, float(n_mpjpe(pose, targets, mask)) * count, count)
        if not sums[2]:
            raise InputError("the validation clips have no target to measure against")
        return {"validation_mpjpe": float(sums[0] / sums[2]), "validation_n_mpjpe": float(sums[1] / sums[2])}


def _networks(
    architecture: Architecture, options: TrainingOptions, semi: bool, init: Weights | None
) -> tuple[TemporalModel, TemporalModel | None]:
    """The networks of the joints and, if it is learned, of the root."""
    shapes = [architecture] + ([replace(architecture, out_joints=1)] if semi else [])
    models = [TemporalModel(shape, options.form) for shape in shapes]
    given = [] if init is None else [init] + ([] if init.trajectory is None else [init.trajectory])
    for model, weights in zip(models, given, strict=False):
        stored, expected = (replace(shape, dropout=0.0) for shape in (weights.architecture, model.architecture))
        if stored != expected:
            raise ConfigError(f"the initial weights are of another network: {stored}, not {expected}")
        model.load_state_dict(model_of(weights, options.form).state_dict())
    return models[0], models[1] if semi else None


class _Both(nn.Module):
    """Both networks as one module, so that gradients are averaged over processes in one step."""

    def __init__(self, pose: TemporalModel, root: TemporalModel | None) -> None:
        super().__init__()
        self.pose, self.root = pose, root

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor | None]:
        return self.pose(inputs), None if self.root is None else self.root(inputs)


def _answers(batch: Batch) -> tuple[Tensor, Tensor]:
    """Targets, and the mask of those that count."""
    if batch.targets is None or batch.mask is None:
        raise InputError("labelled clips need targets and their mask")
    return torch.from_numpy(batch.targets), torch.from_numpy(batch.mask & batch.weight[..., None])


def _trajectory_loss(root: Tensor, batch: Batch) -> Tensor:
    """(batch, time, 1, 3) the network's roots against the targets, weighted by 1 / depth."""
    if batch.root is None:
        raise InputError("the root's position is unknown in these labelled clips; a trajectory cannot be learned")
    truth = torch.from_numpy(batch.root)[:, :, None]
    depth = truth[..., 2]  # (batch, time, 1)
    known = torch.from_numpy(batch.weight)[..., None] & torch.isfinite(truth).all(dim=-1) & (depth > 0)
    return weighted_mpjpe(root, truth, 1 / torch.where(known, depth, 1.0), known)


def _multiplies_bfloat16() -> bool:
    """Whether this processor has instructions for bfloat16; others emulate it slowly."""
    capable = (
        getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)()
        or getattr(torch.cpu, "_is_amx_tile_supported", lambda: False)()
    )
    return bool(capable)


def _not_a_number(epoch: int, what: str) -> GonioError:
    return GonioError(
        f"the training stopped in epoch {epoch + 1}: {what} is not a number; the files of the epoch before stay. Try a "
        f"smaller learning rate, or check the data for a recording with extreme positions"
    )


def _leaves(value: Any, name: str = "") -> dict[str, Any]:
    """Nested dicts and lists as one dict, with dots between the keys."""
    if not isinstance(value, dict | list):
        return {name: value}
    leaves: dict[str, Any] = {}
    for key, item in value.items() if isinstance(value, dict) else enumerate(value):
        leaves |= _leaves(item, f"{name}.{key}" if name else str(key))
    return leaves


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__
