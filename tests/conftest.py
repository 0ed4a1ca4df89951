"""Fixtures that all tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real recordings: `../shared/data` beside the project, or GONIO_DATA. Skips where there is none."""
    root = Path(__file__).resolve().parents[1]
    folder = Path(os.environ.get("GONIO_DATA", root.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real recordings at {folder}; set GONIO_DATA to their folder")
    return folder
