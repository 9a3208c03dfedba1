"""What the role that deploys may do: what making, switching and destroying the stack asks of AWS, and no more."""

import json
import os
from collections.abc import Mapping
from functools import cache
from itertools import cycle, permutations
from pathlib import Path
from typing import Any

import pytest

from components import orchestrator
from components.aws import parts
from components.aws.access import AwsAccess, together
from components.aws.actions import ROWS
from components.edge.alb import AlbOptions
from components.orchestrator import ORCHESTRATORS
from components.registry import REGISTRIES
from components.testing.engine import Graph
from rehearsal import Call
from rehearsal.aws import types
from rehearsal.aws.rows import load
from tests import iam
from tests.engine.passage import Passage, passage
from tests.program import BLOCKS, DIGEST, config_for, registry_options, run_program

ON_AWS = [key for key in ORCHESTRATORS if orchestrator.load(key).Options.platform == "aws"]
DELIVERY = "switchyard:delivery:Delivery"
GITHUB = {"repository": "acme/shop", "repository-id": 42, "owner-id": 7}
SECRET = "switchyard:services.api.secrets.KEY"
DOMAIN = {"name": "example.com", "zone": "example.com"}
ACL = "arn:aws:wafv2:us-east-1:123456789012:regional/webacl/shop/a1b2c3d4-5678-90ab-cdef-1234567890ab"
INSIDE_EKS = frozenset(
    {types.EKS_CLUSTER, types.ACCESS_ENTRY, types.ACCESS_POLICY, types.ROLE, types.ROLE_POLICY_ATTACHMENT}
)
"""What is inside the packaged cluster, which the pretend engine does not look into; the real one is asked below."""


def services(key: str) -> dict[str, Any]:
    """A service that asks for all that becomes a resource on AWS."""
    can = {name: each.how != "refused" for name, each in orchestrator.load(key).Options.capabilities.items()}
    api: dict[str, Any] = {"digest": DIGEST, "secrets": {"KEY": "correct-horse"}}
    if can["autoscaling"]:
        api["replicas"] = {"min": 2, "max": 4}
    if can["permissions"]:
        api["permissions"] = [{"actions": ["s3:GetObject"], "resources": ["arn:aws:s3:::photos/*"]}]
    if can["jobs"]:
        api["jobs"] = {"sweep": {"command": ["sweep"], "schedule": "0 3 * * *"}}
    return {"api": api}


def configuration(registry: str, key: str, network: str = "nat-single") -> dict[str, Any]:
    """Likewise for the stack."""
    more: dict[str, Any] = {name: BLOCKS[name] for name in ("eks", "swarm-ec2")}
    more |= {"domain": DOMAIN, "access-logs": True, "waf": ACL, "network": network, "flow-logs": "all"}
    more["eks"] = {"admins": [ADMIN]}
    return config_for(registry, key, "standard", **services(key)) | more


ADMIN = "arn:aws:iam::123456789012:role/ada"


@cache
def graph(registry: str, key: str, network: str = "nat-single") -> Graph:
    secrets = ("services", "ghcr", "dockerhub", "artifact-registry")
    return run_program(configuration(registry, key, network), secrets)


def made(found: Graph) -> set[str]:
    """The types of AWS's resources in a graph."""
    seen = {each.type for each in found if each.type.startswith("aws:")}
    return seen | (INSIDE_EKS if found.of("eks:index:Cluster") else set())


def foundation(network: Any = "nat-single") -> AwsAccess:
    balancer = AlbOptions().taken(own=True, domain=True, access_logs=True, waf=True)
    return together([*parts.foundation(network, True), balancer])


class TestEveryType:
    @pytest.mark.parametrize("key", ON_AWS)
    def test_an_orchestrator_takes_what_is_made_of_it(self, key: str) -> None:
        """With a registry that makes nothing on AWS."""
        theirs = orchestrator.load(key).Options.aws_access.types
        assert made(graph("oci", key)) == (foundation() | AwsAccess(types=theirs)).types

    @pytest.mark.parametrize("registry", REGISTRIES)
    def test_a_registry_takes_what_is_made_of_it(self, registry: str) -> None:
        theirs = registry_options(registry).takes("switchyard-dev", on_aws=True).types
        whole = (foundation() | parts.ECS).types | theirs
        assert made(graph(registry, "ecs-fargate")) == whole

    @pytest.mark.parametrize("network", ["public", "endpoints"])
    def test_a_network_takes_what_is_made_of_it(self, network: str) -> None:
        registry = registry_options("ecr").takes("switchyard-dev", on_aws=True)
        assert made(graph("ecr", "ecs-fargate", network)) == (foundation(network) | parts.ECS | registry).types

    def test_the_rehearsal_knows_no_type_without_its_actions(self) -> None:
        known = {token for token in load().types if token.startswith("aws:")}
        assert known == ROWS.keys()

    def test_each_has_its_source(self) -> None:
        assert {name: each.source for name, each in ROWS.items() if not each.source.endswith(".go")} == {}


NO_ROLE = "arn:aws:iam::123456789012:role/None"


