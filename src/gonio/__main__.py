"""`python -m gonio` is the command line."""

from __future__ import annotations

from gonio.cli.main import main

main()
