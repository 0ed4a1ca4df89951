"""The options of the detectors on the command line, taken from the detectors' own dataclasses.

The help text of an option is the text that stands under its field in the detector's dataclass.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import textwrap
import typing
from collections.abc import Collection, Sequence
from itertools import pairwise
from typing import Any

from gonio.cli.config_options import add_field
from gonio.cli.parser import Parser


def add_detector(parser: Parser, taken: Collection[str] = ()) -> None:
    """Add a group with --detector and the options of all detectors that come with gonio, and of the one that is named.

    taken  options that the command has already; the detector's option of such a name gets the prefix "detector-"

    Of two different options of one name, that of the named detector is shown.
    """
    from gonio.detection.registry import BUILT_IN, entry

    group = parser.add_argument_group("detector")
    group.add_argument(
        "--detector",
        metavar="NAME",
        help=f"{', '.join(BUILT_IN)}, or a detector of an installed package (default: blazepose-heavy); openpose needs "
        "weights that you have imported (gonio assets import) or name",
    )
    texts: dict[str, list[str]] = {}
    kinds: dict[str, Any] = {}
    for detector in (*BUILT_IN, *_added(parser.words)):
        owner = entry(detector).options
        hints, own = typing.get_type_hints(owner), field_texts(owner)
        for option in dataclasses.fields(owner):
            if kinds.setdefault(option.name, hints[option.name]) != hints[option.name]:
                kinds[option.name], texts[option.name] = hints[option.name], []
            texts.setdefault(option.name, []).append(f"{detector}: {own.get(option.name, '')}")
    for name, kind in kinds.items():
        own_name = f"detector_{name}" if name in taken else name
        add_field(group, own_name, kind, " ".join(texts[name]))


def _added(words: Sequence[str]) -> list[str]:
    """The detector that --detector names, if it is not one of gonio's own; its package is loaded."""
    from gonio.detection.registry import BUILT_IN, DETECTORS

    named = [after for word, after in pairwise(words) if word == "--detector"]
    named += [word.removeprefix("--detector=") for word in words if word.startswith("--detector=")]
    return [name for name in named if name not in BUILT_IN and name in DETECTORS]


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
