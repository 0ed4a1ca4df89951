"""Commands for networks: train, evaluate, evaluate-2d."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gonio.cli.config_options import add_config, with_options
from gonio.cli.console import bar, print_table, print_warnings, print_written
from gonio.cli.detector_options import add_detector
from gonio.cli.parser import Command, Parser, add_output, add_switch
from gonio.core.errors import ConfigError

if TYPE_CHECKING:
    from gonio.training.config import TrainConfig
    from gonio.training.training_data import TrainingData
    from gonio.trials.outputs import Output


def _evaluate_options(parser: Parser) -> None:
    inputs = parser.add_argument_group("input")
    inputs.add_argument(
        "--weights",
        type=Path,
        metavar="PATH",
        required=True,
        help="a checkpoint (.bin), a .safetensors file, or the folder of a training run",
    )
    inputs.add_argument(
        "--data",
        type=Path,
        metavar="FOLDER",
        help='a folder with UI-PRMD\'s "Segmented Movements" (protocol L1: four virtual cameras, 12 joints), or with '
        "VideoPose3D's data_3d_*.npz and data_2d_*.npz (all joints of Human3.6M or HumanEva)",
    )
    inputs.add_argument("--data-3d", type=Path, metavar="FILE", help="the 3D set itself, in place of a folder")
    inputs.add_argument("--data-2d", type=Path, metavar="FILE", help="the 2D set itself; with --data, one of several")
    inputs.add_argument(
        "--cameras", type=Path, metavar="FILE", help="cameras of HumanEva (.json); those of Human3.6M are known"
    )
    choice = parser.add_argument_group("choice")
    choice.add_argument(
        "--subjects",
        nargs="+",
        metavar="NAME",
        help="which subjects (default: Human3.6M's S9 and S11, HumanEva's Validate/..., all of UI-PRMD)",
    )
    choice.add_argument(
        "--actions", nargs="+", metavar="NAME", help="which actions, such as Walking or m01 (default: all)"
    )
    add_switch(choice, "--clean", "UI-PRMD without the noise of protocol L1")
    add_switch(choice, "--causal", "the checkpoint is a causal network, which a published file does not state")
    add_output(parser, "the results (.json); a table of the same name (.csv) is written beside it")


def _evaluate(**options: Any) -> None:
    from gonio.training.evaluate import evaluate_lifting
    from gonio.training.evaluate_lifting import protocol_sentence, summary_table

    written: list[Output] = []
    result = evaluate_lifting(**options, progress=bar, on_written=written.append)
    print(protocol_sentence(result))
    print_table(summary_table(result))
    for output in written:
        print_written(output)


EVALUATE = Command(
    "evaluate",
    "Measure how well a lifting network lifts, on recordings whose 3D joints are known.",
    "--weights PATH --data FOLDER -o FILE.json",
    _evaluate_options,
    _evaluate,
    "It computes MPJPE (protocol 1), PA-MPJPE (2), N-MPJPE (3) in mm and MPJVE in mm per frame, by action, subject and "
    "joint, with and without flip averaging. Compare numbers of one protocol only, and name subjects that the network "
    "was not trained on.",
    "gonio evaluate --weights net.safetensors --data ui-prmd --subjects s08 -o evaluation.json",
)


def _evaluate_2d_options(parser: Parser) -> None:
    inputs = parser.add_argument_group("input")
    inputs.add_argument(
        "annotations", metavar="ANNOTATIONS.JSON", type=Path, help="people's keypoints in COCO's format"
    )
    inputs.add_argument("--images", type=Path, metavar="FOLDER", help="the folder of the annotated images")
    inputs.add_argument(
        "--detections", type=Path, metavar="FILE", help="in place of a detector: a file of results in COCO's format"
    )
    inputs.add_argument(
        "--people",
        type=int,
        metavar="N",
        help="BlazePose: most people to find in an image (default: the most that are annotated in one)",
    )
    add_detector(parser)
    add_output(parser, "the results (.json)")


def _evaluate_2d(**options: Any) -> None:
    from gonio.training.evaluate import evaluate_2d
    from gonio.training.evaluate_keypoints import tables

    written: list[Output] = []
    result = evaluate_2d(**options, progress=bar, on_written=written.append)
    for table in tables(result):
        print_table(table)
        print()
    print(", ".join(f"{name.replace('_', ' ')} {count}" for name, count in result.accuracy.counts.items()))
    for output in written:
        print_written(output)


EVALUATE_2D = Command(
    "evaluate-2d",
    "Measure how well a detector finds joints in annotated images: PCK@0.2, PCKh@0.5, OKS, AP and AR.",
    "ANNOTATIONS.JSON -o FILE.json",
    _evaluate_2d_options,
    _evaluate_2d,
    example="gonio evaluate-2d person_keypoints_val2017.json --images val2017 --detector openpose -o accuracy.json",
)


def _train_options(parser: Parser) -> None:
    inputs = parser.add_argument_group("input")
    inputs.add_argument("file", metavar="TRAIN.TOML", type=Path, help="the training file: the data, and how to train")
    add_output(
        parser,
        "the folder of the run: weights.safetensors, learning curves, the log, the complete configuration",
    )


def train_with_options(words: Sequence[str]) -> Command:
    """`train`, with an option for every key of the training file that the command line names.

    words  the command line after "train"
    """
    from gonio.training.config import EXAMPLE, load_training, parse_training

    before = ("", *words)
    files = [word for last, word in zip(before, words, strict=False) if word.endswith(".toml") and last[:1] != "-"]
    config = load_training(files[0]) if files else parse_training(EXAMPLE, Path(), "example")

    def options(parser: Parser) -> None:
        _train_options(parser)
        add_config(parser, config)

    return replace(TRAIN, options=options, run=partial(_train, config, files[:1]))


def _train(config: TrainConfig, files: Sequence[str], file: Path, output: Path, **options: Any) -> None:
    from gonio.training.config import processes
    from gonio.training.run import train

    if [str(file)] != [str(Path(name)) for name in files]:
        raise ConfigError(f"{file}: a training file ends in .toml")
    config = with_options(config, options)
    epochs = config.training.epochs
    trained: list[float] = []

    def start(data: TrainingData) -> None:
        for source in data.sources:
            print(source)
            print_warnings(source.notes)

    def report(entry: dict[str, float]) -> None:
        trained.append(entry["epoch"])
        number, seconds = f"epoch {entry['epoch']:.0f}/{epochs}", f"{entry['seconds']:.0f} s"
        shown = {name: value for name, value in entry.items() if name not in ("epoch", "seconds")}
        values = [f"{name.replace('_', ' ')} {value:.4g}" for name, value in shown.items()]
        print("  ".join([number, *values, seconds]), flush=True)

    train(config, output, progress=bar, on_start=start, on_epoch=report)
    if processes()[0] == 0:
        print(f"wrote {output / 'weights.safetensors'}" if trained else f"{output}: all {epochs} epochs were trained")


TRAIN = Command(
    "train",
    "Train a lifting network, or go on with a training that was stopped: the same command again.",
    "TRAIN.TOML -o FOLDER",
    _train_options,
    _train,
    'Every key of the file is an option too; "gonio train train.toml --help" shows those of a file with their values. '
    "docs/training.md has files to begin with, and says how a network is adapted to one's own recordings. On several "
    'processors or computers: "torchrun --nproc-per-node 2 -m gonio train train.toml -o runs/one".',
    "gonio train train.toml -o runs/one --training.epochs 20 --network.channels 512",
)
