"""Controls as data: what stacks are held to, by whom it is asked, and what we do not meet, with the reason.

The same table is a policy pack (`pulumi up --policy-pack policy`, see `__main__.py`), what a rehearsal and `yard diff`
look at, and docs/controls.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from policy import (
    ecs,
    eks,
    iam,
    instances,
    load_balancing,
    network,
    pods,
    promises,
    registries,
    storage,
)
from policy.control import Control, Graph, Level, Resource, level

AREAS: Mapping[str, tuple[Control, ...]] = {
    "Load balancer": load_balancing.ROWS,
    "Network": network.ROWS,
    "Instances": instances.ROWS,
    "Amazon ECS": ecs.ROWS,
    "Amazon EKS": eks.ROWS,
    "Pods": pods.ROWS,
    "Registries": registries.ROWS,
    "Storage and secrets": storage.ROWS,
    "Roles": iam.ROWS,
    "Our own promises": promises.ROWS,
}
CONTROLS: Mapping[str, Control] = {each.id: each for rows in AREAS.values() for each in rows}
UNSEEN: Mapping[str, str] = {
    "AutoScaling.3, AutoScaling.5": "launch configurations, of which there are none",
    "EC2.1, EC2.4, EC2.7, EC2.24, EC2.51": "snapshots, stopped instances, defaults of the account, virtual machines by"
    " Xen, client VPN: nothing of them is a stack's",
    "EC2.16, EC2.21, EC2.23": "network ACLs and transit gateways, of which there are none",
    "EC2.172": "the account blocks all internet gateways of its VPCs, or does not",
    "ECS.16, ECS.18, ECS.21": "task sets, EFS volumes and containers of Windows, of which there are none",
    "ECR.4, EC2.33 and others on tags": "which tags an organisation asks for: key `aws:defaultTags`",
    "EKS.6, EKS.7": "tags of node groups and of identity providers, of which there are none",
    "IAM.2 to IAM.9": "users and passwords, of which there are none",
    "SecretsManager.3": "whether anyone reads a secret; AWS alone knows, and one that nothing refers to is not made",
    "P2, P8, P11": "promises about two moments of a stack, or about what is secret in its state: tests hold them",
    "SSM.1, SSM.2, SSM.3": "patches of instances that run; new images replace them",
}
"""Controls of the same types of resources that no resource shows, and why."""


@dataclass(frozen=True)
class Violation:
    """A control that a resource breaks."""

    control: Control
    resource: Resource
    level: Level

    def __str__(self) -> str:
        key = f" (key {self.control.key})" if self.control.key else ""
        resource = f"{self.resource.name} {self.resource.type.rpartition(':')[2]}"
        return f"{self.level} {self.control.id}: {resource}: {self.control.says}{key}"


def waived(says: Callable[[str], object], exceptions: Iterable[str]) -> set[str]:
    """The controls that a stack is not held to: its `exceptions`, and what a key of its own, by `says`, waives."""
    return {*exceptions, *(each.id for each in CONTROLS.values() if each.waived_by and says(each.waived_by) is True)}


def violations(resources: Iterable[Resource], preset: str, exceptions: Iterable[str] = ()) -> Iterator[Violation]:
    """What the resources of a stack break; `exceptions` are those that it is not held to."""
    graph = Graph(resources)
    for control in CONTROLS.values():
        if control.applies(preset) and control.id not in exceptions:
            for resource in control.broken_by(graph):
                yield Violation(control, resource, level(preset))
