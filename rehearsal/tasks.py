"""Tasks that run once, and what containers write. Nothing is run: who has the cloud says how a command ends."""

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Ending:
    """What a command writes, and its exit code; None: it runs until it is stopped."""

    lines: Sequence[str] = ()
    code: int | None = 0


Ends = Callable[[Sequence[str]], Ending]
"""A command -> how it ends."""


@dataclass
class Task:
    """A task of ECS that runs once."""

    arn: str
    cluster: str
    definition: str
    container: str
    mark: str
    """Who started it."""
    ending: Ending
    status: str = "PROVISIONING"
    reason: str = ""


@dataclass
class Job:
    """A Job of Kubernetes, and its pod."""

    cluster: str
    """The address of the cluster it is in."""
    pod: dict[str, Any]
    ending: Ending
    looks: int = 0
    """How often it was looked at: it is pending, runs, and has ended, one after another."""


@dataclass(frozen=True)
class Event:
    """One line in a log stream."""

    stream: str
    at: int
    """In milliseconds since 1970."""
    text: str
    number: int


@dataclass
class Tasks:
    """All of one cloud."""

    ends: Ends = lambda _: Ending()
    once: dict[str, Task] = field(default_factory=dict)
    """ARN -> task."""
    jobs: dict[str, Job] = field(default_factory=dict)
    """Namespace and name -> Job."""
    events: dict[str, list[Event]] = field(default_factory=lambda: defaultdict(list))
    """Log group -> what was written to it."""

    def write(self, group: str, stream: str, lines: Sequence[str]) -> None:
        """Write lines to a stream, as of now."""
        events, now = self.events[group], int(time.time() * 1000)
        events += [Event(stream, now, text, len(events) + index) for index, text in enumerate(lines)]


def stream_of(definition: dict[str, Any], task: str) -> tuple[str, str]:
    """The log group and the stream of a container (ECS developer guide, "awslogs-stream-prefix")."""
    options = definition["logConfiguration"]["options"]
    return options["awslogs-group"], f"{options['awslogs-stream-prefix']}/{definition['name']}/{task}"
