"""`gonio train`: read the data of a training file, train the network, and record the run.

The folder of a run holds

    config.json           the configuration, with every default
    run.json              versions, data that were read and left out, seed, threads, seconds, the log
    log.json              losses and errors of every epoch
    learning_curves.png   the same, drawn (.svg too)
    checkpoint.pt         the state after the last epoch; the same command continues from it
    weights.safetensors   the network, for `gonio lift` and `gonio evaluate`

The metadata of the weights have no paths and no dates: the same data and seed give the same file.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from types import ModuleType
from typing import Any

from gonio.core.errors import ConfigError, InputError, MissingExtraError
from gonio.core.files import check_writable, replacing, write_json
from gonio.core.progress import Progress, silent
from gonio.core.provenance import versions
from gonio.core.settings import as_plain
from gonio.lifting import checkpoints
from gonio.lifting.checkpoints import Weights
from gonio.lifting.weights import weights_file
from gonio.report import canvas, learning_curves
from gonio.training.clips import SCREEN
from gonio.training.config import (
    CHECKPOINT,
    LOG,
    NetworkConfig,
    TrainConfig,
    load_training,
    processes,
)
from gonio.training.prefetch import PrefetchedClips
from gonio.training.training_data import TrainingData, read_training_data

CONFIG, RUN, CURVES = "config.json", "run.json", "learning_curves"

Entry = dict[str, float]


def train(
    config: TrainConfig | str | Path,
    output: str | Path,
    *,
    progress: Progress = silent,
    on_start: Callable[[TrainingData], None] = lambda data: None,
    on_epoch: Callable[[Entry], None] = lambda entry: None,
) -> Weights:
    """Train as configured, or continue the training in `output`. Returns the weights after the last epoch.

    config    or its training file (.toml)
    on_start  called with the data before the first epoch
    on_epoch  called with the log's entry after each epoch

    Raises `MissingExtraError` without torch, `ConfigError` if the folder holds another training, `InputError` if
    data cannot be read or used, and `GonioError` if a loss is not a number.
    """
    training, torch = _torch()
    config, output = load_training(config) if isinstance(config, str | Path) else config, Path(output)
    rank, world = processes()
    _check_output(output, config)
    init = None
    if config.init is not None:
        init = checkpoints.read(weights_file(config.init))
        config = replace(config, network=_shape_of(init, config))
    if config.threads is not None:
        torch.set_num_threads(config.threads)
    data = read_training_data(config, progress if rank == 0 else silent)
    if init is not None:
        _check_fit(config, init, data)
    architecture = config.network.architecture(len(data.joints_in), data.features, len(data.joints_out))
    task = training.LiftingTask(architecture, data.joints_in, data.joints_out)
    if rank == 0:
        on_start(data)
    log: list[Entry] = []

    def record(entry: Entry) -> None:
        log[:] = json.loads((output / LOG).read_text(encoding="utf-8"))
        content = {
            "versions": versions() | {"torch": torch.__version__},
            "data": [asdict(source) for source in data.sources],
            "seed": config.training.seed,
            "threads": torch.get_num_threads(),
            "processes": world,
            "precision": training.precision_of(config.training),
            "parameters": task.architecture.parameters,
            "duration_s": round(sum(entry["seconds"] for entry in log), 1),
            "log": log,
        }
        _write(output / CONFIG, as_plain(config))
        _write(output / RUN, content)
        on_epoch(entry)

    with contextlib.ExitStack() as stack:
        labelled = data.labelled
        if data.generated:
            labelled = stack.enter_context(PrefetchedClips(labelled, config.training.epochs * world - 1, world))
        stack.callback(_draw, output, log, data)
        weights: Weights = training.train(
            task,
            config.training,
            labelled,
            output,
            unlabelled=data.unlabelled,
            validation=data.validation,
            unit_mm=data.unit_mm,
            init=init,
            metadata=_metadata(config, data),
            on_epoch=record,
        )
    return weights


def _torch() -> tuple[ModuleType, ModuleType]:
    """The module that trains, and torch. Raises `MissingExtraError`."""
    if importlib.util.find_spec("torch") is None:
        raise MissingExtraError("training needs torch: pip install 'gonio[train]'")
    training = importlib.import_module("gonio.training.loop")
    return training, importlib.import_module("torch")


def _check_output(output: Path, config: TrainConfig) -> None:
    """Check that the folder is new, empty, or that of a training, and is not inside an input."""
    for path in config.files:
        if not path.exists():
            raise InputError(f"{path}: no such file or folder")
    if (output / CHECKPOINT).is_file():
        return
    check_writable(output, config.files)
    if output.exists() and not output.is_dir():
        raise InputError(f"{output}: is a file; a training writes a folder, choose another -o")


def _shape_of(init: Weights, config: TrainConfig) -> NetworkConfig:
    """The network of given weights, with the configuration's dropout.

    Raises `ConfigError` if the configuration has another one.
    """
    a = init.architecture
    shape = NetworkConfig(a.filter_widths, a.channels, config.network.dropout, a.causal, a.dense)
    for item in fields(NetworkConfig):
        requested, given = getattr(config.network, item.name), getattr(shape, item.name)
        if requested not in (given, item.default):
            raise ConfigError(
                f"{config.init}: has {item.name} = {given}; network.{item.name} = {requested}: leave it out"
            )
    return shape


def _check_fit(config: TrainConfig, init: Weights, data: TrainingData) -> None:
    a = init.architecture
    joints = len(data.joints_in), data.features, len(data.joints_out)
    if (a.in_joints, a.in_features, a.out_joints) != joints:
        raise ConfigError(
            f"{config.init}: takes {a.in_joints} joints with {a.in_features} numbers and gives {a.out_joints}; this "
            f"data has {joints[0]}, {joints[1]} and {joints[2]}"
        )
    kind = init.metadata.get("normalisation", SCREEN)
    if kind != data.normalisation:
        raise ConfigError(f"{config.init}: takes {kind!r} coordinates; this data is for {data.normalisation!r}")


def _metadata(config: TrainConfig, data: TrainingData) -> dict[str, Any]:
    """Metadata of the weights. Paths are file names, so that they are the same on every machine."""
    recipe = _named(asdict(config))
    for key in ("threads", "validation", "network"):
        recipe.pop(key)
    return {
        "normalisation": data.normalisation,
        "joints_in": data.joints_in.name,
        "joints_out": data.joints_out.name,
        "rate_hz": data.rate_hz,
        "seed": config.training.seed,
        "training": recipe.pop("training"),
        "data": {key: value for key, value in recipe.items() if value},
        "read": [str(source) for source in data.sources],
    }


def _named(value: Any) -> Any:
    """As JSON, every path by its last name."""
    if isinstance(value, Mapping):
        return {key: _named(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_named(item) for item in value]
    return value.name if isinstance(value, Path) else value


def _write(path: Path, content: Any) -> None:
    with replacing(path) as temporary:
        write_json(temporary, content)


def _draw(output: Path, log: Sequence[Entry], data: TrainingData) -> None:
    """Draw the learning curves, if an epoch was trained."""
    if not log:
        return
    unit = "m" if data.normalisation == SCREEN else "body sizes"
    canvas.save(learning_curves.learning_curves(log, unit), output, CURVES)
