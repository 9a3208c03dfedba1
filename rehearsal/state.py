"""What exists in the pretend cloud. Every check looks here, never at a stack's state."""

import hashlib
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from policy.control import values
from rehearsal import wire
from rehearsal.tasks import Tasks

ACCOUNT = "123456789012"


class Refused(Exception):
    """The cloud says no: with its error code, why, and where that is known from."""

    def __init__(self, code: str, message: str, source: str) -> None:
        super().__init__(f"{code}: {message} [{source}]")


@dataclass
class CloudResource:
    """One resource that exists. `inputs` and `outputs` are as the engine sent them, secrets wrapped."""

    type: str
    id: str
    name: str
    """Its name in the program."""
    urn: str
    inputs: wire.Properties
    outputs: wire.Properties
    made: float = 0.0
    """When it was made, in rehearsal seconds."""
    cluster: str | None = None
    """Kubernetes objects: the address of the cluster they are in."""
    ready: bool = False
    """False while it is being made or going."""

    @cached_property
    def plain(self) -> wire.Properties:
        """The outputs with secrets revealed."""
        plain: wire.Properties = wire.reveal(self.outputs)
        return plain

    def all(self, path: str) -> list[Any]:
        """Every value at a dotted path."""
        return list(values(self.plain, path))

    def get(self, path: str, default: Any = None) -> Any:
        """The first value at a dotted path."""
        return next(values(self.plain, path), default)

    def same(self, other: "CloudResource") -> bool:
        """Whether the other is this one, though perhaps as it would be after a change."""
        return (self.urn, self.id) == (other.urn, other.id)

    @property
    def handles(self) -> set[str]:
        """What others may call it by."""
        return {self.id, *(value for key in ("arn", "name") if isinstance(value := self.plain.get(key), str))}


Index = dict[Any, dict[int, CloudResource]]
"""Value -> the resources that have it."""


@dataclass
class Swarm:
    """The swarm of one stack: who decides in it, and what is on it."""

    id: str
    members: dict[str, str] = field(default_factory=dict)
    """Node -> instance of each manager, also of those whose instance is gone."""
    left: set[str] = field(default_factory=set)
    """Instances that were managers and stepped down: they do not come back by themselves."""
    networks: dict[str, Any] = field(default_factory=dict)
    secrets: dict[str, Any] = field(default_factory=dict)
    services: dict[str, Any] = field(default_factory=dict)
    volumes: dict[str, dict[str, bytes]] = field(default_factory=dict)
    """Name -> the files in it."""

    def publisher(self, port: int) -> str:
        """The id of the service for which its nodes answer on a port; empty where they do not."""
        return next((key for key, each in self.services.items() if port in published(each["Spec"])), "")


def published(spec: Any) -> list[int]:
    """The ports that a service of a swarm takes."""
    return [port["PublishedPort"] for port in spec.get("EndpointSpec", {}).get("Ports", [])]


@dataclass(frozen=True)
class Registers:
    """The inputs of a type of resource by which its replicas are targets of a group. Such a resource is done only when
    they are healthy: their first checks are within its own time."""

    group: str
    """The group's ARN."""
    port: str
    replicas: str
    security_groups: str
    """Those that the replicas are in, and that must let the load balancer in."""


