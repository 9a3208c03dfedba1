"""The invariants of DESIGN.md, P1-P12, on the graph of every pair and preset, and of moves between orchestrators.

A graph shows wiring; that the engine keeps to it is for tests/engine.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from itertools import pairwise, permutations
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from components import registry
from components.aws.network import CIDR
from components.naming import label
from components.orchestrator import ORCHESTRATORS, load
from components.pulling import cell
from components.registry import REGISTRIES, RegistryArgs
from components.testing.cloud import Cloud
from components.testing.engine import Graph, Node, deploy, start
from config.presets import PRESETS
from config.problems import BadConfig
from tests.program import BLOCKS, DIGEST, EXISTING, config_for, registry_options, run_program, runtime_options

SECRETS = ("correct-horse", "battery-staple")
LOGINS = {
    "artifact-registry": {"service-account-key": SECRETS[1]},
    "dockerhub": {"password": SECRETS[1]},
    "ghcr": {"password": SECRETS[1]},
    "oci": {"username": "robot", "password": SECRETS[1]},
}
TABLE = {(one, two): cell(registry_options(one), runtime_options(two)) for one in REGISTRIES for two in ORCHESTRATORS}
REFUSED = {pair: found.why for pair, found in TABLE.items() if found.how == "refused"}
PAIRS = [pair for pair in TABLE if pair not in REFUSED]
EVERY = [(*pair, preset) for pair in PAIRS for preset in PRESETS]
ON_AWS = [key for key in ORCHESTRATORS if load(key).Options.target]
MOVES = [(registry, *both) for registry in REGISTRIES for both in permutations(ON_AWS, 2)]


def services(on_aws: bool, scales: bool) -> dict[str, Any]:
    """Three services: one that asks for all it can, one beside it, and a worker."""
    api: dict[str, Any] = {"digest": DIGEST, "secrets": {"KEY": SECRETS[0]}, "writable": ["/tmp"]}
    web: dict[str, Any] = {"digest": DIGEST, "port": 9000}
    if on_aws:
        api |= {"replicas": {"min": 2, "max": 4} if scales else 2, "host": "api.example.com"}
        web |= {"path": "/web"}
    return {"api": api, "web": web, "worker": {"digest": DIGEST, "public": False}}


def configuration(registry: str, orchestrator: str, preset: str = "trial", newcomer: str = "") -> dict[str, Any]:
    """The configuration of a pair; with a newcomer, in the middle of a move to it."""
    on_aws = orchestrator in ON_AWS
    runtimes = [load(key).Options for key in (orchestrator, newcomer) if key]
    # Not with trial, with which all moves are: only a service that every orchestrator takes stays as it is in a move.
    scales = preset != "trial" and all(each.capabilities["autoscaling"].how != "refused" for each in runtimes)
    found = config_for(registry, orchestrator, preset, **services(on_aws, scales)) | {
        **{key: {**BLOCKS[key], **login} for key, login in LOGINS.items()},
        **{key: BLOCKS[key] for key in ("ecs-ec2", "eks", "swarm-ec2")},
    }
    if on_aws:
        found |= {"domain": {"name": "example.com", "zone": "example.com"}}
    if newcomer:
        found |= {"traffic": {orchestrator: 90, newcomer: 10}}
    return found


@cache
def graph(registry: str, orchestrator: str, preset: str = "trial", newcomer: str = "") -> Graph:
    """The graph that `configuration` makes."""
    return run_program(configuration(registry, orchestrator, preset, newcomer), ("services", *LOGINS))


again = cache(graph.__wrapped__)
"""The same, of another run: whoever comes back is at the configuration of the beginning."""


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
        loses it first: the rule stays, and waits for the gate and for all copies that it sends to from now on. (That
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
                    assert _copies(after, key, rule.name)
                    assert _copies(after, key, rule.name) <= after.waits_for(rule)

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


def _copies(found: Graph, key: str, service: str) -> set[str]:
    """URNs of what a service's copies are healthy by on an orchestrator: what runs them, and what joins their group."""
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
"""Ends of the types that run a service's copies."""
JOINING = (
    ":eks.amazonaws.com/v1:TargetGroupBinding",
    ":lb/targetGroupAttachment:TargetGroupAttachment",
    ":autoscaling/attachment:Attachment",
)
"""Ends of the types by which copies join their group; on ECS the service itself joins."""


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


