"""What a control is, and what it looks at: resources as a program asked for them.

Here and in all of this package nothing is imported but Python's own library: a policy pack runs in an environment of
its own, and the same rows are read by the rehearsal, by `yard diff` and by the documents.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Properties = Mapping[str, Any]
EVERY = frozenset({"trial", "standard", "production"})
"""All presets."""
PRIVATE = frozenset({"standard", "production"})
"""Those whose replicas have no public address."""
PRODUCTION = frozenset({"production"})
Level = Literal["advisory", "mandatory"]


def level(preset: str) -> Level:
    """What a broken control means: something to know, or a reason to stop."""
    return "mandatory" if preset in PRODUCTION else "advisory"


@dataclass(frozen=True)
class Resource:
    """One resource, by what it was asked to be."""

    urn: str
    type: str
    inputs: Properties = field(default_factory=dict, repr=False)
    """With Pulumi's own names (camelCase)."""
    dependencies: frozenset[str] = frozenset()
    """URNs of what it waits for."""
    parent: str = ""
    provider: str = ""
    """URN of an explicit provider; empty: the default one."""

    @property
    def name(self) -> str:
        """Its name in the program."""
        return self.urn.rpartition("::")[2]

    def every(self, path: str) -> list[Any]:
        """All values at a dotted path; lists on the way are followed into every element."""
        return [*values(self.inputs, path)]

    def get(self, path: str, default: Any = None) -> Any:
        """The first of them."""
        return next(values(self.inputs, path), default)

    def on(self, path: str) -> bool:
        """Whether something is switched on there: AWS has fields in which that is text."""
        return self.get(path) in (True, "true")

    def count(self, name: str) -> int:
        """How many there are in a list. What they are need not be known yet."""
        return len(self.inputs.get(name) or ())

    def document(self, path: str) -> Any:
        """What stands there as JSON in text; nothing where nothing stands there."""
        text = self.get(path)
        return json.loads(text) if isinstance(text, str) else {}

    def within(self, component: str) -> bool:
        """Whether it belongs to a component of a type, at whatever depth: a URN has the types of all parents."""
        return component in self.urn.split("::")[2].split("$")[:-1]


def values(value: Any, path: str) -> Iterator[Any]:
    """What is at a dotted path; lists on the way are followed into every element, and a missing key gives nothing."""
    if is_list(value):
        for each in value:
            yield from values(each, path)
    elif not path:
        if value is not None:
            yield value
    elif isinstance(value, Mapping):
        key, _, rest = path.partition(".")
        yield from values(value.get(key), rest)


def is_list(value: Any) -> bool:
    """Whether a value is a list: in a policy pack it is one that only behaves so."""
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


class Graph:
    """All resources of a stack."""

    def __init__(self, resources: Iterable[Resource]) -> None:
        self._resources = {each.urn: each for each in resources}
        self._by_type: dict[str, list[Resource]] = {}
        self._used_by: dict[str, list[Resource]] = {}
        for each in self:
            self._by_type.setdefault(each.type, []).append(each)
            for urn in each.dependencies:
                self._used_by.setdefault(urn, []).append(each)

    def __iter__(self) -> Iterator[Resource]:
        return iter(self._resources.values())

    def of(self, *types: str) -> list[Resource]:
        """The resources of these types."""
        return [each for type_ in types for each in self._by_type.get(type_, [])]

    def find(self, urn: str) -> Resource | None:
        """The resource with a URN."""
        return self._resources.get(urn)

    def users(self, resource: Resource, type_: str) -> list[Resource]:
        """Those of a type that refer to a resource, or wait for it."""
        return [each for each in self._used_by.get(resource.urn, []) if each.type == type_]

    def used(self, resource: Resource, type_: str) -> list[Resource]:
        """Those of a type that a resource refers to, or waits for."""
        found = (self.find(urn) for urn in resource.dependencies)
        return [each for each in found if each and each.type == type_]

    def ahead(self, resource: Resource) -> set[str]:
        """URNs of all that must be there before a resource, and goes only after it."""
        reached: set[str] = set()
        next_ = [resource]
        while next_:
            here = next_.pop()
            new = ({*here.dependencies, here.parent, here.provider} & self._resources.keys()) - reached
            reached |= new
            next_ += [self._resources[urn] for urn in new]
        return reached


Test = Callable[[Resource, Graph], bool]
Turn = Properties | str | Callable[[Resource, Graph], Iterable[Resource]]


@dataclass(frozen=True)
class Control:
    """Something that is asked of resources."""

    id: str
    """As its standard has it: AWS Foundational Security Best Practices, Pod Security, or a promise of our own."""
    types: tuple[str, ...]
    says: str
    """What holds, in a sentence."""
    holds: Test
    turned: Turn = field(repr=False)
    """What turns the verdict on a resource of ours, so that a test sees both: properties of its own; the type of the
    resources without which it is another; or what all resources become."""
    presets: frozenset[str] = EVERY
    """Those in which it is asked for."""
    key: str = ""
    """The key that decides, where a stack has a choice."""
    exception: str = ""
    """Why we do not meet it. It is then looked at, but never broken."""
    waived_by: str = ""
    """The key by which a stack says, true, that it is not wanted."""
    wired: bool = False
    """Whether other resources are looked at as well."""

    def applies(self, preset: str) -> bool:
        """Whether stacks of a preset are held to it."""
        return not self.exception and preset in self.presets

    def broken_by(self, graph: Graph) -> list[Resource]:
        """The resources that do not do as it says."""
        return [each for each in graph.of(*self.types) if not self.holds(each, graph)]

    @property
    def source(self) -> str:
        """Where it is written."""
        service, _, number = self.id.lower().partition(".")
        if service == "podsecurity":
            return "https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted"
        if number:
            return (
                f"https://docs.aws.amazon.com/securityhub/latest/userguide/{service}-controls.html#{service}-{number}"
            )
        return ""
