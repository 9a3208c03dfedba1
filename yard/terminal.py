"""How wide the place is where something is printed."""

import os

from rich.console import Console

UNBROKEN = 10_000
"""Columns where a program reads it, which wants each thing on one line."""


def width(here: Console, otherwise: int = UNBROKEN) -> int:
    """The terminal's columns, or what COLUMNS says; `otherwise` where nobody looks."""
    return here.width if here.is_terminal or "COLUMNS" in os.environ else otherwise
