"""What a service may do on AWS: which statements are taken, and what becomes of them."""

import json
from functools import cache
from typing import Any

import pytest

from components.permissions import LONGEST, policy_length
from components.testing.engine import Graph
from tests.program import DIGEST, EXISTING, config_for, run_program
from tests.unit.test_settings import BASE, api, complaint, load

READS = {"actions": ["s3:GetObject"], "resources": ["arn:aws:s3:::photos/*"]}
TAGGED = {"StringEquals": {"aws:ResourceTag/team": "shop"}, "Bool": {"aws:SecureTransport": ["true"]}}


@cache
def made(orchestrator: str, asks: bool = True) -> Graph:
    service = {"digest": DIGEST, **({"permissions": [{**READS, "conditions": TAGGED}]} if asks else {})}
    return run_program({**config_for("ecr", orchestrator, api=service), **EXISTING})


def statements(graph: Graph, name: str) -> Any:
    return json.loads(graph.one("iam/rolePolicy:RolePolicy", name).inputs["policy"])["Statement"]


STATEMENT = {
    "Effect": "Allow",
    "Action": ["s3:GetObject"],
    "Resource": ["arn:aws:s3:::photos/*"],
    "Condition": {"StringEquals": {"aws:ResourceTag/team": ["shop"]}, "Bool": {"aws:SecureTransport": ["true"]}},
}


@pytest.mark.parametrize("key", ["ecs-fargate", "ecs-ec2"])
def test_on_ecs_they_are_the_task_roles_before_the_replicas_start(key: str) -> None:
    graph = made(key)
    assert statements(graph, "api-task") == [STATEMENT]
    policy = graph.one("iam/rolePolicy:RolePolicy", "api-task")
    assert policy.urn in graph.waits_for(graph.one("ecs/service:Service", "api"))
    assert not [each for each in made(key, asks=False) if each.type == policy.type and each.name == "api-task"]


def test_on_eks_the_pods_have_a_role_before_they_start() -> None:
    graph = made("eks")
    assert statements(graph, "api-pod") == [STATEMENT]
    association = graph.one("eks/podIdentityAssociation:PodIdentityAssociation", "api")
    assert association.inputs["namespace"] == "switchyard-dev"
    account = graph.one("core/v1:ServiceAccount", "api").inputs["metadata"]["name"]
    assert association.inputs["serviceAccount"] == account == "api"
    trust = json.loads(graph.one("iam/role:Role", "api-pod").inputs["assumeRolePolicy"])["Statement"]
    assert trust[0]["Principal"] == {"Service": "pods.eks.amazonaws.com"}
    deployment = graph.one("apps/v1:Deployment", "api")
    policy = graph.one("iam/rolePolicy:RolePolicy", "api-pod")
    assert {association.urn, policy.urn} <= graph.waits_for(deployment)


def test_on_eks_pods_that_run_make_way_when_the_service_gets_a_role() -> None:
    """A pod gets the role as it starts, or never."""
    marks = [
        made("eks", asks).one("apps/v1:Deployment", "api").inputs["spec"]["template"]["metadata"].get("annotations")
        for asks in (False, True)
    ]
    assert marks == [None, {"switchyard/permissions": "true"}]
    assert not made("eks", asks=False).of("eks/podIdentityAssociation:PodIdentityAssociation")


@pytest.mark.parametrize(
    ("permission", "said"),
    [
        ({"actions": ["*"], "resources": ["*"]}, "actions * on resources * allows everything in the account"),
        ({"actions": ["*:*"], "resources": ["*"]}, "want an action such as s3:GetObject"),
        ({"actions": ["s3"], "resources": ["*"]}, "want an action such as s3:GetObject"),
        ({"actions": [], "resources": ["*"]}, "permissions[0].actions is a list; want at least 1 entry"),
        ({"actions": ["s3:*"], "resources": ["photos"]}, "want an ARN such as arn:aws:s3:::photos/*"),
        ({"actions": ["*"], "resources": ["arn:aws:*:*:*:*"]}, "want an ARN such as arn:aws:s3:::photos/*"),
        ({"actions": ["s3:*"]}, "permissions[0].resources is not set"),
        ({**READS, "NotAction": ["s3:*"]}, "a statement here allows {actions} on {resources}"),
        ({**READS, "effect": "Deny"}, "a statement here allows {actions} on {resources}"),
        ({**READS, "conditions": {"ForAllValues:StringEquals": {"a:b": "c"}}}, "not ForAllValues"),
        ({**READS, "conditions": {"Is": {"a:b": "c"}}}, "want an operator of IAM's conditions such as StringEquals"),
        ({**READS, "conditions": {"Bool": {"secure": "true"}}}, "want a condition key such as aws:ResourceTag/team"),
    ],
)
def test_a_wrong_statement_is_told_at_its_key(permission: dict[str, Any], said: str) -> None:
    text = complaint({**BASE, **api(permissions=[permission])})
    assert "switchyard:services.api.permissions[0]" in text
    assert said in text


@pytest.mark.parametrize(
    "permission",
    [
        {"actions": ["s3:*"], "resources": ["*"]},
        {"actions": ["*"], "resources": ["arn:aws:s3:::photos/*"]},
        {
            "actions": ["dynamodb:Get?tem"],
            "resources": ["arn:aws-cn:dynamodb:*:1:table/${aws:PrincipalTag/t}"],
        },
        {**READS, "conditions": {"ForAnyValue:StringLikeIfExists": {"aws:TagKeys": ["a", "b"]}}},
    ],
)
def test_what_iam_takes_is_taken(permission: dict[str, Any]) -> None:
    assert len(load({**BASE, **api(permissions=[permission])}).services["api"].permissions) == 1


def test_more_than_a_role_takes_is_refused_before_anything_is_made() -> None:
    def table(length: int) -> dict[str, Any]:
        return {"actions": ["dynamodb:GetItem"], "resources": ["arn:aws:dynamodb:us-east-1:1:table/" + "x" * length]}

    empty = policy_length(load({**BASE, **api(permissions=[table(0)])}).services["api"].permissions)
    fits = LONGEST - empty
    assert policy_length(load({**BASE, **api(permissions=[table(fits)])}).services["api"].permissions) == LONGEST
    text = complaint({**BASE, **api(permissions=[table(fits + 1)])})
    assert "services.api.permissions is a list; want statements of at most 10,240 characters as a policy" in text
    assert "these have 10,241" in text


@pytest.mark.parametrize("key", ["swarm", "swarm-ec2", "kubernetes"])
def test_elsewhere_they_are_refused_by_name(key: str) -> None:
    text = complaint(config_for("oci", key, api={"digest": DIGEST, "permissions": [READS]}))

    assert f"services.api.permissions is a list; want what {key} can do: " in text