class Requests:
    """What a stack asks of AWS, by its calls to the rehearsal: each action, and the resources that it may be about."""

    def __init__(self) -> None:
        self.stack: Passage | None = None
        self.asked: dict[tuple[str, str], tuple[str, frozenset[str], iam.Context]] = {}
        self._known: dict[str, dict[str, Any]] = {}

    def __call__(self, call: Call) -> None:
        if self.stack is None or call.type not in ROWS or DELIVERY in call.urn:
            return
        with self.stack.cloud.state.lock:
            for each in self.stack.cloud.state.every(call.type):
                if each.urn == call.urn:
                    self._known[call.urn] = json.loads(json.dumps({**each.inputs, **each.outputs}, default=str))
        if call.ok:
            self._ask(call, self._known[call.urn])

    def _ask(self, call: Call, known: Mapping[str, Any]) -> None:
        row, op = ROWS[call.type], call.op
        context = {"aws:RequestedRegion": "us-east-1", "iam:PermissionsBoundary": self._boundary(known)}
        hands_on = op in ("create", "update") and any(":role/" in each for each in _arns(known, "iam") - {NO_ROLE})
        passes = {"iam:PassRole": {"iam:PassedToService": min(row.passed_to)}} if row.passed_to and hands_on else {}
        for action in {*row.of(op), *passes}:
            arns = frozenset(_arns(known, action.partition(":")[0]))
            self.asked[call.urn, f"{op} {action}"] = (action, arns, context | passes.get(action, {}))

    def _boundary(self, known: Mapping[str, Any]) -> str:
        """That of the role that it is about."""
        roles = [each for urn, each in self._known.items() if f"{types.ROLE}::" in urn]
        (role,) = [each for each in [known, *roles] if each.get("permissionsBoundary") and _is(each, known)][:1] or [{}]
        return str(role.get("permissionsBoundary", ""))


def _is(role: Mapping[str, Any], known: Mapping[str, Any]) -> bool:
    return role is known or role.get("name") == known.get("role")


def _arns(known: Mapping[str, Any], service: str) -> set[str]:
    """The ARNs that it has to do with, of a service; `*` where it may be about none."""
    role = f"arn:aws:iam::123456789012:role/{known.get('role')}"
    profile = f"arn:aws:iam::123456789012:instance-profile/{known.get('iamInstanceProfile')}"
    bucket = f"arn:aws:s3:::{known.get('bucket')}"
    repository = f"arn:aws:ecr:us-east-1:123456789012:repository/{known.get('repository')}"
    cluster = f"arn:aws:eks:us-east-1:123456789012:cluster/{known.get('clusterName')}"
    written = json.dumps(known)
    listed = {each for each in written.replace("\\", "").split('"') if each.startswith("arn:aws:")}
    found = {each for each in {*listed, role, profile, bucket, repository, cluster} if each.split(":")[2] == service}
    return {*found, "*"}


def _policies(stack: Passage) -> list[str]:
    """Those of the role that deploys, as they are on the pretend AWS."""
    state = stack.cloud.state
    (role,) = [each for each in state.every(types.ROLE) if each.name == "github-deploy"]
    attached = {each.get("policyArn") for each in state.where(types.ROLE_POLICY_ATTACHMENT, "role", role.get("name"))}
    return [each.get("policy") for each in state.every(types.POLICY) if each.get("arn") in attached]


SAMPLE = [("ecr", "ecs-fargate", "eks"), ("ghcr", "ecs-ec2", "swarm-ec2")]
EVERY = [
    *[("ecr", old, new) for old, new in permutations(ON_AWS, 2)],
    *[(registry, old, new) for registry, (old, new) in zip(REGISTRIES, cycle(permutations(ON_AWS, 2)), strict=False)],
]
"""Each switch, and each registry with one of them: what an orchestrator takes does not depend on the registry."""


@pytest.mark.engine
@pytest.mark.parametrize(("registry", "old", "new"), EVERY if os.environ.get("SWITCHYARD_EVERY") else SAMPLE)
def test_what_up_switch_and_destroy_ask_for_is_allowed(tmp_path: Path, registry: str, old: str, new: str) -> None:
    """By the very policies that are made, evaluated over each call: with its resource and its conditions."""
    requests = Requests()
    more = configuration(registry, old) | {"github": GITHUB | {"orchestrators": [old, new]}}
    both = services(old)["api"].keys() & services(new)["api"].keys() - {"secrets"}
    more["services"] = {"api": {key: each for key, each in services(new)["api"].items() if key in both}}
    hidden = {"password", "service-account-key"} & more.get(registry, {}).keys()
    more |= {registry: {key: each for key, each in more.get(registry, {}).items() if key not in hidden}}
    secrets = {SECRET: "staple", **{f"switchyard:{registry}.{key}": BLOCKS[registry][key] for key in hidden}}
    with passage(tmp_path, registry, old, more=more, secrets=secrets, on_call=requests) as stack:
        requests.stack = stack
        stack.up()
        policies = _policies(stack)
        stack.set(orchestrator=new)
        stack.up()
        assert _policies(stack) == policies  # a switch between those that are named leaves the roles as they are
        _check_boundary(stack, new, {"api-pod"} if "permissions" in both else set())
        stack.destroy()
        assert len(stack.cloud.state) == 0
    refused = {
        what: action
        for what, (action, arns, context) in requests.asked.items()
        if not any(iam.decide(policies, action, arn, context) == "allow" for arn in arns)
    }
    assert refused == {}
    assert len(requests.asked) > 300


def _check_boundary(stack: Passage, key: str, pods: set[str]) -> None:
    """On every role but those of the workflows themselves, also inside the packaged cluster of EKS."""
    roles = stack.cloud.state.every(types.ROLE)
    bounded = {each.name for each in roles if each.get("permissionsBoundary")}
    assert not [name for name in {each.name for each in roles} - bounded if not name.startswith("github-")]
    assert bounded
    if key == "eks":
        assert {"eks-eksRole-role", "eks-nodeRole-role", *pods} <= bounded
        assert {call.type for call in stack.cloud.calls} >= INSIDE_EKS
