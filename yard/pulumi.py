"""`yard pulumi`: the Pulumi CLI in this project, with what stack `local` needs of its environment."""

import os
from collections.abc import Iterator, Sequence

import click

from config.place import HOME
from yard import engine, here, suggest
from yard.local import STACK, Local, in_words

ROOT = here.ROOT


@click.command(
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False}, add_help_option=False
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="ARGUMENTS...")
def pulumi(arguments: Sequence[str]) -> None:
    """Run the Pulumi CLI in the project's folder, as `yard` does: for stack local with its state and its passphrase.

    Everything after `pulumi` is the CLI's: `yard pulumi config set --path oci.host localhost:5001 --stack local`.
    """
    local = Local(ROOT) if STACK in _stacks(arguments) else None
    if local and engine.RUNS & {*arguments[:1]}:
        raise click.ClickException(
            f"stack {STACK} has its images from `{suggest.yard('up')}`, so that is what brings it up;"
            f" `{suggest.yard('down')}` removes it"
        )
    cli = HOME / ".tools/bin/pulumi"
    with in_words():
        if local and not local.exists:
            local.open(lambda text: click.echo(text, err=True))
        os.chdir(ROOT)
        environment = {**os.environ, **engine.environment(local.state if local else None)}
        os.execve(cli, [str(cli), *arguments], environment)


def _stacks(arguments: Sequence[str]) -> Iterator[str]:
    """The stacks that the arguments name."""
    for each, following in zip(arguments, [*arguments[1:], ""], strict=True):
        option, _, value = each.partition("=")
        if option in ("--stack", "-s"):
            yield value or following
