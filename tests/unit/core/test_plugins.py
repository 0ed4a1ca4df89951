"""Entry points of other packages, and registries: each name once, and one clear line if a package cannot be used."""

import sys

import pytest

from gonio.core import plugins
from gonio.core.errors import InputError, PluginError
from gonio.core.plugins import Registry

GROUP = "gonio.tests"


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Installs a fake distribution: its name, its module's source, and its entry points of one group."""

    def install(name, source, entry_points, group=GROUP):
        folder = tmp_path / name
        (folder / f"{name}-1.2.dist-info").mkdir(parents=True)
        (folder / f"{name}.py").write_text(source, encoding="utf-8")
        (folder / f"{name}-1.2.dist-info" / "METADATA").write_text(f"Name: {name}\nVersion: 1.2\n", encoding="utf-8")
        lines = [f"[{group}]", *(f"{key} = {value}" for key, value in entry_points.items())]
        (folder / f"{name}-1.2.dist-info" / "entry_points.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
        monkeypatch.syspath_prepend(folder)

    plugins.load.cache_clear()
    yield install
    plugins.load.cache_clear()
    for name in ("acme", "other"):
        sys.modules.pop(name, None)


def test_a_group_without_plugins_is_empty():
    assert plugins.load("gonio.no_such_group") == ()


def test_a_plugin_is_loaded_once_and_not_before_it_is_needed(installed):
    installed("acme", "loaded = []\nloaded.append(1)\nSEVEN = 7\nEIGHT = 8", {"b": "acme:EIGHT", "a": "acme:SEVEN"})
    registry = Registry(GROUP, int, {"one": 1})
    assert registry["one"] == 1
    assert "one" in registry
    assert "acme" not in sys.modules
    assert registry["a"] == 7
    assert dict(registry) == {"one": 1, "a": 7, "b": 8}
    assert len(registry) == 3
    assert plugins.load(GROUP) is plugins.load(GROUP) == (("a", 7), ("b", 8))


@pytest.mark.parametrize("target", ["acme:MISSING", "no_such_module:SEVEN"])
def test_a_plugin_that_cannot_be_loaded_is_named(installed, target):
    installed("acme", "SEVEN = 7", {"seven": target})
    with pytest.raises(PluginError, match=r"acme 1\.2.*seven"):
        plugins.load(GROUP)


def test_two_packages_with_the_same_name_are_refused(installed):
    installed("acme", "SEVEN = 7", {"seven": "acme:SEVEN"})
    installed("other", "SEVEN = 7", {"seven": "other:SEVEN"})
    with pytest.raises(PluginError, match=r"acme 1\.2.*other 1\.2.*seven"):
        plugins.load(GROUP)


def test_a_plugin_of_the_wrong_type_or_with_a_taken_name_is_refused(installed):
    installed("acme", "SEVEN = 7", {"seven": "acme:SEVEN"})
    with pytest.raises(PluginError, match=r"acme 1\.2.*str"):
        list(Registry(GROUP, str, {}))
    with pytest.raises(PluginError, match=r"acme 1\.2.*seven"):
        list(Registry(GROUP, int, {"seven": 8}))


def test_a_program_registers_each_name_once():
    registry = Registry(GROUP, int, {"one": 1})
    registry.register("two", 2)
    registry.register("two", 2)
    assert dict(registry) == {"one": 1, "two": 2}
    with pytest.raises(InputError, match="two"):
        registry.register("two", 3)
    with pytest.raises(InputError, match="one"):
        registry.register("one", 3)
    with pytest.raises(InputError, match="str"):
        registry.register("three", "3")
    assert dict(registry) == {"one": 1, "two": 2}
