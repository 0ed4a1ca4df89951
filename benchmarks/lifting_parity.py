"""Is gonio's network the published one? Prints a markdown table; takes some seconds. Needs torch.

    python benchmarks/lifting_parity.py --videopose3d PATH [--channels 1024] [--checkpoint FILE]

PATH is a checkout of facebookresearch/VideoPose3D; its common/model.py, loss.py and camera.py are imported from there
at run time. None of it is part of gonio (its licence is CC BY-NC 4.0). Compared are, each with its limit:
  - the output of both forms of the published network, symmetric and causal, with that of gonio's torch and numpy forms,
    with the same random weights, passed on through a checkpoint file in both of torch's layouts
  - the loss and all gradients of one training batch, relative to the largest gradient of each array
  - the semi-supervised terms, the camera, the screen coordinates
  - the four metrics
With --checkpoint, a published file is loaded by both and its output compared too. The exit status is 1 where a limit is
not kept.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch

from gonio.comparison.alignment import aligned, procrustes_similarity
from gonio.core.skeleton import H36M_17
from gonio.lifting.architecture import Architecture
from gonio.lifting.checkpoints import read
from gonio.lifting.prediction import normalise_screen, predict
from gonio.training import losses
from gonio.training.network import TemporalModel, model_of

OUTPUT, TRAINING, METRIC = 1e-5, 1e-4, 1e-6


class Table:
    """Rows of what was compared, how far it is apart, and what was allowed."""

    def __init__(self) -> None:
        self.kept = True
        print("| compared | largest difference | limit | |\n|---|---|---|---|")

    def row(self, what: str, difference: float, limit: float) -> None:
        good = difference <= limit
        self.kept &= good
        print(f"| {what} | {difference:.1e} | {limit:.0e} | {'kept' if good else 'NOT KEPT'} |")


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--videopose3d", type=Path, required=True, help="a checkout of facebookresearch/VideoPose3D")
    options.add_argument("--channels", type=int, default=1024)
    options.add_argument("--checkpoint", type=Path, help="a published checkpoint, e.g. pretrained_h36m_cpn.bin")
    chosen = options.parse_args()
    sys.path.insert(0, str(chosen.videopose3d))
    model, loss, camera = (importlib.import_module(f"common.{name}") for name in ("model", "loss", "camera"))
    torch.manual_seed(20261122)
    table = Table()
    for widths in ((3, 3, 3), (3, 3, 3, 3), (3, 3, 3, 3, 3)):
        for causal in (False, True):
            outputs(table, model, widths, causal, chosen.channels)
    dense(table, model, min(chosen.channels, 128))
    training(table, model, chosen.channels)
    semi_supervised(table, loss, camera)
    metrics(table, loss)
    if chosen.checkpoint:
        published_file(table, model, chosen.checkpoint)
    return 0 if table.kept else 1


def outputs(table: Table, model: ModuleType, widths: tuple[int, ...], causal: bool, channels: int) -> None:
    published = with_statistics(
        model.TemporalModel(17, 2, 17, list(widths), causal=causal, dropout=0.25, channels=channels)
    ).eval()
    single = model.TemporalModelOptimized1f(17, 2, 17, list(widths), causal=causal, dropout=0.25, channels=channels)
    single.load_state_dict(published.state_dict())
    single.eval()
    name = f"{np.prod(widths)} frames{', causal' if causal else ''}"
    x = torch.randn(2, 40, 17, 2)
    pad = (published.receptive_field() - 1) // 2
    shift = pad if causal else 0
    padded = np.pad(x.numpy(), ((0, 0), (pad + shift, pad - shift), (0, 0), (0, 0)), "edge")
    with torch.no_grad(), tempfile.TemporaryDirectory() as folder:
        truth = published(torch.from_numpy(padded)).numpy()
        for layout, zipped in (("older", False), ("newer", True)):
            file = Path(folder) / f"{layout}.bin"
            saved = {"model_pos": published.state_dict(), "random_state": np.random.RandomState(1), "model_traj": None}
            torch.save(saved, file, _use_new_zipfile_serialization=zipped)
            weights = read(file, causal=causal)
            error = np.abs(predict(weights, x.numpy()) - truth).max()
            table.row(f"{name}: numpy, {layout} file layout", float(error), OUTPUT)
        for form in ("dilated", "chunked"):
            error = (model_of(weights, form).eval()(torch.from_numpy(padded)) - torch.from_numpy(truth)).abs().max()
            table.row(f"{name}: torch, {form}", float(error), OUTPUT)
        windows = torch.from_numpy(padded[:, : published.receptive_field()].copy())
        ours = model_of(weights, "single-frame").eval()(windows)
        table.row(f"{name}: torch, single-frame", float((ours - single(windows)).abs().max()), OUTPUT)


def dense(table: Table, model: ModuleType, channels: int) -> None:
    published = with_statistics(model.TemporalModel(17, 2, 17, [3, 3, 3], channels=channels, dense=True)).eval()
    ours = TemporalModel(Architecture((3, 3, 3), channels=channels, dense=True)).eval()
    ours.load_state_dict(published.state_dict())
    x = torch.randn(2, 40, 17, 2)
    with torch.no_grad():
        table.row("27 frames, dense: torch", float((ours(x) - published(x)).abs().max()), OUTPUT)


def training(table: Table, model: ModuleType, channels: int) -> None:
    """One step's loss and gradients, without dropout.

    The chunked form adds in another order. In single precision an activation at rounding error from 0 then passes its
    rectifier in one network and not in the other, which moves single gradients by a percent: so it is compared in
    double precision, which shows whether the derivative is the same.
    """
    for form, kind, time, precision in (
        ("single-frame", "TemporalModelOptimized1f", 27, torch.float32),
        ("dilated", "TemporalModel", 58, torch.float32),
        ("chunked", "TemporalModel", 58, torch.float64),
    ):
        published = getattr(model, kind)(17, 2, 17, [3, 3, 3], dropout=0.0, channels=channels)
        ours = TemporalModel(Architecture((3, 3, 3), channels=channels, dropout=0.0), form)
        ours.load_state_dict(published.state_dict())
        name = f"{form}, {precision}".replace("torch.", "")
        published.to(precision)
        ours.to(precision)
        x, y = torch.randn(64, time, 17, 2).to(precision), (torch.randn(64, time - 26, 17, 3) * 0.3).to(precision)
        theirs_loss = (published(x) - y).norm(dim=-1).mean()
        ours_loss = losses.mpjpe(ours(x), y)
        theirs_loss.backward()
        ours_loss.backward()
        table.row(f"training, {name}: loss", abs(float((ours_loss - theirs_loss).detach())), TRAINING)
        gradients = dict(ours.named_parameters())
        worst = max(
            float((gradients[key].grad - p.grad).abs().max() / p.grad.abs().max())
            for key, p in published.named_parameters()
        )
        table.row(f"training, {name}: gradients", worst, TRAINING)
        state = ours.state_dict()
        worst = max(
            float((state[key] - value).abs().max()) for key, value in published.state_dict().items() if "running" in key
        )
        table.row(f"training, {name}: running statistics", worst, TRAINING)


def semi_supervised(table: Table, loss: ModuleType, camera: ModuleType) -> None:
    """The terms of section 4, with Human3.6M's own skeleton on both sides, where the published loss is right."""
    cameras = torch.tensor([[2.29, 2.287, 0.025, 0.028, -0.207, 0.247, -0.003, -0.0009, -0.0016]]).repeat(8, 1)
    root = torch.randn(8, 20, 1, 3) * 0.5 + torch.tensor([0.0, 0.0, 4.0])
    pose = torch.randn(8, 20, 17, 3) * 0.4
    keypoints = torch.randn(8, 20, 17, 2) * 0.3
    table.row(
        "projection",
        float((losses.project(pose + root, cameras) - camera.project_to_2d(pose + root, cameras)).abs().max()),
        METRIC,
    )
    grads = []
    for function in (
        lambda p: losses.reprojection_loss(p + root, cameras, keypoints, H36M_17, H36M_17),
        lambda p: loss.mpjpe(camera.project_to_2d(p + root, cameras), keypoints),
    ):
        p = pose.clone().requires_grad_()
        value = function(p)
        value.backward()
        grads.append((value, p.grad))
    table.row("reprojection: loss", abs(float((grads[0][0] - grads[1][0]).detach())), METRIC)
    table.row("reprojection: gradient", float((grads[0][1] - grads[1][1]).abs().max()), METRIC)
    target, w = root + 0.1 * torch.randn_like(root), 1 / root[..., 2]
    ours, theirs = losses.weighted_mpjpe(root, target, w), loss.weighted_mpjpe(root, target, w)
    table.row("weighted MPJPE", abs(float(ours - theirs)), METRIC)
    pixels = np.random.default_rng(3).uniform(0, 1000, (50, 17, 2))
    screen = camera.normalize_screen_coordinates(pixels, w=1000, h=1002)
    table.row("screen coordinates", float(np.abs(normalise_screen(pixels, 1000, 1002) - screen).max()), METRIC)


