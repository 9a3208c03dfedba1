"""EC2 instances: groups of them that ECS runs replicas on, and those that are a swarm."""

import base64
import re
from collections.abc import Iterator

from components.aws.fleet import Architecture, architecture, least
from rehearsal.aws import types
from rehearsal.aws.data_source import Question, data_source
from rehearsal.aws.making import Facts, computed, in_ec2
from rehearsal.aws.resource_type import NAME, Name, Ref, ResourceType, Start, Unique, refuses
from rehearsal.state import CloudResource, CloudState, Refused, Swarm
from rehearsal.wire import Properties

# --- images

IMAGES: dict[str, Architecture] = {
    "/aws/service/ecs/optimized-ami/amazon-linux-2023/recommended/image_id": "x86_64",
    "/aws/service/ecs/optimized-ami/amazon-linux-2023/arm64/recommended/image_id": "arm64",
    "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64": "x86_64",
    "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64": "arm64",
}
"""AWS's public parameters with the newest images of Amazon Linux 2023, for ECS and plain, and their architecture."""


def _image(state: CloudState, region: str, built_for: Architecture) -> str:
    """The id of the newest image in a region."""
    return f"ami-{state.stable(f'{region} {built_for}', 17)}"


@data_source("aws:ssm/getParameter:getParameter")
def get_parameter(ask: Question) -> Properties:
    """Of AWS's own public parameters those that name an image."""
    name = str(ask.args["name"])
    if name not in IMAGES:
        raise Refused("ParameterNotFound", f"there is no parameter {name}", "SSM API")
    value = _image(ask.state, ask.region, IMAGES[name])
    arn = f"arn:aws:ssm:{ask.region}::parameter{name}"
    return {"id": name, "arn": arn, "type": "String", "value": value, "insecureValue": value, "version": 1}


# --- groups of instances, on which ECS runs replicas


def groups(state: CloudState, service: CloudResource) -> Iterator[CloudResource]:
    """The Auto Scaling groups that a service's replicas run on; none on Fargate."""
    for name in service.all("capacityProviderStrategies.capacityProvider"):
        provider = state.find(types.CAPACITY_PROVIDER, name)
        arn = provider.get("autoScalingGroupProvider.autoScalingGroupArn") if provider else None
        if arn and (group := state.find(types.AUTO_SCALING_GROUP, arn)):
            yield group


def services(state: CloudState, group: CloudResource) -> list[CloudResource]:
    """The services whose replicas run on a group's instances."""
    everywhere = state.every(types.ECS_SERVICE)
    return [each for each in everywhere if any(found is group for found in groups(state, each))]


def cluster(state: CloudState, group: CloudResource) -> CloudResource | None:
    """The ECS cluster that a group's instances join when they start."""
    made_by = _template(state, group)
    script = base64.b64decode(made_by.get("userData", "")).decode() if made_by else ""
    joined = re.search(r"^ECS_CLUSTER=(\S+)$", script, re.MULTILINE)
    return state.find(types.ECS_CLUSTER, joined[1]) if joined else None


def architectures(group: CloudResource) -> set[Architecture]:
    """What a group's instances can run."""
    return {architecture(each) for each in _instance_types(group)}


def room(group: CloudResource) -> int | None:
    """Replicas that a group can hold, each with a network interface of its own; None: a type is not known."""
    known = least(_instance_types(group))
    return group.get("maxSize", 0) * known.for_replicas if known else None


def _instance_types(group: CloudResource) -> list[str]:
    return group.all("mixedInstancesPolicy.launchTemplate.overrides.instanceType")


TEMPLATE = "mixedInstancesPolicy.launchTemplate.launchTemplateSpecification.launchTemplateId"


def _template(state: CloudState, group: CloudResource) -> CloudResource | None:
    """What a group's instances are made by."""
    return next((found for id_ in group.all(TEMPLATE) if (found := state.find(types.LAUNCH_TEMPLATE, id_))), None)


LAUNCH_TEMPLATE = ResourceType(
    types.LAUNCH_TEMPLATE,
    in_ec2("lt", "launch-template", latestVersion=1, defaultVersion=1),
    (2, 2, 1),
    "name namePrefix",
    Name(longest=128),
    refs=(
        Ref("iamInstanceProfile.arn", types.INSTANCE_PROFILE, holds=False),
        Ref("networkInterfaces.securityGroups", types.SECURITY_GROUP, holds=False),
    ),
    unique=Unique("name", taken="InvalidLaunchTemplateName.AlreadyExistsException"),
    missing="InvalidLaunchTemplateId.NotFound",
    counts="latestVersion",
)


def _group_starts(state: CloudState, group: CloudResource) -> Start:
    made_by = _template(state, group)
    public = made_by is not None and made_by.get("networkInterfaces.associatePublicIpAddress") == "true"
    of_ecs = cluster(state, group) is not None
    return Start(group.all("vpcZoneIdentifiers"), public, ("ecs", "ecs-agent", "ecs-telemetry") if of_ecs else ("ssm",))


