"""How a file came to be: written beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gonio.config import as_plain
from gonio.core.files import replacing
from gonio.versions import OF_EXTRAS, versions


def provenance_path(output: Path) -> Path:
    """Where the provenance of one output file lies: beside it."""
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


def write_json(path: Path, content: Any) -> None:
    """Content as JSON that any reader takes. Raises `ValueError` for NaN."""
    path.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")
