"""What AWS refuses, and where that is known from. Each check is one function over the world.

A check that fails raises `Refused`. They run before an operation begins, and see the resource as it would be.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from components.model import is_example, is_public
from rehearsal import aws, health, instances
from rehearsal.state import CloudResource, CloudState, Refused

Check = Callable[[CloudState, CloudResource], None]


# --- for every type -----------------------------------------------------------------------------------------------


def references(state: CloudState, resource: CloudResource) -> None:
    """What an input names must exist. What the stack's config names is taken to."""
    for ref in aws.RULES[resource.type].refs:
        for handle in resource.all(ref.path):
            if handle and handle not in state.existing and not _is_there(state, ref.type, handle):
                code = aws.RULES[ref.type].missing
                raise Refused(code, f"{ref.path} of {resource.name} names {handle}, which does not exist", "AWS API")


def _is_there(state: CloudState, type_: str, handle: str) -> bool:
    """A group that came with its VPC or cluster is in no program, but is there."""
    if state.find(type_, handle):
        return True
    implied = [*state.every(aws.VPC), *state.every(aws.EKS_CLUSTER)] if type_ == aws.SECURITY_GROUP else []
    return any(
        handle in (each.get("defaultSecurityGroupId"), each.get("vpcConfig.clusterSecurityGroupId")) for each in implied
    )


def collisions(state: CloudState, resource: CloudResource) -> None:
    """Fixed names and other resources of which there can be one."""
    rule = aws.RULES[resource.type]
    key = _key(rule, resource)
    if None in key:
        return
    for other in state.where(resource.type, rule.unique[-1], key[-1]):
        if other is not resource and other.urn + other.id != resource.urn + resource.id and _key(rule, other) == key:
            shared = ", ".join(f"{name} {resource.get(name)}" for name in rule.unique)
            raise Refused(rule.taken, f"{resource.name}: {shared} is taken by {other.name}", "AWS API")
    reserved = (resource.type, resource.get("region", ""), resource.get("name", ""))
    if why := state.reserved_names.get(reserved):
        raise Refused(
            rule.taken,
            f"{resource.name}: the name {reserved[2]} is taken: {why}",
            "terraform-provider-aws #4467, #10259",
        )


def _key(rule: aws.Rule, resource: CloudResource) -> tuple[Any, ...]:
    if not rule.unique:
        return (None,)
    return (resource.get("region") if rule.regional else "", *(resource.get(path) for path in rule.unique))


def held(state: CloudState, resource: CloudResource) -> None:
    """A resource that others hold on to stays."""
    for type_, rule in aws.RULES.items():
        for ref in rule.refs:
            if not ref.holds or ref.type != resource.type:
                continue
            for other in state.where(type_, ref.path, *resource.handles):
                if not _lets_go(resource, other):
                    raise Refused(
                        aws.RULES[resource.type].in_use,
                        f"{resource.name} ({resource.id}) cannot be deleted: {other.name} ({type_}) uses it",
                        "AWS API; pulumi-aws #4220, terraform-provider-aws #30640",
                    )


def _lets_go(resource: CloudResource, other: CloudResource) -> bool:
    policies = (aws.ROLE_POLICY, aws.ROLE_POLICY_ATTACHMENT)
    return other.type in policies and bool(resource.get("forceDetachPolicies"))


# --- load balancing -----------------------------------------------------------------------------------------------


def forwards(state: CloudState, resource: CloudResource) -> None:
    """One to five groups in a forward, weights 0 to 999 and not all 0, groups that an ALB can use, each on one ALB."""
    for groups in resource.all("actions.forward") + resource.all("defaultActions.forward"):
        weights = [group.get("weight", 1) for group in groups.get("targetGroups", [])]
        if not 1 <= len(weights) <= 5:
            raise Refused(
                "TooManyTargetGroups",
                f"{resource.name} forwards to {len(weights)} groups; 1 to 5 are possible",
                "ELBv2 limits",
            )
        if not all(0 <= weight <= 999 for weight in weights) or not sum(weights):
            raise Refused(
                "ValidationError",
                f"{resource.name}: weights {weights}; each is 0 to 999, and one above 0",
                "ELBv2 API; with 0 everywhere nobody is served",
            )
    mine = _balancer(state, resource)
    for arn in health.forwarded(resource):
        group = state.find(aws.TARGET_GROUP, arn)
        if group is not None and mine is not None:
            _fits(state, group, mine)


