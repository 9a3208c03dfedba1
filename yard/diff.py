"""`yard diff`: what a change of the project does to its stacks, made without an account."""

import json
from collections.abc import Sequence

import click

from yard import exits, here, interrupts
from yard.differing.result import Report
from yard.differing.revisions import Revision, of

ROOT = here.ROOT
LEFT = "A diff leaves nothing behind; call it again to start anew."


@click.command()
@click.argument("base")
@click.argument("head", required=False)
@exits.stack_option("Only this stack; more of them by the option again. Default: all.", multiple=True)
@click.option("--markdown", is_flag=True, help="Print a comment for a pull request and nothing else.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def diff(base: str, head: str | None, stack: Sequence[str], markdown: bool, as_json: bool) -> None:
    """Say what HEAD does to stacks that are up as BASE has them: both are revisions of git, and without HEAD it is what
    is there now.

    Both are brought up on a pretend cloud, one after the other. Needs no account and no passphrase, and touches neither
    the stacks' state nor their config. Exit 2 when HEAD's configuration is wrong; 1 when it cannot be brought up, or
    callers would not be answered on the way.
    """
    if markdown and as_json:
        raise click.UsageError("--markdown or --json: choose one")
    with interrupts.explained(lambda: LEFT), of(ROOT, base, head) as revisions:
        report = _report(*revisions, stack)
    if as_json:
        click.echo(json.dumps(report.json(), indent=2))
    elif markdown:
        from yard.differing import comment

        click.echo(comment.text(report))
    else:
        from yard.differing import screen

        screen.show(report)
    if report.exit_code:
        raise SystemExit(report.exit_code)


def _report(base: Revision, head: Revision, wanted: Sequence[str]) -> Report:
    from yard.differing import stacks  # it loads the SDK, which `--help` must not wait for

    found = []
    for name in sorted({*wanted} or base.stacks | head.stacks):
        click.echo(f"stack {name}", err=True)
        found.append(stacks.diff(base, head, name))
    return Report(base.name, head.name, found, {each.name: each.note for each in (base, head) if each.note})
