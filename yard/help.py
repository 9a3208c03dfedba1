"""`yard help`: what `--help` says, for those who type it as a word."""

import click

from yard.groups import Unknown, path


@click.command()
@click.argument("words", nargs=-1, metavar="[COMMAND]...")
@click.pass_context
def help(context: click.Context, words: tuple[str, ...]) -> None:
    """Explain COMMAND, or list the commands. Some have commands of their own: `yard help ci init`."""
    assert context.parent  # it is a command of `yard`
    click.echo(_explained(context.parent, *words))


def _explained(of: click.Context, *words: str) -> str:
    if not words:
        return of.get_help()
    first, *others = words
    if not isinstance(of.command, click.Group):
        written = " ".join([*path(of), first])
        raise Unknown(f"there is no command {written!r}: {path(of)[-1]} has none of its own")
    name, found, _ = of.command.resolve_command(of, [first])  # it tells a misspelt one
    assert found
    with click.Context(found, info_name=name, parent=of) as inner:
        return _explained(inner, *others)
