"""The story of a rehearsal on a terminal; `-v` with every operation, in columns."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from yard import terminal
from yard.rehearsing import Listener, Report, Step
from yard.story import Phase, clock, requests

SIMULATED = (
    "This is a simulation: the real Pulumi engine over a pretend cloud. AWS was not asked."
    " Times are estimates, without the gate's own waiting."
)
SIGNS = {"create": "[green]+[/]", "update": "[yellow]~[/]", "delete": "[red]-[/]"}
FAILED = "The rehearsal failed:"
LONGEST = 3
"""Steps of the switch that are named, as what its time went into."""
NAME = 34
"""Columns of a resource's name."""
WIDE = 80
"""Columns from which there is room for the type as well."""


class Screen:
    """Tells it as it happens."""

    def __init__(self, verbose: bool) -> None:
        self._console = Console(highlight=False)
        self._verbose = verbose
        self._what: dict[str, str] = {}
        self._begun = False
        self._status = self._console.status("")

    def __enter__(self) -> Screen:
        if sys.stdout.isatty():  # FORCE_COLOR, which CI sets, makes no terminal
            self._status.start()
            self._console.show_cursor(True)  # rich hides it, and a second Ctrl-C leaves no time to bring it back
        return self

    def __exit__(self, *_: object) -> None:
        self._status.stop()

    def listener(self) -> Listener:
        """What a rehearsal tells to."""
        return Listener(phase=self._phase, done=self._done, step=self._step, note=self._note)

    def _note(self, text: str) -> None:
        self._begin()
        self._console.print(escape(self._fit(f"- {text}")), soft_wrap=True)

    def _begin(self) -> None:
        """What it is, before the first that is told of it."""
        if not self._begun:
            self._begun = True
            self._console.print(SIMULATED)

    def _phase(self, name: str, what: str) -> None:
        self._begin()
        self._what[name] = what
        self._status.update(escape(f"{name}: {what}"))
        if self._verbose:
            self._console.print(f"\n[bold]{name}[/]: {escape(what)}")

    def _step(self, step: Step) -> None:
        if self._verbose:
            times = f"{clock(step.start):>7}{clock(step.end):>7}"
            name = escape(f"{step.name:<{NAME}}")
            kind = step.type if self._console.width >= WIDE else ""
            self._console.print(f"{times} {SIGNS[step.op]} {name} [dim]{kind}[/]", soft_wrap=True)

    def _done(self, name: str, report: Report) -> None:
        phase = Phase(name, report)
        if len(self._what) == 1:
            self._console.print()
        at = clock(phase.start) if phase.steps else ""
        what = f"{self._what[name]} ({phase.changes})" if phase.steps else f"{phase.changes}, as it should be"
        self._at(at, f"[bold]{name}[/]: {escape(what)}")
        for each in phase.moments():
            self._at(clock(each.at), f"  {escape(each.text)}")

    def _at(self, time: str, text: str) -> None:
        """A line with its time; what does not fit goes on below the text."""
        line = Table.grid(padding=(0, 2, 0, 0))
        line.add_column(width=7, justify="right")
        line.add_column()
        line.add_row(time, text)
        self._console.print(line)

    def _fit(self, text: str) -> str:
        return terminal.wrapped(text, terminal.width(self._console))

    def end(self, report: Report) -> None:
        """What it came to."""
        say = self._console.print
        say()
        for each in report.policies:
            if each.level == "advisory":  # the others are why it failed
                say(f"[yellow]{escape(str(each))}[/]", soft_wrap=True)
        for line in requests.story(report.load or []):
            say(escape(self._fit(line)), soft_wrap=True)
        if not report.ok:
            why = self._fit(f"{FAILED} {report.reason}")
            say(f"[bold red]{FAILED}[/]{escape(why.removeprefix(FAILED))}", soft_wrap=True)
            say("AWS was not asked.")
            return
        say(escape(_took(Phase("switch", report))))
        before, after = report.cost.values()
        if before and after:
            say(f"A month costs {before} USD before the switch, {after} after it.")
        url = report.url["after"]
        if isinstance(url, str) and url == report.url["before"]:
            say(f"The URL stayed {escape(url)}, and never stood without a healthy target.", soft_wrap=True)
        say("[bold green]It holds.[/] AWS was not asked.")


def _took(switch: Phase) -> str:
    """How long the switch took, and what for."""
    longest = sorted(switch.path(), key=lambda each: each.start - each.end)[:LONGEST]
    named = ", ".join(
        f"{each.name} ({each.type.rpartition(':')[2]}) {clock(each.end - each.start)}" for each in longest
    )
    return f"The switch takes {clock(switch.end - switch.start)} minutes, most of them for {named}."
