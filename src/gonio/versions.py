"""What numbers depend on besides the data: for every protocol and record."""

from __future__ import annotations

import contextlib
import platform
from importlib import metadata

import gonio

PACKAGES = ("numpy", "scipy", "av", "opencv-python-headless", "ai-edge-litert", "matplotlib")


def versions() -> dict[str, str]:
    """gonio, Python and the packages that numbers depend on."""
    found = {"gonio": gonio.__version__, "python": platform.python_version()}
    for package in PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return found
