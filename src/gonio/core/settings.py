"""Settings: a frozen dataclass from TOML, to TOML, and as JSON."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import re
import sys
import tomllib
import types
import typing
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, TypeVar

from gonio.core.errors import ConfigError, InputError

T = TypeVar("T")


def load_config(kind: type[T], path: Path, what: str) -> T:
    """A dataclass from a TOML file. Paths in it are relative to the file; `what` names its purpose in messages.

    Raises `InputError` if it cannot be read, `ConfigError` if a key or value is wrong.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"{path}: no such {what} file") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: not a text file; a {what} is written in TOML") from None
    return parse_config(kind, text, path.parent, str(path))


def parse_config(kind: type[T], text: str, folder: Path, where: str) -> T:
    """A dataclass from TOML text; its paths are relative to `folder`, and `where` names it in messages."""
    try:
        table = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # also numbers of thousands of digits, and tables nested as deep
        raise ConfigError(f"{where}: not valid TOML: {error}") from None
    try:
        config = build(kind, table, "", folder)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from None
    assert isinstance(config, kind)
    return config


def non_default_fields(config: Any) -> list[tuple[str, Any]]:
    """The fields whose values differ from their defaults."""
    changed = []
    for f in dataclasses.fields(config):
        value = getattr(config, f.name)
        default = f.default if f.default_factory is dataclasses.MISSING else f.default_factory()
        if value != default and value is not None:
            changed.append((f.name, value))
    return changed


def to_toml(value: Any, folder: Path | None = None) -> str:
    """A value of TOML on one line: a number, text, a path relative to `folder`, or a list of these."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple | list):
        return "[" + ", ".join(to_toml(item, folder) for item in value) + "]"
    if isinstance(value, Path):
        path, start = value.absolute(), (folder or Path()).absolute()
        value = (Path(os.path.relpath(path, start)) if path.anchor == start.anchor else path).as_posix()
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return repr(value)


def to_toml_key(name: str) -> str:
    """A name as a key of TOML: as it is, or in quotation marks."""
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else to_toml(name)


def as_plain(value: Any) -> Any:
    """A config as JSON-ready dicts, lists, numbers and strings; of a class with `to_table`, what that returns."""
    if hasattr(value, "to_table"):
        return as_plain(value.to_table())
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: as_plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, tuple | list):
        return [as_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {str(name): as_plain(item) for name, item in value.items()}
    return str(value) if isinstance(value, Path) else value


def check_keys(table: Mapping[str, Any], known: Collection[str], where: str) -> None:
    """Raises `ConfigError` for a key that is not known, with the nearest known one."""
    for key in table:
        if key not in known:
            near = get_close_matches(key, known, 1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}?" if near else "known keys: " + ", ".join(known)
            raise ConfigError(f"unknown key {where + key!r}; {hint}")


def build(kind: type, table: Mapping[str, Any], where: str, folder: Path) -> Any:
    """A dataclass from a table of TOML. A class with `from_table` builds itself.

    where   the keys that lead to the table, for messages: "" or "cameras[0]."
    folder  of the file: the paths in the table are relative to it

    Raises `ConfigError` for an unknown key, a missing one and a value of the wrong kind.
    """
    if hasattr(kind, "from_table"):
        return kind.from_table(table, where, folder)
    hints = typing.get_type_hints(kind)
    check_keys(table, hints, where)
    for f in dataclasses.fields(kind):
        if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING and f.name not in table:
            raise ConfigError(f"{where + f.name} is missing")
    return kind(**{key: _convert(value, hints[key], where + key, folder) for key, value in table.items()})


def _convert(value: Any, hint: Any, where: str, folder: Path) -> Any:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        options = [arg for arg in args if arg is not type(None)]
        literals = [option for option in options if typing.get_origin(option) is Literal and len(options) > 1]
        (inner,) = [option for option in options if option not in literals]
        names = [name for literal in literals for name in typing.get_args(literal)]
        if value in names:
            return value
        if names and isinstance(value, str):
            raise ConfigError(f"{where} = {value!r}; it must be a {inner.__name__}, or {' or '.join(map(repr, names))}")
        return _convert(value, inner, where, folder)
    if origin is Mapping:
        if not isinstance(value, dict) or not value:
            raise ConfigError(f"{where} must be tables with names of their own, [{where}.NAME]")
        return {name: _convert(entry, args[1], f"{where}.{name}", folder) for name, entry in value.items()}
    if origin is Literal:
        if value in args:
            return value
        raise ConfigError(f"{where} = {value!r}; it must be one of {', '.join(map(repr, args))}")
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise ConfigError(f"{where} = {value!r}; it must be a list")
        kinds = [args[0]] * len(value) if args[-1] is Ellipsis else list(args)
        if len(kinds) != len(value):
            raise ConfigError(f"{where} has {len(value)} values; it must have {len(kinds)}")
        return tuple(_convert(v, k, f"{where}[{i}]", folder) for i, (v, k) in enumerate(zip(value, kinds, strict=True)))
    if dataclasses.is_dataclass(hint):
        if not isinstance(value, dict):
            raise ConfigError(f"{where} must be a table, [{where}]")
        return build(typing.cast(type, hint), value, where + ".", folder)
    if hint is Path and isinstance(value, str):
        if not value or not value.isprintable():
            raise ConfigError(f"{where} = {value!r}; it must be a path")
        return folder / value
    if hint is float and isinstance(value, int | float) and not isinstance(value, bool):
        if abs(value) > sys.float_info.max or math.isnan(value):
            raise ConfigError(f"{where} = {value}; it must be a finite number")
        return float(value)
    if isinstance(value, hint) and not (hint is int and isinstance(value, bool)):
        return value
    raise ConfigError(f"{where} = {value!r}; it must be a {'path' if hint is Path else hint.__name__}")
