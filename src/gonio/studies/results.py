"""A study from its file to its folder, which other tools rely on.

    report.html           a summary, tables and figures of a results section; one self-contained page
    agreement.csv         one row for each movement, method, quantity, side and joint (docs/study.md explains it)
    values.csv            one row for each value of each repetition
    agreement_*, values_* the same by the other set of definitions
    failures.csv          what could not be measured, and why
    provenance.json       the study's file as it was understood, versions, counts, what was left out
    figures/              .png and .svg
    recordings/           each recording's values and curves: what a later run goes on from

At the end of every run the tables are written again from all recordings, each atomically, the page last.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gonio.comparison.agreement_groups import ALL_MOVEMENTS, Group, Result
from gonio.comparison.agreement_table import DEFINITIONS, FIGURES, Row, write_agreement, write_table
from gonio.comparison.statistics.curves import cmc_between_methods, interpret_cmc
from gonio.comparison.statistics.interpretation import interpret
from gonio.comparison.statistics.spm import spm_paired
from gonio.core.arrays import FloatArray
from gonio.core.display import Displayed, Rows, data_frame
from gonio.core.errors import ConfigError, InputError, MissingExtraError
from gonio.core.files import check_writable, replacing, write_json
from gonio.core.progress import Progress, silent
from gonio.core.provenance import versions
from gonio.core.settings import as_plain
from gonio.report import canvas, study_figures, study_page
from gonio.report.study_figures import Curves, Ranges, angle_of, main_row
from gonio.studies.config import NAME_IN_TABLES, StudyConfig, load_study, ui_prmd_study
from gonio.studies.measure import joints_of_angles, measure_recording, study_work
from gonio.studies.other_tables import OtherTables, write_in_a_process, write_others
from gonio.studies.run import StudyRun, run
from gonio.studies.store import RecordingTask

if TYPE_CHECKING:
    import pandas
    import xarray
    from matplotlib.figure import Figure

FILES = ("report.html", "agreement.csv", "values.csv", "failures.csv", "provenance.json")
FAILURES_COLUMNS = ("recording", "reason")
MANY = 100  # recordings: with fewer, starting another process for the tables takes longer than it saves
MEASURED_AS = 3
"""Increase it when `measure_recording` measures differently: stored recordings are then measured again."""


@dataclass(frozen=True, eq=False, repr=False)
class StudyResult(Displayed):
    """What a study found.

    rows      of agreement.csv
    sentences the summary of the page
    failures  recording -> why it could not be measured
    warnings  recording -> what makes its numbers doubtful, though they are in the tables
    measured, reused, damaged   recordings that have values; of these, how many an earlier run had measured; how many
              stored ones were broken and measured again
    """

    rows: tuple[Row, ...]
    sentences: tuple[str, ...]
    failures: Mapping[str, str]
    warnings: Mapping[str, tuple[str, ...]]
    measured: int
    reused: int
    damaged: int

    def to_dataframe(self) -> pandas.DataFrame:
        """The rows of agreement.csv as a pandas DataFrame. Raises `MissingExtraError` if pandas is not installed."""
        names = list(dict.fromkeys(name for row in self.rows for name in row))
        return data_frame({name: [row.get(name) for row in self.rows] for name in names})

    def to_xarray(self) -> xarray.Dataset:
        """The same as an xarray Dataset over `row`. Raises `MissingExtraError` if pandas or xarray is not installed."""
        return self.to_dataframe().rename_axis("row").to_xarray()  # type: ignore[no-any-return]

    def plot(self) -> Figure:
        """The distance of each joint from the reference's, by every method."""
        return study_figures.joint_errors(self.rows)

    def _title(self) -> str:
        return f"StudyResult: {self.measured} recordings measured, {len(self.failures)} failed, {len(self.rows)} rows"

    def _rows(self) -> Rows:
        for sentence in self.sentences:
            yield "result", sentence
        for key, why in self.failures.items():
            yield "failed", f"{key}: {why}"
        for key, found in self.warnings.items():
            yield "warning", f"{key}: {'; '.join(found)}"


