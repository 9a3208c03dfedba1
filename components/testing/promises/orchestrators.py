"""What every orchestrator promises."""

import asyncio
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from inspect import isabstract
from pkgutil import resolve_name
from typing import Any

import pulumi

from components import edge, orchestrator
from components.aws.foundation import Foundation
from components.aws.network import Network, NetworkArgs
from components.aws.vault import Vault, VaultArgs
from components.edge import Edge, EdgeArgs
from components.gate import GateOptions
from components.network_options import ExistingLoadBalancer, ExistingVpc
from components.operations import Operations
from components.orchestrator import VERBS, Orchestrator, OrchestratorArgs, OrchestratorOptions
from components.pull import Anonymous, AwsRole, Login, NodeIdentity, Pull
from components.release import Standing
from components.service import ASKED_BY, EITHER_DAY, FEATURES, IN_ENV, IN_FILES, RESERVED_ENV, Service
from components.testing.cloud import REGION, Cloud, arn
from components.testing.engine import Graph, deploy, start
from components.testing.promises.checks import (
    DIGEST,
    PASSWORD,
    PROJECT,
    STACK,
    URL,
    Block,
    check_below,
    check_block,
    check_example,
    check_same,
    check_stated,
    check_token,
    component_of,
    month,
    options_of,
    service_of,
    text_below,
)
from components.workload import Image

