"""`yard rehearse`: what a stack makes, moves and deletes, in what order and how long it should take."""

import json
from pathlib import Path

import click

from config.stack_file import NoStack
from yard import exits, here, interrupts, names
from yard.choice import stack_option
from yard.rehearsing import Listener, Report
from yard.rehearsing import rehearse as run
from yard.story.screen import Screen

ROOT = here.ROOT


@click.command()
@stack_option("The stack, by its config file config/Pulumi.<stack>.yaml.")
@click.option(
    "--to",
    metavar="ORCHESTRATOR",
    shell_complete=names.orchestrators,
    help="Switch to this one; default: the other one on AWS.",
)
@click.option("--verbose", "-v", is_flag=True, help="Print every operation as it ends.")
@click.option("--html", "page", metavar="FILE", type=click.Path(dir_okay=False), help="Write a page with the picture.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
@click.option(
    "--speed", default=200.0, show_default=True, type=click.FloatRange(min=1), help="Rehearsal seconds a second."
)
def rehearse(stack: str, to: str | None, verbose: bool, page: str | None, as_json: bool, speed: float) -> None:
    """Run STACK through the real engine over a pretend cloud: up, again, switch, back, destroy.

    Needs no account and touches neither the stack's state nor its config. Exit 1 when something is refused, or
    when a promise does not hold; 2 when the configuration keeps the stack from being rehearsed.
    """
    with interrupts.explained(lambda: "A rehearsal leaves nothing behind; call it again to start anew."):
        try:
            report = _as_json(stack, to, speed) if as_json else _told(stack, to, speed, verbose)
        except NoStack as error:
            raise exits.Misused(str(error)) from error
    if page and report.begun:
        _write(page, stack, report)
    if not report.ok:
        raise SystemExit(1 if report.begun else exits.Misused.exit_code)


def _told(stack: str, to: str | None, speed: float, verbose: bool) -> Report:
    screen = Screen(verbose)
    with screen:
        report = run(ROOT, stack, to, speed, screen.listener())
    if not report.begun:
        raise exits.Misused(report.reason)
    screen.end(report)
    return report


def _as_json(stack: str, to: str | None, speed: float) -> Report:
    try:
        report = run(ROOT, stack, to, speed, Listener())
    except KeyboardInterrupt:
        click.echo(json.dumps(Report(reason="interrupted").json(), indent=2))
        raise
    click.echo(json.dumps(report.json(), indent=2))
    return report


def _write(file: str, stack: str, report: Report) -> None:
    from yard.story import page

    try:
        Path(file).write_text(page.html(stack, report), encoding="utf-8")
    except OSError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"wrote {file}", err=True)
