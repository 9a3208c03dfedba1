"""`yard doctor` and the room in an account: each quota, without any network."""

import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.commands.accounts import BALANCER, LISTENER, VPC, Aws, look_for
from tests.commands.doctoring import settings_of
from yard.checks import Finding
from yard.checks.project import Owned


class TestQuotas:
    @pytest.mark.parametrize(("limit", "status"), [(3, "ok"), (2, "fail")])
    def test_vpcs(self, tmp_path: Path, cloud: Aws, limit: float, status: str) -> None:
        cloud.answers("ec2", "describe_vpcs", {"Vpcs": [{"VpcId": "vpc-1"}, {"VpcId": "vpc-2"}]})
        found = look_for("quota-vpcs", cloud.quota("L-F678F1CE", limit).account(settings_of(tmp_path)))
        assert found
        assert (found.status, found.says) == (status, f"1 of {limit:g} VPCs needed, 2 in use")
        assert ("--service-code vpc --quota-code L-F678F1CE --desired-value 3 --region us-east-1" in found.fix) == (
            status == "fail"
        )

    def test_a_vpc_that_is_there_needs_no_room(self, tmp_path: Path, cloud: Aws) -> None:
        assert look_for("quota-vpcs", cloud.account(settings_of(tmp_path, vpc=VPC))) is None
        made = Owned(frozenset({("aws:ec2/vpc:Vpc", "vpc-1")}))
        assert look_for("quota-vpcs", cloud.account(settings_of(tmp_path), made)) is None

    def test_the_quota_that_all_start_with(self, tmp_path: Path, cloud: Aws) -> None:
        cloud.answers("ec2", "describe_vpcs", {"Vpcs": []})
        cloud.refuses("service-quotas", "get_service_quota", "NoSuchResourceException")
        cloud.answers("service-quotas", "get_aws_default_service_quota", {"Quota": {"Value": 5.0}})
        found = look_for("quota-vpcs", cloud.account(settings_of(tmp_path)))
        assert found == Finding("quota-vpcs", "ok", "1 of 5 VPCs needed")

    @pytest.mark.parametrize(
        ("network", "made", "needed"),
        [("public", 0, 0), ("nat-single", 0, 1), ("nat-per-az", 0, 3), ("nat-per-az", 1, 2), ("nat-single", 1, 0)],
    )
    def test_elastic_ips(self, tmp_path: Path, cloud: Aws, network: str, made: int, needed: int) -> None:
        owned = Owned(frozenset(("aws:ec2/eip:Eip", str(each)) for each in range(made)))
        account = cloud.account(settings_of(tmp_path, network=network, zones=3), owned)
        if needed:
            cloud.answers("ec2", "describe_addresses", {"Addresses": []}).quota("L-0263D0A3", needed - 1)
        found = look_for("quota-elastic-ips", account)
        assert (found is None) == (needed == 0)
        if found:
            assert found.status == "fail"
            assert found.says.startswith(f"{needed} of {needed - 1} Elastic IP addresses needed")

    @pytest.mark.parametrize(
        ("spot", "kind", "limit", "status"),
        [(False, "On-Demand", 6, "ok"), (False, "On-Demand", 5, "warn"), (True, "Spot", 1, "fail")],
    )
    def test_fargate_runs_every_replica_twice_while_it_rolls(
        self, tmp_path: Path, cloud: Aws, spot: bool, kind: str, limit: float, status: str
    ) -> None:
        api = {"cpu": 0.3, "replicas": {"min": 1, "max": 4}}  # Fargate sells 0.5 vCPU
        services = {"api": api, "web": {"cpu": 1, "memory": 2048, "path": "/w"}}
        settings = settings_of(tmp_path, services=services, **{"ecs-fargate": {"spot": spot}})
        found = look_for("quota-fargate-vcpu", cloud.quota("L", limit).account(settings))
        assert found
        assert found.status == status
        assert found.says == f"1.5 of {limit:g} Fargate {kind} vCPU needed, 6 at the most"
        assert ("--desired-value 6" in found.fix) == (status != "ok")

    @pytest.mark.parametrize(
        ("types", "needed", "status"),
        [(["t3.small"], 2, "ok"), (["t3.small", "t3.xlarge"], 4, "ok"), (["t3.small", "t4g.xlarge"], 6, "warn")],
    )
    def test_instances_are_of_the_largest_type(
        self, tmp_path: Path, cloud: Aws, types: list[str], needed: int, status: str
    ) -> None:
        block = {"isolated": True, "instance-types": types, "max": 4}
        settings = settings_of(tmp_path, orchestrator="ecs-ec2", **{"ecs-ec2": block})
        found = look_for("quota-instance-vcpu", cloud.quota("L", 16).account(settings))
        assert found
        assert found.status == status
        assert found.says == f"{needed} of 16 vCPU of On-Demand instances needed, {4 * needed} at the most"

    def test_nodes_of_a_swarm_are_all_there_from_the_start(self, tmp_path: Path, cloud: Aws) -> None:
        settings = settings_of(tmp_path, orchestrator="swarm-ec2", **{"swarm-ec2": {"managers": 3, "workers": 2}})
        found = look_for("quota-instance-vcpu", cloud.quota("L-1216C47A", 10).account(settings))
        assert found == Finding("quota-instance-vcpu", "ok", "10 of 10 vCPU of On-Demand instances needed")

    def test_an_instance_type_that_nobody_knows_is_not_counted(self, tmp_path: Path, cloud: Aws) -> None:
        block = {"isolated": True, "instance-types": ["x9.huge"]}
        settings = settings_of(tmp_path, orchestrator="ecs-ec2", **{"ecs-ec2": block})
        assert look_for("quota-instance-vcpu", cloud.account(settings)) is None

    def test_rules_on_a_load_balancer_that_exists(self, tmp_path: Path, cloud: Aws) -> None:
        rules = [{"RuleArn": name, "IsDefault": name == "default"} for name in ("default", "ours", "a", "b")]
        cloud.answers("elbv2", "describe_rules", {"Rules": rules}, {"ListenerArn": LISTENER})
        cloud.quota("L-7EED9B64", 4)
        settings = settings_of(tmp_path, vpc=VPC, **{"load-balancer": BALANCER})
        ours = Owned(frozenset({("aws:lb/listenerRule:ListenerRule", "ours")}))
        found = look_for("quota-listener-rules", cloud.account(settings, ours))
        assert found
        says = "2 of 4 rules on a load balancer needed, 3 at the most, 2 in use"
        assert (found.status, found.says) == ("warn", says)  # enough, but not for a move
        assert "--quota-code L-7EED9B64 --desired-value 5 --region us-east-1" in found.fix

    def test_target_groups_on_a_load_balancer_that_exists_which_nobody_raises(self, tmp_path: Path, cloud: Aws) -> None:
        arn = f"{LISTENER}/balancer"
        cloud.answers("elbv2", "describe_listeners", {"Listeners": [{"LoadBalancerArn": arn}]})
        groups = [{"TargetGroupArn": name} for name in ("ours", *(f"theirs-{each}" for each in range(100)))]
        cloud.answers("elbv2", "describe_target_groups", {"TargetGroups": groups}, {"LoadBalancerArn": arn})
        settings = settings_of(tmp_path, vpc=VPC, **{"load-balancer": BALANCER})
        ours = Owned(frozenset({("aws:lb/targetGroup:TargetGroup", "ours")}))
        found = look_for("quota-target-groups", cloud.account(settings, ours))
        assert found
        says = "1 of 100 target groups on a load balancer needed, 2 at the most, 100 in use; nobody raises it"
        assert (found.status, found.says) == ("fail", says)
        assert found.fix.startswith("divide the services among several stacks")

    def test_51_services_come_up_but_cannot_move(self, tmp_path: Path, cloud: Aws) -> None:
        services = {f"s{each}": {"path": f"/{each}"} for each in range(51)}
        found = look_for("quota-target-groups", cloud.account(settings_of(tmp_path, services=services)))
        assert found
        says = "51 of 100 target groups on a load balancer needed, 102 at the most; nobody raises it"
        assert (found.status, found.says) == ("warn", says)

    @pytest.mark.parametrize(("domain", "needed"), [(None, 2), ({"name": "a.example.com", "zone": "example.com"}, 4)])
    def test_rules_on_our_own(self, tmp_path: Path, cloud: Aws, domain: Any, needed: int) -> None:
        settings = settings_of(tmp_path, **({"domain": domain} if domain else {}))
        found = look_for("quota-listener-rules", cloud.quota("L-7EED9B64", 100).account(settings))
        says = f"{needed} of 100 rules on a load balancer needed, {needed + 1} at the most"
        assert found == Finding("quota-listener-rules", "ok", says)

    def test_managers_of_a_swarm_have_addresses_of_their_own_on_a_public_network(
        self, tmp_path: Path, cloud: Aws
    ) -> None:
        settings = settings_of(tmp_path, orchestrator="swarm-ec2", **{"swarm-ec2": {"managers": 3}})
        cloud.answers("ec2", "describe_addresses", {"Addresses": [{}, {}, {}]}).quota("L-0263D0A3", 5)
        found = look_for("quota-elastic-ips", cloud.account(settings))
        assert found
        assert (found.status, found.says) == ("fail", "3 of 5 Elastic IP addresses needed, 3 in use")

    def test_nodes_of_eks_are_counted(self, tmp_path: Path, cloud: Aws) -> None:
        services = {"api": {"cpu": 1, "memory": 1024, "replicas": {"min": 2, "max": 8}}}
        settings = settings_of(tmp_path, orchestrator="eks", services=services)
        found = look_for("quota-instance-vcpu", cloud.quota("L-1216C47A", 5).account(settings))
        assert found
        says = "4 of 5 vCPU of On-Demand instances needed, 10 at the most"
        assert (found.status, found.says) == ("warn", says)

    def test_roles_are_the_accounts_and_not_the_regions(self, tmp_path: Path, cloud: Aws) -> None:
        cloud.answers("iam", "get_account_summary", {"SummaryMap": {"Roles": 999}}).quota("L-FE177D64", 1000)
        found = look_for("quota-roles", cloud.account(settings_of(tmp_path)))
        assert found
        assert (found.status, found.says) == ("fail", "2 of 1000 IAM roles needed, 999 in use")

    @pytest.mark.parametrize("there", [True, False])
    def test_the_first_use_of_ecs_in_an_account(self, tmp_path: Path, cloud: Aws, there: bool) -> None:
        role = {
            "Path": "/",
            "RoleName": "r",
            "RoleId": "A" * 16,
            "Arn": "a" * 20,
            "CreateDate": datetime.datetime.now(),
        }
        cloud.answers("iam", "get_role", {"Role": role}) if there else cloud.refuses("iam", "get_role", "NoSuchEntity")
        found = look_for("ecs-role", cloud.account(settings_of(tmp_path)))
        assert found
        assert found.status == ("ok" if there else "warn")
        assert ("aws iam create-service-linked-role" in found.fix) != there
