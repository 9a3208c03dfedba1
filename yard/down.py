"""`yard down`: remove all that `yard up` made."""

import shutil

import click

from yard import exits, interrupts, local_proxy, machine, progress, suggest
from yard.local import STACK, Local, in_words
from yard.up import ROOT


@click.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
def down(yes: bool) -> None:
    """Remove all that `yard up` made: the stack, the images, the registry, the swarm."""
    local = Local(ROOT)
    if not local.state.exists() and not local.notes.file.exists():
        click.echo("nothing to remove")
        return

    def left() -> str:
        return f"What is not removed yet stays: `{suggest.yard('down')}` goes on."

    exits.confirm(f"Remove stack {STACK} of {ROOT}, with its services and images?", yes=yes)
    with in_words(STACK), interrupts.explained(left):
        remove(local, click.echo)


def remove(local: Local, say: machine.Say) -> None:
    """Everything in the order opposite to `up`."""
    here = machine.find(local.docker_host, local.notes, say)
    stack = local.open(say)
    known = local.known_ids()
    local_proxy.remove_lost(here, local.name, known)
    machine.remove_leftovers(here, local.name, known)
    progress.run(stack.destroy, say)
    stack.workspace.remove_stack(STACK, preserve_config=True)
    machine.remove_images(here, local.name, local.images)
    local_proxy.remove_image(here)
    machine.stop_registry(here)
    machine.leave_swarm(here)
    forget(local)
    say("removed stack local: nothing of it is left")


def forget(local: Local) -> None:
    """The files that `up` left in the project's folder."""
    shutil.rmtree(local.notes.directory, ignore_errors=True)
    if not any(local.state.glob(".pulumi/stacks/**/*.json")):
        shutil.rmtree(local.state, ignore_errors=True)
