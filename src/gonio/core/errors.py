"""The errors that gonio raises.

They have one base class, so that a caller catches all of them with one `except`. The command line prints the message as
one line and exits with status 2. A message says what is wrong, where, and what to do.
"""

from __future__ import annotations

LONGEST_MESSAGE = 1000


class GonioError(Exception):
    """Base class of every error that gonio raises on purpose. Its text is one line for the user.

    A message may quote a whole damaged file: if it has more than `LONGEST_MESSAGE` characters, its middle is left out.
    """

    def __init__(self, message: str = "") -> None:
        line = " ".join(message.splitlines())
        if len(line) > LONGEST_MESSAGE:
            line = f"{line[: LONGEST_MESSAGE - 305]} ... {line[-300:]}"
        super().__init__(line)


class InputError(GonioError):
    """A file, a recording or an argument cannot be used as it is. The message names it and the remedy."""


class ConfigError(GonioError):
    """A trial file or an option is wrong. The message names the key and the nearest known one."""


class AssetError(GonioError):
    """Model weights or a sample trial could not be fetched, or have the wrong checksum."""


class MissingExtraError(GonioError):
    """An optional dependency is not installed. The message names the extra to install."""


class PluginError(GonioError):
    """An installed package that adds something to gonio cannot be used. The message names the package."""


def one_line(error: BaseException, longest: int = 200) -> str:
    """The text of a library's error on one line, for a message that quotes it; its type if it has no text."""
    if isinstance(error, UnicodeError):
        return "it is not text in UTF-8"
    return " ".join(str(error).split())[:longest] or type(error).__name__
