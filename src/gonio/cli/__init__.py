"""The command line: one thin function per command. An error of gonio is one line and exit status 2."""

from gonio.cli.main import main

__all__ = ["main"]
