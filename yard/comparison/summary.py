"""The answer on a terminal: what the stack costs, what for, and what another choice would change. Fits 80 columns."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from itertools import groupby
from textwrap import fill

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from components.cost import Column
from components.estimate import Estimate
from yard import suggest
from yard.comparison import Comparison, evidence_of, old
from yard.comparison.answer import Answer
from yard.comparison.budget import Budget
from yard.comparison.captions import BRIEFLY, LEGEND, conditions, how_known, listed, unknown
from yard.comparison.table import HEADS, NARROW, WIDTH, figure, together

PARTS: tuple[Column, ...] = ("network", "load balancer", "compute", "control plane")
"""Columns of their own here; the others are small and come together."""
REST: tuple[Column, ...] = ("registry", "logs", "transfer")
BAR = 30
"""Characters of the bar of 100 percent."""


def console() -> Console:
    """As wide as the terminal, so far as lines can be read; 80 columns where there is none."""
    here = Console(highlight=False)
    here.width = min(here.width, WIDTH)
    return here


def show(here: Console, found: Comparison, today: date, budget: Budget | None = None) -> None:
    """The answer, the choices, and what the figures rest on."""
    answer = Answer(found)
    _headline(here, answer)
    for each in answer.shares():
        bar = "  " * bool(each.percent * BAR // 100) + ("#" if here.options.ascii_only else "█") * (
            each.percent * BAR // 100
        )
        here.print(f"  {each.column:<14}{each.amount!s:>9}{each.percent:>5} %[cyan]{bar}[/]", soft_wrap=True)
    if budget:
        _budget(here, budget)
    else:
        _cheapest(here, answer)
        here.print("\n[bold]The orchestrator[/]", _orchestrators(answer, here.width), sep="\n")
        _say(here, *_beside(answer))
        _registries(here, answer)
    _foot(here, answer, today)


def _headline(here: Console, answer: Answer) -> None:
    found, own = answer.found, answer.own
    pair = _named(found.settings.config.registry, found.settings.config.orchestrator)
    if own is None:
        text = f"Nobody here knows what [bold]{escape(found.stack)}[/] costs: {pair}."
        _say(here, f"{text} In {found.place} the others would cost this, USD a month.")
        return
    _say(here, f"[bold]{escape(found.stack)}[/] costs [bold]{own.amount()}[/] USD a month: {pair}, in {found.place}.")
    here.print()


def _cheapest(here: Console, answer: Answer) -> None:
    if answer.own is None:
        return
    best = answer.cheapest_switch
    if best is None:
        _say(here, "", "No other pair is cheaper.")
        return
    _say(here, "", f"The cheapest switch saves {-answer.added(best):,}: {_pair(best)} costs {best.amount()}.")


def _orchestrators(answer: Answer, width: int) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="bold", pad_edge=False)
    table.add_column("")
    table.add_column("run on", vertical="bottom")
    wide = width >= NARROW
    for head in (*(HEADS.get(each, each) for each in PARTS if wide), *(["other"] if wide else []), "total", "change"):
        table.add_column(head, justify="right", vertical="bottom")
    for each in answer.orchestrators():
        own = answer.found.is_own(each)
        table.add_row(
            ">" if own else "",
            each.orchestrators[0],
            *(_parts(each) if wide else ()),
            figure(each.amount()) if not each.runs_unpriced else "?",
            "" if own else _change(answer, each),
            style="green" if own else "",
        )
    return table


def _parts(of: Estimate) -> Iterator[str]:
    """The columns; nothing where it is known of none what it comes to."""
    if of.runs_unpriced:
        yield from [""] * (len(PARTS) + 1)
        return
    yield from (figure(of.amount(column)) for column in PARTS)
    yield figure(together(of, REST))


def _change(answer: Answer, other: Estimate) -> str:
    if answer.own is None or other.runs_unpriced:
        return ""
    usd, form = answer.added(other), "+,"
    more = "" if other.amount().whole or not answer.own.amount().whole else "+?"
    return (f"{usd:{form}}" if abs(usd) < 100 else f"{usd:{form}.0f}") + more


def _beside(answer: Answer) -> Iterator[str]:
    """Which rows are not with the stack's own registry, and why."""
    own = answer.found.settings.config.registry
    instead: dict[str, list[str]] = {}
    for each in answer.orchestrators():
        if each.registry != own:
            instead.setdefault(each.registry, []).append(each.orchestrators[0])
    refused = {each.orchestrators[0]: each.refused for each in answer.found.refused if each.registry == own}
    for registry, names in instead.items():
        for why, theirs in groupby(names, key=lambda name: refused.get(name, ())):
            yield ""
            yield f"{' and '.join(theirs)} with {registry}, not {own}: {escape('; '.join(why))}."


