"""What people do every day with services that run: the same verbs, whatever runs them.

An orchestrator's options say what it does with each verb (`verbs`) and name the class that does it (`operated_by`).
Nothing here changes what the stack is made of.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from components.options import Options
from components.service import Service


class OperationError(Exception):
    """What went wrong, in words, and what to do about it."""


@dataclass(frozen=True)
class Deployed:
    """A stack, as its configuration and the state of its last `up` have it."""

    stack: str
    """Its name as its resources bear it."""
    region: str
    """Of AWS; empty off it."""
    profile: str | None
    services: Mapping[str, Service]
    """Each with the digest that the state records, where its configuration names none."""
    resources: Sequence[Mapping[str, Any]]
    """Of the state, secrets in the clear."""

    def outputs(self, type_: str, name: str) -> Mapping[str, Any]:
        """What a resource is known by; raises `OperationError` where the last `up` did not make it."""
        for each in self.resources:
            if each["type"] == type_ and each["urn"].rpartition("::")[2] == name:
                return {"id": each.get("id"), **each.get("outputs", {})}
        raise OperationError(f"the last `up` made no {name} ({type_}): run `up` first")


@dataclass(frozen=True)
class Replica:
    """One replica of a service, as its orchestrator tells of it."""

    name: str
    state: str
    """In the orchestrator's own word, in lower case."""
    healthy: bool
    digest: str | None
    """The image that it runs; None where that is not told."""
    why: str = ""
    """What keeps it from being healthy, as far as that is told."""


@dataclass(frozen=True)
class Running:
    """How a service does on one orchestrator."""

    wanted: int
    replicas: Sequence[Replica]
    failure: str = ""
    """Why the last rollout, or the last replica that ended, failed; empty: none is known of."""

    @property
    def healthy(self) -> int:
        """How many replicas are healthy."""
        return sum(each.healthy for each in self.replicas)


Of = TypeVar("Of", bound=Options)


class Operations(ABC, Generic[Of]):
    """The verbs on one orchestrator of a stack."""

    def __init__(self, options: Of, deployed: Deployed) -> None:
        self.options = options
        self.deployed = deployed

    @abstractmethod
    def status(self, service: str) -> Running:
        """How many replicas there should be, and how each does."""

    @abstractmethod
    def logs(self, service: str, since: datetime, follow: bool) -> Iterator[str]:
        """Lines of all its replicas since then, oldest first; with `follow` it ends only when it is closed."""

    @abstractmethod
    def run(self, service: str, command: Sequence[str]) -> Iterator[str | int]:
        """Run one more task with its image, environment, secrets and network, and this command in place of its own:
        its lines, and last its exit code. Closed before its end, the task is stopped."""

    @abstractmethod
    def exec(self, service: str, command: Sequence[str]) -> int:
        """Run a command inside a replica, on this terminal; its exit code."""
