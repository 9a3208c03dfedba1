"""`yard rehearse`: what a stack makes, moves and deletes, in what order and how long it should take."""

import json
from collections import Counter

import click
from rich.console import Console
from rich.markup import escape

from config.stack_file import NoStack
from yard import exits, here, interrupts
from yard.choice import stack_option
from yard.rehearsing import Listener, Report, Step
from yard.rehearsing import rehearse as run

ROOT = here.ROOT

SIMULATED = (
    "This is a simulation: the real Pulumi engine over a pretend cloud. AWS was not asked. Times are estimates,"
    " without the gate's own waiting."
)
SIGNS = {"create": "[green]+[/]", "update": "[yellow]~[/]", "delete": "[red]-[/]"}


@click.command()
@stack_option("The stack, by its config file config/Pulumi.<stack>.yaml.")
@click.option("--to", metavar="ORCHESTRATOR", help="Switch to this one; default: the other one on AWS.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
@click.option(
    "--speed", default=200.0, show_default=True, type=click.FloatRange(min=1), help="Rehearsal seconds a second."
)
def rehearse(stack: str, to: str | None, as_json: bool, speed: float) -> None:
    """Run STACK through the real engine over a pretend cloud: up, again, switch, back, destroy.

    Needs no account and touches neither the stack's state nor its config. Exit 1 when something is refused, or
    when a promise does not hold.
    """
    console = Console(highlight=False, soft_wrap=True)
    if not as_json:
        console.print(SIMULATED)
    with interrupts.explained(lambda: "A rehearsal leaves nothing behind; call it again to start anew."):
        try:
            report = run(ROOT, stack, to, speed, Listener() if as_json else _telling(console))
        except NoStack as error:
            raise exits.Misused(str(error)) from error
        except KeyboardInterrupt:
            if as_json:
                click.echo(json.dumps(Report(reason="interrupted").json(), indent=2))
            raise
    if as_json:
        click.echo(json.dumps(report.json(), indent=2))
    else:
        _summary(console, report)
    if not report.ok:
        raise SystemExit(1)


def _telling(console: Console) -> Listener:
    return Listener(
        phase=lambda name, what: console.print(f"\n[bold]{name}[/]: {escape(what)}"),
        step=lambda step: console.print(_line(step)),
        note=lambda text: console.print(escape(f"- {text}")),
    )


def _line(step: Step) -> str:
    return f"  {_clock(step.start)} {_clock(step.end)} {SIGNS[step.op]} {escape(step.name)} [dim]{step.type}[/]"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes:3}:{rest:02}"


def _summary(console: Console, report: Report) -> None:
    console.print()
    if not report.ok:
        console.print(f"[bold red]The rehearsal failed:[/] {escape(report.reason)}")
    for phase, changes in report.changes.items():
        steps = [step for step in report.steps if step.phase == phase]
        seconds = max((step.end for step in steps), default=0.0) - min((step.start for step in steps), default=0.0)
        took = f", {_clock(seconds).strip()} min" if steps else ""
        counts = Counter({op: count for op, count in changes.items() if op != "same"})
        counted = ", ".join(f"{count} {op}" for op, count in sorted(counts.items())) or "no changes"
        console.print(f"  {phase}: {counted}{took}")
    url = report.url["after"]
    if isinstance(url, str) and url == report.url["before"]:
        console.print(f"  The URL stayed {escape(url)}, and never stood without a healthy target.")
    console.print(("[bold green]It holds.[/] " if report.ok else "") + "AWS was not asked.")
