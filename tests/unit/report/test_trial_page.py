from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest

from gonio.comparison.compare import compare_methods
from gonio.comparison.result import ComparisonResult
from gonio.core.angle_series import AngleSeries
from gonio.core.errors import InputError
from gonio.core.sequence import PoseSequence
from gonio.kinematics.angles import DEFINITIONS, joint_angles
from gonio.report import canvas, trial_figures
from gonio.report.trial_page import ReportContent, write_report
from gonio.report.trial_summary import limits, sentences
from gonio.report.trial_tables import page_tables, write_tables

Squats = Mapping[str, PoseSequence]
Angles = Mapping[str, AngleSeries]
OWN_RANGE = "Range of motion, all frames of each method"
HOSTILE = "<script>alert('a')</script>\"&"


@pytest.fixture(scope="module")
def result(squats: Squats, squat_angles: Angles) -> ComparisonResult:
    return compare_methods(
        squats,
        squat_angles,
        reference="multiview",
        reprojection_px={"cam01": 3.21, "cam02": 4.0},
        protocol_extra={"trial": "squat", "versions": {"gonio": "0.1.0"}},
    )


@pytest.fixture(scope="module")
def pairs(squats: Squats, squat_angles: Angles) -> ComparisonResult:
    return compare_methods(squats, squat_angles, reference=None)


@pytest.fixture
def still(tmp_path: Path) -> Path:
    path = tmp_path / "still.png"
    cv2.imwrite(str(path), np.full((90, 60, 3), 128, np.uint8))
    return path


