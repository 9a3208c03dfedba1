"""What every registry and every orchestrator promises. A third party holds its own backend to it with two lines:

    import pytest
    pytest.register_assert_rewrite("components.testing.promises")
    from components.testing.promises import OrchestratorPromises, RegistryPromises

    @pytest.mark.parametrize(("name", "block"), [("acme", {"project": "shop"})])
    class TestAcme(RegistryPromises): ...

`name` is the entry point's, `block` a config block that is right for it.
"""

import asyncio
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any, TypeVar

import pulumi
from pydantic import ValidationError

from components import orchestrator, registry
from components.aws.edge import Edge, EdgeArgs
from components.aws.foundation import Foundation
from components.aws.gate import GateOptions
from components.aws.network import Network, NetworkArgs
from components.aws.vault import Vault, VaultArgs
from components.cost import COLUMNS, Column, Demand, Line, Note
from components.estimate import charge
from components.model import Model
from components.network_options import ExistingLoadBalancer, ExistingVpc
from components.options import Options
from components.orchestrator import Orchestrator, OrchestratorArgs, OrchestratorOptions
from components.pull import Anonymous, AwsRole, Login, NodeIdentity, Pull
from components.registry import Registry, RegistryArgs, Repository
from components.service import FEATURES, RESERVED_ENV, Service
from components.testing.cloud import REGION, Cloud, arn
from components.testing.engine import Graph, Node, deploy, start
from components.usage import Usage
from components.workload import Image

PROJECT = "shop"
STACK = "shop-dev"
DIGEST = f"sha256:{'1' * 64}"
URL = "registry.example.com/shop/api"
PASSWORD = "correct-horse-battery-staple"
Block = Mapping[str, Any]
B = TypeVar("B", bound=Options)


PULLING = frozenset(
    {
        "ecr:BatchCheckLayerAvailability",
        "ecr:BatchGetImage",
        "ecr:BatchImportUpstreamImage",
        "ecr:GetDownloadUrlForLayer",
    }
)
"""All that a puller may be allowed on a repository: to read it, and to have a cache fetch what it has not yet (ECR user
guide, "Repository policy examples" and "IAM permissions required to sync an upstream registry")."""


class RegistryPromises:
    """What a registry promises; parametrise a subclass with `name` and `block`."""

    def test_its_token_is_its_own_and_has_three_parts(self, name: str, block: Block) -> None:
        _check_token(name, [registry.load(each).token for each in registry.names()], registry.load(name).token)

    def test_its_block_explains_itself(self, name: str, block: Block) -> None:
        _check_block(registry.load(name).Options)

    def test_it_has_a_repository_for_each_service_and_no_other(self, name: str, block: Block) -> None:
        assert set(_registry(name, json.dumps(block)).urls) == {"api", "web"}

    def test_a_url_ends_with_the_service_and_has_no_tag(self, name: str, block: Block) -> None:
        for service, url in _registry(name, json.dumps(block)).urls.items():
            host, *path = url.split("/")
            assert re.fullmatch(rf"(.+-)?{service}", path[-1])
            assert not re.search("[:@]", "/".join(path))
            assert "://" not in host

    def test_how_it_is_pulled_is_known_beforehand(self, name: str, block: Block) -> None:
        cls = registry.load(name)
        made = _registry(name, json.dumps(block))
        assert {type(each) for each in made.pulls} == {_options(cls.Options, block).pulled_by(True)}

    def test_a_person_can_push(self, name: str, block: Block) -> None:
        made = _registry(name, json.dumps(block))
        for service, commands in made.push.items():
            assert made.urls[service] in commands
            assert PASSWORD not in commands

    def test_a_login_is_a_secret(self, name: str, block: Block) -> None:
        for pull in _registry(name, json.dumps(block)).pulls:
            if isinstance(pull, Login):
                assert asyncio.run(_is_secret(pull.password))

    def test_a_role_may_pull_and_no_more(self, name: str, block: Block) -> None:
        for pull in _registry(name, json.dumps(block)).pulls:
            if isinstance(pull, AwsRole):
                assert pull.arns
                assert set(pull.actions) <= PULLING

    def test_everything_it_makes_is_below_it(self, name: str, block: Block) -> None:
        _check_below(_registry(name, json.dumps(block)).graph, registry.load(name).token)

    def test_it_registers_the_urls(self, name: str, block: Block) -> None:
        made = _registry(name, json.dumps(block))
        assert made.graph.outputs[_component(made.graph, registry.load(name).token).urn] == {"repositories": made.urls}

    def test_nothing_in_it_is_left_to_chance(self, name: str, block: Block) -> None:
        first = _registry(name, json.dumps(block)).graph
        _registry.cache_clear()
        _check_same(first, _registry(name, json.dumps(block)).graph)

    def test_its_example_is_right(self, name: str, block: Block) -> None:
        _check_example(registry.load(name))

    def test_it_states_what_it_costs(self, name: str, block: Block) -> None:
        cls = registry.load(name)
        options = _options(cls.Options, block)
        for on_aws in (True, False):
            _check_stated("registry", options, _demand(options.pulled_by(on_aws), on_aws))

    def test_what_it_pulls_through_is_named(self, name: str, block: Block) -> None:
        assert all(re.fullmatch(r"[a-z0-9.-]+", each) for each in registry.load(name).Options.vpc_endpoints)


