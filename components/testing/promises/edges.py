"""What every edge promises."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, get_args

import pulumi

from components import edge
from components.aws.foundation import Foundation
from components.aws.network import Group, Network, NetworkArgs
from components.aws.vault import Vault, VaultArgs
from components.edge import EdgeArgs, EdgeOptions, Place
from components.gate import GateOptions
from components.pull import Anonymous
from components.service import Service
from components.testing.cloud import REGION, Cloud
from components.testing.engine import Graph, Node, deploy, start
from components.testing.promises.checks import (
    PROJECT,
    STACK,
    Block,
    check_below,
    check_block,
    check_example,
    check_same,
    check_stated,
    check_token,
    month,
    options_of,
    service_of,
)
from components.workload import Address, Registration, TargetKind, Workload

SERVICES = {"api": {"replicas": 2, "health": "/up"}, "web": {"path": "/web", "port": 9000}}
WEIGHTS = {"one": 90, "two": 10, "three": 0}
"""A move: of the orchestrators that are up, one is only prepared."""
APP = "promise:index:App"
"""What runs a service on one of them."""
NETWORK = "promise:index:Network"
"""What its services are on."""


class EdgePromises:
    """What an edge promises; parametrise a subclass with `name` and `block`."""

    def test_its_key_is_its_name(self, name: str, block: Block) -> None:
        assert edge.load(name).Options.key == name

    def test_its_token_is_its_own_and_has_three_parts(self, name: str, block: Block) -> None:
        check_token(name, [edge.load(each).token for each in edge.names()], edge.load(name).token)

    def test_its_block_explains_itself(self, name: str, block: Block) -> None:
        check_block(edge.load(name).Options)

    def test_its_example_is_right(self, name: str, block: Block) -> None:
        check_example(edge.load(name))

    def test_it_states_what_it_costs(self, name: str, block: Block) -> None:
        options = options_of(edge.load(name).Options, block)
        check_stated("load balancer", options, month(Anonymous, options.platform == "aws"))

    def test_it_takes_what_orchestrators_register(self, name: str, block: Block) -> None:
        takes = edge.load(name).Options.takes
        assert takes
        assert takes <= set(get_args(TargetKind))

    def test_everything_it_makes_is_below_it(self, name: str, block: Block) -> None:
        lasting = ("switchyard:network:Network", "switchyard:vault:Vault", APP, NETWORK)
        check_below(_run(name, json.dumps(block)).graph, edge.load(name).token, *lasting)

    def test_it_tells_its_url(self, name: str, block: Block) -> None:
        graph = _run(name, json.dumps(block)).graph
        assert "://" in graph.outputs[graph.one(edge.load(name).token).urn]["url"]

    def test_each_service_has_a_target_of_its_own_on_each_orchestrator(self, name: str, block: Block) -> None:
        groups = _run(name, json.dumps(block)).groups
        assert len(set(groups)) == len(SERVICES) * len(WEIGHTS)

    def test_one_resource_shares_the_requests_of_a_service_as_was_asked(self, name: str, block: Block) -> None:
        options = edge.load(name).Options
        graph = _run(name, json.dumps(block)).graph
        shares = {each.name: sorted(options.groups(each.inputs).values()) for each in _rules(options, graph)}
        assert shares == dict.fromkeys(SERVICES, sorted(WEIGHTS.values()))

    def test_requests_wait_for_the_health_of_what_gets_them_and_of_nothing_else(self, name: str, block: Block) -> None:
        graph = _run(name, json.dumps(block)).graph
        for rule in _rules(edge.load(name).Options, graph):
            waited = {graph.nodes[urn].name for urn in graph.waits_for(rule) if graph.nodes[urn].type == APP}
            assert waited == {f"{rule.name}-{key}" for key, weight in WEIGHTS.items() if weight}

    def test_requests_wait_for_the_gate(self, name: str, block: Block) -> None:
        for rule in _rules(edge.load(name).Options, _run(name, json.dumps(block)).graph):
            assert all(rule.hooks.get(when) for when in ("before_create", "before_update", "after_update"))

    def test_only_what_shares_waits_for_more_than_one_orchestrator(self, name: str, block: Block) -> None:
        graph = _run(name, json.dumps(block)).graph
        rules = {each.urn for each in _rules(edge.load(name).Options, graph)}
        for each in graph.under(edge.load(name).token):
            if each.urn not in rules:
                apps = [graph.nodes[urn].name for urn in graph.waits_for(each) if graph.nodes[urn].type == APP]
                assert len({app.partition("-")[2] for app in apps}) <= 1

    def test_other_weights_change_what_shares_and_nothing_else(self, name: str, block: Block) -> None:
        before = _run(name, json.dumps(block)).graph
        after = _run(name, json.dumps(block), json.dumps({"one": 50, "two": 50, "three": 0})).graph
        changed = {urn for urn, node in before.nodes.items() if after.nodes[urn].inputs != node.inputs}
        assert changed == {each.urn for each in _rules(edge.load(name).Options, before)}

    def test_a_state_says_how_requests_are_shared(self, name: str, block: Block) -> None:
        ran = _run(name, json.dumps(block))
        found = {each.urn: each.weights for each in edge.load(name).Options.shared(ran.state)}
        weighted = {key: weight for key, weight in WEIGHTS.items() if weight}
        assert found == {each.urn: weighted for each in _rules(edge.load(name).Options, ran.graph)}

    def test_nothing_in_it_is_left_to_chance(self, name: str, block: Block) -> None:
        first = _run(name, json.dumps(block)).graph
        _run.cache_clear()
        check_same(first, _run(name, json.dumps(block)).graph)


@dataclass(frozen=True)
class _Ran:
    graph: Graph
    groups: list[str]
    """Every target's group."""

    @property
    def state(self) -> list[dict[str, Any]]:
        """What a state has of the graph, as far as an edge looks at it."""
        return [
            {"urn": each.urn, "type": each.type, "inputs": each.inputs, "outputs": _outputs(each)}
            for each in self.graph
        ]


