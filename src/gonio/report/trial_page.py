"""The report of a trial: one page with a summary in sentences, figures, tables and the protocol.

The page is a single file with its images inside, without scripts, and its security policy forbids network requests.
Its sentences (`trial_summary`) are computed from the numbers; nothing is tuned to one trial. A number that does not
exist is a dash, and a note under the table says why.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gonio.comparison.result import ComparisonResult
from gonio.report.page import figure_uri, photo_uri, write_page
from gonio.report.palette import method_styles
from gonio.report.trial_figures import FIGURES
from gonio.report.trial_summary import limits, sentences, words_of
from gonio.report.trial_tables import page_tables

_IN_TABLES = ("counts", "angle_definitions", "angle_intervals_deg", "reprojection_px_median_all")


@dataclass(frozen=True, eq=False)
class ReportContent:
    """What the page shows.

    figures  name in `trial_figures.FIGURES` -> its image; the .svg of the same name is taken if it is smaller
    stills   camera -> (image, caption); the page links to videos/<camera>.mp4
    notes    group -> sentences: what was decided, and each method's history
    caveats  sentences about what the reference can prove and what it cannot
    tables   names of the files in tables/
    warnings sentences about data that look wrong; shown above the summary
    assumptions  sentences on what was unknown and had to be assumed; shown among the limits
    """

    title: str
    result: ComparisonResult
    description: str = ""
    figures: Mapping[str, Path] = field(default_factory=dict)
    stills: Mapping[str, tuple[Path, str]] = field(default_factory=dict)
    notes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    caveats: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    assumptions: tuple[str, ...] = ()


def write_report(path: Path, content: ReportContent) -> None:
    """Write the page. Raises `InputError` if an image cannot be read or `path` cannot be written."""
    result = content.result
    reference = result.protocol["reference"]
    styles = method_styles(result.methods, reference)
    write_page(
        path,
        "report.html.jinja",
        {
            "content": content,
            "sentences": sentences(result),
            "limits": (*content.assumptions, *limits(result, content.caveats)),
            "figures": [
                (figure.title, figure_uri(content.figures[figure.name]), figure.caption(result))
                for figure in FIGURES
                if figure.name in content.figures
            ],
            "stills": [(camera, photo_uri(photo), caption) for camera, (photo, caption) in content.stills.items()],
            "tables": page_tables(result),
            "protocol": _protocol_rows(result.protocol),
            "gonio_version": result.protocol.get("versions", {}).get("gonio"),
            "colours": {name: style.colour for name, style in styles.items()},
            "reference": reference,
        },
    )


def _protocol_rows(protocol: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The protocol as (key, value) lines, nested keys joined; without what a table of the page shows."""
    rows: list[tuple[str, str]] = []

    def add(key: str, value: Any) -> None:
        if isinstance(value, Mapping) and value:
            for inner, item in value.items():
                add(f"{key} · {words_of(str(inner))}" if key else words_of(str(inner)), item)
        elif isinstance(value, list) and all(isinstance(item, str) for item in value):
            parts = [words_of(item) for item in value] if key in ("joints", "angles") else value
            rows.append((key, ", ".join(parts) or "none"))
        else:
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            rows.append((key, "none" if value in ({}, None) else text))

    add("", {key: value for key, value in protocol.items() if key not in _IN_TABLES})
    return rows
