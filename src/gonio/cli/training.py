"""Commands for networks: train, evaluate-lifting, evaluate-2d."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro
from tyro.conf import Positional, arg

from gonio.cli.console import Output, app, bar, columns, print_not_preserved, print_warnings
from gonio.cli.detector_options import Options
from gonio.core.errors import ConfigError

if TYPE_CHECKING:
    from gonio.training.config import TrainConfig
    from gonio.training.training_data import TrainingData


@app.command(name="evaluate")
def evaluate_lifting(
    weights: Path,
    output: Output,
    data: Path | None = None,
    data_3d: Path | None = None,
    data_2d: Path | None = None,
    cameras: Path | None = None,
    subjects: tuple[str, ...] | None = None,
    actions: tuple[str, ...] | None = None,
    clean: bool = False,
    causal: bool = False,
) -> None:
    """Measure how well a lifting network lifts, on recordings whose 3D joints are known.

    As in "gonio evaluate --weights net.safetensors --data ui-prmd --subjects s08 -o evaluation.json", or, as the paper
    does, "gonio evaluate --weights pretrained_h36m_cpn.bin --data-3d data_3d_h36m.npz --data-2d
    data_2d_h36m_cpn_ft_h36m_dbb.npz -o evaluation.json". MPJPE (protocol 1), PA-MPJPE (2), N-MPJPE (3) in mm and MPJVE
    in mm per frame, by action, subject and joint, with and without flip averaging. Compare numbers of one protocol
    only, and name subjects that the network was not trained on.

    Args:
        weights: A checkpoint (.bin), a .safetensors file, or the folder of a training run.
        output: The results (.json); a table of the same name (.csv) is written beside it.
        data: A folder with UI-PRMD's "Segmented Movements" (protocol L1: four virtual cameras, 12 joints), or with
            VideoPose3D's data_3d_*.npz and data_2d_*.npz (all joints of Human3.6M or HumanEva).
        data_3d: The 3D set itself, in place of a folder.
        data_2d: The 2D set itself; with --data, which of several.
        cameras: Cameras of HumanEva (.json; Human3.6M's are known).
        subjects: Who; Human3.6M's S9 and S11, HumanEva's Validate/... and all of UI-PRMD where not given.
        actions: Which actions, e.g. Walking or m01; all where not given.
        clean: UI-PRMD without the noise of protocol L1.
        causal: The checkpoint is a causal network; a published file does not tell.
    """
    options = dict(locals())
    from gonio.core.files import check_writable
    from gonio.core.provenance import provenance_path, write_provenance
    from gonio.training import evaluate_lifting

    if output.suffix.lower() != ".json":
        raise ConfigError(f"{output}: an evaluation is written as .json, with a .csv table beside it")
    inputs = [path for path in (weights, data_3d, data_2d, cameras) if path is not None]
    for path in (output, evaluate_lifting.table_path(output), provenance_path(output)):
        check_writable(path, [*inputs, *([data] if data is not None else [])])
    network = evaluate_lifting.read_weights(weights, causal=causal)
    data_set = evaluate_lifting.evaluation_set(
        data,
        data_3d=data_3d,
        data_2d=data_2d,
        cameras=cameras,
        subjects=subjects,
        actions=actions,
        noisy=not clean,
    )
    lifts = evaluate_lifting.network_lifts(network, data_set)
    notes = evaluate_lifting.scale_note(network)
    result = evaluate_lifting.evaluate(data_set, lifts, notes=notes, progress=bar)
    result.write(output)
    write_provenance(output, "evaluate", options, *result.notes)
    print_warnings(result.notes)
    print(evaluate_lifting.protocol_in_words(result))
    print(columns(evaluate_lifting.summary_table(result)))
    print(f"wrote {output} and {evaluate_lifting.table_path(output).name}")


@app.command
def train(file: Annotated[Positional[Path], arg(metavar="TRAIN.TOML")], output: Output) -> None:
    """Train a lifting network, or go on with a training that was stopped: the same command again.

    As in "gonio train train.toml -o runs/one --training.epochs 20 --network.channels 512". Every key of the file is an
    option too, with the file's value as its default: "gonio train train.toml --help" shows those of a file. Files to
    begin with, and how a network is adapted to one's own recordings: docs/training.md. On several processors or
    computers: "torchrun --nproc-per-node 2 -m gonio train train.toml -o runs/one".

    Args:
        file: What to train on and how.
        output: The folder of the run: weights.safetensors, learning curves, the log, a record of everything.
    """
    from gonio.training.config import load_training

    _train(load_training(file), output)


@app.command(name="evaluate-2d")
def evaluate_2d(
    annotations: Annotated[Positional[Path], arg(metavar="ANNOTATIONS.JSON")],
    output: Output,
    options: Options,
    images: Path | None = None,
    detections: Path | None = None,
    detector: str = "blazepose-heavy",
    people: int | None = None,
) -> None:
    """Measure how well a detector finds joints in annotated pictures: PCK@0.2, PCKh@0.5, OKS, AP and AR.

    As in "gonio evaluate-2d person_keypoints_val2017.json --images val2017 --detector openpose -o accuracy.json".

    Args:
        annotations: People's keypoints in COCO's format.
        output: Where the result goes, .json.
        options: Of the detector.
        images: The folder of the annotated pictures.
        detections: In place of a detector: a file of results in COCO's format.
        detector: As in gonio detect.
        people: BlazePose: most people to find in a picture; where not given, the most that are annotated in one.
    """
    record = dict(locals())
    record |= record.pop("options").values()
    from gonio.core.files import check_writable
    from gonio.core.provenance import provenance_path, write_provenance
    from gonio.training import evaluate_keypoints
    from gonio.trials.config import DetectorConfig

    if (images is None) == (detections is None):
        raise ConfigError("give the folder of the annotated pictures (--images), or saved results (--detections)")
    if output.suffix.lower() != ".json":
        raise ConfigError(f"{output}: the accuracy is written as .json")
    settings = DetectorConfig(detector).changed(None, options.given())
    inputs = [file for file in (annotations, images, detections, *settings.files) if file is not None]
    for path in (output, provenance_path(output)):
        check_writable(path, inputs)
    if images is not None:
        told = evaluate_keypoints.settings_for(annotations, settings, people)
        result = evaluate_keypoints.evaluate_detector(annotations, images, told, progress=bar)
    else:
        assert detections is not None
        if settings != DetectorConfig() or people is not None:
            raise ConfigError("--detections are results already: leave out --detector and its options")
        result = evaluate_keypoints.evaluate_file(annotations, detections)
    result.write(output)
    write_provenance(output, "evaluate-2d", record, *result.notes)
    for table in evaluate_keypoints.tables(result):
        print(columns(table))
        print()
    print(", ".join(f"{name.replace('_', ' ')} {count}" for name, count in result.accuracy.counts.items()))
    print_not_preserved(output, result.notes)


def train_with_options(words: Sequence[str]) -> Callable[..., None]:
    """`train`, with an option for every key of the training file that the command line names; its values are defaults.

    words  the command line after "train"
    """
    from gonio.training.config import EXAMPLE, TrainConfig, load_training, parse_training

    before = ("", *words)
    files = [word for last, word in zip(before, words, strict=False) if word.endswith(".toml") and last[:1] != "-"]
    default = load_training(Path(files[0])) if files else parse_training(EXAMPLE, Path(), "example")

    def command(file: Path, output: Path, config: TrainConfig = default) -> None:
        if [str(file)] != files[:1]:
            raise ConfigError(f"{file}: a training file ends in .toml")
        _train(config, output)

    command.__doc__ = train.__doc__
    command.__annotations__ = train.__annotations__ | {
        "file": Annotated[Positional[Path], arg(metavar="TRAIN.TOML")],
        "output": Output,
        "config": Annotated[TrainConfig, arg(name=""), tyro.conf.AvoidSubcommands],
        "return": None,
    }
    return command


def _train(config: TrainConfig, output: Path) -> None:
    from gonio.training.config import processes
    from gonio.training.run import train as run

    epochs = config.training.epochs
    trained: list[float] = []

    def start(data: TrainingData) -> None:
        for source in data.sources:
            print(source)
            print_warnings(source.notes)

    def told(entry: dict[str, float]) -> None:
        trained.append(entry["epoch"])
        number, seconds = f"epoch {entry['epoch']:.0f}/{epochs}", f"{entry['seconds']:.0f} s"
        shown = {name: value for name, value in entry.items() if name not in ("epoch", "seconds")}
        values = [f"{name.replace('_', ' ')} {value:.4g}" for name, value in shown.items()]
        print("  ".join([number, *values, seconds]), flush=True)

    run(config, output, progress=bar, on_start=start, on_epoch=told)
    if processes()[0] == 0:
        print(f"wrote {output / 'weights.safetensors'}" if trained else f"{output}: all {epochs} epochs were trained")