def _fits(state: CloudState, group: CloudResource, balancer: CloudResource) -> None:
    protocol = group.get("protocol", "HTTP")
    if group.get("targetType") != "lambda" and protocol not in ("HTTP", "HTTPS"):
        raise Refused(
            "InvalidConfigurationRequest",
            f"{group.name} is {protocol}; an application load balancer takes HTTP and HTTPS",
            "ELBv2 API",
        )
    if group.get("vpcId") not in (None, balancer.get("vpcId")) and balancer.get("vpcId"):
        raise Refused(
            "InvalidConfigurationRequest", f"{group.name} is in another VPC than {balancer.name}", "ELBv2 API"
        )
    if health.balancers(state, group) - {balancer.id}:
        raise Refused(
            "TargetGroupAssociationLimit", f"{group.name} hangs on another load balancer already", "ELBv2 API"
        )


def _balancer(state: CloudState, resource: CloudResource) -> CloudResource | None:
    listener = resource if resource.type == aws.LISTENER else state.find(aws.LISTENER, resource.get("listenerArn", ""))
    return state.find(aws.LOAD_BALANCER, listener.get("loadBalancerArn", "")) if listener else None


def zones(state: CloudState, resource: CloudResource) -> None:
    """An application load balancer needs subnets in two zones at least."""
    subnets = [state.find(aws.SUBNET, each) for each in resource.all("subnets")]
    found = {each.get("availabilityZone", each.id) for each in subnets if each}
    if all(subnets) and len(found) < 2:
        raise Refused(
            "ValidationError",
            f"{resource.name}: at least two subnets in two different availability zones are needed",
            "ELBv2 API",
        )


def protected(_: CloudState, resource: CloudResource) -> None:
    """Deletion protection."""
    if resource.get("enableDeletionProtection") or resource.get("deletionProtection"):
        raise Refused(
            "OperationNotPermitted",
            f"{resource.name} cannot be deleted because deletion protection is enabled",
            "ELBv2 and EKS API",
        )


# --- containers ---------------------------------------------------------------------------------------------------


def hangs_on_a_balancer(state: CloudState, resource: CloudResource) -> None:
    """ECS refuses a service whose target group no listener or rule names."""
    for arn in resource.all("loadBalancers.targetGroupArn"):
        group = state.find(aws.TARGET_GROUP, arn)
        if group is not None and not health.balancers(state, group):
            raise Refused(
                "InvalidParameterException",
                f"The target group with targetGroupArn {arn} does not have an associated load balancer.",
                "aws-cdk #1160, cloudformation-coverage-roadmap #1868",
            )
        if group is not None and group.get("targetType") != "ip" and _awsvpc(state, resource):
            raise Refused(
                "InvalidParameterException",
                f"{group.name} has target type {group.get('targetType')}; network mode awsvpc needs ip",
                "ECS API",
            )


def _task(state: CloudState, service: CloudResource) -> CloudResource | None:
    return state.find(aws.TASK_DEFINITION, service.get("taskDefinition", ""))


def _awsvpc(state: CloudState, service: CloudResource) -> bool:
    task = _task(state, service)
    return task is not None and task.get("networkMode") == "awsvpc"


def capacity(state: CloudState, resource: CloudResource) -> None:
    """A strategy may only name providers that the cluster has."""
    cluster = state.find(aws.ECS_CLUSTER, resource.get("cluster", ""))
    wanted = set(resource.all("capacityProviderStrategies.capacityProvider"))
    parts = [each for each in state.every(aws.ECS_PROVIDERS) if cluster and each.get("clusterName") in cluster.handles]
    has = {name for part in parts for name in part.all("capacityProviders")}
    if cluster and wanted - has:
        missing = ", ".join(sorted(wanted - has))
        raise Refused(
            "InvalidParameterException",
            f"the capacity provider {missing} is not associated with cluster {cluster.name}",
            "ECS API",
        )


