"""Fixtures that all tests share."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("gonio", deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine
settings.load_profile("gonio")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real recordings: `../shared/data` beside the project, or GONIO_DATA. Skips where there is none."""
    root = Path(__file__).resolve().parents[1]
    folder = Path(os.environ.get("GONIO_DATA", root.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real recordings at {folder}; set GONIO_DATA to their folder")
    return folder


def open_in_chromium(folder: Path, file: Path) -> tuple[list[str], list[str], np.ndarray]:
    """What a headless Chromium says on its console, what the page asks for besides itself, and how it looks."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no chromium on this machine; apt-get install chromium")
    options = "headless no-sandbox disable-gpu disable-component-update disable-background-networking hide-scrollbars"
    done = subprocess.run(
        [
            browser,
            *(f"--{option}" for option in options.split()),
            "--enable-logging=stderr",
            "--v=0",
            "--host-resolver-rules=MAP * ~NOTFOUND",  # the browser's own calls do not leave either
            "--window-size=1280,2400",
            f"--user-data-dir={folder / 'profile'}",
            f"--log-net-log={folder / 'net.json'}",
            f"--screenshot={folder / 'shot.png'}",
            file.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    log = json.loads((folder / "net.json").read_text(encoding="utf-8"))
    start = log["constants"]["logEventTypes"]["URL_REQUEST_START_JOB"]
    started = [
        event["params"] for event in log["events"] if event["type"] == start and "url" in event.get("params", {})
    ]
    by_the_page = [params["url"] for params in started if params.get("initiator") != "not an origin"]
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    return console, by_the_page, cv2.imread(str(folder / "shot.png"))


@pytest.fixture(scope="session")
def opened():
    """`open_in_chromium`: a page as a browser shows it."""
    return open_in_chromium