@dataclass(frozen=True)
class _Kept:
    graph: Graph
    urls: Mapping[str, str]
    push: Mapping[str, str]
    pulls: list[Pull]


@cache
def _registry(name: str, block: str) -> _Kept:
    """The registry with two services, and all that it says."""
    cls = registry.load(name)
    engine = start(Cloud(), project=PROJECT)
    options = _options(cls.Options, json.loads(block))
    args: RegistryArgs[Any] = RegistryArgs(
        services=("api", "web"), namespace=STACK, protect=False, on_aws=True, options=options
    )
    kept: dict[str, Repository] = {}

    def program() -> dict[str, Any]:
        kept.update(cls("registry", args).repositories)
        return {key: {"url": each.url, "push": each.push} for key, each in kept.items()}

    said = deploy(program)
    return _Kept(
        engine.graph,
        {key: each["url"] for key, each in said.items()},
        {key: each["push"] for key, each in said.items()},
        [each.pull for each in kept.values()],
    )


ASKING: Mapping[str, Mapping[str, Any]] = {
    "port": {"port": 9000},
    "cpu": {"cpu": 0.5},
    "memory": {"memory": 1024},
    "replicas": {"replicas": 2},
    "health": {"health": "/up"},
    "env": {"env": {"LOG_LEVEL": "info"}},
    "secrets": {"secrets": {"DB_PASSWORD": PASSWORD}},
    "command": {"command": ["serve", "--fast"]},
    "path": {"path": "/v1"},
    "host": {"host": "api.example.com"},
    "public": {"public": True},
    "digest": {"digest": DIGEST},
    "architecture": {"architecture": "arm64"},
    "user": {"user": 1000},
    "writable": {"writable": ["/tmp"]},
    "autoscaling": {"replicas": {"min": 1, "max": 3}},
}
"""Feature -> what a service says that asks for it."""
OTHERWISE: Mapping[str, tuple[Mapping[str, Any], ...]] = {
    "port": ({"port": 9001},),
    "cpu": ({"cpu": 1},),
    "memory": ({"memory": 2048},),
    "replicas": ({"replicas": 3},),
    "health": ({"health": "/ready"},),
    "env": ({"env": {}},),
    "secrets": ({"secrets": {}},),
    "command": ({"command": []},),
    "path": ({"path": "/v2"},),
    "host": ({"host": "www.example.com"},),
    "public": ({"public": False},),
    "digest": ({"digest": f"sha256:{'2' * 64}"},),
    "architecture": ({"architecture": "x86_64"},),
    "user": ({"user": 1001},),
    "writable": ({"writable": []},),
    "autoscaling": (
        {"replicas": 1},
        {"replicas": {"min": 1, "max": 4}},
        {"replicas": {"min": 1, "max": 3, "cpu": 50}},
    ),
}
"""Feature -> what services say that ask for something else than in ASKING."""
OF_THE_EDGE = frozenset({"health", "host", "path"})
"""What the edge itself does for a service of any orchestrator behind it."""
EDGE = re.compile(
    r"^aws:(lb(?!/targetGroupAttachment)|alb|elb|route53|acm|ecr|ecrpublic|secretsmanager(?!/secretPolicy)|cloudwatch)/"
)
"""What outlives every orchestrator, so none may make it. Who is in a target group, and who may read a secret, is an
orchestrator's own affair."""


