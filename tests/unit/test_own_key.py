"""A KMS key of one's own: what is under it, who may use it, and what is refused."""

import re
from typing import Any

import pytest

from components import own_key
from components.aws import parts
from components.testing.engine import Graph
from config.problems import BadConfig
from policy import CONTROLS, control
from tests.conformance.judged import resources
from tests.program import config_for, run_program
from tests.unit.test_lookups import run, says

KEY = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
ASKED = "aws:kms/getKey:getKey"
SECRET = {"secrets": {"TOKEN": "correct-horse"}}


def made(registry: str = "ecr", key: str = "ecs-fargate", **more: Any) -> Graph:
    return run_program({**config_for(registry, key, **more), "kms-key": KEY}, ("services", registry))


def service(**more: Any) -> dict[str, Any]:
    return {"api": {"digest": f"sha256:{'a' * 64}", **more}}


def allowed(graph: Graph, action: str) -> list[Any]:
    """The statements of roles' policies that have an action."""
    found = [control.Resource("", "", each.inputs).document("policy") for each in graph.of("iam/rolePolicy:RolePolicy")]
    return [one for each in found for one in each["Statement"] if action in one["Action"]]


def test_images_logs_and_secrets_are_under_it() -> None:
    graph = made(**service(**SECRET))
    (repository,) = graph.of("ecr/repository:Repository")
    assert repository.inputs["encryptionConfigurations"] == [{"encryptionType": "KMS", "kmsKey": KEY}]
    assert {each.inputs.get("kmsKeyId") for each in graph.of("cloudwatch/logGroup:LogGroup")} == {KEY}
    assert {each.inputs.get("kmsKeyId") for each in graph.of("secretsmanager/secret:Secret")} == {KEY}
    assert graph.export(own_key.OUTPUT) == KEY
    assert CONTROLS["one-key"].broken_by(control.Graph(resources(graph))) == []


def test_a_cluster_of_eks_is_under_it() -> None:
    graph = made(key="eks")
    assert graph.one("eks:index:Cluster").inputs["encryptionConfigKeyArn"] == KEY
    assert {each.inputs.get("kmsKeyId") for each in graph.of("cloudwatch/logGroup:LogGroup")} == {KEY}


def test_the_login_of_a_cache_is_not_for_ecr_takes_no_other_key_there() -> None:
    graph = made("ghcr")
    assert [each.inputs.get("kmsKeyId") for each in graph.of("secretsmanager/secret:Secret")] == [None]
    assert CONTROLS["one-key"].broken_by(control.Graph(resources(graph))) == []


@pytest.mark.parametrize("key", ["ecs-fargate", "ecs-ec2", "swarm-ec2"])
def test_who_reads_secrets_may_decrypt_them_with_it_and_by_no_other_way(key: str) -> None:
    ((statement),) = allowed(made(key=key, **service(**SECRET)), "kms:Decrypt")
    assert statement["Resource"] == [KEY]
    assert statement["Condition"] == {"StringEquals": {"kms:ViaService": "secretsmanager.us-east-1.amazonaws.com"}}


def test_who_reads_none_may_not() -> None:
    assert allowed(made(), "kms:Decrypt") == []


def test_what_it_costs_is_said_as_far_as_it_is_known() -> None:
    cost = made(**service(**SECRET)).export("cost")
    assert "what logs and images ask of the KMS key: how often they do is not known" in cost["unknown"]


@pytest.mark.parametrize(
    ("keys", "wanted"),
    [
        ({"kms-key": "alias/ours"}, "want a KMS key's ARN, not an alias's"),
        ({"kms-key": KEY.replace("us-east-1", "eu-west-1")}, "want a key of us-east-1, the stack's region"),
        ({"kms-key": KEY, **config_for("ecr-public", "swarm")}, "want an orchestrator on AWS, not swarm"),
    ],
)
def test_what_cannot_be_is_refused(keys: dict[str, Any], wanted: str) -> None:
    with pytest.raises(BadConfig, match=re.escape(wanted)):
        run_program({**config_for("ecr", "ecs-fargate"), **keys})


def test_one_that_is_not_there_or_is_disabled_is_told_before_anything_is_made() -> None:
    answers = {ASKED: says("reading KMS Key (x): NotFoundException: Key 'x' does not exist")}
    error, count = run({"kms-key": KEY}, answers)
    assert "switchyard:kms-key is 'arn:aws:kms:" in str(error)
    assert "does not exist" in str(error)
    about = {"keyState": "Disabled", "keyUsage": "ENCRYPT_DECRYPT", "keySpec": "SYMMETRIC_DEFAULT"}
    disabled, nothing = run({"kms-key": KEY}, {ASKED: lambda _: about})
    assert (
        "want a symmetric KMS key for encryption that is enabled, in the stack's region; AWS says: its key_state"
        in (str(disabled))
    )
    assert (count, nothing) == (0, 0)


@pytest.mark.parametrize("now", [{}, {"kms-key": KEY.replace("1234abcd", "abcd1234")}])
def test_a_stack_keeps_the_key_that_it_was_given(now: dict[str, str]) -> None:
    outputs = {"pulumi:pulumi:readStackOutputs": lambda args: {"name": args["name"], "outputs": {own_key.OUTPUT: KEY}}}
    error, count = run(now, outputs)
    assert f"want {KEY}, which the stack was given" in str(error)
    assert count == 0


def test_whoever_deploys_may_use_it_and_whoever_previews_may_look() -> None:
    access = parts.own_key(KEY, {"aws:eks/cluster:Cluster"})
    assert access.arns == (KEY.removeprefix("arn:aws:"),)
    assert access.looks_up == {"kms:DescribeKey": KEY.removeprefix("arn:aws:")}
    assert "eks:AssociateEncryptionConfig" in access.actions
    assert "eks:AssociateEncryptionConfig" not in parts.own_key(KEY, ()).actions
