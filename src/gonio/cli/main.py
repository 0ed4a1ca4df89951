"""The command line: one thin function per command, no computation. An error of gonio is one line and exit status 2."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable

import tyro

from gonio.cli import convert, record, study, training, trial  # noqa: F401 - each adds its commands to the application
from gonio.cli.console import DISCLAIMER, app, fail
from gonio.cli.detector_options import show_detector_options
from gonio.cli.training import train_with_options
from gonio.core.errors import GonioError


def main() -> None:
    """Entry point: exit status 0, or 2 with one line on standard error."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # being told to end cleans up as Ctrl-C does
    os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "4")  # 2^4 rounds: numpy's idle threads sleep, not spin
    try:
        if sys.argv[1:2] == ["train"]:
            app.command(name="train")(train_with_options(sys.argv[2:]))
        commands: dict[str, Callable[..., None]] = {
            "compare": trial.compare,
            "detect": trial.detect,
            "evaluate-2d": training.evaluate_2d,
        }
        if sys.argv[1:2] and sys.argv[1] in commands:
            show_detector_options(commands[sys.argv[1]])
        app.cli(
            prog="gonio",
            config=(tyro.conf.DisallowNone,),
            description="Human movement from ordinary cameras, measured by several methods side by side. Begin with "
            "'gonio demo', then 'gonio compare trial.toml -o results/'. Each command has --help. " + DISCLAIMER,
        )
    except GonioError as error:
        fail(str(error))
    except BrokenPipeError:  # the reader of a pipe went away: nothing is wrong
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        fail(f"{place}{error.strerror or error}")
    except KeyboardInterrupt:
        print("gonio: stopped", file=sys.stderr)
        sys.exit(130)
