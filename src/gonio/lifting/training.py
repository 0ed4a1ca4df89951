"""Training a lifting network: supervised, or with clips that nobody labelled beside those that somebody did.

Supervised: Adam with amsgrad on the mean distance of predicted and true joints (Pavllo et al. 2019, section 3), the
learning rate and batch-norm's momentum falling exponentially. Semi-supervised (section 4): a second network says where
the root is, trained with the weight 1 / depth; joints plus root of an unlabelled clip, seen through its camera, must
fall on its keypoints, and its bones must be as long, in the mean, as those of labelled clips.

Every epoch asks for its clips by number, and its random numbers come from the seed and that number. So a run that was
stopped goes on from its last epoch as if nothing had happened: `checkpoint.pt` holds the weights, the optimiser and
torch's random state, and is replaced as a whole after every epoch. `weights.safetensors` is what `gonio lift` takes,
`log.json` what was measured. A loss that is not a number stops the training; the files of the epoch before it stay.

With `torchrun`, each process draws its own clips and gradients are averaged (DistributedDataParallel, gloo on
processors without a GPU); process 0 writes.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import pickle
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, distributed, nn

from gonio.core.files import replacing
from gonio.core.skeleton import COCO_17, H36M_17, Skeleton
from gonio.errors import ConfigError, GonioError, InputError
from gonio.lifting import checkpoints
from gonio.lifting.architecture import Architecture
from gonio.lifting.losses import bone_length_loss, mpjpe, mpjve, n_mpjpe, reprojection_loss, weighted_mpjpe
from gonio.lifting.network import Form, TemporalModel, batch_norm_momentum, weights_of
from gonio.lifting.windows import Batch, Clip, Windows

Clips = Callable[[int], Sequence[Clip]]
"""The clips of an epoch, by its number: always the same ones for the same number."""


@dataclass(frozen=True)
class TrainingOptions:
    """How to train.

    epochs               each goes through the clips it is given `passes` times
    frames, batch        frames of a window that are predicted together, and windows in a batch; the published training
                         predicts single frames, 1024 at a time (frames 1, form "single-frame")
    form                 how the network is run (`gonio.lifting.network`)
    precision            of the matrix products: "auto" takes bfloat16 where the processor multiplies it natively
    learning_rate        of the first epoch; `decay` times as much in each one after it
    momentum             of batch-norm, in the first and in the last epoch
    velocity_weight      of the mean velocity error beside the position error
    warm_up              semi-supervised: epochs before unlabelled clips count
    trajectory_weight    semi-supervised: of the labelled root's error
    reprojection_weight  semi-supervised: of the unlabelled reprojection error
    bone_weight          semi-supervised: of the difference in bone lengths
    trajectory           also train the network that says where the root is, without unlabelled clips too
    seed                 of everything random

    Raises `ConfigError` where a value is out of range.
    """

    epochs: int = 60
    passes: int = 1
    frames: int = 64
    batch: int = 64
    form: Form = "chunked"
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    learning_rate: float = 1e-3
    decay: float = 0.95
    momentum: tuple[float, float] = (0.1, 0.001)
    velocity_weight: float = 0.0
    warm_up: int = 1
    trajectory_weight: float = 1.0
    reprojection_weight: float = 1.0
    bone_weight: float = 1.0
    trajectory: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("epochs", "passes", "frames", "batch"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} = {getattr(self, name)}; at least 1 is needed")
        if not (self.learning_rate > 0 and 0 < self.decay <= 1 and all(0 < m <= 1 for m in self.momentum)):
            raise ConfigError("learning_rate must be positive, decay and momentum lie in 0..1")
        for name in ("velocity_weight", "warm_up", "trajectory_weight", "reprojection_weight", "bone_weight"):
            if getattr(self, name) < 0:
                raise ConfigError(f"{name} = {getattr(self, name)} must be 0 or more")
        if self.form == "single-frame" and self.frames != 1:
            raise ConfigError(
                'the single-frame form predicts one frame of a window; set frames = 1, or form = "chunked"'
            )


@dataclass(frozen=True)
class Task:
    """What is learned: the network's shape and the skeletons of its input and output."""

    architecture: Architecture
    joints_in: Skeleton = COCO_17
    joints_out: Skeleton = H36M_17

    def __post_init__(self) -> None:
        a = self.architecture
        for skeleton, joints, side in ((self.joints_in, a.in_joints, "in"), (self.joints_out, a.out_joints, "out")):
            if len(skeleton) != joints:
                raise ConfigError(f"{skeleton.name} has {len(skeleton)} joints; the network has {joints} {side}puts")


