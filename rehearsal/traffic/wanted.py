"""What should run and who should get requests, by the cloud's state alone: nothing is started or asked here."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rehearsal.aws import health, types
from rehearsal.state import CloudResource, CloudState, published

ORCHESTRATOR, SERVICE = "SWITCHYARD_ORCHESTRATOR", "SWITCHYARD_SERVICE"
"""What every replica finds in its environment; see `Service.environment`."""
STOP_TIMEOUT = 30.0
"""Seconds from SIGTERM to SIGKILL where nothing is said: `stopTimeout` of ECS (task definition parameters),
terminationGracePeriodSeconds of Kubernetes (pod lifecycle)."""
SWARM_GRACE = 10.0
"""The same of Swarm (Docker Engine API, ContainerSpec.StopGracePeriod)."""
IDLE = 60.0
"""Seconds for which a load balancer keeps an idle connection, to callers and to targets, where nothing is said (ELB
user guide, "Connection idle timeout")."""
NANO = 1e9


@dataclass(frozen=True)
class Container:
    """What a replica is made of."""

    image: str
    command: tuple[str, ...]
    """In place of the image's own; empty: that."""
    env: tuple[tuple[str, str], ...]
    port: int

    def variable(self, name: str) -> str:
        """From its environment; empty where it is not there."""
        return dict(self.env).get(name, "")


@dataclass(frozen=True)
class Workload:
    """The replicas of a service on one orchestrator."""

    container: Container
    drain: float
    """Seconds from the moment a replica gets no more requests to its SIGTERM."""
    grace: float
    """Seconds from there to its SIGKILL."""
    patience: float
    """Seconds that a replica may take to answer its health path before it is taken for one that never will."""

    @property
    def service(self) -> str:
        return self.container.variable(SERVICE)

    @property
    def orchestrator(self) -> str:
        return self.container.variable(ORCHESTRATOR)


@dataclass(frozen=True)
class Check:
    """How a target group asks its targets."""

    path: str
    codes: str
    """HTTP codes that are healthy, such as `200-299,302`."""
    interval: float
    timeout: float
    healthy: int
    """Answers in a row that make a target healthy."""
    unhealthy: int
    """Failures in a row that make it unhealthy."""

    def good(self, code: int) -> bool:
        """Whether a target that answers so is well."""
        ranges = [part.partition("-") for part in self.codes.split(",")]
        return any(int(first) <= code <= int(last or first) for first, _, last in ranges)


@dataclass(frozen=True)
class Group:
    """A target group."""

    name: str
    check: Check
    members: tuple[str, ...]
    """The workloads whose replicas are its targets."""


@dataclass(frozen=True)
class Rule:
    """Of which requests each group gets how much."""

    name: str
    order: int
    """The least is asked first."""
    paths: tuple[str, ...]
    hosts: tuple[str, ...]
    headers: tuple[tuple[str, tuple[str, ...]], ...]
    weights: tuple[tuple[str, int], ...]
    """Group (its ARN) -> weight, without those that get nothing."""


@dataclass(frozen=True)
class Wanted:
    """All of it. Workloads are known by the URN of their resource or the id in their swarm, groups by their ARN."""

    workloads: Mapping[str, Workload]
    counts: Mapping[str, int]
    """Workload -> replicas of it."""
    groups: Mapping[str, Group]
    rules: tuple[Rule, ...]
    idle: float = IDLE
    """Seconds for which the load balancer keeps an idle connection."""


def wanted(state: CloudState) -> Wanted:
    """What the state asks for. Replicas that no load balancer knows carry nobody's requests, so they are left out."""
    registered = {group.id: [*health.registered(state, group)] for group in state.every(types.TARGET_GROUP)}
    counts: dict[str, int] = {}
    groups = {}
    for group in state.every(types.TARGET_GROUP):
        owners = [each.owner for each in registered[group.id] if each.owner and each.since != health.NEVER]
        groups[group.id] = Group(group.name, _check(group), tuple(dict.fromkeys(owners)))
        counts |= {owner: owners.count(owner) for owner in owners}
    workloads = dict(_workloads(state))
    for key, replicas in _of_swarms(state).items():
        if key in counts:  # its targets are nodes, each of which leads to every replica
            counts[key] = replicas
    balancers = state.every(types.LOAD_BALANCER)
    idle = min((float(each.get("idleTimeout", IDLE)) for each in balancers), default=IDLE)
    return Wanted(workloads, {key: counts[key] for key in counts if key in workloads}, groups, _rules(state), idle)


# --- what runs


def _workloads(state: CloudState) -> Iterator[tuple[str, Workload]]:
    for service in state.every(types.ECS_SERVICE):
        if service.ready and (found := _of_ecs(state, service)):
            yield service.urn, found
    for deployment in state.every(health.DEPLOYMENT):
        if deployment.ready:
            yield deployment.urn, _of_kubernetes(deployment)
    for swarm in state.swarms.values():
        for key, service in swarm.services.items():
            yield key, _of_swarm(service["Spec"])