def capacity_in_use(state: CloudState, resource: CloudResource) -> None:
    """A cluster keeps its capacity providers while services use them."""
    _unused(state, resource, set(resource.all("capacityProviders")))


def capacity_leaves(state: CloudState, resource: CloudResource) -> None:
    """The list of a cluster's capacity providers is put as a whole: what is not in it any more must not be in use."""
    for before in state.where(aws.ECS_PROVIDERS, "clusterName", resource.get("clusterName")):
        _unused(state, before, set(before.all("capacityProviders")) - set(resource.all("capacityProviders")))


def _unused(state: CloudState, part: CloudResource, names: set[str]) -> None:
    for service in state.every(aws.ECS_SERVICE):
        cluster = state.find(aws.ECS_CLUSTER, service.get("cluster", ""))
        used = names.intersection(service.all("capacityProviderStrategies.capacityProvider"))
        if cluster and part.get("clusterName") in cluster.handles and used:
            raise Refused(
                "ResourceInUseException",
                f"The specified capacity provider is in use and cannot be removed: {', '.join(sorted(used))} of"
                f" {cluster.name}, by {service.name}",
                "ECS API, PutClusterCapacityProviders; terraform-provider-aws #29152, containers-roadmap #631",
            )


def capacity_provider(state: CloudState, resource: CloudResource) -> None:
    """Names that ECS keeps to itself, and what managed termination protection needs."""
    name = resource.get("name", "")
    if name.startswith(("aws", "ecs", "fargate")):
        raise Refused(
            "ClientException",
            f"the name of the capacity provider {name} must not begin with aws, ecs or fargate",
            "ECS API, CreateCapacityProvider",
        )
    said = "autoScalingGroupProvider"
    group = state.find(aws.AUTO_SCALING_GROUP, resource.get(f"{said}.autoScalingGroupArn", ""))
    if resource.get(f"{said}.managedTerminationProtection") != "ENABLED":
        return
    if resource.get(f"{said}.managedScaling.status") != "ENABLED":
        raise Refused(
            "ClientException",
            f"{resource.name}: managed termination protection needs managed scaling",
            "ECS API, AutoScalingGroupProvider",
        )
    if group and not group.get("protectFromScaleIn"):
        raise Refused(
            "ClientException",
            f"{resource.name}: managed termination protection needs a group that protects its instances from scale-in",
            "ECS API, AutoScalingGroupProvider",
        )


def capacity_exists(state: CloudState, resource: CloudResource) -> None:
    """A cluster takes AWS's own capacity providers, and the account's."""
    for name in resource.all("capacityProviders"):
        if name not in ("FARGATE", "FARGATE_SPOT") and not state.find(aws.CAPACITY_PROVIDER, name):
            raise Refused("InvalidParameterException", f"there is no capacity provider {name}", "ECS API")


def capacity_associated(state: CloudState, resource: CloudResource) -> None:
    """Only a capacity provider that no cluster has can be deleted."""
    for part in state.where(aws.ECS_PROVIDERS, "capacityProviders", *resource.handles):
        raise Refused(
            "ResourceInUseException",
            f"the capacity provider {resource.get('name')} is associated with the cluster {part.get('clusterName')}",
            "ECS API, DeleteCapacityProvider; terraform-provider-aws #29152",
        )


