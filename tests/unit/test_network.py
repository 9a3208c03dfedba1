"""The network: each kind has the ways out that it says, and no other."""

import json
from collections.abc import Mapping
from functools import cache
from ipaddress import IPv4Network
from typing import Any

import pulumi
import pytest

from components.aws.network import ANYWHERE, CIDR, OLD_ZONES, Network, NetworkArgs
from components.network_options import ExistingVpc
from components.testing.cloud import Cloud
from components.testing.engine import Graph, Node, deploy, start
from tests.program import config_for, run_program

ENDPOINTS = frozenset({"ecr.api", "logs"})


@cache
def network(**changes: Any) -> tuple[Graph, Any]:
    """The graph of a network, and what it says of itself."""
    engine = start(Cloud())
    args: dict[str, Any] = {"kind": "public", "zones": 2, "region": "us-east-1", "endpoints": ENDPOINTS}

    def program() -> dict[str, Any]:
        made = Network("network", NetworkArgs(**{**args, **changes}))
        return {
            "workloads": made.workload_subnets,
            "public": made.public_subnets,
            "public_ip": made.public_ip,
            "cidr": made.cidr,
            "ready": [each.urn for each in made.ready],
        }

    said = deploy(program)
    return engine.graph, said


def way_out(graph: Graph, subnet: str) -> str:
    """Where a subnet's route to everywhere leads: igw, the NAT gateway's name, or nowhere."""
    (association,) = [
        each
        for each in graph.of("ec2/routeTableAssociation:RouteTableAssociation")
        if each.inputs["subnetId"] == f"{subnet}-id"
    ]
    routes = [
        each
        for each in graph.of("ec2/route:Route")
        if each.inputs["routeTableId"] == association.inputs["routeTableId"]
    ]
    if not routes:
        return "nowhere"
    (route,) = routes
    assert route.inputs["destinationCidrBlock"] == ANYWHERE
    return str(route.inputs.get("gatewayId") or route.inputs["natGatewayId"])


def subnets(graph: Graph) -> list[Node]:
    return graph.of("ec2/subnet:Subnet")


def test_public_has_no_gateway_that_costs_anything() -> None:
    graph, said = network(kind="public", zones=2)
    assert not graph.of("ec2/natGateway:NatGateway")
    assert not graph.of("ec2/vpcEndpoint:VpcEndpoint")
    assert said["public_ip"]
    assert said["workloads"] == said["public"] == ["network-public-0-id", "network-public-1-id"]
    assert {way_out(graph, each.name) for each in subnets(graph)} == {"network-id"}


def test_nat_single_sends_every_zone_through_one_gateway() -> None:
    graph, said = network(kind="nat-single", zones=3)
    assert graph.one("ec2/natGateway:NatGateway").inputs["subnetId"] == "network-public-0-id"
    assert not said["public_ip"]
    assert {way_out(graph, f"network-private-{zone}") for zone in range(3)} == {"network-0-id"}


def test_nat_per_az_shares_nothing_between_zones() -> None:
    graph, _ = network(kind="nat-per-az", zones=3)
    for zone in range(3):
        gateway = graph.one("ec2/natGateway:NatGateway", f"network-{zone}")
        assert gateway.inputs["subnetId"] == f"network-public-{zone}-id"
        assert way_out(graph, f"network-private-{zone}") == f"network-{zone}-id"


def test_nat_gateways_are_made_side_by_side() -> None:
    graph, _ = network(kind="nat-per-az", zones=3)
    gateways = {each.urn for each in graph.of("ec2/natGateway:NatGateway")}
    for each in graph.of("ec2/natGateway:NatGateway"):
        assert not graph.waits_for(each) & gateways


def test_a_nat_gateway_waits_for_its_own_way_out() -> None:
    graph, _ = network(kind="nat-single", zones=2)
    before = graph.waits_for(graph.one("ec2/natGateway:NatGateway"))
    assert graph.one("ec2/route:Route", "network-public").urn in before


def test_endpoints_have_no_other_way_out() -> None:
    graph, _ = network(kind="endpoints", zones=2)
    assert not graph.of("ec2/natGateway:NatGateway")
    assert way_out(graph, "network-private-0") == way_out(graph, "network-private-1") == "nowhere"
    found = {
        each.inputs["serviceName"]: each.inputs["vpcEndpointType"] for each in graph.of("ec2/vpcEndpoint:VpcEndpoint")
    }
    assert found == {
        "com.amazonaws.us-east-1.ecr.api": "Interface",
        "com.amazonaws.us-east-1.logs": "Interface",
        "com.amazonaws.us-east-1.s3": "Gateway",
    }
    opened = graph.one("vpc/securityGroupIngressRule:SecurityGroupIngressRule").inputs
    assert (opened["cidrIpv4"], opened["fromPort"], opened["toPort"]) == (str(CIDR), 443, 443)


@pytest.mark.parametrize("kind", ["nat-single", "nat-per-az", "endpoints"])
def test_the_free_endpoint_of_s3_serves_every_private_table(kind: str) -> None:
    graph, _ = network(kind=kind, zones=2)
    tables = {
        f"{each.name}-id" for each in graph.of("ec2/routeTable:RouteTable") if each.name.startswith("network-private")
    }
    assert set(graph.one("ec2/vpcEndpoint:VpcEndpoint", "network-s3").inputs["routeTableIds"]) == tables


