"""Every pair and every line on a terminal: at most 100 columns, and no more than there are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from textwrap import TextWrapper, fill

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from components.cost import COLUMNS, Column
from components.estimate import Amount, Charge, Estimate, cents
from yard import terminal
from yard.comparison import Comparison
from yard.comparison.captions import LEGEND, TITLES, conditions, how_known, texts, unknown
from yard.comparison.change import TOTAL, Change

WIDTH = 100
BY_PAIR: tuple[Column, ...] = ("registry", "network", "load balancer", "compute", "control plane")
OTHER: tuple[Column, ...] = ("logs", "transfer")
"""Columns that are small, and come together."""
READ = 80
"""Columns of a text that stands by itself."""
NARROW = 75
"""Below so many columns of the terminal only totals are shown."""
HEADS: Mapping[str, str] = {
    "load balancer": "load\nbalancer",
    "control plane": "control\nplane",
}


def console() -> Console:
    """As wide as the terminal, so far as lines can be read; where there is none, as wide as that."""
    here = Console(highlight=False)
    return Console(highlight=False, width=min(terminal.width(here, WIDTH), WIDTH), soft_wrap=True)


def show(here: Console, found: Comparison, today: date) -> None:
    """The pairs by orchestrator, and below them what the figures rest on."""
    here.print(f"[bold]{escape(found.stack)}[/] in {found.place}, USD a month: every pair\n")
    here.print(_table(found, BY_PAIR if here.width >= NARROW else ()))
    here.print(f"\n{fill(LEGEND, min(here.width, READ))}")
    said: Mapping[str, Iterable[str]] = {
        "unknown": unknown(found.working),
        "notes": texts(found.working, lambda each: each.notes),
        "conditions": conditions(found.known),
        "refused": texts(found.estimates, lambda each: each.refused),
        "assumed": found.assumptions(),
        "confidence": [f"The prices in these figures: {how_known(found.evidence)}."],
    }
    for key, title in TITLES.items():
        _list(here, title, said[key])
    warn(here, found, today)


def warn(here: Console, found: Comparison, today: date) -> None:
    """Where prices are old."""
    if warning := found.price_dates(today):
        here.print(f"\n[yellow]{escape(fill(warning, min(here.width, READ), break_on_hyphens=False))}[/]")


def _table(found: Comparison, columns: Sequence[Column]) -> Table:
    """A part for each orchestrator, in the order of its cheapest pair."""
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="bold", pad_edge=False)
    table.add_column("")
    table.add_column("run on\n images in", vertical="bottom")
    for head in (*(HEADS.get(each, each) for each in columns), *(["other"] if columns else [])):
        table.add_column(head, justify="right", vertical="bottom")
    table.add_column("total", justify="right", vertical="bottom", style="bold")
    parts: dict[str, list[Estimate]] = {}
    for each in found.working:
        parts.setdefault(each.orchestrators[0], []).append(each)
    for name, pairs in parts.items():
        table.add_row("", f"[bold]{name}[/]")
        for each in pairs:
            own = found.is_own(each)
            besides = [*map(each.amount, columns), together(each, OTHER)] if columns else []
            amounts = [*besides, each.amount()]
            row = map(figure, amounts)
            table.add_row(">" if own else "", f" {each.registry}", *row, style="green" if own else "")
    return table


def together(of: Estimate, columns: Sequence[Column]) -> Amount:
    """Some columns in one."""
    first, *rest = map(of.amount, columns)
    return sum(rest, first)


def figure(amount: Amount) -> str:
    """Cents up to a hundred, above that whole dollars: nobody compares by cents there."""
    if amount.usd < 100:
        return str(amount)
    return amount.marked(f"{amount.usd:,.0f}")


def _list(here: Console, title: str, lines: Iterable[str]) -> None:
    if found := list(lines):
        here.print(f"\n[bold]{title}[/]")
        for line in found:
            here.print(escape(_filled(here, line, "- ")))


def _filled(here: Console, text: str, mark: str) -> str:
    """Below its mark; a key with a hyphen in it stays whole."""
    return fill(
        text, min(here.width, READ), initial_indent=mark, subsequent_indent=" " * len(mark), break_on_hyphens=False
    )


def show_lines(here: Console, found: Comparison, today: date) -> None:
    """Every line of every pair, with quantity, unit price, date and source."""
    sources: dict[str, int] = {}
    for each in found.working:
        own = "  (the stack's own)" if found.is_own(each) else ""
        here.print(f"[bold]{each.registry} with {each.orchestrators[0]}[/]: {each.amount()}{own}")
        lines = [_line(charge, sources) for charge in sorted(each.counted(), key=_column)]
        _narrow(here, lines) if here.width < WIDTH else _wide(here, lines)
        for text in each.unknown:
            here.print(escape(_filled(here, text, "  ? ")))
        for text in conditions([each]):
            here.print(escape(_filled(here, text, "  + ")))
        here.print()
    for source, number in sources.items():
        here.print(_wrapped(here, f"[{number}] {source}"), markup=False)
    warn(here, found, today)


def _column(charge: Charge) -> int:
    return COLUMNS.index(charge.line.column)


def _wide(here: Console, lines: Iterable[Sequence[str]]) -> None:
    table = Table(box=None, padding=(0, 1, 0, 2), show_header=False, pad_edge=False)
    for line in lines:
        table.add_row(*line)
    here.print(table)


def _narrow(here: Console, lines: Iterable[Sequence[str]]) -> None:
    """Two lines for each, where a table would break its words."""
    for column, what, quantity, price, usd, dates in lines:
        here.print(f"{usd:>9}  {what} ({column})")
        here.print(_wrapped(here, f"{quantity} at {price}, {dates}", " " * 11))


def _wrapped(here: Console, text: str, margin: str = "") -> str:
    """An address is not broken, nor parted from its number."""
    if "https://" in text:
        return text
    later = margin or "    "
    wrapper = TextWrapper(here.width, margin, later, break_long_words=False, break_on_hyphens=False)
    return wrapper.fill(text)


def _line(charge: Charge, sources: dict[str, int]) -> tuple[str, ...]:
    return tuple(_cells(charge, sources))


def _cells(charge: Charge, sources: dict[str, int]) -> Iterator[str]:
    line, usd = charge.line, charge.usd
    free = f" - {short(charge.free)} free" if charge.free and line.quantity else ""
    yield line.column
    yield escape(line.what)
    yield f"{short(line.quantity)}{free} {line.unit}"
    yield " / ".join(f"{'' if tier.confirmed else '~'}{tier.usd:f}" for tier in charge.tiers) or "?"
    yield "?" if usd is None else f"{cents(usd):,}"
    regions = {
        f"{tier.as_of or 'no date'} \\[{sources.setdefault(tier.source, len(sources) + 1)}]"
        for tier in (*charge.tiers, *charge.evidence)
    }
    yield ", ".join(sorted(regions))


def short(number: Decimal) -> str:
    """Four significant digits, or all before the point."""
    digits = max(0, 4 - len(str(int(number))))
    text = f"{number:,.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def show_change(here: Console, found: Change) -> None:
    """What the next `up` adds to the month's cost."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", pad_edge=False)
    table.add_column("")
    for head in ("last up", "next up", "change"):
        table.add_column(head, justify="right")
    for column, row in found.columns().items():
        figures = [_known(row.before, ","), _known(row.after, ","), _known(row.change, "+,")]
        table.add_row(column, *figures, style="bold" * (column == TOTAL))
    here.print(f"[bold]{escape(found.stack)}[/], USD a month" + (": nothing is up" if found.before is None else ""))
    here.print(table)
    _list(here, "Not in these figures", found.after["unknown"])


def _known(usd: Decimal | None, form: str) -> str:
    return "?" if usd is None else f"{usd:{form}}"
