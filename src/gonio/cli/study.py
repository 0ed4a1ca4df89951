"""The command for many recordings: study."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import Positional, arg

from gonio.cli.console import DISCLAIMER, Output, app, bar
from gonio.core.errors import ConfigError

if TYPE_CHECKING:
    pass


@app.command
def study(
    file: Annotated[Positional[Path | None], arg(metavar="STUDY")] = None,
    output: Output = Path("study"),
    ui_prmd: Path | None = None,
    processes: int | None = None,
    scheduler: str | None = None,
) -> None:
    """Compare methods over many subjects and movements: the tables and figures of a results section.

    As in "gonio study study.toml -o out/"; what is measured already is not measured again, so a study that was stopped
    goes on where it was. docs/study.md tells the file and every column.

    Args:
        file: A study file (study.toml): whose recordings, of which movements, by which methods.
        output: The study's folder: report.html, agreement.csv, values.csv, failures.csv, provenance.json.
        ui_prmd: In place of a study file: UI-PRMD's folder "Segmented Movements"; its Kinect against its Vicon.
        processes: Recordings measured at once; as many as there are cores where not given.
        scheduler: A Dask scheduler whose workers measure, tcp://host:8786; they must see the same files.
    """
    from gonio.studies.processes import prepare

    if processes != 1 and scheduler is None:
        prepare("gonio.studies.measure", "scipy.signal")
    from gonio.studies.config import load_study, ui_prmd_study
    from gonio.studies.results import run_study

    if (file is None) == (ui_prmd is None):
        raise ConfigError('give a study file (study.toml), or --ui-prmd "Segmented Movements"')
    config = ui_prmd_study(ui_prmd) if file is None and ui_prmd is not None else load_study(file or Path())
    for note in config.notes:
        print(f"note: {note}")
    done = run_study(config, output, processes=processes, scheduler=scheduler, progress=bar)
    print(f"{done.measured} recordings measured ({done.reused} of them before), {len(done.failures)} failed")
    if done.damaged:
        print(f"{done.damaged} results of an earlier run were damaged and measured again")
    if done.warnings:
        key, sentences = next(iter(done.warnings.items()))
        print(f"warning: {len(done.warnings)} doubtful in the tables; the first, {key}: {sentences[0]}")
    for sentence in done.sentences:
        print(sentence)
    print(f"\nreport: {output / 'report.html'}\n{DISCLAIMER}")