class OrchestratorPromises:
    """What an orchestrator promises; parametrise a subclass with `name` and `block`."""

    def test_its_key_is_its_name(self, name: str, block: Block) -> None:
        assert orchestrator.load(name).Options.key == name

    def test_its_token_is_its_own_and_has_three_parts(self, name: str, block: Block) -> None:
        tokens = [orchestrator.load(each).token for each in orchestrator.names()]
        _check_token(name, tokens, orchestrator.load(name).token)

    def test_its_block_explains_itself(self, name: str, block: Block) -> None:
        _check_block(orchestrator.load(name).Options)

    def test_it_says_what_it_does_with_every_feature(self, name: str, block: Block) -> None:
        assert set(orchestrator.load(name).Options.capabilities) == set(FEATURES)

    def test_what_is_not_simply_honoured_is_explained(self, name: str, block: Block) -> None:
        for feature, support in orchestrator.load(name).Options.capabilities.items():
            if support.how == "refused":
                assert len(support.why.split()) > 3, f"the reason for refusing {feature} is no sentence"
            elif support.how == "translated":
                assert support.why, f"{feature} is translated into nothing"

    def test_what_it_refuses_is_refused_before_anything_is_made(self, name: str, block: Block) -> None:
        options = orchestrator.load(name).Options
        for feature, support in options.capabilities.items():
            found, graph = _refused(options, _service(ASKING[feature]))
            assert found.get(feature) == (support.why if support.how == "refused" else None)
            assert not len(graph)

    def test_what_it_does_not_refuse_it_does_not_ignore(self, name: str, block: Block) -> None:
        cls = orchestrator.load(name)
        ignored = [
            feature
            for feature in FEATURES
            if cls.Options.capabilities[feature].how != "refused"
            and any(
                _seen(name, block, feature, ASKING[feature]) == _seen(name, block, feature, other)
                for other in OTHERWISE[feature]
            )
        ]
        assert not ignored, f"whatever a service says of {', '.join(ignored)}, it is run the same"

    def test_it_can_pull_somehow(self, name: str, block: Block) -> None:
        pulls_by = orchestrator.load(name).Options.pulls_by
        assert pulls_by
        assert set(pulls_by) <= {Anonymous, AwsRole, Login, NodeIdentity}

    def test_a_block_that_is_right_has_no_problem(self, name: str, block: Block) -> None:
        cls = orchestrator.load(name)
        assert not list(_options(cls.Options, block).check({"api": _service(_all_of(cls))}, False))

    def test_everything_it_makes_is_below_it(self, name: str, block: Block) -> None:
        ran = _run(name, json.dumps(block))
        lasting = ("switchyard:network:Network", "switchyard:vault:Vault", "switchyard:edge:Edge")
        _check_below(ran.graph, orchestrator.load(name).token, *lasting)

    def test_nothing_that_must_outlive_it_is_below_it(self, name: str, block: Block) -> None:
        below = _run(name, json.dumps(block)).graph.under(orchestrator.load(name).token)
        assert not [each.urn for each in below if EDGE.match(each.type)]

    def test_it_registers_outputs(self, name: str, block: Block) -> None:
        graph = _run(name, json.dumps(block)).graph
        assert graph.outputs[_component(graph, orchestrator.load(name).token).urn]

    def test_traffic_has_something_to_wait_for(self, name: str, block: Block) -> None:
        ran = _run(name, json.dumps(block))
        assert ran.healthy
        assert set(ran.healthy) <= set(ran.graph.nodes)

    def test_the_replicas_wait_for_their_group_and_for_the_ways_out(self, name: str, block: Block) -> None:
        ran = _run(name, json.dumps(block))
        for urn in ran.healthy:
            before = ran.graph.waits_for(ran.graph.nodes[urn])
            assert {*ran.ready, *ran.ways_out} <= before

    def test_behind_the_edge_it_has_no_url_of_its_own(self, name: str, block: Block) -> None:
        ran = _run(name, json.dumps(block))
        assert (ran.url is None) == (orchestrator.load(name).Options.target is not None)

    def test_a_replica_is_told_who_it_is(self, name: str, block: Block) -> None:
        text = _text(_run(name, json.dumps(block)).graph, orchestrator.load(name).token)
        assert all(variable in text for variable in RESERVED_ENV)
        assert name in text

    def test_the_image_is_named_by_digest_alone(self, name: str, block: Block) -> None:
        text = _text(_run(name, json.dumps(block)).graph, orchestrator.load(name).token)
        assert f"{URL}@{DIGEST}" in text
        assert not re.search(re.escape(URL) + f"(?!@{DIGEST})", text)

    def test_a_secret_is_nowhere_in_plain_text(self, name: str, block: Block) -> None:
        graph = _run(name, json.dumps(block)).graph
        assert PASSWORD in json.dumps([each.inputs for each in graph])
        assert PASSWORD not in json.dumps([each.clear for each in graph])

    def test_it_pulls_by_each_kind_it_claims(self, name: str, block: Block) -> None:
        for kind in orchestrator.load(name).Options.pulls_by:
            graph = _run(name, json.dumps(block), kind.__name__).graph
            assert PASSWORD not in json.dumps([each.clear for each in graph])
            assert (kind is Login) == (TOKEN in json.dumps([each.inputs for each in graph]))
            assert TOKEN not in json.dumps([each.clear for each in graph])

    def test_a_private_service_runs_beside_a_public_one(self, name: str, block: Block) -> None:
        ran = _run(name, json.dumps(block))
        assert ran.private
        assert not set(ran.private) & set(ran.healthy)

    def test_it_says_where_the_logs_are(self, name: str, block: Block) -> None:
        cls = orchestrator.load(name)
        command = _options(cls.Options, block).logs(STACK, "api")
        assert "api" in command
        assert STACK in command

    def test_its_example_is_right(self, name: str, block: Block) -> None:
        _check_example(orchestrator.load(name))

    def test_it_states_what_it_costs(self, name: str, block: Block) -> None:
        cls = orchestrator.load(name)
        for kind in cls.Options.pulls_by:
            demand = _demand(kind, cls.Options.platform == "aws")
            _check_stated("compute", _options(cls.Options, block), demand)

    def test_it_pulls_at_most_once_a_replica(self, name: str, block: Block) -> None:
        cls = orchestrator.load(name)
        demand = _demand(Anonymous, cls.Options.platform == "aws")
        for service in demand.services:
            assert 0 <= _options(cls.Options, block).pulls(service, demand) <= demand.replicas(service)

    def test_nothing_in_it_is_left_to_chance(self, name: str, block: Block) -> None:
        first = _run(name, json.dumps(block)).graph
        _run.cache_clear()
        _check_same(first, _run(name, json.dumps(block)).graph)


