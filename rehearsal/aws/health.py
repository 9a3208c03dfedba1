"""Who is registered in a target group, and in what state: from what runs, as the load balancer would see it."""

import math
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from rehearsal.aws import types
from rehearsal.aws.loadbalancing import balancers
from rehearsal.aws.network import lets_in
from rehearsal.state import CloudResource, CloudState

BINDINGS = ("kubernetes:eks.amazonaws.com/v1:TargetGroupBinding", "kubernetes:elbv2.k8s.aws/v1beta1:TargetGroupBinding")
"""EKS Auto Mode's own, and that of the AWS Load Balancer Controller."""
SERVICE = "kubernetes:core/v1:Service"
POLICY = "kubernetes:networking.k8s.io/v1:NetworkPolicy"
DEPLOYMENT = "kubernetes:apps/v1:Deployment"
SCALER = "kubernetes:autoscaling/v2:HorizontalPodAutoscaler"
FIRST_CHECKS = 20.0
"""Seconds until a new target is healthy: two checks, ten seconds apart."""
NEVER = math.inf
"""When the first checks are over of a target on which nothing answers, or which nothing may reach."""


State = Literal["initial", "healthy", "unhealthy", "unused"]
Told = tuple[State, str, str]
"""A target's state, the reason code of the ELBv2 API, and why."""
TOLD: dict[State, Told] = {
    "healthy": ("healthy", "", ""),
    "initial": ("initial", "Elb.InitialHealthChecking", "Initial health checks in progress"),
    "unhealthy": ("unhealthy", "Target.FailedHealthChecks", "Health checks failed"),
    "unused": (
        "unused",
        "Target.NotInUse",
        "Target group is not configured to receive traffic from the load balancer",
    ),
}
Asked = Callable[[str, str, int], State | None]
"""What checks of replicas that really run have found, for a group's ARN, an owner and which of its targets it is; None:
nothing runs for it."""


@dataclass(frozen=True)
class Target:
    """One registered replica, or a node."""

    address: str
    """A replica's IP address; of a node the instance's id."""
    port: int
    state: State
    reason: str = ""
    """The reason code of the ELBv2 API; empty for a healthy one."""
    why: str = ""


def nobody(_group: str, _owner: str, _nth: int) -> None:
    """Nothing really runs."""


def targets(state: CloudState, group: CloudResource, now: float, asked: Asked = nobody) -> list[Target]:
    """All targets of a group, at a time in rehearsal seconds."""
    nth: Counter[str] = Counter()
    found = []
    for index, each in enumerate(registered(state, group)):
        told = _state(state, group, each.since, now)
        real = asked(group.id, each.owner, nth[each.owner]) if told[0] in ("initial", "healthy") else None
        found.append(Target(address(group, index), each.port, *(TOLD[real] if real else told)))
        nth[each.owner] += 1
    return found


def address(group: CloudResource, index: int) -> str:
    """Of a group's target, by its place among them."""
    if group.get("targetType") == "instance":
        return f"i-{index:017x}"
    return f"10.0.{index // 250}.{1 + index % 250}"


def healthy(state: CloudState, group: CloudResource, now: float, asked: Asked = nobody) -> int:
    """How many targets of a group would get requests."""
    return sum(each.state == "healthy" for each in targets(state, group, now, asked))


def unserved(state: CloudState, now: float, asked: Asked = nobody) -> list[str]:
    """Names of the rules by which callers get no answer: they give weight to a group without a healthy target.

    Rules that ask for a header are not for callers at large. A load balancer does not fail over between groups.
    """
    return [
        rule.name
        for rule in state.every(types.LISTENER_RULE)
        if rule.ready
        and not rule.get("conditions.httpHeader")
        and any(
            weighted.get("weight", 1) > 0 and not (group and healthy(state, group, now, asked))
            for weighted in _weighted(rule)
            for group in [state.find(types.TARGET_GROUP, weighted["arn"])]
        )
    ]


def _weighted(rule: CloudResource) -> list[dict[str, Any]]:
    return [group for groups in rule.all("actions.forward") for group in groups.get("targetGroups", [])]


def _state(state: CloudState, group: CloudResource, since: float, now: float) -> Told:
    if not balancers(state, group):
        return TOLD["unused"]
    if group.name in state.unhealthy_groups:
        return "unhealthy", "Target.ResponseCodeMismatch", "Health checks failed with these codes: [500]"
    if since == NEVER:
        return TOLD["unhealthy"]
    return TOLD["initial" if now < since else "healthy"]


