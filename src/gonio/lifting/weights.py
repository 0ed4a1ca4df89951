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
    """A file of weights: the one that is asked for, by path or by the name of shipped ones; else the default.

    causal  the default is the causal network

    Raises `InputError` naming what there is.
    """
    if requested is not None and (requested.exists() or requested.suffix):
        return requested
    name = (CAUSAL if causal else SYMMETRIC) if requested is None else requested.name
    if name in shipped_weights():
        return FOLDER / f"{name}.safetensors"
    has = ", ".join(shipped_weights()) or "none"
    raise InputError(f"{name}: no such file, and no weights of this name come with gonio (it has {has})")
