"""The invariants of DESIGN.md, P1-P12, on the graph of every pair and preset, and of moves between orchestrators.

A graph shows wiring; that the engine keeps to it is for tests/engine.
"""

import json
import re
from collections.abc import Iterator
from graphlib import TopologicalSorter
from itertools import pairwise
from typing import Any

import pytest

from components.aws.network import CIDR
from components.orchestrator import ORCHESTRATORS, load
from components.registry import REGISTRIES
from components.testing.engine import Graph, Node
from config.presets import PRESETS
from config.problems import BadConfig
from policy import violations
from tests.conformance.judged import resources
from tests.conformance.pairs import EVERY, MOVES, ON_AWS, PAIRS, REFUSED, SECRETS, again, graph
from tests.program import DIGEST, config_for, run_program


def traffic(found: Graph) -> dict[str, dict[str, int]]:
    """Service -> group -> weight."""
    return {
        each.name: {
            group["arn"]: group["weight"]
            for action in each.inputs["actions"]
            for group in action["forward"]["targetGroups"]
        }
        for each in found.of("lb/listenerRule:ListenerRule")
        if any("forward" in action for action in each.inputs["actions"])
    }


def edge(found: Graph) -> list[Node]:
    return [each for each in found.under("switchyard:edge:Edge") if each.type != "switchyard:edge:Edge"]


def orchestrated(found: Graph) -> list[Node]:
    return [each for key in ORCHESTRATORS for each in found.under(load(key).token)]


def groups(found: Graph) -> dict[str, Node]:
    """ARN -> target group."""
    return {
        f"arn:aws:lb:us-east-1:123456789012:targetgroup/{each.name}-0a1b2c3": each
        for each in found.of("lb/targetGroup:TargetGroup")
    }


def test_every_pair_is_run_or_refused() -> None:
    assert len(PAIRS) + len(REFUSED) == len(REGISTRIES) * len(ORCHESTRATORS)


@pytest.mark.parametrize(("pair", "reason"), REFUSED.items())
@pytest.mark.parametrize("preset", PRESETS)
def test_a_pair_that_cannot_work_is_refused_by_name(pair: tuple[str, str], reason: str, preset: str) -> None:
    with pytest.raises(BadConfig, match=reason):
        run_program(config_for(*pair, preset))


@pytest.mark.parametrize(("registry", "orchestrator", "preset"), EVERY)
class TestEveryPair:
    def test_p1_one_orchestrator_has_all_the_weight(self, registry: str, orchestrator: str, preset: str) -> None:
        found = graph(registry, orchestrator, preset)
        assert set(traffic(found)) == ({"api", "web"} if orchestrator in ON_AWS else set())
        assert all(list(weights.values()) == [100] for weights in traffic(found).values())

    def test_p3_what_joins_a_group_waits_for_a_rule_that_names_it(
        self, registry: str, orchestrator: str, preset: str
    ) -> None:
        _check_p3(graph(registry, orchestrator, preset))

    def test_p4_the_edge_knows_no_orchestrator_but_for_weights(
        self, registry: str, orchestrator: str, preset: str
    ) -> None:
        found = graph(registry, orchestrator, preset)
        theirs = {each.urn for each in orchestrated(found)}
        weighing = {each.urn for each in edge(found) if each.name in traffic(found)}
        for each in edge(found):
            assert each.urn in weighing or not found.waits_for(each) & theirs

    def test_p5_nobody_gets_in_but_by_the_load_balancer(self, registry: str, orchestrator: str, preset: str) -> None:
        found = graph(registry, orchestrator, preset)
        for each in found.of("vpc/securityGroupIngressRule:SecurityGroupIngressRule"):
            _check_ingress(found, each)
        inline = [each for each in found.of("ec2/securityGroup:SecurityGroup") if each.inputs.get("ingress")]
        assert not inline

    def test_p7_kubernetes_objects_have_a_provider_of_ours(self, registry: str, orchestrator: str, preset: str) -> None:
        _check_p7(graph(registry, orchestrator, preset))

    def test_p8_no_secret_is_in_plain_text(self, registry: str, orchestrator: str, preset: str) -> None:
        found = graph(registry, orchestrator, preset)
        clear = json.dumps([each.clear for each in found])
        assert SECRETS[0] in json.dumps([each.inputs for each in found])
        assert not [secret for secret in SECRETS if secret in clear]
        assert not [secret for secret in SECRETS if secret in json.dumps(list(found.outputs.values()))]

    def test_p9_every_running_image_has_a_digest(self, registry: str, orchestrator: str, preset: str) -> None:
        found = graph(registry, orchestrator, preset)
        images = [image for each in orchestrated(found) for image in _images(each.inputs)]
        assert len(images) == 3
        assert all(image.endswith(f"@{DIGEST}") for image in images)

    def test_p10_routes_and_nat_go_last(self, registry: str, orchestrator: str, preset: str) -> None:
        _check_p10(graph(registry, orchestrator, preset))

    def test_no_control_is_broken(self, registry: str, orchestrator: str, preset: str) -> None:
        found = violations(resources(graph(registry, orchestrator, preset)), preset)
        assert [str(each) for each in found] == []


