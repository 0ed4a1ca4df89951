"""The detectors' weights: their names, and what to do if they cannot be fetched."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from gonio.core.errors import AssetError, ConfigError
from gonio.detection import weights as assets
from gonio.detection.weights import fetch_weights

NO_SERVER = "http://127.0.0.1:9/net.bin"  # a port on which nothing listens


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(ConfigError, match="'blazepose-heavy'"):
        fetch_weights("blazepose-hevy")


def test_without_npm_and_pip_the_message_says_so_and_what_to_do(monkeypatch, tmp_path: Path):
    monkeypatch.setenv("GONIO_CACHE", str(tmp_path))
    heavy = assets.CATALOGUE["blazepose-heavy"]
    full = assets.CATALOGUE["blazepose-full"]
    nowhere = {a.name: replace(a, files=tuple(replace(f, url=NO_SERVER) for f in a.files)) for a in (heavy, full)}
    monkeypatch.setattr(assets, "CATALOGUE", nowhere)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(AssetError, match=r"npm.*blazepose-full"):
        fetch_weights("blazepose-heavy", progress=False)
    with pytest.raises(AssetError, match=r"npm.*pip"):
        fetch_weights("blazepose-full", progress=False)


def test_importing_is_cheap():
    code = (
        "import sys, gonio.detection.weights, gonio.detection.registry; "
        "print(*[m for m in ('pooch', 'tqdm', 'requests', 'cv2', 'ai_edge_litert') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == ""
    assert run.stderr == ""
