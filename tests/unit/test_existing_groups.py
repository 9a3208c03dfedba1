"""Security groups that exist: who is in them, and what is then not made."""

import re
from typing import Any

import pytest

from components.testing.engine import Graph
from config.problems import BadConfig
from policy import CONTROLS, control
from tests.conformance.judged import resources
from tests.program import EXISTING, config_for, run_program
from tests.unit.test_lookups import run, says

VPC = {"vpc": EXISTING["vpc"]}
GROUPS = {"load-balancer": "sg-callers", "replicas": "sg-replicas"}
MADE = (
    "ec2/securityGroup:SecurityGroup",
    "vpc/securityGroupIngressRule:SecurityGroupIngressRule",
    "vpc/securityGroupEgressRule:SecurityGroupEgressRule",
)
BOUND = re.compile(r"sg-\w+")


def made(key: str = "ecs-fargate", groups: dict[str, str] = GROUPS, **more: Any) -> Graph:
    return run_program({**config_for("ecr", key), **VPC, "security-groups": groups, **more})


@pytest.mark.parametrize("key", ["ecs-fargate", "ecs-ec2", "swarm-ec2"])
def test_all_are_in_them_and_none_is_made(key: str) -> None:
    graph = made(key)
    assert [each for kind in MADE for each in graph.of(kind)] == []
    assert graph.one("lb/loadBalancer:LoadBalancer").inputs["securityGroups"] == ["sg-callers"]
    others = [each for each in graph if each.type != "aws:lb/loadBalancer:LoadBalancer"]
    assert {name for each in others for name in BOUND.findall(str(each.inputs))} == {"sg-replicas"}


def test_of_one_alone_the_other_is_the_stacks_own() -> None:
    graph = made(groups={"load-balancer": "sg-callers"})
    (group,) = graph.of(MADE[0])
    (rule,) = graph.of(MADE[1])
    assert (group.name, rule.inputs["referencedSecurityGroupId"]) == ("api", "sg-callers")
    graph = made(groups={"replicas": "sg-replicas"})
    assert [each.name for each in graph.of(MADE[0])] == ["edge"]
    assert [each.name for each in graph.of(MADE[1])] == ["edge-80"]


def test_on_eks_the_nodes_have_the_one_that_eks_makes() -> None:
    graph = made("eks", {"load-balancer": "sg-callers"})
    assert graph.of(MADE[0]) == []
    assert graph.one(MADE[1], "eks-load-balancer").inputs["referencedSecurityGroupId"] == "sg-callers"


def test_no_control_is_broken_by_them() -> None:
    def broken(graph: Graph) -> set[str]:
        found = control.Graph(resources(graph))
        return {name for name, each in CONTROLS.items() if not each.exception and each.broken_by(found)}

    assert broken(made()) == broken(run_program({**config_for("ecr", "ecs-fargate"), **VPC}))


@pytest.mark.parametrize(
    ("keys", "wanted"),
    [
        ({"vpc": None}, "want the VPC that `security-groups` are in"),
        ({"security-groups": {"replicas": None}}, "want load-balancer, replicas, or both"),
        ({"security-groups": {"replicas": "web"}}, "want the id of a security group, such as sg-0abc1234"),
        ({"load-balancer": EXISTING["load-balancer"]}, "security-groups.load-balancer is 'sg-callers'; want nothing"),
        ({**config_for("ecr", "eks")}, "want nothing with eks: EKS makes the security group of its nodes itself"),
        ({**config_for("ecr-public", "swarm"), "vpc": None}, "want an orchestrator on AWS, not swarm"),
    ],
)
def test_where_nothing_would_be_in_them_they_are_refused(keys: dict[str, Any], wanted: str) -> None:
    config = {**config_for("ecr", "ecs-fargate"), **VPC, "security-groups": GROUPS, **keys}
    with pytest.raises(BadConfig, match=re.escape(wanted)):
        run_program({key: value for key, value in config.items() if value is not None})


def test_one_that_is_not_there_or_in_another_vpc_is_told_before_anything_is_made() -> None:
    answers = {"aws:ec2/getSecurityGroup:getSecurityGroup": says("no matching EC2 Security Group found")}
    error, count = run({**VPC, "security-groups": GROUPS}, answers)
    assert "security-groups.replicas is 'sg-replicas'; want the id of a security group in vpc-1" in str(error)
    assert count == 0
