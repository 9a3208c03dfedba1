"""Instances that hold replicas: a small table of the usual EC2 types, and how many of one some replicas need.

Estimates, the checks of a configuration, quotas and the rehearsal all count with this.

Network interfaces: aws/amazon-vpc-resource-controller-k8s v1.7.3, pkg/aws/vpc/limits.go, which AWS generates;
vCPU and memory: https://aws.amazon.com/ec2/instance-types/.
"""

import math
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Literal

from components import quotas
from components.model import Text
from components.needs import Quota
from components.service import Service

Architecture = Literal["x86_64", "arm64"]
TypeName = Annotated[str, Text(r"^[a-z0-9-]+\.[a-z0-9-]+$", "an EC2 instance type, such as t3.small")]
"""The name of a type, known here or not."""
Ami = Annotated[str, Text(r"^ami-[0-9a-f]{8,17}$", "an image's id, such as ami-0abcdef1234567890")]
"""What an instance starts from."""
GIB = 1024


@dataclass(frozen=True)
class InstanceType:
    """One type."""

    vcpu: int
    memory: int
    """MiB, as sold; the system and the container agent keep some of it."""
    interfaces: int
    """Network interfaces at the most, its own among them."""

    @property
    def for_replicas(self) -> int:
        """Network interfaces besides its own."""
        return self.interfaces - 1


def _table() -> Iterator[tuple[str, InstanceType]]:
    for family in ("t3", "t3a", "t4g"):
        small = 2 if family == "t3a" else 3
        for size, vcpu, mebibytes, interfaces in (
            ("nano", 2, GIB // 2, 2),
            ("micro", 2, GIB, 2),
            ("small", 2, 2 * GIB, small),
            ("medium", 2, 4 * GIB, 3),
            ("large", 2, 8 * GIB, 3),
            ("xlarge", 4, 16 * GIB, 4),
            ("2xlarge", 8, 32 * GIB, 4),
        ):
            yield f"{family}.{size}", InstanceType(vcpu, mebibytes, interfaces)
    for letter, gibibytes in (("c", 2), ("m", 4), ("r", 8)):
        for generation in ("6i", "6a", "6g", "7i", "7a", "7g", "8g"):
            for size, vcpu, interfaces in (
                ("medium", 1, 2),
                ("large", 2, 3),
                ("xlarge", 4, 4),
                ("2xlarge", 8, 4),
                ("4xlarge", 16, 8),
                ("8xlarge", 32, 8),
                ("12xlarge", 48, 8),
            ):
                if size != "medium" or generation in ("6g", "7a", "7g", "8g"):
                    yield f"{letter}{generation}.{size}", InstanceType(vcpu, vcpu * gibibytes * GIB, interfaces)


INSTANCE_TYPES: Mapping[str, InstanceType] = dict(_table())

SMALL: Mapping[Architecture, str] = {"x86_64": "t3.small", "arm64": "t4g.small"}
"""The types to begin with."""

ARM = re.compile(r"^(a1|[a-z]+\d+g[a-z]*)\.")
"""In a type's name a `g` after the generation says Graviton (EC2 user guide, "Instance type naming conventions")."""


def least(names: Collection[str]) -> InstanceType | None:
    """What an instance of any of these types has; None: of one of them it is not known."""
    known = [INSTANCE_TYPES[each] for each in names if each in INSTANCE_TYPES]
    if not names or len(known) < len(names):
        return None
    return InstanceType(
        min(each.vcpu for each in known), min(each.memory for each in known), min(each.interfaces for each in known)
    )


def on_demand(vcpu: int, most: int = 0) -> Quota:
    """Room for instances of the families a, c, d, h, i, m, r, t and z. vCPU, from the start and at the most; without
    what else the account runs."""
    return Quota(quotas.INSTANCE_VCPU, vcpu, most)


@dataclass(frozen=True)
class Fleet:
    """How the instances of one orchestrator hold replicas. What the system of each keeps to itself, no replica gets."""

    keeps_cpu: float = 0
    """vCPU."""
    keeps_memory: int = 1
    """MiB. It keeps some in any case, so all of it is too much for a replica already."""
    interface_each: bool = False
    """Every replica has a network interface of its own."""

    def holds(self, type_: InstanceType, service: Service) -> bool:
        """Whether an empty instance has room for one replica."""
        return _holds(type_, service.cpu + self.keeps_cpu, service.memory + self.keeps_memory)

    def type_for(self, name: str, services: Iterable[Service]) -> str:
        """`name`, or the next larger type of its family that holds a replica of each service. `name` again where none
        is known."""
        for each in services:
            name = _next_holding(name, each.cpu + self.keeps_cpu, each.memory + self.keeps_memory)
        return name

    def needs(self, type_: InstanceType, replicas: Iterable[tuple[Service, float]], spare: int = 0) -> dict[str, float]:
        """What is scarce -> instances of a type that so many replicas need for it; `spare`: replicas for a rollout,
        which want an interface too."""
        replicas = list(replicas)
        found = {
            "vCPU": sum(count * each.cpu for each, count in replicas) / (type_.vcpu - self.keeps_cpu),
            "memory": sum(count * each.memory for each, count in replicas) / (type_.memory - self.keeps_memory),
        }
        if self.interface_each:
            found["network interfaces"] = (spare + sum(count for _, count in replicas)) / type_.for_replicas
        return found

    def vcpu(self, names: Mapping[Architecture, str], services: Iterable[Service]) -> Quota:
        """Room for instances, of one type for each architecture, that hold the fewest replicas, and the most."""
        fewest, most = 0, 0
        for wanted, name in names.items():
            theirs = [each for each in services if each.architecture == wanted]
            kind = INSTANCE_TYPES[self.type_for(name, theirs)]
            fewest += kind.vcpu * self._least(kind, [(each, float(each.replicas.min)) for each in theirs])
            most += kind.vcpu * self._least(kind, [(each, float(each.replicas.max)) for each in theirs])
        return on_demand(fewest, most)

    def _least(self, type_: InstanceType, replicas: Iterable[tuple[Service, float]]) -> int:
        return whole(max(self.needs(type_, replicas).values()))


def _holds(type_: InstanceType, cpu: float, memory: int) -> bool:
    return type_.vcpu >= cpu and type_.memory >= memory


@cache
def _next_holding(name: str, cpu: float, memory: int) -> str:
    family = [each for each in INSTANCE_TYPES if each.partition(".")[0] == name.partition(".")[0]]
    larger = family[family.index(name) :] if name in family else []
    return next((each for each in larger if _holds(INSTANCE_TYPES[each], cpu, memory)), name)


def whole(needed: float) -> int:
    """Instances of which so many are needed. What binary fractions add at the far end makes none of it."""
    return math.ceil(round(needed, 9))


def architecture(instance_type: str) -> Architecture:
    """The CPU architecture of an instance type, by its name."""
    return "arm64" if ARM.match(instance_type) else "x86_64"