Log = list[dict[str, Any]]


def train(
    task: Task,
    options: TrainingOptions,
    labelled: Clips,
    output: Path,
    *,
    unlabelled: Clips | None = None,
    validation: Sequence[Clip] = (),
    metadata: Mapping[str, Any] | None = None,
    on_epoch: Callable[[dict[str, Any]], None] = lambda entry: None,
) -> checkpoints.Weights:
    """Train from scratch, or go on where the checkpoint in `output` stands; returns the weights after the last epoch.

    labelled, unlabelled  clips with targets; and clips with a camera (semi-supervised)
    validation            clips that are measured after every epoch and never trained on
    metadata              written into the weights
    on_epoch              told the log's entry after every epoch

    Raises `ConfigError` where the checkpoint belongs to other options, `InputError` where clips do not fit, and
    `GonioError` where the loss is not a number.
    """
    with _processes() as (rank, world):
        run = _Run(task, options, semi=unlabelled is not None or options.trajectory, world=world)
        output = Path(output)
        log = run.resume(output / "checkpoint.pt")
        for epoch in range(len(log), options.epochs):
            began = time.perf_counter()
            losses = run.epoch(
                epoch, labelled(epoch * world + rank), None if unlabelled is None else unlabelled(epoch * world + rank)
            )
            entry = {"epoch": epoch + 1, **losses, **run.measure(validation), "seconds": time.perf_counter() - began}
            log.append(entry)
            if rank == 0:
                output.mkdir(parents=True, exist_ok=True)
                run.save(output, log, metadata or {})
                on_epoch(entry)
        return run.weights(metadata or {})


