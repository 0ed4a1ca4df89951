"""Provenance: the versions that numbers depend on, and the record beside every output file."""

from __future__ import annotations

import contextlib
import platform
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from gonio.core.files import replacing, write_json
from gonio.core.settings import as_plain

VERSION = "0.1.0"
PACKAGES = ("numpy", "scipy", "av", "opencv-python-headless", "ai-edge-litert", "matplotlib")
OF_EXTRAS = ("onnxruntime", "torch", "torchvision")
"""Packages of extras, for records that are not averaged. The protocol of a comparison leaves them out, so that results
can be averaged if only one of two computers has an extra that neither used."""


def versions(more: tuple[str, ...] = ()) -> dict[str, str]:
    """Versions of gonio, Python, the packages that numbers depend on, and `more` packages, if they are installed."""
    found = {"gonio": VERSION, "python": platform.python_version()}
    for package in (*PACKAGES, *more):
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return found


def provenance_path(output: Path) -> Path:
    """The path of the provenance of an output file, beside it."""
    return output.with_name(output.name + ".provenance.json")


def write_provenance(output: Path, command: str, options: Mapping[str, Any], *steps: str) -> None:
    """`<output>.provenance.json`: the command with all its options, versions, and the steps that were applied."""
    content = {
        "command": command,
        "options": {name: as_plain(value) for name, value in options.items()},
        "versions": versions(OF_EXTRAS),
        "steps": list(steps),
    }
    with replacing(provenance_path(output)) as temporary:
        write_json(temporary, content)
