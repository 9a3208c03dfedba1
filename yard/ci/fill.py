"""`yard ci fill`: an image from the registry into the cache that the replicas pull from."""

import click

from components.registry import COMMIT
from yard import exits, here, image, state
from yard.choice import stack_option
from yard.ci.subject import Subject
from yard.local import in_words
from yard.push_commands import PushCommands

ROOT = here.ROOT


@click.command()
@click.argument("service")
@click.argument("address", metavar="IMAGE:TAG")
@stack_option("The stack whose cache it is.")
def fill(service: str, address: str, stack: str) -> None:
    """Have ECR's cache fetch IMAGE:TAG of SERVICE, which was pushed to the other registry.

    A cache fetches what it lacks by a tag alone, and what runs is named by its digest. So this comes before
    `yard deploy` where the stack's registry is behind a cache. It runs the last of the commands in the
    output `push`.
    """
    with in_words(stack):
        subject = Subject.of(ROOT, stack)
        pushes = state.outputs(ROOT, stack).get("push", {})
        if not subject.cached or service not in pushes:
            raise exits.Misused(f"stack {stack} has no cache for a service {service}")
        before, _, after = str(subject.registry.tag).partition(str(COMMIT))
        version = address.rpartition(":")[2].removeprefix(before).removesuffix(after)
        for line in PushCommands.of(pushes[service]).filling(version):
            click.echo(line)
            image.run(line, "the cache was not filled", {})
