"""What Switchyard promises of its own, as far as one stack's resources show it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from policy.control import Control, Graph, Resource, is_list
from policy.ecs import TASK
from policy.instances import ATTACHMENT, FLEET, INSTANCE
from policy.load_balancing import BALANCER, CERTIFICATE, GROUP, LISTENER
from policy.network import ENDPOINT, INGRESS, from_anywhere, web_alone
from policy.pods import PODS

RULE = "aws:lb/listenerRule:ListenerRule"
SERVICE = "aws:ecs/service:Service"
BINDING = "kubernetes:eks.amazonaws.com/v1:TargetGroupBinding"
JOINING = (SERVICE, BINDING, "aws:lb/targetGroupAttachment:TargetGroupAttachment", ATTACHMENT)
SWARM = "pulumi-python:dynamic/swarm:Service"
PROVIDER = "pulumi:providers:kubernetes"
CLUSTER = "eks:index:Cluster"
WAYS_OUT = (
    "aws:ec2/route:Route",
    "aws:ec2/routeTableAssociation:RouteTableAssociation",
    "aws:ec2/natGateway:NatGateway",
    ENDPOINT,
)
OBJECTS = tuple(
    f"kubernetes:{each}"
    for each in (
        "core/v1:Namespace",
        "core/v1:Secret",
        "core/v1:Service",
        "core/v1:ServiceAccount",
        "core/v1:ConfigMap",
        "networking.k8s.io/v1:NetworkPolicy",
        "policy/v1:PodDisruptionBudget",
        "autoscaling/v2:HorizontalPodAutoscaler",
    )
)
LONGEST = {GROUP[0]: 32, BALANCER[0]: 32, "aws:iam/role:Role": 64, SERVICE: 255, "kubernetes:core/v1:Service": 63}
"""Type -> the characters that a name may have."""
ON_AN_INSTANCE = "switchyard:edge:ProxyEc2"
"""The edge that was chosen to stand on an orchestrator's instance, and goes with it."""
PINNED = re.compile(r"\S+@sha256:[0-9a-f]{64}")


def _shares(rule: Resource) -> list[Any]:
    return rule.every("actions.forward.targetGroups.weight")


def _comes_after_its_rule(joining: Resource, graph: Graph) -> bool:
    ahead = graph.ahead(joining)
    return all(any(rule.urn in ahead for rule in graph.users(each, RULE)) for each in graph.used(joining, GROUP[0]))


def _part(resource: Resource | None, kind: str) -> str:
    """The component of a kind (edge, orchestrator) that a resource belongs to."""
    types = resource.urn.split("::")[2].split("$") if resource else []
    return next((each for each in types if f":{kind}:" in each), "")


def _knows_no_orchestrator(at_edge: Resource, graph: Graph) -> bool:
    ahead = graph.ahead(at_edge) if _part(at_edge, "edge") not in ("", ON_AN_INSTANCE) else ()
    return not any(_part(graph.find(urn), "orchestrator") for urn in ahead)


def _depending(it: Resource, graph: Graph) -> Iterable[Resource]:
    theirs = frozenset(each.urn for each in graph if _part(each, "orchestrator"))
    return [replace(each, dependencies=theirs) if each is it else each for each in graph]


def _owners(group: Resource, graph: Graph) -> set[str]:
    users = (each for type_ in JOINING for each in graph.users(group, type_))
    return {_part(each, "orchestrator") for each in users} - {""}


def _shared(it: Resource, graph: Graph) -> Iterable[Resource]:
    """The group is another orchestrator's as well."""
    urn = "urn:pulumi:dev::shop::acme:orchestrator:Other$aws:ecs/service:Service::other"
    return [*graph, Resource(urn, SERVICE, {}, frozenset({it.urn}))]


def _has_cluster(it: Resource, graph: Graph) -> bool:
    provider = graph.find(it.provider)
    return bool(provider and provider.get("clusterIdentifier"))


def images(value: Any) -> Iterator[str]:
    """All images in a resource's inputs, also in JSON inside of text."""
    if isinstance(value, str) and value.startswith(("{", "[")):
        try:
            value = json.loads(value)
        except ValueError:
            return
    if isinstance(value, Mapping):
        for key, each in value.items():
            if key.lower() == "image" and isinstance(each, str):
                yield each
            else:
                yield from images(each)
    elif is_list(value):
        for each in value:
            yield from images(each)


def _waits_for_ways_out(running: Resource, graph: Graph) -> bool:
    return {each.urn for each in graph.of(*WAYS_OUT)} <= graph.ahead(running)


def _names_fit(it: Resource, _: Graph) -> bool:
    return all(len(each) <= LONGEST[it.type] for path in ("name", "metadata.name") for each in it.every(path))


ROWS = (
    Control(
        "P1",
        (RULE,),
        "Where requests are shared, somebody gets them",
        lambda it, _: not _shares(it) or sum(_shares(it)) > 0,
        {"actions": [{"forward": {"targetGroups": [{"arn": "group", "weight": 0}]}}]},
    ),
    Control(
        "P3",
        JOINING,
        "Replicas join a target group once a rule names it",
        _comes_after_its_rule,
        RULE,
        wired=True,
    ),
    Control(
        "P4",
        (*BALANCER, *LISTENER, *GROUP, *CERTIFICATE, *INGRESS),
        "The edge outlives every orchestrator: nothing of it waits for one, but the shares of traffic. `proxy-ec2` is"
        " one that does not",
        _knows_no_orchestrator,
        _depending,
        wired=True,
    ),
    Control(
        "P5",
        INGRESS,
        "The internet comes in at the edge alone",
        lambda it, _: not from_anywhere(it) or (bool(_part(it, "edge")) and web_alone(it)),
        {"cidrIpv4": "0.0.0.0/0", "fromPort": 8080, "toPort": 8080},
    ),
    Control(
        "P6",
        GROUP,
        "No two orchestrators share a target group",
        lambda it, graph: len(_owners(it, graph)) <= 1,
        _shared,
        wired=True,
    ),
    Control(
        "P7",
        (*PODS, *OBJECTS, BINDING),
        "Objects of Kubernetes are in a cluster that is named",
        _has_cluster,
        PROVIDER,
        wired=True,
    ),
    Control(
        "P9",
        (*TASK, *PODS, SWARM),
        "What runs is an image by its digest",
        lambda it, _: all(PINNED.fullmatch(each) for each in images(it.inputs)),
        {"containerDefinitions": json.dumps([{"name": "api", "image": "nginx:latest"}])},
    ),
    Control(
        "P10",
        (SERVICE, *FLEET, *INSTANCE, CLUSTER, "kubernetes:apps/v1:Deployment", *BALANCER),
        "What runs goes before its ways out",
        _waits_for_ways_out,
        lambda it, graph: [replace(each, dependencies=frozenset(), parent="", provider="") for each in graph],
        wired=True,
    ),
    Control(
        "P12",
        tuple(LONGEST),
        "Names are no longer than they may be",
        _names_fit,
        {"name": "x" * 256},
    ),
)
