"""The command for many recordings: study."""

from __future__ import annotations

from pathlib import Path

from gonio.cli.console import DISCLAIMER, bar
from gonio.cli.parser import Command, Parser, add_output


def _options(parser: Parser) -> None:
    inputs = parser.add_argument_group("input")
    inputs.add_argument(
        "file",
        metavar="STUDY",
        type=Path,
        nargs="?",
        default=None,
        help="a study file (study.toml): subjects, movements, methods",
    )
    inputs.add_argument(
        "--ui-prmd",
        type=Path,
        metavar="FOLDER",
        help='in place of a study file: UI-PRMD\'s folder "Segmented Movements"; its Kinect against its Vicon',
    )
    work = parser.add_argument_group("work")
    work.add_argument(
        "--processes", type=int, metavar="N", help="recordings to measure at once (default: the number of cores)"
    )
    work.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="a Dask scheduler whose workers measure, such as tcp://host:8786; the workers need the same files",
    )
    add_output(
        parser,
        "the study's folder: report.html, agreement.csv, values.csv, failures.csv, provenance.json (default: study)",
        required=False,
    )


def _study(
    file: Path | None = None,
    ui_prmd: Path | None = None,
    output: Path = Path("study"),
    processes: int | None = None,
    scheduler: str | None = None,
) -> None:
    from gonio.studies.processes import prepare

    if processes != 1 and scheduler is None:
        prepare("gonio.studies.measure", "scipy.signal")
    from gonio.studies.config import load_study
    from gonio.studies.results import run_study

    config = None if file is None else load_study(file)
    for note in () if config is None else config.notes:
        print(f"note: {note}")
    done = run_study(config, output, ui_prmd=ui_prmd, processes=processes, scheduler=scheduler, progress=bar)
    print(f"{done.measured} recordings measured ({done.reused} of them before), {len(done.failures)} failed")
    if done.damaged:
        print(f"{done.damaged} results of an earlier run were damaged and measured again")
    if done.warnings:
        key, sentences = next(iter(done.warnings.items()))
        print(f"warning: {len(done.warnings)} doubtful in the tables; the first, {key}: {sentences[0]}")
    for sentence in done.sentences:
        print(sentence)
    print(f"\nreport: {output / 'report.html'}\n{DISCLAIMER}")


STUDY = Command(
    "study",
    "Compare methods over many subjects and movements: the tables and figures of a results section.",
    "STUDY",
    _options,
    _study,
    "Recordings that are measured already are not measured again, so a stopped study goes on. docs/study.md explains "
    "the file and every column.",
    "gonio study study.toml -o out",
)