def _registries(here: Console, answer: Answer) -> None:
    """What another registry changes, those of equal cost together."""
    others = [each for each in answer.registries() if not answer.found.is_own(each)]
    if answer.own is None or not others:
        return
    of_cost = groupby(others, key=lambda each: _change(answer, each))
    told = [f"{listed([each.registry for each in group])} {change}" for change, group in of_cost]
    at = answer.own.orchestrators[0]
    here.print()
    _say(here, f"[bold]The registry[/], on {at} in place of {answer.own.registry}: {', '.join(told)}.")


def _budget(here: Console, budget: Budget) -> None:
    here.print()
    fits, priced = budget.fits, len(budget.found.known)
    limit = (
        f"Of {priced} pairs with a price [bold]{len(fits) or 'none'}[/] fit{'s' * (len(fits) < 2)} {budget.usd:,.2f}"
    )
    best = budget.cheapest
    if best is None:
        _say(here, "No pair has a price, so nobody can say what fits the budget.")
        return
    if fits:
        _say(here, f"{limit}:")
        for name, group in groupby(sorted(fits, key=_orchestrator), key=_orchestrator):
            theirs = [*group]
            _say(here, f"- {name} with {listed([each.registry for each in theirs])}: from {theirs[0].amount()}")
        return
    over = best.amount().usd - budget.usd
    _say(here, f"{limit}. The cheapest, {_pair(best)}, costs {best.amount()}: {over:,.2f} too much.")
    _changes(here, budget)


def _changes(here: Console, budget: Budget) -> None:
    """What would have to be otherwise."""
    changes, best = budget.changes(), budget.at_best()
    if not changes or best is None:
        _say(here, "Nothing that is known here would make it cheaper.")
        return
    _say(here, "What would make it cheaper, each by itself:")
    for each in changes:
        here.print(
            escape(
                fill(
                    f"  {-each.saves:>8,}  {each.what}", here.width, subsequent_indent=" " * 12, break_on_hyphens=False
                )
            )
        )
    over = best.amount().usd - budget.usd
    rest = "which fits" if over <= 0 else f"still {over:,.2f} too much"
    _say(here, f"With {'all of it' if len(changes) > 1 else 'it'}: {best.amount()} for {_pair(best)}, {rest}.")
    if elsewhere := sorted({each.orchestrators[0] for each in budget.found.unpriced}):
        verb = "runs" if len(elsewhere) == 1 else "run"
        _say(here, f"{listed(elsewhere)} {verb} on machines that you have already: what those cost is not known here.")


def _foot(here: Console, answer: Answer, today: date) -> None:
    found = answer.found
    own = [answer.own] if answer.own else []
    prices = evidence_of(own or found.known)
    aged = f"; {count} old" if (count := old(prices, today)) else ""
    _say(here, "", LEGEND)
    _say(here, *(f"- {escape(text)}" for text in unknown(own)))
    _say(here, *(f"- {escape(text)}" for text in conditions(own)))
    _say(here, *(f"- {escape(text)}" for text in found.briefly()))
    _say(here, f"- prices: {how_known(prices, BRIEFLY)}{aged}")
    here.print(f"- all of it: {escape(suggest.yard('compare', '--all', '--stack', found.stack))}", soft_wrap=True)


def _say(here: Console, *lines: str) -> None:
    """Wrapped, what hangs on a dash indented."""
    for line in lines:
        if line.startswith("- "):
            here.print(fill(line, here.width, subsequent_indent="  ", break_on_hyphens=False))
        else:
            here.print(line)


def _pair(of: Estimate) -> str:
    return _named(of.registry, of.orchestrators[0])


def _named(registry: str, orchestrator: str) -> str:
    return f"{registry} with {orchestrator}"


def _orchestrator(of: Estimate) -> str:
    return of.orchestrators[0]
