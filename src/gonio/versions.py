"""What numbers depend on besides the data: for every protocol and record."""

from __future__ import annotations

import contextlib
import platform
from importlib import metadata

import gonio

PACKAGES = ("numpy", "scipy", "av", "opencv-python-headless", "ai-edge-litert", "matplotlib")
OF_EXTRAS = ("onnxruntime", "torch", "torchvision")
"""For records that are not averaged. The protocol of a comparison leaves them out: results of two computers may be
averaged though one has an extra that neither used."""


def versions(more: tuple[str, ...] = ()) -> dict[str, str]:
    """gonio, Python, the packages that numbers depend on and `more` of them, as far as they are installed."""
    found = {"gonio": gonio.__version__, "python": platform.python_version()}
    for package in (*PACKAGES, *more):
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return found
