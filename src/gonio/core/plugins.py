"""What other packages add to gonio: entry points of installed packages, and registries that a program can fill.

A package names what it adds in its `pyproject.toml`, by group; gonio loads a group when it is first needed:

    [project.entry-points."gonio.angles"]
    left_knee_valgus = "my_package.angles:LEFT_KNEE_VALGUS"
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeVar

from gonio.core.errors import InputError, PluginError

T = TypeVar("T")


@cache
def load(group: str) -> tuple[tuple[str, Any], ...]:
    """(name, object) of each entry point of the group, sorted by name; loaded once per process.

    Raises `PluginError` if an entry point cannot be loaded, or if two packages use the same name.
    """
    return tuple((name, _loaded(point)) for name, point in _points(group).items())


def _points(group: str) -> dict[str, EntryPoint]:
    found: dict[str, EntryPoint] = {}
    for point in sorted(entry_points(group=group), key=lambda point: (point.name, point.value)):
        if point.name in found and found[point.name] != point:
            raise PluginError(
                f"{_package(found[point.name])} and {_package(point)} both add {point.name!r} to {group}; "
                "uninstall one of them"
            )
        found[point.name] = point
    return found


def _loaded(point: EntryPoint) -> Any:
    try:
        return point.load()
    except Exception as error:
        raise PluginError(
            f"{_package(point)} adds {point.name!r} to {point.group}, but {point.value!r} cannot be loaded "
            f"({type(error).__name__}: {error}); update or uninstall that package"
        ) from error


def _package(point: EntryPoint) -> str:
    return "an unknown package" if point.dist is None else f"package {point.dist.name} {point.dist.version}"


class Registry(Mapping[str, T], Generic[T]):
    """Things of one kind by name: gonio's own, then those that a program registers, then those of other packages.

    A name belongs to one thing. Looking up one of gonio's own or a registered name loads no other package.

    group    of entry points
    kind     the type that everything here has
    own      gonio's own
    knows_its_name  whether things have a field `name`, which must then be their name here
    """

    def __init__(self, group: str, kind: type[T], own: Mapping[str, T], *, knows_its_name: bool = False) -> None:
        self._group, self._kind, self._knows_its_name = group, kind, knows_its_name
        self._known = dict(own)
        self._complete = False

    def register(self, name: str, value: T) -> None:
        """Add one thing. Raises `InputError` if it is of the wrong type or if another has its name."""
        wrong = self._wrong(name, value)
        if wrong:
            raise InputError(f"{name!r} cannot be registered: {wrong}")
        self._known[name] = value

    def _wrong(self, name: str, value: object) -> str:
        if not isinstance(value, self._kind):
            return f"it is a {type(value).__name__}, not a {self._kind.__name__}"
        if self._knows_its_name and getattr(value, "name", name) != name:
            return f"it is the {self._kind.__name__} {getattr(value, 'name', name)!r}; both need the same name"
        if self._known.get(name, value) != value:
            return f"gonio has another {self._kind.__name__} of that name; choose another name"
        return ""

    def _everything(self) -> dict[str, T]:
        if not self._complete:
            added = load(self._group)
            for name, value in added:
                wrong = self._wrong(name, value)
                if wrong:
                    raise PluginError(f"{_package(_points(self._group)[name])} adds {name!r} to {self._group}: {wrong}")
            self._known.update(added)
            self._complete = True
        return self._known

    def __getitem__(self, name: str) -> T:
        return self._known[name] if name in self._known else self._everything()[name]

    def __contains__(self, name: object) -> bool:
        return name in self._known or name in self._everything()

    def __iter__(self) -> Iterator[str]:
        return iter(self._everything())

    def __len__(self) -> int:
        return len(self._everything())
