"""What `yard doctor` looks at. Each check is a small function that looks, changes nothing, and returns a finding."""

from dataclasses import dataclass
from typing import Literal

TIMEOUT = 5
"""Seconds that whoever is asked may take to answer, each time."""


@dataclass(frozen=True)
class Finding:
    """What one check found."""

    name: str
    status: Literal["ok", "warn", "fail"]
    """fail: the stack cannot come up so. warn: it can, or nobody could tell."""
    says: str
    fix: str = ""
    """How to fix it; empty where nothing is wrong."""


def ok(name: str, says: str) -> Finding:
    """As it should be."""
    return Finding(name, "ok", says)


def warn(name: str, says: str, fix: str) -> Finding:
    """Worth knowing before an `up`, but none of its business; or nobody could tell."""
    return Finding(name, "warn", says, fix)


def fail(name: str, says: str, fix: str) -> Finding:
    """An `up` would stop at it."""
    return Finding(name, "fail", says, fix)