@pytest.mark.parametrize("kind", ["public", "nat-single", "nat-per-az", "endpoints"])
@pytest.mark.parametrize("zones", [2, 3])
class TestEveryKind:
    def test_subnets_do_not_overlap(self, kind: str, zones: int) -> None:
        graph, _ = network(kind=kind, zones=zones)
        blocks = [IPv4Network(each.inputs["cidrBlock"]) for each in subnets(graph)]
        assert all(block.subnet_of(CIDR) for block in blocks)
        assert not any(one.overlaps(two) for one in blocks for two in blocks if one is not two)

    def test_subnets_are_spread_over_the_zones(self, kind: str, zones: int) -> None:
        graph, said = network(kind=kind, zones=zones)
        zone_of = {f"{each.name}-id": each.inputs["availabilityZone"] for each in subnets(graph)}
        assert len({zone_of[each] for each in said["workloads"]}) == zones
        assert len({zone_of[each] for each in said["public"]}) == zones

    def test_addresses_are_public_only_where_there_is_no_other_way_out(self, kind: str, zones: int) -> None:
        graph, said = network(kind=kind, zones=zones)
        assert {each.inputs["mapPublicIpOnLaunch"] for each in subnets(graph)} == {kind == "public"}
        assert said["public_ip"] == (kind == "public")

    def test_ready_is_every_way_out(self, kind: str, zones: int) -> None:
        graph, said = network(kind=kind, zones=zones)
        ways = ("ec2/route:Route", "ec2/routeTableAssociation:RouteTableAssociation", "ec2/vpcEndpoint:VpcEndpoint")
        assert {each.urn for way in ways for each in graph.of(way)} <= set(said["ready"])

    def test_the_default_security_group_lets_nothing_through(self, kind: str, zones: int) -> None:
        graph, _ = network(kind=kind, zones=zones)
        emptied = graph.one("ec2/defaultSecurityGroup:DefaultSecurityGroup").inputs
        assert (emptied["ingress"], emptied["egress"]) == ([], [])


def test_too_few_zones_are_told_in_words() -> None:
    with pytest.raises(pulumi.RunError, match=r"zones: 7 availability zones are wanted, and us-east-1 has 6 .*zones 6"):
        network(zones=7)


def test_zones_in_which_not_everything_runs_are_left_out() -> None:
    asked: list[Mapping[str, Any]] = []

    class Asked(Cloud):
        def call(self, args: pulumi.runtime.MockCallArgs) -> Any:
            asked.append(args.args)
            return super().call(args)

    start(Asked())
    deploy(
        lambda: (
            Network(
                "network", NetworkArgs(kind="public", zones=2, region="us-east-1", endpoints=frozenset(), existing=None)
            ).vpc_id
        )
    )
    assert asked[0]["excludeZoneIds"] == OLD_ZONES


def test_an_existing_vpc_is_only_used() -> None:
    vpc = ExistingVpc.model_validate(
        {"id": "vpc-1", "public-subnets": ("subnet-a", "subnet-b"), "private-subnets": ("subnet-c", "subnet-d")}
    )
    graph, said = network(existing=vpc)
    assert [each.type for each in graph] == ["switchyard:network:Network"]
    assert (said["public"], said["workloads"], said["public_ip"]) == (
        ["subnet-a", "subnet-b"],
        ["subnet-c", "subnet-d"],
        False,
    )
    assert said["cidr"] == "172.16.0.0/16"


def test_an_existing_vpc_without_private_subnets_gives_public_addresses() -> None:
    _, said = network(existing=ExistingVpc.model_validate({"id": "vpc-1", "public-subnets": ("subnet-a", "subnet-b")}))
    assert (said["workloads"], said["public_ip"]) == (["subnet-a", "subnet-b"], True)


FLOW_LOG = "ec2/flowLog:FlowLog"


class TestFlowLogs:
    @pytest.mark.parametrize(("preset", "logged"), [("trial", None), ("standard", None), ("production", "REJECT")])
    def test_production_logs_who_was_turned_away(self, preset: str, logged: str | None) -> None:
        found = run_program(config_for("ecr", "ecs-fargate", preset)).of(FLOW_LOG)
        assert [each.inputs["trafficType"] for each in found] == ([logged] if logged else [])

    def test_a_stack_says_what_is_logged(self) -> None:
        config = config_for("ecr", "ecs-fargate")
        found = run_program({**config, "flow-logs": "all", "log-days": 30})
        assert found.one(FLOW_LOG).inputs["trafficType"] == "ALL"
        group = found.one("cloudwatch/logGroup:LogGroup", "network-flow").inputs
        assert (group["name"], group["retentionInDays"]) == ("/switchyard-dev/flow", 30)
        assert not run_program({**config_for("ecr", "ecs-fargate", "production"), "flow-logs": "none"}).of(FLOW_LOG)

    def test_they_are_written_by_this_account_alone_and_nowhere_else(self) -> None:
        found = run_program({**config_for("ecr", "ecs-fargate"), "flow-logs": "rejected"})
        trust = json.loads(found.one("iam/role:Role", "network-flow").inputs["assumeRolePolicy"])["Statement"][0]
        assert trust["Principal"] == {"Service": "vpc-flow-logs.amazonaws.com"}
        assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": "123456789012"}}
        policy = json.loads(found.one("iam/rolePolicy:RolePolicy", "network-flow").inputs["policy"])
        writing = [each for each in policy["Statement"] if "logs:PutLogEvents" in each["Action"]]
        group = found.one("cloudwatch/logGroup:LogGroup", "network-flow")
        assert all("log" in arn and arn != "*" for each in writing for arn in each["Resource"])
        assert found.one("iam/rolePolicy:RolePolicy", "network-flow").urn in found.waits_for(found.one(FLOW_LOG))
        assert group.urn in found.one(FLOW_LOG).from_inputs["logDestination"]
