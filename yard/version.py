"""`yard version`."""

from importlib import metadata

import click


@click.command()
def version() -> None:
    """Print the version, and nothing else."""
    click.echo(metadata.version("switchyard"))