def run_study(
    config: StudyConfig | str | Path | None = None,
    output: str | Path = "study",
    *,
    ui_prmd: str | Path | None = None,
    processes: int | None = None,
    scheduler: str | None = None,
    progress: Progress = silent,
) -> StudyResult:
    """Measure all recordings, in parallel, and write the folder.

    config     or its study file (.toml)
    output     the folder
    ui_prmd    in place of a study: UI-PRMD's folder "Segmented Movements"
    processes  None: as many as there are cores
    scheduler  address of a Dask scheduler, whose workers measure instead

    A recording that fails is listed, and tried again by the next run; those that are measured already are not measured
    again. Raises `InputError` if no recording can be measured at all, and as `studies.run.run` does.
    """
    if (config is None) == (ui_prmd is None):
        raise ConfigError('give a study file (study.toml), or --ui-prmd "Segmented Movements"')
    if not isinstance(config, StudyConfig):
        config = ui_prmd_study(ui_prmd) if ui_prmd is not None else load_study(config or "")
    output = Path(output)
    work, missing = study_work(config)
    tasks = [RecordingTask(each.recording.key, each, each.recording.inputs) for each in work]
    inputs = [path for task in tasks for path in task.inputs if path.parent.resolve() == output.resolve()]
    for name in FILES:
        check_writable(output / name, inputs)
    done = run(
        tasks,
        measure_recording,
        output,
        settings={"measured_as": MEASURED_AS},
        processes=processes,
        scheduler=scheduler,
        progress=progress,
    )
    failures = {**missing, **done.failures}
    write_table(output / "failures.csv", FAILURES_COLUMNS, failures.items())
    if not done.results:
        first = next((f"{key}: {reason}" for key, reason in failures.items()), "no recording was found")
        raise InputError(f"no recording of the study could be measured; the first: {first}")
    results = list(done.results.values())
    warnings = {key: tuple(values["warnings"]) for key, (values, _) in done.results.items() if values["warnings"]}
    definitions, joint_of = NAME_IN_TABLES[config.joint_definitions], joints_of_angles()
    with progress("tables and report", None), _other_tables(output, done, definitions, joint_of, processes != 1):
        rows = write_agreement(output, results, definitions, joint_of)
        sentences = _write_report(output, config, rows, results, failures, warnings)
    _write_provenance(output, config, done, failures, warnings)
    return StudyResult(tuple(rows), sentences, failures, warnings, len(results), done.reused, done.damaged)


@contextlib.contextmanager
def _other_tables(
    output: Path, done: StudyRun, own: str, joint_of: Mapping[str, str], may_be_elsewhere: bool
) -> Iterator[None]:
    """Write the tables that the report does not need: of many recordings in another process, during the block."""
    (other,) = (each for each in DEFINITIONS if each != own)
    if len(done.results) < MANY or not may_be_elsewhere:
        yield
        write_others(output, list(done.results.values()), other, own, joint_of)
        return
    with ThreadPoolExecutor(1) as waiting:
        written = waiting.submit(write_in_a_process, OtherTables(output, done.fingerprints, own, other, joint_of))
        yield
        written.result()


def _write_report(
    output: Path,
    config: StudyConfig,
    rows: Sequence[Row],
    results: Sequence[Result],
    failures: Mapping[str, str],
    warnings: Mapping[str, tuple[str, ...]],
) -> tuple[str, ...]:
    """Write the page and its figures; returns the page's sentences."""
    methods = list(dict.fromkeys(row["method"] for row in rows))
    curves = [row for row in rows if study_page.is_curve(row) and row["movement"] != ALL_MOVEMENTS]
    images: dict[str, tuple[Path, str]] = {}

    def add(name: str, figure: Any, caption: str) -> None:
        images[name] = (canvas.save(figure, output / "figures", name)[0], caption)

    mains = {movement: main for movement in _movements(curves) if (main := main_row(_of(curves, movement))) is not None}
    drawn = [_curves_of(results, config, movement, angle_of(main)) for movement, main in mains.items()]
    if drawn:
        add(
            "curves",
            study_figures.mean_curves(drawn, config.reference, config.movements),
            "The angle that moves most in each movement, over its repetitions.",
        )
    for method in methods:
        if any(row["method"] == method for row in curves):
            add(
                f"errors_{method}",
                study_figures.error_matrix(curves, method, config.movements),
                f"Bias-free RMSE of {method} against {config.reference}, median over repetitions, degrees.",
            )
            ranges = [_ranges_of(results, config, rows, method, movement, main) for movement, main in mains.items()]
            add(
                f"ranges_{method}",
                study_figures.range_agreement(ranges, method, config.movements),
                f"The range of motion of each repetition, {method} against {config.reference}.",
            )
    interpretations = {
        f"{method}: {config.movements.get(movement, movement)}, {angle_of(main).replace('_', ' ')}": tuple(
            _interpretations(config, method, _ranges_of(results, config, rows, method, movement, main), curves)
        )
        for method in methods
        for (movement, main), curves in zip(mains.items(), drawn, strict=True)
    }
    bodies = [row for row in rows if row["quantity"] == "position" and row["movement"] == ALL_MOVEMENTS]
    if any(row["joint"] for row in bodies):
        add("joints", study_figures.joint_errors(bodies), "Error of each joint over all movements.")
    content = study_page.Content(
        title=config.name,
        description=config.description,
        reference=config.reference,
        movements=config.movements,
        rows=rows,
        recordings=len(results),
        failures=failures,
        warnings=warnings,
        figures=images,
        interpretations=interpretations,
        protocol={key: value for key, value in as_plain(config).items() if key not in ("name", "description")},
        versions=versions(),
    )
    study_page.write_page(output / "report.html", content)
    return study_page.sentences(content)


