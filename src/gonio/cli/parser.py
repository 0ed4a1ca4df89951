"""Commands and their options: help in groups, at any width of the terminal; one line for every refused option."""

from __future__ import annotations

import argparse
import re
import shutil
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn

from gonio.core.errors import ConfigError

NARROWEST, WIDEST = 40, 120  # columns of a help text, on a terminal of any width


@dataclass(frozen=True)
class Command:
    """One command.

    name     as it is typed
    summary  what it does, in one sentence
    usage    its positional and required arguments
    options  adds its options to a parser
    run      does the work; its keyword arguments are the options that the user gave
    details  further sentences of the help text
    example  a command line
    """

    name: str
    summary: str
    usage: str
    options: Callable[[Parser], None]
    run: Callable[..., None]
    details: str = ""
    example: str = ""

    def parser(self, words: Sequence[str] = ()) -> Parser:
        """A parser of what follows the command's name, the `words`: some options exist if a word asks for them."""
        parser = Parser(
            prog=f"gonio {self.name}",
            usage=f"gonio {self.name} {self.usage} [options]",
            description=f"{self.summary} {self.details}".strip(),
            epilog=f"Example: {self.example}" if self.example else None,
            words=words,
        )
        self.options(parser)
        return parser


class HelpFormatter(argparse.HelpFormatter):
    """Help of a width between `NARROWEST` and `WIDEST` columns; no word is broken."""

    def __init__(self, prog: str) -> None:
        columns = shutil.get_terminal_size().columns
        super().__init__(prog, width=min(max(columns, NARROWEST), WIDEST) - 2)

    def _split_lines(self, text: str, width: int) -> list[str]:
        return _wrapped(text, width)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "\n".join(indent + line for line in _wrapped(text, width - len(indent)))


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(" ".join(text.split()), max(width, 1), break_long_words=False, break_on_hyphens=False)


class Parser(argparse.ArgumentParser):
    """The options of one command. An option that is not given is absent, so that the function's default holds."""

    def __init__(self, prog: str, usage: str, description: str, epilog: str | None, words: Sequence[str] = ()) -> None:
        self.words = tuple(words)
        super().__init__(
            prog=prog,
            usage=usage,
            description=description,
            epilog=epilog,
            formatter_class=HelpFormatter,
            argument_default=argparse.SUPPRESS,
            allow_abbrev=False,
        )
        self._negative_number_matcher = re.compile(r"-\d")  # "-1x368" is a value, as -5 is: no option begins so

    def options_of(self, words: Sequence[str]) -> dict[str, Any]:
        """The options in `words`, by the names of the function's parameters; several values as a tuple.

        Raises `ConfigError` for words that cannot be understood.
        """
        known = self._option_string_actions
        words = list(words)
        for number, word in enumerate(words):
            if word == "--":
                break
            if word.startswith("--"):
                name, equals, value = word.partition("=")
                name = name.replace("_", "-")
                if name not in known:
                    near = get_close_matches(name, [option for option in known if option.startswith("--")], 1)
                    hint = f"did you mean {near[0]}?" if near else f"{self.prog} --help shows the options"
                    raise ConfigError(f"unknown option {name}; {hint}")
                words[number] = name + equals + value
        found = vars(self.parse_intermixed_args(words))
        return {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in found.items()
            if value is not argparse.SUPPRESS
        }

    def error(self, message: str) -> NoReturn:
        """Raise `ConfigError` in place of printing the usage."""
        raise ConfigError(f"{message.removeprefix('argument ')}; see {self.prog} --help")


def add_output(parser: Parser, description: str, *, required: bool = True) -> argparse._ArgumentGroup:
    """The group of options for what is written; the first is -o."""
    group = parser.add_argument_group("output")
    group.add_argument("-o", "--output", type=Path, metavar="PATH", required=required, help=description)
    return group


def add_switch(group: argparse._ArgumentGroup, option: str, description: str, name: str | None = None) -> None:
    """An option that is on or off: --flip and --no-flip, --network.causal and --network.no-causal.

    name  of the value; default: that of the option
    """
    section, dot, own = option.removeprefix("--").rpartition(".")
    dest = own.replace("-", "_") if name is None else name
    group.add_argument(option, f"--{section}{dot}no-{own}", dest=dest, action=_Switch, nargs=0, help=description)


class _Switch(argparse.Action):
    """True for the first of its option strings, False for the second."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option_string: Any = None
    ) -> None:
        setattr(namespace, self.dest, option_string == self.option_strings[0])
