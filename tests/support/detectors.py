"""Detectors of tests in the place of real ones."""

from __future__ import annotations

from typing import Any

import pytest

from gonio.detection import registry


def use_detector(monkeypatch: pytest.MonkeyPatch, name: str, detector: Any) -> None:
    """During the test this detector is made for `name`, whatever is selected."""
    row = registry.DetectorEntry(lambda _options, _selection: detector)
    monkeypatch.setitem(registry.DETECTORS._known, name, row)
