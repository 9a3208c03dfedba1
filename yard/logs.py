"""`yard logs`: what the replicas write, of one service or of all, whatever runs them."""

import heapq
import json
import queue
import re
import threading
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from components.operations import Line, Operations
from yard import here, interrupts, names
from yard.choice import stack_option
from yard.deployed import Opened, opened
from yard.local import in_words

ROOT = here.ROOT

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
Named = tuple[str, Line]


class Since(click.ParamType[datetime]):
    """A span such as 10m, or a time in ISO 8601."""

    name = "since"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """The time that is meant; one without a zone is this machine's."""
        if isinstance(value, datetime):
            return value
        if span := re.fullmatch(r"(\d{1,6})([smhd])", value):
            return datetime.now(UTC) - timedelta(**{UNITS[span[2]]: int(span[1])})
        try:
            return datetime.fromisoformat(value).astimezone(UTC)
        except ValueError:
            self.fail(
                f"want a span such as 90s, 10m, 2h or 3d, or a time such as 2026-01-31T09:00, not {value!r}", param
            )


@click.command()
@click.argument("service", required=False, shell_complete=names.services)
@stack_option("The stack.")
@click.option("--follow", "-f", is_flag=True, help="Go on with what is written from now on, until Ctrl-C.")
@click.option("--since", type=Since(), default="10m", show_default=True, help="From then on: 90s, 10m, 2h, 3d, a time.")
@click.option("--json", "as_json", is_flag=True, help="Print each line as JSON: service, at, text.")
def logs(service: str | None, stack: str, follow: bool, since: datetime, as_json: bool) -> None:
    """Show what SERVICE writes, or all services of STACK. On AWS: also before and during a switch."""
    with in_words(stack), interrupts.explained(lambda: ""):
        found = opened(ROOT, stack)
        if service:
            found.check(service)
        names = [service] if service else found.running
        for name, line in merged(_sources(found, names, since, follow), follow):
            click.echo(_shown(name, line, as_json, len(names) > 1))


def _shown(name: str, line: Line, as_json: bool, several: bool) -> str:
    if as_json:
        return json.dumps({"service": name, "at": line.at.isoformat(), "text": line.text})
    return f"{name}: {line.text}" if several else line.text


def _sources(stack: Opened, names: Iterable[str], since: datetime, follow: bool) -> list[tuple[str, Iterator[Line]]]:
    """The lines of each service on each orchestrator; a place that several share is asked once."""
    every = [stack.operations("logs", key) for key in stack.settings.orchestrators]
    asked: list[Operations[Any]] = [each for each in every if not each.logs_together]
    asked += [each for each in every if each.logs_together][:1]
    return [(name, each.logs(name, since, follow)) for name in names for each in asked]


def merged(sources: Iterable[tuple[str, Iterator[Line]]], follow: bool) -> Iterator[Named]:
    """All lines by their time, each with its service; with `follow` as they come."""
    if follow:
        return _as_they_come(list(sources))
    return heapq.merge(*(_with(name, lines) for name, lines in sources), key=lambda each: each[1].at)


def _with(name: str, lines: Iterator[Line]) -> Iterator[Named]:
    for line in lines:
        yield name, line


def _as_they_come(sources: list[tuple[str, Iterator[Line]]]) -> Iterator[Named]:
    came: queue.SimpleQueue[Named | Exception | None] = queue.SimpleQueue()

    def read(name: str, lines: Iterator[Line]) -> None:
        try:
            for line in lines:
                came.put((name, line))
        except Exception as error:  # it is raised where someone hears it
            came.put(error)
        came.put(None)

    for source in sources:
        threading.Thread(target=read, args=source, daemon=True).start()
    left = len(sources)
    while left:
        found = came.get()
        if isinstance(found, Exception):
            raise found
        if found is None:
            left -= 1
        else:
            yield found
