"""`yard down`: remove all that `yard up` made."""

import shutil

import click

from yard import interrupts, machine, progress
from yard.local import STACK, Local, in_words, path
from yard.up import ROOT


@click.command()
def down() -> None:
    """Remove all that `yard up` made: the stack, the registry, the swarm, the digest in the configuration."""
    local = Local(ROOT)
    if not local.state.exists() and not local.notes.file.exists():
        click.echo("nothing to remove")
        return
    with in_words(), interrupts.explained(lambda: "What is not removed yet stays: `make down` goes on."):
        remove(local, click.echo)


def remove(local: Local, say: machine.Say) -> None:
    """Everything in the order opposite to `up`."""
    here = machine.find(local.docker_host, local.notes, say)
    stack = local.open(say)
    machine.remove_leftovers(here, local.name, local.known_ids())
    progress.run(stack.destroy, say)
    for key in ("digest", "architecture"):
        if local.configured(key):
            stack.remove_config(path(key), path=True)
    stack.workspace.remove_stack(STACK, preserve_config=True)
    machine.remove_images(here, local.name, local.repository)
    machine.stop_registry(here)
    machine.leave_swarm(here)
    forget(local)
    say("removed stack local: nothing of it is left")


def forget(local: Local) -> None:
    """The files that `up` left in the checkout."""
    shutil.rmtree(local.notes.directory, ignore_errors=True)
    if not any(local.state.glob(".pulumi/stacks/**/*.json")):
        shutil.rmtree(local.state, ignore_errors=True)
    lines = local.file.read_bytes().splitlines(keepends=True)
    if not any(b"secure:" in line for line in lines):  # else the salt is needed to read them
        local.file.write_bytes(b"".join(line for line in lines if not line.startswith(b"encryptionsalt:")))
