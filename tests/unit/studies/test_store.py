"""The lock of a study's folder, as Windows has it."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from gonio.core.errors import InputError
from gonio.studies import store


@pytest.fixture
def on_windows(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module as it is loaded on Windows, whose `msvcrt.locking` refuses a byte that is locked already."""
    locked: set[tuple[int, int]] = set()

    def locking(descriptor: int, mode: int, n_bytes: int) -> None:
        status = Path(f"/proc/self/fd/{descriptor}").resolve().stat()
        assert (mode, n_bytes) == (2, 1)
        if (status.st_dev, status.st_ino) in locked:
            raise PermissionError(13, "Permission denied")
        locked.add((status.st_dev, status.st_ino))

    monkeypatch.setitem(sys.modules, "msvcrt", SimpleNamespace(locking=locking, LK_NBLCK=2))
    monkeypatch.setattr(sys, "platform", "win32")
    spec = importlib.util.spec_from_file_location("store_on_windows", store.__file__)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "store_on_windows", module)
    spec.loader.exec_module(module)
    monkeypatch.undo()
    monkeypatch.setitem(sys.modules, "store_on_windows", module)
    return module


@pytest.mark.skipif(sys.platform != "linux", reason="finds files by their descriptors in /proc")
def test_two_runs_in_one_folder_are_refused_on_windows(on_windows: ModuleType, tmp_path: Path) -> None:
    with on_windows.Store(tmp_path).locked(), pytest.raises(InputError, match="another run"):
        on_windows.Store(tmp_path).locked().__enter__()