# P12

AUTONAME = len("-0a1b2c3")
"""What Pulumi adds to a name that it chooses."""
AFTER_PREFIX = 26
"""What AWS's provider adds to a prefix that we choose (Terraform's plugin SDK, UniqueIDSuffixLength)."""
DNS = re.compile(r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$")
PULUMI = st.from_regex(r"[A-Za-z0-9_.-]{1,100}", fullmatch=True)
SERVICE = st.from_regex(r"[a-z](-?[a-z0-9]){0,19}", fullmatch=True).filter(lambda name: len(name) <= 20)


@given(PULUMI, PULUMI, st.lists(SERVICE, min_size=1, max_size=2, unique=True))
@example("p" * 100, "s" * 100, ["a" * 20])
@example("_", "_", ["a-b-c-d-e-f-g-h-i-j"])
@example("Shop.API", "feature_X", ["api", "api-registry"])
@example("switchyard", "dev", ["api", "api-eks-warm-up"])
@example("switchyard", "dev", ["api", "eks-deny"])
@example("AWS", "dev", ["sg"])
@example("ssm-shop", "dev", ["sg-api"])
@settings(max_examples=8)
def test_p12_every_name_is_within_its_limit(project: str, stack: str, names: list[str]) -> None:
    config = config_for(
        "oci",
        "ecs-fargate",
        "trial",
        **{
            name: {"digest": DIGEST, "path": f"/{name}", "secrets": {"KEY": "x", "K" * 128: "x"}, "memory": 256}
            for name in names
        },
    )
    login = {"host": "registry.example.com", "username": "robot", "password": "x"}
    ports = {name: 20_000 + index for index, name in enumerate(names)}
    move = {
        "traffic": dict.fromkeys(ON_AWS, 1),
        "ecs-ec2": BLOCKS["ecs-ec2"],
        "swarm-ec2": {**BLOCKS["swarm-ec2"], "ports": ports},
    }
    found = run_program(config | {"oci": login} | move, ("services", "oci"), project, stack)
    for each in found:
        _check_name(each)


LONGEST = {
    "aws:iam/role:Role": 64,
    "aws:iam/rolePolicy:RolePolicy": 128,
    "aws:lb/loadBalancer:LoadBalancer": 32,
    "aws:ecs/service:Service": 255,
    "aws:ecs/capacityProvider:CapacityProvider": 255,
    "aws:autoscaling/group:Group": 255,
    "aws:ec2/launchTemplate:LaunchTemplate": 128,
    "aws:iam/instanceProfile:InstanceProfile": 128,
    "aws:ec2/securityGroup:SecurityGroup": 255,
    "aws:s3/bucket:Bucket": 63,
    "aws:secretsmanager/secret:Secret": 512,
}
"""Type -> characters that its name may have, where Pulumi adds a random end to ours."""
FIXED = {
    "aws:ecs/taskDefinition:TaskDefinition": ("family", r"[A-Za-z0-9_-]{1,255}"),
    "aws:cloudwatch/logGroup:LogGroup": ("name", r"[A-Za-z0-9_/.#-]{1,512}"),
    "aws:ec2/securityGroup:SecurityGroup": ("description", r"[A-Za-z0-9 ._:/()#,@\[\]+=&;{}!$*-]{1,255}"),
    "aws:lb/targetGroup:TargetGroup": ("namePrefix", r"[a-z0-9][a-z0-9-]{0,5}"),
    "aws:ssm/parameter:Parameter": ("name", r"/(?!(?i:aws|ssm))[A-Za-z0-9_.-]{1,400}(/[A-Za-z0-9_.-]{1,100}){2}"),
    "eks:index:Cluster": ("name", r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}"),
    "pulumi-python:dynamic/swarm:Network": ("prefix", r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}"),
    "pulumi-python:dynamic/swarm:Secret": ("prefix", r"[A-Za-z0-9][A-Za-z0-9_.-]*"),
    "pulumi-python:dynamic/swarm:Service": ("name", r"(?=.{1,63}$)[A-Za-z0-9]([_-]*[A-Za-z0-9]+)*"),
}
"""Type -> a name that we give, and what AWS, or a swarm, takes. What a swarm is given as a prefix is cut to fit."""
RESERVED = {"aws:ec2/securityGroup:SecurityGroup": "sg-"}
"""Type -> what no name of it may begin with."""


def _check_name(node: Node) -> None:
    if node.type in LONGEST:
        assert "name" not in node.inputs
        prefix = node.inputs.get("namePrefix")
        longest = len(prefix) + AFTER_PREFIX if prefix else len(node.name) + AUTONAME
        assert longest <= LONGEST[node.type]
    if node.type in RESERVED:
        assert not node.inputs.get("namePrefix", f"{node.name}-").startswith(RESERVED[node.type])
    if node.type in FIXED:
        field, pattern = FIXED[node.type]
        assert re.fullmatch(pattern, node.inputs[field])
    if node.type.startswith("kubernetes:"):
        _check_dns(node)


def _check_dns(node: Node) -> None:
    metadata = node.inputs["metadata"]
    name = metadata.get("name") or node.name + "-" + "x" * (AUTONAME - 1)
    assert DNS.match(name)
    assert len(name) <= 63
    assert DNS.match(metadata.get("namespace", "default"))


INLINE = 10_240
"""Characters of all inline policies of a role together, without white space; AWS raises it for nobody (IAM quotas)."""
MANY: dict[str, dict[str, Any]] = {
    f"service-number-{index}": {"digest": DIGEST, "public": False, "memory": 128} for index in range(100)
}


@pytest.mark.parametrize(
    ("registry", "orchestrator"),
    [*((each, "swarm-ec2") for each in ("ecr", "ghcr", "ecr-public")), *(("oci", each) for each in ON_AWS)],
)
def test_a_role_has_room_for_what_100_services_with_three_secrets_each_need(registry: str, orchestrator: str) -> None:
    """Of all orchestrators with the registry whose login is one secret more for each service; of the one whose nodes
    share their roles with all others too."""
    secrets = {"secrets": dict.fromkeys(("DATABASE_PASSWORD", "SESSION_KEY", "PAYMENTS_TOKEN"), SECRETS[0])}
    login = {"oci": {**BLOCKS["oci"], **LOGINS["oci"]}}
    room = {
        "ecs-ec2": {**BLOCKS["ecs-ec2"], "max": 100},
        "swarm-ec2": {"instance-type": "m5.4xlarge", "workers": 2},
    }
    asked: dict[str, Any] = {name: {**each, **secrets} for name, each in MANY.items()}
    config = config_for(registry, orchestrator, "trial", **asked)
    found = run_program({**config, **EXISTING, **login, **room}, ("services", *LOGINS))
    held: Counter[str] = Counter()
    for each in found.of("iam/rolePolicy:RolePolicy"):
        held[each.inputs["role"]] += len("".join(each.inputs["policy"].split()))
    assert held
    assert {role: size for role, size in held.items() if size > INLINE} == {}


@given(PULUMI, PULUMI, SERVICE)
def test_p12_a_repositorys_name_is_one_that_registries_take(project: str, stack: str, service: str) -> None:
    name = f"{label(f'{project}-{stack}')}/{service}"
    assert re.fullmatch(r"(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*", name)
    assert 2 <= len(name) <= 205


@pytest.mark.parametrize("name", ["dockerhub", "ghcr"])
@given(st.from_regex(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?", fullmatch=True))
@settings(max_examples=20)
def test_p12_a_caches_prefix_is_one_that_ecr_takes(name: str, namespace: str) -> None:
    cls = registry.load(name)
    options = cls.Options.model_validate(BLOCKS[name])
    args = RegistryArgs(services=("api",), namespace=namespace, protect=False, on_aws=True, options=options)
    engine = start(Cloud())
    deploy(lambda: cls("registry", args) and None)
    rule = engine.graph.one("ecr/pullThroughCacheRule:PullThroughCacheRule")
    prefix = rule.inputs["ecrRepositoryPrefix"]
    assert re.fullmatch(r"(?:[a-z0-9]+(?:(?:[._]|-+)[a-z0-9]+)*/)*[a-z0-9]+(?:(?:[._]|-+)[a-z0-9]+)*", prefix)
    assert 2 <= len(prefix) <= 30


@given(PULUMI, PULUMI)
@example("_", "_")
@example("-", "-")
def test_p12_a_stacks_name_is_a_dns_label(project: str, stack: str) -> None:
    name = label(f"{project}-{stack}")
    assert DNS.match(name)
    assert len(name) <= 40