def _of_ecs(state: CloudState, service: CloudResource) -> Workload | None:
    """A task that stops is deregistered first, and gets its SIGTERM when the delay for that is over (ECS developer
    guide, "Amazon ECS task lifecycle": DEACTIVATING, then STOPPING)."""
    task = state.find(types.TASK_DEFINITION, service.get("taskDefinition", ""))
    defined = json.loads(task.get("containerDefinitions", "[]")) if task else []
    port = service.get("loadBalancers.containerPort", 0)
    for each in defined:
        if each["name"] == service.get("loadBalancers.containerName"):
            env = tuple((one["name"], str(one["value"])) for one in each.get("environment", []))
            container = Container(each["image"], tuple(each.get("command") or ()), env, int(port))
            groups = [state.find(types.TARGET_GROUP, arn) for arn in service.all("loadBalancers.targetGroupArn")]
            drain = max((float(group.get("deregistrationDelay", 300)) for group in groups if group), default=0.0)
            grace = float(each.get("stopTimeout") or STOP_TIMEOUT)
            check = _check(groups[0]) if groups and groups[0] else None
            waits = check.interval * check.unhealthy if check else 0.0
            return Workload(container, drain, grace, float(service.get("healthCheckGracePeriodSeconds") or 0) + waits)
    return None


def _of_kubernetes(deployment: CloudResource) -> Workload:
    """A pod leaves its EndpointSlices, and with them the target group, as its preStop hook begins; SIGTERM is sent when
    that has ended, and the grace period counts from the beginning (Kubernetes, "Pod Lifecycle")."""
    spec = "spec.template.spec"
    first = deployment.all(f"{spec}.containers")[0]
    env = tuple((one["name"], str(one["value"])) for one in first.get("env") or [] if "value" in one)
    ports = [each["containerPort"] for each in first.get("ports") or []]
    container = Container(first["image"], tuple(first.get("args") or ()), env, int(ports[0]) if ports else 0)
    drain = float(deployment.get(f"{spec}.containers.lifecycle.preStop.sleep.seconds", 0))
    whole = float(deployment.get(f"{spec}.terminationGracePeriodSeconds", STOP_TIMEOUT))
    # The rollout fails when no pod has become available for so long (Kubernetes, "Deployments").
    return Workload(
        container, drain, max(whole - drain, 0.0), float(deployment.get("spec.progressDeadlineSeconds", 600))
    )


def _of_swarm(spec: Any) -> Workload:
    """A task that is shut down leaves the routing mesh and gets its SIGTERM at once (moby, daemon/cluster/executor,
    `Shutdown`: the service binding is deactivated, then the container is stopped)."""
    of = spec["TaskTemplate"]["ContainerSpec"]
    env = tuple((name, value) for name, _, value in (each.partition("=") for each in of.get("Env") or []))
    ports = [int(each["TargetPort"]) for each in spec.get("EndpointSpec", {}).get("Ports", [])]
    container = Container(of["Image"], tuple(of.get("Args") or ()), env, ports[0] if ports else 0)
    grace = of.get("StopGracePeriod", SWARM_GRACE * NANO) / NANO
    return Workload(container, 0.0, float(grace), 300.0)


def _of_swarms(state: CloudState) -> dict[str, int]:
    """Service of a swarm -> its replicas, where it has a port."""
    return {
        key: int(service["Spec"]["Mode"]["Replicated"]["Replicas"])
        for swarm in state.swarms.values()
        for key, service in swarm.services.items()
        if published(service["Spec"])
    }


# --- who gets requests


def _check(group: CloudResource) -> Check:
    """With the defaults of the ELBv2 API (CreateTargetGroup) for targets that speak HTTP."""

    def of(key: str, default: Any) -> Any:
        return group.get(f"healthCheck.{key}", default)

    return Check(
        path=str(of("path", "/")),
        codes=str(of("matcher", "200")),
        interval=float(of("interval", 30)),
        timeout=float(of("timeout", 5)),
        healthy=int(of("healthyThreshold", 5)),
        unhealthy=int(of("unhealthyThreshold", 2)),
    )


def _rules(state: CloudState) -> tuple[Rule, ...]:
    rules = [each for each in state.every(types.LISTENER_RULE) if each.ready]
    found = (Rule(each.name, int(each.get("priority", 0)), *_asked(each), _weights(each)) for each in rules)
    return tuple(sorted((each for each in found if each.weights), key=lambda each: each.order))


def _asked(rule: CloudResource) -> tuple[tuple[str, ...], tuple[str, ...], tuple[tuple[str, tuple[str, ...]], ...]]:
    """The paths, hosts and headers that a request must have. Other conditions are in no program of ours."""
    headers = [(each["httpHeaderName"], tuple(each["values"])) for each in rule.all("conditions.httpHeader")]
    paths, hosts = (tuple(rule.all(f"conditions.{kind}.values")) for kind in ("pathPattern", "hostHeader"))
    return paths, hosts, tuple(headers)


def _weights(rule: CloudResource) -> tuple[tuple[str, int], ...]:
    if alone := rule.get("actions.targetGroupArn"):
        return ((alone, 1),)
    weighted = [each for forward in rule.all("actions.forward") for each in forward.get("targetGroups", [])]
    return tuple((each["arn"], int(each.get("weight", 1))) for each in weighted if each.get("weight", 1) > 0)
