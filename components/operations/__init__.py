"""What people do every day with services that run: the same verbs, whatever runs them.

An orchestrator's options say what it does with each verb (`verbs`) and name the class that does it (`operated_by`).
Nothing here changes what the stack is made of.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Generic, TypeVar

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
    up: str = "pulumi up"
    """The command that brings it up, as a person types it."""

    def outputs(self, type_: str, name: str, parent: str) -> Mapping[str, Any]:
        """What a resource is known by; raises `OperationError` where the last `up` did not make it. `parent` is the
        name of what it is a child of: during a move two orchestrators have a service of the same name and type."""
        for each in self.resources:
            if each["type"] == type_ and _name(each["urn"]) == name and _name(each.get("parent", "")) == parent:
                return {"id": each.get("id"), **each.get("outputs", {})}
        raise OperationError(f"the last `up` made no {name} ({type_}) on {parent}: `{self.up}` does")


def _name(urn: str) -> str:
    return urn.rpartition("::")[2]


@dataclass(frozen=True)
class Line:
    """What a replica wrote."""

    at: datetime
    """With its time zone."""
    text: str


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
class End:
    """How a replica ended that nobody had told to."""

    replica: str
    at: datetime
    """With its time zone."""
    why: str


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
    """The verbs on one orchestrator of a stack. What goes wrong raises `OperationError`."""

    logs_together: ClassVar[bool] = False
    """Its logs are in a place that it shares with the stack's other orchestrators that say so, before and after a move:
    any one of these is asked, and gives the lines of all."""

    def __init__(self, options: Of, deployed: Deployed) -> None:
        self.options = options
        self.deployed = deployed

    @abstractmethod
    def status(self, service: str) -> Running:
        """How many replicas there should be, and how each does."""

    def ended(self, service: str, since: datetime) -> Sequence[End]:
        """Replicas that ended by themselves since then, as far as that is told; of one that ends again and again, at
        least the last time."""
        return ()

    @abstractmethod
    def logs(self, service: str, since: datetime, follow: bool) -> Iterator[Line]:
        """Lines of all its replicas since then, oldest first; with `follow` it goes on as they come, for ever."""

    @abstractmethod
    def run(self, service: str, command: Sequence[str]) -> Generator[str | int, None, None]:
        """Run one more task with its image, environment, secrets and network, and this command in place of its own
        (as `command` of a service: of an image with an entry point, its arguments): its lines, and last its exit code.
        Closed or interrupted before its end, the task is stopped."""

    @abstractmethod
    def exec(self, service: str, command: Sequence[str]) -> int:
        """Run a command inside a replica, on this terminal; its exit code."""