def _movements(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(row["movement"] for row in rows))


def _of(rows: Sequence[Row], movement: str) -> list[Row]:
    return [row for row in rows if row["movement"] == movement]


def _curves_of(results: Sequence[Result], config: StudyConfig, movement: str, angle: str) -> Curves:
    """One angle's curves of all repetitions of a movement."""
    definitions = NAME_IN_TABLES[config.joint_definitions]
    of: dict[str, list[FloatArray]] = {}
    subjects: list[str] = []
    for values, arrays in results:
        if values["movement"] == movement:
            if f"{definitions}/{config.reference}/{angle}" in arrays:
                subjects += [values["subject"]] * len(values["duration_s"])
            for key, curves in arrays.items():
                of_definitions, method, name = key.split("/")
                if of_definitions == definitions and name == angle:
                    of.setdefault(method, []).append(curves)
    ordered = sorted(of, key=lambda method: method != config.reference)
    return Curves(movement, angle, {method: np.concatenate(of[method]) for method in ordered}, subjects)


def _ranges_of(
    results: Sequence[Result],
    config: StudyConfig,
    rows: Sequence[Row],
    method: str,
    movement: str,
    main: Mapping[str, Any],
) -> Ranges:
    """The main angle's range of motion in all repetitions of a movement, and its row of agreement.csv."""
    found = [
        (record["rom_method"], record["rom_reference"], values["subject"])
        for values, _ in results
        if values["movement"] == movement
        for record in values["angles"]
        if (record["definitions"], record["method"], record["quantity"], record["side"])
        == (NAME_IN_TABLES[config.joint_definitions], method, main["quantity"], main["side"])
    ]
    key = (movement, method, f"{main['quantity']}_rom", main["side"])
    row = next((r for r in rows if (r["movement"], r["method"], r["quantity"], r["side"]) == key), {})
    estimate, reference, subjects = zip(*found, strict=True) if found else ((), (), ())
    return Ranges(movement, angle_of(main), np.array(estimate), np.array(reference), subjects, row)


def _interpretations(config: StudyConfig, method: str, ranges: Ranges, curves: Curves) -> Iterator[str]:
    """A sentence for the clinician on each figure of a movement's main angle: its range of motion, and its curve."""
    movement = config.movements.get(ranges.movement, ranges.movement)
    of = f"{len(set(ranges.subjects))} subjects, {movement}"
    population = f"{of}, range of motion of the {ranges.angle.replace('_', ' ')}"
    group = Group("value", list(ranges.subjects), ranges.estimate, ranges.reference)
    for figure in FIGURES:
        if figure.result is not None:
            with contextlib.suppress(InputError):  # too few values for this figure, as noted in agreement.csv
                yield interpret(figure.result(group), population=population, unit="deg")
    estimate, reference = curves.by_method[method], curves.by_method[config.reference]
    population = f"{of}, {ranges.angle.replace('_', ' ')} over the repetition"
    yield interpret_cmc(cmc_between_methods(np.stack([estimate, reference])), population=population)
    try:
        yield interpret(spm_paired(estimate, reference, curves.subjects), population=population)
    except MissingExtraError:
        yield "No test shows where in the cycle the mean curves differ: pip install 'gonio[spm]'."


def _write_provenance(
    output: Path,
    config: StudyConfig,
    done: StudyRun,
    failures: Mapping[str, str],
    warnings: Mapping[str, tuple[str, ...]],
) -> None:
    remarks = Counter(remark for values, _ in done.results.values() for remark in values["words"])
    content = {
        "command": "study",
        "configuration": as_plain(config),
        "notes": config.notes,
        "versions": versions(),
        "recordings": {"measured": len(done.results), "failed": len(failures)},
        "said_of_recordings": dict(remarks),
        "warnings": warnings,
    }
    with replacing(output / "provenance.json") as temporary:
        write_json(temporary, content)
