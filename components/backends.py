"""Backends by name. A row is imported only when a stack chooses it: the packages of the others need not be there."""

from collections.abc import Mapping
from functools import cache
from importlib.metadata import entry_points
from pkgutil import resolve_name
from typing import Any

import pulumi


class UnknownBackend(pulumi.RunError):
    """A name that is in no table."""

    def __init__(self, kind: str, name: str, known: list[str]) -> None:
        super().__init__(f"unknown {kind} {name!r}: use one of {', '.join(known)}")


@cache
def third_party(group: str) -> Mapping[str, str]:
    """What installed packages add to a table: name -> "module:Class", from the entry points of `group`."""
    return {point.name: point.value for point in entry_points(group=group)}


def names(table: Mapping[str, str], group: str) -> list[str]:
    """Every name a user may choose, sorted."""
    return sorted({**third_party(group), **table})


def load(kind: str, name: str, table: Mapping[str, str], group: str) -> Any:
    """The class behind `name`. Our own rows win over third parties', so that a package cannot replace one unseen."""
    rows = {**third_party(group), **table}
    if name not in rows:
        raise UnknownBackend(kind, name, sorted(rows))
    return resolve_name(rows[name])
