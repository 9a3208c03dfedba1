"""`yard prices`: the price files that an estimate is made from, and AWS's own price lists to make them anew."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.table import Table
from rich.text import Text

from components.prices import HERE, price_files, rows_of
from config.stack_file import NoStack, StackFile
from yard import exits, files, here, terminal
from yard.choice import stack_option
from yard.groups import Group
from yard.pricelist import PriceListError
from yard.pricelist.fetch import AWS
from yard.pricelist.refresh import Refreshed, offered
from yard.pricelist.refresh import refresh as read_anew

ROOT = here.ROOT

REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d+")
SIGNS = {"new": "+", "changed": "~"}
COLOURS = {"+": "green", "~": "yellow"}
"""Of the signs."""


@click.group(cls=Group, invoke_without_command=True)
@click.pass_context
def prices(context: click.Context) -> None:
    """List the price files: how many prices each has, of when, and how each is known."""
    if context.invoked_subcommand is None:
        Console(highlight=False).print(_listing())


def _region(context: click.Context, parameter: click.Parameter, names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if not REGION.fullmatch(name):
            raise click.BadParameter(f"{name!r} is not a region of AWS: want one such as eu-central-1")
    return tuple(dict.fromkeys(names))


def _offers(context: click.Context, parameter: click.Parameter, base: str) -> str:
    """A path or an address; one with a password or a token in it could end up in a message."""
    address = urlsplit(base)
    if "://" in base and (address.scheme not in ("http", "https") or address.username or address.query):
        raise click.BadParameter("want a directory, or an http or https URL without user and query")
    if "://" not in base and not Path(base).is_dir():
        raise click.BadParameter(f"there is no directory {base}")
    return base


@prices.command()
@click.argument("regions", metavar="[REGION]...", nargs=-1, callback=_region)
@stack_option("Take this stack's region where no REGION is named.")
@click.option("--every-region", "every", is_flag=True, help="Each region in which AWS offers all that is looked up.")
@click.option("--dry-run", is_flag=True, help="Say what would change, and change nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document; progress goes to standard error.")
@click.option(
    "--offers",
    default=AWS,
    show_default=True,
    envvar="SWITCHYARD_OFFERS",
    callback=_offers,
    metavar="URL|DIRECTORY",
    help="Where the lists are, as <service>/current/<region>/index.json: a mirror, or files downloaded before.",
)
def refresh(regions: tuple[str, ...], stack: str, every: bool, dry_run: bool, as_json: bool, offers: str) -> None:
    """Read AWS's public price lists and write each REGION's price file anew, or the first one of a new region.

    Needs the internet and no account; the list of EC2 is several hundred MB. It is all or nothing: when one price is
    missing, ambiguous or not in USD, all that is wrong is named, no file changes, and the exit code is 1. What AWS does
    not list stays as it is. With --every-region each region is all or nothing by itself: the others' files are written.
    """
    if every and regions:
        raise click.UsageError("--every-region or REGION: choose one")
    with _progress() as progress:
        try:
            named = offered(offers, progress) if every else regions or (_own_region(stack),)
            found = [read_anew(each, HERE, offers, progress) for each in named]
            good = not any(each.problems for each in found)
            changed = [each for each in found if (not each.problems if every else good) and each.differs]
            for each in changed if not dry_run else ():
                files.write(each.path, each.text)
        except (OSError, PriceListError) as error:
            raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(json.dumps({"ok": good, "regions": [_json(each, each in changed) for each in found]}, indent=2))
    else:
        _tell(found, changed, dry_run)
    if not good:
        raise SystemExit(1)


def _own_region(stack: str) -> str:
    try:
        region = StackFile(ROOT, stack).values.get("aws:region")
    except NoStack as error:
        raise exits.Misused(str(error)) from error
    if not isinstance(region, str):
        raise click.UsageError(f"stack {stack} is in no region of AWS: name one, as in `yard prices refresh us-east-1`")
    return region


def _progress() -> Progress:
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


def _json(found: Refreshed, changed: bool) -> dict[str, Any]:
    return {
        "region": found.region,
        "file": str(found.path),
        "changed": changed,
        "problems": found.problems,
        "prices": [{"key": each.key, "change": each.kind, "old": each.old, "new": each.new} for each in found.changes],
        "kept": found.kept,
        "absent": found.absent,
    }


def _tell(found: list[Refreshed], changed: list[Refreshed], dry_run: bool) -> None:
    console = Console(highlight=False, width=terminal.width(Console()))
    for each in found:
        console.print(f"[bold]{each.region}[/]")
        for line in _lines(each):
            shown = Text(terminal.wrapped(f"  {line}", console.width), style="red" if each.problems else "")
            shown.stylize(COLOURS.get(line[0], ""), 2, 3)
            console.print(shown, soft_wrap=True)
    if any(each.problems for each in found) and not changed:
        console.print("[bold red]Nothing was changed.[/]")
        return
    for each in (each for each in found if not each.problems):
        verb = "same as before" if each not in changed else "not written (--dry-run)" if dry_run else "written"
        console.print(f"{escape(str(each.path))}: {verb}", soft_wrap=True)


def _lines(found: Refreshed) -> Iterator[str]:
    yield from found.problems
    if found.problems:
        return
    for each in found.changes:
        if each.kind in SIGNS:
            old = f"{each.old} -> " if each.old else ""
            yield f"{SIGNS[each.kind]} {each.key}: {old}{each.new} USD"
    same = sum(each.kind == "same" for each in found.changes)
    yield f"{same} {'price' if same == 1 else 'prices'} as before"
    if found.kept:
        yield f"kept as they are, since they are not looked up: {', '.join(found.kept)}"
    if found.absent:
        yield f"not sold in this region: {', '.join(found.absent)}"


def _listing() -> Table:
    table = Table("vendor", "region", box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for name in ("prices", "oldest", "no\ndate", "recorded", "not\nsure"):
        table.add_column(name, justify="right", vertical="bottom", overflow="fold")
    for vendor, path in price_files():
        rows = rows_of(path)
        dates = [row["as_of"] for row in rows if row["as_of"]]
        keys = {row["key"] for row in rows}
        recorded = {row["key"] for row in rows if row["status"] == "recorded"}
        unconfirmed = {row["key"] for row in rows if row["status"] not in ("verified", "recorded")}
        counts = len(keys), min(dates, default="-"), len(rows) - len(dates), len(recorded), len(unconfirmed)
        table.add_row(vendor, path.stem, *map(str, counts))
    return table