SWEEP = {"command": ["sweep", "--all"], "schedule": "0 3 * * *"}
ASKING: Mapping[str, Mapping[str, Any]] = {
    "port": {"port": 9000},
    "cpu": {"cpu": 0.5},
    "memory": {"memory": 1024},
    "replicas": {"replicas": 2},
    "health": {"health": "/up"},
    "env": {"env": {"LOG_LEVEL": "info"}},
    "secrets": {"secrets": {"DB_PASSWORD": PASSWORD}},
    IN_ENV: {"secrets": {"DB_PASSWORD": PASSWORD}, "secrets-as": "env"},
    IN_FILES: {"secrets": {"DB_PASSWORD": PASSWORD}, "secrets-as": "file"},
    "command": {"command": ["serve", "--fast"]},
    "release": {"release": ["migrate", "--all"]},
    "jobs": {"jobs": {"nightly": {**SWEEP, "time-zone": "Europe/Berlin"}}},
    EITHER_DAY: {"jobs": {"nightly": {**SWEEP, "schedule": "0 3 1 * mon"}}},
    "path": {"path": "/v1"},
    "host": {"host": "api.example.com"},
    "public": {"public": True},
    "digest": {"digest": DIGEST},
    "image": {"image": f"docker.io/library/nginx@{DIGEST}", "digest": None},
    "architecture": {"architecture": "arm64"},
    "user": {"user": 1000},
    "writable": {"writable": ["/tmp"]},
    "permissions": {"permissions": [{"actions": ["s3:GetObject"], "resources": ["arn:aws:s3:::photos/*"]}]},
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
    IN_ENV: ({"secrets-as": "file"}, {"secrets": {}}),
    IN_FILES: ({"secrets-as": "env"}, {"secrets": {}}),
    "command": ({"command": []},),
    "release": ({"release": []}, {"release": ["migrate"]}),
    "jobs": (
        {"jobs": {}},
        {"jobs": {"nightly": SWEEP}},
        {"jobs": {"nightly": {**SWEEP, "time-zone": "Europe/Berlin", "command": ["sweep"]}}},
        {"jobs": {"nightly": {**SWEEP, "time-zone": "Europe/Berlin", "schedule": "0 4 * * *"}}},
    ),
    EITHER_DAY: ({"jobs": {"nightly": {**SWEEP, "schedule": "0 3 1 * tue"}}}, {"jobs": {}}),
    "path": ({"path": "/v2"},),
    "host": ({"host": "www.example.com"},),
    "public": ({"public": False},),
    "digest": ({"digest": f"sha256:{'2' * 64}"},),
    "image": ({"image": f"quay.io/nginx/nginx@{DIGEST}", "digest": None}, {"image": None, "digest": DIGEST}),
    "architecture": ({"architecture": "x86_64"},),
    "user": ({"user": 1001},),
    "writable": ({"writable": []},),
    "permissions": (
        {"permissions": []},
        {"permissions": [{"actions": ["s3:PutObject"], "resources": ["arn:aws:s3:::photos/*"]}]},
        {"permissions": [{"actions": ["s3:GetObject"], "resources": ["arn:aws:s3:::videos/*"]}]},
        {
            "permissions": [
                {
                    "actions": ["s3:GetObject"],
                    "resources": ["arn:aws:s3:::photos/*"],
                    "conditions": {"Bool": {"aws:SecureTransport": "true"}},
                }
            ]
        },
    ),
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
        check_token(name, tokens, orchestrator.load(name).token)

    def test_its_block_explains_itself(self, name: str, block: Block) -> None:
        check_block(orchestrator.load(name).Options)

    def test_behind_the_load_balancer_it_stands_on_aws(self, name: str, block: Block) -> None:
        options = orchestrator.load(name).Options
        assert options.target in (None, "address") or options.platform == "aws"

    def test_it_says_what_it_does_with_every_feature(self, name: str, block: Block) -> None:
        assert set(orchestrator.load(name).Options.capabilities) == set(FEATURES)

    def test_what_is_not_simply_honoured_is_explained(self, name: str, block: Block) -> None:
        for feature, support in orchestrator.load(name).Options.capabilities.items():
            if support.how == "refused":
                assert len(support.why.split()) > 3, f"the reason for refusing {feature} is no sentence"
            elif support.how == "translated":
                assert support.why, f"{feature} is translated into nothing"

    def test_it_says_what_it_does_with_every_verb(self, name: str, block: Block) -> None:
        options = orchestrator.load(name).Options
        assert set(options.verbs) <= set(VERBS), "nobody asks for a verb of another name"
        for verb in VERBS:
            does = options.does(verb)
            if does.how == "refused":
                assert len(does.why.split()) > 3, f"the reason for refusing {verb} is no sentence"
            elif does.how == "translated":
                assert does.why, f"{verb} is translated into nothing"

    def test_who_does_its_verbs_is_there(self, name: str, block: Block) -> None:
        options = orchestrator.load(name).Options
        if done := [verb for verb in VERBS if options.does(verb).how != "refused"]:
            assert options.operated_by, f"nobody does {', '.join(done)}"
            who = resolve_name(options.operated_by)
            assert issubclass(who, Operations)
            assert not isabstract(who)

    def test_what_it_refuses_is_refused_before_anything_is_made(self, name: str, block: Block) -> None:
        options = orchestrator.load(name).Options
        for feature, support in options.capabilities.items():
            found, graph = _refused(options, service_of(ASKING[feature]))
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
                if feature not in ASKED_BY or not cls.Options.refusals(service_of({**_all_of(cls), **other}))
            )
        ]
        assert not ignored, f"whatever a service says of {', '.join(ignored)}, it is run the same"

    def test_it_can_pull_somehow(self, name: str, block: Block) -> None:
        pulls_by = orchestrator.load(name).Options.pulls_by
        assert pulls_by
        assert set(pulls_by) <= {Anonymous, AwsRole, Login, NodeIdentity}

    def test_a_block_that_is_right_has_no_problem(self, name: str, block: Block) -> None:
        cls = orchestrator.load(name)
        assert not list(options_of(cls.Options, block).check({"api": service_of(_all_of(cls))}, False))

    def test_everything_it_makes_is_below_it(self, name: str, block: Block) -> None:
        ran = _run(name, json.dumps(block))
        lasting = ("switchyard:network:Network", "switchyard:vault:Vault", "switchyard:edge:Edge")
        check_below(ran.graph, orchestrator.load(name).token, *lasting)

    def test_nothing_that_must_outlive_it_is_below_it(self, name: str, block: Block) -> None:
        below = _run(name, json.dumps(block)).graph.under(orchestrator.load(name).token)
        assert not [each.urn for each in below if EDGE.match(each.type)]

    def test_it_registers_outputs(self, name: str, block: Block) -> None:
        graph = _run(name, json.dumps(block)).graph
        assert graph.outputs[component_of(graph, orchestrator.load(name).token).urn]

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
        assert (ran.url is None) == (edge.chosen(None, [orchestrator.load(name).Options.target]) is not None)

    def test_a_replica_is_told_who_it_is(self, name: str, block: Block) -> None:
        text = text_below(_run(name, json.dumps(block)).graph, orchestrator.load(name).token)
        assert all(variable in text for variable in RESERVED_ENV)
        assert name in text

    def test_the_image_is_named_by_digest_alone(self, name: str, block: Block) -> None:
        text = text_below(_run(name, json.dumps(block)).graph, orchestrator.load(name).token)
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
        command = options_of(cls.Options, block).logs(STACK, "api")
        assert "api" in command
        assert STACK in command

    def test_its_example_is_right(self, name: str, block: Block) -> None:
        check_example(orchestrator.load(name))

    def test_it_states_what_it_costs(self, name: str, block: Block) -> None:
        cls = orchestrator.load(name)
        for kind in cls.Options.pulls_by:
            demand = month(kind, cls.Options.platform == "aws")
            check_stated("compute", options_of(cls.Options, block), demand)

    def test_it_pulls_at_most_once_a_replica(self, name: str, block: Block) -> None:
        cls = orchestrator.load(name)
        demand = month(Anonymous, cls.Options.platform == "aws")
        for service in demand.services:
            assert 0 <= options_of(cls.Options, block).pulls(service, demand) <= demand.replicas(service)

    def test_nothing_in_it_is_left_to_chance(self, name: str, block: Block) -> None:
        first = _run(name, json.dumps(block)).graph
        _run.cache_clear()
        check_same(first, _run(name, json.dumps(block)).graph)


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
    service = service_of(_all_of(cls))

    def program() -> dict[str, Any]:
        image = Image(_later(URL), DIGEST, _pull(pull))
        args = _around(options_of(cls.Options, json.loads(block)), service)
        runtime = cls(name, args)
        foundation, front = args.foundation, _edge(args, service)
        workload = runtime.serve("api", service, image, front)
        worker = runtime.serve("worker", service_of({"public": False, "digest": DIGEST}), image, front)
        return {
            "healthy": [each.urn for each in workload.healthy],
            "private": [each.urn for each in worker.healthy],
            "ready": [workload.target.ready.urn] if workload.target else [],
            "ways_out": [each.urn for each in foundation.network.ready] if foundation else [],
            "url": workload.url,
        }

    answer = deploy(program)
    return _Ran(engine.graph, **answer)


