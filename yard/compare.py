"""`yard compare`: what a stack would cost with every registry and every orchestrator, before anyone pays."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from yard import here, names
from yard.choice import stack_option
from yard.comparison import Comparison, documents
from yard.comparison.answer import Answer
from yard.comparison.budget import Budget
from yard.region import Region

ROOT = here.ROOT


@click.command()
@stack_option("The stack, by its file config/Pulumi.<stack>.yaml.")
@click.option(
    "--region", type=Region(), shell_complete=names.regions, help="Price it in this AWS region; default: the stack's."
)
@click.option(
    "--like",
    type=Region(),
    shell_complete=names.regions,
    help="Take this region's prices for those of one that has none here; marked ~.",
)
@click.option(
    "--usage",
    metavar="PRESET|FILE",
    shell_complete=names.usages,
    help="What a month looks like; default: the stack's key `usage`.",
)
@click.option(
    "--budget", metavar="USD", type=click.FloatRange(min=0), help="Say what fits, and what would have to change."
)
@click.option("--all", "every", is_flag=True, help="Every pair, what is assumed, and what is in no figure.")
@click.option("--by-line", is_flag=True, help="Every line with quantity, unit price, date and source.")
@click.option(
    "--pair",
    "named",
    multiple=True,
    metavar="REGISTRY+ORCHESTRATOR",
    shell_complete=names.pairs,
    help="With --by-line: only this pair.",
)
@click.option("--change", "only_change", is_flag=True, help="What the edited config adds or saves since the last up.")
@click.option("--seed", is_flag=True, help="The first user's own decision table: as they wrote it, now, and why.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV: a row a pair, with --by-line a row a line.")
@click.option("--html", "page", metavar="FILE", type=click.Path(dir_okay=False), help="Write a page with sliders.")
@click.option("--png", "picture", metavar="FILE", type=click.Path(dir_okay=False), help="Write the bars as a picture.")
def compare(
    stack: str,
    region: str | None,
    like: str | None,
    usage: str | None,
    budget: float | None,
    every: bool,
    by_line: bool,
    named: Sequence[str],
    only_change: bool,
    seed: bool,
    as_json: bool,
    as_csv: bool,
    page: str | None,
    picture: str | None,
) -> None:
    """Say what STACK's services cost a month, and what they would with every registry and orchestrator; offline.

    The figures are estimates from the price files in components/prices/, for the usage that is assumed and printed.
    Nothing is asked of AWS, and nothing is changed.
    """
    if seed:
        _seed(as_json)
        return
    if only_change:
        _change(stack, as_json)
        return
    _agree(as_json, as_csv, named, by_line, budget, every or bool(page or picture))
    found = Comparison.of(ROOT, stack, region, usage, like)
    shown, today = _only(found, named), date.today()
    if page or picture:
        _draw(shown, today, page, picture)
    if as_json:
        answer = _answer(found, budget)
        click.echo(json.dumps(documents.document(shown, today) | answer, indent=2))
    elif as_csv:
        click.echo(documents.rows(shown, by_line), nl=False)
    elif by_line or not (page or picture):
        _print(shown, today, budget, by_line, every)


def _answer(found: Comparison, budget: float | None) -> dict[str, Any]:
    """What the document has of all pairs, whichever are shown."""
    answer = {"answer": Answer(found).json()}
    return answer if budget is None else answer | {"budget": _budget(found, budget).json()}


def _print(found: Comparison, today: date, budget: float | None, by_line: bool, every: bool) -> None:
    from yard.comparison import summary, table  # JSON and CSV need no terminal

    if by_line or every:
        (table.show_lines if by_line else table.show)(table.console(), found, today)
    else:
        summary.show(summary.console(), found, today, None if budget is None else _budget(found, budget))


def _budget(found: Comparison, usd: float) -> Budget:
    return Budget(Decimal(str(usd)), found)


def _agree(
    as_json: bool, as_csv: bool, named: Sequence[str], by_line: bool, budget: float | None, others: bool
) -> None:
    if as_json and as_csv:
        raise click.UsageError("--json or --csv: choose one")
    if named and not by_line:
        raise click.UsageError("--pair goes with --by-line")
    if budget is not None and (as_csv or by_line or others):
        raise click.UsageError(
            "--budget goes with the answer or with --json, not with --all, --by-line, --csv, --html or --png"
        )


def _draw(found: Comparison, today: date, page: str | None, picture: str | None) -> None:
    from yard.comparison import chart
    from yard.comparison import page as pages

    try:
        if picture:
            Path(picture).write_bytes(chart.png(found))
            click.echo(f"wrote {picture}", err=True)
        if page:
            with click.progressbar(length=100, label="page", file=sys.stderr) as bar:
                text = pages.html(found, today, lambda done, of: bar.update(done * 100 // of - bar.pos))
            Path(page).write_text(text, encoding="utf-8")
            click.echo(f"wrote {page}", err=True)
    except OSError as error:
        raise click.ClickException(str(error)) from error


def _only(found: Comparison, named: Sequence[str]) -> Comparison:
    """The pairs of these names; all where there are none."""
    if not named:
        return found
    pairs = {f"{each.registry}+{each.orchestrators[0]}": each for each in found.estimates}
    for name in named:
        if name not in pairs:
            known = (f"one of {', '.join(sorted({each.split('+')[place] for each in pairs}))}" for place in (0, 1))
            raise click.UsageError(f"there is no pair {name!r}: use REGISTRY+ORCHESTRATOR, with {' and '.join(known)}")
        if refused := pairs[name].refused:
            raise click.UsageError(f"{name.replace('+', ' cannot go with ')}: {'; '.join(refused)}")
    return replace(found, estimates=tuple(pairs[name] for name in dict.fromkeys(named)))


def _change(stack: str, as_json: bool) -> None:
    from yard.comparison import change, table

    _alone("--change", "--stack", "--json")
    found = change.change(ROOT, stack)
    if as_json:
        click.echo(json.dumps(found.json(), indent=2))
    else:
        table.show_change(table.console(), found)


def _seed(as_json: bool) -> None:
    from yard.comparison.seed import document

    _alone("--seed", "--json")
    if as_json:
        click.echo(json.dumps(document(), indent=2))
        return
    from yard.comparison import seed_page, table

    here = table.console()
    here.print("[bold]The first user's decision table, as they wrote it and as it is now[/]", soft_wrap=False)
    seed_page.show(here, document())


def _alone(*allowed: str) -> None:
    """Refuse every other option: the first of `allowed` has nothing to do with them."""
    context = click.get_current_context()
    given = [
        each.opts[0]
        for each in context.command.params
        if each.name and context.get_parameter_source(each.name) is ParameterSource.COMMANDLINE
    ]
    if odd := sorted({*given} - {*allowed}):
        raise click.UsageError(f"{allowed[0]} has nothing to do with {', '.join(odd)}")