@contextlib.contextmanager
def _processes() -> Iterator[tuple[int, int]]:
    """(number of this process, number of processes): those of `torchrun`, else 0 of 1."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1:
        yield 0, 1
        return
    distributed.init_process_group("gloo")
    try:
        yield distributed.get_rank(), world
    finally:
        distributed.destroy_process_group()


class _Run:
    """The networks, the optimiser, and what one epoch does with them."""

    def __init__(self, task: Task, options: TrainingOptions, *, semi: bool, world: int) -> None:
        torch.manual_seed(options.seed)
        self._task, self._options = task, options
        a = task.architecture
        self._pose = TemporalModel(a, options.form)
        root = Architecture(**(asdict(a) | {"out_joints": 1}))
        self._root = TemporalModel(root, options.form) if semi else None
        self._models: list[TemporalModel] = [self._pose] if self._root is None else [self._pose, self._root]
        parameters = [p for model in self._models for p in model.parameters()]
        self._optimiser = torch.optim.Adam(parameters, lr=options.learning_rate, amsgrad=True)
        wide = options.precision == "float32" or (options.precision == "auto" and not _multiplies_bfloat16())
        self._autocast = torch.autocast("cpu", torch.bfloat16, enabled=not wide)
        self._facts = json.loads(json.dumps({"architecture": asdict(a), "options": asdict(options)}))
        self._joint: nn.Module = _Both(self._pose, self._root)
        if world > 1:
            self._joint = nn.parallel.DistributedDataParallel(self._joint)

    def resume(self, path: Path) -> Log:
        if not path.is_file():
            return []
        try:
            state = torch.load(path, weights_only=True)
            facts, log = state["facts"], list(state["log"])
        except (OSError, RuntimeError, KeyError, TypeError, ValueError, EOFError, pickle.UnpicklingError) as error:
            raise InputError(f"{path}: is no checkpoint of a training ({_line(error)}); choose another -o") from None
        different = [
            f"{name} = {theirs.get(name)!r}, now {value!r}"
            for part, ours in self._facts.items()
            for theirs in [facts.get(part, {})]
            for name, value in ours.items()
            if theirs.get(name) != value and name != "epochs"
        ]
        if different:
            raise ConfigError(f"{path}: is of another training ({different[0]}); choose another -o, or take it away")
        for model, saved in zip(self._models, state["models"], strict=True):
            model.load_state_dict(saved)
        self._optimiser.load_state_dict(state["optimiser"])
        torch.set_rng_state(state["random"])
        return log

    def save(self, output: Path, log: Log, metadata: Mapping[str, Any]) -> None:
        state = {
            "facts": self._facts,
            "log": log,
            "models": [model.state_dict() for model in self._models],
            "optimiser": self._optimiser.state_dict(),
            "random": torch.get_rng_state(),
        }
        checkpoints.write(self.weights(metadata), output / "weights.safetensors")
        with replacing(output / "log.json") as temporary:
            temporary.write_text(json.dumps(log, indent=1) + "\n", encoding="utf-8")
        with replacing(output / "checkpoint.pt") as temporary:
            torch.save(state, temporary)

    def weights(self, metadata: Mapping[str, Any]) -> checkpoints.Weights:
        return weights_of(self._pose, self._root, metadata)

    def epoch(self, epoch: int, labelled: Sequence[Clip], unlabelled: Sequence[Clip] | None) -> dict[str, float]:
        options = self._options
        for group in self._optimiser.param_groups:
            group["lr"] = options.learning_rate * options.decay**epoch
        for model in self._models:
            model.set_batch_norm_momentum(batch_norm_momentum(epoch, options.epochs, *options.momentum))
        windows = Windows(labelled, self._task.architecture, options.frames)
        others = None
        if unlabelled is not None and epoch >= options.warm_up:
            others = self._endless(Windows(unlabelled, self._task.architecture, options.frames), epoch)
        self._joint.train()
        sums: dict[str, float] = {}
        steps = 0
        for repeat in range(options.passes):
            rng = np.random.default_rng([options.seed, epoch, repeat])
            for batch in windows.batches(options.batch, rng):
                terms = self._step(batch, None if others is None else next(others))
                for name, value in terms.items():
                    sums[name] = sums.get(name, 0.0) + value
                steps += 1
        if not steps:
            raise InputError(
                f"an epoch has fewer than {options.batch} windows of {options.frames} frames; make batch smaller"
            )
        means = {name: value / steps for name, value in sums.items()}
        bad = [name for name, value in means.items() if not math.isfinite(value)]
        if bad:
            raise GonioError(
                f"the training stopped in epoch {epoch + 1}: its {bad[0]} is not a number; the weights of the epoch "
                f"before stay. Try a smaller learning rate, or look for a recording with absurd positions"
            )
        return means

    def _endless(self, windows: Windows, epoch: int) -> Iterator[Batch]:
        for repeat in range(1 << 30):
            yield from windows.batches(
                self._options.batch, np.random.default_rng([self._options.seed, epoch, 1, repeat])
            )

    def _step(self, batch: Batch, other: Batch | None) -> dict[str, float]:
        self._optimiser.zero_grad(set_to_none=True)
        terms = self._terms(batch, other)
        weights = {
            "reprojection": self._options.reprojection_weight,
            "bones": self._options.bone_weight,
            "trajectory": self._options.trajectory_weight,
            "velocity": self._options.velocity_weight,
        }
        loss = torch.stack([weights.get(name, 1.0) * value for name, value in terms.items()]).sum()
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimiser.step()
        return {name: float(value.detach()) for name, value in terms.items()}

    def _terms(self, batch: Batch, other: Batch | None) -> dict[str, Tensor]:
        """The loss's parts. Labelled and unlabelled windows go through the networks together, as published."""
        inputs = torch.from_numpy(batch.inputs)
        n = len(inputs)
        if other is not None:
            inputs = torch.cat([inputs, torch.from_numpy(other.inputs)])
        with self._autocast:
            pose, root = self._joint(inputs)
        pose = pose.float()
        if batch.targets is None or batch.mask is None:
            raise InputError("labelled clips need targets and their mask")
        targets = torch.from_numpy(batch.targets)
        mask = torch.from_numpy(batch.mask & batch.weight[..., None])
        terms = {"position": mpjpe(pose[:n], targets, mask)}
        if self._options.velocity_weight and pose.shape[1] > 1:
            terms["velocity"] = mpjve(pose[:n], targets, mask)
        if root is not None:
            root = root.float()
            if batch.root is None:
                raise InputError(
                    "the root's place is not known in these labelled clips; a trajectory cannot be learned"
                )
            truth = torch.from_numpy(batch.root)[:, :, None]
            known = torch.from_numpy(batch.weight) & torch.isfinite(truth).all(dim=-1)[..., 0]
            depth = torch.where(known, truth[:, :, 0, 2], 1.0)
            terms["trajectory"] = weighted_mpjpe(root[:n], truth, 1 / depth, known[..., None])
        if other is not None:
            assert root is not None
            terms |= self._unlabelled_terms(other, pose, root, n, targets, mask)
        return terms

    def _unlabelled_terms(
        self, other: Batch, pose: Tensor, root: Tensor, n: int, targets: Tensor, mask: Tensor
    ) -> dict[str, Tensor]:
        if other.camera is None:
            raise InputError("unlabelled clips need the camera that projects them")
        camera = torch.from_numpy(other.camera)
        there = torch.from_numpy(other.weight) & torch.isfinite(camera).all(dim=-1)
        camera = torch.where(there[..., None], camera, 1.0)
        seen = there[..., None].expand(*there.shape, len(self._task.joints_in))
        if other.seen is not None:
            seen = seen & torch.from_numpy(other.seen)
        terms = {}
        if self._options.reprojection_weight:
            terms["reprojection"] = reprojection_loss(
                pose[n:] + root[n:],
                camera,
                torch.from_numpy(other.keypoints),
                self._task.joints_out,
                self._task.joints_in,
                seen,
            )
        if self._options.bone_weight:
            every = there[..., None].expand(*there.shape, len(self._task.joints_out))
            terms["bones"] = bone_length_loss(targets, pose[n:], self._task.joints_out, mask, every)
        return terms

    def measure(self, clips: Sequence[Clip]) -> dict[str, float]:
        """Errors on clips that are not trained on, in the targets' unit."""
        if not clips:
            return {}
        windows = Windows(clips, self._task.architecture, self._options.frames)
        self._joint.eval()
        sums = np.zeros(3)
        with torch.no_grad():
            for first in range(0, len(windows), 256):
                batch = windows.batch(np.arange(first, min(first + 256, len(windows))))
                assert batch.targets is not None and batch.mask is not None
                with self._autocast:
                    pose = self._pose(torch.from_numpy(batch.inputs))
                targets = torch.from_numpy(batch.targets)
                mask = torch.from_numpy(batch.mask & batch.weight[..., None])
                pose, count = pose.float(), float(mask.sum())
                sums += (float(mpjpe(pose, targets, mask)) * count, float(n_mpjpe(pose, targets, mask)) * count, count)
        return {"validation_mpjpe": sums[0] / sums[2], "validation_n_mpjpe": sums[1] / sums[2]}


class _Both(nn.Module):
    """Both networks as one module, so that gradients are averaged over processes once."""

    def __init__(self, pose: TemporalModel, root: TemporalModel | None) -> None:
        super().__init__()
        self.pose, self.root = pose, root

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor | None]:
        return self.pose(inputs), None if self.root is None else self.root(inputs)


def _multiplies_bfloat16() -> bool:
    """Whether this processor has instructions for it; elsewhere it is emulated, and slow."""
    capable = (
        getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)()
        or getattr(torch.cpu, "_is_amx_tile_supported", lambda: False)()
    )
    return bool(capable)


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__
