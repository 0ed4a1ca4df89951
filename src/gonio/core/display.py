"""How values show themselves: a few lines of text, the same as HTML in a notebook, a figure, a table.

Drawing lies in `gonio.report`, above the nouns. A value loads it by name when `plot` is called, as pandas loads its
plotting backend, so that `core` imports numpy alone.
"""

from __future__ import annotations

import html
import importlib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from gonio.core.arrays import FloatArray
from gonio.core.errors import MissingExtraError

if TYPE_CHECKING:
    import pandas
    from matplotlib.figure import Figure

LONGEST_ROW = 200  # characters of a row; the rest is left out
MOST_ROWS = 20

Rows = Iterable[tuple[str, str]]


class Displayed:
    """A value that prints as a title and a few rows. A subclass gives `_title` and `_rows`."""

    def _title(self) -> str:
        """The first line: what the value is and how much it holds."""
        raise NotImplementedError

    def _rows(self) -> Rows:
        """(label, text) of each row below the title; a row without text is left out."""
        raise NotImplementedError

    def __repr__(self) -> str:
        rows = _shown(self._rows())
        width = max((len(label) for label, _ in rows), default=0)
        return "\n".join([self._title(), *(f"  {label:{width}}  {text}" for label, text in rows)])

    def _repr_html_(self) -> str:
        """The same as a small table, for notebooks."""
        cells = "".join(
            f'<tr><th style="text-align:left">{html.escape(label)}</th>'
            f'<td style="text-align:left">{html.escape(text)}</td></tr>'
            for label, text in _shown(self._rows())
        )
        return f"<p><strong>{html.escape(self._title())}</strong></p><table>{cells}</table>"


def _shown(rows: Rows) -> list[tuple[str, str]]:
    """The rows that have text, each on one line of bearable length."""
    shown = [(label, " ".join(text.split())) for label, text in rows if text]
    shown = [(label, text if len(text) <= LONGEST_ROW else f"{text[: LONGEST_ROW - 4]} ...") for label, text in shown]
    if len(shown) > MOST_ROWS:
        shown = [*shown[: MOST_ROWS - 1], ("...", f"{len(shown) - MOST_ROWS + 1} more")]
    return shown


def plotted(function: str, *values: Any, **options: Any) -> Figure:
    """The figure that a function of `gonio.report.value_figures` draws of a value."""
    figure: Figure = getattr(importlib.import_module("gonio.report.value_figures"), function)(*values, **options)
    return figure


def span(times_s: FloatArray, rate_hz: float) -> str:
    """First and last time, and the rate, e.g. "0.000 to 9.983 s at 60.00 Hz"."""
    if len(times_s) == 0:
        return "no frame"
    rate = f" at {rate_hz:.2f} Hz" if np.isfinite(rate_hz) else ""
    return f"{times_s[0]:.3f} to {times_s[-1]:.3f} s{rate}"


def shares(counts: Mapping[str, int]) -> str:
    """Counts as percentages of their sum, without those that are 0, e.g. "98.2 % measured, 1.8 % missing"."""
    total = sum(counts.values())
    return ", ".join(f"{100 * count / total:.1f} % {name}" for name, count in counts.items() if count) if total else ""


def data_frame(columns: Mapping[str, Any], **attributes: Any) -> pandas.DataFrame:
    """A pandas DataFrame of columns of one length; `attributes` go into its `attrs`.

    Raises `MissingExtraError` if pandas is not installed.
    """
    try:
        import pandas as pd  # noqa: PLC0415
    except ImportError:
        raise MissingExtraError("to_dataframe needs pandas: pip install 'gonio[pandas]'") from None
    frame = pd.DataFrame(dict(columns))
    frame.attrs = attributes
    return frame


def xarray_module() -> Any:
    """The module xarray. Raises `MissingExtraError` if it is not installed."""
    try:
        import xarray  # noqa: PLC0415
    except ImportError:
        raise MissingExtraError("to_xarray needs xarray: pip install 'gonio[xarray]'") from None
    return xarray
