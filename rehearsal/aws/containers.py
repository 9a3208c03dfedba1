"""ECS: clusters and their capacity, tasks, services and how these scale."""

import json
from collections.abc import Iterator

from rehearsal.aws import instances, types
from rehearsal.aws.keys import may_decrypt, secrets_of
from rehearsal.aws.loadbalancing import balancers
from rehearsal.aws.making import Facts, computed
from rehearsal.aws.network import has_route
from rehearsal.aws.registries import from_ecr, may_pull, pullable
from rehearsal.aws.resource_type import EVERYTHING, NAME, Name, Ref, ResourceType, Start, Unique, refuses
from rehearsal.state import CloudResource, CloudState, Registers
from rehearsal.wire import Properties

# --- clusters and their capacity


@refuses("ClusterContainsContainerInstancesException", "ECS API, DeleteCluster; terraform-provider-aws #18849")
def _has_instances(state: CloudState, cluster: CloudResource) -> Iterator[str]:
    """A cluster stays while instances are registered in it."""
    for group in state.every(types.AUTO_SCALING_GROUP):
        if instances.cluster(state, group) is cluster:
            yield f"instances of {group.name} are registered in the cluster {cluster.name}"


CLUSTER = ResourceType(
    types.ECS_CLUSTER,
    computed(arn="arn:aws:ecs:{region}:{account}:cluster/{name}", id="{arn}"),
    (11, 10, 11),
    "name",
    NAME,
    missing="ClusterNotFoundException",
    in_use="ClusterContainsServicesException",
    deleting=(_has_instances,),
)

OF_GROUP = "autoScalingGroupProvider"


@refuses("ClientException", "ECS API, CreateCapacityProvider")
def _reserved_name(_: CloudState, provider: CloudResource) -> Iterator[str]:
    name = provider.get("name", "")
    if name.startswith(("aws", "ecs", "fargate")):
        yield f"the name of the capacity provider {name} must not begin with aws, ecs or fargate"


@refuses("ClientException", "ECS API, AutoScalingGroupProvider")
def _cannot_protect(state: CloudState, provider: CloudResource) -> Iterator[str]:
    group = state.find(types.AUTO_SCALING_GROUP, provider.get(f"{OF_GROUP}.autoScalingGroupArn", ""))
    if provider.get(f"{OF_GROUP}.managedTerminationProtection") == "ENABLED":
        needs = f"{provider.name}: managed termination protection needs"
        if provider.get(f"{OF_GROUP}.managedScaling.status") != "ENABLED":
            yield f"{needs} managed scaling"
        if group and not group.get("protectFromScaleIn"):
            yield f"{needs} a group that protects its instances from scale-in"


@refuses("ResourceInUseException", "ECS API, DeleteCapacityProvider; terraform-provider-aws #29152")
def _is_associated(state: CloudState, provider: CloudResource) -> Iterator[str]:
    """Only a capacity provider that no cluster has can be deleted."""
    for part in state.where(types.ECS_PROVIDERS, "capacityProviders", *provider.handles):
        yield f"the capacity provider {provider.get('name')} is associated with the cluster {part.get('clusterName')}"


CAPACITY_PROVIDER = ResourceType(
    types.CAPACITY_PROVIDER,
    computed(arn="arn:aws:ecs:{region}:{account}:capacity-provider/{name}", id="{arn}"),
    (2, 5, 10),
    f"name {OF_GROUP}.autoScalingGroupArn",
    NAME,
    refs=(Ref(f"{OF_GROUP}.autoScalingGroupArn", types.AUTO_SCALING_GROUP, holds=False),),
    unique=Unique(f"{OF_GROUP}.autoScalingGroupArn", taken="ClientException"),
    creating=(_reserved_name, _cannot_protect),
    deleting=(_is_associated,),
)


@refuses("InvalidParameterException", "ECS API")
def _no_such_provider(state: CloudState, providers: CloudResource) -> Iterator[str]:
    """A cluster takes AWS's own capacity providers, and the account's."""
    for name in providers.all("capacityProviders"):
        if name not in ("FARGATE", "FARGATE_SPOT") and not state.find(types.CAPACITY_PROVIDER, name):
            yield f"there is no capacity provider {name}"


IN_USE = refuses(
    "ResourceInUseException",
    "ECS API, PutClusterCapacityProviders; terraform-provider-aws #29152, containers-roadmap #631",
)


@IN_USE
def _leaving_in_use(state: CloudState, providers: CloudResource) -> Iterator[str]:
    """The list of a cluster's capacity providers is put as a whole: what is not in it any more must not be in use."""
    for before in state.where(types.ECS_PROVIDERS, "clusterName", providers.get("clusterName")):
        yield from _used(state, before, set(before.all("capacityProviders")) - set(providers.all("capacityProviders")))