@pytest.mark.parametrize(("registry", "old", "new"), MOVES)
class TestEveryMove:
    def test_p1_both_share_the_traffic(self, registry: str, old: str, new: str) -> None:
        for service, weights in traffic(graph(registry, old, newcomer=new)).items():
            assert {arn.rpartition("/")[2]: weight for arn, weight in weights.items()} == {
                f"{service}-{old}-0a1b2c3": 90,
                f"{service}-{new}-0a1b2c3": 10,
            }

    def test_p2_what_has_weight_stays(self, registry: str, old: str, new: str) -> None:
        """From each step to the next, an orchestrator that keeps weight keeps all that it is made of. One that loses it
        loses it first: the rule stays, and waits for the gate and for all replicas that it sends to from now on. (That
        the engine deletes last of all is asserted in tests/engine.)"""
        steps = [graph(registry, old), graph(registry, old, newcomer=new), graph(registry, new), graph(registry, old)]
        for before, after in pairwise(steps):
            gone = before.nodes.keys() - after.nodes.keys()
            for key in _weighed(before) & _weighed(after):
                assert _own(before, key) == _own(after, key)
                assert not gone & {urn for own in _own(before, key) for urn in before.waits_for(before.nodes[own])}
            for rule in [after.one("lb/listenerRule:ListenerRule", service) for service in traffic(after)]:
                assert rule.urn in before.nodes
                assert {"before_create", "before_update"} <= rule.hooks.keys()
                for key in _weighed(after):
                    assert _replicas(after, key, rule.name)
                    assert _replicas(after, key, rule.name) <= after.waits_for(rule)

    def test_p3_what_joins_a_group_waits_for_a_rule_that_names_it(self, registry: str, old: str, new: str) -> None:
        _check_p3(graph(registry, old, newcomer=new))

    def test_p6_no_group_is_shared(self, registry: str, old: str, new: str) -> None:
        found = graph(registry, old, newcomer=new)
        users: dict[str, set[str]] = {}
        for arn in groups(found):
            for key in (old, new):
                if any(arn in json.dumps(each.inputs) for each in found.under(load(key).token)):
                    users.setdefault(arn, set()).add(key)
        assert sorted(len(each) for each in users.values()) == [1, 1, 1, 1]

    def test_p7_kubernetes_objects_have_a_provider_of_ours(self, registry: str, old: str, new: str) -> None:
        _check_p7(graph(registry, old, newcomer=new))

    def test_p10_routes_and_nat_go_last(self, registry: str, old: str, new: str) -> None:
        _check_p10(graph(registry, old, newcomer=new))

    def test_p11_there_and_back_gives_the_same_edge(self, registry: str, old: str, new: str) -> None:
        here, moving, there = graph(registry, old), graph(registry, old, newcomer=new), graph(registry, new)
        assert _lasting(here) == _lasting(moving) == _lasting(there)
        assert {each.urn: each.inputs for each in edge(again(registry, old))} == {
            each.urn: each.inputs for each in edge(here)
        }

    def test_the_network_and_the_registry_see_nothing_of_a_move(self, registry: str, old: str, new: str) -> None:
        tokens = [f"switchyard:{each}" for each in ("network:Network", "registry:Ecr", "registry:EcrPublic")]
        views = [
            {each.urn: each.inputs for token in tokens for each in found.under(token)}
            for found in (graph(registry, old), graph(registry, old, newcomer=new), graph(registry, new))
        ]
        assert views[0] == views[1] == views[2]


def _weighed(found: Graph) -> set[str]:
    """The orchestrators that have weight."""
    return {
        groups(found)[arn].name.removeprefix(f"{service}-")
        for service, weights in traffic(found).items()
        for arn, weight in weights.items()
        if weight > 0
    }


