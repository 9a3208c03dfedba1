"""What exists in the pretend cloud. Every check looks here, never at a stack's state."""

import hashlib
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from rehearsal import wire

if TYPE_CHECKING:
    from rehearsal.swarm import Swarm

ACCOUNT = "123456789012"


@dataclass
class Thing:
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
        return list(wire.values(self.plain, path))

    def get(self, path: str, default: Any = None) -> Any:
        """The first value at a dotted path."""
        return next(wire.values(self.plain, path), default)

    @property
    def handles(self) -> set[str]:
        """What others may call it by."""
        return {self.id, *(value for key in ("arn", "name") if isinstance(value := self.plain.get(key), str))}


@dataclass
class World:
    """All things, behind one lock."""

    existing: set[str] = field(default_factory=set)
    """Ids and ARNs of what somebody else made and a program may refer to."""
    lock: threading.RLock = field(default_factory=threading.RLock)
    ghosts: dict[tuple[str, str, str], str] = field(default_factory=dict)
    """(type, region, name) that no program has any more but that is still taken, and why."""
    sick: set[str] = field(default_factory=set)
    """Target groups, by their name in the program, that never have a healthy target."""
    pushed: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Repository (`<registry>/<name>`) -> the digests of the images in it."""
    images: set[str] = field(default_factory=set)
    """Digests that are pushed to each repository as soon as it is there."""
    written: set[str] = field(default_factory=set)
    """Buckets that hold objects."""
    swarms: "dict[str, Swarm]" = field(default_factory=dict)
    """The swarm of each stack whose instances are one."""
    revisions: Counter[str] = field(default_factory=Counter)
    """Task definitions registered so far, by family."""
    _things: dict[str, dict[int, Thing]] = field(default_factory=lambda: defaultdict(dict))
    _handles: dict[tuple[str, str], list[Thing]] = field(default_factory=lambda: defaultdict(list))
    _indexes: dict[tuple[str, str], dict[Any, dict[int, Thing]]] = field(default_factory=dict)
    """(type, path) -> value -> things, for each path that was ever asked for: a check must not look at everything."""
    _serials: Counter[str] = field(default_factory=Counter)

    def add(self, thing: Thing) -> None:
        """Let `thing` exist. Its id, ARN and name may not change from now on."""
        self._things[thing.type][id(thing)] = thing
        for handle in thing.handles:
            self._handles[thing.type, handle].append(thing)
        self._note(thing)

    def remove(self, thing: Thing) -> None:
        """Let it exist no more."""
        if self._things[thing.type].pop(id(thing), None):
            for handle in thing.handles:
                self._handles[thing.type, handle].remove(thing)
            self._forget(thing)

    def change(self, thing: Thing, inputs: wire.Properties, outputs: wire.Properties) -> None:
        """Give `thing` other properties."""
        self._forget(thing)
        thing.inputs, thing.outputs = inputs, outputs
        thing.__dict__.pop("plain", None)
        self._note(thing)

    def where(self, type_: str, path: str, *values: Any) -> list[Thing]:
        """The things of a type that have one of `values` at a dotted path, oldest first."""
        if (type_, path) not in self._indexes:
            self._indexes[type_, path] = {}
            for thing in self.every(type_):
                self._note(thing, path)
        index = self._indexes[type_, path]
        return list({key: each for value in values for key, each in index.get(value, {}).items()}.values())

    def _note(self, thing: Thing, only: str | None = None) -> None:
        for index, value in self._entries(thing, only):
            index.setdefault(value, {})[id(thing)] = thing

    def _forget(self, thing: Thing) -> None:
        for index, value in self._entries(thing):
            index.get(value, {}).pop(id(thing), None)

    def _entries(self, thing: Thing, only: str | None = None) -> Iterator[tuple[dict[Any, dict[int, Thing]], Any]]:
        for (type_, path), index in self._indexes.items():
            if type_ == thing.type and only in (None, path):
                for value in thing.all(path):
                    if isinstance(value, str | int | float):
                        yield index, value

    def every(self, type_: str) -> list[Thing]:
        """All things of a type, oldest first."""
        return list(self._things[type_].values())

    def find(self, type_: str, handle: str) -> Thing | None:
        """The thing of a type with this id, ARN or name; the newest where several have it."""
        return next(reversed(self._handles.get((type_, handle), [])), None)

    def owned(self, type_: str, urn: str, id_: str) -> Thing | None:
        """The thing that the engine means by a URN and an id; the URN alone decides between objects of two clusters."""
        same = [each for each in self._handles.get((type_, id_), []) if each.id == id_]
        return next((each for each in same if each.urn == urn), same[0] if same else None)

    def __iter__(self) -> Iterator[Thing]:
        return iter([each for things in list(self._things.values()) for each in list(things.values())])

    def __len__(self) -> int:
        return sum(len(things) for things in self._things.values())

    def hex(self, urn: str, length: int) -> str:
        """Hexadecimal digits that no two calls get alike, and that are the same in every rehearsal."""
        self._serials[urn] += 1
        return hashlib.sha256(f"{urn} {self._serials[urn]}".encode()).hexdigest()[:length]

    @staticmethod
    def stable(text: str, length: int) -> str:
        """Hexadecimal digits that follow from `text` alone."""
        return hashlib.sha256(text.encode()).hexdigest()[:length]
