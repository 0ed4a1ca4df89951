"""The options of the detectors on the command line, taken from the detectors' own dataclasses.

The commands `compare`, `detect` and `evaluate-2d` have a parameter `options` of the empty dataclass `DetectorOptions`.
`show_detector_options` gives the parameter of the command that runs a child of it, with one field for each option. A
field's help is the text that stands under it in the detector's dataclass.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import textwrap
import typing
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Annotated, Any

from tyro.conf import arg


@dataclass(frozen=True)
class DetectorOptions:
    """Options of the detector."""

    def values(self) -> dict[str, Any]:
        """option -> value."""
        return {option.metadata["option"]: getattr(self, option.name) for option in dataclasses.fields(self)}

    def given(self) -> dict[str, Any]:
        """option -> value, as far as it differs from the default."""
        defaults = {option.metadata["option"]: option.default for option in dataclasses.fields(self)}
        return {option: value for option, value in self.values().items() if value != defaults[option]}


Options = Annotated[DetectorOptions, arg(name="")]


def show_detector_options(command: Callable[..., None]) -> None:
    """Give the command's parameter `options` the options of all detectors that come with gonio.

    An option with the name of one of the command's own parameters gets the prefix "detector-".
    """
    taken = inspect.signature(command).parameters
    command.__annotations__["options"] = Annotated[_options(taken), arg(name="")]


def _options(taken: Collection[str]) -> type[DetectorOptions]:
    from gonio.detection.registry import BUILT_IN, entry

    helps: dict[str, list[str]] = {}
    kinds: dict[str, tuple[Any, Any]] = {}
    for detector in BUILT_IN:
        owner = entry(detector).options
        hints, texts = typing.get_type_hints(owner), field_texts(owner)
        for option in dataclasses.fields(owner):
            kinds[option.name] = hints[option.name], option.default
            helps.setdefault(option.name, []).append(f"{detector}: {texts.get(option.name, '')}")
    options = [
        (
            f"detector_{name}" if name in taken else name,
            Annotated[kind, arg(help=" ".join(helps[name]))],
            dataclasses.field(default=default, metadata={"option": name}),
        )
        for name, (kind, default) in kinds.items()
    ]
    return dataclasses.make_dataclass("DetectorOptions", options, bases=(DetectorOptions,), frozen=True)


def field_texts(kind: type) -> dict[str, str]:
    """field -> the text that stands under it in the source of a dataclass; empty if there is no source."""
    try:
        (tree,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    except (OSError, TypeError):
        return {}
    assert isinstance(tree, ast.ClassDef)
    return {
        field.target.id: " ".join(text.value.value.split())
        for field, text in zip(tree.body, tree.body[1:], strict=False)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    }
