"""`yard exec`: a command inside a replica that runs."""

import click

from yard import here, interrupts, names
from yard.choice import stack_option
from yard.deployed import in_words_not_run, opened

ROOT = here.ROOT


@click.command()
@click.argument("service", shell_complete=names.services)
@click.argument("command", nargs=-1, required=True)
@stack_option("The stack.")
def exec(service: str, command: tuple[str, ...], stack: str) -> None:
    """Run COMMAND, which stands after `--`, inside a replica of SERVICE, on this terminal.

    The exit code is the command's; 125: it was never run. Where there is no way in, `yard run` runs it beside.
    """
    with in_words_not_run(stack), interrupts.explained(lambda: ""):
        found = opened(ROOT, stack)
        found.check(service)
        code = found.operations("exec", found.home).exec(service, command)
    raise SystemExit(code)
