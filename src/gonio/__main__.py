"""`python -m gonio` is the command line."""

from gonio.cli import main

main()