@refuses("InvalidParameterValue", "EC2 API, RunInstances")
def _unfit_image(state: CloudState, group: CloudResource) -> Iterator[str]:
    """An image is for one architecture, and so is an instance type."""
    template, kinds = _template(state, group), ", ".join(_instance_types(group))
    for built_for in ("x86_64", "arm64"):
        newest = _image(state, group.get("region", ""), built_for)
        if template and template.get("imageId") == newest and architectures(group) - {built_for}:
            yield f"the architecture {built_for} of the image {newest} does not match the instance types {kinds}"


@refuses("RuntimeCutOff", "EC2 Auto Scaling API, DeleteAutoScalingGroup")
def _has_replicas(state: CloudState, group: CloudResource) -> Iterator[str]:
    """By force AWS would end the instances at once, and the replicas on them."""
    for service in services(state, group):
        yield f"replicas of {service.name} run on the instances of {group.name}"


@refuses("ScalingActivityInProgress", "terraform-provider-aws #18849, containers-roadmap #2862")
def _protected_instances(_: CloudState, group: CloudResource) -> Iterator[str]:
    if group.get("protectFromScaleIn") and not group.get("forceDelete"):
        yield f"the instances of {group.name} are protected from scale-in, and it is not deleted by force"


AUTO_SCALING_GROUP = ResourceType(
    types.AUTO_SCALING_GROUP,
    computed(
        id="{name}",
        arn="arn:aws:autoscaling:{region}:{account}:autoScalingGroup:{hex:.32}:autoScalingGroupName/{name}",
    ),
    (75, 5, 60),
    "name namePrefix",
    NAME,
    refs=(Ref(TEMPLATE, types.LAUNCH_TEMPLATE, holds=False), Ref("vpcZoneIdentifiers", types.SUBNET)),
    unique=Unique("name"),
    missing="ValidationError",
    starts=_group_starts,
    creating=(_unfit_image,),
    deleting=(_has_replicas, _protected_instances),
)


# --- instances of their own: the managers of a swarm


def living(state: CloudState, swarm: Swarm) -> list[str]:
    """The nodes of the managers whose instances are there."""
    return [node for node, instance in swarm.members.items() if state.find(types.INSTANCE, instance)]


def has_quorum(state: CloudState, swarm: Swarm, without: str = "") -> bool:
    """Whether more than half of the managers are there; `without`: an instance that is not counted."""
    there = [node for node in living(state, swarm) if swarm.members[node] != without]
    return len(there) > len(swarm.members) // 2


@refuses("QuorumLost", 'Docker docs, "Administer and maintain a swarm of Docker Engines"')
def _breaks_quorum(state: CloudState, instance: CloudResource) -> Iterator[str]:
    """AWS would allow it, and the swarm could never be changed again, its services not even removed.

    The only manager may go: then there is no swarm any more, and the next one is new.
    """
    for swarm in state.swarms.values():
        needed = len(swarm.members) > 1 and instance.id in swarm.members.values() and swarm.services
        if needed and not has_quorum(state, swarm, without=instance.id):
            yield (
                f"without {instance.name} less than a majority is left of the {len(swarm.members)} managers of a swarm"
                f" that runs {len(swarm.services)} services"
            )


INTERFACE = "primaryNetworkInterface.networkInterfaceId"


def _instance(facts: Facts) -> Properties:
    wanted = facts.inputs.get("primaryNetworkInterface") or {}
    interface = facts.state.find(types.NETWORK_INTERFACE, wanted.get("networkInterfaceId", ""))
    private = interface.get("privateIp") if interface else ""
    return in_ec2("i", "instance", privateIp=private, instanceState="running")(facts)


def _instance_starts(state: CloudState, instance: CloudResource) -> Start | None:
    """On a network interface of its own; a public address is one of its own too."""
    interface = state.find(types.NETWORK_INTERFACE, instance.get(INTERFACE, ""))
    if interface is None:
        return None
    public = bool(state.where(types.EIP, "networkInterface", interface.id))
    return Start([interface.get("subnetId", "")], public, ("ssm", "ssmmessages", "ec2messages"))


INSTANCE = ResourceType(
    types.INSTANCE,
    _instance,
    (30, 60, 45),
    "ami primaryNetworkInterface userData rootBlockDevice.encrypted",
    refs=(Ref(INTERFACE, types.NETWORK_INTERFACE), Ref("iamInstanceProfile", types.INSTANCE_PROFILE, holds=False)),
    unique=Unique(INTERFACE, taken="InvalidNetworkInterface.InUse"),
    missing="InvalidInstanceID.NotFound",
    starts=_instance_starts,
    deleting=(_breaks_quorum,),
)