class Page(HTMLParser):
    """Every element and its attributes, and the text between."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.source = path.read_text(encoding="utf-8")
        self.feed(self.source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def page(path: Path, content: ReportContent) -> Page:
    write_report(path, content)
    return Page(path)


# ---- words -----------------------------------------------------------------------------------------------------------


def test_the_answer_names_the_nearest_method_with_its_numbers(result: ComparisonResult) -> None:
    words = sentences(result)
    root = {n: m.root_mpjpe_mm for n, m in result.methods.items() if not m.is_reference}
    nearest = min(root, key=lambda name: root[name])
    for part in (
        nearest,
        "multiview",
        f"{root[nearest]:.0f} mm",
        "1184",
        "12 joints",
        "100 frames",
        "mid-hip",
    ):
        assert part in words[0]
    order = [words[1].index(name) for name in sorted(root, key=lambda name: root[name])[1:]]
    assert order == sorted(order)
    (angles,) = [sentence for sentence in words if sentence.startswith("In joint angles")]
    rmse = [a.rmse_deg for a in result.methods["blazepose-world-cam03"].angles.values()]
    assert f"blazepose-world-cam03 {np.mean(rmse):.1f}°" in angles
    assert any("100 of 100 frames" in sentence for sentence in words)
    assert re.search("stereo-cam03-cam04 .*1 %", words[-1])


def test_two_methods_within_five_percent_are_equally_near(result: ComparisonResult) -> None:
    a, b = "stereo-cam01-cam02", "stereo-cam03-cam04"
    methods = dict(result.methods)
    methods[a] = replace(methods[a], root_mpjpe_mm=20.0)
    methods[b] = replace(methods[b], root_mpjpe_mm=20.9)
    assert sentences(replace(result, methods=methods))[0].startswith(f"{a} and {b} ")
    methods[b] = replace(methods[b], root_mpjpe_mm=21.1)
    assert sentences(replace(result, methods=methods))[0].startswith(f"{a} is ")


def test_methods_without_common_axes_are_ranked_by_what_all_have(result: ComparisonResult) -> None:
    methods = dict(result.methods)
    name = "blazepose-world-cam01"
    methods[name] = replace(methods[name], root_mpjpe_mm=None, n_mpjpe_mm=None, mpjve_mm_per_s=None)
    words = " ".join(sentences(replace(result, methods=methods)))
    assert "scaled" in words
    assert f"{name} ({methods[name].pa_mpjpe_mm:.0f} mm)" in words


def test_without_a_reference_pairs_are_compared(pairs: ComparisonResult) -> None:
    words = sentences(pairs)
    nearest = min(pairs.pairs, key=lambda p: p.root_mpjpe_mm)
    farthest = max(pairs.pairs, key=lambda p: p.root_mpjpe_mm)
    assert f"{nearest.a} and {nearest.b}: {nearest.root_mpjpe_mm:.0f} mm" in words[1]
    assert f"{farthest.a} and {farthest.b}: {farthest.root_mpjpe_mm:.0f} mm" in words[2]


def test_a_page_without_a_reference_speaks_of_none(tmp_path: Path, pairs: ComparisonResult) -> None:
    made = page(tmp_path / "r.html", ReportContent("Squat", pairs))
    for sentence in limits(pairs):
        assert sentence in made.text
    notes = [note for table in page_tables(pairs) for note in table.notes]
    assert not any("reference's" in note for note in notes)
    for words in ("Reference:", "(reference)"):
        assert words not in made.text, words


def test_two_methods_have_one_sentence_on_their_distance(squats: Squats, squat_angles: Angles) -> None:
    two = ("multiview", "stereo-cam01-cam02")
    made = compare_methods({n: squats[n] for n in two}, {n: squat_angles[n] for n in two}, reference=None)
    (distance,) = [words for words in sentences(made) if " mm (" in words]
    assert f"multiview and stereo-cam01-cam02: {made.pairs[0].root_mpjpe_mm:.0f} mm" in distance


@pytest.mark.parametrize("reference", ["multiview", None])
def test_one_method_alone_is_not_compared(squats: Squats, squat_angles: Angles, reference: str | None) -> None:
    one = compare_methods(
        {"multiview": squats["multiview"]}, {"multiview": squat_angles["multiview"]}, reference=reference
    )
    assert len(sentences(one)) == 1
    titles = [table.title for table in page_tables(one)]
    assert OWN_RANGE in titles
    assert not {"Position errors", "Range of motion, shared samples"} & set(titles)


def test_a_trials_own_caveats_take_the_place_of_the_general_ones(result: ComparisonResult) -> None:
    assert "multiview" in limits(result)[0]
    caveat = "Only four cameras."
    own = limits(result, (caveat,))
    assert own[0] == caveat
    assert not any("100 frames" in sentence for sentence in own)


def test_what_was_assumed_stands_among_what_cannot_be_concluded(tmp_path: Path, result: ComparisonResult) -> None:
    write_report(tmp_path / "r.html", ReportContent("Squat", result, assumptions=("A stature of 1.70 m.",)))
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert text.index("A stature") < text.index(limits(result)[0])


# ---- tables ----------------------------------------------------------------------------------------------------------


def test_every_header_has_its_unit_and_every_table_its_protocol(result: ComparisonResult) -> None:
    tables = {table.title: table for table in page_tables(result)}
    for table in tables.values():
        assert table.of_words or all(unit for _, unit, _ in table.header[1:]), table.title
        assert all(len(cells) == len(table.header) - 1 for _, _, cells in table.rows)
    samples = {name: cells[0].text for name, _, cells in tables["Range of motion, shared samples"].rows}
    assert samples["left knee flexion"] == "92"  # eight frames lack the left ankle
    assert samples["right knee flexion"] == "100"
    own = {name: [cell.text for cell in cells] for name, _, cells in tables[OWN_RANGE].rows}["left knee flexion"]
    columns = [name for name, _, _ in tables[OWN_RANGE].header[1:]]
    for column, text in zip(columns, own, strict=True):
        knee = result.methods[column.removesuffix(" (reference)")].angles["left_knee_flexion"]
        assert text == f"{knee.rom_all_deg:.1f} ({92 if column == 'stereo-cam03-cam04' else 100})"
    for title in ("Position errors", "Joint angles: typical difference", OWN_RANGE, "Error of each joint"):
        assert any("multiview" in note and "none" in note for note in tables[title].notes), title


def test_what_does_not_exist_is_a_dash_with_the_reason(result: ComparisonResult) -> None:
    (table,) = [table for table in page_tables(result) if table.title == "Position errors"]
    row = {name: [cell.text for cell in cells] for name, _, cells in table.rows}
    assert row["blazepose-world-cam01"][1] == "–"
    assert row["stereo-cam01-cam02"][1] == f"{result.methods['stereo-cam01-cam02'].mpjpe_mm:.1f}"
    (why,) = [note for note in table.notes if note.startswith("–")]
    assert "blazepose-world-cam01" in why


def test_only_the_smallest_error_of_a_column_is_bold(result: ComparisonResult) -> None:
    (table,) = [table for table in page_tables(result) if table.title == "Position errors"]
    root = [words for words, _, _ in table.header[1:]].index("root MPJPE")
    best = [name for name, _, cells in table.rows if cells[root].best]
    assert best == ["stereo-cam03-cam04"]


def test_what_was_missing_is_counted(result: ComparisonResult) -> None:
    (table,) = [table for table in page_tables(result) if table.title.startswith("What was measured")]
    kinds = [words for words, _, _ in table.header[1:]]
    row = {name: dict(zip(kinds, (c.text for c in cells), strict=True)) for name, _, cells in table.rows}
    assert row["stereo-cam03-cam04"]["missing"] == "16"
    assert row["stereo-cam03-cam04"]["missing alone"] == "16"
    assert row["multiview"]["measured"] == "1200"


def test_what_the_angles_are_stands_before_their_numbers(squats: Squats) -> None:
    angles = {name: joint_angles(sequence) for name, sequence in squats.items()}
    tables = page_tables(compare_methods(squats, angles, reference="multiview"))
    titles = [table.title for table in tables]
    assert titles.index("What the angles are") < min(
        i for i, t in enumerate(titles) if t.startswith(("Joint a", "Ran"))
    )
    (table,) = [table for table in tables if table.title == "What the angles are"]
    shown = {name.removeprefix("left_").removeprefix("right_") for series in angles.values() for name in series.names}
    rows = {name: [cell.text for cell in cells] for name, _, cells in table.rows}
    assert [name.replace(" ", "_") for name in rows] == [d.name for d in DEFINITIONS if d.name in shown]
    assert {"knee_flexion", "trunk_inclination"} <= shown
    knee, span, sign = rows["knee flexion"]
    assert "hip-knee-ankle" in knee
    assert (span, sign) == ("0° to 180°", "no sign")
    assert any("contracture" in note for note in table.notes)


def test_a_signed_angle_is_marked(result: ComparisonResult) -> None:
    protocol = result.protocol | {
        "angle_definitions": {"ankle_angle": "0 = foot square to the shank"},
        "angle_intervals_deg": {"ankle_angle": [-90, 90]},
    }
    (table,) = [t for t in page_tables(replace(result, protocol=protocol)) if t.title == "What the angles are"]
    assert [cell.text for cell in table.rows[0][2]][1:] == ["−90° to 90°", "signed"]
    assert table.notes == ()


def test_reprojection_errors_per_camera_and_overall(result: ComparisonResult) -> None:
    def rows(protocol: dict[str, object]) -> list[tuple[str, str]]:
        (table,) = [t for t in page_tables(replace(result, protocol=protocol)) if t.title.startswith("How well")]
        assert table.header[1][1] == "px"
        return [(name, cells[0].text) for name, _, cells in table.rows]

    assert rows(result.protocol) == [("cam01", "3.21"), ("cam02", "4.00")]
    together = result.protocol | {"reprojection_px_median_all": 3.456}
    assert rows(together) == [("cam01", "3.21"), ("cam02", "4.00"), ("all cameras together", "3.46")]


def test_pairs_are_rows_because_they_are_many(pairs: ComparisonResult) -> None:
    (table,) = [table for table in page_tables(pairs) if table.title == "Joint angles: typical difference"]
    assert len(table.rows) == 1 + 21
    assert table.rows[0][0] == "samples (count)"
    assert table.header[1] == ("left knee flexion", "°", None)
    first = pairs.pairs[0]
    assert table.rows[1][0] == f"{first.a} / {first.b}"
    assert table.rows[1][2][0].text == f"{first.angles['left_knee_flexion'].rmse_deg:.1f}"


def test_tables_parse_back(tmp_path: Path, result: ComparisonResult) -> None:
    paths = write_tables(tmp_path / "tables", result)
    assert [path.name for path in paths] == ["methods.csv", "per_joint.csv", "angles.csv", "time_shifts.csv"]
    with paths[0].open(newline="", encoding="utf-8") as stream:
        rows = {row["method"]: row for row in csv.DictReader(stream)}
    assert float(rows["stereo-cam01-cam02"]["pa_mpjpe_mm"]) == result.methods["stereo-cam01-cam02"].pa_mpjpe_mm
    assert rows["blazepose-world-cam01"]["mpjpe_mm"] == ""
    with paths[2].open(newline="", encoding="utf-8") as stream:
        assert len(list(csv.DictReader(stream))) == 7 * 9
    with paths[3].open(newline="", encoding="utf-8") as stream:
        assert {float(row["shift_s"]) for row in csv.DictReader(stream)} == {-0.1, 0.1}


def test_a_method_named_like_a_formula_is_text_in_a_spreadsheet(
    tmp_path: Path, squats: Squats, squat_angles: Angles
) -> None:
    names = {
        "=1+1": "multiview",
        "@b": "stereo-cam01-cam02",
        "-c": "stereo-cam03-cam04",
        "d=1": "blazepose-world-cam01",
    }
    made = compare_methods(
        {name: squats[own] for name, own in names.items()},
        {name: squat_angles[own] for name, own in names.items()},
        reference="=1+1",
    )
    paths = {path.stem: path for path in write_tables(tmp_path, made)}
    for path in paths.values():
        with path.open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
        with_reference = path.stem != "time_shifts"  # in which the reference itself has no row
        assert {row["method"] for row in rows} == {"'@b", "'-c", "d=1"} | ({"'=1+1"} if with_reference else set())
        assert {row["reference"] for row in rows} == {"'=1+1"} | ({""} if with_reference else set())
    with paths["angles"].open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    biases = [a.bias_deg for m in made.methods.values() for a in m.angles.values()]
    assert [float(row["bias_deg"]) for row in rows if row["bias_deg"]] == [b for b in biases if b is not None]
    assert min(b for b in biases if b is not None) < 0  # a number keeps its minus
    assert set(made.to_json()["methods"]) == set(names)


# ---- the page --------------------------------------------------------------------------------------------------------


def test_the_page_is_one_file_that_asks_for_nothing(tmp_path: Path, result: ComparisonResult, still: Path) -> None:
    made = page(
        tmp_path / "deep" / "report.html",
        ReportContent("Squat", result, "Two squats.", {"angle_curves": still}, {"cam01": (still, "A still.")}),
    )
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["report.html"]
    assert not made.all("script")
    for _, attributes in made.elements:
        for name in ("src", "href"):
            assert re.match(r"(data:|videos/|tables/|results\.json)", attributes.get(name) or "data:"), attributes
    assert not re.search(r"url\(|@import|https?:", made.source)
    (policy,) = [a["content"] for a in made.all("meta") if a.get("http-equiv") == "Content-Security-Policy"]
    assert "default-src 'none'" in str(policy)


def test_the_page_contains_all_parts(tmp_path: Path, result: ComparisonResult, still: Path) -> None:
    made = page(
        tmp_path / "report.html",
        ReportContent(
            "Squat",
            result,
            "Two squats of one person.",
            {"angle_curves": still},
            {"cam 1": (still, "cam 1, with its joints.")},
            {"method multiview": ("triangulated", "not filtered")},
            ("Four cameras are no truth.",),
            ("methods.csv",),
        ),
    )
    for words in (
        "research",
        "person",
        "squats",
        "cameras",
        "filtered",
        *sentences(result),
    ):
        assert words in made.text, words
    pictures = made.all("img")
    assert len(pictures) == 2
    assert all(len(str(a["alt"])) > 10 for a in pictures)
    assert all(a.get("scope") in ("col", "row") for a in made.all("th"))
    assert [a["lang"] for a in made.all("html")] == ["en"]
    assert "videos/cam%201.mp4" in [a["href"] for a in made.all("a")]


def test_warnings_stand_above_the_answer_or_not_at_all(tmp_path: Path, result: ComparisonResult) -> None:
    doubt = "26 % of the points of multiview were lost because views disagree: check calibration & camera names."
    warned = page(tmp_path / "a.html", ReportContent("Squat", result, warnings=(doubt,)))
    assert warned.text.index(doubt) < warned.text.index(sentences(result)[0])
    (box,) = [a for a in warned.all("section") if a.get("class") == "warning"]
    assert box["role"] == "alert"
    calm = page(tmp_path / "b.html", ReportContent("Squat", result))
    assert not [a for a in calm.all("section") if a.get("class") == "warning"]


def test_hostile_names_are_text_and_not_markup(
    tmp_path: Path, squats: Squats, squat_angles: Angles, still: Path
) -> None:
    methods = {HOSTILE: squats["multiview"], "b": squats["stereo-cam01-cam02"]}
    hostile = compare_methods(
        methods,
        {HOSTILE: squat_angles["multiview"], "b": squat_angles["stereo-cam01-cam02"]},
        reference=HOSTILE,
        filter_words=HOSTILE,
        reprojection_px={HOSTILE: 1.0},
    )
    made = page(
        tmp_path / "report.html",
        ReportContent(
            HOSTILE,
            hostile,
            HOSTILE,
            {HOSTILE: (still, HOSTILE)},
            {HOSTILE: (still, HOSTILE)},
            {HOSTILE: (HOSTILE,)},
            (HOSTILE,),
            (HOSTILE,),
            (HOSTILE,),
        ),
    )
    assert not made.all("script")
    assert HOSTILE in made.text
    assert not [a for _, a in made.elements if any(name.startswith("on") for name in a)]


def test_photographs_become_jpeg_and_figures_the_smaller_of_png_and_svg(
    tmp_path: Path, result: ComparisonResult, still: Path
) -> None:
    png = tmp_path / "f.png"
    png.write_bytes(still.read_bytes())
    png.with_suffix(".svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>", encoding="utf-8")
    content = ReportContent("t", result, "", {"angle_curves": png}, {"cam01": (still, "c")})
    sources = [str(a["src"])[:20] for a in page(tmp_path / "r.html", content).all("img")]
    assert sources[0].startswith("data:image/jpeg")
    assert sources[1].startswith("data:image/svg+xml"[:20])


def test_a_missing_image_is_named(tmp_path: Path, result: ComparisonResult, still: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.png"):
        write_report(tmp_path / "r.html", ReportContent("t", result, "", {"angle_curves": tmp_path / "gone.png"}))
    still.write_bytes(b"not a picture")
    with pytest.raises(InputError, match=r"still\.png"):
        write_report(tmp_path / "r.html", ReportContent("t", result, "", {}, {"cam01": (still, "c")}))
    assert not (tmp_path / "r.html").exists()


def test_a_result_read_from_its_file_gives_the_same_page(tmp_path: Path, result: ComparisonResult) -> None:
    result.save(tmp_path / "results.json")
    write_report(tmp_path / "a.html", ReportContent("t", result))
    write_report(tmp_path / "b.html", ReportContent("t", ComparisonResult.load(tmp_path / "results.json")))
    assert (tmp_path / "a.html").read_text("utf-8") == (tmp_path / "b.html").read_text("utf-8")


def test_chromium_opens_the_page_without_an_error_or_a_request(
    tmp_path: Path, result: ComparisonResult, squat_angles: Angles, opened
) -> None:
    picture, _ = canvas.save(trial_figures.angle_curves(squat_angles, "multiview"), tmp_path, "angle_curves")
    content = ReportContent("Squat", result, "Two squats.", {"angle_curves": picture})
    write_report(tmp_path / "report.html", content)
    console, requests, shown = opened(tmp_path, tmp_path / "report.html")
    assert console == []
    assert requests == []
    assert shown.shape == (2400, 1280, 3)
    reference_black = (shown[600:2000, 100:1180] < 40).all(axis=2).mean()
    assert reference_black > 0.002  # the heavy curves of the figure are on the page


def test_chromium_would_tell_of_an_error_and_a_request(tmp_path: Path, opened) -> None:
    bad = tmp_path / "bad.html"
    bad.write_text("<img src='http://127.0.0.1:9/x.png'><script>console.error('told')</script>", encoding="utf-8")
    console, requests, _ = opened(tmp_path, bad)
    assert any("told" in line for line in console)
    assert requests == ["http://127.0.0.1:9/x.png"]


def test_a_wrong_clock_and_constant_offsets_have_tables(result: ComparisonResult) -> None:
    tables = {table.title: table for table in page_tables(result)}
    shifts = tables["Effect of a clock error"]
    estimates = [name for name, method in result.methods.items() if not method.is_reference]
    assert [row[0] for row in shifts.rows] == [f"{name}, {sign}0.1 s" for name in estimates for sign in ("−", "+")]
    moved = result.methods[estimates[0]].time_shifts["-0.1"].change.pa_mpjpe_mm
    titles = [title for title, _, _ in shifts.header]
    assert shifts.rows[0][2][titles.index("PA-MPJPE") - 1].text == f"{moved:+.1f}".replace("-", "−")
    offsets = tables["Constant offset of each joint"]
    assert len(offsets.rows) == len(estimates) * 12
    own = result.methods[estimates[0]].per_joint["left_shoulder"]
    assert offsets.rows[0][0] == f"{estimates[0]}: left shoulder"
    assert [cell.text for cell in offsets.rows[0][2]] == [
        f"{own.rigid_mpjpe_mm:.1f}",
        f"{own.definition_offset_mm:.1f}",
        f"{own.without_offset_mm:.1f}",
    ]
    assert any("0.1 s" in sentence for sentence in sentences(result))