@cache
def _made(name: str, block: str, fields: str) -> Graph:
    """The orchestrator with one service alone, in a network that exists: as little as shows what becomes of it."""
    cls = orchestrator.load(name)
    service = service_of(json.loads(fields))
    engine = start(Cloud(), project=PROJECT)
    vpc = ExistingVpc.model_validate_json('{"id": "vpc-1", "public-subnets": ["subnet-1", "subnet-2"]}')

    def program() -> None:
        args = _around(options_of(cls.Options, json.loads(block)), service, vpc)
        runtime = cls(name, args)
        image = Image.public(service.image) if service.image else Image(_later(URL), str(service.digest), Anonymous())
        runtime.serve("api", service, image, _edge(args, service))

    deploy(program)
    return engine.graph


def _seen(name: str, block: Block, feature: str, fields: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """What is made, as far as it is this orchestrator's to do something with the feature, for a service that asks for
    everything else too."""
    cls = orchestrator.load(name)
    graph = _made(name, json.dumps(block), json.dumps({**_all_of(cls), **fields}))
    below = graph.under(cls.token)
    if edge.chosen(None, [cls.Options.target]) and feature in OF_THE_EDGE:
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
    releases: dict[str, Standing] = {"api": "due"} if service.release else {}
    return OrchestratorArgs(
        stack=STACK, protect=False, options=options, foundation=foundation, releases=releases, runs_jobs=True
    )


def _foundation(options: OrchestratorOptions, service: Service, vpc: ExistingVpc | None) -> Foundation:
    args = NetworkArgs(kind="nat-single", zones=2, region=REGION, endpoints=options.vpc_endpoints, existing=vpc)
    network = Network("network", args)
    vault = Vault("vault", VaultArgs(stack=STACK, log_days=7, protect=False))
    return Foundation(region=REGION, profile=None, network=network, vault=vault)


def _edge(args: OrchestratorArgs[Any], service: Service) -> Edge[Any] | None:
    """The edge before it; None where it stands off every edge."""
    key = edge.chosen(None, [args.options.target])
    if key is None:
        return None
    balancer = {
        "listener": arn("elasticloadbalancing", "listener/app/theirs/1/2"),
        "security-group": "sg-1",
        "url": "http://x",
    }
    cls = edge.load(key)
    return cls(
        "edge",
        EdgeArgs(
            stack=STACK,
            options=cls.Options.model_validate({}),
            foundation=args.foundation,
            existing=ExistingLoadBalancer.model_validate(balancer),
            protect=False,
            routes={"api": service},
            orchestrators=[args.options.key],
            gate=GateOptions(),
        ),
    )


def _all_of(cls: type[Orchestrator[Any]]) -> dict[str, Any]:
    """What a service says that asks for everything but what is refused, with an image in the stack's registry."""
    wanted = {
        feature: fields
        for feature, fields in ASKING.items()
        if feature not in ("image", IN_ENV, IN_FILES, EITHER_DAY) and cls.Options.capabilities[feature].how != "refused"
    }
    return {key: value for fields in wanted.values() for key, value in fields.items()}


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
