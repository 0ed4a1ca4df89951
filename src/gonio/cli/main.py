"""The command line: one thin function per command, no computation. An error of gonio is one line and exit status 2."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from difflib import get_close_matches

from gonio.cli import convert, record, study, training, trial
from gonio.cli.console import DISCLAIMER, fail
from gonio.cli.parser import Command, Parser
from gonio.core.errors import ConfigError, GonioError

COMMANDS: tuple[Command, ...] = (
    trial.DEMO,
    trial.COMPARE,
    study.STUDY,
    record.RECORD,
    trial.DETECT,
    trial.TRIANGULATE,
    trial.LIFT,
    trial.RENDER,
    trial.RECTIFY,
    training.TRAIN,
    training.EVALUATE,
    training.EVALUATE_2D,
    convert.CONVERT,
    convert.ASSETS_COMMAND,
)


def main() -> None:
    """Entry point: exit status 0, or 2 with one line on standard error."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a request to end cleans up as Ctrl-C does
    os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "4")  # 2^4 rounds: numpy's idle threads sleep, not spin
    try:
        _run(sys.argv[1:])
    except GonioError as error:
        fail(str(error))
    except BrokenPipeError:  # the reader of a pipe has ended: no error
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        fail(f"{place}{error.strerror or error}")
    except KeyboardInterrupt:
        print("gonio: stopped", file=sys.stderr)
        sys.exit(130)


def _run(words: Sequence[str]) -> None:
    names = [command.name for command in COMMANDS]
    if not words or words[0].startswith("-"):
        _general_options(words)
        return
    name = words[0].replace("_", "-")
    if name not in names:
        near = get_close_matches(name, names, 1)
        hint = f"did you mean {near[0]}?" if near else f"the commands are {', '.join(names)}"
        raise ConfigError(f"unknown command {words[0]!r}; {hint}")
    command = COMMANDS[names.index(name)]
    if command is training.TRAIN:
        command = training.train_with_options(words[1:])
    command.run(**command.parser(words[1:]).options_of(words[1:]))


def _general_options(words: Sequence[str]) -> None:
    """--help and --version."""
    parser = Parser(
        prog="gonio",
        usage="gonio COMMAND [options]",
        description="Human movement from ordinary cameras, measured by several methods side by side. Begin with "
        "'gonio demo', then 'gonio compare trial.toml -o results/'. Each command has --help. " + DISCLAIMER,
        epilog=None,
    )
    parser.add_argument("--version", action="store_true", help="show the version and exit")
    commands = parser.add_argument_group("commands")
    for command in COMMANDS:
        commands.add_argument(command.name, metavar=command.name, nargs="?", help=command.summary)
    if parser.options_of(words):
        from gonio.core.provenance import VERSION

        print(f"gonio {VERSION}")
        return
    raise ConfigError("name a command, such as gonio demo; gonio --help shows all of them")