def _outputs(node: Node) -> dict[str, Any]:
    made = Cloud().new_resource(pulumi.runtime.MockResourceArgs(node.type, node.name, dict(node.inputs), "", ""))
    return {**made[1], "id": made[0]}


def _rules(options: type[EdgeOptions], graph: Graph) -> list[Node]:
    """The resources that share requests."""
    return [each for each in graph if each.type == options.rule and options.groups(each.inputs)]


@cache
def _run(name: str, block: str, weights: str = json.dumps(WEIGHTS)) -> _Ran:
    """The edge with two services, each on three orchestrators."""
    cls = edge.load(name)
    engine = start(Cloud(), project=PROJECT)
    services = {each: service_of(fields) for each, fields in SERVICES.items()}

    def program() -> list[pulumi.Output[str]]:
        front = cls("edge", _args(options_of(cls.Options, json.loads(block)), services))
        networks = {each: pulumi.CustomResource(NETWORK, each, {}).id for each in WEIGHTS}
        groups = []
        for key, service in services.items():
            workloads = {each: _workload(front, key, service, each, network) for each, network in networks.items()}
            front.traffic(key, service, json.loads(weights), workloads)
            groups += [each.target.group for each in workloads.values() if each.target]
        front.finish()
        return groups

    groups = deploy(program)
    return _Ran(engine.graph, groups)


def _args(options: EdgeOptions, services: Mapping[str, Service]) -> EdgeArgs[Any]:
    return EdgeArgs(
        stack=STACK,
        options=options,
        foundation=_foundation() if options.platform == "aws" else None,
        place=_place() if options.keeps else None,
        routes=services,
        orchestrators=list(WEIGHTS),
        protect=False,
        gate=GateOptions(),
    )


def _place() -> Place:
    """An instance that somebody else has."""
    return Place(
        engine={"host": "ssh://promise.example", "swarm": "promise"},
        host="ssh://promise.example",
        network=pulumi.CustomResource(NETWORK, "place", {}).id,
        cpu="amd64",
        logs={"Name": "local"},
        address=pulumi.Output.from_input("192.0.2.1"),
        group=Group("sg-promise", own=True, ready=[]),
        ask=lambda _url, _headers: "200",
    )


def _foundation() -> Foundation:
    return Foundation(
        region=REGION,
        profile=None,
        network=Network("network", NetworkArgs(kind="public", zones=2, region=REGION, endpoints=frozenset())),
        vault=Vault("vault", VaultArgs(stack=STACK, log_days=7, protect=False)),
    )


def _workload(
    front: edge.Edge[Any], name: str, service: Service, orchestrator: str, network: pulumi.Output[str]
) -> Workload:
    kind = min(front.options.takes)
    target = front.target(name, service, orchestrator, Registration(kind, service.port))
    app = pulumi.CustomResource(
        APP, f"{name}-{orchestrator}", {"group": target.group}, pulumi.ResourceOptions(depends_on=[target.ready])
    )
    dial = app.id.apply(lambda id_: f"{id_}:80")
    return Workload(healthy=(app,), target=target, address=Address(dial, network))
