"""What the pages share: their look, tables as values, images inside the file."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2
import numpy as np
from markupsafe import Markup

from gonio.core.errors import InputError
from gonio.core.files import replacing

DISCLAIMER = "For research; not a medical device."

_TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Cell:
    """One cell of a table: its text, and whether it is the smallest error of its column."""

    text: str
    best: bool = False


@dataclass(frozen=True)
class Table:
    """A table of the page.

    header    (title, unit, method whose colour it has or None) of each column
    rows      (row header, its method or None, cells)
    notes     below the table in small print
    of_words  its cells are text, not numbers
    """

    title: str
    caption: str
    header: tuple[tuple[str, str, str | None], ...]
    rows: tuple[tuple[str, str | None, tuple[Cell, ...]], ...]
    notes: tuple[str, ...] = ()
    folded: bool = False
    of_words: bool = False


def write_page(path: Path, template: str, values: Mapping[str, Any]) -> None:
    """Fills a template and writes it. Raises `InputError` if `path` cannot be written."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["words"] = lambda text: str(text).replace("_", " ")
    environment.filters["url"] = lambda text: quote(str(text))
    style = Markup(_TEMPLATES.joinpath("report.css").read_text(encoding="utf-8"))
    page = environment.get_template(template).render(**values, style=style, disclaimer=DISCLAIMER)
    with replacing(Path(path)) as temporary:
        temporary.write_text(page, encoding="utf-8", newline="\n")


def figure_uri(path: Path) -> str:
    """The image, or the .svg of the same name if that is smaller, as a data URI."""
    path = Path(path)
    vector = path.with_suffix(".svg")
    data = _read(path)
    if vector.is_file() and vector.stat().st_size < len(data):
        path, data = vector, _read(vector)
    return _uri(data, path.suffix)


def photo_uri(path: Path) -> str:
    """A photograph as JPEG, which is a tenth of its PNG."""
    import cv2  # noqa: PLC0415

    data = _read(path)
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
    if image is None:
        raise InputError(f"{path}: not an image that can be read; render the videos again")
    _, small = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 88])
    return _uri(np.asarray(small).tobytes(), ".jpg")


def _read(path: Path) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"{path}: the image cannot be read ({error.strerror}); draw the figures again") from None


def _uri(data: bytes, suffix: str) -> str:
    kinds = {".png": "image/png", ".svg": "image/svg+xml", ".jpg": "image/jpeg", ".jpeg": "image/jpeg"}
    if suffix.lower() not in kinds:
        raise InputError(f"an image of the report is {suffix!r}; it shows {', '.join(kinds)}")
    return f"data:{kinds[suffix.lower()]};base64,{base64.b64encode(data).decode('ascii')}"