def metrics(table: Table, loss: ModuleType) -> None:
    """Metres in double precision."""
    rng = np.random.default_rng(4)
    target = rng.normal(0, 0.4, (200, 17, 3))
    predicted = target + rng.normal(0, 0.05, target.shape)
    p, t = torch.from_numpy(predicted), torch.from_numpy(target)
    table.row("MPJPE (m)", abs(float(losses.mpjpe(p, t) - loss.mpjpe(p, t))), METRIC)
    scale, rotation, translation = procrustes_similarity(predicted, target, np.ones((200, 17), bool))
    ours = np.linalg.norm(aligned(predicted, rotation, translation, scale) - target, axis=-1).mean()
    table.row("PA-MPJPE (m)", abs(float(ours - loss.p_mpjpe(predicted, target))), METRIC)
    table.row("N-MPJPE (m)", abs(float(losses.n_mpjpe(p, t) - loss.n_mpjpe(p[None], t[None]))), METRIC)
    table.row("MPJVE (m)", abs(float(losses.mpjve(p, t) - loss.mean_velocity_error(predicted, target))), METRIC)


def published_file(table: Table, model: ModuleType, file: Path) -> None:
    weights = read(file)
    a = weights.architecture
    published = model.TemporalModel(a.in_joints, 2, a.out_joints, list(a.filter_widths), channels=a.channels).eval()
    published.load_state_dict(torch.load(file, map_location="cpu", weights_only=False)["model_pos"])
    x = np.random.default_rng(5).normal(0, 0.3, (1, 100, a.in_joints, 2)).astype(np.float32)
    padded = np.pad(x, ((0, 0), (a.past_frames, a.future_frames), (0, 0), (0, 0)), "edge")
    with torch.no_grad():
        error = np.abs(predict(weights, x) - published(torch.from_numpy(padded)).numpy()).max()
    table.row(f"{file.name}, {a.receptive_field} frames: numpy", float(error), OUTPUT)


def with_statistics(network: Any) -> Any:
    """Batch-norm as after some training, so that folding it is tested."""
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm1d):
            torch.nn.init.uniform_(module.weight, 0.5, 1.0)
            torch.nn.init.normal_(module.bias, 0, 0.2)
            module.running_mean.normal_(0, 0.2)
            module.running_var.uniform_(0.2, 1.0)
    return network


if __name__ == "__main__":
    sys.exit(main())
