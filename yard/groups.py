"""Commands that have commands: their help says all of what each is for, and a misspelt one is told the nearest."""

import inspect

import click


class Unknown(click.ClickException):
    """There is no such command."""

    exit_code = 2


def path(context: click.Context) -> list[str]:
    """The command's words after `yard`."""
    return [*path(context.parent), str(context.info_name)] if context.parent else []


class Group(click.Group):
    """As click's, whose help cuts what each command is for."""

    def purposes(self, ctx: click.Context) -> dict[str, str]:
        """The names of its commands, each with what it is for: the first paragraph of its help."""
        return {name: _first(self.get_command(ctx, name)) for name in self.list_commands(ctx)}

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        known = self.list_commands(ctx)
        if args[0] not in known and not ctx.resilient_parsing:
            from config.problems import nearest  # it loads the SDK, which the help must not wait for
            from yard import suggest

            written, meant = " ".join([*path(ctx), args[0]]), nearest(args[0], known) or "."
            raise Unknown(f"there is no command {written!r}{meant} `{suggest.yard('help', *path(ctx))}` lists them")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([*self.purposes(ctx).items()])


def _first(command: click.Command | None) -> str:
    paragraph, _, _ = inspect.cleandoc((command and command.help) or "").partition("\n\n")
    return " ".join(paragraph.split())
