"""`yard run`: one more task with a service's image, environment, secrets and network, for one command."""

from contextlib import closing

import click

from yard import here, interrupts, names
from yard.choice import stack_option
from yard.deployed import in_words_not_run, opened

ROOT = here.ROOT


@click.command()
@click.argument("service", shell_complete=names.services)
@click.argument("command", nargs=-1, required=True)
@stack_option("The stack.")
def run(service: str, command: tuple[str, ...], stack: str) -> None:
    """Run COMMAND once, in a task of its own like those of SERVICE, and show what it writes.

    COMMAND stands after `--` and in place of the image's own; an entry point of the image gets it as its arguments.
    The exit code is the command's; 125: it was never run, 130: Ctrl-C, which stops the task.
    """
    code = 0
    with in_words_not_run(stack), interrupts.explained(lambda: "The task was stopped."), interrupts.raised():
        stack_ = opened(ROOT, stack)
        stack_.check(service)
        with closing(stack_.operations("run", stack_.home).run(service, command)) as lines:
            for each in lines:
                if isinstance(each, int):
                    code = each
                else:
                    click.echo(each)
    raise SystemExit(code)