def instances_fit(state: CloudState, resource: CloudResource) -> None:
    """Where ECS finds no instance for a copy it goes on looking: the deployment never ends."""
    task = _task(state, resource)
    for group in instances.groups(state, resource):
        built_for = (task.get("runtimePlatform.cpuArchitecture", "X86_64") if task else "X86_64").lower()
        if built_for not in instances.architectures(group):
            raise Refused(
                "CannotPlaceTask",
                f"no container instance of {group.name} is {built_for}, as {resource.name} needs",
                "ECS developer guide, service event messages: no container instance met all of its requirements",
            )
        beside = [each for each in instances.services(state, group) if each.id != resource.id]
        copies = sum(each.get("desiredCount", 1) for each in [*beside, resource])
        room = instances.room(group)
        if room is not None and copies > room:
            raise Refused(
                "CannotPlaceTask",
                f"{group.name} has network interfaces for {room} copies, and with {resource.name} there are {copies}",
                "ECS developer guide, service event messages: RESOURCE:ENI",
            )


def instances_start(state: CloudState, resource: CloudResource) -> None:
    """An image is for one architecture, and so is an instance type."""
    template = instances.template(state, resource)
    for built_for in ("x86_64", "arm64"):
        newest = instances.image(state, resource.get("region", ""), built_for)
        if template and template.get("imageId") == newest and instances.architectures(resource) - {built_for}:
            raise Refused(
                "InvalidParameterValue",
                f"the architecture {built_for} of the image {newest} does not match the instance types"
                f" {', '.join(instances.types(resource))}",
                "EC2 API, RunInstances",
            )


def instances_in_use(state: CloudState, resource: CloudResource) -> None:
    """By force AWS would end the instances at once, and the copies on them; without it, protected ones stay."""
    for service in instances.services(state, resource):
        raise Refused(
            "RuntimeCutOff",
            f"copies of {service.name} run on the instances of {resource.name}",
            "EC2 Auto Scaling API, DeleteAutoScalingGroup",
        )
    if resource.get("protectFromScaleIn") and not resource.get("forceDelete"):
        raise Refused(
            "ScalingActivityInProgress",
            f"the instances of {resource.name} are protected from scale-in, and it is not deleted by force",
            "terraform-provider-aws #18849, containers-roadmap #2862",
        )


def instances_joined(state: CloudState, resource: CloudResource) -> None:
    """A cluster stays while instances are registered in it."""
    for group in state.every(aws.AUTO_SCALING_GROUP):
        if instances.cluster(state, group) is resource:
            raise Refused(
                "ClusterContainsContainerInstancesException",
                f"instances of {group.name} are registered in the cluster {resource.name}",
                "ECS API, DeleteCluster; terraform-provider-aws #18849",
            )


def joins_as_what_it_is(state: CloudState, resource: CloudResource) -> None:
    """Into a group of instances go instances that there are."""
    group = state.find(aws.TARGET_GROUP, resource.get("targetGroupArn") or resource.get("lbTargetGroupArn", ""))
    if group is not None and group.get("targetType") != "instance":
        raise Refused(
            "ValidationError",
            f"{group.name} has target type {group.get('targetType')}; an instance cannot be in it",
            "ELBv2 API, RegisterTargets",
        )
    target = resource.get("targetId", "")
    if target and not state.find(aws.INSTANCE, target) and target not in state.existing:
        raise Refused(
            "InvalidTarget", f"{resource.name}: the instance {target} does not exist", "ELBv2 API, RegisterTargets"
        )


def keeps_quorum(state: CloudState, resource: CloudResource) -> None:
    """AWS would allow it, and the swarm could never be changed again, its services not even removed.

    The only manager may go: then there is no swarm any more, and the next one is new.
    """
    for each in state.swarms.values():
        if len(each.members) < 2 or resource.id not in each.members.values() or not each.services:
            continue
        if not instances.has_quorum(state, each, without=resource.id):
            raise Refused(
                "QuorumLost",
                f"without {resource.name} less than a majority is left of the {len(each.members)} managers of a swarm"
                f" that runs {len(each.services)} services",
                'Docker docs, "Administer and maintain a swarm of Docker Engines"',
            )


def can_pull(state: CloudState, resource: CloudResource) -> None:
    """Every image has a digest, is in its repository, and the task may read it."""
    task = _task(state, resource)
    for image in images(task) if task else ():
        pinned(resource, image)
        in_repository(state, image)
        if task and ".dkr.ecr." in image and not may_pull(state, task.get("executionRoleArn", ""), image):
            raise Refused(
                "CannotPullContainerError",
                f"the execution role of {resource.name} may not pull {image}",
                "amazon-ecs-agent #1128",
            )


