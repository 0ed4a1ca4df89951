"""The errors that gonio raises.

One base class, so that a caller catches everything of gonio with one `except`; the command line prints
its message as one line and exits with status 2. A message says what was looked for, where, and what to do.
"""

from __future__ import annotations

LONGEST_MESSAGE = 1000


class GonioError(Exception):
    """Base of every error that gonio raises on purpose. Its text is one line, meant for the user.

    What a message quotes may be a whole damaged file: of more than `LONGEST_MESSAGE` characters the middle is left out.
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
    """Model weights or a sample trial could not be fetched, or are not what their checksum says."""


class MissingExtraError(GonioError):
    """An optional dependency is not installed. The message names the extra to install."""


class PluginError(GonioError):
    """An installed package that adds something to gonio cannot be used. The message names the package."""


def one_line(error: BaseException, longest: int = 200) -> str:
    """The text of a library's error on one line, for a message that quotes it; its type if it has no text."""
    if isinstance(error, UnicodeError):
        return "it is not text in UTF-8"
    return " ".join(str(error).split())[:longest] or type(error).__name__
