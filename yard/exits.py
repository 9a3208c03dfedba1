"""How commands end. 0: done. 1: it failed. 2: the call or the configuration is wrong, and nothing was done. 3: a switch
was taken back. 130: Ctrl-C (143, 129: another signal that asks a process to end). `yard run` and `yard exec` hand on
their command's own."""

import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from yard import here

TAKEN_BACK = 3
"""The guard of `yard switch` gave all traffic back."""

F = TypeVar("F", bound=Callable[..., Any] | click.Command)


class Misused(click.ClickException):
    """The call or the configuration is wrong; nothing was done."""

    exit_code = 2


class StackName(click.ParamType[str]):
    """A stack of the project. One that is taken by default is the command's own to look for."""

    name = "stack"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The name; raises `Misused` where there is no such stack."""
        # They load the SDK, which the help must not wait for.
        from config.stack_file import BadStack, NoStack, StackFile

        given = param and ctx and param.name and ctx.get_parameter_source(param.name)
        if given is not click.core.ParameterSource.DEFAULT:
            try:
                StackFile(here.ROOT, value)
            except BadStack:
                pass  # it is there; the command says what is wrong with it
            except NoStack as error:
                raise Misused(str(error)) from error
        return value

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """The stacks that have a file."""
        names = sorted(file.name.split(".")[1] for file in (here.ROOT / "config").glob("Pulumi.*.yaml"))
        return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def stack_option(text: str, **more: Any) -> Callable[[F], F]:
    """The option `--stack`, as every command takes it."""
    return click.option("--stack", type=StackName(), metavar="STACK", help=text, **more)


def confirm(question: str, *, yes: bool, option: str = "--yes") -> None:
    """Go on only if the person at the terminal says so, or `yes`, for which `option` stands; raises `Misused` where
    nobody is there to ask."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise Misused(f"{question} There is no terminal to answer at: give {option}")
    # click's own takes Ctrl-C for a no.
    click.echo(f"{question} [y/N] ", nl=False, err=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise click.ClickException("nothing was changed")
