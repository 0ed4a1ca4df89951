"""A frozen dataclass as options of a command: every field, also of its sections, is an option of its own.

`training.epochs` of a training file is `--training.epochs`, `share` of the first group of motion capture
`--motion-capture.groups.0.share`. The help text of an option is the comment of its field.
"""

from __future__ import annotations

import argparse
import inspect
import re
import types
import typing
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, Literal, TypeVar

from gonio.cli.parser import Parser, add_switch
from gonio.core.errors import ConfigError

T = TypeVar("T")


def add_config(parser: Parser, config: Any, prefix: str = "") -> None:
    """Add an option for every field of `config`; the values of `config` are shown as defaults."""
    title = _option(prefix.rstrip("."))
    group = parser.add_argument_group(title or "training file", (type(config).__doc__ or "").partition("\n")[0])
    hints, comments = typing.get_type_hints(type(config)), _comments(type(config))
    sections: list[tuple[Any, str]] = []
    for field in fields(config):
        value, name = getattr(config, field.name), prefix + field.name
        if is_dataclass(value):
            sections.append((value, f"{name}."))
        elif _is_list_of_sections(value):
            sections += [(section, f"{name}.{i}.") for i, section in enumerate(value)]
        elif _is_option(hints[field.name]):
            add_field(group, name, hints[field.name], _with_default(comments.get(field.name, ""), value))
    for section, own_prefix in sections:
        add_config(parser, section, own_prefix)


def with_options(config: T, options: Mapping[str, Any], prefix: str = "") -> T:
    """The configuration with the options that were given, by the names that `add_config` gave them.

    Raises `ConfigError` for values that the configuration cannot have.
    """
    assert is_dataclass(config)
    assert not isinstance(config, type)
    changes: dict[str, Any] = {}
    for field in fields(config):
        value, name = getattr(config, field.name), prefix + field.name
        if is_dataclass(value):
            new: Any = with_options(value, options, f"{name}.")
        elif _is_list_of_sections(value):
            new = tuple(with_options(section, options, f"{name}.{i}.") for i, section in enumerate(value))
        elif name in options:
            new = options[name]
            if isinstance(value, tuple) and value and isinstance(value[0], tuple):
                if len(new) % 2:
                    raise ConfigError(f"--{_option(name)} takes pairs of numbers; there are {len(new)}")
                new = tuple(zip(new[::2], new[1::2], strict=True))
        else:
            continue
        if new != value:
            changes[field.name] = new
    return replace(config, **changes) if changes else config


def _is_list_of_sections(value: Any) -> bool:
    return isinstance(value, tuple) and bool(value) and is_dataclass(value[0])


def _option(name: str) -> str:
    return name.replace("_", "-")


def _is_option(hint: Any) -> bool:
    """Whether a field is an option itself, not a section or a list of sections."""
    hint = _without_none(hint)
    return not is_dataclass(typing.get_args(hint)[0] if typing.get_origin(hint) is tuple else hint)


def _without_none(hint: Any) -> Any:
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        (hint,) = (part for part in typing.get_args(hint) if part is not type(None))
    return hint


def add_field(group: argparse._ArgumentGroup, name: str, hint: Any, description: str) -> None:
    """Add the option of one field.

    name  of the field; an underscore is a hyphen in the option
    hint  its type: a number, text, a path, a switch, one of several texts, or a tuple of these
    """
    hint, description = _without_none(hint), description.replace("%", "%%")
    option, arguments = f"--{_option(name)}", typing.get_args(hint)
    if hint is bool:
        add_switch(group, option, description, name)
    elif typing.get_origin(hint) is Literal:
        group.add_argument(option, dest=name, choices=arguments, help=description)
    elif typing.get_origin(hint) is tuple:
        item = typing.get_args(arguments[0])[0] if typing.get_args(arguments[0]) else arguments[0]
        number: Any = "*" if arguments[-1] is Ellipsis else len(arguments)
        group.add_argument(option, dest=name, type=item, nargs=number, metavar=_metavar(item), help=description)
    else:
        group.add_argument(option, dest=name, type=hint, metavar=_metavar(hint), help=description)


def _with_default(comment: str, value: Any) -> str:
    shown = " ".join(map(str, _flat(value)))
    return f"{comment} (default: {shown})" if shown else comment


def _metavar(kind: type) -> str:
    return {int: "N", float: "X", str: "TEXT"}.get(kind, "PATH")


def _flat(value: Any) -> list[Any]:
    if isinstance(value, tuple):
        return [number for item in value for number in _flat(item)]
    return [] if value is None else [value]


def _comments(kind: type) -> dict[str, str]:
    """field -> the comment behind it."""
    found = re.findall(r"^    (\w+): [^#\n]*# (.*)$", inspect.getsource(kind), re.MULTILINE)
    return dict(found)
