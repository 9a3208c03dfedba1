"""What a backend needs that is not its own to make: of the account, of this machine, of what exists. `yard doctor`
looks for it before an `up` would stop for want of it; here it is only stated, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from components.quotas import Limit


@dataclass(frozen=True)
class Question:
    """A call to AWS that changes nothing, in boto3's words."""

    service: str
    method: str
    parameters: Mapping[str, Any]
    region: str | None = None
    """None: the stack's."""


@dataclass(frozen=True)
class Quota:
    """Room in a quota."""

    limit: Limit
    needed: float
    """From the start."""
    most: float = 0
    """What may be needed later; less than `needed`: no more."""

    @property
    def name(self) -> str:
        """The check's, in what the doctor prints."""
        return self.limit.name


@dataclass(frozen=True)
class Existing:
    """Something on AWS that the configuration names."""

    name: str
    what: str
    question: Question
    """AWS answers it with an error where the thing is not there."""
    fix: str
    where: str = "@"
    """In the answer (JMESPath); the thing is not there either where this finds nothing."""
    for_up: bool = True
    """False: AWS may make it by itself, and the doctor only warns."""


@dataclass(frozen=True)
class FixedNames:
    """Names that nothing but this stack may have, as an earlier stack may have left something of that name."""

    name: str
    type_: str
    """Pulumi's type of what has such a name."""
    questions: Mapping[str, Question]
    """Name -> what AWS answers with an error where the name is free."""
    delete: tuple[str, ...] = field(default=())
    """The command that deletes what has one, all but the name."""


@dataclass(frozen=True)
class Program:
    """A program on this machine's PATH."""

    name: str
    why: str
    for_up: bool = True
    """False: `up` does without, and the doctor only warns."""


@dataclass(frozen=True)
class RegistryApi:
    """A registry that exists and answers."""

    host: str
    """With a port after a colon, if it has one of its own."""


@dataclass(frozen=True)
class SwarmManager:
    """A Docker engine that manages a swarm."""

    host: str | None
    """None: the one that every Docker tool takes."""


@dataclass(frozen=True)
class KubernetesCluster:
    """A cluster that exists."""

    context: str
    kubeconfigs: tuple[Path, ...]
    """Of two entries of one name the first counts."""


Need = Quota | Existing | FixedNames | Program | RegistryApi | SwarmManager | KubernetesCluster
