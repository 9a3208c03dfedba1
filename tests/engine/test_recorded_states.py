"""Stacks that an earlier program made: the program of today has nothing to do on them but what changed on purpose."""

import base64
import json
import re
from collections.abc import Iterator, Mapping
from itertools import chain

import dill  # type: ignore[import-untyped]
import pytest
from pulumi.dynamic import ResourceProvider

from rehearsal import Cloud
from tests.engine import states
from tests.engine.record_states import PAIRS, cases
from tests.engine.states import Viewer

pytestmark = pytest.mark.engine

BUDGET = "a budget for every service, which owns the autoscaler and goes before the Deployment"
FORCED = "what someone else has set does not make `up` fail"
ON_KUBERNETES: Mapping[str, str] = {
    "create kubernetes:policy/v1:PodDisruptionBudget": BUDGET,
    "note kubernetes:apps/v1:Deployment dependencies": BUDGET,
    "note kubernetes:apps/v1:Deployment customTimeouts": "a bad image holds `up` for ten minutes, not fifteen",
    "note kubernetes:autoscaling/v2:HorizontalPodAutoscaler dependencies": BUDGET,
    "update kubernetes:apps/v1:Deployment metadata.annotations"
    " spec.template.spec.containers[0].terminationMessagePolicy": f"{FORCED}, and its error has a container's words",
    "update kubernetes:autoscaling/v2:HorizontalPodAutoscaler metadata.ownerReferences": BUDGET,
    "update kubernetes:policy/v1:PodDisruptionBudget metadata.annotations": BUDGET,
    "update pulumi:providers:kubernetes enablePatchForce": FORCED,
}
ONE_RULE = "one rule for the range of ports: a security group has room for 60"
ON_SWARM_EC2: Mapping[str, str] = {
    "create aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": ONE_RULE,
    "delete aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": ONE_RULE,
} | dict.fromkeys(
    (
        "create aws:secretsmanager/secretPolicy:SecretPolicy",
        "update aws:iam/rolePolicy:RolePolicy policy",
        "delete aws:iam/rolePolicy:RolePolicy",
        "note aws:iam/rolePolicy:RolePolicy dependencies",
        "note pulumi-python:dynamic/swarm:Secret dependencies",
        "note pulumi-python:dynamic/swarm:Service dependencies",
    ),
    "a role has room for what any number of services need: one policy for all, and of each secret its own",
)
ASKS_THE_LAST_UP = "create pulumi:providers:pulumi"
"""Pulumi's own provider, which no summary counts: every `up` asks what the last one recorded, for the next release."""
SAYS_WHY = "every rule of a security group says what it is for"
DESCRIBED: Mapping[str, str] = {
    f"update aws:vpc/securityGroup{way}Rule:SecurityGroup{way}Rule description": SAYS_WHY
    for way in ("Ingress", "Egress")
}
AT_THE_EDGE: Mapping[str, str] = {
    **DESCRIBED,
    "update aws:s3/bucketPolicy:BucketPolicy policy": "the bucket of access logs takes the account's own alone",
    "update aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration rules[0].abortIncompleteMultipartUpload": (
        "what was never uploaded whole costs nothing for ever"
    ),
}
FLOWS = "production logs who was turned away in its network"
IN_PRODUCTION: Mapping[str, str] = dict.fromkeys(
    (
        "create aws:ec2/flowLog:FlowLog",
        "create aws:cloudwatch/logGroup:LogGroup",
        "create aws:iam/role:Role",
        "create aws:iam/rolePolicy:RolePolicy",
    ),
    FLOWS,
)
CHANGED_ON_PURPOSE: Mapping[str, Mapping[str, str]] = {
    "ecs-fargate": AT_THE_EDGE,
    "ecs-ec2": AT_THE_EDGE,
    "eks": {**AT_THE_EDGE, **ON_KUBERNETES},
    "kubernetes": ON_KUBERNETES,
    "swarm-ec2": {**AT_THE_EDGE, **ON_SWARM_EC2},
}
"""Orchestrator -> what the next `up` does to each recorded stack that has it -> why. A step is written as `Step.kind`
writes it, operation, type and what differs: "update kubernetes:apps/v1:Deployment spec.replicas". Where a stack has no
resource of the type, there is no step either."""


