"""A study's tables from values made by hand."""

from __future__ import annotations

import csv
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gonio.comparison.agreement_table import AGREEMENT_COLUMNS, FIGURES, Row, write_agreement, write_table
from gonio.comparison.agreement_table import agreement_table as table_of
from gonio.comparison.angle_agreement import ANGLE_FIGURES, AngleAgreement
from gonio.comparison.repetition_records import AngleValues, PositionValues
from gonio.comparison.statistics.intervals import TOO_FEW_NOTE, median_interval
from gonio.comparison.statistics.limits_of_agreement import limits_of_agreement
from gonio.comparison.statistics.reliability import within_session_error
from gonio.comparison.values_table import VALUES_COLUMNS, value_rows, write_values
from gonio.core.errors import InputError

KEY = ("movement", "method", "quantity", "side", "joint")
JOINT_OF = {"knee_flexion": "knee"}


def agreement_table(results: list[Any], definitions: str) -> list[Row]:
    return table_of(results, definitions, JOINT_OF)


def angle(error: float, rom: float, **changes: Any) -> dict[str, Any]:
    values: dict[str, Any] = {
        "definitions": "gonio",
        "repetition": "e01",
        "method": "kinect",
        "quantity": "knee_flexion",
        "side": "left",
        "n": 50,
        "missed_alone": 1,
        "lag_s": 0.1,
        "rmse": error,
        "bias": error / 2,
        "rmse_bias_free": error * 0.8,
        "r": 0.9,
        "moved": 2 * error,
        "rom_method": rom + error,
        "rom_reference": rom,
        "peak_method": rom,
        "peak_reference": rom - 1,
        "mean_method": rom / 2 + error,
        "mean_reference": rom / 2,
        "speed_method": 100.0 + rom,
        "speed_reference": 90.0 + rom,
        "at_peak_method": rom - 2,
        "at_peak_reference": rom - 1,
    }
    return asdict(AngleValues(**{**values, **changes}))


def position(mean: float, repetition: str, joint: str = "", side: str = "") -> dict[str, Any]:
    values = {
        "definitions": "gonio",
        "repetition": repetition,
        "method": "kinect",
        "n": 50,
        "missed_alone": 0,
        "lag_s": 0.0,
    }
    return asdict(PositionValues(**values, joint=joint, side=side, mean=mean, rms=mean + 5))  # type: ignore[arg-type]


def study(subjects: int, repetitions: int = 3, movements: tuple[str, ...] = ("m01",)) -> list[Any]:
    rng = np.random.default_rng(3)
    results = []
    for movement in movements:
        for subject in range(subjects):
            for repetition in range(repetitions):
                error, rom = float(rng.uniform(2, 6)), float(80 + 5 * subject + rng.normal())
                arrays = {
                    f"gonio/{method}/left_knee_flexion": np.array([np.linspace(0, top, 101)], np.float32)
                    for method, top in (("kinect", rom + error), ("vicon", rom))
                }
                values = {
                    "subject": f"s{subject}",
                    "movement": movement,
                    "reference": "vicon",
                    "duration_s": {f"e{repetition}": 2.5},
                    "angles": [
                        angle(error, rom, repetition=f"e{repetition}"),
                        angle(error, rom / 2, repetition=f"e{repetition}", side="right"),
                        angle(99.0, rom, repetition=f"e{repetition}", definitions="protocol"),
                    ],
                    "positions": [
                        position(60 + error, f"e{repetition}"),
                        position(70 + error, f"e{repetition}", "knee", "left"),
                    ],
                    "words": [],
                }
                results.append((values, arrays))
    return results


def row_of(table: list[dict[str, Any]], **wanted: str) -> dict[str, Any]:
    (row,) = [row for row in table if all(row[key] == value for key, value in wanted.items())]
    return row


def test_a_curves_row_holds_medians_over_repetitions() -> None:
    results = study(8)
    errors = np.array([values["angles"][0]["rmse"] for values, _ in results])
    row = row_of(agreement_table(results, "gonio"), movement="m01", quantity="knee_flexion", side="left")
    assert row["n"] == 24
    assert row["n_subjects"] == 8
    assert row["rmse"] == pytest.approx(np.median(errors))
    assert row["bias"] == pytest.approx(np.median(errors / 2))
    assert row["rmse_bias_free"] == pytest.approx(np.median(errors * 0.8))
    assert row["rmse_bias_free_clock_moved"] == pytest.approx(2 * np.median(errors))
    assert (row["rmse_q25"], row["rmse_q75"]) == pytest.approx(tuple(np.quantile(errors, [0.25, 0.75])))
    assert row["rmse_low"] < row["rmse"] < row["rmse_high"]
    assert row["missed_alone"] == 24
    assert row["joint"] == "knee"
    assert 0.9 < row["cmc"] <= 1
    assert row["note"] == ""


