"""The EC2 instances that ECS runs copies on, from what says how they are: whose they are, and how much they hold."""

import base64
import re
from collections.abc import Iterator

from components.aws.fleet import INSTANCE_TYPES, Architecture, architecture
from rehearsal import aws
from rehearsal.state import CloudResource, CloudState, Swarm

IMAGES: dict[str, Architecture] = {
    "/aws/service/ecs/optimized-ami/amazon-linux-2023/recommended/image_id": "x86_64",
    "/aws/service/ecs/optimized-ami/amazon-linux-2023/arm64/recommended/image_id": "arm64",
    "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64": "x86_64",
    "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64": "arm64",
}
"""AWS's public parameters with the newest images of Amazon Linux 2023, for ECS and plain, and their architecture."""


def image(state: CloudState, region: str, built_for: Architecture) -> str:
    """The id of the newest image in a region."""
    return f"ami-{state.stable(f'{region} {built_for}', 17)}"


def groups(state: CloudState, service: CloudResource) -> Iterator[CloudResource]:
    """The Auto Scaling groups that a service's copies run on; none on Fargate."""
    for name in service.all("capacityProviderStrategies.capacityProvider"):
        provider = state.find(aws.CAPACITY_PROVIDER, name)
        arn = provider.get("autoScalingGroupProvider.autoScalingGroupArn") if provider else None
        if arn and (group := state.find(aws.AUTO_SCALING_GROUP, arn)):
            yield group


def services(state: CloudState, group: CloudResource) -> list[CloudResource]:
    """The services whose copies run on a group's instances."""
    everywhere = state.every(aws.ECS_SERVICE)
    return [each for each in everywhere if any(found is group for found in groups(state, each))]


def template(state: CloudState, group: CloudResource) -> CloudResource | None:
    """What a group's instances are made by."""
    ids = group.all("mixedInstancesPolicy.launchTemplate.launchTemplateSpecification.launchTemplateId")
    return next((found for id_ in ids if (found := state.find(aws.LAUNCH_TEMPLATE, id_))), None)


def cluster(state: CloudState, group: CloudResource) -> CloudResource | None:
    """The ECS cluster that a group's instances join when they start."""
    made_by = template(state, group)
    script = base64.b64decode(made_by.get("userData", "")).decode() if made_by else ""
    joined = re.search(r"^ECS_CLUSTER=(\S+)$", script, re.MULTILINE)
    return state.find(aws.ECS_CLUSTER, joined[1]) if joined else None


def public(state: CloudState, group: CloudResource) -> bool:
    """Whether a group's instances have public addresses."""
    made_by = template(state, group)
    return made_by is not None and made_by.get("networkInterfaces.associatePublicIpAddress") == "true"


def types(group: CloudResource) -> list[str]:
    """The instance types of a group."""
    return group.all("mixedInstancesPolicy.launchTemplate.overrides.instanceType")


def architectures(group: CloudResource) -> set[Architecture]:
    """What a group's instances can run."""
    return {architecture(each) for each in types(group)}


def room(group: CloudResource) -> int | None:
    """Copies that a group can hold, each with a network interface of its own; None: a type is not known."""
    known = [INSTANCE_TYPES[each].interfaces - 1 for each in types(group) if each in INSTANCE_TYPES]
    return group.get("maxSize", 0) * min(known) if known and len(known) == len(types(group)) else None


def living(state: CloudState, swarm: Swarm) -> list[str]:
    """The nodes of the managers whose instances are there."""
    return [node for node, instance in swarm.members.items() if state.find(aws.INSTANCE, instance)]


def has_quorum(state: CloudState, swarm: Swarm, without: str = "") -> bool:
    """Whether more than half of the managers are there; `without`: an instance that is not counted."""
    there = [node for node in living(state, swarm) if swarm.members[node] != without]
    return len(there) > len(swarm.members) // 2