def images(task: CloudResource) -> Iterator[str]:
    """The images of a task definition."""
    containers = task.get("containerDefinitions", "[]")
    yield from (each["image"] for each in json.loads(containers) if each.get("image"))


def pinned(resource: CloudResource, image: str) -> None:
    """A tag can be moved, so what runs would change without a deploy."""
    if "@sha256:" not in image:
        raise Refused(
            "ImageWithoutDigest",
            f"{resource.name} runs {image}, which has no digest",
            "Security Hub ECR.2: what runs must not change without a deploy",
        )


def in_repository(state: CloudState, image: str) -> None:
    """A repository of this world has what was pushed to it, or what it fetches itself; all others are believed."""
    url, _, digest = image.partition("@")
    made = [each for type_, path in REPOSITORY_URL.items() for each in state.where(type_, path, url)]
    if not made and ".dkr.ecr." in url and url not in state.existing:
        raise Refused("CannotPullContainerError", f"{url} is not a repository", "amazon-ecs-agent #1128")
    if _cached(state, image):
        state.pushed[url].add(digest)
    if made and digest not in state.pushed[url]:
        raise Refused(
            "CannotPullContainerError",
            f"failed to resolve ref {image}: not found",
            'ECS developer guide, "CannotPullContainer task errors"',
        )


REPOSITORY_URL: Mapping[str, str] = {
    aws.ECR_REPOSITORY: "repositoryUrl",
    aws.ECR_PUBLIC_REPOSITORY: "repositoryUri",
}
"""What holds images, and where it says its `<registry>/<name>`."""


def repository_url(resource: CloudResource) -> str | None:
    """A repository's `<registry>/<name>`; None: it is no repository."""
    return resource.get(REPOSITORY_URL[resource.type]) if resource.type in REPOSITORY_URL else None


def may_pull(state: CloudState, role: str, image: str) -> bool:
    """Whether a role may pull an image from ECR; from a cache only if it may also have that filled."""
    found = state.find(aws.ROLE, role)
    if found is None:
        return role in state.existing
    if _cached(state, image) and not _allows(state, found, "ecr:BatchImportUpstreamImage", "ContainerRegistryPullOnly"):
        return False
    return _allows(state, found, "ecr:BatchGetImage", "ContainerRegistry", "TaskExecution")


def _cached(state: CloudState, image: str) -> bool:
    path = image.partition("/")[2]
    return any(path.startswith(f"{rule.get('ecrRepositoryPrefix')}/") for rule in state.every(aws.ECR_CACHE_RULE))


def _allows(state: CloudState, role: CloudResource, action: str, *managed: str) -> bool:
    inline = state.where(aws.ROLE_POLICY, "role", *role.handles)
    attached = state.where(aws.ROLE_POLICY_ATTACHMENT, "role", *role.handles)
    return any(action in each.get("policy", "") for each in inline) or any(
        name in each.get("policyArn", "") for each in attached for name in managed
    )


def has_images(state: CloudState, resource: CloudResource) -> None:
    """ECR keeps a repository with images unless forced."""
    if state.pushed[repository_url(resource) or ""] and not (
        resource.get("forceDelete") or resource.get("forceDestroy")
    ):
        raise Refused("RepositoryNotEmptyException", f"the repository {resource.id} still contains images", "ECR API")


def has_objects(state: CloudState, resource: CloudResource) -> None:
    """S3 keeps a bucket with objects unless forced."""
    if resource.id in state.written and not resource.get("forceDestroy"):
        raise Refused("BucketNotEmpty", f"the bucket {resource.id} is not empty: access logs are in it", "S3 API")


# --- ways out -----------------------------------------------------------------------------------------------------


