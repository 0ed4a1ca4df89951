"""results.json: its keys, its round trip, what it refuses; averages; tables."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gonio.comparison.compare import compare_methods
from gonio.comparison.result import ComparisonResult, average, summary_table, tables
from gonio.core.angle_series import AngleSeries
from gonio.core.errors import GonioError, InputError
from gonio.core.sequence import PoseSequence
from gonio.core.skeleton import BODY_12


def result(
    offset_m: float = 0.01, trial: str = "one", reference: str | None = "truth", **options: Any
) -> ComparisonResult:
    """A study of one method that is `offset_m` off, over ten frames, with one angle that is 5 degrees off."""
    positions = np.random.default_rng(0).normal(size=(10, 12, 3))
    times = np.arange(10) / 50
    estimate = positions + np.array([offset_m, 0, 0])
    estimate[0, 0] = np.nan

    def pose(p: np.ndarray) -> PoseSequence:
        return PoseSequence(p, times, BODY_12, "m", "world", "lab", history=("read",))

    def knee(shift_deg: float) -> AngleSeries:
        return AngleSeries(np.deg2rad(times[:, None] * 300 + shift_deg), times, ("knee",), ("",), ((0.0, np.pi),))

    return compare_methods(
        {"truth": pose(positions), "estimate": pose(estimate)},
        {"truth": knee(0), "estimate": knee(5)},
        reference=reference,
        reprojection_px=options.pop("reprojection_px", {"cam01": 3.0}),
        protocol_extra={"trial": trial, "versions": {"numpy": "2"}},
        **options,
    )


def test_results_json_has_the_keys_that_tools_rely_on(tmp_path: Path) -> None:
    result().save(tmp_path / "results.json")
    content = json.loads((tmp_path / "results.json").read_text())
    assert set(content) == {"protocol", "methods", "pairs", "cameras"}
    method = content["methods"]["estimate"]
    errors = {"mpjpe_mm", "root_mpjpe_mm", "n_mpjpe_mm", "pa_mpjpe_mm", "mpjve_mm_per_s", "rigid_mpjpe_mm"}
    assert {"n_frames", "per_joint", "angles", "time_shifts"} | errors <= set(method)
    assert set(method["per_joint"]["left_knee"]) == errors | {"definition_offset_mm", "without_offset_mm"}
    compared = {"rmse_deg", "bias_deg", "r", "rom_deg", "rom_reference_deg", "n_samples"}
    compared |= {"peak_rmse_deg", "peak_bias_deg", "n_peaks"}
    assert set(method["time_shifts"]) == {"-0.1", "+0.1"}
    assert set(method["time_shifts"]["+0.1"]["change"]) == errors
    assert set(method["time_shifts"]["+0.1"]["angle_rmse_deg"]) == {"knee"}
    assert compared | {"rom_all_deg", "n_all"} == set(method["angles"]["knee"])
    assert method["mpjpe_mm"] == pytest.approx(10)
    assert method["angles"]["knee"]["bias_deg"] == pytest.approx(5)
    assert content["methods"]["truth"]["is_reference"] is True
    assert content["methods"]["truth"]["mpjpe_mm"] is None
    assert content["cameras"] == {"cam01": {"reprojection_px_median": 3.0}}


@pytest.mark.parametrize("reference", ["truth", None])
def test_round_trip(tmp_path: Path, reference: str | None) -> None:
    original = result(reference=reference, reprojection_px={"cam01": float("nan")})
    original.save(tmp_path / "deep" / "results.json")
    text = (tmp_path / "deep" / "results.json").read_text()
    assert "NaN" not in text
    assert ComparisonResult.load(tmp_path / "deep" / "results.json") == original
    assert ComparisonResult.from_json(original.to_json()) == original
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["results.json"]


def test_a_number_that_is_not_finite_is_null() -> None:
    original = result()
    odd = replace(original.methods["estimate"], mpjpe_mm=float("nan"))
    assert replace(original, methods={"estimate": odd}).to_json()["methods"]["estimate"]["mpjpe_mm"] is None


def broken(change: str) -> str:
    content = result().to_json()
    method = content["methods"]["estimate"]
    match change:
        case "no methods":
            del content["methods"]
        case "no protocol":
            del content["protocol"]
        case "no reference":
            del content["protocol"]["reference"]
        case "counts":
            content["protocol"]["counts"] = {"estimate": 3}
        case "no error":
            del method["mpjpe_mm"]
        case "text":
            method["mpjpe_mm"] = "10 mm"
        case "true":
            method["mpjpe_mm"] = True
        case "frames":
            method["n_frames"] = 1.5
        case "angle":
            method["angles"]["knee"] = None
        case "list":
            content["pairs"] = {}
        case "beyond":
            return json.dumps(content).replace('"mpjpe_mm": 10', f'"mpjpe_mm": {10**400}, "x": 10', 1)
        case "infinite":
            return json.dumps(content).replace('"mpjpe_mm": 10', '"mpjpe_mm": 1e999, "x": 10', 1)
    return json.dumps(content)


def with_protocol(key: str, value: Any) -> str:
    content = result().to_json()
    content["protocol"][key] = value
    return json.dumps(content)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"JSON.*truncated"),
        (json.dumps(result().to_json())[:-200], r"JSON.*truncated"),
        ('{"protocol": NaN}', "JSON"),
        ("[" * 100_000, r"JSON.*truncated"),
        ("[]", r"object.*results"),
        ('{"version": 1.3, "people": []}', "'protocol'"),
        (broken("no methods"), "'methods'"),
        (broken("no protocol"), "'protocol'"),
        (broken("no reference"), "'reference'"),
        (broken("counts"), r"protocol.*estimate"),
        (broken("no error"), "'mpjpe_mm'"),
        (broken("text"), r"mpjpe_mm.*10 mm"),
        (broken("true"), "mpjpe_mm"),
        (broken("frames"), r"n_frames.*1\.5"),
        (broken("angle"), r"angles\.knee.*object"),
        (broken("list"), r"pairs.*list"),
        (with_protocol("angle_definitions", ["knee"]), r"angle_definitions.*'knee'"),
        (
            with_protocol("reprojection_px_median_all", "3 px"),
            r"reprojection_px_median_all.*3 px",
        ),
        (broken("beyond"), "mpjpe_mm"),
        (broken("infinite"), "mpjpe_mm"),
    ],
)
def test_foreign_and_broken_files_are_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "results.json"
    path.write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        ComparisonResult.load(path)
    assert str(caught.value).startswith((f"{path}: ", f"{path} "))
    assert "\n" not in str(caught.value)


def test_what_is_no_text_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "results.json").write_bytes(b"\xff\xfe\x00PK")
    with pytest.raises(InputError, match="not JSON"):
        ComparisonResult.load(tmp_path / "results.json")
    with pytest.raises(InputError, match=r"results\.json|absent"):
        ComparisonResult.load(tmp_path / "absent.json")
    with pytest.raises(InputError, match="directory"):
        ComparisonResult.load(tmp_path)


def test_average_of_two_trials() -> None:
    mean = average([result(0.01, "one"), result(0.03, "two")])
    estimate = mean.methods["estimate"]
    assert estimate.mpjpe_mm == pytest.approx(20)
    assert estimate.per_joint["left_knee"].mpjpe_mm == pytest.approx(20)
    assert estimate.angles["knee"].rmse_deg == pytest.approx(5)
    assert (estimate.n_frames, estimate.n_cells, estimate.angles["knee"].n_samples) == (20, 238, 20)
    assert estimate.history == ("mean of 2 results",)
    assert mean.methods["truth"].mpjpe_mm is None
    assert mean.methods["truth"].is_reference
    assert mean.cameras["cam01"]["reprojection_px_median"] == 3
    assert mean.protocol["averaged"] == 2
    assert mean.protocol["trial"] == ["one", "two"]
    assert mean.protocol["frames"]["compared"] == 20
    assert mean.protocol["counts"]["estimate"]["left_shoulder"]["missing"] == 2
    assert mean.protocol["filter"] == "none"


def test_the_median_over_all_cameras_is_averaged_with_the_rest() -> None:
    def seen(median_px: float | None) -> ComparisonResult:
        one = result()
        return replace(one, protocol={**one.protocol, "reprojection_px_median_all": median_px})

    assert average([seen(2.0), seen(4.0)]).protocol["reprojection_px_median_all"] == 3
    assert average([seen(2.0), seen(None)]).protocol["reprojection_px_median_all"] is None
    assert average([seen(2.0), result()]).protocol["reprojection_px_median_all"] is None
    assert "reprojection_px_median_all" not in average([result(), result()]).protocol


def test_the_range_over_all_frames_is_averaged_and_its_frames_are_counted_together() -> None:
    knee = average([result(), result()]).methods["estimate"].angles["knee"]
    assert (knee.rom_all_deg, knee.n_all) == (pytest.approx(54), 20)


def test_average_of_pairs() -> None:
    mean = average([result(0.01, reference=None), result(0.03, reference=None)])
    assert mean.pairs[0].mpjpe_mm == pytest.approx(20)
    assert (mean.pairs[0].a, mean.pairs[0].b) == ("estimate", "truth")


def test_a_number_that_one_trial_lacks_has_no_average() -> None:
    one = result()
    two = replace(one, methods={**one.methods, "estimate": replace(one.methods["estimate"], mpjpe_mm=None)})
    assert average([one, two]).methods["estimate"].mpjpe_mm is None
    assert average([one, two]).methods["estimate"].pa_mpjpe_mm is not None


@pytest.mark.parametrize(
    ("other", "difference"),
    [
        (lambda: result(filter_words="6 Hz"), "6 Hz"),
        (lambda: result(reference="estimate"), "reference"),
        (lambda: result(tolerance_s=0.01), "matching_tolerance_s"),
        (lambda: result(joints=BODY_12.joints[4:]), "protocol"),
        (lambda: average([result(), result()]), "protocol"),
        (
            lambda: replace(result(), protocol={**result().protocol, "versions": {"numpy": "1"}}),
            "protocol",
        ),
        (
            lambda: replace(result(), protocol={**result().protocol, "seeds": 1}),
            "protocol",
        ),
    ],
)
def test_results_of_different_protocols_are_not_averaged(other: Any, difference: str) -> None:
    with pytest.raises(GonioError) as caught:
        average([result(), result(), other()])
    assert str(caught.value).startswith("results 1 and 3 cannot be averaged, their protocols differ: ")
    assert difference in str(caught.value)


def test_averages_that_make_no_sense() -> None:
    with pytest.raises(InputError, match="no result"):
        average([])
    with pytest.raises(InputError, match="cameras"):
        average([result(), result(reprojection_px={"other": 1.0})])


def test_tables_hold_every_number_once() -> None:
    one = result()
    by_name = tables(one)
    assert set(by_name) == {"methods", "per_joint", "angles", "time_shifts"}
    for table in by_name.values():
        assert {len(row) for row in table} == {len(table[0])}
    header, *rows = by_name["methods"]
    estimate = dict(zip(header, rows[1], strict=True))
    assert (estimate["method"], estimate["reference"], estimate["n_cells"]) == ("estimate", "truth", 119)
    assert estimate["mpjpe_mm"] == pytest.approx(10)
    assert rows[0][:2] == ["truth", None]
    header, *rows = by_name["per_joint"]
    assert len(rows) == 24
    shoulder = dict(zip(header, rows[12], strict=True))
    assert (shoulder["method"], shoulder["joint"]) == ("estimate", "left_shoulder")
    assert (shoulder["missing"], shoulder["missing_alone"], shoulder["measured"]) == (1, 1, 9)
    header, *rows = by_name["angles"]
    knee = dict(zip(header, rows[1], strict=True))
    assert knee["bias_deg"] == pytest.approx(5)
    assert (knee["rom_all_deg"], knee["n_all"]) == (pytest.approx(54), 10)


def test_tables_of_pairs_name_both_methods() -> None:
    rows = tables(result(reference=None))["methods"]
    assert [row[:2] for row in rows[1:]] == [["truth", None], ["estimate", None], ["estimate", "truth"]]


def test_summary_for_a_terminal() -> None:
    header, first, second = summary_table(result())
    assert header[:3] == ("method", "frames", "MPJPE mm")
    assert first[:3] == ("truth (reference)", "10", "-")
    assert second[:4] == ("estimate", "10", "10.0", "0.0")
    assert summary_table(result(reference=None))[1][:3] == ("estimate against truth", "10", "10.0")


def test_a_result_shows_itself() -> None:
    pytest.importorskip("pandas")
    found = result()
    first, *rows = repr(found).splitlines()
    assert "1 methods" not in first
    assert first.split()[0] == "ComparisonResult:"
    assert "MPJPE 10.0 mm" in rows[0]
    table = found.to_dataframe()
    assert table.loc[table["method"] == "estimate", "mpjpe_mm"].item() == pytest.approx(10)
    assert table.attrs["protocol"]["reference"] == "truth"
    assert found.to_xarray()["mpjpe_mm"].values[1] == pytest.approx(10)
    assert found.plot().axes
    assert "estimate" in repr(result(reference=None))