def test_what_needs_one_value_is_of_the_repetitions_mean_angle() -> None:
    results = study(8)
    records = [values["angles"][0] for values, _ in results]
    subjects = [values["subject"] for values, _ in results]
    method, reference = (np.array([r[f"mean_{who}"] for r in records]) for who in ("method", "reference"))
    limits = limits_of_agreement(method, reference, subjects)
    row = row_of(agreement_table(results, "gonio"), movement="m01", quantity="knee_flexion", side="left")
    assert (row["loa_low"], row["loa_high"]) == pytest.approx((limits.low, limits.high))
    assert row["sem"] == pytest.approx(within_session_error(method, subjects).sem)
    assert row["sem_reference"] == pytest.approx(within_session_error(reference, subjects).sem)
    assert row["mdc95"] == pytest.approx(1.96 * np.sqrt(2) * row["sem"])
    assert row["icc_low"] < row["icc"] < row["icc_high"]


def test_a_single_values_row_is_over_these_values() -> None:
    results = study(8)
    errors = np.array([values["angles"][0]["rmse"] for values, _ in results])
    row = row_of(agreement_table(results, "gonio"), movement="m01", quantity="knee_flexion_rom", side="left")
    assert row["bias"] == pytest.approx(errors.mean())
    assert row["rmse"] == pytest.approx(np.sqrt((errors**2).mean()))
    assert row["rmse_bias_free"] == pytest.approx(errors.std())
    assert row["bias_low"] < row["bias"] < row["bias_high"]
    assert row["loa_low"] < row["bias"] < row["loa_high"]
    assert row["rom_reference"] == pytest.approx(np.median([v["angles"][0]["rom_reference"] for v, _ in results]))
    speed = row_of(agreement_table(results, "gonio"), movement="m01", quantity="knee_flexion_speed", side="left")
    assert (speed["unit"], speed["bias"]) == ("deg/s", 10)


def test_no_two_rows_have_one_key_and_definitions_are_not_mixed() -> None:
    results = study(6, movements=("m01", "m02"))
    for definitions in ("gonio", "protocol"):
        table = agreement_table(results, definitions)
        assert len({tuple(row[key] for key in KEY) for row in table}) == len(table)
        assert {row["definitions"] for row in table} == {definitions}
    protocol = row_of(agreement_table(results, "protocol"), movement="m01", quantity="knee_flexion")
    assert protocol["rmse"] == 99


def test_positions_and_all_movements() -> None:
    results = study(6, movements=("m01", "m02"))
    means = np.array([values["positions"][0]["mean"] for values, _ in results])
    table = agreement_table(results, "gonio")
    row = row_of(table, movement="all", quantity="position", joint="")
    assert row["rmse"] == pytest.approx(np.median(means))
    assert (row["n"], row["unit"]) == (36, "mm")
    assert row_of(table, movement="m01", quantity="position", joint="knee", side="left")["n"] == 18
    assert row_of(table, movement="all", quantity="position_rms")["rmse"] == pytest.approx(np.median(means) + 5)
    curve = row_of(table, movement="all", quantity="knee_flexion", side="left")
    assert "loa_low" not in curve
    assert "sem" not in curve


def test_few_subjects_have_figures_and_no_intervals() -> None:
    for row in agreement_table(study(5), "gonio"):
        assert TOO_FEW_NOTE in row["note"]
        assert "rmse" in row
        assert not [column for column in row if column.endswith(("_low", "_high")) and not column.startswith("loa")]


