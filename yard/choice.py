"""Which stack a command is about when `--stack` does not say it: one rule for all commands."""

import os
from collections.abc import Callable, Sequence
from typing import Any

import click

from yard import exits, here

LOCAL = "local"
USUAL = "dev"
VARIABLE = "PULUMI_STACK"
"""What Pulumi's own CLI reads too."""


def stack_option(what: str) -> Callable[[Any], Any]:
    """The option `--stack`; `what` says what is done to it."""
    rule = f"{VARIABLE}, the only one besides local, or {USUAL}"
    return exits.stack_option(what, default=usual, show_default=rule)


def usual() -> str:
    """The stack that is meant. Not the one that Pulumi has selected: each command that runs one selects it."""
    if named := os.environ.get(VARIABLE):
        return named
    known = sorted(each.stem.partition(".")[2] for each in (here.ROOT / "config").glob("Pulumi.*.yaml"))
    return chosen(known)


def chosen(known: Sequence[str]) -> str:
    """Among these stacks; raises `click.UsageError` where it has to be said."""
    candidates = [each for each in known if each != LOCAL] or [*known]
    if len(candidates) == 1:
        return candidates[0]
    if USUAL in candidates:
        return USUAL
    raise click.UsageError(
        f"say which stack, as in `--stack {candidates[0]}`: config/ has {', '.join(known)}"
        if candidates
        else "there is no stack: config/ has no Pulumi.<stack>.yaml"
    )