TOKEN = "registry-token-of-the-robot"


@dataclass(frozen=True)
class _Ran:
    graph: Graph
    healthy: list[str]
    private: list[str]
    """URNs of what the private service's health is known by."""
    ready: list[str]
    ways_out: list[str]
    url: str | None


@cache
def _run(name: str, block: str, pull: str = "Anonymous") -> _Ran:
    """The orchestrator with a public service that asks for all it may, and a private one."""
    cls = orchestrator.load(name)
    engine = start(Cloud(), project=PROJECT)
    service = _service(_all_of(cls))

    def program() -> dict[str, Any]:
        image = Image(_later(URL), DIGEST, _pull(pull))
        args = _around(_options(cls.Options, json.loads(block)), service)
        runtime = cls(name, args)
        foundation = args.foundation
        edge = foundation.edge if foundation else None
        workload = runtime.serve("api", service, image, edge)
        worker = runtime.serve("worker", _service({"public": False, "digest": DIGEST}), image, edge)
        return {
            "healthy": [each.urn for each in workload.healthy],
            "private": [each.urn for each in worker.healthy],
            "ready": [workload.target.ready.urn] if workload.target else [],
            "ways_out": [each.urn for each in foundation.network.ready] if foundation else [],
            "url": workload.url,
        }

    said = deploy(program)
    return _Ran(engine.graph, **said)


