"""How wide the place is where something is printed, and text that is broken to fit it."""

import os
import re
from collections.abc import Mapping
from textwrap import fill

import click
from rich.console import Console

UNBROKEN = 10_000
"""Columns where a program reads it, which wants each thing on one line."""
PASTED = re.compile(r"\s+(\S*/)?(aws|curl|docker|export|gh|git|kubectl|make|pulumi|yard)\s")
"""How a line begins that is a command."""
QUOTED = re.compile(r"`[^`\n]+`")
"""A command within a sentence."""


def width(here: Console, otherwise: int = UNBROKEN) -> int:
    """The terminal's columns, or what COLUMNS says; `otherwise` where nobody looks."""
    return here.width if here.is_terminal or "COLUMNS" in os.environ else otherwise


def say(text: str) -> None:
    """Print text as broad as the terminal."""
    click.echo(wrapped(text, width(Console())))


def listed(rows: Mapping[str, str]) -> None:
    """Print commands, each with what it is for: beside it where there is room for all, else below it."""
    columns, longest = width(Console()), max(map(len, rows))
    beside = [f"  {words:<{longest}}  {what}" for words, what in rows.items()]
    if max(map(len, beside)) <= columns:
        click.echo("\n".join(beside))
        return
    for words, what in rows.items():
        click.echo(f"  {words}")
        click.echo(wrapped(f"      {what}", columns))


def wrapped(text: str, columns: int) -> str:
    """Text whose long lines go on below their beginning; in a list, which is indented, a little further in. What is
    there to be pasted is never broken: it may be longer."""
    return "\n".join(each if len(each) <= columns else _lines(each, columns) for each in text.split("\n"))


def _lines(line: str, columns: int) -> str:
    if PASTED.match(line):
        return line
    first = " " * (len(line) - len(line.lstrip()))
    bound = QUOTED.sub(lambda found: found[0].replace(" ", "\N{NO-BREAK SPACE}"), line.strip())
    further = f"{first}  " if first else ""
    broken = fill(
        bound,
        columns,
        initial_indent=first,
        subsequent_indent=further,
        break_on_hyphens=False,
        break_long_words=False,
    )
    return broken.replace("\N{NO-BREAK SPACE}", " ")
