"""Writing without leaving half a file: to a temporary name beside the target, then renamed."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from gonio.errors import InputError


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yields a temporary path, of the same name; on success it replaces `path`, on an error it is removed.

    The caller may create a file or a folder there. Raises `InputError` where `path` cannot be written.
    """
    path = Path(path)
    if path.name in ("", ".."):
        raise InputError(f"{path}: is no name of a file or folder to write; choose one with -o")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror}); choose another place with -o") from None
    temporary = scratch / path.name
    try:
        yield temporary
        try:
            _replace(temporary, path, scratch / f"{path.name}.previous")
        except OSError as error:
            raise InputError(f"{path}: cannot be replaced ({error.strerror})") from None
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _replace(new: Path, target: Path, aside: Path) -> None:
    """`new` becomes `target`. A folder needs two steps: the old one is set aside, and put back if the second fails."""
    if not (target.is_dir() and new.is_dir()):
        new.replace(target)
        return
    target.rename(aside)
    try:
        new.rename(target)
    except OSError:
        aside.rename(target)
        raise
