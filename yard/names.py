"""What a shell completes besides commands and options: names that this project, or this program, knows."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import click

Complete = Callable[[click.Context, click.Parameter, str], list[str]]
"""As click's `shell_complete` of an option or argument."""


def _begun(names: Iterable[str], word: str) -> list[str]:
    return [each for each in names if each.startswith(word)]


def orchestrators(context: click.Context, parameter: click.Parameter, word: str) -> list[str]:
    """Those there are, third parties' too."""
    from components import orchestrator  # it loads the SDK, which the help must not wait for

    return _begun(orchestrator.names(), word)


def registries(context: click.Context, parameter: click.Parameter, word: str) -> list[str]:
    """Those there are, third parties' too."""
    from components import registry

    return _begun(registry.names(), word)


def pairs(context: click.Context, parameter: click.Parameter, word: str) -> list[str]:
    """Each registry with each orchestrator, as `yard compare --pair` takes them."""
    known = registries(context, parameter, word.partition("+")[0])
    return _begun((f"{each}+{on}" for each in known for on in orchestrators(context, parameter, "")), word)


def regions(context: click.Context, parameter: click.Parameter, word: str) -> list[str]:
    """The regions of AWS that have prices here."""
    from components.prices import HERE

    return _begun(sorted(file.stem for file in (HERE / "aws").glob("*-*.json")), word)


def usages(context: click.Context, parameter: click.Parameter, word: str) -> list[str]:
    """The presets of a month."""
    from components.usage import PRESETS

    return _begun(PRESETS, word)


def services(context: click.Context, parameter: click.Parameter, word: str) -> list[str]:
    """The services of the stack that the command is about; nothing where there is none."""
    from config.stack_file import NoStack, StackFile
    from yard import here
    from yard.choice import usual

    try:
        found = StackFile(here.ROOT, context.params.get("stack") or usual()).get("services")
    except (NoStack, click.ClickException):
        return []
    return _begun(found, word) if isinstance(found, dict) else []
