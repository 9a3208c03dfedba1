"""`yard releases`: what ran when, from which commit, by whom."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import click
from rich.console import Console

from config.problems import nearest
from config.releases import DIGESTS, Release, parsed
from yard import here, names, state, suggest, terminal
from yard.choice import stack_option
from yard.local import STACK, in_words
from yard.machine import MachineError

ROOT = here.ROOT

SHORT = 19
"""Characters of a digest that are shown: sha256: and twelve digits."""
HEAD = ("release", "time (UTC)", "service", "digest", "commit", "by", "")


@click.command()
@click.argument("service", required=False, metavar="[SERVICE]", shell_complete=names.services)
@stack_option("The stack.")
@click.option("--json", "as_json", is_flag=True, help="Print a list in JSON, with whole digests.")
def releases(service: str | None, stack: str, as_json: bool) -> None:
    """List the releases of STACK, newest first: what changed of each service, or of SERVICE alone.

    A release is an `up` that ended with another image healthy, whoever ran it. `yard rollback` goes back to one.
    """
    with in_words(stack):
        found = state.outputs(ROOT, stack)
        rows = [*rows_of(parsed(found), found.get(DIGESTS) or {}, service)]
        if service and not rows:
            raise MachineError(unknown(service, stack, found))
    if as_json:
        click.echo(json.dumps(rows, indent=2))
    elif rows:
        lines = [*table(rows)]
        fits = max(map(len, lines)) <= terminal.width(Console())
        click.echo("\n".join(lines if fits else narrow(rows)))
    else:
        first = suggest.yard("up") if stack == STACK else suggest.yard("deploy", "--stack", stack)
        terminal.say(f"stack {stack} has no releases yet: `{first}` makes the first")


def unknown(service: str, stack: str, outputs: Mapping[str, Any]) -> str:
    """That a service has never run."""
    known = sorted({name for each in parsed(outputs) for name in each.digests})
    if not known:
        return f"{service} has no releases: nothing has run on stack {stack} yet"
    return f"{service} has no releases on stack {stack}: use one of {', '.join(known)}{nearest(service, known)}"


def rows_of(record: Iterable[Release], running: Mapping[str, str], service: str | None) -> Iterator[dict[str, Any]]:
    """A row for each change of a service, newest first."""
    found = set[str]()
    for release in sorted(record, key=lambda each: -each.number):
        for name, change in sorted(release.changed.items()):
            if service not in (None, name):
                continue
            yield {
                "number": release.number,
                "time": release.dumped()["time"],
                "service": name,
                "digest": change.digest,
                "commit": change.commit,
                "by": release.by,
                "back_to": change.back_to,
                "runs": name not in found and running.get(name) == change.digest,
            }
            found.add(name)


def table(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """The rows for a person."""
    cells = [HEAD, *map(_cells, rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        yield "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()


def narrow(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """The same where a table has no room: two lines for each."""
    for row in rows:
        number, when, service, digest, commit, by, notes = _cells(row)
        yield f"{number:>4}  {when}  {service}"
        yield f"      {digest}, commit {commit}, by {by}"
        if notes:
            yield f"      {notes}"


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    notes = [f"rollback to {row['back_to']}"] if row["back_to"] else []
    notes += ["runs now"] if row["runs"] else []
    when = row["time"].replace("T", " ").removesuffix("Z")
    digest = row["digest"][:SHORT]
    return str(row["number"]), when, row["service"], digest, row["commit"] or "-", row["by"], ", ".join(notes)
