"""Formats that a program or an installed package adds."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import gonio
from gonio.core import plugins
from gonio.core.errors import InputError, PluginError
from gonio.core.plugins import Registry
from gonio.core.skeleton import BODY_25, H36M_17
from gonio.io import formats, registry
from gonio.io.registry import FORMATS, Format


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """gonio's own formats alone."""
    own = {form.key: form for form in FORMATS}
    monkeypatch.setattr(registry, "_REGISTRY", Registry("gonio.formats", Format, own))
    plugins.load.cache_clear()
    yield
    plugins.load.cache_clear()
    sys.modules.pop("acme_format", None)


def module(item: Any = None, dimensions: int | None = None) -> SimpleNamespace:
    """A format's functions: files begin with "acme"; they hold `item`."""
    held = SimpleNamespace(written=[])
    held.recognise = lambda path: path.read_bytes().startswith(b"acme")
    held.read = lambda path, **_: item
    held.write = lambda given, path: (held.written.append(given), path.write_text("acme"), ("colours",))[2]
    if dimensions is not None:
        held.dimensions = lambda path: dimensions
    return held


def acme(**changes: Any) -> Format:
    values: dict[str, Any] = {"key": "acme", "name": "Acme", "description": "joints", "suffixes": (".acme",)}
    return Format(**values | {"module": module()} | changes)


def standing(dimensions: int = 3) -> gonio.PoseSequence:
    positions = np.random.default_rng(0).normal(0, 0.5, (3, 17, dimensions))
    unit, frame = ("m", "world") if dimensions == 3 else ("px", "image")
    return gonio.PoseSequence(positions, np.arange(3) / 50, H36M_17, unit, frame)  # type: ignore[arg-type]


def crowd() -> gonio.Detections:
    positions = np.random.default_rng(0).uniform(5, 400, (3, 2, 25, 2))
    return gonio.Detections(positions, np.ones((3, 2, 25)), np.arange(3) / 50, BODY_25)


def test_a_registered_format_is_read_and_written(tmp_path: Path) -> None:
    held = module(standing())
    gonio.register_format(acme(module=held))
    assert gonio.write(standing(), tmp_path / "x.acme") == ("colours",)
    assert len(held.written) == 1
    assert gonio.read(tmp_path / "x.acme") is held.read(None)
    assert formats.dimensions(tmp_path / "x.acme") == 3
    assert registry.claims(tmp_path / "y.acme")
    with pytest.raises(InputError, match=r"\.acme"):
        gonio.write(standing(), tmp_path / "x.acmee")


def test_the_module_tells_the_dimensions_if_it_can(tmp_path: Path) -> None:
    gonio.register_format(acme(module=module(dimensions=2)))
    (tmp_path / "x.acme").write_text("acme")
    assert formats.dimensions(tmp_path / "x.acme") == 2


def test_a_format_with_the_ending_of_another_is_read_after_it(tmp_path: Path) -> None:
    gonio.register_format(acme(suffixes=(".trc",), module=module(standing())))
    (tmp_path / "x.trc").write_text("acme")
    assert registry.recognise(tmp_path / "x.trc").key == "acme"
    gonio.write(standing(), tmp_path / "y.trc")
    assert registry.recognise(tmp_path / "y.trc").key == "trc"


def test_a_registered_folder(tmp_path: Path) -> None:
    held = module(standing())
    held.recognise = lambda path: (path / "acme").exists()
    gonio.register_format(acme(suffixes=("_acme",), folder=True, module=held))
    assert registry.target(tmp_path / "x_acme").key == "acme"
    assert registry.target(tmp_path / "x").key == "openpose_json"
    (tmp_path / "x_acme").mkdir()
    with pytest.raises(InputError, match="Acme"):
        gonio.read(tmp_path / "x_acme")
    (tmp_path / "x_acme" / "acme").touch()
    assert gonio.read(tmp_path / "x_acme") is held.read(None)


