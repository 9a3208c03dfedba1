"""What is said of a call that does not fit: first what is wrong, in the words of every other error, then where the help
is. click says its usage first, and the error last."""

import re

import click

from yard import groups, suggest

TOO_MANY = re.compile(r"Got unexpected extra arguments? \((.*)\)")
"""click's own, which has no class."""
NOT_WANTED = re.compile(r"(\S+) is not (?:a valid|in the range|one of) .*", re.DOTALL)
"""What click says of a value that its type refuses."""


def told(error: click.UsageError, within: click.Context) -> str:
    """The error, and what to paste to read how the command is called. `within`: where it was raised, if click has not
    said by which command, as for an option without its value."""
    words = groups.path(error.ctx) if error.ctx else [within.invoked_subcommand or ""]
    return f"{_said(error)}\nHow to call it: `{suggest.yard('help', *filter(None, words))}`"


def _said(error: click.UsageError) -> str:
    if isinstance(error, click.NoSuchOption):
        meant = f"; did you mean {' or '.join(error.possibilities)}?" if error.possibilities else ""
        return f"there is no option {error.option_name!r}{meant}"
    if isinstance(error, click.BadParameter) and error.param and error.ctx:
        return _of_parameter(error, error.param, error.ctx)
    if too_many := TOO_MANY.fullmatch(error.message):
        return f"too many words: {too_many[1]}{_call(error.ctx)}"
    if isinstance(error, click.BadOptionUsage):
        return _as_ours(error.message)
    return error.format_message()


def _of_parameter(error: click.BadParameter, parameter: click.Parameter, context: click.Context) -> str:
    metavar, want = parameter.make_metavar(context), _wanted(parameter.type)
    is_argument = isinstance(parameter, click.Argument)
    named = metavar.strip("[].") if is_argument else parameter.opts[0]
    if isinstance(error, click.MissingParameter):
        return f"{named} is missing{want}{_call(context)}" if is_argument else f"{named} {metavar} is missing{want}"
    if want and (refused := NOT_WANTED.fullmatch(error.message)):
        return f"{named} is {refused[1]}{want}"
    return f"{named}: {_as_ours(error.message)}"


def _wanted(kind: click.ParamType[object]) -> str:
    """What a value has to be."""
    if isinstance(kind, click.Choice):
        *most, last = kind.choices
        return f"; want {', '.join(most)} or {last}"
    if not isinstance(kind, click.IntRange | click.FloatRange):
        return ""
    number = "a whole number" if isinstance(kind, click.IntRange) else "a number"
    limits = f", {kind.min} or more" if kind.max is None else f" from {kind.min} to {kind.max}"
    return f"; want {number}{limits}"


def _call(context: click.Context | None) -> str:
    """How the command is called."""
    if context is None:
        return ""
    words = [*groups.path(context), *context.command.collect_usage_pieces(context)]
    return f". The call is: {' '.join([suggest.name(), *words])}"


def _as_ours(text: str) -> str:
    """Without click's capital and stop, which no other error has."""
    plain = text.removesuffix(".")
    return plain[:1].lower() + plain[1:] if plain[1:2].islower() else plain