@IN_USE
def _all_in_use(state: CloudState, providers: CloudResource) -> Iterator[str]:
    """A cluster keeps its capacity providers while services use them."""
    yield from _used(state, providers, set(providers.all("capacityProviders")))


def _used(state: CloudState, providers: CloudResource, names: set[str]) -> Iterator[str]:
    for service in state.every(types.ECS_SERVICE):
        cluster = state.find(types.ECS_CLUSTER, service.get("cluster", ""))
        used = ", ".join(sorted(names.intersection(service.all(STRATEGY))))
        if used and cluster and providers.get("clusterName") in cluster.handles:
            what = f"{used} of {cluster.name}, by {service.name}"
            yield f"The specified capacity provider is in use and cannot be removed: {what}"


CLUSTER_CAPACITY_PROVIDERS = ResourceType(
    types.ECS_PROVIDERS,
    computed(id="{clusterName}"),
    (12, 12, 12),
    "clusterName",
    refs=(Ref("clusterName", types.ECS_CLUSTER, holds=False),),
    creating=(_no_such_provider, _leaving_in_use),
    deleting=(_all_in_use,),
)


# --- tasks


def _task_definition(facts: Facts) -> Properties:
    family = facts.inputs["family"]
    facts.state.revisions[family] += 1
    revision = facts.state.revisions[family]
    bare = "arn:aws:ecs:{region}:{account}:task-definition/{family}"
    return computed(id="{family}", arnWithoutRevision=bare, revision=revision, arn=f"{bare}:{revision}")(facts)


TASK_DEFINITION = ResourceType(
    types.TASK_DEFINITION,
    _task_definition,
    replace=EVERYTHING,
    name=Name("family"),
    refs=(Ref("executionRoleArn", types.ROLE, holds=False), Ref("taskRoleArn", types.ROLE, holds=False)),
    missing="ClientException",
)


def _task(state: CloudState, service: CloudResource) -> CloudResource | None:
    return state.find(types.TASK_DEFINITION, service.get("taskDefinition", ""))


def _containers(task: CloudResource | None) -> list[Properties]:
    found: list[Properties] = json.loads(task.get("containerDefinitions", "[]")) if task else []
    return found


def _images(task: CloudResource) -> Iterator[str]:
    yield from (each["image"] for each in _containers(task) if each.get("image"))


# --- services

STRATEGY = "capacityProviderStrategies.capacityProvider"
GROUP = "loadBalancers.targetGroupArn"


def _target_groups(state: CloudState, service: CloudResource) -> list[CloudResource]:
    return [found for arn in service.all(GROUP) if (found := state.find(types.TARGET_GROUP, arn))]


def _service(facts: Facts) -> Properties:
    cluster = facts.inputs.get("cluster", "default").rsplit("/", 1)[-1]
    return computed(arn=f"arn:aws:ecs:{{region}}:{{account}}:service/{cluster}/{{name}}", id="{arn}")(facts)


def _starts(state: CloudState, service: CloudResource) -> Start | None:
    """An instance pulls for its replicas, by its own interface."""
    if any(instances.groups(state, service)):
        return None
    network = "networkConfiguration"
    return Start(service.all(f"{network}.subnets"), bool(service.get(f"{network}.assignPublicIp")))


@refuses("InvalidParameterException", "aws-cdk #1160, cloudformation-coverage-roadmap #1868")
def _no_balancer(state: CloudState, service: CloudResource) -> Iterator[str]:
    """ECS refuses a service whose target group no listener or rule names."""
    for group in _target_groups(state, service):
        if not balancers(state, group):
            yield f"The target group with targetGroupArn {group.id} does not have an associated load balancer."


@refuses("InvalidParameterException", "ECS API")
def _group_of_instances(state: CloudState, service: CloudResource) -> Iterator[str]:
    task = _task(state, service)
    for group in _target_groups(state, service):
        kind = group.get("targetType")
        if kind != "ip" and task and task.get("networkMode") == "awsvpc":
            yield f"{group.name} has target type {kind}; network mode awsvpc needs ip"


@refuses("InvalidParameterException", "ECS API")
def _no_capacity(state: CloudState, service: CloudResource) -> Iterator[str]:
    """A strategy may only name providers that the cluster has."""
    cluster = state.find(types.ECS_CLUSTER, service.get("cluster", ""))
    parts = state.where(types.ECS_PROVIDERS, "clusterName", *cluster.handles) if cluster else []
    has = {name for part in parts for name in part.all("capacityProviders")}
    missing = ", ".join(sorted(set(service.all(STRATEGY)) - has))
    if cluster and missing:
        yield f"the capacity provider {missing} is not associated with cluster {cluster.name}"


EVENTS = "ECS developer guide, service event messages"
"""Where ECS finds no instance for a replica it goes on looking: the deployment never ends."""


