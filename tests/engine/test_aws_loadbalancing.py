"""The rehearsal's load balancers."""

import pytest

from rehearsal.aws import types
from rehearsal.aws.health import targets
from tests.engine.account import Town, no

pytestmark = pytest.mark.engine


def test_a_target_group_in_a_rule_stays_and_without_it_goes(town: Town) -> None:
    rule = town.rule({town.targets.id: 1})
    with no("ResourceInUse"):
        town.delete(town.targets)
    town.delete(rule)
    town.delete(town.targets)


def test_a_priority_is_used_once(town: Town) -> None:
    town.rule({town.targets.id: 1}, "one")
    with no("PriorityInUse"):
        town.rule({town.targets.id: 1}, "two")
    assert town.rule({town.targets.id: 1}, "two", priority=2).get("priority") == 2


def test_a_forward_has_one_to_five_groups_and_some_weight(town: Town) -> None:
    groups = [town.target_group(f"g{index}").id for index in range(6)]
    with no("TooManyTargetGroups"):
        town.rule(dict.fromkeys(groups, 1))
    with no("ValidationError"):
        town.rule(dict.fromkeys(groups[:2], 0))
    with no("ValidationError"):
        town.rule({groups[0]: 1000})
    rule = town.rule(dict(zip(groups[:5], (0, 1, 2, 3, 999), strict=True)))
    with no("ValidationError"):
        town.change(rule, actions=[{"forward": {"targetGroups": [{"arn": groups[0], "weight": 0}]}}])


def test_weights_go_to_groups_that_the_balancer_can_use(town: Town) -> None:
    with no("TargetGroupNotFound"):
        town.rule({"arn:aws:elasticloadbalancing:eu-central-1:1:targetgroup/no/1": 1})
    with no("InvalidConfigurationRequest"):
        town.rule({town.target_group("tcp", protocol="TCP").id: 1})
    elsewhere = town.make(types.VPC, "elsewhere", cidrBlock="10.1.0.0/16")
    with no("InvalidConfigurationRequest"):
        town.rule({town.target_group("far", vpcId=elsewhere.id).id: 1})
    second = town.make(types.LOAD_BALANCER, "second", subnets=town.ids)
    listener = town.make(types.LISTENER, "second", loadBalancerArn=second.id, port=80)
    town.rule({town.targets.id: 1})
    actions = [{"type": "forward", "targetGroupArn": town.targets.id}]
    with no("TargetGroupAssociationLimit"):
        town.make(types.LISTENER_RULE, "again", listenerArn=listener.id, priority=1, actions=actions)


def test_a_balancer_needs_two_zones_and_lets_go_only_unprotected(town: Town) -> None:
    with no("ValidationError"):
        town.make(types.LOAD_BALANCER, "narrow", subnets=town.ids[:1])
    guarded = town.make(types.LOAD_BALANCER, "guarded", subnets=town.ids, enableDeletionProtection=True)
    with no("OperationNotPermitted"):
        town.delete(guarded)
    town.change(guarded, enableDeletionProtection=False)
    town.delete(guarded)


def test_replicas_are_reached_on_the_port_that_their_group_lets_in(town: Town) -> None:
    town.rule({town.targets.id: 1})
    network = {"subnets": town.ids, "assignPublicIp": True, "securityGroups": [town.group.id]}
    mapping = {"targetGroupArn": town.targets.id, "containerName": "api", "containerPort": 8080}
    town.service(networkConfiguration=network, loadBalancers=[mapping], desiredCount=1)

    def states() -> list[tuple[int, str]]:
        return [(each.port, each.state) for each in targets(town.state, town.targets, 0)]

    assert states() == [(8080, "healthy")]  # no rule is known, so it is someone else's group
    town.let_in(town.group.id, 9000)
    assert states() == [(8080, "unhealthy")]
    town.let_in(town.group.id, 8080)
    assert states() == [(8080, "healthy")]
    with no("InvalidPermission.Duplicate"):
        town.let_in(town.group.id, 8080)
