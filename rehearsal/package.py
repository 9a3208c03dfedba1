"""What a pretend provider must know of its package; server.py does the rest."""

import hashlib
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Literal

from rehearsal import wire
from rehearsal.state import CloudResource, CloudState, Refused

Op = Literal["create", "read", "update", "delete"]


@dataclass(frozen=True)
class Naming:
    """How the engine wants a resource named that the program does not name (`pulumi:autonaming`)."""

    name: str
    """The resource's name in the program."""
    seed: bytes
    proposed: str = ""
    disabled: bool = False

    def unique(self, digits: int, longest: int, lower: bool = False) -> str:
        """The proposed name, else the program's with random digits; the same for the same seed."""
        if self.disabled:
            raise Refused("AutonamingDisabled", f"{self.name} has no name of its own", "pulumi:autonaming")
        name = self.proposed or f"{self.name}-{hashlib.sha256(self.seed).hexdigest()[:digits]}"
        if len(name) > longest:
            raise Refused("NameTooLong", f"{name!r} is {len(name)} characters long; {longest} are allowed", "AWS API")
        return name.lower() if lower else name


@dataclass(frozen=True)
class Urn:
    """What the engine calls a resource by, in every call."""

    type: str
    name: str
    text: str

    @classmethod
    def parse(cls, text: str) -> "Urn":
        """A URN ends in `::<its parents' types>$<type>::<name>`."""
        _, _, types, name = text.split("::", 3)
        return cls(types.rsplit("$", 1)[-1], name, text)


class Package(ABC):
    """One Pulumi package. The cloud is locked whenever one of these is called."""

    name: str

    def __init__(self, state: CloudState) -> None:
        self.state = state

    @abstractmethod
    def check(self, urn: Urn, news: wire.Properties, olds: wire.Properties, naming: Naming) -> wire.Properties:
        """The inputs with what the provider fills in. Raises `Refused` for a type that it does not have."""

    @abstractmethod
    def replaces(self, type_: str, path: str) -> bool:
        """Whether a change at `path` makes a new resource."""

    @abstractmethod
    def one_at_a_time(self, type_: str, olds: wire.Properties, news: wire.Properties) -> bool:
        """Whether a replacement must delete first, because both would have the same fixed name."""

    @abstractmethod
    def make(self, urn: Urn, inputs: wire.Properties, config: wire.Properties) -> CloudResource:
        """The resource that would be made, or a `Refused`. `config` is the provider's own."""

    @abstractmethod
    def change(self, resource: CloudResource, inputs: wire.Properties, config: wire.Properties) -> CloudResource:
        """The resource as it would be after an update, or a `Refused`."""

    @abstractmethod
    def delete(self, resource: CloudResource, config: wire.Properties) -> None:
        """Raise `Refused` if `resource` cannot go now."""

    @abstractmethod
    def find(self, urn: Urn, id_: str, config: wire.Properties) -> CloudResource | None:
        """The resource that the engine means."""

    @abstractmethod
    def seconds(self, op: Op, resource: CloudResource) -> float:
        """How long `op` usually takes."""

    def unsteady(self, resource: CloudResource) -> str | None:
        """Why `resource` is there but will never be well; None: it will."""
        return None

    def made(self, resource: CloudResource) -> None:  # noqa: B027
        """See to what else is so once `resource` is made or changed; by default nothing is."""

    def gone(self, resource: CloudResource) -> None:  # noqa: B027
        """See to what else is so once `resource` is gone; by default nothing is."""

    def invoke(self, token: str, args: wire.Properties, config: wire.Properties) -> wire.Properties:
        """The answer to a data source."""
        raise Refused("NotRehearsed", f"the rehearsal has no answer to {token}", f"package {self.name}")

    def replaces_provider(self, olds: wire.Properties, news: wire.Properties) -> bool:
        """Whether a change of the provider's own config replaces it, and everything that it made."""
        return False


def updated(resource: CloudResource, inputs: wire.Properties) -> CloudResource:
    """`resource` with other inputs: what the cloud computed stays."""
    return replace(resource, inputs=inputs, outputs=wire.updated(resource.inputs, resource.outputs, public(inputs)))


def public(inputs: wire.Properties) -> wire.Properties:
    """Inputs without those that are only between the provider and itself."""
    return {key: value for key, value in inputs.items() if not key.startswith("__")}
