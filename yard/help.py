"""`yard help`: what `--help` says, for those who type it as a word."""

import click


@click.command()
@click.argument("command", required=False)
@click.pass_context
def help(context: click.Context, command: str | None) -> None:
    """Explain COMMAND, or list the commands."""
    group = context.parent
    assert group  # it is a command of `yard`
    assert isinstance(group.command, click.Group)
    if command is None:
        click.echo(group.get_help())
        return
    name, found, _ = group.command.resolve_command(group, [command])  # it tells a misspelt one
    assert found
    with click.Context(found, info_name=name, parent=group) as of_command:
        click.echo(of_command.get_help())
