"""Whether a stack's configuration lets it be on another orchestrator, before anything is made there."""

from __future__ import annotations

from copy import copy

from config.load import of_file
from config.problems import BadConfig
from config.stack_file import StackFile


class Unfit(Exception):
    """It cannot go there, or not as it is; the message says why, and all that has to change."""


def check(file: StackFile, to: str) -> None:
    """Raise `Unfit` with everything that keeps the stack from orchestrator `to`, or `BadConfig` with what is wrong
    where it is."""
    of_file(file)
    there = copy(file)
    there.values = {**file.values, f"{file.prefix}orchestrator": to}
    there.values.pop(f"{file.prefix}traffic", None)  # as it is once it has moved
    try:
        of_file(there)
    except BadConfig as error:
        raise Unfit(f"stack {file.stack} cannot go to {to} as it is configured: {error}") from error
