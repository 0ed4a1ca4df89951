"""The weights that come with gonio, by name."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from gonio.core.errors import InputError

SYMMETRIC, CAUSAL = "lifter-coco17-27", "lifter-coco17-causal"
FOLDER = Path(str(resources.files("gonio"))) / "weights"


def shipped_weights() -> tuple[str, ...]:
    """Names of the weights in the package."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.safetensors")))


def weights_file(requested: Path | None = None, *, causal: bool = False) -> Path:
    """The file of the requested weights, given by path or by the name of shipped ones; default: a shipped network.

    causal  the default is the causal one

    Raises `InputError` with the names of the shipped weights.
    """
    if requested is not None and (requested.exists() or requested.suffix):
        return requested
    name = (CAUSAL if causal else SYMMETRIC) if requested is None else requested.name
    if name in shipped_weights():
        return FOLDER / f"{name}.safetensors"
    has = ", ".join(shipped_weights()) or "none"
    raise InputError(f"{name}: no such file, and no weights of this name come with gonio (it has {has})")