@refuses("CannotPlaceTask", f"{EVENTS}: no container instance met all of its requirements")
def _unfit_instances(state: CloudState, service: CloudResource) -> Iterator[str]:
    task = _task(state, service)
    built_for = (task.get("runtimePlatform.cpuArchitecture", "X86_64") if task else "X86_64").lower()
    for group in instances.groups(state, service):
        if built_for not in instances.architectures(group):
            yield f"no container instance of {group.name} is {built_for}, as {service.name} needs"


@refuses("CannotPlaceTask", f"{EVENTS}: RESOURCE:ENI")
def _no_room(state: CloudState, service: CloudResource) -> Iterator[str]:
    for group in instances.groups(state, service):
        beside = [each for each in instances.services(state, group) if each.id != service.id]
        replicas = sum(each.get("desiredCount", 1) for each in [*beside, service])
        room = instances.room(group)
        if room is not None and replicas > room:
            yield f"{group.name} has network interfaces for {room} replicas; with {service.name} there are {replicas}"


@refuses("ResourceInitializationError", 'ECS developer guide, "Amazon ECS task execution IAM role"')
def _may_not_decrypt(state: CloudState, service: CloudResource) -> Iterator[str]:
    """A replica whose secrets are under a key that its execution role may not use never starts."""
    task = _task(state, service)
    role = task.get("executionRoleArn", "") if task else ""
    for secret in [each for container in _containers(task) for each in secrets_of(container)]:
        if not may_decrypt(state, role, secret):
            yield f"{service.name}: the execution role may not decrypt {secret}"


@refuses("CannotPullContainerError", "amazon-ecs-agent #1128")
def _may_not_pull(state: CloudState, service: CloudResource) -> Iterator[str]:
    """Every image has a digest, is in its repository, and the task may read it."""
    task = _task(state, service)
    for image in _images(task) if task else ():
        pullable(state, service, image)
        if task and not may_pull(state, task.get("executionRoleArn", ""), image):
            yield f"the execution role of {service.name} may not pull {image}"


@refuses("CannotPullContainerError", 'ECS developer guide, "CannotPullContainer task errors": i/o timeout')
def _no_way_to_image(state: CloudState, service: CloudResource) -> Iterator[str]:
    """Endpoints lead to ECR alone: any other registry takes a gateway."""
    task, start = _task(state, service), _starts(state, service)
    outside = [image for image in (_images(task) if task else ()) if not from_ecr(image)]
    found = [state.find(types.SUBNET, each) for each in start.subnets] if start else []
    if any(subnet and start and not has_route(state, subnet, start.public) for subnet in found):
        yield from (f"{service.name} has no way out to {image.partition('/')[0]}" for image in outside)


def _unsteady(state: CloudState, service: CloudResource) -> str | None:
    unhealthy = [each for each in _target_groups(state, service) if each.name in state.unhealthy_groups]
    if service.get("waitForSteadyState") and unhealthy:
        return f"{service.name}: ECS deployment circuit breaker: tasks failed ELB health checks [pulumi-aws #4487]"
    return None


SERVICE = ResourceType(
    types.ECS_SERVICE,
    _service,
    (150, 210, 75),
    "name cluster launchType schedulingStrategy iamRole deploymentController",
    NAME,
    refs=(
        Ref("cluster", types.ECS_CLUSTER),
        Ref("taskDefinition", types.TASK_DEFINITION, holds=False),
        Ref(GROUP, types.TARGET_GROUP, holds=False),
        Ref("networkConfiguration.subnets", types.SUBNET),
        Ref("networkConfiguration.securityGroups", types.SECURITY_GROUP),
    ),
    unique=Unique("cluster name", taken="InvalidParameterException: Creation of service was not idempotent."),
    steady="waitForSteadyState",
    starts=_starts,
    registers=Registers(
        group=GROUP,
        port="loadBalancers.containerPort",
        replicas="desiredCount",
        security_groups="networkConfiguration.securityGroups",
    ),
    creating=(
        *(_no_balancer, _group_of_instances),
        *(_no_capacity, _unfit_instances, _no_room, _may_not_decrypt, _may_not_pull, _no_way_to_image),
    ),
    unsteady=_unsteady,
)


# --- how services scale


SCALING_TARGET = ResourceType(
    "aws:appautoscaling/target:Target",
    computed(id="{resourceId}"),
    replace="resourceId scalableDimension serviceNamespace",
)
SCALING_POLICY = ResourceType(
    "aws:appautoscaling/policy:Policy",
    computed(
        id="{name}",
        arn="arn:aws:autoscaling:{region}:{account}:scalingPolicy:{hex:.32}:resource/{serviceNamespace}/{resourceId}"
        ":policyName/{name}",
    ),
    replace="name resourceId scalableDimension serviceNamespace",
    name=NAME,
)