def way_out(state: CloudState, resource: CloudResource) -> None:
    """A runtime in a subnet without a way out never starts."""
    if subnet := _stranded(state, resource):
        raise Refused(
            "ResourceInitializationError",
            f"{resource.name} is in {subnet}, which has no way to the registry: no route to a gateway and no endpoints",
            "amazon-ecs-agent #1128; AWS re:Post on ResourceInitializationError",
        )


def cut_off(state: CloudState, resource: CloudResource) -> None:
    """AWS would allow it, and the runtime would then hang for ever in its own deletion."""
    state.remove(resource)
    try:
        for runtime in [each for type_ in SUBNETS for each in state.every(type_)]:
            if _stranded(state, runtime):
                raise Refused(
                    "RuntimeCutOff",
                    f"without {resource.name} ({resource.type}) the living {runtime.name} has no way out,"
                    " and cannot even be deleted in order",
                    "aws-samples/appmod-blueprints #582, awslabs/ai-on-eks #323",
                )
    finally:
        state.add(resource)


SUBNETS: Mapping[str, str] = {
    aws.EKS_CLUSTER: "vpcConfig.subnetIds",
    aws.ECS_SERVICE: "networkConfiguration.subnets",
    aws.AUTO_SCALING_GROUP: "vpcZoneIdentifiers",
    aws.INSTANCE: "subnetId",
}
"""What starts copies or nodes, and where it says in which subnets."""


def _stranded(state: CloudState, runtime: CloudResource) -> str | None:
    """The first subnet of a runtime without a way out."""
    if any(instances.groups(state, runtime)):
        return None  # an instance pulls for its copies, by its own interface
    needed: tuple[str, ...] = NEEDED_ENDPOINTS
    if runtime.type == aws.AUTO_SCALING_GROUP:
        public = instances.public(state, runtime)
        of_ecs = instances.cluster(state, runtime) is not None
        needed = (*needed, *(("ecs", "ecs-agent", "ecs-telemetry") if of_ecs else ("ssm",)))
    elif runtime.type == aws.INSTANCE:
        return _stranded_instance(state, runtime)
    else:
        public = runtime.type == aws.EKS_CLUSTER or bool(runtime.get("networkConfiguration.assignPublicIp"))
    for handle in runtime.all(SUBNETS[runtime.type]):
        subnet = state.find(aws.SUBNET, handle)
        if subnet is not None and not (_routed(state, subnet, public) or _endpoints(state, subnet, needed)):
            return subnet.name
    return None


def _stranded_instance(state: CloudState, instance: CloudResource) -> str | None:
    """The subnet of an instance on an interface of its own, if it has no way out: a public address is one's own too."""
    interface = state.find(aws.NETWORK_INTERFACE, instance.get("primaryNetworkInterface.networkInterfaceId", ""))
    subnet = state.find(aws.SUBNET, interface.get("subnetId")) if interface else None
    if interface is None or subnet is None:
        return None
    public = bool(state.where(aws.EIP, "networkInterface", interface.id))
    needed = (*NEEDED_ENDPOINTS, "ssm", "ssmmessages", "ec2messages")
    return None if _routed(state, subnet, public) or _endpoints(state, subnet, needed) else subnet.name


def _routed(state: CloudState, subnet: CloudResource, public: bool) -> bool:
    associations = state.where(aws.ROUTE_TABLE_ASSOCIATION, "subnetId", subnet.id)
    tables = {each.get("routeTableId") for each in associations}
    if not tables and (vpc := state.find(aws.VPC, subnet.get("vpcId", ""))):
        tables = {vpc.get("mainRouteTableId")}
    routes = state.where(aws.ROUTE, "routeTableId", *tables)
    nat = any(state.find(aws.NAT_GATEWAY, each.get("natGatewayId", "")) for each in routes)
    return nat or (public and any(state.find(aws.INTERNET_GATEWAY, each.get("gatewayId", "")) for each in routes))


NEEDED_ENDPOINTS = ("ecr.api", "ecr.dkr", "s3", "logs")