class Registered(NamedTuple):
    """What is registered in a group."""

    port: int
    since: float
    """When its first checks are over."""
    owner: str
    """What runs it: the URN of its service or Deployment, or a service's id in a swarm; empty where nothing does."""


def registered(state: CloudState, group: CloudResource) -> Iterator[Registered]:
    """Every target of a group: replicas by their address and port, or nodes."""
    for type_, its in state.registers.items():
        for service in state.where(type_, its.group, group.id):
            if service.ready:
                port = service.get(its.port, group.get("port"))
                reached = lets_in(state, service.all(its.security_groups), port)
                target = Registered(port, service.made if reached else NEVER, service.urn)
                yield from [target] * service.get(its.replicas, 1)
    for kind in BINDINGS:
        for binding in state.where(kind, "spec.targetGroupARN", group.id):
            if binding.ready:
                yield from _bound(state, binding, group)
    yield from _nodes(state, group)


def _nodes(state: CloudState, group: CloudResource) -> Iterator[Registered]:
    """For each node of a swarm in the group: by the routing mesh all answer for a service that runs somewhere."""
    for attached in state.where(types.TARGET_GROUP_ATTACHMENT, "targetGroupArn", group.id):
        instance = state.find(types.INSTANCE, attached.get("targetId"))
        if attached.ready and instance:
            port = attached.get("port", group.get("port"))
            yield _node(state, port, attached)
    for attached in state.where(types.AUTO_SCALING_ATTACHMENT, "lbTargetGroupArn", group.id):
        workers = state.find(types.AUTO_SCALING_GROUP, attached.get("autoscalingGroupName"))
        if attached.ready and workers:
            port = group.get("port")  # the group's own: an attachment can say no other
            yield from [_node(state, port, attached)] * workers.get("minSize")


def _node(state: CloudState, port: int, attached: CloudResource) -> Registered:
    """A node answers on a port that some service of its swarm publishes."""
    owner = next((found for swarm in state.swarms.values() if (found := swarm.publisher(port))), "")
    return Registered(port, attached.made + FIRST_CHECKS if owner else NEVER, owner)


def _bound(state: CloudState, binding: CloudResource, group: CloudResource) -> Iterator[Registered]:
    """The ready pods behind the Service that a binding names."""

    def near(type_: str, path: str, value: str) -> list[CloudResource]:
        spot = (binding.cluster, binding.get("metadata.namespace"))
        found = state.where(type_, path, value)
        return [each for each in found if each.ready and (each.cluster, each.get("metadata.namespace")) == spot]

    nodes = [
        each.get("vpcConfig.clusterSecurityGroupId")
        for each in state.where(types.EKS_CLUSTER, "endpoint", binding.cluster)
    ]
    for service in near(SERVICE, "metadata.name", binding.get("spec.serviceRef.name")):
        selector = (service.get("spec.selector") or {}).items()
        for deployment in near(DEPLOYMENT, "metadata.namespace", binding.get("metadata.namespace")):
            labels = deployment.get("spec.template.metadata.labels") or {}
            if selector <= labels.items():
                port = deployment.get("spec.template.spec.containers.ports.containerPort", group.get("port"))
                policies = near(POLICY, "metadata.namespace", binding.get("metadata.namespace"))
                reached = lets_in(state, nodes, port) and _allowed(policies, labels, port)
                scalers = near(SCALER, "spec.scaleTargetRef.name", deployment.get("metadata.name"))
                target = Registered(port, binding.made + FIRST_CHECKS if reached else NEVER, deployment.urn)
                yield from [target] * replicas(deployment, scalers)


def _allowed(policies: list[CloudResource], labels: dict[str, str], port: int) -> bool:
    """Whether a pod's NetworkPolicies let anyone in on a port. By name it is each pod's own."""
    theirs = [each for each in policies if (each.get("spec.podSelector.matchLabels") or {}).items() <= labels.items()]
    rules = [rule for policy in theirs for rule in policy.all("spec.ingress")]
    open_ = [each.get("port", port) for rule in rules for each in rule.get("ports") or [{}]]
    return not theirs or any(isinstance(each, str) or each == port for each in open_)


def replicas(deployment: CloudResource, scalers: list[CloudResource]) -> int:
    """Replicas of a Deployment: what it says, else its autoscaler's least, else one."""
    least = max((each.get("spec.minReplicas", 1) for each in scalers), default=1)
    return int(deployment.get("spec.replicas") or least)
