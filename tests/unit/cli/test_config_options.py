"""A dataclass as options: every field is one, with the value of the file as its default."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest

from gonio.cli.config_options import add_config, with_options
from gonio.cli.parser import Parser
from gonio.core.errors import ConfigError


@dataclass(frozen=True)
class Part:
    """One part."""

    share: float = 1.0  # how much of it
    kind: Literal["round", "square"] = "round"  # its shape


@dataclass(frozen=True)
class Section:
    """A section."""

    names: tuple[str, ...] = ()  # of everything
    range_m: tuple[float, float] = (0.1, 1.0)  # from..to, 100 % of it
    sizes_px: tuple[tuple[int, int], ...] = ((2, 3), (4, 5))  # width, height
    dense: bool = False  # without gaps
    parts: tuple[Part, ...] = (Part(), Part(2.0))

    def __post_init__(self) -> None:
        if self.range_m[0] > self.range_m[1]:
            raise ConfigError("range_m")


@dataclass(frozen=True)
class Whole:
    """The whole."""

    file: Path | None = None  # to begin with
    number: int = 3  # of runs
    section: Section = field(default_factory=Section)
    absent: Section | None = None


def options_of(*words: str) -> Whole:
    parser = Parser("test", "test", "", None)
    add_config(parser, Whole())
    return with_options(Whole(), parser.options_of(words))


def test_without_options_the_configuration_stays():
    assert options_of() == Whole()


def test_every_kind_of_value():
    words = "--file a.toml --number 4 --section.names x y --section.range-m 0.2 0.3 --section.sizes-px 6 7 8 9"
    words += " --section.dense --section.parts.1.share 0.5 --section.parts.0.kind square"
    assert options_of(*words.split()) == Whole(
        Path("a.toml"),
        4,
        Section(("x", "y"), (0.2, 0.3), ((6, 7), (8, 9)), True, (Part(kind="square"), Part(0.5))),
    )
    assert not options_of("--section.no-dense").section.dense


@pytest.mark.parametrize(
    "words",
    [
        ["--section.range-m", "2", "1"],
        ["--section.range-m", "2"],
        ["--section.sizes-px", "1", "2", "3"],
        ["--section.parts.0.kind", "oval"],
        ["--number", "many"],
        ["--absent.dense"],
        ["--section.prats.0.share", "1"],
    ],
)
def test_what_is_impossible_is_refused(words):
    with pytest.raises(ConfigError):
        options_of(*words)


def test_help_shows_comments_and_values():
    parser = Parser("test", "test", "", None)
    add_config(parser, Whole())
    shown = " ".join(parser.format_help().split())
    for text in ("of runs (default: 3)", "(default: 0.1 1.0)", "100 % of it", "--section.dense", "A section."):
        assert text in shown
    assert "--absent" not in shown