def _endpoints(state: CloudState, subnet: CloudResource, needed: tuple[str, ...]) -> bool:
    """Whether images can be pulled, and logs written, without a gateway."""
    beside = state.where(aws.VPC_ENDPOINT, "vpcId", subnet.get("vpcId"))
    names = [each.get("serviceName", "") for each in beside]
    return all(any(name.endswith(f".{service}") for name in names) for service in needed)


def cluster_needs_policy(state: CloudState, resource: CloudResource) -> None:
    """An EKS cluster whose role has lost its policies cannot take its own nodes and interfaces away."""
    attached = state.where(aws.ROLE_POLICY_ATTACHMENT, "role", resource.get("role"))
    twins = [each for each in attached if each is not resource and each.get("policyArn") == resource.get("policyArn")]
    role = state.find(aws.ROLE, resource.get("role", ""))
    for cluster in state.every(aws.EKS_CLUSTER):
        roles = {cluster.get("roleArn"), cluster.get("computeConfig.nodeRoleArn")}
        if role and role.get("arn") in roles and not twins:
            policy = resource.get("policyArn", "").rsplit("/", 1)[-1]
            raise Refused(
                "RuntimeCutOff",
                f"the cluster {cluster.id} is alive and needs {policy} while it is deleted",
                "pulumi-eks: the cluster depends on its roles' policies",
            )


def public_access(_: CloudState, resource: CloudResource) -> None:
    """Who may reach a cluster's API over the internet must be able to come from there. A range for documentation stands
    for somebody's own here; EKS itself refuses that too."""
    blocks = [each for each in resource.all("vpcConfig.publicAccessCidrs") if each != ANYWHERE]
    if wrong := [each for each in blocks if not is_public(each) and not is_example(each)]:
        raise Refused(
            "InvalidParameterException",
            f"The following CIDRs are not allowed in publicAccessCidrs: [{', '.join(wrong)}]",
            'EKS user guide, "Configure network access to cluster API server endpoint": no reserved addresses',
        )


def has_entry(state: CloudState, resource: CloudResource) -> None:
    """A policy is given to an access entry of the cluster, not to a role."""
    entries = state.where(aws.ACCESS_ENTRY, "principalArn", resource.get("principalArn"))
    if not any(each.get("clusterName") == resource.get("clusterName") for each in entries):
        raise Refused(
            "ResourceNotFoundException",
            f"{resource.name}: {resource.get('principalArn')} has no access entry in the cluster"
            f" {resource.get('clusterName')}",
            "EKS API, AssociateAccessPolicy",
        )


ANYWHERE = "0.0.0.0/0"
INLINE = 10_240
"""Characters of all inline policies of a role together, without white space; AWS raises it for nobody."""


def policies_fit(state: CloudState, resource: CloudResource) -> None:
    """A role has room for so much."""
    all_ = [
        resource,
        *(each for each in state.where(aws.ROLE_POLICY, "role", resource.get("role")) if not _same(each, resource)),
    ]
    if sum(len("".join(each.get("policy", "").split())) for each in all_) > INLINE:
        raise Refused(
            "LimitExceeded",
            f"Maximum policy size of {INLINE} bytes exceeded for role {resource.get('role')}",
            'IAM user guide, "IAM and AWS STS quotas"; IAM API, PutRolePolicy',
        )


def _same(one: CloudResource, other: CloudResource) -> bool:
    return (one.urn, one.id) == (other.urn, other.id)


CACHE_SECRET = "ecr-pullthroughcache/"
NEED_LOGIN = ("ghcr.io", "registry-1.docker.io", "registry.gitlab.com", "cgr.dev")
"""Registries that ECR caches only with a login."""


