"""The first user's decision table on a terminal, at most 100 columns wide."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from textwrap import fill

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from yard.comparison.said import Row, Verdict
from yard.comparison.seed import ASSUMED
from yard.comparison.table import WIDTH

COLOURS: Mapping[Verdict, str] = {"unchanged": "green", "changed": "yellow", "corrected": "yellow", "added": "cyan"}
COLUMNS: Mapping[str, int] = {"what": 19, "as they wrote it": 19, "now": 26, "why they differ": 33}
"""Head -> width. With a space between each two they are WIDTH."""
NUMBERED = 4
"""A row of more sources has only the dates from and to; --json has them all."""
LEGEND = (
    "changed: it was so, and is no more. corrected: it was never so. added: they had not written of it.\n"
    "~ some price in it is not confirmed by its vendor; +? there is more; [n] the source of today's."
)


def show(here: Console, rows: Iterable[Row]) -> None:
    """The table, a part for each thing that they compared; what it rests on, and the sources."""
    sources: dict[str, int] = {}
    here.print("[bold]The first user's decision table, as they wrote it and as it is now[/]\n")
    here.print(_table([[f"[bold]{head}[/]" for head in COLUMNS]]))
    for about, part in groupby(rows, lambda row: row.about):
        here.print(f"\n[bold]{escape(about)}[/]")
        here.print(_table(_cells(row, sources) for row in part))
    here.print(f"\n{LEGEND}", markup=False)
    here.print("\n[bold]Assumed[/]")
    for text in ASSUMED:
        here.print(escape(fill(text, WIDTH, initial_indent="- ", subsequent_indent="  ")))
    here.print()
    for source, number in sources.items():
        here.print(f"[{number}] {source}", markup=False)


def _table(rows: Iterable[Iterable[str]]) -> Table:
    """Every part has the same columns, so that they stand under each other."""
    table = Table(box=None, padding=(0, 1, 0, 0), show_header=False, pad_edge=False)
    for width in COLUMNS.values():
        table.add_column(width=width)
    for cells in rows:
        table.add_row(*cells)
    return table


def _cells(row: Row, sources: dict[str, int]) -> Iterator[str]:
    yield escape(row.what)
    yield escape(str(row.wrote or "-"))
    yield escape(str(row.now))
    yield f"[{COLOURS[row.verdict]}]{row.verdict}[/]: {escape(f'{row.why} ({_dated(row, sources)})')}"


def _dated(row: Row, sources: dict[str, int]) -> str:
    """The dates of the prices that a row rests on, with the numbers of their sources."""
    found = list(dict.fromkeys((each.as_of or "no date", each.source) for each in row.sources))
    if len(found) > NUMBERED:
        dates = sorted(date for date, _ in found if date != "no date")
        return f"{len(found)} sources, {dates[0]} to {dates[-1]}"
    return ", ".join(f"{date} [{sources.setdefault(source, len(sources) + 1)}]" for date, source in found)
