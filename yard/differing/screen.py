"""The same on a terminal, with colours where one looks."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import indent

from rich.console import Console
from rich.table import Table
from rich.text import Text

from yard import terminal
from yard.differing import told
from yard.differing.result import Cost, Report, StackDiff
from yard.differing.told import Block, Code, Said

INDENT = " " * 4
STYLES = {"created": "green", "updated": "yellow", "replaced": "bold red", "deleted": "bold red"}


def show(report: Report) -> None:
    """Print everything."""
    console = Console(highlight=False, width=terminal.width(Console()))
    console.print(_said(told.heading(report)))
    for remark in told.remarks(report):
        console.print(_said(remark))
    for stack in told.changed(report):
        console.print()
        console.print(Text.assemble((told.visible(stack.name), "bold"), f": {told.summary(stack)}"))
        _stack(console, stack)
    for others in told.unchanged(report):
        console.print()
        console.print(_said(others))
    console.print(f"\n{told.FOOT}")


def _stack(console: Console, stack: StackDiff) -> None:
    for note in told.notes(stack):
        if isinstance(note, Block):
            text = "\n".join(map(told.visible, note.text.splitlines()))
            shown = indent(terminal.wrapped(text, console.width - len(INDENT)), INDENT)
            console.print(Text(shown, "red"), soft_wrap=True)
        else:
            console.print(_said(note))
    _list(console, "Resources", [(each.fate, " ", *told.named(each)) for each in told.ordered(stack)])
    _list(console, "Configuration", [told.field(each) for each in stack.fields])
    if stack.cost and (stack.cost.lines or stack.cost.unknown):
        _cost(console, stack.cost)


def _list(console: Console, title: str, entries: Sequence[Said]) -> None:
    if entries:
        console.print(Text(title, "bold"))
    for each in entries:
        console.print(Text.assemble("  ", _said(each)))


def _cost(console: Console, cost: Cost) -> None:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", pad_edge=False)
    for head in ("USD a month", "before", "after", "change"):
        table.add_column(head, justify="left" if head == "USD a month" else "right")
    for what, *figures in told.rows(cost):
        table.add_row(Text(told.visible(what)), *figures)
    if cost.lines:
        console.print(table)
    _list(console, "Not in these figures", [[Code(each)] for each in cost.unknown])


def _said(parts: Said) -> Text:
    return Text.assemble(
        *[(told.visible(each), "cyan") if isinstance(each, Code) else (each, STYLES.get(each, "")) for each in parts]
    )