def test_what_a_format_cannot_hold_does_not_reach_its_module(tmp_path: Path) -> None:
    held = module()
    gonio.register_format(acme(module=held, dimensions=(3,)))
    with pytest.raises(InputError, match="2D"):
        gonio.write(standing(2), tmp_path / "x.acme")
    with pytest.raises(InputError, match="Acme"):
        gonio.write(crowd(), tmp_path / "x.acme")
    with pytest.raises(InputError, match="2"):
        gonio.write({"a": standing(), "b": standing()}, tmp_path / "x.acme")
    assert held.written == []


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"key": "trc"}, "trc"),
        ({"suffixes": ()}, "suffix"),
        ({"suffixes": ("acme",)}, "'acme'"),
        ({"suffixes": (".ACME",)}, r"'\.ACME'"),
        ({"options": ("colour",)}, "'colour'"),
    ],
)
def test_formats_that_are_refused(changes: dict[str, Any], word: str) -> None:
    with pytest.raises(InputError, match=word):
        gonio.register_format(acme(**changes))


def test_another_thing_is_no_format() -> None:
    with pytest.raises(InputError, match="str"):
        gonio.register_format("acme")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("broken", "word"),
    [("no.such.module", "no.such.module"), (SimpleNamespace(recognise=bool), "'read'")],
)
def test_a_module_that_cannot_be_used(tmp_path: Path, broken: Any, word: str) -> None:
    gonio.register_format(acme(module=broken))
    (tmp_path / "x.acme").write_text("acme")
    with pytest.raises(PluginError, match=rf"'acme'.*{word}"):
        gonio.read(tmp_path / "x.acme")


SOURCE = """
from gonio import Format
FORMAT = Format(
    key="acme", name="Acme", description="joints", suffixes=(".acme",), module="acme_format", writable=False
)
recognise = lambda path: True
def read(path):
    raise NotImplementedError
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Installs a fake distribution with one module, acme_format, and one entry point."""

    def installed(source: str, entry_point: str) -> None:
        about = tmp_path / "site" / "acme_format-1.2.dist-info"
        about.mkdir(parents=True)
        (tmp_path / "site" / "acme_format.py").write_text(source)
        (about / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-format\nVersion: 1.2\n")
        (about / "entry_points.txt").write_text(f"[gonio.formats]\n{entry_point}\n")
        monkeypatch.syspath_prepend(tmp_path / "site")

    return installed


def test_an_installed_format_is_loaded_when_no_other_fits(install: Callable[[str, str], None], tmp_path: Path) -> None:
    install(SOURCE, "acme = acme_format:FORMAT")
    gonio.write(standing(), tmp_path / "x.trc")
    gonio.read(tmp_path / "x.trc")
    assert "acme_format" not in sys.modules
    (tmp_path / "x.acme").write_text("acme")
    assert registry.recognise(tmp_path / "x.acme").name == "Acme"
    assert "acme_format" in sys.modules
    with pytest.raises(InputError, match="acme"):
        gonio.write(standing(), tmp_path / "x.acme")  # it is only read
    with pytest.raises(InputError, match="acme"):
        gonio.register_format(acme())


@pytest.mark.parametrize(
    ("source", "entry_point", "word"),
    [
        ("raise RuntimeError('no licence')", "acme = acme_format:FORMAT", r"1.2."),
        (SOURCE, "acme = acme_format:FORMATS", "acme-format 1.2.*FORMATS"),
        (SOURCE, "other = acme_format:FORMAT", "'other'.*'acme'"),
        ("FORMAT = 3", "acme = acme_format:FORMAT", "acme-format 1.2.*int"),
        (SOURCE.replace('key="acme"', 'key="trc"'), "trc = acme_format:FORMAT", "acme-format 1.2.*trc"),
    ],
)
def test_a_package_that_cannot_be_used_costs_only_its_own_files(
    install: Callable[[str, str], None], tmp_path: Path, source: str, entry_point: str, word: str
) -> None:
    install(source, entry_point)
    gonio.write(standing(), tmp_path / "x.trc")
    gonio.read(tmp_path / "x.trc")
    (tmp_path / "x.acme").write_text("acme")
    with pytest.raises(PluginError, match=word) as raised:
        gonio.read(tmp_path / "x.acme")
    assert "\n" not in str(raised.value)


def test_importing_gonio_loads_no_package(install: Callable[[str, str], None], tmp_path: Path) -> None:
    install(SOURCE, "acme = acme_format:FORMAT")
    code = "import sys, gonio.io.formats; print('acme_format' in sys.modules)"
    found = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(tmp_path / 'site')!r}); {code}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.strip() == "False"


def test_every_key_and_name_is_there_once() -> None:
    assert len({form.key for form in FORMATS}) == len({form.name for form in FORMATS}) == len(FORMATS)
    assert replace(FORMATS[0], key="other") != FORMATS[0]