def _own(found: Graph, key: str) -> dict[str, Any]:
    """URN -> inputs of all that is one orchestrator's own: itself, what is below it, and its groups at the edge with
    their warm-up rules."""
    names = {f"{service}-{key}{end}" for service in traffic(found) for end in ("", "--warm-up")}
    at_edge = [each for each in edge(found) if each.name in names]
    return {each.urn: each.inputs for each in (found.one(load(key).token), *found.under(load(key).token), *at_edge)}


def _replicas(found: Graph, key: str, service: str) -> set[str]:
    """URNs of what makes a service's replicas healthy on an orchestrator: what runs them, what joins their group."""
    kinds = (*RUNNING, *JOINING)
    return {
        each.urn
        for each in found.under(load(key).token)
        if each.type.endswith(kinds) and each.name.partition("--")[0] == service
    }


def _lasting(found: Graph) -> dict[str, dict[str, Any]]:
    """The edge without what is one orchestrator's own: its groups, its warm-up rules, and the weights."""
    kept = [
        each
        for each in edge(found)
        if each.type != "aws:lb/targetGroup:TargetGroup" and "httpHeader" not in json.dumps(each.inputs)
    ]
    weighing = traffic(found)
    return {
        each.urn: {key: value for key, value in each.inputs.items() if key != "actions" or each.name not in weighing}
        for each in kept
    }


RUNNING = ("aws:ecs/service:Service", ":apps/v1:Deployment", ":dynamic/swarm:Service")
"""Ends of the types that run a service's replicas."""
JOINING = (
    ":eks.amazonaws.com/v1:TargetGroupBinding",
    ":lb/targetGroupAttachment:TargetGroupAttachment",
    ":autoscaling/attachment:Attachment",
)
"""Ends of the types by which replicas join their group; on ECS the service itself joins."""


def _check_p3(found: Graph) -> None:
    named = {rule.urn: json.dumps(rule.inputs["actions"]) for rule in found.of("lb/listenerRule:ListenerRule")}
    joining = [
        *(each for each in found.of("ecs/service:Service") if each.inputs.get("loadBalancers")),
        *(each for each in found if each.type.endswith(JOINING)),
    ]
    joined = set()
    for each in joining:
        (arn,) = [arn for arn in groups(found) if arn in json.dumps(each.inputs)]
        assert any(arn in named[urn] for urn in found.waits_for(each) & named.keys())
        joined.add(arn)
    assert joined == set(groups(found))


def _check_ingress(found: Graph, rule: Node) -> None:
    source = rule.inputs.get("referencedSecurityGroupId") or rule.inputs["cidrIpv4"]
    if source == "0.0.0.0/0":
        assert rule in edge(found)
        assert rule.inputs["fromPort"] == rule.inputs["toPort"]
        assert rule.inputs["fromPort"] in (80, 443)
    else:
        assert source in {f"{each.name}-id" for each in found.of("ec2/securityGroup:SecurityGroup")} | {str(CIDR)}


def _check_p7(found: Graph) -> None:
    providers = {each.urn: each for each in found.of("pulumi:providers:kubernetes")}
    for each in found:
        if each.type.startswith("kubernetes:"):
            assert providers[each.provider].inputs["clusterIdentifier"]
            # A cluster that we make takes its objects along; one that exists stays.
            assert bool(each.deleted_with) == bool(found.of("eks:index:Cluster"))


LAST = re.compile(r"^aws:ec2/(route|routeTableAssociation|natGateway|vpcEndpoint):")


def _check_p10(found: Graph) -> None:
    """What runs waits for every way out, so that in a destroy, which goes backwards, the ways out go last."""
    order = {
        each.urn: {*each.dependencies, each.parent, each.provider, each.deleted_with} & found.nodes.keys()
        for each in found
    }
    assert len(list(TopologicalSorter(order).static_order())) == len(found)  # raises CycleError
    last = {each.urn for each in found if LAST.match(each.type)}
    running = [
        *found.of("ecs/service:Service"),
        *found.of("autoscaling/group:Group"),
        *found.of("ec2/instance:Instance"),
        *found.of("eks:index:Cluster"),
        *found.of("apps/v1:Deployment"),
        *found.of("lb/loadBalancer:LoadBalancer"),
    ]
    assert not [each.urn for each in running if not last <= found.waits_for(each)]


def _images(value: Any) -> Iterator[str]:
    """Every image in a resource's inputs, also in JSON inside of text."""
    if isinstance(value, str) and value.startswith(("{", "[")):
        try:
            value = json.loads(value)
        except ValueError:
            return
    if isinstance(value, dict):
        for key, each in value.items():
            if key.lower() == "image" and isinstance(each, str):
                yield each
            else:
                yield from _images(each)
    elif isinstance(value, list):
        for each in value:
            yield from _images(each)