@dataclass
class CloudState:
    """All resources, behind one lock."""

    existing: set[str] = field(default_factory=set)
    """Ids and ARNs of what the stack did not make and may refer to."""
    disabled_keys: set[str] = field(default_factory=set)
    """ARNs of those of `existing` that are KMS keys and not enabled."""
    lock: threading.RLock = field(default_factory=threading.RLock)
    reserved_names: dict[tuple[str, str, str], str] = field(default_factory=dict)
    """(type, region, name) that no program has any more but that is still taken, and why."""
    unhealthy_groups: set[str] = field(default_factory=set)
    """Target groups, by their name in the program, that never have a healthy target."""
    pushed: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Repository (`<registry>/<name>`) -> the digests of the images in it."""
    images: set[str] = field(default_factory=set)
    """Digests that are pushed to each repository as soon as it is there."""
    written: set[str] = field(default_factory=set)
    """Buckets that hold objects."""
    swarms: dict[str, Swarm] = field(default_factory=dict)
    """The swarm of each stack whose instances are one."""
    tasks: Tasks = field(default_factory=Tasks)
    """What runs once, and what was written."""
    registers: dict[str, Registers] = field(default_factory=dict)
    """Type -> how its replicas are targets."""
    revisions: Counter[str] = field(default_factory=Counter)
    """Task definitions registered so far, by family."""
    _resources: dict[str, dict[int, CloudResource]] = field(default_factory=lambda: defaultdict(dict))
    _handles: dict[tuple[str, str], list[CloudResource]] = field(default_factory=lambda: defaultdict(list))
    _indexes: dict[tuple[str, str], Index] = field(default_factory=dict)
    """(type, path) -> value -> resources, for each path that was asked for: a check must not look at everything."""
    _serials: Counter[str] = field(default_factory=Counter)

    def reserve(self, resource: CloudResource, why: str) -> None:
        """Keep the name of what is gone taken."""
        self.reserved_names[resource.type, resource.get("region"), resource.get("name")] = why

    def add(self, resource: CloudResource) -> None:
        """Let `resource` exist. Its id, ARN and name may not change from now on."""
        self._resources[resource.type][id(resource)] = resource
        for handle in resource.handles:
            self._handles[resource.type, handle].append(resource)
        self._note(resource)

    def remove(self, resource: CloudResource) -> None:
        """Let it exist no more."""
        if self._resources[resource.type].pop(id(resource), None):
            for handle in resource.handles:
                self._handles[resource.type, handle].remove(resource)
            self._forget(resource)

    def change(self, resource: CloudResource, inputs: wire.Properties, outputs: wire.Properties) -> None:
        """Give `resource` other properties."""
        self._forget(resource)
        resource.inputs, resource.outputs = inputs, outputs
        resource.__dict__.pop("plain", None)
        self._note(resource)

    def where(self, type_: str, path: str, *values: Any) -> list[CloudResource]:
        """The resources of a type that have one of `values` at a dotted path, oldest first."""
        if (type_, path) not in self._indexes:
            self._indexes[type_, path] = {}
            for resource in self.every(type_):
                self._note(resource, path)
        index = self._indexes[type_, path]
        return list({key: each for value in values for key, each in index.get(value, {}).items()}.values())

    def _note(self, resource: CloudResource, only: str | None = None) -> None:
        for index, value in self._entries(resource, only):
            index.setdefault(value, {})[id(resource)] = resource

    def _forget(self, resource: CloudResource) -> None:
        for index, value in self._entries(resource):
            index.get(value, {}).pop(id(resource), None)

    def _entries(self, resource: CloudResource, only: str | None = None) -> Iterator[tuple[Index, Any]]:
        for (type_, path), index in self._indexes.items():
            if type_ == resource.type and only in (None, path):
                for value in resource.all(path):
                    if isinstance(value, str | int | float):
                        yield index, value

    def every(self, type_: str) -> list[CloudResource]:
        """All resources of a type, oldest first."""
        return list(self._resources[type_].values())

    def find(self, type_: str, handle: str) -> CloudResource | None:
        """The resource of a type with this id, ARN or name; the newest where several have it."""
        return next(reversed(self._handles.get((type_, handle), [])), None)

    def owned(self, type_: str, urn: str, id_: str) -> CloudResource | None:
        """The resource that the engine means by a URN and an id: the URN decides between objects of two clusters."""
        same = [each for each in self._handles.get((type_, id_), []) if each.id == id_]
        return next((each for each in same if each.urn == urn), same[0] if same else None)

    def __iter__(self) -> Iterator[CloudResource]:
        return iter([each for resources in list(self._resources.values()) for each in list(resources.values())])

    def __len__(self) -> int:
        return sum(len(resources) for resources in self._resources.values())

    def hex(self, urn: str, length: int) -> str:
        """Hexadecimal digits that no two calls get alike, and that are the same in every rehearsal."""
        self._serials[urn] += 1
        return hashlib.sha256(f"{urn} {self._serials[urn]}".encode()).hexdigest()[:length]

    @staticmethod
    def stable(text: str, length: int) -> str:
        """Hexadecimal digits that follow from `text` alone."""
        return hashlib.sha256(text.encode()).hexdigest()[:length]