@cache
def _made(name: str, block: str, fields: str) -> Graph:
    """The orchestrator with one service alone, in a network that exists: as little as shows what becomes of it."""
    cls = orchestrator.load(name)
    service = _service(json.loads(fields))
    engine = start(Cloud(), project=PROJECT)
    vpc = ExistingVpc.model_validate_json('{"id": "vpc-1", "public-subnets": ["subnet-1", "subnet-2"]}')

    def program() -> None:
        args = _around(_options(cls.Options, json.loads(block)), service, vpc)
        runtime = cls(name, args)
        image = Image(_later(URL), str(service.digest), Anonymous())
        runtime.serve("api", service, image, args.foundation.edge if args.foundation else None)

    deploy(program)
    return engine.graph


def _seen(name: str, block: Block, feature: str, fields: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """What is made, as far as it is this orchestrator's to do something with the feature, for a service that asks for
    everything else too."""
    cls = orchestrator.load(name)
    graph = _made(name, json.dumps(block), json.dumps({**_all_of(cls), **fields}))
    below = graph.under(cls.token)
    if cls.Options.target and feature in OF_THE_EDGE:
        below += graph.under("switchyard:edge:Edge")
    return {each.urn: each.inputs for each in below}


def _refused(options: type[OrchestratorOptions], service: Service) -> tuple[dict[str, str], Graph]:
    """What is refused of a service, and what has been made by then."""
    engine = start(Cloud(), project=PROJECT)
    found: dict[str, str] = {}
    deploy(lambda: found.update(options.refusals(service)))
    return found, engine.graph


def _around(options: OrchestratorOptions, service: Service, vpc: ExistingVpc | None = None) -> OrchestratorArgs[Any]:
    """What an orchestrator is given: on AWS all that it stands on, elsewhere nothing of it."""
    foundation = _foundation(options, service, vpc) if options.platform == "aws" else None
    return OrchestratorArgs(stack=STACK, protect=False, options=options, foundation=foundation)


def _foundation(options: OrchestratorOptions, service: Service, vpc: ExistingVpc | None) -> Foundation:
    args = NetworkArgs(kind="nat-single", zones=2, region=REGION, endpoints=options.vpc_endpoints, existing=vpc)
    network = Network("network", args)
    vault = Vault("vault", VaultArgs(stack=STACK, log_days=7, protect=False))
    edge = _edge(options.key, network, service) if options.target else None
    return Foundation(region=REGION, profile=None, network=network, vault=vault, edge=edge)


def _edge(orchestrator: str, network: Network, service: Service) -> Edge:
    balancer = {"listener": arn("elasticloadbalancing", "listener/1"), "security-group": "sg-1", "url": "http://x"}
    return Edge(
        "edge",
        EdgeArgs(
            network=network,
            domain=None,
            hosts=(),
            existing=ExistingLoadBalancer.model_validate(balancer),
            protect=False,
            strict=False,
            access_logs=False,
            routes={"api": service},
            orchestrators=[orchestrator],
            gate=GateOptions(),
            ask_health=lambda _: [],
        ),
    )


def _demand(pull: type[Pull], on_aws: bool) -> Demand:
    """A month in which everything happens."""
    services: dict[str, dict[str, Any]] = {
        "api": {"replicas": 2, "secrets": {"DB_PASSWORD": PASSWORD}},
        "web": {"architecture": "arm64"},
    }
    return Demand(
        services={name: _service(fields) for name, fields in services.items()},
        usage=Usage.model_validate({"preset": "medium"}),
        on_aws=on_aws,
        edge=on_aws,
        network="public",
        public_ip=True,
        zones=2,
        log_days=7,
        protect=True,
        access_logs=True,
        domain=True,
        own_network=True,
        own_load_balancer=True,
        endpoints=frozenset(),
        pull=pull,
        pulls=dict.fromkeys(services, Decimal(1)),
    )


def _all_of(cls: type[Orchestrator[Any]]) -> dict[str, Any]:
    """What a service says that asks for everything but what is refused."""
    wanted = {
        feature: fields for feature, fields in ASKING.items() if cls.Options.capabilities[feature].how != "refused"
    }
    return {key: value for fields in wanted.values() for key, value in fields.items()}


def _service(fields: Mapping[str, Any]) -> Service:
    return Service.model_validate_json(json.dumps(fields))


def _options(model: type[B], block: Block) -> B:
    return model.model_validate_json(json.dumps(block))


def _pull(kind: str) -> Pull:
    if kind == "Login":
        return Login("registry.example.com", "robot", pulumi.Output.secret(TOKEN))
    if kind == "AwsRole":
        return AwsRole(("ecr:BatchGetImage",), (arn("ecr", "repository/shop/api"),))
    return NodeIdentity() if kind == "NodeIdentity" else Anonymous()


def _later(value: str) -> pulumi.Output[str]:
    """An output that is not known at once, as of a resource that takes its time."""

    async def known() -> str:
        await asyncio.sleep(0)
        return value

    return pulumi.Output.from_input(known())


async def _is_secret(output: pulumi.Output[Any]) -> bool:
    return await output.is_secret()


def _text(graph: Graph, token: str) -> str:
    """Everything below a component, as one text; JSON inside of JSON is laid open."""
    return json.dumps([each.inputs for each in graph.under(token)]).replace("\\", "")


def _component(graph: Graph, token: str) -> Node:
    return graph.one(token)


def _check_token(name: str, all_: list[str], token: str) -> None:
    assert len(token.split(":")) == 3
    assert all(token.split(":"))
    assert all_.count(token) == 1, f"the token of {name} is another's too"


def _check_block(model: type[Options]) -> None:
    assert issubclass(model, Model)
    assert not [field for field, info in model.model_fields.items() if not info.description]


def _check_example(cls: type[Registry[Any]] | type[Orchestrator[Any]]) -> None:
    for region in (REGION, "ap-northeast-1"):
        try:
            _options(cls.Options, cls.Options.example(region))
        except ValidationError as error:
            raise AssertionError(f"its example for {region} is no block of its own: {error}") from error


def _check_stated(column: Column, options: Options, demand: Demand) -> None:
    """Lines or words: something is said of its column, amounts are exact, and units are those of the prices."""
    said = list(options.costs(demand))
    assert [each for each in said if not isinstance(each, Note) and each.column == column], f"nothing on {column}"
    for each in said:
        if isinstance(each, Line):
            assert each.column in COLUMNS
            assert isinstance(each.quantity, Decimal), f"{each.what}: {each.quantity!r} is no Decimal"
            assert each.quantity >= 0
            charge(each, demand, REGION)


def _check_below(graph: Graph, token: str, *others: str) -> None:
    """Everything is a component of ours or below one."""
    tops = {token, *others}
    stray = [
        each.urn
        for each in graph
        if each.type not in tops and not any(parent.type in tops for parent in graph.parents(each))
    ]
    assert not stray


def _check_same(one: Graph, two: Graph) -> None:
    assert {urn: node.inputs for urn, node in one.nodes.items()} == {
        urn: node.inputs for urn, node in two.nodes.items()
    }