def test_what_is_missing_is_an_empty_cell(tmp_path: Path) -> None:
    results = study(1, repetitions=1)
    results[0][0]["angles"] = [angle(3.0, 80.0, r=None, repetition="e0")]
    table = agreement_table(results, "gonio")
    write_agreement(tmp_path, results, "gonio", JOINT_OF)
    with (tmp_path / "agreement.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == len(table)
    row = row_of(rows, movement="m01", quantity="knee_flexion", side="left")
    assert (row["rmse"], row["r"], row["loa_low"], row["sem"]) == ("3", "", "", "")
    assert row["note"]


def test_values_are_tidy(tmp_path: Path) -> None:
    rows = list(value_rows(study(2), "gonio", JOINT_OF))
    table = [dict(zip(VALUES_COLUMNS, row, strict=True)) for row in rows]
    keys = ("subject", "movement", "repetition", "method", "quantity", "side", "joint")
    assert len({tuple(row.get(key, "") for key in keys) for row in table}) == len(table)
    mine = {"subject": "s0", "repetition": "e0"}
    knee = row_of([r for r in table if r.get("side") == "left"], **mine, method="vicon", quantity="knee_flexion_rom")
    assert knee["unit"] == "deg"
    assert row_of(table, **mine, method="vicon", quantity="duration")["value"] == 2.5
    symmetry = row_of(table, **mine, method="vicon", quantity="knee_flexion_symmetry")
    assert symmetry["value"] == pytest.approx(200 * (1 - 0.5) / (1 + 0.5))
    write_values(tmp_path, study(2), "gonio", JOINT_OF)
    assert (tmp_path / "values.csv").read_text().count("\n") == len(table) + 1


def test_failures_are_listed_with_their_reason(tmp_path: Path) -> None:
    write_table(tmp_path / "failures.csv", ("recording", "reason"), [("m03_s03", 'no "vicon", file')])
    assert (tmp_path / "failures.csv").read_text() == 'recording,reason\nm03_s03,"no ""vicon"", file"\n'


def test_the_interval_of_a_median_is_that_of_the_plain_bootstrap() -> None:
    rng = np.random.default_rng(1)
    subjects = [f"s{i}" for i in rng.integers(0, 8, 77)]
    effect = {f"s{i}": rng.normal() for i in range(8)}
    values = np.array([effect[s] for s in subjects]) + rng.normal(size=77)
    medians = []
    for _ in range(2000):
        draw = rng.integers(0, 8, 8)
        medians.append(np.median(np.concatenate([values[np.array(subjects) == f"s{i}"] for i in draw])))
    found = median_interval(values, subjects)
    assert found is not None
    np.testing.assert_allclose([found.low, found.high], np.quantile(medians, [0.025, 0.975]), atol=0.12)
    assert median_interval(values[:5], subjects[:5]) is None


def test_files_by_one_set_of_definitions(tmp_path: Path) -> None:
    rows = write_agreement(tmp_path, study(6), "gonio", JOINT_OF, "_gonio")
    write_values(tmp_path, study(6), "gonio", JOINT_OF, "_gonio")
    assert {path.name for path in tmp_path.iterdir()} == {"agreement_gonio.csv", "values_gonio.csv"}
    with (tmp_path / "agreement_gonio.csv").open(newline="") as stream:
        written = list(csv.DictReader(stream))
    assert len(written) == len(rows)
    assert {row["definitions"] for row in written} == {"gonio"}
    with (tmp_path / "values_gonio.csv").open(newline="") as stream:
        assert {row["definitions"] for row in csv.DictReader(stream)} == {"gonio"}


def test_an_angle_without_a_joint_is_refused() -> None:
    with pytest.raises(InputError, match="knee_flexion"):
        table_of(study(2), "gonio", {})
    with pytest.raises(InputError, match="knee_flexion"):
        list(value_rows(study(2), "gonio", {}))


def test_the_columns_of_the_first_version_stay_in_their_order() -> None:
    first = (
        "movement,method,quantity,side,joint,unit,n,rmse,bias,rmse_bias_free,r,loa_low,loa_high,icc,ccc,sem,mdc95,"
        "rom_method,rom_reference,n_subjects,rmse_low,rmse_high,bias_low,bias_high,rmse_bias_free_low,"
        "rmse_bias_free_high,r_low,r_high,loa_low_low,loa_low_high,loa_high_low,loa_high_high,icc_low,icc_high,ccc_low,"
        "ccc_high,sem_low,sem_high,mdc95_low,mdc95_high,icc_consistency,sem_reference,deming_slope,deming_slope_low,"
        "deming_slope_high,deming_intercept,cmc,rmse_q25,rmse_q75,rmse_bias_free_clock_moved,missed_alone,definitions,"
        "note"
    )
    assert ",".join(column for column in AGREEMENT_COLUMNS if column in first.split(",")) == first


def test_figures_fill_their_own_columns_alone() -> None:
    assert len({figure.name for figure in FIGURES}) == len(FIGURES)
    columns = [column for figure in FIGURES for column in figure.columns]
    assert len(set(columns)) == len(columns)
    for row in agreement_table(study(8, movements=("m01", "m02")), "gonio"):
        assert set(row) <= set(AGREEMENT_COLUMNS)


def test_the_documentation_lists_every_figure() -> None:
    page = (Path(__file__).parents[3] / "docs" / "statistics.md").read_text(encoding="utf-8")
    for figure in FIGURES:
        columns = ", ".join(f"`{column}`" for column in figure.columns)
        assert f"| {figure.title} | {columns} | {figure.explanation} |\n" in page
    for angle_figure in ANGLE_FIGURES:
        assert f"| `{angle_figure.key}` | {angle_figure.explanation} |\n" in page


def test_every_figure_of_an_angle_is_a_field_of_its_agreement() -> None:
    counts = {"n_samples", "n_all", "n_peaks"}
    assert {field.name for field in fields(AngleAgreement)} - counts == {figure.key for figure in ANGLE_FIGURES}
