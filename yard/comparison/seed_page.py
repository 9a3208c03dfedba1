"""The first user's decision table to be read: on a terminal, at most 100 columns wide, and as a page of the docs."""

from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from textwrap import fill
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from yard import terminal

WIDTHS = {"what": 19, "as they wrote it": 19, "now": 26, "why they differ": 33}
"""Head -> columns of a terminal; with a space between each two they are 100."""
LEAST = (15, 11, 15, 16)
"""The same on one of 60, where their longest words still fit."""
BROADEST, NARROWEST = 100, 60
LEGEND = """\
changed: it was right then, and is not now. corrected: it was never right. added: they did not write of it.
~ a price in it is not from its vendor's list; +? not every price in it is known; [n] today's source."""
NUMBERED = 4
"""A row of more sources has only the dates from and to; --json has them all."""


def show(here: Console, document: dict[str, Any]) -> None:
    """The table, a part for each thing that they compared; what it rests on, and the sources."""
    sources: dict[str, int] = {}
    for about, rows in [("", [tuple(WIDTHS)]), *_parts(document, sources)]:
        table = Table(box=None, padding=(0, 1, 0, 0), show_header=False, pad_edge=False)
        for width in _widths(here.width):
            table.add_column(width=width, overflow="fold")
        for cells in rows:
            table.add_row(*map(escape, cells), style="" if about else "bold")
        here.print(f"\n[bold]{escape(about)}[/]" if about else "", table, sep="\n")
    columns = min(here.width, BROADEST)
    legend = terminal.wrapped(LEGEND, columns)
    assumed = [fill(each, initial_indent="- ", subsequent_indent="  ", width=columns) for each in document["assumed"]]
    numbered = [f"[{number}] {source}" for source, number in sources.items()]
    here.print("", legend, "\nAssumed", *assumed, "", *numbered, sep="\n", markup=False)


def _widths(columns: int) -> Iterator[int]:
    """Those of a terminal of so many columns: from the least, each grows to its own at the broadest."""
    room = min(max(columns, NARROWEST), BROADEST) - NARROWEST
    for least, most in zip(LEAST, WIDTHS.values(), strict=True):
        yield least + (most - least) * room // (BROADEST - NARROWEST)


def page(document: dict[str, Any]) -> Iterator[str]:
    """The same in Markdown, in blocks."""
    sources: dict[str, int] = {}
    for about, rows in _parts(document, sources):
        yield f"## {about}"
        yield "\n".join(f"| {' | '.join(cells)} |" for cells in [tuple(WIDTHS), ("---",) * len(WIDTHS), *rows])
    yield LEGEND
    yield "\n".join(["Assumed:", "", *(f"- {each}" for each in document["assumed"])])
    yield "\n".join(f"{number}. {source}" for source, number in sources.items())


def _parts(document: dict[str, Any], sources: dict[str, int]) -> Iterator[tuple[str, list[tuple[str, ...]]]]:
    """What they compared, and the cells of its rows. `sources` gets the number of each source."""
    for about, rows in groupby(document["rows"], itemgetter("about")):
        yield about, [_cells(row, sources) for row in rows]


def _cells(row: dict[str, Any], sources: dict[str, int]) -> tuple[str, ...]:
    wrote = row["wrote"]["text"] if row["wrote"] else "-"
    return row["what"], wrote, row["now"]["text"], f"{row['verdict']}: {row['why']} ({_dated(row['prices'], sources)})"


def _dated(prices: list[dict[str, str]], sources: dict[str, int]) -> str:
    """The dates of the prices that a row rests on, with the numbers of their sources."""
    found = list(dict.fromkeys((each["as_of"] or "no date", each["source"]) for each in prices))
    if len(found) > NUMBERED:
        dates = sorted(date for date, _ in found if date != "no date")
        return f"{len(found)} sources, {dates[0]} to {dates[-1]}"
    return ", ".join(f"{date} [{sources.setdefault(source, len(sources) + 1)}]" for date, source in found)
