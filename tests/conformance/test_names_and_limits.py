"""P12: every name that is made, and every policy, is one that AWS and Kubernetes take."""

import re
from collections import Counter
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from components import registry
from components.naming import label
from components.registry import RegistryArgs
from components.testing.cloud import Cloud
from components.testing.engine import Node, deploy, start
from tests.conformance.pairs import LOGINS, ON_AWS, SECRETS
from tests.program import BLOCKS, DIGEST, EXISTING, config_for, run_program

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
@example("shop", "dev", ["user-api"])
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
    "aws:lb/targetGroup:TargetGroup": ("namePrefix", r"[a-z0-9]([a-z0-9-]{0,3}[a-z0-9])?-"),
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