@pytest.fixture(scope="session")
def viewer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Viewer]:
    """One for all tests: to make a stack takes as long as to look at it."""
    with Cloud() as cloud:
        yield Viewer(tmp_path_factory.mktemp("recorded") / "stack", cloud)


@pytest.mark.parametrize("name", cases())
def test_a_stack_of_the_earlier_program_is_left_as_it_is(viewer: Viewer, name: str) -> None:
    viewer.restore(name)
    steps = viewer.preview()
    has = {each["type"] for each in states.recorded()[name]["state"]["checkpoint"]["latest"]["resources"]}
    changed = set(chain(*(CHANGED_ON_PURPOSE.get(key, {}) for key in cases()[name].orchestrators)))
    changed |= IN_PRODUCTION.keys() if name.startswith("production-") else set()
    assert [step for step in steps if step.kind not in changed | {ASKS_THE_LAST_UP}] == []
    assert {kind for kind in changed if kind.split()[1] in has} <= {step.kind for step in steps}


def test_every_pair_is_recorded() -> None:
    assert list(states.recorded()) == list(cases())
    assert {f"{registry}-{key}" for registry, key in PAIRS} <= states.recorded().keys()


def test_the_providers_in_the_states_are_where_they_were() -> None:
    """Swarm's resources are deleted by what their state has pickled, not by the program of that day."""
    pickled = set(re.findall(r'"__provider": "([^"]+)"', json.dumps(states.recorded())))
    assert len(pickled) == 5
    assert all(isinstance(dill.loads(base64.b64decode(each)), ResourceProvider) for each in pickled)


class TestItCanFail:
    @pytest.mark.parametrize(
        ("name", "workload"),
        {
            "ecr-ecs-fargate": "aws:ecs/taskDefinition:TaskDefinition",
            "ecr-ecs-ec2": "aws:ecs/taskDefinition:TaskDefinition",
            "ecr-eks": "kubernetes:apps/v1:Deployment",
            "ecr-swarm-ec2": "pulumi-python:dynamic/swarm:Service",
            "ghcr-kubernetes": "kubernetes:apps/v1:Deployment",
            "ghcr-swarm": "pulumi-python:dynamic/swarm:Service",
        }.items(),
    )
    def test_another_input_is_seen(self, viewer: Viewer, name: str, workload: str) -> None:
        viewer.restore(name)
        before = viewer.preview()
        viewer.set("switchyard:services", "api", "env", "LOG_LEVEL", to="debug")
        assert {step.name for step in {*viewer.preview()} - {*before} if step.type == workload} == {"api"}

    @pytest.mark.parametrize("former", ["::edge-http", "aws:lb/listener:Listener"])
    def test_another_name_or_type_is_seen(self, viewer: Viewer, former: str) -> None:
        viewer.restore("ecr-ecs-fargate", lambda state: state.replace(former, f"{former}X"))
        made = [step for step in viewer.preview() if step.op == "create" and step.kind != ASKS_THE_LAST_UP]
        assert [(step.type, step.name) for step in made] == [("aws:lb/listener:Listener", "edge-http")]

    @pytest.mark.parametrize("key", ["dependencies", "ignoreChanges", "customTimeouts"])
    def test_what_is_no_step_is_seen_too(self, viewer: Viewer, key: str) -> None:
        viewer.restore("ecr-eks", lambda state: re.sub(rf', "{key}": (\[[^]]*\]|{{[^}}]*}})', "", state))
        assert f"note kubernetes:apps/v1:Deployment {key}" in {step.kind for step in viewer.preview()}
