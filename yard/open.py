"""`yard open`: a service in the browser."""

import click

from yard import here, names
from yard.choice import stack_option
from yard.deployed import Opened, opened
from yard.local import in_words
from yard.machine import MachineError
from yard.state import url_of

ROOT = here.ROOT


@click.command()
@click.argument("service", required=False, shell_complete=names.services)
@stack_option("The stack.")
def open(service: str | None, stack: str) -> None:
    """Print the URL of SERVICE, or of the only one that has one, and open it in the browser where there is one."""
    with in_words(stack):
        url = url_to_open(opened(ROOT, stack), service)
    click.echo(url)
    click.launch(url)


def url_to_open(stack: Opened, service: str | None) -> str:
    """Raises `MachineError` where it has to be said which is meant, or where there is none."""
    if service:
        stack.check(service)
    known = {name: url_of(name, stack.deployed.services[name], stack.outputs.get("url")) for name in stack.running}
    found = {name: url for name, url in known.items() if url and service in (None, name)}
    if not found:
        raise MachineError(f"{service} is not public" if service else "no service that runs is public")
    if len(found) > 1:
        raise MachineError(f"several services have a URL: say which, one of {', '.join(found)}")
    return next(iter(found.values()))
