"""What EC2 instance types are made of, as far as containers care: a small table of the usual ones.

Network interfaces: aws/amazon-vpc-resource-controller-k8s v1.7.3, pkg/aws/vpc/limits.go, which AWS generates;
vCPU and memory: https://aws.amazon.com/ec2/instance-types/.
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Literal

from components.model import Text

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


@cache
def holding(name: str, cpu: float, memory: int) -> str:
    """`name`, or the next larger type of its family that has `cpu` vCPU, and more than `memory` MiB, as the system
    takes some. `name` again where none is known."""
    family = [each for each in INSTANCE_TYPES if each.partition(".")[0] == name.partition(".")[0]]
    larger = family[family.index(name) :] if name in family else []
    fits = [each for each in larger if INSTANCE_TYPES[each].vcpu >= cpu and INSTANCE_TYPES[each].memory > memory]
    return fits[0] if fits else name


def whole(needed: float) -> int:
    """Instances of which so many are needed. What binary fractions add at the far end makes none of it."""
    return math.ceil(round(needed, 9))


def architecture(instance_type: str) -> Architecture:
    """The CPU architecture of an instance type, by its name."""
    return "arm64" if ARM.match(instance_type) else "x86_64"