def cache_rule(state: CloudState, resource: CloudResource) -> None:
    """A pull-through cache needs a login for most registries, under a name that ECR prescribes, and a short prefix."""
    upstream, arn = resource.get("upstreamRegistryUrl"), resource.get("credentialArn")
    if not 2 <= len(resource.get("ecrRepositoryPrefix", "")) <= 30:
        raise Refused(
            "InvalidParameterException",
            f"{resource.name}: the prefix {resource.get('ecrRepositoryPrefix')} must have 2 to 30 characters",
            "ECR API, CreatePullThroughCacheRule",
        )
    if upstream in NEED_LOGIN and not arn:
        raise Refused(
            "InvalidParameterException",
            f"{resource.name}: {upstream} needs a login in Secrets Manager",
            'ECR user guide, "Sync an upstream registry": requires authentication',
        )
    if arn and f":secret:{CACHE_SECRET}" not in arn:
        raise Refused(
            "ValidationException",
            f"{resource.name}: the name of the secret {arn} must begin with {CACHE_SECRET}",
            "ECR API, CreatePullThroughCacheRule, pattern of credentialArn",
        )
    secret = state.find(aws.SECRET, arn) if arn else None
    if secret and not state.where(aws.SECRET_VERSION, "secretId", *secret.handles):
        raise Refused(
            "UnableToAccessSecretException",
            f"{resource.name}: nothing is in the secret {secret.name} yet",
            "ECR API, CreatePullThroughCacheRule",
        )


def public_region(_: CloudState, resource: CloudResource) -> None:
    """ECR Public exists in one region."""
    if resource.get("region") != "us-east-1":
        raise Refused(
            "UnsupportedCommandException",
            f"{resource.name}: public repositories can only be made in us-east-1",
            "pulumi-aws, ecrpublic.Repository",
        )


ON_CREATE: Mapping[str, tuple[Check, ...]] = {
    aws.INSTANCE: (way_out,),
    aws.TARGET_GROUP_ATTACHMENT: (joins_as_what_it_is,),
    aws.AUTO_SCALING_ATTACHMENT: (joins_as_what_it_is,),
    aws.LOAD_BALANCER: (zones,),
    aws.LISTENER: (forwards,),
    aws.LISTENER_RULE: (forwards,),
    aws.ECS_SERVICE: (hangs_on_a_balancer, capacity, instances_fit, way_out, can_pull),
    aws.ECS_PROVIDERS: (capacity_exists, capacity_leaves),
    aws.CAPACITY_PROVIDER: (capacity_provider,),
    aws.AUTO_SCALING_GROUP: (way_out, instances_start),
    aws.EKS_CLUSTER: (way_out, public_access),
    aws.ACCESS_POLICY: (has_entry,),
    aws.ECR_PUBLIC_REPOSITORY: (public_region,),
    aws.ECR_CACHE_RULE: (cache_rule,),
    aws.ROLE_POLICY: (policies_fit,),
}
"""Also on update: the resource as it would be."""

ON_DELETE: Mapping[str, tuple[Check, ...]] = {
    aws.INSTANCE: (keeps_quorum,),
    aws.LOAD_BALANCER: (protected,),
    aws.EKS_CLUSTER: (protected,),
    aws.BUCKET: (has_objects,),
    aws.ECR_REPOSITORY: (has_images,),
    aws.ECR_PUBLIC_REPOSITORY: (has_images,),
    aws.ECS_PROVIDERS: (capacity_in_use,),
    aws.CAPACITY_PROVIDER: (capacity_associated,),
    aws.AUTO_SCALING_GROUP: (instances_in_use,),
    aws.ECS_CLUSTER: (instances_joined,),
    aws.ROUTE: (cut_off,),
    aws.ROUTE_TABLE_ASSOCIATION: (cut_off,),
    aws.NAT_GATEWAY: (cut_off,),
    aws.INTERNET_GATEWAY: (cut_off,),
    aws.VPC_ENDPOINT: (cut_off,),
    aws.ROLE_POLICY_ATTACHMENT: (cluster_needs_policy,),
}


def creating(state: CloudState, resource: CloudResource) -> None:
    """Raise `Refused` if AWS would not make `resource`, or change it into what it is here."""
    for check in (references, collisions, *ON_CREATE.get(resource.type, ())):
        check(state, resource)


def deleting(state: CloudState, resource: CloudResource) -> None:
    """Raise `Refused` if AWS would not delete `resource` now."""
    for check in (*ON_DELETE.get(resource.type, ()), held):
        check(state, resource)
